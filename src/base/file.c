/// Reading whole files, with a size limit.
#include "base/base.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

CelStatus celi_fail_errno(const char *path, const char *doing, int error) {
  return cel_fail(CEL_E_IO, "%s: %s: %s", path, doing, strerror(error));
}

// ---- Reading

static CelStatus fail_long(const char *path, bool plain, size_t limit) {
  char most[CELI_NUMBER_MAX];
  celi_bytes_text(most, limit);
  if (plain) {
    return cel_fail(CEL_E_FORMAT,
                    "%s: the file is longer than %s, the limit; check that it is the right file",
                    path, most);
  }
  return cel_fail(CEL_E_FORMAT,
                  "%s: no end of data after %s, the limit for pipes and devices; check the path, "
                  "or write the data to a file first",
                  path, most);
}

static CelStatus read_all(int fd, const char *path, size_t limit, char **data, size_t *size) {
  struct stat info;
  if (fstat(fd, &info) != 0) return celi_fail_errno(path, "cannot be read", errno);
  if (S_ISDIR(info.st_mode)) return celi_fail_errno(path, "cannot be read", EISDIR);
  size_t capacity = info.st_size > 0 && S_ISREG(info.st_mode) ? (size_t)info.st_size : 4096;
  if (capacity > limit) capacity = limit;
  *size = 0;
  for (;;) {
    CELI_TRY(celi_resize(
        data, capacity + 2, 1,
        path)); // one byte to detect that the limit is exceeded, and the terminating zero
    ssize_t n = read(fd, *data + *size, capacity + 1 - *size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return celi_fail_errno(path, "cannot be read", errno);
    if (n == 0) break;
    *size += (size_t)n;
    if (*size > limit) return fail_long(path, S_ISREG(info.st_mode), limit);
    if (*size > capacity) capacity = *size > limit / 2 ? limit : *size * 2;
  }
  (*data)[*size] = 0;
  return CEL_OK;
}

CelStatus celi_file_read_fd(int fd, const char *path, size_t limit, char **data, size_t *size) {
  char *bytes = NULL;
  if (lseek(fd, 0, SEEK_SET) < 0) return celi_fail_errno(path, "cannot be read", errno);
  const CelStatus status = read_all(fd, path, limit, &bytes, size);
  if (status != CEL_OK)
    free(bytes);
  else
    *data = bytes;
  return status;
}

CelStatus celi_file_read(const char *path, size_t limit, char **data, size_t *size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return celi_fail_errno(path, "cannot be opened", errno);
  char *bytes = NULL;
  CelStatus status = read_all(fd, path, limit, &bytes, size);
  close(fd);
  if (status != CEL_OK)
    free(bytes);
  else
    *data = bytes;
  return status;
}
