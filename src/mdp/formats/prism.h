/// The texts of PRISM's explicit files, for prism_files.c and for tests.
#ifndef CELSIUS_MDP_FORMAT_PRISM_H
#define CELSIUS_MDP_FORMAT_PRISM_H
#include "mdp/formats/text.h"

/// .tra, .trew, .srew, .lab. data is NULL for a missing file.
typedef struct CeliPrismTexts {
  const char *path[4]; ///< for messages
  const char *data[4];
  size_t size[4];
} CeliPrismTexts;

CelStatus celi_mdp_parse_prism(CelMdp **out, const CeliPrismTexts *texts,
                               const CelMdpLoadOptions *options) CEL_WARN_UNUSED;
/// Errors: CEL_E_UNSUPPORTED (the files cannot express the MDP).
CelStatus celi_mdp_check_prism(const CelMdp *mdp) CEL_WARN_UNUSED;
/// Writes file number `which` of the four.
void celi_mdp_emit_prism(CeliOut *out, const CelMdp *mdp, int which);

#endif
