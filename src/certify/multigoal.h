/// The grid on which the multi-goal plane is solved: what the files of its oracle share.
#ifndef CELI_CERTIFY_MULTIGOAL_H
#define CELI_CERTIFY_MULTIGOAL_H
#include "base/base.h"
#include "celsius/multigoal.h"

/// A quarter of the plane with room around it: row and column `pad` are the middle, `pad + cells` the bound; before the
/// middle lie mirror images, beyond the bound copies of it (a step is clipped there).
typedef struct CeliPlaneGrid {
  const CelMultigoal *plane;
  double gamma, alpha;
  int64_t cells, pad, side; ///< side = cells + 1 + 2 pad
  double step;
  double *
      weight; ///< (2 pad + 1) of actions k step, k = -pad..pad: trapezoid rule over [-reach, reach]
  double *factor; ///< (2 pad + 1) the same with the cost of actions in it
  double *inside; ///< (cells + 1, cells + 1) share of the cell around a point that lies in a goal
  double *ends,
      *stay; ///< (cells + 1, cells + 1) reward of arriving there, without the action's: with the goal's, without
  double *E, *T; ///< (side, side) scratch
} CeliPlaneGrid;

CelStatus celi_plane_grid_open(CeliPlaneGrid *grid, const CelMultigoal *plane, double gamma,
                               double alpha, int64_t cells) CEL_WARN_UNUSED;
void celi_plane_grid_close(CeliPlaneGrid *grid);
/// out = T in, (cells + 1, cells + 1); the soft Bellman operator, alpha = 0: the hard one. Returns the sup-norm of
/// out - in.
double celi_plane_backup(CeliPlaneGrid *grid, double *out, const double *in);
/// The same of the policy that is uniform over [-reach, reach]^2, its entropy included.
double celi_plane_backup_uniform(CeliPlaneGrid *grid, double *out, const double *in);
/// V at a place, bilinear; V (cells + 1, cells + 1) of a grid with that step.
double celi_plane_at(const double *V, int64_t cells, double step, const double s[2]);

#endif
