/// Reading YAML configs by field table.
///
/// Supports the part of YAML that a config needs: one document with a mapping of keys to scalars,
/// lists of whole numbers, and mappings for the table's groups. Anchors, aliases, tags, complex
/// keys and further documents are errors, so that no file expands to more than its own size.
/// libyaml turns the text into events. cel_fields_set then sets every value in copies of the
/// configs, and in the configs themselves if the whole file is correct.
#include "base/arguments.h"
#include "base/base.h"
#include "base/field.h"
#include "base/yaml.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define FILE_MAX ((size_t)1 << 20)
#define KEY_MAX 192

// A key of the file. Section, field and offset identify a repeated key.
typedef struct Item {
  const CelYamlSection *section;
  const CelField *field;
  size_t offset; // the field's offset in the section's config
  char name[KEY_MAX];
  char *text; // NULL for a group
  size_t line, column;
} Item;

typedef struct Reader {
  yaml_parser_t parser;
  yaml_event_t event; // the current one
  bool has_event;
  const CelYamlSection *sections;
  int n_sections;
  uint64_t *seen; // (n_sections,) line of each section in the file; 0: not there
  Item *items;    // (n_items,) in the order of the file
  size_t n_items, capacity;
} Reader;

// ---- Events

static CelStatus fail_mark(const yaml_mark_t *mark, CelStatus status) {
  return cel_fail_in(status, "line %zu, column %zu: ", mark->line + 1, mark->column + 1);
}

// Puts the position of the current event in front of the message of `status`.
static CelStatus fail_here(const Reader *reader, CelStatus status) {
  return status == CEL_OK ? status : fail_mark(&reader->event.start_mark, status);
}

static CelStatus fail_parser(const yaml_parser_t *parser) {
  const char *problem = parser->problem != NULL ? parser->problem : "no valid YAML";
  if (parser->error == YAML_MEMORY_ERROR)
    return cel_fail(CEL_E_MEMORY, "not enough memory to read the file");
  if (parser->error == YAML_READER_ERROR)
    return cel_fail(CEL_E_FORMAT, "byte %zu: %s", parser->problem_offset + 1, problem);
  cel_fail(CEL_E_FORMAT, "%s%s%s", parser->context != NULL ? parser->context : "",
           parser->context != NULL ? ": " : "", problem);
  return fail_mark(&parser->problem_mark, CEL_E_FORMAT);
}

// Moves to the next event. Fails for events that configs do not need.
static CelStatus next(Reader *reader) {
  if (reader->has_event) yaml_event_delete(&reader->event);
  reader->has_event = false;
  if (!yaml_parser_parse(&reader->parser, &reader->event)) return fail_parser(&reader->parser);
  reader->has_event = true;
  const yaml_event_t *event = &reader->event;
  const yaml_char_t *anchor = NULL, *tag = NULL;
  if (event->type == YAML_ALIAS_EVENT) anchor = event->data.alias.anchor;
  if (event->type == YAML_SCALAR_EVENT) {
    anchor = event->data.scalar.anchor;
    tag = event->data.scalar.tag;
  }
  if (event->type == YAML_SEQUENCE_START_EVENT) {
    anchor = event->data.sequence_start.anchor;
    tag = event->data.sequence_start.tag;
  }
  if (event->type == YAML_MAPPING_START_EVENT) {
    anchor = event->data.mapping_start.anchor;
    tag = event->data.mapping_start.tag;
  }
  if (anchor != NULL)
    return fail_here(reader,
                     cel_fail(CEL_E_FORMAT, "anchors and aliases are not supported (\"%s\")",
                              (const char *)anchor));
  if (tag != NULL)
    return fail_here(reader,
                     cel_fail(CEL_E_FORMAT, "tags are not supported (\"%s\")", (const char *)tag));
  return CEL_OK;
}

// Gets the text of the current scalar. Fails if it contains a zero.
static CelStatus scalar(const Reader *reader, const char **text) {
  *text = (const char *)reader->event.data.scalar.value;
  if (strlen(*text) == reader->event.data.scalar.length) return CEL_OK;
  return fail_here(reader, cel_fail(CEL_E_FORMAT, "the text contains a zero character"));
}

static bool is_null(const Reader *reader) {
  const char *text = (const char *)reader->event.data.scalar.value;
  return reader->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
         (*text == 0 || strcmp(text, "~") == 0 || strcmp(text, "null") == 0 ||
          strcmp(text, "Null") == 0 || strcmp(text, "NULL") == 0);
}

// Reads the key at the current event into `key`, after `prefix`, and moves to its value.
static CelStatus read_key(Reader *reader, const char *prefix, char key[KEY_MAX]) {
  const char *text;
  if (reader->event.type != YAML_SCALAR_EVENT)
    return fail_here(reader, cel_fail(CEL_E_FORMAT, "a key must be a plain name"));
  CELI_TRY(scalar(reader, &text));
  if (strlen(prefix) + strlen(text) >= KEY_MAX)
    return fail_here(reader, cel_fail(CEL_E_NAME, "this key is longer than any field's name"));
  snprintf(key, KEY_MAX, "%s%s", prefix, text);
  return CEL_OK;
}

// Opens the document. *mapping is false if the file is empty or has only comments.
static CelStatus open_document(Reader *reader, bool *mapping) {
  CELI_TRY(next(reader)); // the start of the stream
  CELI_TRY(next(reader));
  *mapping = false;
  if (reader->event.type == YAML_STREAM_END_EVENT) return CEL_OK;
  CELI_TRY(next(reader));
  if (reader->event.type == YAML_SCALAR_EVENT && is_null(reader)) return next(reader);
  if (reader->event.type != YAML_MAPPING_START_EVENT)
    return fail_here(reader, cel_fail(CEL_E_FORMAT, "expected \"key: value\""));
  *mapping = true;
  return CEL_OK;
}

// Checks that the document ends and nothing follows.
static CelStatus close_document(Reader *reader) {
  if (reader->event.type == YAML_STREAM_END_EVENT) return CEL_OK;
  CEL_ASSERT(reader->event.type == YAML_DOCUMENT_END_EVENT);
  CELI_TRY(next(reader));
  if (reader->event.type != YAML_STREAM_END_EVENT)
    return fail_here(
        reader, cel_fail(CEL_E_FORMAT, "the file has a second document; only one is supported"));
  return CEL_OK;
}

// ---- Values

static const char *plain_word(const Reader *reader, const CelField *field, const char *text) {
  bool number = field->type == CEL_FIELD_DOUBLE || field->type == CEL_FIELD_AUTO ||
                field->type == CEL_FIELD_SCHEDULE || field->type == CEL_FIELD_INTERVAL;
  if (!number || reader->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE) return text;
  static const char *const words[][2] = {{".inf", "inf"},   {".Inf", "inf"},   {".INF", "inf"},
                                         {"+.inf", "inf"},  {"+.Inf", "inf"},  {"+.INF", "inf"},
                                         {"-.inf", "-inf"}, {"-.Inf", "-inf"}, {"-.INF", "-inf"},
                                         {".nan", "nan"},   {".NaN", "nan"},   {".NAN", "nan"}};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (strcmp(text, words[i][0]) == 0) return words[i][1];
  return text;
}

// Writes the current value as text for cel_fields_set: "[1,2]" for lists, "inf" for ".inf".
static CelStatus read_list(Reader *reader, const CelField *field, CeliText *text) {
  const char *what = field->type == CEL_FIELD_INTERVAL ? "number" : "whole number";
  celi_text_add(text, "[", 1);
  for (bool first = true;; first = false) {
    const char *entry;
    CELI_TRY(next(reader));
    if (reader->event.type == YAML_SEQUENCE_END_EVENT) break;
    if (reader->event.type != YAML_SCALAR_EVENT)
      return fail_here(reader, cel_fail(CEL_E_TYPE, "a list may contain only %ss", what));
    CELI_TRY(scalar(reader, &entry));
    if (*entry == 0 || strpbrk(entry, ",[] ") != NULL)
      return fail_here(reader, cel_fail(CEL_E_TYPE, "\"%s\" is not a %s", entry, what));
    celi_text_format(text, "%s%s", first ? "" : ",", plain_word(reader, field, entry));
  }
  celi_text_add(text, "]", 1);
  return CEL_OK;
}

static CelStatus read_value(Reader *reader, const CelField *field, const char *name,
                            CeliText *text) {
  const char *value;
  if (reader->event.type == YAML_SEQUENCE_START_EVENT) {
    if (field->type == CEL_FIELD_INT_LIST || field->type == CEL_FIELD_INTERVAL)
      return read_list(reader, field, text);
    return fail_here(
        reader, cel_fail(CEL_E_TYPE, "%s: the value must be a single value, not a list", name));
  }
  if (reader->event.type == YAML_MAPPING_START_EVENT)
    return fail_here(
        reader, cel_fail(CEL_E_TYPE, "%s: the value must be a single value, not a mapping", name));
  if (is_null(reader))
    return fail_here(reader, cel_fail(CEL_E_TYPE, "%s: the value is missing", name));
  CELI_TRY(scalar(reader, &value));
  value = plain_word(reader, field, value);
  celi_text_add(text, value, strlen(value));
  return CEL_OK;
}

// ---- Keys

// Fails if the key appeared before.
static CelStatus check_first(const Reader *reader, const Item *item) {
  for (size_t i = 0; i < reader->n_items; i++) {
    const Item *other = &reader->items[i];
    if (other->section == item->section && other->field == item->field &&
        other->offset == item->offset)
      return fail_here(reader,
                       cel_fail(CEL_E_NAME, "%s: the key appears twice; the first is on line %zu",
                                item->name, other->line));
  }
  return CEL_OK;
}

static CelStatus add_item(Reader *reader, const Item *item) {
  if (reader->n_items == reader->capacity) {
    reader->capacity = reader->capacity == 0 ? 64 : reader->capacity * 2;
    CELI_TRY(celi_resize(&reader->items, reader->capacity, sizeof *reader->items, "YAML"));
  }
  reader->items[reader->n_items++] = *item;
  return CEL_OK;
}

static CelStatus read_mapping(Reader *reader, const CelYamlSection *section, const char *prefix);

// Reads the mapping of a group. The current event is the group's key.
static CelStatus read_group(Reader *reader, const Item *item) {
  CELI_TRY(add_item(reader, item));
  CELI_TRY(next(reader));
  if (reader->event.type == YAML_SCALAR_EVENT && is_null(reader)) return CEL_OK;
  if (reader->event.type != YAML_MAPPING_START_EVENT)
    return fail_here(reader, cel_fail(CEL_E_TYPE, "%s: the value must be a mapping", item->name));
  char prefix[KEY_MAX + 1];
  snprintf(prefix, sizeof prefix, "%s.", item->name);
  return read_mapping(reader, item->section, prefix);
}

// Reads the value of field `name` of a section. The current event is the key.
static CelStatus read_field(Reader *reader, const CelYamlSection *section, const char *name) {
  Item item = {.section = section, .line = reader->event.start_mark.line + 1};
  item.field = celi_field_locate(section->table, name, &item.offset);
  if (item.field == NULL) return fail_here(reader, celi_fail_unknown(section->table, name));
  memcpy(item.name, name, strlen(name) + 1);
  CELI_TRY(check_first(reader, &item));
  if (item.field->type == CEL_FIELD_GROUP) return read_group(reader, &item);
  CELI_TRY(next(reader));
  item.line = reader->event.start_mark.line + 1;
  item.column = reader->event.start_mark.column + 1;
  CeliText text = {0};
  CelStatus status = read_value(reader, item.field, name, &text);
  celi_text_add(&text, "", 0); // so that an empty text is not NULL
  if (status == CEL_OK) status = celi_text_status(&text);
  item.text = text.data;
  if (status == CEL_OK) status = add_item(reader, &item);
  if (status != CEL_OK) celi_text_free(&text);
  return status;
}

// Reads the fields of a mapping up to its end. The current event is the mapping's start.
static CelStatus read_mapping(Reader *reader, const CelYamlSection *section, const char *prefix) {
  for (;;) {
    char name[KEY_MAX];
    CELI_TRY(next(reader));
    if (reader->event.type == YAML_MAPPING_END_EVENT) return CEL_OK;
    CELI_TRY(read_key(reader, prefix, name));
    CELI_TRY(read_field(reader, section, name));
  }
}

static CelStatus read_section(Reader *reader, int index) {
  const CelYamlSection *section = &reader->sections[index];
  if (reader->seen[index])
    return fail_here(reader,
                     cel_fail(CEL_E_NAME, "%s: the key appears twice; the first is on line %llu",
                              section->key, (unsigned long long)reader->seen[index]));
  reader->seen[index] = reader->event.start_mark.line + 1;
  CELI_TRY(next(reader));
  if (reader->event.type == YAML_SCALAR_EVENT && is_null(reader)) return CEL_OK;
  if (reader->event.type != YAML_MAPPING_START_EVENT)
    return fail_here(reader, cel_fail(CEL_E_TYPE, "%s: the value must be a mapping", section->key));
  return read_mapping(reader, section, "");
}

// Fails for a top-level key that is neither a section nor a field.
static CelStatus fail_key(const Reader *reader, const char *key) {
  CeliNearest nearest = {.wanted = key};
  CelYamlSection const *top = NULL;
  for (int i = 0; i < reader->n_sections; i++) {
    if (reader->sections[i].key[0] == 0)
      top = &reader->sections[i];
    else
      celi_nearest_try(&nearest, reader->sections[i].key);
  }
  if (nearest.best != NULL)
    return cel_fail(CEL_E_NAME, "no key \"%s\"; did you mean \"%s\"?", key, nearest.best);
  if (top != NULL) return celi_fail_unknown(top->table, key);
  return cel_fail(CEL_E_NAME, "no key \"%s\"", key);
}

static CelStatus read_top(Reader *reader) {
  for (;;) {
    char key[KEY_MAX];
    size_t offset;
    int index = 0;
    CELI_TRY(next(reader));
    if (reader->event.type == YAML_MAPPING_END_EVENT) return next(reader);
    CELI_TRY(read_key(reader, "", key));
    while (index < reader->n_sections && (reader->sections[index].key[0] == 0 ||
                                          !celi_name_equal(reader->sections[index].key, key)))
      index++;
    if (index < reader->n_sections) {
      CELI_TRY(read_section(reader, index));
      continue;
    }
    for (index = 0; index < reader->n_sections; index++)
      if (reader->sections[index].key[0] == 0 &&
          celi_field_locate(reader->sections[index].table, key, &offset) != NULL)
        break;
    if (index == reader->n_sections) return fail_here(reader, fail_key(reader, key));
    CELI_TRY(read_field(reader, &reader->sections[index], key));
  }
}

// ---- Setting

// Returns a copy of a section's config, or NULL.
static void *copy_of(const CelYamlSection *section) {
  size_t size = celi_fields_extent(section->table);
  void *copy = malloc(size > 0 ? size : 1);
  if (copy != NULL) memcpy(copy, section->config, size);
  return copy;
}

// Sets all items of a section in a copy of its config.
static CelStatus try_section(const Reader *reader, const CelYamlSection *section) {
  void *copy = copy_of(section);
  if (copy == NULL) return cel_fail(CEL_E_MEMORY, "not enough memory for a copy of the config");
  CelStatus status = CEL_OK;
  for (size_t i = 0; i < reader->n_items && status == CEL_OK; i++) {
    const Item *item = &reader->items[i];
    if (item->section != section || item->text == NULL) continue;
    status = cel_fields_set(section->table, copy, item->name, item->text);
    status = cel_fail_in(status, "line %zu, column %zu: ", item->line, item->column);
  }
  free(copy);
  return status;
}

static CelStatus set_all(const Reader *reader) {
  for (int i = 0; i < reader->n_sections; i++) CELI_TRY(try_section(reader, &reader->sections[i]));
  for (size_t i = 0; i < reader->n_items; i++) {
    const Item *item = &reader->items[i];
    if (item->text == NULL) continue;
    CELI_TRY(cel_fields_set(item->section->table, item->section->config, item->name, item->text));
  }
  return CEL_OK;
}

static CelStatus read_all(Reader *reader) {
  bool mapping;
  CELI_TRY(open_document(reader, &mapping));
  if (mapping) CELI_TRY(read_top(reader));
  CELI_TRY(close_document(reader));
  return set_all(reader);
}

// ---- Public functions

static CelStatus begin(Reader *reader, const char *text, size_t size, int n_sections) {
  *reader = (Reader){.n_sections = n_sections};
  CELI_TRY(celi_alloc(&reader->seen, (size_t)n_sections, sizeof *reader->seen, "YAML"));
  memset(reader->seen, 0, (size_t)n_sections * sizeof *reader->seen);
  if (!yaml_parser_initialize(&reader->parser)) {
    free(reader->seen);
    return cel_fail(CEL_E_MEMORY, "not enough memory to read YAML");
  }
  yaml_parser_set_input_string(&reader->parser, (const unsigned char *)text, size);
  return CEL_OK;
}

static void end(Reader *reader) {
  if (reader->has_event) yaml_event_delete(&reader->event);
  yaml_parser_delete(&reader->parser);
  for (size_t i = 0; i < reader->n_items; i++) free(reader->items[i].text);
  free(reader->items);
  free(reader->seen);
}

CelStatus celi_yaml_parse(const char *name, const char *text, size_t size,
                          const CelYamlSection *sections, int n_sections) {
  Reader reader;
  CELI_TRY(cel_fail_in(begin(&reader, text, size, n_sections), "%s: ", name));
  reader.sections = sections;
  CelStatus status = read_all(&reader);
  end(&reader);
  return cel_fail_in(status, "%s: ", name);
}

CelStatus cel_yaml_read(const char *path, const CelYamlSection *sections, int n_sections) {
  CELI_NEED(path);
  if (n_sections > 0) CELI_NEED(sections);
  CELI_FLOATS(CELI_IEEE);
  char *text;
  size_t size;
  CELI_TRY(celi_file_read(path, FILE_MAX, &text, &size));
  CelStatus status = celi_yaml_parse(path, text, size, sections, n_sections);
  free(text);
  return status;
}

// ---- One key

// Skips the value at the current event. The depth limit keeps the time of libyaml linear.
static CelStatus skip_value(Reader *reader) {
  for (size_t depth = 0;;) {
    yaml_event_type_t type = reader->event.type;
    if (type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT) depth++;
    if (type == YAML_SEQUENCE_END_EVENT || type == YAML_MAPPING_END_EVENT) depth--;
    if (depth == 0) return CEL_OK;
    if (depth > 32)
      return fail_here(reader,
                       cel_fail(CEL_E_FORMAT, "the file has more than 32 levels, the limit"));
    CELI_TRY(next(reader));
  }
}

static CelStatus take_value(Reader *reader, const char *key, char *out, size_t size, bool *found) {
  const char *value;
  if (*found) return fail_here(reader, cel_fail(CEL_E_NAME, "%s: the key appears twice", key));
  if (reader->event.type != YAML_SCALAR_EVENT || is_null(reader))
    return fail_here(reader, cel_fail(CEL_E_TYPE, "%s: the value must be a single value", key));
  CELI_TRY(scalar(reader, &value));
  if (strlen(value) >= size)
    return fail_here(reader,
                     cel_fail(CEL_E_RANGE, "%s: the text is longer than %zu bytes, the limit", key,
                              size > 0 ? size - 1 : 0));
  memcpy(out, value, strlen(value) + 1);
  *found = true;
  return CEL_OK;
}

static CelStatus peek_all(Reader *reader, const char *key, char *out, size_t size, bool *found) {
  bool mapping;
  CELI_TRY(open_document(reader, &mapping));
  while (mapping) {
    CELI_TRY(next(reader));
    if (reader->event.type == YAML_MAPPING_END_EVENT) {
      CELI_TRY(next(reader));
      break;
    }
    char name[KEY_MAX];
    CELI_TRY(read_key(reader, "", name));
    CELI_TRY(next(reader));
    if (celi_name_equal(name, key)) CELI_TRY(take_value(reader, key, out, size, found));
    CELI_TRY(skip_value(reader));
  }
  return close_document(reader);
}

CelStatus celi_yaml_parse_peek(const char *name, const char *text, size_t size, const char *key,
                               char *out, size_t out_size, bool *found) {
  Reader reader;
  *found = false;
  CELI_TRY(cel_fail_in(begin(&reader, text, size, 0), "%s: ", name));
  CelStatus status = peek_all(&reader, key, out, out_size, found);
  end(&reader);
  return cel_fail_in(status, "%s: ", name);
}

CelStatus cel_yaml_peek(const char *path, const char *key, char *text, size_t size, bool *found) {
  CELI_NEED(path);
  CELI_NEED(key);
  CELI_NEED(text);
  CELI_NEED(found);
  CELI_FLOATS(CELI_IEEE);
  char *bytes;
  size_t length;
  *found = false;
  CELI_TRY(celi_file_read(path, FILE_MAX, &bytes, &length));
  CelStatus status = celi_yaml_parse_peek(path, bytes, length, key, text, size, found);
  free(bytes);
  return status;
}
