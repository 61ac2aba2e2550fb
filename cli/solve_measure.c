/// Splits the value of a solution: value = return + alpha entropy. The return counts rewards only,
/// and the entropy is in nats. Both are discounted and averaged over the start distribution.
///
///     infinite horizon   d = (1 - gamma) sum_t gamma^t p_t, the discounted state distribution
///                        return = sum_s d(s) r_pi(s)/(1 - gamma); the entropy likewise
///     T steps            p_t, propagated step by step
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

CelStatus solve_measure(const CelMdp *mdp, const CelSolution *solution, SolveParts *parts) {
  *parts = (SolveParts){.error = solution->bound};
  if (!(solution->alpha > 0)) { // the value is the return
    parts->hard_return = solution->value_start;
    return CEL_OK;
  }
  double *p = malloc(2 * (size_t)mdp->states * sizeof *p);
  if (!p) return cel_fail(CEL_E_MEMORY, "not enough memory for a state distribution");
  const CelStatus status = solution->horizon > 0 ? measure_steps(mdp, solution, p, parts)
                                                 : measure_endless(mdp, solution, p, parts);
  free(p);
  return status;
}
