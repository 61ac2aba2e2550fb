/// Bounds on the distance to the fixed point of a monotone backup, from one sweep.
#ifndef CELI_MDP_CERTIFICATE_H
#define CELI_MDP_CERTIFICATE_H
#include "mdp/backup/values.h"

/// What one sweep from V measures.
typedef struct CeliResidual {
  double low, high; ///< least and largest TV - V over states that are not terminal
  double value_max; ///< largest |V|
  double magnitude; ///< for the T of a policy: largest sum_a pi (|Q| + alpha |log pi|); else 0
} CeliResidual;

/// V* - V is in [low, high] at every state that is not terminal.
typedef struct CeliInterval {
  double low, high;
} CeliInterval;

/// The midpoint of the interval. V + c has the error bound `bound`; its largest absolute value is
/// at least `value_max`.
typedef struct CeliMiddle {
  double c, bound, value_max;
} CeliMiddle;
CeliMiddle celi_middle(const CeliInterval *interval, double value_max);

/// Bound on the rounding error of a computed (TV)(s), where T is optimal at temperature alpha.
/// value_max: largest |V|; backup_max: largest computed |TV|.
double celi_rounding(const CeliShape *shape, double gamma, double alpha, double value_max,
                     double backup_max);
/// Bound on the rounding error of a computed TV - V, where T is optimal at temperature alpha.
double celi_rounding_optimal(const CeliShape *shape, double gamma, double alpha,
                             const CeliResidual *residual);
/// The same for the T of a policy. Uses residual->magnitude.
double celi_rounding_policy(const CeliShape *shape, double gamma, const CeliResidual *residual);
/// The interval of V* - V if each TV - V has an error of at most `rounding`.
CeliInterval celi_certificate(const CeliShape *shape, double gamma, double rounding,
                              const CeliResidual *residual);

#endif
