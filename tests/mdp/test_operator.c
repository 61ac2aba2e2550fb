/// Compares the layout for sweeps with the MDP itself. The bits must be the same for any number of
/// threads and any instruction set.
#include "celsius/solve.h"
#include "mdp/evaluate/krylov.h"
#include "mdp/operator/kernels.h"
#include "mdp/operator/kernels_tables.h"
#include "mdp/operator/operator.h"
#include "mdp/problems.h"
#include "ops/ops.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define assert_ok(call)                                                                            \
  do {                                                                                             \
    if ((call) != CEL_OK) fail_msg("%s: %s", #call, cel_error());                                  \
  } while (0)

static const CeliMdpKernels *table_at(int i) {
  const CeliOps *ops = celi_ops_at(i);
  if (!ops) return NULL;
#if defined(__x86_64__)
  if (strcmp(ops->name, "avx512") == 0) return &celi_mdp_kernels_avx512;
  if (strcmp(ops->name, "avx2") == 0) return &celi_mdp_kernels_avx2;
#endif
  return &celi_mdp_kernels_portable;
}

/// An MDP in which most slices are runs: states on a ring with holes and three next states each.
/// `even`: all states have the same probabilities.
static void ring(Problem *problem, int64_t S, int64_t A, bool even, uint64_t seed) {
  const ProblemSpec spec = {
      .states = S, .actions = A, .branching = 3, .discount = 0.95, .reward_scale = 1.0};
  problem_make(problem, &spec, seed);
  for (int64_t p = 0; p < S * A; p++)
    for (int k = 0; k < 3; k++) {
      const int64_t s = p / A, next = (s + S + k - 1) % S;
      problem->next[3 * p + k] = (uint32_t)(next % 97 == 3 ? s : next);
      if (even) problem->probability[3 * p + k] = k == 1 ? 0.5 : 0.25;
    }
}

/// sum over n actions of pi (q - alpha log pi).
static double policy_value(const double *pi, const double *q, int64_t n, double alpha) {
  double value = 0.0;
  for (int64_t a = 0; a < n; a++)
    if (pi[a] > 0.0) value += pi[a] * (q[a] - alpha * log(pi[a]));
  return value;
}

static void *copy(const void *from, size_t bytes) {
  void *to = malloc(bytes);
  memcpy(to, from, bytes);
  return to;
}

/// A grid with obstacles, a goal, and transitions that end the episode: runs with holes.
static void obstacles(Problem *problem) {
  const CelMdpGenerator *generator;
  CelMdp *mdp;
  assert_ok(cel_mdp_generator_find("grid", &generator));
  void *config = calloc(1, generator->config_size);
  cel_fields_default(generator->fields, config);
  assert_ok(cel_fields_set(generator->fields, config, "width", "107"));
  assert_ok(cel_fields_set(generator->fields, config, "height", "61"));
  assert_ok(cel_fields_set(generator->fields, config, "obstacles", "0.1"));
  assert_ok(cel_mdp_generate(&mdp, "grid", config));
  free(config);
  const size_t S = (size_t)mdp->states, P = (size_t)mdp->pairs, T = (size_t)mdp->transitions;
  *problem = (Problem){.mdp = *mdp,
                       .pair = copy(mdp->pair, (S + 1) * sizeof *mdp->pair),
                       .row = copy(mdp->row, (P + 1) * sizeof *mdp->row),
                       .next = copy(mdp->next32, T * sizeof *mdp->next32),
                       .probability = copy(mdp->probability, T * sizeof *mdp->probability),
                       .reward = copy(mdp->reward, P * sizeof *mdp->reward),
                       .start = copy(mdp->start, S * sizeof *mdp->start),
                       .ends = calloc(T, 1)};
  cel_mdp_destroy(mdp);
  for (size_t t = 0; t < T; t += 53) problem->ends[t] = 1;
  CelMdp *own = &problem->mdp;
  own->pair = problem->pair, own->row = problem->row, own->next32 = problem->next;
  own->probability = problem->probability, own->reward = problem->reward;
  own->start = problem->start, own->ends = problem->ends, own->grid = NULL, own->reward_next = NULL;
}

/// MDPs with different layouts: runs, even runs, runs with holes, gathers, sorted chunks, terminal
/// states, many actions, a long row.
static bool make(Problem *problem, int which) {
  static const ProblemSpec specs[] = {
      {.states = 1, .actions = 1, .branching = 1, .discount = 0.9, .reward_scale = 1},
      {.states = 9, .actions = 3, .branching = 2, .discount = 0.9, .reward_scale = 1},
      {.states = 5000, .actions = 4, .branching = 5, .discount = 0.95, .reward_scale = 1},
      {.states = 9001,
       .actions = 5,
       .branching = 7,
       .discount = 0.95,
       .reward_scale = 1,
       .ragged = true},
      {.states = 6000,
       .actions = 4,
       .branching = 4,
       .discount = 0.95,
       .reward_scale = 1,
       .ragged = true,
       .terminals = true},
      {.states = 300, .actions = 40, .branching = 30, .discount = 0.95, .reward_scale = 1},
      {.states = 7, .actions = 2, .branching = 400, .discount = 0.95, .reward_scale = 1}};
  const int n = (int)(sizeof specs / sizeof *specs);
  if (which > n + 2) return false;
  if (which == n + 2)
    obstacles(problem);
  else if (which >= n)
    ring(problem, 20011, 3, which > n, 5);
  else
    problem_make(problem, &specs[which], (uint64_t)which + 1);
  return true;
}

static void random_values(double *V, int64_t n, uint64_t seed, const CelMdp *mdp) {
  for (int64_t s = 0; s < n; s++)
    V[s] = mdp->pair[s + 1] > mdp->pair[s] ? 4.0 * problem_uniform(&seed) : 0.0;
}

/// Compares sweep, linearization and products with the rows of the MDP.
static void layout_matches_the_mdp(void **state) {
  (void)state;
  Problem problem;
  for (int which = 0; make(&problem, which); which++) {
    const CelMdp *mdp = &problem.mdp;
    const int64_t S = mdp->states;
    const double gamma = 0.95;
    CeliOperator *op;
    assert_ok(celi_operator_create(&op, mdp, gamma, 2, 0));
    assert_ok(celi_operator_prepare(op));
    double *V, *TV, *R, *x, *y;
    double **vectors[] = {&V, &TV, &R, &x, &y};
    for (int i = 0; i < 5; i++) assert_ok(celi_operator_vector(op, vectors[i]));
    double *Q = malloc((size_t)mdp->pairs * sizeof *Q),
           *pi = malloc((size_t)mdp->pairs * sizeof *pi);
    random_values(V, S, 1, mdp), random_values(x, S, 2, mdp);
    for (int soft = 0; soft < 2; soft++) {
      const double alpha = 0.3 * soft;
      const CeliResidual found = celi_operator_sweep(op, alpha, TV, V);
      const CeliResidual same = celi_operator_linearize(op, alpha, R, V);
      celi_operator_apply(op, y, NULL, x);
      cel_q_of_v(mdp, V, gamma, Q);
      cel_policy_of_q(mdp, Q, alpha, pi);
      double low = HUGE_VAL, high = -HUGE_VAL;
      for (int64_t s = 0; s < S; s++) {
        const int64_t p = mdp->pair[s], n = mdp->pair[s + 1] - p;
        const double wanted = celi_soft_max(Q + p, n, alpha);
        assert_true(TV[s] == wanted);
        assert_true(R[s] == wanted - V[s]);
        double product = 0.0;
        for (int64_t k = p; k < p + n; k++)
          for (int64_t t = mdp->row[k]; t < mdp->row[k + 1]; t++)
            if (!mdp->ends || !mdp->ends[t])
              product += gamma * pi[k] * mdp->probability[t] * x[mdp->next32[t]];
        assert_true(fabs(y[s] - product) <= 1e-13);
        if (n > 0) low = fmin(low, R[s]), high = fmax(high, R[s]);
      }
      assert_true(found.low == low && found.high == high);
      assert_true(same.low == low && same.high == high && same.value_max == found.value_max);
      // The same P_pi from the policy itself.
      celi_operator_assemble(op, pi, alpha, R);
      celi_operator_apply(op, TV, R, V);
      for (int64_t s = 0; s < S; s++) {
        const int64_t p = mdp->pair[s], n = mdp->pair[s + 1] - p;
        assert_true(fabs(TV[s] - policy_value(pi + p, Q + p, n, alpha)) <= 1e-12);
      }
    }
    for (int i = 0; i < 5; i++) free(*vectors[i]);
    free(Q), free(pi);
    celi_operator_destroy(op);
    problem_free(&problem);
  }
}

/// The results of everything that solvers do with an operator, in one vector.
static double *trace(const CelMdp *mdp, const CeliMdpKernels *kernels, int64_t threads) {
  CeliOperator *op;
  CeliKrylov krylov;
  assert_ok(celi_operator_create(&op, mdp, 0.95, threads, 0));
  op->kernels = kernels;
  assert_ok(celi_operator_prepare(op));
  assert_ok(celi_krylov_create(&krylov, op));
  double *V, *TV, *d, *all = malloc((size_t)(4 * mdp->states + 3) * sizeof *all);
  assert_ok(celi_operator_vector(op, &V));
  assert_ok(celi_operator_vector(op, &TV));
  assert_ok(celi_operator_vector(op, &d));
  const size_t bytes = (size_t)mdp->states * sizeof *V;
  for (int i = 0; i < 4; i++) {
    const CeliResidual found = celi_operator_sweep(op, 0.1, TV, V);
    double *swap = V;
    V = TV, TV = swap;
    all[4 * mdp->states] = found.low, all[4 * mdp->states + 1] = found.high;
  }
  memcpy(all, V, bytes);
  celi_operator_linearize(op, 0.1, TV, V);
  all[4 * mdp->states + 2] = (double)celi_krylov_solve(&krylov, d, TV, 1e-9, 100, NULL);
  memcpy(all + mdp->states, d, bytes);
  celi_operator_linearize(op, 0.0, TV, V);
  celi_krylov_solve(&krylov, d, TV, 1e-9, 100, NULL);
  memcpy(all + 2 * mdp->states, d, bytes);
  celi_operator_sweep_in_place(op, 0.1, V, false);
  celi_operator_sweep_in_place(op, 0.0, V, true);
  memcpy(all + 3 * mdp->states, V, bytes);
  free(V), free(TV), free(d);
  celi_krylov_destroy(&krylov);
  celi_operator_destroy(op);
  return all;
}

static void same_bits(void **state) {
  (void)state;
  Problem problem;
  for (int which = 0; make(&problem, which); which++) {
    const size_t bytes = (size_t)(4 * problem.mdp.states + 3) * sizeof(double);
    double *first = trace(&problem.mdp, table_at(0), 1);
    for (int t = 0; table_at(t); t++)
      for (int64_t threads = 1; threads <= 3; threads++) {
        double *other = trace(&problem.mdp, table_at(t), threads);
        if (memcmp(first, other, bytes) != 0)
          fail_msg("problem %d: %s with %lld threads differs", which, table_at(t)->name,
                   (long long)threads);
        free(other);
      }
    free(first);
    problem_free(&problem);
  }
}

/// The result must also be the same on every machine.
static void same_bits_everywhere(void **state) {
  (void)state;
  uint64_t hash = 0xcbf29ce484222325u; // FNV-1a over doubles
  Problem problem;
  for (int which = 0; make(&problem, which); which++) {
    double *all = trace(&problem.mdp, table_at(0), 2);
    for (int64_t i = 0; i < 4 * problem.mdp.states + 3; i++) {
      uint64_t bits;
      memcpy(&bits, &all[i], sizeof bits);
      hash = (hash ^ bits) * 0x100000001b3u;
    }
    free(all);
    problem_free(&problem);
  }
  print_message("digest %016llx\n", (unsigned long long)hash);
  assert_true(hash == 0x6d6aba34fa8573e8u);
}

/// The forms of slices that the MDPs above must contain.
enum { GATHERED = 64 }; // not a flag of slices
static void every_form_of_slice_occurs(void **state) {
  (void)state;
  unsigned seen = 0, merged_runs = 0, holes = 0;
  Problem problem;
  for (int which = 0; make(&problem, which); which++) {
    CeliOperator *op;
    assert_ok(celi_operator_create(&op, &problem.mdp, 0.95, 1, 0));
    assert_ok(celi_operator_prepare(op));
    for (int64_t i = 0; i < op->slices; i++) {
      const unsigned flags = op->slice[i].flags;
      seen |= flags | (flags & CELI_RUN ? 0u : (unsigned)GATHERED);
      merged_runs += (flags & CELI_RUN) && (flags & CELI_MERGED);
      holes += (flags & CELI_HOLES) != 0;
    }
    celi_operator_destroy(op);
    problem_free(&problem);
  }
  assert_int_equal(seen, CELI_RUN | CELI_SORTED | CELI_PARTIAL | CELI_MERGED | CELI_EVEN |
                             CELI_HOLES | GATHERED);
  assert_true(merged_runs > 1000);
  assert_true(holes > 600); // of the 734 slices of the grid with obstacles
}

static void solutions_do_not_depend_on_threads(void **state) {
  (void)state;
  Problem problem;
  make(&problem, 4);
  CelSolveConfig config = cel_solve_config_default();
  for (config.method = CEL_SOLVE_AUTO; config.method <= CEL_SOLVE_NEWTON; config.method++) {
    if (config.method == CEL_SOLVE_PI) continue; // direct solves do not guarantee equal bits
    CelSolution *one, *more;
    config.threads = 1;
    assert_ok(cel_solve(&problem.mdp, &config, &one));
    config.threads = 3;
    assert_ok(cel_solve(&problem.mdp, &config, &more));
    assert_memory_equal(one->V, more->V, (size_t)one->states * sizeof(double));
    assert_memory_equal(one->pi, more->pi, (size_t)one->pairs * sizeof(double));
    assert_true(one->bound == more->bound);
    cel_solution_destroy(one), cel_solution_destroy(more);
  }
  problem_free(&problem);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(layout_matches_the_mdp),
      cmocka_unit_test(same_bits),
      cmocka_unit_test(same_bits_everywhere),
      cmocka_unit_test(every_form_of_slice_occurs),
      cmocka_unit_test(solutions_do_not_depend_on_threads),
  };
  return cmocka_run_group_tests_name("operator", tests, NULL, NULL);
}
