/// Storm's explicit texts of an MDP (docs/files.md):
///
///     .tra         "mdp", then "s k s' p": choice k of state s; or "dtmc", then "s s' p"
///     .lab         "#DECLARATION", names, "#END", then "s name name": the labels of s
///     .trans.rew   "s k s' r", or "s s' r" for dtmc: a reward of that transition
///     .state.rew   "s r": a reward of every step from s
///
/// States and choices ascend in .tra. The number of states is one more than the largest in .tra. A
/// state without a choice is terminal; Storm gives it a self-loop and the label "deadlock".
#include "mdp/formats/storm.h"
#include "base/base.h"
#include "mdp/formats/explicit.h"
#include "mdp/model.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct Reader {
  CeliScan tra, lab;
  bool chain; ///< a Markov chain: lines have no choice
  int64_t states, pairs, transitions;
  uint64_t *pair, *row, *next;
  double *probability;
  int64_t pair_capacity, row_capacity, next_capacity, probability_capacity;
  CelMdpLabel *label;
  int64_t labels, label_capacity;
  uint8_t *initial;
  CelMdpReward *reward;
  int64_t rewards;
} Reader;

// ---- .tra

/// Refuses models that are not MDPs, by their names. A file without a name is an MDP.
static CelStatus read_kind(Reader *reader) {
  CeliScan *scan = &reader->tra;
  const CeliScan before = *scan;
  CeliWord word[4];
  int count;
  if (!celi_scan_line(scan, word, 4, &count))
    return celi_scan_fail(scan, scan->line, "the file is empty; its first line should be \"mdp\"");
  if (word[0].text[0] >= '0' && word[0].text[0] <= '9') {
    *scan = before;
    return CEL_OK;
  }
  if (word[0].n == 3 && strncasecmp(word[0].text, "mdp", 3) == 0) return CEL_OK;
  reader->chain = word[0].n == 4 && strncasecmp(word[0].text, "dtmc", 4) == 0;
  if (reader->chain) return CEL_OK;
  celi_scan_say(scan, word[0].line, "the model is of type \"%.*s\"; only mdp and dtmc can be read",
                CELI_WORD(word[0]));
  return CEL_E_UNSUPPORTED;
}

/// Reads "s k s' x", or "s s' x" for a chain.
static CelStatus read_line(const CeliScan *scan, bool chain, const CeliWord *word, int count,
                           int64_t states, int64_t where[3]) {
  static const char *const names[] = {"state", "choice", "next state"};
  if (count != (chain ? 3 : 4)) {
    return celi_scan_fail(scan, word[0].line, "the line has %d words; it should be \"%s\"", count,
                          chain ? "state next-state number" : "state choice next-state number");
  }
  where[1] = 0;
  for (int i = 0, k = 0; i < 3; i++) {
    if (chain && i == 1) continue;
    CELI_TRY(celi_scan_index(scan, word[k++], names[i], i == 1 ? INT32_MAX : states, &where[i]));
  }
  return CEL_OK;
}

/// Opens pairs up to (s, k), which must follow the last one.
static CelStatus open_pair(Reader *reader, const CeliWord *word, int64_t s, int64_t k,
                           int64_t last[2]) {
  const bool same = s == last[0];
  if (same && k == last[1]) return CEL_OK;
  if (s < last[0] || (same && k < last[1])) {
    return celi_scan_fail(&reader->tra, word[0].line,
                          "state %" PRId64 ", choice %" PRId64 " comes after state %" PRId64
                          ", choice %" PRId64 "; they must ascend",
                          s, k, last[0], last[1]);
  }
  if (k != (same ? last[1] + 1 : 0)) {
    return celi_scan_fail(&reader->tra, word[0].line,
                          "state %" PRId64 " has choice %" PRId64 ", but no choice %" PRId64, s, k,
                          same ? last[1] + 1 : 0);
  }
  size_t bytes;
  if (!celi_size_mul((size_t)s, 3 * sizeof(double), &bytes)) bytes = SIZE_MAX;
  CELI_TRY(celi_scan_in(&reader->tra, word[0].line, celi_mdp_room(bytes, "that many states")));
  CELI_TRY(celi_grow(&reader->pair, &reader->pair_capacity, s + 2, sizeof *reader->pair, "states"));
  for (int64_t i = last[0] + 1; i <= s; i++) reader->pair[i] = (uint64_t)reader->pairs;
  CELI_TRY(celi_grow(&reader->row, &reader->row_capacity, reader->pairs + 2, sizeof *reader->row,
                     "choices"));
  reader->row[reader->pairs++] = (uint64_t)reader->transitions;
  last[0] = s;
  last[1] = k;
  return CEL_OK;
}

static CelStatus read_tra(Reader *reader) {
  static const int64_t most = INT64_MAX / 64;
  CeliScan *scan = &reader->tra;
  CeliWord word[4];
  int64_t where[3], last[2] = {-1, -1}, largest = -1;
  int count;
  CELI_TRY(read_kind(reader));
  while (celi_scan_line(scan, word, 4, &count)) {
    double probability;
    CELI_TRY(read_line(scan, reader->chain, word, count, most, where));
    CELI_TRY(celi_scan_probability(scan, word[count - 1], "probability", &probability));
    CELI_TRY(open_pair(reader, word, where[0], where[1], last));
    const int64_t n = reader->transitions + 1;
    CELI_TRY(
        celi_grow(&reader->next, &reader->next_capacity, n, sizeof *reader->next, "transitions"));
    CELI_TRY(celi_grow(&reader->probability, &reader->probability_capacity, n,
                       sizeof *reader->probability, "transitions"));
    reader->next[n - 1] = (uint64_t)where[2];
    reader->probability[n - 1] = probability;
    reader->transitions = n;
    largest = where[2] > largest ? where[2] : largest;
  }
  if (reader->pairs == 0) return celi_scan_fail(scan, scan->line, "the file has no transition");
  reader->states = (largest > last[0] ? largest : last[0]) + 1;
  size_t bytes;
  if (!celi_size_mul((size_t)reader->states, 3 * sizeof(double), &bytes)) bytes = SIZE_MAX;
  CELI_TRY(celi_scan_in(scan, scan->line, celi_mdp_room(bytes, "that many states")));
  CELI_TRY(celi_grow(&reader->pair, &reader->pair_capacity, reader->states + 1,
                     sizeof *reader->pair, "states"));
  for (int64_t i = last[0] + 1; i <= reader->states; i++) reader->pair[i] = (uint64_t)reader->pairs;
  reader->row[reader->pairs] = (uint64_t)reader->transitions;
  return CEL_OK;
}

// ---- .lab

static CelMdpLabel *find_label(const Reader *reader, CeliWord name) {
  for (int64_t i = 0; i < reader->labels; i++)
    if (celi_word_is(name, reader->label[i].name)) return &reader->label[i];
  return NULL;
}

static CelStatus declare(Reader *reader, CeliWord name) {
  const CeliScan *scan = &reader->lab;
  uint8_t *in;
  if (name.n >= CEL_TEXT_MAX)
    return celi_scan_fail(scan, name.line, "label \"%.*s\" is longer than %d bytes",
                          CELI_WORD(name), CEL_TEXT_MAX - 1);
  if (name.text[0] == '#')
    return celi_scan_fail(scan, name.line, "found \"%.*s\" where a label or #END should be",
                          CELI_WORD(name));
  if (find_label(reader, name))
    return celi_scan_fail(scan, name.line, "label \"%.*s\" appears twice", CELI_WORD(name));
  if (reader->labels == CELI_MDP_NAMES)
    return celi_scan_fail(scan, name.line, "the file has more than %d labels", CELI_MDP_NAMES);
  CELI_TRY(celi_grow(&reader->label, &reader->label_capacity, reader->labels + 1,
                     sizeof *reader->label, "labels"));
  CELI_TRY(celi_calloc(&in, (size_t)reader->states, 1, "a label"));
  CelMdpLabel *label = &reader->label[reader->labels++];
  memset(label, 0, sizeof *label);
  memcpy(label->name, name.text, name.n);
  label->in = in;
  if (strcmp(label->name, "init") == 0) reader->initial = in;
  return CEL_OK;
}

/// Reads the next word of the text. Its length is 0 at the end. *first: it begins a line.
static CeliWord next_word(CeliScan *scan, bool *first) {
  const int64_t line = scan->line;
  const char *before = scan->at;
  celi_scan_blank(scan, 0);
  *first = scan->line > line || (before == scan->at && line == 1);
  CeliWord word = {scan->at, 0, scan->line};
  while (scan->at < scan->end && !strchr(" \t\r\n\f\v", *scan->at)) scan->at++;
  word.n = (size_t)(scan->at - word.text);
  return word;
}

static CelStatus read_declarations(Reader *reader) {
  CeliScan *scan = &reader->lab;
  bool first;
  CeliWord word = next_word(scan, &first);
  if (!celi_word_is(word, "#DECLARATION"))
    return celi_scan_fail(scan, word.line, "the file should begin with #DECLARATION");
  while ((word = next_word(scan, &first)).n > 0 && !celi_word_is(word, "#END"))
    CELI_TRY(declare(reader, word));
  return word.n > 0 ? CEL_OK : celi_scan_fail(scan, word.line, "#END is missing");
}

static CelStatus read_lab(Reader *reader) {
  CeliScan *scan = &reader->lab;
  int64_t s = -1;
  bool first;
  if (scan->file == NULL) return CEL_OK;
  CELI_TRY(read_declarations(reader));
  for (CeliWord word; (word = next_word(scan, &first)).n > 0;) {
    if (first || s < 0) {
      CELI_TRY(celi_scan_index(scan, word, "state", reader->states, &s));
      continue;
    }
    const CelMdpLabel *label = find_label(reader, word);
    if (!label)
      return celi_scan_fail(scan, word.line,
                            "state %" PRId64 " has label \"%.*s\", which is not "
                            "declared",
                            s, CELI_WORD(word));
    ((uint8_t *)label->in)[s] = 1;
  }
  return CEL_OK;
}

// ---- rewards

/// Finds the transition (s, k, s'). -1: there is none. *hint is where the next one probably is.
static int64_t find(const Reader *reader, const int64_t where[3], int64_t *hint) {
  const uint64_t p = reader->pair[where[0]] + (uint64_t)where[1];
  if (p >= reader->pair[where[0] + 1]) return -1;
  const int64_t begin = (int64_t)reader->row[p], end = (int64_t)reader->row[p + 1];
  int64_t t = *hint >= begin && *hint < end ? *hint : begin;
  for (int64_t i = begin; i < end; i++, t = t + 1 < end ? t + 1 : begin) {
    if (reader->next[t] != (uint64_t)where[2]) continue;
    *hint = t + 1;
    return t;
  }
  return -1;
}

static CelStatus read_transition_rewards(const Reader *reader, CeliScan scan, double **out) {
  CeliWord word[4];
  int64_t where[3], hint = 0;
  int count;
  CELI_TRY(celi_calloc(out, (size_t)reader->transitions, sizeof **out, "rewards"));
  while (celi_scan_line(&scan, word, 4, &count)) {
    double reward;
    CELI_TRY(read_line(&scan, reader->chain, word, count, reader->states, where));
    CELI_TRY(celi_scan_number(&scan, word[count - 1], "reward", &reward));
    const int64_t t = find(reader, where, &hint);
    if (t < 0)
      return celi_scan_fail(&scan, word[0].line,
                            "state %" PRId64 ", choice %" PRId64
                            ": there is no transition to state %" PRId64,
                            where[0], where[1], where[2]);
    (*out)[t] = reward;
  }
  return CEL_OK;
}

static CelStatus read_state_rewards(const Reader *reader, CeliScan scan, double **out) {
  CeliWord word[2];
  int64_t s;
  int count;
  CELI_TRY(celi_calloc(out, (size_t)reader->states, sizeof **out, "rewards"));
  while (celi_scan_line(&scan, word, 2, &count)) {
    if (count != 2)
      return celi_scan_fail(&scan, word[0].line,
                            "the line has %d words; a reward is \"state reward\"", count);
    CELI_TRY(celi_scan_index(&scan, word[0], "state", reader->states, &s));
    CELI_TRY(celi_scan_number(&scan, word[1], "reward", &(*out)[s]));
    const bool paid = (*out)[s] < 0.0 || (*out)[s] > 0.0;
    if (!paid || reader->pair[s + 1] > reader->pair[s]) continue;
    return celi_scan_fail(
        &scan, word[0].line,
        "state %" PRId64 " has a reward, but no choice; add a choice or remove the reward", s);
  }
  return CEL_OK;
}

static CelStatus read_rewards(Reader *reader, const CeliPrismReward *texts, int64_t n) {
  CELI_TRY(celi_calloc(&reader->reward, (size_t)n, sizeof *reader->reward, "reward models"));
  for (int64_t i = 0; i < n; i++) {
    CelMdpReward *reward = &reader->reward[i];
    double *transition = NULL, *state = NULL;
    memcpy(reward->name, texts[i].name, sizeof reward->name);
    reader->rewards++;
    CelStatus status = CEL_OK;
    if (texts[i].data[0])
      status = read_transition_rewards(
          reader, celi_scan(texts[i].path[0], texts[i].data[0], texts[i].size[0]), &transition);
    reward->transition = transition;
    if (status == CEL_OK && texts[i].data[1])
      status = read_state_rewards(
          reader, celi_scan(texts[i].path[1], texts[i].data[1], texts[i].size[1]), &state);
    reward->state = state;
    CELI_TRY(status);
  }
  return CEL_OK;
}

static CelStatus read_all(Reader *reader, CelMdp **out, const CeliPrismTexts *texts,
                          const CelMdpLoadOptions *options) {
  CELI_TRY(read_tra(reader));
  CELI_TRY(read_lab(reader));
  CELI_TRY(read_rewards(reader, texts->reward, texts->rewards));
  CeliExplicit model = {.file = reader->tra.file,
                        .states = reader->states,
                        .pairs = reader->pairs,
                        .transitions = reader->transitions,
                        .pair = reader->pair,
                        .row = reader->row,
                        .next = reader->next,
                        .probability = reader->probability,
                        .initial = reader->initial,
                        .label = reader->label,
                        .labels = reader->labels,
                        .reward = reader->reward,
                        .rewards = reader->rewards,
                        .discount = (double)NAN};
  uint8_t *initial = NULL;
  if (!model.initial) { // without a .lab file it is state 0
    CELI_TRY(celi_calloc(&initial, (size_t)reader->states, 1, "the initial states"));
    initial[0] = 1;
    model.initial = initial;
  }
  const CelStatus status = celi_explicit_build(out, &model, options);
  free(initial);
  return status;
}

CelStatus celi_mdp_parse_storm(CelMdp **out, const CeliPrismTexts *texts,
                               const CelMdpLoadOptions *options) {
  Reader reader = {.tra = celi_scan(texts->path[0], texts->data[0], texts->size[0])};
  if (texts->data[3]) reader.lab = celi_scan(texts->path[3], texts->data[3], texts->size[3]);
  const CelStatus status = read_all(&reader, out, texts, options);
  for (int64_t i = 0; i < reader.labels; i++) free((void *)reader.label[i].in);
  for (int64_t i = 0; i < reader.rewards; i++) {
    free((void *)reader.reward[i].transition);
    free((void *)reader.reward[i].state);
  }
  free(reader.label);
  free(reader.reward);
  free(reader.pair);
  free(reader.row);
  free(reader.next);
  free(reader.probability);
  return status;
}

// ---- writing

static bool is_terminal(const CelMdp *mdp, int64_t s) {
  return mdp->pair[s + 1] == mdp->pair[s];
}

CelStatus celi_mdp_check_storm(const CelMdp *mdp) {
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  CeliExplicitNames names;
  CELI_TRY(celi_explicit_check(mdp, "Storm's files"));
  if (mdp->action)
    return cel_fail(CEL_E_UNSUPPORTED, "Storm's files number the actions of a state 0, 1, ..., but "
                                       "this MDP has other numbers; write .umb or .drn instead");
  CelStatus status = celi_explicit_names(mdp, &names);
  for (int64_t i = 0; i < names.labels && status == CEL_OK; i++) {
    if (!strchr(names.label[i].name, ' ') && names.label[i].name[0] != '#') continue;
    status = cel_fail(CEL_E_UNSUPPORTED,
                      "label \"%s\" has a blank or #, which Storm's files cannot have; write .umb "
                      "instead",
                      names.label[i].name);
  }
  for (int64_t i = 0; i < names.rewards && status == CEL_OK; i++) {
    const char *name = names.reward[i].name;
    if (strspn(name, allowed) == strlen(name)) continue;
    status = cel_fail(CEL_E_UNSUPPORTED,
                      "reward model \"%s\" cannot be part of a file's name; it may have letters, "
                      "digits, _ and -",
                      name);
  }
  celi_explicit_names_free(&names);
  return status;
}

static void emit_line(CeliOut *out, int64_t s, int64_t k, int64_t next, double x) {
  celi_out_index(out, s);
  celi_out_format(out, " %" PRId64 " ", k);
  celi_out_index(out, next);
  celi_out_format(out, " ");
  celi_out_double(out, x);
  celi_out_format(out, "\n");
}

static void emit_tra(CeliOut *out, const CelMdp *mdp) {
  celi_out_format(out, "mdp\n");
  for (int64_t s = 0; s < mdp->states; s++) {
    if (is_terminal(mdp, s)) emit_line(out, s, 0, s, 1.0);
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++)
      for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++)
        emit_line(out, s, p - mdp->pair[s], cel_mdp_next(mdp, t), mdp->probability[t]);
  }
}

static void emit_transition_rewards(CeliOut *out, const CelMdp *mdp, const CelMdpReward *model) {
  for (int64_t s = 0; s < mdp->states; s++) {
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
      for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++) {
        const double reward =
            (model->pair ? model->pair[p] : 0.0) + (model->transition ? model->transition[t] : 0.0);
        emit_line(out, s, p - mdp->pair[s], cel_mdp_next(mdp, t), reward);
      }
    }
    if (is_terminal(mdp, s)) emit_line(out, s, 0, s, 0.0);
  }
}

static void emit_state_rewards(CeliOut *out, const CelMdp *mdp, const CelMdpReward *model) {
  for (int64_t s = 0; s < mdp->states; s++) {
    celi_out_index(out, s);
    celi_out_format(out, " ");
    celi_out_double(out, model->state && !is_terminal(mdp, s) ? model->state[s] : 0.0);
    celi_out_format(out, "\n");
  }
}

static void emit_lab(CeliOut *out, const CelMdp *mdp, const CeliExplicitNames *names) {
  celi_out_format(out, "#DECLARATION\ninit");
  for (int64_t i = 0; i < names->labels; i++) celi_out_format(out, " %s", names->label[i].name);
  celi_out_format(out, "\n#END\n");
  for (int64_t s = 0; s < mdp->states; s++) {
    bool any = mdp->start[s] > 0.0;
    if (any) celi_out_format(out, "%" PRId64 " init", s);
    for (int64_t i = 0; i < names->labels; i++) {
      if (!names->label[i].in[s]) continue;
      if (!any) celi_out_index(out, s);
      celi_out_format(out, " %s", names->label[i].name);
      any = true;
    }
    if (any) celi_out_format(out, "\n");
  }
}

void celi_mdp_emit_storm(CeliOut *out, const CelMdp *mdp, int which, const CelMdpReward *model) {
  CeliExplicitNames names;
  if (which == 0) emit_tra(out, mdp);
  if (which == 1) emit_transition_rewards(out, mdp, model);
  if (which == 2) emit_state_rewards(out, mdp, model);
  if (which != 3) return;
  const CelStatus status = celi_explicit_names(mdp, &names);
  if (out->status == CEL_OK) out->status = status;
  if (out->status == CEL_OK) emit_lab(out, mdp, &names);
  celi_explicit_names_free(&names);
}
