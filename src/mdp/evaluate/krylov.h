/// BiCGStab for (I - gamma P_pi) x = b, on an operator whose gamma P_pi is set.
#ifndef CELI_MDP_KRYLOV_H
#define CELI_MDP_KRYLOV_H
#include "mdp/operator/kernels.h"

typedef struct CeliKrylov {
  CeliOperator *op;
  const CeliKrylovKernels *kernels; ///< in float or double
  void *values;                     ///< gamma P_pi in that type; double: the operator's own
  void *x, *r, *shadow, *p, *v, *t; ///< (padded)
  bool (*stop)(void *user);         ///< asked once an iteration; NULL: the interrupt hook alone
  void *user;
} CeliKrylov;

/// Errors: CEL_E_MEMORY.
CelStatus celi_krylov_create(CeliKrylov *krylov, CeliOperator *op) CEL_WARN_UNUSED;
void celi_krylov_destroy(CeliKrylov *krylov);
/// x from 0 until the residual is at most `reduction` of b (2-norm), `most` iterations, or stopped. Returns the iterations made;
/// *left, when not NULL: the reduction that was reached.
int64_t celi_krylov_solve(CeliKrylov *krylov, double *x, const double *b, double reduction,
                          int64_t most, double *left);

#endif
