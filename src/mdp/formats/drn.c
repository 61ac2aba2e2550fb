/// DRN, the text format of the model checker Storm (docs/files.md):
///
///     @type: MDP
///     @value_type: double
///     @reward_models
///     time gain
///     @nr_states
///     2
///     @nr_choices
///     2
///     @model
///     state 0 [1, 0] init "all coins"
///         action 0 [0, 2.5]
///             0 : 0.5
///             1 : 0.5
///     state 1 goal
///         action 0
///             1 : 1
///
/// The numbers in brackets are the rewards of a state or action, one for each reward model. Lines
/// that begin with // are comments. Values may be fractions such as 1/3, or names of @placeholders.
#include "mdp/formats/drn.h"
#include "base/base.h"
#include "mdp/formats/explicit.h"
#include "mdp/model.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLACEHOLDERS = 1 << 16 };

/// A placeholder, $NAME.
typedef struct Placeholder {
  CeliWord name;
  double value;
} Placeholder;

/// A reward model.
typedef struct Model {
  double *state, *pair; ///< (states), (pairs); NULL: zeros
  int64_t pair_capacity;
} Model;

typedef struct Reader {
  CeliScan scan;
  CeliWord line; ///< the current line without blanks at its ends
  const char *at, *end;
  int64_t states, choices; ///< from the header; choices -1: not given
  bool typed, pomdp;
  CelMdpReward *reward; ///< (rewards) with the names
  Model *model;         ///< (rewards)
  int64_t rewards;
  Placeholder *placeholder;
  int64_t placeholders, placeholder_capacity;
  CelMdpLabel *label;
  int64_t labels, label_capacity;
  uint8_t *initial;
  // the model
  int64_t state; ///< the last state; -1: none
  bool open;     ///< an action of the state is open
  bool numbered; ///< every action is a number
  int64_t pairs, transitions;
  uint64_t *pair, *row, *next;
  uint32_t *action;
  double *probability;
  int64_t pair_capacity, row_capacity, next_capacity, action_capacity, probability_capacity;
} Reader;

#define fail(reader, ...) celi_scan_fail(&(reader)->scan, (reader)->line.line, __VA_ARGS__)

// ---- lines and words

static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

/// Reads the next line, which may be empty. False at the end of the text.
static bool next_line(Reader *reader) {
  CeliScan *scan = &reader->scan;
  if (scan->at == scan->end) return false;
  const char *from = scan->at, *newline = memchr(from, '\n', (size_t)(scan->end - from));
  const char *to = newline ? newline : scan->end;
  scan->at = newline ? newline + 1 : scan->end;
  while (from < to && is_blank(*from)) from++;
  while (to > from && is_blank(to[-1])) to--;
  reader->line = (CeliWord){from, (size_t)(to - from), scan->line++};
  reader->at = from;
  reader->end = to;
  return true;
}

/// Reads the next line with content.
static bool next_content(Reader *reader) {
  while (next_line(reader)) {
    if (reader->line.n == 0) continue;
    if (reader->line.n >= 2 && memcmp(reader->line.text, "//", 2) == 0) continue;
    return true;
  }
  return false;
}

static void skip_blanks(Reader *reader) {
  while (reader->at < reader->end && is_blank(*reader->at)) reader->at++;
}

/// Reads the next word of the line. Its length is 0 at the end of the line.
static CeliWord next_word(Reader *reader) {
  skip_blanks(reader);
  CeliWord word = {reader->at, 0, reader->line.line};
  while (reader->at < reader->end && !is_blank(*reader->at)) reader->at++;
  word.n = (size_t)(reader->at - word.text);
  return word;
}

static bool begins_with(const Reader *reader, const char *text) {
  const size_t n = strlen(text);
  return reader->line.n >= n && memcmp(reader->line.text, text, n) == 0;
}

static const Placeholder *find_placeholder(const Reader *reader, CeliWord name) {
  for (int64_t i = 0; i < reader->placeholders; i++) {
    const CeliWord other = reader->placeholder[i].name;
    if (other.n == name.n && memcmp(other.text, name.text, name.n) == 0)
      return &reader->placeholder[i];
  }
  return NULL;
}

/// Parses a number, a fraction, or $NAME. A fraction is rounded: relative error at most 3.4e-16.
static CelStatus read_value(const Reader *reader, CeliWord word, const char *what, double *out) {
  const char *slash = word.n ? memchr(word.text, '/', word.n) : NULL;
  double divisor;
  if (word.n && word.text[0] == '$') {
    const CeliWord name = {word.text + 1, word.n - 1, word.line};
    const Placeholder *found = find_placeholder(reader, name);
    if (!found)
      return fail(reader, "%s %.*s is not declared in @placeholders", what, CELI_WORD(word));
    *out = found->value;
    return CEL_OK;
  }
  if (!slash) return celi_scan_number(&reader->scan, word, what, out);
  const size_t n = (size_t)(slash - word.text);
  const CeliWord over = {word.text, n, word.line}, under = {slash + 1, word.n - n - 1, word.line};
  CELI_TRY(celi_scan_number(&reader->scan, over, what, out));
  CELI_TRY(celi_scan_number(&reader->scan, under, what, &divisor));
  *out /= divisor;
  if (isfinite(*out)) return CEL_OK;
  return fail(reader, "%s %.*s is not a finite number", what, CELI_WORD(word));
}

// ---- the header

static CelStatus read_type(Reader *reader) {
  static const char *const readable[] = {"MDP", "DTMC", "POMDP"};
  const CeliWord type = {reader->line.text + 6, reader->line.n - 6, reader->line.line};
  CeliWord name = type;
  while (name.n && is_blank(*name.text)) name.text++, name.n--;
  for (size_t i = 0; i < sizeof readable / sizeof *readable; i++) {
    if (!celi_word_is(name, readable[i])) continue;
    reader->typed = true;
    reader->pomdp = i == 2;
    return CEL_OK;
  }
  celi_scan_say(&reader->scan, name.line,
                "the model is of type \"%.*s\"; only MDP, POMDP and DTMC can be read",
                CELI_WORD(name));
  return CEL_E_UNSUPPORTED;
}

static CelStatus read_value_type(Reader *reader) {
  CeliWord name = {reader->line.text + 12, reader->line.n - 12, reader->line.line};
  while (name.n && is_blank(*name.text)) name.text++, name.n--;
  if (celi_word_is(name, "double") || celi_word_is(name, "rational")) return CEL_OK;
  celi_scan_say(&reader->scan, name.line,
                "the value type is \"%.*s\"; only double and rational can be read",
                CELI_WORD(name));
  return CEL_E_UNSUPPORTED;
}

static CelStatus read_parameters(Reader *reader) {
  if (!next_line(reader) || reader->line.n == 0) return CEL_OK;
  celi_scan_say(&reader->scan, reader->line.line,
                "the model has parameters, %.*s; set them before you export it",
                CELI_WORD(reader->line));
  return CEL_E_UNSUPPORTED;
}

/// Lines "$NAME : VALUE" until the next line that begins with @.
static CelStatus read_placeholders(Reader *reader) {
  while (reader->scan.at < reader->scan.end && *reader->scan.at != '@') {
    if (!next_line(reader) || reader->line.n == 0) continue;
    CeliWord name = next_word(reader);
    const CeliWord colon = next_word(reader), value = next_word(reader);
    double x;
    if (name.n < 2 || name.text[0] != '$' || !celi_word_is(colon, ":"))
      return fail(reader, "found \"%.*s\" where a placeholder, $NAME : VALUE, should be",
                  CELI_WORD(reader->line));
    CELI_TRY(read_value(reader, value, "the value of a placeholder", &x));
    name.text++, name.n--;
    if (find_placeholder(reader, name))
      return fail(reader, "placeholder $%.*s appears twice", CELI_WORD(name));
    if (reader->placeholders == PLACEHOLDERS) return fail(reader, "more than 65536 placeholders");
    CELI_TRY(celi_grow(&reader->placeholder, &reader->placeholder_capacity,
                       reader->placeholders + 1, sizeof *reader->placeholder, "placeholders"));
    reader->placeholder[reader->placeholders++] = (Placeholder){name, x};
  }
  return CEL_OK;
}

static CelStatus read_reward_names(Reader *reader) {
  int64_t capacity = 0;
  if (reader->reward) return fail(reader, "@reward_models appears twice");
  if (!next_line(reader)) return CEL_OK;
  for (CeliWord word; (word = next_word(reader)).n > 0;) {
    if (reader->rewards == CELI_MDP_NAMES)
      return fail(reader, "more than %d reward models", CELI_MDP_NAMES);
    CELI_TRY(celi_grow(&reader->reward, &capacity, reader->rewards + 1, sizeof *reader->reward,
                       "reward models"));
    CelMdpReward *reward = &reader->reward[reader->rewards];
    memset(reward, 0, sizeof *reward);
    if (word.n >= sizeof reward->name)
      return fail(reader, "the name of reward model %.*s is longer than %d bytes", CELI_WORD(word),
                  CEL_TEXT_MAX - 1);
    memcpy(reward->name, word.text, word.n);
    reader->rewards++;
  }
  return CEL_OK;
}

static CelStatus read_count(Reader *reader, const char *what, int64_t *out) {
  if (!next_line(reader)) return fail(reader, "the number behind %s is missing", what);
  return celi_scan_index(&reader->scan, reader->line, what, INT64_MAX / 64, out);
}

static CelStatus read_header(Reader *reader) {
  while (next_content(reader)) {
    if (begins_with(reader, "@type:")) {
      CELI_TRY(read_type(reader));
    } else if (begins_with(reader, "@value_type:")) {
      CELI_TRY(read_value_type(reader));
    } else if (celi_word_is(reader->line, "@parameters")) {
      CELI_TRY(read_parameters(reader));
    } else if (celi_word_is(reader->line, "@placeholders")) {
      CELI_TRY(read_placeholders(reader));
    } else if (celi_word_is(reader->line, "@reward_models")) {
      CELI_TRY(read_reward_names(reader));
    } else if (celi_word_is(reader->line, "@nr_states")) {
      CELI_TRY(read_count(reader, "@nr_states", &reader->states));
    } else if (celi_word_is(reader->line, "@nr_choices")) {
      CELI_TRY(read_count(reader, "@nr_choices", &reader->choices));
    } else if (celi_word_is(reader->line, "@model")) {
      if (!reader->typed) return fail(reader, "@type: is missing before @model");
      if (reader->states < 1) return fail(reader, "@nr_states must be at least 1 before @model");
      return CEL_OK;
    } else {
      return fail(reader,
                  "found \"%.*s\" where an entry of the header, such as @nr_states, should be",
                  CELI_WORD(reader->line));
    }
  }
  return fail(reader, "the text ends before @model");
}

// ---- the model

/// Adds 0 for a reward model that the header does not name: rew0, rew1, ...
static CelStatus add_rewards(Reader *reader, int64_t n) {
  if (n > CELI_MDP_NAMES) return fail(reader, "more than %d reward models", CELI_MDP_NAMES);
  if (n <= reader->rewards && reader->model) return CEL_OK;
  const int64_t more = n > reader->rewards ? n : reader->rewards;
  const int64_t had = reader->model ? reader->rewards : 0;
  CELI_TRY(celi_resize(&reader->reward, (size_t)more, sizeof *reader->reward, "reward models"));
  CELI_TRY(celi_resize(&reader->model, (size_t)more, sizeof *reader->model, "reward models"));
  for (int64_t i = had; i < more; i++) reader->model[i] = (Model){.state = NULL};
  for (int64_t i = reader->rewards; i < more; i++) {
    memset(&reader->reward[i], 0, sizeof *reader->reward);
    snprintf(reader->reward[i].name, sizeof reader->reward[i].name, "rew%" PRId64, i);
  }
  reader->rewards = more;
  return CEL_OK;
}

static CelStatus put_reward(Reader *reader, int64_t i, bool of_pair, double value) {
  Model *model = &reader->model[i];
  if (!(value < 0.0 || value > 0.0)) return CEL_OK;
  if (!of_pair) {
    if (!model->state)
      CELI_TRY(celi_calloc(&model->state, (size_t)reader->states, sizeof(double), "rewards"));
    model->state[reader->state] = value;
    return CEL_OK;
  }
  const int64_t had = model->pair_capacity;
  CELI_TRY(
      celi_grow(&model->pair, &model->pair_capacity, reader->pairs, sizeof(double), "rewards"));
  if (model->pair_capacity > had)
    memset(model->pair + had, 0, (size_t)(model->pair_capacity - had) * sizeof(double));
  model->pair[reader->pairs - 1] = value;
  return CEL_OK;
}

/// Reads "[r, r, ...]" if it is next.
static CelStatus read_rewards(Reader *reader, bool of_pair) {
  skip_blanks(reader);
  if (reader->at == reader->end || *reader->at != '[') return CEL_OK;
  const char *stop = memchr(reader->at, ']', (size_t)(reader->end - reader->at));
  if (!stop) return fail(reader, "the bracket of the rewards is not closed");
  const char *from = reader->at + 1;
  for (int64_t i = 0;; i++) {
    const char *comma = memchr(from, ',', (size_t)(stop - from)), *to = comma ? comma : stop;
    const char *next = to;
    double value;
    while (from < to && is_blank(*from)) from++;
    while (to > from && is_blank(to[-1])) to--;
    const CeliWord word = {from, (size_t)(to - from), reader->line.line};
    CELI_TRY(add_rewards(reader, i + 1));
    CELI_TRY(read_value(reader, word, "a reward", &value));
    CELI_TRY(put_reward(reader, i, of_pair, value));
    if (!comma) break;
    from = next + 1;
  }
  reader->at = stop + 1;
  return CEL_OK;
}

static CelStatus put_label(Reader *reader, CeliWord name) {
  CelMdpLabel *label = NULL;
  if (name.n == 0 || name.n >= sizeof label->name)
    return fail(reader, "a label must have 1 to %d bytes", CEL_TEXT_MAX - 1);
  if (memchr(name.text, '"', name.n))
    return fail(reader, "label \"%.*s\" has a quote in it", CELI_WORD(name));
  for (int64_t i = 0; i < reader->labels && !label; i++) {
    CelMdpLabel *one = &reader->label[i];
    if (strlen(one->name) == name.n && memcmp(one->name, name.text, name.n) == 0) label = one;
  }
  if (!label) {
    if (reader->labels == CELI_MDP_NAMES)
      return fail(reader, "more than %d labels", CELI_MDP_NAMES);
    CELI_TRY(celi_grow(&reader->label, &reader->label_capacity, reader->labels + 1,
                       sizeof *reader->label, "labels"));
    label = &reader->label[reader->labels];
    memset(label, 0, sizeof *label);
    memcpy(label->name, name.text, name.n);
    uint8_t *in;
    CELI_TRY(celi_calloc(&in, (size_t)reader->states, 1, "a label"));
    label->in = in;
    reader->labels++;
    if (strcmp(label->name, "init") == 0) reader->initial = in;
  }
  ((uint8_t *)label->in)[reader->state] = 1;
  return CEL_OK;
}

/// Reads the labels to the end of the line. Those in quotes may have blanks.
static CelStatus read_labels(Reader *reader) {
  for (;;) {
    skip_blanks(reader);
    if (reader->at == reader->end) return CEL_OK;
    if (*reader->at != '"') {
      CELI_TRY(put_label(reader, next_word(reader)));
      continue;
    }
    const char *from = reader->at + 1;
    const char *stop = memchr(from, '"', (size_t)(reader->end - from));
    if (!stop) return fail(reader, "the quote of a label is not closed");
    CELI_TRY(put_label(reader, (CeliWord){from, (size_t)(stop - from), reader->line.line}));
    reader->at = stop + 1;
  }
}

/// Checks that the open action has a transition.
static CelStatus close_action(const Reader *reader) {
  if (!reader->open || reader->row[reader->pairs - 1] < (uint64_t)reader->transitions)
    return CEL_OK;
  return fail(reader, "state %" PRId64 " has an action without a transition before this line",
              reader->state);
}

/// state ID {observation} [rewards] labels
static CelStatus read_state(Reader *reader) {
  int64_t id;
  CELI_TRY(close_action(reader));
  CELI_TRY(celi_scan_index(&reader->scan, next_word(reader), "the state", reader->states, &id));
  if (id != reader->state + 1)
    return fail(reader, "state %" PRId64 " comes after state %" PRId64 "; states must ascend by 1",
                id, reader->state);
  reader->state = id;
  reader->open = false;
  CELI_TRY(
      celi_grow(&reader->pair, &reader->pair_capacity, id + 2, sizeof *reader->pair, "states"));
  reader->pair[id] = (uint64_t)reader->pairs;
  skip_blanks(reader);
  if (reader->pomdp && reader->at < reader->end && *reader->at == '{') {
    const char *stop = memchr(reader->at, '}', (size_t)(reader->end - reader->at));
    if (!stop) return fail(reader, "the brace of the observation is not closed");
    reader->at = stop + 1;
  }
  CELI_TRY(read_rewards(reader, false));
  return read_labels(reader);
}

/// Opens an action. `name` with length 0: it has none.
static CelStatus open_action(Reader *reader, CeliWord name) {
  int64_t number = 0;
  if (celi_word_index(name, &number) != CELI_NUMBER_OK || number >= INT32_MAX) {
    reader->numbered = false;
    number = 0;
  }
  CELI_TRY(celi_grow(&reader->row, &reader->row_capacity, reader->pairs + 2, sizeof *reader->row,
                     "actions"));
  CELI_TRY(celi_grow(&reader->action, &reader->action_capacity, reader->pairs + 1,
                     sizeof *reader->action, "actions"));
  reader->row[reader->pairs] = (uint64_t)reader->transitions;
  reader->action[reader->pairs++] = (uint32_t)number;
  reader->open = true;
  return CEL_OK;
}

/// action NAME [rewards]
static CelStatus read_action(Reader *reader) {
  if (reader->state < 0) return fail(reader, "an action comes before the first state");
  CELI_TRY(close_action(reader));
  CELI_TRY(open_action(reader, next_word(reader)));
  CELI_TRY(read_rewards(reader, true));
  skip_blanks(reader);
  if (reader->at == reader->end) return CEL_OK;
  return fail(reader, "found \"%.*s\" behind an action", (int)(reader->end - reader->at),
              reader->at);
}

/// STATE : PROBABILITY
static CelStatus read_transition(Reader *reader) {
  int64_t next;
  double probability;
  const char *colon = memchr(reader->line.text, ':', reader->line.n);
  if (!colon)
    return fail(reader,
                "found \"%.*s\" where \"state\", \"action\" or NEXT-STATE : PROBABILITY "
                "should be",
                CELI_WORD(reader->line));
  if (reader->state < 0) return fail(reader, "a transition comes before the first state");
  if (!reader->open) CELI_TRY(open_action(reader, (CeliWord){"0", 1, 0}));
  CeliWord word = {reader->line.text, (size_t)(colon - reader->line.text), reader->line.line};
  while (word.n && is_blank(word.text[word.n - 1])) word.n--;
  CELI_TRY(celi_scan_index(&reader->scan, word, "the next state", reader->states, &next));
  reader->at = colon + 1;
  const CeliWord value = next_word(reader);
  skip_blanks(reader);
  if (reader->at != reader->end) return fail(reader, "there is more text behind the probability");
  CELI_TRY(read_value(reader, value, "the probability", &probability));
  if (!celi_mdp_is_probability(probability))
    return fail(reader, "the probability %.*s is not in [0, 1]", CELI_WORD(value));
  const int64_t n = reader->transitions + 1;
  CELI_TRY(
      celi_grow(&reader->next, &reader->next_capacity, n, sizeof *reader->next, "transitions"));
  CELI_TRY(celi_grow(&reader->probability, &reader->probability_capacity, n,
                     sizeof *reader->probability, "transitions"));
  reader->next[n - 1] = (uint64_t)next;
  reader->probability[n - 1] = probability;
  reader->transitions = n;
  return CEL_OK;
}

static CelStatus read_model(Reader *reader) {
  while (next_content(reader)) {
    if (begins_with(reader, "state ")) {
      reader->at += 6;
      CELI_TRY(read_state(reader));
    } else if (begins_with(reader, "action ")) {
      reader->at += 7;
      CELI_TRY(read_action(reader));
    } else {
      CELI_TRY(read_transition(reader));
    }
  }
  CELI_TRY(close_action(reader));
  if (reader->state + 1 != reader->states)
    return fail(reader,
                "@nr_states is %" PRId64 ", but the text has %" PRId64 " states; it may be cut "
                "short",
                reader->states, reader->state + 1);
  if (reader->choices >= 0 && reader->choices != reader->pairs)
    return fail(reader,
                "@nr_choices is %" PRId64 ", but the text has %" PRId64 " actions; it may be "
                "cut short",
                reader->choices, reader->pairs);
  if (reader->pairs == 0) return fail(reader, "no state has an action");
  return CEL_OK;
}

/// Ends the arrays with their totals.
static CelStatus finish(Reader *reader) {
  reader->pair[reader->states] = (uint64_t)reader->pairs;
  reader->row[reader->pairs] = (uint64_t)reader->transitions;
  CELI_TRY(add_rewards(reader, reader->rewards));
  for (int64_t i = 0; i < reader->rewards; i++) {
    Model *model = &reader->model[i];
    const int64_t had = model->pair_capacity;
    reader->reward[i].state = model->state;
    if (!model->pair) continue;
    CELI_TRY(
        celi_grow(&model->pair, &model->pair_capacity, reader->pairs, sizeof(double), "rewards"));
    for (int64_t p = had; p < model->pair_capacity; p++) model->pair[p] = 0.0;
    reader->reward[i].pair = model->pair;
  }
  return CEL_OK;
}

static CelStatus read_all(Reader *reader, CelMdp **out, const CelMdpLoadOptions *options) {
  CELI_TRY(read_header(reader));
  size_t bytes;
  if (!celi_size_mul((size_t)reader->states, 3 * sizeof(double), &bytes)) bytes = SIZE_MAX;
  CELI_TRY(
      celi_scan_in(&reader->scan, reader->line.line, celi_mdp_room(bytes, "that many states")));
  CELI_TRY(read_model(reader));
  CELI_TRY(finish(reader));
  const CeliExplicit model = {
      .file = reader->scan.file,
      .states = reader->states,
      .pairs = reader->pairs,
      .transitions = reader->transitions,
      .pair = reader->pair,
      .row = reader->row,
      .next = reader->next,
      .probability = reader->probability,
      .action = reader->numbered ? reader->action : NULL,
      .initial = reader->initial,
      .label = reader->label,
      .labels = reader->labels,
      .reward = reader->reward,
      .rewards = reader->rewards,
      .discount = (double)NAN,
      .left_out = reader->pomdp
                      ? "observations are left out: the states of the MDP below the POMDP are known"
                      : NULL};
  return celi_explicit_build(out, &model, options);
}

CelStatus celi_mdp_parse_drn(CelMdp **out, const char *file, const char *text, size_t size,
                             const CelMdpLoadOptions *options) {
  Reader reader = {
      .scan = celi_scan(file, text, size), .choices = -1, .state = -1, .numbered = true};
  const CelStatus status = read_all(&reader, out, options);
  for (int64_t i = 0; reader.model && i < reader.rewards; i++) {
    free(reader.model[i].state);
    free(reader.model[i].pair);
  }
  for (int64_t i = 0; i < reader.labels; i++) free((void *)reader.label[i].in);
  void *blocks[] = {reader.reward, reader.model, reader.placeholder, reader.label,      reader.pair,
                    reader.row,    reader.next,  reader.action,      reader.probability};
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) free(blocks[i]);
  return status;
}

static CelStatus load(CelMdp **out, const char *path, const CelMdpLoadOptions *options) {
  char *text;
  size_t size;
  CELI_TRY(celi_text_read(path, &text, &size));
  const CelStatus status = celi_mdp_parse_drn(out, path, text, size, options);
  free(text);
  return status;
}

// ---- writing

static CelStatus check_names(const CelMdp *mdp, const CeliExplicitNames *names) {
  for (int64_t i = 0; i < names->labels; i++) {
    if (!strchr(names->label[i].name, '"')) continue;
    return cel_fail(CEL_E_UNSUPPORTED, "label \"%s\" has a quote, which DRN files cannot have",
                    names->label[i].name);
  }
  for (int64_t i = 0; i < names->rewards; i++) {
    const CelMdpReward *model = &names->reward[i];
    if (model->transition) {
      return cel_fail(CEL_E_UNSUPPORTED,
                      "DRN files have no rewards of transitions, but reward model \"%s\" has them; "
                      "write .umb instead",
                      model->name);
    }
    if (strchr(model->name, ' '))
      return cel_fail(CEL_E_UNSUPPORTED,
                      "reward model \"%s\" has a blank in its name, which DRN files cannot have",
                      model->name);
  }
  (void)mdp;
  return CEL_OK;
}

CelStatus celi_mdp_check_drn(const CelMdp *mdp) {
  CeliExplicitNames names;
  CELI_TRY(celi_explicit_check(mdp, "DRN files"));
  CelStatus status = celi_explicit_names(mdp, &names);
  if (status == CEL_OK) status = check_names(mdp, &names);
  celi_explicit_names_free(&names);
  return status;
}

/// Writes " [a, b]", the rewards of state s (p < 0) or of pair p. The self-loop of a terminal state
/// has none.
static void emit_rewards(CeliOut *out, const CeliExplicitNames *names, int64_t s, int64_t p,
                         bool terminal) {
  for (int64_t i = 0; i < names->rewards; i++) {
    const double *x = p >= 0 ? names->reward[i].pair : names->reward[i].state;
    celi_out_format(out, i == 0 ? " [" : ", ");
    celi_out_double(out, x && !terminal ? x[p >= 0 ? p : s] : 0.0);
  }
  if (names->rewards > 0) celi_out_format(out, "]");
}

static void emit_labels(CeliOut *out, const CelMdp *mdp, const CeliExplicitNames *names,
                        int64_t s) {
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
  if (mdp->start[s] > 0.0) celi_out_format(out, " init");
  for (int64_t i = 0; i < names->labels; i++) {
    const char *name = names->label[i].name;
    const char *quote = strspn(name, plain) == strlen(name) ? "" : "\"";
    if (names->label[i].in[s]) celi_out_format(out, " %s%s%s", quote, name, quote);
  }
}

static void emit_header(CeliOut *out, const CelMdp *mdp, const CeliExplicitNames *names) {
  int64_t terminals = 0;
  for (int64_t s = 0; s < mdp->states; s++) terminals += mdp->pair[s + 1] == mdp->pair[s];
  celi_out_format(out, "// Exported by Celsius\n@type: MDP\n@value_type: double\n@parameters\n\n"
                       "@reward_models\n");
  for (int64_t i = 0; i < names->rewards; i++) celi_out_format(out, "%s ", names->reward[i].name);
  celi_out_format(out, "\n@nr_states\n%" PRId64 "\n@nr_choices\n%" PRId64 "\n@model\n", mdp->states,
                  mdp->pairs + terminals);
}

static void emit_state(CeliOut *out, const CelMdp *mdp, const CeliExplicitNames *names, int64_t s) {
  const bool terminal = mdp->pair[s + 1] == mdp->pair[s];
  celi_out_format(out, "state %" PRId64, s);
  emit_rewards(out, names, s, -1, terminal);
  emit_labels(out, mdp, names, s);
  celi_out_format(out, "\n");
  if (terminal) {
    celi_out_format(out, "\taction 0");
    emit_rewards(out, names, s, 0, true);
    celi_out_format(out, "\n\t\t%" PRId64 " : 1\n", s);
  }
  for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
    celi_out_format(out, "\taction %" PRId64, cel_mdp_action(mdp, s, p));
    emit_rewards(out, names, s, p, false);
    celi_out_format(out, "\n");
    for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++) {
      celi_out_format(out, "\t\t%" PRId64 " : ", cel_mdp_next(mdp, t));
      celi_out_double(out, mdp->probability[t]);
      celi_out_format(out, "\n");
    }
  }
}

void celi_mdp_emit_drn(CeliOut *out, const CelMdp *mdp) {
  CeliExplicitNames names;
  const CelStatus status = celi_explicit_names(mdp, &names);
  if (out->status == CEL_OK) out->status = status;
  if (status == CEL_OK) emit_header(out, mdp, &names);
  for (int64_t s = 0; s < mdp->states && out->status == CEL_OK; s++)
    emit_state(out, mdp, &names, s);
  celi_explicit_names_free(&names);
}

static CelStatus save(const CelMdp *mdp, const char *path) {
  CELI_TRY(cel_fail_in(celi_mdp_check_drn(mdp), "%s: ", path));
  return celi_out_file(path, mdp, celi_mdp_emit_drn);
}

/// The header of a DRN text has a line "@type:" among its first lines.
static bool sniff(const char *data, size_t size) {
  return (size >= 6 && memcmp(data, "@type:", 6) == 0) || memmem(data, size, "\n@type:", 7);
}

const CeliMdpFormat celi_mdp_format_drn = {
    .info = {CEL_MDP_DRN, "drn", "DRN, the text format of Storm", {".drn"}, {NULL}},
    .named_rewards = true,
    .labels = true,
    .sniff = sniff,
    .load = load,
    .save = save};
