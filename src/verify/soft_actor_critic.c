/// Soft actor-critic's losses in complex double. Contract: soft_actor_critic.h.
#include "verify/soft_actor_critic.h"
#include <math.h>

CelStatus celi_sac_create(CeliTrial *trial, const char *algo, int A, const char *const *settings,
                          int rows, CeliSac *sac) {
  const CeliLearnerSpec spec = {.algo = algo, .O = CELI_SAC_O, .A = A, .settings = settings};
  *sac = (CeliSac){.trial = trial, .A = A, .rows = rows};
  sac->temperature = celi_sac_alpha, sac->with_values = strcmp(algo, "sacv") == 0;
  return celi_learner_create(trial, &spec, &sac->learner);
}

void celi_sac_read(CeliSac *sac) {
  const CeliLearner *l = &sac->learner;
  sac->actor = celi_check_net_read(sac->trial, l, "actor", 0);
  for (int e = 0; e < CELI_SAC_CRITICS; e++) {
    sac->Q[e] = celi_check_net_read(sac->trial, l, "critic", e);
    sac->target[e] = celi_check_net_read(sac->trial, l, "target", sac->with_values ? 0 : e);
  }
  if (sac->with_values) sac->V = celi_check_net_read(sac->trial, l, "value", 0);
  for (int b = 0; b < sac->rows; b++)
    sac->batch[b] = celi_learner_find(l, "batch.sa", b, CELI_SAC_O + sac->A);
  for (int i = 0; i < sac->rows * sac->A; i++) {
    sac->eps[i] = celi_learner_at(l, "dist.pi.eps", i);
    if (!sac->with_values) sac->eps_next[i] = celi_learner_at(l, "dist.next.eps", i);
  }
}

CelStatus celi_sac_updated(CeliTrial *trial, const char *algo, const char *const *settings,
                           CeliSac *sac) {
  CELI_TRY(celi_sac_create(trial, algo, 2, settings, CELI_SAC_B, sac));
  CELI_TRY(celi_learner_feed(trial, &sac->learner, CELI_LEARNER_STEPS));
  CELI_TRY(cel_agent_update_n(sac->learner.agent, 1));
  celi_sac_read(sac);
  return CEL_OK;
}

// ---- parts of the losses

CeliComplex celi_sac_sample(const CeliSac *sac, const CeliComplex *theta, const double *x,
                            const double *eps, CeliComplex *a) {
  CeliComplex in[CELI_SAC_O], head[2 * CELI_LEARNER_A], log_pi = 0;
  for (int k = 0; k < CELI_SAC_O; k++) in[k] = x[k];
  celi_check_net_forward(&sac->actor, theta, in, head);
  for (int k = 0; k < sac->A; k++) {
    const CeliComplex log_sd = celi_log_sd(head[sac->A + k]);
    const CeliComplex u = head[k] + cexp(log_sd) * eps[k];
    a[k] = ctanh(u);
    log_pi -= eps[k] * eps[k] / 2 + log_sd + CELI_HALF_LOG_2PI + celi_log_jacobian(u);
  }
  return log_pi;
}

CeliComplex celi_sac_least(const CeliSac *sac, const CeliCheckNet *critics, const double *x,
                           const CeliComplex *a) {
  CeliComplex in[CELI_SAC_O + CELI_LEARNER_A], theta[CELI_CHECK_NET_MAX], out, best = 0;
  for (int k = 0; k < CELI_SAC_O; k++) in[k] = x[k];
  for (int k = 0; k < sac->A; k++) in[CELI_SAC_O + k] = a[k];
  for (int e = 0; e < CELI_SAC_CRITICS; e++) {
    celi_check_net_forward(&critics[e], celi_check_net_theta(&critics[e], theta), in, &out);
    if (e == 0 || creal(out) < creal(best)) best = out;
  }
  return best;
}

double celi_sac_value(const CeliSac *sac, const CeliCheckNet *critics, const double *x,
                      const double *eps) {
  CeliComplex theta[CELI_CHECK_NET_MAX], a[CELI_LEARNER_A];
  const CeliComplex log_pi =
      celi_sac_sample(sac, celi_check_net_theta(&sac->actor, theta), x, eps, a);
  return creal(celi_sac_least(sac, critics, x, a) - sac->temperature * log_pi);
}

// ---- (5), (7)-(8), (10)

/// (5) and (7): half the mean squared distance between the network's output for row b and y[b].
static CeliComplex squared(const CeliSac *sac, const CeliCheckNet *net, const CeliComplex *theta) {
  CeliComplex sum = 0, in[CELI_SAC_O + CELI_LEARNER_A], out;
  for (int b = 0; b < sac->rows; b++) {
    for (int k = 0; k < CELI_SAC_O; k++) in[k] = sac->batch[b]->x[k];
    for (int k = 0; k < sac->A; k++) in[CELI_SAC_O + k] = sac->batch[b]->u[k];
    celi_check_net_forward(net, theta, in, &out);
    sum += (out - sac->y[b]) * (out - sac->y[b]) / (2 * sac->rows);
  }
  return sum;
}

CeliComplex celi_sac_loss_value(const void *user, const CeliComplex *theta) {
  const CeliSac *sac = user;
  return squared(sac, &sac->V, theta);
}

CeliComplex celi_sac_loss_critic(const void *user, const CeliComplex *theta) {
  const CeliSac *sac = user;
  return squared(sac, &sac->Q[sac->e], theta);
}

/// (10) without the terms that do not depend on the policy: the mean of alpha log pi - min_e Q_e,
/// where the gradient flows through the action.
CeliComplex celi_sac_loss_policy(const void *user, const CeliComplex *theta) {
  const CeliSac *sac = user;
  CeliComplex sum = 0, a[CELI_LEARNER_A];
  for (int b = 0; b < sac->rows; b++) {
    const double *x = sac->batch[b]->x;
    const CeliComplex log_pi = celi_sac_sample(sac, theta, x, sac->eps + b * sac->A, a);
    sum += (sac->temperature * log_pi - celi_sac_least(sac, sac->Q, x, a)) / sac->rows;
  }
  return sum;
}

/// (8): r + gamma V(s'). V is the target network's, or a sample of min_e Q'_e - alpha log pi.
void celi_sac_target_of_critics(CeliSac *sac) {
  for (int b = 0; b < sac->rows; b++) {
    const CeliTransition *t = sac->batch[b];
    double V;
    if (sac->with_values)
      celi_check_net_apply(&sac->target[0], t->next, &V);
    else
      V = celi_sac_value(sac, sac->target, t->next, sac->eps_next + b * sac->A);
    sac->y[b] = t->r + (t->terminated ? 0 : celi_sac_gamma * V);
  }
}

void celi_sac_target_of_value(CeliSac *sac) {
  for (int b = 0; b < sac->rows; b++)
    sac->y[b] = celi_sac_value(sac, sac->Q, sac->batch[b]->x, sac->eps + b * sac->A);
}
