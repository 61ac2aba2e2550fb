/// The section "randomize": numbers of the model that are drawn at each reset.
///
///     - {body_mass: torso, scale: [0.8, 1.2]}
///     - {geom_friction: floor, set: [0.5, 1.1]}
/// The drawn numbers are in the environment's state. Each mjData has a copy of the model, which
/// gets the numbers of the environment that is stepped. MuJoCo derives constants from the masses,
/// armatures and places of bodies, so mj_setConst is called after these change.
#include "robot.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SCALE, ADD, SET };

typedef enum Kind {
  BODY_MASS,
  BODY_POSITION,
  GEOM_FRICTION,
  GEOM_SIZE,
  GEOM_POSITION,
  JOINT_DAMPING,
  JOINT_ARMATURE,
  JOINT_FRICTION,
  JOINT_STIFFNESS,
  ACTUATOR_GAIN,
  KINDS
} Kind;

/// stride: numbers of an object in the array. dofs: one number per degree of freedom of the joint.
static const struct {
  const char *name;
  mjtObj type;
  size_t offset;
  int stride;
  bool axes, dofs, constants;
} kinds[KINDS] = {
    [BODY_MASS] = {"body_mass", mjOBJ_BODY, offsetof(mjModel, body_mass), 1, false, false, true},
    [BODY_POSITION] = {"body_position", mjOBJ_BODY, offsetof(mjModel, body_pos), 3, true, false,
                       true},
    [GEOM_FRICTION] = {"geom_friction", mjOBJ_GEOM, offsetof(mjModel, geom_friction), 3, false,
                       false, false},
    [GEOM_SIZE] = {"geom_size", mjOBJ_GEOM, offsetof(mjModel, geom_size), 3, true, false, false},
    [GEOM_POSITION] = {"geom_position", mjOBJ_GEOM, offsetof(mjModel, geom_pos), 3, true, false,
                       false},
    [JOINT_DAMPING] = {"joint_damping", mjOBJ_JOINT, offsetof(mjModel, dof_damping), 1, false, true,
                       false},
    [JOINT_ARMATURE] = {"joint_armature", mjOBJ_JOINT, offsetof(mjModel, dof_armature), 1, false,
                        true, true},
    [JOINT_FRICTION] = {"joint_friction", mjOBJ_JOINT, offsetof(mjModel, dof_frictionloss), 1,
                        false, true, false},
    [JOINT_STIFFNESS] = {"joint_stiffness", mjOBJ_JOINT, offsetof(mjModel, jnt_stiffness), 1, false,
                         false, false},
    [ACTUATOR_GAIN] = {"actuator_gain", mjOBJ_ACTUATOR, offsetof(mjModel, actuator_gainprm),
                       (int)mjNGAIN, false, false, false},
};

typedef struct Settings {
  bool shared;
} Settings;

static const CelField fields[] = {{.name = "shared",
                                   .type = CEL_FIELD_BOOL,
                                   .offset = offsetof(Settings, shared),
                                   .def = "false",
                                   .doc = "draw one number for all"},
                                  {0}};

/// One entry of the section, while it is read.
typedef struct Entry {
  const CeliNode *node;
  Kind kind;
  CeliDraw draw; ///< what all its draws share
  int axis[3], n_axes;
  bool shared;
} Entry;

static mjtNum *array(const mjModel *m, size_t offset) {
  mjtNum *pointer;
  memcpy(&pointer, (const char *)m + offset, sizeof pointer);
  return pointer;
}

// ---- the file

/// The key scale, add, set or disk, and its range.
static CelStatus read_how(const CeliRobotFile *f, Entry *e) {
  static const char *const names[] = {"scale", "add", "set", "disk"};
  int found = 0;
  for (int i = 0; i < 4; i++) {
    const CeliNode *value = celi_member(e->node, names[i]);
    if (!value) continue;
    found++;
    e->draw.how = i < 3 ? i : SET;
    e->draw.disk = i == 3;
    CELI_MUJOCO_TRY(celi_read_interval(&f->doc, value, &e->draw.range));
    if (e->draw.disk && (e->kind != GEOM_POSITION || e->draw.range.low < 0))
      return celi_fail_at(&f->doc, value, CEL_E_RANGE,
                          "disk is for geom_position, with radii of 0 or more");
    if (e->draw.how == SCALE && e->draw.range.low < 0)
      return celi_fail_at(&f->doc, value, CEL_E_RANGE, "%g is below 0", e->draw.range.low);
  }
  if (found == 1) return CEL_OK;
  return celi_fail_at(&f->doc, e->node, CEL_E_ARGUMENT, "give one of scale, add, set and disk");
}

static CelStatus read_axes(const CeliRobotFile *f, Entry *e) {
  const CeliNode *axes = celi_member(e->node, "axes");
  e->axis[0] = 0;
  e->n_axes = 1;
  if (axes && !kinds[e->kind].axes)
    return celi_fail_at(&f->doc, axes, CEL_E_ARGUMENT, "%s has no axes", kinds[e->kind].name);
  if (!axes && kinds[e->kind].axes && e->kind != GEOM_SIZE && !e->draw.disk) {
    for (int i = 0; i < 3; i++) e->axis[i] = i;
    e->n_axes = 3;
  }
  if (!axes) return CEL_OK;
  CELI_MUJOCO_TRY(celi_need_kind(&f->doc, axes, CELI_SCALAR, "names of axes, such as xy"));
  e->n_axes = 0;
  for (const char *c = axes->text; *c; c++) {
    if (*c < 'x' || *c > 'z' || e->n_axes == 3)
      return celi_fail_at(&f->doc, axes, CEL_E_NAME, "'%.20s' is not made of x, y and z",
                          axes->text);
    e->axis[e->n_axes++] = *c - 'x';
  }
  return CEL_OK;
}

static CelStatus add_draw(CeliRandomize *r, CeliDraw draw) {
  if ((r->n & (r->n - 1)) == 0) { // a power of two: no room is left
    CeliDraw *more = realloc(r->draw, (size_t)(r->n ? 2 * r->n : 1) * sizeof *more);
    if (!more) return cel_fail(CEL_E_MEMORY, "not enough memory for the environment");
    r->draw = more;
  }
  r->draw[r->n++] = draw;
  return CEL_OK;
}

/// Adds the draws of one object.
static CelStatus add_object(const CeliRobotFile *f, Entry *e, int id, bool first) {
  CeliRandomize *r = &f->robot->randomize;
  const mjModel *m = f->model;
  CeliDraw draw = e->draw;
  const int n = kinds[e->kind].dofs ? celi_joint_velocities(m, id) : e->n_axes;
  const int at = kinds[e->kind].dofs ? m->jnt_dofadr[id] : kinds[e->kind].stride * id;
  draw.object = id;
  for (int i = 0; i < n; i++) {
    draw.index = at + (kinds[e->kind].dofs ? i : e->axis[i]);
    if (e->shared && !(first && i == 0)) {
      draw.parameter = r->parameters - 1;
    } else {
      draw.parameter = r->parameters;
      r->parameters += draw.disk ? 2 : 1;
    }
    CELI_MUJOCO_TRY(add_draw(r, draw));
  }
  return CEL_OK;
}

/// Whether the bounds of a geom follow from its size.
static bool has_size(const mjModel *m, int geom) {
  const int type = m->geom_type[geom];
  return type == mjGEOM_SPHERE || type == mjGEOM_CAPSULE || type == mjGEOM_ELLIPSOID ||
         type == mjGEOM_CYLINDER || type == mjGEOM_BOX;
}

static CelStatus read_entry(const CeliRobotFile *f, const CeliNode *node) {
  Entry e = {.node = node, .kind = KINDS};
  const CeliNode *what = NULL;
  char keys[512] = "scale add set disk axes except";
  Settings s;
  CeliIds ids;
  for (int i = 0; i < KINDS; i++) {
    const CeliNode *member = celi_member(node, kinds[i].name);
    strncat(strncat(keys, " ", 2), kinds[i].name, 30);
    if (member && what)
      return celi_fail_at(&f->doc, member, CEL_E_ARGUMENT, "this entry already draws %s",
                          kinds[e.kind].name);
    if (member) what = member, e.kind = (Kind)i;
  }
  CELI_MUJOCO_TRY(celi_read_fields(&f->doc, node, fields, &s, keys));
  if (!what)
    return celi_fail_at(&f->doc, node, CEL_E_ARGUMENT,
                        "what is drawn is missing; write for instance body_mass: torso");
  e.shared = s.shared;
  e.draw.kind = (int)e.kind;
  e.draw.offset = kinds[e.kind].offset;
  CELI_MUJOCO_TRY(read_how(f, &e));
  CELI_MUJOCO_TRY(read_axes(f, &e));
  if (e.shared && e.draw.disk)
    return celi_fail_at(&f->doc, node, CEL_E_ARGUMENT, "a disk cannot be shared");
  CELI_MUJOCO_TRY(celi_find_names(f, what, celi_member(node, "except"), kinds[e.kind].type, &ids));
  CelStatus status = CEL_OK;
  for (int i = 0; i < ids.n && status == CEL_OK; i++) {
    if (e.kind == GEOM_SIZE && !has_size(f->model, ids.id[i]))
      status = celi_fail_at(&f->doc, what, CEL_E_UNSUPPORTED,
                            "only sizes of spheres, capsules, ellipsoids, cylinders and boxes can "
                            "be drawn");
    if (status == CEL_OK) status = add_object(f, &e, ids.id[i], i == 0);
  }
  free(ids.id);
  f->robot->randomize.constants = f->robot->randomize.constants || kinds[e.kind].constants;
  return status;
}

CelStatus celi_randomize_read(const CeliRobotFile *f, const CeliNode *node) {
  if (!node) return CEL_OK;
  CELI_MUJOCO_TRY(celi_need_kind(&f->doc, node, CELI_LIST, "a list of entries that begin with -"));
  for (const CeliNode *entry = node->first; entry; entry = entry->next)
    CELI_MUJOCO_TRY(read_entry(f, entry));
  return CEL_OK;
}

// ---- drawing

void celi_randomize_draw(const CeliRobot *robot, double *parameters, CelRng *rng) {
  const CeliRandomize *r = &robot->randomize;
  const double pi = 3.14159265358979323846;
  int drawn = 0; // parameters so far: draws that share one come after the first of them
  for (int i = 0; i < r->n; i++) {
    const CeliDraw *draw = &r->draw[i];
    if (draw->parameter < drawn) continue;
    double *p = parameters + draw->parameter;
    const double low = draw->range.low, high = draw->range.high;
    const double angle = draw->disk ? rng ? cel_rng_range(rng, -pi, pi) : 0 : 0;
    const double x = !rng ? (low + high) / 2 : low == high ? low : cel_rng_range(rng, low, high);
    p[0] = draw->disk ? x * cos(angle) : x;
    if (draw->disk) p[1] = x * sin(angle);
    drawn = draw->parameter + (draw->disk ? 2 : 1);
  }
}

static double changed(const CeliDraw *draw, double base, double p) {
  return draw->how == SCALE ? base * p : draw->how == ADD ? base + p : p;
}

/// The bounding sphere and box of a geom, from its size.
static void set_bounds(mjModel *m, int geom) {
  const double *s = m->geom_size + 3 * geom;
  double half[3] = {s[0], s[1], s[2]}, *box = m->geom_aabb + 6 * geom + 3;
  switch (m->geom_type[geom]) {
  case mjGEOM_SPHERE: half[1] = half[2] = s[0]; break;
  case mjGEOM_CAPSULE: half[1] = s[0], half[2] = s[0] + s[1]; break;
  case mjGEOM_CYLINDER: half[1] = s[0], half[2] = s[1]; break;
  default: break;
  }
  for (int i = 0; i < 3; i++) box[i] = half[i];
  const double longest = fmax(half[0], fmax(half[1], half[2]));
  const int type = m->geom_type[geom];
  m->geom_rbound[geom] = type == mjGEOM_BOX
                             ? sqrt(half[0] * half[0] + half[1] * half[1] + half[2] * half[2])
                         : type == mjGEOM_CYLINDER ? sqrt(half[0] * half[0] + half[2] * half[2])
                                                   : longest;
}

/// What follows from a changed number.
static void follow(const mjModel *base, mjModel *m, const CeliDraw *draw, double before,
                   double after) {
  const double ratio = before != 0 ? after / before : 1;
  const int id = draw->object;
  if (draw->kind == BODY_MASS)
    for (int k = 0; k < 3; k++)
      m->body_inertia[3 * id + k] = ratio * base->body_inertia[3 * id + k];
  if (draw->kind == GEOM_SIZE) set_bounds(m, id);
  if (draw->kind == ACTUATOR_GAIN) // a servo's stiffness and damping go with its gain
    for (int k = (int)mjNBIAS * id + 1; k < (int)mjNBIAS * id + 3; k++)
      m->actuator_biasprm[k] = ratio * base->actuator_biasprm[k];
}

void celi_randomize_apply(const CeliRobot *robot, mjModel *m, mjData *d, const double *parameters) {
  const CeliRandomize *r = &robot->randomize;
  const mjModel *base = robot->base.model;
  for (int i = 0; i < r->n; i++) {
    const CeliDraw *draw = &r->draw[i];
    const mjtNum *from = array(base, draw->offset);
    mjtNum *to = array(m, draw->offset);
    for (int k = 0; k < (draw->disk ? 2 : 1); k++)
      to[draw->index + k] = changed(draw, from[draw->index + k], parameters[draw->parameter + k]);
    follow(base, m, draw, from[draw->index], to[draw->index]);
  }
  if (r->constants && d) mj_setConst(m, d);
}
