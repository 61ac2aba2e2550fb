/// Soft Q-learning with continuous actions compared with PyTorch in float64
/// (tests/golden/torch_sqlc.py), its sampler on a known density, and the tests of every learner.
#include "algo/sqlc_value.h"
#include "celsius/sqlc.h"
#include "learner_test.h"

static const LearnerCase cases[] = {
    {"median", {{"ent_coef", "0.3"}}},
    {"wide", {{"bandwidth", "2"}, {"activation", "tanh"}, {"updated_particles", "3"}}},
    {"policy", {{"value_proposal", "policy"}, {"ent_coef", "0.3"}}},
    {"one-layer", {{"net_arch", "9"}, {"normalize_observation", "true"}, {"value_particles", "1"}}},
};
static const Learner sqlc = {.algo = "sqlc",
                             .settings = {{"net_arch", "6,5"},
                                          {"batch_size", "7"},
                                          {"buffer_size", "200"},
                                          {"learning_starts", "1000000"},
                                          {"learning_rate", "0"},
                                          {"value_particles", "8"},
                                          {"fixed_particles", "6"},
                                          {"updated_particles", "5"},
                                          {"gamma", "0.9"},
                                          {"tau", "0"}},
                             .cases = cases,
                             .n_cases = sizeof cases / sizeof cases[0],
                             .compared = 10};

static void test_bad_input(void **state) {
  (void)state;
  learner_bad_input(&sqlc);
  learner_nan_is_told(&sqlc, "critic.0.bias");
}

// ---- soft values by importance sampling, for a Q of one action on [-1, 1]

static double bumpy(double a) {
  return cos(3 * a) + 0.5 * a;
}

/// A proposal with the density (2 + a)/4 (tilted), or uniform; x is uniform on [0, 1).
static double propose(bool tilted, double x, double *density) {
  const double a = tilted ? sqrt(1 + 8 * x) - 2 : 2 * x - 1;
  *density = tilted ? (2 + a) / 4 : 0.5;
  return a;
}

/// Z = E[w] and Var(w) of w = exp(Q/alpha)/q by quadrature.
static void weight_moments(bool tilted, double alpha, double *Z, double *variance) {
  enum { CELLS = 20000 };
  double square = 0, density;
  *Z = 0;
  for (int i = 0; i < CELLS; i++) {
    const double x = (i + 0.5) / CELLS, w = exp(bumpy(propose(tilted, x, &density)) / alpha);
    *Z += w / density / CELLS, square += w * w / (density * density) / CELLS;
  }
  *variance = square - *Z * *Z;
}

typedef struct Mean {
  double sum, square;
  int64_t n;
} Mean;
static void mean_add(Mean *m, double x) {
  m->sum += x, m->square += x * x, m->n++;
}
/// Distance from `expected` in standard errors.
static double mean_away(const Mean *m, double expected) {
  const double n = (double)m->n, mean = m->sum / n;
  return (mean - expected) / sqrt((m->square / n - mean * mean) / n);
}

/// Estimates are within 4 standard errors of quadrature. V is too low by alpha Var(w)/(2 n Z^2),
/// which is large enough to be seen.
static void test_soft_value(void **state) {
  (void)state;
  enum { N = 128, TRIALS = 40000 };
  const double alpha = 0.3;
  for (int tilted = 0; tilted < 2; tilted++) {
    double Z, variance, density;
    float Q[N], log_q[N], V;
    Mean exponential = {0}, value = {0};
    CelRng rng = cel_rng(21 + (uint64_t)tilted, CEL_RNG_USER, 0);
    weight_moments(tilted, alpha, &Z, &variance);
    for (int t = 0; t < TRIALS; t++) {
      for (int i = 0; i < N; i++) {
        Q[i] = (float)bumpy(propose(tilted, cel_rng_range(&rng, 0, 1), &density));
        log_q[i] = (float)log(density);
      }
      assert_int_equal(cel_soft_value_estimate(&V, Q, Q, log_q, alpha, N, 1), CEL_OK);
      mean_add(&value, (double)V), mean_add(&exponential, exp((double)V / alpha));
    }
    const double exact = alpha * log(Z), bias = -alpha * variance / (2 * N * Z * Z),
                 unbiased = mean_away(&exponential, Z), corrected = mean_away(&value, exact + bias),
                 plain = mean_away(&value, exact);
    print_message("%s proposal: exp(V/alpha) %.1f standard errors from Z; V %.1f from V* with its "
                  "bias, %.1f without\n",
                  tilted ? "tilted" : "uniform", unbiased, corrected, plain);
    assert_true(fabs(unbiased) <= 4 && fabs(corrected) <= 4 && plain < -6);
  }
}

/// With a proposal proportional to exp(Q/alpha) every estimate is exact, even from one action.
static void test_perfect_proposal(void **state) {
  (void)state;
  enum { B = 50, N = 3 };
  const double alpha = 0.3;
  double Z, variance, density;
  float Q[B * N], log_q[B * N], log_w[B * N], V[B];
  CelRng rng = cel_rng(23, CEL_RNG_USER, 0);
  weight_moments(false, alpha, &Z, &variance);
  for (int i = 0; i < B * N; i++) {
    const double q = bumpy(propose(false, cel_rng_range(&rng, 0, 1), &density));
    Q[i] = (float)q, log_q[i] = (float)(q / alpha - log(Z));
  }
  assert_int_equal(cel_soft_value_estimate(V, log_w, Q, log_q, alpha, N, B), CEL_OK);
  for (int b = 0; b < B; b++)
    if (!(fabs((double)V[b] - alpha * log(Z)) <= 1e-6))
      fail_msg("estimate %d is %.9g, not %.9g", b, (double)V[b], alpha * log(Z));
  assert_int_equal(cel_soft_value_estimate(V, log_w, Q, log_q, 0, N, B), CEL_E_RANGE);
  assert_non_null(strstr(cel_error(), "alpha is 0"));
  assert_int_equal(cel_soft_value_estimate(V, log_w, Q, log_q, alpha, 0, B), CEL_E_RANGE);
}

enum { PROPOSAL_K = 32, PROPOSAL_DIMS = 4 };

/// One estimate of V with alpha = 1 for Q(a) = -|a - .3|^2 / (2 sd^2) in A dimensions. The proposal
/// is centered on samples of N(centre, sd^2).
static double proposed_value(const CeliProposal *p, double sd, double centre, CelRng *rng) {
  const int64_t M = p->K - p->U, A = p->A;
  float a[PROPOSAL_K * PROPOSAL_DIMS], log_q[PROPOSAL_K], Q[PROPOSAL_K], V, scratch[2048],
      uniform[PROPOSAL_K * PROPOSAL_DIMS], center[PROPOSAL_K * PROPOSAL_DIMS],
      eps[PROPOSAL_K * PROPOSAL_DIMS];
  assert_true(celi_proposal_scratch(p) <= 2048);
  for (int64_t i = 0; i < p->U * A; i++) uniform[i] = (float)cel_rng_range(rng, -0.999999, 1);
  for (int64_t i = 0; i < M * A; i++) {
    center[i] = (float)atanh(centre + sd * cel_rng_normal(rng));
    eps[i] = (float)cel_rng_normal(rng);
  }
  celi_proposal_draw(p, a, A, log_q, uniform, center, eps, scratch);
  for (int64_t k = 0; k < p->K; k++) {
    double square = 0;
    for (int64_t c = 0; c < A; c++) {
      const double away = (double)a[k * A + c] - 0.3;
      square += away * away / (sd * sd);
    }
    Q[k] = (float)(-square / 2);
  }
  assert_int_equal(cel_soft_value_estimate(&V, Q, Q, log_q, 1, p->K, 1), CEL_OK);
  return (double)V;
}

/// A policy proposal gives unbiased exp(V/alpha), whether the sampler's actions are right or
/// elsewhere. If they are right, it is more accurate than uniform actions, the more so in more
/// dimensions.
static void test_policy_proposal(void **state) {
  (void)state;
  enum { TRIALS = 10000 };
  static const double sd = 0.1, centres[] = {0.3, -0.2};
  CelSqlcConfig config = cel_sqlc_config_default();
  config.value_particles = PROPOSAL_K;
  for (int64_t A = 1; A <= PROPOSAL_DIMS; A *= 2) {
    // Less than 1e-11 of the mass is outside of [-1, 1].
    const double Z = pow(sd * 2.5066282746310002, (double)A);
    double error[3];
    for (int k = 0; k < 3; k++) { // right samples, samples elsewhere, uniform
      Mean value = {0};
      double square = 0;
      CelRng rng = cel_rng(40 + (uint64_t)k, CEL_RNG_USER, (uint32_t)A);
      config.value_proposal = k < 2 ? CEL_PROPOSAL_POLICY : CEL_PROPOSAL_UNIFORM;
      const CeliProposal p = celi_proposal(&config, A);
      assert_int_equal(p.U, k < 2 ? PROPOSAL_K / 4 : PROPOSAL_K);
      for (int t = 0; t < TRIALS; t++) {
        const double V = proposed_value(&p, sd, centres[k % 2], &rng), off = V - log(Z);
        mean_add(&value, exp(V)), square += off * off / TRIALS;
      }
      error[k] = sqrt(square);
      if (A > 2 && k > 0) continue; // too few hits for a meaningful standard error
      if (!(fabs(mean_away(&value, Z)) <= 4))
        fail_msg("%d dimensions, case %d: exp(V) is %.1f standard errors from Z", (int)A, k,
                 mean_away(&value, Z));
    }
    print_message("%d dimensions: V off by %.3f with the policy as proposal, %.3f where its draws "
                  "are elsewhere, %.3f with uniform actions\n",
                  (int)A, error[0], error[1], error[2]);
    assert_true(error[0] < 0.5 * error[2]);
  }
}

/// For a flat Q the sampler learns the uniform distribution: E[a^2] = 1/3 for independent samples,
/// scaled to [-1, 1].
static void test_flat_q(void **state) {
  (void)state;
  static const char *const flat[][2] = {{"net_arch", "[32,32]"},
                                        {"learning_rate", "1e-3"},
                                        {"ent_coef", "10"},
                                        {"fixed_particles", "32"},
                                        {"updated_particles", "32"},
                                        {"batch_size", "16"},
                                        {NULL, NULL}};
  enum { DRAWS = 4000 };
  CelAgent *agent = learner_make(&sqlc, NULL, flat, 1);
  const CelTensors *t = cel_agent_tensors(agent);
  learner_feed(&sqlc, agent, LEARNER_STEPS);
  // The critic's last layer is kept at zero, so Q is flat.
  const CelTensor *W = cel_tensors_find(t, "critic.2.weight"),
                  *b = cel_tensors_find(t, "critic.2.bias");
  for (int i = 0; i < 1500; i++) {
    memset(W->data, 0, (size_t)W->size * sizeof(float));
    memset(b->data, 0, (size_t)b->size * sizeof(float));
    assert_int_equal(cel_agent_sync(agent), CEL_OK);
    learner_update(agent, 1);
  }
  const float obs[LEARNER_N * LEARNER_O] = {0.3f, -0.2f, 0.1f, -0.4f, 0.5f, 0};
  double square = 0;
  for (int i = 0; i < DRAWS; i++) {
    float actions[LEARNER_N * LEARNER_DIMS];
    assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_SAMPLE, actions), CEL_OK);
    for (int k = 0; k < LEARNER_N * LEARNER_DIMS; k++) {
      const double a = ((double)actions[k] - 0.5) / 2.5;
      square += a * a / (DRAWS * LEARNER_N * LEARNER_DIMS);
    }
  }
  print_message("flat Q: E[a^2] = %.3f of the sampler's draws\n", square);
  if (!(fabs(square - 1.0 / 3) < 0.03)) fail_msg("E[a^2] is %.3f, expected 1/3", square);
  cel_agent_destroy(agent);
}

int main(void) {
  const struct CMUnitTest tests[] = {LEARNER_TESTS(sqlc),
                                     cmocka_unit_test(test_flat_q),
                                     cmocka_unit_test(test_soft_value),
                                     cmocka_unit_test(test_perfect_proposal),
                                     cmocka_unit_test(test_policy_proposal),
                                     cmocka_unit_test(test_bad_input)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
