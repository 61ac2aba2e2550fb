/// Soft value iteration: V <- TV until the interval of V* - V is narrow enough. V then moves to its
/// middle.
///
/// Source: [soft-q-learning, 2-3.1]; stopping: certificate.c.
#include "mdp/solve/solve.h"

CelStatus celi_solve_vi(CeliRun *run) {
  for (;;) {
    celi_run_sweep(run);
    run->solution->iterations++;
    if (!celi_run_goes_on(run)) return CEL_OK;
    celi_run_advance(run);
  }
}
