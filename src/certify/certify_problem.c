/// Which environments have an exact solution, and of which kind.
#include "base/arguments.h"
#include "base/base.h"
#include "base/floats.h"
#include "certify/certify.h"
#include <math.h>
#include <stdlib.h>

static CelStatus check_regulator(const CelEnvSpec *spec) {
  for (int64_t i = 0; i < spec->action.part[0].size; i++)
    if (isfinite(spec->action.part[0].high[i]))
      return cel_fail(CEL_E_UNSUPPORTED,
                      "%s: action_limit is %g; the exact solution needs actions without bounds "
                      "(action_limit 0)",
                      spec->type->id, (double)spec->action.part[0].high[i]);
  return CEL_OK;
}

static CelStatus check_plane(const CelMultigoal *plane) {
  if (plane->reach != 1)
    return cel_fail(
        CEL_E_UNSUPPORTED,
        "MultiGoal-v0: reach is %g; certify needs reach 1, because learners measure entropy "
        "on [-1, 1]",
        plane->reach);
  if (plane->bound < 0.5)
    return cel_fail(
        CEL_E_UNSUPPORTED,
        "MultiGoal-v0: bound is %g; it must be at least 0.5, so that the plane is as wide as "
        "a step of 1",
        plane->bound);
  return CEL_OK;
}

CelStatus celi_certify_problem(const CelEnvSpec *spec, CelCertifyProblem *problem) {
  const CelMdp *mdp;
  CelMultigoal plane;
  CelLqr *lqr = NULL;
  CELI_TRY(celi_alloc(&lqr, 1, sizeof *lqr, "a linear-quadratic regulator"));
  const bool finite = cel_mdp_of_env(spec, &mdp) == CEL_OK;
  const bool regulator = cel_lqr_of_env(spec, lqr) == CEL_OK;
  free(lqr);
  *problem = finite ? CEL_CERTIFY_MDP : regulator ? CEL_CERTIFY_LQR : CEL_CERTIFY_MULTIGOAL;
  if (spec->action_repeat > 1)
    return cel_fail(CEL_E_UNSUPPORTED,
                    "%s: action_repeat is %lld; certify supports action_repeat 1 only",
                    spec->type->id, (long long)spec->action_repeat);
  if (finite && mdp->horizon > 0)
    return cel_fail(
        CEL_E_UNSUPPORTED,
        "'%s' has a horizon of %lld step%s; certify supports infinite horizons only, because "
        "learners do not observe the time",
        mdp->name, (long long)mdp->horizon, celi_s(mdp->horizon));
  if (finite) return CEL_OK;
  if (regulator) return check_regulator(spec);
  if (cel_multigoal_of_env(spec, &plane) == CEL_OK) return check_plane(&plane);
  return cel_fail(CEL_E_UNSUPPORTED,
                  "%s has no exact solution; certify supports finite problems (mdp, FrozenLake-v1, "
                  "...), LQR-v0 and MultiGoal-v0",
                  spec->type->id);
}

CelStatus cel_certify_check(const CelEnvSpec *spec) {
  CELI_NEED(spec);
  CELI_NEED(spec->type);
  CELI_FLOATS(CELI_IEEE);
  CelCertifyProblem problem;
  return celi_certify_problem(spec, &problem);
}
