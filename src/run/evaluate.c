/// Evaluation: episode i always starts from stream (seed, CEL_RNG_EVAL, i), for every agent.
///
/// Episodes run in blocks, one environment each. An environment is not stepped after its episode
/// ended.
#include "algo/algo.h"
#include "base/arguments.h"
#include "base/base.h"
#include "base/clock.h"
#include "celsius/train.h"
#include "run/training.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 64 }; // episodes in a block when actions are deterministic

/// One block of episodes.
typedef struct Block {
  CelTensors *tensors;
  CelVecEnv env;
  uint8_t *actions; ///< (N rows) scratch
  uint8_t *done;    ///< (N,) scratch
  int64_t left;     ///< episodes still running
  int64_t cut;      ///< episodes that were cut off
} Block;

/// The arguments of an evaluation.
typedef struct Evaluation {
  CelAgent *agent;
  const CelEnvSpec *spec;
  uint64_t seed;
  CelActMode mode;
  const CelRunHooks *hooks; ///< or NULL
  bool report;              ///< call hooks->progress
  int64_t episodes;
  double start; ///< celi_seconds() at the start
} Evaluation;

static CelStatus block_open(Block *block, const CelEnvSpec *spec, int64_t N, uint64_t seed,
                            int64_t first) {
  const int64_t bytes = N * (int64_t)cel_space_bytes(&spec->action);
  CELI_TRY(cel_tensors_create(&block->tensors));
  CELI_TRY(cel_vecenv_declare(&block->env, block->tensors, "env", spec, N, seed, CEL_RNG_EVAL,
                              (uint32_t)first));
  CELI_TRY(cel_tensors_declare(block->tensors, "actions", CEL_U8, CEL_SCRATCH, &block->actions, 1,
                               &bytes));
  CELI_TRY(cel_tensors_declare(block->tensors, "done", CEL_U8, CEL_SCRATCH, &block->done, 1, &N));
  CELI_TRY(cel_tensors_allocate(block->tensors));
  block->left = N;
  return cel_vecenv_reset(&block->env);
}

/// Whether the episode of environment i is over. Episodes without a time limit are cut off at
/// CEL_EVAL_STEPS_MAX. Writes return and length so far.
static bool episode_over(Block *block, int64_t i, double *episode_return, int64_t *length) {
  const CelVecEnv *env = &block->env;
  const bool ended = env->terminated[i] || env->truncated[i];
  const bool cut =
      !ended && env->spec->max_episode_steps <= 0 && env->elapsed[i] >= CEL_EVAL_STEPS_MAX;
  *episode_return = ended ? env->final_return[i] : env->episode_return[i];
  *length = ended ? env->final_length[i] : env->elapsed[i];
  block->cut += cut;
  return ended || cut;
}

/// Steps the environments whose episodes are running, one range of neighbors at a time.
static CelStatus step_running(Block *block) {
  const int64_t N = block->env.N;
  for (int64_t begin = 0, end; begin < N; begin = end + 1) {
    while (begin < N && block->done[begin]) begin++;
    for (end = begin; end < N && !block->done[end];) end++;
    if (begin < end) CELI_TRY(cel_vecenv_step(&block->env, block->actions, begin, end));
  }
  return CEL_OK;
}

static CelStatus check_stop(const CelRunHooks *hooks) {
  const bool stop = hooks && hooks->stop && hooks->stop(hooks->user);
  celi_floats_keep();
  if (!stop) return CEL_OK;
  return cel_fail(CEL_E_INTERRUPTED, "the evaluation was stopped on request");
}

/// Reports progress. A running episode counts as the fraction of its time limit that has passed.
static void report(const Evaluation *e, const Block *block, int64_t *steps) {
  const CelVecEnv *env = &block->env;
  const int64_t limit = e->spec->max_episode_steps, first = (int64_t)env->first_index;
  *steps += block->left;
  if (!e->report || !e->hooks || !e->hooks->progress) return;
  double done = 0;
  int64_t finished = 0;
  for (int64_t i = 0; i < env->N && first + i < e->episodes; i++) {
    finished += block->done[i];
    if (block->done[i])
      done += 1;
    else if (limit > 0)
      done += (double)env->elapsed[i] / (double)limit;
  }
  const double seconds = celi_seconds() - e->start;
  const double fraction = ((double)first + done) / (double)e->episodes;
  const CelProgress progress = {.steps = *steps,
                                .episodes = first + finished,
                                .fraction = fraction,
                                .seconds = seconds,
                                .steps_per_second = seconds > 0 ? (double)*steps / seconds : 0,
                                .eta = fraction > 0 ? seconds * (1 - fraction) / fraction
                                                    : (double)NAN,
                                .mean_return = (double)NAN,
                                .eval_return = (double)NAN};
  e->hooks->progress(e->hooks->user, &progress);
  celi_floats_keep();
}

static CelStatus block_run(Block *block, const Evaluation *e, int64_t *steps, double *returns,
                           int64_t *lengths) {
  CelVecEnv *env = &block->env;
  while (block->left > 0) {
    if (e->mode == CEL_MODE)
      CELI_TRY(cel_agent_predict(e->agent, env->obs, env->N, block->actions));
    else
      CELI_TRY(cel_agent_act(e->agent, env->obs, NULL, e->mode, block->actions));
    CELI_TRY(step_running(block));
    CELI_TRY(check_stop(e->hooks));
    report(e, block, steps);
    for (int64_t i = 0; i < env->N; i++) {
      if (block->done[i] || !episode_over(block, i, &returns[i], &lengths[i])) continue;
      block->done[i] = 1;
      block->left--;
    }
  }
  return CEL_OK;
}

/// Runs blocks of N episodes, one after another. returns, lengths: (episodes rounded up to a
/// multiple of N,). *cut grows by the number of episodes that were cut off.
static CelStatus run_blocks(const Evaluation *e, int64_t episodes, int64_t N, double *returns,
                            int64_t *lengths, int64_t *cut) {
  int64_t steps = 0;
  for (int64_t first = 0; first < episodes; first += N) {
    Block block = {0};
    CelStatus status = block_open(&block, e->spec, N, e->seed, first);
    if (status == CEL_OK) status = block_run(&block, e, &steps, returns + first, lengths + first);
    cel_tensors_destroy(block.tensors);
    CELI_TRY(status);
    *cut += block.cut;
  }
  return CEL_OK;
}

/// Runs the blocks, then restores the agent's state, because sampling advances its random streams.
static CelStatus run_and_restore(const Evaluation *e, int64_t episodes, int64_t N, double *returns,
                                 int64_t *lengths, int64_t *cut) {
  size_t bytes;
  void *state = cel_tensors_region(cel_agent_tensors(e->agent), CEL_STATE, &bytes), *kept = NULL;
  CELI_TRY(celi_alloc(&kept, bytes, 1, "a copy of the agent's state"));
  if (bytes) memcpy(kept, state, bytes);
  const CelStatus status = run_blocks(e, episodes, N, returns, lengths, cut);
  if (bytes) memcpy(state, kept, bytes);
  free(kept);
  return status;
}

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/// The statistics of n >= 1 episodes; `sorted` (n,) is scratch.
static CelEvalResult summarize(const double *returns, const int64_t *lengths, int64_t n,
                               double *sorted) {
  CelEvalResult result = {.episodes = n};
  double sum = 0, steps = 0, squares = 0;
  for (int64_t i = 0; i < n; i++) {
    sum += returns[i];
    steps += (double)lengths[i];
  }
  result.mean_return = sum / (double)n;
  result.mean_length = steps / (double)n;
  for (int64_t i = 0; i < n; i++) {
    const double off = returns[i] - result.mean_return;
    squares += off * off;
  }
  result.std_return = sqrt(squares / (double)n);
  memcpy(sorted, returns, (size_t)n * sizeof *sorted);
  qsort(sorted, (size_t)n, sizeof *sorted, by_value);
  result.min_return = sorted[0];
  result.max_return = sorted[n - 1];
  result.median_return = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
  return result;
}

/// Whether rows of two spaces have the same meaning. Ignores the bounds of boxes.
static bool same_space(const CelSpace *a, const CelSpace *b) {
  if (a->n_parts != b->n_parts) return false;
  for (int p = 0; p < a->n_parts; p++) {
    const CelSpacePart *x = &a->part[p], *y = &b->part[p];
    if (x->kind != y->kind || x->type != y->type || x->ndim != y->ndim) return false;
    if (x->kind == CEL_DISCRETE && x->n != y->n) return false;
    for (int d = 0; d < x->ndim; d++)
      if (x->shape[d] != y->shape[d]) return false;
    for (int64_t i = 0; x->kind == CEL_MULTI_DISCRETE && i < x->size && i < CEL_SPACE_BOUNDS_MAX;
         i++)
      if (x->high[i] != y->high[i]) return false;
  }
  return true;
}

static CelStatus check_space(const char *what, const CelSpace *agents, const CelSpace *envs,
                             const char *id) {
  char has[128], wants[128];
  if (same_space(agents, envs)) return CEL_OK;
  cel_space_describe(agents, wants, sizeof wants);
  cel_space_describe(envs, has, sizeof has);
  return cel_fail(CEL_E_SHAPE, "the %s space of %s is %s, but the agent was created for %s", what,
                  id, has, wants);
}

CelStatus celi_check_fit(const CelAgent *agent, const CelEnvSpec *spec) {
  CELI_TRY(check_space("observation", &agent->observation, &spec->observation, spec->type->id));
  return check_space("action", &agent->action, &spec->action, spec->type->id);
}

CelStatus celi_evaluate(CelAgent *agent, const CelEnvSpec *spec, int64_t episodes, uint64_t seed,
                        CelActMode mode, const CelRunHooks *hooks, bool report_progress,
                        double *returns, int64_t *lengths, CelEvalResult *result) {
  const Evaluation e = {agent, spec, seed, mode, hooks, report_progress, episodes, celi_seconds()};
  if (episodes < 1 || episodes > INT32_MAX)
    return cel_fail(CEL_E_RANGE, "episodes is %lld; it must be 1 to 2^31 - 1", (long long)episodes);
  if (mode != CEL_MODE && mode != CEL_SAMPLE)
    return cel_fail(CEL_E_ARGUMENT, "mode is %d; an evaluation needs CEL_MODE or CEL_SAMPLE",
                    (int)mode);
  CELI_TRY(celi_check_fit(agent, spec));
  // cel_agent_act needs exactly the agent's n_envs rows; cel_agent_predict takes any number.
  const int64_t most = mode == CEL_MODE ? BLOCK : agent->options.n_envs;
  const int64_t N = mode == CEL_MODE && episodes < most ? episodes : most;
  const int64_t room = (episodes + N - 1) / N * N;
  double *all_returns = NULL;
  int64_t *all_lengths = NULL, cut = 0;
  CELI_TRY(celi_alloc(&all_returns, (size_t)(2 * room), sizeof *all_returns, "episode returns"));
  CelStatus status = celi_alloc(&all_lengths, (size_t)room, sizeof *all_lengths, "episode lengths");
  if (status == CEL_OK) status = run_and_restore(&e, episodes, N, all_returns, all_lengths, &cut);
  if (status == CEL_OK) {
    CelEvalResult summary = summarize(all_returns, all_lengths, episodes, all_returns + room);
    if (returns) memcpy(returns, all_returns, (size_t)episodes * sizeof *returns);
    if (lengths) memcpy(lengths, all_lengths, (size_t)episodes * sizeof *lengths);
    summary.cut = cut;
    summary.returns = returns;
    summary.lengths = lengths;
    if (result) *result = summary;
  }
  free(all_returns);
  free(all_lengths);
  return status;
}

CelStatus cel_evaluate(CelAgent *agent, const CelEnvSpec *spec, int64_t episodes, uint64_t seed,
                       CelActMode mode, double *returns, int64_t *lengths, CelEvalResult *result) {
  CELI_NEED(agent);
  CELI_NEED(spec);
  CELI_NEED(spec->type);
  CELI_FLOATS(CELI_IEEE);
  return celi_evaluate(agent, spec, episodes, seed, mode, NULL, false, returns, lengths, result);
}

CelStatus cel_evaluate_watched(CelAgent *agent, const CelEnvSpec *spec, int64_t episodes,
                               uint64_t seed, CelActMode mode, const CelRunHooks *hooks,
                               double *returns, int64_t *lengths, CelEvalResult *result) {
  CELI_NEED(agent);
  CELI_NEED(spec);
  CELI_NEED(spec->type);
  CELI_FLOATS(CELI_IEEE);
  return celi_evaluate(agent, spec, episodes, seed, mode, hooks, true, returns, lengths, result);
}
