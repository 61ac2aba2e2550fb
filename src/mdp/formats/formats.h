/// Files of finite MDPs. registry.c lists the formats and picks one for a file.
///
/// Anybody may have made a file. Sizes that overflow, invalid numbers, indices out of range and
/// truncated files are errors. Messages name the file, and the line, the offset, or the state and
/// action.
#ifndef CELSIUS_MDP_FORMATS_H
#define CELSIUS_MDP_FORMATS_H
#include "celsius/mdp.h"
#include "celsius/safetensors.h"
#include "mdp/formats/text.h"

/// A file format: one file in this folder and one row in registry.c.
typedef struct CeliMdpFormat {
  CelMdpFormatInfo info;
  bool named_rewards; ///< files may have named reward models
  bool labels;        ///< files keep labels and reward models
  /// True if the first bytes of a file look like this format. The first format that matches is
  /// used.
  bool (*sniff)(const char *data, size_t size);
  CelStatus (*load)(CelMdp **out, const char *path, const CelMdpLoadOptions *options);
  /// Writes an MDP that cel_mdp_check accepts. Errors: CEL_E_UNSUPPORTED, CEL_E_IO.
  CelStatus (*save)(const CelMdp *mdp, const char *path);
} CeliMdpFormat;

extern const CeliMdpFormat celi_mdp_format_safetensors;
extern const CeliMdpFormat celi_mdp_format_gymnasium;
extern const CeliMdpFormat celi_mdp_format_cassandra;
extern const CeliMdpFormat celi_mdp_format_prism;
extern const CeliMdpFormat celi_mdp_format_umb;
extern const CeliMdpFormat celi_mdp_format_drn;
extern const CeliMdpFormat celi_mdp_format_storm;
extern const CeliMdpFormat celi_mdp_format_petsc;

/// Applies the options to the discount (NAN: none) and the horizon (0: infinite) of a file. The
/// caller must check both afterwards. Errors: CEL_E_RANGE (no discount; a horizon below -1).
CelStatus celi_load_choose(const char *file, const CelMdpLoadOptions *options, double *discount,
                           int64_t *horizon) CEL_WARN_UNUSED;

/// Reads the MDP of an open file. Takes ownership of `file`, also if it fails.
CelStatus celi_mdp_of_safetensors(CelMdp **out, CelSafetensors *file,
                                  const CelMdpLoadOptions *options) CEL_WARN_UNUSED;

/// Parses the text of a file. `file` is its name in messages.
CelStatus celi_mdp_parse_gymnasium(CelMdp **out, const char *file, const char *text, size_t size,
                                   const CelMdpLoadOptions *options) CEL_WARN_UNUSED;
void celi_mdp_emit_gymnasium(CeliOut *out, const CelMdp *mdp);

CelStatus celi_mdp_parse_cassandra(CelMdp **out, const char *file, const char *text, size_t size,
                                   const CelMdpLoadOptions *options) CEL_WARN_UNUSED;
/// Errors: CEL_E_UNSUPPORTED (the format cannot express the MDP).
CelStatus celi_mdp_check_cassandra(const CelMdp *mdp) CEL_WARN_UNUSED;
void celi_mdp_emit_cassandra(CeliOut *out, const CelMdp *mdp);

#endif
