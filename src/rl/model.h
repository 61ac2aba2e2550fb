/// The model file: what its metadata say, written by agents and read by policies and exporters.
///
/// A model is a safetensors file with the actor's layers ("actor.L.weight" (1, in, out), "actor.L.bias"
/// (1, out), and "actor.L.norm.weight", "actor.L.norm.bias" where there is layer norm), the
/// normaliser's tensors, and metadata: "format" = CELI_MODEL_FORMAT, "version", "algo", the spaces
/// and the policy as JSON ("observation", "action", "policy"), and "config.FIELD" for every field.
/// Files come from anywhere, so nothing is believed before it is checked.
#ifndef CELI_MODEL_H
#define CELI_MODEL_H
#include "celsius/safetensors.h"
#include "celsius/space.h"
#include "nn/dist.h"
#include "ops/ops.h"

#define CELI_MODEL_FORMAT "celsius-model"

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
} CeliPolicySpec;
/// {"kind": "squashed_gaussian", "activation": "relu", "action_dim": 1}. *out is the caller's to free.
/// Errors: CEL_E_RANGE (A < 1), CEL_E_MEMORY.
CelStatus celi_policy_to_json(const CeliPolicySpec *spec, char **out) CEL_WARN_UNUSED;
/// Unknown keys are passed over: a later version may add some. Errors: CEL_E_FORMAT, CEL_E_NAME (unknown
/// kind or activation: names those that are known), CEL_E_MEMORY.
CelStatus celi_policy_from_json(CeliPolicySpec *spec, const char *text) CEL_WARN_UNUSED;

#endif
