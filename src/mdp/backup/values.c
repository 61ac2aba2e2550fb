/// Backups of finite MDPs: Q from V, V from Q, the policy from Q, and the value J of the start.
///
/// Source: [soft-q-learning, 2-3.1] V(s) = alpha log sum_a exp(Q(s,a)/alpha),
/// [maximum-entropy, 8.22-8.24] pi(a|s) = exp((Q(s,a) - V(s))/alpha). Log-sum-exp subtracts the
/// maximum M first, so that nothing overflows at any alpha. Policies are divided by their own sum.
/// alpha = 0 means the maximum, and the uniform policy over its ties.
#include "mdp/backup/values.h"
#include "base/arguments.h"
#include "base/base.h"
#include "celsius/solve.h"
#include "mdp/backup/explog.h"
#include <math.h>

double celi_backup(const CelMdp *mdp, double gamma, const double *V, int64_t p) {
  double next = 0.0;
  for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++)
    if (!mdp->ends || !mdp->ends[t]) next += mdp->probability[t] * V[cel_mdp_next(mdp, t)];
  return mdp->reward[p] + gamma * next;
}

static double largest(const double *q, int64_t n) {
  double most = q[0];
  for (int64_t a = 1; a < n; a++) most = fmax(most, q[a]);
  return most;
}

double celi_soft_max(const double *q, int64_t n, double alpha) {
  if (n == 0) return 0.0;
  const double M = largest(q, n);
  if (!(alpha > CELI_ALPHA_LEAST)) return M;
  const double sharpness = celi_sharpness(alpha);
  double sum = 0.0;
  for (int64_t a = 0; a < n; a++) sum += celi_exp2((q[a] - M) * sharpness);
  return M + alpha * celi_log(sum);
}

void celi_policy_of(double *pi, const double *q, int64_t n, double alpha, double tie) {
  if (n == 0) return;
  const bool soft = alpha > CELI_ALPHA_LEAST;
  const double M = largest(q, n), sharpness = soft ? celi_sharpness(alpha) : 0.0;
  double sum = 0.0;
  for (int64_t a = 0; a < n; a++) {
    pi[a] = soft ? celi_exp2((q[a] - M) * sharpness) : (double)(q[a] >= M - tie);
    sum += pi[a];
  }
  for (int64_t a = 0; a < n; a++) pi[a] /= sum;
}

void cel_q_of_v(const CelMdp *mdp, const double *V, double gamma, double *Q) {
  CELI_NEED_OR(mdp, );
  CELI_NEED_OR(mdp->pair, );
  CELI_NEED_OR(V, );
  CELI_NEED_OR(Q, );
  CELI_FLOATS(CELI_IEEE);
  for (int64_t p = 0; p < mdp->pairs; p++) Q[p] = celi_backup(mdp, gamma, V, p);
}

void cel_value_of_q(const CelMdp *mdp, const double *Q, double alpha, double *V) {
  CELI_NEED_OR(mdp, );
  CELI_NEED_OR(mdp->pair, );
  CELI_NEED_OR(Q, );
  CELI_NEED_OR(V, );
  CELI_FLOATS(CELI_IEEE);
  for (int64_t s = 0; s < mdp->states; s++)
    V[s] = celi_soft_max(Q + mdp->pair[s], mdp->pair[s + 1] - mdp->pair[s], alpha);
}

void cel_policy_of_q(const CelMdp *mdp, const double *Q, double alpha, double *pi) {
  CELI_NEED_OR(mdp, );
  CELI_NEED_OR(mdp->pair, );
  CELI_NEED_OR(Q, );
  CELI_NEED_OR(pi, );
  CELI_FLOATS(CELI_IEEE);
  for (int64_t s = 0; s < mdp->states; s++) {
    const int64_t p = mdp->pair[s];
    celi_policy_of(pi + p, Q + p, mdp->pair[s + 1] - p, alpha, 0.0);
  }
}

double cel_value_start(const CelMdp *mdp, const double *V) {
  CELI_NEED_OR(mdp, (double)NAN);
  CELI_NEED_OR(mdp->pair, (double)NAN);
  CELI_NEED_OR(V, (double)NAN);
  CELI_FLOATS(CELI_IEEE);
  double J = 0.0;
  for (int64_t s = 0; s < mdp->states; s++) J += mdp->start[s] * V[s];
  CELI_PIN(J);
  return J;
}

CeliShape celi_mdp_shape(const CelMdp *mdp) {
  CeliShape shape = {.actions = mdp->max_actions, .mass_min = 1.0};
  for (int64_t p = 0; p < mdp->pairs; p++) {
    const int64_t begin = mdp->row[p], end = mdp->row[p + 1];
    double mass = 0.0, alive = 0.0;
    for (int64_t t = begin; t < end; t++) {
      if (mdp->ends && mdp->ends[t]) continue;
      const int64_t next = cel_mdp_next(mdp, t);
      mass += mdp->probability[t];
      if (mdp->pair[next + 1] > mdp->pair[next]) alive += mdp->probability[t];
    }
    if (end - begin > shape.longest) shape.longest = end - begin;
    shape.mass_max = fmax(shape.mass_max, mass);
    shape.mass_min = fmin(shape.mass_min, alive);
  }
  return shape;
}

CelStatus celi_check_magnitude(const CelMdp *mdp, double gamma, bool sampled) {
  double most = 0.0;
  for (int64_t p = 0; p < mdp->pairs; p++) most = fmax(most, fabs(mdp->reward[p]));
  for (int64_t t = 0; sampled && mdp->reward_next && t < mdp->transitions; t++)
    most = fmax(most, fabs(mdp->reward_next[t]));
  const double steps = mdp->horizon > 0 ? (double)mdp->horizon : 1.0 / (1.0 - gamma);
  if (!(most * steps < 1e300))
    return cel_fail(CEL_E_RANGE,
                    "rewards of up to %g over %g steps overflow the values; scale them down", most,
                    steps);
  if (mdp->horizon > 0 || gamma <= 0.999999) return CEL_OK;
  // certificate.c divides by this number. If it is not positive, rounding errors have no bound.
  const CeliShape shape = celi_mdp_shape(mdp);
  const double u = 0x1p-53, mass = shape.mass_max * (1.0 + (double)shape.longest * u);
  if (1.0 - gamma * mass - 2.0 * u > 0.0) return CEL_OK;
  return cel_fail(CEL_E_RANGE,
                  "gamma is only %g below 1, which is too close for a bound in double precision; "
                  "take 0.999999999 or less",
                  1.0 - gamma);
}
