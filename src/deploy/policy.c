/// Policies from model files. They act for one observation at a time, on the caller's thread.
#include "celsius/policy.h"
#include "base/arguments.h"
#include "base/base.h"
#include "nn/dist.h"
#include "nn/net.h"
#include "rl/bounds.h"
#include "rl/model.h"
#include "rl/normalizer.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct CelPolicy {
  CelSpace observation, action;
  CeliDistSpec dist;
  CelTensors *tensors;
  CeliNet actor;
  CeliPass pass;
  int64_t O, A, W; ///< sizes of observation, action, and noise of an action
  bool sampler, sde;
  float logit_scale, clip_mean;
  float *obs;                   ///< (1, O) normalized, or (1, O+W) with noise
  float *shift, *scale, *clip;  ///< of the normalizer, or NULL
  float *out;                   ///< (A,) action before scaling
  float *noise;                 ///< (W,)
  float *log_std;               ///< (A,) free log sigma, or NULL
  float *out_shift, *out_scale; ///< (A,), NULL for discrete actions and bits
};

static CelStatus declare(CelPolicy *policy, const char *name, float **place, int64_t n) {
  return cel_tensors_declare(policy->tensors, name, CEL_F32, CEL_MODEL, place, 1, &n);
}

static CelStatus declare_all(CelPolicy *policy, const CeliModel *model) {
  CeliNetSpec spec = {.E = 1, .in = model->in, .n = model->n};
  for (int l = 0; l < model->n; l++) spec.layer[l] = model->layer[l].layer;
  // CEL_TARGET: a network without transposed weights, because nothing is trained.
  CELI_TRY(celi_net_declare(&policy->actor, policy->tensors, "actor", CEL_TARGET, &spec));
  CELI_TRY(celi_pass_declare(&policy->pass, policy->tensors, "act", &policy->actor,
                             (CeliPassSpec){.B = 1}));
  CELI_TRY(declare(policy, "obs", &policy->obs, model->in));
  if (policy->W > 0) CELI_TRY(declare(policy, "noise", &policy->noise, policy->W));
  if (model->log_std) CELI_TRY(declare(policy, "log_std", &policy->log_std, policy->A));
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
  for (int l = 0; l < policy->actor.n; l++) {
    const CeliNode *node = &policy->actor.node[l];
    const CeliModelLayer *layer = &model->layer[node->at];
    for (int k = 0; k < CELI_LAYER_PARAMS; k++) {
      if (layer->param[k]) copy(node->param[k], layer->param[k], celi_param_size(node, k));
      if (layer->state[k]) copy(node->state[k], layer->state[k], node->out);
    }
  }
  copy(policy->shift, model->obs_shift, policy->O);
  copy(policy->scale, model->obs_scale, policy->O);
  copy(policy->clip, &model->obs_clip, 1);
  copy(policy->log_std, model->log_std, policy->A);
  copy(policy->out_shift, model->action_shift, policy->A);
  copy(policy->out_scale, model->action_scale, policy->A);
}

static CelStatus build(CelPolicy *policy, const CeliModel *model) {
  policy->observation = model->observation;
  policy->action = model->action;
  policy->O = model->O;
  policy->A = model->policy.A;
  policy->sampler = model->policy.sampler;
  policy->sde = model->sde;
  policy->logit_scale = (float)model->policy.logit_scale;
  policy->clip_mean = (float)model->policy.clip_mean;
  // For the mode, a head without sigmas works like one with a free log_std.
  policy->dist = (CeliDistSpec){.kind = model->policy.kind,
                                .A = policy->A,
                                .K = model->K,
                                .choices = model->choices ? policy->action.part[0].high : NULL,
                                .free_log_std = model->out == policy->A,
                                .deterministic = model->policy.deterministic,
                                .log_std_min = model->policy.log_std_min,
                                .log_std_max = model->policy.log_std_max};
  policy->W = celi_dist_noise(&policy->dist);
  CELI_TRY(cel_tensors_create(&policy->tensors));
  CELI_TRY(declare_all(policy, model));
  CELI_TRY(cel_tensors_allocate(policy->tensors));
  policy->pass.X = policy->obs;
  policy->pass.ldx = model->in;
  copy_all(policy, model);
  return CEL_OK;
}

CelStatus cel_policy_load(const char *path, CelPolicy **out) {
  CELI_NEED(path);
  CELI_NEED(out);
  CELI_FLOATS(CELI_IEEE);
  *out = NULL;
  CeliModel *model = NULL; // on the heap, because its two spaces are large
  CelPolicy *policy = NULL;
  CelStatus status = celi_alloc(&model, 1, sizeof *model, "a model");
  if (!status) status = celi_alloc(&policy, 1, sizeof *policy, "a policy");
  if (!status) memset(policy, 0, sizeof *policy);
  if (!status) status = celi_model_open(model, path);
  if (status) {
    free(model);
    free(policy);
    return status;
  }
  status = build(policy, model);
  celi_model_close(model);
  free(model);
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
  CELI_NEED_OR(policy, NULL);
  return &policy->observation;
}
const CelSpace *cel_policy_action(const CelPolicy *policy) {
  CELI_NEED_OR(policy, NULL);
  return &policy->action;
}

int64_t cel_policy_noise(const CelPolicy *policy) {
  CELI_NEED_OR(policy, 0);
  return policy->W;
}

static void clip(float *mean, float most, int64_t A) {
  for (int64_t a = 0; a < A; a++)
    mean[a] = mean[a] > most ? most : mean[a] < -most ? -most : mean[a];
}

/// Computes the actor's output for an observation. noise: (W,) for a sampler, else NULL.
static CelStatus forward(CelPolicy *policy, const float *obs, const float *noise,
                         const float **head) {
  *head = NULL;
  for (int64_t i = 0; i < policy->O; i++)
    if (!isfinite(obs[i]))
      return cel_fail(CEL_E_NAN, "element %lld of the observation is %g; it must be finite",
                      (long long)i, (double)obs[i]);
  if (policy->shift)
    celi_normalize_row(policy->obs, obs, policy->shift, policy->scale, *policy->clip, policy->O);
  else
    memcpy(policy->obs, obs, (size_t)policy->O * sizeof *obs);
  if (policy->sampler) celi_ops()->fill(policy->obs + policy->O, 0, policy->W);
  if (policy->sampler && noise)
    memcpy(policy->obs + policy->O, noise, (size_t)policy->W * sizeof *noise);
  celi_net_forward(&policy->pass, 0, 1);
  *head = celi_pass_output(&policy->pass);
  for (int64_t i = 0; i < policy->actor.out; i++)
    if (!isfinite((*head)[i]))
      return cel_fail(CEL_E_NAN,
                      "output %lld of the policy is %g for this observation, because its weights "
                      "are too large; try an earlier model of the run",
                      (long long)i, (double)(*head)[i]);
  if (policy->clip_mean > 0) clip(celi_pass_output(&policy->pass), policy->clip_mean, policy->A);
  return CEL_OK;
}

/// Scales the continuous action in `out`, clips it to its bounds and writes it.
static void put_action(const CelPolicy *policy, float *action) {
  for (int64_t i = 0; i < policy->A; i++)
    action[i] = policy->out_shift[i] + policy->out_scale[i] * policy->out[i];
  celi_bounds_clip(&policy->action, action, 1);
}

CelStatus cel_policy_act(CelPolicy *policy, const void *obs, void *action) {
  CELI_NEED(policy);
  CELI_NEED(obs);
  CELI_NEED(action);
  CELI_FLOATS(CELI_FLUSH);
  const float *head;
  CELI_TRY(forward(policy, obs, NULL, &head));
  const bool discrete = celi_dist_discrete(&policy->dist);
  celi_dist_mode(&policy->dist, discrete ? action : policy->out, discrete ? 1 : policy->A, head,
                 policy->actor.out, 0, 1);
  if (!discrete) put_action(policy, action);
  return CEL_OK;
}

/// Checks that the file has what drawing needs. Errors: CEL_E_UNSUPPORTED.
static CelStatus check_sample(const CelPolicy *policy) {
  if (policy->sde)
    return cel_fail(CEL_E_UNSUPPORTED, "the policy has state-dependent exploration, whose noise "
                                       "depends on the episode; use cel_policy_act");
  const bool sigma = !policy->sampler && !policy->dist.deterministic;
  if (sigma && !celi_dist_discrete(&policy->dist) && policy->dist.free_log_std && !policy->log_std)
    return cel_fail(CEL_E_UNSUPPORTED,
                    "the file has no sigma of the policy, neither as outputs of the actor nor as a "
                    "tensor \"actor.log_std\"; use cel_policy_act");
  return CEL_OK;
}

CelStatus cel_policy_sample_noise(CelPolicy *policy, const void *obs, const float *noise,
                                  void *action) {
  CELI_NEED(policy);
  CELI_NEED(obs);
  CELI_NEED(noise);
  CELI_NEED(action);
  CELI_FLOATS(CELI_FLUSH);
  const float *head;
  CELI_TRY(check_sample(policy));
  for (int64_t i = 0; i < policy->W; i++)
    if (!isfinite(noise[i]))
      return cel_fail(CEL_E_NAN, "element %lld of the noise is %g; it must be finite", (long long)i,
                      (double)noise[i]);
  CELI_TRY(forward(policy, obs, noise, &head));
  if (policy->sampler) {
    celi_ops()->tanh(policy->out, head, policy->A);
    put_action(policy, action);
    return CEL_OK;
  }
  const bool discrete = celi_dist_discrete(&policy->dist);
  float *logits = celi_pass_output(&policy->pass);
  for (int64_t i = 0; discrete && policy->logit_scale > 0 && i < policy->A; i++) {
    logits[i] *= policy->logit_scale;
    if (!isfinite(logits[i]))
      return cel_fail(CEL_E_NAN, "output %lld of the policy times its logit_scale %g is %g",
                      (long long)i, (double)policy->logit_scale, (double)logits[i]);
  }
  celi_dist_draw_rows(&policy->dist, policy->log_std, discrete ? action : policy->out, policy->A,
                      head, policy->actor.out, noise, policy->W, 0, 1);
  if (!discrete) put_action(policy, action);
  return CEL_OK;
}

CelStatus cel_policy_sample(CelPolicy *policy, const void *obs, CelRng *rng, void *action) {
  CELI_NEED(policy);
  CELI_NEED(obs);
  CELI_NEED(rng);
  CELI_NEED(action);
  CELI_FLOATS(CELI_FLUSH);
  enum { DIGITS = 1 << 24 }; // precision of a float, so that no uniform number rounds to 1
  const float none = 0;      // a deterministic policy needs no noise
  for (int64_t i = 0; i < policy->W; i++)
    policy->noise[i] = celi_dist_discrete(&policy->dist)
                           ? (float)cel_rng_below(rng, DIGITS) / (float)DIGITS
                           : (float)cel_rng_normal(rng);
  return cel_policy_sample_noise(policy, obs, policy->noise ? policy->noise : &none, action);
}
