/// Backups of finite MDPs state by state, for solvers, evaluation and public functions.
#ifndef CELI_MDP_VALUES_H
#define CELI_MDP_VALUES_H
#include "celsius/mdp.h"

/// Q(s,a) of pair p: r + gamma sum p(s') V(s') over the transitions that do not end the episode.
double celi_backup(const CelMdp *mdp, double gamma, const double *V, int64_t p);
/// alpha log sum exp(q/alpha) over n values. alpha = 0 gives the maximum. n = 0 gives 0, the value
/// of a terminal state.
double celi_soft_max(const double *q, int64_t n, double alpha);
/// The softmax policy of q. alpha = 0 gives the uniform policy over all values within `tie` of the
/// maximum.
void celi_policy_of(double *pi, const double *q, int64_t n, double alpha, double tie);

/// The sizes that determine the rounding errors of a sweep.
typedef struct CeliShape {
  int64_t longest; ///< transitions of the longest row
  int64_t actions; ///< largest number of actions of a state
  /// Largest sum of a row's probabilities, without transitions that end the episode
  double mass_max;
  double mass_min; ///< smallest such sum, also without transitions to terminal states
} CeliShape;
CeliShape celi_mdp_shape(const CelMdp *mdp);

/// Checks that values fit into a double and that gamma is far enough from 1 to bound errors. Values
/// are rewards over 1/(1-gamma) steps or over the horizon. `sampled`: include the rewards of single
/// transitions, not only their means.
/// Errors: CEL_E_RANGE.
CelStatus celi_check_magnitude(const CelMdp *mdp, double gamma, bool sampled) CEL_WARN_UNUSED;

#endif
