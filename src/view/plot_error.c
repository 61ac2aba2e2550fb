/// The error of learning and its certified bound against rounds, on logarithmic axes.
///
/// A guide of slope -1/2 goes through the last point of the error. Sampling noise decreases at this
/// rate.
#include "base/arguments.h"
#include "base/base.h"
#include "celsius/plot_mdp.h"
#include "view/plot.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { ERROR, BOUND, GUIDE, CURVES };

static CelStatus check(const CelErrorPoint *point, int64_t n) {
  if (n < 2) return cel_fail(CEL_E_ARGUMENT, "a curve of errors needs at least two points");
  for (int64_t i = 0; i < n; i++) {
    const CelErrorPoint *p = &point[i];
    if (!isfinite(p->round) || !isfinite(p->error) || !isfinite(p->bound))
      return cel_fail(CEL_E_NAN, "point %lld: round, error or bound is not finite", (long long)i);
    if (!(p->round > (i ? point[i - 1].round : 0)))
      return cel_fail(CEL_E_RANGE, "point %lld: rounds must be positive and increase",
                      (long long)i);
    if (!(p->error >= 0 && p->bound > 0))
      return cel_fail(CEL_E_RANGE,
                      "round %g: the error is %g and the bound %g; the error must not be negative "
                      "and the bound must be positive",
                      p->round, p->error, p->bound);
  }
  return CEL_OK;
}

static CelStatus make_curve(CeliPlotCurve *curve, int which, int64_t n) {
  *curve = (CeliPlotCurve){.group = which, .marked = true, .runs = 1};
  CELI_TRY(celi_alloc(&curve->x, (size_t)n, sizeof *curve->x, "a curve"));
  return celi_alloc(&curve->y, (size_t)n, sizeof *curve->y, "a curve");
}

static void add(CeliPlotCurve *curve, double round, double y) {
  if (!(y > 0)) return;
  curve->x[curve->n] = log10(round);
  curve->y[curve->n++] = y;
}

/// Makes the guide of slope -1/2 through the last point, from the first x to the last x of the
/// error.
static void add_guide(CeliPlotCurve *guide, const CeliPlotCurve *error) {
  if (error->n < 2) return;
  const int64_t last = error->n - 1;
  const double decades = error->x[last] - error->x[0];
  add(guide, pow(10, error->x[0]), error->y[last] * pow(10, 0.5 * decades));
  add(guide, pow(10, error->x[last]), error->y[last]);
}

/// Makes ticks at logarithms of rounds with the rounds as texts.
static void round_ticks(CeliTicks *ticks, const CelErrorPoint *point, int64_t n) {
  celi_ticks_log(ticks, point[0].round, point[n - 1].round, 8);
  for (int i = 0; i < ticks->n; i++) ticks->at[i] = log10(ticks->at[i]);
}

static void set_limits(CeliPanel *panel, const CeliPlotCurve *curve) {
  double low = HUGE_VAL, high = 0, left = HUGE_VAL, right = -HUGE_VAL;
  for (int c = 0; c < CURVES; c++)
    for (int64_t i = 0; i < curve[c].n; i++) {
      low = fmin(low, curve[c].y[i]);
      high = fmax(high, curve[c].y[i]);
      left = fmin(left, curve[c].x[i]);
      right = fmax(right, curve[c].x[i]);
    }
  const double room = 0.03 * (right - left);
  panel->x_low = left - room;
  panel->x_high = right + room;
  panel->y_low = low / 1.3;
  panel->y_high = high * 1.3;
}

static CelStatus fill(CeliPlotCurve curve[CURVES], const CelErrorPoint *point, int64_t n) {
  for (int c = 0; c < CURVES; c++) CELI_TRY(make_curve(&curve[c], c, n));
  for (int64_t i = 0; i < n; i++) {
    add(&curve[ERROR], point[i].round, point[i].error);
    add(&curve[BOUND], point[i].round, point[i].bound);
  }
  add_guide(&curve[GUIDE], &curve[ERROR]);
  return CEL_OK;
}

CelStatus cel_plot_error(const CelErrorPoint *point, int64_t n, const char *title,
                         const char *subtitle, const char *out_path) {
  CELI_NEED(out_path);
  CELI_FLOATS(CELI_IEEE);
  bool svg;
  CeliTicks ticks;
  CeliPlotCurve curve[CURVES] = {{.n = 0}};
  CeliPlotGroup group[CURVES] = {{.label = "error, sup-norm of Q \xe2\x88\x92 Q*", .runs = 1},
                                 {.label = "bound, from the exact model", .runs = 1},
                                 {.label = "slope \xe2\x88\x92"
                                           "1/2, for comparison",
                                  .runs = 1,
                                  .guide = true}};
  const CeliPlotRuns runs = {.n = CURVES, .n_groups = CURVES, .group = group};
  CeliPanel panel = {.x_label = "rounds",
                     .y_label = "error of Q",
                     .log_y = true,
                     .x_ticks = &ticks,
                     .curve = curve,
                     .n = CURVES};
  CeliFigure figure = {
      .width = 900, .height = 620, .legend = true, .runs = &runs, .panel = &panel, .n = 1};
  CELI_TRY(celi_picture_format(out_path, &svg));
  CELI_TRY(check(point, n));
  snprintf(figure.title, sizeof figure.title, "%s", title ? title : "");
  snprintf(figure.subtitle, sizeof figure.subtitle, "%s", subtitle ? subtitle : "");
  CelStatus status = fill(curve, point, n);
  if (status == CEL_OK) {
    set_limits(&panel, curve);
    round_ticks(&ticks, point, n);
    status = celi_figure_write(&figure, out_path, svg);
  }
  for (int c = 0; c < CURVES; c++) celi_plot_curve_free(&curve[c]);
  return status;
}
