/// The kernels by column against plain loops in double, bit for bit, on the instruction set in use:
/// blocks of all widths, rows in one call or in two, views with padding.
#include "kit.h"

enum { B = 37, LD = 21, CUT = 13 };

typedef struct Columns {
  float x[B * LD], dz[B * LD];
  double mean[CELI_COLUMNS], inv_sd[CELI_COLUMNS], gain[CELI_COLUMNS], shift[CELI_COLUMNS];
} Columns;

static Columns make(uint64_t seed) {
  Columns c;
  for (int i = 0; i < B * LD; i++) c.x[i] = 3 * kit_float(&seed) + 1, c.dz[i] = kit_float(&seed);
  for (int k = 0; k < CELI_COLUMNS; k++) {
    c.mean[k] = 1.1 * (double)kit_float(&seed), c.inv_sd[k] = 1.7 + (double)kit_float(&seed);
    c.gain[k] = (double)kit_float(&seed), c.shift[k] = (double)kit_float(&seed) / 3;
  }
  return c;
}

static void test_reductions(void **state) {
  (void)state;
  const CeliOps *ops = celi_ops();
  const Columns c = make(5);
  for (int n = 1; n <= CELI_COLUMNS; n++) {
    double sum[CELI_COLUMNS] = {0}, square[CELI_COLUMNS] = {0}, d[CELI_COLUMNS] = {0},
           product[CELI_COLUMNS] = {0}, want[4][CELI_COLUMNS] = {{0}};
    for (int b = 0; b < B; b++)
      for (int k = 0; k < n; k++) {
        const double x = (double)c.x[b * LD + k], dz = (double)c.dz[b * LD + k];
        want[0][k] += x;
        want[1][k] += (x - c.mean[k]) * (x - c.mean[k]);
        want[2][k] += dz;
        want[3][k] += dz * (x - c.mean[k]) * c.inv_sd[k];
      }
    for (int part = 0; part < 2; part++) { // a second call continues the first
      const int64_t begin = part ? CUT : 0, end = part ? B : CUT;
      ops->columns_sum(sum, c.x, LD, begin, end, n);
      ops->columns_square(square, c.x, LD, c.mean, begin, end, n);
      ops->columns_product(d, product, c.dz, LD, c.x, LD, c.mean, c.inv_sd, begin, end, n);
    }
    assert_memory_equal(sum, want[0], sizeof sum);
    assert_memory_equal(square, want[1], sizeof square);
    assert_memory_equal(d, want[2], sizeof d);
    assert_memory_equal(product, want[3], sizeof product);
  }
}

static void test_maps(void **state) {
  (void)state;
  const CeliOps *ops = celi_ops();
  const Columns c = make(6);
  for (int n = 1; n <= CELI_COLUMNS; n++) {
    float *y = kit_pad(NULL, B, n, LD), *dx = kit_pad(NULL, B, n, LD);
    for (int part = 0; part < 2; part++) {
      const int64_t begin = part ? CUT : 0, end = part ? B : CUT;
      ops->columns_affine(y, LD, c.x, LD, c.mean, c.inv_sd, c.gain, c.shift, begin, end, n);
      ops->columns_affine_backward(dx, LD, c.dz, LD, c.x, LD, c.mean, c.inv_sd, c.gain, c.shift,
                                   c.mean, begin, end, n);
    }
    for (int b = 0; b < B; b++)
      for (int k = 0; k < n; k++) {
        const double xh = ((double)c.x[b * LD + k] - c.mean[k]) * c.inv_sd[k];
        const double dz = (double)c.dz[b * LD + k] - (c.shift[k] + xh * c.mean[k]);
        assert_true(same_bits(y[b * LD + k], (float)(c.gain[k] * xh + c.shift[k])));
        assert_true(same_bits(dx[b * LD + k], (float)(c.gain[k] * dz)));
      }
    kit_padding_untouched("columns_affine", y, B, n, LD);
    kit_padding_untouched("columns_affine_backward", dx, B, n, LD);
    free(y), free(dx);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_reductions),
                                     cmocka_unit_test(test_maps)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
