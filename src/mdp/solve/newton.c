/// Inexact Newton-Krylov on V - TV = 0. This is soft policy iteration with an iterative evaluation.
///
/// The derivative of T at V is gamma P_pi with pi the softmax policy of V (alpha = 0: greedy). So a
/// Newton step d solves
///     (I - gamma P_pi) d = TV - V.                                                            (1)
/// 1. sweep V <- TV `least` times, and continue as long as `least` more sweeps halve the bound
/// 2. linearize at V: residual, certificate, gamma P_pi
/// 3. solve (1) by BiCGStab to a relative residual eta
/// 4. V <- V + d (V <- TV if that solve failed), go to 1
///
/// Sweeps keep the number of Newton steps small. Far from the optimum, a step leaves large
/// residuals in states where the policy changes, and sweeps reduce them. They also guarantee
/// convergence: the bound may rise after a step, but if it stays above its best for PATIENCE steps,
/// `least` is doubled. In the end value iteration alone would converge.
///
/// eta is Eisenstat and Walker's 0.9 (|R_k|/|R_{k-1}|)^2 within [ETA_LEAST, ETA_MOST], and not
/// smaller than the tolerance requires.
/// Source: [policy-guarantees, Theorem 1]; Puterman, Brumelle, "On the convergence of policy
/// iteration in stationary dynamic programming", 1979; Eisenstat, Walker, "Choosing the forcing
/// terms in an inexact Newton method", 1996.
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
  int64_t least;   ///< least number of sweeps between two steps
  double best;     ///< best bound so far
  int64_t in_vain; ///< steps since the best bound
  double before;   ///< |R| at the last step
} Newton;

/// Line 1. Returns false if the run is finished.
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

/// Lines 3 and 4. run->next holds TV - V.
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
    if (!newton->d) { // allocated only if sweeps alone do not suffice
      CELI_TRY(celi_operator_prepare(run->op));
      CELI_TRY(celi_krylov_create(&newton->krylov, run->op));
      newton->krylov.stop = celi_run_stopped, newton->krylov.user = run;
      CELI_TRY(celi_operator_vector(run->op, &newton->d));
    }
    celi_run_linearize(run);
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
