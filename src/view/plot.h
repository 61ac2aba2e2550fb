/// Plots: what the files share.
///
/// plot_table.c reads CSV files; plot_runs.c finds runs and groups them; plot_stats.c makes the
/// curve of a group; plot_axis.c chooses ticks; plot_draw.c draws panels; plot.c has the public
/// function.
#ifndef CELI_VIEW_PLOT_H
#define CELI_VIEW_PLOT_H
#include "celsius/plot.h"
#include <stdbool.h>
#include <stdint.h>

// ---- plot.c

/// Finds the format, PNG or SVG, from a picture's name. Errors: CEL_E_ARGUMENT (other names).
CelStatus celi_picture_format(const char *path, bool *svg) CEL_WARN_UNUSED;

// ---- plot_table.c

/// A CSV file: a header and rows of numbers.
typedef struct CeliTable {
  char *path, *text;
  char **names; ///< (n,) pointers into text
  int n;        ///< number of columns
  int64_t rows;
  double *values; ///< (rows, n); NAN for empty cells
} CeliTable;

/// Reads a table. Ignores an incomplete last line, which a run is still writing. An empty file is a
/// table without columns.
/// Errors: CEL_E_IO, CEL_E_FORMAT (file, line and column), CEL_E_MEMORY.
CelStatus celi_table_read(CeliTable *table, const char *path) CEL_WARN_UNUSED;
void celi_table_free(CeliTable *table);
/// The index of a column, or -1 if there is none with this name.
int celi_table_column(const CeliTable *table, const char *name);

/// Points of one run. All are finite, and x does not decrease.
typedef struct CeliSeries {
  int64_t n;
  double *x, *y; ///< (n,)
} CeliSeries;

/// Makes a series from two columns. Leaves out rows in which one of them is not finite.
/// Errors: CEL_E_FORMAT (x decreases; the message has file and line), CEL_E_MEMORY.
CelStatus celi_table_series(const CeliTable *table, int x, int y, CeliSeries *out) CEL_WARN_UNUSED;
void celi_series_free(CeliSeries *series);

// ---- plot_runs.c

/// A run and its folder.
typedef struct CeliPlotRun {
  char folder[CEL_PATH_MAX];
  char *identity; ///< celi_setup_identity without the seed; "" if unknown
  char seed[32];  ///< "" if unknown
  int group;
} CeliPlotRun;

/// Runs that differ only in their seed.
typedef struct CeliPlotGroup {
  char label[128];
  int runs;
  int first;  ///< index of its first run
  bool guide; ///< a line for comparison: gray, dashed, without markers
} CeliPlotGroup;

typedef struct CeliPlotRuns {
  int n, capacity, n_groups;
  CeliPlotRun *run; ///< (n,) in the order of the given folders; in a folder, seed-2 before seed-10
  CeliPlotGroup *group; ///< (n_groups,) in the order of their first runs
  char title[128];      ///< what all runs share: "sac on Pendulum-v1"; "" if unknown
} CeliPlotRuns;

/// Finds the runs in folders. If it finds a run twice, keeps the longer one and calls
/// options->note. options may be NULL.
/// Errors: CEL_E_IO (no such folder, no run in it), CEL_E_FORMAT (config.yaml), CEL_E_RANGE,
/// CEL_E_MEMORY.
CelStatus celi_plot_runs_find(CeliPlotRuns *runs, const char *const *folders, int n,
                              const CelPlotOptions *options) CEL_WARN_UNUSED;
void celi_plot_runs_free(CeliPlotRuns *runs);

// ---- plot_stats.c

/// The mean of n >= 1 values without the lowest and highest floor(n / 4) of them. Sorts the values.
/// Source: Agarwal et al. 2021, as scipy.stats.trim_mean(values, 0.25).
double celi_interquartile_mean(double *values, int n);

/// Replaces each point by the mean over `window` points around it, fewer at the ends.
/// Errors: CEL_E_MEMORY.
CelStatus celi_series_smooth(CeliSeries *series, int64_t window) CEL_WARN_UNUSED;

/// The curve of a group.
typedef struct CeliPlotCurve {
  int group;
  int key;     ///< index in CeliFigure.key, if a panel shows several columns
  bool marked; ///< draw markers (evaluations)
  int runs;    ///< number of series that it combines
  int64_t n;
  double *x, *y;
  double *low, *high; ///< (n,) band; NULL: none
} CeliPlotCurve;

/// Makes a curve from n series, of which at least one has points. The curve is their interquartile
/// mean at all their x values, with linear interpolation, as far as at least half of the series
/// reach. The band holds the fraction `band` of the means of resampled series. Whole series are
/// resampled, which keeps the correlation along x.
/// Source: Efron, Tibshirani 1993, ch. 13, the percentile interval.
/// Errors: CEL_E_MEMORY.
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

/// Chooses at most `most` (2 to CELI_TICKS_MAX) round numbers in [low, high], low < high, and their
/// texts, such as "20k" or "0.25". Their distance is 1, 2 or 5 times a power of ten.
void celi_ticks_linear(CeliTicks *ticks, double low, double high, int most);
/// Chooses powers of ten, and 2 and 5 times them if there is room. 0 < low < high.
void celi_ticks_log(CeliTicks *ticks, double low, double high, int most);

// ---- plot_draw.c

enum { CELI_KEYS_MAX = 8 };

/// One pair of axes.
typedef struct CeliPanel {
  char x_label[128], y_label[128];
  double x_low, x_high, y_low, y_high; ///< limits, low < high
  bool log_y;
  const CeliTicks *x_ticks; ///< NULL: chosen from the limits
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
  int columns; ///< columns of panels; 0: chosen from the number of panels
  int keys;    ///< table columns that share panels; 0: each has its own panel
  char key[CELI_KEYS_MAX][64];
} CeliFigure;

/// Draws a figure to a PNG or SVG file. Errors: CEL_E_IO, CEL_E_MEMORY, CEL_E_UNSUPPORTED.
CelStatus celi_figure_write(const CeliFigure *figure, const char *path, bool svg) CEL_WARN_UNUSED;

#endif
