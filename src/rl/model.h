/// Model files: agents write them, policies and exporters read them.
///
/// A model is a safetensors file with the actor's parameters, the normalizer's tensors, and
/// metadata. Parameters have the names that celi_net_declare gives them: "actor.L.weight" (1, in,
/// out) and "actor.L.bias" (1, out) of dense layer L, "actor.L.norm.weight" of the layer norm
/// behind it, and so on. The names define the list of layers. "activation" in the policy's JSON
/// follows every dense layer but the last, after the layer's normalization. A network with another
/// order or other settings has its list as "layers" in the policy's JSON. Metadata:
/// - "format" = CELI_MODEL_FORMAT, "version", "algo"
/// - "observation", "action", "policy": the spaces and the policy as JSON
/// - "config.FIELD" for every field, except defaults of fields with omit_default
///
/// Files can come from anywhere, so everything is checked before it is used.
#ifndef CELI_MODEL_H
#define CELI_MODEL_H
#include "celsius/safetensors.h"
#include "celsius/space.h"
#include "nn/dist.h"
#include "nn/net.h"
#include "ops/ops.h"

#define CELI_MODEL_FORMAT "celsius-model"
#define CELI_CHECKPOINT_FORMAT "celsius-checkpoint" ///< also holds a model

/// A space as one line of JSON: {"parts": [{"name", "kind", "type", "shape", ...}]}. Bounds are one
/// number if all elements have the same, otherwise a list. Infinities are "inf" and "-inf". Reading
/// the JSON gives the same floats. The caller frees *out.
/// Errors: as cel_space_check, CEL_E_MEMORY.
CelStatus celi_space_to_json(const CelSpace *space, char **out) CEL_WARN_UNUSED;
/// Reads and checks a space.
/// Errors: CEL_E_FORMAT (names the part and the mistake), as cel_space_check, CEL_E_MEMORY.
CelStatus celi_space_from_json(CelSpace *space, const char *text) CEL_WARN_UNUSED;

/// What the actor's output means.
typedef struct CeliPolicySpec {
  CeliDistKind kind;
  CeliActivation activation; ///< of the hidden layers
  int64_t A;                 ///< action dimension, or number of discrete actions
  /// A network that turns noise into actions. Its input is the observation and A standard normals;
  /// its output is u with a = tanh(u). kind is then CELI_SQUASHED_GAUSSIAN. The mode uses zero
  /// noise.
  bool sampler;
  /// Every action is the mode. kind is then CELI_SQUASHED_GAUSSIAN, or CELI_CATEGORICAL, whose
  /// outputs are values of the actions.
  bool deterministic;
  double log_std_min, log_std_max; ///< bounds of a Gaussian's log sigma, if min < max
  double logit_scale;      ///< discrete actions: logits are the output times this; 0 means 1
  double clip_mean;        ///< the mean is clipped to +-this; 0: it is not
  const CeliLayer *layers; ///< (n_layers,) to write: as celi_net_layers; NULL: names define them
  int n_layers;
} CeliPolicySpec;
/// Name of the kind in model files: "gaussian", "squashed_gaussian", "sampler", "deterministic" (a
/// squashed Gaussian without sigma), "greedy" (a categorical), ...
const char *celi_policy_name(const CeliPolicySpec *spec);
/// The policy as JSON, such as
///   {"kind": "squashed_gaussian", "activation": "relu", "action_dim": 1}
/// "log_std_min", "log_std_max", "logit_scale" and "clip_mean" are added if they are set. A
/// sampler's kind is "sampler". "layers" is added if the names of tensors do not define the list.
/// An entry is the name of a kind or of the activation, or an object with "kind" and its settings:
///   ["batch_norm", "dense", "relu", {"kind": "batch_norm", "epsilon": 0.001}, "dense"]
/// The caller frees *out.
/// Errors: CEL_E_RANGE (A < 1), CEL_E_MEMORY.
CelStatus celi_policy_to_json(const CeliPolicySpec *spec, char **out) CEL_WARN_UNUSED;
/// Reads a policy. Ignores unknown keys, because a later version may add some.
/// Errors: CEL_E_FORMAT, CEL_E_NAME (unknown kind or activation; lists the known ones),
/// CEL_E_MEMORY.
CelStatus celi_policy_from_json(CeliPolicySpec *spec, const char *text) CEL_WARN_UNUSED;
/// Reads "layers" of a policy. Widths of dense layers are 0. n = 0: the text has no list.
/// Errors: CEL_E_FORMAT, CEL_E_NAME (unknown layer).
CelStatus celi_policy_layers_from_json(CeliLayer layers[CELI_LAYERS_MAX], int *n,
                                       const char *text) CEL_WARN_UNUSED;

/// One layer of a saved network, in order.
typedef struct CeliModelLayer {
  CeliLayer layer;
  int index; ///< index of the last dense layer up to this one
  int64_t in, out;
  const float *param[CELI_LAYER_PARAMS]; ///< shapes: layer.kind->shape; or NULL
  const float *state[CELI_LAYER_PARAMS]; ///< (out,) running statistics, or NULL
} CeliModelLayer;

/// A model from a file, completely checked. From an observation o the actor computes
///   x = clip((o - obs_shift) obs_scale, -obs_clip, obs_clip)     if observations are normalized
///   x = [x, noise]                                               if it is a sampler
///   x = layer_l(x)                                               for l = 0 .. n - 1
///   y = x, whose first A elements are the mean (or the logits)
/// and then the action:
/// - continuous: clip(action_shift + action_scale * (tanh(y) or y), action_low, action_high)
/// - discrete: argmax y; multi-discrete: one argmax per entry
/// - binary: y > 0
typedef struct CeliModel {
  CelSafetensors *file; ///< owns the memory that the pointers below use
  const char *version, *algo;
  CelSpace observation, action;
  CeliPolicySpec policy;
  int64_t O, noise; ///< numbers per observation; noise after it, for a sampler
  int n;            ///< layers; the last is dense
  CeliModelLayer layer[CELI_LAYERS_MAX];
  int64_t in, out; ///< O + noise; A, or more if sigma or, of a greedy policy, V are outputs too
  const float *obs_shift, *obs_scale; ///< (O,), or NULL
  float obs_clip;
  bool discrete;        ///< actions are discrete, multi-discrete or binary
  int64_t K;            ///< numbers per action: A; 1 if discrete; one per entry if multi-discrete
  const float *choices; ///< multi-discrete: (K,) number of values of each entry, else NULL
  const float *action_shift, *action_scale; ///< (A,), or NULL for actions that are not continuous
  const float *action_low,
      *action_high;     ///< (A,) bounds of continuous actions, NULL if none is finite
  const float *log_std; ///< (A,) free log sigma, or NULL
  bool sde;             ///< gSDE: its noise is a fixed function for many steps
} CeliModel;

/// Opens a model file or a checkpoint. After an error there is nothing to close. All errors name
/// the file.
/// Errors: CEL_E_IO, CEL_E_CORRUPT, CEL_E_FORMAT (not a model, or something is missing),
/// CEL_E_SHAPE (layers do not fit each other or the spaces), CEL_E_NAN (a parameter is not finite),
/// CEL_E_UNSUPPORTED, CEL_E_MEMORY.
CelStatus celi_model_open(CeliModel *model, const char *path) CEL_WARN_UNUSED;
void celi_model_close(CeliModel *model);

#endif
