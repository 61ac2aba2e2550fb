/// Acting with a policy: step by step, and in rollouts. Contract: policy.h.
#include "base/base.h"
#include "rl/policy.h"

#include <math.h>
#include <string.h>

/// Random numbers of n actions: normals, or uniforms if actions are discrete.
static void draw(const CeliPolicy *policy, float *out, CelRngPurpose purpose, int64_t i,
                 uint64_t counter, int64_t n) {
  if (policy->discrete)
    celi_ops()->uniform(out, policy->seed, purpose, (uint32_t)i, counter, 0, n);
  else
    celi_ops()->normal(out, policy->seed, purpose, (uint32_t)i, counter, 0, n);
}

static uint64_t blocks(int64_t numbers) {
  return (uint64_t)(numbers + 3) / 4;
}

/// The network's output (n, out) at rows [begin, end) of obs, in `out` or the pass's own tensor. A
/// sampler's noise is already in its columns of policy->x.
static void forward(const CeliPolicy *policy, CeliPass *pass, float *out, const float *obs,
                    int64_t begin, int64_t end) {
  pass->X = obs, pass->ldx = policy->O;
  if (out) celi_pass_set_output(pass, out);
  if (policy->norm->observations || policy->options.sampler) {
    celi_normalizer_apply(policy->norm, policy->x, policy->net.in, obs, policy->O, begin, end);
    pass->X = policy->x, pass->ldx = policy->net.in;
  }
  celi_net_forward(pass, begin, end);
  if (policy->F) celi_policy_clip_mean(policy, celi_pass_output(pass), begin, end);
}

void celi_policy_clip_mean(const CeliPolicy *policy, float *mean, int64_t begin, int64_t end) {
  const float most = (float)policy->options.clip_mean;
  if (!(most > 0)) return;
  for (int64_t i = begin * policy->A; i < end * policy->A; i++)
    mean[i] = mean[i] > most ? most : mean[i] < -most ? -most : mean[i];
}

static void *row(const CeliPolicy *policy, void *actions, int64_t i) {
  return (uint8_t *)actions + (size_t)i * policy->bytes;
}

void celi_policy_unscale(const CeliPolicy *policy, void *actions, const void *scaled, int64_t n) {
  const float *a = scaled;
  float *out = actions;
  if (policy->discrete) {
    memmove(actions, scaled, (size_t)n * policy->bytes);
    return;
  }
  for (int64_t i = 0; i < n; i++)
    for (int64_t k = 0; k < policy->A; k++)
      out[i * policy->A + k] = policy->shift[k] + policy->scale[k] * a[i * policy->A + k];
}

void celi_policy_mode(const CeliPolicy *policy, void *actions, const float *obs, int64_t n) {
  CeliPass pass = policy->pass;
  for (int64_t first = 0; first < n; first += policy->rows) {
    const int64_t rows = n - first < policy->rows ? n - first : policy->rows;
    void *out = row(policy, actions, first);
    // A sampler has no mode: its action without noise replaces it.
    for (int64_t i = 0; policy->options.sampler && i < rows; i++)
      celi_ops()->fill(policy->x + i * policy->net.in + policy->O, 0, policy->A);
    forward(policy, &pass, policy->head, obs + first * policy->O, 0, rows);
    celi_dist_mode(&policy->dist, out, celi_policy_lda(policy), policy->head, policy->net.out, 0,
                   rows);
    celi_policy_unscale(policy, out, out, rows);
  }
}

// ---- step by step

static void draw_step_matrix(const CeliPolicy *policy, float *M, int64_t i, uint64_t *counter) {
  const int64_t size = policy->F * policy->A;
  draw(policy, M, CEL_RNG_ACT, i, *counter, size);
  *counter += blocks(size);
  celi_gsde_scale(&policy->sde, M);
}

void celi_policy_renew(CeliPolicy *policy, int64_t step, uint64_t *counter) {
  const int64_t size = policy->F * policy->A;
  if (policy->F == 0 || step % policy->options.sde_every != 0) return;
  for (int64_t i = 0; i < policy->N; i++)
    draw_step_matrix(policy, policy->sde_matrix + i * size, i, &counter[i]);
}

/// Element k of an action from a uniform number on [0, 1).
static float uniform_element(const CeliPolicy *policy, int64_t k, float u) {
  const CelSpacePart *part = &policy->action->part[0];
  const bool bounded = isfinite(part->low[k]) && isfinite(part->high[k]);
  if (policy->dist.kind == CELI_SQUASHED_GAUSSIAN || !bounded) return 2 * u - 1;
  return part->low[k] * (1 - u) + part->high[k] * u;
}

void celi_policy_random(const CeliPolicy *policy, void *scaled, uint64_t *counter) {
  const int64_t W = policy->A; // also where the policy draws no random numbers
  CEL_ASSERT(!policy->discrete || policy->dist.kind == CELI_CATEGORICAL);
  for (int64_t i = 0; i < policy->N; i++) {
    float one = 0, *u = policy->discrete ? &one : (float *)scaled + i * W;
    celi_ops()->uniform(u, policy->seed, CEL_RNG_ACT, (uint32_t)i, counter[i], 0, W);
    counter[i] += blocks(W);
    if (policy->discrete) ((int32_t *)scaled)[i] = (int32_t)(one * (float)policy->dist.A);
    for (int64_t k = 0; !policy->discrete && k < W; k++) u[k] = uniform_element(policy, k, u[k]);
  }
}

/// Discrete actions (n,) from pi = softmax(head / temperature), which replaces the head.
static void sample_categorical(const CeliPolicy *policy, int32_t *action, int64_t n) {
  const int64_t A = policy->dist.A;
  const float temperature = (float)policy->options.temperature;
  float *p = policy->head;
  for (int64_t i = 0; temperature > 0 && i < n * A; i++) p[i] /= temperature;
  celi_dist_softmax(p, p, p, A, 0, n);
  for (int64_t i = 0; i < n; i++) action[i] = celi_dist_pick(p + i * A, A, policy->noise[i]);
}

/// Samples of gSDE for environments [first, first + n).
static void sample_sde(const CeliPolicy *policy, const CeliPass *pass, float *scaled, int64_t first,
                       int64_t n, bool explore, uint64_t *counter) {
  const int64_t F = policy->F, A = policy->A;
  for (int64_t i = 0; i < n; i++) {
    const float *M = explore ? policy->sde_matrix + (first + i) * F * A : policy->sde_sample;
    if (!explore) draw_step_matrix(policy, policy->sde_sample, first + i, &counter[first + i]);
    celi_gsde_act(scaled + i * A, celi_pass_output(pass) + i * A, celi_pass_latent(pass) + i * F, M,
                  F, A, policy->sde.squash);
  }
}

/// Samples for environments [first, first + n), at most policy->rows.
static void sample_rows(const CeliPolicy *policy, void *scaled, const float *obs, int64_t first,
                        int64_t n, bool explore, uint64_t *counter) {
  const int64_t W = policy->W, in = policy->net.in;
  CeliPass pass = policy->pass;
  for (int64_t i = 0; policy->F == 0 && W > 0 && i < n; i++) {
    float *noise = policy->options.sampler ? policy->x + i * in + policy->O : policy->noise + i * W;
    draw(policy, noise, CEL_RNG_ACT, first + i, counter[first + i], W);
    counter[first + i] += blocks(W);
  }
  forward(policy, &pass, policy->head, obs, 0, n);
  if (policy->F)
    sample_sde(policy, &pass, scaled, first, n, explore, counter);
  else if (policy->options.sampler)
    celi_ops()->tanh(scaled, policy->head, n * policy->A);
  else if (policy->dist.deterministic)
    celi_dist_mode(&policy->dist, scaled, policy->A, policy->head, policy->H, 0, n);
  else if (policy->discrete)
    sample_categorical(policy, scaled, n);
  else
    celi_dist_sample_rows(&policy->dist, scaled, policy->A, policy->head, policy->H, policy->noise,
                          0, n);
}

void celi_policy_sample(const CeliPolicy *policy, void *scaled, const float *obs, bool explore,
                        uint64_t *counter) {
  const int64_t N = policy->N;
  for (int64_t first = 0; first < N; first += policy->rows)
    sample_rows(policy, row(policy, scaled, first), obs + first * policy->O, first,
                N - first < policy->rows ? N - first : policy->rows, explore, counter);
}

// ---- in a rollout

/// The matrix of environment i from step t on.
static void draw_rollout_matrix(const CeliPolicy *policy, int64_t t, int64_t i) {
  const int64_t size = policy->F * policy->A;
  float *M = policy->sde_matrix + i * size;
  draw(policy, M, CEL_RNG_ACT, i,
       policy->counter[i] + (uint64_t)(t / policy->options.sde_every) * blocks(size), size);
  celi_gsde_scale(&policy->sde, M);
}

/// Heads of rows [begin, end) from the pass's mean and latent, with the variances in row `with` of
/// sde_var.
static void sde_heads(const CeliPolicy *policy, const CeliPass *pass, float *head, int64_t with,
                      int64_t begin, int64_t end) {
  const int64_t F = policy->F, A = policy->A;
  celi_gsde_head_rows(head + begin * policy->H, celi_pass_output(pass) + begin * A,
                      celi_pass_latent(pass) + begin * F, policy->sde_var + with * F * A,
                      policy->sde_latent2 + begin * F, policy->sde_row_var + begin * A, end - begin,
                      F, A);
}

void celi_policy_rollout_draw(const CeliPolicy *policy, int64_t t, int64_t begin, int64_t end) {
  const int64_t n = policy->T * policy->W, size = policy->F * policy->A;
  for (int64_t i = begin; i < end; i++) {
    if (!policy->F) {
      draw(policy, policy->noise + i * n, CEL_RNG_ACT, i, policy->counter[i], n);
      continue;
    }
    celi_gsde_variances(&policy->sde, policy->sde_var + i * size);
    draw_rollout_matrix(policy, t, i);
  }
}

void celi_policy_rollout_renew(CeliPolicy *policy, int64_t t) {
  for (int64_t i = 0; i < policy->N; i++) policy->counter[i] += blocks(policy->F * policy->A);
  celi_policy_rollout_draw(policy, t, 0, policy->N);
}

void celi_policy_rollout_advance(CeliPolicy *policy) {
  const int64_t T = policy->T, every = policy->options.sde_every;
  const uint64_t used = policy->F
                            ? (uint64_t)((T + every - 1) / every) * blocks(policy->F * policy->A)
                            : blocks(T * policy->W);
  for (int64_t i = 0; i < policy->N; i++) policy->counter[i] += used;
}

static void rollout_act_sde(const CeliPolicy *policy, CeliPass *pass, int64_t t, float *scaled,
                            float *head, const float *obs, int64_t begin, int64_t end) {
  const int64_t F = policy->F, A = policy->A;
  forward(policy, pass, NULL, obs, begin, end);
  for (int64_t i = begin; i < end; i++) {
    if (t > 0 && t % policy->options.sde_every == 0) draw_rollout_matrix(policy, t, i);
    sde_heads(policy, pass, head, i, i, i + 1);
    celi_gsde_act(scaled + i * A, celi_pass_output(pass) + i * A, celi_pass_latent(pass) + i * F,
                  policy->sde_matrix + i * F * A, F, A, policy->sde.squash);
  }
}

void celi_policy_rollout_act(const CeliPolicy *policy, CeliPass *pass, int64_t t, void *scaled,
                             float *head, const float *obs, int64_t begin, int64_t end) {
  if (policy->F) {
    rollout_act_sde(policy, pass, t, scaled, head, obs, begin, end);
    return;
  }
  forward(policy, pass, head, obs, begin, end);
  celi_dist_draw_rows(&policy->dist, celi_policy_free_log_std(policy), scaled,
                      celi_policy_lda(policy), head, policy->H, policy->noise + t * policy->W,
                      policy->T * policy->W, begin, end);
}

const void *celi_policy_rollout_actions(const CeliPolicy *policy, const void *scaled, int64_t begin,
                                        int64_t end) {
  const void *first = (const uint8_t *)scaled + (size_t)begin * policy->bytes;
  if (policy->dist.kind != CELI_SQUASHED_GAUSSIAN) return first;
  void *out = row(policy, policy->unscaled, begin);
  celi_policy_unscale(policy, out, first, end - begin);
  return out;
}

void celi_policy_rollout_sample(CeliPolicy *policy, void *actions, const float *obs) {
  enum { CHUNK = CEL_SPACE_BOUNDS_MAX };
  float noise[CHUNK];
  CeliPass pass = policy->pass;
  forward(policy, &pass, policy->F ? NULL : policy->head, obs, 0, policy->N);
  if (policy->F) {
    celi_gsde_variances(&policy->sde, policy->sde_var + policy->N * policy->F * policy->A);
    sde_heads(policy, &pass, policy->head, policy->N, 0, policy->N);
  }
  for (int64_t i = 0; i < policy->N; i++) {
    draw(policy, noise, CEL_RNG_EVAL_ACT, i, policy->sample_counter[i], policy->W);
    policy->sample_counter[i] += blocks(policy->W);
    celi_dist_draw_rows(&policy->dist, celi_policy_free_log_std(policy), row(policy, actions, i), 0,
                        policy->head + i * policy->H, 0, noise, 0, 0, 1);
  }
  if (policy->dist.kind == CELI_SQUASHED_GAUSSIAN)
    celi_policy_unscale(policy, actions, actions, policy->N);
}
