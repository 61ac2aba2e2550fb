/// Files: read whole with a limit, write so that a reader finds the old file or the new one.
#ifndef CELSIUS_BASE_FILE_H
#define CELSIUS_BASE_FILE_H
#include "celsius/status.h"
#include <stddef.h>

/// Reads a whole file; *data gets a zero after its *size bytes and is the caller's to free.
/// Errors: CEL_E_IO (path and reason), CEL_E_FORMAT (longer than `limit`), CEL_E_MEMORY.
CelStatus celi_file_read(const char *path, size_t limit, char **data, size_t *size) CEL_WARN_UNUSED;

/// A file on its way: bytes go to a temporary file in the same folder, "PATH.tmp", which replaces
/// PATH in one step at the end; a leftover of a killed process is reused. A symbolic link stays and
/// the file behind it is replaced; a device or pipe is written to directly.
typedef struct CeliWriter {
  int fd;
  char *path;      ///< as given, for messages
  char *target;    ///< behind symbolic links
  char *temporary; ///< NULL: written directly
} CeliWriter;

/// After a failed open the writer holds nothing. Errors: CEL_E_IO (path and reason), CEL_E_MEMORY.
CelStatus celi_writer_open(CeliWriter *writer, const char *path) CEL_WARN_UNUSED;
/// Appends. Errors: CEL_E_IO (a full disk, a quota); the caller goes on to close or abandon.
CelStatus celi_writer_put(CeliWriter *writer, const void *data, size_t bytes) CEL_WARN_UNUSED;
/// Syncs, renames, syncs the folder. On any error the old file stays and the temporary one is
/// removed. Errors: CEL_E_IO.
CelStatus celi_writer_close(CeliWriter *writer) CEL_WARN_UNUSED;
/// Gives up: removes the temporary file; the old file stays. The recorded message stays too.
void celi_writer_abandon(CeliWriter *writer);

/// The four steps for bytes that are all there.
CelStatus celi_file_write(const char *path, const void *data, size_t bytes) CEL_WARN_UNUSED;

/// Records "PATH: doing: reason" for an errno and returns CEL_E_IO.
CelStatus celi_fail_errno(const char *path, const char *doing, int error);

#endif
