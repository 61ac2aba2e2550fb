/// Reading a model file, believing nothing. Contract: model.h.
#include "base/base.h"
#include "rl/model.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/// A float32 tensor of this shape (its leading 1 left out) with finite entries. columns 0: one dimension.
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
    return cel_fail(CEL_E_SHAPE, "tensor \"%s\" must hold %lld x %lld float32 numbers", name,
                    (long long)rows, (long long)(columns ? columns : 1));
  *out = tensor->data;
  for (int64_t i = 0; i < tensor->size; i++)
    if (!isfinite((*out)[i]))
      return cel_fail(CEL_E_NAN, "tensor \"%s\": entry %lld is %g", name, (long long)i,
                      (double)(*out)[i]);
  return CEL_OK;
}

/// Text of a metadata key that must be there.
static CelStatus meta(const CelSafetensors *file, const char *key, const char **out) {
  *out = cel_safetensors_meta(file, key);
  if (!*out) return cel_fail(CEL_E_FORMAT, "metadata \"%s\" is missing", key);
  return CEL_OK;
}

static CelStatus read_meta(CeliModel *model) {
  const char *format = cel_safetensors_meta(model->file, "format"), *text;
  if (!format ||
      (strcmp(format, CELI_MODEL_FORMAT) != 0 && strcmp(format, CELI_CHECKPOINT_FORMAT) != 0))
    return cel_fail(CEL_E_FORMAT, "not a model of Celsius (metadata \"format\" is %s%.40s%s)",
                    format ? "\"" : "", format ? format : "missing", format ? "\"" : "");
  CELI_TRY(meta(model->file, "version", &model->version));
  CELI_TRY(meta(model->file, "algo", &model->algo));
  CELI_TRY(meta(model->file, "observation", &text));
  CELI_TRY(cel_fail_in(celi_space_from_json(&model->observation, text), "\"observation\": "));
  CELI_TRY(meta(model->file, "action", &text));
  CELI_TRY(cel_fail_in(celi_space_from_json(&model->action, text), "\"action\": "));
  CELI_TRY(meta(model->file, "policy", &text));
  CELI_TRY(cel_fail_in(celi_policy_from_json(&model->policy, text), "\"policy\": "));
  // Before there was a kind for them, samplers said that they were squashed Gaussians.
  if (strcmp(model->algo, "sqlc") == 0 && model->policy.kind == CELI_SQUASHED_GAUSSIAN)
    model->policy.sampler = true;
  return CEL_OK;
}

/// Layer l, whose input is width[l] wide.
static CelStatus read_layer(CeliModel *model, int l, const CelTensor *weight) {
  char name[CEL_NAME_MAX];
  if (weight->ndim != 3 || weight->shape[1] != model->width[l] || weight->shape[2] < 1)
    return cel_fail(CEL_E_SHAPE, "tensor \"%s\" must have %lld input%s", weight->name,
                    (long long)model->width[l], celi_s(model->width[l]));
  const int64_t out = model->width[l + 1] = weight->shape[2];
  CELI_TRY(floats(model->file, weight->name, true, model->width[l], out, &model->W[l]));
  snprintf(name, sizeof name, "actor.%d.bias", l);
  CELI_TRY(floats(model->file, name, true, out, 0, &model->b[l]));
  snprintf(name, sizeof name, "actor.%d.norm.weight", l);
  if (!cel_safetensors_find(model->file, name)) return CEL_OK;
  CELI_TRY(floats(model->file, name, true, out, 0, &model->g[l]));
  snprintf(name, sizeof name, "actor.%d.norm.bias", l);
  return floats(model->file, name, true, out, 0, &model->h[l]);
}

static CelStatus read_layers(CeliModel *model) {
  const int64_t O = cel_space_floats(&model->observation);
  if (O < 1)
    return cel_fail(CEL_E_UNSUPPORTED, "only observations that are float32 boxes can be acted on");
  model->O = O, model->noise = model->policy.sampler ? model->policy.A : 0;
  model->width[0] = O + model->noise;
  for (model->L = 0;; model->L++) {
    char name[CEL_NAME_MAX];
    snprintf(name, sizeof name, "actor.%d.weight", model->L);
    const CelTensor *weight = cel_safetensors_find(model->file, name);
    if (!weight) break;
    if (model->L == CELI_LAYERS_MAX)
      return cel_fail(CEL_E_SHAPE, "the actor has more than %d layers", CELI_LAYERS_MAX);
    CELI_TRY(read_layer(model, model->L, weight));
  }
  if (model->L == 0) return cel_fail(CEL_E_FORMAT, "tensor \"actor.0.weight\" is missing");
  model->layer_norm = model->L > 1 && model->g[0] != NULL;
  for (int l = 0; l < model->L; l++)
    if ((model->g[l] != NULL) != (model->layer_norm && l < model->L - 1))
      return cel_fail(CEL_E_FORMAT, "layer norm must be on all hidden layers or on none");
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

/// A sigma that does not depend on the state, or the matrix of state-dependent exploration.
static CelStatus read_sigma(CeliModel *model) {
  const CelTensor *tensor = cel_safetensors_find(model->file, "actor.log_std");
  if (!tensor || model->policy.sampler || model->width[model->L] != model->policy.A) return CEL_OK;
  model->sde = tensor->ndim == 2;
  if (model->sde) return CEL_OK;
  return floats(model->file, "actor.log_std", false, model->policy.A, 0, &model->log_std);
}

/// Whether the action space is what a policy of this kind and width acts in.
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

/// The head against the action space.
static CelStatus read_actions(CeliModel *model) {
  const CelSpacePart *part = &model->action.part[0];
  const CeliDistSpec dist = {.kind = model->policy.kind};
  const int64_t A = model->policy.A, head = model->width[model->L];
  char space[128];
  cel_space_describe(&model->action, space, sizeof space);
  model->discrete = celi_dist_discrete(&dist);
  if (!fits_space(model))
    return cel_fail(CEL_E_SHAPE, "a policy of %lld action%s does not fit the action space %s",
                    (long long)A, celi_s(A), space);
  model->K = model->policy.kind == CELI_CATEGORICAL ? 1 : part->size;
  if (model->policy.kind == CELI_MULTI_CATEGORICAL) model->choices = part->high;
  const bool only = model->discrete || model->policy.sampler;
  if (head != A && (only || head != 2 * A))
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
  CELI_TRY(cel_safetensors_open(path, &model->file));
  CelStatus status = read_meta(model);
  if (!status) status = read_layers(model);
  if (!status) status = read_normalizer(model);
  if (!status) status = read_actions(model);
  if (!status) return CEL_OK;
  celi_model_close(model);
  return cel_fail_in(status, "%s: ", path);
}

void celi_model_close(CeliModel *model) {
  cel_safetensors_close(model->file);
  model->file = NULL;
}
