/// Plots of finite problems: values and policy of a grid world, a solution over temperatures, and
/// the error of learning from samples.
#ifndef CELSIUS_PLOT_MDP_H
#define CELSIUS_PLOT_MDP_H
#include "celsius/solve.h"
CEL_BEGIN

/// How to draw a grid world. Start from cel_plot_grid_options_default(); the field table is
/// cel_plot_grid_fields().
typedef struct CelGridPlotOptions {
  /// Title. Default "", which is the problem's name.
  char title[CEL_PATH_MAX];
  /// Width of the picture, pixels. Range 0 to 16000, default 0, which depends on the grid.
  int64_t width;
  /// Draws the policy as arrows. An arrow is as long as its action is likely. Default true.
  bool arrows;
  /// Writes the values as numbers where the cells have room. Default true.
  bool numbers;
} CelGridPlotOptions;
/// Returns the default options.
CEL_API CelGridPlotOptions cel_plot_grid_options_default(void);
/// Returns the field table of CelGridPlotOptions. Static; never NULL.
CEL_API const CelField *cel_plot_grid_fields(void);

/// Draws V (states) as colors and pi (pairs) as arrows over the problem's grid, to a PNG or SVG by
/// the path's ending. Cells that end the episode, cells that the start cannot reach, and walls are
/// marked. On a fine grid one arrow shows the mean direction of several cells. `subtitle` and
/// `options` may be NULL.
/// Errors: CEL_E_ARGUMENT (another ending), CEL_E_UNSUPPORTED (a problem without a grid; built
/// without cairo), CEL_E_RANGE (options), CEL_E_NAN (V), CEL_E_IO, CEL_E_MEMORY. Allocates: yes.
CEL_API CelStatus cel_plot_grid(const CelMdp *mdp, const double *V, const double *pi,
                                const char *subtitle, const char *out_path,
                                const CelGridPlotOptions *options) CEL_WARN_UNUSED;

/// The solution at one temperature.
typedef struct CelSweepPoint {
  double alpha;       ///< reward units per nat
  double value;       ///< J with the entropy, reward units
  double hard_return; ///< return of the same policy, rewards alone
  double entropy; ///< nats per step: mean over the discounted state distribution, where there are
                  ///< actions
} CelSweepPoint;

/// Draws value, return and entropy over alpha to a PNG or SVG. The alpha axis is logarithmic, with
/// 0 at its left end. The points may have any order. `title` and `subtitle` may be NULL.
/// Errors: CEL_E_ARGUMENT (no point, another ending), CEL_E_RANGE (alpha), CEL_E_NAN,
/// CEL_E_UNSUPPORTED (built without cairo), CEL_E_IO, CEL_E_MEMORY. Allocates: yes.
CEL_API CelStatus cel_plot_sweep(const CelSweepPoint *point, int64_t n, const char *title,
                                 const char *subtitle, const char *out_path) CEL_WARN_UNUSED;

/// The error of learning from samples after some rounds.
typedef struct CelErrorPoint {
  double round;
  double error; ///< sup-norm of Q - Q*, reward units
  double bound; ///< certified upper bound of the error
} CelErrorPoint;

/// Draws error and bound over rounds to a PNG or SVG, both axes logarithmic. A line of slope -1/2
/// goes through the error's last point. Rounds must rise. An error of 0 has no logarithm and is not
/// drawn. `title` and `subtitle` may be NULL.
/// Errors: CEL_E_ARGUMENT (fewer than two points, another ending), CEL_E_RANGE (rounds that do not
/// rise, a bound that is not positive), CEL_E_NAN, CEL_E_UNSUPPORTED (built without cairo),
/// CEL_E_IO, CEL_E_MEMORY. Allocates: yes.
CEL_API CelStatus cel_plot_error(const CelErrorPoint *point, int64_t n, const char *title,
                                 const char *subtitle, const char *out_path) CEL_WARN_UNUSED;

CEL_END
#endif
