/// The inner loops of sweeps in GNU vectors of two lanes.
#define CELI_TABLE celi_mdp_kernels_portable
#define CELI_TABLE_NAME "portable"
#include "mdp/operator/kernels_tables.h"

#include "mdp/operator/kernels_impl.h"
