/// Output files. Their names are checked before any work is done, and a file is written completely
/// or not at all.
#include "cli.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/// True if the path has one of the endings "png|svg", in upper or lower case. "|csv|txt" also
/// allows a name without an ending.
static bool has_ending(const char *path, const char *endings) {
  const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
  const char *dot = strrchr(base, '.');
  if (!dot || dot == base) return endings[0] == '|';
  const size_t n = strlen(dot + 1);
  for (const char *e = endings; *e;) {
    const size_t length = strcspn(e, "|");
    if (length > 0 && length == n && strncasecmp(e, dot + 1, n) == 0) return true;
    e += length + (e[length] == '|');
  }
  return false;
}

/// Turns "png|svg" into ".png or .svg".
static void list_endings(const char *endings, char *text, size_t size) {
  size_t used = 0;
  text[0] = 0;
  endings += endings[0] == '|';
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

/// Checks that a file can be written. If it does not exist, a temporary file beside it is created
/// and removed.
static CelStatus check_writable(const char *flag, const char *path) {
  char probe[CEL_PATH_MAX + 16];
  struct stat info;
  const bool exists = stat(path, &info) == 0;
  if (exists && S_ISDIR(info.st_mode))
    return cel_fail(CEL_E_IO, "%s %s: this is a folder; give the name of a file", flag, path);
  if (exists && !S_ISREG(info.st_mode)) return CEL_OK; // a device or a pipe
  if (exists && access(path, W_OK) != 0)
    return cel_fail(CEL_E_IO, "%s %s: cannot be written: %s", flag, path, strerror(errno));
  snprintf(probe, sizeof probe, "%s.XXXXXX", path);
  const int file = mkstemp(probe);
  if (file < 0)
    return cel_fail(CEL_E_IO, "%s %s: cannot be written: %s", flag, path, strerror(errno));
  close(file);
  unlink(probe);
  return CEL_OK;
}

/// True for a file that training wrote into a run folder.
static bool is_of_run(const char *path) {
  static const char *const own[] = {"best.safetensors", "final.safetensors", "progress.csv",
                                    "evaluations.csv",  "guarantee.csv",     "config.yaml"};
  static const char *const folders[] = {"checkpoints", "replay"};
  char *whole = realpath(path, NULL), config[CEL_PATH_MAX + 16] = "";
  char *slash = whole ? strrchr(whole, '/') : NULL;
  bool known = false;
  if (slash) {
    *slash = 0;
    for (int i = 0; i < 6; i++) known = known || strcmp(slash + 1, own[i]) == 0;
    char *above = strrchr(whole, '/');
    for (int i = 0; above && i < 2; i++)
      if (strcmp(above + 1, folders[i]) == 0) known = true, *above = 0;
    snprintf(config, sizeof config, "%s/config.yaml", whole);
  }
  free(whole);
  return known && access(config, F_OK) == 0;
}

CelStatus cli_check_output(const char *flag, const char *path, const char *what,
                           const char *endings) {
  char list[128];
  if (!path[0]) return CEL_OK;
  if (endings && !has_ending(path, endings)) {
    list_endings(endings, list, sizeof list);
    return cel_fail(CEL_E_ARGUMENT, "%s %s: the name of %s must end in %s", flag, path, what, list);
  }
  if (is_of_run(path))
    return cel_fail(CEL_E_IO,
                    "%s %s: this file belongs to a run and is not overwritten; choose another name",
                    flag, path);
  return check_writable(flag, path);
}

// ---- text files

static ssize_t put_bytes(void *cookie, const char *bytes, size_t n) {
  CliFile *file = cookie;
  if (cel_file_write(file->file, bytes, n) == CEL_OK) return (ssize_t)n;
  file->failed = true;
  return 0; // stdio takes this as an error
}

CelStatus cli_file_open(CliFile *file, const char *path) {
  *file = (CliFile){.stream = NULL};
  const CelStatus status = cel_file_open(&file->file, path);
  if (status != CEL_OK) return status;
  file->stream = fopencookie(file, "w", (cookie_io_functions_t){.write = put_bytes});
  if (file->stream) return CEL_OK;
  cel_file_destroy(file->file);
  return cel_fail(CEL_E_MEMORY, "%s: not enough memory to write this file", path);
}

CelStatus cli_file_close(CliFile *file, CelStatus status) {
  // fclose writes what stdio still buffers. If that fails, cel_file_write has left the message.
  const bool flushed = fclose(file->stream) == 0 && !file->failed;
  if (status == CEL_OK && !flushed) status = CEL_E_IO;
  if (status == CEL_OK) status = cel_file_commit(file->file);
  cel_file_destroy(file->file);
  return status;
}

CelStatus cli_print_json(cJSON *json) {
  char *text = json ? cJSON_Print(json) : NULL;
  cJSON_Delete(json);
  if (!text) return cel_fail(CEL_E_MEMORY, "not enough memory for the result");
  puts(text);
  free(text);
  return CEL_OK;
}
