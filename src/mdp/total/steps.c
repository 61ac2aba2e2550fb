/// A limited number of steps: x_0 = 0 in open states, x_k = T x_{k-1}. Known values stay fixed.
///
/// The error of x_k is at most that of x_{k-1} plus the rounding error e of one backup, because the
/// rows of the exact problem sum to 1.
#include "base/base.h"
#include "base/clock.h"
#include "mdp/backup/values.h"
#include "mdp/total/total.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void classify(CeliTotal *total) {
  const CelMdp *mdp = total->mdp;
  for (uint32_t n = 0; n < total->graph.nodes; n++) {
    const bool ended = n == mdp->states || mdp->pair[n] == mdp->pair[n + 1];
    if (!total->target[n] && !ended) continue;
    total->kind[n] = CELI_KNOWN;
    if (total->target[n] && total->probability) total->value[n] = total->sign;
  }
  celi_graph_close_states(&total->graph, total->target);
}

static bool goes_on(const CeliTotal *total, int64_t k) {
  const CelSolveConfig *config = total->solver;
  const int64_t steps = total->config->steps;
  const CelSolveProgress now = {.method = "backward",
                                .iteration = k,
                                .sweeps = k,
                                .bound = HUGE_VAL,
                                .seconds = celi_seconds() - total->start_seconds,
                                .fraction = (double)k / (double)steps};
  const bool stop = config->progress && !config->progress(config->user, &now);
  celi_floats_keep();
  return !stop && !celi_total_stopped((void *)total) &&
         !(config->max_iterations > 0 && k >= config->max_iterations);
}

/// Bound on the error of one backup, including folded known values and inexact probabilities.
static double rounding(const CeliTotal *total, const CeliOperator *op, double value_max,
                       double reward_max) {
  const double n = (double)op->shape.longest, u = 0x1p-53;
  return celi_rounding(&op->shape, 1.0, total->alpha, value_max, value_max) +
         1.01 * (2.0 * n + 12.0) * u * (value_max + reward_max + 1.0);
}

/// Iterates until `steps` steps are done or nothing changes. Returns the steps done, and the error.
static int64_t iterate(const CeliTotal *total, CeliOperator *op, double **x, double **next,
                       double *error) {
  const int64_t steps = total->config->steps, n = op->states - 1;
  double rewards = 0.0;
  int64_t k = 0;
  for (int64_t p = 0; p < total->mdp->pairs; p++)
    rewards = fmax(rewards, fabs(celi_total_reward(total, p)));
  *error = 0.0;
  while (k < steps && goes_on(total, k)) {
    celi_operator_sweep(op, total->alpha, *next, *x);
    double most = 0.0;
    for (int64_t s = 0; s < n; s++) most = fmax(most, fabs((*next)[s]));
    *error += rounding(total, op, most, rewards);
    double *swap = *x;
    *x = *next, *next = swap;
    k++;
    // A fixed point in every bit: more steps change nothing. Their errors add up all the same.
    if (k < steps && memcmp(*x, *next, (size_t)n * sizeof **x) == 0) {
      *error += (double)(steps - k) * rounding(total, op, most, rewards);
      k = steps;
    }
  }
  total->solution->iterations = total->solution->sweeps = k;
  return k;
}

static void spread(const CeliTotal *total, double *X, const double *x) {
  if (total->reduced)
    celi_total_spread(total, X, x);
  else
    memcpy(X, total->value, total->graph.nodes * sizeof *X);
}

/// Writes the pair with the largest Q of a state.
static void take_best(const CeliTotal *total, uint32_t s) {
  const CelMdp *mdp = total->mdp;
  const int64_t first = mdp->pair[s], n = mdp->pair[s + 1] - first;
  double *pi = total->solution->pi + first;
  for (int64_t a = 0; a < n; a++) total->q[a] = total->sign * total->solution->Q[first + a];
  if (total->alpha > 0.0 || total->target[s]) {
    celi_policy_of(pi, total->q, n, total->alpha, 0.0);
    return;
  }
  int64_t best = 0;
  for (int64_t a = 1; a < n; a++)
    if (total->q[a] > total->q[best]) best = a;
  if (n > 0) pi[best] = 1.0;
}

static CelStatus run(CeliTotal *total, CeliOperator *op, double **x, double **next) {
  double error = 0.0;
  int64_t done = total->config->steps;
  if (op) {
    CELI_TRY(celi_operator_vector(op, x));
    CELI_TRY(celi_operator_vector(op, next));
    done = iterate(total, op, x, next, &error);
  }
  spread(total, total->lower, *x);
  if (done < total->config->steps)
    total->solution->bound = HUGE_VAL;
  else
    total->solution->bound = 0.0;
  for (uint32_t n = 0; n < total->graph.nodes; n++) {
    const bool open = total->kind[n] == CELI_OPEN;
    const double x_n = total->lower[n];
    total->lower[n] = open ? x_n - error : x_n;
    total->upper[n] = open ? x_n + error : x_n;
  }
  celi_total_finish_values(total);
  spread(total, total->lower, *next); // the values of the step after the first
  celi_total_finish_q(total, total->lower);
  for (uint32_t s = 0; s < total->mdp->states; s++) take_best(total, s);
  return CEL_OK;
}

CelStatus celi_total_steps(CeliTotal *total) {
  CeliOperator *op = NULL;
  double *x = NULL, *next = NULL;
  classify(total);
  CelStatus status = celi_total_reduce(total);
  if (status == CEL_OK && total->reduced)
    status = celi_operator_create(&op, total->reduced, 1.0, total->solver->threads, 0);
  if (status == CEL_OK) status = run(total, op, &x, &next);
  free(x), free(next);
  celi_operator_destroy(op);
  return status;
}
