/// The normalizer compared with golden data (tests/golden/normalizer.py) and with two passes over
/// the same data; also in plans.
#include "celsius/safetensors.h"
#include "nn/net.h"
#include "rl/normalizer.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct Rig {
  CelTensors *tensors;
  CeliNormalizer norm;
} Rig;

static Rig rig_create(bool observations, bool rewards, int64_t O, int64_t N, double gamma) {
  Rig rig;
  assert_int_equal(cel_tensors_create(&rig.tensors), CEL_OK);
  assert_int_equal(
      celi_normalizer_declare(&rig.norm, rig.tensors, observations, rewards, O, N, 10, 10, gamma),
      CEL_OK);
  assert_int_equal(cel_tensors_allocate(rig.tensors), CEL_OK);
  celi_normalizer_reset(&rig.norm);
  return rig;
}

static void assert_near(double got, double want, double tolerance) {
  if (!(fabs(got - want) <= tolerance * (1 + fabs(want)))) fail_msg("%.17g, not %.17g", got, want);
}

static const void *golden(const CelSafetensors *file, const char *name, int64_t *shape) {
  const CelTensor *tensor = cel_safetensors_find(file, name);
  assert_non_null(tensor);
  if (shape) memcpy(shape, tensor->shape, (size_t)tensor->ndim * sizeof *shape);
  return tensor->data;
}

static void run_plan(CeliPlan *plan) {
  CeliTeam *team;
  assert_int_equal(celi_plan_end(plan), CEL_OK);
  assert_int_equal(celi_team_create(&team, 1), CEL_OK);
  assert_int_equal(celi_plan_run(plan, team), CEL_OK);
  celi_team_destroy(team);
  celi_plan_destroy(plan);
}

static void test_golden(void **state) {
  (void)state;
  CelSafetensors *file;
  assert_int_equal(cel_safetensors_open(CELSIUS_TEST_DIR "/golden/normalizer.safetensors", &file),
                   CEL_OK);
  int64_t shape[3];
  const float *obs = golden(file, "obs", shape), *reward = golden(file, "reward", NULL);
  const uint8_t *ended = golden(file, "ended", NULL);
  const double *mean = golden(file, "mean", NULL), *var = golden(file, "var", NULL);
  const double *return_var = golden(file, "return_var", NULL);
  const double *obs_out = golden(file, "obs_out", NULL),
               *reward_out = golden(file, "reward_out", NULL);
  const int64_t T = shape[0], N = shape[1], O = shape[2];
  Rig rig = rig_create(true, true, O, N, *(const double *)golden(file, "gamma", NULL));
  CeliNormalizer *norm = &rig.norm;
  for (int64_t t = 0; t < T; t++) {
    celi_normalizer_observe(norm, obs + t * N * O, N);
    celi_normalizer_reward(norm, reward + t * N, ended + t * N);
    for (int64_t o = 0; o < O; o++) {
      assert_near(norm->mean[o], mean[t * O + o], 1e-12);
      assert_near(norm->m2[o] / *norm->count, var[t * O + o], 1e-9);
    }
    assert_near(norm->return_stats[2] / norm->return_stats[0], return_var[t], 1e-10);
    float out[16], r[8];
    memcpy(r, reward + t * N, (size_t)N * sizeof *r);
    celi_normalizer_apply(norm, out, O, obs + t * N * O, O, 0, N);
    CeliPlan *plan;
    assert_int_equal(celi_plan_create(&plan), CEL_OK);
    celi_normalizer_plan_reward(plan, norm, r, N);
    run_plan(plan);
    for (int64_t i = 0; i < N; i++) {
      assert_near((double)r[i], reward_out[t * N + i], 1e-6);
      // The mean is used as float32, which has an error of up to half an ulp. This is that error in
      // standard deviations.
      for (int64_t o = 0; o < O; o++)
        assert_near((double)out[i * O + o], obs_out[(t * N + i) * O + o],
                    1e-6 + 6e-8 * fabs(mean[t * O + o]) / sqrt(var[t * O + o] + 1e-8));
    }
  }
  cel_tensors_destroy(rig.tensors);
  cel_safetensors_close(file);
}

/// Welford's recurrence stays exact where a sum of squares would cancel.
static void test_far_from_zero(void **state) {
  (void)state;
  Rig rig = rig_create(true, false, 1, 1, 1);
  enum { n = 5000 };
  static float x[n];
  double sum = 0, squares = 0;
  for (int i = 0; i < n; i++) {
    x[i] = 1e6f + (float)(i * 7919 % 101 - 50) * 0.0625f;
    sum += (double)x[i];
  }
  for (int i = 0; i < n; i++) squares += ((double)x[i] - sum / n) * ((double)x[i] - sum / n);
  celi_normalizer_observe(&rig.norm, x, n / 2);
  celi_normalizer_observe(&rig.norm, x + n / 2, n - n / 2);
  // The prior, 1e-4 samples at 0, moves the mean in proportion and adds its distance to the
  // squares.
  const double prior = 1e-4, distance = sum / n;
  assert_near(rig.norm.mean[0], sum / (n + prior), 1e-13);
  assert_near(rig.norm.m2[0], squares + prior + distance * distance * prior * n / (n + prior),
              1e-9);
  cel_tensors_destroy(rig.tensors);
}

static void test_before_statistics(void **state) {
  (void)state;
  Rig rig = rig_create(true, true, 3, 2, 0.9);
  const float obs[3] = {0.5f, -20, 3};
  float out[3];
  celi_normalizer_apply(&rig.norm, out, 3, obs, 3, 0, 1);
  const float want[3] = {0.5f, -10, 3};
  assert_memory_equal(out, want, sizeof want);
  cel_tensors_destroy(rig.tensors);
}

/// Clipping does not hide NaN.
static void test_nan_stays(void **state) {
  (void)state;
  Rig rig = rig_create(true, false, 1, 1, 1);
  const float obs[3] = {NAN, INFINITY, -INFINITY};
  float out[3];
  celi_normalizer_apply(&rig.norm, out, 1, obs, 1, 0, 3);
  assert_true(isnan(out[0]));
  assert_true(out[1] >= 10 && out[1] <= 10);
  assert_true(out[2] >= -10 && out[2] <= -10);
  cel_tensors_destroy(rig.tensors);
}

/// When it is off, nothing is declared or planned, and rows are copied.
static void test_off(void **state) {
  (void)state;
  Rig rig = rig_create(false, false, 2, 1, 1);
  assert_int_equal(cel_tensors_count(rig.tensors), 0);
  float obs[4] = {1, 2, 3, 4}, out[6] = {0};
  celi_normalizer_observe(&rig.norm, obs, 2);
  celi_normalizer_reward(&rig.norm, obs, (const uint8_t *)"\0");
  celi_normalizer_apply(&rig.norm, out, 3, obs, 2, 0, 2);
  const float want[6] = {1, 2, 0, 3, 4, 0};
  assert_memory_equal(out, want, sizeof want);
  CeliPlan *plan;
  assert_int_equal(celi_plan_create(&plan), CEL_OK);
  celi_normalizer_plan_obs(plan, &rig.norm, obs, 2, 2);
  celi_normalizer_plan_reward(plan, &rig.norm, obs, 2);
  assert_int_equal(celi_plan_count(plan), 0);
  celi_plan_destroy(plan);
  cel_tensors_destroy(rig.tensors);
}

/// In a plan, in place in a wider matrix, it gives the same bits as at once. Other columns do not
/// change.
static void test_plan_in_place(void **state) {
  (void)state;
  Rig rig = rig_create(true, false, 2, 1, 1);
  float rows[7][3], want[7][3];
  for (int i = 0; i < 7; i++)
    for (int k = 0; k < 3; k++) want[i][k] = rows[i][k] = (float)(i * i - 5 * k) * 0.37f;
  for (int i = 0; i < 7; i++) celi_normalizer_observe(&rig.norm, rows[i], 1);
  celi_normalizer_apply(&rig.norm, want[0], 3, rows[0], 3, 0, 7);
  CeliPlan *plan;
  assert_int_equal(celi_plan_create(&plan), CEL_OK);
  celi_normalizer_plan_obs(plan, &rig.norm, rows[0], 3, 7);
  run_plan(plan);
  assert_memory_equal(rows, want, sizeof rows);
  cel_tensors_destroy(rig.tensors);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_golden),
      cmocka_unit_test(test_far_from_zero),
      cmocka_unit_test(test_before_statistics),
      cmocka_unit_test(test_nan_stays),
      cmocka_unit_test(test_off),
      cmocka_unit_test(test_plan_in_place),
  };
  return cmocka_run_group_tests_name("rl/normalizer", tests, NULL, NULL);
}
