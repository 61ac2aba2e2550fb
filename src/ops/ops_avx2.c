/// The kernels for AVX2 with FMA.
#define CELI_AVX2
#define CELI_TABLE celi_ops_avx2
#define CELI_TABLE_NAME "avx2"
#include "ops/kernels_impl.h"
