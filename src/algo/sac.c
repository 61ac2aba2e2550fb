/// Soft actor-critic.
///
/// Source: [maximum-entropy, 8.13-8.30], [policy-guarantees, SAC] (its losses (5)-(10)) with the
/// temperature written out as in docs/equations.md; Haarnoja et al., "Soft actor-critic algorithms
/// and applications", 2018.
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
#include "algo/gaussian.h"
#include "base/base.h"
#include "rl/nstep.h"

#include <math.h>
#include <string.h>

/// Streams of reparametrisation noise inside of an update.
enum { NOISE_PI = 0, NOISE_NEXT = 1, NOISE_MID = 2 };
/// Streams of initial parameters; each network takes a block of indices.
enum { INIT_ACTOR = 0, INIT_CRITIC = 4096 };

typedef struct Sac {
  CeliOffPolicy off;
  const CelSacConfig *config;
  CelAgent *agent;
  int64_t O, A, B, E;

  // Networks, and their uses on a batch.
  CeliGaussianPolicy policy;
  CeliTrained critic;
  CeliNet target;
  CeliGaussianPass pi, next, mid; ///< policy on s, s' and the observations between
  CeliPass q, q_pi, q_next;       ///< critics on (s,a) and (s,a_pi), targets on (s',a')
  CeliTemperature temperature;

  // Batch.
  float *sa, *sa_pi, *sa_next;              ///< (B, O+A) critic inputs
  float *reward, *discount;                 ///< (B,)
  float *y;                                 ///< (E,B) the target, each critic's own copy
  float *mid_obs, *mid_action, *mid_weight; ///< ((n-1) B, O), ((n-1) B, A), ((n-1), B)
  int64_t *row;                             ///< (B,)
  float *q_loss, *pi_loss, *q_min;          ///< (E,B), (B,), (B,)
  float *d_action;                          ///< (B,A)

  uint64_t *noise_counter; ///< (1,) blocks of the streams that updates take noise from, saved
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
  float *y = s->y + e * s->B;
  celi_ops()->soft_target(y, s->reward, s->discount, celi_pass_output(&s->q_next),
                          celi_gaussian_logp(&s->next), s->temperature.alpha, s->E, s->B, begin,
                          end, s->config->critic_reduce == CEL_CRITIC_REDUCE_MEAN);
  if (s->config->n_steps > 1)
    celi_nstep_entropy(y, s->mid_weight, celi_gaussian_logp(&s->mid), s->temperature.alpha,
                       s->config->n_steps - 1, s->B, begin, end);
}

/// Lines 3 and 4, split by critic and row: d J_Q / d Q_e = (Q_e - y) / B.
/// Source: [policy-guarantees, (7)]
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
  celi_ops()->actor_objective(celi_pass_d_output(&s->q_pi), s->q_min, s->pi_loss,
                              celi_pass_output(&s->q_pi), celi_gaussian_logp(&s->pi),
                              s->temperature.alpha, 1.0f / (float)s->B, s->E, s->B, begin, end,
                              s->config->critic_reduce == CEL_CRITIC_REDUCE_MEAN);
  celi_ops()->fill(celi_gaussian_d_logp(&s->pi) + begin, *s->temperature.alpha / (float)s->B,
                   end - begin);
}

/// Line 5, every target_update_interval updates.
static void op_targets(const void *args, int64_t begin, int64_t end) {
  const Sac *s = sac_of(args);
  celi_target_move(&s->target, &s->critic.net, s->config->common.tau,
                   s->config->common.target_update_interval, *s->agent->updates, begin, end);
}

/// Line 7: d J_alpha / d log alpha = -(mean log pi + Hbar). Then the counters. It runs as one part
/// of the stage of the policy's weight gradients, which does not depend on it.
static void op_finish(const void *args, int64_t begin, int64_t end) {
  (void)begin, (void)end;
  Sac *s = sac_of(args);
  const CeliOps *ops = celi_ops();
  const double B = (double)s->B;
  const double entropy = -(double)ops->sum(celi_gaussian_logp(&s->pi), s->B) / B;
  double *mean = s->off.update.means.sum;
  mean[M_ACTOR_LOSS] += (double)ops->sum(s->pi_loss, s->B) / B;
  mean[M_CRITIC_LOSS] += (double)ops->sum(s->q_loss, s->E * s->B) / B;
  mean[M_ENT_COEF] += (double)*s->temperature.alpha;
  mean[M_ENTROPY] += entropy;
  mean[M_ENT_COEF_LOSS] += celi_temperature_step(&s->temperature, entropy);
  *s->off.experience.sample_counter += celi_replay_blocks(s->B);
  *s->noise_counter += (uint64_t)((s->B * s->A * s->config->n_steps +
                                   celi_net_latent_width(&s->policy.actor.net) * s->A) /
                                      4 +
                                  1);
  ++*s->agent->updates;
}

// ---- the plan: lines 1 to 7.

/// Line 2.
static void plan_policies(Sac *s) {
  const ptrdiff_t ld = s->O + s->A;
  CeliPlan *plan = s->off.update.plan;
  celi_gaussian_plan_sample(plan, &s->pi, s->sa_pi + s->O, ld, NOISE_PI, s->noise_counter);
  celi_gaussian_plan_sample(plan, &s->next, s->sa_next + s->O, ld, NOISE_NEXT, s->noise_counter);
  if (s->config->n_steps > 1)
    celi_gaussian_plan_sample(plan, &s->mid, s->mid_action, s->A, NOISE_MID, s->noise_counter);
}

static void plan_critics(Sac *s) {
  celi_net_plan_forward(s->off.update.plan, &s->q_next);
  celi_net_plan_forward(s->off.update.plan, &s->q);
  // Every critic waits here: the target needs all of them.
  celi_plan_barrier(s->off.update.plan);
  celi_plan_add(s->off.update.plan, "critic loss", op_critic_loss, CELI_ROWS, s->E * s->B,
                CELI_ROW_GRAIN, false, &s,
                sizeof s); // lines 3 and 4
  celi_net_plan_backward_data(s->off.update.plan, &s->q, NULL, 0);
  celi_net_plan_backward_weight(s->off.update.plan, &s->q, &s->critic.grad, false);
  celi_net_plan_transpose(s->off.update.plan, &s->policy.actor.net,
                          true); // of the last update's actor: read from line 6 on
  celi_adam_plan(s->off.update.plan, &s->critic.adam);
  celi_plan_add(s->off.update.plan, "targets", op_targets, CELI_PARTS, s->critic.adam.n,
                CELI_ELEMENT_GRAIN, true, &s,
                sizeof s); // line 5
  celi_net_plan_transpose(s->off.update.plan, &s->critic.net, false);
}

static void plan_actor(Sac *s) {
  CeliPlan *plan = s->off.update.plan;
  celi_net_plan_forward(plan, &s->q_pi);
  celi_plan_add(plan, "actor loss", op_actor_loss, CELI_ROWS, s->B, CELI_ROW_GRAIN, false, &s,
                sizeof s); // line 6
  celi_net_plan_backward_data_columns(plan, &s->q_pi, s->d_action, s->A, s->O, s->O + s->A);
  celi_gaussian_plan_backward_data(plan, &s->pi, s->d_action, s->sa_pi + s->O, s->O + s->A);
  celi_net_plan_backward_weight(plan, &s->pi.net, &s->policy.actor.grad, false);
  celi_plan_add(plan, "temperature", op_finish, CELI_PARTS, 1, 1, true, &s, sizeof s); // line 7
  celi_adam_plan(plan, &s->policy.actor.adam);
}

static CelStatus write_plan(Sac *s) {
  const ptrdiff_t ld = s->O + s->A;
  CELI_TRY(celi_plan_create(&s->off.update.plan));
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
  celi_experience_plan_sample(&s->off.experience, s->off.update.plan, batch); // line 1
  celi_plan_add(s->off.update.plan, "copy observations", op_copy_obs, CELI_ROWS, s->B,
                CELI_ROW_GRAIN, false, &s, sizeof s);
  plan_policies(s);
  plan_critics(s);
  plan_actor(s);
  return celi_plan_end(s->off.update.plan);
}

// ---- act, observe, predict.

static CelStatus act(CelAgent *agent, const void *obs, const uint8_t *start, CelActMode mode,
                     void *actions) {
  return celi_gaussian_act(&((Sac *)agent->self)->policy, obs, start, mode, actions);
}

static CelStatus predict(CelAgent *agent, const void *obs, int64_t n, void *actions) {
  celi_gaussian_predict(&((Sac *)agent->self)->policy, obs, n, actions);
  return CEL_OK;
}

// ---- create and destroy.

static CelStatus declare_networks(Sac *s, CelTensors *t) {
  CeliMlpSpec critic = celi_off_policy_network(&s->config->common, s->O + s->A, 1);
  critic.E = s->E;
  critic.dx_begin = s->O; // the actor follows the critics' gradient to the action
  critic.dx_end = s->O + s->A;
  CELI_TRY(celi_gaussian_declare_network(&s->policy, &s->config->common));
  CELI_TRY(celi_trained_declare(&s->critic, t, "critic", &critic));
  return celi_mlp_declare(&s->target, t, "target", CEL_TARGET, &critic);
}

static CelStatus declare_passes(Sac *s, CelTensors *t) {
  const int64_t mid = (s->config->n_steps - 1) * s->B;
  const int threads = celi_team_size(s->agent->team);
  CELI_TRY(celi_gaussian_pass_declare(&s->pi, "pi", &s->policy, s->B, true));
  CELI_TRY(celi_gaussian_pass_declare(&s->next, "next", &s->policy, s->B, false));
  if (mid) CELI_TRY(celi_gaussian_pass_declare(&s->mid, "mid", &s->policy, mid, false));
  CELI_TRY(celi_pass_declare(&s->q, t, "pass.q", &s->critic.net,
                             (CeliPassSpec){.B = s->B, .backward = true, .threads = threads}));
  return celi_pass_declare(&s->q_next, t, "pass.q_next", &s->target,
                           (CeliPassSpec){.B = s->B, .threads = threads});
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

/// The policy as the config describes it.
static CeliGaussianSpec gaussian_spec(const CelSacConfig *c) {
  return (CeliGaussianSpec){.squash = c->policy == CEL_POLICY_SQUASHED_GAUSSIAN,
                            .log_std_min = c->log_std_min,
                            .log_std_max = c->log_std_max,
                            .noise = (CeliNoiseKind)c->noise,
                            .noise_sigma = c->noise_sigma,
                            .noise_theta = c->noise_theta,
                            .noise_dt = c->noise_dt,
                            .log_std_init = c->log_std_init,
                            .sde_every =
                                c->sde_sample_freq > 0 ? c->sde_sample_freq : c->common.train_freq};
}

static CelStatus declare(CelAgent *agent) {
  Sac *s = agent->self;
  CelTensors *t = agent->tensors;
  const CelSacConfig *c = agent->config;
  const CeliGaussianSpec spec = gaussian_spec(c);
  s->agent = agent;
  s->config = c;
  s->off.config = &c->common;
  CELI_TRY(celi_gaussian_declare(&s->policy, agent, &s->off.experience, &spec));
  if (c->sde_sample_freq == 0)
    return cel_fail(CEL_E_RANGE,
                    "sac: sde_sample_freq is 0; set a number of steps, or -1 for train_freq");
  if (!isnan(c->ent_coef) && c->ent_coef < 0)
    return cel_fail(CEL_E_RANGE, "sac: ent_coef is %g; it must not be negative", c->ent_coef);
  s->O = cel_space_floats(&agent->observation);
  s->A = agent->action.part[0].size;
  s->B = celi_agent_batch(agent, c->common.batch_size);
  s->E = c->n_critics;
  const CeliExperienceSpec experience = celi_off_policy_experience(&c->common);
  CELI_TRY(celi_gaussian_declare_experience(&s->policy, &experience));
  CELI_TRY(declare_networks(s, t));
  const CeliTemperatureSpec temperature = {
      .ent_coef = c->ent_coef,
      .start = c->ent_coef_init,
      .target_entropy = isnan(c->target_entropy) ? -(double)s->A : c->target_entropy,
      .entropy_max = celi_gaussian_entropy_max(&s->policy),
      .policy = spec.squash ? "a squashed Gaussian" : "a Gaussian with this log_std_max"};
  CELI_TRY(celi_temperature_declare(&s->temperature, agent, &temperature));
  CELI_TRY(declare_passes(s, t));
  CELI_TRY(declare_batch(s, t));
  CELI_DECLARE(t, "noise_counter", CEL_U64, CEL_STATE, &s->noise_counter, 1);
  CELI_TRY(celi_gaussian_declare_acting(&s->policy));
  CELI_TRY(celi_means_declare(&s->off.update.means, t));
  CELI_TRY(celi_trained_declare_adam(&s->policy.actor, t, "actor"));
  CELI_TRY(celi_trained_declare_adam(&s->critic, t, "critic"));
  return celi_gaussian_declare_noise(&s->policy);
}

/// Points the uses of networks at their inputs.
static void bind_passes(Sac *s) {
  const ptrdiff_t ld = s->O + s->A;
  s->pi.net.X = s->sa, s->pi.net.ldx = ld;
  s->next.net.X = s->sa_next, s->next.net.ldx = ld;
  s->mid.net.X = s->mid_obs, s->mid.net.ldx = s->O;
  s->q.X = s->sa, s->q.ldx = ld;
  s->q_pi = s->q; // activations are used again: the critics' own gradients are done with by then
  s->q_pi.X = s->sa_pi;
  s->q_next.X = s->sa_next, s->q_next.ldx = ld;
}

static CelStatus prepare(CelAgent *agent) {
  static const char *const names[METRICS] = {"train/actor_loss",    "train/critic_loss",
                                             "train/ent_coef",      "train/ent_coef_loss",
                                             "train/learning_rate", "train/entropy"};
  Sac *s = agent->self;
  celi_gaussian_reset(&s->policy, INIT_ACTOR);
  celi_net_init(&s->critic.net, agent->options.seed, INIT_CRITIC);
  celi_experience_reset(&s->off.experience);
  bind_passes(s);
  celi_means_bind(&s->off.update.means, agent, names, METRICS);
  s->off.update.rate = M_LEARNING_RATE;
  CELI_TRY(celi_gaussian_train(&s->policy, &s->off));
  CELI_TRY(celi_off_policy_train(&s->off, &s->critic, "critic", NULL));
  CELI_TRY(celi_off_policy_train_temperature(&s->off, &s->temperature));
  celi_target_copy(&s->target, &s->critic);
  CELI_TRY(celi_off_policy_sync(agent));
  return write_plan(s);
}

static CeliPolicySpec policy_spec(const CelAgent *agent) {
  const Sac *s = agent->self;
  return celi_gaussian_policy(&s->policy, celi_activation_of(s->config->common.activation));
}

static CeliInspection inspect(CelAgent *agent) {
  const Sac *s = agent->self;
  return (CeliInspection){.actor = &s->policy.actor.net,
                          .sde = s->policy.gsde,
                          .dist = s->policy.dist,
                          .scale = s->policy.box.scale,
                          .shift = s->policy.box.shift,
                          .temperature = (double)*s->temperature.alpha,
                          .kind = CELI_CRITIC_OF_ACTIONS,
                          .q = &s->critic.net,
                          .mean = s->config->critic_reduce == CEL_CRITIC_REDUCE_MEAN,
                          .norm = &s->off.experience.norm};
}

const CeliAlgo celi_algo_sac = {
    .info = {"sac", "soft actor-critic: twin critics, learned temperature; continuous actions",
             celi_sac_fields, sizeof(CelSacConfig)},
    .state_size = sizeof(Sac),
    CELI_OFF_POLICY_TABLE,
    .declare = declare,
    .prepare = prepare,
    .act = act,
    .predict = predict,
    .policy = policy_spec,
    .inspect = inspect,
};
