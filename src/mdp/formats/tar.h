/// Tar archives in memory, as far as UMB needs them: regular files with short names.
#ifndef CELSIUS_MDP_FORMAT_TAR_H
#define CELSIUS_MDP_FORMAT_TAR_H
#include "mdp/formats/text.h"

enum { CELI_TAR_BLOCK = 512, CELI_TAR_NAME = 256, CELI_TAR_FILES = 1 << 16 };

/// A file of an archive.
typedef struct CeliTarFile {
  char name[CELI_TAR_NAME]; ///< without "./" or "/" at its beginning
  const uint8_t *data;      ///< in the archive
  size_t size;
} CeliTarFile;

/// Lists the regular files of an archive, sorted by name. Folders are skipped. POSIX and GNU
/// headers are understood, with sizes above 8 GiB. The caller frees *out, also after an error.
/// `file` is for messages.
/// Errors: CEL_E_CORRUPT (checksum, truncated, a name twice, too many files; names the offset),
/// CEL_E_MEMORY.
CelStatus celi_tar_list(const char *file, const uint8_t *data, size_t size, CeliTarFile **out,
                        int64_t *n) CEL_WARN_UNUSED;
/// Finds a file by name. NULL: it does not exist.
const CeliTarFile *celi_tar_find(const CeliTarFile *list, int64_t n, const char *name);

/// Fills the header block of a regular file. The name has at most 255 bytes, with a slash at a
/// place where it splits into 155 and 100. Names without time, owner and host give the same bytes
/// always.
void celi_tar_header(uint8_t block[CELI_TAR_BLOCK], const char *name, uint64_t size);

#endif
