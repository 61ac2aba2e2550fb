/// Soft actor-critic.
///
/// Source: [maximum-entropy, 8.13-8.30], [policy-guarantees, SAC] (its losses (5)-(10)) with the temperature written
/// out as in docs/equations.md; Haarnoja et al., "Soft actor-critic algorithms and applications", 2018.
///
///   s, a, r, s'   a transition from the replay buffer       B   batch
///   pi, mu, sigma the policy and its Gaussian's parameters  E   number of critics
///   Q_e, Q'_e     critic e and its target network           O, A observation and action dimension
///   alpha         temperature, reward units per nat         Hbar target entropy, nats
///
/// One gradient step:
///   1  draw s, a, r, d = gamma^m (0 where terminated), s' of B transitions
///   2  a_pi, log pi(a_pi|s) ~ pi(.|s);  a', log pi(a'|s') ~ pi(.|s')
///   3  y = r + d (min_e Q'_e(s', a') - alpha log pi(a'|s'))                        [8.21]
///   4  J_Q = sum_e mean 1/2 (Q_e(s, a) - y)^2; Adam on the critics                 [(7)]
///   5  Q'_e += tau (Q_e - Q'_e)
///   6  J_pi = mean (alpha log pi(a_pi|s) - min_e Q_e(s, a_pi)); Adam on the policy [8.28, (10)]
///   7  J_alpha = -log alpha mean(log pi(a_pi|s) + Hbar); Adam on log alpha
/// alpha in lines 3 and 6 is the one from before line 7, as in Stable-Baselines3.
#include "celsius/sac.h"
#include "algo/algo.h"
#include "base/base.h"
#include "nn/dist.h"
#include "nn/mlp.h"
#include "nn/noise.h"
#include "nn/optim.h"
#include "rl/normalizer.h"
#include "rl/nstep.h"
#include "rl/replay.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/// In the order of the field's choices.
static const CeliActivation activations[] = {CELI_RELU, CELI_TANH, CELI_SILU};
/// Rows that act and predict take through the actor at once.
enum { ACT_ROWS = 64 };
/// Streams of reparametrisation noise inside of an update.
enum { NOISE_PI = 0, NOISE_NEXT = 1, NOISE_MID = 2 };
/// Streams of initial parameters; each network takes a block of indices.
enum { INIT_ACTOR = 0, INIT_CRITIC = 4096 };

typedef struct Sac {
  const CelSacConfig *config;
  CelAgent *agent;
  int64_t O, A, B, E, N;
  bool squash, gsde;
  double target_entropy;

  // Networks, their gradients and their uses on a batch.
  CeliMlp actor, critic, target;
  CeliMlpGrad actor_grad, critic_grad;
  CeliMlpPass pi, next, mid;   ///< actor on s, s' and the observations between
  CeliMlpPass q, q_pi, q_next; ///< critics on (s,a) and (s,a_pi), targets on (s',a')
  CeliDist dist_pi, dist_next, dist_mid;
  CeliGsde gsde_pi, gsde_next, gsde_mid;
  CeliAdam actor_adam, critic_adam, alpha_adam;
  CeliReplay replay;
  CeliNormalizer norm;
  CeliNoise noise;
  CeliPlan *plan;

  // Batch.
  float *sa, *sa_pi, *sa_next;              ///< (B, O+A) critic inputs
  float *reward, *discount;                 ///< (B,)
  float *y;                                 ///< (E,B) the target, each critic's own copy
  float *mid_obs, *mid_action, *mid_weight; ///< ((n-1) B, O), ((n-1) B, A), ((n-1), B)
  int64_t *row;                             ///< (B,)
  float *q_loss, *pi_loss, *q_min;          ///< (E,B), (B,), (B,)
  float *d_action;                          ///< (B,A)

  // Temperature: alpha is what an update uses, log_alpha what Adam moves.
  float *log_alpha, *d_log_alpha, *alpha;
  float *action_scale, *action_shift; ///< (A,) environment's action = shift + scale * a

  // Counters, all saved.
  uint64_t *sample_counter, *noise_counter; ///< blocks of the streams that updates use
  uint64_t *act_counter; ///< (N,) blocks of each environment's exploration stream
  int64_t *env_steps;    ///< (1,) steps of each environment
  int64_t *pending;      ///< (1,) gradient steps that are due
  int64_t *since_train;  ///< (1,) steps since the last update
  uint8_t *begins;       ///< (N,) the next observation begins an episode
  float *last_action;    ///< (N,A) scaled, of the last act in CEL_EXPLORE
  uint8_t *acted;        ///< (1,) act came before observe
  double *metric_sum;    ///< (METRICS,) since the last update call, scratch

  // Acting.
  CeliMlpPass act;
  float *act_obs, *act_out, *act_eps; ///< (ACT_ROWS, O), (ACT_ROWS, A), (ACT_ROWS, A)
  float *sde_matrix;                  ///< (N, H, A) gsde's matrices in force, saved
  float *sde_sample;                  ///< (H, A) gsde's matrix of a sample outside of exploration
  int slot[6];                        ///< metrics
} Sac;

enum {
  M_ACTOR_LOSS,
  M_CRITIC_LOSS,
  M_ENT_COEF,
  M_ENT_COEF_LOSS,
  M_LEARNING_RATE,
  M_ENTROPY,
  METRICS
};

static Sac *sac_of(const void *args) {
  return *(Sac *const *)args;
}

static CeliDistSpec dist_spec(const Sac *s) {
  return (CeliDistSpec){.kind = s->squash ? CELI_SQUASHED_GAUSSIAN : CELI_GAUSSIAN,
                        .A = s->A,
                        .log_std_min = s->config->log_std_min,
                        .log_std_max = s->config->log_std_max};
}

// ---- one operation an equation; rows [begin, end) of the batch.

/// Observations of the batch beside the actions that the policy will write (line 2).
static void op_copy_obs(const void *args, int64_t begin, int64_t end) {
  const Sac *s = sac_of(args);
  const ptrdiff_t ld = s->O + s->A;
  for (int64_t b = begin; b < end; b++)
    memcpy(s->sa_pi + b * ld, s->sa + b * ld, (size_t)s->O * sizeof(float));
}

/// Line 3 for rows [begin, end) of critic e's copy; with the entropies between, for n-step returns.
/// Source: [maximum-entropy, 8.21], [maximum-entropy, 8.13]
static void soft_target(const Sac *s, int64_t e, int64_t begin, int64_t end) {
  const float *logp = s->gsde ? s->gsde_next.logp : s->dist_next.logp;
  const float *mid_logp = s->gsde ? s->gsde_mid.logp : s->dist_mid.logp;
  float *y = s->y + e * s->B;
  celi_ops()->soft_target(y, s->reward, s->discount, s->q_next.Y[s->target.L - 1], logp, s->alpha,
                          s->E, s->B, begin, end, s->config->critic_reduce == 1);
  if (s->config->n_steps > 1)
    celi_nstep_entropy(y, s->mid_weight, mid_logp, s->alpha, s->config->n_steps - 1, s->B, begin,
                       end);
}

/// Lines 3 and 4, cut by critic and row: d J_Q / d Q_e = (Q_e - y) / B. Source: [policy-guarantees, (7)]
static void op_critic_loss(const void *args, int64_t begin, int64_t end) {
  const Sac *s = sac_of(args);
  const int last = s->critic.L - 1;
  int64_t from, to;
  for (int64_t e = 0; e < s->E; e++) {
    if (!celi_member_rows(s->B, e, begin, end, &from, &to)) continue;
    const int64_t at = e * s->B;
    soft_target(s, e, from, to);
    celi_ops()->squared_error(s->q.dY[last] + at, s->q_loss + at, s->q.Y[last] + at, s->y + at,
                              1.0f / (float)s->B, 1, s->B, from, to);
  }
}

/// Line 6: d J_pi / d Q and d J_pi / d log pi = alpha / B. Source: [maximum-entropy, 8.28]
static void op_actor_loss(const void *args, int64_t begin, int64_t end) {
  const Sac *s = sac_of(args);
  const int last = s->critic.L - 1;
  float *d_logp = s->gsde ? s->gsde_pi.d_logp : s->dist_pi.d_logp;
  const float *logp = s->gsde ? s->gsde_pi.logp : s->dist_pi.logp;
  celi_ops()->actor_objective(s->q_pi.dY[last], s->q_min, s->pi_loss, s->q_pi.Y[last], logp,
                              s->alpha, 1.0f / (float)s->B, s->E, s->B, begin, end,
                              s->config->critic_reduce == 1);
  celi_ops()->fill(d_logp + begin, *s->alpha / (float)s->B, end - begin);
}

/// Line 5, every target_update_interval updates.
static void op_targets(const void *args, int64_t begin, int64_t end) {
  const Sac *s = sac_of(args);
  if ((*s->agent->updates + 1) % s->config->target_update_interval != 0) return;
  celi_ops()->polyak(s->target.W[0], s->critic.W[0], (float)s->config->tau, begin, end);
}

/// Line 7: d J_alpha / d log alpha = -(mean log pi + Hbar). Then the counters. One part of the stage
/// of the policy's weight gradients, which needs nothing of it.
static void op_finish(const void *args, int64_t begin, int64_t end) {
  (void)begin, (void)end;
  Sac *s = sac_of(args);
  const CeliOps *ops = celi_ops();
  const float *logp = s->gsde ? s->gsde_pi.logp : s->dist_pi.logp;
  const double B = (double)s->B;
  const double mean_logp = (double)ops->sum(logp, s->B) / B;
  const double excess = mean_logp + s->target_entropy;
  s->metric_sum[M_ACTOR_LOSS] += (double)ops->sum(s->pi_loss, s->B) / B;
  s->metric_sum[M_CRITIC_LOSS] += (double)ops->sum(s->q_loss, s->E * s->B) / B;
  s->metric_sum[M_ENT_COEF] += (double)*s->alpha;
  s->metric_sum[M_ENTROPY] -= mean_logp;
  if (isnan(s->config->ent_coef)) {
    s->metric_sum[M_ENT_COEF_LOSS] -= (double)*s->log_alpha * excess;
    *s->d_log_alpha = (float)-excess;
    celi_adam_advance(s->alpha_adam.step);
    ops->adam(s->log_alpha, s->d_log_alpha, s->alpha_adam.m, s->alpha_adam.v, s->alpha_adam.step, 0,
              1);
    ops->exp(s->alpha, s->log_alpha, 1);
  }
  *s->sample_counter += celi_replay_blocks(s->B);
  *s->noise_counter +=
      (uint64_t)((s->B * s->A * s->config->n_steps + s->actor.width[s->actor.L - 1] * s->A) / 4 +
                 1);
  ++*s->agent->updates;
}

// ---- the plan: lines 1 to 7.

/// Line 2 for one batch of observations.
static void plan_policy(Sac *s, const CeliMlpPass *pass, const CeliDist *dist, const CeliGsde *gsde,
                        float *action, ptrdiff_t ld, uint32_t stream) {
  CeliPlan *plan = s->plan;
  const uint64_t seed = s->agent->options.seed;
  const float *head = pass->Y[s->actor.L - 1];
  const ptrdiff_t ldh = s->actor.spec.out;
  celi_mlp_plan_forward(plan, pass);
  if (!s->gsde) {
    celi_dist_plan_sample(plan, dist, action, ld, head, ldh, seed, stream, s->noise_counter);
    return;
  }
  const int hidden = s->actor.L - 2;
  celi_gsde_plan_sample(plan, gsde, action, ld, head, ldh, pass->Y[hidden],
                        s->actor.width[hidden + 1], seed, stream, s->noise_counter);
}

/// Line 2.
static void plan_policies(Sac *s) {
  const ptrdiff_t ld = s->O + s->A;
  plan_policy(s, &s->pi, &s->dist_pi, &s->gsde_pi, s->sa_pi + s->O, ld, NOISE_PI);
  plan_policy(s, &s->next, &s->dist_next, &s->gsde_next, s->sa_next + s->O, ld, NOISE_NEXT);
  if (s->config->n_steps > 1)
    plan_policy(s, &s->mid, &s->dist_mid, &s->gsde_mid, s->mid_action, s->A, NOISE_MID);
}

static void plan_critics(Sac *s) {
  celi_mlp_plan_forward(s->plan, &s->q_next);
  celi_mlp_plan_forward(s->plan, &s->q);
  // Every critic waits here: the target needs all of them.
  celi_plan_barrier(s->plan);
  celi_plan_add(s->plan, "critic loss", op_critic_loss, CELI_ROWS, s->E * s->B, CELI_ROW_GRAIN,
                false, &s,
                sizeof s); // lines 3 and 4
  celi_mlp_plan_backward_data(s->plan, &s->q, NULL, 0);
  celi_mlp_plan_backward_weight(s->plan, &s->q, &s->critic_grad, false);
  celi_mlp_plan_transpose(s->plan, &s->actor,
                          true); // of the last update's actor: read from line 6 on
  celi_adam_plan(s->plan, &s->critic_adam);
  celi_plan_add(s->plan, "targets", op_targets, CELI_PARTS, s->critic_adam.n, CELI_ELEMENT_GRAIN,
                true, &s,
                sizeof s); // line 5
  celi_mlp_plan_transpose(s->plan, &s->critic, false);
}

static void plan_actor(Sac *s) {
  const ptrdiff_t ld = s->O + s->A;
  const int last = s->actor.L - 1;
  const ptrdiff_t ldh = s->actor.spec.out;
  celi_mlp_plan_forward(s->plan, &s->q_pi);
  celi_plan_add(s->plan, "actor loss", op_actor_loss, CELI_ROWS, s->B, CELI_ROW_GRAIN, false, &s,
                sizeof s); // line 6
  celi_mlp_plan_backward_data_columns(s->plan, &s->q_pi, s->d_action, s->A, s->O, s->O + s->A);
  if (!s->gsde) {
    celi_dist_plan_sample_backward(s->plan, &s->dist_pi, s->pi.dY[last], ldh, s->d_action, s->A,
                                   s->sa_pi + s->O, ld, s->pi.Y[last], ldh);
  } else {
    celi_gsde_plan_backward(s->plan, &s->gsde_pi, s->pi.dY[last], ldh, s->pi.dH,
                            s->actor.width[last], s->d_action, s->A, s->sa_pi + s->O, ld,
                            s->pi.Y[last - 1], s->actor.width[last]);
  }
  celi_mlp_plan_backward_data(s->plan, &s->pi, NULL, 0);
  celi_mlp_plan_backward_weight(s->plan, &s->pi, &s->actor_grad, false);
  celi_plan_add(s->plan, "temperature", op_finish, CELI_PARTS, 1, 1, true, &s, sizeof s); // line 7
  celi_adam_plan(s->plan, &s->actor_adam);
}

static CelStatus write_plan(Sac *s) {
  const CelSacConfig *c = s->config;
  const ptrdiff_t ld = s->O + s->A;
  CELI_TRY(celi_plan_create(&s->plan));
  const CeliReplayBatch batch = {.B = s->B,
                                 .n = c->n_steps,
                                 .gamma = c->gamma,
                                 .obs = s->sa,
                                 .ldo = ld,
                                 .action = s->sa + s->O,
                                 .lda = ld,
                                 .next_obs = s->sa_next,
                                 .ldn = ld,
                                 .reward = s->reward,
                                 .discount = s->discount,
                                 .mid_obs = s->mid_obs,
                                 .mid_weight = s->mid_weight,
                                 .row = s->row,
                                 .reward_scale = c->normalize_reward ? s->norm.reward_scale : NULL,
                                 .clip_reward = (float)c->clip_reward};
  celi_replay_plan_sample(s->plan, &s->replay, &batch, s->agent->options.seed,
                          s->sample_counter); // line 1
  celi_normalizer_plan_obs(s->plan, &s->norm, s->sa, ld, s->B);
  celi_normalizer_plan_obs(s->plan, &s->norm, s->sa_next, ld, s->B);
  if (c->n_steps > 1)
    celi_normalizer_plan_obs(s->plan, &s->norm, s->mid_obs, s->O, (c->n_steps - 1) * s->B);
  celi_plan_add(s->plan, "copy observations", op_copy_obs, CELI_ROWS, s->B, CELI_ROW_GRAIN, false,
                &s, sizeof s);
  plan_policies(s);
  plan_critics(s);
  plan_actor(s);
  return celi_plan_end(s->plan);
}

// ---- update.

static CelStatus update(CelAgent *agent, int64_t n) {
  Sac *s = agent->self;
  if (*s->replay.transitions < 1)
    return cel_fail(CEL_E_STATE, "sac: nothing to learn from yet: observe a step before updating");
  const double rate =
      cel_schedule_at(&s->config->learning_rate, celi_agent_progress_remaining(agent));
  celi_adam_set_rate(&s->actor_adam, rate);
  celi_adam_set_rate(&s->critic_adam, rate);
  celi_adam_set_rate(&s->alpha_adam, rate);
  memset(s->metric_sum, 0, METRICS * sizeof *s->metric_sum);
  CELI_TRY(celi_plan_repeat(s->plan, agent->team, n));
  *s->pending = *s->pending > n ? *s->pending - n : 0;
  for (int i = 0; i < METRICS; i++) agent->metric[s->slot[i]] = s->metric_sum[i] / (double)n;
  agent->metric[s->slot[M_LEARNING_RATE]] = rate;
  static const char *const names[] = {"actor loss", "critic loss", "temperature",
                                      "temperature loss"};
  for (int i = 0; i <= M_ENT_COEF_LOSS; i++)
    if (!isfinite(s->metric_sum[i]))
      return cel_fail(
          CEL_E_NAN,
          "sac: the %s is %g at update %lld: try a smaller learning_rate, or normalize_observation",
          names[i], s->metric_sum[i], (long long)*agent->updates);
  return CEL_OK;
}

static int64_t due(const CelAgent *agent) {
  const Sac *s = agent->self;
  return *s->pending;
}

// ---- act, observe, predict.

/// Observations of up to ACT_ROWS rows through the normaliser and the actor.
static void act_forward(Sac *s, const float *obs, int64_t n) {
  celi_normalizer_apply(&s->norm, s->act_obs, s->O, obs, s->O, 0, n);
  celi_mlp_forward(&s->act, 0, n);
}

/// action (n,A) environment's units from scaled ones.
static void unscale(const Sac *s, float *out, const float *scaled, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    for (int64_t a = 0; a < s->A; a++)
      out[i * s->A + a] = s->action_shift[a] + s->action_scale[a] * scaled[i * s->A + a];
}

static void act_mode(Sac *s, float *scaled, int64_t n) {
  CeliDistSpec spec = dist_spec(s);
  celi_dist_mode(&spec, scaled, s->A, s->act.Y[s->actor.L - 1], s->actor.spec.out, 0, n);
}

/// A gSDE matrix M (H,A) from the stream of environment i. Source: Raffin et al., CoRL 2021.
static void draw_matrix(Sac *s, float *M, int64_t i) {
  const int64_t size = s->gsde_pi.H * s->A;
  celi_ops()->normal(M, s->agent->options.seed, CEL_RNG_ACT, (uint32_t)i, s->act_counter[i], 0,
                     size);
  s->act_counter[i] += (uint64_t)(size + 3) / 4;
  celi_gsde_scale(&s->gsde_pi, M);
}

/// New gSDE matrices of every environment.
static void renew_matrices(Sac *s) {
  for (int64_t i = 0; i < s->N; i++) draw_matrix(s, s->sde_matrix + i * s->gsde_pi.H * s->A, i);
}

/// Samples for rows first..first+n-1 of the environments; the actor's output is in place. gSDE: with the
/// matrices in force when exploring, otherwise with one of its own each time, which makes the action a sample of
/// the policy's N(mean, h^2 exp(2 log_std)).
static void act_sample(Sac *s, float *scaled, int64_t first, int64_t n, bool explore) {
  const CeliOps *ops = celi_ops();
  const int last = s->actor.L - 1;
  const float *head = s->act.Y[last];
  const ptrdiff_t ldh = s->actor.spec.out;
  if (s->gsde) {
    const int64_t H = s->gsde_pi.H, size = H * s->A;
    for (int64_t i = 0; i < n; i++) {
      if (!explore) draw_matrix(s, s->sde_sample, first + i);
      celi_gsde_act(scaled + i * s->A, head + i * ldh, s->act.Y[last - 1] + i * H,
                    explore ? s->sde_matrix + (first + i) * size : s->sde_sample, H, s->A,
                    s->squash);
    }
    return;
  }
  for (int64_t i = 0; i < n; i++) {
    uint64_t *counter = &s->act_counter[first + i];
    ops->normal(s->act_eps + i * s->A, s->agent->options.seed, CEL_RNG_ACT, (uint32_t)(first + i),
                *counter, 0, s->A);
    *counter += (uint64_t)(s->A + 3) / 4;
  }
  CeliDistSpec spec = dist_spec(s);
  celi_dist_sample_rows(&spec, scaled, s->A, head, ldh, s->act_eps, 0, n);
}

/// Uniform actions of environments first.. before learning starts: between the bounds, or on [-1, 1] where an
/// unsquashed policy has none.
static void act_random(Sac *s, float *scaled, int64_t first, int64_t n) {
  const CelSpacePart *part = &s->agent->action.part[0];
  for (int64_t i = 0; i < n; i++) {
    uint64_t *counter = &s->act_counter[first + i];
    float *a = scaled + i * s->A;
    celi_ops()->uniform(a, s->agent->options.seed, CEL_RNG_ACT, (uint32_t)(first + i), *counter, 0,
                        s->A);
    *counter += (uint64_t)(s->A + 3) / 4;
    for (int64_t k = 0; k < s->A; k++) {
      const bool bounded = isfinite(part->low[k]) && isfinite(part->high[k]);
      if (s->squash || !bounded)
        a[k] = 2 * a[k] - 1;
      else
        a[k] = part->low[k] * (1 - a[k]) + part->high[k] * a[k];
    }
  }
}

/// Whether the replay holds the first observations.
static bool has_begun(const Sac *s) {
  return s->replay.head[0] > 0;
}

/// The observations to act on belong at the head of the replay. As a rule they are what the last outcome told;
/// where an environment was put somewhere else since, or its episode was begun anew, the one so far counts as cut
/// off.
static void follow(Sac *s, const float *obs, const uint8_t *start) {
  const size_t bytes = s->replay.obs_bytes;
  if (!has_begun(s)) {
    celi_replay_start(&s->replay, obs);
    celi_normalizer_observe(&s->norm, obs, s->N);
    return;
  }
  for (int64_t i = 0; i < s->N; i++) {
    const float *o = obs + i * s->O;
    const bool anew = start && start[i] && !s->begins[i];
    const bool other = memcmp(celi_replay_newest(&s->replay, i), o, bytes) != 0;
    if (anew || other) celi_replay_begin(&s->replay, i, o);
    if (other) celi_normalizer_observe(&s->norm, o, 1);
    if (anew) celi_normalizer_begin(&s->norm, i);
  }
}

static CelStatus act(CelAgent *agent, const void *obs, const uint8_t *start, CelActMode mode,
                     void *actions) {
  Sac *s = agent->self;
  const CelSacConfig *c = s->config;
  const float *o = obs;
  float *out = actions;
  const bool random = mode == CEL_EXPLORE && *agent->steps < c->learning_starts;
  const int64_t every = c->sde_sample_freq > 0 ? c->sde_sample_freq : c->train_freq;
  if (s->gsde && mode == CEL_EXPLORE && *s->env_steps % every == 0) renew_matrices(s);
  for (int64_t first = 0; first < s->N; first += ACT_ROWS) {
    const int64_t n = s->N - first < ACT_ROWS ? s->N - first : ACT_ROWS;
    if (!random) act_forward(s, o + first * s->O, n);
    if (random)
      act_random(s, s->act_out, first, n);
    else if (mode == CEL_MODE)
      act_mode(s, s->act_out, n);
    else
      act_sample(s, s->act_out, first, n, mode == CEL_EXPLORE);
    if (mode == CEL_EXPLORE)
      memcpy(s->last_action + first * s->A, s->act_out, (size_t)(n * s->A) * sizeof(float));
    unscale(s, out + first * s->A, s->act_out, n);
  }
  if (mode != CEL_EXPLORE) return CEL_OK;
  if (!random && (s->noise.kind == CELI_NOISE_NORMAL || s->noise.kind == CELI_NOISE_OU)) {
    celi_noise_add(&s->noise, s->last_action, start ? start : s->begins);
    unscale(s, out, s->last_action, s->N);
  }
  follow(s, o, start);
  *s->acted = 1;
  return CEL_OK;
}

static CelStatus observe(CelAgent *agent, const CelOutcome *outcome) {
  Sac *s = agent->self;
  const CelSacConfig *c = s->config;
  if (!*s->acted || !has_begun(s))
    return cel_fail(CEL_E_STATE, "sac: observe without an act (mode CEL_EXPLORE) before it");
  *s->acted = 0;
  celi_replay_add(&s->replay, s->last_action, outcome->reward, outcome->terminated,
                  outcome->truncated, outcome->obs, outcome->final_obs);
  for (int64_t i = 0; i < s->N; i++) s->begins[i] = outcome->terminated[i] || outcome->truncated[i];
  celi_normalizer_observe(&s->norm, outcome->obs, s->N);
  celi_normalizer_reward(&s->norm, outcome->reward, s->begins);
  *agent->steps += s->N;
  ++*s->env_steps;
  *s->since_train += s->N;
  if (*s->env_steps % c->train_freq == 0) {
    if (*agent->steps > c->learning_starts)
      *s->pending += c->gradient_steps < 0 ? *s->since_train : c->gradient_steps;
    *s->since_train = 0;
  }
  return CEL_OK;
}

static CelStatus predict(CelAgent *agent, const void *obs, int64_t n, void *actions) {
  Sac *s = agent->self;
  for (int64_t first = 0; first < n; first += ACT_ROWS) {
    const int64_t rows = n - first < ACT_ROWS ? n - first : ACT_ROWS;
    act_forward(s, (const float *)obs + first * s->O, rows);
    act_mode(s, s->act_out, rows);
    unscale(s, (float *)actions + first * s->A, s->act_out, rows);
  }
  return CEL_OK;
}

// ---- create and destroy.

static CelStatus check_spaces(CelAgent *agent, const CelSacConfig *c) {
  char text[128];
  if (cel_space_floats(&agent->observation) < 1) {
    cel_space_describe(&agent->observation, text, sizeof text);
    return cel_fail(CEL_E_UNSUPPORTED, "sac: observations must be a float32 box, not %s", text);
  }
  const CelSpacePart *part = &agent->action.part[0];
  if (cel_space_floats(&agent->action) < 1 || agent->action.n_parts != 1) {
    cel_space_describe(&agent->action, text, sizeof text);
    return cel_fail(
        CEL_E_UNSUPPORTED,
        "sac: actions must be one continuous box, not %s; pick an environment with continuous "
        "actions (Pendulum-v1, MountainCarContinuous-v0)",
        text);
  }
  if (part->size > CEL_SPACE_BOUNDS_MAX)
    return cel_fail(CEL_E_UNSUPPORTED, "sac: %lld action dimensions; at most %d",
                    (long long)part->size, CEL_SPACE_BOUNDS_MAX);
  for (int64_t a = 0; a < part->size; a++)
    if (c->policy == 0 && !(isfinite(part->low[a]) && isfinite(part->high[a])))
      return cel_fail(CEL_E_UNSUPPORTED,
                      "sac: action %lld is unbounded, which a squashed Gaussian cannot reach: set "
                      "policy to gaussian",
                      (long long)a);
  return CEL_OK;
}

static CelStatus check_config(const CelSacConfig *c) {
  if (c->log_std_min >= c->log_std_max)
    return cel_fail(CEL_E_RANGE, "sac: log_std_min %g must lie below log_std_max %g",
                    c->log_std_min, c->log_std_max);
  if (c->noise == CELI_NOISE_GSDE && c->net_arch.n < 1)
    return cel_fail(CEL_E_RANGE, "sac: noise gsde needs a hidden layer in net_arch");
  if (c->sde_sample_freq == 0)
    return cel_fail(CEL_E_RANGE, "sac: sde_sample_freq is 0; take a number of steps, or -1 for "
                                 "every train_freq");
  if (!isnan(c->ent_coef) && c->ent_coef < 0)
    return cel_fail(CEL_E_RANGE, "sac: ent_coef %g must not be negative", c->ent_coef);
  return CEL_OK;
}

static CelStatus declare_networks(Sac *s, CelTensors *t) {
  const CelSacConfig *c = s->config;
  CeliMlpSpec actor = {.E = 1,
                       .in = s->O,
                       .out = s->gsde ? s->A : 2 * s->A,
                       .hidden = c->net_arch,
                       .activation = activations[c->activation],
                       .layer_norm = c->layer_norm,
                       .init = (CeliInit)c->init,
                       .output_gain = 1,
                       .dx_begin = s->O,
                       .dx_end = s->O};
  if (actor.init == CELI_ORTHOGONAL) actor.output_gain = 0.01;
  CeliMlpSpec critic = actor;
  critic.E = s->E, critic.in = s->O + s->A, critic.out = 1, critic.output_gain = 1;
  critic.dx_begin = s->O,
  critic.dx_end = s->O + s->A; // the actor follows the critics' gradient to the action
  CELI_TRY(celi_mlp_declare(&s->actor, t, "actor", CEL_PARAM, &actor));
  CELI_TRY(celi_mlp_declare_grad(&s->actor_grad, t, "actor", CEL_GRAD, &actor));
  CELI_TRY(celi_mlp_declare_grad(NULL, t, "actor", CEL_MOMENT1, &actor));
  CELI_TRY(celi_mlp_declare_grad(NULL, t, "actor", CEL_MOMENT2, &actor));
  if (s->gsde)
    CELI_TRY(
        celi_gsde_declare_param(&s->gsde_pi, t, "actor", c->net_arch.v[c->net_arch.n - 1], s->A));
  CELI_TRY(celi_mlp_declare(&s->critic, t, "critic", CEL_PARAM, &critic));
  CELI_TRY(celi_mlp_declare_grad(&s->critic_grad, t, "critic", CEL_GRAD, &critic));
  CELI_TRY(celi_mlp_declare_grad(NULL, t, "critic", CEL_MOMENT1, &critic));
  CELI_TRY(celi_mlp_declare_grad(NULL, t, "critic", CEL_MOMENT2, &critic));
  return celi_mlp_declare(&s->target, t, "target", CEL_TARGET, &critic);
}

#define DECLARE(name, type, role, place, ...)                                                      \
  CELI_TRY(cel_tensors_declare(t, name, type, role, place,                                         \
                               (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),          \
                               (int64_t[]){__VA_ARGS__}))

static CelStatus declare_temperature(Sac *s, CelTensors *t) {
  DECLARE("log_ent_coef", CEL_F32, CEL_PARAM, &s->log_alpha, 1);
  DECLARE("grad.log_ent_coef", CEL_F32, CEL_GRAD, &s->d_log_alpha, 1);
  DECLARE("adam.m.log_ent_coef", CEL_F32, CEL_MOMENT1, NULL, 1);
  DECLARE("adam.v.log_ent_coef", CEL_F32, CEL_MOMENT2, NULL, 1);
  DECLARE("ent_coef", CEL_F32, CEL_SCRATCH, &s->alpha, 1);
  return CEL_OK;
}

static CelStatus declare_passes(Sac *s, CelTensors *t) {
  const int64_t mid = (s->config->n_steps - 1) * s->B;
  const int shares = celi_team_size(s->agent->team);
  const int open = s->gsde ? 1 : shares; // gsde reads the last hidden layer of the actor
  CELI_TRY(celi_mlp_declare_pass_shared(&s->pi, t, "pass.pi", &s->actor, s->B, true, open));
  CELI_TRY(celi_mlp_declare_pass_shared(&s->next, t, "pass.next", &s->actor, s->B, false, open));
  CELI_TRY(celi_mlp_declare_pass(&s->act, t, "pass.act", &s->actor, ACT_ROWS, false));
  CELI_TRY(celi_mlp_declare_pass_shared(&s->q, t, "pass.q", &s->critic, s->B, true, shares));
  CELI_TRY(
      celi_mlp_declare_pass_shared(&s->q_next, t, "pass.q_next", &s->target, s->B, false, shares));
  if (mid)
    CELI_TRY(celi_mlp_declare_pass_shared(&s->mid, t, "pass.mid", &s->actor, mid, false, open));
  if (!s->gsde) {
    const CeliDistSpec spec = dist_spec(s);
    CELI_TRY(celi_dist_declare(&s->dist_pi, t, "dist.pi", &spec, s->B, true));
    CELI_TRY(celi_dist_declare(&s->dist_next, t, "dist.next", &spec, s->B, false));
    return mid ? celi_dist_declare(&s->dist_mid, t, "dist.mid", &spec, mid, false) : CEL_OK;
  }
  const int64_t H = s->actor.width[s->actor.L - 1];
  DECLARE("pass.pi.dH", CEL_F32, CEL_SCRATCH, &s->pi.dH, 1, s->B, H);
  CELI_TRY(celi_gsde_declare(&s->gsde_pi, t, "gsde.pi", s->B, s->squash));
  CELI_TRY(celi_gsde_declare_shared(&s->gsde_next, t, "gsde.next", &s->gsde_pi, s->B));
  return mid ? celi_gsde_declare_shared(&s->gsde_mid, t, "gsde.mid", &s->gsde_pi, mid) : CEL_OK;
}

static CelStatus declare_batch(Sac *s, CelTensors *t) {
  const int64_t B = s->B, A = s->A, D = s->O + s->A, mid = s->config->n_steps - 1;
  DECLARE("batch.sa", CEL_F32, CEL_SCRATCH, &s->sa, B, D);
  DECLARE("batch.sa_pi", CEL_F32, CEL_SCRATCH, &s->sa_pi, B, D);
  DECLARE("batch.sa_next", CEL_F32, CEL_SCRATCH, &s->sa_next, B, D);
  DECLARE("batch.reward", CEL_F32, CEL_SCRATCH, &s->reward, B);
  DECLARE("batch.discount", CEL_F32, CEL_SCRATCH, &s->discount, B);
  DECLARE("batch.y", CEL_F32, CEL_SCRATCH, &s->y, s->E, B);
  DECLARE("batch.row", CEL_I64, CEL_SCRATCH, &s->row, B);
  DECLARE("batch.q_loss", CEL_F32, CEL_SCRATCH, &s->q_loss, s->E, B);
  DECLARE("batch.pi_loss", CEL_F32, CEL_SCRATCH, &s->pi_loss, B);
  DECLARE("batch.q_min", CEL_F32, CEL_SCRATCH, &s->q_min, B);
  DECLARE("batch.d_action", CEL_F32, CEL_SCRATCH, &s->d_action, B, A);
  if (mid == 0) return CEL_OK;
  DECLARE("batch.mid_obs", CEL_F32, CEL_SCRATCH, &s->mid_obs, mid * B, s->O);
  DECLARE("batch.mid_action", CEL_F32, CEL_SCRATCH, &s->mid_action, mid * B, A);
  DECLARE("batch.mid_weight", CEL_F32, CEL_SCRATCH, &s->mid_weight, mid, B);
  return CEL_OK;
}

static CelStatus declare_state(Sac *s, CelTensors *t) {
  const int64_t N = s->N, A = s->A;
  DECLARE("action_scale", CEL_F32, CEL_MODEL, &s->action_scale, A);
  DECLARE("action_shift", CEL_F32, CEL_MODEL, &s->action_shift, A);
  DECLARE("sample_counter", CEL_U64, CEL_STATE, &s->sample_counter, 1);
  DECLARE("noise_counter", CEL_U64, CEL_STATE, &s->noise_counter, 1);
  DECLARE("act_counter", CEL_U64, CEL_STATE, &s->act_counter, N);
  DECLARE("env_steps", CEL_I64, CEL_STATE, &s->env_steps, 1);
  DECLARE("pending", CEL_I64, CEL_STATE, &s->pending, 1);
  DECLARE("since_train", CEL_I64, CEL_STATE, &s->since_train, 1);
  DECLARE("begins", CEL_U8, CEL_STATE, &s->begins, N);
  DECLARE("acted", CEL_U8, CEL_STATE, &s->acted, 1);
  DECLARE("last_action", CEL_F32, CEL_STATE, &s->last_action, N, A);
  DECLARE("metric_sum", CEL_F64, CEL_SCRATCH, &s->metric_sum, METRICS);
  DECLARE("act.obs", CEL_F32, CEL_SCRATCH, &s->act_obs, ACT_ROWS, s->O);
  DECLARE("act.out", CEL_F32, CEL_SCRATCH, &s->act_out, ACT_ROWS, A);
  DECLARE("act.eps", CEL_F32, CEL_SCRATCH, &s->act_eps, ACT_ROWS, A);
  if (!s->gsde) return CEL_OK;
  const int64_t H = s->actor.width[s->actor.L - 1];
  DECLARE("sde_matrix", CEL_F32, CEL_STATE, &s->sde_matrix, N, H, A);
  DECLARE("act.sde", CEL_F32, CEL_SCRATCH, &s->sde_sample, H, A);
  return CEL_OK;
}

static void measure(Sac *s, CelAgent *agent) {
  const CelSacConfig *c = agent->config;
  s->agent = agent, s->config = c;
  s->O = cel_space_floats(&agent->observation), s->A = agent->action.part[0].size;
  s->B = c->batch_size, s->E = c->n_critics, s->N = agent->options.n_envs;
  s->squash = c->policy == 0, s->gsde = c->noise == CELI_NOISE_GSDE;
  s->target_entropy = isnan(c->target_entropy) ? -(double)s->A : c->target_entropy;
}

static CelStatus declare(CelAgent *agent) {
  Sac *s = agent->self;
  CelTensors *t = agent->tensors;
  const CelSacConfig *c = agent->config;
  CELI_TRY(check_spaces(agent, c));
  CELI_TRY(check_config(c));
  measure(s, agent);
  CELI_TRY(declare_networks(s, t));
  CELI_TRY(declare_temperature(s, t));
  CELI_TRY(declare_passes(s, t));
  CELI_TRY(declare_batch(s, t));
  CELI_TRY(declare_state(s, t));
  CELI_TRY(celi_adam_declare(&s->actor_adam, t, "adam.actor"));
  CELI_TRY(celi_adam_declare(&s->critic_adam, t, "adam.critic"));
  CELI_TRY(celi_adam_declare(&s->alpha_adam, t, "adam.ent_coef"));
  const CelSpace stored = cel_space_box(s->A, -(double)INFINITY, (double)INFINITY);
  CELI_TRY(celi_replay_declare(&s->replay, t, &agent->observation, &stored, s->N, c->buffer_size));
  CELI_TRY(celi_normalizer_declare(&s->norm, t, c->normalize_observation, c->normalize_reward, s->O,
                                   s->N, c->clip_observation, c->clip_reward, c->gamma));
  const CeliNoiseKind additive = s->gsde ? CELI_NOISE_NONE : (CeliNoiseKind)c->noise;
  CELI_TRY(celi_noise_declare(&s->noise, t, "noise", additive, s->N, s->A, c->noise_sigma,
                              c->noise_theta, c->noise_dt, agent->options.seed));
  if (!s->squash) s->noise.limit = (double)INFINITY; // the environment clips to its own bounds
  return CEL_OK;
}

/// Points the uses of networks at their inputs.
static void bind_passes(Sac *s) {
  const ptrdiff_t ld = s->O + s->A;
  s->pi.X = s->sa, s->pi.ldx = ld;
  s->next.X = s->sa_next, s->next.ldx = ld;
  s->mid.X = s->mid_obs, s->mid.ldx = s->O;
  s->act.X = s->act_obs, s->act.ldx = s->O;
  s->q.X = s->sa, s->q.ldx = ld;
  s->q_pi = s->q; // activations are used again: the critics' own gradients are done with by then
  s->q_pi.X = s->sa_pi;
  s->q_next.X = s->sa_next, s->q_next.ldx = ld;
}

static CelStatus bind_optimisers(Sac *s) {
  const CelSacConfig *c = s->config;
  const CelTensors *t = s->agent->tensors;
  char last[CEL_NAME_MAX];
  CeliAdamConfig adam = {.learning_rate = cel_schedule_at(&c->learning_rate, 1),
                         .beta1 = c->adam_beta1,
                         .beta2 = c->adam_beta2,
                         .epsilon = c->adam_epsilon,
                         .weight_decay = c->weight_decay,
                         .max_grad_norm = c->max_grad_norm};
  snprintf(last, sizeof last, "critic.%d.bias", s->critic.L - 1);
  CELI_TRY(celi_adam_bind(&s->critic_adam, t, "critic.0.weight", last, &adam));
  snprintf(last, sizeof last, s->gsde ? "actor.log_std" : "actor.%d.bias", s->actor.L - 1);
  CELI_TRY(celi_adam_bind(&s->actor_adam, t, "actor.0.weight", last, &adam));
  adam.weight_decay = adam.max_grad_norm = 0;
  return celi_adam_bind(&s->alpha_adam, t, "log_ent_coef", "log_ent_coef", &adam);
}

static void bind_metrics(Sac *s) {
  static const char *const names[METRICS] = {"train/actor_loss",    "train/critic_loss",
                                             "train/ent_coef",      "train/ent_coef_loss",
                                             "train/learning_rate", "train/entropy"};
  for (int i = 0; i < METRICS; i++) s->slot[i] = celi_agent_metric_add(s->agent, names[i]);
}

/// Saved numbers may come from a broken file. Errors: CEL_E_CORRUPT, naming the one that cannot be.
static CelStatus check_state(const Sac *s) {
  const struct {
    const char *name;
    int64_t value;
  } counters[] = {{"steps", *s->agent->steps},
                  {"updates", *s->agent->updates},
                  {"env_steps", *s->env_steps},
                  {"pending", *s->pending},
                  {"since_train", *s->since_train}};
  for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++)
    if (counters[i].value < 0 || counters[i].value > INT64_MAX / 2)
      return cel_fail(CEL_E_CORRUPT, "sac: the counter '%s' is %lld", counters[i].name,
                      (long long)counters[i].value);
  for (int64_t i = 0; i < s->N; i++)
    if (s->replay.head[i] < 0 || (s->replay.head[i] > 0) != has_begun(s))
      return cel_fail(CEL_E_CORRUPT,
                      "sac: replay.head of environment %lld is %lld, that of environment 0 %lld",
                      (long long)i, (long long)s->replay.head[i], (long long)s->replay.head[0]);
  return CEL_OK;
}

/// What follows from saved tensors.
static CelStatus sync_derived(CelAgent *agent) {
  Sac *s = agent->self;
  CELI_TRY(check_state(s));
  if (isnan(s->config->ent_coef))
    celi_ops()->exp(s->alpha, s->log_alpha, 1);
  else
    *s->alpha = (float)s->config->ent_coef;
  celi_mlp_transpose(&s->actor);
  celi_mlp_transpose(&s->critic);
  return CEL_OK;
}

static CelStatus prepare(CelAgent *agent) {
  Sac *s = agent->self;
  const CelSacConfig *c = s->config;
  const CelSpacePart *part = &agent->action.part[0];
  celi_mlp_init(&s->actor, agent->options.seed, INIT_ACTOR);
  celi_mlp_init(&s->critic, agent->options.seed, INIT_CRITIC);
  size_t bytes;
  void *target = cel_tensors_region(agent->tensors, CEL_TARGET, &bytes);
  memcpy(target, s->critic.W[0], bytes);
  if (s->gsde) celi_ops()->fill(s->gsde_pi.log_std, (float)c->log_std_init, s->gsde_pi.H * s->A);
  *s->log_alpha = isnan(c->ent_coef) ? (float)log(c->ent_coef_init) : 0;
  for (int64_t a = 0; a < s->A; a++) {
    const double low = (double)part->low[a], high = (double)part->high[a];
    s->action_scale[a] = s->squash ? (float)((high - low) / 2) : 1;
    s->action_shift[a] = s->squash ? (float)((high + low) / 2) : 0;
  }
  memset(s->begins, 1, (size_t)s->N);
  celi_normalizer_reset(&s->norm);
  bind_passes(s);
  bind_metrics(s);
  CELI_TRY(bind_optimisers(s));
  CELI_TRY(sync_derived(agent));
  return write_plan(s);
}

static CeliPolicySpec policy_spec(const CelAgent *agent) {
  const Sac *s = agent->self;
  return (CeliPolicySpec){.kind = s->squash ? CELI_SQUASHED_GAUSSIAN : CELI_GAUSSIAN,
                          .activation = activations[s->config->activation],
                          .A = s->A};
}

static CeliReplay *replay_of(CelAgent *agent) {
  return &((Sac *)agent->self)->replay;
}

static void release(CelAgent *agent) {
  celi_plan_destroy(((Sac *)agent->self)->plan);
}

const CeliAlgo celi_algo_sac = {
    .info = {"sac", "soft actor-critic: twin critics, learned temperature; continuous actions",
             celi_sac_fields, sizeof(CelSacConfig)},
    .state_size = sizeof(Sac),
    .declare = declare,
    .prepare = prepare,
    .release = release,
    .act = act,
    .observe = observe,
    .due = due,
    .update = update,
    .predict = predict,
    .sync = sync_derived,
    .policy = policy_spec,
    .replay = replay_of,
};
