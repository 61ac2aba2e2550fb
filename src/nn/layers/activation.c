/// Activation functions. A new one is a row here, a value of CeliActivation, and its two kernels in
/// ops/dense_impl.h.
///
/// An activation behind another layer is merged into that layer. This file's functions serve only
/// one that has no layer to merge into: the first of a list, or one behind another activation.
#include "nn/layer.h"

const CeliActivationInfo celi_activations[CELI_ACTIVATIONS] = {
    [CELI_IDENTITY] = {.name = "identity"},
    [CELI_RELU] = {.name = "relu",
                   .c_expr = "y[j] > 0.0f ? y[j] : 0.0f",
                   .onnx = {.op = "Relu", .value = "hidden"}},
    [CELI_TANH] = {.name = "tanh",
                   .c_expr = "tanhf(y[j])",
                   .c_math = true,
                   .onnx = {.op = "Tanh", .value = "hidden"}},
    [CELI_SILU] = {.name = "silu",
                   .reads_input = true,
                   .c_expr = "y[j] / (1.0f + expf(-y[j]))",
                   .c_math = true,
                   .onnx = {.op = "Sigmoid", .value = "hidden", .times_input = true}},
    [CELI_GELU] = {.name = "gelu",
                   .reads_input = true,
                   .c_expr = "0.5f * y[j] * erfcf(-0.70710678f * y[j])",
                   .c_math = true,
                   .onnx = {.op = "Gelu", .value = "hidden", .opset = 20, .ir = 9}},
    [CELI_LEAKY_RELU] = {.name = "leaky_relu",
                         .c_expr = "y[j] > 0.0f ? y[j] : 0.01f * y[j]",
                         .onnx = {.op = "LeakyRelu",
                                  .value = "hidden",
                                  .attribute = {{.name = "alpha", .is_float = true, .f = 0.01f}}}},
};

static void copy_rows(float *to, ptrdiff_t ldt, const float *from, ptrdiff_t ldf, const CeliRows *r,
                      int64_t columns) {
  for (int64_t b = r->begin; b < r->end; b++)
    celi_ops()->axpby(to + b * ldt, 1, from + b * ldf, 0, columns);
}

static void forward(const CeliRows *r) {
  const int64_t N = r->node->out;
  if (r->z) copy_rows(r->z, N, r->x, r->ldx, r, N);
  celi_ops()->activation_forward(r->y, N, r->x, r->ldx, r->begin, r->end, N, r->node->act);
}

static void backward(const CeliRows *r) {
  const CeliNode *n = r->node;
  copy_rows(r->dx, r->lddx, r->dz + n->dx_begin, n->out, r, n->dx_end - n->dx_begin);
  celi_ops()->activation_backward(r->dx, r->lddx, r->dx, r->lddx, r->a, n->in, r->begin, r->end,
                                  n->dx_end - n->dx_begin, r->act_in);
}

static void tangent(const CeliTangentRows *t) {
  const int64_t N = t->rows.node->out;
  for (int64_t b = t->rows.begin; b < t->rows.end; b++) {
    if (t->t_in)
      celi_ops()->axpby(t->t + b * N, 1, t->t_in + b * N, 0, N);
    else
      celi_ops()->fill(t->t + b * N, 0, N);
  }
}

const CeliLayerKind celi_activation = {.name = "activation",
                                       .prefix = "",
                                       .out = celi_layer_same_width,
                                       .forward = forward,
                                       .backward = backward,
                                       .tangent = tangent,
                                       .c_in_place = true};
