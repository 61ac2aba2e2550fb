/// A few steps of a small problem, and the gradient of their return: what the rows of the note actor-critic share.
#ifndef CELI_VERIFY_FINITE_H
#define CELI_VERIFY_FINITE_H
#include "verify/verify.h"

enum { CELI_FINITE_STEPS = 4 }; ///< T + 1, t = 0..T

extern const CeliDraw celi_tiny; ///< small enough for sums over trajectories
/// The same where everything has a probability, nothing ends, and gamma is .5 or .9.
extern const CeliDraw celi_tiny_endless;

/// A problem, its logits and what the library says of CELI_FINITE_STEPS steps of their policy.
typedef struct CeliFinite {
  CeliProblem m;
  double *theta, *pi;
  double *p;     ///< (CELI_FINITE_STEPS + 1, S)
  double *V, *Q; ///< (CELI_FINITE_STEPS, S), (CELI_FINITE_STEPS, n)
} CeliFinite;
CelStatus celi_finite_draw(CeliTrial *trial, const CeliDraw *draw, CeliFinite *f) CEL_WARN_UNUSED;
/// A_t = Q_t - V_t of the library in place of its Q_t.
void celi_finite_advantages(CeliFinite *f);

/// J as a function of the logits.
typedef struct CeliOfLogits {
  CeliTrial *trial;
  const CeliProblem *m;
  double alpha;
  int steps; ///< 0: for ever
} CeliOfLogits;
CeliComplex celi_return_of_logits(const void *user, const CeliComplex *theta);
/// dJ/dtheta (n) over CELI_FINITE_STEPS steps by complex steps.
double *celi_finite_gradient(CeliTrial *trial, const CeliFinite *f);
/// (n) = sum_t w_t E_{p_t, pi}[grad log pi f_t], w_t = gamma^t or 1; of (CELI_FINITE_STEPS, n), or (n) for all t.
double *celi_finite_score(CeliTrial *trial, const CeliFinite *f, const double *of, bool timed,
                          bool discounted);

/// What a sum over trajectories of grad log pi times a weight needs.
typedef struct CeliScores {
  const CeliProblem *m;
  const double *pi, *A; ///< A (STEPS, n), or NULL: the reward to go
  bool discounted, reward_to_go_discounted;
  double *sum; ///< (n)
} CeliScores;
/// sum over t of weight_t grad log pi(u_t|x_t) of one trajectory, added to out (n) `times`.
void celi_finite_add_scores(const CeliScores *score, const CeliTrajectory *tau, double times,
                            double *out);
/// (n) E over all trajectories of sum_t [gamma^t] grad log pi (reward to go, or A_t).
double *celi_finite_enumerated(CeliTrial *trial, const CeliFinite *f, const double *A,
                               bool discounted, bool reward_to_go_discounted);

#endif
