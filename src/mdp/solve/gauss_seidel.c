/// Gauss-Seidel value iteration: V <- TV in place, slice by slice, down the states and up in turn, so that values travel
/// through the whole problem in one sweep where the order of the states is along their way.
///
/// Its own residuals certify nothing (each was taken at another V), so every few sweeps one of value iteration follows,
/// which does, and which also tells by what constant at least all values are too low or too high: they are moved by that.
/// One thread: the order is the method.
/// Source: Bertsekas, "Dynamic programming and optimal control", vol. 2, 2.2.
#include "mdp/solve/solve.h"

enum { SWEEPS = 6 }; // in place, between two that certify

/// What V* - TV has at least at every state, or has at most where all of it is below 0: from V* - V it loses no more
/// than a factor of gamma m_min.
static double missing(const CeliRun *run) {
  const double keep = run->gamma * run->op->shape.mass_min;
  if (run->interval.low > 0.0) return keep * run->interval.low;
  return run->interval.high < 0.0 ? keep * run->interval.high : 0.0;
}

CelStatus celi_solve_gauss_seidel(CeliRun *run) {
  for (;;) {
    celi_run_sweep(run);
    run->solution->iterations++;
    if (!celi_run_goes_on(run)) return CEL_OK;
    celi_run_advance(run);
    celi_run_shift(run, missing(run));
    for (int i = 0; i < SWEEPS && !celi_run_stopped(run); i++)
      celi_operator_sweep_in_place(run->op, run->alpha, run->V, i % 2 == 0);
    run->solution->sweeps += SWEEPS;
  }
}
