/// BiCGStab: the linear systems of policy evaluation by products with gamma P_pi alone.
///
/// A = I - gamma P_pi, r = b - A x, shadow = the first r:
///     v = A p,  a = rho / (shadow, v),  s = r - a v,  t = A s,  w = (t, s) / (t, t),
///     x += a p + w s,  r = s - w t,  rho' = (shadow, r),  p = r + (rho'/rho)(a/w) (p - w v).
/// Each line that needs a product is one pass over the blocks, with its dot products taken while the block is in cache.
/// Where a denominator vanishes the method starts anew from the x that it has.
/// Source: van der Vorst, "Bi-CGSTAB: a fast and smoothly converging variant of Bi-CG", SIAM J. Sci. Stat. Comput. 1992.
#include "mdp/krylov.h"
#include "base/base.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Step {
  CeliKrylov *k;
  double *x;
  double a, w, beta;
} Step;

CelStatus celi_krylov_create(CeliKrylov *krylov, CeliOperator *op) {
  *krylov = (CeliKrylov){.op = op};
  CELI_TRY(celi_operator_vector(op, &krylov->r));
  CELI_TRY(celi_operator_vector(op, &krylov->shadow));
  CELI_TRY(celi_operator_vector(op, &krylov->p));
  CELI_TRY(celi_operator_vector(op, &krylov->v));
  return celi_operator_vector(op, &krylov->t);
}

void celi_krylov_destroy(CeliKrylov *krylov) {
  free(krylov->r), free(krylov->shadow), free(krylov->p), free(krylov->v), free(krylov->t);
  *krylov = (CeliKrylov){0};
}

/// v = A p; (shadow, v).
static void apply_p(CeliOperator *op, void *args, int thread, int64_t begin, int64_t end,
                    double *sums) {
  (void)thread;
  const CeliKrylov *k = ((Step *)args)->k;
  celi_block_apply_minus(op, k->v, k->p, begin, end);
  sums[0] = celi_dot(k->shadow + begin, k->v + begin, end - begin);
}

/// r becomes s = r - a v.
static void make_s(CeliOperator *op, void *args, int thread, int64_t begin, int64_t end,
                   double *sums) {
  (void)op, (void)thread, (void)sums;
  const Step *step = args;
  double *restrict r = step->k->r;
  const double *restrict v = step->k->v;
  for (int64_t i = begin; i < end; i++) r[i] -= step->a * v[i];
}

/// t = A s; (t, s), (t, t).
static void apply_s(CeliOperator *op, void *args, int thread, int64_t begin, int64_t end,
                    double *sums) {
  (void)thread;
  const CeliKrylov *k = ((Step *)args)->k;
  celi_block_apply_minus(op, k->t, k->r, begin, end);
  sums[0] = celi_dot(k->t + begin, k->r + begin, end - begin);
  sums[1] = celi_dot(k->t + begin, k->t + begin, end - begin);
}

/// x += a p + w s, r = s - w t; (shadow, r), (r, r).
static void move_on(CeliOperator *op, void *args, int thread, int64_t begin, int64_t end,
                    double *sums) {
  (void)op, (void)thread;
  const Step *step = args;
  const CeliKrylov *k = step->k;
  double *restrict x = step->x, *restrict r = k->r;
  const double *restrict p = k->p, *restrict t = k->t;
  for (int64_t i = begin; i < end; i++) {
    x[i] += step->a * p[i] + step->w * r[i];
    r[i] -= step->w * t[i];
  }
  sums[0] = celi_dot(k->shadow + begin, r + begin, end - begin);
  sums[1] = celi_dot(r + begin, r + begin, end - begin);
}

/// p = r + beta (p - w v).
static void turn_p(CeliOperator *op, void *args, int thread, int64_t begin, int64_t end,
                   double *sums) {
  (void)op, (void)thread, (void)sums;
  const Step *step = args;
  double *restrict p = step->k->p;
  const double *restrict r = step->k->r, *restrict v = step->k->v;
  for (int64_t i = begin; i < end; i++) p[i] = r[i] + step->beta * (p[i] - step->w * v[i]);
}

/// (r, r) of r = b at x = 0.
static void start_from_zero(CeliOperator *op, void *args, int thread, int64_t begin, int64_t end,
                            double *sums) {
  (void)op, (void)thread;
  const Step *step = args;
  memset(step->x + begin, 0, (size_t)(end - begin) * sizeof(double));
  sums[0] = celi_dot(step->k->r + begin, step->k->r + begin, end - begin);
}

int64_t celi_krylov_solve(CeliKrylov *k, double *x, const double *b, double reduction, int64_t most,
                          double *left) {
  const size_t bytes = (size_t)k->op->states * sizeof(double);
  double sums[CELI_SUMS];
  Step step = {.k = k, .x = x};
  memcpy(k->r, b, bytes);
  celi_operator_blocks(k->op, start_from_zero, &step, sums);
  const double first = sums[0], wanted = first * reduction * reduction;
  double now = first, rho = 0.0;
  bool anew = true;
  int64_t n = 0;
  for (; n < most && now > wanted; n++) {
    if (anew) {
      memcpy(k->shadow, k->r, bytes);
      memcpy(k->p, k->r, bytes);
      rho = now;
      anew = false;
    }
    celi_operator_blocks(k->op, apply_p, &step, sums);
    if (sums[0] == 0.0) break;
    step.a = rho / sums[0];
    celi_operator_blocks(k->op, make_s, &step, sums);
    celi_operator_blocks(k->op, apply_s, &step, sums);
    step.w = sums[1] > 0.0 ? sums[0] / sums[1] : 0.0;
    celi_operator_blocks(k->op, move_on, &step, sums);
    now = sums[1];
    if (!isfinite(now)) break;
    // Nearly orthogonal to the shadow, or no step along s: p would be noise.
    anew = fabs(sums[0]) < 1e-12 * sqrt(now * first) || step.w == 0.0;
    if (anew) continue;
    step.beta = sums[0] / rho * (step.a / step.w);
    rho = sums[0];
    celi_operator_blocks(k->op, turn_p, &step, sums);
  }
  if (left) *left = first > 0.0 ? sqrt(now / first) : 0.0;
  return n;
}
