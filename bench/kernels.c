/// The three dense matrix products at the sizes of the two SAC benchmarks, as fractions of the FMA
/// peak.
#include "bench.h"

#include "ops/ops.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct Product {
  const char *name;
  int kind; ///< 0 forward, 1 gradient of the data, 2 gradient of the weights
  int64_t B, K, N;
} Product;

static const Product products[] = {
    {"forward 100 x 64 x 64", 0, 100, 64, 64},
    {"data gradient 100 x 64 x 64", 1, 100, 64, 64},
    {"weight gradient 100 x 64 x 64", 2, 100, 64, 64},
    {"forward 100 x 4 x 64", 0, 100, 4, 64},
    {"forward 100 x 64 x 1", 0, 100, 64, 1},
    {"weight gradient 100 x 64 x 1", 2, 100, 64, 1},
    {"forward 256 x 256 x 256", 0, 256, 256, 256},
    {"data gradient 256 x 256 x 256", 1, 256, 256, 256},
    {"weight gradient 256 x 256 x 256", 2, 256, 256, 256},
    {"forward 256 x 23 x 256", 0, 256, 23, 256},
    {"forward 256 x 256 x 1", 0, 256, 256, 1},
};

static void run(const Product *p, float *X, float *W, float *b, float *Y) {
  const CeliOps *ops = celi_ops();
  if (p->kind == 0)
    ops->dense_forward(Y, p->N, NULL, 0, X, p->K, W, b, 0, p->B, p->K, p->N, CELI_RELU);
  else if (p->kind == 1)
    ops->dense_backward_data(X, p->K, Y, p->N, W, NULL, 0, 0, p->B, p->K, p->N, CELI_IDENTITY);
  else
    ops->dense_backward_weight(W, b, X, p->K, Y, p->N, p->B, p->K, p->N, 0,
                               celi_dense_tiles(p->K, p->N), false);
}

static float *numbers(int64_t n, uint32_t stream) {
  float *x = aligned_alloc(64, (size_t)(n * 4 + 63) / 64 * 64);
  if (!x) bench_die("not enough memory");
  celi_ops()->normal(x, 1, 0, stream, 0, 0, n);
  return x;
}

static void measure(const BenchOptions *options, const Product *p) {
  float *X = numbers(p->B * p->K, 0), *W = numbers(p->K * p->N, 1), *b = numbers(p->N, 2),
        *Y = numbers(p->B * p->N, 3);
  const double flop = 2 * (double)p->B * (double)p->K * (double)p->N;
  const double each = options->seconds / options->repeats / 8;
  double *rates = calloc((size_t)options->repeats, sizeof *rates), peaks = 0;
  if (!rates) bench_die("not enough memory");
  for (int r = 0; r < options->repeats; r++) {
    const double before = celi_ops_peak(0.02), start = bench_now();
    int64_t times = 0;
    while (bench_now() - start < each)
      for (int k = 0; k < 16; k++, times++) run(p, X, W, b, Y);
    rates[r] = (double)times * flop / (bench_now() - start) / 1e9;
    peaks += before / 1e9 / options->repeats;
  }
  BenchRow row = {.value = bench_median(rates, options->repeats),
                  .unit = "GFLOP/s",
                  .limit = peaks,
                  .limit_of = "FMA peak of one core",
                  .peer_value = NAN};
  snprintf(row.name, sizeof row.name, "%s", p->name);
  bench_row(&row);
  free(rates), free(X), free(W), free(b), free(Y);
}

void bench_kernels(const BenchOptions *options, const char *name) {
  (void)name;
  for (size_t i = 0; i < sizeof products / sizeof products[0]; i++) measure(options, &products[i]);
}
