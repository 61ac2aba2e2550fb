/// What an algorithm is to the rest: a table of functions, one line in registry.c.
///
/// The agent (agent.c) owns what all learners share: spaces, options, config, tensors, the normaliser, the team
/// of threads, metrics. An algorithm owns its networks, buffers and plan, in a struct of its own.
#ifndef CELI_ALGO_H
#define CELI_ALGO_H
#include "algo/inspection.h"
#include "celsius/agent.h"
#include "celsius/env.h"
#include "celsius/network.h"
#include "ops/plan.h"
#include "rl/model.h"
#include "rl/replay.h"
#include "rl/rollout.h"
#include <stdatomic.h>

#define CELI_METRICS_MAX 24
/// The largest counter that a file may hold: what a double holds exactly, and far from an overflow.
#define CELI_COUNTER_MAX ((int64_t)1 << 53)

/// Declares a tensor of the given shape, or returns what went wrong.
#define CELI_DECLARE(tensors, name, type, role, place, ...)                                        \
  CELI_TRY(cel_tensors_declare(tensors, name, type, role, place,                                   \
                               (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),          \
                               (int64_t[]){__VA_ARGS__}))

typedef struct CeliAlgo {
  CelAlgoInfo info;
  size_t state_size;
  /// Checks spaces and config, declares every tensor in agent->tensors.
  CelStatus (*declare)(CelAgent *agent);
  /// After allocation: binds optimisers, initial parameters, writes the plan.
  CelStatus (*prepare)(CelAgent *agent);
  void (*release)(CelAgent *agent);
  CelStatus (*act)(CelAgent *agent, const void *obs, const uint8_t *start, CelActMode mode,
                   void *actions);
  CelStatus (*observe)(CelAgent *agent, const CelOutcome *outcome);
  /// Gradient steps that are due now.
  int64_t (*due)(const CelAgent *agent);
  /// n gradient steps.
  CelStatus (*update)(CelAgent *agent, int64_t n);
  CelStatus (*predict)(CelAgent *agent, const void *obs, int64_t n, void *actions);
  /// After saved tensors were written from outside.
  CelStatus (*sync)(CelAgent *agent);
  /// What the actor's output means, for model files.
  CeliPolicySpec (*policy)(const CelAgent *agent);
  /// What it has learned, for those who ask (inspection.h).
  CeliInspection (*inspect)(CelAgent *agent);
  /// The replay buffer, or NULL.
  CeliReplay *(*replay)(CelAgent *agent);
  /// On-policy: up to `steps` steps of all environments at once, as act, step, observe would, at most until an update is
  /// due; NULL: only one by one. Errors: as those, naming the step.
  CelStatus (*collect)(CelAgent *agent, CelVecEnv *env, int64_t steps);
  /// The rollout that collect fills; NULL where there is no collect.
  const CeliRollout *(*rollout)(const CelAgent *agent);
} CeliAlgo;

struct CelAgent {
  atomic_flag busy; ///< held by the call that uses the agent now
  const CeliAlgo *algo;
  void *config; ///< the algorithm's
  void *self;   ///< the algorithm's state struct
  CelSpace observation, action;
  CelAgentOptions options;
  CelTensors *tensors;
  CeliTeam *team;
  int64_t *steps;                   ///< (1,) saved
  int64_t *updates;                 ///< (1,) saved
  int64_t *replay_saved;            ///< (N,) rows on disk so far, in replay_folder; not saved
  char replay_folder[CEL_PATH_MAX]; ///< "": none yet
  const char *metric_name[CELI_METRICS_MAX];
  double *metric; ///< (CELI_METRICS_MAX,) saved: rows of the log show it until the next update
  int n_metrics;
  char note[256]; ///< what to know about these settings, and of how learning goes; "" for nothing
};

/// Field tables of the algorithms, each in ALGO_config.c.
extern const CelField celi_sac_fields[];
extern const CelField celi_ppo_fields[];
extern const CelField celi_a2c_fields[];
extern const CelField celi_ac_fields[];
extern const CelField celi_trpo_fields[];
extern const CelField celi_reinforce_fields[];

const CeliAlgo *celi_algo_at(int i);
/// Takes an agent for one call; NULL, with a message, where another thread is inside of a call.
atomic_flag *celi_agent_enter(CelAgent *agent, const char *function);
void celi_agent_leave(atomic_flag **busy);
/// Holds the agent until the calling function returns. Errors: CEL_E_STATE: another thread uses it.
#define CELI_USE_AGENT(agent)                                                                      \
  __attribute__((cleanup(celi_agent_leave))) atomic_flag *celi_busy_ =                             \
      celi_agent_enter(agent, __func__);                                                           \
  if (!celi_busy_) return CEL_E_STATE
/// The activation that a config names; their orders differ by the identity, which no field offers.
static inline CeliActivation celi_activation_of(CelActivation named) {
  _Static_assert((int)CELI_RELU == (int)CEL_ACTIVATION_RELU + 1 &&
                     (int)CELI_LEAKY_RELU == (int)CEL_ACTIVATION_LEAKY_RELU + 1,
                 "CeliActivation and CelActivation have one order");
  return (CeliActivation)((int)named + 1);
}
/// Checks that the agent can learn. what: the failed action, such as "explore", for the message.
/// Errors: CEL_E_STATE (the agent was created with act_only).
CelStatus celi_agent_check_learns(const CelAgent *agent, const char *what) CEL_WARN_UNUSED;
/// Share of the planned steps that is left, 1 at the start.
double celi_agent_progress_remaining(const CelAgent *agent);
/// Rows (of a batch, a rollout, a replay buffer) that learning needs: `wanted`, or 1 for an agent that only acts.
int64_t celi_agent_batch(const CelAgent *agent, int64_t wanted);
/// Declares a metric; returns its slot.
int celi_agent_metric_add(CelAgent *agent, const char *name);
/// Says where the rollout's rows do not fall into whole minibatches, and what would.
void celi_agent_advise_batch(CelAgent *agent, int64_t rows, int64_t batch_size);

// ---- agent_file.c
/// As cel_agent_save and cel_agent_save_model, into open folders; NULL: `name` is a path.
CelStatus celi_agent_save_in(CelAgent *agent, const CeliFolder *folder, const char *name,
                             const CeliFolder *replay_folder,
                             const CelTensors *extra) CEL_WARN_UNUSED;
CelStatus celi_agent_save_model_in(CelAgent *agent, const CeliFolder *folder,
                                   const char *name) CEL_WARN_UNUSED;

#endif
