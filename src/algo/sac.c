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
#include "algo/box.h"
#include "algo/off_policy.h"
#include "base/base.h"
#include "nn/dist.h"
#include "nn/noise.h"
#include "rl/nstep.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// Streams of reparametrisation noise inside of an update.
enum { NOISE_PI = 0, NOISE_NEXT = 1, NOISE_MID = 2 };
/// Streams of initial parameters; each network takes a block of indices.
enum { INIT_ACTOR = 0, INIT_CRITIC = 4096 };

typedef struct Sac {
  CeliExperience experience;
  const CelSacConfig *config;
  CelAgent *agent;
  int64_t O, A, B, E, N;
  bool squash, gsde;

  // Networks, their gradients and their uses on a batch.
  CeliTrained actor, critic;
  CeliNet target;
  CeliPass pi, next, mid;   ///< actor on s, s' and the observations between
  CeliPass q, q_pi, q_next; ///< critics on (s,a) and (s,a_pi), targets on (s',a')
  CeliDist dist_pi, dist_next, dist_mid;
  CeliGsde gsde_pi, gsde_next, gsde_mid;
  CeliTemperature temperature;
  CeliBox box;
  CeliNoise noise;
  CeliUpdate update;

  // Batch.
  float *sa, *sa_pi, *sa_next;              ///< (B, O+A) critic inputs
  float *reward, *discount;                 ///< (B,)
  float *y;                                 ///< (E,B) the target, each critic's own copy
  float *mid_obs, *mid_action, *mid_weight; ///< ((n-1) B, O), ((n-1) B, A), ((n-1), B)
  int64_t *row;                             ///< (B,)
  float *q_loss, *pi_loss, *q_min;          ///< (E,B), (B,), (B,)
  float *d_action;                          ///< (B,A)

  uint64_t *noise_counter; ///< (1,) blocks of the streams that updates take noise from, saved

  // Acting.
  CeliActing acting;
  float *sde_matrix; ///< (N, H, A) gsde's matrices in force, saved
  float *sde_sample; ///< (H, A) gsde's matrix of a sample outside of exploration
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
  celi_ops()->soft_target(y, s->reward, s->discount, celi_pass_output(&s->q_next), logp,
                          s->temperature.alpha, s->E, s->B, begin, end,
                          s->config->critic_reduce == CEL_CRITIC_REDUCE_MEAN);
  if (s->config->n_steps > 1)
    celi_nstep_entropy(y, s->mid_weight, mid_logp, s->temperature.alpha, s->config->n_steps - 1,
                       s->B, begin, end);
}

/// Lines 3 and 4, cut by critic and row: d J_Q / d Q_e = (Q_e - y) / B. Source: [policy-guarantees, (7)]
static void op_critic_loss(const void *args, int64_t begin, int64_t end) {
  const Sac *s = sac_of(args);
  int64_t from, to;
  for (int64_t e = 0; e < s->E; e++) {
    if (!celi_member_rows(s->B, e, begin, end, &from, &to)) continue;
    const int64_t at = e * s->B;
    soft_target(s, e, from, to);
    celi_ops()->squared_error(celi_pass_d_output(&s->q) + at, s->q_loss + at,
                              celi_pass_output(&s->q) + at, s->y + at, 1.0f / (float)s->B, 1, s->B,
                              from, to);
  }
}

/// Line 6: d J_pi / d Q and d J_pi / d log pi = alpha / B. Source: [maximum-entropy, 8.28]
static void op_actor_loss(const void *args, int64_t begin, int64_t end) {
  const Sac *s = sac_of(args);
  float *d_logp = s->gsde ? s->gsde_pi.d_logp : s->dist_pi.d_logp;
  const float *logp = s->gsde ? s->gsde_pi.logp : s->dist_pi.logp;
  celi_ops()->actor_objective(celi_pass_d_output(&s->q_pi), s->q_min, s->pi_loss,
                              celi_pass_output(&s->q_pi), logp, s->temperature.alpha,
                              1.0f / (float)s->B, s->E, s->B, begin, end,
                              s->config->critic_reduce == CEL_CRITIC_REDUCE_MEAN);
  celi_ops()->fill(d_logp + begin, *s->temperature.alpha / (float)s->B, end - begin);
}

/// Line 5, every target_update_interval updates.
static void op_targets(const void *args, int64_t begin, int64_t end) {
  const Sac *s = sac_of(args);
  celi_target_move(&s->target, &s->critic.net, s->config->common.tau,
                   s->config->common.target_update_interval, *s->agent->updates, begin, end);
}

/// Line 7: d J_alpha / d log alpha = -(mean log pi + Hbar). Then the counters. One part of the stage
/// of the policy's weight gradients, which needs nothing of it.
static void op_finish(const void *args, int64_t begin, int64_t end) {
  (void)begin, (void)end;
  Sac *s = sac_of(args);
  const CeliOps *ops = celi_ops();
  const float *logp = s->gsde ? s->gsde_pi.logp : s->dist_pi.logp;
  const double B = (double)s->B;
  const double entropy = -(double)ops->sum(logp, s->B) / B;
  double *mean = s->update.means.sum;
  mean[M_ACTOR_LOSS] += (double)ops->sum(s->pi_loss, s->B) / B;
  mean[M_CRITIC_LOSS] += (double)ops->sum(s->q_loss, s->E * s->B) / B;
  mean[M_ENT_COEF] += (double)*s->temperature.alpha;
  mean[M_ENTROPY] += entropy;
  mean[M_ENT_COEF_LOSS] += celi_temperature_step(&s->temperature, entropy);
  *s->experience.sample_counter += celi_replay_blocks(s->B);
  *s->noise_counter +=
      (uint64_t)((s->B * s->A * s->config->n_steps + celi_net_latent_width(&s->actor.net) * s->A) /
                     4 +
                 1);
  ++*s->agent->updates;
}

// ---- the plan: lines 1 to 7.

/// Line 2 for one batch of observations.
static void plan_policy(Sac *s, const CeliPass *pass, const CeliDist *dist, const CeliGsde *gsde,
                        float *action, ptrdiff_t ld, uint32_t stream) {
  CeliPlan *plan = s->update.plan;
  const uint64_t seed = s->agent->options.seed;
  const float *head = celi_pass_output(pass);
  const ptrdiff_t ldh = s->actor.net.out;
  celi_net_plan_forward(plan, pass);
  if (!s->gsde) {
    celi_dist_plan_sample(plan, dist, action, ld, head, ldh, seed, stream, s->noise_counter);
    return;
  }
  celi_gsde_plan_sample(plan, gsde, action, ld, head, ldh, celi_pass_latent(pass),
                        celi_net_latent_width(&s->actor.net), seed, stream, s->noise_counter);
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
  celi_net_plan_forward(s->update.plan, &s->q_next);
  celi_net_plan_forward(s->update.plan, &s->q);
  // Every critic waits here: the target needs all of them.
  celi_plan_barrier(s->update.plan);
  celi_plan_add(s->update.plan, "critic loss", op_critic_loss, CELI_ROWS, s->E * s->B,
                CELI_ROW_GRAIN, false, &s,
                sizeof s); // lines 3 and 4
  celi_net_plan_backward_data(s->update.plan, &s->q, NULL, 0);
  celi_net_plan_backward_weight(s->update.plan, &s->q, &s->critic.grad, false);
  celi_net_plan_transpose(s->update.plan, &s->actor.net,
                          true); // of the last update's actor: read from line 6 on
  celi_adam_plan(s->update.plan, &s->critic.adam);
  celi_plan_add(s->update.plan, "targets", op_targets, CELI_PARTS, s->critic.adam.n,
                CELI_ELEMENT_GRAIN, true, &s,
                sizeof s); // line 5
  celi_net_plan_transpose(s->update.plan, &s->critic.net, false);
}

static void plan_actor(Sac *s) {
  const ptrdiff_t ld = s->O + s->A;
  const ptrdiff_t ldh = s->actor.net.out;
  celi_net_plan_forward(s->update.plan, &s->q_pi);
  celi_plan_add(s->update.plan, "actor loss", op_actor_loss, CELI_ROWS, s->B, CELI_ROW_GRAIN, false,
                &s,
                sizeof s); // line 6
  celi_net_plan_backward_data_columns(s->update.plan, &s->q_pi, s->d_action, s->A, s->O,
                                      s->O + s->A);
  if (!s->gsde) {
    celi_dist_plan_sample_backward(s->update.plan, &s->dist_pi, celi_pass_d_output(&s->pi), ldh,
                                   s->d_action, s->A, s->sa_pi + s->O, ld, celi_pass_output(&s->pi),
                                   ldh);
  } else {
    celi_gsde_plan_backward(s->update.plan, &s->gsde_pi, celi_pass_d_output(&s->pi), ldh, s->pi.dH,
                            celi_net_latent_width(&s->actor.net), s->d_action, s->A,
                            s->sa_pi + s->O, ld, celi_pass_latent(&s->pi),
                            celi_net_latent_width(&s->actor.net));
  }
  celi_net_plan_backward_data(s->update.plan, &s->pi, NULL, 0);
  celi_net_plan_backward_weight(s->update.plan, &s->pi, &s->actor.grad, false);
  celi_plan_add(s->update.plan, "temperature", op_finish, CELI_PARTS, 1, 1, true, &s,
                sizeof s); // line 7
  celi_adam_plan(s->update.plan, &s->actor.adam);
}

static CelStatus write_plan(Sac *s) {
  const ptrdiff_t ld = s->O + s->A;
  CELI_TRY(celi_plan_create(&s->update.plan));
  const CeliReplayBatch batch = {.B = s->B,
                                 .n = s->config->n_steps,
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
                                 .row = s->row};
  celi_experience_plan_sample(&s->experience, s->update.plan, batch); // line 1
  celi_plan_add(s->update.plan, "copy observations", op_copy_obs, CELI_ROWS, s->B, CELI_ROW_GRAIN,
                false, &s, sizeof s);
  plan_policies(s);
  plan_critics(s);
  plan_actor(s);
  return celi_plan_end(s->update.plan);
}

// ---- update.

static CelStatus update(CelAgent *agent, int64_t n) {
  Sac *s = agent->self;
  return celi_off_policy_update(agent, &s->update, &s->config->common.learning_rate, n);
}

// ---- act, observe, predict.

/// A gSDE matrix M (H,A) from the stream of environment i. Source: Raffin et al., CoRL 2021.
static void draw_matrix(Sac *s, float *M, int64_t i) {
  const int64_t size = s->gsde_pi.H * s->A;
  celi_ops()->normal(M, s->agent->options.seed, CEL_RNG_ACT, (uint32_t)i,
                     s->experience.act_counter[i], 0, size);
  s->experience.act_counter[i] += (uint64_t)(size + 3) / 4;
  celi_gsde_scale(&s->gsde_pi, M);
}

/// New gSDE matrices of every environment.
static void renew_matrices(Sac *s) {
  for (int64_t i = 0; i < s->N; i++) draw_matrix(s, s->sde_matrix + i * s->gsde_pi.H * s->A, i);
}

/// Samples of gSDE for all environments: with the matrices in force when exploring, otherwise with one of its own each
/// time, which makes the action a sample of the policy's N(mean, h^2 exp(2 log_std)).
static void act_gsde(Sac *s, const float *obs, bool explore, float *actions) {
  const int64_t H = s->gsde_pi.H, A = s->A, size = H * A;
  float *scaled = s->box.out, *last_action = s->experience.last_action;
  for (int64_t first = 0; first < s->N; first += CELI_ACT_ROWS) {
    const int64_t n = s->N - first < CELI_ACT_ROWS ? s->N - first : CELI_ACT_ROWS;
    const float *head = celi_acting_forward(&s->acting, &s->experience.norm, obs + first * s->O, n);
    const float *latent = celi_pass_latent(&s->acting.pass);
    for (int64_t i = 0; i < n; i++) {
      if (!explore) draw_matrix(s, s->sde_sample, first + i);
      celi_gsde_act(scaled + i * A, head + i * A, latent + i * H,
                    explore ? s->sde_matrix + (first + i) * size : s->sde_sample, H, A, s->squash);
    }
    if (explore) memcpy(last_action + first * A, scaled, (size_t)(n * A) * sizeof(float));
    celi_box_unscale(&s->box, actions + first * A, scaled, n);
  }
}

static CelStatus act(CelAgent *agent, const void *obs, const uint8_t *start, CelActMode mode,
                     void *actions) {
  Sac *s = agent->self;
  const CelSacConfig *c = s->config;
  CeliExperience *x = &s->experience;
  const CeliDistSpec spec = dist_spec(s);
  const bool random = celi_experience_random(x, mode);
  const int64_t every = c->sde_sample_freq > 0 ? c->sde_sample_freq : c->common.train_freq;
  if (s->gsde && mode == CEL_EXPLORE && *x->env_steps % every == 0) renew_matrices(s);
  if (s->gsde && mode != CEL_MODE && !random)
    act_gsde(s, obs, mode == CEL_EXPLORE, actions);
  else
    celi_box_act(&s->box, &s->acting, x, &spec, obs, mode, actions);
  if (mode != CEL_EXPLORE) return CEL_OK;
  if (!random && (s->noise.kind == CELI_NOISE_NORMAL || s->noise.kind == CELI_NOISE_OU)) {
    celi_noise_add(&s->noise, x->last_action, start ? start : x->begins);
    celi_box_unscale(&s->box, actions, x->last_action, s->N);
  }
  celi_experience_follow(x, obs, start);
  return CEL_OK;
}

static CelStatus predict(CelAgent *agent, const void *obs, int64_t n, void *actions) {
  Sac *s = agent->self;
  const CeliDistSpec spec = dist_spec(s);
  celi_box_predict(&s->box, &s->acting, &s->experience.norm, &spec, obs, n, actions);
  return CEL_OK;
}

// ---- create and destroy.

static CelStatus check_config(const CelSacConfig *c) {
  if (c->log_std_min >= c->log_std_max)
    return cel_fail(CEL_E_RANGE, "sac: log_std_min %g must lie below log_std_max %g",
                    c->log_std_min, c->log_std_max);
  if (c->noise == CEL_NOISE_GSDE && c->common.net_arch.n < 1)
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
  CeliMlpSpec actor = celi_off_policy_network(&c->common, s->O, s->gsde ? s->A : 2 * s->A);
  CeliMlpSpec critic = celi_off_policy_network(&c->common, s->O + s->A, 1);
  if (actor.init == CELI_ORTHOGONAL) actor.output_gain = 0.01;
  critic.E = s->E;
  critic.dx_begin = s->O,
  critic.dx_end = s->O + s->A; // the actor follows the critics' gradient to the action
  CELI_TRY(celi_trained_declare(&s->actor, t, "actor", &actor));
  if (s->gsde)
    CELI_TRY(celi_gsde_declare_param(&s->gsde_pi, t, "actor",
                                     c->common.net_arch.v[c->common.net_arch.n - 1], s->A));
  CELI_TRY(celi_trained_declare(&s->critic, t, "critic", &critic));
  return celi_mlp_declare(&s->target, t, "target", CEL_TARGET, &critic);
}

static CelStatus declare_passes(Sac *s, CelTensors *t) {
  const int64_t mid = (s->config->n_steps - 1) * s->B;
  const int shares = celi_team_size(s->agent->team);
  const int open = s->gsde ? 1 : shares; // gsde reads the last hidden layer of the actor
  CELI_TRY(celi_pass_declare(&s->pi, t, "pass.pi", &s->actor.net,
                             (CeliPassSpec){.B = s->B, .backward = true, .threads = open}));
  CELI_TRY(celi_pass_declare(&s->next, t, "pass.next", &s->actor.net,
                             (CeliPassSpec){.B = s->B, .threads = open}));
  CELI_TRY(celi_acting_declare(&s->acting, t, &s->actor.net));
  CELI_TRY(celi_pass_declare(&s->q, t, "pass.q", &s->critic.net,
                             (CeliPassSpec){.B = s->B, .backward = true, .threads = shares}));
  CELI_TRY(celi_pass_declare(&s->q_next, t, "pass.q_next", &s->target,
                             (CeliPassSpec){.B = s->B, .threads = shares}));
  if (mid)
    CELI_TRY(celi_pass_declare(&s->mid, t, "pass.mid", &s->actor.net,
                               (CeliPassSpec){.B = mid, .threads = open}));
  if (!s->gsde) {
    const CeliDistSpec spec = dist_spec(s);
    CELI_TRY(celi_dist_declare(&s->dist_pi, t, "dist.pi", &spec, s->B, true));
    CELI_TRY(celi_dist_declare(&s->dist_next, t, "dist.next", &spec, s->B, false));
    return mid ? celi_dist_declare(&s->dist_mid, t, "dist.mid", &spec, mid, false) : CEL_OK;
  }
  const int64_t H = celi_net_latent_width(&s->actor.net);
  CELI_DECLARE(t, "pass.pi.dH", CEL_F32, CEL_SCRATCH, &s->pi.dH, 1, s->B, H);
  CELI_TRY(celi_gsde_declare(&s->gsde_pi, t, "gsde.pi", s->B, s->squash));
  CELI_TRY(celi_gsde_declare_shared(&s->gsde_next, t, "gsde.next", &s->gsde_pi, s->B));
  return mid ? celi_gsde_declare_shared(&s->gsde_mid, t, "gsde.mid", &s->gsde_pi, mid) : CEL_OK;
}

static CelStatus declare_batch(Sac *s, CelTensors *t) {
  const int64_t B = s->B, A = s->A, D = s->O + s->A, mid = s->config->n_steps - 1;
  CELI_DECLARE(t, "batch.sa", CEL_F32, CEL_SCRATCH, &s->sa, B, D);
  CELI_DECLARE(t, "batch.sa_pi", CEL_F32, CEL_SCRATCH, &s->sa_pi, B, D);
  CELI_DECLARE(t, "batch.sa_next", CEL_F32, CEL_SCRATCH, &s->sa_next, B, D);
  CELI_DECLARE(t, "batch.reward", CEL_F32, CEL_SCRATCH, &s->reward, B);
  CELI_DECLARE(t, "batch.discount", CEL_F32, CEL_SCRATCH, &s->discount, B);
  CELI_DECLARE(t, "batch.y", CEL_F32, CEL_SCRATCH, &s->y, s->E, B);
  CELI_DECLARE(t, "batch.row", CEL_I64, CEL_SCRATCH, &s->row, B);
  CELI_DECLARE(t, "batch.q_loss", CEL_F32, CEL_SCRATCH, &s->q_loss, s->E, B);
  CELI_DECLARE(t, "batch.pi_loss", CEL_F32, CEL_SCRATCH, &s->pi_loss, B);
  CELI_DECLARE(t, "batch.q_min", CEL_F32, CEL_SCRATCH, &s->q_min, B);
  CELI_DECLARE(t, "batch.d_action", CEL_F32, CEL_SCRATCH, &s->d_action, B, A);
  if (mid == 0) return CEL_OK;
  CELI_DECLARE(t, "batch.mid_obs", CEL_F32, CEL_SCRATCH, &s->mid_obs, mid * B, s->O);
  CELI_DECLARE(t, "batch.mid_action", CEL_F32, CEL_SCRATCH, &s->mid_action, mid * B, A);
  CELI_DECLARE(t, "batch.mid_weight", CEL_F32, CEL_SCRATCH, &s->mid_weight, mid, B);
  return CEL_OK;
}

static CelStatus declare_state(Sac *s, CelTensors *t) {
  const int64_t N = s->N, A = s->A;
  CELI_DECLARE(t, "noise_counter", CEL_U64, CEL_STATE, &s->noise_counter, 1);
  if (!s->gsde) return CEL_OK;
  const int64_t H = celi_net_latent_width(&s->actor.net);
  CELI_DECLARE(t, "sde_matrix", CEL_F32, CEL_STATE, &s->sde_matrix, N, H, A);
  CELI_DECLARE(t, "act.sde", CEL_F32, CEL_SCRATCH, &s->sde_sample, H, A);
  return CEL_OK;
}

static void measure(Sac *s, CelAgent *agent) {
  const CelSacConfig *c = agent->config;
  s->agent = agent, s->config = c;
  s->O = cel_space_floats(&agent->observation), s->A = agent->action.part[0].size;
  s->B = celi_agent_batch(agent, c->common.batch_size), s->E = c->n_critics,
  s->N = agent->options.n_envs;
  s->squash = c->policy == CEL_POLICY_SQUASHED_GAUSSIAN, s->gsde = c->noise == CEL_NOISE_GSDE;
}

static CelStatus declare(CelAgent *agent) {
  Sac *s = agent->self;
  CelTensors *t = agent->tensors;
  const CelSacConfig *c = agent->config;
  CELI_TRY(celi_box_declare(&s->box, agent, c->policy == CEL_POLICY_SQUASHED_GAUSSIAN));
  CELI_TRY(check_config(c));
  measure(s, agent);
  const CeliExperienceSpec experience = celi_off_policy_experience(&c->common);
  CelSpace *stored;
  CELI_TRY(celi_box_stored(&s->box, &stored));
  const CelStatus declared = celi_experience_declare(&s->experience, agent, stored, &experience);
  free(stored);
  CELI_TRY(declared);
  CELI_TRY(declare_networks(s, t));
  const CeliTemperatureSpec temperature = {
      .ent_coef = c->ent_coef,
      .start = c->ent_coef_init,
      .target_entropy = isnan(c->target_entropy) ? -(double)s->A : c->target_entropy,
      .entropy_max = celi_box_entropy_max(&s->box, s->gsde ? (double)INFINITY : c->log_std_max),
      .policy = s->squash ? "a squashed Gaussian" : "a Gaussian with this log_std_max"};
  CELI_TRY(celi_temperature_declare(&s->temperature, agent, &temperature));
  CELI_TRY(declare_passes(s, t));
  CELI_TRY(declare_batch(s, t));
  CELI_TRY(declare_state(s, t));
  CELI_TRY(celi_means_declare(&s->update.means, t));
  CELI_TRY(celi_trained_declare_adam(&s->actor, t, "actor"));
  CELI_TRY(celi_trained_declare_adam(&s->critic, t, "critic"));
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
  s->q.X = s->sa, s->q.ldx = ld;
  s->q_pi = s->q; // activations are used again: the critics' own gradients are done with by then
  s->q_pi.X = s->sa_pi;
  s->q_next.X = s->sa_next, s->q_next.ldx = ld;
}

static CelStatus bind_optimisers(Sac *s) {
  const CelTensors *t = s->agent->tensors;
  const CeliAdamConfig adam = celi_off_policy_adam(&s->config->common);
  CELI_TRY(celi_trained_bind(&s->critic, t, "critic", NULL, &adam));
  CELI_TRY(celi_trained_bind(&s->actor, t, "actor", s->gsde ? "actor.log_std" : NULL, &adam));
  s->update.temperature = &s->temperature;
  s->update.rate = M_LEARNING_RATE, s->update.n_adams = 3;
  s->update.adam[0] = &s->actor.adam, s->update.adam[1] = &s->critic.adam;
  s->update.adam[2] = &s->temperature.adam;
  return celi_temperature_bind(&s->temperature, t, adam);
}

/// What follows from saved tensors.
static CelStatus sync_derived(CelAgent *agent) {
  Sac *s = agent->self;
  CELI_TRY(celi_experience_check(&s->experience));
  celi_temperature_sync(&s->temperature);
  celi_net_transpose(&s->actor.net);
  celi_net_transpose(&s->critic.net);
  return CEL_OK;
}

static CelStatus prepare(CelAgent *agent) {
  static const char *const names[METRICS] = {"train/actor_loss",    "train/critic_loss",
                                             "train/ent_coef",      "train/ent_coef_loss",
                                             "train/learning_rate", "train/entropy"};
  Sac *s = agent->self;
  const CelSacConfig *c = s->config;
  celi_net_init(&s->actor.net, agent->options.seed, INIT_ACTOR);
  celi_net_init(&s->critic.net, agent->options.seed, INIT_CRITIC);
  size_t bytes;
  void *target = cel_tensors_region(agent->tensors, CEL_TARGET, &bytes);
  memcpy(target, celi_net_parameters(&s->critic.net), bytes);
  if (s->gsde) celi_ops()->fill(s->gsde_pi.log_std, (float)c->log_std_init, s->gsde_pi.H * s->A);
  celi_box_reset(&s->box);
  celi_experience_reset(&s->experience);
  bind_passes(s);
  celi_acting_bind(&s->acting);
  celi_means_bind(&s->update.means, agent, names, METRICS);
  CELI_TRY(bind_optimisers(s));
  CELI_TRY(sync_derived(agent));
  return write_plan(s);
}

static CeliPolicySpec policy_spec(const CelAgent *agent) {
  const Sac *s = agent->self;
  return (CeliPolicySpec){.kind = s->squash ? CELI_SQUASHED_GAUSSIAN : CELI_GAUSSIAN,
                          .activation = celi_activation_of(s->config->common.activation),
                          .A = s->A,
                          .log_std_min = s->config->log_std_min,
                          .log_std_max = s->config->log_std_max};
}

static CeliView view(CelAgent *agent) {
  const Sac *s = agent->self;
  return (CeliView){.actor = &s->actor.net,
                    .sde = s->gsde,
                    .dist = dist_spec(s),
                    .scale = s->box.scale,
                    .shift = s->box.shift,
                    .temperature = (double)*s->temperature.alpha,
                    .kind = CELI_CRITIC_OF_ACTIONS,
                    .q = &s->critic.net,
                    .mean = s->config->critic_reduce == CEL_CRITIC_REDUCE_MEAN,
                    .norm = &s->experience.norm};
}

static void release(CelAgent *agent) {
  celi_plan_destroy(((Sac *)agent->self)->update.plan);
}

const CeliAlgo celi_algo_sac = {
    .info = {"sac", "soft actor-critic: twin critics, learned temperature; continuous actions",
             celi_sac_fields, sizeof(CelSacConfig)},
    .state_size = sizeof(Sac),
    .declare = declare,
    .prepare = prepare,
    .release = release,
    .act = act,
    .observe = celi_off_policy_observe,
    .due = celi_off_policy_due,
    .update = update,
    .predict = predict,
    .sync = sync_derived,
    .policy = policy_spec,
    .view = view,
    .replay = celi_off_policy_replay,
};
