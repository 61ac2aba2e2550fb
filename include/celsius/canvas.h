/// A canvas for environments' render functions: world coordinates, a few shapes, no library.
///
/// The environment sets a view, then draws; the list of shapes is turned into pixels by view/render
/// (cairo) or by whoever asks. An environment needs no graphics library.
#ifndef CELSIUS_CANVAS_H
#define CELSIUS_CANVAS_H
#include "celsius/env.h"
CEL_BEGIN

typedef struct CelColor {
  float r, g, b, a; ///< 0 to 1
} CelColor;

typedef enum CelShapeKind {
  CEL_POLYGON,
  CEL_POLYLINE,
  CEL_CIRCLE,
  CEL_ARC_ARROW,
  CEL_TEXT
} CelShapeKind;

#define CEL_SHAPE_POINTS_MAX 128
#define CEL_SHAPES_MAX 256

typedef struct CelShape {
  CelShapeKind kind;
  CelColor color;
  double width;    ///< line width in pixels of a 500-pixel picture; 0: filled
  double radius;   ///< circle, arc
  double from, to; ///< arc arrow: angles in radians
  int n;
  double x[CEL_SHAPE_POINTS_MAX], y[CEL_SHAPE_POINTS_MAX];
  char text[64];
} CelShape;

struct CelCanvas {
  double x_min, x_max, y_min, y_max; ///< world that is seen; y points up
  CelColor background;
  int n_shapes;
  CelShape
      shape[CEL_SHAPES_MAX]; ///< drawn in order; what is past CEL_SHAPES_MAX is dropped and counted
  int dropped;
};

CEL_API void cel_canvas_clear(CelCanvas *canvas, double x_min, double x_max, double y_min,
                              double y_max);
CEL_API void cel_canvas_polygon(CelCanvas *canvas, int n, const double *x, const double *y,
                                CelColor color);
CEL_API void cel_canvas_polyline(CelCanvas *canvas, int n, const double *x, const double *y,
                                 double width, CelColor color);
CEL_API void cel_canvas_circle(CelCanvas *canvas, double x, double y, double radius,
                               CelColor color);
/// An arc from one angle to another with an arrow head at its end (a torque).
CEL_API void cel_canvas_arc_arrow(CelCanvas *canvas, double x, double y, double radius, double from,
                                  double to, double width, CelColor color);
CEL_API void cel_canvas_text(CelCanvas *canvas, double x, double y, const char *text,
                             CelColor color);

CEL_END
#endif
