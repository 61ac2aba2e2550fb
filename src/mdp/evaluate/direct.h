/// (I - gamma P_pi) x = b by elimination: dense where there are few states, else sparse (SuiteSparse's KLU).
#ifndef CELI_MDP_DIRECT_H
#define CELI_MDP_DIRECT_H
#include "mdp/operator/operator.h"

typedef struct CeliDirect CeliDirect;

/// CEL_OK if a problem of so many states can be solved. Errors: CEL_E_UNSUPPORTED (too many for this build).
CelStatus celi_direct_check(int64_t states) CEL_WARN_UNUSED;
/// Factors the gamma P_pi that the operator has now.
/// Errors: CEL_E_UNSUPPORTED (too many states for this build, or it would take much longer than a second: it cannot be
/// stopped), CEL_E_MEMORY.
CelStatus celi_direct_create(CeliDirect **out, const CeliOperator *op) CEL_WARN_UNUSED;
/// Takes NULL.
void celi_direct_destroy(CeliDirect *direct);
/// x (states): in b, out the solution; `transposed`: of (I - gamma P_pi)'.
CelStatus celi_direct_solve(CeliDirect *direct, double *x, bool transposed) CEL_WARN_UNUSED;

#endif
