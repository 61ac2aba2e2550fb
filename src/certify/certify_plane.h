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
/// else from the draws.
CelStatus celi_plane_policy_draw(const CeliPlanePolicy *policy, const double s[2], int64_t draw,
                                 int64_t n, double *action, double *entropy) CEL_WARN_UNUSED;
/// Mean (2,), covariance (2, 2) and entropy of the exact policy at s by quadrature; alpha = 0: its best action.
void celi_plane_exact_moments(const CelMultigoalSolution *exact, const double s[2], double mean[2],
                              double covariance[4], double *entropy);
/// KL(learned, exact) at s from draws (n, 2) of the learned policy and its entropy; alpha > 0. `scratch` (n,).
double celi_plane_divergence(const CelMultigoalSolution *exact, const double s[2],
                             const double *action, int64_t n, double entropy, double *scratch);
/// The three places of the certificate, and measures of them.
CelStatus celi_plane_places(CelCertificate *out, const CeliPlanePolicy *policy) CEL_WARN_UNUSED;

#endif
