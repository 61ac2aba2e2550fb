/// Backups of finite problems, state by state: what the solvers, the evaluations and the public helpers share.
#ifndef CELI_MDP_VALUES_H
#define CELI_MDP_VALUES_H
#include "celsius/mdp.h"

/// Q(s,a) of pair p: r + gamma sum over the row's transitions that do not end of p(s') V(s').
double celi_backup(const CelMdp *mdp, double gamma, const double *V, int64_t p);
/// alpha log sum exp(q/alpha) over n >= 1 values, shifted by their maximum; alpha = 0: the maximum. n = 0: 0 (a
/// terminal state).
double celi_soft_max(const double *q, int64_t n, double alpha);
/// pi of q: the softmax, divided by its own sum; alpha = 0: uniform over the values within `tie` of the maximum.
void celi_policy_of(double *pi, const double *q, int64_t n, double alpha, double tie);

/// What the rounding errors of a sweep depend on.
typedef struct CeliShape {
  int64_t longest; ///< transitions of the longest row
  int64_t actions; ///< most actions of a state
  double mass_max; ///< largest sum of a row's probabilities, transitions that end left out
  double mass_min; ///< smallest, where transitions to terminal states are left out too
} CeliShape;
CeliShape celi_mdp_shape(const CelMdp *mdp);

/// Whether values fit into a double: rewards of that size over 1/(1-gamma) steps, or over the horizon, and a discount so
/// far from 1 that errors can be bounded. `sampled`: rewards of single transitions too, not their means alone.
/// Errors: CEL_E_RANGE.
CelStatus celi_check_magnitude(const CelMdp *mdp, double gamma, bool sampled) CEL_WARN_UNUSED;

#endif
