/// (Soft) policy iteration: evaluates the softmax policy of V (alpha = 0: greedy) by a direct
/// solve, until V is certified. V + (I - gamma P_pi)^-1 (TV - V) is the value of that policy, so
/// this is also Newton's method.
///
/// A direct solve cannot be stopped. If one would take much longer than a second, Newton-Krylov
/// replaces it.
///
/// Source: [policy-guarantees, Theorem 1]; Howard, "Dynamic programming and Markov processes",
/// 1960.
#include "mdp/evaluate/direct.h"
#include "mdp/solve/solve.h"

CelStatus celi_solve_pi(CeliRun *run) {
  CelStatus status = celi_direct_check(run->op->states);
  if (status == CEL_OK) status = celi_operator_prepare(run->op);
  while (status == CEL_OK) {
    celi_run_linearize(run);
    run->solution->iterations++;
    if (!celi_run_goes_on(run)) break;
    CeliDirect *direct;
    status = celi_direct_create(&direct, run->op);
    if (status == CEL_OK) status = celi_direct_solve(direct, run->next, false);
    if (status == CEL_OK) celi_operator_add(run->op, run->V, 1.0, run->next);
    celi_direct_destroy(direct);
    if (status == CEL_E_UNSUPPORTED) {
      run->solution->method = CEL_SOLVE_NEWTON;
      return celi_solve_newton(run);
    }
  }
  return status;
}
