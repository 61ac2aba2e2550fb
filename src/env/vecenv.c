/// The vector environment: N environments of one spec, stepped together.
///
/// One call of cel_vecenv_step, for environments [begin, end):
///   1  check and clip the actions; an error here leaves everything unchanged
///   2  set the random streams to the saved counters
///   3  step all environments, action_repeat times or until the episode ends; check for NaN, count
///      steps, set truncated
///   4  record the episodes that ended and start the next ones (SAME_STEP autoreset)
///   5  save the counters
/// Loops run over plain arrays without calls, so that the overhead of a step is a few nanoseconds.
/// Calls on disjoint ranges may run in different threads.
#include "base/arguments.h"
#include "base/base.h"
#include "celsius/env.h"
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

// ---- declaration

static CelStatus declare(CelVecEnv *env, CelTensors *tensors, const char *prefix, const char *name,
                         CelType type, CelRole role, void *place, int64_t columns) {
  char full[CEL_NAME_MAX];
  if (snprintf(full, sizeof full, "%s.%s", prefix, name) >= (int)sizeof full) {
    return cel_fail(CEL_E_NAME, "tensor name %s.%s is too long; use a shorter prefix", prefix,
                    name);
  }
  int64_t shape[2] = {env->N, columns};
  return cel_tensors_declare(tensors, full, type, role, place, columns == 1 ? 1 : 2, shape);
}

/// Declares rows of a space: with the part's type if the space has one part, else as bytes.
static CelStatus declare_rows(CelVecEnv *env, CelTensors *tensors, const char *prefix,
                              const char *name, CelRole role, void *place, const CelSpace *space) {
  char full[CEL_NAME_MAX];
  if (snprintf(full, sizeof full, "%s.%s", prefix, name) >= (int)sizeof full) {
    return cel_fail(CEL_E_NAME, "tensor name %s.%s is too long; use a shorter prefix", prefix,
                    name);
  }
  int64_t shape[1 + CEL_SPACE_DIMS_MAX] = {env->N, (int64_t)cel_space_bytes(space)};
  if (space->n_parts > 1) {
    return cel_tensors_declare(tensors, full, CEL_U8, role, place, 2, shape);
  }
  const CelSpacePart *part = &space->part[0];
  for (int d = 0; d < part->ndim; d++) shape[1 + d] = part->shape[d];
  return cel_tensors_declare(tensors, full, part->type, role, place, 1 + part->ndim, shape);
}

static CelStatus declare_state(CelVecEnv *env, CelTensors *t, const char *prefix) {
  const CelRole role = CEL_STATE;
  int64_t shape[2] = {env->N, env->spec->state_size};
  char full[CEL_NAME_MAX];
  if (snprintf(full, sizeof full, "%s.states", prefix) >= (int)sizeof full) {
    return cel_fail(CEL_E_NAME, "tensor name %s.states is too long; use a shorter prefix", prefix);
  }
  CELI_TRY(cel_tensors_declare(t, full, CEL_F64, role, &env->states, 2, shape));
  CELI_TRY(declare(env, t, prefix, "rng_counter", CEL_U64, role, &env->rng_counter, 1));
  CELI_TRY(declare(env, t, prefix, "elapsed", CEL_I64, role, &env->elapsed, 1));
  CELI_TRY(declare(env, t, prefix, "episode_return", CEL_F64, role, &env->episode_return, 1));
  return declare_rows(env, t, prefix, "obs", role, &env->obs, &env->spec->observation);
}

static CelStatus declare_results(CelVecEnv *env, CelTensors *t, const char *prefix) {
  const CelRole role = CEL_SCRATCH;
  const CelEnvSpec *spec = env->spec;
  _Static_assert(sizeof(CelRng) == 3 * sizeof(uint64_t), "a stream is three words");
  CELI_TRY(declare(env, t, prefix, "reward", CEL_F32, role, &env->reward, 1));
  CELI_TRY(declare(env, t, prefix, "reward_part", CEL_F32, role, &env->reward_part, 1));
  CELI_TRY(declare(env, t, prefix, "terminated", CEL_U8, role, &env->terminated, 1));
  CELI_TRY(declare(env, t, prefix, "truncated", CEL_U8, role, &env->truncated, 1));
  CELI_TRY(declare(env, t, prefix, "final_return", CEL_F64, role, &env->final_return, 1));
  CELI_TRY(declare(env, t, prefix, "final_length", CEL_I64, role, &env->final_length, 1));
  CELI_TRY(declare(env, t, prefix, "rng", CEL_U64, role, &env->rng, 3));
  CELI_TRY(declare_rows(env, t, prefix, "final_obs", role, &env->final_obs, &spec->observation));
  return declare_rows(env, t, prefix, "actions", role, &env->actions, &spec->action);
}

CelStatus cel_vecenv_declare(CelVecEnv *env, CelTensors *tensors, const char *prefix,
                             const CelEnvSpec *spec, int64_t N, uint64_t seed,
                             CelRngPurpose purpose, uint32_t first_index) {
  CELI_NEED(env);
  CELI_NEED(tensors);
  CELI_NEED(prefix);
  CELI_NEED(spec);
  CELI_NEED(spec->type);
  CELI_FLOATS(CELI_IEEE);
  if (N < 1 || N > (int64_t)UINT32_MAX - (int64_t)first_index) {
    return cel_fail(CEL_E_RANGE,
                    "N is %" PRId64 " and first_index %" PRIu32
                    "; N must be at least 1, and all indices below 2^32",
                    N, first_index);
  }
  memset(env, 0, sizeof *env);
  env->spec = spec;
  env->N = N;
  env->seed = seed;
  env->purpose = purpose;
  env->first_index = first_index;
  env->obs_bytes = cel_space_bytes(&spec->observation);
  env->action_bytes = cel_space_bytes(&spec->action);
  CELI_TRY(declare_state(env, tensors, prefix));
  return declare_results(env, tensors, prefix);
}

// ---- actions

/// Puts the name of the environment, i and the episode's step in front of the message.
static CelStatus fail_at(const CelVecEnv *env, int64_t i, CelStatus status) {
  return cel_fail_in(status, "%s: environment %" PRId64 ", step %" PRId64 " of its episode: ",
                     env->spec->type->id, (int64_t)env->first_index + i, env->elapsed[i]);
}

/// Fails with the first element of rows [begin, end) that is NaN, or still infinite after clipping.
static CelStatus fail_action(const CelVecEnv *env, const CelSpacePart *part, size_t offset,
                             int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i++) {
    const float *a =
        (const float *)(const void *)(env->actions + (size_t)i * env->action_bytes + offset);
    for (int64_t j = 0; j < part->size; j++) {
      if (isfinite(a[j])) continue;
      CelStatus status = cel_fail(
          CEL_E_NAN, "element %" PRId64 " of the action is %g; it must be finite", j, (double)a[j]);
      return fail_at(env, i, status);
    }
  }
  return CEL_OK;
}

/// Copies one box part of the rows and clips it.
static CelStatus take_box(const CelVecEnv *env, const CelSpacePart *part, size_t offset,
                          const uint8_t *actions, int64_t begin, int64_t end) {
  const bool one_bound = part->size > CEL_SPACE_BOUNDS_MAX;
  bool odd = false;
  for (int64_t i = begin; i < end; i++) {
    const size_t at = (size_t)i * env->action_bytes + offset;
    const float *from = (const float *)(const void *)(actions + at);
    float *to = (float *)(void *)(env->actions + at);
    for (int64_t j = 0; j < part->size; j++) {
      const float low = part->low[one_bound ? 0 : j], high = part->high[one_bound ? 0 : j];
      float a = from[j];
      a = a < low ? low : a;
      a = a > high ? high : a;
      odd |= !(fabsf(a) <= FLT_MAX);
      to[j] = a;
    }
  }
  return odd ? fail_action(env, part, offset, begin, end) : CEL_OK;
}

static int64_t choices(const CelSpacePart *part, int64_t j) {
  return part->kind == CEL_DISCRETE ? part->n : (int64_t)part->high[j];
}

/// Copies one discrete part of the rows and checks it.
static CelStatus take_discrete(const CelVecEnv *env, const CelSpacePart *part, size_t offset,
                               const uint8_t *actions, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i++) {
    const size_t at = (size_t)i * env->action_bytes + offset;
    const int32_t *from = (const int32_t *)(const void *)(actions + at);
    int32_t *to = (int32_t *)(void *)(env->actions + at);
    for (int64_t j = 0; j < part->size; j++) {
      const int64_t n = choices(part, j);
      if (from[j] < 0 || from[j] >= n) {
        return fail_at(env, i,
                       cel_fail(CEL_E_RANGE, "the action is %" PRId32 "; it must be 0 to %" PRId64,
                                from[j], n - 1));
      }
      to[j] = from[j];
    }
  }
  return CEL_OK;
}

/// Copies one part of bytes and checks it against its bounds.
static CelStatus take_bytes(const CelVecEnv *env, const CelSpacePart *part, size_t offset,
                            const uint8_t *actions, int64_t begin, int64_t end) {
  const bool one_bound = part->size > CEL_SPACE_BOUNDS_MAX, binary = part->kind == CEL_MULTI_BINARY;
  for (int64_t i = begin; i < end; i++) {
    const size_t at = (size_t)i * env->action_bytes + offset;
    for (int64_t j = 0; j < part->size; j++) {
      const int64_t bound = one_bound ? 0 : j;
      uint8_t a = actions[at + (size_t)j];
      if (binary && a > 1) {
        return fail_at(env, i,
                       cel_fail(CEL_E_RANGE, "the action is %d; it must be 0 or 1", (int)a));
      }
      if (!binary && (float)a < part->low[bound]) a = (uint8_t)part->low[bound];
      if (!binary && (float)a > part->high[bound]) a = (uint8_t)part->high[bound];
      env->actions[at + (size_t)j] = a;
    }
  }
  return CEL_OK;
}

static CelStatus take_actions(const CelVecEnv *env, const uint8_t *actions, int64_t begin,
                              int64_t end) {
  const CelSpace *space = &env->spec->action;
  for (int p = 0; p < space->n_parts; p++) {
    const CelSpacePart *part = &space->part[p];
    const size_t offset = cel_space_offset(space, p);
    if (part->type == CEL_F32) {
      CELI_TRY(take_box(env, part, offset, actions, begin, end));
    } else if (part->type == CEL_I32) {
      CELI_TRY(take_discrete(env, part, offset, actions, begin, end));
    } else {
      CELI_TRY(take_bytes(env, part, offset, actions, begin, end));
    }
  }
  return CEL_OK;
}

// ---- streams

static void open_streams(CelVecEnv *env, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i++) {
    env->rng[i] = (CelRng){.seed = env->seed,
                           .purpose = (uint32_t)env->purpose,
                           .index = env->first_index + (uint32_t)i,
                           .counter = env->rng_counter[i]};
  }
}

static void save_streams(CelVecEnv *env, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i++) env->rng_counter[i] = env->rng[i].counter;
}

// ---- NaN

/// Whether all n floats are finite. It reads only exponents, so that compilers vectorize the loop.
static bool all_finite(const float *x, int64_t n) {
  uint32_t found = 0;
  for (int64_t i = 0; i < n; i++) {
    uint32_t bits;
    memcpy(&bits, &x[i], sizeof bits);
    found |= (bits & 0x7f800000u) +
             0x00800000u; // carries into the sign bit if all bits of the exponent are set
  }
  return (found & 0x80000000u) == 0;
}

static CelStatus fail_number(const CelVecEnv *env, int64_t i, const char *what, int64_t j,
                             double value) {
  return fail_at(env, i,
                 cel_fail(CEL_E_NAN,
                          "the environment returned a %s (element %" PRId64
                          ") of %g; it must be finite",
                          what, j, value));
}

/// Checks rewards (or NULL) and observations of rows [begin, end).
static CelStatus check_numbers(const CelVecEnv *env, const float *reward, int64_t begin,
                               int64_t end) {
  if (reward && !all_finite(reward + begin, end - begin)) {
    for (int64_t i = begin; i < end; i++) {
      if (!isfinite(reward[i])) return fail_number(env, i, "reward", 0, (double)reward[i]);
    }
  }
  const CelSpace *space = &env->spec->observation;
  for (int p = 0; p < space->n_parts; p++) {
    const CelSpacePart *part = &space->part[p];
    if (part->type != CEL_F32) continue;
    const uint8_t *rows = env->obs + cel_space_offset(space, p);
    const bool dense = env->obs_bytes ==
                       (size_t)part->size * sizeof(float); // rows without gaps: one pass over all
    const int64_t runs = dense ? 1 : end - begin;
    const int64_t length = dense ? (end - begin) * part->size : part->size;
    for (int64_t r = 0; r < runs; r++) {
      const float *x = (const float *)(const void *)(rows + (size_t)(begin + r) * env->obs_bytes);
      if (all_finite(x, length)) continue;
      int64_t k = 0;
      while (isfinite(x[k])) k++;
      return fail_number(env, begin + r + k / part->size, "observation", k % part->size,
                         (double)x[k]);
    }
  }
  return CEL_OK;
}

// ---- reset

static CelStatus reset_one(CelVecEnv *env, int64_t i) {
  const CelEnvSpec *spec = env->spec;
  env->elapsed[i] = 0;
  env->episode_return[i] = 0.0;
  CelStatus status = spec->type->reset(spec, env->states + i * spec->state_size,
                                       env->obs + (size_t)i * env->obs_bytes, &env->rng[i]);
  celi_floats_keep();
  status = celi_status_given(status, "reset");
  if (status != CEL_OK) return fail_at(env, i, status);
  return check_numbers(env, NULL, i, i + 1);
}

/// Errors: CEL_E_STATE (cel_vecenv_declare or cel_tensors_allocate was not called).
static CelStatus check_allocated(const CelVecEnv *env) {
  if (env->spec && env->elapsed && env->obs && env->rng) return CEL_OK;
  return cel_fail(
      CEL_E_STATE,
      "the environments are not allocated; call cel_vecenv_declare and cel_tensors_allocate first");
}

CelStatus cel_vecenv_reset(CelVecEnv *env) {
  CELI_NEED(env);
  CELI_TRY(check_allocated(env));
  CELI_FLOATS(CELI_IEEE);
  open_streams(env, 0, env->N);
  for (int64_t i = 0; i < env->N; i++) CELI_TRY(reset_one(env, i));
  save_streams(env, 0, env->N);
  return CEL_OK;
}

// ---- step

/// Calls the type's step for rows [begin, end). Writes rewards to `reward`.
static CelStatus step_rows(CelVecEnv *env, float *reward, int64_t begin, int64_t end) {
  const CelEnvSpec *spec = env->spec;
  const int64_t limit = spec->max_episode_steps > 0 ? spec->max_episode_steps : INT64_MAX;
  CelStatus status = spec->type->step(spec, env->states + begin * spec->state_size, end - begin,
                                      env->actions + (size_t)begin * env->action_bytes,
                                      env->obs + (size_t)begin * env->obs_bytes, reward + begin,
                                      env->terminated + begin, env->rng + begin);
  celi_floats_keep();
  status = celi_status_given(status, "step");
  if (status != CEL_OK) {
    return cel_fail_in(status, "%s: environments %" PRId64 " to %" PRId64 ": ", spec->type->id,
                       (int64_t)env->first_index + begin, (int64_t)env->first_index + end - 1);
  }
  for (int64_t i = begin; i < end; i++) env->elapsed[i]++;
  CELI_TRY(check_numbers(env, reward, begin, end));
  for (int64_t i = begin; i < end; i++) env->terminated[i] = env->terminated[i] != 0;
  for (int64_t i = begin; i < end; i++) env->truncated[i] = env->elapsed[i] >= limit;
  return CEL_OK;
}

/// Checks that no counter can overflow: the tensors may come from a file.
static CelStatus check_elapsed(const CelVecEnv *env, int64_t begin, int64_t end) {
  uint64_t all = 0;
  for (int64_t i = begin; i < end; i++) all |= (uint64_t)env->elapsed[i];
  if (all >> 62 == 0) return CEL_OK;
  int64_t i = begin;
  while ((uint64_t)env->elapsed[i] >> 62 == 0) i++;
  return cel_fail(CEL_E_CORRUPT,
                  "%s: elapsed of environment %" PRId64 " is %" PRId64
                  "; it must be at least 0 and below 2^62; reset the environments",
                  env->spec->type->id, (int64_t)env->first_index + i, env->elapsed[i]);
}

static bool done(const CelVecEnv *env, int64_t i) {
  return (env->terminated[i] | env->truncated[i]) != 0;
}

/// Repeats the action in environments whose episode has not ended, one range of neighbors at a
/// time. Adds up rewards.
static CelStatus step_again(CelVecEnv *env, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end;) {
    if (done(env, i)) {
      i++;
      continue;
    }
    int64_t stop = i + 1;
    while (stop < end && !done(env, stop)) stop++;
    CELI_TRY(step_rows(env, env->reward_part, i, stop));
    for (int64_t j = i; j < stop; j++) env->reward[j] += env->reward_part[j];
    i = stop;
  }
  return CEL_OK;
}

/// Records the episode that ended in environment i and starts the next one.
static CelStatus finish(CelVecEnv *env, int64_t i) {
  uint8_t *obs = env->obs + (size_t)i * env->obs_bytes;
  memcpy(env->final_obs + (size_t)i * env->obs_bytes, obs, env->obs_bytes);
  env->final_return[i] = env->episode_return[i];
  env->final_length[i] = env->elapsed[i];
  return reset_one(env, i);
}

CelStatus cel_vecenv_step(CelVecEnv *env, const void *actions, int64_t begin, int64_t end) {
  CELI_NEED(env);
  CELI_NEED(actions);
  CELI_TRY(check_allocated(env));
  CELI_FLOATS(CELI_IEEE);
  if (begin < 0 || end > env->N || begin > end) {
    return cel_fail(CEL_E_RANGE,
                    "[%" PRId64 ", %" PRId64 ") is not a range of the %" PRId64 " environments",
                    begin, end, env->N);
  }
  if (begin == end) return CEL_OK;
  CELI_TRY(check_elapsed(env, begin, end));
  CELI_TRY(take_actions(env, actions, begin, end));
  open_streams(env, begin, end);
  CELI_TRY(step_rows(env, env->reward, begin, end));
  for (int64_t k = 1; k < env->spec->action_repeat; k++) CELI_TRY(step_again(env, begin, end));
  for (int64_t i = begin; i < end; i++) env->episode_return[i] += (double)env->reward[i];
  for (int64_t i = begin; i < end; i++) {
    if (done(env, i)) CELI_TRY(finish(env, i));
  }
  save_streams(env, begin, end);
  return CEL_OK;
}
