/// Pairs of an old and a new policy, random or built by hand, and the library's numbers for both.
#include "verify/policy_guarantees/change.h"
#include <math.h>

/// Number of steps until gamma^t is below rounding.
static int steps_until(double gamma) {
  return gamma > 0 ? (int)ceil(-37 / log(gamma)) : 1;
}

CelStatus celi_change_evaluate(CeliTrial *trial, CeliChange *c) {
  double *V_next = celi_take(trial, c->m.S);
  c->V = celi_take(trial, c->m.S), c->Q = celi_take(trial, c->m.n), c->A = celi_take(trial, c->m.n);
  c->T = steps_until(c->m.gamma);
  c->p = celi_take(trial, (int64_t)(c->T + 1) * c->m.S);
  c->p_next = celi_take(trial, (int64_t)(c->T + 1) * c->m.S);
  CELI_TRY(celi_library_values(&c->m, c->pi, 0, c->V, c->Q));
  CELI_TRY(celi_library_values(&c->m, c->next, 0, V_next, NULL));
  CELI_TRY(cel_state_distribution(c->m.mdp, c->pi, c->T, c->p));
  CELI_TRY(cel_state_distribution(c->m.mdp, c->next, c->T, c->p_next));
  c->gain = cel_value_start(c->m.mdp, V_next) - cel_value_start(c->m.mdp, c->V);
  c->surrogate = c->eps = c->C = 0;
  for (int k = 0; k < c->m.n; k++) c->A[k] = c->Q[k] - c->V[c->m.state[k]];
  for (int s = 0; s < c->m.S; s++) {
    const int k = c->m.pair[s], n = celi_actions(&c->m, s);
    const double gained = celi_dense_dot(c->next + k, c->A + k, n);
    double discount = 1;
    for (int t = 0; t <= c->T; t++, discount *= c->m.gamma)
      c->surrogate += discount * c->p[t * c->m.S + s] * gained;
    c->C = fmax(c->C, fabs(gained));
    c->eps = fmax(c->eps, celi_dense_distance(c->pi + k, c->next + k, n));
  }
  return CEL_OK;
}

CelStatus celi_change_draw(CeliTrial *trial, const CeliDraw *draw, double how_far, CeliChange *c) {
  CELI_TRY(celi_draw(trial, draw, &c->m));
  c->theta = celi_take(trial, c->m.n);
  c->pi = celi_take(trial, c->m.n), c->next = celi_take(trial, c->m.n);
  double *moved = celi_take(trial, c->m.n);
  celi_draw_logits(trial, &c->m, c->theta, c->pi);
  celi_draw_normal(trial, moved, c->m.n, how_far < 0 ? 2 : how_far);
  for (int k = 0; k < c->m.n && how_far >= 0; k++) moved[k] += c->theta[k];
  for (int s = 0; s < c->m.S; s++)
    if (celi_actions(&c->m, s))
      celi_dense_softmax(moved + c->m.pair[s], celi_actions(&c->m, s), 1, c->next + c->m.pair[s]);
  return celi_change_evaluate(trial, c);
}

const CeliDraw celi_change_any = {.gamma_max = .9};
const CeliDraw celi_change_endless = {
    .A_max = 3, .gamma_min = .5, .gamma_max = .9, .unit = true, .endless = true, .full = true};

double celi_change_scale(const CeliChange *c) {
  return celi_scale(&c->m, c->Q);
}

CelStatus celi_change_tight(CeliTrial *trial, double r_leave, double r_there, double eps,
                            double gamma, CeliChange *c) {
  const int actions[] = {2, 2};
  celi_open(trial, &c->m, 2, actions, gamma);
  celi_arrow(&c->m, 0, 0, 0, 1, 0, false);
  celi_arrow(&c->m, 0, 1, 1, 1, r_leave, false);
  celi_arrow(&c->m, 1, 0, 1, 1, 0, false);
  celi_arrow(&c->m, 1, 1, 1, 1, r_there, false);
  c->m.start[0] = 1;
  CELI_TRY(celi_close(trial, &c->m, 0));
  c->pi = celi_take(trial, 4), c->next = celi_take(trial, 4);
  for (int k = 0; k < 4; k++) c->pi[k] = k % 2 == 0, c->next[k] = k % 2 == 0 ? 1 - eps : eps;
  return celi_change_evaluate(trial, c);
}

/// The tight problem with C = 1, and a random eps and gamma.
CelStatus celi_change_draw_tight(CeliTrial *trial, CeliChange *c) {
  const double eps = cel_rng_range(&trial->rng, .01, .9);
  const double gamma = cel_rng_range(&trial->rng, .3, .97);
  return celi_change_tight(trial, 1 / eps, -1 / eps, eps, gamma, c);
}

CelStatus celi_change_draw_small(CeliTrial *trial, CeliChange *c) {
  return celi_change_tight(trial, 1e4, -1e4, 1e-4, .9, c);
}

CelStatus celi_change_draw_opposite(CeliTrial *trial, CeliChange *c) {
  const int actions[] = {2, 1, 1};
  const double r = cel_rng_range(&trial->rng, .1, 10);
  celi_open(trial, &c->m, 3, actions, cel_rng_range(&trial->rng, .3, .97));
  for (int a = 0; a < 2; a++) {
    const double paid = a == 0 ? r : -r;
    celi_arrow(&c->m, 0, a, 1 + a, 1, paid, false);
    celi_arrow(&c->m, 1 + a, 0, 1 + a, 1, paid, false);
  }
  c->m.start[0] = 1;
  CELI_TRY(celi_close(trial, &c->m, 0));
  c->pi = celi_take(trial, 4), c->next = celi_take(trial, 4);
  c->pi[0] = c->next[1] = 1;
  for (int k = 2; k < 4; k++) c->pi[k] = c->next[k] = 1;
  return celi_change_evaluate(trial, c);
}
