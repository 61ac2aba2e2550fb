/// HalfCheetah, Hopper, Walker2d, Swimmer and Ant, as Gymnasium defines them (versions 4 and 5).
///
///     reward = weight * velocity + healthy - costs
/// Version 5 pays the healthy reward only to a healthy robot, and Ant-v5 subtracts and observes
/// contact forces.
#include "mujoco_env.h"
#include "numpy.h"
#include <math.h>

static const double NONE = (double)NAN;

// ---- initial states

/// Uniform noise on positions and velocities.
static void start_uniform(const CeliMujoco *e, double *qpos, double *qvel, CelRng *rng) {
  const double s = e->a.reset_noise_scale;
  for (int i = 0; i < e->model->nq; i++) qpos[i] += cel_rng_range(rng, -s, s);
  for (int i = 0; i < e->model->nv; i++) qvel[i] += cel_rng_range(rng, -s, s);
}

/// Uniform noise on positions, normal noise on velocities.
static void start_normal(const CeliMujoco *e, double *qpos, double *qvel, CelRng *rng) {
  const double s = e->a.reset_noise_scale;
  for (int i = 0; i < e->model->nq; i++) qpos[i] += cel_rng_range(rng, -s, s);
  for (int i = 0; i < e->model->nv; i++) qvel[i] += s * cel_rng_normal(rng);
}

// ---- robots in a plane: their first position is x

static void mark_x(const CeliMujoco *e, const mjData *d, double *marks) {
  (void)e;
  marks[0] = d->qpos[0];
}

static double forward(const CeliMujoco *e, const mjData *d, const double *marks) {
  return e->a.forward_reward_weight * ((d->qpos[0] - marks[0]) / e->dt);
}

static double ctrl_cost(const CeliMujoco *e, const float *action) {
  return (double)celi_ctrl_cost(e->a.ctrl_cost_weight, action, e->model->nu);
}

/// The healthy reward. Version 4 pays it whenever unhealthiness ends the episode.
static double healthy(const CeliMujoco *e, bool is_healthy) {
  const bool paid = is_healthy || (e->task->version == 4 && e->a.terminate_when_unhealthy);
  return (paid ? 1.0 : 0.0) * e->a.healthy_reward;
}

/// Observes positions from `skipped` on, unless they are all wanted, and velocities.
static void observe_from(const CeliMujoco *e, const mjData *d, CeliObservation *out, int skipped) {
  const mjModel *m = e->model;
  if (!e->a.exclude_current_positions_from_observation) skipped = 0;
  celi_observe(out, d->qpos + skipped, m->nq - skipped);
  celi_observe(out, d->qvel, m->nv);
}

static void observe_plane(const CeliMujoco *e, const mjData *d, CeliObservation *out) {
  observe_from(e, d, out, 1);
}

/// The same with velocities clipped to 10.
static void observe_clipped(const CeliMujoco *e, const mjData *d, CeliObservation *out) {
  const mjModel *m = e->model;
  const int skipped = e->a.exclude_current_positions_from_observation ? 1 : 0;
  celi_observe(out, d->qpos + skipped, m->nq - skipped);
  celi_observe_clipped(out, d->qvel, m->nv, -10, 10);
}

// ---- HalfCheetah and Swimmer

static double reward_runner(const CeliMujoco *e, const mjData *d, const float *action,
                            const double *marks, uint8_t *terminated) {
  (void)terminated;
  return forward(e, d, marks) - ctrl_cost(e, action);
}

#define CHEETAH_V4 CELI_FORWARD("1"), CELI_CTRL("0.1"), CELI_NOISE("0.1"), CELI_EXCLUDE
static const CelField cheetah_v4[] = {CHEETAH_V4, {0}};
static const CelField cheetah_v5[] = {CELI_XML_FILE, CELI_FRAME_SKIP("5"), CHEETAH_V4, {0}};

#define CHEETAH(version_, id_, fields_)                                                            \
  {                                                                                                \
    .type = CELI_MUJOCO_TYPE(id_, "run with a cheetah that has two legs", 1000, 4800,              \
                             sizeof(CeliArguments), fields_),                                      \
    .version = (version_), .model = "half_cheetah.xml", .arguments = cheetah_v5, .marks = 1,       \
    .least_nq = 1, .view = {.track = 1, .distance = 4}, .start = start_normal, .mark = mark_x,     \
    .observe = observe_plane, .reward = reward_runner                                              \
  }
const CeliTask celi_half_cheetah_v4 = CHEETAH(4, "HalfCheetah-v4", cheetah_v4);
const CeliTask celi_half_cheetah_v5 = CHEETAH(5, "HalfCheetah-v5", cheetah_v5);

static void observe_swimmer(const CeliMujoco *e, const mjData *d, CeliObservation *out) {
  observe_from(e, d, out, 2);
}

#define SWIMMER_V4 CELI_FORWARD("1"), CELI_CTRL("1e-4"), CELI_NOISE("0.1"), CELI_EXCLUDE
static const CelField swimmer_v4[] = {SWIMMER_V4, {0}};
static const CelField swimmer_v5[] = {CELI_XML_FILE, CELI_FRAME_SKIP("4"), SWIMMER_V4, {0}};

#define SWIMMER(version_, id_, fields_)                                                            \
  {                                                                                                \
    .type = CELI_MUJOCO_TYPE(id_, "swim with a snake of three links", 1000, 360,                   \
                             sizeof(CeliArguments), fields_),                                      \
    .version = (version_), .model = "swimmer.xml", .arguments = swimmer_v5, .marks = 1,            \
    .least_nq = 2, .view = {.track = 1}, .start = start_uniform, .mark = mark_x,                   \
    .observe = observe_swimmer, .reward = reward_runner                                            \
  }
const CeliTask celi_swimmer_v4 = SWIMMER(4, "Swimmer-v4", swimmer_v4);
const CeliTask celi_swimmer_v5 = SWIMMER(5, "Swimmer-v5", swimmer_v5);

// ---- Hopper and Walker2d

/// The healthy height and angle.
static bool is_upright(const CeliMujoco *e, const mjData *d) {
  return celi_inside(e->a.healthy_z_range, d->qpos[1]) &&
         celi_inside(e->a.healthy_angle_range, d->qpos[2]);
}

static bool hopper_is_healthy(const CeliMujoco *e, const mjData *d) {
  bool good = is_upright(e, d);
  for (int i = 2; i < e->model->nq; i++) good &= celi_inside(e->a.healthy_state_range, d->qpos[i]);
  for (int i = 0; i < e->model->nv; i++) good &= celi_inside(e->a.healthy_state_range, d->qvel[i]);
  return good;
}

static double reward_walker(const CeliMujoco *e, const mjData *d, const float *action,
                            const double *marks, uint8_t *terminated, bool is_healthy) {
  *terminated = !is_healthy && e->a.terminate_when_unhealthy;
  return forward(e, d, marks) + healthy(e, is_healthy) - ctrl_cost(e, action);
}

static double reward_hopper(const CeliMujoco *e, const mjData *d, const float *action,
                            const double *marks, uint8_t *terminated) {
  return reward_walker(e, d, action, marks, terminated, hopper_is_healthy(e, d));
}

static double reward_walker2d(const CeliMujoco *e, const mjData *d, const float *action,
                              const double *marks, uint8_t *terminated) {
  return reward_walker(e, d, action, marks, terminated, is_upright(e, d));
}

#define HOPPER_V4                                                                                  \
  CELI_FORWARD("1"), CELI_CTRL("1e-3"), CELI_HEALTHY("1"), CELI_TERMINATE,                         \
      CELI_STATE_RANGE("-100,100"), CELI_Z_RANGE("0.7,inf"), CELI_ANGLE_RANGE("-0.2,0.2"),         \
      CELI_NOISE("5e-3"), CELI_EXCLUDE
static const CelField hopper_v4[] = {HOPPER_V4, {0}};
static const CelField hopper_v5[] = {CELI_XML_FILE, CELI_FRAME_SKIP("4"), HOPPER_V4, {0}};

#define HOPPER(version_, id_, fields_)                                                             \
  {                                                                                                \
    .type = CELI_MUJOCO_TYPE(id_, "hop forward on one leg", 1000, 3800, sizeof(CeliArguments),     \
                             fields_),                                                             \
    .version = (version_), .model = "hopper.xml", .arguments = hopper_v5, .marks = 1,              \
    .least_nq = 3,                                                                                 \
    .view = {.track = 2,                                                                           \
             .distance = 3,                                                                        \
             .lookat = {0, 0, 1.15},                                                               \
             .has_lookat = true,                                                                   \
             .elevation = -20,                                                                     \
             .has_elevation = true},                                                               \
    .start = start_uniform, .mark = mark_x, .observe = observe_clipped, .reward = reward_hopper    \
  }
const CeliTask celi_hopper_v4 = HOPPER(4, "Hopper-v4", hopper_v4);
const CeliTask celi_hopper_v5 = HOPPER(5, "Hopper-v5", hopper_v5);

#define WALKER_V4                                                                                  \
  CELI_FORWARD("1"), CELI_CTRL("1e-3"), CELI_HEALTHY("1"), CELI_TERMINATE, CELI_Z_RANGE("0.8,2"),  \
      CELI_ANGLE_RANGE("-1,1"), CELI_NOISE("5e-3"), CELI_EXCLUDE
static const CelField walker_v4[] = {WALKER_V4, {0}};
static const CelField walker_v5[] = {CELI_XML_FILE, CELI_FRAME_SKIP("4"), WALKER_V4, {0}};

#define WALKER(version_, id_, model_, fields_)                                                     \
  {                                                                                                \
    .type = CELI_MUJOCO_TYPE(id_, "walk forward on two legs in a plane", 1000, NONE,               \
                             sizeof(CeliArguments), fields_),                                      \
    .version = (version_), .model = (model_), .arguments = walker_v5, .marks = 1, .least_nq = 3,   \
    .view = {.track = 2,                                                                           \
             .distance = 4,                                                                        \
             .lookat = {0, 0, 1.15},                                                               \
             .has_lookat = true,                                                                   \
             .elevation = -20,                                                                     \
             .has_elevation = true},                                                               \
    .start = start_uniform, .mark = mark_x, .observe = observe_clipped, .reward = reward_walker2d  \
  }
const CeliTask celi_walker2d_v4 = WALKER(4, "Walker2d-v4", "walker2d.xml", walker_v4);
const CeliTask celi_walker2d_v5 = WALKER(5, "Walker2d-v5", "walker2d_v5.xml", walker_v5);

// ---- Ant

static void mark_body(const CeliMujoco *e, const mjData *d, double *marks) {
  marks[0] = d->xpos[3 * e->body[0]];
}

static bool ant_is_healthy(const CeliMujoco *e, const mjData *d) {
  bool finite = true;
  for (int i = 0; i < e->model->nq; i++) finite &= isfinite(d->qpos[i]) != 0;
  for (int i = 0; i < e->model->nv; i++) finite &= isfinite(d->qvel[i]) != 0;
  const CelInterval z = e->a.healthy_z_range;
  return finite && z.low <= d->qpos[2] && d->qpos[2] <= z.high;
}

/// The clipped forces of Gymnasium's ant are 14 x 6 numbers, so NumPy adds them up in one block.
static double contact_cost(const CeliMujoco *e, const mjData *d) {
  const CelInterval range = e->a.contact_force_range;
  return e->a.contact_cost_weight *
         celi_sum_squares_clipped(d->cfrc_ext, 6 * (int64_t)e->model->nbody, range.low, range.high);
}

static double reward_ant(const CeliMujoco *e, const mjData *d, const float *action,
                         const double *marks, uint8_t *terminated) {
  const double velocity = (d->xpos[3 * e->body[0]] - marks[0]) / e->dt;
  const bool good = ant_is_healthy(e, d);
  const bool contacts = e->task->version == 5 || e->a.use_contact_forces;
  double costs = ctrl_cost(e, action);
  if (contacts) costs += contact_cost(e, d);
  *terminated = !good && e->a.terminate_when_unhealthy;
  return velocity * e->a.forward_reward_weight + healthy(e, good) - costs;
}

/// Version 5 leaves out the forces on the world, which is body 0.
static void observe_ant(const CeliMujoco *e, const mjData *d, CeliObservation *out) {
  const CelInterval range = e->a.contact_force_range;
  const int first = e->task->version == 5 ? 1 : 0;
  const bool forces =
      e->task->version == 5 ? e->a.include_cfrc_ext_in_observation : e->a.use_contact_forces;
  observe_from(e, d, out, 2);
  if (forces)
    celi_observe_clipped(out, d->cfrc_ext + 6 * first, 6 * (int64_t)(e->model->nbody - first),
                         range.low, range.high);
}

static const CelField ant_v4[] = {CELI_XML_FILE,
                                  CELI_CTRL("0.5"),
                                  CELI_CONTACT_FORCES,
                                  CELI_CONTACT("5e-4"),
                                  CELI_HEALTHY("1"),
                                  CELI_TERMINATE,
                                  CELI_Z_RANGE("0.2,1"),
                                  CELI_FORCE_RANGE("-1,1"),
                                  CELI_NOISE("0.1"),
                                  CELI_EXCLUDE,
                                  {0}};
#define ANT_V5                                                                                     \
  CELI_XML_FILE, CELI_FRAME_SKIP("5"), CELI_FORWARD("1"), CELI_CTRL("0.5"), CELI_CONTACT("5e-4"),  \
      CELI_HEALTHY("1"), CELI_MAIN_BODY, CELI_TERMINATE, CELI_Z_RANGE("0.2,1"),                    \
      CELI_FORCE_RANGE("-1,1"), CELI_NOISE("0.1"), CELI_EXCLUDE, CELI_CFRC_EXT
static const CelField ant_v5[] = {ANT_V5, {0}};
static const CelField ant_all[] = {ANT_V5, CELI_CONTACT_FORCES, {0}};

/// An empty name stands for the argument main_body.
#define ANT(version_, id_, body_, fields_)                                                         \
  {                                                                                                \
    .type = CELI_MUJOCO_TYPE(id_, "walk forward on four legs", 1000, 6000, sizeof(CeliArguments),  \
                             fields_),                                                             \
    .version = (version_), .model = "ant.xml", .arguments = ant_all, .bodies = {body_},            \
    .marks = 1, .least_nq = 3, .view = {.track = 1, .distance = 4}, .start = start_normal,         \
    .mark = mark_body, .observe = observe_ant, .reward = reward_ant                                \
  }
const CeliTask celi_ant_v4 = ANT(4, "Ant-v4", "torso", ant_v4);
const CeliTask celi_ant_v5 = ANT(5, "Ant-v5", "", ant_v5);
