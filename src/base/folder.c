/// Open folders. Their files are opened through a descriptor and never through a link.
#include "base/base.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FLAGS = O_RDONLY | O_DIRECTORY | O_CLOEXEC };

/// The path of a name in a folder, for messages. Long paths are truncated.
static const char *shown(char text[512], const CeliFolder *folder, const char *name) {
  const int n = snprintf(text, 512, "%s/%s", folder->path, name);
  return n < 512 ? text : name;
}

static CelStatus fail_in(const CeliFolder *folder, const char *name, const char *doing, int error) {
  char text[512];
  return celi_fail_errno(shown(text, folder, name), doing, error);
}

CelStatus celi_folder_open(CeliFolder *folder, const char *path) {
  *folder = (CeliFolder){.fd = -1};
  const int fd = open(path, FLAGS);
  if (fd < 0) return celi_fail_errno(path, "this folder cannot be opened", errno);
  char *copy = strdup(path);
  if (!copy) {
    close(fd);
    return cel_fail(CEL_E_MEMORY, "%s: not enough memory for the folder's name", path);
  }
  *folder = (CeliFolder){.fd = fd, .path = copy};
  return CEL_OK;
}

CelStatus celi_folder_check_link(const CeliFolder *folder, const char *name) {
  struct stat info;
  char text[512];
  if (fstatat(folder->fd, name, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISLNK(info.st_mode))
    return CEL_OK;
  return cel_fail(CEL_E_IO,
                  "%s: this is a symbolic link, which Celsius does not follow here; replace it by "
                  "the file or folder itself, or remove it",
                  shown(text, folder, name));
}

CelStatus celi_folder_open_in(CeliFolder *folder, const CeliFolder *parent, const char *name,
                              bool make) {
  *folder = (CeliFolder){.fd = -1};
  CEL_ASSERT(!strchr(name, '/'));
  if (make && mkdirat(parent->fd, name, 0777) != 0 && errno != EEXIST)
    return fail_in(parent, name, "this folder cannot be made", errno);
  CELI_TRY(celi_folder_check_link(parent, name));
  const int fd = openat(parent->fd, name, FLAGS | O_NOFOLLOW);
  if (fd < 0) return fail_in(parent, name, "this folder cannot be opened", errno);
  char *path = NULL;
  if (asprintf(&path, "%s/%s", parent->path, name) < 0) {
    close(fd);
    return cel_fail(CEL_E_MEMORY, "%s: not enough memory for the folder's name", name);
  }
  *folder = (CeliFolder){.fd = fd, .path = path};
  return CEL_OK;
}

void celi_folder_close(CeliFolder *folder) {
  if (folder->path && folder->fd >= 0) close(folder->fd);
  free(folder->path);
  *folder = (CeliFolder){.fd = -1};
}

CelStatus celi_folder_open_file(const CeliFolder *folder, const char *name, int flags, int *fd) {
  struct stat info;
  CEL_ASSERT(!strchr(name, '/'));
  CELI_TRY(celi_folder_check_link(folder, name));
  // O_NONBLOCK: opening a pipe must not block. It has no effect on regular files.
  const int file = openat(folder->fd, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
  if (file < 0) return fail_in(folder, name, "cannot be opened", errno);
  if (fstat(file, &info) == 0 && S_ISREG(info.st_mode)) {
    *fd = file;
    return CEL_OK;
  }
  close(file);
  char text[512];
  return cel_fail(CEL_E_IO, "%s: this is not a regular file; remove it or choose another path",
                  shown(text, folder, name));
}

CelStatus celi_folder_remove(const CeliFolder *folder, const char *name) {
  if (unlinkat(folder->fd, name, 0) == 0 || errno == ENOENT) return CEL_OK;
  return fail_in(folder, name, "cannot be deleted", errno);
}

/// Deletes a temporary file unless it is locked or cannot be opened.
static CelStatus clean_file(const CeliFolder *folder, const char *name) {
  const int fd = openat(folder->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return CEL_OK;
  CelStatus status = CEL_OK;
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) status = celi_folder_remove(folder, name);
  close(fd);
  return status;
}

CelStatus celi_folder_clean(const CeliFolder *folder) {
  const int fd = openat(folder->fd, ".", FLAGS); // its own position for reading the folder
  DIR *dir = fd < 0 ? NULL : fdopendir(fd);
  if (!dir) {
    const int error = errno;
    if (fd >= 0) close(fd);
    return celi_fail_errno(folder->path, "the folder cannot be read", error);
  }
  CelStatus status = CEL_OK;
  for (const struct dirent *entry; status == CEL_OK && (entry = readdir(dir));)
    if (celi_temporary_is(entry->d_name)) status = clean_file(folder, entry->d_name);
  closedir(dir);
  return status;
}
