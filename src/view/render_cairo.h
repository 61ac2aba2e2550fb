/// What all pictures share: cairo's output, text, and writing files. Needs cairo.
#ifndef CELI_VIEW_RENDER_CAIRO_H
#define CELI_VIEW_RENDER_CAIRO_H
#ifdef CELSIUS_WITH_CAIRO
#include "base/base.h"

#include <cairo.h>

/// Fails with cairo's message if `status` is an error. what: the picture, for the message.
/// Errors: CEL_E_MEMORY, CEL_E_UNSUPPORTED.
CelStatus celi_cairo_check(cairo_status_t status, const char *what) CEL_WARN_UNUSED;
/// A cairo_write_func_t that appends to the CeliText `text`.
cairo_status_t celi_cairo_add(void *text, const unsigned char *data, unsigned int n);
/// Writes an image surface as a PNG file. Errors: CEL_E_IO, CEL_E_MEMORY.
CelStatus celi_png_write(cairo_surface_t *surface, const char *path) CEL_WARN_UNUSED;

/// Draws `what`. Lengths are in pixels until it calls cairo_scale.
typedef void CeliDraw(cairo_t *cr, const void *what);
/// Draws a picture into a PNG or SVG file. Equal pictures give equal files.
/// Errors: CEL_E_IO, CEL_E_MEMORY, CEL_E_UNSUPPORTED.
CelStatus celi_picture_write(const char *path, bool svg, int width, int height, CeliDraw *draw,
                             const void *what) CEL_WARN_UNUSED;

/// Sets font, size and text options, for all texts.
void celi_cairo_font(cairo_t *cr, double size, bool bold);
/// Copies text for drawing. Bytes that are not UTF-8, and control characters, become '?'.
void celi_cairo_clean(char *out, size_t size, const char *text);
/// The width of a text in the current font.
double celi_cairo_width(cairo_t *cr, const char *text);
/// Cleans `text` and shortens it to a width, with an ellipsis.
void celi_cairo_fit(cairo_t *cr, char *out, size_t size, const char *text, double width);
/// Draws a text. align: 0 left, 0.5 centered, 1 right; y is the baseline.
void celi_cairo_text(cairo_t *cr, double x, double y, double align, const char *text);

#endif
#endif
