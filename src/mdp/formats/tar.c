/// Tar archives in memory: the list of files, and headers to write.
///
/// A header is a block of 512 bytes: name at 0 (100 bytes), size at 124 (12 bytes, octal, or binary
/// if the first bit is set), checksum at 148 (8 bytes, octal), type at 156, "ustar" at 257, prefix
/// of the name at 345 (155 bytes). The data follow, padded to a multiple of 512 bytes. A long name
/// or size comes in an extra file before: of type x (lines "LENGTH path=NAME") or L (the name).
#include "mdp/formats/tar.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME = 0, SIZE = 124, CHECKSUM = 148, TYPE = 156, MAGIC = 257, PREFIX = 345 };

typedef struct Reader {
  const char *file;
  const uint8_t *data;
  size_t size, at;
  CeliTarFile *list;
  int64_t n, capacity;
  char long_name[CELI_TAR_NAME]; ///< of the next file; "": none
  uint64_t long_size;            ///< of the next file; UINT64_MAX: none
} Reader;

static CelStatus fail(const Reader *reader, const char *what) {
  return cel_fail(CEL_E_CORRUPT, "%s: byte %zu of the tar archive: %s", reader->file, reader->at,
                  what);
}

/// Parses a number of a header: octal digits, or binary with the first bit set.
static bool read_number(const uint8_t *text, size_t n, uint64_t *out) {
  uint64_t value = 0;
  size_t i = 0;
  if (text[0] & 0x80) {
    for (value = text[0] & 0x7f, i = 1; i < n; i++) {
      if (value >> 56) return false;
      value = value << 8 | text[i];
    }
    *out = value;
    return true;
  }
  while (i < n && text[i] == ' ') i++;
  const size_t first = i;
  for (; i < n && text[i] >= '0' && text[i] <= '7'; i++) value = value << 3 | (text[i] - '0');
  if (i == first || i - first > 20) return false;
  if (i < n && text[i] != 0 && text[i] != ' ') return false;
  *out = value;
  return true;
}

/// The sum of the bytes of a header, with blanks as its checksum.
static uint64_t sum_of(const uint8_t *block) {
  uint64_t sum = 0;
  for (int i = 0; i < CELI_TAR_BLOCK; i++)
    sum += i >= CHECKSUM && i < CHECKSUM + 8 ? ' ' : block[i];
  return sum;
}

static bool is_empty(const uint8_t *block) {
  for (int i = 0; i < CELI_TAR_BLOCK; i++)
    if (block[i]) return false;
  return true;
}

/// Reads the lines "LENGTH KEY=VALUE" of a pax header. Only path and size matter.
static CelStatus read_pax(Reader *reader, const uint8_t *data, size_t size) {
  for (size_t at = 0; at < size;) {
    size_t length = 0, i = at;
    for (; i < size && data[i] >= '0' && data[i] <= '9' && length < size; i++)
      length = length * 10 + (data[i] - '0');
    if (i == at || i >= size || data[i] != ' ' || length > size - at || at + length <= i + 1)
      return fail(reader, "a line of an extended header has a wrong length");
    const char *line = (const char *)data + i + 1;
    const size_t n = at + length - i - 1, text = n > 0 && line[n - 1] == '\n' ? n - 1 : n;
    if (text >= 5 && memcmp(line, "path=", 5) == 0) {
      if (text - 5 >= CELI_TAR_NAME) return fail(reader, "the name of a file is too long");
      memcpy(reader->long_name, line + 5, text - 5);
      reader->long_name[text - 5] = 0;
    }
    if (text >= 5 && memcmp(line, "size=", 5) == 0) {
      int64_t value;
      const CeliWord word = {line + 5, text - 5, 0};
      if (celi_word_index(word, &value) != CELI_NUMBER_OK)
        return fail(reader, "an extended header has a wrong size");
      reader->long_size = (uint64_t)value;
    }
    at += length;
  }
  return CEL_OK;
}

/// Copies a field that need not end with a zero.
static size_t copy_field(char *to, const uint8_t *from, size_t n) {
  const size_t length = strnlen((const char *)from, n);
  memcpy(to, from, length);
  to[length] = 0;
  return length;
}

/// The name of the file of a header.
static void read_name(Reader *reader, const uint8_t *block, char name[CELI_TAR_NAME]) {
  char whole[CELI_TAR_NAME + 2];
  size_t n = 0;
  if (reader->long_name[0]) {
    memcpy(whole, reader->long_name, sizeof reader->long_name);
  } else {
    if (memcmp(block + MAGIC, "ustar\0", 6) == 0) n = copy_field(whole, block + PREFIX, 155);
    if (n > 0) whole[n++] = '/';
    copy_field(whole + n, block + NAME, 100);
  }
  const char *from = whole;
  while (from[0] == '/' || (from[0] == '.' && from[1] == '/')) from++;
  memcpy(name, from, strnlen(from, CELI_TAR_NAME - 1) + 1);
  name[CELI_TAR_NAME - 1] = 0;
  reader->long_name[0] = 0;
}

static CelStatus add(Reader *reader, const uint8_t *block, const uint8_t *data, size_t size) {
  if (reader->n == CELI_TAR_FILES) return fail(reader, "the archive has more than 65536 files");
  CELI_TRY(celi_grow(&reader->list, &reader->capacity, reader->n + 1, sizeof *reader->list,
                     "the files of a tar archive"));
  CeliTarFile *file = &reader->list[reader->n++];
  memset(file, 0, sizeof *file);
  read_name(reader, block, file->name);
  file->data = data;
  file->size = size;
  return CEL_OK;
}

/// Reads the header at `at` and steps over its data.
static CelStatus read_entry(Reader *reader) {
  const uint8_t *block = reader->data + reader->at;
  uint64_t sum, size;
  if (!read_number(block + CHECKSUM, 8, &sum) || sum != sum_of(block))
    return fail(reader, "the checksum of a header is wrong; the file is not a tar archive or is "
                        "damaged");
  if (!read_number(block + SIZE, 12, &size)) return fail(reader, "a header has no valid size");
  const char type = (char)block[TYPE];
  const bool extra = type == 'x' || type == 'g' || type == 'L' || type == 'K';
  if (!extra && reader->long_size != UINT64_MAX) {
    size = reader->long_size;
    reader->long_size = UINT64_MAX;
  }
  const size_t left = reader->size - reader->at - CELI_TAR_BLOCK;
  if (type == '5' || (type >= '1' && type <= '6')) size = 0; // folders and links have no data
  if (size > left) return fail(reader, "a file is longer than the archive, which is cut short");
  const uint8_t *data = block + CELI_TAR_BLOCK;
  if (type == 'x') CELI_TRY(read_pax(reader, data, (size_t)size));
  if (type == 'L') {
    if (size >= CELI_TAR_NAME) return fail(reader, "the name of a file is too long");
    copy_field(reader->long_name, data, (size_t)size);
  }
  if (type == '0' || type == 0)
    CELI_TRY(add(reader, block, data, (size_t)size));
  else if (!extra)
    reader->long_name[0] = 0;
  const size_t padded = (size_t)(size + CELI_TAR_BLOCK - 1) / CELI_TAR_BLOCK * CELI_TAR_BLOCK;
  reader->at += CELI_TAR_BLOCK + (padded < left ? padded : left);
  return CEL_OK;
}

static int compare(const void *a, const void *b) {
  return strcmp(((const CeliTarFile *)a)->name, ((const CeliTarFile *)b)->name);
}

static CelStatus read_all(Reader *reader) {
  while (reader->size - reader->at >= CELI_TAR_BLOCK && !is_empty(reader->data + reader->at))
    CELI_TRY(read_entry(reader));
  if (reader->n == 0) return fail(reader, "the archive has no files");
  qsort(reader->list, (size_t)reader->n, sizeof *reader->list, compare);
  for (int64_t i = 1; i < reader->n; i++) {
    if (compare(&reader->list[i - 1], &reader->list[i]) != 0) continue;
    return cel_fail(CEL_E_CORRUPT, "%s: the tar archive has two files \"%.100s\"", reader->file,
                    celi_text_plain(reader->list[i].name) ? reader->list[i].name : "?");
  }
  return CEL_OK;
}

CelStatus celi_tar_list(const char *file, const uint8_t *data, size_t size, CeliTarFile **out,
                        int64_t *n) {
  Reader reader = {.file = file, .data = data, .size = size, .long_size = UINT64_MAX};
  const CelStatus status = read_all(&reader);
  *out = reader.list;
  *n = reader.n;
  return status;
}

const CeliTarFile *celi_tar_find(const CeliTarFile *list, int64_t n, const char *name) {
  CeliTarFile wanted = {.data = NULL};
  snprintf(wanted.name, sizeof wanted.name, "%s", name);
  return n > 0 ? bsearch(&wanted, list, (size_t)n, sizeof wanted, compare) : NULL;
}

// ---- writing

/// Writes `value` as n - 1 octal digits and a zero, or in binary if it does not fit.
static void write_number(uint8_t *to, size_t n, uint64_t value) {
  if (value >> (3 * (n - 1)) == 0) {
    for (size_t i = n - 1; i-- > 0; value >>= 3) to[i] = (uint8_t)('0' + (value & 7));
    return;
  }
  for (size_t i = n; i-- > 0; value >>= 8) to[i] = (uint8_t)value;
  to[0] |= 0x80;
}

void celi_tar_header(uint8_t block[CELI_TAR_BLOCK], const char *name, uint64_t size) {
  const size_t length = strlen(name);
  size_t split = 0; // length of the prefix
  memset(block, 0, CELI_TAR_BLOCK);
  while (length - split > 100) {
    const char *slash = strchr(name + split + (split > 0), '/');
    CEL_ASSERT(slash && slash - name <= 155);
    split = (size_t)(slash - name);
  }
  const size_t from = split + (split > 0); // behind the slash
  for (size_t i = 0; i < split; i++) block[PREFIX + i] = (uint8_t)name[i];
  for (size_t i = from; i < length; i++) block[NAME + i - from] = (uint8_t)name[i];
  write_number(block + 100, 8, 0644);
  write_number(block + 108, 8, 0);
  write_number(block + 116, 8, 0);
  write_number(block + SIZE, 12, size);
  write_number(block + 136, 12, 0);
  block[TYPE] = '0';
  memcpy(block + MAGIC, "ustar", 6);
  block[MAGIC + 6] = block[MAGIC + 7] = '0';
  write_number(block + 329, 8, 0);
  write_number(block + 337, 8, 0);
  write_number(block + CHECKSUM, 7, sum_of(block));
  block[CHECKSUM + 7] = ' ';
}
