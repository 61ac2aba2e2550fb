/// Reads model files and checks everything in them. Contract: model.h.
#include "base/base.h"
#include "rl/model.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// A float32 tensor of this shape (without its leading 1) with finite entries. columns = 0: one
/// dimension.
static CelStatus floats(const CelSafetensors *file, const char *name, bool member, int64_t rows,
                        int64_t columns, const float **out) {
  *out = NULL;
  const CelTensor *tensor = cel_safetensors_find(file, name);
  if (!tensor) return cel_fail(CEL_E_FORMAT, "tensor \"%s\" is missing", name);
  int64_t shape[3];
  int ndim = 0;
  if (member) shape[ndim++] = 1;
  shape[ndim++] = rows;
  if (columns) shape[ndim++] = columns;
  bool fits = tensor->type == CEL_F32 && tensor->ndim == ndim;
  for (int d = 0; fits && d < ndim; d++) fits = tensor->shape[d] == shape[d];
  if (!fits)
    return cel_fail(CEL_E_SHAPE, "tensor \"%s\" must have %lld x %lld float32 numbers", name,
                    (long long)rows, (long long)(columns ? columns : 1));
  *out = tensor->data;
  for (int64_t i = 0; i < tensor->size; i++)
    if (!isfinite((*out)[i]))
      return cel_fail(CEL_E_NAN, "tensor \"%s\": entry %lld is %g; it must be finite", name,
                      (long long)i, (double)(*out)[i]);
  return CEL_OK;
}

/// Text of a required metadata key.
static CelStatus meta(const CelSafetensors *file, const char *key, const char **out) {
  *out = cel_safetensors_meta(file, key);
  if (!*out) return cel_fail(CEL_E_FORMAT, "metadata \"%s\" is missing", key);
  return CEL_OK;
}

/// layers, n: the list of layers, if the file has one.
static CelStatus read_meta(CeliModel *model, CeliLayer layers[CELI_LAYERS_MAX], int *n) {
  const char *format = cel_safetensors_meta(model->file, "format"), *text;
  if (!format ||
      (strcmp(format, CELI_MODEL_FORMAT) != 0 && strcmp(format, CELI_CHECKPOINT_FORMAT) != 0))
    return cel_fail(CEL_E_FORMAT,
                    "this is not a model of Celsius (metadata \"format\" is %s%.40s%s)",
                    format ? "\"" : "", format ? format : "missing", format ? "\"" : "");
  CELI_TRY(meta(model->file, "version", &model->version));
  CELI_TRY(meta(model->file, "algo", &model->algo));
  CELI_TRY(meta(model->file, "observation", &text));
  CELI_TRY(cel_fail_in(celi_space_from_json(&model->observation, text), "\"observation\": "));
  CELI_TRY(meta(model->file, "action", &text));
  CELI_TRY(cel_fail_in(celi_space_from_json(&model->action, text), "\"action\": "));
  CELI_TRY(meta(model->file, "policy", &text));
  CELI_TRY(cel_fail_in(celi_policy_from_json(&model->policy, text), "\"policy\": "));
  CELI_TRY(cel_fail_in(celi_policy_layers_from_json(layers, n, text), "\"policy\": "));
  // Old files of samplers have the kind "squashed_gaussian".
  if (strcmp(model->algo, "sqlc") == 0 && model->policy.kind == CELI_SQUASHED_GAUSSIAN)
    model->policy.sampler = true;
  return CEL_OK;
}

/// Appends an entry with `out` outputs to the list. Errors: CEL_E_SHAPE (too many).
static CelStatus append(CeliModel *model, const CeliLayer *layer, int index, int64_t out,
                        CeliModelLayer **entry) {
  *entry = NULL;
  if (model->n == CELI_LAYERS_MAX)
    return cel_fail(CEL_E_SHAPE, "the actor has more than %d layers", CELI_LAYERS_MAX);
  *entry = &model->layer[model->n++];
  **entry = (CeliModelLayer){
      .layer = celi_layer_settled(layer), .index = index, .in = model->out, .out = out};
  (*entry)->layer.out = out;
  model->out = out;
  return CEL_OK;
}

/// "actor.INDEX.PREFIX SUFFIX"; before the first dense layer, INDEX is "input".
static const char *tensor_name(char name[CEL_NAME_MAX], const CeliModelLayer *entry,
                               const char *suffix) {
  char index[16] = "input";
  if (entry->index >= 0) snprintf(index, sizeof index, "%d", entry->index);
  snprintf(name, CEL_NAME_MAX, "actor.%s.%s%s", index, entry->layer.kind->prefix, suffix);
  return name;
}

/// Reads running statistics k. Variances must not be negative.
static CelStatus read_state(CeliModel *model, CeliModelLayer *entry, int k) {
  char name[CEL_NAME_MAX];
  tensor_name(name, entry, entry->layer.kind->state_name[k]);
  CELI_TRY(floats(model->file, name, true, entry->out, 0, &entry->state[k]));
  for (int64_t i = 0; k == 1 && i < entry->out; i++)
    if (entry->state[k][i] < 0)
      return cel_fail(CEL_E_RANGE, "tensor \"%s\": entry %lld is %g; it must not be negative", name,
                      (long long)i, (double)entry->state[k][i]);
  return CEL_OK;
}

static CelStatus read_params(CeliModel *model, CeliModelLayer *entry) {
  const CeliLayerKind *kind = entry->layer.kind;
  const CeliNode node = {.layer = entry->layer, .in = entry->in, .out = entry->out};
  char name[CEL_NAME_MAX];
  for (int k = 0; k < CELI_LAYER_PARAMS; k++) {
    int64_t rows, columns;
    if (kind->state_name[k]) CELI_TRY(read_state(model, entry, k));
    if (!kind->param_name[k]) continue;
    kind->shape(&node, k, &rows, &columns);
    tensor_name(name, entry, kind->param_name[k]);
    CELI_TRY(floats(model->file, name, true, rows ? rows : columns, rows ? columns : 0,
                    &entry->param[k]));
  }
  return CEL_OK;
}

static const CelTensor *find_first(const CeliModel *model, const CeliModelLayer *entry) {
  char name[CEL_NAME_MAX];
  return cel_safetensors_find(model->file,
                              tensor_name(name, entry, entry->layer.kind->param_name[0]));
}

/// Reads the normalization behind dense layer `index`.
static CelStatus read_normalization(CeliModel *model, int index) {
  const CeliLayerKind *before = NULL;
  for (int i = 0; celi_layer_kinds[i]; i++) {
    const CeliLayer layer = {.kind = celi_layer_kinds[i]};
    CeliModelLayer *entry;
    const CeliModelLayer wanted = {.layer = layer, .index = index};
    if (layer.kind == &celi_dense || !layer.kind->param_name[0] || !find_first(model, &wanted))
      continue;
    if (before)
      return cel_fail(CEL_E_UNSUPPORTED,
                      "tensor \"%s\": the same layer has a %s, and the file does not say which "
                      "comes first",
                      find_first(model, &wanted)->name, before->name);
    before = layer.kind;
    CELI_TRY(append(model, &layer, index, model->out, &entry));
    CELI_TRY(read_params(model, entry));
  }
  return CEL_OK;
}

static CelStatus read_dense(CeliModel *model, int index, const CelTensor *weight) {
  CeliModelLayer *entry;
  if (weight->ndim != 3 || weight->shape[1] != model->out || weight->shape[2] < 1)
    return cel_fail(CEL_E_SHAPE,
                    "tensor \"%s\" must have shape (1, inputs, outputs) with %lld input%s and at "
                    "least 1 output",
                    weight->name, (long long)model->out, celi_s(model->out));
  const CeliLayer layer = celi_layer_dense(weight->shape[2], 0);
  CELI_TRY(append(model, &layer, index, weight->shape[2], &entry));
  return read_params(model, entry);
}

/// Reads the layers of a list.
static CelStatus read_list(CeliModel *model, const CeliLayer *layers, int n) {
  int index = -1;
  for (int l = 0; l < n; l++) {
    const CeliLayerKind *kind = layers[l].kind;
    const CeliModelLayer wanted = {.layer = layers[l], .index = index + (kind == &celi_dense)};
    char name[CEL_NAME_MAX];
    CeliModelLayer *entry;
    if (kind == &celi_activation && layers[l].activation != model->policy.activation)
      return cel_fail(CEL_E_UNSUPPORTED,
                      "layer %d is %s, but the policy's activation is %s; one network has one", l,
                      celi_activations[layers[l].activation].name,
                      celi_activations[model->policy.activation].name);
    if (kind->param_name[0] && !find_first(model, &wanted))
      return cel_fail(CEL_E_FORMAT, "tensor \"%s\" of layer %d is missing",
                      tensor_name(name, &wanted, kind->param_name[0]), l);
    index = wanted.index;
    if (kind == &celi_dense) {
      CELI_TRY(read_dense(model, index, find_first(model, &wanted)));
      continue;
    }
    CELI_TRY(append(model, &layers[l], index, model->out, &entry));
    CELI_TRY(read_params(model, entry));
  }
  return CEL_OK;
}

/// Reads the layers that the names of the tensors define.
static CelStatus read_named(CeliModel *model) {
  const CeliLayer activation = celi_layer_activation(model->policy.activation);
  CeliModelLayer *entry;
  CELI_TRY(read_normalization(model, -1));
  for (int index = 0;; index++) {
    const CeliModelLayer wanted = {.layer = {.kind = &celi_dense}, .index = index};
    const CelTensor *weight = find_first(model, &wanted);
    if (!weight && index == 0)
      return cel_fail(CEL_E_FORMAT, "tensor \"actor.0.weight\" is missing");
    if (!weight) break;
    if (index > 0) CELI_TRY(append(model, &activation, index - 1, model->out, &entry));
    CELI_TRY(read_dense(model, index, weight));
    CELI_TRY(read_normalization(model, index));
  }
  return CEL_OK;
}

/// Declares a network with the layers, in no memory, which checks their order.
static CelStatus check_order(const CeliModel *model) {
  struct {
    CeliNetSpec spec;
    CeliNet net;
  } * try;
  CELI_TRY(celi_alloc(&try, 1, sizeof *try, "a model"));
  try->spec = (CeliNetSpec){.E = 1, .in = model->in, .n = model->n};
  for (int l = 0; l < model->n; l++) try->spec.layer[l] = model->layer[l].layer;
  const CelStatus status = celi_net_compile(&try->net, "actor", &try->spec);
  free(try);
  return status;
}

static CelStatus read_layers(CeliModel *model, const CeliLayer *layers, int n) {
  const int64_t O = cel_space_floats(&model->observation);
  if (O < 1) return cel_fail(CEL_E_UNSUPPORTED, "observations must be float32 boxes");
  model->O = O;
  model->noise = model->policy.sampler ? model->policy.A : 0;
  model->in = model->out = O + model->noise;
  CELI_TRY(n > 0 ? read_list(model, layers, n) : read_named(model));
  CELI_TRY(check_order(model));
  if (model->layer[model->n - 1].layer.kind != &celi_dense)
    return cel_fail(CEL_E_UNSUPPORTED, "the actor's last layer must be dense, not %s",
                    model->layer[model->n - 1].layer.kind->name);
  return CEL_OK;
}

/// Whether `data` is a parameter or a running statistic of a layer.
static bool is_read(const CeliModel *model, const void *data) {
  for (int l = 0; l < model->n; l++)
    for (int k = 0; k < CELI_LAYER_PARAMS; k++)
      if (data == model->layer[l].param[k] || data == model->layer[l].state[k]) return true;
  return false;
}

/// Refuses tensors of the actor that belong to no layer: without them, the policy would be another.
static CelStatus check_all_read(const CeliModel *model) {
  for (int64_t i = 0; i < cel_safetensors_count(model->file); i++) {
    const CelTensor *tensor = cel_safetensors_at(model->file, i);
    if (strncmp(tensor->name, "actor.", 6) != 0 || strcmp(tensor->name, "actor.log_std") == 0)
      continue;
    if (tensor->size < 1 || !is_read(model, tensor->data))
      return cel_fail(CEL_E_UNSUPPORTED,
                      "tensor \"%s\" belongs to no layer: a tensor beside it is missing, or the "
                      "file is from a newer version",
                      tensor->name);
  }
  return CEL_OK;
}

static CelStatus read_normalizer(CeliModel *model) {
  const float *clip;
  if (!cel_safetensors_find(model->file, "normalizer.shift")) return CEL_OK;
  const int64_t O = model->O;
  CELI_TRY(floats(model->file, "normalizer.shift", false, O, 0, &model->obs_shift));
  CELI_TRY(floats(model->file, "normalizer.scale", false, O, 0, &model->obs_scale));
  CELI_TRY(floats(model->file, "normalizer.clip", false, 1, 0, &clip));
  CEL_ASSERT(clip != NULL);
  model->obs_clip = *clip;
  if (!(*clip > 0))
    return cel_fail(CEL_E_RANGE, "normalizer.clip is %g; it must be positive", (double)*clip);
  return CEL_OK;
}

/// Reads a sigma that does not depend on the state, or the log_std of gSDE.
static CelStatus read_sigma(CeliModel *model) {
  const CelTensor *tensor = cel_safetensors_find(model->file, "actor.log_std");
  const bool none = model->policy.sampler || model->policy.deterministic;
  if (!tensor || none || model->out != model->policy.A) return CEL_OK;
  model->sde = tensor->ndim == 2;
  if (model->sde) return CEL_OK;
  return floats(model->file, "actor.log_std", false, model->policy.A, 0, &model->log_std);
}

/// Whether a policy of this kind and width can act in the action space.
static bool fits_space(const CeliModel *model) {
  const CelSpacePart *part = &model->action.part[0];
  const int64_t A = model->policy.A;
  int64_t sum = 0;
  if (model->action.n_parts != 1) return false;
  switch (model->policy.kind) {
  case CELI_CATEGORICAL: return part->kind == CEL_DISCRETE && part->n == A;
  case CELI_MULTI_CATEGORICAL:
    if (part->kind != CEL_MULTI_DISCRETE || part->size > CEL_SPACE_BOUNDS_MAX) return false;
    for (int64_t k = 0; k < part->size; k++) sum += (int64_t)part->high[k];
    return sum == A;
  case CELI_BERNOULLI: return part->kind == CEL_MULTI_BINARY && part->size == A;
  case CELI_GAUSSIAN:
  case CELI_SQUASHED_GAUSSIAN:
    return part->kind == CEL_BOX && part->type == CEL_F32 && part->size == A;
  }
  return false;
}

/// Compares the head with the action space.
static CelStatus read_actions(CeliModel *model) {
  const CelSpacePart *part = &model->action.part[0];
  const CeliDistSpec dist = {.kind = model->policy.kind};
  const int64_t A = model->policy.A, head = model->out;
  char space[128];
  cel_space_describe(&model->action, space, sizeof space);
  model->discrete = celi_dist_discrete(&dist);
  if (!fits_space(model))
    return cel_fail(CEL_E_SHAPE, "a policy of %lld action%s does not fit the action space %s",
                    (long long)A, celi_s(A), space);
  model->K = model->policy.kind == CELI_CATEGORICAL ? 1 : part->size;
  if (model->policy.kind == CELI_MULTI_CATEGORICAL) model->choices = part->high;
  const bool fixed = model->policy.deterministic; // a greedy one can have V as well
  const bool only = model->discrete || model->policy.sampler || fixed;
  if (head != A && (only || head != 2 * A) && !(model->discrete && fixed && head == A + 1))
    return cel_fail(CEL_E_SHAPE,
                    "the actor's last layer has %lld output%s; %lld action%s need%s %lld%s",
                    (long long)head, celi_s(head), (long long)A, celi_s(A), A == 1 ? "s" : "",
                    (long long)A, only ? "" : ", or twice that");
  if (model->discrete) return CEL_OK;
  CELI_TRY(read_sigma(model));
  bool bounded = false;
  for (int64_t i = 0; i < A && part->size <= CEL_SPACE_BOUNDS_MAX; i++)
    bounded |= isfinite(part->low[i]) || isfinite(part->high[i]);
  if (bounded) model->action_low = part->low, model->action_high = part->high;
  CELI_TRY(floats(model->file, "action_shift", false, A, 0, &model->action_shift));
  return floats(model->file, "action_scale", false, A, 0, &model->action_scale);
}

CelStatus celi_model_open(CeliModel *model, const char *path) {
  memset(model, 0, sizeof *model);
  CeliLayer *layers;
  int n = 0;
  CELI_TRY(celi_alloc(&layers, CELI_LAYERS_MAX, sizeof *layers, "a model"));
  CelStatus status = cel_safetensors_open(path, &model->file);
  if (status) {
    free(layers);
    return status;
  }
  status = read_meta(model, layers, &n);
  if (!status) status = read_layers(model, layers, n);
  free(layers);
  if (!status) status = read_normalizer(model);
  if (!status) status = read_actions(model);
  if (!status) status = check_all_read(model);
  if (!status) return CEL_OK;
  celi_model_close(model);
  return cel_fail_in(status, "%s: ", path);
}

void celi_model_close(CeliModel *model) {
  cel_safetensors_close(model->file);
  model->file = NULL;
}
