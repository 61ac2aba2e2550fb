/// [actor-critic, 4.14-4.15]: the policy gradient from samples.
#include "celsius/improve.h"
#include "verify/actor_critic/finite.h"
#include <math.h>

/// Compares E over trajectories of sum_t [gamma^t] grad log pi A_t with the gradient of J.
static CelStatus sampled_form(CeliTrial *trial, bool discounted) {
  CeliFinite f;
  CELI_TRY(celi_finite_draw(trial, &celi_tiny_endless, &f));
  const double *exact = celi_finite_gradient(trial, &f);
  const double scale = celi_size(f.Q, f.m.n);
  celi_finite_advantages(&f);
  celi_compare_all(trial, celi_finite_enumerated(trial, &f, f.Q, discounted, false), exact, f.m.n,
                   discounted ? scale : 1);
  return CEL_OK;
}

static CelStatus sampled_form_discounted(CeliTrial *trial) {
  return sampled_form(trial, true);
}
static CelStatus sampled_form_practice(CeliTrial *trial) {
  return sampled_form(trial, false);
}

/// Samples one trajectory of CELI_FINITE_STEPS steps.
static void sample(CeliTrial *trial, const CeliFinite *f, CeliTrajectory *tau) {
  tau->steps = 0;
  tau->x[0] = celi_sample_start(trial, &f->m);
  for (int t = 0; t < CELI_FINITE_STEPS && celi_actions(&f->m, tau->x[t]) > 0; t++) {
    tau->p[t] = celi_sample_pair(trial, &f->m, f->pi, tau->x[t]);
    const int next = celi_sample_next(trial, &f->m, tau->p[t]);
    const int k = tau->p[t] * f->m.S + next;
    tau->r[t] = f->m.R[k], tau->x[t + 1] = next;
    tau->steps = t + 1;
    if (f->m.ends[k] > 0) break;
  }
}

/// Compares the mean of (4.15) over simulated trajectories, along a random direction, with the
/// exact gradient.
static CelStatus sampled_mean(CeliTrial *trial) {
  enum { EPISODES = 20000 };
  CeliFinite f;
  double sum = 0, squares = 0, exact = 0;
  CELI_TRY(celi_finite_draw(trial, &celi_tiny_endless, &f));
  double *gradient = celi_take(trial, f.m.n), *along = celi_take(trial, f.m.n);
  double *one = celi_take(trial, f.m.n);
  CELI_TRY(
      cel_policy_gradient_horizon(f.m.mdp, f.pi, 0, f.m.gamma, CELI_FINITE_STEPS, true, gradient));
  celi_finite_advantages(&f);
  celi_draw_normal(trial, along, f.m.n, 1);
  exact = celi_dense_dot(gradient, along, f.m.n);
  const CeliScores score = {&f.m, f.pi, f.Q, true, true, NULL};
  for (int i = 0; i < EPISODES; i++) {
    CeliTrajectory tau;
    sample(trial, &f, &tau);
    for (int k = 0; k < f.m.n; k++) one[k] = 0;
    celi_finite_add_scores(&score, &tau, 1, one);
    const double off = celi_dense_dot(one, along, f.m.n) - exact;
    sum += off, squares += off * off;
  }
  const double variance = fmax(squares - sum * sum / EPISODES, 0) / (EPISODES - 1);
  celi_compare(trial, exact, exact + sum / EPISODES, sqrt(variance / EPISODES));
  return CEL_OK;
}

static const CeliClaim claims[] = {
    {"4.14-4.15",
     "E[sum_t gamma^t grad log pi A_t] = grad J: all trajectories with the library's A_t against "
     "complex steps",
     "cel_mdp_evaluate_horizon", CEL_CHECK_EQUAL, 1e-13, 200, sampled_form_discounted, 0x10acde80},
    {"4.14-4.15", "printed: without gamma^t the sum E[sum_t grad log pi A_t] is not grad J",
     "cel_mdp_evaluate_horizon", CEL_CHECK_DIFFERS, 1e-6, 200, sampled_form_practice, 0x2df7ca10},
    {"4.14-4.15",
     "the estimate from one trajectory is unbiased: the library's gradient against the mean of "
     "20000 estimates, along a random direction (standard errors)",
     "cel_policy_gradient_horizon", CEL_CHECK_EQUAL, 4, 4, sampled_mean, 0x400479e4},
    {0}};

const CeliSection celi_ac_samples = {"src/verify/actor_critic/samples.c", claims};
