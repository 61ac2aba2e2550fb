/// Safetensors files: written atomically, read without trust.
///
/// The format that Python's `safetensors` package reads: 8 bytes little-endian header length, a
/// JSON header, the data. Tensors are ordered by falling alignment and the header is padded, so that doubles
/// lie aligned in a mapped file. The metadata holds "digest": XXH3-128 (hex) of the data section,
/// because the format itself has none, and "header_digest", the same of the header with its own value
/// set to zeros; a file without them (written elsewhere) is accepted.
#ifndef CELSIUS_SAFETENSORS_H
#define CELSIUS_SAFETENSORS_H
#include "celsius/tensors.h"
CEL_BEGIN

/// One key and value of the metadata; both strings.
typedef struct CelMeta {
  const char *key, *value;
} CelMeta;

/// Writes the tensors of the given roles (bit set) under their names. Atomic: temporary file in the same
/// folder, fsync, rename, fsync of the folder; on any error the old file stays. The same tensors and
/// metadata give the same bytes.
/// Errors: CEL_E_IO (path, errno's text), CEL_E_ARGUMENT (a metadata key twice, or one of "digest" and
/// "header_digest", or not UTF-8), CEL_E_NAME (two tensors of one name), CEL_E_STATE (tensors without data), CEL_E_MEMORY.
CEL_API CelStatus cel_safetensors_write(const char *path, const CelTensors *tensors, unsigned roles,
                                        const CelMeta *meta, int n_meta) CEL_WARN_UNUSED;
/// The same from a plain array of tensors (an exporter's views).
CEL_API CelStatus cel_safetensors_write_list(const char *path, const CelTensor *list, int64_t n,
                                             const CelMeta *meta, int n_meta) CEL_WARN_UNUSED;

/// A file opened for reading; tensors point into a private mapping, so that the file must not be cut
/// short meanwhile. (Replacing it, as the writer does, is fine: the old one stays until close.)
typedef struct CelSafetensors CelSafetensors;
/// Checks everything before it trusts anything: header length against file size, JSON, types, shapes,
/// offsets (in range, without overlap or gap), the digests where there are any.
/// Errors: CEL_E_IO, CEL_E_FORMAT (where and why), CEL_E_CORRUPT (cut short, digest differs),
/// CEL_E_UNSUPPORTED (a type that CelType has not, more dimensions, a longer name), CEL_E_MEMORY.
CEL_API CelStatus cel_safetensors_open(const char *path, CelSafetensors **out) CEL_WARN_UNUSED;
/// The same for a file that lies in memory; the bytes must stay until close. `name` is for messages.
CEL_API CelStatus cel_safetensors_open_bytes(const char *name, const void *bytes, size_t size,
                                             CelSafetensors **out) CEL_WARN_UNUSED;
/// Takes NULL. The tensors' data go with it.
CEL_API void cel_safetensors_close(CelSafetensors *file);
CEL_API int64_t cel_safetensors_count(const CelSafetensors *file);
/// Tensor i in the order of the data, aligned for its type, read-only; NULL when out of range. Its role
/// is CEL_MODEL, since files do not hold roles.
CEL_API const CelTensor *cel_safetensors_at(const CelSafetensors *file, int64_t i);
/// NULL when there is none of that name.
CEL_API const CelTensor *cel_safetensors_find(const CelSafetensors *file, const char *name);
/// The value of a metadata key, or NULL.
CEL_API const char *cel_safetensors_meta(const CelSafetensors *file, const char *key);
/// Metadata entry i in the order of the file; {NULL, NULL} when out of range.
CEL_API CelMeta cel_safetensors_meta_at(const CelSafetensors *file, int64_t i);

/// Copies every tensor of the given roles from the file into `tensors`; all names, types and shapes are
/// compared first, so that on error nothing has changed. Extra tensors in the file are an error too.
/// Errors: CEL_E_NAME (missing or unexpected), CEL_E_TYPE, CEL_E_SHAPE: each names the tensor.
CEL_API CelStatus cel_safetensors_load(const CelSafetensors *file, CelTensors *tensors,
                                       unsigned roles) CEL_WARN_UNUSED;
/// The same, but further tensors in the file are passed over (a model out of a resumable checkpoint).
CEL_API CelStatus cel_safetensors_load_some(const CelSafetensors *file, CelTensors *tensors,
                                            unsigned roles) CEL_WARN_UNUSED;

CEL_END
#endif
