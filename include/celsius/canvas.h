/// A canvas for the render functions of environments: world coordinates and a few shapes.
///
/// The environment sets a view, then draws. celsius/render.h turns the list of shapes into pixels
/// with cairo. An environment itself needs no graphics library. An environment with a renderer of
/// its own fills the canvas's image instead.
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

#define CEL_SHAPE_POINTS_MAX 128 ///< most points of a shape
#define CEL_SHAPES_MAX 256       ///< most shapes of a canvas

typedef struct CelShape {
  CelShapeKind kind;
  CelColor color;
  double width;    ///< line width in pixels of a picture of 500 x 500 pixels; 0: filled
  double radius;   ///< of a circle or an arc, world units
  double from, to; ///< angles of an arc arrow, radians
  int n;           ///< points in use
  double x[CEL_SHAPE_POINTS_MAX], y[CEL_SHAPE_POINTS_MAX]; ///< (n,) world units
  char text[64];
} CelShape;

struct CelCanvas {
  double x_min, x_max, y_min, y_max; ///< visible part of the world; y points up
  CelColor background;
  int n_shapes;
  CelShape shape[CEL_SHAPES_MAX]; ///< (n_shapes,) in drawing order
  int dropped;                    ///< shapes past CEL_SHAPES_MAX, which are not drawn

  // For environments with a renderer of their own:
  int image_size;     ///< side of `image` in pixels; 0: no image is wanted
  uint8_t *image;     ///< (image_size, image_size, 3) rows from the top, RGB; owned by the caller
  const char *camera; ///< name of the camera that is wanted; NULL or "": the environment's choice
  bool has_image;     ///< set by render if it filled `image`, which then replaces the shapes
  CelStatus failed;   ///< set by render if it failed, after cel_fail; CEL_OK otherwise
};

/// Removes all shapes and sets the visible part of the world.
CEL_API void cel_canvas_clear(CelCanvas *canvas, double x_min, double x_max, double y_min,
                              double y_max);
/// Adds a filled polygon with corners x, y (n,).
CEL_API void cel_canvas_polygon(CelCanvas *canvas, int n, const double *x, const double *y,
                                CelColor color);
/// Adds a line through the points x, y (n,). `width`: pixels of a picture of 500 x 500 pixels.
CEL_API void cel_canvas_polyline(CelCanvas *canvas, int n, const double *x, const double *y,
                                 double width, CelColor color);
/// Adds a filled circle.
CEL_API void cel_canvas_circle(CelCanvas *canvas, double x, double y, double radius,
                               CelColor color);
/// Adds an arc between two angles (radians) with an arrow head at its end, such as a torque.
CEL_API void cel_canvas_arc_arrow(CelCanvas *canvas, double x, double y, double radius, double from,
                                  double to, double width, CelColor color);
/// Adds text. It is copied, at most 63 bytes.
CEL_API void cel_canvas_text(CelCanvas *canvas, double x, double y, const char *text,
                             CelColor color);

CEL_END
#endif
