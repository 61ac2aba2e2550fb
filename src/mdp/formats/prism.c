/// PRISM's explicit files of an MDP, as its manual describes them (docs/files.md). NAME.tra is
/// required, the others are optional:
///
///     .tra    "states choices transitions", then "s k s' p [label]": choice k of state s
///     .trew   the same first line, then "s k s' r": a reward of that transition
///     .srew   "states entries", then "s r": a reward of every step from s
///     .lab    0="init" 1="deadlock" ..., then "s: 0 1": the labels of s
///
/// "Choice" is PRISM's word for an action. Lines that begin with # are comments. States labeled
/// "init" are the initial ones; without a .lab file it is state 0. A state without choices is
/// terminal. PRISM repairs such states with a self-loop. So a state labeled "deadlock" or
/// "terminal" is terminal too if its only choice is a self-loop without reward.
#include "mdp/formats/prism.h"
#include "base/base.h"
#include "mdp/formats/explicit.h"
#include "mdp/formats/formats.h"
#include "mdp/model.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// A line of the .tra file.
typedef struct Line {
  int64_t state, choice, next, line;
  double probability;
  int32_t label; ///< N if the label is aN, else -1
  bool rewarded; ///< the current .trew file has this transition
} Line;

/// A reward structure.
typedef struct Model {
  const char *name;
  double *state, *transition; ///< (states), (lines after sorting); NULL: zeros
} Model;

/// A label.
typedef struct Label {
  int64_t number;
  char name[CEL_TEXT_MAX];
  uint8_t *in; ///< (states); NULL: no state yet
} Label;

typedef struct Reader {
  CeliScan tra, trew, srew, lab;
  int64_t states, choices, transitions; ///< from the first line
  Line *line;
  int64_t lines, line_capacity;
  Model *model; ///< (models,)
  int64_t models;
  Label *label; ///< (labels,) sorted by number after the first line is read
  int64_t labels, label_capacity;
  uint8_t *flag; ///< (states) INITIAL, STOPS, REWARDED
  bool numbered; ///< every label is aN, and N ascends within a state
  CeliEntry *entry;
  int64_t entry_room;
} Reader;

enum { INITIAL = 1, STOPS = 2, REWARDED = 4 };

// ---- .tra

/// Reads n whole numbers of the first line, each below 2^63.
static CelStatus read_header(CeliScan *scan, const char *form, int n, int64_t *out) {
  CeliWord word[4];
  int count = 0;
  if (!celi_scan_line(scan, word, 4, &count)) {
    return celi_scan_fail(scan, scan->line, "the file is empty; its first line should be \"%s\"",
                          form);
  }
  for (int i = 0; i < n && count == n; i++) {
    CELI_TRY(celi_scan_index(scan, word[i], "a number of the first line", INT64_MAX, &out[i]));
  }
  if (count == n) return CEL_OK;
  return celi_scan_fail(scan, word[0].line, "found %d words where \"%s\" should be%s", count, form,
                        count == 2 ? " (two words begin the file of a Markov chain)" : "");
}

/// N of a label aN, which the writer uses for action numbers. -1 for other labels.
static int32_t label_of(CeliWord word) {
  int64_t n;
  const CeliWord digits = {word.text + 1, word.n - 1, word.line};
  if (word.n < 2 || word.text[0] != 'a') return -1;
  if (word.n > 2 && word.text[1] == '0') return -1;
  return celi_word_index(digits, &n) == CELI_NUMBER_OK && n < INT32_MAX ? (int32_t)n : -1;
}

/// Reads state, choice and next state of a line of .tra or .trew.
static CelStatus read_where(const Reader *reader, const CeliScan *scan, const CeliWord *word,
                            Line *line) {
  *line = (Line){.line = word[0].line, .label = -1};
  CELI_TRY(celi_scan_index(scan, word[0], "state", reader->states, &line->state));
  CELI_TRY(celi_scan_index(scan, word[1], "choice", INT32_MAX, &line->choice));
  return celi_scan_index(scan, word[2], "next state", reader->states, &line->next);
}

static CelStatus read_tra_line(Reader *reader, const CeliWord *word, int count) {
  CeliScan *scan = &reader->tra;
  Line line;
  if (count != 4 && count != 5) {
    return celi_scan_fail(
        scan, word[0].line,
        "the line has %d words; a transition is \"state choice next-state probability [action]\"",
        count);
  }
  CELI_TRY(read_where(reader, scan, word, &line));
  CELI_TRY(celi_scan_probability(scan, word[3], "probability", &line.probability));
  if (count == 5) line.label = label_of(word[4]);
  CELI_TRY(celi_grow(&reader->line, &reader->line_capacity, reader->lines + 1, sizeof line,
                     "transitions"));
  reader->line[reader->lines++] = line;
  return CEL_OK;
}

static int compare(const void *a, const void *b) {
  const Line *x = a, *y = b;
  if (x->state != y->state) return x->state < y->state ? -1 : 1;
  if (x->choice != y->choice) return x->choice < y->choice ? -1 : 1;
  return x->next < y->next ? -1 : x->next > y->next;
}

/// Sorts the lines. Checks that no transition appears twice and that choices are numbered from 0.
static CelStatus sort_lines(Reader *reader) {
  Line *line = reader->line;
  int64_t choices = 0;
  bool sorted = true;
  for (int64_t i = 1; i < reader->lines && sorted; i++) {
    sorted = compare(&line[i - 1], &line[i]) < 0;
  }
  if (!sorted) qsort(line, (size_t)reader->lines, sizeof *line, compare);
  for (int64_t i = 0; i < reader->lines; i++) {
    const Line *one = &line[i], *last = i > 0 ? &line[i - 1] : NULL;
    if (last && compare(last, one) == 0) {
      return celi_scan_fail(&reader->tra, one->line > last->line ? one->line : last->line,
                            "state %" PRId64 ", choice %" PRId64 ": next state %" PRId64
                            " appears twice",
                            one->state, one->choice, one->next);
    }
    const int64_t before = last && last->state == one->state ? last->choice : -1;
    if (one->choice > before + 1) {
      return celi_scan_fail(&reader->tra, one->line,
                            "state %" PRId64 " has choice %" PRId64 ", but no choice %" PRId64,
                            one->state, one->choice, before + 1);
    }
    choices += one->choice != before;
  }
  if (choices == reader->choices) return CEL_OK;
  return celi_scan_fail(&reader->tra, reader->tra.line,
                        "the first line announces %" PRId64 " choice%s, but the file has %" PRId64,
                        reader->choices, celi_s(reader->choices), choices);
}

static CelStatus fail_count(const CeliScan *scan, int64_t said, int64_t found) {
  return celi_scan_fail(scan, scan->line,
                        "the first line announces %" PRId64 " line%s, but the file has %s%" PRId64
                        "; it may be cut short",
                        said, celi_s(said), found > said ? "more than " : "",
                        found > said ? said : found);
}

static CelStatus read_tra(Reader *reader) {
  CeliScan *scan = &reader->tra;
  CeliWord word[5];
  int count;
  int64_t size[3] = {0};
  size_t bytes;
  CELI_TRY(read_header(scan, "states choices transitions", 3, size));
  reader->states = size[0];
  reader->choices = size[1];
  reader->transitions = size[2];
  if (reader->states < 1)
    return celi_scan_fail(scan, scan->line, "the file has 0 states; it needs at least 1");
  if (!celi_size_mul((size_t)reader->states, 3 * sizeof(double), &bytes)) bytes = SIZE_MAX;
  CELI_TRY(celi_scan_in(scan, scan->line, celi_mdp_room(bytes, "that many states")));
  while (celi_scan_line(scan, word, 5, &count)) {
    if (reader->lines == reader->transitions) return fail_count(scan, size[2], size[2] + 1);
    CELI_TRY(read_tra_line(reader, word, count));
  }
  if (reader->lines != reader->transitions) return fail_count(scan, size[2], reader->lines);
  CELI_TRY(celi_calloc(&reader->flag, (size_t)reader->states, 1, "the states' labels"));
  return sort_lines(reader);
}

/// True if the labels are action numbers: all are aN, equal within a choice, and ascending within a
/// state.
static bool are_numbered(const Reader *reader) {
  for (int64_t i = 0; i < reader->lines; i++) {
    const Line *one = &reader->line[i], *last = i > 0 ? one - 1 : NULL;
    if (one->label < 0) return false;
    if (!last || last->state != one->state) continue;
    if (last->choice == one->choice ? last->label != one->label : last->label >= one->label) {
      return false;
    }
  }
  return reader->lines > 0;
}

// ---- rewards

static CelStatus read_trew_line(Reader *reader, Model *model, const CeliWord *word, int count,
                                int64_t *hint) {
  CeliScan *scan = &reader->trew;
  Line line;
  double reward;
  if (count != 4) {
    return celi_scan_fail(scan, word[0].line,
                          "the line has %d words; a reward is \"state choice next-state reward\"",
                          count);
  }
  CELI_TRY(read_where(reader, scan, word, &line));
  CELI_TRY(celi_scan_number(scan, word[3], "reward", &reward));
  Line *found = *hint < reader->lines ? &reader->line[*hint] : NULL; // usually the next transition
  if (reader->line && (!found || compare(found, &line) != 0)) {
    found = bsearch(&line, reader->line, (size_t)reader->lines, sizeof line, compare);
  }
  if (!found) {
    return celi_scan_fail(scan, line.line,
                          "state %" PRId64 ", choice %" PRId64 ": there is no transition to state "
                          "%" PRId64,
                          line.state, line.choice, line.next);
  }
  if (found->rewarded) {
    return celi_scan_fail(scan, line.line,
                          "state %" PRId64 ", choice %" PRId64 ": next state %" PRId64
                          " appears twice",
                          line.state, line.choice, line.next);
  }
  model->transition[found - reader->line] = reward;
  found->rewarded = true;
  *hint = found - reader->line + 1;
  return CEL_OK;
}

static CelStatus read_trew(Reader *reader, Model *model) {
  CeliScan *scan = &reader->trew;
  CeliWord word[4];
  int64_t size[3] = {0}, n = 0, hint = 0;
  int count;
  if (scan->file == NULL) return CEL_OK;
  CELI_TRY(read_header(scan, "states choices entries", 3, size));
  if (size[0] != reader->states || size[1] != reader->choices) {
    return celi_scan_fail(scan, scan->line,
                          "the file has %" PRId64 " state%s and %" PRId64
                          " choice%s, but the .tra file has %" PRId64 " and %" PRId64,
                          size[0], celi_s(size[0]), size[1], celi_s(size[1]), reader->states,
                          reader->choices);
  }
  CELI_TRY(celi_calloc(&model->transition, (size_t)reader->lines, sizeof *model->transition,
                       "the transitions' rewards"));
  for (int64_t i = 0; i < reader->lines; i++) reader->line[i].rewarded = false;
  for (; celi_scan_line(scan, word, 4, &count); n++) {
    if (n == size[2]) return fail_count(scan, size[2], n + 1);
    CELI_TRY(read_trew_line(reader, model, word, count, &hint));
  }
  return n == size[2] ? CEL_OK : fail_count(scan, size[2], n);
}

static CelStatus read_srew(Reader *reader, Model *model) {
  CeliScan *scan = &reader->srew;
  CeliWord word[2];
  int64_t size[2] = {0}, n = 0, s;
  int count;
  if (scan->file == NULL) return CEL_OK;
  CELI_TRY(read_header(scan, "states entries", 2, size));
  if (size[0] != reader->states) {
    return celi_scan_fail(scan, scan->line,
                          "the file has %" PRId64 " state%s, but the .tra file has %" PRId64,
                          size[0], celi_s(size[0]), reader->states);
  }
  CELI_TRY(celi_calloc(&model->state, (size_t)reader->states, sizeof *model->state,
                       "the states' rewards"));
  for (s = 0; s < reader->states; s++) reader->flag[s] &= (uint8_t)~REWARDED;
  for (; celi_scan_line(scan, word, 2, &count); n++) {
    if (n == size[1]) return fail_count(scan, size[1], n + 1);
    if (count != 2) {
      return celi_scan_fail(scan, word[0].line,
                            "the line has %d words; a reward is \"state reward\"", count);
    }
    CELI_TRY(celi_scan_index(scan, word[0], "state", reader->states, &s));
    CELI_TRY(celi_scan_number(scan, word[1], "reward", &model->state[s]));
    if (reader->flag[s] & REWARDED) {
      return celi_scan_fail(scan, word[0].line, "state %" PRId64 " appears twice", s);
    }
    reader->flag[s] |= REWARDED;
  }
  return n == size[1] ? CEL_OK : fail_count(scan, size[1], n);
}

/// The end of the lines of the choice, or of the state, at line i.
static int64_t end_of(const Reader *reader, int64_t i, bool choice) {
  const Line *first = &reader->line[i];
  while (i < reader->lines && reader->line[i].state == first->state &&
         (!choice || reader->line[i].choice == first->choice)) {
    i++;
  }
  return i;
}

/// A state without choices must not have a reward, because PRISM would pay it forever.
static CelStatus check_empty(const Reader *reader, const Model *model) {
  int64_t i = 0;
  for (int64_t s = 0; model->state && s < reader->states; s++) {
    const bool empty = i == reader->lines || reader->line[i].state != s;
    if (!empty) i = end_of(reader, i, false);
    if (!empty || !(model->state[s] < 0.0 || model->state[s] > 0.0)) continue;
    return celi_scan_fail(&reader->srew, reader->srew.line,
                          "state %" PRId64
                          " has a reward, %g, but no choice; add a choice or remove the reward",
                          s, model->state[s]);
  }
  return CEL_OK;
}

static CeliScan scan_or_none(const char *path, const char *data, size_t size) {
  return data ? celi_scan(path, data, size) : (CeliScan){.file = NULL};
}

static CelStatus read_model(Reader *reader, Model *model, const CeliPrismReward *texts) {
  reader->trew = scan_or_none(texts->path[0], texts->data[0], texts->size[0]);
  reader->srew = scan_or_none(texts->path[1], texts->data[1], texts->size[1]);
  model->name = texts->name;
  CELI_TRY(read_trew(reader, model));
  CELI_TRY(read_srew(reader, model));
  return check_empty(reader, model);
}

static CelStatus read_models(Reader *reader, const CeliPrismReward *reward, int64_t rewards) {
  CELI_TRY(
      celi_calloc(&reader->model, (size_t)rewards, sizeof *reader->model, "reward structures"));
  for (reader->models = 0; reader->models < rewards;) {
    Model *model = &reader->model[reader->models++];
    CELI_TRY(read_model(reader, model, &reward[reader->models - 1]));
  }
  return CEL_OK;
}

// ---- .lab

/// N="NAME"
static CelStatus read_declaration(Reader *reader, CeliWord word) {
  const CeliScan *scan = &reader->lab;
  const char *equal = memchr(word.text, '=', word.n);
  const size_t n = equal ? (size_t)(equal - word.text) : 0;
  const CeliWord number = {word.text, n, word.line};
  const CeliWord name = {word.text + n + 1, equal ? word.n - n - 1 : 0, word.line};
  if (name.n < 3 || name.text[0] != '"' || name.text[name.n - 1] != '"') {
    return celi_scan_fail(scan, word.line, "found \"%.*s\" where a label, N=\"NAME\", should be",
                          CELI_WORD(word));
  }
  if (memchr(name.text + 1, '"', name.n - 2)) {
    return celi_scan_fail(scan, word.line, "the name of label %.*s has a quote in it",
                          CELI_WORD(number));
  }
  if (name.n - 2 >= CEL_TEXT_MAX) {
    return celi_scan_fail(scan, word.line, "label %.*s: the name is longer than %d bytes",
                          CELI_WORD(name), CEL_TEXT_MAX - 1);
  }
  if (reader->labels == CELI_MDP_NAMES) {
    return celi_scan_fail(scan, word.line, "the file has more than %d labels", CELI_MDP_NAMES);
  }
  CELI_TRY(celi_grow(&reader->label, &reader->label_capacity, reader->labels + 1,
                     sizeof *reader->label, "labels"));
  Label *label = &reader->label[reader->labels];
  *label = (Label){.number = 0};
  memcpy(label->name, name.text + 1, name.n - 2);
  CELI_TRY(celi_scan_index(scan, number, "a label's number", INT64_MAX, &label->number));
  if (celi_mdp_check_name(label->name, "label") != CEL_OK) {
    return celi_scan_fail(scan, word.line, "label %" PRId64 ": the name must be printable text",
                          label->number);
  }
  for (int64_t i = 0; i < reader->labels; i++) {
    if (strcmp(reader->label[i].name, label->name) != 0) continue;
    return celi_scan_fail(scan, word.line, "label \"%s\" appears twice", label->name);
  }
  reader->labels++;
  return CEL_OK;
}

static int compare_labels(const void *a, const void *b) {
  const int64_t x = ((const Label *)a)->number, y = ((const Label *)b)->number;
  return x < y ? -1 : x > y;
}

/// Sorts the labels by number. Checks that each number is used for one label only.
static CelStatus sort_labels(Reader *reader) {
  Label *label = reader->label;
  if (reader->labels > 1) qsort(label, (size_t)reader->labels, sizeof *label, compare_labels);
  for (int64_t i = 1; i < reader->labels; i++) {
    if (label[i].number != label[i - 1].number) continue;
    return celi_scan_fail(&reader->lab, reader->lab.line, "label %" PRId64 " appears twice",
                          label[i].number);
  }
  return CEL_OK;
}

/// Reads the next word of a line. False at the end of the line.
static bool next_word(CeliScan *scan, CeliWord *word) {
  while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\r')) {
    scan->at++;
  }
  *word = (CeliWord){scan->at, 0, scan->line};
  while (scan->at < scan->end && !strchr(" \t\r\n", *scan->at)) scan->at++;
  word->n = (size_t)(scan->at - word->text);
  return word->n > 0;
}

static CelStatus mark(Reader *reader, Label *label, int64_t s) {
  if (!label->in)
    CELI_TRY(celi_calloc(&label->in, (size_t)reader->states, 1, "the states' labels"));
  label->in[s] = 1;
  if (strcmp(label->name, "init") == 0) reader->flag[s] |= INITIAL;
  if (strcmp(label->name, "deadlock") == 0 || strcmp(label->name, "terminal") == 0)
    reader->flag[s] |= STOPS;
  return CEL_OK;
}

/// s: i j k
static CelStatus read_labeled(Reader *reader) {
  CeliScan *scan = &reader->lab;
  CeliWord word;
  Label wanted = {.number = 0};
  int64_t s;
  next_word(scan, &word);
  if (word.n < 2 || word.text[word.n - 1] != ':') {
    return celi_scan_fail(scan, word.line, "found \"%.*s\" where a state and a colon should be",
                          CELI_WORD(word));
  }
  word.n--;
  CELI_TRY(celi_scan_index(scan, word, "state", reader->states, &s));
  while (next_word(scan, &word)) {
    CELI_TRY(celi_scan_index(scan, word, "label", INT64_MAX, &wanted.number));
    Label *label = reader->labels == 0 ? NULL
                                       : bsearch(&wanted, reader->label, (size_t)reader->labels,
                                                 sizeof wanted, compare_labels);
    if (!label) {
      return celi_scan_fail(scan, word.line,
                            "state %" PRId64 " has label %" PRId64
                            ", which the first line does not declare",
                            s, wanted.number);
    }
    CELI_TRY(mark(reader, label, s));
  }
  return CEL_OK;
}

static CelStatus read_labels(Reader *reader) {
  CeliScan *scan = &reader->lab;
  CeliWord word;
  celi_scan_blank(scan, '#');
  while (next_word(scan, &word)) CELI_TRY(read_declaration(reader, word));
  CELI_TRY(sort_labels(reader));
  for (;;) {
    celi_scan_blank(scan, '#');
    if (scan->at == scan->end) return CEL_OK;
    CELI_TRY(read_labeled(reader));
  }
}

static CelStatus read_lab(Reader *reader) {
  CeliScan *scan = &reader->lab;
  bool any = false;
  if (scan->file == NULL) {
    reader->flag[0] = INITIAL;
    return CEL_OK;
  }
  CELI_TRY(read_labels(reader));
  for (int64_t s = 0; s < reader->states && !any; s++) any = reader->flag[s] & INITIAL;
  if (any) return CEL_OK;
  return celi_scan_fail(scan, 1, "no state has the label \"init\"; give it to the initial state");
}

// ---- building the MDP

/// True for a terminal state that PRISM repaired with a self-loop.
static bool is_mended(const Reader *reader, int64_t from, int64_t to) {
  const Line *line = &reader->line[from];
  if (!(reader->flag[line->state] & STOPS) || to - from != 1 || line->next != line->state)
    return false;
  for (int64_t i = 0; i < reader->models; i++) {
    const Model *model = &reader->model[i];
    const double reward = (model->transition ? model->transition[from] : 0.0) +
                          (model->state ? model->state[line->state] : 0.0);
    if (reward < 0.0 || reward > 0.0) return false;
  }
  return true;
}

/// Sets the named rewards of transition `line` of the open pair, whose lines are from to end - 1. A
/// reward that all of them have belongs to the pair.
static CelStatus put_rewards(const Reader *reader, CelMdpBuilder *builder, int64_t line,
                             int64_t from, int64_t end) {
  for (int64_t i = 0; i < reader->models; i++) {
    const double *reward = reader->model[i].transition;
    bool differ = false;
    for (int64_t k = from + 1; reward && k < end && !differ; k++) {
      differ = reward[k] < reward[from] || reward[k] > reward[from];
    }
    if (!reward) continue;
    if (differ) CELI_TRY(cel_mdp_reward_of_transition(builder, i, reward[line]));
    if (!differ && line == from) CELI_TRY(cel_mdp_reward_of_pair(builder, i, reward[line]));
  }
  return CEL_OK;
}

/// Checks and adds the pair of the lines from to end - 1.
static CelStatus put_pair(Reader *reader, CelMdpBuilder *builder, int64_t from, int64_t end) {
  const Line *line = &reader->line[from];
  const int64_t n = end - from;
  CELI_TRY(celi_grow(&reader->entry, &reader->entry_room, n, sizeof *reader->entry, "transitions"));
  for (int64_t k = 0; k < n; k++) {
    reader->entry[k] = (CeliEntry){.next = line[k].next, .probability = line[k].probability};
  }
  CELI_TRY(celi_row_check(&reader->tra, line->line, line->state,
                          reader->numbered ? line->label : line->choice, reader->entry, n));
  CELI_TRY(celi_scan_in(
      &reader->tra, line->line,
      cel_mdp_pair(builder, line->state, reader->numbered ? line->label : line->choice, 0.0)));
  for (int64_t k = 0; k < n; k++) {
    CELI_TRY(
        celi_scan_in(&reader->tra, line->line,
                     cel_mdp_transition(builder, line[k].next, line[k].probability, 0.0, false)));
    CELI_TRY(put_rewards(reader, builder, from + k, from, end));
  }
  return CEL_OK;
}

static CelStatus put_state(Reader *reader, CelMdpBuilder *builder, int64_t from, int64_t to) {
  if (is_mended(reader, from, to)) return CEL_OK;
  for (int64_t i = from; i < to;) {
    const int64_t end = end_of(reader, i, true);
    CELI_TRY(put_pair(reader, builder, i, end));
    i = end;
  }
  return CEL_OK;
}

/// The label "init" is left to the initial distribution.
static CelStatus put_labels(Reader *reader, CelMdpBuilder *builder) {
  for (int64_t i = 0; i < reader->labels; i++) {
    Label *label = &reader->label[i];
    if (strcmp(label->name, "init") == 0) continue;
    if (!label->in)
      CELI_TRY(celi_calloc(&label->in, (size_t)reader->states, 1, "the states' labels"));
    CELI_TRY(cel_mdp_label(builder, label->name, label->in));
  }
  return CEL_OK;
}

static CelStatus put_start(const Reader *reader, CelMdpBuilder *builder) {
  int64_t n = 0;
  for (int64_t s = 0; s < reader->states; s++) n += (reader->flag[s] & INITIAL) != 0;
  for (int64_t s = 0; s < reader->states; s++) {
    if (reader->flag[s] & INITIAL) CELI_TRY(cel_mdp_start(builder, s, 1.0 / (double)n));
  }
  return CEL_OK;
}

static CelStatus fill(Reader *reader, CelMdpBuilder *builder) {
  int64_t index;
  CELI_TRY(cel_mdp_builder_reserve(builder, reader->choices, reader->lines));
  CELI_TRY(celi_name_put(builder, reader->tra.file));
  for (int64_t i = 0; i < reader->models; i++) {
    const double *reward = reader->model[i].state;
    CELI_TRY(cel_mdp_reward_model(builder, reader->model[i].name, &index));
    for (int64_t s = 0; reward && s < reader->states; s++)
      CELI_TRY(cel_mdp_reward_of_state(builder, i, s, reward[s]));
  }
  CELI_TRY(put_labels(reader, builder));
  for (int64_t i = 0; i < reader->lines;) {
    const int64_t end = end_of(reader, i, false);
    CELI_TRY(put_state(reader, builder, i, end));
    i = end;
  }
  return put_start(reader, builder);
}

static CelStatus read_all(Reader *reader, CelMdp **out, const CeliPrismTexts *texts,
                          const CelMdpLoadOptions *options) {
  CelMdpBuilder *builder;
  double discount = (double)NAN;
  int64_t horizon = 0;
  const CeliPrismReward only = {.name = "reward",
                                .path = {texts->path[1], texts->path[2]},
                                .data = {texts->data[1], texts->data[2]},
                                .size = {texts->size[1], texts->size[2]}};
  const int64_t rewards = texts->reward ? texts->rewards : only.data[0] || only.data[1];
  CELI_TRY(read_tra(reader));
  CELI_TRY(read_models(reader, texts->reward ? texts->reward : &only, rewards));
  CELI_TRY(read_lab(reader));
  CELI_TRY(celi_load_choose(reader->tra.file, options, &discount, &horizon));
  reader->numbered = are_numbered(reader);
  CELI_TRY(cel_fail_in(cel_mdp_builder_create(&builder, reader->states, discount, horizon),
                       "%s: ", reader->tra.file));
  CelStatus status = fill(reader, builder);
  if (status == CEL_OK) status = cel_mdp_build(builder, out);
  cel_mdp_builder_destroy(builder);
  if (status == CEL_OK && rewards > 0 && texts->chosen >= 0) {
    status = celi_mdp_use_reward((CeliMdp *)*out, &(*out)->reward_model[texts->chosen]);
    if (status != CEL_OK) {
      cel_mdp_destroy(*out);
      *out = NULL;
    }
  }
  return cel_fail_in(status, "%s: ", reader->tra.file);
}

CelStatus celi_mdp_parse_prism(CelMdp **out, const CeliPrismTexts *texts,
                               const CelMdpLoadOptions *options) {
  Reader reader = {.tra = scan_or_none(texts->path[0], texts->data[0], texts->size[0]),
                   .lab = scan_or_none(texts->path[3], texts->data[3], texts->size[3])};
  const CelStatus status = read_all(&reader, out, texts, options);
  for (int64_t i = 0; i < reader.models; i++) {
    free(reader.model[i].state);
    free(reader.model[i].transition);
  }
  for (int64_t i = 0; i < reader.labels; i++) free(reader.label[i].in);
  free(reader.model);
  free(reader.label);
  free(reader.line);
  free(reader.flag);
  free(reader.entry);
  return status;
}

// ---- writing

static bool is_terminal(const CelMdp *mdp, int64_t s) {
  return mdp->pair[s + 1] == mdp->pair[s];
}

static CelStatus fail_name(const char *what, const char *name, const char *why) {
  return cel_fail(CEL_E_UNSUPPORTED, "%s \"%s\" %s; write .safetensors or .umb instead", what, name,
                  why);
}

/// Checks the names, which stand between quotes on one line.
static CelStatus check_names(const CelMdp *mdp) {
  for (int64_t i = 0; i < mdp->labels; i++) {
    const CelMdpLabel *label = &mdp->label[i];
    if (strpbrk(label->name, " \"")) {
      return fail_name("label", label->name,
                       "has a blank or quote, which PRISM's files cannot have");
    }
    for (int64_t s = 0; strcmp(label->name, "init") == 0 && s < mdp->states; s++) {
      if (label->in[s] == (mdp->start[s] > 0.0)) continue;
      return fail_name("label", label->name,
                       "differs from the initial states, which it means in PRISM's files");
    }
  }
  for (int64_t i = 0; i < mdp->reward_models; i++) {
    const char *name = mdp->reward_model[i].name;
    if (strchr(name, '"')) return fail_name("reward model", name, "has a quote");
  }
  return CEL_OK;
}

CelStatus celi_mdp_check_prism(const CelMdp *mdp) {
  CELI_TRY(check_names(mdp));
  return celi_explicit_check(mdp, "PRISM's files");
}

/// Writes "s k s' x", and the label of the action if label >= 0.
static void emit_line(CeliOut *out, int64_t s, int64_t k, int64_t next, double x, int64_t label) {
  celi_out_index(out, s);
  celi_out_format(out, " %" PRId64 " ", k);
  celi_out_index(out, next);
  celi_out_format(out, " ");
  celi_out_double(out, x);
  if (label >= 0) celi_out_format(out, " a%" PRId64, label);
  celi_out_format(out, "\n");
}

/// The first line of .tra, or of .trew if `entries` is set.
static void emit_sizes(CeliOut *out, const CelMdp *mdp, bool entries) {
  int64_t terminals = 0;
  for (int64_t s = 0; s < mdp->states; s++) terminals += is_terminal(mdp, s);
  celi_out_format(out, "%" PRId64 " %" PRId64 " %" PRId64 "\n", mdp->states, mdp->pairs + terminals,
                  mdp->transitions + (entries ? 0 : terminals));
}

static void emit_tra(CeliOut *out, const CelMdp *mdp) {
  emit_sizes(out, mdp, false);
  for (int64_t s = 0; s < mdp->states; s++) {
    if (is_terminal(mdp, s)) emit_line(out, s, 0, s, 1.0, mdp->action ? 0 : -1);
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
      for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++) {
        emit_line(out, s, p - mdp->pair[s], cel_mdp_next(mdp, t), mdp->probability[t],
                  mdp->action ? mdp->action[p] : -1);
      }
    }
  }
}

static void emit_structure(CeliOut *out, const CelMdpReward *model) {
  if (model) celi_out_format(out, "# Reward structure \"%s\"\n", model->name);
}

static void emit_trew(CeliOut *out, const CelMdp *mdp, const CelMdpReward *model) {
  emit_structure(out, model);
  emit_sizes(out, mdp, true);
  for (int64_t s = 0; s < mdp->states; s++) {
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
      for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++) {
        double reward = mdp->reward_next ? mdp->reward_next[t] : mdp->reward[p];
        if (model) {
          reward = (model->pair ? model->pair[p] : 0.0) +
                   (model->transition ? model->transition[t] : 0.0);
        }
        emit_line(out, s, p - mdp->pair[s], cel_mdp_next(mdp, t), reward, -1);
      }
    }
  }
}

static bool is_paid(const CelMdp *mdp, const CelMdpReward *model, int64_t s) {
  return model && model->state && !is_terminal(mdp, s) &&
         (model->state[s] < 0.0 || model->state[s] > 0.0);
}

/// Without a model, writes a file without rewards, because .trew has them all. This replaces an
/// older .srew file.
static void emit_srew(CeliOut *out, const CelMdp *mdp, const CelMdpReward *model) {
  int64_t n = 0;
  for (int64_t s = 0; s < mdp->states; s++) n += is_paid(mdp, model, s);
  emit_structure(out, model);
  celi_out_format(out, "%" PRId64 " %" PRId64 "\n", mdp->states, n);
  for (int64_t s = 0; n > 0 && s < mdp->states; s++) {
    if (!is_paid(mdp, model, s)) continue;
    celi_out_index(out, s);
    celi_out_format(out, " ");
    celi_out_double(out, model->state[s]);
    celi_out_format(out, "\n");
  }
}

/// True for labels that the file has anyway: 0="init" 1="deadlock".
static bool is_built_in(const CelMdpLabel *label) {
  return strcmp(label->name, "init") == 0 || strcmp(label->name, "deadlock") == 0;
}

static const uint8_t *find_deadlock(const CelMdp *mdp) {
  for (int64_t i = 0; i < mdp->labels; i++) {
    if (strcmp(mdp->label[i].name, "deadlock") == 0) return mdp->label[i].in;
  }
  return NULL;
}

/// True if a state has a label that is not built in.
static bool has(const CelMdpLabel *label, int64_t s) {
  return !is_built_in(label) && label->in && label->in[s];
}

static void emit_lab(CeliOut *out, const CelMdp *mdp, const CelMdpReward *model) {
  (void)model;
  const uint8_t *deadlock = find_deadlock(mdp);
  celi_out_format(out, "0=\"init\" 1=\"deadlock\"");
  for (int64_t i = 0, number = 2; i < mdp->labels; i++) {
    if (is_built_in(&mdp->label[i])) continue;
    celi_out_format(out, " %" PRId64 "=\"%s\"", number++, mdp->label[i].name);
  }
  celi_out_format(out, "\n");
  for (int64_t s = 0; s < mdp->states; s++) {
    const bool first = mdp->start[s] > 0.0;
    const bool stops = is_terminal(mdp, s) || (deadlock && deadlock[s]);
    bool any = first || stops;
    for (int64_t i = 0; i < mdp->labels && !any; i++) {
      any = has(&mdp->label[i], s);
    }
    if (!any) continue;
    celi_out_format(out, "%" PRId64 ":%s%s", s, first ? " 0" : "", stops ? " 1" : "");
    for (int64_t i = 0, number = 2; i < mdp->labels; i++) {
      if (is_built_in(&mdp->label[i])) continue;
      if (has(&mdp->label[i], s)) celi_out_format(out, " %" PRId64, number);
      number++;
    }
    celi_out_format(out, "\n");
  }
}

void celi_mdp_emit_prism(CeliOut *out, const CelMdp *mdp, int which, const CelMdpReward *model) {
  if (which == 0) {
    emit_tra(out, mdp);
  } else {
    static void (*const emit[])(CeliOut *, const CelMdp *,
                                const CelMdpReward *) = {emit_trew, emit_srew, emit_lab};
    emit[which - 1](out, mdp, model);
  }
}
