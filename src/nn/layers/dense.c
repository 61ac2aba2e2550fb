/// Dense layer: y = act(x W + b).
///
///   dx = (dz W^T) act_in'(x),   dW = x^T dz,   db = sum_b dz
///   tangent: t = x dW + db + t_in W
/// The backward pass reads W^T from a transposed copy that the plan keeps up to date.
#include "nn/layer.h"

static int64_t out(const CeliLayer *layer, int64_t in) {
  (void)in;
  return layer->out;
}

static void shape(const CeliNode *node, int k, int64_t *rows, int64_t *columns) {
  *rows = k == 0 ? node->in : 0;
  *columns = node->out;
}

static void init(const CeliNode *node, int64_t e, CeliInit how, CelRng *rng) {
  const int64_t K = node->in, N = node->out;
  celi_init_weights(node->param[0] + e * K * N, node->param[1] + e * N, K, N, how, node->layer.gain,
                    rng);
  if (node->layer.no_bias) celi_ops()->fill(node->param[1] + e * N, 0, N);
}

static void forward(const CeliRows *r) {
  const int64_t K = r->node->in, N = r->node->out;
  celi_ops()->dense_forward(r->y, N, r->z, N, r->x, r->ldx, r->node->param[0] + r->e * K * N,
                            r->node->param[1] + r->e * N, r->begin, r->end, K, N, r->node->act);
}

static void backward(const CeliRows *r) {
  const CeliNode *n = r->node;
  const int64_t N = n->out, C = n->dx_end - n->dx_begin;
  celi_ops()->dense_backward_data(r->dx, r->lddx, r->dz, N, n->transposed + r->e * N * C, r->a,
                                  n->in, r->begin, r->end, C, N, r->act_in);
}

/// Cost of a tile in half vectors of 16 columns; where N is small, lanes are rows.
static int64_t grad_parts(const CeliNode *node, int64_t *cost) {
  const int64_t N = node->out;
  const int64_t halves = 2 * celi_divide_up(N, 16) / celi_divide_up(N, CELI_TILE_COLUMNS);
  *cost = N <= 4 ? 1 : halves < 2 ? 2 : halves > 8 ? 8 : halves;
  return celi_dense_tiles(node->in, N);
}

static void grad(const CeliRows *r, float *const to[CELI_LAYER_PARAMS], int64_t first, int64_t stop,
                 bool more) {
  const int64_t K = r->node->in, N = r->node->out;
  // Without a bias, its gradient stays zero, as it was allocated.
  float *db = r->node->layer.no_bias ? NULL : to[1] + r->e * N;
  celi_ops()->dense_backward_weight(to[0] + r->e * K * N, db, r->x + r->begin * r->ldx, r->ldx,
                                    r->dz + r->begin * N, N, r->end - r->begin, K, N, first, stop,
                                    more);
}

static void tangent(const CeliTangentRows *t) {
  const CeliRows *r = &t->rows;
  const CeliOps *ops = celi_ops();
  const int64_t K = r->node->in, N = r->node->out;
  ops->dense_forward(t->t, N, NULL, 0, r->x, r->ldx, t->param[0], t->param[1], r->begin, r->end, K,
                     N, CELI_IDENTITY);
  if (!t->t_in) return;
  ops->dense_forward(t->scratch, t->ld_scratch, NULL, 0, t->t_in, K, r->node->param[0], NULL,
                     r->begin, r->end, K, N, CELI_IDENTITY);
  for (int64_t b = r->begin; b < r->end; b++)
    ops->axpby(t->t + b * N, 1, t->scratch + b * t->ld_scratch, 1, N);
}

static const char c_source[] =
    "/* y = b + x W, W (in, out). */\n"
    "static void $_dense(float *y, const float *x, const float *W, const float *b,\n"
    "    int in, int out)\n"
    "{\n"
    "    int i, j;\n"
    "    for (j = 0; j < out; j++) y[j] = b[j];\n"
    "    for (i = 0; i < in; i++) {\n"
    "        for (j = 0; j < out; j++) y[j] += x[i] * W[i * out + j];\n"
    "    }\n"
    "}\n";

const CeliLayerKind celi_dense = {.name = "dense",
                                  .prefix = "",
                                  .param_name = {"weight", "bias"},
                                  .transposes = true,
                                  .out = out,
                                  .shape = shape,
                                  .init = init,
                                  .forward = forward,
                                  .backward = backward,
                                  .grad_parts = grad_parts,
                                  .grad = grad,
                                  .tangent = tangent,
                                  .c_source = c_source,
                                  .export_name = {"weight", "bias"},
                                  .onnx = {.op = "Gemm", .value = "linear"}};
