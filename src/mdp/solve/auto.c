/// auto: Newton-Krylov, which begins with sweeps and goes on with them for as long as they pay, so that it is value
/// iteration where that is best. The solution says which of the two it was. Where memory does not suffice for Newton's
/// steps it stays with sweeps.
#include "base/base.h"
#include "mdp/solve/solve.h"

CelStatus celi_solve_auto(CeliRun *run) {
  CelSolution *solution = run->solution;
  const CelStatus status = celi_solve_newton(run);
  if (status == CEL_E_MEMORY) return celi_solve_vi(run);
  CELI_TRY(status);
  solution->method = solution->iterations > 0 ? CEL_SOLVE_NEWTON : CEL_SOLVE_VI;
  if (solution->iterations == 0) solution->iterations = solution->sweeps;
  return CEL_OK;
}
