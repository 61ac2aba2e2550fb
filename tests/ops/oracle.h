/// The oracles of oracle.inc for float (suffix _f) and double (suffix _d).
#ifndef CELI_TESTS_OPS_ORACLE_H
#define CELI_TESTS_OPS_ORACLE_H
#include "ops/ops.h"
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

// Each test uses only some of them.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#define R float
#define FMA fmaf
#define ORACLE(name) oracle_##name##_f
#include "ops/oracle.inc"
#undef R
#undef FMA
#undef ORACLE
#define R double
#define FMA fma
#define ORACLE(name) oracle_##name##_d
#include "ops/oracle.inc"
#undef R
#undef FMA
#undef ORACLE
#pragma GCC diagnostic pop

#endif
