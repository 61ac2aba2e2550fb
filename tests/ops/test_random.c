/// Normal numbers, uniform numbers and indices come from the words of cel_rng_block. They are the
/// same for any division of a range and on all instruction sets. Moments and a tail check their
/// distributions.
#include "celsius/rng.h"
#include "kit.h"

enum { N = 201 };
static const uint64_t SEED = 0x0123456789abcdef, START = 0xffffffff - 10; // a carry happens inside

/// Block b of the stream, by the public generator.
static void block(uint64_t b, uint32_t w[4]) {
  CelRng rng = cel_rng(SEED, CEL_RNG_NOISE, 5);
  rng.counter = START + b;
  cel_rng_block(&rng, w);
}

static void test_uniform_words(void **state) {
  (void)state;
  float expected[N];
  for (int i = 0; i < N; i++) {
    uint32_t w[4];
    block((uint64_t)i / 4, w);
    expected[i] = (float)(w[i % 4] >> 8) * 0x1p-24f;
  }
  const CeliOps *ops;
  for (int t = 0; (ops = celi_ops_at(t)); t++) {
    float *u = kit_pad(NULL, 1, N, N);
    ops->uniform(u, SEED, CEL_RNG_NOISE, 5, START, 0, N);
    kit_same("uniform", u, N, expected, 1, N);
    kit_padding_untouched("uniform", u, 1, N, N);
    free(u);
  }
}

static void test_index_words(void **state) {
  (void)state;
  static const int64_t sizes[] = {1, 2, 1000003, INT64_C(1) << 40, INT64_MAX};
  const CeliOps *ops;
  for (int t = 0; (ops = celi_ops_at(t)); t++)
    for (int s = 0; s < 5; s++) {
      int64_t out[N];
      ops->uniform_index(out, sizes[s], SEED, CEL_RNG_NOISE, 5, START, 0, 50);
      ops->uniform_index(out, sizes[s], SEED, CEL_RNG_NOISE, 5, START, 50, 83);
      ops->uniform_index(out, sizes[s], SEED, CEL_RNG_NOISE, 5, START, 83, N);
      for (int i = 0; i < N; i++) {
        uint32_t w[4];
        block((uint64_t)i / 2, w);
        const uint64_t x = w[2 * (i % 2)] | (uint64_t)w[2 * (i % 2) + 1] << 32;
        // x n / 2^64 by long division in base 2^32, from the opposite end to the kernel.
        const uint64_t n = (uint64_t)sizes[s];
        long double scaled = floorl((long double)x * 0x1p-64L * (long double)n);
        assert_true(out[i] >= 0 && out[i] < sizes[s]);
        if (sizes[s] <= 1 << 20)
          assert_true(out[i] == (int64_t)scaled);
        else
          assert_true(fabsl((long double)out[i] - scaled) <= 1e-18L * (long double)n + 1);
      }
    }
}

static void test_normal_words(void **state) {
  (void)state;
  double expected[N];
  for (int i = 0; i < N; i++) {
    uint32_t w[4];
    block((uint64_t)i / 4, w);
    const uint32_t *pair = w + i % 4 / 2 * 2;
    const double radius = sqrt(-2 * log(((double)pair[0] + 0.5) * 0x1p-32));
    const double angle = 2 * acos(-1.0) * (double)pair[1] * 0x1p-32;
    expected[i] = radius * (i % 2 ? sin(angle) : cos(angle));
  }
  float *first = NULL;
  const CeliOps *ops;
  for (int t = 0; (ops = celi_ops_at(t)); t++) {
    float *z = kit_pad(NULL, 1, N, N);
    ops->normal(z, SEED, CEL_RNG_NOISE, 5, START, 0, N);
    kit_near("normal", z, N, expected, 1, N, 1e-6);
    kit_padding_untouched("normal", z, 1, N, N);
    if (t == 0)
      first = z;
    else {
      kit_same("normal on two instruction sets", z, N, first, 1, N);
      free(z);
    }
  }
  free(first);
}

/// Any division of a range gives the same numbers, and nothing outside of it is written.
static void test_cuts(void **state) {
  (void)state;
  const CeliOps *ops;
  for (int t = 0; (ops = celi_ops_at(t)); t++) {
    float whole[N], part[N];
    ops->normal(whole, SEED, CEL_RNG_NOISE, 5, START, 0, N);
    for (int begin = 0; begin < 20; begin++)
      for (int end = begin; end <= N; end += 13) {
        for (int i = 0; i < N; i++) part[i] = KIT_SENTINEL;
        ops->normal(part, SEED, CEL_RNG_NOISE, 5, START, begin, end);
        for (int i = 0; i < N; i++)
          assert_true(part[i] == (i >= begin && i < end ? whole[i] : KIT_SENTINEL));
      }
  }
}

static void test_distribution(void **state) {
  (void)state;
  enum { MANY = 1000000 };
  float *z = kit_alloc(MANY * sizeof *z);
  celi_ops()->normal(z, 42, CEL_RNG_NOISE, 0, 0, 0, MANY);
  double moment[5] = {0}, lag = 0;
  int beyond3 = 0;
  for (int i = 0; i < MANY; i++) {
    double power = 1;
    for (int k = 0; k < 5; k++, power *= (double)z[i]) moment[k] += power / MANY;
    if (i > 0) lag += (double)z[i] * (double)z[i - 1] / MANY;
    beyond3 += fabsf(z[i]) > 3;
  }
  // Limits of five standard errors.
  assert_true(fabs(moment[1]) < 0.005 && fabs(moment[2] - 1) < 0.0071);
  assert_true(fabs(moment[3]) < 0.0194 && fabs(moment[4] - 3) < 0.049 && fabs(lag) < 0.005);
  assert_true(abs(beyond3 - 2700) < 260);
  free(z);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_uniform_words), cmocka_unit_test(test_index_words),
      cmocka_unit_test(test_normal_words),  cmocka_unit_test(test_cuts),
      cmocka_unit_test(test_distribution),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
