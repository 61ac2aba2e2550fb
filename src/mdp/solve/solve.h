/// Shared by the solver methods: the state of a run, its clock and limits, its certificate.
#ifndef CELI_MDP_SOLVE_INTERNAL_H
#define CELI_MDP_SOLVE_INTERNAL_H
#include "celsius/solve.h"
#include "mdp/operator/operator.h"

typedef struct CeliRun {
  const CelMdp *mdp;
  const CelSolveConfig *config;
  CelSolution *solution;
  CeliOperator *op;
  double alpha, gamma;
  double *V;             ///< (padded) current values
  double *next;          ///< (padded) scratch
  CeliResidual residual; ///< residual of V from the last sweep or linearization
  double rounding;       ///< rounding error of each of its numbers
  CeliInterval interval; ///< bounds of V* - V from that residual
  CeliMiddle middle;
  double start_seconds;
  char method[CEL_TEXT_MAX]; ///< name of the method
  double first_bound;        ///< start of the logarithmic progress scale
  double best_bound;         ///< smallest bound so far
  int64_t best_sweep;
} CeliRun;

/// next = TV, and the residual and middle of V.
void celi_run_sweep(CeliRun *run);
/// V = next.
void celi_run_advance(CeliRun *run);
/// next = TV - V, gamma P_pi of the policy of V, and the residual and middle of V.
void celi_run_linearize(CeliRun *run);
/// Call it once per iteration, after one of the two functions above. It returns false if the
/// certificate holds, if double precision allows no better bound, or if a limit is reached. The
/// caller must then stop.
bool celi_run_goes_on(CeliRun *run);
/// Call it during long steps. True if the time is up or a stop was requested. `run` is a CeliRun.
bool celi_run_stopped(void *run);
/// Adds c to V at every state that is not terminal.
void celi_run_shift(CeliRun *run, double c);
CelStatus celi_solve_vi(CeliRun *run);
CelStatus celi_solve_gauss_seidel(CeliRun *run);
CelStatus celi_solve_mpi(CeliRun *run);
CelStatus celi_solve_pi(CeliRun *run);
CelStatus celi_solve_newton(CeliRun *run);
CelStatus celi_solve_auto(CeliRun *run);
CelStatus celi_solve_backward(CeliRun *run);

#endif
