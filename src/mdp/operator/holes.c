/// Runs with holes.
///
/// In a grid world with obstacles, the neighbors of eight consecutive states mostly follow each
/// other, except where a state is missing or a step is blocked. A column is then one pair (next
/// state minus lane, probability) and a mask of the lanes that have it. This allows loads instead
/// of gathers, and takes 13 bytes instead of 96. Next states of a row ascend, and so do the
/// columns. So every lane adds its transitions in their order, and 0 for the other columns.
#include "mdp/operator/holes.h"

static bool before(const CeliHoleColumn *x, const CeliHoleColumn *y) {
  return x->base < y->base || (x->base == y->base && x->p < y->p);
}

/// Inserts one transition in order. Returns false if there would be more than `most` columns.
static bool put(CeliHoleColumn *column, int *n, int most, CeliHoleColumn one) {
  int at = *n;
  while (at > 0 && before(&one, &column[at - 1])) at--;
  if (at > 0 && !before(&column[at - 1], &one)) { // an equal column
    column[at - 1].mask |= one.mask;
    return true;
  }
  if (*n == most) return false;
  for (int i = *n; i > at; i--) column[i] = column[i - 1];
  column[at] = one;
  ++*n;
  return true;
}

int celi_holes_of(const CelMdp *mdp, int64_t first, int64_t a, int64_t padded, int most,
                  CeliHoleColumn column[CELI_HOLES_MOST]) {
  int n = 0;
  if (most > CELI_HOLES_MOST) most = CELI_HOLES_MOST;
  for (int lane = 0; lane < CELI_WIDE; lane++) {
    const int64_t s = first + lane;
    if (s >= mdp->states || a >= mdp->pair[s + 1] - mdp->pair[s]) continue;
    const int64_t p = mdp->pair[s] + a;
    for (int64_t t = mdp->row[p], last = -1; t < mdp->row[p + 1]; t++) {
      const int64_t next = cel_mdp_next(mdp, t), base = next - lane;
      if (next <= last || base < 0 || base + CELI_WIDE > padded) return -1;
      last = next;
      if (mdp->ends && mdp->ends[t]) continue; // the episode ends
      if (!put(column, &n, most, (CeliHoleColumn){base, mdp->probability[t], (uint8_t)(1 << lane)}))
        return -1;
    }
  }
  return n;
}
