/// The multi-goal plane: four goals equally good from where one starts, so that a policy with one mode cannot be right.
#ifndef CELSIUS_MULTIGOAL_H
#define CELSIUS_MULTIGOAL_H
#include "celsius/env.h"
CEL_BEGIN

enum { CEL_MULTIGOAL_GOALS = 4 };

/// s' = clip(s + clip(a, +-reach), +-bound), goals at (+-goal_distance, 0) and (0, +-goal_distance);
/// r = -action_cost |a|^2 - distance_cost min_g |s' - g|^2, and + goal_reward and the end where |s' - g| < goal_radius.
/// Source: Haarnoja et al., "Reinforcement learning with deep energy-based policies", 2017, 5.1.
typedef struct CelMultigoal {
  double goal_distance, goal_radius, goal_reward;
  double action_cost, distance_cost;
  double reach;    ///< largest step in each direction
  double bound;    ///< the plane ends here in each direction
  double start_sd; ///< episodes start at N(0, start_sd^2 I)
} CelMultigoal;

/// Goal g: out place (2,).
CEL_API void cel_multigoal_goal(const CelMultigoal *plane, int g, double place[2]);
/// One step from s (2,) by a (2,), clipped: out next (2,), *reward. Returns whether the episode ends there.
CEL_API bool cel_multigoal_step(const CelMultigoal *plane, double next[2], double *reward,
                                const double s[2], const double a[2]);
/// The problem that a spec of MultiGoal-v0 poses. Errors: CEL_E_UNSUPPORTED (another environment).
CEL_API CelStatus cel_multigoal_of_env(const CelEnvSpec *spec, CelMultigoal *out) CEL_WARN_UNUSED;

// ---- the exact soft-optimal answer, infinite horizon, by soft value iteration on a grid

/// Table: cel_multigoal_grid_fields.
typedef struct CelMultigoalGrid {
  int64_t cells;    ///< of the grid of states, from the middle to the bound; 0: 32 a step
  double tolerance; ///< of the iteration, relative to max(1, max |V|)
} CelMultigoalGrid;
CEL_API const CelField *cel_multigoal_grid_fields(void);
CEL_API CelMultigoalGrid cel_multigoal_grid_default(void);

/// V of a quarter of the plane (the rest is its mirror image), and how far it may be off: `bound` is of the iteration on
/// this grid, certified; `error` of the grid, estimated from the grids with twice and four times its step.
typedef struct CelMultigoalSolution {
  CelMultigoal plane;
  double gamma, alpha;
  int64_t cells;        ///< of the finest grid
  double step;          ///< bound / cells
  double *V;            ///< (cells + 1, cells + 1) at x = j step, y = i step
  double value_start;   ///< J = E[V(s0)]
  double uniform_start; ///< J of the policy that is uniform over [-reach, reach]^2
  double residual;      ///< sup-norm of V - TV
  double bound;         ///< V is within this of the grid's own fixed point
  double error;         ///< sup-norm of V - V* over the plane, estimated
  double value_error;   ///< of value_start, estimated
  double order;         ///< of the error in the step, as the three grids show it
  int64_t sweeps;
  double seconds;
} CelMultigoalSolution;

/// Solves V(s) = alpha log int exp(Q(s,a)/alpha) da over [-reach, reach]^2, Q(s,a) = r(s,a) + gamma V(s'), V = 0 where the
/// episode has ended; alpha = 0: V(s) = max over a. `grid` NULL: the defaults. Entropy is that of the action in the
/// environment's own units.
/// Source: [soft-q-learning, 2-3.1]. Errors: CEL_E_RANGE (gamma not in [0, 1), alpha < 0, cells, plane),
/// CEL_E_UNSUPPORTED (a plane too wide for any grid, or narrower than one step), CEL_E_MEMORY.
CEL_API CelStatus cel_multigoal_solve(const CelMultigoal *plane, double gamma, double alpha,
                                      const CelMultigoalGrid *grid,
                                      CelMultigoalSolution **out) CEL_WARN_UNUSED;
CEL_API void cel_multigoal_solution_destroy(CelMultigoalSolution *solution);
/// V(s), s (2,), bilinear between the grid's points.
CEL_API double cel_multigoal_v(const CelMultigoalSolution *solution, const double s[2]);
/// Q(s,a) = r(s,a) + gamma V(s'): the plane's own reward and end, V between the grid's points.
CEL_API double cel_multigoal_q(const CelMultigoalSolution *solution, const double s[2],
                               const double a[2]);
/// log pi(a given s) = (Q(s,a) - alpha log Z(s)) / alpha for n actions (n, 2) within reach; Z by quadrature over
/// actions at this s, so that the density integrates to 1. alpha > 0.
CEL_API void cel_multigoal_log_density(const CelMultigoalSolution *solution, const double s[2],
                                       const double *a, int64_t n, double *log_density);
/// a (2,) drawn from the optimal policy at s, by cells of 1/32 of the reach; alpha = 0: its best action.
CEL_API void cel_multigoal_draw(const CelMultigoalSolution *solution, const double s[2],
                                CelRng *rng, double a[2]);

CEL_END
#endif
