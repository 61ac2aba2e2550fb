/// Learning curves: the columns and runs of each panel, and the limits of the axes.
#include "celsius/plot.h"
#include "base/arguments.h"
#include "base/base.h"
#include "view/plot.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { PANELS_MAX = 8 };
#define RETURN_IN_TRAINING "rollout/ep_rew_mean"
#define RETURN_IN_EVALUATION "eval/mean_reward"

// ---- options

#define F(field) offsetof(CelPlotOptions, field)
// clang-format off
static const CelField fields[] = {
    {.name = "key", .type = CEL_FIELD_PATH, .offset = F(key), .def = "",
     .doc = "columns to plot, separated by commas, each in its own panel; + puts columns into one "
            "panel (J+bound,train/ent_coef); empty: the return in training and in evaluations"},
    {.name = "x", .type = CEL_FIELD_STRING, .offset = F(x), .def = "time/total_timesteps",
     .doc = "column for the x axis"},
    {.name = "title", .type = CEL_FIELD_PATH, .offset = F(title), .def = "",
     .doc = "title; empty: made from the names of the runs"},
    {.name = "width", .type = CEL_FIELD_INT, .offset = F(width), .def = "1200", .min = 200,
     .max = 8000, .unit = "pixels",
     .doc = "width of the picture"},
    {.name = "height", .type = CEL_FIELD_INT, .offset = F(height), .def = "0", .min = 0,
     .max = 8000, .unit = "pixels",
     .doc = "height of the picture; 0: chosen from the number of panels"},
    {.name = "smooth", .type = CEL_FIELD_INT, .offset = F(smooth), .def = "1", .min = 1, .max = 1e6,
     .unit = "rows",
     .doc = "window of the running mean; larger values give smoother curves"},
    {.name = "band", .type = CEL_FIELD_DOUBLE, .offset = F(band), .def = "0.95", .min = 0,
     .max = 0.999,
     .doc = "fraction of bootstrap means inside the band; 0: no band",
     .source = "Agarwal et al. 2021"},
    {.name = "resamples", .type = CEL_FIELD_INT, .offset = F(resamples), .def = "2000", .min = 10,
     .max = 100000,
     .doc = "number of bootstrap samples for the band"},
    {.name = "seed", .type = CEL_FIELD_U64, .offset = F(seed), .def = "0",
     .doc = "seed of the bootstrap"},
    {.name = "y_min", .type = CEL_FIELD_AUTO, .offset = F(y_min), .def = "auto", .min = -1e300,
     .max = 1e300,
     .doc = "lower end of the y axis; auto: from the data"},
    {.name = "y_max", .type = CEL_FIELD_AUTO, .offset = F(y_max), .def = "auto", .min = -1e300,
     .max = 1e300,
     .doc = "upper end of the y axis; auto: from the data"},
    {.name = "log_y", .type = CEL_FIELD_BOOL, .offset = F(log_y), .def = "false",
     .doc = "logarithmic y axis"},
    {.name = "legend", .type = CEL_FIELD_BOOL, .offset = F(legend), .def = "true",
     .doc = "draw a legend"},
    {0},
};
// clang-format on
#undef F

const CelField *cel_plot_fields(void) {
  return fields;
}

CelPlotOptions cel_plot_options_default(void) {
  CELI_FLOATS(CELI_IEEE);
  CelPlotOptions options;
  memset(&options, 0, sizeof options);
  cel_fields_default(fields, &options);
  return options;
}

// ---- labels

/// Makes a label from a column's name: "train/critic_loss" -> "Critic loss".
static void readable_name(char *out, size_t size, const char *key) {
  static const char *const known[][2] = {{RETURN_IN_TRAINING, "Episode return"},
                                         {RETURN_IN_EVALUATION, "Evaluation return"},
                                         {"rollout/ep_len_mean", "Episode length"},
                                         {"eval/mean_ep_length", "Evaluation episode length"},
                                         {"time/total_timesteps", "Environment steps"},
                                         {"time/time_elapsed", "Seconds"},
                                         {"time/fps", "Steps per second"},
                                         {"train/ent_coef", "Temperature"},
                                         {"train/ent_coef_loss", "Temperature loss"},
                                         {"train/n_updates", "Gradient steps"}};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (strcmp(key, known[i][0]) == 0) {
      snprintf(out, size, "%s", known[i][1]);
      return;
    }
  const char *slash = strrchr(key, '/');
  snprintf(out, size, "%s", slash && slash[1] ? slash + 1 : key);
  for (char *c = out; *c; c++)
    if (*c == '_') *c = ' ';
  if (out[0] >= 'a' && out[0] <= 'z') out[0] = (char)(out[0] - 'a' + 'A');
}

// ---- the plot

/// The tables of a run.
enum { PROGRESS, EVALUATIONS, GUARANTEE, TABLES };

typedef struct Plot {
  const CelPlotOptions *options;
  CeliPlotRuns runs;
  CeliTable *table; ///< (runs, TABLES)
  CeliFigure figure;
  CeliPanel panel[PANELS_MAX];
} Plot;

static CelStatus read_tables(Plot *plot) {
  static const char *const names[TABLES] = {"progress.csv", "evaluations.csv", "guarantee.csv"};
  const size_t n = (size_t)plot->runs.n * TABLES;
  CELI_TRY(celi_alloc(&plot->table, n, sizeof *plot->table, "tables"));
  memset(plot->table, 0, n * sizeof *plot->table);
  for (int i = 0; i < plot->runs.n; i++)
    for (int k = 0; k < TABLES; k++) {
      char path[CEL_PATH_MAX + 32];
      snprintf(path, sizeof path, "%s/%s", plot->runs.run[i].folder, names[k]);
      if (access(path, F_OK) == 0) CELI_TRY(celi_table_read(&plot->table[i * TABLES + k], path));
    }
  return CEL_OK;
}

/// The table of a run that has both columns, or NULL. Evaluations come before progress, because
/// their columns are complete.
static const CeliTable *table_with(const Plot *plot, int run, const char *x, const char *key) {
  for (int k = TABLES; k-- > 0;) {
    const CeliTable *table = &plot->table[run * TABLES + k];
    if (celi_table_column(table, x) >= 0 && celi_table_column(table, key) >= 0) return table;
  }
  return NULL;
}

/// Checks that a table has the column. Errors: CEL_E_NAME (the message has the nearest column).
static CelStatus check_column(const Plot *plot, const char *name) {
  CeliNearest nearest = {.wanted = name};
  bool any = false;
  for (int i = 0; i < plot->runs.n * TABLES; i++) {
    if (celi_table_column(&plot->table[i], name) >= 0) return CEL_OK;
    any = any || plot->table[i].n > 0;
    for (int k = 0; k < plot->table[i].n; k++)
      (void)celi_nearest_try(&nearest, plot->table[i].names[k]);
  }
  if (!any)
    return cel_fail(CEL_E_STATE, "%s: the run has not logged anything yet",
                    plot->runs.run[0].folder);
  CeliText all = {0};
  for (int i = 0; i < plot->runs.n * TABLES && !all.size; i++)
    for (int k = 0; k < plot->table[i].n; k++)
      celi_text_format(&all, "%s%s", k ? ", " : "", plot->table[i].names[k]);
  cel_fail(CEL_E_NAME, "%s: no column '%s'; %s%s%s", plot->runs.run[0].folder, name,
           nearest.best ? "did you mean '" : "the columns are ",
           nearest.best ? nearest.best
           : all.size   ? all.data
                        : "none",
           nearest.best ? "'?" : "");
  celi_text_free(&all);
  return CEL_E_NAME;
}

/// Fills the series of a group's runs. *any: one of them has points. series: (runs of the group,),
/// zeroed.
static CelStatus group_series(const Plot *plot, int group, const char *key, CeliSeries *series,
                              bool *any) {
  const CelPlotOptions *options = plot->options;
  int n = 0;
  *any = false;
  for (int i = 0; i < plot->runs.n; i++) {
    if (plot->runs.run[i].group != group) continue;
    const CeliTable *table = table_with(plot, i, options->x, key);
    CeliSeries *one = &series[n++];
    if (!table) continue;
    CELI_TRY(celi_table_series(table, celi_table_column(table, options->x),
                               celi_table_column(table, key), one));
    CELI_TRY(celi_series_smooth(one, options->smooth));
    *any = *any || one->n > 0;
  }
  return CEL_OK;
}

/// Adds a curve of each group that has the column.
static CelStatus add_curves(Plot *plot, CeliPanel *panel, const char *key, int index, bool marked) {
  for (int g = 0; g < plot->runs.n_groups; g++) {
    const int n = plot->runs.group[g].runs;
    CeliSeries *series = NULL;
    bool any;
    CELI_TRY(celi_alloc(&series, (size_t)n, sizeof *series, "series"));
    memset(series, 0, (size_t)n * sizeof *series);
    CelStatus status = group_series(plot, g, key, series, &any);
    if (status == CEL_OK && any) {
      CeliPlotCurve *curve = &panel->curve[panel->n];
      *curve = (CeliPlotCurve){.group = g, .key = index, .marked = marked};
      status = celi_plot_curve_make(curve, series, n, plot->options);
      if (status == CEL_OK) panel->n++;
    }
    for (int i = 0; i < n; i++) celi_series_free(&series[i]);
    free(series);
    CELI_TRY(status);
  }
  return CEL_OK;
}

// ---- limits

/// Widens [low, high] by a fraction of its length, or to a visible range if it is almost a point.
static void widen(double *low, double *high, double share) {
  const double size = fmax(fabs(*low), fabs(*high));
  if (*high - *low <= 1e-6 * size || *high == *low) {
    const double room = size > 0 ? 0.05 * size : 1;
    *low -= room;
    *high += room;
  } else {
    const double room = share * (*high - *low);
    *low -= room;
    *high += room;
  }
}

static CelStatus set_y_limits(CeliPanel *panel, const CelPlotOptions *options, double low,
                              double high) {
  panel->log_y = options->log_y;
  if (options->log_y && !(low > 0))
    return cel_fail(CEL_E_RANGE, "%s goes down to %g; a logarithmic axis needs positive numbers",
                    panel->y_label, low);
  if (options->log_y) {
    low = log(low);
    high = log(high);
    widen(&low, &high, 0.05);
    low = exp(low);
    high = exp(high);
  } else {
    const bool positive = low >= 0 && high > 0, negative = high <= 0 && low < 0;
    widen(&low, &high, 0.05);
    // Quantities that cannot be negative start at zero if the data is near zero.
    if (positive && low < 0.15 * high) low = 0;
    if (negative && high > 0.15 * low) high = 0;
  }
  panel->y_low = isnan(options->y_min) ? low : options->y_min;
  panel->y_high = isnan(options->y_max) ? high : options->y_max;
  if (!isfinite(panel->y_high - panel->y_low) ||
      (options->log_y && !isfinite(panel->y_high / panel->y_low)))
    return cel_fail(CEL_E_RANGE, "%s: the range from %g to %g is too large to draw", panel->y_label,
                    low, high);
  if (panel->y_low >= panel->y_high || (options->log_y && panel->y_low <= 0))
    return cel_fail(
        CEL_E_RANGE,
        "the y axis cannot go from %g to %g; the lower limit must be below the upper one",
        panel->y_low, panel->y_high);
  return CEL_OK;
}

static CelStatus set_limits(CeliPanel *panel, const CelPlotOptions *options) {
  double low = HUGE_VAL, high = -HUGE_VAL, x_low = HUGE_VAL, x_high = -HUGE_VAL;
  for (int i = 0; i < panel->n; i++) {
    const CeliPlotCurve *curve = &panel->curve[i];
    x_low = fmin(x_low, curve->x[0]);
    x_high = fmax(x_high, curve->x[curve->n - 1]);
    for (int64_t k = 0; k < curve->n; k++) {
      low = fmin(low, curve->low ? fmin(curve->low[k], curve->y[k]) : curve->y[k]);
      high = fmax(high, curve->high ? fmax(curve->high[k], curve->y[k]) : curve->y[k]);
    }
  }
  if (x_low > 0 && x_low < 0.25 * x_high) x_low = 0; // training starts at zero
  const bool from_zero = x_low == 0 && x_high > 0;
  widen(&x_low, &x_high, from_zero ? 0 : 0.02);
  if (from_zero) x_high *= 1.01;
  panel->x_low = x_low;
  panel->x_high = x_high;
  if (!isfinite(x_high - x_low))
    return cel_fail(CEL_E_RANGE, "%s: the range from %g to %g is too large to draw", panel->x_label,
                    x_low, x_high);
  return set_y_limits(panel, options, low, high);
}

// ---- panels

static CelStatus start_panel(Plot *plot, const char *y, CeliPanel **out) {
  CeliPanel *panel = &plot->panel[plot->figure.n];
  readable_name(panel->x_label, sizeof panel->x_label, plot->options->x);
  readable_name(panel->y_label, sizeof panel->y_label, y);
  CELI_TRY(celi_alloc(&panel->curve, CELI_KEYS_MAX * (size_t)plot->runs.n_groups,
                      sizeof *panel->curve, "curves"));
  plot->figure.n++;
  *out = panel;
  return CEL_OK;
}

static CelStatus end_panel(const Plot *plot, CeliPanel *panel, const char *key) {
  if (panel->n == 0)
    return cel_fail(CEL_E_STATE, "%s: no data yet; no row has both '%s' and '%s'",
                    plot->runs.run[0].folder, plot->options->x, key);
  return set_limits(panel, plot->options);
}

/// Adds the panel with the return in training and in evaluations.
static CelStatus add_return_panel(Plot *plot) {
  CeliPanel *panel;
  CELI_TRY(start_panel(plot, RETURN_IN_TRAINING, &panel));
  CELI_TRY(add_curves(plot, panel, RETURN_IN_TRAINING, 0, false));
  CELI_TRY(add_curves(plot, panel, RETURN_IN_EVALUATION, 0, true));
  if (panel->n == 0) CELI_TRY(check_column(plot, RETURN_IN_TRAINING));
  return end_panel(plot, panel, RETURN_IN_TRAINING);
}

/// Finds or adds a column that shares a panel. *index: its index.
static CelStatus share_key(CeliFigure *figure, const char *key, int *index) {
  char name[64];
  readable_name(name, sizeof name, key);
  for (*index = 0; *index < figure->keys; (*index)++)
    if (strcmp(figure->key[*index], name) == 0) return CEL_OK;
  if (figure->keys == CELI_KEYS_MAX)
    return cel_fail(CEL_E_RANGE, "key: at most %d columns may be in shared panels (joined by +)",
                    CELI_KEYS_MAX);
  memcpy(figure->key[figure->keys++], name, sizeof name);
  return CEL_OK;
}

/// Adds a panel of the columns "a" or "a+b+c".
static CelStatus add_key_panel(Plot *plot, char *keys) {
  CeliPanel *panel;
  const bool shared = strchr(keys, '+') != NULL;
  char *rest = keys, label[sizeof panel->y_label] = "";
  size_t used = 0;
  if (plot->figure.n == PANELS_MAX)
    return cel_fail(CEL_E_RANGE, "key: at most %d panels are possible", PANELS_MAX);
  CELI_TRY(start_panel(plot, keys, &panel));
  const char *last = keys;
  int n = 0;
  for (char *key; (key = strtok_r(rest, "+", &rest)); last = key, n++) {
    int index = 0;
    char name[64];
    if (n == CELI_KEYS_MAX)
      return cel_fail(CEL_E_RANGE, "key: at most %d columns may share a panel", CELI_KEYS_MAX);
    CELI_TRY(check_column(plot, key));
    if (shared) CELI_TRY(share_key(&plot->figure, key, &index));
    CELI_TRY(add_curves(plot, panel, key, index, strncmp(key, "eval/", 5) == 0));
    readable_name(name, sizeof name, key);
    if (used < sizeof label)
      used += (size_t)snprintf(label + used, sizeof label - used, "%s%s", n ? ", " : "", name);
  }
  memcpy(panel->y_label, label, sizeof label);
  return end_panel(plot, panel, last);
}

static CelStatus add_panels(Plot *plot) {
  char keys[CEL_PATH_MAX];
  CELI_TRY(check_column(plot, plot->options->x));
  memcpy(keys, plot->options->key, sizeof keys);
  char *rest = keys;
  for (char *key; (key = strtok_r(rest, ", ", &rest));) CELI_TRY(add_key_panel(plot, key));
  return plot->figure.n ? CEL_OK : add_return_panel(plot);
}

static void set_titles(Plot *plot) {
  const CelPlotOptions *options = plot->options;
  const CeliPlotRuns *runs = &plot->runs;
  CeliFigure *figure = &plot->figure;
  int most = 0, least = runs->n;
  for (int g = 0; g < runs->n_groups; g++) {
    if (runs->group[g].runs > most) most = runs->group[g].runs;
    if (runs->group[g].runs < least) least = runs->group[g].runs;
  }
  snprintf(figure->title, sizeof figure->title, "%s",
           options->title[0] ? options->title : runs->title);
  if (!figure->title[0] && runs->n_groups == 1)
    snprintf(figure->title, sizeof figure->title, "%s", runs->group[0].label);
  char count[80] = "", band[64] = "", smooth[64] = "";
  if (most > 1 && runs->n_groups == 1)
    snprintf(count, sizeof count, "interquartile mean of %d runs", most);
  else if (most > 1 && most == least)
    snprintf(count, sizeof count, "interquartile means of %d runs each", most);
  else if (most > 1)
    snprintf(count, sizeof count, "interquartile means over the number of runs in brackets");
  else if (runs->n == 1)
    snprintf(count, sizeof count, "one run");
  if (most > 1 && options->band > 0)
    snprintf(band, sizeof band, ", %.4g%% bootstrap band%s", 100 * options->band,
             runs->n_groups > 1 ? "s" : "");
  if (options->smooth > 1)
    snprintf(smooth, sizeof smooth, "%sa running mean of %lld rows", count[0] ? ", " : "",
             (long long)options->smooth);
  snprintf(figure->subtitle, sizeof figure->subtitle, "%s%s%s", count, band, smooth);
}

static void set_size(Plot *plot) {
  const CelPlotOptions *options = plot->options;
  CeliFigure *figure = &plot->figure;
  const int rows = (figure->n + 1) / 2;
  const double share = figure->n == 1 ? 0.6 : 0.12 + 0.33 * rows;
  figure->width = (int)options->width;
  figure->height = options->height ? (int)options->height : (int)(share * figure->width + 0.5);
}

static CelStatus draw(Plot *plot, const char *path, bool svg) {
  CELI_TRY(read_tables(plot));
  CELI_TRY(add_panels(plot));
  plot->figure.runs = &plot->runs;
  plot->figure.panel = plot->panel;
  plot->figure.legend = plot->options->legend;
  set_titles(plot);
  set_size(plot);
  return celi_figure_write(&plot->figure, path, svg);
}

static void free_plot(Plot *plot) {
  for (int p = 0; p < plot->figure.n; p++) {
    for (int i = 0; i < plot->panel[p].n; i++) celi_plot_curve_free(&plot->panel[p].curve[i]);
    free(plot->panel[p].curve);
  }
  for (int i = 0; plot->table && i < plot->runs.n * TABLES; i++) celi_table_free(&plot->table[i]);
  free(plot->table);
  celi_plot_runs_free(&plot->runs);
}

CelStatus celi_picture_format(const char *path, bool *svg) {
  const char *dot = strrchr(path, '.');
  *svg = dot && strcasecmp(dot, ".svg") == 0;
  if (*svg || (dot && strcasecmp(dot, ".png") == 0)) return CEL_OK;
  return cel_fail(CEL_E_ARGUMENT, "%s: the name of a picture must end in .png or .svg", path);
}

CelStatus cel_plot_runs(const char *const *folders, int n, const char *out_path,
                        const CelPlotOptions *options) {
  CELI_NEED(out_path);
  CELI_FLOATS(CELI_IEEE);
  const CelPlotOptions defaults = cel_plot_options_default();
  bool svg;
  CELI_TRY(celi_picture_format(out_path, &svg));
  if (n < 1) return cel_fail(CEL_E_ARGUMENT, "no run to plot; give at least one run folder");
  if (!options) options = &defaults;
  CELI_TRY(cel_fields_check(fields, options));
  if (options->height && options->height < 150)
    return cel_fail(CEL_E_RANGE, "height is %lld; it must be 0 or at least 150 pixels",
                    (long long)options->height);
  Plot plot = {.options = options};
  CELI_TRY(celi_plot_runs_find(&plot.runs, folders, n, options));
  const CelStatus status = draw(&plot, out_path, svg);
  free_plot(&plot);
  return status;
}
