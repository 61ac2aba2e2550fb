/// The classic environments against Gymnasium, step by step.
///
/// tests/golden/gymnasium_trajectories.py recorded the episodes. All episodes of a case run in one
/// vector environment, from the recorded initial states and with the recorded actions. Observations
/// and rewards must be equal as float32, flags must be equal, and states must agree within 1e-9.
///
/// The acrobot is chaotic. A change of 1e-16 in Gymnasium's initial state grows to 1e-4 after 320
/// recorded actions, and the last bit of NumPy's cosine depends on the machine. Every eighth step,
/// this test therefore compares the state and then continues from the recorded one.
#include "celsius/safetensors.h"
#include "env_test.h"
#include <inttypes.h>

typedef struct Case {
  const char *file, *name, *id, *arguments;
  /// The initial value of our state's extra element, which Gymnasium's state does not have.
  double extra;
  /// Tolerance of a state, relative to max(1, |x|).
  double state_error;
  bool chaotic; ///< continue from the recorded state whenever there is one
} Case;

static const Case cases[] = {
    {"cartpole", "default", "CartPole-v1", "", 0, 1e-9, false},
    {"cartpole", "random", "CartPole-v1", "", 0, 1e-9, false},
    {"cartpole", "sutton_barto", "CartPole-v1", "sutton_barto_reward=true", 0, 1e-9, false},
    {"cartpole", "semi_implicit", "CartPole-v1", "kinematics_integrator=semi-implicit", 0, 1e-9,
     false},
    {"pendulum", "default", "Pendulum-v1", "", 0, 1e-9, false},
    {"pendulum", "g", "Pendulum-v1", "g=9.81", 0, 1e-9, false},
    {"mountain_car", "default", "MountainCar-v0", "", 0, 1e-9, false},
    {"mountain_car", "random", "MountainCar-v0", "", 0, 1e-9, false},
    {"mountain_car", "goal_velocity", "MountainCar-v0", "goal_velocity=0.02", 0, 1e-9, false},
    {"mountain_car_continuous", "default", "MountainCarContinuous-v0", "", 1, 0, false},
    {"mountain_car_continuous", "random", "MountainCarContinuous-v0", "", 1, 0, false},
    {"mountain_car_continuous", "goal_velocity", "MountainCarContinuous-v0", "goal_velocity=0.03",
     1, 0, false},
    {"acrobot", "default", "Acrobot-v1", "", 0, 1e-9, true},
    {"acrobot", "random", "Acrobot-v1", "", 0, 1e-9, true},
    {"acrobot", "nips", "Acrobot-v1", "book_or_nips=nips", 0, 1e-9, true},
};

/// One case of a golden file.
typedef struct Golden {
  int64_t E, T, S,
      O; ///< episodes, steps of all episodes, size of Gymnasium's state, of observations
  const double *initial, *state;
  const int32_t *length;
  const CelTensor *action;
  const float *obs, *reward;
  const uint8_t *flags;
  int64_t state_every;
} Golden;

static const CelTensor *tensor(const CelSafetensors *file, const char *name, const char *what) {
  char full[CEL_NAME_MAX];
  snprintf(full, sizeof full, "%s.%s", name, what);
  const CelTensor *found = cel_safetensors_find(file, full);
  if (!found) fail_msg("the golden file has no %s", full);
  return found;
}

static Golden read_case(const CelSafetensors *file, const char *name) {
  Golden g = {0};
  const CelTensor *initial = tensor(file, name, "initial"), *obs = tensor(file, name, "obs");
  g.E = initial->shape[0];
  g.S = initial->shape[1];
  g.T = obs->shape[0];
  g.O = obs->shape[1];
  g.initial = initial->data;
  g.obs = obs->data;
  g.length = tensor(file, name, "length")->data;
  g.action = tensor(file, name, "action");
  g.reward = tensor(file, name, "reward")->data;
  g.flags = tensor(file, name, "flags")->data;
  g.state = tensor(file, name, "state")->data;
  g.state_every = atoll(cel_safetensors_meta(file, "state_every"));
  return g;
}

/// The largest error of a state, and the positions of the running episodes.
typedef struct Replay {
  const Case *c;
  const Golden *g;
  Fleet *fleet;
  int64_t *first, *first_state; ///< (E,) row of each episode's first step and first recorded state
  double worst;
} Replay;

static void set_action(void *actions, int64_t e, const CelTensor *action, int64_t row) {
  if (action->type == CEL_U8) {
    ((int32_t *)actions)[e] = ((const uint8_t *)action->data)[row];
  } else {
    ((float *)actions)[e] = ((const float *)action->data)[row];
  }
}

static void compare_state(Replay *r, int64_t e, int64_t t, double *state) {
  const Golden *g = r->g;
  const double *wanted = g->state + (r->first_state[e] + t / g->state_every) * g->S;
  for (int64_t i = 0; i < g->S; i++) {
    double error = fabs(state[i] - wanted[i]) / fmax(1.0, fabs(wanted[i]));
    r->worst = fmax(r->worst, error);
    if (!(error <= r->c->state_error)) {
      fail_msg("%s %s: episode %" PRId64 ", step %" PRId64 ", state %" PRId64 ": %.17g, not %.17g",
               r->c->id, r->c->name, e, t, i, state[i], wanted[i]);
    }
    if (r->c->chaotic) state[i] = wanted[i];
  }
}

/// Compares step t of episode e with row `row` of the file.
static void compare(Replay *r, int64_t e, int64_t t, int64_t row) {
  const Golden *g = r->g;
  const CelVecEnv *env = &r->fleet->env;
  const bool done = env->terminated[e] || env->truncated[e];
  const uint8_t *rows = done ? env->final_obs : env->obs;
  const float *obs = (const float *)(const void *)(rows + (size_t)e * env->obs_bytes);
  const int flags = env->terminated[e] + 2 * env->truncated[e];
  if (flags != g->flags[row]) {
    fail_msg("%s %s: episode %" PRId64 ", step %" PRId64 ": flags %d, not %d", r->c->id, r->c->name,
             e, t, flags, g->flags[row]);
  }
  if (env->reward[e] != g->reward[row]) {
    fail_msg("%s %s: episode %" PRId64 ", step %" PRId64 ": reward %.9g, not %.9g", r->c->id,
             r->c->name, e, t, (double)env->reward[e], (double)g->reward[row]);
  }
  for (int64_t i = 0; i < g->O; i++) {
    if (obs[i] != g->obs[row * g->O + i]) {
      fail_msg("%s %s: episode %" PRId64 ", step %" PRId64 ", observation %" PRId64
               ": %.9g, not %.9g",
               r->c->id, r->c->name, e, t, i, (double)obs[i], (double)g->obs[row * g->O + i]);
    }
  }
  if ((t + 1) % g->state_every == 0 && !done) {
    compare_state(r, e, t, env->states + e * env->spec->state_size);
  }
}

static void find_rows(Replay *r) {
  int64_t row = 0, kept = 0;
  for (int64_t e = 0; e < r->g->E; e++) {
    r->first[e] = row;
    r->first_state[e] = kept;
    row += r->g->length[e];
    kept += r->g->length[e] / r->g->state_every;
  }
  assert_int_equal(row, r->g->T);
}

static void start_episodes(const Replay *r) {
  CelVecEnv *env = &r->fleet->env;
  assert_ok(cel_vecenv_reset(env));
  for (int64_t e = 0; e < r->g->E; e++) {
    for (int64_t i = 0; i < env->spec->state_size; i++) {
      env->states[e * env->spec->state_size + i] =
          i < r->g->S ? r->g->initial[e * r->g->S + i] : r->c->extra;
    }
  }
}

static void replay_case(const Case *c, const CelSafetensors *file) {
  Golden g = read_case(file, c->name);
  CelEnvSpec *spec = make_spec(c->id, c->arguments);
  Replay r = {.c = c, .g = &g, .fleet = make_fleet(spec, g.E, 1, 0)};
  r.first = calloc((size_t)g.E, sizeof *r.first);
  r.first_state = calloc((size_t)g.E, sizeof *r.first_state);
  void *actions = calloc((size_t)g.E, cel_space_bytes(&spec->action));
  find_rows(&r);
  start_episodes(&r);
  int64_t compared = 0;
  for (int64_t t = 0; compared < g.T; t++) {
    for (int64_t e = 0; e < g.E; e++) {
      if (t < g.length[e]) set_action(actions, e, g.action, r.first[e] + t);
    }
    assert_ok(cel_vecenv_step(&r.fleet->env, actions, 0, g.E));
    for (int64_t e = 0; e < g.E; e++) {
      if (t < g.length[e]) compare(&r, e, t, r.first[e] + t), compared++;
    }
  }
  print_message("%s %s: %" PRId64 " steps, worst state off by %.1e\n", c->id, c->name, g.T,
                r.worst);
  free(actions);
  free(r.first);
  free(r.first_state);
  free_fleet(r.fleet);
  cel_env_spec_destroy(spec);
}

static void equal_to_gymnasium(void **state) {
  const Case *c = *state;
  char path[1024];
  snprintf(path, sizeof path, "%s/golden/gymnasium_%s.safetensors", CELSIUS_TEST_DIR, c->file);
  CelSafetensors *file;
  assert_ok(cel_safetensors_open(path, &file));
  replay_case(c, file);
  cel_safetensors_close(file);
}

int main(void) {
  enum { CASES = sizeof cases / sizeof cases[0] };
  struct CMUnitTest tests[CASES];
  char names[CASES][96];
  for (int i = 0; i < CASES; i++) {
    snprintf(names[i], sizeof names[i], "%s, %s, equal to Gymnasium's", cases[i].id, cases[i].name);
    tests[i] =
        (struct CMUnitTest){names[i], equal_to_gymnasium, NULL, NULL, (void *)(uintptr_t)&cases[i]};
  }
  return cmocka_run_group_tests(tests, NULL, NULL);
}
