/// Describes a saved model: algorithm, spaces, layers.
#ifndef CELSIUS_MODEL_H
#define CELSIUS_MODEL_H
#include "celsius/status.h"
#include <stdbool.h>
#include <stdint.h>
CEL_BEGIN

/// The most layers of a network, activations and normalizations included.
#define CEL_MODEL_LAYERS_MAX 100

/// One layer of the policy's network.
typedef struct CelModelLayer {
  /// "dense", "layer_norm", "batch_norm", "batch_renorm", "rms_norm", "add" (of an earlier layer),
  /// or an activation such as "relu"
  char kind[24];
  int64_t in, out;    ///< input and output width
  int64_t parameters; ///< trained numbers, such as weights and biases
} CelModelLayer;

/// A model file or a checkpoint, as cel_policy_load reads it.
typedef struct CelModelInfo {
  char version[64];                          ///< of the Celsius that wrote it
  char algo[64];                             ///< the algorithm, "sac"
  char policy[32];                           ///< "squashed_gaussian", "categorical", "sampler", ...
  char observation[128];                     ///< as cel_space_describe
  char action[128];                          ///< as cel_space_describe
  bool normalized_observation;               ///< observations are normalized and clipped first
  int n;                                     ///< layers
  CelModelLayer layer[CEL_MODEL_LAYERS_MAX]; ///< in their order
  int64_t parameters;                        ///< of all layers
} CelModelInfo;

/// Reads the description of a model file or checkpoint.
/// Errors: as cel_policy_load.
CEL_API CelStatus cel_model_info(const char *path, CelModelInfo *out) CEL_WARN_UNUSED;

CEL_END
#endif
