/// Backward induction: a finite horizon of T steps has values of every time t, and V_T = 0.
///
///     Q_t(s,a) = r(s,a) + gamma E[V_{t+1}(s')],   V_t(s) = alpha log sum_a exp(Q_t(s,a)/alpha).
/// There is no residual; the bound is that of the rounding errors of the steps behind, e_t + gamma bound_{t+1}.
/// Source: [maximum-entropy, 8.8-8.23] with a time index.
#include "mdp/solve/solve.h"
#include <math.h>

/// One step: V, Q, pi of a time from the values of the next (NULL: past the horizon). Returns the largest |V|.
static double step(const CeliRun *run, double *V, double *Q, double *pi, const double *next) {
  const CelMdp *mdp = run->mdp;
  double most = 0.0;
  for (int64_t s = 0; s < mdp->states; s++) {
    const int64_t p = mdp->pair[s], n = mdp->pair[s + 1] - p;
    for (int64_t a = p; a < p + n; a++)
      Q[a] = next ? celi_backup(mdp, run->gamma, next, a) : mdp->reward[a];
    V[s] = celi_soft_max(Q + p, n, run->alpha);
    celi_policy_of(pi + p, Q + p, n, run->alpha, 0.0);
    most = fmax(most, fabs(V[s]));
  }
  return most;
}

CelStatus celi_solve_backward(CeliRun *run) {
  CelSolution *solution = run->solution;
  const int64_t T = solution->horizon, S = solution->states, pairs = solution->pairs;
  const CeliShape shape = celi_mdp_shape(run->mdp);
  double bound = 0.0, most = 0.0;
  for (int64_t t = T - 1; t >= 0; t--) {
    const double *next = t + 1 < T ? solution->V + (t + 1) * S : NULL;
    const double here =
        step(run, solution->V + t * S, solution->Q + t * pairs, solution->pi + t * pairs, next);
    most = fmax(most, here);
    bound =
        run->gamma * shape.mass_max * bound + celi_rounding(&shape, run->gamma, run->alpha, most);
    solution->iterations++, solution->sweeps++;
  }
  solution->residual = 0.0;
  solution->bound = bound;
  solution->certified = bound <= run->config->tolerance * fmax(1.0, most);
  return CEL_OK;
}
