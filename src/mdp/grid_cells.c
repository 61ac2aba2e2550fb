/// Classifies the cells of a grid world by whether they can be reached and how they end the
/// episode.
///
/// Ends with the largest reward on entry are goals. All other ends are pits.
#include "mdp/grid_cells.h"
#include "base/base.h"

#include <math.h>
#include <stdlib.h>

/// What one pass over the MDP learns about each state.
typedef struct Walk {
  uint8_t *live;  ///< (states) 1 if an episode can continue from the state
  double *entry;  ///< (states) best reward of a step that ends there; -inf if no step does
  int64_t *queue; ///< (states)
  int64_t n;
} Walk;

static bool has_actions(const CelMdp *mdp, int64_t s) {
  return mdp->pair[s + 1] > mdp->pair[s];
}

static void enter(Walk *walk, int64_t s) {
  if (walk->live[s]) return;
  walk->live[s] = 1;
  walk->queue[walk->n++] = s;
}

/// Breadth-first search from the initial states, over all actions.
static void walk_all(Walk *walk, const CelMdp *mdp) {
  for (int64_t s = 0; s < mdp->states; s++) walk->live[s] = 0, walk->entry[s] = -HUGE_VAL;
  for (int64_t s = 0; s < mdp->states; s++) {
    if (mdp->start[s] > 0) enter(walk, s);
  }
  for (int64_t i = 0; i < walk->n; i++) {
    const int64_t s = walk->queue[i];
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
      for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++) {
        const int64_t next = cel_mdp_next(mdp, t);
        const double reward = mdp->reward_next ? mdp->reward_next[t] : mdp->reward[p];
        if (!(mdp->probability[t] > 0)) continue;
        if ((mdp->ends && mdp->ends[t]) || !has_actions(mdp, next)) {
          walk->entry[next] = fmax(walk->entry[next], reward);
        } else {
          enter(walk, next);
        }
      }
    }
  }
}

static void sort_cells(uint8_t *kind, const CelMdp *mdp, const Walk *walk) {
  double best = -HUGE_VAL;
  for (int64_t s = 0; s < mdp->states; s++) {
    if (!walk->live[s] || !has_actions(mdp, s)) best = fmax(best, walk->entry[s]);
  }
  for (int64_t s = 0; s < mdp->states; s++) {
    const double slack = 1e-9 * fmax(1, fabs(best));
    if (walk->live[s] && has_actions(mdp, s)) {
      kind[s] = CELI_CELL_OPEN;
    } else if (isfinite(walk->entry[s])) {
      kind[s] = walk->entry[s] >= best - slack ? CELI_CELL_GOAL : CELI_CELL_PIT;
    } else {
      kind[s] = CELI_CELL_FAR;
    }
  }
}

CelStatus celi_mdp_cells(const CelMdp *mdp, uint8_t *kind) {
  const size_t S = (size_t)mdp->states;
  Walk walk = {0};
  CelStatus status = celi_alloc(&walk.live, S, sizeof *walk.live, "a picture");
  if (status == CEL_OK) status = celi_alloc(&walk.entry, S, sizeof *walk.entry, "a picture");
  if (status == CEL_OK) status = celi_alloc(&walk.queue, S, sizeof *walk.queue, "a picture");
  if (status == CEL_OK) {
    walk_all(&walk, mdp);
    sort_cells(kind, mdp, &walk);
  }
  free(walk.live);
  free(walk.entry);
  free(walk.queue);
  return status;
}
