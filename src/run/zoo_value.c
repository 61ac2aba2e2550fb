/// Values of RL Zoo files: creating, growing, freeing. Contract: zoo.h.
#include "base/base.h"
#include "run/zoo.h"

#include <stdlib.h>
#include <string.h>

CelStatus celi_zoo_add(CeliZooTree *tree, CeliZooKind kind, size_t line, const char *text,
                       CeliZooValue **out) {
  CeliZooValue *value;
  *out = NULL;
  if (tree->n >= CELI_ZOO_VALUES)
    return cel_fail(CEL_E_FORMAT, "the file has more than %d values, the limit", CELI_ZOO_VALUES);
  CELI_TRY(celi_calloc(&value, 1, sizeof *value, "a value"));
  value->kind = kind;
  value->line = line;
  value->next = tree->all;
  tree->all = value;
  tree->n++;
  if (text) {
    CELI_TRY(celi_alloc(&value->text, strlen(text) + 1, 1, "a value"));
    memcpy(value->text, text, strlen(text) + 1);
  }
  *out = value;
  return CEL_OK;
}

/// Makes room for one more entry.
static CelStatus grow(CeliZooValue *value) {
  if (value->n < value->capacity) return CEL_OK;
  const size_t capacity = value->capacity ? 2 * value->capacity : 8;
  CELI_TRY(celi_resize(&value->item, capacity, sizeof(CeliZooValue *), "a value"));
  if (value->kind == CELI_ZOO_MAP)
    CELI_TRY(celi_resize(&value->key, capacity, sizeof(char *), "a value"));
  value->capacity = capacity;
  return CEL_OK;
}

static CelStatus has_key(CeliZooTree *tree, const CeliZooValue *map, const char *key, bool *has) {
  *has = false;
  for (size_t i = 0; i < map->n && !*has; i++) {
    if (++tree->work > CELI_ZOO_WORK)
      return cel_fail(CEL_E_FORMAT, "the file has too many keys in its mappings and merges");
    *has = strcmp(map->key[i], key) == 0;
  }
  return CEL_OK;
}

CelStatus celi_zoo_append(CeliZooTree *tree, CeliZooValue *to, const char *key, CeliZooValue *item,
                          bool *added) {
  *added = true;
  if (to->kind == CELI_ZOO_MAP) {
    bool has;
    CELI_TRY(has_key(tree, to, key, &has));
    *added = !has;
    if (has) return CEL_OK;
    if (to->n == CELI_ZOO_KEYS)
      return cel_fail(CEL_E_FORMAT, "a mapping has more than %d keys, the limit", CELI_ZOO_KEYS);
  }
  CELI_TRY(grow(to));
  if (to->kind == CELI_ZOO_MAP) {
    CELI_TRY(celi_alloc(&to->key[to->n], strlen(key) + 1, 1, "a value"));
    memcpy(to->key[to->n], key, strlen(key) + 1);
  }
  to->item[to->n++] = item;
  return CEL_OK;
}

void celi_zoo_free(CeliZooTree *tree) {
  for (CeliZooValue *value = tree->all, *next; value; value = next) {
    next = value->next;
    for (size_t i = 0; value->key && i < value->n; i++) free(value->key[i]);
    free(value->key);
    free(value->item);
    free(value->text);
    free(value);
  }
  *tree = (CeliZooTree){0};
}

CeliZooValue *celi_zoo_get(const CeliZooValue *map, const char *key) {
  for (size_t i = 0; map->kind == CELI_ZOO_MAP && i < map->n; i++)
    if (strcmp(map->key[i], key) == 0) return map->item[i];
  return NULL;
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool celi_zoo_number(const char *text, char out[CELI_NUMBER_MAX]) {
  const char *c = text;
  size_t n = 0;
  double value;
  if (*c == '+') c++;
  if (*c == '+' || (*c != '-' && *c != '.' && !is_digit(*c))) return false;
  for (; *c; c++) {
    if (*c == '_') { // Python and YAML allow one between two digits
      if (c == text || !is_digit(c[-1]) || !is_digit(c[1])) return false;
      continue;
    }
    if (!is_digit(*c) && !strchr("+-.eE", *c)) return false;
    if (n + 1 == CELI_NUMBER_MAX) return false;
    out[n++] = *c;
  }
  out[n] = 0;
  return celi_parse_double(out, &value) == CELI_NUMBER_OK;
}

const char *celi_zoo_kind_name(const CeliZooValue *value) {
  switch (value->kind) {
  case CELI_ZOO_NULL: return "nothing";
  case CELI_ZOO_BOOL: return "true or false";
  case CELI_ZOO_NUMBER: return "a number";
  case CELI_ZOO_TEXT: return "a text";
  case CELI_ZOO_NAME: return "a name";
  case CELI_ZOO_LIST: return "a list";
  case CELI_ZOO_MAP: return "a mapping";
  }
  return "a value";
}
