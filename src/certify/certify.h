/// What the files of certificates share: adding measures, densities and draws of a learned policy.
#ifndef CELI_CERTIFY_H
#define CELI_CERTIFY_H
#include "base/base.h"
#include "celsius/certify.h"

// ---- certify.c

/// Adds a measure; NAN: a number that it does not have.
void celi_measure(CelCertificate *certificate, const char *name, const char *label, double exact,
                  double learned, double off, double error);
/// Adds a measure without numbers, and why it has none.
void celi_measure_absent(CelCertificate *certificate, const char *name, const char *label,
                         const char *why);
/// A note on the last measure.
void celi_measure_note(CelCertificate *certificate, const char *format, ...) CEL_PRINTF(2, 3);

// ---- certify_mdp.c, certify_lqr.c, certify_plane.c: alpha and gamma of the certificate are set.

CelStatus celi_certify_mdp(CelCertificate *certificate, CelAgent *agent, const CelEnvSpec *spec,
                           const CelCertifyOptions *options) CEL_WARN_UNUSED;
CelStatus celi_certify_lqr(CelCertificate *certificate, CelAgent *agent, const CelEnvSpec *spec,
                           const CelCertifyOptions *options) CEL_WARN_UNUSED;
CelStatus celi_certify_plane(CelCertificate *certificate, CelAgent *agent, const CelEnvSpec *spec,
                             const CelCertifyOptions *options) CEL_WARN_UNUSED;
void celi_certified_mdp_destroy(CelCertifiedMdp *certified);

// ---- certify_rollout.c: many episodes of a learned policy at once

/// Episodes of one policy, side by side, without the time limit; the random streams are the evaluation's own.
typedef struct CeliRollouts {
  CelEnvSpec spec; ///< a copy, without its limit
  CelTensors *tensors;
  CelVecEnv env;
  int64_t t, running; ///< steps taken; episodes that go on
  uint8_t *done;      ///< (N,) not 0: over; the caller turns 2, over in the last step, into 1
} CeliRollouts;
CelStatus celi_rollouts_open(CeliRollouts *rollouts, const CelEnvSpec *spec, int64_t N,
                             uint64_t seed) CEL_WARN_UNUSED;
/// One step of those that go on, with actions (N rows).
CelStatus celi_rollouts_step(CeliRollouts *rollouts, const void *actions) CEL_WARN_UNUSED;
void celi_rollouts_close(CeliRollouts *rollouts);
/// Steps after which gamma^t is below 1e-4, at most 20000.
int64_t celi_rollouts_length(double gamma);
/// Of episodes that have no end. Errors: CEL_E_RANGE (gamma^t is not below 1e-4 after 20000 steps: sums would be cut).
CelStatus celi_rollouts_check(double gamma) CEL_WARN_UNUSED;

// ---- certify_density.c

/// Entropy in nats of the density that x (n, d) were drawn from, by the distances to k-th neighbours, k <= 16; distances
/// below `resolution` count as that. each (n,), or NULL: terms whose mean is the entropy.
/// Source: Kozachenko, Leonenko, "Sample estimate of the entropy of a random vector", 1987.
double celi_entropy_of_draws(const double *x, int64_t n, int d, int k, double resolution,
                             double *each);
/// Mean (d,) and covariance (d, d) of x (n, d).
void celi_moments(const double *x, int64_t n, int d, double *mean, double *covariance);

#endif
