/// Environments that a YAML file describes: formulas, quantities, actions, resets, commands, random
/// models, and errors. tests/mujoco/test_dm_control.c compares whole tasks.
///
/// Models and files are written to a temporary folder.
#include "mujoco_test.h"
#include "robot.h"
#include "support/allocations.h"
#include <inttypes.h>
#include <unistd.h>

static char folder[] = "/tmp/celsius-robot-XXXXXX";

/// A cart with a pole, a ball on a floor, sensors, keyframe and camera.
static const char model[] =
    "<mujoco model='cart'><option timestep='0.01' gravity='0 0 -10'/><worldbody>"
    "<geom name='floor' type='plane' size='5 5 1'/><camera name='side' pos='0 -3 1'/>"
    "<body name='cart' pos='0 0 1'><joint name='slide' type='slide' axis='1 0 0' range='-1 1' "
    "limited='true'/><geom name='box' type='box' size='.1 .1 .1' mass='2' contype='0' "
    "conaffinity='0'/><body name='pole' pos='0 0 .1'><joint name='hinge' type='hinge' axis='0 1 "
    "0'/>"
    "<geom name='rod' type='capsule' fromto='0 0 0 0 0 .5' size='.02' mass='1' contype='0' "
    "conaffinity='0'/><site name='tip' pos='0 0 .5'/></body></body>"
    "<body name='ball' pos='1 1 .1'><freejoint name='free'/><geom name='sphere' size='.1' "
    "mass='3'/>"
    "</body></worldbody>"
    "<actuator><motor name='push' joint='slide' ctrllimited='true' ctrlrange='-3 5' gear='2'/>"
    "<position name='turn' joint='hinge' kp='7'/></actuator>"
    "<sensor><jointpos name='angle' joint='hinge'/><framepos name='tip_place' objtype='site' "
    "objname='tip'/></sensor>"
    "<keyframe><key name='tilted' qpos='.2 .3 1 1 .1 1 0 0 0'/></keyframe></mujoco>";

static const char *write_text(const char *name, const char *text, size_t n) {
  static char path[2][128];
  static int turn;
  char *to = path[turn = !turn];
  snprintf(to, sizeof path[0], "%s/%s", folder, name);
  FILE *out = fopen(to, "w");
  assert_non_null(out);
  assert_int_equal(fwrite(text, 1, n, out), n);
  fclose(out);
  return to;
}

/// Opens an environment with these lines after the model.
static CelStatus open_file(CelEnvSpec *spec, const char *text) {
  char all[8192];
  snprintf(all, sizeof all, "model: cart.xml\n%s", text);
  *spec = (CelEnvSpec){.action_repeat = 1};
  const CelStatus status = celi_robot_type(write_text("robot.yaml", all, strlen(all)), &spec->type);
  return status == CEL_OK ? spec->type->open(spec) : status;
}

#define MOTOR "action: {actuators: push}\n"
#define REST MOTOR "reward: {r: '0'}\n"

typedef struct Run {
  CelEnvSpec spec;
  double *state;
  float *obs, reward;
  uint8_t terminated;
  CelRng rng;
} Run;

static Run begin(const char *text) {
  Run r = {.rng = cel_rng(5, CEL_RNG_ENV, 3)};
  assert_ok(open_file(&r.spec, text));
  r.state = calloc((size_t)r.spec.state_size, sizeof *r.state);
  r.obs = calloc((size_t)r.spec.observation.part[0].size, sizeof *r.obs);
  assert_ok(r.spec.type->reset(&r.spec, r.state, r.obs, &r.rng));
  return r;
}

static void step(Run *r, const float *action) {
  assert_ok(r->spec.type->step(&r->spec, r->state, 1, action, r->obs, &r->reward, &r->terminated,
                               &r->rng));
}

static void end(Run *r) {
  r->spec.type->close(&r->spec);
  free(r->state);
  free(r->obs);
}

static const CeliRobot *robot_of(const Run *r) {
  return r->spec.data;
}

static void near(double got, double want) {
  if (!(fabs(got - want) <= 1e-6 * (1 + fabs(want)))) fail_msg("%.12g, not %.12g", got, want);
}

// ---- formulas

static void formulas(void **state) {
  (void)state;
  static const struct {
    const char *text;
    double want;
  } cases[] = {
      {"1 + 2 * 3", 7},
      {"(1 + 2) * 3 - 4 / 8", 8.5},
      {"2 - 3 - 4", -5},
      {"-2 ** 2", -4},
      {"2 ** 3 ** 2", 512},
      {"2 ** -1", 0.5},
      {"1e-3 + .5", 0.501},
      {"1 < 2 and not 2 < 1", 1},
      {"1 > 2 or 2 <= 1", 0},
      {"not 1 == 1 or 3 != 4", 1},
      {"1 >= 1", 1},
      {"min(2, 3) + max(2, 3)", 5},
      {"clip(7, -1, 4)", 4},
      {"sum(tip) - tip[0] - tip[1] - tip[2]", 0},
      {"mean(square(tip - tip + 3))", 9},
      {"norm(0 * tip + 2) ** 2", 12},
      {"dot(0 * tip + 2, 0 * tip + 5)", 30},
      {"max(tip) - max(max(tip[0:2]), tip[2])", 0},
      {"min(tip) - min(min(tip[0:2]), tip[2])", 0},
      {"any(tip > 1)", 1},
      {"all(tip > 1)", 0},
      {"abs(-pi) - pi", 0},
      {"sqrt(16) + exp(0) + log(1) + log1p(0)", 5},
      {"sin(0) + cos(0) + tanh(0)", 1},
      {"0 * inf > 0", 0},
      {"tolerance(3, [2, 4])", 1},
      {"tolerance(5, [2, 4])", 0},
      {"tolerance(5, [2, 4], margin=1)", 0.1},
      {"tolerance(0.5, margin=1, sigmoid=linear, value_at_margin=0)", 0.5},
      {"contact_count", 4 - 4 + 1},
      {"time", 0},
      {"rate(time) + previous(3)", 3},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char text[512];
    snprintf(text, sizeof text,
             REST "quantities: {tip: {sensor: tip_place}}\nobservations: {x: '%s'}\n",
             cases[i].text);
    Run r = begin(text);
    if (!(fabs((double)r.obs[0] - cases[i].want) < 1e-6))
      fail_msg("%s: %g, not %g", cases[i].text, (double)r.obs[0], cases[i].want);
    end(&r);
  }
}

/// Sigmoids by their definition: v at the margin, 1 at the bound, and inverse functions.
static void sigmoids(void **state) {
  (void)state;
  int n = 0;
  for (int k = 0; celi_sigmoids[k]; k++, n++)
    for (double v = 0.1; v < 0.95; v += 0.2) {
      near(celi_tolerance(2, 0, 1, 1, k, v), v);
      near(celi_tolerance(-3, 0, 1, 3, k, v), v);
      assert_true(celi_tolerance(0.5, 0, 1, 1, k, v) == 1);
      near(celi_tolerance(1 + 1e-9, 0, 1, 1, k, v), 1);
      double before = 1;
      for (double x = 1; x < 4; x += 0.01) { // falls with the distance
        const double y = celi_tolerance(x, 0, 1, 1, k, v);
        assert_true(y <= before && y >= 0);
        before = y;
      }
    }
  assert_int_equal(n, 8);
  assert_true(isnan(celi_tolerance((double)NAN, 0, 1, 1, 0, 0.1)));
  assert_true(isnan(celi_tolerance((double)NAN, 0, 1, 0, 0, 0.1)));
}

// ---- quantities

static void quantities(void **state) {
  (void)state;
  Run r = begin(REST "reset: {keyframe: tilted}\nobservations:\n"
                     "  a: {joint_position: [hinge, slide]}\n"
                     "  b: {body_position: pole, axes: z}\n"
                     "  c: {site_position: tip, relative_to: {body: pole}, frame: pole}\n"
                     "  d: {sensor: angle}\n"
                     "  e: {body_rotation: pole, axes: [zz, xz]}\n"
                     "  f: {body_quaternion: ball}\n"
                     "  g: {joint_position: all, except: [slide, hinge], }\n"
                     "  h: {geom_position: 's*', relative_to: floor, axes: zx}\n"
                     "  i: {body_center_of_mass: pole, relative_to: cart, axes: yz}\n"
                     "  j: {contact_force: ball}\n"
                     "  k: {actuator_control: all}\n");
  const double want[] = {.3, .2, 1.1, 0,  0, .5, .3, cos(.3), sin(.3), 1, 0, 0,
                         0,  1,  1,   .1, 1, 0,  0,  0,       .1,      1, 0, .1 + .25 * cos(.3)};
  const int n = sizeof want / sizeof want[0];
  for (int i = 0; i < n; i++)
    if (fabs((double)r.obs[i] - want[i]) > 1e-6)
      fail_msg("number %d: %g, not %g", i, (double)r.obs[i], want[i]);
  const float zero = 0;
  for (int t = 0; t < 200; t++) step(&r, &zero);
  near((double)r.obs[n], 0);
  if (fabs((double)r.obs[n + 2] - 30) > 0.1)
    fail_msg("weight of the ball: %g N", (double)r.obs[n + 2]);
  end(&r);
}

/// Velocities of points and bodies against differences of their positions.
static void velocities(void **state) {
  (void)state;
  Run r = begin(MOTOR
                "reward: {speed: 'rate(tip[0])'}\nreset: {velocity_noise: 1}\n"
                "quantities: {tip: {site_position: tip}, rod: {body_position: pole}}\n"
                "observations:\n"
                "  a: {site_linear_velocity: tip}\n"
                "  b: {body_linear_velocity: pole}\n"
                "  c: {joint_velocity: hinge}\n"
                "  d: {body_angular_velocity: pole, axes: y}\n"
                "  e: previous(tip)\n  f: tip\n  g: {body_angular_velocity: pole, frame: pole}\n");
  const float push = 1;
  for (int t = 0; t < 20; t++) {
    float before[16];
    memcpy(before, r.obs, sizeof before);
    step(&r, &push);
    near((double)r.obs[6], (double)r.obs[7]);
    for (int i = 0; i < 3; i++) {
      near((double)r.obs[8 + i], (double)before[11 + i]); // previous
      const double difference = ((double)r.obs[11 + i] - (double)before[11 + i]) / 0.01;
      if (fabs(difference - (double)r.obs[i]) > 0.3)
        fail_msg("velocity %d: %g, not %g", i, (double)r.obs[i], difference);
    }
    if (fabs(((double)r.obs[11] - (double)before[11]) / 0.01 - (double)r.reward) > 1e-3)
      fail_msg("rate: %g", (double)r.reward);
  }
  end(&r);
}

// ---- actions

/// The control that each kind of action gives.
static void actions(void **state) {
  (void)state;
  const float one[2] = {0.5f, -1};
  Run r = begin(REST "observations: {u: control}\n");
  assert_int_equal(r.spec.action.part[0].size, 1);
  near((double)r.spec.action.part[0].low[0], -3);
  near((double)r.spec.action.part[0].high[0], 5);
  step(&r, one);
  near((double)r.obs[0], 0.5);
  near((double)r.obs[1], 0);
  end(&r);
  r = begin("action: {actuators: push, type: normalized}\nreward: {r: '0'}\nobservations: {u: "
            "control}\n");
  near((double)r.spec.action.part[0].low[0], -1);
  step(&r, one);
  near((double)r.obs[0], 3); // 1 + 4 / 2
  end(&r);
  r = begin("action: {actuators: turn, type: joint_target, scale: {turn: 2}, range: [-3, 3]}\n"
            "reset: {keyframe: tilted}\nreward: {r: '0'}\nobservations: {u: control}\n");
  near((double)r.spec.action.part[0].high[0], 3);
  step(&r, one);
  near((double)r.obs[1], 0.3 + 2 * 0.5);
  end(&r);
  r = begin("action: {actuators: push, type: joint_target, kp: 8, kd: [2], default: 0.1}\n"
            "reset: {set: {slide: 0.05}, velocity_noise: 1}\nframe_skip: 1\nreward: {r: '0'}\n"
            "observations: {x: {joint_position: slide}, v: {joint_velocity: slide}, u: control}\n");
  const double x = (double)r.obs[0], v = (double)r.obs[1];
  step(&r, one);
  near((double)r.obs[2], (8 * (0.1 + 0.5 - x) - 2 * v) / 2); // gear 2
  end(&r);
}

// ---- resets, commands, time

static void resets(void **state) {
  (void)state;
  Run r =
      begin(REST "reset: {random_joints: [slide, hinge], set: {free: [1, 1, [2, 3], 1, 0, 0, 0]}, "
                 "until: place > 0.5}\nquantities: {place: {joint_position: slide}}\n"
                 "observations: {q: {joint_position: all}}\n");
  double low = 9, high = -9, turned = 0;
  for (int k = 0; k < 200; k++) {
    assert_ok(r.spec.type->reset(&r.spec, r.state, r.obs, &r.rng));
    assert_true(r.obs[0] > 0.5f && r.obs[0] <= 1);
    assert_true(r.obs[4] >= 2 && r.obs[4] <= 3);
    low = fmin(low, (double)r.obs[0]);
    high = fmax(high, (double)r.obs[0]);
    turned = fmax(turned, fabs((double)r.obs[1]));
  }
  assert_true(low < 0.55 && high > 0.95 && turned > 3);
  end(&r);
  r = begin(REST "reset: {settle: 100, position_noise: {normal: 0.01, joints: hinge}}\n"
                 "observations: {t: time, v: {joint_velocity: hinge}}\n");
  assert_true(r.obs[0] == 0 && fabs((double)r.obs[1]) > 1e-6);
  end(&r);
  CelEnvSpec spec;
  float obs;
  double row[64];
  CelRng rng = cel_rng(0, CEL_RNG_ENV, 0);
  assert_ok(open_file(&spec, REST "reset: {until: time > 1}\nobservations: {t: time}\n"));
  assert_fails(spec.type->reset(&spec, row, &obs, &rng), CEL_E_ENV, "1000|until");
  spec.type->close(&spec);
}

static void commands(void **state) {
  (void)state;
  Run r = begin(MOTOR "control_timestep: 0.02\ntime_limit: 3\n"
                      "commands: {goal: {uniform: [[-1, 1], [5, 6]], every: 0.2}, "
                      "rest: {uniform: [1, 2], zero_probability: 1}}\n"
                      "observations: {g: goal, r: rest, a: action, p: 'previous(goal[0])'}\n"
                      "reward: {r: 'goal[0]'}\nterminate: {far: 'action[0] > 2', never: '0'}\n");
  assert_int_equal(r.spec.max_episode_steps, 150);
  near(r.spec.seconds_per_step, 0.02);
  int changes = 0;
  for (int t = 1; t <= 30; t++) {
    const float before = r.obs[0], push = t == 30 ? 2.5f : 1;
    step(&r, &push);
    assert_true(r.reward == before); // the command that the action followed
    assert_true(r.obs[4] == before);
    changes += r.obs[0] != before;
    assert_int_equal(r.obs[0] != before, t % 10 == 0);
    assert_true(r.obs[1] >= 5 && r.obs[1] <= 6 && r.obs[2] == 0);
    assert_true(r.obs[3] == push);
    assert_int_equal(r.terminated, t == 30);
  }
  assert_int_equal(changes, 3);
  end(&r);
}

static void noise(void **state) {
  (void)state;
  Run r = begin(REST "observations: {a: {joint_position: slide, noise: 0.1}, "
                     "b: {formula: '2', noise: 0.01}, c: {joint_position: slide}}\n");
  double most = 0;
  const float zero = 0;
  for (int t = 0; t < 200; t++) {
    step(&r, &zero);
    most = fmax(most, fabs((double)r.obs[0] - (double)r.obs[2]));
    assert_true(fabs((double)r.obs[1] - 2) <= 0.01001);
  }
  assert_true(most > 0.08 && most <= 0.1001);
  end(&r);
}

// ---- random models

#define RANDOM                                                                                     \
  "observations: {a: {joint_acceleration: slide}, q: {joint_position: all}}\n"                     \
  "randomize:\n  - {body_mass: [cart, pole], scale: [0.5, 2], shared: true}\n"                     \
  "  - {joint_damping: slide, set: [0, 1]}\n  - {geom_friction: all, scale: [0.5, 1]}\n"           \
  "  - {actuator_gain: all, scale: [0.9, 1.1]}\n  - {geom_size: sphere, add: [0, 0.05]}\n"         \
  "  - {geom_position: box, disk: [0.1, 0.2]}\n  - {body_position: pole, axes: z, add: 0.1}\n"     \
  "  - {joint_armature: hinge, add: [0, 0.1]}\n  - {joint_friction: hinge, set: [0, 0.1]}\n"       \
  "  - {joint_stiffness: hinge, set: 0.5}\n"

/// The acceleration of a cart without a pole's effect is force / mass.
static void masses(void **state) {
  (void)state;
  Run r = begin(REST "reset: {set: {hinge: 0}}\nobservations: {a: {joint_acceleration: slide}}\n"
                     "randomize: [{body_mass: [cart, pole], scale: [0.5, 2], shared: true}]\n");
  assert_int_equal(robot_of(&r)->randomize.parameters, 1);
  double least = 9, most = 0;
  for (int k = 0; k < 50; k++) {
    const float push = 1;
    assert_ok(r.spec.type->reset(&r.spec, r.state, r.obs, &r.rng));
    const double scale = r.state[robot_of(&r)->base.state_size];
    step(&r, &push);
    // Two bodies: M = [[m + m_p, m_p l], [m_p l, I + m_p l^2]], which scales as a whole.
    static double once;
    if (once == 0) once = (double)r.obs[0] * scale;
    near((double)r.obs[0] * scale, once);
    least = fmin(least, scale);
    most = fmax(most, scale);
  }
  assert_true(least > 0.49 && least < 0.6 && most > 1.8 && most < 2.01);
  end(&r);
}

/// Environments with different models take turns in one mjData. Each continues as if alone, and as
/// from a copy of its state in another spec.
static void a_state_holds_its_model(void **state) {
  (void)state;
  enum { N = 5, STEPS = 40 };
  Run a = begin(REST RANDOM), b = begin(REST RANDOM);
  const int64_t S = a.spec.state_size, O = a.spec.observation.part[0].size;
  double *rows = calloc((size_t)(N * S), sizeof *rows),
         *alone = calloc((size_t)(N * S), sizeof *alone);
  float *obs = calloc((size_t)(N * O), sizeof *obs), *one = calloc((size_t)O, sizeof *one);
  float reward[N], actions[N];
  uint8_t ended[N];
  CelRng rng[N];
  for (int i = 0; i < N; i++) {
    rng[i] = cel_rng(1, CEL_RNG_ENV, (uint32_t)i);
    assert_ok(a.spec.type->reset(&a.spec, rows + i * S, obs + i * O, &rng[i]));
  }
  assert_memory_not_equal(rows, rows + S, (size_t)S * sizeof *rows);
  memcpy(alone, rows, (size_t)(N * S) * sizeof *rows);
  for (int t = 0; t < STEPS; t++) {
    for (int i = 0; i < N; i++) actions[i] = (float)sin(t + i);
    assert_ok(a.spec.type->step(&a.spec, rows, N, actions, obs, reward, ended, rng));
    for (int i = N - 1; i >= 0; i--) {
      float r1;
      uint8_t e1;
      assert_ok(b.spec.type->step(&b.spec, alone + i * S, 1, &actions[i], one, &r1, &e1, &rng[i]));
      assert_memory_equal(one, obs + i * O, (size_t)O * sizeof *one);
    }
    assert_memory_equal(rows, alone, (size_t)(N * S) * sizeof *rows);
  }
  free(rows);
  free(alone);
  free(obs);
  free(one);
  end(&a);
  end(&b);
}

static void a_step_allocates_nothing(void **state) {
  (void)state;
  if (!counting_allocations()) skip();
  Run r = begin(REST RANDOM);
  const float push = 1;
  for (int t = 0; t < 3; t++) step(&r, &push);
  const long long before = allocations();
  for (int t = 0; t < 50; t++) step(&r, &push);
  assert_ok(r.spec.type->reset(&r.spec, r.state, r.obs, &r.rng));
  assert_int_equal(allocations() - before, 0);
  end(&r);
}

// ---- the same as a task in C

static void equal_to_half_cheetah(void **state) {
  (void)state;
  char path[CEL_PATH_MAX];
  if (!celi_mujoco_find_installed("half_cheetah.xml", path)) skip();
  static const char text[] =
      "model: half_cheetah.xml\nframe_skip: 5\nquantities: {x: {joint_position: rootx}}\n"
      "observations: {q: {joint_position: all, except: rootx}, v: {joint_velocity: all}}\n"
      "reward: {forward: rate(x), effort: {formula: sum(square(action)), weight: -0.1}}\n";
  Run r = {.rng = cel_rng(5, CEL_RNG_ENV, 3), .spec = {.action_repeat = 1}};
  assert_ok(celi_robot_type(write_text("cheetah.yaml", text, strlen(text)), &r.spec.type));
  assert_ok(r.spec.type->open(&r.spec));
  CelEnvSpec *task = make_spec("HalfCheetah-v5", "reset_noise_scale=0.1");
  double *state_b = calloc((size_t)task->state_size, sizeof *state_b);
  float obs_b[17], reward_b, action[6];
  uint8_t ended;
  r.state = calloc((size_t)r.spec.state_size, sizeof *r.state);
  r.obs = calloc(17, sizeof *r.obs);
  assert_int_equal(r.spec.observation.part[0].size, 17);
  assert_ok(task->type->reset(task, state_b, obs_b, &r.rng));
  assert_ok(celi_robot_start(&r.spec, state_b + 1, state_b + 10, NULL, r.state, r.obs));
  for (int t = 0; t < 300; t++) {
    for (int i = 0; i < 6; i++) action[i] = (float)cel_rng_range(&r.rng, -1, 1);
    assert_ok(task->type->step(task, state_b, 1, action, obs_b, &reward_b, &ended, &r.rng));
    step(&r, action);
    assert_memory_equal(r.obs, obs_b, sizeof obs_b);
    assert_memory_equal(r.state, state_b, 19 * sizeof(double));
    near((double)r.reward, (double)reward_b);
  }
  free(state_b);
  cel_env_spec_destroy(task);
  end(&r);
}

// ---- errors

#define SEEN "observations: {t: time}\n"

static void mistakes_are_named(void **state) {
  (void)state;
  static const struct {
    const char *text;
    CelStatus status;
    const char *words;
  } cases[] = {
      {REST "observations: {q: {joint_position: hinges}}\n", CEL_E_NAME,
       "robot.yaml: line 4: observations.q.joint_position|no joint 'hinges'|'hinge'?|slide"},
      {REST "observations: {q: {sensor: [angle, angel]}}\n", CEL_E_NAME,
       "line 4|sensor.2|no sensor 'angel'|'angle'?|tip_place"},
      {REST "observations: {q: {body_position: poll}}\n", CEL_E_NAME, "no body 'poll'|'pole'?"},
      {REST "observations: {q: {geom_position: 'q*'}}\n", CEL_E_NAME, "no geom 'q*'|sphere"},
      {REST "observations: {q: {joint_position: hinge, except: hinge}}\n", CEL_E_SHAPE,
       "no joint is left"},
      {REST "observations: {q: {joint_positions: hinge}}\n", CEL_E_NAME,
       "line 4|joint_positions|did you mean 'joint_position'?"},
      {REST "observations: {q: {joint_position: hinge, sensor: angle}}\n", CEL_E_ARGUMENT,
       "already reads|use two entries"},
      {REST "observations: {q: {axes: x}}\n", CEL_E_ARGUMENT, "the quantity is missing"},
      {REST "observations: {q: {body_position: pole, axes: w}}\n", CEL_E_NAME,
       "no axis 'w'|x, y, z"},
      {REST "observations: {q: {body_rotation: pole, axes: z}}\n", CEL_E_NAME, "no axis 'z'|xx"},
      {REST "observations: {q: {joint_position: free, axes: z}}\n", CEL_E_SHAPE, "has no axes"},
      {REST "observations: {q: {joint_position: free, relative_to: pole}}\n", CEL_E_UNSUPPORTED,
       "only positions"},
      {REST "observations: {q: {body_position: pole, relative_to: {joint: slide}}}\n", CEL_E_NAME,
       "{body: NAME}"},
      {REST "observations: {q: {body_rotation: pole, frame: cart}}\n", CEL_E_UNSUPPORTED,
       "only vectors"},
      {REST "observations: {q: {joint_position: slide, noise: -1}}\n", CEL_E_RANGE,
       "-1 is below 0"},
      {REST "observations: {}\n", CEL_E_ARGUMENT, "at least one"},
      {REST, CEL_E_ARGUMENT, "observations"},
      {MOTOR SEEN, CEL_E_ARGUMENT, "reward must name"},
      {MOTOR SEEN "reward: {r: hight * 2}\nquantities: {height: {body_position: cart, axes: z}}\n",
       CEL_E_NAME, "line 4: reward.r|column 1|'hight'|'height'?"},
      {MOTOR SEEN "reward: {r: '1 +'}\n", CEL_E_FORMAT, "column 4|ends too early"},
      {MOTOR SEEN "reward: {r: '1 2'}\n", CEL_E_FORMAT, "column 3"},
      {MOTOR SEEN "reward: {r: '(1'}\n", CEL_E_FORMAT, "')' is missing"},
      {MOTOR SEEN "reward: {r: '1 $ 2'}\n", CEL_E_FORMAT, "column 3"},
      {MOTOR SEEN "reward: {r: 1x}\n", CEL_E_FORMAT, "not a number"},
      {MOTOR SEEN "reward: {r: clip(1)}\n", CEL_E_FORMAT, "clip takes 3"},
      {MOTOR SEEN "reward: {r: 'tolerance(1, [2, 1])'}\n", CEL_E_RANGE, "low is above high"},
      {MOTOR SEEN "reward: {r: 'tolerance(1, margin=-1)'}\n", CEL_E_RANGE, "margin must be"},
      {MOTOR SEEN "reward: {r: 'tolerance(1, margin=time)'}\n", CEL_E_FORMAT, "must be a number"},
      {MOTOR SEEN "reward: {r: 'tolerance(1, margin=1, value_at_margin=0)'}\n", CEL_E_RANGE,
       "above 0"},
      {MOTOR SEEN "reward: {r: 'tolerance(1, sigmoid=bell)'}\n", CEL_E_NAME,
       "gaussian|tanh_squared"},
      {MOTOR SEEN "reward: {r: 'tolerance(1, width=2)'}\n", CEL_E_FORMAT, "margin="},
      {MOTOR SEEN "reward: {r: control}\n", CEL_E_SHAPE, "2 numbers|sum()"},
      {MOTOR SEEN "reward: {r: 'norm(control[2])'}\n", CEL_E_RANGE, "outside|0 to 1"},
      {MOTOR SEEN "reward: {r: 'norm(control[-1])'}\n", CEL_E_RANGE, "outside"},
      {MOTOR SEEN "reward: {r: 'norm(control[1e18])'}\n", CEL_E_RANGE, "outside"},
      {MOTOR SEEN "reward: {r: 'sum(control + tip)'}\nquantities: {tip: {sensor: tip_place}}\n",
       CEL_E_SHAPE, "2 and 3 numbers"},
      {MOTOR SEEN "reward: {r: {weight: 2}}\n", CEL_E_ARGUMENT, "'formula' is missing"},
      {MOTOR SEEN "reward: {r: {formula: 1, weight: big}}\n", CEL_E_TYPE, "line 4|big"},
      {MOTOR SEEN "reward: 3\n", CEL_E_TYPE, "a mapping of names"},
      {REST SEEN "quantities: {time: '1'}\n", CEL_E_NAME, "'time' is taken"},
      {REST SEEN "quantities: {sum: '1'}\n", CEL_E_NAME, "'sum' is taken"},
      {REST SEEN "quantities: {a-b: '1'}\n", CEL_E_NAME, "'a-b' is not a name"},
      {REST SEEN "quantities: {a: b, b: '1'}\n", CEL_E_NAME, "no quantity 'b'"},
      {REST SEEN "rewards: {r: 1}\n", CEL_E_NAME, "line 5: rewards|did you mean 'reward'?"},
      {REST SEEN "frame_skip: 2.5\n", CEL_E_TYPE, "line 5|2.5"},
      {REST SEEN "frame_skip: -1\n", CEL_E_RANGE, "line 5|-1"},
      {REST SEEN "control_timestep: 0.015\n", CEL_E_RANGE, "0.015|multiple|0.01"},
      {REST SEEN "control_timestep: 0.02\nframe_skip: 2\n", CEL_E_ARGUMENT, "not both"},
      {REST SEEN "camera: roof\n", CEL_E_NAME, "no camera 'roof'"},
      {REST SEEN "reset: {keyframe: lying}\n", CEL_E_NAME, "no keyframe 'lying'|tilted"},
      {REST SEEN "reset: {set: {free: 1}}\n", CEL_E_SHAPE, "7 positions"},
      {REST SEEN "reset: {set: {slide: [2, 1]}}\n", CEL_E_RANGE, "above the high end"},
      {REST SEEN "reset: {position_noise: {uniform: 1, normal: 1}}\n", CEL_E_ARGUMENT, "one of"},
      {REST SEEN "reset: {velocity_noise: -2}\n", CEL_E_RANGE, "-2"},
      {REST SEEN "reset: {until: control}\n", CEL_E_SHAPE, "2 numbers"},
      {REST SEEN "commands: {goal: {every: 1}}\n", CEL_E_ARGUMENT, "uniform"},
      {REST SEEN "commands: {goal: {uniform: [0, x]}}\n", CEL_E_TYPE, "line 5|x"},
      {REST SEEN "randomize: [{body_mass: cart}]\n", CEL_E_ARGUMENT, "scale, add, set"},
      {REST SEEN "randomize: [{body_mass: cart, scale: -1}]\n", CEL_E_RANGE, "-1 is below 0"},
      {REST SEEN "randomize: [{scale: 1}]\n", CEL_E_ARGUMENT, "what is drawn"},
      {REST SEEN "randomize: [{geom_size: floor, set: 1}]\n", CEL_E_UNSUPPORTED, "spheres"},
      {REST SEEN "randomize: [{body_mass: cart, set: 1, axes: x}]\n", CEL_E_ARGUMENT, "no axes"},
      {REST SEEN "randomize: {body_mass: cart}\n", CEL_E_TYPE, "a list"},
      {"reward: {r: '0'}\n" SEEN, CEL_E_RANGE, "turn has no ctrlrange"},
      {"action: {actuators: push, kp: 1}\nreward: {r: '0'}\n" SEEN, CEL_E_ARGUMENT, "joint_target"},
      {"action: {type: fast}\nreward: {r: '0'}\n" SEEN, CEL_E_RANGE,
       "line 2: action.type: |fast|normalized"},
      {"action: {type: joint_target}\nreward: {r: '0'}\n" SEEN, CEL_E_UNSUPPORTED,
       "push is not a position actuator|kp"},
      {"action: {type: joint_target, kp: 1}\nreward: {r: '0'}\n" SEEN, CEL_E_UNSUPPORTED,
       "kp and kd need a motor|turn"},
      {"action: {actuators: push, type: joint_target, kp: [1, 2]}\nreward: {r: '0'}\n" SEEN,
       CEL_E_SHAPE, "2 numbers for 1"},
      {"action: {actuators: push, type: joint_target, kd: 1}\nreward: {r: '0'}\n" SEEN,
       CEL_E_ARGUMENT, "kd needs kp"},
      {"action: {actuators: pull}\nreward: {r: '0'}\n" SEEN, CEL_E_NAME, "no actuator 'pull'|push"},
      {"action: &a {actuators: push}\n", CEL_E_FORMAT, "line 2|anchors"},
      {"action: !!map {}\n", CEL_E_FORMAT, "tags"},
      {REST REST, CEL_E_NAME, "'action' appears twice"},
      {"action: [\n", CEL_E_FORMAT, "line"},
      {"---\nmodel: x\n", CEL_E_FORMAT, "second document"},
      {"a: [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]\n", CEL_E_FORMAT, "16 levels"},
      {"model: other.xml\n", CEL_E_NAME, "'model' appears twice"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    CelEnvSpec spec;
    const CelStatus status = open_file(&spec, cases[i].text);
    if (status != cases[i].status)
      fail_msg("%s: %s, not %s: %s", cases[i].text, cel_status_name(status),
               cel_status_name(cases[i].status), cel_error());
    expect_words(cases[i].words);
    assert_null(spec.data);
  }
}

/// Opens a file as it is.
static CelStatus open_text(const char *text, size_t n) {
  CelEnvSpec spec = {.action_repeat = 1};
  assert_ok(celi_robot_type(write_text("robot.yaml", text, n), &spec.type));
  const CelStatus status = spec.type->open(&spec);
  if (status == CEL_OK) spec.type->close(&spec);
  return status;
}

static void hostile_files_are_refused(void **state) {
  (void)state;
  assert_int_equal(open_text("", 0), CEL_E_FORMAT);
  expect_words("robot.yaml|empty");
  assert_int_equal(open_text("- 1\n", 4), CEL_E_TYPE);
  assert_int_equal(open_text("reward: {r: 1}\n", 15), CEL_E_ARGUMENT);
  expect_words("robot.yaml|'model' is missing");
  assert_int_equal(open_text("model: none.xml\n", 16), CEL_E_IO);
  expect_words("robot.yaml: line 1|none.xml|CELSIUS_MUJOCO_MODELS");
  assert_int_equal(open_text("model: robot.yaml\n", 18), CEL_E_FORMAT);
  expect_words("line 1|MuJoCo cannot load");
  assert_int_equal(open_text("model: \"a\\0b\"\n", 14), CEL_E_FORMAT);
  expect_words("zero character");
  enum { LARGE = (1 << 20) + 9 };
  char *large = malloc(LARGE + 32);
  memset(large, '#', LARGE);
  assert_int_equal(open_text(large, LARGE), CEL_E_RANGE);
  expect_words("1 MiB");
  // A formula that is nested a hundred thousand times.
  int n = sprintf(large, "model: cart.xml\n" REST "observations: {x: '");
  memset(large + n, '(', 100000);
  memcpy(large + n + 100000, "'}\n", 4);
  assert_int_equal(open_text(large, (size_t)n + 100003), CEL_E_FORMAT);
  expect_words("nested too deeply");
  n = sprintf(large, "model: cart.xml\n" REST "observations: {x: '");
  memset(large + n, '-', 100000);
  memcpy(large + n + 100000, "'}\n", 4);
  assert_int_equal(open_text(large, (size_t)n + 100003), CEL_E_FORMAT);
  // Quantities that would need more memory than a workspace has.
  n = sprintf(large, "model: cart.xml\n" REST "observations: {x: '1");
  for (int i = 0; i < 200000; i++) n += sprintf(large + n, "+1");
  n += sprintf(large + n, "'}\n");
  assert_int_equal(open_text(large, (size_t)n), CEL_OK);
  free(large);
}

static void a_simulation_that_diverges_is_an_error(void **state) {
  (void)state;
  Run r = begin("timestep: 0.5\naction: {actuators: push, type: joint_target, kp: 1.0e+9, range: "
                "[-9, 9]}\nreward: {r: '0'}\nobservations: {t: time}\n"
                "randomize: [{actuator_gain: push, scale: 1.0e+12}]\n");
  const float push[1] = {9};
  CelStatus status = CEL_OK;
  for (int t = 0; t < 50 && status == CEL_OK; t++)
    status = r.spec.type->step(&r.spec, r.state, 1, push, r.obs, &r.reward, &r.terminated, &r.rng);
  assert_int_equal(status, CEL_E_ENV);
  expect_words("the simulation diverged|joint |timestep");
  assert_ok(r.spec.type->reset(&r.spec, r.state, r.obs, &r.rng));
  end(&r);
}

static int setup(void **state) {
  (void)state;
  register_tasks();
  if (!mkdtemp(folder)) return 1;
  write_text("cart.xml", model, strlen(model));
  return 0;
}

static int teardown(void **state) {
  (void)state;
  static const char *const names[] = {"cart.xml", "robot.yaml", "cheetah.yaml"};
  for (int i = 0; i < 3; i++) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    unlink(path);
  }
  return rmdir(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(formulas),
      cmocka_unit_test(sigmoids),
      cmocka_unit_test(quantities),
      cmocka_unit_test(velocities),
      cmocka_unit_test(actions),
      cmocka_unit_test(resets),
      cmocka_unit_test(commands),
      cmocka_unit_test(noise),
      cmocka_unit_test(masses),
      cmocka_unit_test(a_state_holds_its_model),
      cmocka_unit_test(a_step_allocates_nothing),
      cmocka_unit_test(equal_to_half_cheetah),
      cmocka_unit_test(mistakes_are_named),
      cmocka_unit_test(hostile_files_are_refused),
      cmocka_unit_test(a_simulation_that_diverges_is_an_error),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
