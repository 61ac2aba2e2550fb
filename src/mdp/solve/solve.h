/// What the methods of solving share: the state of a run, its clock and limits, its certificate.
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
  double *V;             ///< (padded) where the run is
  double *next;          ///< (padded) scratch
  CeliResidual residual; ///< of V, from the last sweep or linearisation
  double rounding;       ///< what each of its numbers may be off by
  CeliInterval interval; ///< where that places the optimum
  CeliMiddle middle;
  double start_seconds;
  char method[CEL_TEXT_MAX]; ///< its name
  double first_bound;        ///< for the progress bar's logarithmic scale
  double best_bound;         ///< and the sweep in which it was found
  int64_t best_sweep;
} CeliRun;

/// next = TV, and the residual and the middle of V.
void celi_run_sweep(CeliRun *run);
/// next becomes V.
void celi_run_advance(CeliRun *run);
/// next = TV - V, gamma P_pi of V's policy, and the residual and the middle of V.
void celi_run_linearise(CeliRun *run);
/// Asked once an iteration, after one of the two above. False: the certificate holds, no more can be had in double
/// precision, or a limit is met. V is then to be moved to the middle.
bool celi_run_goes_on(CeliRun *run);
/// Asked between two of the above where one of them takes long: the time is up, or an end is wanted. (void *) a CeliRun.
bool celi_run_stopped(void *run);
/// V + c at every state that is not terminal.
void celi_run_shift(CeliRun *run, double c);
CelStatus celi_solve_vi(CeliRun *run);
CelStatus celi_solve_gauss_seidel(CeliRun *run);
CelStatus celi_solve_mpi(CeliRun *run);
CelStatus celi_solve_pi(CeliRun *run);
CelStatus celi_solve_newton(CeliRun *run);
CelStatus celi_solve_auto(CeliRun *run);
CelStatus celi_solve_backward(CeliRun *run);

#endif
