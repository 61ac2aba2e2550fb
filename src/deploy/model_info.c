/// The description of a saved model. Public interface: celsius/model.h.
#include "base/arguments.h"
#include "base/base.h"
#include "celsius/model.h"
#include "deploy/export_formats.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(CEL_MODEL_LAYERS_MAX == CELI_LAYERS_MAX, "the public limit is that of networks");

static int64_t parameters(const CeliModelLayer *layer) {
  const CeliNode node = {.layer = layer->layer, .in = layer->in, .out = layer->out};
  int64_t sum = 0;
  for (int k = 0; k < CELI_LAYER_PARAMS; k++)
    if (layer->param[k]) sum += celi_param_size(&node, k);
  return sum;
}

static void describe(const CeliModel *model, CelModelInfo *out) {
  celi_export_plain(out->version, model->version);
  celi_export_plain(out->algo, model->algo);
  snprintf(out->policy, sizeof out->policy, "%s", celi_policy_name(&model->policy));
  cel_space_describe(&model->observation, out->observation, sizeof out->observation);
  cel_space_describe(&model->action, out->action, sizeof out->action);
  out->normalized_observation = model->obs_shift != NULL;
  for (int l = 0; l < model->n; l++) {
    const CeliModelLayer *from = &model->layer[l];
    CelModelLayer *to = &out->layer[out->n++];
    const bool activation = from->layer.kind == &celi_activation;
    *to = (CelModelLayer){.in = from->in, .out = from->out, .parameters = parameters(from)};
    snprintf(to->kind, sizeof to->kind, "%s",
             activation ? celi_activations[from->layer.activation].name : from->layer.kind->name);
    out->parameters += to->parameters;
  }
}

CelStatus cel_model_info(const char *path, CelModelInfo *out) {
  CELI_NEED(path);
  CELI_NEED(out);
  CELI_FLOATS(CELI_IEEE);
  memset(out, 0, sizeof *out);
  CeliModel *model; // its two spaces are too large for a small stack
  CELI_TRY(celi_alloc(&model, 1, sizeof *model, "a model"));
  const CelStatus status = celi_model_open(model, path);
  if (status == CEL_OK) {
    describe(model, out);
    celi_model_close(model);
  }
  free(model);
  return status;
}
