/// A policy on B rows of a rollout: log-probs and entropies of given actions, and the backward pass
/// to the gradients of its parameters.
#ifndef CELI_POLICY_PASS_H
#define CELI_POLICY_PASS_H
#include "rl/actor.h"

/// Plans keep its address.
typedef struct CeliPolicyPass {
  const CeliActor *actor;
  CeliPass net;         ///< X and ldx are set by the caller
  CeliGsdeHead sde;     ///< with gSDE
  CeliDist dist;        ///< logp and entropy (B,); d_logp (B,) is set by the caller
  float *head, *d_head; ///< (B,H) what the distribution reads, and its gradient
} CeliPolicyPass;

/// Declares "NAME.*" for a team of `shares` threads. Errors: as cel_tensors_declare.
CelStatus celi_policy_pass_declare(CeliPolicyPass *pass, CelTensors *tensors, const char *name,
                                   const CeliActor *actor, int64_t B, int shares) CEL_WARN_UNUSED;
/// After the allocation.
void celi_policy_pass_bind(CeliPolicyPass *pass);

// ---- into a plan; actions (B rows).
void celi_policy_pass_plan_log_prob(CeliPlan *plan, const CeliPolicyPass *pass,
                                    const void *actions);
/// From dist.d_logp and d_entropy (B,), or NULL, down to the network's first layer.
void celi_policy_pass_plan_backward_data(CeliPlan *plan, const CeliPolicyPass *pass,
                                         const float *d_entropy, const void *actions);
/// The network's weights: a stage of its own.
void celi_policy_pass_plan_backward_weight(CeliPlan *plan, const CeliPolicyPass *pass);
/// log_std, where it is a parameter; joins the stage of the operation before.
void celi_policy_pass_plan_backward_param(CeliPlan *plan, const CeliPolicyPass *pass);

#endif
