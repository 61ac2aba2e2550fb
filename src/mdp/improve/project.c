/// Projection of exp(Q/alpha) onto a class of policies:
///     pi_new = argmin over pi in the class of KL(pi(.|s) || exp(Q(s,.)/alpha) / Z(s)),
///     KL = sum_a pi (log pi - Q/alpha) + log Z.                                              (1)
/// The class of all policies contains the softmax, where (1) is zero. In a rectangular class each
/// state takes its own best policy. Otherwise one policy must serve all states, and the divergences
/// of the states are summed with weights; Lemma 2 does not hold there.
/// Source: [maximum-entropy, 8.30], [policy-guarantees, Lemma 2], with exp(Q/alpha) where V has
/// alpha.
#include "base/arguments.h"
#include "base/base.h"
#include "base/floats.h"
#include "mdp/improve/improve.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

// ---- argument checks

static CelStatus check_q(const CelMdp *mdp, const double *Q) {
  for (int64_t s = 0; s < mdp->states; s++) {
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
      if (isfinite(Q[p])) continue;
      return cel_fail(CEL_E_RANGE, "Q of state %lld, action %lld is %g; it must be finite",
                      (long long)s, (long long)cel_mdp_action(mdp, s, p), Q[p]);
    }
  }
  return CEL_OK;
}

static CelStatus check_class(const CelMdp *mdp, const CelPolicyClass *within) {
  if (within->count < 1) {
    return cel_fail(CEL_E_RANGE, "the class has %lld policies; it needs at least 1",
                    (long long)within->count);
  }
  for (int64_t k = 0; k < within->count; k++) {
    char what[64];
    snprintf(what, sizeof what, "policy %lld of the class", (long long)k);
    CELI_TRY(celi_improve_check_policy(mdp, within->policies + k * mdp->pairs, what));
  }
  return CEL_OK;
}

static CelStatus check_weight(const CelMdp *mdp, const double *weight) {
  double sum = 0.0;
  if (!weight) return CEL_OK;
  for (int64_t s = 0; s < mdp->states; s++) {
    if (!(weight[s] >= 0.0 && isfinite(weight[s]))) {
      return cel_fail(CEL_E_RANGE,
                      "the weight of state %lld is %g; it must be finite and at least 0",
                      (long long)s, weight[s]);
    }
    sum += weight[s];
  }
  if (sum > 0.0 && isfinite(sum)) return CEL_OK;
  return cel_fail(CEL_E_RANGE,
                  "the weights of the states sum to %g; the sum must be positive and finite", sum);
}

// ---- the projection

/// (1) of one state: sum_a pi (log pi - log softmax). log softmax = Q/alpha - log Z is finite even
/// if the softmax underflows.
static double divergence(const double *pi, const double *Q, double V, double alpha, int64_t n) {
  double kl = 0.0;
  for (int64_t a = 0; a < n; a++) {
    if (pi[a] > 0.0) kl += pi[a] * (log(pi[a]) - (Q[a] - V) / alpha);
  }
  return kl;
}

static void copy_row(const CelMdp *mdp, int64_t s, double *pi, const double *from) {
  for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) pi[p] = from[p];
}

/// Picks the best policy for each state.
static void project_states(const CelMdp *mdp, const double *Q, const double *V, double alpha,
                           const CelPolicyClass *within, double *pi) {
  for (int64_t s = 0; s < mdp->states; s++) {
    const int64_t first = mdp->pair[s], n = mdp->pair[s + 1] - first;
    int64_t best = 0;
    double least = HUGE_VAL;
    for (int64_t k = 0; k < within->count; k++) {
      const double *row = within->policies + k * mdp->pairs + first;
      const double kl = divergence(row, Q + first, V[s], alpha, n);
      if (kl < least) least = kl, best = k;
    }
    copy_row(mdp, s, pi, within->policies + best * mdp->pairs);
  }
}

/// Picks one policy that is best for all states together.
static void project_whole(const CelMdp *mdp, const double *Q, const double *V, double alpha,
                          const CelPolicyClass *within, const double *weight, double *pi) {
  int64_t best = 0;
  double least = HUGE_VAL;
  for (int64_t k = 0; k < within->count; k++) {
    const double *policy = within->policies + k * mdp->pairs;
    double sum = 0.0;
    for (int64_t s = 0; s < mdp->states; s++) {
      const int64_t first = mdp->pair[s], n = mdp->pair[s + 1] - first;
      sum += (weight ? weight[s] : 1.0) * divergence(policy + first, Q + first, V[s], alpha, n);
    }
    if (sum < least) least = sum, best = k;
  }
  for (int64_t s = 0; s < mdp->states; s++) {
    copy_row(mdp, s, pi, within->policies + best * mdp->pairs);
  }
}

CelStatus cel_policy_project(const CelMdp *mdp, const double *Q, double alpha,
                             const CelPolicyClass *within, const double *weight, double *pi) {
  CELI_NEED(mdp);
  CELI_NEED(mdp->pair);
  CELI_NEED(Q);
  CELI_NEED(pi);
  CELI_FLOATS(CELI_IEEE);
  double *V = NULL;
  if (!(alpha > 0.0 && isfinite(alpha))) {
    return cel_fail(CEL_E_RANGE,
                    "temperature %g must be positive and finite, because of exp(Q/alpha)", alpha);
  }
  CELI_TRY(check_q(mdp, Q));
  CELI_TRY(check_weight(mdp, weight));
  if (!within) {
    cel_policy_of_q(mdp, Q, alpha, pi);
    return CEL_OK;
  }
  CELI_TRY(check_class(mdp, within));
  CELI_TRY(celi_alloc(&V, (size_t)mdp->states, sizeof *V, "values of a projection"));
  cel_value_of_q(mdp, Q, alpha, V);
  if (within->rectangular) {
    project_states(mdp, Q, V, alpha, within, pi);
  } else {
    project_whole(mdp, Q, V, alpha, within, weight, pi);
  }
  free(V);
  return CEL_OK;
}
