/// The policy of learners from a replay buffer: spaces, acting, inspection. Interface:
/// off_policy.h.
#include "algo/off_policy.h"
#include "base/base.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// ---- spaces.

/// Whether the algorithm lets its user choose a policy that is not squashed.
static bool has_policy_field(const CelAgent *agent) {
  for (const CelField *field = agent->algo->info.fields; field->name; field++)
    if (strcmp(field->name, "policy") == 0) return true;
  return false;
}

static CelStatus fail_space(const CelAgent *agent, const char *needed, const char *kind,
                            const char *examples) {
  char text[128];
  cel_space_describe(&agent->action, text, sizeof text);
  return cel_fail(CEL_E_UNSUPPORTED,
                  "%s: actions must be %s, not %s; choose an environment with %s actions (%s)",
                  agent->algo->info.name, needed, text, kind, examples);
}

static CelStatus check_box(const CelAgent *agent, bool squash) {
  const char *name = agent->algo->info.name;
  const CelSpacePart *part = &agent->action.part[0];
  if (cel_space_floats(&agent->action) < 1 || agent->action.n_parts != 1)
    return fail_space(agent, "one continuous box", "continuous",
                      "Pendulum-v1, MountainCarContinuous-v0");
  if (part->size > CEL_SPACE_BOUNDS_MAX)
    return cel_fail(CEL_E_UNSUPPORTED, "%s: actions have %lld dimensions; at most %d are supported",
                    name, (long long)part->size, CEL_SPACE_BOUNDS_MAX);
  for (int64_t a = 0; a < part->size; a++)
    if (squash && !(isfinite(part->low[a]) && isfinite(part->high[a])))
      return cel_fail(CEL_E_UNSUPPORTED,
                      "%s: action %lld has no finite bounds, which a squashed policy needs%s", name,
                      (long long)a, has_policy_field(agent) ? "; set policy to gaussian" : "");
  return CEL_OK;
}

static CelStatus check_discrete(const CelAgent *agent) {
  if (agent->action.n_parts == 1 && agent->action.part[0].kind == CEL_DISCRETE) return CEL_OK;
  return fail_space(agent, "discrete", "discrete", "CartPole-v1, Acrobot-v1");
}

// ---- declaring.

CeliPolicyOptions celi_off_policy_options(const CelOffPolicyConfig *config, CeliDistSpec dist) {
  CeliPolicyOptions options = {.net = celi_off_policy_network(config, 0, 0), .dist = dist};
  if (options.net.init == CELI_ORTHOGONAL) options.net.output_gain = 0.01;
  return options;
}

CelStatus celi_off_policy_gaussian(CeliPolicyOptions *options, const CelAgent *agent,
                                   const CelOffPolicyConfig *config, CelPolicyKind kind,
                                   double log_std_min, double log_std_max) {
  const bool squash = kind == CEL_POLICY_SQUASHED_GAUSSIAN;
  if (log_std_min >= log_std_max)
    return cel_fail(CEL_E_RANGE, "%s: log_std_min is %g; it must be below log_std_max, %g",
                    agent->algo->info.name, log_std_min, log_std_max);
  *options = celi_off_policy_options(
      config, (CeliDistSpec){.kind = squash ? CELI_SQUASHED_GAUSSIAN : CELI_GAUSSIAN,
                             .log_std_min = log_std_min,
                             .log_std_max = log_std_max});
  return CEL_OK;
}

CelStatus celi_off_policy_sde(CeliPolicyOptions *options, const CelAgent *agent,
                              const CelOffPolicyConfig *config, int64_t sample_freq) {
  CELI_TRY(celi_agent_check_sde(agent->algo->info.name, &config->net_arch, sample_freq));
  options->sde_every = sample_freq > 0 ? sample_freq : config->train_freq;
  return CEL_OK;
}

/// The experience stores scaled actions. Their space is too large for a small stack.
static CelStatus declare_experience(CeliOffPolicy *off, CelAgent *agent) {
  const CeliExperienceSpec spec = celi_off_policy_experience(off->config);
  CelSpace *stored;
  if (off->policy.discrete)
    return celi_experience_declare(&off->experience, agent, &agent->action, &spec);
  CELI_TRY(celi_alloc(&stored, 1, sizeof *stored, "a space"));
  celi_space_box(stored, off->policy.A, -(double)INFINITY, (double)INFINITY);
  const CelStatus status = celi_experience_declare(&off->experience, agent, stored, &spec);
  free(stored);
  return status;
}

CelStatus celi_off_policy_declare(CeliOffPolicy *off, CelAgent *agent,
                                  const CelOffPolicyConfig *config,
                                  const CeliPolicyOptions *policy) {
  const bool categorical = policy->dist.kind == CELI_CATEGORICAL;
  CeliPolicyOptions options = *policy;
  CELI_TRY(categorical ? check_discrete(agent)
                       : check_box(agent, policy->dist.kind == CELI_SQUASHED_GAUSSIAN));
  options.dist.A = categorical ? agent->action.part[0].n : agent->action.part[0].size;
  off->config = config;
  celi_policy_set(&off->policy, &options, &agent->observation, &agent->action);
  CELI_TRY(celi_policy_declare_scale(&off->policy, agent->tensors));
  CELI_TRY(declare_experience(off, agent));
  return celi_policy_declare_network(&off->policy, agent->tensors);
}

CelStatus celi_off_policy_pass(CeliOffPolicy *off, CeliPolicyPass *pass, const char *name,
                               CeliPolicyUse use, int64_t B, bool backward) {
  const CelAgent *agent = off->experience.agent;
  return celi_policy_pass_declare(pass, agent->tensors, name, &off->policy, use, B, backward,
                                  celi_team_size(agent->team));
}

// ---- functions of CeliAlgo.

CelStatus celi_off_policy_act(CelAgent *agent, const void *obs, const uint8_t *start,
                              CelActMode mode, void *actions) {
  CeliOffPolicy *off = agent->self;
  CeliExperience *x = &off->experience;
  CeliPolicy *policy = &off->policy;
  const bool explore = mode == CEL_EXPLORE;
  void *scaled = explore ? x->last_action : policy->scaled;
  if (mode == CEL_MODE) return celi_off_policy_predict(agent, obs, x->N, actions);
  if (explore) celi_policy_renew(policy, *x->env_steps, x->act_counter);
  if (celi_experience_random(x, mode) && !policy->options.sde_at_warmup) {
    celi_policy_random(policy, scaled, x->act_counter);
  } else {
    celi_policy_sample(policy, scaled, obs, explore, x->act_counter);
    if (explore) celi_noise_add(&policy->added, scaled, start ? start : x->begins);
  }
  celi_policy_unscale(policy, actions, scaled, x->N);
  if (explore) celi_experience_follow(x, obs, start);
  return CEL_OK;
}

void celi_off_policy_renew(CelAgent *agent) {
  CeliOffPolicy *off = agent->self;
  celi_policy_renew(&off->policy, 0, off->experience.act_counter);
}

CelStatus celi_off_policy_predict(CelAgent *agent, const void *obs, int64_t n, void *actions) {
  celi_policy_mode(&((const CeliOffPolicy *)agent->self)->policy, actions, obs, n);
  return CEL_OK;
}

CeliInspection celi_off_policy_inspect(CelAgent *agent) {
  const CeliOffPolicy *off = agent->self;
  CeliInspection view = off->view;
  view.policy = &off->policy;
  if (off->temperature.alpha) view.temperature = (double)*off->temperature.alpha;
  return view;
}
