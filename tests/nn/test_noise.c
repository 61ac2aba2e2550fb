/// Exploration noise: normal, Ornstein-Uhlenbeck, and gSDE, which is compared with PyTorch and with
/// its own moments.
#include "nn_test.h"

#include "nn/noise.h"
#include "ops/ops.h"

// ---- additive noise

static CelTensors *make(CeliNoise *noise, CeliNoiseKind kind, int64_t N, int64_t A, double sigma,
                        double theta, double dt) {
  CelTensors *tensors;
  assert_ok(cel_tensors_create(&tensors));
  assert_ok(celi_noise_declare(noise, tensors, "noise", kind, N, A, sigma, theta, dt, 12));
  assert_ok(cel_tensors_allocate(tensors));
  return tensors;
}

/// Mean 0, standard deviation sigma, clipped, a separate stream for each environment, new numbers
/// at every step.
static void test_normal(void **state) {
  (void)state;
  enum { N = 3, A = 70, STEPS = 400 };
  CeliNoise noise;
  CelTensors *t = make(&noise, CELI_NOISE_NORMAL, N, A, 0.2, 0, 0);
  double sum = 0, square = 0, product = 0;
  const uint8_t start[N] = {0};
  for (int step = 0; step < STEPS; step++) {
    float action[N * A] = {0};
    celi_noise_add(&noise, action, start);
    for (int i = 0; i < N * A; i++) {
      const double z = (double)action[i] / 0.2;
      sum += z, square += z * z;
      if (i < A) product += z * (double)action[A + i] / 0.2;
    }
  }
  const double n = (double)N * A * STEPS;
  assert_true(fabs(sum / n) < 5 / sqrt(n));
  assert_true(fabs(square / n - 1) < 5 * sqrt(2 / n) + 1e-3); // clipping at 5 sigma changes nothing
  assert_true(fabs(product / (A * STEPS)) < 5 / sqrt(A * STEPS));
  assert_int_equal(noise.counter[1], STEPS * ((A + 3) / 4));
  float far[N * A];
  for (int i = 0; i < N * A; i++) far[i] = i % 2 ? 0.99f : -0.99f;
  celi_noise_add(&noise, far, start);
  int clipped = 0;
  for (int i = 0; i < N * A; i++) {
    assert_true(far[i] >= -1 && far[i] <= 1);
    clipped += far[i] == 1 || far[i] == -1;
  }
  assert_true(clipped > N * A / 4);
  cel_tensors_destroy(t);
}

/// The recursion itself, with the noise recovered from the first difference. Its stationary
/// deviation is sigma / sqrt(2 theta) as dt -> 0. It starts at zero.
static void test_ornstein_uhlenbeck(void **state) {
  (void)state;
  enum { N = 2, A = 5, STEPS = 20000 };
  const double theta = 0.5, sigma = 0.15, dt = 0.1;
  CeliNoise noise;
  CelTensors *t = make(&noise, CELI_NOISE_OU, N, A, sigma, theta, dt);
  uint8_t start[N] = {1, 1};
  double square = 0, step_square = 0, lag = 0;
  for (int step = 0; step < STEPS; step++) {
    double before[N * A];
    float action[N * A] = {0};
    memcpy(before, noise.x, sizeof before);
    celi_noise_add(&noise, action, start);
    memset(start, 0, sizeof start);
    for (int i = 0; i < N * A; i++) {
      const double n = (noise.x[i] - before[i] * (1 - theta * dt)) / (sigma * sqrt(dt));
      assert_true(action[i] == (float)noise.x[i]);
      square += noise.x[i] * noise.x[i];
      step_square += n * n;
      lag += noise.x[i] * before[i];
    }
  }
  const double n = (double)N * A * STEPS, rho = 1 - theta * dt;
  const double variance = sigma * sigma * dt / (1 - rho * rho);
  assert_true(fabs(step_square / n - 1) < 5 * sqrt(2 / n));
  assert_true(fabs(square / n / variance - 1) < 0.05);
  assert_true(fabs(lag / n / variance - rho) < 0.05);
  start[1] = 1;
  float action[N * A] = {0};
  const double kept = noise.x[0];
  celi_noise_add(&noise, action, start);
  for (int i = 0; i < A; i++) assert_true(fabs(noise.x[A + i]) < 6 * sigma * sqrt(dt));
  assert_true(fabs(noise.x[0] - kept * rho) < 6 * sigma * sqrt(dt));
  cel_tensors_destroy(t);
}

static void test_noise_edges(void **state) {
  (void)state;
  CeliNoise noise;
  float action[2] = {0.5f, NAN};
  CelTensors *t = make(&noise, CELI_NOISE_NONE, 1, 2, -1, 0, 0);
  celi_noise_add(&noise, action, NULL);
  assert_true(action[0] == 0.5f);
  assert_int_equal(cel_tensors_count(t), 0);
  cel_tensors_destroy(t);
  t = make(&noise, CELI_NOISE_NORMAL, 1, 2, 0.1, 0, 0);
  celi_noise_add(&noise, action, NULL);
  assert_true(action[0] != 0.5f && isnan(action[1]));
  cel_tensors_destroy(t);
  assert_ok(cel_tensors_create(&t));
  assert_fails(celi_noise_declare(&noise, t, "n", CELI_NOISE_OU, 1, 1, -0.1, 1, 1, 0), CEL_E_RANGE,
               "sigma -0.1");
  cel_tensors_destroy(t);
}

// ---- gSDE

typedef struct Fixture {
  CelTensors *tensors;
  CeliGsde gsde;
  float *mean, *latent, *action, *d_mean, *d_latent, *d_action; // (B,A) and (B,H), contiguous
  uint64_t *counter;
} Fixture;

static void fixture_create(Fixture *f, int64_t B, int64_t H, int64_t A, bool squash) {
  const int64_t wide[] = {B, H}, narrow[] = {B, A}, one = 1;
  memset(f, 0, sizeof *f);
  assert_ok(cel_tensors_create(&f->tensors));
  assert_ok(celi_gsde_declare_param(&f->gsde, f->tensors, "pi", H, A));
  assert_ok(celi_gsde_declare(&f->gsde, f->tensors, "gsde", B, squash));
  const struct {
    const char *name;
    float **place;
    const int64_t *shape;
  } list[] = {{"mean", &f->mean, narrow},       {"latent", &f->latent, wide},
              {"action", &f->action, narrow},   {"d_mean", &f->d_mean, narrow},
              {"d_latent", &f->d_latent, wide}, {"d_action", &f->d_action, narrow}};
  for (int i = 0; i < 6; i++)
    assert_ok(cel_tensors_declare(f->tensors, list[i].name, CEL_F32, CEL_SCRATCH, list[i].place, 2,
                                  list[i].shape));
  assert_ok(cel_tensors_declare(f->tensors, "counter", CEL_U64, CEL_STATE, &f->counter, 1, &one));
  assert_ok(cel_tensors_allocate(f->tensors));
}

static void randomise(Fixture *f) {
  CelRng rng = cel_rng(21, CEL_RNG_USER, 0);
  const CeliGsde *g = &f->gsde;
  fill_random(g->log_std, g->H * g->A, 0.7, &rng);
  fill_random(f->mean, g->B * g->A, 1, &rng);
  fill_random(f->latent, g->B * g->H, 1, &rng);
  fill_random(f->d_action, g->B * g->A, 1, &rng);
  fill_random(g->d_logp, g->B, 1, &rng);
}

static void plan_sample(CeliPlan *plan, Fixture *f) {
  const CeliGsde *g = &f->gsde;
  celi_gsde_plan_sample(plan, g, f->action, g->A, f->mean, g->A, f->latent, g->H, 8, 1, f->counter);
}

static void plan_backward(CeliPlan *plan, Fixture *f) {
  const CeliGsde *g = &f->gsde;
  celi_gsde_plan_backward(plan, g, f->d_mean, g->A, f->d_latent, g->H, f->d_action, g->A, f->action,
                          g->A, f->latent, g->H);
}

static void run(Fixture *f, int threads) {
  CeliPlan *plan;
  assert_ok(celi_plan_create(&plan));
  plan_sample(plan, f);
  plan_backward(plan, f);
  assert_ok(celi_plan_end(plan));
  run_plan(plan, threads);
  celi_plan_destroy(plan);
}

static double deviation(const CeliGsde *g, double log_std) {
  return g->expln && log_std > 0 ? 1 + log1p(log_std + 1e-6) : exp(log_std);
}

/// The loss d_action . action + d_logp . logp in double, as a function of all its inputs.
static double oracle(const Fixture *f, const double *mean, const double *latent,
                     const double *log_std) {
  const CeliGsde *g = &f->gsde;
  double loss = 0;
  for (int64_t b = 0; b < g->B; b++)
    for (int64_t a = 0; a < g->A; a++) {
      double noise = 0, var = 1e-6;
      for (int64_t h = 0; h < g->H; h++) {
        const double x = latent[b * g->H + h], sd = deviation(g, log_std[h * g->A + a]);
        noise += x * sd * (double)g->E[h * g->A + a];
        var += x * x * sd * sd;
      }
      const double u = mean[b * g->A + a] + noise;
      double logp = -noise * noise / (2 * var) - log(2 * acos(-1) * var) / 2;
      if (g->squash) logp += 2 * log(cosh(u));
      loss += (double)f->d_action[b * g->A + a] * (g->squash ? tanh(u) : u);
      loss += (double)g->d_logp[b] * logp;
    }
  return loss;
}

static void check_differences(const char *what, const Fixture *f, double *in[3], int which,
                              const float *got, int64_t n) {
  const double h = 1e-6;
  double *expected = zeroed((size_t)n, sizeof *expected);
  for (int64_t i = 0; i < n; i++) {
    const double x = in[which][i];
    in[which][i] = x + h;
    const double above = oracle(f, in[0], in[1], in[2]);
    in[which][i] = x - h;
    expected[i] = (above - oracle(f, in[0], in[1], in[2])) / (2 * h);
    in[which][i] = x;
  }
  assert_norm_near(what, got, expected, n, 1e-5);
  free(expected);
}

static double *to_doubles(const float *x, int64_t n) {
  double *y = zeroed((size_t)n, sizeof *y);
  for (int64_t i = 0; i < n; i++) y[i] = (double)x[i];
  return y;
}

static void test_gsde_gradients(void **state) {
  (void)state;
  static const int64_t sizes[][2] = {{1, 1}, {17, 3}, {23, 6}, {40, 1}};
  for (int i = 0; i < 16; i++) {
    Fixture f;
    const int64_t H = sizes[i / 4][0], A = sizes[i / 4][1];
    fixture_create(&f, 5, H, A, i & 1);
    f.gsde.expln = i & 2;
    randomise(&f);
    run(&f, 1);
    double *in[] = {to_doubles(f.mean, 5 * A), to_doubles(f.latent, 5 * H),
                    to_doubles(f.gsde.log_std, H * A)};
    check_differences("d_mean", &f, in, 0, f.d_mean, 5 * A);
    check_differences("d_latent", &f, in, 1, f.d_latent, 5 * H);
    check_differences("d_log_std", &f, in, 2, f.gsde.d_log_std, H * A);
    for (int k = 0; k < 3; k++) free(in[k]);
    cel_tensors_destroy(f.tensors);
  }
}

static void check_golden_gsde(void **state, const char *name, bool squash) {
  const CelTensor *latent = golden(state, CEL_F64, "gsde.%s.latent", name);
  const CelTensor *log_std = golden(state, CEL_F64, "gsde.%s.log_std", name);
  const int64_t B = latent->shape[0], H = latent->shape[1], A = log_std->shape[1];
  Fixture f;
  fixture_create(&f, B, H, A, squash);
  const CeliGsde *g = &f.gsde;
  golden_copy(g->log_std, H * A, log_std);
  golden_copy(f.latent, B * H, latent);
  golden_copy(f.mean, B * A, golden(state, CEL_F64, "gsde.%s.mean", name));
  golden_copy(f.d_action, B * A, golden(state, CEL_F64, "gsde.%s.d_action", name));
  golden_copy(g->d_logp, B, golden(state, CEL_F64, "gsde.%s.d_logp", name));
  golden_copy(g->E, H * A, golden(state, CEL_F64, "gsde.%s.E", name));
  CeliPlan *plan;
  assert_ok(celi_plan_create(&plan));
  celi_gsde_plan_sample_given(plan, g, f.action, A, f.mean, A, f.latent, H);
  plan_backward(plan, &f);
  assert_ok(celi_plan_end(plan));
  run_plan(plan, 2);
  celi_plan_destroy(plan);
  assert_golden(f.action, B * A, golden(state, CEL_F64, "gsde.%s.action", name), 1e-5);
  assert_golden(g->logp, B, golden(state, CEL_F64, "gsde.%s.logp", name), 1e-5);
  assert_golden(f.d_mean, B * A, golden(state, CEL_F64, "gsde.%s.d_mean", name), 1e-5);
  assert_golden(f.d_latent, B * H, golden(state, CEL_F64, "gsde.%s.d_latent", name), 1e-5);
  assert_golden(g->d_log_std, H * A, golden(state, CEL_F64, "gsde.%s.d_log_std", name), 1e-5);
  cel_tensors_destroy(f.tensors);
}

static void test_golden_gsde(void **state) {
  check_golden_gsde(state, "plain", false);
  check_golden_gsde(state, "squashed", true);
}

static void test_threads_same_bits(void **state) {
  (void)state;
  uint64_t expected[2] = {0, 0};
  for (int threads = 1; threads <= 3; threads++) {
    Fixture f;
    uint64_t digest[2];
    fixture_create(&f, 101, 67, 5, true);
    randomise(&f);
    run(&f, threads);
    cel_tensors_digest(f.tensors, (1u << CEL_GRAD) | (1u << CEL_SCRATCH), digest);
    if (threads == 1) memcpy(expected, digest, sizeof digest);
    assert_memory_equal(digest, expected, sizeof digest);
    cel_tensors_destroy(f.tensors);
  }
}

/// Acting at once with a scaled matrix equals what the plan computes with the same E. The deviation
/// of the noise over many matrices is the one that the log-prob assumes.
static void test_acting(void **state) {
  (void)state;
  enum { B = 3, H = 20, A = 2, DRAWS = 4000 };
  Fixture f;
  fixture_create(&f, B, H, A, true);
  f.gsde.expln = true;
  randomise(&f);
  run(&f, 1);
  float M[H * A], action[A];
  memcpy(M, f.gsde.E, sizeof M);
  celi_gsde_scale(&f.gsde, M);
  assert_same_bits("M", M, f.gsde.M, sizeof M);
  for (int b = 0; b < B; b++) {
    celi_gsde_act(action, f.mean + b * A, f.latent + b * H, M, H, A, true);
    for (int a = 0; a < A; a++)
      assert_true(fabs((double)action[a] - (double)f.action[b * A + a]) < 1e-6);
  }
  double square[A] = {0};
  for (int k = 0; k < DRAWS; k++) {
    celi_ops()->normal(M, 77, CEL_RNG_ACT, 0, (uint64_t)k * H * A / 4, 0, H * A);
    celi_gsde_scale(&f.gsde, M);
    celi_gsde_act(action, f.mean, f.latent, M, H, A, false);
    for (int a = 0; a < A; a++) square[a] += pow((double)action[a] - (double)f.mean[a], 2) / DRAWS;
  }
  for (int a = 0; a < A; a++)
    assert_true(fabs(square[a] / (double)f.gsde.var[a] - 1) < 5 * sqrt(2.0 / DRAWS));
  cel_tensors_destroy(f.tensors);
}

/// A second use shares the parameters.
static void test_shared(void **state) {
  (void)state;
  CelTensors *t;
  CeliGsde a, b;
  float mean[4] = {0}, latent[4 * 3] = {0}, action[4];
  uint64_t counter = 0;
  CeliPlan *plan;
  assert_ok(cel_tensors_create(&t));
  assert_fails(celi_gsde_declare_param(&a, t, "pi", 0, 1), CEL_E_RANGE, "0 features");
  assert_ok(celi_gsde_declare_param(&a, t, "pi", 3, 1));
  assert_ok(celi_gsde_declare(&a, t, "a", 2, false));
  assert_ok(celi_gsde_declare_shared(&b, t, "b", &a, 4));
  assert_ok(cel_tensors_allocate(t));
  for (int i = 0; i < 3; i++) a.log_std[i] = logf(2);
  for (int i = 0; i < 12; i++) latent[i] = 1;
  assert_ok(celi_plan_create(&plan));
  celi_gsde_plan_sample(plan, &b, action, 1, mean, 1, latent, 3, 1, 0, &counter);
  assert_ok(celi_plan_end(plan));
  run_plan(plan, 1);
  for (int i = 0; i < 4; i++) assert_true(fabs((double)b.var[i] - 12) < 1e-4);
  celi_plan_destroy(plan);
  cel_tensors_destroy(t);
}

// ---- gSDE's head, for given actions

enum { HEAD_B = 9, HEAD_H = 21, HEAD_A = 3, HEAD_W = HEAD_H * HEAD_A };

typedef struct HeadFixture {
  CelTensors *tensors;
  CeliGsde gsde;
  CeliGsdeHead use;
  float *mean, *latent, *d_mean, *t_mean, *t_log_std, *t_head;
} HeadFixture;

static void head_create(HeadFixture *f, bool expln) {
  const int64_t wide[] = {HEAD_B, HEAD_H}, narrow[] = {HEAD_B, HEAD_A},
                both[] = {HEAD_B, 2 * HEAD_A}, weights[] = {HEAD_H, HEAD_A};
  CelRng rng = cel_rng(22, CEL_RNG_USER, 0);
  assert_ok(cel_tensors_create(&f->tensors));
  assert_ok(celi_gsde_declare_param(&f->gsde, f->tensors, "pi", HEAD_H, HEAD_A));
  f->gsde.expln = expln;
  assert_ok(celi_gsde_head_declare(&f->use, f->tensors, "head", &f->gsde, HEAD_B));
  const struct {
    const char *name;
    float **place;
    const int64_t *shape;
  } list[] = {{"mean", &f->mean, narrow},     {"latent", &f->latent, wide},
              {"d_mean", &f->d_mean, narrow}, {"t_mean", &f->t_mean, narrow},
              {"t_head", &f->t_head, both},   {"t_log_std", &f->t_log_std, weights}};
  for (int i = 0; i < 6; i++)
    assert_ok(cel_tensors_declare(f->tensors, list[i].name, CEL_F32, CEL_SCRATCH, list[i].place, 2,
                                  list[i].shape));
  assert_ok(cel_tensors_allocate(f->tensors));
  fill_random(f->gsde.log_std, HEAD_W, 0.7, &rng);
  fill_random(f->mean, HEAD_B * HEAD_A, 1, &rng);
  fill_random(f->latent, HEAD_B * HEAD_H, 1, &rng);
  fill_random(f->t_mean, HEAD_B * HEAD_A, 1, &rng);
  fill_random(f->t_log_std, HEAD_W, 1, &rng);
  fill_random(f->use.d_head, HEAD_B * 2 * HEAD_A, 1, &rng);
  for (int h = 0; h < HEAD_H; h++) f->latent[h] = 0; // row 0: only epsilon is left
}

static void head_run(HeadFixture *f, int threads) {
  CeliPlan *plan;
  assert_ok(celi_plan_create(&plan));
  celi_gsde_plan_head(plan, &f->use, f->mean, HEAD_A, f->latent, HEAD_H);
  celi_gsde_plan_head_backward(plan, &f->use, f->d_mean, HEAD_A);
  celi_gsde_plan_head_param(plan, &f->use);
  celi_gsde_plan_head_tangent(plan, &f->use, f->t_head, f->t_mean, f->t_log_std);
  assert_ok(celi_plan_end(plan));
  run_plan(plan, threads);
  celi_plan_destroy(plan);
}

/// log sigma (b,a) at log_std + step * direction, in double.
static double log_sigma(const HeadFixture *f, int b, int a, double step, const float *direction) {
  double var = 1e-6;
  for (int h = 0; h < HEAD_H; h++) {
    const int i = h * HEAD_A + a;
    const double latent = (double)f->latent[b * HEAD_H + h];
    var += pow(
        latent * deviation(&f->gsde, (double)f->gsde.log_std[i] + step * (double)direction[i]), 2);
  }
  return 0.5 * log(var);
}

/// Values, tangent and gradient compared with double and its differences. Acting at once, and any
/// number of threads, give the same bits.
static void check_gsde_head(bool expln) {
  HeadFixture f, g;
  float head[HEAD_B * 2 * HEAD_A], var_w[HEAD_W], latent2[HEAD_B * HEAD_H], var[HEAD_B * HEAD_A];
  const double step = 1e-4;
  head_create(&f, expln), head_create(&g, expln);
  head_run(&f, 1), head_run(&g, 3);
  assert_memory_equal(f.use.head, g.use.head, sizeof head);
  assert_memory_equal(f.gsde.d_log_std, g.gsde.d_log_std, sizeof var_w);
  celi_gsde_variances(&f.gsde, var_w);
  celi_gsde_head_rows(head, f.mean, f.latent, var_w, latent2, var, HEAD_B, HEAD_H, HEAD_A);
  assert_memory_equal(f.use.head, head, sizeof head);
  for (int b = 0; b < HEAD_B; b++)
    for (int a = 0; a < HEAD_A; a++) {
      const int at = b * 2 * HEAD_A + a;
      const double slope =
          (log_sigma(&f, b, a, step, f.t_log_std) - log_sigma(&f, b, a, -step, f.t_log_std)) /
          (2 * step);
      assert_true(head[at] == f.mean[b * HEAD_A + a]); // NOLINT: copied
      assert_true(fabs((double)head[at + HEAD_A] - log_sigma(&f, b, a, 0, f.t_log_std)) < 1e-5);
      assert_true(f.t_head[at] == f.t_mean[b * HEAD_A + a]); // NOLINT: copied
      assert_true(fabs((double)f.t_head[at + HEAD_A] - slope) < 1e-5);
      assert_true(f.d_mean[b * HEAD_A + a] == f.use.d_head[at]); // NOLINT: copied
    }
  for (int i = 0; i < HEAD_W; i++) {
    float direction[HEAD_W] = {0};
    double slope = 0;
    direction[i] = 1;
    for (int b = 0; b < HEAD_B; b++)
      slope += (double)f.use.d_head[b * 2 * HEAD_A + HEAD_A + i % HEAD_A] *
               (log_sigma(&f, b, i % HEAD_A, step, direction) -
                log_sigma(&f, b, i % HEAD_A, -step, direction)) /
               (2 * step);
    assert_true(fabs((double)f.gsde.d_log_std[i] - slope) < 1e-5);
  }
  CeliGsdeHead none;
  assert_fails(celi_gsde_head_declare(&none, f.tensors, "none", &f.gsde, 0), CEL_E_RANGE, "B is 0");
  cel_tensors_destroy(f.tensors);
  cel_tensors_destroy(g.tensors);
}

static void test_gsde_head(void **state) {
  (void)state;
  check_gsde_head(false);
  check_gsde_head(true);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_normal),      cmocka_unit_test(test_ornstein_uhlenbeck),
      cmocka_unit_test(test_noise_edges), cmocka_unit_test(test_gsde_gradients),
      cmocka_unit_test(test_golden_gsde), cmocka_unit_test(test_threads_same_bits),
      cmocka_unit_test(test_acting),      cmocka_unit_test(test_shared),
      cmocka_unit_test(test_gsde_head),
  };
  return cmocka_run_group_tests_name("nn/noise", tests, golden_open, golden_close);
}
