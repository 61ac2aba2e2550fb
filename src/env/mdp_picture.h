/// Pictures of finite problems.
#ifndef CELI_ENV_MDP_PICTURE_H
#define CELI_ENV_MDP_PICTURE_H
#include "celsius/canvas.h"
#include "celsius/mdp.h"

/// Draws state s: the cells of a grid world, with a disk at the agent's cell. cell: (states,) from
/// celi_mdp_cells. If it is NULL, or the grid needs more shapes than a canvas holds, draws the
/// number of the state instead.
void celi_mdp_picture(const CelMdp *mdp, const uint8_t *cell, double s, CelCanvas *canvas);
/// Draws state s of the taxi problem.
void celi_taxi_picture(double s, CelCanvas *canvas);

#endif
