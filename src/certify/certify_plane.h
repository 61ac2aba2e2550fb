/// What the files of the plane's certificate share: a policy to draw from, and what is known of it at a state.
#ifndef CELI_CERTIFY_PLANE_H
#define CELI_CERTIFY_PLANE_H
#include "certify/certify.h"

/// The learned policy on the plane.
typedef struct CeliPlanePolicy {
  CelAgent *agent;
  uint64_t seed;
  bool gaussian; ///< its density is known: a squashed Gaussian's
  bool has_q, has_v;
} CeliPlanePolicy;

/// Finds out what the agent is. Errors: those of its calls; CEL_E_UNSUPPORTED (a Gaussian without bounds, alpha > 0).
CelStatus celi_plane_policy_find(CeliPlanePolicy *policy, CelAgent *agent, uint64_t seed,
                                 double alpha) CEL_WARN_UNUSED;
/// n actions (n, 2) at place s, draw number `draw`; *entropy: of the policy there in nats, by its density where it is known,
/// else from the draws. each (n,), or NULL: terms of the draws whose mean is the entropy.
CelStatus celi_plane_policy_draw(const CeliPlanePolicy *policy, const double s[2], int64_t draw,
                                 int64_t n, double *action, double *entropy,
                                 double *each) CEL_WARN_UNUSED;
/// Mean (2,), covariance (2, 2) and entropy of the exact policy at s by quadrature; alpha = 0: its best action.
void celi_plane_exact_moments(const CelMultigoalSolution *exact, const double s[2], double mean[2],
                              double covariance[4], double *entropy);
/// KL(learned, exact) at s from draws (n, 2) of the learned policy and the terms (n,) of its entropy; alpha > 0.
/// *error, where it is not NULL: the standard error of the mean over the draws. `scratch` (n,).
double celi_plane_divergence(const CelMultigoalSolution *exact, const double s[2],
                             const double *action, int64_t n, const double *each, double *scratch,
                             double *error);
/// The same for a squashed Gaussian, mean (2,) and sd (2,) before tanh, by quadrature with `side`^2 points; alpha > 0.
/// *entropy: of the Gaussian after tanh, nats. Errors: CEL_E_MEMORY.
CelStatus celi_plane_divergence_gaussian(const CelMultigoalSolution *exact, const double s[2],
                                         const double mean[2], const double sd[2], int64_t side,
                                         double *entropy, double *kl) CEL_WARN_UNUSED;
/// The three places of the certificate, and measures of them.
CelStatus celi_plane_places(CelCertificate *out, const CeliPlanePolicy *policy) CEL_WARN_UNUSED;

#endif
