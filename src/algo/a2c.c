/// Advantage actor-critic, synchronous.
///
/// Source: Mnih et al., "Asynchronous methods for deep reinforcement learning", 2016, without the asynchrony;
/// [actor-critic, 4.13].
///
///   x, u, r   observation, action, reward      T, N   steps of a rollout, environments
///   pi, V     policy and values                n      T N, rows of a rollout
///
///   1  T steps of N environments with pi
///   2  A by GAE(lambda), R = A + V; lambda = 1: what is left of the n-step return           [4.21]
///   3  L_pi = -mean log pi(u|x) A, A held fixed                                             [4.13]
///   4  L_V = mean (R - V)^2, R held fixed
///   5  one step of RMSProp (or Adam) on L_pi - ent_coef mean H(pi) + vf_coef L_V, gradient clipped by its norm
#include "celsius/a2c.h"
#include "algo/onpolicy.h"
#include "base/base.h"
#include "nn/dist.h"
#include "nn/mlp.h"
#include "nn/optim.h"

#include <math.h>
#include <string.h>

enum { M_POLICY_LOSS, M_VALUE_LOSS, M_ENTROPY_LOSS, M_EXPLAINED, M_RATE, M_STD, METRICS };

typedef struct A2c {
  CeliOnPolicy on; ///< first: policy, values, rollout
  const CelA2cConfig *config;
  CeliAdam optimiser;
  CeliPlan *plan;
  CeliMlpPass pi, v;                   ///< on the rollout
  CeliDist dist;                       ///< pi on the rollout
  float *x;                            ///< (n, O)
  float *d_entropy, *pi_loss, *v_loss; ///< (n,)
  int slot[METRICS];
} A2c;

static A2c *a2c_of(const void *args) {
  return *(A2c *const *)args;
}

// ---- one operation an equation; rows [begin, end) of the rollout.

/// Line 3, and the entropy bonus. Source: [actor-critic, 4.22]
static void op_policy_loss(const void *args, int64_t begin, int64_t end) {
  const A2c *s = a2c_of(args);
  const float each = 1.0f / (float)s->on.rows, bonus = (float)s->config->ent_coef * each;
  for (int64_t b = begin; b < end; b++) {
    const float A = s->on.rollout.advantage[b];
    s->pi_loss[b] = -s->dist.logp[b] * A;
    s->dist.d_logp[b] = -each * A;
    s->d_entropy[b] = -bonus;
  }
}

/// Line 4.
static void op_value_loss(const void *args, int64_t begin, int64_t end) {
  const A2c *s = a2c_of(args);
  const int last = s->on.critic.L - 1;
  const float weight = 2 * (float)s->config->vf_coef / (float)s->on.rows;
  for (int64_t b = begin; b < end; b++) {
    const float error = s->v.Y[last][b] - s->on.rollout.returns[b];
    s->v_loss[b] = error * error;
    s->v.dY[last][b] = weight * error;
  }
}

// ---- the plan: lines 2 to 5.

static void plan_gradients(A2c *s, CeliPlan *plan) {
  const CeliActor *actor = &s->on.actor;
  const ptrdiff_t lda = celi_actor_lda(actor), ldh = actor->H;
  const int last = actor->net.L - 1;
  const uint8_t *actions = s->on.rollout.actions;
  s->pi.X = s->v.X = celi_onpolicy_plan_obs(plan, &s->on, s->x);
  s->pi.ldx = s->v.ldx = actor->O;
  celi_mlp_plan_forward(plan, &s->pi);
  celi_dist_plan_log_prob(plan, &s->dist, actions, lda, s->pi.Y[last], ldh);
  celi_plan_add(plan, "policy loss", op_policy_loss, CELI_ROWS, s->on.rows, CELI_ROW_GRAIN, false,
                &s, sizeof s);
  celi_dist_plan_log_prob_backward(plan, &s->dist, s->pi.dY[last], ldh, s->dist.d_logp,
                                   s->d_entropy, actions, lda, s->pi.Y[last], ldh);
  celi_mlp_plan_backward_data(plan, &s->pi, NULL, 0);
  celi_mlp_plan_forward(plan, &s->v);
  celi_plan_add(plan, "value loss", op_value_loss, CELI_ROWS, s->on.rows, CELI_ROW_GRAIN, false, &s,
                sizeof s);
  celi_mlp_plan_backward_data(plan, &s->v, NULL, 0);
  celi_mlp_plan_backward_weight(plan, &s->pi, &s->on.actor.grad, false);
  celi_mlp_plan_backward_weight(plan, &s->v, &s->on.critic_grad, true);
  celi_dist_plan_backward_param(plan, &s->dist, true);
}

static CelStatus write_plan(A2c *s) {
  const CelA2cConfig *c = s->config;
  CELI_TRY(celi_plan_create(&s->plan));
  celi_rollout_plan_rewards(s->plan, &s->on.rollout, &s->on.norm);
  celi_rollout_plan_values(s->plan, &s->on.rollout);
  celi_rollout_plan_gae(s->plan, &s->on.rollout, c->gamma, c->gae_lambda); // line 2
  if (c->normalize_advantage) celi_rollout_plan_normalize(s->plan, &s->on.rollout);
  plan_gradients(s, s->plan);             // lines 3 and 4
  celi_adam_plan(s->plan, &s->optimiser); // line 5
  celi_mlp_plan_transpose(s->plan, &s->on.actor.net, false);
  celi_mlp_plan_transpose(s->plan, &s->on.critic, true);
  return celi_plan_end(s->plan);
}

// ---- update.

static CelStatus report(A2c *s, CelAgent *agent) {
  static const char *const names[] = {"policy loss", "value loss", "entropy"};
  const CeliOps *ops = celi_ops();
  const int64_t n = s->on.rows;
  double *metric = agent->metric;
  metric[s->slot[M_POLICY_LOSS]] = (double)ops->sum(s->pi_loss, n) / (double)n;
  metric[s->slot[M_VALUE_LOSS]] = (double)ops->sum(s->v_loss, n) / (double)n;
  metric[s->slot[M_ENTROPY_LOSS]] = -(double)ops->sum(s->dist.entropy, n) / (double)n;
  metric[s->slot[M_EXPLAINED]] = celi_rollout_explained_variance(&s->on.rollout);
  metric[s->slot[M_RATE]] = *s->optimiser.learning_rate;
  metric[s->slot[M_STD]] = celi_actor_mean_std(&s->on.actor);
  for (int i = 0; i <= M_ENTROPY_LOSS; i++)
    if (!isfinite(metric[s->slot[i]]))
      return cel_fail(CEL_E_NAN,
                      "a2c: the %s is %g at update %lld: try a smaller learning_rate, or "
                      "normalize_observation and normalize_reward",
                      names[i], metric[s->slot[i]], (long long)*agent->updates);
  return CEL_OK;
}

static CelStatus update(CelAgent *agent, int64_t n) {
  A2c *s = agent->self;
  const double left = celi_agent_progress_remaining(agent);
  CELI_TRY(celi_onpolicy_ready(agent, n));
  celi_adam_set_rate(&s->optimiser, cel_schedule_at(&s->config->learning_rate, left));
  CELI_TRY(celi_plan_run(s->plan, agent->team));
  ++*agent->updates;
  CELI_TRY(report(s, agent));
  celi_rollout_next(&s->on.rollout, &s->on.actor, &s->on.norm);
  return CEL_OK;
}

// ---- create and destroy.

#define DECLARE(name, place, ...)                                                                  \
  CELI_TRY(cel_tensors_declare(t, name, CEL_F32, CEL_SCRATCH, place,                               \
                               (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),          \
                               (int64_t[]){__VA_ARGS__}))

static CelStatus declare(CelAgent *agent) {
  A2c *s = agent->self;
  CelTensors *t = agent->tensors;
  const CelA2cConfig *c = s->config = agent->config;
  const int shares = celi_team_size(agent->team);
  CeliOnPolicySpec spec = CELI_ONPOLICY_SPEC(c);
  spec.critic = true;
  CELI_TRY(celi_onpolicy_declare(&s->on, agent, &spec));
  const int64_t n = s->on.rows;
  CELI_TRY(celi_mlp_declare_pass_shared(&s->pi, t, "pass.pi", &s->on.actor.net, n, true, shares));
  CELI_TRY(celi_mlp_declare_pass_shared(&s->v, t, "pass.v", &s->on.critic, n, true, shares));
  CELI_TRY(celi_dist_declare_shared(&s->dist, t, "dist", &s->on.actor.param, n, true));
  DECLARE("batch.x", &s->x, n, s->on.actor.O);
  DECLARE("batch.d_entropy", &s->d_entropy, n);
  DECLARE("batch.pi_loss", &s->pi_loss, n);
  DECLARE("batch.v_loss", &s->v_loss, n);
  return celi_adam_declare(&s->optimiser, t, "optimizer");
}

static CelStatus bind_optimiser(A2c *s) {
  const CelA2cConfig *c = s->config;
  const bool adam = c->optimizer == 1;
  char last[CEL_NAME_MAX];
  const CeliAdamConfig config = {.learning_rate = cel_schedule_at(&c->learning_rate, 1),
                                 .beta1 = c->adam_beta1,
                                 .beta2 = adam ? c->adam_beta2 : c->rms_decay,
                                 .epsilon = c->epsilon,
                                 .max_grad_norm = c->max_grad_norm};
  celi_onpolicy_last_parameter(&s->on, last);
  CELI_TRY(celi_adam_bind(&s->optimiser, s->on.agent->tensors, "actor.0.weight", last, &config));
  if (!adam) celi_adam_as_rmsprop(&s->optimiser);
  return CEL_OK;
}

static CelStatus prepare(CelAgent *agent) {
  A2c *s = agent->self;
  static const char *const names[METRICS] = {"train/policy_loss",   "train/value_loss",
                                             "train/entropy_loss",  "train/explained_variance",
                                             "train/learning_rate", "train/std"};
  celi_onpolicy_init(&s->on);
  for (int i = 0; i < METRICS; i++) s->slot[i] = celi_agent_metric_add(agent, names[i]);
  CELI_TRY(bind_optimiser(s));
  CELI_TRY(celi_onpolicy_sync(agent));
  return write_plan(s);
}

static void release(CelAgent *agent) {
  A2c *s = agent->self;
  celi_onpolicy_release(&s->on);
  celi_plan_destroy(s->plan);
}

const CeliAlgo celi_algo_a2c = {
    .info = {"a2c",
             "advantage actor-critic, synchronous: short rollouts, one step each; any actions",
             celi_a2c_fields, sizeof(CelA2cConfig)},
    .state_size = sizeof(A2c),
    .declare = declare,
    .prepare = prepare,
    .release = release,
    .act = celi_onpolicy_act,
    .observe = celi_onpolicy_observe,
    .due = celi_onpolicy_due,
    .update = update,
    .predict = celi_onpolicy_predict,
    .sync = celi_onpolicy_sync,
    .policy = celi_onpolicy_policy,
    .view = celi_onpolicy_view,
    .replay = celi_onpolicy_replay,
    .collect = celi_onpolicy_collect,
    .rollout = celi_onpolicy_rollout,
};
