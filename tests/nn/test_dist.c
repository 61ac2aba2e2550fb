/// Distributions: samples, log-probs, entropies and their backward passes, compared with an oracle
/// in double, its central differences, and PyTorch. Also frequencies, stability for extreme values,
/// the same bits for any number of threads, and NaN.
#include "nn_test.h"

#include "nn/dist.h"

enum { B = 7 };

/// A distribution's use, with its inputs and gradients. Strides are odd on purpose.
typedef struct Fixture {
  CelTensors *tensors;
  CeliDist dist;
  int64_t rows, A;
  ptrdiff_t ldh, lda;
  float *head, *d_head, *action, *d_action, *d_entropy; // (rows,ldh) (rows,lda) (rows,)
  uint64_t *counter;
} Fixture;

static void fixture_create(Fixture *f, CeliDistSpec spec, int64_t rows) {
  memset(f, 0, sizeof *f);
  f->rows = rows, f->A = spec.A;
  f->ldh = celi_dist_head(&spec) + 3, f->lda = spec.A + 2;
  const int64_t head[] = {rows, f->ldh}, action[] = {rows, f->lda}, one = 1;
  assert_ok(cel_tensors_create(&f->tensors));
  assert_ok(celi_dist_declare_param(&f->dist, f->tensors, "pi", &spec));
  assert_ok(celi_dist_declare(&f->dist, f->tensors, "dist", &spec, rows, true));
  const struct {
    const char *name;
    float **place;
    const int64_t *shape;
    int ndim;
  } list[] = {{"head", &f->head, head, 2},
              {"d_head", &f->d_head, head, 2},
              {"action", &f->action, action, 2},
              {"d_action", &f->d_action, action, 2},
              {"d_entropy", &f->d_entropy, head, 1}};
  for (int i = 0; i < 5; i++)
    assert_ok(cel_tensors_declare(f->tensors, list[i].name, CEL_F32, CEL_SCRATCH, list[i].place,
                                  list[i].ndim, list[i].shape));
  assert_ok(cel_tensors_declare(f->tensors, "counter", CEL_U64, CEL_STATE, &f->counter, 1, &one));
  assert_ok(cel_tensors_allocate(f->tensors));
  celi_dist_init(&f->dist);
}

static void randomise(Fixture *f, uint64_t seed, double scale) {
  CelRng rng = cel_rng(seed, CEL_RNG_USER, 0);
  fill_random(f->head, f->rows * f->ldh, scale, &rng);
  fill_random(f->d_action, f->rows * f->lda, 1, &rng);
  fill_random(f->dist.d_logp, f->rows, 1, &rng);
  fill_random(f->d_entropy, f->rows, 1, &rng);
  if (f->dist.log_std_param) fill_random(f->dist.log_std_param, f->A, scale, &rng);
}

/// Samples. Then runs the backward pass of the samples, except for a categorical.
static void run_sample(Fixture *f, int threads) {
  CeliPlan *plan;
  assert_ok(celi_plan_create(&plan));
  celi_dist_plan_sample(plan, &f->dist, f->action, f->lda, f->head, f->ldh, 8, 3, f->counter);
  if (f->dist.spec.kind != CELI_CATEGORICAL) {
    celi_dist_plan_sample_backward(plan, &f->dist, f->d_head, f->ldh, f->d_action, f->lda,
                                   f->action, f->lda, f->head, f->ldh);
    celi_dist_plan_backward_param(plan, &f->dist);
  }
  assert_ok(celi_plan_end(plan));
  run_plan(plan, threads);
  celi_plan_destroy(plan);
}

static void run_score(Fixture *f, const void *action, int threads) {
  CeliPlan *plan;
  const bool squash = f->dist.spec.kind == CELI_SQUASHED_GAUSSIAN;
  assert_ok(celi_plan_create(&plan));
  celi_dist_plan_log_prob(plan, &f->dist, action, f->lda, f->head, f->ldh);
  celi_dist_plan_log_prob_backward(plan, &f->dist, f->d_head, f->ldh, f->dist.d_logp,
                                   squash ? NULL : f->d_entropy, action, f->lda, f->head, f->ldh);
  celi_dist_plan_backward_param(plan, &f->dist);
  assert_ok(celi_plan_end(plan));
  run_plan(plan, threads);
  celi_plan_destroy(plan);
}

// ---- oracles in double

static double oracle_log_std(const Fixture *f, const double *head, const double *param, int64_t a) {
  const double x = f->dist.spec.free_log_std ? param[a] : head[f->A + a];
  const double lo = f->dist.spec.log_std_min, hi = f->dist.spec.log_std_max;
  return lo >= hi ? x : x < lo ? lo : x > hi ? hi : x;
}

/// log(1 - tanh(u)^2), from the definition where that is accurate.
static double log_jacobian(double u) {
  const double c = cosh(u);
  return fabs(u) < 300 ? -2 * log(c) : 2 * (log(2) - fabs(u));
}

/// One row of a Gaussian at u. Central differences of it give the gradients.
static double oracle_logp(const Fixture *f, const double *head, const double *param,
                          const double *u) {
  double logp = 0;
  for (int64_t a = 0; a < f->A; a++) {
    const double s = oracle_log_std(f, head, param, a), z = (u[a] - head[a]) / exp(s);
    logp += -z * z / 2 - s - log(2 * acos(-1)) / 2;
    if (f->dist.spec.kind == CELI_SQUASHED_GAUSSIAN) logp -= log_jacobian(u[a]);
  }
  return logp;
}

/// The loss of the sample of row b, d_action . action + d_logp logp, as a function of head and
/// param.
static double sample_loss(const Fixture *f, int64_t b, const double *head, const double *param,
                          double *logp) {
  double loss = 0, u[16];
  for (int64_t a = 0; a < f->A; a++) {
    u[a] = head[a] + exp(oracle_log_std(f, head, param, a)) * (double)f->dist.eps[b * f->A + a];
    const bool squash = f->dist.spec.kind == CELI_SQUASHED_GAUSSIAN;
    loss += (double)f->d_action[b * f->lda + a] * (squash ? tanh(u[a]) : u[a]);
  }
  *logp = oracle_logp(f, head, param, u);
  return loss + (double)f->dist.d_logp[b] * *logp;
}

/// Copies of the head of row b and of the free log_std.
static void load_row(const Fixture *f, int64_t b, double *head, double *param) {
  for (int64_t i = 0; i < celi_dist_head(&f->dist.spec); i++)
    head[i] = (double)f->head[b * f->ldh + i];
  for (int64_t a = 0; f->dist.log_std_param && a < f->A; a++)
    param[a] = (double)f->dist.log_std_param[a];
}

static double sample_difference(const Fixture *f, int64_t b, double *head, double *param,
                                double *at) {
  const double h = 1e-6, x = *at;
  double logp;
  *at = x + h;
  const double above = sample_loss(f, b, head, param, &logp);
  *at = x - h;
  const double below = sample_loss(f, b, head, param, &logp);
  *at = x;
  return (above - below) / (2 * h);
}

static void check_sample(Fixture *f) {
  const int64_t A = f->A, width = celi_dist_head(&f->dist.spec), n = f->rows * width;
  double *expected = zeroed((size_t)n, sizeof *expected), *logps = zeroed(B, sizeof *logps);
  float *got = zeroed((size_t)n, sizeof *got);
  double param_gradient[16] = {0};
  for (int64_t b = 0; b < f->rows; b++) {
    double head[32], param[16] = {0};
    load_row(f, b, head, param);
    sample_loss(f, b, head, param, &logps[b]);
    for (int64_t i = 0; i < width; i++) {
      expected[b * width + i] = sample_difference(f, b, head, param, &head[i]);
      got[b * width + i] = f->d_head[b * f->ldh + i];
    }
    for (int64_t a = 0; f->dist.log_std_param && a < A; a++)
      param_gradient[a] += sample_difference(f, b, head, param, &param[a]);
  }
  assert_norm_near("logp", f->dist.logp, logps, f->rows, 1e-6);
  assert_norm_near("d_head", got, expected, n, 1e-5);
  if (f->dist.log_std_param)
    assert_norm_near("d_log_std", f->dist.d_log_std_param, param_gradient, A, 1e-5);
  free(expected), free(logps), free(got);
}

static CeliDistSpec gaussian_spec(bool squash, bool free_log_std, int64_t A) {
  return (CeliDistSpec){.kind = squash ? CELI_SQUASHED_GAUSSIAN : CELI_GAUSSIAN,
                        .A = A,
                        .free_log_std = free_log_std,
                        .log_std_min = -2,
                        .log_std_max = 0.5,
                        .log_std_init = -0.5};
}

static void test_sample_gradients(void **state) {
  (void)state;
  static const int64_t sizes[] = {1, 3, 6, 13};
  for (int i = 0; i < 16; i++) {
    Fixture f;
    fixture_create(&f, gaussian_spec(i & 1, i & 2, sizes[i / 4]), B);
    randomise(&f, 20 + (uint64_t)i, 1.2);
    run_sample(&f, 1);
    check_sample(&f);
    cel_tensors_destroy(f.tensors);
  }
}

/// Samples have the right mean, spread and frequencies. A new counter gives new samples.
static void test_frequencies(void **state) {
  (void)state;
  enum { ROWS = 40000 };
  Fixture f;
  fixture_create(&f, gaussian_spec(false, false, 2), ROWS);
  for (int64_t b = 0; b < ROWS; b++) {
    static const float head[] = {0.5f, -2.0f, -1.0f, 0.25f};
    memcpy(f.head + b * f.ldh, head, sizeof head);
  }
  run_sample(&f, 2);
  for (int a = 0; a < 2; a++) {
    const double sd = exp(a ? 0.25 : -1.0), mean = a ? -2.0 : 0.5;
    double sum = 0, square = 0;
    for (int64_t b = 0; b < ROWS; b++) {
      const double z = ((double)f.action[b * f.lda + a] - mean) / sd;
      sum += z, square += z * z;
    }
    assert_true(fabs(sum / ROWS) < 5 / sqrt(ROWS));
    assert_true(fabs(square / ROWS - 1) < 5 * sqrt(2.0 / ROWS));
  }
  const float before = f.action[0];
  assert_int_equal(celi_dist_blocks(&f.dist), ROWS * 2 / 4);
  *f.counter += 1;
  run_sample(&f, 2);
  assert_true(f.action[0] != before);
  cel_tensors_destroy(f.tensors);
}

static void test_categorical_frequencies(void **state) {
  (void)state;
  enum { ROWS = 40000, A = 4 };
  const double p[A] = {0.1, 0.6, 0, 0.3};
  Fixture f;
  int64_t count[A] = {0};
  fixture_create(&f, (CeliDistSpec){.kind = CELI_CATEGORICAL, .A = A}, ROWS);
  for (int64_t b = 0; b < ROWS; b++)
    for (int a = 0; a < A; a++)
      f.head[b * f.ldh + a] = p[a] > 0 ? (float)(3 + log(p[a])) : -INFINITY;
  run_sample(&f, 2);
  const int32_t *action = (const int32_t *)(const void *)f.action;
  for (int64_t b = 0; b < ROWS; b++) {
    assert_in_range(action[b * f.lda], 0, A - 1);
    count[action[b * f.lda]]++;
    assert_true(fabs((double)f.dist.logp[b] - log(p[action[b * f.lda]])) < 1e-6);
  }
  for (int a = 0; a < A; a++)
    assert_true(fabs((double)count[a] / ROWS - p[a]) <= 5 * sqrt(p[a] * (1 - p[a]) / ROWS));
  cel_tensors_destroy(f.tensors);
}

/// For |u| = 20, tanh(u) is 1 in float32, and log(1 - tanh(u)^2) would be -inf. The log-prob must
/// still be right.
static void test_far_out(void **state) {
  (void)state;
  static const float us[] = {-20, 20, -8, 8, 0, 40, -90};
  Fixture f;
  fixture_create(&f, gaussian_spec(true, false, 1), B);
  for (int b = 0; b < B; b++) {
    f.head[b * f.ldh] = us[b];
    f.head[b * f.ldh + 1] = -1.5f;
    f.dist.d_logp[b] = 1;
  }
  run_sample(&f, 1);
  for (int b = 0; b < B; b++) {
    double head[2], param[1] = {0}, logp;
    load_row(&f, b, head, param);
    sample_loss(&f, b, head, param, &logp);
    const double got = (double)f.dist.logp[b];
    if (!(fabs(got - logp) <= 1e-6 * (1 + fabs(logp))))
      fail_msg("logp at u = %g is %.9g, expected %.9g", (double)us[b], got, logp);
    const double u = head[0] + exp(-1.5) * (double)f.dist.eps[b];
    assert_true(fabs((double)f.d_head[b * f.ldh] - 2 * tanh(u)) < 1e-6);
    assert_true(fabs((double)f.action[b * f.lda]) <= 1);
  }
  cel_tensors_destroy(f.tensors);
}

/// Given actions at the very edge have a finite log-prob too.
static void test_score_at_edge(void **state) {
  (void)state;
  Fixture f;
  fixture_create(&f, gaussian_spec(true, false, 1), 2);
  f.action[0] = 1, f.action[f.lda] = -1;
  run_score(&f, f.action, 1);
  const double u = atanh(1 - 0x1p-24), logp = -u * u / 2 - log(2 * acos(-1)) / 2 - log_jacobian(u);
  for (int b = 0; b < 2; b++) {
    assert_true(fabs((double)f.dist.logp[b] - logp) < 1e-5 * fabs(logp));
    assert_true(isnan(f.dist.entropy[b]));
  }
  cel_tensors_destroy(f.tensors);
}

/// The score of a sampled action is the same whether u is stored or computed from the action.
static void test_score_of_sample(void **state) {
  (void)state;
  for (int i = 0; i < 4; i++) {
    Fixture f;
    fixture_create(&f, gaussian_spec(i & 1, i & 2, 3), B);
    randomise(&f, 90 + (uint64_t)i, 0.5);
    run_sample(&f, 1);
    double expected[B];
    for (int b = 0; b < B; b++) expected[b] = (double)f.dist.logp[b];
    run_score(&f, f.action, 1);
    assert_norm_near("logp", f.dist.logp, expected, B, 3e-6);
    cel_tensors_destroy(f.tensors);
  }
}

static void test_threads_same_bits(void **state) {
  (void)state;
  for (int kind = 0; kind < 5; kind++) {
    CeliDistSpec spec = gaussian_spec(kind & 1, kind & 2, 3);
    if (kind == 4) spec = (CeliDistSpec){.kind = CELI_CATEGORICAL, .A = 5};
    uint64_t expected[2] = {0, 0};
    for (int threads = 1; threads <= 3; threads++) {
      Fixture f;
      uint64_t digest[2];
      fixture_create(&f, spec, 301);
      randomise(&f, 50, 1);
      run_sample(&f, threads);
      run_score(&f, f.action, threads);
      cel_tensors_digest(f.tensors, (1u << CEL_GRAD) | (1u << CEL_SCRATCH), digest);
      if (threads == 1) memcpy(expected, digest, sizeof digest);
      assert_memory_equal(digest, expected, sizeof digest);
      cel_tensors_destroy(f.tensors);
    }
  }
}

/// Acting at once gives the same bits as the plan.
static void test_at_once(void **state) {
  (void)state;
  static const int64_t sizes[] = {1, 3, 200};
  for (int i = 0; i < 6; i++) {
    Fixture f;
    fixture_create(&f, gaussian_spec(i & 1, false, sizes[i / 2]), B);
    randomise(&f, 70, 1);
    run_sample(&f, 1);
    const size_t bytes = (size_t)(B * f.lda) * sizeof(float);
    float *action = zeroed(1, bytes);
    celi_dist_sample_rows(&f.dist.spec, action, f.lda, f.head, f.ldh, f.dist.eps, 0, B);
    assert_same_bits("sample_rows", action, f.action, bytes);
    celi_dist_mode(&f.dist.spec, action, f.lda, f.head, f.ldh, 0, B);
    for (int b = 0; b < B; b++)
      for (int64_t a = 0; a < f.A; a++) {
        const double mean = (double)f.head[b * f.ldh + a];
        const double got = (double)action[b * f.lda + a];
        assert_true(fabs(got - (i & 1 ? tanh(mean) : mean)) < 1e-6);
      }
    free(action);
    cel_tensors_destroy(f.tensors);
  }
  const CeliDistSpec spec = {.kind = CELI_CATEGORICAL, .A = 4};
  const float head[] = {1, 3, 3, 2, -5, -9, -5, -4};
  int32_t mode[2];
  celi_dist_mode(&spec, mode, 1, head, 4, 0, 2);
  assert_int_equal(mode[0], 1);
  assert_int_equal(mode[1], 3);
}

static void test_nan_propagates(void **state) {
  (void)state;
  for (int kind = 0; kind < 3; kind++)
    for (int64_t at = 0; at < (kind == 2 ? 1 : 2); at++) { // mean, then log_std
      CeliDistSpec spec = gaussian_spec(kind & 1, false, 1);
      if (kind == 2) spec = (CeliDistSpec){.kind = CELI_CATEGORICAL, .A = 3};
      Fixture f;
      fixture_create(&f, spec, B);
      randomise(&f, 71, 1);
      f.head[2 * f.ldh + at] = NAN;
      run_sample(&f, 1);
      // The log-prob of a Gaussian sample depends on its noise only. A NaN mean shows in the
      // action.
      for (int b = 0; b < B; b++)
        assert_true(!!isnan(f.dist.logp[b]) == (b == 2 && (kind > 0 || at == 1)));
      for (int b = 0; b < B && kind < 2; b++) assert_true(!!isnan(f.action[b * f.lda]) == (b == 2));
      run_score(&f, f.action, 1);
      for (int b = 0; b < B; b++) assert_true(!!isnan(f.dist.logp[b]) == (b == 2));
      cel_tensors_destroy(f.tensors);
    }
}

/// A second use shares the parameter. A free log_std without a declared parameter is an error.
static void test_shared(void **state) {
  (void)state;
  CelTensors *tensors;
  CeliDist a, b, c;
  const CeliDistSpec spec = gaussian_spec(false, true, 2);
  assert_ok(cel_tensors_create(&tensors));
  assert_ok(celi_dist_declare_param(&a, tensors, "pi", &spec));
  assert_ok(celi_dist_declare(&a, tensors, "a", &spec, 3, false));
  assert_ok(celi_dist_declare_shared(&b, tensors, "b", &a, 5, true));
  memset(&c, 0, sizeof c);
  assert_fails(celi_dist_declare(&c, tensors, "c", &spec, 3, false), CEL_E_STATE, "log_std");
  CeliDistSpec bad = spec;
  bad.A = 0;
  assert_fails(celi_dist_declare(&c, tensors, "c", &bad, 3, false), CEL_E_RANGE, "A is 0");
  bad = (CeliDistSpec){.kind = CELI_CATEGORICAL, .A = 2, .free_log_std = true};
  assert_fails(celi_dist_declare(&c, tensors, "c", &bad, 3, false), CEL_E_UNSUPPORTED, "log_std");
  assert_ok(cel_tensors_allocate(tensors));
  celi_dist_init(&b);
  assert_true(a.log_std_param[0] == -0.5f && a.log_std_param[1] == -0.5f);
  const float head[5 * 2] = {0};
  CeliPlan *plan;
  float action[5 * 2] = {0};
  assert_ok(celi_plan_create(&plan));
  celi_dist_plan_log_prob(plan, &b, action, 2, head, 2);
  assert_ok(celi_plan_end(plan));
  run_plan(plan, 1);
  for (int i = 0; i < 5; i++) {
    assert_true(fabs((double)b.logp[i] - 2 * (0.5 - log(2 * acos(-1)) / 2)) < 1e-6);
    assert_true(fabs((double)b.entropy[i] - (-1 + 1 + log(2 * acos(-1)))) < 1e-6);
  }
  celi_plan_destroy(plan);
  cel_tensors_destroy(tensors);
}

// ---- PyTorch

/// Copies a golden (rows,columns) tensor to columns of y, with row stride ld.
static void golden_columns(float *y, ptrdiff_t ld, int64_t columns, const CelTensor *t) {
  float *x = zeroed((size_t)t->size, sizeof *x);
  golden_copy(x, t->size, t);
  for (int64_t i = 0; i < t->size; i++) y[i / columns * ld + i % columns] = x[i];
  free(x);
}

static void assert_golden_columns(const float *y, ptrdiff_t ld, int64_t columns,
                                  const CelTensor *t) {
  float *x = zeroed((size_t)t->size, sizeof *x);
  for (int64_t i = 0; i < t->size; i++) x[i] = y[i / columns * ld + i % columns];
  assert_golden(x, t->size, t, 1e-5);
  free(x);
}

/// The gradients from sampling and from given actions.
static void check_golden_gradients(void **state, const Fixture *f, const char *name) {
  const CelTensor *d_log_std = golden(state, CEL_F64, "%s.d_log_std", name);
  assert_golden_columns(f->d_head, f->ldh, f->A, golden(state, CEL_F64, "%s.d_mean", name));
  if (f->dist.log_std_param)
    assert_golden(f->dist.d_log_std_param, f->A, d_log_std, 1e-5);
  else
    assert_golden_columns(f->d_head + f->A, f->ldh, f->A, d_log_std);
}

/// Golden noise replaces the noise of the stream: the kernel samples again after the plan.
static void sample_golden(Fixture *f, const CelTensor *eps) {
  const CeliDist *d = &f->dist;
  run_sample(f, 1); // writes the clamped log_std
  golden_copy(d->eps, eps->size, eps);
  celi_ops()->gaussian_sample(f->action, f->lda, d->u, d->logp, f->head, f->ldh, d->log_std, f->A,
                              d->eps, 0, f->rows, f->A, d->spec.kind == CELI_SQUASHED_GAUSSIAN);
  CeliPlan *plan;
  assert_ok(celi_plan_create(&plan));
  celi_dist_plan_sample_backward(plan, d, f->d_head, f->ldh, f->d_action, f->lda, f->action, f->lda,
                                 f->head, f->ldh);
  celi_dist_plan_backward_param(plan, d);
  assert_ok(celi_plan_end(plan));
  run_plan(plan, 2);
  celi_plan_destroy(plan);
}

static void check_golden_gaussian(void **state, const char *name, bool squash, bool free_log_std) {
  char key[64];
  const CelTensor *mean = golden(state, CEL_F64, "gaussian.%s.mean", name);
  const int64_t rows = mean->shape[0], A = mean->shape[1];
  Fixture f;
  snprintf(key, sizeof key, "gaussian.%s", name);
  fixture_create(&f, gaussian_spec(squash, free_log_std, A), rows);
  golden_columns(f.head, f.ldh, A, mean);
  if (free_log_std)
    golden_copy(f.dist.log_std_param, A, golden(state, CEL_F64, "%s.log_std", key));
  else
    golden_columns(f.head + A, f.ldh, A, golden(state, CEL_F64, "%s.log_std", key));
  golden_columns(f.d_action, f.lda, A, golden(state, CEL_F64, "%s.d_action", key));
  golden_copy(f.dist.d_logp, rows, golden(state, CEL_F64, "%s.d_logp", key));
  sample_golden(&f, golden(state, CEL_F64, "%s.eps", key));
  assert_golden_columns(f.action, f.lda, A, golden(state, CEL_F64, "%s.action", key));
  assert_golden(f.dist.logp, rows, golden(state, CEL_F64, "%s.logp", key), 1e-5);
  check_golden_gradients(state, &f, key);

  golden_columns(f.action, f.lda, A, golden(state, CEL_F64, "%s.score.action", key));
  golden_copy(f.dist.d_logp, rows, golden(state, CEL_F64, "%s.score.d_logp", key));
  golden_copy(f.d_entropy, rows, golden(state, CEL_F64, "%s.score.d_entropy", key));
  run_score(&f, f.action, 2);
  assert_golden(f.dist.logp, rows, golden(state, CEL_F64, "%s.score.logp", key), 1e-5);
  if (!squash)
    assert_golden(f.dist.entropy, rows, golden(state, CEL_F64, "%s.score.entropy", key), 1e-5);
  snprintf(key, sizeof key, "gaussian.%s.score", name);
  check_golden_gradients(state, &f, key);
  cel_tensors_destroy(f.tensors);
}

static void test_golden_gaussians(void **state) {
  check_golden_gaussian(state, "plain", false, false);
  check_golden_gaussian(state, "free", false, true);
  check_golden_gaussian(state, "squashed", true, false);
  check_golden_gaussian(state, "squashed_free", true, true);
}

static void test_golden_categorical(void **state) {
  const CelTensor *logits = golden(state, CEL_F64, "categorical.logits");
  const int32_t *given = golden(state, CEL_I32, "categorical.action")->data;
  const int64_t rows = logits->shape[0], A = logits->shape[1];
  Fixture f;
  fixture_create(&f, (CeliDistSpec){.kind = CELI_CATEGORICAL, .A = A}, rows);
  golden_columns(f.head, f.ldh, A, logits);
  int32_t *action = (int32_t *)(void *)f.action;
  for (int64_t b = 0; b < rows; b++) action[b * f.lda] = given[b];
  golden_copy(f.dist.d_logp, rows, golden(state, CEL_F64, "categorical.d_logp"));
  golden_copy(f.d_entropy, rows, golden(state, CEL_F64, "categorical.d_entropy"));
  run_score(&f, f.action, 2);
  assert_golden(f.dist.logp, rows, golden(state, CEL_F64, "categorical.logp"), 1e-5);
  assert_golden(f.dist.entropy, rows, golden(state, CEL_F64, "categorical.entropy"), 1e-5);
  assert_golden_columns(f.d_head, f.ldh, A, golden(state, CEL_F64, "categorical.d_logits"));
  cel_tensors_destroy(f.tensors);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sample_gradients),        cmocka_unit_test(test_frequencies),
      cmocka_unit_test(test_categorical_frequencies), cmocka_unit_test(test_far_out),
      cmocka_unit_test(test_score_at_edge),           cmocka_unit_test(test_score_of_sample),
      cmocka_unit_test(test_threads_same_bits),       cmocka_unit_test(test_at_once),
      cmocka_unit_test(test_nan_propagates),          cmocka_unit_test(test_shared),
      cmocka_unit_test(test_golden_gaussians),        cmocka_unit_test(test_golden_categorical),
  };
  return cmocka_run_group_tests_name("nn/dist", tests, golden_open, golden_close);
}
