/// What there is to see in a grid world: which cells can be reached, which end the episode well and which badly, and
/// between what bounds the values lie.
///
/// A cell is an end when steps into it end the episode, or when nothing can be chosen there, and the episode never goes on
/// in it. The ends whose entry pays best are goals, the others pits.
#include "view/grid.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// What walking the problem once tells of each state.
typedef struct Walk {
  uint8_t *live;  ///< (states) the episode can go on there
  double *entry;  ///< (states) best reward of a step that ends there; -inf: none does
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

/// Breadth first from the start, under any policy.
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

static void sort_cells(CeliScene *scene, const Walk *walk) {
  const CelMdp *mdp = scene->mdp;
  double best = -HUGE_VAL;
  for (int64_t s = 0; s < mdp->states; s++) {
    if (!walk->live[s] || !has_actions(mdp, s)) best = fmax(best, walk->entry[s]);
  }
  for (int64_t s = 0; s < mdp->states; s++) {
    const double slack = 1e-9 * fmax(1, fabs(best));
    if (walk->live[s] && has_actions(mdp, s)) {
      scene->kind[s] = CELI_CELL_OPEN;
    } else if (isfinite(walk->entry[s])) {
      scene->kind[s] = walk->entry[s] >= best - slack ? CELI_CELL_GOAL : CELI_CELL_PIT;
    } else {
      scene->kind[s] = CELI_CELL_FAR;
    }
  }
}

int64_t celi_scene_state(const CeliScene *scene, int64_t row, int64_t column) {
  const CelMdpGrid *grid = scene->mdp->grid;
  return grid->state[row * grid->columns + column];
}

CeliCell celi_scene_kind(const CeliScene *scene, int64_t row, int64_t column) {
  const int64_t s = celi_scene_state(scene, row, column);
  return s < 0 ? CELI_CELL_WALL : (CeliCell)scene->kind[s];
}

static CelStatus measure(CeliScene *scene) {
  const CelMdp *mdp = scene->mdp;
  scene->low = HUGE_VAL, scene->high = -HUGE_VAL;
  for (int64_t row = 0; row < mdp->grid->rows; row++) {
    for (int64_t column = 0; column < mdp->grid->columns; column++) {
      const CeliCell kind = celi_scene_kind(scene, row, column);
      const int64_t s = celi_scene_state(scene, row, column);
      scene->n[kind]++;
      if (kind != CELI_CELL_OPEN) continue;
      if (!isfinite(scene->V[s]))
        return cel_fail(CEL_E_NAN, "the value of state %lld is %g: it cannot be drawn",
                        (long long)s, scene->V[s]);
      scene->low = fmin(scene->low, scene->V[s]);
      scene->high = fmax(scene->high, scene->V[s]);
    }
  }
  for (int64_t s = 0; s < mdp->states; s++) scene->starts += mdp->start[s] > 0;
  if (scene->n[CELI_CELL_OPEN] == 0) scene->low = scene->high = 0;
  return CEL_OK;
}

CelStatus celi_scene_make(CeliScene *scene) {
  const size_t S = (size_t)scene->mdp->states;
  Walk walk = {0};
  CelStatus status = celi_alloc(&scene->kind, S, sizeof *scene->kind, "a picture");
  if (status == CEL_OK) status = celi_alloc(&walk.live, S, sizeof *walk.live, "a picture");
  if (status == CEL_OK) status = celi_alloc(&walk.entry, S, sizeof *walk.entry, "a picture");
  if (status == CEL_OK) status = celi_alloc(&walk.queue, S, sizeof *walk.queue, "a picture");
  if (status == CEL_OK) {
    walk_all(&walk, scene->mdp);
    sort_cells(scene, &walk);
    status = measure(scene);
  }
  free(walk.live);
  free(walk.entry);
  free(walk.queue);
  return status;
}

void celi_scene_free(CeliScene *scene) {
  free(scene->kind);
  scene->kind = NULL;
}

double celi_scene_share(const CeliScene *scene, int64_t s) {
  const double range = scene->high - scene->low;
  const double size = fmax(fabs(scene->low), fabs(scene->high));
  if (!(range > 1e-12 * size)) return 0.5; // all are alike, but for rounding
  return (scene->V[s] - scene->low) / range;
}

void celi_scene_drift(const CeliScene *scene, int64_t s, double *x, double *y) {
  const CelMdp *mdp = scene->mdp;
  const CelMdpGrid *grid = mdp->grid;
  *x = *y = 0;
  for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
    const int64_t a = cel_mdp_action(mdp, s, p);
    if (a < 0 || a >= grid->actions) continue;
    *y += scene->pi[p] * grid->direction[2 * a];
    *x += scene->pi[p] * grid->direction[2 * a + 1];
  }
}

// ---- values as numbers

void celi_scene_number(double value, int decimals, char *text, size_t size) {
  enum { LONGEST = 10 }; // characters that a cell has room for
  char digits[400];
  snprintf(digits, sizeof digits, "%.*f", decimals < 30 ? decimals : 30, value);
  const double rounded = strtod(digits, NULL);
  // Also where so many decimals leave less than two digits of a small value.
  if (strlen(digits) > LONGEST || fabs(rounded - value) > 0.05 * fabs(value))
    snprintf(digits, sizeof digits, "%.3g", value);
  const bool negative = digits[0] == '-' && strtod(digits, NULL) != 0;
  snprintf(text, size, "%s%s", negative ? "\xe2\x88\x92" : "", digits + (digits[0] == '-'));
}

/// Cells whose values differ by less than this share of the range are alike: solvers and rounding leave that much.
static const double ALIKE = 1e-6;

/// Neighbouring open cells, to the right and below, whose values differ, and those of them that read the same.
static void count_pairs(const CeliScene *scene, int decimals, int64_t *differ,
                        int64_t *read_alike) {
  const CelMdpGrid *grid = scene->mdp->grid;
  const double least = ALIKE * (scene->high - scene->low);
  char text[2][32];
  *differ = *read_alike = 0;
  for (int64_t row = 0; row < grid->rows; row++) {
    for (int64_t column = 0; column < grid->columns; column++) {
      if (celi_scene_kind(scene, row, column) != CELI_CELL_OPEN) continue;
      const double v = scene->V[celi_scene_state(scene, row, column)];
      celi_scene_number(v, decimals, text[0], sizeof text[0]);
      for (int down = 0; down < 2; down++) {
        const int64_t r = row + down, c = column + 1 - down;
        if (r >= grid->rows || c >= grid->columns) continue;
        if (celi_scene_kind(scene, r, c) != CELI_CELL_OPEN) continue;
        const double w = scene->V[celi_scene_state(scene, r, c)];
        if (!(fabs(v - w) > least)) continue;
        (*differ)++;
        celi_scene_number(w, decimals, text[1], sizeof text[1]);
        *read_alike += strcmp(text[0], text[1]) == 0;
      }
    }
  }
}

/// Whether the last decimal is 0 in every open cell.
static bool last_is_zero(const CeliScene *scene, int decimals) {
  const double unit = pow(10, decimals);
  for (int64_t s = 0; s < scene->mdp->states; s++) {
    if (scene->kind[s] == CELI_CELL_OPEN && fmod(nearbyint(scene->V[s] * unit), 10) != 0)
      return false;
  }
  return true;
}

int celi_scene_decimals(const CeliScene *scene) {
  const double range = scene->high - scene->low;
  const double size = fmax(fabs(scene->low), fabs(scene->high));
  if (!(size > 0)) return 0;
  // A hundredth of the range; of values that are all alike, four digits.
  const bool alike = !(range > 1e-12 * size);
  const double finest = alike ? 1e-3 * size : 1e-2 * range;
  int decimals = (int)fmax(0, ceil(-log10(finest)));
  for (int more = 0; more < 2 && !alike; more++, decimals++) {
    int64_t differ, read_alike;
    count_pairs(scene, decimals, &differ, &read_alike);
    if (10 * read_alike <= differ) break;
  }
  while (decimals > 0 && last_is_zero(scene, decimals)) decimals--;
  return decimals;
}
