/// Parts that all learners from a replay buffer use: experience, trained networks, acting, the
/// temperature and the logged means.
///
/// A learner holds these structs, declares them and binds them. None of them calls back. The
/// learner has its own equations and their order.
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

/// A network with its gradient and its optimizer.
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
/// Binds the optimizer to the network's parameters. `last` is the last tensor that it updates;
/// NULL: the network's last parameter.
CelStatus celi_trained_bind(CeliTrained *trained, const CelTensors *tensors, const char *name,
                            const char *last, const CeliAdamConfig *config) CEL_WARN_UNUSED;
/// The network that the common fields describe.
CeliMlpSpec celi_off_policy_network(const CelOffPolicyConfig *config, int64_t in, int64_t out);
CeliAdamConfig celi_off_policy_adam(const CelOffPolicyConfig *config);

/// target += tau (p - target) for elements [begin, end), every `interval` updates.
void celi_target_move(const CeliNet *target, const CeliNet *net, double tau, int64_t interval,
                      int64_t updates, int64_t begin, int64_t end);

// ---- temperature.

/// Temperature. Updates use alpha. Adam updates log_alpha if the temperature is learned.
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
  double start;          ///< initial value of a learned temperature
  double target_entropy; ///< nats
  double entropy_max;    ///< largest entropy of the policy, in nats; INFINITY: no bound
  const char *policy;    ///< describes the policy in messages
} CeliTemperatureSpec;
/// A learned temperature rises without limit if the entropy stays below its target.
/// Errors: CEL_E_RANGE (a target that the policy cannot reach), and as cel_tensors_declare.
CelStatus celi_temperature_declare(CeliTemperature *t, CelAgent *agent,
                                   const CeliTemperatureSpec *spec) CEL_WARN_UNUSED;
/// Sets the initial value and binds the optimizer, without weight decay and clipping.
CelStatus celi_temperature_bind(CeliTemperature *t, const CelTensors *tensors,
                                CeliAdamConfig config) CEL_WARN_UNUSED;
/// Recomputes alpha from the saved log_alpha.
void celi_temperature_sync(CeliTemperature *t);
/// One step on J_alpha = log alpha (H - Hbar) at the batch's entropy H. Returns J_alpha; 0 if alpha
/// is fixed.
double celi_temperature_step(CeliTemperature *t, double entropy);

// ---- experience.

typedef struct CeliExperienceSpec {
  int64_t buffer_size, learning_starts, train_freq, gradient_steps;
  bool normalize_observation, normalize_reward;
  double clip_observation, clip_reward, gamma;
} CeliExperienceSpec;
CeliExperienceSpec celi_off_policy_experience(const CelOffPolicyConfig *config);

/// The agent's experience: replay buffer, normalizer, and the counters that say when updates are
/// due.
typedef struct CeliExperience {
  CelAgent *agent;
  CeliExperienceSpec spec;
  int64_t O, N;
  CeliReplay replay;
  CeliNormalizer norm;
  uint64_t *sample_counter; ///< (1,) blocks used of the stream that samples batches
  uint64_t *act_counter;    ///< (N,) blocks used of each environment's exploration stream
  int64_t *env_steps;       ///< (1,) steps of each environment
  int64_t *pending;         ///< (1,) gradient steps that are due
  int64_t *since_train;     ///< (1,) steps since the last update
  uint8_t *begins;          ///< (N,) the next observation begins an episode
  uint8_t *acted;           ///< (1,) act was called since the last observe
  void *last_action;        ///< (N rows) the last actions of CEL_EXPLORE, as the buffer stores them
} CeliExperience;

/// Observations must be float32 boxes. `stored` is the space of the actions that the buffer stores;
/// it has one part.
/// Errors: CEL_E_UNSUPPORTED (observations), and as cel_tensors_declare.
CelStatus celi_experience_declare(CeliExperience *x, CelAgent *agent, const CelSpace *stored,
                                  const CeliExperienceSpec *spec) CEL_WARN_UNUSED;
/// After allocation.
void celi_experience_reset(CeliExperience *x);
/// Checks counters that were read from a file. Errors: CEL_E_CORRUPT (names the counter).
CelStatus celi_experience_check(const CeliExperience *x) CEL_WARN_UNUSED;
/// Whether actions in this mode are still uniformly random (learning_starts).
bool celi_experience_random(const CeliExperience *x, CelActMode mode);
/// Writes the observations to act on to the head of the replay buffer. They are usually those of
/// the last outcome. If an environment was set to another state or reset since, its episode counts
/// as truncated there. Call it after last_action is set.
void celi_experience_follow(CeliExperience *x, const float *obs, const uint8_t *start);
/// Samples a batch with normalized observations. The caller sets the output pointers, B and n.
void celi_experience_plan_sample(CeliExperience *x, CeliPlan *plan, CeliReplayBatch batch);

/// CeliAlgo's observe, due and replay. Errors: CEL_E_STATE (no act before observe).
CelStatus celi_off_policy_observe(CelAgent *agent, const CelOutcome *outcome) CEL_WARN_UNUSED;
int64_t celi_off_policy_due(const CelAgent *agent);
CeliReplay *celi_off_policy_replay(CelAgent *agent);

// ---- acting.

/// Rows of one forward pass in act and predict.
enum { CELI_ACT_ROWS = 64 };

/// The actor on up to CELI_ACT_ROWS observations at a time.
typedef struct CeliActing {
  CeliPass pass;
  float *obs; ///< (CELI_ACT_ROWS, in) observations, and what follows them in the actor's input
} CeliActing;
CelStatus celi_acting_declare(CeliActing *acting, CelTensors *tensors,
                              const CeliNet *actor) CEL_WARN_UNUSED;
/// After allocation.
void celi_acting_bind(CeliActing *acting);
/// The actor's output (n, out) for n observations.
const float *celi_acting_forward(CeliActing *acting, const CeliNormalizer *norm, const float *obs,
                                 int64_t n);

// ---- logged means.

enum { CELI_MEANS_MAX = 10 };

/// Means over the updates of one call.
typedef struct CeliMeans {
  int n;                    ///< how many there are
  double *sum;              ///< (CELI_MEANS_MAX,) scratch
  int slot[CELI_MEANS_MAX]; ///< positions among the agent's metrics
  const char *const *name;  ///< (n,)
} CeliMeans;
CelStatus celi_means_declare(CeliMeans *means, CelTensors *tensors) CEL_WARN_UNUSED;
/// After allocation. `names` (n,) must outlive the agent.
void celi_means_bind(CeliMeans *means, CelAgent *agent, const char *const *names, int n);

/// An update: its plan, its optimizers and its logged means.
typedef struct CeliUpdate {
  CeliPlan *plan;
  CeliMeans means;
  int rate; ///< index of the learning rate among the means
  CeliAdam *adam[CELI_MEANS_MAX];
  int n_adams;
} CeliUpdate;

// ---- the first member of every learner's state.

enum { CELI_TRAINED_MAX = 4 };

/// What all learners from a replay buffer have. The functions of CeliAlgo that need only this are
/// below. Networks and equations are the learner's own.
typedef struct CeliOffPolicy {
  CeliExperience experience; ///< first, so that the functions above find it
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
/// Copies the network's parameters to its target. Call it after the optimizer is bound, which
/// counts them.
void celi_target_copy(CeliNet *target, const CeliTrained *trained);

/// n updates at the schedule's learning rate; shows the means.
/// Errors: CEL_E_STATE (nothing to learn from yet), CEL_E_NAN (names the first mean that is not
/// finite).
CelStatus celi_off_policy_update(CelAgent *agent, int64_t n) CEL_WARN_UNUSED;
/// Recomputes what follows from saved tensors. Errors: as celi_experience_check.
CelStatus celi_off_policy_sync(CelAgent *agent) CEL_WARN_UNUSED;
void celi_off_policy_release(CelAgent *agent);
/// The functions above in their places in a learner's table.
#define CELI_OFF_POLICY_TABLE                                                                      \
  .release = celi_off_policy_release, .observe = celi_off_policy_observe,                          \
  .due = celi_off_policy_due, .update = celi_off_policy_update, .sync = celi_off_policy_sync,      \
  .replay = celi_off_policy_replay

#endif
