/// Pictures of finite problems: kinds of cells, colors, files, errors.
#include "view/grid.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define assert_ok(call)                                                                            \
  do {                                                                                             \
    if ((call) != CEL_OK) fail_msg("%s: %s", #call, cel_error());                                  \
  } while (0)

/// A grid of three columns and two rows, with a state (4) that is not reachable:
///
///     0 S   1     wall
///     2 pit 3 goal 4 far
typedef struct World {
  CelMdp mdp;
  CelMdpGrid grid;
} World;

static World make_world(void) {
  static const int64_t state[6] = {0, 1, -1, 2, 3, 4};
  static const int8_t direction[4][2] = {{0, 1}, {1, 0}, {0, -1}, {0, 0}};
  // 0: right to 1, down into the pit; 1: down to the goal, left to 0, stay; 4: stays.
  static const int64_t pair[6] = {0, 2, 5, 5, 6, 7}, row[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  static const uint32_t next[7] = {1, 2, 3, 0, 1, 3, 4};
  static const double probability[7] = {1, 1, 1, 1, 1, 1, 1}, reward[7] = {0, -1, 5, 0, 0, 0, 9};
  static const uint8_t ends[7] = {0, 0, 1, 0, 0, 1, 0};
  static const int32_t action[7] = {0, 1, 1, 2, 3, 0, 3};
  static const double start[5] = {1, 0, 0, 0, 0};
  World w = {
      .grid = {.rows = 2, .columns = 3, .state = state, .direction = direction[0], .actions = 4}};
  w.mdp = (CelMdp){.states = 5,
                   .pairs = 7,
                   .transitions = 7,
                   .max_actions = 3,
                   .discount = 0.9,
                   .pair = pair,
                   .row = row,
                   .next32 = next,
                   .probability = probability,
                   .reward = reward,
                   .ends = ends,
                   .action = action,
                   .start = start,
                   .name = "world"};
  return w;
}

static const double V[5] = {4.5, 5, 0, 0, 90}, pi[7] = {1, 0, 0.5, 0.25, 0.25, 1, 1};

static void cells_have_their_kinds(void **state) {
  (void)state;
  World w = make_world();
  w.mdp.grid = &w.grid;
  const CelGridPlotOptions options = cel_plot_grid_options_default();
  CeliScene scene = {.mdp = &w.mdp, .V = V, .pi = pi, .title = "", .options = &options};
  assert_ok(celi_scene_make(&scene));
  assert_int_equal(celi_scene_kind(&scene, 0, 0), CELI_CELL_OPEN);
  assert_int_equal(celi_scene_kind(&scene, 0, 1), CELI_CELL_OPEN);
  assert_int_equal(celi_scene_kind(&scene, 0, 2), CELI_CELL_WALL);
  assert_int_equal(celi_scene_kind(&scene, 1, 0), CELI_CELL_PIT);
  assert_int_equal(celi_scene_kind(&scene, 1, 1), CELI_CELL_GOAL);
  assert_int_equal(celi_scene_kind(&scene, 1, 2), CELI_CELL_FAR);
  assert_true(scene.low == 4.5 && scene.high == 5); // only of open cells
  assert_true(celi_scene_share(&scene, 0) == 0 && celi_scene_share(&scene, 1) == 1);
  double x, y;
  celi_scene_drift(&scene, 1, &x, &y);
  assert_true(x == -0.25 && y == 0.5); // mean of down, left and stay
  celi_scene_free(&scene);
}

static void expect_number(double value, int decimals, const char *expected) {
  char text[32];
  celi_scene_number(value, decimals, text, sizeof text);
  assert_string_equal(text, expected);
}

/// Numbers distinguish the cells. All have the same number of decimals, without zeros that all
/// share.
static void numbers_tell_values_apart(void **state) {
  (void)state;
  World w = make_world();
  w.mdp.grid = &w.grid;
  static const struct {
    double left, right; // the only two open cells, which are neighbors
    int decimals;
  } cases[] = {{13.51, 13.54, 2},       {13.500012, 13.500049, 6}, {-3, -14, 0},    {4.5, 5, 1},
               {1e-9, 0.417, 3},        {12210.3, 23894.5, 0},     {13.5, 13.5, 1}, {0, 0, 0},
               {13.8, 13.8 + 1e-14, 1}, {1000000, 1000000.25, 2}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const double values[5] = {cases[i].left, cases[i].right, 0, 0, 90};
    const CelGridPlotOptions options = cel_plot_grid_options_default();
    CeliScene scene = {.mdp = &w.mdp, .V = values, .pi = pi, .title = "", .options = &options};
    assert_ok(celi_scene_make(&scene));
    if (celi_scene_decimals(&scene) != cases[i].decimals)
      fail_msg("%.9g beside %.9g: %d decimals, expected %d", values[0], values[1],
               celi_scene_decimals(&scene), cases[i].decimals);
    celi_scene_free(&scene);
  }
  expect_number(13.5, 3, "13.500");
  expect_number(-2.5, 1,
                "\xe2\x88\x92"
                "2.5");
  expect_number(-1e-9, 1,
                "\xe2\x88\x92"
                "1e-09"); // not -0.0
  expect_number(0, 2, "0.00");
  expect_number(0.00113, 3, "0.001"); // as many decimals as the cell next to it
  expect_number(0.0004, 3, "4e-04");  // but not 0.000
  expect_number(1e300, 0, "1e+300");
  expect_number(123456789.25, 3, "1.23e+08");
}

static double lightness(CeliColor c) {
  return 0.2126 * pow(c.r, 2.2) + 0.7152 * pow(c.g, 2.2) + 0.0722 * pow(c.b, 2.2);
}

static void colors_grow_lighter(void **state) {
  (void)state;
  for (int i = 0; i < 1000; i++) {
    const CeliColor a = celi_colormap(i / 1000.0), b = celi_colormap((i + 1) / 1000.0);
    assert_true(lightness(b) > lightness(a));
    assert_true(fabs(a.r - b.r) + fabs(a.g - b.g) + fabs(a.b - b.b) <
                0.02); // the colors change continuously
    assert_true(a.r >= 0 && a.r <= 1 && a.g >= 0 && a.g <= 1 && a.b >= 0 && a.b <= 1);
  }
  assert_false(celi_color_light(celi_colormap(0)));
  assert_true(celi_color_light(celi_colormap(1)));
}

static char folder[] = "/tmp/celsius-plot-XXXXXX";

static int make_folder(void **state) {
  (void)state;
  return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
  (void)state;
  return rmdir(folder);
}

static void path_of(char *path, size_t size, const char *name) {
  snprintf(path, size, "%s/%s", folder, name);
}

/// Returns the size in bytes and deletes the file.
static long taken(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) return -1;
  fseek(file, 0, SEEK_END);
  const long size = ftell(file);
  fclose(file);
  remove(path);
  return size;
}

static void pictures_are_written(void **state) {
  (void)state;
  World w = make_world();
  char path[256];
  w.mdp.grid = &w.grid;
  const CelSweepPoint sweep[4] = {
      {1, 9, 1, 1.2}, {0, 3, 3, 0}, {0.1, 4, 2.9, 0.3}, {0.1, 4, 2.9, 0.3}};
  const char *const names[] = {"x.png", "x.svg"};
  for (int i = 0; i < 2; i++) {
    path_of(path, sizeof path, names[i]);
    const CelStatus status = cel_plot_grid(&w.mdp, V, pi, "under it", path, NULL);
    if (status == CEL_E_UNSUPPORTED) return; // no cairo in this build
    assert_ok(status);
    assert_true(taken(path) > 2000);
    for (int64_t n = 1; n <= 4; n++) {
      assert_ok(cel_plot_sweep(sweep, n, "a sweep", NULL, path));
      assert_true(taken(path) > 2000);
    }
    assert_ok(cel_plot_sweep(sweep + 1, 1, NULL, NULL, path)); // only alpha = 0
    assert_true(taken(path) > 2000);
  }
}

static void bad_input_is_named(void **state) {
  (void)state;
  World w = make_world();
  char path[256];
  assert_ok(cel_fields_check_table(cel_plot_grid_fields()));
  path_of(path, sizeof path, "x.png");
  assert_int_equal(cel_plot_grid(&w.mdp, V, pi, NULL, path, NULL), CEL_E_UNSUPPORTED);
  assert_non_null(strstr(cel_error(), "'world' is not a grid world"));
  w.mdp.grid = &w.grid;
  assert_int_equal(cel_plot_grid(&w.mdp, V, pi, NULL, "x.gif", NULL), CEL_E_ARGUMENT);
  const double bad[5] = {4.5, (double)NAN, 0, 0, 0};
  assert_int_equal(cel_plot_grid(&w.mdp, bad, pi, NULL, path, NULL), CEL_E_NAN);
  assert_non_null(strstr(cel_error(), "state 1"));
  CelGridPlotOptions options = cel_plot_grid_options_default();
  options.width = -1;
  assert_int_equal(cel_plot_grid(&w.mdp, V, pi, NULL, path, &options), CEL_E_RANGE);
  const CelSweepPoint point = {.alpha = -1};
  assert_int_equal(cel_plot_sweep(&point, 1, NULL, NULL, path), CEL_E_RANGE);
  assert_int_equal(cel_plot_sweep(&point, 0, NULL, NULL, path), CEL_E_ARGUMENT);
  const CelSweepPoint infinite = {.alpha = 1, .value = HUGE_VAL};
  assert_int_equal(cel_plot_sweep(&infinite, 1, NULL, NULL, path), CEL_E_NAN);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cells_have_their_kinds), cmocka_unit_test(numbers_tell_values_apart),
      cmocka_unit_test(colors_grow_lighter),     cmocka_unit_test(pictures_are_written),
      cmocka_unit_test(bad_input_is_named),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
