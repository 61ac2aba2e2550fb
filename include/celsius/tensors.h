/// Named tensors: an agent's whole state as one list of (name, type, shape, role, place).
///
/// Modules declare what they need, then everything is allocated at once: one block, 64-byte
/// aligned, zeroed, laid out role by role in the order of declaration, so that all parameters and
/// all gradients are each one contiguous run. Checkpoint, resume, export, hashing in tests and access
/// from Python are each one loop over the list.
#ifndef CELSIUS_TENSORS_H
#define CELSIUS_TENSORS_H
#include "celsius/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
CEL_BEGIN

/// Element types; names as in safetensors: F32 F64 I32 I64 U8 U32 U64.
typedef enum CelType { CEL_F32, CEL_F64, CEL_I32, CEL_I64, CEL_U8, CEL_U32, CEL_U64 } CelType;
CEL_API size_t cel_type_size(CelType type);
CEL_API const char *cel_type_name(CelType type);

/// What a tensor is to its agent. The order is the order of regions in memory.
typedef enum CelRole {
  CEL_PARAM, ///< learned by a gradient. In every file.
  CEL_MODEL, ///< needed to act, not learned by a gradient (normaliser, action scale). In every file.
  CEL_TARGET,  ///< target networks. In resumable checkpoints.
  CEL_GRAD,    ///< gradients, mirror of CEL_PARAM. Not saved.
  CEL_MOMENT1, ///< optimiser's first moments, mirror of CEL_PARAM. In resumable checkpoints.
  CEL_MOMENT2, ///< second moments, mirror of CEL_PARAM. In resumable checkpoints.
  CEL_STATE,   ///< counters, rng counters, environment states. In resumable checkpoints.
  CEL_REPLAY,  ///< stored transitions; written as append-only segments beside the checkpoint.
  CEL_SCRATCH, ///< recomputed at every use. Not saved.
  CEL_ROLES
} CelRole;

#define CEL_NAME_MAX 96
#define CEL_DIMS_MAX 6

typedef struct CelTensor {
  char name[CEL_NAME_MAX]; ///< "actor.0.weight"
  CelType type;
  CelRole role;
  int ndim;
  int64_t shape[CEL_DIMS_MAX];
  int64_t size; ///< product of shape
  void *data;   ///< NULL until allocated
} CelTensor;

typedef struct CelTensors CelTensors;

/// Errors: CEL_E_MEMORY.
CEL_API CelStatus cel_tensors_create(CelTensors **out) CEL_WARN_UNUSED;
/// Frees the block and the list. Takes NULL.
CEL_API void cel_tensors_destroy(CelTensors *tensors);

/// Declares a tensor; `place` (the address of a typed pointer, or NULL) is filled in by allocate.
/// Errors: CEL_E_NAME (twice the same, too long), CEL_E_SHAPE (negative, ndim > CEL_DIMS_MAX),
/// CEL_E_MEMORY (bytes overflow), CEL_E_STATE (after allocate), CEL_E_TYPE, CEL_E_ARGUMENT (no such type,
/// role). Names are UTF-8 without control characters.
CEL_API CelStatus cel_tensors_declare(CelTensors *tensors, const char *name, CelType type,
                                      CelRole role, void *place, int ndim,
                                      const int64_t *shape) CEL_WARN_UNUSED;

/// Allocates everything, zeroed; pages that are never touched cost no memory. When the whole needs
/// more than the machine has available, nothing is taken.
/// Errors: CEL_E_MEMORY (says how much was asked, how much there is, and the largest tensor),
/// CEL_E_STATE (twice).
CEL_API CelStatus cel_tensors_allocate(CelTensors *tensors) CEL_WARN_UNUSED;

CEL_API int64_t cel_tensors_count(const CelTensors *tensors);
/// Tensor i in the order of declaration; NULL when out of range. The row may move at the next declare,
/// its data never.
CEL_API const CelTensor *cel_tensors_at(const CelTensors *tensors, int64_t i);
/// NULL when there is none of that name.
CEL_API const CelTensor *cel_tensors_find(const CelTensors *tensors, const char *name);
/// The contiguous run of one role: first byte and length (padding zeroed, included). *bytes = 0 when none.
CEL_API void *cel_tensors_region(const CelTensors *tensors, CelRole role, size_t *bytes);
/// Bytes of the whole block; 0 before allocate.
CEL_API size_t cel_tensors_bytes(const CelTensors *tensors);
/// XXH3-128 of the tensors of the given roles (bit set, 1u << role), names and shapes included.
CEL_API void cel_tensors_digest(const CelTensors *tensors, unsigned roles, uint64_t out[2]);

/// Role sets for the files.
#define CEL_ROLES_MODEL ((1u << CEL_PARAM) | (1u << CEL_MODEL))
#define CEL_ROLES_RESUME                                                                           \
  (CEL_ROLES_MODEL | (1u << CEL_TARGET) | (1u << CEL_MOMENT1) | (1u << CEL_MOMENT2) |              \
   (1u << CEL_STATE))

CEL_END
#endif
