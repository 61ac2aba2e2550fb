/// Soft actor-critic with a value network.
///
/// Source: [policy-guarantees, SAC] (Algorithm 1, losses (5)-(10)) with gamma and alpha written out
/// as in docs/equations.md; Haarnoja et al., "Soft actor-critic: off-policy maximum entropy deep
/// reinforcement learning with a stochastic actor", 2018.
///
///   s, a, r, s'   a transition from the replay buffer       B   batch
///   pi            the policy, a Gaussian                    E   number of critics
///   V, V'         value network and its moving average      O, A observation and action dimension
///   Q_e           critic e                                  Hbar target entropy, nats
///   alpha         temperature, reward units per nat
///
/// One gradient step:
///   1  draw s, a, r, d = gamma (0 where terminated), s' of B transitions;
///      a_pi, log pi(a_pi|s) ~ pi(.|s)
///   2  J_V = mean 1/2 (V(s) - (min_e Q_e(s, a_pi) - alpha log pi(a_pi|s)))^2; Adam on V   [(5)]
///   3  J_Q = sum_e mean 1/2 (Q_e(s, a) - (r + d V'(s')))^2; Adam on the critics      [(7), (8)]
///   4  J_pi = mean (alpha log pi(a_pi|s) - min_e Q_e(s, a_pi)); Adam on pi        [(10), 8.28]
///   5  V' += tau (V - V')
///   6  J_alpha = log alpha mean(H - Hbar); Adam on log alpha
/// alpha is the one from before line 6 throughout. Line 4 sees the critics of line 3.
#include "celsius/sacv.h"
#include "algo/off_policy.h"
#include "base/base.h"

#include <math.h>
#include <string.h>

typedef struct Sacv {
  CeliOffPolicy off;
  const CelSacvConfig *config;
  CelAgent *agent;
  int64_t O, A, B, E;

  // Networks and their uses on a batch.
  CeliTrained critic, value;
  CeliNet target;
  CeliPolicyPass pi;  ///< policy on s
  CeliPass v, v_next; ///< V on s, V' on s'
  CeliPass q, q_pi;   ///< critics on (s,a) and on (s,a_pi)

  CeliBatch batch;
  float *sa_pi;              ///< (B, O+A) critic inputs on (s, a_pi)
  float *v_hat, *one, *zero; ///< (B,) target of V; a reward of 0 and a discount of 1 for its kernel
  float *y;                  ///< (E,B) target of Q, each critic's own copy
  float *v_loss, *q_loss, *pi_loss, *q_min; ///< (B,), (E,B), (B,), (B,)
  float *d_action;                          ///< (B,A)
  uint64_t *noise_counter; ///< (1,) blocks of the stream that updates take noise from, saved
} Sacv;

enum {
  M_ACTOR_LOSS,
  M_CRITIC_LOSS,
  M_VALUE_LOSS,
  M_ENT_COEF,
  M_ENT_COEF_LOSS,
  M_LEARNING_RATE,
  M_ENTROPY,
  METRICS
};

static Sacv *sacv_of(const void *args) {
  return *(Sacv *const *)args;
}

// ---- one operation an equation; rows [begin, end) of the batch.

/// Line 2: the soft target's kernel with reward 0 and discount 1 is V's own target.
/// Source: [policy-guarantees, (5)], [maximum-entropy, 8.14]
static void op_value_loss(const void *args, int64_t begin, int64_t end) {
  const Sacv *s = sacv_of(args);
  celi_ops()->soft_target(s->v_hat, s->zero, s->one, celi_pass_output(&s->q_pi),
                          celi_policy_logp(&s->pi), s->off.temperature.alpha, s->E, s->B, begin,
                          end, s->config->critic_reduce == CEL_CRITIC_REDUCE_MEAN);
  celi_ops()->squared_error(celi_pass_d_output(&s->v), s->v_loss, celi_pass_output(&s->v), s->v_hat,
                            1.0f / (float)s->B, 1, s->B, begin, end);
}

/// Line 3, cut by critic and row. Source: [policy-guarantees, (7)], [policy-guarantees, (8)]
static void op_critic_loss(const void *args, int64_t begin, int64_t end) {
  const Sacv *s = sacv_of(args);
  int64_t from, to;
  for (int64_t e = 0; e < s->E; e++) {
    if (!celi_member_rows(s->B, e, begin, end, &from, &to)) continue;
    const int64_t at = e * s->B;
    for (int64_t b = from; b < to; b++)
      s->y[at + b] = s->batch.reward[b] + s->batch.discount[b] * celi_pass_output(&s->v_next)[b];
    celi_ops()->squared_error(celi_pass_d_output(&s->q) + at, s->q_loss + at,
                              celi_pass_output(&s->q) + at, s->y + at, 1.0f / (float)s->B, 1, s->B,
                              from, to);
  }
}

/// Line 4: d J_pi / d Q and d J_pi / d log pi = alpha / B.
/// Source: [policy-guarantees, (10)], [maximum-entropy, 8.28]
static void op_actor_loss(const void *args, int64_t begin, int64_t end) {
  const Sacv *s = sacv_of(args);
  celi_ops()->actor_objective(celi_pass_d_output(&s->q_pi), s->q_min, s->pi_loss,
                              celi_pass_output(&s->q_pi), celi_policy_logp(&s->pi),
                              s->off.temperature.alpha, 1.0f / (float)s->B, s->E, s->B, begin, end,
                              s->config->critic_reduce == CEL_CRITIC_REDUCE_MEAN);
  celi_ops()->fill(celi_policy_d_logp(&s->pi) + begin, *s->off.temperature.alpha / (float)s->B,
                   end - begin);
}

/// Line 6, then the counters; after line 5, which reads one.
static void op_finish(const void *args, int64_t begin, int64_t end) {
  (void)begin, (void)end;
  Sacv *s = sacv_of(args);
  const CeliOps *ops = celi_ops();
  const double B = (double)s->B, entropy = -(double)ops->sum(celi_policy_logp(&s->pi), s->B) / B;
  double *mean = s->off.update.means.sum;
  mean[M_ACTOR_LOSS] += (double)ops->sum(s->pi_loss, s->B) / B;
  mean[M_CRITIC_LOSS] += (double)ops->sum(s->q_loss, s->E * s->B) / B;
  mean[M_VALUE_LOSS] += (double)ops->sum(s->v_loss, s->B) / B;
  mean[M_ENT_COEF] += (double)*s->off.temperature.alpha;
  mean[M_ENTROPY] += entropy;
  mean[M_ENT_COEF_LOSS] += celi_temperature_step(&s->off.temperature, entropy);
  *s->noise_counter += celi_dist_blocks(&s->pi.dist);
  celi_off_policy_count(&s->off, s->B);
}

// ---- the plan: lines 1 to 6.

/// Line 1.
static void plan_sample(Sacv *s) {
  CeliPlan *plan = s->off.update.plan;
  celi_batch_plan_sample(plan, &s->batch, &s->off.experience);
  celi_batch_plan_copy_obs(plan, &s->batch, s->sa_pi);
  celi_policy_plan_sample(plan, &s->pi, s->sa_pi + s->O, s->O + s->A, 0, s->noise_counter);
}

/// Line 2.
static void plan_value(Sacv *s) {
  CeliPlan *plan = s->off.update.plan;
  celi_net_plan_forward(plan, &s->v);
  celi_net_plan_forward(plan, &s->q_pi);
  celi_off_policy_plan_rows(&s->off, "value loss", op_value_loss, s->B);
  celi_plan_touch_each(plan, CELI_READ_ROWS(celi_pass_output(&s->q_pi), 1, 1), s->E,
                       (size_t)s->B * sizeof(float));
  celi_plan_touch(plan, CELI_READ(s->off.temperature.alpha, 1), CELI_READ_ROWS(s->zero, 1, 1),
                  CELI_READ_ROWS(s->one, 1, 1), CELI_READ_ROWS(celi_policy_logp(&s->pi), 1, 1),
                  CELI_READ_ROWS(celi_pass_output(&s->v), 1, 1), CELI_UPDATE_ROWS(s->v_hat, 1, 1),
                  CELI_WRITE_ROWS(celi_pass_d_output(&s->v), 1, 1),
                  CELI_WRITE_ROWS(s->v_loss, 1, 1));
  celi_net_plan_backward_data(plan, &s->v, NULL, 0);
  celi_net_plan_backward_weight(plan, &s->v, &s->value.grad);
  celi_net_plan_transpose(plan, &s->off.policy.net); // of the last update's policy: for line 4
  celi_adam_plan(plan, &s->value.adam);
}

/// Line 3. The activations of line 2 on (s, a_pi) are done with.
static void plan_critics(Sacv *s) {
  CeliPlan *plan = s->off.update.plan;
  celi_net_plan_transpose(plan, &s->value.net);
  celi_net_plan_forward(plan, &s->v_next);
  celi_net_plan_forward(plan, &s->q);
  celi_off_policy_plan_rows(&s->off, "critic loss", op_critic_loss, s->E * s->B);
  celi_plan_touch(plan, CELI_READ(s->batch.reward, s->B), CELI_READ(s->batch.discount, s->B),
                  CELI_READ(celi_pass_output(&s->v_next), s->B),
                  CELI_READ_ROWS(celi_pass_output(&s->q), 1, 1), CELI_UPDATE_ROWS(s->y, 1, 1),
                  CELI_WRITE_ROWS(celi_pass_d_output(&s->q), 1, 1),
                  CELI_WRITE_ROWS(s->q_loss, 1, 1));
  celi_net_plan_backward_data(plan, &s->q, NULL, 0);
  celi_net_plan_backward_weight(plan, &s->q, &s->critic.grad);
  celi_adam_plan(plan, &s->critic.adam);
  celi_net_plan_transpose(plan, &s->critic.net);
}

/// Lines 4 to 6.
static void plan_actor(Sacv *s) {
  const size_t apart = (size_t)s->B * sizeof(float); // from critic to critic
  CeliPlan *plan = s->off.update.plan;
  celi_net_plan_forward(plan, &s->q_pi);
  celi_off_policy_plan_rows(&s->off, "actor loss", op_actor_loss, s->B);
  celi_plan_touch_each(plan, CELI_READ_ROWS(celi_pass_output(&s->q_pi), 1, 1), s->E, apart);
  celi_plan_touch_each(plan, CELI_WRITE_ROWS(celi_pass_d_output(&s->q_pi), 1, 1), s->E, apart);
  celi_plan_touch(plan, CELI_READ(s->off.temperature.alpha, 1),
                  CELI_READ_ROWS(celi_policy_logp(&s->pi), 1, 1), CELI_WRITE_ROWS(s->q_min, 1, 1),
                  CELI_WRITE_ROWS(s->pi_loss, 1, 1),
                  CELI_WRITE_ROWS(celi_policy_d_logp(&s->pi), 1, 1));
  celi_net_plan_backward_data_columns(plan, &s->q_pi, s->d_action, s->A, s->O, s->O + s->A);
  celi_policy_plan_sample_backward(plan, &s->pi, s->d_action, s->sa_pi + s->O, s->O + s->A);
  celi_policy_plan_backward_weight(plan, &s->pi);
  celi_adam_plan(plan, &s->off.actor);
  celi_off_policy_plan_target(&s->off, &s->target, &s->value.net, s->value.adam.n); // line 5
  celi_off_policy_plan_finish(&s->off, "temperature", op_finish);                   // line 6
  celi_plan_touch(plan, CELI_READ(celi_policy_logp(&s->pi), s->B), CELI_READ(s->pi_loss, s->B),
                  CELI_READ(s->q_loss, s->E * s->B), CELI_READ(s->v_loss, s->B),
                  CELI_UPDATE(s->noise_counter, 1));
}

static CelStatus write_plan(Sacv *s) {
  CELI_TRY(celi_plan_create(&s->off.update.plan));
  plan_sample(s);
  plan_value(s);
  plan_critics(s);
  plan_actor(s);
  return celi_plan_end(s->off.update.plan);
}

// ---- create.

static CelStatus declare_networks(Sacv *s, CelTensors *t) {
  CeliMlpSpec critic = celi_off_policy_critic(s->off.config, s->O + s->A, 1);
  const CeliMlpSpec value = celi_off_policy_critic(s->off.config, s->O, 1);
  critic.E = s->E;
  critic.dx_begin = s->O; // the actor follows the critics' gradient to the action
  critic.dx_end = s->O + s->A;
  CELI_TRY(celi_trained_declare(&s->critic, t, "critic", &critic));
  CELI_TRY(celi_trained_declare(&s->value, t, "value", &value));
  return celi_mlp_declare(&s->target, t, "target", CEL_TARGET, &value);
}

static CelStatus declare_passes(Sacv *s, CelTensors *t) {
  const int threads = celi_team_size(s->agent->team);
  const CeliPassSpec trained = {.B = s->B, .backward = true, .threads = threads};
  CELI_TRY(celi_off_policy_pass(&s->off, &s->pi, "pi", CELI_POLICY_SAMPLES, s->B, true));
  CELI_TRY(celi_pass_declare(&s->q, t, "pass.q", &s->critic.net, trained));
  CELI_TRY(celi_pass_declare(&s->v, t, "pass.v", &s->value.net, trained));
  return celi_pass_declare(&s->v_next, t, "pass.v_next", &s->target,
                           (CeliPassSpec){.B = s->B, .threads = threads});
}

static CelStatus declare_batch(Sacv *s, CelTensors *t) {
  const int64_t B = s->B, A = s->A;
  CELI_TRY(celi_batch_declare(&s->batch, &s->off.experience, B, 1, false));
  CELI_DECLARE(t, "batch.sa_pi", CEL_F32, CEL_SCRATCH, &s->sa_pi, B, s->O + A);
  CELI_DECLARE(t, "batch.v_target", CEL_F32, CEL_SCRATCH, &s->v_hat, B);
  CELI_DECLARE(t, "batch.one", CEL_F32, CEL_SCRATCH, &s->one, B);
  CELI_DECLARE(t, "batch.zero", CEL_F32, CEL_SCRATCH, &s->zero, B);
  CELI_DECLARE(t, "batch.y", CEL_F32, CEL_SCRATCH, &s->y, s->E, B);
  CELI_DECLARE(t, "batch.v_loss", CEL_F32, CEL_SCRATCH, &s->v_loss, B);
  CELI_DECLARE(t, "batch.q_loss", CEL_F32, CEL_SCRATCH, &s->q_loss, s->E, B);
  CELI_DECLARE(t, "batch.pi_loss", CEL_F32, CEL_SCRATCH, &s->pi_loss, B);
  CELI_DECLARE(t, "batch.q_min", CEL_F32, CEL_SCRATCH, &s->q_min, B);
  CELI_DECLARE(t, "batch.d_action", CEL_F32, CEL_SCRATCH, &s->d_action, B, A);
  CELI_DECLARE(t, "noise_counter", CEL_U64, CEL_STATE, &s->noise_counter, 1);
  return CEL_OK;
}

static CelStatus declare(CelAgent *agent) {
  Sacv *s = agent->self;
  CelTensors *t = agent->tensors;
  const CelSacvConfig *c = agent->config;
  CeliTrained *const trained[] = {&s->critic, &s->value};
  CeliPolicyOptions policy;
  CELI_TRY(celi_off_policy_gaussian(&policy, agent, &c->common, c->policy, c->log_std_min,
                                    c->log_std_max));
  CELI_TRY(celi_off_policy_declare(&s->off, agent, &c->common, &policy));
  s->agent = agent, s->config = c;
  s->O = s->off.policy.O, s->A = s->off.policy.A, s->E = c->n_critics;
  s->B = celi_agent_batch(agent, c->common.batch_size);
  s->off.view = (CeliInspection){
      .kind = CELI_CRITIC_ONE_ACTION,
      .q = &s->critic.net,
      .head = {.E = c->n_critics, .M = 1, .mean = c->critic_reduce == CEL_CRITIC_REDUCE_MEAN},
      .v = &s->value.net};
  const CeliTemperatureSpec temperature = {
      .ent_coef = c->ent_coef,
      .start = c->ent_coef_init,
      .target_entropy = isnan(c->target_entropy) ? -(double)s->A : c->target_entropy};
  CELI_TRY(declare_networks(s, t));
  CELI_TRY(celi_temperature_declare(&s->off.temperature, agent, &s->off.policy, &temperature));
  CELI_TRY(declare_passes(s, t));
  CELI_TRY(declare_batch(s, t));
  return celi_off_policy_declare_training(&s->off, trained,
                                          (const char *const[]){"critic", "value"}, 2);
}

/// Points the uses of networks at their inputs.
static void bind_passes(Sacv *s) {
  const ptrdiff_t ld = s->O + s->A;
  celi_policy_pass_bind(&s->pi, s->batch.obs, ld);
  s->v.X = s->q.X = s->batch.obs, s->v.ldx = s->q.ldx = ld;
  s->v_next.X = s->batch.next_obs, s->v_next.ldx = s->O;
  s->q_pi = s->q; // the same activations in turn: lines 2, 3 and 4 each are done with them
  s->q_pi.X = s->sa_pi;
  celi_ops()->fill(s->one, 1, s->B);
}

static CelStatus prepare(CelAgent *agent) {
  static const char *const names[METRICS] = {
      "train/actor_loss",    "train/critic_loss",   "train/value_loss", "train/ent_coef",
      "train/ent_coef_loss", "train/learning_rate", "train/entropy"};
  Sacv *s = agent->self;
  CELI_TRY(celi_off_policy_prepare(agent, names, METRICS, M_LEARNING_RATE));
  CELI_TRY(celi_off_policy_train(&s->off, &s->critic, "critic", CELI_INIT_CRITIC));
  CELI_TRY(celi_off_policy_train(&s->off, &s->value, "value", CELI_INIT_VALUE));
  celi_target_copy(&s->target, &s->value.net, s->value.adam.n);
  bind_passes(s);
  CELI_TRY(celi_off_policy_sync(agent));
  return write_plan(s);
}

const CeliAlgo celi_algo_sacv = {
    .info = {"sacv", "soft actor-critic with a value network, its first form; continuous actions",
             celi_sacv_fields, sizeof(CelSacvConfig)},
    .state_size = sizeof(Sacv),
    CELI_OFF_POLICY_TABLE,
    .declare = declare,
    .prepare = prepare,
};
