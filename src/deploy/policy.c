/// Policies: a model file made ready to act, one observation at a time, on the caller's thread.
#include "celsius/policy.h"
#include "base/base.h"
#include "nn/dist.h"
#include "nn/mlp.h"
#include "rl/model.h"
#include "rl/normalizer.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct CelPolicy {
  CelSpace observation, action;
  CeliDistSpec dist;
  CelTensors *tensors;
  CeliMlp actor;
  CeliMlpPass pass;
  int64_t O, A;
  float *obs;                   ///< (1,O) normalised
  float *shift, *scale, *clip;  ///< normaliser's, or NULL
  float *out;                   ///< (A,) mode before scaling
  float *out_shift, *out_scale; ///< (A,), NULL for categorical
};

static CelStatus declare(CelPolicy *policy, const char *name, float **place, int64_t n) {
  return cel_tensors_declare(policy->tensors, name, CEL_F32, CEL_MODEL, place, 1, &n);
}

static CelStatus declare_all(CelPolicy *policy, const CeliModel *model) {
  CeliMlpSpec spec = {.E = 1,
                      .in = policy->O,
                      .out = model->width[model->L],
                      .activation = model->policy.activation,
                      .layer_norm = model->layer_norm};
  for (int l = 1; l < model->L; l++) {
    if (model->width[l] > INT32_MAX)
      return cel_fail(CEL_E_SHAPE, "a layer of %lld units is too wide", (long long)model->width[l]);
    spec.hidden.v[spec.hidden.n++] = (int32_t)model->width[l];
  }
  // As a target network: no transposes, since nothing is learned here.
  CELI_TRY(celi_mlp_declare(&policy->actor, policy->tensors, "actor", CEL_TARGET, &spec));
  CELI_TRY(celi_mlp_declare_pass(&policy->pass, policy->tensors, "act", &policy->actor, 1, false));
  CELI_TRY(declare(policy, "obs", &policy->obs, policy->O));
  CELI_TRY(declare(policy, "out", &policy->out, policy->A));
  if (model->obs_shift) {
    CELI_TRY(declare(policy, "shift", &policy->shift, policy->O));
    CELI_TRY(declare(policy, "scale", &policy->scale, policy->O));
    CELI_TRY(declare(policy, "clip", &policy->clip, 1));
  }
  if (!model->action_shift) return CEL_OK;
  CELI_TRY(declare(policy, "out_shift", &policy->out_shift, policy->A));
  return declare(policy, "out_scale", &policy->out_scale, policy->A);
}

static void copy(float *to, const float *from, int64_t n) {
  if (to) memcpy(to, from, (size_t)n * sizeof *to);
}

static void copy_all(CelPolicy *policy, const CeliModel *model) {
  const int64_t *width = model->width;
  for (int l = 0; l < model->L; l++) {
    copy(policy->actor.W[l], model->W[l], width[l] * width[l + 1]);
    copy(policy->actor.b[l], model->b[l], width[l + 1]);
    copy(policy->actor.g[l], model->g[l], width[l + 1]);
    copy(policy->actor.h[l], model->h[l], width[l + 1]);
  }
  copy(policy->shift, model->obs_shift, policy->O);
  copy(policy->scale, model->obs_scale, policy->O);
  copy(policy->clip, &model->obs_clip, 1);
  copy(policy->out_shift, model->action_shift, policy->A);
  copy(policy->out_scale, model->action_scale, policy->A);
}

static CelStatus build(CelPolicy *policy, const CeliModel *model) {
  policy->observation = model->observation;
  policy->action = model->action;
  policy->O = model->width[0];
  policy->A = model->policy.A;
  // A head without sigmas is that of a free log_std, as far as its mode is concerned.
  policy->dist = (CeliDistSpec){.kind = model->policy.kind,
                                .A = policy->A,
                                .free_log_std = model->width[model->L] == policy->A};
  CELI_TRY(cel_tensors_create(&policy->tensors));
  CELI_TRY(declare_all(policy, model));
  CELI_TRY(cel_tensors_allocate(policy->tensors));
  policy->pass.X = policy->obs;
  policy->pass.ldx = policy->O;
  copy_all(policy, model);
  return CEL_OK;
}

CelStatus cel_policy_load(const char *path, CelPolicy **out) {
  *out = NULL;
  CeliModel model;
  CELI_TRY(celi_model_open(&model, path));
  CelPolicy *policy = calloc(1, sizeof *policy);
  CelStatus status =
      policy ? build(policy, &model) : cel_fail(CEL_E_MEMORY, "no memory for a policy");
  celi_model_close(&model);
  if (status) {
    cel_policy_destroy(policy);
    return cel_fail_in(status, "%s: ", path);
  }
  *out = policy;
  return CEL_OK;
}

void cel_policy_destroy(CelPolicy *policy) {
  if (!policy) return;
  cel_tensors_destroy(policy->tensors);
  free(policy);
}

const CelSpace *cel_policy_observation(const CelPolicy *policy) {
  return &policy->observation;
}
const CelSpace *cel_policy_action(const CelPolicy *policy) {
  return &policy->action;
}

CelStatus cel_policy_act(CelPolicy *policy, const void *obs, void *action) {
  const float *o = obs;
  for (int64_t i = 0; i < policy->O; i++)
    if (!isfinite(o[i]))
      return cel_fail(CEL_E_NAN, "element %lld of the observation is %g", (long long)i,
                      (double)o[i]);
  if (policy->shift)
    celi_normalize_row(policy->obs, o, policy->shift, policy->scale, *policy->clip, policy->O);
  else
    memcpy(policy->obs, o, (size_t)policy->O * sizeof *o);
  celi_mlp_forward(&policy->pass, 0, 1);
  const int last = policy->actor.L - 1;
  const float *head = policy->pass.Y[last];
  const ptrdiff_t ldh = policy->actor.width[last + 1];
  if (policy->dist.kind == CELI_CATEGORICAL) {
    celi_dist_mode(&policy->dist, action, 1, head, ldh, 0, 1);
    return CEL_OK;
  }
  celi_dist_mode(&policy->dist, policy->out, policy->A, head, ldh, 0, 1);
  float *a = action;
  for (int64_t i = 0; i < policy->A; i++)
    a[i] = policy->out_shift[i] + policy->out_scale[i] * policy->out[i];
  return CEL_OK;
}
