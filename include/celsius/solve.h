/// Solvers for finite problems with a certified error. The same code solves the soft problem
/// (alpha > 0) and the unregularized one (alpha = 0).
///
/// Conventions: the temperature alpha has the unit reward per nat. Q does not contain the immediate
/// entropy, V does:
///   (TV)(s) = alpha log sum_a exp(Q(s,a)/alpha),  Q(s,a) = r(s,a) + gamma E[V(s')],
///   and for alpha = 0, (TV)(s) = max_a Q(s,a).
/// Source: [soft-q-learning, 2-3.1], [maximum-entropy, 8.22-8.30].
#ifndef CELSIUS_SOLVE_H
#define CELSIUS_SOLVE_H
#include "celsius/mdp.h"
CEL_BEGIN

/// A sparse direct solve cannot be interrupted. If one would take much longer than a second, a
/// Krylov method is used instead. CEL_SOLVE_PI is replaced by CEL_SOLVE_NEWTON. CEL_EVALUATE_DIRECT
/// is replaced by CEL_EVALUATE_KRYLOV, which then iterates until rounding error dominates.
typedef enum CelSolveMethod {
  CEL_SOLVE_AUTO,         ///< Newton-Krylov, or value iteration where sweeps alone are faster
  CEL_SOLVE_VI,           ///< (soft) value iteration
  CEL_SOLVE_GAUSS_SEIDEL, ///< value iteration in place, in state order
  CEL_SOLVE_MPI,          ///< modified (soft) policy iteration
  CEL_SOLVE_PI,           ///< (soft) policy iteration with a sparse direct solve
  CEL_SOLVE_NEWTON,       ///< inexact Newton-Krylov on V - TV, safeguarded
  CEL_SOLVE_BACKWARD      ///< backward induction, for a finite horizon
} CelSolveMethod;
CEL_ENUM_IS_INT32(CelSolveMethod);

typedef struct CelSolveProgress {
  const char *method;
  int64_t iteration, sweeps; ///< sweeps: passes over all transitions
  double residual;           ///< sup-norm of V - TV
  double bound;              ///< certified sup-norm distance to the optimum
  double seconds;
  double fraction; ///< progress toward the tolerance on a logarithmic scale, 0 to 1
} CelSolveProgress;

/// Settings of a solve. Start from cel_solve_config_default(); the field table is
/// cel_solve_fields().
typedef struct CelSolveConfig {
  /// Temperature alpha, reward units per nat. Range 0 to 1e12, default 0.1; 0 solves the
  /// unregularized problem.
  double alpha;
  /// Discount. Range 0 to 1, default NAN ("auto"), which is the discount of the problem. 1 needs a
  /// finite horizon, or cel_solve_total.
  double gamma;
  /// Solver. Default CEL_SOLVE_AUTO.
  CelSolveMethod method;
  /// Certified sup-norm error of V, relative to max(1, max |V|). Range 1e-300 to 1e300, default
  /// 1e-9. Raise it for a faster, less exact answer.
  double tolerance;
  /// Largest number of iterations. Range 0 to 9e15, default 0; 0 is no limit.
  int64_t max_iterations;
  /// Time limit, seconds. Range 0 to 1e12, default 0; 0 is no limit.
  double max_seconds;
  /// Threads. Range 1 to 1024, default 1. Any number gives the same bits.
  int64_t threads;
  /// Called with `user` from the calling thread as the solve proceeds; NULL: not called. Returning
  /// false stops. Not a field.
  bool (*progress)(void *user, const CelSolveProgress *now);
  /// Passed to `progress`.
  void *user;
} CelSolveConfig;
/// Returns the field table of CelSolveConfig. Static; never NULL.
CEL_API const CelField *cel_solve_fields(void);
/// Returns the default settings.
CEL_API CelSolveConfig cel_solve_config_default(void);

/// A solution. With an infinite horizon (horizon 0) there is one V, Q and pi. With horizon T there
/// is one for each time, t = 0 first. Values are in reward units.
typedef struct CelSolution {
  int64_t states, pairs, horizon;
  double *V; ///< (max(1, T), states)
  double *Q; ///< (max(1, T), pairs)
  /// (max(1, T), pairs) soft-optimal policy. alpha = 0: greedy, uniform over ties within the bound.
  double *pi;
  double alpha, gamma;
  double value_start; ///< J = sum_s start(s) V(s); NAN where backward induction was stopped
  double residual;    ///< sup-norm of V - TV at the V that is returned
  double bound;       ///< upper bound on the sup-norm distance of V to V*, rounding included
  bool certified;     ///< bound <= tolerance max(1, max |V|)
  int64_t iterations, sweeps;
  double seconds;
  CelSolveMethod method; ///< the method that ran, never CEL_SOLVE_AUTO
  // Only from cel_solve_total (total.h):
  double *lower, *upper;           ///< (states) bounds of the exact value; else NULL
  double value_lower, value_upper; ///< bounds of the exact J; else 0
  /// One sentence about values that are infinite, or "".
  char infinite[256];
} CelSolution;

/// Solves a problem. Free the solution with cel_solution_destroy.
/// A solve that is stopped (limits, progress, interrupt hook) returns CEL_OK with certified false.
/// Its bound is still valid. If backward induction is stopped, only the last `iterations` time
/// steps have values, earlier ones are 0, and the bound is infinite. If double precision cannot
/// reach the tolerance, the solve also returns CEL_OK with certified false.
/// Errors: CEL_E_RANGE (alpha, gamma, tolerance), CEL_E_UNSUPPORTED (the method does not support
/// this horizon), CEL_E_MEMORY (an allocation failed, or the check before the solve found too
/// little free memory).
CEL_API CelStatus cel_solve(const CelMdp *mdp, const CelSolveConfig *config,
                            CelSolution **out) CEL_WARN_UNUSED;
/// Frees a solution. Takes NULL.
CEL_API void cel_solution_destroy(CelSolution *solution);
/// Writes V, Q, pi and the summary as safetensors. Errors: CEL_E_IO.
CEL_API CelStatus cel_solution_save(const CelSolution *solution, const char *path) CEL_WARN_UNUSED;

// ---- Evaluation of a given policy pi (pairs), whose probabilities sum to 1 in each state.

typedef enum CelEvaluateMethod {
  CEL_EVALUATE_SWEEPS, ///< fixed-point sweeps
  CEL_EVALUATE_DIRECT, ///< sparse LU (SuiteSparse); its bits may differ between machines
  CEL_EVALUATE_KRYLOV  ///< BiCGStab
} CelEvaluateMethod;

/// Computes V (states) and Q (pairs; may be NULL) of pi at temperature alpha:
/// V = E_pi[Q - alpha log pi]. Infinite horizon. *bound (may be NULL): certified sup-norm error of
/// V.
/// Source: [maximum-entropy, 8.14-8.21], [policy-guarantees, Lemma 1] with r + gamma alpha H(s').
/// Errors: CEL_E_RANGE (pi, alpha, gamma), CEL_E_UNSUPPORTED (a finite horizon; direct without
/// SuiteSparse), CEL_E_MEMORY, CEL_E_INTERRUPTED (interrupt hook; also in the next three
/// functions).
CEL_API CelStatus cel_mdp_evaluate(const CelMdp *mdp, const double *pi, double alpha, double gamma,
                                   CelEvaluateMethod method, double tolerance, double *V, double *Q,
                                   double *bound) CEL_WARN_UNUSED;
/// Computes V (T, states) and Q (T, pairs) of pi (T, pairs) for each time of T = `horizon` steps.
CEL_API CelStatus cel_mdp_evaluate_horizon(const CelMdp *mdp, const double *pi, double alpha,
                                           double gamma, int64_t horizon, double *V,
                                           double *Q) CEL_WARN_UNUSED;
/// Computes p (T + 1, states), the state distribution at t = 0..T under pi from the problem's
/// start. Episodes that ended leave the distribution, so a row may sum to less than 1.
CEL_API CelStatus cel_state_distribution(const CelMdp *mdp, const double *pi, int64_t T,
                                         double *p) CEL_WARN_UNUSED;
/// Computes d (states) = (1 - gamma) sum_t gamma^t p_t, the discounted state distribution. It
/// solves (I - gamma P_pi)' d = (1 - gamma) p_0. `tolerance`: largest allowed L1 error of d. The
/// direct method ignores it and is as accurate as rounding allows.
/// Errors: CEL_E_RANGE (gamma, method), CEL_E_UNSUPPORTED (direct without SuiteSparse),
/// CEL_E_MEMORY.
CEL_API CelStatus cel_discounted_distribution(const CelMdp *mdp, const double *pi, double gamma,
                                              CelEvaluateMethod method, double tolerance,
                                              double *d) CEL_WARN_UNUSED;
/// Returns J = sum_s start(s) V(s).
CEL_API double cel_value_start(const CelMdp *mdp, const double *V);
/// Computes pi (pairs) from Q (pairs): the softmax at alpha, normalized by its own sum. alpha = 0:
/// uniform over the maxima.
CEL_API void cel_policy_of_q(const CelMdp *mdp, const double *Q, double alpha, double *pi);
/// Computes V (states) from Q (pairs): alpha log sum exp(Q/alpha). alpha = 0: max.
CEL_API void cel_value_of_q(const CelMdp *mdp, const double *Q, double alpha, double *V);
/// Computes Q (pairs) from V (states): r + gamma E[V(s')].
CEL_API void cel_q_of_v(const CelMdp *mdp, const double *V, double gamma, double *Q);

// ---- Interruption

/// Long computations (solvers, policy evaluations, state distributions, tabular learning) call the
/// hook of their thread many times a second. When it returns true, they stop as soon as possible.
/// They return CEL_E_INTERRUPTED or a partial result, as documented at each function. The hook must
/// be fast and must not call the library.
typedef bool (*CelInterruptHook)(void *user);
/// Sets the hook of the calling thread. NULL removes it.
CEL_API void cel_set_interrupt_hook(CelInterruptHook hook, void *user);

CEL_END
#endif
