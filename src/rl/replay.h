/// Replay buffer: one ring of rows per environment, with each observation stored once.
///
/// A row is (observation, action, reward, flag). Its next observation is in the next row. When an
/// episode ends, its final observation becomes a row that starts no transition (CELI_ROW_END), and
/// the next episode's first observation follows. The newest row of each ring is the observation to
/// act on next. Its flag is CELI_ROW_END until its outcome is known. One byte therefore says
/// whether a row can be drawn and whether a window continues after it.
///
/// Rows are numbered from the start of the run: row s of environment e is at s mod R. Besides the
/// rows, the counts head[e] are the whole state. Segments on disk are therefore append-only ranges
/// of rows.
///
/// The parts of a row are adjacent, because a sample reads all of them: two cache lines for a small
/// row and its successor instead of five.
///
/// A ring has R = ceil(capacity / N) + 2 rows. One is the newest row. Every episode that ended
/// within the ring uses one for its final observation. With episodes of L steps, a ring holds about
/// capacity / N * L / (L + 1) transitions, and at least one.
/// Source: [maximum-entropy, 8.18] for the one-step target; n-step targets add the entropies of the
/// intermediate steps.
#ifndef CELI_REPLAY_H
#define CELI_REPLAY_H
#include "base/file.h"
#include "celsius/rng.h"
#include "celsius/space.h"
#include "celsius/tensors.h"
#include "ops/plan.h"

enum { CELI_ROW_END = 0, CELI_ROW_STEP = 1, CELI_ROW_TERMINATED = 2, CELI_ROW_TRUNCATED = 3 };

typedef struct CeliReplay {
  int64_t N, R;     ///< environments; rows per ring
  int64_t capacity; ///< requested number of transitions
  int64_t O, A;     ///< float32 elements of observation and action, -1 if they have another type
  int64_t choices;  ///< number of discrete actions; 0 for other action spaces
  size_t obs_bytes, action_bytes;
  size_t action_at, reward_at, flag_at; ///< offsets in a row; the observation is at 0
  size_t stride;                        ///< bytes per row
  uint8_t *rows;                        ///< (N, R, stride) role CEL_REPLAY
  int64_t *head;        ///< (N,) rows started so far: the newest is head[e] - 1; role CEL_STATE
  int64_t *transitions; ///< (1,) transitions that can be drawn, role CEL_STATE
} CeliReplay;

/// Errors: CEL_E_RANGE (capacity < N), CEL_E_MEMORY.
CelStatus celi_replay_declare(CeliReplay *replay, CelTensors *tensors, const CelSpace *observation,
                              const CelSpace *action, int64_t N, int64_t capacity) CEL_WARN_UNUSED;
/// Empties the rings. New ones are empty already, because their memory is zero.
void celi_replay_reset(CeliReplay *replay);
/// Stores first observations (N rows). If environments were in the middle of an episode, that
/// episode counts as truncated.
void celi_replay_start(CeliReplay *replay, const void *obs);
/// Environment e starts at another observation: the first of an episode, or a state it was moved
/// to. The episode so far counts as truncated. No transition starts at its newest observation.
void celi_replay_begin(CeliReplay *replay, int64_t e, const void *obs);
/// The newest observation of environment e. The rings must have been started.
const void *celi_replay_newest(const CeliReplay *replay, int64_t e);
/// Stores outcomes: actions (N rows) taken at the newest observations; reward, terminated,
/// truncated (N,); obs (N rows, the next episode's first one after an end); final_obs (N rows, read
/// only at the end of an episode).
void celi_replay_add(CeliReplay *replay, const void *actions, const float *reward,
                     const uint8_t *terminated, const uint8_t *truncated, const void *obs,
                     const void *final_obs);

/// A batch of B windows of up to n steps.
typedef struct CeliReplayBatch {
  int64_t B, n;
  double gamma;
  /// Each reward is multiplied by *reward_scale and clipped to +-clip_reward before the sum. NULL:
  /// no change. (It is a normalizer's reward_scale; do not use celi_normalizer_plan_reward as
  /// well.)
  const float *reward_scale;
  float clip_reward;
  // Outputs, in memory of the caller. They need float32 boxes. A discrete action is copied as I32
  // to action_i32 instead.
  float *obs; ///< (B, O) ldo
  ptrdiff_t ldo;
  float *action; ///< (B, A) lda, or NULL
  ptrdiff_t lda;
  int32_t *action_i32; ///< (B,) or NULL
  float *next_obs;     ///< (B, O) ldn observations that the target bootstraps from
  ptrdiff_t ldn;
  float *reward;   ///< (B,) sum over k < m of gamma^k r_k; m <= n is the window's real length
  float *discount; ///< (B,) gamma^m, 0 where terminated
  float *
      mid_obs; ///< ((n-1) B, O) observations 1..n-1 of the windows, step-major; NULL if n = 1. Past
               ///< the window's end: next_obs, with weight 0
  float *mid_weight; ///< ((n-1), B) gamma^k inside the window, else 0
  int64_t *row;      ///< (B,) row of each window's start, e R + position
} CeliReplayBatch;

/// Adds an operation that draws the B windows independently and uniformly from all transitions,
/// with replacement (CELI_ROWS with count B). It uses rejection sampling. Attempt j of sample i
/// uses half of block *counter + i/2 of the stream (seed, CEL_RNG_SAMPLE, j). One sample's
/// rejections therefore do not affect another sample. A window has at most n steps, and it ends
/// earlier at the newest row or at the end of an episode. Targets do not bootstrap when the episode
/// terminated. When it was truncated, they bootstrap from its final observation. The buffer must
/// hold at least one transition when the plan runs.
void celi_replay_plan_sample(CeliPlan *plan, const CeliReplay *replay, const CeliReplayBatch *batch,
                             uint64_t seed, const uint64_t *counter);
/// Blocks of random numbers that a batch of B uses. The algorithm adds this to the counter after
/// each update.
uint64_t celi_replay_blocks(int64_t B);

// ---- on disk: folder/rows-BEGIN-END.safetensors. BEGIN is the sum of all environments' first row
// numbers in the segment. END is the sum of their row numbers after the last.
//
// For every environment, a segment holds the rows that earlier segments do not hold completely, up
// to and including the newest. The newest row is incomplete, so the next segment starts with it
// again. Where two segments overlap, the later one is valid.

/// Writes one segment with rows [saved[e], head[e]) of each environment, at most the last R. Then
/// sets saved[e] to head[e] - 1. Before the first call, `saved` (N,) must be 0. Creates the folder.
/// Deletes old segments beyond `saved`. A run leaves such segments if it crashes after its last
/// checkpoint, or if it is resumed from an earlier one. Writes the rings without copying them.
/// Errors: CEL_E_IO, CEL_E_MEMORY.
CelStatus celi_replay_save(const CeliReplay *replay, const char *folder,
                           int64_t *saved) CEL_WARN_UNUSED;
/// The same in an open folder.
CelStatus celi_replay_save_in(const CeliReplay *replay, const CeliFolder *folder,
                              int64_t *saved) CEL_WARN_UNUSED;
/// Fills the rings from the segments of a folder, up to the heads and the number of transitions of
/// the checkpoint. Ignores later segments. Sets `saved` as celi_replay_save does. Changes no file.
/// After an error the rings hold no rows.
/// Errors: CEL_E_CORRUPT, CEL_E_IO, CEL_E_FORMAT (missing rows, which it names; a segment of other
/// spaces).
CelStatus celi_replay_load(CeliReplay *replay, const char *folder, int64_t *saved) CEL_WARN_UNUSED;
/// Deletes the segments that no checkpoint with one of the heads (n_heads, N) needs. Keeps segments
/// that cannot be read.
/// Errors: CEL_E_IO, CEL_E_CORRUPT (impossible heads), CEL_E_MEMORY.
CelStatus celi_replay_prune(const CeliReplay *replay, const CeliFolder *folder,
                            const int64_t *heads, int64_t n_heads) CEL_WARN_UNUSED;

/// Row s of environment e. It must be one of the last R.
uint8_t *celi_replay_row(const CeliReplay *replay, int64_t e, int64_t s);
/// Marks every row as one that starts no transition.
void celi_replay_clear_flags(CeliReplay *replay);
/// Counts the transitions from the flags.
int64_t celi_replay_count(const CeliReplay *replay);

#endif
