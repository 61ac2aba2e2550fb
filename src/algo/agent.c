/// Agents: what all learners share. Their files are in agent_file.c.
#include "algo/algo.h"
#include "base/arguments.h"
#include "base/base.h"
#include "rl/bounds.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

CelAgentOptions cel_agent_options_default(void) {
  return (CelAgentOptions){.n_envs = 1, .seed = 0, .threads = 1, .total_steps = 0};
}

double celi_agent_progress_remaining(const CelAgent *agent) {
  if (agent->options.total_steps <= 0) return 1;
  const double left = 1 - (double)*agent->steps / (double)agent->options.total_steps;
  return left > 0 ? left : 0;
}

int64_t celi_agent_batch(const CelAgent *agent, int64_t wanted) {
  return agent->options.act_only ? 1 : wanted;
}

int celi_agent_metric_add(CelAgent *agent, const char *name) {
  CEL_ASSERT(agent->n_metrics < CELI_METRICS_MAX);
  agent->metric_name[agent->n_metrics] = name;
  agent->metric[agent->n_metrics] = (double)NAN;
  return agent->n_metrics++;
}

/// The divisor of n that is nearest to x.
static int64_t nearest_divisor(int64_t n, int64_t x) {
  for (int64_t d = 0; d < x; d++) {
    if (n % (x - d) == 0) return x - d;
    if (n % (x + d) == 0) return x + d;
  }
  return 1;
}

void celi_agent_advise_batch(CelAgent *agent, int64_t rows, int64_t batch_size) {
  if (batch_size >= rows || rows % batch_size == 0) return;
  snprintf(
      agent->note, sizeof agent->note,
      "%s: minibatches of %lld do not divide the %lld steps of a rollout, the last of each epoch "
      "has only %lld: batch_size %lld would",
      agent->algo->info.name, (long long)batch_size, (long long)rows,
      (long long)(rows % batch_size), (long long)nearest_divisor(rows, batch_size));
}

CelStatus celi_agent_check_sde(const char *name, const CelIntList *net_arch, int64_t sample_freq) {
  if (net_arch->n < 1)
    return cel_fail(CEL_E_RANGE, "%s: use_sde needs a hidden layer in net_arch", name);
  if (sample_freq == 0)
    return cel_fail(CEL_E_RANGE, "%s: sde_sample_freq is 0; set a number of steps, or -1", name);
  return CEL_OK;
}

void celi_agent_renamed(CelAgent *agent, const char *old, const char *name) {
  snprintf(agent->note, sizeof agent->note,
           "%s: %s is now called %s; the next version will not accept the old name",
           agent->algo->info.name, old, name);
}

const char *cel_agent_note(const CelAgent *agent) {
  CELI_NEED_OR(agent, "");
  return agent->note;
}

// ---- create and destroy.

static const CeliAlgo *algo_named(const char *name) {
  for (int i = 0; celi_algo_at(i); i++)
    if (strcmp(celi_algo_at(i)->info.name, name) == 0) return celi_algo_at(i);
  return NULL;
}

static CelStatus check_options(const CelAgentOptions *options) {
  if (options->n_envs < 1 || options->n_envs > INT32_MAX)
    return cel_fail(CEL_E_RANGE, "n_envs is %lld; it must be at least 1",
                    (long long)options->n_envs);
  if (options->threads < 0 || options->threads > 1024)
    return cel_fail(CEL_E_RANGE, "threads is %d; it must be 0 to 1024 (0 means 1)",
                    options->threads);
  if (options->total_steps < 0)
    return cel_fail(CEL_E_RANGE, "total_steps is %lld; it must not be negative",
                    (long long)options->total_steps);
  return CEL_OK;
}

/// Counters that every agent has, then the algorithm's own tensors, then memory for all of them.
static CelStatus build(CelAgent *agent) {
  static const int64_t one[] = {1}, metrics[] = {CELI_METRICS_MAX};
  CELI_TRY(cel_tensors_create(&agent->tensors));
  CELI_TRY(cel_tensors_declare(agent->tensors, "steps", CEL_I64, CEL_STATE, &agent->steps, 1, one));
  CELI_TRY(
      cel_tensors_declare(agent->tensors, "updates", CEL_I64, CEL_STATE, &agent->updates, 1, one));
  CELI_TRY(cel_tensors_declare(agent->tensors, "metrics", CEL_F64, CEL_STATE, &agent->metric, 1,
                               metrics));
  CELI_TRY(celi_team_create(&agent->team, agent->options.threads > 0 ? agent->options.threads : 1));
  CELI_TRY(agent->algo->declare(agent));
  const CelStatus status = cel_tensors_allocate(agent->tensors);
  if (status == CEL_E_MEMORY) // which names the largest tensor
    return cel_fail(status, "%s; %s need less", cel_error(),
                    strstr(cel_error(), "\"replay.") ? "smaller values of buffer_size"
                                                     : "smaller networks, batches and rollouts");
  CELI_TRY(status);
  CELI_TRY(celi_alloc(&agent->replay_saved, (size_t)agent->options.n_envs, sizeof(int64_t),
                      "replay positions"));
  memset(agent->replay_saved, 0, (size_t)agent->options.n_envs * sizeof(int64_t));
  return agent->algo->prepare(agent);
}

CelStatus cel_agent_create(CelAgent **out, const char *algo, const void *config,
                           const CelSpace *observation, const CelSpace *action,
                           const CelAgentOptions *options) {
  CELI_NEED(out);
  CELI_NEED(algo);
  CELI_NEED(observation);
  CELI_NEED(action);
  CELI_FLOATS(CELI_IEEE);
  const CelAlgoInfo *info;
  const CelAgentOptions chosen = options ? *options : cel_agent_options_default();
  *out = NULL;
  CELI_TRY(cel_algo_find(algo, &info));
  CELI_TRY(check_options(&chosen));
  CELI_TRY(cel_fail_in(cel_space_check(observation), "observation space: "));
  CELI_TRY(cel_fail_in(cel_space_check(action), "action space: "));
  if (config) CELI_TRY(cel_fail_in(cel_fields_check(info->fields, config), "%s: ", info->name));
  CelAgent *agent = calloc(1, sizeof *agent);
  if (!agent) return cel_fail(CEL_E_MEMORY, "not enough memory for an agent");
  atomic_flag_clear(&agent->busy);
  agent->algo = algo_named(info->name);
  agent->observation = *observation;
  agent->action = *action;
  agent->options = chosen;
  agent->self = calloc(1, agent->algo->state_size);
  agent->config = calloc(1, info->config_size);
  CelStatus status = CEL_OK;
  if (!agent->self || !agent->config) {
    status = cel_fail(CEL_E_MEMORY, "not enough memory for an agent");
  } else {
    if (config)
      memcpy(agent->config, config, info->config_size);
    else
      cel_fields_default(info->fields, agent->config);
    status = build(agent);
  }
  if (status != CEL_OK) {
    cel_agent_destroy(agent);
    return status;
  }
  *out = agent;
  return CEL_OK;
}

void cel_agent_destroy(CelAgent *agent) {
  CELI_FLOATS(CELI_IEEE);
  if (!agent) return;
  if (agent->self) agent->algo->release(agent);
  celi_team_destroy(agent->team);
  cel_tensors_destroy(agent->tensors);
  free(agent->replay_saved);
  free(agent->config);
  free(agent->self);
  free(agent);
}

// ---- one call at a time.

atomic_flag *celi_agent_enter(CelAgent *agent, const char *function) {
  if (!atomic_flag_test_and_set_explicit(&agent->busy, memory_order_acquire)) return &agent->busy;
  (void)cel_fail(CEL_E_STATE,
                 "%s: another thread is using this agent; take turns, or one agent each", function);
  return NULL;
}

void celi_agent_leave(atomic_flag **busy) {
  if (*busy) atomic_flag_clear_explicit(*busy, memory_order_release);
}

// ---- act, observe, update.

/// Rows [first, first + n). Errors: CEL_E_NAN, naming the first row and element that is not finite.
static CelStatus check_finite_obs(const CelAgent *agent, const char *what, const void *obs,
                                  int64_t first, int64_t n) {
  const int64_t width = cel_space_floats(&agent->observation);
  if (width < 1 || n == 0) return CEL_OK;
  const float *o = (const float *)obs + first * width;
  if (celi_ops()->all_finite(o, n * width)) return CEL_OK;
  for (int64_t i = 0; i < n * width; i++)
    if (!isfinite(o[i]))
      return cel_fail(CEL_E_NAN, "%s of environment %lld, element %lld, is %g at step %lld", what,
                      (long long)(first + i / width), (long long)(i % width), (double)o[i],
                      (long long)*agent->steps);
  return CEL_OK;
}

CelStatus celi_agent_check_learns(const CelAgent *agent, const char *what) {
  if (!agent->options.act_only) return CEL_OK;
  return cel_fail(CEL_E_STATE, "%s: this agent only acts (act_only): it cannot %s",
                  agent->algo->info.name, what);
}

CelStatus cel_agent_act(CelAgent *agent, const void *obs, const uint8_t *episode_start,
                        CelActMode mode, void *actions) {
  CELI_NEED(agent);
  CELI_NEED(obs);
  CELI_NEED(actions);
  CELI_USE_AGENT(agent);
  CELI_FLOATS(CELI_FLUSH);
  if (mode != CEL_EXPLORE && mode != CEL_SAMPLE && mode != CEL_MODE)
    return cel_fail(CEL_E_ARGUMENT,
                    "mode %d does not exist; use CEL_EXPLORE, CEL_SAMPLE or CEL_MODE", (int)mode);
  if (mode == CEL_EXPLORE)
    CELI_TRY(celi_agent_check_learns(agent, "explore; take CEL_SAMPLE or CEL_MODE"));
  CELI_TRY(check_finite_obs(agent, "observation", obs, 0, agent->options.n_envs));
  CELI_TRY(agent->algo->act(agent, obs, episode_start, mode, actions));
  celi_bounds_clip(&agent->action, actions, agent->options.n_envs);
  return CEL_OK;
}

/// Errors: CEL_E_NAN, CEL_E_RANGE (a discrete action).
static CelStatus check_actions(const CelAgent *agent, const void *actions) {
  const CelSpacePart *part = &agent->action.part[0];
  const int64_t n = agent->options.n_envs * part->size;
  for (int64_t i = 0; i < n; i++) {
    const long long row = (long long)(i / part->size);
    if (part->kind == CEL_BOX && !isfinite(((const float *)actions)[i]))
      return cel_fail(CEL_E_NAN, "the action of environment %lld is not finite", row);
    if (part->kind != CEL_DISCRETE) continue;
    const int32_t action = ((const int32_t *)actions)[i];
    if (action < 0 || action >= part->n)
      return cel_fail(CEL_E_RANGE, "the action of environment %lld is %d; valid are 0 to %lld", row,
                      (int)action, (long long)part->n - 1);
  }
  return CEL_OK;
}

CelStatus cel_agent_replace_actions(CelAgent *agent, const void *actions) {
  CELI_NEED(agent);
  CELI_NEED(actions);
  CELI_USE_AGENT(agent);
  CELI_FLOATS(CELI_FLUSH);
  if (!agent->algo->replace)
    return cel_fail(CEL_E_UNSUPPORTED, "%s: it learns only from its own actions",
                    agent->algo->info.name);
  CELI_TRY(celi_agent_check_learns(agent, "explore"));
  CELI_TRY(check_actions(agent, actions));
  return agent->algo->replace(agent, actions);
}

CelStatus cel_agent_reset_noise(CelAgent *agent) {
  CELI_NEED(agent);
  CELI_USE_AGENT(agent);
  CELI_FLOATS(CELI_FLUSH);
  if (agent->algo->inspect(agent).policy->F == 0)
    return cel_fail(CEL_E_UNSUPPORTED, "%s: only a policy with use_sde holds its noise for steps",
                    agent->algo->info.name);
  CELI_TRY(celi_agent_check_learns(agent, "explore"));
  agent->algo->renew(agent);
  return CEL_OK;
}

CelStatus cel_agent_observe(CelAgent *agent, const CelOutcome *outcome) {
  CELI_NEED(agent);
  CELI_NEED(outcome);
  CELI_NEED(outcome->obs);
  CELI_NEED(outcome->reward);
  CELI_NEED(outcome->terminated);
  CELI_NEED(outcome->truncated);
  CELI_USE_AGENT(agent);
  CELI_FLOATS(CELI_FLUSH);
  const int64_t N = agent->options.n_envs;
  CELI_TRY(celi_agent_check_learns(agent, "observe"));
  CELI_TRY(check_finite_obs(agent, "observation", outcome->obs, 0, N));
  for (int64_t i = 0; i < N; i++) {
    if (!isfinite(outcome->reward[i]))
      return cel_fail(CEL_E_NAN, "reward of environment %lld is %g at step %lld", (long long)i,
                      (double)outcome->reward[i], (long long)*agent->steps);
    if (!outcome->terminated[i] && !outcome->truncated[i]) continue;
    if (!outcome->final_obs)
      return cel_fail(CEL_E_ARGUMENT, "environment %lld ended an episode, but final_obs is NULL",
                      (long long)i);
    CELI_TRY(check_finite_obs(agent, "final observation", outcome->final_obs, i, 1));
  }
  return agent->algo->observe(agent, outcome);
}

CelStatus cel_agent_update(CelAgent *agent) {
  CELI_NEED(agent);
  CELI_USE_AGENT(agent);
  CELI_FLOATS(CELI_FLUSH);
  CELI_TRY(celi_agent_check_learns(agent, "update"));
  const int64_t n = agent->algo->due(agent);
  return n > 0 ? agent->algo->update(agent, n) : CEL_OK;
}

CelStatus cel_agent_update_n(CelAgent *agent, int64_t n) {
  CELI_NEED(agent);
  CELI_USE_AGENT(agent);
  CELI_FLOATS(CELI_FLUSH);
  if (n < 0)
    return cel_fail(CEL_E_RANGE, "%lld gradient steps; the number must not be negative",
                    (long long)n);
  CELI_TRY(celi_agent_check_learns(agent, "update"));
  return n > 0 ? agent->algo->update(agent, n) : CEL_OK;
}

CelStatus cel_agent_predict(CelAgent *agent, const void *obs, int64_t n, void *actions) {
  CELI_NEED(agent);
  CELI_NEED(obs);
  CELI_NEED(actions);
  CELI_USE_AGENT(agent);
  CELI_FLOATS(CELI_FLUSH);
  if (n < 0)
    return cel_fail(CEL_E_RANGE, "%lld rows to predict; the number must not be negative",
                    (long long)n);
  CELI_TRY(check_finite_obs(agent, "observation", obs, 0, n));
  CELI_TRY(agent->algo->predict(agent, obs, n, actions));
  celi_bounds_clip(&agent->action, actions, n);
  return CEL_OK;
}

const CelAlgoInfo *cel_agent_algo(const CelAgent *agent) {
  CELI_NEED_OR(agent, NULL);
  return &agent->algo->info;
}
const void *cel_agent_config(const CelAgent *agent) {
  CELI_NEED_OR(agent, NULL);
  return agent->config;
}
const CelSpace *cel_agent_observation(const CelAgent *agent) {
  CELI_NEED_OR(agent, NULL);
  return &agent->observation;
}
const CelSpace *cel_agent_action(const CelAgent *agent) {
  CELI_NEED_OR(agent, NULL);
  return &agent->action;
}
CelTensors *cel_agent_tensors(CelAgent *agent) {
  CELI_NEED_OR(agent, NULL);
  return agent->tensors;
}
int64_t cel_agent_steps(const CelAgent *agent) {
  CELI_NEED_OR(agent, 0);
  return *agent->steps;
}
int64_t cel_agent_updates(const CelAgent *agent) {
  CELI_NEED_OR(agent, 0);
  return *agent->updates;
}
void cel_agent_plan_steps(CelAgent *agent, int64_t total_steps) {
  CELI_NEED_OR(agent, );
  agent->options.total_steps = total_steps;
}

CelStatus cel_agent_restart(CelAgent *agent) {
  CELI_NEED(agent);
  CELI_USE_AGENT(agent);
  CELI_FLOATS(CELI_IEEE);
  CELI_TRY(celi_agent_check_learns(agent, "restart"));
  *agent->steps = 0;
  agent->algo->restart(agent);
  return CEL_OK;
}

bool cel_agent_metric(const CelAgent *agent, int i, const char **name, double *value) {
  CELI_NEED_OR(agent, false);
  CELI_NEED_OR(name, false);
  CELI_NEED_OR(value, false);
  if (i < 0 || i >= agent->n_metrics) return false;
  *name = agent->metric_name[i];
  *value = agent->metric[i];
  return true;
}
