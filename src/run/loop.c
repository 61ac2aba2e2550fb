/// The loop { act, step, observe, update } over an agent and its environments.
#include "algo/algo.h"
#include "base/base.h"
#include "run/training.h"

#define COLLECT_ROWS 8192 // environment steps between two calls of the stop hook

/// What to do at the end of an episode.
typedef struct Ended {
  CeliEpisodeEnded *note;
  void *user; ///< of note
  const CelRunHooks *hooks;
} Ended;

static void ended(const Ended *ended, double episode_return, int64_t length) {
  ended->note(ended->user, episode_return, length);
  if (!ended->hooks->episode) return;
  ended->hooks->episode(ended->hooks->user, episode_return, length);
  celi_floats_keep();
}

/// Takes one step of all environments.
static CelStatus step(CelAgent *agent, CelVecEnv *env, void *actions, const Ended *each) {
  CELI_TRY(cel_agent_act(agent, env->obs, NULL, CEL_EXPLORE, actions));
  CELI_TRY(cel_fail_in(cel_vecenv_step(env, actions, 0, env->N),
                       "training step %lld: ", (long long)cel_agent_steps(agent) + 1));
  const CelOutcome outcome = {.reward = env->reward,
                              .terminated = env->terminated,
                              .truncated = env->truncated,
                              .obs = env->obs,
                              .final_obs = env->final_obs};
  CELI_TRY(cel_agent_observe(agent, &outcome));
  for (int64_t i = 0; i < env->N; i++)
    if (env->terminated[i] || env->truncated[i])
      ended(each, env->final_return[i], env->final_length[i]);
  return CEL_OK;
}

CelStatus celi_loop_begin(const CelRunHooks *hooks, CelAgent *agent, const CelEnvSpec *spec,
                          const char *folder) {
  if (!hooks->begun) return CEL_OK;
  const CelStatus status = hooks->begun(hooks->user, agent, spec, folder);
  celi_floats_keep();
  return status;
}

/// Takes up to `steps` steps of all environments through the algorithm's own `collect`. The result
/// has the same bits as single steps.
static CelStatus collect(CelAgent *agent, CelVecEnv *env, int64_t steps, const Ended *each) {
  CELI_FLOATS(CELI_FLUSH);
  const CeliRollout *r = agent->algo->rollout(agent);
  const int64_t begin = *r->filled * r->N;
  CELI_TRY(agent->algo->collect(agent, env, steps));
  for (int64_t row = begin; row < *r->filled * r->N; row++)
    if (celi_rollout_ended(r, row)) ended(each, r->final_return[row], r->final_length[row]);
  return CEL_OK;
}

CelStatus celi_loop_update(CelAgent *agent, const CelRunHooks *hooks) {
  const int64_t updates = cel_agent_updates(agent);
  CELI_TRY(cel_agent_update_watched(agent, hooks->stop, hooks->user));
  if (!hooks->updated || cel_agent_updates(agent) == updates) return CEL_OK;
  const CelStatus status = hooks->updated(hooks->user, agent);
  celi_floats_keep();
  return status;
}

CelStatus celi_loop_advance(CelAgent *agent, CelVecEnv *env, void *actions, int64_t steps,
                            CeliEpisodeEnded *note, void *user, const CelRunHooks *hooks) {
  const Ended each = {note, user, hooks};
  const int64_t most = env->N < COLLECT_ROWS ? COLLECT_ROWS / env->N : 1;
  if (agent->algo->collect)
    CELI_TRY(collect(agent, env, steps < most ? steps : most, &each));
  else
    CELI_TRY(step(agent, env, actions, &each));
  return celi_loop_update(agent, hooks);
}

bool celi_loop_stop(const CelRunHooks *hooks) {
  const bool stop = hooks->stop && hooks->stop(hooks->user);
  celi_floats_keep();
  return stop;
}
