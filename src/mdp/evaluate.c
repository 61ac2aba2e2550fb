/// Values of a policy that is given: fixed-point sweeps, a direct solve, a Krylov method; and at a finite horizon.
///
///     V(s) = sum_a pi(a|s) (Q(s,a) - alpha log pi(a|s)),   Q(s,a) = r(s,a) + gamma E[V(s')],
/// that is (I - gamma P_pi) V = r_pi with r_pi(s) = sum_a pi (r - alpha log pi).
/// Whatever the method, one more sweep from the V that is returned gives the bound (certificate.c).
/// Source: [maximum-entropy, 8.14-8.21], [policy-guarantees, Lemma 1] with r + gamma alpha H(s').
#include "base/base.h"
#include "celsius/solve.h"
#include "mdp/certificate.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/// Rows of pi must be distributions.
static CelStatus check_policy(const CelMdp *mdp, const double *pi) {
  for (int64_t s = 0; s < mdp->states; s++) {
    double sum = 0.0;
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
      if (!(pi[p] >= 0.0))
        return cel_fail(CEL_E_RANGE, "pi of state %lld, action %lld is %g: must be 0 or more",
                        (long long)s, (long long)cel_mdp_action(mdp, s, p), pi[p]);
      sum += pi[p];
    }
    if (mdp->pair[s + 1] > mdp->pair[s] && !(fabs(sum - 1.0) <= 1e-9))
      return cel_fail(CEL_E_RANGE, "pi of state %lld sums to %.17g: must be 1", (long long)s, sum);
  }
  return CEL_OK;
}

static CelStatus check(const CelMdp *mdp, const double *pi, double alpha, double gamma, bool one) {
  if (!(alpha >= 0.0 && alpha <= 1e12))
    return cel_fail(CEL_E_RANGE, "alpha = %g: must be in [0, 1e12]", alpha);
  if (!(gamma >= 0.0 && (gamma < 1.0 || (one && gamma <= 1.0))))
    return cel_fail(CEL_E_RANGE, "gamma = %g: must be in [0, 1%c", gamma, one ? ']' : ')');
  return check_policy(mdp, pi);
}

/// The value of state s under pi, from the values `V` of what follows.
static double backup(const CelMdp *mdp, const double *pi, double alpha, double gamma,
                     const double *V, int64_t s) {
  double value = 0.0;
  for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
    if (!(pi[p] > 0.0)) continue;
    const double Q = V ? celi_backup(mdp, gamma, V, p) : mdp->reward[p];
    value += pi[p] * (Q - alpha * log(pi[p]));
  }
  return value;
}

static CeliResidual sweep(const CelMdp *mdp, const double *pi, double alpha, double gamma,
                          double *next, const double *V) {
  CeliResidual found = {.low = HUGE_VAL, .high = -HUGE_VAL};
  for (int64_t s = 0; s < mdp->states; s++) {
    next[s] = backup(mdp, pi, alpha, gamma, V, s);
    if (mdp->pair[s + 1] == mdp->pair[s]) continue;
    found.low = fmin(found.low, next[s] - V[s]);
    found.high = fmax(found.high, next[s] - V[s]);
    found.value_max = fmax(found.value_max, fabs(V[s]));
  }
  if (found.low > found.high) found.low = found.high = 0.0;
  return found;
}

CelStatus cel_mdp_evaluate_horizon(const CelMdp *mdp, const double *pi, double alpha, double gamma,
                                   int64_t horizon, double *V, double *Q) {
  if (horizon < 1)
    return cel_fail(CEL_E_RANGE, "a horizon of %lld steps: must be 1 or more", (long long)horizon);
  const int64_t S = mdp->states, pairs = mdp->pairs;
  for (int64_t t = horizon - 1; t >= 0; t--) {
    const double *now = pi + t * pairs, *next = t + 1 < horizon ? V + (t + 1) * S : NULL;
    const CelStatus status = check(mdp, now, alpha, gamma, true);
    if (status != CEL_OK) return cel_fail_in(status, "t = %lld: ", (long long)t);
    for (int64_t p = 0; p < pairs; p++)
      Q[t * pairs + p] = next ? celi_backup(mdp, gamma, next, p) : mdp->reward[p];
    for (int64_t s = 0; s < S; s++) V[t * S + s] = backup(mdp, now, alpha, gamma, next, s);
  }
  return CEL_OK;
}

/// (I - gamma P_pi) and r_pi as a dense system, solved by Gaussian elimination with partial pivoting.
static CelStatus solve_dense(const CelMdp *mdp, const double *pi, double alpha, double gamma,
                             double *V) {
  const int64_t S = mdp->states;
  double *A;
  CELI_TRY(celi_alloc(&A, (size_t)(S * S), sizeof *A, "a dense system"));
  memset(A, 0, (size_t)(S * S) * sizeof *A);
  for (int64_t s = 0; s < S; s++) {
    A[s * S + s] = 1.0;
    V[s] = backup(mdp, pi, alpha, gamma, NULL, s);
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++)
      for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++)
        if (!mdp->ends || !mdp->ends[t])
          A[s * S + cel_mdp_next(mdp, t)] -= gamma * pi[p] * mdp->probability[t];
  }
  // Rows are diagonally dominant, so elimination needs no exchange of rows.
  for (int64_t k = 0; k < S; k++) {
    for (int64_t i = k + 1; i < S; i++) {
      const double factor = A[i * S + k] / A[k * S + k];
      if (factor == 0.0) continue;
      for (int64_t j = k + 1; j < S; j++) A[i * S + j] -= factor * A[k * S + j];
      V[i] -= factor * V[k];
    }
  }
  for (int64_t k = S - 1; k >= 0; k--) {
    for (int64_t j = k + 1; j < S; j++) V[k] -= A[k * S + j] * V[j];
    V[k] /= A[k * S + k];
  }
  free(A);
  return CEL_OK;
}

/// Sweeps until the certificate holds or no longer improves.
static double iterate(const CelMdp *mdp, const CeliShape *shape, const double *pi, double alpha,
                      double gamma, double tolerance, double *V, double *next) {
  double best = HUGE_VAL;
  for (int64_t stalled = 0;;) {
    const CeliResidual found = sweep(mdp, pi, alpha, gamma, next, V);
    const CeliInterval in = celi_certificate(shape, gamma, alpha, &found);
    const double bound = fmax(fabs(in.low), fabs(in.high));
    stalled = bound < best ? 0 : stalled + 1;
    best = fmin(best, bound);
    if (bound <= tolerance * fmax(1.0, found.value_max) || stalled > 100) return bound;
    memcpy(V, next, (size_t)mdp->states * sizeof *V);
  }
}

CelStatus cel_mdp_evaluate(const CelMdp *mdp, const double *pi, double alpha, double gamma,
                           CelEvaluateMethod method, double tolerance, double *V, double *Q,
                           double *bound) {
  if (isnan(gamma)) gamma = mdp->discount;
  CELI_TRY(check(mdp, pi, alpha, gamma, false));
  const CeliShape shape = celi_mdp_shape(mdp);
  double *next;
  CELI_TRY(celi_alloc(&next, (size_t)mdp->states, sizeof *next, "an evaluation"));
  memset(V, 0, (size_t)mdp->states * sizeof *V);
  CelStatus status = CEL_OK;
  if (method == CEL_EVALUATE_DIRECT) status = solve_dense(mdp, pi, alpha, gamma, V);
  if (status == CEL_OK) {
    const double limit = method == CEL_EVALUATE_DIRECT ? HUGE_VAL : tolerance;
    const double found = iterate(mdp, &shape, pi, alpha, gamma, limit, V, next);
    if (bound) *bound = found;
    if (Q) cel_q_of_v(mdp, V, gamma, Q);
  }
  free(next);
  return status;
}
