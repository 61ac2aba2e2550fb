/// Counter-based random numbers: Philox 4x32-10.
///
/// A stream is named by (seed, purpose, index) and its whole state is a counter, so that streams
/// cost nothing to split, are saved as one integer, and give the same numbers whatever thread or
/// device asks for them. Block c of a stream is philox(key = seed, counter = (c lo, c hi, index,
/// purpose)): four 32-bit words.
/// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
#ifndef CELSIUS_RNG_H
#define CELSIUS_RNG_H
#include "celsius/status.h"
#include <stdint.h>
CEL_BEGIN

/// What a stream is for. Values are part of the checkpoint format: append, never renumber.
typedef enum CelRngPurpose {
  CEL_RNG_USER = 0,
  CEL_RNG_INIT = 1,      ///< initial parameters; index: tensor
  CEL_RNG_ENV = 2,       ///< environment i of the training vector env
  CEL_RNG_EVAL = 3,      ///< environment of evaluation episode i
  CEL_RNG_ACT = 4,       ///< exploration of environment i
  CEL_RNG_SAMPLE = 5,    ///< replay sampling
  CEL_RNG_NOISE = 6,     ///< noise of reparametrised actions in an update; index: which one
  CEL_RNG_SHUFFLE = 7,   ///< minibatch order
  CEL_RNG_EVAL_ACT = 8,  ///< sampled actions in evaluations
  CEL_RNG_BOOTSTRAP = 9, ///< confidence bands of plots
  CEL_RNG_EXPLORE = 10,  ///< noise that is added to the policy's action in environment i
  CEL_RNG_MDP = 11,      ///< generated finite problems; index: layout, rewards, transitions
  CEL_RNG_TABULAR = 12   ///< learning in a table; index: transitions, actions, initial states
} CelRngPurpose;

/// One stream. Plain data; copy freely.
typedef struct CelRng {
  uint64_t seed;
  uint32_t purpose;
  uint32_t index;
  uint64_t counter; ///< blocks used so far
} CelRng;

CEL_API CelRng cel_rng(uint64_t seed, CelRngPurpose purpose, uint32_t index);
/// out (4,) the next block of the stream.
CEL_API void cel_rng_block(CelRng *rng, uint32_t out[4]);
/// Uniform on [0, 1), 53 bits. One block a call.
CEL_API double cel_rng_uniform(CelRng *rng);
/// Uniform on [low, high). One block a call.
CEL_API double cel_rng_range(CelRng *rng, double low, double high);
/// Standard normal (Box-Muller in double). One block a call.
CEL_API double cel_rng_normal(CelRng *rng);
/// Uniform integer on [0, n), n >= 1, without bias (multiply and reject). One block or more a call.
CEL_API uint64_t cel_rng_below(CelRng *rng, uint64_t n);

CEL_END
#endif
