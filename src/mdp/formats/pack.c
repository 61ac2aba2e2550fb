/// gzip and xz.
#include "mdp/formats/pack.h"
#include <stdlib.h>
#include <string.h>
#ifdef CELSIUS_WITH_ZLIB
#include <zlib.h>
#endif
#ifdef CELSIUS_WITH_LZMA
#include <lzma.h>
#endif

enum { CHUNK = 1 << 18 };

CeliPacking celi_packing_of(const uint8_t *data, size_t size) {
  if (size >= 3 && memcmp(data, "\x1f\x8b\x08", 3) == 0) return CELI_GZIP;
  if (size >= 6 && memcmp(data,
                          "\xfd"
                          "7zXZ\0",
                          6) == 0)
    return CELI_XZ;
  return CELI_PLAIN;
}

CelStatus celi_packing_check(CeliPacking packing) {
#ifndef CELSIUS_WITH_ZLIB
  if (packing == CELI_GZIP)
    return cel_fail(CEL_E_UNSUPPORTED, "this build has no zlib, which gzip needs; use plain files, "
                                       "or install zlib and build again");
#endif
#ifndef CELSIUS_WITH_LZMA
  if (packing == CELI_XZ)
    return cel_fail(CEL_E_UNSUPPORTED, "this build has no liblzma, which xz needs; use plain "
                                       "files, or install liblzma and build again");
#endif
  (void)packing;
  return CEL_OK;
}

// ---- decompression

/// Decompressed data so far.
typedef struct Unpacked {
  const char *file;
  uint8_t *data;
  int64_t size, capacity, limit;
} Unpacked;

/// Makes room for CHUNK more bytes.
static CelStatus grow(Unpacked *to) {
  char limit[CELI_NUMBER_MAX];
  if (to->size > to->limit) {
    return cel_fail(CEL_E_CORRUPT,
                    "%s: the compressed file holds more than %s; a file of its size may not, "
                    "because it could fill the memory. Decompress it first if you trust it",
                    to->file, celi_bytes_text(limit, (size_t)to->limit));
  }
  return celi_grow(&to->data, &to->capacity, to->size + CHUNK, 1, "decompressed data");
}

static CelStatus fail_damaged(const char *file, const char *what, bool short_) {
  return cel_fail(CEL_E_CORRUPT, "%s: the %s data are %s; copy the file again", file, what,
                  short_ ? "cut short" : "damaged");
}

#ifdef CELSIUS_WITH_ZLIB
static CelStatus unpack_gzip(Unpacked *to, const uint8_t *data, size_t size) {
  z_stream stream = {.next_in = (Bytef *)data};
  const uint8_t *end = data + size;
  int result = inflateInit2(&stream, 15 + 16);
  if (result != Z_OK) return cel_fail(CEL_E_MEMORY, "not enough memory for zlib");
  CelStatus status = CEL_OK;
  while (status == CEL_OK) {
    status = grow(to);
    if (status != CEL_OK) break;
    const size_t left = (size_t)(end - stream.next_in);
    stream.avail_in = left < (1u << 30) ? (uInt)left : 1u << 30;
    stream.next_out = to->data + to->size;
    stream.avail_out = CHUNK;
    result = inflate(&stream, Z_NO_FLUSH);
    const int64_t made = CHUNK - (int64_t)stream.avail_out;
    to->size += made;
    if (result == Z_STREAM_END) {
      if (end - stream.next_in < 3 || memcmp(stream.next_in, "\x1f\x8b\x08", 3) != 0) break;
      if (inflateReset(&stream) != Z_OK) status = fail_damaged(to->file, "gzip", false);
    } else if (result == Z_BUF_ERROR || (result == Z_OK && made == 0 && stream.next_in == end)) {
      status = fail_damaged(to->file, "gzip", true);
    } else if (result != Z_OK) {
      status = fail_damaged(to->file, "gzip", false);
    }
  }
  inflateEnd(&stream);
  return status;
}
#endif

#ifdef CELSIUS_WITH_LZMA
static CelStatus unpack_xz(Unpacked *to, const uint8_t *data, size_t size) {
  static const uint64_t memory = UINT64_C(256) << 20; // dictionary; xz -9 needs 65 MiB
  lzma_stream stream = LZMA_STREAM_INIT;
  if (lzma_stream_decoder(&stream, memory, LZMA_CONCATENATED) != LZMA_OK)
    return cel_fail(CEL_E_MEMORY, "not enough memory for liblzma");
  stream.next_in = data;
  stream.avail_in = size;
  CelStatus status = CEL_OK;
  lzma_ret result = LZMA_OK;
  while (status == CEL_OK && result != LZMA_STREAM_END) {
    status = grow(to);
    if (status != CEL_OK) break;
    stream.next_out = to->data + to->size;
    stream.avail_out = CHUNK;
    result = lzma_code(&stream, LZMA_FINISH);
    to->size += CHUNK - (int64_t)stream.avail_out;
    if (result == LZMA_BUF_ERROR) {
      status = fail_damaged(to->file, "xz", true);
    } else if (result == LZMA_MEMLIMIT_ERROR) {
      status = cel_fail(CEL_E_UNSUPPORTED,
                        "%s: the xz data need more than 256 MiB of memory to decompress; compress "
                        "them with xz -9 at most",
                        to->file);
    } else if (result != LZMA_OK && result != LZMA_STREAM_END) {
      status = fail_damaged(to->file, "xz", false);
    }
  }
  lzma_end(&stream);
  return status;
}
#endif

CelStatus celi_unpack(const char *file, const uint8_t *data, size_t size, uint8_t **out,
                      size_t *n) {
  const CeliPacking packing = celi_packing_of(data, size);
  Unpacked to = {.file = file, .limit = INT64_MAX / 4};
  CELI_TRY(cel_fail_in(celi_packing_check(packing), "%s: ", file));
  if (size < (size_t)INT64_MAX / 8000) to.limit = ((int64_t)64 << 20) + 2000 * (int64_t)size;
  CelStatus status = CEL_E_UNSUPPORTED;
#ifdef CELSIUS_WITH_ZLIB
  if (packing == CELI_GZIP) status = unpack_gzip(&to, data, size);
#endif
#ifdef CELSIUS_WITH_LZMA
  if (packing == CELI_XZ) status = unpack_xz(&to, data, size);
#endif
  if (status != CEL_OK) {
    free(to.data);
    return status;
  }
  *out = to.data;
  *n = (size_t)to.size;
  return CEL_OK;
}

// ---- compression

struct CeliPacker {
  CeliPacking packing;
  CeliOut *out;
  uint8_t *buffer; ///< (CHUNK)
#ifdef CELSIUS_WITH_ZLIB
  z_stream gzip;
#endif
#ifdef CELSIUS_WITH_LZMA
  lzma_stream xz;
#endif
};

static CelStatus begin(CeliPacker *packer) {
#ifdef CELSIUS_WITH_ZLIB
  if (packer->packing == CELI_GZIP && deflateInit2(&packer->gzip, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
                                                   15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    return cel_fail(CEL_E_MEMORY, "not enough memory for zlib");
#endif
#ifdef CELSIUS_WITH_LZMA
  if (packer->packing == CELI_XZ &&
      lzma_easy_encoder(&packer->xz, LZMA_PRESET_DEFAULT, LZMA_CHECK_CRC64) != LZMA_OK)
    return cel_fail(CEL_E_MEMORY, "not enough memory for liblzma");
#endif
  return CEL_OK;
}

CelStatus celi_packer_create(CeliPacker **packer, CeliPacking packing, CeliOut *out) {
  CELI_TRY(celi_packing_check(packing));
  CELI_TRY(celi_calloc(packer, 1, sizeof **packer, "a compressor"));
  (*packer)->packing = packing;
  (*packer)->out = out;
  CelStatus status = celi_alloc(&(*packer)->buffer, CHUNK, 1, "a compressor");
  if (status == CEL_OK) status = begin(*packer);
  if (status == CEL_OK) return CEL_OK;
  celi_packer_destroy(*packer);
  *packer = NULL;
  return status;
}

/// Compresses `size` bytes, and the end if `end` is set.
static void run(CeliPacker *packer, const void *data, size_t size, bool end) {
  const char *text = (const char *)packer->buffer;
  bool more = true;
  (void)data, (void)size, (void)end, (void)text;
#ifdef CELSIUS_WITH_ZLIB
  packer->gzip.next_in = (Bytef *)data;
  packer->gzip.avail_in = (uInt)size;
  while (more && packer->packing == CELI_GZIP && packer->out->status == CEL_OK) {
    packer->gzip.next_out = packer->buffer;
    packer->gzip.avail_out = CHUNK;
    const int result = deflate(&packer->gzip, end ? Z_FINISH : Z_NO_FLUSH);
    celi_out_bytes(packer->out, text, CHUNK - packer->gzip.avail_out);
    more = end ? result != Z_STREAM_END : packer->gzip.avail_in > 0;
  }
#endif
#ifdef CELSIUS_WITH_LZMA
  packer->xz.next_in = data;
  packer->xz.avail_in = size;
  while (more && packer->packing == CELI_XZ && packer->out->status == CEL_OK) {
    packer->xz.next_out = packer->buffer;
    packer->xz.avail_out = CHUNK;
    const lzma_ret result = lzma_code(&packer->xz, end ? LZMA_FINISH : LZMA_RUN);
    celi_out_bytes(packer->out, text, CHUNK - packer->xz.avail_out);
    more = end ? result != LZMA_STREAM_END : packer->xz.avail_in > 0;
    if (result != LZMA_OK && result != LZMA_STREAM_END)
      packer->out->status = cel_fail(CEL_E_MEMORY, "not enough memory for liblzma");
  }
#endif
}

void celi_packer_put(CeliPacker *packer, const void *data, size_t size) {
  const uint8_t *at = data;
  if (packer->packing == CELI_PLAIN) {
    celi_out_bytes(packer->out, data, size);
    return;
  }
  while (size > 0) { // zlib counts in 32 bits
    const size_t n = size < CHUNK ? size : CHUNK;
    run(packer, at, n, false);
    at += n;
    size -= n;
  }
}

void celi_packer_finish(CeliPacker *packer) {
  if (packer->packing != CELI_PLAIN) run(packer, NULL, 0, true);
}

void celi_packer_destroy(CeliPacker *packer) {
  if (!packer) return;
#ifdef CELSIUS_WITH_ZLIB
  if (packer->packing == CELI_GZIP) deflateEnd(&packer->gzip);
#endif
#ifdef CELSIUS_WITH_LZMA
  if (packer->packing == CELI_XZ) lzma_end(&packer->xz);
#endif
  free(packer->buffer);
  free(packer);
}
