/// Field tables of learners.
///
/// Each file in algo/fields/ is a group of rows that a table includes. Before its table, a file
/// defines CONFIG (its config struct) and the defaults that the group's first lines name. Tables
/// and groups are laid out by hand: clang-format would sort the includes, and the order of fields
/// is the order in files.
#ifndef CELI_ALGO_FIELDS_H
#define CELI_ALGO_FIELDS_H
#include "celsius/field.h"

#include <stddef.h>

/// The offset of a field in CONFIG.
#define F(field) offsetof(CONFIG, field)

#endif
