/// Runs with holes: columns of a slice ordered by next state instead of by position in the rows.
#ifndef CELI_MDP_HOLES_H
#define CELI_MDP_HOLES_H
#include "mdp/operator/operator.h"

enum { CELI_HOLES_MOST = 32 }; ///< largest number of columns of one level

typedef struct CeliHoleColumn {
  int64_t base; ///< next state of lane i: base + i
  double p;     ///< probability, for all lanes in the mask
  uint8_t mask; ///< lanes that have this transition
} CeliHoleColumn;

/// Finds the columns of action a of eight states from `first` on, in ascending order. `padded` is
/// the number of elements of a value vector. Returns the number of columns, or -1 if there are more
/// than `most`, a row does not ascend, or a column would reach out of bounds.
int celi_holes_of(const CelMdp *mdp, int64_t first, int64_t a, int64_t padded, int most,
                  CeliHoleColumn column[CELI_HOLES_MOST]);

#endif
