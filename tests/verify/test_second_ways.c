/// The code that computes numbers in the second way, tested on closed forms: elimination, complex
/// steps, enumeration, random problems.
#include "verify/verify.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ROOM = 1 << 18 };

#define assert_ok(call)                                                                            \
  do {                                                                                             \
    if ((call) != CEL_OK) fail_msg("%s: %s", #call, cel_error());                                  \
  } while (0)

/// A trial without the engine.
typedef struct Fixture {
  CeliClaim claim;
  CelCheck check;
  CelMdp *mdp[64];
  CeliTrial trial;
} Fixture;

static int setup(void **state) {
  Fixture *f = calloc(1, sizeof *f);
  if (!f) return -1;
  f->trial = (CeliTrial){.claim = &f->claim, .check = &f->check, .mdp = f->mdp, .size = ROOM};
  f->trial.block = malloc(ROOM * sizeof *f->trial.block);
  f->trial.rng = cel_rng(3, CEL_RNG_USER, 0);
  *state = f;
  return f->trial.block ? 0 : -1;
}

static int teardown(void **state) {
  Fixture *f = *state;
  while (f->trial.mdps > 0) cel_mdp_destroy(f->mdp[--f->trial.mdps]);
  free(f->trial.block);
  free(f);
  return 0;
}

static void assert_near(double x, double wanted, double tolerance) {
  if (!(fabs(x - wanted) <= tolerance)) fail_msg("%.17g, expected %.17g", x, wanted);
}

/// The Hilbert matrix of size 4 times (1, 2, 3, 4). Its first two rows are swapped, so pivoting is
/// needed.
static void elimination(void **state) {
  (void)state;
  double M[16], x[4] = {0};
  CeliComplex C[16], z[4] = {0};
  const int row[] = {1, 0, 2, 3};
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 4; j++) {
      C[i * 4 + j] = celi_complex(M[i * 4 + j] = 1. / (row[i] + j + 1), 0.5 * (i == j));
      x[i] += M[i * 4 + j] * (j + 1);
      z[i] += C[i * 4 + j] * celi_complex(j + 1, -j);
    }
  celi_dense_solve(M, x, 4, 1);
  celi_dense_solve_complex(C, z, 4);
  for (int j = 0; j < 4; j++) {
    assert_near(x[j], j + 1, 1e-10);
    assert_near(creal(z[j]), j + 1, 1e-12);
    assert_near(cimag(z[j]), -j, 1e-12);
  }
}

static CeliComplex cubic(const void *user, const CeliComplex *x) {
  (void)user;
  return x[0] * x[0] * x[1] + cexp(x[1]) * clog(x[0]);
}

static void complex_steps(void **state) {
  Fixture *f = *state;
  const double x[] = {1.7, -0.3};
  double gradient[2];
  celi_complex_gradient(&f->trial, cubic, NULL, x, 2, gradient);
  assert_near(gradient[0], 2 * 1.7 * -0.3 + exp(-0.3) / 1.7, 1e-15);
  assert_near(gradient[1], 1.7 * 1.7 + exp(-0.3) * log(1.7), 1e-15);
}

static void rows_of_numbers(void **state) {
  (void)state;
  const double Q[] = {1000, 1000 + log(3)}, pi[] = {.25, .75};
  double softmax[2];
  celi_dense_softmax(Q, 2, 1, softmax);
  assert_near(softmax[0], .25, 1e-12);
  assert_near(celi_dense_log_sum_exp(Q, 2, 1), 1000 + log(4), 1e-12);
  assert_near(celi_dense_entropy((double[]){.5, .5, 0}, 3), log(2), 1e-15);
  assert_near(celi_dense_kl(pi, (double[]){.5, .5}, 2), .25 * log(.5) + .75 * log(1.5), 1e-15);
  assert_true(isinf(celi_dense_kl(pi, (double[]){1, 0}, 2)));
  assert_near(celi_dense_distance(pi, (double[]){.5, .5}, 2), .25, 1e-15);
}

/// Two states with one action. s0 stays with probability .5, otherwise it moves to s1. s1 ends. r =
/// 1 in s0, 4 in s1.
static void chain(Fixture *f, CeliProblem *m) {
  const int actions[] = {1, 1};
  celi_open(&f->trial, m, 2, actions, .8);
  celi_arrow(m, 0, 0, 0, .5, 1, false);
  celi_arrow(m, 0, 0, 1, .5, 1, false);
  celi_arrow(m, 1, 0, 0, 1, 4, true);
  m->start[0] = 1;
  assert_ok(celi_close(&f->trial, m, 0));
}

static void chain_by_hand(void **state) {
  Fixture *f = *state;
  CeliProblem m;
  const double pi[] = {1, 1}, expected = (1 + .4 * 4) / .6; // V0 = 1 + .8 (.5 V0 + .5 * 4)
  double V[2], Q[2], visits[2], far[2];
  chain(f, &m);
  celi_dense_values(&f->trial, &m, pi, 0, V, Q);
  assert_near(V[0], expected, 1e-14);
  assert_near(V[1], 4, 0);
  celi_propagated_values(&f->trial, &m, pi, 0, far);
  assert_near(far[0], expected, 1e-13);
  celi_dense_visits(&f->trial, &m, pi, visits);
  assert_near(visits[0], 1 / .6, 1e-14);
  assert_near(visits[1], .4 / .6, 1e-14);
  assert_near(celi_enumerated_return(&m, pi, false, 2, -1, -1, 0, true), 1 + .8 * (.5 + 2), 1e-15);
  assert_near(celi_enumerated_return(&m, pi, false, 6, 1, -1, 0, true), 4, 0);
  const CeliComplex w[] = {1, 1};
  assert_near(creal(celi_complex_return(&f->trial, &m, w, .5)), expected, 1e-14);
  assert_near(creal(celi_complex_return_horizon(&f->trial, &m, w, 0, 2)), 3, 1e-15);
}

static void add_probability(void *user, const CeliTrajectory *tau) {
  *(double *)user += tau->probability;
}

/// Probabilities sum to 1 for next states, the start, policies and trajectories. The problems
/// include terminal states and transitions that end.
static void drawn_problems(void **state) {
  Fixture *f = *state;
  int ended = 0, terminal = 0, varied = 0;
  for (int i = 0; i < 60; i++) {
    CeliProblem m;
    double all = 0, start = 0;
    f->trial.used = 0;
    while (f->trial.mdps > 0) cel_mdp_destroy(f->mdp[--f->trial.mdps]);
    assert_ok(celi_draw(&f->trial, &(CeliDraw){.S_max = 5, .A_max = 2}, &m));
    double *pi = celi_take(&f->trial, m.n);
    celi_draw_policy(&f->trial, &m, pi);
    for (int k = 0; k < m.n; k++) {
      double sum = 0;
      for (int s = 0; s < m.S; s++) {
        sum += m.P[k * m.S + s];
        ended += m.ends[k * m.S + s] > 0 && m.P[k * m.S + s] > 0;
      }
      assert_near(sum, 1, 1e-14);
    }
    for (int s = 0; s < m.S; s++) {
      double sum = 0;
      for (int k = m.pair[s]; k < m.pair[s + 1]; k++) sum += pi[k];
      if (celi_actions(&m, s)) assert_near(sum, 1, 1e-14);
      terminal += celi_actions(&m, s) == 0;
      varied += celi_actions(&m, s) != m.A;
      start += m.start[s];
    }
    assert_near(start, 1, 1e-14);
    celi_enumerate(&m, pi, false, 3, -1, -1, add_probability, &all);
    assert_near(all, 1, 1e-13);
    assert_int_equal(m.mdp->pairs, m.n);
  }
  assert_true(ended > 10 && terminal > 5 && varied > 20);
}

/// A problem with one state: its optimum is alpha log sum exp(r/alpha)/(1 - gamma).
static void optimum_by_hand(void **state) {
  Fixture *f = *state;
  const int actions = 3;
  double V, Q[3], pi[3];
  CeliProblem m;
  celi_open(&f->trial, &m, 1, &actions, .9);
  for (int a = 0; a < 3; a++) celi_arrow(&m, 0, a, 0, 1, a, false);
  assert_ok(celi_close(&f->trial, &m, 0));
  celi_dense_optimum(&f->trial, &m, .5, &V, Q, pi);
  assert_near(V, .5 * log(1 + exp(2) + exp(4)) / .1, 1e-12);
  assert_near(pi[2] / pi[0], exp(4), 1e-11);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(elimination),
      cmocka_unit_test_setup_teardown(complex_steps, setup, teardown),
      cmocka_unit_test(rows_of_numbers),
      cmocka_unit_test_setup_teardown(chain_by_hand, setup, teardown),
      cmocka_unit_test_setup_teardown(drawn_problems, setup, teardown),
      cmocka_unit_test_setup_teardown(optimum_by_hand, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
