/// Exports a trained policy to other software: C99, ONNX, PyTorch.
///
/// Every format computes the policy's mode, as cel_policy_act does, up to rounding: it normalizes
/// the observation, runs the network, squashes, scales, and clips to the action bounds as float32.
/// A sampler (soft Q-learning with continuous actions) also takes noise, as
/// cel_policy_sample_noise does: standard normals. Zeros give the action of cel_policy_act.
///
/// "c": OUT.h and OUT.c, plain C99 (also C++). No allocation, no threads, no state. The code calls
///   at most tanhf, expf, erfcf and sqrtf. One function, by action space:
///     void name_act(const float obs[NAME_OBS], float action[NAME_ACTION])      real numbers
///     int name_act(const float obs[NAME_OBS])                                  one discrete action
///     void name_act(const float obs[NAME_OBS], int action[NAME_ACTION])        several, or bits
///     void name_act(const float obs[NAME_OBS], const float noise[NAME_NOISE],
///                   float action[NAME_ACTION])                                 a sampler
/// "onnx": input "observation" (batch, O) float32, output "action" (batch, A) float32; int64 of
///   shape (batch,) for one discrete action, (batch, K) for several or bits. A sampler has a second
///   input "noise" (batch, A) float32. Operator set 13 (17 with layer norm,
///   20 with GELU).
/// "safetensors": a PyTorch state dict with weights (out, in):
///   - "net.I.weight" and "net.I.bias" of the hidden layers, numbered as in
///     nn.Sequential(Linear, [LayerNorm, BatchNorm1d or RMSNorm,] activation, ...); batch norm
///     also has "net.I.running_mean" and "net.I.running_var". Networks in another order have a
///     list "layers" in the metadata "policy" (docs/files.md), whose entry I is layer "net.I";
///   - "mean.weight" ("logits.weight" for discrete actions and bits, "output.weight" for a
///     sampler), and "log_std.weight" where sigma depends on the state. Where the metadata "policy"
///     has "clip_mean", the mean is clipped to +- that;
///   - "choices" (K,) int64, the number of actions of each of several discrete actions;
///   - "obs_shift", "obs_scale", "obs_clip" where observations are normalized;
///   - "action_shift", "action_scale", and "action_low", "action_high" where there are bounds.
///   examples/torch/policy.py is a module that loads it.
#ifndef CELSIUS_EXPORT_H
#define CELSIUS_EXPORT_H
#include "celsius/status.h"
#include <stdbool.h>
CEL_BEGIN

/// An export format. Static.
typedef struct CelExportFormat {
  const char *name;      ///< "c"
  const char *extension; ///< of the file that is written, ".c"
  const char *doc;       ///< one line
  bool available;        ///< false: this build lacks a library that the format needs
} CelExportFormat;
/// Returns format i, or NULL past the end.
CEL_API const CelExportFormat *cel_export_format(int i);

/// Reads a model file or a checkpoint and writes its policy to `out`, atomically. `name` is the
/// prefix of the C functions and the name of the ONNX graph; NULL: made from the file's name. With
/// format "c", `out` may have the ending ".c", ".h" or none.
/// Errors: CEL_E_NAME (unknown format, suggests the nearest; a name that is no C identifier),
/// CEL_E_UNSUPPORTED (not in this build), CEL_E_IO (path and reason), CEL_E_MEMORY, and as
/// cel_policy_load.
CEL_API CelStatus cel_export(const char *model, const char *format, const char *out,
                             const char *name) CEL_WARN_UNUSED;

CEL_END
#endif
