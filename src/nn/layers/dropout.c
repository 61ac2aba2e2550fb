/// Dropout: y = act(x m / (1 - rate)), where m is 0 with probability `rate` and otherwise 1.
/// Source: Srivastava et al., 2014; in critics: Hiraoka et al., 2022 (DroQ).
///
/// Only passes with noise (celi_pass_drop) drop anything. Acting and exported policies do not have
/// this layer. The noise is drawn again by the backward pass: element n of row b of member e is
/// word n % 4 of block counter + (e B + b) blocks + n / 4, so threads change no bit.
#include "base/base.h"
#include "nn/layer.h"

/// Columns that are drawn at a time: whole blocks.
enum { CHUNK = 64 };

static bool drops(const CeliRows *r) {
  return r->dropout && r->node->layer.rate > 0;
}

/// Factors of columns [at, at + count) of row b.
static void factors(const CeliRows *r, int64_t b, int64_t at, int64_t count, float factor[CHUNK]) {
  const float rate = (float)r->node->layer.rate, kept = 1 / (1 - rate);
  const int64_t blocks = celi_divide_up(r->node->out, 4);
  const uint64_t from = (uint64_t)((r->e * r->B + b) * blocks + at / 4);
  celi_ops()->uniform(factor, r->dropout->seed, CEL_RNG_DROPOUT, r->stream,
                      *r->dropout->counter + from, 0, count);
  for (int64_t n = 0; n < count; n++) factor[n] = factor[n] < rate ? 0 : kept;
}

static void forward(const CeliRows *r) {
  const CeliOps *ops = celi_ops();
  const int64_t N = r->node->out;
  float *z = r->z ? r->z : r->y, factor[CHUNK];
  for (int64_t b = r->begin; b < r->end; b++) {
    const float *x = r->x + b * r->ldx;
    if (!drops(r)) ops->axpby(z + b * N, 1, x, 0, N);
    for (int64_t at = 0; drops(r) && at < N; at += CHUNK) {
      const int64_t count = N - at < CHUNK ? N - at : CHUNK;
      factors(r, b, at, count, factor);
      for (int64_t n = 0; n < count; n++) z[b * N + at + n] = x[at + n] * factor[n];
    }
  }
  if (r->z || r->node->act != CELI_IDENTITY)
    ops->activation_forward(r->y, N, z, N, r->begin, r->end, N, r->node->act);
}

static void backward(const CeliRows *r) {
  const CeliNode *node = r->node;
  const int64_t N = node->out, begin = node->dx_begin, end = node->dx_end;
  float factor[CHUNK];
  for (int64_t b = r->begin; b < r->end; b++) {
    const float *dz = r->dz + b * N;
    float *dx = r->dx + b * r->lddx;
    if (!drops(r)) celi_ops()->axpby(dx, 1, dz + begin, 0, end - begin);
    for (int64_t at = begin / CHUNK * CHUNK; drops(r) && at < end; at += CHUNK) {
      const int64_t count = N - at < CHUNK ? N - at : CHUNK;
      factors(r, b, at, count, factor);
      for (int64_t n = at < begin ? begin : at; n < at + count && n < end; n++)
        dx[n - begin] = dz[n] * factor[n - at];
    }
  }
  if (r->act_in != CELI_IDENTITY)
    celi_ops()->activation_backward(r->dx, r->lddx, r->dx, r->lddx, r->a, node->in, r->begin,
                                    r->end, end - begin, r->act_in);
}

const CeliLayerKind celi_dropout = {.name = "dropout",
                                    .prefix = "",
                                    .training_only = true,
                                    .out = celi_layer_same_width,
                                    .forward = forward,
                                    .backward = backward};
