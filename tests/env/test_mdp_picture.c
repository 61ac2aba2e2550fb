/// Pictures of finite problems: goals, holes and cliffs look different, and the taxi's state is
/// visible.
#include "celsius/canvas.h"
#include "env_test.h"

static CelCanvas canvas;

static void draw(const char *id, const char *arguments, double state) {
  CelEnvSpec *spec = make_spec(id, arguments);
  cel_canvas_clear(&canvas, 0, 0, 0, 0);
  spec->type->render(spec, &state, &canvas);
  assert_int_equal(canvas.dropped, 0);
  cel_env_spec_destroy(spec);
}

/// The number of circles with this radius.
static int count_circles(double radius) {
  int n = 0;
  for (int i = 0; i < canvas.n_shapes; i++)
    n += canvas.shape[i].kind == CEL_CIRCLE && fabs(canvas.shape[i].radius - radius) < 1e-9;
  return n;
}

/// The mean point of the only star.
static void find_star(double *x, double *y) {
  int n = 0;
  for (int i = 0; i < canvas.n_shapes; i++) {
    const CelShape *shape = &canvas.shape[i];
    if (shape->kind != CEL_POLYGON || shape->n != 10) continue;
    n++;
    *x = *y = 0;
    for (int k = 0; k < 10; k++) *x += shape->x[k] / 10, *y += shape->y[k] / 10;
  }
  assert_int_equal(n, 1);
}

static void goals_and_holes(void **state) {
  (void)state;
  double x = 0, y = 0;
  draw("FrozenLake-v1", "", 6);
  assert_int_equal(count_circles(0.30), 4); // holes
  assert_int_equal(count_circles(0.22), 1); // the agent
  find_star(&x, &y);
  assert_float_equal(x, 3.5, 1e-9);
  assert_float_equal(y, 0.5, 1e-9);
  draw("FrozenLake8x8-v1", "", 0);
  assert_int_equal(count_circles(0.30), 10);
}

static void a_cliff(void **state) {
  (void)state;
  double x = 0, y = 0;
  int cliffs = 0;
  draw("CliffWalking-v1", "", 36);
  find_star(&x, &y);
  assert_float_equal(x, 11.5, 1e-9);
  assert_float_equal(y, 0.5, 1e-9);
  for (int i = 0; i < canvas.n_shapes; i++) {
    const CelShape *shape = &canvas.shape[i];
    cliffs += shape->kind == CEL_POLYGON && shape->n == 4 && shape->x[0] == 1 &&
              shape->x[1] == 11 && shape->y[0] == 0 && shape->y[2] == 1;
  }
  assert_int_equal(cliffs, 1); // ten cells between the start and the goal
}

static const char *caption(void) {
  for (int i = 0; i < canvas.n_shapes; i++)
    if (canvas.shape[i].kind == CEL_TEXT) return canvas.shape[i].text;
  return "";
}

/// The state is ((row * 5 + column) * 5 + passenger) * 4 + destination.
static void a_taxi(void **state) {
  (void)state;
  draw("Taxi-v3", "", ((3 * 5 + 2) * 5 + 0) * 4 + 3);
  assert_string_equal(caption(), "passenger at red, to blue");
  draw("Taxi-v3", "", ((0 * 5 + 4) * 5 + 4) * 4 + 2);
  assert_string_equal(caption(), "passenger in the taxi, to yellow");
}

/// Problems without a grid, or with too many shapes, show the number of the state.
static void other_problems(void **state) {
  (void)state;
  draw("Garnet-v0", "", 3);
  assert_non_null(strstr(caption(), "state 3 of"));
  draw("mdp", "generator=taxi", 7);
  assert_string_equal(caption(), "state 7 of 500");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(goals_and_holes),
      cmocka_unit_test(a_cliff),
      cmocka_unit_test(a_taxi),
      cmocka_unit_test(other_problems),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
