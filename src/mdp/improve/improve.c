/// Shared parts of policy improvement: checks of policies, their values and discounted state
/// distributions, and the soft advantage
///     A_soft(s,a) = Q(s,a) - alpha log pi(a|s) - V(s),  V(s) = E_pi[Q - alpha log pi],
/// whose mean under pi is zero at every state. Source: [maximum-entropy, 8.14].
#include "mdp/improve/improve.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double solved = 1e-13; ///< tolerance without a direct solve
static const double enough =
    1e-11; ///< largest error at which a Krylov solution is used (relative for values)
enum { DIRECT_MOST = 1000 }; ///< with more states the fill-in of a random MDP grows as their cube
static const double rows_sum = 1e-9; ///< tolerance of the sum of a policy's row

double celi_improve_gamma(const CelMdp *mdp, double gamma) {
  return isnan(gamma) ? mdp->discount : gamma;
}

CelStatus celi_improve_check_alpha(double alpha) {
  if (alpha >= 0.0 && isfinite(alpha)) return CEL_OK;
  return cel_fail(CEL_E_RANGE, "temperature %g must be finite and at least 0", alpha);
}

CelStatus celi_improve_check_policy(const CelMdp *mdp, const double *pi, const char *what) {
  for (int64_t s = 0; s < mdp->states; s++) {
    double sum = 0.0;
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
      if (!(pi[p] >= 0.0 && pi[p] <= 1.0 + rows_sum)) {
        return cel_fail(CEL_E_RANGE, "%s: state %lld, action %lld: %g is not a probability", what,
                        (long long)s, (long long)cel_mdp_action(mdp, s, p), pi[p]);
      }
      sum += pi[p];
    }
    const bool terminal = mdp->pair[s] == mdp->pair[s + 1];
    if (!terminal && fabs(sum - 1.0) > rows_sum) {
      return cel_fail(CEL_E_RANGE,
                      "%s: state %lld: the probabilities sum to %.12g; they must sum to 1", what,
                      (long long)s, sum);
    }
  }
  return CEL_OK;
}

/// Evaluates by a direct solve, or by sweeps if the build has no direct solver.
static CelStatus evaluate_direct(const CelMdp *mdp, const double *pi, double alpha, double gamma,
                                 double *V, double *Q, double *bound) {
  const CelStatus direct =
      cel_mdp_evaluate(mdp, pi, alpha, gamma, CEL_EVALUATE_DIRECT, solved, V, Q, bound);
  if (direct != CEL_E_UNSUPPORTED) return direct;
  return cel_mdp_evaluate(mdp, pi, alpha, gamma, CEL_EVALUATE_SWEEPS, solved, V, Q, bound);
}

CelStatus celi_improve_evaluate(const CelMdp *mdp, const double *pi, double alpha, double gamma,
                                double *V, double *Q, double *bound) {
  double most = 1.0;
  if (mdp->states <= DIRECT_MOST) return evaluate_direct(mdp, pi, alpha, gamma, V, Q, bound);
  CELI_TRY(cel_mdp_evaluate(mdp, pi, alpha, gamma, CEL_EVALUATE_KRYLOV, solved, V, Q, bound));
  for (int64_t s = 0; s < mdp->states; s++) most = fmax(most, fabs(V[s]));
  if (*bound <= enough * most) return CEL_OK;
  return evaluate_direct(mdp, pi, alpha, gamma, V, Q, bound);
}

/// Solves by Krylov. *good is true if d is as accurate as values are.
static CelStatus visits_krylov(const CelMdp *mdp, const double *pi, double gamma, double *d,
                               bool *good) {
  double *scratch = NULL;
  CELI_TRY(celi_alloc(&scratch, (size_t)mdp->states, sizeof *scratch, "a state distribution"));
  const CelStatus status =
      cel_discounted_distribution(mdp, pi, gamma, CEL_EVALUATE_KRYLOV, solved, d);
  *good = status == CEL_OK && celi_improve_distribution_error(mdp, pi, gamma, d, scratch) <= enough;
  free(scratch);
  return status;
}

CelStatus celi_improve_visits(const CelMdp *mdp, const double *pi, double gamma, double *d) {
  bool good = false;
  if (mdp->states > DIRECT_MOST) CELI_TRY(visits_krylov(mdp, pi, gamma, d, &good));
  if (good) return CEL_OK;
  const CelStatus direct =
      cel_discounted_distribution(mdp, pi, gamma, CEL_EVALUATE_DIRECT, solved, d);
  if (direct != CEL_E_UNSUPPORTED) return direct;
  return cel_discounted_distribution(mdp, pi, gamma, CEL_EVALUATE_SWEEPS, solved, d);
}

static bool ends(const CelMdp *mdp, int64_t t) {
  return mdp->ends && mdp->ends[t];
}

void celi_improve_mark_reached(const CelMdp *mdp, uint8_t *reached, int64_t *queue) {
  int64_t n = 0;
  memset(reached, 0, (size_t)mdp->states);
  for (int64_t s = 0; s < mdp->states; s++)
    if (mdp->start[s] > 0.0) reached[s] = 1, queue[n++] = s;
  for (int64_t i = 0; i < n; i++) {
    const int64_t s = queue[i];
    for (int64_t t = mdp->row[mdp->pair[s]]; t < mdp->row[mdp->pair[s + 1]]; t++) {
      const int64_t next = cel_mdp_next(mdp, t);
      if (reached[next] || ends(mdp, t) || !(mdp->probability[t] > 0.0)) continue;
      reached[next] = 1, queue[n++] = next;
    }
  }
}

double celi_improve_distribution_error(const CelMdp *mdp, const double *pi, double gamma,
                                       const double *d, double *residual) {
  static const double u = 0x1p-53;
  double *r = residual, norm = 0.0, mass = 0.0;
  for (int64_t s = 0; s < mdp->states; s++) r[s] = (1.0 - gamma) * mdp->start[s] - d[s];
  for (int64_t s = 0; s < mdp->states; s++)
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
      const double weight = gamma * d[s] * pi[p];
      for (int64_t t = mdp->row[p]; t < mdp->row[p + 1] && weight != 0.0; t++)
        if (!ends(mdp, t)) r[cel_mdp_next(mdp, t)] += weight * mdp->probability[t];
    }
  for (int64_t s = 0; s < mdp->states; s++) norm += fabs(r[s]), mass += fabs(d[s]);
  const double each = 4.0 + (double)mdp->max_actions; // rounding errors per unit of mass
  return (norm + 2.0 * each * u * mass) / (1.0 - gamma);
}

double celi_soft_gain(double pi, double Q, double alpha) {
  if (!(pi > 0.0)) return 0.0;
  return alpha > 0.0 ? Q - alpha * log(pi) : Q;
}

double celi_soft_mean(const double *pi, const double *Q, double alpha, int64_t n) {
  double mean = 0.0;
  for (int64_t a = 0; a < n; a++) mean += pi[a] * celi_soft_gain(pi[a], Q[a], alpha);
  return mean;
}
