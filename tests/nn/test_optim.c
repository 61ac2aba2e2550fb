/// Adam and AdamW compared with PyTorch's trajectories. Also clipping, runs over several tensors,
/// target averaging, the same bits for any number of threads, and NaN.
#include "nn_test.h"

#include "nn/optim.h"

/// A parameter run of `count` tensors with `size` numbers each, and its optimizer.
typedef struct Fixture {
  CelTensors *tensors;
  CeliAdam adam;
  CeliPlan *plan;
} Fixture;

static CeliAdamConfig plain(void) {
  return (CeliAdamConfig){.learning_rate = 3e-3, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};
}

static void declare_run(CelTensors *tensors, int count, int64_t size) {
  static const char *const prefix[] = {"", "grad.", "adam.m.", "adam.v."};
  static const CelRole role[] = {CEL_PARAM, CEL_GRAD, CEL_MOMENT1, CEL_MOMENT2};
  char name[32];
  for (int k = 0; k < 4; k++)
    for (int i = 0; i < count; i++) {
      snprintf(name, sizeof name, "%sp%d", prefix[k], i);
      assert_ok(cel_tensors_declare(tensors, name, CEL_F32, role[k], NULL, 1, &size));
    }
}

static void fixture_create(Fixture *f, int count, int64_t size, const CeliAdamConfig *config) {
  char last[32];
  assert_ok(cel_tensors_create(&f->tensors));
  declare_run(f->tensors, count, size);
  assert_ok(celi_adam_declare(&f->adam, f->tensors, "adam"));
  assert_ok(cel_tensors_allocate(f->tensors));
  snprintf(last, sizeof last, "p%d", count - 1);
  assert_ok(celi_adam_bind(&f->adam, f->tensors, "p0", last, config));
  assert_ok(celi_plan_create(&f->plan));
  celi_adam_plan(f->plan, &f->adam);
  assert_ok(celi_plan_end(f->plan));
}

static void fixture_destroy(Fixture *f) {
  celi_plan_destroy(f->plan);
  cel_tensors_destroy(f->tensors);
}

static void check_trajectory(void **state, const char *name, const CeliAdamConfig *config) {
  const CelTensor *before = golden(state, CEL_F64, "adam.%s.before", name);
  const CelTensor *gradients = golden(state, CEL_F64, "adam.%s.gradients", name);
  const CelTensor *after = golden(state, CEL_F64, "adam.%s.after", name);
  const int64_t n = before->size;
  Fixture f;
  fixture_create(&f, 1, n, config);
  golden_copy(f.adam.p, n, before);
  for (int64_t step = 0; step < gradients->shape[0]; step++) {
    for (int64_t i = 0; i < n; i++)
      f.adam.g[i] = (float)((const double *)gradients->data)[step * n + i];
    run_plan(f.plan, 1);
    assert_norm_near(name, f.adam.p, (const double *)after->data + step * n, n, 2e-7);
  }
  assert_int_equal(f.adam.step->t, gradients->shape[0]);
  fixture_destroy(&f);
}

static void test_trajectories(void **state) {
  CeliAdamConfig config = plain();
  check_trajectory(state, "plain", &config);
  config.max_grad_norm = 4;
  check_trajectory(state, "clipped", &config);
  config = plain();
  config.weight_decay = 0.1;
  check_trajectory(state, "decay", &config);
  config = (CeliAdamConfig){.learning_rate = 1e-2, .beta1 = 0.5, .beta2 = 0.9, .epsilon = 1e-5};
  check_trajectory(state, "betas", &config);
}

/// The norm over several tensors. It scales the gradient only if it is too large.
static void test_norm(void **state) {
  (void)state;
  enum { COUNT = 3, SIZE = 1003 };
  CeliAdamConfig config = plain();
  for (int above = 0; above < 2; above++) {
    config.max_grad_norm = above ? 1 : 1000;
    Fixture f;
    fixture_create(&f, COUNT, SIZE, &config);
    double square = 0;
    for (int i = 0; i < COUNT; i++) {
      char name[32];
      snprintf(name, sizeof name, "grad.p%d", i);
      float *g = cel_tensors_find(f.tensors, name)->data;
      CelRng rng = cel_rng(3, CEL_RNG_USER, (uint32_t)i);
      fill_random(g, SIZE, 1, &rng);
      for (int64_t k = 0; k < SIZE; k++) square += (double)g[k] * (double)g[k];
    }
    run_plan(f.plan, 2);
    assert_true(fabs((double)*f.adam.grad_norm - sqrt(square)) < 1e-6 * sqrt(square));
    const double scale = above ? 1 / (sqrt(square) + 1e-6) : 1;
    assert_true(fabs((double)f.adam.step->grad_scale - scale) < 1e-6);
    fixture_destroy(&f);
  }
}

/// Parameters, moments and norm after three clipped steps of two optimizers in one stage.
static void test_threads_same_bits(void **state) {
  (void)state;
  enum { SIZE = 5003 };
  CeliAdamConfig config = plain();
  config.max_grad_norm = 1;
  uint64_t expected[2] = {0, 0};
  for (int threads = 1; threads <= 3; threads++) {
    CelTensors *tensors;
    CeliAdam adam[2], *both[] = {&adam[0], &adam[1]};
    CeliPlan *plan;
    CelRng rng = cel_rng(4, CEL_RNG_USER, 0);
    uint64_t digest[2];
    assert_ok(cel_tensors_create(&tensors));
    declare_run(tensors, 3, SIZE);
    assert_ok(celi_adam_declare(&adam[0], tensors, "a"));
    assert_ok(celi_adam_declare(&adam[1], tensors, "b"));
    assert_ok(cel_tensors_allocate(tensors));
    assert_ok(celi_adam_bind(&adam[0], tensors, "p0", "p1", &config));
    assert_ok(celi_adam_bind(&adam[1], tensors, "p2", "p2", &config));
    for (int i = 0; i < 2; i++) {
      fill_random(adam[i].p, adam[i].n, 1, &rng);
      fill_random(adam[i].g, adam[i].n, 1, &rng);
    }
    assert_ok(celi_plan_create(&plan));
    celi_adam_plan_many(plan, both, 2);
    assert_ok(celi_plan_end(plan));
    for (int step = 0; step < 3; step++) run_plan(plan, threads);
    const unsigned roles =
        (1u << CEL_PARAM) | (1u << CEL_MOMENT1) | (1u << CEL_MOMENT2) | (1u << CEL_STATE);
    cel_tensors_digest(tensors, roles, digest);
    if (threads == 1) memcpy(expected, digest, sizeof digest);
    assert_memory_equal(digest, expected, sizeof digest);
    assert_int_equal(adam[0].step->t, 3);
    assert_int_equal(adam[1].step->t, 3);
    celi_plan_destroy(plan);
    cel_tensors_destroy(tensors);
  }
}

/// The next step uses the rate that the schedule set. The padding between tensors stays zero.
static void test_rate_and_padding(void **state) {
  (void)state;
  const CeliAdamConfig config = plain();
  Fixture f;
  fixture_create(&f, 2, 3, &config);
  float *g0 = cel_tensors_find(f.tensors, "grad.p0")->data;
  float *g1 = cel_tensors_find(f.tensors, "grad.p1")->data;
  for (int i = 0; i < 3; i++) g0[i] = 2, g1[i] = -3;
  celi_adam_set_rate(&f.adam, 0.25);
  run_plan(f.plan, 1); // the first step is lr times the sign of the gradient
  const float *p1 = cel_tensors_find(f.tensors, "p1")->data;
  for (int i = 0; i < 3; i++) {
    assert_true(fabs((double)f.adam.p[i] + 0.25) < 1e-6);
    assert_true(fabs((double)p1[i] - 0.25) < 1e-6);
  }
  *f.adam.learning_rate = 0; // a saved step count is used, as after loading a checkpoint
  run_plan(f.plan, 1);
  assert_true(fabs((double)f.adam.p[0] + 0.25) < 1e-6);
  assert_int_equal(f.adam.n, 16 + 3);
  for (int64_t i = 3; i < 16; i++) assert_true(f.adam.p[i] == 0 && f.adam.v[i] == 0);
  fixture_destroy(&f);
}

/// One NaN: without clipping it affects one parameter, with clipping all of them.
static void test_nan_propagates(void **state) {
  (void)state;
  for (int clipped = 0; clipped < 2; clipped++) {
    CeliAdamConfig config = plain();
    config.max_grad_norm = clipped ? 1 : 0;
    Fixture f;
    fixture_create(&f, 1, 40, &config);
    for (int i = 0; i < 40; i++) f.adam.g[i] = i == 7 ? NAN : 1;
    run_plan(f.plan, 1);
    for (int i = 0; i < 40; i++) assert_true(!!isnan(f.adam.p[i]) == (clipped || i == 7));
    fixture_destroy(&f);
  }
}

static void test_polyak(void **state) {
  (void)state;
  enum { SIZE = 3001 };
  float p[SIZE], target[3][SIZE];
  double expected[SIZE];
  CelRng rng = cel_rng(6, CEL_RNG_USER, 0);
  fill_random(p, SIZE, 1, &rng);
  fill_random(target[0], SIZE, 1, &rng);
  memcpy(target[1], target[0], sizeof p);
  memcpy(target[2], target[0], sizeof p);
  for (int i = 0; i < SIZE; i++)
    expected[i] = (double)target[0][i] + 0.005 * ((double)p[i] - (double)target[0][i]);
  for (int threads = 1; threads <= 3; threads++) {
    CeliPlan *plan;
    assert_ok(celi_plan_create(&plan));
    celi_polyak_plan(plan, target[threads - 1], p, SIZE, 0.005f);
    assert_ok(celi_plan_end(plan));
    run_plan(plan, threads);
    celi_plan_destroy(plan);
    assert_norm_near("target", target[threads - 1], expected, SIZE, 1e-7);
    assert_same_bits("target", target[threads - 1], target[0], sizeof p);
  }
}

static void test_bad_runs(void **state) {
  (void)state;
  const CeliAdamConfig config = plain();
  const int64_t three = 3, four = 4;
  CelTensors *t;
  CeliAdam adam;
  assert_ok(cel_tensors_create(&t));
  declare_run(t, 2, 20);
  // Parameters whose mirrors have another order, a mirror of another size, or no mirror.
  static const char *const mirrors[] = {"grad.", "adam.m.", "adam.v."};
  static const char *const order[] = {"y", "x"};
  char name[32];
  assert_ok(cel_tensors_declare(t, "x", CEL_F32, CEL_PARAM, NULL, 1, &three));
  assert_ok(cel_tensors_declare(t, "y", CEL_F32, CEL_PARAM, NULL, 1, &three));
  assert_ok(cel_tensors_declare(t, "z", CEL_F32, CEL_PARAM, NULL, 1, &three));
  for (int k = 0; k < 3; k++) {
    for (int i = 0; i < 2; i++) {
      snprintf(name, sizeof name, "%s%s", mirrors[k], order[i]);
      assert_ok(cel_tensors_declare(t, name, CEL_F32, (CelRole)(CEL_GRAD + k), NULL, 1, &three));
    }
  }
  assert_ok(cel_tensors_declare(t, "grad.z", CEL_F32, CEL_GRAD, NULL, 1, &four));
  assert_ok(celi_adam_declare(&adam, t, "adam"));
  assert_ok(cel_tensors_allocate(t));
  assert_ok(celi_adam_bind(&adam, t, "p0", "p1", &config));
  assert_fails(celi_adam_bind(&adam, t, "p0", "q", &config), CEL_E_NAME, "\"q\"");
  assert_fails(celi_adam_bind(&adam, t, "grad.p0", "p1", &config), CEL_E_NAME, "\"grad.p0\"");
  assert_fails(celi_adam_bind(&adam, t, "p1", "p0", &config), CEL_E_SHAPE, "declared after");
  assert_fails(celi_adam_bind(&adam, t, "x", "y", &config), CEL_E_SHAPE, "order");
  assert_fails(celi_adam_bind(&adam, t, "z", "z", &config), CEL_E_SHAPE, "layout");
  cel_tensors_destroy(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_trajectories),      cmocka_unit_test(test_norm),
      cmocka_unit_test(test_threads_same_bits), cmocka_unit_test(test_rate_and_padding),
      cmocka_unit_test(test_nan_propagates),    cmocka_unit_test(test_polyak),
      cmocka_unit_test(test_bad_runs),
  };
  return cmocka_run_group_tests_name("nn/optim", tests, golden_open, golden_close);
}
