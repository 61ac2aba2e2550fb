/// [soft-q-learning, 3.2, 4] for continuous actions: soft values by importance sampling, and the
/// normalization of the sampler's target.
///
/// One dimension, a in [-1, 1]. Q is a sum of three bumps. Z = integral of exp(Q/alpha) and V =
/// alpha log Z, by quadrature.
#include "celsius/sqlc.h"
#include "verify/verify.h"
#include <math.h>

// ---- 3.2 and 4, continuous actions: one dimension, a in [-1, 1]

typedef struct Bump {
  double height[3], center[3], width[3], alpha;
} Bump;

static void draw_bump(CeliTrial *trial, double alpha, Bump *bump) {
  bump->alpha = alpha;
  for (int i = 0; i < 3; i++) {
    bump->height[i] = cel_rng_normal(&trial->rng);
    bump->center[i] = cel_rng_range(&trial->rng, -1, 1);
    bump->width[i] = cel_rng_range(&trial->rng, .2, .6);
  }
}

static double bump_at(const Bump *bump, double a) {
  double Q = 0;
  for (int i = 0; i < 3; i++) {
    const double z = (a - bump->center[i]) / bump->width[i];
    Q += bump->height[i] * exp(-z * z / 2);
  }
  return Q;
}

/// The integral of f over [-1, 1] by Simpson's rule with n intervals, n even.
static double integral(double (*f)(const Bump *, double, double), const Bump *bump, double V,
                       int n) {
  const double h = 2. / n;
  double sum = 0;
  for (int i = 0; i <= n; i++)
    sum += (i == 0 || i == n ? 1 : i % 2 ? 4 : 2) * f(bump, -1 + i * h, V) * h / 3;
  return sum;
}

static double weight_of(const Bump *bump, double a, double V) {
  return exp((bump_at(bump, a) - V) / bump->alpha);
}
static double weight_printed(const Bump *bump, double a, double V) {
  return exp(bump_at(bump, a) / bump->alpha - V);
}
static double quadrature_value(const Bump *bump) {
  return bump->alpha * log(integral(weight_of, bump, 0, 4000));
}

/// Normalization of the target, on other nodes than those of V.
static CelStatus target_mass(CeliTrial *trial, bool printed) {
  Bump bump;
  draw_bump(trial, .25, &bump);
  const double V = quadrature_value(&bump);
  celi_compare(trial, integral(printed ? weight_printed : weight_of, &bump, V, 2998), 1, 1);
  return CEL_OK;
}

static CelStatus target_is_normalized(CeliTrial *trial) {
  return target_mass(trial, false);
}
static CelStatus target_printed(CeliTrial *trial) {
  return target_mass(trial, true);
}

enum { ESTIMATES = 4000, SAMPLES_MAX = 256 };

/// The library's estimate from n actions of the proposal q(a) = (1 + tilt a)/2.
static CelStatus estimate(CeliTrial *trial, const Bump *bump, double tilt, int n, double *V) {
  float Q[SAMPLES_MAX], log_q[SAMPLES_MAX], log_w[SAMPLES_MAX], value;
  for (int i = 0; i < n; i++) {
    const double p = cel_rng_uniform(&trial->rng); // inverse of the distribution function
    const double root = sqrt((1 - tilt) * (1 - tilt) + 4 * tilt * p);
    const double a = tilt > 0 ? (root - 1) / tilt : 2 * p - 1;
    Q[i] = (float)bump_at(bump, a), log_q[i] = (float)log((1 + tilt * a) / 2);
  }
  CELI_TRY(cel_soft_value_estimate(&value, log_w, Q, log_q, bump->alpha, n, 1));
  *V = (double)value;
  return CEL_OK;
}

/// Var(w) of one action of the proposal, w = exp(Q/alpha)/q, by quadrature.
static double variance_of_weight(const Bump *bump, double tilt, double Z) {
  enum { NODES = 4000 };
  double sum = 0;
  for (int i = 0; i <= NODES; i++) {
    const double a = -1 + 2. * i / NODES, w = weight_of(bump, a, 0);
    sum += (i == 0 || i == NODES ? 1
            : i % 2              ? 4
                                 : 2) *
           w * w / ((1 + tilt * a) / 2) * 2 / NODES / 3;
  }
  return sum - Z * Z;
}

/// Compares the mean of many estimates with quadrature. `bias`: less the known bias alpha Var(w)/(2
/// n Z^2).
static CelStatus importance_value(CeliTrial *trial, const Bump *bump, double tilt, int n,
                                  bool bias) {
  CeliMean mean = {0};
  const double V = quadrature_value(bump), Z = exp(V / bump->alpha);
  const double variance = variance_of_weight(bump, tilt, Z);
  for (int i = 0; i < ESTIMATES; i++) {
    double value;
    CELI_TRY(estimate(trial, bump, tilt, n, &value));
    celi_mean_add(&mean, value);
  }
  celi_mean_compare(trial, &mean, V - (bias ? bump->alpha * variance / (2 * n * Z * Z) : 0), 1e-7);
  return CEL_OK;
}

static CelStatus importance_uniform(CeliTrial *trial) {
  Bump bump;
  draw_bump(trial, .5, &bump);
  return importance_value(trial, &bump, 0, 200, true);
}
static CelStatus importance_tilted(CeliTrial *trial) {
  Bump bump;
  draw_bump(trial, .5, &bump);
  return importance_value(trial, &bump, .5, 200, true);
}
static CelStatus importance_is_biased(CeliTrial *trial) {
  const Bump peak = {{2, 0, 0}, {.3, 0, 0}, {.3, 1, 1}, .5};
  return importance_value(trial, &peak, 0, 8, false);
}

/// exp(V/alpha) is unbiased for any number of samples.
static CelStatus weight_is_unbiased(CeliTrial *trial) {
  const Bump peak = {{2, 0, 0}, {.3, 0, 0}, {.3, 1, 1}, .5};
  CeliMean mean = {0};
  for (int i = 0; i < ESTIMATES; i++) {
    double value;
    CELI_TRY(estimate(trial, &peak, 0, 8, &value));
    celi_mean_add(&mean, exp(value / peak.alpha));
  }
  celi_mean_compare(trial, &mean, integral(weight_of, &peak, 0, 4000), 1e-6);
  return CEL_OK;
}

/// With q proportional to exp(Q/alpha), normalized on other nodes, each estimate is V for any
/// samples.
static CelStatus importance_without_variance(CeliTrial *trial) {
  Bump bump;
  draw_bump(trial, .5, &bump);
  const double V = quadrature_value(&bump), Z = integral(weight_of, &bump, 0, 2998);
  for (int i = 0; i < 20; i++) {
    float Q[3], log_q[3], log_w[3], value;
    for (int k = 0; k < 3; k++) {
      const double q = bump_at(&bump, cel_rng_range(&trial->rng, -1, 1));
      Q[k] = (float)q, log_q[k] = (float)(q / bump.alpha - log(Z));
    }
    CELI_TRY(cel_soft_value_estimate(&value, log_w, Q, log_q, bump.alpha, 3, 1));
    celi_compare(trial, (double)value, V, celi_size(&V, 1));
  }
  return CEL_OK;
}

static const CeliClaim claims[] = {
    {"3.2",
     "soft value by importance sampling, uniform proposal: the library's mean against quadrature, "
     "with the bias -alpha Var(w)/(2 n Z^2) (standard errors)",
     "cel_soft_value_estimate", CEL_CHECK_EQUAL, 4, 4, importance_uniform, 0x27ee6155},
    {"3.2",
     "soft value by importance sampling, tilted proposal: the library's mean against quadrature, "
     "with the bias -alpha Var(w)/(2 n Z^2) (standard errors)",
     "cel_soft_value_estimate", CEL_CHECK_EQUAL, 4, 4, importance_tilted, 0x710ffeb6},
    {"3.2",
     "soft value by importance sampling from 8 samples: its mean is not the value, as it is biased "
     "(standard errors)",
     "cel_soft_value_estimate", CEL_CHECK_DIFFERS, 4, 2, importance_is_biased, 0x5aec2d6f},
    {"3.2",
     "exp(V/alpha) by importance sampling from 8 samples is unbiased: the library's mean against "
     "quadrature (standard errors)",
     "cel_soft_value_estimate", CEL_CHECK_EQUAL, 4, 2, weight_is_unbiased, 0x4ca51bc7},
    {"3.2",
     "a proposal proportional to exp(Q/alpha) has no variance: each estimate of the library "
     "against quadrature (float32)",
     "cel_soft_value_estimate", CEL_CHECK_EQUAL, 1e-6, 8, importance_without_variance, 0xecb493e4},
    {"4", "exp((Q - V)/alpha) integrates to 1: quadrature on other nodes than those of V against 1",
     "", CEL_CHECK_EQUAL, 1e-10, 8, target_is_normalized, 0x704097de},
    {"4", "printed: exp(Q/alpha - V) does not integrate to 1", "", CEL_CHECK_DIFFERS, 1e-3, 8,
     target_printed, 0x04aa5e0b},
    {0}};

const CeliSection celi_sq_continuous = {"src/verify/soft_q_learning/continuous.c", claims};
