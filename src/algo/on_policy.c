/// Parts of learners from rollouts. Contract: on_policy.h.
#include "algo/on_policy.h"
#include "base/base.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/// Streams of initial parameters. Each network uses a block of indices.
enum { INIT_ACTOR = 0, INIT_CRITIC = 4096 };
/// Bounds of a log sigma that is a network output.
static const double log_std_low = -20, log_std_high = 2;

static const char *name_of(const CelAgent *agent) {
  return agent->algo->info.name;
}

/// Checks the settings of sigma.
static CelStatus check_sigma(const char *name, const CelOnPolicyConfig *config, bool discrete) {
  if (discrete && (config->state_dependent_std || config->use_sde))
    return cel_fail(CEL_E_UNSUPPORTED, "%s: %s is for continuous actions only", name,
                    config->use_sde ? "use_sde" : "state_dependent_std");
  if (config->squash_output && !config->use_sde)
    return cel_fail(CEL_E_RANGE, "%s: squash_output needs use_sde; set it to true", name);
  if (!config->use_sde) return CEL_OK;
  if (config->state_dependent_std)
    return cel_fail(CEL_E_RANGE,
                    "%s: use_sde has its own standard deviation; set state_dependent_std to false",
                    name);
  return celi_agent_check_sde(name, &config->net_arch, config->sde_sample_freq);
}

/// A squashed policy needs finite bounds.
static CelStatus check_bounds(const char *name, const CelSpacePart *part) {
  for (int64_t a = 0; a < part->size; a++)
    if (!(isfinite(part->low[a]) && isfinite(part->high[a])))
      return cel_fail(CEL_E_UNSUPPORTED,
                      "%s: action %lld has no finite bounds, which squash_output needs", name,
                      (long long)a);
  return CEL_OK;
}

static CelStatus check(const CelAgent *agent, const CelOnPolicyConfig *spec, CeliDistSpec *dist) {
  const char *name = name_of(agent);
  const int64_t N = agent->options.n_envs;
  char text[128];
  if (cel_space_floats(&agent->observation) < 1) {
    cel_space_describe(&agent->observation, text, sizeof text);
    return cel_fail(CEL_E_UNSUPPORTED, "%s: observations must be a float32 box, not %s", name,
                    text);
  }
  CELI_TRY(cel_fail_in(celi_policy_dist(dist, &agent->action), "%s: ", name));
  if (spec->n_steps > INT32_MAX / N)
    return cel_fail(CEL_E_RANGE,
                    "%s: a rollout of %lld steps of %lld environments is too large; reduce n_steps",
                    name, (long long)spec->n_steps, (long long)N);
  CELI_TRY(check_sigma(name, spec, celi_dist_discrete(dist)));
  return spec->squash_output ? check_bounds(name, &agent->action.part[0]) : CEL_OK;
}

static CelStatus declare_critic(CeliOnPolicy *self, CelTensors *t, CeliMlpSpec net) {
  net.in = self->policy.O, net.out = 1, net.output_gain = 1;
  net.dx_begin = net.dx_end = net.in; // the gradient of the observations is not needed
  CELI_TRY(celi_mlp_declare(&self->critic, t, "critic", CEL_PARAM, &net));
  CELI_TRY(celi_net_declare_grad(&self->critic_grad, t, "critic", CEL_GRAD, &self->critic));
  CELI_TRY(celi_net_declare_grad(NULL, t, "critic", CEL_MOMENT1, &self->critic));
  return celi_net_declare_grad(NULL, t, "critic", CEL_MOMENT2, &self->critic);
}

/// Selects the kind of Gaussian and the source of log sigma.
static void set_sigma(CeliDistSpec *dist, const CelOnPolicyConfig *config) {
  const bool head = config->state_dependent_std || config->use_sde;
  dist->free_log_std = !celi_dist_discrete(dist) && !head;
  dist->log_std_init = config->log_std_init;
  if (config->squash_output) dist->kind = CELI_SQUASHED_GAUSSIAN;
  if (config->state_dependent_std)
    dist->log_std_min = log_std_low, dist->log_std_max = log_std_high;
}

CelStatus celi_on_policy_declare(CeliOnPolicy *self, CelAgent *agent,
                                 const CelOnPolicyConfig *config, bool critic) {
  CelTensors *t = agent->tensors;
  const int64_t N = agent->options.n_envs;
  const int64_t held = config->sde_sample_freq > 0 ? config->sde_sample_freq : config->n_steps;
  CeliPolicyOptions policy = {
      .net = {.E = 1,
              .hidden = config->net_arch,
              .activation = celi_activation_of(config->activation),
              .norm.kind = config->layer_norm ? CELI_NORM_LAYER : CELI_NORM_NONE,
              .init = (CeliInit)config->init,
              .output_gain = config->init == CEL_INIT_ORTHOGONAL ? 0.01 : 1},
      .sde_every = config->use_sde ? held : 0,
      .sde_expln = config->use_expln};
  CEL_ASSERT((void *)self == agent->self);
  self->agent = agent;
  CELI_TRY(check(agent, config, &policy.dist));
  const int64_t T = celi_agent_batch(agent, config->n_steps);
  self->rows = T * N;
  set_sigma(&policy.dist, config);
  celi_policy_set(&self->policy, &policy, &agent->observation, &agent->action);
  CELI_TRY(celi_policy_declare_network(&self->policy, t));
  if (config->critic_arch.n >= 0) policy.net.hidden = config->critic_arch;
  if (critic) CELI_TRY(declare_critic(self, t, policy.net));
  CELI_TRY(celi_normalizer_declare(&self->norm, t, config->normalize_observation,
                                   config->normalize_reward, self->policy.O, N,
                                   config->clip_observation, config->clip_reward, config->gamma));
  CELI_TRY(celi_policy_declare_rollout(&self->policy, t, &self->norm, N, T, agent->options.seed));
  CELI_TRY(celi_policy_declare_scale(&self->policy, t));
  return celi_rollout_declare(&self->rollout, t, &self->policy, critic ? &self->critic : NULL,
                              &self->norm);
}

void celi_on_policy_init(CeliOnPolicy *self) {
  celi_policy_init(&self->policy, INIT_ACTOR);
  if (self->critic.n > 0) celi_net_init(&self->critic, self->agent->options.seed, INIT_CRITIC);
  celi_normalizer_reset(&self->norm);
}

void celi_on_policy_last_parameter(const CeliOnPolicy *self, char name[CEL_NAME_MAX]) {
  if (self->critic.n > 0)
    celi_net_last_parameter(&self->critic, "critic", name);
  else
    celi_policy_last_parameter(&self->policy, name);
}

CelStatus celi_on_policy_ready(const CelAgent *agent, int64_t n) {
  const CeliRollout *r = celi_on_policy_rollout(agent);
  if (celi_rollout_full(r) && n == 1) return CEL_OK;
  return cel_fail(
      CEL_E_STATE,
      "%s: cannot update %lld times; a full rollout allows one update, and this one has "
      "%lld of %lld steps",
      name_of(agent), (long long)n, (long long)*r->filled, (long long)r->T);
}

void celi_on_policy_release(CeliOnPolicy *self) {
  celi_collector_release(&self->collector);
}

typedef struct ObsArgs {
  const CeliOnPolicy *self;
  float *x;
} ObsArgs;

static void op_obs(const void *args, int64_t begin, int64_t end) {
  const ObsArgs *a = args;
  const int64_t O = a->self->policy.O;
  celi_normalizer_apply(&a->self->norm, a->x, O, a->self->rollout.obs, O, begin, end);
}

const float *celi_on_policy_plan_obs(CeliPlan *plan, CeliOnPolicy *self, float *x) {
  const ObsArgs args = {self, x};
  const int64_t O = self->policy.O;
  if (!self->norm.observations) return self->rollout.obs;
  celi_plan_add(plan, "normalize observations", op_obs, CELI_ROWS, self->rows, CELI_ROW_GRAIN,
                &args, sizeof args);
  celi_normalizer_plan_touch(plan, &self->norm);
  celi_plan_touch(plan, CELI_READ_ROWS(self->rollout.obs, O, O), CELI_WRITE_ROWS(x, O, O));
  return x;
}

CeliAdamConfig celi_on_policy_adam(const CelOnPolicyConfig *config, double epsilon,
                                   double max_grad_norm) {
  return (CeliAdamConfig){.learning_rate = cel_schedule_at(&config->learning_rate, 1),
                          .beta1 = config->adam_beta1,
                          .beta2 = config->adam_beta2,
                          .epsilon = epsilon,
                          .max_grad_norm = max_grad_norm};
}

CelStatus celi_on_policy_bind_steps(const CeliOnPolicy *self, CeliAdam *actor, CeliAdam *critic,
                                    CeliAdamConfig config, const CelSchedule *critic_rate) {
  const CelTensors *t = self->agent->tensors;
  char last[CEL_NAME_MAX];
  celi_policy_last_parameter(&self->policy, last);
  CELI_TRY(celi_adam_bind(actor, t, "actor.0.weight", last, &config));
  if (self->critic.n == 0) return CEL_OK;
  config.learning_rate = cel_schedule_at(critic_rate, 1);
  celi_on_policy_last_parameter(self, last);
  return celi_adam_bind(critic, t, "critic.0.weight", last, &config);
}

// ---- policy and values on a whole rollout.

enum { M_PI_LOSS, M_V_LOSS, M_ENTROPY_LOSS, M_EXPLAINED, M_RATE, M_STD };

CelStatus celi_rollout_pass_declare(CeliRolloutPass *pass, CeliOnPolicy *on) {
  CelTensors *t = on->agent->tensors;
  const int shares = celi_team_size(on->agent->team);
  const int64_t n = on->rows;
  pass->on = on;
  CELI_TRY(celi_policy_pass_declare(&pass->pi, t, "pi", &on->policy, CELI_POLICY_GIVEN, n, true,
                                    shares));
  if (on->critic.n > 0)
    CELI_TRY(celi_pass_declare(&pass->v, t, "pass.v", &on->critic,
                               (CeliPassSpec){.B = n, .backward = true, .threads = shares}));
  CELI_DECLARE(t, "batch.x", CEL_F32, CEL_SCRATCH, &pass->x, n, on->policy.O);
  CELI_DECLARE(t, "batch.d_entropy", CEL_F32, CEL_SCRATCH, &pass->d_entropy, n);
  CELI_DECLARE(t, "batch.pi_loss", CEL_F32, CEL_SCRATCH, &pass->pi_loss, n);
  CELI_DECLARE(t, "batch.v_loss", CEL_F32, CEL_SCRATCH, &pass->v_loss, n);
  return CEL_OK;
}

void celi_rollout_pass_bind(CeliRolloutPass *pass, const char *policy_loss,
                            const char *value_loss) {
  const char *const names[] = {policy_loss,           value_loss,
                               "train/entropy_loss",  "train/explained_variance",
                               "train/learning_rate", "train/std"};
  for (int i = 0; i < 6; i++) pass->slot[i] = celi_agent_metric_add(pass->on->agent, names[i]);
}

void celi_rollout_pass_plan_log_prob(CeliPlan *plan, CeliRolloutPass *pass) {
  const int64_t O = pass->on->policy.O;
  pass->v.X = celi_on_policy_plan_obs(plan, pass->on, pass->x), pass->v.ldx = O;
  celi_policy_pass_bind(&pass->pi, pass->v.X, O);
  celi_policy_plan_log_prob(plan, &pass->pi, pass->on->rollout.actions);
}

void celi_rollout_pass_plan_backward(CeliPlan *plan, const CeliRolloutPass *pass) {
  celi_policy_plan_log_prob_backward(plan, &pass->pi, pass->d_entropy, pass->on->rollout.actions);
}

static void plan_rows(CeliPlan *plan, const CeliRolloutPass *pass, const char *name, CeliOpFn fn,
                      void *self) {
  celi_plan_add(plan, name, fn, CELI_ROWS, pass->on->rows, CELI_ROW_GRAIN, &self, sizeof self);
}

void celi_rollout_pass_plan_policy_loss(CeliPlan *plan, const CeliRolloutPass *pass,
                                        const char *name, CeliOpFn fn, void *self) {
  const CeliDist *dist = &pass->pi.dist;
  plan_rows(plan, pass, name, fn, self);
  celi_plan_touch(plan, CELI_READ_ROWS(pass->on->rollout.advantage, 1, 1),
                  CELI_READ_ROWS(dist->logp, 1, 1), CELI_WRITE_ROWS(dist->d_logp, 1, 1),
                  CELI_WRITE_ROWS(pass->d_entropy, 1, 1), CELI_WRITE_ROWS(pass->pi_loss, 1, 1));
}

void celi_rollout_pass_plan_value_loss(CeliPlan *plan, const CeliRolloutPass *pass,
                                       const char *name, CeliOpFn fn, void *self) {
  plan_rows(plan, pass, name, fn, self);
  celi_plan_touch(plan, CELI_READ_ROWS(celi_pass_output(&pass->v), 1, 1),
                  CELI_READ_ROWS(pass->on->rollout.returns, 1, 1),
                  CELI_WRITE_ROWS(celi_pass_d_output(&pass->v), 1, 1),
                  CELI_WRITE_ROWS(pass->v_loss, 1, 1));
}

CelStatus celi_rollout_pass_report(const CeliRolloutPass *pass, double rate) {
  CelAgent *agent = pass->on->agent;
  const CeliOps *ops = celi_ops();
  const double n = (double)pass->on->rows;
  double *metric = agent->metric;
  metric[pass->slot[M_PI_LOSS]] = (double)ops->sum(pass->pi_loss, pass->on->rows) / n;
  metric[pass->slot[M_V_LOSS]] = (double)ops->sum(pass->v_loss, pass->on->rows) / n;
  metric[pass->slot[M_ENTROPY_LOSS]] = -(double)ops->sum(pass->pi.dist.entropy, pass->on->rows) / n;
  metric[pass->slot[M_EXPLAINED]] = celi_rollout_explained_variance(&pass->on->rollout);
  metric[pass->slot[M_RATE]] = rate;
  metric[pass->slot[M_STD]] = celi_policy_mean_std(&pass->on->policy);
  for (int i = 0; i <= M_ENTROPY_LOSS; i++)
    if (!isfinite(metric[pass->slot[i]]))
      return cel_fail(CEL_E_NAN,
                      "%s: %s is %g at update %lld; try a smaller learning_rate, or "
                      "normalize_observation and normalize_reward",
                      name_of(agent), agent->metric_name[pass->slot[i]], metric[pass->slot[i]],
                      (long long)*agent->updates);
  return CEL_OK;
}

// ---- functions for an algorithm's table.

CelStatus celi_on_policy_act(CelAgent *agent, const void *obs, const uint8_t *start,
                             CelActMode mode, void *actions) {
  CeliOnPolicy *s = agent->self;
  if (mode == CEL_EXPLORE)
    return cel_fail_in(celi_rollout_act(&s->rollout, &s->policy, &s->norm, obs, start, actions),
                       "%s: ", name_of(agent));
  if (mode == CEL_SAMPLE)
    celi_policy_rollout_sample(&s->policy, actions, obs);
  else
    celi_policy_mode(&s->policy, actions, obs, agent->options.n_envs);
  return CEL_OK;
}

CelStatus celi_on_policy_observe(CelAgent *agent, const CelOutcome *outcome) {
  CeliOnPolicy *s = agent->self;
  CELI_TRY(cel_fail_in(celi_rollout_observe(&s->rollout, outcome), "%s: ", name_of(agent)));
  *agent->steps += agent->options.n_envs;
  return CEL_OK;
}

CelStatus celi_on_policy_collect(CelAgent *agent, CelVecEnv *env, int64_t steps) {
  CeliOnPolicy *s = agent->self;
  const int64_t before = *s->rollout.filled, N = agent->options.n_envs;
  int64_t failed = 0;
  const CelStatus status = celi_collect(&s->collector, &s->rollout, &s->policy, &s->norm, env,
                                        agent->team, steps, &failed);
  CELI_TRY(
      cel_fail_in(status, "training step %lld: ", (long long)(*agent->steps + failed * N + 1)));
  *agent->steps += (*s->rollout.filled - before) * N;
  return CEL_OK;
}

CelStatus celi_on_policy_predict(CelAgent *agent, const void *obs, int64_t n, void *actions) {
  celi_policy_mode(&((const CeliOnPolicy *)agent->self)->policy, actions, obs, n);
  return CEL_OK;
}

int64_t celi_on_policy_due(const CelAgent *agent) {
  return celi_rollout_full(celi_on_policy_rollout(agent)) ? 1 : 0;
}

/// Number of discrete actions in entry k of an action.
static int64_t choices_of(const CeliDistSpec *dist, int64_t k) {
  switch (dist->kind) {
  case CELI_CATEGORICAL: return dist->A;
  case CELI_MULTI_CATEGORICAL: return (int64_t)dist->choices[k];
  case CELI_BERNOULLI: return 2;
  case CELI_GAUSSIAN:
  case CELI_SQUASHED_GAUSSIAN: break;
  }
  return 0;
}

/// Errors: CEL_E_CORRUPT: a stored discrete action that does not exist, which would be an index
/// outside of an array.
static CelStatus check_choices(const CeliOnPolicy *s) {
  const CeliDistSpec *dist = &s->policy.dist;
  const int64_t rows = *s->rollout.filled * s->policy.N;
  const bool bits = dist->kind == CELI_BERNOULLI;
  const int64_t K = (int64_t)s->rollout.bytes / (bits ? 1 : (int64_t)sizeof(int32_t));
  if (!celi_dist_discrete(dist)) return CEL_OK;
  for (int64_t i = 0; i < rows * K; i++) {
    int32_t action = s->rollout.actions[bits ? i : 0];
    if (!bits) memcpy(&action, s->rollout.actions + (size_t)i * sizeof action, sizeof action);
    if (action < 0 || action >= choices_of(dist, i % K))
      return cel_fail(CEL_E_CORRUPT,
                      "rollout.actions: entry %lld is action %d; valid actions are 0 to %lld",
                      (long long)i, (int)action, (long long)choices_of(dist, i % K) - 1);
  }
  return CEL_OK;
}

CelStatus celi_on_policy_sync(CelAgent *agent) {
  CeliOnPolicy *s = agent->self;
  CELI_TRY(cel_fail_in(celi_rollout_check(&s->rollout), "%s: ", name_of(agent)));
  CELI_TRY(cel_fail_in(check_choices(s), "%s: ", name_of(agent)));
  celi_net_transpose(&s->policy.net);
  if (s->critic.n > 0) celi_net_transpose(&s->critic);
  if (*s->rollout.filled > 0)
    celi_policy_rollout_draw(&s->policy, *s->rollout.filled, 0, s->policy.N);
  return CEL_OK;
}

CeliInspection celi_on_policy_inspect(CelAgent *agent) {
  const CeliOnPolicy *s = agent->self;
  return (CeliInspection){.policy = &s->policy, .v = s->critic.n > 0 ? &s->critic : NULL};
}

CeliReplay *celi_on_policy_replay(CelAgent *agent) {
  (void)agent;
  return NULL;
}

const CeliRollout *celi_on_policy_rollout(const CelAgent *agent) {
  return &((const CeliOnPolicy *)agent->self)->rollout;
}

void celi_on_policy_renew(CelAgent *agent) {
  CeliOnPolicy *s = agent->self;
  celi_policy_rollout_renew(&s->policy, *s->rollout.filled);
}

void celi_on_policy_restart(CelAgent *agent) {
  const CeliRollout *r = celi_on_policy_rollout(agent);
  *r->filled = 0;
  *r->acted = *r->begun = 0;
  memset(r->age, 0, (size_t)r->N * sizeof *r->age);
}
