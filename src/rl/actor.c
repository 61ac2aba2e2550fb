/// A stochastic policy that acts. Contract: actor.h.
#include "rl/actor.h"
#include "base/base.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROWS_MIN = 64 };

CelStatus celi_actor_dist(CeliDistSpec *dist, const CelSpace *action) {
  const CelSpacePart *part = &action->part[0];
  char text[128];
  memset(dist, 0, sizeof *dist);
  dist->A = part->size;
  if (action->n_parts == 1 && part->size <= CEL_SPACE_BOUNDS_MAX) switch (part->kind) {
    case CEL_BOX:
      dist->kind = CELI_GAUSSIAN;
      if (part->type == CEL_F32) return CEL_OK;
      break;
    case CEL_DISCRETE: dist->kind = CELI_CATEGORICAL, dist->A = part->n; return CEL_OK;
    case CEL_MULTI_DISCRETE:
      dist->kind = CELI_MULTI_CATEGORICAL;
      dist->K = part->size, dist->choices = part->high, dist->A = 0;
      for (int64_t k = 0; k < part->size; k++) dist->A += (int64_t)part->high[k];
      return CEL_OK;
    case CEL_MULTI_BINARY: dist->kind = CELI_BERNOULLI; return CEL_OK;
    }
  cel_space_describe(action, text, sizeof text);
  return cel_fail(
      CEL_E_UNSUPPORTED,
      "actions must be one float32 box, a choice, several choices or bits (of at most %d "
      "elements), not %s",
      CEL_SPACE_BOUNDS_MAX, text);
}

CelStatus celi_actor_declare(CeliActor *actor, CelTensors *tensors, const CeliMlpSpec *net,
                             const CeliDistSpec *dist, const CelSpace *observation,
                             const CelSpace *action) {
  CeliMlpSpec spec = *net;
  memset(actor, 0, sizeof *actor);
  actor->dist = *dist;
  actor->O = cel_space_floats(observation), actor->H = celi_dist_head(dist);
  actor->W = celi_dist_noise(dist), actor->A = action->part[0].size;
  actor->discrete = celi_dist_discrete(dist), actor->bytes = cel_space_bytes(action);
  spec.E = 1, spec.in = actor->O, spec.out = actor->H;
  spec.dx_begin = spec.dx_end = actor->O; // nobody needs the gradient at the observations
  static const CelRole mirrors[] = {CEL_MOMENT1, CEL_MOMENT2};
  CELI_TRY(celi_mlp_declare(&actor->net, tensors, "actor", CEL_PARAM, &spec));
  CELI_TRY(celi_mlp_declare_grad(&actor->grad, tensors, "actor", CEL_GRAD, &spec));
  for (int i = 0; i < 2; i++)
    CELI_TRY(celi_mlp_declare_grad(NULL, tensors, "actor", mirrors[i], &spec));
  return celi_dist_declare_param(&actor->param, tensors, "actor", dist);
}

static CelStatus declare_f32(CelTensors *tensors, const char *name, CelRole role, float **place,
                             int64_t rows, int64_t columns) {
  const int64_t shape[] = {rows, columns};
  return cel_tensors_declare(tensors, name, CEL_F32, role, place, columns ? 2 : 1, shape);
}

CelStatus celi_actor_declare_acting(CeliActor *actor, CelTensors *tensors,
                                    const CeliNormalizer *norm, int64_t N, int64_t T,
                                    uint64_t seed) {
  const int64_t rows = N > ROWS_MIN ? N : ROWS_MIN, noise[] = {N, T, actor->W};
  actor->norm = norm, actor->N = N, actor->T = T, actor->seed = seed;
  CELI_TRY(celi_mlp_declare_pass(&actor->pass, tensors, "pass.act", &actor->net, rows, false));
  CELI_TRY(declare_f32(tensors, "act.obs", CEL_SCRATCH, &actor->x, rows, actor->O));
  CELI_TRY(declare_f32(tensors, "act.head", CEL_SCRATCH, &actor->head, rows, actor->H));
  CELI_TRY(
      cel_tensors_declare(tensors, "act.noise", CEL_F32, CEL_SCRATCH, &actor->noise, 3, noise));
  CELI_TRY(cel_tensors_declare(tensors, "act.counter", CEL_U64, CEL_STATE, &actor->counter, 1, &N));
  CELI_TRY(cel_tensors_declare(tensors, "act.sample_counter", CEL_U64, CEL_STATE,
                               &actor->sample_counter, 1, &N));
  if (actor->discrete) return CEL_OK;
  CELI_TRY(declare_f32(tensors, "action_scale", CEL_MODEL, &actor->action_scale, actor->A, 0));
  return declare_f32(tensors, "action_shift", CEL_MODEL, &actor->action_shift, actor->A, 0);
}

void celi_actor_init(CeliActor *actor, uint32_t first_index) {
  celi_mlp_init(&actor->net, actor->seed, first_index);
  celi_dist_init(&actor->param);
  if (!actor->discrete) celi_ops()->fill(actor->action_scale, 1, actor->A);
}

// ---- acting

static void draw(const CeliActor *actor, float *out, CelRngPurpose purpose, int64_t i,
                 uint64_t counter, int64_t n) {
  if (actor->discrete)
    celi_ops()->uniform(out, actor->seed, purpose, (uint32_t)i, counter, 0, n);
  else
    celi_ops()->normal(out, actor->seed, purpose, (uint32_t)i, counter, 0, n);
}

void celi_actor_draw(const CeliActor *actor, int64_t begin, int64_t end) {
  const int64_t n = actor->T * actor->W;
  for (int64_t i = begin; i < end; i++)
    draw(actor, actor->noise + i * n, CEL_RNG_ACT, i, actor->counter[i], n);
}

void celi_actor_advance(CeliActor *actor) {
  for (int64_t i = 0; i < actor->N; i++)
    actor->counter[i] += (uint64_t)(actor->T * actor->W + 3) / 4;
}

/// head (n,H) of rows [begin, end) of obs.
static void forward(const CeliActor *actor, CeliMlpPass *pass, float *head, const float *obs,
                    int64_t begin, int64_t end) {
  pass->X = obs, pass->ldx = actor->O;
  pass->Y[actor->net.L - 1] = head;
  if (actor->norm->observations) {
    celi_normalizer_apply(actor->norm, actor->x, actor->O, obs, actor->O, begin, end);
    pass->X = actor->x;
  }
  celi_mlp_forward(pass, begin, end);
}

static const float *free_log_std(const CeliActor *actor) {
  return actor->dist.free_log_std ? actor->param.log_std_param : NULL;
}

void celi_actor_step(const CeliActor *actor, CeliMlpPass *pass, int64_t t, void *actions,
                     float *head, const float *obs, int64_t begin, int64_t end) {
  forward(actor, pass, head, obs, begin, end);
  celi_dist_draw_rows(&actor->dist, free_log_std(actor), actions, celi_actor_lda(actor), head,
                      actor->H, actor->noise + t * actor->W, actor->T * actor->W, begin, end);
}

void celi_actor_sample(CeliActor *actor, void *actions, const float *obs) {
  enum { CHUNK = CEL_SPACE_BOUNDS_MAX };
  float noise[CHUNK];
  CeliMlpPass pass = actor->pass;
  forward(actor, &pass, actor->head, obs, 0, actor->N);
  for (int64_t i = 0; i < actor->N; i++) {
    draw(actor, noise, CEL_RNG_EVAL_ACT, i, actor->sample_counter[i], actor->W);
    actor->sample_counter[i] += (uint64_t)(actor->W + 3) / 4;
    celi_dist_draw_rows(&actor->dist, free_log_std(actor),
                        (uint8_t *)actions + (size_t)i * actor->bytes, 0,
                        actor->head + i * actor->H, 0, noise, 0, 0, 1);
  }
}

void celi_actor_mode(const CeliActor *actor, void *actions, const float *obs, int64_t n) {
  CeliMlpPass pass = actor->pass;
  for (int64_t first = 0; first < n; first += pass.B) {
    const int64_t rows = n - first < pass.B ? n - first : pass.B;
    forward(actor, &pass, actor->head, obs + first * actor->O, 0, rows);
    celi_dist_mode(&actor->dist, (uint8_t *)actions + (size_t)first * actor->bytes,
                   celi_actor_lda(actor), actor->head, actor->H, 0, rows);
  }
}

void celi_actor_last_parameter(const CeliActor *actor, char name[CEL_NAME_MAX]) {
  if (actor->dist.free_log_std)
    snprintf(name, CEL_NAME_MAX, "actor.log_std");
  else
    snprintf(name, CEL_NAME_MAX, "actor.%d.bias", actor->net.L - 1);
}

double celi_actor_mean_std(const CeliActor *actor) {
  double sum = 0;
  if (!actor->dist.free_log_std) return (double)NAN;
  for (int64_t a = 0; a < actor->A; a++) sum += exp((double)actor->param.log_std_param[a]);
  return sum / (double)actor->A;
}

CeliPolicySpec celi_actor_policy(const CeliActor *actor) {
  return (CeliPolicySpec){.kind = actor->dist.kind,
                          .activation = actor->net.spec.activation,
                          .A = actor->dist.A,
                          .log_std_min = actor->dist.log_std_min,
                          .log_std_max = actor->dist.log_std_max};
}
