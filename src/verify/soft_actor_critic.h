/// Soft actor-critic for the checks: a small agent of the library after an update, and its losses
/// in complex double.
///
/// The sampled batch and the noise of the actions are read from the agent. Transitions, values,
/// densities and targets are computed here. a = tanh(u), u = mean + sd eps, log pi(a) = log N(u) -
/// sum log(1 - a^2).
#ifndef CELI_VERIFY_SOFT_ACTOR_CRITIC_H
#define CELI_VERIFY_SOFT_ACTOR_CRITIC_H
#include "verify/learner.h"

enum { CELI_SAC_O = 2, CELI_SAC_B = 8, CELI_SAC_CRITICS = 2, CELI_SAC_ROWS = 256 };
static const double celi_sac_alpha = .4, celi_sac_gamma = .9;
#define CELI_HALF_LOG_2PI 0.91893853320467274178

/// The settings of every learner here. A later setting in a list replaces an earlier one.
#define CELI_SAC_SETTINGS                                                                          \
  "net_arch", "6,5", "activation", "tanh", "learning_rate", "0", "tau", "0", "gamma", "0.9",       \
      "ent_coef", "0.4", "buffer_size", "100", "learning_starts", "1000000", "batch_size", "8"

/// A learner after one update, and copies of its networks.
typedef struct CeliSac {
  CeliTrial *trial;
  CeliLearner learner;
  int A, rows;
  bool with_values; ///< sacv: a V network and its target; otherwise targets of Q
  CeliCheckNet actor, Q[CELI_SAC_CRITICS], target[CELI_SAC_CRITICS], V;
  const CeliTransition *batch[CELI_SAC_ROWS];
  double eps[CELI_SAC_ROWS * CELI_LEARNER_A], eps_next[CELI_SAC_ROWS * CELI_LEARNER_A];
  double temperature;      ///< of the loss: alpha, or 1 for the printed form
  double y[CELI_SAC_ROWS]; ///< targets, held fixed
  int e;                   ///< which critic is compared
} CeliSac;

/// Creates an agent with batch size `rows`. sacv has a value network.
CelStatus celi_sac_create(CeliTrial *trial, const char *algo, int A, const char *const *settings,
                          int rows, CeliSac *sac) CEL_WARN_UNUSED;
/// Reads the batch of the last update, its noise, and the networks with their gradients.
void celi_sac_read(CeliSac *sac);
/// Creates an agent with two action dimensions, gives it transitions, updates it once and reads it.
CelStatus celi_sac_updated(CeliTrial *trial, const char *algo, const char *const *settings,
                           CeliSac *sac) CEL_WARN_UNUSED;

/// Computes a ~ pi(.|x) from the given noise and the actor's parameters theta. Returns log pi(a|x).
CeliComplex celi_sac_sample(const CeliSac *sac, const CeliComplex *theta, const double *x,
                            const double *eps, CeliComplex *a);
/// The smallest of the critics' values at (x, a).
CeliComplex celi_sac_least(const CeliSac *sac, const CeliCheckNet *critics, const double *x,
                           const CeliComplex *a);
/// min_e Q_e(x,a) - alpha log pi(a|x) for one state x, with the action from the given noise.
double celi_sac_value(const CeliSac *sac, const CeliCheckNet *critics, const double *x,
                      const double *eps);

/// (5), (7), (10) as functions of the network's parameters. `user` is a CeliSac.
CeliComplex celi_sac_loss_value(const void *user, const CeliComplex *theta);
CeliComplex celi_sac_loss_critic(const void *user, const CeliComplex *theta);
CeliComplex celi_sac_loss_policy(const void *user, const CeliComplex *theta);
/// Set y of (5), and y of (7): r + gamma V(s'), where V is the target network's or a sample of
/// min_e Q'_e - alpha log pi.
void celi_sac_target_of_value(CeliSac *sac);
void celi_sac_target_of_critics(CeliSac *sac);

#endif
