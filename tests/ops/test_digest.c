/// One digest of all results of all kernels. It is the same on every instruction set, compiler and
/// processor, and this file contains its value. So a single machine, for example an ARM core or
/// qemu, checks itself against all others. A change that alters bits on purpose must update the
/// value.
#include "celsius/rng.h"
#include "kit.h"

#define DIGEST UINT64_C(0x721ebcf9fb6d226b)

typedef struct Digest {
  uint64_t value;
} Digest;

/// FNV-1a over the bits of n floats. All NaNs count as equal.
static void digest_add(Digest *d, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    uint32_t bits;
    memcpy(&bits, &x[i], sizeof bits);
    if (x[i] != x[i]) bits = 0x7fc00000;
    for (int byte = 0; byte < 4; byte++)
      d->value = (d->value ^ (bits >> (8 * byte) & 255)) * UINT64_C(0x100000001b3);
  }
}

static void digest_dense(Digest *d, const CeliOps *ops, int64_t B, int64_t K, int64_t N) {
  float *X = kit_floats(B * K, 1), *W = kit_floats(K * N, 2), *b = kit_floats(N, 3);
  float *Y = kit_floats(B * N, 4), *Z = kit_floats(B * N, 4), *dX = kit_floats(B * K, 4);
  float *Wt = kit_floats(K * N, 4), *db = kit_floats(N, 4);
  for (int act = 0; act < 4; act++) {
    const CeliActivation a = (CeliActivation)act;
    ops->dense_forward(Y, N, Z, N, X, K, W, b, 0, B, K, N, a);
    digest_add(d, Y, B * N);
    ops->activation_backward(Y, N, Y, N, Z, N, 0, B, N, a);
    digest_add(d, Y, B * N);
    ops->transpose(Wt, W, K, N, 0, N);
    ops->dense_backward_data(dX, K, Y, N, Wt, X, K, 0, B, K, N, a);
    digest_add(d, dX, B * K);
    ops->dense_backward_weight(Wt, db, X, K, Y, N, B, K, N, 0, celi_dense_tiles(K, N), false);
    digest_add(d, Wt, K * N);
    digest_add(d, db, N);
  }
  free(X), free(W), free(b), free(Y), free(Z), free(dX), free(Wt), free(db);
}

static void digest_maps(Digest *d, const CeliOps *ops) {
  enum { N = 4001 };
  float *x = kit_floats(N, 5), *y = kit_floats(N, 6);
  for (int i = 0; i < N; i++) x[i] *= ldexpf(1, i % 60 - 40);
  x[0] = NAN, x[1] = INFINITY, x[2] = -INFINITY, x[3] = 1e-40f, x[4] = -0.0f;
  void (*const maps[])(float *, const float *, int64_t) = {ops->exp, ops->log, ops->tanh,
                                                           ops->sigmoid, ops->softplus};
  for (int f = 0; f < 5; f++) {
    maps[f](y, x, N);
    digest_add(d, y, N);
  }
  x[0] = x[1] = x[2] = 0;
  ops->axpby(y, 0.3f, x, 0.7f, N);
  ops->clamp(y, y, -1, 2, N);
  digest_add(d, y, N);
  const float reduced[3] = {ops->sum(x, N), ops->sum_squares(x, N), ops->max(x, N)};
  digest_add(d, reduced, 3);
  CeliAdamStep step = {.learning_rate = 1e-3f,
                       .beta1 = 0.9,
                       .beta2 = 0.999,
                       .epsilon = 1e-8f,
                       .weight_decay = 0.01f,
                       .grad_scale = 0.9f};
  float *m = kit_pad(x, 1, N, N), *v = kit_pad(NULL, 1, N, N);
  ops->fill(v, 0, N);
  celi_adam_advance(&step);
  ops->adam(y, x, m, v, &step, 0, N);
  ops->polyak(m, y, 0.005f, 0, N);
  digest_add(d, y, N);
  digest_add(d, m, N);
  digest_add(d, v, N);
  free(x), free(y), free(m), free(v);
}

static void digest_rows(Digest *d, const CeliOps *ops) {
  enum { B = 9, N = 37 };
  float *X = kit_floats(B * N, 7), *g = kit_floats(N, 8), *b = kit_floats(N, 9);
  float Y[B * N], dX[B * N], stats[2 * B], lse[B], dg[N], db[N];
  ops->layer_norm_forward(Y, N, NULL, 0, stats, X, N, g, b, 1e-5f, 0, B, N, CELI_SILU);
  ops->layer_norm_backward(dX, N, Y, N, X, N, stats, g, 0, B, N);
  ops->layer_norm_backward_gain(dg, db, Y, N, X, N, stats, B, 0, N, false);
  digest_add(d, Y, B * N);
  digest_add(d, dX, B * N);
  digest_add(d, dg, N);
  digest_add(d, db, N);
  ops->logsumexp(lse, X, N, 0.7f, 0, B, N);
  ops->log_softmax(Y, N, X, N, 0, B, N);
  digest_add(d, lse, B);
  digest_add(d, Y, B * N);
  free(X), free(g), free(b);
}

static void digest_policy(Digest *d, const CeliOps *ops) {
  enum { B = 45, A = 5 };
  float *head = kit_floats(B * 2 * A, 10), *d_action = kit_floats(B * A, 11);
  float *d_logp = kit_floats(B, 12), eps[B * A], action[B * A], u[B * A], logp[B];
  float d_head[B * 2 * A], alpha = 0.2f, y[B], loss[2 * B], dQ[2 * B];
  ops->normal(eps, 99, CEL_RNG_NOISE, 3, 0xfffffffe, 0, B * A);
  digest_add(d, eps, B * A);
  ops->gaussian_sample(action, A, u, logp, head, 2 * A, head + A, 2 * A, eps, 0, B, A, true);
  ops->gaussian_sample_backward(d_head, 2 * A, d_head + A, 2 * A, d_action, A, d_logp, action, A,
                                head + A, 2 * A, eps, head + A, 2 * A, -0.5f, 0.5f, 0, B, A, true);
  digest_add(d, action, B * A);
  digest_add(d, logp, B);
  digest_add(d, d_head, B * 2 * A);
  ops->soft_target(y, d_action, head, head + B, logp, &alpha, 2, B, 0, B, false);
  ops->squared_error(dQ, loss, head, y, 1.0f / B, 2, B, 0, B);
  digest_add(d, dQ, 2 * B);
  digest_add(d, loss, 2 * B);
  ops->actor_objective(dQ, y, loss, head, logp, &alpha, 1.0f / B, 2, B, 0, B, true);
  digest_add(d, y, B);
  digest_add(d, dQ, 2 * B);
  ops->uniform(eps, 99, CEL_RNG_SAMPLE, 3, 5, 0, B * A);
  digest_add(d, eps, B * A);
  free(head), free(d_action), free(d_logp);
}

static uint64_t digest_all(const CeliOps *ops) {
  Digest d = {UINT64_C(0xcbf29ce484222325)};
  for (int i = 0; i < N_SIZES; i++)
    digest_dense(&d, ops, SIZES[i], SIZES[(i + 2) % N_SIZES], SIZES[(i + 3) % N_SIZES]);
  digest_dense(&d, ops, 60, 64, 64);
  digest_dense(&d, ops, 60, 64, 2);
  digest_maps(&d, ops);
  digest_rows(&d, ops);
  digest_policy(&d, ops);
  return d.value;
}

static void test_digest(void **state) {
  (void)state;
  const CeliOps *ops;
  for (int t = 0; (ops = celi_ops_at(t)); t++) {
    const uint64_t found = digest_all(ops);
    if (found != DIGEST)
      fail_msg("%s: digest %016llx, expected %016llx", ops->name, (unsigned long long)found,
               (unsigned long long)DIGEST);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_digest)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
