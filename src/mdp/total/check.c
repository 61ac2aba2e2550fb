/// Proves bounds of values on the original MDP.
///
/// Let T be the backup of the open states, where known values are fixed. T is monotone.
///
/// Upper bounds. If X >= TX, then X >= T^n X. The value is the supremum over policies that end
/// surely, and the value of such a policy is at most lim T^n X. So X is an upper bound.
///
/// Lower bounds. Let X <= TX, and let pi attain TX (soft: the softmax policy), so X <= T_pi X. If
/// pi ends surely, X <= lim T_pi^n X, which is its value. Hard: suppose that pi can stay in a set
/// of states forever. The mean of r over that set is then at least 0, because X <= r + P X there.
/// But zero components were collapsed, positive ones have no open state, and the means of the
/// others are negative. So pi ends surely. Soft: pi takes every open pair, and the known states can
/// be reached from every open state by open pairs. So it ends surely, too.
///
/// Means of components with rewards of both signs, and soft ones, may have no certain sign yet. The
/// upper bound decides: X >= TX + e with e > 0 implies that every mean is at most -e.
///
/// Rounding. With u = 2^-53, n transitions in a row and m = |r| + sum p |X|, the computed
/// r + sum p X has an error of at most (n + 2) u m. Probabilities and rewards that differ by a
/// relative 4u from the stored ones change it by at most 4 u m. The check requires a margin of
/// (n + 12) u m, 1% more, and some for underflow. Soft: log-sum-exp is monotone, so the margins are
/// added to each Q. Its own rounding error is at most u (alpha (A + 8 + 12 log A) + 3 |TX|), see
/// backup/certificate.c.
/// Source: Hartmanns, Kaminski, "Optimistic value iteration", CAV 2020; Haddad, Monmege, "Interval
/// iteration algorithm for MDPs and IMDPs", 2018; Bertsekas, Tsitsiklis, "An analysis of stochastic
/// shortest path problems", 1991.
#include "mdp/backup/values.h"
#include "mdp/total/total.h"
#include <math.h>

static const double u = 0x1p-53;

void celi_total_spread(const CeliTotal *total, double *X, const double *x) {
  for (uint32_t n = 0; n < total->graph.nodes; n++)
    X[n] = total->kind[n] == CELI_OPEN ? x[total->index[total->rep[n]]] : total->value[n];
}

/// A bound of Q(s,a) of pair p in the direction `side` (1: upper, -1: lower).
static double bound_q(const CeliTotal *total, const double *X, int64_t p, double side) {
  const CelMdp *mdp = total->mdp;
  const double r = celi_total_reward(total, p);
  const int64_t begin = mdp->row[p], end = mdp->row[p + 1];
  double sum = 0.0, size = 0.0;
  for (int64_t t = begin; t < end; t++) {
    uint32_t node;
    if (!celi_graph_next(mdp, t, &node)) continue;
    const double term = mdp->probability[t] * X[node];
    sum += term, size += fabs(term);
  }
  const double n = (double)(end - begin);
  return r + sum + side * (1.01 * (n + 12.0) * u * (fabs(r) + size) + (n + 2.0) * 0x1p-1070);
}

/// A bound of (TX)(s) for representative s. *pair: the pair that attains it.
static double bound_state(const CeliTotal *total, const double *X, uint32_t s, double side,
                          uint32_t *pair) {
  const CelMdp *mdp = total->mdp;
  const bool soft = total->alpha > 0.0;
  double best = total->stop && total->zero[s] ? 0.0 : -HUGE_VAL;
  int64_t n = 0;
  *pair = CELI_NO_PAIR;
  for (uint32_t m = s; m != CELI_NO_COMPONENT; m = total->next_member[m]) {
    for (int64_t p = mdp->pair[m]; p < mdp->pair[m + 1]; p++) {
      if (!total->graph.open[p] || total->inner[p]) continue;
      const double q = bound_q(total, X, p, side);
      if (q > best) best = q, *pair = (uint32_t)p;
      if (soft) total->q[n++] = q;
    }
  }
  if (!soft) return best;
  const double value = celi_soft_max(total->q, n, total->alpha);
  const double A = (double)n, log_A = n > 1 ? log(A) : 0.0;
  const double entropy = n > 1 ? total->alpha * (A + 8.0 + 12.0 * log_A) : 0.0;
  return value + side * 1.01 * u * (entropy + 3.0 * fabs(value));
}

static bool is_representative(const CeliTotal *total, uint32_t n) {
  return total->kind[n] == CELI_OPEN && total->rep[n] == n;
}

bool celi_total_check(const CeliTotal *total, const double *X, bool upper, uint32_t *best,
                      double *worst) {
  const double side = upper ? 1.0 : -1.0;
  double most = -HUGE_VAL;
  bool holds = true;
  for (uint32_t s = 0; s < total->graph.nodes; s++) {
    if (!is_representative(total, s)) continue;
    uint32_t pair;
    const double TX = bound_state(total, X, s, side, &pair);
    if (best) best[s] = pair;
    const double fails = upper ? TX - X[s] : X[s] - TX;
    holds &= fails <= 0.0; // false for NaN too
    most = fmax(most, fails);
  }
  *worst = most;
  return holds;
}

double celi_total_tighten(const CeliTotal *total, double *X, bool upper) {
  const double side = upper ? 1.0 : -1.0;
  double most = 0.0;
  for (int64_t i = 0; i < total->reduced->states - 1; i++) {
    const uint32_t s = total->state[i];
    uint32_t pair;
    const double TX = bound_state(total, X, s, side, &pair);
    if (!(upper ? TX < X[s] : TX > X[s])) continue;
    most = fmax(most, fabs(TX - X[s]));
    for (uint32_t m = s; m != CELI_NO_COMPONENT; m = total->next_member[m]) X[m] = TX;
  }
  return most;
}

double celi_total_width(const CeliTotal *total) {
  double most = 0.0;
  for (uint32_t n = 0; n < total->graph.nodes; n++)
    if (total->kind[n] == CELI_OPEN) most = fmax(most, total->upper[n] - total->lower[n]);
  return most;
}
