/// Labels of an MDP: checks, search by name, and the states for which an expression over labels
/// holds.
///
///     or  = and { "|" and }      and = not { "&" not }      not = "!" not | atom
///     atom = "(" or ")" | name | "\"" name "\"" | state
///
/// The parser keeps one set of states per open operator, at most DEPTH of them.
#include "base/arguments.h"
#include "base/base.h"
#include "mdp/model.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- checks

CelStatus celi_mdp_check_labels(const CelMdp *mdp) {
  const int64_t L = mdp->labels;
  if (L < 0 || L > CELI_MDP_NAMES || (L > 0 && !mdp->label)) {
    return cel_fail(CEL_E_RANGE, "%" PRId64 " labels: give an array of 0 to %d", L, CELI_MDP_NAMES);
  }
  for (int64_t i = 0; i < L; i++) {
    const CelMdpLabel *label = &mdp->label[i];
    CELI_TRY(celi_mdp_check_name(label->name, "label"));
    for (int64_t k = 0; k < i; k++) {
      if (strcmp(label->name, mdp->label[k].name) != 0) continue;
      return cel_fail(CEL_E_RANGE, "label \"%s\" appears twice", label->name);
    }
    if (!label->in) return cel_fail(CEL_E_RANGE, "label \"%s\" has no array", label->name);
    for (int64_t s = 0; s < mdp->states; s++) {
      if (label->in[s] <= 1) continue;
      return cel_fail(CEL_E_RANGE, "label \"%s\": state %" PRId64 " has %d; it must be 0 or 1",
                      label->name, s, label->in[s]);
    }
  }
  return CEL_OK;
}

// ---- names

static const CelMdpLabel *find(const CelMdp *mdp, const char *name) {
  for (int64_t i = 0; i < mdp->labels; i++) {
    if (strcmp(mdp->label[i].name, name) == 0) return &mdp->label[i];
  }
  return NULL;
}

static CelStatus fail_unknown(const CelMdp *mdp, const char *name) {
  char list[512] = "";
  size_t used = 0;
  CeliNearest nearest = {.wanted = name};
  if (mdp->labels == 0) {
    return cel_fail(CEL_E_NAME, "no label \"%s\": the problem has no labels", name);
  }
  for (int64_t i = 0; i < mdp->labels; i++) celi_nearest_try(&nearest, mdp->label[i].name);
  if (nearest.best) {
    return cel_fail(CEL_E_NAME, "no label \"%s\"; did you mean \"%s\"?", name, nearest.best);
  }
  for (int64_t i = 0; i < mdp->labels && used < sizeof list; i++) {
    used += (size_t)snprintf(list + used, sizeof list - used, "%s\"%s\"", i > 0 ? ", " : "",
                             mdp->label[i].name);
  }
  return cel_fail(CEL_E_NAME, "no label \"%s\"; the problem has %s", name, list);
}

CelStatus cel_mdp_label_find(const CelMdp *mdp, const char *name, const CelMdpLabel **out) {
  CELI_NEED(mdp);
  CELI_NEED(name);
  CELI_NEED(out);
  CELI_FLOATS(CELI_IEEE);
  const CelMdpLabel *found = find(mdp, name);
  if (!found) return fail_unknown(mdp, name);
  *out = found;
  return CEL_OK;
}

// ---- expressions

enum { DEPTH = 32 };

typedef struct Parser {
  const CelMdp *mdp;
  const char *text, *at;
  int nesting;         ///< open parentheses
  int depth;           ///< sets in use
  uint8_t *set[DEPTH]; ///< (states) each, allocated at first use
} Parser;

static CelStatus fail_at(const Parser *parser, const char *what) {
  return cel_fail(CEL_E_ARGUMENT,
                  "\"%.200s\", character %td: %s; labels combine with !, &, | and parentheses",
                  parser->text, parser->at - parser->text + 1, what);
}

/// Opens another set. Errors: CEL_E_ARGUMENT (too many), CEL_E_MEMORY.
static CelStatus push(Parser *parser, uint8_t **out) {
  if (parser->depth == DEPTH) return fail_at(parser, "too many open parentheses and operators");
  uint8_t **set = &parser->set[parser->depth];
  if (!*set) CELI_TRY(celi_alloc(set, (size_t)parser->mdp->states, 1, "a set of states"));
  parser->depth++;
  *out = *set;
  return CEL_OK;
}

static void skip_blanks(Parser *parser) {
  while (*parser->at == ' ' || *parser->at == '\t') parser->at++;
}

/// Skips the character, which may be doubled as in && and ||. False if another one is next.
static bool take(Parser *parser, char c) {
  skip_blanks(parser);
  if (*parser->at != c) return false;
  parser->at += parser->at[1] == c && (c == '&' || c == '|') ? 2 : 1;
  return true;
}

static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         (unsigned char)c >= 0x80;
}

/// Reads a name with or without quotes.
static CelStatus read_name(Parser *parser, char name[CEL_TEXT_MAX], bool *quoted) {
  skip_blanks(parser);
  *quoted = *parser->at == '"';
  const char *from = parser->at + *quoted, *to = from;
  while (*quoted ? *to && *to != '"' : is_letter(*to)) to++;
  if (*quoted && !*to) return fail_at(parser, "the quote is not closed");
  if (to == from) {
    return fail_at(parser,
                   *from ? "a label, ! or ( should be here" : "the expression is incomplete");
  }
  if (to - from >= CEL_TEXT_MAX) return fail_at(parser, "the name is too long");
  memcpy(name, from, (size_t)(to - from));
  name[to - from] = 0;
  parser->at = to + *quoted;
  return CEL_OK;
}

/// A word that is not a label: a state's number or a word with a meaning.
static CelStatus fill_word(const CelMdp *mdp, const char *word, uint8_t *in) {
  int64_t number;
  const CeliNumber result = celi_parse_i64(word, &number);
  const bool all = strcmp(word, "true") == 0, init = strcmp(word, "init") == 0;
  const bool terminal = strcmp(word, "terminal") == 0;
  if (result == CELI_NUMBER_LARGE || (result == CELI_NUMBER_OK && number >= mdp->states)) {
    return cel_fail(CEL_E_RANGE, "state %s does not exist; states are 0 to %" PRId64, word,
                    mdp->states - 1);
  }
  if (result != CELI_NUMBER_OK && !all && !init && !terminal && strcmp(word, "false") != 0) {
    return fail_unknown(mdp, word);
  }
  memset(in, all, (size_t)mdp->states);
  if (result == CELI_NUMBER_OK) in[number] = 1;
  for (int64_t s = 0; (init || terminal) && s < mdp->states; s++) {
    in[s] = init ? mdp->start[s] > 0.0 : mdp->pair[s + 1] == mdp->pair[s];
  }
  return CEL_OK;
}

static CelStatus parse_or(Parser *parser, uint8_t *in);

static CelStatus parse_not(Parser *parser, uint8_t *in) {
  char name[CEL_TEXT_MAX];
  bool negate = false, quoted;
  while (take(parser, '!')) negate = !negate;
  if (take(parser, '(')) {
    CELI_TRY(parse_or(parser, in));
    if (!take(parser, ')')) return fail_at(parser, "a parenthesis is not closed");
  } else {
    CELI_TRY(read_name(parser, name, &quoted));
    const CelMdpLabel *label = find(parser->mdp, name);
    if (!label && quoted) return fail_unknown(parser->mdp, name);
    if (label) memcpy(in, label->in, (size_t)parser->mdp->states);
    if (!label) CELI_TRY(fill_word(parser->mdp, name, in));
  }
  for (int64_t s = 0; negate && s < parser->mdp->states; s++) in[s] = !in[s];
  return CEL_OK;
}

/// Parses operands of `with` that are joined by c.
static CelStatus parse_list(Parser *parser, uint8_t *in, char c,
                            CelStatus (*with)(Parser *, uint8_t *)) {
  uint8_t *next = NULL;
  CELI_TRY(with(parser, in));
  while (take(parser, c)) {
    CELI_TRY(push(parser, &next));
    CELI_TRY(with(parser, next));
    for (int64_t s = 0; s < parser->mdp->states; s++) {
      in[s] = c == '&' ? in[s] & next[s] : in[s] | next[s];
    }
    parser->depth--;
  }
  return CEL_OK;
}

static CelStatus parse_and(Parser *parser, uint8_t *in) {
  return parse_list(parser, in, '&', parse_not);
}

static CelStatus parse_or(Parser *parser, uint8_t *in) {
  if (++parser->nesting > DEPTH) {
    return fail_at(parser, "too many open parentheses");
  }
  CELI_TRY(parse_list(parser, in, '|', parse_and));
  parser->nesting--;
  return CEL_OK;
}

CelStatus cel_mdp_states_where(const CelMdp *mdp, const char *expression, uint8_t *in,
                               int64_t *count) {
  CELI_NEED(mdp);
  CELI_NEED(expression);
  CELI_NEED(in);
  CELI_FLOATS(CELI_IEEE);
  Parser parser = {.mdp = mdp, .text = expression, .at = expression};
  uint8_t *set = NULL;
  CelStatus status = push(&parser, &set);
  if (status == CEL_OK) status = parse_or(&parser, set);
  skip_blanks(&parser);
  if (status == CEL_OK && *parser.at) status = fail_at(&parser, "an operator should be here");
  if (status == CEL_OK) memcpy(in, set, (size_t)mdp->states);
  for (int i = 0; i < DEPTH; i++) free(parser.set[i]);
  if (status != CEL_OK || !count) return status;
  *count = 0;
  for (int64_t s = 0; s < mdp->states; s++) *count += in[s];
  return CEL_OK;
}
