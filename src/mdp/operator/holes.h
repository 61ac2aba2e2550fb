/// Runs with holes: columns of a slice by where they lead to instead of by their place in the rows.
#ifndef CELI_MDP_HOLES_H
#define CELI_MDP_HOLES_H
#include "mdp/operator/operator.h"

enum { CELI_HOLES_MOST = 32 }; ///< columns of one level

typedef struct CeliHoleColumn {
  int64_t base; ///< next state of lane i: base + i
  double p;     ///< of all lanes in the mask
  uint8_t mask; ///< lanes that have this transition
} CeliHoleColumn;

/// The columns of action a of eight states from `first` on, ascending; `padded`: elements of a vector of values. Returns
/// their number, or -1 where there are more than `most`, a row does not ascend, or a column would reach outside.
int celi_holes_of(const CelMdp *mdp, int64_t first, int64_t a, int64_t padded, int most,
                  CeliHoleColumn column[CELI_HOLES_MOST]);

#endif
