/// Agents: learners that are pushed by any loop (a robot, Python, a simulator of yours) or pulled over a
/// native vector environment by celsius/train.h.
///
///     cel_agent_create(&agent, "sac", NULL, &observation, &action, &options);
///     cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions);
///     ... apply the actions ...
///     cel_agent_observe(agent, &outcome);
///     cel_agent_update(agent);
///
/// All state lies in named tensors. Two agents in two threads share nothing.
#ifndef CELSIUS_AGENT_H
#define CELSIUS_AGENT_H
#include "celsius/field.h"
#include "celsius/space.h"
#include "celsius/tensors.h"
CEL_BEGIN

typedef struct CelAgent CelAgent;

/// What is not a matter of the algorithm.
typedef struct CelAgentOptions {
  int64_t n_envs; ///< environments that act and observe together, >= 1
  uint64_t seed;
  int threads; ///< team size; changes no bit of the result; 0: one
  int64_t
      total_steps; ///< planned environment steps, for schedules; 0: schedules stay at their start
  /// The agent only acts and answers questions: no memory for replay buffer, rollouts and batches is taken. What learns
  /// (CEL_EXPLORE, observe, update, checkpoints) is CEL_E_STATE.
  bool act_only;
} CelAgentOptions;
CEL_API CelAgentOptions cel_agent_options_default(void);

/// How to choose actions.
typedef enum CelActMode {
  CEL_EXPLORE, ///< as in training: random before learning starts, then the policy with its noise
  CEL_SAMPLE,  ///< from the policy
  CEL_MODE     ///< the policy's mode (deterministic)
} CelActMode;

/// What followed the last actions, arrays of n_envs (rows).
typedef struct CelOutcome {
  const float *reward;       ///< (N,)
  const uint8_t *terminated; ///< (N,) the episode ended in a terminal state
  const uint8_t *truncated;  ///< (N,) the episode was cut off (time limit)
  const void
      *obs; ///< (N rows) observation to act on next: the next episode's first where one ended
  const void
      *final_obs; ///< (N rows) the ended episodes' last observations; may be NULL when none ended
} CelOutcome;

/// Algorithm i of the registry: its name, one line about it, its fields and the size of its config; NULL past the end.
typedef struct CelAlgoInfo {
  const char *name;
  const char *doc;
  const CelField *fields;
  size_t config_size;
} CelAlgoInfo;
CEL_API const CelAlgoInfo *cel_algo_at(int i);
/// Errors: CEL_E_NAME (names the nearest).
CEL_API CelStatus cel_algo_find(const char *name, const CelAlgoInfo **out) CEL_WARN_UNUSED;

/// `config`: the algorithm's struct (copied), or NULL for the defaults.
/// Errors: CEL_E_NAME, CEL_E_UNSUPPORTED (a space that the algorithm cannot take: says which can), CEL_E_RANGE, CEL_E_MEMORY.
CEL_API CelStatus cel_agent_create(CelAgent **out, const char *algo, const void *config,
                                   const CelSpace *observation, const CelSpace *action,
                                   const CelAgentOptions *options) CEL_WARN_UNUSED;
CEL_API void cel_agent_destroy(CelAgent *agent);

/// Chooses actions (N rows) for observations (N rows). episode_start (N,) 1 where the observation begins an
/// episode, or NULL: the agent knows from its own outcomes. Remembers both for observe in mode CEL_EXPLORE; the other modes change
/// nothing but the act stream's counter (CEL_SAMPLE).
/// An observation that is not the one that the last outcome told (the environment was put somewhere else), or an
/// episode_start that it did not tell, cuts the episode off there: no transition leads from the one to the other.
/// Actions of a box lie in its bounds, as float32.
/// Errors: CEL_E_NAN (an observation that is not finite: names row and element), CEL_E_ARGUMENT (mode).
CEL_API CelStatus cel_agent_act(CelAgent *agent, const void *obs, const uint8_t *episode_start,
                                CelActMode mode, void *actions) CEL_WARN_UNUSED;
/// Takes in what followed. Errors: CEL_E_STATE (before act), CEL_E_NAN.
CEL_API CelStatus cel_agent_observe(CelAgent *agent, const CelOutcome *outcome) CEL_WARN_UNUSED;
/// Runs the gradient steps that are due (none before learning starts). Errors: CEL_E_NAN (a loss or parameter that is not finite).
CEL_API CelStatus cel_agent_update(CelAgent *agent) CEL_WARN_UNUSED;
/// Exactly n gradient steps now, due or not. Errors: CEL_E_STATE (nothing stored to learn from), CEL_E_NAN.
CEL_API CelStatus cel_agent_update_n(CelAgent *agent, int64_t n) CEL_WARN_UNUSED;
/// Deterministic actions for any number of rows; changes nothing that learning depends on.
CEL_API CelStatus cel_agent_predict(CelAgent *agent, const void *obs, int64_t n,
                                    void *actions) CEL_WARN_UNUSED;

// ---- what it has learned, at any n observations (n rows). Nothing that learning depends on changes; the calls allocate.

/// p (n,A): pi(a|s) of a policy over one choice of A. Of learners that act by values: the Boltzmann policy they act by.
/// Errors: CEL_E_UNSUPPORTED (other actions), CEL_E_NAN (an observation), CEL_E_MEMORY.
CEL_API CelStatus cel_agent_probabilities(CelAgent *agent, const void *obs, int64_t n,
                                          float *p) CEL_WARN_UNUSED;
/// mean, sd (n,A) of a Gaussian policy, in the environment's units; where *squashed, of u with a = shift + scale tanh(u),
/// the bounds' middle and half width. Source: [actor-critic, 4.24]
/// Errors: CEL_E_UNSUPPORTED (choices, samplers, generalised state-dependent exploration), CEL_E_NAN, CEL_E_MEMORY.
CEL_API CelStatus cel_agent_gaussian(CelAgent *agent, const void *obs, int64_t n, float *mean,
                                     float *sd, bool *squashed) CEL_WARN_UNUSED;
/// actions (n rows) from the policy: row i takes draw number `draw` >= 0 of stream (seed, CEL_RNG_EVAL_ACT, i), so the
/// same call gives the same actions.
/// Errors: CEL_E_UNSUPPORTED (generalised state-dependent exploration), CEL_E_RANGE (draw), CEL_E_NAN, CEL_E_MEMORY.
CEL_API CelStatus cel_agent_draw(CelAgent *agent, const void *obs, int64_t n, uint64_t seed,
                                 int64_t draw, void *actions) CEL_WARN_UNUSED;
/// q (n,): the learned Q(s,a), smallest or mean of several critics as the learner takes it; without the immediate
/// entropy. Where rewards are normalised: divided by today's scale.
/// Errors: CEL_E_UNSUPPORTED (a learner without Q), CEL_E_RANGE (an action that is none), CEL_E_NAN, CEL_E_MEMORY.
CEL_API CelStatus cel_agent_q(CelAgent *agent, const void *obs, const void *actions, int64_t n,
                              float *q) CEL_WARN_UNUSED;
/// v (n,): the learned V(s), or what the learned Q makes it where actions are choices: E_pi[Q - alpha log pi].
/// Errors: CEL_E_UNSUPPORTED (neither), CEL_E_NAN, CEL_E_MEMORY.
CEL_API CelStatus cel_agent_v(CelAgent *agent, const void *obs, int64_t n,
                              float *v) CEL_WARN_UNUSED;
/// alpha in force, reward units per nat; 0 of learners of the hard problem.
CEL_API double cel_agent_temperature(CelAgent *agent);
/// The discount of its config.
CEL_API double cel_agent_gamma(const CelAgent *agent);

/// What to know about the agent's settings and about how learning goes, one sentence; "" when there is nothing. It may
/// change with an update.
CEL_API const char *cel_agent_note(const CelAgent *agent);
CEL_API const CelAlgoInfo *cel_agent_algo(const CelAgent *agent);
CEL_API const void *cel_agent_config(const CelAgent *agent);
CEL_API const CelSpace *cel_agent_observation(const CelAgent *agent);
CEL_API const CelSpace *cel_agent_action(const CelAgent *agent);
/// The whole state. Read at will between calls; written tensors take effect at the next call after cel_agent_sync.
CEL_API CelTensors *cel_agent_tensors(CelAgent *agent);
/// Recomputes what is derived from saved tensors (transposes, cached statistics). Call after writing into them.
CEL_API CelStatus cel_agent_sync(CelAgent *agent) CEL_WARN_UNUSED;
CEL_API int64_t
cel_agent_steps(const CelAgent *agent); ///< environment steps observed, all environments together
CEL_API int64_t cel_agent_updates(const CelAgent *agent); ///< gradient steps taken
/// Planned total of steps, for schedules (a resumed run may extend it).
CEL_API void cel_agent_plan_steps(CelAgent *agent, int64_t total_steps);
/// Metric i, Stable-Baselines3's names ("train/actor_loss"); false past the end. NAN before the first update.
CEL_API bool cel_agent_metric(const CelAgent *agent, int i, const char **name, double *value);

/// Writes the model (parameters, normaliser, algorithm, config, spaces) as one safetensors file that cel_agent_load_model and
/// cel_policy_load read.
CEL_API CelStatus cel_agent_save_model(CelAgent *agent, const char *path) CEL_WARN_UNUSED;
/// Reads the model's tensors into an agent of the same shape.
CEL_API CelStatus cel_agent_load_model(CelAgent *agent, const char *path) CEL_WARN_UNUSED;
/// Checkpoint: everything that learning depends on, but for stored transitions, which go to `replay_folder` as append-only
/// segments. `extra` (tensors that belong to the run: environments, counters) may be NULL.
CEL_API CelStatus cel_agent_save(CelAgent *agent, const char *path, const char *replay_folder,
                                 const CelTensors *extra) CEL_WARN_UNUSED;
CEL_API CelStatus cel_agent_load(CelAgent *agent, const char *path, const char *replay_folder,
                                 CelTensors *extra) CEL_WARN_UNUSED;

CEL_END
#endif
