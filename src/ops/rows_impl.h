/// Kernels on rows: layer norm, log-sum-exp, log-softmax.
///
/// Sums along a row use the 16 virtual lanes of elementwise_impl.h.
///
/// Layer norm: xh = (x - mean) / sd, z = g xh + b, y = act(z), with sd = sqrt(var + eps) and the
/// variance over N. Backward, with h = g dz: dx = (h - mean(h) - xh mean(h xh)) / sd;
/// dg = sum_b dz xh, db = sum_b dz.
///
/// Log-sum-exp: alpha log sum_a exp(x_a / alpha) = M + alpha log sum_a exp((x_a - M) / alpha) with
/// M = max_a x_a, so that nothing overflows. If M is infinite, the result is M. NaN gives NaN.
#ifndef CELI_ROWS_IMPL_H
#define CELI_ROWS_IMPL_H
#include "ops/dense_impl.h"
#include "ops/elementwise_impl.h"

/// What the terms of a row's sums are computed from.
typedef struct Row {
  const float *x, *dz, *g;
  vf shift, scale;
} Row;

/// The sum over n < N of term(row, n, remaining lanes).
INLINE float row_sum(const Row *row, int64_t N, vf (*term)(const Row *, int64_t, int64_t)) {
  vf part[PARTS];
  UNROLL
  for (int j = 0; j < PARTS; j++) part[j] = v_zero();
  int64_t i = 0;
  for (; i + LANES <= N; i += LANES) {
    UNROLL
    for (int j = 0; j < PARTS; j++) part[j] = part[j] + term(row, i + j * VW, VW);
  }
  UNROLL
  for (int j = 0; j < PARTS; j++) {
    const int64_t n = i + j * VW;
    if (n < N) part[j] = part[j] + v_first(term(row, n, N - n), N - n);
  }
  return fold(part, add);
}

INLINE vf normal_term(const Row *row, int64_t n, int64_t left) {
  return (v_load_n(row->x + n, left) - row->shift) * row->scale;
}

INLINE vf square_term(const Row *row, int64_t n, int64_t left) {
  const vf d = v_load_n(row->x + n, left) - row->shift;
  return d * d;
}

INLINE vf gain_term(const Row *row, int64_t n, int64_t left) {
  return v_load_n(row->g + n, left) * v_load_n(row->dz + n, left);
}

INLINE vf gain_normal_term(const Row *row, int64_t n, int64_t left) {
  return gain_term(row, n, left) * normal_term(row, n, left);
}

INLINE vf exp_term(const Row *row, int64_t n, int64_t left) {
  return v_exp((v_load_n(row->x + n, left) - row->shift) / row->scale);
}

static void layer_norm_forward(float *Y, ptrdiff_t ldy, float *Z, ptrdiff_t ldz, float *stats,
                               const float *X, ptrdiff_t ldx, const float *g, const float *b,
                               float eps, int64_t begin, int64_t end, int64_t N,
                               CeliActivation act) {
  const float count = (float)N;
  for (int64_t r = begin; r < end; r++) {
    Row row = {.x = X + r * ldx};
    const float mean = reduce_sum(row.x, N) / count;
    row.shift = v_set1(mean);
    const float inv_sd = 1.0f / __builtin_sqrtf(row_sum(&row, N, square_term) / count + eps);
    row.scale = v_set1(inv_sd);
    stats[2 * r] = mean;
    stats[2 * r + 1] = inv_sd;
    float *z = Z ? Z + r * ldz : Y + r * ldy;
    for (int64_t n = 0; n < N; n += VW)
      v_store_n(z + n,
                v_fma(v_load_n(g + n, N - n), normal_term(&row, n, N - n), v_load_n(b + n, N - n)),
                N - n);
    if (Z || act != CELI_IDENTITY) activate_rows(Y + r * ldy, ldy, z, ldz, 0, 1, N, act);
  }
}

static void layer_norm_backward(float *dX, ptrdiff_t lddx, const float *dZ, ptrdiff_t lddz,
                                const float *X, ptrdiff_t ldx, const float *stats, const float *g,
                                int64_t begin, int64_t end, int64_t N) {
  const float count = (float)N;
  for (int64_t r = begin; r < end; r++) {
    const Row row = {.x = X + r * ldx,
                     .dz = dZ + r * lddz,
                     .g = g,
                     .shift = v_set1(stats[2 * r]),
                     .scale = v_set1(stats[2 * r + 1])};
    const vf mean_h = v_set1(row_sum(&row, N, gain_term) / count);
    const vf mean_hx = v_set1(row_sum(&row, N, gain_normal_term) / count);
    for (int64_t n = 0; n < N; n += VW) {
      const vf h = gain_term(&row, n, N - n), xh = normal_term(&row, n, N - n);
      v_store_n(dX + r * lddx + n, v_fma(-xh, mean_hx, h - mean_h) * row.scale, N - n);
    }
  }
}

static void layer_norm_backward_gain(float *dg, float *db, const float *dZ, ptrdiff_t lddz,
                                     const float *X, ptrdiff_t ldx, const float *stats, int64_t B,
                                     int64_t begin, int64_t end, bool more) {
  for (int64_t n = begin; n < end; n += VW) {
    vf gain = more ? v_load_n(dg + n, end - n) : v_zero();
    vf bias = more ? v_load_n(db + n, end - n) : v_zero();
    for (int64_t b = 0; b < B; b++) {
      const Row row = {
          .x = X + b * ldx, .shift = v_set1(stats[2 * b]), .scale = v_set1(stats[2 * b + 1])};
      const vf dz = v_load_n(dZ + b * lddz + n, end - n);
      gain = v_fma(dz, normal_term(&row, n, end - n), gain);
      bias = bias + dz;
    }
    v_store_n(dg + n, gain, end - n);
    v_store_n(db + n, bias, end - n);
  }
}

INLINE float row_logsumexp(const float *x, float alpha, int64_t N) {
  const float top = reduce_max(x, N);
  if (!(__builtin_fabsf(top) < __builtin_inff())) return top;
  const Row row = {.x = x, .shift = v_set1(top), .scale = v_set1(alpha)};
  const vf log_sum = v_log(v_set1(row_sum(&row, N, exp_term)));
  return __builtin_fmaf(alpha, log_sum[0], top);
}

static void logsumexp(float *y, const float *x, ptrdiff_t ldx, float alpha, int64_t begin,
                      int64_t end, int64_t N) {
  for (int64_t r = begin; r < end; r++) y[r] = row_logsumexp(x + r * ldx, alpha, N);
}

static void log_softmax(float *y, ptrdiff_t ldy, const float *x, ptrdiff_t ldx, int64_t begin,
                        int64_t end, int64_t N) {
  for (int64_t r = begin; r < end; r++) {
    const vf total = v_set1(row_logsumexp(x + r * ldx, 1.0f, N));
    for (int64_t n = 0; n < N; n += VW)
      v_store_n(y + r * ldy + n, v_load_n(x + r * ldx + n, N - n) - total, N - n);
  }
}

#endif
