/// The products of a dense layer: forward, gradient of its input, gradient of its weights.
///
/// All three are C (R,N) = A (R,K) B (K,N) with contiguous rows of B:
/// - forward: A = X, B = W
/// - gradient of the input: A = dY, B = Wt
/// - gradient of the weights: A = X transposed (by addressing, without a copy), B = dY
///
/// They use one inner loop. A tile of C, MR rows by NR vectors, stays in registers while k
/// increases. Each step loads NR vectors of B. For each row it broadcasts one element of A and does
/// NR fused multiply-adds. Each output is therefore one chain in increasing k, whatever its tile.
///
/// Tile size: a step costs MR NR FMAs and MR + NR loads. With 32 registers, 12x2 (24 sums, 2
/// vectors of B, a broadcast) does 24 FMAs for 14 loads. With 16 registers, 6x2 does 12 for 8.
/// Cores load two vectors for every two FMAs, so the FMA units are the limit. 24 or 12 chains cover
/// twice their latency.
///
/// Caches: every tile of rows reads the same strip of B. If B is wide, its rows are a power of two
/// apart and use only a few sets of the first-level cache.
/// - AVX2: a strip of 16 columns is 16 KB when copied to the stack, and stays in that cache. The
///   copy pays off with enough rows.
/// - AVX-512: a strip of 32 columns would fill the cache, so it is not copied. With prefetching,
///   the second-level cache delivers 128 bytes per step (24 FMAs) in time. It is copied only if B
///   is too large for that cache.
/// - A partial strip at the edge is always copied and padded with zeros, so that no inner loop
///   needs a mask.
/// - If K > KC, C holds the unfinished sums (exactly).
///
/// Few rows (a step of a few environments): tiles of 1 to 6 rows by 4 vectors, for enough chains.
/// Tanh is computed right after a tile, while the tile is in the first-level cache.
///
/// Few columns (N <= 4: the heads of critics and actors) would waste lanes. There the lanes are
/// rows, and X is transposed in registers. The chains are the same.
#ifndef CELI_DENSE_IMPL_H
#define CELI_DENSE_IMPL_H
#include "ops/math_impl.h"
#include "ops/ops.h"

#if defined(CELI_AVX512)
#define MR 12
#define NR 2
#define FEW 6
#elif defined(CELI_AVX2)
#define MR 6
#define NR 2
#define FEW 2
#else
#define MR 8
#define NR 2
#define FEW 4
#endif
#if VW == 16
#define PREFETCH 16             // rows of B are fetched this many steps ahead
#define PACK_ABOVE (1024 * 128) // floats of B; above, B does not fit into a second-level cache
#else
#define PREFETCH 0
#define PACK_ABOVE 0
#endif
#define STRIP (NR * VW)
#define WIDE 4 // vectors across a tile with few rows
#define KC 256
#define NARROW 4
#define NARROW_GROUPS 3

/// What is applied to a finished sum before it is stored.
typedef enum Finish {
  FINISH_NONE,
  FINISH_TANH, ///< by the caller, while the tile is in the first-level cache
  FINISH_RELU,
  FINISH_RELU_BACKWARD,
  FINISH_TANH_BACKWARD
} Finish;

/// One product: A(i,k) = A[i a_row + k a_step], B(k,j) = B[k ldb + j].
typedef struct Product {
  float *C; // (rows,N) ldc
  ptrdiff_t ldc;
  const float *A;
  ptrdiff_t a_row, a_step;
  const float *B;
  ptrdiff_t ldb;
  const float *bias; // (N,) or NULL
  const float *D;    // (rows,N) ldd: input of the activation's derivative
  ptrdiff_t ldd;
  int64_t rows, K, N;
  Finish finish;
  bool more; // continue the sums in C
} Product;

INLINE vf relu(vf x) {
  return v_max(v_zero(), x);
}

/// dY where a > 0 or a is NaN, else 0.
INLINE vf relu_backward(vf dy, vf a) {
  return v_sel(v_le(a, v_zero()), v_zero(), dy);
}
INLINE vf tanh_backward(vf dy, vf a) {
  return dy * v_fma(-a, a, v_set1(1.0f));
}

/// sum += A (mr rows) B (nr vectors) over k. Row i of A is reached as a[i/3] + (i%3) lda, which x86
/// addresses without arithmetic. The asm prevents the compiler from computing twelve pointers and
/// spilling them.
INLINE void accumulate(vf sum[MR][WIDE], const Product *p, const int mr, const int nr,
                       const bool by_row) {
  const ptrdiff_t lda = by_row ? p->a_row : p->a_step, ldb = p->ldb;
  const int groups = by_row ? (mr + 2) / 3 : 1;
  const float *a[(MR + 2) / 3], *b = p->B;
  UNROLL
  for (int g = 0; g < groups; g++) a[g] = p->A + 3 * g * lda;
  for (int64_t k = 0; k < p->K; k++) {
    vf row[WIDE];
    UNROLL
    for (int j = 0; j < nr; j++) row[j] = v_load(b + j * VW);
    UNROLL
    for (int i = 0; i < mr; i++) {
      const vf x = v_set1(by_row ? a[i / 3][i % 3 * lda] : a[0][i]);
      UNROLL
      for (int j = 0; j < nr; j++) sum[i][j] = v_fma(x, row[j], sum[i][j]);
    }
    UNROLL
    for (int g = 0; g < groups; g++) {
      a[g] += by_row ? 1 : lda;
      __asm__("" : "+r"(a[g]));
    }
    if (PREFETCH && nr <= NR)
      for (int j = 0; j < nr; j++) __builtin_prefetch(b + PREFETCH * ldb + j * VW);
    b += ldb;
  }
}

INLINE vf finish_load(const float *p, int64_t n, const bool whole) {
  return whole ? v_load(p) : v_load_n(p, n);
}

/// Stores a tile's sums. `whole`: without masks, because masked stores are slower.
INLINE void finish_tile(const Product *p, vf sum[MR][WIDE], int64_t width, Finish finish,
                        const int mr, const int nr, const bool whole) {
  UNROLL
  for (int i = 0; i < mr; i++) {
    UNROLL
    for (int j = 0; j < nr; j++) {
      const int64_t n = width - j * VW;
      vf y = sum[i][j];
      if (finish == FINISH_RELU) y = relu(y);
      if (finish > FINISH_RELU) {
        const vf d = finish_load(p->D + i * p->ldd + j * VW, n, whole);
        y = finish == FINISH_RELU_BACKWARD ? relu_backward(y, d) : tanh_backward(y, d);
      }
      if (whole)
        v_store(p->C + i * p->ldc + j * VW, y);
      else
        v_store_n(p->C + i * p->ldc + j * VW, y, n);
    }
  }
}

/// One tile of mr x nr vectors. The last vector has `width - (nr-1) VW` columns. p->B is padded to
/// whole vectors. `resume`: continue the sums in C. `last`: finish them.
INLINE void tile(const Product *p, int64_t width, bool resume, bool last, const int mr,
                 const int nr, const bool by_row) {
  vf sum[MR][WIDE];
  UNROLL
  for (int j = 0; j < nr; j++) {
    const vf first = p->bias ? v_load_n(p->bias + j * VW, width - j * VW) : v_zero();
    UNROLL
    for (int i = 0; i < mr; i++)
      sum[i][j] = resume ? v_load_n(p->C + i * p->ldc + j * VW, width - j * VW) : first;
  }
  accumulate(sum, p, mr, nr, by_row);
  const Finish finish = last ? p->finish : FINISH_NONE;
  if (width == nr * VW)
    finish_tile(p, sum, width, finish, mr, nr, true);
  else
    finish_tile(p, sum, width, finish, mr, nr, false);
}

typedef void (*TileFn)(const Product *p, int64_t width, bool resume, bool last);

#define TILE(m, n)                                                                                 \
  static void tile_row_##m##_##n(const Product *p, int64_t width, bool resume, bool last) {        \
    tile(p, width, resume, last, m, n, true);                                                      \
  }                                                                                                \
  static void tile_column_##m##_##n(const Product *p, int64_t width, bool resume, bool last) {     \
    tile(p, width, resume, last, m, n, false);                                                     \
  }
#define EACH_MR_6(F, n) F(1, n) F(2, n) F(3, n) F(4, n) F(5, n) F(6, n)
#define EACH_MR_8(F, n) EACH_MR_6(F, n) F(7, n) F(8, n)
#define EACH_MR_12(F, n) EACH_MR_8(F, n) F(9, n) F(10, n) F(11, n) F(12, n)
#if MR == 12
#define EACH_MR EACH_MR_12
#elif MR == 8
#define EACH_MR EACH_MR_8
#else
#define EACH_MR EACH_MR_6
#endif
EACH_MR(TILE, 1)
EACH_MR(TILE, 2)
#define ROW_ENTRY(m, n) tile_row_##m##_##n,
#define COLUMN_ENTRY(m, n) tile_column_##m##_##n,
static const TileFn TILES[2][NR][MR] = {
    {{EACH_MR(COLUMN_ENTRY, 1)}, {EACH_MR(COLUMN_ENTRY, 2)}},
    {{EACH_MR(ROW_ENTRY, 1)}, {EACH_MR(ROW_ENTRY, 2)}},
};

/// Few rows: a tile of NR vectors has too few chains, so WIDE vectors go side by side.
#define WIDE_TILE(m, n)                                                                            \
  static void tile_wide_##m(const Product *p, int64_t width, bool resume, bool last) {             \
    tile(p, width, resume, last, m, WIDE, true);                                                   \
  }
#define WIDE_ENTRY(m, n) tile_wide_##m,
#if FEW == 6
#define EACH_FEW EACH_MR_6
#elif FEW == 4
#define EACH_FEW(F, n) F(1, n) F(2, n) F(3, n) F(4, n)
#else
#define EACH_FEW(F, n) F(1, n) F(2, n)
#endif
EACH_FEW(WIDE_TILE, 4)
static const TileFn WIDE_TILES[FEW] = {EACH_FEW(WIDE_ENTRY, 4)};

/// C = tanh(C) for a finished tile.
INLINE void tanh_tile(const Product *p, int64_t rows, int64_t width) {
  if (width % VW == 0) {
    for (int64_t i = 0; i < rows; i++)
      for (int64_t n = 0; n < width; n += VW)
        v_store(p->C + i * p->ldc + n, v_tanh(v_load(p->C + i * p->ldc + n)));
    return;
  }
  for (int64_t i = 0; i < rows; i++)
    for (int64_t n = 0; n < width; n += VW)
      v_store_n(p->C + i * p->ldc + n, v_tanh(v_load_n(p->C + i * p->ldc + n, width - n)),
                width - n);
}

/// packed (K,STRIP) = the first `width` columns of B, zeros beyond.
static void pack_strip(float *packed, const float *B, ptrdiff_t ldb, int64_t K, int64_t width) {
  for (int64_t k = 0; k < K; k++)
    for (int j = 0; j < NR; j++) {
      const int64_t n = width - j * VW;
      const vf v = n > 0 ? v_load_n(B + k * ldb + j * VW, n) : v_zero();
      v_store(packed + k * STRIP + j * VW, v);
    }
}

/// Rows of one strip, divided evenly into tiles of at most MR rows. The pointers of *p are
/// advanced: a copy of the struct would stall on the stores that just wrote it.
static void strip_rows(Product *p, int64_t width, bool resume, bool last, bool by_row) {
  const float *const A = p->A, *const D = p->D;
  float *const C = p->C;
  const bool wide = width > STRIP;
  const int64_t rows = p->rows, tiles = wide ? 1 : (rows + MR - 1) / MR;
  const TileFn *fns = wide ? WIDE_TILES : TILES[by_row][(width + VW - 1) / VW - 1];
  int64_t done = 0;
  for (int64_t i = 0; i < tiles; i++) {
    const int64_t until = rows * (i + 1) / tiles;
    p->A = A + done * p->a_row;
    p->C = C + done * p->ldc;
    if (D) p->D = D + done * p->ldd;
    fns[until - done - 1](p, width, resume, last);
    if (last && p->finish == FINISH_TANH) tanh_tile(p, until - done, width);
    done = until;
  }
}

/// Changes the struct's pointers and depth. packed (room, STRIP) is for strips that must be copied.
INLINE void product_by(Product *p, bool by_row, float *packed, int64_t room) {
  float *const C = p->C;
  const float *const A = p->A, *const B = p->B, *const bias = p->bias, *const D = p->D;
  const ptrdiff_t ldb = p->ldb;
  const int64_t K = p->K;
  const bool scattered = ldb > 2 * STRIP && K * ldb > PACK_ABOVE && p->rows >= 2 * MR;
  const bool few = by_row && p->rows <= FEW;
  for (int64_t n = 0, width; n < p->N; n += width) {
    const int64_t most = few && p->N - n >= WIDE * VW ? WIDE * VW : STRIP;
    width = p->N - n < most ? p->N - n : most;
    if (bias) p->bias = bias + n;
    const bool pack = scattered || width % VW != 0;
    const int64_t depth = pack ? room : KC;
    int64_t k = 0;
    do {
      p->K = K - k < depth ? K - k : depth;
      p->C = C + n;
      if (D) p->D = D + n;
      p->A = A + k * p->a_step;
      p->B = B + k * ldb + n;
      p->ldb = ldb;
      if (pack) {
        pack_strip(packed, p->B, ldb, p->K, width);
        p->B = packed;
        p->ldb = STRIP;
      }
      strip_rows(p, width, p->more || k > 0, k + p->K == K, by_row);
      k += p->K;
    } while (k < K);
  }
}

/// `packed` has at most 16 KiB, so that an agent can learn on a small stack.
static __attribute__((noinline)) void product_many(Product *p, bool by_row) {
  enum { FITS = 4096 / STRIP, ROOM = FITS < KC ? FITS : KC };
  _Alignas(64) float packed[ROOM * STRIP];
  product_by(p, by_row, packed, ROOM);
}

/// Acting uses one row, perhaps on a small stack, so this function uses little of it.
static __attribute__((noinline)) void product_few(Product *p) {
  enum { ROOM = 16 };
  _Alignas(64) float packed[ROOM * STRIP];
  product_by(p, true, packed, ROOM);
}

static void product(Product *p, bool by_row) {
  if (by_row && p->rows <= FEW)
    product_few(p);
  else
    product_many(p, by_row);
}

// ---- few columns

/// One step k of NW rows: sum (N,) += x W[k,:].
INLINE void narrow_step(vn *sum, vn x, const float *W, const int N) {
  UNROLL
  for (int n = 0; n < N; n++) sum[n] = n_fma(x, n_set1(W[n]), sum[n]);
}

/// groups * NW rows of Y (.,N) = X W + b. groups and N <= 4 are compile-time constants. Lanes are
/// rows. Several groups side by side cover the latency of their chains.
INLINE void narrow_rows(float *Y, ptrdiff_t ldy, const float *X, ptrdiff_t ldx, const float *W,
                        const float *b, int64_t K, const int groups, const int N) {
  vn sum[NARROW_GROUPS][NARROW];
  UNROLL
  for (int g = 0; g < groups; g++) {
    UNROLL
    for (int n = 0; n < N; n++) sum[g][n] = n_set1(b ? b[n] : 0.0f);
  }
  int64_t k = 0;
  for (; k + NW <= K; k += NW) {
    UNROLL
    for (int g = 0; g < groups; g++) {
      vn x[NW];
      n_load_transposed(x, X + g * NW * ldx + k, ldx);
      UNROLL
      for (int j = 0; j < NW; j++) narrow_step(sum[g], x[j], W + (k + j) * N, N);
    }
  }
  for (; k < K; k++) {
    UNROLL
    for (int g = 0; g < groups; g++) {
      float x[NW];
      for (int r = 0; r < NW; r++) x[r] = X[(g * NW + r) * ldx + k];
      narrow_step(sum[g], n_load(x), W + k * N, N);
    }
  }
  UNROLL
  for (int g = 0; g < groups; g++) {
    UNROLL
    for (int n = 0; n < N; n++) {
      float y[NW];
      n_store(y, sum[g][n]);
      for (int r = 0; r < NW; r++) Y[(g * NW + r) * ldy + n] = y[r];
    }
  }
}

/// The same for any number of rows, one element at a time. FOUR rows side by side cover the latency
/// of their chains.
INLINE void narrow_few(float *Y, ptrdiff_t ldy, const float *X, ptrdiff_t ldx, const float *W,
                       const float *b, int64_t rows, int64_t K, const int N) {
  enum { FOUR = 4 };
  for (int64_t first = 0; first < rows; first += FOUR) {
    float sum[FOUR][NARROW];
    const float *x[FOUR];
    for (int r = 0; r < FOUR; r++) x[r] = X + (first + r < rows ? first + r : first) * ldx;
    for (int r = 0; r < FOUR; r++)
      for (int n = 0; n < N; n++) sum[r][n] = b ? b[n] : 0.0f;
    for (int64_t k = 0; k < K; k++) {
      UNROLL
      for (int r = 0; r < FOUR; r++) {
        UNROLL
        for (int n = 0; n < N; n++) sum[r][n] = __builtin_fmaf(x[r][k], W[k * N + n], sum[r][n]);
      }
    }
    for (int r = 0; r < FOUR && first + r < rows; r++)
      for (int n = 0; n < N; n++) Y[(first + r) * ldy + n] = sum[r][n];
  }
}

INLINE void narrow_as(float *Y, ptrdiff_t ldy, const float *X, ptrdiff_t ldx, const float *W,
                      const float *b, int64_t rows, int64_t K, const int N) {
  const int groups = N <= 2 ? NARROW_GROUPS : 1;
  int64_t r = 0;
  if (rows < NW) {
    narrow_few(Y, ldy, X, ldx, W, b, rows, K, N);
    return;
  }
  for (; r + groups * NW <= rows; r += groups * NW)
    narrow_rows(Y + r * ldy, ldy, X + r * ldx, ldx, W, b, K, groups, N);
  for (; r < rows; r += NW) {
    const int64_t at = r + NW <= rows ? r : rows - NW; // the last group overlaps and stores the
                                                       // same values
    narrow_rows(Y + at * ldy, ldy, X + at * ldx, ldx, W, b, K, 1, N);
  }
}

static void narrow(float *Y, ptrdiff_t ldy, const float *X, ptrdiff_t ldx, const float *W,
                   const float *b, int64_t rows, int64_t K, int64_t N) {
  switch (N) {
  case 1: narrow_as(Y, ldy, X, ldx, W, b, rows, K, 1); break;
  case 2: narrow_as(Y, ldy, X, ldx, W, b, rows, K, 2); break;
  case 3: narrow_as(Y, ldy, X, ldx, W, b, rows, K, 3); break;
  default: narrow_as(Y, ldy, X, ldx, W, b, rows, K, 4); break;
  }
}

/// `count` (at most vectors * VW) rows of dW (.,N). N <= 4 is a compile-time constant. Lanes are
/// rows of dW.
INLINE void narrow_weight_group(float *dW, const float *X, ptrdiff_t ldx, const float *dY,
                                ptrdiff_t lddy, int64_t B, int64_t count, bool more,
                                const int vectors, const int N) {
  vf sum[4][NARROW];
  UNROLL
  for (int j = 0; j < vectors; j++) {
    UNROLL
    for (int n = 0; n < N; n++)
      sum[j][n] = more ? v_load_strided(dW + j * VW * N + n, N, count - j * VW) : v_zero();
  }
  for (int64_t b = 0; b < B; b++) {
    vf x[4];
    UNROLL
    for (int j = 0; j < vectors; j++) x[j] = v_load_n(X + b * ldx + j * VW, count - j * VW);
    UNROLL
    for (int n = 0; n < N; n++) {
      const vf dy = v_set1(dY[b * lddy + n]);
      UNROLL
      for (int j = 0; j < vectors; j++) sum[j][n] = v_fma(x[j], dy, sum[j][n]);
    }
  }
  UNROLL
  for (int j = 0; j < vectors; j++) {
    UNROLL
    for (int n = 0; n < N; n++) v_store_strided(dW + j * VW * N + n, N, sum[j][n], count - j * VW);
  }
}

INLINE void narrow_weight_n(float *dW, const float *X, ptrdiff_t ldx, const float *dY,
                            ptrdiff_t lddy, int64_t B, int64_t rows, bool more, const int N) {
  const int vectors = N <= 2 ? 4 : 2;
  int64_t r = 0;
  for (; r + vectors * VW <= rows; r += vectors * VW)
    narrow_weight_group(dW + r * N, X + r, ldx, dY, lddy, B, vectors * VW, more, vectors, N);
  for (; r < rows; r += VW)
    narrow_weight_group(dW + r * N, X + r, ldx, dY, lddy, B, rows - r < VW ? rows - r : VW, more, 1,
                        N);
}

static void narrow_weight(float *dW, const float *X, ptrdiff_t ldx, const float *dY, ptrdiff_t lddy,
                          int64_t B, int64_t rows, int64_t N, bool more) {
  switch (N) {
  case 1: narrow_weight_n(dW, X, ldx, dY, lddy, B, rows, more, 1); break;
  case 2: narrow_weight_n(dW, X, ldx, dY, lddy, B, rows, more, 2); break;
  case 3: narrow_weight_n(dW, X, ldx, dY, lddy, B, rows, more, 3); break;
  default: narrow_weight_n(dW, X, ldx, dY, lddy, B, rows, more, 4); break;
  }
}

// ---- activations

#define LEAKY_SLOPE 0.01f

INLINE vf leaky_relu(vf z) {
  return v_sel(v_lt(z, v_zero()), z * v_set1(LEAKY_SLOPE), z);
}

/// The slope at 0 is that of the negative side, as in PyTorch. NaN stays NaN.
INLINE vf leaky_relu_backward(vf dy, vf a) {
  return v_sel(v_le(a, v_zero()), dy * v_set1(LEAKY_SLOPE), dy);
}

INLINE vf gelu(vf z) {
  vf density;
  return z * v_normal_cdf(z, &density);
}

/// d/dz [z Phi(z)] = Phi(z) + z phi(z).
INLINE vf gelu_backward(vf dy, vf z) {
  vf density;
  const vf below = v_normal_cdf(z, &density);
  return dy * v_fma(z, density, below);
}

INLINE vf activate(vf z, CeliActivation act) {
  switch (act) {
  case CELI_RELU: return relu(z);
  case CELI_TANH: return v_tanh(z);
  case CELI_SILU: return z * v_sigmoid(z);
  case CELI_GELU: return gelu(z);
  case CELI_LEAKY_RELU: return leaky_relu(z);
  default: return z;
  }
}

/// d/dz [z s(z)] = s (1 + z (1 - s)), s the sigmoid.
INLINE vf silu_backward(vf dy, vf z) {
  const vf s = v_sigmoid(z);
  return dy * (s * v_fma(z, v_set1(1.0f) - s, v_set1(1.0f)));
}

INLINE vf activate_backward(vf dy, vf a, CeliActivation act) {
  switch (act) {
  case CELI_RELU: return relu_backward(dy, a);
  case CELI_TANH: return tanh_backward(dy, a);
  case CELI_SILU: return silu_backward(dy, a);
  case CELI_GELU: return gelu_backward(dy, a);
  case CELI_LEAKY_RELU: return leaky_relu_backward(dy, a);
  default: return dy;
  }
}

INLINE void activate_rows_as(float *Y, ptrdiff_t ldy, const float *Z, ptrdiff_t ldz, int64_t begin,
                             int64_t end, int64_t N, const CeliActivation act) {
  for (int64_t r = begin; r < end; r++)
    for (int64_t n = 0; n < N; n += VW)
      v_store_n(Y + r * ldy + n, activate(v_load_n(Z + r * ldz + n, N - n), act), N - n);
}

/// Y = act(Z) for rows [begin, end); Y may be Z.
static void activate_rows(float *Y, ptrdiff_t ldy, const float *Z, ptrdiff_t ldz, int64_t begin,
                          int64_t end, int64_t N, CeliActivation act) {
  switch (act) {
  case CELI_RELU: activate_rows_as(Y, ldy, Z, ldz, begin, end, N, CELI_RELU); break;
  case CELI_TANH: activate_rows_as(Y, ldy, Z, ldz, begin, end, N, CELI_TANH); break;
  case CELI_SILU: activate_rows_as(Y, ldy, Z, ldz, begin, end, N, CELI_SILU); break;
  case CELI_GELU: activate_rows_as(Y, ldy, Z, ldz, begin, end, N, CELI_GELU); break;
  case CELI_LEAKY_RELU: activate_rows_as(Y, ldy, Z, ldz, begin, end, N, CELI_LEAKY_RELU); break;
  default: activate_rows_as(Y, ldy, Z, ldz, begin, end, N, CELI_IDENTITY); break;
  }
}

INLINE void activation_backward_as(float *dZ, ptrdiff_t lddz, const float *dY, ptrdiff_t lddy,
                                   const float *A, ptrdiff_t lda, int64_t begin, int64_t end,
                                   int64_t N, const CeliActivation act) {
  for (int64_t r = begin; r < end; r++)
    for (int64_t n = 0; n < N; n += VW) {
      const vf dy = v_load_n(dY + r * lddy + n, N - n);
      const vf a = act == CELI_IDENTITY ? dy : v_load_n(A + r * lda + n, N - n);
      v_store_n(dZ + r * lddz + n, activate_backward(dy, a, act), N - n);
    }
}

static void activation_backward(float *dZ, ptrdiff_t lddz, const float *dY, ptrdiff_t lddy,
                                const float *A, ptrdiff_t lda, int64_t begin, int64_t end,
                                int64_t N, CeliActivation act) {
  switch (act) {
  case CELI_RELU:
    activation_backward_as(dZ, lddz, dY, lddy, A, lda, begin, end, N, CELI_RELU);
    break;
  case CELI_TANH:
    activation_backward_as(dZ, lddz, dY, lddy, A, lda, begin, end, N, CELI_TANH);
    break;
  case CELI_SILU:
    activation_backward_as(dZ, lddz, dY, lddy, A, lda, begin, end, N, CELI_SILU);
    break;
  case CELI_GELU:
    activation_backward_as(dZ, lddz, dY, lddy, A, lda, begin, end, N, CELI_GELU);
    break;
  case CELI_LEAKY_RELU:
    activation_backward_as(dZ, lddz, dY, lddy, A, lda, begin, end, N, CELI_LEAKY_RELU);
    break;
  default: activation_backward_as(dZ, lddz, dY, lddy, A, lda, begin, end, N, CELI_IDENTITY); break;
  }
}

// ---- the three products of a layer

static void dense_forward(float *Y, ptrdiff_t ldy, float *Z, ptrdiff_t ldz, const float *X,
                          ptrdiff_t ldx, const float *W, const float *b, int64_t begin, int64_t end,
                          int64_t K, int64_t N, CeliActivation act) {
  if (begin >= end) return;
  float *out = Z ? Z : Y;
  const ptrdiff_t ldo = Z ? ldz : ldy;
  const bool fused = act == CELI_IDENTITY || act == CELI_RELU || act == CELI_TANH;
  if (N <= NARROW) {
    narrow(out + begin * ldo, ldo, X + begin * ldx, ldx, W, b, end - begin, K, N);
  } else {
    Product p = {.C = out + begin * ldo,
                 .ldc = ldo,
                 .A = X + begin * ldx,
                 .a_row = ldx,
                 .a_step = 1,
                 .B = W,
                 .ldb = N,
                 .bias = b,
                 .rows = end - begin,
                 .K = K,
                 .N = N,
                 .finish = Z                  ? FINISH_NONE
                           : act == CELI_RELU ? FINISH_RELU
                           : act == CELI_TANH ? FINISH_TANH
                                              : FINISH_NONE};
    product(&p, true);
    if (!Z && fused) return;
  }
  if (Z || act != CELI_IDENTITY) activate_rows(Y, ldy, out, ldo, begin, end, N, act);
}

static void dense_backward_data(float *dX, ptrdiff_t lddx, const float *dY, ptrdiff_t lddy,
                                const float *Wt, const float *A, ptrdiff_t lda, int64_t begin,
                                int64_t end, int64_t K, int64_t N, CeliActivation act) {
  if (begin >= end) return;
  bool finished = act == CELI_IDENTITY;
  if (K <= NARROW) {
    narrow(dX + begin * lddx, lddx, dY + begin * lddy, lddy, Wt, NULL, end - begin, N, K);
  } else {
    const bool fused = act == CELI_RELU || act == CELI_TANH;
    Product p = {.C = dX + begin * lddx,
                 .ldc = lddx,
                 .A = dY + begin * lddy,
                 .a_row = lddy,
                 .a_step = 1,
                 .B = Wt,
                 .ldb = K,
                 .D = fused ? A + begin * lda : NULL,
                 .ldd = lda,
                 .rows = end - begin,
                 .K = N,
                 .N = K,
                 .finish = act == CELI_RELU   ? FINISH_RELU_BACKWARD
                           : act == CELI_TANH ? FINISH_TANH_BACKWARD
                                              : FINISH_NONE};
    product(&p, true);
    finished = finished || fused;
  }
  if (!finished) activation_backward(dX, lddx, dX, lddx, A, lda, begin, end, K, act);
}

/// db[begin, end) = column sums of dY, over rows in order.
static void column_sums(float *db, const float *dY, ptrdiff_t lddy, int64_t B, int64_t begin,
                        int64_t end, bool more) {
  for (int64_t n = begin; n < end; n += 4 * VW) {
    const int64_t width = end - n;
    vf sum[4];
    UNROLL
    for (int j = 0; j < 4; j++)
      sum[j] = more && j * VW < width ? v_load_n(db + n + j * VW, width - j * VW) : v_zero();
    for (int64_t b = 0; b < B; b++) {
      const float *row = dY + b * lddy + n;
      UNROLL
      for (int j = 0; j < 4; j++)
        if (j * VW < width) sum[j] = sum[j] + v_load_n(row + j * VW, width - j * VW);
    }
    UNROLL
    for (int j = 0; j < 4; j++)
      if (j * VW < width) v_store_n(db + n + j * VW, sum[j], width - j * VW);
  }
}

/// Tiles are numbered panel by panel (columns), and by row within a panel, so that consecutive
/// tiles use the same strip of dY. A call computes its tiles of one panel together, and whole
/// panels together. The last tile of each panel also computes the panel's part of db.
static void dense_backward_weight(float *dW, float *db, const float *X, ptrdiff_t ldx,
                                  const float *dY, ptrdiff_t lddy, int64_t B, int64_t K, int64_t N,
                                  int64_t tile_begin, int64_t tile_end, bool more) {
  const int64_t blocks = (K + CELI_TILE_ROWS - 1) / CELI_TILE_ROWS;
  for (int64_t t = tile_begin; t < tile_end;) {
    const int64_t left = tile_end - t, first = t % blocks;
    const int64_t panels = first == 0 && left >= blocks ? left / blocks : 1;
    const int64_t stop = left < blocks - first ? first + left : blocks;
    const int64_t k0 = first * CELI_TILE_ROWS, n0 = t / blocks * CELI_TILE_COLUMNS;
    const int64_t k1 = stop * CELI_TILE_ROWS < K ? stop * CELI_TILE_ROWS : K;
    const int64_t n_end = n0 + panels * CELI_TILE_COLUMNS, n1 = n_end < N ? n_end : N;
    if (N <= NARROW) {
      narrow_weight(dW + k0 * N, X + k0, ldx, dY, lddy, B, k1 - k0, N, more);
    } else {
      Product p = {.C = dW + k0 * N + n0,
                   .ldc = N,
                   .A = X + k0,
                   .a_row = 1,
                   .a_step = ldx,
                   .B = dY + n0,
                   .ldb = lddy,
                   .rows = k1 - k0,
                   .K = B,
                   .N = n1 - n0,
                   .more = more};
      product(&p, false);
    }
    if (db && stop == blocks) column_sums(db, dY, lddy, B, n0, n1, more);
    t += panels > 1 ? panels * blocks : stop - first;
  }
}

static void transpose(float *Wt, const float *W, int64_t K, int64_t N, int64_t begin, int64_t end) {
  int64_t n = begin;
  for (; n + NW <= end; n += NW) {
    int64_t k = 0;
    for (; k + NW <= K; k += NW) {
      vn column[NW];
      n_load_transposed(column, W + k * N + n, N);
      for (int j = 0; j < NW; j++) n_store(Wt + (n + j) * K + k, column[j]);
    }
    for (; k < K; k++)
      for (int j = 0; j < NW; j++) Wt[(n + j) * K + k] = W[k * N + n + j];
  }
  for (; n < end; n++)
    for (int64_t k = 0; k < K; k++) Wt[n * K + k] = W[k * N + n];
}

#endif
