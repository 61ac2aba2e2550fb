/// Plots of finite problems: values and policy of a grid world, what the temperature does to a solution, how the error of
/// learning falls.
#ifndef CELSIUS_PLOT_MDP_H
#define CELSIUS_PLOT_MDP_H
#include "celsius/solve.h"
CEL_BEGIN

/// How to draw a grid world; table: cel_plot_grid_fields.
typedef struct CelGridPlotOptions {
  char title[CEL_PATH_MAX]; ///< "": the problem's name
  int64_t width;            ///< pixels; 0: chosen by the grid
  bool arrows;              ///< the policy, as arrows as long as an action is likely
  bool numbers;             ///< the values, where cells have room
} CelGridPlotOptions;
CEL_API CelGridPlotOptions cel_plot_grid_options_default(void);
CEL_API const CelField *cel_plot_grid_fields(void);

/// Draws V (states) as colours and pi (pairs) as arrows over the grid that the problem is, to a PNG or SVG by the path's
/// ending. Cells that end the episode, cells out of reach from the start and walls have looks of their own; on a
/// grid too fine for that, an arrow stands for the mean direction of several cells. `subtitle` may be NULL, `options`
/// too: the defaults.
/// Errors: CEL_E_ARGUMENT (an ending that is neither), CEL_E_UNSUPPORTED (a problem that is no grid; built without
/// cairo), CEL_E_RANGE (options), CEL_E_NAN (V), CEL_E_IO, CEL_E_MEMORY.
CEL_API CelStatus cel_plot_grid(const CelMdp *mdp, const double *V, const double *pi,
                                const char *subtitle, const char *out_path,
                                const CelGridPlotOptions *options) CEL_WARN_UNUSED;

/// A solution at one temperature, as a sweep has it.
typedef struct CelSweepPoint {
  double alpha;
  double value;       ///< J, with the entropy's share
  double hard_return; ///< of the same policy, rewards alone
  double entropy; ///< nats a step, the mean over the discounted states in which something is chosen
} CelSweepPoint;

/// Draws value, return and entropy against alpha, which is on a logarithmic axis with 0 at its left, to a PNG or
/// SVG. Points in any order. Errors: CEL_E_ARGUMENT (no point, an ending that is neither), CEL_E_RANGE (alpha),
/// CEL_E_NAN, CEL_E_UNSUPPORTED (built without cairo), CEL_E_IO, CEL_E_MEMORY.
CEL_API CelStatus cel_plot_sweep(const CelSweepPoint *point, int64_t n, const char *title,
                                 const char *subtitle, const char *out_path) CEL_WARN_UNUSED;

/// What learning from samples is off by after so many rounds.
typedef struct CelErrorPoint {
  double round;
  double error; ///< sup-norm of Q - Q*
  double bound; ///< what it is certain not to exceed
} CelErrorPoint;

/// Draws error and bound against rounds, both axes logarithmic, and beside them a line of slope -1/2 through the error's last
/// point, to a PNG or SVG. Rounds rise; an error of 0 has no logarithm and is left out. Errors: CEL_E_ARGUMENT (fewer than
/// two points, an ending that is neither), CEL_E_RANGE (rounds that do not rise, a bound that is not positive), CEL_E_NAN,
/// CEL_E_UNSUPPORTED (built without cairo), CEL_E_IO, CEL_E_MEMORY.
CEL_API CelStatus cel_plot_error(const CelErrorPoint *point, int64_t n, const char *title,
                                 const char *subtitle, const char *out_path) CEL_WARN_UNUSED;

CEL_END
#endif
