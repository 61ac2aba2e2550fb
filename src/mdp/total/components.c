/// Policy iteration on the reduced MDP, component by component, for hard problems.
///
/// States are in the order of strongly connected components, each after those that it leads to. The
/// values of a component therefore depend on itself and on finished ones. A component of one state
/// costs one backup. In the others:
///
/// 1. The first policy leads toward the end by the fewest steps, so it ends surely.
/// 2. V = r_pi + P_pi V and w = 1 + P_pi w, the expected number of steps, come from one elimination
///    of states (eliminate.c). Its policy is deterministic, so most states have one or two
///    successors, and few transitions are added.
/// 3. A sweep takes better actions: those with a larger Q, and among equal ones those that take
///    longer. It updates V and w in place, so that later states see it. If nothing changed, the
///    component is finished. Otherwise step 2 follows.
///
/// At the end L = V - e w and U = V + e w are candidates for the bounds: TL >= T_pi L = L + e, and
/// U >= TU + e where no action that is nearly as good takes longer. The preference for longer
/// actions is for that. If U fails even so, policy iteration goes on with the rewards r + e, whose
/// fixed point is U. check.c proves both.
/// Source: Bertsekas, Tsitsiklis, "An analysis of stochastic shortest path problems", 1991; Dai,
/// Mausam, Weld, Goldsmith, "Topological value iteration algorithms", JAIR 2011; Hartmanns,
/// Kaminski, "Optimistic value iteration", CAV 2020.
#include "base/base.h"
#include "base/clock.h"
#include "mdp/total/eliminate.h"
#include "mdp/total/total.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  ROUNDS_MOST = 500, ///< policies of a component
  LONGER_MOST = 50,  ///< policies after which longer actions are no longer preferred
  ATTEMPTS = 12,     ///< values of e until the bounds are proven
  SHRINK_MOST = 4,   ///< values of e until the bounds are close enough
  REPORT = 100000,   ///< states between two progress reports
};
static const double u = 0x1p-53;
static const double LONGER = 0.25; ///< steps by which an equally good action must take longer
/// Work of an elimination, fixed and by state, beyond which sweeps and Newton steps on the whole
/// problem take less time. Chains that are nearly trees or paths need about 1 by state.
static const double WORK_FIXED = 2e6, WORK_MOST = 200.0;

enum { VALUE, STEPS }; // sides

/// A pair of a state and what it leads to.
typedef struct Option {
  double q[CELI_SIDES];
  uint32_t pair;
} Option;

typedef struct Components {
  CeliTotal *total;
  const CelMdp *mdp; ///< the reduced MDP
  uint32_t n;        ///< its states without END
  double (*x)[CELI_SIDES];
  double (*found)[CELI_SIDES]; ///< (largest component)
  uint32_t *choice;            ///< (n) the pair of each state
  double *X;                   ///< (n + 1) scratch
  Option *option;              ///< (max_actions) scratch
  CeliElimination elimination;
  double value_max, steps_max, reward_max;
  double residual; ///< largest gain of the last sweep
  double shift;    ///< added to every reward
  double backups;  ///< pairs visited by sweeps
  uint32_t done;   ///< states of finished components
  uint32_t alone;  ///< components of one state
  bool stopped;
} Components;

static bool goes_on(Components *c) {
  const CelSolveConfig *config = c->total->solver;
  CelSolution *solution = c->total->solution;
  solution->sweeps = (int64_t)ceil(c->backups / (double)c->mdp->pairs);
  const CelSolveProgress now = {.method = "newton",
                                .iteration = solution->iterations,
                                .sweeps = solution->sweeps,
                                .residual = c->residual,
                                .bound = HUGE_VAL,
                                .seconds = celi_seconds() - c->total->start_seconds,
                                .fraction = (double)c->done / (double)c->n};
  const bool stop = config->progress && !config->progress(config->user, &now);
  celi_floats_keep();
  c->stopped |= stop || celi_total_stopped(c->total);
  return !c->stopped;
}

// ---- evaluation

/// x of the states [begin, end) under the policy `choice`.
static CeliEliminationEnd evaluate(Components *c, uint32_t begin, uint32_t end) {
  const CelMdp *mdp = c->mdp;
  CeliElimination *e = &c->elimination;
  celi_elimination_begin(e);
  for (uint32_t s = begin; s < end; s++) {
    const int64_t p = c->choice[s];
    double b[CELI_SIDES] = {mdp->reward[p], 1.0}, leave = 0.0;
    for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++) {
      const uint32_t next = mdp->next32[t];
      if (next >= begin && next < end) continue;
      leave += mdp->probability[t];
      for (int k = 0; k < CELI_SIDES; k++) b[k] += mdp->probability[t] * c->x[next][k];
    }
    celi_elimination_state(e, b, leave);
    for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++) {
      const uint32_t next = mdp->next32[t];
      if (next < begin || next >= end || next == s || !(mdp->probability[t] > 0.0)) continue;
      if (celi_elimination_arc(e, next - begin, mdp->probability[t]) != CEL_OK)
        return CELI_TOO_DENSE;
    }
  }
  const CeliEliminationEnd how = celi_elimination_solve(
      e, c->found, WORK_FIXED + WORK_MOST * (double)(end - begin), celi_total_stopped, c->total);
  if (how != CELI_ELIMINATED) return how;
  for (uint32_t s = begin; s < end; s++)
    for (int k = 0; k < CELI_SIDES; k++) c->x[s][k] = c->found[s - begin][k];
  return how;
}

// ---- improvement

/// Q of a pair and the expected number of steps, with the transitions back to s taken into account.
static Option look_at(const Components *c, uint32_t s, int64_t p) {
  const CelMdp *mdp = c->mdp;
  Option found = {.pair = (uint32_t)p, .q = {[VALUE] = mdp->reward[p], [STEPS] = 1.0}};
  double leave = 0.0;
  bool stays = false;
  for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++) {
    const uint32_t next = mdp->next32[t];
    const double probability = mdp->probability[t];
    if (next == s) {
      stays = true;
      continue;
    }
    leave += probability;
    for (int k = 0; k < CELI_SIDES; k++) found.q[k] += probability * c->x[next][k];
  }
  if (!stays) return found;
  found.q[VALUE] = leave > 0.0 ? found.q[VALUE] / leave : -HUGE_VAL;
  found.q[STEPS] = leave > 0.0 ? found.q[STEPS] / leave : HUGE_VAL;
  return found;
}

/// What a pair is worth with the rewards r + shift.
static double worth(const Components *c, const Option *option) {
  return c->shift > 0.0 ? option->q[VALUE] + c->shift * option->q[STEPS] : option->q[VALUE];
}

/// Takes a better pair in state s, if there is one. Returns true then.
static bool improve_state(Components *c, uint32_t s, double equal, bool longer) {
  const int64_t first = c->mdp->pair[s], n = c->mdp->pair[s + 1] - first;
  const Option *now = &c->option[c->choice[s] - first], *best = now;
  for (int64_t a = 0; a < n; a++) c->option[a] = look_at(c, s, first + a);
  for (int64_t a = 0; a < n; a++)
    if (worth(c, &c->option[a]) > worth(c, best)) best = &c->option[a];
  const double gain = worth(c, best) - worth(c, now);
  const Option *take = gain > (c->shift > 0.0 ? LONGER * c->shift : equal) ? best : now;
  c->backups += (double)n;
  if (gain > c->residual) c->residual = gain;
  for (int64_t a = 0; longer && a < n; a++) { // among equally good ones
    const Option *other = &c->option[a];
    if (worth(c, other) >= worth(c, best) - equal && other->q[STEPS] > take->q[STEPS] + LONGER)
      take = other;
  }
  memcpy(c->x[s], take->q, sizeof take->q);
  c->choice[s] = take->pair;
  return take != now;
}

/// One sweep over the states [begin, end). longer: prefer longer ones of equally good pairs.
static bool improve(Components *c, uint32_t begin, uint32_t end, bool longer) {
  const double equal = 0x1p-47 * (c->value_max + c->reward_max);
  bool changed = false;
  c->residual = 0.0;
  for (uint32_t s = begin; s < end; s++)
    changed |= improve_state(c, s, equal, longer && !(c->shift > 0.0));
  return changed;
}

// ---- components

/// Solves the states [begin, end). Returns false if that is not possible.
static bool solve_component(Components *c, uint32_t begin, uint32_t end) {
  if (end - begin == 1) {
    (void)improve(c, begin, end, true);
    return isfinite(c->x[begin][VALUE]) && isfinite(c->x[begin][STEPS]);
  }
  CelSolution *solution = c->total->solution;
  const int64_t most = c->total->solver->max_iterations;
  for (int64_t round = 1;; round++) {
    if (round > 1 || !(c->shift > 0.0)) {
      if (evaluate(c, begin, end) != CELI_ELIMINATED) return false;
      for (uint32_t s = begin; s < end; s++) {
        if (!(fabs(c->x[s][VALUE]) < 1e300) || !(c->x[s][STEPS] < 1e300)) return false;
        c->value_max = fmax(c->value_max, fabs(c->x[s][VALUE]));
      }
    }
    if (round > solution->iterations) solution->iterations = round;
    if (!improve(c, begin, end, round <= LONGER_MOST)) return true;
    if (round == ROUNDS_MOST) return false;
    if (!goes_on(c)) return false;
    if (most > 0 && round >= most) {
      c->stopped = true;
      return false;
    }
  }
}

static bool solve_all(Components *c) {
  uint32_t reported = 0;
  for (uint32_t begin = 0, end; begin < c->n; begin = end) {
    for (end = begin + 1; end < c->n && c->total->component[end] == c->total->component[begin];)
      end++;
    if (!solve_component(c, begin, end)) {
      c->stopped |= celi_total_stopped(c->total);
      return false;
    }
    c->done = end;
    if (end - reported < REPORT) continue;
    reported = end;
    if (!goes_on(c)) return false;
  }
  c->value_max = c->steps_max = 0.0;
  for (uint32_t s = 0; s < c->n; s++) {
    c->value_max = fmax(c->value_max, fabs(c->x[s][VALUE]));
    c->steps_max = fmax(c->steps_max, c->x[s][STEPS]);
  }
  return true;
}

// ---- bounds

static double tolerance(const Components *c) {
  return c->total->solver->tolerance * fmax(1.0, c->value_max);
}

/// X (nodes) = V + e w. Returns true if it is a bound.
static bool prove(Components *c, double *X, double e, uint32_t *best) {
  double worst;
  for (uint32_t s = 0; s < c->n; s++) c->X[s] = c->x[s][VALUE] + e * c->x[s][STEPS];
  c->X[c->n] = 0.0;
  celi_total_spread(c->total, X, c->X);
  return celi_total_check(c->total, X, e > 0.0, best, &worst);
}

/// Proves both bounds at distance e w, or more if that fails.
static bool prove_both(Components *c, double e) {
  CeliTotal *total = c->total;
  bool low = false, high = false;
  for (int i = 0; i < ATTEMPTS && !(low && high); i++, e *= 8.0) {
    if (!goes_on(c)) return false;
    if (!low) low = prove(c, total->lower, -e, total->best);
    if (!high) high = prove(c, total->upper, e, NULL);
    if (high) continue;
    c->shift = e;
    if (!solve_all(c)) return false;
    high = prove(c, total->upper, e, NULL);
  }
  return low && high;
}

static bool find_bounds(Components *c) {
  CeliTotal *total = c->total;
  int64_t longest = 1;
  for (int64_t p = 0; p < total->mdp->pairs; p++) {
    const int64_t length = total->mdp->row[p + 1] - total->mdp->row[p];
    longest = length > longest ? length : longest;
  }
  const double rounding = 1.02 * u * ((double)longest + 13.0) * (c->value_max + c->reward_max);
  const double least = 1.5 * rounding;
  double e = 0.45 * tolerance(c) / c->steps_max;
  for (int i = 0; i < SHRINK_MOST; i++) {
    e = fmax(e, least);
    if (!prove_both(c, e)) return false;
    const double found = celi_total_width(total), allowed = 1.9 * tolerance(c);
    // A longer policy that is nearly as good makes a bound wider than e w.
    if (!(found > allowed) || !(e > least)) break;
    e *= 0.5 * allowed / found;
  }
  // Without cycles, a sweep makes the bounds as close as rounding allows, also of small values.
  const int least_sweeps = c->alone > c->n / 2;
  for (int i = 0; i < 20 && (i < least_sweeps || celi_total_width(total) > 1.9 * tolerance(c));
       i++) {
    const double low = celi_total_tighten(total, total->lower, false);
    const double high = celi_total_tighten(total, total->upper, true);
    if (!(low + high > 0.01 * tolerance(c)) || celi_total_stopped(total)) break;
  }
  return true;
}

// ---- all

static CelStatus make(Components *c) {
  const size_t states = (size_t)c->mdp->states;
  const char *what = "a solve by components";
  uint32_t largest = 0;
  for (uint32_t s = 0, size = 0; s < c->n; s++) {
    size = s > 0 && c->total->component[s] == c->total->component[s - 1] ? size + 1 : 1;
    largest = size > largest ? size : largest;
    c->alone +=
        size == 1 && (s + 1 == c->n || c->total->component[s + 1] != c->total->component[s]);
  }
  CELI_TRY(celi_calloc(&c->x, states, sizeof *c->x, what));
  CELI_TRY(celi_alloc(&c->found, largest, sizeof *c->found, what));
  CELI_TRY(celi_alloc(&c->choice, states, sizeof *c->choice, what));
  CELI_TRY(celi_alloc(&c->X, states, sizeof *c->X, what));
  CELI_TRY(celi_alloc(&c->option, (size_t)c->mdp->max_actions, sizeof *c->option, what));
  CELI_TRY(celi_elimination_create(&c->elimination, largest));
  return celi_total_shortest(c->total, c->choice);
}

CelStatus celi_total_components(CeliTotal *total, bool *done) {
  Components c = {
      .total = total, .mdp = total->reduced, .n = (uint32_t)(total->reduced->states - 1)};
  CelStatus status = make(&c);
  *done = false;
  for (int64_t p = 0; p < c.mdp->pairs; p++)
    c.reward_max = fmax(c.reward_max, fabs(c.mdp->reward[p]));
  if (status == CEL_OK && c.reward_max < 1e250) *done = solve_all(&c) && find_bounds(&c);
  if (status == CEL_OK && c.stopped && !*done) {
    for (uint32_t s = 0; s <= c.n; s++) c.X[s] = c.x[s][VALUE];
    celi_total_unproven(total, c.X);
    *done = true;
  }
  total->solution->sweeps = (int64_t)ceil(c.backups / (double)c.mdp->pairs);
  celi_elimination_destroy(&c.elimination);
  free(c.x), free(c.found), free(c.choice), free(c.X), free(c.option);
  return status;
}
