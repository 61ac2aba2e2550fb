/// What learners from rollouts share: policy, values, normaliser, rollout, and the functions over them alone.
///
/// An algorithm's state begins with a CeliOnPolicy, so these functions can stand in its table. How and from what it
/// learns is its own.
#ifndef CELI_ONPOLICY_H
#define CELI_ONPOLICY_H
#include "algo/algo.h"
#include "algo/collect.h"
#include "nn/mlp.h"
#include "rl/actor.h"
#include "rl/normalizer.h"
#include "rl/rollout.h"

typedef struct CeliOnPolicy {
  CelAgent *agent;
  int64_t rows; ///< of a rollout, T N
  CeliActor actor;
  CeliMlp critic; ///< V; not declared where there is none
  CeliMlpGrad critic_grad;
  CeliNormalizer norm;
  CeliRollout rollout;
  CeliCollector collector;
} CeliOnPolicy;

typedef struct CeliOnPolicySpec {
  int64_t n_steps;
  double gamma;
  CelIntList net_arch;
  int32_t activation; ///< 0 relu, 1 tanh, 2 silu
  bool layer_norm;
  int32_t init;
  bool state_dependent_std;
  double log_std_init;
  bool normalize_observation, normalize_reward;
  double clip_observation, clip_reward;
  bool critic;
} CeliOnPolicySpec;

/// Fills a spec from a config with these fields; `critic` is set by the caller.
#define CELI_ONPOLICY_SPEC(c)                                                                      \
  {                                                                                                \
    .n_steps = (c)->n_steps, .gamma = (c)->gamma, .net_arch = (c)->net_arch,                       \
    .activation = (c)->activation, .layer_norm = (c)->layer_norm, .init = (c)->init,               \
    .state_dependent_std = (c)->state_dependent_std, .log_std_init = (c)->log_std_init,            \
    .normalize_observation = (c)->normalize_observation,                                           \
    .normalize_reward = (c)->normalize_reward, .clip_observation = (c)->clip_observation,          \
    .clip_reward = (c)->clip_reward                                                                \
  }

/// Checks the spaces, declares networks (the actor's parameters, then the critic's, in one run), acting and rollout.
/// `self` is what the agent's state begins with. Errors: CEL_E_UNSUPPORTED, CEL_E_RANGE, those of declaring.
CelStatus celi_onpolicy_declare(CeliOnPolicy *self, CelAgent *agent,
                                const CeliOnPolicySpec *spec) CEL_WARN_UNUSED;
/// After the allocation.
void celi_onpolicy_init(CeliOnPolicy *self);
/// The last parameter of the run that begins with "actor.0.weight".
void celi_onpolicy_last_parameter(const CeliOnPolicy *self, char name[CEL_NAME_MAX]);
/// Errors: CEL_E_STATE: an update that is not due.
CelStatus celi_onpolicy_ready(const CelAgent *agent, int64_t n) CEL_WARN_UNUSED;
void celi_onpolicy_release(CeliOnPolicy *self);
/// Normalised observations of the rollout, (rows, O): x where they are normalised (written by the plan), else the stored ones.
const float *celi_onpolicy_plan_obs(CeliPlan *plan, CeliOnPolicy *self, float *x);

// ---- of an algorithm's table.
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
