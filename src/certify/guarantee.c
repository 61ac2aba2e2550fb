/// Guarantees of updates: the certified lower bound on the gain of an update, and the actual gain.
///
/// pi, pi'   policies before and after    A, d   advantages and discounted state distribution of
/// pi,
///   eps       max_s TV(pi, pi')                   with alpha = 0
///   C         max_s |E_pi'[A]|             L      E_d[E_pi'[A]]/(1-gamma)
/// J' - J >= L - 2 eps gamma C/((1-gamma)(1-gamma(1-eps)))                                    (1)
/// The maxima are over the states that some policy can reach from the start. J does not depend on
/// other states. (1) is an equality on the two-state problem of tests/certify/test_guarantee.c.
///
/// The errors of computed numbers are added up, so that (1) can be checked for them:
/// - V has the bound b. Q - V is therefore off by at most gamma b per action, and E_pi'[A], a sum
///   over
///   pi' - pi, by at most 2 gamma b.
/// - d is off in the L1 norm by at most the L1 norm of its residual over 1-gamma.
/// - Sums are off by at most their length times u = 2^-53.
/// - Rows of pi sum to 1 within A u. Rounding errors of Q and of sums over actions are weighted
///   with the probability of the action. A large penalty of an action that neither policy takes
///   adds nothing.
/// Source: [policy-guarantees, objective bound], without the linearized drift 2 eps t.
#include "celsius/guarantee.h"
#include "base/arguments.h"
#include "base/base.h"
#include "celsius/solve.h"
#include "mdp/backup/values.h"
#include "mdp/improve/improve.h"
#include "run/csv.h"
#include "run/runfolder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double u = 0x1p-53;

// ---- policies and their values

typedef struct Known {
  double *pi, *V, *Q; ///< (pairs), (states), (pairs)
  double bound;       ///< bound on the sup-norm error of V
  double J;
} Known;

typedef struct Bound {
  const CelMdp *mdp;
  double gamma;
  uint8_t *reached;     ///< (states) 1: some policy can reach the state
  int64_t *queue;       ///< (states) scratch
  double *d, *residual; ///< (states) scratch
  Known known[2];       ///< before, after
} Bound;

static void bound_close(Bound *b) {
  for (int i = 0; i < 2; i++) {
    free(b->known[i].pi);
    free(b->known[i].V);
    free(b->known[i].Q);
  }
  free(b->reached);
  free(b->queue);
  free(b->d);
  free(b->residual);
}

static CelStatus bound_allocate(Bound *b) {
  const size_t S = (size_t)b->mdp->states, pairs = (size_t)b->mdp->pairs;
  const char *const what = "a guarantee";
  for (int i = 0; i < 2; i++) {
    Known *known = &b->known[i];
    CELI_TRY(celi_alloc(&known->pi, pairs, sizeof *known->pi, what));
    CELI_TRY(celi_alloc(&known->V, S, sizeof *known->V, what));
    CELI_TRY(celi_alloc(&known->Q, pairs, sizeof *known->Q, what));
  }
  CELI_TRY(celi_alloc(&b->reached, S, sizeof *b->reached, what));
  CELI_TRY(celi_alloc(&b->queue, S, sizeof *b->queue, what));
  CELI_TRY(celi_alloc(&b->d, S, sizeof *b->d, what));
  return celi_alloc(&b->residual, S, sizeof *b->residual, what);
}

/// The caller zeroes `b` before, and calls bound_close afterwards even if this fails.
static CelStatus bound_open(Bound *b, const CelMdp *mdp, double gamma) {
  b->mdp = mdp;
  b->gamma = isnan(gamma) ? mdp->discount : gamma;
  if (mdp->horizon > 0)
    return cel_fail(
        CEL_E_UNSUPPORTED,
        "the problem has a horizon of %lld step%s; the bound needs an infinite horizon; "
        "use a time limit of the environment (env.max_episode_steps) instead",
        (long long)mdp->horizon, celi_s(mdp->horizon));
  if (!(b->gamma >= 0.0 && b->gamma < 1.0))
    return cel_fail(CEL_E_RANGE,
                    "gamma is %g; the bound needs a discount of at least 0 and below 1", b->gamma);
  CELI_TRY(celi_check_magnitude(mdp, b->gamma, false));
  CELI_TRY(bound_allocate(b));
  celi_improve_mark_reached(mdp, b->reached, b->queue);
  return CEL_OK;
}

/// Computes V, Q and J of the policy known->pi.
static CelStatus know(const Bound *b, Known *known) {
  CELI_TRY(
      celi_improve_evaluate(b->mdp, known->pi, 0.0, b->gamma, known->V, known->Q, &known->bound));
  known->J = cel_value_start(b->mdp, known->V);
  return CEL_OK;
}

// ---- the bound

/// Sums and maxima over the states.
typedef struct Found {
  double sum;           ///< E_d[E_pi'[A]]
  double magnitude;     ///< E_d[|E_pi'[A]|]
  double most;          ///< C
  double eps;           ///< maximum of the total variation
  double value_max;     ///< maximum of |V|
  double magnitude_max; ///< max_s sum_a (pi + pi') (|Q| + |V|)
  int64_t longest;      ///< largest number of transitions of a pair
} Found;

/// E_pi'[A] at one state, as a sum over pi' - pi. *variation: the total variation.
/// *magnitude: sum_a (pi + pi') (|Q| + |V|).
static double advantage_at(const Bound *b, int64_t s, double *variation, double *magnitude) {
  const Known *before = &b->known[0], *after = &b->known[1];
  double sum = 0.0, distance = 0.0;
  *magnitude = 0.0;
  for (int64_t p = b->mdp->pair[s]; p < b->mdp->pair[s + 1]; p++) {
    const double change = after->pi[p] - before->pi[p];
    sum += change * (before->Q[p] - before->V[s]);
    distance += fabs(change);
    *magnitude += (before->pi[p] + after->pi[p]) * (fabs(before->Q[p]) + fabs(before->V[s]));
  }
  *variation = 0.5 * distance;
  return sum;
}

static Found look(const Bound *b) {
  const CelMdp *mdp = b->mdp;
  Found found = {0};
  for (int64_t s = 0; s < mdp->states; s++) {
    if (!b->reached[s] || mdp->pair[s] == mdp->pair[s + 1]) continue;
    double variation, magnitude;
    const double a = advantage_at(b, s, &variation, &magnitude);
    found.sum += b->d[s] * a;
    found.magnitude += fabs(b->d[s] * a);
    found.most = fmax(found.most, fabs(a));
    found.magnitude_max = fmax(found.magnitude_max, magnitude);
    found.eps = fmax(found.eps, variation);
    for (int i = 0; i < 2; i++) found.value_max = fmax(found.value_max, fabs(b->known[i].V[s]));
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++)
      if (mdp->row[p + 1] - mdp->row[p] > found.longest)
        found.longest = mdp->row[p + 1] - mdp->row[p];
  }
  return found;
}

static double penalty(double eps, double gamma, double C) {
  return 2.0 * eps * gamma * C / ((1.0 - gamma) * (1.0 - gamma * (1.0 - eps)));
}

/// The sum of the errors of gain, surrogate and penalty. off: the L1 error of d.
static double rounding_of(const Bound *b, const Found *found, double off) {
  const double gamma = b->gamma, rest = 1.0 - gamma, A = (double)b->mdp->max_actions;
  const double S = (double)b->mdp->states, V = found->value_max;
  const double next = ((double)found->longest + 4.0) * u * gamma * V;
  // Error of E_pi'[A] at a state: gamma E[V] by gamma b and rounding, the other terms by their
  // magnitude.
  const double each = 2.0 * fmin(1.0, found->eps + A * u) * (gamma * b->known[0].bound + next) +
                      4.0 * (A + 4.0) * u * found->magnitude_max;
  const double L = (each + off * (found->most + each) + S * u * found->magnitude) / rest;
  const double wide = penalty(fmin(1.0, found->eps + 2.0 * A * u), gamma, found->most + each);
  const double drift = wide - penalty(found->eps, gamma, found->most);
  // Rows that sum to 1 within A u change the probabilities of states by that much per step.
  const double rows = 4.0 * A * u * (found->most + each) / (rest * rest);
  const double gain = b->known[0].bound + b->known[1].bound + 2.0 * (S + 2.0) * u * V;
  return 1.01 * (L + drift + rows + gain);
}

/// Computes (1) for the two policies.
static CelStatus measure(Bound *b, CelGuaranteeStep *step) {
  const double gamma = b->gamma;
  const double *pi = b->known[0].pi;
  CELI_TRY(celi_improve_visits(b->mdp, pi, gamma, b->d));
  const Found found = look(b);
  const double off = celi_improve_distribution_error(b->mdp, pi, gamma, b->d, b->residual);
  *step = (CelGuaranteeStep){.J = b->known[0].J,
                             .J_next = b->known[1].J,
                             .eps = found.eps,
                             .advantage = found.most,
                             .surrogate = found.sum / (1.0 - gamma),
                             .penalty = penalty(found.eps, gamma, found.most),
                             .rounding = rounding_of(b, &found, off),
                             .gain = b->known[1].J - b->known[0].J};
  step->bound = step->surrogate - step->penalty - step->rounding;
  step->held = step->gain >= step->bound;
  return CEL_OK;
}

CelStatus cel_policy_guarantee(const CelMdp *mdp, const double *pi, const double *pi_next,
                               double gamma, CelGuaranteeStep *step) {
  CELI_NEED(mdp);
  CELI_NEED(mdp->pair);
  CELI_NEED(pi);
  CELI_NEED(pi_next);
  CELI_NEED(step);
  CELI_FLOATS(CELI_IEEE);
  Bound b = {0};
  CelStatus status = bound_open(&b, mdp, gamma);
  for (int i = 0; i < 2 && status == CEL_OK; i++) {
    memcpy(b.known[i].pi, i ? pi_next : pi, (size_t)mdp->pairs * sizeof *pi);
    status = cel_fail_in(know(&b, &b.known[i]), i ? "the new policy: " : "the old policy: ");
  }
  if (status == CEL_OK) status = measure(&b, step);
  bound_close(&b);
  return status;
}

// ---- the policy of an agent

/// The pair of action a in state s: its own, or the (a mod n)th of the n pairs.
static int64_t pair_of(const CelMdp *mdp, int64_t s, int64_t a) {
  const int64_t first = mdp->pair[s], n = mdp->pair[s + 1] - first;
  if (!mdp->action) return first + a % n;
  for (int64_t p = first; p < first + n; p++)
    if (mdp->action[p] == a) return p;
  return first + a % n;
}

/// Sets the rows of pi for states [begin, end) from float probabilities (end - begin, A).
static void take_rows(const CelMdp *mdp, const float *p, int64_t A, int64_t begin, int64_t end,
                      double *pi) {
  for (int64_t s = begin; s < end; s++) {
    const float *row = p + (s - begin) * A;
    double sum = 0.0;
    if (mdp->pair[s] == mdp->pair[s + 1]) continue;
    for (int64_t k = mdp->pair[s]; k < mdp->pair[s + 1]; k++) pi[k] = 0.0;
    for (int64_t a = 0; a < A; a++) {
      pi[pair_of(mdp, s, a)] += (double)row[a];
      sum += (double)row[a];
    }
    for (int64_t k = mdp->pair[s]; k < mdp->pair[s + 1]; k++) pi[k] /= sum;
  }
}

enum { ROWS = 256 }; // states per batch

static CelStatus read_policy(CelAgent *agent, const CelMdp *mdp, float *obs, float *p, double *pi) {
  const int64_t S = mdp->states, A = cel_agent_action(agent)->part[0].n;
  for (int64_t begin = 0; begin < S; begin += ROWS) {
    const int64_t end = begin + ROWS < S ? begin + ROWS : S;
    memset(obs, 0, (size_t)((end - begin) * S) * sizeof *obs);
    for (int64_t s = begin; s < end; s++) obs[(s - begin) * S + s] = 1.0f;
    CELI_TRY(cel_agent_probabilities(agent, obs, end - begin, p));
    take_rows(mdp, p, A, begin, end, pi);
  }
  return CEL_OK;
}

static int64_t count_actions(const CelMdp *mdp) {
  int64_t most = 0;
  for (int64_t p = 0; mdp->action && p < mdp->pairs; p++)
    most = mdp->action[p] > most ? mdp->action[p] : most;
  return mdp->action ? most + 1 : mdp->max_actions;
}

CelStatus cel_agent_policy(CelAgent *agent, const CelMdp *mdp, double *pi) {
  CELI_NEED(agent);
  CELI_NEED(mdp);
  CELI_NEED(mdp->pair);
  CELI_NEED(pi);
  CELI_FLOATS(CELI_IEEE);
  const CelSpace *seen = cel_agent_observation(agent), *action = cel_agent_action(agent);
  const int64_t actions = count_actions(mdp);
  if (action->n_parts != 1 || action->part[0].kind != CEL_DISCRETE ||
      action->part[0].n != actions || seen->n_parts != 1 || seen->part[0].kind != CEL_BOX ||
      seen->part[0].size != mdp->states)
    return cel_fail(CEL_E_SHAPE,
                    "the problem needs an agent with %lld one-hot observation%s and %lld "
                    "discrete action%s; this agent was created for other spaces",
                    (long long)mdp->states, celi_s(mdp->states), (long long)actions,
                    celi_s(actions));
  const size_t rows = mdp->states < ROWS ? (size_t)mdp->states : ROWS;
  float *obs = NULL, *p = NULL;
  CELI_TRY(celi_alloc(&obs, rows * (size_t)mdp->states, sizeof *obs, "one-hot observations"));
  CelStatus status = celi_alloc(&p, rows * (size_t)actions, sizeof *p, "probabilities");
  if (status == CEL_OK) status = read_policy(agent, mdp, obs, p, pi);
  free(obs);
  free(p);
  return status;
}

// ---- guarantees during training

struct CelGuarantee {
  Bound bound; ///< known[0]: the policy at the last call
  int64_t updates, held;
  double J_first;
  CeliCsv table;
};

CelStatus cel_guarantee_create(CelGuarantee **out, const CelMdp *mdp, CelAgent *agent,
                               double gamma) {
  CELI_NEED(out);
  CELI_NEED(mdp);
  CELI_NEED(mdp->pair);
  CELI_NEED(agent);
  CELI_FLOATS(CELI_IEEE);
  CelGuarantee *g;
  CELI_TRY(celi_alloc(&g, 1, sizeof *g, "a guarantee"));
  memset(g, 0, sizeof *g);
  g->table.fd = -1;
  Known *now = &g->bound.known[0];
  CelStatus status = bound_open(&g->bound, mdp, isnan(gamma) ? cel_agent_gamma(agent) : gamma);
  if (status == CEL_OK) status = cel_agent_policy(agent, mdp, now->pi);
  if (status == CEL_OK) status = know(&g->bound, now);
  if (status != CEL_OK) {
    cel_guarantee_destroy(g);
    return status;
  }
  g->J_first = now->J;
  *out = g;
  return CEL_OK;
}

void cel_guarantee_destroy(CelGuarantee *guarantee) {
  if (!guarantee) return;
  celi_csv_close(&guarantee->table);
  bound_close(&guarantee->bound);
  free(guarantee);
}

// ---- the table

enum {
  STEPS,
  ITERATION,
  J,
  J_NEXT,
  EPS,
  ADVANTAGE,
  SURROGATE,
  PENALTY,
  ROUNDING,
  BOUND,
  GAIN,
  HELD
};
enum { COLUMNS = HELD + 1 };
static const char *const columns[COLUMNS] = {"time/total_timesteps",
                                             "iteration",
                                             "J",
                                             "J_next",
                                             "eps",
                                             "advantage",
                                             "surrogate",
                                             "penalty",
                                             "rounding",
                                             "bound",
                                             "gain",
                                             "held"};

static CelStatus write_row(CelGuarantee *g, const CelGuaranteeStep *step) {
  const double row[COLUMNS] = {[STEPS] = (double)step->steps,
                               [ITERATION] = (double)step->iteration,
                               [J] = step->J,
                               [J_NEXT] = step->J_next,
                               [EPS] = step->eps,
                               [ADVANTAGE] = step->advantage,
                               [SURROGATE] = step->surrogate,
                               [PENALTY] = step->penalty,
                               [ROUNDING] = step->rounding,
                               [BOUND] = step->bound,
                               [GAIN] = step->gain,
                               [HELD] = (double)step->held};
  return g->table.fd >= 0 ? celi_csv_row(&g->table, row) : CEL_OK;
}

/// The number in column `wanted` of a row, or NAN.
static double cell(const char *line, int wanted) {
  char text[64];
  double value = (double)NAN;
  for (int i = 0; i < wanted; i++) line += strcspn(line, ",\n") + 1;
  snprintf(text, sizeof text, "%.*s", (int)strcspn(line, ",\n"), line);
  return celi_parse_double(text, &value) == CELI_NUMBER_OK ? value : (double)NAN;
}

/// Counts the existing rows of a table.
static CelStatus count_rows(CelGuarantee *g, const char *path) {
  char *text = NULL;
  size_t size = 0;
  CELI_TRY(celi_file_read(path, (size_t)1 << 30, &text, &size));
  const char *line = strchr(text, '\n');
  for (line = line ? line + 1 : NULL; line && *line; line = strchr(line, '\n') + 1) {
    if (g->updates == 0) g->J_first = cell(line, J);
    g->updates++;
    g->held += cell(line, HELD) == 1.0;
  }
  free(text);
  return CEL_OK;
}

CelStatus cel_guarantee_write(CelGuarantee *guarantee, const CelAgent *agent, const char *folder) {
  CELI_NEED(guarantee);
  CELI_NEED(agent);
  CELI_NEED(folder);
  CELI_FLOATS(CELI_IEEE);
  CelGuarantee *g = guarantee;
  char path[CEL_PATH_MAX];
  double last[COLUMNS];
  CELI_TRY(celi_path_join(path, folder, "guarantee.csv"));
  CeliFolder home;
  CELI_TRY(celi_folder_open(&home, folder));
  const CelStatus status = celi_csv_resume(&g->table, &home, "guarantee.csv", columns, COLUMNS,
                                           cel_agent_steps(agent), last);
  celi_folder_close(&home);
  CELI_TRY(status);
  return count_rows(g, path);
}

CelStatus cel_guarantee_step(CelGuarantee *guarantee, CelAgent *agent, CelGuaranteeStep *step) {
  CELI_NEED(guarantee);
  CELI_NEED(agent);
  CELI_NEED(step);
  CELI_FLOATS(CELI_IEEE);
  CelGuarantee *g = guarantee;
  Known *known = g->bound.known;
  CELI_TRY(cel_agent_policy(agent, g->bound.mdp, known[1].pi));
  CELI_TRY(know(&g->bound, &known[1]));
  CELI_TRY(measure(&g->bound, step));
  step->iteration = ++g->updates;
  step->steps = cel_agent_steps(agent);
  g->held += step->held;
  const Known before = known[0];
  known[0] = known[1];
  known[1] = before;
  return write_row(g, step);
}

CelGuaranteeSummary cel_guarantee_summary(const CelGuarantee *guarantee) {
  CELI_NEED_OR(guarantee, (CelGuaranteeSummary){0});
  return (CelGuaranteeSummary){.updates = guarantee->updates,
                               .held = guarantee->held,
                               .gamma = guarantee->bound.gamma,
                               .J_first = guarantee->J_first,
                               .J = guarantee->bound.known[0].J};
}

CelStatus cel_guarantee_optimum(const CelGuarantee *guarantee, double *J_best, double *uncertain) {
  CELI_NEED(guarantee);
  CELI_NEED(J_best);
  CELI_NEED(uncertain);
  CelSolveConfig config = cel_solve_config_default();
  CelSolution *best = NULL;
  config.alpha = 0;
  config.gamma = guarantee->bound.gamma;
  CELI_TRY(cel_solve(guarantee->bound.mdp, &config, &best));
  *J_best = best->value_start;
  *uncertain = best->bound;
  cel_solution_destroy(best);
  return CEL_OK;
}
