/// Reads and writes configs as YAML, by field table. Floats keep their bits.
#ifndef CELSIUS_YAML_H
#define CELSIUS_YAML_H
#include "celsius/field.h"
CEL_BEGIN

/// One section of a file: a mapping key at the top level, and its config. An empty key is the top
/// level itself.
typedef struct CelYamlSection {
  const char *key;
  const CelField *table;
  void *config;
} CelYamlSection;

/// Reads a file of flat sections into configs that already hold their defaults. Only the keys of
/// the file change. On error nothing changes. A file without keys (empty, comments only) is valid.
/// It refuses anchors, aliases, tags, empty values, a second document, and files of more than 1
/// MiB.
/// Errors: CEL_E_IO, CEL_E_FORMAT (line, column), CEL_E_NAME (unknown or repeated key: line,
/// nearest name), CEL_E_TYPE, CEL_E_RANGE (line).
CEL_API CelStatus cel_yaml_read(const char *path, const CelYamlSection *sections,
                                int n_sections) CEL_WARN_UNUSED;
/// Reads only the scalar of a top-level key ("algo") into text. *found: whether the key exists.
CEL_API CelStatus cel_yaml_peek(const char *path, const char *key, char *text, size_t size,
                                bool *found) CEL_WARN_UNUSED;
/// Writes every field of every section, atomically, each with its doc as a comment. Refuses values
/// that could not be read back.
/// Errors: CEL_E_IO, CEL_E_RANGE (as cel_fields_check), CEL_E_MEMORY.
CEL_API CelStatus cel_yaml_write(const char *path, const CelYamlSection *sections,
                                 int n_sections) CEL_WARN_UNUSED;

CEL_END
#endif
