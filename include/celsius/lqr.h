/// The linear-quadratic regulator at a temperature.
///
/// It is the continuous problem whose maximum-entropy solution has a closed form, so learners for
/// continuous actions are compared with it.
///
/// x' = A x + B u + w, w ~ N(0, noise^2 I); reward r = -(x'Q x + u'R u) (no 1/2); discount gamma.
/// The soft-optimal policy is u ~ N(-K x, Sigma), with the regulator's gain K and
/// Sigma = (alpha/2) (R + gamma B'PB)^-1.
#ifndef CELSIUS_LQR_H
#define CELSIUS_LQR_H
#include "celsius/status.h"
#include <stdint.h>
CEL_BEGIN

#define CEL_LQR_MAX 16 ///< largest state or action dimension

/// A problem. Matrices are row-major without padding.
typedef struct CelLqr {
  int n, m;                            ///< state and action dimension, 1 to CEL_LQR_MAX
  double A[CEL_LQR_MAX * CEL_LQR_MAX]; ///< (n, n)
  double B[CEL_LQR_MAX * CEL_LQR_MAX]; ///< (n, m)
  double Q[CEL_LQR_MAX * CEL_LQR_MAX]; ///< (n, n) symmetric, positive semidefinite
  double R[CEL_LQR_MAX * CEL_LQR_MAX]; ///< (m, m) symmetric, positive definite
  double noise;                        ///< standard deviation of w
} CelLqr;

typedef struct CelLqrSolution {
  double P[CEL_LQR_MAX * CEL_LQR_MAX];     ///< (n, n): V(x) = -x'P x + constant
  double K[CEL_LQR_MAX * CEL_LQR_MAX];     ///< (m, n): mean action -K x
  double Sigma[CEL_LQR_MAX * CEL_LQR_MAX]; ///< (m, m): covariance of the soft-optimal policy
  double constant;                         ///< of V, with the entropy, reward units
  double entropy;                          ///< of the policy, nats
  double residual;                         ///< sup-norm of the Riccati equation at P, relative
  int iterations;
} CelLqrSolution;

/// Solves the discounted Riccati equation by the doubling algorithm, then computes the soft policy.
/// gamma in [0, 1); alpha >= 0, reward units per nat. Allocates: no.
/// Source: [maximum-entropy, 8.25]
/// Errors: CEL_E_RANGE (n, m, gamma not in [0,1), alpha < 0, R not positive definite, Q not
/// positive semidefinite; not stabilizable, so no convergence).
CEL_API CelStatus cel_lqr_solve(const CelLqr *lqr, double gamma, double alpha,
                                CelLqrSolution *out) CEL_WARN_UNUSED;

struct CelEnvSpec;
/// Reads the problem of a spec of LQR-v0.
/// Errors: CEL_E_UNSUPPORTED (another environment).
CEL_API CelStatus cel_lqr_of_env(const struct CelEnvSpec *spec, CelLqr *out) CEL_WARN_UNUSED;

CEL_END
#endif
