/// Reads the YAML of RL Zoo files: anchors, aliases, merges and the tags !!float, !!int, !!str,
/// !!bool and !!null. Contract: zoo.h.
///
/// libyaml turns the text into events. An alias refers to the value of its anchor, so a small file
/// cannot expand into a large one. A merge copies references to values. CELI_ZOO_WORK bounds the
/// time of all merges. Plain scalars have the types of YAML 1.1, except that "1e6" is a number.
#include "base/base.h"
#include "run/zoo.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define ANCHORS_MAX 1024

typedef struct Anchor {
  char *name;
  CeliZooValue *value;
} Anchor;

typedef struct Reader {
  yaml_parser_t parser;
  yaml_event_t event;
  bool has_event;
  CeliZooTree *tree;
  Anchor *anchor; // (n_anchors,); a later one of the same name wins
  size_t n_anchors;
} Reader;

// ---- Events

static CelStatus fail_at(const yaml_mark_t *mark, CelStatus status) {
  return cel_fail_in(status, "line %zu, column %zu: ", mark->line + 1, mark->column + 1);
}

static CelStatus fail_here(const Reader *reader, CelStatus status) {
  return fail_at(&reader->event.start_mark, status);
}

static CelStatus fail_parser(const yaml_parser_t *parser) {
  const char *problem = parser->problem ? parser->problem : "no valid YAML";
  if (parser->error == YAML_MEMORY_ERROR)
    return cel_fail(CEL_E_MEMORY, "not enough memory to read the file");
  if (parser->error == YAML_READER_ERROR)
    return cel_fail(CEL_E_FORMAT, "byte %zu: %s", parser->problem_offset + 1, problem);
  return fail_at(&parser->problem_mark,
                 cel_fail(CEL_E_FORMAT, "%s%s%s", parser->context ? parser->context : "",
                          parser->context ? ": " : "", problem));
}

static CelStatus next(Reader *reader) {
  if (reader->has_event) yaml_event_delete(&reader->event);
  reader->has_event = false;
  if (!yaml_parser_parse(&reader->parser, &reader->event)) return fail_parser(&reader->parser);
  reader->has_event = true;
  return CEL_OK;
}

// ---- Anchors

static CelStatus remember(Reader *reader, char *name, CeliZooValue *value) {
  if (!name) return CEL_OK;
  if (reader->n_anchors == ANCHORS_MAX) {
    free(name);
    return cel_fail(CEL_E_FORMAT, "the file has more than %d anchors, the limit", ANCHORS_MAX);
  }
  reader->anchor[reader->n_anchors++] = (Anchor){name, value};
  return CEL_OK;
}

static CelStatus recall(Reader *reader, CeliZooValue **out) {
  const char *name = (const char *)reader->event.data.alias.anchor;
  CeliNearest nearest = {.wanted = name};
  for (size_t i = reader->n_anchors; i-- > 0;) {
    if (++reader->tree->work > CELI_ZOO_WORK)
      return fail_here(reader, cel_fail(CEL_E_FORMAT, "the file has too many aliases"));
    if (strcmp(reader->anchor[i].name, name) == 0) {
      *out = reader->anchor[i].value;
      return CEL_OK;
    }
  }
  for (size_t i = 0; i < reader->n_anchors; i++)
    (void)celi_nearest_try(&nearest, reader->anchor[i].name);
  cel_fail(CEL_E_NAME, "the alias *%s has no anchor &%s before it%s%s%s", name, name,
           nearest.best ? "; did you mean *" : "", nearest.best ? nearest.best : "",
           nearest.best ? "?" : "");
  return fail_here(reader, CEL_E_NAME);
}

// ---- Scalars

static bool among(const char *text, const char *const *words, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (strcmp(text, words[i]) == 0) return true;
  return false;
}

#define AMONG(text, words) among(text, words, sizeof(words) / sizeof((words)[0]))

static bool is_null(const char *text) {
  static const char *const words[] = {"", "~", "null", "Null", "NULL"};
  return AMONG(text, words);
}

static bool is_bool(const char *text, bool *value) {
  static const char *const yes[] = {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"};
  static const char *const no[] = {"false", "False", "FALSE", "no", "No",
                                   "NO",    "off",   "Off",   "OFF"};
  *value = AMONG(text, yes);
  return *value || AMONG(text, no);
}

static bool is_number(const char *text, char out[CELI_NUMBER_MAX]) {
  const char *word = text + (*text == '-' || *text == '+');
  static const char *const inf[] = {".inf", ".Inf", ".INF"}, *const nan[] = {".nan", ".NaN",
                                                                             ".NAN"};
  if (AMONG(word, inf)) return strcpy(out, *text == '-' ? "-inf" : "inf"), true;
  if (AMONG(text, nan)) return strcpy(out, "nan"), true;
  return celi_zoo_number(text, out);
}

/// The type that a tag names: "float". NULL: no tag. Fails for types of other languages.
static CelStatus tag_of(const Reader *reader, const yaml_char_t *tag, const char **out) {
  static const char prefix[] = "tag:yaml.org,2002:";
  const char *text = (const char *)tag;
  *out = NULL;
  if (!text || strcmp(text, "!") == 0) return CEL_OK;
  if (strncmp(text, prefix, sizeof prefix - 1) == 0) {
    static const char *const known[] = {"float", "int", "str", "bool", "null", "map", "seq"};
    *out = text + sizeof prefix - 1;
    if (AMONG(*out, known)) return CEL_OK;
  }
  return fail_here(reader,
                   cel_fail(CEL_E_FORMAT,
                            "the tag \"%s\" is not supported; !!float, !!int, !!str, !!bool and "
                            "!!null are",
                            text));
}

static CelStatus read_scalar(Reader *reader, CeliZooValue **out) {
  const char *text = (const char *)reader->event.data.scalar.value, *tag;
  const size_t line = reader->event.start_mark.line + 1;
  const bool plain = reader->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
  char number[CELI_NUMBER_MAX];
  bool yes;
  CELI_TRY(tag_of(reader, reader->event.data.scalar.tag, &tag));
  if (strlen(text) != reader->event.data.scalar.length)
    return fail_here(reader, cel_fail(CEL_E_FORMAT, "the text contains a zero character"));
  const bool free_type = plain && !tag;
  const bool wants_number = tag && (strcmp(tag, "float") == 0 || strcmp(tag, "int") == 0);
  if ((wants_number || free_type) && is_number(text, number))
    return celi_zoo_add(reader->tree, CELI_ZOO_NUMBER, line, number, out);
  if (((tag && strcmp(tag, "bool") == 0) || free_type) && is_bool(text, &yes))
    return celi_zoo_add(reader->tree, CELI_ZOO_BOOL, line, yes ? "true" : "false", out);
  if ((tag && strcmp(tag, "null") == 0) || (free_type && is_null(text)))
    return celi_zoo_add(reader->tree, CELI_ZOO_NULL, line, NULL, out);
  if (!tag || strcmp(tag, "str") == 0)
    return celi_zoo_add(reader->tree, CELI_ZOO_TEXT, line, text, out);
  return fail_here(reader, cel_fail(CEL_E_TYPE, "\"%.80s\" is not of the type !!%s", text, tag));
}

// ---- Lists and mappings

static CelStatus read_value(Reader *reader, int depth, CeliZooValue **out);

static CelStatus read_list(Reader *reader, int depth, CeliZooValue **out) {
  bool added;
  CELI_TRY(celi_zoo_add(reader->tree, CELI_ZOO_LIST, reader->event.start_mark.line + 1, NULL, out));
  for (;;) {
    CeliZooValue *item;
    CELI_TRY(next(reader));
    if (reader->event.type == YAML_SEQUENCE_END_EVENT) return CEL_OK;
    CELI_TRY(read_value(reader, depth + 1, &item));
    CELI_TRY(celi_zoo_append(reader->tree, *out, NULL, item, &added));
  }
}

/// Adds the keys of `from` that `to` does not have.
static CelStatus merge(Reader *reader, CeliZooValue *to, const CeliZooValue *from) {
  bool added;
  if (from->kind != CELI_ZOO_MAP)
    return cel_fail(CEL_E_TYPE, "<<: only a mapping can be merged, not %s",
                    celi_zoo_kind_name(from));
  for (size_t i = 0; i < from->n; i++)
    CELI_TRY(celi_zoo_append(reader->tree, to, from->key[i], from->item[i], &added));
  return CEL_OK;
}

/// Merges come last: keys that the mapping itself has win, wherever they are.
static CelStatus merge_all(Reader *reader, CeliZooValue *to, const CeliZooValue *from) {
  if (!from) return CEL_OK;
  if (from->kind != CELI_ZOO_LIST) return merge(reader, to, from);
  for (size_t i = 0; i < from->n; i++) CELI_TRY(merge(reader, to, from->item[i]));
  return CEL_OK;
}

/// Reads the key at the current event, a scalar. The caller frees it.
static CelStatus read_key(Reader *reader, char **key) {
  *key = NULL;
  if (reader->event.type != YAML_SCALAR_EVENT)
    return fail_here(reader, cel_fail(CEL_E_FORMAT, "a key must be a single value"));
  const char *text = (const char *)reader->event.data.scalar.value;
  if (strlen(text) != reader->event.data.scalar.length)
    return fail_here(reader, cel_fail(CEL_E_FORMAT, "the key contains a zero character"));
  CELI_TRY(celi_alloc(key, strlen(text) + 1, 1, "a key"));
  memcpy(*key, text, strlen(text) + 1);
  return CEL_OK;
}

/// Reads one key with its value. *merged: the value of the key "<<".
static CelStatus read_pair(Reader *reader, int depth, CeliZooValue *map, CeliZooValue **merged) {
  char *key;
  CeliZooValue *item;
  bool added = true;
  const bool plain = reader->event.type == YAML_SCALAR_EVENT &&
                     reader->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
  const yaml_mark_t mark = reader->event.start_mark;
  CELI_TRY(read_key(reader, &key));
  const bool merges = plain && strcmp(key, "<<") == 0;
  CelStatus status = next(reader);
  if (status == CEL_OK) status = read_value(reader, depth + 1, &item);
  if (status == CEL_OK && merges) {
    added = *merged == NULL;
    *merged = item;
  } else if (status == CEL_OK) {
    status = fail_at(&mark, celi_zoo_append(reader->tree, map, key, item, &added));
  }
  if (status == CEL_OK && !added)
    status = fail_at(&mark, cel_fail(CEL_E_NAME, "the key \"%.80s\" appears twice", key));
  free(key);
  return status;
}

static CelStatus read_map(Reader *reader, int depth, CeliZooValue **out) {
  CeliZooValue *merged = NULL;
  CELI_TRY(celi_zoo_add(reader->tree, CELI_ZOO_MAP, reader->event.start_mark.line + 1, NULL, out));
  for (;;) {
    CELI_TRY(next(reader));
    if (reader->event.type == YAML_MAPPING_END_EVENT) break;
    CELI_TRY(read_pair(reader, depth, *out, &merged));
  }
  return fail_here(reader, merge_all(reader, *out, merged));
}

static const yaml_char_t *anchor_of(const yaml_event_t *event) {
  if (event->type == YAML_SCALAR_EVENT) return event->data.scalar.anchor;
  if (event->type == YAML_SEQUENCE_START_EVENT) return event->data.sequence_start.anchor;
  if (event->type == YAML_MAPPING_START_EVENT) return event->data.mapping_start.anchor;
  return NULL;
}

/// Reads the value that begins at the current event.
static CelStatus read_node(Reader *reader, int depth, CeliZooValue **out) {
  const char *tag;
  switch (reader->event.type) {
  case YAML_SCALAR_EVENT: return read_scalar(reader, out);
  case YAML_SEQUENCE_START_EVENT:
    CELI_TRY(tag_of(reader, reader->event.data.sequence_start.tag, &tag));
    if (tag && strcmp(tag, "seq") != 0)
      return fail_here(reader, cel_fail(CEL_E_TYPE, "a list is not of the type !!%s", tag));
    return read_list(reader, depth, out);
  case YAML_MAPPING_START_EVENT:
    CELI_TRY(tag_of(reader, reader->event.data.mapping_start.tag, &tag));
    if (tag && strcmp(tag, "map") != 0)
      return fail_here(reader, cel_fail(CEL_E_TYPE, "a mapping is not of the type !!%s", tag));
    return read_map(reader, depth, out);
  default: return fail_here(reader, cel_fail(CEL_E_FORMAT, "a value is missing"));
  }
}

static CelStatus read_value(Reader *reader, int depth, CeliZooValue **out) {
  *out = NULL;
  if (depth > CELI_ZOO_DEPTH)
    return fail_here(reader, cel_fail(CEL_E_FORMAT, "the file has more than %d levels, the limit",
                                      CELI_ZOO_DEPTH));
  if (reader->event.type == YAML_ALIAS_EVENT) return recall(reader, out);
  const yaml_char_t *anchor = anchor_of(&reader->event);
  char *name = NULL;
  if (anchor) {
    CELI_TRY(celi_alloc(&name, strlen((const char *)anchor) + 1, 1, "an anchor"));
    memcpy(name, anchor, strlen((const char *)anchor) + 1);
  }
  const CelStatus status = read_node(reader, depth, out);
  if (status == CEL_OK) return fail_here(reader, remember(reader, name, *out));
  free(name);
  return status;
}

// ---- The document

static CelStatus read_document(Reader *reader, CeliZooValue **out) {
  CELI_TRY(next(reader)); // the start of the stream
  CELI_TRY(next(reader));
  if (reader->event.type == YAML_STREAM_END_EVENT)
    return cel_fail(CEL_E_FORMAT, "the file is empty; it must have one entry per environment");
  CELI_TRY(next(reader));
  CELI_TRY(read_value(reader, 0, out));
  if ((*out)->kind != CELI_ZOO_MAP)
    return cel_fail(CEL_E_FORMAT,
                    "the file must be a mapping with one entry per environment, not %s",
                    celi_zoo_kind_name(*out));
  CELI_TRY(next(reader)); // the end of the document
  CELI_TRY(next(reader));
  if (reader->event.type != YAML_STREAM_END_EVENT)
    return fail_here(reader, cel_fail(CEL_E_FORMAT, "the file has a second document; only one is "
                                                    "supported"));
  return CEL_OK;
}

CelStatus celi_zoo_yaml(CeliZooTree *tree, const char *text, size_t size, CeliZooValue **out) {
  Reader reader = {.tree = tree};
  *out = NULL;
  CELI_TRY(celi_alloc(&reader.anchor, ANCHORS_MAX, sizeof *reader.anchor, "anchors"));
  if (!yaml_parser_initialize(&reader.parser)) {
    free(reader.anchor);
    return cel_fail(CEL_E_MEMORY, "not enough memory to read YAML");
  }
  yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, size);
  const CelStatus status = read_document(&reader, out);
  if (reader.has_event) yaml_event_delete(&reader.event);
  yaml_parser_delete(&reader.parser);
  for (size_t i = 0; i < reader.n_anchors; i++) free(reader.anchor[i].name);
  free(reader.anchor);
  return status;
}
