/// The canvas: a list of shapes in world coordinates. Pixels are the business of src/view.
#include "celsius/canvas.h"
#include "base/arguments.h"
#include "base/base.h"
#include "base/floats.h"
#include <stdio.h>
#include <string.h>

void cel_canvas_clear(CelCanvas *canvas, double x_min, double x_max, double y_min, double y_max) {
  CELI_NEED_OR(canvas, );
  canvas->x_min = x_min;
  canvas->x_max = x_max;
  canvas->y_min = y_min;
  canvas->y_max = y_max;
  canvas->background = (CelColor){1, 1, 1, 1};
  canvas->n_shapes = 0;
  canvas->dropped = 0;
  canvas->has_image = false;
  canvas->failed = CEL_OK;
}

/// Returns the next free shape for n points. If the list is full, counts the dropped shape and
/// returns NULL.
static CelShape *next_shape(CelCanvas *canvas, CelShapeKind kind, int n, CelColor color) {
  if (canvas->n_shapes >= CEL_SHAPES_MAX || n < 0 || n > CEL_SHAPE_POINTS_MAX) {
    canvas->dropped++;
    return NULL;
  }
  CelShape *shape = &canvas->shape[canvas->n_shapes++];
  shape->kind = kind;
  shape->color = color;
  shape->width = shape->radius = shape->from = shape->to = 0;
  shape->n = n;
  shape->text[0] = 0;
  return shape;
}

static void add_points(CelCanvas *canvas, CelShapeKind kind, int n, const double *x,
                       const double *y, double width, CelColor color) {
  CelShape *shape = next_shape(canvas, kind, n, color);
  if (!shape) return;
  shape->width = width;
  memcpy(shape->x, x, (size_t)n * sizeof *x);
  memcpy(shape->y, y, (size_t)n * sizeof *y);
}

void cel_canvas_polygon(CelCanvas *canvas, int n, const double *x, const double *y,
                        CelColor color) {
  CELI_NEED_OR(canvas, );
  CELI_NEED_OR(x, );
  CELI_NEED_OR(y, );
  add_points(canvas, CEL_POLYGON, n, x, y, 0, color);
}

void cel_canvas_polyline(CelCanvas *canvas, int n, const double *x, const double *y, double width,
                         CelColor color) {
  CELI_NEED_OR(canvas, );
  CELI_NEED_OR(x, );
  CELI_NEED_OR(y, );
  add_points(canvas, CEL_POLYLINE, n, x, y, width, color);
}

void cel_canvas_circle(CelCanvas *canvas, double x, double y, double radius, CelColor color) {
  CELI_NEED_OR(canvas, );
  CelShape *shape = next_shape(canvas, CEL_CIRCLE, 1, color);
  if (!shape) return;
  shape->x[0] = x;
  shape->y[0] = y;
  shape->radius = radius;
}

void cel_canvas_arc_arrow(CelCanvas *canvas, double x, double y, double radius, double from,
                          double to, double width, CelColor color) {
  CELI_NEED_OR(canvas, );
  CelShape *shape = next_shape(canvas, CEL_ARC_ARROW, 1, color);
  if (!shape) return;
  shape->x[0] = x;
  shape->y[0] = y;
  shape->radius = radius;
  shape->from = from;
  shape->to = to;
  shape->width = width;
}

void cel_canvas_text(CelCanvas *canvas, double x, double y, const char *text, CelColor color) {
  CELI_NEED_OR(canvas, );
  CELI_NEED_OR(text, );
  CELI_FLOATS(CELI_IEEE);
  CelShape *shape = next_shape(canvas, CEL_TEXT, 1, color);
  if (!shape) return;
  shape->x[0] = x;
  shape->y[0] = y;
  snprintf(shape->text, sizeof shape->text, "%s", text);
}
