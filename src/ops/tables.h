/// The tables of all instruction sets in this build. dispatch.c selects one.
#ifndef CELI_TABLES_H
#define CELI_TABLES_H
#include "ops/ops.h"

#if defined(__x86_64__)
extern const CeliOps celi_ops_avx512, celi_ops_avx2;
#endif
extern const CeliOps celi_ops_portable;

#endif
