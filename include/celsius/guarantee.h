/// Guarantees of policy updates: the least gain that is certain, and the exact gain.
///
/// On a finite problem, J of any two policies and a lower bound on their difference can be
/// computed, rounding included:
///     J' - J >= L - 2 eps gamma C/((1-gamma)(1-gamma(1-eps))),
///     L = E_d[E_pi'[A]]/(1-gamma),  eps = max TV(pi, pi'),  C = max |E_pi'[A]|,
/// over the states that can be reached from the start. A = Q - V and d belong to pi. The problem is
/// unregularized (alpha = 0) and has no time limit. The bound holds for every update from pi to
/// pi', whatever learner made it.
/// Source: [policy-guarantees, objective bound], without the linearized drift 2 eps t.
#ifndef CELSIUS_GUARANTEE_H
#define CELSIUS_GUARANTEE_H
#include "celsius/agent.h"
#include "celsius/mdp.h"
CEL_BEGIN

/// One update from policy pi to policy pi'. Values are in reward units.
typedef struct CelGuaranteeStep {
  int64_t iteration; ///< 1, 2, ...
  int64_t steps;     ///< environment steps so far
  double J, J_next;  ///< exact returns of pi and pi'
  double eps;        ///< largest total variation between pi and pi'
  double advantage;  ///< C
  double surrogate;  ///< L
  double penalty;    ///< 2 eps gamma C/((1-gamma)(1-gamma(1-eps)))
  double rounding;   ///< error bound of these numbers, from the certificates of their solves
  double bound;      ///< surrogate - penalty - rounding
  double gain;       ///< J_next - J
  bool held;         ///< gain >= bound
} CelGuaranteeStep;

/// Computes the step from pi to pi_next, (pairs) each. gamma in [0, 1); NAN: the problem's.
/// iteration and steps are set to 0.
/// Errors: CEL_E_RANGE (gamma, rows that do not sum to 1), CEL_E_UNSUPPORTED (a finite horizon),
/// CEL_E_MEMORY.
CEL_API CelStatus cel_policy_guarantee(const CelMdp *mdp, const double *pi, const double *pi_next,
                                       double gamma, CelGuaranteeStep *step) CEL_WARN_UNUSED;

/// Reads pi (pairs) of an agent whose environment is the problem (one-hot observations). The
/// probability of a missing action is added to the action that the environment substitutes. Float
/// probabilities are divided by their sum.
/// Errors: CEL_E_SHAPE (the agent has other spaces), those of cel_agent_probabilities,
/// CEL_E_MEMORY.
CEL_API CelStatus cel_agent_policy(CelAgent *agent, const CelMdp *mdp, double *pi) CEL_WARN_UNUSED;

typedef struct CelGuarantee CelGuarantee;

/// Starts to watch an agent with a categorical policy, from its current policy on. The problem must
/// outlive the guarantee. gamma NAN: the agent's. Free it with cel_guarantee_destroy.
/// Errors: those of cel_policy_guarantee and cel_agent_policy.
CEL_API CelStatus cel_guarantee_create(CelGuarantee **out, const CelMdp *mdp, CelAgent *agent,
                                       double gamma) CEL_WARN_UNUSED;
/// Frees a guarantee. Takes NULL.
CEL_API void cel_guarantee_destroy(CelGuarantee *guarantee);
/// Writes every further step to FOLDER/guarantee.csv. Appends to an existing table: rows past the
/// agent's current steps are removed, the others count in the summary.
/// Errors: CEL_E_IO, CEL_E_FORMAT (another kind of table), CEL_E_RANGE (a path that is too long),
/// CEL_E_MEMORY.
CEL_API CelStatus cel_guarantee_write(CelGuarantee *guarantee, const CelAgent *agent,
                                      const char *folder) CEL_WARN_UNUSED;
/// Computes, after an update, the step from the policy at the last call (or at create) to the
/// current one. Does not change the agent. Errors: those of cel_agent_policy; CEL_E_IO,
/// CEL_E_MEMORY.
CEL_API CelStatus cel_guarantee_step(CelGuarantee *guarantee, CelAgent *agent,
                                     CelGuaranteeStep *step) CEL_WARN_UNUSED;

/// Summary of all steps so far, those of an existing table included.
typedef struct CelGuaranteeSummary {
  int64_t updates, held; ///< steps, steps whose bound held
  double gamma;
  double J_first, J; ///< returns before the first update and now
} CelGuaranteeSummary;
/// Returns the summary. Does not need the problem anymore.
CEL_API CelGuaranteeSummary cel_guarantee_summary(const CelGuarantee *guarantee);
/// Computes J of the optimal policy (alpha = 0), certified to within *uncertain. Errors: those of
/// cel_solve.
CEL_API CelStatus cel_guarantee_optimum(const CelGuarantee *guarantee, double *J_best,
                                        double *uncertain) CEL_WARN_UNUSED;

CEL_END
#endif
