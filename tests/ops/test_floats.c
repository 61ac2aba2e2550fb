/// The floating-point state: what the library sets and restores, also in teams of threads; kernels
/// on subnormal numbers.
#include "base/floats.h"
#include "kit.h"
#include "ops/plan.h"
#include "support/host_state.h"

#include <float.h>

static bool subnormal(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return (bits & 0x7f800000u) == 0 && (bits & 0x007fffffu) != 0;
}

/// How arithmetic behaves here. Bit 0: 1 + 2^-60 rounds up. Bit 1: 1 - 2^-60 rounds down. Bit 2: a
/// subnormal result is zero. Bit 3: a subnormal argument counts as zero.
static int behavior(void) {
  volatile double one = 1, tiny = 0x1p-60;
  volatile float least = 0x1p-126f, half = 0.5f, below = 0x1p-130f, large = 0x1p100f;
  const volatile double up = one + tiny, down = one - tiny;
  const volatile float result = least * half, product = below * large;
  uint32_t bits;
  float seen = result;
  memcpy(&bits, &seen, sizeof bits);
  return (up > one) | (down < one) << 1 | (bits == 0) << 2 | (product < least) << 3;
}

static int inside(CeliFloatMode mode, CeliFloatMode *told) {
  CELI_FLOATS(mode);
  *told = celi_floats_mode();
  return behavior();
}

static void test_scope(void **state) {
  (void)state;
  for (int i = 0; i < N_HOST_STATES; i++) {
    CeliFloatMode told;
    host_set(&HOST_STATES[i]);
    const HostWords before = host_words();
    const int plain = inside(CELI_IEEE, &told);
    const bool plain_told = told == CELI_IEEE, kept = host_same(before, host_words());
    const int flushing = inside(CELI_FLUSH, &told);
    const bool flush_told = told == CELI_FLUSH, kept_too = host_same(before, host_words());
    host_set(&HOST_STATES[0]);
    print_message("%s: %d %d\n", HOST_STATES[i].name, plain, flushing);
    assert_true(plain_told && flush_told && kept && kept_too);
    assert_int_equal(plain, 0);
    assert_int_equal(flushing, 4 | 8);
  }
}

/// Changes made by a callback end with it.
static void test_keep(void **state) {
  (void)state;
  const HostWords before = host_words();
  {
    CELI_FLOATS(CELI_IEEE);
    host_set(&HOST_STATES[6]);
    celi_floats_keep();
    assert_int_equal(behavior(), 0);
  }
  assert_true(host_same(before, host_words()));
}

typedef struct Seen {
  int behavior[4];
} Seen;

static void look(void *arg, int thread, int size) {
  (void)size;
  ((Seen *)arg)->behavior[thread] = behavior();
}

/// Workers use their caller's current state, not the one from when they started.
static void test_team(void **state) {
  (void)state;
  CeliTeam *team;
  for (int first = 0; first < N_HOST_STATES; first++) {
    host_set(&HOST_STATES[first]);
    assert_int_equal(celi_team_create(&team, 4), CEL_OK);
    for (int i = 0; i < N_HOST_STATES; i++)
      for (int mode = CELI_IEEE; mode <= CELI_FLUSH; mode++) {
        Seen seen;
        host_set(&HOST_STATES[i]);
        {
          CELI_FLOATS((CeliFloatMode)mode);
          assert_int_equal(celi_team_run(team, look, &seen), CEL_OK);
        }
        host_set(&HOST_STATES[0]);
        for (int t = 0; t < 4; t++)
          assert_int_equal(seen.behavior[t], mode == CELI_FLUSH ? 4 | 8 : 0);
      }
    celi_team_destroy(team);
  }
}

/// Numbers of all sizes from 2^-149 to 2^-20, and zeros.
static float *tiny_floats(int64_t n, uint64_t seed) {
  float *x = kit_alloc((size_t)n * sizeof *x);
  uint64_t random = seed;
  for (int64_t i = 0; i < n; i++) {
    const int exponent = -20 - (int)(kit_next(&random) % 130);
    x[i] = kit_next(&random) % 16 ? ldexpf(kit_float(&random), exponent) : 0.0f;
  }
  return x;
}

enum { ROWS = 13, K = 37, N = 41 };

/// Runs kernels on tiny numbers and writes all results to out. Returns their number.
static int64_t run_kernels(const CeliOps *ops, float *out) {
  float *X = tiny_floats(ROWS * K, 1), *W = tiny_floats(K * N, 2), *b = tiny_floats(N, 3);
  float *dY = tiny_floats(ROWS * N, 4), *at = out;
  ops->dense_forward(at, N, NULL, 0, X, K, W, b, 0, ROWS, K, N, CELI_RELU);
  at += ROWS * N;
  ops->dense_forward(at, N, NULL, 0, X, K, W, b, 0, ROWS, K, N, CELI_TANH);
  at += ROWS * N;
  ops->dense_backward_data(at, N, X, K, W, dY, N, 0, ROWS, N, K, CELI_TANH);
  at += ROWS * N;
  ops->dense_backward_weight(at, at + K * N, X, K, dY, N, ROWS, K, N, 0, celi_dense_tiles(K, N),
                             false);
  at += K * N + N;
  void (*const map[])(float *, const float *, int64_t) = {ops->exp, ops->log, ops->tanh,
                                                          ops->sigmoid, ops->softplus};
  for (int i = 0; i < 5; i++, at += K * N) map[i](at, W, K * N);
  ops->clamp(at, W, -0x1p-130f, 0x1p-135f, K * N);
  at += K * N;
  memcpy(at, W, K * N * sizeof *at);
  ops->axpby(at, 0x1p-30f, dY, 0.5f, ROWS * N);
  at += K * N;
  *at++ = ops->sum(W, K * N);
  *at++ = ops->sum_squares(W, K * N);
  *at++ = ops->max(W, K * N) + 1;
  for (int64_t i = 0; i < ROWS; i++) *at++ = 0;
  ops->soft_target(at - ROWS, X, W, dY, b, &X[5], 1, ROWS, 0, ROWS, false);
  free(X), free(W), free(b), free(dY);
  return at - out;
}

/// All instruction sets give the same bits, with and without flushing of subnormal numbers.
static void test_same_bits(void **state) {
  (void)state;
  enum { ROOM = 40000 };
  float *first = kit_alloc(ROOM * sizeof *first), *out = kit_alloc(ROOM * sizeof *out);
  for (int mode = CELI_IEEE; mode <= CELI_FLUSH; mode++) {
    CELI_FLOATS((CeliFloatMode)mode);
    const int64_t n = run_kernels(celi_ops_at(0), first);
    int64_t tiny = 0;
    assert_true(n < ROOM);
    for (int64_t i = 0; i < n; i++) tiny += subnormal(first[i]);
    assert_true(mode == CELI_FLUSH ? tiny == 0 : tiny > 100);
    const CeliOps *ops;
    for (int t = 1; (ops = celi_ops_at(t)); t++) {
      assert_int_equal(run_kernels(ops, out), n);
      for (int64_t i = 0; i < n; i++)
        if (memcmp(&first[i], &out[i], sizeof *out) != 0 && !(isnan(first[i]) && isnan(out[i])))
          fail_msg("%s, mode %d: element %lld is %a, not %a", ops->name, mode, (long long)i,
                   (double)out[i], (double)first[i]);
    }
  }
  free(first), free(out);
}

static CeliAdamStep adam_step(double epsilon) {
  return (CeliAdamStep){.learning_rate = 1e-2f,
                        .beta1 = 0.9,
                        .beta2 = 0.999,
                        .epsilon = (float)epsilon,
                        .grad_scale = 1};
}

/// Adam's moments near the smallest normal number. Up to it the stored moment is zero, whatever the
/// state of the processor; above it the moment is right. The oracle uses double, where nothing
/// underflows.
static void test_adam_border(void **state) {
  (void)state;
  enum { COUNT = 4096 };
  float *m = kit_alloc(COUNT * sizeof *m), *v = kit_alloc(COUNT * sizeof *v);
  float *p = kit_alloc(COUNT * sizeof *p), *g = kit_alloc(COUNT * sizeof *g);
  int64_t kept = 0, dropped = 0;
  const CeliOps *ops;
  for (int t = 0; (ops = celi_ops_at(t)); t++)
    for (int mode = CELI_IEEE; mode <= CELI_FLUSH; mode++) {
      CeliAdamStep step = adam_step(1e-8);
      for (int i = 0; i < COUNT; i++) {
        const uint32_t bits = 0x00800001u + (uint32_t)i * 421u; // from 2^-126 up, in odd steps
        memcpy(&m[i], &bits, sizeof bits), v[i] = m[i], p[i] = 0, g[i] = 0;
      }
      celi_adam_advance(&step);
      {
        CELI_FLOATS((CeliFloatMode)mode);
        ops->adam(p, g, m, v, &step, 0, COUNT);
      }
      for (int i = 0; i < COUNT; i++) {
        float before;
        const uint32_t bits = 0x00800001u + (uint32_t)i * 421u;
        memcpy(&before, &bits, sizeof bits);
        const double rest = (double)(float)(1.0 - 0.9), left = (double)before;
        const float m1 = (float)(left - rest * left), v1 = (float)((double)(float)0.999 * left);
        const bool drop = !(m1 > FLT_MIN);
        assert_true(drop ? m[i] == 0 : m[i] == m1);
        assert_true(!(v1 > FLT_MIN) ? v[i] == 0 : v[i] == v1);
        kept += !drop, dropped += drop;
      }
    }
  assert_true(kept > 0 && dropped > 0);
  free(m), free(v), free(p), free(g);
}

/// Gradients shrink from 1 to nothing. No moment, parameter or power of beta stays subnormal, in
/// either mode.
static void test_adam_decays(void **state) {
  (void)state;
  enum { COUNT = 33, STEPS = 12000 };
  const CeliOps *ops = celi_ops();
  for (int mode = CELI_IEEE; mode <= CELI_FLUSH; mode++)
    for (int zero_epsilon = 0; zero_epsilon < 2; zero_epsilon++) {
      CELI_FLOATS((CeliFloatMode)mode);
      float p[COUNT] = {0}, target[COUNT], g[COUNT], m[COUNT] = {0}, v[COUNT] = {0};
      CeliAdamStep step = adam_step(zero_epsilon ? 0 : 1e-8);
      step.beta2 = 0.99;
      for (int i = 0; i < COUNT; i++) target[i] = 1;
      for (int t = 0; t < STEPS; t++) {
        for (int i = 0; i < COUNT; i++)
          g[i] = t < 2000 ? (float)(i + 1) * powf(0.95f, (float)t) : 0;
        celi_adam_advance(&step);
        ops->adam(p, g, m, v, &step, 0, COUNT);
        ops->polyak(target, m, 0.05f, 0, COUNT);
        for (int i = 0; i < COUNT; i++)
          if (subnormal(m[i]) || subnormal(v[i]) || subnormal(p[i]) || subnormal(target[i]) ||
              !isfinite(p[i]))
            fail_msg("step %d: m %a, v %a, p %a, target %a", t, (double)m[i], (double)v[i],
                     (double)p[i], (double)target[i]);
      }
      for (int i = 0; i < COUNT; i++) assert_true(m[i] == 0 && v[i] == 0 && target[i] == 0);
      assert_true(step.beta1_power <= 0);
    }
}

/// Without an epsilon, a step has the size of the learning rate as long as the squared gradient is
/// a normal number, as in double. When the second moment underflows there is no step, instead of a
/// division by zero.
static void test_adam_without_epsilon(void **state) {
  (void)state;
  static const float gradient[] = {1, -1e-10f, 1e-15f, -3e-17f, 1e-25f, -1e-30f, 1e-38f, 0};
  enum { COUNT = 8, NORMAL = 4 };
  const CeliOps *ops;
  for (int t = 0; (ops = celi_ops_at(t)); t++)
    for (int mode = CELI_IEEE; mode <= CELI_FLUSH; mode++) {
      CELI_FLOATS((CeliFloatMode)mode);
      float p[COUNT] = {0}, m[COUNT] = {0}, v[COUNT] = {0};
      CeliAdamStep step = adam_step(0);
      celi_adam_advance(&step);
      ops->adam(p, gradient, m, v, &step, 0, COUNT);
      for (int i = 0; i < COUNT; i++) {
        const double right = i < NORMAL ? (gradient[i] > 0 ? -1e-2 : 1e-2) : 0;
        assert_true(fabs((double)p[i] - right) <= 1e-7);
      }
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_scope),
      cmocka_unit_test(test_keep),
      cmocka_unit_test(test_team),
      cmocka_unit_test(test_same_bits),
      cmocka_unit_test(test_adam_border),
      cmocka_unit_test(test_adam_decays),
      cmocka_unit_test(test_adam_without_epsilon),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
