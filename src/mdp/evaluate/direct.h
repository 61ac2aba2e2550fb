/// Solves (I - gamma P_pi) x = b by elimination: dense for few states, else sparse (SuiteSparse's
/// KLU).
#ifndef CELI_MDP_DIRECT_H
#define CELI_MDP_DIRECT_H
#include "mdp/operator/operator.h"

typedef struct CeliDirect CeliDirect;

/// Checks that an MDP with so many states can be solved. Errors: CEL_E_UNSUPPORTED (too many for
/// this build).
CelStatus celi_direct_check(int64_t states) CEL_WARN_UNUSED;
/// Factors the current gamma P_pi of the operator. A factorization cannot be stopped, so one that
/// would take much longer than a second is refused.
/// Errors: CEL_E_UNSUPPORTED (too many states for this build, or it would take too long),
/// CEL_E_MEMORY.
CelStatus celi_direct_create(CeliDirect **out, const CeliOperator *op) CEL_WARN_UNUSED;
/// `direct` may be NULL.
void celi_direct_destroy(CeliDirect *direct);
/// Overwrites x (states), the right side, with the solution.
/// `transposed`: solve with (I - gamma P_pi)'.
CelStatus celi_direct_solve(CeliDirect *direct, double *x, bool transposed) CEL_WARN_UNUSED;

#endif
