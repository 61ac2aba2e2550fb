/// Solves the reduced MDP, and finds candidates for its bounds.
///
/// 1. V: in-place sweeps while they pay, then Newton steps (I - P_pi) d = TV - V, with pi the
///    greedy (soft: softmax) policy of V. The first V is the value of a policy that ends surely, so
///    that the greedy policies end surely too.
/// 2. w: an upper bound of the expected number of steps under the last policy, w >= 1 + P_pi w.
/// 3. L = V - e w and U = V + e w, with e > |TV - V|. Then TL >= L + e - |TV - V|. The upper bound
///    may fail where another action is nearly as good and takes longer. Newton steps on U = TU + e
///    repair that: its solution has the margin e everywhere.
/// 4. check.c proves both. If one is not proven, e grows.
/// Source: Bertsekas, Tsitsiklis, "An analysis of stochastic shortest path problems", 1991;
/// Hartmanns, Kaminski, "Optimistic value iteration", CAV 2020; solve/newton.c.
#include "base/base.h"
#include "base/clock.h"
#include "mdp/backup/values.h"
#include "mdp/evaluate/direct.h"
#include "mdp/evaluate/krylov.h"
#include "mdp/interrupt.h"
#include "mdp/total/total.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  LEAST = 6,           ///< in-place sweeps before a Newton step
  IN_ORDER_MOST = 400, ///< sweeps with a fixed policy
  IN_ORDER_CHECK = 40, ///< sweeps between two looks at their progress
  PATIENT = 300,       ///< sweeps before Newton steps of large problems
  LEFT_MOST = 600,     ///< sweeps that may be left instead of a Newton step
  NEWTON_MOST = 300,   ///< Newton steps
  IN_VAIN_MOST = 8,    ///< steps without progress before there are more sweeps
  KRYLOV_MOST = 2000,  ///< iterations of one linear solve
  DIRECT_MOST = 3000,  ///< states for which a direct solve is tried first
  REPAIR_MOST = 30,    ///< Newton steps on U
  ATTEMPTS = 8,        ///< values of e until the bounds are proven
  SHRINK_MOST = 4,     ///< values of e until the bounds are close enough
  TIGHTEN_MOST = 2000, ///< steps of interval iteration without a certificate
};
static const double u = 0x1p-53;
static const double ETA_LEAST = 1e-3, ETA_MOST = 0.05; ///< relative residuals of linear solves

typedef struct Iterate {
  CeliTotal *total;
  CeliOperator *op;
  CeliKrylov krylov;
  bool prepared, krylov_made;
  bool no_direct;                       ///< a direct solve was refused
  int64_t n;                            ///< states without END
  double *V, *next, *d, *w, *x, *spare; ///< (padded)
  double *pi;                           ///< (pairs of the reduced MDP)
  double *L, *U;                        ///< (nodes) total->lower, total->upper
  double value_max;                     ///< largest |V|
  double reward_max;                    ///< largest |r|
  double first;                         ///< first residual, for the progress
  double wanted;
  char method[CEL_TEXT_MAX];
} Iterate;

bool celi_total_stopped(void *arg) {
  const CeliTotal *total = arg;
  const double limit = total->solver->max_seconds;
  return celi_interrupted() || (limit > 0.0 && celi_seconds() - total->start_seconds >= limit);
}

/// False if the run must stop.
static bool goes_on(Iterate *it, double residual) {
  const CelSolveConfig *config = it->total->solver;
  CelSolution *solution = it->total->solution;
  if (!(it->first > 0.0)) it->first = residual;
  const double way = log(it->first / it->wanted);
  const CelSolveProgress now = {
      .method = it->method,
      .iteration = solution->iterations,
      .sweeps = solution->sweeps,
      .residual = residual,
      .bound = HUGE_VAL,
      .seconds = celi_seconds() - it->total->start_seconds,
      .fraction = way > 0.0 ? fmin(1.0, fmax(0.0, log(it->first / residual) / way)) : 0.0};
  const bool stop = config->progress && !config->progress(config->user, &now);
  celi_floats_keep();
  return !stop && !celi_total_stopped(it->total) &&
         !(config->max_iterations > 0 && solution->iterations >= config->max_iterations);
}

/// The largest margin that check.c requires of a state.
static double rounding(const Iterate *it) {
  const double A = (double)it->op->shape.actions, n = (double)it->op->shape.longest;
  const double alpha = it->total->alpha;
  const double entropy = A > 1.0 ? alpha * (A + 8.0 + 12.0 * log(A)) : 0.0;
  return 1.02 * u * ((n + 13.0) * (it->value_max + it->reward_max) + entropy);
}

static double magnitude(const Iterate *it, const double *x) {
  double most = 0.0;
  for (int64_t s = 0; s < it->n; s++) {
    if (!(fabs(x[s]) <= 1e300)) return HUGE_VAL;
    most = fmax(most, fabs(x[s]));
  }
  return most;
}

// ---- linear systems

static CelStatus prepare(Iterate *it) {
  if (it->prepared) return CEL_OK;
  it->prepared = true;
  return celi_operator_prepare(it->op);
}

static bool direct(Iterate *it, double *x, const double *b) {
  CeliDirect *solver;
  if (it->no_direct) return false;
  it->no_direct = true;
  if (celi_direct_create(&solver, it->op) != CEL_OK) return false;
  memcpy(x, b, (size_t)it->op->states * sizeof *x);
  const bool solved = celi_direct_solve(solver, x, false) == CEL_OK && magnitude(it, x) < 1e300;
  celi_direct_destroy(solver);
  it->no_direct = false; // a singular system says nothing about the next one
  return solved;
}

/// Largest |b - (I - P_pi) x| relative to the largest |b|. Uses it->spare.
static double residual_of(Iterate *it, const double *x, const double *b) {
  double most = 0.0, size = 0.0;
  celi_operator_apply(it->op, it->spare, b, x);
  for (int64_t s = 0; s < it->n; s++) {
    most = fmax(most, fabs(it->spare[s] - x[s]));
    size = fmax(size, fabs(b[s]));
    if (!(fabs(x[s]) <= 1e300)) return HUGE_VAL;
  }
  return size > 0.0 ? most / size : 0.0;
}

/// x = (I - P_pi)^-1 b up to a relative residual `reduction`. Returns false if that failed.
static bool solve_linear(Iterate *it, double *x, const double *b, double reduction) {
  double left = HUGE_VAL;
  if (it->n <= DIRECT_MOST && direct(it, x, b)) return residual_of(it, x, b) < 0.5;
  if (!it->krylov_made) {
    if (celi_krylov_create(&it->krylov, it->op) != CEL_OK) {
      celi_krylov_destroy(&it->krylov);
      return false;
    }
    it->krylov_made = true;
    it->krylov.stop = celi_total_stopped, it->krylov.user = it->total;
  }
  celi_krylov_solve(&it->krylov, x, b, reduction, KRYLOV_MOST, &left);
  x[it->n] = 0.0;
  if (left <= 10.0 * reduction && residual_of(it, x, b) < 0.5) return true;
  if (it->n > DIRECT_MOST && direct(it, x, b)) return residual_of(it, x, b) < 0.5;
  return left < 0.5 && residual_of(it, x, b) < 0.5;
}

// ---- the first V

/// Writes 1 to the pair of each state that celi_total_shortest takes.
static CelStatus shortest_policy(const Iterate *it, double *pi) {
  const CelMdp *mdp = it->total->reduced;
  uint32_t *choice = NULL;
  CELI_TRY(celi_alloc(&choice, (size_t)mdp->states, sizeof *choice, "a policy"));
  const CelStatus status = celi_total_shortest(it->total, choice);
  memset(pi, 0, (size_t)mdp->pairs * sizeof *pi);
  for (int64_t s = 0; status == CEL_OK && s < it->n; s++) pi[choice[s]] = 1.0;
  free(choice);
  return status;
}

/// Sweeps x = b + P_pi x in place, in ascending order, with the policy it->pi, until a sweep
/// changes x by at most `reduction` times the largest |b|. Returns false if that takes too many
/// sweeps.
static bool evaluate_in_order(const Iterate *it, double *x, const double *b, double reduction) {
  const CelMdp *mdp = it->total->reduced;
  double size = 0.0, before = HUGE_VAL;
  for (int64_t s = 0; s < it->n; s++) size = fmax(size, fabs(b[s]));
  for (int sweep = 0; sweep < IN_ORDER_MOST; sweep++) {
    double most = 0.0;
    if (celi_total_stopped(it->total)) return false;
    for (int64_t s = 0; s < it->n; s++) {
      double sum = b[s], stay = 0.0;
      for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
        if (it->pi[p] == 0.0) continue;
        for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++) {
          const double weight = it->pi[p] * mdp->probability[t];
          if (mdp->next32[t] == (uint32_t)s)
            stay += weight;
          else
            sum += weight * x[mdp->next32[t]];
        }
      }
      const double value = sum / fmax(1.0 - stay, u); // 1: another policy must be found
      most = fmax(most, fabs(value - x[s]));
      x[s] = value;
    }
    if (most <= reduction * size) return true;
    if (!(most < 1e200)) return false;
    if (sweep % IN_ORDER_CHECK != 0) continue;
    // Gives up early if the rest would take too many sweeps.
    if (sweep > 0 &&
        !(log(reduction * size / most) / log(most / before) * IN_ORDER_CHECK < IN_ORDER_MOST &&
          most < before))
      return false;
    before = most;
  }
  return false;
}

static CelStatus begin(Iterate *it) {
  const CelMdp *mdp = it->total->reduced;
  double least = 0.0;
  for (int64_t p = 0; p < mdp->pairs; p++) {
    it->reward_max = fmax(it->reward_max, fabs(mdp->reward[p]));
    least = fmin(least, mdp->reward[p]);
  }
  if (!(it->reward_max < 1e250))
    return cel_fail(CEL_E_RANGE, "rewards of up to %g overflow the values; scale them down",
                    it->reward_max);
  if (it->total->probability || !(least < 0.0)) return CEL_OK;
  CELI_TRY(shortest_policy(it, it->pi));
  double *r = it->x;
  for (int64_t s = 0; s < it->n; s++) {
    r[s] = 0.0;
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) r[s] += it->pi[p] * mdp->reward[p];
  }
  if (evaluate_in_order(it, it->V, r, 0.05) || it->n > DIRECT_MOST) return CEL_OK;
  // Few states, and sweeps are slow. If the system cannot be solved, start from what there is.
  celi_operator_assemble(it->op, it->pi, 0.0, it->next);
  if (solve_linear(it, it->d, it->next, ETA_MOST))
    memcpy(it->V, it->d, (size_t)it->n * sizeof *it->V);
  return CEL_OK;
}

/// it->pi = the greedy (soft: softmax) policy of V on the reduced MDP.
static void find_policy(Iterate *it, const double *V) {
  const CelMdp *mdp = it->total->reduced;
  for (int64_t s = 0; s < it->n; s++) {
    const int64_t first = mdp->pair[s], n = mdp->pair[s + 1] - first;
    double *q = it->pi + first;
    for (int64_t a = 0; a < n; a++) {
      q[a] = mdp->reward[first + a];
      for (int64_t t = mdp->row[first + a]; t < mdp->row[first + a + 1]; t++)
        q[a] += mdp->probability[t] * V[mdp->next32[t]];
    }
    celi_policy_of(q, q, n, it->total->alpha, 0.0);
  }
}

// ---- V

/// next = TV - V + shift, and P_pi. Returns the largest |TV - V + shift|.
static double linearize(Iterate *it, const double *V, double shift) {
  celi_operator_linearize(it->op, it->total->alpha, it->next, V);
  it->total->solution->sweeps++;
  double most = 0.0;
  for (int64_t s = 0; s < it->n; s++) {
    it->next[s] += shift;
    most = fmax(most, fabs(it->next[s]));
    if (!(fabs(it->next[s]) <= 1e300)) most = HUGE_VAL;
  }
  it->next[it->n] = 0.0;
  return most;
}

static double change(const CeliResidual *residual) {
  return fmax(fabs(residual->low), fabs(residual->high));
}

/// True if sweeps are expected to take less time than Newton steps. A direct solve of few states is
/// fast. On large problems a linear solve costs hundreds of sweeps.
static bool sweeps_pay(const Iterate *it, int64_t sweeps, int64_t since, double before,
                       double now) {
  if (now <= 0.5 * before) return true;
  if (it->n <= DIRECT_MOST) return false;
  if (sweeps < PATIENT) return true;
  if (!(now < before)) return false;
  return log(now / it->wanted) / log(before / now) * (double)since < LEFT_MOST;
}

/// Sweeps V while that pays: at least `least` times.
static void sweep_while_it_pays(Iterate *it, int64_t least, bool in_place) {
  double before = HUGE_VAL;
  for (int64_t i = 1;; i++) {
    CeliResidual found;
    if (in_place) {
      found = celi_operator_sweep_in_place(it->op, it->total->alpha, it->V, i % 4 == 0);
    } else {
      found = celi_operator_sweep(it->op, it->total->alpha, it->next, it->V);
      double *V = it->V;
      it->V = it->next, it->next = V;
    }
    const int64_t sweeps = ++it->total->solution->sweeps;
    if (i % least != 0) continue;
    const double now = change(&found);
    if (!(now > 0.5 * it->wanted) || celi_total_stopped(it->total)) return;
    if (!(now > rounding(it)) || !sweeps_pay(it, sweeps, least, before, now)) return;
    before = now;
  }
}

/// One step towards the fixed point: V += d. Returns false if the linear solve failed.
static bool newton_step(Iterate *it, double *V, double reduction) {
  if (!solve_linear(it, it->d, it->next, reduction)) return false;
  it->d[it->n] = 0.0;
  celi_operator_add(it->op, V, 1.0, it->d);
  return true;
}

/// The relative residual of the next linear solve: Eisenstat and Walker's choice, as in
/// solve/newton.c.
static double forcing(const Iterate *it, double residual, double *before) {
  const double ratio = residual / *before, eta = *before < HUGE_VAL ? 0.9 * ratio * ratio : 1.0;
  *before = residual;
  return fmin(ETA_MOST, fmax(fmax(eta, ETA_LEAST), 0.1 * it->wanted / residual));
}

/// Iterates until |TV - V| <= it->wanted, or until no progress is possible. Returns the residual;
/// next and P_pi belong to V.
static double solve_values(Iterate *it) {
  CelSolution *solution = it->total->solution;
  const CelSolveMethod method = solution->method;
  const bool newton = method == CEL_SOLVE_NEWTON, in_place = method != CEL_SOLVE_VI;
  double best = HUGE_VAL, before = HUGE_VAL;
  int64_t least = LEAST, in_vain = 0;
  for (int64_t round = 0;; round++) {
    sweep_while_it_pays(it, least, in_place);
    const double residual = linearize(it, it->V, 0.0);
    it->value_max = magnitude(it, it->V);
    if (!(residual > it->wanted) || !(residual > 0.1 * rounding(it))) return residual;
    if (!goes_on(it, residual) || !isfinite(it->value_max)) return residual;
    in_vain = residual < 0.5 * best ? 0 : in_vain + 1;
    best = fmin(best, residual);
    if (in_vain >= IN_VAIN_MOST) {
      if (residual < 4.0 * rounding(it) || round > NEWTON_MOST) return residual;
      least *= 2, in_vain = 0;
    }
    solution->iterations++;
    if (newton && !newton_step(it, it->V, forcing(it, residual, &before))) least *= 2;
  }
}

// ---- bounds

/// w (states) with w >= 1 + P_pi w, for the P_pi of the last linearization. Returns the largest w,
/// or infinity if none was found.
static double find_weights(Iterate *it) {
  double *b = it->next, *w = it->w;
  memset(w, 0, (size_t)it->op->padded * sizeof *w);
  for (int64_t s = 0; s < it->n; s++) b[s] = 1.0;
  find_policy(it, it->V);
  bool start = evaluate_in_order(it, w, b, 0.1);
  for (int round = 0; round < 200 && !celi_total_stopped(it->total); round++) {
    if (start) {
      start = false; // w is a good start
    } else if (round < 20 && solve_linear(it, it->d, b, 1e-2)) {
      it->d[it->n] = 0.0;
      celi_operator_add(it->op, w, 1.0, it->d);
    } else {
      celi_operator_add(it->op, w, 1.0, b); // w = 1 + P w
    }
    celi_operator_apply(it->op, it->d, NULL, w);
    double most = 0.0;
    bool finite = true;
    for (int64_t s = 0; s < it->n; s++) {
      b[s] = 1.0 + it->d[s] - w[s];
      most = fmax(most, b[s]);
      finite &= fabs(w[s]) < 1e200;
    }
    if (!finite) return HUGE_VAL;
    if (most > 0.25) continue;
    double largest = 0.0;
    for (int64_t s = 0; s < it->n; s++) {
      w[s] /= 1.0 - most;
      if (!(w[s] > 0.0)) return HUGE_VAL;
      largest = fmax(largest, w[s]);
    }
    return largest;
  }
  return HUGE_VAL;
}

static void put_candidate(const Iterate *it, double *X, double e) {
  memcpy(it->x, it->V, (size_t)it->op->padded * sizeof *it->x);
  celi_operator_add(it->op, it->x, e, it->w);
  celi_total_spread(it->total, X, it->x);
}

/// Newton steps on x = Tx + e until it is proven (e < 0: a lower bound).
static bool repair(Iterate *it, double *X, double e, uint32_t *best) {
  double worst;
  for (int i = 0; i < REPAIR_MOST; i++) {
    if (celi_total_stopped(it->total)) return false;
    const double residual = linearize(it, it->x, e);
    if (!isfinite(residual)) return false;
    if (!newton_step(it, it->x, ETA_LEAST)) celi_operator_add(it->op, it->x, 1.0, it->next);
    celi_total_spread(it->total, X, it->x);
    if (celi_total_check(it->total, X, e > 0.0, best, &worst)) return true;
    if (!isfinite(worst)) return false;
  }
  return false;
}

/// Proves a bound at distance e w from V.
static bool prove(Iterate *it, double *X, double e, uint32_t *best) {
  double worst;
  put_candidate(it, X, e);
  if (celi_total_check(it->total, X, e > 0.0, best, &worst)) return true;
  return isfinite(worst) && repair(it, X, e, best);
}

static double tolerance(const Iterate *it) {
  return it->total->solver->tolerance * fmax(1.0, it->value_max);
}

/// Solves until |TV - V| allows bounds at distance e w. Returns the residual.
static double solve_for(Iterate *it, double e, double residual) {
  const double wanted = fmax(0.2 * e, 0.2 * rounding(it));
  if (residual <= 0.25 * e || residual <= rounding(it) || !(wanted < it->wanted)) return residual;
  it->wanted = wanted;
  return goes_on(it, residual) ? solve_values(it) : residual;
}

/// Proves both bounds at distance e w, or more if that fails.
static bool prove_both(Iterate *it, double e) {
  CeliTotal *total = it->total;
  bool low = false, high = false;
  for (int i = 0; i < ATTEMPTS && !(low && high); i++, e *= 8.0) {
    if (celi_total_stopped(total)) return false;
    if (!low) low = prove(it, it->L, -e, total->best);
    if (!high) high = prove(it, it->U, e, NULL);
  }
  return low && high;
}

/// Iterates V to what the tolerance needs, and proves the bounds. Returns true if both are proven.
static bool find_bounds(Iterate *it) {
  CeliTotal *total = it->total;
  double residual = solve_values(it), most = HUGE_VAL;
  for (int i = 0; i < 3; i++) { // the largest w is known only after the first solve
    if (!isfinite(it->value_max) || celi_total_stopped(total)) return false;
    most = find_weights(it);
    if (!isfinite(most)) return false;
    const double wanted = it->wanted;
    residual = solve_for(it, 0.45 * tolerance(it) / most, residual);
    if (it->wanted == wanted) break;
  }
  double e = 0.45 * tolerance(it) / most;
  for (int i = 0; i < SHRINK_MOST; i++) {
    const double least = 2.0 * residual + 1.25 * rounding(it);
    e = fmax(e, least);
    if (!prove_both(it, e)) return false;
    const double found = celi_total_width(total), allowed = 1.9 * tolerance(it);
    // A longer policy that is nearly as good makes a bound wider than e w.
    if (!(found > allowed) || !(e > least)) break;
    e *= 0.5 * allowed / found;
    residual = solve_for(it, e, residual);
  }
  for (int i = 0; i < 20 && celi_total_width(total) > 1.9 * tolerance(it); i++) {
    const double low = celi_total_tighten(total, total->lower, false);
    const double high = celi_total_tighten(total, total->upper, true);
    if (!(low + high > 0.01 * tolerance(it)) || celi_total_stopped(total)) break;
  }
  return true;
}

/// Interval iteration from bounds that hold without any proof: probabilities are in [0, 1].
static void iterate_interval(CeliTotal *total) {
  const bool negative = total->sign < 0.0;
  for (uint32_t n = 0; n < total->graph.nodes; n++) {
    const bool open = total->kind[n] == CELI_OPEN;
    total->lower[n] = open ? (negative ? -1.0 : 0.0) : total->value[n];
    total->upper[n] = open ? (negative ? 0.0 : 1.0) : total->value[n];
  }
  for (int i = 0; i < TIGHTEN_MOST && !celi_total_stopped(total); i++) {
    const double low = celi_total_tighten(total, total->lower, false);
    const double high = celi_total_tighten(total, total->upper, true);
    total->solution->sweeps += 2;
    if (celi_total_width(total) <= total->solver->tolerance || low + high < 1e-17) break;
  }
  double worst;
  (void)celi_total_check(total, total->lower, false, total->best, &worst);
}

void celi_total_unproven(CeliTotal *total, const double *V) {
  if (total->probability && !(total->alpha > 0.0)) {
    iterate_interval(total);
    return;
  }
  double worst;
  celi_total_spread(total, total->lower, V);
  (void)celi_total_check(total, total->lower, false, total->best, &worst);
  memcpy(total->upper, total->lower, total->graph.nodes * sizeof *total->upper);
  total->solution->bound = HUGE_VAL;
}

static CelStatus fail_undecided(const Iterate *it) {
  const CeliTotal *total = it->total;
  if (total->undecided < 0 || celi_total_stopped(it->total)) return CEL_OK;
  return cel_fail(CEL_E_UNSUPPORTED,
                  "state %lld is in an end component whose largest mean reward is 0 up to rounding "
                  "errors, so the total reward may or may not be infinite; change the rewards%s",
                  (long long)total->undecided, total->alpha > 0.0 ? " or the temperature" : "");
}

static CelStatus run(Iterate *it) {
  CeliTotal *total = it->total;
  double **const vectors[] = {&it->V, &it->next, &it->d, &it->w, &it->x, &it->spare};
  CELI_TRY(celi_operator_create(&it->op, total->reduced, 1.0, total->solver->threads, 0));
  for (int i = 0; i < 6; i++) CELI_TRY(celi_operator_vector(it->op, vectors[i]));
  CELI_TRY(celi_alloc(&it->pi, (size_t)total->reduced->pairs, sizeof *it->pi, "a policy"));
  CELI_TRY(prepare(it));
  CELI_TRY(begin(it));
  it->value_max = magnitude(it, it->V);
  it->wanted = 1e-2 * tolerance(it);
  if (find_bounds(it)) return CEL_OK;
  CELI_TRY(fail_undecided(it));
  celi_total_unproven(total, it->V);
  return CEL_OK;
}

CelStatus celi_total_iterate(CeliTotal *total) {
  const uint32_t nodes = total->graph.nodes;
  memcpy(total->lower, total->value, nodes * sizeof *total->lower);
  memcpy(total->upper, total->value, nodes * sizeof *total->upper);
  if (!total->reduced) return CEL_OK;
  if (!(total->alpha > 0.0) && total->solution->method == CEL_SOLVE_NEWTON) {
    bool done = false;
    CELI_TRY(celi_total_components(total, &done));
    if (done) return CEL_OK;
  }
  Iterate it = {
      .total = total, .n = total->reduced->states - 1, .L = total->lower, .U = total->upper};
  const CelSolveConfig name = {.method = total->solution->method};
  cel_fields_get(cel_solve_fields(), &name, "method", it.method, sizeof it.method);
  const CelStatus status = run(&it);
  if (it.krylov_made) celi_krylov_destroy(&it.krylov);
  free(it.V), free(it.next), free(it.d), free(it.w), free(it.x), free(it.spare), free(it.pi);
  celi_operator_destroy(it.op);
  return status;
}
