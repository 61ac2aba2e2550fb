/// Names for the fields that describe a learner's neural networks.
#ifndef CELSIUS_NETWORK_H
#define CELSIUS_NETWORK_H
#include "celsius/status.h"
CEL_BEGIN

/// Activation function of the hidden layers.
typedef enum CelActivation {
  CEL_ACTIVATION_RELU = 0,      ///< max(0, x)
  CEL_ACTIVATION_TANH = 1,      ///< tanh(x)
  CEL_ACTIVATION_SILU = 2,      ///< x / (1 + exp(-x))
  CEL_ACTIVATION_GELU = 3,      ///< x Phi(x), Phi the standard normal distribution function
  CEL_ACTIVATION_LEAKY_RELU = 4 ///< x above 0, 0.01 x below
} CelActivation;
CEL_ENUM_IS_INT32(CelActivation);

/// Distribution of the initial weights.
typedef enum CelInit {
  CEL_INIT_KAIMING_UNIFORM = 0, ///< weights and biases uniform, as PyTorch's nn.Linear sets them
  CEL_INIT_ORTHOGONAL = 1,      ///< orthogonal weights, zero biases
  CEL_INIT_XAVIER_UNIFORM = 2   ///< Glorot's uniform weights, zero biases
} CelInit;
CEL_ENUM_IS_INT32(CelInit);

/// Normalization of the hidden layers.
typedef enum CelNorm {
  CEL_NORM_NONE = 0,         ///< none
  CEL_NORM_LAYER = 1,        ///< layer norm: over the units of a row
  CEL_NORM_BATCH = 2,        ///< batch norm: over the rows of a batch
  CEL_NORM_BATCH_RENORM = 3, ///< batch norm whose training follows its running statistics
  CEL_NORM_RMS = 4           ///< RMS norm: over the units of a row, without their mean
} CelNorm;
CEL_ENUM_IS_INT32(CelNorm);

/// Which dense layers have weights of norm 1 for each output.
typedef enum CelWeightNorm {
  CEL_WEIGHT_NORM_NONE = 0,   ///< none
  CEL_WEIGHT_NORM_HIDDEN = 1, ///< hidden layers, each bias counted as one more weight
  CEL_WEIGHT_NORM_ALL = 2     ///< also the last layer, without its bias
} CelWeightNorm;
CEL_ENUM_IS_INT32(CelWeightNorm);

/// Where a normalization stands in each hidden layer.
typedef enum CelNormPlace {
  CEL_NORM_PLACE_BEFORE = 0, ///< before the activation
  CEL_NORM_PLACE_AFTER = 1   ///< behind the activation
} CelNormPlace;
CEL_ENUM_IS_INT32(CelNormPlace);

/// Which networks have a normalization.
typedef enum CelNormNetworks {
  CEL_NORM_NETWORKS_ALL = 0,    ///< critics and policy
  CEL_NORM_NETWORKS_CRITICS = 1 ///< critics
} CelNormNetworks;
CEL_ENUM_IS_INT32(CelNormNetworks);

CEL_END
#endif
