/// The environment: one engine for all tasks.
///
/// One step of one environment, as in Gymnasium's MujocoEnv:
///   1  the state row becomes MuJoCo's state; the action becomes its control
///   2  frame_skip steps of MuJoCo, then the forces of contacts (mj_rnePostConstraint)
///   3  reward, observation and marks; then MuJoCo's state becomes the row again
/// Quantities that MuJoCo derives from positions (xpos, cinert, ...) belong to the state before the
/// last integration, in Gymnasium's observations too.
#include "mujoco_env.h"
#include "numpy.h"
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- observations

void celi_observe(CeliObservation *out, const double *x, int64_t n) {
  if (out->at)
    for (int64_t i = 0; i < n; i++) out->at[out->n + i] = (float)x[i];
  out->n += n;
}

void celi_observe_clipped(CeliObservation *out, const double *x, int64_t n, double low,
                          double high) {
  if (out->at)
    for (int64_t i = 0; i < n; i++) out->at[out->n + i] = (float)celi_clip(x[i], low, high);
  out->n += n;
}

void celi_observe_one(CeliObservation *out, double x) {
  celi_observe(out, &x, 1);
}

// ---- mjData

static int processors(void) {
  cpu_set_t set;
  const int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  return n > 0 ? n : 1;
}

static CelStatus make_data(void *argument) {
  CeliMujoco *e = argument;
  mjData *d = mj_makeData(e->model);
  if (!d) return cel_fail(CEL_E_MEMORY, "not enough memory for the simulation");
  e->pool.all[e->pool.n++] = d;
  e->pool.free[e->pool.n_free++] = d;
  return CEL_OK;
}

/// Creates one mjData for every processor, so that no step allocates.
CelStatus celi_mujoco_make_pool(CeliMujoco *e) {
  const int n = processors();
  pthread_mutex_init(&e->pool.lock, NULL);
  pthread_cond_init(&e->pool.freed, NULL);
  e->pool.all = calloc((size_t)n, sizeof *e->pool.all);
  e->pool.free = calloc((size_t)n, sizeof *e->pool.free);
  if (!e->pool.all || !e->pool.free)
    return cel_fail(CEL_E_MEMORY, "not enough memory for the simulation");
  for (int i = 0; i < n; i++) CELI_MUJOCO_TRY(celi_mujoco_guard(make_data, e));
  return CEL_OK;
}

mjData *celi_mujoco_take(CeliMujoco *e) {
  pthread_mutex_lock(&e->pool.lock);
  while (e->pool.n_free == 0) pthread_cond_wait(&e->pool.freed, &e->pool.lock);
  mjData *d = e->pool.free[--e->pool.n_free];
  pthread_mutex_unlock(&e->pool.lock);
  return d;
}

void celi_mujoco_give(CeliMujoco *e, mjData *d) {
  pthread_mutex_lock(&e->pool.lock);
  e->pool.free[e->pool.n_free++] = d;
  pthread_cond_signal(&e->pool.freed);
  pthread_mutex_unlock(&e->pool.lock);
}

// ---- open

/// The arguments of the task: the defaults of its complete table, then the spec's.
static CelStatus take_arguments(CeliMujoco *e, const void *config) {
  char text[CEL_PATH_MAX];
  cel_fields_default(e->task->arguments, &e->a);
  for (const CelField *field = e->task->type.fields; field && field->name; field++) {
    cel_fields_get(e->task->type.fields, config, field->name, text, sizeof text);
    CELI_MUJOCO_TRY(cel_fields_set(e->task->arguments, &e->a, field->name, text));
  }
  return CEL_OK;
}

/// The number of a body, from its name or number.
static CelStatus find_body(const mjModel *m, const char *name, int *id) {
  char *end;
  const long number = strtol(name, &end, 10);
  *id = mj_name2id(m, mjOBJ_BODY, name);
  if (*id < 0 && *end == 0 && end != name && number >= 0 && number < m->nbody) *id = (int)number;
  if (*id >= 0) return CEL_OK;
  return cel_fail(CEL_E_NAME, "the model has no body '%s'; it has %d bodies, and the first is '%s'",
                  name, (int)m->nbody - 1, m->nbody > 1 ? mj_id2name(m, mjOBJ_BODY, 1) : "");
}

/// Checks that a model of the user's has what the task's functions read.
static CelStatus check_model(const CeliMujoco *e) {
  const mjModel *m = e->model;
  if (m->nu < 1) return cel_fail(CEL_E_SHAPE, "the model has no actuators");
  if (m->nu > CEL_SPACE_BOUNDS_MAX)
    return cel_fail(CEL_E_SHAPE, "the model has %d actuators; the limit is %d", (int)m->nu,
                    CEL_SPACE_BOUNDS_MAX);
  if (m->nq < e->task->least_nq || m->nv < e->task->least_nv || m->nsite < e->task->least_nsite)
    return cel_fail(CEL_E_SHAPE,
                    "the model has %d positions, %d velocities and %d sites; this task needs at "
                    "least %d, %d and %d",
                    (int)m->nq, (int)m->nv, (int)m->nsite, e->task->least_nq, e->task->least_nv,
                    e->task->least_nsite);
  return CEL_OK;
}

/// The bounds of the actuators' controls as float32. An actuator without bounds has [0, 0] in the
/// model, as in Gymnasium.
static void set_action_space(CelEnvSpec *spec, const mjModel *m) {
  double low[CEL_SPACE_BOUNDS_MAX], high[CEL_SPACE_BOUNDS_MAX];
  for (int i = 0; i < m->nu; i++) {
    low[i] = (double)(float)m->actuator_ctrlrange[2 * i];
    high[i] = (double)(float)m->actuator_ctrlrange[2 * i + 1];
  }
  spec->action = cel_space_box_bounds((int)m->nu, low, high);
}

static CelStatus open_model(CelEnvSpec *spec, CeliMujoco *e) {
  char path[CEL_PATH_MAX];
  CELI_MUJOCO_TRY(celi_mujoco_find(e->a.xml_file[0] ? e->a.xml_file : e->task->model, path));
  CELI_MUJOCO_TRY(celi_mujoco_load(path, &e->model));
  CELI_MUJOCO_TRY(cel_fail_in(check_model(e), "%s: ", path));
  for (int i = 0; i < CELI_BODIES_MAX && e->task->bodies[i]; i++) {
    const char *name = e->task->bodies[i];
    CELI_MUJOCO_TRY(cel_fail_in(find_body(e->model, name[0] ? name : e->a.main_body, &e->body[i]),
                                "%s: ", path));
  }
  e->state_size = mj_stateSize(e->model, mjSTATE_INTEGRATION);
  e->dt = e->model->opt.timestep * (double)e->a.frame_skip;
  CELI_MUJOCO_TRY(celi_mujoco_make_pool(e));
  CeliObservation count = {0};
  e->task->observe(e, e->pool.all[0], &count);
  spec->observation = cel_space_box(count.n, -(double)INFINITY, (double)INFINITY);
  set_action_space(spec, e->model);
  spec->state_size = e->state_size + e->task->marks;
  spec->seconds_per_step = e->dt;
  return CEL_OK;
}

CelStatus celi_mujoco_open(CelEnvSpec *spec) {
  CeliMujoco *e = calloc(1, sizeof *e);
  if (!e) return cel_fail(CEL_E_MEMORY, "not enough memory for the environment");
  spec->data = e;
  e->task = (const CeliTask *)(const void *)spec->type;
  pthread_mutex_init(&e->drawing, NULL);
  celi_mujoco_catch_messages();
  CelStatus status = take_arguments(e, spec->config);
  if (status == CEL_OK) status = open_model(spec, e);
  if (status != CEL_OK) celi_mujoco_close(spec);
  return status;
}

void celi_mujoco_free(CeliMujoco *e) {
  celi_renderer_free(e->renderer);
  pthread_mutex_destroy(&e->drawing);
  for (int i = 0; i < e->pool.n; i++) mj_deleteData(e->pool.all[i]);
  if (e->pool.all) {
    pthread_mutex_destroy(&e->pool.lock);
    pthread_cond_destroy(&e->pool.freed);
  }
  free(e->pool.all);
  free(e->pool.free);
  if (e->model) mj_deleteModel(e->model);
}

void celi_mujoco_close(CelEnvSpec *spec) {
  CeliMujoco *e = spec->data;
  if (!e) return;
  celi_mujoco_free(e);
  free(e);
  spec->data = NULL;
}

// ---- reset

typedef struct Start {
  CeliMujoco *e;
  mjData *d;
  const double *qpos, *qvel; ///< NULL: those of the task
  double *state;
  float *obs;
  CelRng *rng;
} Start;

/// Writes observation, marks and state of one environment.
static void store(const CeliMujoco *e, const mjData *d, double *state, float *obs) {
  CeliObservation out = {.at = obs};
  e->task->observe(e, d, &out);
  if (e->task->mark) e->task->mark(e, d, state + e->state_size);
  mj_getState(e->model, d, state, mjSTATE_INTEGRATION);
}

static CelStatus start(void *argument) {
  Start *s = argument;
  const mjModel *m = s->e->model;
  mj_resetData(m, s->d);
  if (s->qpos) {
    memcpy(s->d->qpos, s->qpos, (size_t)m->nq * sizeof *s->qpos);
    memcpy(s->d->qvel, s->qvel, (size_t)m->nv * sizeof *s->qvel);
  } else {
    s->e->task->start(s->e, s->d->qpos, s->d->qvel, s->rng);
  }
  mj_forward(m, s->d);
  store(s->e, s->d, s->state, s->obs);
  return CEL_OK;
}

static CelStatus run_start(Start *s) {
  s->d = celi_mujoco_take(s->e);
  const CelStatus status = celi_mujoco_guard(start, s);
  celi_mujoco_give(s->e, s->d);
  return status;
}

CelStatus celi_mujoco_reset(const CelEnvSpec *spec, double *state, void *obs, CelRng *rng) {
  Start s = {.e = spec->data, .state = state, .obs = obs, .rng = rng};
  return run_start(&s);
}

CelStatus celi_mujoco_start(const CelEnvSpec *spec, const double *qpos, const double *qvel,
                            double *state, void *obs) {
  Start s = {.e = spec->data, .qpos = qpos, .qvel = qvel, .state = state, .obs = obs};
  return run_start(&s);
}

// ---- step

/// Warnings after which the simulation is not the model's any more.
static const struct {
  mjtWarning warning;
  const char *what;
} fatal[] = {
    {mjWARN_BADQPOS, "a position is not finite or too large"},
    {mjWARN_BADQVEL, "a velocity is not finite or too large"},
    {mjWARN_BADQACC, "an acceleration is not finite or too large"},
    {mjWARN_BADCTRL, "a control is not finite or too large"},
    {mjWARN_CONTACTFULL, "there is no memory for all contacts"},
    {mjWARN_CNSTRFULL, "there is no memory for all constraints"},
};
enum { FATAL = sizeof fatal / sizeof fatal[0] };

/// The name of the joint of a degree of freedom or position, for messages.
static const char *joint_name(const mjModel *m, mjtWarning warning, int index) {
  for (int j = (int)m->njnt - 1; j >= 0; j--) {
    const int first = warning == mjWARN_BADQPOS ? m->jnt_qposadr[j] : m->jnt_dofadr[j];
    if (index < first) continue;
    const char *name = mj_id2name(m, mjOBJ_JOINT, j);
    return name && name[0] ? name : "without a name";
  }
  return "without a name";
}

static CelStatus fail_simulation(const mjModel *m, const mjData *d, int i) {
  const mjtWarning warning = fatal[i].warning;
  if (warning == mjWARN_CONTACTFULL || warning == mjWARN_CNSTRFULL)
    return cel_fail(CEL_E_ENV, "%s; raise <size memory=\"...\"/> in the model file", fatal[i].what);
  const int index = d->warning[warning].lastinfo;
  if (warning == mjWARN_BADCTRL)
    return cel_fail(CEL_E_ENV, "%s (actuator %d)", fatal[i].what, index);
  return cel_fail(CEL_E_ENV,
                  "the simulation diverged: %s (number %d, joint %s); lower the model's timestep",
                  fatal[i].what, index, joint_name(m, warning, index));
}

void celi_mujoco_clear(mjData *d) {
  for (int i = 0; i < FATAL; i++) d->warning[fatal[i].warning].number = 0;
}

CelStatus celi_mujoco_check(const mjModel *m, const mjData *d) {
  for (int i = 0; i < FATAL; i++)
    if (d->warning[fatal[i].warning].number) return fail_simulation(m, d, i);
  return CEL_OK;
}

typedef struct Step {
  CeliMujoco *e;
  mjData *d;
  double *states;
  const float *actions;
  float *obs, *reward;
  uint8_t *terminated;
  int64_t n, state_size, obs_size;
  int64_t i; ///< environment that is being stepped, for messages
} Step;

static CelStatus step_one(const Step *s, double *state, const float *action, float *obs,
                          float *reward, uint8_t *terminated) {
  const CeliMujoco *e = s->e;
  const mjModel *m = e->model;
  mjData *d = s->d;
  mj_setState(m, d, state, mjSTATE_INTEGRATION);
  for (int i = 0; i < m->nu; i++) d->ctrl[i] = (double)action[i];
  for (int64_t k = 0; k < e->a.frame_skip; k++) mj_step(m, d);
  mj_rnePostConstraint(m, d);
  CELI_MUJOCO_TRY(celi_mujoco_check(m, d));
  *terminated = 0;
  *reward = (float)e->task->reward(e, d, action, state + e->state_size, terminated);
  store(e, d, state, obs);
  return CEL_OK;
}

static CelStatus step(void *argument) {
  Step *s = argument;
  celi_mujoco_clear(s->d);
  for (s->i = 0; s->i < s->n; s->i++) {
    const int64_t i = s->i;
    CELI_MUJOCO_TRY(step_one(s, s->states + i * s->state_size, s->actions + i * s->e->model->nu,
                             s->obs + i * s->obs_size, s->reward + i, s->terminated + i));
  }
  return CEL_OK;
}

CelStatus celi_mujoco_step(const CelEnvSpec *spec, double *states, int64_t n, const void *actions,
                           void *obs, float *reward, uint8_t *terminated, CelRng *rng) {
  Step s = {.e = spec->data,
            .states = states,
            .actions = actions,
            .obs = obs,
            .reward = reward,
            .terminated = terminated,
            .n = n,
            .state_size = spec->state_size,
            .obs_size = spec->observation.part[0].size};
  s.d = celi_mujoco_take(s.e);
  const CelStatus status = celi_mujoco_guard(step, &s);
  if (status != CEL_OK) mj_resetData(s.e->model, s.d); // frees what an error left on its stack
  celi_mujoco_give(s.e, s.d);
  if (status != CEL_OK && n > 1)
    return cel_fail_in(status, "environment %" PRIu32 ": ", rng[s.i].index);
  return status;
}
