/// auto: Newton-Krylov, which begins with sweeps and goes on with them for as long as they pay, so that it is value
/// iteration where that is best.
#include "mdp/solve/solve.h"

CelStatus celi_solve_auto(CeliRun *run) {
  return celi_solve_newton(run);
}
