/// Exact policy improvement on finite problems: projection, gradients, conservative steps.
///
/// A policy pi has one probability per pair (state, action); a softmax policy has one logit per
/// pair. 0 log 0 is 0, so policies may be deterministic unless a function says otherwise.
#ifndef CELSIUS_IMPROVE_H
#define CELSIUS_IMPROVE_H
#include "celsius/solve.h"
CEL_BEGIN

// ---- Projection

/// A restricted class of policies: a finite set.
typedef struct CelPolicyClass {
  int64_t count;          ///< number of policies
  const double *policies; ///< (count, pairs)
  bool rectangular;       ///< true: each state may use another policy; false: whole policies only
} CelPolicyClass;

/// Computes pi (pairs) = argmin over the class of KL(pi(.|s) || softmax(Q(s,.)/alpha)).
/// Where the class is rectangular, each state has its own minimum; NULL is the class of all
/// policies, whose answer is the softmax. Otherwise it minimizes the sum over states, weighted by
/// `weight` (states; NULL: uniform). Of several minima it takes the first.
/// Lemma 2: if Q belongs to a policy of the class and the class is rectangular, no value falls.
/// Without a rectangular class a value may fall.
/// Source: [maximum-entropy, 8.30], [policy-guarantees, Lemma 2]. pi must not alias a policy of the
/// class.
/// Errors: CEL_E_RANGE (alpha <= 0, Q not finite, an empty class, a policy whose rows do not sum to
/// 1, a weight), CEL_E_MEMORY.
CEL_API CelStatus cel_policy_project(const CelMdp *mdp, const double *Q, double alpha,
                                     const CelPolicyClass *within, const double *weight,
                                     double *pi) CEL_WARN_UNUSED;

// ---- Gradients

/// Computes the exact gradient (pairs) of J with respect to the logits of pi = softmax(theta):
///   dJ/dtheta(s,a) = 1/(1-gamma) d(s) pi(a|s) A_soft(s,a),  A_soft = Q - alpha log pi - V.
/// `natural`: pinv(Fisher) times that, which is A_soft/(1-gamma) less its mean over a state's
/// actions. The same formula is used where d(s) = 0, although the Fisher matrix has no row there.
/// gamma NAN: the problem's. alpha >= 0, reward units per nat.
/// Source: [actor-critic, 4.1-4.15] in the corrected form of the errata (d, no sum over t),
/// [discrete-soft-policy-gradient].
/// Errors: CEL_E_RANGE (pi, alpha, gamma; with `natural` pi must be positive), CEL_E_UNSUPPORTED (a
/// finite horizon; use cel_policy_gradient_horizon), CEL_E_MEMORY.
CEL_API CelStatus cel_policy_gradient(const CelMdp *mdp, const double *pi, double alpha,
                                      double gamma, bool natural, double *gradient) CEL_WARN_UNUSED;

/// Computes the exact gradient (pairs) of the J of `horizon` steps (0: the problem's horizon) with
/// respect to logits that all times share:
///   sum_{t < T} gamma^t sum_s p_t(s) pi(a|s) A_soft,t(s,a).
/// `discounted` false: without gamma^t, as most implementations do (4.7). That is the gradient of J
/// only when gamma = 1.
/// Source: [actor-critic, 4.6-4.7]. gamma in [0, 1]; NAN: the problem's. pi (pairs) is the same at
/// all times.
/// Errors: CEL_E_RANGE (pi, alpha, gamma, horizon), CEL_E_MEMORY.
CEL_API CelStatus cel_policy_gradient_horizon(const CelMdp *mdp, const double *pi, double alpha,
                                              double gamma, int64_t horizon, bool discounted,
                                              double *gradient) CEL_WARN_UNUSED;

/// Computes the gradient (pairs) of the discrete soft policy loss
///   sum_s weight(s) sum_a pi (alpha log pi - Q)
/// with respect to the logits, for a given Q:
///   -weight(s) pi (Q - alpha log pi - V),  V = E_pi[Q - alpha log pi].
/// Gradient descent moves along +pi A_soft. weight (states); NULL: 1 for each state.
/// Source: [discrete-soft-policy-gradient]. Allocates: no.
CEL_API void cel_soft_policy_gradient(const CelMdp *mdp, const double *pi, const double *Q,
                                      double alpha, const double *weight, double *gradient);

// ---- Conservative policy iteration

/// One conservative step from pi toward the greedy policy of its own A: the mixture
/// pi + eps (greedy - pi). eps maximizes the certified lower bound on J' - J (not linearized).
/// Nothing depends on states that cannot be reached from the start: they keep their policy and do
/// not count. Values are in reward units.
/// Source: [policy-guarantees, objective bound].
typedef struct CelConservativeStep {
  double J, J_next;     ///< exact returns before and after
  double surrogate;     ///< L of the step
  double eps;           ///< mixture weight
  double distance;      ///< largest total variation between pi and the mixture; at most eps
  double drift_penalty; ///< 2 e gamma C/((1-gamma)(1-gamma(1-e))), e = distance, C = max |E_pi'[A]|
  double rounding;    ///< error bound of surrogate and penalty, from the residuals of their solves
  double lower_bound; ///< surrogate - penalty - rounding, the least certain value of J_next - J
  bool held;          ///< J_next - J >= lower_bound, up to the error bounds of both J
  double gap;   ///< the optimum is at most this above J: max over s of max_a A, over 1 - gamma
  bool stopped; ///< no step is certain to gain more than the tolerance; eps is 0
} CelConservativeStep;

/// Settings of conservative policy iteration. Start from cel_conservative_config_default(); the
/// field table is cel_conservative_fields().
typedef struct CelConservativeConfig {
  /// Discount. Range 0 to just below 1, default NAN ("auto"), which is the problem's.
  double gamma;
  /// Stops when the certified gain is at most this, reward units. Range 0 to 1e300, default 1e-9.
  /// Raise it to stop earlier.
  double tolerance;
  /// Largest number of iterations. Range 0 to 1e15, default 0; 0 is no limit.
  int64_t max_iterations;
  /// Called with `user` after each iteration; NULL: not called. Returning false ends the iteration.
  /// Not a field.
  bool (*step)(void *user, int64_t iteration, const CelConservativeStep *step);
  /// Passed to `step`.
  void *user;
} CelConservativeConfig;
/// Returns the field table of CelConservativeConfig. Static; never NULL.
CEL_API const CelField *cel_conservative_fields(void);
/// Returns the default settings.
CEL_API CelConservativeConfig cel_conservative_config_default(void);
/// Runs conservative policy iteration on the unregularized problem (alpha = 0), infinite horizon.
/// J never falls, and the iteration ends by itself.
/// In/out pi (pairs). *last: the last step, may be NULL; its `stopped` is false where a limit or
/// the hook ended the iteration. `config` NULL: the defaults.
/// Source: Kakade, Langford, "Approximately optimal approximate reinforcement learning", ICML 2002,
/// with the bound of [policy-guarantees, objective bound].
/// Errors: CEL_E_RANGE (pi, gamma, tolerance), CEL_E_UNSUPPORTED (a finite horizon), CEL_E_MEMORY.
CEL_API CelStatus cel_conservative_iteration(const CelMdp *mdp, const CelConservativeConfig *config,
                                             double *pi, CelConservativeStep *last) CEL_WARN_UNUSED;

CEL_END
#endif
