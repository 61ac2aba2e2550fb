/// Gaussian samples and the arithmetic of soft actor-critic, compared with oracles and central
/// differences.
#include "kit.h"
#include "oracle.h"

enum { B = 21, MAX_A = 6, HEAD = 2 * MAX_A };

typedef struct Sample {
  int64_t A;
  float *head;    // (B,2A): mean, log_std
  float *log_row; // (A,): one row for all
  float *eps, *d_action, *d_logp;
} Sample;

static Sample sample_make(int64_t A) {
  return (Sample){A,
                  kit_floats(B * 2 * A, 1),
                  kit_floats(A, 2),
                  kit_floats(B * A, 3),
                  kit_floats(B * A, 4),
                  kit_floats(B, 5)};
}

static void sample_free(Sample *c) {
  free(c->head);
  free(c->log_row);
  free(c->eps);
  free(c->d_action);
  free(c->d_logp);
}

static const float *row_log_std(const Sample *c, bool shared, int64_t r) {
  return shared ? c->log_row : c->head + r * 2 * c->A + c->A;
}

/// One run that writes action (B, row stride A + 3), u and logp, in two pieces.
static void sample_run(const CeliOps *ops, const Sample *c, bool shared, bool squash, float *action,
                       float *u, float *logp) {
  const int64_t cuts[] = {0, 5, B};
  for (int i = 0; i < 2; i++)
    ops->gaussian_sample(action, c->A + 3, u, logp, c->head, 2 * c->A, row_log_std(c, shared, 0),
                         shared ? 0 : 2 * c->A, c->eps, cuts[i], cuts[i + 1], c->A, squash);
}

static void check_sample(const CeliOps *ops, const Sample *c, bool shared, bool squash) {
  const int64_t A = c->A;
  float *action = kit_pad(NULL, B, A, A + 3), *u = kit_pad(NULL, B, A, A);
  float *logp = kit_pad(NULL, 1, B, B);
  sample_run(ops, c, shared, squash, action, u, logp);
  for (int64_t r = 0; r < B; r++) {
    float oracle_action[MAX_A], oracle_u[MAX_A];
    const double exact =
        (double)oracle_gaussian_sample_f(oracle_action, oracle_u, c->head + r * 2 * A,
                                         row_log_std(c, shared, r), c->eps + r * A, A, squash);
    if (fabs((double)logp[r] - exact) > 2e-6 * (double)(A + 1) * (1 + fabs(exact)))
      fail_msg("%s: logp[%lld] is %.9g, expected %.9g", ops->name, (long long)r, (double)logp[r],
               exact);
    for (int64_t a = 0; a < A; a++) {
      assert_true(fabsf(action[r * (A + 3) + a] - oracle_action[a]) < 1e-6f);
      assert_true(fabsf(u[r * A + a] - oracle_u[a]) < 2e-6f);
    }
  }
  kit_padding_untouched("gaussian_sample", action, B, A, A + 3);
  kit_padding_untouched("gaussian_sample's logp", logp, 1, B, B);
  free(action);
  free(u);
  free(logp);
}

static void test_sample(void **state) {
  (void)state;
  const CeliOps *ops;
  for (int t = 0; (ops = celi_ops_at(t)); t++)
    for (int64_t A = 1; A <= MAX_A; A++) {
      Sample c = sample_make(A);
      for (int which = 0; which < 4; which++) check_sample(ops, &c, which & 1, which & 2);
      sample_free(&c);
    }
}

/// For extreme u, where tanh is 1 in float32, the log-prob is finite and right.
static void test_sample_saturated(void **state) {
  (void)state;
  const float mean[2] = {30, -30}, log_std[2] = {-20, -20}, eps[2] = {0.5f, -1};
  const CeliOps *ops;
  for (int t = 0; (ops = celi_ops_at(t)); t++) {
    float action[2], u[2], logp[2];
    ops->gaussian_sample(action, 1, u, logp, mean, 1, log_std, 1, eps, 0, 2, 1, true);
    for (int r = 0; r < 2; r++) {
      const double x = 30;
      const double exact = -0.5 * (double)eps[r] * (double)eps[r] + 20 - 0.5 * log(2 * acos(-1.0)) -
                           2 * (log(2.0) - x);
      assert_true(fabs((double)logp[r] - exact) < 1e-4 && fabsf(action[r]) == 1);
    }
  }
}

/// sum of d_action * action + d_logp * logp of row r, in double.
static double objective(const Sample *c, int64_t r, const double *mean, const double *log_std,
                        const double *eps, bool squash) {
  double action[MAX_A], u[MAX_A];
  double sum =
      (double)c->d_logp[r] * oracle_gaussian_sample_d(action, u, mean, log_std, eps, c->A, squash);
  for (int64_t a = 0; a < c->A; a++) sum += (double)c->d_action[r * c->A + a] * action[a];
  return sum;
}

static void check_sample_backward(const CeliOps *ops, const Sample *c, bool shared, bool squash) {
  const int64_t A = c->A;
  const ptrdiff_t ldh = 2 * A;
  float *action = kit_pad(NULL, B, A, A + 3), u[B * MAX_A], logp[B], d_head[B * HEAD];
  sample_run(ops, c, shared, squash, action, u, logp);
  const float *log_std = row_log_std(c, shared, 0);
  const int64_t cuts[] = {0, 7, B};
  for (int i = 0; i < 2; i++)
    ops->gaussian_sample_backward(d_head, ldh, d_head + A, ldh, c->d_action, A, c->d_logp, action,
                                  A + 3, log_std, shared ? 0 : ldh, c->eps, NULL, 0, 0, 0, cuts[i],
                                  cuts[i + 1], A, squash);
  for (int64_t r = 0; r < B; r++)
    for (int64_t i = 0; i < 2 * A; i++) {
      double in[HEAD], eps[MAX_A], h = 1e-6;
      for (int64_t a = 0; a < A; a++) {
        in[a] = (double)c->head[r * 2 * A + a];
        in[A + a] = (double)row_log_std(c, shared, r)[a];
        eps[a] = (double)c->eps[r * A + a];
      }
      const double kept = in[i];
      in[i] = kept + h;
      const double up = objective(c, r, in, in + A, eps, squash);
      in[i] = kept - h;
      const double down = objective(c, r, in, in + A, eps, squash);
      const double slope = (up - down) / (2 * h);
      if (!(fabs((double)d_head[r * ldh + i] - slope) <= 3e-6 * (1 + fabs(slope))))
        fail_msg("%s: gradient [%lld,%lld] is %.9g, finite differences give %.9g", ops->name,
                 (long long)r, (long long)i, (double)d_head[r * ldh + i], slope);
    }
  free(action);
}

static void test_sample_backward(void **state) {
  (void)state;
  const CeliOps *ops;
  for (int t = 0; (ops = celi_ops_at(t)); t++)
    for (int64_t A = 1; A <= MAX_A; A++) {
      Sample c = sample_make(A);
      for (int which = 0; which < 4; which++) check_sample_backward(ops, &c, which & 1, which & 2);
      sample_free(&c);
    }
}

/// The gradient is zero exactly where log_std was clamped. NaN passes through.
static void test_clamp_gate(void **state) {
  (void)state;
  const float raw[5] = {-21, -20, 0, 2, 2.5f}, zero[5] = {0}, one[5] = {1, 1, 1, 1, 1};
  const CeliOps *ops;
  for (int t = 0; (ops = celi_ops_at(t)); t++) {
    float dm[5], ds[5];
    const float half[5] = {0.5f, 0.5f, 0.5f, 0.5f, 0.5f};
    ops->gaussian_sample_backward(dm, 1, ds, 1, one, 1, half, zero, 1, zero, 1, one, raw, 1, -20, 2,
                                  0, 5, 1, true);
    assert_true(ds[0] == 0 && ds[1] == 0.5f && ds[2] == 0.5f && ds[3] == 0.5f && ds[4] == 0);
    const float nan[1] = {NAN};
    ops->gaussian_sample_backward(dm, 1, ds, 1, nan, 1, half, zero, 1, zero, 1, one, raw + 2, 1,
                                  -20, 2, 0, 1, 1, true);
    assert_true(isnan(dm[0]) && isnan(ds[0]));
  }
}

// ---- soft actor-critic

static double reduce(const float *Q, int64_t E, int64_t b, bool mean) {
  double q = mean ? 0 : INFINITY;
  for (int64_t e = 0; e < E; e++)
    q = mean ? q + (double)Q[e * B + b] / (double)E : fmin(q, (double)Q[e * B + b]);
  return q;
}

static void check_losses(const CeliOps *ops, int64_t E, bool mean) {
  float *Q = kit_floats(E * B, 21), *logp = kit_floats(B, 22), *reward = kit_floats(B, 23);
  float *discount = kit_floats(B, 24), *target = kit_floats(B, 25);
  const float alpha = 0.3f, scale = 1.0f / B;
  float y[B], dQ[5 * B], loss[5 * B], q[B], actor_loss[B], d_actor[5 * B];
  const int64_t cuts[] = {0, 10, B};
  for (int i = 0; i < 2; i++) {
    ops->soft_target(y, reward, discount, Q, logp, &alpha, E, B, cuts[i], cuts[i + 1], mean);
    ops->squared_error(dQ, loss, Q, target, scale, E, B, cuts[i], cuts[i + 1]);
    ops->actor_objective(d_actor, q, actor_loss, Q, logp, &alpha, scale, E, B, cuts[i], cuts[i + 1],
                         mean);
  }
  for (int64_t b = 0; b < B; b++) {
    const double best = reduce(Q, E, b, mean), a = (double)alpha, s = (double)scale;
    const double soft = best - a * (double)logp[b];
    assert_true(fabs((double)y[b] - ((double)reward[b] + (double)discount[b] * soft)) < 1e-6);
    assert_true(fabs((double)q[b] - best) < 1e-6 && fabs((double)actor_loss[b] + soft) < 1e-6);
    bool met = false;
    for (int64_t e = 0; e < E; e++) {
      const double d = (double)Q[e * B + b] - (double)target[b];
      assert_true(fabs((double)dQ[e * B + b] - s * d) < 1e-7);
      assert_true(fabs((double)loss[e * B + b] - d * d / 2) < 1e-6);
      const bool here = !met && Q[e * B + b] == (float)best;
      met = met || here;
      const double expected = mean ? -s / (double)E : here ? -s : 0;
      assert_true(fabs((double)d_actor[e * B + b] - expected) < 1e-8);
    }
  }
  free(Q), free(logp), free(reward), free(discount), free(target);
}

static void test_losses(void **state) {
  (void)state;
  const CeliOps *ops;
  for (int t = 0; (ops = celi_ops_at(t)); t++)
    for (int64_t E = 1; E <= 5; E++) {
      check_losses(ops, E, false);
      check_losses(ops, E, true);
    }
}

/// Rows of a batch that is cut, against the sums in double precision.
static void check_quantiles(const CeliOps *ops, int64_t M, int64_t K) {
  float *Z = kit_floats(B * M, 31), *y = kit_floats(B * K, 32), *dZ = kit_floats(B * M, 33);
  float loss[B];
  const float scale = 1.0f / B;
  const int64_t cuts[] = {0, 10, B};
  for (int i = 0; i < 2; i++)
    ops->quantile_huber(dZ, loss, Z, y, scale, M, K, cuts[i], cuts[i + 1]);
  for (int64_t b = 0; b < B; b++) {
    double sum = 0;
    for (int64_t j = 0; j < M; j++) {
      const double tau = (2 * (double)j + 1) / (2 * (double)M);
      double slope = 0;
      for (int64_t i = 0; i < K; i++) {
        const double d = (double)y[b * K + i] - (double)Z[b * M + j];
        const double weight = d < 0 ? 1 - tau : tau;
        sum += weight * (fabs(d) <= 1 ? d * d / 2 : fabs(d) - 0.5);
        slope -= weight * (d < -1 ? -1 : d > 1 ? 1 : d);
      }
      const double expected = slope * (double)scale / (double)(M * K);
      assert_true(fabs((double)dZ[b * M + j] - expected) < 1e-7);
    }
    assert_true(fabs((double)loss[b] - sum / (double)(M * K)) < 1e-6);
  }
  Z[3] = NAN; // of row 3 / M
  ops->quantile_huber(dZ, loss, Z, y, scale, M, K, 0, B);
  assert_true(isnan(dZ[3]) && isnan(loss[3 / M]) && !isnan(loss[B - 1]));
  free(Z), free(y), free(dZ);
}

static void test_quantiles(void **state) {
  (void)state;
  static const int64_t sizes[][2] = {{1, 1}, {5, 3}, {25, 46}, {3, 150}};
  const CeliOps *ops;
  for (int t = 0; (ops = celi_ops_at(t)); t++)
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
      check_quantiles(ops, sizes[i][0], sizes[i][1]);
}

static void test_ties_and_nan(void **state) {
  (void)state;
  const float Q[3 * 2] = {1, 2, 1, NAN, 0.5f, 3}, logp[2] = {0}, alpha = 1;
  const CeliOps *ops;
  for (int t = 0; (ops = celi_ops_at(t)); t++) {
    float dQ[6], q[2], loss[2];
    ops->actor_objective(dQ, q, loss, Q, logp, &alpha, 1, 2, 2, 0, 1, false);
    assert_true(dQ[0] == -1 && dQ[2] == 0); // on a tie, the first one
    ops->actor_objective(dQ, q, loss, Q, logp, &alpha, 1, 3, 2, 0, 2, false);
    assert_true(dQ[0] == 0 && dQ[2] == 0 && dQ[4] == -1);
    assert_true(isnan(q[1]) && isnan(loss[1]) && dQ[1] == 0 && dQ[3] == -1 && dQ[5] == 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sample),          cmocka_unit_test(test_sample_saturated),
      cmocka_unit_test(test_sample_backward), cmocka_unit_test(test_clamp_gate),
      cmocka_unit_test(test_losses),          cmocka_unit_test(test_ties_and_nan),
      cmocka_unit_test(test_quantiles),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
