/// Elementwise kernels, reductions, optimizer steps and data movement.
///
/// Reductions use 16 virtual lanes for any vector width. Lane j takes the elements i = j (mod 16)
/// in increasing order. Then the lanes are folded 16 -> 8 -> 4 -> 2 -> 1, the upper half onto the
/// lower. Missing elements of the last 16 count as the neutral element.
#ifndef CELI_ELEMENTWISE_IMPL_H
#define CELI_ELEMENTWISE_IMPL_H
#include "ops/math_impl.h"
#include "ops/ops.h"

#define LANES 16
#define PARTS (LANES / VW) // vectors that make up the virtual lanes

INLINE void map(float *y, const float *x, int64_t n, vf (*f)(vf)) {
  int64_t i = 0;
  for (; i + VW <= n; i += VW) v_store(y + i, f(v_load(x + i)));
  if (i < n) v_store_n(y + i, f(v_load_n(x + i, n - i)), n - i);
}

static void map_exp(float *y, const float *x, int64_t n) {
  map(y, x, n, v_exp);
}
static void map_log(float *y, const float *x, int64_t n) {
  map(y, x, n, v_log);
}
static void map_tanh(float *y, const float *x, int64_t n) {
  map(y, x, n, v_tanh);
}
static void map_sigmoid(float *y, const float *x, int64_t n) {
  map(y, x, n, v_sigmoid);
}
static void map_softplus(float *y, const float *x, int64_t n) {
  map(y, x, n, v_softplus);
}

static void fill(float *y, float value, int64_t n) {
  for (int64_t i = 0; i < n; i += VW) v_store_n(y + i, v_set1(value), n - i);
}

/// fma(a, x, b y). Does not read y if b = 0.
static void axpby(float *y, float a, const float *x, float b, int64_t n) {
  const vf va = v_set1(a), vb = v_set1(b);
  for (int64_t i = 0; i < n; i += VW) {
    const vf ax = v_load_n(x + i, n - i);
    v_store_n(y + i, b == 0.0f ? va * ax : v_fma(va, ax, vb * v_load_n(y + i, n - i)), n - i);
  }
}

static void clamp(float *y, const float *x, float low, float high, int64_t n) {
  for (int64_t i = 0; i < n; i += VW) {
    const vf v = v_load_n(x + i, n - i);
    v_store_n(y + i, v_min(v_set1(high), v_max(v_set1(low), v)), n - i);
  }
}

// ---- reductions

INLINE vf add(vf a, vf b) {
  return a + b;
}

/// The larger of a and b; NaN if either is NaN.
INLINE vf larger(vf a, vf b) {
  return v_sel(m_or(v_lt(a, b), v_nan(b)), b, a);
}

/// Folds the virtual lanes, the upper half onto the lower.
INLINE float fold(const vf part[PARTS], vf (*f)(vf, vf)) {
  vf v = part[0];
#if VW == 4
  v = f(f(part[0], part[2]), f(part[1], part[3]));
#elif VW == 8
  v = f(part[0], part[1]);
#else
  v = f(v,
        __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15));
#endif
#if VW == 8
  v = f(v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 4, 5, 6, 7));
#elif VW == 16
  v = f(v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7));
#endif
#if VW == 4
  v = f(v, __builtin_shufflevector(v, v, 2, 3, 2, 3));
  v = f(v, __builtin_shufflevector(v, v, 1, 1, 1, 1));
#elif VW == 8
  v = f(v, __builtin_shufflevector(v, v, 2, 3, 2, 3, 2, 3, 2, 3));
  v = f(v, __builtin_shufflevector(v, v, 1, 1, 1, 1, 1, 1, 1, 1));
#else
  v = f(v, __builtin_shufflevector(v, v, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3));
  v = f(v, __builtin_shufflevector(v, v, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1));
#endif
  return v[0];
}

/// VW elements of x from i on, `none` past the end.
INLINE vf load_or(const float *x, int64_t i, int64_t n, float none) {
  if (i + VW <= n) return v_load(x + i);
  float t[VW];
  for (int j = 0; j < VW; j++) t[j] = i + j < n ? x[i + j] : none;
  return v_load(t);
}

INLINE float reduce(const float *x, int64_t n, float none, vf (*map_fn)(vf acc, vf x),
                    vf (*fold_fn)(vf, vf)) {
  vf part[PARTS];
  UNROLL
  for (int j = 0; j < PARTS; j++) part[j] = v_set1(none);
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) {
    UNROLL
    for (int j = 0; j < PARTS; j++) part[j] = map_fn(part[j], v_load(x + i + j * VW));
  }
  if (i < n) {
    UNROLL
    for (int j = 0; j < PARTS; j++) part[j] = map_fn(part[j], load_or(x, i + j * VW, n, none));
  }
  return fold(part, fold_fn);
}

INLINE vf add_square(vf acc, vf x) {
  return v_fma(x, x, acc);
}

static float reduce_sum(const float *x, int64_t n) {
  return reduce(x, n, 0.0f, add, add);
}
static float reduce_sum_squares(const float *x, int64_t n) {
  return reduce(x, n, 0.0f, add_square, add);
}
static float reduce_max(const float *x, int64_t n) {
  return reduce(x, n, -__builtin_inff(), larger, larger);
}

static bool all_finite(const float *x, int64_t n) {
  const vf infinity = v_set1(__builtin_inff());
  vf bad = v_zero();
  for (int64_t i = 0; i < n; i += VW) {
    const vf v = v_abs(v_load_n(x + i, n - i));
    bad = v_sel(v_lt(v, infinity), bad, v_set1(1.0f));
  }
  return !m_any(v_eq(bad, v_set1(1.0f)));
}

// ---- optimizer

/// Zero where |x| <= 2^-126, the smallest normal number. NaN stays NaN. No stored value may be
/// subnormal. The comparison includes 2^-126 because processors that flush differ just below it
/// (base/floats.h).
INLINE vf flush(vf x) {
  return v_sel(v_le(v_abs(x), v_set1(0x1p-126f)), v_zero(), x);
}

/// One Adam step. The denominator is that of PyTorch: sqrt(v) / sqrt(1 - beta2^t) + epsilon. If
/// epsilon is 0 and v has underflowed, the denominator is 0 and the parameter does not move.
/// Source: [Kingma, Ba 2015]
static void adam(float *p, const float *g, float *m, float *v, const CeliAdamStep *step,
                 int64_t begin, int64_t end) {
  const vf beta1_rest = v_set1((float)(1.0 - step->beta1)), beta2 = v_set1((float)step->beta2);
  const vf beta2_rest = v_set1((float)(1.0 - step->beta2)), scale = v_set1(step->grad_scale);
  const vf size = v_set1(-step->step_size), inv = v_set1(step->inv_sqrt_bias2);
  const vf epsilon = v_set1(step->epsilon);
  const vf decay = v_set1(1.0f - step->learning_rate * step->weight_decay);
  for (int64_t i = begin; i < end; i += VW) {
    const int64_t n = end - i;
    const vf gi = v_load_n(g + i, n) * scale;
    const vf m0 = v_load_n(m + i, n);
    const vf mi = flush(v_fma(beta1_rest, gi - m0, m0));
    const vf vi_ = flush(v_fma(beta2_rest * gi, gi, flush(beta2 * v_load_n(v + i, n))));
    const vf denominator = v_fma(v_sqrt(vi_), inv, epsilon);
    const vf step_i = v_sel(v_eq(denominator, v_zero()), v_zero(), flush(mi / denominator));
    const vf pi = v_fma(size, step_i, flush(v_load_n(p + i, n) * decay));
    v_store_n(m + i, mi, n);
    v_store_n(v + i, vi_, n);
    v_store_n(p + i, flush(pi), n);
  }
}

static void polyak(float *target, const float *p, float tau, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i += VW) {
    const vf t = v_load_n(target + i, end - i);
    const vf to = v_fma(v_set1(tau), v_load_n(p + i, end - i) - t, t);
    v_store_n(target + i, flush(to), end - i);
  }
}

// ---- data movement

static void gather(void *out, ptrdiff_t out_stride, const void *src, ptrdiff_t src_stride,
                   const int64_t *index, size_t bytes, int64_t begin, int64_t end) {
  char *to = out;
  const char *from = src;
  for (int64_t i = begin; i < end; i++)
    memcpy(to + i * out_stride, from + index[i] * src_stride, bytes);
}

#endif
