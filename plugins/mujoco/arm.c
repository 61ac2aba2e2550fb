/// Reacher and Pusher, as Gymnasium defines them. Pusher-v4 does not exist, because Gymnasium
/// refuses it with MuJoCo 3 and later.
///
/// Reacher-v4 takes the distance of its reward from before the step, Reacher-v5 from after it.
#include "mujoco_env.h"
#include "numpy.h"
#include <math.h>

/// The vector from body b to body a of the task's bodies.
static void between(const CeliMujoco *e, const mjData *d, int a, int b, double v[3]) {
  for (int i = 0; i < 3; i++) v[i] = d->xpos[3 * e->body[a] + i] - d->xpos[3 * e->body[b] + i];
}

static double distance(const CeliMujoco *e, const mjData *d, int a, int b) {
  double v[3];
  between(e, d, a, b, v);
  return sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
}

static double squares(const CeliMujoco *e, const float *action) {
  return (double)(-celi_sum_squares_f32(action, e->model->nu) * (float)e->a.reward_control_weight);
}

// ---- Reacher

enum { FINGERTIP, TARGET };

static void start_reacher(const CeliMujoco *e, double *qpos, double *qvel, CelRng *rng) {
  const int nq = (int)e->model->nq, nv = (int)e->model->nv;
  for (int i = 0; i < nq; i++) qpos[i] += cel_rng_range(rng, -0.1, 0.1);
  double x, y;
  do {
    x = cel_rng_range(rng, -0.2, 0.2);
    y = cel_rng_range(rng, -0.2, 0.2);
  } while (sqrt(x * x + y * y) >= 0.2);
  qpos[nq - 2] = x;
  qpos[nq - 1] = y;
  for (int i = 0; i < nv; i++) qvel[i] += cel_rng_range(rng, -0.005, 0.005);
  qvel[nv - 2] = qvel[nv - 1] = 0;
}

static void mark_reacher(const CeliMujoco *e, const mjData *d, double *marks) {
  marks[0] = distance(e, d, FINGERTIP, TARGET);
}

static void observe_reacher(const CeliMujoco *e, const mjData *d, CeliObservation *out) {
  double v[3];
  between(e, d, FINGERTIP, TARGET, v);
  for (int i = 0; i < 2; i++) celi_observe_one(out, cos(d->qpos[i]));
  for (int i = 0; i < 2; i++) celi_observe_one(out, sin(d->qpos[i]));
  celi_observe(out, d->qpos + 2, e->model->nq - 2);
  celi_observe(out, d->qvel, 2);
  celi_observe(out, v, e->task->version == 5 ? 2 : 3);
}

static double reward_reacher(const CeliMujoco *e, const mjData *d, const float *action,
                             const double *marks, uint8_t *terminated) {
  (void)terminated;
  const double far = e->task->version == 5 ? distance(e, d, FINGERTIP, TARGET) : marks[0];
  return -far * e->a.reward_dist_weight + squares(e, action);
}

#define WEIGHT(name, def, doc) CELI_NUMBER(reward_##name##_weight, def, doc)
static const CelField reacher_v5[] = {CELI_XML_FILE,
                                      CELI_FRAME_SKIP("2"),
                                      WEIGHT(dist, "1", "weight of the distance to the target"),
                                      WEIGHT(control, "1", "weight of the squared actions"),
                                      {0}};

#define REACHER(version_, id_, size_, fields_)                                                     \
  {                                                                                                \
    .type = CELI_MUJOCO_TYPE(id_, "reach a target with an arm of two links", 50, -3.75, size_,     \
                             fields_),                                                             \
    .version = (version_), .model = "reacher.xml", .arguments = reacher_v5,                        \
    .bodies = {"fingertip", "target"}, .marks = 1, .least_nq = 4, .least_nv = 4,                   \
    .view = {.track = 0}, .start = start_reacher, .mark = mark_reacher,                            \
    .observe = observe_reacher, .reward = reward_reacher                                           \
  }
const CeliTask celi_reacher_v4 = REACHER(4, "Reacher-v4", 0, NULL);
const CeliTask celi_reacher_v5 = REACHER(5, "Reacher-v5", sizeof(CeliArguments), reacher_v5);

// ---- Pusher

enum { TIPS_ARM, OBJECT, GOAL };

static void start_pusher(const CeliMujoco *e, double *qpos, double *qvel, CelRng *rng) {
  const int nq = (int)e->model->nq, nv = (int)e->model->nv;
  double x, y;
  do {
    x = cel_rng_range(rng, -0.3, 0.0);
    y = cel_rng_range(rng, -0.2, 0.2);
  } while (sqrt(x * x + y * y) <= 0.17);
  qpos[nq - 4] = x;
  qpos[nq - 3] = y;
  qpos[nq - 2] = qpos[nq - 1] = 0; // the goal
  for (int i = 0; i < nv; i++) qvel[i] += cel_rng_range(rng, -0.005, 0.005);
  for (int i = nv - 4; i < nv; i++) qvel[i] = 0;
}

static void observe_pusher(const CeliMujoco *e, const mjData *d, CeliObservation *out) {
  celi_observe(out, d->qpos, 7);
  celi_observe(out, d->qvel, 7);
  for (int i = TIPS_ARM; i <= GOAL; i++) celi_observe(out, d->xpos + 3 * e->body[i], 3);
}

static double reward_pusher(const CeliMujoco *e, const mjData *d, const float *action,
                            const double *marks, uint8_t *terminated) {
  (void)marks, (void)terminated;
  const double near = -distance(e, d, OBJECT, TIPS_ARM) * e->a.reward_near_weight;
  const double dist = -distance(e, d, OBJECT, GOAL) * e->a.reward_dist_weight;
  return dist + squares(e, action) + near;
}

static const CelField pusher_v5[] = {
    CELI_XML_FILE,
    CELI_FRAME_SKIP("5"),
    WEIGHT(near, "0.5", "weight of the distance from the arm's tip to the object"),
    WEIGHT(dist, "1", "weight of the distance from the object to the goal"),
    WEIGHT(control, "0.1", "weight of the squared actions"),
    {0}};

const CeliTask celi_pusher_v5 = {
    .type = CELI_MUJOCO_TYPE("Pusher-v5", "push an object to a goal with an arm", 100, 0,
                             sizeof(CeliArguments), pusher_v5),
    .version = 5,
    .model = "pusher_v5.xml",
    .arguments = pusher_v5,
    .bodies = {"tips_arm", "object", "goal"},
    .least_nq = 11,
    .least_nv = 11,
    .view = {.track = -1, .distance = 4},
    .start = start_pusher,
    .observe = observe_pusher,
    .reward = reward_pusher,
};
