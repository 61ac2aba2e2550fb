/// Small problems: random ones (Garnet) or built by hand. They are kept as dense arrays and built
/// again as a CelMdp for the library.
#include "verify/verify.h"
#include <math.h>

enum { MDPS_MAX = 64 };

void celi_open(CeliTrial *trial, CeliProblem *out, int S, const int *actions, double gamma) {
  int n = 0;
  for (int s = 0; s < S; s++) n += actions[s];
  *out = (CeliProblem){.S = S, .n = n, .gamma = gamma};
  out->pair = celi_take_int(trial, S + 1);
  out->state = celi_take_int(trial, n);
  for (int s = 0; s < S; s++) {
    out->pair[s + 1] = out->pair[s] + actions[s];
    out->A = actions[s] > out->A ? actions[s] : out->A;
    for (int p = out->pair[s]; p < out->pair[s + 1]; p++) out->state[p] = s;
  }
  out->P = celi_take(trial, (int64_t)n * S);
  out->R = celi_take(trial, (int64_t)n * S);
  out->ends = celi_take(trial, (int64_t)n * S);
  out->go = celi_take(trial, (int64_t)n * S);
  out->r = celi_take(trial, n);
  out->start = celi_take(trial, S);
}

void celi_arrow(CeliProblem *problem, int s, int a, int next, double probability, double reward,
                bool ends) {
  const int k = (problem->pair[s] + a) * problem->S + next;
  problem->P[k] = probability;
  problem->R[k] = reward;
  problem->ends[k] = ends ? 1 : 0;
}

/// Unless a start was set, makes it uniform over the states with actions.
static void default_start(CeliProblem *problem) {
  double sum = 0, with_actions = 0;
  for (int s = 0; s < problem->S; s++) {
    sum += problem->start[s];
    with_actions += problem->pair[s] < problem->pair[s + 1];
  }
  for (int s = 0; s < problem->S && !(sum > 0); s++)
    problem->start[s] = problem->pair[s] < problem->pair[s + 1] ? 1 / with_actions : 0;
}

static CelStatus add_pairs(const CeliProblem *problem, CelMdpBuilder *builder) {
  const int S = problem->S;
  for (int p = 0; p < problem->n; p++) {
    const int s = problem->state[p];
    const double reward = problem->by_pair ? problem->r[p] : 0;
    CELI_TRY(cel_mdp_pair(builder, s, p - problem->pair[s], reward));
    for (int next = 0; next < S; next++) {
      const int k = p * S + next;
      if (!(problem->P[k] > 0)) continue;
      CELI_TRY(cel_mdp_transition(builder, next, problem->P[k],
                                  problem->by_pair ? 0 : problem->R[k], problem->ends[k] > 0));
    }
  }
  for (int s = 0; s < S; s++)
    if (problem->start[s] > 0) CELI_TRY(cel_mdp_start(builder, s, problem->start[s]));
  return CEL_OK;
}

CelStatus celi_close(CeliTrial *trial, CeliProblem *problem, int horizon) {
  CelMdpBuilder *builder = NULL;
  CEL_ASSERT(trial->mdps < MDPS_MAX);
  default_start(problem);
  for (int p = 0; p < problem->n; p++) {
    problem->r[p] = 0;
    for (int next = 0; next < problem->S; next++) {
      const int k = p * problem->S + next;
      problem->go[k] = problem->ends[k] > 0 ? 0 : problem->P[k];
      problem->r[p] += problem->P[k] * problem->R[k];
    }
  }
  CELI_TRY(cel_mdp_builder_create(&builder, problem->S, problem->gamma, horizon));
  CelStatus status = add_pairs(problem, builder);
  if (status == CEL_OK) status = cel_mdp_build(builder, &problem->mdp);
  cel_mdp_builder_destroy(builder);
  if (status == CEL_OK) trial->mdp[trial->mdps++] = problem->mdp;
  return status;
}

// ---- random problems

int celi_below(CeliTrial *trial, int n) {
  return (int)cel_rng_below(&trial->rng, (uint64_t)n);
}

void celi_draw_normal(CeliTrial *trial, double *x, int64_t n, double scale) {
  for (int64_t i = 0; i < n; i++) x[i] = scale * cel_rng_normal(&trial->rng);
}

/// A random element of the list within [low, high].
static double pick(CeliTrial *trial, const double *list, int n, double low, double high) {
  for (;;) {
    const double value = list[celi_below(trial, n)];
    if (value >= low && value <= high) return value;
  }
}

/// Draws `branching` next states with repetition, and exponential weights. Rewards depend on the
/// next state, or on the pair only.
static void draw_row(CeliTrial *trial, const CeliDraw *draw, CeliProblem *problem, int p,
                     int branching, double scale) {
  double *P = problem->P + p * problem->S, *R = problem->R + p * problem->S, sum = 0;
  const double reward = scale * cel_rng_normal(&trial->rng);
  for (int next = 0; next < problem->S && draw->full; next++)
    P[next] = 0.05 + cel_rng_uniform(&trial->rng);
  for (int b = 0; b < branching && !draw->full; b++)
    P[celi_below(trial, problem->S)] += -log1p(-cel_rng_uniform(&trial->rng)) + 1e-3;
  for (int next = 0; next < problem->S; next++) sum += P[next];
  for (int next = 0; next < problem->S; next++) {
    if (!(P[next] > 0)) continue;
    P[next] /= sum;
    R[next] = problem->by_pair ? reward : scale * cel_rng_normal(&trial->rng);
    if (!draw->endless && celi_below(trial, 8) == 0) problem->ends[p * problem->S + next] = 1;
  }
}

/// Makes the start random over about half of the states with actions, at least one.
static void draw_start(CeliTrial *trial, CeliProblem *problem) {
  double sum = 0;
  while (!(sum > 0)) {
    for (int s = 0; s < problem->S; s++) {
      const bool in = problem->pair[s] < problem->pair[s + 1] && celi_below(trial, 2) == 0;
      problem->start[s] = in ? 0.1 + cel_rng_uniform(&trial->rng) : 0;
      sum += problem->start[s];
    }
  }
  for (int s = 0; s < problem->S; s++) problem->start[s] /= sum;
}

CelStatus celi_draw(CeliTrial *trial, const CeliDraw *draw, CeliProblem *out) {
  static const double gammas[] = {0, .5, .9, .99}, alphas[] = {0, .01, .1, 1, 10};
  const int S_min = draw->S_min ? draw->S_min : 3, S_max = draw->S_max ? draw->S_max : 12;
  const int A_min = draw->A_min ? draw->A_min : 1, A_max = draw->A_max ? draw->A_max : 4;
  const int S = S_min + celi_below(trial, S_max - S_min + 1);
  const double gamma_max = draw->gamma_max > 0 ? draw->gamma_max : .99;
  double gamma = pick(trial, gammas, 4, draw->gamma_min, gamma_max);
  const double least = draw->alpha_min > 0 ? draw->alpha_min : draw->hard ? 0 : .01;
  double alpha = pick(trial, alphas, 5, least, 10);
  int *actions = celi_take_int(trial, S);
  for (int s = 0; s < S; s++) {
    actions[s] = draw->endless ? A_max : A_min + celi_below(trial, A_max - A_min + 1);
    if (!draw->endless && s > 1 && celi_below(trial, 8) == 0) actions[s] = 0;
  }
  if (draw->gamma > 0) gamma = draw->gamma;
  if (draw->alpha > 0) alpha = draw->alpha;
  celi_open(trial, out, S, actions, gamma);
  out->alpha = alpha;
  out->by_pair = celi_below(trial, 2) == 0;
  const double scale = draw->unit || celi_below(trial, 2) == 0 ? 1 : 100;
  const int branching = draw->deterministic ? 1 : 1 + celi_below(trial, S);
  for (int p = 0; p < out->n; p++) draw_row(trial, draw, out, p, branching, scale);
  draw_start(trial, out);
  return celi_close(trial, out, draw->horizon);
}

/// The softmax of theta in each state.
static void softmax_rows(const CeliProblem *problem, const double *theta, double *pi) {
  for (int s = 0; s < problem->S; s++) {
    const int p = problem->pair[s], n = problem->pair[s + 1] - p;
    if (n) celi_dense_softmax(theta + p, n, 1, pi + p);
  }
}

void celi_draw_logits(CeliTrial *trial, const CeliProblem *problem, double *theta, double *pi) {
  celi_draw_normal(trial, theta, problem->n, 1);
  softmax_rows(problem, theta, pi);
}

void celi_draw_policy(CeliTrial *trial, const CeliProblem *problem, double *pi) {
  static const double sizes[] = {.1, 1, 5};
  celi_draw_normal(trial, pi, problem->n, sizes[celi_below(trial, 3)]);
  softmax_rows(problem, pi, pi);
}

// ---- sampling

/// A random index with the given weights, which sum to 1.
static int draw_index(CeliTrial *trial, const double *weight, int n) {
  double left = cel_rng_uniform(&trial->rng);
  int last = 0;
  for (int i = 0; i < n; i++) {
    if (!(weight[i] > 0)) continue;
    last = i;
    left -= weight[i];
    if (left < 0) return i;
  }
  return last;
}

int celi_sample_pair(CeliTrial *trial, const CeliProblem *problem, const double *pi, int s) {
  const int p = problem->pair[s];
  return p + draw_index(trial, pi + p, problem->pair[s + 1] - p);
}

int celi_sample_next(CeliTrial *trial, const CeliProblem *problem, int p) {
  return draw_index(trial, problem->P + p * problem->S, problem->S);
}

int celi_sample_start(CeliTrial *trial, const CeliProblem *problem) {
  return draw_index(trial, problem->start, problem->S);
}

// ---- sizes, and the library's answers

double celi_size(const double *x, int64_t n) {
  double most = 1;
  for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(x[i]));
  return most;
}

double celi_scale(const CeliProblem *problem, const double *Q) {
  return celi_size(Q, problem->n) / (1 - problem->gamma);
}

CelStatus celi_library_values(const CeliProblem *problem, const double *pi, double alpha, double *V,
                              double *Q) {
  double bound;
  const CelStatus status = cel_mdp_evaluate(problem->mdp, pi, alpha, problem->gamma,
                                            CEL_EVALUATE_DIRECT, 1e-12, V, Q, &bound);
  if (status != CEL_E_UNSUPPORTED) return status;
  return cel_mdp_evaluate(problem->mdp, pi, alpha, problem->gamma, CEL_EVALUATE_SWEEPS, 1e-13, V, Q,
                          &bound);
}

CelStatus celi_library_visits(const CeliProblem *problem, const double *pi, double *d) {
  const CelStatus status =
      cel_discounted_distribution(problem->mdp, pi, problem->gamma, CEL_EVALUATE_DIRECT, 1e-13, d);
  if (status != CEL_E_UNSUPPORTED) return status;
  return cel_discounted_distribution(problem->mdp, pi, problem->gamma, CEL_EVALUATE_SWEEPS, 1e-14,
                                     d);
}

CelStatus celi_library_optimum(const CeliProblem *problem, CelSolveMethod method, double alpha,
                               double *V, double *Q, double *pi) {
  CelSolveConfig config = cel_solve_config_default();
  CelSolution *solution = NULL;
  config.alpha = alpha;
  config.method = method;
  config.tolerance = 1e-12;
  config.max_iterations = 1000000;
  CELI_TRY(cel_solve(problem->mdp, &config, &solution));
  for (int s = 0; s < problem->S && V; s++) V[s] = solution->V[s];
  for (int p = 0; p < problem->n && Q; p++) Q[p] = solution->Q[p];
  for (int p = 0; p < problem->n && pi; p++) pi[p] = solution->pi[p];
  cel_solution_destroy(solution);
  return CEL_OK;
}

CelStatus celi_draw_evaluated(CeliTrial *trial, const CeliDraw *draw, CeliEvaluated *out) {
  CELI_TRY(celi_draw(trial, draw, &out->m));
  out->pi = celi_take(trial, out->m.n);
  out->V = celi_take(trial, out->m.S);
  out->Q = celi_take(trial, out->m.n);
  celi_draw_policy(trial, &out->m, out->pi);
  return celi_library_values(&out->m, out->pi, out->m.alpha, out->V, out->Q);
}
