/// Batch norm: xh = (x - mean) / sd over the batch's rows, y = act(gain xh + shift).
/// Source: Ioffe and Szegedy, 2015; constants and the running statistics as in PyTorch.
///
/// Training takes mean and variance of each column over the whole batch, and moves the running
/// ones:
///   running += momentum (statistic - running), of the unbiased variance.
/// Otherwise the running statistics are used, and rows are independent.
///   training:  dx = gain / sd (dz - mean(dz) - xh mean(dz xh))
///   otherwise: dx = gain / sd dz
///   dgain = sum_b dz xh,   dshift = sum_b dz
/// Every column is summed by one thread over the rows in order, in double, so that the number of
/// threads changes no bit.
#include "nn/layers/batch_norm.h"
#include "base/base.h"

#include <math.h>

enum { COLUMNS = CELI_BATCH_COLUMNS };

void celi_batch_init(const CeliNode *node, int64_t e, CeliInit how, CelRng *rng) {
  const int64_t N = node->out;
  (void)how, (void)rng;
  celi_ops()->fill(node->param[0] + e * N, 1, N);
  celi_ops()->fill(node->param[1] + e * N, 0, N);
  celi_ops()->fill(node->state[0] + e * N, 0, N);
  celi_ops()->fill(node->state[1] + e * N, 1, N);
}

/// Statistics that normalize columns [first, stop).
typedef struct Statistics {
  double mean[COLUMNS], inv_sd[COLUMNS], r[COLUMNS], d[COLUMNS];
} Statistics;

static Statistics statistics(const CeliRows *r, int64_t first, int64_t stop) {
  const int64_t N = r->node->out;
  const bool renorm = r->train && r->node->layer.kind->batch_stats > CELI_BATCH_STATS;
  const double epsilon = r->node->layer.epsilon;
  Statistics s = {0};
  for (int64_t n = first; n < stop; n++) {
    const int64_t at = r->e * N + n, k = n - first;
    s.mean[k] = r->train ? r->batch[CELI_BATCH_MEAN * N + n] : (double)r->node->state[0][at];
    s.inv_sd[k] = r->train ? r->batch[CELI_BATCH_INV_SD * N + n]
                           : 1 / sqrt((double)r->node->state[1][at] + epsilon);
    s.r[k] = renorm ? r->batch[CELI_BATCH_R * N + n] : 1;
    s.d[k] = renorm ? r->batch[CELI_BATCH_D * N + n] : 0;
  }
  return s;
}

static void forward_columns(const CeliRows *r, float *y, int64_t first, int64_t stop) {
  const int64_t N = r->node->out;
  const float *gain = r->node->param[0] + r->e * N, *shift = r->node->param[1] + r->e * N;
  Statistics s = statistics(r, first, stop);
  // r (x - mean) inv_sd + d as one mean and one factor.
  for (int64_t k = 0; k < stop - first; k++) {
    if (s.d[k] < 0 || s.d[k] > 0) s.mean[k] -= s.d[k] / (s.r[k] * s.inv_sd[k]);
    s.inv_sd[k] *= s.r[k];
  }
  double g[COLUMNS], h[COLUMNS];
  for (int64_t n = first; n < stop; n++)
    g[n - first] = (double)gain[n], h[n - first] = (double)shift[n];
  celi_ops()->columns_affine(y + first, N, r->x + first, r->ldx, s.mean, s.inv_sd, g, h, r->begin,
                             r->end, stop - first);
}

static int64_t last_column(int64_t first, int64_t end) {
  return first + COLUMNS < end ? first + COLUMNS : end;
}

void celi_batch_forward(const CeliRows *r) {
  const int64_t N = r->node->out;
  float *z = r->z ? r->z : r->y;
  for (int64_t first = 0; first < N; first += COLUMNS)
    forward_columns(r, z, first, last_column(first, N));
  if (r->z || r->node->act != CELI_IDENTITY)
    celi_ops()->activation_forward(r->y, N, z, N, r->begin, r->end, N, r->node->act);
}

static void backward_columns(const CeliRows *r, int64_t first, int64_t stop) {
  const CeliNode *node = r->node;
  const int64_t N = node->out;
  const float *gain = node->param[0] + r->e * N;
  const Statistics s = statistics(r, first, stop);
  double factor[COLUMNS] = {0}, sum[COLUMNS] = {0}, product[COLUMNS] = {0};
  for (int64_t n = first; n < stop; n++) {
    factor[n - first] = (double)gain[n] * (s.inv_sd[n - first] * s.r[n - first]);
    if (!r->train) continue;
    sum[n - first] = r->batch[CELI_BATCH_SUM_DZ * N + n];
    product[n - first] = r->batch[CELI_BATCH_SUM_DZ_XH * N + n];
  }
  celi_ops()->columns_affine_backward(r->dx + first - node->dx_begin, r->lddx, r->dz + first, N,
                                      r->x + first, r->ldx, s.mean, s.inv_sd, factor, sum, product,
                                      r->begin, r->end, stop - first);
}

void celi_batch_backward(const CeliRows *r) {
  const CeliNode *node = r->node;
  for (int64_t first = node->dx_begin; first < node->dx_end; first += COLUMNS)
    backward_columns(r, first, last_column(first, node->dx_end));
  if (r->act_in != CELI_IDENTITY)
    celi_ops()->activation_backward(r->dx, r->lddx, r->dx, r->lddx, r->a, node->in, r->begin,
                                    r->end, node->dx_end - node->dx_begin, r->act_in);
}

int64_t celi_batch_grad_parts(const CeliNode *node, int64_t *cost) {
  *cost = 2;
  return celi_divide_up(node->out, COLUMNS);
}

/// Training: the sums that reduce_backward left. Otherwise added in float32 over the rows in
/// order, so that ranges of rows add up to the same bits however they are cut.
static void grad_column(const CeliRows *r, float *gain, float *shift, int64_t n,
                        const Statistics *s, int64_t k, bool more) {
  const int64_t N = r->node->out;
  if (r->train) {
    const double dz = r->batch[CELI_BATCH_SUM_DZ * N + n];
    *gain =
        (float)((r->batch[CELI_BATCH_SUM_DZ_XH * N + n] * s->r[k] + dz * s->d[k]) * (double)r->B);
    *shift = (float)(dz * (double)r->B);
    return;
  }
  if (!more) *gain = *shift = 0;
  for (int64_t b = r->begin; b < r->end; b++) {
    const float dz = r->dz[b * N + n];
    *gain += dz * (float)(((double)r->x[b * r->ldx + n] - s->mean[k]) * s->inv_sd[k]);
    *shift += dz;
  }
}

void celi_batch_grad(const CeliRows *r, float *const to[CELI_LAYER_PARAMS], int64_t first,
                     int64_t stop, bool more) {
  const int64_t N = r->node->out, end = stop * COLUMNS < N ? stop * COLUMNS : N;
  for (int64_t at = first * COLUMNS; at < end; at = last_column(at, end)) {
    const Statistics s = statistics(r, at, last_column(at, end));
    for (int64_t n = at; n < last_column(at, end); n++)
      grad_column(r, to[0] + r->e * N + n, to[1] + r->e * N + n, n, &s, n - at, more);
  }
}

void celi_batch_sums(const CeliPass *pass, int at, int64_t e, int64_t first, int64_t stop,
                     double sum[COLUMNS], double square[COLUMNS]) {
  const CeliOps *ops = celi_ops();
  double mean[COLUMNS];
  CeliRows r;
  for (int64_t k = 0; k < COLUMNS; k++) sum[k] = square[k] = 0;
  for (int i = 0; i < pass->threads; i++)
    if (celi_pass_range(pass, at, e, i, &r))
      ops->columns_sum(sum, r.x + first, r.ldx, r.begin, r.end, stop - first);
  for (int64_t k = 0; k < COLUMNS; k++) mean[k] = sum[k] / (double)pass->B;
  for (int i = 0; i < pass->threads; i++)
    if (celi_pass_range(pass, at, e, i, &r))
      ops->columns_square(square, r.x + first, r.ldx, mean, r.begin, r.end, stop - first);
}

/// Mean and variance of columns [first, stop), and the running ones a step further.
static void reduce(const CeliPass *pass, int at, int64_t e, int64_t first, int64_t stop) {
  const CeliNode *node = &pass->net->node[at];
  const int64_t N = node->out;
  const double B = (double)pass->B, momentum = node->layer.momentum;
  double *batch = pass->use[at].batch + e * CELI_BATCH_STATS * N;
  double sum[COLUMNS], square[COLUMNS];
  celi_batch_sums(pass, at, e, first, stop, sum, square);
  for (int64_t n = first; n < stop; n++) {
    const double mean = sum[n - first] / B, var = square[n - first] / B;
    const double unbiased = pass->B > 1 ? square[n - first] / (B - 1) : var;
    batch[CELI_BATCH_MEAN * N + n] = mean;
    batch[CELI_BATCH_INV_SD * N + n] = 1 / sqrt(var + node->layer.epsilon);
    celi_batch_move(&node->state[0][e * N + n], momentum, mean);
    celi_batch_move(&node->state[1][e * N + n], momentum, unbiased);
  }
}

/// Means of dz and dz xh over the batch, columns [first, stop).
void celi_batch_reduce_backward(const CeliPass *pass, int at, int64_t e, int64_t first,
                                int64_t stop) {
  const CeliNode *node = &pass->net->node[at];
  const int64_t N = node->out;
  double *batch = pass->use[at].batch + e * node->layer.kind->batch_stats * N;
  double sum[COLUMNS] = {0}, product[COLUMNS] = {0};
  CeliRows r;
  for (int i = 0; i < pass->threads; i++)
    if (celi_pass_range(pass, at, e, i, &r))
      celi_ops()->columns_product(
          sum, product, r.dz + first, N, r.x + first, r.ldx, batch + CELI_BATCH_MEAN * N + first,
          batch + CELI_BATCH_INV_SD * N + first, r.begin, r.end, stop - first);
  for (int64_t n = first; n < stop; n++) {
    batch[CELI_BATCH_SUM_DZ * N + n] = sum[n - first] / (double)pass->B;
    batch[CELI_BATCH_SUM_DZ_XH * N + n] = product[n - first] / (double)pass->B;
  }
}

const CeliLayerKind celi_batch_norm = {
    .name = "batch_norm",
    .prefix = "batch_norm.",
    .param_name = {"weight", "bias"},
    .state_name = {"mean", "var"},
    .epsilon = 1e-5, // PyTorch's
    .momentum = 0.1,
    .batch_stats = CELI_BATCH_STATS,
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
    .c_source = CELI_BATCH_C_SOURCE("batch_norm"),
    .c_in_place = true,
    .c_math = true,
    .export_name = {"batch_norm_gain", "batch_norm_shift"},
    .export_state = {"batch_norm_mean", "batch_norm_var"},
    .onnx = {.op = "BatchNormalization",
             .value = "batch_norm",
             .attribute = {{.name = "epsilon", .is_float = true}}}};
