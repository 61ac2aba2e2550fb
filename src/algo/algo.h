/// An algorithm is a table of functions and one line in registry.c.
///
/// The agent (agent.c) owns what all learners use: spaces, options, config, tensors, the team of
/// threads, metrics. An algorithm owns its networks, buffers and plan, in its own struct.
#ifndef CELI_ALGO_H
#define CELI_ALGO_H
#include "algo/inspection.h"
#include "celsius/agent.h"
#include "celsius/env.h"
#include "celsius/network.h"
#include "nn/declare.h"
#include "ops/plan.h"
#include "rl/model.h"
#include "rl/replay.h"
#include "rl/rollout.h"
#include <stdatomic.h>

#define CELI_METRICS_MAX 24
/// The largest counter that a file may contain. A double holds it exactly, and it is far from an
/// overflow.
#define CELI_COUNTER_MAX ((int64_t)1 << 53)

/// A plan of a learner. NULL: its settings do not need it.
typedef struct CeliNamedPlan {
  const char *name;
  const CeliPlan *plan;
} CeliNamedPlan;
enum { CELI_PLANS_MAX = 5 };

typedef struct CeliAlgo {
  CelAlgoInfo info;
  size_t state_size;
  /// Checks spaces and config, and declares all tensors in agent->tensors.
  CelStatus (*declare)(CelAgent *agent);
  /// After the allocation: binds optimizers, sets initial parameters, writes the plan.
  CelStatus (*prepare)(CelAgent *agent);
  void (*release)(CelAgent *agent);
  CelStatus (*act)(CelAgent *agent, const void *obs, const uint8_t *start, CelActMode mode,
                   void *actions);
  CelStatus (*observe)(CelAgent *agent, const CelOutcome *outcome);
  /// Gradient steps that are due now.
  int64_t (*due)(const CelAgent *agent);
  /// Does n gradient steps.
  CelStatus (*update)(CelAgent *agent, int64_t n);
  CelStatus (*predict)(CelAgent *agent, const void *obs, int64_t n, void *actions);
  /// Recomputes derived values after saved tensors were written from outside.
  CelStatus (*sync)(CelAgent *agent);
  /// The learner's policy and values (inspection.h).
  CeliInspection (*inspect)(CelAgent *agent);
  /// Writes the plans of an update in the order in which they run. Returns their number.
  int (*plans)(const CelAgent *agent, CeliNamedPlan plans[CELI_PLANS_MAX]);
  /// Replaces the last actions of CEL_EXPLORE. NULL: the learner needs its own actions.
  CelStatus (*replace)(CelAgent *agent, const void *actions);
  /// Draws new gSDE matrices. The policy has gSDE.
  void (*renew)(CelAgent *agent);
  /// Counts steps from 0 again, after agent->steps was set to 0.
  void (*restart)(CelAgent *agent);
  /// The replay buffer, or NULL.
  CeliReplay *(*replay)(CelAgent *agent);
  /// On-policy: collects up to `steps` steps of all environments at once, at most until an update
  /// is due. The result is that of act, step and observe. NULL: only step by step.
  /// Errors: as act, cel_vecenv_step and observe, naming the step.
  CelStatus (*collect)(CelAgent *agent, CelVecEnv *env, int64_t steps);
  /// The rollout that collect fills. NULL without collect.
  const CeliRollout *(*rollout)(const CelAgent *agent);
} CeliAlgo;

struct CelAgent {
  atomic_flag busy; ///< held by the call that uses the agent
  const CeliAlgo *algo;
  void *config; ///< config struct of the algorithm
  void *self;   ///< state struct of the algorithm
  CelSpace observation, action;
  CelAgentOptions options;
  CelTensors *tensors;
  CeliTeam *team;
  int64_t *steps;                   ///< (1,) saved
  int64_t *updates;                 ///< (1,) saved
  int64_t *replay_saved;            ///< (N,) rows in replay_folder so far; not saved
  char replay_folder[CEL_PATH_MAX]; ///< "" if nothing is saved yet
  const char *metric_name[CELI_METRICS_MAX];
  double *metric; ///< (CELI_METRICS_MAX,) saved: log rows repeat it until the next update
  int n_metrics;
  double update_seconds;   ///< duration of the last cel_agent_update_watched
  bool update_timed;       ///< there was one
  bool update_interrupted; ///< a stop request interrupted it
  char note[256];          ///< advice about the settings or the progress of learning, or ""
};

/// Field tables of the algorithms, each in ALGO_config.c.
extern const CelField celi_sac_fields[];
extern const CelField celi_ppo_fields[];
extern const CelField celi_a2c_fields[];
extern const CelField celi_ac_fields[];
extern const CelField celi_trpo_fields[];
extern const CelField celi_reinforce_fields[];

const CeliAlgo *celi_algo_at(int i);
/// Reserves an agent for one call. Returns NULL and sets a message if another thread is using it.
atomic_flag *celi_agent_enter(CelAgent *agent, const char *function);
void celi_agent_leave(atomic_flag **busy);
/// Reserves the agent until the calling function returns.
/// Errors: CEL_E_STATE (another thread uses it).
#define CELI_USE_AGENT(agent)                                                                      \
  __attribute__((cleanup(celi_agent_leave))) atomic_flag *celi_busy_ =                             \
      celi_agent_enter(agent, __func__);                                                           \
  if (!celi_busy_) return CEL_E_STATE
/// The activation named by a config. The two enums differ by the identity, which no field offers.
static inline CeliActivation celi_activation_of(CelActivation named) {
  _Static_assert((int)CELI_RELU == (int)CEL_ACTIVATION_RELU + 1 &&
                     (int)CELI_LEAKY_RELU == (int)CEL_ACTIVATION_LEAKY_RELU + 1,
                 "CeliActivation and CelActivation have one order");
  return (CeliActivation)((int)named + 1);
}
/// Checks that the agent can learn. `what`: the failed action, such as "explore", for the message.
/// Errors: CEL_E_STATE (the agent was created with act_only).
CelStatus celi_agent_check_learns(const CelAgent *agent, const char *what) CEL_WARN_UNUSED;
/// Whether gradient steps are due: after observing, or because a stop request interrupted them.
bool celi_agent_update_is_due(const CelAgent *agent);
/// Fraction of the planned steps that remains, 1 at the start.
double celi_agent_progress_remaining(const CelAgent *agent);
/// Rows of a batch, rollout or replay buffer: `wanted`, or 1 for an agent that only acts.
int64_t celi_agent_batch(const CelAgent *agent, int64_t wanted);
/// Declares a metric; returns its slot.
int celi_agent_metric_add(CelAgent *agent, const char *name);
/// Checks the settings of gSDE for an algorithm `name`.
/// Errors: CEL_E_RANGE (no hidden layer, or sample_freq is 0).
CelStatus celi_agent_check_sde(const char *name, const CelIntList *net_arch,
                               int64_t sample_freq) CEL_WARN_UNUSED;
/// Notes that a setting is given by its old name.
void celi_agent_renamed(CelAgent *agent, const char *old, const char *name);
/// Advises a batch_size if the rollout's rows do not divide into whole minibatches.
void celi_agent_advise_batch(CelAgent *agent, int64_t rows, int64_t batch_size);

// ---- agent_file.c
/// Like cel_agent_save and cel_agent_save_model, in open folders. NULL: `name` is a path.
CelStatus celi_agent_save_in(CelAgent *agent, const CeliFolder *folder, const char *name,
                             const CeliFolder *replay_folder,
                             const CelTensors *extra) CEL_WARN_UNUSED;
CelStatus celi_agent_save_model_in(CelAgent *agent, const CeliFolder *folder,
                                   const char *name) CEL_WARN_UNUSED;

#endif
