/// An old and a new policy. Rows of the note policy-guarantees share it.
///
/// pi is the old policy, pi' (`next`) the new one. A is the advantage of pi, and L = sum_t gamma^t
/// E_{p_t} E_{pi'}[A] the surrogate. eps is the largest total variation between them, C = max over
/// s of |E_{pi'}[A]|.
#ifndef CELI_VERIFY_CHANGE_H
#define CELI_VERIFY_CHANGE_H
#include "verify/verify.h"

extern const CeliDraw celi_change_any;
extern const CeliDraw
    celi_change_endless; ///< every transition has positive probability, and nothing ends

typedef struct CeliChange {
  CeliProblem m;
  double *theta, *pi, *next;
  double *V, *Q, *A; ///< of pi at alpha = 0, by the library
  double *p;         ///< (T + 1, S) of pi by the library, for T steps; gamma^T is below rounding
  double *p_next;    ///< of next
  int T;
  double gain;      ///< J' - J by two evaluations of the library
  double surrogate; ///< L
  double eps, C;
} CeliChange;

/// Computes all other fields from m, pi and next.
CelStatus celi_change_evaluate(CeliTrial *trial, CeliChange *c) CEL_WARN_UNUSED;
/// Draws a problem and two policies: pi' = softmax(theta + how_far * noise); for a negative how_far
/// an unrelated policy.
CelStatus celi_change_draw(CeliTrial *trial, const CeliDraw *draw, double how_far,
                           CeliChange *c) CEL_WARN_UNUSED;
/// The scale of values of the problem, for tolerances.
double celi_change_scale(const CeliChange *c);

/// A problem with two states. In state 0, a0 stays and a1 moves to the absorbing state 1. pi takes
/// a0; pi' takes a1 with probability eps.
CelStatus celi_change_tight(CeliTrial *trial, double r_leave, double r_there, double eps,
                            double gamma, CeliChange *c) CEL_WARN_UNUSED;
/// The two-state problem on which the lower bound is an equality: C = 1, random eps and gamma.
CelStatus celi_change_draw_tight(CeliTrial *trial, CeliChange *c) CEL_WARN_UNUSED;
/// The same with gamma = .9 and eps = 1e-4. There the linearized bound is an equality too, up to a
/// thousandth.
CelStatus celi_change_draw_small(CeliTrial *trial, CeliChange *c) CEL_WARN_UNUSED;
/// pi is paid r in each step, pi' is paid -r: C = 2 r/(1-gamma).
CelStatus celi_change_draw_opposite(CeliTrial *trial, CeliChange *c) CEL_WARN_UNUSED;

#endif
