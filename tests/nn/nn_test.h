/// What the tests of nn share: checks of statuses that print the message, deterministic numbers,
/// plans run by teams of threads, comparisons relative to a tensor's norm, the golden file.
#ifndef CELSIUS_NN_TEST_H
#define CELSIUS_NN_TEST_H
#include "celsius/rng.h"
#include "celsius/safetensors.h"
#include "celsius/tensors.h"
#include "ops/plan.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/// Asserts that the call succeeds. Prints its message otherwise.
#define assert_ok(call) check_ok((call), #call, __FILE__, __LINE__)
/// Asserts that the call fails with `status` and a message that contains `part`.
#define assert_fails(call, status, part)                                                           \
  check_fails((call), (status), (part), #call, __FILE__, __LINE__)

static inline void check_ok(CelStatus got, const char *call, const char *file, int line) {
  if (got == CEL_OK) return;
  print_error("%s: %s: %s\n", call, cel_status_name(got), cel_error());
  _fail(file, line);
}

static inline void check_fails(CelStatus got, CelStatus want, const char *part, const char *call,
                               const char *file, int line) {
  if (got == want && strstr(cel_error(), part) != NULL) return;
  print_error("%s: %s (%s), expected %s with \"%s\"\n", call, cel_status_name(got), cel_error(),
              cel_status_name(want), part);
  _fail(file, line);
}

/// Fills x with uniform numbers in [-scale, scale) that float32 represents exactly.
static inline void fill_random(float *x, int64_t n, double scale, CelRng *rng) {
  for (int64_t i = 0; i < n; i++) x[i] = (float)cel_rng_range(rng, -scale, scale);
}

static inline void *zeroed(size_t n, size_t size) {
  void *p = calloc(n ? n : 1, size);
  assert_non_null(p);
  return p;
}

static inline double norm_of(const double *x, int64_t n) {
  double square = 0;
  for (int64_t i = 0; i < n; i++) square += x[i] * x[i];
  return sqrt(square);
}

/// |y - x| <= tolerance |x| as vectors.
static inline void assert_norm_near(const char *what, const float *y, const double *x, int64_t n,
                                    double tolerance) {
  double square = 0, worst = 0;
  int64_t at = 0;
  for (int64_t i = 0; i < n; i++) {
    const double d = fabs((double)y[i] - x[i]);
    square += d * d;
    if (!(d <= worst)) worst = d, at = i;
  }
  const double norm = norm_of(x, n);
  if (sqrt(square) <= tolerance * norm) return;
  fail_msg("%s: off by %.3g of its norm %.6g; worst at %lld: %.9g, expected %.9g", what,
           sqrt(square) / norm, norm, (long long)at, (double)y[at], x[at]);
}

static inline void assert_same_bits(const char *what, const void *a, const void *b, size_t bytes) {
  if (memcmp(a, b, bytes) != 0) fail_msg("%s: the bits differ", what);
}

/// Ends the plan and runs it once with `threads` threads.
static inline void run_plan(CeliPlan *plan, int threads) {
  CeliTeam *team;
  assert_ok(celi_team_create(&team, threads));
  assert_ok(celi_plan_run(plan, team));
  celi_team_destroy(team);
}

/// tests/golden/torch_nn.safetensors.
static inline int golden_open(void **state) {
  return cel_safetensors_open(CELSIUS_TEST_DIR "/golden/torch_nn.safetensors",
                              (CelSafetensors **)state) == CEL_OK
             ? 0
             : -1;
}

static inline int golden_close(void **state) {
  cel_safetensors_close(*state);
  return 0;
}

/// The golden tensor with a formatted name. Asserts its type.
static inline const CelTensor *golden(void *const *state, CelType type, const char *format, ...) {
  char name[CEL_NAME_MAX];
  va_list args;
  va_start(args, format);
  vsnprintf(name, sizeof name, format, args);
  va_end(args);
  const CelTensor *t = cel_safetensors_find(*state, name);
  if (t == NULL) fail_msg("the golden file has no tensor \"%s\"", name);
  if (t->type != type) fail_msg("golden \"%s\" is %s", name, cel_type_name(t->type));
  return t;
}

/// Copies a golden float64 tensor of n numbers to y. Asserts that float32 represents them exactly.
static inline void golden_copy(float *y, int64_t n, const CelTensor *t) {
  if (t->size != n)
    fail_msg("golden \"%s\" has %lld numbers, not %lld", t->name, (long long)t->size, (long long)n);
  for (int64_t i = 0; i < n; i++) {
    y[i] = (float)((const double *)t->data)[i];
    if ((double)y[i] != ((const double *)t->data)[i])
      fail_msg("golden \"%s\": %lld is not a float32", t->name, (long long)i);
  }
}

/// Asserts that y equals the golden tensor up to a tolerance relative to its norm.
static inline void assert_golden(const float *y, int64_t n, const CelTensor *t, double tolerance) {
  if (t->size != n)
    fail_msg("golden \"%s\" has %lld numbers, not %lld", t->name, (long long)t->size, (long long)n);
  assert_norm_near(t->name, y, t->data, n, tolerance);
}

#endif
