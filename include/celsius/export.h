/// Exporting a trained policy to where Celsius is not: C99, ONNX, PyTorch.
///
/// All formats compute the policy's mode, the same that cel_policy_act does (to rounding): normalise the
/// observation, run the network, squash, scale, clip to the action's bounds as float32. A sampler's take the noise that an action is made of
/// as well, standard normals, as cel_policy_sample_noise does; zeros give what cel_policy_act does.
///
/// "c": OUT.h and OUT.c, plain C99 (also C++) without allocation, threads or any state; of the standard
///   library at most tanhf, expf and sqrtf. One function, void name_act(const float obs[NAME_OBS], float
///   action[NAME_ACTION]); a policy over one choice has int name_act(const float obs[NAME_OBS]), over several
///   or bits void name_act(const float obs[NAME_OBS], int action[NAME_ACTION]), a sampler
///   void name_act(const float obs[NAME_OBS], const float noise[NAME_NOISE], float action[NAME_ACTION]).
/// "onnx": input "observation" (batch, O) float32, output "action" (batch, A) float32; (batch,) int64
///   for one choice, (batch, K) int64 for several or bits; a sampler's second input is "noise" (batch, A) float32. Operator set 13 (17 with layer norm).
/// "safetensors": a PyTorch state dict, weights (out, in): "net.I.weight" and "net.I.bias" of the hidden layers as
///   nn.Sequential(Linear, [LayerNorm,] activation, ...) numbers them, "mean.weight" ("logits" for
///   choices and bits, "output" for a sampler), "choices" (K,) int64 for several choices, "log_std.weight" where sigma depends on the state; and the buffers "obs_shift", "obs_scale",
///   "obs_clip" where observations are normalised, "action_shift", "action_scale", and "action_low", "action_high"
///   where there are bounds.
///   examples/torch/policy.py is a module that loads it.
#ifndef CELSIUS_EXPORT_H
#define CELSIUS_EXPORT_H
#include "celsius/status.h"
#include <stdbool.h>
CEL_BEGIN

/// A format that cel_export writes.
typedef struct CelExportFormat {
  const char *name;      ///< "c"
  const char *extension; ///< of the file that is written, ".c"
  const char *doc;       ///< one line
  bool available;        ///< false: this build was made without what it needs
} CelExportFormat;
/// Format i; NULL past the end.
CEL_API const CelExportFormat *cel_export_format(int i);

/// Reads a model file (or a checkpoint) and writes its policy to `out`, atomically. `name` is the prefix of
/// the C functions and the graph's name in ONNX; NULL: made from the file's name. With format "c", `out` may be
/// given with or without ".c" or ".h".
/// Errors: CEL_E_NAME (unknown format: names the nearest; a name that is no C identifier), CEL_E_UNSUPPORTED (not in
/// this build), CEL_E_IO (path and reason), CEL_E_MEMORY, and as cel_policy_load.
CEL_API CelStatus cel_export(const char *model, const char *format, const char *out,
                             const char *name) CEL_WARN_UNUSED;

CEL_END
#endif
