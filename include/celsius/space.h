/// Spaces: what an observation or an action looks like.
///
/// A space is a list of named parts (nearly always one), each with its own type and shape, so that
/// buffers store an image as bytes beside a vector of floats. A row of a space is its parts one
/// after another, each aligned to its element.
#ifndef CELSIUS_SPACE_H
#define CELSIUS_SPACE_H
#include "celsius/rng.h"
#include "celsius/tensors.h"
CEL_BEGIN

typedef enum CelSpaceKind {
  CEL_BOX,            ///< real numbers; type F32 (or U8 for bytes), bounds may be infinite
  CEL_DISCRETE,       ///< one of n; type I32, shape {1}
  CEL_MULTI_DISCRETE, ///< shape {k}, entry i one of n[i]; type I32
  CEL_MULTI_BINARY    ///< shape {k}, each 0 or 1; type U8
} CelSpaceKind;

#define CEL_SPACE_PARTS_MAX 8
#define CEL_SPACE_DIMS_MAX 4
#define CEL_SPACE_BOUNDS_MAX 512 ///< elements of a part for which bounds are kept one by one

typedef struct CelSpacePart {
  char name[32]; ///< "" when it is the only one
  CelSpaceKind kind;
  CelType type;
  int ndim;
  int64_t shape[CEL_SPACE_DIMS_MAX];
  int64_t size; ///< product of shape
  int64_t n;    ///< discrete: number of choices
  /// Box: bounds of each element, as float32 holds them; for parts of more than
  /// CEL_SPACE_BOUNDS_MAX elements entry 0 bounds all. Multi-discrete: high[i] = number of choices
  /// of entry i.
  float low[CEL_SPACE_BOUNDS_MAX], high[CEL_SPACE_BOUNDS_MAX];
} CelSpacePart;

typedef struct CelSpace {
  int n_parts;
  CelSpacePart part[CEL_SPACE_PARTS_MAX];
} CelSpace;

/// One box of `size` float32 elements, all within [low, high] (+-INFINITY: unbounded).
CEL_API CelSpace cel_space_box(int64_t size, double low, double high);
/// One box with bounds element by element; size <= CEL_SPACE_BOUNDS_MAX.
CEL_API CelSpace cel_space_box_bounds(int64_t size, const double *low, const double *high);
/// One of n.
CEL_API CelSpace cel_space_discrete(int64_t n);
CEL_API CelSpace cel_space_multi_discrete(int64_t k, const int64_t *n);
CEL_API CelSpace cel_space_multi_binary(int64_t k);
/// Errors: CEL_E_SHAPE, CEL_E_RANGE (low > high, n < 1, NaN), CEL_E_TYPE: names the part.
CEL_API CelStatus cel_space_check(const CelSpace *space) CEL_WARN_UNUSED;
/// Bytes of a row.
CEL_API size_t cel_space_bytes(const CelSpace *space);
/// Where part p begins in a row, in bytes. p must exist.
CEL_API size_t cel_space_offset(const CelSpace *space, int p);
/// Elements of a row when all parts are float32 boxes; -1 otherwise.
CEL_API int64_t cel_space_floats(const CelSpace *space);
/// "Box(3,)", "Discrete(2)" and so on, for messages. Returns the length, like snprintf.
CEL_API int cel_space_describe(const CelSpace *space, char *text, size_t size);

/// out (n rows) drawn at random: uniform over choices and between finite bounds; from a single
/// bound inwards a half-normal; a standard normal where there is no bound.
/// A checked space. Allocates: no.
CEL_API void cel_space_sample(const CelSpace *space, void *out, int64_t n, CelRng *rng);

CEL_END
#endif
