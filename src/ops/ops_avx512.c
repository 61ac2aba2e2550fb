/// The kernels for AVX-512 (F, VL, DQ, BW).
#define CELI_AVX512
#define CELI_TABLE celi_ops_avx512
#define CELI_TABLE_NAME "avx512"
#include "ops/kernels_impl.h"
