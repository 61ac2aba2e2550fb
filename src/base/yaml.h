/// YAML in memory and in open folders.
#ifndef CELI_BASE_YAML_H
#define CELI_BASE_YAML_H
#include "base/file.h"
#include "base/text.h"
#include "celsius/yaml.h"

/// cel_yaml_read and cel_yaml_peek for text in memory. Messages begin with "NAME: ".
CelStatus celi_yaml_parse(const char *name, const char *text, size_t size,
                          const CelYamlSection *sections, int n_sections) CEL_WARN_UNUSED;
CelStatus celi_yaml_parse_peek(const char *name, const char *text, size_t size, const char *key,
                               char *out, size_t out_size, bool *found) CEL_WARN_UNUSED;
/// cel_yaml_write into a text. Errors: those of cel_fields_check, CEL_E_MEMORY.
CelStatus celi_yaml_format(CeliText *text, const CelYamlSection *sections,
                           int n_sections) CEL_WARN_UNUSED;

/// cel_yaml_write into an open folder. folder NULL: `name` is a path.
CelStatus celi_yaml_write_in(const CeliFolder *folder, const char *name,
                             const CelYamlSection *sections, int n_sections) CEL_WARN_UNUSED;

#endif
