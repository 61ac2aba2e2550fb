/// Shared by the files that solve problems without a discount: the problem, reduced step by step.
///
/// Everything here maximizes. To minimize, `sign` is -1, rewards and values are negated, and the
/// result is negated back. A "value" below is a value of the maximization.
///
///     classify.c   graph searches: which values are known, +infinity or -infinity; zero components
///     gain.c       the sign of the mean reward of an end component
///     reduce.c     the rest as an MDP whose policies all end (or have an infinite cost)
///     components.c its policy iteration, component by component, if the problem is hard
///     eliminate.c  the linear systems of a component
///     iterate.c    V by sweeps and Newton steps on all of it, if that is not possible
///     check.c      proves candidates on the original MDP, rounding included
///     policy.c     Q and pi
///     steps.c      a limited number of steps
#ifndef CELI_MDP_TOTAL_H
#define CELI_MDP_TOTAL_H
#include "celsius/total.h"
#include "mdp/graph/graph.h"
#include "mdp/operator/operator.h"

/// What is known about the value of a node.
typedef enum CeliKind {
  CELI_OPEN,  ///< to be computed
  CELI_KNOWN, ///< `value` has it exactly
  CELI_PLUS,  ///< +infinity
  CELI_MINUS  ///< -infinity
} CeliKind;

typedef struct CeliTotal {
  const CelMdp *mdp;
  const CelTotalConfig *config;
  const CelSolveConfig *solver;
  CelSolution *solution;
  double sign;                 ///< 1: maximize; -1: minimize
  double alpha;                ///< 0: hard
  bool probability;            ///< the objective
  CelTotalUnreached unreached; ///< never auto; of the maximization
  double start_seconds;

  CeliGraph graph;    ///< pairs of target states are closed, and others that no policy takes
  uint8_t *target;    ///< (nodes)
  uint8_t *kind;      ///< (nodes) CeliKind
  double *value;      ///< (nodes) of known nodes; else 0
  uint32_t *rep;      ///< (nodes) the node that stands for a zero component, or itself
  uint8_t *zero;      ///< (nodes) 1: in a zero component
  uint8_t *inner;     ///< (pairs) 1: inside of a zero component
  bool stop;          ///< a policy may stay in a zero component forever, with the value 0
  int64_t undecided;  ///< a state of a component whose mean reward has no certain sign, or -1
  int64_t endless;    ///< a state that makes values infinite, or -1
  uint32_t *distance; ///< (nodes) least steps to a known node

  CelMdp *reduced;       ///< open representatives, and a last terminal state; NULL if none
  uint32_t *index;       ///< (nodes) state of `reduced` of an open representative
  uint32_t *state;       ///< (states of `reduced`) representative of each, without END
  uint32_t *next_member; ///< (nodes) the next state with the same representative
  /// (states of `reduced`) strongly connected component, ascending: after those that it leads to
  uint32_t *component;

  double *lower, *upper; ///< (nodes) certified bounds
  double *q;             ///< (max_actions) scratch
  uint32_t *best;        ///< (nodes) pair that attains `lower` at a representative
} CeliTotal;

#define CELI_NO_PAIR UINT32_MAX

/// Reward of a pair for the maximization.
static inline double celi_total_reward(const CeliTotal *total, int64_t p) {
  return total->probability ? 0.0 : total->sign * total->mdp->reward[p];
}
/// The sign of a reward: -1, 0, 1. A mean of rewards of both signs that is 0 up to rounding has
/// the sign 2.
int celi_total_sign(const CeliTotal *total, int64_t p);

// ---- classify.c

/// Fills kind, value, rep, inner, distance. Closes pairs that no policy takes.
CelStatus celi_total_classify(CeliTotal *total) CEL_WARN_UNUSED;

// ---- gain.c

/// The sign of the largest mean of r + alpha H in an end component: 1, -1, or 0 (not decided).
/// state (n): its states. use (pairs): its pairs. h, backup (nodes): scratch.
int celi_total_gain(const CeliTotal *total, const uint32_t *state, int64_t n, const uint8_t *use,
                    double *h, double *backup);

// ---- reduce.c

/// Builds `reduced`, index, state, component and next_member. Errors: CEL_E_MEMORY.
CelStatus celi_total_reduce(CeliTotal *total) CEL_WARN_UNUSED;
/// choice (states of `reduced`): of the pairs of each state that may lead closer to the end, the
/// one with the least expected distance. This policy ends surely. Errors: CEL_E_MEMORY.
CelStatus celi_total_shortest(const CeliTotal *total, uint32_t *choice) CEL_WARN_UNUSED;

// ---- components.c

/// Solves the reduced MDP of a hard problem and fills lower, upper and best. *done: false if the
/// method does not suit the problem. Errors: CEL_E_MEMORY.
CelStatus celi_total_components(CeliTotal *total, bool *done) CEL_WARN_UNUSED;

// ---- iterate.c

/// Solves the reduced MDP and fills lower, upper and best.
CelStatus celi_total_iterate(CeliTotal *total) CEL_WARN_UNUSED;
/// Fills lower, upper and best without a proof from V (reduced states): hard probabilities by
/// interval iteration, others with an infinite bound.
void celi_total_unproven(CeliTotal *total, const double *V);
/// True if the time is up or a stop was requested. `total` is a CeliTotal.
bool celi_total_stopped(void *total);

// ---- check.c

/// X (nodes) = x (reduced states) at open nodes, and the known values.
void celi_total_spread(const CeliTotal *total, double *X, const double *x);
/// True if X (nodes) is a bound: X >= TX (upper) or X <= TX at every open state, with exact
/// arithmetic. Writes the pairs that attain TX to best (nodes) unless it is NULL; CELI_NO_PAIR:
/// stay in the zero component. *worst: the most by which a state fails; not positive if none does.
bool celi_total_check(const CeliTotal *total, const double *X, bool upper, uint32_t *best,
                      double *worst);
/// One sweep of interval iteration in the order of `reduced`: X (nodes), a proven bound, becomes a
/// better one. Returns the largest change.
double celi_total_tighten(const CeliTotal *total, double *X, bool upper);
/// Largest distance between lower and upper at open states.
double celi_total_width(const CeliTotal *total);

// ---- policy.c

/// Fills the solution from the bounds: V, Q, pi, the bounds and J.
CelStatus celi_total_finish(CeliTotal *total) CEL_WARN_UNUSED;
/// Fills lower, upper, V and the bounds of J of the solution from lower and upper (nodes).
void celi_total_finish_values(CeliTotal *total);
/// Fills Q of the solution: r + P X, with X (nodes) the values of the next states.
void celi_total_finish_q(CeliTotal *total, const double *X);

// ---- steps.c

/// Solves with a step limit.
CelStatus celi_total_steps(CeliTotal *total) CEL_WARN_UNUSED;

#endif
