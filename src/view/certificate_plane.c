/// The multi-goal plane of a certificate: exact on the left, learned on the right.
///
/// The upper part shows episodes, colored by the goal that they reach, over contours of the reward
/// for a position. The lower part shows three positions: Q of the actions as colors and contours,
/// and actions drawn from the policy as dots. Exact and learned pictures have the same scales.
#include "view/certificate.h"
#include "view/grid.h"
#include "view/plot.h"
#include "view/render_cairo.h"

#ifdef CELSIUS_WITH_CAIRO
#include <math.h>
#include <stdio.h>
#include <string.h>

static const CeliColor ink = {0.13, 0.14, 0.16}, gray = {0.40, 0.42, 0.45};
static const CeliColor contour_gray = {0.80, 0.82, 0.85}, frame_gray = {0.62, 0.64, 0.67};
/// East, west, north, south, none. People with any color vision can distinguish them.
static const CeliColor goal_color[CEL_MULTIGOAL_GOALS + 1] = {{0.000, 0.447, 0.698},
                                                              {0.835, 0.369, 0.000},
                                                              {0.000, 0.580, 0.420},
                                                              {0.660, 0.300, 0.560},
                                                              {0.45, 0.45, 0.47}};
static const double TWO_PI = 6.28318530717958647692;
static const double MARGIN = 26, TITLE = 17, SMALL = 11, LABEL = 12;
static const double PLANE = 440, GAP = 46, SMALL_GAP = 14, HEAD = 70; // lengths of the layout
static const double BAR_GAP = 26, BAR = 13;
enum { PATHS = 100, DOTS = 250, LEVELS = 9 };

static void set_color(cairo_t *cr, CeliColor c, double alpha) {
  cairo_set_source_rgba(cr, c.r, c.g, c.b, alpha);
}

/// A square of the page that shows [-bound, bound]^2, with y upward.
typedef struct Square {
  double left, top, side, bound;
} Square;

static double at_x(const Square *q, double x) {
  return q->left + q->side * (x / q->bound + 1) / 2;
}
static double at_y(const Square *q, double y) {
  return q->top + q->side * (1 - y / q->bound) / 2;
}

static void draw_frame(cairo_t *cr, const Square *q) {
  cairo_rectangle(cr, q->left, q->top, q->side, q->side);
  set_color(cr, frame_gray, 1);
  cairo_set_line_width(cr, 1);
  cairo_stroke(cr);
}

static void clip_to(cairo_t *cr, const Square *q) {
  cairo_rectangle(cr, q->left, q->top, q->side, q->side);
  cairo_clip(cr);
}

// ---- contours of values (n, n) over a square, by marching squares

/// Position of `level` between two neighbors, 0 to 1.
static double crossing(double a, double b, double level) {
  return fabs(b - a) > 0 ? (level - a) / (b - a) : 0.5;
}

/// Adds the lines of a contour in one cell. v: values at the corners (0,0), (1,0), (1,1), (0,1) in
/// (column, row).
static void cell_contour(cairo_t *cr, const double v[4], double x, double y, double dx, double dy,
                         double level) {
  static const double corner[4][2] = {{0, 0}, {1, 0}, {1, 1}, {0, 1}};
  double point[4][2];
  int n = 0;
  for (int e = 0; e < 4; e++) {
    const int f = (e + 1) % 4;
    if ((v[e] < level) == (v[f] < level)) continue;
    const double t = crossing(v[e], v[f], level);
    point[n][0] = x + dx * (corner[e][0] + t * (corner[f][0] - corner[e][0]));
    point[n++][1] = y + dy * (corner[e][1] + t * (corner[f][1] - corner[e][1]));
  }
  for (int k = 0; k + 1 < n; k += 2) {
    cairo_move_to(cr, point[k][0], point[k][1]);
    cairo_line_to(cr, point[k + 1][0], point[k + 1][1]);
  }
}

static void draw_contour(cairo_t *cr, const Square *q, const float *value, int n, double level) {
  const double step = q->side / (n - 1);
  cairo_new_path(cr);
  for (int i = 0; i + 1 < n; i++)
    for (int j = 0; j + 1 < n; j++) {
      const float *at = value + i * n + j;
      const double v[4] = {(double)at[0], (double)at[1], (double)at[n + 1], (double)at[n]};
      cell_contour(cr, v, q->left + j * step, q->top + q->side - i * step, step, -step, level);
    }
  cairo_stroke(cr);
}

// ---- episodes

/// Draws contours of the reward for a position, without the rewards of goals.
static void draw_reward(cairo_t *cr, const Square *q, const CelMultigoal *plane) {
  enum { N = 141 };
  float value[N * N];
  for (int k = 0; k < N * N; k++) {
    const int column = k % N, row = k / N;
    const double s[2] = {q->bound * (2.0 * column / (N - 1) - 1),
                         q->bound * (2.0 * row / (N - 1) - 1)};
    double least = HUGE_VAL;
    for (int g = 0; g < CEL_MULTIGOAL_GOALS; g++) {
      double goal[2];
      cel_multigoal_goal(plane, g, goal);
      least = fmin(least, hypot(s[0] - goal[0], s[1] - goal[1]));
    }
    value[k] = (float)least;
  }
  cairo_save(cr);
  clip_to(cr, q);
  set_color(cr, contour_gray, 1);
  cairo_set_line_width(cr, 0.8);
  const double step = plane->goal_distance / 5;
  for (int l = 2; l * step < 2 * plane->bound; l++)
    draw_contour(
        cr, q, value, N,
        l * step); // contours are at equal distances; the reward is minus the squared distance
  cairo_restore(cr);
}

static void draw_goals(cairo_t *cr, const Square *q, const CelMultigoal *plane) {
  for (int g = 0; g < CEL_MULTIGOAL_GOALS; g++) {
    double goal[2];
    cel_multigoal_goal(plane, g, goal);
    cairo_new_path(cr);
    cairo_arc(cr, at_x(q, goal[0]), at_y(q, goal[1]), q->side * plane->goal_radius / q->bound / 2,
              0, TWO_PI);
    set_color(cr, goal_color[g], 0.16);
    cairo_fill_preserve(cr);
    set_color(cr, goal_color[g], 0.9);
    cairo_set_line_width(cr, 1.2);
    cairo_stroke(cr);
  }
}

/// The goal that contains an episode's last position.
static int goal_of(const CelMultigoal *plane, const float *s) {
  for (int g = 0; g < CEL_MULTIGOAL_GOALS; g++) {
    double goal[2];
    cel_multigoal_goal(plane, g, goal);
    if (hypot((double)s[0] - goal[0], (double)s[1] - goal[1]) < plane->goal_radius) return g;
  }
  return CEL_MULTIGOAL_GOALS;
}

static void draw_path(cairo_t *cr, const Square *q, const float *path, int64_t length,
                      CeliColor color) {
  cairo_new_path(cr);
  for (int64_t t = 0; t <= length; t++)
    cairo_line_to(cr, at_x(q, (double)path[2 * t]), at_y(q, (double)path[2 * t + 1]));
  set_color(cr, color, 0.42);
  cairo_set_line_width(cr, 1.1);
  cairo_stroke(cr);
  cairo_arc(cr, at_x(q, (double)path[2 * length]), at_y(q, (double)path[2 * length + 1]), 1.9, 0,
            TWO_PI);
  set_color(cr, color, 0.85);
  cairo_fill(cr);
}

/// Writes the fraction of episodes that reach each goal, above the goal, or below the southern one.
static void draw_shares(cairo_t *cr, const Square *q, const CelMultigoal *plane,
                        const double *share) {
  char text[64];
  celi_cairo_font(cr, LABEL, true);
  for (int g = 0; g < CEL_MULTIGOAL_GOALS; g++) {
    double goal[2];
    cel_multigoal_goal(plane, g, goal);
    const double side = goal[1] < 0 ? -1 : 1;
    const double y = at_y(q, goal[1] + side * plane->goal_radius);
    snprintf(text, sizeof text, "%.0f%%", 100 * share[g]);
    set_color(cr, goal_color[g], 1);
    celi_cairo_text(cr, at_x(q, goal[0]), y + (side > 0 ? -8 : 8 + LABEL * 0.75), 0.5, text);
  }
  if (share[CEL_MULTIGOAL_GOALS] < 0.005) return;
  snprintf(text, sizeof text, "none %.0f%%", 100 * share[CEL_MULTIGOAL_GOALS]);
  set_color(cr, goal_color[CEL_MULTIGOAL_GOALS], 1);
  celi_cairo_text(cr, q->left + 10, q->top + q->side - 10, 0, text);
}

static void draw_plane_axes(cairo_t *cr, const Square *q) {
  CeliTicks ticks;
  celi_ticks_linear(&ticks, -q->bound, q->bound, 9);
  celi_cairo_font(cr, SMALL, false);
  set_color(cr, gray, 1);
  for (int i = 0; i < ticks.n; i++) {
    celi_cairo_text(cr, at_x(q, ticks.at[i]), q->top + q->side + 15, 0.5, ticks.text[i]);
    celi_cairo_text(cr, q->left - 6, at_y(q, ticks.at[i]) + 0.36 * SMALL, 1, ticks.text[i]);
  }
}

static void draw_episodes(cairo_t *cr, const Square *q, const CelCertifiedPlane *c, int which) {
  const CelMultigoal *plane = &c->exact->plane;
  const int64_t stride = 2 * (c->limit + 1);
  draw_reward(cr, q, plane);
  draw_goals(cr, q, plane);
  cairo_save(cr);
  clip_to(cr, q);
  cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
  for (int64_t i = 0; i < c->episodes && i < PATHS; i++) {
    const float *path = c->path[which] + i * stride;
    const int64_t length = c->length[which][i];
    draw_path(cr, q, path, length, goal_color[goal_of(plane, path + 2 * length)]);
  }
  for (int k = 0; k < CEL_CERTIFY_PLACES; k++) { // the positions of the lower part
    const double x = at_x(q, c->place[k].s[0]), y = at_y(q, c->place[k].s[1]);
    cairo_rectangle(cr, x - 4, y - 4, 8, 8);
    set_color(cr, (CeliColor){1, 1, 1}, 1);
    cairo_set_line_width(cr, 3.4);
    cairo_stroke_preserve(cr);
    set_color(cr, ink, 1);
    cairo_set_line_width(cr, 1.6);
    cairo_stroke(cr);
  }
  cairo_restore(cr);
  draw_shares(cr, q, plane, c->share[which]);
  draw_frame(cr, q);
  draw_plane_axes(cr, q);
}

// ---- Q over actions

/// The range of the exact Q, for the colors of both pictures.
static void q_range(const CelCertifiedPlace *place, double *low, double *high) {
  *low = HUGE_VAL;
  *high = -HUGE_VAL;
  for (int k = 0; k < CEL_CERTIFY_SIDE * CEL_CERTIFY_SIDE; k++) {
    *low = fmin(*low, (double)place->Q[0][k]);
    *high = fmax(*high, (double)place->Q[0][k]);
  }
}

/// Draws Q as an image with one pixel per action, which cairo smooths.
static void draw_colors(cairo_t *cr, const Square *q, const float *Q, double low, double high) {
  enum { N = CEL_CERTIFY_SIDE };
  cairo_surface_t *image = cairo_image_surface_create(CAIRO_FORMAT_RGB24, N, N);
  unsigned char *data = cairo_image_surface_get_data(image);
  const int stride = cairo_image_surface_get_stride(image);
  for (int i = 0; data && i < N; i++) {
    uint32_t *line = (uint32_t *)(void *)(data + (N - 1 - i) * stride);
    for (int j = 0; j < N; j++) {
      const CeliColor c = celi_colormap(((double)Q[i * N + j] - low) / (high - low));
      line[j] = (uint32_t)lround(255 * c.r) << 16 | (uint32_t)lround(255 * c.g) << 8 |
                (uint32_t)lround(255 * c.b);
    }
  }
  cairo_surface_mark_dirty(image);
  cairo_save(cr);
  clip_to(cr, q);
  cairo_translate(cr, q->left - 0.5 * q->side / (N - 1), q->top - 0.5 * q->side / (N - 1));
  cairo_scale(cr, q->side / (N - 1), q->side / (N - 1));
  cairo_set_source_surface(cr, image, 0, 0);
  cairo_pattern_set_filter(cairo_get_source(cr), CAIRO_FILTER_BILINEAR);
  cairo_paint(cr);
  cairo_restore(cr);
  cairo_surface_destroy(image);
}

static void draw_dots(cairo_t *cr, const Square *q, const float *action) {
  for (int i = 0; i < DOTS; i++) {
    cairo_new_path(cr);
    cairo_arc(cr, at_x(q, (double)action[2 * i]), at_y(q, (double)action[2 * i + 1]), 1.7, 0,
              TWO_PI);
    cairo_set_source_rgba(cr, 1, 1, 1, 0.92);
    cairo_fill_preserve(cr);
    cairo_set_source_rgba(cr, 0.08, 0.09, 0.15, 0.75);
    cairo_set_line_width(cr, 0.5);
    cairo_stroke(cr);
  }
}

static void draw_place(cairo_t *cr, const Square *q, const CelCertifiedPlace *place, int which) {
  double low, high;
  q_range(place, &low, &high);
  const bool has = !isnan(place->Q[which][0]) && high > low;
  if (has) {
    draw_colors(cr, q, place->Q[which], low, high);
    cairo_save(cr);
    clip_to(cr, q);
    cairo_set_source_rgba(cr, 1, 1, 1, 0.45);
    cairo_set_line_width(cr, 0.7);
    for (int l = 1; l < LEVELS; l++)
      draw_contour(cr, q, place->Q[which], CEL_CERTIFY_SIDE, low + (high - low) * l / LEVELS);
    cairo_restore(cr);
  }
  draw_dots(cr, q, place->action[which]);
  draw_frame(cr, q);
}

// ---- the page

typedef struct Page {
  const CelCertificate *certificate;
  const CeliCertificateText *text;
  int width;
} Page;

static const double PLACE = (440 - 2 * 14) / 3.0;

static double page_width(void) {
  return MARGIN + 18 + PLANE + GAP + PLANE + BAR_GAP + BAR + 44 + MARGIN - 14;
}

static double page_height(void) {
  return HEAD + 24 + PLANE + 58 + PLACE + 34 + MARGIN;
}

/// Draws the color bar of Q, from the minimum to the maximum of the exact Q.
static void draw_bar(cairo_t *cr, double left, double top, double height) {
  cairo_pattern_t *ramp = cairo_pattern_create_linear(0, top + height, 0, top);
  for (int i = 0; i <= 64; i++) {
    const CeliColor c = celi_colormap(i / 64.0);
    cairo_pattern_add_color_stop_rgb(ramp, i / 64.0, c.r, c.g, c.b);
  }
  cairo_rectangle(cr, left, top, BAR, height);
  cairo_set_source(cr, ramp);
  cairo_fill(cr);
  cairo_pattern_destroy(ramp);
  celi_cairo_font(cr, SMALL, false);
  set_color(cr, gray, 1);
  celi_cairo_text(cr, left + BAR + 6, top + SMALL * 0.75, 0, "best");
  celi_cairo_text(cr, left + BAR + 6, top + height, 0, "least");
  celi_cairo_text(cr, left + BAR + 6, top + height / 2 + SMALL * 0.36, 0, "Q*");
}

static void draw_column(cairo_t *cr, const CelCertifiedPlane *c, int which, double left) {
  char text[96];
  const Square plane = {left, HEAD + 24, PLANE, c->exact->plane.bound};
  celi_cairo_font(cr, LABEL + 1, true);
  set_color(cr, ink, 1);
  celi_cairo_text(cr, left, HEAD + 14, 0, which ? "learned" : "exact");
  draw_episodes(cr, &plane, c, which);
  for (int k = 0; k < CEL_CERTIFY_PLACES; k++) {
    const CelCertifiedPlace *place = &c->place[k];
    const Square q = {left + k * (PLACE + SMALL_GAP), HEAD + 24 + PLANE + 58, PLACE,
                      c->exact->plane.reach};
    draw_place(cr, &q, place, which);
    celi_cairo_font(cr, SMALL, false);
    set_color(cr, ink, 1);
    char number[2][CELI_CERTIFICATE_NUMBER];
    snprintf(text, sizeof text, "Q, actions at (%s, %s)",
             celi_certificate_number(number[0], place->s[0]),
             celi_certificate_number(number[1], place->s[1]));
    celi_cairo_text(cr, q.left, q.top - 7, 0, text);
    set_color(cr, gray, 1);
    if (which && !isnan(place->kl))
      snprintf(text, sizeof text, "entropy %.2f, KL %.2g", place->entropy[1], place->kl);
    else if (!isnan(place->entropy[which]))
      snprintf(text, sizeof text, "entropy %.2f nats", place->entropy[which]);
    else
      text[0] = 0;
    celi_cairo_text(cr, q.left, q.top + q.side + 16, 0, text);
  }
}

static void draw(cairo_t *cr, const void *what) {
  const Page *page = what;
  const double left = MARGIN + 18, top = HEAD + 24 + PLANE + 58;
  char text[CEL_PATH_MAX];
  cairo_set_source_rgb(cr, 1, 1, 1);
  cairo_paint(cr);
  cairo_scale(cr, page->width / page_width(), page->width / page_width());
  celi_cairo_font(cr, TITLE, true);
  set_color(cr, ink, 1);
  celi_cairo_fit(cr, text, sizeof text, page->text->title, page_width() - 2 * MARGIN);
  celi_cairo_text(cr, left, MARGIN + 0.75 * TITLE, 0, text);
  celi_cairo_font(cr, LABEL, false);
  set_color(cr, gray, 1);
  celi_cairo_fit(cr, text, sizeof text, page->text->subtitle, page_width() - 2 * MARGIN);
  celi_cairo_text(cr, left, MARGIN + 0.75 * TITLE + 21, 0, text);
  draw_column(cr, page->certificate->plane, 0, left);
  draw_column(cr, page->certificate->plane, 1, left + PLANE + GAP);
  draw_bar(cr, left + 2 * PLANE + GAP + BAR_GAP - 10, top, PLACE);
}

CelStatus celi_certificate_draw_plane(const CelCertificate *certificate,
                                      const CeliCertificateText *text, const char *path, bool svg) {
  const double scale = svg ? 1 : 1.6;
  const Page page = {certificate, text, (int)lround(scale * page_width())};
  return celi_picture_write(path, svg, page.width, (int)lround(scale * page_height()), draw, &page);
}

#else

CelStatus celi_certificate_draw_plane(const CelCertificate *certificate,
                                      const CeliCertificateText *text, const char *path, bool svg) {
  (void)certificate, (void)text, (void)svg;
  return cel_fail(
      CEL_E_UNSUPPORTED,
      "%s: this build cannot draw pictures; install cairo (Debian: libcairo2-dev) and rebuild",
      path);
}

#endif
