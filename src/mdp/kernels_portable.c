/// The sweeps' inner loops in GNU vectors of two lanes.
#define CELI_TABLE celi_mdp_kernels_portable
#define CELI_TABLE_NAME "portable"
#include "mdp/kernels_tables.h"

#include "mdp/kernels_impl.h"
