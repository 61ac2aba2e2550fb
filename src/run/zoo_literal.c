/// Parses Python literals in RL Zoo files: "dict(log_std_init=-3, activation_fn=nn.ReLU)".
/// Contract: zoo.h.
///
///   value = number | text | "True" | "False" | "None" | name | list | tuple | braces | "dict" call
///   list = "[" [value {"," value} [","]] "]"        tuple: the same in "(" ")"
///   braces = "{" [value ":" value {"," ...} [","]] "}"
///   call = "(" [name "=" value {"," ...} [","]] ")"
///   name = identifier {"." identifier}
///
/// A name stays a name: nothing is looked up, imported, called or computed.
#include "base/base.h"
#include "run/zoo.h"

#include <stdlib.h>
#include <string.h>

typedef struct Parser {
  CeliZooTree *tree;
  const char *text, *at;
  size_t line;
} Parser;

static CelStatus fail_here(const Parser *parser, CelStatus status) {
  return cel_fail_in(
      status, "character %zu of the Python value: ", (size_t)(parser->at - parser->text) + 1);
}

static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static void skip_blanks(Parser *parser) {
  while (*parser->at && strchr(" \t\r\n", *parser->at)) parser->at++;
}

/// Moves behind `c` and the blanks around it, if it is next.
static bool take(Parser *parser, char c) {
  skip_blanks(parser);
  if (*parser->at != c) return false;
  parser->at++;
  skip_blanks(parser);
  return true;
}

static CelStatus expect(Parser *parser, char c) {
  if (take(parser, c)) return CEL_OK;
  return fail_here(parser, cel_fail(CEL_E_FORMAT,
                                    *parser->at ? "expected '%c' before \"%.20s\""
                                                : "expected '%c' at the end%s",
                                    c, parser->at));
}

/// Copies the n bytes at the position and moves behind them. The caller frees *out.
static CelStatus cut(Parser *parser, size_t n, char **out) {
  CELI_TRY(celi_alloc(out, n + 1, 1, "a value"));
  memcpy(*out, parser->at, n);
  (*out)[n] = 0;
  parser->at += n;
  return CEL_OK;
}

static CelStatus read_value(Parser *parser, int depth, CeliZooValue **out);

// ---- Scalars

static CelStatus read_number(Parser *parser, CeliZooValue **out) {
  char *text, number[CELI_NUMBER_MAX];
  size_t n = 0;
  while (is_digit(parser->at[n]) || is_letter(parser->at[n]) || parser->at[n] == '.' ||
         ((parser->at[n] == '-' || parser->at[n] == '+') &&
          (n == 0 || parser->at[n - 1] == 'e' || parser->at[n - 1] == 'E')))
    n++;
  CELI_TRY(cut(parser, n, &text));
  const bool good = celi_zoo_number(text, number);
  if (!good) {
    parser->at -= n;
    cel_fail(CEL_E_FORMAT, "\"%.40s\" is not a number", text);
  }
  free(text);
  if (!good) return fail_here(parser, CEL_E_FORMAT);
  return celi_zoo_add(parser->tree, CELI_ZOO_NUMBER, parser->line, number, out);
}

static CelStatus read_text(Parser *parser, CeliZooValue **out) {
  const char quote = *parser->at;
  char *text;
  size_t n = 1;
  while (parser->at[n] && parser->at[n] != quote && parser->at[n] != '\\' && parser->at[n] != '\n')
    n++;
  if (parser->at[n] == '\\')
    return fail_here(parser, cel_fail(CEL_E_FORMAT, "a text with a backslash is not supported"));
  if (parser->at[n] != quote)
    return fail_here(parser, cel_fail(CEL_E_FORMAT, "the text has no closing %c", quote));
  parser->at++;
  CELI_TRY(cut(parser, n - 1, &text));
  parser->at++;
  const CelStatus status = celi_zoo_add(parser->tree, CELI_ZOO_TEXT, parser->line, text, out);
  free(text);
  return status;
}

/// Length of the identifier at the position; with `dots`, of a dotted name.
static size_t name_length(const char *at, bool dots) {
  size_t n = 0;
  while (is_letter(at[n]) || (n > 0 && is_digit(at[n])) ||
         (dots && n > 0 && at[n] == '.' && is_letter(at[n + 1])))
    n++;
  return n;
}

// ---- Lists and mappings

static CelStatus read_items(Parser *parser, char close, int depth, CeliZooValue **out) {
  bool added, comma = false;
  CELI_TRY(celi_zoo_add(parser->tree, CELI_ZOO_LIST, parser->line, NULL, out));
  while (!take(parser, close)) {
    CeliZooValue *item;
    CELI_TRY(read_value(parser, depth + 1, &item));
    CELI_TRY(fail_here(parser, celi_zoo_append(parser->tree, *out, NULL, item, &added)));
    if (take(parser, ',')) {
      comma = true;
      continue;
    }
    CELI_TRY(expect(parser, close));
    if (close == ')' && !comma) *out = item; // "(5)" is 5, "(5,)" a tuple
    break;
  }
  return CEL_OK;
}

/// Reads "name" and "=" of a call, or a text and ":" of braces. The caller frees *key.
static CelStatus read_key(Parser *parser, bool call, int depth, char **key) {
  *key = NULL;
  if (call) {
    const size_t n = name_length(parser->at, false);
    if (n == 0)
      return fail_here(
          parser, cel_fail(CEL_E_FORMAT, "expected a name and '=' before \"%.20s\"", parser->at));
    CELI_TRY(cut(parser, n, key));
    return expect(parser, '=');
  }
  CeliZooValue *value;
  CELI_TRY(read_value(parser, depth + 1, &value));
  if (value->kind != CELI_ZOO_TEXT)
    return fail_here(parser,
                     cel_fail(CEL_E_FORMAT, "a key in braces must be a text in quotes, not %s",
                              celi_zoo_kind_name(value)));
  CELI_TRY(celi_alloc(key, strlen(value->text) + 1, 1, "a key"));
  memcpy(*key, value->text, strlen(value->text) + 1);
  return expect(parser, ':');
}

static CelStatus read_pair(Parser *parser, CeliZooValue *map, bool call, int depth) {
  char *key;
  CeliZooValue *item;
  bool added;
  CelStatus status = read_key(parser, call, depth, &key);
  if (status == CEL_OK) status = read_value(parser, depth + 1, &item);
  if (status == CEL_OK)
    status = fail_here(parser, celi_zoo_append(parser->tree, map, key, item, &added));
  if (status == CEL_OK && !added)
    status = fail_here(parser, cel_fail(CEL_E_NAME, "the key \"%.80s\" appears twice", key));
  free(key);
  return status;
}

static CelStatus read_pairs(Parser *parser, bool call, int depth, CeliZooValue **out) {
  const char close = call ? ')' : '}';
  CELI_TRY(celi_zoo_add(parser->tree, CELI_ZOO_MAP, parser->line, NULL, out));
  while (!take(parser, close)) {
    CELI_TRY(read_pair(parser, *out, call, depth));
    if (take(parser, ',')) continue;
    CELI_TRY(expect(parser, close));
    break;
  }
  return CEL_OK;
}

// ---- Names

static CelStatus read_word(Parser *parser, int depth, CeliZooValue **out) {
  char *word;
  CELI_TRY(cut(parser, name_length(parser->at, true), &word));
  const char *begin = parser->at - strlen(word);
  CelStatus status;
  if (take(parser, '(')) {
    const bool dict = strcmp(word, "dict") == 0;
    if (!dict) {
      parser->at = begin;
      cel_fail(CEL_E_FORMAT, "%.80s(...) is not supported; only dict(...) is", word);
    }
    free(word);
    return dict ? read_pairs(parser, true, depth, out) : fail_here(parser, CEL_E_FORMAT);
  }
  if (strcmp(word, "None") == 0)
    status = celi_zoo_add(parser->tree, CELI_ZOO_NULL, parser->line, NULL, out);
  else if (strcmp(word, "True") == 0 || strcmp(word, "False") == 0)
    status = celi_zoo_add(parser->tree, CELI_ZOO_BOOL, parser->line,
                          *word == 'T' ? "true" : "false", out);
  else
    status = celi_zoo_add(parser->tree, CELI_ZOO_NAME, parser->line, word, out);
  free(word);
  return status;
}

static CelStatus read_value(Parser *parser, int depth, CeliZooValue **out) {
  *out = NULL;
  if (depth > CELI_ZOO_DEPTH)
    return fail_here(parser,
                     cel_fail(CEL_E_FORMAT, "more than %d levels, the limit", CELI_ZOO_DEPTH));
  if (take(parser, '[')) return read_items(parser, ']', depth, out);
  if (take(parser, '(')) return read_items(parser, ')', depth, out);
  if (take(parser, '{')) return read_pairs(parser, false, depth, out);
  const char c = *parser->at;
  if (c == '\'' || c == '"') return read_text(parser, out);
  if (is_digit(c) || c == '-' || c == '+' || c == '.') return read_number(parser, out);
  if (is_letter(c)) return read_word(parser, depth, out);
  return fail_here(parser,
                   c ? cel_fail(CEL_E_FORMAT, "expected a value before \"%.20s\"", parser->at)
                     : cel_fail(CEL_E_FORMAT, "a value is missing at the end"));
}

CelStatus celi_zoo_literal(CeliZooTree *tree, const char *text, size_t line, CeliZooValue **out) {
  Parser parser = {.tree = tree, .text = text, .at = text, .line = line};
  CELI_TRY(read_value(&parser, 0, out));
  skip_blanks(&parser);
  if (!*parser.at) return CEL_OK;
  return fail_here(&parser, cel_fail(CEL_E_FORMAT,
                                     "nothing may follow the value, but \"%.20s\" "
                                     "does",
                                     parser.at));
}
