/// Certificates on the linear-quadratic regulator: a Gaussian N(mu(x), S(x)) against N(-K x,
/// Sigma).
///
/// With M = R + gamma B'PB, the loss of a step at x is
///     g(x) = V*(x) - E_pi[Q*(x,u) - alpha log pi]
///          = (mu + Kx)'M(mu + Kx) + tr(M S) - alpha m/2 - alpha (H(pi) - H*)
/// If alpha > 0, it equals alpha KL(pi, pi*). J* - J = E sum_t gamma^t g(x_t) holds exactly.
/// Rollouts of the learned policy estimate it with the variance of g, which is smaller than that of
/// returns. The gain comes from a least-squares fit of mu over the states within the time limit.
/// Covariance and entropy are means over the same states.
///   n, m    sizes of state and action          w     gamma^t
/// Source: [maximum-entropy, 8.25, 8.28], [policy-guarantees, performance difference].
#include "certify/certify.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX = CEL_LQR_MAX, SIZE = CEL_LQR_MAX * CEL_LQR_MAX };
static const double pi = 3.14159265358979323846;

/// Sums over episodes and steps.
typedef struct Sums {
  double M[SIZE];                       ///< (m, m), see above
  double weight;                        ///< sum of w over all steps
  double count, entropy, variance[MAX]; ///< sums over steps within the time limit
  double xx[SIZE], xu[SIZE];            ///< (n, n), (n, m)
  double worst, q_sup, q_mean, v_sup, v_mean;
  double *lost, *returns;            ///< (N,) sums of each episode
  float *mean, *sd, *action, *q, *v; ///< mean, sd, action (N, m); q, v (N,)
  int64_t *pick;                     ///< (N,) step whose state is stored
  bool has_q, has_v;
} Sums;

static double quadratic(const double *X, const double *x, int n) {
  double sum = 0;
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++) sum += x[i] * X[i * n + j] * x[j];
  return sum;
}

/// M (m, m) = R + gamma B'PB.
static void curvature(double *M, const CelLqr *lqr, const double *P, double gamma) {
  const int n = lqr->n, m = lqr->m;
  for (int a = 0; a < m; a++)
    for (int b = 0; b < m; b++) {
      double sum = 0;
      for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) sum += lqr->B[i * m + a] * P[i * n + j] * lqr->B[j * m + b];
      M[a * m + b] = lqr->R[a * m + b] + gamma * sum;
    }
}

static double exact_v(const CelCertifiedLqr *c, const double *x) {
  return c->exact.constant - quadratic(c->exact.P, x, c->lqr.n);
}

static double exact_q(const CelCertifiedLqr *c, double gamma, const double *x, const double *u) {
  const CelLqr *lqr = &c->lqr;
  double next[MAX], trace = 0;
  for (int i = 0; i < lqr->n; i++) {
    next[i] = 0;
    for (int j = 0; j < lqr->n; j++) next[i] += lqr->A[i * lqr->n + j] * x[j];
    for (int j = 0; j < lqr->m; j++) next[i] += lqr->B[i * lqr->m + j] * u[j];
    trace += c->exact.P[i * lqr->n + i];
  }
  return -quadratic(lqr->Q, x, lqr->n) - quadratic(lqr->R, u, lqr->m) +
         gamma * (exact_v(c, next) - lqr->noise * lqr->noise * trace);
}

/// The loss g(x) of a step at x. *entropy: entropy of the policy at x in nats.
static double step_loss(const CelCertificate *out, const Sums *sums, const double *x,
                        const float *mean, const float *sd, double *entropy) {
  const CelCertifiedLqr *c = out->lqr;
  const int n = c->lqr.n, m = c->lqr.m;
  double off[MAX], trace = 0;
  *entropy = 0;
  for (int a = 0; a < m; a++) {
    off[a] = (double)mean[a];
    for (int i = 0; i < n; i++) off[a] += c->exact.K[a * n + i] * x[i];
    trace += sums->M[a * m + a] * (double)sd[a] * (double)sd[a];
    *entropy += 0.5 * log(2 * pi) + 0.5 + log((double)sd[a]);
  }
  const double soft = out->alpha > 0 ? out->alpha * (0.5 * m + *entropy - c->exact.entropy) : 0;
  return quadratic(sums->M, off, m) + trace - soft;
}

/// Adds a state within the time limit to the sums for gain, covariance and entropy.
static void add_moments(Sums *sums, const double *x, const float *mean, const float *sd,
                        double entropy, int n, int m) {
  sums->count += 1;
  sums->entropy += entropy;
  for (int a = 0; a < m; a++) sums->variance[a] += (double)sd[a] * (double)sd[a];
  for (int k = 0; k < n; k++) {
    for (int j = 0; j < n; j++) sums->xx[k * n + j] += x[k] * x[j];
    for (int a = 0; a < m; a++) sums->xu[k * m + a] += x[k] * (double)mean[a];
  }
}

/// Adds row i at time t to the sums. Draws the action into sums->action.
static void take_row(CelCertificate *out, Sums *sums, const float *obs, int64_t i, int64_t t,
                     double w, bool within, CelRng *rng) {
  CelCertifiedLqr *c = out->lqr;
  const int n = c->lqr.n, m = c->lqr.m;
  const float *mean = sums->mean + i * m, *sd = sums->sd + i * m;
  double x[MAX], u[MAX], entropy;
  for (int k = 0; k < n; k++) x[k] = (double)obs[i * n + k];
  for (int a = 0; a < m; a++) {
    u[a] = (double)mean[a] + (double)sd[a] * cel_rng_normal(rng);
    sums->action[i * m + a] = (float)u[a];
  }
  const double lost = step_loss(out, sums, x, mean, sd, &entropy);
  sums->lost[i] += w * lost;
  sums->worst = fmax(sums->worst, lost);
  sums->weight += w;
  if (within) add_moments(sums, x, mean, sd, entropy, n, m);
  if (t != sums->pick[i]) return;
  memcpy(c->x + i * n, obs + i * n, (size_t)n * sizeof *obs);
  memcpy(c->mean + i * m, mean, (size_t)m * sizeof *mean);
  memcpy(c->sd + i * m, sd, (size_t)m * sizeof *sd);
}

/// Compares the agent's Q and V with the exact ones at the present states and actions.
static CelStatus take_values(CelCertificate *out, Sums *sums, CelAgent *agent, const float *obs,
                             int64_t N, double w) {
  const CelCertifiedLqr *c = out->lqr;
  const int n = c->lqr.n, m = c->lqr.m;
  if (sums->has_q) CELI_TRY(cel_agent_q(agent, obs, sums->action, N, sums->q));
  if (sums->has_v) CELI_TRY(cel_agent_v(agent, obs, N, sums->v));
  for (int64_t i = 0; i < N; i++) {
    double x[MAX], u[MAX];
    for (int k = 0; k < n; k++) x[k] = (double)obs[i * n + k];
    for (int a = 0; a < m; a++) u[a] = (double)sums->action[i * m + a];
    const double q = sums->has_q ? fabs((double)sums->q[i] - exact_q(c, out->gamma, x, u)) : 0;
    const double v = sums->has_v ? fabs((double)sums->v[i] - exact_v(c, x)) : 0;
    sums->q_mean += w * q;
    sums->q_sup = fmax(sums->q_sup, q);
    sums->v_mean += w * v;
    sums->v_sup = fmax(sums->v_sup, v);
  }
  return CEL_OK;
}

/// The number of steps of an episode for gain, covariance and entropy.
static int64_t time_limit(const CelEnvSpec *spec) {
  enum { UNLIMITED = 200 };
  return spec->max_episode_steps > 0 ? spec->max_episode_steps : UNLIMITED;
}

static CelStatus roll(CelCertificate *out, Sums *sums, CelAgent *agent, const CelEnvSpec *spec,
                      CeliRollouts *rollouts, CelRng *rng) {
  const int64_t N = rollouts->env.N, T = celi_rollouts_length(out->gamma);
  const float *obs = (const float *)rollouts->env.obs;
  const int64_t limit = time_limit(spec);
  double w = 1;
  for (int64_t t = 0; t < T || t < limit; t++, w *= out->gamma) {
    bool squashed;
    CELI_TRY(cel_agent_gaussian(agent, obs, N, sums->mean, sums->sd, &squashed));
    if (squashed)
      return cel_fail(CEL_E_UNSUPPORTED,
                      "%s: certify needs an unbounded Gaussian policy on LQR-v0, but the policy is "
                      "a squashed Gaussian; train with policy gaussian",
                      out->algo);
    for (int64_t i = 0; i < N; i++) take_row(out, sums, obs, i, t, w, t < limit, &rng[i]);
    CELI_TRY(take_values(out, sums, agent, obs, N, w));
    CELI_TRY(celi_rollouts_step(rollouts, sums->action));
    for (int64_t i = 0; i < N; i++) sums->returns[i] += w * (double)rollouts->env.reward[i];
  }
  return CEL_OK;
}

// ---- measures from the sums

/// Solves X Z = Y in place for symmetric positive definite X (n, n) and Y (n, m). Returns false if
/// X is singular.
static bool solve(double *X, double *Y, int n, int m) {
  for (int k = 0; k < n; k++) {
    const double pivot = X[k * n + k];
    if (!(pivot > 0)) return false;
    for (int i = 0; i < n; i++) {
      if (i == k) continue;
      const double f = X[i * n + k] / pivot;
      for (int j = 0; j < n; j++) X[i * n + j] -= f * X[k * n + j];
      for (int j = 0; j < m; j++) Y[i * m + j] -= f * Y[k * m + j];
    }
  }
  for (int k = 0; k < n; k++)
    for (int j = 0; j < m; j++) Y[k * m + j] /= X[k * n + k];
  return true;
}

/// |a - b| / |b| in the Frobenius norm.
static double relative(const double *a, const double *b, int n) {
  double difference = 0, norm = 0;
  for (int i = 0; i < n; i++) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return sqrt(difference / norm);
}

static void mean_and_error(const double *x, int64_t n, double *mean, double *error) {
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < n; i++) sum += x[i] / (double)n;
  for (int64_t i = 0; i < n; i++) squares += (x[i] - sum) * (x[i] - sum);
  *mean = sum;
  *error = sqrt(squares / (double)(n - 1) / (double)n);
}

/// J* = E[V*(x0)], x0 ~ N(0, start^2 I).
static double exact_start(const CelCertifiedLqr *c, const CelEnvSpec *spec) {
  char text[64];
  double trace = 0;
  for (int i = 0; i < c->lqr.n; i++) trace += c->exact.P[i * c->lqr.n + i];
  const int length = cel_fields_get(spec->type->fields, spec->config, "start", text, sizeof text);
  CEL_ASSERT(length > 0 && length < (int)sizeof text);
  const double start = strtod(text, NULL);
  return c->exact.constant - start * start * trace;
}

static void measure_policy(CelCertificate *out, Sums *sums) {
  CelCertifiedLqr *c = out->lqr;
  const int n = c->lqr.n, m = c->lqr.m;
  const double none = (double)NAN;
  for (int a = 0; a < m; a++) c->Sigma[a * m + a] = sums->variance[a] / sums->count;
  if (solve(sums->xx, sums->xu, n, m)) {
    for (int a = 0; a < m; a++)
      for (int i = 0; i < n; i++) c->K[a * n + i] = -sums->xu[i * m + a];
    celi_measure(out, "gain", "mean gain, relative (Frobenius)", none, none,
                 relative(c->K, c->exact.K, m * n), none);
  } else {
    celi_measure_absent(out, "gain", "mean gain, relative (Frobenius)",
                        "the visited states do not span the state space");
  }
  if (out->alpha > 0)
    celi_measure(out, "covariance", "covariance, relative (Frobenius)", none, none,
                 relative(c->Sigma, c->exact.Sigma, m * m), none);
  else
    celi_measure_absent(out, "covariance", "covariance, relative (Frobenius)",
                        "at temperature 0 the exact policy is deterministic and has no density");
  const double entropy = sums->entropy / sums->count;
  celi_measure(out, "entropy", "entropy per dimension, nats",
               out->alpha > 0 ? c->exact.entropy / m : none, entropy / m,
               out->alpha > 0 ? fabs(entropy - c->exact.entropy) / m : none, none);
}

static void measure_loss(CelCertificate *out, const Sums *sums, const CelEnvSpec *spec, int64_t N) {
  const double none = (double)NAN, best = exact_start(out->lqr, spec);
  double lost, lost_error, hard, hard_error;
  mean_and_error(sums->lost, N, &lost, &lost_error);
  mean_and_error(sums->returns, N, &hard, &hard_error);
  celi_measure(out, "soft_return",
               out->alpha > 0 ? "soft return J, shortfall" : "return J, shortfall", best,
               best - lost, lost, lost_error);
  celi_measure_absent(out, "shortfall_share", "shortfall, fraction of J* - J uniform",
                      "actions have no bounds, so there is no uniform policy");
  celi_measure(out, "hard_return", "return without entropy", none, hard, none, hard_error);
  if (out->alpha > 0) {
    double mean = 0;
    for (int64_t i = 0; i < N; i++) mean += sums->lost[i];
    celi_measure(out, "kl_mean", "KL(learned, exact), discounted mean", none, none,
                 mean / sums->weight / out->alpha, none);
    celi_measure(out, "kl_sup", "KL(learned, exact), largest observed", none, none,
                 sums->worst / out->alpha, none);
  } else {
    celi_measure_absent(out, "kl_mean", "KL(learned, exact), discounted mean",
                        "at temperature 0 the exact policy is deterministic and has no density");
    celi_measure_absent(out, "kl_sup", "KL(learned, exact), largest observed",
                        "at temperature 0 the exact policy is deterministic and has no density");
  }
}

static void measure_values(CelCertificate *out, const Sums *sums) {
  const double none = (double)NAN;
  const char *const no_q = "the agent learns no Q", *const no_v = "the agent learns no V";
  if (sums->has_q) {
    celi_measure(out, "q_sup", "learned Q - Q*, largest observed", none, none, sums->q_sup, none);
    celi_measure(out, "q_mean", "learned Q - Q*, discounted mean", none, none,
                 sums->q_mean / sums->weight, none);
  } else {
    celi_measure_absent(out, "q_sup", "learned Q - Q*, largest observed", no_q);
    celi_measure_absent(out, "q_mean", "learned Q - Q*, discounted mean", no_q);
  }
  if (sums->has_v) {
    celi_measure(out, "v_sup", "learned V - V*, largest observed", none, none, sums->v_sup, none);
    celi_measure(out, "v_mean", "learned V - V*, discounted mean", none, none,
                 sums->v_mean / sums->weight, none);
  } else {
    celi_measure_absent(out, "v_sup", "learned V - V*, largest observed", no_v);
    celi_measure_absent(out, "v_mean", "learned V - V*, discounted mean", no_v);
  }
}

// ---- the certificate

/// Draws the step whose state is stored, with probabilities proportional to gamma^t.
static int64_t pick_step(CelRng *rng, double gamma, int64_t T) {
  const double u = 1 - cel_rng_uniform(rng);
  const double t = gamma > 0 ? floor(log(u) / log(gamma)) : 0;
  return t < (double)T ? (int64_t)t : 0;
}

static CelStatus allocate(Sums *sums, CelCertifiedLqr *c, int64_t N) {
  const size_t n = (size_t)N, states = (size_t)(N * c->lqr.n), actions = (size_t)(N * c->lqr.m);
  CELI_TRY(celi_alloc(&c->x, states, sizeof(float), "states"));
  CELI_TRY(celi_alloc(&c->mean, actions, sizeof(float), "states"));
  CELI_TRY(celi_alloc(&c->sd, actions, sizeof(float), "states"));
  CELI_TRY(celi_alloc(&sums->mean, actions, sizeof(float), "actions"));
  CELI_TRY(celi_alloc(&sums->sd, actions, sizeof(float), "actions"));
  CELI_TRY(celi_alloc(&sums->action, actions, sizeof(float), "actions"));
  CELI_TRY(celi_alloc(&sums->q, n, sizeof(float), "values"));
  CELI_TRY(celi_alloc(&sums->v, n, sizeof(float), "values"));
  CELI_TRY(celi_alloc(&sums->lost, n, sizeof(double), "returns"));
  CELI_TRY(celi_alloc(&sums->returns, n, sizeof(double), "returns"));
  CELI_TRY(celi_alloc(&sums->pick, n, sizeof(int64_t), "steps"));
  memset(sums->lost, 0, n * sizeof(double));
  memset(sums->returns, 0, n * sizeof(double));
  c->n = N;
  return CEL_OK;
}

static void release(Sums *sums) {
  free(sums->mean);
  free(sums->sd);
  free(sums->action);
  free(sums->q);
  free(sums->v);
  free(sums->lost);
  free(sums->returns);
  free(sums->pick);
}

/// Finds out whether the agent has Q and V. Errors: those of cel_agent_q and cel_agent_v except
/// CEL_E_UNSUPPORTED.
static CelStatus find_values(Sums *sums, CelAgent *agent, const float *obs, int m) {
  memset(sums->action, 0, (size_t)m * sizeof *sums->action);
  const CelStatus q = cel_agent_q(agent, obs, sums->action, 1, sums->q);
  if (q != CEL_OK && q != CEL_E_UNSUPPORTED) return q;
  const CelStatus v = cel_agent_v(agent, obs, 1, sums->v);
  if (v != CEL_OK && v != CEL_E_UNSUPPORTED) return v;
  sums->has_q = q == CEL_OK;
  sums->has_v = v == CEL_OK;
  return CEL_OK;
}

static CelStatus run(CelCertificate *out, Sums *sums, CelAgent *agent, const CelEnvSpec *spec,
                     const CelCertifyOptions *options) {
  const int64_t N = options->episodes, T = celi_rollouts_length(out->gamma);
  CelRng *rng = NULL;
  CeliRollouts rollouts;
  CELI_TRY(celi_alloc(&rng, (size_t)N, sizeof *rng, "random streams"));
  for (int64_t i = 0; i < N; i++) {
    rng[i] = cel_rng(options->seed, CEL_RNG_EVAL_ACT, (uint32_t)i);
    sums->pick[i] = pick_step(&rng[i], out->gamma, T);
  }
  CelStatus status = celi_rollouts_open(&rollouts, spec, N, options->seed);
  if (status == CEL_OK)
    status = find_values(sums, agent, (const float *)rollouts.env.obs, out->lqr->lqr.m);
  if (status == CEL_OK) status = roll(out, sums, agent, spec, &rollouts, rng);
  celi_rollouts_close(&rollouts);
  free(rng);
  return status;
}

CelStatus celi_certify_lqr(CelCertificate *out, CelAgent *agent, const CelEnvSpec *spec,
                           const CelCertifyOptions *options) {
  CelCertifiedLqr *c = out->lqr = calloc(1, sizeof *out->lqr);
  Sums *sums = calloc(1, sizeof *sums);
  CelStatus status = CEL_OK;
  if (!c || !sums) status = cel_fail(CEL_E_MEMORY, "not enough memory for a certificate");
  if (status == CEL_OK) status = celi_rollouts_check(out->gamma);
  if (status == CEL_OK) status = cel_lqr_of_env(spec, &c->lqr);
  if (status == CEL_OK) status = cel_lqr_solve(&c->lqr, out->gamma, out->alpha, &c->exact);
  if (status == CEL_OK) status = allocate(sums, c, options->episodes);
  if (status == CEL_OK) {
    curvature(sums->M, &c->lqr, c->exact.P, out->gamma);
    status = run(out, sums, agent, spec, options);
  }
  if (status == CEL_OK) {
    out->exact_error = c->exact.residual; // relative residual of the Riccati equation
    measure_loss(out, sums, spec, options->episodes);
    measure_policy(out, sums);
    measure_values(out, sums);
  }
  if (sums) release(sums);
  free(sums);
  return status;
}

void celi_certified_lqr_destroy(CelCertifiedLqr *lqr) {
  if (!lqr) return;
  free(lqr->x);
  free(lqr->mean);
  free(lqr->sd);
  free(lqr);
}
