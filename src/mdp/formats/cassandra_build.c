/// Builds an MDP from the rules of a .mdp or .pomdp file, one row at a time in order of states and
/// actions.
///
///     P(s'|s,a)      from the last rule about (a, s, s'); 0 without one
///     r(s,a,s')      likewise; sum_o O(o|s',a) r(s,a,s',o) if some rewards depend on observations
///
/// A row starts empty. Rules are applied in file order, starting with the last rule that sets the
/// whole row. Only columns that a rule mentions are visited, so sparse MDPs stay sparse.
#include "base/base.h"
#include "mdp/formats/cassandra.h"
#include "mdp/formats/formats.h"
#include "mdp/model.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/// A row of n columns, in the order in which they were added.
typedef struct Row {
  int64_t columns, n;
  int64_t *column; ///< (columns)
  double *value;   ///< (columns) values of those columns
  int64_t *place;  ///< (columns) 1 + position of a column in the row; 0: not in the row
} Row;

typedef struct Work {
  CeliCassandra *said;
  CelMdpBuilder *builder;
  Row next, seen; ///< P(.|s,a); O(.|s',a)
  double *reward; ///< (next.n, depth) rewards of the row's next states
  int64_t reward_room;
  int64_t depth; ///< number of observations, or 1 if rewards do not depend on them
  CeliEntry *entry;
  int64_t entry_room;
} Work;

// ---- rows

static CelStatus row_create(Row *row, int64_t columns, const char *what) {
  const size_t n = (size_t)columns;
  size_t bytes;
  if (!celi_size_mul(n, 24, &bytes)) bytes = SIZE_MAX;
  row->columns = columns;
  CELI_TRY(celi_mdp_room(bytes, what));
  CELI_TRY(celi_alloc(&row->column, n, sizeof *row->column, what));
  CELI_TRY(celi_alloc(&row->value, n, sizeof *row->value, what));
  return celi_calloc(&row->place, n, sizeof *row->place, what);
}

static void row_free(Row *row) {
  free(row->column);
  free(row->value);
  free(row->place);
}

static void row_clear(Row *row) {
  for (int64_t k = 0; k < row->n; k++) row->place[row->column[k]] = 0;
  row->n = 0;
}

static void row_set(Row *row, int64_t column, double value) {
  if (row->place[column] == 0) {
    row->column[row->n] = column;
    row->place[column] = ++row->n;
  }
  row->value[row->place[column] - 1] = value;
}

static void row_set_all(Row *row, double value) {
  for (int64_t j = 0; j < row->columns; j++) row_set(row, j, value);
}

/// Applies one rule to row i.
static void row_paint(Row *row, const CeliRules *rules, const CeliRule *rule, int64_t i,
                      const double *start) {
  switch (rule->kind) {
  case CELI_RULE_ENTRY:
    if (rule->j < 0) {
      row_set_all(row, rule->value);
    } else {
      row_set(row, rule->j, rule->value);
    }
    break;
  case CELI_RULE_ROW: // the row is still empty
    for (int64_t k = rule->first; k < rule->first + rule->n; k++) {
      row_set(row, rules->cell[k].column, rules->cell[k].value);
    }
    break;
  case CELI_RULE_UNIFORM: row_set_all(row, 1.0 / (double)row->columns); break;
  case CELI_RULE_IDENTITY: row_set(row, i, 1.0); break;
  case CELI_RULE_RESET:
    if (start == NULL) row_set_all(row, 1.0 / (double)row->columns);
    for (int64_t j = 0; start && j < row->columns; j++) {
      if (start[j] > 0.0) row_set(row, j, start[j]);
    }
    break;
  case CELI_RULE_OBSERVED: CEL_ASSERT(rule->kind != CELI_RULE_OBSERVED); break; // occurs only in R
  }
}

/// Builds row (a, i). *line becomes the line of its last rule and stays unchanged without a rule.
static CelStatus row_make(Row *row, CeliRules *rules, int32_t a, int64_t i, const double *start,
                          int64_t *line) {
  CELI_TRY(celi_rules_find(rules, a, i));
  row_clear(row);
  for (int64_t k = rules->founds - 1; k >= 0; k--) row_paint(row, rules, rules->found[k], i, start);
  if (rules->founds > 0) *line = rules->found[0]->line;
  return CEL_OK;
}

// ---- rewards

/// The positions [*from, *to) of next state j in the row. j = -1 means all.
static void places(const Row *row, int64_t j, int64_t *from, int64_t *to) {
  *from = j < 0 ? 0 : row->place[j] - 1;
  *to = j < 0 ? row->n : row->place[j];
  if (*from < 0) *from = *to = 0; // j is not in the row
}

static void paint_reward(Work *work, const CeliRules *rules, const CeliRule *rule) {
  const int64_t depth = work->depth;
  int64_t from, to;
  if (rule->kind == CELI_RULE_ROW) { // all rewards are still 0
    for (int64_t k = rule->first; k < rule->first + rule->n; k++) {
      const int64_t place = work->next.place[rules->cell[k].column];
      if (place > 0) work->reward[place - 1] = rules->cell[k].value;
    }
    return;
  }
  places(&work->next, rule->j, &from, &to);
  for (int64_t k = from; k < to; k++) {
    double *reward = work->reward + k * depth;
    const bool one = rule->kind == CELI_RULE_ENTRY && rule->o >= 0;
    for (int64_t o = 0; !one && o < depth; o++) {
      reward[o] = rule->kind == CELI_RULE_ENTRY ? rule->value : 0.0;
    }
    if (one) reward[rule->o] = rule->value;
    if (rule->kind == CELI_RULE_ENTRY) continue;
    for (int64_t c = rule->first; c < rule->first + rule->n; c++) {
      reward[rules->cell[c].column] = rules->cell[c].value;
    }
  }
}

static CelStatus make_rewards(Work *work, int32_t a, int64_t s) {
  CeliRules *rules = &work->said->r;
  int64_t n;
  if (__builtin_mul_overflow(work->next.n, work->depth, &n)) n = INT64_MAX;
  CELI_TRY(celi_grow(&work->reward, &work->reward_room, n, sizeof *work->reward,
                     "rewards by observation"));
  if (n > 0) memset(work->reward, 0, (size_t)n * sizeof *work->reward);
  CELI_TRY(celi_rules_find(rules, a, s));
  for (int64_t k = rules->founds - 1; k >= 0; k--) paint_reward(work, rules, rules->found[k]);
  return CEL_OK;
}

/// True if the rewards of the row's next state k depend on the observation.
static bool differ(const Work *work, int64_t k) {
  const double *reward = work->reward + k * work->depth;
  for (int64_t o = 1; o < work->depth; o++) {
    if (reward[o] < reward[0] || reward[o] > reward[0]) return true;
  }
  return false;
}

/// Writes O(.|s,a) to `seen` and its sum, which is 1 up to rounding.
static CelStatus see(Work *work, int32_t a, int64_t s, double *sum) {
  CeliCassandra *said = work->said;
  int64_t line = said->states_line;
  if (work->seen.columns == 0)
    CELI_TRY(row_create(&work->seen, said->observations, "that many observations"));
  CELI_TRY(row_make(&work->seen, &said->o, a, s, NULL, &line));
  *sum = celi_mdp_sum(work->seen.value, work->seen.n);
  if (celi_mdp_is_one(*sum)) return CEL_OK;
  return celi_scan_fail(&said->scan, line,
                        "state %" PRId64 ", action %d: the probabilities of its observations sum "
                        "to %.17g; they must sum to 1",
                        s, (int)a, *sum);
}

/// Checks that the rows of O in the file are distributions, even if no reward uses them.
static CelStatus check_observations(Work *work) {
  CeliCassandra *said = work->said;
  double sum;
  if (said->o.n == 0) return CEL_OK;
  for (int64_t s = 0; s < said->states; s++)
    for (int64_t a = 0; a < said->actions; a++) {
      CELI_TRY(celi_rules_find(&said->o, (int32_t)a, s));
      const CeliRuleKind kind = said->o.founds == 1 ? said->o.found[0]->kind : CELI_RULE_ENTRY;
      if (kind == CELI_RULE_UNIFORM || kind == CELI_RULE_IDENTITY) continue;
      CELI_TRY(see(work, (int32_t)a, s, &sum));
    }
  return CEL_OK;
}

/// sum_o O(o|s',a) r(s,a,s',o) for next state k of the row.
static CelStatus average_reward(Work *work, int32_t a, int64_t k, double *out) {
  double sum;
  CELI_TRY(see(work, a, work->next.column[k], &sum));
  const Row *seen = &work->seen;
  *out = 0.0;
  for (int64_t o = 0; o < seen->n; o++) {
    *out += seen->value[o] / sum * work->reward[k * work->depth + seen->column[o]];
  }
  return CEL_OK;
}

// ---- building the MDP

static CelStatus put_row(Work *work, int64_t s, int32_t a) {
  CeliCassandra *said = work->said;
  int64_t line = said->states_line, n = 0;
  CELI_TRY(row_make(&work->next, &said->t, a, s, said->start, &line));
  CELI_TRY(make_rewards(work, a, s));
  CELI_TRY(
      celi_grow(&work->entry, &work->entry_room, work->next.n, sizeof *work->entry, "transitions"));
  for (int64_t k = 0; k < work->next.n; k++) {
    double reward = work->reward[k * work->depth];
    if (!(work->next.value[k] > 0.0)) continue;
    if (differ(work, k)) CELI_TRY(average_reward(work, a, k, &reward));
    work->entry[n++] = (CeliEntry){.next = work->next.column[k],
                                   .probability = work->next.value[k],
                                   .reward = said->costs ? 0.0 - reward : reward};
  }
  return celi_row_put(work->builder, &said->scan, line, s, a, work->entry, n);
}

/// An upper bound on the number of transitions of row (a, s), from its rules.
static CelStatus count_row(CeliCassandra *said, int32_t a, int64_t s, int64_t *out) {
  CeliRules *rules = &said->t;
  CELI_TRY(celi_rules_find(rules, a, s));
  *out = 0;
  for (int64_t k = 0; k < rules->founds; k++) {
    const CeliRule *rule = rules->found[k];
    const bool one = rule->kind == CELI_RULE_IDENTITY || !celi_rule_covers(rule);
    *out += one ? 1 : rule->kind == CELI_RULE_ROW ? rule->n : said->states;
  }
  if (*out > said->states) *out = said->states;
  return CEL_OK;
}

/// Reserves memory for all rows before building the first. A short line like "T: * uniform" can
/// create any number of them.
static CelStatus reserve(Work *work) {
  CeliCassandra *said = work->said;
  int64_t pairs, transitions = 0;
  if (__builtin_mul_overflow(said->states, said->actions, &pairs)) pairs = INT64_MAX;
  CELI_TRY(cel_mdp_builder_reserve(work->builder, pairs, pairs));
  for (int64_t s = 0; s < said->states; s++) {
    for (int64_t a = 0; a < said->actions; a++) {
      int64_t n;
      CELI_TRY(count_row(said, (int32_t)a, s, &n));
      if (__builtin_add_overflow(transitions, n, &transitions)) transitions = INT64_MAX;
    }
  }
  return cel_mdp_builder_reserve(work->builder, pairs, transitions);
}

static CelStatus fill(Work *work) {
  CeliCassandra *said = work->said;
  CELI_TRY(cel_fail_in(reserve(work), "%s: ", said->scan.file));
  CELI_TRY(celi_name_put(work->builder, said->scan.file));
  CELI_TRY(row_create(&work->next, said->states, "that many states"));
  CELI_TRY(check_observations(work));
  if (said->by_observation) work->depth = said->observations;
  for (int64_t s = 0; s < said->states; s++) {
    for (int64_t a = 0; a < said->actions; a++) CELI_TRY(put_row(work, s, (int32_t)a));
  }
  if (said->start == NULL) return CEL_OK;
  return celi_start_put(work->builder, &said->scan, said->start_line, said->start, said->states);
}

CelStatus celi_cassandra_build(CeliCassandra *said, const CelMdpLoadOptions *options,
                               CelMdp **out) {
  Work work = {.said = said, .depth = 1};
  const bool own = isnan(options->discount);
  double discount = said->discount;
  int64_t horizon = 0;
  celi_rules_seal(&said->t);
  celi_rules_seal(&said->o);
  celi_rules_seal(&said->r);
  CELI_TRY(celi_load_choose(said->scan.file, options, &discount, &horizon));
  CELI_TRY(celi_scan_in(&said->scan, own ? said->discount_line : said->states_line,
                        cel_mdp_builder_create(&work.builder, said->states, discount, horizon)));
  CelStatus status = fill(&work);
  if (status == CEL_OK) {
    status = cel_fail_in(cel_mdp_build(work.builder, out), "%s: ", said->scan.file);
  }
  if (status == CEL_OK && said->observations > 0) {
    (*out)->left_out = "observations are left out: the MDP assumes that the state is observed";
  }
  cel_mdp_builder_destroy(work.builder);
  row_free(&work.next);
  row_free(&work.seen);
  free(work.reward);
  free(work.entry);
  return status;
}
