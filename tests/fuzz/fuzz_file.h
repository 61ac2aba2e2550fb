/// Safetensors files for the fuzzers of what reads them.
///
/// An input is the header's JSON, a zero byte, and the data. The harness writes the header's length
/// and makes the data as long as the header says, so that a changed header still reaches the parser
/// behind the lengths. No digest is written: the reader accepts a file without one.
#ifndef TESTS_FUZZ_FILE_H
#define TESTS_FUZZ_FILE_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FUZZ_DATA_MAX = 1 << 16 };

/// A folder in memory for this process, made at the first call.
static inline const char *fuzz_folder(void) {
  static char path[64];
  if (path[0]) return path;
  snprintf(path, sizeof path, "/dev/shm/celsius-fuzz-XXXXXX");
  if (!mkdtemp(path)) abort();
  return path;
}

/// The end of the last "data_offsets":[a,b] by size, at most FUZZ_DATA_MAX.
static inline size_t fuzz_data_size(const char *header) {
  static const char key[] = "\"data_offsets\":[";
  size_t largest = 0;
  for (const char *at = header; (at = strstr(at, key)) != NULL;) {
    char *end;
    at += sizeof key - 1;
    (void)strtoull(at, &end, 10);
    if (*end != ',') continue;
    const unsigned long long stop = strtoull(end + 1, NULL, 10);
    if (stop > largest && stop <= FUZZ_DATA_MAX) largest = (size_t)stop;
  }
  return largest;
}

/// Writes the file that an input stands for. Data that the input lacks are zeros.
static inline void fuzz_write(const char *path, const uint8_t *input, size_t size) {
  const uint8_t *zero = size ? memchr(input, 0, size) : NULL;
  const size_t header_size = zero ? (size_t)(zero - input) : size;
  char *header = malloc(header_size + 1);
  uint8_t *data = calloc(1, FUZZ_DATA_MAX);
  FILE *file = fopen(path, "wb");
  if (!header || !data || !file) abort();
  if (header_size) memcpy(header, input, header_size);
  header[header_size] = 0;
  const size_t data_size = fuzz_data_size(header);
  const size_t have = zero ? size - header_size - 1 : 0;
  if (have) memcpy(data, zero + 1, have < data_size ? have : data_size);
  const uint64_t length = header_size;
  if (fwrite(&length, 1, 8, file) != 8 || fwrite(header, 1, header_size, file) != header_size ||
      fwrite(data, 1, data_size, file) != data_size || fclose(file) != 0)
    abort();
  free(header);
  free(data);
}

#endif
