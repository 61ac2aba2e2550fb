/// The transitions that an off-policy learner has stored, read and added by the program.
#include "algo/off_policy.h"
#include "base/arguments.h"
#include "base/base.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/// The learner's experience. Errors: CEL_E_UNSUPPORTED (it has no replay buffer), CEL_E_STATE.
static CelStatus experience_of(CelAgent *agent, CeliExperience **out) {
  if (!agent->algo->replay(agent))
    return cel_fail(CEL_E_UNSUPPORTED, "%s: it learns from rollouts and stores no transitions",
                    agent->algo->info.name);
  *out = agent->self;
  return celi_agent_check_learns(agent, "store transitions");
}

static uint8_t flag_of(const CeliReplay *replay, int64_t e, int64_t s) {
  return celi_replay_row(replay, e, s)[replay->flag_at];
}

/// The first row of environment e whose later rows hold its last n transitions. n NULL: of all of
/// them, which are counted in *count.
static int64_t first_row(const CeliReplay *replay, int64_t e, int64_t n, int64_t *count) {
  const int64_t head = replay->head[e], oldest = head > replay->R ? head - replay->R : 0;
  int64_t found = 0, s = head;
  while (s > oldest && (count || found < n)) found += flag_of(replay, e, --s) != CELI_ROW_END;
  if (count) *count = found;
  return s;
}

int64_t cel_agent_stored(CelAgent *agent) {
  CELI_NEED_OR(agent, 0);
  CELI_FLOATS(CELI_IEEE);
  const CeliReplay *replay = agent->algo->replay(agent);
  int64_t least = 0;
  for (int64_t e = 0; replay && e < replay->N; e++) {
    int64_t count;
    first_row(replay, e, 0, &count);
    if (e == 0 || count < least) least = count;
  }
  return least;
}

static void copy_out(const CeliReplay *replay, const CelTransitions *out, int64_t at,
                     const uint8_t *row, const uint8_t *next) {
  const uint8_t flag = row[replay->flag_at];
  const size_t i = (size_t)at;
  memcpy((uint8_t *)out->obs + i * replay->obs_bytes, row, replay->obs_bytes);
  memcpy((uint8_t *)out->next_obs + i * replay->obs_bytes, next, replay->obs_bytes);
  memcpy((uint8_t *)out->actions + i * replay->action_bytes, row + replay->action_at,
         replay->action_bytes);
  memcpy(out->reward + i, row + replay->reward_at, sizeof(float));
  out->terminated[i] = flag == CELI_ROW_TERMINATED;
  out->truncated[i] = flag == CELI_ROW_TRUNCATED;
}

static CelStatus need_arrays(const CelTransitions *t, int64_t n) {
  if (n < 0)
    return cel_fail(CEL_E_RANGE, "%lld transitions; the number must not be negative", (long long)n);
  if (n > 0 &&
      (!t->obs || !t->next_obs || !t->actions || !t->reward || !t->terminated || !t->truncated))
    return cel_fail(CEL_E_ARGUMENT, "an array of the transitions is NULL");
  return CEL_OK;
}

CelStatus cel_agent_read_transitions(CelAgent *agent, const CelTransitions *out, int64_t n) {
  CELI_NEED(agent);
  CELI_NEED(out);
  CELI_USE_AGENT(agent);
  CELI_FLOATS(CELI_IEEE);
  CeliExperience *x = NULL;
  CELI_TRY(experience_of(agent, &x));
  CELI_TRY(need_arrays(out, n));
  const CeliReplay *replay = &x->replay;
  const int64_t stored = cel_agent_stored(agent);
  if (n > stored)
    return cel_fail(CEL_E_RANGE,
                    "%s: %lld transitions of each environment, but only %lld are stored",
                    agent->algo->info.name, (long long)n, (long long)stored);
  for (int64_t e = 0; e < replay->N; e++) {
    int64_t s = first_row(replay, e, n, NULL);
    for (int64_t t = 0; t < n; s++) {
      if (flag_of(replay, e, s) == CELI_ROW_END) continue;
      copy_out(replay, out, t++ * replay->N + e, celi_replay_row(replay, e, s),
               celi_replay_row(replay, e, s + 1));
    }
  }
  return CEL_OK;
}

// ---- adding.

static CelStatus check_numbers(const char *what, const float *values, int64_t n, int64_t width) {
  if (celi_ops()->all_finite(values, n)) return CEL_OK;
  for (int64_t i = 0; i < n; i++)
    if (!isfinite(values[i]))
      return cel_fail(CEL_E_NAN, "%s of transition %lld is %g", what, (long long)(i / width),
                      (double)values[i]);
  return CEL_OK;
}

/// Errors: CEL_E_NAN, CEL_E_RANGE (a discrete action).
static CelStatus check(const CeliExperience *x, const CelTransitions *in, int64_t rows) {
  const CeliReplay *replay = &x->replay;
  CELI_TRY(check_numbers("observation", in->obs, rows * x->O, x->O));
  CELI_TRY(check_numbers("next observation", in->next_obs, rows * x->O, x->O));
  CELI_TRY(check_numbers("reward", in->reward, rows, 1));
  if (replay->A > 0) CELI_TRY(check_numbers("action", in->actions, rows * replay->A, replay->A));
  const int32_t *choice = in->actions;
  for (int64_t i = 0; replay->choices > 0 && i < rows; i++)
    if (choice[i] < 0 || choice[i] >= replay->choices)
      return cel_fail(CEL_E_RANGE, "action of transition %lld is %d; valid are 0 to %lld",
                      (long long)i, (int)choice[i], (long long)replay->choices - 1);
  return CEL_OK;
}

/// Adds step t of all environments. next (N,O) is scratch: what each environment observes next.
static void add(CeliExperience *x, const CelTransitions *in, int64_t t, int64_t n, float *next) {
  CeliReplay *replay = &x->replay;
  const int64_t N = x->N, O = x->O, at = t * N;
  const float *obs = in->obs + at * O;
  if (replay->head[0] == 0) celi_replay_start(replay, obs);
  for (int64_t e = 0; e < N; e++) {
    const uint8_t ended = in->terminated[at + e] || in->truncated[at + e];
    const float *after =
        ended && t + 1 < n ? in->obs + (at + N + e) * O : in->next_obs + (at + e) * O;
    if (memcmp(celi_replay_newest(replay, e), obs + e * O, replay->obs_bytes) != 0)
      celi_replay_begin(replay, e, obs + e * O);
    memcpy(next + e * O, after, (size_t)O * sizeof(float));
    x->begins[e] = ended;
  }
  celi_replay_add(replay, (const uint8_t *)in->actions + (size_t)at * replay->action_bytes,
                  in->reward + at, in->terminated + at, in->truncated + at, next,
                  in->next_obs + at * O);
  celi_normalizer_observe(&x->norm, obs, N);
  celi_normalizer_reward(&x->norm, in->reward + at, x->begins);
}

CelStatus cel_agent_add_transitions(CelAgent *agent, const CelTransitions *in, int64_t n) {
  CELI_NEED(agent);
  CELI_NEED(in);
  CELI_USE_AGENT(agent);
  CELI_FLOATS(CELI_FLUSH);
  CeliExperience *x = NULL;
  float *next = NULL;
  CELI_TRY(experience_of(agent, &x));
  CELI_TRY(need_arrays(in, n));
  if (n == 0) return CEL_OK;
  CELI_TRY(cel_fail_in(check(x, in, n * x->N), "%s: ", agent->algo->info.name));
  CELI_TRY(celi_alloc(&next, (size_t)(x->N * x->O), sizeof(float), "observations"));
  for (int64_t t = 0; t < n; t++) add(x, in, t, n, next);
  *x->acted = 0;
  free(next);
  return CEL_OK;
}
