/// Agents: what all learners share, and the files that hold them.
#include "algo/algo.h"
#include "base/arguments.h"
#include "base/base.h"
#include "base/safetensors.h"
#include "celsius/safetensors.h"
#include "celsius/version.h"
#include "rl/bounds.h"
#include "rl/model.h"

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
    return cel_fail(CEL_E_RANGE, "threads is %d; it must lie in 0 (one) to 1024", options->threads);
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
  if (!agent) return cel_fail(CEL_E_MEMORY, "no memory for an agent");
  atomic_flag_clear(&agent->busy);
  agent->algo = algo_named(info->name);
  agent->observation = *observation, agent->action = *action, agent->options = chosen;
  agent->self = calloc(1, agent->algo->state_size);
  agent->config = calloc(1, info->config_size);
  CelStatus status = CEL_OK;
  if (!agent->self || !agent->config) {
    status = cel_fail(CEL_E_MEMORY, "no memory for an agent");
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

/// Errors: CEL_E_STATE: the agent was made to act only.
static CelStatus check_learns(const CelAgent *agent, const char *what) {
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
                    "there is no way to act number %d: CEL_EXPLORE, CEL_SAMPLE or CEL_MODE",
                    (int)mode);
  if (mode == CEL_EXPLORE) CELI_TRY(check_learns(agent, "explore; take CEL_SAMPLE or CEL_MODE"));
  CELI_TRY(check_finite_obs(agent, "observation", obs, 0, agent->options.n_envs));
  CELI_TRY(agent->algo->act(agent, obs, episode_start, mode, actions));
  celi_bounds_clip(&agent->action, actions, agent->options.n_envs);
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
  CELI_TRY(check_learns(agent, "observe"));
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
  CELI_TRY(check_learns(agent, "update"));
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
  CELI_TRY(check_learns(agent, "update"));
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
/// Counters of a file that may be broken: none may overflow as learning goes on.
/// Errors: CEL_E_CORRUPT, naming the one that cannot be.
static CelStatus check_counters(const CelAgent *agent) {
  const struct {
    const char *name;
    int64_t value;
  } counters[] = {{"steps", *agent->steps}, {"updates", *agent->updates}};
  for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++)
    if (counters[i].value < 0 || counters[i].value > CELI_COUNTER_MAX)
      return cel_fail(CEL_E_CORRUPT, "%s: the counter '%s' is %lld; 0 to 2^53 are possible",
                      agent->algo->info.name, counters[i].name, (long long)counters[i].value);
  return CEL_OK;
}

static CelStatus sync_agent(CelAgent *agent) {
  CELI_TRY(check_counters(agent));
  return agent->algo->sync(agent);
}

CelStatus cel_agent_sync(CelAgent *agent) {
  CELI_NEED(agent);
  CELI_FLOATS(CELI_FLUSH);
  CELI_USE_AGENT(agent);
  return sync_agent(agent);
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

bool cel_agent_metric(const CelAgent *agent, int i, const char **name, double *value) {
  CELI_NEED_OR(agent, false);
  CELI_NEED_OR(name, false);
  CELI_NEED_OR(value, false);
  if (i < 0 || i >= agent->n_metrics) return false;
  *name = agent->metric_name[i];
  *value = agent->metric[i];
  return true;
}

// ---- files.

#define META_MAX 256
#define META_TEXT 256

/// The metadata of a model or checkpoint: what it is, its spaces, every field of its config.
typedef struct FileMeta {
  CelMeta entry[META_MAX];
  int n;
  char key[META_MAX][CEL_NAME_MAX];
  char value[META_MAX][META_TEXT];
  char *observation, *action, *policy;
} FileMeta;

static void meta_add(FileMeta *meta, const char *key, const char *value) {
  CEL_ASSERT(meta->n < META_MAX);
  snprintf(meta->key[meta->n], CEL_NAME_MAX, "%s", key);
  meta->entry[meta->n] = (CelMeta){meta->key[meta->n], value};
  meta->n++;
}

static CelStatus meta_config(FileMeta *meta, const CelAgent *agent) {
  for (const CelField *field = agent->algo->info.fields; field->name; field++) {
    char key[CEL_NAME_MAX];
    char *value = meta->value[meta->n];
    snprintf(key, sizeof key, "config.%s", field->name);
    const int length =
        cel_fields_get(agent->algo->info.fields, agent->config, field->name, value, META_TEXT);
    if (length < 0 || length >= META_TEXT)
      return cel_fail(CEL_E_RANGE, "the value of %s is too long for a file", field->name);
    meta_add(meta, key, value);
  }
  return CEL_OK;
}

static CelStatus meta_build(FileMeta *meta, CelAgent *agent, const char *format) {
  CELI_TRY(celi_space_to_json(&agent->observation, &meta->observation));
  CELI_TRY(celi_space_to_json(&agent->action, &meta->action));
  const CeliPolicySpec policy = agent->algo->policy(agent);
  CELI_TRY(celi_policy_to_json(&policy, &meta->policy));
  meta_add(meta, "format", format);
  meta_add(meta, "version", CEL_VERSION);
  meta_add(meta, "algo", agent->algo->info.name);
  meta_add(meta, "observation", meta->observation);
  meta_add(meta, "action", meta->action);
  meta_add(meta, "policy", meta->policy);
  return meta_config(meta, agent);
}

/// Tensors of some roles of one or two lists, as one array.
static CelStatus collect(const CelTensors *a, const CelTensors *b, unsigned roles, CelTensor **out,
                         int64_t *n) {
  const CelTensors *const lists[] = {a, b};
  const int64_t most = cel_tensors_count(a) + (b ? cel_tensors_count(b) : 0);
  CELI_TRY(celi_alloc(out, (size_t)most, sizeof **out, "a list of tensors"));
  *n = 0;
  for (int k = 0; k < 2; k++)
    for (int64_t i = 0; lists[k] && i < cel_tensors_count(lists[k]); i++) {
      const CelTensor *tensor = cel_tensors_at(lists[k], i);
      if (roles & (1u << tensor->role)) (*out)[(*n)++] = *tensor;
    }
  return CEL_OK;
}

static CelStatus write_file(CelAgent *agent, const CeliFolder *folder, const char *path,
                            const char *format, unsigned roles, const CelTensors *extra) {
  CelTensor *list = NULL;
  int64_t n = 0;
  FileMeta *meta = calloc(1, sizeof *meta);
  if (!meta) return cel_fail(CEL_E_MEMORY, "no memory to write %s", path);
  CelStatus status = meta_build(meta, agent, format);
  if (status == CEL_OK) status = collect(agent->tensors, extra, roles, &list, &n);
  if (status == CEL_OK)
    status = celi_safetensors_write_in(folder, path, list, n, meta->entry, meta->n);
  free(list);
  free(meta->observation);
  free(meta->action);
  free(meta->policy);
  free(meta);
  return status;
}

/// Errors: CEL_E_NAME, CEL_E_TYPE, CEL_E_SHAPE: the first tensor that differs from what the file holds; CEL_E_NAN: a
/// parameter there that is not finite.
static CelStatus compare(const CelSafetensors *file, const CelTensor *want) {
  const CelTensor *have = cel_safetensors_find(file, want->name);
  if (!have) return cel_fail(CEL_E_NAME, "there is no tensor '%s'", want->name);
  if (have->type != want->type)
    return cel_fail(CEL_E_TYPE, "tensor '%s' is %s, not %s", want->name, cel_type_name(have->type),
                    cel_type_name(want->type));
  bool same = have->ndim == want->ndim;
  for (int d = 0; same && d < want->ndim; d++) same = have->shape[d] == want->shape[d];
  if (!same)
    return cel_fail(CEL_E_SHAPE,
                    "tensor '%s' has another shape: was the network or n_envs changed?",
                    want->name);
  const bool acts = want->role == CEL_PARAM || want->role == CEL_TARGET || want->role == CEL_MODEL;
  if (acts && have->type == CEL_F32 && !celi_ops()->all_finite(have->data, have->size))
    return cel_fail(CEL_E_NAN, "tensor '%s' holds a number that is not finite", want->name);
  return CEL_OK;
}

static CelStatus check_kind(const CelAgent *agent, const CelSafetensors *file, const char *format) {
  const char *kind = cel_safetensors_meta(file, "format"),
             *algo = cel_safetensors_meta(file, "algo");
  if (!kind || strcmp(kind, format) != 0)
    return cel_fail(CEL_E_FORMAT, "this is not a %s file (its format is '%s')", format,
                    kind ? kind : "unknown");
  if (!algo || strcmp(algo, agent->algo->info.name) != 0)
    return cel_fail(CEL_E_FORMAT, "it holds an agent of '%s', not of '%s'", algo ? algo : "unknown",
                    agent->algo->info.name);
  return CEL_OK;
}

/// All or nothing: every tensor is compared before one is copied.
static CelStatus copy_in(CelAgent *agent, const CelSafetensors *file, const char *format,
                         unsigned roles, const CelTensors *extra) {
  CelTensor *list = NULL;
  int64_t n = 0;
  CELI_TRY(check_kind(agent, file, format));
  CELI_TRY(collect(agent->tensors, extra, roles, &list, &n));
  CelStatus status = CEL_OK;
  if (cel_safetensors_count(file) != n)
    status = cel_fail(CEL_E_SHAPE,
                      "it holds %lld tensors where this agent has %lld: was the config changed?",
                      (long long)cel_safetensors_count(file), (long long)n);
  for (int64_t i = 0; status == CEL_OK && i < n; i++) status = compare(file, &list[i]);
  for (int64_t i = 0; status == CEL_OK && i < n; i++)
    memcpy(list[i].data, cel_safetensors_find(file, list[i].name)->data,
           (size_t)list[i].size * cel_type_size(list[i].type));
  free(list);
  return status;
}

static CelStatus read_file(CelAgent *agent, const char *path, const char *format, unsigned roles,
                           const CelTensors *extra) {
  CelSafetensors *file;
  CELI_TRY(cel_safetensors_open(path, &file));
  const CelStatus status = copy_in(agent, file, format, roles, extra);
  cel_safetensors_close(file);
  CELI_TRY(cel_fail_in(status, "%s: ", path));
  return cel_fail_in(sync_agent(agent), "%s: ", path);
}

/// Errors: CEL_E_NAN: names a parameter that is not finite, so that no good file is replaced by a broken one.
static CelStatus check_finite_parameters(const CelAgent *agent) {
  for (int64_t i = 0; i < cel_tensors_count(agent->tensors); i++) {
    const CelTensor *tensor = cel_tensors_at(agent->tensors, i);
    if ((tensor->role == CEL_PARAM || tensor->role == CEL_TARGET) && tensor->type == CEL_F32 &&
        !celi_ops()->all_finite(tensor->data, tensor->size))
      return cel_fail(CEL_E_NAN,
                      "parameter '%s' is not finite after %lld update%s: nothing was saved",
                      tensor->name, (long long)*agent->updates, celi_s(*agent->updates));
  }
  return CEL_OK;
}

CelStatus celi_agent_save_model_in(CelAgent *agent, const CeliFolder *folder, const char *name) {
  CELI_TRY(check_finite_parameters(agent));
  return write_file(agent, folder, name, CELI_MODEL_FORMAT, CEL_ROLES_MODEL, NULL);
}

CelStatus cel_agent_save_model(CelAgent *agent, const char *path) {
  CELI_NEED(agent);
  CELI_NEED(path);
  CELI_USE_AGENT(agent);
  CELI_FLOATS(CELI_IEEE);
  return celi_agent_save_model_in(agent, NULL, path);
}

CelStatus cel_agent_load_model(CelAgent *agent, const char *path) {
  CELI_NEED(agent);
  CELI_NEED(path);
  CELI_USE_AGENT(agent);
  CELI_FLOATS(CELI_IEEE);
  return read_file(agent, path, CELI_MODEL_FORMAT, CEL_ROLES_MODEL, NULL);
}

/// Segments are appended to one folder; in another one they begin anew.
static CelStatus use_replay_folder(CelAgent *agent, const char *folder) {
  if (!folder)
    return cel_fail(CEL_E_ARGUMENT, "replay_folder is NULL, but %s stores transitions",
                    agent->algo->info.name);
  if (strlen(folder) >= sizeof agent->replay_folder)
    return cel_fail(CEL_E_RANGE, "the replay folder's path is longer than %zu bytes",
                    sizeof agent->replay_folder - 1);
  if (strcmp(agent->replay_folder, folder) == 0) return CEL_OK;
  memset(agent->replay_saved, 0, (size_t)agent->options.n_envs * sizeof *agent->replay_saved);
  memcpy(agent->replay_folder, folder, strlen(folder) + 1);
  return CEL_OK;
}

CelStatus cel_agent_save(CelAgent *agent, const char *path, const char *replay_folder,
                         const CelTensors *extra) {
  CELI_NEED(agent);
  CELI_NEED(path);
  CELI_USE_AGENT(agent);
  CELI_FLOATS(CELI_IEEE);
  CELI_TRY(check_learns(agent, "write a checkpoint; cel_agent_save_model writes a model"));
  CELI_TRY(check_finite_parameters(agent));
  const CeliReplay *replay = agent->algo->replay(agent);
  if (replay) {
    CELI_TRY(use_replay_folder(agent, replay_folder));
    CELI_TRY(celi_replay_save(replay, replay_folder, agent->replay_saved));
  }
  return write_file(agent, NULL, path, "celsius-checkpoint", CEL_ROLES_RESUME, extra);
}

CelStatus celi_agent_save_in(CelAgent *agent, const CeliFolder *folder, const char *name,
                             const CeliFolder *replay_folder, const CelTensors *extra) {
  CELI_TRY(check_learns(agent, "write a checkpoint; cel_agent_save_model writes a model"));
  CELI_TRY(check_finite_parameters(agent));
  const CeliReplay *replay = agent->algo->replay(agent);
  if (replay) {
    CELI_TRY(use_replay_folder(agent, replay_folder->path));
    CELI_TRY(celi_replay_save_in(replay, replay_folder, agent->replay_saved));
  }
  return write_file(agent, folder, name, "celsius-checkpoint", CEL_ROLES_RESUME, extra);
}

CelStatus cel_agent_load(CelAgent *agent, const char *path, const char *replay_folder,
                         CelTensors *extra) {
  CELI_NEED(agent);
  CELI_NEED(path);
  CELI_USE_AGENT(agent);
  CELI_FLOATS(CELI_IEEE);
  CELI_TRY(check_learns(agent, "go on from a checkpoint"));
  CELI_TRY(read_file(agent, path, "celsius-checkpoint", CEL_ROLES_RESUME, extra));
  CeliReplay *replay = agent->algo->replay(agent);
  if (!replay) return CEL_OK;
  CELI_TRY(use_replay_folder(agent, replay_folder));
  return celi_replay_load(replay, replay_folder, agent->replay_saved);
}
