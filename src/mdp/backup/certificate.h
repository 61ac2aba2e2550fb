/// A bound on the distance to the fixed point of a monotone backup, from one sweep.
#ifndef CELI_MDP_CERTIFICATE_H
#define CELI_MDP_CERTIFICATE_H
#include "mdp/backup/values.h"

/// What one sweep from V found.
typedef struct CeliResidual {
  double low, high; ///< least and largest of TV - V over the states that are not terminal
  double value_max; ///< largest |V|
  double magnitude; ///< of a policy's own T: largest sum_a pi (|Q| + alpha |log pi|); else 0
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

/// The largest rounding error of a computed (TV)(s), T optimal at temperature alpha. value_max: the largest |V|;
/// backup_max: the largest computed |TV|.
double celi_rounding(const CeliShape *shape, double gamma, double alpha, double value_max,
                     double backup_max);
/// The largest rounding error of a computed TV - V, T optimal at temperature alpha.
double celi_rounding_optimal(const CeliShape *shape, double gamma, double alpha,
                             const CeliResidual *residual);
/// The same for the T of a policy; uses residual->magnitude.
double celi_rounding_policy(const CeliShape *shape, double gamma, const CeliResidual *residual);
/// Where V* - V lies, when each TV - V may be off by `rounding`.
CeliInterval celi_certificate(const CeliShape *shape, double gamma, double rounding,
                              const CeliResidual *residual);

#endif
