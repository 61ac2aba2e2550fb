/// Pictures of grid worlds: options, checks, and the public function.
#include "base/arguments.h"
#include "base/base.h"
#include "base/floats.h"
#include "view/grid.h"
#include "view/plot.h"
#include <stddef.h>
#include <string.h>

#define F(field) offsetof(CelGridPlotOptions, field)
// clang-format off
static const CelField fields[] = {
    {.name = "title", .type = CEL_FIELD_PATH, .offset = F(title), .def = "",
     .doc = "title; empty: the name of the problem"},
    {.name = "width", .type = CEL_FIELD_INT, .offset = F(width), .def = "0", .min = 0, .max = 16000,
     .unit = "pixels",
     .doc = "width of the picture; 0: chosen from the size of the grid"},
    {.name = "arrows", .type = CEL_FIELD_BOOL, .offset = F(arrows), .def = "true",
     .doc = "draw the policy as arrows; their length is the action's probability"},
    {.name = "numbers", .type = CEL_FIELD_BOOL, .offset = F(numbers), .def = "true",
     .doc = "write values as numbers, if the cells are large enough"},
    {0},
};
// clang-format on
#undef F

const CelField *cel_plot_grid_fields(void) {
  return fields;
}

CelGridPlotOptions cel_plot_grid_options_default(void) {
  CELI_FLOATS(CELI_IEEE);
  CelGridPlotOptions options;
  memset(&options, 0, sizeof options);
  cel_fields_default(fields, &options);
  return options;
}

CelStatus cel_plot_grid(const CelMdp *mdp, const double *V, const double *pi, const char *subtitle,
                        const char *out_path, const CelGridPlotOptions *options) {
  CELI_NEED(mdp);
  CELI_NEED(mdp->pair);
  CELI_NEED(V);
  CELI_NEED(pi);
  CELI_NEED(out_path);
  CELI_FLOATS(CELI_IEEE);
  const CelGridPlotOptions defaults = cel_plot_grid_options_default();
  bool svg;
  if (!options) options = &defaults;
  CELI_TRY(celi_picture_format(out_path, &svg));
  CELI_TRY(cel_fields_check(fields, options));
  if (!mdp->grid)
    return cel_fail(CEL_E_UNSUPPORTED,
                    "%s: the problem '%s' is not a grid world and cannot be drawn", out_path,
                    mdp->name);
  if (mdp->grid->rows > 30000 || mdp->grid->columns > 30000)
    return cel_fail(CEL_E_UNSUPPORTED,
                    "%s: a grid of %lld x %lld cells is too large for a picture; the limit is "
                    "30000 rows and columns",
                    out_path, (long long)mdp->grid->rows, (long long)mdp->grid->columns);
  const char *title = options->title[0] ? options->title : mdp->name[0] ? mdp->name : "grid world";
  CeliScene scene = {
      .mdp = mdp, .V = V, .pi = pi, .title = title, .subtitle = subtitle, .options = options};
  CelStatus status = celi_scene_make(&scene);
  if (status == CEL_OK) status = celi_scene_write(&scene, out_path, svg);
  celi_scene_free(&scene);
  return status;
}
