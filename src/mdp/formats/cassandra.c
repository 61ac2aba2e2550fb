/// Reader of Cassandra's format for MDPs and POMDPs, with the grammar of pomdp-solve
/// (docs/files.md).
///
///     discount: 0.95                        T: a : s : s' p     R: a : s : s' r        (MDP)
///     values: reward[s] | cost[s]           T: a : s  row       R: a : s : s' : o r
///     states: 5 | names                     T: a  matrix        R: a : s : s'  row     (over o)
///     actions: 2 | names                    row, matrix: their  R: a : s  row | matrix
///     observations: 3 | names               numbers, uniform,   R: a  matrix           (MDP)
///     start: row | states | uniform         reset (a row),      O: as T, over s' and o
///     start include: states                 identity (a matrix)
///     start exclude: states
///
/// * means all, # begins a comment, and a later statement about an entry replaces earlier ones.
/// Only the MDP part of a POMDP is read. Observations matter only if rewards depend on them.
#include "mdp/formats/cassandra.h"
#include "base/base.h"
#include "mdp/formats/formats.h"
#include "mdp/model.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum Kind { END, WORD, NUMBER, COLON, STAR } Kind;

typedef struct Token {
  Kind kind;
  bool negative; ///< a separate minus sign preceded the number
  CeliWord word;
} Token;

/// The names of states, actions or observations, with a hash table. Empty if only their number was
/// given.
typedef struct Names {
  const char *what; ///< "state"
  int64_t count;    ///< 0: not declared yet
  CeliWord *word;   ///< (count) or NULL
  int64_t word_capacity;
  int64_t *slot; ///< (slots) 1 + index of a name; 0: free
  uint64_t slots;
} Names;

typedef struct Parser {
  CeliCassandra said;
  Names state, action, observation;
  bool has_discount, has_values, has_start;
  bool begun; ///< the first T, O or R statement was read
} Parser;

// ---- tokens

static bool ends_word(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v' || c == ':' ||
         c == '*' || c == '#';
}

static Token next_token(CeliScan *scan) {
  celi_scan_blank(scan, '#');
  Token token = {.kind = END, .word = {scan->at, 0, scan->line}};
  if (scan->at == scan->end) return token;
  if (*scan->at == ':' || *scan->at == '*') {
    token.kind = *scan->at == ':' ? COLON : STAR;
    scan->at++;
    token.word.n = 1;
    return token;
  }
  const char first = *scan->at;
  while (scan->at < scan->end && !ends_word(*scan->at)) scan->at++;
  token.word.n = (size_t)(scan->at - token.word.text);
  const bool number =
      (first >= '0' && first <= '9') || first == '.' || first == '-' || first == '+';
  token.kind = number ? NUMBER : WORD;
  return token;
}

static Token take(Parser *parser) {
  CeliScan *scan = &parser->said.scan;
  Token token = next_token(scan);
  if (token.kind != NUMBER || token.word.n != 1) return token;
  if (token.word.text[0] != '-' && token.word.text[0] != '+') return token;
  CeliScan copy = *scan;
  Token number = next_token(&copy);
  if (number.kind != NUMBER) return token;
  number.negative = token.word.text[0] == '-';
  *scan = copy;
  return number;
}

static Token ahead(const Parser *parser) {
  CeliScan copy = parser->said.scan;
  return next_token(&copy);
}

static bool take_colon(Parser *parser) {
  if (ahead(parser).kind != COLON) return false;
  take(parser);
  return true;
}

/// True if a list of names ends here: at a word followed by a colon, at "start include:" or "start
/// exclude:", or at the end of the file.
static bool at_statement(const Parser *parser) {
  CeliScan copy = parser->said.scan;
  const Token one = next_token(&copy), two = next_token(&copy);
  if (one.kind == END) return true;
  if (one.kind != WORD) return false;
  if (two.kind == COLON) return true;
  return celi_word_is(one.word, "start") &&
         (celi_word_is(two.word, "include") || celi_word_is(two.word, "exclude")) &&
         next_token(&copy).kind == COLON;
}

static CelStatus fail_token(const Parser *parser, Token token, const char *expected) {
  if (token.kind == END) {
    return celi_scan_fail(&parser->said.scan, token.word.line,
                          "the file ends where %s should be; it may be cut short", expected);
  }
  return celi_scan_fail(&parser->said.scan, token.word.line, "found \"%.*s\" where %s should be",
                        CELI_WORD(token.word), expected);
}

static CelStatus expect_colon(Parser *parser) {
  return take_colon(parser) ? CEL_OK : fail_token(parser, ahead(parser), "':'");
}

static CelStatus read_number(Parser *parser, const char *what, double *out) {
  const Token token = take(parser);
  if (token.kind != NUMBER) return fail_token(parser, token, what);
  CELI_TRY(celi_scan_number(&parser->said.scan, token.word, what, out));
  if (token.negative) *out = 0.0 - *out;
  return CEL_OK;
}

// ---- names

static uint64_t hash(CeliWord word) {
  uint64_t h = 0xcbf29ce484222325u; // FNV-1a
  for (size_t i = 0; i < word.n; i++) h = (h ^ (unsigned char)word.text[i]) * 0x100000001b3u;
  return h ^ (h >> 32);
}

static bool same(CeliWord a, CeliWord b) {
  return a.n == b.n && memcmp(a.text, b.text, a.n) == 0;
}

/// The slot of a name, or the free slot for it.
static int64_t *slot_of(const Names *names, CeliWord word) {
  for (uint64_t i = hash(word);; i++) {
    int64_t *slot = &names->slot[i & (names->slots - 1)];
    if (*slot == 0 || same(names->word[*slot - 1], word)) return slot;
  }
}

static CelStatus index_names(const Parser *parser, Names *names) {
  names->slots = 4;
  while (names->slots < 2 * (uint64_t)names->count) names->slots *= 2;
  CELI_TRY(celi_calloc(&names->slot, names->slots, sizeof *names->slot, "names"));
  for (int64_t i = 0; i < names->count; i++) {
    int64_t *slot = slot_of(names, names->word[i]);
    if (*slot != 0) {
      return celi_scan_fail(&parser->said.scan, names->word[i].line, "%s \"%.*s\" appears twice",
                            names->what, CELI_WORD(names->word[i]));
    }
    *slot = i + 1;
  }
  return CEL_OK;
}

/// states: 5, or states: left right
static CelStatus read_names(Parser *parser, Names *names, CeliWord key, int64_t most) {
  const CeliScan *scan = &parser->said.scan;
  if (names->count > 0) {
    return celi_scan_fail(scan, key.line, "\"%.*s\" appears twice", CELI_WORD(key));
  }
  if (parser->begun) {
    return celi_scan_fail(scan, key.line, "\"%.*s\" must come before the first T, O or R",
                          CELI_WORD(key));
  }
  if (ahead(parser).kind == NUMBER) {
    char what[40];
    const Token token = take(parser);
    snprintf(what, sizeof what, "the number of %ss", names->what);
    CELI_TRY(celi_scan_index(scan, token.word, what, most, &names->count));
    if (names->count > 0) return CEL_OK;
    return celi_scan_fail(scan, token.word.line, "\"%.*s\" is 0; it must be at least 1",
                          CELI_WORD(key));
  }
  while (!at_statement(parser)) {
    const Token token = take(parser);
    if (token.kind != WORD) return fail_token(parser, token, "a name");
    CELI_TRY(celi_grow(&names->word, &names->word_capacity, names->count + 1, sizeof *names->word,
                       "names"));
    names->word[names->count++] = token.word;
  }
  if (names->count == 0) return fail_token(parser, ahead(parser), "a number or names");
  return index_names(parser, names);
}

static CelStatus fail_name(const Parser *parser, const Names *names, CeliWord word) {
  char wanted[CEL_TEXT_MAX] = "", best[CEL_TEXT_MAX] = "";
  CeliNearest nearest = {.wanted = wanted};
  if (word.n < sizeof wanted) memcpy(wanted, word.text, word.n);
  for (int64_t i = 0; names->word && i < names->count && i < 1000; i++) {
    char name[CEL_TEXT_MAX] = "";
    if (names->word[i].n >= sizeof name) continue;
    memcpy(name, names->word[i].text, names->word[i].n);
    if (celi_nearest_try(&nearest, name)) {
      memcpy(best, name, sizeof best);
      nearest.best = best;
    }
  }
  return celi_scan_fail(&parser->said.scan, word.line,
                        "there is no %s \"%.*s\"%s%s%s; use %s0 to %" PRId64, names->what,
                        CELI_WORD(word), nearest.best ? " (\"" : "",
                        nearest.best ? nearest.best : "", nearest.best ? "\"?)" : "",
                        names->word ? "a name of the preamble, or " : "", names->count - 1);
}

/// Reads a state, action or observation by name or number. With `all`, * is allowed and gives -1.
static CelStatus read_one(Parser *parser, const Names *names, bool all, int64_t *out) {
  const Token token = take(parser);
  if (token.kind == STAR && all) {
    *out = -1;
    return CEL_OK;
  }
  if (token.kind == NUMBER && !token.negative) {
    return celi_scan_index(&parser->said.scan, token.word, names->what, names->count, out);
  }
  if (token.kind != WORD) return fail_token(parser, token, names->what);
  const int64_t slot = names->slot ? *slot_of(names, token.word) : 0;
  if (slot == 0) return fail_name(parser, names, token.word);
  *out = slot - 1;
  return CEL_OK;
}

// ---- the preamble

static CelStatus once(const Parser *parser, CeliWord key, bool *seen) {
  if (*seen) {
    return celi_scan_fail(&parser->said.scan, key.line, "\"%.*s\" appears twice", CELI_WORD(key));
  }
  *seen = true;
  return CEL_OK;
}

static CelStatus read_discount(Parser *parser, CeliWord key) {
  CELI_TRY(once(parser, key, &parser->has_discount));
  parser->said.discount_line = key.line;
  return read_number(parser, "discount", &parser->said.discount);
}

static CelStatus read_values(Parser *parser, CeliWord key) {
  CELI_TRY(once(parser, key, &parser->has_values));
  const Token token = take(parser);
  parser->said.costs = celi_word_is(token.word, "cost") || celi_word_is(token.word, "costs");
  if (parser->said.costs) return CEL_OK;
  if (celi_word_is(token.word, "reward") || celi_word_is(token.word, "rewards")) return CEL_OK;
  return fail_token(parser, token, "\"reward\" or \"cost\"");
}

static CelStatus read_states(Parser *parser, CeliWord key) {
  size_t bytes;
  CELI_TRY(read_names(parser, &parser->state, key, INT64_MAX));
  parser->said.states = parser->state.count;
  parser->said.states_line = key.line;
  if (!celi_size_mul((size_t)parser->state.count, 2 * sizeof(double), &bytes)) bytes = SIZE_MAX;
  return celi_scan_in(&parser->said.scan, key.line, celi_mdp_room(bytes, "that many states"));
}

static CelStatus read_actions(Parser *parser, CeliWord key) {
  CELI_TRY(read_names(parser, &parser->action, key, INT32_MAX));
  parser->said.actions = parser->action.count;
  return CEL_OK;
}

static CelStatus read_observations(Parser *parser, CeliWord key) {
  CELI_TRY(read_names(parser, &parser->observation, key, INT32_MAX));
  parser->said.observations = parser->observation.count;
  return CEL_OK;
}

// ---- start

static CelStatus start_create(CeliCassandra *said) {
  return celi_calloc(&said->start, (size_t)said->states, sizeof *said->start,
                     "the initial distribution");
}

/// start include: a b c, start exclude: a b c, start: a b c
static CelStatus read_start_list(Parser *parser, bool include) {
  CeliCassandra *said = &parser->said;
  int64_t s, left = 0;
  CELI_TRY(start_create(said));
  do {
    CELI_TRY(read_one(parser, &parser->state, false, &s));
    said->start[s] = 1.0;
  } while (!at_statement(parser));
  for (s = 0; s < said->states; s++) {
    if (!include) said->start[s] = 1.0 - said->start[s];
    left += said->start[s] > 0.0;
  }
  if (left == 0) {
    return celi_scan_fail(&said->scan, said->start_line,
                          "no initial state is left; exclude fewer states");
  }
  for (s = 0; s < said->states; s++) said->start[s] /= (double)left;
  return CEL_OK;
}

/// start: 0.5 0.5 0, or start: 2. A single number is a state, unless there is only one state.
static CelStatus read_start_numbers(Parser *parser) {
  CeliCassandra *said = &parser->said;
  CeliScan copy = said->scan;
  next_token(&copy);
  const bool single = next_token(&copy).kind != NUMBER;
  CELI_TRY(start_create(said));
  if (single && said->states > 1) {
    int64_t s;
    CELI_TRY(read_one(parser, &parser->state, false, &s));
    said->start[s] = 1.0;
    return CEL_OK;
  }
  for (int64_t s = 0; s < said->states; s++) {
    const Token token = take(parser);
    if (token.kind != NUMBER || token.negative) {
      return fail_token(parser, token, "one probability per state");
    }
    CELI_TRY(
        celi_scan_probability(&said->scan, token.word, "initial probability", &said->start[s]));
  }
  if (said->states == 1) said->start[0] = 1.0; // the number may be 0, the name of the state
  return CEL_OK;
}

static CelStatus read_start(Parser *parser, CeliWord key) {
  CELI_TRY(once(parser, key, &parser->has_start));
  parser->said.start_line = key.line;
  if (parser->state.count == 0) {
    return celi_scan_fail(&parser->said.scan, key.line, "\"states\" must come before \"start\"");
  }
  const Token token = ahead(parser);
  if (!take_colon(parser)) {
    const bool include = celi_word_is(token.word, "include");
    if (!include && !celi_word_is(token.word, "exclude")) {
      return fail_token(parser, token, "':', \"include\" or \"exclude\"");
    }
    take(parser);
    CELI_TRY(expect_colon(parser));
    return read_start_list(parser, include);
  }
  const Token what = ahead(parser);
  if (what.kind == NUMBER) return read_start_numbers(parser);
  if (celi_word_is(what.word, "uniform")) {
    take(parser);
    return CEL_OK;
  }
  return read_start_list(parser, true);
}

// ---- T and O

/// Appends the n numbers of a row to the cell list of `rule`.
static CelStatus read_cells(Parser *parser, CeliRules *rules, int64_t n, bool probabilities,
                            CeliRule *rule) {
  CeliScan *scan = &parser->said.scan;
  rule->first = rules->cells;
  for (int64_t j = 0; j < n; j++) {
    double value;
    const Token token = take(parser);
    if (token.kind != NUMBER) {
      return celi_scan_fail(scan, token.word.line,
                            "found %s%.*s%s after %" PRId64 " of the %" PRId64 " number%s of a row",
                            token.kind == END ? "the end of the file" : "\"", CELI_WORD(token.word),
                            token.kind == END ? "" : "\"", j, n, celi_s(n));
    }
    if (probabilities && !token.negative) {
      CELI_TRY(celi_scan_probability(scan, token.word, "probability", &value));
    } else {
      CELI_TRY(celi_scan_number(scan, token.word, "number", &value));
    }
    if (token.negative) value = 0.0 - value;
    if (probabilities && !celi_mdp_is_probability(value)) {
      return celi_scan_fail(scan, token.word.line, "probability %g is not in [0, 1]", value);
    }
    CELI_TRY(celi_rules_add_cell(rules, j, value));
  }
  rule->n = rules->cells - rule->first;
  return CEL_OK;
}

static CelStatus take_keyword(Parser *parser, CeliRules *rules, CeliRule rule, CeliRuleKind kind) {
  take(parser);
  rule.kind = kind;
  return celi_rules_add(rules, rule);
}

/// The part after "T: a : s": numbers, uniform or reset.
static CelStatus read_row(Parser *parser, CeliRules *rules, CeliRule rule, int64_t columns) {
  const Token token = ahead(parser);
  if (celi_word_is(token.word, "uniform")) {
    return take_keyword(parser, rules, rule, CELI_RULE_UNIFORM);
  }
  if (celi_word_is(token.word, "reset") && rules == &parser->said.t) {
    return take_keyword(parser, rules, rule, CELI_RULE_RESET);
  }
  if (token.kind != NUMBER) return fail_token(parser, token, "a row (numbers, uniform, reset)");
  rule.kind = CELI_RULE_ROW;
  CELI_TRY(read_cells(parser, rules, columns, true, &rule));
  return celi_rules_add(rules, rule);
}

/// The part after "T: a": numbers, uniform or identity.
static CelStatus read_matrix(Parser *parser, CeliRules *rules, CeliRule rule, int64_t columns) {
  const Token token = ahead(parser);
  if (celi_word_is(token.word, "uniform")) {
    return take_keyword(parser, rules, rule, CELI_RULE_UNIFORM);
  }
  if (celi_word_is(token.word, "identity") && columns == parser->state.count) {
    return take_keyword(parser, rules, rule, CELI_RULE_IDENTITY);
  }
  if (token.kind != NUMBER) {
    return fail_token(parser, token, "':' or a matrix (numbers, uniform, identity)");
  }
  for (rule.i = 0; rule.i < parser->state.count; rule.i++) {
    rule.kind = CELI_RULE_ROW;
    rule.line = ahead(parser).word.line;
    CELI_TRY(read_cells(parser, rules, columns, true, &rule));
    CELI_TRY(celi_rules_add(rules, rule));
  }
  return CEL_OK;
}

static CelStatus read_action(Parser *parser, CeliRule *rule) {
  int64_t a;
  CELI_TRY(read_one(parser, &parser->action, true, &a));
  rule->a = (int32_t)a;
  return CEL_OK;
}

static CelStatus read_probabilities(Parser *parser, CeliRules *rules, const Names *columns,
                                    CeliRule rule) {
  CELI_TRY(read_action(parser, &rule));
  if (!take_colon(parser)) return read_matrix(parser, rules, rule, columns->count);
  CELI_TRY(read_one(parser, &parser->state, true, &rule.i));
  if (!take_colon(parser)) return read_row(parser, rules, rule, columns->count);
  CELI_TRY(read_one(parser, columns, true, &rule.j));
  const Token token = take(parser);
  if (token.kind != NUMBER || token.negative) return fail_token(parser, token, "a probability");
  CELI_TRY(celi_scan_probability(&parser->said.scan, token.word, "probability", &rule.value));
  return celi_rules_add(rules, rule);
}

// ---- R

/// Rewards of (a, s, s') by observation. Equal rewards become a single number.
static CelStatus read_observed(Parser *parser, CeliRule rule) {
  CeliRules *rules = &parser->said.r;
  const int64_t n = parser->observation.count;
  rule.kind = CELI_RULE_OBSERVED;
  CELI_TRY(read_cells(parser, rules, n, false, &rule));
  const CeliRewardCell *cell = rule.n > 0 ? rules->cell + rule.first : NULL;
  bool same_for_all = rule.n == 0 || rule.n == n;
  for (int64_t k = 1; k < rule.n && same_for_all; k++) {
    same_for_all = !(cell[k].value < cell[0].value || cell[k].value > cell[0].value);
  }
  if (same_for_all) {
    rule.kind = CELI_RULE_ENTRY;
    rule.value = rule.n > 0 ? cell[0].value : 0.0;
    rules->cells = rule.first;
  }
  parser->said.by_observation |= !same_for_all;
  return celi_rules_add(rules, rule);
}

/// R: a : s and then numbers: a row over s' (MDP), or a matrix over s' and o (POMDP).
static CelStatus read_reward_rows(Parser *parser, CeliRule rule) {
  CeliRules *rules = &parser->said.r;
  if (parser->observation.count == 0) {
    rule.kind = CELI_RULE_ROW;
    CELI_TRY(read_cells(parser, rules, parser->state.count, false, &rule));
    return celi_rules_add(rules, rule);
  }
  for (rule.j = 0; rule.j < parser->state.count; rule.j++) CELI_TRY(read_observed(parser, rule));
  return CEL_OK;
}

/// R: a and then a matrix over s and s' (MDP).
static CelStatus read_reward_matrix(Parser *parser, CeliRule rule) {
  if (parser->observation.count > 0 || ahead(parser).kind != NUMBER) {
    return fail_token(parser, ahead(parser), "':'");
  }
  for (rule.i = 0; rule.i < parser->state.count; rule.i++) {
    CELI_TRY(read_reward_rows(parser, rule));
  }
  return CEL_OK;
}

/// R: a : s : s' : o and then a number.
static CelStatus read_reward_entry(Parser *parser, CeliRule rule) {
  int64_t o = -1;
  if (parser->observation.count > 0) {
    CELI_TRY(read_one(parser, &parser->observation, true, &o));
  } else {
    const Token token = take(parser);
    if (token.kind != STAR)
      return fail_token(parser, token, "'*' (the file declares no observations)");
  }
  if (parser->observation.count == 1) o = -1;
  rule.o = (int32_t)o;
  parser->said.by_observation |= o >= 0;
  CELI_TRY(read_number(parser, "reward", &rule.value));
  return celi_rules_add(&parser->said.r, rule);
}

static CelStatus read_rewards(Parser *parser, CeliRule rule) {
  CELI_TRY(read_action(parser, &rule));
  if (!take_colon(parser)) return read_reward_matrix(parser, rule);
  CELI_TRY(read_one(parser, &parser->state, true, &rule.i));
  if (!take_colon(parser)) return read_reward_rows(parser, rule);
  CELI_TRY(read_one(parser, &parser->state, true, &rule.j));
  if (take_colon(parser)) return read_reward_entry(parser, rule);
  if (parser->observation.count > 0) return read_observed(parser, rule);
  CELI_TRY(read_number(parser, "reward", &rule.value));
  return celi_rules_add(&parser->said.r, rule);
}

// ---- the file

static CelStatus read_table(Parser *parser, CeliWord key) {
  const CeliRule rule = {
      .kind = CELI_RULE_ENTRY, .a = -1, .i = -1, .j = -1, .o = -1, .line = key.line};
  if (parser->state.count == 0 || parser->action.count == 0) {
    return celi_scan_fail(&parser->said.scan, key.line,
                          "\"states\" and \"actions\" must come before the first T, O or R");
  }
  parser->begun = true;
  if (celi_word_is(key, "T")) {
    return read_probabilities(parser, &parser->said.t, &parser->state, rule);
  }
  if (celi_word_is(key, "R")) return read_rewards(parser, rule);
  if (parser->observation.count == 0) {
    return celi_scan_fail(&parser->said.scan, key.line,
                          "\"O\" is only allowed in a file that declares observations");
  }
  return read_probabilities(parser, &parser->said.o, &parser->observation, rule);
}

static CelStatus read_statement(Parser *parser) {
  static const struct {
    const char *key;
    CelStatus (*read)(Parser *, CeliWord);
  } statement[] = {{"discount", read_discount},
                   {"values", read_values},
                   {"states", read_states},
                   {"actions", read_actions},
                   {"observations", read_observations},
                   {"T", read_table},
                   {"O", read_table},
                   {"R", read_table}};
  const Token token = take(parser);
  if (token.kind == WORD && celi_word_is(token.word, "start")) {
    return read_start(parser, token.word);
  }
  for (size_t i = 0; i < sizeof statement / sizeof *statement && token.kind == WORD; i++) {
    if (!celi_word_is(token.word, statement[i].key)) continue;
    CELI_TRY(expect_colon(parser));
    return statement[i].read(parser, token.word);
  }
  return fail_token(parser, token,
                    token.kind == NUMBER
                        ? "a statement (does the previous statement have too many numbers?)"
                        : "discount, values, states, actions, observations, start, T, O or R");
}

static CelStatus read_text(Parser *parser) {
  while (ahead(parser).kind != END) CELI_TRY(read_statement(parser));
  if (parser->state.count > 0 && parser->action.count > 0) return CEL_OK;
  return celi_scan_fail(&parser->said.scan, ahead(parser).word.line,
                        "the file ends without declaring \"%s\"",
                        parser->state.count > 0 ? "actions" : "states");
}

static void names_free(Names *names) {
  free(names->word);
  free(names->slot);
}

CelStatus celi_mdp_parse_cassandra(CelMdp **out, const char *file, const char *text, size_t size,
                                   const CelMdpLoadOptions *options) {
  Parser parser = {.said = {.scan = celi_scan(file, text, size), .discount = (double)NAN},
                   .state = {.what = "state"},
                   .action = {.what = "action"},
                   .observation = {.what = "observation"}};
  CelStatus status = read_text(&parser);
  if (status == CEL_OK) status = celi_cassandra_build(&parser.said, options, out);
  names_free(&parser.state);
  names_free(&parser.action);
  names_free(&parser.observation);
  celi_rules_free(&parser.said.t);
  celi_rules_free(&parser.said.o);
  celi_rules_free(&parser.said.r);
  free(parser.said.start);
  return status;
}

static CelStatus load(CelMdp **out, const char *path, const CelMdpLoadOptions *options) {
  char *text;
  size_t size;
  CELI_TRY(celi_text_read(path, &text, &size));
  const CelStatus status = celi_mdp_parse_cassandra(out, path, text, size, options);
  free(text);
  return status;
}

/// True if the text begins with a statement of the preamble.
static bool sniff(const char *data, size_t size) {
  static const char *const keys[] = {"discount", "values", "states", "actions", "observations"};
  CeliScan scan = celi_scan("", data, size);
  celi_scan_blank(&scan, '#');
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    const size_t n = strlen(keys[i]);
    CeliScan rest = scan;
    if ((size_t)(scan.end - scan.at) <= n || memcmp(scan.at, keys[i], n) != 0) continue;
    rest.at += n;
    celi_scan_blank(&rest, '#');
    if (rest.at < rest.end && *rest.at == ':') return true;
  }
  return false;
}

const CeliMdpFormat celi_mdp_format_cassandra = {
    .info = {CEL_MDP_CASSANDRA,
             "cassandra",
             "text of Cassandra's pomdp-solve; observations are left out",
             {".mdp", ".pomdp"},
             {NULL}},
    .sniff = sniff,
    .load = load,
    .save = celi_mdp_save_cassandra};
