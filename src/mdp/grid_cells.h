/// What the cells of a grid world are, for pictures and animations.
#ifndef CELI_MDP_GRID_CELLS_H
#define CELI_MDP_GRID_CELLS_H
#include "celsius/mdp.h"

typedef enum CeliCell {
  CELI_CELL_OPEN, ///< can be reached, and the episode goes on there
  CELI_CELL_GOAL, ///< ends the episode with the best reward that any such cell has
  CELI_CELL_PIT,  ///< ends the episode with less
  CELI_CELL_FAR,  ///< cannot be reached from the start
  CELI_CELL_WALL,
  CELI_CELLS
} CeliCell;

/// Finds the kind of every state: OPEN, GOAL, PIT or FAR. A cell is an end where steps into it end the
/// episode, or where it has no actions, and the episode never goes on in it.
/// out kind (states,). Errors: CEL_E_MEMORY. Allocates: yes, freed before it returns.
CelStatus celi_mdp_cells(const CelMdp *mdp, uint8_t *kind) CEL_WARN_UNUSED;

#endif
