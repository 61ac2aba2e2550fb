/// The picture of an error curve: PNG and SVG files, and errors for points that cannot be drawn.
#include "base/base_test.h"
#include "celsius/plot_mdp.h"
#include <math.h>

static bool holds(const char *path, const char *text) {
  static char data[1 << 18];
  FILE *file = fopen(path, "rb");
  if (!file) return false;
  const size_t n = fread(data, 1, sizeof data - 1, file);
  data[n] = 0;
  fclose(file);
  return strstr(data, text) != NULL;
}

static void curves_are_drawn(void **state) {
  const CelErrorPoint points[] = {
      {1, 3, 30}, {10, 1, 12}, {1000, 0, 1e-12}, {100000, 1e-15, 1e-13}};
  const char *png = in_folder(state, "x.png"), *svg = in_folder(state, "x.svg");
  const CelStatus status = cel_plot_error(points, 4, "a title", "under it", png);
  if (status == CEL_E_UNSUPPORTED) skip(); // no cairo in this build
  assert_ok(status);
  assert_true(holds(png, "PNG"));
  for (int64_t n = 2; n <= 4; n++) assert_ok(cel_plot_error(points, n, NULL, NULL, svg));
  assert_true(holds(svg, "<svg"));
}

static void bad_points_are_named(void **state) {
  const char *path = in_folder(state, "x.png");
  const CelErrorPoint good[] = {{1, 3, 30}, {2, 1, 12}};
  CelErrorPoint bad[2];
#define EXPECT(change, status, part)                                                               \
  memcpy(bad, good, sizeof bad);                                                                   \
  change;                                                                                          \
  assert_fails(cel_plot_error(bad, 2, NULL, NULL, path), status, part)
  EXPECT(bad[1].round = 1, CEL_E_RANGE, "point 1");
  EXPECT(bad[0].round = 0, CEL_E_RANGE, "point 0");
  EXPECT(bad[1].error = -1, CEL_E_RANGE, "round 2");
  EXPECT(bad[1].bound = 0, CEL_E_RANGE, "round 2");
  EXPECT(bad[0].error = (double)NAN, CEL_E_NAN, "point 0");
#undef EXPECT
  assert_fails(cel_plot_error(good, 1, NULL, NULL, path), CEL_E_ARGUMENT, "two points");
  assert_fails(cel_plot_error(good, 2, NULL, NULL, "x.gif"), CEL_E_ARGUMENT, "x.gif");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(curves_are_drawn),
                                     cmocka_unit_test(bad_points_are_named)};
  return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
