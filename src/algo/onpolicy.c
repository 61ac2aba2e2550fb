/// What learners from rollouts share. Contract: onpolicy.h.
#include "algo/onpolicy.h"
#include "base/base.h"

#include <stdio.h>
#include <string.h>

/// In the order of the field's choices.
static const CeliActivation activations[] = {CELI_RELU, CELI_TANH, CELI_SILU};
/// Streams of initial parameters; each network takes a block of indices.
enum { INIT_ACTOR = 0, INIT_CRITIC = 4096 };
/// Clamp of a log sigma that comes from the network.
static const double log_std_low = -20, log_std_high = 2;

static const char *name_of(const CelAgent *agent) {
  return agent->algo->info.name;
}

static CelStatus check(const CelAgent *agent, const CeliOnPolicySpec *spec, CeliDistSpec *dist) {
  const char *name = name_of(agent);
  const int64_t N = agent->options.n_envs;
  char text[128];
  if (cel_space_floats(&agent->observation) < 1) {
    cel_space_describe(&agent->observation, text, sizeof text);
    return cel_fail(CEL_E_UNSUPPORTED, "%s: observations must be a float32 box, not %s", name,
                    text);
  }
  CELI_TRY(cel_fail_in(celi_actor_dist(dist, &agent->action), "%s: ", name));
  if (spec->n_steps > INT32_MAX / N)
    return cel_fail(CEL_E_RANGE, "%s: n_steps %lld of %lld environments are too many for a rollout",
                    name, (long long)spec->n_steps, (long long)N);
  if (spec->state_dependent_std && celi_dist_discrete(dist))
    return cel_fail(CEL_E_UNSUPPORTED, "%s: state_dependent_std is for continuous actions only",
                    name);
  return CEL_OK;
}

static CelStatus declare_critic(CeliOnPolicy *self, CelTensors *t, CeliMlpSpec *net) {
  net->in = self->actor.O, net->out = 1, net->output_gain = 1;
  net->dx_begin = net->dx_end = net->in; // nobody needs the gradient at the observations
  CELI_TRY(celi_mlp_declare(&self->critic, t, "critic", CEL_PARAM, net));
  CELI_TRY(celi_mlp_declare_grad(&self->critic_grad, t, "critic", CEL_GRAD, net));
  CELI_TRY(celi_mlp_declare_grad(NULL, t, "critic", CEL_MOMENT1, net));
  return celi_mlp_declare_grad(NULL, t, "critic", CEL_MOMENT2, net);
}

CelStatus celi_onpolicy_declare(CeliOnPolicy *self, CelAgent *agent, const CeliOnPolicySpec *spec) {
  CelTensors *t = agent->tensors;
  const int64_t N = agent->options.n_envs;
  CeliDistSpec dist;
  CeliMlpSpec net = {.E = 1,
                     .hidden = spec->net_arch,
                     .activation = activations[spec->activation],
                     .layer_norm = spec->layer_norm,
                     .init = (CeliInit)spec->init,
                     .output_gain = spec->init == CELI_ORTHOGONAL ? 0.01 : 1};
  CEL_ASSERT((void *)self == agent->self);
  self->agent = agent, self->rows = spec->n_steps * N;
  CELI_TRY(check(agent, spec, &dist));
  dist.free_log_std = !celi_dist_discrete(&dist) && !spec->state_dependent_std;
  dist.log_std_init = spec->log_std_init;
  if (spec->state_dependent_std) dist.log_std_min = log_std_low, dist.log_std_max = log_std_high;
  CELI_TRY(celi_actor_declare(&self->actor, t, &net, &dist, &agent->observation, &agent->action));
  if (spec->critic) CELI_TRY(declare_critic(self, t, &net));
  CELI_TRY(celi_normalizer_declare(&self->norm, t, spec->normalize_observation,
                                   spec->normalize_reward, self->actor.O, N, spec->clip_observation,
                                   spec->clip_reward, spec->gamma));
  CELI_TRY(celi_actor_declare_acting(&self->actor, t, &self->norm, N, spec->n_steps,
                                     agent->options.seed));
  return celi_rollout_declare(&self->rollout, t, &self->actor, spec->critic ? &self->critic : NULL,
                              &self->norm);
}

void celi_onpolicy_init(CeliOnPolicy *self) {
  celi_actor_init(&self->actor, INIT_ACTOR);
  if (self->critic.L > 0) celi_mlp_init(&self->critic, self->agent->options.seed, INIT_CRITIC);
  celi_normalizer_reset(&self->norm);
}

void celi_onpolicy_last_parameter(const CeliOnPolicy *self, char name[CEL_NAME_MAX]) {
  if (self->critic.L > 0)
    snprintf(name, CEL_NAME_MAX, "critic.%d.bias", self->critic.L - 1);
  else
    celi_actor_last_parameter(&self->actor, name);
}

CelStatus celi_onpolicy_ready(const CelAgent *agent, int64_t n) {
  const CeliRollout *r = celi_onpolicy_rollout(agent);
  if (celi_rollout_full(r) && n == 1) return CEL_OK;
  return cel_fail(CEL_E_STATE,
                  "%s: one update a full rollout: %lld asked for with %lld of %lld steps there",
                  name_of(agent), (long long)n, (long long)*r->filled, (long long)r->T);
}

void celi_onpolicy_release(CeliOnPolicy *self) {
  celi_collector_release(&self->collector);
}

typedef struct ObsArgs {
  const CeliOnPolicy *self;
  float *x;
} ObsArgs;

static void op_obs(const void *args, int64_t begin, int64_t end) {
  const ObsArgs *a = args;
  const int64_t O = a->self->actor.O;
  celi_normalizer_apply(&a->self->norm, a->x, O, a->self->rollout.obs, O, begin, end);
}

const float *celi_onpolicy_plan_obs(CeliPlan *plan, CeliOnPolicy *self, float *x) {
  const ObsArgs args = {self, x};
  if (!self->norm.observations) return self->rollout.obs;
  celi_plan_add(plan, "normalise observations", op_obs, CELI_ROWS, self->rows, CELI_ROW_GRAIN,
                false, &args, sizeof args);
  return x;
}

// ---- of an algorithm's table.

CelStatus celi_onpolicy_act(CelAgent *agent, const void *obs, const uint8_t *start, CelActMode mode,
                            void *actions) {
  CeliOnPolicy *s = agent->self;
  if (mode == CEL_EXPLORE)
    return cel_fail_in(celi_rollout_act(&s->rollout, &s->actor, &s->norm, obs, start, actions),
                       "%s: ", name_of(agent));
  if (mode == CEL_SAMPLE)
    celi_actor_sample(&s->actor, actions, obs);
  else
    celi_actor_mode(&s->actor, actions, obs, agent->options.n_envs);
  return CEL_OK;
}

CelStatus celi_onpolicy_observe(CelAgent *agent, const CelOutcome *outcome) {
  CeliOnPolicy *s = agent->self;
  CELI_TRY(cel_fail_in(celi_rollout_observe(&s->rollout, outcome), "%s: ", name_of(agent)));
  *agent->steps += agent->options.n_envs;
  return CEL_OK;
}

CelStatus celi_onpolicy_collect(CelAgent *agent, CelVecEnv *env, int64_t steps) {
  CeliOnPolicy *s = agent->self;
  const int64_t before = *s->rollout.filled, N = agent->options.n_envs;
  int64_t failed = 0;
  const CelStatus status = celi_collect(&s->collector, &s->rollout, &s->actor, &s->norm, env,
                                        agent->team, steps, &failed);
  CELI_TRY(
      cel_fail_in(status, "training step %lld: ", (long long)(*agent->steps + failed * N + 1)));
  *agent->steps += (*s->rollout.filled - before) * N;
  return CEL_OK;
}

CelStatus celi_onpolicy_predict(CelAgent *agent, const void *obs, int64_t n, void *actions) {
  celi_actor_mode(&((const CeliOnPolicy *)agent->self)->actor, actions, obs, n);
  return CEL_OK;
}

int64_t celi_onpolicy_due(const CelAgent *agent) {
  return celi_rollout_full(celi_onpolicy_rollout(agent)) ? 1 : 0;
}

CelStatus celi_onpolicy_sync(CelAgent *agent) {
  CeliOnPolicy *s = agent->self;
  CELI_TRY(cel_fail_in(celi_rollout_check(&s->rollout), "%s: ", name_of(agent)));
  celi_mlp_transpose(&s->actor.net);
  if (s->critic.L > 0) celi_mlp_transpose(&s->critic);
  if (*s->rollout.filled > 0) celi_actor_draw(&s->actor, 0, s->actor.N);
  return CEL_OK;
}

CeliPolicySpec celi_onpolicy_policy(const CelAgent *agent) {
  return celi_actor_policy(&((const CeliOnPolicy *)agent->self)->actor);
}

CeliView celi_onpolicy_view(CelAgent *agent) {
  const CeliOnPolicy *s = agent->self;
  const CeliActor *actor = &s->actor;
  return (CeliView){.actor = &actor->net,
                    .dist = actor->dist,
                    .log_std = actor->dist.free_log_std ? actor->param.log_std_param : NULL,
                    .v = s->critic.L > 0 ? &s->critic : NULL,
                    .norm = &s->norm};
}

CeliReplay *celi_onpolicy_replay(CelAgent *agent) {
  (void)agent;
  return NULL;
}

const CeliRollout *celi_onpolicy_rollout(const CelAgent *agent) {
  return &((const CeliOnPolicy *)agent->self)->rollout;
}
