/// Files: reading whole files with a size limit, and writing files completely or not at all.
#ifndef CELI_BASE_FILE_H
#define CELI_BASE_FILE_H
#include "celsius/status.h"
#include <stdbool.h>
#include <stddef.h>

/// Reads a whole file. *data has a zero after its *size bytes; the caller frees it.
/// Errors: CEL_E_IO (path and reason), CEL_E_FORMAT (longer than `limit` bytes), CEL_E_MEMORY
/// (checked before the allocation).
CelStatus celi_file_read(const char *path, size_t limit, char **data, size_t *size) CEL_WARN_UNUSED;

/// celi_file_read for an open file, from its start. path: for messages.
CelStatus celi_file_read_fd(int fd, const char *path, size_t limit, char **data,
                            size_t *size) CEL_WARN_UNUSED;

/// An open folder. Its files are opened through the descriptor, so that a folder that replaces it
/// under the same name is never used. Names in it never follow symbolic links.
typedef struct CeliFolder {
  int fd;     ///< -1: not open
  char *path; ///< as given, for messages
} CeliFolder;

/// Opens a folder by its path, which may be a symbolic link. After a failure there is nothing to
/// close.
/// Errors: CEL_E_IO (path and reason), CEL_E_MEMORY.
CelStatus celi_folder_open(CeliFolder *folder, const char *path) CEL_WARN_UNUSED;
/// Opens the folder `name`, without a slash, in a folder. make: creates it if it is missing.
/// Errors: CEL_E_IO (also for a symbolic link), CEL_E_MEMORY.
CelStatus celi_folder_open_in(CeliFolder *folder, const CeliFolder *parent, const char *name,
                              bool make) CEL_WARN_UNUSED;
/// Closes the folder. Does nothing if it is not open (fd -1).
void celi_folder_close(CeliFolder *folder);
/// Opens the regular file `name` in a folder with the flags of open(2) and mode 0666.
/// Errors: CEL_E_IO (path and reason; also for a symbolic link, a device or a pipe).
CelStatus celi_folder_open_file(const CeliFolder *folder, const char *name, int flags,
                                int *fd) CEL_WARN_UNUSED;
/// Deletes a file of a folder. A missing file is no error. Errors: CEL_E_IO.
CelStatus celi_folder_remove(const CeliFolder *folder, const char *name) CEL_WARN_UNUSED;
/// Checks that `name` in a folder is not a symbolic link. Errors: CEL_E_IO.
CelStatus celi_folder_check_link(const CeliFolder *folder, const char *name) CEL_WARN_UNUSED;
/// Deletes the temporary files of killed processes in a folder. Keeps the files that a running
/// process still writes, which are locked. Errors: CEL_E_IO.
CelStatus celi_folder_clean(const CeliFolder *folder) CEL_WARN_UNUSED;

/// Whether a name is that of a temporary file: NAME.celsius-DIGITS.tmp. NAME is the first 100 bytes
/// of the target's name; DIGITS are 16 lowercase hexadecimal digits. celi_folder_clean deletes
/// leftovers.
bool celi_temporary_is(const char *name);

/// Writes a file; all code of the library uses it. Bytes go to a temporary file in the target's
/// folder (see celi_temporary_is), which replaces the target in one step at the end. The file gets
/// the permissions of the file that it replaces, or those of a new file (0666 without the umask).
/// If another user owns the old file, the new one gets no permission that a new file would not get.
typedef struct CeliWriter {
  int fd;
  int folder;          ///< descriptor of the target's folder; -1: written directly
  char *path;          ///< for messages
  char *target;        ///< the target's name in its folder
  char temporary[160]; ///< name of the temporary file; "": none
} CeliWriter;

/// Opens a path that the user gave. Keeps a symbolic link and replaces the file that it points to,
/// but fails if the link belongs to a third user. Writes directly to a device or pipe. After a
/// failure there is nothing to close. Errors: CEL_E_IO (path and reason), CEL_E_MEMORY.
CelStatus celi_writer_open(CeliWriter *writer, const char *path) CEL_WARN_UNUSED;
/// Opens `name` in a folder. Fails if `name` exists and is not a regular file. folder NULL: works
/// like celi_writer_open.
CelStatus celi_writer_open_in(CeliWriter *writer, const CeliFolder *folder,
                              const char *name) CEL_WARN_UNUSED;
/// Appends. Errors: CEL_E_IO (a full disk, a quota). The caller must still close or abandon.
CelStatus celi_writer_put(CeliWriter *writer, const void *data, size_t bytes) CEL_WARN_UNUSED;
/// Syncs and renames the file, then syncs the folder. After an error the old file is unchanged and
/// the temporary file is removed. Errors: CEL_E_IO.
CelStatus celi_writer_close(CeliWriter *writer) CEL_WARN_UNUSED;
/// Removes the temporary file and keeps the old file and the recorded message.
void celi_writer_abandon(CeliWriter *writer);

/// Open, put and close in one call. celi_file_write_in with folder NULL is celi_file_write.
CelStatus celi_file_write(const char *path, const void *data, size_t bytes) CEL_WARN_UNUSED;
CelStatus celi_file_write_in(const CeliFolder *folder, const char *name, const void *data,
                             size_t bytes) CEL_WARN_UNUSED;

/// Records "PATH: WHAT: REASON", with the reason of an errno. Returns CEL_E_IO.
CelStatus celi_fail_errno(const char *path, const char *doing, int error);

#endif
