/// YAML from and to memory, for tests and fuzzers.
#ifndef CELI_BASE_YAML_H
#define CELI_BASE_YAML_H
#include "base/file.h"
#include "base/text.h"
#include "celsius/yaml.h"

/// As cel_yaml_read and cel_yaml_peek for text in memory; messages begin with "name: ".
CelStatus celi_yaml_parse(const char *name, const char *text, size_t size,
                          const CelYamlSection *sections, int n_sections) CEL_WARN_UNUSED;
CelStatus celi_yaml_parse_peek(const char *name, const char *text, size_t size, const char *key,
                               char *out, size_t out_size, bool *found) CEL_WARN_UNUSED;
/// As cel_yaml_write, to text. Errors: as cel_fields_check, CEL_E_MEMORY.
CelStatus celi_yaml_format(CeliText *text, const CelYamlSection *sections,
                           int n_sections) CEL_WARN_UNUSED;

/// As cel_yaml_write, into an open folder; NULL: `name` is a path.
CelStatus celi_yaml_write_in(const CeliFolder *folder, const char *name,
                             const CelYamlSection *sections, int n_sections) CEL_WARN_UNUSED;

#endif
