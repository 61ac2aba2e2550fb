/// The multi-goal plane: four goals at the same distance from the start, so that the optimal policy
/// has several modes.
#ifndef CELSIUS_MULTIGOAL_H
#define CELSIUS_MULTIGOAL_H
#include "celsius/env.h"
CEL_BEGIN

enum { CEL_MULTIGOAL_GOALS = 4 };

/// The plane. s' = clip(s + clip(a, +-reach), +-bound); goals g at (+-goal_distance, 0) and
/// (0, +-goal_distance); r = -action_cost |a|^2 - distance_cost min_g |s' - g|^2. Where
/// |s' - g| < goal_radius, the reward has goal_reward added and the episode ends. Ranges and
/// defaults are those of the fields of MultiGoal-v0.
/// Source: Haarnoja et al., "Reinforcement learning with deep energy-based policies", 2017, 5.1.
typedef struct CelMultigoal {
  /// Distance of the goals from the middle, units of length. Range 1e-3 to 1e6, default 5.
  double goal_distance;
  /// Distance from a goal below which the episode ends. Range 0 to 1e6, default 1.
  double goal_radius;
  /// Reward for reaching a goal. Range -1e6 to 1e6, default 10.
  double goal_reward;
  /// Cost of a step of length 1, quadratic in its length. Range 0 to 1e6, default 30.
  double action_cost;
  /// Cost at distance 1 from the nearest goal, quadratic in the distance. Range 0 to 1e6, default
  /// 1.
  double distance_cost;
  /// Largest step in each direction. Range 1e-3 to 1e6, default 1.
  double reach;
  /// End of the plane in each direction. Range 1e-3 to 1e6, default 7.
  double bound;
  /// Standard deviation of the start: episodes start at N(0, start_sd^2 I). Range 0 to 1e3, default
  /// 0.1.
  double start_sd;
} CelMultigoal;

/// Writes the position of goal g to place (2,).
CEL_API void cel_multigoal_goal(const CelMultigoal *plane, int g, double place[2]);
/// Takes one step from s (2,) by a (2,), clipped: out next (2,), *reward. Returns whether the
/// episode ends there.
CEL_API bool cel_multigoal_step(const CelMultigoal *plane, double next[2], double *reward,
                                const double s[2], const double a[2]);
/// Reads the plane of a spec of MultiGoal-v0. Errors: CEL_E_UNSUPPORTED (another environment).
CEL_API CelStatus cel_multigoal_of_env(const CelEnvSpec *spec, CelMultigoal *out) CEL_WARN_UNUSED;

// ---- The exact soft-optimal solution, infinite horizon, by soft value iteration on a grid

/// Settings of the grid. Start from cel_multigoal_grid_default(); the field table is
/// cel_multigoal_grid_fields().
typedef struct CelMultigoalGrid {
  /// Cells of the grid of states, from the middle to the bound. Range 0 to 4096, default 0, which
  /// takes 32 cells per largest step. Raise it for a smaller error.
  int64_t cells;
  /// Error at which the iteration stops, relative to max(1, max |V|). Range 1e-14 to 1, default
  /// 1e-9.
  double tolerance;
} CelMultigoalGrid;
/// Returns the field table of CelMultigoalGrid. Static; never NULL.
CEL_API const CelField *cel_multigoal_grid_fields(void);
/// Returns the default settings.
CEL_API CelMultigoalGrid cel_multigoal_grid_default(void);

/// The solution: V on a quarter of the plane; the rest is its mirror image. Two errors are given.
/// `bound` is certified: the distance to the fixed point on this grid. `error` is estimated: the
/// error of the grid, from the grids with twice and four times its step. Values are in reward
/// units.
typedef struct CelMultigoalSolution {
  CelMultigoal plane;
  double gamma, alpha;
  int64_t cells;        ///< cells of the finest grid
  double step;          ///< bound of the plane / cells
  double *V;            ///< (cells + 1, cells + 1) at x = j step, y = i step
  double value_start;   ///< J = E[V(s0)]
  double uniform_start; ///< J of the uniform policy over [-reach, reach]^2
  double residual;      ///< sup-norm of V - TV
  double bound;         ///< sup-norm distance of V to the grid's own fixed point, at most
  double error;         ///< estimated sup-norm of V - V* over the plane
  double value_error;   ///< estimated error of value_start
  double order;         ///< order of the error in the step, from the three grids
  int64_t sweeps;
  double seconds;
} CelMultigoalSolution;

/// Solves V(s) = alpha log int exp(Q(s,a)/alpha) da over [-reach, reach]^2, with
/// Q(s,a) = r(s,a) + gamma V(s') and V = 0 where the episode has ended. alpha = 0: V(s) = max over
/// a. The entropy is that of the action in the environment's own units. `grid` NULL: the defaults.
/// Free the result with cel_multigoal_solution_destroy.
/// Source: [soft-q-learning, 2-3.1].
/// Errors: CEL_E_RANGE (gamma not in [0, 1), alpha < 0, cells, plane), CEL_E_UNSUPPORTED (a plane
/// too wide for any grid, or narrower than one step), CEL_E_MEMORY.
CEL_API CelStatus cel_multigoal_solve(const CelMultigoal *plane, double gamma, double alpha,
                                      const CelMultigoalGrid *grid,
                                      CelMultigoalSolution **out) CEL_WARN_UNUSED;
/// Frees a solution. Takes NULL.
CEL_API void cel_multigoal_solution_destroy(CelMultigoalSolution *solution);
/// Returns V(s), s (2,), bilinear between the grid's points.
CEL_API double cel_multigoal_v(const CelMultigoalSolution *solution, const double s[2]);
/// Returns Q(s,a) = r(s,a) + gamma V(s'), with the plane's own reward and end, and V interpolated.
CEL_API double cel_multigoal_q(const CelMultigoalSolution *solution, const double s[2],
                               const double a[2]);
/// Computes log pi(a|s) = (Q(s,a) - alpha log Z(s)) / alpha of n actions (n, 2) within reach, nats.
/// Z comes from quadrature over the actions at this s, so that the density integrates to 1.
/// alpha > 0.
CEL_API void cel_multigoal_log_density(const CelMultigoalSolution *solution, const double s[2],
                                       const double *a, int64_t n, double *log_density);
/// Samples a (2,) from the optimal policy at s, by cells of 1/32 of the reach. alpha = 0: the best
/// action.
CEL_API void cel_multigoal_draw(const CelMultigoalSolution *solution, const double s[2],
                                CelRng *rng, double a[2]);

CEL_END
#endif
