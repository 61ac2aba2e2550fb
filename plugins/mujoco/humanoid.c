/// Humanoid and HumanoidStandup, as Gymnasium defines them (versions 4 and 5).
///
/// Both observe inertias, velocities and forces of all bodies. Version 5 leaves out the rows of the
/// world and the six forces on the free joint, which are always zero or constant. Humanoid-v5
/// subtracts a cost of contact forces.
#include "mujoco_env.h"
#include "numpy.h"
#include <math.h>

static const double NONE = (double)NAN;
enum { FREE = 6 }; // degrees of freedom of the root's free joint

static void start(const CeliMujoco *e, double *qpos, double *qvel, CelRng *rng) {
  const double s = e->a.reset_noise_scale;
  for (int i = 0; i < e->model->nq; i++) qpos[i] += cel_rng_range(rng, -s, s);
  for (int i = 0; i < e->model->nv; i++) qvel[i] += cel_rng_range(rng, -s, s);
}

static void observe(const CeliMujoco *e, const mjData *d, CeliObservation *out) {
  const mjModel *m = e->model;
  const CeliArguments *a = &e->a;
  const int skipped = a->exclude_current_positions_from_observation ? 2 : 0;
  const int world = e->task->version == 5 ? 1 : 0, root = e->task->version == 5 ? FREE : 0;
  const int64_t bodies = m->nbody - world;
  celi_observe(out, d->qpos + skipped, m->nq - skipped);
  celi_observe(out, d->qvel, m->nv);
  if (a->include_cinert_in_observation) celi_observe(out, d->cinert + 10 * world, 10 * bodies);
  if (a->include_cvel_in_observation) celi_observe(out, d->cvel + 6 * world, 6 * bodies);
  if (a->include_qfrc_actuator_in_observation)
    celi_observe(out, d->qfrc_actuator + root, m->nv - root);
  if (a->include_cfrc_ext_in_observation) celi_observe(out, d->cfrc_ext + 6 * world, 6 * bodies);
}

// ---- Humanoid

/// The x coordinate of the center of mass.
static void mark_center(const CeliMujoco *e, const mjData *d, double *marks) {
  const mjModel *m = e->model;
  double sum = 0;
  for (int i = 0; i < m->nbody; i++) sum += m->body_mass[i] * d->xipos[3 * i];
  marks[0] = sum / celi_sum(m->body_mass, m->nbody);
}

static double reward_humanoid(const CeliMujoco *e, const mjData *d, const float *action,
                              const double *marks, uint8_t *terminated) {
  (void)action;
  double center;
  mark_center(e, d, &center);
  const double velocity = (center - marks[0]) / e->dt;
  const bool good = celi_inside(e->a.healthy_z_range, d->qpos[2]);
  const bool paid = good || (e->task->version == 4 && e->a.terminate_when_unhealthy);
  double costs = e->a.ctrl_cost_weight * celi_sum_squares(d->ctrl, e->model->nu);
  if (e->task->version == 5)
    costs += celi_clip(e->a.contact_cost_weight *
                           celi_sum_squares(d->cfrc_ext, 6 * (int64_t)e->model->nbody),
                       e->a.contact_cost_range.low, e->a.contact_cost_range.high);
  *terminated = !good && e->a.terminate_when_unhealthy;
  return e->a.forward_reward_weight * velocity + (paid ? 1.0 : 0.0) * e->a.healthy_reward - costs;
}

#define OBSERVED CELI_CINERT, CELI_CVEL, CELI_QFRC_ACTUATOR, CELI_CFRC_EXT
static const CelField humanoid_v4[] = {
    CELI_FORWARD("1.25"), CELI_CTRL("0.1"),   CELI_HEALTHY("5"), CELI_TERMINATE,
    CELI_Z_RANGE("1,2"),  CELI_NOISE("1e-2"), CELI_EXCLUDE,      {0}};
static const CelField humanoid_v5[] = {CELI_XML_FILE,
                                       CELI_FRAME_SKIP("5"),
                                       CELI_FORWARD("1.25"),
                                       CELI_CTRL("0.1"),
                                       CELI_CONTACT("5e-7"),
                                       CELI_COST_RANGE("-inf,10"),
                                       CELI_HEALTHY("5"),
                                       CELI_TERMINATE,
                                       CELI_Z_RANGE("1,2"),
                                       CELI_NOISE("1e-2"),
                                       CELI_EXCLUDE,
                                       OBSERVED,
                                       {0}};

#define HUMANOID(version_, id_, fields_)                                                           \
  {                                                                                                \
    .type = CELI_MUJOCO_TYPE(id_, "walk forward with a humanoid", 1000, NONE,                      \
                             sizeof(CeliArguments), fields_),                                      \
    .version = (version_), .model = "humanoid.xml", .arguments = humanoid_v5, .marks = 1,          \
    .least_nq = 7, .least_nv = FREE,                                                               \
    .view = {.track = 1,                                                                           \
             .distance = 4,                                                                        \
             .lookat = {0, 0, 2},                                                                  \
             .has_lookat = true,                                                                   \
             .elevation = -20,                                                                     \
             .has_elevation = true},                                                               \
    .start = start, .mark = mark_center, .observe = observe, .reward = reward_humanoid             \
  }
const CeliTask celi_humanoid_v4 = HUMANOID(4, "Humanoid-v4", humanoid_v4);
const CeliTask celi_humanoid_v5 = HUMANOID(5, "Humanoid-v5", humanoid_v5);

// ---- HumanoidStandup

static double reward_standup(const CeliMujoco *e, const mjData *d, const float *action,
                             const double *marks, uint8_t *terminated) {
  (void)action, (void)marks, (void)terminated;
  const double up = e->a.uph_cost_weight * (d->qpos[2] / e->model->opt.timestep);
  const double ctrl = e->a.ctrl_cost_weight * celi_sum_squares(d->ctrl, e->model->nu);
  const double impact = celi_clip(e->a.impact_cost_weight *
                                      celi_sum_squares(d->cfrc_ext, 6 * (int64_t)e->model->nbody),
                                  e->a.impact_cost_range.low, e->a.impact_cost_range.high);
  return up - ctrl - impact + 1;
}

static const CelField standup_v5[] = {
    CELI_XML_FILE,
    CELI_FRAME_SKIP("5"),
    CELI_NUMBER(uph_cost_weight, "1", "weight of the height"),
    CELI_CTRL("0.1"),
    CELI_NUMBER(impact_cost_weight, "0.5e-6", "weight of the contact forces' cost"),
    CELI_INTERVAL(impact_cost_range, "-inf,10", "",
                  "the contact forces' cost is clipped to this interval"),
    CELI_NOISE("1e-2"),
    CELI_EXCLUDE,
    OBSERVED,
    {0}};

#define STANDUP(version_, id_, size_, fields_)                                                     \
  {                                                                                                \
    .type = CELI_MUJOCO_TYPE(id_, "stand up with a humanoid that lies on the ground", 1000, NONE,  \
                             size_, fields_),                                                      \
    .version = (version_), .model = "humanoidstandup.xml", .arguments = standup_v5, .least_nq = 7, \
    .least_nv = FREE,                                                                              \
    .view = {.track = 1,                                                                           \
             .distance = 4,                                                                        \
             .lookat = {0, 0, 0.8925},                                                             \
             .has_lookat = true,                                                                   \
             .elevation = -20,                                                                     \
             .has_elevation = true},                                                               \
    .start = start, .observe = observe, .reward = reward_standup                                   \
  }
const CeliTask celi_humanoid_standup_v4 = STANDUP(4, "HumanoidStandup-v4", 0, NULL);
const CeliTask celi_humanoid_standup_v5 =
    STANDUP(5, "HumanoidStandup-v5", sizeof(CeliArguments), standup_v5);
