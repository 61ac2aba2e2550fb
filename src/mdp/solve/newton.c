/// Inexact Newton-Krylov on V - TV = 0, which is soft policy iteration with an iterative evaluation.
///
/// The derivative of T at V is gamma P_pi, pi the softmax (alpha = 0: a greedy) policy of V, so Newton's step d solves
///     (I - gamma P_pi) d = TV - V.                                                            (1)
/// 1. sweeps V <- TV, LEAST of them, and more for as long as so many halve the bound
/// 2. linearise at V: residual, certificate, gamma P_pi
/// 3. solve (1) by BiCGStab to a relative residual eta
/// 4. V <- V + d (V <- TV where that solve failed), and on with 1
///
/// The sweeps are what makes few steps enough: far from the optimum a step leaves large residuals where the policy
/// changes, and sweeps wear them off where they are. They are the safeguard too: the bound may rise after a step, but
/// where it stays above its best for PATIENCE steps the least number of sweeps is doubled, so that in the end value
/// iteration alone would converge.
///
/// eta is Eisenstat and Walker's 0.9 (|R_k|/|R_{k-1}|)^2 within [ETA_LEAST, ETA_MOST], and no smaller than what the
/// tolerance asks for.
/// Source: [policy-guarantees, Theorem 1]; Puterman, Brumelle, "On the convergence of policy iteration in stationary
/// dynamic programming", 1979; Eisenstat, Walker, "Choosing the forcing terms in an inexact Newton method", 1996.
#include "base/base.h"
#include "mdp/evaluate/krylov.h"
#include "mdp/solve/solve.h"
#include <math.h>
#include <stdlib.h>

enum { LEAST = 8, PATIENCE = 10, KRYLOV_MOST = 500 };
static const double ETA_LEAST = 1e-3, ETA_MOST = 0.02;

typedef struct Newton {
  CeliRun *run;
  CeliKrylov krylov;
  double *d;       ///< (padded)
  int64_t least;   ///< sweeps between two steps
  double best;     ///< bound
  int64_t in_vain; ///< steps since
  double before;   ///< |R| of the last step
} Newton;

/// Line 1. False: the run is over.
static bool sweep_while_it_pays(Newton *newton) {
  CeliRun *run = newton->run;
  double before = HUGE_VAL;
  for (int64_t i = 0;; i++) {
    celi_run_sweep(run);
    if (!celi_run_goes_on(run)) return false;
    if (i % newton->least == 0) {
      if (run->middle.bound > 0.5 * before) return true;
      before = run->middle.bound;
    }
    celi_run_advance(run);
  }
}

static double forcing(Newton *newton) {
  const CeliRun *run = newton->run;
  const double R = fmax(fabs(run->residual.low), fabs(run->residual.high));
  const double wanted = run->config->tolerance * fmax(1.0, run->middle.value_max);
  const double eta = newton->before > 0.0 ? 0.9 * (R / newton->before) * (R / newton->before) : 1.0;
  newton->before = R;
  return fmin(ETA_MOST, fmax(fmax(eta, ETA_LEAST), 0.1 * wanted / run->middle.bound));
}

/// Lines 3 and 4; run->next holds TV - V.
static void step(Newton *newton) {
  CeliRun *run = newton->run;
  double left;
  celi_krylov_solve(&newton->krylov, newton->d, run->next, forcing(newton), KRYLOV_MOST, &left);
  celi_operator_add(run->op, run->V, 1.0, left < 1.0 ? newton->d : run->next);
}

static void safeguard(Newton *newton) {
  const double bound = newton->run->middle.bound;
  newton->in_vain = bound < newton->best ? 0 : newton->in_vain + 1;
  newton->best = fmin(newton->best, bound);
  if (newton->in_vain < PATIENCE) return;
  newton->in_vain = 0;
  newton->least *= 2;
}

static CelStatus iterate(Newton *newton) {
  CeliRun *run = newton->run;
  while (sweep_while_it_pays(newton)) {
    if (!newton->d) { // where sweeps alone suffice nothing of this is needed
      CELI_TRY(celi_operator_prepare(run->op));
      CELI_TRY(celi_krylov_create(&newton->krylov, run->op));
      newton->krylov.stop = celi_run_stopped, newton->krylov.user = run;
      CELI_TRY(celi_operator_vector(run->op, &newton->d));
    }
    celi_run_linearise(run);
    run->solution->iterations++;
    if (!celi_run_goes_on(run)) break;
    safeguard(newton);
    step(newton);
  }
  return CEL_OK;
}

CelStatus celi_solve_newton(CeliRun *run) {
  Newton newton = {.run = run, .least = LEAST, .best = HUGE_VAL};
  const CelStatus status = iterate(&newton);
  celi_krylov_destroy(&newton.krylov);
  free(newton.d);
  return status;
}
