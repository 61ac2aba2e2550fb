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
      "actions must be one float32 box, discrete, multi-discrete or binary (at most %d "
      "elements), not %s",
      CEL_SPACE_BOUNDS_MAX, text);
}

CelStatus celi_actor_declare(CeliActor *actor, CelTensors *tensors, const CeliMlpSpec *net,
                             const CeliDistSpec *dist, int64_t sde_every,
                             const CelSpace *observation, const CelSpace *action) {
  CeliMlpSpec spec = *net;
  memset(actor, 0, sizeof *actor);
  actor->dist = *dist;
  actor->activation = net->activation;
  actor->O = cel_space_floats(observation), actor->H = celi_dist_head(dist);
  actor->W = celi_dist_noise(dist), actor->A = action->part[0].size;
  actor->discrete = celi_dist_discrete(dist), actor->bytes = cel_space_bytes(action);
  actor->sde_every = sde_every, actor->F = sde_every ? net->hidden.v[net->hidden.n - 1] : 0;
  spec.E = 1, spec.in = actor->O, spec.out = actor->F ? actor->A : actor->H;
  spec.dx_begin = spec.dx_end = actor->O; // nobody needs the gradient at the observations
  static const CelRole mirrors[] = {CEL_MOMENT1, CEL_MOMENT2};
  CELI_TRY(celi_mlp_declare(&actor->net, tensors, "actor", CEL_PARAM, &spec));
  CELI_TRY(celi_net_declare_grad(&actor->grad, tensors, "actor", CEL_GRAD, &actor->net));
  for (int i = 0; i < 2; i++)
    CELI_TRY(celi_net_declare_grad(NULL, tensors, "actor", mirrors[i], &actor->net));
  if (actor->F)
    CELI_TRY(celi_gsde_declare_param(&actor->sde, tensors, "actor", actor->F, actor->A));
  return celi_dist_declare_param(&actor->param, tensors, "actor", dist);
}

static CelStatus declare_f32(CelTensors *tensors, const char *name, CelRole role, float **place,
                             int64_t rows, int64_t columns) {
  const int64_t shape[] = {rows, columns};
  return cel_tensors_declare(tensors, name, CEL_F32, role, place, columns ? 2 : 1, shape);
}

/// Matrices in place of noise by step.
static CelStatus declare_sde(CeliActor *actor, CelTensors *tensors, int64_t rows) {
  const int64_t N = actor->N, F = actor->F, A = actor->A;
  CELI_TRY(declare_f32(tensors, "act.sde_matrix", CEL_SCRATCH, &actor->sde_matrix, N, F * A));
  CELI_TRY(declare_f32(tensors, "act.sde_var", CEL_SCRATCH, &actor->sde_var, N + 1, F * A));
  CELI_TRY(declare_f32(tensors, "act.sde_latent2", CEL_SCRATCH, &actor->sde_latent2, rows, F));
  return declare_f32(tensors, "act.sde_row_var", CEL_SCRATCH, &actor->sde_row_var, rows, A);
}

CelStatus celi_actor_declare_acting(CeliActor *actor, CelTensors *tensors,
                                    const CeliNormalizer *norm, int64_t N, int64_t T,
                                    uint64_t seed) {
  const int64_t rows = N > ROWS_MIN ? N : ROWS_MIN, noise[] = {N, T, actor->W};
  actor->norm = norm, actor->N = N, actor->T = T, actor->seed = seed;
  CELI_TRY(
      celi_pass_declare(&actor->pass, tensors, "pass.act", &actor->net, (CeliPassSpec){.B = rows}));
  CELI_TRY(declare_f32(tensors, "act.obs", CEL_SCRATCH, &actor->x, rows, actor->O));
  CELI_TRY(declare_f32(tensors, "act.head", CEL_SCRATCH, &actor->head, rows, actor->H));
  if (actor->F)
    CELI_TRY(declare_sde(actor, tensors, rows));
  else
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
  celi_net_init(&actor->net, actor->seed, first_index);
  celi_dist_init(&actor->param);
  if (actor->F)
    celi_ops()->fill(actor->sde.log_std, (float)actor->dist.log_std_init, actor->F * actor->A);
  if (!actor->discrete) celi_ops()->fill(actor->action_scale, 1, actor->A);
}

static void draw(const CeliActor *actor, float *out, CelRngPurpose purpose, int64_t i,
                 uint64_t counter, int64_t n) {
  if (actor->discrete)
    celi_ops()->uniform(out, actor->seed, purpose, (uint32_t)i, counter, 0, n);
  else
    celi_ops()->normal(out, actor->seed, purpose, (uint32_t)i, counter, 0, n);
}

// ---- gSDE

/// Blocks of a matrix's random numbers.
static uint64_t matrix_blocks(const CeliActor *actor) {
  return (uint64_t)(actor->F * actor->A + 3) / 4;
}

/// The matrix of environment i that is in force at step t. Source: Raffin et al., CoRL 2021.
static void draw_matrix(const CeliActor *actor, int64_t t, int64_t i) {
  const int64_t size = actor->F * actor->A;
  float *M = actor->sde_matrix + i * size;
  draw(actor, M, CEL_RNG_ACT, i,
       actor->counter[i] + (uint64_t)(t / actor->sde_every) * matrix_blocks(actor), size);
  celi_gsde_scale(&actor->sde, M);
}

/// Heads of rows [begin, end) from the pass's mean and latent, with the variances in row `with` of
/// sde_var.
static void sde_heads(const CeliActor *actor, const CeliPass *pass, float *head, int64_t with,
                      int64_t begin, int64_t end) {
  const int64_t F = actor->F, A = actor->A;
  celi_gsde_head_rows(head + begin * actor->H, celi_pass_output(pass) + begin * A,
                      celi_pass_latent(pass) + begin * F, actor->sde_var + with * F * A,
                      actor->sde_latent2 + begin * F, actor->sde_row_var + begin * A, end - begin,
                      F, A);
}

// ---- noise of a rollout

void celi_actor_draw(const CeliActor *actor, int64_t t, int64_t begin, int64_t end) {
  const int64_t n = actor->T * actor->W, size = actor->F * actor->A;
  for (int64_t i = begin; i < end; i++) {
    if (!actor->F) {
      draw(actor, actor->noise + i * n, CEL_RNG_ACT, i, actor->counter[i], n);
      continue;
    }
    celi_gsde_variances(&actor->sde, actor->sde_var + i * size);
    draw_matrix(actor, t, i);
  }
}

void celi_actor_advance(CeliActor *actor) {
  const int64_t T = actor->T, every = actor->sde_every;
  const uint64_t blocks = actor->F ? (uint64_t)((T + every - 1) / every) * matrix_blocks(actor)
                                   : (uint64_t)(T * actor->W + 3) / 4;
  for (int64_t i = 0; i < actor->N; i++) actor->counter[i] += blocks;
}

// ---- acting

/// The network's output (n, out) at rows [begin, end) of obs.
static void forward(const CeliActor *actor, CeliPass *pass, float *out, const float *obs,
                    int64_t begin, int64_t end) {
  pass->X = obs, pass->ldx = actor->O;
  if (out) celi_pass_set_output(pass, out);
  if (actor->norm->observations) {
    celi_normalizer_apply(actor->norm, actor->x, actor->O, obs, actor->O, begin, end);
    pass->X = actor->x;
  }
  celi_net_forward(pass, begin, end);
}

static const float *free_log_std(const CeliActor *actor) {
  return actor->dist.free_log_std ? actor->param.log_std_param : NULL;
}

static void step_sde(const CeliActor *actor, CeliPass *pass, int64_t t, float *actions, float *head,
                     const float *obs, int64_t begin, int64_t end) {
  const int64_t F = actor->F, A = actor->A;
  forward(actor, pass, NULL, obs, begin, end);
  for (int64_t i = begin; i < end; i++) {
    if (t > 0 && t % actor->sde_every == 0) draw_matrix(actor, t, i);
    sde_heads(actor, pass, head, i, i, i + 1);
    celi_gsde_act(actions + i * A, celi_pass_output(pass) + i * A, celi_pass_latent(pass) + i * F,
                  actor->sde_matrix + i * F * A, F, A, false);
  }
}

void celi_actor_step(const CeliActor *actor, CeliPass *pass, int64_t t, void *actions, float *head,
                     const float *obs, int64_t begin, int64_t end) {
  if (actor->F) {
    step_sde(actor, pass, t, actions, head, obs, begin, end);
    return;
  }
  forward(actor, pass, head, obs, begin, end);
  celi_dist_draw_rows(&actor->dist, free_log_std(actor), actions, celi_actor_lda(actor), head,
                      actor->H, actor->noise + t * actor->W, actor->T * actor->W, begin, end);
}

void celi_actor_sample(CeliActor *actor, void *actions, const float *obs) {
  enum { CHUNK = CEL_SPACE_BOUNDS_MAX };
  float noise[CHUNK];
  CeliPass pass = actor->pass;
  forward(actor, &pass, actor->F ? NULL : actor->head, obs, 0, actor->N);
  if (actor->F) {
    celi_gsde_variances(&actor->sde, actor->sde_var + actor->N * actor->F * actor->A);
    sde_heads(actor, &pass, actor->head, actor->N, 0, actor->N);
  }
  for (int64_t i = 0; i < actor->N; i++) {
    draw(actor, noise, CEL_RNG_EVAL_ACT, i, actor->sample_counter[i], actor->W);
    actor->sample_counter[i] += (uint64_t)(actor->W + 3) / 4;
    celi_dist_draw_rows(&actor->dist, free_log_std(actor),
                        (uint8_t *)actions + (size_t)i * actor->bytes, 0,
                        actor->head + i * actor->H, 0, noise, 0, 0, 1);
  }
}

void celi_actor_mode(const CeliActor *actor, void *actions, const float *obs, int64_t n) {
  CeliPass pass = actor->pass;
  for (int64_t first = 0; first < n; first += pass.B) {
    const int64_t rows = n - first < pass.B ? n - first : pass.B;
    forward(actor, &pass, actor->head, obs + first * actor->O, 0, rows);
    celi_dist_mode(&actor->dist, (uint8_t *)actions + (size_t)first * actor->bytes,
                   celi_actor_lda(actor), actor->head, actor->net.out, 0, rows);
  }
}

void celi_actor_last_parameter(const CeliActor *actor, char name[CEL_NAME_MAX]) {
  if (actor->dist.free_log_std || actor->F)
    snprintf(name, CEL_NAME_MAX, "actor.log_std");
  else
    celi_net_last_parameter(&actor->net, "actor", name);
}

double celi_actor_mean_std(const CeliActor *actor) {
  double sum = 0;
  if (!actor->dist.free_log_std && !actor->F) return (double)NAN;
  const int64_t n = actor->F ? actor->F * actor->A : actor->A;
  const float *log_std = actor->F ? actor->sde.log_std : actor->param.log_std_param;
  for (int64_t i = 0; i < n; i++) sum += exp((double)log_std[i]);
  return sum / (double)n;
}

CeliPolicySpec celi_actor_policy(const CeliActor *actor) {
  return (CeliPolicySpec){.kind = actor->dist.kind,
                          .activation = actor->activation,
                          .A = actor->dist.A,
                          .log_std_min = actor->dist.log_std_min,
                          .log_std_max = actor->dist.log_std_max};
}
