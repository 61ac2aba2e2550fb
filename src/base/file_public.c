/// celsius/file.h: files written completely or not at all, for programs.
#include "base/arguments.h"
#include "base/base.h"
#include "base/file.h"
#include "celsius/file.h"

#include <stdlib.h>

struct CelFile {
  CeliWriter writer;
  bool open; ///< not yet committed or failed
};

static CelStatus check_open(const CelFile *file) {
  if (file->open) return CEL_OK;
  return cel_fail(CEL_E_STATE, "the file is already committed or has failed; open a new one");
}

CelStatus cel_file_open(CelFile **out, const char *path) {
  CELI_NEED(out);
  CELI_NEED(path);
  CELI_FLOATS(CELI_IEEE);
  CelFile *file = NULL;
  CELI_TRY(celi_alloc(&file, 1, sizeof *file, "a file"));
  const CelStatus status = celi_writer_open(&file->writer, path);
  if (status != CEL_OK) {
    free(file);
    return status;
  }
  file->open = true;
  *out = file;
  return CEL_OK;
}

CelStatus cel_file_write(CelFile *file, const void *data, size_t bytes) {
  CELI_NEED(file);
  CELI_NEED(data);
  CELI_FLOATS(CELI_IEEE);
  CELI_TRY(check_open(file));
  return celi_writer_put(&file->writer, data, bytes);
}

CelStatus cel_file_commit(CelFile *file) {
  CELI_NEED(file);
  CELI_FLOATS(CELI_IEEE);
  CELI_TRY(check_open(file));
  file->open = false;
  return celi_writer_close(&file->writer);
}

void cel_file_destroy(CelFile *file) {
  if (!file) return;
  if (file->open) celi_writer_abandon(&file->writer);
  free(file);
}
