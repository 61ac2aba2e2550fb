/// Policy improvement on finite problems, exactly: projection, gradients, conservative steps.
///
/// A policy pi has one number a pair; softmax policies have one logit a pair. 0 log 0 is 0, so policies may be
/// deterministic wherever nothing else is said.
#ifndef CELSIUS_IMPROVE_H
#define CELSIUS_IMPROVE_H
#include "celsius/solve.h"
CEL_BEGIN

// ---- projection

/// A restricted class of policies that is a finite set: policies (count, pairs). Per state choices may be mixed
/// (rectangular) or only whole policies taken.
typedef struct CelPolicyClass {
  int64_t count;
  const double *policies; ///< (count, pairs)
  bool rectangular;
} CelPolicyClass;

/// pi (pairs) = argmin over the class of KL(pi(.|s) || softmax(Q(s,.)/alpha)), each state by itself where the class is
/// rectangular or NULL (the full class: the softmax), else of its sum weighted by `weight` (states; NULL: uniform). The
/// first of several that are as near. On a class that is rectangular and holds the policy whose Q this is, no value
/// falls (Lemma 2); on one that is not, it may.
/// Source: [maximum-entropy, 8.30], [policy-guarantees, Lemma 2]. pi is none of the class's.
/// Errors: CEL_E_RANGE (alpha <= 0, Q not finite, an empty class, a policy whose rows are no distributions, a weight),
/// CEL_E_MEMORY.
CEL_API CelStatus cel_policy_project(const CelMdp *mdp, const double *Q, double alpha,
                                     const CelPolicyClass *within, const double *weight,
                                     double *pi) CEL_WARN_UNUSED;

// ---- gradients

/// gradient (pairs) of J with respect to the logits of a softmax policy pi = softmax(theta), exactly:
///   dJ/dtheta(s,a) = 1/(1-gamma) d(s) pi(a|s) A_soft(s,a),  A_soft = Q - alpha log pi - V.
/// `natural`: pinv(Fisher) of it, which is A_soft/(1-gamma) less its mean over a state's actions; where d(s) = 0, which
/// leaves the Fisher matrix without a row, it is that too. gamma NAN: the problem's.
/// Source: [actor-critic, 4.1-4.15] in the form that errata name (d, no sum over t), [discrete-soft-policy-gradient].
/// Errors: CEL_E_RANGE (pi, alpha, gamma; natural: pi must be positive), CEL_E_UNSUPPORTED (a finite horizon: below),
/// CEL_E_MEMORY.
CEL_API CelStatus cel_policy_gradient(const CelMdp *mdp, const double *pi, double alpha,
                                      double gamma, bool natural, double *gradient) CEL_WARN_UNUSED;

/// gradient (pairs) of the J of `horizon` steps (0: the problem's) with respect to the logits that all times share:
///   sum_{t < T} gamma^t sum_s p_t(s) pi(a|s) A_soft,t(s,a).
/// `discounted` false: without gamma^t, as practice does (4.7): not the gradient of J unless gamma = 1.
/// Source: [actor-critic, 4.6-4.7]. gamma in [0, 1]; NAN: the problem's. pi (pairs), the same at all times.
/// Errors: CEL_E_RANGE (pi, alpha, gamma, horizon), CEL_E_MEMORY.
CEL_API CelStatus cel_policy_gradient_horizon(const CelMdp *mdp, const double *pi, double alpha,
                                              double gamma, int64_t horizon, bool discounted,
                                              double *gradient) CEL_WARN_UNUSED;

/// gradient (pairs) of the discrete soft policy loss sum_s weight(s) sum_a pi (alpha log pi - Q) with respect to the
/// logits, for a Q that is given: -weight(s) pi (Q - alpha log pi - V), V = E_pi[Q - alpha log pi]. Descent moves along
/// +pi A_soft. weight NULL: 1 a state.
/// Source: [discrete-soft-policy-gradient].
CEL_API void cel_soft_policy_gradient(const CelMdp *mdp, const double *pi, const double *Q,
                                      double alpha, const double *weight, double *gradient);

// ---- conservative policy iteration

/// One conservative step from pi towards the greedy policy of its own A: mixture pi + eps (greedy - pi), eps the maximiser
/// of the certified lower bound on J' - J (unlinearised form). Of states that cannot be reached from the start nothing
/// depends; they keep their policy and count nowhere.
/// Source: [policy-guarantees, objective bound].
typedef struct CelConservativeStep {
  double J, J_next;     ///< exact, before and after
  double surrogate;     ///< L of the step taken
  double eps;           ///< mixture weight
  double distance;      ///< the greatest total variation between pi and the mixture, at most eps
  double drift_penalty; ///< 2 e gamma C/((1-gamma)(1-gamma(1-e))), e = distance, C = max |E_pi'[A]|
  double rounding; ///< what surrogate and penalty may be off by, from the residuals of their solves
  double lower_bound; ///< surrogate - penalty - rounding: J_next - J is to be no less
  bool held;          ///< it is not, but for what the two J may be off by
  double gap;   ///< J of the optimum is at most this above J: max over s of max_a A, over 1 - gamma
  bool stopped; ///< no step is guaranteed to improve by more than the tolerance; eps is 0
} CelConservativeStep;

/// Field table: cel_conservative_fields().
typedef struct CelConservativeConfig {
  double gamma;           ///< NAN ("auto"): the problem's
  double tolerance;       ///< stops when the certified gain is not above it; default 1e-9
  int64_t max_iterations; ///< 0: no limit
  bool (*step)(void *user, int64_t iteration,
               const CelConservativeStep *step); ///< false: end here; or NULL. Not a field.
  void *user;
} CelConservativeConfig;
CEL_API const CelField *cel_conservative_fields(void);
CEL_API CelConservativeConfig cel_conservative_config_default(void);
/// Conservative policy iteration: monotone, stops by itself. The hard problem (alpha = 0), infinite horizon.
/// In/out pi (pairs). *last: the last step; stopped is false where a limit or the hook ended it.
/// Source: Kakade, Langford, "Approximately optimal approximate reinforcement learning", ICML 2002, with the bound of
/// [policy-guarantees, objective bound]. Errors: CEL_E_RANGE (pi, gamma, tolerance), CEL_E_UNSUPPORTED (a finite
/// horizon), CEL_E_MEMORY.
CEL_API CelStatus cel_conservative_iteration(const CelMdp *mdp, const CelConservativeConfig *config,
                                             double *pi, CelConservativeStep *last) CEL_WARN_UNUSED;

CEL_END
#endif
