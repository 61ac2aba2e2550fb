/// Field tables: what the files of src/base share in addition to celsius/field.h.
#ifndef CELI_BASE_FIELD_H
#define CELI_BASE_FIELD_H
#include "celsius/field.h"

/// Finds the row of a name, which may be dotted. *offset: the field's offset in the outermost
/// config. Returns NULL if there is no such field. '-' and '_' are equal.
const CelField *celi_field_locate(const CelField *table, const char *name, size_t *offset);
/// Bytes from the start of the config to the end of its last field, including groups.
size_t celi_fields_extent(const CelField *table);
/// Fails with CEL_E_NAME because a table has no field `name`. The message has the nearest name, or
/// all.
CelStatus celi_fail_unknown(const CelField *table, const char *name);
/// Writes the text of a field. value: address of the field itself, not of its config. Returns the
/// length like snprintf.
int celi_field_text(const CelField *field, const void *value, char *text, size_t size);
/// Whether files leave the field out: omit_default is set, and `text` is the text of its default.
bool celi_field_omitted(const CelField *field, const char *text);

#endif
