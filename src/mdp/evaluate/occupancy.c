/// Where a policy's time is spent: the distribution of states at each step, and the discounted one.
///
///     p_{t+1}(s') = sum_s p_t(s) sum_a pi(a|s) p(s'|s,a),   d = (1 - gamma) sum_t gamma^t p_t,
/// so d solves (I - gamma P_pi)' d = (1 - gamma) p_0. Mass that ended is gone; mass at a terminal state is counted once,
/// when it arrives. Source: [actor-critic, 4.1-4.6].
#include "base/base.h"
#include "celsius/solve.h"
#include "mdp/evaluate/direct.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/// next += scale p P_pi.
static void propagate(const CelMdp *mdp, const double *pi, double *next, const double *p,
                      double scale) {
  for (int64_t s = 0; s < mdp->states; s++) {
    if (p[s] == 0.0) continue;
    for (int64_t k = mdp->pair[s]; k < mdp->pair[s + 1]; k++) {
      const double mass = scale * p[s] * pi[k];
      if (mass == 0.0) continue;
      for (int64_t t = mdp->row[k]; t < mdp->row[k + 1]; t++)
        if (!mdp->ends || !mdp->ends[t]) next[cel_mdp_next(mdp, t)] += mass * mdp->probability[t];
    }
  }
}

CelStatus cel_state_distribution(const CelMdp *mdp, const double *pi, int64_t T, double *p) {
  if (T < 0) return cel_fail(CEL_E_RANGE, "T = %lld: must be 0 or more", (long long)T);
  const int64_t S = mdp->states;
  memcpy(p, mdp->start, (size_t)S * sizeof *p);
  for (int64_t t = 0; t < T; t++) {
    memset(p + (t + 1) * S, 0, (size_t)S * sizeof *p);
    propagate(mdp, pi, p + (t + 1) * S, p + t * S, 1.0);
  }
  return CEL_OK;
}

static double mass(const double *p, int64_t S) {
  double sum = 0.0;
  for (int64_t s = 0; s < S; s++) sum += fabs(p[s]);
  return sum;
}

/// By adding up terms until those that are left have no more than the tolerance's mass.
static CelStatus sweeps(const CelMdp *mdp, const double *pi, double gamma, double tolerance,
                        double *d) {
  const int64_t S = mdp->states;
  double *p, *next;
  CELI_TRY(celi_alloc(&p, 2 * (size_t)S, sizeof *p, "a distribution"));
  next = p + S;
  memset(d, 0, (size_t)S * sizeof *d);
  for (int64_t s = 0; s < S; s++) p[s] = (1.0 - gamma) * mdp->start[s];
  // What is left after a term of mass m is at most gamma m/(1 - gamma).
  for (double m = mass(p, S); m > tolerance * (1.0 - gamma) && m > 0.0; m = mass(p, S)) {
    for (int64_t s = 0; s < S; s++) d[s] += p[s];
    memset(next, 0, (size_t)S * sizeof *next);
    propagate(mdp, pi, next, p, gamma);
    memcpy(p, next, (size_t)S * sizeof *p);
  }
  free(p);
  return CEL_OK;
}

/// Terminal states have no row in P_pi, but mass arrives there, so their column counts as any other's.
static CelStatus direct(const CelMdp *mdp, const double *pi, double gamma, double *d) {
  CELI_TRY(celi_direct_check(mdp->states));
  CeliOperator *op;
  CeliDirect *solve = NULL;
  double *r_pi = NULL;
  CELI_TRY(celi_operator_create(&op, mdp, gamma, 1));
  CelStatus status = celi_operator_prepare(op);
  if (status == CEL_OK) status = celi_operator_vector(op, &r_pi);
  if (status == CEL_OK) {
    celi_operator_assemble(op, pi, 0.0, r_pi);
    status = celi_direct_create(&solve, op);
  }
  if (status == CEL_OK) {
    for (int64_t s = 0; s < mdp->states; s++) d[s] = (1.0 - gamma) * mdp->start[s];
    status = celi_direct_solve(solve, d, true);
  }
  celi_direct_destroy(solve);
  free(r_pi);
  celi_operator_destroy(op);
  return status;
}

CelStatus cel_discounted_distribution(const CelMdp *mdp, const double *pi, double gamma,
                                      CelEvaluateMethod method, double tolerance, double *d) {
  if (isnan(gamma)) gamma = mdp->discount;
  if (!(gamma >= 0.0 && gamma < 1.0))
    return cel_fail(CEL_E_RANGE, "gamma = %g: must be in [0, 1)", gamma);
  if (method == CEL_EVALUATE_SWEEPS) return sweeps(mdp, pi, gamma, tolerance, d);
  if (method == CEL_EVALUATE_DIRECT) return direct(mdp, pi, gamma, d);
  return cel_fail(CEL_E_UNSUPPORTED, "a discounted distribution is made by sweeps or direct");
}
