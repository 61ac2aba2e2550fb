/// Checks everything that mdp.h guarantees about a CelMdp. Files are trusted only after this check.
///
/// The order matters: `row` is read only after `pair` is known to be valid, and transitions only
/// after `row` is.
#include "base/arguments.h"
#include "base/base.h"
#include "mdp/model.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

// ---- sizes and scalars

CelStatus celi_mdp_check_discount(double discount, int64_t horizon) {
  if (horizon < 0) {
    return cel_fail(CEL_E_RANGE,
                    "horizon %" PRId64
                    " is negative; it must be a number of steps, or 0 for infinite",
                    horizon);
  }
  if (!(discount >= 0.0 && discount <= 1.0)) {
    return cel_fail(CEL_E_RANGE, "discount %g is not in [0, 1]", discount);
  }
  return CEL_OK;
}

static CelStatus check_sizes(const CelMdp *mdp) {
  if (mdp->states < 1 || mdp->pairs < 1 || mdp->transitions < 1) {
    return cel_fail(CEL_E_RANGE,
                    "%" PRId64 " states, %" PRId64 " state-action pairs, %" PRId64
                    " transitions: an MDP needs at least one of each",
                    mdp->states, mdp->pairs, mdp->transitions);
  }
  const char *missing = mdp->pair == NULL                            ? "pair"
                        : mdp->row == NULL                           ? "row"
                        : mdp->next32 == NULL && mdp->next64 == NULL ? "next32 or next64"
                        : mdp->probability == NULL                   ? "probability"
                        : mdp->reward == NULL                        ? "reward"
                        : mdp->start == NULL                         ? "start"
                                                                     : NULL;
  if (missing != NULL) return cel_fail(CEL_E_RANGE, "the array %s of the MDP is missing", missing);
  if (memchr(mdp->name, 0, sizeof mdp->name) == NULL) {
    return cel_fail(CEL_E_RANGE, "the name of the MDP has no terminating NUL");
  }
  return celi_mdp_check_discount(mdp->discount, mdp->horizon);
}

/// State of a check.
typedef struct Walk {
  const CelMdp *mdp;
  bool given; ///< allow the rounding errors of input data (CELI_MDP_GIVEN)
  bool exact; ///< so far every probability and sum is exact (CELI_MDP_SUM)
} Walk;

static bool is_probability(Walk *walk, double p) {
  const bool exact = p >= 0.0 && p <= 1.0;
  walk->exact &= exact;
  return exact || (walk->given && celi_mdp_is_probability(p));
}

static bool is_one(Walk *walk, double sum) {
  const bool exact = fabs(sum - 1.0) <= CELI_MDP_SUM;
  walk->exact &= exact;
  return exact || (walk->given && celi_mdp_is_one(sum));
}

// ---- states and pairs

static CelStatus check_pairs(const CelMdp *mdp) {
  if (mdp->pair[0] != 0 || mdp->pair[mdp->states] != mdp->pairs) {
    return cel_fail(CEL_E_RANGE,
                    "pair[0] is %" PRId64 " and pair[%" PRId64 "] is %" PRId64
                    "; they must be 0 and the number of pairs, %" PRId64,
                    mdp->pair[0], mdp->states, mdp->pair[mdp->states], mdp->pairs);
  }
  for (int64_t s = 0; s < mdp->states; s++) {
    if (mdp->pair[s + 1] < mdp->pair[s]) {
      return cel_fail(CEL_E_RANGE,
                      "state %" PRId64 ": its pairs end at %" PRId64
                      ", before they begin at %" PRId64 " (pair[%" PRId64 "] and pair[%" PRId64
                      "] must ascend)",
                      s, mdp->pair[s + 1], mdp->pair[s], s + 1, s);
    }
  }
  return CEL_OK;
}

static CelStatus check_max_actions(const CelMdp *mdp) {
  const int64_t most = celi_mdp_max_actions(mdp->pair, mdp->states);
  if (most == mdp->max_actions) return CEL_OK;
  return cel_fail(CEL_E_RANGE,
                  "max_actions is %" PRId64
                  ", but the largest number of actions of a state is %" PRId64,
                  mdp->max_actions, most);
}

static CelStatus check_actions(const CelMdp *mdp, int64_t s) {
  for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
    const int64_t least = p == mdp->pair[s] ? 0 : (int64_t)mdp->action[p - 1] + 1;
    if (mdp->action[p] < least) {
      return cel_fail(CEL_E_RANGE,
                      "state %" PRId64 ": action %" PRId32 " (pair %" PRId64
                      ") is out of order; actions start at 0 or above and ascend within a state",
                      s, mdp->action[p], p);
    }
  }
  return CEL_OK;
}

static CelStatus check_rows(const CelMdp *mdp) {
  if (mdp->row[0] != 0 || mdp->row[mdp->pairs] != mdp->transitions) {
    return cel_fail(CEL_E_RANGE,
                    "row[0] is %" PRId64 " and row[%" PRId64 "] is %" PRId64
                    "; they must be 0 and the number of transitions, %" PRId64,
                    mdp->row[0], mdp->pairs, mdp->row[mdp->pairs], mdp->transitions);
  }
  for (int64_t s = 0; s < mdp->states; s++) {
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
      if (mdp->row[p + 1] > mdp->row[p]) continue;
      return cel_fail(CEL_E_RANGE,
                      "state %" PRId64 ", action %" PRId64 ": its transitions begin at %" PRId64
                      " and end at %" PRId64 "; it needs at least one (row[%" PRId64
                      "], row[%" PRId64 "])",
                      s, cel_mdp_action(mdp, s, p), mdp->row[p], mdp->row[p + 1], p, p + 1);
    }
  }
  return CEL_OK;
}

CelStatus celi_mdp_check_order(const CelMdp *mdp) {
  CelStatus status = check_pairs(mdp);
  if (status == CEL_OK) status = check_rows(mdp);
  return status == CEL_OK ? CEL_OK : CEL_E_CORRUPT;
}

// ---- rows

/// Describes what is wrong with transition t alone. NULL if nothing is.
static const char *wrong_with(Walk *walk, int64_t t) {
  const CelMdp *mdp = walk->mdp;
  const int64_t next = cel_mdp_next(mdp, t);
  if (next < 0 || next >= mdp->states) return "the next state does not exist";
  const double probability = mdp->probability[t];
  if (!isfinite(probability)) return "the probability is not a finite number";
  if (!is_probability(walk, probability)) return "the probability is not in [0, 1]";
  if (mdp->reward_next && !isfinite(mdp->reward_next[t]))
    return "the reward is not a finite number";
  if (mdp->ends && mdp->ends[t] > 1) return "the end flag must be 0 or 1";
  return NULL;
}

static CelStatus fail_transition(const CelMdp *mdp, int64_t s, int64_t p, int64_t t,
                                 const char *what) {
  return cel_fail(CEL_E_RANGE,
                  "state %" PRId64 ", action %" PRId64 ", transition %" PRId64 " (to state %" PRId64
                  " with probability %g): %s",
                  s, cel_mdp_action(mdp, s, p), t, cel_mdp_next(mdp, t), mdp->probability[t], what);
}

/// Checks that r(s,a) is the mean of r(s,a,s'). `off` is the distance of the row's sum from 1.
static CelStatus check_reward(const CelMdp *mdp, int64_t s, int64_t p, double off) {
  if (!isfinite(mdp->reward[p])) {
    return cel_fail(CEL_E_RANGE,
                    "state %" PRId64 ", action %" PRId64 ": the reward %g is not a finite number",
                    s, cel_mdp_action(mdp, s, p), mdp->reward[p]);
  }
  if (mdp->reward_next == NULL) return CEL_OK;
  double mean = 0.0, size = 0.0;
  for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++) {
    mean += mdp->probability[t] * mdp->reward_next[t];
    size += mdp->probability[t] * fabs(mdp->reward_next[t]);
  }
  if (fabs(mean - mdp->reward[p]) <= (CELI_MDP_MEAN + 2.0 * off) * size + 1e-300) return CEL_OK;
  return cel_fail(CEL_E_RANGE,
                  "state %" PRId64 ", action %" PRId64
                  ": the reward is %.17g, but the rewards of its transitions average to %.17g",
                  s, cel_mdp_action(mdp, s, p), mdp->reward[p], mean);
}

static CelStatus check_row(Walk *walk, int64_t s, int64_t p) {
  const CelMdp *mdp = walk->mdp;
  for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++) {
    const char *wrong = wrong_with(walk, t);
    if (wrong != NULL) return fail_transition(mdp, s, p, t, wrong);
  }
  const int64_t n = mdp->row[p + 1] - mdp->row[p];
  const double sum = celi_mdp_sum(mdp->probability + mdp->row[p], n);
  if (!is_one(walk, sum)) {
    return cel_fail(CEL_E_RANGE,
                    "state %" PRId64 ", action %" PRId64 ": the probabilities of its %" PRId64
                    " transition%s sum to %.15g; they must sum to 1",
                    s, cel_mdp_action(mdp, s, p), n, celi_s(n), sum);
  }
  return check_reward(mdp, s, p, fabs(sum - 1.0));
}

// ---- start and grid

static CelStatus check_start(Walk *walk) {
  const CelMdp *mdp = walk->mdp;
  for (int64_t s = 0; s < mdp->states; s++) {
    if (!is_probability(walk, mdp->start[s])) {
      return cel_fail(CEL_E_RANGE, "state %" PRId64 ": the initial probability %g is not in [0, 1]",
                      s, mdp->start[s]);
    }
  }
  const double sum = celi_mdp_sum(mdp->start, mdp->states);
  if (is_one(walk, sum)) return CEL_OK;
  return cel_fail(CEL_E_RANGE, "the initial distribution sums to %.15g; it must sum to 1", sum);
}

CelStatus celi_mdp_check_grid(const CelMdpGrid *grid, int64_t states) {
  int64_t cells;
  if (grid->rows < 1 || grid->columns < 1 || grid->actions < 1 ||
      __builtin_mul_overflow(grid->rows, grid->columns, &cells)) {
    return cel_fail(CEL_E_RANGE,
                    "a grid of %" PRId64 " rows, %" PRId64 " columns and %" PRId64
                    " actions is invalid; each must be at least 1",
                    grid->rows, grid->columns, grid->actions);
  }
  if (grid->state == NULL || grid->direction == NULL) {
    return cel_fail(CEL_E_RANGE, "the grid has no array of states or of directions");
  }
  for (int64_t i = 0; i < cells; i++) {
    if (grid->state[i] >= -1 && grid->state[i] < states) continue;
    return cel_fail(CEL_E_RANGE,
                    "grid cell (%" PRId64 ", %" PRId64 ") has state %" PRId64
                    "; states are 0 to %" PRId64 ", and a wall is -1",
                    i / grid->columns, i % grid->columns, grid->state[i], states - 1);
  }
  return CEL_OK;
}

// ---- the whole MDP

static CelStatus check(Walk *walk) {
  const CelMdp *mdp = walk->mdp;
  CELI_TRY(check_sizes(mdp));
  CELI_TRY(celi_mdp_check_order(mdp));
  CELI_TRY(check_max_actions(mdp));
  for (int64_t s = 0; s < mdp->states && mdp->action; s++) CELI_TRY(check_actions(mdp, s));
  for (int64_t s = 0; s < mdp->states; s++) {
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) CELI_TRY(check_row(walk, s, p));
  }
  CELI_TRY(check_start(walk));
  CELI_TRY(celi_mdp_check_labels(mdp));
  CELI_TRY(celi_mdp_check_rewards(mdp));
  return mdp->grid ? celi_mdp_check_grid(mdp->grid, mdp->states) : CEL_OK;
}

CelStatus celi_mdp_check_given(const CelMdp *mdp, bool *exact) {
  Walk walk = {.mdp = mdp, .given = true, .exact = true};
  const CelStatus status = check(&walk);
  *exact = walk.exact;
  return status == CEL_OK ? CEL_OK : CEL_E_CORRUPT;
}

CelStatus cel_mdp_check(const CelMdp *mdp) {
  CELI_NEED(mdp);
  CELI_FLOATS(CELI_IEEE);
  Walk walk = {.mdp = mdp};
  return check(&walk) == CEL_OK ? CEL_OK : CEL_E_CORRUPT;
}
