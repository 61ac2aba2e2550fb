/// The rules of a file in Cassandra's format, stored in file order and found by row.
///
/// The rules of row (a, i) are those about (a, i), (a, all), (all, i) and (all, all). After
/// sorting, each of these four groups is a contiguous run in file order. A lookup merges the four
/// runs from their ends.
#include "mdp/formats/cassandra_rules.h"
#include "base/base.h"
#include "mdp/formats/text.h"
#include <stdlib.h>

void celi_rules_free(CeliRules *rules) {
  free(rules->rule);
  free(rules->cell);
  free(rules->found);
  *rules = (CeliRules){0};
}

CelStatus celi_rules_add(CeliRules *rules, CeliRule rule) {
  CELI_TRY(celi_grow(&rules->rule, &rules->capacity, rules->n + 1, sizeof rule, "statements"));
  rule.order = rules->n;
  rules->rule[rules->n++] = rule;
  return CEL_OK;
}

CelStatus celi_rules_add_cell(CeliRules *rules, int64_t column, double value) {
  const CeliRewardCell cell = {column, value};
  if (!(value < 0.0 || value > 0.0)) return CEL_OK;
  CELI_TRY(
      celi_grow(&rules->cell, &rules->cell_capacity, rules->cells + 1, sizeof cell, "numbers"));
  rules->cell[rules->cells++] = cell;
  return CEL_OK;
}

bool celi_rule_covers(const CeliRule *rule) {
  switch (rule->kind) {
  case CELI_RULE_ENTRY: return rule->j < 0 && rule->o < 0;
  case CELI_RULE_OBSERVED: return rule->j < 0;
  case CELI_RULE_ROW:
  case CELI_RULE_UNIFORM:
  case CELI_RULE_IDENTITY:
  case CELI_RULE_RESET: return true;
  }
  return false;
}

// ---- by row

static int compare_row(const CeliRule *rule, int32_t a, int64_t i) {
  if (rule->a != a) return rule->a < a ? -1 : 1;
  return rule->i < i ? -1 : rule->i > i;
}

static int compare(const void *x, const void *y) {
  const CeliRule *one = x, *other = y;
  const int row = compare_row(one, other->a, other->i);
  return row ? row : one->order < other->order ? -1 : one->order > other->order;
}

void celi_rules_seal(CeliRules *rules) {
  if (rules->n > 1) qsort(rules->rule, (size_t)rules->n, sizeof *rules->rule, compare);
}

/// The number of rules before (a, i). `with` also counts the rules about (a, i).
static int64_t bound(const CeliRules *rules, int32_t a, int64_t i, bool with) {
  int64_t low = 0, high = rules->n;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    const int side = compare_row(&rules->rule[middle], a, i);
    if (side < 0 || (with && side == 0)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/// A run of rules about the same rows. Rules begin to end - 1 remain.
typedef struct Run {
  int64_t begin, end;
} Run;

static Run run_of(const CeliRules *rules, int32_t a, int64_t i) {
  const Run run = {bound(rules, a, i, false), bound(rules, a, i, true)};
  return run;
}

/// Removes the latest rule from the runs and returns it. NULL if all runs are empty.
static const CeliRule *take_latest(const CeliRules *rules, Run run[4]) {
  const CeliRule *latest = NULL;
  int from = 0;
  for (int k = 0; k < 4; k++) {
    if (run[k].begin == run[k].end) continue;
    const CeliRule *last = &rules->rule[run[k].end - 1];
    if (latest && last->order < latest->order) continue;
    latest = last;
    from = k;
  }
  if (latest) run[from].end--;
  return latest;
}

CelStatus celi_rules_find(CeliRules *rules, int32_t a, int64_t i) {
  Run run[4] = {run_of(rules, a, i), run_of(rules, a, -1), run_of(rules, -1, i),
                run_of(rules, -1, -1)};
  rules->founds = 0;
  for (;;) {
    const CeliRule *rule = take_latest(rules, run);
    if (rule == NULL) return CEL_OK;
    CELI_TRY(celi_grow(&rules->found, &rules->found_capacity, rules->founds + 1,
                       sizeof *rules->found, "statements about a row"));
    rules->found[rules->founds++] = rule;
    if (celi_rule_covers(rule)) return CEL_OK;
  }
}
