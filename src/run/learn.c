/// cel_learn: the plain training loop over a caller's agent and environments. It writes no files.
#include "algo/algo.h"
#include "base/arguments.h"
#include "base/base.h"
#include "celsius/train.h"
#include "run/training.h"

#include <math.h>
#include <stdlib.h>

static const CelRunHooks no_hooks = {0};

/// Episodes that ended so far, and the returns of the last CELI_WINDOW of them.
typedef struct Tally {
  double returns[CELI_WINDOW];
  int64_t episodes;
} Tally;

static void tally(void *user, double episode_return, int64_t length) {
  Tally *seen = user;
  (void)length;
  seen->returns[seen->episodes++ % CELI_WINDOW] = episode_return;
}

static double tally_mean(const Tally *tally) {
  const int64_t n = tally->episodes < CELI_WINDOW ? tally->episodes : CELI_WINDOW;
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += tally->returns[i];
  return n ? sum / (double)n : (double)NAN;
}

static CelStatus learn(CelAgent *agent, CelVecEnv *env, int64_t steps, const CelRunHooks *hooks,
                       void *actions) {
  Tally seen = {.episodes = 0};
  CeliPace pace = {0};
  celi_pace_start(&pace, 0);
  const int64_t start = cel_agent_steps(agent);
  CELI_TRY(celi_loop_begin(hooks, agent, env->spec, NULL));
  CELI_TRY(celi_loop_update(agent, hooks)); // repeats an update that a stop interrupted
  for (int64_t done = 0; done < steps;) {
    CELI_TRY(celi_loop_advance(agent, env, actions, (steps - done + env->N - 1) / env->N, tally,
                               &seen, hooks));
    done = cel_agent_steps(agent) - start;
    if (celi_pace_tick(&pace, done, false) && hooks->progress) {
      CelProgress progress = celi_progress_make(&pace, agent, done, steps);
      progress.episodes = seen.episodes;
      progress.mean_return = tally_mean(&seen);
      hooks->progress(hooks->user, &progress);
      celi_floats_keep();
    }
    if (done < steps && celi_loop_stop(hooks))
      return cel_fail(CEL_E_INTERRUPTED, "stopped after %lld of %lld step%s", (long long)done,
                      (long long)steps, celi_s(steps));
  }
  return CEL_OK;
}

CelStatus cel_learn(CelAgent *agent, CelVecEnv *env, int64_t steps, const CelRunHooks *hooks) {
  CELI_NEED(agent);
  CELI_NEED(env);
  if (!env->spec || !env->obs)
    return cel_fail(CEL_E_STATE,
                    "cel_learn: the environments are not allocated; call cel_vecenv_declare, "
                    "cel_tensors_allocate and cel_vecenv_reset first");
  CELI_FLOATS(CELI_IEEE);
  void *actions = NULL;
  CELI_TRY(celi_check_fit(agent, env->spec));
  if (agent->options.act_only)
    return cel_fail(CEL_E_STATE, "cel_learn: the agent was created with act_only and cannot learn");
  if (agent->options.n_envs != env->N)
    return cel_fail(CEL_E_SHAPE,
                    "cel_learn: the agent was created with n_envs %lld, but env has %lld "
                    "environment%s; the numbers must be equal",
                    (long long)agent->options.n_envs, (long long)env->N, celi_s(env->N));
  CELI_TRY(celi_alloc(&actions, (size_t)env->N, cel_space_bytes(&env->spec->action), "actions"));
  const CelStatus status = learn(agent, env, steps, hooks ? hooks : &no_hooks, actions);
  free(actions);
  return status;
}
