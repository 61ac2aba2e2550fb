/// Initialization: bounds, moments, orthogonality, and a random stream for each layer and member.
#include "nn/net.h"
#include "nn_test.h"

static CelTensors *make(CeliNet *net, CeliMlpSpec spec, uint64_t seed, uint32_t first) {
  CelTensors *tensors;
  assert_ok(cel_tensors_create(&tensors));
  assert_ok(celi_mlp_declare(net, tensors, "net", CEL_PARAM, &spec));
  assert_ok(cel_tensors_allocate(tensors));
  celi_net_init(net, seed, first);
  return tensors;
}

/// Uniform on [-bound, bound]: within it, close to both ends, mean 0 and variance bound^2/3 within
/// five standard errors.
static void check_uniform(const char *what, const float *x, int64_t n, double bound) {
  double low = 0, high = 0, sum = 0, square = 0;
  for (int64_t i = 0; i < n; i++) {
    const double v = (double)x[i];
    if (v < low) low = v;
    if (v > high) high = v;
    sum += v / bound;
    square += v * v / (bound * bound);
  }
  const double N = (double)n;
  if (low < -bound || high > bound || low > -bound * (1 - 20 / N) || high < bound * (1 - 20 / N))
    fail_msg("%s: range [%g, %g], bound %g", what, low, high, bound);
  if (fabs(sum / N) > 5 / sqrt(3 * N))
    fail_msg("%s: mean %g of the bound, %lld numbers", what, sum / N, (long long)n);
  if (fabs(square / N - 1.0 / 3) > 5 * sqrt(4.0 / 45 / N))
    fail_msg("%s: variance %g bound^2, %lld numbers", what, square / N, (long long)n);
}

/// PyTorch's Linear: weights and biases are within 1/sqrt(fan_in) of 0.
static void test_kaiming(void **state) {
  (void)state;
  CeliNet net;
  const CeliMlpSpec spec = {.E = 3, .in = 50, .out = 400, .hidden = {1, {200}}, .output_gain = 1};
  CelTensors *t = make(&net, spec, 1, 0);
  check_uniform("weight 0", net.node[0].param[0], 3 * 50 * 200, 1 / sqrt(50));
  check_uniform("bias 0", net.node[0].param[1], 3 * 200, 1 / sqrt(50));
  check_uniform("weight 1", net.node[1].param[0], 3 * 200 * 400, 1 / sqrt(200));
  check_uniform("bias 1", net.node[1].param[1], 3 * 400, 1 / sqrt(200));
  cel_tensors_destroy(t);
}

static void test_xavier(void **state) {
  (void)state;
  CeliNet net;
  const CeliMlpSpec spec = {.E = 2,
                            .in = 60,
                            .out = 30,
                            .hidden = {1, {100}},
                            .init = CELI_XAVIER_UNIFORM,
                            .output_gain = 0.5};
  CelTensors *t = make(&net, spec, 2, 0);
  check_uniform("weight 0", net.node[0].param[0], 2 * 60 * 100, sqrt(6.0 / 160));
  check_uniform("weight 1", net.node[1].param[0], 2 * 100 * 30, 0.5 * sqrt(6.0 / 130));
  for (int i = 0; i < 200; i++) assert_true(net.node[0].param[1][i] == 0);
  cel_tensors_destroy(t);
}

/// The vectors of the shorter side are orthonormal, times the gain.
static void check_orthogonal(const float *W, int64_t K, int64_t N, double gain) {
  const bool columns = K >= N;
  const int64_t count = columns ? N : K, length = columns ? K : N;
  for (int64_t i = 0; i < count; i++)
    for (int64_t j = 0; j <= i; j++) {
      double dot = 0;
      for (int64_t k = 0; k < length; k++)
        dot += columns ? (double)W[k * N + i] * (double)W[k * N + j]
                       : (double)W[i * N + k] * (double)W[j * N + k];
      const double expected = i == j ? gain * gain : 0;
      if (fabs(dot - expected) > 2e-6 * gain * gain)
        fail_msg("(%lld,%lld): vectors %lld and %lld have product %.9g, expected %.9g",
                 (long long)K, (long long)N, (long long)i, (long long)j, dot, expected);
    }
}

static void test_orthogonal(void **state) {
  (void)state;
  static const int32_t sizes[] = {1, 3, 17, 64, 300};
  for (int i = 0; i < 5; i++)
    for (int j = 0; j < 5; j++) {
      CeliNet net;
      const CeliMlpSpec spec = {.E = 2,
                                .in = sizes[i],
                                .out = sizes[i],
                                .hidden = {1, {sizes[j]}},
                                .init = CELI_ORTHOGONAL,
                                .output_gain = 0.01};
      CelTensors *t = make(&net, spec, 3, 0);
      const int64_t a = sizes[i], b = sizes[j];
      for (int64_t e = 0; e < 2; e++) {
        check_orthogonal(net.node[0].param[0] + e * a * b, a, b, sqrt(2));
        check_orthogonal(net.node[1].param[0] + e * a * b, b, a, 0.01);
      }
      for (int64_t k = 0; k < 2 * b; k++) assert_true(net.node[0].param[1][k] == 0);
      cel_tensors_destroy(t);
    }
}

/// Frames are uniform: every entry of a random 3x3 rotation or reflection has mean 0 and second
/// moment 1/3. A Gram-Schmidt process with fixed signs would bias the sign of the first entry.
static void test_orthogonal_moments(void **state) {
  (void)state;
  enum { MEMBERS = 4000 };
  CeliNet net;
  const CeliMlpSpec spec = {
      .E = MEMBERS, .in = 3, .out = 3, .init = CELI_ORTHOGONAL, .output_gain = 1};
  CelTensors *t = make(&net, spec, 4, 0);
  for (int k = 0; k < 9; k++) {
    double sum = 0, square = 0;
    for (int e = 0; e < MEMBERS; e++) {
      const double x = (double)net.node[0].param[0][e * 9 + k];
      sum += x;
      square += x * x;
    }
    assert_true(fabs(sum / MEMBERS) < 5 * sqrt(1.0 / 3 / MEMBERS));
    assert_true(fabs(square / MEMBERS - 1.0 / 3) < 5 * sqrt(4.0 / 45 / MEMBERS));
  }
  cel_tensors_destroy(t);
}

/// Members and layers differ. The seed and the first index select the streams. Layer norm starts
/// with gain 1 and shift 0.
static void test_streams(void **state) {
  (void)state;
  CeliNet a, b, c;
  const CeliMlpSpec spec = {.E = 2,
                            .in = 8,
                            .out = 8,
                            .hidden = {1, {8}},
                            .norm.kind = CELI_NORM_LAYER,
                            .output_gain = 1};
  CelTensors *ta = make(&a, spec, 5, 10), *tb = make(&b, spec, 5, 10), *tc = make(&c, spec, 5, 11);
  assert_same_bits("same seed", a.node[0].param[0], b.node[0].param[0], 2 * 64 * sizeof(float));
  assert_true(memcmp(a.node[0].param[0], a.node[0].param[0] + 64, 64 * sizeof(float)) != 0);
  assert_true(memcmp(a.node[0].param[0], a.node[1].param[0], 64 * sizeof(float)) != 0);
  assert_same_bits("stream 11", a.node[0].param[0] + 64, c.node[0].param[0], 64 * sizeof(float));
  for (int i = 0; i < 16; i++)
    assert_true(a.node[1].param[0][i] == 1 && a.node[1].param[1][i] == 0);
  cel_tensors_destroy(ta);
  cel_tensors_destroy(tb);
  cel_tensors_destroy(tc);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_kaiming),    cmocka_unit_test(test_xavier),
      cmocka_unit_test(test_orthogonal), cmocka_unit_test(test_orthogonal_moments),
      cmocka_unit_test(test_streams),
  };
  return cmocka_run_group_tests_name("nn/init", tests, NULL, NULL);
}
