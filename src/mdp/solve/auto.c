/// Method auto runs Newton-Krylov. That method starts with sweeps and continues them while they pay
/// off, so it becomes value iteration where that is best. The solution says which of the two it
/// was. If there is not enough memory for Newton steps, only sweeps are used.
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
