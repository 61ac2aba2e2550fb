/// Soft actor-critic under the check: a small agent of the library after an update, and its losses in complex double.
///
/// The learners' batch and the noise of their samples are read; what the transitions were, the networks' values, densities
/// and targets are computed here. a = tanh(u), u = mean + sd eps, log pi(a) = log N(u) - sum log(1 - a^2).
#ifndef CELI_VERIFY_SOFT_ACTOR_CRITIC_H
#define CELI_VERIFY_SOFT_ACTOR_CRITIC_H
#include "verify/learner.h"

enum { CELI_SAC_O = 2, CELI_SAC_B = 8, CELI_SAC_CRITICS = 2, CELI_SAC_ROWS = 256 };
static const double celi_sac_alpha = .4, celi_sac_gamma = .9;
#define CELI_HALF_LOG_2PI 0.91893853320467274178

/// What every learner here is made with; what follows in a list of settings replaces it.
#define CELI_SAC_SETTINGS                                                                          \
  "net_arch", "6,5", "activation", "tanh", "learning_rate", "0", "tau", "0", "gamma", "0.9",       \
      "ent_coef", "0.4", "buffer_size", "100", "learning_starts", "1000000", "batch_size", "8"

/// A learner after one update, and its networks.
typedef struct CeliSac {
  CeliTrial *trial;
  CeliLearner learner;
  int A, rows;
  bool with_values; ///< sacv: V and its target; else targets of Q
  CeliCheckNet actor, Q[CELI_SAC_CRITICS], target[CELI_SAC_CRITICS], V;
  const CeliTransition *batch[CELI_SAC_ROWS];
  double eps[CELI_SAC_ROWS * CELI_LEARNER_A], eps_next[CELI_SAC_ROWS * CELI_LEARNER_A];
  double temperature;      ///< of the loss that is compared: alpha, or 1 as printed
  double y[CELI_SAC_ROWS]; ///< a target held fixed
  int e;                   ///< the critic that is compared
} CeliSac;

/// An agent with `rows` in its batch. sacv has a value network.
CelStatus celi_sac_create(CeliTrial *trial, const char *algo, int A, const char *const *settings,
                          int rows, CeliSac *sac) CEL_WARN_UNUSED;
/// The batch that the update drew, its noise, and the networks with their gradients.
void celi_sac_read(CeliSac *sac);
/// Two action dimensions, fed and updated once, and read.
CelStatus celi_sac_updated(CeliTrial *trial, const char *algo, const char *const *settings,
                           CeliSac *sac) CEL_WARN_UNUSED;

/// a ~ pi(.|x) of the given noise at the actor's parameters theta; returns log pi(a|x).
CeliComplex celi_sac_sample(const CeliSac *sac, const CeliComplex *theta, const double *x,
                            const double *eps, CeliComplex *a);
/// The smallest of the critics' values at (x, a).
CeliComplex celi_sac_least(const CeliSac *sac, const CeliCheckNet *critics, const double *x,
                           const CeliComplex *a);
/// Of one state, min_e Q_e(x,a) - alpha log pi(a|x).
double celi_sac_value(const CeliSac *sac, const CeliCheckNet *critics, const double *x,
                      const double *eps);

/// (5), (7), (10) as functions of the network's parameters; user is a CeliSac.
CeliComplex celi_sac_loss_value(const void *user, const CeliComplex *theta);
CeliComplex celi_sac_loss_critic(const void *user, const CeliComplex *theta);
CeliComplex celi_sac_loss_policy(const void *user, const CeliComplex *theta);
/// y of (5), and of (7): r + gamma V(s'), V the target network's or a sample of min_e Q'_e - alpha log pi.
void celi_sac_target_of_value(CeliSac *sac);
void celi_sac_target_of_critics(CeliSac *sac);

#endif
