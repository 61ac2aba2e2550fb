/// The solution: values between their bounds, Q, and a policy that attains the lower bound.
///
/// Hard, in an open state, the policy takes the pair that check.c found for the lower bound. In a
/// zero component, one state has that pair, and the others move toward it by inner pairs. Where the
/// target is reached surely, the policy follows pairs that lead closer to it, because all pairs
/// with probability 1 look equally good.
#include "base/base.h"
#include "mdp/backup/values.h"
#include "mdp/model.h"
#include "mdp/total/total.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double u = 0x1p-53;

// ---- values

static void bounds_of(const CeliTotal *total, uint32_t n, double *low, double *high) {
  const bool hard = total->probability && !(total->alpha > 0.0);
  *low = total->lower[n], *high = total->upper[n];
  switch ((CeliKind)total->kind[n]) {
  case CELI_PLUS: *low = *high = HUGE_VAL; return;
  case CELI_MINUS: *low = *high = -HUGE_VAL; return;
  case CELI_KNOWN: *low = *high = total->value[n]; return;
  case CELI_OPEN: break;
  }
  if (isinf(total->solution->bound)) *low = -HUGE_VAL, *high = HUGE_VAL;
  if (!hard) return;
  *low = fmax(*low, total->sign > 0.0 ? 0.0 : -1.0);
  *high = fmin(*high, total->sign > 0.0 ? 1.0 : 0.0);
}

/// The sum of start * x, with infinities. NAN: both infinities occur.
static double start_sum(const CelMdp *mdp, const double *x, double *size) {
  double sum = 0.0, lost = 0.0;
  *size = 0.0;
  for (int64_t s = 0; s < mdp->states; s++) {
    if (!(mdp->start[s] > 0.0)) continue;
    const double term = mdp->start[s] * x[s], next = sum + term;
    if (isfinite(next)) lost += fabs(sum) >= fabs(term) ? (sum - next) + term : (term - next) + sum;
    sum = next;
    *size += fabs(term);
  }
  return sum + lost;
}

void celi_total_finish_values(CeliTotal *total) {
  const CelMdp *mdp = total->mdp;
  CelSolution *solution = total->solution;
  double bound = isinf(solution->bound) ? HUGE_VAL : 0.0, most = 0.0;
  for (uint32_t s = 0; s < mdp->states; s++) {
    double low, high, middle;
    bounds_of(total, s, &low, &high);
    middle = isfinite(low) && isfinite(high) ? low + 0.5 * (high - low) : low;
    if (isinf(bound) && total->kind[s] == CELI_OPEN) middle = total->lower[s];
    if (isfinite(middle)) {
      bound = fmax(bound, (1.0 + 4.0 * u) * fmax(high - middle, middle - low));
      most = fmax(most, fabs(middle));
    }
    const bool negate = total->sign < 0.0;
    solution->lower[s] = negate ? 0.0 - high : low; // no -0
    solution->upper[s] = negate ? 0.0 - low : high;
    solution->V[s] = negate ? 0.0 - middle : middle;
  }
  double size;
  solution->bound = bound;
  solution->certified = bound <= total->solver->tolerance * fmax(1.0, most);
  solution->value_start = start_sum(mdp, solution->V, &size);
  // The initial distribution, too, may differ by a relative 4u from the stored one.
  const double low = start_sum(mdp, solution->lower, &size);
  solution->value_lower = isfinite(low) ? low - 8.0 * u * size : low;
  const double high = start_sum(mdp, solution->upper, &size);
  solution->value_upper = isfinite(high) ? high + 8.0 * u * size : high;
}

// ---- Q

/// r + P X. A pair that may lead to -infinity has that value, whatever else it leads to.
static double q_of(const CeliTotal *total, const double *X, int64_t p) {
  const CelMdp *mdp = total->mdp;
  double sum = 0.0, low = 0.0, high = 0.0;
  for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++) {
    uint32_t node;
    if (!celi_graph_next(mdp, t, &node)) continue;
    if (X[node] == -HUGE_VAL)
      low = -HUGE_VAL;
    else if (X[node] == HUGE_VAL)
      high = HUGE_VAL;
    else
      sum += mdp->probability[t] * X[node];
  }
  return low < 0.0 ? low : high > 0.0 ? high : celi_total_reward(total, p) + sum;
}

void celi_total_finish_q(CeliTotal *total, const double *X) {
  const CelMdp *mdp = total->mdp;
  CelSolution *solution = total->solution;
  for (uint32_t s = 0; s < mdp->states; s++)
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
      // In a target state the episode has ended, whatever the action.
      const double q = total->target[s] ? total->value[s] : q_of(total, X, p);
      solution->Q[p] = total->sign > 0.0 ? q : 0.0 - q;
    }
}

/// Largest |TV - V| over open states, from Q.
static double residual_of(const CeliTotal *total, const double *X) {
  const CelMdp *mdp = total->mdp;
  double most = 0.0;
  for (uint32_t s = 0; s < mdp->states; s++) {
    if (total->kind[s] != CELI_OPEN || total->rep[s] != s) continue;
    double best = total->stop && total->zero[s] ? 0.0 : -HUGE_VAL;
    int64_t n = 0;
    for (uint32_t m = s; m != CELI_NO_COMPONENT; m = total->next_member[m])
      for (int64_t p = mdp->pair[m]; p < mdp->pair[m + 1]; p++) {
        if (!total->graph.open[p] || total->inner[p]) continue;
        const double q = total->sign * total->solution->Q[p];
        best = fmax(best, q);
        if (total->alpha > 0.0) total->q[n++] = q;
      }
    const double TX = total->alpha > 0.0 ? celi_soft_max(total->q, n, total->alpha) : best;
    most = fmax(most, fabs(TX - X[s]));
  }
  return most;
}

// ---- the policy

static void take_uniform(const CeliTotal *total, uint32_t s) {
  const CelMdp *mdp = total->mdp;
  for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++)
    total->solution->pi[p] = 1.0 / (double)(mdp->pair[s + 1] - mdp->pair[s]);
}

static void take_softmax(const CeliTotal *total, uint32_t s) {
  const CelMdp *mdp = total->mdp;
  const int64_t first = mdp->pair[s], n = mdp->pair[s + 1] - first;
  for (int64_t a = 0; a < n; a++) {
    const double q = total->sign * total->solution->Q[first + a];
    total->q[a] = total->graph.open[first + a] ? q : -HUGE_VAL;
  }
  celi_policy_of(total->solution->pi + first, total->q, n, total->alpha, 0.0);
}

/// Takes the first open pair that leads closer to distance 0, or else the first open pair, or else
/// the first.
static void take_closer(const CeliTotal *total, uint32_t s) {
  const CelMdp *mdp = total->mdp;
  int64_t take = -1;
  uint32_t node;
  for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
    if (!total->graph.open[p]) continue;
    if (take < 0) take = p;
    for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++) {
      if (!celi_graph_next(mdp, t, &node) || total->distance[node] >= total->distance[s]) continue;
      total->solution->pi[p] = 1.0;
      return;
    }
  }
  total->solution->pi[take < 0 ? mdp->pair[s] : take] = 1.0;
}

/// True if a pair leads only to known states with a value.
static bool stays_at(const CeliTotal *total, int64_t p, double value) {
  const CelMdp *mdp = total->mdp;
  for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++) {
    uint32_t node;
    if (!celi_graph_next(mdp, t, &node)) continue;
    if (total->kind[node] != CELI_KNOWN || total->value[node] != value) return false;
  }
  return true;
}

/// Opens the pairs that a policy may take inside of zero components, and where values are known, so
/// that a search finds its way from there. Marks in `goal` where the searches lead.
static void open_ways(CeliTotal *total, uint8_t *goal) {
  const CelMdp *mdp = total->mdp;
  memcpy(total->graph.open, total->inner, (size_t)mdp->pairs);
  memcpy(goal, total->target, total->graph.nodes);
  for (uint32_t s = 0; s < mdp->states; s++) {
    if (total->kind[s] == CELI_OPEN && total->best[total->rep[s]] != CELI_NO_PAIR)
      goal[s] = total->graph.state_of[total->best[total->rep[s]]] == s;
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++)
      if (total->kind[s] == CELI_KNOWN) total->graph.open[p] = stays_at(total, p, total->value[s]);
  }
  celi_graph_close_states(&total->graph, total->target);
}

static CelStatus hard_policy(CeliTotal *total) {
  const CelMdp *mdp = total->mdp;
  uint8_t *goal = NULL;
  CELI_TRY(celi_alloc(&goal, total->graph.nodes, 1, "a policy"));
  open_ways(total, goal);
  for (uint32_t n = 0; n < total->graph.nodes; n++) total->distance[n] = UINT32_MAX;
  celi_graph_can_reach(&total->graph, goal, total->distance);
  free(goal);
  for (uint32_t s = 0; s < mdp->states; s++) {
    if (mdp->pair[s] == mdp->pair[s + 1]) continue;
    const CeliKind kind = (CeliKind)total->kind[s];
    const uint32_t best = kind == CELI_OPEN ? total->best[total->rep[s]] : CELI_NO_PAIR;
    if (kind == CELI_PLUS || kind == CELI_MINUS || total->target[s])
      take_uniform(total, s);
    else if (best != CELI_NO_PAIR && total->graph.state_of[best] == s)
      total->solution->pi[best] = 1.0;
    else
      take_closer(total, s);
  }
  return CEL_OK;
}

static void soft_policy(const CeliTotal *total) {
  for (uint32_t s = 0; s < total->mdp->states; s++) {
    if (total->kind[s] == CELI_OPEN)
      take_softmax(total, s);
    else
      take_uniform(total, s);
  }
}

// ---- infinite values

static void explain(const CeliTotal *total) {
  int64_t plus = 0, minus = 0;
  for (int64_t s = 0; s < total->mdp->states; s++)
    plus += total->kind[s] == CELI_PLUS, minus += total->kind[s] == CELI_MINUS;
  char *text = total->solution->infinite;
  const size_t size = sizeof total->solution->infinite;
  const char up = total->sign > 0.0 ? '+' : '-', down = total->sign > 0.0 ? '-' : '+';
  int n = 0;
  if (plus > 0)
    n = snprintf(text, size,
                 "%cinfinity in %" PRId64 " state%s, which can reach state %" PRId64 " and %s", up,
                 plus, celi_s(plus), total->endless,
                 total->unreached == CEL_UNREACHED_INFINITE ? "avoid the target from there"
                 : total->alpha > 0.0 ? "gain reward or entropy there without limit"
                 : total->sign > 0.0  ? "gain reward there without limit"
                                      : "collect negative reward there without limit");
  if (minus > 0 && n >= 0 && (size_t)n < size)
    snprintf(text + n, size - (size_t)n,
             "%s%cinfinity in %" PRId64 " state%s, from which no policy surely %s",
             plus > 0 ? "; " : "", down, minus, celi_s(minus),
             total->unreached == CEL_UNREACHED_SUM ? "ends" : "reaches the target");
}

CelStatus celi_total_finish(CeliTotal *total) {
  const CelMdp *mdp = total->mdp;
  celi_total_finish_values(total);
  explain(total);
  double *X = total->upper; // the bounds are in the solution now
  for (uint32_t n = 0; n < total->graph.nodes; n++) {
    double low, high;
    bounds_of(total, n, &low, &high);
    X[n] = n < mdp->states ? total->sign * total->solution->V[n] : low;
  }
  celi_total_finish_q(total, X);
  total->solution->residual = residual_of(total, X);
  if (total->alpha > 0.0) {
    soft_policy(total);
    return CEL_OK;
  }
  return hard_policy(total);
}
