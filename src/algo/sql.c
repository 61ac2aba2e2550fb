/// Soft Q-learning with discrete actions.
///
/// Source: [soft-q-learning, 3.1-3.2] in the form of docs/equations.md; Haarnoja et al.,
/// "Reinforcement learning with deep energy-based policies", 2017.
///
///   s, a, r, s'   a transition from the replay buffer       B   batch
///   Q, Q'         soft values of all actions; the target    A   number of actions
///   alpha         temperature, reward units per nat
///
/// The agent acts with pi(a|s) = exp((Q(s, a) - V(s)) / alpha), V = alpha log sum_a exp(Q / alpha).
/// One gradient step:
///   1  draw s, a, r, d = gamma (0 where terminated), s' of B transitions
///   2  V'(s') = alpha log sum_a' exp(Q'(s', a') / alpha)                           [3.1]
///   3  y = r + d V'(s'): the expectation over s' is outside of the logarithm       [3.2]
///   4  J_Q = mean 1/2 (Q(s, a) - y)^2; Adam on Q
///   5  Q' += tau (Q - Q')
///
/// Q is the policy too: its values are logits at temperature alpha. Therefore files name it
/// "actor".
#include "celsius/sql.h"
#include "algo/choice.h"
#include "algo/off_policy.h"
#include "base/base.h"

#include <string.h>

typedef struct Sql {
  CeliOffPolicy off;
  const CelSqlConfig *config;
  CelAgent *agent;
  int64_t A, B;

  CeliTrained q;
  CeliNet target;
  CeliPass now, next; ///< Q on s, Q' on s'

  CeliChoiceBatch batch;
  float *y, *q_loss;  ///< (B,)
  float *V;           ///< (B,) from Q on s
  float *log_pi, *pi; ///< (B,A) from Q on s
  float *mean_log;    ///< (B,) E_pi[log pi(.|s)]

  CeliChoice choice;
  CeliActing acting;
} Sql;

enum { M_CRITIC_LOSS, M_ENT_COEF, M_LEARNING_RATE, M_ENTROPY, METRICS };

static Sql *sql_of(const void *args) {
  return *(Sql *const *)args;
}

// ---- one operation per equation; rows [begin, end) of the batch.

/// Lines 2 to 4. Source: [soft-q-learning, 3.2]
static void op_loss(const void *args, int64_t begin, int64_t end) {
  const Sql *s = sql_of(args);
  celi_ops()->logsumexp(s->y, celi_pass_output(&s->next), s->A, (float)s->config->ent_coef, begin,
                        end, s->A);
  for (int64_t b = begin; b < end; b++)
    s->y[b] = s->batch.reward[b] + s->batch.discount[b] * s->y[b];
  celi_choice_squared_error(celi_pass_d_output(&s->now), s->q_loss, celi_pass_output(&s->now),
                            s->batch.action, s->y, 1.0f / (float)s->B, s->A, begin, end);
}

/// The Boltzmann policy on s, for its entropy. Source: [soft-q-learning, 3.1]
static void op_policy(const void *args, int64_t begin, int64_t end) {
  const Sql *s = sql_of(args);
  const float *Q = celi_pass_output(&s->now), alpha = (float)s->config->ent_coef;
  const int64_t A = s->A;
  celi_ops()->logsumexp(s->V, Q, A, alpha, begin, end, A);
  for (int64_t b = begin; b < end; b++)
    for (int64_t i = b * A; i < (b + 1) * A; i++) s->log_pi[i] = (Q[i] - s->V[b]) / alpha;
  celi_ops()->exp(s->pi + begin * A, s->log_pi + begin * A, (end - begin) * A);
  celi_choice_mean_log(s->mean_log, s->log_pi, s->pi, A, begin, end);
}

/// Line 5, every target_update_interval updates.
static void op_target(const void *args, int64_t begin, int64_t end) {
  const Sql *s = sql_of(args);
  celi_target_move(&s->target, &s->q.net, s->config->common.tau,
                   s->config->common.target_update_interval, *s->agent->updates, begin, end);
}

/// The counters and the logged means.
static void op_finish(const void *args, int64_t begin, int64_t end) {
  (void)begin, (void)end;
  Sql *s = sql_of(args);
  double *mean = s->off.update.means.sum;
  mean[M_CRITIC_LOSS] += (double)celi_ops()->sum(s->q_loss, s->B) / (double)s->B;
  mean[M_ENT_COEF] += s->config->ent_coef;
  mean[M_ENTROPY] -= (double)celi_ops()->sum(s->mean_log, s->B) / (double)s->B;
  *s->off.experience.sample_counter += celi_replay_blocks(s->B);
  ++*s->agent->updates;
}

// ---- the plan: lines 1 to 5.

static CelStatus write_plan(Sql *s) {
  CELI_TRY(celi_plan_create(&s->off.update.plan));
  CeliPlan *plan = s->off.update.plan;
  celi_experience_plan_sample(&s->off.experience, plan,
                              celi_choice_batch_replay(&s->batch)); // line 1
  celi_net_plan_forward(plan, &s->next);
  celi_net_plan_forward(plan, &s->now);
  celi_plan_add(plan, "loss", op_loss, CELI_ROWS, s->B, CELI_ROW_GRAIN, false, &s, sizeof s);
  celi_plan_add(plan, "policy", op_policy, CELI_ROWS, s->B, CELI_ROW_GRAIN, false, &s, sizeof s);
  celi_net_plan_backward_data(plan, &s->now, NULL, 0);
  celi_net_plan_backward_weight(plan, &s->now, &s->q.grad, false);
  celi_adam_plan(plan, &s->q.adam);
  celi_plan_add(plan, "target", op_target, CELI_PARTS, s->q.adam.n, CELI_ELEMENT_GRAIN, true, &s,
                sizeof s); // line 5
  celi_net_plan_transpose(plan, &s->q.net, false);
  celi_plan_add(plan, "finish", op_finish, CELI_PARTS, 1, 1, true, &s, sizeof s);
  return celi_plan_end(plan);
}

// ---- act, predict.

static CelStatus act(CelAgent *agent, const void *obs, const uint8_t *start, CelActMode mode,
                     void *actions) {
  Sql *s = agent->self;
  celi_choice_act(&s->choice, &s->acting, &s->off.experience, obs, mode, (float)s->config->ent_coef,
                  actions);
  if (mode == CEL_EXPLORE) celi_experience_follow(&s->off.experience, obs, start);
  return CEL_OK;
}

static CelStatus predict(CelAgent *agent, const void *obs, int64_t n, void *actions) {
  Sql *s = agent->self;
  celi_choice_predict(&s->choice, &s->acting, &s->off.experience.norm, obs, n, actions);
  return CEL_OK;
}

// ---- create and destroy.

static CelStatus declare_batch(Sql *s, CelTensors *t) {
  const int64_t B = s->B, A = s->A;
  CELI_TRY(celi_choice_batch_declare(&s->batch, t, B, s->off.experience.O));
  CELI_DECLARE(t, "batch.y", CEL_F32, CEL_SCRATCH, &s->y, B);
  CELI_DECLARE(t, "batch.q_loss", CEL_F32, CEL_SCRATCH, &s->q_loss, B);
  CELI_DECLARE(t, "batch.v", CEL_F32, CEL_SCRATCH, &s->V, B);
  CELI_DECLARE(t, "batch.log_pi", CEL_F32, CEL_SCRATCH, &s->log_pi, B, A);
  CELI_DECLARE(t, "batch.pi", CEL_F32, CEL_SCRATCH, &s->pi, B, A);
  CELI_DECLARE(t, "batch.mean_log_pi", CEL_F32, CEL_SCRATCH, &s->mean_log, B);
  return CEL_OK;
}

static CelStatus declare(CelAgent *agent) {
  Sql *s = agent->self;
  CelTensors *t = agent->tensors;
  const CelSqlConfig *c = agent->config;
  const int shares = celi_team_size(agent->team);
  CELI_TRY(celi_choice_declare(&s->choice, agent));
  const CeliExperienceSpec experience = celi_off_policy_experience(&c->common);
  CELI_TRY(celi_experience_declare(&s->off.experience, agent, &agent->action, &experience));
  s->agent = agent, s->config = c;
  s->off.config = &c->common;
  s->A = s->choice.A, s->B = celi_agent_batch(agent, c->common.batch_size);
  const CeliMlpSpec spec = celi_off_policy_network(&c->common, s->off.experience.O, s->A);
  CELI_TRY(celi_trained_declare(&s->q, t, "actor", &spec));
  CELI_TRY(celi_mlp_declare(&s->target, t, "target", CEL_TARGET, &spec));
  CELI_TRY(celi_pass_declare(&s->now, t, "pass.q", &s->q.net,
                             (CeliPassSpec){.B = s->B, .backward = true, .threads = shares}));
  CELI_TRY(celi_pass_declare(&s->next, t, "pass.q_next", &s->target,
                             (CeliPassSpec){.B = s->B, .threads = shares}));
  CELI_TRY(celi_acting_declare(&s->acting, t, &s->q.net));
  CELI_TRY(declare_batch(s, t));
  CELI_TRY(celi_means_declare(&s->off.update.means, t));
  return celi_trained_declare_adam(&s->q, t, "actor");
}

static CelStatus prepare(CelAgent *agent) {
  static const char *const names[METRICS] = {"train/critic_loss", "train/ent_coef",
                                             "train/learning_rate", "train/entropy"};
  Sql *s = agent->self;
  celi_net_init(&s->q.net, agent->options.seed, 0);
  celi_experience_reset(&s->off.experience);
  s->now.X = s->batch.obs, s->next.X = s->batch.next_obs;
  s->now.ldx = s->next.ldx = s->off.experience.O;
  celi_acting_bind(&s->acting);
  celi_means_bind(&s->off.update.means, agent, names, METRICS);
  s->off.update.rate = M_LEARNING_RATE;
  CELI_TRY(celi_off_policy_train(&s->off, &s->q, "actor", NULL));
  celi_target_copy(&s->target, &s->q);
  CELI_TRY(celi_off_policy_sync(agent));
  return write_plan(s);
}

static CeliPolicySpec policy_spec(const CelAgent *agent) {
  const Sql *s = agent->self;
  return (CeliPolicySpec){.kind = CELI_CATEGORICAL,
                          .activation = celi_activation_of(s->config->common.activation),
                          .A = s->A,
                          .logit_scale = 1 / s->config->ent_coef};
}

static CeliInspection inspect(CelAgent *agent) {
  const Sql *s = agent->self;
  return (CeliInspection){.actor = &s->q.net,
                          .dist = {.kind = CELI_CATEGORICAL, .A = s->A},
                          .logit_scale = 1 / s->config->ent_coef,
                          .temperature = s->config->ent_coef,
                          .kind = CELI_CRITIC_OF_CHOICES,
                          .q = &s->q.net,
                          .norm = &s->off.experience.norm};
}

const CeliAlgo celi_algo_sql = {
    .info = {"sql", "soft Q-learning: Boltzmann behavior; discrete actions", celi_sql_fields,
             sizeof(CelSqlConfig)},
    .state_size = sizeof(Sql),
    CELI_OFF_POLICY_TABLE,
    .declare = declare,
    .prepare = prepare,
    .act = act,
    .predict = predict,
    .policy = policy_spec,
    .inspect = inspect,
};
