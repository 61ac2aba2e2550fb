/// Splits the value of a solution: value = return + alpha entropy. The return counts rewards only,
/// and the entropy is in nats. Both are discounted and averaged over the start distribution.
///
///     infinite horizon   d = (1 - gamma) sum_t gamma^t p_t, the discounted state distribution
///                        return = sum_s d(s) r_pi(s)/(1 - gamma); the entropy likewise
///     T steps            p_t, propagated step by step
///     no discount        p_t, propagated until nearly all episodes have ended
#include "solve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double entropy(const double *pi, int64_t n) {
  double sum = 0;
  for (int64_t a = 0; a < n; a++)
    if (pi[a] > 0) sum -= pi[a] * log(pi[a]);
  return sum;
}

/// Adds `weight` times the reward and entropy of one step under pi (pairs), with the state drawn
/// from p (states).
static void add_step(const CelMdp *mdp, const double *p, const double *pi, double weight,
                     SolveParts *parts) {
  for (int64_t s = 0; s < mdp->states; s++) {
    const int64_t first = mdp->pair[s], n = mdp->pair[s + 1] - first;
    if (n == 0 || !(p[s] > 0)) continue;
    double reward = 0;
    for (int64_t k = first; k < first + n; k++) reward += pi[k] * mdp->reward[k];
    parts->hard_return += weight * p[s] * reward;
    parts->entropy_sum += weight * p[s] * entropy(pi + first, n);
  }
}

/// One step of a state distribution: next = p P_pi. Transitions that end the episode are dropped.
static void propagate(const CelMdp *mdp, const double *p, const double *pi, double *next) {
  memset(next, 0, (size_t)mdp->states * sizeof *next);
  for (int64_t s = 0; s < mdp->states; s++)
    for (int64_t k = mdp->pair[s]; k < mdp->pair[s + 1] && p[s] > 0; k++)
      for (int64_t t = mdp->row[k]; t < mdp->row[k + 1]; t++)
        if (!mdp->ends || !mdp->ends[t])
          next[cel_mdp_next(mdp, t)] += p[s] * pi[k] * mdp->probability[t];
}

static CelStatus measure_steps(const CelMdp *mdp, const CelSolution *solution, double *p,
                               SolveParts *parts) {
  double *next = p + mdp->states, weight = 1;
  memcpy(p, mdp->start, (size_t)mdp->states * sizeof *p);
  for (int64_t t = 0; t < solution->horizon; t++, weight *= solution->gamma) {
    const double *pi = solution->pi + t * mdp->pairs;
    if (cli_stop_asked()) return cel_fail(CEL_E_INTERRUPTED, "stopped on request");
    add_step(mdp, p, pi, weight, parts);
    propagate(mdp, p, pi, next);
    double *swap = p;
    p = next, next = swap;
  }
  return CEL_OK;
}

static CelStatus measure_endless(const CelMdp *mdp, const CelSolution *solution, double *d,
                                 SolveParts *parts) {
  const double tolerance = mdp->states <= 50000 ? 1e-12 : 1e-9, gamma = solution->gamma;
  const CelStatus status =
      cel_discounted_distribution(mdp, solution->pi, gamma, CEL_EVALUATE_KRYLOV, tolerance, d);
  double most = 0;
  if (status != CEL_OK) return status;
  for (int64_t p = 0; p < mdp->pairs; p++) most = fmax(most, fabs(mdp->reward[p]));
  add_step(mdp, d, solution->pi, 1 / (1 - gamma), parts);
  parts->error += most * tolerance / (1 - gamma);
  return CEL_OK;
}

/// Ends the episodes that are in a target state.
static void end_episodes(const Solve *solve, double *p) {
  for (int64_t s = 0; s < solve->mdp->states && solve->target; s++)
    if (solve->target[s]) p[s] = 0;
}

/// Propagates until the probability of a longer episode is below 1e-12. Episodes that take too many
/// steps for that are not measured. Errors: CEL_E_UNSUPPORTED, CEL_E_INTERRUPTED.
static CelStatus measure_undiscounted(const Solve *solve, const CelSolution *solution, double *p,
                                      SolveParts *parts) {
  static const double work_most = 1e10, rest_most = 1e-12;
  const CelMdp *mdp = solve->mdp;
  double *next = p + mdp->states, rest = 1;
  const int64_t steps_most = (int64_t)(work_most / (double)(mdp->transitions + mdp->states));
  if (solve->total.steps > 0)
    return cel_fail(CEL_E_UNSUPPORTED, "the policies of later steps are not stored");
  if (!isfinite(solution->value_start)) return cel_fail(CEL_E_UNSUPPORTED, "the value is infinite");
  memcpy(p, mdp->start, (size_t)mdp->states * sizeof *p);
  for (int64_t t = 0; t < steps_most && rest > rest_most; t++) {
    if (cli_stop_asked()) return cel_fail(CEL_E_INTERRUPTED, "stopped on request");
    end_episodes(solve, p);
    for (int64_t s = 0; s < mdp->states; s++)
      if (mdp->pair[s] < mdp->pair[s + 1]) parts->steps += p[s];
    add_step(mdp, p, solution->pi, 1, parts);
    propagate(mdp, p, solution->pi, next);
    double *swap = p;
    p = next, next = swap;
    rest = 0;
    for (int64_t s = 0; s < mdp->states; s++)
      if (mdp->pair[s] < mdp->pair[s + 1] && !(solve->target && solve->target[s])) rest += p[s];
  }
  if (rest <= rest_most) return CEL_OK;
  return cel_fail(CEL_E_UNSUPPORTED, "episodes take too many steps, or do not end");
}

CelStatus solve_measure(const Solve *solve, const CelSolution *solution, SolveParts *parts) {
  const CelMdp *mdp = solve->mdp;
  *parts = (SolveParts){.error = solution->bound};
  if (!(solution->alpha > 0)) { // the value is the return
    parts->hard_return = solution->value_start;
    return CEL_OK;
  }
  double *p = malloc(2 * (size_t)mdp->states * sizeof *p);
  if (!p) return cel_fail(CEL_E_MEMORY, "not enough memory for a state distribution");
  const CelStatus status = solve->undiscounted     ? measure_undiscounted(solve, solution, p, parts)
                           : solution->horizon > 0 ? measure_steps(mdp, solution, p, parts)
                                                   : measure_endless(mdp, solution, p, parts);
  free(p);
  // Entropy raises a maximum and lowers a minimum. The rest of a value is the return, of which a
  // probability has no rewards to add up.
  if (status == CEL_OK && solve->undiscounted)
    parts->hard_return =
        solution->value_start - (solve->total.min ? -1 : 1) * solution->alpha * parts->entropy_sum;
  return status;
}
