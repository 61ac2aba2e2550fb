/// Writing YAML configs by field table. Every field is written, with its doc as a comment.
///
/// Numbers have a point and a signed exponent ("1.0e-5"), so that YAML 1.1 readers recognize them.
/// They have the fewest digits that read back to the same bits. Texts are quoted if a reader could
/// take them for something else.
#include "base/arguments.h"
#include "base/base.h"
#include "base/field.h"
#include "base/yaml.h"
#include <stdio.h>
#include <string.h>

#define COMMENT_COLUMN 36

// ---- Values

// Adds a number in YAML form: "3" -> "3.0", "1e-5" -> "1.0e-5", "inf" -> ".inf". Keeps words.
static void add_number(CeliText *out, const char *text) {
  const char *digits = text + (*text == '-');
  if (strcmp(digits, "inf") == 0 || strcmp(digits, "nan") == 0) {
    celi_text_format(out, "%.*s.%s", (int)(digits - text), text, digits);
    return;
  }
  size_t whole = strspn(digits, "0123456789");
  bool bare = whole > 0 && (digits[whole] == 0 || digits[whole] == 'e');
  int n = (int)(digits - text) + (int)whole;
  celi_text_format(out, "%.*s%s%s", n, text, bare ? ".0" : "", text + n);
}

// Whether every YAML reader reads the text as the same text without quotes.
static bool is_safe_word(const char *text) {
  static const char *const words[] = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"};
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
  static const char more[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789.-/+";
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (celi_edit_distance(words[i], text) == 0) return false; // ignores case
  return *text != 0 && strchr(letters, *text) != NULL && strspn(text, more) == strlen(text);
}

// The code of a character that double-quoted scalars must escape, else 0: line separators (2028,
// 2029), the byte order mark, and two noncharacters. All have 3 bytes.
static unsigned escaped_point(const unsigned char *c) {
  if ((c[0] & 0xf0) != 0xe0) return 0;
  unsigned point = (c[0] & 15u) << 12 | (c[1] & 63u) << 6 | (c[2] & 63u);
  bool odd = point == 0x2028 || point == 0x2029 || point == 0xfeff || point >= 0xfffe;
  return odd ? point : 0;
}

static void add_text(CeliText *out, const char *text) {
  if (is_safe_word(text)) {
    celi_text_add(out, text, strlen(text));
    return;
  }
  celi_text_add(out, "\"", 1);
  for (const char *c = text; *c != 0; c++) {
    unsigned point = escaped_point((const unsigned char *)c);
    if (point != 0) {
      celi_text_format(out, "\\u%04x", point);
      c += 2;
      continue;
    }
    if (*c == '"' || *c == '\\') celi_text_add(out, "\\", 1);
    celi_text_add(out, c, 1);
  }
  celi_text_add(out, "\"", 1);
}

static void add_list(CeliText *out, const CelIntList *list) {
  celi_text_add(out, "[", 1);
  for (int i = 0; i < list->n; i++)
    celi_text_format(out, "%s%d", i > 0 ? ", " : "", (int)list->v[i]);
  celi_text_add(out, "]", 1);
}

static void add_interval(CeliText *out, const CelInterval *interval) {
  char low[CELI_NUMBER_MAX], high[CELI_NUMBER_MAX];
  celi_text_add(out, "[", 1);
  add_number(out, celi_double_text(low, interval->low));
  celi_text_add(out, ", ", 2);
  add_number(out, celi_double_text(high, interval->high));
  celi_text_add(out, "]", 1);
}

static void add_value(CeliText *out, const CelField *field, const void *value) {
  char text[CEL_PATH_MAX];
  celi_field_text(field, value, text,
                  sizeof text); // large enough, because no value is longer than a path
  switch (field->type) {
  case CEL_FIELD_DOUBLE:
  case CEL_FIELD_AUTO:
  case CEL_FIELD_SCHEDULE: add_number(out, text); return;
  case CEL_FIELD_ENUM:
  case CEL_FIELD_STRING:
  case CEL_FIELD_PATH: add_text(out, text); return;
  case CEL_FIELD_INT_LIST:
    if (((const CelIntList *)value)->n < 0) break; // auto
    add_list(out, value);
    return;
  case CEL_FIELD_INTERVAL: add_interval(out, value); return;
  case CEL_FIELD_BOOL:
  case CEL_FIELD_INT:
  case CEL_FIELD_U64:
  case CEL_FIELD_GROUP: break;
  }
  celi_text_add(out, text, strlen(text));
}

// ---- Lines

// Adds "  # doc (unit)" at the comment column. begin: offset of the line's start.
static void add_comment(CeliText *out, size_t begin, const CelField *field) {
  size_t used = out->size - begin;
  int gap = used + 2 < COMMENT_COLUMN ? (int)(COMMENT_COLUMN - used) : 2;
  if (field->doc != NULL && *field->doc != 0) {
    celi_text_format(out, "%*s# ", gap, "");
    for (const char *c = field->doc; *c != 0; c++)
      celi_text_add(out, *c == '\n' || *c == '\r' ? " " : c, 1);
    if (field->unit != NULL && *field->unit != 0) celi_text_format(out, " [%s]", field->unit);
  }
  celi_text_add(out, "\n", 1);
}

static void add_fields(CeliText *out, const CelField *table, const void *config, int indent) {
  for (const CelField *field = table; field->name != NULL; field++) {
    size_t begin = out->size;
    const void *value = (const char *)config + field->offset;
    celi_text_format(out, "%*s%s:", indent, "", field->name);
    bool group = field->type == CEL_FIELD_GROUP, empty = group && field->group->name == NULL;
    if (!group || empty) celi_text_add(out, " ", 1);
    if (empty) celi_text_add(out, "{}", 2);
    if (!group) add_value(out, field, value);
    add_comment(out, begin, field);
    if (group) add_fields(out, field->group, value, indent + 2);
  }
}

CelStatus celi_yaml_format(CeliText *text, const CelYamlSection *sections, int n_sections) {
  for (int i = 0; i < n_sections; i++) {
    const CelYamlSection *section = &sections[i];
    CELI_TRY(cel_fail_in(cel_fields_check(section->table, section->config), "%s%s", section->key,
                         *section->key != 0 ? "." : ""));
    bool top = section->key[0] == 0, empty = section->table->name == NULL;
    if (!top) {
      add_text(text, section->key);
      celi_text_format(text, ":%s\n", empty ? " {}" : "");
    }
    add_fields(text, section->table, section->config, top ? 0 : 2);
  }
  return celi_text_status(text);
}

CelStatus celi_yaml_write_in(const CeliFolder *folder, const char *name,
                             const CelYamlSection *sections, int n_sections) {
  CeliText text = {0};
  CelStatus status = cel_fail_in(celi_yaml_format(&text, sections, n_sections), "%s: ", name);
  if (status == CEL_OK) status = celi_file_write_in(folder, name, text.data, text.size);
  celi_text_free(&text);
  return status;
}

CelStatus cel_yaml_write(const char *path, const CelYamlSection *sections, int n_sections) {
  CELI_NEED(path);
  if (n_sections > 0) CELI_NEED(sections);
  CELI_FLOATS(CELI_IEEE);
  return celi_yaml_write_in(NULL, path, sections, n_sections);
}
