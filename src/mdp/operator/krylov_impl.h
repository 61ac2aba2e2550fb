/// The passes of BiCGStab over a block of states, in float or double. REAL is the type, R8 a vector
/// of eight, and NAME(x) the function name. kernels_impl.h includes this file twice.
/// evaluate/krylov.c explains the passes.

/// Eight numbers at p, without alignment. (Functions do not take vectors, because the ABI depends
/// on the instruction set.)
typedef R8 NAME(lanes) __attribute__((aligned(sizeof(REAL)), may_alias));
#define AT(p) (*(const NAME(lanes) *)(const void *)(p))
#define PUT(p) (*(NAME(lanes) *)(void *)(p))

/// The sum of eight lanes in a fixed order.
static inline double NAME(fold)(const R8 *sum) {
  const R8 v = *sum;
  return (double)(((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7])));
}

static inline void NAME(slice)(const CeliOperator *op, const CeliSlice *slice, const REAL *value,
                               const uint32_t *index, REAL *y, const REAL *x) {
  R8 sum = {0};
  if (slice->flags & CELI_RUN) {
    for (uint32_t m = 0; m < slice->merged; m++)
      sum = sum + AT(value + m * (size_t)WIDE) * AT(x + index[m]);
  } else {
    for (uint32_t m = 0; m < slice->merged; m++) {
      const uint32_t *next = index + m * (size_t)WIDE;
      const R8 gathered = {x[next[0]], x[next[1]], x[next[2]], x[next[3]],
                           x[next[4]], x[next[5]], x[next[6]], x[next[7]]};
      sum = sum + AT(value + m * (size_t)WIDE) * gathered;
    }
  }
  if (!(slice->flags & CELI_SORTED)) {
    PUT(y + slice->first) = AT(x + slice->first) - sum;
    return;
  }
  const uint32_t *lane = op->lane + (slice - op->slice) * WIDE;
  for (int i = 0; i < WIDE; i++) y[lane[i]] = x[lane[i]] - sum[i];
}

/// y = x - gamma P_pi x on the states of chunks [begin, end).
static void NAME(product)(const CeliOperator *op, const REAL *values, REAL *y, const REAL *x,
                          int64_t begin, int64_t end) {
  for (int64_t c = begin; c < end; c++) {
    const REAL *value = values + op->chunk[c].merged * WIDE;
    const uint32_t *index = op->merged_index + op->chunk[c].merged_index;
    const CeliSlice *last = op->slice + last_slice(op, c);
    for (const CeliSlice *slice = op->slice + c * CELI_CHUNK; slice < last; slice++) {
      NAME(slice)(op, slice, value, index, y, x);
      value += slice->merged * (size_t)WIDE;
      index += slice->merged * (size_t)(slice->flags & CELI_RUN ? 1 : WIDE);
    }
  }
}

/// sums[0] = (x, y), sums[1] = (y, y). Vectors are padded with zeros to a multiple of eight.
static void NAME(dots)(const void *x_, const void *y_, int64_t begin, int64_t end, double *sums) {
  const REAL *x = x_, *y = y_;
  R8 xy = {0}, yy = {0};
  for (int64_t i = begin; i < end; i += WIDE) {
    const R8 a = AT(x + i), b = AT(y + i);
    xy = xy + a * b;
    yy = yy + b * b;
  }
  sums[0] = NAME(fold)(&xy);
  sums[1] = NAME(fold)(&yy);
}

static void NAME(apply)(const CeliOperator *op, const void *values, void *y, const void *x,
                        const void *z, int64_t begin, int64_t end, double *sums) {
  NAME(product)(op, values, y, x, celi_chunk_of(begin), celi_chunk_of(end));
  NAME(dots)(z, y, begin, end, sums);
}

/// r -= a v.
static void NAME(subtract)(void *r_, const void *v_, double a, int64_t begin, int64_t end) {
  REAL *r = r_;
  const REAL *v = v_, factor = (REAL)a;
  for (int64_t i = begin; i < end; i += WIDE) PUT(r + i) = AT(r + i) - factor * AT(v + i);
}

/// x += a p + w r, r -= w t; sums[0] = (shadow, r), sums[1] = (r, r).
static void NAME(move)(void *x_, void *r_, const void *p_, const void *t_, const void *shadow_,
                       double a, double w, int64_t begin, int64_t end, double *sums) {
  REAL *x = x_, *r = r_;
  const REAL *p = p_, *t = t_, *shadow = shadow_, by = (REAL)a, more = (REAL)w;
  R8 sr = {0}, rr = {0};
  for (int64_t i = begin; i < end; i += WIDE) {
    const R8 s = AT(r + i);
    PUT(x + i) = AT(x + i) + (by * AT(p + i) + more * s);
    const R8 left = s - more * AT(t + i);
    PUT(r + i) = left;
    sr = sr + AT(shadow + i) * left;
    rr = rr + left * left;
  }
  sums[0] = NAME(fold)(&sr);
  sums[1] = NAME(fold)(&rr);
}

/// p = r + beta (p - w v).
static void NAME(turn)(void *p_, const void *r_, const void *v_, double beta, double w,
                       int64_t begin, int64_t end) {
  REAL *p = p_;
  const REAL *r = r_, *v = v_, b = (REAL)beta, more = (REAL)w;
  for (int64_t i = begin; i < end; i += WIDE)
    PUT(p + i) = AT(r + i) + b * (AT(p + i) - more * AT(v + i));
}

/// r = p = shadow = scale b, x = 0; sums[1] = (r, r).
static void NAME(start)(void *r_, void *p_, void *shadow_, void *x_, const double *b, double scale,
                        int64_t begin, int64_t end, double *sums) {
  REAL *r = r_, *p = p_, *shadow = shadow_, *x = x_;
  for (int64_t i = begin; i < end; i++) {
    r[i] = p[i] = shadow[i] = (REAL)(scale * b[i]);
    x[i] = 0;
  }
  NAME(dots)(r, r, begin, end, sums);
}

/// out = scale x.
static void NAME(finish)(double *out, const void *x_, double scale, int64_t begin, int64_t end) {
  const REAL *x = x_;
  for (int64_t i = begin; i < end; i++) out[i] = scale * (double)x[i];
}

static const CeliKrylovKernels NAME(krylov) = {.size = sizeof(REAL),
                                               .start = NAME(start),
                                               .apply = NAME(apply),
                                               .subtract = NAME(subtract),
                                               .move = NAME(move),
                                               .turn = NAME(turn),
                                               .finish = NAME(finish)};
#undef AT
#undef PUT
#undef REAL
#undef R8
#undef NAME
