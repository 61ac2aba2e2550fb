/// What all pictures share: cairo's output, text, and writing files completely or not at all.
#include "view/render_cairo.h"

#ifdef CELSIUS_WITH_CAIRO
#include <cairo-svg.h>
#include <string.h>

CelStatus celi_cairo_check(cairo_status_t status, const char *what) {
  if (status == CAIRO_STATUS_SUCCESS) return CEL_OK;
  return cel_fail(status == CAIRO_STATUS_NO_MEMORY ? CEL_E_MEMORY : CEL_E_UNSUPPORTED,
                  "%s: cairo reports: %s", what, cairo_status_to_string(status));
}

cairo_status_t celi_cairo_add(void *text, const unsigned char *data, unsigned int n) {
  CeliText *bytes = text;
  celi_text_add(bytes, (const char *)data, n);
  return bytes->failed ? CAIRO_STATUS_NO_MEMORY : CAIRO_STATUS_SUCCESS;
}

CelStatus celi_png_write(cairo_surface_t *surface, const char *path) {
  CeliText bytes = {0};
  CelStatus status =
      celi_cairo_check(cairo_surface_write_to_png_stream(surface, celi_cairo_add, &bytes), path);
  if (status == CEL_OK) status = celi_file_write(path, bytes.data, bytes.size);
  celi_text_free(&bytes);
  return status;
}

void celi_cairo_font(cairo_t *cr, double size, bool bold) {
  cairo_font_options_t *options = cairo_font_options_create();
  cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
  cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
  cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
  cairo_set_font_options(cr, options);
  cairo_font_options_destroy(options);
  cairo_select_font_face(cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                         bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_font_size(cr, size);
}

void celi_cairo_clean(char *out, size_t size, const char *text) {
  size_t n = 0;
  CEL_ASSERT(size > 0);
  for (const char *c = text; *c && n + 5 < size;) {
    size_t length = 1;
    char one[5] = "";
    // Finds the character with the fewest bytes, at most four.
    for (; length <= 4; length++) {
      memcpy(one, c, strnlen(c, length));
      one[length] = 0;
      if (celi_utf8_valid(one, strlen(one)) && strlen(one) == length) break;
    }
    if (length > 4 || !celi_text_plain(one)) {
      out[n++] = '?';
      c += length > 4 ? 1 : length;
    } else {
      memcpy(out + n, one, length);
      n += length;
      c += length;
    }
  }
  out[n] = 0;
}

// ---- text

double celi_cairo_width(cairo_t *cr, const char *text) {
  cairo_text_extents_t extents;
  cairo_text_extents(cr, text, &extents);
  return extents.x_advance;
}

void celi_cairo_fit(cairo_t *cr, char *out, size_t size, const char *text, double width) {
  celi_cairo_clean(out, size - 4, text);
  for (size_t n = strlen(out); n > 0 && celi_cairo_width(cr, out) > width;) {
    n--;
    while (n > 0 && ((unsigned char)out[n] & 0xc0) == 0x80) n--; // do not split a character
    memcpy(out + n, "\xe2\x80\xa6", 4);
  }
}

void celi_cairo_text(cairo_t *cr, double x, double y, double align, const char *text) {
  cairo_move_to(cr, x - align * celi_cairo_width(cr, text), y);
  cairo_show_text(cr, text);
}

// ---- pictures

/// Draws onto a surface and destroys it.
static CelStatus draw_on(cairo_surface_t *surface, CeliDraw *draw, const void *what) {
  cairo_t *cr = cairo_create(surface);
  draw(cr, what);
  const cairo_status_t status = cairo_status(cr);
  cairo_destroy(cr);
  return celi_cairo_check(status, "the picture");
}

/// Writes an SVG without cairo's number of the surface, which counts up in a process. Equal figures
/// therefore give equal files.
static CelStatus write_unnumbered(const CeliText *bytes, const char *path) {
  static const char mark[] = "id=\"surface";
  CeliText text = {0};
  const char *from = bytes->data, *end = bytes->data + bytes->size;
  for (const char *at; (at = memmem(from, (size_t)(end - from), mark, strlen(mark)));) {
    at += strlen(mark);
    celi_text_add(&text, from, (size_t)(at - from));
    from = at + strspn(at, "0123456789");
  }
  celi_text_add(&text, from, (size_t)(end - from));
  CelStatus status = celi_text_status(&text);
  if (status == CEL_OK) status = celi_file_write(path, text.data, text.size);
  celi_text_free(&text);
  return status;
}

static CelStatus write_svg(const char *path, int width, int height, CeliDraw *draw,
                           const void *what) {
  CeliText bytes = {0};
  cairo_surface_t *surface =
      cairo_svg_surface_create_for_stream(celi_cairo_add, &bytes, width, height);
  if (cairo_surface_status(surface) == CAIRO_STATUS_SUCCESS)
    cairo_svg_surface_set_document_unit(surface, CAIRO_SVG_UNIT_PX);
  CelStatus status = draw_on(surface, draw, what);
  cairo_surface_finish(surface);
  if (status == CEL_OK) status = celi_cairo_check(cairo_surface_status(surface), path);
  cairo_surface_destroy(surface);
  if (status == CEL_OK) status = celi_text_status(&bytes);
  if (status == CEL_OK) status = write_unnumbered(&bytes, path);
  celi_text_free(&bytes);
  return status;
}

CelStatus celi_picture_write(const char *path, bool svg, int width, int height, CeliDraw *draw,
                             const void *what) {
  if (svg) return write_svg(path, width, height, draw, what);
  cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
  CelStatus status = draw_on(surface, draw, what);
  if (status == CEL_OK) status = celi_png_write(surface, path);
  cairo_surface_destroy(surface);
  return status;
}

#else
typedef int celi_render_cairo_unused; // ISO C forbids an empty file
#endif
