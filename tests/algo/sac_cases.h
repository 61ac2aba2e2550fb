/// The agents that test_sac.c holds against PyTorch, and how each is brought to one update.
#ifndef SAC_CASES_H
#define SAC_CASES_H
#include "celsius/agent.h"
#include "celsius/sac.h"

typedef struct SacCase {
  const char *name;
  const char *settings[8][2]; ///< fields that differ from small_config()
} SacCase;

static const SacCase sac_cases[] = {
    {"squashed", {{"policy", "squashed_gaussian"}}},
    {"fixed-alpha", {{"ent_coef", "0.2"}, {"activation", "tanh"}}},
    {"gaussian", {{"policy", "gaussian"}, {"activation", "silu"}}},
    {"mean-of-three", {{"n_critics", "3"}, {"critic_reduce", "mean"}}},
    {"layer-norm", {{"layer_norm", "true"}, {"activation", "silu"}}},
    {"three-steps", {{"n_steps", "3"}, {"activation", "tanh"}}},
    {"gsde", {{"noise", "gsde"}, {"activation", "tanh"}, {"log_std_init", "-1"}}},
    {"one-layer", {{"net_arch", "9"}}},
};
enum { N_SAC_CASES = sizeof sac_cases / sizeof sac_cases[0] };

#endif
