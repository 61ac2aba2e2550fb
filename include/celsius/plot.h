/// Plots: learning curves of runs as a picture.
///
/// Runs that differ in nothing but their seed become one curve: the interquartile mean over seeds with a
/// bootstrap band. Source: Agarwal, Schwarzer, Castro, Courville, Bellemare, "Deep reinforcement learning
/// at the edge of the statistical precipice", NeurIPS 2021.
#ifndef CELSIUS_PLOT_H
#define CELSIUS_PLOT_H
#include "celsius/field.h"
CEL_BEGIN

/// How to draw; table: cel_plot_fields.
typedef struct CelPlotOptions {
  char key
      [CEL_PATH_MAX]; ///< columns to draw, a panel each, separated by commas; "": returns in training and evaluation
  char x[CEL_TEXT_MAX];     ///< column along the x axis
  char title[CEL_PATH_MAX]; ///< "": made from the runs
  int64_t width, height; ///< pixels of the whole picture; height 0: chosen by the number of panels
  int64_t smooth;        ///< rows in the running mean; 1: none
  double band;           ///< share of bootstrap means inside of the band, in (0, 1); 0: no band
  int64_t resamples;     ///< bootstrap samples
  uint64_t seed;         ///< of the bootstrap's random numbers
  double y_min, y_max;   ///< limits of the y axis; NAN: chosen by the data
  bool log_y;            ///< logarithmic y axis
  bool legend;
  /// Called with a line for people, such as that two folders hold the same run; NULL: not called.
  void (*note)(void *user, const char *text);
  void *user;
} CelPlotOptions;
CEL_API CelPlotOptions cel_plot_options_default(void);
CEL_API const CelField *cel_plot_fields(void);

/// Draws the learning curves of n folders, each a run's or one that holds runs ("seed-1", "seed-2"), to
/// out_path, a PNG or SVG by its ending. `options` NULL: the defaults. Two folders with the same settings,
/// seed and results are one run: the longer one is drawn, and options->note says so.
/// Errors: CEL_E_ARGUMENT (no folder, an ending that is neither), CEL_E_IO (not a run; unwritable: the old picture stays),
/// CEL_E_NAME (no such column: names the nearest), CEL_E_FORMAT (file and line), CEL_E_STATE (no data yet), CEL_E_RANGE,
/// CEL_E_MEMORY, CEL_E_UNSUPPORTED (built without cairo). Allocates: yes.
CEL_API CelStatus cel_plot_runs(const char *const *folders, int n, const char *out_path,
                                const CelPlotOptions *options) CEL_WARN_UNUSED;

CEL_END
#endif
