/// The binding's own C code, in front of the source that cffi writes (python/generate.py).
#include "celsius/celsius.h"

#include <time.h>

/// Seconds between two questions to Python whether to stop. Asking takes the interpreter lock.
#define CELPY_PERIOD 0.02

/// What a `stop` hook needs. Passed as its `user`.
typedef struct CelpyHooks {
  void *handle; ///< of the Python object that answers
  double next;  ///< time of the next question, seconds
  bool stopped; ///< the last answer
} CelpyHooks;

static bool celpy_should_stop(void *user);

static double celpy_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/// The first question comes after one period.
static void celpy_hooks_reset(CelpyHooks *hooks) {
  hooks->next = celpy_seconds() + CELPY_PERIOD;
  hooks->stopped = false;
}

/// A `stop` hook (celsius/train.h) that asks Python at most once a period.
static bool celpy_stop(void *user) {
  CelpyHooks *hooks = user;
  if (hooks->stopped || celpy_seconds() < hooks->next) return hooks->stopped;
  hooks->stopped = celpy_should_stop(hooks->handle);
  hooks->next = celpy_seconds() + CELPY_PERIOD;
  return hooks->stopped;
}

/// What celpy_advance needs at every step. Python fills it in once.
typedef struct CelpyLoop {
  CelAgent *agent;
  const CelOutcome *outcome; ///< results of the last actions
  void *actions;             ///< (N rows) the next actions
  CelpyHooks *hooks;         ///< stops a long update
} CelpyLoop;

/// Runs the gradient steps that are due. The hooks can stop a long update.
static CelStatus celpy_update(const CelpyLoop *loop) {
  celpy_hooks_reset(loop->hooks);
  return cel_agent_update_watched(loop->agent, celpy_stop, loop->hooks);
}

/// Does in one call what a loop does between two steps of the environments: observes the outcome,
/// updates the agent if `update`, and acts on the new observations. One call costs less than three.
static CelStatus celpy_advance(const CelpyLoop *loop, bool update) {
  CelStatus status = cel_agent_observe(loop->agent, loop->outcome);
  if (status == CEL_OK && update) status = celpy_update(loop);
  if (status != CEL_OK) return status;
  return cel_agent_act(loop->agent, loop->outcome->obs, NULL, CEL_EXPLORE, loop->actions);
}
