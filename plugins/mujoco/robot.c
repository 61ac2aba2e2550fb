/// The environment of a file: open, reset, step.
///
/// One step of one environment:
///   1  the state row becomes MuJoCo's state, drawn numbers go into the model's copy
///   2  frame_skip times: the action becomes controls; one step of MuJoCo
///   3  mj_step1: positions, velocities and their sensors belong to the new state. Forces,
///      accelerations and their sensors (touch, force) are those of the last physics step.
///   4  all formulas; reward, ending, observation; MuJoCo's state becomes the row again
/// dm_control observes the same.
#include "robot.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES = 1000 }; ///< resets until the condition `until` holds

/// A task without functions, for what the engine and the renderer read of one.
static const CeliTask no_task = {.view = {.track = 1}};

// ---- the state row

static double *memory_of(const CeliRobot *robot, double *state) {
  return state + robot->base.state_size;
}

static double *parameters_of(const CeliRobot *robot, double *state) {
  return memory_of(robot, state) + robot->program.memory;
}

static double *commands_of(const CeliRobot *robot, double *state) {
  return parameters_of(robot, state) + robot->randomize.parameters;
}

// ---- open, close

/// Applies drawn numbers to the copy of a model that is for pictures.
static void prepare(const CeliMujoco *e, mjModel *copy, const double *state) {
  const CeliRobot *robot = (const CeliRobot *)(const void *)e;
  celi_randomize_apply(robot, copy, NULL, state + e->state_size + robot->program.memory);
}

static CelStatus make_work(void *argument) {
  CeliRobot *robot = argument;
  const CeliMujoco *e = &robot->base;
  const size_t size = (size_t)robot->program.size, drawn = (size_t)robot->randomize.parameters;
  for (int i = 0; i < e->pool.n; i++) {
    CeliRobotWork *w = &robot->work[i];
    w->work = calloc(size + 1, sizeof *w->work);
    w->applied = calloc(drawn + 1, sizeof *w->applied);
    if (drawn) w->model = mj_copyModel(NULL, e->model);
    if (!w->work || !w->applied || (drawn && !w->model))
      return cel_fail(CEL_E_MEMORY, "not enough memory for the simulation");
    memcpy(w->work, robot->program.initial, size * sizeof *w->work);
  }
  return CEL_OK;
}

static CelStatus open_robot(CelEnvSpec *spec, CeliRobot *robot, const char *path) {
  CeliMujoco *e = &robot->base;
  CELI_MUJOCO_TRY(celi_robot_read(robot, spec, path));
  e->state_size = mj_stateSize(e->model, mjSTATE_INTEGRATION);
  CELI_MUJOCO_TRY(celi_mujoco_make_pool(e));
  robot->work = calloc((size_t)e->pool.n, sizeof *robot->work);
  if (!robot->work) return cel_fail(CEL_E_MEMORY, "not enough memory for the simulation");
  CELI_MUJOCO_TRY(celi_mujoco_guard(make_work, robot));
  if (robot->randomize.parameters) e->prepare = prepare;
  spec->state_size = (int64_t)e->state_size + robot->program.memory + robot->randomize.parameters +
                     robot->command_numbers + robot->n_commands;
  spec->seconds_per_step = e->dt;
  const double steps = robot->time_limit / e->dt;
  spec->max_episode_steps = steps < 1e15 ? (int64_t)fmax(1, floor(steps + 0.5)) : 0;
  return CEL_OK;
}

static void close_robot(CelEnvSpec *spec) {
  CeliRobot *robot = spec->data;
  if (!robot) return;
  for (int i = 0; robot->work && i < robot->base.pool.n; i++) {
    free(robot->work[i].work);
    free(robot->work[i].applied);
    if (robot->work[i].model) mj_deleteModel(robot->work[i].model);
  }
  free(robot->work);
  celi_mujoco_free(&robot->base);
  celi_robot_free(robot);
  free(robot);
  spec->data = NULL;
}

static CelStatus open(CelEnvSpec *spec) {
  CeliRobot *robot = calloc(1, sizeof *robot);
  if (!robot) return cel_fail(CEL_E_MEMORY, "not enough memory for the environment");
  spec->data = robot;
  robot->base.task = &no_task;
  pthread_mutex_init(&robot->base.drawing, NULL);
  celi_mujoco_catch_messages();
  const CelStatus status =
      open_robot(spec, robot, ((const CeliRobotType *)(const void *)spec->type)->path);
  if (status != CEL_OK) close_robot(spec);
  return status;
}

// ---- one environment

/// What one thread uses.
typedef struct Place {
  CeliRobot *robot;
  mjData *d;
  CeliRobotWork *w;
  const mjModel *m; ///< the model, with the numbers that were drawn for this environment
} Place;

static Place take(CeliRobot *robot) {
  Place p = {.robot = robot, .d = celi_mujoco_take(&robot->base)};
  int i = 0;
  while (robot->base.pool.all[i] != p.d) i++;
  p.w = &robot->work[i];
  p.m = p.w->model ? p.w->model : robot->base.model;
  return p;
}

/// Gives the model the drawn numbers of an environment, if it has others.
static void use_parameters(const Place *p, const double *parameters) {
  const size_t size = (size_t)p->robot->randomize.parameters * sizeof *parameters;
  if (!p->w->model) return;
  if (p->w->is_applied && memcmp(p->w->applied, parameters, size) == 0) return;
  p->w->is_applied = false; // until mj_setConst has returned, which may fail
  celi_randomize_apply(p->robot, p->w->model, p->d, parameters);
  memcpy(p->w->applied, parameters, size);
  p->w->is_applied = true;
}

static void run(const Place *p, double *state, CeliRun how) {
  const CeliRobot *robot = p->robot;
  const CeliSimulation sim = {.m = p->m, .d = p->d};
  const double *commands = commands_of(robot, state);
  for (int k = 0; k < robot->n_commands; k++)
    memcpy(p->w->work + robot->command[k].value.at, commands + robot->command[k].at,
           (size_t)robot->command[k].value.n * sizeof *commands);
  celi_program_run(&robot->program, p->w->work, memory_of(robot, state), how, robot->base.dt, &sim);
}

static void set_action(const Place *p, const float *action) {
  const CeliValue value = p->robot->action_value;
  for (int i = 0; i < value.n; i++) p->w->work[value.at + i] = action ? (double)action[i] : 0;
}

static void observe(const Place *p, float *obs, CelRng *rng) {
  const CeliRobot *robot = p->robot;
  for (int k = 0; k < robot->n_observed; k++) {
    const CeliObserved *o = &robot->observed[k];
    for (int i = 0; i < o->value.n; i++) {
      double x = p->w->work[o->value.at + i];
      if (o->noise > 0 && rng) x += cel_rng_range(rng, -o->noise, o->noise);
      *obs++ = (float)x;
    }
  }
}

static double number(const Place *p, CeliValue value) {
  return p->w->work[value.at];
}

// ---- reset

typedef struct Start {
  Place p;
  const double *qpos, *qvel, *parameters; ///< NULL: drawn
  double *state;
  float *obs;
  CelRng *rng; ///< NULL: nothing is drawn
} Start;

/// Everything that MuJoCo derives from the state.
static void derive(const Place *p) {
  mj_forward(p->m, p->d);
  if (p->robot->needs_forces) mj_rnePostConstraint(p->m, p->d);
}

/// Draws initial states until the condition holds.
static CelStatus draw(Start *s) {
  const CeliRobot *robot = s->p.robot;
  const CeliReset *r = &robot->reset;
  for (int i = 0; i < TRIES; i++) {
    celi_reset_draw(robot, s->p.m, s->p.d, s->rng);
    derive(&s->p);
    if (r->until.n == 0) return CEL_OK;
    run(&s->p, s->state, CELI_RUN_FIRST);
    if (number(&s->p, r->until) != 0) return CEL_OK;
  }
  return cel_fail(CEL_E_ENV,
                  "reset: %d initial states were drawn, and the condition 'until' held in "
                  "none; change it or the section 'reset'",
                  TRIES);
}

static CelStatus settle(const Place *p) {
  const int64_t steps = p->robot->reset.settle;
  for (int64_t k = 0; k < steps; k++) mj_step(p->m, p->d);
  if (steps == 0) return CEL_OK;
  CELI_MUJOCO_TRY(celi_mujoco_check(p->m, p->d));
  p->d->time = 0;
  derive(p);
  return CEL_OK;
}

static CelStatus start(void *argument) {
  Start *s = argument;
  const CeliRobot *robot = s->p.robot;
  const mjModel *m = s->p.m;
  mjData *d = s->p.d;
  double *parameters = parameters_of(robot, s->state);
  celi_mujoco_clear(d);
  set_action(&s->p, NULL);
  if (s->parameters)
    memcpy(parameters, s->parameters, (size_t)robot->randomize.parameters * sizeof *parameters);
  else
    celi_randomize_draw(robot, parameters, s->rng);
  use_parameters(&s->p, parameters);
  if (s->rng) celi_commands_start(robot, commands_of(robot, s->state), s->rng);
  if (s->qpos) {
    mj_resetData(m, d);
    memcpy(d->qpos, s->qpos, (size_t)m->nq * sizeof *s->qpos);
    memcpy(d->qvel, s->qvel, (size_t)m->nv * sizeof *s->qvel);
    derive(&s->p);
  } else {
    CELI_MUJOCO_TRY(draw(s));
    CELI_MUJOCO_TRY(settle(&s->p));
  }
  CELI_MUJOCO_TRY(celi_mujoco_check(m, d));
  run(&s->p, s->state, CELI_RUN_FIRST);
  observe(&s->p, s->obs, s->rng);
  mj_getState(m, d, s->state, mjSTATE_INTEGRATION);
  return CEL_OK;
}

static CelStatus run_start(const CelEnvSpec *spec, Start *s) {
  CeliRobot *robot = spec->data;
  s->p = take(robot);
  for (int64_t i = 0; i < spec->state_size; i++) s->state[i] = 0;
  const CelStatus status = celi_mujoco_guard(start, s);
  if (status != CEL_OK) mj_resetData(s->p.m, s->p.d);
  celi_mujoco_give(&robot->base, s->p.d);
  return status;
}

static CelStatus reset(const CelEnvSpec *spec, double *state, void *obs, CelRng *rng) {
  Start s = {.state = state, .obs = obs, .rng = rng};
  return run_start(spec, &s);
}

CelStatus celi_robot_start(const CelEnvSpec *spec, const double *qpos, const double *qvel,
                           const double *parameters, double *state, void *obs) {
  Start s = {.qpos = qpos, .qvel = qvel, .parameters = parameters, .state = state, .obs = obs};
  return run_start(spec, &s);
}

// ---- step

typedef struct Step {
  Place p;
  double *states;
  const float *actions;
  float *obs, *reward;
  uint8_t *terminated;
  CelRng *rng;
  int64_t n, state_size, obs_size;
  int64_t i; ///< environment that is being stepped, for messages
} Step;

static CelStatus simulate(const Place *p, const float *action) {
  const CeliRobot *robot = p->robot;
  for (int64_t k = 0; k < robot->base.a.frame_skip; k++) {
    celi_action_apply(robot, p->d, action, k == 0);
    mj_step(p->m, p->d);
  }
  if (robot->needs_forces) mj_rnePostConstraint(p->m, p->d); // before the contacts are new
  CELI_MUJOCO_TRY(celi_mujoco_check(p->m, p->d));
  mj_step1(p->m, p->d);
  return celi_mujoco_check(p->m, p->d);
}

static CelStatus step_one(const Step *s, int64_t i) {
  const Place *p = &s->p;
  const CeliRobot *robot = p->robot;
  double *state = s->states + i * s->state_size, sum = 0;
  const float *action = s->actions + i * robot->action.n;
  use_parameters(p, parameters_of(robot, state));
  mj_setState(p->m, p->d, state, mjSTATE_INTEGRATION);
  CELI_MUJOCO_TRY(simulate(p, action));
  set_action(p, action);
  run(p, state, CELI_RUN_NEXT);
  for (int k = 0; k < robot->n_reward; k++)
    sum += robot->reward[k].weight * number(p, robot->reward[k].value);
  s->reward[i] = (float)sum;
  s->terminated[i] = 0;
  for (int k = 0; k < robot->n_terminate; k++)
    if (number(p, robot->terminate[k].value) != 0) s->terminated[i] = 1;
  if (celi_commands_step(robot, commands_of(robot, state), &s->rng[i]))
    run(p, state, CELI_RUN_AGAIN);
  observe(p, s->obs + i * s->obs_size, &s->rng[i]);
  mj_getState(p->m, p->d, state, mjSTATE_INTEGRATION);
  return CEL_OK;
}

static CelStatus step_all(void *argument) {
  Step *s = argument;
  celi_mujoco_clear(s->p.d);
  for (s->i = 0; s->i < s->n; s->i++) CELI_MUJOCO_TRY(step_one(s, s->i));
  return CEL_OK;
}

static CelStatus step(const CelEnvSpec *spec, double *states, int64_t n, const void *actions,
                      void *obs, float *reward, uint8_t *terminated, CelRng *rng) {
  CeliRobot *robot = spec->data;
  Step s = {.p = take(robot),
            .states = states,
            .actions = actions,
            .obs = obs,
            .reward = reward,
            .terminated = terminated,
            .rng = rng,
            .n = n,
            .state_size = spec->state_size,
            .obs_size = spec->observation.part[0].size};
  const CelStatus status = celi_mujoco_guard(step_all, &s);
  if (status != CEL_OK) mj_resetData(s.p.m, s.p.d); // frees what an error left on its stack
  celi_mujoco_give(&robot->base, s.p.d);
  if (status != CEL_OK && n > 1)
    return cel_fail_in(status, "environment %" PRIu32 ": ", rng[s.i].index);
  return status;
}

// ---- types

static const CelEnvType robot_type = {.abi = CEL_ENV_ABI,
                                      .doc = "a MuJoCo model that a YAML file describes",
                                      .reward_threshold = (double)NAN,
                                      .open = open,
                                      .close = close_robot,
                                      .reset = reset,
                                      .step = step,
                                      .render = celi_mujoco_render};

CelStatus celi_robot_type(const char *path, const CelEnvType **type) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  static CeliRobotType *all; // kept until the process ends, because callers may keep the pointers
  if (strlen(path) >= CEL_PATH_MAX)
    return cel_fail(CEL_E_NAME, "'%.40s...': the path is longer than %d bytes, the limit", path,
                    CEL_PATH_MAX - 1);
  pthread_mutex_lock(&lock);
  CeliRobotType *t = all;
  while (t && strcmp(t->path, path) != 0) t = t->next;
  if (!t && (t = calloc(1, sizeof *t)) != NULL) {
    memcpy(&t->type, &robot_type, sizeof t->type);
    memcpy(t->path, path, strlen(path) + 1);
    t->type.id = t->path;
    t->next = all;
    all = t;
  }
  pthread_mutex_unlock(&lock);
  if (!t) return cel_fail(CEL_E_MEMORY, "not enough memory for the environment");
  *type = &t->type;
  return CEL_OK;
}
