/// The policy gradient over T + 1 = 4 steps: by sums over states, by sums over trajectories, and by
/// complex steps.
///
/// Policies are softmaxes of logits theta, one for each pair: d log pi(b|s)/d theta(s,a) = 1[b = a]
/// - pi(a|s).
#include "verify/actor_critic/finite.h"

const CeliDraw celi_tiny = {.S_min = 3, .S_max = 3, .A_min = 2, .A_max = 2, .unit = true};
const CeliDraw celi_tiny_endless = {.S_min = 3,
                                    .S_max = 3,
                                    .A_min = 2,
                                    .A_max = 2,
                                    .unit = true,
                                    .gamma_min = .5,
                                    .gamma_max = .9,
                                    .endless = true,
                                    .full = true};

CelStatus celi_finite_draw(CeliTrial *trial, const CeliDraw *draw, CeliFinite *f) {
  CELI_TRY(celi_draw(trial, draw, &f->m));
  const int n = f->m.n, S = f->m.S;
  f->theta = celi_take(trial, n);
  f->pi = celi_take(trial, n);
  f->p = celi_take(trial, (int64_t)(CELI_FINITE_STEPS + 1) * S);
  f->V = celi_take(trial, (int64_t)CELI_FINITE_STEPS * S);
  f->Q = celi_take(trial, (int64_t)CELI_FINITE_STEPS * n);
  double *timed = celi_take(trial, (int64_t)CELI_FINITE_STEPS * n);
  celi_draw_logits(trial, &f->m, f->theta, f->pi);
  for (int i = 0; i < CELI_FINITE_STEPS * n; i++) timed[i] = f->pi[i % n];
  CELI_TRY(cel_state_distribution(f->m.mdp, f->pi, CELI_FINITE_STEPS, f->p));
  return cel_mdp_evaluate_horizon(f->m.mdp, timed, 0, f->m.gamma, CELI_FINITE_STEPS, f->V, f->Q);
}

CeliComplex celi_return_of_logits(const void *user, const CeliComplex *theta) {
  const CeliOfLogits *of = user;
  const size_t used = of->trial->used;
  CeliComplex *pi = celi_take_complex(of->trial, of->m->n);
  celi_complex_softmax(of->m, theta, pi);
  const CeliComplex J =
      of->steps ? celi_complex_return_horizon(of->trial, of->m, pi, of->alpha, of->steps)
                : celi_complex_return(of->trial, of->m, pi, of->alpha);
  of->trial->used = used;
  return J;
}

double *celi_finite_gradient(CeliTrial *trial, const CeliFinite *f) {
  double *gradient = celi_take(trial, f->m.n);
  const CeliOfLogits of = {trial, &f->m, 0, CELI_FINITE_STEPS};
  celi_complex_gradient(trial, celi_return_of_logits, &of, f->theta, f->m.n, gradient);
  return gradient;
}

double *celi_finite_score(CeliTrial *trial, const CeliFinite *f, const double *of, bool timed,
                          bool discounted) {
  double *out = celi_take(trial, f->m.n), discount = 1;
  for (int t = 0; t < CELI_FINITE_STEPS; t++) {
    for (int k = 0; k < f->m.n; k++) {
      const double mass = f->p[t * f->m.S + f->m.state[k]] * f->pi[k] * discount;
      const double value = of[timed ? t * f->m.n + k : k];
      out[k] += mass * value;
      for (int j = f->m.pair[f->m.state[k]]; j < f->m.pair[f->m.state[k] + 1]; j++)
        out[j] -= mass * value * f->pi[j];
    }
    if (discounted) discount *= f->m.gamma;
  }
  return out;
}

void celi_finite_add_scores(const CeliScores *score, const CeliTrajectory *tau, double times,
                            double *out) {
  double discount = 1;
  for (int t = 0; t < tau->steps; t++) {
    double weight = 0, ahead = 1;
    for (int k = t; k < tau->steps && !score->A; k++) {
      weight += ahead * tau->r[k];
      if (score->reward_to_go_discounted) ahead *= score->m->gamma;
    }
    const int p = tau->p[t], s = score->m->state[p];
    if (score->A) weight = score->A[t * score->m->n + p];
    weight *= times * discount;
    out[p] += weight;
    for (int j = score->m->pair[s]; j < score->m->pair[s + 1]; j++) out[j] -= weight * score->pi[j];
    if (score->discounted) discount *= score->m->gamma;
  }
}

static void add_score(void *user, const CeliTrajectory *tau) {
  const CeliScores *score = user;
  celi_finite_add_scores(score, tau, tau->probability, score->sum);
}

double *celi_finite_enumerated(CeliTrial *trial, const CeliFinite *f, const double *A,
                               bool discounted, bool reward_to_go_discounted) {
  CeliScores score = {
      &f->m, f->pi, A, discounted, reward_to_go_discounted, celi_take(trial, f->m.n)};
  celi_enumerate(&f->m, f->pi, false, CELI_FINITE_STEPS, -1, -1, add_score, &score);
  return score.sum;
}

void celi_finite_advantages(CeliFinite *f) {
  for (int t = 0; t < CELI_FINITE_STEPS; t++)
    for (int k = 0; k < f->m.n; k++) f->Q[t * f->m.n + k] -= f->V[t * f->m.S + f->m.state[k]];
}
