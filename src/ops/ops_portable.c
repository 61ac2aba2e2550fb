/// The kernels in GNU vectors of 4 lanes: NEON on ARM, SSE2 (and a function call an FMA) on old
/// x86-64.
#define CELI_TABLE celi_ops_portable
#define CELI_TABLE_NAME "portable"
#include "ops/kernels_impl.h"
