/// Field tables: one static table a config struct, from which defaults, validation, command-line
/// flags, YAML, Python keywords, help and docs are all made.
#ifndef CELSIUS_FIELD_H
#define CELSIUS_FIELD_H
#include "celsius/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
CEL_BEGIN

#define CEL_TEXT_MAX 64   ///< bytes of a string field, with its zero
#define CEL_PATH_MAX 1024 ///< bytes of a path field, with its zero
#define CEL_LIST_MAX 16   ///< entries of an int list

/// A list of whole numbers, such as the widths of hidden layers. Text: "64,64" or "[64, 64]".
typedef struct CelIntList {
  int32_t n;
  int32_t v[CEL_LIST_MAX];
} CelIntList;

/// A value that may change as training goes on. Text: "3e-4" (constant) or "lin_3e-4" (falls linearly
/// to zero over the planned steps). A callback can only be set from code and is saved as "callback".
typedef enum CelScheduleKind { CEL_CONSTANT, CEL_LINEAR, CEL_CALLBACK } CelScheduleKind;
typedef struct CelSchedule {
  CelScheduleKind kind;
  double value; ///< constant, or the value at the start
  double (*callback)(double progress_remaining,
                     void *user); ///< progress_remaining: 1 at the start, 0 at the end
  void *user;
} CelSchedule;
/// The value at `progress_remaining` in [0, 1].
CEL_API double cel_schedule_at(const CelSchedule *schedule, double progress_remaining);

typedef enum CelFieldType {
  CEL_FIELD_BOOL,     ///< bool
  CEL_FIELD_INT,      ///< int64_t
  CEL_FIELD_U64,      ///< uint64_t
  CEL_FIELD_DOUBLE,   ///< double
  CEL_FIELD_ENUM,     ///< int32_t: index into `choices`
  CEL_FIELD_STRING,   ///< char[CEL_TEXT_MAX]
  CEL_FIELD_PATH,     ///< char[CEL_PATH_MAX]
  CEL_FIELD_INT_LIST, ///< CelIntList
  CEL_FIELD_SCHEDULE, ///< CelSchedule
  /// double; the text "auto" is NAN and means: chosen by the library. Where the next row is a double called NAME_init,
  /// "auto_X" is "auto" and sets that one to X.
  CEL_FIELD_AUTO,
  CEL_FIELD_GROUP ///< a nested struct with a table of its own, "--env.KEY"
} CelFieldType;

/// One field. A table ends with a row whose name is NULL.
///
/// Numbers are decimal in any locale: "3", ".5", "1e-3"; whole ones may be "1e6". Hexadecimal, a needless
/// zero in front and anything behind the number are refused. Infinity and NaN are refused unless the
/// field's own default is infinite or NaN. Booleans: true/false, yes/no, on/off, 1/0. Texts are UTF-8 without
/// control characters.
typedef struct CelField {
  const char *name; ///< snake_case; the flag is "--name" with '_' or '-' alike
  CelFieldType type;
  size_t offset;   ///< offsetof in the config struct
  const char *def; ///< default as text, read by the same parser as a user's; NULL: zero, empty
  double min,
      max; ///< inclusive range of numbers (of a list's entries, a schedule's value); min < max or unchecked
  const char *unit;             ///< "" when it has none
  const char *choices;          ///< enum: "relu|tanh|silu"
  const struct CelField *group; ///< nested table
  const char *doc;              ///< one line
  const char *source;           ///< where it comes from: an equation or a paper; "" when obvious
} CelField;

/// Fills a config with its table's defaults.
CEL_API void cel_fields_default(const CelField *table, void *config);
/// Sets one field from text, checked; `name` may be dotted ("env.gravity").
/// Errors: CEL_E_NAME (names the nearest), CEL_E_TYPE, CEL_E_RANGE (value, range, unit).
CEL_API CelStatus cel_fields_set(const CelField *table, void *config, const char *name,
                                 const char *text) CEL_WARN_UNUSED;
/// The row that "auto_X" sets to X; NULL where the field takes no such text.
CEL_API const CelField *cel_field_start(const CelField *field);
/// Writes one field as text that `set` reads back to the same bits. Returns the length that it has or
/// would have, like snprintf; -1 when there is no such field.
CEL_API int cel_fields_get(const CelField *table, const void *config, const char *name, char *text,
                           size_t size);
/// Checks every field of a config that was filled in by code (range, enum index, strings ended).
CEL_API CelStatus cel_fields_check(const CelField *table, const void *config) CEL_WARN_UNUSED;
/// Checks a table itself: names, choices, and defaults that its own rows accept. For a test of every
/// table, and for tables that come from elsewhere (an environment of the user's).
/// Errors: CEL_E_NAME, CEL_E_TYPE, CEL_E_RANGE, CEL_E_ARGUMENT.
CEL_API CelStatus cel_fields_check_table(const CelField *table) CEL_WARN_UNUSED;
/// The row of a (dotted) name, or NULL; '-' and '_' are alike.
CEL_API const CelField *cel_fields_find(const CelField *table, const char *name);
/// The nearest name in the table by edit distance (dotted names included), or NULL when none is near.
/// The text lives in a buffer of the calling thread.
CEL_API const char *cel_fields_nearest(const CelField *table, const char *name);

CEL_END
#endif
