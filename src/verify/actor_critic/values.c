/// [actor-critic, 4.12, 4.16-4.21]: values at alpha = 0, temporal differences, and the critic's
/// loss.
#include "verify/actor_critic/finite.h"
#include <math.h>

// ---- 4.12-4.18: Bellman equations, sampled gradients, temporal differences

static CelStatus hard_values(CeliTrial *trial) {
  CeliProblem m;
  CELI_TRY(celi_draw(trial, &(CeliDraw){0}, &m));
  double *pi = celi_take(trial, m.n), *V = celi_take(trial, m.S), *Q = celi_take(trial, m.n);
  double *sum = celi_take(trial, m.S), *backup = celi_take(trial, m.n);
  celi_draw_policy(trial, &m, pi);
  CELI_TRY(celi_library_values(&m, pi, 0, V, Q));
  celi_propagated_values(trial, &m, pi, 0, sum);
  celi_dense_backup(&m, sum, backup);
  celi_compare_all(trial, V, sum, m.S, celi_scale(&m, Q));
  celi_compare_all(trial, Q, backup, m.n, celi_scale(&m, Q));
  return CEL_OK;
}

/// E[delta given p] for V: the sum over next states of R + gamma V(s') - V(s), with V(s') = 0 where
/// the episode ends, unless `bootstrap_ended`.
static double expected_delta(const CeliProblem *m, const double *V, int p, bool bootstrap_ended) {
  double sum = 0;
  for (int next = 0; next < m->S; next++) {
    const int k = p * m->S + next;
    const double follows = bootstrap_ended || m->ends[k] == 0 ? V[next] : 0;
    sum += m->P[k] * (m->R[k] + m->gamma * follows - V[m->state[p]]);
  }
  return sum;
}

/// Compares the library's A = Q - V with E[delta] for its V. `shift` is added to V of one state.
static CelStatus delta_by_sum(CeliTrial *trial, const CeliDraw *draw, double shift,
                              bool bootstrap_ended) {
  CeliProblem m;
  CELI_TRY(celi_draw(trial, draw, &m));
  double *pi = celi_take(trial, m.n), *V = celi_take(trial, m.S), *Q = celi_take(trial, m.n);
  double *A = celi_take(trial, m.n), *delta = celi_take(trial, m.n);
  celi_draw_policy(trial, &m, pi);
  if (bootstrap_ended) { // makes sure that an episode can end and that V matters there
    m.ends[0] = 1, m.P[0] += 1, m.R[0] = 1;
    for (int k = 0; k < m.S; k++) m.P[k] /= 2;
    CELI_TRY(celi_close(trial, &m, 0));
  }
  CELI_TRY(celi_library_values(&m, pi, 0, V, Q));
  for (int k = 0; k < m.n; k++) A[k] = Q[k] - V[m.state[k]];
  V[0] += shift;
  for (int k = 0; k < m.n; k++) delta[k] = expected_delta(&m, V, k, bootstrap_ended);
  const bool differs = shift != 0 || bootstrap_ended;
  celi_compare_all(trial, delta, A, m.n, differs ? 1 : celi_scale(&m, Q));
  return CEL_OK;
}

static CelStatus delta_is_advantage(CeliTrial *trial) {
  return delta_by_sum(trial, &(CeliDraw){0}, 0, false);
}
static CelStatus delta_of_wrong_values(CeliTrial *trial) {
  return delta_by_sum(trial, &(CeliDraw){.gamma_max = .9, .unit = true}, 1, false);
}
static CelStatus delta_bootstraps_ended(CeliTrial *trial) {
  return delta_by_sum(trial, &celi_tiny_endless, 0, true);
}

/// A time limit is not the end of an episode. The library's A less a delta without V(s') is
/// compared with gamma E[V] of dense elimination.
static CelStatus delta_cut(CeliTrial *trial) {
  CeliEvaluated e;
  CELI_TRY(celi_draw_evaluated(trial, &(CeliDraw){0}, &e));
  double *left = celi_take(trial, e.m.n), *right = celi_take(trial, e.m.n);
  double *V = celi_take(trial, e.m.S);
  CELI_TRY(celi_library_values(&e.m, e.pi, 0, e.V, e.Q));
  celi_dense_values(trial, &e.m, e.pi, 0, V, NULL);
  for (int k = 0; k < e.m.n; k++) {
    const double A = e.Q[k] - e.V[e.m.state[k]], cut = e.m.r[k] - V[e.m.state[k]];
    left[k] = A - cut;
    right[k] = e.m.gamma * celi_dense_dot(e.m.go + k * e.m.S, V, e.m.S);
  }
  celi_compare_all(trial, left, right, e.m.n, celi_scale(&e.m, e.Q));
  return CEL_OK;
}

static CelStatus delta_by_simulation(CeliTrial *trial) {
  enum { SAMPLES = 20000 };
  CeliEvaluated e;
  double sum = 0, squares = 0;
  CELI_TRY(celi_draw_evaluated(trial, &(CeliDraw){.A_min = 2, .gamma_max = .9}, &e));
  CELI_TRY(celi_library_values(&e.m, e.pi, 0, e.V, e.Q));
  const int p = celi_below(trial, e.m.n), S = e.m.S;
  const double A = e.Q[p] - e.V[e.m.state[p]];
  for (int i = 0; i < SAMPLES; i++) {
    const int next = celi_sample_next(trial, &e.m, p), k = p * S + next;
    const double follows = e.m.ends[k] > 0 ? 0 : e.V[next];
    const double off = e.m.R[k] + e.m.gamma * follows - e.V[e.m.state[p]] - A;
    sum += off, squares += off * off;
  }
  const double variance = fmax(squares - sum * sum / SAMPLES, 0) / (SAMPLES - 1);
  celi_compare(trial, A, A + sum / SAMPLES,
               sqrt(variance / SAMPLES) + 1e-12 * celi_size(e.Q, e.m.n));
  return CEL_OK;
}

// ---- 4.19-4.21: the critic's loss

/// The critic's loss: state weights mu, a policy, and V.
typedef struct Critic {
  CeliProblem m;
  double *mu, *pi, *V;
} Critic;

static CelStatus draw_critic(CeliTrial *trial, const CeliDraw *draw, bool deterministic,
                             Critic *c) {
  double sum = 0;
  CELI_TRY(celi_draw(trial, draw, &c->m));
  c->mu = celi_take(trial, c->m.S);
  c->pi = celi_take(trial, c->m.n);
  c->V = celi_take(trial, c->m.S);
  celi_draw_policy(trial, &c->m, c->pi);
  for (int k = 0; k < c->m.n && deterministic; k++)
    c->pi[k] = k == c->m.pair[c->m.state[k]] ? 1 : 0;
  celi_draw_normal(trial, c->V, c->m.S, 1);
  for (int s = 0; s < c->m.S; s++) sum += c->mu[s] = 0.1 + cel_rng_uniform(&trial->rng);
  for (int s = 0; s < c->m.S; s++) c->mu[s] /= sum;
  return CEL_OK;
}

/// delta of transition (p, next) at a complex V.
static CeliComplex delta_at(const CeliProblem *m, const CeliComplex *V, int p, int next) {
  const int k = p * m->S + next;
  return m->R[k] + (m->ends[k] > 0 ? 0 : m->gamma * V[next]) - V[m->state[p]];
}

/// Half the mean of delta^2: (4.20) with the gradient through both V's.
static CeliComplex squared_delta(const void *user, const CeliComplex *V) {
  const Critic *c = user;
  CeliComplex sum = 0;
  for (int p = 0; p < c->m.n; p++)
    for (int next = 0; next < c->m.S; next++) {
      const CeliComplex delta = delta_at(&c->m, V, p, next);
      sum += c->mu[c->m.state[p]] * c->pi[p] * c->m.P[p * c->m.S + next] * delta * delta / 2;
    }
  return sum;
}

/// Half the mean of (E[delta given x])^2, the Bellman error.
static CeliComplex squared_mean_delta(const void *user, const CeliComplex *V) {
  const Critic *c = user;
  CeliComplex sum = 0;
  for (int s = 0; s < c->m.S; s++) {
    CeliComplex mean = 0;
    for (int p = c->m.pair[s]; p < c->m.pair[s + 1]; p++)
      for (int next = 0; next < c->m.S; next++)
        mean += c->pi[p] * c->m.P[p * c->m.S + next] * delta_at(&c->m, V, p, next);
    sum += c->mu[s] * mean * mean / 2;
  }
  return sum;
}

/// gradient (S) of half the mean of Var(delta given x) in V(y): E Cov(delta, d delta/dV(y)).
static void variance_gradient(CeliTrial *trial, const Critic *c, double *gradient) {
  const int S = c->m.S;
  CeliComplex *V = celi_take_complex(trial, S);
  for (int s = 0; s < S; s++) V[s] = c->V[s];
  for (int s = 0; s < S; s++)
    for (int y = 0; y < S; y++) {
      double mean = 0, slope = 0, both = 0;
      for (int p = c->m.pair[s]; p < c->m.pair[s + 1]; p++)
        for (int next = 0; next < S; next++) {
          const int k = p * S + next;
          const double w = c->pi[p] * c->m.P[k], delta = creal(delta_at(&c->m, V, p, next));
          const double d = (next == y && c->m.ends[k] == 0 ? c->m.gamma : 0) - (s == y);
          mean += w * delta, slope += w * d, both += w * delta * d;
        }
      gradient[y] += c->mu[s] * (both - mean * slope);
    }
}

static CelStatus residual_gradient(CeliTrial *trial, bool deterministic) {
  Critic c;
  CELI_TRY(draw_critic(trial, &(CeliDraw){.deterministic = deterministic}, deterministic, &c));
  double *full = celi_take(trial, c.m.S), *bellman = celi_take(trial, c.m.S);
  double *variance = celi_take(trial, c.m.S);
  celi_complex_gradient(trial, squared_delta, &c, c.V, c.m.S, full);
  celi_complex_gradient(trial, squared_mean_delta, &c, c.V, c.m.S, bellman);
  if (!deterministic) variance_gradient(trial, &c, variance);
  for (int s = 0; s < c.m.S; s++) full[s] -= bellman[s];
  celi_compare_all(trial, full, variance, c.m.S, celi_size(c.m.R, (int64_t)c.m.n * c.m.S));
  return CEL_OK;
}

static CelStatus residual_is_bellman_and_variance(CeliTrial *trial) {
  return residual_gradient(trial, false);
}
static CelStatus residual_where_deterministic(CeliTrial *trial) {
  return residual_gradient(trial, true);
}

/// Expected TD(0) with the target held fixed: V <- V + 0.5 E[delta given x].
static CelStatus td_converges(CeliTrial *trial) {
  Critic c;
  CELI_TRY(draw_critic(trial, &(CeliDraw){.gamma_max = .9}, false, &c));
  double *exact = celi_take(trial, c.m.S), *delta = celi_take(trial, c.m.S);
  CELI_TRY(celi_library_values(&c.m, c.pi, 0, exact, NULL));
  for (int k = 0; k < 1200; k++) {
    for (int s = 0; s < c.m.S; s++) {
      delta[s] = celi_actions(&c.m, s) ? 0 : -c.V[s]; // the value of a terminal state is 0
      for (int p = c.m.pair[s]; p < c.m.pair[s + 1]; p++)
        delta[s] += c.pi[p] * expected_delta(&c.m, c.V, p, false);
    }
    for (int s = 0; s < c.m.S; s++) c.V[s] += 0.5 * delta[s];
  }
  celi_compare_all(trial, c.V, exact, c.m.S, celi_size(exact, c.m.S) / (1 - c.m.gamma));
  return CEL_OK;
}

/// TD(0) on sampled transitions with a constant step. Its mean over runs obeys the expected update
/// exactly.
static CelStatus td_by_simulation(CeliTrial *trial) {
  enum { RUNS = 64, UPDATES = 4000 };
  Critic c;
  CeliMean mean = {0};
  CELI_TRY(draw_critic(
      trial, &(CeliDraw){.S_max = 4, .gamma = .5, .unit = true, .endless = true, .A_max = 2}, false,
      &c));
  double *exact = celi_take(trial, c.m.S), *V = celi_take(trial, c.m.S);
  double *theta = celi_take(trial, c.m.n);
  celi_draw_logits(trial, &c.m, theta, c.pi); // no action is so rare that no run takes it
  CELI_TRY(celi_library_values(&c.m, c.pi, 0, exact, NULL));
  for (int run = 0; run < RUNS; run++) {
    for (int s = 0; s < c.m.S; s++) V[s] = 0;
    for (int i = 0; i < UPDATES; i++) {
      const int s = celi_below(trial, c.m.S), p = celi_sample_pair(trial, &c.m, c.pi, s);
      const int next = celi_sample_next(trial, &c.m, p);
      V[s] += 0.05 * (c.m.R[p * c.m.S + next] + c.m.gamma * V[next] - V[s]);
    }
    celi_mean_add(&mean, V[0]);
  }
  celi_mean_compare(trial, &mean, exact[0], 1e-6);
  return CEL_OK;
}

/// The minimizer of (4.20) with the gradient through both V's. The gradient is linear in V, so S +
/// 1 evaluations give its matrix.
static CelStatus residual_minimum(CeliTrial *trial, const CeliDraw *draw, bool deterministic) {
  Critic c;
  CELI_TRY(draw_critic(trial, draw, deterministic, &c));
  const int S = c.m.S;
  double *H = celi_take(trial, (int64_t)S * S), *b = celi_take(trial, S), *at = celi_take(trial, S);
  double *column = celi_take(trial, S), *exact = celi_take(trial, S);
  celi_complex_gradient(trial, squared_delta, &c, at, S, b);
  for (int j = 0; j < S; j++) {
    at[j] = 1;
    celi_complex_gradient(trial, squared_delta, &c, at, S, column);
    for (int i = 0; i < S; i++) H[i * S + j] = column[i] - b[i];
    at[j] = 0;
  }
  for (int s = 0; s < S; s++) b[s] = -b[s];
  celi_dense_solve(H, b, S, 1);
  CELI_TRY(celi_library_values(&c.m, c.pi, 0, exact, NULL));
  celi_compare_all(trial, b, exact, S, celi_size(exact, S));
  return CEL_OK;
}

static CelStatus residual_elsewhere(CeliTrial *trial) {
  return residual_minimum(trial, &celi_tiny_endless, false);
}
static CelStatus residual_same(CeliTrial *trial) {
  CeliDraw draw = celi_tiny_endless;
  draw.deterministic = true, draw.full = false;
  return residual_minimum(trial, &draw, true);
}

static const CeliClaim claims[] = {
    {"4.12, 4.16, 4.18",
     "V and Q of a policy at alpha = 0: the library against rewards propagated forward from each "
     "state",
     "cel_mdp_evaluate", CEL_CHECK_EQUAL, 1e-11, 100, hard_values, 0xc2bcdc35},
    {"4.17, 4.21",
     "E[delta given x,u] = A with the exact V: the sum over x' against the library's Q - V",
     "cel_mdp_evaluate", CEL_CHECK_EQUAL, 1e-11, 200, delta_is_advantage, 0x0f1c128b},
    {"4.17, 4.21",
     "E[delta given x,u] = A with the exact V: the library's Q - V against the mean of 20000 "
     "samples (standard errors)",
     "cel_mdp_evaluate", CEL_CHECK_EQUAL, 4, 4, delta_by_simulation, 0xb83b4218},
    {"4.21", "E[delta given x,u] with a wrong V is not A", "cel_mdp_evaluate", CEL_CHECK_DIFFERS,
     1e-3, 200, delta_of_wrong_values, 0xc64d230f},
    {"4.20", "printed: with V(x') after the end of an episode, E[delta given x,u] is not A",
     "cel_mdp_evaluate", CEL_CHECK_DIFFERS, 1e-6, 200, delta_bootstraps_ended, 0x19b46f5e},
    {"4.20",
     "without V(x') at a time limit, delta lacks gamma E[V(x')]: the library's A less that delta "
     "against dense elimination",
     "cel_mdp_evaluate", CEL_CHECK_EQUAL, 1e-11, 200, delta_cut, 0x9d014ce5},
    {"4.20",
     "through both V's, the gradient of E[delta^2]/2 is that of the Bellman error plus half that "
     "of the variance: complex steps against sums",
     "", CEL_CHECK_EQUAL, 1e-12, 200, residual_is_bellman_and_variance, 0xf68e5a00},
    {"4.20",
     "where transitions and policy are deterministic, the gradient of E[delta^2]/2 is that of the "
     "Bellman error: their difference against 0",
     "", CEL_CHECK_EQUAL, 1e-12, 200, residual_where_deterministic, 0x55db665a},
    {"4.19-4.20",
     "expected TD(0) with the target held fixed converges to V of the policy: 1200 updates against "
     "the library's V",
     "cel_mdp_evaluate", CEL_CHECK_EQUAL, 1e-11, 100, td_converges, 0xb1603b3c},
    {"4.19-4.20",
     "TD(0) on sampled transitions: the mean of 64 runs against the library's V (standard errors)",
     "cel_mdp_evaluate", CEL_CHECK_EQUAL, 4, 4, td_by_simulation, 0xd7aec32c},
    {"4.20", "printed: the minimizer of E[delta^2]/2 through both V's is not V of the policy",
     "cel_mdp_evaluate", CEL_CHECK_DIFFERS, 1e-6, 200, residual_elsewhere, 0xebbac3d7},
    {"4.20",
     "where transitions and policy are deterministic, the minimizer of E[delta^2]/2 is V of the "
     "policy: a linear solve against the library's V",
     "cel_mdp_evaluate", CEL_CHECK_EQUAL, 1e-9, 200, residual_same, 0x05aba8a0},
    {0}};

const CeliSection celi_ac_values = {"src/verify/actor_critic/values.c", claims};
