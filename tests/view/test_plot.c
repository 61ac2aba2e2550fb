/// Learning curves: tables, statistics, ticks, groups of seeds, and the pictures themselves.
#include "run/run_test.h"

#include "view/plot.h"

#include <glob.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static void expect_near(double a, double b, int line) {
  if (!(fabs(a - b) <= 1e-12 * fmax(1, fabs(b)))) fail_msg("line %d: %.17g, not %.17g", line, a, b);
}
#define NEAR(a, b) expect_near(a, b, __LINE__)

// ---- tables

static void tables_are_read(void **state) {
  (void)state;
  CeliTable table;
  CeliSeries series;
  write_text("t.csv", "step,a/b,c\r\n0,1,\r\n10,nan,2\n20,-1e3,3\n30,4");
  OK(celi_table_read(&table, "t.csv"));
  assert_int_equal(table.n, 3);
  assert_int_equal(table.rows, 3); // the last line is incomplete
  assert_int_equal(celi_table_column(&table, "c"), 2);
  assert_int_equal(celi_table_column(&table, "d"), -1);
  OK(celi_table_series(&table, 0, 1, &series));
  assert_int_equal(series.n, 2);
  NEAR(series.x[1], 20);
  NEAR(series.y[1], -1000);
  celi_series_free(&series);
  OK(celi_table_series(&table, 0, 2, &series));
  assert_int_equal(series.n, 2);
  NEAR(series.x[0], 10);
  celi_series_free(&series);
  FAILS(celi_table_series(&table, 1, 0, &series), CEL_E_FORMAT, "t.csv: line 4: 'a/b' decreases");
  celi_table_free(&table);
  write_text("t.csv", "");
  OK(celi_table_read(&table, "t.csv"));
  assert_int_equal(table.n, 0);
  celi_table_free(&table);
}

static void broken_tables_are_named(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"a,b\n1,2\n3\n", "t.csv: line 3 has 1 cell; it must have 2"},
      {"a,b\n1,2,3\n", "t.csv: line 2 has 3 cells; it must have 2"},
      {"a,b\n1,2\n1,x1\n", "t.csv: line 3: column 'b' must have a number, but it has 'x1'"},
      {"a,b\n1,\x01\xff\n",
       "t.csv: line 2: column 'b' must have a number, but it has bytes that are not text"},
      {"a,a\n1,2\n", "t.csv: line 1: two columns have the name 'a'"},
      {"a,,b\n1,2,3\n", "t.csv: line 1: the name of column 2"},
      {"a,b\n1,1e999\n", "t.csv: line 2: column 'b'"},
      {"\x89PNG\n\x1a\n", "t.csv: line 1: the name of column 1"},
  };
  CeliTable table;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    write_text("t.csv", cases[i][0]);
    FAILS(celi_table_read(&table, "t.csv"), CEL_E_FORMAT, cases[i][1]);
    assert_null(table.values);
  }
  FILE *file = fopen("t.csv", "wb");
  assert_int_equal(fwrite("a\n1\0\n", 1, 5, file), 5);
  fclose(file);
  FAILS(celi_table_read(&table, "t.csv"), CEL_E_FORMAT, "zero bytes");
  file = fopen("t.csv", "wb");
  for (int i = 0; i < 300; i++) fprintf(file, "c%d,", i);
  fputs("end\n", file);
  fclose(file);
  FAILS(celi_table_read(&table, "t.csv"), CEL_E_FORMAT, "more than 256 columns");
  assert_int_equal(truncate("t.csv", (off_t)1 << 31), 0); // sparse
  FAILS(celi_table_read(&table, "t.csv"), CEL_E_FORMAT, "t.csv");
}

// ---- statistics

static void interquartile_mean_matches_hand_values(void **state) {
  (void)state;
  // floor(n / 4) values are removed on each side, as in scipy.stats.trim_mean(values, 0.25).
  NEAR(celi_interquartile_mean((double[]){7}, 1), 7);
  NEAR(celi_interquartile_mean((double[]){3, 1}, 2), 2);
  NEAR(celi_interquartile_mean((double[]){9, 0, 3}, 3), 4);
  NEAR(celi_interquartile_mean((double[]){100, 2, -50, 4}, 4), 3);                    // 2, 4
  NEAR(celi_interquartile_mean((double[]){5, -1000, 1, 3, 1000}, 5), 3);              // 1, 3, 5
  NEAR(celi_interquartile_mean((double[]){8, 7, 6, 5, 4, 3, 2, 1}, 8), 4.5);          // 3..6
  NEAR(celi_interquartile_mean((double[]){1, 2, 3, 4, 5, 6, 7, 8, 9, 1e6}, 10), 5.5); // 3..8
  double many[100];
  for (int i = 0; i < 100; i++) many[i] = (i * 37) % 100; // 0..99, mixed
  NEAR(celi_interquartile_mean(many, 100), 49.5);
}

static void smoothing_is_a_running_mean(void **state) {
  (void)state;
  double *x = calloc(5, sizeof *x), *y = calloc(5, sizeof *y);
  for (int i = 0; i < 5; i++) y[i] = (double[]){1, 2, 6, 4, 10}[i];
  CeliSeries series = {.n = 5, .x = x, .y = y};
  OK(celi_series_smooth(&series, 3));
  NEAR(series.y[0], 1.5);
  NEAR(series.y[1], 3);
  NEAR(series.y[2], 4);
  NEAR(series.y[4], 7);
  OK(celi_series_smooth(&series, 1000)); // wider than the series, so all points become the mean
  NEAR(series.y[0], series.y[4]);
  celi_series_free(&series);
}

static void curves_meet_on_a_common_axis(void **state) {
  (void)state;
  const CelPlotOptions options = cel_plot_options_default();
  const CeliSeries series[3] = {{3, (double[]){0, 10, 20}, (double[]){0, 10, 20}},
                                {2, (double[]){0, 20}, (double[]){4, 4}},
                                {2, (double[]){0, 5}, (double[]){8, 8}}};
  CeliPlotCurve curve = {.group = 2, .marked = true};
  OK(celi_plot_curve_make(&curve, series, 3, &options));
  assert_int_equal(curve.group, 2);
  assert_true(curve.marked);
  assert_int_equal(curve.n, 4); // 0, 5, 10, 20
  NEAR(curve.y[0], 4);          // 0, 4, 8
  NEAR(curve.x[1], 5);
  NEAR(curve.y[1], 17.0 / 3); // 5 (interpolated), 4, 8
  NEAR(curve.y[2], 7);        // 10, 4: two of the three series reach the point
  NEAR(curve.y[3], 12);
  for (int64_t i = 0; i < curve.n; i++)
    assert_true(curve.low[i] <= curve.y[i] && curve.y[i] <= curve.high[i]);
  // The means of two runs drawn from 10 and 4 are 4, 7 or 10, each end with probability 1/4.
  NEAR(curve.low[2], 4);
  NEAR(curve.high[2], 10);
  CeliPlotCurve again = {.group = 2};
  OK(celi_plot_curve_make(&again, series, 3, &options));
  assert_memory_equal(curve.low, again.low, 4 * sizeof(double));
  celi_plot_curve_free(&again);
  celi_plot_curve_free(&curve);
  // Less than half of the series reach the end.
  const CeliSeries uneven[3] = {{2, (double[]){0, 20}, (double[]){1, 1}},
                                {2, (double[]){0, 10}, (double[]){1, 1}},
                                {2, (double[]){0, 10}, (double[]){1, 1}}};
  OK(celi_plot_curve_make(&curve, uneven, 3, &options));
  assert_int_equal(curve.n, 2);
  NEAR(curve.x[1], 10);
  NEAR(curve.low[1], 1); // no variation
  NEAR(curve.high[1], 1);
  celi_plot_curve_free(&curve);
}

/// The band of n runs with normal values has about the theoretical width: 1.96 standard errors of
/// the mean on each side. The factor for a trimmed mean is 1.09.
static void band_is_as_wide_as_it_should_be(void **state) {
  (void)state;
  enum { N = 64, POINTS = 50 };
  const CelPlotOptions options = cel_plot_options_default();
  static double x[POINTS], y[N][POINTS];
  CeliSeries series[N];
  CelRng rng = cel_rng(1, CEL_RNG_USER, 0);
  for (int p = 0; p < POINTS; p++) x[p] = p;
  for (int i = 0; i < N; i++) {
    for (int p = 0; p < POINTS; p++) y[i][p] = cel_rng_normal(&rng);
    series[i] = (CeliSeries){POINTS, x, y[i]};
  }
  CeliPlotCurve curve = {0};
  OK(celi_plot_curve_make(&curve, series, N, &options));
  double width = 0;
  int covered = 0;
  for (int p = 0; p < POINTS; p++) {
    width += (curve.high[p] - curve.low[p]) / POINTS;
    covered += curve.low[p] <= 0 && 0 <= curve.high[p];
  }
  const double expected = 2 * 1.96 * 1.09 / sqrt(N);
  if (fabs(width / expected - 1) > 0.1) fail_msg("width %g, expected %g", width, expected);
  if (covered < 42) fail_msg("only %d of %d bands hold the truth", covered, POINTS);
  celi_plot_curve_free(&curve);
}

/// The ends of the band are interpolated quantiles of the means of resamples, computed here for few
/// resamples.
static void band_is_a_quantile(void **state) {
  (void)state;
  enum { N = 5, R = 4 };
  CelPlotOptions options = cel_plot_options_default();
  options.resamples = R, options.band = 0.5, options.seed = 2;
  static const double values[N] = {1, 2, 4, 8, 16};
  CeliSeries series[N];
  double x = 0, y[N], mean[R];
  for (int i = 0; i < N; i++) y[i] = values[i], series[i] = (CeliSeries){1, &x, &y[i]};
  CelRng rng = cel_rng(options.seed, CEL_RNG_BOOTSTRAP, 3);
  for (int r = 0; r < R; r++) {
    double drawn[N];
    for (int i = 0; i < N; i++) drawn[i] = values[cel_rng_below(&rng, N)];
    mean[r] = celi_interquartile_mean(drawn, N);
    for (int k = r; k > 0 && mean[k] < mean[k - 1]; k--) {
      const double kept = mean[k];
      mean[k] = mean[k - 1], mean[k - 1] = kept;
    }
  }
  assert_true(mean[0] < mean[1]); // else nothing is tested
  CeliPlotCurve curve = {.group = 3};
  OK(celi_plot_curve_make(&curve, series, N, &options));
  NEAR(curve.low[0], 0.25 * mean[0] + 0.75 * mean[1]); // the 0.25 quantile is 3/4 of the way
  NEAR(curve.high[0], 0.75 * mean[2] + 0.25 * mean[3]);
  celi_plot_curve_free(&curve);
}

static void long_series_get_a_bounded_grid(void **state) {
  (void)state;
  enum { N = 20000 };
  const CelPlotOptions options = cel_plot_options_default();
  double *x = calloc(N, sizeof *x), *y = calloc(N, sizeof *y);
  for (int i = 0; i < N; i++) x[i] = i, y[i] = 2 * i;
  const CeliSeries series[2] = {{N, x, y}, {N, x, y}};
  CeliPlotCurve curve = {0};
  OK(celi_plot_curve_make(&curve, series, 2, &options));
  assert_true(curve.n <= 1000);
  NEAR(curve.x[0], 0);
  NEAR(curve.x[curve.n - 1], N - 1);
  for (int64_t i = 0; i < curve.n; i++) NEAR(curve.y[i], 2 * curve.x[i]);
  celi_plot_curve_free(&curve);
  OK(celi_plot_curve_make(&curve, series, 1, &options)); // one run keeps its own points
  assert_int_equal(curve.n, N);
  celi_plot_curve_free(&curve);
  free(x);
  free(y);
}

// ---- ticks

static void expect_ticks(double low, double high, int most, const char *expected) {
  CeliTicks ticks;
  char text[CELI_TICKS_MAX * 24] = "";
  celi_ticks_linear(&ticks, low, high, most);
  for (int i = 0; i < ticks.n; i++) {
    if (i) strcat(text, " ");
    strcat(text, ticks.text[i]);
    assert_true(ticks.at[i] >= low - 1e-6 * (high - low) &&
                ticks.at[i] <= high + 1e-6 * (high - low));
  }
  assert_string_equal(text, expected);
}

static void ticks_are_round(void **state) {
  (void)state;
  expect_ticks(0, 20000, 6, "0 5k 10k 15k 20k");
  expect_ticks(0, 10000, 6, "0 2k 4k 6k 8k 10k");
  expect_ticks(0, 1, 6, "0 0.2 0.4 0.6 0.8 1.0");
  expect_ticks(-1600, -120, 5,
               "\xe2\x88\x92"
               "1500 \xe2\x88\x92"
               "1000 \xe2\x88\x92"
               "500");
  expect_ticks(0, 3e6, 6, "0 1M 2M 3M");
  expect_ticks(0, 2.2e6, 6, "0 0.5M 1.0M 1.5M 2.0M");
  expect_ticks(9999.5, 10000.5, 3, "9.9995k 10.0000k 10.0005k");
  expect_ticks(0, 4e-5, 5, "0 1e-05 2e-05 3e-05 4e-05");
  expect_ticks(500, 501, 2, "500 501");
}

static void expect_log_ticks(double low, double high, int most, const char *expected) {
  CeliTicks ticks;
  char text[CELI_TICKS_MAX * 24] = "";
  celi_ticks_log(&ticks, low, high, most);
  for (int i = 0; i < ticks.n; i++) {
    if (i) strcat(text, " ");
    strcat(text, ticks.text[i]);
  }
  assert_string_equal(text, expected);
}

static void log_ticks_are_powers(void **state) {
  (void)state;
  expect_log_ticks(0.05, 30, 5, "0.1 1 10");
  expect_log_ticks(0.1, 3, 8, "0.1 0.2 0.5 1 2");
  expect_log_ticks(1e-6, 1e6, 6,
                   "1e\xe2\x88\x92"
                   "6 0.001 1 1000 1M");
  expect_log_ticks(4.1, 4.4, 5, "4.1 4.2 4.3 4.4"); // no power of ten in range
}

// ---- runs

/// Creates a run folder with a config.yaml and `rows` rows of offset + slope * step.
static void make_run(const char *folder, const char *rate, uint64_t seed, int rows, double offset,
                     double slope) {
  CelSetup *setup;
  char path[512];
  OK(cel_setup_create(&setup, "sac", "Pendulum-v1"));
  OK(cel_setup_set(setup, "learning_rate", rate));
  setup->run.seed = seed;
  mkdir(folder, 0777);
  snprintf(path, sizeof path, "%s/config.yaml", folder);
  OK(cel_setup_write(setup, path));
  cel_setup_destroy(setup);
  snprintf(path, sizeof path, "%s/progress.csv", folder);
  FILE *file = fopen(path, "w");
  fputs("time/total_timesteps,rollout/ep_rew_mean,train/critic_loss,eval/mean_reward\n", file);
  for (int i = 0; i < rows; i++)
    fprintf(file, "%d,%g,%s,%s\n", 100 * i, offset + slope * 100 * i, i ? "0.5" : "", i ? "" : "3");
  fclose(file);
}

static void runs_are_grouped_by_what_differs(void **state) {
  (void)state;
  CeliPlotRuns runs;
  mkdir("a", 0777);
  make_run("a/seed-1", "3e-4", 1, 3, 0, 1);
  make_run("a/seed-2", "3e-4", 2, 3, 0, 1);
  make_run("a/seed-10", "3e-4", 10, 3, 0, 1);
  make_run("b", "1e-3", 1, 3, 0, 1);
  OK(celi_plot_runs_find(&runs, (const char *const[]){"a", "b", "a/seed-2", "./b/"}, 4, NULL));
  assert_int_equal(runs.n, 4); // each run once, under any name
  assert_string_equal(runs.run[1].folder, "a/seed-2");
  assert_string_equal(runs.run[2].folder, "a/seed-10");
  assert_int_equal(runs.n_groups, 2);
  assert_int_equal(runs.group[0].runs, 3);
  assert_string_equal(runs.group[0].label, "learning_rate 0.0003");
  assert_string_equal(runs.group[1].label, "learning_rate 0.001");
  assert_string_equal(runs.title, "SAC on Pendulum-v1");
  celi_plot_runs_free(&runs);
  // A run without a configuration is identified by its folder.
  assert_int_equal(unlink("b/config.yaml"), 0);
  OK(celi_plot_runs_find(&runs, (const char *const[]){"b"}, 1, NULL));
  assert_string_equal(runs.group[0].label, "b");
  celi_plot_runs_free(&runs);
  // Algorithm and environment are read even if this version cannot open the configuration.
  write_text("b/config.yaml", "algo: sac\nenv: Pendulum-v1\nlater_field: 3\n");
  OK(celi_plot_runs_find(&runs, (const char *const[]){"b"}, 1, NULL));
  assert_string_equal(runs.title, "SAC on Pendulum-v1");
  celi_plot_runs_free(&runs);
  write_text("b/config.yaml", "algo: \"sac\n");
  FAILS(celi_plot_runs_find(&runs, (const char *const[]){"b"}, 1, NULL), CEL_E_FORMAT,
        "b/config.yaml");
}

static void keep_note(void *user, const char *text) {
  snprintf(user, 2048, "%s", text);
}

/// A copy of a run, or the same run trained further, is not a second seed; the longer one counts.
/// Runs with equal settings and other results (of another version) are two runs.
static void a_run_counts_once(void **state) {
  (void)state;
  static const char *const both[] = {"a", "copy"};
  char text[2048] = "";
  CelPlotOptions options = cel_plot_options_default();
  options.note = keep_note, options.user = text;
  CeliPlotRuns runs;
  make_run("a", "3e-4", 1, 3, 0, 1);
  make_run("copy", "3e-4", 1, 5, 0, 1);
  OK(celi_plot_runs_find(&runs, both, 2, &options));
  assert_int_equal(runs.n, 1);
  assert_int_equal(runs.group[0].runs, 1);
  assert_string_equal(runs.run[0].folder, "a");
  assert_non_null(strstr(text, "copy and a are the same run (seed 1); a is drawn"));
  celi_plot_runs_free(&runs);
  write_text("a/evaluations.csv", "step,eval/mean_reward\n100,1\n");
  write_text("copy/evaluations.csv", "step,eval/mean_reward\n100,1\n200,2\n");
  for (int order = 0; order < 2; order++) {
    OK(celi_plot_runs_find(&runs, order ? (const char *const[]){"copy", "a"} : both, 2, &options));
    assert_int_equal(runs.n, 1);
    assert_int_equal(runs.group[0].runs, 1);
    assert_string_equal(runs.run[0].folder, "copy");
    assert_non_null(strstr(text, "a and copy are the same run (seed 1); copy is drawn"));
    celi_plot_runs_free(&runs);
  }
  write_text("copy/evaluations.csv", "step,eval/mean_reward\n100,3\n200,2\n");
  OK(celi_plot_runs_find(&runs, both, 2, NULL));
  assert_int_equal(runs.group[0].runs, 2);
  celi_plot_runs_free(&runs);
}

// ---- pictures

#ifdef CELSIUS_WITH_CAIRO
#include <cairo.h>

typedef struct Picture {
  cairo_surface_t *surface;
  int width, height, stride;
  const uint32_t *pixels;
} Picture;

static Picture open_picture(const char *path) {
  char *text = read_text(path);
  assert_memory_equal(text, "\x89PNG\r\n\x1a\n", 8);
  free(text);
  Picture p = {.surface = cairo_image_surface_create_from_png(path)};
  assert_int_equal(cairo_surface_status(p.surface), CAIRO_STATUS_SUCCESS);
  p.width = cairo_image_surface_get_width(p.surface);
  p.height = cairo_image_surface_get_height(p.surface);
  p.stride = cairo_image_surface_get_stride(p.surface) / 4;
  p.pixels = (const uint32_t *)(const void *)cairo_image_surface_get_data(p.surface);
  return p;
}

/// The mean row of the pixels close to a color in one column, or -1 if there are none.
static double row_of(const Picture *p, int x, int r, int g, int b) {
  double sum = 0, n = 0;
  for (int y = 0; y < p->height; y++) {
    const uint32_t c = p->pixels[y * p->stride + x];
    if (abs((int)(c >> 16 & 255) - r) + abs((int)(c >> 8 & 255) - g) + abs((int)(c & 255) - b) < 40)
      sum += y, n++;
  }
  return n > 0 ? sum / n : -1;
}

static void curves_are_at_their_positions(void **state) {
  (void)state;
  CelPlotOptions options = cel_plot_options_default();
  make_run("low", "1e-4", 1, 30, 0, 0);
  make_run("middle", "2e-4", 1, 30, 0.5, 0);
  make_run("high", "3e-4", 1, 30, 1, 0);
  memcpy(options.key, "rollout/ep_rew_mean", 20);
  options.y_min = 0;
  options.y_max = 1;
  options.width = 900;
  options.height = 600;
  options.legend = false;
  OK(cel_plot_runs((const char *const[]){"low", "middle", "high"}, 3, "p.png", &options));
  Picture p = open_picture("p.png");
  assert_int_equal(p.width, 900);
  assert_int_equal(p.height, 600);
  assert_int_equal(p.pixels[0] & 0xffffff, 0xffffff);
  const int x = 457; // no grid line at this x
  const double low = row_of(&p, x, 0, 114, 178), middle = row_of(&p, x, 213, 94, 0),
               high = row_of(&p, x, 0, 158, 115);
  if (!(high > 50 && middle > high && low > middle))
    fail_msg("rows of high %g, middle %g, low %g", high, middle, low);
  assert_true(fabs(middle - (low + high) / 2) <= 1);
  assert_true(low - high > 300);
  // The curve of zeros is on the axis.
  const double axis = row_of(&p, 872, 158, 163, 171);
  if (fabs(axis - low) > 1.5) fail_msg("axis at %g, zeros at %g", axis, low);
  cairo_surface_destroy(p.surface);
}

/// Columns joined by + share a panel and have their own colors. Columns separated by commas have
/// their own panels.
static void columns_share_a_panel(void **state) {
  (void)state;
  CelPlotOptions options = cel_plot_options_default();
  make_run("a", "3e-4", 1, 30, 0.2, 0);
  options.legend = false;
  for (int shared = 0; shared < 2; shared++) {
    snprintf(options.key, sizeof options.key, "rollout/ep_rew_mean%ctrain/critic_loss",
             shared ? '+' : ',');
    OK(cel_plot_runs((const char *const[]){"a"}, 1, "p.png", &options));
    Picture p = open_picture("p.png");
    int second = 0;
    for (int y = 0; y < p.height; y++)
      for (int x = 0; x < p.width; x++)
        second += (p.pixels[y * p.stride + x] & 0xffffff) == (213 << 16 | 94 << 8 | 0);
    if (shared ? second < 100 : second > 0) fail_msg("shared %d: %d pixels", shared, second);
    cairo_surface_destroy(p.surface);
  }
  snprintf(options.key, sizeof options.key, "rollout/ep_rew_mean+train/critic_los");
  FAILS(cel_plot_runs((const char *const[]){"a"}, 1, "p.png", &options), CEL_E_NAME,
        "train/critic_loss");
}

static void pictures_are_the_same_every_time(void **state) {
  (void)state;
  mkdir("a", 0777);
  for (int i = 1; i <= 5; i++) {
    char folder[32];
    snprintf(folder, sizeof folder, "a/seed-%d", i);
    make_run(folder, "3e-4", (uint64_t)i, 20, i, 0.01 * i);
  }
  for (int i = 0; i < 2; i++) {
    char command[64];
    OK(cel_plot_runs((const char *const[]){"a"}, 1, i ? "2.png" : "1.png", NULL));
    OK(cel_plot_runs((const char *const[]){"a"}, 1, i ? "2.SVG" : "1.SVG", NULL));
    snprintf(command, sizeof command, "cmp 1.png 2.png && cmp 1.SVG 2.SVG");
    if (i) assert_int_equal(system(command), 0);
  }
  Picture p = open_picture("1.png");
  int drawn = 0;
  for (int y = 0; y < p.height; y++)
    for (int x = 0; x < p.width; x++) drawn += (p.pixels[y * p.stride + x] & 0xffffff) != 0xffffff;
  assert_in_range(drawn, p.width * p.height / 50, p.width * p.height / 2);
  cairo_surface_destroy(p.surface);
}

/// Checks only that elements of an XML text are closed in order and that there is one root.
static void expect_well_formed(const char *text) {
  char open[32][32];
  int depth = 0, roots = 0;
  for (const char *c = text; (c = strchr(c, '<')); c++) {
    const char *end = strchr(c, '>');
    char name[32] = "";
    assert_non_null(end);
    if (c[1] == '?' || c[1] == '!') continue;
    sscanf(c + 1 + (c[1] == '/'), "%31[^ />\n]", name);
    assert_true(name[0] != 0);
    if (c[1] == '/') {
      assert_true(depth > 0);
      assert_string_equal(name, open[--depth]);
    } else if (end[-1] != '/') {
      if (depth == 0) roots++;
      assert_true(depth < 32);
      memcpy(open[depth++], name, sizeof name);
    }
  }
  assert_int_equal(depth, 0);
  assert_int_equal(roots, 1);
}

static void svg_is_well_formed(void **state) {
  (void)state;
  CelPlotOptions options = cel_plot_options_default();
  make_run("a", "3e-4", 1, 30, 0, 1);
  snprintf(options.title, sizeof options.title, "<&\"> \xff Pend\xc3\xbcl");
  FAILS(cel_plot_runs((const char *const[]){"a"}, 1, "p.svg", &options), CEL_E_RANGE, "title");
  snprintf(options.title, sizeof options.title, "<&\"> Pend\xc3\xbcl");
  OK(cel_plot_runs((const char *const[]){"a"}, 1, "p.svg", &options));
  char *text = read_text("p.svg");
  assert_non_null(strstr(text, "<svg"));
  assert_non_null(strstr(text, "width=\"1200px\" height=\"720px\""));
  expect_well_formed(text);
  free(text);
}

static void odd_data_are_drawn(void **state) {
  (void)state;
  CelPlotOptions options = cel_plot_options_default();
  make_run("one", "3e-4", 1, 1, 5, 0); // one point
  OK(cel_plot_runs((const char *const[]){"one"}, 1, "p.png", NULL));
  make_run("flat", "3e-4", 3, 9, 0, 0); // all zero
  OK(cel_plot_runs((const char *const[]){"flat"}, 1, "p.png", NULL));
  make_run("steep", "3e-4", 4, 9, -1e12, 1e300);
  OK(cel_plot_runs((const char *const[]){"steep"}, 1, "p.png", NULL));
  make_run("long", "3e-4", 5, 200000, 0, 1);
  OK(cel_plot_runs((const char *const[]){"long"}, 1, "p.svg", NULL));
  struct stat info;
  assert_int_equal(stat("p.svg", &info), 0);
  assert_in_range(info.st_size, 10000, 400000); // few of the many points at one x are in the file
  for (int i = 0; i < 40; i++) { // more groups than colors, and more than fit in the legend
    char folder[32], rate[32];
    snprintf(folder, sizeof folder, "g%d", i);
    snprintf(rate, sizeof rate, "%g", 1e-4 * (i + 1));
    make_run(folder, rate, 2, 5, i, 1);
  }
  OK(cel_plot_runs((const char *const[]){"."}, 1, "p.png", NULL));
  options.width = 200; // the smallest
  options.height = 150;
  memcpy(options.key, "train/critic_loss,rollout/ep_rew_mean,eval/mean_reward", 55);
  OK(cel_plot_runs((const char *const[]){"."}, 1, "p.png", &options));
  options = cel_plot_options_default();
  options.width = 200;
  options.height = 8000;
  OK(cel_plot_runs((const char *const[]){"one"}, 1, "p.png", &options));
}

static void wrong_calls_are_named(void **state) {
  (void)state;
  const char *const run[] = {"a"};
  CelPlotOptions options = cel_plot_options_default();
  make_run("a", "3e-4", 1, 5, -3, 1);
  FAILS(cel_plot_runs(run, 0, "p.png", NULL), CEL_E_ARGUMENT, "no run");
  FAILS(cel_plot_runs(run, 1, "p.jpg", NULL), CEL_E_ARGUMENT, ".png or .svg");
  FAILS(cel_plot_runs((const char *const[]){"nowhere"}, 1, "p.png", NULL), CEL_E_IO, "nowhere");
  mkdir("empty", 0777);
  FAILS(cel_plot_runs((const char *const[]){"empty"}, 1, "p.png", NULL), CEL_E_IO,
        "no run in this folder");
  FAILS(cel_plot_runs(run, 1, "nowhere/p.png", NULL), CEL_E_IO, "nowhere/p.png");
  FAILS(cel_plot_runs(run, 1, "nowhere/p.svg", NULL), CEL_E_IO, "nowhere/p.svg");
  options.width = 10;
  FAILS(cel_plot_runs(run, 1, "p.png", &options), CEL_E_RANGE, "width");
  options = cel_plot_options_default();
  options.height = 20;
  FAILS(cel_plot_runs(run, 1, "p.png", &options), CEL_E_RANGE, "height");
  options = cel_plot_options_default();
  memcpy(options.key, "train/critic_lost", 18);
  FAILS(cel_plot_runs(run, 1, "p.png", &options), CEL_E_NAME, "did you mean 'train/critic_loss'");
  options = cel_plot_options_default();
  memcpy(options.x, "time", 5);
  FAILS(cel_plot_runs(run, 1, "p.png", &options), CEL_E_NAME, "'time'");
  options = cel_plot_options_default();
  options.log_y = true;
  FAILS(cel_plot_runs(run, 1, "p.png", &options), CEL_E_RANGE, "logarithmic");
  options = cel_plot_options_default();
  options.y_min = 1;
  options.y_max = 1;
  FAILS(cel_plot_runs(run, 1, "p.png", &options), CEL_E_RANGE, "y axis");
  write_text("a/progress.csv", "time/total_timesteps,rollout/ep_rew_mean\n");
  FAILS(cel_plot_runs(run, 1, "p.png", NULL), CEL_E_STATE, "no data yet");
  write_text("a/progress.csv", "time/total_times");
  FAILS(cel_plot_runs(run, 1, "p.png", NULL), CEL_E_STATE, "has not logged anything yet");
  write_text("a/progress.csv",
             "time/total_timesteps,rollout/ep_rew_mean\n1,2\n2,1e308\n3,-1e308\n");
  FAILS(cel_plot_runs(run, 1, "p.png", NULL), CEL_E_RANGE, "too large to draw");
  write_text("a/progress.csv", "time/total_timesteps,rollout/ep_rew_mean\n1,two\n");
  FAILS(cel_plot_runs(run, 1, "p.png", NULL), CEL_E_FORMAT, "a/progress.csv: line 2");
  assert_int_equal(access("p.png", F_OK), -1);
}

static void full_disk_keeps_the_old_picture(void **state) {
  (void)state;
  struct rlimit old;
  make_run("a", "3e-4", 1, 30, 0, 1);
  write_text("p.png", "old");
  signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
  const struct rlimit small = {1000, old.rlim_max};
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  const CelStatus status = cel_plot_runs((const char *const[]){"a"}, 1, "p.png", NULL);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
  assert_int_equal(status, CEL_E_IO);
  assert_non_null(strstr(cel_error(), "p.png"));
  char *text = read_text("p.png");
  assert_string_equal(text, "old");
  free(text);
  glob_t left; // temporary files
  assert_int_equal(glob("p.png.*", 0, NULL, &left), GLOB_NOMATCH);
}

#define PICTURES                                                                                   \
  TEST(curves_are_at_their_positions), TEST(columns_share_a_panel),                                 \
      TEST(pictures_are_the_same_every_time), TEST(svg_is_well_formed), TEST(odd_data_are_drawn),  \
      TEST(wrong_calls_are_named), TEST(full_disk_keeps_the_old_picture)

#else

static void says_what_to_install(void **state) {
  (void)state;
  make_run("a", "3e-4", 1, 30, 0, 1);
  FAILS(cel_plot_runs((const char *const[]){"a"}, 1, "p.png", NULL), CEL_E_UNSUPPORTED,
        "libcairo2-dev");
}

#define PICTURES TEST(says_what_to_install)

#endif

static void fields_are_sound(void **state) {
  (void)state;
  OK(cel_fields_check_table(cel_plot_fields()));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, enter_folder, leave_folder)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(tables_are_read),
      TEST(broken_tables_are_named),
      TEST(interquartile_mean_matches_hand_values),
      TEST(smoothing_is_a_running_mean),
      TEST(curves_meet_on_a_common_axis),
      TEST(band_is_as_wide_as_it_should_be),
      TEST(band_is_a_quantile),
      TEST(long_series_get_a_bounded_grid),
      TEST(ticks_are_round),
      TEST(log_ticks_are_powers),
      TEST(runs_are_grouped_by_what_differs),
      TEST(a_run_counts_once),
      TEST(fields_are_sound),
      PICTURES,
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
