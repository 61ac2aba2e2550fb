/// The elementwise functions: errors in ulps over a sweep of float32 (test_math_full.c tests every
/// number), special values, and sizes that are not a multiple of a vector.
#include "math_sweep.h"

static void test_ulps(void **state) {
  (void)state;
  bool failed = false;
  for (int f = 0; f < N_MATH_FNS; f++) {
    float where = 0;
    const double worst = math_sweep(&MATH_FNS[f], 1009, false, &where);
    print_message("%s: %.3f ulp at %.9g\n", MATH_FNS[f].name, worst, (double)where);
    assert_true(worst > 0.4); // checks that the sweep measured something
    if (worst <= MATH_FNS[f].limit) continue;
    print_error("%s(%.9g) is off by %.4f ulp, the documented limit is %.2f\n", MATH_FNS[f].name,
                (double)where, worst, MATH_FNS[f].limit);
    failed = true;
  }
  assert_false(failed);
}

/// GELU z Phi(z) and its derivative Phi(z) + z phi(z), of every instruction set. The limits are
/// those documented at v_normal_cdf: 2e-7 in Phi, and 1e-4 of Phi in the tail.
static void test_gelu(void **state) {
  (void)state;
  enum { N = 28001 };
  float *z = calloc(N, sizeof *z), *y = calloc(N, sizeof *y), *dy = calloc(N, sizeof *dy),
        *dz = calloc(N, sizeof *dz);
  double worst = 0, worst_tail = 0, worst_slope = 0;
  const CeliOps *ops;
  assert_true(z && y && dy && dz);
  for (int i = 0; i < N; i++) z[i] = -14 + (float)i * 1e-3f, dy[i] = 1;
  for (int t = 0; (ops = celi_ops_at(t)); t++) {
    ops->activation_forward(y, N, z, N, 0, 1, N, CELI_GELU);
    ops->activation_backward(dz, N, dy, N, z, N, 0, 1, N, CELI_GELU);
    for (int i = 0; i < N; i++) {
      const double x = (double)z[i], cdf = 0.5 * erfc(-x * sqrt(0.5));
      const double slope = cdf + x * exp(-0.5 * x * x) / sqrt(2 * acos(-1.0));
      const double error = fabs((double)y[i] - x * cdf) / fmax(fabs(x), 1e-3);
      worst = fmax(worst, error);
      if (x < -1 && x > -13) worst_tail = fmax(worst_tail, error / cdf);
      worst_slope = fmax(worst_slope, fabs((double)dz[i] - slope));
    }
  }
  print_message("gelu: Phi %.3g, tail %.3g of Phi, slope %.3g\n", worst, worst_tail, worst_slope);
  assert_true(worst > 0 && worst < 2e-7);
  assert_true(worst_tail < 1e-4);
  assert_true(worst_slope < 5e-7);
  free(z), free(y), free(dy), free(dz);
}

static float one(const CeliOps *ops, const char *name, float x) {
  float y = 0;
  for (int f = 0; f < N_MATH_FNS; f++)
    if (strcmp(MATH_FNS[f].name, name) == 0) map_of(ops, &MATH_FNS[f])(&y, &x, 1);
  return y;
}

static void expect(const CeliOps *ops, const char *name, float x, float y) {
  const float got = one(ops, name, x);
  if (!same_bits(got, y))
    fail_msg("%s: %s(%.9g) is %.9g, expected %.9g", ops->name, name, (double)x, (double)got,
             (double)y);
}

static void test_special_values(void **state) {
  (void)state;
  const CeliOps *ops;
  for (int t = 0; (ops = celi_ops_at(t)); t++) {
    for (int f = 0; f < N_MATH_FNS; f++) expect(ops, MATH_FNS[f].name, NAN, NAN);
    expect(ops, "exp", 0, 1);
    expect(ops, "exp", INFINITY, INFINITY);
    expect(ops, "exp", -INFINITY, 0);
    expect(ops, "exp", 3e38f, INFINITY);
    expect(ops, "exp", -3e38f, 0);
    expect(ops, "exp", -103.9f, 0x1p-149f); // smallest positive float32
    expect(ops, "log", 1, 0);
    expect(ops, "log", 0, -INFINITY);
    expect(ops, "log", -0.0f, -INFINITY);
    expect(ops, "log", -1, NAN);
    expect(ops, "log", -1e-45f, NAN);
    expect(ops, "log", -INFINITY, NAN);
    expect(ops, "log", INFINITY, INFINITY);
    expect(ops, "tanh", 0, 0);
    expect(ops, "tanh", -0.0f, -0.0f);
    expect(ops, "tanh", 1e-45f, 1e-45f);
    expect(ops, "tanh", -1e-20f, -1e-20f);
    expect(ops, "tanh", INFINITY, 1);
    expect(ops, "tanh", -INFINITY, -1);
    expect(ops, "sigmoid", 0, 0.5f);
    expect(ops, "sigmoid", INFINITY, 1);
    expect(ops, "sigmoid", -INFINITY, 0);
    expect(ops, "softplus", INFINITY, INFINITY);
    expect(ops, "softplus", -INFINITY, 0);
    expect(ops, "softplus", 200, 200);
  }
}

/// Any length gives the same as element by element, also in place, and writes nothing beyond the
/// end.
static void test_lengths(void **state) {
  (void)state;
  float *x = kit_floats(64, 5);
  const CeliOps *ops;
  for (int t = 0; (ops = celi_ops_at(t)); t++)
    for (int f = 0; f < N_MATH_FNS; f++)
      for (int64_t n = 0; n <= 40; n++) {
        float *y = kit_pad(NULL, 1, n, n + 1), *z = kit_pad(x, 1, n, n + 1), each[40];
        for (int64_t i = 0; i < n; i++) each[i] = one(ops, MATH_FNS[f].name, x[i]);
        map_of(ops, &MATH_FNS[f])(y, x, n);
        map_of(ops, &MATH_FNS[f])(z, z, n);
        kit_same(MATH_FNS[f].name, y, n, each, 1, n);
        kit_same(MATH_FNS[f].name, z, n, each, 1, n);
        kit_padding_untouched(MATH_FNS[f].name, y, 1, n, n + 1);
        free(y);
        free(z);
      }
  free(x);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ulps),
      cmocka_unit_test(test_gelu),
      cmocka_unit_test(test_special_values),
      cmocka_unit_test(test_lengths),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
