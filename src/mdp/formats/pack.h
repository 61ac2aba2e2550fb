/// Compressed data: gzip with zlib and xz with liblzma, both optional.
#ifndef CELSIUS_MDP_FORMAT_PACK_H
#define CELSIUS_MDP_FORMAT_PACK_H
#include "mdp/formats/text.h"

typedef enum CeliPacking { CELI_PLAIN, CELI_GZIP, CELI_XZ } CeliPacking;

/// The compression that the first bytes show.
CeliPacking celi_packing_of(const uint8_t *data, size_t size);
/// Errors: CEL_E_UNSUPPORTED (the library was built without that compression).
CelStatus celi_packing_check(CeliPacking packing) CEL_WARN_UNUSED;

/// Decompresses gzip or xz data. The caller frees *out. The result is limited to
/// 64 MiB + 2000 * size, so that a small file cannot fill the memory. `file` is for messages.
/// Errors: CEL_E_CORRUPT (damaged, cut short, above the limit), CEL_E_UNSUPPORTED, CEL_E_MEMORY.
CelStatus celi_unpack(const char *file, const uint8_t *data, size_t size, uint8_t **out,
                      size_t *n) CEL_WARN_UNUSED;

/// Compresses what is put into it and writes that to `out`. The same data give the same bytes with
/// the same version of the compression library. The first failure is kept in out->status.
typedef struct CeliPacker CeliPacker;
CelStatus celi_packer_create(CeliPacker **packer, CeliPacking packing,
                             CeliOut *out) CEL_WARN_UNUSED;
void celi_packer_put(CeliPacker *packer, const void *data, size_t size);
/// Writes the end.
void celi_packer_finish(CeliPacker *packer);
/// Takes NULL.
void celi_packer_destroy(CeliPacker *packer);

#endif
