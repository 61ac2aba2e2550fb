/// Advantage actor-critic, synchronous.
///
/// Source: Mnih et al., "Asynchronous methods for deep reinforcement learning", 2016, without the
/// asynchrony; [actor-critic, 4.13].
///
///   x, u, r   observation, action, reward      T, N   steps of a rollout, environments
///   pi, V     policy and values                n      T N, rows of a rollout
///
///   1  T steps of N environments with pi
///   2  A by GAE(lambda), R = A + V; lambda = 1: R is the n-step return                      [4.21]
///   3  L_pi = -mean log pi(u|x) A, A held fixed                                             [4.13]
///   4  L_V = mean (R - V)^2, R held fixed
///   5  one step of RMSProp (or Adam) on L_pi - ent_coef mean H(pi) + vf_coef L_V,
///      gradient clipped by its norm
#include "celsius/a2c.h"
#include "algo/on_policy.h"
#include "base/base.h"

typedef struct A2c {
  CeliOnPolicy on; ///< first: policy, values, rollout
  const CelA2cConfig *config;
  CeliAdam optimizer;
  CeliPlan *plan;
  CeliRolloutPass whole; ///< policy and values on the rollout
} A2c;

static A2c *a2c_of(const void *args) {
  return *(A2c *const *)args;
}

// ---- one operation per equation; rows [begin, end) of the rollout.

/// Line 3 and the entropy bonus. Source: [actor-critic, 4.22]
static void op_policy_loss(const void *args, int64_t begin, int64_t end) {
  const A2c *s = a2c_of(args);
  const float each = 1.0f / (float)s->on.rows, bonus = (float)s->config->ent_coef * each;
  for (int64_t b = begin; b < end; b++) {
    const float A = s->on.rollout.advantage[b];
    s->whole.pi_loss[b] = -s->whole.pi.dist.logp[b] * A;
    s->whole.pi.dist.d_logp[b] = -each * A;
    s->whole.d_entropy[b] = -bonus;
  }
}

/// Line 4.
static void op_value_loss(const void *args, int64_t begin, int64_t end) {
  const A2c *s = a2c_of(args);
  const float weight = 2 * (float)s->config->vf_coef / (float)s->on.rows;
  for (int64_t b = begin; b < end; b++) {
    const float error = celi_pass_output(&s->whole.v)[b] - s->on.rollout.returns[b];
    s->whole.v_loss[b] = error * error;
    celi_pass_d_output(&s->whole.v)[b] = weight * error;
  }
}

// ---- the plan: lines 2 to 5.

static CelStatus write_plan(A2c *s) {
  const CelA2cConfig *c = s->config;
  CeliRolloutPass *whole = &s->whole;
  CELI_TRY(celi_plan_create(&s->plan));
  CeliPlan *plan = s->plan;
  celi_rollout_plan_rewards(plan, &s->on.rollout, &s->on.norm);
  celi_rollout_plan_values(plan, &s->on.rollout);
  celi_rollout_plan_gae(plan, &s->on.rollout, c->common.gamma, c->gae_lambda); // line 2
  if (c->normalize_advantage) celi_rollout_plan_normalize(plan, &s->on.rollout);
  celi_rollout_pass_plan_log_prob(plan, whole);
  celi_rollout_pass_plan_policy_loss(plan, whole, "policy loss", op_policy_loss, s); // line 3
  celi_rollout_pass_plan_backward(plan, whole);
  celi_net_plan_forward(plan, &whole->v);
  celi_rollout_pass_plan_value_loss(plan, whole, "value loss", op_value_loss, s); // line 4
  celi_net_plan_backward_data(plan, &whole->v, NULL, 0);
  celi_policy_plan_backward_weight(plan, &whole->pi);
  celi_net_plan_backward_weight(plan, &whole->v, &s->on.critic_grad);
  celi_policy_plan_backward_param(plan, &whole->pi);
  celi_adam_plan(plan, &s->optimizer); // line 5
  celi_net_plan_transpose(plan, &s->on.policy.net);
  celi_net_plan_transpose(plan, &s->on.critic);
  return celi_plan_end(plan);
}

// ---- update.

static CelStatus update(CelAgent *agent, int64_t n) {
  A2c *s = agent->self;
  const double left = celi_agent_progress_remaining(agent);
  CELI_TRY(celi_on_policy_ready(agent, n));
  celi_adam_set_rate(&s->optimizer, cel_schedule_at(&s->config->common.learning_rate, left));
  CELI_TRY(celi_plan_run(s->plan, agent->team));
  ++*agent->updates;
  CELI_TRY(celi_rollout_pass_report(&s->whole, *s->optimizer.learning_rate));
  celi_rollout_next(&s->on.rollout, &s->on.policy, &s->on.norm);
  return CEL_OK;
}

// ---- create and destroy.

static CelStatus declare(CelAgent *agent) {
  A2c *s = agent->self;
  s->config = agent->config;
  CELI_TRY(celi_on_policy_declare(&s->on, agent, &s->config->common, true));
  CELI_TRY(celi_rollout_pass_declare(&s->whole, &s->on));
  return celi_adam_declare(&s->optimizer, agent->tensors, "optimizer");
}

static CelStatus bind_optimizer(A2c *s) {
  const CelA2cConfig *c = s->config;
  const bool adam = c->optimizer == CEL_A2C_OPTIMIZER_ADAM;
  char last[CEL_NAME_MAX];
  CeliAdamConfig config = celi_on_policy_adam(&c->common, c->epsilon, c->max_grad_norm);
  if (!adam) config.beta2 = c->rms_decay;
  celi_on_policy_last_parameter(&s->on, last);
  CELI_TRY(celi_adam_bind(&s->optimizer, s->on.agent->tensors, "actor.0.weight", last, &config));
  if (!adam) celi_adam_as_rmsprop(&s->optimizer);
  return CEL_OK;
}

static CelStatus prepare(CelAgent *agent) {
  A2c *s = agent->self;
  celi_on_policy_init(&s->on);
  celi_rollout_pass_bind(&s->whole, "train/policy_loss", "train/value_loss");
  CELI_TRY(bind_optimizer(s));
  CELI_TRY(celi_on_policy_sync(agent));
  return write_plan(s);
}

static void release(CelAgent *agent) {
  A2c *s = agent->self;
  celi_on_policy_release(&s->on);
  celi_plan_destroy(s->plan);
}

static int plans_of(const CelAgent *agent, CeliNamedPlan plans[CELI_PLANS_MAX]) {
  const A2c *s = agent->self;
  plans[0] = (CeliNamedPlan){"update", s->plan};
  return 1;
}

const CeliAlgo celi_algo_a2c = {
    .info = {"a2c",
             "advantage actor-critic, synchronous: short rollouts, one step each; any actions",
             celi_a2c_fields, sizeof(CelA2cConfig)},
    .state_size = sizeof(A2c),
    .declare = declare,
    .prepare = prepare,
    .plans = plans_of,
    .release = release,
    .update = update,
    CELI_ON_POLICY_TABLE,
};
