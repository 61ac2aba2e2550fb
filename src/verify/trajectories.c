/// Sums over all trajectories of a small problem. This is the definition of an expectation, and the
/// slowest way to compute it.
#include "verify/verify.h"
#include <math.h>

typedef struct Walk {
  const CeliProblem *problem;
  const double *pi;
  bool timed;
  int steps, first; ///< pair of t = 0; -1: any
  CeliVisit visit;
  void *user;
  CeliTrajectory at;
} Walk;

static void from(Walk *walk, int t, int s);

/// Takes the step (x_t = s, p), to every next state.
static void step(Walk *walk, int t, int p) {
  const CeliProblem *problem = walk->problem;
  const double before = walk->at.probability;
  walk->at.p[t] = p;
  for (int next = 0; next < problem->S; next++) {
    const int k = p * problem->S + next;
    if (!(problem->P[k] > 0)) continue;
    walk->at.probability = before * problem->P[k];
    walk->at.r[t] = problem->R[k];
    walk->at.x[t + 1] = problem->ends[k] > 0 ? -1 : next;
    from(walk, t + 1, walk->at.x[t + 1]);
  }
  walk->at.probability = before;
}

/// Continues from x_t = s. The episode is over if s is -1 or terminal, or after the last step.
static void from(Walk *walk, int t, int s) {
  const CeliProblem *problem = walk->problem;
  const double before = walk->at.probability;
  if (t == walk->steps || s < 0 || problem->pair[s] == problem->pair[s + 1]) {
    walk->at.steps = t;
    walk->visit(walk->user, &walk->at);
    return;
  }
  const double *pi = walk->pi + (walk->timed ? (int64_t)t * problem->n : 0);
  walk->at.x[t] = s;
  for (int p = problem->pair[s]; p < problem->pair[s + 1]; p++) {
    const bool given = t == 0 && walk->first >= 0;
    if (given && p != walk->first) continue;
    walk->at.probability = before * (given ? 1 : pi[p]);
    if (walk->at.probability > 0) step(walk, t, p);
  }
  walk->at.probability = before;
}

void celi_enumerate(const CeliProblem *problem, const double *pi, bool timed, int steps, int s,
                    int p, CeliVisit visit, void *user) {
  CEL_ASSERT(steps <= CELI_STEPS);
  Walk walk = {problem, pi, timed, steps, p, visit, user, {.probability = 1}};
  if (p >= 0) s = problem->state[p];
  if (s >= 0) {
    walk.at.x[0] = s;
    from(&walk, 0, s);
    return;
  }
  for (int x = 0; x < problem->S; x++) {
    walk.at.x[0] = x;
    walk.at.probability = problem->start[x];
    if (walk.at.probability > 0) from(&walk, 0, x);
  }
}

typedef struct Return {
  const CeliProblem *problem;
  const double *pi;
  bool timed, first;
  double alpha;
  long double sum;
} Return;

static void add_return(void *user, const CeliTrajectory *tau) {
  Return *sum = user;
  long double value = 0, discount = 1;
  for (int t = 0; t < tau->steps; t++) {
    const double *pi = sum->pi + (sum->timed ? (int64_t)t * sum->problem->n : 0);
    value += discount * tau->r[t];
    if (sum->alpha > 0 && (t > 0 || sum->first))
      value -= discount * sum->alpha * logl(pi[tau->p[t]]);
    discount *= sum->problem->gamma;
  }
  sum->sum += tau->probability * value;
}

double celi_enumerated_return(const CeliProblem *problem, const double *pi, bool timed, int steps,
                              int s, int p, double alpha, bool first) {
  Return sum = {problem, pi, timed, first, alpha, 0};
  celi_enumerate(problem, pi, timed, steps, s, p, add_return, &sum);
  return (double)sum.sum;
}
