/// Actor-critic with a one-step temporal difference.
///
/// Source: [actor-critic, 4.16-4.26], in the form of docs/equations.md.
///
///   x, u, r   observation, action, reward       theta, phi   parameters of policy pi and values V
///   gamma     discount                          i            a step of one environment
///
///   1  n_steps steps of all environments with pi
///   2  A_i = r_i + gamma V(x_{i+1}) - V(x_i), V(x_{i+1}) = 0 where terminated               [4.21]
///   3  Loss_critic(phi) = 1/2 sum_i (r_i + gamma V(x_{i+1}) - V_phi(x_i))^2, target fixed   [4.20]
///   4  Loss_actor(theta) = -sum_i log pi_theta(u_i|x_i) A_i, A_i held fixed                 [4.22]
///   5  theta <- theta - rate grad Loss_actor, and the same for phi; or Adam                 [4.23]
///
/// Each sum may be a mean. Each term of line 4 may have the weight gamma^t, where t is the step
/// within its episode. With the weight, the expectation is the gradient of J [4.6]. Without it, as
/// is common, it is not [4.7]. The policy is a Gaussian whose sigma depends on the state
/// [4.24-4.26], or a distribution of discrete actions.
#include "celsius/ac.h"
#include "algo/on_policy.h"
#include "base/base.h"

typedef struct Ac {
  CeliOnPolicy on; ///< first: policy, values, rollout
  const CelAcConfig *config;
  CeliAdam actor_step, critic_step;
  CeliPlan *plan;
  CeliRolloutPass whole; ///< policy and values on the rollout
  float *weight;         ///< (rows,) gamma^t
} Ac;

static Ac *ac_of(const void *args) {
  return *(Ac *const *)args;
}

/// Factor of each step's losses.
static float each_of(const Ac *s) {
  return s->config->reduction == CEL_AC_REDUCTION_SUM ? 1.0f : 1.0f / (float)s->on.rows;
}

// ---- one operation per equation; rows [begin, end) of the rollout.

/// Line 4 and the entropy bonus. Source: [actor-critic, 4.22]
static void op_actor_loss(const void *args, int64_t begin, int64_t end) {
  const Ac *s = ac_of(args);
  const float each = each_of(s), bonus = (float)s->config->ent_coef * each;
  for (int64_t b = begin; b < end; b++) {
    const float A = s->on.rollout.advantage[b] * (s->config->discount_weight ? s->weight[b] : 1.0f);
    s->whole.pi_loss[b] = -s->whole.pi.dist.logp[b] * A;
    s->whole.pi.dist.d_logp[b] = -each * A;
    s->whole.d_entropy[b] = -bonus;
  }
}

/// Line 3. Source: [actor-critic, 4.20]
static void op_critic_loss(const void *args, int64_t begin, int64_t end) {
  const Ac *s = ac_of(args);
  const float each = each_of(s);
  for (int64_t b = begin; b < end; b++) {
    const float error = celi_pass_output(&s->whole.v)[b] - s->on.rollout.returns[b];
    s->whole.v_loss[b] = 0.5f * error * error;
    celi_pass_d_output(&s->whole.v)[b] = each * error;
  }
}

// ---- the plan: lines 2 to 5.

/// Line 5.
static void plan_steps(Ac *s, CeliPlan *plan) {
  CeliAdam *steps[] = {&s->actor_step, &s->critic_step};
  if (s->config->optimizer == CEL_AC_OPTIMIZER_ADAM) {
    celi_adam_plan_many(plan, steps, 2);
    return;
  }
  for (int i = 0; i < 2; i++) celi_sgd_plan(plan, steps[i]);
}

static CelStatus write_plan(Ac *s) {
  const CelAcConfig *c = s->config;
  CeliRolloutPass *whole = &s->whole;
  CELI_TRY(celi_plan_create(&s->plan));
  CeliPlan *plan = s->plan;
  celi_rollout_plan_rewards(plan, &s->on.rollout, &s->on.norm);
  celi_rollout_plan_values(plan, &s->on.rollout);
  celi_rollout_plan_gae(plan, &s->on.rollout, c->common.gamma, 0); // line 2
  if (c->discount_weight)
    celi_rollout_plan_discount(plan, &s->on.rollout, c->common.gamma, s->weight);
  celi_rollout_pass_plan_log_prob(plan, whole);
  celi_rollout_pass_plan_policy_loss(plan, whole, "actor loss", op_actor_loss, s); // line 4
  celi_plan_touch(plan, CELI_READ_ROWS(s->weight, 1, 1));
  celi_rollout_pass_plan_backward(plan, whole);
  celi_net_plan_forward(plan, &whole->v);
  celi_rollout_pass_plan_value_loss(plan, whole, "critic loss", op_critic_loss, s); // line 3
  celi_net_plan_backward_data(plan, &whole->v, NULL, 0);
  celi_policy_plan_backward_weight(plan, &whole->pi);
  celi_net_plan_backward_weight(plan, &whole->v, &s->on.critic_grad);
  celi_policy_plan_backward_param(plan, &whole->pi);
  plan_steps(s, plan);
  celi_net_plan_transpose(plan, &s->on.policy.net);
  celi_net_plan_transpose(plan, &s->on.critic);
  return celi_plan_end(plan);
}

// ---- update.

static CelStatus update(CelAgent *agent, int64_t n) {
  Ac *s = agent->self;
  const CelAcConfig *c = s->config;
  const double left = celi_agent_progress_remaining(agent);
  CELI_TRY(celi_on_policy_ready(agent, n));
  celi_adam_set_rate(&s->actor_step, cel_schedule_at(&c->common.learning_rate, left));
  celi_adam_set_rate(&s->critic_step, cel_schedule_at(&c->critic_learning_rate, left));
  CELI_TRY(celi_plan_run(s->plan, agent->team));
  ++*agent->updates;
  CELI_TRY(celi_rollout_pass_report(&s->whole, *s->actor_step.learning_rate));
  celi_rollout_next(&s->on.rollout, &s->on.policy, &s->on.norm);
  return CEL_OK;
}

// ---- create and destroy.

static CelStatus declare(CelAgent *agent) {
  Ac *s = agent->self;
  CelTensors *t = agent->tensors;
  s->config = agent->config;
  CelOnPolicyConfig common = s->config->common;
  // The default is for continuous actions. Discrete actions have no sigma.
  common.state_dependent_std &= agent->action.part[0].kind == CEL_BOX;
  CELI_TRY(celi_on_policy_declare(&s->on, agent, &common, true));
  CELI_TRY(celi_rollout_pass_declare(&s->whole, &s->on));
  CELI_DECLARE(t, "batch.weight", CEL_F32, CEL_SCRATCH, &s->weight, s->on.rows);
  CELI_TRY(celi_adam_declare(&s->actor_step, t, "adam.actor"));
  return celi_adam_declare(&s->critic_step, t, "adam.critic");
}

static CelStatus prepare(CelAgent *agent) {
  Ac *s = agent->self;
  const CelAcConfig *c = s->config;
  celi_on_policy_init(&s->on);
  celi_rollout_pass_bind(&s->whole, "train/actor_loss", "train/critic_loss");
  CELI_TRY(
      celi_on_policy_bind_steps(&s->on, &s->actor_step, &s->critic_step,
                                celi_on_policy_adam(&c->common, c->adam_epsilon, c->max_grad_norm),
                                &c->critic_learning_rate));
  CELI_TRY(celi_on_policy_sync(agent));
  return write_plan(s);
}

static void release(CelAgent *agent) {
  Ac *s = agent->self;
  celi_on_policy_release(&s->on);
  celi_plan_destroy(s->plan);
}

static int plans_of(const CelAgent *agent, CeliNamedPlan plans[CELI_PLANS_MAX]) {
  const Ac *s = agent->self;
  plans[0] = (CeliNamedPlan){"update", s->plan};
  return 1;
}

const CeliAlgo celi_algo_ac = {
    .info = {"ac",
             "actor-critic with a one-step temporal difference, the textbook form; any actions",
             celi_ac_fields, sizeof(CelAcConfig)},
    .state_size = sizeof(Ac),
    .declare = declare,
    .prepare = prepare,
    .plans = plans_of,
    .release = release,
    .update = update,
    CELI_ON_POLICY_TABLE,
};
