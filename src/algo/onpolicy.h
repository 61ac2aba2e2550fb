/// What learners from rollouts share: policy, values, normaliser, rollout, and the functions over them alone.
///
/// An algorithm's state begins with a CeliOnPolicy, so these functions can stand in its table. How and from what it
/// learns is its own.
#ifndef CELI_ONPOLICY_H
#define CELI_ONPOLICY_H
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
  int64_t rows; ///< of a rollout, T N
  CeliActor actor;
  CeliNet critic; ///< V; not declared where there is none
  CeliNetGrad critic_grad;
  CeliNormalizer norm;
  CeliRollout rollout;
  CeliCollector collector;
} CeliOnPolicy;

/// Checks the spaces, declares networks (the actor's parameters, then the critic's, in one run), acting and rollout.
/// `critic`: there are values.
/// `self` is what the agent's state begins with. Errors: CEL_E_UNSUPPORTED, CEL_E_RANGE, those of declaring.
CelStatus celi_onpolicy_declare(CeliOnPolicy *self, CelAgent *agent,
                                const CelOnPolicyConfig *config, bool critic) CEL_WARN_UNUSED;
/// After the allocation.
void celi_onpolicy_init(CeliOnPolicy *self);
/// The last parameter of the run that begins with "actor.0.weight".
void celi_onpolicy_last_parameter(const CeliOnPolicy *self, char name[CEL_NAME_MAX]);
/// Errors: CEL_E_STATE: an update that is not due.
CelStatus celi_onpolicy_ready(const CelAgent *agent, int64_t n) CEL_WARN_UNUSED;
void celi_onpolicy_release(CeliOnPolicy *self);
/// Normalised observations of the rollout, (rows, O): x where they are normalised (written by the plan), else the stored ones.
const float *celi_onpolicy_plan_obs(CeliPlan *plan, CeliOnPolicy *self, float *x);
/// The Adam that `config` describes with the group's learning rate and betas; epsilon and clip of a learner's own.
CeliAdamConfig celi_onpolicy_adam(const CelOnPolicyConfig *config, double epsilon,
                                  double max_grad_norm);

/// Binds a step of the policy and one of the values, which has a learning rate of its own and is left alone where there
/// are no values.
CelStatus celi_onpolicy_bind_steps(const CeliOnPolicy *self, CeliAdam *actor, CeliAdam *critic,
                                   CeliAdamConfig config,
                                   const CelSchedule *critic_rate) CEL_WARN_UNUSED;

// ---- policy and values on a whole rollout, for learners that take it in one piece.

/// Rows are those of the rollout, time-major. Plans keep its address.
typedef struct CeliRolloutPass {
  CeliOnPolicy *on;
  CeliPolicyPass pi;
  CeliPass v;              ///< where there are values
  float *x;                ///< (rows, O) normalised observations
  float *d_entropy;        ///< (rows,) set by the learner
  float *pi_loss, *v_loss; ///< (rows,) for the log
  int slot[6];             ///< of the metrics
} CeliRolloutPass;

CelStatus celi_rollout_pass_declare(CeliRolloutPass *pass, CeliOnPolicy *on) CEL_WARN_UNUSED;
/// After the allocation. Metrics: the two losses under these names, entropy, explained variance, learning rate, sigma.
void celi_rollout_pass_bind(CeliRolloutPass *pass, const char *policy_loss, const char *value_loss);
/// Observations, and log-probs of what was done.
void celi_rollout_pass_plan_log_prob(CeliPlan *plan, CeliRolloutPass *pass);
/// Down the policy's network from pi.dist.d_logp and d_entropy.
void celi_rollout_pass_plan_backward(CeliPlan *plan, const CeliRolloutPass *pass);
/// An operation of a learner on rows of the rollout; `self` is what its arguments point at.
void celi_rollout_pass_plan_rows(CeliPlan *plan, const CeliRolloutPass *pass, const char *name,
                                 CeliOpFn fn, void *self);
/// Shows the metrics. Errors: CEL_E_NAN, naming the first mean that is not finite.
CelStatus celi_rollout_pass_report(const CeliRolloutPass *pass, double rate) CEL_WARN_UNUSED;

// ---- of an algorithm's table.

/// The functions below, in their places.
#define CELI_ONPOLICY_TABLE                                                                        \
  .act = celi_onpolicy_act, .observe = celi_onpolicy_observe, .due = celi_onpolicy_due,            \
  .predict = celi_onpolicy_predict, .sync = celi_onpolicy_sync, .policy = celi_onpolicy_policy,    \
  .view = celi_onpolicy_view, .replay = celi_onpolicy_replay, .collect = celi_onpolicy_collect,    \
  .rollout = celi_onpolicy_rollout
CelStatus celi_onpolicy_act(CelAgent *agent, const void *obs, const uint8_t *start, CelActMode mode,
                            void *actions) CEL_WARN_UNUSED;
CelStatus celi_onpolicy_observe(CelAgent *agent, const CelOutcome *outcome) CEL_WARN_UNUSED;
CelStatus celi_onpolicy_collect(CelAgent *agent, CelVecEnv *env, int64_t steps) CEL_WARN_UNUSED;
CelStatus celi_onpolicy_predict(CelAgent *agent, const void *obs, int64_t n,
                                void *actions) CEL_WARN_UNUSED;
/// 1 when the rollout is full.
int64_t celi_onpolicy_due(const CelAgent *agent);
CelStatus celi_onpolicy_sync(CelAgent *agent) CEL_WARN_UNUSED;
CeliPolicySpec celi_onpolicy_policy(const CelAgent *agent);
CeliView celi_onpolicy_view(CelAgent *agent);
CeliReplay *celi_onpolicy_replay(CelAgent *agent); ///< NULL
const CeliRollout *celi_onpolicy_rollout(const CelAgent *agent);

#endif
