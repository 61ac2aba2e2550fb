/// Soft value iteration: V <- TV, until the interval in which V* - V lies is narrow enough; V then moves to its middle.
///
/// Source: [soft-q-learning, 2-3.1]; stopping: certificate.c.
#include "base/base.h"
#include "mdp/solve_internal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

CelStatus celi_solve_vi(CeliRun *run) {
  CelSolution *solution = run->solution;
  const size_t S = (size_t)solution->states;
  double *next, *V = solution->V;
  memset(V, 0, S * sizeof *V);
  CELI_TRY(celi_alloc(&next, S, sizeof *next, "value iteration"));
  for (bool goes_on = true; goes_on;) {
    const CeliResidual found = celi_run_sweep(run, next, V);
    solution->iterations++;
    const CeliInterval in = celi_certificate(&run->shape, run->gamma, run->alpha, &found);
    const CeliMiddle middle = celi_middle(&in, found.value_max);
    goes_on = celi_run_goes_on(run, fmax(fabs(found.low), fabs(found.high)), &middle);
    if (goes_on)
      memcpy(V, next, S * sizeof *V);
    else
      celi_run_shift(run, V, middle.c);
  }
  free(next);
  return CEL_OK;
}
