/// What all pictures share: bytes out of cairo, into a file that is whole or not there.
#include "view/render_cairo.h"

#ifdef CELSIUS_WITH_CAIRO
#include <string.h>

CelStatus celi_cairo_check(cairo_status_t status, const char *what) {
  if (status == CAIRO_STATUS_SUCCESS) return CEL_OK;
  return cel_fail(status == CAIRO_STATUS_NO_MEMORY ? CEL_E_MEMORY : CEL_E_UNSUPPORTED,
                  "%s: cairo says: %s", what, cairo_status_to_string(status));
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
    // The shortest run of at most four bytes that is a character.
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

#else
typedef int celi_render_cairo_unused; // a file of C has something in it
#endif
