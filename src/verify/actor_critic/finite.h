/// A small problem over a few steps, and the gradient of its return. Rows of the note actor-critic
/// share it.
#ifndef CELI_VERIFY_FINITE_H
#define CELI_VERIFY_FINITE_H
#include "verify/verify.h"

enum { CELI_FINITE_STEPS = 4 }; ///< T + 1, t = 0..T

extern const CeliDraw celi_tiny; ///< small enough for sums over trajectories
/// The same, but every transition has positive probability, nothing ends, and gamma is .5 or .9.
extern const CeliDraw celi_tiny_endless;

/// A problem, its logits, and the library's numbers for CELI_FINITE_STEPS steps of their policy.
typedef struct CeliFinite {
  CeliProblem m;
  double *theta, *pi;
  double *p;     ///< (CELI_FINITE_STEPS + 1, S)
  double *V, *Q; ///< (CELI_FINITE_STEPS, S), (CELI_FINITE_STEPS, n)
} CeliFinite;
CelStatus celi_finite_draw(CeliTrial *trial, const CeliDraw *draw, CeliFinite *f) CEL_WARN_UNUSED;
/// Replaces the library's Q_t by A_t = Q_t - V_t.
void celi_finite_advantages(CeliFinite *f);

/// J as a function of the logits.
typedef struct CeliOfLogits {
  CeliTrial *trial;
  const CeliProblem *m;
  double alpha;
  int steps; ///< 0: infinite horizon
} CeliOfLogits;
CeliComplex celi_return_of_logits(const void *user, const CeliComplex *theta);
/// dJ/dtheta (n) over CELI_FINITE_STEPS steps by complex steps.
double *celi_finite_gradient(CeliTrial *trial, const CeliFinite *f);
/// out (n) = sum_t w_t E_{p_t, pi}[grad log pi f_t], with w_t = gamma^t or 1. f, named `of`, is
/// (CELI_FINITE_STEPS, n), or (n) for all t.
double *celi_finite_score(CeliTrial *trial, const CeliFinite *f, const double *of, bool timed,
                          bool discounted);

/// The settings of a sum over trajectories of grad log pi times a weight.
typedef struct CeliScores {
  const CeliProblem *m;
  const double *pi, *A; ///< A (STEPS, n); NULL: the reward to go
  bool discounted, reward_to_go_discounted;
  double *sum; ///< (n)
} CeliScores;
/// Adds `times` the sum over t of weight_t grad log pi(u_t|x_t) of one trajectory to out (n).
void celi_finite_add_scores(const CeliScores *score, const CeliTrajectory *tau, double times,
                            double *out);
/// out (n) = E over all trajectories of sum_t [gamma^t] grad log pi (reward to go, or A_t).
double *celi_finite_enumerated(CeliTrial *trial, const CeliFinite *f, const double *A,
                               bool discounted, bool reward_to_go_discounted);

#endif
