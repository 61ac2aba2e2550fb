/// [actor-critic, 4.8-4.13]: what may be taken from Q without moving the gradient.
#include "celsius/improve.h"
#include "verify/actor_critic/finite.h"

// ---- 4.8-4.13: baselines

/// sum_t gamma^t E[grad log pi b_t], b random: of the state, or (`of_action`) of the action too.
static double *baseline_term(CeliTrial *trial, const CeliFinite *f, bool of_action) {
  double *b = celi_take(trial, (int64_t)CELI_FINITE_STEPS * f->m.n);
  for (int t = 0; t < CELI_FINITE_STEPS; t++)
    for (int k = 0; k < f->m.n; k++) {
      const bool first = k == f->m.pair[f->m.state[k]];
      const int at = t * f->m.n + k;
      b[at] = of_action || first ? cel_rng_normal(&trial->rng) : b[at - 1];
    }
  return celi_finite_score(trial, f, b, true, true);
}

static CelStatus baseline_vanishes(CeliTrial *trial) {
  CeliFinite f;
  CELI_TRY(celi_finite_draw(trial, &(CeliDraw){0}, &f));
  double *zero = celi_take(trial, f.m.n);
  celi_compare_all(trial, baseline_term(trial, &f, false), zero, f.m.n, 1);
  return CEL_OK;
}

static CelStatus baseline_of_action(CeliTrial *trial) {
  CeliFinite f;
  CELI_TRY(celi_finite_draw(trial, &celi_tiny_endless, &f));
  double *zero = celi_take(trial, f.m.n);
  celi_compare_all(trial, baseline_term(trial, &f, true), zero, f.m.n, 1);
  return CEL_OK;
}

/// (4.10) reads grad J = 0.
static CelStatus printed_gradient_zero(CeliTrial *trial) {
  CeliFinite f;
  CELI_TRY(celi_finite_draw(trial, &celi_tiny_endless, &f));
  double *zero = celi_take(trial, f.m.n), *gradient = celi_take(trial, f.m.n);
  CELI_TRY(
      cel_policy_gradient_horizon(f.m.mdp, f.pi, 0, f.m.gamma, CELI_FINITE_STEPS, true, gradient));
  celi_compare_all(trial, gradient, zero, f.m.n, 1);
  return CEL_OK;
}

static CelStatus gradient_with_baseline(CeliTrial *trial) {
  CeliFinite f;
  CELI_TRY(celi_finite_draw(trial, &(CeliDraw){0}, &f));
  for (int t = 0; t < CELI_FINITE_STEPS; t++)
    for (int s = 0; s < f.m.S; s++) {
      const double b = 10 * cel_rng_normal(&trial->rng);
      for (int k = f.m.pair[s]; k < f.m.pair[s + 1]; k++) f.Q[t * f.m.n + k] -= b;
    }
  celi_compare_all(trial, celi_finite_score(trial, &f, f.Q, true, true),
                   celi_finite_gradient(trial, &f), f.m.n, celi_size(f.Q, f.m.n));
  return CEL_OK;
}

static CelStatus gradient_with_advantages(CeliTrial *trial) {
  CeliFinite f;
  CELI_TRY(celi_finite_draw(trial, &(CeliDraw){0}, &f));
  const double scale = celi_size(f.Q, f.m.n);
  celi_finite_advantages(&f);
  celi_compare_all(trial, celi_finite_score(trial, &f, f.Q, true, true),
                   celi_finite_gradient(trial, &f), f.m.n, scale);
  return CEL_OK;
}

static const CeliClaim claims[] = {
    {"4.8-4.10", "E[grad log pi b(x)] = 0 for any b of the state and the time",
     "cel_state_distribution", CEL_CHECK_EQUAL, 1e-13, 200, baseline_vanishes},
    {"4.8-4.10", "with b(x,u) it is not 0", "cel_state_distribution", CEL_CHECK_DIFFERS, 1e-6, 200,
     baseline_of_action},
    {"4.8, 4.10", "printed: grad J = 0", "cel_policy_gradient_horizon", CEL_CHECK_DIFFERS, 1e-6,
     200, printed_gradient_zero},
    {"4.11", "the gradient with Q_t - b_t(x), against complex steps", "cel_mdp_evaluate_horizon",
     CEL_CHECK_EQUAL, 1e-10, 200, gradient_with_baseline},
    {"4.13", "the gradient with A_t = Q_t - V_t, against complex steps", "cel_mdp_evaluate_horizon",
     CEL_CHECK_EQUAL, 1e-10, 200, gradient_with_advantages},
    {0}};

const CeliSection celi_ac_baselines = {"src/verify/actor_critic/baselines.c", claims};
