/// RMS norm: xh = x / rms over a row, rms^2 = mean(x^2) + epsilon, y = act(gain xh).
/// Source: Zhang and Sennrich, 2019.
///
/// 1/rms of each row is kept for the backward pass.
///   dx = (gain dz - xh mean(gain dz xh)) / rms,   dgain = sum_b dz xh
///   tangent: t = gain (t_in - xh mean(xh t_in)) / rms + xh dgain
#include "base/base.h"
#include "nn/layer.h"

#include <math.h>

/// Columns of the gradient that are one part.
enum { COLUMNS = 16 };

static void shape(const CeliNode *node, int k, int64_t *rows, int64_t *columns) {
  CEL_ASSERT(k == 0);
  celi_layer_vector(node, k, rows, columns);
}

static void init(const CeliNode *node, int64_t e, CeliInit how, CelRng *rng) {
  (void)how, (void)rng;
  celi_ops()->fill(node->param[0] + e * node->out, 1, node->out);
}

static void forward(const CeliRows *r) {
  const int64_t N = r->node->out;
  const float *gain = r->node->param[0] + r->e * N;
  float *z = r->z ? r->z : r->y;
  for (int64_t b = r->begin; b < r->end; b++) {
    const float *x = r->x + b * r->ldx;
    const double square = (double)celi_ops()->sum_squares(x, N) / (double)N;
    const float inv_rms = (float)(1 / sqrt(square + r->node->layer.epsilon));
    r->row_stats[b] = inv_rms;
    for (int64_t n = 0; n < N; n++) z[b * N + n] = x[n] * inv_rms * gain[n];
  }
  if (r->z || r->node->act != CELI_IDENTITY)
    celi_ops()->activation_forward(r->y, N, z, N, r->begin, r->end, N, r->node->act);
}

static void backward(const CeliRows *r) {
  const CeliNode *node = r->node;
  const int64_t N = node->out, begin = node->dx_begin, end = node->dx_end;
  const float *gain = node->param[0] + r->e * N;
  for (int64_t b = r->begin; b < r->end; b++) {
    const float *x = r->x + b * r->ldx, *dz = r->dz + b * N, inv_rms = r->row_stats[b];
    float *dx = r->dx + b * r->lddx - begin;
    double dot = 0;
    for (int64_t n = 0; n < N; n++) dot += (double)(gain[n] * dz[n]) * (double)x[n];
    const float mean = (float)(dot / (double)N) * inv_rms; // of gain dz xh
    for (int64_t n = begin; n < end; n++)
      dx[n] = inv_rms * (gain[n] * dz[n] - x[n] * inv_rms * mean);
  }
  if (r->act_in != CELI_IDENTITY)
    celi_ops()->activation_backward(r->dx, r->lddx, r->dx, r->lddx, r->a, node->in, r->begin,
                                    r->end, end - begin, r->act_in);
}

static int64_t grad_parts(const CeliNode *node, int64_t *cost) {
  *cost = 1;
  return celi_divide_up(node->out, COLUMNS);
}

/// Added over the rows in order, so that ranges of rows add up to the same bits however they are
/// cut.
static void grad(const CeliRows *r, float *const to[CELI_LAYER_PARAMS], int64_t first, int64_t stop,
                 bool more) {
  const int64_t N = r->node->out, end = stop * COLUMNS < N ? stop * COLUMNS : N;
  float *gain = to[0] + r->e * N;
  if (!more) celi_ops()->fill(gain + first * COLUMNS, 0, end - first * COLUMNS);
  for (int64_t b = r->begin; b < r->end; b++)
    for (int64_t n = first * COLUMNS; n < end; n++)
      gain[n] += r->dz[b * N + n] * (r->x[b * r->ldx + n] * r->row_stats[b]);
}

static void tangent(const CeliTangentRows *t) {
  const CeliRows *r = &t->rows;
  const int64_t N = r->node->out;
  const float *gain = r->node->param[0];
  for (int64_t b = r->begin; b < r->end; b++) {
    const float *x = r->x + b * r->ldx, *in = t->t_in ? t->t_in + b * N : NULL;
    const float inv_rms = r->row_stats[b];
    float *to = t->t + b * N, mean = 0;
    for (int64_t n = 0; in && n < N; n++) mean += x[n] * inv_rms * in[n];
    mean /= (float)N;
    for (int64_t n = 0; n < N; n++) {
      const float xh = x[n] * inv_rms;
      to[n] = xh * t->param[0][n];
      if (in) to[n] += gain[n] * inv_rms * (in[n] - xh * mean);
    }
  }
}

static const char c_source[] =
    "/* Mean square 1 over a layer's outputs, then a gain of each. */\n"
    "static void $_rms_norm(float *y, const float *gain, float epsilon, int n)\n"
    "{\n"
    "    float square = 0.0f, scale;\n"
    "    int j;\n"
    "    for (j = 0; j < n; j++) square += y[j] * y[j];\n"
    "    scale = 1.0f / sqrtf(square / (float)n + epsilon);\n"
    "    for (j = 0; j < n; j++) y[j] = y[j] * scale * gain[j];\n"
    "}\n";

const CeliLayerKind celi_rms_norm = {.name = "rms_norm",
                                     .prefix = "rms_norm.",
                                     .param_name = {"weight"},
                                     .epsilon = 1e-6,
                                     .row_stats = 1,
                                     .out = celi_layer_same_width,
                                     .shape = shape,
                                     .init = init,
                                     .forward = forward,
                                     .backward = backward,
                                     .grad_parts = grad_parts,
                                     .grad = grad,
                                     .tangent = tangent,
                                     .c_source = c_source,
                                     .c_in_place = true,
                                     .c_math = true,
                                     .export_name = {"rms_norm_gain"},
                                     .onnx = {.op = "Mul", .value = "rms_norm"}};
