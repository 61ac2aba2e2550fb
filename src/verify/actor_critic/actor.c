/// [actor-critic, 4.22-4.23]: the actor's loss, and a step along its gradient.
#include "celsius/improve.h"
#include "verify/actor_critic/finite.h"
#include <math.h>

// ---- 4.22-4.23: the actor's loss

static CelStatus step_raises_return(CeliTrial *trial) {
  CeliProblem m;
  CELI_TRY(celi_draw(trial, &celi_tiny_endless, &m));
  double *theta = celi_take(trial, m.n), *pi = celi_take(trial, m.n), *V = celi_take(trial, m.S);
  double *gradient = celi_take(trial, m.n);
  celi_draw_logits(trial, &m, theta, pi);
  CELI_TRY(cel_policy_gradient(m.mdp, pi, 0, m.gamma, false, gradient));
  CELI_TRY(celi_library_values(&m, pi, 0, V, NULL));
  const double before = cel_value_start(m.mdp, V), rate = 1e-2 * pow(1 - m.gamma, 2);
  for (int k = 0; k < m.n; k++) theta[k] += rate * gradient[k];
  for (int s = 0; s < m.S; s++) celi_dense_softmax(theta + m.pair[s], m.A, 1, pi + m.pair[s]);
  CELI_TRY(celi_library_values(&m, pi, 0, V, NULL));
  celi_compare(trial, cel_value_start(m.mdp, V), before, 1);
  return CEL_OK;
}

enum { WEIGHTS = 3, SHARED_STATES = 2, BATCH = 5 };

/// Logits and V as linear functions of the same weights w, and a batch of transitions.
typedef struct Shared {
  double Phi[SHARED_STATES * 2 * WEIGHTS], Psi[SHARED_STATES * WEIGHTS];
  int x[BATCH], u[BATCH], next[BATCH];
  double r[BATCH];
  const double *detached; ///< (BATCH) A held fixed; NULL: the gradient also flows through A
} Shared;

static CeliComplex shared_loss(const void *user, const CeliComplex *w) {
  const Shared *d = user;
  CeliComplex loss = 0;
  for (int i = 0; i < BATCH; i++) {
    CeliComplex logit[2] = {0}, V = 0, V_next = 0;
    for (int j = 0; j < WEIGHTS; j++) {
      for (int a = 0; a < 2; a++) logit[a] += d->Phi[(d->x[i] * 2 + a) * WEIGHTS + j] * w[j];
      V += d->Psi[d->x[i] * WEIGHTS + j] * w[j];
      V_next += d->Psi[d->next[i] * WEIGHTS + j] * w[j];
    }
    const CeliComplex A = d->detached ? d->detached[i] : d->r[i] + 0.9 * V_next - V;
    loss -= (logit[d->u[i]] - clog(cexp(logit[0]) + cexp(logit[1]))) * A;
  }
  return loss;
}

/// Writes A of every transition at w, and the gradient, minus the score times A.
static void detached_score(const Shared *d, const double *w, double *A, double *gradient) {
  for (int i = 0; i < BATCH; i++) {
    double logit[2] = {0}, pi[2];
    A[i] = d->r[i];
    for (int j = 0; j < WEIGHTS; j++) {
      for (int a = 0; a < 2; a++) logit[a] += d->Phi[(d->x[i] * 2 + a) * WEIGHTS + j] * w[j];
      A[i] += (0.9 * d->Psi[d->next[i] * WEIGHTS + j] - d->Psi[d->x[i] * WEIGHTS + j]) * w[j];
    }
    celi_dense_softmax(logit, 2, 1, pi);
    for (int j = 0; j < WEIGHTS; j++)
      for (int a = 0; a < 2; a++)
        gradient[j] -= A[i] * ((a == d->u[i]) - pi[a]) * d->Phi[(d->x[i] * 2 + a) * WEIGHTS + j];
  }
}

static CelStatus shared_parameters(CeliTrial *trial, bool through) {
  Shared d;
  double w[WEIGHTS], A[BATCH], score[WEIGHTS] = {0}, gradient[WEIGHTS];
  celi_draw_normal(trial, d.Phi, SHARED_STATES * 2 * WEIGHTS, 1);
  celi_draw_normal(trial, d.Psi, SHARED_STATES * WEIGHTS, 1);
  celi_draw_normal(trial, w, WEIGHTS, 1);
  celi_draw_normal(trial, d.r, BATCH, 1);
  for (int i = 0; i < BATCH; i++) {
    d.x[i] = celi_below(trial, SHARED_STATES);
    d.u[i] = celi_below(trial, 2);
    d.next[i] = celi_below(trial, SHARED_STATES);
  }
  detached_score(&d, w, A, score);
  d.detached = through ? NULL : A;
  celi_complex_gradient(trial, shared_loss, &d, w, WEIGHTS, gradient);
  celi_compare_all(trial, gradient, score, WEIGHTS, 1);
  return CEL_OK;
}

static CelStatus shared_detached(CeliTrial *trial) {
  return shared_parameters(trial, false);
}
static CelStatus shared_through(CeliTrial *trial) {
  return shared_parameters(trial, true);
}

static const CeliClaim claims[] = {
    {"4.22-4.23",
     "one small step along the library's gradient raises J: J after the step against J before it",
     "cel_policy_gradient", CEL_CHECK_EXCEEDS, 0, 200, step_raises_return, 0x9fd596b9},
    {"4.22-4.23",
     "with shared parameters and A held fixed, the actor's gradient is the score times A: complex "
     "steps against the formula",
     "", CEL_CHECK_EQUAL, 1e-12, 200, shared_detached, 0xd8e69929},
    {"4.22-4.23", "printed: the gradient through A is not the score times A", "", CEL_CHECK_DIFFERS,
     1e-6, 200, shared_through, 0xd59d5ad9},
    {0}};

const CeliSection celi_ac_actor = {"src/verify/actor_critic/actor.c", claims};
