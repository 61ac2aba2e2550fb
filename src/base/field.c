/// Field tables: reading values from text, checking them, and writing them as text.
///
/// Text becomes a value in three steps: find the name (celi_field_locate), parse the text by type
/// (parse_...), check the value against the table's row (check_...). cel_fields_check runs only the
/// third step, on configs that a program filled in.
#include "base/field.h"
#include "base/arguments.h"
#include "base/base.h"
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAME_ROOM 192 // bytes of a dotted name and its terminating zero

double cel_schedule_at(const CelSchedule *schedule, double progress_remaining) {
  CELI_NEED_OR(schedule, (double)NAN);
  if (schedule->kind == CEL_CALLBACK) CELI_NEED_OR(schedule->callback, (double)NAN);
  CELI_FLOATS(CELI_IEEE);
  double value = schedule->value;
  CELI_PIN(progress_remaining);
  if (schedule->kind == CEL_LINEAR) value = value * progress_remaining;
  if (schedule->kind == CEL_CALLBACK)
    value = schedule->callback(progress_remaining, schedule->user);
  celi_floats_keep();
  CELI_PIN(value);
  return value;
}

// ---- Finding

const CelField *celi_field_locate(const CelField *table, const char *name, size_t *offset) {
  *offset = 0;
  while (table != NULL) {
    const char *dot = strchr(name, '.');
    size_t n = dot == NULL ? strlen(name) : (size_t)(dot - name);
    char head[NAME_ROOM];
    if (n >= sizeof head) return NULL;
    memcpy(head, name, n);
    head[n] = 0;
    const CelField *field = table;
    while (field->name != NULL && !celi_name_equal(field->name, head)) field++;
    if (field->name == NULL) return NULL;
    *offset += field->offset;
    if (dot == NULL) return field;
    table = field->type == CEL_FIELD_GROUP ? field->group : NULL;
    name = dot + 1;
  }
  return NULL;
}

const CelField *cel_fields_find(const CelField *table, const char *name) {
  CELI_NEED_OR(name, NULL);
  size_t offset;
  return celi_field_locate(table, name, &offset);
}

// Tries every name of `table` and of its groups. prefix: the dotted name of the table. The last
// part of the wanted or found name may match alone ("gravity" for "env.gravity"), which counts as
// one more edit.
static void nearest_below(const CelField *table, const char *prefix, CeliNearest *nearest,
                          char best[NAME_ROOM]) {
  for (const CelField *field = table; field->name != NULL; field++) {
    char name[NAME_ROOM];
    int n = snprintf(name, sizeof name, "%s%s", prefix, field->name);
    if (n < 0 || n + 1 >= (int)sizeof name) continue;
    if (field->type != CEL_FIELD_GROUP) {
      bool better = celi_nearest_try(nearest, name);
      CeliNearest leaf = {.wanted = nearest->wanted};
      if (*prefix != 0 && !better && celi_nearest_try(&leaf, field->name) &&
          (nearest->best == NULL || leaf.distance + 1 < nearest->distance)) {
        nearest->distance = leaf.distance + 1;
        better = true;
      }
      if (better) nearest->best = strcpy(best, name);
      continue;
    }
    strcpy(name + n, ".");
    nearest_below(field->group, name, nearest, best);
  }
}

const char *cel_fields_nearest(const CelField *table, const char *name) {
  CELI_NEED_OR(table, NULL);
  CELI_NEED_OR(name, NULL);
  CELI_FLOATS(CELI_IEEE);
  static _Thread_local char best[NAME_ROOM];
  CeliNearest nearest = {.wanted = name};
  nearest_below(table, "", &nearest, best);
  return nearest.best;
}

CelStatus celi_fail_unknown(const CelField *table, const char *name) {
  const char *near = cel_fields_nearest(table, name);
  if (near != NULL)
    return cel_fail(CEL_E_NAME, "no field \"%s\"; did you mean \"%s\"?", name, near);
  char all[512] = "";
  size_t used = 0;
  for (const CelField *field = table; field->name != NULL && used < 400; field++) {
    int n = snprintf(all + used, sizeof all - used, "%s%s", used > 0 ? ", " : "", field->name);
    used += n > 0 ? (size_t)n : 0;
  }
  return cel_fail(CEL_E_NAME, "no field \"%s\"; the table %s%s%s", name,
                  used > 0 ? "has: " : "is empty", all, used >= 400 ? " ..." : "");
}

static size_t field_size(const CelField *field) {
  switch (field->type) {
  case CEL_FIELD_BOOL: return sizeof(bool);
  case CEL_FIELD_INT: return sizeof(int64_t);
  case CEL_FIELD_U64: return sizeof(uint64_t);
  case CEL_FIELD_DOUBLE:
  case CEL_FIELD_AUTO: return sizeof(double);
  case CEL_FIELD_ENUM: return sizeof(int32_t);
  case CEL_FIELD_STRING: return CEL_TEXT_MAX;
  case CEL_FIELD_PATH: return CEL_PATH_MAX;
  case CEL_FIELD_INT_LIST: return sizeof(CelIntList);
  case CEL_FIELD_SCHEDULE: return sizeof(CelSchedule);
  case CEL_FIELD_GROUP: return celi_fields_extent(field->group);
  case CEL_FIELD_INTERVAL: return sizeof(CelInterval);
  }
  return 0;
}

size_t celi_fields_extent(const CelField *table) {
  size_t extent = 0;
  for (const CelField *field = table; field->name != NULL; field++)
    if (field->offset + field_size(field) > extent) extent = field->offset + field_size(field);
  return extent;
}

// ---- Checking values

static CelStatus fail_range(const CelField *field, const char *name, const char *value) {
  char low[CELI_NUMBER_MAX], high[CELI_NUMBER_MAX];
  const char *unit = field->unit == NULL ? "" : field->unit;
  return cel_fail(CEL_E_RANGE, "%s: %s is out of range; it must be %s to %s%s%s", name, value,
                  celi_double_text(low, field->min), celi_double_text(high, field->max),
                  *unit != 0 ? " " : "", unit);
}

static bool in_range(const CelField *field, double value) {
  return !(field->min < field->max) || (value >= field->min && value <= field->max);
}

static CelStatus check_double(const CelField *field, const char *name, double value) {
  char text[CELI_NUMBER_MAX];
  if (!isfinite(value)) { // allowed only if the default is not finite either
    double def;
    bool alike = field->def != NULL && celi_parse_double(field->def, &def) == CELI_NUMBER_OK &&
                 (isnan(value) ? isnan(def) : isinf(def));
    if (alike) return CEL_OK;
    return cel_fail(CEL_E_RANGE, "%s: the value is %s; it must be finite", name,
                    celi_double_text(text, value));
  }
  if (in_range(field, value)) return CEL_OK;
  return fail_range(field, name, celi_double_text(text, value));
}

static CelStatus check_int(const CelField *field, const char *name, int64_t value) {
  char text[CELI_NUMBER_MAX];
  if (in_range(field, (double)value)) return CEL_OK;
  snprintf(text, sizeof text, "%lld", (long long)value);
  return fail_range(field, name, text);
}

static CelStatus check_u64(const CelField *field, const char *name, uint64_t value) {
  char text[CELI_NUMBER_MAX];
  if (in_range(field, (double)value)) return CEL_OK;
  snprintf(text, sizeof text, "%llu", (unsigned long long)value);
  return fail_range(field, name, text);
}

static CelStatus check_schedule(const CelField *field, const char *name,
                                const CelSchedule *schedule) {
  switch (schedule->kind) {
  case CEL_CONSTANT:
  case CEL_LINEAR: return check_double(field, name, schedule->value);
  case CEL_CALLBACK:
    if (schedule->callback != NULL) return CEL_OK;
    return cel_fail(CEL_E_RANGE, "%s: the schedule has kind CEL_CALLBACK but no callback", name);
  }
  return cel_fail(CEL_E_RANGE, "%s: the schedule's kind is %d, which does not exist", name,
                  (int)schedule->kind);
}

/// Whether the text "auto", which is n = -1, is a value of this list.
static bool may_be_auto(const CelField *field) {
  return field->def != NULL && strcmp(field->def, "auto") == 0;
}

static CelStatus check_list(const CelField *field, const char *name, const CelIntList *list) {
  if (list->n == -1 && may_be_auto(field)) return CEL_OK;
  if (list->n < 0 || list->n > CEL_LIST_MAX)
    return cel_fail(CEL_E_RANGE, "%s: the list has %d entries; it must have 0 to %d", name,
                    (int)list->n, CEL_LIST_MAX);
  for (int i = 0; i < list->n; i++) CELI_TRY(check_int(field, name, list->v[i]));
  return CEL_OK;
}

/// Whether the ends of an interval may be infinite.
static bool may_be_unbounded(const CelField *field) {
  return field->def != NULL && strstr(field->def, "inf") != NULL;
}

static CelStatus check_interval(const CelField *field, const char *name,
                                const CelInterval *interval) {
  const double ends[2] = {interval->low, interval->high};
  char low[CELI_NUMBER_MAX], high[CELI_NUMBER_MAX];
  for (int i = 0; i < 2; i++) {
    celi_double_text(low, ends[i]);
    if (isnan(ends[i]) || (isinf(ends[i]) && !may_be_unbounded(field)))
      return cel_fail(CEL_E_RANGE, "%s: an end of the interval is %s; it must be finite", name,
                      low);
    if (isfinite(ends[i]) && !in_range(field, ends[i])) return fail_range(field, name, low);
  }
  if (interval->low <= interval->high) return CEL_OK;
  return cel_fail(CEL_E_RANGE, "%s: the interval's low end, %s, is above its high end, %s", name,
                  celi_double_text(low, interval->low), celi_double_text(high, interval->high));
}

static CelStatus check_text(const char *name, const char *text, size_t room) {
  if (memchr(text, 0, room) == NULL)
    return cel_fail(CEL_E_RANGE, "%s: the text is longer than %zu bytes or has no terminating zero",
                    name, room - 1);
  if (!celi_text_plain(text))
    return cel_fail(CEL_E_RANGE, "%s: the text contains control characters or is not UTF-8", name);
  return CEL_OK;
}

// Finds the choice at `index` of "a|b|c". Returns its length, or -1 if the index is out of range.
// *begin: its first letter.
static int choice_at(const CelField *field, int32_t index, const char **begin) {
  const char *choice = field->choices;
  for (; index > 0 && choice != NULL; index--) {
    choice = strchr(choice, '|');
    if (choice != NULL) choice++;
  }
  if (index < 0 || choice == NULL) return -1;
  *begin = choice;
  return (int)strcspn(choice, "|");
}

static CelStatus check_enum(const CelField *field, const char *name, int32_t value) {
  const char *choice;
  if (choice_at(field, value, &choice) >= 0) return CEL_OK;
  return cel_fail(CEL_E_RANGE, "%s: the value is %d, which is not an index into %s", name,
                  (int)value, field->choices);
}

static CelStatus check_value(const CelField *field, const char *name, const void *value) {
  switch (field->type) {
  case CEL_FIELD_BOOL: {
    unsigned char byte; // reading a bool with another value than 0 or 1 is undefined
    memcpy(&byte, value, 1);
    return byte <= 1 ? CEL_OK : cel_fail(CEL_E_RANGE, "%s: the value must be true or false", name);
  }
  case CEL_FIELD_INT: return check_int(field, name, *(const int64_t *)value);
  case CEL_FIELD_U64: return check_u64(field, name, *(const uint64_t *)value);
  case CEL_FIELD_DOUBLE: return check_double(field, name, *(const double *)value);
  case CEL_FIELD_AUTO:
    return isnan(*(const double *)value) ? CEL_OK
                                         : check_double(field, name, *(const double *)value);
  case CEL_FIELD_ENUM: return check_enum(field, name, *(const int32_t *)value);
  case CEL_FIELD_STRING: return check_text(name, value, CEL_TEXT_MAX);
  case CEL_FIELD_PATH: return check_text(name, value, CEL_PATH_MAX);
  case CEL_FIELD_INT_LIST: return check_list(field, name, value);
  case CEL_FIELD_SCHEDULE: return check_schedule(field, name, value);
  case CEL_FIELD_INTERVAL: return check_interval(field, name, value);
  case CEL_FIELD_GROUP: break;
  }
  return cel_fail(CEL_E_TYPE, "%s: this is a group of fields, which has no value", name);
}

static CelStatus check_below(const CelField *table, const char *prefix, const void *config) {
  for (const CelField *field = table; field->name != NULL; field++) {
    char name[NAME_ROOM];
    const char *value = (const char *)config + field->offset;
    bool group = field->type == CEL_FIELD_GROUP;
    snprintf(name, sizeof name, "%.120s%.64s%s", prefix, field->name, group ? "." : "");
    CELI_TRY(group ? check_below(field->group, name, value) : check_value(field, name, value));
  }
  return CEL_OK;
}

CelStatus cel_fields_check(const CelField *table, const void *config) {
  CELI_NEED(table);
  CELI_NEED(config);
  CELI_FLOATS(CELI_IEEE);
  return check_below(table, "", config);
}

// ---- Text to values

static CelStatus fail_number(CeliNumber problem, const char *name, const char *text,
                             const char *what) {
  if (problem == CELI_NUMBER_LARGE)
    return cel_fail(CEL_E_RANGE, "%s: %s is too large for %s", name, text, what);
  if (problem == CELI_NUMBER_BROKEN)
    return cel_fail(CEL_E_TYPE, "%s: \"%s\" has a fraction; the value must be %s", name, text,
                    what);
  const char *digits = text + (*text == '-' || *text == '+');
  if (digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X'))
    return cel_fail(CEL_E_TYPE, "%s: \"%s\" is hexadecimal; write the number in decimal", name,
                    text);
  return cel_fail(CEL_E_TYPE, "%s: \"%s\" is not %s", name, text, what);
}

static CelStatus parse_bool(const char *name, const char *text, bool *out) {
  static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
  for (int i = 0; i < 8; i++) {
    if (strcasecmp(text, words[i]) != 0) continue;
    *out = i % 2 == 1;
    return CEL_OK;
  }
  return cel_fail(CEL_E_TYPE, "%s: \"%s\" is not true or false", name, text);
}

static CelStatus parse_int(const CelField *field, const char *name, const char *text,
                           int64_t *out) {
  int64_t value = 0;
  CeliNumber problem = celi_parse_i64(text, &value);
  if (problem != CELI_NUMBER_OK) return fail_number(problem, name, text, "a whole number");
  CELI_TRY(check_int(field, name, value));
  *out = value;
  return CEL_OK;
}

static CelStatus parse_u64(const CelField *field, const char *name, const char *text,
                           uint64_t *out) {
  uint64_t value = 0;
  CeliNumber problem = celi_parse_u64(text, &value);
  if (problem == CELI_NUMBER_LARGE && *text == '-')
    return cel_fail(CEL_E_RANGE, "%s: %s is negative; it must be 0 to 18446744073709551615", name,
                    text);
  if (problem != CELI_NUMBER_OK)
    return fail_number(problem, name, text, "a whole number from 0 up");
  CELI_TRY(check_u64(field, name, value));
  *out = value;
  return CEL_OK;
}

static CelStatus parse_double(const CelField *field, const char *name, const char *text,
                              double *out) {
  double value = 0;
  CeliNumber problem = celi_parse_double(text, &value);
  const char *wanted = field->type == CEL_FIELD_AUTO ? "a number or auto" : "a number";
  if (problem != CELI_NUMBER_OK) return fail_number(problem, name, text, wanted);
  CELI_TRY(check_double(field, name, value));
  *out = value;
  return CEL_OK;
}

static CelStatus parse_schedule(const CelField *field, const char *name, const char *text,
                                CelSchedule *out) {
  if (strcmp(text, "callback") == 0) {
    if (out->kind == CEL_CALLBACK && out->callback != NULL) return CEL_OK;
    return cel_fail(CEL_E_TYPE, "%s: only a program can set a callback", name);
  }
  CelSchedule schedule = {.kind = CEL_CONSTANT};
  if (strncmp(text, "lin_", 4) == 0) schedule.kind = CEL_LINEAR;
  const char *number = schedule.kind == CEL_LINEAR ? text + 4 : text;
  CeliNumber problem = celi_parse_double(number, &schedule.value);
  if (problem != CELI_NUMBER_OK)
    return fail_number(problem, name, text, "a number or a schedule (\"3e-4\", \"lin_3e-4\")");
  CELI_TRY(check_schedule(field, name, &schedule));
  *out = schedule;
  return CEL_OK;
}

static CelStatus parse_enum(const CelField *field, const char *name, const char *text,
                            int32_t *out) {
  char names[16][CEL_TEXT_MAX];
  CeliNearest nearest = {.wanted = text};
  const char *choice;
  int n;
  for (int32_t i = 0; (n = choice_at(field, i, &choice)) >= 0; i++) {
    if ((int)strlen(text) == n && memcmp(text, choice, (size_t)n) == 0) {
      *out = i;
      return CEL_OK;
    }
    if (i >= 16 || n >= CEL_TEXT_MAX) continue;
    memcpy(names[i], choice, (size_t)n);
    names[i][n] = 0;
    celi_nearest_try(&nearest, names[i]);
  }
  if (nearest.best != NULL)
    return cel_fail(CEL_E_RANGE, "%s: \"%s\" is not one of %s; did you mean \"%s\"?", name, text,
                    field->choices, nearest.best);
  return cel_fail(CEL_E_RANGE, "%s: \"%s\" is not one of %s", name, text, field->choices);
}

static CelStatus parse_text(const char *name, const char *text, size_t room, char *out) {
  if (strlen(text) >= room)
    return cel_fail(CEL_E_RANGE, "%s: the text has %zu bytes; the limit is %zu", name, strlen(text),
                    room - 1);
  CELI_TRY(check_text(name, text, strlen(text) + 1));
  memset(out, 0, room); // so that equal texts are equal in all bytes
  memcpy(out, text, strlen(text) + 1);
  return CEL_OK;
}

// Parses the number that begins at *text. Moves *text behind the number and the blanks after it.
static CelStatus parse_entry(const CelField *field, const char *name, const char **text,
                             int64_t *out) {
  char number[CEL_TEXT_MAX];
  size_t n = strcspn(*text, ", ]");
  if (n == 0 || n >= sizeof number)
    return cel_fail(CEL_E_TYPE, "%s: the value must be a list of whole numbers such as \"64,64\"",
                    name);
  memcpy(number, *text, n);
  number[n] = 0;
  *text += n;
  *text += strspn(*text, " ");
  CELI_TRY(parse_int(field, name, number, out));
  if (*out < INT32_MIN || *out > INT32_MAX)
    return cel_fail(CEL_E_RANGE, "%s: %s is too large for an entry of a list", name, number);
  return CEL_OK;
}

static CelStatus parse_list(const CelField *field, const char *name, const char *text,
                            CelIntList *out) {
  CelIntList list = {0};
  const char *at = text;
  if (may_be_auto(field) && strcmp(text, "auto") == 0) {
    out->n = -1;
    return CEL_OK;
  }
  bool bracket = *at == '[';
  at += bracket;
  at += strspn(at, " ");
  while (*at != 0 && *at != ']') {
    if (list.n == CEL_LIST_MAX)
      return cel_fail(CEL_E_RANGE, "%s: the list has more than %d entries, the limit", name,
                      CEL_LIST_MAX);
    int64_t value = 0;
    CELI_TRY(parse_entry(field, name, &at, &value));
    list.v[list.n++] = (int32_t)value;
    if (*at != ',') break;
    at++;
    at += strspn(at, " ");
    if (*at == 0 || *at == ']') at--; // nothing follows the comma; the check below fails
    if (*at == ',') break;
  }
  if (bracket && *at == ']') {
    at++;
    bracket = false;
  }
  if (*at != 0 || bracket)
    return cel_fail(CEL_E_TYPE, "%s: \"%s\" is not a list of whole numbers such as \"64,64\"", name,
                    text);
  *out = list;
  return CEL_OK;
}

// Parses "low,high" or "[low, high]".
static CelStatus parse_interval(const CelField *field, const char *name, const char *text,
                                CelInterval *out) {
  const char *at = text;
  const bool bracket = *at == '[';
  double ends[2] = {0, 0};
  bool good = true;
  at += bracket;
  for (int i = 0; i < 2 && good; i++) {
    char number[CEL_TEXT_MAX];
    at += strspn(at, " ");
    const size_t n = strcspn(at, ", ]");
    good = n > 0 && n < sizeof number;
    if (!good) break;
    memcpy(number, at, n);
    number[n] = 0;
    good = celi_parse_double(number, &ends[i]) == CELI_NUMBER_OK;
    at += n;
    at += strspn(at, " ");
    if (i == 0) good = good && *at++ == ',';
  }
  if (good && bracket) good = *at++ == ']';
  if (!good || *at != 0)
    return cel_fail(CEL_E_TYPE, "%s: \"%s\" is not an interval such as \"0.2,1\"", name, text);
  const CelInterval interval = {ends[0], ends[1]};
  CELI_TRY(check_interval(field, name, &interval));
  *out = interval;
  return CEL_OK;
}

static CelStatus parse_value(const CelField *field, const char *name, const char *text,
                             void *value) {
  switch (field->type) {
  case CEL_FIELD_BOOL: return parse_bool(name, text, value);
  case CEL_FIELD_INT: return parse_int(field, name, text, value);
  case CEL_FIELD_U64: return parse_u64(field, name, text, value);
  case CEL_FIELD_DOUBLE: return parse_double(field, name, text, value);
  case CEL_FIELD_AUTO:
    if (strcmp(text, "auto") != 0) return parse_double(field, name, text, value);
    *(double *)value = (double)NAN;
    return CEL_OK;
  case CEL_FIELD_ENUM: return parse_enum(field, name, text, value);
  case CEL_FIELD_STRING: return parse_text(name, text, CEL_TEXT_MAX, value);
  case CEL_FIELD_PATH: return parse_text(name, text, CEL_PATH_MAX, value);
  case CEL_FIELD_INT_LIST: return parse_list(field, name, text, value);
  case CEL_FIELD_SCHEDULE: return parse_schedule(field, name, text, value);
  case CEL_FIELD_INTERVAL: return parse_interval(field, name, text, value);
  case CEL_FIELD_GROUP: break;
  }
  return cel_fail(CEL_E_TYPE, "%s: this is a group of fields; set one of them, such as \"%s.%s\"",
                  name, name,
                  field->group != NULL && field->group->name != NULL ? field->group->name : "...");
}

const CelField *cel_field_start(const CelField *field) {
  CELI_NEED_OR(field, NULL);
  static const char tail[] = "_init";
  if (field->type != CEL_FIELD_AUTO || field->name == NULL || field[1].name == NULL) return NULL;
  const size_t n = strlen(field->name);
  if (strncmp(field[1].name, field->name, n) != 0 || strcmp(field[1].name + n, tail) != 0)
    return NULL;
  return field[1].type == CEL_FIELD_DOUBLE ? &field[1] : NULL;
}

CelStatus cel_fields_set(const CelField *table, void *config, const char *name, const char *text) {
  CELI_NEED(table);
  CELI_NEED(config);
  CELI_NEED(name);
  CELI_NEED(text);
  CELI_FLOATS(CELI_IEEE);
  size_t offset;
  const CelField *field = celi_field_locate(table, name, &offset);
  if (field == NULL) return celi_fail_unknown(table, name);
  const CelField *start = cel_field_start(field);
  if (start != NULL && strncmp(text, "auto_", 5) == 0) {
    CELI_TRY(parse_double(start, name, text + 5,
                          (double *)((char *)config + offset - field->offset + start->offset)));
    text = "auto";
  }
  return parse_value(field, name, text, (char *)config + offset);
}

void cel_fields_default(const CelField *table, void *config) {
  CELI_NEED_OR(table, );
  CELI_NEED_OR(config, );
  CELI_FLOATS(CELI_IEEE);
  for (const CelField *field = table; field->name != NULL; field++) {
    char *value = (char *)config + field->offset;
    if (field->type == CEL_FIELD_GROUP)
      cel_fields_default(field->group, value);
    else {
      memset(value, 0, field_size(field));
      CelStatus status =
          field->def == NULL ? CEL_OK : parse_value(field, field->name, field->def, value);
      CEL_ASSERT(status == CEL_OK); // else the table's default is wrong, see cel_fields_check_table
    }
  }
}

CelStatus cel_fields_check_table(const CelField *table) {
  CELI_NEED(table);
  CELI_FLOATS(CELI_IEEE);
  for (const CelField *field = table; field->name != NULL; field++) {
    const char *name = field->name;
    if (*name == 0 || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(name))
      return cel_fail(CEL_E_NAME, "field \"%s\": the name may contain only a-z, 0-9 and _", name);
    if (strlen(name) >= CEL_TEXT_MAX)
      return cel_fail(CEL_E_NAME, "field \"%s\": the name is longer than %d bytes, the limit", name,
                      CEL_TEXT_MAX - 1);
    for (const CelField *other = table; other != field; other++)
      if (celi_name_equal(other->name, name))
        return cel_fail(CEL_E_NAME, "field \"%s\" appears twice", name);
    if (field->doc == NULL || *field->doc == 0)
      return cel_fail(CEL_E_ARGUMENT, "field \"%s\" has no doc", name);
    if (field->type == CEL_FIELD_ENUM && (field->choices == NULL || *field->choices == 0))
      return cel_fail(CEL_E_ARGUMENT, "field \"%s\" has no choices", name);
    if (field->type == CEL_FIELD_GROUP) {
      if (field->group == NULL)
        return cel_fail(CEL_E_ARGUMENT, "field \"%s\" has no table of its group", name);
      CELI_TRY(cel_fail_in(cel_fields_check_table(field->group), "%s: ", name));
      continue;
    }
    _Alignas(max_align_t) char value[CEL_PATH_MAX] = {0}; // large enough for every type
    const CelStatus status = field->def != NULL ? parse_value(field, name, field->def, value)
                                                : check_value(field, name, value);
    CELI_TRY(cel_fail_in(status, "default of "));
  }
  return CEL_OK;
}

// ---- Values to text

static int list_text(const CelIntList *list, char *text, size_t size) {
  char all[CEL_LIST_MAX * 12 + 4] = "[]";
  int n = 0;
  if (list->n == -1) return snprintf(text, size, "auto");
  for (int i = 0; i < list->n && i < CEL_LIST_MAX; i++)
    n += snprintf(all + n, sizeof all - (size_t)n, "%s%d", i > 0 ? "," : "", (int)list->v[i]);
  return snprintf(text, size, "%s", all);
}

static int interval_text(const CelInterval *interval, char *text, size_t size) {
  char low[CELI_NUMBER_MAX], high[CELI_NUMBER_MAX];
  return snprintf(text, size, "%s,%s", celi_double_text(low, interval->low),
                  celi_double_text(high, interval->high));
}

static int schedule_text(const CelSchedule *schedule, char *text, size_t size) {
  char number[CELI_NUMBER_MAX];
  if (schedule->kind == CEL_CALLBACK) return snprintf(text, size, "callback");
  return snprintf(text, size, "%s%s", schedule->kind == CEL_LINEAR ? "lin_" : "",
                  celi_double_text(number, schedule->value));
}

int celi_field_text(const CelField *field, const void *value, char *text, size_t size) {
  char number[CELI_NUMBER_MAX];
  const char *choice = "";
  switch (field->type) {
  case CEL_FIELD_BOOL: return snprintf(text, size, "%s", *(const bool *)value ? "true" : "false");
  case CEL_FIELD_INT: return snprintf(text, size, "%lld", (long long)*(const int64_t *)value);
  case CEL_FIELD_U64:
    return snprintf(text, size, "%llu", (unsigned long long)*(const uint64_t *)value);
  case CEL_FIELD_AUTO:
    if (isnan(*(const double *)value)) return snprintf(text, size, "auto");
    return snprintf(text, size, "%s", celi_double_text(number, *(const double *)value));
  case CEL_FIELD_DOUBLE:
    return snprintf(text, size, "%s", celi_double_text(number, *(const double *)value));
  case CEL_FIELD_ENUM: {
    int n = choice_at(field, *(const int32_t *)value, &choice);
    return snprintf(text, size, "%.*s", n > 0 ? n : 0, choice);
  }
  case CEL_FIELD_STRING: return snprintf(text, size, "%.*s", CEL_TEXT_MAX - 1, (const char *)value);
  case CEL_FIELD_PATH: return snprintf(text, size, "%.*s", CEL_PATH_MAX - 1, (const char *)value);
  case CEL_FIELD_INT_LIST: return list_text(value, text, size);
  case CEL_FIELD_SCHEDULE: return schedule_text(value, text, size);
  case CEL_FIELD_INTERVAL: return interval_text(value, text, size);
  case CEL_FIELD_GROUP: break;
  }
  return -1;
}

int cel_fields_get(const CelField *table, const void *config, const char *name, char *text,
                   size_t size) {
  CELI_NEED_OR(table, -1);
  CELI_NEED_OR(config, -1);
  CELI_NEED_OR(name, -1);
  if (size > 0) CELI_NEED_OR(text, -1);
  CELI_FLOATS(CELI_IEEE);
  size_t offset;
  const CelField *field = celi_field_locate(table, name, &offset);
  if (field == NULL) return -1;
  return celi_field_text(field, (const char *)config + offset, text, size);
}

bool celi_field_omitted(const CelField *field, const char *text) {
  CelField alone[] = {*field, {0}};
  _Alignas(max_align_t) char value[CEL_PATH_MAX] = {0};
  char standard[CEL_PATH_MAX];
  if (!field->omit_default) return false;
  alone[0].offset = 0;
  CEL_ASSERT(celi_fields_extent(alone) <= sizeof value);
  cel_fields_default(alone, value);
  celi_field_text(alone, value, standard, sizeof standard);
  return strcmp(standard, text) == 0;
}
