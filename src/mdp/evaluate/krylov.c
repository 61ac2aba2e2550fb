/// BiCGStab: solves the linear systems of policy evaluation with products with gamma P_pi only.
///
/// A = I - gamma P_pi, r = b - A x, shadow = the first r:
///     v = A p,  a = rho / (shadow, v),  s = r - a v,  t = A s,  w = (t, s) / (t, t),
///     x += a p + w s,  r = s - w t,  rho' = (shadow, r),  p = r + (rho'/rho)(a/w) (p - w v).
/// Each line with a product is one pass over the blocks. Its dot products are computed while the
/// block is in cache. If the shadow becomes nearly orthogonal to r, the method restarts from the
/// current r.
///
/// It solves for corrections that need only a few digits, because the next correction removes their
/// error. So it runs in single precision, which halves the memory traffic, unless 1 - gamma is too
/// small.
/// Source: van der Vorst, "Bi-CGSTAB: a fast and smoothly converging variant of Bi-CG", SIAM J.
/// Sci. Stat. Comput. 1992.
#include "mdp/evaluate/krylov.h"
#include "base/base.h"
#include "mdp/interrupt.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double SINGLE_LEAST = 1e-4; ///< least 1 - gamma m for which single precision suffices

/// The scalars of a step.
typedef struct Step {
  CeliKrylov *k;
  const double *b;
  double *out;
  double scale, a, w, beta;
} Step;

static CelStatus vector(const CeliKrylov *krylov, void **out) {
  const size_t n = (size_t)krylov->op->padded;
  CELI_TRY(celi_alloc(out, n, krylov->kernels->size, "a Krylov vector"));
  memset(*out, 0, n * krylov->kernels->size);
  return CEL_OK;
}

CelStatus celi_krylov_create(CeliKrylov *krylov, CeliOperator *op) {
  const bool single = 1.0 - op->gamma * op->shape.mass_max >= SINGLE_LEAST;
  *krylov = (CeliKrylov){
      .op = op, .kernels = single ? op->kernels->krylov_single : op->kernels->krylov_double};
  const size_t bytes[] = {
      6 * (size_t)op->padded * krylov->kernels->size,
      single ? (size_t)(op->chunk[op->chunks].merged * CELI_WIDE) * sizeof(float) : 0};
  CELI_TRY(celi_operator_room(op, bytes, 2, "a Krylov method"));
  void **const vectors[] = {&krylov->x, &krylov->r, &krylov->shadow,
                            &krylov->p, &krylov->v, &krylov->t};
  for (int i = 0; i < 6; i++) CELI_TRY(vector(krylov, vectors[i]));
  if (!single) {
    krylov->values = op->value;
    return CEL_OK;
  }
  return celi_alloc(&krylov->values, (size_t)(op->chunk[op->chunks].merged * CELI_WIDE),
                    sizeof(float), "the values of P_pi in single precision");
}

void celi_krylov_destroy(CeliKrylov *krylov) {
  free(krylov->x), free(krylov->r), free(krylov->shadow);
  free(krylov->p), free(krylov->v), free(krylov->t);
  if (krylov->op && krylov->values != krylov->op->value) free(krylov->values);
  *krylov = (CeliKrylov){0};
}

// ---- the passes

/// Copies the values in single precision.
static void round_values(CeliOperator *op, void *args, int thread, int64_t begin, int64_t end,
                         double *sums) {
  (void)thread, (void)sums;
  float *restrict to = ((Step *)args)->k->values;
  const double *restrict from = op->value;
  const int64_t last = op->chunk[celi_chunk_of(end)].merged * CELI_WIDE;
  for (int64_t i = op->chunk[celi_chunk_of(begin)].merged * CELI_WIDE; i < last; i++)
    to[i] = (float)from[i];
}

static void start(CeliOperator *op, void *args, int thread, int64_t begin, int64_t end,
                  double *sums) {
  (void)op, (void)thread;
  const Step *step = args;
  const CeliKrylov *k = step->k;
  k->kernels->start(k->r, k->p, k->shadow, k->x, step->b, step->scale, begin, end, sums);
}

/// v = A p; (shadow, v).
static void apply_p(CeliOperator *op, void *args, int thread, int64_t begin, int64_t end,
                    double *sums) {
  (void)thread;
  const CeliKrylov *k = ((Step *)args)->k;
  k->kernels->apply(op, k->values, k->v, k->p, k->shadow, begin, end, sums);
}

/// r becomes s = r - a v.
static void make_s(CeliOperator *op, void *args, int thread, int64_t begin, int64_t end,
                   double *sums) {
  (void)op, (void)thread, (void)sums;
  const Step *step = args;
  step->k->kernels->subtract(step->k->r, step->k->v, step->a, begin, end);
}

/// t = A s; (s, t), (t, t).
static void apply_s(CeliOperator *op, void *args, int thread, int64_t begin, int64_t end,
                    double *sums) {
  (void)thread;
  const CeliKrylov *k = ((Step *)args)->k;
  k->kernels->apply(op, k->values, k->t, k->r, k->r, begin, end, sums);
}

/// x += a p + w s, r = s - w t; (shadow, r), (r, r).
static void move_on(CeliOperator *op, void *args, int thread, int64_t begin, int64_t end,
                    double *sums) {
  (void)op, (void)thread;
  const Step *step = args;
  const CeliKrylov *k = step->k;
  k->kernels->move(k->x, k->r, k->p, k->t, k->shadow, step->a, step->w, begin, end, sums);
}

/// p = r + beta (p - w v).
static void turn_p(CeliOperator *op, void *args, int thread, int64_t begin, int64_t end,
                   double *sums) {
  (void)op, (void)thread, (void)sums;
  const Step *step = args;
  const CeliKrylov *k = step->k;
  k->kernels->turn(k->p, k->r, k->v, step->beta, step->w, begin, end);
}

static void finish(CeliOperator *op, void *args, int thread, int64_t begin, int64_t end,
                   double *sums) {
  (void)op, (void)thread, (void)sums;
  const Step *step = args;
  step->k->kernels->finish(step->out, step->k->x, 1.0 / step->scale, begin, end);
}

/// The largest |b| of a block.
static void largest(CeliOperator *op, void *args, int thread, int64_t begin, int64_t end,
                    double *sums) {
  (void)thread, (void)sums;
  const double *b = ((Step *)args)->b;
  double most = 0.0;
  for (int64_t i = begin; i < end; i++) most = fmax(most, fabs(b[i]));
  op->found[begin / CELI_BLOCK].value_max = most;
}

// ---- the method

int64_t celi_krylov_solve(CeliKrylov *k, double *x, const double *b, double reduction, int64_t most,
                          double *left) {
  CeliOperator *op = k->op;
  const size_t bytes = (size_t)op->padded * k->kernels->size;
  double sums[CELI_SUMS];
  Step step = {.k = k, .b = b, .out = x, .scale = 1.0};
  // Scales by the largest |b|, because squares overflow and underflow early in single precision.
  celi_operator_blocks(op, largest, &step, sums);
  const double unit = celi_operator_found(op).value_max;
  if (unit > 0.0) step.scale = 1.0 / unit;
  if (k->values != op->value) celi_operator_blocks(op, round_values, &step, sums);
  celi_operator_blocks(op, start, &step, sums);
  const double first = sums[1], wanted = first * reduction * reduction;
  double now = first, rho = first;
  int64_t n = 0;
  while (n < most && now > wanted && !celi_interrupted() && !(k->stop && k->stop(k->user))) {
    celi_operator_blocks(op, apply_p, &step, sums);
    if (!(fabs(sums[0]) > 0.0)) break;
    step.a = rho / sums[0];
    celi_operator_blocks(op, make_s, &step, sums);
    celi_operator_blocks(op, apply_s, &step, sums);
    step.w = sums[1] > 0.0 ? sums[0] / sums[1] : 0.0; // s = 0, so x + a p is exact
    celi_operator_blocks(op, move_on, &step, sums);
    n++;
    now = sums[1];
    if (!isfinite(now)) break;
    if (fabs(sums[0]) < 1e-6 * sqrt(now * first) || step.w == 0.0) {
      memcpy(k->shadow, k->r, bytes);
      memcpy(k->p, k->r, bytes);
      rho = now;
      continue;
    }
    step.beta = sums[0] / rho * (step.a / step.w);
    rho = sums[0];
    celi_operator_blocks(op, turn_p, &step, sums);
  }
  celi_operator_blocks(op, finish, &step, sums);
  if (left) *left = first > 0.0 ? sqrt(now / first) : 0.0;
  return n;
}
