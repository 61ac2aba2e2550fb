/// [soft-q-learning, 3.2, 4] where actions are numbers.
#include "verify/verify.h"
#include <math.h>

// ---- 3.2 and 4, continuous actions: one dimension, a in [-1, 1]

typedef struct Bump {
  double height[3], centre[3], width[3], alpha;
} Bump;

static void draw_bump(CeliTrial *trial, double alpha, Bump *bump) {
  bump->alpha = alpha;
  for (int i = 0; i < 3; i++) {
    bump->height[i] = cel_rng_normal(&trial->rng);
    bump->centre[i] = cel_rng_range(&trial->rng, -1, 1);
    bump->width[i] = cel_rng_range(&trial->rng, .2, .6);
  }
}

static double bump_at(const Bump *bump, double a) {
  double Q = 0;
  for (int i = 0; i < 3; i++) {
    const double z = (a - bump->centre[i]) / bump->width[i];
    Q += bump->height[i] * exp(-z * z / 2);
  }
  return Q;
}

/// The integral over [-1, 1] of f by Simpson's rule, n even.
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
static double weight_squared(const Bump *bump, double a, double V) {
  return 2 * weight_of(bump, a, V) * weight_of(bump, a, V);
}

static double quadrature_value(const Bump *bump) {
  return bump->alpha * log(integral(weight_of, bump, 0, 4000));
}

/// Normalisation of the target, on other nodes than V's.
static CelStatus target_mass(CeliTrial *trial, bool printed) {
  Bump bump;
  draw_bump(trial, .25, &bump);
  const double V = quadrature_value(&bump);
  celi_compare(trial, integral(printed ? weight_printed : weight_of, &bump, V, 2998), 1, 1);
  return CEL_OK;
}

static CelStatus target_is_normalised(CeliTrial *trial) {
  return target_mass(trial, false);
}
static CelStatus target_printed(CeliTrial *trial) {
  return target_mass(trial, true);
}

/// alpha log mean exp(Q/alpha)/q over n actions of the uniform proposal, q = 1/2.
static double importance_estimate(CeliTrial *trial, const Bump *bump, int n) {
  double sum = weight_of(bump, cel_rng_range(&trial->rng, -1, 1), 0);
  for (int i = 1; i < n; i++) sum += weight_of(bump, cel_rng_range(&trial->rng, -1, 1), 0);
  return bump->alpha * log(2 * sum / n);
}

/// Its mean over runs against quadrature, with its bias -alpha Var(w)/(2 n Z^2) or without.
static CelStatus importance_value(CeliTrial *trial, const Bump *of, int n, bool bias) {
  enum { RUNS = 4000 };
  double sum = 0, squares = 0;
  const Bump bump = *of;
  const double V = quadrature_value(&bump), Z = exp(V / bump.alpha);
  const double variance = integral(weight_squared, &bump, 0, 4000) - Z * Z;
  const double expected = bias ? -bump.alpha * variance / (2 * n * Z * Z) : 0;
  for (int i = 0; i < RUNS; i++) {
    const double off = importance_estimate(trial, &bump, n) - V;
    sum += off, squares += off * off;
  }
  const double spread = (squares - sum * sum / RUNS) / (RUNS - 1);
  celi_compare(trial, V + sum / RUNS, V + expected, sqrt(spread / RUNS));
  return CEL_OK;
}

static CelStatus importance_bias(CeliTrial *trial) {
  Bump bump;
  draw_bump(trial, .5, &bump);
  return importance_value(trial, &bump, 200, true);
}
static CelStatus importance_is_biased(CeliTrial *trial) {
  const Bump peak = {{2, 0, 0}, {.3, 0, 0}, {.3, 1, 1}, .5};
  return importance_value(trial, &peak, 8, false);
}

/// q proportional to exp(Q/alpha), normalised on other nodes: every weight is Z, whatever is drawn.
static CelStatus importance_without_variance(CeliTrial *trial) {
  Bump bump;
  draw_bump(trial, .5, &bump);
  const double V = quadrature_value(&bump), Z = integral(weight_of, &bump, 0, 2998);
  for (int i = 0; i < 20; i++) {
    const double a = cel_rng_range(&trial->rng, -1, 1), q = weight_of(&bump, a, 0) / Z;
    celi_compare(trial, bump.alpha * log(weight_of(&bump, a, 0) / q), V, 1);
  }
  return CEL_OK;
}

static const CeliClaim claims[] = {
    {"3.2", "importance-sampled soft value: bias -alpha Var(w)/(2 n Z^2) (standard errors)", "",
     CEL_CHECK_EQUAL, 4, 2, importance_bias},
    {"3.2", "of few samples it is not the value itself (standard errors)", "", CEL_CHECK_DIFFERS, 4,
     2, importance_is_biased},
    {"3.2", "a proposal proportional to exp(Q/alpha) has no variance", "", CEL_CHECK_EQUAL, 1e-10,
     8, importance_without_variance},
    {"4", "exp((Q - V)/alpha) integrates to 1", "", CEL_CHECK_EQUAL, 1e-10, 8,
     target_is_normalised},
    {"4", "printed: exp(Q/alpha - V) does not", "", CEL_CHECK_DIFFERS, 1e-3, 8, target_printed},
    {0}};

const CeliSection celi_sq_continuous = {"src/verify/soft_q_learning/continuous.c", claims};
