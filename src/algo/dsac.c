/// Discrete soft actor-critic.
///
/// Source: [maximum-entropy, 8.13-8.30], [discrete-soft-policy-gradient, (6)]; Christodoulou, "Soft
/// actor-critic for discrete action settings", 2019.
///
///   s, a, r, s'   a transition from the replay buffer       B   batch
///   pi            the policy, softmax of the actor's output E   number of critics
///   Q_e, Q'_e     critic e, all actions at once; its target A   number of actions
///   alpha         temperature, reward units per nat         Hbar target entropy, nats
///   alpha_Q       temperature in the critics' target: alpha, or critic_ent_coef
///                 (0: critics without entropy)
///
/// One gradient step. The minimum over critics (or the mean) is taken for each action.
///   1  draw s, a, r, d = gamma^m (0 where terminated), s' of B transitions
///   2  pi(.|s), pi(.|s')
///   3  y = r + d sum_a' pi(a'|s') (min_e Q'_e(s', a') - alpha_Q log pi(a'|s'))     [8.14, 8.18]
///   4  J_Q = sum_e mean 1/2 (Q_e(s, a) - y)^2; Adam on the critics                 [(7)]
///   5  Q'_e += tau (Q_e - Q'_e)
///   6  J_pi = mean sum_a pi(a|s) (alpha log pi(a|s) - min_e Q_e(s, a)); Adam on the policy.
///      Its gradient at the logits is -pi A_soft / B
///      with A_soft = Q - alpha log pi - V                                          [(6), 8.28]
///   7  J_alpha = log alpha mean(H(pi(.|s)) - Hbar); Adam on log alpha
///
/// Lines 3 and 6 use the alpha from before line 7. Only the transitions are sampled.
#include "celsius/dsac.h"
#include "algo/choice.h"
#include "algo/off_policy.h"
#include "base/base.h"
#include "rl/nstep.h"

#include <math.h>
#include <string.h>

/// Streams of initial parameters. Each network uses a block of indices.
enum { INIT_ACTOR = 0, INIT_CRITIC = 4096 };

typedef struct Dsac {
  CeliOffPolicy off;
  const CelDsacConfig *config;
  CelAgent *agent;
  int64_t O, A, B, E;

  // Networks and their uses on a batch.
  CeliTrained actor, critic;
  CeliNet target;
  CeliPass pi, next, mid;   ///< actor on s, s' and the intermediate observations
  CeliPass q, q_pi, q_next; ///< critics on s before and after line 4, targets on s'
  CeliTemperature temperature;

  // Batch.
  CeliChoiceBatch batch;
  float *log_pi, *p, *log_next, *p_next; ///< (B,A) log pi and pi on s and on s'
  float *q_best;                         ///< (B,A) critics combined, on s
  float *q_best_next;                    ///< (E,B,A) targets combined, each critic's own copy
  float *y;                              ///< (E,B) the target, each critic's own copy
  float *q_loss, *pi_loss, *mean_log;    ///< (E,B), (B,), (B,) E_pi[log pi(.|s)]
  float *mid_obs, *mid_weight;           ///< ((n-1) B, O), ((n-1), B)
  float *mid_log_pi, *mid_p, *mid_mean;  ///< ((n-1) B, A), ((n-1) B, A), ((n-1) B,)

  CeliChoice choice;
  CeliActing acting;
} Dsac;

enum {
  M_ACTOR_LOSS,
  M_CRITIC_LOSS,
  M_ENT_COEF,
  M_ENT_COEF_LOSS,
  M_LEARNING_RATE,
  M_ENTROPY,
  METRICS
};

static Dsac *dsac_of(const void *args) {
  return *(Dsac *const *)args;
}

// ---- one operation per equation; rows [begin, end) of the batch.

/// Line 2 on s. Source: [maximum-entropy, 8.5]
static void op_policy(const void *args, int64_t begin, int64_t end) {
  const Dsac *s = dsac_of(args);
  celi_choice_softmax(s->log_pi, s->p, celi_pass_output(&s->pi), s->A, begin, end);
  celi_choice_mean_log(s->mean_log, s->log_pi, s->p, s->A, begin, end);
}

/// Line 2 on s'.
static void op_next_policy(const void *args, int64_t begin, int64_t end) {
  const Dsac *s = dsac_of(args);
  celi_choice_softmax(s->log_next, s->p_next, celi_pass_output(&s->next), s->A, begin, end);
}

/// Line 2 on the intermediate observations.
static void op_mid_policy(const void *args, int64_t begin, int64_t end) {
  const Dsac *s = dsac_of(args);
  celi_choice_softmax(s->mid_log_pi, s->mid_p, celi_pass_output(&s->mid), s->A, begin, end);
  celi_choice_mean_log(s->mid_mean, s->mid_log_pi, s->mid_p, s->A, begin, end);
}

/// Line 3 for rows [begin, end) of critic e's copy. n-step returns include the entropies of the
/// intermediate steps.
/// Source: [maximum-entropy, 8.18], [maximum-entropy, 8.13]
static void soft_target(const Dsac *s, int64_t e, int64_t begin, int64_t end) {
  const CelDsacConfig *c = s->config;
  const float alpha = isnan(c->critic_ent_coef) ? *s->temperature.alpha : (float)c->critic_ent_coef;
  float *y = s->y + e * s->B, *q = s->q_best_next + e * s->B * s->A;
  celi_choice_reduce(q, celi_pass_output(&s->q_next), s->E, s->B, s->A, begin, end,
                     c->critic_reduce == CEL_CRITIC_REDUCE_MEAN);
  celi_choice_value(y, q, s->log_next, s->p_next, alpha, s->A, begin, end);
  for (int64_t b = begin; b < end; b++) y[b] = s->batch.reward[b] + s->batch.discount[b] * y[b];
  if (c->n_steps > 1)
    celi_nstep_entropy(y, s->mid_weight, s->mid_mean, &alpha, c->n_steps - 1, s->B, begin, end);
}

/// Lines 3 and 4, split by critic and row. Source: [policy-guarantees, (7)]
static void op_critic_loss(const void *args, int64_t begin, int64_t end) {
  const Dsac *s = dsac_of(args);
  int64_t from, to;
  for (int64_t e = 0; e < s->E; e++) {
    if (!celi_member_rows(s->B, e, begin, end, &from, &to)) continue;
    const int64_t at = e * s->B;
    soft_target(s, e, from, to);
    celi_choice_squared_error(celi_pass_d_output(&s->q) + at * s->A, s->q_loss + at,
                              celi_pass_output(&s->q) + at * s->A, s->batch.action, s->y + at,
                              1.0f / (float)s->B, s->A, from, to);
  }
}

/// Line 5, every target_update_interval updates.
static void op_targets(const void *args, int64_t begin, int64_t end) {
  const Dsac *s = dsac_of(args);
  celi_target_move(&s->target, &s->critic.net, s->config->common.tau,
                   s->config->common.target_update_interval, *s->agent->updates, begin, end);
}

/// Line 6. Source: [discrete-soft-policy-gradient, (6)], [maximum-entropy, 8.28]
static void op_actor_loss(const void *args, int64_t begin, int64_t end) {
  const Dsac *s = dsac_of(args);
  celi_choice_reduce(s->q_best, celi_pass_output(&s->q_pi), s->E, s->B, s->A, begin, end,
                     s->config->critic_reduce == CEL_CRITIC_REDUCE_MEAN);
  celi_choice_policy_gradient(celi_pass_d_output(&s->pi), s->pi_loss, s->q_best, s->log_pi, s->p,
                              *s->temperature.alpha, 1.0f / (float)s->B, s->A, begin, end);
}

/// Line 7, then the counters. Runs beside the policy's weight gradients, which do not need it.
static void op_finish(const void *args, int64_t begin, int64_t end) {
  (void)begin, (void)end;
  Dsac *s = dsac_of(args);
  const CeliOps *ops = celi_ops();
  const double B = (double)s->B, entropy = -(double)ops->sum(s->mean_log, s->B) / B;
  double *mean = s->off.update.means.sum;
  mean[M_ACTOR_LOSS] += (double)ops->sum(s->pi_loss, s->B) / B;
  mean[M_CRITIC_LOSS] += (double)ops->sum(s->q_loss, s->E * s->B) / B;
  mean[M_ENT_COEF] += (double)*s->temperature.alpha;
  mean[M_ENTROPY] += entropy;
  mean[M_ENT_COEF_LOSS] += celi_temperature_step(&s->temperature, entropy);
  *s->off.experience.sample_counter += celi_replay_blocks(s->B);
  ++*s->agent->updates;
}

// ---- the plan: lines 1 to 7.

/// An operation on the rows of a batch.
static void plan_rows(Dsac *s, const char *name, CeliOpFn fn, int64_t rows) {
  celi_plan_add(s->off.update.plan, name, fn, CELI_ROWS, rows, CELI_ROW_GRAIN, false, &s, sizeof s);
}

static void plan_sample(Dsac *s) {
  CeliReplayBatch batch = celi_choice_batch_replay(&s->batch);
  batch.n = s->config->n_steps, batch.mid_obs = s->mid_obs, batch.mid_weight = s->mid_weight;
  celi_experience_plan_sample(&s->off.experience, s->off.update.plan, batch); // line 1
}

static void plan_policies(Dsac *s) {
  celi_net_plan_forward(s->off.update.plan, &s->pi);
  plan_rows(s, "policy", op_policy, s->B); // line 2
  celi_net_plan_forward(s->off.update.plan, &s->next);
  plan_rows(s, "next policy", op_next_policy, s->B);
  if (s->config->n_steps == 1) return;
  celi_net_plan_forward(s->off.update.plan, &s->mid);
  plan_rows(s, "policy between", op_mid_policy, (s->config->n_steps - 1) * s->B);
}

static void plan_critics(Dsac *s) {
  CeliPlan *plan = s->off.update.plan;
  celi_net_plan_forward(plan, &s->q_next);
  celi_net_plan_forward(plan, &s->q);
  // A barrier for all critics, because the target needs all of them.
  celi_plan_barrier(plan);
  plan_rows(s, "critic loss", op_critic_loss, s->E * s->B); // lines 3 and 4
  celi_net_plan_backward_data(plan, &s->q, NULL, 0);
  celi_net_plan_backward_weight(plan, &s->q, &s->critic.grad, false);
  celi_net_plan_transpose(plan, &s->actor.net,
                          true); // of the actor that the last update changed; read from line 6 on
  celi_adam_plan(plan, &s->critic.adam);
  celi_plan_add(plan, "targets", op_targets, CELI_PARTS, s->critic.adam.n, CELI_ELEMENT_GRAIN, true,
                &s, sizeof s); // line 5
}

static void plan_actor(Dsac *s) {
  CeliPlan *plan = s->off.update.plan;
  celi_net_plan_forward(plan, &s->q_pi);
  plan_rows(s, "actor loss", op_actor_loss, s->B); // line 6
  celi_net_plan_backward_data(plan, &s->pi, NULL, 0);
  celi_net_plan_backward_weight(plan, &s->pi, &s->actor.grad, false);
  celi_net_plan_transpose(plan, &s->critic.net, true);                                 // for line 4
  celi_plan_add(plan, "temperature", op_finish, CELI_PARTS, 1, 1, true, &s, sizeof s); // line 7
  celi_adam_plan(plan, &s->actor.adam);
}

static CelStatus write_plan(Dsac *s) {
  CELI_TRY(celi_plan_create(&s->off.update.plan));
  plan_sample(s);
  plan_policies(s);
  plan_critics(s);
  plan_actor(s);
  return celi_plan_end(s->off.update.plan);
}

// ---- act, predict.

static CelStatus act(CelAgent *agent, const void *obs, const uint8_t *start, CelActMode mode,
                     void *actions) {
  Dsac *s = agent->self;
  celi_choice_act(&s->choice, &s->acting, &s->off.experience, obs, mode, 1, actions);
  if (mode == CEL_EXPLORE) celi_experience_follow(&s->off.experience, obs, start);
  return CEL_OK;
}

static CelStatus predict(CelAgent *agent, const void *obs, int64_t n, void *actions) {
  Dsac *s = agent->self;
  celi_choice_predict(&s->choice, &s->acting, &s->off.experience.norm, obs, n, actions);
  return CEL_OK;
}

// ---- create and destroy.

static CelStatus declare_networks(Dsac *s, CelTensors *t) {
  const CelOffPolicyConfig *c = &s->config->common;
  CeliMlpSpec actor = celi_off_policy_network(c, s->O, s->A), critic = actor;
  critic.E = s->E;
  if (actor.init == CELI_ORTHOGONAL) actor.output_gain = 0.01;
  CELI_TRY(celi_trained_declare(&s->actor, t, "actor", &actor));
  CELI_TRY(celi_trained_declare(&s->critic, t, "critic", &critic));
  return celi_mlp_declare(&s->target, t, "target", CEL_TARGET, &critic);
}

static CelStatus declare_passes(Dsac *s, CelTensors *t) {
  const int64_t mid = (s->config->n_steps - 1) * s->B;
  const int shares = celi_team_size(s->agent->team);
  const CeliNet *actor = &s->actor.net, *critic = &s->critic.net;
  CELI_TRY(celi_pass_declare(&s->pi, t, "pass.pi", actor,
                             (CeliPassSpec){.B = s->B, .backward = true, .threads = shares}));
  CELI_TRY(celi_pass_declare(&s->next, t, "pass.next", actor,
                             (CeliPassSpec){.B = s->B, .threads = shares}));
  CELI_TRY(celi_pass_declare(&s->q, t, "pass.q", critic,
                             (CeliPassSpec){.B = s->B, .backward = true, .threads = shares}));
  CELI_TRY(celi_pass_declare(&s->q_next, t, "pass.q_next", &s->target,
                             (CeliPassSpec){.B = s->B, .threads = shares}));
  if (mid)
    CELI_TRY(celi_pass_declare(&s->mid, t, "pass.mid", actor,
                               (CeliPassSpec){.B = mid, .threads = shares}));
  return celi_acting_declare(&s->acting, t, actor);
}

static CelStatus declare_batch(Dsac *s, CelTensors *t) {
  const int64_t B = s->B, A = s->A, O = s->O, E = s->E, mid = s->config->n_steps - 1;
  CELI_TRY(celi_choice_batch_declare(&s->batch, t, B, O));
  CELI_DECLARE(t, "batch.log_pi", CEL_F32, CEL_SCRATCH, &s->log_pi, B, A);
  CELI_DECLARE(t, "batch.pi", CEL_F32, CEL_SCRATCH, &s->p, B, A);
  CELI_DECLARE(t, "batch.log_pi_next", CEL_F32, CEL_SCRATCH, &s->log_next, B, A);
  CELI_DECLARE(t, "batch.pi_next", CEL_F32, CEL_SCRATCH, &s->p_next, B, A);
  CELI_DECLARE(t, "batch.q", CEL_F32, CEL_SCRATCH, &s->q_best, B, A);
  CELI_DECLARE(t, "batch.q_next", CEL_F32, CEL_SCRATCH, &s->q_best_next, E, B, A);
  CELI_DECLARE(t, "batch.y", CEL_F32, CEL_SCRATCH, &s->y, E, B);
  CELI_DECLARE(t, "batch.q_loss", CEL_F32, CEL_SCRATCH, &s->q_loss, E, B);
  CELI_DECLARE(t, "batch.pi_loss", CEL_F32, CEL_SCRATCH, &s->pi_loss, B);
  CELI_DECLARE(t, "batch.mean_log_pi", CEL_F32, CEL_SCRATCH, &s->mean_log, B);
  if (mid == 0) return CEL_OK;
  CELI_DECLARE(t, "batch.mid_obs", CEL_F32, CEL_SCRATCH, &s->mid_obs, mid * B, O);
  CELI_DECLARE(t, "batch.mid_weight", CEL_F32, CEL_SCRATCH, &s->mid_weight, mid, B);
  CELI_DECLARE(t, "batch.mid_log_pi", CEL_F32, CEL_SCRATCH, &s->mid_log_pi, mid * B, A);
  CELI_DECLARE(t, "batch.mid_pi", CEL_F32, CEL_SCRATCH, &s->mid_p, mid * B, A);
  CELI_DECLARE(t, "batch.mid_mean_log_pi", CEL_F32, CEL_SCRATCH, &s->mid_mean, mid * B);
  return CEL_OK;
}

static CelStatus declare(CelAgent *agent) {
  Dsac *s = agent->self;
  CelTensors *t = agent->tensors;
  const CelDsacConfig *c = agent->config;
  CELI_TRY(celi_choice_declare(&s->choice, agent));
  const CeliExperienceSpec experience = celi_off_policy_experience(&c->common);
  CELI_TRY(celi_experience_declare(&s->off.experience, agent, &agent->action, &experience));
  s->agent = agent, s->config = c;
  s->off.config = &c->common;
  s->O = s->off.experience.O, s->A = s->choice.A,
  s->B = celi_agent_batch(agent, c->common.batch_size), s->E = c->n_critics;
  const double target_entropy =
      isnan(c->target_entropy) ? c->target_entropy_factor * log((double)s->A) : c->target_entropy;
  CELI_TRY(declare_networks(s, t));
  const CeliTemperatureSpec temperature = {.ent_coef = c->ent_coef,
                                           .start = c->ent_coef_init,
                                           .target_entropy = target_entropy,
                                           .entropy_max = log((double)s->A),
                                           .policy = "the uniform policy"};
  CELI_TRY(celi_temperature_declare(&s->temperature, agent, &temperature));
  CELI_TRY(declare_passes(s, t));
  CELI_TRY(declare_batch(s, t));
  CELI_TRY(celi_means_declare(&s->off.update.means, t));
  CELI_TRY(celi_trained_declare_adam(&s->actor, t, "actor"));
  return celi_trained_declare_adam(&s->critic, t, "critic");
}

/// Sets the inputs of the networks' passes.
static void bind_passes(Dsac *s) {
  s->pi.X = s->q.X = s->batch.obs, s->pi.ldx = s->q.ldx = s->O;
  s->next.X = s->q_next.X = s->batch.next_obs, s->next.ldx = s->q_next.ldx = s->O;
  s->mid.X = s->mid_obs, s->mid.ldx = s->O;
  s->q_pi = s->q; // reuses the activations: the critics' own gradients are done by then
  celi_acting_bind(&s->acting);
}

static CelStatus prepare(CelAgent *agent) {
  static const char *const names[METRICS] = {"train/actor_loss",    "train/critic_loss",
                                             "train/ent_coef",      "train/ent_coef_loss",
                                             "train/learning_rate", "train/entropy"};
  Dsac *s = agent->self;
  celi_net_init(&s->actor.net, agent->options.seed, INIT_ACTOR);
  celi_net_init(&s->critic.net, agent->options.seed, INIT_CRITIC);
  celi_experience_reset(&s->off.experience);
  bind_passes(s);
  celi_means_bind(&s->off.update.means, agent, names, METRICS);
  s->off.update.rate = M_LEARNING_RATE;
  CELI_TRY(celi_off_policy_train(&s->off, &s->actor, "actor", NULL));
  CELI_TRY(celi_off_policy_train(&s->off, &s->critic, "critic", NULL));
  CELI_TRY(celi_off_policy_train_temperature(&s->off, &s->temperature));
  celi_target_copy(&s->target, &s->critic);
  CELI_TRY(celi_off_policy_sync(agent));
  return write_plan(s);
}

static CeliPolicySpec policy_spec(const CelAgent *agent) {
  const Dsac *s = agent->self;
  return (CeliPolicySpec){.kind = CELI_CATEGORICAL,
                          .activation = celi_activation_of(s->config->common.activation),
                          .A = s->A};
}

static CeliInspection inspect(CelAgent *agent) {
  const Dsac *s = agent->self;
  return (CeliInspection){.actor = &s->actor.net,
                          .dist = {.kind = CELI_CATEGORICAL, .A = s->A},
                          .temperature = (double)*s->temperature.alpha,
                          .kind = CELI_CRITIC_OF_CHOICES,
                          .q = &s->critic.net,
                          .mean = s->config->critic_reduce == CEL_CRITIC_REDUCE_MEAN,
                          .norm = &s->off.experience.norm};
}

const CeliAlgo celi_algo_dsac = {
    .info =
        {"dsac",
         "discrete soft actor-critic: exact expectations, learned temperature; discrete actions",
         celi_dsac_fields, sizeof(CelDsacConfig)},
    .state_size = sizeof(Dsac),
    CELI_OFF_POLICY_TABLE,
    .declare = declare,
    .prepare = prepare,
    .act = act,
    .predict = predict,
    .policy = policy_spec,
    .inspect = inspect,
};
