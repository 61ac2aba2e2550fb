/// Twin delayed deep deterministic policy gradient (TD3), and DDPG as a setting of it.
///
/// Source: Fujimoto, van Hoof, Meger, "Addressing function approximation error in actor-critic
/// methods", 2018; Lillicrap et al., "Continuous control with deep reinforcement learning", 2016.
/// It is soft actor-critic [maximum-entropy, 8.21, 8.28] in the limit alpha -> 0 with a
/// deterministic policy.
///
///   s, a, r, s'   a transition from the replay buffer       B   batch
///   mu, mu'       the policy and its target network         E   number of critics
///   Q_e, Q'_e     critic e and its target network           O, A observation and action dimension
///
/// One gradient step. Actions are scaled to [-1, 1].
///   1  draw s, a, r, d = gamma^m (0 where terminated), s' of B transitions
///   2  a' = clip(mu'(s') + clip(sigma xi, -c, c), -1, 1), xi ~ N(0, 1)
///   3  y = r + d min_e Q'_e(s', a')
///   4  J_Q = sum_e mean (Q_e(s, a) - y)^2; Adam on the critics
/// and, in every policy_delay-th step:
///   5  J_mu = -mean Q_1(s, mu(s)); Adam on the policy
///   6  Q'_e += tau (Q_e - Q'_e); mu' += tau (mu - mu')
#include "celsius/td3.h"
#include "algo/discrete.h"
#include "algo/off_policy.h"
#include "base/base.h"

/// Stream of the noise in line 2.
enum { NOISE_NEXT = 1 };

typedef struct Td3 {
  CeliOffPolicy off;
  const CelTd3Config *config;
  CelAgent *agent;
  int64_t O, A, B, E;

  // Networks, and their uses on a batch.
  CeliTrained critic;
  CeliNet first; ///< the first critic alone: the head of the critics' tensors
  CeliNet target, actor_target;
  CeliPolicyPass pi;        ///< policy on s
  CeliPass next;            ///< target policy on s'
  CeliPass q, q_pi, q_next; ///< critics on (s,a), the first on (s,mu(s)), targets on (s',a')

  CeliBatch batch;
  float *sa_pi;            ///< (B, O+A) critic inputs on (s, mu(s))
  float *eps;              ///< (B,A) noise of line 2
  float *y;                ///< (E,B) the target, each critic's own copy
  float *q_loss, *pi_loss; ///< (E,B), (B,)
  float *d_action;         ///< (B,A)
  uint64_t *noise_counter; ///< (1,) blocks used of the stream, saved
} Td3;

enum { M_ACTOR_LOSS, M_CRITIC_LOSS, M_LEARNING_RATE, METRICS };

static Td3 *td3_of(const void *args) {
  return *(Td3 *const *)args;
}

// ---- one operation per equation; rows [begin, end) of the batch.

/// NaN stays NaN.
static float clip(float x, float limit) {
  return x < -limit ? -limit : x > limit ? limit : x;
}

/// Line 2.
static void op_target_action(const void *args, int64_t begin, int64_t end) {
  const Td3 *s = td3_of(args);
  const CeliOps *ops = celi_ops();
  const float sigma = (float)s->config->target_policy_noise;
  const float most = (float)s->config->target_noise_clip;
  const int64_t A = s->A;
  ops->normal(s->eps, s->agent->options.seed, CEL_RNG_NOISE, NOISE_NEXT, *s->noise_counter,
              begin * A, end * A);
  for (int64_t b = begin; b < end; b++) {
    float *action = s->batch.next_obs + b * s->batch.ld_next + s->O;
    ops->tanh(action, celi_pass_output(&s->next) + b * A, A);
    for (int64_t k = 0; k < A; k++)
      action[k] = clip(action[k] + clip(sigma * s->eps[b * A + k], most), 1);
  }
}

/// Lines 3 and 4, split by critic and row. Each critic computes its own copy of the target.
static void op_critic_loss(const void *args, int64_t begin, int64_t end) {
  const Td3 *s = td3_of(args);
  const int64_t B = s->B;
  int64_t from, to;
  for (int64_t e = 0; e < s->E; e++) {
    if (!celi_member_rows(B, e, begin, end, &from, &to)) continue;
    float *y = s->y + e * B;
    celi_discrete_reduce(y, celi_pass_output(&s->q_next), s->E, B, 1, from, to,
                         s->config->critic_reduce == CEL_CRITIC_REDUCE_MEAN);
    for (int64_t b = from; b < to; b++) y[b] = s->batch.reward[b] + s->batch.discount[b] * y[b];
    celi_ops()->squared_error(celi_pass_d_output(&s->q) + e * B, s->q_loss + e * B,
                              celi_pass_output(&s->q) + e * B, y, 2.0f / (float)B, 1, B, from, to);
  }
}

/// Line 5: d J_mu / d Q_1.
static void op_actor_loss(const void *args, int64_t begin, int64_t end) {
  const Td3 *s = td3_of(args);
  for (int64_t b = begin; b < end; b++) s->pi_loss[b] = -celi_pass_output(&s->q_pi)[b];
  celi_ops()->fill(celi_pass_d_output(&s->q_pi) + begin, -1.0f / (float)s->B, end - begin);
}

/// The logged means and the counters. The kernel's loss is half of line 4's.
static void op_finish(const void *args, int64_t begin, int64_t end) {
  (void)begin, (void)end;
  Td3 *s = td3_of(args);
  const CeliOps *ops = celi_ops();
  const double B = (double)s->B;
  double *mean = s->off.update.means.sum;
  mean[M_CRITIC_LOSS] += 2 * (double)ops->sum(s->q_loss, s->E * s->B) / B;
  if (celi_off_policy_is_due(&s->off, s->config->policy_delay))
    mean[M_ACTOR_LOSS] += (double)ops->sum(s->pi_loss, s->B) / B;
  *s->noise_counter += (uint64_t)(s->B * s->A / 4 + 1);
  celi_off_policy_count(&s->off, s->B);
}

// ---- the plan: lines 1 to 6.

static void plan_critics(Td3 *s) {
  CeliPlan *plan = s->off.update.plan;
  const int64_t A = s->A, B = s->B;
  celi_net_plan_forward(plan, &s->next);
  celi_off_policy_plan_rows(&s->off, "target action", op_target_action, B); // line 2
  celi_plan_touch(plan, CELI_READ_ROWS(celi_pass_output(&s->next), A, A),
                  CELI_READ(s->noise_counter, 1), CELI_UPDATE_ROWS(s->eps, A, A),
                  CELI_UPDATE_ROWS(s->batch.next_obs + s->O, s->batch.ld_next, A));
  celi_net_plan_forward(plan, &s->q_next);
  celi_net_plan_forward(plan, &s->q);
  celi_off_policy_plan_rows(&s->off, "critic loss", op_critic_loss, s->E * B); // lines 3 and 4
  celi_plan_touch(plan, CELI_READ(s->batch.reward, B), CELI_READ(s->batch.discount, B),
                  CELI_READ(celi_pass_output(&s->q_next), s->E * B),
                  CELI_READ_ROWS(celi_pass_output(&s->q), 1, 1), CELI_UPDATE_ROWS(s->y, 1, 1),
                  CELI_WRITE_ROWS(celi_pass_d_output(&s->q), 1, 1),
                  CELI_WRITE_ROWS(s->q_loss, 1, 1));
  celi_net_plan_backward_data(plan, &s->q, NULL, 0);
  celi_net_plan_backward_weight(plan, &s->q, &s->critic.grad);
  celi_adam_plan(plan, &s->critic.adam);
  celi_net_plan_transpose(plan, &s->critic.net);
}

/// Lines 5 and 6, every policy_delay-th time.
static void plan_actor(Td3 *s) {
  CeliPlan *plan = s->off.update.plan;
  CeliNet *policy = &s->off.policy.net;
  const ptrdiff_t ld = s->O + s->A;
  celi_off_policy_plan_every(&s->off, s->config->policy_delay);
  celi_batch_plan_copy_obs(plan, &s->batch, s->sa_pi);
  celi_policy_plan_sample(plan, &s->pi, s->sa_pi + s->O, ld, 0, NULL);
  celi_net_plan_forward(plan, &s->q_pi);
  celi_off_policy_plan_rows(&s->off, "actor loss", op_actor_loss, s->B); // line 5
  celi_plan_touch(plan, CELI_READ_ROWS(celi_pass_output(&s->q_pi), 1, 1),
                  CELI_WRITE_ROWS(celi_pass_d_output(&s->q_pi), 1, 1),
                  CELI_WRITE_ROWS(s->pi_loss, 1, 1));
  celi_net_plan_backward_data_columns(plan, &s->q_pi, s->d_action, s->A, s->O, ld);
  celi_policy_plan_sample_backward(plan, &s->pi, s->d_action, s->sa_pi + s->O, ld);
  celi_policy_plan_backward_weight(plan, &s->pi);
  celi_adam_plan(plan, &s->off.actor);
  celi_off_policy_plan_target(&s->off, &s->target, &s->critic.net, s->critic.adam.n); // line 6
  celi_off_policy_plan_target(&s->off, &s->actor_target, policy, s->off.actor.n);
  celi_net_plan_transpose(plan, policy);
  celi_off_policy_plan_every(&s->off, 1);
}

static CelStatus write_plan(Td3 *s) {
  CELI_TRY(celi_plan_create(&s->off.update.plan));
  celi_batch_plan_sample(s->off.update.plan, &s->batch, &s->off.experience); // line 1
  plan_critics(s);
  plan_actor(s);
  celi_off_policy_plan_finish(&s->off, "finish", op_finish);
  celi_plan_touch(s->off.update.plan, CELI_READ(s->pi_loss, s->B),
                  CELI_READ(s->q_loss, s->E * s->B), CELI_UPDATE(s->noise_counter, 1));
  return celi_plan_end(s->off.update.plan);
}

// ---- create.

static CelStatus declare_networks(Td3 *s, CelTensors *t) {
  CeliMlpSpec critic = celi_off_policy_critic(s->off.config, s->O + s->A, 1);
  const CeliMlpSpec actor = celi_off_policy_network(s->off.config, s->O, s->A);
  critic.E = s->E;
  critic.dx_begin = s->O, critic.dx_end = s->O + s->A; // line 5 needs the gradient to the action
  CELI_TRY(celi_trained_declare(&s->critic, t, "critic", &critic));
  CELI_TRY(celi_mlp_declare(&s->target, t, "target", CEL_TARGET, &critic));
  return celi_mlp_declare(&s->actor_target, t, "actor_target", CEL_TARGET, &actor);
}

/// The first critic, of which a member's tensors are the heads of the ensemble's.
static void take_first(Td3 *s) {
  s->first = s->critic.net;
  s->first.E = 1;
}

static CelStatus declare_passes(Td3 *s, CelTensors *t) {
  const CeliPassSpec forward = {.B = s->B, .threads = celi_team_size(s->agent->team)};
  CeliPassSpec both = forward;
  both.backward = true;
  take_first(s);
  CELI_TRY(celi_off_policy_pass(&s->off, &s->pi, "pi", CELI_POLICY_SAMPLES, s->B, true));
  CELI_TRY(celi_pass_declare(&s->next, t, "pass.next", &s->actor_target, forward));
  CELI_TRY(celi_pass_declare(&s->q, t, "pass.q", &s->critic.net, both));
  CELI_TRY(celi_pass_declare(&s->q_pi, t, "pass.q_pi", &s->first, both));
  return celi_pass_declare(&s->q_next, t, "pass.q_next", &s->target, forward);
}

static CelStatus declare_batch(Td3 *s, CelTensors *t) {
  const int64_t B = s->B, A = s->A, E = s->E;
  CELI_TRY(celi_batch_declare(&s->batch, &s->off.experience, B, s->config->n_steps, true));
  CELI_DECLARE(t, "batch.sa_pi", CEL_F32, CEL_SCRATCH, &s->sa_pi, B, s->O + A);
  CELI_DECLARE(t, "batch.eps", CEL_F32, CEL_SCRATCH, &s->eps, B, A);
  CELI_DECLARE(t, "batch.y", CEL_F32, CEL_SCRATCH, &s->y, E, B);
  CELI_DECLARE(t, "batch.q_loss", CEL_F32, CEL_SCRATCH, &s->q_loss, E, B);
  CELI_DECLARE(t, "batch.pi_loss", CEL_F32, CEL_SCRATCH, &s->pi_loss, B);
  CELI_DECLARE(t, "batch.d_action", CEL_F32, CEL_SCRATCH, &s->d_action, B, A);
  CELI_DECLARE(t, "noise_counter", CEL_U64, CEL_STATE, &s->noise_counter, 1);
  return CEL_OK;
}

static CelStatus declare(CelAgent *agent) {
  Td3 *s = agent->self;
  CelTensors *t = agent->tensors;
  const CelTd3Config *c = agent->config;
  CeliTrained *const trained[] = {&s->critic};
  CeliPolicyOptions policy = celi_off_policy_options(
      &c->common, (CeliDistSpec){.kind = CELI_SQUASHED_GAUSSIAN, .deterministic = true});
  policy.noise = (CeliNoiseKind)c->noise;
  policy.noise_sigma = c->noise_sigma, policy.noise_theta = c->noise_theta;
  policy.noise_dt = c->noise_dt;
  CELI_TRY(celi_off_policy_declare(&s->off, agent, &c->common, &policy));
  s->agent = agent, s->config = c;
  s->O = s->off.policy.O, s->A = s->off.policy.A, s->E = c->n_critics;
  s->B = celi_agent_batch(agent, c->common.batch_size);
  s->off.view = (CeliInspection){
      .kind = CELI_CRITIC_ONE_ACTION,
      .q = &s->critic.net,
      .head = {.E = s->E, .M = 1, .mean = c->critic_reduce == CEL_CRITIC_REDUCE_MEAN}};
  CELI_TRY(declare_networks(s, t));
  CELI_TRY(declare_passes(s, t));
  CELI_TRY(declare_batch(s, t));
  return celi_off_policy_declare_training(&s->off, trained, (const char *const[]){"critic"}, 1);
}

/// Sets the inputs of the networks' passes.
static void bind_passes(Td3 *s) {
  const ptrdiff_t ld = s->O + s->A;
  celi_policy_pass_bind(&s->pi, s->batch.obs, ld);
  s->next.X = s->batch.next_obs;
  s->q.X = s->batch.obs, s->q_pi.X = s->sa_pi, s->q_next.X = s->batch.next_obs;
  s->next.ldx = s->q.ldx = s->q_pi.ldx = s->q_next.ldx = ld;
}

static CelStatus prepare(CelAgent *agent) {
  static const char *const names[METRICS] = {"train/actor_loss", "train/critic_loss",
                                             "train/learning_rate"};
  Td3 *s = agent->self;
  CELI_TRY(celi_off_policy_prepare(agent, names, METRICS, M_LEARNING_RATE));
  CELI_TRY(celi_off_policy_train(&s->off, &s->critic, "critic", CELI_INIT_CRITIC));
  s->off.update.means.every[M_ACTOR_LOSS] = s->config->policy_delay;
  celi_target_copy(&s->target, &s->critic.net, s->critic.adam.n);
  celi_target_copy(&s->actor_target, &s->off.policy.net, s->off.actor.n);
  take_first(s);
  bind_passes(s);
  CELI_TRY(celi_off_policy_sync(agent));
  return write_plan(s);
}

const CeliAlgo celi_algo_td3 = {
    .info = {"td3", "twin delayed DDPG: deterministic policy, twin critics; continuous actions",
             celi_td3_fields, sizeof(CelTd3Config)},
    .state_size = sizeof(Td3),
    CELI_OFF_POLICY_TABLE,
    .declare = declare,
    .prepare = prepare,
};
