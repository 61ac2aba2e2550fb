/// Finite problems solved to a certified error, soft (alpha > 0) and hard (alpha = 0) by the same code.
///
/// Conventions: temperature alpha in reward units per nat; Q without the immediate entropy, V with it:
///   (TV)(s) = alpha log sum_a exp(Q(s,a)/alpha),  Q(s,a) = r(s,a) + gamma E[V(s')],  alpha = 0: max_a Q(s,a).
/// Source: [soft-q-learning, 2-3.1], [maximum-entropy, 8.22-8.30].
#ifndef CELSIUS_SOLVE_H
#define CELSIUS_SOLVE_H
#include "celsius/mdp.h"
CEL_BEGIN

/// A sparse direct solve cannot be stopped. Where one would take much longer than a second, Krylov steps take its place:
/// CEL_SOLVE_PI becomes CEL_SOLVE_NEWTON, CEL_EVALUATE_DIRECT becomes CEL_EVALUATE_KRYLOV, as near as rounding lets it.
typedef enum CelSolveMethod {
  CEL_SOLVE_AUTO,         ///< Newton-Krylov, or value iteration where sweeps alone are quicker
  CEL_SOLVE_VI,           ///< soft value iteration
  CEL_SOLVE_GAUSS_SEIDEL, ///< in place, in state order
  CEL_SOLVE_MPI,          ///< modified (soft) policy iteration
  CEL_SOLVE_PI,           ///< (soft) policy iteration, evaluated by a sparse direct solve
  CEL_SOLVE_NEWTON,       ///< inexact Newton-Krylov on V - TV, safeguarded
  CEL_SOLVE_BACKWARD      ///< backward induction: what a finite horizon takes
} CelSolveMethod;

typedef struct CelSolveProgress {
  const char *method;
  int64_t iteration, sweeps; ///< sweeps: passes over all transitions
  double residual;           ///< sup-norm of V - TV
  double bound;              ///< certified sup-norm distance to the optimum
  double seconds;
  double fraction; ///< of the way to the tolerance, on the logarithmic scale; for a bar and an ETA
} CelSolveProgress;

/// Field table: cel_solve_fields().
typedef struct CelSolveConfig {
  double alpha;           ///< temperature >= 0; default 0.1
  double gamma;           ///< NAN ("auto"): the problem's own
  int32_t method;         ///< CelSolveMethod
  double tolerance;       ///< certified sup-norm error relative to max(1, max |V|); default 1e-9
  int64_t max_iterations; ///< 0: no limit
  double max_seconds;     ///< 0: no limit
  int64_t threads;
  bool (*progress)(void *user,
                   const CelSolveProgress *now); ///< false: stop; NULL: none. Not a field.
  void *user;
} CelSolveConfig;
CEL_API const CelField *cel_solve_fields(void);
CEL_API CelSolveConfig cel_solve_config_default(void);

typedef struct CelSolution {
  int64_t states, pairs, horizon; ///< horizon 0: one V; T: V, Q, pi of every time, t = 0 first
  double *V;                      ///< (max(1, T), states)
  double *Q;                      ///< (max(1, T), pairs)
  double *
      pi; ///< (max(1, T), pairs) soft-optimal; alpha = 0: greedy, uniform over ties within the bound
  double alpha, gamma;
  double value_start; ///< J = sum_s start(s) V(s); NAN where backward induction was stopped
  double residual;    ///< sup-norm of V - TV, computed at the V that is returned
  double bound;       ///< V is within this of the optimum, sup-norm, rounding included
  bool certified;     ///< bound <= tolerance max(1, max |V|)
  int64_t iterations, sweeps;
  double seconds;
  CelSolveMethod method; ///< the one that ran: never auto
} CelSolution;

/// Solves. A run that is stopped (limits, progress) is CEL_OK with certified false: its bound says how far it came.
/// Backward induction that is stopped has values of the last `iterations` time steps only; those of earlier steps
/// are 0 and the bound is infinite.
/// Errors: CEL_E_RANGE (alpha, gamma, tolerance; a tolerance that double precision cannot certify is not one: see
/// certified), CEL_E_UNSUPPORTED (method against horizon), CEL_E_MEMORY (also where the machine has less left than a
/// solve will take; told before it begins). An interrupt hook (below) that wants an end stops a run as `progress` does.
CEL_API CelStatus cel_solve(const CelMdp *mdp, const CelSolveConfig *config,
                            CelSolution **out) CEL_WARN_UNUSED;
CEL_API void cel_solution_destroy(CelSolution *solution);
/// V, Q, pi and the summary as safetensors. Errors: CEL_E_IO.
CEL_API CelStatus cel_solution_save(const CelSolution *solution, const char *path) CEL_WARN_UNUSED;

// ---- evaluation of a given policy pi (pairs), rows summing to 1 over each state's actions.

typedef enum CelEvaluateMethod {
  CEL_EVALUATE_SWEEPS, ///< fixed-point sweeps
  CEL_EVALUATE_DIRECT, ///< sparse LU (SuiteSparse); outside of the bit-for-bit promise
  CEL_EVALUATE_KRYLOV  ///< BiCGStab
} CelEvaluateMethod;

/// V (states) and Q (pairs; may be NULL) of pi with temperature alpha: V = E_pi[Q - alpha log pi].
/// Infinite horizon. *bound: certified sup-norm error of V.
/// Source: [maximum-entropy, 8.14-8.21], [policy-guarantees, Lemma 1] with r + gamma alpha H(s').
/// Errors: CEL_E_RANGE (pi, alpha, gamma), CEL_E_UNSUPPORTED (a finite horizon; direct without SuiteSparse),
/// CEL_E_MEMORY, CEL_E_INTERRUPTED (the interrupt hook, below; as in the three functions below).
CEL_API CelStatus cel_mdp_evaluate(const CelMdp *mdp, const double *pi, double alpha, double gamma,
                                   CelEvaluateMethod method, double tolerance, double *V, double *Q,
                                   double *bound) CEL_WARN_UNUSED;
/// Time-indexed V (T, states) and Q (T, pairs) of pi (T, pairs) over `horizon` steps.
CEL_API CelStatus cel_mdp_evaluate_horizon(const CelMdp *mdp, const double *pi, double alpha,
                                           double gamma, int64_t horizon, double *V,
                                           double *Q) CEL_WARN_UNUSED;
/// p (T + 1, states): state distribution at t = 0..T under pi from the problem's start; mass that ended is gone.
CEL_API CelStatus cel_state_distribution(const CelMdp *mdp, const double *pi, int64_t T,
                                         double *p) CEL_WARN_UNUSED;
/// d (states) = (1 - gamma) sum_t gamma^t p_t, which solves (I - gamma P_pi)' d = (1 - gamma) p_0. `tolerance`: the mass
/// that d may be off by, summed over the states (direct: as near as rounding lets it).
/// Errors: CEL_E_RANGE (gamma, method), CEL_E_UNSUPPORTED (direct without SuiteSparse), CEL_E_MEMORY.
CEL_API CelStatus cel_discounted_distribution(const CelMdp *mdp, const double *pi, double gamma,
                                              CelEvaluateMethod method, double tolerance,
                                              double *d) CEL_WARN_UNUSED;
/// J = sum_s start(s) V(s).
CEL_API double cel_value_start(const CelMdp *mdp, const double *V);
/// pi (pairs) of Q (pairs): the softmax at alpha, normalised by its own sum; alpha = 0: uniform over the maxima.
CEL_API void cel_policy_of_q(const CelMdp *mdp, const double *Q, double alpha, double *pi);
/// V (states) of Q: alpha log sum exp(Q/alpha); alpha = 0: max.
CEL_API void cel_value_of_q(const CelMdp *mdp, const double *Q, double alpha, double *V);
/// Q (pairs) of V: r + gamma E[V(s')].
CEL_API void cel_q_of_v(const CelMdp *mdp, const double *V, double gamma, double *Q);

// ---- an end from outside

/// Asked by long computations of the calling thread, many times a second: solvers, evaluations of policies,
/// distributions of states, tabular learning. True: they end as soon as they can, with CEL_E_INTERRUPTED or with what they
/// have, as each says. It must be quick, and must not call the library.
typedef bool (*CelInterruptHook)(void *user);
/// Sets the hook of the calling thread. NULL: none.
CEL_API void cel_set_interrupt_hook(CelInterruptHook hook, void *user);

CEL_END
#endif
