/// The writers of cel_export, one file per format.
#ifndef CELI_DEPLOY_EXPORT_FORMATS_H
#define CELI_DEPLOY_EXPORT_FORMATS_H
#include "rl/model.h"

/// Writes `model` to the path `out`. name: a C identifier. Errors: those of cel_export.
typedef CelStatus (*CeliExport)(const CeliModel *model, const char *out, const char *name);
CelStatus celi_export_c(const CeliModel *model, const char *out, const char *name);
CelStatus celi_export_onnx(const CeliModel *model, const char *out, const char *name);
CelStatus celi_export_safetensors(const CeliModel *model, const char *out, const char *name);

/// Copies text of a file's metadata so that it is safe in comments and names: letters, digits, ".",
/// "-" and "_". Other characters become "?". Returns `text`.
const char *celi_export_plain(char text[64], const char *from);

#endif
