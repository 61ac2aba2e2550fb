/// The solution of the multi-goal plane: against the same grid as a finite problem for cel_solve,
/// against quadrature with the environment's step, against rollouts of its policy. The error
/// estimate is checked against finer grids.
#include "celsius/multigoal.h"
#include "celsius/solve.h"
#include "certify/multigoal.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void ok(CelStatus status) {
  if (status != CEL_OK) fail_msg("%s", cel_error());
}

static CelMultigoal published(void) {
  CelEnvSpec *spec;
  CelMultigoal plane;
  ok(cel_env_spec_create(&spec, "MultiGoal-v0", NULL, NULL));
  ok(cel_multigoal_of_env(spec, &plane));
  cel_env_spec_destroy(spec);
  return plane;
}

static CelMultigoalSolution *solved(const CelMultigoal *plane, double gamma, double alpha,
                                    int64_t cells) {
  CelMultigoalGrid grid = cel_multigoal_grid_default();
  CelMultigoalSolution *solution;
  grid.cells = cells;
  ok(cel_multigoal_solve(plane, gamma, alpha, &grid, &solution));
  return solution;
}

// ---- the grid as a finite problem

/// The integral of the hat function of width 1 from -infinity to x.
static double hat_to(double x) {
  if (x <= -1) return 0;
  if (x >= 1) return 1;
  return x < 0 ? 0.5 * (x + 1) * (x + 1) : 1 - 0.5 * (1 - x) * (1 - x);
}

/// Weight of action k h: the integral of its hat function over [-reach, reach].
static double weight(double reach, double h, int64_t k) {
  const double a = (double)k;
  return h * (hat_to(reach / h - a) - hat_to(-reach / h - a));
}

static int64_t clamp(int64_t i, int64_t most) {
  return i < -most ? -most : i > most ? most : i;
}

/// Adds a pair of weight w with the reward plus alpha log w, to a state or to the end.
static void add_pair(CelMdpBuilder *builder, int64_t s, int64_t *a, double reward, double alpha,
                     double w, int64_t next, bool ends) {
  if (!(w > 0)) return;
  ok(cel_mdp_pair(builder, s, (*a)++, reward + (alpha > 0 ? alpha * log(w) : 0)));
  ok(cel_mdp_transition(builder, next, 1, 0, ends));
}

/// The finite problem of all (2 cells + 1)^2 grid points and all actions. A cell that a goal cuts
/// has two pairs.
static CelMdp *as_finite(const CelMultigoal *plane, const CeliPlaneGrid *grid) {
  CelMdpBuilder *builder;
  CelMdp *mdp;
  const int64_t M = grid->cells, side = 2 * M + 1, K = grid->pad;
  const double h = grid->step, alpha = grid->alpha;
  ok(cel_mdp_builder_create(&builder, side * side, grid->gamma, 0));
  for (int64_t s = 0; s < side * side; s++) {
    int64_t a = 0;
    for (int64_t l = -K; l <= K; l++)
      for (int64_t k = -K; k <= K; k++) {
        const int64_t j = clamp(s % side - M + k, M), i = clamp(s / side - M + l, M);
        const int64_t next = (i + M) * side + j + M;
        const double square = (double)(k * k + l * l) * h * h;
        const double w = weight(plane->reach, h, k) * weight(plane->reach, h, l);
        const int64_t at = llabs(i) * (M + 1) + llabs(j);
        double in = grid->inside[at];
        if (alpha <= 0) {
          if ((double)llabs(k) * h > plane->reach || (double)llabs(l) * h > plane->reach) continue;
          in = in >= 0.5;
        }
        const double r = -plane->action_cost * square + grid->stay[at];
        add_pair(builder, s, &a, r, alpha, w * (1 - in), next, false);
        add_pair(builder, s, &a, r + plane->goal_reward, alpha, w * in, next, true);
      }
  }
  ok(cel_mdp_build(builder, &mdp));
  cel_mdp_builder_destroy(builder);
  return mdp;
}

static void same_as_finite(double alpha) {
  const CelMultigoal plane = {.goal_distance = 2,
                              .goal_radius = 0.5,
                              .goal_reward = 10,
                              .action_cost = 30,
                              .distance_cost = 1,
                              .reach = 1,
                              .bound = 2.9, // reach is not a multiple of the step
                              .start_sd = 0.1};
  const int64_t M = 24, side = 2 * M + 1;
  CeliPlaneGrid grid;
  CelSolution *finite;
  CelSolveConfig config = cel_solve_config_default();
  CelMultigoalSolution *exact = solved(&plane, 0.9, alpha, M);
  double most = 0;
  ok(celi_plane_grid_open(&grid, &plane, 0.9, alpha, M));
  CelMdp *mdp = as_finite(&plane, &grid);
  config.alpha = alpha, config.gamma = 0.9, config.tolerance = 1e-10;
  ok(cel_solve(mdp, &config, &finite));
  for (int64_t i = 0; i <= M; i++)
    for (int64_t j = 0; j <= M; j++)
      most = fmax(most, fabs(exact->V[i * (M + 1) + j] - finite->V[(i + M) * side + M + j]));
  print_message("alpha %g: off by %.2g, bounds %.2g and %.2g\n", alpha, most, exact->bound,
                finite->bound);
  if (!(most <= exact->bound + finite->bound + 1e-9)) fail_msg("values are off by %g", most);
  if (!(exact->bound < 1e-6)) fail_msg("the bound is only %g", exact->bound);
  celi_plane_grid_close(&grid);
  cel_solution_destroy(finite);
  cel_mdp_destroy(mdp);
  cel_multigoal_solution_destroy(exact);
}

static void finite_warm(void **state) {
  (void)state;
  same_as_finite(10);
}
static void finite_cold(void **state) { // uses logarithms, because exp would underflow
  (void)state;
  same_as_finite(0.1);
}
static void finite_hard(void **state) {
  (void)state;
  same_as_finite(0);
}

// ---- the plane itself

/// V and the density against quadrature with the environment's step, finer than the grid.
static void quadrature(void **state) {
  (void)state;
  enum { CUTS = 160 };
  const CelMultigoal plane = published();
  CelMultigoalSolution *exact = solved(&plane, 0.99, 10, 112);
  CelRng rng = cel_rng(3, CEL_RNG_USER, 0);
  double *action = calloc(3 * CUTS * CUTS, sizeof *action), *log_p = action + 2 * CUTS * CUTS;
  double worst = 0;
  assert_non_null(action);
  for (int n = 0; n < 40; n++) {
    const double s[2] = {cel_rng_range(&rng, -7, 7), cel_rng_range(&rng, -7, 7)};
    const double cell = 2.0 / CUTS, zero[2] = {0, 0}, top = cel_multigoal_q(exact, s, zero);
    double sum = 0, mass = 0;
    for (int k = 0; k < CUTS * CUTS; k++) {
      double *a = action + 2 * k;
      a[0] = cell * (k % CUTS + 0.5) - 1, a[1] = cell * (k / CUTS + 0.5) - 1;
      sum += exp((cel_multigoal_q(exact, s, a) - top) / 10) * cell * cell;
    }
    cel_multigoal_log_density(exact, s, action, CUTS * CUTS, log_p);
    for (int k = 0; k < CUTS * CUTS; k++) mass += exp(log_p[k]) * cell * cell;
    worst = fmax(worst, fabs(top + 10 * log(sum) - cel_multigoal_v(exact, s)));
    if (fabs(mass - 1) > 2e-3) fail_msg("the density integrates to %g", mass);
  }
  print_message("quadrature differs by %.3g, the estimate of the error is %.3g\n", worst,
                exact->error);
  if (!(worst <= exact->error)) fail_msg("V is off its own integral by %g", worst);
  free(action);
  cel_multigoal_solution_destroy(exact);
}

/// The error estimate of a coarse grid holds against a grid that is four times finer. V is
/// symmetric.
static void error_estimate(void **state) {
  (void)state;
  static const double alphas[] = {10, 1, 0};
  const CelMultigoal plane = published();
  for (int k = 0; k < 3; k++) {
    CelMultigoalSolution *coarse = solved(&plane, 0.99, alphas[k], 56),
                         *fine = solved(&plane, 0.99, alphas[k], 224);
    double most = 0, mirror = 0;
    for (int64_t i = 0; i <= 56; i++)
      for (int64_t j = 0; j <= 56; j++) {
        most = fmax(most, fabs(coarse->V[57 * i + j] - fine->V[225 * 4 * i + 4 * j]));
        mirror = fmax(mirror, fabs(coarse->V[57 * i + j] - coarse->V[57 * j + i]));
      }
    const double start = fabs(coarse->value_start - fine->value_start);
    print_message("alpha %g: order %.2f, error %.3g estimated, %.3g found; of J %.3g, %.3g\n",
                  alphas[k], coarse->order, coarse->error, most, coarse->value_error, start);
    if (!(most <= coarse->error && most > 0.01 * coarse->error))
      fail_msg("error %g, estimated %g", most, coarse->error);
    if (!(start <= coarse->value_error)) fail_msg("J is off by %g", start);
    if (!(fine->error < coarse->error / 3)) fail_msg("a finer grid is not better");
    if (!(mirror < 1e-8)) fail_msg("V is not symmetric: %g", mirror);
    cel_multigoal_solution_destroy(coarse);
    cel_multigoal_solution_destroy(fine);
  }
}

/// The mean soft return of episodes with the exact policy is J, and all goals are equally frequent.
static void rollouts(void **state) {
  (void)state;
  enum { EPISODES = 600 };
  const uint64_t seed = 7;
  const CelMultigoal plane = published();
  CelMultigoalSolution *exact = solved(&plane, 0.99, 10, 112);
  double sum = 0, squares = 0, reached[CEL_MULTIGOAL_GOALS] = {0};
  for (int n = 0; n < EPISODES; n++) {
    CelRng rng = cel_rng(seed, CEL_RNG_USER, (uint32_t)n);
    double s[2] = {0.1 * cel_rng_normal(&rng), 0.1 * cel_rng_normal(&rng)}, soft = 0, weight = 1;
    for (int t = 0; t < 1000; t++, weight *= 0.99) {
      double a[2], next[2], r, log_p;
      cel_multigoal_draw(exact, s, &rng, a);
      cel_multigoal_log_density(exact, s, a, 1, &log_p);
      const bool ends = cel_multigoal_step(&plane, next, &r, s, a);
      soft += weight * (r - 10 * log_p);
      memcpy(s, next, sizeof s);
      if (ends) break;
    }
    for (int g = 0; g < CEL_MULTIGOAL_GOALS; g++) {
      double goal[2];
      cel_multigoal_goal(&plane, g, goal);
      reached[g] += hypot(s[0] - goal[0], s[1] - goal[1]) < 1;
    }
    sum += soft, squares += soft * soft;
  }
  const double mean = sum / EPISODES, error = sqrt((squares / EPISODES - mean * mean) / EPISODES);
  double chi_square = 0;
  for (int g = 0; g < CEL_MULTIGOAL_GOALS; g++)
    chi_square += (reached[g] - EPISODES / 4.0) * (reached[g] - EPISODES / 4.0) / (EPISODES / 4.0);
  print_message("seed %d: J %.3f, rollouts %.3f +- %.3f, chi-square %.2f\n", (int)seed,
                exact->value_start, mean, error, chi_square);
  if (!(fabs(mean - exact->value_start) <= 4 * error + exact->value_error))
    fail_msg("rollouts %g +- %g, J %g", mean, error, exact->value_start);
  if (!(error < 1)) fail_msg("the error of rollouts is %g", error);
  if (!(chi_square < 16.3)) fail_msg("goals are not alike: chi-square %g", chi_square);
  cel_multigoal_solution_destroy(exact);
}

/// Without a next step the value is one integral.
static void no_discount(void **state) {
  (void)state;
  enum { CUTS = 2000 };
  const CelMultigoal plane = published();
  CelMultigoalSolution *exact = solved(&plane, 0, 10, 224);
  const double s[2] = {0, 0}, cell = 2.0 / CUTS;
  double sum = 0;
  for (int k = 0; k < CUTS * CUTS; k++) {
    const double a[2] = {cell * (k % CUTS + 0.5) - 1, cell * (k / CUTS + 0.5) - 1};
    double next[2], r;
    cel_multigoal_step(&plane, next, &r, s, a);
    sum += exp(r / 10) * cell * cell;
  }
  const double wanted = 10 * log(sum), have = cel_multigoal_v(exact, s);
  if (!(fabs(have - wanted) <= exact->error && exact->error < 0.05))
    fail_msg("V %g, one integral %g, error %g", have, wanted, exact->error);
  cel_multigoal_solution_destroy(exact);
}

static void bad_input(void **state) {
  (void)state;
  const CelMultigoal plane = published();
  CelMultigoalGrid grid = cel_multigoal_grid_default();
  CelMultigoalSolution *out;
  assert_int_equal(cel_multigoal_solve(&plane, 1, 10, NULL, &out), CEL_E_RANGE);
  assert_non_null(strstr(cel_error(), "gamma is 1"));
  assert_null(out);
  assert_int_equal(cel_multigoal_solve(&plane, 0.9, -1, NULL, &out), CEL_E_RANGE);
  grid.cells = 20;
  assert_int_equal(cel_multigoal_solve(&plane, 0.9, 1, &grid, &out), CEL_E_RANGE);
  assert_non_null(strstr(cel_error(), "56 (8 per step)"));
  grid.cells = 5000;
  assert_int_equal(cel_multigoal_solve(&plane, 0.9, 1, &grid, &out), CEL_E_RANGE);
  CelMultigoal narrow = plane;
  narrow.bound = 0.499 * plane.reach; // its grid would need padding of whole steps
  assert_int_equal(cel_multigoal_solve(&narrow, 0.9, 1, NULL, &out), CEL_E_UNSUPPORTED);
  assert_non_null(strstr(cel_error(), "at least half a step, 0.5"));
  narrow.bound = 0.5 * plane.reach;
  ok(cel_multigoal_solve(&narrow, 0.9, 1, NULL, &out));
  cel_multigoal_solution_destroy(out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(finite_warm),    cmocka_unit_test(finite_cold),
      cmocka_unit_test(finite_hard),    cmocka_unit_test(quadrature),
      cmocka_unit_test(error_estimate), cmocka_unit_test(rollouts),
      cmocka_unit_test(no_discount),    cmocka_unit_test(bad_input)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
