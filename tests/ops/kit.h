/// What the tests of the kernels share: deterministic numbers, padded arrays, and comparisons that
/// report the place of a difference.
#ifndef CELI_TESTS_OPS_KIT_H
#define CELI_TESTS_OPS_KIT_H
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

#include "ops/ops.h"

#define UNUSED __attribute__((unused))

/// Odd sizes: below, equal to and above every vector and tile size.
static const int64_t SIZES[] UNUSED = {1, 3, 17, 23, 100, 257};
enum { N_SIZES = 6 };

/// SplitMix64: numbers that do not depend on the library.
static UNUSED uint64_t kit_next(uint64_t *state) {
  uint64_t z = (*state += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

/// Uniform on [-1, 1).
static UNUSED float kit_float(uint64_t *state) {
  return (float)((int64_t)(kit_next(state) >> 40) - (1 << 23)) * 0x1p-23f;
}

static UNUSED void *kit_alloc(size_t bytes) {
  void *p = malloc(bytes ? bytes : 1);
  if (!p) abort();
  return p;
}

static UNUSED float *kit_floats(int64_t n, uint64_t seed) {
  float *x = kit_alloc((size_t)n * sizeof *x);
  uint64_t state = seed;
  for (int64_t i = 0; i < n; i++) x[i] = kit_float(&state);
  return x;
}

static UNUSED double *kit_doubles(const float *x, int64_t n) {
  double *y = kit_alloc((size_t)n * sizeof *y);
  for (int64_t i = 0; i < n; i++) y[i] = (double)x[i];
  return y;
}

/// The value of padding, so that a write to it is found.
#define KIT_SENTINEL (-12345.0f)

/// x (B,N) with row stride ld; the padding between rows holds sentinels.
static UNUSED float *kit_pad(const float *x, int64_t B, int64_t N, ptrdiff_t ld) {
  float *y = kit_alloc((size_t)(B * ld + 16) * sizeof *y);
  for (int64_t i = 0; i < B * ld + 16; i++) y[i] = KIT_SENTINEL;
  for (int64_t r = 0; x && r < B; r++) memcpy(y + r * ld, x + r * N, (size_t)N * sizeof *x);
  return y;
}

static UNUSED void kit_padding_untouched(const char *what, const float *y, int64_t B, int64_t N,
                                         ptrdiff_t ld) {
  for (int64_t i = 0; i < B * ld + 16; i++)
    if ((i >= B * ld || i % ld >= N) && y[i] != KIT_SENTINEL)
      fail_msg("%s: padding at row %lld, column %lld was overwritten with %g", what,
               (long long)(i / ld), (long long)(i % ld), (double)y[i]);
}

static UNUSED bool same_bits(float a, float b) {
  if (a != a) return b != b; // the bits of a NaN differ between machines
  return memcmp(&a, &b, sizeof a) == 0;
}

/// Asserts that y (B,N) ld equals x (B,N) bit for bit. Any NaN equals any NaN.
static UNUSED void kit_same(const char *what, const float *y, ptrdiff_t ld, const float *x,
                            int64_t B, int64_t N) {
  for (int64_t r = 0; r < B; r++)
    for (int64_t n = 0; n < N; n++)
      if (!same_bits(y[r * ld + n], x[r * N + n]))
        fail_msg("%s: [%lld,%lld] is %.9g, expected %.9g (B %lld, N %lld)", what, (long long)r,
                 (long long)n, (double)y[r * ld + n], (double)x[r * N + n], (long long)B,
                 (long long)N);
}

/// Asserts |y - x| <= tolerance (1 + |x|) for all elements.
static UNUSED void kit_near(const char *what, const float *y, ptrdiff_t ld, const double *x,
                            int64_t B, int64_t N, double tolerance) {
  for (int64_t r = 0; r < B; r++)
    for (int64_t n = 0; n < N; n++) {
      const double a = (double)y[r * ld + n], e = x[r * N + n];
      if (!(fabs(a - e) <= tolerance * (1 + fabs(e))))
        fail_msg("%s: [%lld,%lld] is %.9g, expected %.9g", what, (long long)r, (long long)n, a, e);
    }
}

/// Distance of y from `exact` in units in the last place of float32 at exact.
static UNUSED double kit_ulps(float y, double exact) {
  if (exact != exact) return y != y ? 0 : INFINITY;
  const float nearest = (float)exact;
  if (isinf(nearest) || isinf(y)) return y == nearest ? 0 : INFINITY;
  if (exact == 0) return y == 0 ? 0 : INFINITY;
  // The unit is 2^(exponent - 23), made from bits: frexp and ldexp take most of a sweep's time.
  uint64_t bits;
  memcpy(&bits, &exact, sizeof bits);
  int64_t exponent = (int64_t)(bits >> 52 & 0x7ff) - 1023;
  if (exponent < -126) exponent = -126;
  bits = (uint64_t)(exponent - 23 + 1023) << 52;
  double unit;
  memcpy(&unit, &bits, sizeof unit);
  return fabs((double)y - exact) / unit;
}

#endif
