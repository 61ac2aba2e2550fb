/// What a learner is made of, for those who look at it: the policy's network and what its output means, its values.
#ifndef CELI_VIEW_H
#define CELI_VIEW_H
#include "nn/dist.h"
#include "nn/net.h"
#include "rl/normalizer.h"

typedef enum CeliCritic {
  CELI_NO_CRITIC,
  CELI_CRITIC_OF_CHOICES, ///< Q(s, .) of all A choices at once, (E, n, A)
  CELI_CRITIC_OF_ACTIONS  ///< Q(s, a) with the scaled action behind the observation, (E, n, 1)
} CeliCritic;

typedef struct CeliView {
  // The policy.
  const CeliNet *actor;
  bool sampler; ///< takes A standard normals behind the observation and gives u with a = tanh(u)
  bool sde;     ///< its noise is a function of the latent, which no head tells
  CeliDistSpec dist;          ///< what its output means; not of a sampler
  const float *log_std;       ///< (A,) free log sigma, else NULL
  double logit_scale;         ///< choices: logits are the output times this; 0 counts as 1
  const float *scale, *shift; ///< (A,) environment's action = shift + scale a; NULL: 1 and 0
  double temperature;         ///< alpha in force, 0 of learners of the hard problem
  // Values.
  CeliCritic kind;
  const CeliNet *q; ///< E members
  bool mean;        ///< Q is their mean, else their minimum
  const CeliNet *v; ///< or NULL
  const CeliNormalizer *norm;
} CeliView;

#endif
