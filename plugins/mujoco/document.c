/// YAML files as trees.
#include "document.h"
#include "mujoco_env.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { SIZE_MAX_BYTES = 1 << 20, DEPTH_MAX = 16 };

// ---- messages

/// Writes "KEY.KEY" of a node. Entries of lists are numbers from 1.
static void write_path(const CeliNode *node, char *text, size_t size) {
  const CeliNode *chain[DEPTH_MAX + 2];
  int n = 0;
  size_t at = 0;
  text[0] = 0;
  for (; node && node->parent && n < DEPTH_MAX + 2; node = node->parent) chain[n++] = node;
  while (n-- > 0 && at < size) {
    const char *dot = at ? "." : "";
    if (chain[n]->key)
      at += (size_t)snprintf(text + at, size - at, "%s%.60s", dot, chain[n]->key);
    else
      at += (size_t)snprintf(text + at, size - at, "%s%d", dot, chain[n]->index + 1);
  }
}

CelStatus celi_fail_in_at(const CeliDocument *doc, const CeliNode *node, CelStatus status) {
  char path[256];
  write_path(node, path, sizeof path);
  return cel_fail_in(status, "%s: line %d: %s%s", doc->path, node->line, path, path[0] ? ": " : "");
}

CelStatus celi_fail_at(const CeliDocument *doc, const CeliNode *node, CelStatus status,
                       const char *format, ...) {
  char text[900];
  va_list list;
  va_start(list, format);
  vsnprintf(text, sizeof text, format, list);
  va_end(list);
  return celi_fail_in_at(doc, node, cel_fail(status, "%s", text));
}

// ---- the tree

typedef struct Reader {
  CeliDocument *doc;
  yaml_parser_t parser;
  yaml_event_t event;
  bool has_event;
} Reader;

static CelStatus fail_event(const Reader *r, CelStatus status, const char *what) {
  return cel_fail(status, "%s: line %zu, column %zu: %s", r->doc->path,
                  r->event.start_mark.line + 1, r->event.start_mark.column + 1, what);
}

static CelStatus next(Reader *r) {
  if (r->has_event) yaml_event_delete(&r->event);
  r->has_event = false;
  if (!yaml_parser_parse(&r->parser, &r->event)) {
    if (r->parser.error == YAML_MEMORY_ERROR)
      return cel_fail(CEL_E_MEMORY, "%s: not enough memory to read the file", r->doc->path);
    return cel_fail(CEL_E_FORMAT, "%s: line %zu, column %zu: %s", r->doc->path,
                    r->parser.problem_mark.line + 1, r->parser.problem_mark.column + 1,
                    r->parser.problem ? r->parser.problem : "no valid YAML");
  }
  r->has_event = true;
  const yaml_char_t *anchor = NULL, *tag = NULL;
  switch (r->event.type) {
  case YAML_ALIAS_EVENT: anchor = r->event.data.alias.anchor; break;
  case YAML_SCALAR_EVENT:
    anchor = r->event.data.scalar.anchor;
    tag = r->event.data.scalar.tag;
    break;
  case YAML_SEQUENCE_START_EVENT:
    anchor = r->event.data.sequence_start.anchor;
    tag = r->event.data.sequence_start.tag;
    break;
  case YAML_MAPPING_START_EVENT:
    anchor = r->event.data.mapping_start.anchor;
    tag = r->event.data.mapping_start.tag;
    break;
  default: break;
  }
  if (anchor) return fail_event(r, CEL_E_FORMAT, "anchors and aliases are not supported");
  if (tag) return fail_event(r, CEL_E_FORMAT, "tags are not supported");
  return CEL_OK;
}

/// Copies the text of the current scalar.
static CelStatus copy_text(Reader *r, char **text) {
  const char *value = (const char *)r->event.data.scalar.value;
  if (strlen(value) != r->event.data.scalar.length)
    return fail_event(r, CEL_E_FORMAT, "the text contains a zero character");
  const bool plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
  if (plain && (strcmp(value, "~") == 0 || strcmp(value, "null") == 0)) value = "";
  *text = strdup(value);
  return *text ? CEL_OK
               : cel_fail(CEL_E_MEMORY, "%s: not enough memory to read the file", r->doc->path);
}

static CelStatus add_node(Reader *r, CeliNode *parent, CeliNode **out) {
  CeliNode *node = calloc(1, sizeof *node);
  if (!node) return cel_fail(CEL_E_MEMORY, "%s: not enough memory to read the file", r->doc->path);
  node->line = (int)r->event.start_mark.line + 1;
  node->parent = parent;
  node->older = r->doc->newest;
  r->doc->newest = node;
  *out = node;
  return CEL_OK;
}

static CelStatus read_value(Reader *r, CeliNode *parent, int depth, CeliNode **out);

/// Reads the members of a list or mapping. The current event is its start.
static CelStatus read_members(Reader *r, CeliNode *node, int depth) {
  CeliNode **link = &node->first, *member;
  const yaml_event_type_t end =
      node->kind == CELI_LIST ? YAML_SEQUENCE_END_EVENT : YAML_MAPPING_END_EVENT;
  for (;; link = &member->next) {
    char *key = NULL;
    CELI_MUJOCO_TRY(next(r));
    if (r->event.type == end) return CEL_OK;
    const int line = (int)r->event.start_mark.line + 1;
    if (node->kind == CELI_MAPPING) {
      if (r->event.type != YAML_SCALAR_EVENT)
        return fail_event(r, CEL_E_FORMAT, "a key must be a plain name");
      CELI_MUJOCO_TRY(copy_text(r, &key));
      const CeliNode *twice = celi_member(node, key);
      CelStatus status = CEL_OK;
      if (twice)
        status = cel_fail(CEL_E_NAME,
                          "%s: line %d: the key '%.60s' appears twice; the first is on "
                          "line %d",
                          r->doc->path, line, key, twice->line);
      if (status == CEL_OK) status = next(r);
      if (status != CEL_OK) {
        free(key);
        return status;
      }
    }
    const CelStatus status = read_value(r, node, depth + 1, &member);
    if (status != CEL_OK) {
      free(key);
      return status;
    }
    member->key = key;
    if (key) member->line = line;
    member->index = node->n++;
    *link = member;
  }
}

/// Reads the value at the current event.
static CelStatus read_value(Reader *r, CeliNode *parent, int depth, CeliNode **out) {
  if (depth > DEPTH_MAX) return fail_event(r, CEL_E_FORMAT, "the file has more than 16 levels");
  CELI_MUJOCO_TRY(add_node(r, parent, out));
  switch (r->event.type) {
  case YAML_SCALAR_EVENT: return copy_text(r, &(*out)->text);
  case YAML_SEQUENCE_START_EVENT: (*out)->kind = CELI_LIST; return read_members(r, *out, depth);
  case YAML_MAPPING_START_EVENT: (*out)->kind = CELI_MAPPING; return read_members(r, *out, depth);
  default: return fail_event(r, CEL_E_FORMAT, "a value is missing");
  }
}

static CelStatus read_document(Reader *r) {
  CELI_MUJOCO_TRY(next(r)); // the start of the stream
  CELI_MUJOCO_TRY(next(r));
  if (r->event.type == YAML_STREAM_END_EVENT)
    return cel_fail(CEL_E_FORMAT, "%s: the file is empty; it must name a model", r->doc->path);
  CELI_MUJOCO_TRY(next(r));
  CELI_MUJOCO_TRY(read_value(r, NULL, 0, &r->doc->root));
  CELI_MUJOCO_TRY(next(r));
  CELI_MUJOCO_TRY(next(r));
  if (r->event.type != YAML_STREAM_END_EVENT)
    return fail_event(r, CEL_E_FORMAT, "the file has a second document; only one is supported");
  return celi_need_kind(r->doc, r->doc->root, CELI_MAPPING, "a mapping that begins with 'model:'");
}

/// Reads the whole file into memory.
static CelStatus read_bytes(const char *path, char **bytes, size_t *size) {
  FILE *file = fopen(path, "rb");
  if (!file) return cel_fail(CEL_E_IO, "%s: cannot be opened: %s", path, strerror(errno));
  *bytes = malloc(SIZE_MAX_BYTES + 1);
  if (!*bytes) {
    fclose(file);
    return cel_fail(CEL_E_MEMORY, "%s: not enough memory to read the file", path);
  }
  *size = fread(*bytes, 1, SIZE_MAX_BYTES + 1, file);
  const bool failed = ferror(file) != 0;
  const int error = errno;
  fclose(file);
  if (!failed && *size <= SIZE_MAX_BYTES) return CEL_OK;
  free(*bytes);
  *bytes = NULL;
  if (failed) return cel_fail(CEL_E_IO, "%s: cannot be read: %s", path, strerror(error));
  return cel_fail(CEL_E_RANGE, "%s: the file is larger than 1 MiB, the limit", path);
}

CelStatus celi_document_read(CeliDocument *doc, const char *path) {
  Reader r = {.doc = doc};
  char *bytes = NULL;
  size_t size = 0;
  memset(doc, 0, sizeof *doc);
  snprintf(doc->path, sizeof doc->path, "%s", path);
  CELI_MUJOCO_TRY(read_bytes(path, &bytes, &size));
  CelStatus status = CEL_OK;
  if (!yaml_parser_initialize(&r.parser)) {
    status = cel_fail(CEL_E_MEMORY, "%s: not enough memory to read the file", path);
  } else {
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)bytes, size);
    status = read_document(&r);
    if (r.has_event) yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
  }
  free(bytes);
  return status;
}

void celi_document_free(CeliDocument *doc) {
  for (CeliNode *node = doc->newest; node;) {
    CeliNode *older = node->older;
    free(node->key);
    free(node->text);
    free(node);
    node = older;
  }
  doc->newest = doc->root = NULL;
}

// ---- values

const CeliNode *celi_member(const CeliNode *mapping, const char *key) {
  if (!mapping || mapping->kind != CELI_MAPPING) return NULL;
  for (const CeliNode *node = mapping->first; node; node = node->next)
    if (strcmp(node->key, key) == 0) return node;
  return NULL;
}

CelStatus celi_need_kind(const CeliDocument *doc, const CeliNode *node, CeliNodeKind kind,
                         const char *what) {
  if (node->kind == kind && (kind != CELI_SCALAR || node->text[0])) return CEL_OK;
  return celi_fail_at(doc, node, CEL_E_TYPE, "the value must be %s", what);
}

/// YAML's words for infinity, as Celsius writes them.
static const char *plain_number(const char *text) {
  if (strcmp(text, ".inf") == 0 || strcmp(text, "+.inf") == 0) return "inf";
  return strcmp(text, "-.inf") == 0 ? "-inf" : text;
}

/// The text of a field's value: of an interval, "[low, high]".
static CelStatus value_text(const CeliDocument *doc, const CeliNode *node, const CelField *field,
                            char *text, size_t size) {
  if (node->kind == CELI_LIST && field->type == CEL_FIELD_INTERVAL) {
    if (node->n != 2 || node->first->kind != CELI_SCALAR || node->first->next->kind != CELI_SCALAR)
      return celi_fail_at(doc, node, CEL_E_TYPE, "the value must be two numbers, [low, high]");
    const int n = snprintf(text, size, "[%s, %s]", plain_number(node->first->text),
                           plain_number(node->first->next->text));
    if (n < (int)size) return CEL_OK;
    return celi_fail_at(doc, node, CEL_E_TYPE, "the value must be two numbers, [low, high]");
  }
  CELI_MUJOCO_TRY(celi_need_kind(doc, node, CELI_SCALAR, "a single value"));
  if (snprintf(text, size, "%s", plain_number(node->text)) < (int)size) return CEL_OK;
  return celi_fail_at(doc, node, CEL_E_RANGE, "the value is longer than %zu bytes", size - 1);
}

static bool among(const char *key, const char *words) {
  const size_t n = strlen(key);
  for (const char *at = words; n && (at = strstr(at, key)); at += n)
    if ((at == words || at[-1] == ' ') && (at[n] == 0 || at[n] == ' ')) return true;
  return false;
}

enum { KEYS_MAX = 64 };

/// Fails for an unknown key, and suggests the nearest of the table and the other keys.
static CelStatus fail_key(const CeliDocument *doc, const CeliNode *node, const CelField *table,
                          const char *others) {
  CelField all[KEYS_MAX + 1];
  char copy[1024], *rest = NULL;
  int n = 0;
  memset(all, 0, sizeof all);
  for (; table && table[n].name && n < KEYS_MAX; n++) all[n].name = table[n].name;
  snprintf(copy, sizeof copy, "%s", others);
  for (char *word = strtok_r(copy, " ", &rest); word && n < KEYS_MAX;
       word = strtok_r(NULL, " ", &rest))
    all[n++].name = word;
  const char *nearest = cel_fields_nearest(all, node->key);
  char keys[640] = "";
  size_t at = 0;
  for (int i = 0; i < n && at < sizeof keys; i++)
    at += (size_t)snprintf(keys + at, sizeof keys - at, "%s%s", i ? ", " : "", all[i].name);
  if (nearest)
    return celi_fail_at(doc, node, CEL_E_NAME, "no such key; did you mean '%s'?", nearest);
  return celi_fail_at(doc, node, CEL_E_NAME, "no such key; the keys here are %s", keys);
}

CelStatus celi_read_fields(const CeliDocument *doc, const CeliNode *node, const CelField *table,
                           void *config, const char *others) {
  char text[CEL_PATH_MAX];
  if (table) cel_fields_default(table, config);
  if (!node) return CEL_OK;
  CELI_MUJOCO_TRY(celi_need_kind(doc, node, CELI_MAPPING, "a mapping (key: value)"));
  for (const CeliNode *member = node->first; member; member = member->next) {
    const CelField *field = NULL;
    for (const CelField *row = table; row && row->name; row++)
      if (strcmp(row->name, member->key) == 0) field = row;
    if (!field && among(member->key, others)) continue;
    if (!field) return fail_key(doc, member, table, others);
    CELI_MUJOCO_TRY(value_text(doc, member, field, text, sizeof text));
    const CelStatus status = cel_fields_set(table, config, field->name, text);
    if (status != CEL_OK) { // the message begins with the key
      char path[256];
      write_path(node, path, sizeof path);
      return cel_fail_in(status, "%s: line %d: %s%s", doc->path, member->line, path,
                         path[0] ? "." : "");
    }
  }
  return CEL_OK;
}

CelStatus celi_read_number(const CeliDocument *doc, const CeliNode *node, double *value) {
  static const CelField number[] = {
      {.name = "value", .type = CEL_FIELD_DOUBLE, .def = "0", .min = -1e300, .max = 1e300}, {0}};
  CELI_MUJOCO_TRY(celi_need_kind(doc, node, CELI_SCALAR, "a number"));
  return celi_fail_in_at(doc, node, cel_fields_set(number, value, "value", node->text));
}

CelStatus celi_read_interval(const CeliDocument *doc, const CeliNode *node, CelInterval *interval) {
  if (node->kind == CELI_SCALAR) {
    CELI_MUJOCO_TRY(celi_read_number(doc, node, &interval->low));
    interval->high = interval->low;
    return CEL_OK;
  }
  if (node->kind != CELI_LIST || node->n != 2)
    return celi_fail_at(doc, node, CEL_E_TYPE,
                        "the value must be a number or two numbers, [low, high]");
  CELI_MUJOCO_TRY(celi_read_number(doc, node->first, &interval->low));
  CELI_MUJOCO_TRY(celi_read_number(doc, node->first->next, &interval->high));
  if (interval->low <= interval->high) return CEL_OK;
  return celi_fail_at(doc, node, CEL_E_RANGE, "the low end %g is above the high end %g",
                      interval->low, interval->high);
}
