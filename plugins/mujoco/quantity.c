/// Quantities that an environment's file reads from the simulation.
///
///     {joint_position: [hip, knee]}
///     {body_position: hand, relative_to: torso, frame: torso, axes: xy}
#include "robot.h"
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum Kind {
  JOINT_POSITION,
  JOINT_VELOCITY,
  JOINT_ACCELERATION,
  JOINT_FORCE,
  ACTUATOR_FORCE,
  CONTROL,
  SENSOR,
  BODY_POSITION,
  BODY_CENTER,
  BODY_ROTATION,
  BODY_QUATERNION,
  BODY_LINEAR,
  BODY_ANGULAR,
  SUBTREE_CENTER,
  CONTACT_FORCE,
  GEOM_POSITION,
  GEOM_ROTATION,
  GEOM_LINEAR,
  GEOM_ANGULAR,
  SITE_POSITION,
  SITE_ROTATION,
  SITE_LINEAR,
  SITE_ANGULAR,
  KINDS
} Kind;

/// width: numbers of an object; 0: depends on the object. relative: positions in space.
static const struct {
  const char *name;
  mjtObj type;
  int width;
  bool relative;
} kinds[KINDS] = {
    [JOINT_POSITION] = {"joint_position", mjOBJ_JOINT, 0, false},
    [JOINT_VELOCITY] = {"joint_velocity", mjOBJ_JOINT, 0, false},
    [JOINT_ACCELERATION] = {"joint_acceleration", mjOBJ_JOINT, 0, false},
    [JOINT_FORCE] = {"joint_force", mjOBJ_JOINT, 0, false},
    [ACTUATOR_FORCE] = {"actuator_force", mjOBJ_ACTUATOR, 1, false},
    [CONTROL] = {"actuator_control", mjOBJ_ACTUATOR, 1, false},
    [SENSOR] = {"sensor", mjOBJ_SENSOR, 0, false},
    [BODY_POSITION] = {"body_position", mjOBJ_BODY, 3, true},
    [BODY_CENTER] = {"body_center_of_mass", mjOBJ_BODY, 3, true},
    [BODY_ROTATION] = {"body_rotation", mjOBJ_BODY, 9, false},
    [BODY_QUATERNION] = {"body_quaternion", mjOBJ_BODY, 4, false},
    [BODY_LINEAR] = {"body_linear_velocity", mjOBJ_BODY, 3, false},
    [BODY_ANGULAR] = {"body_angular_velocity", mjOBJ_BODY, 3, false},
    [SUBTREE_CENTER] = {"subtree_center_of_mass", mjOBJ_BODY, 3, true},
    [CONTACT_FORCE] = {"contact_force", mjOBJ_BODY, 3, false},
    [GEOM_POSITION] = {"geom_position", mjOBJ_GEOM, 3, true},
    [GEOM_ROTATION] = {"geom_rotation", mjOBJ_GEOM, 9, false},
    [GEOM_LINEAR] = {"geom_linear_velocity", mjOBJ_GEOM, 3, false},
    [GEOM_ANGULAR] = {"geom_angular_velocity", mjOBJ_GEOM, 3, false},
    [SITE_POSITION] = {"site_position", mjOBJ_SITE, 3, true},
    [SITE_ROTATION] = {"site_rotation", mjOBJ_SITE, 9, false},
    [SITE_LINEAR] = {"site_linear_velocity", mjOBJ_SITE, 3, false},
    [SITE_ANGULAR] = {"site_angular_velocity", mjOBJ_SITE, 3, false},
};

/// A quantity: some numbers of some objects.
typedef struct Source {
  Kind kind;
  CeliIds ids;
  int axis[9], n_axes;  ///< numbers of each object; n_axes 0: all
  mjtObj origin_type;   ///< what positions are relative to
  int origin, frame;    ///< -1: the world
  struct Source *older; ///< all sources of a robot
} Source;

void celi_quantities_free(CeliRobot *robot) {
  for (Source *s = robot->sources; s;) {
    Source *older = s->older;
    free(s->ids.id);
    free(s);
    s = older;
  }
  robot->sources = NULL;
}

// ---- names

static int count_of(const mjModel *m, mjtObj type) {
  switch (type) {
  case mjOBJ_JOINT: return (int)m->njnt;
  case mjOBJ_ACTUATOR: return (int)m->nactuator;
  case mjOBJ_SENSOR: return (int)m->nsensor;
  case mjOBJ_BODY: return (int)m->nbody;
  case mjOBJ_GEOM: return (int)m->ngeom;
  default: return (int)m->nsite;
  }
}

static const char *word_of(mjtObj type) {
  switch (type) {
  case mjOBJ_JOINT: return "joint";
  case mjOBJ_ACTUATOR: return "actuator";
  case mjOBJ_SENSOR: return "sensor";
  case mjOBJ_BODY: return "body";
  case mjOBJ_GEOM: return "geom";
  default: return "site";
  }
}

/// Fails for an unknown name, with the nearest name and the first names of the model.
static CelStatus fail_name(const CeliRobotFile *f, const CeliNode *node, const char *name,
                           mjtObj type) {
  enum { SHOWN = 300 };
  const int n = count_of(f->model, type);
  const char *word = word_of(type);
  CelField *all = calloc((size_t)n + 1, sizeof *all);
  char names[SHOWN + 80] = "", near[120] = "";
  size_t at = 0;
  int k = 0;
  for (int i = 0; all && i < n; i++) {
    const char *other = mj_id2name(f->model, (int)type, i);
    if (!other || !other[0]) continue;
    all[k++].name = other;
    if (at < SHOWN)
      at += (size_t)snprintf(names + at, sizeof names - at, "%s%.60s", at ? ", " : "", other);
  }
  const char *nearest = all ? cel_fields_nearest(all, name) : NULL;
  if (nearest) snprintf(near, sizeof near, " Did you mean '%.60s'?", nearest);
  free(all);
  if (k == 0)
    return celi_fail_at(&f->doc, node, CEL_E_NAME,
                        "the model has no %s '%.60s'; none of its %ss has a name", word, name,
                        word);
  return celi_fail_at(&f->doc, node, CEL_E_NAME, "the model has no %s '%.60s'.%s It has: %s%s",
                      word, name, near, names, at >= SHOWN ? ", ..." : "");
}

/// Marks the objects that a name or pattern means.
static CelStatus mark_names(const CeliRobotFile *f, const CeliNode *node, mjtObj type, CeliIds *ids,
                            uint8_t *marked) {
  const int n = count_of(f->model, type);
  const char *name = node->text;
  CELI_MUJOCO_TRY(celi_need_kind(&f->doc, node, CELI_SCALAR, "a name"));
  const int id = mj_name2id(f->model, (int)type, name);
  const bool all = id < 0 && strcmp(name, "all") == 0;
  bool found = false;
  for (int i = type == mjOBJ_BODY ? 1 : 0; i < n; i++) { // the world is not among all bodies
    const char *other = mj_id2name(f->model, (int)type, i);
    if (id >= 0 ? i != id : !all && (!other || fnmatch(name, other, 0) != 0)) continue;
    found = true;
    if (!marked[i]) ids->id[ids->n++] = i;
    marked[i] = 1;
  }
  if (id == 0 && type == mjOBJ_BODY && !marked[0]) { // the world by its name
    found = true;
    ids->id[ids->n++] = 0;
    marked[0] = 1;
  }
  return found ? CEL_OK : fail_name(f, node, name, type);
}

static CelStatus mark_list(const CeliRobotFile *f, const CeliNode *node, mjtObj type, CeliIds *ids,
                           uint8_t *marked) {
  if (node->kind != CELI_LIST) return mark_names(f, node, type, ids, marked);
  if (node->n == 0) return celi_fail_at(&f->doc, node, CEL_E_SHAPE, "the list is empty");
  for (const CeliNode *entry = node->first; entry; entry = entry->next)
    CELI_MUJOCO_TRY(mark_names(f, entry, type, ids, marked));
  return CEL_OK;
}

CelStatus celi_find_names(const CeliRobotFile *f, const CeliNode *node, const CeliNode *except,
                          mjtObj type, CeliIds *ids) {
  const size_t n = (size_t)count_of(f->model, type) + 1;
  uint8_t *marked = calloc(n, 1), *dropped = calloc(n, 1);
  CeliIds out = {calloc(n, sizeof *out.id), 0};
  ids->id = calloc(n, sizeof *ids->id);
  ids->n = 0;
  CelStatus status = marked && dropped && out.id && ids->id
                         ? mark_list(f, node, type, ids, marked)
                         : cel_fail(CEL_E_MEMORY, "not enough memory for the environment");
  if (status == CEL_OK && except) status = mark_list(f, except, type, &out, dropped);
  int kept = 0;
  for (int i = 0; status == CEL_OK && i < ids->n; i++)
    if (!dropped[ids->id[i]]) ids->id[kept++] = ids->id[i];
  ids->n = kept;
  if (status == CEL_OK && kept == 0)
    status = celi_fail_at(&f->doc, node, CEL_E_SHAPE, "no %s is left", word_of(type));
  free(marked);
  free(dropped);
  free(out.id);
  if (status == CEL_OK) return CEL_OK;
  free(ids->id);
  *ids = (CeliIds){0};
  return status;
}

// ---- reading the simulation

int celi_joint_positions(const mjModel *m, int joint) {
  const int type = m->jnt_type[joint];
  return type == mjJNT_FREE ? 7 : type == mjJNT_BALL ? 4 : 1;
}

int celi_joint_velocities(const mjModel *m, int joint) {
  const int type = m->jnt_type[joint];
  return type == mjJNT_FREE ? 6 : type == mjJNT_BALL ? 3 : 1;
}

static int width_of(const mjModel *m, Kind kind, int id) {
  if (kind == JOINT_POSITION) return celi_joint_positions(m, id);
  if (kind == SENSOR) return m->sensor_dim[id];
  return kinds[kind].width ? kinds[kind].width : celi_joint_velocities(m, id);
}

/// The place of a point in the world.
static const double *point(const mjData *d, mjtObj type, int id) {
  if (type == mjOBJ_GEOM) return d->geom_xpos + 3 * id;
  return type == mjOBJ_SITE ? d->site_xpos + 3 * id : d->xpos + 3 * id;
}

/// The numbers of an object. own: room for those that are not in mjData.
static const double *numbers(const CeliSimulation *s, Kind kind, int id, double own[6]) {
  const mjModel *m = s->m;
  const mjData *d = s->d;
  mjtObj type;
  switch (kind) {
  case JOINT_POSITION: return d->qpos + m->jnt_qposadr[id];
  case JOINT_VELOCITY: return d->qvel + m->jnt_dofadr[id];
  case JOINT_ACCELERATION: return d->qacc + m->jnt_dofadr[id];
  case JOINT_FORCE: return d->qfrc_actuator + m->jnt_dofadr[id];
  case ACTUATOR_FORCE: return d->actuator_force + m->actuator_outadr[id];
  case CONTROL: return d->ctrl + m->actuator_ctrladr[id];
  case SENSOR: return d->sensordata + m->sensor_adr[id];
  case BODY_CENTER: return d->xipos + 3 * id;
  case BODY_ROTATION: return d->xmat + 9 * id;
  case BODY_QUATERNION: return d->xquat + 4 * id;
  case SUBTREE_CENTER: return d->subtree_com + 3 * id;
  case CONTACT_FORCE: return d->cfrc_ext + 6 * id + 3;
  case GEOM_ROTATION: return d->geom_xmat + 9 * id;
  case SITE_ROTATION: return d->site_xmat + 9 * id;
  case BODY_LINEAR:
  case BODY_ANGULAR:
  case GEOM_LINEAR:
  case GEOM_ANGULAR:
  case SITE_LINEAR:
  case SITE_ANGULAR:
    // MuJoCo writes the angular velocity first.
    type = kinds[kind].type == mjOBJ_BODY ? mjOBJ_XBODY : kinds[kind].type;
    mj_objectVelocity(m, d, (int)type, id, own, 0);
    return kind == BODY_ANGULAR || kind == GEOM_ANGULAR || kind == SITE_ANGULAR ? own : own + 3;
  default: return point(d, kinds[kind].type, id);
  }
}

static void read_source(const void *source, const void *user, double *out) {
  const Source *s = source;
  const CeliSimulation *sim = user;
  double own[6], moved[3], turned[3];
  for (int i = 0; i < s->ids.n; i++) {
    const int width = width_of(sim->m, s->kind, s->ids.id[i]);
    const double *x = numbers(sim, s->kind, s->ids.id[i], own);
    if (s->origin >= 0) {
      const double *origin = point(sim->d, s->origin_type, s->origin);
      for (int k = 0; k < 3; k++) moved[k] = x[k] - origin[k];
      x = moved;
    }
    if (s->frame >= 0) {
      mju_mulMatTVec3(turned, sim->d->xmat + 9 * s->frame, x);
      x = turned;
    }
    if (s->n_axes == 0)
      for (int k = 0; k < width; k++) *out++ = x[k];
    for (int k = 0; k < s->n_axes; k++) *out++ = x[s->axis[k]];
  }
}

// ---- the file

/// The number of an axis: x, y, z; of rotations xx ... zz; of quaternions w, x, y, z. -1: none.
static int axis_of(int width, const char *name) {
  const char *letters = width == 4 ? "wxyz" : "xyz";
  const char *a = name[0] ? strchr(letters, name[0]) : NULL;
  if (!a) return -1;
  if (width != 9) return name[1] ? -1 : (int)(a - letters);
  const char *b = name[1] ? strchr(letters, name[1]) : NULL;
  return b && !name[2] ? 3 * (int)(a - letters) + (int)(b - letters) : -1;
}

static CelStatus add_axis(const CeliRobotFile *f, const CeliNode *node, Source *s, int width,
                          const char *name) {
  const int axis = axis_of(width, name);
  if (axis < 0)
    return celi_fail_at(&f->doc, node, CEL_E_NAME, "no axis '%.20s'; the axes are %s", name,
                        width == 9   ? "xx, xy, xz, yx, yy, yz, zx, zy, zz"
                        : width == 4 ? "w, x, y, z"
                                     : "x, y, z");
  if (s->n_axes == 9) return celi_fail_at(&f->doc, node, CEL_E_SHAPE, "there are too many axes");
  s->axis[s->n_axes++] = axis;
  return CEL_OK;
}

/// "z", "xy", [x, y] or [xx, xz].
static CelStatus read_axes(const CeliRobotFile *f, const CeliNode *node, Source *s) {
  const int width = width_of(f->model, s->kind, s->ids.id[0]);
  for (int i = 0; i < s->ids.n; i++)
    if ((width != 3 && width != 4 && width != 9) ||
        width_of(f->model, s->kind, s->ids.id[i]) != width)
      return celi_fail_at(&f->doc, node, CEL_E_SHAPE,
                          "%s has no axes here; only vectors, quaternions and rotations have",
                          kinds[s->kind].name);
  if (node->kind == CELI_LIST && node->n > 0) {
    for (const CeliNode *entry = node->first; entry; entry = entry->next) {
      CELI_MUJOCO_TRY(celi_need_kind(&f->doc, entry, CELI_SCALAR, "the name of an axis"));
      CELI_MUJOCO_TRY(add_axis(f, entry, s, width, entry->text));
    }
    return CEL_OK;
  }
  CELI_MUJOCO_TRY(celi_need_kind(&f->doc, node, CELI_SCALAR, "names of axes, such as xy"));
  if (width == 9) return add_axis(f, node, s, width, node->text);
  for (const char *c = node->text; *c; c++)
    CELI_MUJOCO_TRY(add_axis(f, node, s, width, (char[]){*c, 0}));
  return CEL_OK;
}

/// One object by name.
static CelStatus find_one(const CeliRobotFile *f, const CeliNode *node, mjtObj type, int *id) {
  CELI_MUJOCO_TRY(celi_need_kind(&f->doc, node, CELI_SCALAR, "a name"));
  *id = mj_name2id(f->model, (int)type, node->text);
  return *id >= 0 ? CEL_OK : fail_name(f, node, node->text, type);
}

/// A name of the same kind of object, or {body: NAME}, {geom: NAME}, {site: NAME}.
static CelStatus read_origin(const CeliRobotFile *f, const CeliNode *node, Source *s) {
  static const mjtObj types[] = {mjOBJ_BODY, mjOBJ_GEOM, mjOBJ_SITE};
  if (!kinds[s->kind].relative)
    return celi_fail_at(&f->doc, node, CEL_E_UNSUPPORTED, "only positions can be relative, not %s",
                        kinds[s->kind].name);
  s->origin_type = kinds[s->kind].type;
  if (node->kind != CELI_MAPPING) return find_one(f, node, s->origin_type, &s->origin);
  for (int i = 0; i < 3; i++) {
    const CeliNode *name = celi_member(node, word_of(types[i]));
    if (!name || node->n != 1) continue;
    s->origin_type = types[i];
    return find_one(f, name, types[i], &s->origin);
  }
  return celi_fail_at(&f->doc, node, CEL_E_NAME,
                      "write a name, {body: NAME}, {geom: NAME} or {site: NAME}");
}

static CelStatus read_frame(const CeliRobotFile *f, const CeliNode *node, Source *s) {
  for (int i = 0; i < s->ids.n; i++)
    if (width_of(f->model, s->kind, s->ids.id[i]) != 3)
      return celi_fail_at(&f->doc, node, CEL_E_UNSUPPORTED,
                          "only vectors in space can be turned into a body's frame, not %s",
                          kinds[s->kind].name);
  return find_one(f, node, mjOBJ_BODY, &s->frame);
}

static CelStatus read_options(const CeliRobotFile *f, const CeliNode *node, Source *s,
                              CeliValue *value) {
  const CeliNode *origin = celi_member(node, "relative_to"), *frame = celi_member(node, "frame");
  const CeliNode *axes = celi_member(node, "axes");
  if (origin) CELI_MUJOCO_TRY(read_origin(f, origin, s));
  if (frame) CELI_MUJOCO_TRY(read_frame(f, frame, s));
  if (axes) CELI_MUJOCO_TRY(read_axes(f, axes, s));
  int64_t n = 0;
  for (int i = 0; i < s->ids.n; i++)
    n += s->n_axes ? s->n_axes : width_of(f->model, s->kind, s->ids.id[i]);
  if (s->kind == CONTACT_FORCE) f->robot->needs_forces = true;
  if (n > CELI_WORK_MAX)
    return celi_fail_at(&f->doc, node, CEL_E_RANGE, "the quantity has more than %d numbers",
                        CELI_WORK_MAX);
  return celi_fail_in_at(&f->doc, node,
                         celi_program_read(&f->robot->program, read_source, s, (int)n, value));
}

CelStatus celi_quantity(const CeliRobotFile *f, const CeliNode *node, CeliValue *value) {
  char keys[1024] = "except relative_to frame axes noise weight";
  const CeliNode *what = NULL;
  Kind kind = KINDS;
  for (int i = 0; i < KINDS; i++) {
    const size_t at = strlen(keys);
    snprintf(keys + at, sizeof keys - at, " %s", kinds[i].name);
    const CeliNode *member = celi_member(node, kinds[i].name);
    if (member && what)
      return celi_fail_at(&f->doc, member, CEL_E_ARGUMENT,
                          "this entry already reads %s; use two entries", kinds[kind].name);
    if (member) what = member, kind = (Kind)i;
  }
  CELI_MUJOCO_TRY(celi_read_fields(&f->doc, node, NULL, NULL, keys));
  if (!what)
    return celi_fail_at(&f->doc, node, CEL_E_ARGUMENT,
                        "the quantity is missing; write for instance {joint_position: all}");
  Source *s = calloc(1, sizeof *s);
  if (!s) return cel_fail(CEL_E_MEMORY, "not enough memory for the environment");
  *s = (Source){.kind = kind, .origin = -1, .frame = -1, .older = f->robot->sources};
  f->robot->sources = s;
  CELI_MUJOCO_TRY(celi_find_names(f, what, celi_member(node, "except"), kinds[kind].type, &s->ids));
  return read_options(f, node, s, value);
}
