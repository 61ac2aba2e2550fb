/// Runs with holes.
///
/// In a grid world with obstacles the neighbours of eight states in a row do follow each other, but for a state that is
/// missing here or there, or a step that is blocked. A column is then one pair (next state less lane, probability) with
/// the lanes that have it: loads where there would be gathers, and 13 bytes where there would be 96. Rows ascend in their
/// next states and so do the columns, so that every lane still adds its transitions in their order; what is added for
/// the others is 0.
#include "mdp/operator/holes.h"

static bool before(const CeliHoleColumn *x, const CeliHoleColumn *y) {
  return x->base < y->base || (x->base == y->base && x->p < y->p);
}

/// Puts one transition where it belongs. False: there are more than `most` columns.
static bool put(CeliHoleColumn *column, int *n, int most, CeliHoleColumn one) {
  int at = *n;
  while (at > 0 && before(&one, &column[at - 1])) at--;
  if (at > 0 && !before(&column[at - 1], &one)) { // the same
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
      if (mdp->ends && mdp->ends[t]) continue; // nothing follows
      if (!put(column, &n, most, (CeliHoleColumn){base, mdp->probability[t], (uint8_t)(1 << lane)}))
        return -1;
    }
  }
  return n;
}
