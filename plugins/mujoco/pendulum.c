/// InvertedPendulum and InvertedDoublePendulum, as Gymnasium defines them (versions 4 and 5).
///
/// Version 5 pays no reward for the step that ends the episode.
#include "mujoco_env.h"
#include "numpy.h"
#include <math.h>

// ---- InvertedPendulum

static void start_single(const CeliMujoco *e, double *qpos, double *qvel, CelRng *rng) {
  const double s = e->a.reset_noise_scale;
  for (int i = 0; i < e->model->nq; i++) qpos[i] += cel_rng_range(rng, -s, s);
  for (int i = 0; i < e->model->nv; i++) qvel[i] += cel_rng_range(rng, -s, s);
}

static void observe_single(const CeliMujoco *e, const mjData *d, CeliObservation *out) {
  celi_observe(out, d->qpos, e->model->nq);
  celi_observe(out, d->qvel, e->model->nv);
}

static double reward_single(const CeliMujoco *e, const mjData *d, const float *action,
                            const double *marks, uint8_t *terminated) {
  (void)action, (void)marks;
  bool finite = true;
  for (int i = 0; i < e->model->nq; i++) finite &= isfinite(d->qpos[i]) != 0;
  for (int i = 0; i < e->model->nv; i++) finite &= isfinite(d->qvel[i]) != 0;
  *terminated = !finite || fabs(d->qpos[1]) > 0.2;
  return e->task->version == 5 && *terminated ? 0.0 : 1.0;
}

static const CelField single_v5[] = {CELI_XML_FILE, CELI_FRAME_SKIP("2"), CELI_NOISE("0.01"), {0}};

#define SINGLE(version_, id_, size_, fields_)                                                      \
  {                                                                                                \
    .type = CELI_MUJOCO_TYPE(id_, "balance a pole on a cart", 1000, 950, size_, fields_),          \
    .version = (version_), .model = "inverted_pendulum.xml", .arguments = single_v5,               \
    .least_nq = 2, .view = {.track = 0, .distance = 2.04}, .start = start_single,                  \
    .observe = observe_single, .reward = reward_single                                             \
  }
const CeliTask celi_inverted_pendulum_v4 = SINGLE(4, "InvertedPendulum-v4", 0, NULL);
const CeliTask celi_inverted_pendulum_v5 =
    SINGLE(5, "InvertedPendulum-v5", sizeof(CeliArguments), single_v5);

// ---- InvertedDoublePendulum

static void start_double(const CeliMujoco *e, double *qpos, double *qvel, CelRng *rng) {
  const double s = e->a.reset_noise_scale;
  for (int i = 0; i < e->model->nq; i++) qpos[i] += cel_rng_range(rng, -s, s);
  for (int i = 0; i < e->model->nv; i++) qvel[i] += s * cel_rng_normal(rng);
}

static void observe_double(const CeliMujoco *e, const mjData *d, CeliObservation *out) {
  const int nq = (int)e->model->nq, nv = (int)e->model->nv;
  celi_observe(out, d->qpos, 1);
  for (int i = 1; i < nq; i++) celi_observe_one(out, sin(d->qpos[i]));
  for (int i = 1; i < nq; i++) celi_observe_one(out, cos(d->qpos[i]));
  celi_observe_clipped(out, d->qvel, nv, -10, 10);
  celi_observe_clipped(out, d->qfrc_constraint, e->task->version == 5 ? 1 : nv, -10, 10);
}

static double reward_double(const CeliMujoco *e, const mjData *d, const float *action,
                            const double *marks, uint8_t *terminated) {
  (void)action, (void)marks;
  const double x = d->site_xpos[0], y = d->site_xpos[2], v1 = d->qvel[1], v2 = d->qvel[2];
  const double dist = 0.01 * (x * x) + (y - 2) * (y - 2);
  const double speed = 1e-3 * (v1 * v1) + 5e-3 * (v2 * v2);
  *terminated = y <= 1;
  const bool paid = e->task->version == 4 || !*terminated;
  return e->a.healthy_reward * (paid ? 1.0 : 0.0) - dist - speed;
}

static const CelField double_v5[] = {
    CELI_XML_FILE, CELI_FRAME_SKIP("5"), CELI_HEALTHY("10"), CELI_NOISE("0.1"), {0}};

#define DOUBLE(version_, id_, size_, fields_)                                                      \
  {                                                                                                \
    .type = CELI_MUJOCO_TYPE(id_, "balance two poles, one on top of the other, on a cart", 1000,   \
                             9100, size_, fields_),                                                \
    .version = (version_), .model = "inverted_double_pendulum.xml", .arguments = double_v5,        \
    .least_nq = 3, .least_nv = 3, .least_nsite = 1,                                                \
    .view = {.track = -1, .distance = 4.1225, .lookat = {0, 0, 0.1225}, .has_lookat = true},       \
    .start = start_double, .observe = observe_double, .reward = reward_double                      \
  }
const CeliTask celi_inverted_double_pendulum_v4 = DOUBLE(4, "InvertedDoublePendulum-v4", 0, NULL);
const CeliTask celi_inverted_double_pendulum_v5 =
    DOUBLE(5, "InvertedDoublePendulum-v5", sizeof(CeliArguments), double_v5);
