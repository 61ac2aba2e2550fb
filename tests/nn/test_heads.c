/// Heads with several categorical actions, and with bits. Log-probs, entropies and gradients are
/// compared with an oracle in double and its central differences. Also frequencies of samples,
/// modes, extreme values, the same bits for any number of threads, and NaN.
#include "nn_test.h"

#include "nn/dist.h"

enum { ROWS = 67, CHOICES = 3, BITS = 7, WIDEST = 16 };

/// A head's use, with its inputs and gradients. Strides are odd on purpose.
typedef struct Fixture {
  CelTensors *tensors;
  CeliDist dist;
  int64_t rows, A, n; ///< elements of an action
  ptrdiff_t ldh, lda;
  float *head, *d_head, *d_entropy; // (rows,ldh) (rows,)
  int32_t *choice;                  // (rows,lda) one of the two is used
  uint8_t *bit;
} Fixture;

static const float choices[CHOICES] = {2, 5, 3};

static CeliDistSpec spec_of(bool bits) {
  if (bits) return (CeliDistSpec){.kind = CELI_BERNOULLI, .A = BITS};
  return (CeliDistSpec){.kind = CELI_MULTI_CATEGORICAL, .A = 10, .K = CHOICES, .choices = choices};
}

static void fixture_create(Fixture *f, bool bits, int64_t rows) {
  const CeliDistSpec spec = spec_of(bits);
  memset(f, 0, sizeof *f);
  f->rows = rows, f->A = spec.A, f->n = bits ? BITS : CHOICES;
  f->ldh = spec.A + 3, f->lda = f->n + 2;
  const int64_t head[] = {rows, f->ldh}, action[] = {rows, f->lda};
  assert_int_equal(celi_dist_head(&spec), spec.A);
  assert_int_equal(celi_dist_noise(&spec), f->n);
  assert_true(celi_dist_discrete(&spec));
  assert_ok(cel_tensors_create(&f->tensors));
  assert_ok(celi_dist_declare(&f->dist, f->tensors, "dist", &spec, rows, true));
  const struct {
    const char *name;
    CelType type;
    void *place;
    const int64_t *shape;
    int ndim;
  } list[] = {{"head", CEL_F32, &f->head, head, 2},
              {"d_head", CEL_F32, &f->d_head, head, 2},
              {"d_entropy", CEL_F32, &f->d_entropy, head, 1},
              {"choice", CEL_I32, &f->choice, action, 2},
              {"bit", CEL_U8, &f->bit, action, 2}};
  for (int i = 0; i < 5; i++)
    assert_ok(cel_tensors_declare(f->tensors, list[i].name, list[i].type, CEL_SCRATCH,
                                  list[i].place, list[i].ndim, list[i].shape));
  assert_ok(cel_tensors_allocate(f->tensors));
}

static bool is_bits(const Fixture *f) {
  return f->dist.spec.kind == CELI_BERNOULLI;
}

static void *actions(const Fixture *f) {
  return is_bits(f) ? (void *)f->bit : (void *)f->choice;
}

/// Sets heads and gradients, and takes every possible action in turn.
static void randomise(Fixture *f, uint64_t seed, double scale) {
  CelRng rng = cel_rng(seed, CEL_RNG_USER, 0);
  fill_random(f->head, f->rows * f->ldh, scale, &rng);
  fill_random(f->dist.d_logp, f->rows, 1, &rng);
  fill_random(f->d_entropy, f->rows, 1, &rng);
  for (int64_t b = 0; b < f->rows; b++)
    for (int64_t i = 0; i < f->n; i++) {
      const double u = cel_rng_uniform(&rng);
      f->bit[b * f->lda + i] = u < 0.5;
      if (!is_bits(f)) f->choice[b * f->lda + i] = (int32_t)(u * (double)choices[i]);
    }
}

static void run_score(Fixture *f, const float *d_logp, const float *d_entropy, int threads) {
  CeliPlan *plan;
  assert_ok(celi_plan_create(&plan));
  celi_dist_plan_log_prob(plan, &f->dist, actions(f), f->lda, f->head, f->ldh);
  celi_dist_plan_log_prob_backward(plan, &f->dist, f->d_head, f->ldh, d_logp, d_entropy, actions(f),
                                   f->lda, f->head, f->ldh);
  assert_ok(celi_plan_end(plan));
  run_plan(plan, threads);
  celi_plan_destroy(plan);
}

/// Samples all rows from a stream of uniform numbers.
static void draw(Fixture *f, uint64_t seed) {
  const ptrdiff_t ldn = f->n + 1;
  float *noise = zeroed((size_t)(f->rows * ldn), sizeof *noise);
  CelRng rng = cel_rng(seed, CEL_RNG_USER, 0);
  for (int64_t i = 0; i < f->rows * ldn; i++)
    noise[i] = (float)(floor(cel_rng_uniform(&rng) * 0x1p24) * 0x1p-24);
  celi_dist_draw_rows(&f->dist.spec, NULL, actions(f), f->lda, f->head, f->ldh, noise, ldn, 0,
                      f->rows);
  free(noise);
}

// ---- the oracle

/// p[i] = P(action i) for n logits.
static void softmax(double *p, const double *logit, int64_t n) {
  double most = logit[0], sum = 0;
  for (int64_t i = 1; i < n; i++) most = fmax(most, logit[i]);
  for (int64_t i = 0; i < n; i++) sum += p[i] = exp(logit[i] - most);
  for (int64_t i = 0; i < n; i++) p[i] /= sum;
}

static double surprise(double p) {
  return p > 0 ? -p * log(p) : 0;
}

/// Log-prob and entropy of row b for these logits. A bit is a categorical with the logits 0 and x.
static void oracle(const Fixture *f, int64_t b, const double *head, double *logp, double *entropy) {
  *logp = *entropy = 0;
  for (int64_t k = 0, at = 0; k < f->n; k++) {
    const int64_t n = is_bits(f) ? 2 : (int64_t)choices[k];
    const double bit[] = {0, head[k]};
    const int64_t chosen = is_bits(f) ? f->bit[b * f->lda + k] : f->choice[b * f->lda + k];
    double p[WIDEST] = {0};
    softmax(p, is_bits(f) ? bit : head + at, n);
    *logp += log(p[chosen]);
    for (int64_t i = 0; i < n; i++) *entropy += surprise(p[i]);
    at += n;
  }
}

static void load_row(const Fixture *f, int64_t b, double *head) {
  for (int64_t i = 0; i < f->A; i++) head[i] = (double)f->head[b * f->ldh + i];
}

/// d (wl logp + we entropy) / d head[i].
static double difference(const Fixture *f, int64_t b, double *head, int64_t i, double wl,
                         double we) {
  const double h = 1e-5, x = head[i];
  double logp[2], entropy[2];
  head[i] = x + h;
  oracle(f, b, head, &logp[0], &entropy[0]);
  head[i] = x - h;
  oracle(f, b, head, &logp[1], &entropy[1]);
  head[i] = x;
  return (wl * (logp[0] - logp[1]) + we * (entropy[0] - entropy[1])) / (2 * h);
}

static void check_score(Fixture *f, bool with_logp, bool with_entropy) {
  double logp[ROWS], entropy[ROWS], expected[ROWS * WIDEST];
  float got[ROWS * WIDEST];
  run_score(f, with_logp ? f->dist.d_logp : NULL, with_entropy ? f->d_entropy : NULL, 1);
  for (int64_t b = 0; b < f->rows; b++) {
    double head[WIDEST];
    load_row(f, b, head);
    oracle(f, b, head, &logp[b], &entropy[b]);
    for (int64_t i = 0; i < f->A; i++) {
      expected[b * f->A + i] = difference(f, b, head, i, with_logp ? (double)f->dist.d_logp[b] : 0,
                                          with_entropy ? (double)f->d_entropy[b] : 0);
      got[b * f->A + i] = f->d_head[b * f->ldh + i];
    }
    for (int64_t i = f->A; i < f->ldh; i++) assert_true(f->d_head[b * f->ldh + i] == 0);
  }
  assert_norm_near("logp", f->dist.logp, logp, f->rows, 1e-6);
  assert_norm_near("entropy", f->dist.entropy, entropy, f->rows, 1e-6);
  assert_norm_near("d_head", got, expected, f->rows * f->A, 1e-5);
}

static void test_score(void **state) {
  (void)state;
  static const double scales[] = {0.1, 1.5, 6};
  for (int i = 0; i < 2 * 3 * 3; i++) {
    Fixture f;
    fixture_create(&f, i & 1, ROWS);
    randomise(&f, 30 + (uint64_t)i, scales[i / 2 % 3]);
    check_score(&f, i / 6 != 1, i / 6 != 2);
    cel_tensors_destroy(f.tensors);
  }
}

/// The probabilities of all actions of a head sum to 1, and their mean log-prob is minus the
/// entropy.
static void test_all_actions(void **state) {
  (void)state;
  for (int bits = 0; bits < 2; bits++) {
    const int64_t all = bits ? 128 : 30;
    Fixture f;
    fixture_create(&f, bits, all);
    randomise(&f, 44, 2);
    for (int64_t b = 0; b < all; b++) {
      int64_t left = b;
      memcpy(f.head + b * f.ldh, f.head, (size_t)f.A * sizeof(float));
      for (int64_t k = 0; k < f.n; k++) {
        const int64_t n = bits ? 2 : (int64_t)choices[k];
        f.bit[b * f.lda + k] = left % n != 0;
        f.choice[b * f.lda + k] = (int32_t)(left % n);
        left /= n;
      }
    }
    run_score(&f, f.dist.d_logp, NULL, 1);
    double sum = 0, mean = 0;
    for (int64_t b = 0; b < all; b++) {
      const double logp = (double)f.dist.logp[b];
      sum += exp(logp), mean -= exp(logp) * logp;
    }
    assert_true(fabs(sum - 1) < 1e-5);
    assert_true(fabs(mean - (double)f.dist.entropy[0]) < 1e-5 * mean);
    cel_tensors_destroy(f.tensors);
  }
}

// ---- samples

static void assert_frequency(int64_t count, int64_t n, double p) {
  const double share = (double)count / (double)n, room = 5 * sqrt(p * (1 - p) / (double)n);
  if (!(fabs(share - p) <= room)) fail_msg("fraction %.5f, expected %.5f +- %.5f", share, p, room);
}

/// Joint frequencies of all entries: each has the probabilities of its logits and is independent of
/// the others.
static void test_categorical_frequencies(void **state) {
  (void)state;
  enum { N = 60000 };
  static const double p[3][5] = {{0.7, 0.3}, {0.1, 0, 0.2, 0.4, 0.3}, {0.5, 0.25, 0.25}};
  int64_t count[2][5][3] = {{{0}}};
  Fixture f;
  fixture_create(&f, false, N);
  for (int64_t b = 0; b < N; b++) {
    float *logit = f.head + b * f.ldh;
    for (int k = 0; k < CHOICES; k++)
      for (int i = 0; i < (int)choices[k]; i++)
        *logit++ = p[k][i] > 0 ? (float)(4 * (k - 1) + log(p[k][i])) : -INFINITY;
    f.choice[b * f.lda + CHOICES] = -9; // beyond the action
  }
  draw(&f, 5);
  for (int64_t b = 0; b < N; b++) {
    const int32_t *a = f.choice + b * f.lda;
    for (int k = 0; k < CHOICES; k++) assert_in_range(a[k], 0, (int)choices[k] - 1);
    assert_int_equal(a[CHOICES], -9);
    count[a[0]][a[1]][a[2]]++;
  }
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 5; j++)
      for (int k = 0; k < 3; k++) assert_frequency(count[i][j][k], N, p[0][i] * p[1][j] * p[2][k]);
  cel_tensors_destroy(f.tensors);
}

static void test_bit_frequencies(void **state) {
  (void)state;
  enum { N = 60000 };
  static const double p[BITS] = {0.5, 0.1, 0.9, 0.02, 0.75, 0, 1};
  int64_t count[BITS] = {0}, both[BITS] = {0};
  Fixture f;
  fixture_create(&f, true, N);
  for (int64_t b = 0; b < N; b++) {
    for (int k = 0; k < BITS; k++) f.head[b * f.ldh + k] = (float)(log(p[k]) - log1p(-p[k]));
    f.bit[b * f.lda + BITS] = 99; // beyond the action
  }
  draw(&f, 6);
  for (int64_t b = 0; b < N; b++) {
    const uint8_t *a = f.bit + b * f.lda;
    for (int k = 0; k < BITS; k++) {
      assert_in_range(a[k], 0, 1);
      count[k] += a[k], both[k] += a[k] & a[(k + 1) % BITS];
    }
    assert_int_equal(a[BITS], 99);
  }
  for (int k = 0; k < BITS; k++) {
    assert_frequency(count[k], N, p[k]);
    assert_frequency(both[k], N, p[k] * p[(k + 1) % BITS]);
  }
  cel_tensors_destroy(f.tensors);
}

/// The mode has the largest log-prob of all sampled actions.
static void test_mode(void **state) {
  (void)state;
  for (int bits = 0; bits < 2; bits++) {
    double mode[ROWS];
    Fixture f;
    fixture_create(&f, bits, ROWS);
    randomise(&f, 71, 2);
    celi_dist_mode(&f.dist.spec, actions(&f), f.lda, f.head, f.ldh, 0, ROWS);
    run_score(&f, f.dist.d_logp, NULL, 1);
    for (int b = 0; b < ROWS; b++) mode[b] = (double)f.dist.logp[b];
    int64_t less = 0;
    for (uint64_t i = 0; i < 50; i++) {
      draw(&f, 100 + i);
      run_score(&f, f.dist.d_logp, NULL, 1);
      for (int b = 0; b < ROWS; b++) {
        assert_true((double)f.dist.logp[b] <= mode[b]);
        less += (double)f.dist.logp[b] < mode[b];
      }
    }
    assert_true(less > ROWS);
    cel_tensors_destroy(f.tensors);
  }
}

// ---- edges

/// Logits far apart, beyond the range of exp: log-probs are differences of logits, and nothing
/// overflows.
static void test_far_out(void **state) {
  (void)state;
  for (int bits = 0; bits < 2; bits++) {
    static const float far[] = {-300, 200, 0, 90, -120, 60, -30, 15, -300, 400};
    Fixture f;
    fixture_create(&f, bits, 20);
    randomise(&f, 81, 1);
    for (int64_t b = 0; b < 20; b++)
      for (int64_t i = 0; i < f.A; i++) f.head[b * f.ldh + i] = far[(i + b) % 10];
    run_score(&f, f.dist.d_logp, f.d_entropy, 1);
    for (int64_t b = 0; b < 20; b++) {
      double expected = 0;
      for (int64_t k = 0, at = 0; k < f.n; k++) {
        const float *x = f.head + b * f.ldh + at, bit[] = {0, f.head[b * f.ldh + k]};
        const int64_t n = bits ? 2 : (int64_t)choices[k];
        const int64_t chosen = bits ? f.bit[b * f.lda + k] : f.choice[b * f.lda + k];
        double most = -HUGE_VAL, sum = 0;
        if (bits) x = bit;
        for (int64_t i = 0; i < n; i++) most = fmax(most, (double)x[i]);
        for (int64_t i = 0; i < n; i++) sum += exp((double)x[i] - most);
        expected += (double)x[chosen] - most - log(sum);
        at += n;
      }
      const double got = (double)f.dist.logp[b], entropy = (double)f.dist.entropy[b];
      if (!(fabs(got - expected) <= 1e-5 * (1 + fabs(expected))))
        fail_msg("log-prob of row %lld is %.9g, expected %.9g", (long long)b, got, expected);
      assert_true(entropy > -1e-5 && entropy < 5);
      for (int64_t i = 0; i < f.A; i++) assert_true(isfinite(f.d_head[b * f.ldh + i]));
    }
    cel_tensors_destroy(f.tensors);
  }
}

static void test_threads_same_bits(void **state) {
  (void)state;
  for (int bits = 0; bits < 2; bits++) {
    uint64_t expected[2] = {0, 0};
    for (int threads = 1; threads <= 3; threads++) {
      Fixture f;
      uint64_t digest[2];
      fixture_create(&f, bits, 301);
      randomise(&f, 50, 1);
      run_score(&f, f.dist.d_logp, f.d_entropy, threads);
      cel_tensors_digest(f.tensors, 1u << CEL_SCRATCH, digest);
      if (threads == 1) memcpy(expected, digest, sizeof digest);
      assert_memory_equal(digest, expected, sizeof digest);
      cel_tensors_destroy(f.tensors);
    }
  }
}

static void test_nan_propagates(void **state) {
  (void)state;
  for (int bits = 0; bits < 2; bits++)
    for (int64_t at = 0; at < (bits ? BITS : 10); at++) {
      Fixture f;
      fixture_create(&f, bits, 5);
      randomise(&f, 71, 1);
      f.head[2 * f.ldh + at] = NAN;
      run_score(&f, f.dist.d_logp, f.d_entropy, 1);
      for (int b = 0; b < 5; b++) {
        assert_true(!!isnan(f.dist.logp[b]) == (b == 2));
        assert_true(!!isnan(f.dist.entropy[b]) == (b == 2));
        assert_true(!!isnan(f.d_head[b * f.ldh + at]) == (b == 2));
      }
      cel_tensors_destroy(f.tensors);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_score),
      cmocka_unit_test(test_all_actions),
      cmocka_unit_test(test_categorical_frequencies),
      cmocka_unit_test(test_bit_frequencies),
      cmocka_unit_test(test_mode),
      cmocka_unit_test(test_far_out),
      cmocka_unit_test(test_threads_same_bits),
      cmocka_unit_test(test_nan_propagates),
  };
  return cmocka_run_group_tests_name("nn/heads", tests, NULL, NULL);
}
