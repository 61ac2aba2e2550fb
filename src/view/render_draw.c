/// Drawing a canvas as an antialiased square picture.
#include "view/render.h"
#include "view/render_cairo.h"

#ifdef CELSIUS_WITH_CAIRO
#include <math.h>
#include <string.h>

static const double PI = 3.14159265358979323846;
static const double PICTURE = 500; // picture size that line widths and texts refer to

/// The map from world coordinates to pixels, with equal scales on both axes and a centered view.
typedef struct View {
  double scale, x, y; ///< pixel = (x + scale * world x, y - scale * world y)
  double unit;        ///< pixels per unit of PICTURE
} View;

static void set_color(cairo_t *cr, CelColor c) {
  cairo_set_source_rgba(cr, (double)c.r, (double)c.g, (double)c.b, (double)c.a);
}

static void add_points(cairo_t *cr, const View *view, const CelShape *shape) {
  for (int i = 0; i < shape->n; i++)
    cairo_line_to(cr, view->x + view->scale * shape->x[i], view->y - view->scale * shape->y[i]);
}

/// Draws an arc that starts thin, widens, and ends in an arrow head.
static void draw_arc_arrow(cairo_t *cr, const View *view, const CelShape *shape) {
  const double x = view->x + view->scale * shape->x[0], y = view->y - view->scale * shape->y[0];
  const double r = view->scale * shape->radius, width = shape->width * view->unit;
  const double sweep = shape->to - shape->from, way = sweep < 0 ? -1 : 1;
  if (r <= 0 || sweep == 0) return;
  // The head takes at most half of the arc.
  const double head = fmin(3.6 * width / r, 0.5 * fabs(sweep)), neck = shape->to - way * head;
  const double half = 0.55 * head * r; // half of the head's width
  cairo_new_path(cr);
  if (way > 0)
    cairo_arc_negative(cr, x, y, r, -shape->from, -neck); // y points down
  else
    cairo_arc(cr, x, y, r, -shape->from, -neck);
  cairo_set_line_width(cr, width);
  cairo_stroke(cr);
  cairo_move_to(cr, x + (r + half) * cos(neck), y - (r + half) * sin(neck));
  cairo_line_to(cr, x + r * cos(shape->to), y - r * sin(shape->to));
  cairo_line_to(cr, x + (r - half) * cos(neck), y - (r - half) * sin(neck));
  cairo_close_path(cr);
  cairo_fill(cr);
}

static void draw_text(cairo_t *cr, double x, double y, double size, const char *text) {
  char clean[sizeof((CelShape *)0)->text + 8];
  cairo_text_extents_t extents;
  celi_cairo_clean(clean, sizeof clean, text);
  celi_cairo_font(cr, size, false);
  cairo_text_extents(cr, clean, &extents);
  cairo_move_to(cr, x - extents.x_advance / 2, y + 0.36 * size);
  cairo_show_text(cr, clean);
}

static void draw_shape(cairo_t *cr, const View *view, const CelShape *shape) {
  cairo_new_path(cr);
  set_color(cr, shape->color);
  switch (shape->kind) {
  case CEL_POLYGON:
    add_points(cr, view, shape);
    cairo_close_path(cr);
    cairo_fill(cr);
    break;
  case CEL_POLYLINE:
    add_points(cr, view, shape);
    cairo_set_line_width(cr, shape->width * view->unit);
    cairo_stroke(cr);
    break;
  case CEL_CIRCLE:
    cairo_arc(cr, view->x + view->scale * shape->x[0], view->y - view->scale * shape->y[0],
              view->scale * fabs(shape->radius), 0, 2 * PI);
    cairo_fill(cr);
    break;
  case CEL_ARC_ARROW: draw_arc_arrow(cr, view, shape); break;
  case CEL_TEXT:
    draw_text(cr, view->x + view->scale * shape->x[0], view->y - view->scale * shape->y[0],
              18 * view->unit, shape->text);
    break;
  }
}

static bool shape_is_finite(const CelShape *shape) {
  for (int i = 0; i < shape->n; i++)
    if (!isfinite(shape->x[i]) || !isfinite(shape->y[i])) return false;
  return isfinite(shape->radius) && isfinite(shape->from) && isfinite(shape->to) &&
         isfinite(shape->width);
}

static CelStatus check_canvas(const CelCanvas *canvas) {
  const double width = canvas->x_max - canvas->x_min, height = canvas->y_max - canvas->y_min;
  if (!(width > 0 && height > 0 && isfinite(width) && isfinite(height)))
    return cel_fail(CEL_E_RANGE,
                    "the canvas has no view: x from %g to %g, y from %g to %g; render must call "
                    "cel_canvas_clear",
                    canvas->x_min, canvas->x_max, canvas->y_min, canvas->y_max);
  if (canvas->dropped)
    return cel_fail(CEL_E_RANGE,
                    "render drew %d shapes too many; a canvas holds %d shapes of at most %d points",
                    canvas->dropped, CEL_SHAPES_MAX, CEL_SHAPE_POINTS_MAX);
  for (int i = 0; i < canvas->n_shapes; i++)
    if (!shape_is_finite(&canvas->shape[i]))
      return cel_fail(CEL_E_NAN, "shape %d of the canvas has a coordinate that is not finite", i);
  return CEL_OK;
}

/// Draws a line of text at the top left, on a rectangle of the background color that covers shapes.
static void draw_overlay(cairo_t *cr, double unit, CelColor background, const char *text) {
  char clean[128];
  cairo_text_extents_t extents;
  celi_cairo_clean(clean, sizeof clean, text);
  celi_cairo_font(cr, 15 * unit, false);
  cairo_text_extents(cr, clean, &extents);
  background.a = 0.8f;
  set_color(cr, background);
  cairo_rectangle(cr, 8 * unit, 9 * unit, extents.x_advance + 12 * unit, 24 * unit);
  cairo_fill(cr);
  cairo_set_source_rgb(cr, 0.40, 0.42, 0.45);
  cairo_move_to(cr, 14 * unit, 26 * unit);
  cairo_show_text(cr, clean);
}

/// Copies an image of the same size as the picture.
static void copy_image(CeliPixels *pixels, const uint8_t *rgb) {
  cairo_surface_flush(pixels->surface);
  for (int y = 0; y < pixels->size; y++) {
    uint32_t *row = pixels->data + y * pixels->stride;
    for (int x = 0; x < pixels->size; x++, rgb += 3)
      row[x] = (uint32_t)rgb[0] << 16 | (uint32_t)rgb[1] << 8 | rgb[2];
  }
  cairo_surface_mark_dirty(pixels->surface);
}

static CelStatus draw_image(CeliPixels *pixels, const CelCanvas *canvas, const char *overlay) {
  CEL_ASSERT(canvas->image && canvas->image_size == pixels->size);
  copy_image(pixels, canvas->image);
  if (!overlay) return CEL_OK;
  cairo_t *cr = cairo_create(pixels->surface);
  draw_overlay(cr, pixels->size / PICTURE, (CelColor){1, 1, 1, 1}, overlay);
  const cairo_status_t status = cairo_status(cr);
  cairo_destroy(cr);
  cairo_surface_flush(pixels->surface);
  return celi_cairo_check(status, "the picture");
}

CelStatus celi_pixels_draw(CeliPixels *pixels, const CelCanvas *canvas, const char *overlay) {
  if (canvas->has_image) return draw_image(pixels, canvas, overlay);
  CELI_TRY(check_canvas(canvas));
  const double size = pixels->size, width = canvas->x_max - canvas->x_min,
               height = canvas->y_max - canvas->y_min, scale = size / fmax(width, height);
  const View view = {.scale = scale,
                     .x = size / 2 - scale * (canvas->x_min + width / 2),
                     .y = size / 2 + scale * (canvas->y_min + height / 2),
                     .unit = size / PICTURE};
  cairo_t *cr = cairo_create(pixels->surface);
  cairo_set_antialias(cr, CAIRO_ANTIALIAS_BEST);
  cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
  cairo_set_line_cap(cr, CAIRO_LINE_CAP_ROUND);
  const CelColor c = canvas->background; // drawn opaque, even if it has alpha
  cairo_set_source_rgb(cr, (double)c.r, (double)c.g, (double)c.b);
  cairo_paint(cr);
  for (int i = 0; i < canvas->n_shapes; i++) draw_shape(cr, &view, &canvas->shape[i]);
  if (overlay) draw_overlay(cr, view.unit, c, overlay);
  const cairo_status_t status = cairo_status(cr);
  cairo_destroy(cr);
  cairo_surface_flush(pixels->surface);
  return celi_cairo_check(status, "the picture");
}

CelStatus celi_pixels_create(CeliPixels *pixels, int64_t size) {
  *pixels = (CeliPixels){0};
  cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)size, (int)size);
  const CelStatus status = celi_cairo_check(cairo_surface_status(surface), "a picture's pixels");
  if (status != CEL_OK) {
    cairo_surface_destroy(surface);
    return status;
  }
  void *data = cairo_image_surface_get_data(surface);
  *pixels = (CeliPixels){.size = (int)size,
                         .surface = surface,
                         .data = data,
                         .stride = cairo_image_surface_get_stride(surface) / 4};
  return CEL_OK;
}

void celi_pixels_free(CeliPixels *pixels) {
  if (pixels->surface) cairo_surface_destroy(pixels->surface);
  *pixels = (CeliPixels){0};
}

CelStatus celi_pixels_write_png(const CeliPixels *pixels, const char *path) {
  return celi_png_write(pixels->surface, path);
}

#else

CelStatus celi_pixels_create(CeliPixels *pixels, int64_t size) {
  (void)size;
  *pixels = (CeliPixels){0};
  return cel_fail(
      CEL_E_UNSUPPORTED,
      "this build cannot draw pictures; install cairo (Debian: libcairo2-dev) and rebuild");
}

void celi_pixels_free(CeliPixels *pixels) {
  (void)pixels;
}

CelStatus celi_pixels_draw(CeliPixels *pixels, const CelCanvas *canvas, const char *overlay) {
  (void)pixels, (void)canvas, (void)overlay;
  return cel_fail(CEL_E_STATE, "no picture is open");
}

CelStatus celi_pixels_write_png(const CeliPixels *pixels, const char *path) {
  (void)pixels;
  return cel_fail(CEL_E_STATE, "%s: no picture is open", path);
}

#endif
