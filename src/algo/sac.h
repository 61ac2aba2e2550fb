/// What a config of soft actor-critic describes. The functions are in sac_config.c.
#ifndef CELI_SAC_H
#define CELI_SAC_H
#include "algo/critic.h"
#include "algo/off_policy.h"
#include "celsius/sac.h"

/// Whether critics see (s, a) and (s', a') in one pass, because a normalization couples its rows.
bool celi_sac_joint(const CelSacConfig *config);
/// One critic's network, for E = 1.
CeliMlpSpec celi_sac_critic_network(const CelSacConfig *config, int64_t in, int64_t out);
/// The policy. Errors: CEL_E_RANGE (log_std_min; use_sde with noise, sde_sample_freq or net_arch;
/// norm with layer_norm or target networks).
CelStatus celi_sac_policy(CelAgent *agent, CeliPolicyOptions *policy) CEL_WARN_UNUSED;
/// The critics. Errors: CEL_E_RANGE (quantiles to drop, critic_subset,
/// v_min).
CelStatus celi_sac_critics(const CelSacConfig *config, CeliCriticHead *head) CEL_WARN_UNUSED;

#endif
