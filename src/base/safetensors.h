/// What the reader and the writer of safetensors files share.
#ifndef CELI_BASE_SAFETENSORS_H
#define CELI_BASE_SAFETENSORS_H
#include "base/file.h"
#include "celsius/safetensors.h"
#define XXH_STATIC_LINKING_ONLY // for the size of XXH3_state_t
#include <xxhash.h>

#define CELI_ST_METADATA "__metadata__"
#define CELI_ST_DIGEST "digest"
#define CELI_ST_HEADER_DIGEST "header_digest"
/// The text before the header's digest in the header. It cannot occur elsewhere, because quotes
/// inside JSON strings are escaped.
#define CELI_ST_HEADER_MARK "\"" CELI_ST_HEADER_DIGEST "\":\""
#define CELI_ST_HEX 32 ///< hexadecimal digits of a digest
/// Alignment of the data in the file, in bytes.
#define CELI_ST_ALIGNMENT 64
/// Longest header in bytes that is written or read, for about 80,000 tensors.
#define CELI_ST_HEADER_MAX ((size_t)8 << 20)

/// Writes the digest as 32 hexadecimal digits, most significant first, and a terminating zero.
void celi_st_hex(char out[CELI_ST_HEX + 1], XXH128_hash_t hash);
/// The digest of a header. The 32 digits of the header's own digest, at `at`, count as '0'.
XXH128_hash_t celi_st_header_digest(const char *header, size_t size, size_t at);

/// cel_safetensors_write_list into an open folder. folder NULL: `name` is a path.
CelStatus celi_safetensors_write_in(const CeliFolder *folder, const char *name,
                                    const CelTensor *list, int64_t n, const CelMeta *meta,
                                    int n_meta) CEL_WARN_UNUSED;

#endif
