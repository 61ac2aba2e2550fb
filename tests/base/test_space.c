/// Spaces: constructors, checks, row layout, descriptions, sampling.
#include "base_test.h"
#include "celsius/space.h"
#include <math.h>

static void expect_description(const CelSpace *space, const char *words) {
  char text[128];
  assert_int_equal(cel_space_describe(space, text, sizeof text), strlen(words));
  assert_string_equal(text, words);
}

static void one_part(void **state) {
  (void)state;
  CelSpace box = cel_space_box(3, -1.0, 2.0), choice = cel_space_discrete(5);
  CelSpace bits = cel_space_multi_binary(7);
  const int64_t n[2] = {3, 9};
  CelSpace choices = cel_space_multi_discrete(2, n);
  assert_ok(cel_space_check(&box));
  assert_ok(cel_space_check(&choice));
  assert_ok(cel_space_check(&bits));
  assert_ok(cel_space_check(&choices));
  expect_description(&box, "Box(3,)");
  expect_description(&choice, "Discrete(5)");
  expect_description(&bits, "MultiBinary(7)");
  expect_description(&choices, "MultiDiscrete(3, 9)");
  assert_int_equal(cel_space_bytes(&box), 12);
  assert_int_equal(cel_space_bytes(&choice), 4);
  assert_int_equal(cel_space_bytes(&bits), 7);
  assert_int_equal(cel_space_bytes(&choices), 8);
  assert_int_equal(cel_space_floats(&box), 3);
  assert_int_equal(cel_space_floats(&choice), -1);
}

/// Bytes, then floats, then one byte. The floats and the next row are aligned.
static CelSpace three_parts(void) {
  CelSpace space = cel_space_multi_binary(3), box = cel_space_box(2, -1, 1);
  CelSpace last = cel_space_multi_binary(1);
  space.part[1] = box.part[0];
  space.part[2] = last.part[0];
  space.n_parts = 3;
  strcpy(space.part[0].name, "switches");
  strcpy(space.part[1].name, "place");
  strcpy(space.part[2].name, "lamp");
  return space;
}

static void several_parts(void **state) {
  (void)state;
  CelSpace space = three_parts();
  assert_ok(cel_space_check(&space));
  assert_int_equal(cel_space_offset(&space, 0), 0);
  assert_int_equal(cel_space_offset(&space, 1), 4);
  assert_int_equal(cel_space_offset(&space, 2), 12);
  assert_int_equal(cel_space_bytes(&space), 16);
  assert_int_equal(cel_space_floats(&space), -1);
  expect_description(&space,
                     "Tuple(switches: MultiBinary(3), place: Box(2,), lamp: MultiBinary(1))");
  char small[9];
  assert_int_equal(cel_space_describe(&space, small, sizeof small), 69);
  assert_string_equal(small, "Tuple(sw");
  assert_int_equal(cel_space_describe(&space, NULL, 0), 69);
}

static CelSpace image(void) {
  CelSpace space = cel_space_box(1, 0, 255);
  CelSpacePart *part = &space.part[0];
  part->type = CEL_U8;
  part->ndim = 3;
  part->shape[0] = 3, part->shape[1] = 64, part->shape[2] = 48;
  part->size = 3 * 64 * 48;
  return space;
}

static void images(void **state) {
  (void)state;
  CelSpace space = image();
  assert_ok(cel_space_check(&space));
  assert_int_equal(cel_space_bytes(&space), 3 * 64 * 48);
  expect_description(&space, "Box(3, 64, 48) of bytes");
  space.part[0].high[0] = 256;
  assert_fails(cel_space_check(&space), CEL_E_RANGE, "byte");
}

static void refusals(void **state) {
  (void)state;
  const double nan_low[1] = {(double)NAN}, high[1] = {1};
  const int64_t none[1] = {0};
  CelSpace bad[] = {cel_space_box(2, 2.0, 1.0), cel_space_box_bounds(1, nan_low, high),
                    cel_space_discrete(0), cel_space_multi_discrete(1, none)};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_fails(cel_space_check(&bad[i]), CEL_E_RANGE, "part 0");
  }
  CelSpace wrong = cel_space_box(2, 0, 1);
  wrong.part[0].type = CEL_F64;
  assert_fails(cel_space_check(&wrong), CEL_E_TYPE, "F32 or U8");
  wrong = cel_space_box(0, 0, 1);
  assert_fails(cel_space_check(&wrong), CEL_E_SHAPE, "below 1");
  wrong = cel_space_box(4, 0, 1);
  wrong.part[0].shape[0] = 3;
  assert_fails(cel_space_check(&wrong), CEL_E_SHAPE, "size is 4");
  wrong.n_parts = 0;
  assert_fails(cel_space_check(&wrong), CEL_E_SHAPE, "1 to 8 parts");
  wrong = cel_space_box(1, 0, 1);
  memset(wrong.part[0].name, 'x', sizeof wrong.part[0].name);
  assert_fails(cel_space_check(&wrong), CEL_E_NAME, "no terminating zero");
  double many[CEL_SPACE_BOUNDS_MAX + 1] = {0};
  wrong = cel_space_box_bounds(CEL_SPACE_BOUNDS_MAX + 1, many, many);
  assert_fails(cel_space_check(&wrong), CEL_E_SHAPE, "at most 512");
  CelSpace large = cel_space_box(100000, -1, 1); // all entries share one pair of bounds
  assert_ok(cel_space_check(&large));
}

/// Frequencies of 70,000 draws of one of 7 values are within 5 standard errors.
static void discrete_samples_are_uniform(void **state) {
  (void)state;
  enum { N = 70000, A = 7 };
  CelSpace space = cel_space_discrete(A);
  static int32_t drawn[N];
  int count[A] = {0};
  CelRng rng = cel_rng(5, CEL_RNG_USER, 0);
  cel_space_sample(&space, drawn, N, &rng);
  assert_int_equal(rng.counter, (N + 3) / 4); // four draws per block
  for (int i = 0; i < N; i++) count[drawn[i]]++;
  for (int a = 0; a < A; a++) assert_true(abs(count[a] - N / A) < 5 * 93);
}

static void box_samples(void **state) {
  (void)state;
  enum { N = 40000 };
  const double inf = (double)INFINITY;
  const double low[4] = {-1, 2, -inf, -inf}, high[4] = {3, inf, -2, inf};
  CelSpace space = cel_space_box_bounds(4, low, high);
  static float x[N][4];
  double mean[4] = {0}, square[4] = {0};
  CelRng rng = cel_rng(6, CEL_RNG_USER, 0);
  cel_space_sample(&space, x, N, &rng);
  for (int i = 0; i < N; i++) {
    for (int j = 0; j < 4; j++) {
      assert_true((double)x[i][j] >= low[j] && (double)x[i][j] <= high[j]);
      mean[j] += (double)x[i][j] / N;
      square[j] += (double)x[i][j] * (double)x[i][j] / N;
    }
  }
  const double half = 0.7978845608; // mean of a half-normal variable
  const double expected[4] = {1, 2 + half, -2 - half, 0};
  const double variance[4] = {16.0 / 12, 1 - half * half, 1 - half * half, 1};
  for (int j = 0; j < 4; j++) {
    const double error = sqrt(variance[j] / N);
    assert_true(fabs(mean[j] - expected[j]) < 5 * error);
    assert_true(fabs(square[j] - mean[j] * mean[j] - variance[j]) < 0.05);
  }
}

static void samples_of_every_kind_are_in_range(void **state) {
  (void)state;
  CelSpace space = three_parts(), pixels = image();
  const int64_t n[3] = {1, 2, 300};
  CelSpace choices = cel_space_multi_discrete(3, n);
  CelRng rng = cel_rng(7, CEL_RNG_USER, 0);
  static uint8_t rows[64][16], picture[3 * 64 * 48];
  int32_t chosen[100][3];
  cel_space_sample(&space, rows, 64, &rng);
  cel_space_sample(&pixels, picture, 1, &rng);
  cel_space_sample(&choices, chosen, 100, &rng);
  int on = 0, bright = 0, large = 0;
  for (int i = 0; i < 64; i++) {
    assert_true(rows[i][0] <= 1 && rows[i][12] <= 1);
    on += rows[i][12];
  }
  for (size_t i = 0; i < sizeof picture; i++) bright += picture[i] > 250;
  for (int i = 0; i < 100; i++) {
    assert_true(chosen[i][0] == 0 && chosen[i][1] < 2 && chosen[i][2] >= 0 && chosen[i][2] < 300);
    large += chosen[i][2] >= 200;
  }
  assert_in_range(on, 12, 52);
  assert_in_range(bright, 100, 260);
  assert_in_range(large, 15, 55);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_part),
      cmocka_unit_test(several_parts),
      cmocka_unit_test(images),
      cmocka_unit_test(refusals),
      cmocka_unit_test(discrete_samples_are_uniform),
      cmocka_unit_test(box_samples),
      cmocka_unit_test(samples_of_every_kind_are_in_range),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
