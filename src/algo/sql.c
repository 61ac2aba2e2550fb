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
#include "algo/discrete.h"
#include "algo/off_policy.h"
#include "base/base.h"

typedef struct Sql {
  CeliOffPolicy off;
  const CelSqlConfig *config;
  CelAgent *agent;
  int64_t A, B;

  CeliNet target;
  CeliPass now, next; ///< Q on s, Q' on s'

  CeliBatch batch;
  float *y, *q_loss;  ///< (B,)
  float *V;           ///< (B,) from Q on s
  float *log_pi, *pi; ///< (B,A) from Q on s
  float *mean_log;    ///< (B,) E_pi[log pi(.|s)]
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
  celi_discrete_squared_error(celi_pass_d_output(&s->now), s->q_loss, celi_pass_output(&s->now),
                              s->batch.discrete, s->y, 1.0f / (float)s->B, s->A, begin, end);
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
  celi_dist_mean_log(s->mean_log, s->log_pi, s->pi, A, begin, end);
}

/// The counters and the logged means.
static void op_finish(const void *args, int64_t begin, int64_t end) {
  (void)begin, (void)end;
  Sql *s = sql_of(args);
  double *mean = s->off.update.means.sum;
  mean[M_CRITIC_LOSS] += (double)celi_ops()->sum(s->q_loss, s->B) / (double)s->B;
  mean[M_ENT_COEF] += s->config->ent_coef;
  mean[M_ENTROPY] -= (double)celi_ops()->sum(s->mean_log, s->B) / (double)s->B;
  celi_off_policy_count(&s->off, s->B);
}

// ---- the plan: lines 1 to 5.

static CelStatus write_plan(Sql *s) {
  CELI_TRY(celi_plan_create(&s->off.update.plan));
  CeliPlan *plan = s->off.update.plan;
  const int64_t A = s->A;
  celi_batch_plan_sample(plan, &s->batch, &s->off.experience); // line 1
  celi_net_plan_forward(plan, &s->next);
  celi_net_plan_forward(plan, &s->now);
  celi_off_policy_plan_rows(&s->off, "loss", op_loss, s->B);
  celi_plan_touch(plan, CELI_READ_ROWS(celi_pass_output(&s->next), A, A),
                  CELI_READ_ROWS(celi_pass_output(&s->now), A, A),
                  CELI_READ_ROWS(s->batch.reward, 1, 1), CELI_READ_ROWS(s->batch.discount, 1, 1),
                  CELI_READ_ROWS(s->batch.discrete, 1, 1), CELI_UPDATE_ROWS(s->y, 1, 1),
                  CELI_WRITE_ROWS(celi_pass_d_output(&s->now), A, A),
                  CELI_WRITE_ROWS(s->q_loss, 1, 1));
  celi_off_policy_plan_rows(&s->off, "policy", op_policy, s->B);
  celi_plan_touch(plan, CELI_READ_ROWS(celi_pass_output(&s->now), A, A),
                  CELI_UPDATE_ROWS(s->V, 1, 1), CELI_UPDATE_ROWS(s->log_pi, A, A),
                  CELI_UPDATE_ROWS(s->pi, A, A), CELI_WRITE_ROWS(s->mean_log, 1, 1));
  celi_net_plan_backward_data(plan, &s->now, NULL, 0);
  celi_net_plan_backward_weight(plan, &s->now, &s->off.policy.grad);
  celi_adam_plan(plan, &s->off.actor);
  celi_off_policy_plan_target(&s->off, &s->target, &s->off.policy.net, s->off.actor.n); // line 5
  celi_net_plan_transpose(plan, &s->off.policy.net);
  celi_off_policy_plan_finish(&s->off, "finish", op_finish);
  celi_plan_touch(plan, CELI_READ(s->q_loss, s->B), CELI_READ(s->mean_log, s->B));
  return celi_plan_end(plan);
}

// ---- create.

static CelStatus declare_batch(Sql *s, CelTensors *t) {
  const int64_t B = s->B, A = s->A;
  CELI_TRY(celi_batch_declare(&s->batch, &s->off.experience, B, 1, false));
  CELI_DECLARE(t, "batch.y", CEL_F32, CEL_SCRATCH, &s->y, B);
  CELI_DECLARE(t, "batch.q_loss", CEL_F32, CEL_SCRATCH, &s->q_loss, B);
  CELI_DECLARE(t, "batch.v", CEL_F32, CEL_SCRATCH, &s->V, B);
  CELI_DECLARE(t, "batch.log_pi", CEL_F32, CEL_SCRATCH, &s->log_pi, B, A);
  CELI_DECLARE(t, "batch.pi", CEL_F32, CEL_SCRATCH, &s->pi, B, A);
  CELI_DECLARE(t, "batch.mean_log_pi", CEL_F32, CEL_SCRATCH, &s->mean_log, B);
  return CEL_OK;
}

/// Q is the policy: its values are logits at the temperature.
static CelStatus declare(CelAgent *agent) {
  Sql *s = agent->self;
  CelTensors *t = agent->tensors;
  const CelSqlConfig *c = agent->config;
  const int threads = celi_team_size(agent->team);
  const CeliNet *q = &s->off.policy.net;
  CeliPolicyOptions policy =
      celi_off_policy_options(&c->common, (CeliDistSpec){.kind = CELI_CATEGORICAL});
  policy.net = celi_off_policy_critic(&c->common, 0, 0);
  policy.temperature = c->ent_coef;
  CELI_TRY(celi_off_policy_declare(&s->off, agent, &c->common, &policy));
  s->agent = agent, s->config = c;
  s->A = s->off.policy.dist.A, s->B = celi_agent_batch(agent, c->common.batch_size);
  s->off.view = (CeliInspection){.kind = CELI_CRITIC_ALL_ACTIONS,
                                 .q = q,
                                 .head = {.E = 1, .M = 1},
                                 .temperature = c->ent_coef};
  const CeliMlpSpec spec = celi_off_policy_critic(&c->common, s->off.policy.O, s->A);
  CELI_TRY(celi_mlp_declare(&s->target, t, "target", CEL_TARGET, &spec));
  CELI_TRY(celi_pass_declare(&s->now, t, "pass.q", q,
                             (CeliPassSpec){.B = s->B, .backward = true, .threads = threads}));
  CELI_TRY(celi_pass_declare(&s->next, t, "pass.q_next", &s->target,
                             (CeliPassSpec){.B = s->B, .threads = threads}));
  CELI_TRY(declare_batch(s, t));
  return celi_off_policy_declare_training(&s->off, NULL, NULL, 0);
}

static CelStatus prepare(CelAgent *agent) {
  static const char *const names[METRICS] = {"train/critic_loss", "train/ent_coef",
                                             "train/learning_rate", "train/entropy"};
  Sql *s = agent->self;
  CELI_TRY(celi_off_policy_prepare(agent, names, METRICS, M_LEARNING_RATE));
  celi_target_copy(&s->target, &s->off.policy.net, s->off.actor.n);
  s->now.X = s->batch.obs, s->next.X = s->batch.next_obs;
  s->now.ldx = s->next.ldx = s->off.policy.O;
  CELI_TRY(celi_off_policy_sync(agent));
  return write_plan(s);
}

const CeliAlgo celi_algo_sql = {
    .info = {"sql", "soft Q-learning: Boltzmann behavior; discrete actions", celi_sql_fields,
             sizeof(CelSqlConfig)},
    .state_size = sizeof(Sql),
    CELI_OFF_POLICY_TABLE,
    .declare = declare,
    .prepare = prepare,
};
