/// A policy on B rows of a batch, in a plan: samples, log-probs, entropies, and the backward passes
/// to the gradients of its parameters.
#ifndef CELI_POLICY_PASS_H
#define CELI_POLICY_PASS_H
#include "rl/policy.h"

/// What a learner asks of the policy on a batch.
typedef enum CeliPolicyUse {
  CELI_POLICY_SAMPLES,      ///< draws actions; reparameterized gradient through them
  CELI_POLICY_GIVEN,        ///< log-probs and entropies of given actions
  CELI_POLICY_PROBABILITIES ///< categorical: the probabilities of all actions
} CeliPolicyUse;

/// Plans keep its address.
typedef struct CeliPolicyPass {
  const CeliPolicy *policy;
  CeliPass net; ///< X and ldx are set by the caller
  /// Without gSDE's samples: logp and entropy (B,); d_logp (B,) is set by the caller. The entropy
  /// of a squashed policy has no closed form; with given actions it is estimated by -logp.
  CeliDist dist;
  CeliGsde sde;         ///< gSDE, samples
  CeliGsdeHead given;   ///< gSDE, given actions
  float *head, *d_head; ///< (B,H) what the distribution reads, and its gradient
  float *log_pi, *pi;   ///< (B,A) probabilities
  float *mean_log;      ///< (B,) E_pi[log pi], the negative entropy
} CeliPolicyPass;

/// Declares "pass.NAME.*", "dist.NAME.*" and "gsde.NAME.*" for a team of `threads` threads. Passes
/// with `backward` normalize by the batch where a layer does that, others as acting does.
/// Errors: as cel_tensors_declare.
CelStatus celi_policy_pass_declare(CeliPolicyPass *pass, CelTensors *tensors, const char *name,
                                   const CeliPolicy *policy, CeliPolicyUse use, int64_t B,
                                   bool backward, int threads) CEL_WARN_UNUSED;
/// After the allocation.
void celi_policy_pass_bind(CeliPolicyPass *pass, const float *X, ptrdiff_t ldx);

/// (B,) log pi of the sampled actions, and its gradient, which the caller sets before the backward
/// pass.
static inline float *celi_policy_logp(const CeliPolicyPass *pass) {
  return pass->policy->F ? pass->sde.logp : pass->dist.logp;
}
static inline float *celi_policy_d_logp(const CeliPolicyPass *pass) {
  return pass->policy->F ? pass->sde.d_logp : pass->dist.d_logp;
}

// ---- CELI_POLICY_SAMPLES
/// action (B,A) lda and logp: a sample with noise of stream (seed, CEL_RNG_NOISE, index) from block
/// *counter. A deterministic policy has tanh of its head, without noise and logp.
void celi_policy_plan_sample(CeliPlan *plan, const CeliPolicyPass *pass, float *action,
                             ptrdiff_t lda, uint32_t index, const uint64_t *counter);
/// From d_action (B,A), d_logp and the sampled action (B,A) lda down the network.
void celi_policy_plan_sample_backward(CeliPlan *plan, const CeliPolicyPass *pass,
                                      const float *d_action, const float *action, ptrdiff_t lda);

// ---- CELI_POLICY_GIVEN; actions (B rows)
void celi_policy_plan_log_prob(CeliPlan *plan, const CeliPolicyPass *pass, const void *actions);
/// From dist.d_logp and d_entropy (B,), or NULL, down to the network's first layer.
void celi_policy_plan_log_prob_backward(CeliPlan *plan, const CeliPolicyPass *pass,
                                        const float *d_entropy, const void *actions);

// ---- CELI_POLICY_PROBABILITIES
/// log_pi, pi and mean_log. Source: [maximum-entropy, 8.5]
void celi_policy_plan_probabilities(CeliPlan *plan, const CeliPolicyPass *pass);

// ---- gradients of parameters
/// The network's weights.
void celi_policy_plan_backward_weight(CeliPlan *plan, const CeliPolicyPass *pass);
/// log_std of given actions, where it is a parameter.
void celi_policy_plan_backward_param(CeliPlan *plan, const CeliPolicyPass *pass);

#endif
