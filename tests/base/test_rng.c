/// Random numbers: published test vectors, the authors' own headers, and the distributions.
#include "base/base.h"
#include "base_test.h"
#include "celsius/rng.h"
#include <math.h>
#if __has_include(<Random123/philox.h>)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wconversion"
#include <Random123/philox.h>
#pragma GCC diagnostic pop
#define HAVE_RANDOM123 1
#else
#define HAVE_RANDOM123 0
#endif

// Source: Random123, tests/kat_vectors, the rows of "philox4x32 10": counter, key, result.
static const uint32_t known[3][10] = {
    {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
    {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d, 0x41c83b0e,
     0xa20bc7c6, 0x6d5451fd},
    {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09, 0x94fdcceb,
     0x5001e420, 0x24126ea1},
};

static void philox_matches_the_published_vectors(void **state) {
  (void)state;
  for (int i = 0; i < 3; i++) {
    uint32_t out[4];
    celi_philox(out, known[i] + 4, known[i]);
    assert_memory_equal(out, known[i] + 6, sizeof out);
  }
}

static void philox_matches_the_authors_headers(void **state) {
  (void)state;
#if HAVE_RANDOM123
  uint64_t x = 1; // inputs come from Knuth's MMIX generator
  for (int i = 0; i < 100000; i++) {
    uint32_t words[6], out[4];
    for (int w = 0; w < 6; w++) {
      x = x * 6364136223846793005u + 1442695040888963407u;
      words[w] = (uint32_t)(x >> 32);
    }
    philox4x32_ctr_t counter = {{words[0], words[1], words[2], words[3]}};
    philox4x32_key_t key = {{words[4], words[5]}};
    philox4x32_ctr_t want = philox4x32_R(10, counter, key);
    celi_philox(out, words + 4, words);
    assert_memory_equal(out, want.v, sizeof out);
  }
#else
  print_message("skipped: the Random123 headers are not installed\n");
  skip();
#endif
}

// Checkpoints depend on this layout: key = seed, counter = (c lo, c hi, index, purpose).
static void streams_are_laid_out_as_documented(void **state) {
  (void)state;
  CelRng rng = cel_rng(0x299f31d0a4093822u, (CelRngPurpose)0x03707344, 0x13198a2e);
  assert_int_equal(rng.counter, 0);
  rng.counter = 0x85a308d3243f6a88u;
  uint32_t out[4];
  cel_rng_block(&rng, out);
  assert_memory_equal(out, known[2] + 6, sizeof out);
  assert_int_equal(rng.counter, 0x85a308d3243f6a89u);
  rng.counter = UINT64_MAX; // wraps around
  cel_rng_block(&rng, out);
  assert_int_equal(rng.counter, 0);
}

static void uniforms_fill_their_interval(void **state) {
  (void)state;
  CelRng rng = cel_rng(7, CEL_RNG_USER, 0);
  double sum = 0, squares = 0, least = 1, most = 0;
  const int n = 1000000;
  for (int i = 0; i < n; i++) {
    double u = cel_rng_uniform(&rng);
    assert_true(u >= 0 && u < 1);
    sum += u, squares += u * u;
    if (u < least) least = u;
    if (u > most) most = u;
  }
  assert_int_equal(rng.counter, n);
  // Five standard errors: sqrt(1 / 12 n) and sqrt(4 / 45 n).
  assert_true(fabs(sum / n - 0.5) < 5 * sqrt(1.0 / 12 / n));
  assert_true(fabs(squares / n - 1.0 / 3) < 5 * sqrt(4.0 / 45 / n));
  assert_true(least < 1e-4 && most > 1 - 1e-4);
}

// The upper 53 bits of the first 64 of a block are the digits of the uniform number.
static void uniforms_have_53_bits(void **state) {
  (void)state;
  CelRng rng = cel_rng(7, CEL_RNG_USER, 1), same = rng;
  for (int i = 0; i < 1000; i++) {
    uint32_t block[4];
    cel_rng_block(&same, block);
    const uint64_t word = (uint64_t)block[1] << 32 | block[0];
    assert_true(cel_rng_uniform(&rng) == (double)(word >> 11) / 9007199254740992.0);
  }
}

static void ranges_respect_their_bounds(void **state) {
  (void)state;
  CelRng rng = cel_rng(8, CEL_RNG_USER, 0);
  const double ranges[][2] = {
      {-1, 1}, {1, 1 + 0x1p-52}, {-1.7e308, 1.7e308}, {0, 5e-324}, {-3, -2}};
  for (size_t r = 0; r < sizeof ranges / sizeof *ranges; r++)
    for (int i = 0; i < 1000; i++) {
      double x = cel_rng_range(&rng, ranges[r][0], ranges[r][1]);
      assert_true(x >= ranges[r][0] && x < ranges[r][1]);
    }
  assert_true(cel_rng_range(&rng, 3, 3) == 3);
}

// Box-Muller of the same block in long double.
static long double exact_normal(CelRng rng) {
  uint32_t b[4];
  cel_rng_block(&rng, b);
  uint64_t x = (uint64_t)b[1] << 32 | b[0], y = (uint64_t)b[3] << 32 | b[2];
  long double u = (long double)((x >> 11) + 1) * 0x1p-53L, turn = (long double)(y >> 11) * 0x1p-53L;
  return sqrtl(-2 * logl(u)) * cosl(2 * 3.14159265358979323846264338327950288L * turn);
}

static void normals_equal_box_muller(void **state) {
  (void)state;
  CelRng rng = cel_rng(9, CEL_RNG_USER, 3);
  for (int i = 0; i < 200000; i++) {
    long double want = exact_normal(rng);
    double z = cel_rng_normal(&rng);
    long double error = fabsl((long double)z - want);
    // A few ulp of the radius. Near a zero of the cosine the relative error may be larger.
    assert_true(error <= 8 * 0x1p-53L * (1 + fabsl(want)));
  }
}

// The bits are the same with every compiler, C library and machine. Checkpoints depend on them.
static void normals_have_the_same_bits_everywhere(void **state) {
  (void)state;
  CelRng rng = cel_rng(1, CEL_RNG_NOISE, 2);
  uint64_t hash = 0;
  for (int i = 0; i < 100000; i++) {
    double z = cel_rng_normal(&rng);
    uint64_t bits;
    memcpy(&bits, &z, sizeof bits);
    hash = (hash ^ bits) * 0x9E3779B97F4A7C15u; // odd, so no bit is lost
    hash ^= hash >> 32;
  }
  assert_int_equal(hash, 0xadfb9779facca1ef);
}

static void normals_have_their_moments(void **state) {
  (void)state;
  CelRng rng = cel_rng(10, CEL_RNG_ACT, 1);
  const int n = 1000000;
  double m[5] = {0};
  for (int i = 0; i < n; i++) {
    double z = cel_rng_normal(&rng), p = 1;
    for (int k = 1; k <= 4; k++) m[k] += (p *= z) / n;
  }
  assert_int_equal(rng.counter, n);
  // Five standard errors. The variances of z, z^2, z^3, z^4 are 1, 2, 15, 96.
  assert_true(fabs(m[1]) < 5 * sqrt(1.0 / n));
  assert_true(fabs(m[2] - 1) < 5 * sqrt(2.0 / n));
  assert_true(fabs(m[3]) < 5 * sqrt(15.0 / n));
  assert_true(fabs(m[4] - 3) < 5 * sqrt(96.0 / n));
}

static void integers_are_below_n_and_uniform(void **state) {
  (void)state;
  CelRng rng = cel_rng(11, CEL_RNG_SAMPLE, 0);
  for (uint64_t n = 1; n <= 10; n++) {
    int counts[10] = {0};
    const int draws = 100000;
    for (int i = 0; i < draws; i++) {
      uint64_t x = cel_rng_below(&rng, n);
      assert_true(x < n);
      counts[x]++;
    }
    double expected = draws / (double)n, chi2 = 0;
    for (uint64_t k = 0; k < n; k++) chi2 += pow(counts[k] - expected, 2) / expected;
    assert_true(chi2 < 35); // 9 degrees of freedom: exceeded once in 10,000
  }
}

// n = 3 * 2^62: without rejection, multiples of 3 would be twice as frequent as other results.
static void large_integers_are_unbiased(void **state) {
  (void)state;
  CelRng rng = cel_rng(12, CEL_RNG_SAMPLE, 0);
  const uint64_t n = 3ull << 62;
  int thirds[3] = {0};
  const int draws = 30000;
  for (int i = 0; i < draws; i++) {
    uint64_t x = cel_rng_below(&rng, n);
    assert_true(x < n);
    thirds[x % 3]++;
  }
  for (int k = 0; k < 3; k++) assert_in_range(thirds[k], draws / 3 - 500, draws / 3 + 500);
  for (int i = 0; i < 100; i++) assert_true(cel_rng_below(&rng, UINT64_MAX) < UINT64_MAX);
}

static void streams_differ_by_every_part_of_their_name(void **state) {
  (void)state;
  CelRng rngs[] = {cel_rng(1, CEL_RNG_ENV, 0), cel_rng(2, CEL_RNG_ENV, 0),
                   cel_rng(1ull << 32 | 1, CEL_RNG_ENV, 0), cel_rng(1, CEL_RNG_EVAL, 0),
                   cel_rng(1, CEL_RNG_ENV, 1)};
  double first[5];
  for (int i = 0; i < 5; i++) first[i] = cel_rng_uniform(&rngs[i]);
  for (int i = 0; i < 5; i++)
    for (int j = 0; j < i; j++) assert_true(first[i] != first[j]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(philox_matches_the_published_vectors),
      cmocka_unit_test(philox_matches_the_authors_headers),
      cmocka_unit_test(streams_are_laid_out_as_documented),
      cmocka_unit_test(uniforms_fill_their_interval),
      cmocka_unit_test(uniforms_have_53_bits),
      cmocka_unit_test(ranges_respect_their_bounds),
      cmocka_unit_test(normals_equal_box_muller),
      cmocka_unit_test(normals_have_the_same_bits_everywhere),
      cmocka_unit_test(normals_have_their_moments),
      cmocka_unit_test(integers_are_below_n_and_uniform),
      cmocka_unit_test(large_integers_are_unbiased),
      cmocka_unit_test(streams_differ_by_every_part_of_their_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
