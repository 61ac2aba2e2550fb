/// What all pictures share: bytes out of cairo, into a file that is whole or not there. Needs cairo.
#ifndef CELI_VIEW_RENDER_CAIRO_H
#define CELI_VIEW_RENDER_CAIRO_H
#ifdef CELSIUS_WITH_CAIRO
#include "base/base.h"

#include <cairo.h>

/// Fails with cairo's words when `status` is one of its errors; `what` was being made.
/// Errors: CEL_E_MEMORY, CEL_E_UNSUPPORTED.
CelStatus celi_cairo_check(cairo_status_t status, const char *what) CEL_WARN_UNUSED;
/// A cairo_write_func_t that adds to the CeliText at `text`.
cairo_status_t celi_cairo_add(void *text, const unsigned char *data, unsigned int n);
/// Writes an image surface as a PNG file. Errors: CEL_E_IO, CEL_E_MEMORY.
CelStatus celi_png_write(cairo_surface_t *surface, const char *path) CEL_WARN_UNUSED;

/// Draws `what`; lengths are pixels until it scales.
typedef void CeliDraw(cairo_t *cr, const void *what);
/// Draws a picture into a PNG or SVG file, which is the same every time.
/// Errors: CEL_E_IO, CEL_E_MEMORY, CEL_E_UNSUPPORTED.
CelStatus celi_picture_write(const char *path, bool svg, int width, int height, CeliDraw *draw,
                             const void *what) CEL_WARN_UNUSED;

/// Sets font, size and colour-independent text options; every text of ours is drawn with them.
void celi_cairo_font(cairo_t *cr, double size, bool bold);
/// Copies text so that cairo can draw it: bytes that are no UTF-8, and control characters, become '?'.
void celi_cairo_clean(char *out, size_t size, const char *text);
/// How wide a text is in the font that is set.
double celi_cairo_width(cairo_t *cr, const char *text);
/// Cleans `text` and cuts it, with an ellipsis, to a width.
void celi_cairo_fit(cairo_t *cr, char *out, size_t size, const char *text, double width);
/// align: 0 left, 0.5 centred, 1 right; y is the baseline.
void celi_cairo_text(cairo_t *cr, double x, double y, double align, const char *text);

#endif
#endif
