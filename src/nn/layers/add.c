/// Residual sum: y = act(x + the output of an earlier layer).
///
/// The backward pass gives both the same gradient. The earlier layer takes its part from this
/// layer's dz (net.c).
///   tangent: t = t_in + the earlier layer's t
#include "nn/layer.h"

static void forward(const CeliRows *r) {
  const CeliOps *ops = celi_ops();
  const int64_t N = r->node->out;
  float *z = r->z ? r->z : r->y;
  for (int64_t b = r->begin; b < r->end; b++) {
    ops->axpby(z + b * N, 1, r->x + b * r->ldx, 0, N);
    ops->axpby(z + b * N, 1, r->skip + b * N, 1, N);
  }
  if (r->z || r->node->act != CELI_IDENTITY)
    ops->activation_forward(r->y, N, z, N, r->begin, r->end, N, r->node->act);
}

static void backward(const CeliRows *r) {
  const int64_t N = r->node->out;
  for (int64_t b = r->begin; b < r->end; b++)
    celi_ops()->axpby(r->dx + b * r->lddx, 1, r->dz + b * N, 0, N);
  if (r->act_in != CELI_IDENTITY)
    celi_ops()->activation_backward(r->dx, r->lddx, r->dx, r->lddx, r->a, N, r->begin, r->end, N,
                                    r->act_in);
}

static void tangent(const CeliTangentRows *t) {
  const int64_t N = t->rows.node->out;
  for (int64_t b = t->rows.begin; b < t->rows.end; b++) {
    celi_ops()->axpby(t->t + b * N, 1, t->t_in + b * N, 0, N);
    celi_ops()->axpby(t->t + b * N, 1, t->t_skip + b * N, 1, N);
  }
}

static const char c_source[] = "/* The sum with an earlier layer's outputs. */\n"
                               "static void $_add(float *y, const float *earlier, int n)\n"
                               "{\n"
                               "    int j;\n"
                               "    for (j = 0; j < n; j++) y[j] += earlier[j];\n"
                               "}\n";

const CeliLayerKind celi_add = {.name = "add",
                                .prefix = "",
                                .adds = true,
                                .out = celi_layer_same_width,
                                .forward = forward,
                                .backward = backward,
                                .tangent = tangent,
                                .c_source = c_source,
                                .c_in_place = true,
                                .onnx = {.op = "Add", .value = "sum"}};
