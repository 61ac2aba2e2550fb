/// What the writer and the reader of safetensors files share.
#ifndef CELI_BASE_SAFETENSORS_H
#define CELI_BASE_SAFETENSORS_H
#include "base/file.h"
#include "celsius/safetensors.h"
#define XXH_STATIC_LINKING_ONLY // for the size of XXH3_state_t
#include <xxhash.h>

#define CELI_ST_METADATA "__metadata__"
#define CELI_ST_DIGEST "digest"
#define CELI_ST_HEADER_DIGEST "header_digest"
/// How the header's digest begins in the header's text; inside of a JSON string its quotes would
/// be escaped, so it is found in no other place.
#define CELI_ST_HEADER_MARK "\"" CELI_ST_HEADER_DIGEST "\":\""
#define CELI_ST_HEX 32 ///< hex digits of a digest
/// The data begin at a multiple of this.
#define CELI_ST_ALIGNMENT 64
/// Longest header that is written or read: about 80,000 tensors.
#define CELI_ST_HEADER_MAX ((size_t)8 << 20)

/// The digest as 32 hex digits, most significant first, with a zero behind.
void celi_st_hex(char out[CELI_ST_HEX + 1], XXH128_hash_t hash);
/// Digest of a header whose own digest's 32 digits, at `at`, count as zeros.
XXH128_hash_t celi_st_header_digest(const char *header, size_t size, size_t at);

/// As cel_safetensors_write_list, into an open folder; NULL: `name` is a path.
CelStatus celi_safetensors_write_in(const CeliFolder *folder, const char *name,
                                    const CelTensor *list, int64_t n, const CelMeta *meta,
                                    int n_meta) CEL_WARN_UNUSED;

#endif
