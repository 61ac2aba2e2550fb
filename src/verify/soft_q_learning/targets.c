/// [soft-q-learning, 3.2, 4]: losses and targets: what a loss on V does not determine, sampled next
/// states, normalization.
#include "verify/soft_q_learning/backup.h"
#include <math.h>

// ---- 3: losses and targets

/// Draws a Q that is not Q* but has alpha log sum exp(Q/alpha) = V* in each state: a random Q,
/// shifted state by state.
static CelStatus draw_deceiver(CeliTrial *trial, CeliProblem *m, double **Q, double **best,
                               double **V) {
  CELI_TRY(celi_draw(trial, &celi_sq_plain, m));
  *Q = celi_take(trial, m->n), *best = celi_take(trial, m->n), *V = celi_take(trial, m->S);
  CELI_TRY(celi_library_optimum(m, CEL_SOLVE_AUTO, m->alpha, *V, *best, NULL));
  celi_draw_normal(trial, *Q, m->n, 1);
  for (int s = 0; s < m->S; s++) {
    const double own = celi_dense_log_sum_exp(*Q + m->pair[s], celi_actions(m, s), m->alpha);
    for (int k = m->pair[s]; k < m->pair[s + 1]; k++) (*Q)[k] += (*V)[s] - own;
  }
  return CEL_OK;
}

/// The loss on V is 0 at that Q: T V_Q = V_Q.
static CelStatus loss_on_values(CeliTrial *trial) {
  CeliProblem m;
  double *Q, *best, *V;
  CELI_TRY(draw_deceiver(trial, &m, &Q, &best, &V));
  double *V_Q = celi_take(trial, m.S), *TV = celi_take(trial, m.S);
  cel_value_of_q(m.mdp, Q, m.alpha, V_Q);
  celi_sq_backup(trial, &m, V_Q, TV);
  celi_compare_all(trial, TV, V_Q, m.S, celi_scale(&m, best));
  return CEL_OK;
}

static CelStatus deceiver_is_elsewhere(CeliTrial *trial) {
  CeliProblem m;
  double *Q, *best, *V;
  CELI_TRY(draw_deceiver(trial, &m, &Q, &best, &V));
  celi_compare_all(trial, Q, best, m.n, 1);
  return CEL_OK;
}

/// The loss on Q with a target network is not 0 at that Q.
static CelStatus loss_on_actions(CeliTrial *trial) {
  CeliProblem m;
  double *Q, *best, *V;
  CELI_TRY(draw_deceiver(trial, &m, &Q, &best, &V));
  double *V_Q = celi_take(trial, m.S), *target = celi_take(trial, m.n);
  cel_value_of_q(m.mdp, Q, m.alpha, V_Q);
  cel_q_of_v(m.mdp, V_Q, m.gamma, target);
  celi_compare_all(trial, target, Q, m.n, 1);
  return CEL_OK;
}

/// Compares the mean of r + gamma alpha log sum exp(Q(s',.)/alpha) over sampled s' with the
/// library's backup.
static CelStatus target_from_sample(CeliTrial *trial) {
  enum { SAMPLES = 20000 };
  CeliProblem m;
  double sum = 0, squares = 0;
  CELI_TRY(celi_draw(trial, &celi_sq_plain, &m));
  double *Q = celi_take(trial, m.n), *V = celi_take(trial, m.S), *exact = celi_take(trial, m.n);
  celi_draw_normal(trial, Q, m.n, 1);
  cel_value_of_q(m.mdp, Q, m.alpha, V);
  cel_q_of_v(m.mdp, V, m.gamma, exact);
  for (int i = 0; i < SAMPLES; i++) {
    const int next = celi_sample_next(trial, &m, 0);
    const double follows =
        celi_dense_log_sum_exp(Q + m.pair[next], celi_actions(&m, next), m.alpha);
    const double off = m.R[next] + m.gamma * follows - exact[0];
    sum += off, squares += off * off;
  }
  const double variance = fmax(squares - sum * sum / SAMPLES, 0) / (SAMPLES - 1);
  celi_compare(trial, exact[0] + sum / SAMPLES, exact[0], sqrt(variance / SAMPLES));
  return CEL_OK;
}

/// T V_Q(s) of one state from one sampled s' for each action, inside the logarithm: by Jensen's
/// inequality it is biased upwards.
static CelStatus sample_inside_log(CeliTrial *trial) {
  enum { SAMPLES = 20000 };
  const int actions[] = {2, 1, 1};
  CeliProblem m;
  double sum = 0, squares = 0, TV[3], q[2];
  const double V[] = {0, 1, -1};
  celi_open(trial, &m, 3, actions, .9);
  m.alpha = .2;
  for (int a = 0; a < 2; a++)
    celi_arrow(&m, 0, a, 1, .5, 0, false), celi_arrow(&m, 0, a, 2, .5, 0, false);
  for (int s = 1; s < 3; s++) celi_arrow(&m, s, 0, s, 1, 0, true);
  CELI_TRY(celi_close(trial, &m, 0));
  celi_sq_backup(trial, &m, V, TV);
  for (int i = 0; i < SAMPLES; i++) {
    for (int a = 0; a < 2; a++) q[a] = m.gamma * V[celi_sample_next(trial, &m, a)];
    const double value = celi_dense_log_sum_exp(q, 2, m.alpha);
    sum += value - TV[0], squares += (value - TV[0]) * (value - TV[0]);
  }
  const double variance = (squares - sum * sum / SAMPLES) / (SAMPLES - 1);
  celi_compare(trial, TV[0] + sum / SAMPLES, TV[0], sqrt(variance / SAMPLES));
  return CEL_OK;
}

/// The discrete target by the library: sum_a exp((Q - V)/alpha).
static CelStatus target_of_choices(CeliTrial *trial, bool printed) {
  CeliProblem m;
  CELI_TRY(celi_draw(
      trial, &(CeliDraw){.A_min = 2, .A_max = 8, .alpha = printed ? .25 : 0, .endless = true}, &m));
  double *Q = celi_take(trial, m.n), *V = celi_take(trial, m.S);
  celi_draw_normal(trial, Q, m.n, 1);
  cel_value_of_q(m.mdp, Q, m.alpha, V);
  for (int s = 0; s < m.S; s++) {
    double sum = 0;
    for (int k = m.pair[s]; k < m.pair[s + 1]; k++)
      sum += printed ? exp(Q[k] / m.alpha - V[s]) : exp((Q[k] - V[s]) / m.alpha);
    celi_compare(trial, sum, 1, printed ? 1 : celi_size(Q, m.n) / m.alpha + 1);
  }
  return CEL_OK;
}

static CelStatus actions_are_normalized(CeliTrial *trial) {
  return target_of_choices(trial, false);
}
static CelStatus choices_printed(CeliTrial *trial) {
  return target_of_choices(trial, true);
}

static const CeliClaim claims[] = {
    {"3.2", "the loss on V is 0 at a Q that is not Q*: the library's TV_Q against V_Q", "cel_solve",
     CEL_CHECK_EQUAL, 1e-11, 200, loss_on_values, 0x6f7604e7},
    {"3.2",
     "printed: the Q at which the loss on V is 0 is not Q*, so that loss does not determine Q*",
     "cel_solve", CEL_CHECK_DIFFERS, 1e-3, 200, deceiver_is_elsewhere, 0x5e830964},
    {"3.2", "the loss on Q with a target network is not 0 at a Q where the loss on V is 0",
     "cel_q_of_v", CEL_CHECK_DIFFERS, 1e-3, 200, loss_on_actions, 0x27c904fa},
    {"3.2",
     "r + gamma alpha log sum exp(Q(s',.)/alpha) from one sampled s' is unbiased: the mean of "
     "20000 samples against the library (standard errors)",
     "cel_q_of_v", CEL_CHECK_EQUAL, 4, 4, target_from_sample, 0x44fee419},
    {"3.2",
     "printed: one sampled s' inside the logarithm biases TV upwards: the mean of 20000 samples "
     "exceeds the library's TV (standard errors)",
     "cel_value_of_q", CEL_CHECK_EXCEEDS, 4, 2, sample_inside_log, 0x12041e04},
    {"4",
     "for discrete actions exp((Q - V)/alpha) sums to 1: the sum with the library's V against 1",
     "cel_value_of_q", CEL_CHECK_EQUAL, 1e-13, 200, actions_are_normalized, 0x119d0598},
    {"4", "printed: for discrete actions exp(Q/alpha - V) does not sum to 1", "cel_value_of_q",
     CEL_CHECK_DIFFERS, 1e-3, 100, choices_printed, 0x7767a365},
    {0}};

const CeliSection celi_sq_targets = {"src/verify/soft_q_learning/targets.c", claims};
