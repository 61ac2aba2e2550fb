/// Reductions and maps by column for normalizations over a batch, in double.
///
/// Every column is its own chain of IEEE operations over the rows in order, without FMA. Results
/// are the same for every instruction set, and for rows that are cut into several calls.
#ifndef CELI_COLUMNS_IMPL_H
#define CELI_COLUMNS_IMPL_H
#include "ops/ops.h"
#include "ops/vec.h"

/// Lanes of double, and vectors of a whole block of columns.
#define VD (VW / 2)
#define COLUMN_VECTORS (CELI_COLUMNS / VD)

typedef float hf __attribute__((vector_size(VW * 2)));
typedef double dv __attribute__((vector_size(VW * 4)));

INLINE dv d_widen(const float *p) {
  hf x;
  memcpy(&x, p, sizeof x);
  return __builtin_convertvector(x, dv);
}

INLINE dv d_load(const double *p) {
  dv x;
  memcpy(&x, p, sizeof x);
  return x;
}

INLINE void d_store(double *p, dv x) {
  memcpy(p, &x, sizeof x);
}

INLINE void d_narrow(float *p, dv x) {
  const hf y = __builtin_convertvector(x, hf);
  memcpy(p, &y, sizeof y);
}

static void columns_sum(double *sum, const float *x, ptrdiff_t ldx, int64_t begin, int64_t end,
                        int64_t n) {
  if (n < CELI_COLUMNS) {
    for (int64_t b = begin; b < end; b++)
      for (int64_t k = 0; k < n; k++) sum[k] += (double)x[b * ldx + k];
    return;
  }
  dv s[COLUMN_VECTORS];
  for (int i = 0; i < COLUMN_VECTORS; i++) s[i] = d_load(sum + i * VD);
  for (int64_t b = begin; b < end; b++) {
    UNROLL
    for (int i = 0; i < COLUMN_VECTORS; i++) s[i] = s[i] + d_widen(x + b * ldx + i * VD);
  }
  for (int i = 0; i < COLUMN_VECTORS; i++) d_store(sum + i * VD, s[i]);
}

static void columns_square(double *square, const float *x, ptrdiff_t ldx, const double *mean,
                           int64_t begin, int64_t end, int64_t n) {
  if (n < CELI_COLUMNS) {
    for (int64_t b = begin; b < end; b++)
      for (int64_t k = 0; k < n; k++) {
        const double apart = (double)x[b * ldx + k] - mean[k];
        square[k] += apart * apart;
      }
    return;
  }
  dv s[COLUMN_VECTORS], m[COLUMN_VECTORS];
  for (int i = 0; i < COLUMN_VECTORS; i++)
    s[i] = d_load(square + i * VD), m[i] = d_load(mean + i * VD);
  for (int64_t b = begin; b < end; b++) {
    UNROLL
    for (int i = 0; i < COLUMN_VECTORS; i++) {
      const dv apart = d_widen(x + b * ldx + i * VD) - m[i];
      s[i] = s[i] + apart * apart;
    }
  }
  for (int i = 0; i < COLUMN_VECTORS; i++) d_store(square + i * VD, s[i]);
}

static void columns_product(double *sum, double *product, const float *dz, ptrdiff_t lddz,
                            const float *x, ptrdiff_t ldx, const double *mean, const double *inv_sd,
                            int64_t begin, int64_t end, int64_t n) {
  if (n < CELI_COLUMNS) {
    for (int64_t b = begin; b < end; b++)
      for (int64_t k = 0; k < n; k++) {
        const double d = (double)dz[b * lddz + k];
        sum[k] += d;
        product[k] += d * ((double)x[b * ldx + k] - mean[k]) * inv_sd[k];
      }
    return;
  }
  dv s[COLUMN_VECTORS], p[COLUMN_VECTORS], m[COLUMN_VECTORS], r[COLUMN_VECTORS];
  for (int i = 0; i < COLUMN_VECTORS; i++) {
    s[i] = d_load(sum + i * VD), p[i] = d_load(product + i * VD);
    m[i] = d_load(mean + i * VD), r[i] = d_load(inv_sd + i * VD);
  }
  for (int64_t b = begin; b < end; b++) {
    UNROLL
    for (int i = 0; i < COLUMN_VECTORS; i++) {
      const dv d = d_widen(dz + b * lddz + i * VD);
      s[i] = s[i] + d;
      p[i] = p[i] + d * (d_widen(x + b * ldx + i * VD) - m[i]) * r[i];
    }
  }
  for (int i = 0; i < COLUMN_VECTORS; i++)
    d_store(sum + i * VD, s[i]), d_store(product + i * VD, p[i]);
}

static void columns_affine(float *y, ptrdiff_t ldy, const float *x, ptrdiff_t ldx,
                           const double *mean, const double *inv_sd, const double *gain,
                           const double *shift, int64_t begin, int64_t end, int64_t n) {
  if (n < CELI_COLUMNS) {
    for (int64_t b = begin; b < end; b++)
      for (int64_t k = 0; k < n; k++) {
        const double xh = ((double)x[b * ldx + k] - mean[k]) * inv_sd[k];
        y[b * ldy + k] = (float)(gain[k] * xh + shift[k]);
      }
    return;
  }
  dv m[COLUMN_VECTORS], r[COLUMN_VECTORS], g[COLUMN_VECTORS], h[COLUMN_VECTORS];
  for (int i = 0; i < COLUMN_VECTORS; i++) {
    m[i] = d_load(mean + i * VD), r[i] = d_load(inv_sd + i * VD);
    g[i] = d_load(gain + i * VD), h[i] = d_load(shift + i * VD);
  }
  for (int64_t b = begin; b < end; b++) {
    UNROLL
    for (int i = 0; i < COLUMN_VECTORS; i++)
      d_narrow(y + b * ldy + i * VD, g[i] * ((d_widen(x + b * ldx + i * VD) - m[i]) * r[i]) + h[i]);
  }
}

static void columns_affine_backward(float *dx, ptrdiff_t lddx, const float *dz, ptrdiff_t lddz,
                                    const float *x, ptrdiff_t ldx, const double *mean,
                                    const double *inv_sd, const double *factor, const double *sum,
                                    const double *product, int64_t begin, int64_t end, int64_t n) {
  if (n < CELI_COLUMNS) {
    for (int64_t b = begin; b < end; b++)
      for (int64_t k = 0; k < n; k++) {
        const double xh = ((double)x[b * ldx + k] - mean[k]) * inv_sd[k];
        const double d = (double)dz[b * lddz + k] - (sum[k] + xh * product[k]);
        dx[b * lddx + k] = (float)(factor[k] * d);
      }
    return;
  }
  dv m[COLUMN_VECTORS], r[COLUMN_VECTORS], f[COLUMN_VECTORS], s[COLUMN_VECTORS], p[COLUMN_VECTORS];
  for (int i = 0; i < COLUMN_VECTORS; i++) {
    m[i] = d_load(mean + i * VD), r[i] = d_load(inv_sd + i * VD), f[i] = d_load(factor + i * VD);
    s[i] = d_load(sum + i * VD), p[i] = d_load(product + i * VD);
  }
  for (int64_t b = begin; b < end; b++) {
    UNROLL
    for (int i = 0; i < COLUMN_VECTORS; i++) {
      const dv xh = (d_widen(x + b * ldx + i * VD) - m[i]) * r[i];
      const dv d = d_widen(dz + b * lddz + i * VD) - (s[i] + xh * p[i]);
      d_narrow(dx + b * lddx + i * VD, f[i] * d);
    }
  }
}

#endif
