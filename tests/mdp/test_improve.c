/// Projection and gradients of policies on finite MDPs. Compares with complex-step derivatives of
/// an independent J, with the pseudoinverse of the whole Fisher matrix, and with brute force over
/// finite classes.
#include "mdp/improve_oracle.h"

static const double alphas[] = {0.0, 0.01, 0.1, 1.0, 10.0};
static const double gammas[] = {0.0, 0.5, 0.9, 0.99};
enum { ALPHAS = 5, GAMMAS = 4 };
static const double step = 1e-30; // of the complex-step derivative

// ---- the exact gradient

static void complex_gradient(const Problem *x, const double *theta, double alpha, double gamma,
                             double *gradient) {
  Complex z[PAIRS_MAX], pi[PAIRS_MAX];
  for (int64_t k = 0; k < x->mdp.pairs; k++) {
    for (int64_t p = 0; p < x->mdp.pairs; p++) z[p] = complex_of(theta[p], p == k ? step : 0.0);
    oracle_softmax(x, z, pi);
    gradient[k] = cimag(oracle_j(x, pi, alpha, gamma)) / step;
  }
}

static void gradient_is_the_derivative_of_J(void **state) {
  (void)state;
  static Problem x;
  double theta[PAIRS_MAX], pi[PAIRS_MAX], got[PAIRS_MAX], wanted[PAIRS_MAX];
  for (uint64_t seed = 1; seed <= 10; seed++) {
    for (int i = 0; i < ALPHAS * GAMMAS; i++) {
      const double alpha = alphas[i % ALPHAS], gamma = gammas[i / ALPHAS];
      make_problem(&x, seed, 8, 4, gamma);
      // includes nearly deterministic policies
      random_policy(&x, seed % 2 ? 1.0 : 6.0, 0, theta, pi);
      complex_gradient(&x, theta, alpha, gamma, wanted);
      assert_ok(cel_policy_gradient(&x.mdp, pi, alpha, gamma, false, got));
      const double scale = fmax(1.0, fmax(1.0, alpha) / (1.0 - gamma));
      assert_close(&x, "gradient", got, wanted, x.mdp.pairs, 1e-11 * scale);
      assert_true(largest(wanted, x.mdp.pairs) > 1e-4); // the gradient is not just noise
      for (int64_t s = 0; s < x.mdp.states; s++) {
        double sum = 0.0;
        for (int64_t p = x.pair[s]; p < x.pair[s + 1]; p++) sum += got[p];
        if (!(fabs(sum) <= 1e-13 * scale))
          fail_msg("seed %d: the gradient sums to %g", (int)seed, sum);
      }
      assert_ok(cel_policy_gradient(&x.mdp, pi, alpha, (double)NAN, false, wanted));
      assert_memory_equal(got, wanted, (size_t)x.mdp.pairs * sizeof *got);
    }
  }
}

// ---- the natural gradient

/// Eigenvalues on the diagonal of M (n, n) and eigenvectors in the columns of E, by Jacobi
/// rotations.
static void eigen(double M[PAIRS_MAX][PAIRS_MAX], double E[PAIRS_MAX][PAIRS_MAX], int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j < n; j++) E[i][j] = i == j;
  }
  for (int sweep = 0; sweep < 60; sweep++) {
    for (int64_t p = 0; p < n; p++) {
      for (int64_t q = p + 1; q < n; q++) {
        if (M[p][q] == 0.0) continue;
        const double angle = 0.5 * atan2(2.0 * M[p][q], M[q][q] - M[p][p]);
        const double c = cos(angle), s = sin(angle);
        for (int64_t k = 0; k < n; k++) {
          const double a = M[k][p], b = M[k][q];
          M[k][p] = c * a - s * b, M[k][q] = s * a + c * b;
        }
        for (int64_t k = 0; k < n; k++) {
          const double a = M[p][k], b = M[q][k];
          M[p][k] = c * a - s * b, M[q][k] = s * a + c * b;
        }
        for (int64_t k = 0; k < n; k++) {
          const double a = E[k][p], b = E[k][q];
          E[k][p] = c * a - s * b, E[k][q] = s * a + c * b;
        }
      }
    }
  }
}

/// pinv(F) gradient with F = E_d E_pi[grad log pi grad log pi'], summed over pairs by definition.
static void pinv_fisher(const Problem *x, const double *pi, double gamma, const double *gradient,
                        double *out) {
  static double F[PAIRS_MAX][PAIRS_MAX], E[PAIRS_MAX][PAIRS_MAX];
  const int64_t n = x->mdp.pairs;
  double d[S_MAX], score[PAIRS_MAX];
  oracle_visits(x, pi, gamma, d);
  memset(F, 0, sizeof F);
  for (int64_t s = 0; s < x->mdp.states; s++) {
    for (int64_t a = x->pair[s]; a < x->pair[s + 1]; a++) {
      memset(score, 0, sizeof score);
      for (int64_t b = x->pair[s]; b < x->pair[s + 1]; b++) score[b] = (a == b) - pi[b];
      for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < n; j++) F[i][j] += d[s] * pi[a] * score[i] * score[j];
      }
    }
  }
  eigen(F, E, n);
  double most = 0.0;
  for (int64_t i = 0; i < n; i++) most = fmax(most, F[i][i]), out[i] = 0.0;
  for (int64_t k = 0; k < n; k++) {
    double along = 0.0;
    if (F[k][k] < 1e-12 * most) continue;
    for (int64_t i = 0; i < n; i++) along += E[i][k] * gradient[i];
    for (int64_t i = 0; i < n; i++) out[i] += E[i][k] * along / F[k][k];
  }
}

static void natural_gradient_is_pinv_of_fisher_times_gradient(void **state) {
  (void)state;
  static Problem x;
  double theta[PAIRS_MAX], pi[PAIRS_MAX], got[PAIRS_MAX], wanted[PAIRS_MAX], vanilla[PAIRS_MAX];
  for (uint64_t seed = 1; seed <= 5; seed++) {
    for (int i = 0; i < ALPHAS; i++) {
      const double gamma = 0.9;
      make_problem(&x, seed, 6, 4, gamma);
      random_policy(&x, 1.0, 0, theta, pi);
      complex_gradient(&x, theta, alphas[i], gamma, vanilla);
      pinv_fisher(&x, pi, gamma, vanilla, wanted);
      assert_ok(cel_policy_gradient(&x.mdp, pi, alphas[i], gamma, true, got));
      assert_close(&x, "natural gradient", got, wanted, x.mdp.pairs,
                   1e-9 * fmax(1.0, largest(wanted, x.mdp.pairs)));
      assert_true(largest(got, x.mdp.pairs) > 0.1);
    }
  }
}

/// Near a corner of the simplex the gradient vanishes, but the natural gradient does not.
static void gradient_vanishes_in_corners(void **state) {
  (void)state;
  static Problem x;
  double theta[PAIRS_MAX], pi[PAIRS_MAX], gradient[PAIRS_MAX], last = HUGE_VAL;
  make_problem(&x, 3, 6, 4, 0.9);
  random_policy(&x, 1.0, 0, theta, pi);
  for (int push = 5; push < 40; push += 5) {
    Complex z[PAIRS_MAX], y[PAIRS_MAX];
    for (int64_t p = 0; p < x.mdp.pairs; p++) z[p] = theta[p];
    for (int64_t s = 0; s < x.mdp.states; s++) {
      if (x.pair[s] < x.pair[s + 1]) z[x.pair[s]] += push;
    }
    oracle_softmax(&x, z, y);
    for (int64_t p = 0; p < x.mdp.pairs; p++) pi[p] = creal(y[p]);
    assert_ok(cel_policy_gradient(&x.mdp, pi, 0.0, 0.9, false, gradient));
    const double norm = largest(gradient, x.mdp.pairs);
    assert_true(norm < last * 0.1);
    last = norm;
    assert_ok(cel_policy_gradient(&x.mdp, pi, 0.0, 0.9, true, gradient));
    assert_true(largest(gradient, x.mdp.pairs) > 0.1);
  }
}

// ---- a finite horizon

static Complex horizon_j(const Problem *x, const Complex *pi, double alpha, double gamma,
                         int64_t T) {
  Complex V[S_MAX] = {0}, before[S_MAX], J = 0.0;
  for (int64_t t = T - 1; t >= 0; t--) {
    memcpy(before, V, sizeof V);
    for (int64_t s = 0; s < x->mdp.states; s++) {
      V[s] = 0.0;
      for (int64_t p = x->pair[s]; p < x->pair[s + 1]; p++) {
        Complex Q = oracle_reward(x, p, pi[p], alpha);
        for (int64_t i = x->row[p]; i < x->row[p + 1]; i++) {
          if (!x->ends[i]) Q += gamma * x->probability[i] * before[x->next[i]];
        }
        V[s] += pi[p] * Q;
      }
    }
  }
  for (int64_t s = 0; s < x->mdp.states; s++) J += x->start[s] * V[s];
  return J;
}

static void horizon_gradient_is_the_derivative_of_J(void **state) {
  (void)state;
  static Problem x;
  double theta[PAIRS_MAX], pi[PAIRS_MAX], got[PAIRS_MAX], wanted[PAIRS_MAX], practice[PAIRS_MAX];
  for (uint64_t seed = 1; seed <= 6; seed++) {
    for (int64_t T = 1; T <= 9; T += 4) {
      const double gamma = seed % 3 ? 0.8 : 1.0, alpha = alphas[seed % ALPHAS];
      make_problem(&x, seed, 7, 3, 0.9);
      random_policy(&x, 1.0, 0, theta, pi);
      for (int64_t k = 0; k < x.mdp.pairs; k++) {
        Complex z[PAIRS_MAX], y[PAIRS_MAX];
        for (int64_t p = 0; p < x.mdp.pairs; p++) z[p] = complex_of(theta[p], p == k ? step : 0.0);
        oracle_softmax(&x, z, y);
        wanted[k] = cimag(horizon_j(&x, y, alpha, gamma, T)) / step;
      }
      assert_ok(cel_policy_gradient_horizon(&x.mdp, pi, alpha, gamma, T, true, got));
      assert_close(&x, "gradient", got, wanted, x.mdp.pairs, 1e-11 * fmax(1.0, alpha));
      assert_ok(cel_policy_gradient_horizon(&x.mdp, pi, alpha, gamma, T, false, practice));
      double off = 0.0;
      for (int64_t p = 0; p < x.mdp.pairs; p++) off = fmax(off, fabs(practice[p] - got[p]));
      if (gamma == 1.0 || T == 1) {
        assert_true(off == 0.0);
      } else if (!(off > 1e-3 * largest(got, x.mdp.pairs))) {
        fail_msg("seed %d, T %d: without gamma^t the gradient is the same: %g", (int)seed, (int)T,
                 off);
      }
    }
  }
  // The horizon of the MDP is the default. Long horizons converge to the infinite one.
  make_problem(&x, 2, 7, 3, 0.5);
  random_policy(&x, 1.0, 0, theta, pi);
  assert_ok(cel_policy_gradient(&x.mdp, pi, 0.1, (double)NAN, false, wanted));
  x.mdp.horizon = 200;
  assert_ok(cel_policy_gradient_horizon(&x.mdp, pi, 0.1, (double)NAN, 0, true, got));
  assert_close(&x, "gradient", got, wanted, x.mdp.pairs, 1e-13);
  assert_int_equal(cel_policy_gradient(&x.mdp, pi, 0.1, 0.5, false, got), CEL_E_UNSUPPORTED);
}

// ---- the loss for a given Q

static void loss_gradient_is_minus_pi_A(void **state) {
  (void)state;
  static Problem x;
  double theta[PAIRS_MAX], pi[PAIRS_MAX], Q[PAIRS_MAX], unused[PAIRS_MAX], got[PAIRS_MAX];
  for (uint64_t seed = 1; seed <= 10; seed++) {
    const double alpha = alphas[seed % ALPHAS];
    make_problem(&x, seed, 6, 4, 0.9);
    random_policy(&x, 2.0, 0, theta, pi);
    random_policy(&x, 3.0, 1, Q, unused); // random numbers
    for (int weighted = 0; weighted < 2; weighted++) {
      double wanted[PAIRS_MAX];
      for (int64_t k = 0; k < x.mdp.pairs; k++) {
        Complex z[PAIRS_MAX], y[PAIRS_MAX], loss = 0.0;
        for (int64_t p = 0; p < x.mdp.pairs; p++) z[p] = complex_of(theta[p], p == k ? step : 0.0);
        oracle_softmax(&x, z, y);
        for (int64_t s = 0; s < x.mdp.states; s++) {
          for (int64_t p = x.pair[s]; p < x.pair[s + 1]; p++)
            loss += (weighted ? x.start[s] : 1.0) * y[p] * (alpha * clog(y[p]) - Q[p]);
        }
        wanted[k] = cimag(loss) / step;
      }
      cel_soft_policy_gradient(&x.mdp, pi, Q, alpha, weighted ? x.start : NULL, got);
      assert_close(&x, "gradient", got, wanted, x.mdp.pairs, 1e-12 * fmax(1.0, alpha));
    }
  }
  // A deterministic policy is a corner: the gradient is zero, without NaN from 0 log 0.
  for (int64_t p = 0; p < x.mdp.pairs; p++) pi[p] = 0.0;
  for (int64_t s = 0; s < x.mdp.states - 1; s++) pi[x.pair[s]] = 1.0;
  cel_soft_policy_gradient(&x.mdp, pi, Q, 1.0, NULL, got);
  for (int64_t p = 0; p < x.mdp.pairs; p++) assert_true(got[p] == 0.0);
}

// ---- projection

enum { CLASS = 4 };

static double oracle_kl(const Problem *x, int64_t s, const double *pi, const double *Q,
                        double alpha) {
  double Z = 0.0, kl = 0.0, most = -HUGE_VAL;
  for (int64_t p = x->pair[s]; p < x->pair[s + 1]; p++) most = fmax(most, Q[p]);
  for (int64_t p = x->pair[s]; p < x->pair[s + 1]; p++) Z += exp((Q[p] - most) / alpha);
  for (int64_t p = x->pair[s]; p < x->pair[s + 1]; p++)
    if (pi[p] > 0.0) kl += pi[p] * log(pi[p] / (exp((Q[p] - most) / alpha) / Z));
  return kl;
}

static void make_class(const Problem *x, double *policies) {
  double theta[PAIRS_MAX];
  for (uint32_t k = 0; k < CLASS; k++)
    random_policy(x, 1.5, k, theta, policies + k * (uint32_t)x->mdp.pairs);
}

/// The policy of the class, or the mixture by states, with the least weighted sum of divergences.
/// Tries all.
static double brute_force(const Problem *x, const double *policies, bool mixed, const double *Q,
                          double alpha, const double *weight, double *best) {
  const int64_t S = x->mdp.states;
  double least = HUGE_VAL, mixture[PAIRS_MAX];
  int64_t tries = CLASS;
  for (int64_t s = 1; mixed && s < S; s++) tries *= CLASS;
  for (int64_t i = 0; i < tries; i++) {
    double sum = 0.0;
    int64_t rest = i;
    for (int64_t s = 0; s < S; s++) {
      const int64_t k = rest % CLASS;
      if (mixed) rest /= CLASS;
      for (int64_t p = x->pair[s]; p < x->pair[s + 1]; p++)
        mixture[p] = policies[k * x->mdp.pairs + p];
      sum += (weight ? weight[s] : 1.0) * oracle_kl(x, s, mixture, Q, alpha);
    }
    if (sum < least) least = sum, memcpy(best, mixture, (size_t)x->mdp.pairs * sizeof *best);
  }
  return least;
}

static void projection_is_the_nearest(void **state) {
  (void)state;
  static Problem x;
  static double policies[CLASS * PAIRS_MAX];
  double Q[PAIRS_MAX], unused[PAIRS_MAX], got[PAIRS_MAX], wanted[PAIRS_MAX];
  int different = 0, weighed = 0;
  for (uint64_t seed = 1; seed <= 20; seed++) {
    const double alpha = alphas[1 + seed % (ALPHAS - 1)];
    make_problem(&x, seed, 5, 4, 0.9);
    random_policy(&x, 1.0, 50, Q, unused);
    make_class(&x, policies);
    const double *weight = seed % 2 ? x.start : NULL;
    CelPolicyClass within = {.count = CLASS, .policies = policies, .rectangular = true};
    brute_force(&x, policies, true, Q, alpha, weight, wanted);
    assert_ok(cel_policy_project(&x.mdp, Q, alpha, &within, weight, got));
    assert_memory_equal(got, wanted, (size_t)x.mdp.pairs * sizeof *got);
    within.rectangular = false;
    brute_force(&x, policies, false, Q, alpha, weight, wanted);
    different += memcmp(got, wanted, (size_t)x.mdp.pairs * sizeof *got) != 0;
    assert_ok(cel_policy_project(&x.mdp, Q, alpha, &within, weight, got));
    assert_memory_equal(got, wanted, (size_t)x.mdp.pairs * sizeof *got);
    double only[S_MAX] = {0}; // only one state has a weight
    only[seed % 4] = 3.0;
    brute_force(&x, policies, false, Q, alpha, only, wanted);
    weighed += memcmp(got, wanted, (size_t)x.mdp.pairs * sizeof *got) != 0;
    assert_ok(cel_policy_project(&x.mdp, Q, alpha, &within, only, got));
    assert_memory_equal(got, wanted, (size_t)x.mdp.pairs * sizeof *got);
    assert_ok(cel_policy_project(&x.mdp, Q, alpha, NULL, NULL, got)); // the class of all policies
    for (int64_t s = 0; s < x.mdp.states; s++)
      assert_true(fabs(oracle_kl(&x, s, got, Q, alpha)) < 1e-12);
  }
  assert_true(different > 10); // the two kinds of class must differ
  assert_true(weighed > 5);
}

/// Lemma 2: on a rectangular class that contains the old policy, no action value decreases.
static void projection_improves(void **state) {
  (void)state;
  static Problem x;
  static double policies[CLASS * PAIRS_MAX];
  double V[S_MAX], Q[PAIRS_MAX], new_V[S_MAX], new_Q[PAIRS_MAX], pi[PAIRS_MAX];
  double gained = 0.0;
  for (uint64_t seed = 1; seed <= 20; seed++) {
    const double alpha = alphas[1 + seed % (ALPHAS - 1)], gamma = gammas[seed % GAMMAS];
    make_problem(&x, seed, 7, 4, gamma);
    make_class(&x, policies);
    const CelPolicyClass within = {.count = CLASS, .policies = policies, .rectangular = true};
    for (int full = 0; full < 2; full++) {
      oracle_values_real(&x, policies, alpha, gamma, V, Q);
      assert_ok(cel_policy_project(&x.mdp, Q, alpha, full ? NULL : &within, NULL, pi));
      oracle_values_real(&x, pi, alpha, gamma, new_V, new_Q);
      for (int64_t p = 0; p < x.mdp.pairs; p++) {
        if (!(new_Q[p] >= Q[p] - 1e-11 * fmax(1.0, alpha) / (1.0 - gamma)))
          fail_msg("seed %d: Q[%d] fell from %.17g to %.17g", (int)seed, (int)p, Q[p], new_Q[p]);
        gained = fmax(gained, new_Q[p] - Q[p]);
      }
    }
  }
  assert_true(gained > 0.1);
}

// ---- refused arguments

static void bad_input_is_named(void **state) {
  (void)state;
  static Problem x;
  double theta[PAIRS_MAX], pi[PAIRS_MAX], out[PAIRS_MAX];
  make_problem(&x, 1, 5, 3, 0.9);
  random_policy(&x, 1.0, 0, theta, pi);
  assert_int_equal(cel_policy_gradient(&x.mdp, pi, -1.0, 0.9, false, out), CEL_E_RANGE);
  assert_int_equal(cel_policy_gradient(&x.mdp, pi, 0.1, 1.0, false, out), CEL_E_RANGE);
  assert_int_equal(cel_policy_gradient_horizon(&x.mdp, pi, 0.1, 0.9, 0, true, out), CEL_E_RANGE);
  assert_int_equal(cel_policy_gradient_horizon(&x.mdp, pi, 0.1, 1.5, 3, true, out), CEL_E_RANGE);
  assert_int_equal(cel_policy_project(&x.mdp, theta, 0.0, NULL, NULL, out), CEL_E_RANGE);
  assert_int_equal(
      cel_policy_project(&x.mdp, theta, 1.0, &(CelPolicyClass){0, pi, true}, NULL, out),
      CEL_E_RANGE);
  assert_non_null(strstr(cel_error(), "class has 0 policies"));
  const double weight[S_MAX] = {1.0, -1.0};
  assert_int_equal(cel_policy_project(&x.mdp, theta, 1.0, NULL, weight, out), CEL_E_RANGE);
  assert_non_null(strstr(cel_error(), "state 1"));
  pi[x.pair[2]] += 0.25;
  assert_int_equal(cel_policy_gradient(&x.mdp, pi, 0.1, 0.9, false, out), CEL_E_RANGE);
  assert_non_null(strstr(cel_error(), "state 2"));
  assert_int_equal(
      cel_policy_project(&x.mdp, theta, 1.0, &(CelPolicyClass){1, pi, true}, NULL, out),
      CEL_E_RANGE);
  assert_non_null(strstr(cel_error(), "policy 0 of the class: state 2"));
  for (int64_t p = 0; p < x.mdp.pairs; p++) pi[p] = 0.0;
  for (int64_t s = 0; s < x.mdp.states - 1; s++) pi[x.pair[s]] = 1.0;
  assert_ok(cel_policy_gradient(&x.mdp, pi, 0.1, 0.9, false, out));
  assert_int_equal(cel_policy_gradient(&x.mdp, pi, 0.1, 0.9, true, out), CEL_E_RANGE);
  theta[x.pair[3]] = (double)NAN;
  assert_int_equal(cel_policy_project(&x.mdp, theta, 1.0, NULL, NULL, out), CEL_E_RANGE);
  assert_non_null(strstr(cel_error(), "state 3, action 0"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(gradient_is_the_derivative_of_J),
      cmocka_unit_test(natural_gradient_is_pinv_of_fisher_times_gradient),
      cmocka_unit_test(gradient_vanishes_in_corners),
      cmocka_unit_test(horizon_gradient_is_the_derivative_of_J),
      cmocka_unit_test(loss_gradient_is_minus_pi_A),
      cmocka_unit_test(projection_is_the_nearest),
      cmocka_unit_test(projection_improves),
      cmocka_unit_test(bad_input_is_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
