/// Drawing figures as PNG or SVG: a title, a legend, and panels of curves.
///
/// Lengths are in design units. A figure with one column is 800 units wide for any size in pixels.
#include "base/base.h"
#include "view/plot.h"
#include "view/render_cairo.h"

#ifdef CELSIUS_WITH_CAIRO
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct Color {
  double r, g, b;
} Color;

static const Color ink = {0.13, 0.14, 0.16}, gray = {0.40, 0.42, 0.45};
static const Color grid_gray = {0.915, 0.92, 0.93}, axis_gray = {0.62, 0.64, 0.67};

/// Colors of Okabe and Ito, which people with any color vision can distinguish. Black is the last
/// one, and yellow is left out because the background is white.
enum { COLORS = 7 };
static const Color palette[COLORS] = {
    {0.000, 0.447, 0.698}, {0.835, 0.369, 0.000}, {0.000, 0.620, 0.451}, {0.800, 0.475, 0.655},
    {0.902, 0.624, 0.000}, {0.337, 0.706, 0.914}, {0.200, 0.200, 0.200}};

static const double TITLE = 17, SMALL = 11, LABEL = 12; // font sizes
static const double MARGIN = 22;

static void set_color(cairo_t *cr, Color c, double alpha) {
  cairo_set_source_rgba(cr, c.r, c.g, c.b, alpha);
}

static const Color neutral = {0.35, 0.37, 0.40};

static Color group_color(const CeliFigure *figure, int group) {
  return figure->runs->group[group].guide ? neutral : palette[group % COLORS];
}

/// The color shows the group. If there is only one group, it shows the column of a shared panel;
/// with several groups, dashes show the column.
static Color curve_color(const CeliFigure *figure, const CeliPlotCurve *curve) {
  if (figure->keys && figure->runs->n_groups == 1) return palette[curve->key % COLORS];
  return group_color(figure, curve->group);
}

/// Dash pattern i; 0 is a solid line.
static void set_dash(cairo_t *cr, int i) {
  static const double dashes[][2] = {{6, 3}, {2, 2}, {10, 4}};
  if (i)
    cairo_set_dash(cr, dashes[(i - 1) % 3], 2, 0);
  else
    cairo_set_dash(cr, NULL, 0, 0);
}

/// Groups after the end of the palette repeat its colors with dashes. Guides are dashed.
static int group_dash(const CeliFigure *figure, int group) {
  return figure->runs->group[group].guide ? 1 : group / COLORS;
}

static int curve_dash(const CeliFigure *figure, const CeliPlotCurve *curve) {
  if (figure->keys && figure->runs->n_groups > 1) return curve->key;
  return group_dash(figure, curve->group);
}

// ---- legend

static void draw_marker(cairo_t *cr, double x, double y, double radius, Color color) {
  cairo_new_path(cr);
  cairo_arc(cr, x, y, radius, 0, 2 * 3.14159265358979323846);
  set_color(cr, color, 1);
  cairo_fill_preserve(cr);
  cairo_set_dash(cr, NULL, 0, 0);
  cairo_set_line_width(cr, 1);
  cairo_set_source_rgb(cr, 1, 1, 1);
  cairo_stroke(cr);
}

/// An entry of the legend: a line in the style of its curve, and a text.
typedef struct Entry {
  char text[160];
  Color color;
  int dash;
  double width; ///< line width
  double alpha;
  bool marker;
} Entry;

enum { ENTRIES_MAX = 64 };

static const double THIN = 1.6, THICK = 2.2, FAINT = 0.55;

/// Whether a panel has curves of training and of evaluations.
static bool has_both_kinds(const CeliPanel *panel) {
  bool kinds[2] = {false, false};
  for (int i = 0; i < panel->n; i++) kinds[panel->curve[i].marked] = true;
  return kinds[0] && kinds[1];
}

static int list_entries(const CeliFigure *figure, Entry entries[ENTRIES_MAX]) {
  const CeliPlotRuns *runs = figure->runs;
  int n = 0;
  for (int g = 0; g < runs->n_groups && runs->n_groups > 1 && n < ENTRIES_MAX - 3; g++) {
    Entry *entry = &entries[n++];
    *entry = (Entry){.color = group_color(figure, g),
                     .dash = group_dash(figure, g),
                     .width = runs->group[g].guide ? THIN : THICK,
                     .alpha = 1};
    if (runs->group[g].runs > 1)
      snprintf(entry->text, sizeof entry->text, "%s (%d)", runs->group[g].label,
               runs->group[g].runs);
    else
      snprintf(entry->text, sizeof entry->text, "%s", runs->group[g].label);
  }
  for (int k = 0; k < figure->keys && n < ENTRIES_MAX - 3; k++) {
    const bool one = runs->n_groups == 1;
    Entry *entry = &entries[n++];
    *entry = (Entry){.color = one ? palette[k % COLORS] : neutral,
                     .dash = one ? k / COLORS : k,
                     .width = THICK,
                     .alpha = 1};
    snprintf(entry->text, sizeof entry->text, "%s", figure->key[k]);
  }
  bool both = false;
  for (int p = 0; p < figure->n; p++) both = both || has_both_kinds(&figure->panel[p]);
  if (!both) return n;
  const Color color = runs->n_groups > 1 ? neutral : group_color(figure, 0);
  entries[n++] =
      (Entry){.text = "in training (exploring)", .color = color, .width = THIN, .alpha = FAINT};
  entries[n++] =
      (Entry){.text = "evaluation", .color = color, .width = THICK, .alpha = 1, .marker = true};
  return n;
}

static const double ENTRY_LINE = 22, ENTRY_GAP = 18, ENTRY_HEIGHT = 18;

static double entry_width(cairo_t *cr, Entry *entry, double most) {
  char text[160];
  celi_cairo_fit(cr, text, sizeof text, entry->text, most - ENTRY_LINE - 6);
  memcpy(entry->text, text, sizeof text);
  return ENTRY_LINE + 6 + celi_cairo_width(cr, text);
}

static void draw_entry(cairo_t *cr, const Entry *entry, double x, double y) {
  const double middle = y - 0.34 * SMALL;
  set_color(cr, entry->color, entry->alpha);
  cairo_set_line_width(cr, entry->width);
  set_dash(cr, entry->dash);
  cairo_move_to(cr, x, middle);
  cairo_line_to(cr, x + ENTRY_LINE, middle);
  cairo_stroke(cr);
  cairo_set_dash(cr, NULL, 0, 0);
  if (entry->marker) draw_marker(cr, x + ENTRY_LINE / 2, middle, 3.4, entry->color);
  set_color(cr, ink, 1);
  celi_cairo_text(cr, x + ENTRY_LINE + 6, y, 0, entry->text);
}

/// Draws entries in rows from `top` down to at most `bottom`. Returns the bottom of the last row.
static double draw_legend(cairo_t *cr, const CeliFigure *figure, double left, double right,
                          double top, double bottom) {
  Entry entries[ENTRIES_MAX];
  const int n = figure->legend ? list_entries(figure, entries) : 0;
  double x = left, y = top + SMALL;
  celi_cairo_font(cr, SMALL, false);
  for (int i = 0; i < n; i++) {
    const double width = entry_width(cr, &entries[i], right - left);
    if (x > left && x + width > right) {
      x = left;
      y += ENTRY_HEIGHT;
    }
    if (y > bottom) {
      char more[64];
      snprintf(more, sizeof more, "and %d more", n - i);
      set_color(cr, gray, 1);
      celi_cairo_text(cr, left, y, 0, more);
      break;
    }
    draw_entry(cr, &entries[i], x, y);
    x += width + ENTRY_GAP;
  }
  return n ? y + 8 : top;
}

// ---- axes

/// The area of a panel's data in design units, with y downward.
typedef struct Frame {
  double left, right, top, bottom;
  const CeliFigure *figure;
  const CeliPanel *panel;
} Frame;

static double place_x(const Frame *frame, double x) {
  const CeliPanel *p = frame->panel;
  return frame->left + (x - p->x_low) / (p->x_high - p->x_low) * (frame->right - frame->left);
}

static double place_y(const Frame *frame, double y) {
  const CeliPanel *p = frame->panel;
  const double share = p->log_y ? log(y / p->y_low) / log(p->y_high / p->y_low)
                                : (y - p->y_low) / (p->y_high - p->y_low);
  return frame->bottom - share * (frame->bottom - frame->top);
}

/// Draws two slanted strokes on the axis, which mark a break of the scale.
static void draw_break(cairo_t *cr, const Frame *frame) {
  const double x = place_x(frame, frame->panel->x_break), y = frame->bottom;
  cairo_set_source_rgb(cr, 1, 1, 1);
  cairo_rectangle(cr, x - 3, y - 3, 6, 6);
  cairo_fill(cr);
  set_color(cr, axis_gray, 1);
  for (int side = -1; side <= 1; side += 2) {
    cairo_move_to(cr, x + 3 * side - 2.5, y + 6);
    cairo_line_to(cr, x + 3 * side + 2.5, y - 6);
    cairo_stroke(cr);
  }
}

static void draw_x_axis(cairo_t *cr, const Frame *frame, const CeliTicks *ticks) {
  cairo_set_line_width(cr, 1);
  for (int i = 0; i < ticks->n; i++) {
    const double x = place_x(frame, ticks->at[i]);
    set_color(cr, grid_gray, 1);
    cairo_move_to(cr, x, frame->top);
    cairo_line_to(cr, x, frame->bottom);
    cairo_stroke(cr);
    set_color(cr, gray, 1);
    celi_cairo_text(cr, x, frame->bottom + 17, 0.5, ticks->text[i]);
  }
  set_color(cr, axis_gray, 1);
  cairo_move_to(cr, frame->left, frame->bottom);
  cairo_line_to(cr, frame->right, frame->bottom);
  cairo_stroke(cr);
  if (frame->panel->broken) draw_break(cr, frame);
}

static void draw_y_axis(cairo_t *cr, const Frame *frame, const CeliTicks *ticks) {
  cairo_set_line_width(cr, 1);
  for (int i = 0; i < ticks->n; i++) {
    const double y = place_y(frame, ticks->at[i]);
    set_color(cr, grid_gray, 1);
    cairo_move_to(cr, frame->left, y);
    cairo_line_to(cr, frame->right, y);
    cairo_stroke(cr);
    set_color(cr, gray, 1);
    celi_cairo_text(cr, frame->left - 8, y + 0.36 * SMALL, 1, ticks->text[i]);
  }
}

static void draw_labels(cairo_t *cr, const Frame *frame, double left) {
  char text[160];
  celi_cairo_font(cr, LABEL, false);
  set_color(cr, ink, 1);
  celi_cairo_fit(cr, text, sizeof text, frame->panel->x_label, frame->right - frame->left);
  celi_cairo_text(cr, (frame->left + frame->right) / 2, frame->bottom + 38, 0.5, text);
  celi_cairo_fit(cr, text, sizeof text, frame->panel->y_label, frame->bottom - frame->top);
  cairo_save(cr);
  cairo_translate(cr, left + LABEL, (frame->top + frame->bottom) / 2);
  cairo_rotate(cr, -3.14159265358979323846 / 2);
  celi_cairo_text(cr, 0, 0, 0.5, text);
  cairo_restore(cr);
}

// ---- curves

/// Adds a line through n points to the path. If many points have nearly the same x, adds only the
/// first, lowest, highest and last of them, which looks the same.
static void trace(cairo_t *cr, const Frame *frame, const double *x, const double *y, int64_t n) {
  static const double SPOT = 0.25;
  for (int64_t i = 0; i < n;) {
    const double at = place_x(frame, x[i]);
    int64_t end = i + 1, low = i, high = i;
    for (; end < n && place_x(frame, x[end]) < at + SPOT; end++) {
      if (y[end] < y[low]) low = end;
      if (y[end] > y[high]) high = end;
    }
    const int64_t shown[4] = {i, low < high ? low : high, low < high ? high : low, end - 1};
    for (int k = 0; k < 4; k++)
      if (k == 0 || shown[k] != shown[k - 1])
        cairo_line_to(cr, place_x(frame, x[shown[k]]), place_y(frame, y[shown[k]]));
    i = end;
  }
}

static void draw_band(cairo_t *cr, const Frame *frame, const CeliPlotCurve *curve) {
  if (!curve->low || curve->n < 1) return;
  cairo_new_path(cr);
  if (curve->n == 1) { // one point has no area, so it gets a vertical bar
    cairo_move_to(cr, place_x(frame, curve->x[0]), place_y(frame, curve->low[0]));
    cairo_line_to(cr, place_x(frame, curve->x[0]), place_y(frame, curve->high[0]));
    set_color(cr, curve_color(frame->figure, curve), 0.45);
    cairo_set_line_width(cr, 3);
    cairo_stroke(cr);
    return;
  }
  for (int64_t i = 0; i < curve->n; i++)
    cairo_line_to(cr, place_x(frame, curve->x[i]), place_y(frame, curve->high[i]));
  for (int64_t i = curve->n; i-- > 0;)
    cairo_line_to(cr, place_x(frame, curve->x[i]), place_y(frame, curve->low[i]));
  cairo_close_path(cr);
  set_color(cr, curve_color(frame->figure, curve), curve->marked ? 0.2 : 0.13);
  cairo_fill(cr);
}

static void draw_curve(cairo_t *cr, const Frame *frame, const CeliPlotCurve *curve, bool faint) {
  const CeliFigure *figure = frame->figure;
  const Color color = curve_color(figure, curve);
  const bool guide = figure->runs->group[curve->group].guide;
  cairo_new_path(cr);
  trace(cr, frame, curve->x, curve->y, curve->n);
  set_color(cr, color, faint ? FAINT : 1);
  cairo_set_line_width(cr, faint || guide ? THIN : THICK);
  set_dash(cr, curve_dash(figure, curve));
  cairo_stroke(cr);
  cairo_set_dash(cr, NULL, 0, 0);
  if (guide || (curve->n > 1 && (!curve->marked || curve->n > 60))) return;
  for (int64_t i = 0; i < curve->n; i++)
    draw_marker(cr, place_x(frame, curve->x[i]), place_y(frame, curve->y[i]), 3.4, color);
}

static void draw_curves(cairo_t *cr, const Frame *frame) {
  const CeliPanel *panel = frame->panel;
  const bool both = has_both_kinds(panel);
  cairo_save(cr);
  cairo_rectangle(cr, frame->left - 5, frame->top - 5, frame->right - frame->left + 10,
                  frame->bottom - frame->top + 10); // and room for half a marker
  cairo_clip(cr);
  cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
  cairo_set_line_cap(cr, CAIRO_LINE_CAP_ROUND);
  for (int i = 0; i < panel->n; i++) draw_band(cr, frame, &panel->curve[i]);
  for (int marked = 0; marked < 2; marked++) // evaluations last, on top
    for (int i = 0; i < panel->n; i++)
      if (panel->curve[i].marked == marked)
        draw_curve(cr, frame, &panel->curve[i], both && !marked);
  cairo_restore(cr);
}

/// The position of a panel on the page.
typedef struct Place {
  double left, top, right, bottom;
} Place;

static const double FOOT = 46; // height of ticks and label below a panel

/// Chooses the y ticks of a panel. Returns the width of their widest text.
static double choose_y_ticks(cairo_t *cr, const CeliPanel *panel, double height, CeliTicks *ticks) {
  const int room = (int)((height - FOOT) / 38);
  const int most = room < 3 ? 3 : room > CELI_TICKS_MAX ? CELI_TICKS_MAX : room;
  double widest = 0;
  if (panel->log_y)
    celi_ticks_log(ticks, panel->y_low, panel->y_high, most);
  else
    celi_ticks_linear(ticks, panel->y_low, panel->y_high, most);
  celi_cairo_font(cr, SMALL, false);
  for (int i = 0; i < ticks->n; i++) widest = fmax(widest, celi_cairo_width(cr, ticks->text[i]));
  return widest;
}

/// ticks_width: width for the texts of y ticks. It is equal in all panels, so that their axes
/// align.
static void draw_panel(cairo_t *cr, const CeliFigure *figure, const CeliPanel *panel, Place place,
                       double ticks_width) {
  const Frame frame = {.left = place.left + LABEL + 8 + ticks_width + 8,
                       .right = place.right,
                       .top = place.top,
                       .bottom = place.bottom - FOOT,
                       .figure = figure,
                       .panel = panel};
  CeliTicks x, y;
  (void)choose_y_ticks(cr, panel, place.bottom - place.top, &y);
  const int columns = (int)((frame.right - frame.left) / 60);
  if (panel->x_ticks)
    x = *panel->x_ticks;
  else
    celi_ticks_linear(&x, panel->x_low, panel->x_high,
                      columns < 2    ? 2
                      : columns > 12 ? 12
                                     : columns);
  draw_y_axis(cr, &frame, &y);
  draw_x_axis(cr, &frame, &x);
  draw_labels(cr, &frame, place.left);
  draw_curves(cr, &frame);
}

// ---- the figure

static double draw_titles(cairo_t *cr, const CeliFigure *figure, double width) {
  char text[CEL_PATH_MAX];
  double y = MARGIN;
  if (figure->title[0]) {
    celi_cairo_font(cr, TITLE, true);
    set_color(cr, ink, 1);
    celi_cairo_fit(cr, text, sizeof text, figure->title, width - 2 * MARGIN);
    celi_cairo_text(cr, MARGIN, y += 0.75 * TITLE, 0, text);
    y += 6;
  }
  if (figure->subtitle[0]) {
    celi_cairo_font(cr, SMALL, false);
    set_color(cr, gray, 1);
    celi_cairo_fit(cr, text, sizeof text, figure->subtitle, width - 2 * MARGIN);
    celi_cairo_text(cr, MARGIN, y += SMALL, 0, text);
    y += 8;
  }
  return y;
}

static void draw_figure(cairo_t *cr, const CeliFigure *figure) {
  const int columns = figure->columns ? figure->columns : figure->n > 1 ? 2 : 1;
  const int rows = (figure->n + columns - 1) / columns;
  const double scale = fmin(figure->width / (columns > 2   ? 500.0 * columns
                                             : columns > 1 ? 1000.0
                                                           : 800.0),
                            figure->height / (rows * 260.0 + 120)); // so that everything fits
  const double width = figure->width / scale, height = figure->height / scale;
  cairo_scale(cr, scale, scale);
  cairo_set_source_rgb(cr, 1, 1, 1);
  cairo_paint(cr);
  double top = draw_titles(cr, figure, width);
  top = draw_legend(cr, figure, MARGIN, width - MARGIN, top + 4, fmax(top, height / 3)) + 12;
  const double w = (width - 2 * MARGIN - (columns - 1) * 28) / columns;
  const double h = (height - MARGIN + 8 - top - (rows - 1) * 20) / rows;
  double ticks_width = 0;
  CeliTicks ticks;
  for (int i = 0; i < figure->n; i++)
    ticks_width = fmax(ticks_width, choose_y_ticks(cr, &figure->panel[i], h, &ticks));
  for (int i = 0; i < figure->n; i++) {
    const int row = i / columns, column = i % columns;
    const double x = MARGIN + column * (w + 28), y = top + row * (h + 20);
    draw_panel(cr, figure, &figure->panel[i], (Place){x, y, x + w, y + h}, ticks_width);
  }
}

static void draw(cairo_t *cr, const void *figure) {
  draw_figure(cr, figure);
}

CelStatus celi_figure_write(const CeliFigure *figure, const char *path, bool svg) {
  return celi_picture_write(path, svg, figure->width, figure->height, draw, figure);
}

#else

CelStatus celi_figure_write(const CeliFigure *figure, const char *path, bool svg) {
  (void)figure, (void)svg;
  return cel_fail(
      CEL_E_UNSUPPORTED,
      "%s: this build cannot draw pictures; install cairo (Debian: libcairo2-dev) and rebuild",
      path);
}

#endif
