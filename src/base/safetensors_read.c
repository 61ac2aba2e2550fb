/// Reading safetensors files from untrusted sources.
///
/// The header's grammar is small and fixed, so this file has its own parser. It does not recurse,
/// and it needs no more memory than the header's bytes and one row per tensor. It reads 64-bit
/// offsets exactly. It rejects input that JSON libraries accept: repeated keys, zero characters,
/// numbers with a point. Checks come in this order: lengths, the header's digest, its grammar, the
/// offsets, the data's digest.
#include "base/arguments.h"
#include "base/base.h"
#include "base/safetensors.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct CelSafetensors {
  char *name;                // the file's name, for messages
  void *mapping;             // NULL if the caller owns the bytes
  size_t mapped;             // bytes
  CelTensor *list;           // (n,) in the order of the data
  const CelTensor **by_name; // (n,) sorted
  uint64_t *begins;          // (n,) offsets, in the order of the header
  int64_t n, capacity;
  CelMeta *meta; // (n_meta,)
  int64_t n_meta, meta_capacity;
  char *strings; // all names, keys and values, decoded, with terminating zeros
  size_t n_strings;
  unsigned char *copies; // data of tensors that are not aligned for their type
};

// ---- The header's grammar

// The header and the parser's position in it.
typedef struct Cursor {
  const char *begin, *at, *end;
} Cursor;

static CelStatus fail_at(const Cursor *cursor, const char *reason) {
  return cel_fail(CEL_E_FORMAT, "header byte %zu: %s", (size_t)(cursor->at - cursor->begin),
                  reason);
}

// Skips blanks. Returns the next character, or 0 at the end.
static char peek(Cursor *cursor) {
  while (cursor->at < cursor->end &&
         (*cursor->at == ' ' || *cursor->at == '\n' || *cursor->at == '\r' || *cursor->at == '\t'))
    cursor->at++;
  return cursor->at < cursor->end ? *cursor->at : 0;
}

static CelStatus expect(Cursor *cursor, char c) {
  if (peek(cursor) != c) {
    char reason[] = "expected 'c'";
    reason[10] = c;
    return fail_at(cursor, reason);
  }
  cursor->at++;
  return CEL_OK;
}

// Reads the character after an element. *more: it is a comma, else it is `close`.
static CelStatus another(Cursor *cursor, char close, bool *more) {
  *more = peek(cursor) == ',';
  if (!*more) return expect(cursor, close);
  cursor->at++;
  return CEL_OK;
}

// Reads the start of a list. *more is false if the list is empty; then `close` is read too.
static CelStatus open_list(Cursor *cursor, char open, char close, bool *more) {
  CELI_TRY(expect(cursor, open));
  *more = peek(cursor) != close;
  if (!*more) cursor->at++;
  return CEL_OK;
}

static CelStatus read_number(Cursor *cursor, uint64_t *out) {
  char c = peek(cursor);
  if (c < '0' || c > '9') return fail_at(cursor, "expected a whole number that is not negative");
  bool zero = c == '0';
  const char *first = cursor->at;
  uint64_t value = 0;
  for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++)
    if (__builtin_mul_overflow(value, 10, &value) ||
        __builtin_add_overflow(value, (uint64_t)(*cursor->at - '0'), &value) || value > INT64_MAX)
      return fail_at(cursor, "the number is too large");
  if (zero && cursor->at - first > 1) return fail_at(cursor, "the number has a leading zero");
  *out = value;
  return CEL_OK;
}

// Reads the 4 hexadecimal digits after "\u".
static CelStatus read_hex(Cursor *cursor, uint32_t *out) {
  *out = 0;
  for (int i = 0; i < 4; i++, cursor->at++) {
    char c = cursor->at < cursor->end ? *cursor->at : 0;
    uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                     : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                            : 16u;
    if (digit == 16) return fail_at(cursor, "expected 4 hexadecimal digits");
    *out = *out << 4 | digit;
  }
  return CEL_OK;
}

static char *put_utf8(char *out, uint32_t point) {
  if (point < 0x80) {
    *out++ = (char)point;
    return out;
  }
  int more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
  static const unsigned char heads[] = {0, 0xc0, 0xe0, 0xf0};
  *out++ = (char)(heads[more] | point >> (6 * more));
  for (int i = more - 1; i >= 0; i--) *out++ = (char)(0x80 | (point >> (6 * i) & 0x3f));
  return out;
}

// Reads a "\u" escape, or two that form a surrogate pair.
static CelStatus read_point(Cursor *cursor, char **out) {
  uint32_t point, low;
  CELI_TRY(read_hex(cursor, &point));
  if (point >= 0xd800 && point <= 0xdbff) {
    if (cursor->end - cursor->at < 2 || cursor->at[0] != '\\' || cursor->at[1] != 'u')
      return fail_at(cursor, "the surrogate pair is incomplete");
    cursor->at += 2;
    CELI_TRY(read_hex(cursor, &low));
    if (low < 0xdc00 || low > 0xdfff) return fail_at(cursor, "the surrogate pair is incomplete");
    point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
  } else if (point >= 0xdc00 && point <= 0xdfff) {
    return fail_at(cursor, "the surrogate pair is incomplete");
  }
  if (point == 0) return fail_at(cursor, "the string contains a zero character");
  *out = put_utf8(*out, point); // at most 4 bytes for at least 6 read
  return CEL_OK;
}

static CelStatus read_escape(Cursor *cursor, char **out) {
  static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
  char c = cursor->at < cursor->end ? *cursor->at++ : 0;
  if (c == 'u') return read_point(cursor, out);
  const char *letter = c == 0 ? NULL : strchr(letters, c);
  if (letter == NULL) return fail_at(cursor, "the escape sequence does not exist in JSON");
  *(*out)++ = meanings[letter - letters];
  return CEL_OK;
}

// Reads a string and decodes it into `file->strings`. Decoded text is never longer than the raw
// text.
static CelStatus read_string(Cursor *cursor, CelSafetensors *file, const char **out) {
  CELI_TRY(expect(cursor, '"'));
  char *begin = file->strings + file->n_strings, *to = begin;
  for (;;) {
    if (cursor->at == cursor->end) return fail_at(cursor, "the string has no end");
    char c = *cursor->at++;
    if (c == '"') break;
    if ((unsigned char)c < 0x20) return fail_at(cursor, "the string contains a control character");
    if (c == '\\')
      CELI_TRY(read_escape(cursor, &to));
    else
      *to++ = c;
  }
  *to++ = 0;
  file->n_strings += (size_t)(to - begin);
  *out = begin;
  return CEL_OK;
}

// ---- Tensors and metadata of the header

static CelStatus read_metadata(Cursor *cursor, CelSafetensors *file) {
  bool more;
  CELI_TRY(open_list(cursor, '{', '}', &more));
  while (more) {
    CelMeta meta;
    CELI_TRY(read_string(cursor, file, &meta.key));
    CELI_TRY(expect(cursor, ':'));
    CELI_TRY(read_string(cursor, file, &meta.value));
    if (file->n_meta == file->meta_capacity) {
      file->meta_capacity = file->meta_capacity == 0 ? 32 : file->meta_capacity * 2;
      CELI_TRY(
          celi_resize(&file->meta, (size_t)file->meta_capacity, sizeof *file->meta, "metadata"));
    }
    file->meta[file->n_meta++] = meta;
    CELI_TRY(another(cursor, '}', &more));
  }
  return CEL_OK;
}

static CelStatus set_type(CelTensor *tensor, const char *type) {
  static const char *const others[] = {"BOOL", "F8_E5M2", "F8_E4M3", "I8", "I16",
                                       "U16",  "F16",     "BF16",    "C64"};
  for (int t = CEL_F32; t <= CEL_U64; t++)
    if (strcmp(type, cel_type_name((CelType)t)) == 0) {
      tensor->type = (CelType)t;
      return CEL_OK;
    }
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (strcmp(type, others[i]) == 0)
      return cel_fail(CEL_E_UNSUPPORTED,
                      "tensor \"%s\" has type %s, which is not supported; use F32, F64, I32, I64, "
                      "U8, U32 or U64",
                      tensor->name, type);
  return cel_fail(CEL_E_FORMAT, "tensor \"%s\" has type \"%s\", which does not exist", tensor->name,
                  type);
}

static CelStatus read_shape(Cursor *cursor, CelTensor *tensor) {
  bool more;
  tensor->ndim = 0;
  CELI_TRY(open_list(cursor, '[', ']', &more));
  while (more) {
    uint64_t length = 0;
    CELI_TRY(read_number(cursor, &length));
    if (tensor->ndim == CEL_DIMS_MAX)
      return cel_fail(CEL_E_UNSUPPORTED, "tensor \"%s\" has more than %d dimensions, the limit",
                      tensor->name, CEL_DIMS_MAX);
    tensor->shape[tensor->ndim++] = (int64_t)length;
    CELI_TRY(another(cursor, ']', &more));
  }
  return CEL_OK;
}

static CelStatus read_offsets(Cursor *cursor, uint64_t offsets[2]) {
  CELI_TRY(expect(cursor, '['));
  CELI_TRY(read_number(cursor, &offsets[0]));
  CELI_TRY(expect(cursor, ','));
  CELI_TRY(read_number(cursor, &offsets[1]));
  return expect(cursor, ']');
}

// Reads {"dtype":..,"shape":..,"data_offsets":..} in any order.
static CelStatus read_fields(Cursor *cursor, CelSafetensors *file, CelTensor *tensor,
                             uint64_t offsets[2]) {
  static const char *const keys[] = {"dtype", "shape", "data_offsets"};
  bool seen[3] = {false}, more;
  CELI_TRY(open_list(cursor, '{', '}', &more));
  while (more) {
    const char *key = "", *type = "";
    CELI_TRY(read_string(cursor, file, &key));
    CELI_TRY(expect(cursor, ':'));
    int k = 0;
    while (k < 3 && strcmp(key, keys[k]) != 0) k++;
    if (k == 3) return fail_at(cursor, "the key must be dtype, shape or data_offsets");
    if (seen[k]) return fail_at(cursor, "the key appears twice");
    seen[k] = true;
    if (k == 0) {
      CELI_TRY(read_string(cursor, file, &type));
      CELI_TRY(set_type(tensor, type));
    } else {
      CELI_TRY(k == 1 ? read_shape(cursor, tensor) : read_offsets(cursor, offsets));
    }
    CELI_TRY(another(cursor, '}', &more));
  }
  if (!(seen[0] && seen[1] && seen[2]))
    return cel_fail(CEL_E_FORMAT, "tensor \"%s\" must have dtype, shape and data_offsets",
                    tensor->name);
  return CEL_OK;
}

// Computes the size and checks that it matches the offsets.
static CelStatus check_size(CelTensor *tensor, const uint64_t offsets[2]) {
  uint64_t size = 1, bytes;
  bool overflow = false, empty = false;
  for (int i = 0; i < tensor->ndim; i++) {
    empty |= tensor->shape[i] == 0;
    overflow |= __builtin_mul_overflow(size, (uint64_t)tensor->shape[i], &size);
  }
  if (empty) {
    size = 0;
    overflow = false;
  }
  overflow |= __builtin_mul_overflow(size, (uint64_t)cel_type_size(tensor->type), &bytes);
  if (overflow || bytes > INT64_MAX)
    return cel_fail(CEL_E_FORMAT, "tensor \"%s\": the size of its shape overflows", tensor->name);
  if (offsets[1] < offsets[0] || offsets[1] - offsets[0] != bytes)
    return cel_fail(CEL_E_FORMAT,
                    "tensor \"%s\": its shape needs %" PRIu64 " bytes, but its offsets are %" PRIu64
                    " and %" PRIu64,
                    tensor->name, bytes, offsets[0], offsets[1]);
  tensor->size = (int64_t)size;
  return CEL_OK;
}

static CelStatus read_tensor(Cursor *cursor, CelSafetensors *file, const char *name) {
  CelTensor tensor = {.role = CEL_MODEL};
  uint64_t offsets[2] = {0, 0};
  if (*name == 0 || !celi_text_plain(name))
    return fail_at(cursor, "the tensor's name is empty or contains control characters");
  if (strlen(name) >= CEL_NAME_MAX)
    return cel_fail(CEL_E_UNSUPPORTED, "tensor \"%s\": its name is longer than %d bytes, the limit",
                    name, CEL_NAME_MAX - 1);
  memcpy(tensor.name, name, strlen(name) + 1);
  CELI_TRY(read_fields(cursor, file, &tensor, offsets));
  CELI_TRY(check_size(&tensor, offsets));
  if (file->n == file->capacity) {
    file->capacity = file->capacity == 0 ? 32 : file->capacity * 2;
    CELI_TRY(celi_resize(&file->list, (size_t)file->capacity, sizeof *file->list, "tensors"));
    CELI_TRY(celi_resize(&file->begins, (size_t)file->capacity, sizeof *file->begins, "tensors"));
  }
  file->begins[file->n] = offsets[0];
  file->list[file->n++] = tensor;
  return CEL_OK;
}

static CelStatus read_header(CelSafetensors *file, const char *header, size_t size) {
  Cursor cursor = {header, header, header + size};
  if (!celi_utf8_valid(header, size)) return fail_at(&cursor, "the header is not UTF-8");
  if (size == 0 || *header != '{') return fail_at(&cursor, "expected '{'");
  CELI_TRY(celi_alloc(&file->strings, size, 1, "the header's strings"));
  bool more, metadata = false;
  CELI_TRY(open_list(&cursor, '{', '}', &more));
  while (more) {
    const char *key = "";
    CELI_TRY(read_string(&cursor, file, &key));
    CELI_TRY(expect(&cursor, ':'));
    if (strcmp(key, CELI_ST_METADATA) == 0) {
      if (metadata) return fail_at(&cursor, "__metadata__ appears twice");
      metadata = true;
      CELI_TRY(read_metadata(&cursor, file));
    } else {
      CELI_TRY(read_tensor(&cursor, file, key));
    }
    CELI_TRY(another(&cursor, '}', &more));
  }
  peek(&cursor);
  if (cursor.at != cursor.end)
    return fail_at(&cursor, "there is data after the end of the header's object");
  return CEL_OK;
}

// ---- Checking the header against the data

// A tensor, its offset and its index in the header, for sorting.
typedef struct Row {
  CelTensor tensor;
  uint64_t begin;
  int64_t bytes;
} Row;

static int by_offset(const void *a, const void *b) {
  const Row *x = a, *y = b;
  if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
  if (x->bytes != y->bytes) return x->bytes < y->bytes ? -1 : 1;
  return strcmp(x->tensor.name, y->tensor.name);
}

// Checks that the sorted rows have no gaps and overlaps and end with the data.
static CelStatus check_rows(const Row *rows, int64_t n, size_t data_size) {
  uint64_t end = 0;
  for (int64_t i = 0; i < n; i++) {
    if (rows[i].begin != end)
      return cel_fail(CEL_E_FORMAT, "tensor \"%s\" begins at data byte %" PRIu64 "; it %s %" PRIu64,
                      rows[i].tensor.name, rows[i].begin,
                      rows[i].begin < end ? "overlaps the previous tensor, which ends at"
                                          : "leaves a gap after the previous tensor, which ends at",
                      end);
    if (__builtin_add_overflow(end, (uint64_t)rows[i].bytes, &end))
      return cel_fail(CEL_E_FORMAT, "tensor \"%s\": its offsets overflow", rows[i].tensor.name);
  }
  if (end > data_size)
    return cel_fail(CEL_E_CORRUPT, "the file is truncated: it has %zu of %" PRIu64 " bytes of data",
                    data_size, end);
  if (end < data_size)
    return cel_fail(CEL_E_CORRUPT, "the file must have %" PRIu64 " bytes of data, but it has %zu",
                    end, data_size);
  return CEL_OK;
}

static CelStatus sort_and_check(CelSafetensors *file, size_t data_size) {
  Row *rows;
  CELI_TRY(celi_alloc(&rows, (size_t)file->n, sizeof *rows, "tensors"));
  for (int64_t i = 0; i < file->n; i++) {
    const CelTensor *tensor = &file->list[i];
    rows[i] = (Row){*tensor, file->begins[i], tensor->size * (int64_t)cel_type_size(tensor->type)};
  }
  qsort(rows, (size_t)file->n, sizeof *rows, by_offset);
  CelStatus status = check_rows(rows, file->n, data_size);
  for (int64_t i = 0; i < file->n; i++) {
    file->list[i] = rows[i].tensor;
    file->begins[i] = rows[i].begin;
  }
  free(rows);
  return status;
}

static int by_name(const void *a, const void *b) {
  return strcmp((*(const CelTensor *const *)a)->name, (*(const CelTensor *const *)b)->name);
}

static int by_key(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static CelStatus check_names(CelSafetensors *file) {
  CELI_TRY(celi_alloc(&file->by_name, (size_t)file->n, sizeof *file->by_name, "names"));
  for (int64_t i = 0; i < file->n; i++) file->by_name[i] = &file->list[i];
  qsort(file->by_name, (size_t)file->n, sizeof *file->by_name, by_name);
  for (int64_t i = 1; i < file->n; i++)
    if (strcmp(file->by_name[i - 1]->name, file->by_name[i]->name) == 0)
      return cel_fail(CEL_E_FORMAT, "two tensors have the name \"%s\"", file->by_name[i]->name);
  const char **keys;
  CELI_TRY(celi_alloc(&keys, (size_t)file->n_meta, sizeof *keys, "keys"));
  for (int64_t i = 0; i < file->n_meta; i++) keys[i] = file->meta[i].key;
  qsort(keys, (size_t)file->n_meta, sizeof *keys, by_key);
  CelStatus status = CEL_OK;
  for (int64_t i = 1; i < file->n_meta && status == CEL_OK; i++)
    if (strcmp(keys[i - 1], keys[i]) == 0)
      status = cel_fail(CEL_E_FORMAT, "metadata key \"%s\" appears twice", keys[i]);
  free(keys);
  return status;
}

// Points the tensors to their data, or to an aligned copy if the data is not aligned.
static CelStatus place(CelSafetensors *file, const unsigned char *data) {
  size_t room = 0;
  for (int64_t i = 0; i < file->n; i++) {
    CelTensor *tensor = &file->list[i];
    size_t size = cel_type_size(tensor->type);
    tensor->data = (unsigned char *)data + file->begins[i]; // only read
    if ((uintptr_t)tensor->data % size != 0) room += ((size_t)tensor->size * size + 7) / 8 * 8;
  }
  if (room == 0) return CEL_OK;
  CELI_TRY(celi_alloc(&file->copies, room, 1, "tensors that are not aligned in the file"));
  size_t used = 0;
  for (int64_t i = 0; i < file->n; i++) {
    CelTensor *tensor = &file->list[i];
    size_t size = cel_type_size(tensor->type), bytes = (size_t)tensor->size * size;
    if ((uintptr_t)tensor->data % size == 0) continue;
    memcpy(file->copies + used, tensor->data, bytes);
    tensor->data = file->copies + used;
    used += (bytes + 7) / 8 * 8;
  }
  return CEL_OK;
}

// ---- Digests

static CelStatus check_header_digest(const char *header, size_t size) {
  const char *mark = memmem(header, size, CELI_ST_HEADER_MARK, strlen(CELI_ST_HEADER_MARK));
  if (mark == NULL) return CEL_OK;
  size_t at = (size_t)(mark - header) + strlen(CELI_ST_HEADER_MARK);
  char hex[CELI_ST_HEX + 1];
  if (at + CELI_ST_HEX > size) return cel_fail(CEL_E_CORRUPT, "the header's digest is truncated");
  celi_st_hex(hex, celi_st_header_digest(header, size, at));
  if (memcmp(hex, header + at, CELI_ST_HEX) != 0)
    return cel_fail(CEL_E_CORRUPT, "the header was changed after it was written: its digest is %s",
                    hex);
  return CEL_OK;
}

static CelStatus check_digest(const CelSafetensors *file, const void *data, size_t size) {
  const char *digest = cel_safetensors_meta(file, CELI_ST_DIGEST);
  if (digest == NULL) return CEL_OK;
  char hex[CELI_ST_HEX + 1];
  celi_st_hex(hex, XXH3_128bits(data, size));
  if (strcmp(hex, digest) != 0)
    return cel_fail(
        CEL_E_CORRUPT,
        "the data were changed after they were written: their digest is %s, but the header has %s",
        hex, digest);
  return CEL_OK;
}

// ---- Opening

static CelStatus parse(CelSafetensors *file, const unsigned char *bytes, size_t size) {
  uint64_t length = 0;
  if (bytes == NULL || size < sizeof length)
    return cel_fail(CEL_E_CORRUPT, "the file is truncated: it has %zu byte%s and no header", size,
                    celi_s((int64_t)size));
  memcpy(&length, bytes, sizeof length);
  if (length > CELI_ST_HEADER_MAX)
    return cel_fail(
        CEL_E_FORMAT,
        "this is not a safetensors file: its first 8 bytes give a header length of %" PRIu64
        " bytes, but the limit is %zu",
        length, CELI_ST_HEADER_MAX);
  if (length > size - sizeof length)
    return cel_fail(CEL_E_CORRUPT,
                    "the file is truncated: it has %zu of the header's %" PRIu64 " bytes",
                    size - sizeof length, length);
  const char *header = (const char *)bytes + sizeof length;
  const unsigned char *data = bytes + sizeof length + length;
  size_t data_size = size - sizeof length - (size_t)length;
  CELI_TRY(check_header_digest(header, (size_t)length));
  CELI_TRY(read_header(file, header, (size_t)length));
  CELI_TRY(sort_and_check(file, data_size));
  CELI_TRY(check_names(file));
  CELI_TRY(check_digest(file, data, data_size));
  return place(file, data);
}

// Returns NULL and records a message if there is not enough memory.
static CelSafetensors *create(const char *name) {
  CelSafetensors *file = calloc(1, sizeof *file);
  if (file != NULL) file->name = strdup(name);
  if (file != NULL && file->name != NULL) return file;
  free(file);
  cel_fail(CEL_E_MEMORY, "%s: not enough memory to open the file", name);
  return NULL;
}

CelStatus cel_safetensors_open_bytes(const char *name, const void *bytes, size_t size,
                                     CelSafetensors **out) {
  CELI_NEED(name);
  CELI_NEED(bytes);
  CELI_NEED(out);
  CELI_FLOATS(CELI_IEEE);
  CelSafetensors *file = create(name);
  if (file == NULL) return CEL_E_MEMORY;
  CelStatus status = parse(file, bytes, size);
  if (status == CEL_OK)
    *out = file;
  else
    cel_safetensors_close(file);
  return cel_fail_in(status, "%s: ", name);
}

static CelStatus map_file(CelSafetensors *file) {
  int fd = open(file->name, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return celi_fail_errno(file->name, "cannot be opened", errno);
  struct stat info;
  int error = 0;
  if (fstat(fd, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) {
    close(fd);
    return cel_fail(
        CEL_E_IO,
        "%s: this is a pipe or device, which cannot be mapped; write the data to a file first",
        file->name);
  }
  if (fstat(fd, &info) != 0)
    error = errno;
  else if (S_ISDIR(info.st_mode))
    error = EISDIR;
  else if (info.st_size > 0) {
    file->mapped = (size_t)info.st_size;
    void *mapping = mmap(NULL, file->mapped, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapping == MAP_FAILED)
      error = errno;
    else
      file->mapping = mapping;
  }
  close(fd);
  return error == 0 ? CEL_OK : celi_fail_errno(file->name, "cannot be read", error);
}

CelStatus cel_safetensors_open(const char *path, CelSafetensors **out) {
  CELI_NEED(path);
  CELI_NEED(out);
  CELI_FLOATS(CELI_IEEE);
  CelSafetensors *file = create(path);
  if (file == NULL) return CEL_E_MEMORY;
  CelStatus status = map_file(file);
  if (status == CEL_OK)
    status = cel_fail_in(parse(file, file->mapping, file->mapped), "%s: ", path);
  if (status == CEL_OK)
    *out = file;
  else
    cel_safetensors_close(file);
  return status;
}

void cel_safetensors_close(CelSafetensors *file) {
  if (file == NULL) return;
  if (file->mapping != NULL) munmap(file->mapping, file->mapped);
  free(file->name);
  free(file->list);
  free(file->by_name);
  free(file->begins);
  free(file->meta);
  free(file->strings);
  free(file->copies);
  free(file);
}

// ---- Access

int64_t cel_safetensors_count(const CelSafetensors *file) {
  CELI_NEED_OR(file, 0);
  return file->n;
}

const CelTensor *cel_safetensors_at(const CelSafetensors *file, int64_t i) {
  CELI_NEED_OR(file, NULL);
  return i >= 0 && i < file->n ? &file->list[i] : NULL;
}

const CelTensor *cel_safetensors_find(const CelSafetensors *file, const char *name) {
  CELI_NEED_OR(file, NULL);
  CELI_NEED_OR(name, NULL);
  int64_t low = 0, high = file->n;
  while (low < high) {
    int64_t middle = low + (high - low) / 2;
    int order = strcmp(file->by_name[middle]->name, name);
    if (order == 0) return file->by_name[middle];
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return NULL;
}

const char *cel_safetensors_meta(const CelSafetensors *file, const char *key) {
  CELI_NEED_OR(file, NULL);
  CELI_NEED_OR(key, NULL);
  for (int64_t i = 0; i < file->n_meta; i++)
    if (strcmp(file->meta[i].key, key) == 0) return file->meta[i].value;
  return NULL;
}

CelMeta cel_safetensors_meta_at(const CelSafetensors *file, int64_t i) {
  CELI_NEED_OR(file, (CelMeta){0});
  if (i < 0 || i >= file->n_meta) return (CelMeta){NULL, NULL};
  return file->meta[i];
}

// ---- Loading

// Writes a shape like "(2, 3)". Returns `text`.
static const char *shape_text(char text[128], const CelTensor *tensor) {
  size_t used = (size_t)snprintf(text, 128, "(");
  for (int i = 0; i < tensor->ndim && used < 100; i++)
    used += (size_t)snprintf(text + used, 128 - used, "%s%" PRId64, i > 0 ? ", " : "",
                             tensor->shape[i]);
  snprintf(text + used, 128 - used, ")");
  return text;
}

static CelStatus check_pair(const CelTensor *want, const CelTensor *have) {
  char a[128], b[128];
  if (have == NULL)
    return cel_fail(CEL_E_NAME, "tensor \"%s\" %s is missing", want->name, shape_text(a, want));
  if (have->type != want->type)
    return cel_fail(CEL_E_TYPE, "tensor \"%s\" has type %s; it must have type %s", want->name,
                    cel_type_name(have->type), cel_type_name(want->type));
  if (have->ndim != want->ndim ||
      memcmp(have->shape, want->shape, (size_t)want->ndim * sizeof *want->shape) != 0)
    return cel_fail(CEL_E_SHAPE, "tensor \"%s\" has shape %s; it must have shape %s", want->name,
                    shape_text(a, have), shape_text(b, want));
  if (want->data == NULL && want->size > 0)
    return cel_fail(CEL_E_STATE, "tensor \"%s\" is not allocated yet", want->name);
  return CEL_OK;
}

static CelStatus check_all(const CelSafetensors *file, const CelTensors *tensors, unsigned roles,
                           bool all) {
  int64_t n = cel_tensors_count(tensors), wanted = 0;
  for (int64_t i = 0; i < n; i++) {
    const CelTensor *want = cel_tensors_at(tensors, i);
    if (!(roles >> want->role & 1u)) continue;
    CELI_TRY(check_pair(want, cel_safetensors_find(file, want->name)));
    wanted++;
  }
  for (int64_t i = 0; all && wanted < file->n && i < file->n; i++) {
    const CelTensor *want = cel_tensors_find(tensors, file->list[i].name);
    if (want == NULL || !(roles >> want->role & 1u))
      return cel_fail(CEL_E_NAME, "tensor \"%s\" is not one of the %" PRId64 " expected tensors",
                      file->list[i].name, wanted);
  }
  return CEL_OK;
}

static CelStatus load(const CelSafetensors *file, CelTensors *tensors, unsigned roles, bool all) {
  CELI_TRY(cel_fail_in(check_all(file, tensors, roles, all), "%s: ", file->name));
  for (int64_t i = 0; i < cel_tensors_count(tensors); i++) {
    const CelTensor *want = cel_tensors_at(tensors, i);
    if (!(roles >> want->role & 1u) || want->size == 0) continue;
    const CelTensor *have = cel_safetensors_find(file, want->name);
    memcpy(want->data, have->data, (size_t)want->size * cel_type_size(want->type));
  }
  return CEL_OK;
}

CelStatus cel_safetensors_load(const CelSafetensors *file, CelTensors *tensors, unsigned roles) {
  CELI_NEED(file);
  CELI_NEED(tensors);
  CELI_FLOATS(CELI_IEEE);
  return load(file, tensors, roles, true);
}

CelStatus cel_safetensors_load_some(const CelSafetensors *file, CelTensors *tensors,
                                    unsigned roles) {
  CELI_NEED(file);
  CELI_NEED(tensors);
  CELI_FLOATS(CELI_IEEE);
  return load(file, tensors, roles, false);
}
