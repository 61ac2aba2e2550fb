/// Classic environments, beyond the golden trajectories: sines, initial states, arguments, the
/// regulator against its exact value, pictures.
#include "celsius/canvas.h"
#include "celsius/lqr.h"
#include "env/sincos.h"
#include "env_test.h"
#include <float.h>

// ---- sines

static void sines_are_accurate(void **state) {
  (void)state;
  static const double ranges[] = {0.5, 4.0, 100.0, 524288.0, 1e9, 1e15};
  static const double tolerances[] = {1.2e-16, 2.3e-16, 2.3e-16, 2.3e-16, 1e-15, 1e-15};
  CelRng rng = cel_rng(1, CEL_RNG_USER, 0);
  for (int k = 0; k < 6; k++) {
    double worst = 0.0;
    for (int i = 0; i < 200000; i++) {
      const double x = cel_rng_range(&rng, -ranges[k], ranges[k]);
      double s, c;
      celi_sincos(x, &s, &c);
      worst = fmax(worst, fabs((double)((long double)s - sinl((long double)x))));
      worst = fmax(worst, fabs((double)((long double)c - cosl((long double)x))));
    }
    print_message("|x| <= %g: error %.2e\n", ranges[k], worst);
    assert_true(worst <= tolerances[k]);
  }
}

static void sines_at_the_edges(void **state) {
  (void)state;
  double s, c;
  celi_sincos(0.0, &s, &c);
  assert_true(s == 0.0 && c == 1.0);
  assert_true(fabs(celi_sin(CELI_PI) - 1.2246467991473532e-16) < 1e-20);
  assert_true(isnan(celi_sin((double)NAN)) && isnan(celi_cos((double)INFINITY)));
  const double x[5] = {0.1, -2e7, (double)NAN, 3.0, 1e300};
  double batch_s[5], batch_c[5];
  celi_sincos_batch(batch_s, batch_c, x, 5);
  for (int i = 0; i < 5; i++) {
    celi_sincos(x[i], &s, &c);
    assert_true(isnan(x[i]) ? isnan(batch_s[i]) : batch_s[i] == s && batch_c[i] == c);
    assert_true(isnan(x[i]) || fabs(s * s + c * c - 1.0) < 1e-15);
  }
}

// ---- starts

/// Expects that element j of 4000 initial states is uniform on [low, high]: within the interval,
/// close to both ends, and with a mean within 5 standard errors.
static void expect_uniform(const char *id, const char *arguments, int j, double low, double high) {
  enum { N = 4000 };
  CelEnvSpec *spec = make_spec(id, arguments);
  Fleet *fleet = make_fleet(spec, N, 3, 0);
  assert_ok(cel_vecenv_reset(&fleet->env));
  double least = high, most = low, mean = 0.0;
  for (int64_t i = 0; i < N; i++) {
    const double x = fleet->env.states[i * spec->state_size + j];
    assert_true(x >= low && x <= high);
    least = fmin(least, x);
    most = fmax(most, x);
    mean += x / N;
  }
  const double width = high - low;
  assert_true(least <= low + 0.005 * width && most >= high - 0.005 * width);
  assert_true(fabs(mean - 0.5 * (low + high)) <= 5.0 * width / sqrt(12.0 * N));
  free_fleet(fleet);
  cel_env_spec_destroy(spec);
}

static void episodes_start_as_they_should(void **state) {
  (void)state;
  for (int j = 0; j < 4; j++) {
    expect_uniform("CartPole-v1", "", j, -0.05, 0.05);
    expect_uniform("Acrobot-v1", "", j, (double)-0.1f, (double)0.1f);
  }
  expect_uniform("CartPole-v1", "start_low=0.1 start_high=0.2", 0, 0.1, 0.2);
  expect_uniform("Pendulum-v1", "", 0, -CELI_PI, CELI_PI);
  expect_uniform("Pendulum-v1", "", 1, -1, 1);
  expect_uniform("Pendulum-v1", "x_init=0.5", 0, -0.5, 0.5);
  expect_uniform("MountainCar-v0", "", 0, -0.6, -0.4);
  expect_uniform("MountainCar-v0", "", 1, 0, 0);
  expect_uniform("MountainCarContinuous-v0", "", 0, -0.6, -0.4);
}

// ---- arguments

/// The state after one step from a fixed state.
static void one_step(const char *id, const char *arguments, const double *from, const void *action,
                     double *to) {
  CelEnvSpec *spec = make_spec(id, arguments);
  Fleet *fleet = make_fleet(spec, 1, 3, 0);
  assert_ok(cel_vecenv_reset(&fleet->env));
  memcpy(fleet->env.states, from, (size_t)spec->state_size * sizeof *from);
  assert_ok(cel_vecenv_step(&fleet->env, action, 0, 1));
  memcpy(to, fleet->env.states, (size_t)spec->state_size * sizeof *to);
  free_fleet(fleet);
  cel_env_spec_destroy(spec);
}

static void torque_noise(void **state) {
  (void)state;
  const double from[4] = {0.3, -0.2, 0.1, 0.4};
  const int32_t up = 2, none = 1;
  double noisy[4], quiet[4], high[4], low[4];
  one_step("Acrobot-v1", "", from, &none, quiet);
  one_step("Acrobot-v1", "torque_noise_max=0.5", from, &none, noisy);
  one_step("Acrobot-v1", "avail_torque=0.5", from, &up, high);
  const int32_t down = 0;
  one_step("Acrobot-v1", "avail_torque=0.5", from, &down, low);
  assert_true(noisy[3] != quiet[3]);
  assert_true(noisy[3] > low[3] && noisy[3] < high[3]); // the noise is at most 0.5
}

/// One step computed here, with constants that all differ from the defaults.
static void pendulum_constants(void **state) {
  (void)state;
  const double from[3] = {1.0, 0.5, 0.0};
  const float action = 2.5f;
  double to[3];
  one_step("Pendulum-v1", "g=9 m=2 l=0.5 dt=0.01 max_torque=3 max_speed=4", from, &action, to);
  const double acceleration = 3.0 * 9.0 / (2.0 * 0.5) * sin(1.0) + 3.0 / (2.0 * 0.25) * 2.5;
  const double speed = 0.5 + 0.01 * acceleration;
  assert_true(fabs(to[1] - speed) < 1e-12);
  assert_true(fabs(to[0] - (1.0 + 0.01 * speed)) < 1e-12);
  assert_true(to[2] == 2.5);
  const double fast[3] = {1.0, 3.99, 0.0};
  one_step("Pendulum-v1", "g=9 m=2 l=0.5 dt=0.01 max_torque=3 max_speed=4", fast, &action, to);
  assert_true(to[1] == 4.0);
}

static void cartpole_constants(void **state) {
  (void)state;
  const double from[4] = {0.1, -0.2, 0.3, 0.4};
  const int32_t action = 0;
  double to[4];
  one_step("CartPole-v1",
           "gravity=5 masscart=2 masspole=0.5 length=1 force_mag=3 tau=0.1 theta_threshold=1", from,
           &action, to);
  const double s = sin(0.3), c = cos(0.3), temp = (-3.0 + 0.5 * 0.16 * s) / 2.5;
  const double theta_acc = (5.0 * s - c * temp) / (4.0 / 3.0 - 0.5 * c * c / 2.5);
  const double x_acc = temp - 0.5 * theta_acc * c / 2.5;
  const double expected[4] = {0.1 - 0.02, -0.2 + 0.1 * x_acc, 0.3 + 0.04, 0.4 + 0.1 * theta_acc};
  for (int i = 0; i < 4; i++) assert_true(fabs(to[i] - expected[i]) < 1e-12);
}

// ---- the regulator

/// The mean discounted return of the soft-optimal policy, including entropy, equals the solution's
/// value.
static void regulator_earns_its_exact_value(void **state) {
  (void)state;
  enum { N = 4000, T = 120 };
  static const char *const problems[] = {"problem=scalar", "problem=oscillator",
                                         "problem=chain dimension=4 noise=0.2",
                                         "problem=random dimension=5 actions=3 problem_seed=7"};
  const double gamma = 0.9, alpha = 0.3;
  for (int p = 0; p < 4; p++) {
    CelEnvSpec *spec = make_spec("LQR-v0", problems[p]);
    CelLqr lqr;
    CelLqrSolution solution;
    assert_ok(cel_lqr_of_env(spec, &lqr));
    assert_ok(cel_lqr_solve(&lqr, gamma, alpha, &solution));
    const int n = lqr.n, m = lqr.m;
    double chol[CEL_LQR_MAX][CEL_LQR_MAX] = {{0}};
    for (int i = 0; i < m; i++) {
      for (int j = 0; j <= i; j++) {
        double sum = solution.Sigma[i * m + j];
        for (int k = 0; k < j; k++) sum -= chol[i][k] * chol[j][k];
        chol[i][j] = i == j ? sqrt(sum) : sum / chol[j][j];
      }
    }
    Fleet *fleet = make_fleet(spec, N, 5, 0);
    assert_ok(cel_vecenv_reset(&fleet->env));
    CelRng rng = cel_rng(6, CEL_RNG_USER, (uint32_t)p);
    static double excess[N]; // return minus the exact value of the initial state
    for (int64_t e = 0; e < N; e++) {
      const double *x = fleet->env.states + e * n;
      excess[e] = -solution.constant;
      for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) excess[e] += x[i] * solution.P[i * n + j] * x[j];
      }
    }
    float *actions = calloc((size_t)(N * m), sizeof *actions);
    double discount = 1.0;
    for (int t = 0; t < T; t++, discount *= gamma) {
      for (int64_t e = 0; e < N; e++) {
        double z[CEL_LQR_MAX];
        for (int j = 0; j < m; j++) z[j] = cel_rng_normal(&rng);
        for (int j = 0; j < m; j++) {
          double u = 0.0;
          for (int k = 0; k <= j; k++) u += chol[j][k] * z[k];
          for (int i = 0; i < n; i++) u -= solution.K[j * n + i] * fleet->env.states[e * n + i];
          actions[e * m + j] = (float)u;
        }
      }
      assert_ok(cel_vecenv_step(&fleet->env, actions, 0, N));
      for (int64_t e = 0; e < N; e++) {
        excess[e] += discount * ((double)fleet->env.reward[e] + alpha * solution.entropy);
      }
    }
    double mean = 0.0, square = 0.0;
    for (int e = 0; e < N; e++) mean += excess[e] / N, square += excess[e] * excess[e] / N;
    const double error = sqrt((square - mean * mean) / N);
    print_message("%s: return less value %.4f +- %.4f\n", problems[p], mean, error);
    assert_true(fabs(mean) <= 4.0 * error + 1e-3);
    free(actions);
    free_fleet(fleet);
    cel_env_spec_destroy(spec);
  }
}

/// Problems are stable without a controller: states that start at 1 are small after 400 steps
/// without action.
static void regulators_are_stable(void **state) {
  (void)state;
  static const char *const problems[] = {
      "problem=scalar noise=0 max_episode_steps=0",
      "problem=oscillator noise=0 max_episode_steps=0",
      "problem=chain dimension=16 noise=0 max_episode_steps=0",
      "problem=random dimension=16 actions=16 noise=0 max_episode_steps=0"};
  for (int p = 0; p < 4; p++) {
    CelEnvSpec *spec = make_spec("LQR-v0", problems[p]);
    Fleet *fleet = make_fleet(spec, 1, 5, 0);
    assert_ok(cel_vecenv_reset(&fleet->env));
    const float actions[CEL_LQR_MAX] = {0};
    for (int t = 0; t < 4000; t++) assert_ok(cel_vecenv_step(&fleet->env, actions, 0, 1));
    for (int64_t i = 0; i < spec->state_size; i++) assert_true(fabs(fleet->env.states[i]) < 0.01);
    free_fleet(fleet);
    cel_env_spec_destroy(spec);
  }
}

static void regulator_arguments(void **state) {
  (void)state;
  CelEnvSpec *limited = make_spec("LQR-v0", "action_limit=2"),
             *other = make_spec("Pendulum-v1", "");
  CelLqr lqr;
  assert_true(limited->action.part[0].high[0] == 2.0f);
  assert_fails(cel_lqr_of_env(other, &lqr), CEL_E_UNSUPPORTED, "Pendulum-v1|LQR-v0");
  cel_env_spec_destroy(limited);
  cel_env_spec_destroy(other);
  const CelEnvType *type;
  assert_ok(cel_env_find("LQR-v0", &type));
  void *config = calloc(1, type->config_size);
  cel_fields_default(type->fields, config);
  assert_ok(cel_fields_set(type->fields, config, "problem", "chain"));
  assert_ok(cel_fields_set(type->fields, config, "dimension", "5"));
  CelEnvSpec *odd = NULL;
  assert_fails(cel_env_spec_create(&odd, "LQR-v0", config, NULL), CEL_E_RANGE,
               "dimension is 5|even");
  free(config);
}

// ---- pictures

static bool coordinates_are_finite(const CelShape *shape) {
  for (int i = 0; i < shape->n; i++) {
    if (!isfinite(shape->x[i]) || !isfinite(shape->y[i])) return false;
  }
  return isfinite(shape->radius) && isfinite(shape->from) && isfinite(shape->to);
}

/// Every environment draws something that is at least partly in view, drops no shapes, and draws
/// two different states differently.
static void pictures(void **state) {
  (void)state;
  static const char *const ids[] = {"CartPole-v1",    "Pendulum-v1",
                                    "MountainCar-v0", "MountainCarContinuous-v0",
                                    "Acrobot-v1",     "LQR-v0"};
  CelCanvas *canvas = calloc(2, sizeof *canvas);
  for (int k = 0; k < 6; k++) {
    CelEnvSpec *spec = make_spec(ids[k], "");
    Fleet *fleet = make_fleet(spec, 2, 3, 0);
    assert_ok(cel_vecenv_reset(&fleet->env));
    for (int i = 0; i < 2; i++) {
      CelCanvas *c = &canvas[i];
      spec->type->render(spec, fleet->env.states + i * spec->state_size, c);
      assert_true(c->x_min < c->x_max && c->y_min < c->y_max);
      assert_in_range(c->n_shapes, 3, 60);
      assert_int_equal(c->dropped, 0);
      for (int s = 0; s < c->n_shapes; s++) {
        const CelShape *shape = &c->shape[s];
        assert_true(coordinates_are_finite(shape));
        bool seen = false;
        for (int j = 0; j < shape->n; j++) {
          seen |= shape->x[j] >= c->x_min && shape->x[j] <= c->x_max && shape->y[j] >= c->y_min &&
                  shape->y[j] <= c->y_max;
        }
        assert_true(seen);
      }
    }
    assert_memory_not_equal(canvas[0].shape, canvas[1].shape, sizeof canvas[0].shape);
    free_fleet(fleet);
    cel_env_spec_destroy(spec);
  }
  free(canvas);
}

static void a_full_canvas_counts(void **state) {
  (void)state;
  CelCanvas *canvas = calloc(1, sizeof *canvas);
  double x[CEL_SHAPE_POINTS_MAX + 1] = {0}, y[CEL_SHAPE_POINTS_MAX + 1] = {0};
  const CelColor black = {0, 0, 0, 1};
  cel_canvas_clear(canvas, 0, 1, 0, 1);
  cel_canvas_polygon(canvas, CEL_SHAPE_POINTS_MAX, x, y, black);
  cel_canvas_polygon(canvas, CEL_SHAPE_POINTS_MAX + 1, x, y, black);
  assert_int_equal(canvas->n_shapes, 1);
  assert_int_equal(canvas->dropped, 1);
  for (int i = 0; i < CEL_SHAPES_MAX + 4; i++) cel_canvas_text(canvas, 0, 0, "word", black);
  assert_int_equal(canvas->n_shapes, CEL_SHAPES_MAX);
  assert_int_equal(canvas->dropped, 6);
  cel_canvas_clear(canvas, 0, 1, 0, 1);
  assert_int_equal(canvas->n_shapes + canvas->dropped, 0);
  free(canvas);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sines_are_accurate),
      cmocka_unit_test(sines_at_the_edges),
      cmocka_unit_test(episodes_start_as_they_should),
      cmocka_unit_test(torque_noise),
      cmocka_unit_test(pendulum_constants),
      cmocka_unit_test(cartpole_constants),
      cmocka_unit_test(regulator_earns_its_exact_value),
      cmocka_unit_test(regulators_are_stable),
      cmocka_unit_test(regulator_arguments),
      cmocka_unit_test(pictures),
      cmocka_unit_test(a_full_canvas_counts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
