/// Gauss-Seidel value iteration: V <- TV in place, slice by slice, with states in ascending and
/// descending order in turn. If the order of states follows the transitions, values spread through
/// the whole MDP in one sweep.
///
/// In-place residuals certify nothing, because each was computed at another V. So one sweep of
/// value iteration follows after every few sweeps. Its residuals give a certificate, and a constant
/// by which all values are at least too low or too high; V is shifted by it.
/// The order of states defines the method, so it uses one thread.
/// Source: Bertsekas, "Dynamic programming and optimal control", vol. 2, 2.2.
#include "mdp/solve/solve.h"

enum { SWEEPS = 6 }; // in-place sweeps per certifying sweep

/// A constant c with V* - TV >= c at every state (or <= c, if V is too large everywhere). T keeps
/// at least a fraction gamma m_min of V* - V.
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
