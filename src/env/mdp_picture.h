/// Pictures of finite problems.
#ifndef CELI_ENV_MDP_PICTURE_H
#define CELI_ENV_MDP_PICTURE_H
#include "celsius/canvas.h"
#include "celsius/mdp.h"

/// Draws state s: a grid world's cells (`cell`, (states,) of celi_mdp_cells) with a disk where the agent
/// is. Where `cell` is NULL, or the grid has more shapes than a canvas: the state's number.
void celi_mdp_picture(const CelMdp *mdp, const uint8_t *cell, double s, CelCanvas *canvas);
/// Draws state s of the taxi problem.
void celi_taxi_picture(double s, CelCanvas *canvas);

#endif
