/// Field table of soft actor-critic (SAC): defaults, ranges, help. The struct is in celsius/sac.h.
/// Also what a config describes: sac.h.
#include "algo/categorical.h"
#include "algo/fields.h"
#include "algo/sac.h"
#include "base/base.h"
#include "base/floats.h"

#include <math.h>
#include <string.h>

#define CONFIG CelSacConfig

// clang-format off
const CelField celi_sac_fields[] = {
#include "algo/fields/off_policy.inc"
#include "algo/fields/temperature.inc"
#include "algo/fields/critics.inc"
#include "algo/fields/nstep.inc"
#include "algo/fields/gaussian.inc"
#define NOISE "none"
#define NOISE_CHOICES "none|normal|ou|gsde"
#define NOISE_DOC                                                                                  \
  "exploration noise in addition to the policy's own; use ou when exploration must keep "          \
  "one direction for a while; gsde: old name of use_sde"
#include "algo/fields/noise.inc"
    {.name = "use_sde", .type = CEL_FIELD_BOOL, .offset = F(use_sde), .def = "false",
     .omit_default = true,
     .doc = "generalized state-dependent exploration (gSDE) instead of the policy's own noise: a "
            "fixed function of the last hidden layer for several steps"},
    {.name = "log_std_init", .type = CEL_FIELD_DOUBLE, .offset = F(log_std_init), .def = "-3",
     .min = -50, .max = 50,
     .doc = "initial log sigma of use_sde; raise it to explore more widely"},
    {.name = "sde_sample_freq", .type = CEL_FIELD_INT, .offset = F(sde_sample_freq), .def = "-1",
     .min = -1, .max = 1e9, .unit = "steps",
     .doc = "steps between new noise functions of use_sde; -1: one every train_freq steps"},
    {.name = "critic", .type = CEL_FIELD_ENUM, .offset = F(critic), .def = "mean",
     .choices = "mean|quantile|categorical", .omit_default = true,
     .doc = "what critics learn: the mean Q, quantiles of the return (TQC), for higher returns, or "
            "probabilities of fixed values (XQC)",
     .source = "Kuznetsov et al., 2020"},
    {.name = "n_quantiles", .type = CEL_FIELD_INT, .offset = F(n_quantiles), .def = "25", .min = 1,
     .max = 1000, .omit_default = true,
     .doc = "quantiles of each critic"},
    {.name = "top_quantiles_to_drop_per_net", .type = CEL_FIELD_INT,
     .offset = F(top_quantiles_to_drop_per_net), .def = "2", .min = 0, .max = 999,
     .omit_default = true,
     .doc = "largest quantiles that the target leaves out, for each critic; raise it when Q "
            "values are too large"},
    {.name = "use_sde_at_warmup", .type = CEL_FIELD_BOOL, .offset = F(use_sde_at_warmup),
     .def = "false", .omit_default = true,
     .doc = "with use_sde: act by the policy before learning_starts too, instead of uniformly"},
    {.name = "use_expln", .type = CEL_FIELD_BOOL, .offset = F(use_expln), .def = "false",
     .omit_default = true,
     .doc = "with use_sde: sigma is 1 + log(1 + log sigma) where log sigma is above 0, so that it "
            "grows slowly"},
    {.name = "clip_mean", .type = CEL_FIELD_DOUBLE, .offset = F(clip_mean), .def = "0", .min = 0,
     .max = 1e9, .omit_default = true,
     .doc = "with use_sde: bound on the absolute value of the mean before tanh; 0: none; "
            "Stable-Baselines3 uses 2"},
    {.name = "policy_delay", .type = CEL_FIELD_INT, .offset = F(policy_delay), .def = "1",
     .min = 1, .max = 1e6, .unit = "updates", .omit_default = true,
     .doc = "updates of the critics for each of the policy and a learned temperature; raise it "
            "when the critics lag behind the policy",
     .source = "Fujimoto et al., 2018"},
    {.name = "target", .type = CEL_FIELD_ENUM, .offset = F(target), .def = "polyak",
     .choices = "polyak|none", .omit_default = true,
     .doc = "values in the targets of critics: of target networks, or of the critics themselves "
            "(CrossQ), which needs norm batch or batch_renorm to be stable",
     .source = "Bhatt et al., 2024"},
    {.name = "norm", .type = CEL_FIELD_ENUM, .offset = F(norm), .def = "none",
     .choices = "none|layer|batch|batch_renorm|rms", .omit_default = true,
     .doc = "normalization of the hidden layers; batch and batch_renorm need target none, and "
            "learn from (s, a) and (s', a') in one pass",
     .source = "Bhatt et al., 2024"},
    {.name = "norm_networks", .type = CEL_FIELD_ENUM, .offset = F(norm_networks), .def = "all",
     .choices = "all|critics", .omit_default = true,
     .doc = "networks that norm applies to"},
    {.name = "norm_place", .type = CEL_FIELD_ENUM, .offset = F(norm_place), .def = "before",
     .choices = "before|after", .omit_default = true,
     .doc = "place of norm in each hidden layer: before the activation, or after it (CrossQ)"},
    {.name = "norm_input", .type = CEL_FIELD_BOOL, .offset = F(norm_input), .def = "false",
     .omit_default = true,
     .doc = "apply norm to the inputs of the networks, too"},
    {.name = "norm_momentum", .type = CEL_FIELD_AUTO, .offset = F(norm_momentum), .def = "auto",
     .min = 1e-9, .max = 1, .omit_default = true,
     .doc = "how much of a batch's mean and variance the running ones take in each update; auto: "
            "0.1 for norm batch, 0.01 for batch_renorm"},
    {.name = "norm_warmup", .type = CEL_FIELD_INT, .offset = F(norm_warmup), .def = "100000",
     .min = 0, .max = 1e12, .unit = "updates", .omit_default = true,
     .doc = "updates in which batch_renorm is batch norm, until its running statistics have "
            "settled",
     .source = "Bhatt et al., 2024"},
    {.name = "dropout", .type = CEL_FIELD_DOUBLE, .offset = F(dropout), .def = "0", .min = 0,
     .max = 0.99, .omit_default = true,
     .doc = "probability that a unit of the critics' hidden layers is dropped in updates (DroQ); "
            "take 0.01 with norm layer and many gradient_steps",
     .source = "Hiraoka et al., 2022"},
    {.name = "critic_subset", .type = CEL_FIELD_INT, .offset = F(critic_subset), .def = "0",
     .min = 0, .max = 64, .omit_default = true,
     .doc = "critics drawn for the target of each update, which is their minimum, while the policy "
            "follows the mean of all (REDQ); 0: critic_reduce of all in both",
     .source = "Chen et al., 2021"},
    {.name = "n_atoms", .type = CEL_FIELD_INT, .offset = F(n_atoms), .def = "101", .min = 2,
     .max = CELI_ATOMS_MAX, .omit_default = true,
     .doc = "values of a categorical critic, at equal distances from v_min to v_max",
     .source = "Bellemare et al., 2017"},
    {.name = "v_min", .type = CEL_FIELD_DOUBLE, .offset = F(v_min), .def = "-5", .min = -1e9,
     .max = 1e9, .unit = "reward", .omit_default = true,
     .doc = "smallest value of a categorical critic; soft returns below it count as it"},
    {.name = "v_max", .type = CEL_FIELD_DOUBLE, .offset = F(v_max), .def = "5", .min = -1e9,
     .max = 1e9, .unit = "reward", .omit_default = true,
     .doc = "largest value of a categorical critic; soft returns above it count as it"},
    {.name = "weight_norm", .type = CEL_FIELD_ENUM, .offset = F(weight_norm), .def = "none",
     .choices = "none|hidden|all", .omit_default = true,
     .doc = "dense layers whose weights have norm 1 for each output, by a projection after each "
            "step of the optimizer; use it with norm batch",
     .source = "Palenicek et al., 2025"},
    {.name = "target_entropy_factor", .type = CEL_FIELD_DOUBLE, .offset = F(target_entropy_factor),
     .def = "1", .min = 0, .max = 100, .omit_default = true,
     .doc = "target_entropy auto is -target_entropy_factor A for A action dimensions"},
    {.name = "residual", .type = CEL_FIELD_BOOL, .offset = F(residual), .def = "false",
     .omit_default = true,
     .doc = "residual blocks instead of plain hidden layers, one for each hidden width; the widths "
            "of a network must be equal (SimBa)",
     .source = "Lee et al., 2025"},
    {0},
};
// clang-format on

const CelField *cel_sac_fields(void) {
  return celi_sac_fields;
}

CelSacConfig cel_sac_config_default(void) {
  CELI_FLOATS(CELI_IEEE);
  CelSacConfig config;
  memset(&config, 0, sizeof config);
  cel_fields_default(celi_sac_fields, &config);
  return config;
}

// ---- what it describes

/// Errors: CEL_E_RANGE (norm with layer_norm, or with target networks).
static CelStatus check_norm(const CelSacConfig *c) {
  if (c->norm != CEL_NORM_NONE && c->common.layer_norm)
    return cel_fail(CEL_E_RANGE, "sac: layer_norm is the same as norm layer; set only one of them");
  if (celi_sac_joint(c) && c->target != CEL_TARGET_NETWORK_NONE)
    return cel_fail(CEL_E_RANGE,
                    "sac: norm %s needs target none, because target networks have no batch "
                    "statistics of their own",
                    c->norm == CEL_NORM_BATCH ? "batch" : "batch_renorm");
  if (c->residual && c->norm_input)
    return cel_fail(CEL_E_RANGE, "sac: norm_input with residual blocks is not supported; turn on "
                                 "normalize_observation instead");
  return CEL_OK;
}

bool celi_sac_joint(const CelSacConfig *c) {
  return c->norm == CEL_NORM_BATCH || c->norm == CEL_NORM_BATCH_RENORM;
}

/// norm: whether `norm` applies to the network.
static void set_norm(const CelSacConfig *c, CeliMlpSpec *net, bool norm) {
  net->weight_norm = (CeliMlpWeightNorm)c->weight_norm;
  net->residual = c->residual;
  if (!norm || c->norm == CEL_NORM_NONE) return;
  net->norm = (CeliMlpNorm){.kind = (CeliNormKind)c->norm,
                            .place = (CeliNormPlace)c->norm_place,
                            .input = c->norm_input,
                            .momentum = isnan(c->norm_momentum) ? 0 : c->norm_momentum,
                            .warmup = c->norm_warmup > 0 ? c->norm_warmup : -1};
  // Where norm follows a dense layer, it removes the bias.
  net->no_bias = celi_sac_joint(c) && c->norm_place == CEL_NORM_PLACE_BEFORE && !c->residual;
}

CelStatus celi_sac_policy(CelAgent *agent, CeliPolicyOptions *policy) {
  const CelSacConfig *c = agent->config;
  const bool old_name = c->noise == CEL_NOISE_GSDE, sde = c->use_sde || old_name;
  if (c->use_sde && c->noise != CEL_NOISE_NONE)
    return cel_fail(CEL_E_RANGE, "sac: use_sde replaces the policy's noise; set noise to none");
  if (old_name) celi_agent_renamed(agent, "noise gsde", "use_sde true");
  CELI_TRY(celi_off_policy_gaussian(policy, agent, &c->common, c->policy, c->log_std_min,
                                    c->log_std_max));
  CELI_TRY(check_norm(c));
  set_norm(c, &policy->net, c->norm_networks == CEL_NORM_NETWORKS_ALL);
  policy->dist.log_std_init = c->log_std_init;
  policy->noise = sde ? CELI_NOISE_NONE : (CeliNoiseKind)c->noise;
  policy->noise_sigma = c->noise_sigma, policy->noise_theta = c->noise_theta;
  policy->noise_dt = c->noise_dt;
  policy->sde_at_warmup = sde && c->use_sde_at_warmup;
  policy->sde_expln = c->use_expln, policy->clip_mean = c->clip_mean;
  return sde ? celi_off_policy_sde(policy, agent, &c->common, c->sde_sample_freq) : CEL_OK;
}

CeliMlpSpec celi_sac_critic_network(const CelSacConfig *c, int64_t in, int64_t out) {
  CeliMlpSpec spec = celi_off_policy_critic(&c->common, in, out);
  set_norm(c, &spec, true);
  spec.dropout = c->dropout;
  return spec;
}

CelStatus celi_sac_critics(const CelSacConfig *c, CeliCriticHead *head) {
  const int64_t drop = c->top_quantiles_to_drop_per_net;
  const bool quantile = c->critic == CEL_CRITIC_QUANTILE,
             categorical = c->critic == CEL_CRITIC_CATEGORICAL;
  if (quantile && drop >= c->n_quantiles)
    return cel_fail(
        CEL_E_RANGE,
        "sac: top_quantiles_to_drop_per_net is %lld; it must be below n_quantiles, %lld",
        (long long)drop, (long long)c->n_quantiles);
  if (c->critic_subset > c->n_critics)
    return cel_fail(CEL_E_RANGE, "sac: critic_subset is %lld; it must be at most n_critics, %lld",
                    (long long)c->critic_subset, (long long)c->n_critics);
  if (c->critic_subset > 0 && c->critic != CEL_CRITIC_MEAN)
    return cel_fail(CEL_E_RANGE, "sac: critic_subset needs critic mean; set it to 0");
  if (categorical && !((float)c->v_min < (float)c->v_max))
    return cel_fail(CEL_E_RANGE, "sac: v_min is %g; it must be below v_max, %g", c->v_min,
                    c->v_max);
  *head = (CeliCriticHead){.kind = c->critic,
                           .E = c->n_critics,
                           .M = quantile      ? c->n_quantiles
                                : categorical ? c->n_atoms
                                              : 1,
                           .v_min = (float)c->v_min,
                           .v_max = (float)c->v_max,
                           .drop = quantile ? c->n_critics * drop : 0,
                           .subset = c->critic_subset,
                           .mean = c->critic_subset || c->critic_reduce == CEL_CRITIC_REDUCE_MEAN};
  return CEL_OK;
}
