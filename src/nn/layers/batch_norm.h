/// What the normalizations over a batch share (batch_norm.c): all but the statistics of training.
#ifndef CELI_LAYERS_BATCH_NORM_H
#define CELI_LAYERS_BATCH_NORM_H
#include "nn/net.h"

/// Columns that one thread sums at a time.
enum { CELI_BATCH_COLUMNS = CELI_REDUCE_COLUMNS };

/// Rows of a training pass's statistics (CeliRows.batch). Training computes
///   xh = (x - mean) inv_sd,  y = act(gain (r xh + d) + shift)
/// and takes r and d as constants. Kinds with fewer rows have r = 1 and d = 0.
enum {
  CELI_BATCH_MEAN,
  CELI_BATCH_INV_SD,
  CELI_BATCH_SUM_DZ,    ///< mean of dz over the batch
  CELI_BATCH_SUM_DZ_XH, ///< mean of dz xh
  CELI_BATCH_STATS,
  CELI_BATCH_R = CELI_BATCH_STATS,
  CELI_BATCH_D,
  CELI_RENORM_STATS
};

void celi_batch_init(const CeliNode *node, int64_t e, CeliInit how, CelRng *rng);
void celi_batch_forward(const CeliRows *rows);
void celi_batch_backward(const CeliRows *rows);
int64_t celi_batch_grad_parts(const CeliNode *node, int64_t *cost);
void celi_batch_grad(const CeliRows *rows, float *const to[CELI_LAYER_PARAMS], int64_t first,
                     int64_t stop, bool more);
void celi_batch_reduce_backward(const CeliPass *pass, int at, int64_t e, int64_t first,
                                int64_t stop);
/// Sums and sums of squares around the mean of columns [first, stop) over the batch.
void celi_batch_sums(const CeliPass *pass, int at, int64_t e, int64_t first, int64_t stop,
                     double sum[CELI_BATCH_COLUMNS], double square[CELI_BATCH_COLUMNS]);
/// Moves a running statistic.
static inline void celi_batch_move(float *running, double momentum, double statistic) {
  *running = (float)((1 - momentum) * (double)*running + momentum * statistic);
}

/// Acting in exported C.
#define CELI_BATCH_C_SOURCE(name)                                                                  \
  "/* Running mean and variance of each output, then a gain and a shift of each. */\n"             \
  "static void $_" name "(float *y, const float *gain, const float *shift,\n"                      \
  "    const float *mean, const float *var, float epsilon, int n)\n"                               \
  "{\n"                                                                                            \
  "    int j;\n"                                                                                   \
  "    for (j = 0; j < n; j++) {\n"                                                                \
  "        y[j] = (y[j] - mean[j]) / sqrtf(var[j] + epsilon) * gain[j] + shift[j];\n"              \
  "    }\n"                                                                                        \
  "}\n"

#endif
