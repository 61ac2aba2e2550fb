/// Replay buffer: one ring of rows an environment, each observation stored once.
///
/// A row is (observation, action, reward, flag); its next observation is the next row's. When an
/// episode ends, its final observation is written as a row of its own that starts no transition
/// (CELI_ROW_END), and the next episode's first observation follows. The newest row of each ring is
/// the observation to act on next; it starts no transition yet, and its flag is CELI_ROW_END until
/// what followed is known. So whether a row can be drawn, and whether a window goes on past it, is told
/// by one byte. Rows are numbered from the beginning of time: row s of environment e lies at s mod
/// R, and the counts head[e] of rows begun are the whole state besides the rows, so that segments on
/// disk are append-only runs of rows.
///
/// The parts of a row lie side by side, since a sample reads them all: two cache lines for a small row
/// and its successor instead of five.
///
/// How many transitions that is: a ring has R = ceil(capacity / N) + 2 rows. One is the newest row, and
/// every episode that ended inside of the ring takes one for its final observation; with episodes
/// of L steps it so holds about capacity / N * L / (L + 1) transitions, and at least one.
/// Source: [maximum-entropy, 8.18] for the one-step target, n-step with the entropies between.
#ifndef CELI_REPLAY_H
#define CELI_REPLAY_H
#include "base/file.h"
#include "celsius/rng.h"
#include "celsius/space.h"
#include "celsius/tensors.h"
#include "ops/plan.h"

enum { CELI_ROW_END = 0, CELI_ROW_STEP = 1, CELI_ROW_TERMINATED = 2, CELI_ROW_TRUNCATED = 3 };

typedef struct CeliReplay {
  int64_t N, R;     ///< environments; rows of a ring
  int64_t capacity; ///< transitions asked for
  int64_t O, A;    ///< float32 elements of observation and action, -1 when they are not all float32
  int64_t choices; ///< where an action is one choice: of how many; else 0
  size_t obs_bytes, action_bytes;
  size_t action_at, reward_at, flag_at; ///< where in a row; the observation is at 0
  size_t stride;                        ///< bytes of a row
  uint8_t *rows;                        ///< (N, R, stride) role CEL_REPLAY
  int64_t *head;        ///< (N,) rows begun so far: the newest is head[e] - 1; role CEL_STATE
  int64_t *transitions; ///< (1,) transitions that can be drawn, role CEL_STATE
} CeliReplay;

/// Errors: CEL_E_RANGE (capacity < N), CEL_E_MEMORY.
CelStatus celi_replay_declare(CeliReplay *replay, CelTensors *tensors, const CelSpace *observation,
                              const CelSpace *action, int64_t N, int64_t capacity) CEL_WARN_UNUSED;
/// Empties the rings; fresh ones (zeroed by the allocation) are empty already.
void celi_replay_reset(CeliReplay *replay);
/// The very first observations (N rows); also where all environments are begun anew in mid-episode (the
/// episodes so far then count as cut off).
void celi_replay_start(CeliReplay *replay, const void *obs);
/// Environment e was put before another observation (its first of an episode, or a place it was moved to): the
/// episode so far counts as cut off, and no transition leads from its newest observation.
void celi_replay_begin(CeliReplay *replay, int64_t e, const void *obs);
/// The newest observation of environment e; rings must have been started.
const void *celi_replay_newest(const CeliReplay *replay, int64_t e);
/// What followed: actions (N rows) taken on the newest observations, reward, terminated, truncated
/// (N,), obs (N rows: first of the next episode where one ended), final_obs (N rows, read only there).
void celi_replay_add(CeliReplay *replay, const void *actions, const float *reward,
                     const uint8_t *terminated, const uint8_t *truncated, const void *obs,
                     const void *final_obs);

/// A batch of B windows of up to n steps.
typedef struct CeliReplayBatch {
  int64_t B, n;
  double gamma;
  /// Rewards are multiplied by *reward_scale and clipped to +-clip_reward one by one, before they are
  /// summed; NULL: taken as they are. (A normaliser's reward_scale; do not plan_reward it again.)
  const float *reward_scale;
  float clip_reward;
  // Outputs; the caller places them. Observations and actions must be float32 boxes for these (a
  // discrete action is copied as I32 to action_i32 instead).
  float *obs; ///< (B, O) ldo
  ptrdiff_t ldo;
  float *action; ///< (B, A) lda, or NULL
  ptrdiff_t lda;
  int32_t *action_i32; ///< (B,) or NULL
  float *next_obs;     ///< (B, O) ldn where bootstrapping happens
  ptrdiff_t ldn;
  float *reward;   ///< (B,) sum over k < m of gamma^k r_k, m <= n the window's true length
  float *discount; ///< (B,) gamma^m, 0 where terminated
  float *
      mid_obs; ///< ((n-1) B, O) observations 1..n-1 of the windows, step-major; NULL when n = 1. Past
               ///< the window's end: next_obs again, with weight 0
  float *mid_weight; ///< ((n-1), B) gamma^k where the window reaches past k, else 0
  int64_t *row;      ///< (B,) which row each window begins at, e R + position
} CeliReplayBatch;

/// Draws the batch uniformly over all transitions that can be drawn, each sample independent of the others
/// (with replacement); CELI_ROWS with count B. Rejection: attempt j of sample i takes half of block
/// *counter + i/2 of the stream (seed, CEL_RNG_SAMPLE, j), so no sample depends on another's
/// luck. A window ends at the end of an episode (terminated: no bootstrap; truncated: bootstrap from
/// the final observation) and at the newest row. There must be a transition when the plan runs.
void celi_replay_plan_sample(CeliPlan *plan, const CeliReplay *replay, const CeliReplayBatch *batch,
                             uint64_t seed, const uint64_t *counter);
/// Blocks that one sample of B consumes from the counter; the algorithm adds this after each update.
uint64_t celi_replay_blocks(int64_t B);

// ---- on disk: folder/rows-BEGIN-END.safetensors, row numbers summed over environments (END exclusive).
//
// A segment holds, of every environment, the rows that earlier ones did not hold whole, up to and with the
// newest; that one is not whole yet, so the next segment begins with it again. Where two overlap the
// later one is right.

/// Writes what no segment holds yet as one file: rows [saved[e], head[e]) (the ring's last R where that is more), and
/// advances `saved` (N,), 0 at first, to head - 1. Creates the folder. Segments that go beyond `saved` are of a run that died after
/// its last checkpoint, or of one that an earlier checkpoint was resumed from: they are removed.
/// Copies nothing: the rings are written from where they lie. Errors: CEL_E_IO, CEL_E_MEMORY.
CelStatus celi_replay_save(const CeliReplay *replay, const char *folder,
                           int64_t *saved) CEL_WARN_UNUSED;
/// The same into an open folder.
CelStatus celi_replay_save_in(const CeliReplay *replay, const CeliFolder *folder,
                              int64_t *saved) CEL_WARN_UNUSED;
/// Fills the rings from the segments of a folder up to the heads (and the number of transitions) that
/// were loaded with the checkpoint; segments beyond them are passed over. `saved` as after
/// save. Changes no file. On error the rings are empty of rows.
/// Errors: CEL_E_CORRUPT, CEL_E_IO, CEL_E_FORMAT (a gap: names the rows; a segment of other spaces).
CelStatus celi_replay_load(CeliReplay *replay, const char *folder, int64_t *saved) CEL_WARN_UNUSED;
/// Deletes the segments that no checkpoint with one of the heads (n_heads, N) needs any longer; one
/// that cannot be read stays. Errors: CEL_E_IO, CEL_E_CORRUPT (heads that cannot be), CEL_E_MEMORY.
CelStatus celi_replay_prune(const CeliReplay *replay, const CeliFolder *folder,
                            const int64_t *heads, int64_t n_heads) CEL_WARN_UNUSED;

/// Row s of environment e, which must be among the ring's last R.
uint8_t *celi_replay_row(const CeliReplay *replay, int64_t e, int64_t s);
/// Marks every row as one that starts no transition.
void celi_replay_clear_flags(CeliReplay *replay);
/// Counts the transitions that can be drawn, from the flags.
int64_t celi_replay_count(const CeliReplay *replay);

#endif
