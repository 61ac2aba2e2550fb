/// Picks the instruction set of the inner loops: the same as for the float32 kernels.
#include "mdp/operator/kernels.h"
#include "mdp/operator/kernels_tables.h"
#include "ops/ops.h"
#include <string.h>

const CeliMdpKernels *celi_mdp_kernels(void) {
#if defined(__x86_64__)
  const char *name = celi_ops()->name;
  if (strcmp(name, celi_mdp_kernels_avx512.name) == 0) return &celi_mdp_kernels_avx512;
  if (strcmp(name, celi_mdp_kernels_avx2.name) == 0) return &celi_mdp_kernels_avx2;
#endif
  return &celi_mdp_kernels_portable;
}
