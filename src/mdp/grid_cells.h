/// The kinds of cells of a grid world, for pictures and animations.
#ifndef CELI_MDP_GRID_CELLS_H
#define CELI_MDP_GRID_CELLS_H
#include "celsius/mdp.h"

typedef enum CeliCell {
  CELI_CELL_OPEN, ///< reachable, and the episode continues there
  CELI_CELL_GOAL, ///< ends the episode with the largest reward of all ends
  CELI_CELL_PIT,  ///< ends the episode with a smaller reward
  CELI_CELL_FAR,  ///< not reachable from the start
  CELI_CELL_WALL,
  CELI_CELLS
} CeliCell;

/// Finds the kind of every state: OPEN, GOAL, PIT or FAR. A state is an end if it has no actions or
/// if steps into it end the episode, and no episode ever continues from it.
/// out kind (states,). Errors: CEL_E_MEMORY. Allocates: yes, freed before it returns.
CelStatus celi_mdp_cells(const CelMdp *mdp, uint8_t *kind) CEL_WARN_UNUSED;

#endif
