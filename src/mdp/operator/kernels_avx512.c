/// The inner loops of sweeps for AVX-512.
#define CELI_AVX512
#define CELI_TABLE celi_mdp_kernels_avx512
#define CELI_TABLE_NAME "avx512"
#include "mdp/operator/kernels_tables.h"

#include "mdp/operator/kernels_impl.h"
