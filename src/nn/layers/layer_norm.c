/// Layer norm: xh = (x - mean) / sd over a row, y = act(gain xh + shift). Source: Ba et al., 2016.
///
/// Mean and 1/sd of each row are kept for the backward pass.
///   tangent: t = gain (t_in - mean(t_in) - xh mean(xh t_in)) / sd + xh dgain + dshift
#include "base/base.h"
#include "nn/layer.h"

/// Columns of the gradients that are one part.
enum { COLUMNS = 16 };

static void init(const CeliNode *node, int64_t e, CeliInit how, CelRng *rng) {
  (void)how, (void)rng;
  celi_ops()->fill(node->param[0] + e * node->out, 1, node->out);
  celi_ops()->fill(node->param[1] + e * node->out, 0, node->out);
}

static void forward(const CeliRows *r) {
  const int64_t N = r->node->out;
  celi_ops()->layer_norm_forward(r->y, N, r->z, N, r->row_stats, r->x, r->ldx,
                                 r->node->param[0] + r->e * N, r->node->param[1] + r->e * N,
                                 (float)r->node->layer.epsilon, r->begin, r->end, N, r->node->act);
}

static void backward(const CeliRows *r) {
  const CeliNode *n = r->node;
  const int64_t N = n->out;
  CEL_ASSERT(n->dx_begin == 0 && n->dx_end == N); // net.c refuses a part of its input's gradient
  celi_ops()->layer_norm_backward(r->dx, r->lddx, r->dz, N, r->x, r->ldx, r->row_stats,
                                  n->param[0] + r->e * N, r->begin, r->end, N);
  if (r->act_in != CELI_IDENTITY)
    celi_ops()->activation_backward(r->dx, r->lddx, r->dx, r->lddx, r->a, N, r->begin, r->end, N,
                                    r->act_in);
}

static int64_t grad_parts(const CeliNode *node, int64_t *cost) {
  *cost = 1;
  return celi_divide_up(node->out, COLUMNS);
}

static void grad(const CeliRows *r, float *const to[CELI_LAYER_PARAMS], int64_t first, int64_t stop,
                 bool more) {
  const int64_t N = r->node->out, end = stop * COLUMNS < N ? stop * COLUMNS : N;
  celi_ops()->layer_norm_backward_gain(
      to[0] + r->e * N, to[1] + r->e * N, r->dz + r->begin * N, N, r->x + r->begin * r->ldx, r->ldx,
      r->row_stats + r->begin * 2, r->end - r->begin, first * COLUMNS, end, more);
}

static void tangent(const CeliTangentRows *t) {
  const CeliRows *r = &t->rows;
  const int64_t N = r->node->out;
  const float *gain = r->node->param[0];
  for (int64_t b = r->begin; b < r->end; b++) {
    const float *x = r->x + b * r->ldx, *in = t->t_in ? t->t_in + b * N : NULL;
    const float mean = r->row_stats[2 * b], inv_sd = r->row_stats[2 * b + 1];
    float *to = t->t + b * N, mean_t = 0, mean_xt = 0;
    for (int64_t n = 0; in && n < N; n++) {
      mean_t += in[n];
      mean_xt += (x[n] - mean) * inv_sd * in[n];
    }
    mean_t /= (float)N;
    mean_xt /= (float)N;
    for (int64_t n = 0; n < N; n++) {
      const float xh = (x[n] - mean) * inv_sd;
      to[n] = xh * t->param[0][n] + t->param[1][n];
      if (in) to[n] += gain[n] * inv_sd * (in[n] - mean_t - xh * mean_xt);
    }
  }
}

static const char c_source[] =
    "/* Mean 0 and variance 1 over a layer's outputs, then a gain and a shift of each. */\n"
    "static void $_layer_norm(float *y, const float *gain, const float *shift, float epsilon,\n"
    "    int n)\n"
    "{\n"
    "    float mean = 0.0f, var = 0.0f, scale;\n"
    "    int j;\n"
    "    for (j = 0; j < n; j++) mean += y[j];\n"
    "    mean /= (float)n;\n"
    "    for (j = 0; j < n; j++) var += (y[j] - mean) * (y[j] - mean);\n"
    "    scale = 1.0f / sqrtf(var / (float)n + epsilon);\n"
    "    for (j = 0; j < n; j++) y[j] = (y[j] - mean) * scale * gain[j] + shift[j];\n"
    "}\n";

const CeliLayerKind celi_layer_norm = {
    .name = "layer_norm",
    .prefix = "norm.",
    .param_name = {"weight", "bias"},
    .epsilon = 1e-5, // PyTorch's
    .row_stats = 2,
    .out = celi_layer_same_width,
    .shape = celi_layer_vector,
    .init = init,
    .forward = forward,
    .backward = backward,
    .grad_parts = grad_parts,
    .grad = grad,
    .tangent = tangent,
    .c_source = c_source,
    .c_in_place = true,
    .c_math = true,
    .export_name = {"norm_gain", "norm_shift"},
    .onnx = {.op = "LayerNormalization",
             .value = "norm",
             .opset = 17,
             .ir = 8,
             .attribute = {{.name = "axis", .i = -1}, {.name = "epsilon", .is_float = true}}}};
