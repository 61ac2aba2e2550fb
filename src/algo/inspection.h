/// The policy and the values of a learner, for code outside of the learner.
#ifndef CELI_INSPECTION_H
#define CELI_INSPECTION_H
#include "algo/critic.h"
#include "rl/policy.h"

typedef enum CeliCritic {
  CELI_NO_CRITIC,
  CELI_CRITIC_ALL_ACTIONS, ///< Q(s, .) of all A discrete actions at once, (E, n, A), or dueling
  CELI_CRITIC_ONE_ACTION   ///< Q(s, a) from the observation and the scaled action, (E, n, 1)
} CeliCritic;

typedef struct CeliInspection {
  const CeliPolicy *policy;
  double temperature; ///< current alpha; 0 for learners without entropy in the objective
  CeliCritic kind;
  const CeliNet *q;    ///< E members
  CeliCriticHead head; ///< what its outputs mean
  const CeliNet *v;    ///< or NULL
} CeliInspection;

#endif
