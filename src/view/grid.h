/// What the files of grid-world pictures share: what there is to see in a cell, the colours of values.
///
/// grid_scene.c finds out what the cells are; colormap.c has the colours; grid_draw.c draws; plot_grid.c puts it together.
#ifndef CELI_VIEW_GRID_H
#define CELI_VIEW_GRID_H
#include "base/base.h"
#include "celsius/plot_mdp.h"
#include "mdp/grid_cells.h"
#include "view/render_cairo.h"

// ---- grid_scene.c

typedef struct CeliScene {
  const CelMdp *mdp;
  const double *V, *pi;
  uint8_t *kind;         ///< (states) CeliCell
  double low, high;      ///< values of the open cells
  int64_t n[CELI_CELLS]; ///< cells of each kind
  int64_t starts;        ///< states that an episode may start in
  bool bare;             ///< draw no color bar and no legend: another scene on the page has them
  const char *title, *subtitle;
  const CelGridPlotOptions *options;
} CeliScene;

/// Finds the kind of each cell and the range of V. The caller frees the scene, also after an error.
/// Errors: CEL_E_NAN, CEL_E_MEMORY.
CelStatus celi_scene_make(CeliScene *scene) CEL_WARN_UNUSED;
void celi_scene_free(CeliScene *scene);
/// The state of a cell, -1: a wall.
int64_t celi_scene_state(const CeliScene *scene, int64_t row, int64_t column);
CeliCell celi_scene_kind(const CeliScene *scene, int64_t row, int64_t column);
/// Where in [low, high] the value of an open state is, in [0, 1].
double celi_scene_share(const CeliScene *scene, int64_t s);
/// The mean step of pi in state s: x to the right, y down.
void celi_scene_drift(const CeliScene *scene, int64_t s, double *x, double *y);
/// How many decimals the values of the open cells need so that they can be told apart: a hundredth of their range, and more
/// where a tenth of the neighbours that differ would read the same; none that are 0 in all cells.
int celi_scene_decimals(const CeliScene *scene);
/// A value as a cell's text, with a true minus sign. All cells have the same number of decimals, but for
/// values that are too long for a cell or that would read 0: those have an exponent.
void celi_scene_number(double value, int decimals, char *text, size_t size);

// ---- colormap.c

typedef struct CeliColor {
  double r, g, b; ///< sRGB, 0 to 1
} CeliColor;
/// The colour of a share in [0, 1]: from indigo through teal to pale gold, lighter all the way.
CeliColor celi_colormap(double share);
/// Whether dark ink is read better on it than white.
bool celi_color_light(CeliColor color);

// ---- grid_draw.c

/// Pixels of the picture. The caller made the scene.
void celi_scene_size(const CeliScene *scene, bool svg, int *width, int *height);
/// Errors: CEL_E_IO, CEL_E_MEMORY, CEL_E_UNSUPPORTED.
CelStatus celi_scene_write(const CeliScene *scene, const char *path, bool svg) CEL_WARN_UNUSED;
#ifdef CELSIUS_WITH_CAIRO
/// The size of a scene in design units, and the scene at the page's corner in them, for pages of several.
void celi_scene_page(const CeliScene *scene, double *width, double *height);
void celi_scene_draw(cairo_t *cr, const CeliScene *scene);
#endif

#endif
