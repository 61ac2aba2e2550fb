/// The largest errors of the elementwise functions over every `stride`-th float32 number, on every
/// instruction set. All sets must give the same bits.
#ifndef CELI_TESTS_OPS_MATH_SWEEP_H
#define CELI_TESTS_OPS_MATH_SWEEP_H
#include "kit.h"

typedef struct MathFn {
  const char *name;
  size_t offset; ///< offset in CeliOps
  double (*exact)(double);
  double limit; ///< the error in ulps that src/ops/math_impl.h promises
} MathFn;

static double exact_sigmoid(double x) {
  return 1 / (1 + exp(-x));
}
static double exact_softplus(double x) {
  return fmax(x, 0) + log1p(exp(-fabs(x)));
}

static const MathFn MATH_FNS[] = {
    {"exp", offsetof(CeliOps, exp), exp, 1.04},
    {"log", offsetof(CeliOps, log), log, 0.81},
    {"tanh", offsetof(CeliOps, tanh), tanh, 2.57},
    {"sigmoid", offsetof(CeliOps, sigmoid), exact_sigmoid, 2.41},
    {"softplus", offsetof(CeliOps, softplus), exact_softplus, 1.68},
};
enum { N_MATH_FNS = 5, MATH_BLOCK = 4096, MAX_TABLES = 4 };

typedef void (*MapFn)(float *y, const float *x, int64_t n);

static MapFn map_of(const CeliOps *ops, const MathFn *fn) {
  MapFn f;
  memcpy(&f, (const char *)ops + fn->offset, sizeof f);
  return f;
}

/// A bound of the errors of a block of consecutive floats x, from two exact values only. All
/// functions increase, so that each exact value lies between those of the block's ends.
static double block_bound(const MathFn *fn, const float *x, const float *y) {
  const double first = fn->exact((double)x[0]), last = fn->exact((double)x[MATH_BLOCK - 1]);
  float least = y[0], most = y[0];
  bool numbers = true;
  for (int i = 0; i < MATH_BLOCK; i++) {
    numbers &= y[i] == y[i];
    least = y[i] < least ? y[i] : least;
    most = y[i] > most ? y[i] : most;
  }
  const double low = fmin(first, last), high = fmax(first, last);
  if (!numbers || isnan(first) || isnan(last)) return (double)INFINITY;
  const double ulps = fmax(kit_ulps(least, high), kit_ulps(most, low));
  // An ulp of one end may be half of the other's.
  return ilogb(low) == ilogb(high) ? ulps : 2 * ulps;
}

/// Returns the worst error and its place. Fails if two instruction sets differ. Where all floats
/// are swept, a block whose bound is below the worst error so far is not compared one by one.
static double math_sweep(const MathFn *fn, uint64_t stride, bool first_table_only, float *where) {
  static float x[MATH_BLOCK], y[MAX_TABLES][MATH_BLOCK];
  double worst = 0;
  for (uint64_t at = 0; at < UINT64_C(1) << 32; at += MATH_BLOCK * stride) {
    for (int i = 0; i < MATH_BLOCK; i++) {
      const uint32_t bits = (uint32_t)(at + (uint64_t)i * stride);
      memcpy(&x[i], &bits, sizeof bits);
    }
    const CeliOps *ops;
    for (int t = 0; t < (first_table_only ? 1 : MAX_TABLES) && (ops = celi_ops_at(t)); t++) {
      map_of(ops, fn)(y[t], x, MATH_BLOCK);
      if (t > 0) kit_same(fn->name, y[t], MATH_BLOCK, y[0], 1, MATH_BLOCK);
    }
    if (stride == 1 && block_bound(fn, x, y[0]) <= worst) continue;
    for (int i = 0; i < MATH_BLOCK; i++) {
      const double ulps = kit_ulps(y[0][i], fn->exact((double)x[i]));
      if (ulps > worst) {
        worst = ulps;
        *where = x[i];
      }
    }
  }
  return worst;
}

#endif
