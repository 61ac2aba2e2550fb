/// Tabular soft Q-learning, synchronous and asynchronous, with a certificate from the exact model.
///
///   s, a, p       state, action, state-action pair           k(p)     samples of the pair so far
///   r, s'         reward and next state of a sample          eta_k    step size, by the schedule
///   alpha, gamma  temperature, discount                      T        soft-optimal operator on Q
///
/// Synchronous, one round:
///   1  V(s) = alpha log sum_a exp(Q(s,a)/alpha) at every s                                  [3.1]
///   2  at every pair: draw r, s';  Q(p) += eta_k(p) (r + gamma V(s') - Q(p));  k(p) += 1
/// V is from before the round, so the order of the pairs does not matter.
///
/// Asynchronous, one step of the trajectory:
///   1  a from pi_Q(.|s) or uniform; with probability epsilon uniform in either case
///   2  draw r, s';  k(p) += 1 after
///      Q(p) += eta_k(p) (r + gamma alpha log sum_a' exp(Q(s',a')/alpha) - Q(p))
///   3  s = s', or a new start if the episode ends
///
/// The mean of the target over s' is (TQ)(p), because the logarithm is inside the mean. With the
/// step 1/(1 + (1-gamma) k) the initial error falls as 1/k and the noise as 1/sqrt(k). With
/// 1/(1 + k) the initial error would fall only as k^-(1-gamma).
/// Source: [soft-q-learning, 3.1-3.2]; Wainwright, "Stochastic approximation with cone-contractive
/// operators: sharp l-infinity bounds for Q-learning", 2019, for the step; Even-Dar, Mansour,
/// "Learning rates for Q-learning", 2003, for the polynomial ones.
#include "celsius/q_learning.h"
#include "base/arguments.h"
#include "base/base.h"
#include "base/clock.h"
#include "celsius/solve.h"
#include "mdp/backup/certificate.h"
#include "mdp/backup/values.h"
#include "mdp/interrupt.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

// ---- config

#define F(field) offsetof(CelQLearningConfig, field)
// clang-format off
static const CelField fields[] = {
    {.name = "alpha", .type = CEL_FIELD_DOUBLE, .offset = F(alpha), .def = "0.1", .min = 0,
     .max = 1e12, .unit = "reward/nat",
     .doc = "temperature; 0: unregularized Q-learning",
     .source = "[soft-q-learning, 3.1]"},
    {.name = "gamma", .type = CEL_FIELD_AUTO, .offset = F(gamma), .def = "auto", .min = 0, .max = 1,
     .doc = "discount; auto: the MDP's own"},
    {.name = "rounds", .type = CEL_FIELD_INT, .offset = F(rounds), .def = "100000", .min = 1,
     .max = 1e15,
     .doc = "number of rounds; a round has as many samples as there are state-action pairs"},
    {.name = "sampling", .type = CEL_FIELD_ENUM, .offset = F(sampling), .def = "synchronous",
     .choices = "synchronous|asynchronous",
     .doc = "sample every state-action pair once per round, or along one trajectory"},
    {.name = "behavior", .type = CEL_FIELD_ENUM, .offset = F(behavior), .def = "boltzmann",
     .choices = "boltzmann|uniform",
     .doc = "how the trajectory picks actions"},
    {.name = "epsilon", .type = CEL_FIELD_DOUBLE, .offset = F(epsilon), .def = "0.1", .min = 0,
     .max = 1,
     .doc = "fraction of uniformly random actions in the trajectory"},
    {.name = "episode_steps", .type = CEL_FIELD_INT, .offset = F(episode_steps), .def = "1000",
     .min = 0, .max = 1e15, .unit = "steps",
     .doc = "steps after which the trajectory restarts; 0: only when an episode ends"},
    {.name = "step", .type = CEL_FIELD_ENUM, .offset = F(step), .def = "rescaled",
     .choices = "rescaled|polynomial|constant",
     .doc = "step size of a state-action pair after k samples: 1/(1 + (1-gamma) k), (1 + "
            "k)^-omega, or step_size"},
    {.name = "omega", .type = CEL_FIELD_DOUBLE, .offset = F(omega), .def = "0.8", .min = 1e-3,
     .max = 1,
     .doc = "exponent of the polynomial step size; learning converges if it is above 1/2"},
    {.name = "step_size", .type = CEL_FIELD_DOUBLE, .offset = F(step_size), .def = "0.1",
     .min = 1e-12, .max = 1,
     .doc = "the constant step size; the error does not converge to 0, and is smaller for a "
            "smaller step"},
    {.name = "seed", .type = CEL_FIELD_U64, .offset = F(seed), .def = "1",
     .doc = "seed of the samples"},
    {.name = "points", .type = CEL_FIELD_INT, .offset = F(points), .def = "4", .min = 1,
     .max = 1000,
     .doc = "rows of the error table for each tenfold increase in rounds"},
    {.name = "max_seconds", .type = CEL_FIELD_DOUBLE, .offset = F(max_seconds), .def = "0",
     .min = 0, .max = 1e12, .unit = "s",
     .doc = "largest time; 0: no limit"},
    {0},
};
// clang-format on
#undef F

const CelField *cel_q_learning_fields(void) {
  return fields;
}

CelQLearningConfig cel_q_learning_config_default(void) {
  CELI_FLOATS(CELI_IEEE);
  CelQLearningConfig config;
  memset(&config, 0, sizeof config);
  cel_fields_default(fields, &config);
  return config;
}

// ---- certificate

static CelStatus check_problem(const CelMdp *mdp, double gamma) {
  if (mdp->horizon > 0)
    return cel_fail(CEL_E_UNSUPPORTED,
                    "the MDP has a horizon of %lld step%s, but Q-learning needs an infinite "
                    "horizon; use the solver's method backward (backward induction)",
                    (long long)mdp->horizon, celi_s(mdp->horizon));
  if (!(gamma >= 0.0 && gamma < 1.0))
    return cel_fail(CEL_E_RANGE, "gamma is %g; it must be in [0, 1)", gamma);
  return celi_check_magnitude(mdp, gamma, true);
}

typedef struct Certificate {
  double residual, bound;
} Certificate;

/// Certifies Q. V (states) is overwritten with the values of Q. Source: [soft-q-learning, 2.1]
static Certificate certify(const CelMdp *mdp, const CeliShape *shape, const double *Q, double alpha,
                           double gamma, double *V) {
  const double u = 0x1p-53;
  double residual = 0.0, most_v = 0.0, most_q = 0.0;
  cel_value_of_q(mdp, Q, alpha, V);
  for (int64_t s = 0; s < mdp->states; s++) most_v = fmax(most_v, fabs(V[s]));
  for (int64_t p = 0; p < mdp->pairs; p++) {
    residual = fmax(residual, fabs(celi_backup(mdp, gamma, V, p) - Q[p]));
    most_q = fmax(most_q, fabs(Q[p]));
  }
  // The rounding error of V from Q is below that of a backup of V. TQ adds its own sums and u |TQ|,
  // and the difference adds u.
  const double rounding =
      2.0 * celi_rounding(shape, gamma, alpha, most_v, most_v) + 2.0 * u * (most_q + residual);
  const double mass = fmax(shape->mass_max, 1.0) * (1.0 + (double)shape->longest * u);
  const double rest = 1.0 - gamma * mass - 2.0 * u;
  const double bound = rest > 0.0 ? (residual + rounding) / rest * (1.0 + 8.0 * u) : HUGE_VAL;
  return (Certificate){residual, bound};
}

CelStatus cel_q_certificate(const CelMdp *mdp, const double *Q, double alpha, double gamma,
                            double *residual, double *bound) {
  CELI_NEED(mdp);
  CELI_NEED(mdp->pair);
  CELI_NEED(Q);
  CELI_FLOATS(CELI_IEEE);
  double *V = NULL;
  if (isnan(gamma)) gamma = mdp->discount;
  CELI_TRY(check_problem(mdp, gamma));
  if (!(alpha >= 0.0 && isfinite(alpha)))
    return cel_fail(CEL_E_RANGE, "temperature %g must be finite and at least 0", alpha);
  for (int64_t p = 0; p < mdp->pairs; p++)
    if (!isfinite(Q[p]))
      return cel_fail(CEL_E_NAN, "Q of pair %lld is %g; it must be finite", (long long)p, Q[p]);
  CELI_TRY(celi_alloc(&V, (size_t)mdp->states, sizeof *V, "values of Q"));
  const CeliShape shape = celi_mdp_shape(mdp);
  const Certificate found = certify(mdp, &shape, Q, alpha, gamma, V);
  if (residual) *residual = found.residual;
  if (bound) *bound = found.bound;
  free(V);
  return CEL_OK;
}

// ---- one sample

/// Stream numbers for CEL_RNG_TABULAR.
enum { TRANSITIONS, ACTIONS, STARTS, STREAMS };

typedef struct Learner {
  const CelMdp *mdp;
  const CelQLearningConfig *config;
  CelQLearning *out;
  double alpha, gamma;
  /// (states) cumulative start distribution without terminal states; asynchronous only
  double *cumulative;
  double *pi; ///< (max_actions)
  CelRng rng[STREAMS];
  CeliShape shape;
  int64_t state, elapsed; ///< current state and length of the trajectory
  int64_t scheduled;      ///< certificates done so far
  double start_seconds, told_seconds;
  Certificate last;
} Learner;

/// The transition of pair p at position u of its cumulative distribution. Falls back to the last
/// one with positive probability if rounding leaves none.
static int64_t draw_transition(Learner *l, int64_t p) {
  const CelMdp *mdp = l->mdp;
  const int64_t begin = mdp->row[p], end = mdp->row[p + 1];
  if (end - begin == 1) return begin;
  const double u = cel_rng_uniform(&l->rng[TRANSITIONS]);
  double sum = 0.0;
  int64_t last = begin;
  for (int64_t t = begin; t < end; t++) {
    if (!(mdp->probability[t] > 0.0)) continue;
    last = t;
    sum += mdp->probability[t];
    if (sum > u) break;
  }
  return last;
}

static double reward(const CelMdp *mdp, int64_t p, int64_t t) {
  return mdp->reward_next ? mdp->reward_next[t] : mdp->reward[p];
}

static bool is_terminal(const CelMdp *mdp, int64_t s) {
  return mdp->pair[s] == mdp->pair[s + 1];
}

static bool ends(const CelMdp *mdp, int64_t t) {
  return (mdp->ends && mdp->ends[t]) || is_terminal(mdp, cel_mdp_next(mdp, t));
}

/// The step size eta_k.
static double step_of(const Learner *l, int64_t k) {
  const CelQLearningConfig *c = l->config;
  switch (c->step) {
  case CEL_Q_STEP_POLYNOMIAL: return pow(1.0 + (double)k, -c->omega);
  case CEL_Q_STEP_CONSTANT: return c->step_size;
  default: return 1.0 / (1.0 + (1.0 - l->gamma) * (double)k);
  }
}

static void move(Learner *l, int64_t p, double target) {
  CelQLearning *out = l->out;
  const int64_t k = out->visits[p]++;
  out->unvisited -= k == 0;
  out->Q[p] += step_of(l, k) * (target - out->Q[p]);
  out->samples++;
}

// ---- a round

enum { OFTEN = 1 << 16 }; ///< samples between two reads of the clock

/// Called after sample i of a round, because a round of a large MDP takes long.
static bool stopped(const Learner *l, int64_t i) {
  const double limit = l->config->max_seconds;
  if ((i + 1) % OFTEN != 0) return false;
  return celi_interrupted() || (limit > 0.0 && celi_seconds() - l->start_seconds >= limit);
}

/// Runs one round. Returns false if it was stopped early.
static bool round_synchronous(Learner *l) {
  const CelMdp *mdp = l->mdp;
  CelQLearning *out = l->out;
  cel_value_of_q(mdp, out->Q, l->alpha, out->V); // line 1
  for (int64_t p = 0; p < mdp->pairs; p++) {     // line 2
    const int64_t t = draw_transition(l, p);
    const double next = ends(mdp, t) ? 0.0 : out->V[cel_mdp_next(mdp, t)];
    move(l, p, reward(mdp, p, t) + l->gamma * next);
    if (stopped(l, p)) return false;
  }
  return true;
}

/// Draws an initial state that is not terminal, by bisection of the cumulative distribution.
static int64_t draw_start(Learner *l) {
  const double u = cel_rng_uniform(&l->rng[STARTS]) * l->cumulative[l->mdp->states - 1];
  int64_t low = 0, high = l->mdp->states - 1;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (l->cumulative[middle] > u) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

/// Line 1 of the trajectory.
static int64_t choose_pair(Learner *l) {
  const CelQLearningConfig *c = l->config;
  const int64_t first = l->mdp->pair[l->state], n = l->mdp->pair[l->state + 1] - first;
  CelRng *rng = &l->rng[ACTIONS];
  const bool random = c->epsilon > 0.0 && cel_rng_uniform(rng) < c->epsilon;
  if (random || c->behavior == CEL_Q_UNIFORM)
    return first + (int64_t)cel_rng_below(rng, (uint64_t)n);
  celi_policy_of(l->pi, l->out->Q + first, n, l->alpha, 0.0);
  const double u = cel_rng_uniform(rng);
  double sum = 0.0;
  int64_t last = 0;
  for (int64_t a = 0; a < n; a++) {
    if (!(l->pi[a] > 0.0)) continue;
    last = a;
    sum += l->pi[a];
    if (sum > u) break;
  }
  return first + last;
}

static bool round_asynchronous(Learner *l) {
  const CelMdp *mdp = l->mdp;
  const int64_t limit = l->config->episode_steps;
  for (int64_t i = 0; i < mdp->pairs; i++) {
    const int64_t p = choose_pair(l), t = draw_transition(l, p), s = cel_mdp_next(mdp, t);
    const int64_t first = mdp->pair[s];
    const bool over = ends(mdp, t);
    const double next =
        over ? 0.0 : celi_soft_max(l->out->Q + first, mdp->pair[s + 1] - first, l->alpha);
    move(l, p, reward(mdp, p, t) + l->gamma * next); // line 2
    l->elapsed++;
    const bool again = over || (limit > 0 && l->elapsed >= limit);
    l->state = again ? draw_start(l) : s; // line 3
    if (again) l->elapsed = 0;
    if (stopped(l, i)) return false;
  }
  return true;
}

// ---- the loop

/// The round of the next certificate in the schedule.
static double scheduled_round(const Learner *l) {
  return ceil(pow(10.0, (double)l->scheduled / (double)l->config->points) * (1.0 - 1e-12));
}

static bool tell(Learner *l, bool scheduled) {
  const CelQLearning *out = l->out;
  const double seconds = celi_seconds() - l->start_seconds;
  const CelQLearningProgress now = {.scheduled = scheduled,
                                    .round = out->rounds,
                                    .samples = out->samples,
                                    .Q = out->Q,
                                    .residual = l->last.residual,
                                    .bound = l->last.bound,
                                    .unvisited = out->unvisited,
                                    .seconds = seconds,
                                    .fraction = (double)out->rounds / (double)l->config->rounds};
  l->told_seconds = celi_seconds();
  const bool more = !l->config->progress || l->config->progress(l->config->user, &now);
  celi_floats_keep();
  return more;
}

/// Certifies and calls the hook when they are due. False: stop.
static bool report(Learner *l) {
  static const double often = 0.2;
  CelQLearning *out = l->out;
  const double now = celi_seconds(), limit = l->config->max_seconds;
  const bool late = celi_interrupted() || (limit > 0.0 && now - l->start_seconds >= limit);
  const bool last = out->rounds == l->config->rounds || late;
  const bool scheduled = last || (double)out->rounds >= scheduled_round(l);
  while ((double)out->rounds >= scheduled_round(l)) l->scheduled++;
  if (!scheduled && now - l->told_seconds < often) return true;
  l->last = certify(l->mdp, &l->shape, out->Q, l->alpha, l->gamma, out->V);
  return tell(l, scheduled) && !late;
}

static void learn(Learner *l) {
  CelQLearning *out = l->out;
  const bool synchronous = l->config->sampling == CEL_Q_SYNCHRONOUS;
  l->start_seconds = l->told_seconds = celi_seconds();
  for (int i = 0; i < STREAMS; i++)
    l->rng[i] = cel_rng(l->config->seed, CEL_RNG_TABULAR, (uint32_t)i);
  if (!synchronous) l->state = draw_start(l);
  do {
    out->rounds += synchronous ? round_synchronous(l) : round_asynchronous(l);
  } while (report(l) && out->rounds < l->config->rounds);
}

/// V, pi, J and the certificate of the final Q.
static void finish(Learner *l) {
  CelQLearning *out = l->out;
  l->last = certify(l->mdp, &l->shape, out->Q, l->alpha, l->gamma, out->V);
  cel_policy_of_q(l->mdp, out->Q, l->alpha, out->pi);
  out->value_start = cel_value_start(l->mdp, out->V);
  out->residual = l->last.residual, out->bound = l->last.bound;
  out->seconds = celi_seconds() - l->start_seconds;
}

// ---- create, destroy

static CelStatus allocate(CelQLearning *out, const CelMdp *mdp) {
  const size_t S = (size_t)mdp->states, P = (size_t)mdp->pairs;
  const char *const what = "soft Q-learning";
  out->states = mdp->states, out->pairs = out->unvisited = mdp->pairs;
  CELI_TRY(celi_alloc(&out->Q, P, sizeof *out->Q, what));
  CELI_TRY(celi_alloc(&out->V, S, sizeof *out->V, what));
  CELI_TRY(celi_alloc(&out->pi, P, sizeof *out->pi, what));
  CELI_TRY(celi_alloc(&out->visits, P, sizeof *out->visits, what));
  memset(out->Q, 0, P * sizeof *out->Q);
  memset(out->visits, 0, P * sizeof *out->visits);
  return CEL_OK;
}

void cel_q_learning_destroy(CelQLearning *learned) {
  if (!learned) return;
  free(learned->Q);
  free(learned->V);
  free(learned->pi);
  free(learned->visits);
  free(learned);
}

/// Allocates what a trajectory needs.
static CelStatus prepare_trajectory(Learner *l) {
  const CelMdp *mdp = l->mdp;
  double sum = 0.0;
  CELI_TRY(celi_alloc(&l->cumulative, (size_t)mdp->states, sizeof *l->cumulative, "starts"));
  CELI_TRY(celi_alloc(&l->pi, (size_t)mdp->max_actions + 1, sizeof *l->pi, "a policy"));
  for (int64_t s = 0; s < mdp->states; s++)
    l->cumulative[s] = sum += is_terminal(mdp, s) ? 0.0 : mdp->start[s];
  if (sum > 0.0) return CEL_OK;
  return cel_fail(
      CEL_E_RANGE,
      "all initial states are terminal, so a trajectory has no step; set sampling to synchronous");
}

CelStatus cel_q_learning(const CelMdp *mdp, const CelQLearningConfig *config, CelQLearning **out) {
  CELI_NEED(mdp);
  CELI_NEED(mdp->pair);
  CELI_NEED(out);
  CELI_FLOATS(CELI_IEEE);
  const CelQLearningConfig defaults = cel_q_learning_config_default();
  if (!config) config = &defaults;
  *out = NULL;
  CELI_TRY(cel_fields_check(fields, config));
  Learner l = {.mdp = mdp, .config = config, .alpha = config->alpha};
  l.gamma = isnan(config->gamma) ? mdp->discount : config->gamma;
  CELI_TRY(check_problem(mdp, l.gamma));
  CELI_TRY(celi_alloc(&l.out, 1, sizeof *l.out, "soft Q-learning"));
  memset(l.out, 0, sizeof *l.out);
  l.out->alpha = l.alpha, l.out->gamma = l.gamma;
  l.shape = celi_mdp_shape(mdp);
  CelStatus status = allocate(l.out, mdp);
  if (status == CEL_OK && config->sampling == CEL_Q_ASYNCHRONOUS) status = prepare_trajectory(&l);
  if (status == CEL_OK) {
    learn(&l);
    finish(&l);
    *out = l.out;
  } else {
    cel_q_learning_destroy(l.out);
  }
  free(l.cumulative);
  free(l.pi);
  return status;
}
