/// Tabular soft Q-learning. Compares the recursion with an independent one and the certificate with
/// exact solutions in long double. Also tests the rate of convergence, trajectories on FrozenLake
/// and Garnet, and bad fields.
#include "mdp/q_learning_kit.h"

// ---- the recursion without randomness: each pair has one next state

static double soft_max(const double *q, int64_t n, double alpha) {
  double best = -HUGE_VAL, sum = 0;
  for (int64_t a = 0; a < n; a++) best = fmax(best, q[a]);
  if (n == 0) return 0;
  if (!(alpha > 0)) return best;
  for (int64_t a = 0; a < n; a++) sum += exp((q[a] - best) / alpha);
  return best + alpha * log(sum);
}

static void recursion(const CelMdp *mdp, const CelQLearningConfig *c, double *Q) {
  double *V = calloc((size_t)mdp->states, sizeof *V);
  for (int64_t k = 0; k < c->rounds; k++) {
    const double x = (double)k;
    const double step = c->step == CEL_Q_STEP_RESCALED     ? 1 / (1 + (1 - c->gamma) * x)
                        : c->step == CEL_Q_STEP_POLYNOMIAL ? pow(x + 1, -c->omega)
                                                           : c->step_size;
    for (int64_t s = 0; s < mdp->states; s++)
      V[s] = soft_max(Q + mdp->pair[s], mdp->pair[s + 1] - mdp->pair[s], c->alpha);
    for (int64_t p = 0; p < mdp->pairs; p++) {
      const int64_t t = mdp->row[p];
      const double next = mdp->ends && mdp->ends[t] ? 0 : V[cel_mdp_next(mdp, t)];
      Q[p] = (1 - step) * Q[p] + step * (mdp->reward[p] + c->gamma * next);
    }
  }
  free(V);
}

static void steps_follow_their_schedule(void **state) {
  (void)state;
  const ProblemSpec spec = {12, 3, 1, 0.9, 1.0, true, true};
  for (int seed = 1; seed <= 5; seed++)
    for (int step = 0; step < 3; step++)
      for (int soft = 0; soft < 2; soft++) {
        Problem x;
        CelQLearning *learned;
        CelQLearningConfig c = config_of(soft ? 0.3 : 0, 0.8, 50, (uint64_t)seed);
        c.step = (CelQStep)step, c.omega = 0.6, c.step_size = 0.3;
        problem_make(&x, &spec, (uint64_t)seed);
        double *Q = calloc((size_t)x.mdp.pairs, sizeof *Q);
        recursion(&x.mdp, &c, Q);
        assert_ok(cel_q_learning(&x.mdp, &c, &learned));
        if (distance(Q, learned->Q, x.mdp.pairs) > 1e-12)
          fail_msg("seed %d, step %d, alpha %g: off by %g", seed, step, c.alpha,
                   distance(Q, learned->Q, x.mdp.pairs));
        assert_int_equal(learned->samples, 50 * x.mdp.pairs);
        for (int64_t p = 0; p < x.mdp.pairs; p++) assert_int_equal(learned->visits[p], 50);
        cel_q_learning_destroy(learned);
        problem_free(&x);
        free(Q);
      }
}

// ---- the certificate

typedef struct Watch {
  const Problem *x;
  const CelQLearningConfig *config;
  const double *star;
  int64_t told, scheduled;
} Watch;

/// ||TQ - Q|| from the definition, in long double.
static double residual_of(const CelMdp *mdp, const double *Q, double alpha, double gamma) {
  long double *V = calloc((size_t)mdp->states, sizeof *V), most = 0;
  long double *q = calloc((size_t)mdp->pairs, sizeof *q),
              *T = calloc((size_t)mdp->pairs, sizeof *T);
  long double pi[64];
  for (int64_t p = 0; p < mdp->pairs; p++) q[p] = (long double)Q[p];
  for (int64_t s = 0; s < mdp->states; s++)
    V[s] =
        exact_soft_max(q + mdp->pair[s], mdp->pair[s + 1] - mdp->pair[s], (long double)alpha, pi);
  exact_q(mdp, (long double)gamma, V, T);
  for (int64_t p = 0; p < mdp->pairs; p++) most = fmaxl(most, fabsl(T[p] - q[p]));
  free(V), free(q), free(T);
  return (double)most;
}

static bool within_the_bound(void *user, const CelQLearningProgress *now) {
  Watch *w = user;
  const CelMdp *mdp = &w->x->mdp;
  const double alpha = w->config->alpha, gamma = w->config->gamma;
  const double error = distance(now->Q, w->star, mdp->pairs);
  const double residual = residual_of(mdp, now->Q, alpha, gamma);
  w->told++, w->scheduled += now->scheduled;
  assert_true(fabs(now->residual - residual) <= 1e-12 * fmax(1, residual));
  if (!(error <= now->bound))
    fail_msg("round %d: off by %.17g, the bound is %.17g", (int)now->round, error, now->bound);
  assert_true(now->bound <= residual / (1 - gamma) * (1 + 1e-9) + 1e-10);
  return true;
}

static void error_is_within_the_bound(void **state) {
  (void)state;
  static const double alphas[] = {0, 0.05, 2}, gammas[] = {0, 0.7, 0.97};
  const ProblemSpec spec = {10, 4, 4, 0.9, 1.0, true, true};
  for (int i = 0; i < 36; i++) {
    Problem x;
    CelQLearning *learned;
    CelQLearningConfig c = config_of(alphas[i % 3], gammas[i / 3 % 3], 400, (uint64_t)i + 1);
    c.sampling = (CelQSampling)(i / 9 % 2), c.behavior = (CelQBehavior)(i / 18),
    c.step = (CelQStep)(i % 2), c.points = 6;
    problem_make(&x, &spec, (uint64_t)i + 1);
    double *star = exact_star(&x.mdp, c.alpha, c.gamma);
    Watch watch = {&x, &c, star, 0, 0};
    c.progress = within_the_bound, c.user = &watch;
    assert_ok(cel_q_learning(&x.mdp, &c, &learned));
    assert_in_range(watch.scheduled, 13, 18); // 1, 2, 3, 4, ..., 316, 400
    double residual, bound;
    assert_ok(cel_q_certificate(&x.mdp, learned->Q, c.alpha, c.gamma, &residual, &bound));
    assert_true(residual == learned->residual && bound == learned->bound);
    assert_ok(cel_q_certificate(&x.mdp, star, c.alpha, c.gamma, &residual, &bound));
    assert_true(bound < 1e-11);
    cel_q_learning_destroy(learned);
    problem_free(&x);
    free(star);
  }
}

// ---- the rate

static void error_falls_as_the_root_of_rounds(void **state) {
  (void)state;
  static const RateCase cases[] = {{0, 0.5}, {0.1, 0.8}, {0.5, 0.5}};
  for (uint64_t i = 0; i < 3; i++) expect_rate(&cases[i], 100 + i, 1000, 30000, 8);
}

// ---- trajectories

/// Compares the errors after `rounds` and after ten times as many rounds of a trajectory. The
/// second must be below `most`.
static void expect_converges(const char *generator, double alpha, double gamma, int behavior,
                             double most) {
  CelMdp *mdp;
  CelSolution *exact;
  double error[2];
  CelSolveConfig solve = cel_solve_config_default();
  assert_ok(cel_mdp_generate(&mdp, generator, NULL));
  solve.alpha = alpha, solve.gamma = gamma, solve.tolerance = 1e-10;
  assert_ok(cel_solve(mdp, &solve, &exact));
  for (int i = 0; i < 2; i++) {
    CelQLearning *learned;
    CelQLearningConfig c = config_of(alpha, gamma, i ? 10000 : 1000, 7);
    c.sampling = CEL_Q_ASYNCHRONOUS, c.behavior = (CelQBehavior)behavior, c.epsilon = 0.3;
    assert_ok(cel_q_learning(mdp, &c, &learned));
    error[i] = distance(learned->Q, exact->Q, mdp->pairs);
    assert_true(error[i] <= learned->bound + exact->bound);
    assert_int_equal(learned->samples, c.rounds * mdp->pairs);
    cel_q_learning_destroy(learned);
  }
  print_message("%s, alpha %g, %s: off by %.4f, then %.4f\n", generator, alpha,
                behavior ? "uniform" : "Boltzmann", error[0], error[1]);
  if (!(error[1] <= most)) fail_msg("off by %g, expected at most %g", error[1], most);
  assert_true(error[1] < error[0]);
  cel_solution_destroy(exact);
  cel_mdp_destroy(mdp);
}

static void trajectories_converge(void **state) {
  (void)state;
  expect_converges("frozenlake-4x4", 0.1, 0.9, CEL_Q_BOLTZMANN, 0.05);
  expect_converges("frozenlake-4x4", 0.1, 0.9, CEL_Q_UNIFORM, 0.05);
  expect_converges("frozenlake-4x4", 0, 0.9, CEL_Q_BOLTZMANN, 0.05);
  expect_converges("garnet", 0.1, 0.8, CEL_Q_BOLTZMANN, 0.05);
  expect_converges("garnet", 0, 0.8, CEL_Q_UNIFORM, 0.05);
}

/// A trajectory must draw next states by the rows, actions by the behavior policy, and starts by
/// the initial distribution.
static void visit_counts_match_the_markov_chain(void **state) {
  (void)state;
  CelMdpBuilder *b;
  CelMdp *mdp;
  CelQLearning *learned;
  assert_ok(cel_mdp_builder_create(&b, 3, 0.5, 0));
  // to state 1 with probability .25, else the end; state 1 always ends
  for (int a = 0; a < 2; a++) {
    assert_ok(cel_mdp_pair(b, 0, a, a));
    assert_ok(cel_mdp_transition(b, 1, 0.25, 0, false));
    assert_ok(cel_mdp_transition(b, 2, 0.75, 0, false));
  }
  assert_ok(cel_mdp_pair(b, 1, 0, 5));
  assert_ok(cel_mdp_transition(b, 0, 1, 0, true));
  assert_ok(cel_mdp_start(b, 0, 0.5));
  assert_ok(cel_mdp_start(b, 2, 0.5)); // terminal, so no step starts here
  assert_ok(cel_mdp_build(b, &mdp));
  cel_mdp_builder_destroy(b);
  CelQLearningConfig c = config_of(0.5, 0.5, 100000, 3);
  c.sampling = CEL_Q_ASYNCHRONOUS, c.epsilon = 0;
  assert_ok(cel_q_learning(mdp, &c, &learned));
  const double n = 300000, z = 5 / sqrt(n), first = 1 / (1 + exp(1 / 0.5));
  const double share[3] = {first / 1.25, (1 - first) / 1.25, 0.25 / 1.25};
  for (int p = 0; p < 3; p++) // Q(0,1) - Q(0,0) = 1 once both are learned
    if (fabs((double)learned->visits[p] / n - share[p]) > z)
      fail_msg("pair %d: %.4f of the visits, expected %.4f", p, (double)learned->visits[p] / n,
               share[p]);
  cel_q_learning_destroy(learned);
  cel_mdp_destroy(mdp);
}

static void rewards_of_transitions_are_sampled(void **state) {
  (void)state;
  CelMdpBuilder *b;
  CelMdp *mdp;
  CelQLearning *learned;
  assert_ok(cel_mdp_builder_create(&b, 2, 0.5, 0));
  assert_ok(cel_mdp_pair(b, 0, 0, 1));
  assert_ok(cel_mdp_transition(b, 0, 0.5, 3, true));
  assert_ok(cel_mdp_transition(b, 1, 0.5, -5, false));
  assert_ok(cel_mdp_build(b, &mdp));
  cel_mdp_builder_destroy(b);
  CelQLearningConfig c = config_of(0, NAN, 1, 1);
  double seen[2] = {0, 0};
  for (uint64_t seed = 0; seed < 400; seed++) { // the first step size is 1, so Q is the reward
    c.seed = seed;
    assert_ok(cel_q_learning(mdp, &c, &learned));
    assert_true(learned->Q[0] == 4 || learned->Q[0] == -4);
    seen[learned->Q[0] > 0]++;
    cel_q_learning_destroy(learned);
  }
  assert_true(fabs(seen[0] - 200) < 50); // 5 standard deviations
  cel_mdp_destroy(mdp);
}

// ---- the same bits, stopping, errors

static bool stop_at_4(void *user, const CelQLearningProgress *now) {
  (void)user;
  return now->round < 4;
}

static void same_seed_same_bits(void **state) {
  (void)state;
  for (int sampling = 0; sampling < 2; sampling++) {
    CelMdp *mdp;
    CelQLearning *a, *b, *other;
    CelQLearningConfig c = config_of(0.1, NAN, 100, 5);
    assert_ok(cel_mdp_generate(&mdp, "garnet", NULL));
    c.sampling = (CelQSampling)sampling;
    assert_ok(cel_q_learning(mdp, &c, &a));
    c.points = 50; // more certificates must not change the result
    assert_ok(cel_q_learning(mdp, &c, &b));
    c.seed = 6;
    assert_ok(cel_q_learning(mdp, &c, &other));
    assert_memory_equal(a->Q, b->Q, (size_t)mdp->pairs * sizeof *a->Q);
    assert_true(distance(a->Q, other->Q, mdp->pairs) > 1e-6);
    cel_q_learning_destroy(a), cel_q_learning_destroy(b), cel_q_learning_destroy(other);
    c.points = 10, c.progress = stop_at_4;
    assert_ok(cel_q_learning(mdp, &c, &a));
    assert_int_equal(a->rounds, 4);
    cel_q_learning_destroy(a);
    c.progress = NULL, c.rounds = 1000000000, c.max_seconds = 0.05;
    assert_ok(cel_q_learning(mdp, &c, &a));
    assert_true(a->rounds < c.rounds && a->seconds < 5);
    cel_q_learning_destroy(a);
    cel_mdp_destroy(mdp);
  }
}

static void bad_fields(void **state) {
  (void)state;
  const ProblemSpec spec = {4, 2, 2, 0.9, 1.0, false, false};
  Problem x;
  CelQLearning *learned;
  CelQLearningConfig c;
  problem_make(&x, &spec, 1);
#define EXPECT(change, status, part)                                                               \
  c = cel_q_learning_config_default();                                                             \
  change;                                                                                          \
  assert_fails(cel_q_learning(&x.mdp, &c, &learned), status, part)
  EXPECT(c.alpha = -1, CEL_E_RANGE, "alpha");
  EXPECT(c.gamma = 1, CEL_E_RANGE, "gamma");
  EXPECT(c.rounds = 0, CEL_E_RANGE, "rounds");
  EXPECT(c.epsilon = 1.5, CEL_E_RANGE, "epsilon");
  EXPECT(c.omega = 0, CEL_E_RANGE, "omega");
  EXPECT(c.step_size = 0, CEL_E_RANGE, "step_size");
  EXPECT(c.points = 0, CEL_E_RANGE, "points");
  EXPECT(c.sampling = 2, CEL_E_RANGE, "sampling");
  x.mdp.horizon = 5;
  EXPECT((void)0, CEL_E_UNSUPPORTED, "backward induction");
  x.mdp.horizon = 0;
#undef EXPECT
  double Q[8] = {0}, bound;
  assert_fails(cel_q_certificate(&x.mdp, Q, -1, 0.9, NULL, &bound), CEL_E_RANGE, "temperature");
  assert_fails(cel_q_certificate(&x.mdp, Q, 1, 1, NULL, &bound), CEL_E_RANGE, "gamma");
  Q[3] = (double)NAN;
  assert_fails(cel_q_certificate(&x.mdp, Q, 1, 0.9, NULL, &bound), CEL_E_NAN, "pair 3");
  assert_ok(cel_fields_check_table(cel_q_learning_fields()));
  problem_free(&x);
}

static void terminal_start_is_refused(void **state) {
  (void)state;
  CelMdpBuilder *b;
  CelMdp *mdp;
  CelQLearning *learned;
  CelQLearningConfig c = cel_q_learning_config_default();
  assert_ok(cel_mdp_builder_create(&b, 2, 0.9, 0));
  assert_ok(cel_mdp_pair(b, 0, 0, 1));
  assert_ok(cel_mdp_transition(b, 1, 1, 0, false));
  assert_ok(cel_mdp_start(b, 1, 1));
  assert_ok(cel_mdp_build(b, &mdp));
  cel_mdp_builder_destroy(b);
  assert_ok(cel_q_learning(mdp, &c, &learned));
  assert_true(learned->Q[0] == 1);
  cel_q_learning_destroy(learned);
  c.sampling = CEL_Q_ASYNCHRONOUS;
  assert_fails(cel_q_learning(mdp, &c, &learned), CEL_E_RANGE, "terminal");
  cel_mdp_destroy(mdp);
}

/// Single rewards may overflow the values even if their mean does not. Q would become NaN, which no
/// residual shows.
static void rewards_that_overflow(void **state) {
  (void)state;
  CelMdpBuilder *b;
  CelMdp *mdp;
  CelQLearning *learned;
  const double Q[] = {0};
  double bound;
  assert_ok(cel_mdp_builder_create(&b, 1, 0.99, 0));
  assert_ok(cel_mdp_pair(b, 0, 0, 0));
  assert_ok(cel_mdp_transition(b, 0, 0.5, 1e308, false));
  assert_ok(cel_mdp_transition(b, 0, 0.5, -1e308, true));
  assert_ok(cel_mdp_build(b, &mdp));
  cel_mdp_builder_destroy(b);
  assert_fails(cel_q_learning(mdp, NULL, &learned), CEL_E_RANGE, "1e+308");
  assert_null(learned);
  assert_fails(cel_q_certificate(mdp, Q, 0.1, 0.99, NULL, &bound), CEL_E_RANGE, "scale them down");
  cel_mdp_destroy(mdp);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(steps_follow_their_schedule),
      cmocka_unit_test(error_is_within_the_bound),
      cmocka_unit_test(error_falls_as_the_root_of_rounds),
      cmocka_unit_test(trajectories_converge),
      cmocka_unit_test(visit_counts_match_the_markov_chain),
      cmocka_unit_test(rewards_of_transitions_are_sampled),
      cmocka_unit_test(same_seed_same_bits),
      cmocka_unit_test(bad_fields),
      cmocka_unit_test(terminal_start_is_refused),
      cmocka_unit_test(rewards_that_overflow),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
