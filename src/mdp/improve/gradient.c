/// Exact gradients of softmax policies pi = softmax(theta) on finite MDPs.
///
/// Infinite horizon, d(s) = (1-gamma) sum_t gamma^t p_t(s):
///     dJ/dtheta(s,a) = 1/(1-gamma) d(s) pi(a|s) A_soft(s,a).                                 (1)
/// The Fisher matrix E_d[grad log pi grad log pi'] has one block d(s) (diag pi - pi pi') per state.
/// Its pseudoinverse turns (1) into
///     (A_soft(s,a) - mean_a A_soft(s,.)) / (1-gamma),                                        (2)
/// which does not depend on d and does not vanish with pi. For a finite horizon, with logits shared
/// by all times:
///     dJ/dtheta(s,a) = sum_t gamma^t p_t(s) pi(a|s) A_soft,t(s,a).                           (3)
/// For a given Q, the loss sum_s w(s) sum_a pi (alpha log pi - Q) has the gradient
///     -w(s) pi(a|s) A_soft(s,a).                                                             (4)
/// Source: [actor-critic, 4.1-4.15], (3) and its form without gamma^t [actor-critic, 4.6-4.7], (2)
/// and (4) [discrete-soft-policy-gradient].
#include "base/arguments.h"
#include "base/base.h"
#include "base/floats.h"
#include "mdp/improve/improve.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

// ---- one state

/// out += scale pi A_soft over the n actions of a state.
static void add_vanilla(double *out, const double *pi, const double *Q, double alpha, double scale,
                        int64_t n) {
  const double V = celi_soft_mean(pi, Q, alpha, n);
  for (int64_t a = 0; a < n; a++) {
    if (pi[a] > 0.0) out[a] += scale * pi[a] * (celi_soft_gain(pi[a], Q[a], alpha) - V);
  }
}

/// out = scale (A_soft - its mean over the actions). V cancels.
static void natural_row(double *out, const double *pi, const double *Q, double alpha, double scale,
                        int64_t n) {
  double mean = 0.0;
  for (int64_t a = 0; a < n; a++) {
    out[a] = celi_soft_gain(pi[a], Q[a], alpha);
    mean += out[a] / (double)n;
  }
  for (int64_t a = 0; a < n; a++) out[a] = scale * (out[a] - mean);
}

/// A softmax of finite logits has no zero. A_soft is not finite where pi is zero.
static CelStatus check_positive(const CelMdp *mdp, const double *pi) {
  for (int64_t s = 0; s < mdp->states; s++) {
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
      if (pi[p] > 0.0) continue;
      return cel_fail(CEL_E_RANGE,
                      "state %lld, action %lld: the probability is 0, which no softmax gives; the "
                      "natural gradient needs a positive policy",
                      (long long)s, (long long)cel_mdp_action(mdp, s, p));
    }
  }
  return CEL_OK;
}

// ---- infinite horizon

/// The quantities that a gradient needs.
typedef struct Parts {
  double *V, *d; ///< (states)
  double *Q;     ///< (pairs)
} Parts;

static CelStatus allocate(Parts *parts, const CelMdp *mdp) {
  const size_t S = (size_t)mdp->states;
  CELI_TRY(celi_alloc(&parts->V, S, sizeof *parts->V, "values of a policy"));
  CELI_TRY(celi_alloc(&parts->d, S, sizeof *parts->d, "state distribution of a policy"));
  return celi_alloc(&parts->Q, (size_t)mdp->pairs, sizeof *parts->Q, "action values of a policy");
}

static CelStatus exact_gradient(const CelMdp *mdp, const double *pi, double alpha, double gamma,
                                bool natural, Parts *parts, double *gradient) {
  double bound;
  CELI_TRY(celi_improve_evaluate(mdp, pi, alpha, gamma, parts->V, parts->Q, &bound));
  if (!natural) CELI_TRY(celi_improve_visits(mdp, pi, gamma, parts->d));
  memset(gradient, 0, (size_t)mdp->pairs * sizeof *gradient);
  for (int64_t s = 0; s < mdp->states; s++) {
    const int64_t first = mdp->pair[s], n = mdp->pair[s + 1] - first;
    if (natural) {
      natural_row(gradient + first, pi + first, parts->Q + first, alpha, 1.0 / (1.0 - gamma), n);
    } else {
      add_vanilla(gradient + first, pi + first, parts->Q + first, alpha,
                  parts->d[s] / (1.0 - gamma), n);
    }
  }
  return CEL_OK;
}

CelStatus cel_policy_gradient(const CelMdp *mdp, const double *pi, double alpha, double gamma,
                              bool natural, double *gradient) {
  CELI_NEED(mdp);
  CELI_NEED(mdp->pair);
  CELI_NEED(pi);
  CELI_NEED(gradient);
  CELI_FLOATS(CELI_IEEE);
  Parts parts = {0};
  gamma = celi_improve_gamma(mdp, gamma);
  if (mdp->horizon > 0) {
    return cel_fail(CEL_E_UNSUPPORTED,
                    "the MDP has a horizon of %lld step%s; use cel_policy_gradient_horizon",
                    (long long)mdp->horizon, celi_s(mdp->horizon));
  }
  if (!(gamma >= 0.0 && gamma < 1.0)) {
    return cel_fail(CEL_E_RANGE, "gamma %g is not in [0, 1)", gamma);
  }
  CELI_TRY(celi_improve_check_alpha(alpha));
  CELI_TRY(celi_improve_check_policy(mdp, pi, "the policy"));
  if (natural) CELI_TRY(check_positive(mdp, pi));
  CelStatus status = allocate(&parts, mdp);
  if (status == CEL_OK) {
    status = exact_gradient(mdp, pi, alpha, gamma, natural, &parts, gradient);
  }
  free(parts.V);
  free(parts.d);
  free(parts.Q);
  return status;
}

// ---- finite horizon

/// (3): from V_T = 0 back to t = 0. Each term uses p_t of the forward pass. V (states), p (T + 1,
/// states).
static void horizon_terms(const CelMdp *mdp, const double *pi, double alpha, double gamma,
                          int64_t T, bool discounted, const double *p, double *V, double *Q,
                          double *gradient) {
  const int64_t S = mdp->states;
  memset(gradient, 0, (size_t)mdp->pairs * sizeof *gradient);
  memset(V, 0, (size_t)S * sizeof *V);
  for (int64_t t = T - 1; t >= 0; t--) {
    const double weight = discounted ? pow(gamma, (double)t) : 1.0;
    cel_q_of_v(mdp, V, gamma, Q);
    for (int64_t s = 0; s < S; s++) {
      const int64_t first = mdp->pair[s], n = mdp->pair[s + 1] - first;
      add_vanilla(gradient + first, pi + first, Q + first, alpha, weight * p[t * S + s], n);
      V[s] = celi_soft_mean(pi + first, Q + first, alpha, n);
    }
  }
}

CelStatus cel_policy_gradient_horizon(const CelMdp *mdp, const double *pi, double alpha,
                                      double gamma, int64_t horizon, bool discounted,
                                      double *gradient) {
  CELI_NEED(mdp);
  CELI_NEED(mdp->pair);
  CELI_NEED(pi);
  CELI_NEED(gradient);
  CELI_FLOATS(CELI_IEEE);
  Parts parts = {0};
  double *p = NULL;
  const int64_t T = horizon ? horizon : mdp->horizon;
  size_t n;
  gamma = celi_improve_gamma(mdp, gamma);
  if (T < 1) {
    return cel_fail(CEL_E_RANGE, "a horizon of %lld steps is too short; it must be at least 1",
                    (long long)T);
  }
  if (!(gamma >= 0.0 && gamma <= 1.0)) {
    return cel_fail(CEL_E_RANGE, "gamma %g is not in [0, 1]", gamma);
  }
  CELI_TRY(celi_improve_check_alpha(alpha));
  CELI_TRY(celi_improve_check_policy(mdp, pi, "the policy"));
  if (!celi_size_mul((size_t)T + 1, (size_t)mdp->states, &n)) {
    return cel_fail(CEL_E_MEMORY, "%lld steps of %lld states are too many to count", (long long)T,
                    (long long)mdp->states);
  }
  CELI_TRY(celi_alloc(&p, n, sizeof *p, "state distributions"));
  CelStatus status = allocate(&parts, mdp);
  if (status == CEL_OK) status = cel_state_distribution(mdp, pi, T, p);
  if (status == CEL_OK) {
    horizon_terms(mdp, pi, alpha, gamma, T, discounted, p, parts.V, parts.Q, gradient);
  }
  free(p);
  free(parts.V);
  free(parts.d);
  free(parts.Q);
  return status;
}

// ---- gradient for a given Q

void cel_soft_policy_gradient(const CelMdp *mdp, const double *pi, const double *Q, double alpha,
                              const double *weight, double *gradient) {
  CELI_NEED_OR(mdp, );
  CELI_NEED_OR(mdp->pair, );
  CELI_NEED_OR(pi, );
  CELI_NEED_OR(Q, );
  CELI_NEED_OR(gradient, );
  CELI_FLOATS(CELI_IEEE);
  memset(gradient, 0, (size_t)mdp->pairs * sizeof *gradient);
  for (int64_t s = 0; s < mdp->states; s++) {
    const int64_t first = mdp->pair[s], n = mdp->pair[s + 1] - first;
    add_vanilla(gradient + first, pi + first, Q + first, alpha, weight ? -weight[s] : -1.0, n);
  }
}
