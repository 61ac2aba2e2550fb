/// Toy-text, replacement and Garnet MDPs. Unregularized values must equal quantecon's, and soft
/// values those of a plain iteration in long double, by every method.
///
/// tests/golden/quantecon_mdp.py documents the golden file.
#include "celsius/safetensors.h"
#include "celsius/solve.h"
#include "generate_kit.h"
#include "mdp/problems.h"
#include <float.h>

enum { METHODS = CEL_SOLVE_NEWTON + 1 };

static const CelTensor *take(const CelSafetensors *file, const char *name, const char *what) {
  char full[2 * CEL_NAME_MAX];
  snprintf(full, sizeof full, "%s.%s", name, what);
  const CelTensor *found = cel_safetensors_find(file, full);
  if (!found) fail_msg("the golden file has no %s", full);
  return found;
}

static CelMdp *garnet_of(const CelSafetensors *file, const char *name) {
  const CelTensor *next = take(file, name, "next");
  const double *p = take(file, name, "probability")->data, *r = take(file, name, "reward")->data;
  const int64_t S = next->shape[0], A = next->shape[1], B = next->shape[2];
  CelMdpBuilder *builder;
  CelMdp *mdp;
  assert_ok(cel_mdp_builder_create(&builder, S, 0.9, 0));
  for (int64_t k = 0; k < S * A; k++) {
    assert_ok(cel_mdp_pair(builder, k / A, k % A, r[k]));
    for (int64_t t = k * B; t < (k + 1) * B; t++)
      assert_ok(cel_mdp_transition(builder, ((const int32_t *)next->data)[t], p[t], 0.0, false));
  }
  assert_ok(cel_mdp_build(builder, &mdp));
  cel_mdp_builder_destroy(builder);
  return mdp;
}

/// V (states) by value iteration in long double.
static void iterate(const CelMdp *mdp, double alpha, double gamma, long double *V) {
  long double *Q = calloc((size_t)mdp->pairs, sizeof *Q);
  long double *pi = calloc((size_t)mdp->max_actions, sizeof *pi), moved = 1.0L;
  memset(V, 0, (size_t)mdp->states * sizeof *V);
  while (moved > 1e-12L * (1.0L - (long double)gamma)) {
    exact_q(mdp, (long double)gamma, V, Q);
    moved = 0.0L;
    for (int64_t s = 0; s < mdp->states; s++) {
      const int64_t p = mdp->pair[s];
      const long double value = exact_soft_max(Q + p, mdp->pair[s + 1] - p, (long double)alpha, pi);
      moved = fmaxl(moved, fabsl(value - V[s]));
      V[s] = value;
    }
  }
  free(Q), free(pi);
}

/// Compares all methods with the expected values.
static void compare(const char *name, const CelMdp *mdp, double alpha, double gamma,
                    const double *wanted) {
  double most = 1.0;
  for (int64_t s = 0; s < mdp->states; s++) most = fmax(most, fabs(wanted[s]));
  for (int method = 0; method < METHODS; method++) {
    CelSolveConfig config = cel_solve_config_default();
    config.alpha = alpha, config.gamma = gamma, config.method = (CelSolveMethod)method,
    config.tolerance = 1e-10;
    CelSolution *solution;
    const CelStatus status = cel_solve(mdp, &config, &solution);
    // built without SuiteSparse
    if (status == CEL_E_UNSUPPORTED && method == CEL_SOLVE_PI) continue;
    assert_ok(status);
    double error = 0.0;
    for (int64_t s = 0; s < mdp->states; s++) error = fmax(error, fabs(solution->V[s] - wanted[s]));
    if (!(error <= 1e-9 * most && solution->certified && error <= solution->bound + 1e-12 * most))
      fail_msg("%s, alpha %g, method %d: differs by %g, bound %g, max |V| %g", name, alpha, method,
               error, solution->bound, most);
    cel_solution_destroy(solution);
  }
}

static void compare_soft(const char *name, const CelMdp *mdp, double gamma) {
  long double *exact = calloc((size_t)mdp->states, sizeof *exact);
  double *wanted = calloc((size_t)mdp->states, sizeof *wanted);
  const double alphas[] = {0.05, 1.0};
  for (int i = 0; i < 2; i++) {
    iterate(mdp, alphas[i], gamma, exact);
    for (int64_t s = 0; s < mdp->states; s++) wanted[s] = (double)exact[s];
    compare(name, mdp, alphas[i], gamma, wanted);
  }
  free(exact), free(wanted);
}

static void equal_to_quantecon(void **state) {
  (void)state;
  CelSafetensors *file;
  assert_ok(cel_safetensors_open(CELSIUS_TEST_DIR "/golden/quantecon_mdp.safetensors", &file));
  char *cases = strdup(cel_safetensors_meta(file, "cases")), *rest = cases;
  int count = 0;
  for (char *line; (line = strsep(&rest, "\n")) != NULL; count++) {
    const char *name = strsep(&line, " "), *gamma_text = strsep(&line, " ");
    const char *generator = strsep(&line, " ");
    const double gamma = strtod(gamma_text, NULL);
    char arrays[CEL_NAME_MAX];
    snprintf(arrays, sizeof arrays, "garnet%s", line ? line : "");
    CelMdp *mdp = strcmp(generator, "garnet-arrays") == 0 ? garnet_of(file, arrays)
                                                          : generate(generator, line ? line : "");
    const CelTensor *V = take(file, name, "V");
    assert_int_equal(V->size, mdp->states);
    compare(name, mdp, 0.0, gamma, V->data);
    // Emulated 113-bit long doubles would take minutes on all of them.
    if (gamma <= 0.99 && mdp->states <= (LDBL_MANT_DIG > 64 ? 64 : 500))
      compare_soft(name, mdp, gamma);
    cel_mdp_destroy(mdp);
  }
  assert_in_range(count, 20, 100);
  free(cases);
  cel_safetensors_close(file);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(equal_to_quantecon)};
  return cmocka_run_group_tests_name("solve_golden", tests, NULL, NULL);
}
