/// Random finite MDPs for tests, made without the library's builder, and their exact solutions.
///
/// An exact solution is the fixed point in long double (64 mantissa bits on x86, 113 elsewhere). It
/// comes from (soft) policy iteration with dense elimination, run until nothing changes. It shares
/// no code with the library.
#ifndef TESTS_MDP_PROBLEMS_H
#define TESTS_MDP_PROBLEMS_H
#include "celsius/mdp.h"
#include "celsius/rng.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct ProblemSpec {
  int64_t states, actions, branching;
  double discount;
  double reward_scale;
  bool ragged; ///< states have 1 to `actions` actions, rows 1 to `branching` transitions
  /// A tenth of the states is terminal, and a tenth of the transitions ends the episode
  bool terminals;
} ProblemSpec;

typedef struct Problem {
  CelMdp mdp;
  int64_t *pair, *row;
  uint32_t *next;
  double *probability, *reward, *start;
  uint8_t *ends;
} Problem;

static inline double problem_uniform(uint64_t *seed) { // splitmix64
  uint64_t z = (*seed += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static inline int64_t problem_below(uint64_t *seed, int64_t n) {
  return (int64_t)(problem_uniform(seed) * (double)n);
}

static inline void problem_free(Problem *problem) {
  free(problem->pair), free(problem->row), free(problem->next), free(problem->probability);
  free(problem->reward), free(problem->start), free(problem->ends);
}

static inline void problem_make(Problem *problem, const ProblemSpec *spec, uint64_t seed) {
  const int64_t S = spec->states, most = S * spec->actions;
  *problem = (Problem){.pair = calloc((size_t)S + 1, 8),
                       .row = calloc((size_t)most + 1, 8),
                       .next = calloc((size_t)(most * spec->branching), 4),
                       .probability = calloc((size_t)(most * spec->branching), 8),
                       .reward = calloc((size_t)most, 8),
                       .start = calloc((size_t)S, 8),
                       .ends = calloc((size_t)(most * spec->branching), 1)};
  int64_t pairs = 0, transitions = 0, widest = 0;
  for (int64_t s = 0; s < S; s++) {
    problem->pair[s] = pairs;
    problem->start[s] = 1.0 / (double)S;
    const bool terminal = spec->terminals && s > 0 && problem_uniform(&seed) < 0.1;
    const int64_t A = terminal       ? 0
                      : spec->ragged ? 1 + problem_below(&seed, spec->actions)
                                     : spec->actions;
    if (A > widest) widest = A;
    for (int64_t a = 0; a < A; a++, pairs++) {
      problem->row[pairs] = transitions;
      problem->reward[pairs] = spec->reward_scale * (2.0 * problem_uniform(&seed) - 1.0);
      const int64_t n = spec->ragged ? 1 + problem_below(&seed, spec->branching) : spec->branching;
      const int64_t first = transitions;
      double sum = 0.0;
      for (int64_t i = 0; i < n; i++, transitions++) {
        problem->next[transitions] = (uint32_t)problem_below(&seed, S);
        problem->probability[transitions] = problem_uniform(&seed) + 1e-3;
        problem->ends[transitions] = spec->terminals && problem_uniform(&seed) < 0.1;
        sum += problem->probability[transitions];
      }
      for (int64_t t = first; t < transitions; t++) problem->probability[t] /= sum;
    }
  }
  problem->pair[S] = pairs;
  problem->row[pairs] = transitions;
  problem->mdp = (CelMdp){.states = S,
                          .pairs = pairs,
                          .transitions = transitions,
                          .max_actions = widest,
                          .discount = spec->discount,
                          .pair = problem->pair,
                          .row = problem->row,
                          .next32 = problem->next,
                          .probability = problem->probability,
                          .reward = problem->reward,
                          .ends = spec->terminals ? problem->ends : NULL,
                          .start = problem->start};
}

// ---- the exact solution

static inline void exact_q(const CelMdp *mdp, long double gamma, const long double *V,
                           long double *Q) {
  for (int64_t p = 0; p < mdp->pairs; p++) {
    long double next = 0.0L;
    for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++)
      if (!mdp->ends || !mdp->ends[t])
        next += (long double)mdp->probability[t] * V[cel_mdp_next(mdp, t)];
    Q[p] = (long double)mdp->reward[p] + gamma * next;
  }
}

/// pi and V = soft maximum of n values q.
static inline long double exact_soft_max(const long double *q, int64_t n, long double alpha,
                                         long double *pi) {
  if (n == 0) return 0.0L;
  int64_t best = 0;
  for (int64_t a = 1; a < n; a++)
    if (q[a] > q[best]) best = a;
  long double sum = 0.0L;
  for (int64_t a = 0; a < n; a++) {
    pi[a] = alpha > 0.0L ? expl((q[a] - q[best]) / alpha) : (long double)(a == best);
    sum += pi[a];
  }
  for (int64_t a = 0; a < n; a++) pi[a] /= sum;
  return q[best] + (alpha > 0.0L ? alpha * logl(sum) : 0.0L);
}

/// V (states) of pi: (I - gamma P_pi) V = r_pi by elimination.
static inline void exact_evaluate(const CelMdp *mdp, const long double *pi, long double alpha,
                                  long double gamma, long double *V) {
  const int64_t S = mdp->states;
  long double *A = calloc((size_t)(S * S), sizeof *A);
  for (int64_t s = 0; s < S; s++) {
    A[s * S + s] = 1.0L, V[s] = 0.0L;
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
      if (pi[p] > 0.0L) V[s] += pi[p] * ((long double)mdp->reward[p] - alpha * logl(pi[p]));
      for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++)
        if (!mdp->ends || !mdp->ends[t])
          A[s * S + cel_mdp_next(mdp, t)] -= gamma * pi[p] * (long double)mdp->probability[t];
    }
  }
  for (int64_t k = 0; k < S; k++) {
    for (int64_t i = k + 1; i < S; i++) {
      const long double factor = A[i * S + k] / A[k * S + k];
      if (factor == 0.0L) continue;
      for (int64_t j = k; j < S; j++) A[i * S + j] -= factor * A[k * S + j];
      V[i] -= factor * V[k];
    }
  }
  for (int64_t k = S - 1; k >= 0; k--) {
    for (int64_t j = k + 1; j < S; j++) V[k] -= A[k * S + j] * V[j];
    V[k] /= A[k * S + k];
  }
  free(A);
}

/// V (states) of the (soft) optimum.
static inline void exact_solve(const CelMdp *mdp, double alpha, double gamma, long double *V) {
  const size_t S = (size_t)mdp->states, pairs = (size_t)mdp->pairs;
  long double *Q = calloc(pairs, sizeof *Q), *pi = calloc(pairs, sizeof *pi);
  memset(V, 0, S * sizeof *V);
  int settled = 0; // residuals may rise on the way, so stop when only rounding remains three times
  for (int i = 0; settled < 3; i++) {
    if (i == 1000) abort();
    exact_q(mdp, (long double)gamma, V, Q);
    long double moved = 0.0L, most = 1.0L;
    for (int64_t s = 0; s < mdp->states; s++) {
      const int64_t p = mdp->pair[s];
      const long double value =
          exact_soft_max(Q + p, mdp->pair[s + 1] - p, (long double)alpha, pi + p);
      moved = fmaxl(moved, fabsl(value - V[s]));
      most = fmaxl(most, fabsl(value));
    }
    if (moved <= 1e-17L * most) settled++;
    exact_evaluate(mdp, pi, (long double)alpha, (long double)gamma, V);
  }
  free(Q), free(pi);
}

#endif
