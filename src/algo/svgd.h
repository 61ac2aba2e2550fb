/// What Stein variational gradient descent shares with learners beside its public functions.
#ifndef CELI_SVGD_H
#define CELI_SVGD_H
#include "celsius/svgd.h"

/// The median of v (n,), n >= 1, which is put into another order: the mean of the middle two where n is even.
double celi_median(double *v, int64_t n);

#endif
