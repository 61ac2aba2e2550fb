/// The file of an environment: its sections, in the order in which they depend on each other.
#include "robot.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Settings {
  char model[CEL_PATH_MAX], camera[CEL_TEXT_MAX];
  double timestep, control_timestep, time_limit;
  int64_t frame_skip;
} Settings;

#define AT(member) offsetof(Settings, member)
// clang-format off
static const CelField fields[] = {
    {.name = "model", .type = CEL_FIELD_PATH, .offset = AT(model), .def = "",
     .doc = "model file (MJCF), relative to this file"},
    {.name = "timestep", .type = CEL_FIELD_DOUBLE, .offset = AT(timestep), .def = "0", .min = 0,
     .max = 10, .unit = "s", .doc = "seconds of a physics step; 0: the model's"},
    {.name = "control_timestep", .type = CEL_FIELD_DOUBLE, .offset = AT(control_timestep),
     .def = "0", .min = 0, .max = 1000, .unit = "s", .doc = "seconds between actions"},
    {.name = "frame_skip", .type = CEL_FIELD_INT, .offset = AT(frame_skip), .def = "0", .min = 0,
     .max = 100000, .unit = "physics steps", .doc = "physics steps between actions"},
    {.name = "time_limit", .type = CEL_FIELD_DOUBLE, .offset = AT(time_limit), .def = "inf",
     .min = 0, .max = (double)INFINITY, .unit = "s", .doc = "seconds of an episode"},
    {.name = "camera", .type = CEL_FIELD_STRING, .offset = AT(camera), .def = "",
     .doc = "camera of pictures"},
    {0}};
// clang-format on
#undef AT

static const char sections[] =
    "commands quantities observations action reward terminate reset randomize";

static CelStatus no_memory(void) {
  return cel_fail(CEL_E_MEMORY, "not enough memory for the environment");
}

// ---- the model

/// Finds the model: beside the file, or a name in the folder of the models.
static CelStatus find_model(const CeliRobotFile *f, const CeliNode *node, const char *name,
                            char path[CEL_PATH_MAX]) {
  const char *slash = strrchr(f->doc.path, '/');
  const int n = slash && name[0] != '/' ? (int)(slash - f->doc.path) + 1 : 0;
  if (!node || !name[0])
    return cel_fail(CEL_E_ARGUMENT,
                    "%s: the key 'model' is missing; it names the model file (MJCF)", f->doc.path);
  if (snprintf(path, CEL_PATH_MAX, "%.*s%s", n, f->doc.path, name) >= CEL_PATH_MAX)
    return celi_fail_at(&f->doc, node, CEL_E_RANGE, "the path is too long");
  if (access(path, R_OK) == 0) return CEL_OK;
  if (name[0] != '/' && celi_mujoco_find_installed(name, path)) return CEL_OK;
  return celi_fail_at(&f->doc, node, CEL_E_IO,
                      "the model %s is neither beside this file nor in the folder of the models; "
                      "correct the path, or set CELSIUS_MUJOCO_MODELS to the folder that has it",
                      name);
}

/// Sets the time between actions.
static CelStatus set_time(const CeliRobotFile *f, const Settings *s) {
  CeliMujoco *e = &f->robot->base;
  const CeliNode *control = celi_member(f->doc.root, "control_timestep"),
                 *skip = celi_member(f->doc.root, "frame_skip");
  if (s->timestep > 0) e->model->opt.timestep = s->timestep;
  const double timestep = e->model->opt.timestep;
  e->a.frame_skip = s->frame_skip > 0 ? s->frame_skip : 1;
  if (s->control_timestep > 0 && s->frame_skip > 0)
    return celi_fail_at(&f->doc, skip, CEL_E_ARGUMENT,
                        "give control_timestep or frame_skip, not both");
  if (s->control_timestep > 0) {
    const double steps = s->control_timestep / timestep, whole = floor(steps + 0.5);
    if (!(whole >= 1 && whole <= 100000 && fabs(steps - whole) < 1e-6))
      return celi_fail_at(&f->doc, control, CEL_E_RANGE,
                          "%g s is not a multiple of the physics step, %g s", s->control_timestep,
                          timestep);
    e->a.frame_skip = (int64_t)whole;
  }
  e->dt = timestep * (double)e->a.frame_skip;
  f->robot->time_limit = s->time_limit;
  return CEL_OK;
}

static CelStatus check_camera(const CeliRobotFile *f, const char *name) {
  if (!name[0] || mj_name2id(f->model, mjOBJ_CAMERA, name) >= 0 || strcmp(name, "free") == 0)
    return CEL_OK;
  return celi_fail_at(&f->doc, celi_member(f->doc.root, "camera"), CEL_E_NAME,
                      "the model has no camera '%s'", name);
}

// ---- quantities

static void read_action(const void *source, const void *user, double *out) {
  (void)source, (void)user, (void)out; // robot.c writes actions and commands
}

static void read_control(const void *source, const void *user, double *out) {
  const CeliSimulation *s = user;
  (void)source;
  memcpy(out, s->d->ctrl, (size_t)s->m->nu * sizeof *out);
}

static void read_time(const void *source, const void *user, double *out) {
  (void)source;
  *out = ((const CeliSimulation *)user)->d->time;
}

static void read_contacts(const void *source, const void *user, double *out) {
  (void)source;
  *out = (double)((const CeliSimulation *)user)->d->ncon;
}

/// The names that every file has: action, control, time, contact_count.
static CelStatus add_own(CeliRobot *robot) {
  CeliProgram *p = &robot->program;
  CeliValue value;
  CELI_MUJOCO_TRY(celi_program_read(p, read_action, NULL, robot->action.n, &robot->action_value));
  CELI_MUJOCO_TRY(celi_program_name(p, "action", robot->action_value));
  CELI_MUJOCO_TRY(celi_program_read(p, read_control, NULL, (int)robot->base.model->nu, &value));
  CELI_MUJOCO_TRY(celi_program_name(p, "control", value));
  CELI_MUJOCO_TRY(celi_program_read(p, read_time, NULL, 1, &value));
  CELI_MUJOCO_TRY(celi_program_name(p, "time", value));
  CELI_MUJOCO_TRY(celi_program_read(p, read_contacts, NULL, 1, &value));
  return celi_program_name(p, "contact_count", value);
}

/// A mapping is a quantity of the simulation; a text is a formula.
static CelStatus read_value(const CeliRobotFile *f, const CeliNode *node, CeliValue *value) {
  if (node->kind == CELI_MAPPING) return celi_quantity(f, node, value);
  return celi_formula(&f->robot->program, &f->doc, node, value);
}

static CelStatus read_quantities(const CeliRobotFile *f, const CeliNode *node) {
  CeliValue value;
  if (!node) return CEL_OK;
  CELI_MUJOCO_TRY(celi_need_kind(&f->doc, node, CELI_MAPPING, "a mapping of names to quantities"));
  for (const CeliNode *entry = node->first; entry; entry = entry->next) {
    CELI_MUJOCO_TRY(read_value(f, entry, &value));
    CELI_MUJOCO_TRY(
        celi_fail_in_at(&f->doc, entry, celi_program_name(&f->robot->program, entry->key, value)));
  }
  return CEL_OK;
}

// ---- observations

/// {formula: ..., noise: ...} or a quantity with the key noise.
static CelStatus read_observed(const CeliRobotFile *f, const CeliNode *node, CeliObserved *out) {
  const CeliNode *noise = celi_member(node, "noise"), *formula = celi_member(node, "formula");
  if (noise) CELI_MUJOCO_TRY(celi_read_number(&f->doc, noise, &out->noise));
  if (noise && out->noise < 0)
    return celi_fail_at(&f->doc, noise, CEL_E_RANGE, "%g is below 0", out->noise);
  if (!formula) return read_value(f, node, &out->value);
  CELI_MUJOCO_TRY(celi_read_fields(&f->doc, node, NULL, NULL, "formula noise"));
  return celi_formula(&f->robot->program, &f->doc, formula, &out->value);
}

static CelStatus read_observations(const CeliRobotFile *f, const CeliNode *node, CelSpace *space) {
  CeliRobot *robot = f->robot;
  int64_t n = 0;
  if (!node || node->kind != CELI_MAPPING || node->n == 0)
    return celi_fail_at(&f->doc, node ? node : f->doc.root, CEL_E_ARGUMENT,
                        "%sobservations must name at least one quantity",
                        node ? "" : "the section is missing: ");
  robot->observed = calloc((size_t)node->n, sizeof *robot->observed);
  if (!robot->observed) return no_memory();
  for (const CeliNode *entry = node->first; entry; entry = entry->next) {
    CeliObserved *observed = &robot->observed[robot->n_observed++];
    CELI_MUJOCO_TRY(read_observed(f, entry, observed));
    n += observed->value.n;
  }
  *space = cel_space_box(n, -(double)INFINITY, (double)INFINITY);
  return CEL_OK;
}

// ---- reward, terminate

/// A formula, or {formula: ..., weight: ...}.
static CelStatus read_term(const CeliRobotFile *f, const CeliNode *node, bool weighted,
                           CeliTerm *term) {
  const CeliNode *formula = node, *weight = NULL;
  term->weight = 1;
  if (weighted && node->kind == CELI_MAPPING) {
    CELI_MUJOCO_TRY(celi_read_fields(&f->doc, node, NULL, NULL, "formula weight"));
    formula = celi_member(node, "formula");
    weight = celi_member(node, "weight");
    if (!formula)
      return celi_fail_at(&f->doc, node, CEL_E_ARGUMENT, "the key 'formula' is missing");
  }
  if (weight) CELI_MUJOCO_TRY(celi_read_number(&f->doc, weight, &term->weight));
  CELI_MUJOCO_TRY(celi_formula(&f->robot->program, &f->doc, formula, &term->value));
  if (term->value.n == 1) return CEL_OK;
  return celi_fail_at(
      &f->doc, formula, CEL_E_SHAPE,
      "the formula gives %d numbers; it must give one, so use sum(), mean(), norm(), "
      "any() or all()",
      term->value.n);
}

static CelStatus read_terms(const CeliRobotFile *f, const CeliNode *node, bool weighted,
                            CeliTerm **terms, int *n) {
  if (!node) return CEL_OK;
  CELI_MUJOCO_TRY(celi_need_kind(&f->doc, node, CELI_MAPPING, "a mapping of names to formulas"));
  *terms = calloc((size_t)node->n + 1, sizeof **terms);
  if (!*terms) return no_memory();
  for (const CeliNode *entry = node->first; entry; entry = entry->next)
    CELI_MUJOCO_TRY(read_term(f, entry, weighted, &(*terms)[(*n)++]));
  return CEL_OK;
}

// ---- the file

static CelStatus read_sections(CeliRobotFile *f, CelEnvSpec *spec) {
  CeliRobot *robot = f->robot;
  const CeliNode *root = f->doc.root;
  const CeliNode *reset = celi_member(root, "reset"), *reward = celi_member(root, "reward");
  CELI_MUJOCO_TRY(celi_reset_keyframe(f, reset));
  CELI_MUJOCO_TRY(celi_action_read(f, celi_member(root, "action"), &spec->action));
  CELI_MUJOCO_TRY(add_own(robot));
  CELI_MUJOCO_TRY(celi_commands_read(f, celi_member(root, "commands")));
  CELI_MUJOCO_TRY(read_quantities(f, celi_member(root, "quantities")));
  CELI_MUJOCO_TRY(read_observations(f, celi_member(root, "observations"), &spec->observation));
  if (!reward || (reward->kind == CELI_MAPPING && reward->n == 0))
    return celi_fail_at(&f->doc, reward ? reward : root, CEL_E_ARGUMENT,
                        "reward must name at least one formula");
  CELI_MUJOCO_TRY(read_terms(f, reward, true, &robot->reward, &robot->n_reward));
  CELI_MUJOCO_TRY(
      read_terms(f, celi_member(root, "terminate"), false, &robot->terminate, &robot->n_terminate));
  CELI_MUJOCO_TRY(celi_reset_read(f, reset));
  return celi_randomize_read(f, celi_member(root, "randomize"));
}

static CelStatus read_file(CeliRobotFile *f, CelEnvSpec *spec) {
  CeliRobot *robot = f->robot;
  Settings s;
  char path[CEL_PATH_MAX];
  CELI_MUJOCO_TRY(celi_read_fields(&f->doc, f->doc.root, fields, &s, sections));
  const CeliNode *model = celi_member(f->doc.root, "model");
  CELI_MUJOCO_TRY(find_model(f, model, s.model, path));
  CELI_MUJOCO_TRY(celi_fail_in_at(&f->doc, model, celi_mujoco_load(path, &robot->base.model)));
  f->model = robot->base.model;
  CELI_MUJOCO_TRY(set_time(f, &s));
  CELI_MUJOCO_TRY(check_camera(f, s.camera));
  memcpy(robot->camera, s.camera, sizeof robot->camera);
  robot->base.camera = robot->camera[0] ? robot->camera : NULL;
  return read_sections(f, spec);
}

CelStatus celi_robot_read(CeliRobot *robot, CelEnvSpec *spec, const char *path) {
  CeliRobotFile f = {.robot = robot};
  CelStatus status = celi_document_read(&f.doc, path);
  if (status == CEL_OK) status = read_file(&f, spec);
  celi_document_free(&f.doc);
  return status;
}

void celi_robot_free(CeliRobot *robot) {
  celi_program_free(&robot->program);
  celi_quantities_free(robot);
  free(robot->observed);
  free(robot->reward);
  free(robot->terminate);
  free(robot->action.motor);
  free(robot->reset.random.id);
  free(robot->reset.position_noise_joints.id);
  free(robot->reset.velocity_noise_joints.id);
  free(robot->reset.set);
  for (int i = 0; i < robot->n_commands; i++) free(robot->command[i].range);
  free(robot->command);
  free(robot->randomize.draw);
}
