/// Writing safetensors files.
///
/// A file has a length N (8 bytes, little-endian), a JSON header of N bytes, and the data.
/// The header looks like this, without line breaks:
///   {"__metadata__":{"key":"value",..},
///    "name":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},..}
/// Offsets count from the start of the data and leave no gaps. Tensors with elements of 8 bytes
/// come first, then those of 4 bytes, then bytes, each in the caller's order. Blanks after the
/// header align the data to 64 bytes. All tensors are therefore aligned in a mapped file.
#include "base/arguments.h"
#include "base/base.h"
#include "base/safetensors.h"
#include <inttypes.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "safetensors files are little-endian, and so must the machine be");

void celi_st_hex(char out[CELI_ST_HEX + 1], XXH128_hash_t hash) {
  static const char digits[] = "0123456789abcdef";
  for (int i = 0; i < 16; i++) {
    out[i] = digits[hash.high64 >> (60 - 4 * i) & 15];
    out[16 + i] = digits[hash.low64 >> (60 - 4 * i) & 15];
  }
  out[CELI_ST_HEX] = 0;
}

XXH128_hash_t celi_st_header_digest(const char *header, size_t size, size_t at) {
  static const char zeros[CELI_ST_HEX + 1] = "00000000000000000000000000000000";
  alignas(64) XXH3_state_t state;
  XXH3_INITSTATE(&state);
  XXH3_128bits_reset(&state);
  XXH3_128bits_update(&state, header, at);
  XXH3_128bits_update(&state, zeros, CELI_ST_HEX);
  XXH3_128bits_update(&state, header + at + CELI_ST_HEX, size - at - CELI_ST_HEX);
  return XXH3_128bits_digest(&state);
}

static size_t tensor_bytes(const CelTensor *tensor) {
  return (size_t)tensor->size * cel_type_size(tensor->type);
}

// ---- Checks

static CelStatus check_meta(const CelMeta *meta, int n_meta) {
  for (int i = 0; i < n_meta; i++) {
    const char *key = meta[i].key, *value = meta[i].value;
    if (!celi_text_plain(key) || *key == 0)
      return cel_fail(CEL_E_ARGUMENT,
                      "metadata key \"%s\" is not UTF-8 or contains control characters", key);
    if (strcmp(key, CELI_ST_DIGEST) == 0 || strcmp(key, CELI_ST_HEADER_DIGEST) == 0)
      return cel_fail(CEL_E_ARGUMENT, "metadata key \"%s\" is reserved; choose another one", key);
    if (!celi_utf8_valid(value, strlen(value)))
      return cel_fail(CEL_E_ARGUMENT, "the value of metadata \"%s\" is not UTF-8", key);
    for (int j = 0; j < i; j++)
      if (strcmp(meta[j].key, key) == 0)
        return cel_fail(CEL_E_ARGUMENT, "metadata key \"%s\" is given twice", key);
  }
  return CEL_OK;
}

static int by_name(const void *a, const void *b) {
  return strcmp((*(const CelTensor *const *)a)->name, (*(const CelTensor *const *)b)->name);
}

// A caller's list may have shapes that cel_tensors_declare rejects.
static bool shape_fits(const CelTensor *tensor) {
  if (tensor->ndim < 0 || tensor->ndim > CEL_DIMS_MAX) return false;
  int64_t size = 1, bytes;
  for (int i = 0; i < tensor->ndim; i++)
    if (tensor->shape[i] < 0 || __builtin_mul_overflow(size, tensor->shape[i], &size)) return false;
  return size == tensor->size &&
         !__builtin_mul_overflow(size, (int64_t)cel_type_size(tensor->type), &bytes);
}

static CelStatus check_tensors(const CelTensor *const *list, size_t n) {
  const CelTensor **sorted;
  for (size_t i = 0; i < n; i++) {
    const char *name = list[i]->name;
    if (memchr(name, 0, CEL_NAME_MAX) == NULL || !celi_text_plain(name) || *name == 0 ||
        strcmp(name, CELI_ST_METADATA) == 0)
      return cel_fail(CEL_E_NAME,
                      "tensor %zu: files cannot hold the name \"%.*s\"; it is empty, too long, "
                      "reserved, not UTF-8, or has control characters",
                      i, CEL_NAME_MAX, name);
    if (!shape_fits(list[i]))
      return cel_fail(CEL_E_SHAPE, "tensor \"%s\": the product of its shape differs from its size",
                      name);
    if (list[i]->data == NULL && list[i]->size > 0)
      return cel_fail(CEL_E_STATE, "tensor \"%s\" has no data; allocate it first", name);
  }
  CELI_TRY(celi_alloc(&sorted, n, sizeof *sorted, "the names of the tensors"));
  memcpy(sorted, list, n * sizeof *sorted);
  qsort(sorted, n, sizeof *sorted, by_name);
  CelStatus status = CEL_OK;
  for (size_t i = 1; i < n && status == CEL_OK; i++)
    if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
      status = cel_fail(CEL_E_NAME, "two tensors have the name \"%s\"", sorted[i]->name);
  free(sorted);
  return status;
}

// ---- Header

static void digest_data(char out[CELI_ST_HEX + 1], const CelTensor **list, size_t n) {
  alignas(64) XXH3_state_t state;
  XXH3_INITSTATE(&state);
  XXH3_128bits_reset(&state);
  for (size_t i = 0; i < n; i++) XXH3_128bits_update(&state, list[i]->data, tensor_bytes(list[i]));
  celi_st_hex(out, XXH3_128bits_digest(&state));
}

static void add_tensor(CeliText *text, const CelTensor *tensor, size_t *offset) {
  celi_text_add(text, ",", 1);
  celi_text_json(text, tensor->name);
  celi_text_format(text, ":{\"dtype\":\"%s\",\"shape\":[", cel_type_name(tensor->type));
  for (int i = 0; i < tensor->ndim; i++)
    celi_text_format(text, "%s%" PRId64, i > 0 ? "," : "", tensor->shape[i]);
  size_t end = *offset + tensor_bytes(tensor);
  celi_text_format(text, "],\"data_offsets\":[%zu,%zu]}", *offset, end);
  *offset = end;
}

// Writes the header with both digests, without the 8 bytes of its length.
static CelStatus make_header(CeliText *text, const CelTensor **list, size_t n, const CelMeta *meta,
                             int n_meta, const char *digest) {
  char hex[CELI_ST_HEX + 1] = "00000000000000000000000000000000";
  uint64_t length = 0;
  celi_text_add(text, (const char *)&length, sizeof length);
  celi_text_format(text, "{\"" CELI_ST_METADATA "\":{\"" CELI_ST_DIGEST "\":\"%s\",", digest);
  celi_text_format(text, CELI_ST_HEADER_MARK);
  size_t at = text->size; // where the header's digest will be
  celi_text_format(text, "%s\"", hex);
  for (int i = 0; i < n_meta; i++) {
    celi_text_add(text, ",", 1);
    celi_text_json(text, meta[i].key);
    celi_text_add(text, ":", 1);
    celi_text_json(text, meta[i].value);
  }
  celi_text_add(text, "}", 1);
  size_t offset = 0;
  for (size_t i = 0; i < n; i++) add_tensor(text, list[i], &offset);
  celi_text_add(text, "}", 1);
  while (text->size % CELI_ST_ALIGNMENT != 0 && !text->failed) celi_text_add(text, " ", 1);
  CELI_TRY(celi_text_status(text));
  length = text->size - sizeof length;
  if (length > CELI_ST_HEADER_MAX)
    return cel_fail(CEL_E_UNSUPPORTED,
                    "%zu tensors and their metadata need a header of %zu bytes; the limit is %zu",
                    n, (size_t)length, CELI_ST_HEADER_MAX);
  memcpy(text->data, &length, sizeof length);
  celi_st_hex(
      hex, celi_st_header_digest(text->data + sizeof length, (size_t)length, at - sizeof length));
  memcpy(text->data + at, hex, CELI_ST_HEX);
  return CEL_OK;
}

// ---- File

static CelStatus write_file(const CeliFolder *folder, const char *path, const CeliText *header,
                            const CelTensor **list, size_t n) {
  CeliWriter writer;
  CELI_TRY(celi_writer_open_in(&writer, folder, path));
  CelStatus status = celi_writer_put(&writer, header->data, header->size);
  for (size_t i = 0; i < n && status == CEL_OK; i++)
    status = celi_writer_put(&writer, list[i]->data, tensor_bytes(list[i]));
  if (status == CEL_OK) return celi_writer_close(&writer);
  celi_writer_abandon(&writer);
  return status;
}

// Writes the tensors in the order of `list`.
static CelStatus write_ordered(const CeliFolder *folder, const char *path, const CelTensor **list,
                               size_t n, const CelMeta *meta, int n_meta) {
  CELI_TRY(check_tensors(list, n));
  CELI_TRY(check_meta(meta, n_meta));
  char digest[CELI_ST_HEX + 1];
  digest_data(digest, list, n);
  CeliText header = {0};
  CelStatus status = make_header(&header, list, n, meta, n_meta, digest);
  if (status == CEL_OK) status = write_file(folder, path, &header, list, n);
  celi_text_free(&header);
  return status;
}

// Sorts the tensors by falling size of elements, keeps the order of equal ones, and writes them.
// all: room for 2 n.
static CelStatus write_list(const CeliFolder *folder, const char *path, const CelTensor **all,
                            size_t n, const CelMeta *meta, int n_meta) {
  const CelTensor **ordered = all + n;
  size_t filled = 0;
  for (size_t size = 8; size > 0; size /= 2)
    for (size_t i = 0; i < n; i++)
      if (cel_type_size(all[i]->type) == size) ordered[filled++] = all[i];
  if (filled != n) return cel_fail(CEL_E_TYPE, "%s: a tensor has a type that does not exist", path);
  return write_ordered(folder, path, ordered, n, meta, n_meta);
}

CelStatus celi_safetensors_write_in(const CeliFolder *folder, const char *path,
                                    const CelTensor *list, int64_t n, const CelMeta *meta,
                                    int n_meta) {
  if (n < 0 || n_meta < 0) return cel_fail(CEL_E_ARGUMENT, "%s: a count is negative", path);
  const CelTensor **all;
  CELI_TRY(celi_alloc(&all, (size_t)n, 2 * sizeof *all, "the tensors to write"));
  for (int64_t i = 0; i < n; i++) all[i] = &list[i];
  CelStatus status = write_list(folder, path, all, (size_t)n, meta, n_meta);
  free(all);
  return status;
}

CelStatus cel_safetensors_write_list(const char *path, const CelTensor *list, int64_t n,
                                     const CelMeta *meta, int n_meta) {
  CELI_NEED(path);
  if (n > 0) CELI_NEED(list);
  if (n_meta > 0) CELI_NEED(meta);
  CELI_FLOATS(CELI_IEEE);
  return celi_safetensors_write_in(NULL, path, list, n, meta, n_meta);
}

CelStatus cel_safetensors_write(const char *path, const CelTensors *tensors, unsigned roles,
                                const CelMeta *meta, int n_meta) {
  CELI_NEED(path);
  CELI_NEED(tensors);
  if (n_meta > 0) CELI_NEED(meta);
  CELI_FLOATS(CELI_IEEE);
  const CelTensor **all;
  size_t count = (size_t)cel_tensors_count(tensors), n = 0;
  if (n_meta < 0) return cel_fail(CEL_E_ARGUMENT, "%s: a count is negative", path);
  CELI_TRY(celi_alloc(&all, count, 2 * sizeof *all, "the tensors to write"));
  for (size_t i = 0; i < count; i++) {
    const CelTensor *tensor = cel_tensors_at(tensors, (int64_t)i);
    if (roles >> tensor->role & 1u) all[n++] = tensor;
  }
  CelStatus status = write_list(NULL, path, all, n, meta, n_meta);
  free(all);
  return status;
}
