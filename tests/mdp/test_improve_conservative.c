/// Conservative policy iteration. Compares every step with dense solves, the bound with the exact
/// gain, and the end with the optimum by enumeration. Also tests an MDP on which the bound is an
/// equality.
#include "mdp/improve_oracle.h"

/// Records the steps of a run and replays the policies between them.
typedef struct Replay {
  const Problem *x;
  double gamma;
  double pi[PAIRS_MAX]; ///< policy before the next step
  int64_t steps;
  int64_t end_after; ///< 0: never
  bool stopped;
} Replay;

/// The right side of the bound for a mixture of weight eps, with V and Q from the test's own
/// solver.
typedef struct Bound {
  double mean, most, tau;
  int64_t best[S_MAX];
} Bound;

static Bound measure(const Replay *r) {
  const Problem *x = r->x;
  Bound b = {0};
  double V[S_MAX] = {0}, Q[PAIRS_MAX] = {0}, d[S_MAX] = {0};
  oracle_values_real(x, r->pi, 0.0, r->gamma, V, Q);
  oracle_visits(x, r->pi, r->gamma, d);
  for (int64_t s = 0; s < x->mdp.states; s++) {
    b.best[s] = -1;
    for (int64_t p = x->pair[s]; p < x->pair[s + 1]; p++)
      if (b.best[s] < 0 || Q[p] > Q[b.best[s]]) b.best[s] = p;
    if (b.best[s] < 0) continue;
    const double a = Q[b.best[s]] - V[s];
    b.mean += d[s] * a;
    b.most = fmax(b.most, a);
    if (a > 1e-13) b.tau = fmax(b.tau, 1.0 - r->pi[b.best[s]]);
  }
  return b;
}

static double lower_bound(const Bound *b, double gamma, double eps) {
  const double e = eps * b->tau;
  return eps * b->mean / (1.0 - gamma) -
         2.0 * e * gamma * eps * b->most / ((1.0 - gamma) * (1.0 - gamma * (1.0 - e)));
}

static void check_choice(const Replay *r, const CelConservativeStep *step) {
  const double scale = 1.0 / (1.0 - r->gamma);
  const Bound b = measure(r);
  assert_true(fabs(step->J - oracle_j_real(r->x, r->pi, 0.0, r->gamma)) < 1e-11 * scale);
  assert_true(fabs(step->gap - b.most * scale) < 1e-10 * scale * scale);
  if (step->stopped) return;
  assert_true(fabs(step->surrogate - step->eps * b.mean * scale) < 1e-10 * scale * scale);
  assert_true(fabs(step->distance - step->eps * b.tau) < 1e-10);
  assert_true(fabs(step->lower_bound - lower_bound(&b, r->gamma, step->eps)) <
              1e-10 * scale * scale);
  for (int i = 0; i <= 1000; i++) { // no other weight has a better bound
    const double eps = i / 1000.0;
    if (lower_bound(&b, r->gamma, eps) > step->lower_bound + 1e-10 * scale * scale)
      fail_msg("seed %d: eps %g has the bound %.17g, but eps %g was picked with %.17g",
               (int)r->x->seed, eps, lower_bound(&b, r->gamma, eps), step->eps, step->lower_bound);
  }
}

static bool on_step(void *user, int64_t iteration, const CelConservativeStep *step) {
  Replay *r = user;
  assert_int_equal(iteration, r->steps);
  r->stopped = step->stopped;
  if (iteration < 200 || step->stopped) check_choice(r, step);
  if (step->stopped) return true;
  r->steps++;
  const Bound b = measure(r);
  for (int64_t s = 0; s < r->x->mdp.states; s++) {
    for (int64_t p = r->x->pair[s]; p < r->x->pair[s + 1]; p++)
      r->pi[p] = (1.0 - step->eps) * r->pi[p] + (p == b.best[s] ? step->eps : 0.0);
  }
  const double slack = 1e-12 / ((1.0 - r->gamma) * (1.0 - r->gamma));
  if (!(step->J_next - step->J >= step->lower_bound - slack) || !(step->lower_bound > 0.0))
    fail_msg("seed %d, step %d: gained %.17g, certified %.17g", (int)r->x->seed, (int)iteration,
             step->J_next - step->J, step->lower_bound);
  return r->steps != r->end_after;
}

static void uniform(const Problem *x, double *pi) {
  for (int64_t s = 0; s < x->mdp.states; s++) {
    const int64_t n = x->pair[s + 1] - x->pair[s];
    for (int64_t p = x->pair[s]; p < x->pair[s + 1]; p++) pi[p] = 1.0 / (double)n;
  }
}

/// J of the best deterministic policy, by trying all.
static double best_j(const Problem *x, double gamma) {
  int64_t choice[S_MAX] = {0}, s = 0;
  double best = -HUGE_VAL, pi[PAIRS_MAX];
  while (s < x->mdp.states) {
    memset(pi, 0, sizeof pi);
    for (int64_t i = 0; i < x->mdp.states; i++)
      if (x->pair[i] < x->pair[i + 1]) pi[x->pair[i] + choice[i]] = 1.0;
    best = fmax(best, oracle_j_real(x, pi, 0.0, gamma));
    for (s = 0; s < x->mdp.states; s++) { // counts up like an odometer
      if (++choice[s] < x->pair[s + 1] - x->pair[s]) break;
      choice[s] = 0;
    }
  }
  return best;
}

static void every_step_is_certified(void **state) {
  (void)state;
  static Problem x;
  const double gammas[] = {0.0, 0.5, 0.8, 0.9};
  for (uint64_t seed = 1; seed <= 12; seed++) {
    Replay r = {.x = &x, .gamma = gammas[seed % 4]};
    double pi[PAIRS_MAX];
    make_problem(&x, seed, 6, 3, r.gamma);
    uniform(&x, pi);
    memcpy(r.pi, pi, sizeof pi);
    CelConservativeConfig config = cel_conservative_config_default();
    config.tolerance = 1e-6;
    config.max_iterations = 5000;
    config.step = on_step;
    config.user = &r;
    CelConservativeStep last;
    assert_ok(cel_conservative_iteration(&x.mdp, &config, pi, &last));
    const double J = oracle_j_real(&x, pi, 0.0, r.gamma), best = best_j(&x, r.gamma);
    print_message("seed %2d, gamma %.1f: %4d steps, J %.6f, optimum %.6f, gap %.1e, %s\n",
                  (int)seed, r.gamma, (int)r.steps, J, best, last.gap,
                  last.stopped ? "stopped" : "limit");
    assert_true(fabs(J - last.J_next) < 1e-11 / (1.0 - r.gamma));
    assert_true(last.stopped == r.stopped);
    if (last.stopped) assert_true(best - J <= last.gap + 1e-11 / (1.0 - r.gamma));
    assert_true(J <= best + 1e-11 / (1.0 - r.gamma));
    // without drift the first step is greedy and final
    if (r.gamma == 0.0) assert_int_equal(r.steps, 1);
    if (r.gamma == 0.0) assert_true(fabs(J - best) < 1e-13);
    if (r.gamma == 0.5) assert_true(last.stopped && best - J < 1e-2);
  }
}

static void limits_and_hook_stop_it(void **state) {
  (void)state;
  static Problem x;
  double pi[PAIRS_MAX];
  make_problem(&x, 3, 6, 3, 0.9);
  Replay r = {.x = &x, .gamma = 0.9, .end_after = 4};
  CelConservativeConfig config = cel_conservative_config_default();
  CelConservativeStep last;
  config.step = on_step;
  config.user = &r;
  uniform(&x, pi);
  memcpy(r.pi, pi, sizeof pi);
  assert_ok(cel_conservative_iteration(&x.mdp, &config, pi, &last));
  assert_int_equal(r.steps, 4);
  assert_false(last.stopped);
  config.step = NULL;
  config.max_iterations = 4;
  double again[PAIRS_MAX];
  uniform(&x, again);
  assert_ok(cel_conservative_iteration(&x.mdp, &config, again, NULL));
  assert_memory_equal(again, pi, (size_t)x.mdp.pairs * sizeof *pi);
}

/// The two-state MDP of the notes' lower bound, where J' - J = L - 2 e gamma
/// C/((1-gamma)(1-gamma(1-e))). So no smaller penalty gives a valid bound.
static void bound_is_an_equality_on_the_tight_problem(void **state) {
  (void)state;
  for (int i = 0; i < 9; i++) {
    const double gamma = (double[]){0.5, 0.9, 0.99}[i % 3], e = (double[]){0.01, 0.1, 0.5}[i / 3];
    const double C = 1.0, pi[4] = {1, 0, 1, 0}, mixed[4] = {1 - e, e, 1 - e, e};
    Problem x = {.pair = {0, 2, 4},
                 .row = {0, 1, 2, 3, 4},
                 .next = {0, 1, 1, 1},
                 .probability = {1, 1, 1, 1},
                 .reward = {0, C / e, 0, -C / e},
                 .start = {1, 0}};
    x.mdp = (CelMdp){.states = 2,
                     .pairs = 4,
                     .transitions = 4,
                     .max_actions = 2,
                     .discount = gamma,
                     .pair = x.pair,
                     .row = x.row,
                     .next32 = x.next,
                     .probability = x.probability,
                     .reward = x.reward,
                     .start = x.start};
    double V[2], Q[4], bound;
    assert_ok(cel_mdp_evaluate(&x.mdp, pi, 0.0, gamma, CEL_EVALUATE_SWEEPS, 1e-13, V, Q, &bound));
    // All values are 0, so A under pi is r. In L the start stays in state 0.
    const double L = e * (Q[1] - V[0]) / (1.0 - gamma);
    const double penalty = 2.0 * e * gamma * C / ((1.0 - gamma) * (1.0 - gamma * (1.0 - e)));
    const double gain = oracle_j_real(&x, mixed, 0.0, gamma) - oracle_j_real(&x, pi, 0.0, gamma);
    if (!(fabs(gain - (L - penalty)) < 1e-11 / ((1.0 - gamma) * (1.0 - gamma))))
      fail_msg("gamma %g, e %g: %.17g is not %.17g", gamma, e, gain, L - penalty);
    assert_true(gain < L - 0.5 * penalty - 1e-6);
    // The certified step: greedy moves in state 0, and J rises by at least the certified amount.
    double step_pi[4];
    memcpy(step_pi, pi, sizeof pi);
    CelConservativeConfig config = cel_conservative_config_default();
    CelConservativeStep last;
    config.max_iterations = 1;
    assert_ok(cel_conservative_iteration(&x.mdp, &config, step_pi, &last));
    assert_true(last.eps > 0.0 && last.lower_bound > 0.0);
    assert_true(last.J_next - last.J >= last.lower_bound);
    assert_true(step_pi[3] == 0.0); // pi already takes the best action of state 1
  }
}

/// States that are never reached do not affect the step, whatever they could gain. This includes a
/// state that is entered only as the episode ends.
static void unreachable_states_do_not_matter(void **state) {
  (void)state;
  Problem x = {.pair = {0, 3, 5},
               .row = {0, 1, 2, 3, 4, 5},
               .next = {0, 0, 1, 0, 1},
               .probability = {1, 1, 1, 1, 1},
               .ends = {0, 0, 1, 0, 0},
               .reward = {0, 1, -1, 0, 1e6},
               .start = {1, 0}};
  x.mdp = (CelMdp){.states = 2,
                   .pairs = 5,
                   .transitions = 5,
                   .max_actions = 3,
                   .discount = 0.9,
                   .pair = x.pair,
                   .row = x.row,
                   .next32 = x.next,
                   .probability = x.probability,
                   .reward = x.reward,
                   .ends = x.ends,
                   .start = x.start};
  double pi[5] = {0.25, 0.5, 0.25, 0.5, 0.5};
  CelConservativeConfig config = cel_conservative_config_default();
  CelConservativeStep last;
  config.max_iterations = 100000;
  assert_ok(cel_conservative_iteration(&x.mdp, &config, pi, &last));
  assert_true(last.stopped);
  assert_true(fabs(last.J - 10.0) <= last.gap + 1e-12 && last.gap < 1e-2);
  assert_true(pi[3] == 0.5 && pi[4] == 0.5);
}

/// An MDP too large for direct solves, with a graph that fills in. Its numbers must equal those of
/// sweeps.
static void large_problems_are_iterated(void **state) {
  (void)state;
  const CelMdpGenerator *generator;
  CelMdp *mdp;
  assert_ok(cel_mdp_generator_find("garnet", &generator));
  void *garnet = calloc(1, generator->config_size);
  assert_non_null(garnet);
  cel_fields_default(generator->fields, garnet);
  assert_ok(cel_fields_set(generator->fields, garnet, "states", "6000"));
  assert_ok(cel_mdp_generate(&mdp, "garnet", garnet));
  free(garnet);
  double *pi = calloc((size_t)mdp->pairs, sizeof *pi), *V = calloc((size_t)mdp->states, sizeof *V);
  assert_true(pi && V);
  cel_policy_of_q(mdp, pi, 1, pi); // the policy of Q = 0 is uniform
  CelConservativeConfig config = cel_conservative_config_default();
  CelConservativeStep last;
  config.max_iterations = 3;
  assert_ok(cel_conservative_iteration(mdp, &config, pi, &last));
  assert_true(last.held && last.lower_bound > 0 && last.rounding < 1e-9);
  assert_ok(cel_mdp_evaluate(mdp, pi, 0, (double)NAN, CEL_EVALUATE_SWEEPS, 1e-12, V, NULL, NULL));
  assert_true(fabs(cel_value_start(mdp, V) - last.J_next) < 1e-9);
  free(pi);
  free(V);
  cel_mdp_destroy(mdp);
}

static void bad_input_is_named(void **state) {
  (void)state;
  static Problem x;
  double pi[PAIRS_MAX];
  make_problem(&x, 1, 5, 3, 0.9);
  uniform(&x, pi);
  CelConservativeConfig config = cel_conservative_config_default();
  CelConservativeStep last;
  assert_ok(cel_fields_check_table(cel_conservative_fields()));
  config.gamma = 1.0;
  assert_int_equal(cel_conservative_iteration(&x.mdp, &config, pi, &last), CEL_E_RANGE);
  config = cel_conservative_config_default();
  config.tolerance = -1.0;
  assert_int_equal(cel_conservative_iteration(&x.mdp, &config, pi, &last), CEL_E_RANGE);
  x.mdp.horizon = 5;
  assert_int_equal(cel_conservative_iteration(&x.mdp, NULL, pi, &last), CEL_E_UNSUPPORTED);
  x.mdp.horizon = 0;
  const double reward = x.reward[0];
  x.reward[0] = 1e305; // finite, but the values would overflow
  config = cel_conservative_config_default();
  config.gamma = 0.999999;
  assert_int_equal(cel_conservative_iteration(&x.mdp, &config, pi, &last), CEL_E_RANGE);
  assert_non_null(strstr(cel_error(), "scale them down"));
  x.reward[0] = reward;
  pi[0] += 0.5;
  assert_int_equal(cel_conservative_iteration(&x.mdp, NULL, pi, &last), CEL_E_RANGE);
  assert_non_null(strstr(cel_error(), "state 0"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_step_is_certified),
      cmocka_unit_test(limits_and_hook_stop_it),
      cmocka_unit_test(bound_is_an_equality_on_the_tight_problem),
      cmocka_unit_test(unreachable_states_do_not_matter),
      cmocka_unit_test(large_problems_are_iterated),
      cmocka_unit_test(bad_input_is_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
