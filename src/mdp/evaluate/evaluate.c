/// Values of a policy by fixed-point sweeps, a direct solve or a Krylov method. Also at a finite
/// horizon.
///
///     V(s) = sum_a pi(a|s) (Q(s,a) - alpha log pi(a|s)),   Q(s,a) = r(s,a) + gamma E[V(s')],
/// that is V = T_pi V, or (I - gamma P_pi) V = r_pi. Every method adds corrections d of T_pi V - V
/// to V:
///     sweeps  d = sum_{k<m} (gamma P_pi)^k (T_pi V - V), so that V + d is (T_pi)^m V
///     krylov  (I - gamma P_pi) d = T_pi V - V to some digits; direct: to full precision
/// T_pi V - V is computed state by state from the definition, and gives the bound (certificate.c).
/// Source: [maximum-entropy, 8.14-8.21], [policy-guarantees, Lemma 1] with r + gamma alpha H(s').
#include "base/arguments.h"
#include "base/base.h"
#include "celsius/solve.h"
#include "mdp/backup/explog.h"
#include "mdp/evaluate/direct.h"
#include "mdp/evaluate/krylov.h"
#include "mdp/interrupt.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PRODUCTS = 30 };      ///< m
enum { KRYLOV_MOST = 2000 }; ///< largest number of iterations of one correction
static const double KRYLOV_DIGITS = 1e-3;

/// The state of an evaluation.
typedef struct Evaluation {
  CeliOperator *op;
  const double *pi;
  double alpha;
  CeliShape shape;
  double *V, *d, *residual, *spare; ///< (padded)
  CeliKrylov krylov;
  CeliDirect *direct; ///< NULL if not used, or if too slow: then krylov is used
} Evaluation;

/// Checks that the rows of pi are distributions. Finds the least and largest of their sums.
static CelStatus check_policy(const CelMdp *mdp, const double *pi, double *least, double *most) {
  *least = *most = 1.0;
  for (int64_t s = 0; s < mdp->states; s++) {
    double sum = 0.0;
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
      if (!(pi[p] >= 0.0))
        return cel_fail(CEL_E_RANGE,
                        "the policy of state %lld, action %lld is %g; it must be at least 0",
                        (long long)s, (long long)cel_mdp_action(mdp, s, p), pi[p]);
      sum += pi[p];
    }
    if (mdp->pair[s + 1] == mdp->pair[s]) continue;
    if (!(fabs(sum - 1.0) <= 1e-9))
      return cel_fail(CEL_E_RANGE, "the policy of state %lld sums to %.17g; it must sum to 1",
                      (long long)s, sum);
    *least = fmin(*least, sum), *most = fmax(*most, sum);
  }
  return CEL_OK;
}

static CelStatus check(double alpha, double gamma, bool one) {
  if (!(alpha >= 0.0 && alpha <= 1e12))
    return cel_fail(CEL_E_RANGE, "alpha is %g; it must be in [0, 1e12]", alpha);
  if (!(gamma >= 0.0 && (gamma < 1.0 || (one && gamma <= 1.0))))
    return cel_fail(CEL_E_RANGE, "gamma is %g; it must be in [0, 1%c", gamma, one ? ']' : ')');
  return CEL_OK;
}

/// The value of state s under pi, where V holds the values of next states. *magnitude becomes
/// sum_a pi (|Q| + alpha |log pi|).
static double backup(const CelMdp *mdp, const double *pi, double alpha, double gamma,
                     const double *V, int64_t s, double *magnitude) {
  double value = 0.0;
  *magnitude = 0.0;
  for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
    if (!(pi[p] > 0.0)) continue;
    const double Q = V ? celi_backup(mdp, gamma, V, p) : mdp->reward[p];
    const double bonus = alpha > 0.0 ? -alpha * celi_log(pi[p]) : 0.0;
    value += pi[p] * (Q + bonus);
    *magnitude += pi[p] * (fabs(Q) + fabs(bonus));
  }
  return value;
}

CelStatus cel_mdp_evaluate_horizon(const CelMdp *mdp, const double *pi, double alpha, double gamma,
                                   int64_t horizon, double *V, double *Q) {
  CELI_NEED(mdp);
  CELI_NEED(mdp->pair);
  CELI_NEED(pi);
  CELI_NEED(V);
  CELI_NEED(Q);
  CELI_FLOATS(CELI_IEEE);
  if (isnan(gamma)) gamma = mdp->discount;
  if (horizon < 1)
    return cel_fail(CEL_E_RANGE, "the horizon is %lld steps; it must be at least 1",
                    (long long)horizon);
  CELI_TRY(check(alpha, gamma, true));
  const int64_t S = mdp->states, pairs = mdp->pairs;
  for (int64_t t = horizon - 1; t >= 0; t--) {
    const double *now = pi + t * pairs, *next = t + 1 < horizon ? V + (t + 1) * S : NULL;
    double least, most;
    CELI_TRY(celi_poll());
    const CelStatus status = check_policy(mdp, now, &least, &most);
    if (status != CEL_OK) return cel_fail_in(status, "t = %lld: ", (long long)t);
    for (int64_t p = 0; p < pairs; p++)
      Q[t * pairs + p] = next ? celi_backup(mdp, gamma, next, p) : mdp->reward[p];
    double unused;
    for (int64_t s = 0; s < S; s++) V[t * S + s] = backup(mdp, now, alpha, gamma, next, s, &unused);
  }
  return CEL_OK;
}

/// residual = T_pi V - V.
static void residual_block(CeliOperator *op, void *args, int thread, int64_t begin, int64_t end,
                           double *sums) {
  (void)thread, (void)sums;
  const Evaluation *e = args;
  CeliResidual *found = &op->found[begin / CELI_BLOCK];
  *found = (CeliResidual){.low = HUGE_VAL, .high = -HUGE_VAL};
  for (int64_t s = begin; s < end; s++) {
    double magnitude;
    const double old = e->V[s];
    const double d = backup(op->mdp, e->pi, e->alpha, op->gamma, e->V, s, &magnitude) - old;
    e->residual[s] = d;
    if (op->mdp->pair[s + 1] == op->mdp->pair[s]) continue;
    found->low = fmin(found->low, d), found->high = fmax(found->high, d);
    found->value_max = fmax(found->value_max, fabs(old));
    found->magnitude = fmax(found->magnitude, magnitude);
  }
}

static CeliMiddle measure(Evaluation *e) {
  double sums[CELI_SUMS];
  celi_operator_blocks(e->op, residual_block, e, sums);
  const CeliResidual found = celi_operator_found(e->op);
  const double rounding = celi_rounding_policy(&e->shape, e->op->gamma, &found);
  const CeliInterval in = celi_certificate(&e->shape, e->op->gamma, rounding, &found);
  return celi_middle(&in, found.value_max);
}

/// Computes d for the current residual.
static CelStatus correct(Evaluation *e, CelEvaluateMethod method) {
  if (e->krylov.op) {
    celi_krylov_solve(&e->krylov, e->d, e->residual, KRYLOV_DIGITS, KRYLOV_MOST, NULL);
    return CEL_OK;
  }
  if (method == CEL_EVALUATE_DIRECT) {
    memcpy(e->d, e->residual, (size_t)e->op->states * sizeof *e->d);
    return celi_direct_solve(e->direct, e->d, false);
  }
  celi_operator_apply(e->op, e->d, e->residual, e->residual);
  for (int k = 2; k < PRODUCTS; k++) {
    celi_operator_apply(e->op, e->spare, e->residual, e->d);
    double *swap = e->d;
    e->d = e->spare, e->spare = swap;
  }
  return CEL_OK;
}

/// Corrects V until the certificate reaches the tolerance or stops improving.
static CelStatus iterate(Evaluation *e, CelEvaluateMethod method, double tolerance, double *bound) {
  // A sweep may gain only a factor of gamma^m. The other methods gain many digits at once.
  const double worth =
      method == CEL_EVALUATE_SWEEPS ? 1.0 - 0.1 * (1.0 - pow(e->op->gamma, PRODUCTS)) : 0.5;
  double best = HUGE_VAL;
  CeliMiddle middle = measure(e);
  for (int in_vain = 0; in_vain < 4;) {
    const double wanted = method == CEL_EVALUATE_DIRECT ? 0.0 : tolerance;
    if (middle.bound <= wanted * fmax(1.0, middle.value_max)) break;
    CELI_TRY(celi_poll());
    CELI_TRY(correct(e, method));
    celi_operator_add(e->op, e->V, 1.0, e->d);
    best = fmin(best, middle.bound);
    middle = measure(e);
    in_vain = isfinite(middle.bound) && middle.bound <= worth * best ? 0 : in_vain + 1;
  }
  const int64_t *pair = e->op->mdp->pair;
  for (int64_t s = 0; s < e->op->states; s++)
    if (pair[s + 1] > pair[s]) e->V[s] += middle.c;
  *bound = middle.bound;
  return CEL_OK;
}

static CelStatus open(Evaluation *e, const CelMdp *mdp, double gamma, CelEvaluateMethod method) {
  CELI_TRY(celi_operator_create(&e->op, mdp, gamma, 1, 0));
  CELI_TRY(celi_operator_prepare(e->op));
  CELI_TRY(celi_operator_vector(e->op, &e->V));
  CELI_TRY(celi_operator_vector(e->op, &e->d));
  CELI_TRY(celi_operator_vector(e->op, &e->residual));
  CELI_TRY(celi_operator_vector(e->op, &e->spare));
  celi_operator_assemble(e->op, e->pi, e->alpha, e->spare);
  CelStatus status = CEL_OK;
  if (method == CEL_EVALUATE_DIRECT) status = celi_direct_create(&e->direct, e->op);
  if (method == CEL_EVALUATE_KRYLOV || status == CEL_E_UNSUPPORTED)
    status = celi_krylov_create(&e->krylov, e->op);
  return status;
}

static void close(Evaluation *e) {
  celi_direct_destroy(e->direct);
  celi_krylov_destroy(&e->krylov);
  free(e->V), free(e->d), free(e->residual), free(e->spare);
  celi_operator_destroy(e->op);
}

CelStatus cel_mdp_evaluate(const CelMdp *mdp, const double *pi, double alpha, double gamma,
                           CelEvaluateMethod method, double tolerance, double *V, double *Q,
                           double *bound) {
  CELI_NEED(mdp);
  CELI_NEED(mdp->pair);
  CELI_NEED(pi);
  CELI_NEED(V);
  CELI_FLOATS(CELI_IEEE);
  if (isnan(gamma)) gamma = mdp->discount;
  CELI_TRY(check(alpha, gamma, false));
  CELI_TRY(celi_check_magnitude(mdp, gamma, false));
  if (method == CEL_EVALUATE_DIRECT) CELI_TRY(celi_direct_check(mdp->states));
  double least, most, found = HUGE_VAL;
  CELI_TRY(check_policy(mdp, pi, &least, &most));
  Evaluation e = {.pi = pi, .alpha = alpha};
  CelStatus status = open(&e, mdp, gamma, method);
  if (status == CEL_OK) {
    e.shape = e.op->shape;
    e.shape.mass_max *= most, e.shape.mass_min *= least;
    status = iterate(&e, method, tolerance, &found);
  }
  if (status == CEL_OK) {
    memcpy(V, e.V, (size_t)mdp->states * sizeof *V);
    if (Q) cel_q_of_v(mdp, V, gamma, Q);
    if (bound) *bound = found;
  }
  close(&e);
  return status;
}
