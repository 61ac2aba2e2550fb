/// Storm's explicit texts, for storm.c, storm_files.c and tests.
#ifndef CELSIUS_MDP_FORMAT_STORM_H
#define CELSIUS_MDP_FORMAT_STORM_H
#include "mdp/formats/formats.h"
#include "mdp/formats/prism.h"

/// Reads the texts. The structures of `texts` have rewards of transitions (0) and of states (1).
CelStatus celi_mdp_parse_storm(CelMdp **out, const CeliPrismTexts *texts,
                               const CelMdpLoadOptions *options) CEL_WARN_UNUSED;
/// Errors: CEL_E_UNSUPPORTED (the files cannot express the MDP).
CelStatus celi_mdp_check_storm(const CelMdp *mdp) CEL_WARN_UNUSED;
/// Writes .tra (0), .lab (3), or the rewards of transitions (1) or states (2) of a model.
void celi_mdp_emit_storm(CeliOut *out, const CelMdp *mdp, int which, const CelMdpReward *model);

#endif
