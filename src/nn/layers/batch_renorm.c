/// Batch renormalization: xh = (x - mean) / sd over the batch's rows,
///   y = act(gain (r xh + d) + shift)
///   r = sd / running sd,  d = (mean - running mean) / running sd
/// with r within [1/3, 3] and d within [-5, 5], and taken as constants by the backward pass. Within
/// these limits, training normalizes by the running statistics, as acting does.
/// Source: Ioffe, 2017. Constants, and the warm-up in which it is batch norm (r = 1, d = 0), as in
/// CrossQ (Bhatt et al., 2024). The running variance is that of the batch, not the unbiased one.
///
/// The warm-up counts training passes. Blocks of columns count for themselves, because threads
/// reduce them at once.
#include "base/base.h"
#include "nn/layers/batch_norm.h"

#include <math.h>

enum { COLUMNS = CELI_BATCH_COLUMNS };
static const double r_max = 3, d_max = 5;

static double limit(double x, double low, double high) {
  return x < low ? low : x > high ? high : x; // NaN stays NaN
}

static void reduce(const CeliPass *pass, int at, int64_t e, int64_t first, int64_t stop) {
  const CeliNode *node = &pass->net->node[at];
  const int64_t N = node->out;
  const double B = (double)pass->B, epsilon = node->layer.epsilon;
  const double momentum = node->layer.momentum;
  uint64_t *steps = node->steps + e * celi_divide_up(N, COLUMNS) + first / COLUMNS;
  const bool warm = node->layer.warmup < 0 || *steps >= (uint64_t)node->layer.warmup;
  double *batch = pass->use[at].batch + e * CELI_RENORM_STATS * N;
  double sum[COLUMNS], square[COLUMNS];
  celi_batch_sums(pass, at, e, first, stop, sum, square);
  for (int64_t n = first; n < stop; n++) {
    float *running = node->state[0] + e * N + n, *running_var = node->state[1] + e * N + n;
    const double mean = sum[n - first] / B, var = square[n - first] / B;
    const double sd = sqrt(var + epsilon), running_sd = sqrt((double)*running_var + epsilon);
    batch[CELI_BATCH_MEAN * N + n] = mean;
    batch[CELI_BATCH_INV_SD * N + n] = 1 / sd;
    batch[CELI_BATCH_R * N + n] = warm ? limit(sd / running_sd, 1 / r_max, r_max) : 1;
    batch[CELI_BATCH_D * N + n] =
        warm ? limit((mean - (double)*running) / running_sd, -d_max, d_max) : 0;
    celi_batch_move(running, momentum, mean);
    celi_batch_move(running_var, momentum, var);
  }
  ++*steps;
}

const CeliLayerKind celi_batch_renorm = {
    .name = "batch_renorm",
    .prefix = "batch_renorm.",
    .param_name = {"weight", "bias"},
    .state_name = {"mean", "var"},
    .epsilon = 1e-3,
    .momentum = 0.01,
    .warmup = 100000,
    .batch_stats = CELI_RENORM_STATS,
    .couples_rows = true,
    .out = celi_layer_same_width,
    .shape = celi_layer_vector,
    .init = celi_batch_init,
    .forward = celi_batch_forward,
    .backward = celi_batch_backward,
    .grad_parts = celi_batch_grad_parts,
    .grad = celi_batch_grad,
    .reduce = reduce,
    .reduce_backward = celi_batch_reduce_backward,
    .c_source = CELI_BATCH_C_SOURCE("batch_renorm"),
    .c_in_place = true,
    .c_math = true,
    .export_name = {"batch_renorm_gain", "batch_renorm_shift"},
    .export_state = {"batch_renorm_mean", "batch_renorm_var"},
    .onnx = {.op = "BatchNormalization",
             .value = "batch_renorm",
             .attribute = {{.name = "epsilon", .is_float = true}}}};
