/// The model file: what its metadata say, written by agents and read by policies and exporters.
///
/// A model is a safetensors file with the actor's parameters, the normalizer's tensors and metadata.
/// The parameters are named as celi_net_declare names them: "actor.L.weight" (1, in, out) and
/// "actor.L.bias" (1, out) of dense layer L, "actor.L.norm.weight" of the layer norm behind it, and
/// so on. Their names give the list of layers. "activation" in the policy's JSON is the activation
/// behind every dense layer but the last, after its normalization. Metadata: "format" = CELI_MODEL_FORMAT, "version", "algo", the spaces
/// and the policy as JSON ("observation", "action", "policy"), and "config.FIELD" for every field.
/// Files come from anywhere, so nothing is believed before it is checked.
#ifndef CELI_MODEL_H
#define CELI_MODEL_H
#include "celsius/safetensors.h"
#include "celsius/space.h"
#include "nn/dist.h"
#include "nn/net.h"
#include "ops/ops.h"

#define CELI_MODEL_FORMAT "celsius-model"
#define CELI_CHECKPOINT_FORMAT "celsius-checkpoint" ///< holds a model too

/// A space as one line of JSON: {"parts": [{"name", "kind", "type", "shape", ...}]}; bounds are a number
/// where all elements share it and a list otherwise, infinities are "inf" and "-inf", and floats
/// round-trip. *out is the caller's to free. Errors: as cel_space_check, CEL_E_MEMORY.
CelStatus celi_space_to_json(const CelSpace *space, char **out) CEL_WARN_UNUSED;
/// The space back, checked. Errors: CEL_E_FORMAT (what is wrong and in which part), as cel_space_check,
/// CEL_E_MEMORY.
CelStatus celi_space_from_json(CelSpace *space, const char *text) CEL_WARN_UNUSED;

/// What the actor's output means.
typedef struct CeliPolicySpec {
  CeliDistKind kind;
  CeliActivation activation; ///< of hidden layers
  int64_t A;                 ///< action dimension, or number of choices
  /// A network that turns noise into actions: it takes A standard normals behind the observation and gives u with
  /// a = tanh(u); kind is then CELI_SQUASHED_GAUSSIAN, whose mode is that of no noise.
  bool sampler;
  double log_std_min, log_std_max; ///< clamp of a Gaussian's log sigma, where min < max
  double
      logit_scale; ///< choices are drawn from logits that are the output times this; 0 counts as 1
} CeliPolicySpec;
/// {"kind": "squashed_gaussian", "activation": "relu", "action_dim": 1}, and "log_std_min", "log_std_max",
/// "logit_scale" where they are set; a sampler's kind is "sampler". *out is the caller's to free.
/// Errors: CEL_E_RANGE (A < 1), CEL_E_MEMORY.
CelStatus celi_policy_to_json(const CeliPolicySpec *spec, char **out) CEL_WARN_UNUSED;
/// Unknown keys are passed over: a later version may add some. Errors: CEL_E_FORMAT, CEL_E_NAME (unknown
/// kind or activation: names those that are known), CEL_E_MEMORY.
CelStatus celi_policy_from_json(CeliPolicySpec *spec, const char *text) CEL_WARN_UNUSED;

/// One layer of a saved network, in the order of the list.
typedef struct CeliModelLayer {
  CeliLayer layer;
  int index; ///< of the last dense layer up to this one
  int64_t in, out;
  const float *param[CELI_LAYER_PARAMS]; ///< shapes: layer.kind->shape; or NULL
  const float *state[CELI_LAYER_PARAMS]; ///< (out,) running statistics, or NULL
} CeliModelLayer;

/// A model as it is in its file, checked whole: what the actor computes from an observation o is
///   x = clip((o - obs_shift) obs_scale, -obs_clip, obs_clip)     when observations are normalised
///   x = [x, noise]                                               of a sampler
///   x = layer_l(x)                                               for l = 0 .. n - 1
///   y = x, of which the first A are the mean (or the logits)
///   action = clip(action_shift + action_scale * (tanh(y) | y), action_low, action_high); argmax y; of several
///   choices an argmax each; bits y > 0
typedef struct CeliModel {
  CelSafetensors *file; ///< everything below points into it
  const char *version, *algo;
  CelSpace observation, action;
  CeliPolicySpec policy;
  int64_t O, noise; ///< numbers in an observation; behind it, of a sampler
  int n;            ///< layers; the last is dense
  CeliModelLayer layer[CELI_LAYERS_MAX];
  int64_t in, out;                    ///< O + noise; A, or more where sigma follows
  const float *obs_shift, *obs_scale; ///< (O,), or NULL
  float obs_clip;
  bool discrete;        ///< actions are choices or bits
  int64_t K;            ///< numbers in an action: A, 1 of one choice, one a choice of several
  const float *choices; ///< several choices: (K,) how many there are of each, else NULL
  const float *action_shift, *action_scale; ///< (A,), NULL for choices and bits
  const float *action_low,
      *action_high;     ///< (A,) bounds of continuous actions, NULL where none is finite
  const float *log_std; ///< (A,) free log sigma, or NULL
  bool sde; ///< its noise belongs to an episode: generalised state-dependent exploration
} CeliModel;

/// Opens a model file or a checkpoint. After an error there is nothing to close.
/// Errors: CEL_E_IO, CEL_E_CORRUPT, CEL_E_FORMAT (not a model; what is missing), CEL_E_SHAPE (layers that do not fit
/// together or to the spaces: names them), CEL_E_NAN (a parameter that is not finite), CEL_E_UNSUPPORTED,
/// CEL_E_MEMORY; all name the file.
CelStatus celi_model_open(CeliModel *model, const char *path) CEL_WARN_UNUSED;
void celi_model_close(CeliModel *model);

#endif
