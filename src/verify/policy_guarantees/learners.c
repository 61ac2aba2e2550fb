/// [policy-guarantees, (5)-(10)]: the gradients of the library's soft actor-critics after one
/// update, compared with complex steps of the losses in the note, with gamma and alpha written out.
#include "verify/soft_actor_critic.h"
#include <math.h>

static const char *const settings[] = {CELI_SAC_SETTINGS, NULL};
static const char *const one_state[] = {CELI_SAC_SETTINGS, "batch_size", "256", NULL};

typedef enum Which { VALUE, CRITIC, POLICY } Which;

static void compare(CeliSac *sac, Which which) {
  const bool differs = sac->trial->claim->kind == CEL_CHECK_DIFFERS;
  if (which == POLICY)
    celi_check_net_compare(sac->trial, &sac->actor, celi_sac_loss_policy, sac, differs);
  if (which == CRITIC) {
    celi_sac_target_of_critics(sac);
    for (sac->e = 0; sac->e < CELI_SAC_CRITICS; sac->e++)
      celi_check_net_compare(sac->trial, &sac->Q[sac->e], celi_sac_loss_critic, sac, differs);
  }
  if (which == VALUE) {
    celi_sac_target_of_value(sac);
    celi_check_net_compare(sac->trial, &sac->V, celi_sac_loss_value, sac, differs);
  }
}

/// Compares the learner's gradient with that of the loss at a temperature: alpha, or 1 as printed.
static CelStatus gradient(CeliTrial *trial, const char *algo, Which which, double temperature) {
  CeliSac sac;
  const CelStatus status = celi_sac_updated(trial, algo, settings, &sac);
  sac.temperature = temperature;
  if (status == CEL_OK) compare(&sac, which);
  celi_learner_destroy(&sac.learner);
  return status;
}

static CelStatus value_gradient(CeliTrial *trial) {
  return gradient(trial, "sacv", VALUE, celi_sac_alpha);
}
static CelStatus value_gradient_printed(CeliTrial *trial) {
  return gradient(trial, "sacv", VALUE, 1);
}
static CelStatus critic_gradient(CeliTrial *trial) {
  return gradient(trial, "sacv", CRITIC, celi_sac_alpha);
}
static CelStatus critic_gradient_twin(CeliTrial *trial) {
  return gradient(trial, "sac", CRITIC, celi_sac_alpha);
}
static CelStatus critic_gradient_printed(CeliTrial *trial) {
  return gradient(trial, "sac", CRITIC, 1);
}
static CelStatus policy_gradient(CeliTrial *trial) {
  return gradient(trial, "sacv", POLICY, celi_sac_alpha);
}
static CelStatus policy_gradient_twin(CeliTrial *trial) {
  return gradient(trial, "sac", POLICY, celi_sac_alpha);
}
static CelStatus policy_gradient_printed(CeliTrial *trial) {
  return gradient(trial, "sac", POLICY, 1);
}

// ---- (10): the mean of sampled gradients, compared with the divergence itself

/// alpha KL(pi(.|x) || exp(Q/alpha)/Z) + alpha log Z by quadrature over u, for one action
/// dimension. It uses no samples.
static CeliComplex divergence(const void *user, const CeliComplex *theta) {
  enum { NODES = 1500 };
  const CeliSac *sac = user;
  CeliComplex in[CELI_SAC_O], head[2], sum = 0;
  double middle[2];
  for (int k = 0; k < CELI_SAC_O; k++) in[k] = sac->batch[0]->x[k];
  celi_check_net_forward(&sac->actor, theta, in, head);
  celi_check_net_apply(&sac->actor, sac->batch[0]->x, middle);
  const CeliComplex log_sd = celi_log_sd(head[1]);
  const double width = 9 * exp(creal(log_sd)), step = 2 * width / NODES;
  for (int i = 0; i <= NODES; i++) {
    const double u = middle[0] - width + i * step;
    const CeliComplex z = (u - head[0]) / cexp(log_sd), a = tanh(u);
    const CeliComplex log_N = -z * z / 2 - log_sd - CELI_HALF_LOG_2PI;
    const CeliComplex log_pi = log_N - celi_log_jacobian(u);
    sum += step * cexp(log_N) *
           (celi_sac_alpha * log_pi - celi_sac_least(sac, sac->Q, sac->batch[0]->x, &a));
  }
  return sum;
}

enum { UPDATES = 48, TERMS = 7 };

/// The means over a batch of the Hermite polynomials He_0 = 1, He_1, .., He_6 of the noise. All but
/// the first have mean 0.
static void hermite_means(const CeliSac *sac, double *mean) {
  for (int k = 0; k < TERMS; k++) mean[k] = 0;
  for (int b = 0; b < sac->rows; b++) {
    const double e = celi_learner_at(&sac->learner, "dist.pi.eps", b);
    double before = 0, now = 1;
    for (int k = 0; k < TERMS; k++) {
      mean[k] += now / sac->rows;
      const double next = e * now - k * before;
      before = now, now = next;
    }
  }
}

/// Least squares of y (UPDATES) on x (UPDATES, TERMS). Returns the first coefficient and its
/// standard error. It is the mean of y, because the other functions have mean 0.
static double intercept(const double *x, const double *y, double *error) {
  double M[TERMS * TERMS] = {0}, b[TERMS * 2] = {0}, squares = 0;
  b[1] = 1;
  for (int i = 0; i < UPDATES; i++)
    for (int k = 0; k < TERMS; k++) {
      b[2 * k] += x[i * TERMS + k] * y[i];
      for (int j = 0; j < TERMS; j++) M[k * TERMS + j] += x[i * TERMS + k] * x[i * TERMS + j];
    }
  celi_dense_solve(M, b, TERMS, 2);
  for (int i = 0; i < UPDATES; i++) {
    double off = y[i];
    for (int k = 0; k < TERMS; k++) off -= b[2 * k] * x[i * TERMS + k];
    squares += off * off / (UPDATES - TERMS);
  }
  *error = sqrt(squares * b[1]);
  return b[0];
}

/// For a learner that has seen one state: the mean over updates of its policy gradient along the
/// exact one. The regression removes what the noise explains, so a tenth of the gradient is many
/// standard errors.
static CelStatus mean_gradient(CeliTrial *trial, CeliSac *sac) {
  double x[UPDATES * TERMS], y[UPDATES], error;
  CELI_TRY(celi_sac_create(trial, "sac", 1, one_state, CELI_SAC_ROWS, sac));
  CELI_TRY(celi_learner_feed(trial, &sac->learner, 1));
  CELI_TRY(cel_agent_update_n(sac->learner.agent, 1));
  celi_sac_read(sac);
  double *exact = celi_take(trial, sac->actor.n);
  celi_complex_gradient(trial, divergence, sac, sac->actor.theta, sac->actor.n, exact);
  for (int i = 0; i < UPDATES; i++) {
    CELI_TRY(cel_agent_update_n(sac->learner.agent, 1));
    const size_t used = trial->used;
    const CeliCheckNet now = celi_check_net_read(trial, &sac->learner, "actor", 0);
    y[i] = celi_dense_dot(now.gradient, exact, now.n);
    hermite_means(sac, x + i * TERMS);
    trial->used = used;
  }
  const double square = celi_dense_dot(exact, exact, sac->actor.n);
  const double mean = intercept(x, y, &error);
  celi_compare(trial, mean, square, fmax(error, 1e-5 * square));
  return CEL_OK;
}

static CelStatus policy_gradient_mean(CeliTrial *trial) {
  CeliSac sac;
  const CelStatus status = mean_gradient(trial, &sac);
  celi_learner_destroy(&sac.learner);
  return status;
}

static const CeliClaim claims[] = {
    {"(5)",
     "gradient of V in soft actor-critic with a value network: the library against complex steps",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-5, 32, value_gradient, 0x590abdb0},
    {"(5)", "printed: without alpha the gradient of V is a different one", "cel_agent_update_n",
     CEL_CHECK_DIFFERS, 1e-3, 32, value_gradient_printed, 0xc077e2b7},
    {"(7)-(8)",
     "critic gradient of soft actor-critic with a value network, target r + gamma V'(s'), no V "
     "after the end: the library against complex steps",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-5, 32, critic_gradient, 0x1cd0b471},
    {"(7)-(8)",
     "critic gradient of soft actor-critic, target with min Q' - alpha log pi for V: the library "
     "against complex steps",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-5, 32, critic_gradient_twin, 0xe5381bd8},
    {"(3), (7)-(8)",
     "printed: without alpha the critic gradient of soft actor-critic is a different one",
     "cel_agent_update_n", CEL_CHECK_DIFFERS, 1e-3, 32, critic_gradient_printed, 0xee51e72d},
    {"(10)",
     "policy gradient of soft actor-critic with a value network: the library against complex steps",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-5, 32, policy_gradient, 0x0b44ce05},
    {"(10)",
     "policy gradient of soft actor-critic through tanh and the smaller critic: the library "
     "against complex steps",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-5, 32, policy_gradient_twin, 0x993e4f65},
    {"(10)",
     "printed: with a projection on exp(Q) the policy gradient of soft actor-critic is a different "
     "one",
     "cel_agent_update_n", CEL_CHECK_DIFFERS, 1e-3, 32, policy_gradient_printed, 0xaf467847},
    {"(10)",
     "the mean of sampled policy gradients is the gradient of alpha KL: 48 updates of the library "
     "against quadrature (standard errors)",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 4, 3, policy_gradient_mean, 0x01d5bb72},
    {0}};

const CeliSection celi_pg_learners = {"src/verify/policy_guarantees/learners.c", claims};
