/// Files that are written whole or not at all.
///
///     CelFile *file = NULL;
///     status = cel_file_open(&file, "table.csv");
///     if (status == CEL_OK) status = cel_file_write(file, text, strlen(text));
///     if (status == CEL_OK) status = cel_file_commit(file);
///     cel_file_destroy(file); // without commit the old file stays
#ifndef CELSIUS_FILE_H
#define CELSIUS_FILE_H
#include "celsius/status.h"
CEL_BEGIN

typedef struct CelFile CelFile;

/// Begins to write a file under a temporary name in the same folder. A file that it replaces keeps its
/// permissions. A device or a pipe is written to directly.
/// Errors: CEL_E_IO (path and reason), CEL_E_MEMORY. Allocates: yes.
CEL_API CelStatus cel_file_open(CelFile **out, const char *path) CEL_WARN_UNUSED;
/// Appends bytes. Errors: CEL_E_IO (a full disk, a quota), CEL_E_STATE (committed already).
CEL_API CelStatus cel_file_write(CelFile *file, const void *data, size_t bytes) CEL_WARN_UNUSED;
/// Syncs the bytes and puts the file in its place in one step. Only cel_file_destroy may follow.
/// Errors: CEL_E_IO (the old file stays), CEL_E_STATE (twice).
CEL_API CelStatus cel_file_commit(CelFile *file) CEL_WARN_UNUSED;
/// Frees; removes what was not committed. Takes NULL.
CEL_API void cel_file_destroy(CelFile *file);

CEL_END
#endif
