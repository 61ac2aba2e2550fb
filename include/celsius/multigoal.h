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

CEL_END
#endif
