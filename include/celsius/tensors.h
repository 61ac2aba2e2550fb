/// Named tensors: an agent's whole state as one list of (name, type, shape, role, place).
///
/// Modules declare their tensors, then one call allocates all of them: one block, aligned to 64
/// bytes, zeroed, ordered by role and then by declaration. So all parameters are one contiguous
/// run, and so are all gradients. Checkpoint, resume, export and hashing are loops over the list.
#ifndef CELSIUS_TENSORS_H
#define CELSIUS_TENSORS_H
#include "celsius/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
CEL_BEGIN

/// Element type. The names are those of safetensors: F32 F64 I32 I64 U8 U32 U64.
typedef enum CelType { CEL_F32, CEL_F64, CEL_I32, CEL_I64, CEL_U8, CEL_U32, CEL_U64 } CelType;
/// Returns the bytes of an element.
CEL_API size_t cel_type_size(CelType type);
/// Returns the name of a type, such as "F32".
CEL_API const char *cel_type_name(CelType type);

/// Role of a tensor for its agent. The order is that of the regions in memory.
typedef enum CelRole {
  CEL_PARAM,  ///< learned by gradients; in every file
  CEL_MODEL,  ///< needed to act, not learned by gradients (normalizer, action scale); in every file
  CEL_TARGET, ///< target networks; in checkpoints
  CEL_GRAD,   ///< gradients, parallel to CEL_PARAM; not saved
  CEL_MOMENT1, ///< the optimizer's first moments, parallel to CEL_PARAM; in checkpoints
  CEL_MOMENT2, ///< second moments, parallel to CEL_PARAM; in checkpoints
  CEL_STATE,   ///< counters, random number counters, environment states; in checkpoints
  CEL_REPLAY,  ///< stored transitions; written as append-only segments beside the checkpoint
  CEL_SCRATCH, ///< recomputed at every use; not saved
  CEL_ROLES    ///< number of roles
} CelRole;

#define CEL_NAME_MAX 96 ///< bytes of a tensor's name, with its final zero
#define CEL_DIMS_MAX 6  ///< most dimensions of a tensor

typedef struct CelTensor {
  char name[CEL_NAME_MAX]; ///< "actor.0.weight"
  CelType type;
  CelRole role;
  int ndim;
  int64_t shape[CEL_DIMS_MAX];
  int64_t size; ///< product of shape
  void *data;   ///< NULL until allocated; owned by the list
} CelTensor;

typedef struct CelTensors CelTensors;

/// Creates an empty list. Free it with cel_tensors_destroy. Errors: CEL_E_MEMORY.
CEL_API CelStatus cel_tensors_create(CelTensors **out) CEL_WARN_UNUSED;
/// Frees the block and the list. Takes NULL.
CEL_API void cel_tensors_destroy(CelTensors *tensors);

/// Declares a tensor. `place` is the address of a typed pointer that cel_tensors_allocate sets, or
/// NULL. Names are UTF-8 without control characters.
/// Errors: CEL_E_NAME (a name twice, too long), CEL_E_SHAPE (negative, ndim > CEL_DIMS_MAX),
/// CEL_E_MEMORY (bytes overflow), CEL_E_STATE (already allocated), CEL_E_TYPE, CEL_E_ARGUMENT (no
/// such type or role).
CEL_API CelStatus cel_tensors_declare(CelTensors *tensors, const char *name, CelType type,
                                      CelRole role, void *place, int ndim,
                                      const int64_t *shape) CEL_WARN_UNUSED;

/// Allocates all tensors, zeroed. Pages that are never touched use no memory. When the machine has
/// too little memory available, it allocates nothing.
/// Errors: CEL_E_MEMORY (names the size needed, the memory available and the largest tensor),
/// CEL_E_STATE (called twice).
CEL_API CelStatus cel_tensors_allocate(CelTensors *tensors) CEL_WARN_UNUSED;

/// Returns the number of tensors.
CEL_API int64_t cel_tensors_count(const CelTensors *tensors);
/// Returns tensor i in the order of declaration; NULL when out of range. The next declare may move
/// the row, but never its data.
CEL_API const CelTensor *cel_tensors_at(const CelTensors *tensors, int64_t i);
/// Finds a tensor by name. Returns NULL when there is none.
CEL_API const CelTensor *cel_tensors_find(const CelTensors *tensors, const char *name);
/// Returns the first byte of a role's contiguous run, and its length in *bytes (with zeroed
/// padding). *bytes is 0 when there is none.
CEL_API void *cel_tensors_region(const CelTensors *tensors, CelRole role, size_t *bytes);
/// Returns the bytes of the whole block; 0 before cel_tensors_allocate.
CEL_API size_t cel_tensors_bytes(const CelTensors *tensors);
/// Computes the XXH3-128 of the tensors of the given roles (bit set, 1u << role), names and shapes
/// included.
CEL_API void cel_tensors_digest(const CelTensors *tensors, unsigned roles, uint64_t out[2]);

/// Roles in a model file.
#define CEL_ROLES_MODEL ((1u << CEL_PARAM) | (1u << CEL_MODEL))
/// Roles in a checkpoint.
#define CEL_ROLES_RESUME                                                                           \
  (CEL_ROLES_MODEL | (1u << CEL_TARGET) | (1u << CEL_MOMENT1) | (1u << CEL_MOMENT2) |              \
   (1u << CEL_STATE))

CEL_END
#endif
