/// Files that are written completely or not at all.
///
///     CelFile *file = NULL;
///     status = cel_file_open(&file, "table.csv");
///     if (status == CEL_OK) status = cel_file_write(file, text, strlen(text));
///     if (status == CEL_OK) status = cel_file_commit(file);
///     cel_file_destroy(file); // without commit, the old file stays
#ifndef CELSIUS_FILE_H
#define CELSIUS_FILE_H
#include "celsius/status.h"
CEL_BEGIN

typedef struct CelFile CelFile;

/// Opens a file for writing under a temporary name in the same folder. The new file gets the
/// permissions of the one that it replaces. A device or a pipe is written directly. End with
/// cel_file_destroy.
/// Errors: CEL_E_IO (path and reason), CEL_E_MEMORY. Allocates: yes.
CEL_API CelStatus cel_file_open(CelFile **out, const char *path) CEL_WARN_UNUSED;
/// Appends bytes. Errors: CEL_E_IO (full disk, quota), CEL_E_STATE (already committed).
CEL_API CelStatus cel_file_write(CelFile *file, const void *data, size_t bytes) CEL_WARN_UNUSED;
/// Syncs the bytes and renames the file into place in one step. Afterwards, call only
/// cel_file_destroy. Errors: CEL_E_IO (the old file stays), CEL_E_STATE (called twice).
CEL_API CelStatus cel_file_commit(CelFile *file) CEL_WARN_UNUSED;
/// Frees the handle and removes a file that was not committed. Takes NULL.
CEL_API void cel_file_destroy(CelFile *file);

CEL_END
#endif
