/// The writers behind cel_export, one file a format.
#ifndef CELI_DEPLOY_EXPORT_FORMATS_H
#define CELI_DEPLOY_EXPORT_FORMATS_H
#include "rl/model.h"

/// Each writes `model` to `out`; `name` is a C identifier. Errors: as cel_export.
typedef CelStatus (*CeliExport)(const CeliModel *model, const char *out, const char *name);
CelStatus celi_export_c(const CeliModel *model, const char *out, const char *name);
CelStatus celi_export_onnx(const CeliModel *model, const char *out, const char *name);
CelStatus celi_export_safetensors(const CeliModel *model, const char *out, const char *name);

/// Text from a file's metadata that is safe inside of a comment or a name: letters, digits, ".", "-", "_";
/// anything else becomes "?". Returns `text`.
const char *celi_export_plain(char text[64], const char *from);

#endif
