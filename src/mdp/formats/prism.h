/// The texts of PRISM's explicit files, for prism_files.c and for tests.
#ifndef CELSIUS_MDP_FORMAT_PRISM_H
#define CELSIUS_MDP_FORMAT_PRISM_H
#include "mdp/formats/text.h"

/// The .trew and .srew texts of a reward structure. data is NULL for a missing file.
typedef struct CeliPrismReward {
  char name[CEL_TEXT_MAX];
  const char *path[2]; ///< for messages
  const char *data[2];
  size_t size[2];
} CeliPrismReward;

/// .tra, .trew, .srew, .lab. data is NULL for a missing file. Two of them are the only reward
/// structure, "reward", unless `reward` has the structures.
typedef struct CeliPrismTexts {
  const char *path[4]; ///< for messages
  const char *data[4];
  size_t size[4];
  const CeliPrismReward *reward; ///< (rewards) or NULL
  int64_t rewards;
  /// Index of the structure that becomes r(s,a,s'). Negative: none; all rewards are 0.
  int64_t chosen;
} CeliPrismTexts;

CelStatus celi_mdp_parse_prism(CelMdp **out, const CeliPrismTexts *texts,
                               const CelMdpLoadOptions *options) CEL_WARN_UNUSED;
/// Errors: CEL_E_UNSUPPORTED (the files cannot express the MDP).
CelStatus celi_mdp_check_prism(const CelMdp *mdp) CEL_WARN_UNUSED;
/// Writes file number `which` of the four. `model` is the reward model of .trew and .srew; NULL:
/// the MDP's own r(s,a,s'), as an unnamed structure.
void celi_mdp_emit_prism(CeliOut *out, const CelMdp *mdp, int which, const CelMdpReward *model);

#endif
