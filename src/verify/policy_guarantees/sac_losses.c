/// [policy-guarantees, (5)-(10)]: the losses of soft actor-critic and their minimizers, for tables.
#include "celsius/improve.h"
#include "ops/ops.h"
#include "verify/verify.h"
#include <math.h>

// ---- SAC's losses, tabular

/// A problem, a policy, and tables Q and V that do not belong to the policy.
typedef struct Tables {
  CeliTrial *trial;
  CeliProblem m;
  double *theta, *pi, *Q, *V, *at, *gradient;
} Tables;

static CelStatus draw_tables(CeliTrial *trial, const CeliDraw *draw, Tables *t) {
  t->trial = trial;
  CELI_TRY(celi_draw(trial, draw, &t->m));
  t->theta = celi_take(trial, t->m.n), t->pi = celi_take(trial, t->m.n);
  t->Q = celi_take(trial, t->m.n), t->V = celi_take(trial, t->m.S);
  t->at = celi_take(trial, t->m.n + t->m.S), t->gradient = celi_take(trial, t->m.n + t->m.S);
  celi_draw_logits(trial, &t->m, t->theta, t->pi);
  celi_draw_normal(trial, t->Q, t->m.n, 1);
  celi_draw_normal(trial, t->V, t->m.S, 1);
  return CEL_OK;
}

/// (5): half the squared distance of V from a sample of Q - alpha log pi. The variance of the
/// sample does not change the minimizer.
static CeliComplex loss_V(const void *user, const CeliComplex *V) {
  const Tables *t = user;
  CeliComplex sum = 0;
  for (int k = 0; k < t->m.n; k++) {
    const CeliComplex off = V[t->m.state[k]] - (t->Q[k] - t->m.alpha * log(t->pi[k]));
    sum += t->pi[k] * off * off / 2;
  }
  return sum;
}

/// (7) with (8) for a sampled s': half the squared distance of Q from r(s,a,s') + gamma V(s').
static CeliComplex loss_Q(const void *user, const CeliComplex *Q) {
  const Tables *t = user;
  CeliComplex sum = 0;
  for (int k = 0; k < t->m.n; k++)
    for (int next = 0; next < t->m.S; next++) {
      const int at = k * t->m.S + next;
      const double y = t->m.R[at] + (t->m.ends[at] > 0 ? 0 : t->m.gamma * t->V[next]);
      sum += t->m.P[at] * (Q[k] - y) * (Q[k] - y) / 2;
    }
  return sum;
}

/// Gradient descent on a loss with curvature 1.
static void descend(Tables *t, CeliComplexFunction loss, int n) {
  for (int k = 0; k < 60; k++) {
    celi_complex_gradient(t->trial, loss, t, t->at, n, t->gradient);
    for (int i = 0; i < n; i++) t->at[i] -= 0.7 * t->gradient[i];
  }
}

static CelStatus value_loss(CeliTrial *trial) {
  Tables t;
  CELI_TRY(draw_tables(trial, &(CeliDraw){.hard = true}, &t));
  double *target = celi_take(trial, t.m.S);
  descend(&t, loss_V, t.m.S);
  for (int s = 0; s < t.m.S; s++)
    target[s] = celi_dense_soft_value(t.pi + t.m.pair[s], t.Q + t.m.pair[s], celi_actions(&t.m, s),
                                      t.m.alpha);
  celi_compare_all(trial, t.at, target, t.m.S, celi_size(target, t.m.S) + t.m.alpha);
  return CEL_OK;
}

static CelStatus critic_loss(CeliTrial *trial) {
  Tables t;
  CELI_TRY(draw_tables(trial, &(CeliDraw){0}, &t));
  double *Q = celi_take(trial, t.m.n);
  cel_q_of_v(t.m.mdp, t.V, t.m.gamma, Q);
  descend(&t, loss_Q, t.m.n);
  celi_compare_all(trial, Q, t.at, t.m.n, celi_size(Q, t.m.n));
  return CEL_OK;
}

/// Minimizes (10) over logits along the natural gradient, and compares with the library's
/// projection. Printed: the projection on exp(Q).
static CelStatus policy_loss(CeliTrial *trial, const CeliDraw *draw, double temperature_of_target) {
  Tables t;
  CELI_TRY(draw_tables(trial, draw, &t));
  double *pi = celi_take(trial, t.m.n);
  CELI_TRY(cel_policy_project(t.m.mdp, t.Q, t.m.alpha, NULL, NULL, pi));
  const double tau = temperature_of_target > 0 ? temperature_of_target : t.m.alpha;
  for (int k = 0; k < 120; k++) {
    for (int s = 0; s < t.m.S; s++) {
      const int p = t.m.pair[s], n = celi_actions(&t.m, s);
      if (n) celi_dense_softmax(t.theta + p, n, 1, t.pi + p);
      const double log_Z = n ? celi_dense_log_sum_exp(t.theta + p, n, 1) : 0;
      for (int j = p; j < p + n; j++) t.theta[j] -= 0.5 * (t.theta[j] - log_Z - t.Q[j] / tau);
    }
  }
  celi_compare_all(trial, pi, t.pi, t.m.n,
                   temperature_of_target > 0 ? 1 : celi_size(t.Q, t.m.n) / tau);
  return CEL_OK;
}

static CelStatus policy_loss_corrected(CeliTrial *trial) {
  return policy_loss(trial, &(CeliDraw){0}, 0);
}
static CelStatus policy_loss_printed(CeliTrial *trial) {
  return policy_loss(trial, &(CeliDraw){.A_min = 3, .A_max = 3, .alpha = .1, .endless = true}, 1);
}

/// Compares the learners' target (8) and gradient of (7), in float32, with sums in double.
static CelStatus learners_critic(CeliTrial *trial) {
  enum { B = 16 };
  const float alpha = 0.25f;
  float reward[B], discount[B], Qn[2 * B], logp[B], y[B], Q[2 * B], dQ[2 * B], loss[2 * B];
  double exact[2 * B], got[2 * B];
  const double gamma = .75;
  for (int b = 0; b < B; b++) {
    reward[b] = (float)cel_rng_normal(&trial->rng), logp[b] = (float)cel_rng_normal(&trial->rng);
    discount[b] = celi_below(trial, 4) == 0 ? 0 : (float)gamma; // 0: the episode ended
    for (int e = 0; e < 2; e++) {
      Qn[e * B + b] = (float)cel_rng_normal(&trial->rng);
      Q[e * B + b] = (float)cel_rng_normal(&trial->rng);
    }
  }
  celi_ops()->soft_target(y, reward, discount, Qn, logp, &alpha, 2, B, 0, B, false);
  celi_ops()->squared_error(dQ, loss, Q, y, 1.0f / B, 2, B, 0, B);
  for (int i = 0; i < 2 * B; i++) {
    const int b = i % B;
    const double least = fmin((double)Qn[b], (double)Qn[B + b]);
    const double goes_on = discount[b] > 0 ? gamma : 0;
    const double target = (double)reward[b] + goes_on * (least - 0.25 * (double)logp[b]);
    exact[i] = ((double)Q[i] - target) / B, got[i] = (double)dQ[i];
  }
  celi_compare_all(trial, got, exact, 2 * B, 1);
  return CEL_OK;
}

static const CeliClaim claims[] = {
    {"(5)", "the minimizer of J_V is E_pi[Q - alpha log pi]: gradient descent against the formula",
     "", CEL_CHECK_EQUAL, 1e-9, 100, value_loss, 0xa2cd2ddd},
    {"(7)-(8)",
     "the minimizer of J_Q over sampled s' is r + gamma E[V(s')]: the library's backup against "
     "gradient descent",
     "cel_q_of_v", CEL_CHECK_EQUAL, 1e-9, 100, critic_loss, 0x401451b4},
    {"(7)-(8)",
     "gradient of J_Q, no V after the end: the learners' kernels against sums in double (float32)",
     "soft_target", CEL_CHECK_EQUAL, 1e-6, 100, learners_critic, 0xef3e6cf9},
    {"(10)",
     "the minimizer of J_pi is the softmax of Q/alpha: the library's projection against natural "
     "gradient descent",
     "cel_policy_project", CEL_CHECK_EQUAL, 1e-9, 100, policy_loss_corrected, 0xdeb31838},
    {"(10)", "printed: the projection on exp(Q) is not the softmax of Q/alpha",
     "cel_policy_project", CEL_CHECK_DIFFERS, 1e-2, 100, policy_loss_printed, 0xdd2b9898},
    {0}};

const CeliSection celi_pg_losses = {"src/verify/policy_guarantees/sac_losses.c", claims};
