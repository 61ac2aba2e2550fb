/// UMB, the unified Markov binary format, in memory: for umb.c, umb_write.c, tests and fuzzers.
#ifndef CELSIUS_MDP_FORMAT_UMB_H
#define CELSIUS_MDP_FORMAT_UMB_H
#include "mdp/formats/formats.h"
#include "mdp/formats/pack.h"

/// Reads an archive, which may be compressed. `file` is its name in messages.
CelStatus celi_mdp_parse_umb(CelMdp **out, const char *file, const void *data, size_t size,
                             const CelMdpLoadOptions *options) CEL_WARN_UNUSED;
/// Writes an archive. Failures are in out->status too.
/// Errors: CEL_E_UNSUPPORTED (the format cannot express the MDP), CEL_E_MEMORY, CEL_E_IO.
CelStatus celi_mdp_emit_umb(CeliOut *out, const CelMdp *mdp, CeliPacking packing) CEL_WARN_UNUSED;

/// A rational with a numerator (signed) and denominator of `bytes` little-endian bytes each, as a
/// double: the relative error is at most 4 * 2^-53, and 0.5 * 2^-52 if both are below 2^53. False
/// if the denominator is 0 or the result is not finite.
bool celi_umb_rational(const uint8_t *numerator, const uint8_t *denominator, size_t bytes,
                       double *out);

#endif
