/// State elimination against dense Gaussian elimination in long double, and closed forms of chains
/// that are rarely left.
#include "base/base_test.h"
#include "mdp/problems.h"
#include "mdp/total/eliminate.h"

enum { MOST = 40 };

typedef struct Chain {
  int n;
  long double p[MOST][MOST], leave[MOST], b[MOST][CELI_SIDES];
} Chain;

/// Random sparse rows. `loops`: transitions to the state itself, which the caller leaves out.
static void make(Chain *c, uint64_t seed) {
  memset(c, 0, sizeof *c);
  c->n = 1 + (int)problem_below(&seed, MOST);
  const int width = 1 + (int)problem_below(&seed, 4);
  for (int s = 0; s < c->n; s++) {
    long double left = 1.0L;
    const bool exits = s == 0 || problem_uniform(&seed) < 0.1;
    c->leave[s] = exits ? (long double)(problem_uniform(&seed) * 0.5 + 1e-3) : 0.0L;
    left -= c->leave[s];
    for (int k = 0; k < width; k++) {
      // The state before it is always among the next ones, so state 0 is reached.
      const int to = k == 0 && s > 0 ? s - 1 : (int)problem_below(&seed, c->n);
      const long double p = k == width - 1 ? left : left * (long double)problem_uniform(&seed);
      c->p[s][to] += p;
      left -= p;
    }
    c->b[s][0] = (long double)(2.0 * problem_uniform(&seed) - 1.0), c->b[s][1] = 1.0L;
  }
}

/// x of the chain by elimination with partial pivoting.
static void solve_dense(const Chain *c, int side, long double *x) {
  long double A[MOST][MOST + 1];
  const int n = c->n;
  for (int i = 0; i < n; i++) {
    for (int j = 0; j < n; j++) A[i][j] = (i == j ? 1.0L : 0.0L) - c->p[i][j];
    A[i][n] = c->b[i][side];
  }
  for (int k = 0; k < n; k++) {
    int top = k;
    for (int i = k; i < n; i++)
      if (fabsl(A[i][k]) > fabsl(A[top][k])) top = i;
    for (int j = 0; j <= n; j++) {
      const long double swap = A[k][j];
      A[k][j] = A[top][j], A[top][j] = swap;
    }
    for (int i = 0; i < n; i++) {
      const long double factor = i == k ? 0.0L : A[i][k] / A[k][k];
      for (int j = k; j <= n; j++) A[i][j] -= factor * A[k][j];
    }
  }
  for (int i = 0; i < n; i++) x[i] = A[i][n] / A[i][i];
}

static void build(CeliElimination *e, const Chain *c) {
  celi_elimination_begin(e);
  for (int s = 0; s < c->n; s++) {
    const double b[CELI_SIDES] = {(double)c->b[s][0], (double)c->b[s][1]};
    celi_elimination_state(e, b, (double)c->leave[s]);
    for (int t = 0; t < c->n; t++)
      if (t != s && c->p[s][t] > 0.0L)
        assert_ok(celi_elimination_arc(e, (uint32_t)t, (double)c->p[s][t]));
  }
}

static void random_chains_agree_with_dense_elimination(void **state) {
  (void)state;
  CeliElimination e = {0};
  assert_ok(celi_elimination_create(&e, MOST)); // reused for all
  for (uint64_t seed = 1; seed <= 1000; seed++) {
    static Chain c;
    double x[MOST][CELI_SIDES];
    make(&c, seed);
    build(&e, &c);
    assert_int_equal(celi_elimination_solve(&e, x, 1e9, NULL, NULL), CELI_ELIMINATED);
    for (int side = 0; side < CELI_SIDES; side++) {
      long double exact[MOST], most = 0.0L;
      solve_dense(&c, side, exact);
      for (int s = 0; s < c.n; s++) most = fmaxl(most, fabsl(exact[s]));
      for (int s = 0; s < c.n; s++)
        if (!(fabsl((long double)x[s][side] - exact[s]) <= 1e-12L * most))
          fail_msg("seed %d, state %d, side %d: %.17g instead of %.17Lg", (int)seed, s, side,
                   x[s][side], exact[s]);
    }
  }
  celi_elimination_destroy(&e);
}

/// n steps to the right in a row, each with probability 1/2, otherwise back to the start: 2^(n+1) -
/// 2 steps on average. Nothing is subtracted, so the relative error is small even for n = 900.
static void rarely_left_chains_keep_their_digits(void **state) {
  (void)state;
  enum { STEPS = 900 };
  static double x[STEPS][CELI_SIDES];
  CeliElimination e = {0};
  const double b[CELI_SIDES] = {1.0, 0.0};
  assert_ok(celi_elimination_create(&e, STEPS));
  for (int n = 2; n <= STEPS; n += 449) {
    celi_elimination_begin(&e);
    for (uint32_t s = 0; s < (uint32_t)n; s++) {
      celi_elimination_state(&e, b, s == (uint32_t)n - 1 ? 0.5 : 0.0);
      if (s > 0) assert_ok(celi_elimination_arc(&e, 0, 0.5));
      if (s + 1 < (uint32_t)n) assert_ok(celi_elimination_arc(&e, s + 1, 0.5));
    }
    assert_int_equal(celi_elimination_solve(&e, x, 1e9, NULL, NULL), CELI_ELIMINATED);
    const double exact = pow(2.0, n + 1) - 2.0;
    if (!(fabs(x[0][0] - exact) <= 1e-14 * n * exact))
      fail_msg("n %d: %.17g instead of %.17g", n, x[0][0], exact);
    assert_true(x[0][1] == 0.0);
    assert_true(e.work <= 10.0 * n); // a path with a common target stays sparse
  }
  celi_elimination_destroy(&e);
}

static bool stop(void *user) {
  ++*(int *)user;
  return true;
}

static void limits_and_singular_systems(void **state) {
  (void)state;
  enum { N = 20000 };
  double(*x)[CELI_SIDES] = calloc(N, sizeof *x);
  const double b[CELI_SIDES] = {1.0, 1.0};
  CeliElimination e = {0};
  int calls = 0;
  assert_non_null(x);
  assert_ok(celi_elimination_create(&e, N));
  celi_elimination_begin(&e); // two states that lead to each other only
  for (uint32_t s = 0; s < 2; s++) {
    celi_elimination_state(&e, b, 0.0);
    assert_ok(celi_elimination_arc(&e, 1 - s, 1.0));
  }
  assert_int_equal(celi_elimination_solve(&e, x, 1e9, NULL, NULL), CELI_NEVER_LEFT);
  for (int stops = 0; stops < 2; stops++) {
    celi_elimination_begin(&e); // a ring
    for (uint32_t s = 0; s < N; s++) {
      celi_elimination_state(&e, b, s == 0 ? 0.5 : 0.0);
      assert_ok(celi_elimination_arc(&e, (s + 1) % N, s == 0 ? 0.5 : 1.0));
    }
    assert_int_equal(celi_elimination_solve(&e, x, stops ? 1e9 : 100.0, stop, &calls),
                     stops ? CELI_STOPPED : CELI_TOO_DENSE);
  }
  assert_int_equal(calls, 1);
  celi_elimination_destroy(&e);
  celi_elimination_destroy(&e); // may be all zero
  free(x);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(random_chains_agree_with_dense_elimination),
      cmocka_unit_test(rarely_left_chains_keep_their_digits),
      cmocka_unit_test(limits_and_singular_systems),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
