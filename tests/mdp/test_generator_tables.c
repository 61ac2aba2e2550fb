/// Compares generated MDPs with independent tables: Gymnasium's toy-text environments, textbook
/// problems computed in SciPy, and Puterman's solved example.
///
/// tests/golden/gymnasium_tables.py documents the golden files.
#include "celsius/safetensors.h"
#include "generate_kit.h"
#include <math.h>

/// One case of a golden file.
typedef struct Golden {
  int64_t S, A, T; ///< states, actions, transitions
  const double *start;
  const uint8_t *count, *ends; ///< (S * A), (T)
  const int32_t *next;         ///< (T)
  const CelTensor *probability, *reward;
  const double *probability_values, *reward_values; ///< NULL: the tensors hold doubles
} Golden;

static const CelTensor *find(const CelSafetensors *file, const char *name, const char *what) {
  char full[CEL_NAME_MAX];
  snprintf(full, sizeof full, "%s.%s", name, what);
  return cel_safetensors_find(file, full);
}

static const void *data(const CelSafetensors *file, const char *name, const char *what) {
  const CelTensor *tensor = find(file, name, what);
  if (!tensor) fail_msg("the golden file has no %s.%s", name, what);
  return tensor->data;
}

static const double *values(const CelSafetensors *file, const char *name, const char *what) {
  const CelTensor *tensor = find(file, name, what);
  return tensor ? tensor->data : NULL;
}

static Golden read_case(const CelSafetensors *file, const char *name) {
  Golden g = {.start = data(file, name, "start"),
              .count = data(file, name, "count"),
              .ends = data(file, name, "ends"),
              .next = data(file, name, "next"),
              .probability = find(file, name, "probability"),
              .reward = find(file, name, "reward"),
              .probability_values = values(file, name, "probability_values"),
              .reward_values = values(file, name, "reward_values")};
  g.S = find(file, name, "start")->shape[0];
  g.A = find(file, name, "count")->shape[0] / g.S;
  g.T = find(file, name, "next")->shape[0];
  return g;
}

static double value(const CelTensor *tensor, const double *of_code, int64_t t) {
  if (of_code) return of_code[((const uint8_t *)tensor->data)[t]];
  return ((const double *)tensor->data)[t];
}

/// Compares transition u of pair p with transition t of the golden table.
static void compare_transition(const char *name, const CelMdp *mdp, int64_t p, int64_t u,
                               const Golden *g, int64_t t, double tolerance) {
  const double probability = value(g->probability, g->probability_values, t);
  const double reward = value(g->reward, g->reward_values, t);
  const double ours = mdp->reward_next ? mdp->reward_next[u] : mdp->reward[p];
  const bool ends = mdp->ends && mdp->ends[u];
  if (cel_mdp_next(mdp, u) == g->next[t] && ends == g->ends[t] &&
      fabs(mdp->probability[u] - probability) <= tolerance &&
      fabs(ours - reward) <= tolerance * fmax(1, fabs(reward))) {
    return;
  }
  fail_msg(
      "%s, pair %lld: next state %lld with probability %.17g, reward %.17g, ends %d; the table "
      "has %d, %.17g, %.17g, %d",
      name, (long long)p, (long long)cel_mdp_next(mdp, u), mdp->probability[u], ours, ends,
      g->next[t], probability, reward, g->ends[t]);
}

/// The pair of state s and action a; -1: none.
static int64_t find_pair(const CelMdp *mdp, int64_t s, int64_t a) {
  for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
    if (cel_mdp_action(mdp, s, p) == a) return p;
  }
  return -1;
}

static void compare(const char *name, const CelMdp *mdp, const Golden *g, double tolerance) {
  int64_t t = 0, pairs = 0;
  assert_int_equal(mdp->states, g->S);
  for (int64_t i = 0; i < g->S * g->A; i++) {
    const int64_t p = find_pair(mdp, i / g->A, i % g->A);
    const int64_t n = p < 0 ? 0 : mdp->row[p + 1] - mdp->row[p];
    if (n != g->count[i]) {
      fail_msg("%s: state %lld, action %lld has %lld transitions, not %d", name,
               (long long)(i / g->A), (long long)(i % g->A), (long long)n, g->count[i]);
    }
    pairs += p >= 0;
    for (int64_t u = 0; u < n; u++)
      compare_transition(name, mdp, p, mdp->row[p] + u, g, t++, tolerance);
  }
  assert_int_equal(t, g->T);
  assert_int_equal(pairs, mdp->pairs);
  for (int64_t s = 0; s < g->S; s++) {
    if (fabs(mdp->start[s] - g->start[s]) > 1e-16) {
      fail_msg("%s: state %lld has initial probability %.17g, expected %.17g", name, (long long)s,
               mdp->start[s], g->start[s]);
    }
  }
}

/// Runs every case of a file and returns their number. `tolerance` is for probabilities, and for
/// rewards relative to max(1, |r|).
static int compare_file(const char *file_name, double tolerance) {
  CelSafetensors *file = NULL;
  char path[512];
  int n = 0;
  snprintf(path, sizeof path, "%s/golden/%s", CELSIUS_TEST_DIR, file_name);
  assert_ok(cel_safetensors_open(path, &file));
  char *cases = strdup(cel_safetensors_meta(file, "cases")), *rest = cases;
  for (char *line; (line = strsep(&rest, "\n")) != NULL; n++) { // "name: generator key=value ..."
    char *generator = strstr(line, ": ");
    assert_non_null(generator);
    *generator = 0;
    generator += 2;
    char *arguments = strchr(generator, ' ');
    if (arguments) *arguments++ = 0;
    CelMdp *mdp = generate(generator, arguments ? arguments : "");
    const Golden golden = read_case(file, line);
    compare(line, mdp, &golden, tolerance);
    cel_mdp_destroy(mdp);
  }
  free(cases);
  cel_safetensors_close(file);
  return n;
}

static void gymnasium_has_the_same_tables(void **state) {
  (void)state;
  assert_int_equal(compare_file("gymnasium_tables.safetensors", 1e-15), 14);
}

static void textbook_problems_match_their_equations(void **state) {
  (void)state;
  assert_int_equal(compare_file("textbook_tables.safetensors", 1e-13), 8);
}

/// One step of backward induction: V (states) becomes the best r + V'. best (states) becomes the
/// smallest best action.
static void step_back(const CelMdp *mdp, double *V, int64_t *best, double gamma) {
  double old[64];
  assert_true(mdp->states <= 64);
  memcpy(old, V, (size_t)mdp->states * sizeof *V);
  for (int64_t s = 0; s < mdp->states; s++) {
    V[s] = -HUGE_VAL;
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
      double Q = mdp->reward[p];
      for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++)
        Q += gamma * mdp->probability[t] * old[cel_mdp_next(mdp, t)];
      if (Q <= V[s] + 1e-12) continue;
      V[s] = Q;
      best[s] = cel_mdp_action(mdp, s, p);
    }
  }
}

/// Puterman (1994), 4.6.1: three months of the example of 3.2.2.
static void inventory_solution_matches_the_book(void **state) {
  (void)state;
  const double expected[3][4] = {
      {0, 5, 6, 5}, {2, 25.0 / 4, 10, 21.0 / 2}, {67.0 / 16, 129.0 / 16, 194.0 / 16, 227.0 / 16}};
  const int64_t order[3] = {0, 2, 3}; // units ordered with an empty stock; 0 otherwise
  CelMdp *mdp = generate("inventory", "capacity=3 demand=binomial demand_mean=1 demand_max=2");
  double V[4] = {0};
  int64_t best[4];
  for (int left = 0; left < 3; left++) {
    step_back(mdp, V, best, 1);
    for (int s = 0; s < 4; s++) {
      assert_true(fabs(V[s] - expected[left][s]) < 1e-13);
      assert_int_equal(best[s], s == 0 ? order[left] : 0);
    }
  }
  cel_mdp_destroy(mdp);
}

/// Puterman (1994), 4.7.5: there is an optimal policy that replaces from some condition on.
static void replacement_policy_is_a_threshold(void **state) {
  (void)state;
  static const char *const cases[] = {"", "replacement_cost=40 wear=0.6", "operating_cost=0.5",
                                      "states=50 shocks=9 wear=0.2 gamma=0.8"};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    CelMdp *mdp = generate("replacement", cases[i]);
    double V[64] = {0};
    int64_t best[64], changes = 0;
    for (int n = 0; n < 2000; n++) step_back(mdp, V, best, mdp->discount);
    for (int64_t s = 1; s < mdp->states; s++) {
      assert_true(best[s] >= best[s - 1]);
      changes += best[s] - best[s - 1];
      assert_true(V[s] <= V[s - 1] + 1e-9); // and a worse machine has a lower value
    }
    assert_int_equal(changes, 1); // keeps a new machine, replaces the worst
    cel_mdp_destroy(mdp);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(gymnasium_has_the_same_tables),
      cmocka_unit_test(textbook_problems_match_their_equations),
      cmocka_unit_test(inventory_solution_matches_the_book),
      cmocka_unit_test(replacement_policy_is_a_threshold),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
