/// PETSc's binary files, for petsc.c and for tests.
#ifndef CELSIUS_MDP_FORMAT_PETSC_H
#define CELSIUS_MDP_FORMAT_PETSC_H
#include "mdp/formats/formats.h"

/// The bytes of a file; data NULL: it does not exist.
typedef struct CeliPetscFile {
  const char *name; ///< in messages
  const void *data;
  size_t size;
} CeliPetscFile;

/// Reads the probabilities from `file`. The second object of it, or the first of `costs`, has the
/// rewards or costs.
CelStatus celi_mdp_parse_petsc(CelMdp **out, const CeliPetscFile *file, const CeliPetscFile *costs,
                               const CelMdpLoadOptions *options) CEL_WARN_UNUSED;
/// Errors: CEL_E_UNSUPPORTED (the format cannot express the MDP).
CelStatus celi_mdp_check_petsc(const CelMdp *mdp) CEL_WARN_UNUSED;
/// Writes an MDP that the check accepts.
void celi_mdp_emit_petsc(CeliOut *out, const CelMdp *mdp);

#endif
