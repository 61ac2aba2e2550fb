/// Deep Q-networks.
///
/// Source: Mnih et al., "Human-level control through deep reinforcement learning", 2015; double:
/// van Hasselt, Guez, Silver, 2016; dueling: Wang et al., 2016. It is soft Q-learning
/// [soft-q-learning, 3.1-3.2] in the limit alpha -> 0.
///
///   s, a, r, s'   a transition from the replay buffer       B   batch
///   Q, Q'         values of all actions; the target network A   number of actions
///   epsilon       the exploration rate
///
/// The agent acts with argmax_a Q(s, a), and explores with a uniformly random action at probability
/// epsilon, which falls linearly. One gradient step:
///   1  draw s, a, r, d = gamma^m (0 where terminated), s' of B transitions
///   2  a' = argmax Q'(s', .), or argmax Q(s', .) with double_q
///   3  y = r + d Q'(s', a')
///   4  J_Q = mean huber(Q(s, a) - y); Adam on Q
/// Every target_update_interval steps of the environments: Q' += tau (Q - Q').
///
/// Q is the policy too. Therefore files name it "actor".
#include "celsius/dqn.h"
#include "algo/discrete.h"
#include "algo/off_policy.h"
#include "base/base.h"

typedef struct Dqn {
  CeliOffPolicy off;
  const CelDqnConfig *config;
  CelAgent *agent;
  int64_t A, B, W; ///< W: outputs of a network, A or A + 1

  CeliNet target;
  CeliPass now, next, choice; ///< Q on s, Q' on s', and, with double_q, Q on s'

  CeliBatch batch;
  float *y, *q_loss;               ///< (B,)
  float *q, *d_q, *q_next, *q_own; ///< dueling: (B,A) from the outputs of the passes, else NULL
} Dqn;

enum { M_LOSS, M_LEARNING_RATE, M_EXPLORATION_RATE, METRICS };

static Dqn *dqn_of(const void *args) {
  return *(Dqn *const *)args;
}

// ---- one operation per equation; rows [begin, end) of the batch.

/// Q of all actions (B,A) from a pass; dueling networks need room for them.
static const float *values(const Dqn *s, const CeliPass *pass, float *room, int64_t begin,
                           int64_t end) {
  if (!room) return celi_pass_output(pass);
  celi_dueling_q(room, celi_pass_output(pass), s->A, begin, end);
  return room;
}

/// Lines 2 to 4.
static void op_loss(const void *args, int64_t begin, int64_t end) {
  const Dqn *s = dqn_of(args);
  const CeliBatch *m = &s->batch;
  const int64_t A = s->A;
  const float each = 1.0f / (float)s->B;
  const float *Q = values(s, &s->now, s->q, begin, end);
  const float *next = values(s, &s->next, s->q_next, begin, end);
  const float *choice = s->config->double_q ? values(s, &s->choice, s->q_own, begin, end) : next;
  float *dQ = s->d_q ? s->d_q : celi_pass_d_output(&s->now);
  for (int64_t b = begin; b < end; b++)
    s->y[b] = m->reward[b] + m->discount[b] * next[b * A + celi_discrete_best(choice + b * A, A)];
  if (s->config->loss == CEL_DQN_LOSS_HUBER)
    celi_discrete_huber(dQ, s->q_loss, Q, m->discrete, s->y, each, A, begin, end);
  else
    celi_discrete_squared_error(dQ, s->q_loss, Q, m->discrete, s->y, each, A, begin, end);
  if (s->d_q) celi_dueling_backward(celi_pass_d_output(&s->now), s->d_q, A, begin, end);
}

/// The probability of a random action.
static double exploration_rate(const Dqn *s) {
  const CelDqnConfig *c = s->config;
  const double done = 1 - celi_agent_progress_remaining(s->agent);
  if (done >= c->exploration_fraction) return c->exploration_final_eps;
  return c->exploration_initial_eps +
         (c->exploration_final_eps - c->exploration_initial_eps) * (done / c->exploration_fraction);
}

/// The counters and the logged means.
static void op_finish(const void *args, int64_t begin, int64_t end) {
  (void)begin, (void)end;
  Dqn *s = dqn_of(args);
  double *mean = s->off.update.means.sum;
  mean[M_LOSS] += (double)celi_ops()->sum(s->q_loss, s->B) / (double)s->B;
  mean[M_EXPLORATION_RATE] += exploration_rate(s);
  celi_off_policy_count(&s->off, s->B);
}

// ---- the plan: lines 1 to 4.

static CelStatus write_plan(Dqn *s) {
  CELI_TRY(celi_plan_create(&s->off.update.plan));
  CeliPlan *plan = s->off.update.plan;
  const int64_t A = s->A, W = s->W;
  const bool twice = s->config->double_q;
  celi_batch_plan_sample(plan, &s->batch, &s->off.experience); // line 1
  celi_net_plan_forward(plan, &s->next);
  if (twice) celi_net_plan_forward(plan, &s->choice);
  celi_net_plan_forward(plan, &s->now);
  celi_off_policy_plan_rows(&s->off, "loss", op_loss, s->B);
  celi_plan_touch(plan, CELI_READ_ROWS(celi_pass_output(&s->next), W, W),
                  CELI_READ_ROWS(twice ? celi_pass_output(&s->choice) : NULL, W, W),
                  CELI_READ_ROWS(celi_pass_output(&s->now), W, W),
                  CELI_READ_ROWS(s->batch.reward, 1, 1), CELI_READ_ROWS(s->batch.discount, 1, 1),
                  CELI_READ_ROWS(s->batch.discrete, 1, 1), CELI_UPDATE_ROWS(s->q, A, A),
                  CELI_UPDATE_ROWS(s->q_next, A, A), CELI_UPDATE_ROWS(s->q_own, A, A),
                  CELI_UPDATE_ROWS(s->d_q, A, A), CELI_UPDATE_ROWS(s->y, 1, 1),
                  CELI_WRITE_ROWS(celi_pass_d_output(&s->now), W, W),
                  CELI_WRITE_ROWS(s->q_loss, 1, 1));
  celi_net_plan_backward_data(plan, &s->now, NULL, 0);
  celi_net_plan_backward_weight(plan, &s->now, &s->off.policy.grad);
  celi_adam_plan(plan, &s->off.actor);
  celi_net_plan_transpose(plan, &s->off.policy.net);
  celi_off_policy_plan_finish(&s->off, "finish", op_finish);
  celi_plan_touch(plan, CELI_READ(s->q_loss, s->B), CELI_READ(s->agent->steps, 1));
  return celi_plan_end(plan);
}

// ---- act and observe.

/// A random action instead, at probability epsilon, in each environment.
static void explore(const Dqn *s, int32_t *action) {
  const CeliExperience *x = &s->off.experience;
  const double epsilon = exploration_rate(s);
  for (int64_t i = 0; i < x->N; i++) {
    float u[2];
    celi_ops()->uniform(u, s->agent->options.seed, CEL_RNG_ACT, (uint32_t)i, x->act_counter[i]++, 0,
                        2);
    if ((double)u[0] < epsilon) action[i] = (int32_t)((double)u[1] * (double)s->A);
  }
}

static CelStatus act(CelAgent *agent, const void *obs, const uint8_t *start, CelActMode mode,
                     void *actions) {
  const Dqn *s = agent->self;
  CELI_TRY(celi_off_policy_act(agent, obs, start, mode, actions));
  if (mode != CEL_EXPLORE || celi_experience_random(&s->off.experience, mode)) return CEL_OK;
  explore(s, actions);
  return celi_off_policy_replace(agent, actions);
}

static CelStatus observe(CelAgent *agent, const CelOutcome *outcome) {
  Dqn *s = agent->self;
  const CeliExperience *x = &s->off.experience;
  CELI_TRY(celi_off_policy_observe(agent, outcome));
  const int64_t every = s->off.config->target_update_interval / x->N;
  if (*x->env_steps % (every > 0 ? every : 1) == 0)
    celi_ops()->polyak(celi_net_parameters(&s->target), celi_net_parameters(&s->off.policy.net),
                       (float)s->off.config->tau, 0, s->off.actor.n);
  return CEL_OK;
}

// ---- create.

static CelStatus declare_batch(Dqn *s, CelTensors *t) {
  const int64_t B = s->B, A = s->A;
  CELI_TRY(celi_batch_declare(&s->batch, &s->off.experience, B, s->config->n_steps, false));
  CELI_DECLARE(t, "batch.y", CEL_F32, CEL_SCRATCH, &s->y, B);
  CELI_DECLARE(t, "batch.q_loss", CEL_F32, CEL_SCRATCH, &s->q_loss, B);
  if (!s->config->dueling) return CEL_OK;
  CELI_DECLARE(t, "batch.q", CEL_F32, CEL_SCRATCH, &s->q, B, A);
  CELI_DECLARE(t, "batch.d_q", CEL_F32, CEL_SCRATCH, &s->d_q, B, A);
  CELI_DECLARE(t, "batch.q_next", CEL_F32, CEL_SCRATCH, &s->q_next, B, A);
  if (s->config->double_q) CELI_DECLARE(t, "batch.q_own", CEL_F32, CEL_SCRATCH, &s->q_own, B, A);
  return CEL_OK;
}

static CelStatus declare_passes(Dqn *s, CelTensors *t) {
  const CeliNet *q = &s->off.policy.net;
  const CeliPassSpec forward = {.B = s->B, .threads = celi_team_size(s->agent->team)};
  CeliPassSpec both = forward;
  both.backward = true;
  CELI_TRY(celi_pass_declare(&s->now, t, "pass.q", q, both));
  if (s->config->double_q) CELI_TRY(celi_pass_declare(&s->choice, t, "pass.q_own", q, forward));
  return celi_pass_declare(&s->next, t, "pass.q_next", &s->target, forward);
}

/// Q is the policy: the greedy action is the first with the largest output. A dueling network's
/// last output is V, which acting does not need.
static CelStatus declare(CelAgent *agent) {
  Dqn *s = agent->self;
  const CelDqnConfig *c = agent->config;
  CeliPolicyOptions policy = celi_off_policy_options(
      &c->common, (CeliDistSpec){.kind = CELI_CATEGORICAL, .deterministic = true});
  policy.net = celi_off_policy_critic(&c->common, 0, 0);
  policy.extra = c->dueling;
  CELI_TRY(celi_off_policy_declare(&s->off, agent, &c->common, &policy));
  s->agent = agent, s->config = c;
  s->A = s->off.policy.dist.A, s->W = s->off.policy.H;
  s->B = celi_agent_batch(agent, c->common.batch_size);
  s->off.view = (CeliInspection){.kind = CELI_CRITIC_ALL_ACTIONS,
                                 .q = &s->off.policy.net,
                                 .head = {.E = 1, .M = 1, .dueling = c->dueling}};
  const CeliMlpSpec spec = celi_off_policy_critic(&c->common, s->off.policy.O, s->W);
  CELI_TRY(celi_mlp_declare(&s->target, agent->tensors, "target", CEL_TARGET, &spec));
  CELI_TRY(declare_passes(s, agent->tensors));
  CELI_TRY(declare_batch(s, agent->tensors));
  return celi_off_policy_declare_training(&s->off, NULL, NULL, 0);
}

static CelStatus prepare(CelAgent *agent) {
  static const char *const names[METRICS] = {"train/loss", "train/learning_rate",
                                             "rollout/exploration_rate"};
  Dqn *s = agent->self;
  CELI_TRY(celi_off_policy_prepare(agent, names, METRICS, M_LEARNING_RATE));
  celi_target_copy(&s->target, &s->off.policy.net, s->off.actor.n);
  s->now.X = s->batch.obs, s->next.X = s->choice.X = s->batch.next_obs;
  s->now.ldx = s->next.ldx = s->choice.ldx = s->off.policy.O;
  CELI_TRY(celi_off_policy_sync(agent));
  return write_plan(s);
}

const CeliAlgo celi_algo_dqn = {
    .info = {"dqn", "deep Q-networks: double, dueling, n-step; discrete actions", celi_dqn_fields,
             sizeof(CelDqnConfig)},
    .state_size = sizeof(Dqn),
    CELI_OFF_POLICY_LEARNING,
    .declare = declare,
    .prepare = prepare,
    .act = act,
    .observe = observe,
};
