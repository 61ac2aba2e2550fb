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
  double probability, reward;
  int32_t label; ///< N if the label is aN, else -1
  bool rewarded; ///< the .trew file has this transition
} Line;

typedef struct Reader {
  CeliScan tra, trew, srew, lab;
  int64_t states, choices, transitions; ///< from the first line
  Line *line;
  int64_t lines, line_capacity;
  double *state_reward; ///< (states) or NULL
  uint8_t *flag;        ///< (states) INITIAL, STOPS, REWARDED
  bool numbered;        ///< every label is aN, and N ascends within a state
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

static CelStatus read_trew_line(Reader *reader, const CeliWord *word, int count, int64_t *hint) {
  CeliScan *scan = &reader->trew;
  Line line;
  if (count != 4) {
    return celi_scan_fail(scan, word[0].line,
                          "the line has %d words; a reward is \"state choice next-state reward\"",
                          count);
  }
  CELI_TRY(read_where(reader, scan, word, &line));
  CELI_TRY(celi_scan_number(scan, word[3], "reward", &line.reward));
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
  found->reward = line.reward;
  found->rewarded = true;
  *hint = found - reader->line + 1;
  return CEL_OK;
}

static CelStatus read_trew(Reader *reader) {
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
  for (; celi_scan_line(scan, word, 4, &count); n++) {
    if (n == size[2]) return fail_count(scan, size[2], n + 1);
    CELI_TRY(read_trew_line(reader, word, count, &hint));
  }
  return n == size[2] ? CEL_OK : fail_count(scan, size[2], n);
}

static CelStatus read_srew(Reader *reader) {
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
  CELI_TRY(celi_calloc(&reader->state_reward, (size_t)reader->states, sizeof *reader->state_reward,
                       "the states' rewards"));
  for (; celi_scan_line(scan, word, 2, &count); n++) {
    if (n == size[1]) return fail_count(scan, size[1], n + 1);
    if (count != 2) {
      return celi_scan_fail(scan, word[0].line,
                            "the line has %d words; a reward is \"state reward\"", count);
    }
    CELI_TRY(celi_scan_index(scan, word[0], "state", reader->states, &s));
    CELI_TRY(celi_scan_number(scan, word[1], "reward", &reader->state_reward[s]));
    if (reader->flag[s] & REWARDED) {
      return celi_scan_fail(scan, word[0].line, "state %" PRId64 " appears twice", s);
    }
    reader->flag[s] |= REWARDED;
  }
  return n == size[1] ? CEL_OK : fail_count(scan, size[1], n);
}

// ---- .lab

/// The numbers of the labels with a meaning (-1: not declared) and of all labels.
typedef struct Labels {
  int64_t init, deadlock, terminal;
  int64_t *number; ///< (n) sorted after all labels are read
  int64_t n, capacity;
} Labels;

/// Declares a label, and stores its number if the label has a meaning.
static CelStatus declare(const CeliScan *scan, CeliWord name, int64_t number, Labels *labels) {
  const struct {
    const char *name;
    int64_t *number;
  } known[] = {{"\"init\"", &labels->init},
               {"\"deadlock\"", &labels->deadlock},
               {"\"terminal\"", &labels->terminal}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (!celi_word_is(name, known[i].name)) continue;
    if (*known[i].number >= 0) {
      return celi_scan_fail(scan, name.line, "label %s appears twice", known[i].name);
    }
    *known[i].number = number;
  }
  CELI_TRY(celi_grow(&labels->number, &labels->capacity, labels->n + 1, sizeof *labels->number,
                     "labels"));
  labels->number[labels->n++] = number;
  return CEL_OK;
}

/// N="NAME"
static CelStatus read_declaration(const CeliScan *scan, CeliWord word, Labels *labels) {
  const char *equal = memchr(word.text, '=', word.n);
  const size_t n = equal ? (size_t)(equal - word.text) : 0;
  const CeliWord number = {word.text, n, word.line};
  const CeliWord name = {word.text + n + 1, equal ? word.n - n - 1 : 0, word.line};
  int64_t i;
  if (name.n < 3 || name.text[0] != '"' || name.text[name.n - 1] != '"') {
    return celi_scan_fail(scan, word.line, "found \"%.*s\" where a label, N=\"NAME\", should be",
                          CELI_WORD(word));
  }
  CELI_TRY(celi_scan_index(scan, number, "a label's number", INT64_MAX, &i));
  return declare(scan, name, i, labels);
}

static int compare_numbers(const void *a, const void *b) {
  const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return x < y ? -1 : x > y;
}

/// Sorts the numbers. Checks that each is used for one label only.
static CelStatus sort_labels(const CeliScan *scan, Labels *labels) {
  if (labels->n > 1) {
    qsort(labels->number, (size_t)labels->n, sizeof *labels->number, compare_numbers);
  }
  for (int64_t i = 1; i < labels->n; i++) {
    if (labels->number[i] != labels->number[i - 1]) continue;
    return celi_scan_fail(scan, scan->line, "label %" PRId64 " appears twice", labels->number[i]);
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

/// s: i j k
static CelStatus read_labeled(Reader *reader, const Labels *labels) {
  CeliScan *scan = &reader->lab;
  CeliWord word;
  int64_t s, i;
  next_word(scan, &word);
  if (word.n < 2 || word.text[word.n - 1] != ':') {
    return celi_scan_fail(scan, word.line, "found \"%.*s\" where a state and a colon should be",
                          CELI_WORD(word));
  }
  word.n--;
  CELI_TRY(celi_scan_index(scan, word, "state", reader->states, &s));
  while (next_word(scan, &word)) {
    CELI_TRY(celi_scan_index(scan, word, "label", INT64_MAX, &i));
    if (labels->n == 0 ||
        !bsearch(&i, labels->number, (size_t)labels->n, sizeof i, compare_numbers)) {
      return celi_scan_fail(
          scan, word.line,
          "state %" PRId64 " has label %" PRId64 ", which the first line does not declare", s, i);
    }
    if (i == labels->init) reader->flag[s] |= INITIAL;
    if (i == labels->deadlock || i == labels->terminal) reader->flag[s] |= STOPS;
  }
  return CEL_OK;
}

static CelStatus read_labels(Reader *reader, Labels *labels) {
  CeliScan *scan = &reader->lab;
  CeliWord word;
  celi_scan_blank(scan, '#');
  while (next_word(scan, &word)) CELI_TRY(read_declaration(scan, word, labels));
  CELI_TRY(sort_labels(scan, labels));
  for (;;) {
    celi_scan_blank(scan, '#');
    if (scan->at == scan->end) return CEL_OK;
    CELI_TRY(read_labeled(reader, labels));
  }
}

static CelStatus read_lab(Reader *reader) {
  CeliScan *scan = &reader->lab;
  Labels labels = {.init = -1, .deadlock = -1, .terminal = -1};
  bool any = false;
  if (scan->file == NULL) {
    reader->flag[0] = INITIAL;
    return CEL_OK;
  }
  const CelStatus status = read_labels(reader, &labels);
  free(labels.number);
  CELI_TRY(status);
  for (int64_t s = 0; s < reader->states && !any; s++) any = reader->flag[s] & INITIAL;
  if (any) return CEL_OK;
  return celi_scan_fail(scan, 1, "no state has the label \"init\"; give it to the initial state");
}

// ---- building the MDP

/// The end of the lines of the choice, or of the state, at line i.
static int64_t end_of(const Reader *reader, int64_t i, bool choice) {
  const Line *first = &reader->line[i];
  while (i < reader->lines && reader->line[i].state == first->state &&
         (!choice || reader->line[i].choice == first->choice)) {
    i++;
  }
  return i;
}

static double reward_of(const Reader *reader, const Line *line) {
  return line->reward + (reader->state_reward ? reader->state_reward[line->state] : 0.0);
}

/// True for a terminal state that PRISM repaired with a self-loop.
static bool is_mended(const Reader *reader, int64_t from, int64_t to) {
  const Line *line = &reader->line[from];
  const double reward = reward_of(reader, line);
  return (reader->flag[line->state] & STOPS) && to - from == 1 && line->next == line->state &&
         !(reward < 0.0 || reward > 0.0);
}

static CelStatus put_state(Reader *reader, CelMdpBuilder *builder, int64_t from, int64_t to) {
  if (is_mended(reader, from, to)) return CEL_OK;
  for (int64_t i = from; i < to;) {
    const Line *line = &reader->line[i];
    const int64_t end = end_of(reader, i, true), n = end - i;
    CELI_TRY(
        celi_grow(&reader->entry, &reader->entry_room, n, sizeof *reader->entry, "transitions"));
    for (int64_t k = 0; k < n; k++) {
      reader->entry[k] = (CeliEntry){.next = line[k].next,
                                     .probability = line[k].probability,
                                     .reward = reward_of(reader, &line[k])};
    }
    CELI_TRY(celi_row_put(builder, &reader->tra, line->line, line->state,
                          reader->numbered ? line->label : line->choice, reader->entry, n));
    i = end;
  }
  return CEL_OK;
}

/// A state without choices must not have a reward, because PRISM would pay it forever.
static CelStatus check_empty(const Reader *reader) {
  int64_t i = 0;
  for (int64_t s = 0; reader->state_reward && s < reader->states; s++) {
    const bool empty = i == reader->lines || reader->line[i].state != s;
    if (!empty) i = end_of(reader, i, false);
    if (!empty || !(reader->state_reward[s] < 0.0 || reader->state_reward[s] > 0.0)) continue;
    return celi_scan_fail(&reader->srew, reader->srew.line,
                          "state %" PRId64
                          " has a reward, %g, but no choice; add a choice or remove the reward",
                          s, reader->state_reward[s]);
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
  CELI_TRY(cel_mdp_builder_reserve(builder, reader->choices, reader->lines));
  CELI_TRY(celi_name_put(builder, reader->tra.file));
  CELI_TRY(check_empty(reader));
  for (int64_t i = 0; i < reader->lines;) {
    const int64_t end = end_of(reader, i, false);
    CELI_TRY(put_state(reader, builder, i, end));
    i = end;
  }
  return put_start(reader, builder);
}

static CelStatus read_all(Reader *reader, CelMdp **out, const CelMdpLoadOptions *options) {
  CelMdpBuilder *builder;
  double discount = (double)NAN;
  int64_t horizon = 0;
  CELI_TRY(read_tra(reader));
  CELI_TRY(read_trew(reader));
  CELI_TRY(read_srew(reader));
  CELI_TRY(read_lab(reader));
  CELI_TRY(celi_load_choose(reader->tra.file, options, &discount, &horizon));
  reader->numbered = are_numbered(reader);
  CELI_TRY(cel_fail_in(cel_mdp_builder_create(&builder, reader->states, discount, horizon),
                       "%s: ", reader->tra.file));
  CelStatus status = fill(reader, builder);
  if (status == CEL_OK) status = cel_fail_in(cel_mdp_build(builder, out), "%s: ", reader->tra.file);
  cel_mdp_builder_destroy(builder);
  return status;
}

CelStatus celi_mdp_parse_prism(CelMdp **out, const CeliPrismTexts *texts,
                               const CelMdpLoadOptions *options) {
  Reader reader = {0};
  CeliScan *scan[] = {&reader.tra, &reader.trew, &reader.srew, &reader.lab};
  for (int i = 0; i < 4; i++) {
    if (texts->data[i]) *scan[i] = celi_scan(texts->path[i], texts->data[i], texts->size[i]);
  }
  const CelStatus status = read_all(&reader, out, options);
  free(reader.line);
  free(reader.state_reward);
  free(reader.flag);
  free(reader.entry);
  return status;
}

// ---- writing

static bool is_terminal(const CelMdp *mdp, int64_t s) {
  return mdp->pair[s + 1] == mdp->pair[s];
}

static CelStatus check_start(const CelMdp *mdp) {
  double first = 0.0;
  for (int64_t s = 0; s < mdp->states; s++) {
    if (!(mdp->start[s] > 0.0)) continue;
    if (!(first > 0.0)) first = mdp->start[s];
    if (!(mdp->start[s] < first || mdp->start[s] > first)) continue;
    return cel_fail(
        CEL_E_UNSUPPORTED,
        "in PRISM's files all initial states have the same probability, but state %" PRId64
        " has %g and another state %g; write .safetensors or .json instead",
        s, mdp->start[s], first);
  }
  return CEL_OK;
}

CelStatus celi_mdp_check_prism(const CelMdp *mdp) {
  if (mdp->horizon > 0) {
    return cel_fail(CEL_E_UNSUPPORTED,
                    "PRISM's files have no horizon, but this MDP has horizon %" PRId64
                    "; write .safetensors or .json instead",
                    mdp->horizon);
  }
  for (int64_t t = 0; mdp->ends && t < mdp->transitions; t++) {
    if (!mdp->ends[t] || is_terminal(mdp, cel_mdp_next(mdp, t))) continue;
    return cel_fail(
        CEL_E_UNSUPPORTED,
        "in PRISM's files an episode ends in a state without actions, but transition %" PRId64
        " ends it in state %" PRId64 ", which has actions; write .safetensors or .json instead",
        t, cel_mdp_next(mdp, t));
  }
  return check_start(mdp);
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

static void emit_trew(CeliOut *out, const CelMdp *mdp) {
  emit_sizes(out, mdp, true);
  for (int64_t s = 0; s < mdp->states; s++) {
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
      for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++) {
        emit_line(out, s, p - mdp->pair[s], cel_mdp_next(mdp, t),
                  mdp->reward_next ? mdp->reward_next[t] : mdp->reward[p], -1);
      }
    }
  }
}

/// Writes a file without rewards, because .trew has them all. This replaces an older .srew file.
static void emit_srew(CeliOut *out, const CelMdp *mdp) {
  celi_out_format(out, "%" PRId64 " 0\n", mdp->states);
}

static void emit_lab(CeliOut *out, const CelMdp *mdp) {
  celi_out_format(out, "0=\"init\" 1=\"deadlock\"\n");
  for (int64_t s = 0; s < mdp->states; s++) {
    const bool first = mdp->start[s] > 0.0;
    if (!first && !is_terminal(mdp, s)) continue;
    celi_out_format(out, "%" PRId64 ":%s%s\n", s, first ? " 0" : "",
                    is_terminal(mdp, s) ? " 1" : "");
  }
}

void celi_mdp_emit_prism(CeliOut *out, const CelMdp *mdp, int which) {
  static void (*const emit[])(CeliOut *, const CelMdp *) = {emit_tra, emit_trew, emit_srew,
                                                            emit_lab};
  emit[which](out, mdp);
}
