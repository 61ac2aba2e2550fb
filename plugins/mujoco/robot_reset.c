/// The sections "reset" and "commands": how an episode begins, and what it is asked to do.
#include "robot.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static CelStatus no_memory(void) {
  return cel_fail(CEL_E_MEMORY, "not enough memory for the environment");
}

// ---- reset

typedef struct Settings {
  char keyframe[CEL_TEXT_MAX];
  int64_t settle;
} Settings;

static const CelField fields[] = {{.name = "keyframe",
                                   .type = CEL_FIELD_STRING,
                                   .offset = offsetof(Settings, keyframe),
                                   .def = "",
                                   .doc = "name of the model's keyframe to start from"},
                                  {.name = "settle",
                                   .type = CEL_FIELD_INT,
                                   .offset = offsetof(Settings, settle),
                                   .def = "0",
                                   .min = 0,
                                   .max = 1e6,
                                   .unit = "physics steps",
                                   .doc = "steps of the simulation before the episode begins"},
                                  {0}};

static CelStatus find_keyframe(const CeliRobotFile *f, const CeliNode *node, const char *name,
                               int *id) {
  *id = -1;
  if (!name[0]) return CEL_OK;
  *id = mj_name2id(f->model, mjOBJ_KEY, name);
  if (*id >= 0) return CEL_OK;
  char names[300] = "";
  size_t at = 0;
  for (int i = 0; i < f->model->nkey && at < 200; i++) {
    const char *other = mj_id2name(f->model, mjOBJ_KEY, i);
    if (other && other[0])
      at += (size_t)snprintf(names + at, sizeof names - at, "%s%.60s", at ? ", " : "", other);
  }
  return celi_fail_at(&f->doc, celi_member(node, "keyframe"), CEL_E_NAME,
                      "the model has no keyframe '%s'; it has: %s", name, at ? names : "none");
}

const double *celi_reset_positions(const CeliRobot *robot) {
  const mjModel *m = robot->base.model;
  return robot->reset.keyframe < 0 ? m->qpos0 : m->key_qpos + m->nq * robot->reset.keyframe;
}

/// A number, {uniform: x} or {normal: x}, with joints.
static CelStatus read_noise(const CeliRobotFile *f, const CeliNode *node, double *size,
                            bool *normal, CeliIds *joints) {
  CeliNode all = {.kind = CELI_SCALAR, .line = node ? node->line : 1, .text = (char[]){"all"}};
  const CeliNode *names = NULL, *except = NULL, *value = node;
  if (!node) return CEL_OK;
  if (node->kind == CELI_MAPPING) {
    CELI_MUJOCO_TRY(celi_read_fields(&f->doc, node, NULL, NULL, "uniform normal joints except"));
    names = celi_member(node, "joints");
    except = celi_member(node, "except");
    value = celi_member(node, "uniform");
    *normal = value == NULL;
    if (!value == !celi_member(node, "normal"))
      return celi_fail_at(&f->doc, node, CEL_E_ARGUMENT, "give one of uniform and normal");
    if (!value) value = celi_member(node, "normal");
  }
  CELI_MUJOCO_TRY(celi_read_number(&f->doc, value, size));
  if (*size < 0) return celi_fail_at(&f->doc, value, CEL_E_RANGE, "%g is below 0", *size);
  return celi_find_names(f, names ? names : &all, except, mjOBJ_JOINT, joints);
}

/// {joint: value}, {joint: [low, high]}, or all numbers of a free or ball joint.
static CelStatus read_set(const CeliRobotFile *f, const CeliNode *node) {
  CeliReset *r = &f->robot->reset;
  const mjModel *m = f->model;
  if (!node) return CEL_OK;
  CELI_MUJOCO_TRY(celi_need_kind(&f->doc, node, CELI_MAPPING, "a mapping of joints to positions"));
  r->set = calloc((size_t)(m->nq * node->n) + 1, sizeof *r->set);
  if (!r->set) return no_memory();
  for (const CeliNode *entry = node->first; entry; entry = entry->next) {
    CeliNode name = *entry;
    CeliIds ids;
    name.kind = CELI_SCALAR;
    name.text = entry->key;
    CELI_MUJOCO_TRY(celi_find_names(f, &name, NULL, mjOBJ_JOINT, &ids));
    CelStatus status = CEL_OK;
    for (int k = 0; k < ids.n && status == CEL_OK; k++) {
      const int width = celi_joint_positions(m, ids.id[k]), at = m->jnt_qposadr[ids.id[k]];
      if (width == 1) {
        CeliSet *set = &r->set[r->n_set++];
        set->qpos = at;
        status = celi_read_interval(&f->doc, entry, &set->range);
        continue;
      }
      if (entry->kind != CELI_LIST || entry->n != width)
        status = celi_fail_at(&f->doc, entry, CEL_E_SHAPE, "this joint has %d positions", width);
      int i = 0;
      for (const CeliNode *x = entry->first; status == CEL_OK && x; x = x->next, i++) {
        CeliSet *set = &r->set[r->n_set++];
        set->qpos = at + i;
        status = celi_read_interval(&f->doc, x, &set->range);
      }
    }
    free(ids.id);
    CELI_MUJOCO_TRY(status);
  }
  return CEL_OK;
}

CelStatus celi_reset_keyframe(const CeliRobotFile *f, const CeliNode *node) {
  CeliReset *r = &f->robot->reset;
  Settings s;
  CELI_MUJOCO_TRY(celi_read_fields(&f->doc, node, fields, &s,
                                   "random_joints set position_noise velocity_noise until"));
  r->settle = s.settle;
  return find_keyframe(f, node, s.keyframe, &r->keyframe);
}

CelStatus celi_reset_read(const CeliRobotFile *f, const CeliNode *node) {
  CeliReset *r = &f->robot->reset;
  const CeliNode *random = celi_member(node, "random_joints"), *until = celi_member(node, "until");
  if (random) CELI_MUJOCO_TRY(celi_find_names(f, random, NULL, mjOBJ_JOINT, &r->random));
  CELI_MUJOCO_TRY(read_set(f, celi_member(node, "set")));
  CELI_MUJOCO_TRY(read_noise(f, celi_member(node, "position_noise"), &r->position_noise,
                             &r->position_normal, &r->position_noise_joints));
  CELI_MUJOCO_TRY(read_noise(f, celi_member(node, "velocity_noise"), &r->velocity_noise,
                             &r->velocity_normal, &r->velocity_noise_joints));
  if (!until) return CEL_OK;
  CELI_MUJOCO_TRY(celi_formula(&f->robot->program, &f->doc, until, &r->until));
  if (r->until.n == 1) return CEL_OK;
  return celi_fail_at(&f->doc, until, CEL_E_SHAPE, "the condition has %d numbers; it must have one",
                      r->until.n);
}

/// A rotation by a random angle below `limit` about a random axis; limit 0: any rotation.
static void random_rotation(double *quat, double limit, CelRng *rng) {
  double axis[3], norm = 0;
  if (limit <= 0) {
    do {
      norm = 0;
      for (int i = 0; i < 4; i++) quat[i] = cel_rng_normal(rng), norm += quat[i] * quat[i];
    } while (norm == 0);
    for (int i = 0; i < 4; i++) quat[i] /= sqrt(norm);
    return;
  }
  do {
    norm = 0;
    for (int i = 0; i < 3; i++) axis[i] = cel_rng_normal(rng), norm += axis[i] * axis[i];
  } while (norm == 0);
  for (int i = 0; i < 3; i++) axis[i] /= sqrt(norm);
  mju_axisAngle2Quat(quat, axis, cel_rng_range(rng, 0, limit));
}

/// A position within the limits of the joint; any angle of a joint without limits. Slides without
/// limits and places of free joints stay.
static void random_joint(const mjModel *m, int j, double *qpos, CelRng *rng) {
  const double pi = 3.14159265358979323846, *range = m->jnt_range + 2 * j;
  double *q = qpos + m->jnt_qposadr[j];
  const bool limited = m->jnt_limited[j];
  switch (m->jnt_type[j]) {
  case mjJNT_FREE: random_rotation(q + 3, 0, rng); break;
  case mjJNT_BALL: random_rotation(q, limited ? range[1] : 0, rng); break;
  case mjJNT_HINGE:
    *q = limited ? cel_rng_range(rng, range[0], range[1]) : cel_rng_range(rng, -pi, pi);
    break;
  default:
    if (limited) *q = cel_rng_range(rng, range[0], range[1]);
  }
}

static double noise(double size, bool normal, CelRng *rng) {
  return normal ? size * cel_rng_normal(rng) : cel_rng_range(rng, -size, size);
}

void celi_reset_draw(const CeliRobot *robot, const mjModel *m, mjData *d, CelRng *rng) {
  const CeliReset *r = &robot->reset;
  if (r->keyframe >= 0)
    mj_resetDataKeyframe(m, d, r->keyframe);
  else
    mj_resetData(m, d);
  d->time = 0;
  for (int i = 0; i < r->random.n; i++) random_joint(m, r->random.id[i], d->qpos, rng);
  for (int i = 0; i < r->n_set; i++)
    d->qpos[r->set[i].qpos] = r->set[i].range.low == r->set[i].range.high
                                  ? r->set[i].range.low
                                  : cel_rng_range(rng, r->set[i].range.low, r->set[i].range.high);
  for (int i = 0; r->position_noise > 0 && i < r->position_noise_joints.n; i++) {
    const int j = r->position_noise_joints.id[i];
    for (int k = 0; k < celi_joint_positions(m, j); k++)
      d->qpos[m->jnt_qposadr[j] + k] += noise(r->position_noise, r->position_normal, rng);
  }
  for (int i = 0; r->velocity_noise > 0 && i < r->velocity_noise_joints.n; i++) {
    const int j = r->velocity_noise_joints.id[i];
    for (int k = 0; k < celi_joint_velocities(m, j); k++)
      d->qvel[m->jnt_dofadr[j] + k] += noise(r->velocity_noise, r->velocity_normal, rng);
  }
  if (r->n_set || r->position_noise > 0) mj_normalizeQuat(m, d->qpos);
}

// ---- commands

typedef struct CommandSettings {
  double every, zero;
} CommandSettings;

static const CelField command_fields[] = {
    {.name = "every",
     .type = CEL_FIELD_DOUBLE,
     .offset = offsetof(CommandSettings, every),
     .def = "inf",
     .min = 0,
     .max = (double)INFINITY,
     .unit = "s",
     .doc = "seconds between new values; infinite: one value an episode"},
    {.name = "zero_probability",
     .type = CEL_FIELD_DOUBLE,
     .offset = offsetof(CommandSettings, zero),
     .def = "0",
     .min = 0,
     .max = 1,
     .doc = "probability that all numbers are 0"},
    {0}};

static CelStatus read_command(const CeliRobotFile *f, const CeliNode *node, CeliCommand *command) {
  const CeliNode *uniform = celi_member(node, "uniform");
  CommandSettings s;
  CELI_MUJOCO_TRY(celi_read_fields(&f->doc, node, command_fields, &s, "uniform"));
  if (!uniform)
    return celi_fail_at(&f->doc, node, CEL_E_ARGUMENT,
                        "the range is missing; write for instance uniform: [-1, 1]");
  const bool vector =
      uniform->kind == CELI_LIST && uniform->n > 0 && uniform->first->kind == CELI_LIST;
  const int n = vector ? uniform->n : 1;
  CELI_MUJOCO_TRY(
      celi_fail_in_at(&f->doc, node, celi_program_place(&f->robot->program, n, &command->value)));
  CELI_MUJOCO_TRY(celi_fail_in_at(
      &f->doc, node, celi_program_name(&f->robot->program, node->key, command->value)));
  command->range = calloc((size_t)n, sizeof *command->range);
  if (!command->range) return no_memory();
  const CeliNode *entry = vector ? uniform->first : uniform;
  for (int i = 0; i < n; i++, entry = entry->next)
    CELI_MUJOCO_TRY(celi_read_interval(&f->doc, entry, &command->range[i]));
  command->zero = s.zero;
  const double steps = s.every / f->robot->base.dt;
  command->period = steps > 1e15 ? 0 : (int64_t)(steps + 0.5) > 1 ? (int64_t)(steps + 0.5) : 1;
  command->at = f->robot->command_numbers;
  f->robot->command_numbers += n;
  return CEL_OK;
}

CelStatus celi_commands_read(const CeliRobotFile *f, const CeliNode *node) {
  CeliRobot *robot = f->robot;
  if (!node) return CEL_OK;
  CELI_MUJOCO_TRY(celi_need_kind(&f->doc, node, CELI_MAPPING, "a mapping of names to commands"));
  robot->command = calloc((size_t)node->n + 1, sizeof *robot->command);
  if (!robot->command) return no_memory();
  for (const CeliNode *entry = node->first; entry; entry = entry->next)
    CELI_MUJOCO_TRY(read_command(f, entry, &robot->command[robot->n_commands++]));
  return CEL_OK;
}

static void draw_command(const CeliCommand *c, double *numbers, CelRng *rng) {
  const bool zero = c->zero > 0 && cel_rng_uniform(rng) < c->zero;
  for (int i = 0; i < c->value.n; i++) {
    const double x = cel_rng_range(rng, c->range[i].low, c->range[i].high);
    numbers[c->at + i] = zero ? 0 : x;
  }
}

void celi_commands_start(const CeliRobot *robot, double *row, CelRng *rng) {
  double *left = row + robot->command_numbers;
  for (int k = 0; k < robot->n_commands; k++) {
    draw_command(&robot->command[k], row, rng);
    left[k] = (double)robot->command[k].period;
  }
}

bool celi_commands_step(const CeliRobot *robot, double *row, CelRng *rng) {
  double *left = row + robot->command_numbers;
  bool changed = false;
  for (int k = 0; k < robot->n_commands; k++) {
    const CeliCommand *c = &robot->command[k];
    if (c->period == 0 || --left[k] > 0) continue;
    draw_command(c, row, rng);
    left[k] = (double)c->period;
    changed = true;
  }
  return changed;
}
