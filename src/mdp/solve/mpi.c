/// Modified (soft) policy iteration: V <- (T_pi)^m V with pi the softmax policy of V (alpha = 0:
/// greedy).
///
/// With R = TV - V this is V + sum_{k < m} (gamma P_pi)^k R. A product with gamma P_pi costs less
/// than a sweep, because columns with the same next states are merged and there is no log-sum-exp.
/// Source: Puterman, Shin, "Modified policy iteration algorithms for discounted Markov decision
/// problems", 1978.
#include "base/base.h"
#include "mdp/solve/solve.h"
#include <math.h>
#include <stdlib.h>

enum { PRODUCTS = 60 }; // m

static void iterate(CeliRun *run, double *d, double *spare) {
  for (;;) {
    celi_run_linearize(run);
    run->solution->iterations++;
    if (!celi_run_goes_on(run)) return;
    // d <- R + gamma P_pi d
    celi_operator_apply(run->op, d, run->next, run->next);
    for (int k = 2; k < PRODUCTS && !celi_run_stopped(run); k++) {
      celi_operator_apply(run->op, spare, run->next, d);
      double *swap = d;
      d = spare, spare = swap;
    }
    celi_operator_add(run->op, run->V, 1.0, d);
    run->solution->sweeps += PRODUCTS - 1;
  }
}

CelStatus celi_solve_mpi(CeliRun *run) {
  double *d = NULL, *spare = NULL;
  CelStatus status = celi_operator_prepare(run->op);
  if (status == CEL_OK) status = celi_operator_vector(run->op, &d);
  if (status == CEL_OK) status = celi_operator_vector(run->op, &spare);
  if (status == CEL_OK) iterate(run, d, spare);
  free(d);
  free(spare);
  return status;
}
