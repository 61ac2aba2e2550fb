/// A stochastic policy: network, distribution, exploration noise and action scaling in one object.
///
/// All learners act through it, and use it on batches through a CeliPolicyPass (policy_pass.h).
/// Model files, export and inspection describe it (celi_policy_spec, algo/inspection.h). Acting is
///
///   observation -> normalizer -> network -> head -> distribution -> scaled action -> action
///
/// - The head is the network's output. With generalized state-dependent exploration (gSDE), sigma
///   comes from the last hidden layer, and the noise is a matrix M (F, A) that is used for some
///   steps: u = mean + latent M.
/// - Scaled actions are what the distribution draws and what replay buffers store: within [-1, 1]
///   if the policy is squashed, else in the environment's units. action = shift + scale * scaled.
/// - A sampler is a network that turns noise into actions: its input is the observation and A
///   standard normals xi, its output is u, and the scaled action is tanh(u).
///
/// There are two ways to draw actions (policy_act.c):
/// - Step by step, for learners from a replay buffer. Environment i draws from its own stream.
/// - In a rollout of T steps. Its noise is drawn at once: at step t, environment i uses row (i, t)
///   of its own stream. The actions are therefore the same whether environments are stepped one by
///   one, all together or by several threads.
/// Source: [maximum-entropy, 8.5], [actor-critic, 4.24]; gSDE: Raffin et al., CoRL 2021.
#ifndef CELI_POLICY_H
#define CELI_POLICY_H
#include "celsius/space.h"
#include "nn/dist.h"
#include "nn/net.h"
#include "nn/noise.h"
#include "rl/model.h"
#include "rl/normalizer.h"

/// Settings of a policy.
typedef struct CeliPolicyOptions {
  CeliMlpSpec net; ///< all but input and output width
  int64_t extra;   ///< outputs behind the head, which acting does not read
  /// Meaning of the head. With gSDE: a Gaussian without a free log_std; log_std_init is that of the
  /// matrix.
  CeliDistSpec dist;
  bool sampler;                              ///< dist is then a squashed Gaussian
  double temperature;                        ///< categorical: softmax(head / temperature); 0: 1
  int64_t sde_every;                         ///< gSDE: steps that a matrix is used; 0: no gSDE
  bool sde_expln;                            ///< gSDE: CeliGsde.expln
  bool sde_at_warmup;                        ///< gSDE: acts before learning_starts too
  double clip_mean;                          ///< gSDE: bound of the mean's absolute value; 0: none
  CeliNoiseKind noise;                       ///< added to scaled actions while exploring
  double noise_sigma, noise_theta, noise_dt; ///< as CeliNoise
} CeliPolicyOptions;

typedef struct CeliPolicy {
  CeliPolicyOptions options;
  CelSpace const *action;
  CeliNet net;
  CeliNetGrad grad;
  CeliDistSpec dist;    ///< options.dist
  CeliDist param;       ///< holds a free log_std
  CeliGsde sde;         ///< holds gSDE's log_std (F, A)
  int64_t F;            ///< features of gSDE; 0 without
  int64_t O, H, W;      ///< observation; head with extra outputs; random numbers of an action
  int64_t A;            ///< elements of an action; of a categorical: 1
  bool discrete;        ///< actions are discrete: noise is uniform
  size_t bytes;         ///< of an action
  float *scale, *shift; ///< (A,) role CEL_MODEL; NULL if discrete

  // Acting.
  const CeliNormalizer *norm;
  int64_t N, rows; ///< environments; rows of a forward pass
  uint64_t seed;
  CeliPass pass;     ///< (rows,)
  float *x, *head;   ///< (rows, in), (rows, H) scratch
  float *sde_matrix; ///< (N, F, A) in use
  float *noise;      ///< step by step: (rows, W) scratch; rollout: (N, T, W) of the rollout
  // Step by step.
  CeliNoise added;   ///< noise that is added to scaled actions
  void *scaled;      ///< (N rows) scratch
  float *sde_sample; ///< (F, A) matrix of one sample outside exploration
  // In a rollout.
  int64_t T;
  void *unscaled;                   ///< (N rows) actions of squashed policies, scratch
  float *sde_var;                   ///< (N + 1, F, A) sd^2, one per environment and one for samples
  float *sde_latent2, *sde_row_var; ///< (rows, F), (rows, A) scratch
  uint64_t *counter;                ///< (N,) block where the rollout's noise begins, role CEL_STATE
  uint64_t *sample_counter; ///< (N,) blocks used by samples outside of rollouts, role CEL_STATE
} CeliPolicy;

// ---- declaring, in any order after celi_policy_set

/// Sets the options and the spaces, which must outlive the policy. Declares nothing.
void celi_policy_set(CeliPolicy *policy, const CeliPolicyOptions *options,
                     const CelSpace *observation, const CelSpace *action);
/// The distribution over any action space: a Gaussian for one float32 box, categorical or Bernoulli
/// distributions for discrete actions. Points into the space. Errors: CEL_E_UNSUPPORTED (names the
/// space).
CelStatus celi_policy_dist(CeliDistSpec *dist, const CelSpace *action) CEL_WARN_UNUSED;
/// Declares "action_scale" and "action_shift" of continuous actions.
CelStatus celi_policy_declare_scale(CeliPolicy *policy, CelTensors *tensors) CEL_WARN_UNUSED;
/// Declares "actor.*": network, gSDE's or a free log_std, with gradients and moments. They must be
/// the first parameters of their optimizer. Errors: as celi_mlp_declare.
CelStatus celi_policy_declare_network(CeliPolicy *policy, CelTensors *tensors) CEL_WARN_UNUSED;
/// Declares the buffers of acting in rollouts of T steps. `norm` is the caller's and must stay in
/// place.
CelStatus celi_policy_declare_rollout(CeliPolicy *policy, CelTensors *tensors,
                                      const CeliNormalizer *norm, int64_t N, int64_t T,
                                      uint64_t seed) CEL_WARN_UNUSED;
/// The same for acting step by step.
CelStatus celi_policy_declare_steps(CeliPolicy *policy, CelTensors *tensors,
                                    const CeliNormalizer *norm, int64_t N,
                                    uint64_t seed) CEL_WARN_UNUSED;
/// Declares the state of added noise. Separate, so that checkpoints keep the order of their state.
CelStatus celi_policy_declare_noise(CeliPolicy *policy, CelTensors *tensors) CEL_WARN_UNUSED;
/// After the allocation: initial parameters, from streams first_index and on, and action scaling.
void celi_policy_init(CeliPolicy *policy, uint32_t first_index);

// ---- acting

/// actions (n rows) from scaled ones.
void celi_policy_unscale(const CeliPolicy *policy, void *actions, const void *scaled, int64_t n);
/// gSDE with clip_mean: clips rows [begin, end) of means (n,A) in place.
void celi_policy_clip_mean(const CeliPolicy *policy, float *mean, int64_t begin, int64_t end);
/// The modes of the policy for n observations.
void celi_policy_mode(const CeliPolicy *policy, void *actions, const float *obs, int64_t n);

// Step by step. counter (N,): blocks used of each environment's stream (seed, CEL_RNG_ACT, i).
/// New gSDE matrices for all environments if `step` is a multiple of sde_every; step 0: at once.
void celi_policy_renew(CeliPolicy *policy, int64_t step, uint64_t *counter);
/// Uniform scaled actions (N rows): between the bounds, or on [-1, 1] where an unsquashed policy
/// has no bounds.
void celi_policy_random(const CeliPolicy *policy, void *scaled, uint64_t *counter);
/// Samples of the policy: scaled (N rows). With gSDE, `explore` uses each environment's matrix;
/// otherwise each sample has a matrix of its own, so that it is a sample of N(mean, latent^2 sd^2).
void celi_policy_sample(const CeliPolicy *policy, void *scaled, const float *obs, bool explore,
                        uint64_t *counter);

// In a rollout.
/// Draws the noise of the current rollout for environments [begin, end), from step t on.
void celi_policy_rollout_draw(const CeliPolicy *policy, int64_t t, int64_t begin, int64_t end);
/// gSDE: new matrices for all environments from step t on.
void celi_policy_rollout_renew(CeliPolicy *policy, int64_t t);
/// Moves the counters past the noise of the rollout.
void celi_policy_rollout_advance(CeliPolicy *policy);
/// Step t of environments [begin, end): head (N,H) and scaled actions (N rows) from obs (N,O).
/// `pass` is a copy of policy->pass; each thread has its own.
void celi_policy_rollout_act(const CeliPolicy *policy, CeliPass *pass, int64_t t, void *scaled,
                             float *head, const float *obs, int64_t begin, int64_t end);
/// The actions of environments [begin, end) for scaled actions (N rows): the first is that of
/// `begin`. They are `scaled` itself where the policy is not squashed.
const void *celi_policy_rollout_actions(const CeliPolicy *policy, const void *scaled, int64_t begin,
                                        int64_t end);
/// Samples outside of rollouts, N rows. Changes only sample_counter.
void celi_policy_rollout_sample(CeliPolicy *policy, void *actions, const float *obs);

// ---- what it is

/// What the actor's output means, for model files.
CeliPolicySpec celi_policy_spec(const CeliPolicy *policy);
/// A free log_std (A,), or NULL.
static inline const float *celi_policy_free_log_std(const CeliPolicy *policy) {
  return policy->dist.free_log_std ? policy->param.log_std_param : NULL;
}
/// The largest entropy that the policy can have, in nats of the scaled action. INFINITY: no bound.
double celi_policy_entropy_max(const CeliPolicy *policy);
/// Mean of a free sigma, or of gSDE's sigma; NAN if there is neither.
double celi_policy_mean_std(const CeliPolicy *policy);
/// The last of the policy's parameters, of which "actor.0.weight" is the first.
void celi_policy_last_parameter(const CeliPolicy *policy, char name[CEL_NAME_MAX]);
/// Distance between actions in elements.
static inline ptrdiff_t celi_policy_lda(const CeliPolicy *policy) {
  return (ptrdiff_t)policy->A;
}

#endif
