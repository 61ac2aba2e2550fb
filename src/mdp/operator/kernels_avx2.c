/// The inner loops of sweeps for AVX2.
#define CELI_AVX2
#define CELI_TABLE celi_mdp_kernels_avx2
#define CELI_TABLE_NAME "avx2"
#include "mdp/operator/kernels_tables.h"

#include "mdp/operator/kernels_impl.h"
