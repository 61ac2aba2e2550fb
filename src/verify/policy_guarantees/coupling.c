/// [policy-guarantees, coupling, drift]: distributions that agree as often as they can, and how far states drift.
#include "verify/policy_guarantees/change.h"
#include <math.h>

// ---- coupling

enum { CHOICES = 6 };

/// The maximal coupling of x and y: min(x, y) on the diagonal, the rest as a product.
static void couple(const double *x, const double *y, double joint[CHOICES][CHOICES]) {
  const double distance = celi_dense_distance(x, y, CHOICES);
  for (int i = 0; i < CHOICES; i++)
    for (int j = 0; j < CHOICES; j++) {
      const double excess = fmax(x[i] - y[i], 0) * fmax(y[j] - x[j], 0);
      joint[i][j] = (i == j ? fmin(x[i], y[i]) : 0) + (distance > 0 ? excess / distance : 0);
    }
}

/// Two distributions and their coupling.
static void draw_coupling(CeliTrial *trial, double *x, double *y, double joint[CHOICES][CHOICES]) {
  celi_draw_normal(trial, x, CHOICES, 1);
  celi_draw_normal(trial, y, CHOICES, 1);
  celi_dense_softmax(x, CHOICES, 1, x);
  celi_dense_softmax(y, CHOICES, 1, y);
  couple(x, y, joint);
}

static CelStatus coupling_marginals(CeliTrial *trial) {
  double x[CHOICES], y[CHOICES], joint[CHOICES][CHOICES], sums[2 * CHOICES] = {0},
                                                                   both[2 * CHOICES];
  draw_coupling(trial, x, y, joint);
  for (int i = 0; i < CHOICES; i++) both[i] = x[i], both[CHOICES + i] = y[i];
  for (int i = 0; i < CHOICES; i++)
    for (int j = 0; j < CHOICES; j++) sums[i] += joint[i][j], sums[CHOICES + j] += joint[i][j];
  celi_compare_all(trial, sums, both, 2 * CHOICES, 1);
  return CEL_OK;
}

/// P(x = y) of the coupling against 1 - TV, or against TV as printed.
static CelStatus coupling_agrees(CeliTrial *trial, bool printed) {
  double x[CHOICES], y[CHOICES], joint[CHOICES][CHOICES], agree = 0;
  draw_coupling(trial, x, y, joint);
  for (int i = 0; i < CHOICES; i++) agree += joint[i][i];
  const double distance = celi_dense_distance(x, y, CHOICES);
  celi_compare(trial, agree, printed ? distance : 1 - distance, 1);
  return CEL_OK;
}

static CelStatus coupling_corrected(CeliTrial *trial) {
  return coupling_agrees(trial, false);
}

/// "Agrees with probability epsilon", on distributions whose distance is .2.
static CelStatus coupling_printed(CeliTrial *trial) {
  const double x[CHOICES] = {.6, .1, .1, .1, .1, 0}, y[CHOICES] = {.4, .1, .1, .1, .1, .2};
  double joint[CHOICES][CHOICES], agree = 0;
  couple(x, y, joint);
  for (int i = 0; i < CHOICES; i++) agree += joint[i][i];
  celi_compare(trial, agree, celi_dense_distance(x, y, CHOICES), 1);
  return CEL_OK;
}

static CelStatus coupling_simulated(CeliTrial *trial) {
  enum { SAMPLES = 50000 };
  double x[CHOICES], y[CHOICES], joint[CHOICES][CHOICES], agree = 0;
  draw_coupling(trial, x, y, joint);
  for (int i = 0; i < SAMPLES; i++) {
    double left = cel_rng_uniform(&trial->rng);
    int cell = 0;
    while (cell < CHOICES * CHOICES - 1 && left >= joint[cell / CHOICES][cell % CHOICES])
      left -= joint[cell / CHOICES][cell % CHOICES], cell++;
    agree += cell / CHOICES == cell % CHOICES;
  }
  const double same = 1 - celi_dense_distance(x, y, CHOICES);
  celi_compare(trial, agree / SAMPLES, same, sqrt(same * (1 - same) / SAMPLES));
  return CEL_OK;
}

// ---- drift

/// |p'_t - p_t|_1 at every t against 2 (1 - (1-eps)^t), or that against 2 eps t.
static CelStatus drift(CeliTrial *trial, bool of_bounds) {
  CeliChange c = {0};
  CELI_TRY(celi_change_draw(trial, &celi_change_any, pow(10, -celi_below(trial, 4)), &c));
  for (int t = 1; t <= c.T && t <= 200; t++) {
    double L1 = 0;
    for (int s = 0; s < c.m.S; s++) L1 += fabs(c.p_next[t * c.m.S + s] - c.p[t * c.m.S + s]);
    const double bound = 2 * (1 - pow(1 - c.eps, t));
    if (of_bounds)
      celi_compare(trial, bound, 2 * c.eps * t, 1);
    else
      celi_compare(trial, L1, bound, 1);
  }
  return CEL_OK;
}

static CelStatus drift_is_bounded(CeliTrial *trial) {
  return drift(trial, false);
}
static CelStatus drift_bound_is_linear(CeliTrial *trial) {
  return drift(trial, true);
}

static CelStatus drift_is_tight(CeliTrial *trial) {
  CeliChange c = {0};
  CELI_TRY(celi_change_draw_tight(trial, &c));
  for (int t = 0; t <= c.T && t <= 200; t++) {
    const double L1 =
        fabs(c.p_next[2 * t] - c.p[2 * t]) + fabs(c.p_next[2 * t + 1] - c.p[2 * t + 1]);
    celi_compare(trial, L1, 2 * (1 - pow(1 - c.eps, t)), 1);
  }
  return CEL_OK;
}

/// The least entry of p_mistake = (p'_t - (1-eps)^t p_t)/(1 - (1-eps)^t), over t of 1 to 5.
static double least_mistake(const CeliChange *c) {
  double least = HUGE_VAL;
  for (int t = 1; t <= 5 && t <= c->T; t++)
    for (int s = 0; s < c->m.S; s++) {
      const double kept = pow(1 - c->eps, t);
      least = fmin(least, (c->p_next[t * c->m.S + s] - kept * c->p[t * c->m.S + s]) / (1 - kept));
    }
  return least;
}

/// pi deterministic, pi' any: p_mistake is a distribution.
static CelStatus mistakes_of_deterministic(CeliTrial *trial) {
  CeliChange c = {0};
  CELI_TRY(celi_change_draw(trial, &celi_change_endless, -1, &c));
  for (int k = 0; k < c.m.n; k++) c.pi[k] = k == c.m.pair[c.m.state[k]];
  CELI_TRY(celi_change_evaluate(trial, &c));
  celi_compare(trial, 0, least_mistake(&c), 1);
  return CEL_OK;
}

/// pi even, pi' taking from one action what it gives to another, at the largest total variation: p_mistake is negative.
static CelStatus mistakes_in_general(CeliTrial *trial) {
  const int actions[] = {3, 1, 1, 1};
  CeliChange c = {0};
  celi_open(trial, &c.m, 4, actions, .5);
  for (int a = 0; a < 3; a++) celi_arrow(&c.m, 0, a, 1 + a, 1, 0, false);
  for (int s = 1; s < 4; s++) celi_arrow(&c.m, s, 0, s, 1, s, false);
  c.m.start[0] = 1;
  CELI_TRY(celi_close(trial, &c.m, 0));
  double pi[] = {.4, .3, .3, 1, 1, 1}, next[] = {.1, .6, .3, 1, 1, 1};
  c.pi = pi, c.next = next;
  CELI_TRY(celi_change_evaluate(trial, &c));
  celi_compare(trial, 0, least_mistake(&c), 1);
  return CEL_OK;
}

static const CeliClaim claims[] = {
    {"coupling", "the maximal coupling has the two marginals", "", CEL_CHECK_EQUAL, 1e-14, 200,
     coupling_marginals},
    {"coupling", "and agrees with probability 1 - TV", "", CEL_CHECK_EQUAL, 1e-14, 200,
     coupling_corrected},
    {"coupling", "printed: agrees with probability epsilon", "", CEL_CHECK_DIFFERS, 1e-1, 1,
     coupling_printed},
    {"coupling", "simulated (standard errors)", "", CEL_CHECK_EQUAL, 4, 4, coupling_simulated},
    {"drift", "L1 of p'_t - p_t is at most 2 (1 - (1-eps)^t)", "cel_state_distribution",
     CEL_CHECK_AT_MOST, 1e-12, 200, drift_is_bounded},
    {"drift", "which is at most 2 eps t", "", CEL_CHECK_AT_MOST, 1e-12, 200, drift_bound_is_linear},
    {"drift", "equality on the two-state problem", "cel_state_distribution", CEL_CHECK_EQUAL, 1e-12,
     100, drift_is_tight},
    {"drift", "pi deterministic: p_mistake is a distribution", "cel_state_distribution",
     CEL_CHECK_AT_MOST, 1e-12, 200, mistakes_of_deterministic},
    {"drift", "printed: in general it is not, it has a negative entry", "cel_state_distribution",
     CEL_CHECK_EXCEEDS, 1e-3, 1, mistakes_in_general},
    {0}};

const CeliSection celi_pg_coupling = {"src/verify/policy_guarantees/coupling.c", claims};
