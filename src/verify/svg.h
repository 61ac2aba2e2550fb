/// Line plots as text: SVG elements that stand in a page by themselves.
#ifndef CELI_VERIFY_SVG_H
#define CELI_VERIFY_SVG_H
#include "base/base.h"

enum { CELI_CURVES_MAX = 6, CELI_POINTS_MAX = 256 };

typedef struct CeliSvgCurve {
  const char *name;
  bool dashed; ///< bounds
  int n;
  double x[CELI_POINTS_MAX], y[CELI_POINTS_MAX];
} CeliSvgCurve;

/// What does not fit on a logarithmic axis (0 and below) is left out.
typedef struct CeliSvgPlot {
  const char *id, *title, *x_label, *y_label;
  bool log_x, log_y;
  int curves;
  CeliSvgCurve curve[CELI_CURVES_MAX];
} CeliSvgPlot;

/// The next curve, empty, with its name.
CeliSvgCurve *celi_svg_curve(CeliSvgPlot *plot, const char *name, bool dashed);
void celi_svg_point(CeliSvgCurve *curve, double x, double y);
/// Adds <svg> ... </svg>.
void celi_svg_write(CeliText *text, const CeliSvgPlot *plot);
/// Adds text with &, <, > and quotes replaced.
void celi_svg_escape(CeliText *text, const char *string);

#endif
