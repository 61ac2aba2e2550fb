/// Layer norm, log-sum-exp and log-softmax compared with oracles and central differences.
#include "kit.h"
#include "oracle.h"

typedef struct Norm {
  int64_t B, N;
  float *X, *g, *b, *dZ;
} Norm;

static Norm norm_make(int64_t B, int64_t N) {
  Norm c = {B, N, kit_floats(B * N, 1), kit_floats(N, 2), kit_floats(N, 3), kit_floats(B * N, 4)};
  for (int64_t i = 0; i < B * N; i++) c.X[i] = 3 * c.X[i] + 1;
  return c;
}

static void norm_free(Norm *c) {
  free(c->X);
  free(c->g);
  free(c->b);
  free(c->dZ);
}

/// Compares the forward pass with the oracle in double, and its bits with those of the first
/// instruction set, in *first.
static void check_forward(const CeliOps *ops, const Norm *c, CeliActivation act, float **first) {
  const int64_t B = c->B, N = c->N;
  const ptrdiff_t ldx = N + 2, ldy = N + 1, ldz = N + 4;
  double *X = kit_doubles(c->X, B * N), *g = kit_doubles(c->g, N), *b = kit_doubles(c->b, N);
  double *Y = kit_alloc((size_t)(B * N) * sizeof *Y), *Z = kit_alloc((size_t)(B * N) * sizeof *Z);
  double *stats = kit_alloc((size_t)(2 * B) * sizeof *stats);
  oracle_layer_norm_forward_d(Y, Z, stats, X, g, b, (double)1e-5f, B, N, act);
  float *x = kit_pad(c->X, B, N, ldx), *y = kit_pad(NULL, B, N, ldy), *z = kit_pad(NULL, B, N, ldz);
  float *s = kit_pad(NULL, B, 2, 2);
  ops->layer_norm_forward(y, ldy, z, ldz, s, x, ldx, c->g, c->b, 1e-5f, 0, B / 2, N, act);
  ops->layer_norm_forward(y, ldy, NULL, 0, s, x, ldx, c->g, c->b, 1e-5f, B / 2, B, N, act);
  kit_near("layer_norm_forward", y, ldy, Y, B, N, N == 1 ? 1e-2 : 1e-5);
  kit_near("layer_norm_forward's Z", z, ldz, Z, B / 2, N, N == 1 ? 1e-2 : 1e-5);
  kit_padding_untouched("layer_norm_forward", y, B, N, ldy);
  kit_padding_untouched("layer_norm_forward's stats", s, B, 2, 2);
  float *packed = kit_alloc((size_t)(B * N) * sizeof *packed);
  for (int64_t r = 0; r < B; r++) memcpy(packed + r * N, y + r * ldy, (size_t)N * sizeof *y);
  if (*first) {
    kit_same(ops->name, packed, N, *first, B, N);
    free(packed);
  } else {
    *first = packed;
  }
  free(X), free(g), free(b), free(Y), free(Z), free(stats), free(x), free(y), free(z), free(s);
}

static void test_layer_norm_forward(void **state) {
  (void)state;
  for (int i = 0; i < N_SIZES; i++)
    for (int act = 0; act < 4; act++) {
      Norm c = norm_make(5, SIZES[i]);
      float *first = NULL;
      const CeliOps *ops;
      for (int t = 0; (ops = celi_ops_at(t)); t++)
        check_forward(ops, &c, (CeliActivation)act, &first);
      free(first);
      norm_free(&c);
    }
}

/// sum of dZ * layer_norm(X), in double.
static double norm_objective(const double *X, const double *g, const double *b, const double *dZ,
                             int64_t B, int64_t N) {
  double *Y = kit_alloc((size_t)(B * N) * sizeof *Y), sum = 0;
  double *stats = kit_alloc((size_t)(2 * B) * sizeof *stats);
  oracle_layer_norm_forward_d(Y, NULL, stats, X, g, b, 1e-5, B, N, CELI_IDENTITY);
  for (int64_t i = 0; i < B * N; i++) sum += Y[i] * dZ[i];
  free(Y);
  free(stats);
  return sum;
}

static void test_layer_norm_backward(void **state) {
  (void)state;
  static const int64_t widths[] = {3, 16, 23, 70};
  const CeliOps *ops;
  for (int t = 0; (ops = celi_ops_at(t)); t++)
    for (int w = 0; w < 4; w++) {
      const int64_t B = 6, N = widths[w];
      Norm c = norm_make(B, N);
      double *in[3] = {kit_doubles(c.X, B * N), kit_doubles(c.g, N), kit_doubles(c.b, N)};
      double *dZ = kit_doubles(c.dZ, B * N);
      float Y[6 * 70], stats[12], dX[6 * 70], dg[70], db[70];
      ops->layer_norm_forward(Y, N, NULL, 0, stats, c.X, N, c.g, c.b, 1e-5f, 0, B, N,
                              CELI_IDENTITY);
      ops->layer_norm_backward(dX, N, c.dZ, N, c.X, N, stats, c.g, 0, 2, N);
      ops->layer_norm_backward(dX, N, c.dZ, N, c.X, N, stats, c.g, 2, B, N);
      ops->layer_norm_backward_gain(dg, db, c.dZ, N, c.X, N, stats, B, 0, N / 2, false);
      ops->layer_norm_backward_gain(dg, db, c.dZ, N, c.X, N, stats, 2, N / 2, N, false);
      ops->layer_norm_backward_gain(dg, db, c.dZ + 2 * N, N, c.X + 2 * N, N, stats + 4, B - 2,
                                    N / 2, N, true);
      const float *grad[3] = {dX, dg, db};
      const int64_t size[3] = {B * N, N, N};
      for (int i = 0; i < 3; i++)
        for (int64_t j = 0; j < size[i]; j++) {
          const double kept = in[i][j], h = 1e-5;
          in[i][j] = kept + h;
          const double up = norm_objective(in[0], in[1], in[2], dZ, B, N);
          in[i][j] = kept - h;
          const double down = norm_objective(in[0], in[1], in[2], dZ, B, N);
          in[i][j] = kept;
          const double slope = (up - down) / (2 * h);
          if (!(fabs((double)grad[i][j] - slope) <= 2e-5 * (1 + fabs(slope))))
            fail_msg("%s: gradient %d[%lld] is %.9g, finite differences give %.9g", ops->name, i,
                     (long long)j, (double)grad[i][j], slope);
        }
      for (int i = 0; i < 3; i++) free(in[i]);
      free(dZ);
      norm_free(&c);
    }
}

static void test_logsumexp(void **state) {
  (void)state;
  for (int i = 0; i < N_SIZES; i++) {
    const int64_t B = 7, N = SIZES[i];
    const ptrdiff_t ld = N + 3;
    float *x = kit_floats(B * N, 5);
    for (int64_t j = 0; j < B * N; j++) x[j] *= 300; // exp would overflow
    float *X = kit_pad(x, B, N, ld), first[7 + 7 * 257];
    const CeliOps *ops;
    for (int t = 0; (ops = celi_ops_at(t)); t++) {
      float y[7], *soft = kit_pad(NULL, B, N, ld), packed[7 + 7 * 257];
      ops->logsumexp(y, X, ld, 2.5f, 0, 3, N);
      ops->logsumexp(y, X, ld, 2.5f, 3, B, N);
      ops->log_softmax(soft, ld, X, ld, 0, 4, N);
      ops->log_softmax(soft, ld, X, ld, 4, B, N);
      kit_padding_untouched("log_softmax", soft, B, N, ld);
      for (int64_t r = 0; r < B; r++) {
        const double exact = (double)oracle_logsumexp_f(x + r * N, 2.5f, N);
        assert_true(fabs((double)y[r] - exact) <= 1e-6 * (1 + fabs(exact)));
        double total = 0;
        for (int64_t n = 0; n < N; n++) total += exp((double)soft[r * ld + n]);
        assert_true(fabs(total - 1) <= 1e-4); // x up to 300: half an ulp of it is 1.5e-5
        packed[r] = y[r];
        memcpy(packed + B + r * N, soft + r * ld, (size_t)N * sizeof(float));
      }
      if (t > 0)
        kit_same("log-sum-exp on two sets", packed, B + B * N, first, 1, B + B * N);
      else
        memcpy(first, packed, (size_t)(B + B * N) * sizeof(float));
      free(soft);
    }
    free(X);
    free(x);
  }
}

static void test_logsumexp_not_finite(void **state) {
  (void)state;
  const CeliOps *ops;
  for (int t = 0; (ops = celi_ops_at(t)); t++) {
    const float x[4][2] = {{NAN, 1}, {-INFINITY, -INFINITY}, {INFINITY, 0}, {-INFINITY, 2}};
    float y[4];
    ops->logsumexp(y, x[0], 2, 1, 0, 4, 2);
    assert_true(isnan(y[0]) && y[1] == -INFINITY && y[2] == INFINITY && y[3] == 2);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_layer_norm_forward),
      cmocka_unit_test(test_layer_norm_backward),
      cmocka_unit_test(test_logsumexp),
      cmocka_unit_test(test_logsumexp_not_finite),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
