/// [discrete-soft-policy-gradient, (6)] in the library's discrete soft actor-critic. Its gradients
/// after one update, through its networks, are compared with complex steps of the losses.
/// Expectations over actions are sums.
#include "verify/learner.h"
#include <math.h>

enum { O = 2, A = 3, B = 8, CRITICS = 2 };
static const double alpha = .4, discount = .9;

static const char *const settings[] = {
    "net_arch", "6,5",        "activation",  "tanh",  "learning_rate",
    "0",        "tau",        "0",           "gamma", "0.9",
    "ent_coef", "0.4",        "buffer_size", "100",   "learning_starts",
    "1000000",  "batch_size", "8",           NULL};

typedef struct Dsac {
  CeliTrial *trial;
  CeliLearner learner;
  CeliCheckNet actor, Q[CRITICS], target[CRITICS];
  const CeliTransition *batch[B];
  double q[B][A]; ///< smaller of the critics' values, held fixed
  double y[B];
  bool with_entropy; ///< the loss is -E[Q - alpha log pi]; otherwise -E[Q]
  int e;
} Dsac;

static CelStatus updated(CeliTrial *trial, Dsac *d) {
  const CeliLearnerSpec spec = {
      .algo = "dsac", .O = O, .A = A, .discrete = true, .settings = settings};
  *d = (Dsac){.trial = trial, .with_entropy = true};
  CELI_TRY(celi_learner_create(trial, &spec, &d->learner));
  CELI_TRY(celi_learner_feed(trial, &d->learner, CELI_LEARNER_STEPS));
  CELI_TRY(cel_agent_update_n(d->learner.agent, 1));
  d->actor = celi_check_net_read(trial, &d->learner, "actor", 0);
  for (int e = 0; e < CRITICS; e++) {
    d->Q[e] = celi_check_net_read(trial, &d->learner, "critic", e);
    d->target[e] = celi_check_net_read(trial, &d->learner, "target", e);
  }
  for (int b = 0; b < B; b++) d->batch[b] = celi_learner_find(&d->learner, "batch.obs", b, O);
  return CEL_OK;
}

/// Writes the smaller of the critics' values for all actions at x.
static void least(const CeliCheckNet *critics, const double *x, double *q) {
  double other[A];
  celi_check_net_apply(&critics[0], x, q);
  celi_check_net_apply(&critics[1], x, other);
  for (int a = 0; a < A; a++) q[a] = fmin(q[a], other[a]);
}

/// -mean E_pi[Q - alpha log pi], pi the softmax of the actor's output.
static CeliComplex loss_pi(const void *user, const CeliComplex *theta) {
  const Dsac *d = user;
  CeliComplex sum = 0, in[O], logit[A];
  for (int b = 0; b < B; b++) {
    CeliComplex Z = 0;
    for (int k = 0; k < O; k++) in[k] = d->batch[b]->x[k];
    celi_check_net_forward(&d->actor, theta, in, logit);
    for (int a = 0; a < A; a++) Z += cexp(logit[a]);
    for (int a = 0; a < A; a++) {
      const CeliComplex log_pi = logit[a] - clog(Z);
      sum -= cexp(log_pi) * (d->q[b][a] - (d->with_entropy ? alpha * log_pi : 0)) / B;
    }
  }
  return sum;
}

static CeliComplex loss_Q(const void *user, const CeliComplex *theta) {
  const Dsac *d = user;
  CeliComplex sum = 0, in[O], Q[A];
  for (int b = 0; b < B; b++) {
    for (int k = 0; k < O; k++) in[k] = d->batch[b]->x[k];
    celi_check_net_forward(&d->Q[d->e], theta, in, Q);
    const CeliComplex off = Q[(int)d->batch[b]->u[0]] - d->y[b];
    sum += off * off / (2 * B);
  }
  return sum;
}

static CelStatus policy_gradient(CeliTrial *trial, bool with_entropy) {
  Dsac d;
  const CelStatus status = updated(trial, &d);
  d.with_entropy = with_entropy;
  for (int b = 0; b < B && status == CEL_OK; b++) least(d.Q, d.batch[b]->x, d.q[b]);
  if (status == CEL_OK) celi_check_net_compare(trial, &d.actor, loss_pi, &d, !with_entropy);
  celi_learner_destroy(&d.learner);
  return status;
}

static CelStatus policy_gradient_soft(CeliTrial *trial) {
  return policy_gradient(trial, true);
}
static CelStatus policy_gradient_hard(CeliTrial *trial) {
  return policy_gradient(trial, false);
}

/// y = r + gamma E_pi[min Q' - alpha log pi] at s'.
static CelStatus critic_gradient(CeliTrial *trial) {
  Dsac d;
  double q[A], logit[A], pi[A];
  const CelStatus status = updated(trial, &d);
  for (int b = 0; b < B && status == CEL_OK; b++) {
    const CeliTransition *t = d.batch[b];
    least(d.target, t->next, q);
    celi_check_net_apply(&d.actor, t->next, logit);
    celi_dense_softmax(logit, A, 1, pi);
    const double V = celi_dense_soft_value(pi, q, A, alpha);
    d.y[b] = t->r + (t->terminated ? 0 : discount * V);
  }
  for (d.e = 0; d.e < CRITICS && status == CEL_OK; d.e++)
    celi_check_net_compare(trial, &d.Q[d.e], loss_Q, &d, false);
  celi_learner_destroy(&d.learner);
  return status;
}

static const CeliClaim claims[] = {
    {"(6)",
     "actor gradient of discrete soft actor-critic through its network: the library against "
     "complex steps",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-5, 32, policy_gradient_soft, 0xe0dfe0aa},
    {"(6)",
     "without alpha log pi in g the actor gradient of discrete soft actor-critic is a different "
     "one",
     "cel_agent_update_n", CEL_CHECK_DIFFERS, 1e-4, 32, policy_gradient_hard, 0x153115a9},
    {"(6)",
     "critic gradient of discrete soft actor-critic, target r + gamma E_pi[min Q' - alpha log pi]: "
     "the library against complex steps",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-5, 32, critic_gradient, 0x2a697b00},
    {0}};

const CeliSection celi_dp_learner = {"src/verify/discrete_soft_policy_gradient/learner.c", claims};
