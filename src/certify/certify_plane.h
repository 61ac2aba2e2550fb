/// Certificates on the multi-goal plane: what the files share.
#ifndef CELI_CERTIFY_PLANE_H
#define CELI_CERTIFY_PLANE_H
#include "certify/certify.h"

/// The learned policy on the plane.
typedef struct CeliPlanePolicy {
  CelAgent *agent;
  uint64_t seed;
  bool gaussian; ///< a squashed Gaussian, whose density is known
  bool has_q, has_v;
} CeliPlanePolicy;

/// Finds out what the agent can do. Errors: those of its calls; CEL_E_UNSUPPORTED (an unbounded
/// Gaussian with alpha > 0).
CelStatus celi_plane_policy_find(CeliPlanePolicy *policy, CelAgent *agent, uint64_t seed,
                                 double alpha) CEL_WARN_UNUSED;
/// Draws n actions (n, 2) at state s. draw: index of the random stream. *entropy: of the policy at
/// s in nats, from its density if it is known, else estimated from the draws. each (n,) or NULL:
/// terms of the draws whose mean is the entropy.
CelStatus celi_plane_policy_draw(const CeliPlanePolicy *policy, const double s[2], int64_t draw,
                                 int64_t n, double *action, double *entropy,
                                 double *each) CEL_WARN_UNUSED;
/// Mean (2,), covariance (2, 2) and entropy of the exact policy at s, by quadrature. alpha = 0:
/// mean is the best action.
void celi_plane_exact_moments(const CelMultigoalSolution *exact, const double s[2], double mean[2],
                              double covariance[4], double *entropy);
/// KL(learned, exact) at s from n actions (n, 2) of the learned policy and the terms (n,) of its
/// entropy. alpha > 0. *error (error may be NULL): the standard error of the mean. scratch (n,).
double celi_plane_divergence(const CelMultigoalSolution *exact, const double s[2],
                             const double *action, int64_t n, const double *each, double *scratch,
                             double *error);
/// KL(learned, exact) of a squashed Gaussian by quadrature with side^2 points. mean (2,), sd (2,):
/// before tanh. alpha > 0. *entropy: after tanh, in nats. Errors: CEL_E_MEMORY.
CelStatus celi_plane_divergence_gaussian(const CelMultigoalSolution *exact, const double s[2],
                                         const double mean[2], const double sd[2], int64_t side,
                                         double *entropy, double *kl) CEL_WARN_UNUSED;
/// Fills in the three states of the certificate and their measures.
CelStatus celi_plane_places(CelCertificate *out, const CeliPlanePolicy *policy) CEL_WARN_UNUSED;

#endif
