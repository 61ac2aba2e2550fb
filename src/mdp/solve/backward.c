/// Backward induction. A finite horizon of T steps has values for every time t, and V_T = 0.
///
///     Q_t(s,a) = r(s,a) + gamma E[V_{t+1}(s')],   V_t(s) = alpha log sum_a exp(Q_t(s,a)/alpha).
/// There is no residual. The bound accumulates the rounding errors of the later steps. With e_t the
/// rounding error of one backup (certificate.c) and m the largest mass of a row,
/// bound_t = e_t + gamma m bound_{t+1}, bound_T = 0.
///
/// If a run stops at time t, it has only the values from t on. Earlier values are 0, and the bound
/// is infinite.
/// Source: [maximum-entropy, 8.8-8.23] with a time index.
#include "base/base.h"
#include "base/clock.h"
#include "mdp/solve/solve.h"
#include <math.h>

enum { STATES = 4096 };   ///< states between two updates of `work`
enum { OFTEN = 1 << 20 }; ///< pairs and transitions between two reads of the clock

typedef struct Backward {
  CeliRun *run;
  CeliShape shape;
  double bound; ///< bound of V at the last finished time
  double next;  ///< largest |V| at that time
  double most;  ///< largest |V| over all finished times
  int64_t work; ///< pairs and transitions since the last read of the clock
} Backward;

/// Computes V, Q, pi of states [begin, end) at one time from `next`, the values of the next time
/// (NULL: past the horizon). Returns the largest |V|.
static double values(const CeliRun *run, double *V, double *Q, const double *next, int64_t begin,
                     int64_t end) {
  const CelMdp *mdp = run->mdp;
  double most = 0.0;
  for (int64_t s = begin; s < end; s++) {
    const int64_t p = mdp->pair[s], n = mdp->pair[s + 1] - p;
    for (int64_t a = p; a < p + n; a++)
      Q[a] = next ? celi_backup(mdp, run->gamma, next, a) : mdp->reward[a];
    V[s] = celi_soft_max(Q + p, n, run->alpha);
    most = fmax(most, fabs(V[s]));
  }
  return most;
}

static bool goes_on(const Backward *b) {
  const CeliRun *run = b->run;
  const CelSolveConfig *config = run->config;
  const CelSolution *solution = run->solution;
  const double seconds = celi_seconds() - run->start_seconds;
  const CelSolveProgress now = {.method = "backward",
                                .iteration = solution->iterations,
                                .sweeps = solution->sweeps,
                                .bound = b->bound,
                                .seconds = seconds,
                                .fraction = (double)solution->sweeps / (double)solution->horizon};
  const bool stop = config->progress && !config->progress(config->user, &now);
  celi_floats_keep();
  if (stop) return false;
  return !celi_run_stopped(b->run);
}

/// Counts work. After enough of it, checks whether the run may continue.
static bool worked(Backward *b, int64_t begin, int64_t end) {
  const CelMdp *mdp = b->run->mdp;
  const int64_t p = mdp->pair[begin], q = mdp->pair[end];
  b->work += (end - begin) + (q - p) + (mdp->row[q] - mdp->row[p]);
  if (b->work < OFTEN) return true;
  b->work = 0;
  return goes_on(b);
}

/// Computes time t. Returns false if it was stopped before finishing.
static bool step(Backward *b, int64_t t) {
  const CeliRun *run = b->run;
  const CelMdp *mdp = run->mdp;
  CelSolution *solution = run->solution;
  const int64_t S = solution->states, T = solution->horizon;
  CEL_ASSERT(solution->V != NULL);
  double *V = solution->V + t * S, *Q = solution->Q + t * solution->pairs;
  double *pi = solution->pi + t * solution->pairs, most = 0.0;
  const double *next = t + 1 < T ? V + S : NULL;
  for (int64_t s = 0; s < S; s += STATES) {
    const int64_t end = s + STATES < S ? s + STATES : S;
    most = fmax(most, values(run, V, Q, next, s, end));
    if (!worked(b, s, end)) return false;
  }
  b->bound = run->gamma * b->shape.mass_max * b->bound * (1.0 + 0x1p-50) +
             celi_rounding(&b->shape, run->gamma, run->alpha, b->next, most);
  b->next = most, b->most = fmax(b->most, most);
  for (int64_t s = 0; s < S; s++) {
    const int64_t p = mdp->pair[s];
    celi_policy_of(pi + p, Q + p, mdp->pair[s + 1] - p, run->alpha, 2.0 * b->bound);
  }
  return true;
}

CelStatus celi_solve_backward(CeliRun *run) {
  CelSolution *solution = run->solution;
  const int64_t limit = run->config->max_iterations;
  Backward b = {.run = run, .shape = celi_mdp_shape(run->mdp)};
  bool done = true;
  for (int64_t t = solution->horizon - 1; t >= 0 && done; t--) {
    done = !(limit > 0 && solution->iterations >= limit) && step(&b, t);
    if (done) solution->iterations++, solution->sweeps++;
  }
  solution->residual = 0.0;
  solution->bound = done ? b.bound : HUGE_VAL;
  solution->certified = done && b.bound <= run->config->tolerance * fmax(1.0, b.most);
  return CEL_OK;
}
