/// Pictures of certificates: scatter plots of learned against exact values, and two grid worlds
/// side by side. Each scatter plot has a line on which both values are equal.
#include "view/certificate.h"
#include "view/grid.h"
#include "view/plot.h"
#include "view/render_cairo.h"

#ifdef CELSIUS_WITH_CAIRO
#include <math.h>
#include <stdio.h>
#include <string.h>

static const CeliColor ink = {0.13, 0.14, 0.16}, gray = {0.40, 0.42, 0.45};
static const CeliColor line_gray = {0.915, 0.92, 0.93}, axis_gray = {0.62, 0.64, 0.67};
static const CeliColor dot = {0.000, 0.447, 0.698}, equal = {0.835, 0.369, 0.000};
static const double TWO_PI = 6.28318530717958647692;
static const double MARGIN = 26, TITLE = 17, SMALL = 11, LABEL = 12, HEAD = 74;
static const double PANEL = 330, GAP = 84, FOOT = 52;

static void set_color(cairo_t *cr, CeliColor c, double alpha) {
  cairo_set_source_rgba(cr, c.r, c.g, c.b, alpha);
}

static void draw_head(cairo_t *cr, const CeliCertificateText *text, double left, double width) {
  char line[CEL_PATH_MAX];
  celi_cairo_font(cr, TITLE, true);
  set_color(cr, ink, 1);
  celi_cairo_fit(cr, line, sizeof line, text->title, width);
  celi_cairo_text(cr, left, MARGIN + 0.75 * TITLE, 0, line);
  celi_cairo_font(cr, LABEL, false);
  set_color(cr, gray, 1);
  celi_cairo_fit(cr, line, sizeof line, text->subtitle, width);
  celi_cairo_text(cr, left, MARGIN + 0.75 * TITLE + 21, 0, line);
}

// ---- scatter

/// The range of all points of a panel, for both axes.
static void panel_range(const CeliScatterPanel *p, double *low, double *high) {
  *low = HUGE_VAL;
  *high = -HUGE_VAL;
  for (int64_t i = 0; i < p->n; i++) {
    if (!isfinite(p->x[i]) || !isfinite(p->y[i])) continue;
    *low = fmin(*low, fmin(p->x[i], p->y[i]));
    *high = fmax(*high, fmax(p->x[i], p->y[i]));
  }
  if (!(*low <= *high)) {
    *low = 0;
    *high = 1;
  }
  const double room =
      *high > *low ? 0.05 * (*high - *low) : fmax(1e-6, 0.1 * fmax(fabs(*low), fabs(*high)));
  *low -= room;
  *high += room;
}

static void draw_axes(cairo_t *cr, const CeliScatterPanel *p, double left, double top, double low,
                      double high) {
  CeliTicks ticks;
  char text[CEL_PATH_MAX];
  celi_ticks_linear(&ticks, low, high, 6);
  celi_cairo_font(cr, SMALL, false);
  cairo_set_line_width(cr, 1);
  for (int i = 0; i < ticks.n; i++) {
    const double at = PANEL * (ticks.at[i] - low) / (high - low);
    set_color(cr, line_gray, 1);
    cairo_move_to(cr, left + at, top);
    cairo_line_to(cr, left + at, top + PANEL);
    cairo_move_to(cr, left, top + PANEL - at);
    cairo_line_to(cr, left + PANEL, top + PANEL - at);
    cairo_stroke(cr);
    set_color(cr, gray, 1);
    celi_cairo_text(cr, left + at, top + PANEL + 16, 0.5, ticks.text[i]);
    celi_cairo_text(cr, left - 7, top + PANEL - at + 0.36 * SMALL, 1, ticks.text[i]);
  }
  set_color(cr, axis_gray, 1);
  cairo_rectangle(cr, left, top, PANEL, PANEL);
  cairo_stroke(cr);
  celi_cairo_font(cr, LABEL, false);
  set_color(cr, ink, 1);
  celi_cairo_fit(cr, text, sizeof text, p->x_label, PANEL);
  celi_cairo_text(cr, left + PANEL / 2, top + PANEL + 38, 0.5, text);
  cairo_save(cr);
  cairo_translate(cr, left - 52, top + PANEL / 2);
  cairo_rotate(cr, -TWO_PI / 4);
  celi_cairo_text(cr, 0, 0, 0.5, p->y_label);
  cairo_restore(cr);
  celi_cairo_font(cr, LABEL + 1, true);
  celi_cairo_text(cr, left, top - 10, 0, p->title);
}

static void draw_points(cairo_t *cr, const CeliScatterPanel *p, double left, double top, double low,
                        double high) {
  const double unit = PANEL / (high - low), alpha = p->n > 2000 ? 0.3 : 0.55;
  cairo_save(cr);
  cairo_rectangle(cr, left, top, PANEL, PANEL);
  cairo_clip(cr);
  for (int64_t i = 0; i < p->n; i++) {
    if (!isfinite(p->x[i]) || !isfinite(p->y[i])) continue;
    const double x = left + unit * (p->x[i] - low), y = top + PANEL - unit * (p->y[i] - low);
    const double radius = p->size ? 1.6 + 4 * sqrt(p->size[i]) : 2.4;
    if (p->band) {
      cairo_move_to(cr, x, y - unit * p->band[i]);
      cairo_line_to(cr, x, y + unit * p->band[i]);
      set_color(cr, dot, 0.14);
      cairo_set_line_width(cr, 1.2);
      cairo_stroke(cr);
    }
    cairo_new_path(cr);
    cairo_arc(cr, x, y, radius, 0, TWO_PI);
    set_color(cr, dot, alpha);
    cairo_fill(cr);
  }
  cairo_move_to(cr, left, top + PANEL);
  cairo_line_to(cr, left + PANEL, top);
  set_color(cr, equal, 0.9);
  cairo_set_line_width(cr, 1.4);
  cairo_stroke(cr);
  cairo_restore(cr);
}

typedef struct ScatterPage {
  const CeliScatterPanel *panel;
  int n, width;
  const CeliCertificateText *text;
} ScatterPage;

static double scatter_width(int n) {
  return MARGIN + 60 + n * PANEL + (n - 1) * GAP + MARGIN;
}
static double scatter_height(void) {
  return HEAD + 26 + PANEL + FOOT + MARGIN - 10;
}

static void draw_scatter(cairo_t *cr, const void *what) {
  const ScatterPage *page = what;
  const double width = scatter_width(page->n);
  cairo_set_source_rgb(cr, 1, 1, 1);
  cairo_paint(cr);
  cairo_scale(cr, page->width / width, page->width / width);
  draw_head(cr, page->text, MARGIN, width - 2 * MARGIN);
  for (int k = 0; k < page->n; k++) {
    const CeliScatterPanel *p = &page->panel[k];
    const double left = MARGIN + 60 + k * (PANEL + GAP), top = HEAD + 26;
    double low, high;
    panel_range(p, &low, &high);
    draw_axes(cr, p, left, top, low, high);
    draw_points(cr, p, left, top, low, high);
  }
}

CelStatus celi_certificate_draw_scatter(const CeliScatterPanel *panel, int n,
                                        const CeliCertificateText *text, const char *path,
                                        bool svg) {
  const double scale = svg ? 1 : 1.6;
  const ScatterPage page = {panel, n, (int)lround(scale * scatter_width(n)), text};
  return celi_picture_write(path, svg, page.width, (int)lround(scale * scatter_height()),
                            draw_scatter, &page);
}

// ---- two grid worlds

typedef struct GridPage {
  const CeliScene *scene; ///< (2,) exact, learned
  double width, height;   ///< size of one scene, design units
  int pixels;
  const CeliCertificateText *text;
} GridPage;

static const double GRID_HEAD = 52;

static void draw_grids(cairo_t *cr, const void *what) {
  const GridPage *page = what;
  cairo_set_source_rgb(cr, 1, 1, 1);
  cairo_paint(cr);
  cairo_scale(cr, page->pixels / (2 * page->width), page->pixels / (2 * page->width));
  draw_head(cr, page->text, 24, 2 * page->width - 48);
  for (int k = 0; k < 2; k++) {
    cairo_save(cr);
    cairo_translate(cr, k * page->width, GRID_HEAD);
    celi_scene_draw(cr, &page->scene[k]);
    cairo_restore(cr);
  }
}

CelStatus celi_certificate_draw_grids(const CelCertificate *certificate,
                                      const CeliCertificateText *text, const char *path, bool svg) {
  const CelCertifiedMdp *c = certificate->mdp;
  const CelGridPlotOptions options = cel_plot_grid_options_default();
  char line[2][96];
  CeliScene scene[2] = {{.mdp = c->mdp, .V = c->exact->V, .pi = c->exact->pi, .title = "exact"},
                        {.mdp = c->mdp, .V = c->V, .pi = c->pi, .title = "learned"}};
  CelStatus status = CEL_OK;
  for (int k = 0; k < 2; k++) {
    char number[CELI_CERTIFICATE_NUMBER];
    const double J = k ? cel_value_start(c->mdp, c->V) : c->exact->value_start;
    snprintf(line[k], sizeof line[k], "V and pi of the %s; J = %s",
             k                        ? "learned policy, exactly evaluated"
             : certificate->alpha > 0 ? "soft-optimal solution"
                                      : "optimal solution",
             celi_certificate_number(number, J));
    scene[k].subtitle = line[k];
    scene[k].options = &options;
    if (status == CEL_OK) status = celi_scene_make(&scene[k]);
  }
  if (status == CEL_OK) {
    const double low = fmin(scene[0].low, scene[1].low), high = fmax(scene[0].high, scene[1].high);
    GridPage page = {.scene = scene, .text = text};
    for (int k = 0; k < 2; k++) {
      scene[k].low = low;
      scene[k].high = high;
    }
    scene[0].bare = true; // the second scene has the color bar for both
    celi_scene_page(&scene[0], &page.width, &page.height);
    double scale = svg ? 1 : 1.6;
    if (2 * page.width * scale > 16000)
      scale = 8000 / page.width; // larger pictures are too large for many viewers
    if ((page.height + GRID_HEAD) * scale > 16000) scale = 16000 / (page.height + GRID_HEAD);
    page.pixels = (int)lround(scale * 2 * page.width);
    status = celi_picture_write(path, svg, page.pixels,
                                (int)lround(scale * (page.height + GRID_HEAD)), draw_grids, &page);
  }
  celi_scene_free(&scene[0]);
  celi_scene_free(&scene[1]);
  return status;
}

#else

static CelStatus no_pictures(const char *path) {
  return cel_fail(
      CEL_E_UNSUPPORTED,
      "%s: this build cannot draw pictures; install cairo (Debian: libcairo2-dev) and rebuild",
      path);
}

CelStatus celi_certificate_draw_scatter(const CeliScatterPanel *panel, int n,
                                        const CeliCertificateText *text, const char *path,
                                        bool svg) {
  (void)panel, (void)n, (void)text, (void)svg;
  return no_pictures(path);
}

CelStatus celi_certificate_draw_grids(const CelCertificate *certificate,
                                      const CeliCertificateText *text, const char *path, bool svg) {
  (void)certificate, (void)text, (void)svg;
  return no_pictures(path);
}

#endif
