/// Writing files: a temporary file in the target's folder replaces the target at the end.
#include "base/base.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK ".celsius-"
#define TAIL ".tmp"
enum { DIGITS = 16, NAME_PART = 100, LINKS_MAX = 40, TRIES = 100 };

// ---- names of temporary files

bool celi_temporary_is(const char *name) {
  const size_t end = strlen(MARK) + DIGITS + strlen(TAIL), n = strlen(name);
  if (n <= end || strncmp(name + n - end, MARK, strlen(MARK)) != 0) return false;
  const char *digits = name + n - end + strlen(MARK);
  return strspn(digits, "0123456789abcdef") == DIGITS && strcmp(digits + DIGITS, TAIL) == 0;
}

static CelStatus name_temporary(CeliWriter *writer) {
  unsigned long long random = 0;
  while (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
    if (errno != EINTR)
      return celi_fail_errno(writer->path, "no random name for a temporary file", errno);
  snprintf(writer->temporary, sizeof writer->temporary, "%.*s" MARK "%016llx" TAIL, NAME_PART,
           writer->target, random);
  return CEL_OK;
}

// ---- permissions

/// Gives the temporary file the permissions of the file that it replaces. If that file belongs to
/// another user, its permissions can only restrict those of a new file.
static CelStatus keep_mode(const CeliWriter *writer, const struct stat *old) {
  struct stat new;
  if (fstat(writer->fd, &new) != 0)
    return celi_fail_errno(writer->path, "cannot be written", errno);
  const bool ours = old->st_uid == new.st_uid;
  mode_t mode = old->st_mode & 0777;
  if (!ours) mode &= new.st_mode;
  // Group permissions apply to the old group only. Another group gets those of all users.
  const bool same_group = old->st_gid == new.st_gid;
  if (!same_group && !(ours && fchown(writer->fd, (uid_t)-1, old->st_gid) == 0))
    mode &= ~(mode_t)070 | (mode & 07) << 3;
  if (fchmod(writer->fd, mode) != 0 && errno != EPERM && errno != ENOTSUP)
    return celi_fail_errno(writer->path, "its permissions cannot be kept", errno);
  return CEL_OK;
}

// ---- the temporary file

/// Locks the temporary file. Returns false if another process has locked or deleted it;
/// celi_folder_clean of another process can delete it before the lock.
static bool claim(const CeliWriter *writer) {
  struct stat info;
  if (flock(writer->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) return false;
  return fstat(writer->fd, &info) == 0 && info.st_nlink > 0;
}

/// Creates the temporary file. It is private at first and then gets the permissions of `old`,
/// unless `old` is NULL.
static CelStatus open_temporary(CeliWriter *writer, const struct stat *old) {
  const mode_t mode = old && old->st_uid == geteuid() ? 0600 : 0666;
  for (int i = 0; i < TRIES; i++) {
    CELI_TRY(name_temporary(writer));
    writer->fd = openat(writer->folder, writer->temporary,
                        O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (writer->fd < 0 && errno == EEXIST) continue;
    if (writer->fd < 0) {
      writer->temporary[0] = 0;
      return celi_fail_errno(writer->path, "cannot be written", errno);
    }
    if (claim(writer)) return old ? keep_mode(writer, old) : CEL_OK;
    close(writer->fd);
    writer->fd = -1;
  }
  writer->temporary[0] = 0;
  return cel_fail(CEL_E_IO, "%s: cannot be written: no free name for a temporary file",
                  writer->path);
}

/// Opens the temporary file of a target whose folder is open.
static CelStatus start(CeliWriter *writer) {
  struct stat old;
  if (fstatat(writer->folder, writer->target, &old, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno != ENOENT) return celi_fail_errno(writer->path, "cannot be written", errno);
    return open_temporary(writer, NULL);
  }
  if (S_ISDIR(old.st_mode)) return celi_fail_errno(writer->path, "cannot be written", EISDIR);
  if (S_ISLNK(old.st_mode))
    return cel_fail(CEL_E_IO,
                    "%s: this is a symbolic link, which Celsius does not follow here; replace it "
                    "by the file itself or remove it",
                    writer->path);
  if (!S_ISREG(old.st_mode))
    return cel_fail(CEL_E_IO, "%s: this is not a regular file; remove it or choose another path",
                    writer->path);
  return open_temporary(writer, &old);
}

// ---- paths that the user gave

/// Splits a path: opens its folder and copies the name in it.
static CelStatus open_parent(CeliWriter *writer, const char *path) {
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  char *folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
  free(writer->target);
  writer->target = strdup(name);
  if (writer->folder >= 0) close(writer->folder);
  writer->folder = -1;
  CelStatus status = CEL_OK;
  if (!folder || !writer->target)
    status = cel_fail(CEL_E_MEMORY, "%s: not enough memory for the file's name", writer->path);
  else
    writer->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (status == CEL_OK && writer->folder < 0 &&
      errno == EACCES) // the folder is writable but not readable
    writer->folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (status == CEL_OK && writer->folder < 0)
    status = celi_fail_errno(writer->path, "cannot be written", errno);
  if (status == CEL_OK && !name[0])
    status = celi_fail_errno(writer->path, "cannot be written", EISDIR);
  free(folder);
  return status;
}

/// Checks that a link belongs to this user, to root, or to the owner of its folder. A link of
/// another user could point to a file that only this user may write.
static CelStatus check_link_owner(const CeliWriter *writer, const struct stat *link) {
  struct stat folder;
  if (fstat(writer->folder, &folder) != 0)
    return celi_fail_errno(writer->path, "its folder cannot be read", errno);
  if (link->st_uid == geteuid() || link->st_uid == 0 || link->st_uid == folder.st_uid)
    return CEL_OK;
  return cel_fail(CEL_E_IO,
                  "%s: this symbolic link belongs to another user (%ld), so Celsius does not "
                  "follow it; remove it, or give the file's own path",
                  writer->path, (long)link->st_uid);
}

/// Sets *path to the target of the link `writer->target`.
static CelStatus read_link(const CeliWriter *writer, char **path) {
  char to[4096];
  const ssize_t n = readlinkat(writer->folder, writer->target, to, sizeof to - 1);
  if (n < 0) return celi_fail_errno(writer->path, "cannot be followed", errno);
  if (n == (ssize_t)sizeof to - 1)
    return celi_fail_errno(writer->path, "cannot be followed", ENAMETOOLONG);
  to[n] = 0;
  const char *slash = strrchr(*path, '/');
  const int head = to[0] == '/' || !slash ? 0 : (int)(slash + 1 - *path);
  char *next = NULL;
  if (asprintf(&next, "%.*s%s", head, *path, to) < 0)
    return cel_fail(CEL_E_MEMORY, "%s: not enough memory for the file's name", writer->path);
  free(*path);
  *path = next;
  return CEL_OK;
}

/// Follows links one by one until the target is not a link.
static CelStatus find_target(CeliWriter *writer, char **path) {
  for (int i = 0; i < LINKS_MAX; i++) {
    struct stat info;
    CELI_TRY(open_parent(writer, *path));
    if (fstatat(writer->folder, writer->target, &info, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISLNK(info.st_mode))
      return start(writer);
    CELI_TRY(check_link_owner(writer, &info));
    CELI_TRY(read_link(writer, path));
  }
  return celi_fail_errno(writer->path, "cannot be written", ELOOP);
}

/// Opens a device or a pipe, which a renamed file would replace.
static CelStatus open_directly(CeliWriter *writer) {
  struct stat info;
  writer->fd = open(writer->path, O_WRONLY | O_CLOEXEC);
  if (writer->fd < 0) return celi_fail_errno(writer->path, "cannot be written", errno);
  if (fstat(writer->fd, &info) == 0 && !S_ISREG(info.st_mode)) return CEL_OK;
  return cel_fail(CEL_E_IO, "%s: another process replaced the file while it was opened; try again",
                  writer->path);
}

static CelStatus open_path(CeliWriter *writer) {
  struct stat info;
  if (stat(writer->path, &info) == 0 && !S_ISREG(info.st_mode)) {
    if (S_ISDIR(info.st_mode)) return celi_fail_errno(writer->path, "cannot be written", EISDIR);
    return open_directly(writer);
  }
  char *path = strdup(writer->path);
  if (!path)
    return cel_fail(CEL_E_MEMORY, "%s: not enough memory for the file's name", writer->path);
  const CelStatus status = find_target(writer, &path);
  free(path);
  return status;
}

// ---- the writer

static CelStatus open_in(CeliWriter *writer, const CeliFolder *folder, const char *name) {
  CEL_ASSERT(!strchr(name, '/'));
  if (asprintf(&writer->path, "%s/%s", folder->path, name) < 0) writer->path = NULL;
  writer->target = strdup(name);
  if (!writer->path || !writer->target)
    return cel_fail(CEL_E_MEMORY, "%s: not enough memory for the file's name", name);
  const bool here = folder->fd == AT_FDCWD; // the working directory, which has no descriptor
  writer->folder = here ? AT_FDCWD : fcntl(folder->fd, F_DUPFD_CLOEXEC, 3);
  if (writer->folder < 0 && !here) return celi_fail_errno(writer->path, "cannot be written", errno);
  return start(writer);
}

CelStatus celi_writer_open_in(CeliWriter *writer, const CeliFolder *folder, const char *name) {
  if (!folder) return celi_writer_open(writer, name);
  *writer = (CeliWriter){.fd = -1, .folder = -1};
  const CelStatus status = open_in(writer, folder, name);
  if (status != CEL_OK) celi_writer_abandon(writer);
  return status;
}

CelStatus celi_writer_open(CeliWriter *writer, const char *path) {
  *writer = (CeliWriter){.fd = -1, .folder = -1};
  if (path[0] == 0)
    return cel_fail(CEL_E_IO, "the path is empty; give the path of a file to write");
  writer->path = strdup(path);
  if (writer->path == NULL)
    return cel_fail(CEL_E_MEMORY, "%s: not enough memory for the file's name", path);
  CelStatus status = open_path(writer);
  if (status != CEL_OK) celi_writer_abandon(writer);
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

/// Makes the renaming durable. Without it the old file may return after a power failure.
static CelStatus sync_folder(const CeliWriter *writer) {
  if (fsync(writer->folder) == 0) return CEL_OK;
  // EINVAL: the file system cannot sync folders; EBADF: the folder is not readable
  if (errno == EINVAL || errno == EBADF) return CEL_OK;
  return celi_fail_errno(writer->path, "its folder cannot be synced", errno);
}

static CelStatus sync_and_rename(CeliWriter *writer) {
  const bool direct = writer->temporary[0] == 0;
  if (fsync(writer->fd) != 0 && !(direct && (errno == EINVAL || errno == EROFS)))
    return celi_fail_errno(writer->path, "cannot be written", errno);
  if (direct) return CEL_OK;
  if (renameat(writer->folder, writer->temporary, writer->folder, writer->target) != 0)
    return celi_fail_errno(writer->path, "cannot be replaced", errno);
  writer->temporary[0] = 0; // it is now the file itself and must not be removed
  return sync_folder(writer);
}

CelStatus celi_writer_close(CeliWriter *writer) {
  const CelStatus status = sync_and_rename(writer);
  // Closing releases the lock, so it comes last. fsync has already reported all write errors.
  celi_writer_abandon(writer);
  return status;
}

void celi_writer_abandon(CeliWriter *writer) {
  if (writer->path == NULL) return; // not open
  if (writer->temporary[0]) unlinkat(writer->folder, writer->temporary, 0);
  if (writer->fd >= 0) close(writer->fd);
  if (writer->folder >= 0) close(writer->folder);
  free(writer->path);
  free(writer->target);
  *writer = (CeliWriter){.fd = -1, .folder = -1};
}

CelStatus celi_file_write_in(const CeliFolder *folder, const char *name, const void *data,
                             size_t bytes) {
  CeliWriter writer;
  CELI_TRY(celi_writer_open_in(&writer, folder, name));
  const CelStatus status = celi_writer_put(&writer, data, bytes);
  if (status == CEL_OK) return celi_writer_close(&writer);
  celi_writer_abandon(&writer);
  return status;
}

CelStatus celi_file_write(const char *path, const void *data, size_t bytes) {
  return celi_file_write_in(NULL, path, data, bytes);
}
