/// Statistics of plots: one curve with a band from the series of several seeds.
#include "base/base.h"
#include "celsius/rng.h"
#include "view/plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GRID_MAX = 500 }; // points of a curve from several series

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/// Insertion sort, for few values.
static void sort(double *values, int n) {
  if (n > 48) {
    qsort(values, (size_t)n, sizeof *values, by_value);
    return;
  }
  for (int i = 1; i < n; i++) {
    const double value = values[i];
    int j = i;
    for (; j > 0 && values[j - 1] > value; j--) values[j] = values[j - 1];
    values[j] = value;
  }
}

double celi_interquartile_mean(double *values, int n) {
  const int cut = n / 4;
  double sum = 0;
  CEL_ASSERT(n >= 1);
  sort(values, n);
  for (int i = cut; i < n - cut; i++) sum += values[i];
  return sum / (n - 2 * cut);
}

CelStatus celi_series_smooth(CeliSeries *series, int64_t window) {
  const int64_t n = series->n, before = (window - 1) / 2, after = window / 2;
  double *smooth;
  if (window <= 1 || n == 0) return CEL_OK;
  CELI_TRY(celi_alloc(&smooth, (size_t)n, sizeof *smooth, "a smoothed series"));
  double sum = 0;
  int64_t begin = 0, end = 0;
  for (int64_t i = 0; i < n; i++) {
    while (end < n && end <= i + after) sum += series->y[end++];
    while (begin < i - before) sum -= series->y[begin++];
    smooth[i] = sum / (double)(end - begin);
  }
  free(series->y);
  series->y = smooth;
  return CEL_OK;
}

// ---- the common x values

/// Collects the x values of all series, sorted and without repetition. If there are too many, uses
/// evenly spaced values.
static CelStatus make_grid(CeliPlotCurve *curve, const CeliSeries *series, int n) {
  int64_t total = 0;
  for (int i = 0; i < n; i++) total += series[i].n;
  CEL_ASSERT(total > 0);
  CELI_TRY(celi_alloc(&curve->x, (size_t)total, sizeof *curve->x, "a curve"));
  for (int i = 0; i < n; i++) {
    memcpy(curve->x + curve->n, series[i].x, (size_t)series[i].n * sizeof *curve->x);
    curve->n += series[i].n;
  }
  qsort(curve->x, (size_t)curve->n, sizeof *curve->x, by_value);
  int64_t kept = 1;
  for (int64_t i = 1; i < curve->n; i++)
    if (curve->x[i] > curve->x[kept - 1]) curve->x[kept++] = curve->x[i];
  curve->n = kept;
  if (kept <= GRID_MAX) return CEL_OK;
  const double first = curve->x[0], last = curve->x[kept - 1];
  curve->n = GRID_MAX;
  for (int i = 0; i < GRID_MAX - 1; i++) curve->x[i] = first + (last - first) * i / (GRID_MAX - 1);
  curve->x[GRID_MAX - 1] = last;
  return CEL_OK;
}

/// out (n,): the series at the x values by linear interpolation; NAN before its first and after its
/// last point.
static void interpolate(const CeliSeries *series, const double *x, int64_t n, double *out) {
  int64_t k = 0; // index of the last point at or before x[i], or 0
  for (int64_t i = 0; i < n; i++) {
    out[i] = (double)NAN;
    if (series->n == 0 || x[i] < series->x[0] || x[i] > series->x[series->n - 1]) continue;
    while (k + 1 < series->n && series->x[k + 1] <= x[i]) k++;
    out[i] = series->y[k];
    if (k + 1 == series->n || x[i] == series->x[k]) continue;
    const double part = (x[i] - series->x[k]) / (series->x[k + 1] - series->x[k]);
    out[i] += part * (series->y[k + 1] - series->y[k]);
  }
}

// ---- the band

/// All series on the grid.
typedef struct Sample {
  int n; ///< number of series
  int64_t points;
  double *values; ///< (n, points); NAN outside of a series
  double *column; ///< (n,) scratch
} Sample;

/// The interquartile mean at point p of the series index (n,), or of all series if index is NULL.
/// NAN if none of them reaches the point.
static double mean_at(const Sample *sample, int64_t p, const int *index) {
  int count = 0;
  for (int i = 0; i < sample->n; i++) {
    const double value = sample->values[(index ? index[i] : i) * sample->points + p];
    if (!isnan(value)) sample->column[count++] = value;
  }
  return count ? celi_interquartile_mean(sample->column, count) : (double)NAN;
}

/// A quantile of n >= 1 sorted values, with linear interpolation.
static double quantile(const double *sorted, int64_t n, double share) {
  const double at = share * (double)(n - 1);
  const int64_t k = (int64_t)at;
  if (k + 1 >= n) return sorted[n - 1];
  return sorted[k] + (at - (double)k) * (sorted[k + 1] - sorted[k]);
}

/// Sets the band at one point from the means (resamples,). Sorts them.
static void set_band(CeliPlotCurve *curve, int64_t p, double *means, int64_t resamples,
                     double band) {
  int64_t n = 0;
  for (int64_t r = 0; r < resamples; r++)
    if (!isnan(means[r])) means[n++] = means[r];
  qsort(means, (size_t)n, sizeof *means, by_value);
  curve->low[p] = n ? quantile(means, n, (1 - band) / 2) : curve->y[p];
  curve->high[p] = n ? quantile(means, n, (1 + band) / 2) : curve->y[p];
}

static CelStatus make_band(CeliPlotCurve *curve, const Sample *sample,
                           const CelPlotOptions *options) {
  const int64_t R = options->resamples;
  int *index = NULL;    // (R, n) indices of the series of each resample
  double *means = NULL; // (R,)
  CELI_TRY(celi_alloc(&curve->low, (size_t)curve->n, sizeof(double), "a band"));
  CELI_TRY(celi_alloc(&curve->high, (size_t)curve->n, sizeof(double), "a band"));
  CELI_TRY(celi_alloc(&means, (size_t)R, sizeof *means, "bootstrap means"));
  const CelStatus status =
      celi_alloc(&index, (size_t)R * (size_t)sample->n, sizeof *index, "bootstrap samples");
  if (status == CEL_OK) {
    CelRng rng = cel_rng(options->seed, CEL_RNG_BOOTSTRAP, (uint32_t)curve->group);
    for (int64_t i = 0; i < R * sample->n; i++)
      index[i] = (int)cel_rng_below(&rng, (uint64_t)sample->n);
    for (int64_t p = 0; p < curve->n; p++) {
      for (int64_t r = 0; r < R; r++) means[r] = mean_at(sample, p, index + r * sample->n);
      set_band(curve, p, means, R, options->band);
    }
  }
  free(means);
  free(index);
  return status;
}

// ---- the curve

/// Keeps only the range of points that at least half of the series reach.
static void cut_to_half(CeliPlotCurve *curve, const Sample *sample) {
  int64_t kept = 0;
  for (int64_t p = 0; p < curve->n; p++) {
    int count = 0;
    for (int i = 0; i < sample->n; i++) count += !isnan(sample->values[i * sample->points + p]);
    if (2 * count < sample->n) continue;
    curve->x[kept] = curve->x[p];
    for (int i = 0; i < sample->n; i++)
      sample->values[i * sample->points + kept] = sample->values[i * sample->points + p];
    kept++;
  }
  curve->n = kept;
}

static CelStatus make_from(CeliPlotCurve *curve, Sample *sample, const CeliSeries *series,
                           const CelPlotOptions *options) {
  sample->points = curve->n;
  CELI_TRY(celi_alloc(&sample->values, (size_t)sample->n * (size_t)curve->n, sizeof(double),
                      "series on a common axis"));
  CELI_TRY(celi_alloc(&sample->column, (size_t)sample->n, sizeof(double), "a column"));
  for (int i = 0; i < sample->n; i++)
    interpolate(&series[i], curve->x, curve->n, sample->values + i * curve->n);
  cut_to_half(curve, sample);
  CELI_TRY(celi_alloc(&curve->y, (size_t)curve->n, sizeof(double), "a curve"));
  for (int64_t p = 0; p < curve->n; p++) curve->y[p] = mean_at(sample, p, NULL);
  return sample->n > 1 && options->band > 0 ? make_band(curve, sample, options) : CEL_OK;
}

/// The curve of a single run has exactly the run's points.
static CelStatus copy_series(CeliPlotCurve *curve, const CeliSeries *series) {
  const size_t n = (size_t)series->n;
  CELI_TRY(celi_alloc(&curve->x, n, sizeof(double), "a curve"));
  CELI_TRY(celi_alloc(&curve->y, n, sizeof(double), "a curve"));
  memcpy(curve->x, series->x, n * sizeof(double));
  memcpy(curve->y, series->y, n * sizeof(double));
  curve->n = series->n;
  return CEL_OK;
}

CelStatus celi_plot_curve_make(CeliPlotCurve *curve, const CeliSeries *series, int n,
                               const CelPlotOptions *options) {
  const int group = curve->group, key = curve->key;
  const bool marked = curve->marked;
  *curve = (CeliPlotCurve){.group = group, .key = key, .marked = marked};
  CeliSeries *full = NULL; // the series that have points
  Sample sample = {0};
  CELI_TRY(celi_alloc(&full, (size_t)n, sizeof *full, "series"));
  for (int i = 0; i < n; i++)
    if (series[i].n > 0) full[sample.n++] = series[i];
  CEL_ASSERT(sample.n > 0);
  curve->runs = sample.n;
  CelStatus status;
  if (sample.n == 1) {
    status = copy_series(curve, full);
  } else {
    status = make_grid(curve, full, sample.n);
    if (status == CEL_OK) status = make_from(curve, &sample, full, options);
  }
  free(full);
  free(sample.values);
  free(sample.column);
  if (status != CEL_OK) celi_plot_curve_free(curve);
  return status;
}

void celi_plot_curve_free(CeliPlotCurve *curve) {
  free(curve->x);
  free(curve->y);
  free(curve->low);
  free(curve->high);
  *curve = (CeliPlotCurve){0};
}
