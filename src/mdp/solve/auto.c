/// auto: Newton-Krylov, which begins with sweeps and goes on with them for as long as they pay, so that it is value
/// iteration where that is best. The solution says which of the two it was.
#include "base/base.h"
#include "mdp/solve/solve.h"

CelStatus celi_solve_auto(CeliRun *run) {
  CelSolution *solution = run->solution;
  CELI_TRY(celi_solve_newton(run));
  solution->method = solution->iterations > 0 ? CEL_SOLVE_NEWTON : CEL_SOLVE_VI;
  if (solution->iterations == 0) solution->iterations = solution->sweeps;
  return CEL_OK;
}
