/// Actor-critic with a one-step temporal difference.
///
/// Source: [actor-critic, 4.16-4.26], in the form of docs/equations.md.
///
///   x, u, r   observation, action, reward       theta, phi   parameters of the policy pi and of the values V
///   gamma     discount                          i            a step of one of the environments
///
///   1  n_steps steps of all environments with pi
///   2  A_i = r_i + gamma V(x_{i+1}) - V(x_i), V(x_{i+1}) = 0 where terminated               [4.21]
///   3  Loss_critic(phi) = 1/2 sum_i (r_i + gamma V(x_{i+1}) - V_phi(x_i))^2, its target held fixed  [4.20]
///   4  Loss_actor(theta) = -sum_i log pi_theta(u_i|x_i) A_i, A_i held fixed                 [4.22]
///   5  theta <- theta - rate grad Loss_actor, phi likewise; by Adam, or as it stands        [4.23]
/// Each sum may be a mean, and each term of line 4 may weigh gamma^t, t the step within its episode, which makes its
/// expectation the gradient of J [4.6]; without, as practice does, it is not [4.7]. The policy is a Gaussian whose sigma
/// depends on the state [4.24-4.26], or a distribution over choices.
#include "celsius/ac.h"
#include "algo/onpolicy.h"
#include "base/base.h"
#include "nn/dist.h"
#include "nn/mlp.h"
#include "nn/optim.h"

#include <math.h>
#include <string.h>

enum { M_ACTOR_LOSS, M_CRITIC_LOSS, M_ENTROPY_LOSS, M_EXPLAINED, M_RATE, M_STD, METRICS };

typedef struct Ac {
  CeliOnPolicy on; ///< first: policy, values, rollout
  const CelAcConfig *config;
  CeliAdam actor_step, critic_step;
  CeliPlan *plan;
  CeliMlpPass pi, v;                                    ///< on the rollout
  CeliDist dist;                                        ///< pi on the rollout
  float *x;                                             ///< (n, O)
  float *weight, *d_entropy, *actor_loss, *critic_loss; ///< (n,)
  int slot[METRICS];
} Ac;

static Ac *ac_of(const void *args) {
  return *(Ac *const *)args;
}

/// What the losses of single steps are multiplied by.
static float each_of(const Ac *s) {
  return s->config->reduction == 1 ? 1.0f : 1.0f / (float)s->on.rows;
}

// ---- one operation an equation; rows [begin, end) of the rollout.

/// Line 4, and an entropy bonus. Source: [actor-critic, 4.22]
static void op_actor_loss(const void *args, int64_t begin, int64_t end) {
  const Ac *s = ac_of(args);
  const float each = each_of(s), bonus = (float)s->config->ent_coef * each;
  for (int64_t b = begin; b < end; b++) {
    const float A = s->on.rollout.advantage[b] * (s->config->discount_weight ? s->weight[b] : 1.0f);
    s->actor_loss[b] = -s->dist.logp[b] * A;
    s->dist.d_logp[b] = -each * A;
    s->d_entropy[b] = -bonus;
  }
}

/// Line 3. Source: [actor-critic, 4.20]
static void op_critic_loss(const void *args, int64_t begin, int64_t end) {
  const Ac *s = ac_of(args);
  const int last = s->on.critic.L - 1;
  const float each = each_of(s);
  for (int64_t b = begin; b < end; b++) {
    const float error = s->v.Y[last][b] - s->on.rollout.returns[b];
    s->critic_loss[b] = 0.5f * error * error;
    s->v.dY[last][b] = each * error;
  }
}

// ---- the plan: lines 2 to 5.

static void plan_gradients(Ac *s, CeliPlan *plan) {
  const CeliActor *actor = &s->on.actor;
  const ptrdiff_t lda = celi_actor_lda(actor), ldh = actor->H;
  const int last = actor->net.L - 1;
  const uint8_t *actions = s->on.rollout.actions;
  s->pi.X = s->v.X = celi_onpolicy_plan_obs(plan, &s->on, s->x);
  s->pi.ldx = s->v.ldx = actor->O;
  celi_mlp_plan_forward(plan, &s->pi);
  celi_dist_plan_log_prob(plan, &s->dist, actions, lda, s->pi.Y[last], ldh);
  celi_plan_add(plan, "actor loss", op_actor_loss, CELI_ROWS, s->on.rows, CELI_ROW_GRAIN, false, &s,
                sizeof s);
  celi_dist_plan_log_prob_backward(plan, &s->dist, s->pi.dY[last], ldh, s->dist.d_logp,
                                   s->d_entropy, actions, lda, s->pi.Y[last], ldh);
  celi_mlp_plan_backward_data(plan, &s->pi, NULL, 0);
  celi_mlp_plan_forward(plan, &s->v);
  celi_plan_add(plan, "critic loss", op_critic_loss, CELI_ROWS, s->on.rows, CELI_ROW_GRAIN, false,
                &s, sizeof s);
  celi_mlp_plan_backward_data(plan, &s->v, NULL, 0);
  celi_mlp_plan_backward_weight(plan, &s->pi, &s->on.actor.grad, false);
  celi_mlp_plan_backward_weight(plan, &s->v, &s->on.critic_grad, true);
  celi_dist_plan_backward_param(plan, &s->dist, true);
}

static CelStatus write_plan(Ac *s) {
  const CelAcConfig *c = s->config;
  CELI_TRY(celi_plan_create(&s->plan));
  celi_rollout_plan_rewards(s->plan, &s->on.rollout, &s->on.norm);
  celi_rollout_plan_values(s->plan, &s->on.rollout);
  celi_rollout_plan_gae(s->plan, &s->on.rollout, c->gamma, 0); // line 2
  if (c->discount_weight) celi_rollout_plan_discount(s->plan, &s->on.rollout, c->gamma, s->weight);
  plan_gradients(s, s->plan); // lines 3 and 4
  CeliAdam *steps[] = {&s->actor_step, &s->critic_step};
  if (c->optimizer == 1) { // line 5
    celi_sgd_plan(s->plan, steps[0]);
    celi_sgd_plan(s->plan, steps[1]);
  } else {
    celi_adam_plan_many(s->plan, steps, 2);
  }
  celi_mlp_plan_transpose(s->plan, &s->on.actor.net, false);
  celi_mlp_plan_transpose(s->plan, &s->on.critic, true);
  return celi_plan_end(s->plan);
}

// ---- update.

static CelStatus report(Ac *s, CelAgent *agent) {
  static const char *const names[] = {"actor loss", "critic loss", "entropy"};
  const CeliOps *ops = celi_ops();
  const int64_t n = s->on.rows;
  double *metric = agent->metric;
  metric[s->slot[M_ACTOR_LOSS]] = (double)ops->sum(s->actor_loss, n) / (double)n;
  metric[s->slot[M_CRITIC_LOSS]] = (double)ops->sum(s->critic_loss, n) / (double)n;
  metric[s->slot[M_ENTROPY_LOSS]] = -(double)ops->sum(s->dist.entropy, n) / (double)n;
  metric[s->slot[M_EXPLAINED]] = celi_rollout_explained_variance(&s->on.rollout);
  metric[s->slot[M_RATE]] = *s->actor_step.learning_rate;
  metric[s->slot[M_STD]] = celi_actor_mean_std(&s->on.actor);
  for (int i = 0; i <= M_ENTROPY_LOSS; i++)
    if (!isfinite(metric[s->slot[i]]))
      return cel_fail(CEL_E_NAN,
                      "ac: the %s is %g at update %lld: try a smaller learning_rate, or "
                      "normalize_observation and normalize_reward",
                      names[i], metric[s->slot[i]], (long long)*agent->updates);
  return CEL_OK;
}

static CelStatus update(CelAgent *agent, int64_t n) {
  Ac *s = agent->self;
  const double left = celi_agent_progress_remaining(agent);
  CELI_TRY(celi_onpolicy_ready(agent, n));
  celi_adam_set_rate(&s->actor_step, cel_schedule_at(&s->config->learning_rate, left));
  celi_adam_set_rate(&s->critic_step, cel_schedule_at(&s->config->critic_learning_rate, left));
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
  Ac *s = agent->self;
  CelTensors *t = agent->tensors;
  const CelAcConfig *c = s->config = agent->config;
  const int shares = celi_team_size(agent->team);
  CeliOnPolicySpec spec = CELI_ONPOLICY_SPEC(c);
  spec.critic = true;
  // The default is meant for continuous actions; choices have no sigma.
  spec.state_dependent_std &= agent->action.part[0].kind == CEL_BOX;
  CELI_TRY(celi_onpolicy_declare(&s->on, agent, &spec));
  const int64_t n = s->on.rows;
  CELI_TRY(celi_mlp_declare_pass_shared(&s->pi, t, "pass.pi", &s->on.actor.net, n, true, shares));
  CELI_TRY(celi_mlp_declare_pass_shared(&s->v, t, "pass.v", &s->on.critic, n, true, shares));
  CELI_TRY(celi_dist_declare_shared(&s->dist, t, "dist", &s->on.actor.param, n, true));
  DECLARE("batch.x", &s->x, n, s->on.actor.O);
  DECLARE("batch.d_entropy", &s->d_entropy, n);
  DECLARE("batch.weight", &s->weight, n);
  DECLARE("batch.actor_loss", &s->actor_loss, n);
  DECLARE("batch.critic_loss", &s->critic_loss, n);
  CELI_TRY(celi_adam_declare(&s->actor_step, t, "adam.actor"));
  return celi_adam_declare(&s->critic_step, t, "adam.critic");
}

static CelStatus bind_optimisers(Ac *s) {
  const CelAcConfig *c = s->config;
  const CelTensors *t = s->on.agent->tensors;
  char last[CEL_NAME_MAX];
  CeliAdamConfig config = {.learning_rate = cel_schedule_at(&c->learning_rate, 1),
                           .beta1 = c->adam_beta1,
                           .beta2 = c->adam_beta2,
                           .epsilon = c->adam_epsilon,
                           .max_grad_norm = c->max_grad_norm};
  celi_actor_last_parameter(&s->on.actor, last);
  CELI_TRY(celi_adam_bind(&s->actor_step, t, "actor.0.weight", last, &config));
  config.learning_rate = cel_schedule_at(&c->critic_learning_rate, 1);
  celi_onpolicy_last_parameter(&s->on, last);
  return celi_adam_bind(&s->critic_step, t, "critic.0.weight", last, &config);
}

static CelStatus prepare(CelAgent *agent) {
  Ac *s = agent->self;
  static const char *const names[METRICS] = {"train/actor_loss",    "train/critic_loss",
                                             "train/entropy_loss",  "train/explained_variance",
                                             "train/learning_rate", "train/std"};
  celi_onpolicy_init(&s->on);
  for (int i = 0; i < METRICS; i++) s->slot[i] = celi_agent_metric_add(agent, names[i]);
  CELI_TRY(bind_optimisers(s));
  CELI_TRY(celi_onpolicy_sync(agent));
  return write_plan(s);
}

static void release(CelAgent *agent) {
  Ac *s = agent->self;
  celi_onpolicy_release(&s->on);
  celi_plan_destroy(s->plan);
}

const CeliAlgo celi_algo_ac = {
    .info = {"ac",
             "actor-critic with a one-step temporal difference, as the note has it; any actions",
             celi_ac_fields, sizeof(CelAcConfig)},
    .state_size = sizeof(Ac),
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
