/// Finite problems without a discount (gamma = 1): the expected total reward until a target is
/// reached, and the probability of reaching it. Minimum and maximum, hard and soft.
///
/// An episode ends in a target state. Rewards of target states do not count. Conventions of V, Q
/// and the temperature are those of solve.h, with gamma = 1. To minimize is to maximize the
/// negative: V = -alpha log sum_a exp(-Q/alpha), so that entropy lowers a minimum.
///
/// Values can be infinite. Graph searches find where, before any number is computed:
///   - states that reach the target with probability 0 or 1, for the best and for the worst policy;
///   - end components, in which a policy can stay forever. Those with a positive mean reward (for
///     minimization: negative) make the value infinite. Those without any reward are collapsed.
/// A soft value is finite only if the mean of r + alpha H is negative in every end component. See
/// docs/total-reward.md.
#ifndef CELSIUS_TOTAL_H
#define CELSIUS_TOTAL_H
#include "celsius/solve.h"
CEL_BEGIN

typedef enum CelTotalObjective {
  CEL_TOTAL_AUTO,       ///< the reward, or the probability if no reward differs from 0
  CEL_TOTAL_REWARD,     ///< expected total reward until the target is reached
  CEL_TOTAL_PROBABILITY ///< probability of reaching the target; rewards do not count
} CelTotalObjective;
CEL_ENUM_IS_INT32(CelTotalObjective);

/// The total reward of a path that never reaches the target.
typedef enum CelTotalUnreached {
  /// With a target: CEL_UNREACHED_INFINITE, or CEL_UNREACHED_FORBIDDEN if rewards of both signs
  /// occur. Without a target: CEL_UNREACHED_SUM.
  CEL_UNREACHED_AUTO,
  /// The sum of its rewards. A terminal state or an ending transition adds nothing more.
  CEL_UNREACHED_SUM,
  /// Only policies count that reach the target with probability 1. Where there is none, the maximum
  /// is -infinity and the minimum is +infinity.
  CEL_UNREACHED_FORBIDDEN,
  /// +infinity if no reward is negative, -infinity if none is positive. This is the convention of
  /// PRISM and Storm. Rewards of both signs are refused.
  CEL_UNREACHED_INFINITE
} CelTotalUnreached;
CEL_ENUM_IS_INT32(CelTotalUnreached);

/// What to compute. Start from cel_total_config_default(); the field table is cel_total_fields().
typedef struct CelTotalConfig {
  /// Total reward or probability of reaching the target. Default CEL_TOTAL_AUTO.
  CelTotalObjective objective;
  /// Minimize instead of maximize. Default false.
  bool min;
  /// What a path that never reaches the target is worth. Only for the reward without a step limit.
  /// Default CEL_UNREACHED_AUTO.
  CelTotalUnreached unreached;
  /// Steps. Range 0 to 1e15, default 0, which is no limit. With N steps: the reward of the first N
  /// steps, or the probability of reaching the target within N steps.
  int64_t steps;
} CelTotalConfig;
/// Returns the field table of CelTotalConfig. Static; never NULL.
CEL_API const CelField *cel_total_fields(void);
/// Returns the default settings.
CEL_API CelTotalConfig cel_total_config_default(void);

/// Solves a problem without a discount. Free the solution with cel_solution_destroy.
/// target (states): nonzero for target states. NULL: the episode's end is the target, that is,
/// terminal states and transitions that end the episode.
/// `config`: gamma must be 1 or NAN, which counts as 1. The method must be auto, vi, gauss-seidel
/// or newton; with a step limit auto or backward. The problem's own discount and horizon do not
/// count.
///
/// The solution has lower and upper bounds of every value, rounding included. They hold for every
/// problem with the same transitions whose probabilities and rewards differ by less than a relative
/// 2^-51 from the stored ones, and whose rows sum to 1 exactly. So they contain the exact answer
/// for probabilities such as 1/3. A value that is infinite has infinite bounds. V is between the
/// bounds, and `bound` is the largest distance from V to one of them over the states with a finite
/// value. At alpha = 0 and without a step limit, pi takes one action in each state, and its value
/// is not below `lower` (minimization: not above `upper`). With a step limit, Q and pi are those of
/// the first step. Where the value is infinite, pi is uniform.
///
/// A solve that is stopped (limits, progress, interrupt hook) returns CEL_OK with certified false.
/// Its bound is valid, but may be infinite.
/// Errors: CEL_E_RANGE (alpha, gamma, tolerance; a negative number of steps; rewards too large),
/// CEL_E_UNSUPPORTED (the method; rewards of both signs with CEL_UNREACHED_INFINITE; too many
/// states; an end component whose mean reward is 0 up to rounding errors, although it has rewards:
/// the message names a state), CEL_E_ARGUMENT (no state is a target), CEL_E_MEMORY.
CEL_API CelStatus cel_solve_total(const CelMdp *mdp, const uint8_t *target,
                                  const CelTotalConfig *total, const CelSolveConfig *config,
                                  CelSolution **out) CEL_WARN_UNUSED;

CEL_END
#endif
