/// Plots of the learning curves of runs.
///
/// Runs that differ only in their seed become one curve: the interquartile mean over seeds with a
/// bootstrap band. Source: Agarwal, Schwarzer, Castro, Courville, Bellemare, "Deep reinforcement
/// learning at the edge of the statistical precipice", NeurIPS 2021.
#ifndef CELSIUS_PLOT_H
#define CELSIUS_PLOT_H
#include "celsius/field.h"
CEL_BEGIN

/// How to draw. Start from cel_plot_options_default(); the field table is cel_plot_fields().
typedef struct CelPlotOptions {
  /// Columns to draw, one panel each, separated by commas; "a+b" puts two columns into one panel.
  /// Default "", which draws the returns of training and evaluations.
  char key[CEL_PATH_MAX];
  /// Column along the x axis. Default "time/total_timesteps".
  char x[CEL_TEXT_MAX];
  /// Title. Default "", which makes one from the runs.
  char title[CEL_PATH_MAX];
  /// Width of the picture, pixels. Range 200 to 8000, default 1200.
  int64_t width;
  /// Height of the picture, pixels. Range 0 to 8000, default 0, which depends on the number of
  /// panels.
  int64_t height;
  /// Rows in the running mean of each run. Range 1 to 1e6, default 1, which is no smoothing. Raise
  /// it for noisy curves.
  int64_t smooth;
  /// Fraction of the bootstrap means inside the band. Range 0 to 0.999, default 0.95; 0 draws no
  /// band.
  double band;
  /// Bootstrap samples. Range 10 to 100000, default 2000.
  int64_t resamples;
  /// Seed of the bootstrap. Default 0.
  uint64_t seed;
  /// Lower end of the y axis. Default NAN ("auto"), which depends on the data.
  double y_min;
  /// Upper end of the y axis. Default NAN ("auto"), which depends on the data.
  double y_max;
  /// Draws the y axis on a logarithmic scale. Default false.
  bool log_y;
  /// Draws a legend. Default true.
  bool legend;
  /// Called with `user` and a message for people, such as that two folders hold the same run. NULL:
  /// not called. Not a field.
  void (*note)(void *user, const char *text);
  /// Passed to `note`.
  void *user;
} CelPlotOptions;
/// Returns the default options.
CEL_API CelPlotOptions cel_plot_options_default(void);
/// Returns the field table of CelPlotOptions. Static; never NULL.
CEL_API const CelField *cel_plot_fields(void);

/// Draws the learning curves of n folders to out_path, a PNG or SVG by its ending. A folder is a
/// run or contains runs ("seed-1", "seed-2"). `options` NULL: the defaults. Two folders with the
/// same settings, seed and results are one run: the longer one is drawn, and options->note reports
/// it.
/// Errors: CEL_E_ARGUMENT (no folder, another ending), CEL_E_IO (not a run; not writable, so the
/// old picture stays), CEL_E_NAME (no such column, suggests the nearest), CEL_E_FORMAT (file and
/// line), CEL_E_STATE (no data yet), CEL_E_RANGE, CEL_E_MEMORY, CEL_E_UNSUPPORTED (built without
/// cairo).
/// Allocates: yes.
CEL_API CelStatus cel_plot_runs(const char *const *folders, int n, const char *out_path,
                                const CelPlotOptions *options) CEL_WARN_UNUSED;

CEL_END
#endif
