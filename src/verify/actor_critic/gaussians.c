/// [actor-critic, 4.24-4.26]: Gaussians. The library's float32 numbers are compared with
/// quadrature, complex steps and the full form.
#include "verify/verify.h"
#include <math.h>

// ---- 4.24-4.26: Gaussians

enum { NODES = 4001 };
static const double two_pi = 6.28318530717958647692;

/// The library's log N(u; mean, sd) and entropy on a grid of u, in one dimension.
static CelStatus gaussian_on_grid(CeliTrial *trial, double mean, double log_sd, double **u,
                                  double **logp, double **entropy) {
  double *head = celi_take(trial, 2 * NODES);
  *u = celi_take(trial, NODES), *logp = celi_take(trial, NODES);
  *entropy = celi_take(trial, NODES);
  for (int i = 0; i < NODES; i++) {
    head[2 * i] = mean, head[2 * i + 1] = log_sd;
    (*u)[i] = mean + 9 * exp(log_sd) * (2. * i / (NODES - 1) - 1);
  }
  const CeliScore score = {
      .B = NODES, .A = 1, .head = head, .action = *u, .logp = *logp, .entropy = *entropy};
  return celi_library_score(&score);
}

static CelStatus gaussian_by_quadrature(CeliTrial *trial, bool of_entropy) {
  double *u, *logp, *entropy, mass = 0, surprise = 0;
  const double mean = cel_rng_range(&trial->rng, -1, 1);
  const double log_sd = cel_rng_range(&trial->rng, -2, 1);
  CELI_TRY(gaussian_on_grid(trial, mean, log_sd, &u, &logp, &entropy));
  const double step = 18 * exp(log_sd) / (NODES - 1);
  for (int i = 0; i < NODES; i++) {
    mass += step * exp(logp[i]);
    surprise -= step * exp(logp[i]) * logp[i];
  }
  if (of_entropy)
    celi_compare(trial, entropy[0], surprise, 1);
  else
    celi_compare(trial, mass, 1, 1);
  return CEL_OK;
}

static CelStatus gaussian_mass(CeliTrial *trial) {
  return gaussian_by_quadrature(trial, false);
}
static CelStatus gaussian_entropy(CeliTrial *trial) {
  return gaussian_by_quadrature(trial, true);
}

enum { DIMENSIONS = 3 };

/// Logarithm of the first line of (4.24) for any covariance P, by elimination and its pivots.
static double full_gaussian(const double *u, const double *mean, const double *P) {
  double M[DIMENSIONS * DIMENSIONS], z[DIMENSIONS], log_det = 0, square = 0;
  for (int i = 0; i < DIMENSIONS * DIMENSIONS; i++) M[i] = P[i];
  for (int i = 0; i < DIMENSIONS; i++) z[i] = u[i] - mean[i];
  for (int k = 0; k < DIMENSIONS; k++) { // positive definite, so no pivoting is needed
    log_det += log(M[k * DIMENSIONS + k]);
    square += z[k] * z[k] / M[k * DIMENSIONS + k];
    for (int i = k + 1; i < DIMENSIONS; i++) {
      const double factor = M[i * DIMENSIONS + k] / M[k * DIMENSIONS + k];
      for (int j = k; j < DIMENSIONS; j++) M[i * DIMENSIONS + j] -= factor * M[k * DIMENSIONS + j];
      z[i] -= factor * z[k];
    }
  }
  return -0.5 * (DIMENSIONS * log(two_pi) + log_det + square);
}

/// One batch row: mean, log sd, action; the library's log-density and its gradient for d_logp = 1.
typedef struct Row {
  double head[2 * DIMENSIONS], action[DIMENSIONS], d_head[2 * DIMENSIONS], logp, entropy;
} Row;

static CelStatus draw_row(CeliTrial *trial, Row *row) {
  const double one = 1, none = 0;
  for (int i = 0; i < DIMENSIONS; i++) { // exact in float32
    row->head[i] = celi_below(trial, 257) / 128. - 1;
    row->head[DIMENSIONS + i] = celi_below(trial, 257) / 128. - 1;
    row->action[i] = celi_below(trial, 257) / 128. - 1;
  }
  const CeliScore score = {.B = 1,
                           .A = DIMENSIONS,
                           .head = row->head,
                           .action = row->action,
                           .d_logp = &one,
                           .d_entropy = &none,
                           .logp = &row->logp,
                           .entropy = &row->entropy,
                           .d_head = row->d_head};
  return celi_library_score(&score);
}

/// Compares the library's product form with the full form. `correlated`: the covariance of the full
/// form is not diagonal.
static CelStatus product_form(CeliTrial *trial, bool correlated) {
  Row row;
  double P[DIMENSIONS * DIMENSIONS] = {0};
  CELI_TRY(draw_row(trial, &row));
  for (int i = 0; i < DIMENSIONS; i++) P[i * DIMENSIONS + i] = exp(2 * row.head[DIMENSIONS + i]);
  if (correlated) P[1] = P[DIMENSIONS] = 0.9 * sqrt(P[0] * P[DIMENSIONS + 1]);
  const double full = full_gaussian(row.action, row.head, P);
  celi_compare(trial, row.logp, full, correlated ? 1 : fmax(1, fabs(full)));
  return CEL_OK;
}

static CelStatus product_diagonal(CeliTrial *trial) {
  return product_form(trial, false);
}
static CelStatus product_correlated(CeliTrial *trial) {
  return product_form(trial, true);
}

static CeliComplex log_density(const void *user, const CeliComplex *head) {
  const Row *row = user;
  CeliComplex sum = 0;
  for (int i = 0; i < DIMENSIONS; i++) {
    const CeliComplex z = (row->action[i] - head[i]) / cexp(head[DIMENSIONS + i]);
    sum -= z * z / 2 + head[DIMENSIONS + i] + log(two_pi) / 2;
  }
  return sum;
}

static CelStatus gaussian_gradient(CeliTrial *trial) {
  Row row;
  double gradient[2 * DIMENSIONS];
  CELI_TRY(draw_row(trial, &row));
  celi_complex_gradient(trial, log_density, &row, row.head, 2 * DIMENSIONS, gradient);
  celi_compare_all(trial, row.d_head, gradient, 2 * DIMENSIONS,
                   celi_size(gradient, 2 * DIMENSIONS));
  return CEL_OK;
}

static const CeliClaim claims[] = {
    {"4.25-4.26",
     "the Gaussian density integrates to 1: quadrature of the library's density against 1",
     "celi_dist_plan_log_prob", CEL_CHECK_EQUAL, 1e-6, 4, gaussian_mass, 0x59aa7e34},
    {"4.25-4.26", "entropy of a Gaussian: the library against quadrature of -p log p",
     "celi_dist_plan_log_prob", CEL_CHECK_EQUAL, 2e-6, 4, gaussian_entropy, 0xbc5c7737},
    {"4.25-4.26",
     "gradient of the Gaussian's log-density in mean and log sd: the library against complex steps",
     "celi_dist_plan_log_prob", CEL_CHECK_EQUAL, 1e-6, 200, gaussian_gradient, 0xda0297a3},
    {"4.24",
     "the product over dimensions is the full form with a diagonal covariance: the library against "
     "elimination",
     "celi_dist_plan_log_prob", CEL_CHECK_EQUAL, 1e-6, 200, product_diagonal, 0x04fdd5f5},
    {"4.24",
     "printed: the product over dimensions is not the full form where the covariance is not "
     "diagonal",
     "celi_dist_plan_log_prob", CEL_CHECK_DIFFERS, 1e-6, 200, product_correlated, 0xdce0c260},
    {0}};

const CeliSection celi_ac_gaussians = {"src/verify/actor_critic/gaussians.c", claims};
