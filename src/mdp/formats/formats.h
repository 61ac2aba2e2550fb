/// Files of finite problems: one reader and one writer a format, one file each; formats.c chooses.
///
/// Each reads a file that anybody may have made: sizes that overflow, numbers that are none,
/// indices out of range and a file cut short are errors that name the file and the line, the offset,
/// or the state and action.
#ifndef CELSIUS_MDP_FORMATS_H
#define CELSIUS_MDP_FORMATS_H
#include "celsius/mdp.h"
#include "celsius/safetensors.h"
#include "mdp/formats/text.h"

/// A file format: one file beside this one and one row in registry.c.
typedef struct CeliMdpFormat {
  CelMdpFormatInfo info;
  /// True if the first bytes of a file look like this format. The first format that says so wins.
  bool (*sniff)(const char *data, size_t size);
  CelStatus (*load)(CelMdp **out, const char *path, const CelMdpLoadOptions *options);
  /// Writes a problem that cel_mdp_check accepts. Errors: CEL_E_UNSUPPORTED, CEL_E_IO.
  CelStatus (*save)(const CelMdp *mdp, const char *path);
} CeliMdpFormat;

extern const CeliMdpFormat celi_mdp_format_safetensors;
extern const CeliMdpFormat celi_mdp_format_gymnasium;
extern const CeliMdpFormat celi_mdp_format_cassandra;
extern const CeliMdpFormat celi_mdp_format_prism;

/// Chooses between the options and the file's own discount (NAN: it has none) and horizon (0: infinite). The
/// caller checks the two against each other. Errors: CEL_E_RANGE (no discount; a horizon below -1).
CelStatus celi_load_choose(const char *file, const CelMdpLoadOptions *options, double *discount,
                           int64_t *horizon) CEL_WARN_UNUSED;

/// The problem in a file that is open already, and that goes with it; on an error too.
CelStatus celi_mdp_of_safetensors(CelMdp **out, CelSafetensors *file,
                                  const CelMdpLoadOptions *options) CEL_WARN_UNUSED;

/// The text of a file; `file` is its name for messages.
CelStatus celi_mdp_parse_gymnasium(CelMdp **out, const char *file, const char *text, size_t size,
                                   const CelMdpLoadOptions *options) CEL_WARN_UNUSED;
void celi_mdp_emit_gymnasium(CeliOut *out, const CelMdp *mdp);

CelStatus celi_mdp_parse_cassandra(CelMdp **out, const char *file, const char *text, size_t size,
                                   const CelMdpLoadOptions *options) CEL_WARN_UNUSED;
/// Errors: CEL_E_UNSUPPORTED, what the format cannot say.
CelStatus celi_mdp_check_cassandra(const CelMdp *mdp) CEL_WARN_UNUSED;
void celi_mdp_emit_cassandra(CeliOut *out, const CelMdp *mdp);

#endif
