/// DRN texts, for drn.c and for tests.
#ifndef CELSIUS_MDP_FORMAT_DRN_H
#define CELSIUS_MDP_FORMAT_DRN_H
#include "mdp/formats/formats.h"

CelStatus celi_mdp_parse_drn(CelMdp **out, const char *file, const char *text, size_t size,
                             const CelMdpLoadOptions *options) CEL_WARN_UNUSED;
/// Errors: CEL_E_UNSUPPORTED (the format cannot express the MDP).
CelStatus celi_mdp_check_drn(const CelMdp *mdp) CEL_WARN_UNUSED;
/// Writes an MDP that the check accepts.
void celi_mdp_emit_drn(CeliOut *out, const CelMdp *mdp);

#endif
