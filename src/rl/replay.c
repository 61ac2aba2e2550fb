/// Replay rings and the operation that samples them. Contract and layout: replay.h. Files:
/// replay_disk.c.
#include "rl/replay.h"
#include "base/base.h"
#include "nn/net.h"
#include "ops/ops.h"
#include <string.h>

// ---- rings

static size_t space_alignment(const CelSpace *space) {
  size_t alignment = 1;
  for (int i = 0; i < space->n_parts; i++) {
    const size_t size = cel_type_size(space->part[i].type);
    if (size > alignment) alignment = size;
  }
  return alignment;
}

/// Positions of the parts in a row. False if the size overflows.
static bool lay_out_row(CeliReplay *replay, const CelSpace *observation, const CelSpace *action) {
  const size_t a = space_alignment(action), o = space_alignment(observation);
  const size_t widest = a > o ? a : o;
  replay->obs_bytes = cel_space_bytes(observation);
  replay->action_bytes = cel_space_bytes(action);
  size_t at;
  return celi_size_round(replay->obs_bytes, a, &replay->action_at) &&
         celi_size_add(replay->action_at, replay->action_bytes, &at) &&
         celi_size_round(at, sizeof(float), &replay->reward_at) &&
         celi_size_add(replay->reward_at, sizeof(float), &replay->flag_at) &&
         celi_size_round(replay->flag_at + 1, widest > sizeof(float) ? widest : sizeof(float),
                         &replay->stride) &&
         replay->stride <= INT64_MAX;
}

CelStatus celi_replay_declare(CeliReplay *replay, CelTensors *tensors, const CelSpace *observation,
                              const CelSpace *action, int64_t N, int64_t capacity) {
  CEL_ASSERT(N >= 1);
  if (capacity < N)
    return cel_fail(CEL_E_RANGE,
                    "a replay buffer of %lld transition%s is too small for %lld environment%s; use "
                    "at least one per environment",
                    (long long)capacity, celi_s(capacity), (long long)N, celi_s(N));
  if (capacity > INT64_MAX - N - 2)
    return cel_fail(CEL_E_MEMORY,
                    "a replay buffer of %lld transitions is too large; reduce buffer_size",
                    (long long)capacity);
  memset(replay, 0, sizeof *replay);
  replay->N = N;
  replay->R = (capacity + N - 1) / N + 2;
  replay->capacity = capacity;
  replay->O = cel_space_floats(observation);
  replay->A = cel_space_floats(action);
  if (action->n_parts == 1 && action->part[0].kind == CEL_DISCRETE)
    replay->choices = action->part[0].n;
  if (!lay_out_row(replay, observation, action))
    return cel_fail(CEL_E_MEMORY, "a row of the replay buffer is too large");
  const int64_t shape[3] = {N, replay->R, (int64_t)replay->stride};
  CELI_TRY(
      cel_tensors_declare(tensors, "replay.rows", CEL_U8, CEL_REPLAY, &replay->rows, 3, shape));
  CELI_TRY(cel_tensors_declare(tensors, "replay.head", CEL_I64, CEL_STATE, &replay->head, 1, &N));
  const int64_t one = 1;
  return cel_tensors_declare(tensors, "replay.transitions", CEL_I64, CEL_STATE,
                             &replay->transitions, 1, &one);
}

uint8_t *celi_replay_row(const CeliReplay *replay, int64_t e, int64_t s) {
  return replay->rows + (size_t)(e * replay->R + s % replay->R) * replay->stride;
}

/// Only reads pages that were never written, so that they still use no memory.
void celi_replay_clear_flags(CeliReplay *replay) {
  const int64_t rows = replay->N * replay->R;
  uint8_t *flag = replay->rows + replay->flag_at;
  for (int64_t i = 0; i < rows; i++, flag += replay->stride)
    if (*flag != CELI_ROW_END) *flag = CELI_ROW_END;
}

void celi_replay_reset(CeliReplay *replay) {
  celi_replay_clear_flags(replay);
  for (int64_t e = 0; e < replay->N; e++) replay->head[e] = 0;
  *replay->transitions = 0;
}

int64_t celi_replay_count(const CeliReplay *replay) {
  int64_t count = 0;
  for (int64_t e = 0; e < replay->N; e++) {
    const int64_t rows = replay->head[e] < replay->R ? replay->head[e] : replay->R;
    const uint8_t *flag = celi_replay_row(replay, e, 0) + replay->flag_at;
    for (int64_t p = 0; p < rows; p++, flag += replay->stride) count += *flag != CELI_ROW_END;
  }
  return count;
}

/// Adds a newest row, in place of the oldest one.
static void push(CeliReplay *replay, int64_t e, const uint8_t *obs) {
  uint8_t *row = celi_replay_row(replay, e, replay->head[e]++);
  *replay->transitions -= row[replay->flag_at] != CELI_ROW_END;
  row[replay->flag_at] = CELI_ROW_END;
  memcpy(row, obs, replay->obs_bytes);
}

void celi_replay_begin(CeliReplay *replay, int64_t e, const void *obs) {
  push(replay, e, obs);
}

const void *celi_replay_newest(const CeliReplay *replay, int64_t e) {
  CEL_ASSERT(replay->head[e] > 0);
  return celi_replay_row(replay, e, replay->head[e] - 1);
}

void celi_replay_start(CeliReplay *replay, const void *obs) {
  for (int64_t e = 0; e < replay->N; e++)
    push(replay, e, (const uint8_t *)obs + (size_t)e * replay->obs_bytes);
}

void celi_replay_add(CeliReplay *replay, const void *actions, const float *reward,
                     const uint8_t *terminated, const uint8_t *truncated, const void *obs,
                     const void *final_obs) {
  const uint8_t *a = actions, *next = obs, *final = final_obs;
  for (int64_t e = 0; e < replay->N; e++) {
    CEL_ASSERT(replay->head[e] > 0); // started
    const bool ended = terminated[e] || truncated[e];
    uint8_t *row = celi_replay_row(replay, e, replay->head[e] - 1);
    memcpy(row + replay->action_at, a + (size_t)e * replay->action_bytes, replay->action_bytes);
    memcpy(row + replay->reward_at, &reward[e], sizeof(float));
    row[replay->flag_at] = terminated[e]  ? CELI_ROW_TERMINATED
                           : truncated[e] ? CELI_ROW_TRUNCATED
                                          : CELI_ROW_STEP;
    ++*replay->transitions;
    if (ended) {
      CEL_ASSERT(final != NULL);
      push(replay, e, final + (size_t)e * replay->obs_bytes);
    }
    push(replay, e, next + (size_t)e * replay->obs_bytes);
  }
}

// ---- sampling

typedef struct Sample {
  const CeliReplay *replay;
  CeliReplayBatch batch;
  uint64_t seed;
  const uint64_t *counter;
} Sample;

/// Rows of the fullest ring. Candidates are drawn from this many first rows of each ring.
static int64_t filled_rows(const CeliReplay *replay) {
  int64_t head = replay->head[0];
  for (int64_t e = 1; e < replay->N; e++)
    if (replay->head[e] > head) head = replay->head[e];
  return head < replay->R ? head : replay->R;
}

/// The next row of the same ring.
static const uint8_t *successor(const CeliReplay *replay, int64_t e, const uint8_t *row) {
  const uint8_t *next = row + replay->stride;
  const uint8_t *end = replay->rows + (size_t)((e + 1) * replay->R) * replay->stride;
  return next == end ? next - (size_t)replay->R * replay->stride : next;
}

static float row_reward(const Sample *s, const uint8_t *row) {
  float reward;
  memcpy(&reward, row + s->replay->reward_at, sizeof reward);
  if (s->batch.reward_scale == NULL) return reward;
  const float scaled = reward * *s->batch.reward_scale, clip = s->batch.clip_reward;
  return scaled < -clip ? -clip : scaled > clip ? clip : scaled;
}

/// Copies 16 bytes at a time, the last ones overlapping. Rows are usually too short for memcpy to
/// be fast.
static inline void copy_floats(float *restrict out, const uint8_t *restrict row, int64_t n) {
  const size_t bytes = (size_t)n * sizeof(float);
  uint8_t *restrict to = (uint8_t *)out;
  size_t at = 0;
  for (; at + 16 <= bytes; at += 16) memcpy(to + at, row + at, 16);
  if (at == bytes) return;
  if (bytes > 16) {
    memcpy(to + bytes - 16, row + bytes - 16, 16);
    return;
  }
  if (n & 2) memcpy(to, row, 8);
  if (n & 1) memcpy(to + bytes - 4, row + bytes - 4, 4);
}

/// Gathers the window of sample i, which begins at `row` of environment e.
static void gather_window(const Sample *s, int64_t i, int64_t e, const uint8_t *row) {
  const CeliReplay *replay = s->replay;
  const CeliReplayBatch *batch = &s->batch;
  const int64_t O = replay->O;
  copy_floats(batch->obs + i * batch->ldo, row, O);
  if (batch->action)
    copy_floats(batch->action + i * batch->lda, row + replay->action_at, replay->A);
  if (batch->action_i32) memcpy(&batch->action_i32[i], row + replay->action_at, sizeof(int32_t));
  double sum = 0, weight = 1;
  int64_t m = 0; // steps in the window so far; weight = gamma^m
  uint8_t flag = row[replay->flag_at];
  for (;;) {
    sum += weight * (double)row_reward(s, row);
    weight *= batch->gamma;
    m++;
    row = successor(replay, e, row);
    if (m == batch->n || flag != CELI_ROW_STEP || row[replay->flag_at] == CELI_ROW_END) break;
    copy_floats(batch->mid_obs + ((m - 1) * batch->B + i) * O, row, O);
    batch->mid_weight[(m - 1) * batch->B + i] = (float)weight;
    flag = row[replay->flag_at];
  }
  batch->reward[i] = (float)sum;
  batch->discount[i] = flag == CELI_ROW_TERMINATED ? 0.0f : (float)weight;
  copy_floats(batch->next_obs + i * batch->ldn, row, O);
  for (int64_t k = m; k < batch->n; k++) {
    copy_floats(batch->mid_obs + ((k - 1) * batch->B + i) * O, row, O);
    batch->mid_weight[(k - 1) * batch->B + i] = 0;
  }
}

/// Prefetches the start of a window. For long windows, the hardware follows.
static inline void prefetch(const CeliReplay *replay, const uint8_t *row) {
  const size_t bytes = replay->stride + replay->obs_bytes;
  for (size_t at = 0; at < bytes && at < 512; at += 64) __builtin_prefetch(row + at);
  __builtin_prefetch(row + replay->flag_at);
}

enum { PREFETCH_AHEAD = 16 };

static void op_sample(const void *args, int64_t begin, int64_t end) {
  const Sample *s = args;
  const CeliReplay *replay = s->replay;
  const CeliOps *ops = celi_ops();
  CEL_ASSERT(*replay->transitions > 0);
  const int64_t F = filled_rows(replay), R = replay->R;
  int64_t *x = s->batch.row;
  ops->uniform_index(x, replay->N * F, s->seed, CEL_RNG_SAMPLE, 0, *s->counter, begin, end);
  for (int64_t i = begin; i < end + PREFETCH_AHEAD; i++) {
    if (i < end) {
      if (replay->N > 1 && F < R) x[i] = x[i] / F * R + x[i] % F;
      prefetch(replay, replay->rows + (size_t)x[i] * replay->stride);
    }
    const int64_t b = i - PREFETCH_AHEAD;
    if (b < begin) continue;
    for (uint32_t j = 1;
         replay->rows[(size_t)x[b] * replay->stride + replay->flag_at] == CELI_ROW_END; j++) {
      ops->uniform_index(x, replay->N * F, s->seed, CEL_RNG_SAMPLE, j, *s->counter, b, b + 1);
      if (F < R) x[b] = x[b] / F * R + x[b] % F;
    }
    gather_window(s, b, replay->N > 1 ? x[b] / R : 0, replay->rows + (size_t)x[b] * replay->stride);
  }
}

void celi_replay_plan_sample(CeliPlan *plan, const CeliReplay *replay, const CeliReplayBatch *batch,
                             uint64_t seed, const uint64_t *counter) {
  CEL_ASSERT(replay->O >= 0 && (batch->action == NULL || replay->A >= 0));
  CEL_ASSERT(batch->action_i32 == NULL || replay->action_bytes == sizeof(int32_t));
  CEL_ASSERT(batch->n >= 1 && (batch->n == 1 || (batch->mid_obs && batch->mid_weight)));
  const Sample args = {.replay = replay, .batch = *batch, .seed = seed, .counter = counter};
  const CeliReplay *r = replay;
  const CeliReplayBatch *b = batch;
  celi_plan_add(plan, "sample", op_sample, CELI_ROWS, b->B, CELI_ROW_GRAIN, &args, sizeof args);
  celi_plan_touch(plan, CELI_READ(r->rows, r->N * r->R * (int64_t)r->stride),
                  CELI_READ(r->head, r->N), CELI_READ(r->transitions, 1), CELI_READ(counter, 1),
                  CELI_READ(b->reward_scale, 1), CELI_UPDATE_ROWS(b->row, 1, 1),
                  CELI_WRITE_ROWS(b->obs, b->ldo, r->O), CELI_WRITE_ROWS(b->action, b->lda, r->A),
                  CELI_WRITE_ROWS(b->action_i32, 1, 1), CELI_WRITE_ROWS(b->next_obs, b->ldn, r->O),
                  CELI_WRITE_ROWS(b->reward, 1, 1), CELI_WRITE_ROWS(b->discount, 1, 1));
  celi_plan_touch_each(plan, CELI_WRITE_ROWS(b->mid_obs, r->O, r->O), b->n - 1,
                       (size_t)(b->B * r->O) * sizeof(float));
  celi_plan_touch_each(plan, CELI_WRITE_ROWS(b->mid_weight, 1, 1), b->n - 1,
                       (size_t)b->B * sizeof(float));
}

uint64_t celi_replay_blocks(int64_t B) {
  return (uint64_t)(B + 1) / 2;
}
