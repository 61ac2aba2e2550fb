/// Spaces: the shape and type of observations and actions.
///
/// A space is a list of named parts, nearly always one. Each part has its own type and shape, so
/// that a buffer can store an image as bytes beside a vector of floats. A row of a space is its
/// parts one after another, each aligned to its element.
#ifndef CELSIUS_SPACE_H
#define CELSIUS_SPACE_H
#include "celsius/rng.h"
#include "celsius/tensors.h"
CEL_BEGIN

typedef enum CelSpaceKind {
  CEL_BOX,            ///< real numbers; type F32 (U8 for bytes), bounds may be infinite
  CEL_DISCRETE,       ///< one of n; type I32, shape {1}
  CEL_MULTI_DISCRETE, ///< shape {k}, entry i one of n[i]; type I32
  CEL_MULTI_BINARY    ///< shape {k}, each 0 or 1; type U8
} CelSpaceKind;

#define CEL_SPACE_PARTS_MAX 8    ///< most parts of a space
#define CEL_SPACE_DIMS_MAX 4     ///< most dimensions of a part
#define CEL_SPACE_BOUNDS_MAX 512 ///< most elements of a part with one bound each

typedef struct CelSpacePart {
  char name[32]; ///< "" when it is the only one
  CelSpaceKind kind;
  CelType type;
  int ndim;
  int64_t shape[CEL_SPACE_DIMS_MAX];
  int64_t size; ///< product of shape
  int64_t n;    ///< discrete: number of values
  /// Box: bounds of each element as float32. In a part of more than CEL_SPACE_BOUNDS_MAX elements,
  /// entry 0 bounds all. Multi-discrete: high[i] is the number of values of entry i.
  float low[CEL_SPACE_BOUNDS_MAX], high[CEL_SPACE_BOUNDS_MAX];
} CelSpacePart;

typedef struct CelSpace {
  int n_parts;
  CelSpacePart part[CEL_SPACE_PARTS_MAX]; ///< (n_parts,)
} CelSpace;

/// Returns a box of `size` float32 elements, all within [low, high] (+-INFINITY: unbounded).
CEL_API CelSpace cel_space_box(int64_t size, double low, double high);
/// Returns a box with one bound per element: low, high (size,). size <= CEL_SPACE_BOUNDS_MAX.
CEL_API CelSpace cel_space_box_bounds(int64_t size, const double *low, const double *high);
/// Returns a space with n discrete values.
CEL_API CelSpace cel_space_discrete(int64_t n);
/// Returns a space of k discrete entries with n (k,) values each.
CEL_API CelSpace cel_space_multi_discrete(int64_t k, const int64_t *n);
/// Returns a space of k bits.
CEL_API CelSpace cel_space_multi_binary(int64_t k);
/// Checks a space. Errors: CEL_E_SHAPE, CEL_E_RANGE (low > high, n < 1, NaN), CEL_E_TYPE; each
/// names the part.
CEL_API CelStatus cel_space_check(const CelSpace *space) CEL_WARN_UNUSED;
/// Returns the bytes of a row.
CEL_API size_t cel_space_bytes(const CelSpace *space);
/// Returns where part p begins in a row, in bytes. p must exist.
CEL_API size_t cel_space_offset(const CelSpace *space, int p);
/// Returns the elements of a row when all parts are float32 boxes; -1 otherwise.
CEL_API int64_t cel_space_floats(const CelSpace *space);
/// Writes a description for messages, such as "Box(3,)" or "Discrete(2)". Returns its full length,
/// like snprintf.
CEL_API int cel_space_describe(const CelSpace *space, char *text, size_t size);

/// Samples out (n rows). Discrete values and elements with finite bounds are uniform. An element
/// with one bound is half-normal from that bound, and one without bounds is standard normal.
/// The space must pass cel_space_check. Allocates: no.
CEL_API void cel_space_sample(const CelSpace *space, void *out, int64_t n, CelRng *rng);

CEL_END
#endif
