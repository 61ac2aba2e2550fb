/// Line plots as SVG: axes with round ticks (powers of ten on logarithmic axes), curves, and a
/// legend on the right.
#include "verify/svg.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { WIDTH = 800, HEIGHT = 380, LEFT = 80, RIGHT = 250, TOP = 40, BOTTOM = 54 };
static const char *const colors[] = {"#1f6fb4", "#d2572b", "#2c8f4e", "#7a52a5", "#8c6d1f", "#555"};

CeliSvgCurve *celi_svg_curve(CeliSvgPlot *plot, const char *name, bool dashed) {
  CEL_ASSERT(plot->curves < CELI_CURVES_MAX);
  CeliSvgCurve *curve = &plot->curve[plot->curves++];
  curve->name = name, curve->dashed = dashed, curve->n = 0;
  return curve;
}

void celi_svg_point(CeliSvgCurve *curve, double x, double y) {
  CEL_ASSERT(curve->n < CELI_POINTS_MAX);
  curve->x[curve->n] = x, curve->y[curve->n++] = y;
}

void celi_svg_escape(CeliText *text, const char *string) {
  for (const char *c = string; *c; c++) switch (*c) {
    case '&': celi_text_format(text, "&amp;"); break;
    case '<': celi_text_format(text, "&lt;"); break;
    case '>': celi_text_format(text, "&gt;"); break;
    case '"': celi_text_format(text, "&quot;"); break;
    default: celi_text_add(text, c, 1);
    }
}

/// One axis: its range (of logarithms if `log`) and its place on the page.
typedef struct Axis {
  bool log;
  double low, high;
  double begin, end; ///< pixels of `low` and `high`
} Axis;

static bool fits(const Axis *axis, double value) {
  return isfinite(value) && (!axis->log || value > 0);
}

static double place(const Axis *axis, double value) {
  const double at = axis->log ? log10(value) : value;
  return axis->begin + (axis->end - axis->begin) * (at - axis->low) / (axis->high - axis->low);
}

/// Finds the range of all points that both axes can show.
static void find_ranges(const CeliSvgPlot *plot, Axis *x, Axis *y) {
  x->low = y->low = HUGE_VAL, x->high = y->high = -HUGE_VAL;
  for (int c = 0; c < plot->curves; c++)
    for (int i = 0; i < plot->curve[c].n; i++) {
      const double px = plot->curve[c].x[i], py = plot->curve[c].y[i];
      if (!fits(x, px) || !fits(y, py)) continue;
      const double at_x = x->log ? log10(px) : px, at_y = y->log ? log10(py) : py;
      x->low = fmin(x->low, at_x), x->high = fmax(x->high, at_x);
      y->low = fmin(y->low, at_y), y->high = fmax(y->high, at_y);
    }
}

/// A round step that divides a span into four to nine parts.
static double round_step(double span) {
  const double power = pow(10, floor(log10(span / 4)));
  const double parts = span / 4 / power;
  return power * (parts >= 5 ? 5 : parts >= 2 ? 2 : 1);
}

/// Extends the range to whole steps, or to whole powers of ten if `log`. Returns the step.
static double widen(Axis *axis) {
  if (!(axis->low < axis->high)) axis->low -= 1, axis->high += 1;
  double step = round_step(axis->high - axis->low);
  if (axis->log && step < 1) step = 1;
  axis->low = step * floor(axis->low / step + 1e-9);
  axis->high = step * ceil(axis->high / step - 1e-9);
  if (!(axis->low < axis->high)) axis->high += step;
  return step;
}

static void write_tick(CeliText *text, const Axis *axis, double at, bool horizontal) {
  char label[32];
  const double pixel =
      axis->begin + (axis->end - axis->begin) * (at - axis->low) / (axis->high - axis->low);
  snprintf(label, sizeof label, axis->log ? "1e%.0f" : "%.6g", fabs(at) < 1e-12 ? 0 : at);
  if (axis->log && fabs(at) < 1e-12) snprintf(label, sizeof label, "1");
  if (horizontal)
    celi_text_format(text,
                     "<line class=\"grid\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>"
                     "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
                     pixel, TOP, pixel, HEIGHT - BOTTOM, pixel, HEIGHT - BOTTOM + 18, label);
  else
    celi_text_format(text,
                     "<line class=\"grid\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>"
                     "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
                     LEFT, pixel, WIDTH - RIGHT, pixel, LEFT - 6, pixel + 4, label);
}

static void write_axis(CeliText *text, Axis *axis, bool horizontal) {
  const double step = widen(axis);
  const int ticks = (int)lround((axis->high - axis->low) / step);
  for (int i = 0; i <= ticks; i++) write_tick(text, axis, axis->low + i * step, horizontal);
}

static void write_curve(CeliText *text, const CeliSvgCurve *curve, int index, const Axis *x,
                        const Axis *y) {
  const char *dash = curve->dashed ? " stroke-dasharray=\"6 4\"" : "";
  const double legend = TOP + 14 + 20 * index;
  celi_text_format(text, "<polyline class=\"curve\" stroke=\"%s\"%s points=\"", colors[index],
                   dash);
  for (int i = 0; i < curve->n; i++)
    if (fits(x, curve->x[i]) && fits(y, curve->y[i]))
      celi_text_format(text, "%.2f,%.2f ", place(x, curve->x[i]), place(y, curve->y[i]));
  celi_text_format(text,
                   "\"/>\n<line x1=\"%d\" y1=\"%.0f\" x2=\"%d\" y2=\"%.0f\" stroke=\"%s\" "
                   "stroke-width=\"2\"%s/><text x=\"%d\" y=\"%.0f\">",
                   WIDTH - RIGHT + 14, legend, WIDTH - RIGHT + 40, legend, colors[index], dash,
                   WIDTH - RIGHT + 46, legend + 4);
  celi_svg_escape(text, curve->name);
  celi_text_format(text, "</text>\n");
}

static void write_labels(CeliText *text, const CeliSvgPlot *plot) {
  celi_text_format(text, "<text class=\"title\" x=\"%d\" y=\"22\">", LEFT);
  celi_svg_escape(text, plot->title);
  celi_text_format(text, "</text>\n<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">",
                   (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12);
  celi_svg_escape(text, plot->x_label);
  celi_text_format(text,
                   "</text>\n<text transform=\"translate(18 %d) rotate(-90)\" "
                   "text-anchor=\"middle\">",
                   (TOP + HEIGHT - BOTTOM) / 2);
  celi_svg_escape(text, plot->y_label);
  celi_text_format(text, "</text>\n");
}

void celi_svg_write(CeliText *text, const CeliSvgPlot *plot) {
  Axis x = {.log = plot->log_x, .begin = LEFT, .end = WIDTH - RIGHT};
  Axis y = {.log = plot->log_y, .begin = HEIGHT - BOTTOM, .end = TOP};
  find_ranges(plot, &x, &y);
  celi_text_format(text,
                   "<svg id=\"%s\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
                   "role=\"img\">\n",
                   plot->id, WIDTH, HEIGHT);
  write_axis(text, &x, true);
  write_axis(text, &y, false);
  for (int c = 0; c < plot->curves; c++) write_curve(text, &plot->curve[c], c, &x, &y);
  write_labels(text, plot);
  celi_text_format(text, "</svg>\n");
}
