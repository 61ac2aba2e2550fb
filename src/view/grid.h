/// Pictures of grid worlds: what the files share.
///
/// grid_scene.c finds the kinds of cells; colormap.c has the colors; grid_draw.c draws; plot_grid.c
/// has the public function.
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
  double low, high;      ///< range of the open cells' values
  int64_t n[CELI_CELLS]; ///< number of cells of each kind
  int64_t starts;        ///< number of states in which an episode may start
  bool bare;             ///< draw without color bar and legend, which another scene on the page has
  const char *title, *subtitle;
  const CelGridPlotOptions *options;
} CeliScene;

/// Finds the kind of each cell and the range of V. The caller frees the scene, also after an error.
/// Errors: CEL_E_NAN, CEL_E_MEMORY.
CelStatus celi_scene_make(CeliScene *scene) CEL_WARN_UNUSED;
void celi_scene_free(CeliScene *scene);
/// The state of a cell, or -1 for a wall.
int64_t celi_scene_state(const CeliScene *scene, int64_t row, int64_t column);
CeliCell celi_scene_kind(const CeliScene *scene, int64_t row, int64_t column);
/// The position of an open state's value in [low, high], from 0 to 1.
double celi_scene_share(const CeliScene *scene, int64_t s);
/// The mean step of pi in state s. x points right, y down.
void celi_scene_drift(const CeliScene *scene, int64_t s, double *x, double *y);
/// The number of decimals for the values of the open cells. They resolve a hundredth of the range,
/// and more if a tenth of the different neighbors would read the same. Decimals that are 0 in all
/// cells are left out.
int celi_scene_decimals(const CeliScene *scene);
/// Writes a value as the text of a cell, with a true minus sign. All cells have the same number of
/// decimals. Values that are too long for a cell, or would read 0, get an exponent.
void celi_scene_number(double value, int decimals, char *text, size_t size);

// ---- colormap.c

typedef struct CeliColor {
  double r, g, b; ///< sRGB, 0 to 1
} CeliColor;
/// The color of a number in [0, 1], from indigo through teal to pale gold, with rising lightness.
CeliColor celi_colormap(double share);
/// Whether dark text on the color is more readable than white text.
bool celi_color_light(CeliColor color);

// ---- grid_draw.c

/// The size of the picture in pixels, after celi_scene_make.
void celi_scene_size(const CeliScene *scene, bool svg, int *width, int *height);
/// Errors: CEL_E_IO, CEL_E_MEMORY, CEL_E_UNSUPPORTED.
CelStatus celi_scene_write(const CeliScene *scene, const char *path, bool svg) CEL_WARN_UNUSED;
#ifdef CELSIUS_WITH_CAIRO
/// For pages with several scenes: the size of a scene in design units, and drawing it at the
/// origin.
void celi_scene_page(const CeliScene *scene, double *width, double *height);
void celi_scene_draw(cairo_t *cr, const CeliScene *scene);
#endif

#endif
