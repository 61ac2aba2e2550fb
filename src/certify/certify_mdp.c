/// Certificates on finite problems: reads the policy at all states and evaluates it exactly.
///
///     J* - J = alpha sum_s d(s) KL(pi, pi*) / (1 - gamma)
/// d is the discounted state distribution of the learned policy. Both sides are computed and are
/// separate measures: the left side by two evaluations, the right side from the policies. If a
/// state has fewer actions than the environment's action space, the environment maps the missing
/// actions to the existing ones. The solved problem has these repeated actions, as the agent sees
/// it.
/// Source: [maximum-entropy, 8.14-8.28], [policy-guarantees, Lemma 1].
#include "certify/certify.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double tolerance = 1e-10; ///< relative, of the exact evaluations

// ---- the problem with repeated actions

static bool all_actions_everywhere(const CelMdp *mdp, int64_t A) {
  for (int64_t s = 0; s < mdp->states; s++) {
    const int64_t first = mdp->pair[s], n = mdp->pair[s + 1] - first;
    if (n == 0) continue;
    if (n != A || cel_mdp_action(mdp, s, first) != 0 ||
        cel_mdp_action(mdp, s, first + n - 1) != A - 1)
      return false;
  }
  return true;
}

/// The pair of action a in state s: its own, or the (a mod n)th of the n pairs.
static int64_t pair_of(const CelMdp *mdp, int64_t s, int64_t a) {
  const int64_t first = mdp->pair[s], n = mdp->pair[s + 1] - first;
  for (int64_t p = first; p < first + n; p++)
    if (cel_mdp_action(mdp, s, p) == a) return p;
  return first + a % n;
}

static CelStatus copy_pair(CelMdpBuilder *builder, const CelMdp *mdp, int64_t s, int64_t a) {
  const int64_t p = pair_of(mdp, s, a);
  CELI_TRY(cel_mdp_pair(builder, s, a, mdp->reward_next ? 0 : mdp->reward[p]));
  for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++)
    CELI_TRY(cel_mdp_transition(builder, cel_mdp_next(mdp, t), mdp->probability[t],
                                mdp->reward_next ? mdp->reward_next[t] : 0,
                                mdp->ends && mdp->ends[t]));
  return CEL_OK;
}

static CelStatus copy_all(CelMdpBuilder *builder, const CelMdp *mdp, int64_t A, CelMdp **out) {
  for (int64_t s = 0; s < mdp->states; s++) {
    for (int64_t a = 0; a < A && mdp->pair[s + 1] > mdp->pair[s]; a++)
      CELI_TRY(copy_pair(builder, mdp, s, a));
    if (mdp->start[s] > 0) CELI_TRY(cel_mdp_start(builder, s, mdp->start[s]));
  }
  if (mdp->grid) CELI_TRY(cel_mdp_set_grid(builder, mdp->grid));
  CELI_TRY(cel_mdp_set_name(builder, mdp->name));
  return cel_mdp_build(builder, out);
}

/// Copies the problem so that every state has A actions.
static CelStatus repeat_actions(const CelMdp *mdp, int64_t A, CelMdp **out) {
  CelMdpBuilder *builder;
  CELI_TRY(cel_mdp_builder_create(&builder, mdp->states, mdp->discount, 0));
  const CelStatus status = copy_all(builder, mdp, A, out);
  cel_mdp_builder_destroy(builder);
  return status;
}

// ---- reachable states

static void reach(uint8_t *reached, int64_t *queue, int64_t *n, int64_t s) {
  if (reached[s]) return;
  reached[s] = 1;
  queue[(*n)++] = s;
}

/// Marks the states that some policy can reach from the start, by breadth-first search. Does not
/// mark states without actions.
static CelStatus find_reached(CelCertifiedMdp *c) {
  const CelMdp *mdp = c->mdp;
  int64_t *queue = NULL, n = 0;
  CELI_TRY(celi_alloc(&queue, (size_t)mdp->states, sizeof *queue, "states"));
  memset(c->reached, 0, (size_t)mdp->states);
  for (int64_t s = 0; s < mdp->states; s++)
    if (mdp->start[s] > 0) reach(c->reached, queue, &n, s);
  for (int64_t i = 0; i < n; i++) {
    const int64_t s = queue[i];
    for (int64_t t = mdp->row[mdp->pair[s]]; t < mdp->row[mdp->pair[s + 1]]; t++)
      if (mdp->probability[t] > 0 && !(mdp->ends && mdp->ends[t]))
        reach(c->reached, queue, &n, cel_mdp_next(mdp, t));
  }
  for (int64_t s = 0; s < mdp->states; s++)
    if (mdp->pair[s] == mdp->pair[s + 1]) c->reached[s] = 0;
  free(queue);
  return CEL_OK;
}

// ---- the agent's policy and values

enum { ROWS = 256 }; // observations per batch

/// One-hot observations of states [first, first + n).
static void one_hot(float *obs, int64_t S, int64_t first, int64_t n) {
  memset(obs, 0, (size_t)(n * S) * sizeof *obs);
  for (int64_t i = 0; i < n; i++) obs[i * S + first + i] = 1;
}

/// Reads rows [first, first + n) of the policy. Divides rows by their sum, because network outputs
/// have single precision.
static CelStatus read_policy(CelCertifiedMdp *c, CelAgent *agent, const float *obs, float *p,
                             int64_t A, int64_t first, int64_t n) {
  CELI_TRY(cel_agent_probabilities(agent, obs, n, p));
  for (int64_t s = first; s < first + n; s++) {
    double sum = 0;
    const float *row = p + (s - first) * A;
    for (int64_t k = c->mdp->pair[s]; k < c->mdp->pair[s + 1]; k++)
      sum += c->pi[k] = (double)row[cel_mdp_action(c->mdp, s, k)];
    for (int64_t k = c->mdp->pair[s]; k < c->mdp->pair[s + 1]; k++) c->pi[k] /= sum;
  }
  return CEL_OK;
}

/// Reads Q of action a in states [first, first + n).
static CelStatus read_q(CelCertifiedMdp *c, CelAgent *agent, const float *obs, float *q, int32_t a,
                        int64_t first, int64_t n) {
  int32_t action[ROWS];
  for (int64_t i = 0; i < n; i++) action[i] = a;
  CELI_TRY(cel_agent_q(agent, obs, action, n, q));
  for (int64_t s = first; s < first + n; s++)
    for (int64_t k = c->mdp->pair[s]; k < c->mdp->pair[s + 1]; k++)
      if (cel_mdp_action(c->mdp, s, k) == a) c->learned_Q[k] = (double)q[s - first];
  return CEL_OK;
}

/// Reads the policy of all states, and V and Q if the agent has them. obs (ROWS, S), out (ROWS, A +
/// 1): scratch.
static CelStatus read_agent(CelCertifiedMdp *c, CelAgent *agent, int64_t A, float *obs,
                            float *out) {
  const int64_t S = c->mdp->states;
  for (int64_t first = 0; first < S; first += ROWS) {
    const int64_t n = S - first < ROWS ? S - first : ROWS;
    one_hot(obs, S, first, n);
    CELI_TRY(read_policy(c, agent, obs, out, A, first, n));
    if (c->learned_V) {
      CELI_TRY(cel_agent_v(agent, obs, n, out));
      for (int64_t i = 0; i < n; i++) c->learned_V[first + i] = (double)out[i];
    }
    for (int64_t a = 0; c->learned_Q && a < A; a++)
      CELI_TRY(read_q(c, agent, obs, out, (int32_t)a, first, n));
  }
  return CEL_OK;
}

/// Finds out whether the agent has Q and V, and allocates them. Errors: those of cel_agent_q and
/// cel_agent_v except CEL_E_UNSUPPORTED.
static CelStatus find_values(CelCertifiedMdp *c, CelAgent *agent, float *obs, float *out) {
  const int32_t action = 0;
  one_hot(obs, c->mdp->states, 0, 1);
  const CelStatus q = cel_agent_q(agent, obs, &action, 1, out);
  if (q != CEL_OK && q != CEL_E_UNSUPPORTED) return q;
  const CelStatus v = cel_agent_v(agent, obs, 1, out);
  if (v != CEL_OK && v != CEL_E_UNSUPPORTED) return v;
  if (q == CEL_OK)
    CELI_TRY(celi_alloc(&c->learned_Q, (size_t)c->mdp->pairs, sizeof(double), "learned Q"));
  if (v == CEL_OK)
    CELI_TRY(celi_alloc(&c->learned_V, (size_t)c->mdp->states, sizeof(double), "learned V"));
  return CEL_OK;
}

static CelStatus ask_agent(CelCertifiedMdp *c, CelAgent *agent, int64_t A) {
  float *obs = NULL, *out = NULL;
  CelStatus status = celi_alloc(&obs, (size_t)(ROWS * c->mdp->states), sizeof *obs, "observations");
  if (status == CEL_OK) status = celi_alloc(&out, (size_t)(ROWS * (A + 1)), sizeof *out, "outputs");
  if (status == CEL_OK) status = find_values(c, agent, obs, out);
  if (status == CEL_OK) status = read_agent(c, agent, A, obs, out);
  free(obs);
  free(out);
  return status;
}

// ---- evaluation of policies

/// Evaluates a policy at a temperature. Writes V (states), Q (pairs, or NULL) and J. *bound: error
/// of V.
static CelStatus evaluate(const CelMdp *mdp, const double *pi, double alpha, double gamma,
                          double *V, double *Q, double *J, double *bound) {
  CELI_TRY(cel_mdp_evaluate(mdp, pi, alpha, gamma, CEL_EVALUATE_SWEEPS, tolerance, V, Q, bound));
  *J = cel_value_start(mdp, V);
  return CEL_OK;
}

static double entropy_at(const CelMdp *mdp, const double *pi, int64_t s) {
  double sum = 0;
  for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++)
    if (pi[p] > 0) sum -= pi[p] * log(pi[p]);
  return sum;
}

/// KL(pi, pi*) at s, pi* = exp((Q - V)/alpha).
static double divergence_at(const CelMdp *mdp, const double *pi, const CelSolution *exact,
                            int64_t s) {
  double sum = 0;
  for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++)
    if (pi[p] > 0) sum += pi[p] * (log(pi[p]) - (exact->Q[p] - exact->V[s]) / exact->alpha);
  return fmax(sum, 0); // rounding may make it negative
}

/// The probability that pi takes an optimal action at s.
static double best_at(const CelMdp *mdp, const double *pi, const CelSolution *exact, int64_t s) {
  double sum = 0;
  for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++)
    if (exact->pi[p] > 0) sum += pi[p];
  return sum;
}

typedef double AtState(const CelMdp *mdp, const double *pi, const CelSolution *exact, int64_t s);

static double entropy_of(const CelMdp *mdp, const double *pi, const CelSolution *exact, int64_t s) {
  (void)exact;
  return entropy_at(mdp, pi, s);
}

/// The mean of f over the states with actions, weighted by the discounted distribution d. *largest:
/// the maximum over reachable states. *mass: the sum of d over states with actions. Returns NAN if
/// it is 0, because all episodes start in terminal states.
static double mean_over(const CelCertifiedMdp *c, const double *d, const double *pi, AtState *f,
                        double *largest, double *mass) {
  double sum = 0;
  *largest = 0;
  *mass = 0;
  for (int64_t s = 0; s < c->mdp->states; s++) {
    if (c->mdp->pair[s] == c->mdp->pair[s + 1]) continue;
    const double x = f(c->mdp, pi, c->exact, s);
    sum += d[s] * x;
    *mass += d[s];
    if (c->reached[s]) *largest = fmax(*largest, x);
  }
  return *mass > 0 ? sum / *mass : (double)NAN;
}

// ---- measures

/// The shortfall as a fraction of J* - J uniform, unless that difference is within its error.
static void measure_share(CelCertificate *out, double best, double J, double uniform,
                          double error) {
  const double none = (double)NAN, win = best - uniform;
  if (win > error) {
    celi_measure(out, "shortfall_share", "shortfall, fraction of J* - J uniform", none, none,
                 (best - J) / win, none);
    celi_measure_note(out, "J of the uniform policy is %.6g", uniform);
    return;
  }
  celi_measure_absent(out, "shortfall_share", "shortfall, fraction of J* - J uniform",
                      "the uniform policy is optimal within the error of J*");
}

static CelStatus measure_returns(CelCertificate *out, double *scratch) {
  CelCertifiedMdp *c = out->mdp;
  const double alpha = out->alpha, gamma = out->gamma, best = c->exact->value_start;
  double J, uniform, hard_best, hard, error, unused;
  double *V = scratch, *pi = scratch + c->mdp->states;
  CELI_TRY(evaluate(c->mdp, c->exact->pi, 0, gamma, V, NULL, &hard_best, &unused));
  CELI_TRY(evaluate(c->mdp, c->pi, 0, gamma, V, NULL, &hard, &unused));
  memset(pi, 0, (size_t)c->mdp->pairs * sizeof *pi);
  cel_policy_of_q(c->mdp, pi, 1, pi); // the policy of Q = 0 is uniform
  CELI_TRY(evaluate(c->mdp, pi, alpha, gamma, V, NULL, &uniform, &error));
  CELI_TRY(evaluate(c->mdp, c->pi, alpha, gamma, c->V, c->Q, &J, &unused));
  celi_measure(out, "soft_return",
               out->alpha > 0 ? "soft return J, shortfall" : "return J, shortfall", best, J,
               best - J, c->exact->bound);
  measure_share(out, best, J, uniform, error + c->exact->bound);
  celi_measure(out, "hard_return", "return without entropy", hard_best, hard, hard_best - hard,
               (double)NAN);
  return CEL_OK;
}

static CelStatus measure_policy(CelCertificate *out, double *d) {
  CelCertifiedMdp *c = out->mdp;
  const double none = (double)NAN, gamma = out->gamma;
  double largest, mass;
  CELI_TRY(
      cel_discounted_distribution(c->mdp, c->exact->pi, gamma, CEL_EVALUATE_SWEEPS, tolerance, d));
  const double entropy = mean_over(c, d, c->exact->pi, entropy_of, &largest, &mass);
  CELI_TRY(cel_discounted_distribution(c->mdp, c->pi, gamma, CEL_EVALUATE_SWEEPS, tolerance,
                                       c->state_distribution));
  const double learned = mean_over(c, c->state_distribution, c->pi, entropy_of, &largest, &mass);
  celi_measure(out, "entropy", "entropy, nats per step", entropy, learned, fabs(entropy - learned),
               none);
  if (!(out->alpha > 0) && entropy > 0)
    celi_measure_note(out, "the exact policy is uniform over equally good actions");
  if (out->alpha > 0) {
    const double kl = mean_over(c, c->state_distribution, c->pi, divergence_at, &largest, &mass);
    celi_measure(out, "kl_mean", "KL(learned, exact), discounted mean", none, none, kl, none);
    celi_measure(out, "shortfall_kl", "shortfall computed from the mean KL", none, none,
                 mass > 0 ? out->alpha * kl * mass / (1 - gamma) : 0, none);
    celi_measure(out, "kl_sup", "KL(learned, exact), largest", none, none, largest, none);
    return CEL_OK;
  }
  const double best = mean_over(c, c->state_distribution, c->pi, best_at, &largest, &mass);
  celi_measure(out, "best_action", "probability of a best action", 1, best, 1 - best, none);
  const char *const why =
      "at temperature 0 any suboptimal action makes KL infinite; see best_action";
  celi_measure_absent(out, "kl_mean", "KL(learned, exact), discounted mean", why);
  celi_measure_absent(out, "kl_sup", "KL(learned, exact), largest", why);
  return CEL_OK;
}

/// |x - y| over pairs or states: the maximum over reachable states, and the mean weighted by the
/// discounted state distribution (and the policy, for pairs).
static void gaps(const CelCertifiedMdp *c, const double *x, const double *y, bool pairs,
                 double *sup, double *mean) {
  double mass = 0;
  *sup = *mean = 0;
  for (int64_t s = 0; s < c->mdp->states; s++) {
    if (!c->reached[s]) continue;
    const int64_t begin = pairs ? c->mdp->pair[s] : s, end = pairs ? c->mdp->pair[s + 1] : s + 1;
    for (int64_t k = begin; k < end; k++) {
      const double off = fabs(x[k] - y[k]);
      *sup = fmax(*sup, off);
      *mean += c->state_distribution[s] * (pairs ? c->pi[k] : 1) * off;
    }
    mass += c->state_distribution[s];
  }
  *mean = mass > 0 ? *mean / mass : (double)NAN;
}

static void measure_gap(CelCertificate *out, const char *name, const char *label, const double *x,
                        const double *y, bool pairs, const char *why) {
  char full[32], text[56];
  double sup = 0, mean = 0;
  if (x) gaps(out->mdp, x, y, pairs, &sup, &mean);
  for (int k = 0; k < 2; k++) {
    snprintf(full, sizeof full, "%s_%s", name, k ? "mean" : "sup");
    snprintf(text, sizeof text, "%s, %s", label, k ? "discounted mean" : "largest");
    if (x)
      celi_measure(out, full, text, (double)NAN, (double)NAN, k ? mean : sup, (double)NAN);
    else
      celi_measure_absent(out, full, text, why);
  }
}

static CelStatus measure(CelCertificate *out, double *scratch) {
  CelCertifiedMdp *c = out->mdp;
  CELI_TRY(measure_returns(out, scratch));
  CELI_TRY(measure_policy(out, scratch));
  measure_gap(out, "value", "V* - V of the learned policy", c->V, c->exact->V, false, "");
  measure_gap(out, "q", "learned Q - Q*", c->learned_Q, c->exact->Q, true, "the agent learns no Q");
  measure_gap(out, "v", "learned V - V*", c->learned_V, c->exact->V, false,
              "the agent learns no V");
  return CEL_OK;
}

// ---- the certificate

static CelStatus solve(CelCertificate *out) {
  CelSolveConfig config = cel_solve_config_default();
  config.alpha = out->alpha;
  config.gamma = out->gamma;
  config.tolerance = tolerance;
  CELI_TRY(cel_solve(out->mdp->mdp, &config, &out->mdp->exact));
  out->exact_error = out->mdp->exact->bound;
  out->certified = true;
  return CEL_OK;
}

static CelStatus allocate(CelCertifiedMdp *c) {
  const size_t S = (size_t)c->mdp->states, P = (size_t)c->mdp->pairs;
  CELI_TRY(celi_alloc(&c->pi, P, sizeof(double), "a policy"));
  CELI_TRY(celi_alloc(&c->V, S, sizeof(double), "values"));
  CELI_TRY(celi_alloc(&c->Q, P, sizeof(double), "values"));
  CELI_TRY(celi_alloc(&c->state_distribution, S, sizeof(double), "a state distribution"));
  return celi_alloc(&c->reached, S, 1, "states");
}

CelStatus celi_certify_mdp(CelCertificate *out, CelAgent *agent, const CelEnvSpec *spec,
                           const CelCertifyOptions *options) {
  CelCertifiedMdp *c = out->mdp = calloc(1, sizeof *out->mdp);
  const int64_t A = spec->action.part[0].n;
  double *scratch = NULL;
  (void)options;
  if (!c) return cel_fail(CEL_E_MEMORY, "not enough memory for a certificate");
  CELI_TRY(cel_mdp_of_env(spec, &c->mdp));
  if (!all_actions_everywhere(c->mdp, A)) {
    CELI_TRY(repeat_actions(c->mdp, A, &c->owned));
    c->mdp = c->owned;
  }
  CELI_TRY(allocate(c));
  CELI_TRY(find_reached(c));
  CELI_TRY(ask_agent(c, agent, A));
  CELI_TRY(solve(out));
  CELI_TRY(
      celi_alloc(&scratch, (size_t)(c->mdp->states + c->mdp->pairs), sizeof *scratch, "scratch"));
  const CelStatus status = measure(out, scratch);
  free(scratch);
  return status;
}

void celi_certified_mdp_destroy(CelCertifiedMdp *c) {
  if (!c) return;
  cel_mdp_destroy(c->owned);
  cel_solution_destroy(c->exact);
  free(c->pi);
  free(c->V);
  free(c->Q);
  free(c->learned_V);
  free(c->learned_Q);
  free(c->state_distribution);
  free(c->reached);
  free(c);
}
