/// Files: read whole with a limit, write so that a reader finds the old file or the new one.
#include "base/base.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

CelStatus celi_fail_errno(const char *path, const char *doing, int error) {
  return cel_fail(CEL_E_IO, "%s: %s: %s", path, doing, strerror(error));
}

// ---- Reading

static CelStatus read_all(int fd, const char *path, size_t limit, char **data, size_t *size) {
  struct stat info;
  if (fstat(fd, &info) != 0) return celi_fail_errno(path, "cannot be read", errno);
  if (S_ISDIR(info.st_mode)) return celi_fail_errno(path, "cannot be read", EISDIR);
  size_t capacity = info.st_size > 0 ? (size_t)info.st_size : 4096;
  if (capacity > limit) capacity = limit;
  *size = 0;
  for (;;) {
    CELI_TRY(celi_resize(data, capacity + 2, 1, path)); // one to see the limit passed, one zero
    ssize_t n = read(fd, *data + *size, capacity + 1 - *size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return celi_fail_errno(path, "cannot be read", errno);
    if (n == 0) break;
    *size += (size_t)n;
    if (*size > limit)
      return cel_fail(CEL_E_FORMAT, "%s: longer than the %zu bytes that are read", path, limit);
    if (*size > capacity) capacity = *size > limit / 2 ? limit : *size * 2;
  }
  (*data)[*size] = 0;
  return CEL_OK;
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

// ---- Writing

static void free_names(CeliWriter *writer) {
  free(writer->path);
  free(writer->target);
  free(writer->temporary);
  *writer = (CeliWriter){.fd = -1};
}

// Opens TARGET.tmp, or TARGET.tmp1.. while another process or thread is writing the one before.
// The lock tells a leftover, which is taken over, from a file that is being written.
static CelStatus open_temporary(CeliWriter *writer) {
  size_t room = strlen(writer->target) + 16;
  CELI_TRY(celi_alloc(&writer->temporary, room, 1, writer->path));
  for (int i = 0; i < 1000; i++) {
    snprintf(writer->temporary, room, i == 0 ? "%s.tmp" : "%s.tmp%d", writer->target, i);
    int fd = open(writer->temporary, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0) return celi_fail_errno(writer->path, "cannot be written", errno);
    struct stat mine, named;
    bool locked = flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
    if (locked && fstat(fd, &mine) == 0 && S_ISREG(mine.st_mode) &&
        stat(writer->temporary, &named) == 0 && mine.st_ino == named.st_ino &&
        mine.st_dev == named.st_dev && ftruncate(fd, 0) == 0) {
      writer->fd = fd;
      return CEL_OK;
    }
    close(fd); // being written, or renamed away between open and lock
  }
  return cel_fail(CEL_E_IO, "%s: cannot be written: 1000 temporary files beside it are in use",
                  writer->path);
}

static CelStatus open_target(CeliWriter *writer) {
  struct stat info;
  bool there = stat(writer->path, &info) == 0;
  if (there && S_ISDIR(info.st_mode))
    return celi_fail_errno(writer->path, "cannot be written", EISDIR);
  if (there && !S_ISREG(info.st_mode)) { // a device, a pipe: renaming over it would destroy it
    writer->fd = open(writer->path, O_WRONLY | O_CLOEXEC);
    if (writer->fd < 0) return celi_fail_errno(writer->path, "cannot be written", errno);
    return CEL_OK;
  }
  writer->target = there ? realpath(writer->path, NULL) : strdup(writer->path);
  if (writer->target == NULL) return celi_fail_errno(writer->path, "cannot be written", errno);
  return open_temporary(writer);
}

CelStatus celi_writer_open(CeliWriter *writer, const char *path) {
  *writer = (CeliWriter){.fd = -1};
  if (path[0] == 0) return cel_fail(CEL_E_IO, "an empty path cannot be written to");
  writer->path = strdup(path);
  if (writer->path == NULL) return cel_fail(CEL_E_MEMORY, "%s: no memory for its name", path);
  CelStatus status = open_target(writer);
  if (status != CEL_OK) free_names(writer);
  return status;
}

CelStatus celi_writer_put(CeliWriter *writer, const void *data, size_t bytes) {
  const char *from = data;
  while (bytes > 0) {
    ssize_t n = write(writer->fd, from, bytes < (1u << 30) ? bytes : 1u << 30);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return celi_fail_errno(writer->path, "cannot be written", errno);
    from += n;
    bytes -= (size_t)n;
  }
  return CEL_OK;
}

// Makes the renaming last: without it a power cut may bring the old file back.
static CelStatus sync_folder(const CeliWriter *writer) {
  char *folder = strdup(writer->target);
  if (folder == NULL) return cel_fail(CEL_E_MEMORY, "%s: no memory", writer->path);
  char *slash = strrchr(folder, '/');
  if (slash != NULL) slash[slash == folder] = 0;
  int fd = open(slash == NULL ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  free(folder);
  if (fd < 0 && errno == EACCES) return CEL_OK; // a folder that may be written but not read
  if (fd < 0) return celi_fail_errno(writer->path, "its folder cannot be opened", errno);
  int error = fsync(fd) == 0 ? 0 : errno;
  close(fd);
  if (error != 0 && error != EINVAL) // EINVAL: a file system that cannot sync folders
    return celi_fail_errno(writer->path, "its folder cannot be synced", error);
  return CEL_OK;
}

static CelStatus sync_and_rename(CeliWriter *writer) {
  bool direct = writer->temporary == NULL;
  if (fsync(writer->fd) != 0 && !(direct && (errno == EINVAL || errno == EROFS)))
    return celi_fail_errno(writer->path, "cannot be written", errno);
  if (direct) return CEL_OK;
  if (rename(writer->temporary, writer->target) != 0)
    return celi_fail_errno(writer->path, "cannot be replaced", errno);
  free(writer->temporary);
  writer->temporary = NULL; // it is the file itself now: never to be removed
  return sync_folder(writer);
}

CelStatus celi_writer_close(CeliWriter *writer) {
  CelStatus status = sync_and_rename(writer);
  // The lock goes with the descriptor, so it is closed last; fsync has told of every write error.
  celi_writer_abandon(writer);
  return status;
}

void celi_writer_abandon(CeliWriter *writer) {
  if (writer->temporary != NULL) unlink(writer->temporary);
  if (writer->fd >= 0) close(writer->fd);
  free_names(writer);
}

CelStatus celi_file_write(const char *path, const void *data, size_t bytes) {
  CeliWriter writer;
  CELI_TRY(celi_writer_open(&writer, path));
  CelStatus status = celi_writer_put(&writer, data, bytes);
  if (status == CEL_OK) return celi_writer_close(&writer);
  celi_writer_abandon(&writer);
  return status;
}
