/// Directional derivatives of a network's output, and Fisher matrices of distributions.
///
/// For a direction v of the parameters, T = dY/dtheta v on the rows of a pass (forward mode). The
/// second derivative of mean KL(pi_theta, pi_theta') at theta' = theta is F = mean over rows of
/// J^T M J. J is the derivative of the distribution's parameters (the head), and M is their Fisher
/// matrix. So F v is a tangent, a product with M, and a backward pass.
/// Source: [policy-guarantees, surrogate]; Schulman et al., "Trust region policy optimization",
/// 2015, appendix C.
#ifndef CELI_TANGENT_H
#define CELI_TANGENT_H
#include "nn/dist.h"
#include "nn/net.h"

/// Of a pass with one member and one thread's layout. Plans keep its address.
typedef struct CeliTangent {
  const CeliPass *pass;
  const float
      *param[CELI_NODES_MAX][CELI_LAYER_PARAMS]; ///< the direction, shaped as the parameters
  float *t[CELI_NODES_MAX];                      ///< (B, out)
  int64_t widest;
  float *scratch; ///< (B, widest)
} CeliTangent;

/// Errors: as cel_tensors_declare; CEL_E_UNSUPPORTED (a kind of layer without a tangent).
CelStatus celi_tangent_declare(CeliTangent *tangent, CelTensors *tensors, const char *name,
                               const CeliPass *pass) CEL_WARN_UNUSED;
/// The tangent at what the pass has computed. `direction` is laid out as the network's parameters
/// are in memory, from their first on.
void celi_net_plan_tangent(CeliPlan *plan, CeliTangent *tangent, const float *direction);
/// (B, out) the tangent of the network's output.
static inline float *celi_tangent_output(const CeliTangent *tangent) {
  return tangent->t[tangent->pass->net->n - 1];
}

/// out (B, head) = scale M t for rows [begin, end), from what celi_dist_plan_log_prob computed. Not
/// for the squashed Gaussian. A free log_std is not part of the head; its entry of M is 2.
void celi_dist_fisher_rows(const CeliDist *dist, float *out, ptrdiff_t ldo, const float *t,
                           ptrdiff_t ldt, float scale, int64_t begin, int64_t end);
/// kl (B,) = KL(old, new) for rows [begin, end), from the heads (B, head) ldh of both, and from
/// log_std (A,) if it is free. Not for the squashed Gaussian.
void celi_dist_kl_rows(const CeliDistSpec *spec, float *kl, const float *old_head,
                       const float *old_log_std, const float *new_head, const float *new_log_std,
                       ptrdiff_t ldh, int64_t begin, int64_t end);

#endif
