/// Files: read whole with a limit, write so that a reader finds the old file or the new one.
#ifndef CELI_BASE_FILE_H
#define CELI_BASE_FILE_H
#include "celsius/status.h"
#include <stdbool.h>
#include <stddef.h>

/// Reads a whole file; *data gets a zero after its *size bytes and is the caller's to free.
/// Errors: CEL_E_IO (path and reason), CEL_E_FORMAT (longer than `limit` bytes), CEL_E_MEMORY (more than the machine has
/// left, before it is taken).
CelStatus celi_file_read(const char *path, size_t limit, char **data, size_t *size) CEL_WARN_UNUSED;

/// The same for an open file, from its beginning; `path` is for messages.
CelStatus celi_file_read_fd(int fd, const char *path, size_t limit, char **data,
                            size_t *size) CEL_WARN_UNUSED;

/// An open folder. Its files are reached through the descriptor, so another folder that takes its name
/// is never used. Names in it never follow symbolic links.
typedef struct CeliFolder {
  int fd;     ///< -1: not open
  char *path; ///< as given, for messages
} CeliFolder;

/// Opens a folder by its path, which may be a symbolic link. A failed open holds nothing.
/// Errors: CEL_E_IO (path and reason), CEL_E_MEMORY.
CelStatus celi_folder_open(CeliFolder *folder, const char *path) CEL_WARN_UNUSED;
/// Opens the folder `name` in a folder, and makes it first if `make` and it is missing. `name` has
/// no slash. Errors: CEL_E_IO (a symbolic link is one), CEL_E_MEMORY.
CelStatus celi_folder_open_in(CeliFolder *folder, const CeliFolder *parent, const char *name,
                              bool make) CEL_WARN_UNUSED;
/// Closes the folder. Does nothing when it is not open (fd -1).
void celi_folder_close(CeliFolder *folder);
/// Opens the regular file `name` in a folder with the flags of open(2) and mode 0666. A symbolic
/// link, a device or a pipe is an error. Errors: CEL_E_IO (path and reason).
CelStatus celi_folder_open_file(const CeliFolder *folder, const char *name, int flags,
                                int *fd) CEL_WARN_UNUSED;
/// Deletes a file of a folder; a missing one is no error. Errors: CEL_E_IO.
CelStatus celi_folder_remove(const CeliFolder *folder, const char *name) CEL_WARN_UNUSED;
/// Checks that an existing `name` in a folder is no symbolic link. Errors: CEL_E_IO.
CelStatus celi_folder_check_link(const CeliFolder *folder, const char *name) CEL_WARN_UNUSED;
/// Deletes the temporary files that killed writers left in a folder. Files that a living process
/// still writes are locked, and stay. Errors: CEL_E_IO.
CelStatus celi_folder_clean(const CeliFolder *folder) CEL_WARN_UNUSED;

/// True for the name of a writer's temporary file: NAME.celsius-DIGITS.tmp, where NAME is the
/// target's name (its first 100 bytes) and DIGITS are 16 lowercase hexadecimal digits. Use
/// celi_folder_clean to delete leftovers.
bool celi_temporary_is(const char *name);

/// The one way to write a file. Bytes go to a new temporary file in the target's folder
/// (see celi_temporary_is), which replaces the target in one step at the end. The new file gets the
/// permissions of the file that it replaces, or those of a new file (0666 less the umask).
/// A file that another user owns passes on no permission that a new file would not get.
typedef struct CeliWriter {
  int fd;
  int folder;          ///< the target's folder; -1: written directly
  char *path;          ///< for messages
  char *target;        ///< the target's name in its folder
  char temporary[160]; ///< "": none
} CeliWriter;

/// Writes to a path that the user named. A symbolic link stays and the file behind it is replaced;
/// a link that a third user made is refused. A device or pipe is written to directly.
/// A failed open holds nothing. Errors: CEL_E_IO (path and reason), CEL_E_MEMORY.
CelStatus celi_writer_open(CeliWriter *writer, const char *path) CEL_WARN_UNUSED;
/// Writes `name` in a folder; anything there that is not a regular file is refused. With folder
/// NULL, as celi_writer_open.
CelStatus celi_writer_open_in(CeliWriter *writer, const CeliFolder *folder,
                              const char *name) CEL_WARN_UNUSED;
/// Appends. Errors: CEL_E_IO (a full disk, a quota); the caller goes on to close or abandon.
CelStatus celi_writer_put(CeliWriter *writer, const void *data, size_t bytes) CEL_WARN_UNUSED;
/// Syncs, renames, syncs the folder. On any error the old file stays and the temporary one is
/// removed. Errors: CEL_E_IO.
CelStatus celi_writer_close(CeliWriter *writer) CEL_WARN_UNUSED;
/// Gives up: removes the temporary file; the old file stays. The recorded message stays too.
void celi_writer_abandon(CeliWriter *writer);

/// Opens, puts, closes. celi_file_write_in with folder NULL is celi_file_write.
CelStatus celi_file_write(const char *path, const void *data, size_t bytes) CEL_WARN_UNUSED;
CelStatus celi_file_write_in(const CeliFolder *folder, const char *name, const void *data,
                             size_t bytes) CEL_WARN_UNUSED;

/// Records "PATH: doing: reason" for an errno and returns CEL_E_IO.
CelStatus celi_fail_errno(const char *path, const char *doing, int error);

#endif
