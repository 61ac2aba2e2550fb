/// Small random MDPs without a discount, and their exact solutions in rational arithmetic.
///
/// All probabilities are k/d with a small d, and rewards are integers. A state, a policy and a
/// Markov chain are small enough to try every deterministic policy. The value of each policy comes
/// from the definition: recurrent classes by transitive closure, mean rewards of classes and
/// absorption by Cramer's rule with 128-bit integers. Nothing is shared with the library.
#ifndef TESTS_MDP_TOTAL_ORACLE_H
#define TESTS_MDP_TOTAL_ORACLE_H
#include "celsius/total.h"
#include "mdp/problems.h"

enum { ORACLE_STATES = 6, ORACLE_ACTIONS = 3, ORACLE_WIDTH = 3 };

__extension__ typedef __int128 Wide;

/// A rational number. den = 0: infinity with the sign of num; den < 0: undefined.
typedef struct Rational {
  Wide num, den;
} Rational;

typedef struct OracleProblem {
  int states, actions[ORACLE_STATES];
  int d[ORACLE_STATES][ORACLE_ACTIONS];                     ///< denominator of a row
  int weight[ORACLE_STATES][ORACLE_ACTIONS][ORACLE_STATES]; ///< numerators, sum d
  int reward[ORACLE_STATES][ORACLE_ACTIONS];
  uint8_t target[ORACLE_STATES];
  bool costs; ///< a reward outside of targets is negative
  Problem built;
} OracleProblem;

/// Which rewards a problem has: -1: none positive, -2: all negative, 1: none negative, 0: both.
static inline void oracle_make(OracleProblem *o, int signs, uint64_t seed) {
  uint64_t random = seed * 7919 + 13;
  memset(o, 0, sizeof *o);
  o->states = 3 + (int)problem_below(&random, ORACLE_STATES - 2);
  for (int s = 0; s < o->states; s++) {
    o->target[s] = s == o->states - 1 || problem_uniform(&random) < 0.08;
    o->actions[s] = 1 + (int)problem_below(&random, ORACLE_ACTIONS);
    if (problem_uniform(&random) < 0.15) o->actions[s] = 0; // terminal
    for (int a = 0; a < o->actions[s]; a++) {
      const int width = 1 + (int)problem_below(&random, ORACLE_WIDTH);
      const bool local = problem_uniform(&random) < 0.5; // makes end components likely
      for (int k = 0; k < width; k++) {
        int next = local ? (s + (int)problem_below(&random, 3) - 1 + o->states) % o->states
                         : (int)problem_below(&random, o->states);
        const int w = 1 + (int)problem_below(&random, 4);
        o->weight[s][a][next] += w;
        o->d[s][a] += w;
      }
      int r = problem_uniform(&random) < 0.4 ? 0 : 1 + (int)problem_below(&random, 4);
      if (signs == -2) r = 1 + (int)problem_below(&random, 4);
      if (signs < 0 || (signs == 0 && problem_uniform(&random) < 0.7)) r = -r;
      o->reward[s][a] = r;
      o->costs |= r < 0 && !o->target[s];
    }
  }
  // The same problem for the library.
  Problem *p = &o->built;
  const size_t most = (size_t)(ORACLE_STATES * ORACLE_ACTIONS);
  *p = (Problem){.pair = calloc(ORACLE_STATES + 1, 8),
                 .row = calloc(most + 1, 8),
                 .next = calloc(most * ORACLE_STATES, 4),
                 .probability = calloc(most * ORACLE_STATES, 8),
                 .reward = calloc(most, 8),
                 .start = calloc(ORACLE_STATES, 8)};
  int64_t pairs = 0, transitions = 0, widest = 0;
  for (int s = 0; s < o->states; s++) {
    p->pair[s] = pairs;
    p->start[s] = s == 0;
    if (o->actions[s] > widest) widest = o->actions[s];
    for (int a = 0; a < o->actions[s]; a++) {
      p->reward[pairs] = o->reward[s][a];
      p->row[pairs++] = transitions;
      for (int n = 0; n < o->states; n++) {
        if (o->weight[s][a][n] == 0) continue;
        p->next[transitions] = (uint32_t)n;
        p->probability[transitions++] = (double)o->weight[s][a][n] / (double)o->d[s][a];
      }
    }
  }
  p->pair[o->states] = pairs;
  p->row[pairs] = transitions;
  p->mdp = (CelMdp){.states = o->states,
                    .pairs = pairs,
                    .transitions = transitions,
                    .max_actions = widest,
                    .discount = 1.0,
                    .pair = p->pair,
                    .row = p->row,
                    .next32 = p->next,
                    .probability = p->probability,
                    .reward = p->reward,
                    .start = p->start};
}

// ---- rational numbers

static inline int rational_compare(Rational a, Rational b) {
  if (a.den == 0 || b.den == 0) {
    const int x = a.den == 0 ? (a.num > 0 ? 1 : -1) : 0, y = b.den == 0 ? (b.num > 0 ? 1 : -1) : 0;
    return x - y;
  }
  const Wide left = a.num * b.den, right = b.num * a.den; // all are far below 2^63
  return left < right ? -1 : left > right;
}

static inline Wide wide_gcd(Wide a, Wide b) {
  if (a < 0) a = -a;
  if (b < 0) b = -b;
  while (b) {
    const Wide r = a % b;
    a = b, b = r;
  }
  return a ? a : 1;
}

static inline Rational rational(Wide num, Wide den) {
  if (den < 0) num = -num, den = -den;
  const Wide g = wide_gcd(num, den);
  return (Rational){num / g, den / g};
}

/// Solves the integer system A x = b (n) by fraction-free elimination: x_i = num_i / det.
static inline void rational_solve(int n, Wide A[ORACLE_STATES][ORACLE_STATES + 1], Rational *x) {
  Wide before = 1;
  for (int k = 0; k < n; k++) {
    int pivot = k;
    while (pivot < n && A[pivot][k] == 0) pivot++;
    if (pivot == n) abort(); // singular: a bug of the oracle
    for (int j = 0; j <= n; j++) {
      const Wide swap = A[k][j];
      A[k][j] = A[pivot][j], A[pivot][j] = swap;
    }
    for (int i = 0; i < n; i++) {
      if (i == k) continue;
      for (int j = n; j >= 0; j--) {
        if (j == k) continue;
        A[i][j] = (A[i][j] * A[k][k] - A[i][k] * A[k][j]) / before;
      }
      A[i][k] = 0;
    }
    // Bareiss-Jordan: all earlier pivots become the current one.
    for (int i = 0; i < k; i++) A[i][i] = A[k][k];
    before = A[k][k];
  }
  for (int i = 0; i < n; i++) x[i] = rational(A[i][n], A[i][i]);
}

// ---- the value of one policy

typedef struct Chain {
  const OracleProblem *o;
  int action[ORACLE_STATES];
  bool reach[ORACLE_STATES][ORACLE_STATES]; ///< in one or more steps
  bool ends[ORACLE_STATES];                 ///< a target or terminal state
  bool recurrent[ORACLE_STATES];
} Chain;

static inline void chain_make(Chain *c) {
  const OracleProblem *o = c->o;
  for (int s = 0; s < o->states; s++) {
    c->ends[s] = o->target[s] || o->actions[s] == 0;
    for (int n = 0; n < o->states; n++)
      c->reach[s][n] = !c->ends[s] && o->weight[s][c->action[s]][n] > 0;
  }
  for (int k = 0; k < o->states; k++)
    for (int i = 0; i < o->states; i++)
      for (int j = 0; j < o->states; j++) c->reach[i][j] |= c->reach[i][k] && c->reach[k][j];
  for (int s = 0; s < o->states; s++) {
    c->recurrent[s] = c->reach[s][s];
    for (int n = 0; n < o->states; n++)
      if (c->reach[s][n] && !c->reach[n][s]) c->recurrent[s] = false;
  }
}

/// The sign of the mean reward of the recurrent class of s. *zero: all its rewards are 0.
static inline int chain_class_sign(const Chain *c, int s, bool *zero) {
  const OracleProblem *o = c->o;
  int member[ORACLE_STATES], n = 0;
  *zero = true;
  for (int i = 0; i < o->states; i++)
    if (c->reach[s][i]) member[n++] = i, *zero &= o->reward[i][c->action[i]] == 0;
  // Stationary weights: x_j sum over i of x_i P_ij, with x_0 = 1. x_i = y_i d_i clears fractions.
  Wide A[ORACLE_STATES][ORACLE_STATES + 1] = {{0}};
  for (int j = 0; j < n - 1; j++) {
    for (int i = 0; i < n; i++)
      A[j][i] = o->weight[member[i]][c->action[member[i]]][member[j]] -
                (i == j ? o->d[member[j]][c->action[member[j]]] : 0);
  }
  A[n - 1][0] = 1, A[n - 1][n] = 1;
  Rational y[ORACLE_STATES];
  rational_solve(n, A, y);
  Rational mean = {0, 1};
  for (int i = 0; i < n; i++) {
    const Wide factor =
        (Wide)o->d[member[i]][c->action[member[i]]] * o->reward[member[i]][c->action[member[i]]];
    mean = rational(mean.num * y[i].den + factor * y[i].num * mean.den, mean.den * y[i].den);
  }
  return mean.num > 0 ? 1 : mean.num < 0 ? -1 : 0;
}

/// Values of transient states: V = r + P V with V known at `fixed` states.
static inline void chain_solve(const Chain *c, const bool *fixed, Rational *V, bool rewards) {
  const OracleProblem *o = c->o;
  int number[ORACLE_STATES], n = 0;
  for (int s = 0; s < o->states; s++) number[s] = fixed[s] ? -1 : n++;
  Wide A[ORACLE_STATES][ORACLE_STATES + 1] = {{0}};
  for (int s = 0; s < o->states; s++) {
    if (fixed[s]) continue;
    const int a = c->action[s], i = number[s];
    A[i][i] += o->d[s][a];
    if (rewards) A[i][n] += (Wide)o->d[s][a] * o->reward[s][a];
    for (int k = 0; k < o->states; k++) {
      if (fixed[k])
        A[i][n] += o->weight[s][a][k] * V[k].num; // known values are integers
      else
        A[i][number[k]] -= o->weight[s][a][k];
    }
  }
  Rational x[ORACLE_STATES];
  rational_solve(n, A, x);
  for (int s = 0; s < o->states; s++)
    if (!fixed[s]) V[s] = x[number[s]];
}

static inline void chain_probability(const Chain *c, Rational *V) {
  const OracleProblem *o = c->o;
  bool fixed[ORACLE_STATES];
  for (int s = 0; s < o->states; s++) {
    fixed[s] = c->ends[s] || c->recurrent[s];
    V[s] = (Rational){o->target[s], 1};
  }
  chain_solve(c, fixed, V, false);
}

/// The total reward to maximize (sign 1) or minimize (sign -1) under `unreached`. Undefined values
/// have den -1. *undecided: a class has the mean 0 but rewards.
static inline void chain_reward(const Chain *c, CelTotalUnreached unreached, int sign, Rational *V,
                                bool *undecided) {
  const OracleProblem *o = c->o;
  bool fixed[ORACLE_STATES];
  int infinite[ORACLE_STATES] = {0};
  for (int s = 0; s < o->states; s++) {
    fixed[s] = c->ends[s] || c->recurrent[s];
    V[s] = (Rational){0, 1};
    if (o->target[s]) continue;
    if (c->ends[s]) {
      infinite[s] = unreached == CEL_UNREACHED_SUM         ? 0
                    : unreached == CEL_UNREACHED_FORBIDDEN ? -sign
                                                           : 2;
    } else if (c->recurrent[s]) {
      bool zero;
      const int mean = chain_class_sign(c, s, &zero);
      if (unreached == CEL_UNREACHED_SUM && mean == 0 && !zero) *undecided = true;
      infinite[s] = unreached == CEL_UNREACHED_SUM         ? mean
                    : unreached == CEL_UNREACHED_FORBIDDEN ? -sign
                                                           : 2;
    }
  }
  chain_solve(c, fixed, V, true);
  for (int s = 0; s < o->states; s++) {
    bool up = infinite[s] == 1, down = infinite[s] == -1, never = infinite[s] == 2;
    for (int n = 0; n < o->states && !c->ends[s]; n++)
      if (c->reach[s][n])
        up |= infinite[n] == 1, down |= infinite[n] == -1, never |= infinite[n] == 2;
    if (never) up |= !o->costs, down |= o->costs;
    // A policy that may lose without limit is not taken, whatever else it may gain.
    if (up || down) V[s] = (Rational){(sign > 0 ? down : !up) ? -1 : 1, 0};
  }
}

// ---- all policies

typedef struct OracleAnswer {
  Rational V[ORACLE_STATES];
  bool undecided;
} OracleAnswer;

static inline bool oracle_next(const OracleProblem *o, int *action) {
  for (int s = 0; s < o->states; s++) {
    if (o->actions[s] > 0 && !o->target[s] && ++action[s] < o->actions[s]) return true;
    action[s] = 0;
  }
  return false;
}

/// The best value over all deterministic policies. CEL_UNREACHED_FORBIDDEN: a class with a positive
/// mean (for the maximum), from whose states some policy surely reaches the target, makes the
/// supremum infinite, although no deterministic policy attains it.
static inline void oracle_solve(const OracleProblem *o, bool probability,
                                CelTotalUnreached unreached, bool min, OracleAnswer *answer) {
  const int sign = min ? -1 : 1;
  Chain c = {.o = o};
  bool first = true, proper[ORACLE_STATES] = {false};
  answer->undecided = false;
  do {
    Rational V[ORACLE_STATES];
    chain_make(&c);
    if (probability)
      chain_probability(&c, V);
    else
      chain_reward(&c, unreached, sign, V, &answer->undecided);
    for (int s = 0; s < o->states; s++) {
      if (first || sign * rational_compare(V[s], answer->V[s]) > 0) answer->V[s] = V[s];
      proper[s] |= V[s].den != 0;
    }
    first = false;
  } while (oracle_next(o, c.action));
  if (probability || unreached != CEL_UNREACHED_FORBIDDEN) return;
  bool endless[ORACLE_STATES] = {false};
  memset(c.action, 0, sizeof c.action);
  do { // classes with a positive mean within the states that some policy surely leaves
    chain_make(&c);
    for (int s = 0; s < o->states; s++) {
      if (!c.recurrent[s]) continue;
      bool inside = true, zero;
      for (int n = 0; n < o->states; n++)
        if (c.reach[s][n] && !proper[n]) inside = false;
      const int mean = inside ? sign * chain_class_sign(&c, s, &zero) : 0;
      if (mean > 0) endless[s] = true;
      if (inside && mean == 0 && !zero) answer->undecided = true;
    }
  } while (oracle_next(o, c.action));
  // Everything that can reach such a class by pairs that stay among proper states.
  for (bool changed = true; changed;) {
    changed = false;
    for (int s = 0; s < o->states; s++) {
      if (endless[s] || !proper[s] || o->target[s]) continue;
      for (int a = 0; a < o->actions[s]; a++) {
        bool inside = true, leads = false;
        for (int n = 0; n < o->states; n++) {
          if (o->weight[s][a][n] == 0) continue;
          inside &= proper[n];
          leads |= endless[n];
        }
        if (inside && leads) endless[s] = changed = true;
      }
    }
  }
  for (int s = 0; s < o->states; s++)
    if (endless[s]) answer->V[s] = (Rational){sign, 0};
}

// ---- soft values

/// Soft values in long double for rewards that are all negative, or for the probability. `best`:
/// the hard solution, which says where the value is -infinity (for a minimum: +infinity). V of the
/// uniform policy is a lower bound, and iterating the backup from there approaches the value from
/// below. Returns 1: converged, 0: some value grows without limit, -1: not clear.
static inline int oracle_soft(const OracleProblem *o, bool probability, bool min, long double alpha,
                              const OracleAnswer *best, CelTotalUnreached unreached,
                              long double *V) {
  const long double sign = min ? -1.0L : 1.0L;
  bool fixed[ORACLE_STATES], allowed[ORACLE_STATES][ORACLE_ACTIONS], can[ORACLE_STATES];
  for (int s = 0; s < o->states; s++) can[s] = o->target[s];
  for (int k = 0; k < o->states; k++)
    for (int s = 0; s < o->states; s++)
      for (int a = 0; a < o->actions[s] && !o->target[s]; a++)
        for (int n = 0; n < o->states; n++) can[s] |= o->weight[s][a][n] > 0 && can[n];
  for (int s = 0; s < o->states; s++) {
    V[s] = o->target[s] && probability ? sign : 0.0L;
    const bool lost = best->V[s].den == 0 && (best->V[s].num > 0) == min;
    if (lost && !probability) V[s] = -HUGE_VALL;
    fixed[s] = o->target[s] || (probability ? !can[s] : lost) || o->actions[s] == 0;
    if (!probability && o->actions[s] == 0 && !o->target[s])
      V[s] = unreached == CEL_UNREACHED_SUM ? 0.0L : -HUGE_VALL;
  }
  for (int s = 0; s < o->states; s++)
    for (int a = 0; a < o->actions[s]; a++) {
      allowed[s][a] = true;
      for (int n = 0; n < o->states; n++)
        if (o->weight[s][a][n] > 0 && fixed[n] && V[n] == -HUGE_VALL) allowed[s][a] = false;
    }
  enum { UNIFORM = 20000, SOFT = 5000 };
  long double log_n[ORACLE_ACTIONS + 1] = {0.0L};
  for (int n = 1; n <= ORACLE_ACTIONS; n++) log_n[n] = logl((long double)n);
  long double moved = 0.0L;
  for (int i = 0; i < UNIFORM + SOFT; i++) {
    moved = 0.0L;
    for (int s = 0; s < o->states; s++) {
      if (fixed[s]) continue;
      long double q[ORACLE_ACTIONS], most = -HUGE_VALL, sum = 0.0L, mean = 0.0L;
      int n = 0;
      for (int a = 0; a < o->actions[s]; a++) {
        if (!allowed[s][a]) continue;
        q[n] = probability ? 0.0L : sign * (long double)o->reward[s][a];
        for (int k = 0; k < o->states; k++)
          if (o->weight[s][a][k] > 0)
            q[n] += (long double)o->weight[s][a][k] / (long double)o->d[s][a] * V[k];
        mean += q[n];
        if (q[n] > most) most = q[n];
        n++;
      }
      for (int a = 0; a < n && i >= UNIFORM; a++) sum += expl((q[a] - most) / alpha);
      const long double now = i < UNIFORM ? mean / n + alpha * log_n[n] : most + alpha * logl(sum);
      const long double size = fabsl(V[s]) > 1.0L ? fabsl(V[s]) : 1.0L;
      if (fabsl(now - V[s]) > moved * size) moved = fabsl(now - V[s]) / size;
      V[s] = now;
    }
    if (moved <= 2e-19L && i < UNIFORM) i = UNIFORM;
    if (moved <= 2e-19L && i > UNIFORM + 10) break;
  }
  // Without a limit, values grow by a constant a step, or by alpha/k in step k.
  const int result = moved <= 1e-17L ? 1 : moved > 1e-7L ? 0 : -1;
  for (int s = 0; s < o->states; s++) V[s] *= sign;
  return result;
}

#endif
