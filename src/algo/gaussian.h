/// The Gaussian policy of learners from a replay buffer: network, distribution, exploration noise
/// and action scaling in one object, over one box of actions.
///
/// u ~ N(mean, sigma^2) with mean and log sigma from the network; the action is tanh(u) where the
/// policy is squashed, else u. With gSDE, sigma comes from the last hidden layer, and noise is a
/// matrix M (H, A) that is used for some steps. Learners act through it, and use it on batches
/// through a CeliGaussianPass.
/// Source: [maximum-entropy, 8.5]; gSDE: Raffin et al., CoRL 2021.
#ifndef CELI_GAUSSIAN_H
#define CELI_GAUSSIAN_H
#include "algo/box.h"
#include "algo/off_policy.h"
#include "nn/noise.h"

typedef struct CeliGaussianSpec {
  bool squash;
  double log_std_min, log_std_max;           ///< clamp of log sigma
  CeliNoiseKind noise;                       ///< exploration noise
  double noise_sigma, noise_theta, noise_dt; ///< of normal and Ornstein-Uhlenbeck noise
  double log_std_init;                       ///< gSDE: log sigma at the start
  int64_t sde_every;                         ///< gSDE: steps that a matrix is used
} CeliGaussianSpec;

typedef struct CeliGaussianPolicy {
  CelAgent *agent;
  CeliExperience *experience;
  CeliGaussianSpec spec;
  CeliDistSpec dist;
  bool gsde;
  CeliTrained actor;
  CeliBox box;
  CeliActing acting;
  CeliNoise noise;
  CeliGsde sde;      ///< gSDE: holds log_std (H, A)
  float *sde_matrix; ///< (N, H, A) matrices of exploration, saved
  float *sde_sample; ///< (H, A) matrix of one sample outside exploration
} CeliGaussianPolicy;

/// Checks the action space and declares the scaling of actions. Call it first.
/// Errors: CEL_E_RANGE (log_std_min), and as celi_box_declare.
CelStatus celi_gaussian_declare(CeliGaussianPolicy *policy, CelAgent *agent,
                                CeliExperience *experience,
                                const CeliGaussianSpec *spec) CEL_WARN_UNUSED;
/// Declares the experience, which stores scaled actions. Errors: as celi_experience_declare.
CelStatus celi_gaussian_declare_experience(CeliGaussianPolicy *policy,
                                           const CeliExperienceSpec *spec) CEL_WARN_UNUSED;
/// Declares the network "actor" that the common fields ask for, and gSDE's log_std behind it.
/// Errors: CEL_E_RANGE (gSDE without a hidden layer), and as celi_net_declare.
CelStatus celi_gaussian_declare_network(CeliGaussianPolicy *policy,
                                        const CelOffPolicyConfig *config) CEL_WARN_UNUSED;
/// Declares gSDE's matrices, which are state, and what acting needs.
CelStatus celi_gaussian_declare_acting(CeliGaussianPolicy *policy) CEL_WARN_UNUSED;
/// Declares additive noise. Call it after all other state is declared, so
/// that checkpoints keep their order.
CelStatus celi_gaussian_declare_noise(CeliGaussianPolicy *policy) CEL_WARN_UNUSED;
/// After the allocation: initial parameters, from streams `first_index` and on, and action scaling.
void celi_gaussian_reset(CeliGaussianPolicy *policy, uint32_t first_index);
/// Binds the optimizer, as celi_off_policy_train.
CelStatus celi_gaussian_train(CeliGaussianPolicy *policy, CeliOffPolicy *off) CEL_WARN_UNUSED;
/// The largest entropy, in nats of the scaled action, that the policy can have.
double celi_gaussian_entropy_max(const CeliGaussianPolicy *policy);

/// CeliAlgo's act and predict; exploration writes the replay buffer's newest action.
CelStatus celi_gaussian_act(CeliGaussianPolicy *policy, const float *obs, const uint8_t *start,
                            CelActMode mode, float *actions) CEL_WARN_UNUSED;
void celi_gaussian_predict(CeliGaussianPolicy *policy, const float *obs, int64_t n, float *actions);
/// What the actor's output means, for model files and inspection.
CeliPolicySpec celi_gaussian_policy(const CeliGaussianPolicy *policy, CeliActivation activation);

/// The policy on B rows of a batch. Plans keep its address.
typedef struct CeliGaussianPass {
  const CeliGaussianPolicy *policy;
  CeliPass net; ///< X and ldx are set by the caller
  CeliDist dist;
  CeliGsde sde;
} CeliGaussianPass;
CelStatus celi_gaussian_pass_declare(CeliGaussianPass *pass, const char *name,
                                     const CeliGaussianPolicy *policy, int64_t B,
                                     bool backward) CEL_WARN_UNUSED;
/// (B,) log pi of the sampled actions, and its gradient, which the caller sets before the backward
/// pass.
static inline float *celi_gaussian_logp(const CeliGaussianPass *pass) {
  return pass->policy->gsde ? pass->sde.logp : pass->dist.logp;
}
static inline float *celi_gaussian_d_logp(const CeliGaussianPass *pass) {
  return pass->policy->gsde ? pass->sde.d_logp : pass->dist.d_logp;
}
// ---- into a plan.
/// action (B,A) lda and logp: a sample with noise of stream (seed, CEL_RNG_NOISE, index) from block
/// *counter.
void celi_gaussian_plan_sample(CeliPlan *plan, const CeliGaussianPass *pass, float *action,
                               ptrdiff_t lda, uint32_t index, const uint64_t *counter);
/// From d_action (B,A), d_logp and the sampled action (B,A) lda down the network.
void celi_gaussian_plan_backward_data(CeliPlan *plan, const CeliGaussianPass *pass,
                                      const float *d_action, const float *action, ptrdiff_t lda);

#endif
