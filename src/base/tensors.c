/// Named tensors: declared one by one, then allocated as one block.
///
/// The block holds one region per role, in the order of roles. A region holds its tensors in the
/// order of declaration, aligned to 64 bytes. Gaps are always zero, so that a loop can sum, clip,
/// step or hash a region as one array.
#include "celsius/tensors.h"
#include "base/arguments.h"
#include "base/base.h"
#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#define XXH_STATIC_LINKING_ONLY // for the size of XXH3_state_t, because hashing must not allocate
#include <xxhash.h>

#define ALIGNMENT 64

struct CelTensors {
  CelTensor *list;
  void **places; // where cel_tensors_allocate stores each tensor's address; entries may be NULL
  int64_t n, capacity;
  unsigned char *block; // NULL until allocated
  size_t bytes;
  size_t begin[CEL_ROLES + 1]; // offset of each role's region in the block
};

size_t cel_type_size(CelType type) {
  switch (type) {
  case CEL_F32:
  case CEL_I32:
  case CEL_U32: return 4;
  case CEL_F64:
  case CEL_I64:
  case CEL_U64: return 8;
  case CEL_U8: return 1;
  }
  return 0;
}

const char *cel_type_name(CelType type) {
  switch (type) {
  case CEL_F32: return "F32";
  case CEL_F64: return "F64";
  case CEL_I32: return "I32";
  case CEL_I64: return "I64";
  case CEL_U8: return "U8";
  case CEL_U32: return "U32";
  case CEL_U64: return "U64";
  }
  return "?";
}

CelStatus cel_tensors_create(CelTensors **out) {
  CELI_NEED(out);
  CelTensors *tensors = calloc(1, sizeof *tensors);
  if (tensors == NULL) return cel_fail(CEL_E_MEMORY, "not enough memory for a list of tensors");
  *out = tensors;
  return CEL_OK;
}

void cel_tensors_destroy(CelTensors *tensors) {
  if (tensors == NULL) return;
  if (tensors->block != NULL) munmap(tensors->block, tensors->bytes);
  free(tensors->list);
  free(tensors->places);
  free(tensors);
}

// ---- Declaring

static CelStatus check_name(const CelTensors *tensors, const char *name) {
  if (name[0] == 0) return cel_fail(CEL_E_NAME, "a tensor's name is empty");
  if (strlen(name) >= CEL_NAME_MAX)
    return cel_fail(CEL_E_NAME, "tensor \"%s\": its name is longer than %d bytes", name,
                    CEL_NAME_MAX - 1);
  if (!celi_text_plain(name) || strcmp(name, "__metadata__") == 0)
    return cel_fail(CEL_E_NAME,
                    "tensor \"%s\": files cannot hold this name; it is reserved, not UTF-8, or has "
                    "control characters",
                    name);
  if (cel_tensors_find(tensors, name) != NULL)
    return cel_fail(CEL_E_NAME, "tensor \"%s\" is declared twice", name);
  return CEL_OK;
}

// Sets shape and size, and checks that the bytes and gaps do not overflow.
static CelStatus set_shape(CelTensor *tensor, int ndim, const int64_t *shape) {
  if (ndim < 0 || ndim > CEL_DIMS_MAX)
    return cel_fail(CEL_E_SHAPE, "tensor \"%s\" has %d dimensions; it must have 0 to %d",
                    tensor->name, ndim, CEL_DIMS_MAX);
  bool empty = false;
  for (int i = 0; i < ndim; i++) {
    if (shape[i] < 0)
      return cel_fail(CEL_E_SHAPE, "tensor \"%s\": dimension %d is negative (%lld)", tensor->name,
                      i, (long long)shape[i]);
    tensor->shape[i] = shape[i];
    empty |= shape[i] == 0;
  }
  size_t size = 1, bytes, rounded;
  for (int i = 0; i < ndim && !empty; i++)
    if (!celi_size_mul(size, (size_t)shape[i], &size)) size = SIZE_MAX;
  if (empty) size = 0;
  if (!celi_size_mul(size, cel_type_size(tensor->type), &bytes) ||
      !celi_size_round(bytes, ALIGNMENT, &rounded) || rounded > PTRDIFF_MAX)
    return cel_fail(CEL_E_MEMORY, "tensor \"%s\": its size in bytes overflows", tensor->name);
  tensor->ndim = ndim;
  tensor->size = (int64_t)size;
  return CEL_OK;
}

static CelStatus grow(CelTensors *tensors) {
  if (tensors->n < tensors->capacity) return CEL_OK;
  int64_t capacity = tensors->capacity == 0 ? 32 : tensors->capacity * 2;
  CELI_TRY(celi_resize(&tensors->list, (size_t)capacity, sizeof *tensors->list, "tensors"));
  CELI_TRY(celi_resize(&tensors->places, (size_t)capacity, sizeof *tensors->places, "tensors"));
  tensors->capacity = capacity;
  return CEL_OK;
}

CelStatus cel_tensors_declare(CelTensors *tensors, const char *name, CelType type, CelRole role,
                              void *place, int ndim, const int64_t *shape) {
  CELI_NEED(tensors);
  CELI_NEED(name);
  if (ndim > 0) CELI_NEED(shape);
  CELI_FLOATS(CELI_IEEE);
  if (tensors->block != NULL)
    return cel_fail(CEL_E_STATE,
                    "tensor \"%s\" is declared after the allocation; declare all tensors first",
                    name);
  CELI_TRY(check_name(tensors, name));
  if (cel_type_size(type) == 0)
    return cel_fail(CEL_E_TYPE, "tensor \"%s\" has type %d, which does not exist", name, (int)type);
  if ((int)role < 0 || role >= CEL_ROLES)
    return cel_fail(CEL_E_ARGUMENT, "tensor \"%s\" has role %d, which does not exist", name,
                    (int)role);
  CelTensor tensor = {.type = type, .role = role};
  memcpy(tensor.name, name, strlen(name) + 1);
  CELI_TRY(set_shape(&tensor, ndim, shape));
  CELI_TRY(grow(tensors));
  tensors->list[tensors->n] = tensor;
  tensors->places[tensors->n] = place;
  tensors->n++;
  return CEL_OK;
}

// ---- Allocating

static size_t tensor_bytes(const CelTensor *tensor) {
  return (size_t)tensor->size * cel_type_size(tensor->type);
}

static size_t padded_bytes(const CelTensor *tensor) {
  return (tensor_bytes(tensor) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

// Computes the offset of each role. Returns false if the sum overflows.
static bool lay_out(CelTensors *tensors) {
  size_t at = 0;
  for (int role = 0; role < CEL_ROLES; role++) {
    tensors->begin[role] = at;
    for (int64_t i = 0; i < tensors->n; i++)
      if ((int)tensors->list[i].role == role &&
          !celi_size_add(at, padded_bytes(&tensors->list[i]), &at))
        return false;
  }
  tensors->begin[CEL_ROLES] = at;
  return at <= PTRDIFF_MAX;
}

static const CelTensor *largest(const CelTensors *tensors) {
  const CelTensor *most = &tensors->list[0];
  for (int64_t i = 1; i < tensors->n; i++)
    if (tensor_bytes(&tensors->list[i]) > tensor_bytes(most)) most = &tensors->list[i];
  return most;
}

static CelStatus too_large(const CelTensors *tensors, size_t available, const char *limit) {
  const CelTensor *most = largest(tensors);
  char all[CELI_NUMBER_MAX], has[CELI_NUMBER_MAX], one[CELI_NUMBER_MAX];
  return cel_fail(
      CEL_E_MEMORY, "the tensors need %s, but %s is %s; the largest tensor, \"%s\", needs %s",
      celi_bytes_text(all, tensors->begin[CEL_ROLES]), limit, celi_bytes_text(has, available),
      most->name, celi_bytes_text(one, tensor_bytes(most)));
}

CelStatus cel_tensors_allocate(CelTensors *tensors) {
  CELI_NEED(tensors);
  CELI_FLOATS(CELI_IEEE);
  if (tensors->block != NULL) return cel_fail(CEL_E_STATE, "the tensors are already allocated");
  if (!lay_out(tensors))
    return cel_fail(CEL_E_MEMORY,
                    "the sum of the tensors' sizes overflows; the largest tensor is \"%s\"",
                    largest(tensors)->name);
  size_t bytes = tensors->begin[CEL_ROLES];
  const char *limit;
  size_t available = celi_memory_available(&limit);
  if (bytes > available) return too_large(tensors, available, limit);
  tensors->bytes = bytes > 0 ? bytes : ALIGNMENT;
  void *block =
      mmap(NULL, tensors->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block == MAP_FAILED) {
    CelStatus status = too_large(tensors, available, limit);
    return cel_fail(status, "%s (%s)", cel_error(), strerror(errno));
  }
  tensors->block = block;
  size_t at[CEL_ROLES];
  memcpy(at, tensors->begin, sizeof at);
  for (int64_t i = 0; i < tensors->n; i++) {
    CelTensor *tensor = &tensors->list[i];
    tensor->data = tensors->block + at[tensor->role];
    at[tensor->role] += padded_bytes(tensor);
    if (tensors->places[i] != NULL)
      memcpy(tensors->places[i], &tensor->data, sizeof tensor->data); // a pointer of any type
  }
  return CEL_OK;
}

// ---- Access

int64_t cel_tensors_count(const CelTensors *tensors) {
  CELI_NEED_OR(tensors, 0);
  return tensors->n;
}

const CelTensor *cel_tensors_at(const CelTensors *tensors, int64_t i) {
  CELI_NEED_OR(tensors, NULL);
  return i >= 0 && i < tensors->n ? &tensors->list[i] : NULL;
}

const CelTensor *cel_tensors_find(const CelTensors *tensors, const char *name) {
  CELI_NEED_OR(tensors, NULL);
  CELI_NEED_OR(name, NULL);
  for (int64_t i = 0; i < tensors->n; i++)
    if (strcmp(tensors->list[i].name, name) == 0) return &tensors->list[i];
  return NULL;
}

void *cel_tensors_region(const CelTensors *tensors, CelRole role, size_t *bytes) {
  CELI_NEED_OR(tensors, NULL);
  CELI_NEED_OR(bytes, NULL);
  *bytes = 0;
  if (tensors->block == NULL || (int)role < 0 || role >= CEL_ROLES) return NULL;
  *bytes = tensors->begin[role + 1] - tensors->begin[role];
  return *bytes > 0 ? tensors->block + tensors->begin[role] : NULL;
}

size_t cel_tensors_bytes(const CelTensors *tensors) {
  CELI_NEED_OR(tensors, 0);
  return tensors->block != NULL ? tensors->begin[CEL_ROLES] : 0;
}

void cel_tensors_digest(const CelTensors *tensors, unsigned roles, uint64_t out[2]) {
  CELI_NEED_OR(tensors, );
  CELI_NEED_OR(out, );
  alignas(64) XXH3_state_t state;
  XXH3_INITSTATE(&state);
  XXH3_128bits_reset(&state);
  for (int64_t i = 0; i < tensors->n; i++) {
    const CelTensor *tensor = &tensors->list[i];
    if (!(roles >> tensor->role & 1u)) continue;
    int64_t head[2] = {(int64_t)tensor->type, tensor->ndim};
    XXH3_128bits_update(&state, tensor->name, strlen(tensor->name) + 1);
    XXH3_128bits_update(&state, head, sizeof head);
    XXH3_128bits_update(&state, tensor->shape, (size_t)tensor->ndim * sizeof *tensor->shape);
    if (tensor->data != NULL) XXH3_128bits_update(&state, tensor->data, tensor_bytes(tensor));
  }
  XXH128_hash_t hash = XXH3_128bits_digest(&state);
  out[0] = hash.low64;
  out[1] = hash.high64;
}
