/// Safetensors files: written atomically, and checked before they are trusted.
///
/// It is the format of Python's `safetensors` package: the header length in 8 little-endian bytes,
/// a JSON header, the data. Tensors are ordered by falling alignment and the header is padded, so
/// that doubles are aligned in a mapped file. The format has no checksum. So the metadata has
/// "digest", the XXH3-128 (hex) of the data section, and "header_digest", the same of the header
/// with its own value set to zeros. A file without them (from other software) is accepted.
#ifndef CELSIUS_SAFETENSORS_H
#define CELSIUS_SAFETENSORS_H
#include "celsius/tensors.h"
CEL_BEGIN

/// One key and value of the metadata; both are strings.
typedef struct CelMeta {
  const char *key, *value;
} CelMeta;

/// Writes the tensors of the given roles (bit set, 1u << role) under their names. Atomic: temporary
/// file in the same folder, fsync, rename, fsync of the folder. On any error the old file stays.
/// The same tensors and metadata give the same bytes.
/// Errors: CEL_E_IO (path, errno's text), CEL_E_ARGUMENT (a metadata key twice, or "digest", or
/// "header_digest", or not UTF-8), CEL_E_NAME (two tensors with one name), CEL_E_STATE (tensors
/// without data), CEL_E_MEMORY.
CEL_API CelStatus cel_safetensors_write(const char *path, const CelTensors *tensors, unsigned roles,
                                        const CelMeta *meta, int n_meta) CEL_WARN_UNUSED;
/// Writes a plain array of tensors in the same way.
CEL_API CelStatus cel_safetensors_write_list(const char *path, const CelTensor *list, int64_t n,
                                             const CelMeta *meta, int n_meta) CEL_WARN_UNUSED;

/// A file that is open for reading. Tensors point into a private mapping, so the file must not
/// become shorter meanwhile. Replacing it, as the writer does, is safe: the old file stays until
/// close.
typedef struct CelSafetensors CelSafetensors;
/// Opens a file. Checks everything first: header length against file size, JSON, types, shapes,
/// offsets (in range, no overlap, no gap), and the digests where the file has them. Close it with
/// cel_safetensors_close.
/// Errors: CEL_E_IO, CEL_E_FORMAT (place and reason), CEL_E_CORRUPT (truncated, another digest),
/// CEL_E_UNSUPPORTED (a type that is not in CelType, too many dimensions, a name that is too long),
/// CEL_E_MEMORY.
CEL_API CelStatus cel_safetensors_open(const char *path, CelSafetensors **out) CEL_WARN_UNUSED;
/// Opens a file that is in memory. The caller keeps the bytes until close. `name` is for messages.
CEL_API CelStatus cel_safetensors_open_bytes(const char *name, const void *bytes, size_t size,
                                             CelSafetensors **out) CEL_WARN_UNUSED;
/// Closes a file and frees its tensors' data. Takes NULL.
CEL_API void cel_safetensors_close(CelSafetensors *file);
/// Returns the number of tensors.
CEL_API int64_t cel_safetensors_count(const CelSafetensors *file);
/// Returns tensor i in the order of the data, aligned for its type and read-only; NULL when out of
/// range. Its role is CEL_MODEL, because files have no roles.
CEL_API const CelTensor *cel_safetensors_at(const CelSafetensors *file, int64_t i);
/// Finds a tensor by name. Returns NULL when there is none.
CEL_API const CelTensor *cel_safetensors_find(const CelSafetensors *file, const char *name);
/// Returns the value of a metadata key, or NULL. The file owns it.
CEL_API const char *cel_safetensors_meta(const CelSafetensors *file, const char *key);
/// Returns metadata entry i in the order of the file; {NULL, NULL} when out of range.
CEL_API CelMeta cel_safetensors_meta_at(const CelSafetensors *file, int64_t i);

/// Copies every tensor of the given roles from the file into `tensors`. Compares all names, types
/// and shapes first, so on error nothing changes. A tensor that only the file has is an error.
/// Errors: CEL_E_NAME (missing or unexpected), CEL_E_TYPE, CEL_E_SHAPE: each names the tensor.
CEL_API CelStatus cel_safetensors_load(const CelSafetensors *file, CelTensors *tensors,
                                       unsigned roles) CEL_WARN_UNUSED;
/// Copies tensors in the same way, but ignores those that only the file has (a model from a
/// checkpoint).
CEL_API CelStatus cel_safetensors_load_some(const CelSafetensors *file, CelTensors *tensors,
                                            unsigned roles) CEL_WARN_UNUSED;

CEL_END
#endif
