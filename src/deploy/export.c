/// Exporting policies: the formats, and names in exported files. Public interface:
/// celsius/export.h.
#include "celsius/export.h"
#include "base/arguments.h"
#include "base/base.h"
#include "deploy/export_formats.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#ifdef CELSIUS_WITH_PROTOBUF
enum { HAVE_ONNX = 1 };
#else
enum { HAVE_ONNX = 0 };
CelStatus celi_export_onnx(const CeliModel *model, const char *out, const char *name) {
  (void)model, (void)out, (void)name;
  return cel_fail(
      CEL_E_UNSUPPORTED,
      "this build cannot write ONNX; install protobuf-c (its library and protoc-c) and rebuild");
}
#endif

static const struct {
  CelExportFormat format;
  CeliExport write;
} formats[] = {
    {{"c", ".c", "one header and one source in C99, without allocation", true}, celi_export_c},
    {{"onnx", ".onnx", "an ONNX graph with a dynamic batch", HAVE_ONNX}, celi_export_onnx},
    {{"safetensors", ".safetensors", "a PyTorch state dict", true}, celi_export_safetensors},
};
enum { FORMATS = sizeof formats / sizeof formats[0], IDENTIFIER_MAX = 64 };

const CelExportFormat *cel_export_format(int i) {
  return i >= 0 && i < FORMATS ? &formats[i].format : NULL;
}

static CelStatus find_format(const char *name, CeliExport *write) {
  CeliNearest nearest = {.wanted = name};
  for (int i = 0; i < FORMATS; i++) {
    if (strcmp(formats[i].format.name, name) == 0) {
      *write = formats[i].write;
      return CEL_OK;
    }
    (void)celi_nearest_try(&nearest, formats[i].format.name);
  }
  if (nearest.best)
    return cel_fail(CEL_E_NAME, "no export format \"%s\"; did you mean \"%s\"?", name,
                    nearest.best);
  return cel_fail(CEL_E_NAME, "no export format \"%s\"; the formats are c, onnx and safetensors",
                  name);
}

static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static CelStatus check_name(const char *name) {
  bool good = is_letter(name[0]) && strlen(name) < IDENTIFIER_MAX;
  for (const char *c = name; *c; c++) good = good && (is_letter(*c) || is_digit(*c) || *c == '_');
  if (good) return CEL_OK;
  return cel_fail(CEL_E_NAME,
                  "\"%s\" cannot be part of a C name; use letters, digits and _, a letter first, "
                  "and at most %d characters",
                  name, IDENTIFIER_MAX - 1);
}

static bool is_folder(const char *path) {
  struct stat info;
  return path[strlen(path) - 1] == '/' || (stat(path, &info) == 0 && S_ISDIR(info.st_mode));
}

/// Makes an identifier from a file's name without folders and extension.
static void name_from_path(char name[IDENTIFIER_MAX], const char *path) {
  const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
  const char *dot = strrchr(base, '.');
  size_t length = dot && dot > base ? (size_t)(dot - base) : strlen(base);
  size_t n = 0;
  if (length == 0 || !is_letter(base[0]))
    n = (size_t)snprintf(name, IDENTIFIER_MAX, "policy%s", length > 0 ? "_" : "");
  for (size_t i = 0; i < length && n < IDENTIFIER_MAX - 1; i++)
    name[n++] = is_letter(base[i]) || is_digit(base[i]) ? base[i] : '_';
  name[n] = 0;
}

const char *celi_export_plain(char text[64], const char *from) {
  size_t n = 0;
  for (; n < 63 && from[n]; n++)
    text[n] = is_letter(from[n]) || is_digit(from[n]) || strchr(".-_", from[n]) ? from[n] : '?';
  text[n] = 0;
  return text;
}

CelStatus cel_export(const char *model, const char *format, const char *out, const char *name) {
  CELI_NEED(model);
  CELI_NEED(format);
  CELI_NEED(out);
  CELI_FLOATS(CELI_IEEE);
  CeliExport write = NULL;
  char made[IDENTIFIER_MAX];
  CELI_TRY(find_format(format, &write));
  CEL_ASSERT(write != NULL);
  if (out[0] == 0)
    return cel_fail(CEL_E_ARGUMENT, "the output path is empty; give the path of a file");
  if (is_folder(out))
    return cel_fail(CEL_E_ARGUMENT, "%s: this is a folder; give the path of a file", out);
  if (!name) {
    name_from_path(made, out);
    name = made;
  }
  CELI_TRY(check_name(name));
  CeliModel *read; // on the heap: its spaces are too large for a small stack
  CELI_TRY(celi_alloc(&read, 1, sizeof *read, "a model"));
  CelStatus status = celi_model_open(read, model);
  if (status == CEL_OK) {
    status = write(read, out, name);
    celi_model_close(read);
  }
  free(read);
  return status;
}
