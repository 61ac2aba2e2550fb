/// [soft-q-learning, 3.2, 4] in the library's learners: the gradients of soft Q-learning after one
/// update, for discrete and continuous actions, compared with complex steps; its soft values by
/// importance sampling, compared with quadrature.
///
/// Continuous actions are in [-1, 1]: V'(s') = alpha log mean exp(Q'(s',a_k)/alpha) 2^A over K
/// uniform a_k. The sampler is u = f(s, xi), a = tanh(u). It moves along phi of Stein variational
/// gradient descent in u.
#include "verify/learner.h"
#include <math.h>
#include <stdlib.h>

enum { O = 2, B = 8, CHOICES = 3, PARTICLES = 16 };
static const double alpha = .4, discount = .9;

#define COMMON                                                                                     \
  "net_arch", "6,5", "activation", "tanh", "learning_rate", "0", "tau", "0", "gamma", "0.9",       \
      "ent_coef", "0.4", "buffer_size", "100", "learning_starts", "1000000"
static const char *const choices[] = {COMMON, "batch_size", "8", NULL};
#define SAMPLER COMMON, "fixed_particles", "6", "updated_particles", "5"
static const char *const numbers[] = {SAMPLER, "batch_size",     "8",       "value_particles",
                                      "16",    "value_proposal", "uniform", NULL};
#define ONE_STATE SAMPLER, "batch_size", "64", "value_particles", "64", "value_proposal"
static const char *const uniform[] = {ONE_STATE, "uniform", NULL};
static const char *const by_policy[] = {ONE_STATE, "policy", NULL};

typedef struct Sql {
  CeliTrial *trial;
  CeliLearner learner;
  int A;
  CeliCheckNet f, Q, target; ///< f is the sampler
  const CeliTransition *batch[B];
  double y[B];
  const double *phi; ///< (B, m, A) held fixed
  int m;
} Sql;

static CelStatus create(CeliTrial *trial, const char *algo, int A, const char *const *settings,
                        int steps, Sql *sql) {
  const bool discrete = strcmp(algo, "sql") == 0;
  const CeliLearnerSpec spec = {
      .algo = algo, .O = O, .A = A, .discrete = discrete, .settings = settings};
  *sql = (Sql){.trial = trial, .A = A, .m = 5};
  CELI_TRY(celi_learner_create(trial, &spec, &sql->learner));
  CELI_TRY(celi_learner_feed(trial, &sql->learner, steps));
  CELI_TRY(cel_agent_update_n(sql->learner.agent, 1));
  sql->Q = celi_check_net_read(trial, &sql->learner, discrete ? "actor" : "critic", 0);
  sql->target = celi_check_net_read(trial, &sql->learner, "target", 0);
  if (!discrete) sql->f = celi_check_net_read(trial, &sql->learner, "actor", 0);
  for (int b = 0; b < B; b++)
    sql->batch[b] = celi_learner_find(&sql->learner, discrete ? "batch.obs" : "batch.sa", b,
                                      discrete ? O : O + A);
  return CEL_OK;
}

// ---- discrete actions

static CeliComplex loss_of_choices(const void *user, const CeliComplex *theta) {
  const Sql *sql = user;
  CeliComplex sum = 0, in[O], Q[CHOICES];
  for (int b = 0; b < B; b++) {
    for (int k = 0; k < O; k++) in[k] = sql->batch[b]->x[k];
    celi_check_net_forward(&sql->Q, theta, in, Q);
    const CeliComplex off = Q[(int)sql->batch[b]->u[0]] - sql->y[b];
    sum += off * off / (2 * B);
  }
  return sum;
}

/// y = r + gamma alpha log sum exp(Q'(s',.)/alpha); as printed, with V_Q = sum pi_Q Q.
static CelStatus choices_gradient(CeliTrial *trial, bool printed) {
  Sql sql;
  double q[CHOICES], pi[CHOICES];
  const CelStatus status = create(trial, "sql", CHOICES, choices, CELI_LEARNER_STEPS, &sql);
  for (int b = 0; b < B && status == CEL_OK; b++) {
    const CeliTransition *t = sql.batch[b];
    celi_check_net_apply(&sql.target, t->next, q);
    celi_dense_softmax(q, CHOICES, alpha, pi);
    const double V =
        printed ? celi_dense_dot(pi, q, CHOICES) : celi_dense_log_sum_exp(q, CHOICES, alpha);
    sql.y[b] = t->r + (t->terminated ? 0 : discount * V);
  }
  if (status == CEL_OK) celi_check_net_compare(trial, &sql.Q, loss_of_choices, &sql, printed);
  celi_learner_destroy(&sql.learner);
  return status;
}

static CelStatus choices_corrected(CeliTrial *trial) {
  return choices_gradient(trial, false);
}
static CelStatus choices_printed(CeliTrial *trial) {
  return choices_gradient(trial, true);
}

// ---- continuous actions: the critic

/// A network at (x, a) with its own parameters. Writes the derivative in a[k] to *slope unless it
/// is NULL.
static double value_at(const CeliCheckNet *net, const double *x, const double *a, int A, int k,
                       double *slope) {
  CeliComplex theta[CELI_CHECK_NET_MAX], in[O + CELI_LEARNER_A], out;
  for (int i = 0; i < O; i++) in[i] = x[i];
  for (int i = 0; i < A; i++) in[O + i] = celi_complex(a[i], slope && i == k ? 1e-30 : 0);
  celi_check_net_forward(net, celi_check_net_theta(net, theta), in, &out);
  if (slope) *slope = cimag(out) / 1e-30;
  return creal(out);
}

static CeliComplex loss_of_numbers(const void *user, const CeliComplex *theta) {
  const Sql *sql = user;
  CeliComplex sum = 0, in[O + CELI_LEARNER_A], Q;
  for (int b = 0; b < B; b++) {
    for (int k = 0; k < O; k++) in[k] = sql->batch[b]->x[k];
    for (int k = 0; k < sql->A; k++) in[O + k] = sql->batch[b]->u[k];
    celi_check_net_forward(&sql->Q, theta, in, &Q);
    sum += (Q - sql->y[b]) * (Q - sql->y[b]) / (2 * B);
  }
  return sum;
}

/// The target from the actions that the learner sampled; they are in rows of O + A numbers.
static CelStatus numbers_gradient(CeliTrial *trial) {
  Sql sql;
  const CelStatus status = create(trial, "sqlc", 2, numbers, CELI_LEARNER_STEPS, &sql);
  for (int b = 0; b < B && status == CEL_OK; b++) {
    const CeliTransition *t = sql.batch[b];
    double q[PARTICLES], a[2];
    for (int i = 0; i < PARTICLES; i++) {
      const int64_t row = (int64_t)(b * PARTICLES + i) * (O + 2) + O;
      for (int k = 0; k < 2; k++) a[k] = celi_learner_at(&sql.learner, "batch.sa_next", row + k);
      q[i] = value_at(&sql.target, t->next, a, 2, 0, NULL);
    }
    const double V = celi_dense_log_sum_exp(q, PARTICLES, alpha) + alpha * log(4. / PARTICLES);
    sql.y[b] = t->r + (t->terminated ? 0 : discount * V);
  }
  if (status == CEL_OK) celi_check_net_compare(trial, &sql.Q, loss_of_numbers, &sql, false);
  celi_learner_destroy(&sql.learner);
  return status;
}

/// The integral of exp(Q'/alpha)^power over a in [-1, 1], by Simpson's rule.
static double integral(const Sql *sql, int power) {
  enum { NODES = 2000 };
  double sum = 0;
  for (int i = 0; i <= NODES; i++) {
    const double a = -1 + 2. * i / NODES;
    const double Q = value_at(&sql->target, sql->batch[0]->next, &a, 1, 0, NULL);
    sum += (i == 0 || i == NODES ? 1 : i % 2 ? 4 : 2) * exp(power * Q / alpha) * 2 / NODES / 3;
  }
  return sum;
}

/// For a learner that has seen one state: compares the mean of its soft values V with alpha log Z
/// less the bias alpha Var(w)/(2 n Z^2). Or compares the mean of exp(V/alpha), which is unbiased
/// for any proposal, with Z.
static CelStatus mean_value(CeliTrial *trial, const char *const *settings, Sql *sql) {
  enum { UPDATES = 40, STATES = 64, SAMPLES = 64 };
  const bool weights = settings == by_policy;
  CeliMean mean = {0};
  CELI_TRY(create(trial, "sqlc", 1, settings, 1, sql));
  for (int i = 0; i < UPDATES; i++) {
    CELI_TRY(cel_agent_update_n(sql->learner.agent, 1));
    for (int b = 0; b < STATES; b++) {
      const double V = celi_learner_at(&sql->learner, "batch.v_next", b);
      celi_mean_add(&mean, weights ? exp(V / alpha) : V);
    }
  }
  const double Z = integral(sql, 1), variance = 2 * integral(sql, 2) - Z * Z;
  const double bias = -alpha * variance / (2 * SAMPLES * Z * Z);
  celi_mean_compare(trial, &mean, weights ? Z : alpha * log(Z) + bias, weights ? 1e-6 * Z : 1e-6);
  return CEL_OK;
}

static CelStatus estimated_value(CeliTrial *trial, const char *const *settings) {
  Sql sql;
  const CelStatus status = mean_value(trial, settings, &sql);
  celi_learner_destroy(&sql.learner);
  return status;
}

static CelStatus value_of_uniform(CeliTrial *trial) {
  return estimated_value(trial, uniform);
}
static CelStatus value_of_policy(CeliTrial *trial) {
  return estimated_value(trial, by_policy);
}

// ---- continuous actions: the sampler

static int by_size(const void *left, const void *right) {
  const double x = *(const double *)left, y = *(const double *)right;
  return (x > y) - (x < y);
}

static double squared_distance(const double *x, const double *y, int n) {
  double sum = 0;
  for (int k = 0; k < n; k++) sum += (x[k] - y[k]) * (x[k] - y[k]);
  return sum;
}

enum { FIXED = 6, PAIRS = FIXED * (FIXED - 1) / 2, DIMENSIONS = 2 };

/// The median of the squared distances, divided by log(n + 1).
static double bandwidth(double u[FIXED][DIMENSIONS]) {
  double distance[PAIRS] = {0};
  int pairs = 0;
  for (int i = 0; i < FIXED; i++)
    for (int j = 0; j < i; j++) distance[pairs++] = squared_distance(u[i], u[j], DIMENSIONS);
  qsort(distance, PAIRS, sizeof *distance, by_size);
  return distance[PAIRS / 2] / log(FIXED + 1);
}

/// Particle i of state b: u for the noise that the learner sampled.
static void particle(const Sql *sql, int b, const char *noise, int64_t i, double *u) {
  double in[O + DIMENSIONS];
  for (int k = 0; k < O; k++) in[k] = sql->batch[b]->x[k];
  for (int k = 0; k < DIMENSIONS; k++)
    in[O + k] = celi_learner_at(&sql->learner, noise, i * DIMENSIONS + k);
  celi_check_net_apply(&sql->f, in, u);
}

/// phi (m, A) of the updated particles of state b. Without `squashed` the score lacks tanh's
/// Jacobian.
static void direction(const Sql *sql, int b, bool squashed, double *phi) {
  double u[FIXED][DIMENSIONS], score[FIXED][DIMENSIONS], v[DIMENSIONS];
  for (int i = 0; i < FIXED; i++) {
    double a[DIMENSIONS], slope;
    particle(sql, b, "batch.xi_fixed", (int64_t)b * FIXED + i, u[i]);
    for (int k = 0; k < DIMENSIONS; k++) a[k] = tanh(u[i][k]);
    for (int k = 0; k < DIMENSIONS; k++) {
      value_at(&sql->Q, sql->batch[b]->x, a, DIMENSIONS, k, &slope);
      score[i][k] = slope * (1 - a[k] * a[k]) / alpha - (squashed ? 2 * a[k] : 0);
    }
  }
  const double h = bandwidth(u);
  for (int j = 0; j < sql->m; j++) {
    particle(sql, b, "batch.xi_updated", (int64_t)b * sql->m + j, v);
    for (int i = 0; i < FIXED; i++) {
      const double kernel = exp(-squared_distance(u[i], v, DIMENSIONS) / h);
      for (int k = 0; k < DIMENSIONS; k++)
        phi[j * DIMENSIONS + k] += kernel * (score[i][k] + 2 / h * (v[k] - u[i][k])) / FIXED;
    }
  }
}

/// A loss whose gradient is -phi/(m B) at each updated particle.
static CeliComplex loss_of_sampler(const void *user, const CeliComplex *theta) {
  const Sql *sql = user;
  CeliComplex sum = 0, in[O + DIMENSIONS], u[DIMENSIONS];
  for (int64_t i = 0; i < (int64_t)B * sql->m; i++) {
    for (int k = 0; k < O; k++) in[k] = sql->batch[i / sql->m]->x[k];
    for (int k = 0; k < DIMENSIONS; k++)
      in[O + k] = celi_learner_at(&sql->learner, "batch.xi_updated", i * DIMENSIONS + k);
    celi_check_net_forward(&sql->f, theta, in, u);
    for (int k = 0; k < DIMENSIONS; k++) sum -= sql->phi[i * DIMENSIONS + k] * u[k] / (sql->m * B);
  }
  return sum;
}

static CelStatus sampler_gradient(CeliTrial *trial, bool squashed) {
  Sql sql;
  const CelStatus status = create(trial, "sqlc", DIMENSIONS, numbers, CELI_LEARNER_STEPS, &sql);
  double *phi = celi_take(trial, (int64_t)B * sql.m * DIMENSIONS);
  sql.phi = phi;
  for (int b = 0; b < B && status == CEL_OK; b++)
    direction(&sql, b, squashed, phi + b * sql.m * DIMENSIONS);
  if (status == CEL_OK) celi_check_net_compare(trial, &sql.f, loss_of_sampler, &sql, !squashed);
  celi_learner_destroy(&sql.learner);
  return status;
}

static CelStatus sampler_corrected(CeliTrial *trial) {
  return sampler_gradient(trial, true);
}
static CelStatus sampler_without_jacobian(CeliTrial *trial) {
  return sampler_gradient(trial, false);
}

static const CeliClaim claims[] = {
    {"3.2",
     "gradient of soft Q-learning with discrete actions, target r + gamma alpha log sum "
     "exp(Q'/alpha): the library against complex steps",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-5, 32, choices_corrected, 0xf1667107},
    {"3.2",
     "printed: with V_Q = sum pi_Q Q in the target the gradient of soft Q-learning is a different "
     "one",
     "cel_agent_update_n", CEL_CHECK_DIFFERS, 1e-3, 32, choices_printed, 0xa426a9a9},
    {"3.2",
     "gradient of soft Q-learning with continuous actions, V' from the sampled actions: the "
     "library against complex steps",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-5, 32, numbers_gradient, 0x77367b2c},
    {"3.2",
     "soft values of soft Q-learning, uniform proposal: the learner's mean against quadrature with "
     "the bias (standard errors)",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 4, 4, value_of_uniform, 0xd698bf96},
    {"3.2",
     "soft values of soft Q-learning, its sampler as proposal: the learner's mean of exp(V/alpha) "
     "against Z by quadrature (standard errors)",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 4, 4, value_of_policy, 0x26c3a47c},
    {"4",
     "gradient of the sampler, -phi in u with tanh's Jacobian in the score: the library against "
     "complex steps",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 5e-5, 32, sampler_corrected, 0xb01dd9c3},
    {"4", "with the score of Q alone the gradient of the sampler is a different one",
     "cel_agent_update_n", CEL_CHECK_DIFFERS, 1e-3, 32, sampler_without_jacobian, 0x20546fbe},
    {0}};

const CeliSection celi_sq_learners = {"src/verify/soft_q_learning/learners.c", claims};
