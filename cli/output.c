/// Output files: checked before any work is done, so that a bad name costs nothing.
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/// True when the path ends in one of "png|svg", in any case.
static bool has_ending(const char *path, const char *endings) {
  const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
  const char *dot = strrchr(base, '.');
  if (!dot || dot == base) return false;
  const size_t n = strlen(dot + 1);
  for (const char *e = endings; *e;) {
    const size_t length = strcspn(e, "|");
    if (length == n && strncasecmp(e, dot + 1, n) == 0) return true;
    e += length + (e[length] == '|');
  }
  return false;
}

/// "png|svg" -> ".png or .svg".
static void list_endings(const char *endings, char *text, size_t size) {
  size_t used = 0;
  text[0] = 0;
  for (const char *e = endings; *e && used < size;) {
    const size_t length = strcspn(e, "|");
    const bool first = e == endings, last = e[length] == 0;
    used += (size_t)snprintf(text + used, size - used, "%s.%.*s",
                             first  ? ""
                             : last ? " or "
                                    : ", ",
                             (int)length, e);
    e += length + !last;
  }
}

/// Whether a file can be written there. A file that does not exist yet is tried by making one beside
/// it.
static CelStatus check_writable(const char *flag, const char *path) {
  char probe[CEL_PATH_MAX + 16];
  struct stat info;
  const bool exists = stat(path, &info) == 0;
  if (exists && S_ISDIR(info.st_mode))
    return cel_fail(CEL_E_IO, "%s %s: this is a folder; name a file in it", flag, path);
  if (exists && !S_ISREG(info.st_mode)) return CEL_OK; // a device or a pipe
  if (exists && access(path, W_OK) != 0)
    return cel_fail(CEL_E_IO, "%s %s: %s", flag, path, strerror(errno));
  snprintf(probe, sizeof probe, "%s.XXXXXX", path);
  const int file = mkstemp(probe);
  if (file < 0) return cel_fail(CEL_E_IO, "%s %s: %s", flag, path, strerror(errno));
  close(file);
  unlink(probe);
  return CEL_OK;
}

CelStatus cli_check_output(const char *flag, const char *path, const char *what,
                           const char *endings) {
  char list[128];
  if (!path[0]) return CEL_OK;
  if (endings && !has_ending(path, endings)) {
    list_endings(endings, list, sizeof list);
    return cel_fail(CEL_E_ARGUMENT, "%s %s: the name of %s ends in %s", flag, path, what, list);
  }
  return check_writable(flag, path);
}
