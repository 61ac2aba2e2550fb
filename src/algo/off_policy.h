/// Parts of learners from a replay buffer: experience, trained networks, acting, temperature,
/// logged means.
///
/// A learner holds each part as a struct, declares it and binds it. No part calls back. The learner
/// itself defines the equations and their order.
#ifndef CELI_OFF_POLICY_H
#define CELI_OFF_POLICY_H
#include "algo/algo.h"
#include "celsius/off_policy.h"
#include "nn/net.h"
#include "nn/optim.h"
#include "rl/normalizer.h"
#include "rl/replay.h"

/// Field tables of the learners, each in ALGO_config.c.
extern const CelField celi_dsac_fields[];
extern const CelField celi_sql_fields[];
extern const CelField celi_sacv_fields[];
extern const CelField celi_sqlc_fields[];

// ---- networks.

/// A network with its gradient, its target (if it has one) and its optimizer.
typedef struct CeliTrained {
  CeliNet net;
  CeliNetGrad grad;
  CeliAdam adam;
} CeliTrained;

/// Declares parameters, gradient and moments under `name`.
CelStatus celi_trained_declare(CeliTrained *trained, CelTensors *tensors, const char *name,
                               const CeliMlpSpec *spec) CEL_WARN_UNUSED;
/// Declares the optimizer "adam.NAME".
CelStatus celi_trained_declare_adam(CeliTrained *trained, CelTensors *tensors,
                                    const char *name) CEL_WARN_UNUSED;
/// Binds the optimizer to the network's parameters. `last` is the last tensor of its run; NULL: the
/// last bias.
CelStatus celi_trained_bind(CeliTrained *trained, const CelTensors *tensors, const char *name,
                            const char *last, const CeliAdamConfig *config) CEL_WARN_UNUSED;
/// The network shape that the common fields define.
CeliMlpSpec celi_off_policy_network(const CelOffPolicyConfig *config, int64_t in, int64_t out);
CeliAdamConfig celi_off_policy_adam(const CelOffPolicyConfig *config);

/// target += tau (p - target), every `interval` updates, for elements [begin, end) of the run.
void celi_target_move(const CeliNet *target, const CeliNet *net, double tau, int64_t interval,
                      int64_t updates, int64_t begin, int64_t end);

// ---- temperature.

/// Temperature: an update uses alpha. If it is learned, Adam changes log_alpha.
typedef struct CeliTemperature {
  bool learned;
  double fixed, start, target_entropy;
  double log_max;                         ///< largest log_alpha
  float *log_alpha, *d_log_alpha, *alpha; ///< (1,)
  CeliAdam adam;
} CeliTemperature;

/// Settings of a temperature.
typedef struct CeliTemperatureSpec {
  double ent_coef;       ///< NAN: learned
  double start;          ///< initial value of a learned one
  double target_entropy; ///< nats
  double entropy_max;    ///< highest possible entropy of the policy, nats; INFINITY: no bound
  const char *policy;    ///< what has that entropy, for messages
} CeliTemperatureSpec;
/// A learned temperature rises without end while the entropy is below its target.
/// Errors: CEL_E_RANGE (a target that the policy cannot reach), and as cel_tensors_declare.
CelStatus celi_temperature_declare(CeliTemperature *t, CelAgent *agent,
                                   const CeliTemperatureSpec *spec) CEL_WARN_UNUSED;
/// Sets the initial value and binds the optimizer, without weight decay and clipping.
CelStatus celi_temperature_bind(CeliTemperature *t, const CelTensors *tensors,
                                CeliAdamConfig config) CEL_WARN_UNUSED;
/// Computes alpha from the saved values.
void celi_temperature_sync(CeliTemperature *t);
/// One step on J_alpha = log alpha (H - Hbar) for the measured entropy. Returns J_alpha, or 0 if
/// alpha is fixed.
double celi_temperature_step(CeliTemperature *t, double entropy);

// ---- experience.

typedef struct CeliExperienceSpec {
  int64_t buffer_size, learning_starts, train_freq, gradient_steps;
  bool normalize_observation, normalize_reward;
  double clip_observation, clip_reward, gamma;
} CeliExperienceSpec;
CeliExperienceSpec celi_off_policy_experience(const CelOffPolicyConfig *config);

/// An agent's experience: replay buffer, normalizer, and counters for due updates. It must be the
/// first member of a learner's state, so that the functions of CeliAlgo below work for all
/// learners.
typedef struct CeliExperience {
  CelAgent *agent;
  CeliExperienceSpec spec;
  int64_t O, N;
  CeliReplay replay;
  CeliNormalizer norm;
  uint64_t *sample_counter; ///< (1,) blocks used of the updates' sampling stream
  uint64_t *act_counter;    ///< (N,) blocks of each environment's exploration stream
  int64_t *env_steps;       ///< (1,) steps of each environment
  int64_t *pending;         ///< (1,) gradient steps due
  int64_t *since_train;     ///< (1,) steps since the last update
  uint8_t *begins;          ///< (N,) 1 if the next observation starts an episode
  uint8_t *acted;           ///< (1,) whether act was called since the last observe
  void *last_action;        ///< (N rows) as stored, from the last act in CEL_EXPLORE
} CeliExperience;

/// Observations must be float32 boxes. `stored` is the space of actions in the buffer, with one
/// part.
/// Errors: CEL_E_UNSUPPORTED (observations), and as cel_tensors_declare.
CelStatus celi_experience_declare(CeliExperience *x, CelAgent *agent, const CelSpace *stored,
                                  const CeliExperienceSpec *spec) CEL_WARN_UNUSED;
/// Call it after the allocation.
void celi_experience_reset(CeliExperience *x);
/// Checks saved numbers, which may come from a broken file. Errors: CEL_E_CORRUPT (names the
/// impossible one).
CelStatus celi_experience_check(const CeliExperience *x) CEL_WARN_UNUSED;
/// Whether actions in this mode are still uniformly random.
bool celi_experience_random(const CeliExperience *x, CelActMode mode);
/// Makes the observations to act on the newest in the replay buffer. They are usually those of the
/// last outcome. If an environment was moved or its episode restarted, the episode so far counts as
/// truncated. Call it after last_action is set.
void celi_experience_follow(CeliExperience *x, const float *obs, const uint8_t *start);
/// Draws a batch with normalized observations. The caller sets the outputs, B and n.
void celi_experience_plan_sample(CeliExperience *x, CeliPlan *plan, CeliReplayBatch batch);

/// observe, due and replay for a learner whose state begins with its experience.
/// Errors: CEL_E_STATE (no act before).
CelStatus celi_off_policy_observe(CelAgent *agent, const CelOutcome *outcome) CEL_WARN_UNUSED;
int64_t celi_off_policy_due(const CelAgent *agent);
CeliReplay *celi_off_policy_replay(CelAgent *agent);

// ---- acting.

/// Rows of the actor's pass in act and predict.
enum { CELI_ACT_ROWS = 64 };

/// The actor on at most CELI_ACT_ROWS observations at a time.
typedef struct CeliActing {
  CeliPass pass;
  float *obs; ///< (CELI_ACT_ROWS, in): the observation, then other inputs of the actor
} CeliActing;
CelStatus celi_acting_declare(CeliActing *acting, CelTensors *tensors,
                              const CeliNet *actor) CEL_WARN_UNUSED;
/// Call it after the allocation.
void celi_acting_bind(CeliActing *acting);
/// The actor's output (n, out) for n observations.
const float *celi_acting_forward(CeliActing *acting, const CeliNormalizer *norm, const float *obs,
                                 int64_t n);

// ---- logged means.

enum { CELI_MEANS_MAX = 10 };

/// Means over the updates of one call.
typedef struct CeliMeans {
  int n;                    ///< number of means
  double *sum;              ///< (CELI_MEANS_MAX,) scratch
  int slot[CELI_MEANS_MAX]; ///< slots in the agent's metrics
  const char *const *name;  ///< (n,)
} CeliMeans;
CelStatus celi_means_declare(CeliMeans *means, CelTensors *tensors) CEL_WARN_UNUSED;
/// Call it after the allocation. `names` are n literals.
void celi_means_bind(CeliMeans *means, CelAgent *agent, const char *const *names, int n);

/// An update: the plan, its optimizers, and its logged means.
typedef struct CeliUpdate {
  CeliPlan *plan;
  CeliMeans means;
  int rate; ///< index of the learning rate among the means
  CeliAdam *adam[CELI_MEANS_MAX];
  int n_adams;
} CeliUpdate;

// ---- the first part of the state of every learner from a replay buffer.

enum { CELI_TRAINED_MAX = 4 };

/// A learner's state begins with it, followed by the learner's networks and buffers. The functions
/// of CeliAlgo that need nothing else are below.
typedef struct CeliOffPolicy {
  CeliExperience experience; ///< first: the functions above find it
  const CelOffPolicyConfig *config;
  CeliTemperature *temperature; ///< NULL: the learner has none
  CeliTrained *trained[CELI_TRAINED_MAX];
  int n_trained;
  CeliUpdate update;
} CeliOffPolicy;

/// Binds the optimizer of a network that was declared as `name`. From then on the schedule sets its
/// learning rate and sync updates its transposed weights. `last`: as celi_trained_bind.
CelStatus celi_off_policy_train(CeliOffPolicy *off, CeliTrained *trained, const char *name,
                                const char *last) CEL_WARN_UNUSED;
/// The same for the temperature.
CelStatus celi_off_policy_train_temperature(CeliOffPolicy *off,
                                            CeliTemperature *temperature) CEL_WARN_UNUSED;
/// Copies a network to its target. The network's optimizer must be bound.
void celi_target_copy(CeliNet *target, const CeliTrained *trained);

/// Does n updates at the schedule's learning rate and sets the metrics.
/// Errors: CEL_E_STATE (no transitions yet), CEL_E_NAN (names the first mean that is not finite).
CelStatus celi_off_policy_update(CelAgent *agent, int64_t n) CEL_WARN_UNUSED;
/// Recomputes derived values from saved tensors. Errors: as celi_experience_check.
CelStatus celi_off_policy_sync(CelAgent *agent) CEL_WARN_UNUSED;
void celi_off_policy_release(CelAgent *agent);
/// The functions above, as entries of a learner's table.
#define CELI_OFF_POLICY_TABLE                                                                      \
  .release = celi_off_policy_release, .observe = celi_off_policy_observe,                          \
  .due = celi_off_policy_due, .update = celi_off_policy_update, .sync = celi_off_policy_sync,      \
  .replay = celi_off_policy_replay

#endif
