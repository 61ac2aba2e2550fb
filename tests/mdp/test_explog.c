/// Compares 2^x and log of the sweeps with long double. All instruction sets must agree to the bit.
#include "mdp/backup/explog.h"
#include "mdp/operator/kernels.h"
#include "mdp/operator/kernels_tables.h"
#include "mdp/problems.h"
#include "ops/ops.h"
#include <float.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { N = 200001 };

static const CeliMdpKernels *table_at(int i) {
  const CeliOps *ops = celi_ops_at(i);
  if (!ops) return NULL;
#if defined(__x86_64__)
  if (strcmp(ops->name, "avx512") == 0) return &celi_mdp_kernels_avx512;
  if (strcmp(ops->name, "avx2") == 0) return &celi_mdp_kernels_avx2;
#endif
  return &celi_mdp_kernels_portable;
}

/// The difference in units in the last place of `exact`.
static double ulps(double got, long double exact) {
  int exponent;
  frexpl(exact, &exponent);
  return (double)(fabsl((long double)got - exact) / ldexpl(1.0L, exponent - 53));
}

static void accurate(const char *name, bool log_of, const double *x, double limit) {
  double *y = malloc(N * sizeof *y), *first = malloc(N * sizeof *y), worst = 0.0, where = 0.0;
  for (int t = 0; table_at(t); t++) {
    const CeliMdpKernels *kernels = table_at(t);
    (log_of ? kernels->log : kernels->exp2)(y, x, N);
    if (t == 0) memcpy(first, y, N * sizeof *y);
    if (memcmp(first, y, N * sizeof *y) != 0) fail_msg("%s: %s differs", name, kernels->name);
    for (int i = 0; i < N; i++) {
      const double error = ulps(y[i], log_of ? logl(x[i]) : exp2l(x[i]));
      if (error > worst) worst = error, where = x[i];
    }
  }
  for (int i = 0; i < N; i += 1000)
    assert_true((log_of ? celi_log(x[i]) : celi_exp2(x[i])) == first[i]);
  print_message("%s: %.3f ulp at %.17g\n", name, worst, where);
  assert_true(worst <= limit);
  free(y), free(first);
}

static void exp2_is_accurate(void **state) {
  (void)state;
  double *x = malloc(N * sizeof *x);
  uint64_t seed = 1;
  for (int i = 0; i < N; i++) x[i] = -1000.0 + 2000.0 * problem_uniform(&seed);
  accurate("2^x on [-1000, 1000]", false, x, 1.7);
  for (int i = 0; i < N; i++) x[i] = -4.0 * problem_uniform(&seed);
  accurate("2^x on [-4, 0]", false, x, 1.7);
  for (int i = 0; i < N; i++) x[i] = -ldexp(problem_uniform(&seed), -i % 70);
  accurate("2^x near 0", false, x, 1.7);
  free(x);
  assert_true(celi_exp2(0.0) == 1.0 && celi_exp2(-1001.0) == 0.0);
  assert_true(celi_exp2(-HUGE_VAL) == 0.0 && celi_exp2(-1e300) == 0.0);
}

static void log_is_accurate(void **state) {
  (void)state;
  double *x = malloc(N * sizeof *x);
  uint64_t seed = 2;
  for (int i = 0; i < N; i++) x[i] = ldexp(0.5 + 0.5 * problem_uniform(&seed), i % 2000 - 1000);
  accurate("log of any", true, x, 0.9);
  for (int i = 0; i < N; i++) x[i] = 1.0 + 9.0 * problem_uniform(&seed);
  accurate("log on [1, 10]", true, x, 0.9);
  for (int i = 0; i < N; i++) x[i] = 1.0 + ldexp(problem_uniform(&seed) - 0.5, -i % 50);
  accurate("log near 1", true, x, 0.9);
  free(x);
  assert_true(celi_log(1.0) == 0.0);
  assert_true(ulps(celi_log(0x1p-1074), logl(0x1p-1074L)) < 1.0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(exp2_is_accurate),
      cmocka_unit_test(log_is_accurate),
  };
  return cmocka_run_group_tests_name("explog", tests, NULL, NULL);
}
