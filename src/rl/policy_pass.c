/// A policy on B rows. Contract: policy_pass.h.
///
/// The head is the network's output. With gSDE it is (mean, log sigma), and sigma comes from the
/// last hidden layer.
/// Source: [actor-critic, 4.24]
#include "rl/policy_pass.h"
#include "base/base.h"

#include <stdio.h>
#include <string.h>

CelStatus celi_policy_pass_declare(CeliPolicyPass *pass, CelTensors *tensors, const char *name,
                                   const CeliActor *actor, int64_t B, int shares) {
  char part[CEL_NAME_MAX];
  memset(pass, 0, sizeof *pass);
  pass->actor = actor;
  snprintf(part, sizeof part, "%s.net", name);
  CELI_TRY(celi_pass_declare(
      &pass->net, tensors, part, &actor->net,
      (CeliPassSpec){.B = B,
                     .backward = true,
                     .threads = actor->F ? 1 : shares})); // gSDE reads the last hidden layer
  snprintf(part, sizeof part, "%s.dist", name);
  CELI_TRY(celi_dist_declare_shared(&pass->dist, tensors, part, &actor->param, B, true));
  snprintf(part, sizeof part, "%s.sde", name);
  return actor->F ? celi_gsde_head_declare(&pass->sde, tensors, part, &actor->sde, B) : CEL_OK;
}

void celi_policy_pass_bind(CeliPolicyPass *pass) {
  pass->head = pass->actor->F ? pass->sde.head : celi_pass_output(&pass->net);
  pass->d_head = pass->actor->F ? pass->sde.d_head : celi_pass_d_output(&pass->net);
}

void celi_policy_pass_plan_log_prob(CeliPlan *plan, const CeliPolicyPass *pass,
                                    const void *actions) {
  const CeliActor *actor = pass->actor;
  celi_net_plan_forward(plan, &pass->net);
  if (actor->F)
    celi_gsde_plan_head(plan, &pass->sde, celi_pass_output(&pass->net), actor->A,
                        celi_pass_latent(&pass->net), actor->F);
  celi_dist_plan_log_prob(plan, &pass->dist, actions, celi_actor_lda(actor), pass->head, actor->H);
}

void celi_policy_pass_plan_backward_data(CeliPlan *plan, const CeliPolicyPass *pass,
                                         const float *d_entropy, const void *actions) {
  const CeliActor *actor = pass->actor;
  celi_dist_plan_log_prob_backward(plan, &pass->dist, pass->d_head, actor->H, pass->dist.d_logp,
                                   d_entropy, actions, celi_actor_lda(actor), pass->head, actor->H);
  if (actor->F)
    celi_gsde_plan_head_backward(plan, &pass->sde, celi_pass_d_output(&pass->net), actor->A);
  celi_net_plan_backward_data(plan, &pass->net, NULL, 0);
}

void celi_policy_pass_plan_backward_weight(CeliPlan *plan, const CeliPolicyPass *pass) {
  celi_net_plan_backward_weight(plan, &pass->net, &pass->actor->grad, false);
}

void celi_policy_pass_plan_backward_param(CeliPlan *plan, const CeliPolicyPass *pass) {
  celi_dist_plan_backward_param(plan, &pass->dist, true);
  if (pass->actor->F) celi_gsde_plan_head_param(plan, &pass->sde, true);
}
