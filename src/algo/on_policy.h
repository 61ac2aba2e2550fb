/// Parts of learners from rollouts: policy, values, normalizer, rollout, and functions on them.
///
/// An algorithm's state begins with a CeliOnPolicy, so that its table can contain these functions.
/// The algorithm itself defines how it learns.
#ifndef CELI_ON_POLICY_H
#define CELI_ON_POLICY_H
#include "algo/algo.h"
#include "algo/collect.h"
#include "celsius/on_policy.h"
#include "nn/net.h"
#include "nn/optim.h"
#include "rl/normalizer.h"
#include "rl/policy_pass.h"
#include "rl/rollout.h"

typedef struct CeliOnPolicy {
  CelAgent *agent;
  int64_t rows; ///< rows of a rollout, T N
  CeliPolicy policy;
  CeliNet critic; ///< V; not declared if there are no values
  CeliNetGrad critic_grad;
  CeliNormalizer norm;
  CeliRollout rollout;
  CeliCollector collector;
} CeliOnPolicy;

/// Checks the spaces. Declares the networks (the actor's parameters, then the critic's, in one
/// run), the acting buffers and the rollout. `critic`: there are values. The agent's state must
/// begin with `self`.
/// Errors: CEL_E_UNSUPPORTED, CEL_E_RANGE, and as cel_tensors_declare.
CelStatus celi_on_policy_declare(CeliOnPolicy *self, CelAgent *agent,
                                 const CelOnPolicyConfig *config, bool critic) CEL_WARN_UNUSED;
/// Call it after the allocation.
void celi_on_policy_init(CeliOnPolicy *self);
/// Name of the last parameter of the run that begins with "actor.0.weight".
void celi_on_policy_last_parameter(const CeliOnPolicy *self, char name[CEL_NAME_MAX]);
/// Errors: CEL_E_STATE (no update is due).
CelStatus celi_on_policy_ready(const CelAgent *agent, int64_t n) CEL_WARN_UNUSED;
void celi_on_policy_release(CeliOnPolicy *self);
/// Normalized observations of the rollout, (rows, O): x, which the plan writes, or the stored ones
/// if there is no normalization.
const float *celi_on_policy_plan_obs(CeliPlan *plan, CeliOnPolicy *self, float *x);
/// Adam with the learning rate and betas of `config`, and the learner's own epsilon and clipping.
CeliAdamConfig celi_on_policy_adam(const CelOnPolicyConfig *config, double epsilon,
                                   double max_grad_norm);

/// Binds an optimizer for the policy and one for the values. The values have their own learning
/// rate. Without values, `critic` is not touched.
CelStatus celi_on_policy_bind_steps(const CeliOnPolicy *self, CeliAdam *actor, CeliAdam *critic,
                                    CeliAdamConfig config,
                                    const CelSchedule *critic_rate) CEL_WARN_UNUSED;

// ---- policy and values on a whole rollout, for learners that use it in one batch.

/// Rows of the rollout, time-major. Plans keep its address.
typedef struct CeliRolloutPass {
  CeliOnPolicy *on;
  CeliPolicyPass pi;
  CeliPass v;              ///< if there are values
  float *x;                ///< (rows, O) normalized observations
  float *d_entropy;        ///< (rows,) set by the learner
  float *pi_loss, *v_loss; ///< (rows,) for the log
  int slot[6];             ///< slots in the metrics
} CeliRolloutPass;

CelStatus celi_rollout_pass_declare(CeliRolloutPass *pass, CeliOnPolicy *on) CEL_WARN_UNUSED;
/// Call it after the allocation. Metrics: the two losses under these names, entropy, explained
/// variance, learning rate, sigma.
void celi_rollout_pass_bind(CeliRolloutPass *pass, const char *policy_loss, const char *value_loss);
/// Appends the observations and the log-probs of the actions.
void celi_rollout_pass_plan_log_prob(CeliPlan *plan, CeliRolloutPass *pass);
/// Appends the backward pass of the policy, from pi.dist.d_logp and d_entropy.
void celi_rollout_pass_plan_backward(CeliPlan *plan, const CeliRolloutPass *pass);
/// Appends a learner's losses on rows of the rollout. `args` of the operation points to `self`.
/// Policy: from advantage and logp to d_logp, d_entropy and pi_loss. Values: from the output of v
/// and the returns to the output's gradient and v_loss.
void celi_rollout_pass_plan_policy_loss(CeliPlan *plan, const CeliRolloutPass *pass,
                                        const char *name, CeliOpFn fn, void *self);
void celi_rollout_pass_plan_value_loss(CeliPlan *plan, const CeliRolloutPass *pass,
                                       const char *name, CeliOpFn fn, void *self);
/// Sets the metrics. Errors: CEL_E_NAN (names the first mean that is not finite).
CelStatus celi_rollout_pass_report(const CeliRolloutPass *pass, double rate) CEL_WARN_UNUSED;

// ---- functions for an algorithm's table.

/// The functions below, as entries of the table.
#define CELI_ON_POLICY_TABLE                                                                       \
  .act = celi_on_policy_act, .observe = celi_on_policy_observe, .due = celi_on_policy_due,         \
  .predict = celi_on_policy_predict, .sync = celi_on_policy_sync,                                  \
  .inspect = celi_on_policy_inspect, .replay = celi_on_policy_replay,                              \
  .collect = celi_on_policy_collect, .rollout = celi_on_policy_rollout,                            \
  .renew = celi_on_policy_renew, .restart = celi_on_policy_restart
CelStatus celi_on_policy_act(CelAgent *agent, const void *obs, const uint8_t *start,
                             CelActMode mode, void *actions) CEL_WARN_UNUSED;
CelStatus celi_on_policy_observe(CelAgent *agent, const CelOutcome *outcome) CEL_WARN_UNUSED;
CelStatus celi_on_policy_collect(CelAgent *agent, CelVecEnv *env, int64_t steps) CEL_WARN_UNUSED;
CelStatus celi_on_policy_predict(CelAgent *agent, const void *obs, int64_t n,
                                 void *actions) CEL_WARN_UNUSED;
/// 1 when the rollout is full.
int64_t celi_on_policy_due(const CelAgent *agent);
CelStatus celi_on_policy_sync(CelAgent *agent) CEL_WARN_UNUSED;
CeliInspection celi_on_policy_inspect(CelAgent *agent);
CeliReplay *celi_on_policy_replay(CelAgent *agent); ///< NULL
const CeliRollout *celi_on_policy_rollout(const CelAgent *agent);
void celi_on_policy_renew(CelAgent *agent);
/// Drops the rollout in progress.
void celi_on_policy_restart(CelAgent *agent);

#endif
