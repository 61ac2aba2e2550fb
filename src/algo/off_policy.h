/// What learners from a replay buffer share, as nouns: experience, trained networks, acting, a temperature, the means that are logged.
///
/// Each is a struct that a learner holds, declares and binds; none of them calls back. The equations and the order in
/// which they are used are the learner's own.
#ifndef CELI_OFF_POLICY_H
#define CELI_OFF_POLICY_H
#include "algo/algo.h"
#include "celsius/off_policy.h"
#include "nn/net.h"
#include "nn/optim.h"
#include "rl/normalizer.h"
#include "rl/replay.h"

/// Converts the public enum to that of the networks.
CeliActivation celi_activation_of(CelActivation choice);

/// Field tables of the learners, each in ALGO_config.c.
extern const CelField celi_dsac_fields[];
extern const CelField celi_sql_fields[];
extern const CelField celi_sacv_fields[];
extern const CelField celi_sqlc_fields[];

// ---- networks.

/// A network with its gradient, its target where it has one, and its optimiser.
typedef struct CeliTrained {
  CeliNet net;
  CeliNetGrad grad;
  CeliAdam adam;
} CeliTrained;

/// Declares parameters, gradient and moments under `name`.
CelStatus celi_trained_declare(CeliTrained *trained, CelTensors *tensors, const char *name,
                               const CeliMlpSpec *spec) CEL_WARN_UNUSED;
/// Declares the optimiser "adam.NAME".
CelStatus celi_trained_declare_adam(CeliTrained *trained, CelTensors *tensors,
                                    const char *name) CEL_WARN_UNUSED;
/// Binds the optimiser to the network's parameters. `last`: the last tensor of its run, NULL: the last bias.
CelStatus celi_trained_bind(CeliTrained *trained, const CelTensors *tensors, const char *name,
                            const char *last, const CeliAdamConfig *config) CEL_WARN_UNUSED;
/// The shape that the common fields ask for.
CeliMlpSpec celi_off_policy_network(const CelOffPolicyConfig *config, int64_t in, int64_t out);
CeliAdamConfig celi_off_policy_adam(const CelOffPolicyConfig *config);

/// target += tau (p - target), every `interval` updates: what a plan's operation does for elements [begin, end) of the run.
void celi_target_move(const CeliNet *target, const CeliNet *net, double tau, int64_t interval,
                      int64_t updates, int64_t begin, int64_t end);

// ---- temperature.

/// Temperature: alpha is what an update uses, log_alpha what Adam moves where it is learned.
typedef struct CeliTemperature {
  bool learned;
  double fixed, start, target_entropy;
  double log_max; ///< bound of log_alpha: that of the field, and where a target out of reach ends
  float *log_alpha, *d_log_alpha, *alpha; ///< (1,)
  CeliAdam adam;
} CeliTemperature;

/// What a temperature is to be.
typedef struct CeliTemperatureSpec {
  double ent_coef;       ///< NAN: learned
  double start;          ///< of a learned one
  double target_entropy; ///< nats
  double entropy_max;    ///< nats that the policy can have at most; INFINITY: no bound
  const char *policy;    ///< what has that entropy, for messages
} CeliTemperatureSpec;
/// A learned temperature rises for ever where the entropy stays below its target.
/// Errors: CEL_E_RANGE (a target that the policy cannot reach), and as cel_tensors_declare.
CelStatus celi_temperature_declare(CeliTemperature *t, CelAgent *agent,
                                   const CeliTemperatureSpec *spec) CEL_WARN_UNUSED;
/// Initial value and optimiser; the configuration without decay and clipping.
CelStatus celi_temperature_bind(CeliTemperature *t, const CelTensors *tensors,
                                CeliAdamConfig config) CEL_WARN_UNUSED;
/// alpha from what is saved.
void celi_temperature_sync(CeliTemperature *t);
/// One step on J_alpha = log alpha (H - Hbar) for the entropy that was seen; returns J_alpha, 0 where alpha is fixed.
double celi_temperature_step(CeliTemperature *t, double entropy);

// ---- experience.

typedef struct CeliExperienceSpec {
  int64_t buffer_size, learning_starts, train_freq, gradient_steps;
  bool normalize_observation, normalize_reward;
  double clip_observation, clip_reward, gamma;
} CeliExperienceSpec;
CeliExperienceSpec celi_off_policy_experience(const CelOffPolicyConfig *config);

/// What an agent has seen: replay, normaliser, and the counters that say when updates fall due. First member of a
/// learner's state, so that the functions of CeliAlgo that need no more are written once (below).
typedef struct CeliExperience {
  CelAgent *agent;
  CeliExperienceSpec spec;
  int64_t O, N;
  CeliReplay replay;
  CeliNormalizer norm;
  uint64_t *sample_counter; ///< (1,) blocks of the stream that updates sample from
  uint64_t *act_counter;    ///< (N,) blocks of each environment's exploration stream
  int64_t *env_steps;       ///< (1,) steps of each environment
  int64_t *pending;         ///< (1,) gradient steps that are due
  int64_t *since_train;     ///< (1,) steps since the last update
  uint8_t *begins;          ///< (N,) the next observation begins an episode
  uint8_t *acted;           ///< (1,) act came before observe
  void *last_action;        ///< (N rows) as stored, of the last act in CEL_EXPLORE
} CeliExperience;

/// Observations must be float32 boxes. `stored`: the space of actions as they lie in the buffer, one part.
/// Errors: CEL_E_UNSUPPORTED (observations), and as cel_tensors_declare.
CelStatus celi_experience_declare(CeliExperience *x, CelAgent *agent, const CelSpace *stored,
                                  const CeliExperienceSpec *spec) CEL_WARN_UNUSED;
/// After allocation.
void celi_experience_reset(CeliExperience *x);
/// Saved numbers may come from a broken file. Errors: CEL_E_CORRUPT, naming the one that cannot be.
CelStatus celi_experience_check(const CeliExperience *x) CEL_WARN_UNUSED;
/// Whether actions in this mode are still random.
bool celi_experience_random(const CeliExperience *x, CelActMode mode);
/// The observations to act on belong at the head of the replay. As a rule they are what the last outcome told;
/// where an environment was put somewhere else since, or its episode was begun anew, the one so far counts as cut
/// off. To be called once last_action is set.
void celi_experience_follow(CeliExperience *x, const float *obs, const uint8_t *start);
/// Draws a batch, its observations normalised; the caller places the outputs and says B and n.
void celi_experience_plan_sample(CeliExperience *x, CeliPlan *plan, CeliReplayBatch batch);

/// observe, due and replay of a learner whose state begins with its experience. Errors: CEL_E_STATE (no act before it).
CelStatus celi_off_policy_observe(CelAgent *agent, const CelOutcome *outcome) CEL_WARN_UNUSED;
int64_t celi_off_policy_due(const CelAgent *agent);
CeliReplay *celi_off_policy_replay(CelAgent *agent);

// ---- acting.

/// Rows that act and predict take through the actor at once.
enum { CELI_ACT_ROWS = 64 };

/// The actor on up to CELI_ACT_ROWS observations at a time.
typedef struct CeliActing {
  CeliPass pass;
  float *obs; ///< (CELI_ACT_ROWS, in): the observation, and what else the actor takes behind it
} CeliActing;
CelStatus celi_acting_declare(CeliActing *acting, CelTensors *tensors,
                              const CeliNet *actor) CEL_WARN_UNUSED;
/// After allocation.
void celi_acting_bind(CeliActing *acting);
/// The actor's output (n, out) for n observations.
const float *celi_acting_forward(CeliActing *acting, const CeliNormalizer *norm, const float *obs,
                                 int64_t n);

// ---- what is logged.

enum { CELI_MEANS_MAX = 10 };

/// Means over the updates of one call.
typedef struct CeliMeans {
  int n;                    ///< how many there are
  double *sum;              ///< (CELI_MEANS_MAX,) scratch
  int slot[CELI_MEANS_MAX]; ///< of the agent's metrics
  const char *const *name;  ///< (n,)
} CeliMeans;
CelStatus celi_means_declare(CeliMeans *means, CelTensors *tensors) CEL_WARN_UNUSED;
/// After allocation; `names` are literals, n of them, and stay.
void celi_means_bind(CeliMeans *means, CelAgent *agent, const char *const *names, int n);

/// An update: the plan, what Adam moves in it, and what is logged of it.
typedef struct CeliUpdate {
  CeliPlan *plan;
  CeliMeans means;
  int rate;                           ///< which of the means is the learning rate
  const CeliTemperature *temperature; ///< checked for running away; NULL: none is learned
  CeliAdam *adam[CELI_MEANS_MAX];
  int n_adams;
} CeliUpdate;

/// n updates of a learner whose state begins with its experience, at the schedule's learning rate; means are shown.
/// Errors: CEL_E_STATE (nothing to learn from yet), CEL_E_NAN (names the first mean that is not finite).
CelStatus celi_off_policy_update(CelAgent *agent, CeliUpdate *update, const CelSchedule *rate,
                                 int64_t n) CEL_WARN_UNUSED;

#endif
