/// An oracle for policy improvement: small random MDPs as plain structs, and J of a policy by
/// Gaussian elimination over complex numbers. The derivative of J is the imaginary part after a
/// tiny complex step (Squire, Trapp 1998), which is exact up to rounding. It shares no code with
/// the library.
#ifndef IMPROVE_ORACLE_H
#define IMPROVE_ORACLE_H
#include "celsius/improve.h"
#include "celsius/rng.h"
#include <complex.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define assert_ok(call)                                                                            \
  do {                                                                                             \
    if ((call) != CEL_OK) fail_msg("%s: %s", #call, cel_error());                                  \
  } while (0)

enum { S_MAX = 12, A_MAX = 4, PAIRS_MAX = S_MAX * A_MAX, ROWS_MAX = PAIRS_MAX * S_MAX };

typedef double complex Complex;

/// CMPLX for compilers that lack it.
static inline Complex complex_of(double real, double imaginary) {
  const double parts[2] = {real, imaginary};
  Complex z;
  memcpy(&z, parts, sizeof z);
  return z;
}

/// An MDP and its arrays.
typedef struct Problem {
  CelMdp mdp;
  uint64_t seed;
  int64_t pair[S_MAX + 1], row[PAIRS_MAX + 1];
  uint32_t next[ROWS_MAX];
  double probability[ROWS_MAX], reward[PAIRS_MAX], start[S_MAX];
  uint8_t ends[ROWS_MAX];
} Problem;

/// Up to S states with 1 to A actions each. The last state is terminal, and some transitions end
/// the episode.
static inline void make_problem(Problem *x, uint64_t seed, int64_t S, int64_t A, double gamma) {
  CelRng rng = cel_rng(seed, CEL_RNG_USER, 7);
  memset(x, 0, sizeof *x);
  x->seed = seed;
  int64_t pairs = 0, rows = 0;
  double start = 0.0;
  for (int64_t s = 0; s < S; s++) {
    x->pair[s] = pairs;
    x->start[s] = cel_rng_range(&rng, 0.1, 1.0);
    start += x->start[s];
    const int64_t actions = s == S - 1 ? 0 : 1 + (int64_t)cel_rng_below(&rng, (uint64_t)A);
    for (int64_t a = 0; a < actions; a++, pairs++) {
      double sum = 0.0;
      x->row[pairs] = rows;
      x->reward[pairs] = cel_rng_normal(&rng);
      const int64_t first = rows;
      for (int64_t next = 0; next < S; next++) {
        if (cel_rng_uniform(&rng) < 0.5 && !(next == s && sum == 0.0)) continue;
        x->next[rows] = (uint32_t)next;
        x->probability[rows] = cel_rng_range(&rng, 0.05, 1.0);
        x->ends[rows] = cel_rng_uniform(&rng) < 0.1;
        sum += x->probability[rows++];
      }
      if (rows == first) x->next[rows] = (uint32_t)s, x->probability[rows++] = sum = 1.0;
      for (int64_t t = first; t < rows; t++) x->probability[t] /= sum;
    }
  }
  x->pair[S] = pairs;
  x->row[pairs] = rows;
  for (int64_t s = 0; s < S; s++) x->start[s] /= start;
  x->mdp = (CelMdp){.states = S,
                    .pairs = pairs,
                    .transitions = rows,
                    .max_actions = A,
                    .discount = gamma,
                    .pair = x->pair,
                    .row = x->row,
                    .next32 = x->next,
                    .probability = x->probability,
                    .reward = x->reward,
                    .ends = x->ends,
                    .start = x->start};
}

/// Solves M X = b by elimination with pivoting, M (n, n) with rows S_MAX apart. Destroys M; b
/// becomes X.
static inline void eliminate(Complex M[S_MAX][S_MAX], Complex *b, int64_t n) {
  for (int64_t k = 0; k < n; k++) {
    int64_t pivot = k;
    for (int64_t i = k + 1; i < n; i++) {
      if (cabs(M[i][k]) > cabs(M[pivot][k])) pivot = i;
    }
    assert_true(cabs(M[pivot][k]) > 0.0);
    for (int64_t j = 0; j < n; j++) {
      const Complex swap = M[k][j];
      M[k][j] = M[pivot][j], M[pivot][j] = swap;
    }
    const Complex swap = b[k];
    b[k] = b[pivot], b[pivot] = swap;
    for (int64_t i = 0; i < n; i++) {
      if (i == k) continue;
      const Complex factor = M[i][k] / M[k][k];
      for (int64_t j = k; j < n; j++) M[i][j] -= factor * M[k][j];
      b[i] -= factor * b[k];
    }
  }
  for (int64_t k = 0; k < n; k++) b[k] /= M[k][k];
}

/// The softmax policy pi (pairs) of logits.
static inline void oracle_softmax(const Problem *x, const Complex *theta, Complex *pi) {
  for (int64_t s = 0; s < x->mdp.states; s++) {
    Complex sum = 0.0;
    double most = -HUGE_VAL;
    for (int64_t p = x->pair[s]; p < x->pair[s + 1]; p++) most = fmax(most, creal(theta[p]));
    for (int64_t p = x->pair[s]; p < x->pair[s + 1]; p++) sum += pi[p] = cexp(theta[p] - most);
    for (int64_t p = x->pair[s]; p < x->pair[s + 1]; p++) pi[p] /= sum;
  }
}

/// r - alpha log pi of a pair, with 0 log 0 = 0.
static inline Complex oracle_reward(const Problem *x, int64_t p, Complex pi, double alpha) {
  return x->reward[p] - (alpha > 0.0 && cabs(pi) > 0.0 ? alpha * clog(pi) : 0.0);
}

/// V (states) = (I - gamma P_pi)^-1 E_pi[r - alpha log pi].
static inline void oracle_values(const Problem *x, const Complex *pi, double alpha, double gamma,
                                 Complex *V) {
  static Complex M[S_MAX][S_MAX];
  const int64_t S = x->mdp.states;
  memset(M, 0, sizeof M);
  for (int64_t s = 0; s < S; s++) {
    M[s][s] = 1.0;
    V[s] = 0.0;
    for (int64_t p = x->pair[s]; p < x->pair[s + 1]; p++) {
      V[s] += pi[p] * oracle_reward(x, p, pi[p], alpha);
      for (int64_t t = x->row[p]; t < x->row[p + 1]; t++) {
        if (!x->ends[t]) M[s][x->next[t]] -= gamma * pi[p] * x->probability[t];
      }
    }
  }
  eliminate(M, V, S);
}

/// d (states) = (1-gamma) (I - gamma P_pi')^-1 start of a real policy.
static inline void oracle_visits(const Problem *x, const double *pi, double gamma, double *d) {
  static Complex M[S_MAX][S_MAX];
  Complex b[S_MAX];
  const int64_t S = x->mdp.states;
  memset(M, 0, sizeof M);
  for (int64_t s = 0; s < S; s++) M[s][s] = 1.0, b[s] = (1.0 - gamma) * x->start[s];
  for (int64_t s = 0; s < S; s++) {
    for (int64_t p = x->pair[s]; p < x->pair[s + 1]; p++) {
      for (int64_t t = x->row[p]; t < x->row[p + 1]; t++) {
        if (!x->ends[t]) M[x->next[t]][s] -= gamma * pi[p] * x->probability[t];
      }
    }
  }
  eliminate(M, b, S);
  for (int64_t s = 0; s < S; s++) d[s] = creal(b[s]);
}

static inline Complex oracle_j(const Problem *x, const Complex *pi, double alpha, double gamma) {
  Complex V[S_MAX], J = 0.0;
  oracle_values(x, pi, alpha, gamma, V);
  for (int64_t s = 0; s < x->mdp.states; s++) J += x->start[s] * V[s];
  return J;
}

/// J of a real policy.
static inline double oracle_j_real(const Problem *x, const double *pi, double alpha, double gamma) {
  Complex complex_pi[PAIRS_MAX];
  for (int64_t p = 0; p < x->mdp.pairs; p++) complex_pi[p] = pi[p];
  return creal(oracle_j(x, complex_pi, alpha, gamma));
}

/// V and Q of a real policy.
static inline void oracle_values_real(const Problem *x, const double *pi, double alpha,
                                      double gamma, double *V, double *Q) {
  Complex complex_pi[PAIRS_MAX], complex_V[S_MAX];
  for (int64_t p = 0; p < x->mdp.pairs; p++) complex_pi[p] = pi[p];
  oracle_values(x, complex_pi, alpha, gamma, complex_V);
  for (int64_t s = 0; s < x->mdp.states; s++) V[s] = creal(complex_V[s]);
  for (int64_t p = 0; p < x->mdp.pairs; p++) {
    Q[p] = x->reward[p];
    for (int64_t t = x->row[p]; t < x->row[p + 1]; t++) {
      if (!x->ends[t]) Q[p] += gamma * x->probability[t] * V[x->next[t]];
    }
  }
}

/// Draws random logits and computes their softmax.
static inline void random_policy(const Problem *x, double spread, uint32_t index, double *theta,
                                 double *pi) {
  CelRng rng = cel_rng(x->seed, CEL_RNG_USER, 1000 + index);
  Complex z[PAIRS_MAX], y[PAIRS_MAX];
  for (int64_t p = 0; p < x->mdp.pairs; p++) z[p] = theta[p] = spread * cel_rng_normal(&rng);
  oracle_softmax(x, z, y);
  for (int64_t p = 0; p < x->mdp.pairs; p++) pi[p] = creal(y[p]);
}

static inline double largest(const double *x, int64_t n) {
  double most = 0.0;
  for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(x[i]));
  return most;
}

static inline void assert_close(const Problem *x, const char *what, const double *got,
                                const double *wanted, int64_t n, double tolerance) {
  for (int64_t i = 0; i < n; i++) {
    if (!(fabs(got[i] - wanted[i]) <= tolerance)) {
      fail_msg("seed %llu: %s[%lld] = %.17g, expected %.17g within %.1e",
               (unsigned long long)x->seed, what, (long long)i, got[i], wanted[i], tolerance);
    }
  }
}

#endif
