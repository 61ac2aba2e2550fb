/// A stochastic policy that acts for N environments: network, distribution, noise.
///
/// The noise of a rollout of T steps is drawn in one go: environment i takes row (i, t) of its own stream at
/// step t, so that one environment after another, all at once or any split between threads gives the same actions.
/// With generalised state-dependent exploration (gSDE) an environment's noise is a matrix M (F, A) that is held for
/// sde_every steps: u = mean + latent M; the head is that of a Gaussian whose sigma depends on the state.
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

/// What an action space makes of a distribution: a Gaussian for one float32 box, choices or bits for the others.
/// Points into the space. Errors: CEL_E_UNSUPPORTED, naming the space.
CelStatus celi_actor_dist(CeliDistSpec *dist, const CelSpace *action) CEL_WARN_UNUSED;
/// Declares "actor.*": network and free log_std with gradients and moments. `net`: all but in and out. First of all
/// parameters of its optimiser. `sde_every`: 0, or gSDE with as many steps between matrices; `dist` is then a Gaussian
/// whose log sigma is part of the head, and `net` has a hidden layer. Errors: as celi_mlp_declare.
CelStatus celi_actor_declare(CeliActor *actor, CelTensors *tensors, const CeliMlpSpec *net,
                             const CeliDistSpec *dist, int64_t sde_every,
                             const CelSpace *observation, const CelSpace *action) CEL_WARN_UNUSED;
/// What acting needs. `norm` is declared by the caller and stays where it is.
CelStatus celi_actor_declare_acting(CeliActor *actor, CelTensors *tensors,
                                    const CeliNormalizer *norm, int64_t N, int64_t T,
                                    uint64_t seed) CEL_WARN_UNUSED;
/// After the allocation: initial parameters, from streams first_index and on.
void celi_actor_init(CeliActor *actor, uint32_t first_index);

/// Noise of the running rollout for environments [begin, end), from step t on.
void celi_actor_draw(const CeliActor *actor, int64_t t, int64_t begin, int64_t end);
/// Past the rollout's noise.
void celi_actor_advance(CeliActor *actor);
/// Step t of environments [begin, end): head (N,H) and actions (N rows) from obs (N,O). `pass`: a copy of
/// actor->pass, one a thread.
void celi_actor_step(const CeliActor *actor, CeliPass *pass, int64_t t, void *actions, float *head,
                     const float *obs, int64_t begin, int64_t end);
/// Samples outside of a rollout, N rows. Only sample_counter moves.
void celi_actor_sample(CeliActor *actor, void *actions, const float *obs);
/// Modes of n rows.
void celi_actor_mode(const CeliActor *actor, void *actions, const float *obs, int64_t n);
/// The last of the actor's parameters, of which "actor.0.weight" is the first.
void celi_actor_last_parameter(const CeliActor *actor, char name[CEL_NAME_MAX]);
/// Mean of a free sigma, or of gSDE's; NAN where there is neither.
double celi_actor_mean_std(const CeliActor *actor);
CeliPolicySpec celi_actor_policy(const CeliActor *actor);
/// Distance between actions in elements.
static inline ptrdiff_t celi_actor_lda(const CeliActor *actor) {
  return (ptrdiff_t)actor->A;
}

#endif
