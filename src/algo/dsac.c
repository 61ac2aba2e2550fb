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
#include "algo/discrete.h"
#include "algo/off_policy.h"
#include "base/base.h"
#include "rl/nstep.h"

#include <math.h>

typedef struct Dsac {
  CeliOffPolicy off;
  const CelDsacConfig *config;
  CelAgent *agent;
  int64_t O, A, B, E;

  // Networks and their uses on a batch.
  CeliTrained critic;
  CeliNet target;
  CeliPolicyPass pi, next, mid; ///< policy on s, s' and the intermediate observations
  CeliPass q, q_pi, q_next;     ///< critics on s before and after line 4, targets on s'

  CeliBatch batch;
  float *q_best;           ///< (B,A) critics combined, on s
  float *q_best_next;      ///< (E,B,A) targets combined, each critic's own copy
  float *y;                ///< (E,B) the target, each critic's own copy
  float *q_loss, *pi_loss; ///< (E,B), (B,)
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

/// Line 3 for rows [begin, end) of critic e's copy. n-step returns include the entropies of the
/// intermediate steps.
/// Source: [maximum-entropy, 8.18], [maximum-entropy, 8.13]
static void soft_target(const Dsac *s, int64_t e, int64_t begin, int64_t end) {
  const CelDsacConfig *c = s->config;
  const float alpha =
      isnan(c->critic_ent_coef) ? *s->off.temperature.alpha : (float)c->critic_ent_coef;
  float *y = s->y + e * s->B, *q = s->q_best_next + e * s->B * s->A;
  celi_discrete_reduce(q, celi_pass_output(&s->q_next), s->E, s->B, s->A, begin, end,
                       c->critic_reduce == CEL_CRITIC_REDUCE_MEAN);
  celi_discrete_value(y, q, s->next.log_pi, s->next.pi, alpha, s->A, begin, end);
  for (int64_t b = begin; b < end; b++) y[b] = s->batch.reward[b] + s->batch.discount[b] * y[b];
  if (c->n_steps > 1)
    celi_nstep_entropy(y, s->batch.mid_weight, s->mid.mean_log, &alpha, c->n_steps - 1, s->B, begin,
                       end);
}

/// Lines 3 and 4, split by critic and row. Source: [policy-guarantees, (7)]
static void op_critic_loss(const void *args, int64_t begin, int64_t end) {
  const Dsac *s = dsac_of(args);
  int64_t from, to;
  for (int64_t e = 0; e < s->E; e++) {
    if (!celi_member_rows(s->B, e, begin, end, &from, &to)) continue;
    const int64_t at = e * s->B;
    soft_target(s, e, from, to);
    celi_discrete_squared_error(celi_pass_d_output(&s->q) + at * s->A, s->q_loss + at,
                                celi_pass_output(&s->q) + at * s->A, s->batch.discrete, s->y + at,
                                1.0f / (float)s->B, s->A, from, to);
  }
}

/// Line 6. Source: [discrete-soft-policy-gradient, (6)], [maximum-entropy, 8.28]
static void op_actor_loss(const void *args, int64_t begin, int64_t end) {
  const Dsac *s = dsac_of(args);
  celi_discrete_reduce(s->q_best, celi_pass_output(&s->q_pi), s->E, s->B, s->A, begin, end,
                       s->config->critic_reduce == CEL_CRITIC_REDUCE_MEAN);
  celi_discrete_policy_gradient(s->pi.d_head, s->pi_loss, s->q_best, s->pi.log_pi, s->pi.pi,
                                *s->off.temperature.alpha, 1.0f / (float)s->B, s->A, begin, end);
}

/// Line 7, then the counters. Runs beside the policy's weight gradients, which do not need it.
static void op_finish(const void *args, int64_t begin, int64_t end) {
  (void)begin, (void)end;
  Dsac *s = dsac_of(args);
  const CeliOps *ops = celi_ops();
  const double B = (double)s->B, entropy = -(double)ops->sum(s->pi.mean_log, s->B) / B;
  double *mean = s->off.update.means.sum;
  mean[M_ACTOR_LOSS] += (double)ops->sum(s->pi_loss, s->B) / B;
  mean[M_CRITIC_LOSS] += (double)ops->sum(s->q_loss, s->E * s->B) / B;
  mean[M_ENT_COEF] += (double)*s->off.temperature.alpha;
  mean[M_ENTROPY] += entropy;
  mean[M_ENT_COEF_LOSS] += celi_temperature_step(&s->off.temperature, entropy);
  celi_off_policy_count(&s->off, s->B);
}

// ---- the plan: lines 1 to 7.

static void plan_policies(Dsac *s) {
  CeliPlan *plan = s->off.update.plan;
  celi_policy_plan_probabilities(plan, &s->pi); // line 2
  celi_policy_plan_probabilities(plan, &s->next);
  if (s->config->n_steps > 1) celi_policy_plan_probabilities(plan, &s->mid);
}

static void plan_critics(Dsac *s) {
  CeliPlan *plan = s->off.update.plan;
  const int64_t A = s->A, B = s->B, mid = (s->config->n_steps - 1) * B;
  celi_net_plan_forward(plan, &s->q_next);
  celi_net_plan_forward(plan, &s->q);
  celi_off_policy_plan_rows(&s->off, "critic loss", op_critic_loss, s->E * B); // lines 3 and 4
  celi_plan_touch(
      plan, CELI_READ(s->batch.reward, B), CELI_READ(s->batch.discount, B),
      CELI_READ(s->batch.discrete, B), CELI_READ(celi_pass_output(&s->q_next), s->E * B * A),
      CELI_READ(s->next.log_pi, B * A), CELI_READ(s->next.pi, B * A),
      CELI_READ(s->off.temperature.alpha, 1), CELI_READ(s->batch.mid_weight, mid),
      CELI_READ(s->mid.mean_log, mid), CELI_READ_ROWS(celi_pass_output(&s->q), A, A),
      CELI_UPDATE_ROWS(s->q_best_next, A, A), CELI_UPDATE_ROWS(s->y, 1, 1),
      CELI_WRITE_ROWS(celi_pass_d_output(&s->q), A, A), CELI_WRITE_ROWS(s->q_loss, 1, 1));
  celi_net_plan_backward_data(plan, &s->q, NULL, 0);
  celi_net_plan_backward_weight(plan, &s->q, &s->critic.grad);
  celi_net_plan_transpose(plan, &s->off.policy.net); // of the last update's policy, for line 6
  celi_adam_plan(plan, &s->critic.adam);
  celi_off_policy_plan_target(&s->off, &s->target, &s->critic.net, s->critic.adam.n); // line 5
}

static void plan_actor(Dsac *s) {
  CeliPlan *plan = s->off.update.plan;
  const int64_t A = s->A;
  celi_net_plan_forward(plan, &s->q_pi);
  celi_off_policy_plan_rows(&s->off, "actor loss", op_actor_loss, s->B); // line 6
  celi_plan_touch_each(plan, CELI_READ_ROWS(celi_pass_output(&s->q_pi), A, A), s->E,
                       (size_t)(s->B * A) * sizeof(float));
  celi_plan_touch(plan, CELI_READ(s->off.temperature.alpha, 1), CELI_READ_ROWS(s->pi.log_pi, A, A),
                  CELI_READ_ROWS(s->pi.pi, A, A), CELI_UPDATE_ROWS(s->q_best, A, A),
                  CELI_WRITE_ROWS(s->pi.d_head, A, A), CELI_WRITE_ROWS(s->pi_loss, 1, 1));
  celi_net_plan_backward_data(plan, &s->pi.net, NULL, 0);
  celi_policy_plan_backward_weight(plan, &s->pi);
  celi_net_plan_transpose(plan, &s->critic.net);                  // for line 4
  celi_off_policy_plan_finish(&s->off, "temperature", op_finish); // line 7
  celi_plan_touch(plan, CELI_READ(s->pi.mean_log, s->B), CELI_READ(s->pi_loss, s->B),
                  CELI_READ(s->q_loss, s->E * s->B));
  celi_adam_plan(plan, &s->off.actor);
}

static CelStatus write_plan(Dsac *s) {
  CELI_TRY(celi_plan_create(&s->off.update.plan));
  celi_batch_plan_sample(s->off.update.plan, &s->batch, &s->off.experience); // line 1
  plan_policies(s);
  plan_critics(s);
  plan_actor(s);
  return celi_plan_end(s->off.update.plan);
}

// ---- create.

static CelStatus declare_networks(Dsac *s, CelTensors *t) {
  CeliMlpSpec critic = celi_off_policy_critic(s->off.config, s->O, s->A);
  critic.E = s->E;
  CELI_TRY(celi_trained_declare(&s->critic, t, "critic", &critic));
  return celi_mlp_declare(&s->target, t, "target", CEL_TARGET, &critic);
}

static CelStatus declare_passes(Dsac *s, CelTensors *t) {
  const int64_t B = s->B, mid = (s->config->n_steps - 1) * B;
  const int threads = celi_team_size(s->agent->team);
  const CeliPolicyUse use = CELI_POLICY_PROBABILITIES;
  CELI_TRY(celi_off_policy_pass(&s->off, &s->pi, "pi", use, B, true));
  CELI_TRY(celi_off_policy_pass(&s->off, &s->next, "next", use, B, false));
  if (mid) CELI_TRY(celi_off_policy_pass(&s->off, &s->mid, "mid", use, mid, false));
  CELI_TRY(celi_pass_declare(&s->q, t, "pass.q", &s->critic.net,
                             (CeliPassSpec){.B = B, .backward = true, .threads = threads}));
  return celi_pass_declare(&s->q_next, t, "pass.q_next", &s->target,
                           (CeliPassSpec){.B = B, .threads = threads});
}

static CelStatus declare_batch(Dsac *s, CelTensors *t) {
  const int64_t B = s->B, A = s->A, E = s->E;
  CELI_TRY(celi_batch_declare(&s->batch, &s->off.experience, B, s->config->n_steps, false));
  CELI_DECLARE(t, "batch.q", CEL_F32, CEL_SCRATCH, &s->q_best, B, A);
  CELI_DECLARE(t, "batch.q_next", CEL_F32, CEL_SCRATCH, &s->q_best_next, E, B, A);
  CELI_DECLARE(t, "batch.y", CEL_F32, CEL_SCRATCH, &s->y, E, B);
  CELI_DECLARE(t, "batch.q_loss", CEL_F32, CEL_SCRATCH, &s->q_loss, E, B);
  CELI_DECLARE(t, "batch.pi_loss", CEL_F32, CEL_SCRATCH, &s->pi_loss, B);
  return CEL_OK;
}

static CelStatus declare(CelAgent *agent) {
  Dsac *s = agent->self;
  CelTensors *t = agent->tensors;
  const CelDsacConfig *c = agent->config;
  const CeliPolicyOptions policy =
      celi_off_policy_options(&c->common, (CeliDistSpec){.kind = CELI_CATEGORICAL});
  CeliTrained *const trained[] = {&s->critic};
  CELI_TRY(celi_off_policy_declare(&s->off, agent, &c->common, &policy));
  s->agent = agent, s->config = c;
  s->O = s->off.policy.O, s->A = s->off.policy.dist.A, s->E = c->n_critics;
  s->B = celi_agent_batch(agent, c->common.batch_size);
  s->off.view = (CeliInspection){
      .kind = CELI_CRITIC_ALL_ACTIONS,
      .q = &s->critic.net,
      .head = {.E = c->n_critics, .M = 1, .mean = c->critic_reduce == CEL_CRITIC_REDUCE_MEAN}};
  const CeliTemperatureSpec temperature = {
      .ent_coef = c->ent_coef,
      .start = c->ent_coef_init,
      .target_entropy = isnan(c->target_entropy) ? c->target_entropy_factor * log((double)s->A)
                                                 : c->target_entropy};
  CELI_TRY(declare_networks(s, t));
  CELI_TRY(celi_temperature_declare(&s->off.temperature, agent, &s->off.policy, &temperature));
  CELI_TRY(declare_passes(s, t));
  CELI_TRY(declare_batch(s, t));
  return celi_off_policy_declare_training(&s->off, trained, (const char *const[]){"critic"}, 1);
}

/// Sets the inputs of the networks' passes.
static void bind_passes(Dsac *s) {
  celi_policy_pass_bind(&s->pi, s->batch.obs, s->O);
  celi_policy_pass_bind(&s->next, s->batch.next_obs, s->O);
  if (s->config->n_steps > 1) celi_policy_pass_bind(&s->mid, s->batch.mid_obs, s->O);
  s->q.X = s->batch.obs, s->q_next.X = s->batch.next_obs;
  s->q.ldx = s->q_next.ldx = s->O;
  s->q_pi = s->q; // reuses the activations: the critics' own gradients are done by then
}

static CelStatus prepare(CelAgent *agent) {
  static const char *const names[METRICS] = {"train/actor_loss",    "train/critic_loss",
                                             "train/ent_coef",      "train/ent_coef_loss",
                                             "train/learning_rate", "train/entropy"};
  Dsac *s = agent->self;
  CELI_TRY(celi_off_policy_prepare(agent, names, METRICS, M_LEARNING_RATE));
  CELI_TRY(celi_off_policy_train(&s->off, &s->critic, "critic", CELI_INIT_CRITIC));
  celi_target_copy(&s->target, &s->critic.net, s->critic.adam.n);
  bind_passes(s);
  CELI_TRY(celi_off_policy_sync(agent));
  return write_plan(s);
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
};
