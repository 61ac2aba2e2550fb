/// The guarantee made visible: what an update of a policy must gain at least, and what it gained, exactly.
///
/// On a finite problem J of any two policies and the lower bound on their difference can be computed, rounding included:
///     J' - J >= L - 2 eps gamma C/((1-gamma)(1-gamma(1-eps))),
///     L = E_d[E_pi'[A]]/(1-gamma),  eps = max TV(pi, pi'),  C = max |E_pi'[A]|,
/// over the states that can be reached from the start. A = Q - V and d are those of pi, of the ordinary problem (alpha = 0)
/// without a time limit. Whatever learner made pi' of pi, no update may break it.
/// Source: [policy-guarantees, objective bound], without the linearised drift 2 eps t.
#ifndef CELSIUS_GUARANTEE_H
#define CELSIUS_GUARANTEE_H
#include "celsius/agent.h"
#include "celsius/mdp.h"
CEL_BEGIN

/// One update: pi before, pi' after.
typedef struct CelGuaranteeStep {
  int64_t iteration; ///< 1, 2, ...
  int64_t steps;     ///< environment steps so far
  double J, J_next;  ///< exact returns of pi and pi'
  double eps;        ///< the greatest total variation
  double advantage;  ///< C
  double surrogate;  ///< L
  double penalty;    ///< 2 eps gamma C/((1-gamma)(1-gamma(1-eps)))
  double rounding;   ///< what these numbers may be off by, from the certificates of their solves
  double bound;      ///< surrogate - penalty - rounding
  double gain;       ///< J_next - J
  bool held;         ///< gain >= bound
} CelGuaranteeStep;

/// The step from pi to pi_next, (pairs) each. gamma in [0, 1); NAN: the problem's. iteration and steps are 0.
/// Errors: CEL_E_RANGE (gamma, rows that are no distributions), CEL_E_UNSUPPORTED (a finite horizon), CEL_E_MEMORY.
CEL_API CelStatus cel_policy_guarantee(const CelMdp *mdp, const double *pi, const double *pi_next,
                                       double gamma, CelGuaranteeStep *step) CEL_WARN_UNUSED;

/// pi (pairs) of an agent over the problem as an environment (one-hot observations); an action that a state has not
/// counts for the one that it does as. Float probabilities are divided by their sum.
/// Errors: CEL_E_SHAPE (an agent of other spaces), those of cel_agent_probabilities, CEL_E_MEMORY.
CEL_API CelStatus cel_agent_policy(CelAgent *agent, const CelMdp *mdp, double *pi) CEL_WARN_UNUSED;

typedef struct CelGuarantee CelGuarantee;

/// Watches an agent whose policy is over one choice, from its present policy on. The problem must outlive the guarantee.
/// gamma NAN: the agent's.
/// Errors: those of cel_policy_guarantee and cel_agent_policy.
CEL_API CelStatus cel_guarantee_create(CelGuarantee **out, const CelMdp *mdp, CelAgent *agent,
                                       double gamma) CEL_WARN_UNUSED;
/// Takes NULL.
CEL_API void cel_guarantee_destroy(CelGuarantee *guarantee);
/// Writes every step to FOLDER/guarantee.csv from now on. A table that is there is gone on with: rows past the agent's
/// present steps are cut off, the others counted. Errors: CEL_E_IO, CEL_E_FORMAT (not such a table), CEL_E_RANGE (a
/// path that is too long), CEL_E_MEMORY.
CEL_API CelStatus cel_guarantee_write(CelGuarantee *guarantee, const CelAgent *agent,
                                      const char *folder) CEL_WARN_UNUSED;
/// After an update: the step from the policy at the last call (or at create) to the present one. Changes nothing of the
/// agent. Errors: those of cel_agent_policy; CEL_E_IO, CEL_E_MEMORY.
CEL_API CelStatus cel_guarantee_step(CelGuarantee *guarantee, CelAgent *agent,
                                     CelGuaranteeStep *step) CEL_WARN_UNUSED;

/// All steps so far, those of a table that was gone on with included.
typedef struct CelGuaranteeSummary {
  int64_t updates, held;
  double gamma;
  double J_first, J; ///< before the first update, now
} CelGuaranteeSummary;
/// Needs the problem no longer.
CEL_API CelGuaranteeSummary cel_guarantee_summary(const CelGuarantee *guarantee);
/// J of the best policy (alpha = 0), certified to within *uncertain. Errors: those of cel_solve.
CEL_API CelStatus cel_guarantee_optimum(const CelGuarantee *guarantee, double *J_best,
                                        double *uncertain) CEL_WARN_UNUSED;

CEL_END
#endif
