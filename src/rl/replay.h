/// Replay buffer: one ring of rows an environment, each observation stored once.
///
/// A row is (observation, action, reward, flag); its next observation is the next row's. When an episode ends,
/// its final observation is written as a row of its own that starts no transition (CELI_ROW_END), and the next
/// episode's first observation follows. The newest row of each ring is the observation to act on next and
/// starts no transition yet. Rows are numbered from the beginning of time: row s of environment e lies at s mod
/// R, and the numbers head[e] are the whole state besides the rows, so that segments on disk are append-only runs
/// of rows [begin[e], end[e]).
/// Source: [maximum-entropy, 8.18] for the one-step target, n-step with the entropies between.
#ifndef CELI_REPLAY_H
#define CELI_REPLAY_H
#include "celsius/rng.h"
#include "celsius/space.h"
#include "celsius/tensors.h"
#include "ops/plan.h"

enum { CELI_ROW_END = 0, CELI_ROW_STEP = 1, CELI_ROW_TERMINATED = 2, CELI_ROW_TRUNCATED = 3 };

typedef struct CeliReplay {
  int64_t N, R;         ///< environments; rows of a ring
  int64_t capacity;     ///< transitions asked for
  size_t obs_bytes, action_bytes;
  uint8_t *obs;         ///< (N, R, obs_bytes) role CEL_REPLAY
  uint8_t *action;      ///< (N, R, action_bytes)
  float *reward;        ///< (N, R)
  uint8_t *flag;        ///< (N, R)
  int64_t *head;        ///< (N,) number of the newest row, role CEL_STATE; -1 before the first
  int64_t *transitions; ///< (1,) transitions that can be drawn, role CEL_STATE
} CeliReplay;

/// Errors: CEL_E_RANGE (capacity < N), CEL_E_MEMORY.
CelStatus celi_replay_declare(CeliReplay *replay, CelTensors *tensors, const CelSpace *observation,
                              const CelSpace *action, int64_t N, int64_t capacity) CEL_WARN_UNUSED;
/// The very first observations (N rows).
void celi_replay_start(CeliReplay *replay, const void *obs);
/// What followed: actions (N rows) taken on the newest observations, reward, terminated, truncated (N,), obs (N rows: first of the next
/// episode where one ended), final_obs (N rows, read only there).
void celi_replay_add(CeliReplay *replay, const void *actions, const float *reward,
                     const uint8_t *terminated, const uint8_t *truncated, const void *obs,
                     const void *final_obs);

/// A batch of B windows of up to n steps.
typedef struct CeliReplayBatch {
  int64_t B, n;
  double gamma;
  // Outputs; the caller places them. Observations and actions must be float32 boxes for these (a discrete action is
  // copied as I32 to action_i32 instead).
  float *obs;       ptrdiff_t ldo; ///< (B, O)
  float *action;    ptrdiff_t lda; ///< (B, A)
  int32_t *action_i32;             ///< (B,) or NULL
  float *next_obs;  ptrdiff_t ldn; ///< (B, O) where bootstrapping happens
  float *reward;    ///< (B,) sum over k < m of gamma^k r_k, m <= n the window's true length
  float *discount;  ///< (B,) gamma^m, 0 where terminated
  float *mid_obs;   ///< ((n-1) B, O) observations 1..n-1 of the windows, step-major; NULL when n = 1
  float *mid_weight; ///< ((n-1), B) gamma^k where the window reaches past k, else 0
  int64_t *row;     ///< (B,) scratch: e R + position
} CeliReplayBatch;

/// Draws the batch uniformly over all transitions that can be drawn (rejection: attempt j of sample i takes a word of its own
/// of block *counter + ... of (seed, CEL_RNG_SAMPLE, 0)); CELI_ROWS with count B. A window ends at the end of an episode (terminated:
/// no bootstrap; truncated: bootstrap from the final observation) and at the newest row.
void celi_replay_plan_sample(CeliPlan *plan, const CeliReplay *replay, const CeliReplayBatch *batch,
                             uint64_t seed, const uint64_t *counter);
/// Blocks that one sample of B consumes from the counter; the algorithm adds this after each update.
uint64_t celi_replay_blocks(int64_t B);

// ---- on disk: folder/rows-BEGIN-END.safetensors, sums over environments in the name.
/// Appends the rows that no segment holds yet ([saved[e], head[e]] ) as one file; `saved` (N,) is advanced.
CelStatus celi_replay_save(const CeliReplay *replay, const char *folder, int64_t *saved) CEL_WARN_UNUSED;
/// Fills the rings from the segments of a folder up to the heads that were loaded with the checkpoint; removes segments
/// that begin past them (left by a run that died before its checkpoint). Errors: CEL_E_CORRUPT, CEL_E_IO, CEL_E_FORMAT (a gap: names the rows).
CelStatus celi_replay_load(CeliReplay *replay, const char *folder, int64_t *saved) CEL_WARN_UNUSED;
/// Deletes segments that end before every row which the heads (n_heads, N) still need.
CelStatus celi_replay_prune(const CeliReplay *replay, const char *folder, const int64_t *heads,
                            int64_t n_heads) CEL_WARN_UNUSED;

#endif
