/// BiCGStab for (I - gamma P_pi) x = b, on an operator with gamma P_pi.
#ifndef CELI_MDP_KRYLOV_H
#define CELI_MDP_KRYLOV_H
#include "mdp/operator/kernels.h"

typedef struct CeliKrylov {
  CeliOperator *op;
  const CeliKrylovKernels *kernels; ///< for float or double
  void *values;                     ///< gamma P_pi in that type; for double those of the operator
  void *x, *r, *shadow, *p, *v, *t; ///< (padded)
  bool (*stop)(void *user);         ///< called in every iteration; NULL: only the interrupt hook
  void *user;
} CeliKrylov;

/// Errors: CEL_E_MEMORY.
CelStatus celi_krylov_create(CeliKrylov *krylov, CeliOperator *op) CEL_WARN_UNUSED;
void celi_krylov_destroy(CeliKrylov *krylov);
/// Iterates from x = 0 until the residual is at most `reduction` times |b| (2-norm), or for `most`
/// iterations, or until stopped. Returns the number of iterations. *left, unless NULL, becomes the
/// reduction reached.
int64_t celi_krylov_solve(CeliKrylov *krylov, double *x, const double *b, double reduction,
                          int64_t most, double *left);

#endif
