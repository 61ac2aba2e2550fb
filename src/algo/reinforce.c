/// REINFORCE: the policy gradient from returns.
///
/// Source: Williams, "Simple statistical gradient-following algorithms for connectionist
/// reinforcement learning", 1992; [actor-critic, 4.1], [actor-critic, 4.11].
///
///   x, u, r   observation, action, reward      t      step within its episode
///   pi        policy                           b      baseline: 0, the mean of all G, or values V
///
///   1  n_steps steps of all environments with pi
///   2  G_t = sum_{k >= t} gamma^(k-t) r_k, the discounted reward-to-go                      [4.1]
///      or G_0 in every step of an episode, its whole return, with b(x_0) in line 3
///   3  L = -mean log pi(u_t|x_t) (G_t - b(x_t)), each term with weight gamma^t or 1         [4.11]
///   4  Adam on L - ent_coef mean H(pi)
///   5  baseline_steps steps of Adam on mean (G - V)^2, where b = V
///
/// With gamma^t, the sum over steps and the mean over episodes, the gradient of L is that of -J.
/// Without gamma^t it is the common form [4.7]. With whole returns it is that of -J without a
/// weight; rewards before a step only add noise.
///
/// Incomplete returns: an episode may be cut off by a time limit or by the end of the rollout.
/// - With values, V of its last observation replaces the missing part of G.
/// - Without values, the part after a time limit counts as 0. Steps of an episode that outlasts the
///   rollout are left out, because their G is unknown. With whole returns, so are the steps of an
///   episode that began before the rollout.
#include "celsius/reinforce.h"
#include "algo/on_policy.h"
#include "base/base.h"

#include <math.h>

typedef struct Reinforce {
  CeliOnPolicy on; ///< first: policy, values, rollout
  const CelReinforceConfig *config;
  CeliAdam actor_step, critic_step;
  CeliPlan *plan;        ///< lines 2 to 4
  CeliPlan *baseline;    ///< one step of line 5
  CeliRolloutPass whole; ///< policy and values on the rollout
  int64_t *used;         ///< (2,) steps with a known return, episodes that ended
  uint8_t *known;        ///< (rows,) whether the return of the step is known
  float *weight;         ///< (rows,) gamma^t
} Reinforce;

static Reinforce *reinforce_of(const void *args) {
  return *(Reinforce *const *)args;
}

static bool learns_values(const Reinforce *s) {
  return s->config->baseline == CEL_REINFORCE_BASELINE_VALUE;
}

/// Factor of each step's losses.
static float each_of(const Reinforce *s) {
  return 1.0f / (float)s->used[s->config->reduction];
}

// ---- line 2, serial: known returns; their mean as a baseline; normalization to mean 0, deviation
// 1.

/// Whole returns: copies an episode's first advantage, G_0 - b(x_0), to all of its steps. Episodes
/// that began before the rollout are unknown. Call it after find_known.
static void take_whole(const Reinforce *s, int64_t i) {
  const CeliRollout *r = &s->on.rollout;
  bool begun = r->age[i] == 0;
  float first = r->advantage[i];
  for (int64_t t = 0; t < r->T; t++) {
    const int64_t row = t * r->N + i;
    const bool last = celi_rollout_ended(r, row);
    r->advantage[row] = first;
    if (!begun) s->used[0] -= s->known[row], s->used[1] -= last, s->known[row] = 0;
    if (last) begun = true, first = t + 1 < r->T ? r->advantage[row + r->N] : 0;
  }
}

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
  for (int64_t i = 0; !s->config->reward_to_go && i < s->on.rollout.N; i++) take_whole(s, i);
  for (int64_t i = 0; i < end; i++) mean += s->known[i] ? (double)A[i] / (double)s->used[0] : 0;
  if (!scale && s->config->baseline != CEL_REINFORCE_BASELINE_MEAN) mean = 0;
  for (int64_t i = 0; i < end; i++)
    square += s->known[i] ? ((double)A[i] - mean) * ((double)A[i] - mean) : 0;
  const double deviation = s->used[0] > 1 ? sqrt(square / (double)(s->used[0] - 1)) : 1;
  const double factor = scale ? 1 / (deviation + 1e-8) : 1;
  for (int64_t i = 0; i < end; i++) A[i] = (float)(((double)A[i] - mean) * factor);
}

// ---- one operation per equation; rows [begin, end) of the rollout.

/// Line 3 and the entropy bonus. Source: [actor-critic, 4.11]
static void op_actor_loss(const void *args, int64_t begin, int64_t end) {
  const Reinforce *s = reinforce_of(args);
  const float each = s->used[0] > 0 && s->used[s->config->reduction] > 0 ? each_of(s) : 0;
  const float bonus = (float)s->config->ent_coef * each;
  for (int64_t b = begin; b < end; b++) {
    const float weight = s->config->discount_weight ? s->weight[b] : 1.0f;
    const float A = s->known[b] ? s->on.rollout.advantage[b] * weight : 0;
    s->whole.pi_loss[b] = -s->whole.pi.dist.logp[b] * A;
    s->whole.pi.dist.d_logp[b] = -each * A;
    s->whole.d_entropy[b] = s->known[b] ? -bonus : 0;
  }
}

/// Line 5.
static void op_critic_loss(const void *args, int64_t begin, int64_t end) {
  const Reinforce *s = reinforce_of(args);
  const float each = 1.0f / (float)s->on.rows;
  for (int64_t b = begin; b < end; b++) {
    const float error = celi_pass_output(&s->whole.v)[b] - s->on.rollout.returns[b];
    s->whole.v_loss[b] = error * error;
    celi_pass_d_output(&s->whole.v)[b] = 2 * each * error;
  }
}

// ---- the plans.

/// Lines 2 to 4.
static CelStatus write_plan(Reinforce *s) {
  const CelReinforceConfig *c = s->config;
  CeliRolloutPass *whole = &s->whole;
  CELI_TRY(celi_plan_create(&s->plan));
  CeliPlan *plan = s->plan;
  const CeliRollout *r = &s->on.rollout;
  celi_rollout_plan_rewards(plan, &s->on.rollout, &s->on.norm);
  if (learns_values(s)) celi_rollout_plan_values(plan, &s->on.rollout); // else they are 0
  celi_rollout_plan_gae(plan, &s->on.rollout, c->common.gamma, 1);
  celi_plan_add(plan, "baseline", op_baseline, CELI_SERIAL, s->on.rows, 1, &s, sizeof s);
  celi_plan_touch(plan, CELI_READ(r->age, r->N), CELI_READ(r->terminated, s->on.rows),
                  CELI_READ(r->truncated, s->on.rows), CELI_UPDATE(s->used, 2),
                  CELI_UPDATE(s->known, s->on.rows), CELI_UPDATE(r->advantage, s->on.rows));
  if (c->discount_weight)
    celi_rollout_plan_discount(plan, &s->on.rollout, c->common.gamma, s->weight);
  celi_rollout_pass_plan_log_prob(plan, whole);
  celi_rollout_pass_plan_policy_loss(plan, whole, "actor loss", op_actor_loss, s);
  celi_plan_touch(plan, CELI_READ(s->used, 2), CELI_READ_ROWS(s->known, 1, 1),
                  CELI_READ_ROWS(s->weight, 1, 1));
  celi_rollout_pass_plan_backward(plan, whole);
  celi_policy_plan_backward_weight(plan, &whole->pi);
  celi_policy_plan_backward_param(plan, &whole->pi);
  celi_adam_plan(plan, &s->actor_step);
  celi_net_plan_transpose(plan, &s->on.policy.net);
  return celi_plan_end(plan);
}

/// One step of line 5.
static CelStatus write_baseline(Reinforce *s) {
  if (!learns_values(s)) return CEL_OK;
  CELI_TRY(celi_plan_create(&s->baseline));
  celi_net_plan_forward(s->baseline, &s->whole.v);
  celi_rollout_pass_plan_value_loss(s->baseline, &s->whole, "value loss", op_critic_loss, s);
  celi_net_plan_backward_data(s->baseline, &s->whole.v, NULL, 0);
  celi_net_plan_backward_weight(s->baseline, &s->whole.v, &s->on.critic_grad);
  celi_adam_plan(s->baseline, &s->critic_step);
  celi_net_plan_transpose(s->baseline, &s->on.critic);
  return celi_plan_end(s->baseline);
}

// ---- update.

static CelStatus update(CelAgent *agent, int64_t n) {
  Reinforce *s = agent->self;
  const double left = celi_agent_progress_remaining(agent);
  CELI_TRY(celi_on_policy_ready(agent, n));
  celi_adam_set_rate(&s->actor_step, cel_schedule_at(&s->config->common.learning_rate, left));
  if (learns_values(s))
    celi_adam_set_rate(&s->critic_step, cel_schedule_at(&s->config->critic_learning_rate, left));
  CELI_TRY(celi_plan_run(s->plan, agent->team)); // lines 2 to 4
  if (s->used[s->config->reduction] == 0)
    return cel_fail(CEL_E_RANGE,
                    "reinforce: no episode %s within the %lld step%s of a rollout; raise "
                    "n_steps, or set %s",
                    s->config->reward_to_go ? "ended" : "began and ended",
                    (long long)s->on.rollout.T, celi_s(s->on.rollout.T),
                    s->config->reward_to_go ? "baseline to value" : "reward_to_go to true");
  ++*agent->updates;
  if (learns_values(s))
    CELI_TRY(celi_plan_repeat(s->baseline, agent->team, s->config->baseline_steps)); // line 5
  CELI_TRY(celi_rollout_pass_report(&s->whole, *s->actor_step.learning_rate));
  celi_rollout_next(&s->on.rollout, &s->on.policy, &s->on.norm);
  return CEL_OK;
}

// ---- create and destroy.

static CelStatus declare(CelAgent *agent) {
  Reinforce *s = agent->self;
  CelTensors *t = agent->tensors;
  s->config = agent->config;
  if (!s->config->reward_to_go && s->config->discount_weight)
    return cel_fail(CEL_E_RANGE, "reinforce: whole returns are already discounted from the first "
                                 "step; set discount_weight to false or reward_to_go to true");
  CELI_TRY(celi_on_policy_declare(&s->on, agent, &s->config->common, learns_values(s)));
  CELI_TRY(celi_rollout_pass_declare(&s->whole, &s->on));
  CELI_DECLARE(t, "batch.known", CEL_U8, CEL_SCRATCH, &s->known, s->on.rows);
  CELI_DECLARE(t, "batch.used", CEL_I64, CEL_SCRATCH, &s->used, 2);
  CELI_DECLARE(t, "batch.weight", CEL_F32, CEL_SCRATCH, &s->weight, s->on.rows);
  CELI_TRY(celi_adam_declare(&s->actor_step, t, "adam.actor"));
  return learns_values(s) ? celi_adam_declare(&s->critic_step, t, "adam.critic") : CEL_OK;
}

static CelStatus prepare(CelAgent *agent) {
  Reinforce *s = agent->self;
  const CelReinforceConfig *c = s->config;
  celi_on_policy_init(&s->on);
  celi_rollout_pass_bind(&s->whole, "train/actor_loss", "train/critic_loss");
  CELI_TRY(
      celi_on_policy_bind_steps(&s->on, &s->actor_step, &s->critic_step,
                                celi_on_policy_adam(&c->common, c->adam_epsilon, c->max_grad_norm),
                                &c->critic_learning_rate));
  CELI_TRY(celi_on_policy_sync(agent));
  CELI_TRY(write_plan(s));
  return write_baseline(s);
}

static void release(CelAgent *agent) {
  Reinforce *s = agent->self;
  celi_on_policy_release(&s->on);
  celi_plan_destroy(s->plan);
  celi_plan_destroy(s->baseline);
}

static int plans_of(const CelAgent *agent, CeliNamedPlan plans[CELI_PLANS_MAX]) {
  const Reinforce *s = agent->self;
  plans[0] = (CeliNamedPlan){"update", s->plan};
  plans[1] = (CeliNamedPlan){"baseline step", s->baseline};
  return 2;
}

const CeliAlgo celi_algo_reinforce = {
    .info = {"reinforce",
             "REINFORCE: the policy gradient from returns, with a baseline; any actions",
             celi_reinforce_fields, sizeof(CelReinforceConfig)},
    .state_size = sizeof(Reinforce),
    .declare = declare,
    .prepare = prepare,
    .plans = plans_of,
    .release = release,
    .update = update,
    CELI_ON_POLICY_TABLE,
};
