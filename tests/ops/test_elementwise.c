/// Elementwise kernels, reductions and optimizer steps compared with plain loops, on every
/// instruction set.
#include "kit.h"

static const int64_t LENGTHS[] = {0, 1, 3, 15, 16, 17, 23, 100, 257, 1000};
enum { N_LENGTHS = 10 };

/// The definition of a sum: 16 lanes, then the upper half is added to the lower one.
static float lanes_sum(const float *x, int64_t n, bool squares) {
  float lane[16] = {0};
  for (int64_t i = 0; i < n; i++)
    lane[i % 16] = squares ? fmaf(x[i], x[i], lane[i % 16]) : lane[i % 16] + x[i];
  for (int width = 8; width >= 1; width /= 2)
    for (int i = 0; i < width; i++) lane[i] += lane[i + width];
  return lane[0];
}

static void test_reductions(void **state) {
  (void)state;
  float *x = kit_floats(1000, 7);
  const CeliOps *ops;
  for (int t = 0; (ops = celi_ops_at(t)); t++)
    for (int l = 0; l < N_LENGTHS; l++) {
      const int64_t n = LENGTHS[l];
      float top = -INFINITY;
      for (int64_t i = 0; i < n; i++) top = fmaxf(top, x[i]);
      const float sum = ops->sum(x, n), squares = ops->sum_squares(x, n), max = ops->max(x, n);
      const float expected = lanes_sum(x, n, false), expected_squares = lanes_sum(x, n, true);
      kit_same("sum", &sum, 1, &expected, 1, 1);
      kit_same("sum_squares", &squares, 1, &expected_squares, 1, 1);
      kit_same("max", &max, 1, &top, 1, 1);
      assert_true(ops->all_finite(x, n));
    }
  free(x);
}

/// A single number that is not finite is found at every position.
static void test_not_finite(void **state) {
  (void)state;
  float *x = kit_floats(100, 8);
  const CeliOps *ops;
  for (int t = 0; (ops = celi_ops_at(t)); t++)
    for (int64_t i = 0; i < 100; i++) {
      const float kept = x[i];
      x[i] = NAN;
      assert_true(isnan(ops->max(x, 100)) && isnan(ops->sum(x, 100)));
      assert_false(ops->all_finite(x, 100));
      assert_true(ops->all_finite(x, i)); // but not beyond the end
      x[i] = INFINITY;
      assert_true(isinf(ops->max(x, 100)) && !ops->all_finite(x, 100));
      x[i] = -INFINITY;
      assert_true(!ops->all_finite(x, 100) && isfinite(ops->max(x, 100)));
      x[i] = kept;
    }
  free(x);
}

static void test_simple_maps(void **state) {
  (void)state;
  float *x = kit_floats(1000, 9), *y = kit_floats(1000, 10);
  const CeliOps *ops;
  for (int t = 0; (ops = celi_ops_at(t)); t++)
    for (int l = 0; l < N_LENGTHS; l++) {
      const int64_t n = LENGTHS[l];
      float *out = kit_pad(y, 1, n, n + 1), expected[1000];
      for (int64_t i = 0; i < n; i++) expected[i] = fmaf(2.5f, x[i], -0.75f * y[i]);
      ops->axpby(out, 2.5f, x, -0.75f, n);
      kit_same("axpby", out, n, expected, 1, n);
      for (int64_t i = 0; i < n; i++) expected[i] = fminf(fmaxf(x[i], -0.5f), 0.25f);
      ops->clamp(out, x, -0.5f, 0.25f, n);
      kit_same("clamp", out, n, expected, 1, n);
      for (int64_t i = 0; i < n; i++) expected[i] = 3.5f;
      ops->fill(out, 3.5f, n);
      kit_same("fill", out, n, expected, 1, n);
      kit_padding_untouched("maps", out, 1, n, n + 1);
      free(out);
    }
  free(x);
  free(y);
}

static void test_maps_not_finite(void **state) {
  (void)state;
  const float x[3] = {NAN, INFINITY, -INFINITY};
  const CeliOps *ops;
  for (int t = 0; (ops = celi_ops_at(t)); t++) {
    float y[3] = {NAN, NAN, NAN};
    ops->clamp(y, x, -1, 1, 3);
    assert_true(isnan(y[0]) && y[1] == 1 && y[2] == -1);
    const float clean[3] = {1, 2, 3};
    y[0] = NAN;
    ops->axpby(y, 2, clean, 0, 3); // y is not read for b = 0
    assert_true(y[0] == 2 && y[1] == 4 && y[2] == 6);
  }
}

/// Ten steps of Adam and AdamW in double, as PyTorch's documentation defines them.
static void adam_double(double *p, const double *g, double *m, double *v, int t, double lr,
                        double decay, int64_t n) {
  const double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  for (int64_t i = 0; i < n; i++) {
    p[i] -= lr * decay * p[i];
    m[i] = beta1 * m[i] + (1 - beta1) * g[i];
    v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
    const double bias1 = 1 - pow(beta1, t), bias2 = 1 - pow(beta2, t);
    p[i] -= lr / bias1 * m[i] / (sqrt(v[i]) / sqrt(bias2) + epsilon);
  }
}

static void check_adam(const CeliOps *ops, double decay, float *first, bool compare) {
  enum { N = 103, STEPS = 10 };
  float *p = kit_floats(N, 11), *m = kit_pad(NULL, 1, N, N), *v = kit_pad(NULL, 1, N, N);
  ops->fill(m, 0, N);
  ops->fill(v, 0, N);
  double *dp = kit_doubles(p, N), dm[N] = {0}, dv[N] = {0};
  CeliAdamStep step = {.learning_rate = 1e-2f,
                       .beta1 = 0.9,
                       .beta2 = 0.999,
                       .epsilon = 1e-8f,
                       .weight_decay = (float)decay,
                       .grad_scale = 0.5f};
  for (int t = 1; t <= STEPS; t++) {
    float *g = kit_floats(N, 100 + (uint64_t)t);
    double dg[N];
    for (int i = 0; i < N; i++) dg[i] = 0.5 * (double)g[i];
    celi_adam_advance(&step);
    ops->adam(p, g, m, v, &step, 0, 40);
    ops->adam(p, g, m, v, &step, 40, N);
    adam_double(dp, dg, dm, dv, t, (double)1e-2f, (double)(float)decay, N);
    free(g);
  }
  assert_int_equal(step.t, STEPS);
  kit_near("adam's p", p, N, dp, 1, N, 2e-6);
  kit_near("adam's m", m, N, dm, 1, N, 1e-6);
  kit_near("adam's v", v, N, dv, 1, N, 1e-6);
  if (compare)
    kit_same("adam on two instruction sets", p, N, first, 1, N);
  else
    memcpy(first, p, N * sizeof *p);
  free(p);
  free(m);
  free(v);
  free(dp);
}

static void test_adam(void **state) {
  (void)state;
  float first[2][103];
  const CeliOps *ops;
  for (int t = 0; (ops = celi_ops_at(t)); t++) {
    check_adam(ops, 0, first[0], t > 0);
    check_adam(ops, 0.1, first[1], t > 0);
  }
}

static void test_polyak(void **state) {
  (void)state;
  enum { N = 77 };
  float *p = kit_floats(N, 12), *target = kit_floats(N, 13), expected[N];
  for (int i = 0; i < N; i++) expected[i] = fmaf(0.005f, p[i] - target[i], target[i]);
  const CeliOps *ops;
  for (int t = 0; (ops = celi_ops_at(t)); t++) {
    float *out = kit_pad(target, 1, N, N);
    ops->polyak(out, p, 0.005f, 0, 30);
    ops->polyak(out, p, 0.005f, 30, N);
    kit_same("polyak", out, N, expected, 1, N);
    kit_padding_untouched("polyak", out, 1, N, N);
    free(out);
  }
  free(p);
  free(target);
}

static void test_gather(void **state) {
  (void)state;
  enum { ROWS = 20, WIDTH = 7, OUT = 33 };
  float *src = kit_floats(ROWS * WIDTH, 14), expected[OUT * 3];
  int64_t index[OUT];
  uint64_t random = 3;
  for (int i = 0; i < OUT; i++) {
    index[i] = (int64_t)(kit_next(&random) % ROWS);
    memcpy(expected + 3 * i, src + index[i] * WIDTH + 2, 3 * sizeof(float));
  }
  const CeliOps *ops;
  for (int t = 0; (ops = celi_ops_at(t)); t++) {
    float *out = kit_pad(NULL, OUT, 3, 5);
    for (int cut = 0; cut < 2; cut++)
      ops->gather(out, 5 * sizeof *out, src + 2, WIDTH * sizeof *src, index, 3 * sizeof *src,
                  cut ? 10 : 0, cut ? OUT : 10);
    kit_same("gather", out, 5, expected, OUT, 3);
    kit_padding_untouched("gather", out, OUT, 3, 5);
    free(out);
  }
  free(src);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reductions),  cmocka_unit_test(test_not_finite),
      cmocka_unit_test(test_simple_maps), cmocka_unit_test(test_maps_not_finite),
      cmocka_unit_test(test_adam),        cmocka_unit_test(test_polyak),
      cmocka_unit_test(test_gather),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
