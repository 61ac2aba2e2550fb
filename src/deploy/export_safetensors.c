/// The policy as a PyTorch state dict. Names and shapes: celsius/export.h.
#include "base/base.h"
#include "deploy/export_formats.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TENSORS_MAX = 4 * CELI_LAYERS_MAX + 8 };

typedef struct StateDict {
  CelTensor list[TENSORS_MAX];
  bool owned[TENSORS_MAX]; ///< the data must be freed
  int n;
  bool failed;
} StateDict;

/// Adds an array of the model without a copy. columns 0: one dimension.
static void add(StateDict *dict, const char *name, const float *data, int64_t rows,
                int64_t columns) {
  CelTensor *tensor = &dict->list[dict->n++];
  snprintf(tensor->name, sizeof tensor->name, "%s", name);
  tensor->type = CEL_F32;
  tensor->ndim = columns ? 2 : 1;
  tensor->shape[0] = rows;
  tensor->shape[1] = columns;
  tensor->size = rows * (columns ? columns : 1);
  memcpy(&tensor->data, &data, sizeof tensor->data); // the writer only reads it
}

/// Adds outputs [first, first + n) of a dense layer: the transposed weight (n, in) and the bias.
static void add_dense(StateDict *dict, const char *name, const CeliModelLayer *layer, int64_t first,
                      int64_t n) {
  char full[CEL_NAME_MAX];
  const int64_t in = layer->in, out = layer->out;
  float *Wt = malloc((size_t)(in * n) * sizeof *Wt);
  if (!Wt) {
    dict->failed = true;
    return;
  }
  for (int64_t j = 0; j < n; j++)
    for (int64_t i = 0; i < in; i++) Wt[j * in + i] = layer->param[0][i * out + first + j];
  dict->owned[dict->n] = true;
  snprintf(full, sizeof full, "%s.weight", name);
  add(dict, full, Wt, n, in);
  snprintf(full, sizeof full, "%s.bias", name);
  add(dict, full, layer->param[1] + first, n, 0);
}

/// Adds all layers except the last, with PyTorch's names and their index in nn.Sequential.
static void add_hidden(StateDict *dict, const CeliModel *model) {
  static const char *const params[] = {"weight", "bias"}, *const stats[] = {"running_mean",
                                                                            "running_var"};
  for (int l = 0; l < model->n - 1; l++) {
    const CeliModelLayer *layer = &model->layer[l];
    char name[CEL_NAME_MAX];
    snprintf(name, sizeof name, "net.%d", l);
    if (layer->layer.kind == &celi_dense) {
      add_dense(dict, name, layer, 0, layer->out);
      continue;
    }
    for (int k = 0; k < CELI_LAYER_PARAMS; k++) {
      snprintf(name, sizeof name, "net.%d.%s", l, params[k]);
      if (layer->param[k]) add(dict, name, layer->param[k], layer->out, 0);
      snprintf(name, sizeof name, "net.%d.%s", l, stats[k]);
      if (layer->state[k]) add(dict, name, layer->state[k], layer->out, 0);
    }
  }
}

/// Adds the number of actions of each categorical part, (K,) int64.
static void add_choices(StateDict *dict, const CeliModel *model) {
  int64_t *n = malloc((size_t)model->K * sizeof *n);
  if (!n) {
    dict->failed = true;
    return;
  }
  for (int64_t k = 0; k < model->K; k++) n[k] = (int64_t)model->choices[k];
  dict->owned[dict->n] = true;
  add(dict, "choices", NULL, model->K, 0);
  dict->list[dict->n - 1].type = CEL_I64, dict->list[dict->n - 1].data = n;
}

static void add_all(StateDict *dict, const CeliModel *model) {
  const CeliModelLayer *last = &model->layer[model->n - 1];
  const int64_t A = model->policy.A, O = model->O;
  const char *head = model->discrete ? "logits" : "mean";
  add_hidden(dict, model);
  if (model->policy.sampler || model->policy.deterministic) head = "output";
  add_dense(dict, head, last, 0, A);
  if (model->out == 2 * A && !model->discrete) add_dense(dict, "log_std", last, A, A);
  if (model->choices) add_choices(dict, model);
  if (model->obs_shift) {
    add(dict, "obs_shift", model->obs_shift, O, 0);
    add(dict, "obs_scale", model->obs_scale, O, 0);
    add(dict, "obs_clip", &model->obs_clip, 1, 0);
  }
  if (model->action_shift) {
    add(dict, "action_shift", model->action_shift, A, 0);
    add(dict, "action_scale", model->action_scale, A, 0);
  }
  if (model->action_low) {
    add(dict, "action_low", model->action_low, A, 0);
    add(dict, "action_high", model->action_high, A, 0);
  }
}

static CelStatus write(const StateDict *dict, const CeliModel *model, const char *out) {
  char *policy, algo[64], version[64];
  CeliLayer *layers;
  CeliPolicySpec spec = model->policy;
  CELI_TRY(celi_alloc(&layers, (size_t)model->n, sizeof *layers, "an export"));
  for (int l = 0; l < model->n; l++) layers[l] = model->layer[l].layer;
  spec.layers = layers;
  spec.n_layers = model->n;
  const CelStatus listed = celi_policy_to_json(&spec, &policy);
  free(layers);
  if (listed) return listed;
  const CelMeta meta[] = {{"format", "pt"}, // the name of PyTorch in Python's safetensors
                          {"algo", celi_export_plain(algo, model->algo)},
                          {"version", celi_export_plain(version, model->version)},
                          {"policy", policy}};
  const CelStatus status = cel_safetensors_write_list(out, dict->list, dict->n, meta, 4);
  free(policy);
  return status;
}

CelStatus celi_export_safetensors(const CeliModel *model, const char *out, const char *name) {
  (void)name;
  StateDict *dict = calloc(1, sizeof *dict);
  if (!dict) return cel_fail(CEL_E_MEMORY, "not enough memory for an export");
  add_all(dict, model);
  const CelStatus status = dict->failed ? cel_fail(CEL_E_MEMORY, "not enough memory for an export")
                                        : write(dict, model, out);
  for (int i = 0; i < dict->n; i++)
    if (dict->owned[i]) free(dict->list[i].data);
  free(dict);
  return status;
}
