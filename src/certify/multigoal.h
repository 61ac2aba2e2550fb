/// The grid on which the multi-goal plane is solved: what the files of the solver share.
#ifndef CELI_CERTIFY_MULTIGOAL_H
#define CELI_CERTIFY_MULTIGOAL_H
#include "base/base.h"
#include "celsius/multigoal.h"

/// A quarter of the plane with padding. Row and column `pad` are the origin, `pad + cells` the
/// bound. The padding before the origin holds mirror images. The padding after the bound holds
/// copies of the bound, where steps are clipped.
typedef struct CeliPlaneGrid {
  const CelMultigoal *plane;
  double gamma, alpha;
  int64_t cells, pad, side; ///< side = cells + 1 + 2 pad
  double step;
  double *weight; ///< (2 pad + 1) trapezoid weights of actions k step, k = -pad..pad
  double *factor; ///< (2 pad + 1) weights times the factor of the action cost
  double *inside; ///< (cells + 1, cells + 1) fraction of a point's cell that is in a goal
  double *ends,
      *stay;     ///< (cells + 1, cells + 1) reward of arriving, in and outside of a goal
  double *E, *T; ///< (side, side) scratch
} CeliPlaneGrid;

CelStatus celi_plane_grid_open(CeliPlaneGrid *grid, const CelMultigoal *plane, double gamma,
                               double alpha, int64_t cells) CEL_WARN_UNUSED;
void celi_plane_grid_close(CeliPlaneGrid *grid);
/// out = T in with the soft Bellman operator T; alpha = 0: the unregularized operator. out, in:
/// (cells + 1, cells + 1). Returns the sup-norm of out - in.
double celi_plane_backup(CeliPlaneGrid *grid, double *out, const double *in);
/// The same for the evaluation of the uniform policy over [-reach, reach]^2, including its entropy.
double celi_plane_backup_uniform(CeliPlaneGrid *grid, double *out, const double *in);
/// V at a state by bilinear interpolation. V (cells + 1, cells + 1): on a grid with this step.
double celi_plane_at(const double *V, int64_t cells, double step, const double s[2]);

#endif
