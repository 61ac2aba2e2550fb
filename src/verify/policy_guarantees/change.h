/// A policy and its successor: what the rows of the note policy-guarantees share.
///
/// pi is the old policy, pi' (`next`) the new one; A the advantage of pi; L = sum_t gamma^t E_{p_t} E_{pi'}[A] the
/// surrogate; eps the largest total variation between them, C = max over s of |E_{pi'}[A]|.
#ifndef CELI_VERIFY_CHANGE_H
#define CELI_VERIFY_CHANGE_H
#include "verify/verify.h"

extern const CeliDraw celi_change_any;
extern const CeliDraw celi_change_endless; ///< everything has a probability, and nothing ends

typedef struct CeliChange {
  CeliProblem m;
  double *theta, *pi, *next;
  double *V, *Q, *A; ///< of pi, hard, by the library
  double *p;         ///< (T + 1, S) of pi by the library, T steps; gamma^T below rounding
  double *p_next;    ///< of next
  int T;
  double gain;      ///< J' - J by two evaluations
  double surrogate; ///< L
  double eps, C;
} CeliChange;

/// Fills in what follows from m, pi and next.
CelStatus celi_change_evaluate(CeliTrial *trial, CeliChange *c) CEL_WARN_UNUSED;
/// `how_far`: pi' = softmax(theta + how_far * noise); negative: a policy of its own.
CelStatus celi_change_draw(CeliTrial *trial, const CeliDraw *draw, double how_far,
                           CeliChange *c) CEL_WARN_UNUSED;
/// Size of what a change is measured in.
double celi_change_scale(const CeliChange *c);

/// State 0 stays under a0 and moves to the absorbing state 1 under a1; pi takes a0, pi' takes a1 with probability eps.
CelStatus celi_change_tight(CeliTrial *trial, double r_leave, double r_there, double eps,
                            double gamma, CeliChange *c) CEL_WARN_UNUSED;
/// The one on which the lower bound is an equality: C = 1, eps and gamma of the trial's.
CelStatus celi_change_draw_tight(CeliTrial *trial, CeliChange *c) CEL_WARN_UNUSED;
/// The same at gamma = .9 and an eps of 1e-4, where the bound in eps alone is an equality too, but for a thousandth.
CelStatus celi_change_draw_small(CeliTrial *trial, CeliChange *c) CEL_WARN_UNUSED;
/// pi is paid r a step for ever and pi' -r: C = 2 r/(1-gamma).
CelStatus celi_change_draw_opposite(CeliTrial *trial, CeliChange *c) CEL_WARN_UNUSED;

#endif
