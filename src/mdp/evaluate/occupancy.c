/// The state distributions of a policy: at each step, and discounted.
///
///     p_{t+1}(s') = sum_s p_t(s) sum_a pi(a|s) p(s'|s,a),   d = (1 - gamma) sum_t gamma^t p_t,
/// so d solves (I - gamma P_pi)' d = (1 - gamma) p_0. An episode that ends leaves the distribution.
/// A terminal state counts once, on arrival.
///
/// The Krylov method solves this system by corrections, like evaluate.c. BiCGStab takes rows, so
/// P_pi is transposed once, into an MDP with one action that leads back to the sources of each
/// state. Let r = (1 - gamma) p_0 - (I - gamma P_pi)' d. P_pi' does not increase mass, so the error
/// of d has an L1 norm of at most |r|_1/(1 - gamma).
/// Source: [actor-critic, 4.1-4.6].
#include "base/arguments.h"
#include "base/base.h"
#include "celsius/solve.h"
#include "mdp/evaluate/direct.h"
#include "mdp/evaluate/krylov.h"
#include "mdp/interrupt.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/// next += scale p P_pi.
static void propagate(const CelMdp *mdp, const double *pi, double *next, const double *p,
                      double scale) {
  for (int64_t s = 0; s < mdp->states; s++) {
    if (p[s] == 0.0) continue;
    for (int64_t k = mdp->pair[s]; k < mdp->pair[s + 1]; k++) {
      const double mass = scale * p[s] * pi[k];
      if (mass == 0.0) continue;
      for (int64_t t = mdp->row[k]; t < mdp->row[k + 1]; t++)
        if (!mdp->ends || !mdp->ends[t]) next[cel_mdp_next(mdp, t)] += mass * mdp->probability[t];
    }
  }
}

CelStatus cel_state_distribution(const CelMdp *mdp, const double *pi, int64_t T, double *p) {
  CELI_NEED(mdp);
  CELI_NEED(mdp->pair);
  CELI_NEED(pi);
  CELI_NEED(p);
  CELI_FLOATS(CELI_IEEE);
  if (T < 0) return cel_fail(CEL_E_RANGE, "T is %lld; it must be at least 0", (long long)T);
  const int64_t S = mdp->states;
  memcpy(p, mdp->start, (size_t)S * sizeof *p);
  for (int64_t t = 0; t < T; t++) {
    CELI_TRY(celi_poll());
    memset(p + (t + 1) * S, 0, (size_t)S * sizeof *p);
    propagate(mdp, pi, p + (t + 1) * S, p + t * S, 1.0);
  }
  return CEL_OK;
}

static double mass(const double *p, int64_t S) {
  double sum = 0.0;
  for (int64_t s = 0; s < S; s++) sum += fabs(p[s]);
  return sum;
}

/// d += sum_k (gamma P_pi')^k p, until the rest has at most the mass of the tolerance. p and `next`
/// are overwritten.
static CelStatus add_up(const CelMdp *mdp, const double *pi, double gamma, double tolerance,
                        double *d, double *p, double *next) {
  const int64_t S = mdp->states;
  // After a term of mass m, the rest is at most gamma m/(1 - gamma).
  for (double m = mass(p, S); m > tolerance * (1.0 - gamma) && m > 0.0; m = mass(p, S)) {
    CELI_TRY(celi_poll());
    for (int64_t s = 0; s < S; s++) d[s] += p[s];
    memset(next, 0, (size_t)S * sizeof *next);
    propagate(mdp, pi, next, p, gamma);
    memcpy(p, next, (size_t)S * sizeof *p);
  }
  return CEL_OK;
}

static CelStatus sweeps(const CelMdp *mdp, const double *pi, double gamma, double tolerance,
                        double *d) {
  const int64_t S = mdp->states;
  double *p;
  CELI_TRY(celi_alloc(&p, 2 * (size_t)S, sizeof *p, "a distribution"));
  memset(d, 0, (size_t)S * sizeof *d);
  for (int64_t s = 0; s < S; s++) p[s] = (1.0 - gamma) * mdp->start[s];
  const CelStatus status = add_up(mdp, pi, gamma, tolerance, d, p, p + S);
  free(p);
  return status;
}

/// Terminal states have no row in P_pi, but episodes arrive there, so they have a column.
static CelStatus direct(const CelMdp *mdp, const double *pi, double gamma, double *d) {
  CeliOperator *op;
  CeliDirect *solve = NULL;
  double *r_pi = NULL;
  CELI_TRY(celi_operator_create(&op, mdp, gamma, 1, 0));
  CelStatus status = celi_operator_prepare(op);
  if (status == CEL_OK) status = celi_operator_vector(op, &r_pi);
  if (status == CEL_OK) {
    celi_operator_assemble(op, pi, 0.0, r_pi);
    status = celi_direct_create(&solve, op);
  }
  if (status == CEL_OK) {
    for (int64_t s = 0; s < mdp->states; s++) d[s] = (1.0 - gamma) * mdp->start[s];
    status = celi_direct_solve(solve, d, true);
  }
  celi_direct_destroy(solve);
  free(r_pi);
  celi_operator_destroy(op);
  return status;
}

// ---- Krylov

enum {
  KRYLOV_MOST = 2000,
  IN_VAIN_MOST = 100
}; ///< iterations of a correction; consecutive ones without gain
static const double KRYLOV_DIGITS = 1e-3;

/// P_pi transposed: row s' holds the states that lead to s', with P_pi(s, s'). Its rows do not sum
/// to 1, but the operator does not need that.
typedef struct Turned {
  CelMdp mdp;
  int64_t *pair, *row; ///< (S + 1) each
  uint32_t *from;      ///< (elements)
  double *probability; ///< (elements)
  double *reward;      ///< (S) zeros
} Turned;

/// Calls fn for every transition that pi takes and that does not end the episode.
static void each_element(const CelMdp *mdp, const double *pi, Turned *turned,
                         void (*fn)(Turned *, int64_t s, int64_t next, double p)) {
  for (int64_t s = 0; s < mdp->states; s++)
    for (int64_t k = mdp->pair[s]; k < mdp->pair[s + 1]; k++)
      for (int64_t t = mdp->row[k]; pi[k] > 0.0 && t < mdp->row[k + 1]; t++)
        if (!mdp->ends || !mdp->ends[t])
          fn(turned, s, cel_mdp_next(mdp, t), pi[k] * mdp->probability[t]);
}

static void count(Turned *turned, int64_t s, int64_t next, double p) {
  (void)s, (void)p;
  turned->row[next + 1]++;
}

/// Appends to row `next` at row[next]. At the end, row[next] is the start of the row after it.
static void put(Turned *turned, int64_t s, int64_t next, double p) {
  const int64_t at = turned->row[next]++;
  turned->from[at] = (uint32_t)s;
  turned->probability[at] = p;
}

static CelStatus turn_over(Turned *turned, const CelMdp *mdp, const double *pi) {
  static const char what[] = "a transposed MDP";
  const int64_t S = mdp->states;
  CELI_TRY(celi_alloc(&turned->pair, (size_t)S + 1, sizeof(int64_t), what));
  CELI_TRY(celi_alloc(&turned->row, (size_t)S + 1, sizeof(int64_t), what));
  CELI_TRY(celi_alloc(&turned->reward, (size_t)S, sizeof(double), what));
  memset(turned->row, 0, ((size_t)S + 1) * sizeof(int64_t));
  memset(turned->reward, 0, (size_t)S * sizeof(double));
  for (int64_t s = 0; s <= S; s++) turned->pair[s] = s;
  each_element(mdp, pi, turned, count);
  for (int64_t s = 0; s < S; s++) turned->row[s + 1] += turned->row[s];
  const int64_t elements = turned->row[S];
  CELI_TRY(celi_alloc(&turned->from, (size_t)elements + 1, sizeof(uint32_t), what));
  CELI_TRY(celi_alloc(&turned->probability, (size_t)elements + 1, sizeof(double), what));
  each_element(mdp, pi, turned, put);
  memmove(turned->row + 1, turned->row, (size_t)S * sizeof(int64_t));
  turned->row[0] = 0;
  turned->mdp = (CelMdp){.states = S,
                         .pairs = S,
                         .transitions = elements,
                         .max_actions = 1,
                         .pair = turned->pair,
                         .row = turned->row,
                         .next32 = turned->from,
                         .probability = turned->probability,
                         .reward = turned->reward};
  return CEL_OK;
}

static void turned_free(Turned *turned) {
  free(turned->pair), free(turned->row), free(turned->from);
  free(turned->probability), free(turned->reward);
}

/// Puts gamma P_pi' into an operator. `spare` (padded) is overwritten.
static CelStatus assemble(CeliOperator *op, double *spare) {
  double *ones;
  CELI_TRY(celi_operator_vector(op, &ones));
  for (int64_t s = 0; s < op->states; s++) ones[s] = 1.0;
  celi_operator_assemble(op, ones, 0.0, spare);
  free(ones);
  return CEL_OK;
}

/// Corrects d until the missing mass is at most the tolerance, or only rounding errors remain. If
/// several corrections in a row gain nothing, sums up the rest. r and x are overwritten.
static CelStatus correct(const CelMdp *mdp, const double *pi, double gamma, double tolerance,
                         CeliKrylov *krylov, double *d, double *r, double *x) {
  const double least = 4.0 * 0x1p-53; // relative rounding error of r
  double best = HUGE_VAL;
  int in_vain = 0;
  memset(d, 0, (size_t)mdp->states * sizeof *d);
  for (;;) {
    for (int64_t s = 0; s < mdp->states; s++) r[s] = (1.0 - gamma) * mdp->start[s] - d[s];
    propagate(mdp, pi, r, d, gamma);
    const double m = mass(r, mdp->states);
    if (m <= fmax(tolerance * (1.0 - gamma), least * mass(d, mdp->states))) return CEL_OK;
    CELI_TRY(celi_poll());
    in_vain = m < 0.5 * best ? 0 : in_vain + 1;
    if (!(in_vain < IN_VAIN_MOST)) break;
    best = fmin(best, m);
    double left;
    celi_krylov_solve(krylov, x, r, KRYLOV_DIGITS, KRYLOV_MOST, &left);
    const double *step = left < 1.0 ? x : r; // r alone is one sweep
    for (int64_t s = 0; s < mdp->states; s++) d[s] += step[s];
  }
  return add_up(mdp, pi, gamma, tolerance, d, r, x);
}

static CelStatus by_krylov(const CelMdp *mdp, const double *pi, double gamma, double tolerance,
                           double *d) {
  Turned turned = {.pair = NULL};
  CeliOperator *op = NULL;
  CeliKrylov krylov = {.op = NULL};
  double *r = NULL, *x = NULL;
  CelStatus status = turn_over(&turned, mdp, pi);
  if (status == CEL_OK) status = celi_operator_create(&op, &turned.mdp, gamma, 1, 0);
  if (status == CEL_OK) status = celi_operator_prepare(op);
  if (status == CEL_OK) status = celi_operator_vector(op, &r);
  if (status == CEL_OK) status = celi_operator_vector(op, &x);
  if (status == CEL_OK) status = assemble(op, x);
  if (status == CEL_OK) status = celi_krylov_create(&krylov, op);
  if (status == CEL_OK) status = correct(mdp, pi, gamma, tolerance, &krylov, d, r, x);
  celi_krylov_destroy(&krylov);
  free(r), free(x);
  celi_operator_destroy(op);
  turned_free(&turned);
  return status;
}

static CelStatus direct_or_krylov(const CelMdp *mdp, const double *pi, double gamma, double *d) {
  CELI_TRY(celi_direct_check(mdp->states));
  const CelStatus status = direct(mdp, pi, gamma, d);
  return status == CEL_E_UNSUPPORTED ? by_krylov(mdp, pi, gamma, 0x1p-50, d) : status; // too slow
}

CelStatus cel_discounted_distribution(const CelMdp *mdp, const double *pi, double gamma,
                                      CelEvaluateMethod method, double tolerance, double *d) {
  CELI_NEED(mdp);
  CELI_NEED(mdp->pair);
  CELI_NEED(pi);
  CELI_NEED(d);
  CELI_FLOATS(CELI_IEEE);
  if (isnan(gamma)) gamma = mdp->discount;
  if (!(gamma >= 0.0 && gamma < 1.0))
    return cel_fail(CEL_E_RANGE, "gamma is %g; it must be in [0, 1)", gamma);
  switch (method) {
  case CEL_EVALUATE_SWEEPS: return sweeps(mdp, pi, gamma, tolerance, d);
  case CEL_EVALUATE_DIRECT: return direct_or_krylov(mdp, pi, gamma, d);
  case CEL_EVALUATE_KRYLOV: return by_krylov(mdp, pi, gamma, tolerance, d);
  }
  return cel_fail(CEL_E_RANGE, "method %d does not exist; use sweeps, direct or krylov",
                  (int)method);
}
