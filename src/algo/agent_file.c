/// The files of an agent: models and checkpoints, written and read.
///
/// Both are safetensors files of the agent's tensors. A model holds what acting needs; a checkpoint
/// holds all that learning depends on, and the replay buffer's segments in a folder beside it.
#include "algo/algo.h"
#include "base/arguments.h"
#include "base/base.h"
#include "base/field.h"
#include "base/safetensors.h"
#include "celsius/safetensors.h"
#include "celsius/version.h"
#include "rl/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define META_MAX 256
#define META_TEXT 256

/// The metadata of a model or checkpoint: format, version, algorithm, spaces, policy, and all
/// fields of the config.
typedef struct FileMeta {
  CelMeta entry[META_MAX];
  int n;
  char key[META_MAX][CEL_NAME_MAX];
  char value[META_MAX][META_TEXT];
  CeliLayer layers[CELI_LAYERS_MAX];
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
      return cel_fail(CEL_E_RANGE, "the value of %s is too long for the metadata of a file",
                      field->name);
    if (!celi_field_omitted(field, value)) meta_add(meta, key, value);
  }
  return CEL_OK;
}

static CelStatus meta_build(FileMeta *meta, CelAgent *agent, const char *format) {
  CELI_TRY(celi_space_to_json(&agent->observation, &meta->observation));
  CELI_TRY(celi_space_to_json(&agent->action, &meta->action));
  const CeliPolicy *actor = agent->algo->inspect(agent).policy;
  CeliPolicySpec policy = celi_policy_spec(actor);
  policy.n_layers = celi_net_layers(&actor->net, meta->layers);
  policy.layers = meta->layers;
  CELI_TRY(celi_policy_to_json(&policy, &meta->policy));
  meta_add(meta, "format", format);
  meta_add(meta, "version", CEL_VERSION);
  meta_add(meta, "algo", agent->algo->info.name);
  meta_add(meta, "observation", meta->observation);
  meta_add(meta, "action", meta->action);
  meta_add(meta, "policy", meta->policy);
  return meta_config(meta, agent);
}

/// Collects the tensors of some roles from one or two lists (b may be NULL). The caller frees *out.
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

/// note: metadata of that name, or NULL.
static CelStatus write_file(CelAgent *agent, const CeliFolder *folder, const char *path,
                            const char *format, unsigned roles, const CelTensors *extra,
                            const char *note) {
  CelTensor *list = NULL;
  int64_t n = 0;
  FileMeta *meta = calloc(1, sizeof *meta);
  if (!meta) return cel_fail(CEL_E_MEMORY, "not enough memory to write %s", path);
  CelStatus status = meta_build(meta, agent, format);
  if (status == CEL_OK && note) meta_add(meta, "note", note);
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

/// Checks that the file has a tensor. Errors: CEL_E_NAME, CEL_E_TYPE, CEL_E_SHAPE (missing or
/// different), CEL_E_NAN (a parameter that is not finite).
static CelStatus compare(const CelSafetensors *file, const CelTensor *want) {
  const CelTensor *have = cel_safetensors_find(file, want->name);
  if (!have) return cel_fail(CEL_E_NAME, "tensor '%s' is missing", want->name);
  if (have->type != want->type)
    return cel_fail(CEL_E_TYPE, "tensor '%s' has type %s; it must have type %s", want->name,
                    cel_type_name(have->type), cel_type_name(want->type));
  bool same = have->ndim == want->ndim;
  for (int d = 0; same && d < want->ndim; d++) same = have->shape[d] == want->shape[d];
  if (!same)
    return cel_fail(
        CEL_E_SHAPE,
        "tensor '%s' does not have the shape that the agent expects; check whether the network or "
        "n_envs was changed",
        want->name);
  const bool acts = want->role == CEL_PARAM || want->role == CEL_TARGET || want->role == CEL_MODEL;
  if (acts && have->type == CEL_F32 && !celi_ops()->all_finite(have->data, have->size))
    return cel_fail(CEL_E_NAN, "tensor '%s' contains a number that is not finite", want->name);
  return CEL_OK;
}

static CelStatus check_kind(const CelAgent *agent, const CelSafetensors *file, const char *format) {
  const char *kind = cel_safetensors_meta(file, "format"),
             *algo = cel_safetensors_meta(file, "algo");
  if (!kind || strcmp(kind, format) != 0)
    return cel_fail(CEL_E_FORMAT, "this is not a %s file; its format is '%s'", format,
                    kind ? kind : "unknown");
  if (!algo || strcmp(algo, agent->algo->info.name) != 0)
    return cel_fail(CEL_E_FORMAT, "the file has an agent of '%s', not of '%s'",
                    algo ? algo : "unknown", agent->algo->info.name);
  return CEL_OK;
}

/// Copies all tensors, or none: checks every tensor before it copies one.
static CelStatus copy_in(CelAgent *agent, const CelSafetensors *file, const char *format,
                         unsigned roles, const CelTensors *extra) {
  CelTensor *list = NULL;
  int64_t n = 0;
  CELI_TRY(check_kind(agent, file, format));
  CELI_TRY(collect(agent->tensors, extra, roles, &list, &n));
  CelStatus status = CEL_OK;
  if (cel_safetensors_count(file) != n)
    status = cel_fail(
        CEL_E_SHAPE,
        "the file has %lld tensors, but the agent has %lld; check whether the config was changed",
        (long long)cel_safetensors_count(file), (long long)n);
  for (int64_t i = 0; status == CEL_OK && i < n; i++) status = compare(file, &list[i]);
  for (int64_t i = 0; status == CEL_OK && i < n; i++)
    memcpy(list[i].data, cel_safetensors_find(file, list[i].name)->data,
           (size_t)list[i].size * cel_type_size(list[i].type));
  free(list);
  return status;
}

/// Checks counters from a file, so that they cannot overflow during further training.
/// Errors: CEL_E_CORRUPT (the message names the counter).
static CelStatus check_counters(const CelAgent *agent) {
  const struct {
    const char *name;
    int64_t value;
  } counters[] = {{"steps", *agent->steps}, {"updates", *agent->updates}};
  for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++)
    if (counters[i].value < 0 || counters[i].value > CELI_COUNTER_MAX)
      return cel_fail(CEL_E_CORRUPT, "%s: the counter '%s' is %lld; it must be 0 to 2^53",
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

static CelStatus read_file(CelAgent *agent, const char *path, const char *format, unsigned roles,
                           const CelTensors *extra) {
  CelSafetensors *file;
  CELI_TRY(cel_safetensors_open(path, &file));
  const CelStatus status = copy_in(agent, file, format, roles, extra);
  cel_safetensors_close(file);
  CELI_TRY(cel_fail_in(status, "%s: ", path));
  return cel_fail_in(sync_agent(agent), "%s: ", path);
}

/// Checks that parameters are finite, so that a broken file does not replace a good one.
/// Errors: CEL_E_NAN (the message names the parameter).
static CelStatus check_finite_parameters(const CelAgent *agent) {
  for (int64_t i = 0; i < cel_tensors_count(agent->tensors); i++) {
    const CelTensor *tensor = cel_tensors_at(agent->tensors, i);
    if ((tensor->role == CEL_PARAM || tensor->role == CEL_TARGET) && tensor->type == CEL_F32 &&
        !celi_ops()->all_finite(tensor->data, tensor->size))
      return cel_fail(CEL_E_NAN,
                      "parameter '%s' is not finite after %lld update%s; nothing was saved",
                      tensor->name, (long long)*agent->updates, celi_s(*agent->updates));
  }
  return CEL_OK;
}

CelStatus celi_agent_save_model_in(CelAgent *agent, const CeliFolder *folder, const char *name) {
  CELI_TRY(check_finite_parameters(agent));
  return write_file(agent, folder, name, CELI_MODEL_FORMAT, CEL_ROLES_MODEL, NULL, NULL);
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

/// Sets the folder of replay segments. In the same folder segments are appended; in a new folder
/// all transitions are written again.
static CelStatus use_replay_folder(CelAgent *agent, const char *folder) {
  if (!folder)
    return cel_fail(CEL_E_ARGUMENT,
                    "replay_folder is NULL, but %s stores transitions; give a folder",
                    agent->algo->info.name);
  if (strlen(folder) >= sizeof agent->replay_folder)
    return cel_fail(CEL_E_RANGE,
                    "the path of the replay folder is longer than %zu bytes, the limit",
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
  CELI_TRY(
      celi_agent_check_learns(agent, "write a checkpoint; cel_agent_save_model writes a model"));
  CELI_TRY(check_finite_parameters(agent));
  const CeliReplay *replay = agent->algo->replay(agent);
  if (replay) {
    CELI_TRY(use_replay_folder(agent, replay_folder));
    CELI_TRY(celi_replay_save(replay, replay_folder, agent->replay_saved));
  }
  return write_file(agent, NULL, path, CELI_CHECKPOINT_FORMAT, CEL_ROLES_RESUME, extra, NULL);
}

CelStatus cel_agent_save_alone(CelAgent *agent, const char *path, const char *note) {
  CELI_NEED(agent);
  CELI_NEED(path);
  CELI_USE_AGENT(agent);
  CELI_FLOATS(CELI_IEEE);
  CELI_TRY(
      celi_agent_check_learns(agent, "write a checkpoint; cel_agent_save_model writes a model"));
  CELI_TRY(check_finite_parameters(agent));
  return write_file(agent, NULL, path, CELI_CHECKPOINT_FORMAT, CEL_ROLES_RESUME, NULL, note);
}

CelStatus celi_agent_save_in(CelAgent *agent, const CeliFolder *folder, const char *name,
                             const CeliFolder *replay_folder, const CelTensors *extra) {
  CELI_TRY(
      celi_agent_check_learns(agent, "write a checkpoint; cel_agent_save_model writes a model"));
  CELI_TRY(check_finite_parameters(agent));
  const CeliReplay *replay = agent->algo->replay(agent);
  if (replay) {
    CELI_TRY(use_replay_folder(agent, replay_folder->path));
    CELI_TRY(celi_replay_save_in(replay, replay_folder, agent->replay_saved));
  }
  return write_file(agent, folder, name, CELI_CHECKPOINT_FORMAT, CEL_ROLES_RESUME, extra, NULL);
}

CelStatus cel_agent_load(CelAgent *agent, const char *path, const char *replay_folder,
                         CelTensors *extra) {
  CELI_NEED(agent);
  CELI_NEED(path);
  CELI_USE_AGENT(agent);
  CELI_FLOATS(CELI_IEEE);
  CELI_TRY(celi_agent_check_learns(agent, "resume from a checkpoint"));
  CELI_TRY(read_file(agent, path, CELI_CHECKPOINT_FORMAT, CEL_ROLES_RESUME, extra));
  CeliReplay *replay = agent->algo->replay(agent);
  if (!replay) return CEL_OK;
  CELI_TRY(use_replay_folder(agent, replay_folder));
  return celi_replay_load(replay, replay_folder, agent->replay_saved);
}
