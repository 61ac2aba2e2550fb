/// What the files of the plot share: tables, series, curves, axes.
///
/// plot_table.c reads a CSV file; plot_runs.c finds runs and sorts them into groups; plot_stats.c makes
/// a curve of a group's series; plot_axis.c chooses ticks; plot_draw.c draws panels; plot.c puts it together.
#ifndef CELI_VIEW_PLOT_H
#define CELI_VIEW_PLOT_H
#include "celsius/plot.h"
#include <stdbool.h>
#include <stdint.h>

// ---- plot.c

/// Which of the two a picture's name asks for. Errors: CEL_E_ARGUMENT (neither).
CelStatus celi_picture_format(const char *path, bool *svg) CEL_WARN_UNUSED;

// ---- plot_table.c

/// A CSV file: a header and rows of numbers.
typedef struct CeliTable {
  char *path, *text;
  char **names; ///< (n,) point into text
  int n;        ///< columns
  int64_t rows;
  double *values; ///< (rows, n); NAN where a cell is empty
} CeliTable;

/// Reads a table. A last line without its end is still being written and does not count. An empty file is a table
/// of no columns.
/// Errors: CEL_E_IO, CEL_E_FORMAT (file, line and column), CEL_E_MEMORY.
CelStatus celi_table_read(CeliTable *table, const char *path) CEL_WARN_UNUSED;
void celi_table_free(CeliTable *table);
/// The index of a column, -1 when there is none of that name.
int celi_table_column(const CeliTable *table, const char *name);

/// Points of one run, x never falling, all finite.
typedef struct CeliSeries {
  int64_t n;
  double *x, *y; ///< (n,)
} CeliSeries;

/// Two columns as a series; rows where either is not a finite number are left out.
/// Errors: CEL_E_FORMAT (x falls: file and line), CEL_E_MEMORY.
CelStatus celi_table_series(const CeliTable *table, int x, int y, CeliSeries *out) CEL_WARN_UNUSED;
void celi_series_free(CeliSeries *series);

// ---- plot_runs.c

/// One run's folder.
typedef struct CeliPlotRun {
  char folder[CEL_PATH_MAX];
  char *identity; ///< what it depends on but for the seed, one "name=value" a line; "" when unknown
  char seed[32];  ///< "" when unknown
  int group;
} CeliPlotRun;

/// Runs that differ in nothing but their seed.
typedef struct CeliPlotGroup {
  char label[128];
  int runs;
  int first;  ///< its first run
  bool guide; ///< a line for comparison, no data: gray, dashed, without markers
} CeliPlotGroup;

typedef struct CeliPlotRuns {
  int n, capacity, n_groups;
  CeliPlotRun
      *run; ///< (n,) in the order of the folders given; inside of a folder seed-2 before seed-10
  CeliPlotGroup *group; ///< (n_groups,) in the order of their first runs
  char title[128];      ///< what all have in common: "sac on Pendulum-v1"; "" when nothing is known
} CeliPlotRuns;

/// Of the same run found twice the longer one is kept; options->note says so (options may be NULL).
/// Errors: CEL_E_IO (no such folder, no run in it), CEL_E_FORMAT (config.yaml), CEL_E_RANGE,
/// CEL_E_MEMORY.
CelStatus celi_plot_runs_find(CeliPlotRuns *runs, const char *const *folders, int n,
                              const CelPlotOptions *options) CEL_WARN_UNUSED;
void celi_plot_runs_free(CeliPlotRuns *runs);

// ---- plot_stats.c

/// The mean of n >= 1 values without the lowest and highest floor(n / 4) of them; sorts them.
/// Source: Agarwal et al. 2021, as scipy.stats.trim_mean(values, 0.25).
double celi_interquartile_mean(double *values, int n);

/// Running mean over `window` points around each, fewer at the ends. Errors: CEL_E_MEMORY.
CelStatus celi_series_smooth(CeliSeries *series, int64_t window) CEL_WARN_UNUSED;

/// A group's curve.
typedef struct CeliPlotCurve {
  int group;
  int key;     ///< index in CeliFigure.key, where a panel shows several columns
  bool marked; ///< evaluations: points with markers
  int runs;    ///< series that it was made of
  int64_t n;
  double *x, *y;
  double *low, *high; ///< (n,) band; NULL: none
} CeliPlotCurve;

/// The interquartile mean of the series (n, not all empty) at the x values that they have, straight lines between them, as far
/// as at least half of them go; and the band that holds `band` of the means of resampled series.
/// Source: Efron, Tibshirani 1993, ch. 13, the percentile interval; whole series are drawn again, so that their
/// correlation along x is kept. Errors: CEL_E_MEMORY.
CelStatus celi_plot_curve_make(CeliPlotCurve *curve, const CeliSeries *series, int n,
                               const CelPlotOptions *options) CEL_WARN_UNUSED;
void celi_plot_curve_free(CeliPlotCurve *curve);

// ---- plot_axis.c

#define CELI_TICKS_MAX 16
typedef struct CeliTicks {
  int n;
  double at[CELI_TICKS_MAX];
  char text[CELI_TICKS_MAX][24];
} CeliTicks;

/// At most `most` (2 to CELI_TICKS_MAX) round numbers in [low, high], low < high, a step of 1, 2 or 5 times a power of
/// ten apart, with their texts: "20k", "0.25".
void celi_ticks_linear(CeliTicks *ticks, double low, double high, int most);
/// Powers of ten, and 2 and 5 times them where there is room; 0 < low < high.
void celi_ticks_log(CeliTicks *ticks, double low, double high, int most);

// ---- plot_draw.c

enum { CELI_KEYS_MAX = 8 };

/// One pair of axes.
typedef struct CeliPanel {
  char x_label[128], y_label[128];
  double x_low, x_high, y_low, y_high; ///< limits, low < high
  bool log_y;
  const CeliTicks *x_ticks; ///< NULL: chosen by the limits
  bool broken;              ///< the x axis has a break at x_break
  double x_break;
  CeliPlotCurve *curve; ///< (n,)
  int n;
} CeliPanel;

typedef struct CeliFigure {
  char title[CEL_PATH_MAX];
  char subtitle[256];
  int width, height; ///< pixels
  bool legend;
  const CeliPlotRuns *runs;
  CeliPanel *panel; ///< (n,)
  int n;
  int columns; ///< of panels; 0: chosen by their number
  int keys;    ///< columns that share panels; 0: each has a panel of its own
  char key[CELI_KEYS_MAX][64];
} CeliFigure;

/// Draws a figure to a PNG or SVG file. Errors: CEL_E_IO, CEL_E_MEMORY, CEL_E_UNSUPPORTED.
CelStatus celi_figure_write(const CeliFigure *figure, const char *path, bool svg) CEL_WARN_UNUSED;

#endif
