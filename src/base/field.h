/// What the readers and writers of field tables share beside the public contract.
#ifndef CELI_BASE_FIELD_H
#define CELI_BASE_FIELD_H
#include "celsius/field.h"

/// The row of a (dotted) name and, in *offset, where the field lies in the outermost config; NULL
/// when there is none. '-' and '_' are alike.
const CelField *celi_field_locate(const CelField *table, const char *name, size_t *offset);
/// Bytes from the beginning of the config to the end of its last field, groups included.
size_t celi_fields_extent(const CelField *table);
/// Records that a table has no field of that name (the nearest, or all there are): CEL_E_NAME.
CelStatus celi_fail_unknown(const CelField *table, const char *name);
/// Text of the field at `value` (its own address, not its config's); the length as snprintf.
int celi_field_text(const CelField *field, const void *value, char *text, size_t size);

#endif
