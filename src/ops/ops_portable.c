/// The kernels in GNU vectors of 4 lanes: NEON on ARM, SSE2 on old x86-64 (where each FMA is a
/// function call).
#define CELI_TABLE celi_ops_portable
#define CELI_TABLE_NAME "portable"
#include "ops/kernels_impl.h"
