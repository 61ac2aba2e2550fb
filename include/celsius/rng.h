/// Counter-based random numbers: Philox 4x32-10.
///
/// (seed, purpose, index) names a stream, and the stream's whole state is a counter. So a stream
/// costs nothing to create and is saved as one integer. It gives the same numbers in any thread and
/// on any device. Block c of a stream is philox(key = seed, counter = (c lo, c hi, index,
/// purpose)): four 32-bit words.
/// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
#ifndef CELSIUS_RNG_H
#define CELSIUS_RNG_H
#include "celsius/status.h"
#include <stdint.h>
CEL_BEGIN

/// Purpose of a stream. The values are part of the checkpoint format: append, never renumber.
typedef enum CelRngPurpose {
  CEL_RNG_USER = 0,
  CEL_RNG_INIT = 1,      ///< initial parameters; index: tensor
  CEL_RNG_ENV = 2,       ///< environment i of the training vector environment
  CEL_RNG_EVAL = 3,      ///< environment of evaluation episode i
  CEL_RNG_ACT = 4,       ///< exploration of environment i
  CEL_RNG_SAMPLE = 5,    ///< replay sampling
  CEL_RNG_NOISE = 6,     ///< noise of reparametrized actions in an update; index: which one
  CEL_RNG_SHUFFLE = 7,   ///< order of minibatches
  CEL_RNG_EVAL_ACT = 8,  ///< sampled actions in evaluations
  CEL_RNG_BOOTSTRAP = 9, ///< confidence bands of plots
  CEL_RNG_EXPLORE = 10,  ///< noise added to the policy's action in environment i
  CEL_RNG_MDP = 11,      ///< generated finite problems; index: layout, rewards, transitions
  CEL_RNG_TABULAR = 12,  ///< tabular learning; index: transitions, actions, initial states
  CEL_RNG_DROPOUT = 13,  ///< dropout in an update; index: use of a network, and its layer
  CEL_RNG_SUBSET = 14    ///< critics drawn for a target
} CelRngPurpose;

/// One stream. Plain data that you may copy. Two threads must not use one stream at once.
typedef struct CelRng {
  uint64_t seed;
  uint32_t purpose;
  uint32_t index;
  uint64_t counter; ///< blocks used so far
} CelRng;

/// Returns a stream at its start.
CEL_API CelRng cel_rng(uint64_t seed, CelRngPurpose purpose, uint32_t index);
/// Writes the next block of the stream to out (4,).
CEL_API void cel_rng_block(CelRng *rng, uint32_t out[4]);
/// Returns a uniform number on [0, 1) with 53 random bits. Uses one block.
CEL_API double cel_rng_uniform(CelRng *rng);
/// Returns a uniform number on [low, high). Uses one block.
CEL_API double cel_rng_range(CelRng *rng, double low, double high);
/// Returns a standard normal number (Box-Muller in double). Uses one block.
CEL_API double cel_rng_normal(CelRng *rng);
/// Returns an unbiased uniform integer on [0, n), n >= 1 (multiply and reject). Uses one block or
/// more.
CEL_API uint64_t cel_rng_below(CelRng *rng, uint64_t n);

CEL_END
#endif
