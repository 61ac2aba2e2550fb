/// Updates that a stop request can interrupt.
///
/// An update of PPO or TRPO over a long rollout, or of thousands of gradient steps, takes seconds
/// or minutes. If the last update took long, the next one first copies the state that it changes. A
/// stop request then ends the update between two operations and restores the copy. The checkpoint
/// holds the state before the update, and a resumed run repeats the update with the same bits.
/// Short updates are not copied; a stop request waits until they end.
#include "algo/algo.h"
#include "base/arguments.h"
#include "base/base.h"
#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

#define LONG_UPDATE 0.1 // seconds from which an update counts as long

/// Roles of the tensors that an update changes and a checkpoint holds. Updates do not change stored
/// transitions.
static const CelRole changed[] = {CEL_PARAM,   CEL_MODEL,   CEL_TARGET,
                                  CEL_MOMENT1, CEL_MOMENT2, CEL_STATE};
enum { CHANGED = sizeof changed / sizeof changed[0] };

static size_t state_bytes(const CelAgent *agent) {
  size_t total = 0;
  for (int i = 0; i < CHANGED; i++) {
    size_t bytes;
    cel_tensors_region(agent->tensors, changed[i], &bytes);
    total += bytes;
  }
  return total;
}

static void copy_state(const CelAgent *agent, char *copy, bool back) {
  for (int i = 0; i < CHANGED; i++) {
    size_t bytes;
    void *region = cel_tensors_region(agent->tensors, changed[i], &bytes);
    if (bytes) memcpy(back ? region : copy, back ? copy : region, bytes);
    copy += bytes;
  }
}

/// Returns a copy of the state, or NULL if it would take more than half of the available memory.
static char *make_copy(const CelAgent *agent) {
  const size_t bytes = state_bytes(agent);
  if (bytes > celi_memory_available(NULL) / 2) return NULL;
  char *copy = malloc(bytes ? bytes : 1);
  if (copy) copy_state(agent, copy, false);
  return copy;
}

bool celi_agent_update_is_due(const CelAgent *agent) {
  return agent->algo->due(agent) > 0;
}

CelStatus cel_agent_update_watched(CelAgent *agent, CelStop stop, void *user) {
  CELI_NEED(agent);
  CELI_FLOATS(CELI_FLUSH);
  if (!celi_agent_update_is_due(agent)) return cel_agent_update(agent);
  const bool guarded = stop && (!agent->update_timed || agent->update_seconds > LONG_UPDATE);
  char *copy = guarded ? make_copy(agent) : NULL;
  const double before = celi_seconds();
  if (copy) celi_team_watch(agent->team, stop, user);
  CelStatus status = cel_agent_update(agent);
  celi_team_watch(agent->team, NULL, NULL);
  agent->update_interrupted = copy && status == CEL_E_INTERRUPTED;
  agent->update_seconds = celi_seconds() - before;
  agent->update_timed = !agent->update_interrupted; // it might have taken longer
  if (agent->update_interrupted) {
    copy_state(agent, copy, true);
    const CelStatus synced = cel_agent_sync(agent);
    if (synced != CEL_OK) status = synced;
  }
  free(copy);
  return status;
}
