/// The plane at a few states: the learned policy and its Q next to the exact ones.
///
/// A squashed Gaussian a = tanh(u) has the density N(u) / prod (1 - a^2). Its logarithm is computed
/// from u, where it cannot overflow. The entropy of a sampler is estimated from draws
/// (certify_density.c).
///     KL(pi, pi*) = -H(pi) - E_pi[log pi*]
/// pi* is normalized by quadrature over the actions. For a Gaussian both expectations are
/// quadratures in u, and the error is the difference to a quadrature with half as many points per
/// side. For a sampler they are means over draws, with a standard error.
/// Source: [maximum-entropy, 8.28]; Haarnoja et al., "Soft actor-critic algorithms and
/// applications", 2018, app. C.
#include "certify/certify_plane.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CUTS = 64, NEIGHBORS = 4 };
static const double pi = 3.14159265358979323846;
static const double float_step = 6e-8; ///< resolution of single precision near 1
static const double places[CEL_CERTIFY_PLACES][2] = {{-2.5, 0}, {0, 0}, {2.5, 2.5}};

CelStatus celi_plane_policy_find(CeliPlanePolicy *policy, CelAgent *agent, uint64_t seed,
                                 double alpha) {
  const float obs[2] = {0, 0}, action[2] = {0, 0};
  float mean[2], sd[2], value;
  bool squashed = false;
  *policy = (CeliPlanePolicy){.agent = agent, .seed = seed};
  const CelStatus gaussian = cel_agent_gaussian(agent, obs, 1, mean, sd, &squashed);
  if (gaussian != CEL_OK && gaussian != CEL_E_UNSUPPORTED) return gaussian;
  policy->gaussian = gaussian == CEL_OK && squashed;
  if (gaussian == CEL_OK && !squashed && alpha > 0)
    return cel_fail(CEL_E_UNSUPPORTED,
                    "%s: certify needs a squashed Gaussian policy on MultiGoal-v0, because the "
                    "plane clips an unbounded Gaussian; train with policy squashed_gaussian",
                    cel_agent_algo(agent)->name);
  const CelStatus q = cel_agent_q(agent, obs, action, 1, &value);
  if (q != CEL_OK && q != CEL_E_UNSUPPORTED) return q;
  const CelStatus v = cel_agent_v(agent, obs, 1, &value);
  if (v != CEL_OK && v != CEL_E_UNSUPPORTED) return v;
  policy->has_q = q == CEL_OK;
  policy->has_v = v == CEL_OK;
  return CEL_OK;
}

/// log(1 - tanh(u)^2) = 2 (log 2 - |u| - log(1 + exp(-2|u|))).
static double log_slope(double u) {
  const double x = fabs(u);
  return 2 * (log(2) - x - log1p(exp(-2 * x)));
}

static CelStatus draw_gaussian(const CeliPlanePolicy *policy, const float obs[2], int64_t draw,
                               int64_t n, double *action, double *entropy, double *each) {
  float mean[2], sd[2];
  bool squashed;
  CelRng rng = cel_rng(policy->seed, CEL_RNG_EVAL_ACT, (uint32_t)draw);
  double sum = 0;
  CELI_TRY(cel_agent_gaussian(policy->agent, obs, 1, mean, sd, &squashed));
  for (int k = 0; k < 2; k++) sum += 0.5 * log(2 * pi) + 0.5 + log((double)sd[k]);
  *entropy = sum;
  for (int64_t i = 0; i < 2 * n; i++) {
    const double u = (double)mean[i % 2] + (double)sd[i % 2] * cel_rng_normal(&rng);
    const double slope = log_slope(u);
    action[i] = tanh(u);
    *entropy += slope / (double)n;
    if (each) each[i / 2] = slope + (i % 2 == 0 ? sum : each[i / 2]);
  }
  return CEL_OK;
}

CelStatus celi_plane_policy_draw(const CeliPlanePolicy *policy, const double s[2], int64_t draw,
                                 int64_t n, double *action, double *entropy, double *each) {
  const float place[2] = {(float)s[0], (float)s[1]};
  float *obs = NULL, *drawn = NULL;
  if (policy->gaussian) return draw_gaussian(policy, place, draw, n, action, entropy, each);
  CelStatus status = celi_alloc(&obs, (size_t)(2 * n), sizeof *obs, "observations");
  if (status == CEL_OK) status = celi_alloc(&drawn, (size_t)(2 * n), sizeof *drawn, "actions");
  for (int64_t i = 0; status == CEL_OK && i < 2 * n; i++) obs[i] = place[i % 2];
  if (status == CEL_OK) status = cel_agent_draw(policy->agent, obs, n, policy->seed, draw, drawn);
  if (status == CEL_OK) {
    for (int64_t i = 0; i < 2 * n; i++) action[i] = fmin(fmax((double)drawn[i], -1), 1);
    *entropy = celi_entropy_of_draws(action, n, 2, NEIGHBORS, float_step, each);
  }
  free(obs);
  free(drawn);
  return status;
}

void celi_plane_exact_moments(const CelMultigoalSolution *exact, const double s[2], double mean[2],
                              double covariance[4], double *entropy) {
  double a[2 * CUTS * CUTS], log_p[CUTS * CUTS], sum = 0;
  const double reach = exact->plane.reach, side = 2 * reach / CUTS;
  memset(mean, 0, 2 * sizeof *mean);
  memset(covariance, 0, 4 * sizeof *covariance);
  *entropy = 0;
  if (!(exact->alpha > 0)) {
    CelRng rng = cel_rng(0, CEL_RNG_USER, 0);
    cel_multigoal_draw(exact, s, &rng, mean);
    *entropy = (double)NAN;
    return;
  }
  for (int k = 0; k < CUTS * CUTS; k++) {
    const int column = k % CUTS, row = k / CUTS;
    a[2 * k] = side * (column + 0.5) - reach;
    a[2 * k + 1] = side * (row + 0.5) - reach;
  }
  cel_multigoal_log_density(exact, s, a, CUTS * CUTS, log_p);
  for (int k = 0; k < CUTS * CUTS; k++) {
    const double p = exp(log_p[k]) * side * side;
    sum += p;
    *entropy -= p * log_p[k];
    for (int i = 0; i < 2; i++) mean[i] += p * a[2 * k + i];
    for (int i = 0; i < 4; i++) covariance[i] += p * a[2 * k + i / 2] * a[2 * k + i % 2];
  }
  *entropy /= sum;
  for (int i = 0; i < 2; i++) mean[i] /= sum;
  for (int i = 0; i < 4; i++) covariance[i] = covariance[i] / sum - mean[i / 2] * mean[i % 2];
}

double celi_plane_divergence(const CelMultigoalSolution *exact, const double s[2],
                             const double *action, int64_t n, const double *each, double *scratch,
                             double *error) {
  double mean = 0, squares = 0;
  cel_multigoal_log_density(exact, s, action, n, scratch);
  for (int64_t i = 0; i < n; i++) mean += (-each[i] - scratch[i]) / (double)n;
  for (int64_t i = 0; i < n; i++) {
    const double off = -each[i] - scratch[i] - mean;
    squares += off * off;
  }
  if (error) *error = sqrt(squares / (double)(n - 1) / (double)n);
  return mean;
}

/// Point k of `side` points over +-6 standard deviations. *weight: its weight, not normalized.
static double point(int64_t k, int64_t side, double *weight) {
  const double z = 12 * ((double)k + 0.5) / (double)side - 6;
  *weight = exp(-0.5 * z * z);
  return z;
}

CelStatus celi_plane_divergence_gaussian(const CelMultigoalSolution *exact, const double s[2],
                                         const double mean[2], const double sd[2], int64_t side,
                                         double *entropy, double *kl) {
  const int64_t n = side * side;
  double *action = NULL, mass = 0, slope = 0, log_exact = 0;
  CELI_TRY(celi_alloc(&action, (size_t)(3 * n), sizeof *action, "points of a quadrature"));
  double *log_p = action + 2 * n;
  for (int64_t i = 0; i < n; i++) {
    double w[2];
    const double u[2] = {mean[0] + sd[0] * point(i % side, side, &w[0]),
                         mean[1] + sd[1] * point(i / side, side, &w[1])};
    for (int k = 0; k < 2; k++) action[2 * i + k] = tanh(u[k]);
    mass += w[0] * w[1];
    slope += w[0] * w[1] * (log_slope(u[0]) + log_slope(u[1]));
  }
  cel_multigoal_log_density(exact, s, action, n, log_p);
  for (int64_t i = 0; i < n; i++) {
    double w[2];
    (void)point(i % side, side, &w[0]);
    (void)point(i / side, side, &w[1]);
    log_exact += w[0] * w[1] * log_p[i];
  }
  *entropy = log(2 * pi) + 1 + log(sd[0]) + log(sd[1]) + slope / mass;
  *kl = -*entropy - log_exact / mass;
  free(action);
  return CEL_OK;
}

/// Computes KL by quadrature. kl_error: the difference to half as many points per side.
static CelStatus divergence_gaussian(const CelMultigoalSolution *exact,
                                     const CeliPlanePolicy *policy, CelCertifiedPlace *place) {
  enum { SIDE = 256 };
  const float obs[2] = {(float)place->s[0], (float)place->s[1]};
  float mean[2], sd[2];
  double coarse, unused;
  bool squashed;
  CELI_TRY(cel_agent_gaussian(policy->agent, obs, 1, mean, sd, &squashed));
  const double m[2] = {(double)mean[0], (double)mean[1]}, d[2] = {(double)sd[0], (double)sd[1]};
  CELI_TRY(celi_plane_divergence_gaussian(exact, place->s, m, d, SIDE / 2, &unused, &coarse));
  CELI_TRY(
      celi_plane_divergence_gaussian(exact, place->s, m, d, SIDE, &place->entropy[1], &place->kl));
  place->kl_error = fabs(place->kl - coarse);
  return CEL_OK;
}

// ---- the three states

/// Fills in Q on the grid of actions: the exact one, and the learned one if the agent has Q.
static CelStatus fill_q(CelCertifiedPlace *place, const CelMultigoalSolution *exact,
                        const CeliPlanePolicy *policy) {
  enum { SIDE = CEL_CERTIFY_SIDE, N = SIDE * SIDE };
  float *obs = NULL, *action = NULL;
  CELI_TRY(celi_alloc(&obs, (size_t)(4 * N), sizeof *obs, "a lattice of actions"));
  action = obs + 2 * N;
  for (int k = 0; k < N; k++) {
    const int column = k % SIDE, row = k / SIDE;
    const double a[2] = {exact->plane.reach * (2.0 * column / (SIDE - 1) - 1),
                         exact->plane.reach * (2.0 * row / (SIDE - 1) - 1)};
    for (int i = 0; i < 2; i++) {
      obs[2 * k + i] = (float)place->s[i];
      action[2 * k + i] = (float)a[i];
    }
    place->Q[0][k] = (float)cel_multigoal_q(exact, place->s, a);
    place->Q[1][k] = NAN;
  }
  const CelStatus status =
      policy->has_q ? cel_agent_q(policy->agent, obs, action, N, place->Q[1]) : CEL_OK;
  free(obs);
  return status;
}

static CelStatus fill_place(CelCertificate *out, int k, const CeliPlanePolicy *policy) {
  enum { N = CEL_CERTIFY_DRAWS };
  CelCertifiedPlace *place = &out->plane->place[k];
  const CelMultigoalSolution *exact = out->plane->exact;
  double drawn[2 * N], each[N], scratch[N];
  CelRng rng = cel_rng(policy->seed, CEL_RNG_EVAL_ACT, UINT32_MAX - (uint32_t)k);
  memcpy(place->s, places[k], sizeof place->s);
  celi_plane_exact_moments(exact, place->s, place->mean[0], place->covariance[0],
                           &place->entropy[0]);
  for (int i = 0; i < N; i++) {
    double a[2];
    cel_multigoal_draw(exact, place->s, &rng, a);
    place->action[0][2 * i] = (float)a[0];
    place->action[0][2 * i + 1] = (float)a[1];
  }
  CELI_TRY(
      celi_plane_policy_draw(policy, place->s, 1000000 + k, N, drawn, &place->entropy[1], each));
  celi_moments(drawn, N, 2, place->mean[1], place->covariance[1]);
  for (int i = 0; i < 2 * N; i++) place->action[1][i] = (float)drawn[i];
  place->kl = place->kl_error = (double)NAN;
  if (exact->alpha > 0 && policy->gaussian)
    CELI_TRY(divergence_gaussian(exact, policy, place));
  else if (exact->alpha > 0)
    place->kl = celi_plane_divergence(exact, place->s, drawn, N, each, scratch, &place->kl_error);
  return fill_q(place, exact, policy);
}

/// Replaces numbers that "%.2f" would print as "-0.00" by 0.
static double hundredths(double x) {
  return fabs(x) < 0.005 ? 0 : x;
}

CelStatus celi_plane_places(CelCertificate *out, const CeliPlanePolicy *policy) {
  static const char *const names[CEL_CERTIFY_PLACES] = {"kl_left", "kl_middle", "kl_corner"};
  for (int k = 0; k < CEL_CERTIFY_PLACES; k++) {
    char label[56];
    CELI_TRY(fill_place(out, k, policy));
    const CelCertifiedPlace *p = &out->plane->place[k];
    snprintf(label, sizeof label, "KL at (%g, %g)", p->s[0], p->s[1]);
    celi_measure(out, names[k], label, (double)NAN, (double)NAN, p->kl, p->kl_error);
    celi_measure_note(out, "mean action (%.2f, %.2f), exact (%.2f, %.2f)",
                      hundredths(p->mean[1][0]), hundredths(p->mean[1][1]),
                      hundredths(p->mean[0][0]), hundredths(p->mean[0][1]));
  }
  return CEL_OK;
}
