/// Checkpoints with changed numbers, including those of the environments. Each is refused with a
/// message, or the agent learns from it.
///
/// An input selects an algorithm. It then changes single elements of the checkpoint's tensors, 11
/// bytes each: the tensor, the element and its new value. The library writes the file, so that its
/// digests are right.
#include "celsius/agent.h"
#include "celsius/env.h"
#include "celsius/safetensors.h"
#include "fuzz/fuzz_file.h"

enum { N = 2, STEPS = 12, EDIT = 11, META_MAX = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/// What is trained; the settings that an algorithm lacks are passed over.
static const struct Case {
  const char *algo;
  bool discrete;
  const char *settings[5][2];
} cases[] = {
    {"sac", false, {{"n_steps", "2"}}},
    {"sac", false, {{"use_sde", "true"}}},
    {"sac", false, {{"noise", "ou"}, {"normalize_observation", "true"}}},
    {"sacv", false, {{"normalize_reward", "true"}}},
    {"dsac", true, {{"normalize_reward", "true"}}},
    {"sql", true, {{"normalize_observation", "true"}}},
    {"sqlc", false, {{"normalize_reward", "true"}}},
    {"ppo", false, {{"normalize_observation", "true"}, {"normalize_reward", "true"}}},
    {"ppo", true, {{"normalize_reward", "true"}}},
    {"a2c", false, {{"use_sde", "true"}}},
    {"ac", true, {{"discount_weight", "true"}}},
    {"trpo", true, {{"normalize_reward", "true"}}},
    {"reinforce", false, {{"normalize_observation", "true"}}},
    {"td3", false, {{"noise", "ou"}, {"policy_delay", "2"}}},
    {"dqn", true, {{"dueling", "true"}, {"double_q", "true"}, {"n_steps", "2"}}},
    {"sac", false, {{"policy_delay", "3"}, {"critic", "quantile"}}},
};
enum { CASES = sizeof cases / sizeof cases[0] };
static const char *const common[][2] = {
    {"net_arch", "4"},         {"batch_size", "4"}, {"n_steps", "4"},       {"buffer_size", "16"},
    {"learning_starts", "4"},  {"n_epochs", "2"},   {"n_particles", "4"},   {"value_samples", "4"},
    {"n_critic_updates", "1"}, {"train_freq", "1"}, {"gradient_steps", "1"}};

/// A checkpoint as it was written, and its replay segments.
static struct Base {
  CelSafetensors *file;
  char replay[128];
} bases[CASES];

/// An agent with its environments.
typedef struct Pair {
  CelAgent *agent;
  CelEnvSpec *spec;
  CelTensors *tensors;
  CelVecEnv env;
} Pair;

static void must(CelStatus status, const char *what) {
  if (status == CEL_OK) return;
  fprintf(stderr, "%s: %s\n", what, cel_error());
  abort();
}

static void create(Pair *pair, const struct Case *c) {
  _Alignas(16) static char config[1 << 16];
  const CelAlgoInfo *info;
  const char *id = c->discrete ? "FrozenLake-v1" : "Pendulum-v1";
  const CelAgentOptions options = {.n_envs = N, .seed = 1, .threads = 1, .total_steps = 1000};
  must(cel_algo_find(c->algo, &info), c->algo);
  if (info->config_size > sizeof config) abort();
  cel_fields_default(info->fields, config);
  for (size_t i = 0; i < sizeof common / sizeof common[0]; i++)
    (void)!cel_fields_set(info->fields, config, common[i][0], common[i][1]);
  for (int i = 0; i < 5 && c->settings[i][0]; i++)
    must(cel_fields_set(info->fields, config, c->settings[i][0], c->settings[i][1]), c->algo);
  memset(pair, 0, sizeof *pair);
  must(cel_env_spec_create(&pair->spec, id, NULL, NULL), id);
  must(cel_tensors_create(&pair->tensors), id);
  must(cel_vecenv_declare(&pair->env, pair->tensors, "env", pair->spec, N, 1, CEL_RNG_ENV, 0), id);
  must(cel_tensors_allocate(pair->tensors), id);
  must(cel_vecenv_reset(&pair->env), id);
  must(cel_agent_create(&pair->agent, c->algo, config, &pair->spec->observation,
                        &pair->spec->action, &options),
       c->algo);
}

static void destroy(Pair *pair) {
  cel_agent_destroy(pair->agent);
  cel_tensors_destroy(pair->tensors);
  cel_env_spec_destroy(pair->spec);
}

/// Some steps as a loop would take them; false where one was refused.
static bool go_on(Pair *pair, int steps) {
  CelVecEnv *env = &pair->env;
  _Alignas(16) uint8_t actions[64];
  for (int t = 0; t < steps; t++) {
    if (cel_agent_act(pair->agent, env->obs, NULL, CEL_EXPLORE, actions) != CEL_OK) return false;
    if (cel_vecenv_step(env, actions, 0, N) != CEL_OK) return false;
    const CelOutcome outcome = {env->reward, env->terminated, env->truncated, env->obs,
                                env->final_obs};
    if (cel_agent_observe(pair->agent, &outcome) != CEL_OK) return false;
    if (cel_agent_update(pair->agent) != CEL_OK) return false;
  }
  return true;
}

static void prepare(int k) {
  char path[128];
  Pair pair;
  create(&pair, &cases[k]);
  snprintf(path, sizeof path, "%s/base-%d", fuzz_folder(), k);
  snprintf(bases[k].replay, sizeof bases[k].replay, "%s/replay-%d", fuzz_folder(), k);
  if (!go_on(&pair, STEPS)) must(CEL_E_STATE, cases[k].algo);
  must(cel_agent_save(pair.agent, path, bases[k].replay, pair.tensors), cases[k].algo);
  must(cel_safetensors_open(path, &bases[k].file), cases[k].algo);
  destroy(&pair);
}

/// The checkpoint with the input's changes.
static void write_changed(const CelSafetensors *file, const char *path, const uint8_t *data,
                          size_t size) {
  const int64_t n = cel_safetensors_count(file);
  CelTensor *list = calloc((size_t)n, sizeof *list);
  CelMeta meta[META_MAX];
  int n_meta = 0;
  if (!list) abort();
  for (int64_t i = 0; i < n; i++) {
    list[i] = *cel_safetensors_at(file, i);
    const size_t bytes = (size_t)list[i].size * cel_type_size(list[i].type);
    void *copy = malloc(bytes + 1);
    if (!copy) abort();
    if (bytes) memcpy(copy, list[i].data, bytes);
    list[i].data = copy;
  }
  for (; size >= EDIT; data += EDIT, size -= EDIT) {
    const CelTensor *tensor = &list[data[0] % n];
    const size_t width = cel_type_size(tensor->type);
    if (tensor->size == 0) continue;
    const size_t at = (size_t)(data[1] | data[2] << 8) % (size_t)tensor->size;
    memcpy((char *)tensor->data + at * width, data + 3, width);
  }
  for (; n_meta < META_MAX; n_meta++) {
    meta[n_meta] = cel_safetensors_meta_at(file, n_meta);
    if (!meta[n_meta].key) break;
    if (strstr(meta[n_meta].key, "digest")) meta[n_meta] = (CelMeta){"unused", "unused"};
  }
  int kept = 0;
  for (int i = 0; i < n_meta; i++)
    if (strcmp(meta[i].key, "unused") != 0) meta[kept++] = meta[i];
  if (cel_safetensors_write_list(path, list, n, meta, kept) != CEL_OK) abort();
  for (int64_t i = 0; i < n; i++) free(list[i].data);
  free(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char path[128], other[128];
  if (size < 1) return 0;
  const int k = data[0] % CASES;
  if (!bases[k].file) prepare(k);
  snprintf(path, sizeof path, "%s/changed", fuzz_folder());
  snprintf(other, sizeof other, "%s/saved", fuzz_folder());
  write_changed(bases[k].file, path, data + 1, size - 1);
  Pair pair;
  create(&pair, &cases[k]);
  if (cel_agent_load(pair.agent, path, bases[k].replay, pair.tensors) != CEL_OK) {
    if (cel_error()[0] == 0) abort();
  } else if (go_on(&pair, 6)) {
    const CelStatus status = cel_agent_save_model(pair.agent, other);
    if (status != CEL_OK && status != CEL_E_NAN) abort();
  }
  destroy(&pair);
  return 0;
}
