/// The networks of a learner and the meaning of their outputs, for code outside of the learner.
#ifndef CELI_INSPECTION_H
#define CELI_INSPECTION_H
#include "nn/dist.h"
#include "nn/net.h"
#include "rl/normalizer.h"

typedef enum CeliCritic {
  CELI_NO_CRITIC,
  CELI_CRITIC_OF_CHOICES, ///< Q(s, .) of all A discrete actions at once, (E, n, A)
  CELI_CRITIC_OF_ACTIONS  ///< Q(s, a) from the observation and the scaled action, (E, n, 1)
} CeliCritic;

typedef struct CeliInspection {
  // The policy.
  const CeliNet *actor;
  bool sampler; ///< its input is the observation and A standard normals, its output u;
                ///< a = tanh(u)
  bool sde;     ///< gSDE: the noise depends on the latent; the head does not describe the policy
  CeliDistSpec dist;          ///< meaning of its output; not for a sampler
  const float *log_std;       ///< (A,) free log sigma, else NULL
  double logit_scale;         ///< discrete actions: logits are the output times this; 0 means 1
  const float *scale, *shift; ///< (A,) environment's action = shift + scale a; NULL: 1 and 0
  double temperature;         ///< current alpha; 0 for learners without entropy in the objective
  // Values.
  CeliCritic kind;
  const CeliNet *q; ///< E members
  bool mean;        ///< Q is their mean, else their minimum
  const CeliNet *v; ///< or NULL
  const CeliNormalizer *norm;
} CeliInspection;

#endif
