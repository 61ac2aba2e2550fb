/// What the files of certificates share with the guarantee.
#ifndef CELI_CERTIFY_GUARANTEE_H
#define CELI_CERTIFY_GUARANTEE_H
#include "base/base.h"
#include "celsius/guarantee.h"

/// V (states), Q (pairs) of pi at temperature alpha, by a direct solve where the library has one, else by sweeps.
/// *bound: certified sup-norm error of V.
CelStatus celi_certify_evaluate(const CelMdp *mdp, const double *pi, double alpha, double gamma,
                                double *V, double *Q, double *bound) CEL_WARN_UNUSED;
/// d (states) of pi in the same way.
CelStatus celi_certify_visits(const CelMdp *mdp, const double *pi, double gamma,
                              double *d) CEL_WARN_UNUSED;

#endif
