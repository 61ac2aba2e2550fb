/// [policy-guarantees, coupling, drift]: distributions that agree as often as possible, and the
/// drift of the state distribution.
#include "celsius/guarantee.h"
#include "verify/policy_guarantees/change.h"
#include <math.h>

// ---- coupling

enum { CHOICES = 6 };

/// Two policies of one state, the library's eps for them, and the maximal coupling for that eps.
typedef struct Coupling {
  double x[CHOICES], y[CHOICES], eps, joint[CHOICES][CHOICES];
} Coupling;

/// Computes the coupling: min(x, y) on the diagonal, plus the product of the excesses over eps, the
/// library's total variation.
static CelStatus couple(CeliTrial *trial, Coupling *c) {
  const int actions[] = {CHOICES};
  CelGuaranteeStep step;
  CeliProblem m;
  celi_open(trial, &m, 1, actions, .5);
  for (int a = 0; a < CHOICES; a++) celi_arrow(&m, 0, a, 0, 1, a, false);
  CELI_TRY(celi_close(trial, &m, 0));
  CELI_TRY(cel_policy_guarantee(m.mdp, c->x, c->y, m.gamma, &step));
  c->eps = step.eps;
  for (int i = 0; i < CHOICES; i++)
    for (int j = 0; j < CHOICES; j++) {
      const double excess = fmax(c->x[i] - c->y[i], 0) * fmax(c->y[j] - c->x[j], 0);
      c->joint[i][j] = (i == j ? fmin(c->x[i], c->y[i]) : 0) + excess / c->eps;
    }
  return CEL_OK;
}

static CelStatus draw_coupling(CeliTrial *trial, Coupling *c) {
  celi_draw_normal(trial, c->x, CHOICES, 1);
  celi_draw_normal(trial, c->y, CHOICES, 1);
  celi_dense_softmax(c->x, CHOICES, 1, c->x);
  celi_dense_softmax(c->y, CHOICES, 1, c->y);
  return couple(trial, c);
}

static CelStatus coupling_marginals(CeliTrial *trial) {
  Coupling c;
  double sums[2 * CHOICES] = {0}, both[2 * CHOICES];
  CELI_TRY(draw_coupling(trial, &c));
  for (int i = 0; i < CHOICES; i++) both[i] = c.x[i], both[CHOICES + i] = c.y[i];
  for (int i = 0; i < CHOICES; i++)
    for (int j = 0; j < CHOICES; j++) sums[i] += c.joint[i][j], sums[CHOICES + j] += c.joint[i][j];
  celi_compare_all(trial, sums, both, 2 * CHOICES, 1);
  return CEL_OK;
}

static double agreement(const Coupling *c) {
  double agree = 0;
  for (int i = 0; i < CHOICES; i++) agree += c->joint[i][i];
  return agree;
}

/// Compares P(x = y) of the coupling with 1 - eps.
static CelStatus coupling_agrees(CeliTrial *trial) {
  Coupling c;
  CELI_TRY(draw_coupling(trial, &c));
  celi_compare(trial, agreement(&c), 1 - c.eps, 1);
  return CEL_OK;
}

/// eps is the largest difference on any set of actions, so no coupling agrees more often.
static CelStatus coupling_is_maximal(CeliTrial *trial) {
  Coupling c;
  double most = 0;
  CELI_TRY(draw_coupling(trial, &c));
  for (int set = 0; set < 1 << CHOICES; set++) {
    double difference = 0;
    for (int i = 0; i < CHOICES; i++)
      if (set >> i & 1) difference += c.x[i] - c.y[i];
    most = fmax(most, difference);
  }
  celi_compare(trial, c.eps, most, 1);
  return CEL_OK;
}

/// The printed "agrees with probability epsilon", for two distributions with total variation .2.
static CelStatus coupling_printed(CeliTrial *trial) {
  Coupling c = {{.6, .1, .1, .1, .1, 0}, {.4, .1, .1, .1, .1, .2}, 0, {{0}}};
  CELI_TRY(couple(trial, &c));
  celi_compare(trial, agreement(&c), c.eps, 1);
  return CEL_OK;
}

static CelStatus coupling_simulated(CeliTrial *trial) {
  enum { SAMPLES = 50000 };
  Coupling c;
  double agree = 0;
  CELI_TRY(draw_coupling(trial, &c));
  for (int i = 0; i < SAMPLES; i++) {
    double left = cel_rng_uniform(&trial->rng);
    int cell = 0;
    while (cell < CHOICES * CHOICES - 1 && left >= c.joint[cell / CHOICES][cell % CHOICES])
      left -= c.joint[cell / CHOICES][cell % CHOICES], cell++;
    agree += cell / CHOICES == cell % CHOICES;
  }
  const double same = 1 - c.eps;
  celi_compare(trial, agree / SAMPLES, same, sqrt(same * (1 - same) / SAMPLES));
  return CEL_OK;
}

// ---- drift

/// |p'_t - p_t|_1 by the library.
static double drift_at(const CeliChange *c, int t) {
  double L1 = 0;
  for (int s = 0; s < c->m.S; s++) L1 += fabs(c->p_next[t * c->m.S + s] - c->p[t * c->m.S + s]);
  return L1;
}

/// Compares the drift at every t with 2 (1 - (1-eps)^t), or with 2 eps t, which the two-state
/// problem reaches at t = 1.
static CelStatus drift(CeliTrial *trial, bool linear) {
  CeliChange c[2] = {0};
  CELI_TRY(celi_change_draw(trial, &celi_change_any, pow(10, -celi_below(trial, 4)), &c[0]));
  CELI_TRY(celi_change_draw_tight(trial, &c[1]));
  for (int i = 0; i < 2; i++)
    for (int t = 1; t <= c[i].T && t <= 200; t++)
      celi_compare(trial, drift_at(&c[i], t),
                   linear ? 2 * c[i].eps * t : 2 * (1 - pow(1 - c[i].eps, t)), 1);
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
  for (int t = 0; t <= c.T && t <= 200; t++)
    celi_compare(trial, drift_at(&c, t), 2 * (1 - pow(1 - c.eps, t)), 1);
  return CEL_OK;
}

/// p_t (S) under a policy by dense steps.
static const double *dense_states(CeliTrial *trial, const CeliProblem *m, const double *pi, int t) {
  double *p = celi_take(trial, m->S), *next = celi_take(trial, m->S);
  for (int s = 0; s < m->S; s++) p[s] = m->start[s];
  for (int k = 0; k < t; k++) {
    celi_dense_step(m, pi, p, next);
    for (int s = 0; s < m->S; s++) p[s] = next[s];
  }
  return p;
}

/// The smallest entry of p_mistake = (p'_t - (1-eps)^t p_t)/(1 - (1-eps)^t), over t of 1 to 5. p'_t
/// is the library's, p_t comes from dense steps.
static double least_mistake(CeliTrial *trial, const CeliChange *c) {
  double least = HUGE_VAL;
  for (int t = 1; t <= 5 && t <= c->T; t++) {
    const double *p = dense_states(trial, &c->m, c->pi, t), kept = pow(1 - c->eps, t);
    for (int s = 0; s < c->m.S; s++)
      least = fmin(least, (c->p_next[t * c->m.S + s] - kept * p[s]) / (1 - kept));
  }
  return least;
}

/// Draws a deterministic pi and any pi'.
static CelStatus draw_deterministic(CeliTrial *trial, CeliChange *c) {
  CELI_TRY(celi_change_draw(trial, &celi_change_endless, -1, c));
  for (int k = 0; k < c->m.n; k++) c->pi[k] = k == c->m.pair[c->m.state[k]];
  return celi_change_evaluate(trial, c);
}

/// p_mistake has no negative entry. On the two-state problem its entry for state 0 is 0.
static CelStatus mistakes_of_deterministic(CeliTrial *trial) {
  CeliChange c = {0}, tight = {0};
  CELI_TRY(draw_deterministic(trial, &c));
  CELI_TRY(celi_change_draw_tight(trial, &tight));
  celi_compare(trial, 0, least_mistake(trial, &c), 1);
  celi_compare(trial, 0, least_mistake(trial, &tight), 1);
  return CEL_OK;
}

/// The entries of p_mistake sum to 1, because p_t and p'_t do.
static CelStatus mistakes_sum_to_one(CeliTrial *trial) {
  CeliChange c = {0};
  CELI_TRY(draw_deterministic(trial, &c));
  for (int t = 1; t <= 5 && t <= c.T; t++) {
    const double kept = pow(1 - c.eps, t);
    double sum = 0;
    for (int s = 0; s < c.m.S; s++)
      sum += (c.p_next[t * c.m.S + s] - kept * c.p[t * c.m.S + s]) / (1 - kept);
    celi_compare(trial, sum, 1, 1);
  }
  return CEL_OK;
}

/// pi' moves probability from one action to another, which gives the largest total variation. Then
/// p_mistake has a negative entry.
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
  celi_compare(trial, 0, least_mistake(trial, &c), 1);
  return CEL_OK;
}

// ---- the effect of a drift on an expectation

/// Compares E_{p_t} f - L1 max |f|, with the library's p_t and drift, with E_{p'_t} f by dense
/// steps. f is random, or the worst case: -1 where p'_t is above p_t, else 1. The worst case is an
/// equality.
static CelStatus expectation(CeliTrial *trial, bool worst) {
  CeliChange c = {0};
  CELI_TRY(celi_change_draw(trial, &celi_change_endless, pow(10, -celi_below(trial, 3)), &c));
  double *f = celi_take(trial, c.m.S);
  for (int t = 1; t <= 8; t++) {
    const double *p = c.p + t * c.m.S, *own = dense_states(trial, &c.m, c.next, t);
    celi_draw_normal(trial, f, c.m.S, 1);
    for (int s = 0; s < c.m.S && worst; s++) f[s] = c.p_next[t * c.m.S + s] > p[s] ? -1 : 1;
    double most = 0;
    for (int s = 0; s < c.m.S; s++) most = fmax(most, fabs(f[s]));
    celi_compare(trial, celi_dense_dot(p, f, c.m.S) - drift_at(&c, t) * most,
                 celi_dense_dot(own, f, c.m.S), 1);
  }
  return CEL_OK;
}

static CelStatus expectation_bounded(CeliTrial *trial) {
  CELI_TRY(expectation(trial, true));
  return expectation(trial, false);
}
static CelStatus expectation_reached(CeliTrial *trial) {
  return expectation(trial, true);
}

/// max f in place of max |f|, for f = -1 everywhere: that bound is above the expectation.
static CelStatus expectation_printed(CeliTrial *trial) {
  CeliChange c = {0};
  CELI_TRY(celi_change_draw(trial, &celi_change_endless, -1, &c));
  const double *own = dense_states(trial, &c.m, c.next, 1);
  double mass = 0, mass_next = 0;
  for (int s = 0; s < c.m.S; s++) mass += c.p[c.m.S + s], mass_next += own[s];
  celi_compare(trial, -mass + drift_at(&c, 1), -mass_next, 1);
  return CEL_OK;
}

static const CeliClaim claims[] = {
    {"coupling",
     "the maximal coupling has both distributions as marginals: the joint built with the library's "
     "eps against both",
     "cel_policy_guarantee", CEL_CHECK_EQUAL, 1e-14, 200, coupling_marginals, 0x59fd8021},
    {"coupling",
     "the maximal coupling agrees with probability 1 - eps: its diagonal against the library's eps",
     "cel_policy_guarantee", CEL_CHECK_EQUAL, 1e-14, 200, coupling_agrees, 0xae768901},
    {"coupling",
     "no coupling agrees more often: the library's eps against the largest difference on any set "
     "of actions",
     "cel_policy_guarantee", CEL_CHECK_EQUAL, 1e-14, 200, coupling_is_maximal, 0x25bdee83},
    {"coupling", "printed: the maximal coupling does not agree with probability eps",
     "cel_policy_guarantee", CEL_CHECK_DIFFERS, 1e-1, 1, coupling_printed, 0x5494df48},
    {"coupling",
     "the maximal coupling agrees with probability 1 - eps: 50000 samples against the library's "
     "eps (standard errors)",
     "cel_policy_guarantee", CEL_CHECK_EQUAL, 4, 4, coupling_simulated, 0x3abcd34b},
    {"drift",
     "L1 distance of p'_t and p_t <= 2 (1 - (1-eps)^t): the library's distributions against the "
     "bound",
     "cel_state_distribution", CEL_CHECK_AT_MOST, 1e-12, 200, drift_is_bounded, 0xa5568e3c},
    {"drift",
     "L1 distance of p'_t and p_t <= 2 eps t, equal at t = 1 on the two-state problem: the "
     "library's distributions against the bound",
     "cel_state_distribution", CEL_CHECK_AT_MOST, 1e-12, 200, drift_bound_is_linear, 0x3712e8ef},
    {"drift",
     "L1 distance of p'_t and p_t = 2 (1 - (1-eps)^t) on the two-state problem: the library's "
     "distributions against the bound",
     "cel_state_distribution", CEL_CHECK_EQUAL, 1e-12, 100, drift_is_tight, 0xb6556acb},
    {"drift",
     "where pi is deterministic, p_mistake has no negative entry: 0 against the smallest entry",
     "cel_state_distribution", CEL_CHECK_AT_MOST, 1e-12, 200, mistakes_of_deterministic,
     0xfa2adce4},
    {"drift", "where pi is deterministic, p_mistake sums to 1", "cel_state_distribution",
     CEL_CHECK_EQUAL, 1e-12, 200, mistakes_sum_to_one, 0x3149a5e7},
    {"drift", "printed: in general p_mistake has a negative entry, so it is not a distribution",
     "cel_state_distribution", CEL_CHECK_EXCEEDS, 1e-3, 1, mistakes_in_general, 0xb53d17a8},
    {"objective bound",
     "E_{p'}[f] >= E_p[f] - L1 max abs f for any f: the library's p and L1 against dense steps",
     "cel_state_distribution", CEL_CHECK_AT_MOST, 1e-13, 100, expectation_bounded, 0x84f852dd},
    {"objective bound",
     "E_{p'}[f] = E_p[f] - L1 max abs f where f is -1 if p' > p, else 1: the library's p and L1 "
     "against dense steps",
     "cel_state_distribution", CEL_CHECK_EQUAL, 1e-13, 100, expectation_reached, 0x64098430},
    {"objective bound",
     "printed: with max f in place of max abs f the lower bound is above E_{p'}[f]",
     "cel_state_distribution", CEL_CHECK_EXCEEDS, 1e-6, 100, expectation_printed, 0x48887a20},
    {0}};

const CeliSection celi_pg_coupling = {"src/verify/policy_guarantees/coupling.c", claims};
