/// Parts that all learners from a replay buffer use: policy, experience, trained networks, the
/// temperature and the logged means.
///
/// A learner's state begins with a CeliOffPolicy, so that its table can contain the functions at
/// the end. The learner has its own critics, equations and their order.
#ifndef CELI_OFF_POLICY_H
#define CELI_OFF_POLICY_H
#include "algo/algo.h"
#include "celsius/off_policy.h"
#include "nn/net.h"
#include "nn/optim.h"
#include "rl/normalizer.h"
#include "rl/policy_pass.h"
#include "rl/replay.h"

/// Field tables of the learners, each in ALGO_config.c.
extern const CelField celi_dsac_fields[];
extern const CelField celi_sql_fields[];
extern const CelField celi_sacv_fields[];
extern const CelField celi_sqlc_fields[];
extern const CelField celi_td3_fields[];
extern const CelField celi_dqn_fields[];

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
/// The network that the common fields describe.
CeliMlpSpec celi_off_policy_network(const CelOffPolicyConfig *config, int64_t in, int64_t out);
/// The same for a network of values, which has the widths critic_arch if they are set.
CeliMlpSpec celi_off_policy_critic(const CelOffPolicyConfig *config, int64_t in, int64_t out);
CeliAdamConfig celi_off_policy_adam(const CelOffPolicyConfig *config);

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
} CeliTemperatureSpec;
/// A learned temperature rises without limit if the entropy stays below its target.
/// Errors: CEL_E_RANGE (a target that the policy cannot reach), and as cel_tensors_declare.
CelStatus celi_temperature_declare(CeliTemperature *t, CelAgent *agent, const CeliPolicy *policy,
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
/// A batch of transitions from the replay buffer. Plans keep its address.
typedef struct CeliBatch {
  int64_t B, O, n;          ///< transitions; observation; steps of their returns
  float *obs, *next_obs;    ///< (B,O) ld and ld_next
  ptrdiff_t ld, ld_next;    ///< O, or O + A if there is room for actions behind the observation
  float *action;            ///< (B,A) ld, continuous: behind obs, as critics read them; else NULL
  int32_t *discrete;        ///< (B,) discrete actions, or NULL
  float *reward, *discount; ///< (B,)
  int64_t *row;             ///< (B,) row in the replay buffer
  float *mid_obs, *mid_weight; ///< n > 1: ((n-1) B, O), ((n-1), B) observations between, weights
} CeliBatch;
/// Declares "batch.*". `n`: steps of the returns. `room`: next_obs has room for actions, too.
CelStatus celi_batch_declare(CeliBatch *batch, const CeliExperience *x, int64_t B, int64_t n,
                             bool room) CEL_WARN_UNUSED;
/// The same with next_obs behind obs, as rows [B, 2B) of one matrix "batch.joint", and room in both
/// for actions. After the allocation, celi_batch_bind_joint sets next_obs.
CelStatus celi_batch_declare_joint(CeliBatch *batch, const CeliExperience *x, int64_t B,
                                   int64_t n) CEL_WARN_UNUSED;
void celi_batch_bind_joint(CeliBatch *batch);
/// Samples the batch, with normalized observations.
void celi_batch_plan_sample(CeliPlan *plan, CeliBatch *batch, CeliExperience *x);
/// Copies the batch's observations to `to` (B, ld), beside the actions that the policy writes.
void celi_batch_plan_copy_obs(CeliPlan *plan, const CeliBatch *batch, float *to);

/// CeliAlgo's observe, due and replay. Errors: CEL_E_STATE (no act before observe).
CelStatus celi_off_policy_observe(CelAgent *agent, const CelOutcome *outcome) CEL_WARN_UNUSED;
/// CeliAlgo's replace. Errors: CEL_E_STATE (no act before it).
CelStatus celi_off_policy_replace(CelAgent *agent, const void *actions) CEL_WARN_UNUSED;
void celi_off_policy_renew(CelAgent *agent);
void celi_off_policy_restart(CelAgent *agent);
int64_t celi_off_policy_due(const CelAgent *agent);
CeliReplay *celi_off_policy_replay(CelAgent *agent);

// ---- logged means.

enum { CELI_MEANS_MAX = 10 };

/// Means over the updates of one call.
typedef struct CeliMeans {
  int n;                    ///< how many there are
  double *sum;              ///< (CELI_MEANS_MAX,) scratch
  int slot[CELI_MEANS_MAX]; ///< positions among the agent's metrics
  /// Above 1: the value exists only every so many updates. A call without it leaves the metric.
  int64_t every[CELI_MEANS_MAX];
  const char *const *name; ///< (n,)
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
/// Streams of initial parameters. Each network uses a block of indices.
enum { CELI_INIT_ACTOR = 0, CELI_INIT_CRITIC = 4096, CELI_INIT_VALUE = 8192 };

/// What all learners from a replay buffer have. The functions of CeliAlgo that need only this are
/// below. Critics and equations are the learner's own.
typedef struct CeliOffPolicy {
  CeliExperience experience; ///< first, so that the functions above find it
  const CelOffPolicyConfig *config;
  CeliPolicy policy;
  CeliAdam actor; ///< the policy's optimizer
  CeliTemperature temperature;
  /// The learner's values, set by the learner; its policy and a learned temperature are added.
  CeliInspection view;
  CeliNet *trained[CELI_TRAINED_MAX];
  int n_trained;
  CeliUpdate update;
} CeliOffPolicy;

// ---- declaring, in this order.

/// The policy of the common fields: `dist` says what its head means; the rest is zero.
CeliPolicyOptions celi_off_policy_options(const CelOffPolicyConfig *config, CeliDistSpec dist);
/// A Gaussian policy, squashed or not. Errors: CEL_E_RANGE (log_std_min is not below log_std_max).
CelStatus celi_off_policy_gaussian(CeliPolicyOptions *options, const CelAgent *agent,
                                   const CelOffPolicyConfig *config, CelPolicyKind kind,
                                   double log_std_min, double log_std_max) CEL_WARN_UNUSED;
/// Replaces the policy's noise by gSDE. sample_freq: steps between new noise functions; -1: every
/// train_freq. Errors: as celi_agent_check_sde.
CelStatus celi_off_policy_sde(CeliPolicyOptions *options, const CelAgent *agent,
                              const CelOffPolicyConfig *config,
                              int64_t sample_freq) CEL_WARN_UNUSED;
/// Checks the spaces and declares action scaling, experience and the network "actor".
/// Errors: CEL_E_UNSUPPORTED (names the space), and as celi_experience_declare.
CelStatus celi_off_policy_declare(CeliOffPolicy *off, CelAgent *agent,
                                  const CelOffPolicyConfig *config,
                                  const CeliPolicyOptions *policy) CEL_WARN_UNUSED;
/// After the learner's own tensors: what acting and training need. `trained` (n,) are the networks
/// besides the policy, with their names.
CelStatus celi_off_policy_declare_training(CeliOffPolicy *off, CeliTrained *const *trained,
                                           const char *const *names, int n) CEL_WARN_UNUSED;
/// Declares a policy's pass on a batch, for the agent's team.
CelStatus celi_off_policy_pass(CeliOffPolicy *off, CeliPolicyPass *pass, const char *name,
                               CeliPolicyUse use, int64_t B, bool backward) CEL_WARN_UNUSED;

// ---- preparing, after the allocation.

/// Initial policy, experience and temperature, and the means `names` (n,), of which `rate` is the
/// learning rate. Binds the policy's optimizer.
CelStatus celi_off_policy_prepare(CelAgent *agent, const char *const *names, int n,
                                  int rate) CEL_WARN_UNUSED;
/// Draws the initial parameters of the network declared as `name`, from streams `first_index` and
/// on, and binds its optimizer. From then on the schedule sets its learning rate and sync
/// updates its transposed weights.
CelStatus celi_off_policy_train(CeliOffPolicy *off, CeliTrained *trained, const char *name,
                                uint32_t first_index) CEL_WARN_UNUSED;
/// Copies n parameters of a network to its target.
void celi_target_copy(CeliNet *target, const CeliNet *net, int64_t n);

// ---- in the plan of an update.

/// target += tau (p - target) for n parameters, every target_update_interval updates.
void celi_off_policy_plan_target(CeliOffPolicy *off, const CeliNet *target, const CeliNet *net,
                                 int64_t n);
/// An operation on rows of the batch. Its argument points to the learner's state.
void celi_off_policy_plan_rows(CeliOffPolicy *off, const char *name, CeliOpFn fn, int64_t rows);
/// The last operation of an update, in one thread: logged means, temperature and counters. The
/// learner declares what else it touches.
void celi_off_policy_plan_finish(CeliOffPolicy *off, const char *name, CeliOpFn fn);
/// Lets the operations from here on run only every `every` updates. 1 ends this.
void celi_off_policy_plan_every(CeliOffPolicy *off, int64_t every);
/// Whether the current update is one of these; before it is counted.
bool celi_off_policy_is_due(const CeliOffPolicy *off, int64_t every);
/// In that operation: counts the update and its random numbers.
void celi_off_policy_count(CeliOffPolicy *off, int64_t batch);

// ---- functions of CeliAlgo.

/// One way down: policy, exploration noise, scaling. CEL_EXPLORE acts at random before learning
/// starts, and stores the scaled actions as the last ones.
CelStatus celi_off_policy_act(CelAgent *agent, const void *obs, const uint8_t *start,
                              CelActMode mode, void *actions) CEL_WARN_UNUSED;
CelStatus celi_off_policy_predict(CelAgent *agent, const void *obs, int64_t n,
                                  void *actions) CEL_WARN_UNUSED;
CeliInspection celi_off_policy_inspect(CelAgent *agent);
/// n updates at the schedule's learning rate; shows the means.
/// Errors: CEL_E_STATE (nothing to learn from yet), CEL_E_NAN (names the first mean that is not
/// finite).
CelStatus celi_off_policy_update(CelAgent *agent, int64_t n) CEL_WARN_UNUSED;
/// Recomputes what follows from saved tensors. Errors: as celi_experience_check.
CelStatus celi_off_policy_sync(CelAgent *agent) CEL_WARN_UNUSED;
void celi_off_policy_release(CelAgent *agent);
int celi_off_policy_plans(const CelAgent *agent, CeliNamedPlan plans[CELI_PLANS_MAX]);
/// The functions above in their places in a learner's table, without act and observe.
#define CELI_OFF_POLICY_LEARNING                                                                   \
  .plans = celi_off_policy_plans, .release = celi_off_policy_release, .due = celi_off_policy_due,  \
  .update = celi_off_policy_update, .predict = celi_off_policy_predict,                            \
  .sync = celi_off_policy_sync, .inspect = celi_off_policy_inspect,                                \
  .replay = celi_off_policy_replay, .replace = celi_off_policy_replace,                            \
  .renew = celi_off_policy_renew, .restart = celi_off_policy_restart
/// All of them.
#define CELI_OFF_POLICY_TABLE                                                                      \
  CELI_OFF_POLICY_LEARNING, .act = celi_off_policy_act, .observe = celi_off_policy_observe

#endif
