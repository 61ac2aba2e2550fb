/// A stochastic policy that acts for N environments: network, distribution, noise.
///
/// The noise of a rollout of T steps is drawn at once: at step t, environment i uses row (i, t) of
/// its own stream. The actions are therefore the same whether environments are stepped one by one,
/// all together or by several threads. With generalized state-dependent exploration (gSDE), the
/// noise of an environment is a matrix M (F, A) that is used for sde_every steps: u = mean + latent
/// M. The head is then that of a Gaussian whose sigma depends on the state.
/// Source: [actor-critic, 4.24]
#ifndef CELI_ACTOR_H
#define CELI_ACTOR_H
#include "celsius/space.h"
#include "nn/dist.h"
#include "nn/net.h"
#include "nn/noise.h"
#include "rl/model.h"
#include "rl/normalizer.h"

typedef struct CeliActor {
  CeliNet net;
  CeliNetGrad grad;
  CeliActivation activation; ///< of the hidden layers
  CeliDistSpec dist;         ///< of the head
  CeliDist param;    ///< holds a free log_std
  CeliGsde sde;      ///< holds gSDE's log_std (F, A)
  int64_t F;         ///< features of gSDE; 0 without
  int64_t sde_every; ///< steps that a matrix is held
  const CeliNormalizer *norm;
  int64_t N, T;    ///< environments; steps of a rollout
  int64_t O, H, W; ///< observation; head; random numbers of an action
  int64_t A;       ///< elements of an action
  bool discrete;   ///< actions are choices: noise is uniform
  size_t bytes;    ///< of an action
  uint64_t seed;
  CeliPass pass;     ///< acting, rows of max(N, 64)
  float *x, *head;   ///< (rows, O), (rows, H) scratch
  float *noise;      ///< (N, T, W) of the running rollout; not with gSDE
  float *sde_matrix; ///< (N, F, A) in force
  float *sde_var; ///< (N + 1, F, A) exp(2 log_std), one a thread's environment and one for samples
  float *sde_latent2, *sde_row_var; ///< (rows, F), (rows, A) scratch
  uint64_t *counter;        ///< (N,) block where the running rollout's noise begins, role CEL_STATE
  uint64_t *sample_counter; ///< (N,) blocks used by samples outside of rollouts, role CEL_STATE
  float *action_scale,
      *action_shift; ///< (A,) 1 and 0, or NULL: what model files say of continuous actions
} CeliActor;

/// The distribution over an action space: a Gaussian for one float32 box, categorical or Bernoulli
/// distributions for discrete actions. Points into the space. Errors: CEL_E_UNSUPPORTED (names the
/// space).
CelStatus celi_actor_dist(CeliDistSpec *dist, const CelSpace *action) CEL_WARN_UNUSED;
/// Declares "actor.*": network and free log_std with gradients and moments. They must be the first
/// parameters of their optimizer. `net`: all but its input and output width. `sde_every`: 0, or the
/// steps between gSDE matrices; `dist` is then a Gaussian whose log sigma is part of the head, and
/// `net` has a hidden layer. Errors: as celi_mlp_declare.
CelStatus celi_actor_declare(CeliActor *actor, CelTensors *tensors, const CeliMlpSpec *net,
                             const CeliDistSpec *dist, int64_t sde_every,
                             const CelSpace *observation, const CelSpace *action) CEL_WARN_UNUSED;
/// Declares the buffers of acting. `norm` is the caller's and must stay in place.
CelStatus celi_actor_declare_acting(CeliActor *actor, CelTensors *tensors,
                                    const CeliNormalizer *norm, int64_t N, int64_t T,
                                    uint64_t seed) CEL_WARN_UNUSED;
/// After the allocation: draws initial parameters, from streams first_index and on.
void celi_actor_init(CeliActor *actor, uint32_t first_index);

/// Draws the noise of the current rollout for environments [begin, end), from step t on.
void celi_actor_draw(const CeliActor *actor, int64_t t, int64_t begin, int64_t end);
/// Moves the counters past the noise of the rollout.
void celi_actor_advance(CeliActor *actor);
/// Step t of environments [begin, end): head (N,H) and actions (N rows) from obs (N,O). `pass` is a
/// copy of actor->pass; each thread has its own.
void celi_actor_step(const CeliActor *actor, CeliPass *pass, int64_t t, void *actions, float *head,
                     const float *obs, int64_t begin, int64_t end);
/// Samples outside of rollouts, N rows. Changes only sample_counter.
void celi_actor_sample(CeliActor *actor, void *actions, const float *obs);
/// The modes of the policy for n rows.
void celi_actor_mode(const CeliActor *actor, void *actions, const float *obs, int64_t n);
/// The last of the actor's parameters, of which "actor.0.weight" is the first.
void celi_actor_last_parameter(const CeliActor *actor, char name[CEL_NAME_MAX]);
/// Mean of a free sigma, or of gSDE's sigma; NAN if there is neither.
double celi_actor_mean_std(const CeliActor *actor);
CeliPolicySpec celi_actor_policy(const CeliActor *actor);
/// Distance between actions in elements.
static inline ptrdiff_t celi_actor_lda(const CeliActor *actor) {
  return (ptrdiff_t)actor->A;
}

#endif
