/// The contents of a grid world's picture: the kind of each cell, and the range of values.
#include "view/grid.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
  scene->low = HUGE_VAL;
  scene->high = -HUGE_VAL;
  for (int64_t row = 0; row < mdp->grid->rows; row++) {
    for (int64_t column = 0; column < mdp->grid->columns; column++) {
      const CeliCell kind = celi_scene_kind(scene, row, column);
      const int64_t s = celi_scene_state(scene, row, column);
      scene->n[kind]++;
      if (kind != CELI_CELL_OPEN) continue;
      if (!isfinite(scene->V[s]))
        return cel_fail(CEL_E_NAN, "the value of state %lld is %g; only finite values can be drawn",
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
  CELI_TRY(celi_alloc(&scene->kind, S, sizeof *scene->kind, "a picture"));
  CELI_TRY(celi_mdp_cells(scene->mdp, scene->kind));
  return measure(scene);
}

void celi_scene_free(CeliScene *scene) {
  free(scene->kind);
  scene->kind = NULL;
}

double celi_scene_share(const CeliScene *scene, int64_t s) {
  const double range = scene->high - scene->low;
  const double size = fmax(fabs(scene->low), fabs(scene->high));
  if (!(range > 1e-12 * size)) return 0.5; // all values are equal up to rounding
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
  enum { LONGEST = 10 }; // characters that fit into a cell
  char digits[400];
  snprintf(digits, sizeof digits, "%.*f", decimals < 30 ? decimals : 30, value);
  // Numbers that do not fit, or would read 0, get an exponent.
  if (strlen(digits) > LONGEST) snprintf(digits, sizeof digits, "%.3g", value);
  if (value != 0 && strtod(digits, NULL) == 0) snprintf(digits, sizeof digits, "%.0e", value);
  const bool negative = digits[0] == '-';
  snprintf(text, size, "%s%s", negative ? "\xe2\x88\x92" : "", digits + negative);
}

/// Values that differ by less than this fraction of the range count as equal, because of solver
/// tolerances and rounding.
static const double ALIKE = 1e-6;

/// Counts pairs of neighboring open cells with different values, and those of them that read the
/// same.
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
  // A hundredth of the range, or four digits if all values are equal.
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
