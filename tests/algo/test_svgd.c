/// Stein variational gradient descent: one step compared with NumPy (tests/golden/numpy_svgd.py),
/// densities with known moments, and limits of the method.
#include "algo/sqlc_stein.h"
#include "celsius/rng.h"
#include "celsius/safetensors.h"
#include "celsius/svgd.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 4000 };

static void ok(CelStatus status) {
  if (status != CEL_OK) fail_msg("%s", cel_error());
}

// ---- one step

static const double *golden(const CelSafetensors *file, const char *group, const char *name,
                            int64_t *rows, int64_t *columns) {
  char full[64];
  snprintf(full, sizeof full, "%s.%s", group, name);
  const CelTensor *t = cel_safetensors_find(file, full);
  assert_non_null(t);
  if (rows) *rows = t->shape[0];
  if (columns) *columns = t->shape[1];
  return t->data;
}

static void expect_near(const double *have, const double *want, int64_t n, const char *what) {
  for (int64_t i = 0; i < n; i++)
    if (!(fabs(have[i] - want[i]) <= 1e-10 * (1 + fabs(want[i]))))
      fail_msg("%s: element %d is %.15g, NumPy has %.15g", what, (int)i, have[i], want[i]);
}

static void test_one_step(void **state) {
  (void)state;
  static const char *const groups[] = {"line", "plane", "one", "odd"};
  CelSafetensors *file;
  ok(cel_safetensors_open(CELSIUS_TEST_DIR "/golden/numpy_svgd.safetensors", &file));
  for (int g = 0; g < 4; g++) {
    int64_t n, m, d;
    double phi[64], h;
    const double *x = golden(file, groups[g], "x", &n, &d),
                 *y = golden(file, groups[g], "y", &m, NULL),
                 *score = golden(file, groups[g], "score", NULL, NULL);
    assert_true(m * d <= 64);
    ok(cel_svgd_bandwidth(&h, x, n, d));
    expect_near(&h, golden(file, groups[g], "h", NULL, NULL), 1, groups[g]);
    ok(cel_svgd_direction(phi, x, score, y, h, n, m, d));
    expect_near(phi, golden(file, groups[g], "phi", NULL, NULL), m * d, groups[g]);
    ok(cel_svgd_direction(phi, x, score, y, 5, n, m, d));
    expect_near(phi, golden(file, groups[g], "phi_wide", NULL, NULL), m * d, groups[g]);
  }
  cel_safetensors_close(file);
}

/// The learner's version in single precision gives the same direction and the same bandwidth.
static void test_single_precision(void **state) {
  (void)state;
  static const struct {
    int64_t n, m, A;
    double bandwidth;
  } cases[] = {{32, 32, 2, 0}, {2, 1, 1, 0}, {3, 7, 1, 0}, {16, 5, 6, 0}, {7, 16, 3, 1.5}};
  enum { MOST_PARTICLES = 32, MOST_DIMS = 6, SIZE = MOST_PARTICLES * MOST_DIMS };
  static float scratch[4096];
  CelRng rng = cel_rng(31, CEL_RNG_USER, 0);
  for (int k = 0; k < 5; k++) {
    const CeliStein stein = {cases[k].n, cases[k].m, cases[k].A, cases[k].bandwidth};
    const int64_t size = stein.n * stein.A, points = stein.m * stein.A;
    double u[SIZE], score[SIZE], v[SIZE], phi[SIZE], h = stein.bandwidth, norm = 0;
    float u32[SIZE], score32[SIZE], v32[SIZE], phi32[SIZE];
    for (int64_t i = 0; i < size; i++) {
      u[i] = (double)(u32[i] = (float)(3 + cel_rng_normal(&rng)));
      score[i] = (double)(score32[i] = (float)cel_rng_normal(&rng));
    }
    for (int64_t i = 0; i < points; i++)
      v[i] = (double)(v32[i] = (float)(3 + cel_rng_normal(&rng)));
    if (h == 0) ok(cel_svgd_bandwidth(&h, u, stein.n, stein.A));
    ok(cel_svgd_direction(phi, u, score, v, h, stein.n, stein.m, stein.A));
    assert_true(celi_stein_scratch(&stein) <= 4096);
    celi_stein_direction(&stein, phi32, u32, score32, v32, scratch);
    for (int64_t i = 0; i < points; i++) norm = fmax(norm, fabs(phi[i]));
    for (int64_t i = 0; i < points; i++)
      if (!(fabs((double)phi32[i] - phi[i]) <= 1e-5 * norm))
        fail_msg("case %d: element %d is %.9g, not %.9g", k, (int)i, (double)phi32[i], phi[i]);
  }
  assert_true(celi_median_of_squares((const float[]){3, 0, 2, 7}, 4) == 2.5f);
  assert_true(celi_median_of_squares((const float[]){3, 3, 3, 7}, 4) == 3);
  assert_true(celi_median_of_squares((const float[]){0, 0, 5}, 3) == 0);
}

// ---- densities

/// Sum over components of weight N(mean, sd^2), the same in every dimension. There may be one
/// component only.
typedef struct Mixture {
  int n;
  double weight[2], mean[2], sd[2];
} Mixture;

static double normal_density(double x, double mean, double sd) {
  return exp(-0.5 * (x - mean) * (x - mean) / (sd * sd)) / (sd * 2.5066282746310002);
}

static void mixture_score(void *data, double *score, const double *x, int64_t n, int64_t d) {
  const Mixture *p = data;
  for (int64_t i = 0; i < n * d; i++) {
    double density = 0, slope = 0;
    for (int c = 0; c < p->n; c++) {
      const double part = p->weight[c] * normal_density(x[i], p->mean[c], p->sd[c]);
      density += part, slope += part * (p->mean[c] - x[i]) / (p->sd[c] * p->sd[c]);
    }
    score[i] = slope / density;
  }
}

static double mixture_below(const Mixture *p, double x) {
  double sum = 0;
  for (int c = 0; c < p->n; c++)
    sum += p->weight[c] * 0.5 * erfc((p->mean[c] - x) / (p->sd[c] * 1.4142135623730951));
  return sum;
}

/// Correlated in two dimensions: covariance ((1, .6), (.6, 2)), mean (1, -1).
static void ellipse_score(void *data, double *score, const double *x, int64_t n, int64_t d) {
  (void)data;
  assert_int_equal(d, 2);
  const double determinant = 2 - 0.36;
  for (int64_t i = 0; i < n; i++) {
    const double a = x[2 * i] - 1, b = x[2 * i + 1] + 1;
    score[2 * i] = -(2 * a - 0.6 * b) / determinant;
    score[2 * i + 1] = -(b - 0.6 * a) / determinant;
  }
}

static void flat_score(void *data, double *score, const double *x, int64_t n, int64_t d) {
  (void)data, (void)x;
  memset(score, 0, (size_t)(n * d) * sizeof *score);
}

/// The score of the density proportional to 1 - a^2 on [-1, 1], which results if particles in a use
/// the Jacobian of u.
static void parabola_score(void *data, double *score, const double *x, int64_t n, int64_t d) {
  (void)data;
  for (int64_t i = 0; i < n * d; i++) score[i] = -2 * x[i] / (1 - x[i] * x[i]);
}

static void start(double *x, int64_t n, double mean, double sd, uint64_t seed) {
  CelRng rng = cel_rng(seed, CEL_RNG_USER, 0);
  for (int64_t i = 0; i < n; i++) x[i] = mean + sd * cel_rng_normal(&rng);
}

static double moment(const double *x, int64_t n, int64_t stride, double about, int power) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += pow(x[i * stride] - about, power) / (double)n;
  return sum;
}

static CelSvgdOptions options(int64_t steps, double step_size) {
  CelSvgdOptions o = cel_svgd_options_default();
  o.steps = steps, o.step_size = step_size;
  return o;
}

static void start_flat(double *x, int64_t n) {
  start(x, n, 0, 0.3, 4);
  for (int64_t i = 0; i < n; i++) x[i] = tanh(x[i]);
}

/// A flat density on [-1, 1]: particles, kernel and score in u.
static void test_flat(void **state) {
  (void)state;
  double x[400];
  for (int64_t d = 1; d <= 2; d++) {
    const int64_t n = 200;
    CelSvgdOptions o = options(750, 0.05);
    o.squash = true;
    start_flat(x, n * d);
    ok(cel_svgd_run(x, n, d, flat_score, NULL, &o));
    const double square = moment(x, n * d, 1, 0, 2);
    print_message("flat, %d dimensions: E[a^2] = %.4f\n", (int)d, square);
    if (!(fabs(square - 1.0 / 3) <= 0.01)) fail_msg("E[a^2] is %.4f, expected 1/3", square);
  }
}

/// The wrong spaces: particles in u with the score of Q alone diverge; particles in a with the
/// density of u count the Jacobian twice.
static void test_wrong_spaces(void **state) {
  (void)state;
  double x[100];
  CelSvgdOptions o = options(1500, 0.05);
  start(x, 100, 0, 0.3, 4);
  ok(cel_svgd_run(x, 100, 1, flat_score, NULL, &o));
  const double away = moment(x, 100, 1, 0, 2);
  print_message("u with the score of Q alone: E[u^2] = %.1f\n", away);
  assert_true(away > 10); // the right density has .82
  start_flat(x, 100);
  o.step_size = 0.004;
  o.steps = 2000;
  ok(cel_svgd_run(x, 100, 1, parabola_score, NULL, &o));
  const double square = moment(x, 100, 1, 0, 2);
  print_message("a with the density of u: E[a^2] = %.4f\n", square);
  assert_true(fabs(square - 0.2) <= 0.01);
}

/// Mean and variance of N(.7, 1.3^2), with a start elsewhere.
static void gaussian(int64_t n, double *mean, double *variance) {
  static double x[MOST];
  Mixture p = {1, {1, 0}, {0.7, 0}, {1.3, 1}};
  const CelSvgdOptions o = options(250, 0.1);
  start(x, n, -2, 0.5, 1);
  ok(cel_svgd_run(x, n, 1, mixture_score, &p, &o));
  *mean = moment(x, n, 1, 0, 1), *variance = moment(x, n, 1, *mean, 2);
}

/// Within 5% for 400 particles (2% here). The error decreases with their number.
static void test_gaussian_line(void **state) {
  (void)state;
  static const int64_t sizes[] = {10, 50, 400};
  double error[3], mean, variance;
  for (int i = 0; i < 3; i++) {
    gaussian(sizes[i], &mean, &variance);
    error[i] = fabs(variance / 1.69 - 1);
    print_message("%d particles: mean %.4f, variance off by %.2f%%\n", (int)sizes[i], mean,
                  100 * error[i]);
    assert_true(fabs(mean - 0.7) <= 0.02);
  }
  assert_true(error[2] <= 0.02);
  assert_true(error[1] < error[0] && error[2] < error[1]);
}

/// The largest relative error of the ellipse's moments. Errors of means are relative to the
/// deviation.
static double plane_error(int64_t n) {
  double x[800], mean[2], covariance = 0;
  const CelSvgdOptions o = options(200, 0.1);
  assert_true(n <= 400);
  start(x, 2 * n, 0, 1, 2);
  ok(cel_svgd_run(x, n, 2, ellipse_score, NULL, &o));
  for (int k = 0; k < 2; k++) mean[k] = moment(x + k, n, 2, 0, 1);
  for (int64_t i = 0; i < n; i++)
    covariance += (x[2 * i] - mean[0]) * (x[2 * i + 1] - mean[1]) / (double)n;
  const double first = moment(x, n, 2, mean[0], 2), second = moment(x + 1, n, 2, mean[1], 2);
  print_message("plane, %d particles: mean (%.3f, %.3f), covariance ((%.3f, %.3f), (., %.3f))\n",
                (int)n, mean[0], mean[1], first, covariance, second);
  const double means = fmax(fabs(mean[0] - 1), fabs(mean[1] + 1) / sqrt(2));
  return fmax(fmax(means, fabs(covariance / 0.6 - 1)), fmax(fabs(first - 1), fabs(second / 2 - 1)));
}

/// Within 5% for 400 particles. The error decreases with their number.
static void test_gaussian_plane(void **state) {
  (void)state;
  static const int64_t sizes[] = {25, 100, 400};
  double error[3];
  for (int i = 0; i < 3; i++) error[i] = plane_error(sizes[i]);
  assert_true(error[1] < error[0] && error[2] < error[1]);
  assert_true(error[2] <= 0.05);
}

/// A limit of the method: in ten dimensions the particles are too close together.
static void test_ten_dimensions(void **state) {
  (void)state;
  static double x[2000];
  Mixture p = {1, {1, 0}, {0, 0}, {1, 1}};
  const CelSvgdOptions o = options(300, 0.1);
  start(x, 2000, 0, 1, 3);
  ok(cel_svgd_run(x, 200, 10, mixture_score, &p, &o));
  const double variance = moment(x, 2000, 1, 0, 2);
  print_message("ten dimensions, 200 particles: variance %.3f of 1\n", variance);
  assert_true(variance < 0.95);
  assert_true(variance > 0.3);
}

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/// The fraction of particles right of 0, and the Kolmogorov-Smirnov distance.
static void compare(double *x, int64_t n, const Mixture *p, double *right, double *distance) {
  qsort(x, (size_t)n, sizeof *x, by_value);
  *right = *distance = 0;
  for (int64_t i = 0; i < n; i++) {
    const double below = mixture_below(p, x[i]);
    *right += (x[i] > 0) / (double)n;
    *distance = fmax(*distance, fmax(fabs((double)i / (double)n - below),
                                     fabs((double)(i + 1) / (double)n - below)));
  }
}

static void test_overlapping_modes(void **state) {
  (void)state;
  double x[150], right, distance;
  Mixture p = {2, {0.3, 0.7}, {-1.5, 1.5}, {0.7, 0.7}};
  const CelSvgdOptions o = options(1500, 0.1);
  start(x, 150, 0, 1, 5);
  ok(cel_svgd_run(x, 150, 1, mixture_score, &p, &o));
  compare(x, 150, &p, &right, &distance);
  print_message("overlapping modes: %.3f right of 0, distance %.3f\n", right, distance);
  assert_true(fabs(right - (1 - mixture_below(&p, 0))) <= 0.02);
  assert_true(distance <= 0.05);
}

/// A symmetric density and many starts: on average each mode gets half of the particles, wherever
/// the few initial ones are.
static void test_many_starts(void **state) {
  (void)state;
  double x[40], right, distance, sum = 0;
  Mixture p = {2, {0.5, 0.5}, {-1.5, 1.5}, {0.7, 0.7}};
  const CelSvgdOptions o = options(400, 0.1);
  for (uint64_t seed = 0; seed < 40; seed++) {
    start(x, 40, 0, 1, 100 + seed);
    ok(cel_svgd_run(x, 40, 1, mixture_score, &p, &o));
    compare(x, 40, &p, &right, &distance);
    sum += right / 40;
  }
  print_message("symmetric modes, 40 starts: %.3f right of 0\n", sum);
  assert_true(fabs(sum - 0.5) <= 0.03);
}

/// A limit of the method: between modes far apart nothing moves, so the mass stays where it
/// started.
static void test_separated_modes(void **state) {
  (void)state;
  double x[200], right, distance;
  Mixture p = {2, {0.5, 0.5}, {-2, 2}, {0.5, 0.5}};
  const CelSvgdOptions o = options(500, 0.05);
  for (int k = 0; k < 2; k++) {
    start(x, 200, k ? 2 : -2, 0.3, 6);
    ok(cel_svgd_run(x, 200, 1, mixture_score, &p, &o));
    compare(x, 200, &p, &right, &distance);
    print_message("separated modes, start at %d: %.3f right of 0\n", k ? 2 : -2, right);
    assert_true(k ? right > 0.9 : right < 0.1);
  }
}

// ---- invalid input

static void nan_score(void *data, double *score, const double *x, int64_t n, int64_t d) {
  flat_score(data, score, x, n, d);
  score[n * d - 1] = (double)NAN;
}

static void expect(CelStatus status, CelStatus wanted, const char *word) {
  assert_int_equal(status, wanted);
  if (!strstr(cel_error(), word))
    fail_msg("the message '%s' does not contain '%s'", cel_error(), word);
}

static void test_bad_input(void **state) {
  (void)state;
  double x[3] = {0, 0.5, 2}, phi[3], h;
  CelSvgdOptions o = cel_svgd_options_default();
  expect(cel_svgd_direction(phi, x, x, x, 0, 3, 3, 1), CEL_E_RANGE, "h is 0");
  expect(cel_svgd_direction(phi, x, x, x, (double)NAN, 3, 3, 1), CEL_E_RANGE, "h is");
  expect(cel_svgd_bandwidth(&h, x, 0, 1), CEL_E_RANGE, "at least 1");
  expect(cel_svgd_run(x, 3, 1, nan_score, NULL, NULL), CEL_E_NAN, "particle 2 at step 0");
  assert_true(x[0] == 0 && x[1] == 0.5 && x[2] == 2);
  o.squash = true;
  expect(cel_svgd_run(x, 3, 1, flat_score, NULL, &o), CEL_E_RANGE, "particle 2 starts at 2");
  o.decay = 2;
  expect(cel_svgd_run(x, 2, 1, flat_score, NULL, &o), CEL_E_RANGE, "decay");
  const double same[3] = {1, 1, 1};
  ok(cel_svgd_bandwidth(&h, same, 3, 1));
  assert_true(h == 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_one_step),       cmocka_unit_test(test_single_precision),
      cmocka_unit_test(test_flat),           cmocka_unit_test(test_wrong_spaces),
      cmocka_unit_test(test_gaussian_line),  cmocka_unit_test(test_gaussian_plane),
      cmocka_unit_test(test_ten_dimensions), cmocka_unit_test(test_overlapping_modes),
      cmocka_unit_test(test_many_starts),    cmocka_unit_test(test_separated_modes),
      cmocka_unit_test(test_bad_input)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
