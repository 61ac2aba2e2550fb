/// Values of RL Zoo files: what the reader of YAML, the reader of literals and zoo.c share.
#ifndef CELI_RUN_ZOO_H
#define CELI_RUN_ZOO_H
#include "base/text.h"
#include "celsius/zoo.h"

#define CELI_ZOO_DEPTH 32         ///< levels of nested values
#define CELI_ZOO_KEYS 512         ///< keys of a mapping
#define CELI_ZOO_VALUES (1 << 20) ///< values of a file
#define CELI_ZOO_WORK (1 << 26)   ///< comparisons of names while a file is read

typedef enum CeliZooKind {
  CELI_ZOO_NULL,
  CELI_ZOO_BOOL,   ///< text "true" or "false"
  CELI_ZOO_NUMBER, ///< text as celi_parse_double reads it
  CELI_ZOO_TEXT,
  CELI_ZOO_NAME, ///< a Python name, "nn.ReLU"
  CELI_ZOO_LIST,
  CELI_ZOO_MAP
} CeliZooKind;

/// A value. Aliases and merges share values, so that a file never expands.
typedef struct CeliZooValue CeliZooValue;
struct CeliZooValue {
  CeliZooKind kind;
  size_t line;         ///< in the file, from 1
  char *text;          ///< of a scalar, else NULL
  size_t n, capacity;  ///< entries of a list or mapping
  char **key;          ///< (n,) of a mapping, else NULL
  CeliZooValue **item; ///< (n,)
  CeliZooValue *next;  ///< the next value of the tree
};

/// Owns all values of a file.
typedef struct CeliZooTree {
  CeliZooValue *all; ///< linked by `next`
  size_t n;
  size_t work; ///< comparisons so far
} CeliZooTree;

/// Adds a value to the tree. text: copied; NULL for lists and mappings.
/// Errors: CEL_E_MEMORY, CEL_E_FORMAT (too many values).
CelStatus celi_zoo_add(CeliZooTree *tree, CeliZooKind kind, size_t line, const char *text,
                       CeliZooValue **out) CEL_WARN_UNUSED;
/// Appends an entry to a list (key NULL) or a mapping. *added false: the key is there already.
/// Errors: CEL_E_MEMORY, CEL_E_FORMAT (too many keys).
CelStatus celi_zoo_append(CeliZooTree *tree, CeliZooValue *to, const char *key, CeliZooValue *item,
                          bool *added) CEL_WARN_UNUSED;
void celi_zoo_free(CeliZooTree *tree);
/// Finds a key of a mapping, or NULL.
CeliZooValue *celi_zoo_get(const CeliZooValue *map, const char *key);
/// Writes "a number" without its underscores into `out`. Returns false if it is not a number.
bool celi_zoo_number(const char *text, char out[CELI_NUMBER_MAX]);
/// "a list": the kind with its article, for messages.
const char *celi_zoo_kind_name(const CeliZooValue *value);

/// Reads YAML. Errors: as cel_zoo_open, without the file's name.
CelStatus celi_zoo_yaml(CeliZooTree *tree, const char *text, size_t size,
                        CeliZooValue **out) CEL_WARN_UNUSED;
/// Parses a Python literal: numbers, texts, True, False, None, names, [..], (..), {..}, dict(..).
/// line: of its values. Evaluates nothing.
/// Errors: CEL_E_FORMAT (position), CEL_E_NAME (a repeated key), CEL_E_MEMORY.
CelStatus celi_zoo_literal(CeliZooTree *tree, const char *text, size_t line,
                           CeliZooValue **out) CEL_WARN_UNUSED;

/// cel_zoo_open for text in memory. name: for messages.
CelStatus celi_zoo_parse(const char *name, const char *text, size_t size,
                         CelZoo **out) CEL_WARN_UNUSED;

#endif
