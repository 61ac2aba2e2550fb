/// Line plots as text: self-contained SVG elements for an HTML page.
#ifndef CELI_VERIFY_SVG_H
#define CELI_VERIFY_SVG_H
#include "base/base.h"

enum { CELI_CURVES_MAX = 6, CELI_POINTS_MAX = 256 };

typedef struct CeliSvgCurve {
  const char *name;
  bool dashed; ///< for bounds
  int n;
  double x[CELI_POINTS_MAX], y[CELI_POINTS_MAX];
} CeliSvgCurve;

/// A plot. A logarithmic axis leaves out points at 0 and below.
typedef struct CeliSvgPlot {
  const char *id, *title, *x_label, *y_label;
  bool log_x, log_y;
  int curves;
  CeliSvgCurve curve[CELI_CURVES_MAX];
} CeliSvgPlot;

/// Adds an empty curve with a name.
CeliSvgCurve *celi_svg_curve(CeliSvgPlot *plot, const char *name, bool dashed);
void celi_svg_point(CeliSvgCurve *curve, double x, double y);
/// Adds the plot as <svg> ... </svg>.
void celi_svg_write(CeliText *text, const CeliSvgPlot *plot);
/// Adds text with &, <, > and quotes escaped.
void celi_svg_escape(CeliText *text, const char *string);

#endif
