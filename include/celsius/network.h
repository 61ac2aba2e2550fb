/// Names for the fields that describe a learner's neural networks.
#ifndef CELSIUS_NETWORK_H
#define CELSIUS_NETWORK_H
#include "celsius/status.h"
CEL_BEGIN

/// Activation function of the hidden layers.
typedef enum CelActivation {
  CEL_ACTIVATION_RELU = 0, ///< max(0, x)
  CEL_ACTIVATION_TANH = 1, ///< tanh(x)
  CEL_ACTIVATION_SILU = 2  ///< x / (1 + exp(-x))
} CelActivation;
CEL_ENUM_IS_INT32(CelActivation);

/// Distribution of the initial weights.
typedef enum CelInit {
  CEL_INIT_KAIMING_UNIFORM = 0, ///< weights and biases uniform, as PyTorch's nn.Linear sets them
  CEL_INIT_ORTHOGONAL = 1,      ///< orthogonal weights, zero biases
  CEL_INIT_XAVIER_UNIFORM = 2   ///< Glorot's uniform weights, zero biases
} CelInit;
CEL_ENUM_IS_INT32(CelInit);

CEL_END
#endif
