/// Temperature sweeps: value, return and entropy of solutions against alpha.
///
/// Alpha has a logarithmic axis. 0, which has no logarithm, is one step to the left of the smallest
/// other alpha.
#include "base/arguments.h"
#include "base/base.h"
#include "celsius/plot_mdp.h"
#include "view/plot.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PANELS = 3 };

static int by_alpha(const void *a, const void *b) {
  const double x = ((const CelSweepPoint *)a)->alpha, y = ((const CelSweepPoint *)b)->alpha;
  return (x > y) - (x < y);
}

static CelStatus check(const CelSweepPoint *point, int64_t n) {
  if (n < 1) return cel_fail(CEL_E_ARGUMENT, "a sweep needs at least one temperature");
  for (int64_t i = 0; i < n; i++) {
    if (!(point[i].alpha >= 0 && isfinite(point[i].alpha)))
      return cel_fail(CEL_E_RANGE, "temperature %g must be finite and not negative",
                      point[i].alpha);
    if (!isfinite(point[i].value) || !isfinite(point[i].hard_return) || !isfinite(point[i].entropy))
      return cel_fail(CEL_E_NAN, "the value, return or entropy at temperature %g is not finite",
                      point[i].alpha);
  }
  return CEL_OK;
}

// ---- the axis of alpha

/// The position of an alpha: its logarithm, or `zero` for 0.
static double place(double alpha, double zero) {
  return alpha > 0 ? log10(alpha) : zero;
}

/// Computes the position of 0 and the ends of the axis from sorted points.
static void alpha_axis(const CelSweepPoint *point, int64_t n, double *zero, CeliPanel *panel) {
  double low = HUGE_VAL;
  for (int64_t i = n; i-- > 0;)
    if (point[i].alpha > 0) low = log10(point[i].alpha);
  if (!isfinite(low)) low = 0; // only alpha = 0
  const double high = point[n - 1].alpha > 0 ? log10(point[n - 1].alpha) : low;
  const bool has_zero = !(point[0].alpha > 0);
  *zero = low - fmax(0.5, 0.15 * (high - low));
  panel->broken = has_zero && point[n - 1].alpha > 0;
  panel->x_break = 0.5 * (*zero + low);
  const double left = has_zero ? *zero : low, room = fmax(0.04 * (high - left), 0.1);
  panel->x_low = left - room;
  panel->x_high = (has_zero && n == 1 ? *zero : high) + room;
}

/// Ticks: the alphas themselves if they are few and far apart, else powers of ten.
static void alpha_ticks(const CelSweepPoint *point, int64_t n, double zero, const CeliPanel *panel,
                        CeliTicks *ticks) {
  const double apart = 0.13 * (panel->x_high - panel->x_low);
  double last = -HUGE_VAL;
  ticks->n = 0;
  if (!(point[0].alpha > 0)) {
    ticks->at[ticks->n] = last = zero;
    snprintf(ticks->text[ticks->n++], sizeof ticks->text[0], "0");
  }
  bool each = true;
  double before = last;
  for (int64_t i = 0; i < n; i++) {
    const double x = place(point[i].alpha, zero);
    if (point[i].alpha > 0 && x != before) each = each && x - before >= 0.6 * apart;
    before = x;
  }
  for (int64_t i = 0; each && i < n && ticks->n < CELI_TICKS_MAX; i++) {
    const double x = place(point[i].alpha, zero);
    if (!(point[i].alpha > 0) || x == last) continue;
    ticks->at[ticks->n] = last = x;
    snprintf(ticks->text[ticks->n++], sizeof ticks->text[0], "%.3g", point[i].alpha);
  }
  for (int e = (int)ceil(panel->x_low); !each && e <= panel->x_high; e++) {
    if (e - last < apart || ticks->n == CELI_TICKS_MAX) continue;
    ticks->at[ticks->n] = last = e;
    snprintf(ticks->text[ticks->n++], sizeof ticks->text[0], "%g", pow(10, e));
  }
}

// ---- panels

static double ordinate(const CelSweepPoint *point, int panel) {
  return panel == 0 ? point->value : panel == 1 ? point->hard_return : point->entropy;
}

static CelStatus fill_panel(CeliPanel *panel, CeliPlotCurve *curve, int which,
                            const CelSweepPoint *point, int64_t n, double zero) {
  static const char *const labels[PANELS] = {"value J, entropy included",
                                             "return of its policy, without entropy",
                                             "entropy per step (nats)"};
  double low = HUGE_VAL, high = -HUGE_VAL;
  *curve = (CeliPlotCurve){.marked = true, .runs = 1, .n = n};
  panel->curve = curve;
  panel->n = 1;
  snprintf(panel->x_label, sizeof panel->x_label, "temperature alpha");
  snprintf(panel->y_label, sizeof panel->y_label, "%s", labels[which]);
  CELI_TRY(celi_alloc(&curve->x, (size_t)n, sizeof *curve->x, "a curve"));
  CELI_TRY(celi_alloc(&curve->y, (size_t)n, sizeof *curve->y, "a curve"));
  for (int64_t i = 0; i < n; i++) {
    curve->x[i] = place(point[i].alpha, zero);
    curve->y[i] = ordinate(&point[i], which);
    low = fmin(low, curve->y[i]);
    high = fmax(high, curve->y[i]);
  }
  if (which == 2) low = fmin(low, 0); // entropy starts at 0
  const double size = fmax(fabs(low), fabs(high));
  const double room = high - low > 1e-9 * size ? 0.06 * (high - low) : size > 0 ? 0.05 * size : 1;
  panel->y_low = low - (which == 2 ? 0 : room);
  panel->y_high = high + room;
  return CEL_OK;
}

static CelStatus draw(const CelSweepPoint *point, int64_t n, const char *title,
                      const char *subtitle, const char *path, bool svg) {
  CeliPanel panel[PANELS] = {{.n = 0}};
  CeliPlotCurve curve[PANELS] = {{.n = 0}};
  CeliTicks ticks;
  double zero;
  CeliPlotGroup group = {.runs = 1};
  const CeliPlotRuns runs = {.n = 1, .n_groups = 1, .group = &group};
  CeliFigure figure = {
      .width = 1500, .height = 500, .runs = &runs, .panel = panel, .n = PANELS, .columns = PANELS};
  CelStatus status = CEL_OK;
  snprintf(figure.title, sizeof figure.title, "%s", title ? title : "");
  snprintf(figure.subtitle, sizeof figure.subtitle, "%s", subtitle ? subtitle : "");
  for (int i = 0; i < PANELS && status == CEL_OK; i++) {
    alpha_axis(point, n, &zero, &panel[i]);
    alpha_ticks(point, n, zero, &panel[i], &ticks);
    panel[i].x_ticks = &ticks;
    status = fill_panel(&panel[i], &curve[i], i, point, n, zero);
  }
  if (status == CEL_OK) status = celi_figure_write(&figure, path, svg);
  for (int i = 0; i < PANELS; i++) celi_plot_curve_free(&curve[i]);
  return status;
}

CelStatus cel_plot_sweep(const CelSweepPoint *point, int64_t n, const char *title,
                         const char *subtitle, const char *out_path) {
  CELI_NEED(out_path);
  CELI_FLOATS(CELI_IEEE);
  CelSweepPoint *sorted = NULL;
  bool svg;
  CELI_TRY(celi_picture_format(out_path, &svg));
  CELI_TRY(check(point, n));
  CELI_TRY(celi_alloc(&sorted, (size_t)n, sizeof *sorted, "a sweep"));
  memcpy(sorted, point, (size_t)n * sizeof *sorted);
  qsort(sorted, (size_t)n, sizeof *sorted, by_alpha);
  const CelStatus status = draw(sorted, n, title, subtitle, out_path, svg);
  free(sorted);
  return status;
}
