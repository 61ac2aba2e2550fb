/// Collects rollouts. Contract: collect.h.
#include "algo/collect.h"
#include "base/base.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// A thread's environments, in separate memory so that threads do not write to the same cache lines
/// at every step. Also holds the thread's error.
typedef struct CeliCollectorView {
  CelVecEnv env;
  uint8_t *block;
  size_t size;
  CelStatus status;
  int64_t step;
  char message[512];
} CeliCollectorView;

void celi_collector_release(CeliCollector *collector) {
  for (int i = 0; i < collector->views; i++) free(collector->view[i].block);
  free(collector->view);
  collector->view = NULL, collector->views = 0;
}

/// One array of a vector environment: offset of its pointer in CelVecEnv, and bytes per row.
typedef struct Column {
  size_t offset, bytes;
} Column;

enum { COLUMNS = 14 };

static void columns_of(const CelVecEnv *env, Column column[COLUMNS]) {
#define PLACE(field) offsetof(CelVecEnv, field)
  const Column all[COLUMNS] = {
      {PLACE(states), (size_t)env->spec->state_size * sizeof(double)},
      {PLACE(rng_counter), sizeof(uint64_t)},
      {PLACE(elapsed), sizeof(int64_t)},
      {PLACE(episode_return), sizeof(double)},
      {PLACE(obs), env->obs_bytes},
      {PLACE(reward), sizeof(float)},
      {PLACE(reward_part), sizeof(float)},
      {PLACE(terminated), 1},
      {PLACE(truncated), 1},
      {PLACE(final_obs), env->obs_bytes},
      {PLACE(final_return), sizeof(double)},
      {PLACE(final_length), sizeof(int64_t)},
      {PLACE(actions), env->action_bytes},
      {PLACE(rng), sizeof(CelRng)},
  };
#undef PLACE
  memcpy(column, all, sizeof all);
}

static uint8_t *array_of(const CelVecEnv *env, size_t offset) {
  uint8_t *array;
  memcpy(&array, (const char *)env + offset, sizeof array);
  return array;
}

static size_t padded(size_t bytes) {
  return (bytes + 63) / 64 * 64;
}

/// Allocates memory for the environments of every thread.
static CelStatus make_views(CeliCollector *r, const CelVecEnv *env, int threads) {
  Column column[COLUMNS];
  columns_of(env, column);
  if (r->views != threads) {
    celi_collector_release(r);
    CELI_TRY(celi_alloc(&r->view, (size_t)threads, sizeof *r->view, "the threads' environments"));
    memset(r->view, 0, (size_t)threads * sizeof *r->view);
    r->views = threads;
  }
  for (int i = 0; i < threads; i++) {
    CeliCollectorView *view = &r->view[i];
    int64_t begin, end;
    size_t size = 64;
    celi_share(env->N, 1, i, threads, &begin, &end);
    for (int k = 0; k < COLUMNS; k++) size += padded(column[k].bytes * (size_t)(end - begin));
    if (size <= view->size) continue;
    free(view->block);
    view->size = 0;
    view->block = aligned_alloc(64, padded(size));
    if (!view->block)
      return cel_fail(CEL_E_MEMORY, "not enough memory for a thread's environments");
    view->size = size;
  }
  return CEL_OK;
}

/// Copies rows [begin, end) of the environments into the view, or back.
static void copy_view(CeliCollectorView *view, CelVecEnv *env, int64_t begin, int64_t end,
                      bool back) {
  Column column[COLUMNS];
  columns_of(env, column);
  uint8_t *at = view->block;
  if (!back) view->env = *env;
  view->env.N = end - begin;
  view->env.first_index = env->first_index + (uint32_t)begin;
  for (int k = 0; k < COLUMNS; k++) {
    const size_t size = column[k].bytes * (size_t)(end - begin);
    uint8_t *theirs = array_of(env, column[k].offset) + column[k].bytes * (size_t)begin;
    if (size) memcpy(back ? theirs : at, back ? at : theirs, size);
    memcpy((char *)&view->env + column[k].offset, &at, sizeof at);
    at += padded(size);
  }
}

typedef struct Collect {
  CeliCollector *collector;
  CeliRollout *r;
  const CeliPolicy *policy;
  CelVecEnv *env;
  int64_t from, to;
} Collect;

/// Stores the outcome of step t for environments [begin, end), which are rows 0.. of `env`.
static void take_outcome(CeliRollout *r, const CelVecEnv *env, int64_t t, int64_t begin,
                         int64_t end) {
  const int64_t at = t * r->N + begin;
  const size_t n = (size_t)(end - begin);
  memcpy(r->reward + at, env->reward, n * sizeof(float));
  memcpy(r->obs + (at + r->N) * r->O, env->obs, n * env->obs_bytes);
  memcpy(r->terminated + at, env->terminated, n);
  memcpy(r->truncated + at, env->truncated, n);
  for (int64_t i = 0; i < end - begin; i++) {
    if (!celi_rollout_ended(r, at + i)) continue;
    r->final_return[at + i] = env->final_return[i];
    r->final_length[at + i] = env->final_length[i];
    if (env->truncated[i])
      memcpy(r->final_obs + (at + i) * r->O, env->final_obs + (size_t)i * env->obs_bytes,
             env->obs_bytes);
  }
}

static CelStatus collect_block(const Collect *c, CelVecEnv *env, int64_t begin, int64_t end,
                               int64_t *step) {
  CeliRollout *r = c->r;
  CeliPass pass = c->policy->pass;
  for (int64_t t = c->from; t < c->to; t++) {
    const int64_t row = t * r->N;
    uint8_t *scaled = r->actions + (size_t)row * r->bytes;
    *step = t - c->from;
    celi_policy_rollout_act(c->policy, &pass, t, scaled, r->head + row * r->H, r->obs + row * r->O,
                            begin, end);
    CELI_TRY(cel_vecenv_step(env, celi_policy_rollout_actions(c->policy, scaled, begin, end), 0,
                             end - begin));
    take_outcome(r, env, t, begin, end);
  }
  return CEL_OK;
}

static void collect_slice(void *arg, int thread, int size) {
  const Collect *c = arg;
  CeliCollectorView *view = &c->collector->view[thread];
  int64_t begin, end;
  celi_share(c->r->N, 1, thread, size, &begin, &end);
  view->status = CEL_OK;
  if (begin == end) return;
  if (c->from == 0) celi_policy_rollout_draw(c->policy, 0, begin, end);
  copy_view(view, c->env, begin, end, false);
  view->status = collect_block(c, &view->env, begin, end, &view->step);
  copy_view(view, c->env, begin, end, true);
  if (view->status != CEL_OK) snprintf(view->message, sizeof view->message, "%s", cel_error());
}

CelStatus celi_collect(CeliCollector *collector, CeliRollout *rollout, const CeliPolicy *policy,
                       CeliNormalizer *norm, CelVecEnv *env, CeliTeam *team, int64_t steps,
                       int64_t *failed) {
  CeliRollout *r = rollout;
  const int64_t from = *r->filled, room = r->T - from;
  Collect c = {collector, r, policy, env, from, from + (steps < room ? steps : room)};
  const CeliCollectorView *first = NULL;
  CEL_ASSERT(env->N == r->N && env->obs_bytes == (size_t)r->O * sizeof(float));
  CELI_TRY(make_views(collector, env, celi_team_size(team)));
  celi_rollout_follow(r, norm, (const float *)(const void *)env->obs, NULL);
  CELI_TRY(celi_team_run(team, collect_slice, &c));
  for (int i = 0; i < collector->views; i++) {
    const CeliCollectorView *view = &collector->view[i];
    if (view->status != CEL_OK && (!first || view->step < first->step)) first = view;
  }
  if (first) {
    *failed = first->step;
    return cel_fail(first->status, "%s", first->message);
  }
  *r->acted = 0;
  *r->begun = 1;
  *r->filled = c.to;
  return CEL_OK;
}
