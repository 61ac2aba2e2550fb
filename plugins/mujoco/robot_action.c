/// The section "action": how an action moves the actuators.
///
/// - control: the action is the control, within the actuator's own range.
/// - normalized: actions in [-1, 1] cover the actuator's range.
/// - joint_target: the action moves the target of a joint away from its default position:
///       target = default + scale * action
///   A position actuator gets the target as its control. With kp and kd, a motor gets the torque of
///   a PD controller before every physics step:
///       force = kp * (target - position) - kd * velocity
#include "robot.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Settings {
  int32_t type;
  CelInterval range;
} Settings;

static const CelField fields[] = {{.name = "type",
                                   .type = CEL_FIELD_ENUM,
                                   .offset = offsetof(Settings, type),
                                   .def = "control",
                                   .choices = "control|normalized|joint_target",
                                   .doc = "what the action is"},
                                  {.name = "range",
                                   .type = CEL_FIELD_INTERVAL,
                                   .offset = offsetof(Settings, range),
                                   .def = "-1,1",
                                   .min = -1e6,
                                   .max = 1e6,
                                   .doc = "bounds of the actions of type joint_target"},
                                  {0}};

/// The value of an actuator in a number, a list of one number per actuator, or a mapping of names
/// and patterns to numbers.
static CelStatus read_each(const CeliRobotFile *f, const CeliNode *node, const CeliAction *action,
                           double *out) {
  uint8_t *set = NULL;
  CelStatus status = CEL_OK;
  if (node->kind == CELI_SCALAR) {
    for (int i = 0; i < action->n; i++) CELI_MUJOCO_TRY(celi_read_number(&f->doc, node, &out[i]));
    return CEL_OK;
  }
  if (node->kind == CELI_LIST) {
    if (node->n != action->n)
      return celi_fail_at(&f->doc, node, CEL_E_SHAPE, "the list has %d numbers for %d actuators",
                          node->n, action->n);
    int i = 0;
    for (const CeliNode *entry = node->first; entry; entry = entry->next)
      CELI_MUJOCO_TRY(celi_read_number(&f->doc, entry, &out[i++]));
    return CEL_OK;
  }
  set = calloc((size_t)action->n, 1);
  if (!set) return cel_fail(CEL_E_MEMORY, "not enough memory for the environment");
  for (const CeliNode *entry = node->first; entry && status == CEL_OK; entry = entry->next) {
    CeliNode name = *entry;
    CeliIds ids = {0};
    double x = 0;
    name.kind = CELI_SCALAR;
    name.text = entry->key;
    status = celi_read_number(&f->doc, entry, &x);
    if (status == CEL_OK) status = celi_find_names(f, &name, NULL, mjOBJ_ACTUATOR, &ids);
    for (int k = 0; k < ids.n; k++)
      for (int i = 0; i < action->n; i++)
        if (action->motor[i].actuator == ids.id[k]) out[i] = x, set[i] = 1;
    free(ids.id);
  }
  for (int i = 0; status == CEL_OK && i < action->n; i++)
    if (!set[i])
      status = celi_fail_at(&f->doc, node, CEL_E_SHAPE, "actuator %s has no value here",
                            mj_id2name(f->model, mjOBJ_ACTUATOR, action->motor[i].actuator));
  free(set);
  return status;
}

/// Finds the joint of an actuator.
static CelStatus find_joint(const CeliRobotFile *f, const CeliNode *node, CeliMotor *motor) {
  const mjModel *m = f->model;
  const int a = motor->actuator, joint = m->actuator_trnid[2 * a];
  const char *name = mj_id2name(m, mjOBJ_ACTUATOR, a);
  if (m->actuator_trntype[a] != mjTRN_JOINT || joint < 0 || celi_joint_positions(m, joint) != 1)
    return celi_fail_at(
        &f->doc, node, CEL_E_UNSUPPORTED,
        "actuator %s does not move a hinge or slide joint, which joint_target needs",
        name ? name : "without a name");
  motor->qpos = m->jnt_qposadr[joint];
  motor->qvel = m->jnt_dofadr[joint];
  motor->gear = m->actuator_gear[6 * m->actuator_outadr[a]];
  motor->gain = m->actuator_gainprm[(int)mjNGAIN * a];
  return CEL_OK;
}

/// Checks that the control of an actuator is a force (for PD gains) or a position.
static CelStatus check_servo(const CeliRobotFile *f, const CeliNode *node, const CeliMotor *motor,
                             bool pd) {
  const mjModel *m = f->model;
  const int a = motor->actuator;
  const char *name = mj_id2name(m, mjOBJ_ACTUATOR, a);
  const bool fixed =
      m->actuator_gaintype[a] == mjGAIN_FIXED && m->actuator_dyntype[a] == mjDYN_NONE;
  const bool force = fixed && m->actuator_biastype[a] == mjBIAS_NONE;
  const double *bias = m->actuator_biasprm + (int)mjNBIAS * a;
  const bool position =
      fixed && m->actuator_biastype[a] == mjBIAS_AFFINE && bias[1] == -motor->gain;
  if (motor->gear == 0 || motor->gain == 0)
    return celi_fail_at(&f->doc, node, CEL_E_RANGE, "actuator %s has the gear or gain 0",
                        name ? name : "without a name");
  if (pd && !force)
    return celi_fail_at(&f->doc, node, CEL_E_UNSUPPORTED,
                        "kp and kd need a motor, but actuator %s computes its own force; leave out "
                        "kp and kd, and change its gains in the model or under randomize",
                        name ? name : "without a name");
  if (!pd && !position)
    return celi_fail_at(&f->doc, node, CEL_E_UNSUPPORTED,
                        "actuator %s is not a position actuator; give kp and kd",
                        name ? name : "without a name");
  return CEL_OK;
}

static CelStatus read_targets(const CeliRobotFile *f, const CeliNode *node, CeliAction *action) {
  const CeliNode *scale = celi_member(node, "scale"), *kp = celi_member(node, "kp"),
                 *kd = celi_member(node, "kd"), *center = celi_member(node, "default");
  double *each = calloc((size_t)action->n, sizeof *each);
  CelStatus status = CEL_OK;
  if (!each) return cel_fail(CEL_E_MEMORY, "not enough memory for the environment");
  action->pd = kp != NULL;
  if (kd && !kp) status = celi_fail_at(&f->doc, kd, CEL_E_ARGUMENT, "kd needs kp");
  const double *positions = celi_reset_positions(f->robot);
  for (int i = 0; status == CEL_OK && i < action->n; i++) {
    CeliMotor *motor = &action->motor[i];
    status = find_joint(f, node, motor);
    if (status == CEL_OK) status = check_servo(f, node, motor, action->pd);
    if (status == CEL_OK) motor->center = positions[motor->qpos], motor->half = 1;
  }
  if (status == CEL_OK && center) status = read_each(f, center, action, each);
  for (int i = 0; status == CEL_OK && center && i < action->n; i++)
    action->motor[i].center = each[i];
  if (status == CEL_OK && scale) status = read_each(f, scale, action, each);
  for (int i = 0; status == CEL_OK && scale && i < action->n; i++) action->motor[i].half = each[i];
  if (status == CEL_OK && kp) status = read_each(f, kp, action, each);
  for (int i = 0; status == CEL_OK && kp && i < action->n; i++) action->motor[i].kp = each[i];
  if (status == CEL_OK && kd) status = read_each(f, kd, action, each);
  for (int i = 0; status == CEL_OK && kd && i < action->n; i++) action->motor[i].kd = each[i];
  free(each);
  return status;
}

/// Refuses keys that mean nothing for this type.
static CelStatus check_keys(const CeliRobotFile *f, const CeliNode *node, CeliActionType type) {
  static const char *const keys[] = {"range", "scale", "default", "kp", "kd"};
  for (size_t i = 0; type != CELI_JOINT_TARGET && i < sizeof keys / sizeof keys[0]; i++)
    if (celi_member(node, keys[i]))
      return celi_fail_at(&f->doc, celi_member(node, keys[i]), CEL_E_ARGUMENT,
                          "this key is only for type: joint_target");
  return CEL_OK;
}

static CelStatus find_actuators(const CeliRobotFile *f, const CeliNode *node, CeliAction *action) {
  const CeliNode *names = celi_member(node, "actuators");
  CeliNode all = {.kind = CELI_SCALAR, .line = 1, .text = (char[]){"all"}};
  CeliIds ids;
  if (f->model->nactuator < 1)
    return celi_fail_at(&f->doc, f->doc.root, CEL_E_SHAPE, "the model has no actuators");
  CELI_MUJOCO_TRY(celi_find_names(f, names ? names : &all, NULL, mjOBJ_ACTUATOR, &ids));
  action->motor = calloc((size_t)ids.n, sizeof *action->motor);
  action->n = ids.n;
  for (int i = 0; action->motor && i < ids.n; i++) action->motor[i].actuator = ids.id[i];
  free(ids.id);
  if (!action->motor) return cel_fail(CEL_E_MEMORY, "not enough memory for the environment");
  if (action->n <= CEL_SPACE_BOUNDS_MAX) return CEL_OK;
  return celi_fail_at(&f->doc, names ? names : f->doc.root, CEL_E_SHAPE,
                      "there are %d actuators; the limit is %d", action->n, CEL_SPACE_BOUNDS_MAX);
}

/// The range of an actuator's control.
static CelStatus read_range(const CeliRobotFile *f, const CeliNode *node, CeliAction *action) {
  const mjModel *m = f->model;
  for (int i = 0; i < action->n; i++) {
    CeliMotor *motor = &action->motor[i];
    const int a = motor->actuator, c = m->actuator_ctrladr[a];
    const char *name = mj_id2name(m, mjOBJ_ACTUATOR, a);
    if (m->actuator_ctrlnum[a] != 1)
      return celi_fail_at(&f->doc, node ? node : f->doc.root, CEL_E_UNSUPPORTED,
                          "actuator %s has %d controls; only one is supported",
                          name ? name : "without a name", m->actuator_ctrlnum[a]);
    motor->low = m->actuator_ctrllimited[c] ? m->actuator_ctrlrange[2 * c] : -(double)INFINITY;
    motor->high = m->actuator_ctrllimited[c] ? m->actuator_ctrlrange[2 * c + 1] : (double)INFINITY;
    if (action->type != CELI_JOINT_TARGET && !m->actuator_ctrllimited[c])
      return celi_fail_at(
          &f->doc, node ? node : f->doc.root, CEL_E_RANGE,
          "actuator %s has no ctrlrange, so its actions have no bounds; give it one "
          "in the model, or use type: joint_target",
          name ? name : "without a name");
    motor->center = (motor->low + motor->high) / 2;
    motor->half = (motor->high - motor->low) / 2;
  }
  return CEL_OK;
}

CelStatus celi_action_read(const CeliRobotFile *f, const CeliNode *node, CelSpace *space) {
  CeliAction *action = &f->robot->action;
  double low[CEL_SPACE_BOUNDS_MAX], high[CEL_SPACE_BOUNDS_MAX];
  Settings s;
  CELI_MUJOCO_TRY(celi_read_fields(&f->doc, node, fields, &s, "actuators scale default kp kd"));
  action->type = (CeliActionType)s.type;
  CELI_MUJOCO_TRY(check_keys(f, node, action->type));
  CELI_MUJOCO_TRY(find_actuators(f, node, action));
  CELI_MUJOCO_TRY(read_range(f, node, action));
  if (action->type == CELI_JOINT_TARGET) CELI_MUJOCO_TRY(read_targets(f, node, action));
  for (int i = 0; i < action->n; i++) {
    const CeliMotor *motor = &action->motor[i];
    low[i] = action->type == CELI_CONTROL      ? (double)(float)motor->low
             : action->type == CELI_NORMALIZED ? -1
                                               : s.range.low;
    high[i] = action->type == CELI_CONTROL      ? (double)(float)motor->high
              : action->type == CELI_NORMALIZED ? 1
                                                : s.range.high;
  }
  *space = cel_space_box_bounds(action->n, low, high);
  return CEL_OK;
}

void celi_action_apply(const CeliRobot *robot, mjData *d, const float *action, bool first) {
  const CeliAction *a = &robot->action;
  if (!first && !a->pd) return;
  for (int i = 0; i < a->n; i++) {
    const CeliMotor *motor = &a->motor[i];
    double u = (double)action[i];
    if (a->type != CELI_CONTROL) u = motor->center + motor->half * u;
    if (a->pd) {
      const double force =
          motor->kp * (u - d->qpos[motor->qpos]) - motor->kd * d->qvel[motor->qvel];
      u = force / (motor->gear * motor->gain);
    }
    if (u < motor->low) u = motor->low;
    if (u > motor->high) u = motor->high;
    d->ctrl[robot->base.model->actuator_ctrladr[motor->actuator]] = u;
  }
}
