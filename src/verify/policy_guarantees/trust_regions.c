/// [policy-guarantees, surrogate] in the library's learners. The gradient of PPO and the step of
/// TRPO after one rollout are compared with the surrogate L = mean of pi'/pi A, by complex steps,
/// and with the Fisher matrix written out.
///
/// A is Schulman's estimate, sum_k (gamma lambda)^k delta_{t+k} until the episode ends, with delta
/// = r + gamma V(x') - V(x). D is the mean of KL(pi, pi'), F its second derivative at pi' = pi.
#include "verify/learner.h"
#include <math.h>

enum { O = 2, A = 3, ROWS = CELI_LEARNER_STEPS };
static const double discount = .9, lambda = .8, damping = .1, most_kl = .01;

#define COMMON                                                                                     \
  "net_arch", "5", "learning_rate", "0", "n_steps", "24", "batch_size", "24", "gamma", "0.9",      \
      "gae_lambda", "0.8", "normalize_advantage", "false", "init", "kaiming_uniform"
static const char *const ppo[] = {COMMON, "n_epochs", "1", "max_grad_norm", "0", NULL};
static const char *const trpo[] = {
    COMMON,       "target_kl", "0.01", "n_critic_updates", "1", "cg_max_steps", "200",
    "cg_damping", "0.1",       NULL};

typedef struct Rollout {
  CeliLearner learner;
  CeliCheckNet actor; ///< with the weights that acted
  double *moved;      ///< (n,) the actor's parameters after the update
  double advantage[ROWS];
} Rollout;

/// Whether the episode ends with row i. It must match celi_learner_feed.
static bool ends(int i) {
  return i % 5 == 3 || i % 7 == 6;
}

static void estimate_advantages(CeliTrial *trial, Rollout *r) {
  const CeliCheckNet critic = celi_check_net_read(trial, &r->learner, "critic", 0);
  for (int i = 0; i < ROWS; i++) {
    double weight = 1;
    for (int k = i; k < ROWS; k++, weight *= discount * lambda) {
      const CeliTransition *t = &r->learner.fed[k];
      double V, V_next;
      celi_check_net_apply(&critic, t->x, &V);
      celi_check_net_apply(&critic, t->next, &V_next);
      r->advantage[i] += weight * (t->r + (t->terminated ? 0 : discount * V_next) - V);
      if (ends(k)) break;
    }
  }
}

static CelStatus roll(CeliTrial *trial, const char *algo, const char *const *settings, Rollout *r) {
  const CeliLearnerSpec spec = {
      .algo = algo, .O = O, .A = A, .discrete = true, .settings = settings};
  *r = (Rollout){0};
  CELI_TRY(celi_learner_create(trial, &spec, &r->learner));
  CELI_TRY(celi_learner_feed(trial, &r->learner, ROWS));
  r->actor = celi_check_net_read(trial, &r->learner, "actor", 0);
  CELI_TRY(cel_agent_update_n(r->learner.agent, 1));
  const CeliCheckNet after = celi_check_net_read(trial, &r->learner, "actor", 0);
  r->moved = after.theta, r->actor.gradient = after.gradient;
  estimate_advantages(trial, r);
  return CEL_OK;
}

/// log pi (A) of row i at theta.
static void log_policy(const Rollout *r, const CeliComplex *theta, int i, CeliComplex *log_pi) {
  CeliComplex in[O], Z = 0;
  for (int k = 0; k < O; k++) in[k] = r->learner.fed[i].x[k];
  celi_check_net_forward(&r->actor, theta, in, log_pi);
  for (int a = 0; a < A; a++) Z += cexp(log_pi[a]);
  for (int a = 0; a < A; a++) log_pi[a] -= clog(Z);
}

/// L at theta, where pi is the policy that acted.
static CeliComplex surrogate(const void *user, const CeliComplex *theta) {
  const Rollout *r = user;
  CeliComplex old[CELI_CHECK_NET_MAX], log_pi[A], log_old[A], L = 0;
  celi_check_net_theta(&r->actor, old);
  for (int i = 0; i < ROWS; i++) {
    const int a = (int)r->learner.fed[i].u[0];
    log_policy(r, theta, i, log_pi);
    log_policy(r, old, i, log_old);
    L += cexp(log_pi[a] - log_old[a]) * r->advantage[i] / ROWS;
  }
  return L;
}

static CeliComplex loss(const void *user, const CeliComplex *theta) {
  return -surrogate(user, theta);
}

// ---- rows

static CelStatus ppo_gradient(CeliTrial *trial) {
  Rollout r;
  const CelStatus status = roll(trial, "ppo", ppo, &r);
  if (status == CEL_OK) celi_check_net_compare(trial, &r.actor, loss, &r, false);
  celi_learner_destroy(&r.learner);
  return status;
}

static CelStatus trpo_gradient(CeliTrial *trial) {
  Rollout r;
  const CelStatus status = roll(trial, "trpo", trpo, &r);
  if (status == CEL_OK) celi_check_net_compare(trial, &r.actor, surrogate, &r, false);
  celi_learner_destroy(&r.learner);
  return status;
}

/// log pi(a|x) of one row and action, for its gradient.
typedef struct Choice {
  const Rollout *rollout;
  int row, a;
} Choice;

static CeliComplex log_of_choice(const void *user, const CeliComplex *theta) {
  const Choice *c = user;
  CeliComplex log_pi[A];
  log_policy(c->rollout, theta, c->row, log_pi);
  return log_pi[c->a];
}

/// out (n,) = (F + damping) v, F = mean over rows of sum_a pi(a|x) grad log pi grad log pi'.
static void fisher_product(CeliTrial *trial, const Rollout *r, const double *v, double *out) {
  const int n = r->actor.n;
  double *score = celi_take(trial, n);
  for (int k = 0; k < n; k++) out[k] = damping * v[k];
  for (int i = 0; i < ROWS; i++)
    for (int a = 0; a < A; a++) {
      const size_t used = trial->used;
      CeliComplex theta[CELI_CHECK_NET_MAX], log_pi[A];
      const Choice choice = {r, i, a};
      log_policy(r, celi_check_net_theta(&r->actor, theta), i, log_pi);
      celi_complex_gradient(trial, log_of_choice, &choice, r->actor.theta, n, score);
      trial->used = used;
      const double along = exp(creal(log_pi[a])) * celi_dense_dot(score, v, n) / ROWS;
      for (int k = 0; k < n; k++) out[k] += along * score[k];
    }
}

/// The step d has the direction (F + damping)^-1 g, so (F + damping) d and g have the cosine 1.
/// Without `natural`, compares d and g.
static CelStatus trpo_direction(CeliTrial *trial, bool natural) {
  Rollout r;
  const CelStatus status = roll(trial, "trpo", trpo, &r);
  const int n = r.actor.n;
  double *d = celi_take(trial, n), *product = celi_take(trial, n), *g = celi_take(trial, n);
  for (int k = 0; k < n && status == CEL_OK; k++) d[k] = r.moved[k] - r.actor.theta[k];
  if (status == CEL_OK && celi_dense_dot(d, d, n) > 0) { // the line search accepted a step
    fisher_product(trial, &r, d, product);
    celi_complex_gradient(trial, surrogate, &r, r.actor.theta, n, g);
    const double *along = natural ? product : d;
    celi_compare(trial,
                 celi_dense_dot(along, g, n) /
                     sqrt(celi_dense_dot(along, along, n) * celi_dense_dot(g, g, n)),
                 1, 1);
  }
  celi_learner_destroy(&r.learner);
  return status;
}

static CelStatus trpo_natural(CeliTrial *trial) {
  return trpo_direction(trial, true);
}
static CelStatus trpo_plain(CeliTrial *trial) {
  return trpo_direction(trial, false);
}

/// Compares D after the step with target_kl, or L after the step with L before it.
static CelStatus trpo_step(CeliTrial *trial, bool of_surrogate) {
  Rollout r;
  CeliComplex old[CELI_CHECK_NET_MAX], theta[CELI_CHECK_NET_MAX], log_old[A], log_pi[A];
  const CelStatus status = roll(trial, "trpo", trpo, &r);
  double D = 0;
  celi_check_net_theta(&r.actor, old);
  for (int k = 0; k < r.actor.n && status == CEL_OK; k++) theta[k] = r.moved[k];
  for (int i = 0; i < ROWS && status == CEL_OK; i++) {
    log_policy(&r, old, i, log_old);
    log_policy(&r, theta, i, log_pi);
    for (int a = 0; a < A; a++) D += exp(creal(log_old[a])) * creal(log_old[a] - log_pi[a]) / ROWS;
  }
  if (status == CEL_OK && of_surrogate)
    celi_compare(trial, creal(surrogate(&r, theta)), creal(surrogate(&r, old)), 1);
  if (status == CEL_OK && !of_surrogate) celi_compare(trial, D, most_kl, 1);
  celi_learner_destroy(&r.learner);
  return status;
}

static CelStatus trpo_within(CeliTrial *trial) {
  return trpo_step(trial, false);
}
static CelStatus trpo_rises(CeliTrial *trial) {
  return trpo_step(trial, true);
}

static const CeliClaim claims[] = {
    {"surrogate",
     "PPO's gradient at theta is the gradient of the surrogate: the library against complex steps",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-5, 32, ppo_gradient, 0xb419a4f4},
    {"surrogate",
     "TRPO's gradient at theta is the gradient of the surrogate: the library against complex steps",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-5, 32, trpo_gradient, 0x8e9af2ee},
    {"surrogate",
     "TRPO's step has the direction (F + damping)^-1 g: the library's step against F written out "
     "(cosine)",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-6, 16, trpo_natural, 0x8cf5db7f},
    {"surrogate", "TRPO's step does not have the direction of g (cosine)", "cel_agent_update_n",
     CEL_CHECK_DIFFERS, 1e-4, 16, trpo_plain, 0xf13c1e8c},
    {"surrogate",
     "TRPO's step stays within its trust region: the mean KL(pi, pi') is at most target_kl",
     "cel_agent_update_n", CEL_CHECK_AT_MOST, 1e-6, 32, trpo_within, 0xa73f68b1},
    {"surrogate", "TRPO's step raises the surrogate: L after the step against L before it",
     "cel_agent_update_n", CEL_CHECK_EXCEEDS, 0, 32, trpo_rises, 0x401d32f1},
    {0}};

const CeliSection celi_pg_trust_regions = {"src/verify/policy_guarantees/trust_regions.c", claims};
