/// The tables of all instruction sets in this build. kernels.c picks one.
#ifndef CELI_MDP_KERNELS_TABLES_H
#define CELI_MDP_KERNELS_TABLES_H
#include "mdp/operator/kernels.h"

#if defined(__x86_64__)
extern const CeliMdpKernels celi_mdp_kernels_avx512, celi_mdp_kernels_avx2;
#endif
extern const CeliMdpKernels celi_mdp_kernels_portable;

#endif
