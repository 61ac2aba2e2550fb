/// [policy-guarantees, (5)-(10)]: the gradients that the library's soft actor-critics leave after one update, against
/// derivatives by complex steps of the losses as the note states them, with gamma and alpha written out.
///
/// The learners' batch and the noise of their samples are read; what the transitions were, the networks' values, densities
/// and targets are computed here, in double. a = tanh(u), u = mean + sd eps, log pi(a) = log N(u) - sum log(1 - a^2).
#include "verify/learner.h"
#include <math.h>

enum { O = 2, B = 8, CRITICS = 2, STATES = 256 };
static const double alpha = .4, discount = .9, half_log_2pi = 0.91893853320467274178;

#define COMMON                                                                                     \
  "net_arch", "6,5", "activation", "tanh", "learning_rate", "0", "tau", "0", "gamma", "0.9",       \
      "ent_coef", "0.4", "buffer_size", "100", "learning_starts", "1000000"
static const char *const settings[] = {COMMON, "batch_size", "8", NULL};
static const char *const one_state[] = {COMMON, "batch_size", "256", NULL};

/// A learner after one update, and its networks.
typedef struct Sac {
  CeliTrial *trial;
  CeliLearner learner;
  int A, rows;
  bool with_values; ///< sacv: V and its target; else targets of Q
  CeliNet actor, Q[CRITICS], target[CRITICS], V;
  const CeliTransition *batch[STATES];
  double eps[STATES * CELI_LEARNER_A], eps_next[STATES * CELI_LEARNER_A];
  double temperature; ///< of the loss that is compared: alpha, or 1 as printed
  double y[STATES];   ///< a target held fixed
  int e;              ///< the critic that is compared
} Sac;

static CelStatus create(CeliTrial *trial, const char *algo, int A, const char *const *with,
                        Sac *sac) {
  const CeliLearnerSpec spec = {.algo = algo, .O = O, .A = A, .settings = with};
  *sac = (Sac){.trial = trial, .A = A, .rows = with == settings ? B : STATES};
  sac->temperature = alpha, sac->with_values = strcmp(algo, "sacv") == 0;
  return celi_learner_create(trial, &spec, &sac->learner);
}

/// The batch that the update drew, its noise, and the networks with their gradients.
static void read(Sac *sac) {
  const CeliLearner *l = &sac->learner;
  sac->actor = celi_net_read(sac->trial, l, "actor", 0);
  for (int e = 0; e < CRITICS; e++) {
    sac->Q[e] = celi_net_read(sac->trial, l, "critic", e);
    sac->target[e] = celi_net_read(sac->trial, l, "target", sac->with_values ? 0 : e);
  }
  if (sac->with_values) sac->V = celi_net_read(sac->trial, l, "value", 0);
  for (int b = 0; b < sac->rows; b++)
    sac->batch[b] = celi_learner_find(l, "batch.sa", b, O + sac->A);
  for (int i = 0; i < sac->rows * sac->A; i++) {
    sac->eps[i] = celi_learner_at(l, "dist.pi.eps", i);
    if (!sac->with_values) sac->eps_next[i] = celi_learner_at(l, "dist.next.eps", i);
  }
}

static CelStatus updated(CeliTrial *trial, const char *algo, Sac *sac) {
  CELI_TRY(create(trial, algo, 2, settings, sac));
  CELI_TRY(celi_learner_feed(trial, &sac->learner, CELI_LEARNER_STEPS));
  CELI_TRY(cel_agent_update_n(sac->learner.agent, 1));
  read(sac);
  return CEL_OK;
}

// ---- what the losses are made of

/// a ~ pi(.|x) of the given noise at the actor's parameters theta; returns log pi(a|x).
static CeliComplex sample(const Sac *sac, const CeliComplex *theta, const double *x,
                          const double *eps, CeliComplex *a) {
  CeliComplex in[O], head[2 * CELI_LEARNER_A], log_pi = 0;
  for (int k = 0; k < O; k++) in[k] = x[k];
  celi_net_forward(&sac->actor, theta, in, head);
  for (int k = 0; k < sac->A; k++) {
    const CeliComplex log_sd = celi_log_sd(head[sac->A + k]);
    const CeliComplex u = head[k] + cexp(log_sd) * eps[k];
    a[k] = ctanh(u);
    log_pi -= eps[k] * eps[k] / 2 + log_sd + half_log_2pi + celi_log_jacobian(u);
  }
  return log_pi;
}

/// The smallest of the critics' values at (x, a).
static CeliComplex least(const Sac *sac, const CeliNet *critics, const double *x,
                         const CeliComplex *a) {
  CeliComplex in[O + CELI_LEARNER_A], theta[CELI_NET_MAX], out, best = 0;
  for (int k = 0; k < O; k++) in[k] = x[k];
  for (int k = 0; k < sac->A; k++) in[O + k] = a[k];
  for (int e = 0; e < CRITICS; e++) {
    celi_net_forward(&critics[e], celi_net_theta(&critics[e], theta), in, &out);
    if (e == 0 || creal(out) < creal(best)) best = out;
  }
  return best;
}

/// Of one state, min_e Q_e(x,a) - alpha log pi(a|x).
static double soft_value(const Sac *sac, const CeliNet *critics, const double *x,
                         const double *eps) {
  CeliComplex theta[CELI_NET_MAX], a[CELI_LEARNER_A];
  const CeliComplex log_pi = sample(sac, celi_net_theta(&sac->actor, theta), x, eps, a);
  return creal(least(sac, critics, x, a) - sac->temperature * log_pi);
}

// ---- (5), (7)-(8), (10)

/// Half the mean squared distance of a network's output at row b from y: (5) and (7).
static CeliComplex squared(const Sac *sac, const CeliNet *net, const CeliComplex *theta) {
  CeliComplex sum = 0, in[O + CELI_LEARNER_A], out;
  for (int b = 0; b < sac->rows; b++) {
    for (int k = 0; k < O; k++) in[k] = sac->batch[b]->x[k];
    for (int k = 0; k < sac->A; k++) in[O + k] = sac->batch[b]->u[k];
    celi_net_forward(net, theta, in, &out);
    sum += (out - sac->y[b]) * (out - sac->y[b]) / (2 * sac->rows);
  }
  return sum;
}

static CeliComplex loss_V(const void *user, const CeliComplex *theta) {
  const Sac *sac = user;
  return squared(sac, &sac->V, theta);
}

static CeliComplex loss_Q(const void *user, const CeliComplex *theta) {
  const Sac *sac = user;
  return squared(sac, &sac->Q[sac->e], theta);
}

/// (10) less what does not depend on the policy: mean of alpha log pi - min_e Q_e, through the action.
static CeliComplex loss_pi(const void *user, const CeliComplex *theta) {
  const Sac *sac = user;
  CeliComplex sum = 0, a[CELI_LEARNER_A];
  for (int b = 0; b < sac->rows; b++) {
    const double *x = sac->batch[b]->x;
    const CeliComplex log_pi = sample(sac, theta, x, sac->eps + b * sac->A, a);
    sum += (sac->temperature * log_pi - least(sac, sac->Q, x, a)) / sac->rows;
  }
  return sum;
}

/// (8): r + gamma V(s'), where V is the target network's, or a sample of min_e Q'_e - alpha log pi.
static void set_targets(Sac *sac) {
  for (int b = 0; b < sac->rows; b++) {
    const CeliTransition *t = sac->batch[b];
    double V;
    if (sac->with_values)
      celi_net_apply(&sac->target[0], t->next, &V);
    else
      V = soft_value(sac, sac->target, t->next, sac->eps_next + b * sac->A);
    sac->y[b] = t->r + (t->terminated ? 0 : discount * V);
  }
}

typedef enum Which { VALUE, CRITIC, POLICY } Which;

static void compare(Sac *sac, Which which) {
  const bool differs = sac->trial->claim->kind == CEL_CHECK_DIFFERS;
  if (which == POLICY) celi_net_compare(sac->trial, &sac->actor, loss_pi, sac, differs);
  if (which == CRITIC) {
    set_targets(sac);
    for (sac->e = 0; sac->e < CRITICS; sac->e++)
      celi_net_compare(sac->trial, &sac->Q[sac->e], loss_Q, sac, differs);
  }
  if (which == VALUE) {
    for (int b = 0; b < sac->rows; b++)
      sac->y[b] = soft_value(sac, sac->Q, sac->batch[b]->x, sac->eps + b * sac->A);
    celi_net_compare(sac->trial, &sac->V, loss_V, sac, differs);
  }
}

/// The learner's gradient against the loss at a temperature: alpha, or 1 as printed.
static CelStatus gradient(CeliTrial *trial, const char *algo, Which which, double temperature) {
  Sac sac;
  const CelStatus status = updated(trial, algo, &sac);
  sac.temperature = temperature;
  if (status == CEL_OK) compare(&sac, which);
  celi_learner_destroy(&sac.learner);
  return status;
}

static CelStatus value_gradient(CeliTrial *trial) {
  return gradient(trial, "sacv", VALUE, alpha);
}
static CelStatus value_gradient_printed(CeliTrial *trial) {
  return gradient(trial, "sacv", VALUE, 1);
}
static CelStatus critic_gradient(CeliTrial *trial) {
  return gradient(trial, "sacv", CRITIC, alpha);
}
static CelStatus critic_gradient_twin(CeliTrial *trial) {
  return gradient(trial, "sac", CRITIC, alpha);
}
static CelStatus critic_gradient_printed(CeliTrial *trial) {
  return gradient(trial, "sac", CRITIC, 1);
}
static CelStatus policy_gradient(CeliTrial *trial) {
  return gradient(trial, "sacv", POLICY, alpha);
}
static CelStatus policy_gradient_twin(CeliTrial *trial) {
  return gradient(trial, "sac", POLICY, alpha);
}
static CelStatus policy_gradient_printed(CeliTrial *trial) {
  return gradient(trial, "sac", POLICY, 1);
}

// ---- (10) as an expectation: the mean of sampled gradients, against the divergence itself

/// alpha KL(pi(.|x) || exp(Q/alpha)/Z) + alpha log Z by quadrature over u, one action dimension: no noise, no sample.
static CeliComplex divergence(const void *user, const CeliComplex *theta) {
  enum { NODES = 1500 };
  const Sac *sac = user;
  CeliComplex in[O], head[2], sum = 0;
  double middle[2];
  for (int k = 0; k < O; k++) in[k] = sac->batch[0]->x[k];
  celi_net_forward(&sac->actor, theta, in, head);
  celi_net_apply(&sac->actor, sac->batch[0]->x, middle);
  const CeliComplex log_sd = celi_log_sd(head[1]);
  const double width = 9 * exp(creal(log_sd)), step = 2 * width / NODES;
  for (int i = 0; i <= NODES; i++) {
    const double u = middle[0] - width + i * step;
    const CeliComplex z = (u - head[0]) / cexp(log_sd), a = tanh(u);
    const CeliComplex log_N = -z * z / 2 - log_sd - half_log_2pi;
    const CeliComplex log_pi = log_N - celi_log_jacobian(u);
    sum += step * cexp(log_N) * (alpha * log_pi - least(sac, sac->Q, sac->batch[0]->x, &a));
  }
  return sum;
}

/// Of a learner that has seen one state: the mean over updates of its policy gradient, along a direction.
static CelStatus mean_gradient(CeliTrial *trial, Sac *sac) {
  enum { UPDATES = 48 };
  CeliMean mean = {0};
  CELI_TRY(create(trial, "sac", 1, one_state, sac));
  CELI_TRY(celi_learner_feed(trial, &sac->learner, 1));
  CELI_TRY(cel_agent_update_n(sac->learner.agent, 1));
  read(sac);
  double *exact = celi_take(trial, sac->actor.n), *along = celi_take(trial, sac->actor.n);
  celi_draw_normal(trial, along, sac->actor.n, 1);
  celi_complex_gradient(trial, divergence, sac, sac->actor.theta, sac->actor.n, exact);
  for (int i = 0; i < UPDATES; i++) {
    CELI_TRY(cel_agent_update_n(sac->learner.agent, 1));
    const size_t used = trial->used;
    const CeliNet now = celi_net_read(trial, &sac->learner, "actor", 0);
    celi_mean_add(&mean, celi_dense_dot(now.gradient, along, now.n));
    trial->used = used;
  }
  celi_mean_compare(trial, &mean, celi_dense_dot(exact, along, sac->actor.n), 0);
  return CEL_OK;
}

static CelStatus policy_gradient_mean(CeliTrial *trial) {
  Sac sac;
  const CelStatus status = mean_gradient(trial, &sac);
  celi_learner_destroy(&sac.learner);
  return status;
}

static const CeliClaim claims[] = {
    {"(5)", "V's gradient in soft actor-critic with a value network, against complex steps",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-5, 32, value_gradient},
    {"(5)", "printed: without alpha it is another gradient", "cel_agent_update_n",
     CEL_CHECK_DIFFERS, 1e-3, 32, value_gradient_printed},
    {"(7)-(8)", "the critics' there: r + gamma V'(s'), no V where it ended", "cel_agent_update_n",
     CEL_CHECK_EQUAL, 1e-5, 32, critic_gradient},
    {"(7)-(8)", "the twin critics' of soft actor-critic: min Q' - alpha log pi for V",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-5, 32, critic_gradient_twin},
    {"(3), (7)-(8)", "printed: without alpha it is another gradient", "cel_agent_update_n",
     CEL_CHECK_DIFFERS, 1e-3, 32, critic_gradient_printed},
    {"(10)", "the policy's gradient in soft actor-critic with a value network",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-5, 32, policy_gradient},
    {"(10)", "the policy's gradient in soft actor-critic, through tanh and the smaller critic",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-5, 32, policy_gradient_twin},
    {"(10)", "printed: projected on exp(Q) it is another gradient", "cel_agent_update_n",
     CEL_CHECK_DIFFERS, 1e-3, 32, policy_gradient_printed},
    {"(10)", "its mean over samples is that of alpha KL by quadrature (standard errors)",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 4, 3, policy_gradient_mean},
    {0}};

const CeliSection celi_pg_learners = {"src/verify/policy_guarantees/learners.c", claims};
