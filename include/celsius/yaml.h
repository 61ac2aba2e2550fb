/// YAML in and out for configs, by field table. Floats round-trip to the same bits.
#ifndef CELSIUS_YAML_H
#define CELSIUS_YAML_H
#include "celsius/field.h"
CEL_BEGIN

/// One section of a file: a mapping key at the top and the config behind it; an empty key means the
/// top level itself.
typedef struct CelYamlSection {
  const char *key;
  const CelField *table;
  void *config;
} CelYamlSection;

/// Reads a file of flat sections into configs that already hold their defaults; only keys that are
/// there change. On error nothing changes. A file without keys (empty, comments only) is fine; anchors,
/// aliases, tags, empty values and a second document are refused, and so is a file beyond 1 MiB.
/// Errors: CEL_E_IO, CEL_E_FORMAT (line, column), CEL_E_NAME (unknown or doubled key: line, the nearest), CEL_E_TYPE,
/// CEL_E_RANGE (line).
CEL_API CelStatus cel_yaml_read(const char *path, const CelYamlSection *sections,
                                int n_sections) CEL_WARN_UNUSED;
/// Reads only the scalar at a top-level key ("algo"), into text. *found tells whether it is there.
CEL_API CelStatus cel_yaml_peek(const char *path, const char *key, char *text, size_t size,
                                bool *found) CEL_WARN_UNUSED;
/// Writes every field of every section, atomically, with each field's doc as a comment. What could not
/// be read back is not written. Errors: CEL_E_IO, CEL_E_RANGE (as cel_fields_check), CEL_E_MEMORY.
CEL_API CelStatus cel_yaml_write(const char *path, const CelYamlSection *sections,
                                 int n_sections) CEL_WARN_UNUSED;

CEL_END
#endif
