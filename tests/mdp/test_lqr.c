/// The regulator, compared with SciPy and with value iteration. Its temperature is compared with
/// quadrature.
#include "celsius/lqr.h"
#include "celsius/rng.h"
#include "celsius/safetensors.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define assert_ok(call)                                                                            \
  do {                                                                                             \
    if ((call) != CEL_OK) fail_msg("%s: %s", #call, cel_error());                                  \
  } while (0)

static void assert_near(const char *what, const double *x, const double *wanted, int count,
                        double tolerance) {
  double scale = 0.0;
  for (int i = 0; i < count; i++) scale = fmax(scale, fabs(wanted[i]));
  for (int i = 0; i < count; i++) {
    if (!(fabs(x[i] - wanted[i]) <= tolerance * scale)) {
      fail_msg("%s[%d] = %.17g, expected %.17g", what, i, x[i], wanted[i]);
    }
  }
}

// ---- SciPy

static const CelTensor *take(const CelSafetensors *file, int i, const char *key) {
  char name[32];
  snprintf(name, sizeof name, "%d.%s", i, key);
  const CelTensor *found = cel_safetensors_find(file, name);
  if (!found) fail_msg("the golden file has no %s", name);
  return found;
}

static void equal_to_scipy(void **state) {
  (void)state;
  CelSafetensors *file;
  assert_ok(cel_safetensors_open(CELSIUS_TEST_DIR "/golden/scipy_riccati.safetensors", &file));
  const int cases = atoi(cel_safetensors_meta(file, "cases"));
  assert_in_range(cases, 5, 100);
  for (int i = 0; i < cases; i++) {
    const CelTensor *A = take(file, i, "A"), *B = take(file, i, "B"), *Q = take(file, i, "Q");
    const CelTensor *R = take(file, i, "R"), *P = take(file, i, "P"), *K = take(file, i, "K");
    CelLqr lqr = {.n = (int)A->shape[0], .m = (int)B->shape[1], .noise = 0.1};
    memcpy(lqr.A, A->data, (size_t)A->size * sizeof(double));
    memcpy(lqr.B, B->data, (size_t)B->size * sizeof(double));
    memcpy(lqr.Q, Q->data, (size_t)Q->size * sizeof(double));
    memcpy(lqr.R, R->data, (size_t)R->size * sizeof(double));
    CelLqrSolution solution;
    assert_ok(cel_lqr_solve(&lqr, *(const double *)take(file, i, "gamma")->data, 0.2, &solution));
    print_message("case %d: %d doublings, residual %.1e\n", i, solution.iterations,
                  solution.residual);
    assert_near("P", solution.P, P->data, (int)P->size, 1e-9);
    assert_near("K", solution.K, K->data, (int)K->size, 1e-9);
    assert_true(solution.residual < 1e-12);
  }
  cel_safetensors_close(file);
}

// ---- value iteration, brute force: one action, V kept as a quadratic, greedy action by its
// formula

/// A random problem with one action.
static CelLqr random_problem(int n, uint32_t index) {
  CelLqr lqr = {.n = n, .m = 1, .noise = 0.3};
  CelRng rng = cel_rng(17, CEL_RNG_USER, index);
  for (int i = 0; i < n * n; i++) lqr.A[i] = cel_rng_normal(&rng) / sqrt((double)n);
  for (int i = 0; i < n; i++) lqr.B[i] = cel_rng_normal(&rng);
  for (int i = 0; i < n; i++) lqr.Q[i * n + i] = cel_rng_range(&rng, 0.1, 2.0);
  lqr.R[0] = cel_rng_range(&rng, 0.1, 2.0);
  return lqr;
}

/// x'P x for a given x.
static double form(const double *P, const double *x, int n) {
  double sum = 0.0;
  for (int i = 0; i < n; i++) {
    for (int j = 0; j < n; j++) sum += x[i] * P[i * n + j] * x[j];
  }
  return sum;
}

/// min over u of x'Qx + R u^2 + gamma (Ax + Bu)'P(Ax + Bu): three points fix the parabola in u.
static double backup(const CelLqr *lqr, double gamma, const double *P, const double *x) {
  const int n = lqr->n;
  double cost[3];
  for (int k = 0; k < 3; k++) {
    const double u = k - 1.0;
    double next[CEL_LQR_MAX];
    for (int i = 0; i < n; i++) {
      next[i] = lqr->B[i] * u;
      for (int j = 0; j < n; j++) next[i] += lqr->A[i * n + j] * x[j];
    }
    cost[k] = form(lqr->Q, x, n) + lqr->R[0] * u * u + gamma * form(P, next, n);
  }
  const double curve = 0.5 * (cost[0] + cost[2]) - cost[1], slope = 0.5 * (cost[2] - cost[0]);
  return cost[1] - slope * slope / (4.0 * curve);
}

/// One sweep of value iteration. The new P comes from backups at e_i and e_i + e_j.
static void sweep(const CelLqr *lqr, double gamma, const double *P, double *next) {
  const int n = lqr->n;
  double value[CEL_LQR_MAX];
  for (int i = 0; i < n; i++) {
    double x[CEL_LQR_MAX] = {0};
    x[i] = 1.0;
    value[i] = next[i * n + i] = backup(lqr, gamma, P, x);
  }
  for (int i = 0; i < n; i++) {
    for (int j = 0; j < i; j++) {
      double x[CEL_LQR_MAX] = {0};
      x[i] = x[j] = 1.0;
      next[i * n + j] = next[j * n + i] = 0.5 * (backup(lqr, gamma, P, x) - value[i] - value[j]);
    }
  }
}

static void equal_to_value_iteration(void **state) {
  (void)state;
  for (uint32_t index = 0; index < 12; index++) {
    const int n = 1 + (int)index % 5;
    const double gamma = index % 2 ? 0.99 : 0.7;
    const CelLqr lqr = random_problem(n, index);
    CelLqrSolution solution;
    assert_ok(cel_lqr_solve(&lqr, gamma, 0.0, &solution));
    double P[2][CEL_LQR_MAX * CEL_LQR_MAX] = {{0}};
    for (int k = 0; k < 6000; k++) sweep(&lqr, gamma, P[k % 2], P[(k + 1) % 2]);
    assert_near("P", solution.P, P[0], n * n, 1e-10);
  }
}

// ---- soft value iteration by quadrature, one state and one action

/// V on Chebyshev nodes of [-REACH, REACH], as a polynomial. This code does not assume that V is
/// quadratic or that the policy is Gaussian.
enum { NODES = 5, ACTIONS = 801, NOISES = 41 };
static const double reach = 2.0;

typedef struct Soft {
  const CelLqr *lqr;
  double gamma, alpha;
  double node[NODES], V[NODES];
} Soft;

static double interpolate(const Soft *s, double x) {
  double sum = 0.0;
  for (int i = 0; i < NODES; i++) {
    double basis = 1.0;
    for (int j = 0; j < NODES; j++) {
      if (j != i) basis *= (x - s->node[j]) / (s->node[i] - s->node[j]);
    }
    sum += s->V[i] * basis;
  }
  return sum;
}

/// E[V(x + noise w)]: the trapezoidal rule over +-8 standard deviations.
static double expect_next(const Soft *s, double x) {
  double sum = 0.0, weights = 0.0;
  for (int k = 0; k < NOISES; k++) {
    const double w = -8.0 + 16.0 * k / (NOISES - 1), weight = exp(-0.5 * w * w);
    sum += weight * interpolate(s, x + s->lqr->noise * w);
    weights += weight;
  }
  return sum / weights;
}

/// Moments of exp(Q/alpha) over actions: alpha log Z, mean, variance.
static void soften(const Soft *s, double x, double *V, double *mean, double *variance) {
  static double Q[ACTIONS];
  const double width = 12.0, step = 2.0 * width / (ACTIONS - 1);
  double most = -(double)INFINITY;
  for (int k = 0; k < ACTIONS; k++) {
    const double u = -width + step * k;
    const double next = s->lqr->A[0] * x + s->lqr->B[0] * u;
    const double reward = -(s->lqr->Q[0] * x * x + s->lqr->R[0] * u * u);
    Q[k] = reward + s->gamma * expect_next(s, next);
    most = fmax(most, Q[k]);
  }
  double Z = 0.0, first = 0.0, second = 0.0;
  for (int k = 0; k < ACTIONS; k++) {
    const double u = -width + step * k, weight = exp((Q[k] - most) / s->alpha) * step;
    Z += weight;
    first += weight * u;
    second += weight * u * u;
  }
  *V = most + s->alpha * log(Z);
  *mean = first / Z;
  *variance = second / Z - *mean * *mean;
}

static void equal_to_soft_value_iteration(void **state) {
  (void)state;
  static const double problems[][6] = {// A, B, Q, R, noise, alpha
                                       {0.9, 0.5, 1.0, 0.1, 0.1, 0.2},
                                       {1.2, -0.8, 0.3, 0.5, 0.0, 1.0},
                                       {-0.5, 1.0, 2.0, 1.0, 0.4, 0.5}};
  for (size_t p = 0; p < sizeof problems / sizeof problems[0]; p++) {
    const double *c = problems[p];
    const CelLqr lqr = {
        .n = 1, .m = 1, .A = {c[0]}, .B = {c[1]}, .Q = {c[2]}, .R = {c[3]}, .noise = c[4]};
    Soft s = {.lqr = &lqr, .gamma = 0.8, .alpha = c[5]};
    for (int i = 0; i < NODES; i++) {
      s.node[i] = reach * cos(3.14159265358979323846 * (i + 0.5) / NODES);
    }
    double V[NODES], mean, variance;
    for (int k = 0; k < 130; k++) { // .8^130 = 3e-13
      for (int i = 0; i < NODES; i++) soften(&s, s.node[i], &V[i], &mean, &variance);
      memcpy(s.V, V, sizeof V);
    }
    CelLqrSolution solution;
    assert_ok(cel_lqr_solve(&lqr, s.gamma, s.alpha, &solution));
    const double x = 0.7;
    double value;
    soften(&s, x, &value, &mean, &variance);
    const double exact = -solution.P[0] * x * x + solution.constant, gain = -solution.K[0] * x;
    assert_near("V", &value, &exact, 1, 1e-8);
    assert_near("mean", &mean, &gain, 1, 1e-8);
    assert_near("variance", &variance, solution.Sigma, 1, 1e-8);
    const double entropy = 0.5 * log(2.0 * 3.14159265358979323846 * exp(1.0) * variance);
    assert_near("entropy", &entropy, &solution.entropy, 1, 1e-8);
  }
}

// ---- limits and refusals

static void temperature_zero_is_unregularized(void **state) {
  (void)state;
  const CelLqr lqr = random_problem(3, 40);
  CelLqrSolution hard, soft;
  assert_ok(cel_lqr_solve(&lqr, 0.95, 0.0, &hard));
  assert_ok(cel_lqr_solve(&lqr, 0.95, 0.7, &soft));
  assert_near("K", soft.K, hard.K, 3, 0);
  assert_true(hard.Sigma[0] == 0.0 && soft.Sigma[0] > 0.0);
  assert_true(isinf(hard.entropy) && hard.entropy < 0.0);
  double trace = hard.P[0] + hard.P[4] + hard.P[8];
  double constant = -0.95 * lqr.noise * lqr.noise * trace / 0.05;
  assert_near("constant", &hard.constant, &constant, 1, 1e-12);
}

/// At discount 0 only the immediate cost counts: P = Q, K = 0, Sigma = alpha/2 R^-1.
static void discount_zero(void **state) {
  (void)state;
  const CelLqr lqr = {.n = 2,
                      .m = 1,
                      .A = {1, 0.1, 0, 1},
                      .B = {0, 0.1},
                      .Q = {2, 0.5, 0.5, 3},
                      .R = {4},
                      .noise = 1};
  CelLqrSolution solution;
  const double alpha = 0.6, K[] = {0, 0}, Sigma = alpha / 2 / 4;
  const double constant = alpha * 0.5 * log(3.14159265358979323846 * alpha / 4);
  assert_ok(cel_lqr_solve(&lqr, 0.0, alpha, &solution));
  assert_near("P", solution.P, lqr.Q, 4, 1e-15);
  assert_near("K", solution.K, K, 2, 1e-15);
  assert_near("Sigma", solution.Sigma, &Sigma, 1, 1e-15);
  assert_near("constant", &solution.constant, &constant, 1, 1e-14);
}

static void expect_refused(const CelLqr *lqr, double gamma, double alpha, const char *word) {
  CelLqrSolution solution;
  assert_int_equal(cel_lqr_solve(lqr, gamma, alpha, &solution), CEL_E_RANGE);
  if (!strstr(cel_error(), word)) fail_msg("no '%s' in: %s", word, cel_error());
}

static void refusals(void **state) {
  (void)state;
  const CelLqr good = random_problem(2, 50);
  CelLqr bad = good;
  expect_refused(&good, 1.0, 0.1, "gamma 1");
  expect_refused(&good, -0.1, 0.1, "gamma -0.1");
  expect_refused(&good, (double)NAN, 0.1, "gamma");
  expect_refused(&good, 0.9, -0.1, "temperature -0.1");
  bad.n = CEL_LQR_MAX + 1;
  expect_refused(&bad, 0.9, 0.1, "17");
  bad = good, bad.R[0] = 0.0;
  expect_refused(&bad, 0.9, 0.1, "R of a regulator must be positive definite");
  bad = good, bad.Q[3] = -0.5;
  expect_refused(&bad, 0.9, 0.1, "Q of a regulator must be positive semidefinite");
  bad = good, bad.Q[1] = 0.5;
  expect_refused(&bad, 0.9, 0.1, "symmetric");
  bad = good, bad.A[2] = (double)NAN;
  expect_refused(&bad, 0.9, 0.1, "finite");
  // A mode that no action controls and that grows faster than the discount decays.
  CelLqr lost = {.n = 2, .m = 1, .A = {1.5, 0, 0, 0.5}, .B = {0, 1}, .Q = {1, 0, 0, 1}, .R = {1}};
  expect_refused(&lost, 0.9, 0.1, "stabilizable");
  CelLqrSolution solution;
  assert_ok(cel_lqr_solve(&lost, 0.4, 0.1, &solution)); // .4 * 1.5^2 < 1, so the discount wins
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(equal_to_scipy),
      cmocka_unit_test(equal_to_value_iteration),
      cmocka_unit_test(equal_to_soft_value_iteration),
      cmocka_unit_test(temperature_zero_is_unregularized),
      cmocka_unit_test(discount_zero),
      cmocka_unit_test(refusals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
