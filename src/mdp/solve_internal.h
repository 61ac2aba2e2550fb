/// What the methods of solving share: the state of a run, its clock and limits, its certificate.
#ifndef CELI_MDP_SOLVE_INTERNAL_H
#define CELI_MDP_SOLVE_INTERNAL_H
#include "celsius/solve.h"
#include "mdp/certificate.h"

typedef struct CeliRun {
  const CelMdp *mdp;
  const CelSolveConfig *config;
  CelSolution *solution;
  CeliShape shape;
  double alpha, gamma;
  double start_seconds;
  double first_bound; ///< for the progress bar's logarithmic scale
  bool stopped;       ///< a limit, or the caller said so
  double *scratch;    ///< (max_actions)
} CeliRun;

/// Seconds on a clock that does not jump.
double celi_solve_seconds(void);
/// Called once an iteration with the V that the next one starts from, whose residual and bound are known. True: go
/// on; false: the certificate holds, or a limit was met (run->stopped).
bool celi_run_goes_on(CeliRun *run, double residual, const CeliMiddle *middle);
/// TV of V, and the residual; `next` may be V itself (Gauss-Seidel: residuals are then of the mixture).
CeliResidual celi_run_sweep(CeliRun *run, double *next, const double *V);
/// V + c at every state that is not terminal.
void celi_run_shift(const CeliRun *run, double *V, double c);

CelStatus celi_solve_vi(CeliRun *run);
CelStatus celi_solve_backward(CeliRun *run);

#endif
