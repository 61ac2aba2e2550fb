/// Matrix products compared with simple oracles: every instruction set, odd sizes, row strides,
/// ranges in pieces, NaN and infinities. Backward passes are compared with central differences.
#include "kit.h"
#include "oracle.h"

static const CeliActivation ACTS[] = {CELI_IDENTITY, CELI_RELU, CELI_TANH,
                                      CELI_SILU,     CELI_GELU, CELI_LEAKY_RELU};
enum { N_ACTS = sizeof ACTS / sizeof *ACTS };

typedef struct Case {
  int64_t B, K, N;
  float *X, *W, *b, *Wt, *dY;
} Case;

static Case case_make(int64_t B, int64_t K, int64_t N) {
  Case c = {.B = B, .K = K, .N = N};
  c.X = kit_floats(B * K, 1);
  c.W = kit_floats(K * N, 2);
  c.b = kit_floats(N, 3);
  c.dY = kit_floats(B * N, 4);
  c.Wt = kit_alloc((size_t)(K * N) * sizeof(float));
  for (int64_t k = 0; k < K; k++)
    for (int64_t n = 0; n < N; n++) c.Wt[n * K + k] = c.W[k * N + n];
  return c;
}

static void case_free(Case *c) {
  free(c->X);
  free(c->W);
  free(c->b);
  free(c->Wt);
  free(c->dY);
}

/// Exact where the activation of the oracle is exact, otherwise close.
static void compare(const char *what, const float *y, ptrdiff_t ld, const float *exact,
                    const double *near, int64_t B, int64_t N, CeliActivation act) {
  if (act == CELI_IDENTITY || act == CELI_RELU)
    kit_same(what, y, ld, exact, B, N);
  else
    kit_near(what, y, ld, near, B, N, 2e-5);
  kit_padding_untouched(what, y, B, N, ld);
}

static void check_forward(const CeliOps *ops, const Case *c, CeliActivation act, bool with_z,
                          bool with_b) {
  const int64_t B = c->B, K = c->K, N = c->N;
  const ptrdiff_t ldx = K + 5, ldy = N + 3, ldz = N + 1;
  const float *b = with_b ? c->b : NULL;
  float *X = kit_pad(c->X, B, K, ldx), *Y = kit_pad(NULL, B, N, ldy), *Z = kit_pad(NULL, B, N, ldz);
  float *exact = kit_alloc((size_t)(B * N) * sizeof *exact);
  float *exact_z = kit_alloc((size_t)(B * N) * sizeof *exact);
  oracle_dense_forward_f(exact, exact_z, c->X, c->W, b, B, K, N, act);
  double *near = kit_doubles(exact, B * N);
  const int64_t cut = B / 3;
  ops->dense_forward(Y, ldy, with_z ? Z : NULL, ldz, X, ldx, c->W, b, 0, cut, K, N, act);
  ops->dense_forward(Y, ldy, with_z ? Z : NULL, ldz, X, ldx, c->W, b, cut, B, K, N, act);
  compare("dense_forward", Y, ldy, exact, near, B, N, act);
  if (with_z) compare("dense_forward's Z", Z, ldz, exact_z, NULL, B, N, CELI_IDENTITY);
  free(X);
  free(Y);
  free(Z);
  free(exact);
  free(exact_z);
  free(near);
}

static void check_backward_data(const CeliOps *ops, const Case *c, CeliActivation act) {
  const int64_t B = c->B, K = c->K, N = c->N;
  const ptrdiff_t lddx = K + 2, lddy = N + 7, lda = K + 1;
  float *A = kit_pad(c->X, B, K, lda), *dY = kit_pad(c->dY, B, N, lddy);
  float *dX = kit_pad(NULL, B, K, lddx), *exact = kit_alloc((size_t)(B * K) * sizeof *exact);
  oracle_dense_backward_data_f(exact, c->dY, c->Wt, c->X, B, K, N, act);
  double *near = kit_doubles(exact, B * K);
  const int64_t cut = B / 2;
  ops->dense_backward_data(dX, lddx, dY, lddy, c->Wt, A, lda, 0, cut, K, N, act);
  ops->dense_backward_data(dX, lddx, dY, lddy, c->Wt, A, lda, cut, B, K, N, act);
  compare("dense_backward_data", dX, lddx, exact, near, B, K, act);
  free(A);
  free(dY);
  free(dX);
  free(exact);
  free(near);
}

static void check_backward_weight(const CeliOps *ops, const Case *c, bool with_db) {
  const int64_t B = c->B, K = c->K, N = c->N, tiles = celi_dense_tiles(K, N);
  const ptrdiff_t ldx = K + 3, lddy = N + 9;
  float *X = kit_pad(c->X, B, K, ldx), *dY = kit_pad(c->dY, B, N, lddy);
  float *dW = kit_pad(NULL, 1, K * N, K * N), *db = kit_pad(NULL, 1, N, N);
  float *exact = kit_alloc((size_t)(K * N) * sizeof *exact);
  float *exact_b = kit_alloc((size_t)N * sizeof *exact);
  oracle_dense_backward_weight_f(exact, exact_b, c->X, c->dY, B, K, N);
  const int64_t cut1 = tiles / 3, cut2 = tiles - tiles / 4;
  const int64_t cuts[] = {0, cut1, cut2, tiles};
  const int64_t rows[] = {0, B / 3, B};
  for (int i = 0; i < 3; i++)
    for (int r = 0; r < 2; r++)
      ops->dense_backward_weight(dW, with_db ? db : NULL, X + rows[r] * ldx, ldx,
                                 dY + rows[r] * lddy, lddy, rows[r + 1] - rows[r], K, N, cuts[i],
                                 cuts[i + 1], r > 0);
  kit_same("dense_backward_weight", dW, K * N, exact, 1, K * N);
  kit_padding_untouched("dense_backward_weight", dW, 1, K * N, K * N);
  if (with_db) kit_same("dense_backward_weight's db", db, N, exact_b, 1, N);
  kit_padding_untouched("dense_backward_weight's db", db, 1, with_db ? N : 0, N);
  free(X);
  free(dY);
  free(dW);
  free(db);
  free(exact);
  free(exact_b);
}

static void check_transpose(const CeliOps *ops, const Case *c) {
  const int64_t K = c->K, N = c->N;
  float *Wt = kit_pad(NULL, 1, K * N, K * N);
  ops->transpose(Wt, c->W, K, N, 0, N / 3);
  ops->transpose(Wt, c->W, K, N, N / 3, N);
  kit_same("transpose", Wt, K * N, c->Wt, 1, K * N);
  kit_padding_untouched("transpose", Wt, 1, K * N, K * N);
  free(Wt);
}

static void check_case(const CeliOps *ops, int64_t B, int64_t K, int64_t N) {
  Case c = case_make(B, K, N);
  const CeliActivation act = ACTS[(B + K + N) % N_ACTS];
  check_forward(ops, &c, act, false, true);
  check_forward(ops, &c, act, true, N % 2);
  check_forward(ops, &c, CELI_RELU, false, true);
  check_backward_data(ops, &c, act);
  check_backward_data(ops, &c, CELI_RELU);
  check_backward_weight(ops, &c, true);
  if (B == 3) check_backward_weight(ops, &c, false);
  if (B == 1) check_transpose(ops, &c);
  case_free(&c);
}

/// All combinations of sizes. Under a sanitizer, which is forty times slower, only every third one.
static void test_odd_sizes(void **state) {
  (void)state;
  const CeliOps *ops;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  const int stride = 3;
#else
  const int stride = 1;
#endif
  for (int t = 0; (ops = celi_ops_at(t)); t++)
    for (int i = 0; i < N_SIZES; i++)
      for (int j = 0; j < N_SIZES; j++)
        for (int k = 0; k < N_SIZES; k++) {
          const int64_t B = SIZES[i], K = SIZES[j], N = SIZES[k];
          if ((i + j + k) % stride == 0 && B * K * N <= 100 * 100 * 257) check_case(ops, B, K, N);
        }
}

/// The sizes that learners use, and their remainders at the edges of tiles.
static void test_usual_sizes(void **state) {
  (void)state;
  static const int64_t sizes[][3] = {{100, 64, 64}, {100, 3, 64},  {100, 64, 1},  {100, 64, 2},
                                     {256, 23, 48}, {37, 64, 12},  {64, 300, 80}, {13, 520, 66},
                                     {5, 64, 4},    {300, 17, 70}, {2, 16, 32},   {600, 5, 5}};
  const CeliOps *ops;
  for (int t = 0; (ops = celi_ops_at(t)); t++)
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
      check_case(ops, sizes[i][0], sizes[i][1], sizes[i][2]);
}

static void test_no_rows(void **state) {
  (void)state;
  const CeliOps *ops;
  for (int t = 0; (ops = celi_ops_at(t)); t++) {
    Case c = case_make(1, 20, 30);
    float dW[600], db[30], zero[600] = {0}, Y[30] = {KIT_SENTINEL};
    ops->dense_backward_weight(dW, db, c.X, 20, c.dY, 30, 0, 20, 30, 0, celi_dense_tiles(20, 30),
                               false);
    kit_same("gradient of no rows", dW, 600, zero, 1, 600);
    kit_same("bias gradient of no rows", db, 30, zero, 1, 30);
    ops->dense_forward(Y, 30, NULL, 0, c.X, 20, c.W, c.b, 1, 1, 20, 30, CELI_RELU);
    assert_true(Y[0] == KIT_SENTINEL);
    case_free(&c);
  }
}

/// A NaN or an infinity reaches exactly the outputs that depend on it, on every code path.
static void test_not_finite(void **state) {
  (void)state;
  static const float values[] = {NAN, INFINITY, -INFINITY};
  static const int64_t widths[] = {1, 4, 23, 64};
  const CeliOps *ops;
  for (int t = 0; (ops = celi_ops_at(t)); t++)
    for (int v = 0; v < 3; v++)
      for (int w = 0; w < 4; w++) {
        Case c = case_make(40, 33, widths[w]);
        c.X[7 * 33 + 5] = values[v];
        c.dY[9 * c.N] = values[v];
        check_forward(ops, &c, CELI_RELU, false, true);
        check_forward(ops, &c, CELI_IDENTITY, true, true);
        check_backward_data(ops, &c, CELI_RELU);
        check_backward_weight(ops, &c, true);
        case_free(&c);
      }
}

/// Every activation gives the same bits on all instruction sets.
static void test_same_bits(void **state) {
  (void)state;
  Case c = case_make(50, 40, 70);
  for (int64_t i = 0; i < 50 * 40; i++) c.X[i] *= 10;
  float *first[3] = {0};
  const int64_t n[3] = {50 * 70, 50 * 40, 50 * 70};
  for (int a = 0; a < N_ACTS; a++) {
    const CeliOps *ops;
    for (int t = 0; (ops = celi_ops_at(t)); t++) {
      float *now[3];
      for (int i = 0; i < 3; i++) now[i] = kit_pad(NULL, 1, n[i], n[i]);
      ops->dense_forward(now[0], 70, NULL, 0, c.X, 40, c.W, c.b, 0, 50, 40, 70, ACTS[a]);
      ops->dense_backward_data(now[1], 40, c.dY, 70, c.Wt, c.X, 40, 0, 50, 40, 70, ACTS[a]);
      ops->activation_backward(now[2], 70, c.dY, 70, now[0], 70, 0, 50, 70, ACTS[a]);
      for (int i = 0; i < 3; i++) {
        if (t == 0)
          first[i] = now[i];
        else {
          kit_same(ops->name, now[i], n[i], first[i], 1, n[i]);
          free(now[i]);
        }
      }
    }
    for (int i = 0; i < 3; i++) free(first[i]);
  }
  case_free(&c);
}

/// Floats with any exponent, also subnormal, with few or many bits set, so that rounding ties are
/// common.
static void fill_any(float *x, int64_t n, uint64_t seed) {
  for (int64_t i = 0; i < n; i++) {
    const uint64_t r = kit_next(&seed);
    uint32_t bits = (uint32_t)r & (r & (UINT64_C(1) << 40) ? 0xffffffffu : 0xfff80000u);
    if (r & (UINT64_C(1) << 41))
      bits = (bits & 0x807fffffu) | (uint32_t)(120 + (r >> 50) % 16) << 23;
    memcpy(&x[i], &bits, sizeof bits);
  }
}

/// Each multiply-add rounds once, also on machines without an FMA instruction.
static void test_single_rounding(void **state) {
  (void)state;
  enum { B = 500, N = 200 };
  Case c = case_make(B, 1, N);
  const CeliOps *ops;
  for (int t = 0; (ops = celi_ops_at(t)); t++)
    for (uint64_t round = 0; round < 10; round++) {
      fill_any(c.X, B, 3 * round + 1);
      fill_any(c.W, N, 3 * round + 2);
      fill_any(c.b, N, 3 * round + 3);
      for (int64_t n = 0; n < N; n += 5) // the sum almost cancels
        c.b[n] = nextafterf(-c.X[n] * c.W[n], round % 2 ? INFINITY : 0);
      check_forward(ops, &c, CELI_IDENTITY, false, true);
    }
  case_free(&c);
}

/// sum of dY * act(X W + b), in double.
static double objective(const double *X, const double *W, const double *b, const double *dY,
                        int64_t B, int64_t K, int64_t N, CeliActivation act) {
  double *Y = kit_alloc((size_t)(B * N) * sizeof *Y), sum = 0;
  oracle_dense_forward_d(Y, NULL, X, W, b, B, K, N, act);
  for (int64_t i = 0; i < B * N; i++) sum += Y[i] * dY[i];
  free(Y);
  return sum;
}

/// The gradients of a layer by the kernels, compared with central differences of the oracle.
static void test_central_differences(void **state) {
  (void)state;
  enum { B = 9, K = 7, N = 11 };
  Case c = case_make(B, K, N);
  double *in[3] = {kit_doubles(c.X, B * K), kit_doubles(c.W, K * N), kit_doubles(c.b, N)};
  double *dY = kit_doubles(c.dY, B * N);
  const int64_t size[3] = {B * K, K * N, N};
  const CeliOps *ops;
  for (int t = 0; (ops = celi_ops_at(t)); t++)
    for (int a = 0; a < N_ACTS; a++) {
      float Y[B * N], Z[B * N], dZ[B * N], dX[B * K], dW[K * N], db[N];
      ops->dense_forward(Y, N, Z, N, c.X, K, c.W, c.b, 0, B, K, N, ACTS[a]);
      const float *A = ACTS[a] == CELI_SILU || ACTS[a] == CELI_GELU ? Z : Y;
      ops->activation_backward(dZ, N, c.dY, N, A, N, 0, B, N, ACTS[a]);
      ops->dense_backward_data(dX, K, dZ, N, c.Wt, NULL, 0, 0, B, K, N, CELI_IDENTITY);
      ops->dense_backward_weight(dW, db, c.X, K, dZ, N, B, K, N, 0, celi_dense_tiles(K, N), false);
      const float *grad[3] = {dX, dW, db};
      for (int i = 0; i < 3; i++)
        for (int64_t j = 0; j < size[i]; j++) {
          const double kept = in[i][j], h = 1e-6;
          in[i][j] = kept + h;
          const double up = objective(in[0], in[1], in[2], dY, B, K, N, ACTS[a]);
          in[i][j] = kept - h;
          const double down = objective(in[0], in[1], in[2], dY, B, K, N, ACTS[a]);
          in[i][j] = kept;
          const double slope = (up - down) / (2 * h);
          if (!(fabs((double)grad[i][j] - slope) <= 1e-5 * (1 + fabs(slope))))
            fail_msg("%s, activation %d: gradient %d[%lld] is %.9g, finite differences give %.9g",
                     ops->name, a, i, (long long)j, (double)grad[i][j], slope);
        }
    }
  for (int i = 0; i < 3; i++) free(in[i]);
  free(dY);
  case_free(&c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_odd_sizes),
      cmocka_unit_test(test_usual_sizes),
      cmocka_unit_test(test_no_rows),
      cmocka_unit_test(test_not_finite),
      cmocka_unit_test(test_single_rounding),
      cmocka_unit_test(test_same_bits),
      cmocka_unit_test(test_central_differences),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
