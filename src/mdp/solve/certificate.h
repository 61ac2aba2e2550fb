/// A bound on the distance to the fixed point of a monotone backup, from one sweep.
#ifndef CELI_MDP_CERTIFICATE_H
#define CELI_MDP_CERTIFICATE_H
#include "mdp/values.h"

/// What one sweep from V found.
typedef struct CeliResidual {
  double low, high; ///< least and largest of TV - V over the states that are not terminal
  double value_max; ///< largest |V|
} CeliResidual;

/// V* - V lies in [low, high] at every state that is not terminal.
typedef struct CeliInterval {
  double low, high;
} CeliInterval;

/// The middle of the interval: V + c has the bound `bound` and the largest value `value_max` or more.
typedef struct CeliMiddle {
  double c, bound, value_max;
} CeliMiddle;
CeliMiddle celi_middle(const CeliInterval *interval, double value_max);

/// The largest rounding error of a computed (TV)(s), at temperature alpha (soft or of a policy).
double celi_rounding(const CeliShape *shape, double gamma, double alpha, double value_max);
CeliInterval celi_certificate(const CeliShape *shape, double gamma, double alpha,
                              const CeliResidual *residual);

#endif
