/// REINFORCE: the policy gradient from returns.
///
/// Source: Williams, "Simple statistical gradient-following algorithms for connectionist reinforcement learning", 1992;
/// [actor-critic, 4.1], [actor-critic, 4.11].
///
///   x, u, r   observation, action, reward      t      step within its episode
///   pi        policy                           b      baseline: nothing, the mean of all G, or learned values V
///
///   1  n_steps steps of all environments with pi
///   2  G_t = sum_{k >= t} gamma^(k-t) r_k, the discounted rewards to go                       [4.1]
///   3  L = -mean log pi(u_t|x_t) (G_t - b(x_t)), each term weighing gamma^t or not            [4.11]
///   4  Adam on L - ent_coef mean H(pi)
///   5  baseline_steps steps of Adam on mean (G - V)^2, where b = V
/// With gamma^t and the sum over steps, mean over episodes, L's gradient is that of -J; without, it is the practitioners'
/// form [4.7]. An episode that is cut off, by a time limit or by the rollout's end, has V of where it stopped for what is
/// missing of G; without values, what the time limit cut off counts as nothing, and the steps of an episode that outlasts
/// the rollout are left out, since nobody knows their G.
#include "celsius/reinforce.h"
#include "algo/onpolicy.h"
#include "base/base.h"
#include "nn/dist.h"
#include "nn/mlp.h"
#include "nn/optim.h"

#include <math.h>
#include <string.h>

enum { M_ACTOR_LOSS, M_CRITIC_LOSS, M_ENTROPY_LOSS, M_EXPLAINED, M_RATE, M_STD, METRICS };

typedef struct Reinforce {
  CeliOnPolicy on; ///< first: policy, values, rollout
  const CelReinforceConfig *config;
  CeliAdam actor_step, critic_step;
  CeliPlan *plan;     ///< lines 2 to 4
  CeliPlan *baseline; ///< a step of line 5
  CeliMlpPass pi, v;  ///< on the rollout
  CeliDist dist;      ///< pi on the rollout
  float *x;           ///< (n, O)
  int64_t *used;      ///< (2,) steps whose return is known, episodes that ended
  uint8_t *known;     ///< (n,) the return of the step is known
  float *weight, *d_entropy, *actor_loss, *critic_loss; ///< (n,)
  int slot[METRICS];
} Reinforce;

static Reinforce *reinforce_of(const void *args) {
  return *(Reinforce *const *)args;
}

static bool learns_values(const Reinforce *s) {
  return s->config->baseline == 2;
}

/// What the losses of single steps are multiplied by.
static float each_of(const Reinforce *s) {
  return 1.0f / (float)s->used[s->config->reduction];
}

// ---- line 2, serial: which returns are known; the mean of all as a baseline; mean 0 and deviation 1.

static void find_known(const Reinforce *s) {
  const CeliRollout *r = &s->on.rollout;
  s->used[0] = s->used[1] = 0;
  for (int64_t i = 0; i < r->N; i++) {
    bool known = learns_values(s);
    for (int64_t t = r->T - 1; t >= 0; t--) {
      const int64_t row = t * r->N + i;
      const bool last = celi_rollout_ended(r, row);
      known = known || last;
      s->known[row] = known;
      s->used[0] += known, s->used[1] += last;
    }
  }
}

static void op_baseline(const void *args, int64_t begin, int64_t end) {
  (void)begin;
  const Reinforce *s = reinforce_of(args);
  const bool scale = s->config->normalize_advantage;
  float *A = s->on.rollout.advantage;
  double mean = 0, square = 0;
  find_known(s);
  for (int64_t i = 0; i < end; i++) mean += s->known[i] ? (double)A[i] / (double)s->used[0] : 0;
  if (!scale && s->config->baseline != 1) mean = 0;
  for (int64_t i = 0; i < end; i++)
    square += s->known[i] ? ((double)A[i] - mean) * ((double)A[i] - mean) : 0;
  const double deviation = s->used[0] > 1 ? sqrt(square / (double)(s->used[0] - 1)) : 1;
  const double factor = scale ? 1 / (deviation + 1e-8) : 1;
  for (int64_t i = 0; i < end; i++) A[i] = (float)(((double)A[i] - mean) * factor);
}

// ---- one operation an equation; rows [begin, end) of the rollout.

/// Line 3, and an entropy bonus. Source: [actor-critic, 4.11]
static void op_actor_loss(const void *args, int64_t begin, int64_t end) {
  const Reinforce *s = reinforce_of(args);
  const float each = s->used[0] > 0 && s->used[s->config->reduction] > 0 ? each_of(s) : 0;
  const float bonus = (float)s->config->ent_coef * each;
  for (int64_t b = begin; b < end; b++) {
    const float weight = s->config->discount_weight ? s->weight[b] : 1.0f;
    const float A = s->known[b] ? s->on.rollout.advantage[b] * weight : 0;
    s->actor_loss[b] = -s->dist.logp[b] * A;
    s->dist.d_logp[b] = -each * A;
    s->d_entropy[b] = s->known[b] ? -bonus : 0;
  }
}

/// Line 5.
static void op_critic_loss(const void *args, int64_t begin, int64_t end) {
  const Reinforce *s = reinforce_of(args);
  const int last = s->on.critic.L - 1;
  const float each = 1.0f / (float)s->on.rows;
  for (int64_t b = begin; b < end; b++) {
    const float error = s->v.Y[last][b] - s->on.rollout.returns[b];
    s->critic_loss[b] = error * error;
    s->v.dY[last][b] = 2 * each * error;
  }
}

// ---- the plans.

/// Lines 2 to 4.
static CelStatus write_plan(Reinforce *s) {
  const CelReinforceConfig *c = s->config;
  const CeliActor *actor = &s->on.actor;
  const ptrdiff_t lda = celi_actor_lda(actor), ldh = actor->H;
  const int last = actor->net.L - 1;
  const uint8_t *actions = s->on.rollout.actions;
  CELI_TRY(celi_plan_create(&s->plan));
  celi_rollout_plan_rewards(s->plan, &s->on.rollout, &s->on.norm);
  if (learns_values(s)) celi_rollout_plan_values(s->plan, &s->on.rollout); // else they stay 0
  celi_rollout_plan_gae(s->plan, &s->on.rollout, c->gamma, 1);
  celi_plan_add(s->plan, "baseline", op_baseline, CELI_SERIAL, s->on.rows, 1, false, &s, sizeof s);
  if (c->discount_weight) celi_rollout_plan_discount(s->plan, &s->on.rollout, c->gamma, s->weight);
  s->pi.X = s->v.X = celi_onpolicy_plan_obs(s->plan, &s->on, s->x);
  s->pi.ldx = s->v.ldx = actor->O;
  celi_mlp_plan_forward(s->plan, &s->pi);
  celi_dist_plan_log_prob(s->plan, &s->dist, actions, lda, s->pi.Y[last], ldh);
  celi_plan_add(s->plan, "actor loss", op_actor_loss, CELI_ROWS, s->on.rows, CELI_ROW_GRAIN, false,
                &s, sizeof s);
  celi_dist_plan_log_prob_backward(s->plan, &s->dist, s->pi.dY[last], ldh, s->dist.d_logp,
                                   s->d_entropy, actions, lda, s->pi.Y[last], ldh);
  celi_mlp_plan_backward_data(s->plan, &s->pi, NULL, 0);
  celi_mlp_plan_backward_weight(s->plan, &s->pi, &s->on.actor.grad, false);
  celi_dist_plan_backward_param(s->plan, &s->dist, true);
  celi_adam_plan(s->plan, &s->actor_step);
  celi_mlp_plan_transpose(s->plan, &s->on.actor.net, false);
  return celi_plan_end(s->plan);
}

/// A step of line 5.
static CelStatus write_baseline(Reinforce *s) {
  if (!learns_values(s)) return CEL_OK;
  CELI_TRY(celi_plan_create(&s->baseline));
  celi_mlp_plan_forward(s->baseline, &s->v);
  celi_plan_add(s->baseline, "value loss", op_critic_loss, CELI_ROWS, s->on.rows, CELI_ROW_GRAIN,
                false, &s, sizeof s);
  celi_mlp_plan_backward_data(s->baseline, &s->v, NULL, 0);
  celi_mlp_plan_backward_weight(s->baseline, &s->v, &s->on.critic_grad, false);
  celi_adam_plan(s->baseline, &s->critic_step);
  celi_mlp_plan_transpose(s->baseline, &s->on.critic, false);
  return celi_plan_end(s->baseline);
}

// ---- update.

static CelStatus report(Reinforce *s, CelAgent *agent) {
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
                      "reinforce: the %s is %g at update %lld: try a smaller learning_rate, or "
                      "normalize_observation and normalize_reward",
                      names[i], metric[s->slot[i]], (long long)*agent->updates);
  return CEL_OK;
}

static CelStatus update(CelAgent *agent, int64_t n) {
  Reinforce *s = agent->self;
  const double left = celi_agent_progress_remaining(agent);
  CELI_TRY(celi_onpolicy_ready(agent, n));
  celi_adam_set_rate(&s->actor_step, cel_schedule_at(&s->config->learning_rate, left));
  if (learns_values(s))
    celi_adam_set_rate(&s->critic_step, cel_schedule_at(&s->config->critic_learning_rate, left));
  CELI_TRY(celi_plan_run(s->plan, agent->team)); // lines 2 to 4
  if (s->used[s->config->reduction] == 0)
    return cel_fail(CEL_E_RANGE,
                    "reinforce: no episode ended within the %lld steps of a rollout: take more "
                    "n_steps, or baseline value",
                    (long long)s->on.rollout.T);
  ++*agent->updates;
  if (learns_values(s))
    CELI_TRY(celi_plan_repeat(s->baseline, agent->team, s->config->baseline_steps)); // line 5
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
  Reinforce *s = agent->self;
  CelTensors *t = agent->tensors;
  const CelReinforceConfig *c = s->config = agent->config;
  const int shares = celi_team_size(agent->team);
  CeliOnPolicySpec spec = CELI_ONPOLICY_SPEC(c);
  spec.critic = learns_values(s);
  CELI_TRY(celi_onpolicy_declare(&s->on, agent, &spec));
  const int64_t n = s->on.rows, two = 2;
  CELI_TRY(celi_mlp_declare_pass_shared(&s->pi, t, "pass.pi", &s->on.actor.net, n, true, shares));
  if (spec.critic)
    CELI_TRY(celi_mlp_declare_pass_shared(&s->v, t, "pass.v", &s->on.critic, n, true, shares));
  CELI_TRY(celi_dist_declare_shared(&s->dist, t, "dist", &s->on.actor.param, n, true));
  DECLARE("batch.x", &s->x, n, s->on.actor.O);
  DECLARE("batch.d_entropy", &s->d_entropy, n);
  CELI_TRY(cel_tensors_declare(t, "batch.known", CEL_U8, CEL_SCRATCH, &s->known, 1, &n));
  CELI_TRY(cel_tensors_declare(t, "batch.used", CEL_I64, CEL_SCRATCH, &s->used, 1, &two));
  DECLARE("batch.weight", &s->weight, n);
  DECLARE("batch.actor_loss", &s->actor_loss, n);
  DECLARE("batch.critic_loss", &s->critic_loss, n);
  CELI_TRY(celi_adam_declare(&s->actor_step, t, "adam.actor"));
  return spec.critic ? celi_adam_declare(&s->critic_step, t, "adam.critic") : CEL_OK;
}

static CelStatus bind_optimisers(Reinforce *s) {
  const CelReinforceConfig *c = s->config;
  const CelTensors *t = s->on.agent->tensors;
  char last[CEL_NAME_MAX];
  CeliAdamConfig config = {.learning_rate = cel_schedule_at(&c->learning_rate, 1),
                           .beta1 = c->adam_beta1,
                           .beta2 = c->adam_beta2,
                           .epsilon = c->adam_epsilon,
                           .max_grad_norm = c->max_grad_norm};
  celi_actor_last_parameter(&s->on.actor, last);
  CELI_TRY(celi_adam_bind(&s->actor_step, t, "actor.0.weight", last, &config));
  if (!learns_values(s)) return CEL_OK;
  config.learning_rate = cel_schedule_at(&c->critic_learning_rate, 1);
  celi_onpolicy_last_parameter(&s->on, last);
  return celi_adam_bind(&s->critic_step, t, "critic.0.weight", last, &config);
}

static CelStatus prepare(CelAgent *agent) {
  Reinforce *s = agent->self;
  static const char *const names[METRICS] = {"train/actor_loss",    "train/critic_loss",
                                             "train/entropy_loss",  "train/explained_variance",
                                             "train/learning_rate", "train/std"};
  celi_onpolicy_init(&s->on);
  for (int i = 0; i < METRICS; i++) s->slot[i] = celi_agent_metric_add(agent, names[i]);
  CELI_TRY(bind_optimisers(s));
  CELI_TRY(celi_onpolicy_sync(agent));
  CELI_TRY(write_plan(s));
  return write_baseline(s);
}

static void release(CelAgent *agent) {
  Reinforce *s = agent->self;
  celi_onpolicy_release(&s->on);
  celi_plan_destroy(s->plan);
  celi_plan_destroy(s->baseline);
}

const CeliAlgo celi_algo_reinforce = {
    .info = {"reinforce",
             "REINFORCE: the policy gradient from returns, with a baseline; any actions",
             celi_reinforce_fields, sizeof(CelReinforceConfig)},
    .state_size = sizeof(Reinforce),
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
