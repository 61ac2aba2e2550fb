/// Agents: reinforcement learners. Your own loop may run one (on a robot, in Python, with your
/// simulator), or the functions of celsius/train.h may run it on a native vector environment.
///
///     cel_agent_create(&agent, "sac", NULL, &observation, &action, &options);
///     cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions);
///     ... apply the actions ...
///     cel_agent_observe(agent, &outcome);
///     cel_agent_update(agent);
///
/// Named tensors hold an agent's whole state. Two agents share nothing, so two threads may use two
/// agents at once. Only one thread at a time may use one agent; a second one gets CEL_E_STATE.
#ifndef CELSIUS_AGENT_H
#define CELSIUS_AGENT_H
#include "celsius/field.h"
#include "celsius/space.h"
#include "celsius/tensors.h"
CEL_BEGIN

typedef struct CelAgent CelAgent;

/// Settings of an agent that do not depend on the algorithm. Start from
/// cel_agent_options_default().
typedef struct CelAgentOptions {
  /// Environments N that act and observe together. At least 1, default 1.
  int64_t n_envs;
  /// Seed of all the agent's random numbers. Default 0.
  uint64_t seed;
  /// Number of threads that run an update. Range 0 to 1024, default 1; 0 means 1. The results are
  /// bitwise identical for any number.
  int threads;
  /// Planned environment steps, all environments together, for schedules. Default 0, which keeps
  /// schedules at their initial values.
  int64_t total_steps;
  /// If true, the agent can act and be queried, but it cannot learn. Default false. It then has no
  /// replay buffer, rollout or batch, and CEL_EXPLORE, observe, update and checkpoints return
  /// CEL_E_STATE.
  bool act_only;
} CelAgentOptions;
/// Returns the default options.
CEL_API CelAgentOptions cel_agent_options_default(void);

/// How to select actions.
typedef enum CelActMode {
  CEL_EXPLORE, ///< as in training: random before learning starts, then the policy with its noise
  CEL_SAMPLE,  ///< sampled from the policy
  CEL_MODE     ///< the policy's mode (deterministic)
} CelActMode;

/// Results of the last actions, for N = n_envs environments. The caller owns the arrays.
typedef struct CelOutcome {
  const float *reward;       ///< (N,)
  const uint8_t *terminated; ///< (N,) 1: the episode ended in a terminal state
  const uint8_t *truncated;  ///< (N,) 1: the episode was cut off (time limit)
  /// (N rows) observations to act on next. Where an episode ended, this is the first observation of
  /// the next episode.
  const void *obs;
  /// (N rows) last observations of the episodes that ended. May be NULL when none ended.
  const void *final_obs;
} CelOutcome;

/// An algorithm of the registry. Static.
typedef struct CelAlgoInfo {
  const char *name;       ///< "sac"
  const char *doc;        ///< one line
  const CelField *fields; ///< field table of its config struct
  size_t config_size;     ///< bytes of its config struct
} CelAlgoInfo;
/// Returns algorithm i of the registry, or NULL past the end.
CEL_API const CelAlgoInfo *cel_algo_at(int i);
/// Finds an algorithm by name. Errors: CEL_E_NAME (suggests the nearest name).
CEL_API CelStatus cel_algo_find(const char *name, const CelAlgoInfo **out) CEL_WARN_UNUSED;

/// Creates an agent. `config`: the algorithm's config struct (copied), or NULL for the defaults.
/// `options`: NULL for the defaults. The spaces are copied. Free it with cel_agent_destroy.
/// Errors: CEL_E_NAME, CEL_E_UNSUPPORTED (the algorithm does not support a space; the message lists
/// the supported ones), CEL_E_RANGE, CEL_E_MEMORY.
CEL_API CelStatus cel_agent_create(CelAgent **out, const char *algo, const void *config,
                                   const CelSpace *observation, const CelSpace *action,
                                   const CelAgentOptions *options) CEL_WARN_UNUSED;
/// Frees an agent. Takes NULL.
CEL_API void cel_agent_destroy(CelAgent *agent);

/// Selects actions (N rows) for observations (N rows). Box actions are clipped to the float32
/// bounds of the action space.
/// `episode_start` (N,): 1 where the observation begins an episode. NULL: the agent takes it from
/// the outcomes that it observed.
/// In mode CEL_EXPLORE the agent remembers observations and actions for cel_agent_observe.
/// CEL_SAMPLE changes only the counter of the action stream. CEL_MODE changes nothing.
/// With CEL_EXPLORE, the episode is truncated if the observation differs from `obs` of the last
/// outcome, or if episode_start is 1 in the middle of an episode. No transition connects the two
/// observations.
/// Errors: CEL_E_NAN (an observation that is not finite; names row and element), CEL_E_ARGUMENT
/// (mode).
CEL_API CelStatus cel_agent_act(CelAgent *agent, const void *obs, const uint8_t *episode_start,
                                CelActMode mode, void *actions) CEL_WARN_UNUSED;
/// Tells the agent that other actions (N rows) are applied than those of cel_agent_act with
/// CEL_EXPLORE, such as actions with noise of your own. Box actions must be within the bounds. Call
/// it between act and observe.
/// Errors: CEL_E_STATE (no act before it), CEL_E_UNSUPPORTED (the algorithm needs its own actions),
/// CEL_E_RANGE (a discrete action), CEL_E_NAN. Allocates: no.
CEL_API CelStatus cel_agent_replace_actions(CelAgent *agent, const void *actions) CEL_WARN_UNUSED;
/// Draws a new gSDE noise function for each environment. The next actions of CEL_EXPLORE use it.
/// Errors: CEL_E_UNSUPPORTED (no use_sde). Allocates: no.
CEL_API CelStatus cel_agent_reset_noise(CelAgent *agent) CEL_WARN_UNUSED;
/// Stores the results of the last actions. Errors: CEL_E_STATE (no act before it), CEL_E_NAN.
CEL_API CelStatus cel_agent_observe(CelAgent *agent, const CelOutcome *outcome) CEL_WARN_UNUSED;
/// Runs the gradient steps that are due; none before learning starts. Errors: CEL_E_NAN (a loss or
/// parameter that is not finite). Allocates: no.
CEL_API CelStatus cel_agent_update(CelAgent *agent) CEL_WARN_UNUSED;
/// Asks to stop by returning true. `user`: that of the call.
typedef bool (*CelStop)(void *user);
/// Runs the gradient steps that are due, as cel_agent_update does, but lets `stop` end a long
/// update early. It is called with `user` on the calling thread, about every 50 ms. When it returns
/// true, the agent's state becomes that before the update, which stays due. An update after a short
/// one (0.1 s) runs to its end. stop NULL: as cel_agent_update.
/// Errors: as cel_agent_update, and CEL_E_INTERRUPTED. Allocates: a copy of the state.
CEL_API CelStatus cel_agent_update_watched(CelAgent *agent, CelStop stop,
                                           void *user) CEL_WARN_UNUSED;
/// Runs exactly n gradient steps, due or not. Errors: CEL_E_STATE (no data to learn from),
/// CEL_E_NAN. Allocates: no.
CEL_API CelStatus cel_agent_update_n(CelAgent *agent, int64_t n) CEL_WARN_UNUSED;
/// Computes the policy's deterministic actions (n rows) for any number of observations (n rows).
/// Changes nothing that learning depends on.
CEL_API CelStatus cel_agent_predict(CelAgent *agent, const void *obs, int64_t n,
                                    void *actions) CEL_WARN_UNUSED;

// ---- Queries: what the agent has learned, evaluated at any n observations (n rows). These calls
// allocate memory. They change nothing that learning depends on.

/// Computes p (n,A), the probabilities pi(a|s) of a categorical policy over A actions. A learner
/// without a policy network acts by the Boltzmann policy of its Q values; p is then that policy.
/// Errors: CEL_E_UNSUPPORTED (other action spaces), CEL_E_NAN (an observation), CEL_E_MEMORY.
CEL_API CelStatus cel_agent_probabilities(CelAgent *agent, const void *obs, int64_t n,
                                          float *p) CEL_WARN_UNUSED;
/// Computes mean and sd (n,A) of a Gaussian policy. When *squashed is false, they are those of the
/// action, in the environment's units. When it is true, they are those of the unitless u in
/// a = shift + scale tanh(u). Here shift is the midpoint of the bounds, and scale half their width.
/// Source: [actor-critic, 4.24]
/// Errors: CEL_E_UNSUPPORTED (discrete actions, samplers, deterministic policies, generalized
/// state-dependent exploration), CEL_E_NAN, CEL_E_MEMORY.
CEL_API CelStatus cel_agent_gaussian(CelAgent *agent, const void *obs, int64_t n, float *mean,
                                     float *sd, bool *squashed) CEL_WARN_UNUSED;
/// Samples actions (n rows) from the policy. Row i uses draw number `draw` >= 0 of stream (seed,
/// CEL_RNG_EVAL_ACT, i), so the same call gives the same actions.
/// Errors: CEL_E_UNSUPPORTED (generalized state-dependent exploration), CEL_E_RANGE (draw),
/// CEL_E_NAN, CEL_E_MEMORY.
CEL_API CelStatus cel_agent_draw(CelAgent *agent, const void *obs, int64_t n, uint64_t seed,
                                 int64_t draw, void *actions) CEL_WARN_UNUSED;
/// Computes q (n,), the learned Q(s,a) in reward units. It excludes the immediate entropy. Several
/// critics are combined as in training (minimum or mean). If the learner normalizes rewards, q is
/// in units of the normalized reward (the reward divided by the current scale).
/// Errors: CEL_E_UNSUPPORTED (a learner without Q), CEL_E_RANGE (an invalid action), CEL_E_NAN,
/// CEL_E_MEMORY.
CEL_API CelStatus cel_agent_q(CelAgent *agent, const void *obs, const void *actions, int64_t n,
                              float *q) CEL_WARN_UNUSED;
/// Computes v (n,), the learned V(s), in reward units. If the learner has only a Q function, and
/// actions are discrete, v is E_pi[Q - alpha log pi].
/// Errors: CEL_E_UNSUPPORTED (neither is learned), CEL_E_NAN, CEL_E_MEMORY.
CEL_API CelStatus cel_agent_v(CelAgent *agent, const void *obs, int64_t n,
                              float *v) CEL_WARN_UNUSED;
/// Returns the current temperature alpha, reward units per nat; 0 for learners of the unregularized
/// problem.
CEL_API double cel_agent_temperature(CelAgent *agent);
/// Returns the discount of the agent's config.
CEL_API double cel_agent_gamma(const CelAgent *agent);

// ---- Stored transitions of a learner from a replay buffer.

/// Arrays of transitions of all N environments, step-major: row t N + i is step t of environment i.
/// The caller owns them.
typedef struct CelTransitions {
  float *obs, *next_obs;           ///< (n,N,O)
  void *actions;                   ///< (n,N rows) as stored: a box of a squashed policy in [-1, 1]
  float *reward;                   ///< (n,N)
  uint8_t *terminated, *truncated; ///< (n,N) 0 or 1
} CelTransitions;
/// Returns how many transitions are stored of each environment, at least; 0 without a replay
/// buffer.
CEL_API int64_t cel_agent_stored(CelAgent *agent);
/// Copies the last n transitions of each environment, oldest first. Two environments may have ended
/// episodes at different steps, so equal t need not be equal times once the buffer is full.
/// Errors: CEL_E_UNSUPPORTED (no replay buffer), CEL_E_RANGE (n), CEL_E_STATE (act_only).
CEL_API CelStatus cel_agent_read_transitions(CelAgent *agent, const CelTransitions *out,
                                             int64_t n) CEL_WARN_UNUSED;
/// Adds n transitions of each environment to the replay buffer, such as those of another agent or
/// of a demonstration. An episode goes on where a next observation equals the following one. Counts
/// no environment steps. On an error nothing is added.
/// Errors: CEL_E_UNSUPPORTED, CEL_E_NAN, CEL_E_RANGE (n, a discrete action), CEL_E_STATE.
CEL_API CelStatus cel_agent_add_transitions(CelAgent *agent, const CelTransitions *in,
                                            int64_t n) CEL_WARN_UNUSED;

/// Returns one sentence about the agent's settings or about how learning goes, or "" when there is
/// nothing to report. An update may change it. The agent owns the text.
CEL_API const char *cel_agent_note(const CelAgent *agent);
/// Returns the agent's algorithm.
CEL_API const CelAlgoInfo *cel_agent_algo(const CelAgent *agent);
/// Returns the agent's own copy of the algorithm's config struct.
CEL_API const void *cel_agent_config(const CelAgent *agent);
/// Returns the observation space. The agent owns it.
CEL_API const CelSpace *cel_agent_observation(const CelAgent *agent);
/// Returns the action space. The agent owns it.
CEL_API const CelSpace *cel_agent_action(const CelAgent *agent);
/// Returns the agent's whole state. The agent owns it. Read it between calls at any time. After
/// writing, call cel_agent_sync; the new values then apply to the next call.
CEL_API CelTensors *cel_agent_tensors(CelAgent *agent);
/// Recomputes what is derived from saved tensors (transposes, cached statistics). Call it after
/// writing into them.
CEL_API CelStatus cel_agent_sync(CelAgent *agent) CEL_WARN_UNUSED;
/// Returns the environment steps that the agent has observed, all environments together.
CEL_API int64_t cel_agent_steps(const CelAgent *agent);
/// Returns the gradient steps taken.
CEL_API int64_t cel_agent_updates(const CelAgent *agent);
/// Sets the planned environment steps, for schedules (a resumed run may extend them).
CEL_API void cel_agent_plan_steps(CelAgent *agent, int64_t total_steps);
/// Counts environment steps from 0 again, so that schedules and the random actions before
/// learning_starts begin anew. Drops an unfinished rollout and gradient steps that are due. What
/// was learned and stored stays.
CEL_API CelStatus cel_agent_restart(CelAgent *agent) CEL_WARN_UNUSED;
/// Reads metric i, under Stable-Baselines3's name ("train/actor_loss"). Returns false past the end.
/// The value is NAN before the first update.
CEL_API bool cel_agent_metric(const CelAgent *agent, int i, const char **name, double *value);

/// One operation of an update. Every thread computes its slice of the items.
typedef struct CelPlanOp {
  const char *plan;     ///< the list that it belongs to: "update"
  const char *name;     ///< "forward"
  const char *cut;      ///< what its items are: "rows", "parts", or "serial" for one thread
  int64_t count, grain; ///< items; a thread takes multiples of `grain`
  bool barrier;         ///< all threads wait for each other before it
  double read, written; ///< bytes that all threads together may touch
  double flop;          ///< floating-point operations of its matrix products
} CelPlanOp;
/// Reads operation i of the agent's updates, plan by plan. Returns false past the end. The texts
/// are constant.
CEL_API bool cel_agent_plan_op(const CelAgent *agent, int64_t i, CelPlanOp *op);

/// Writes the model (parameters, normalizer, algorithm, config, spaces) as one safetensors file,
/// for cel_agent_load_model and cel_policy_load.
CEL_API CelStatus cel_agent_save_model(CelAgent *agent, const char *path) CEL_WARN_UNUSED;
/// Reads a model's tensors into an agent of the same shape.
CEL_API CelStatus cel_agent_load_model(CelAgent *agent, const char *path) CEL_WARN_UNUSED;
/// Writes a checkpoint: everything that learning depends on. Stored transitions go to
/// `replay_folder` as append-only segments; NULL for an agent without a replay buffer. `extra`
/// holds further tensors of the run (environments, counters) and may be NULL.
/// Errors: CEL_E_STATE (act_only), CEL_E_NAN (a parameter), CEL_E_ARGUMENT (replay_folder),
/// CEL_E_IO.
CEL_API CelStatus cel_agent_save(CelAgent *agent, const char *path, const char *replay_folder,
                                 const CelTensors *extra) CEL_WARN_UNUSED;
/// Writes a checkpoint without the stored transitions. Commands and cel_policy_load read it as any
/// checkpoint; cel_agent_load cannot, where the algorithm has a replay buffer. `note` is stored as
/// the metadata "note", for programs that keep a text of their own; NULL: none. To continue from
/// such a file, copy its tensors (celsius/safetensors.h) into those of a new agent, without those
/// named "replay.*", and call cel_agent_sync.
/// Errors: as cel_agent_save.
CEL_API CelStatus cel_agent_save_alone(CelAgent *agent, const char *path,
                                       const char *note) CEL_WARN_UNUSED;
/// Reads a checkpoint of cel_agent_save into an agent of the same algorithm, config and spaces.
CEL_API CelStatus cel_agent_load(CelAgent *agent, const char *path, const char *replay_folder,
                                 CelTensors *extra) CEL_WARN_UNUSED;

CEL_END
#endif
