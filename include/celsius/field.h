/// Field tables: one static table per config struct.
///
/// Defaults, validation, command-line flags, YAML, help and docs all come from that table.
#ifndef CELSIUS_FIELD_H
#define CELSIUS_FIELD_H
#include "celsius/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
CEL_BEGIN

#define CEL_TEXT_MAX 64   ///< bytes of a string field, with its final zero
#define CEL_PATH_MAX 1024 ///< bytes of a path field, with its final zero
#define CEL_LIST_MAX 16   ///< entries of an integer list

/// A list of integers, such as the widths of hidden layers. Text: "64,64" or "[64, 64]". A field
/// whose default is "auto" also accepts that text, which lets the library choose.
typedef struct CelIntList {
  int32_t n;               ///< entries in use; -1: "auto"
  int32_t v[CEL_LIST_MAX]; ///< (n,)
} CelIntList;

/// An interval of numbers, such as the heights at which a robot counts as healthy. Text: "0.2,1" or
/// "[0.2, 1]".
typedef struct CelInterval {
  double low, high; ///< low <= high; not NaN
} CelInterval;

/// How a schedule changes during training.
typedef enum CelScheduleKind {
  CEL_CONSTANT, ///< stays at `value`; text "3e-4"
  CEL_LINEAR,   ///< falls linearly from `value` to 0 over the planned steps; text "lin_3e-4"
  CEL_CALLBACK  ///< computed by `callback`; only code can set it, and it is saved as "callback"
} CelScheduleKind;

/// A value that may change during training.
typedef struct CelSchedule {
  CelScheduleKind kind;
  double value; ///< the constant, or the value at the start
  /// Called with `user`. progress_remaining is 1 at the start and 0 at the end.
  double (*callback)(double progress_remaining, void *user);
  void *user;
} CelSchedule;
/// Returns the value at `progress_remaining` in [0, 1].
CEL_API double cel_schedule_at(const CelSchedule *schedule, double progress_remaining);

/// Type of a field: the C type of its member.
typedef enum CelFieldType {
  CEL_FIELD_BOOL,     ///< bool
  CEL_FIELD_INT,      ///< int64_t
  CEL_FIELD_U64,      ///< uint64_t
  CEL_FIELD_DOUBLE,   ///< double
  CEL_FIELD_ENUM,     ///< int32_t, or an enum of that size: index into `choices`
  CEL_FIELD_STRING,   ///< char[CEL_TEXT_MAX]
  CEL_FIELD_PATH,     ///< char[CEL_PATH_MAX]
  CEL_FIELD_INT_LIST, ///< CelIntList
  CEL_FIELD_SCHEDULE, ///< CelSchedule
  /// double. The text "auto" is NAN and lets the library choose. Where the next row is a double
  /// called NAME_init, the text "auto_X" means "auto" and sets that row to X.
  CEL_FIELD_AUTO,
  CEL_FIELD_GROUP,   ///< a nested struct with its own table; names are dotted: "--env.KEY"
  CEL_FIELD_INTERVAL ///< CelInterval; both ends are within min and max
} CelFieldType;

/// One field. A table ends with a row whose name is NULL.
///
/// Numbers are decimal in any locale: "3", ".5", "1e-3"; an integer may be "1e6". The parser
/// refuses hexadecimal numbers, needless leading zeros, and text after the number. It refuses
/// infinity and NaN unless the field's own default is infinite or NaN. An end of an interval may be
/// infinite if an end of its default is. Booleans: true/false, yes/no, on/off, 1/0. Texts are UTF-8
/// without control characters.
typedef struct CelField {
  const char *name; ///< snake_case; the flag is "--name", with '_' or '-'
  CelFieldType type;
  size_t offset;   ///< offsetof in the config struct
  const char *def; ///< default as text, read by the parser of user input; NULL: zero or empty
  /// Inclusive range of a number, a list's entries or a schedule's value. Unchecked unless
  /// min < max.
  double min, max;
  const char *unit;             ///< "" or NULL when it has none
  const char *choices;          ///< of an enum: "relu|tanh|silu"
  const struct CelField *group; ///< of a group: its table
  const char *doc;              ///< help text, one line
  const char *source;           ///< equation or paper; "" or NULL when not needed
  /// Models and checkpoints leave the field out while it has its default. So a field that a new
  /// version adds does not change the bytes of files that do not use it.
  bool omit_default;
} CelField;

/// Fills a config with the defaults of its table.
CEL_API void cel_fields_default(const CelField *table, void *config);
/// Sets one field from text and checks it. `name` may be dotted ("env.gravity").
/// Errors: CEL_E_NAME (suggests the nearest name), CEL_E_TYPE, CEL_E_RANGE (value, range, unit).
CEL_API CelStatus cel_fields_set(const CelField *table, void *config, const char *name,
                                 const char *text) CEL_WARN_UNUSED;
/// Returns the row that the text "auto_X" sets to X, or NULL where the field does not accept such
/// text.
CEL_API const CelField *cel_field_start(const CelField *field);
/// Writes one field as text that cel_fields_set reads back to the same bits. Returns the full
/// length of the text, like snprintf, or -1 when there is no such field.
CEL_API int cel_fields_get(const CelField *table, const void *config, const char *name, char *text,
                           size_t size);
/// Checks every field of a config that code filled in: ranges, enum values, final zeros of strings.
/// Errors: CEL_E_RANGE, which names the field.
CEL_API CelStatus cel_fields_check(const CelField *table, const void *config) CEL_WARN_UNUSED;
/// Checks a table itself: names, choices, and that each row accepts its own default. Use it in
/// tests and for tables from elsewhere, such as those of a plug-in.
/// Errors: CEL_E_NAME, CEL_E_TYPE, CEL_E_RANGE, CEL_E_ARGUMENT.
CEL_API CelStatus cel_fields_check_table(const CelField *table) CEL_WARN_UNUSED;
/// Finds the row of a name, which may be dotted. '-' and '_' are equal. Returns NULL when there is
/// none.
CEL_API const CelField *cel_fields_find(const CelField *table, const char *name);
/// Finds the nearest name in the table by edit distance, dotted names included. Returns NULL when
/// none is near. The text is in a buffer of the calling thread, valid until the next call.
CEL_API const char *cel_fields_nearest(const CelField *table, const char *name);

CEL_END
#endif
