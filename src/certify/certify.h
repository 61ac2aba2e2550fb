/// What the files of certificates share: the kinds of problem, measures, rollouts, densities.
#ifndef CELI_CERTIFY_H
#define CELI_CERTIFY_H
#include "base/base.h"
#include "celsius/certify.h"

// ---- certify_problem.c

/// Finds the kind of problem that an environment is. Errors: CEL_E_UNSUPPORTED (no exact solution).
CelStatus celi_certify_problem(const CelEnvSpec *spec, CelCertifyProblem *problem) CEL_WARN_UNUSED;

// ---- certify_measure.c

/// Adds a measure. NAN stands for a number that the measure does not have.
void celi_measure(CelCertificate *certificate, const char *name, const char *label, double exact,
                  double learned, double off, double error);
/// Adds a measure without numbers. why: the reason, as its note.
void celi_measure_absent(CelCertificate *certificate, const char *name, const char *label,
                         const char *why);
/// Sets the note of the last measure, in printf form.
void celi_measure_note(CelCertificate *certificate, const char *format, ...) CEL_PRINTF(2, 3);

// ---- certify_mdp.c, certify_lqr.c, certify_plane.c

/// Each fills in a certificate whose alpha and gamma are set.

CelStatus celi_certify_mdp(CelCertificate *certificate, CelAgent *agent, const CelEnvSpec *spec,
                           const CelCertifyOptions *options) CEL_WARN_UNUSED;
CelStatus celi_certify_lqr(CelCertificate *certificate, CelAgent *agent, const CelEnvSpec *spec,
                           const CelCertifyOptions *options) CEL_WARN_UNUSED;
CelStatus celi_certify_plane(CelCertificate *certificate, CelAgent *agent, const CelEnvSpec *spec,
                             const CelCertifyOptions *options) CEL_WARN_UNUSED;
/// All take NULL.
void celi_certified_mdp_destroy(CelCertifiedMdp *certified);
void celi_certified_lqr_destroy(CelCertifiedLqr *lqr);
void celi_certified_plane_destroy(CelCertifiedPlane *plane);

// ---- certify_rollout.c

/// A batch of episodes of one policy without the time limit. Random streams are those of an
/// evaluation.
typedef struct CeliRollouts {
  CelEnvSpec spec; ///< a copy without its time limit
  CelTensors *tensors;
  CelVecEnv env;
  int64_t t, running; ///< steps taken; episodes still running
  uint8_t *done; ///< (N,) 0: running; 2: ended in the last step; 1: ended before. The caller sets 1
} CeliRollouts;
CelStatus celi_rollouts_open(CeliRollouts *rollouts, const CelEnvSpec *spec, int64_t N,
                             uint64_t seed) CEL_WARN_UNUSED;
/// Takes one step of the running episodes. actions: (N rows).
CelStatus celi_rollouts_step(CeliRollouts *rollouts, const void *actions) CEL_WARN_UNUSED;
void celi_rollouts_close(CeliRollouts *rollouts);
/// The number of steps t after which gamma^t is below 1e-4, at most 20000.
int64_t celi_rollouts_length(double gamma);
/// Checks the discount of episodes without end. Errors: CEL_E_RANGE (gamma^t is still above 1e-4
/// after 20000 steps, so that truncated sums would be wrong).
CelStatus celi_rollouts_check(double gamma) CEL_WARN_UNUSED;

// ---- certify_density.c

/// Entropy in nats of the density from which x (n, d) was drawn, estimated from the distances to
/// k-th nearest neighbors, k <= 16. Distances below `resolution` count as `resolution`. each (n,)
/// or NULL: terms whose mean is the entropy.
/// Source: Kozachenko, Leonenko, "Sample estimate of the entropy of a random vector", 1987.
double celi_entropy_of_draws(const double *x, int64_t n, int d, int k, double resolution,
                             double *each);
/// Writes mean (d,) and covariance (d, d) of x (n, d).
void celi_moments(const double *x, int64_t n, int d, double *mean, double *covariance);

#endif
