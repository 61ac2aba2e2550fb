/// What a config of soft actor-critic describes. The functions are in sac_config.c.
#ifndef CELI_SAC_H
#define CELI_SAC_H
#include "algo/critic.h"
#include "algo/off_policy.h"
#include "celsius/sac.h"

/// The policy. Errors: CEL_E_RANGE (log_std_min; use_sde with noise, sde_sample_freq or net_arch).
CelStatus celi_sac_policy(CelAgent *agent, CeliPolicyOptions *policy) CEL_WARN_UNUSED;
/// The critics. Errors: CEL_E_RANGE (quantiles to drop).
CelStatus celi_sac_critics(const CelSacConfig *config, CeliCriticHead *head) CEL_WARN_UNUSED;

#endif
