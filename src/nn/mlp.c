/// Ensembles of multilayer perceptrons.
///
/// Forward, layer l of member e:   N = X W + b,  Z = layer norm of N (or N),  Y = act(Z);  the last layer is linear.
/// Backward, from dN of layer l:   dY_{l-1} = dN_l W_l^T,  dZ = dY * act'(Z),  dN = layer norm's backward of dZ;
///                                 dW_l = X_l^T dN_l,  db_l = sum over rows of dN_l.
/// A row of the batch never meets another one before the weight gradients, so the whole of forward and of
/// backward-to-the-data is one operation on rows; a thread takes its rows through all layers in blocks that
/// stay in the cache.
#include "nn/mlp.h"
#include "base/base.h"

#include <stdio.h>
#include <string.h>

#define LAYER_NORM_EPSILON 1e-5f
/// Rows that go through all layers together.
#define ROW_BLOCK 64

/// Columns of the input's gradient that are wanted.
static int64_t input_columns(const CeliMlpSpec *spec) {
  return spec->dx_end > 0 ? spec->dx_end - spec->dx_begin : spec->in;
}

/// Rows of W[l] that the transpose of layer l holds, and the first of them.
static int64_t transposed_rows(const CeliMlp *net, int l) {
  return l == 0 ? input_columns(&net->spec) : net->width[l];
}

static int64_t size_of(const CeliMlp *net, int l) {
  return net->width[l] * net->width[l + 1];
}

// ---- declare.

static CelStatus shape_from(CeliMlp *net, const CeliMlpSpec *spec) {
  net->spec = *spec;
  net->L = spec->hidden.n + 1;
  net->width[0] = spec->in;
  for (int l = 0; l < spec->hidden.n; l++) net->width[l + 1] = spec->hidden.v[l];
  net->width[net->L] = spec->out;
  if (spec->E < 1 || spec->hidden.n < 0 || spec->hidden.n > CEL_LIST_MAX)
    return cel_fail(CEL_E_RANGE, "a network needs at least one member and at most %d hidden layers",
                    CEL_LIST_MAX);
  for (int l = 0; l <= net->L; l++)
    if (net->width[l] < 1 || net->width[l] > 1 << 20)
      return cel_fail(CEL_E_RANGE,
                      "layer %d of a network has width %lld; it must lie in 1 to 1048576", l,
                      (long long)net->width[l]);
  return CEL_OK;
}

/// One tensor of a layer: "PREFIX NAME.l.WHAT" with a leading E.
static CelStatus declare_one(CelTensors *tensors, const char *prefix, const char *name, int l,
                             const char *what, CelRole role, void *place, int ndim, int64_t E,
                             int64_t a, int64_t b) {
  char full[CEL_NAME_MAX + 64];
  const int64_t shape[3] = {E, a, b};
  snprintf(full, sizeof full, "%s%s.%d.%s", prefix, name, l, what);
  return cel_tensors_declare(tensors, full, CEL_F32, role, place, ndim, shape);
}

/// Weights, biases, gains and shifts of all layers; places may be NULL.
static CelStatus declare_layers(CelTensors *tensors, const char *prefix, const char *name,
                                CelRole role, const CeliMlp *net, float **W, float **b, float **g,
                                float **h) {
  const int64_t E = net->spec.E;
  for (int l = 0; l < net->L; l++) {
    const int64_t K = net->width[l], N = net->width[l + 1];
    CELI_TRY(declare_one(tensors, prefix, name, l, "weight", role, W ? &W[l] : NULL, 3, E, K, N));
    CELI_TRY(declare_one(tensors, prefix, name, l, "bias", role, b ? &b[l] : NULL, 2, E, N, 0));
    if (!net->spec.layer_norm || l == net->L - 1) continue;
    CELI_TRY(
        declare_one(tensors, prefix, name, l, "norm.weight", role, g ? &g[l] : NULL, 2, E, N, 0));
    CELI_TRY(
        declare_one(tensors, prefix, name, l, "norm.bias", role, h ? &h[l] : NULL, 2, E, N, 0));
  }
  return CEL_OK;
}

CelStatus celi_mlp_declare(CeliMlp *net, CelTensors *tensors, const char *name, CelRole role,
                           const CeliMlpSpec *spec) {
  memset(net, 0, sizeof *net);
  CELI_TRY(shape_from(net, spec));
  CELI_TRY(declare_layers(tensors, "", name, role, net, net->W, net->b, net->g, net->h));
  if (role != CEL_PARAM) return CEL_OK;
  for (int l = 0; l < net->L; l++)
    if (transposed_rows(net, l) > 0)
      CELI_TRY(declare_one(tensors, "transpose.", name, l, "weight", CEL_SCRATCH, &net->Wt[l], 3,
                           spec->E, net->width[l + 1], transposed_rows(net, l)));
  return CEL_OK;
}

CelStatus celi_mlp_declare_grad(CeliMlpGrad *grad, CelTensors *tensors, const char *name,
                                CelRole role, const CeliMlpSpec *spec) {
  CeliMlp shape;
  memset(&shape, 0, sizeof shape);
  CELI_TRY(shape_from(&shape, spec));
  const char *prefix = role == CEL_GRAD ? "grad." : role == CEL_MOMENT1 ? "adam.m." : "adam.v.";
  CEL_ASSERT(role == CEL_GRAD || role == CEL_MOMENT1 || role == CEL_MOMENT2);
  if (!grad) return declare_layers(tensors, prefix, name, role, &shape, NULL, NULL, NULL, NULL);
  memset(grad, 0, sizeof *grad);
  return declare_layers(tensors, prefix, name, role, &shape, grad->W, grad->b, grad->g, grad->h);
}

CelStatus celi_mlp_declare_pass(CeliMlpPass *pass, CelTensors *tensors, const char *name,
                                const CeliMlp *net, int64_t B, bool backward) {
  const int64_t E = net->spec.E;
  memset(pass, 0, sizeof *pass);
  pass->net = net, pass->B = B;
  for (int l = 0; l < net->L; l++) {
    const int64_t N = net->width[l + 1];
    const bool hidden = l < net->L - 1, norm = hidden && net->spec.layer_norm;
    const bool keep = hidden && backward && net->spec.activation == CELI_SILU;
    CELI_TRY(declare_one(tensors, "", name, l, "Y", CEL_SCRATCH, &pass->Y[l], 3, E, B, N));
    if (keep)
      CELI_TRY(declare_one(tensors, "", name, l, "Z", CEL_SCRATCH, &pass->Z[l], 3, E, B, N));
    if (norm)
      CELI_TRY(declare_one(tensors, "", name, l, "N", CEL_SCRATCH, &pass->N[l], 3, E, B, N));
    if (norm)
      CELI_TRY(
          declare_one(tensors, "", name, l, "stats", CEL_SCRATCH, &pass->stats[l], 3, E, B, 2));
    if (backward)
      CELI_TRY(declare_one(tensors, "", name, l, "dY", CEL_SCRATCH, &pass->dY[l], 3, E, B, N));
    if (backward && norm)
      CELI_TRY(declare_one(tensors, "", name, l, "dZ", CEL_SCRATCH, &pass->dZ[l], 3, E, B, N));
  }
  if (backward && E > 1)
    CELI_TRY(declare_one(tensors, "", name, 0, "dX", CEL_SCRATCH, &pass->dX_member, 2, B,
                         net->width[0], 0));
  return CEL_OK;
}

// ---- transposes: rows of all Wt, layer by layer and member by member, counted through.

static int64_t transpose_count(const CeliMlp *net) {
  int64_t rows = 0;
  for (int l = 0; l < net->L; l++) rows += net->Wt[l] ? net->width[l + 1] : 0;
  return net->spec.E * rows;
}

/// The part of [begin, end) that falls on the next `count` rows after *first, relative to them; moves *first on.
static bool overlap(int64_t *first, int64_t count, int64_t begin, int64_t end, int64_t *from,
                    int64_t *to) {
  const int64_t start = *first;
  *first += count;
  *from = begin > start ? begin - start : 0;
  *to = end < start + count ? end - start : count;
  return *from < *to;
}

static void transpose_range(const CeliMlp *net, int64_t begin, int64_t end) {
  int64_t first = 0, from, to;
  for (int64_t e = 0; e < net->spec.E; e++)
    for (int l = 0; l < net->L; l++) {
      const int64_t K = transposed_rows(net, l), N = net->width[l + 1];
      if (!net->Wt[l] || !overlap(&first, N, begin, end, &from, &to)) continue;
      const float *W = net->W[l] + e * size_of(net, l) + (l == 0 ? net->spec.dx_begin * N : 0);
      celi_ops()->transpose(net->Wt[l] + e * K * N, W, K, N, from, to);
    }
}

void celi_mlp_transpose(CeliMlp *net) {
  transpose_range(net, 0, transpose_count(net));
}

static void op_transpose(const void *args, int64_t begin, int64_t end) {
  transpose_range(*(const CeliMlp *const *)args, begin, end);
}

void celi_mlp_plan_transpose(CeliPlan *plan, CeliMlp *net, bool with_previous) {
  celi_plan_add(plan, "transposes", op_transpose, CELI_PARTS, transpose_count(net), 16,
                with_previous, &net, sizeof net);
}

// ---- forward.

static void forward_layer(const CeliMlpPass *pass, int l, int64_t e, int64_t begin, int64_t end) {
  const CeliMlp *net = pass->net;
  const CeliOps *ops = celi_ops();
  const int64_t B = pass->B, K = net->width[l], N = net->width[l + 1];
  const float *X = l == 0 ? pass->X : pass->Y[l - 1] + e * B * K;
  const ptrdiff_t ldx = l == 0 ? pass->ldx : K;
  const float *W = net->W[l] + e * K * N, *b = net->b[l] + e * N;
  const CeliActivation act = l == net->L - 1 ? CELI_IDENTITY : net->spec.activation;
  float *Y = pass->Y[l] + e * B * N, *Z = pass->Z[l] ? pass->Z[l] + e * B * N : NULL;
  if (!pass->N[l]) {
    ops->dense_forward(Y, N, Z, N, X, ldx, W, b, begin, end, K, N, act);
    return;
  }
  float *before = pass->N[l] + e * B * N;
  ops->dense_forward(before, N, NULL, 0, X, ldx, W, b, begin, end, K, N, CELI_IDENTITY);
  ops->layer_norm_forward(Y, N, Z, N, pass->stats[l] + e * B * 2, before, N, net->g[l] + e * N,
                          net->h[l] + e * N, LAYER_NORM_EPSILON, begin, end, N, act);
}

void celi_mlp_forward(const CeliMlpPass *pass, int64_t begin, int64_t end) {
  for (int64_t e = 0; e < pass->net->spec.E; e++)
    for (int64_t row = begin; row < end; row += ROW_BLOCK)
      for (int l = 0; l < pass->net->L; l++)
        forward_layer(pass, l, e, row, row + ROW_BLOCK < end ? row + ROW_BLOCK : end);
}

static void op_forward(const void *args, int64_t begin, int64_t end) {
  celi_mlp_forward(*(const CeliMlpPass *const *)args, begin, end);
}

void celi_mlp_plan_forward(CeliPlan *plan, const CeliMlpPass *pass) {
  celi_plan_add(plan, "forward", op_forward, CELI_ROWS, pass->B, CELI_ROW_GRAIN, false, &pass,
                sizeof pass);
}

// ---- backward to the data.

/// dN of layer l-1 from dN of layer l, rows [begin, end) of member e.
static void backward_layer(const CeliMlpPass *pass, int l, int64_t e, int64_t begin, int64_t end) {
  const CeliMlp *net = pass->net;
  const CeliOps *ops = celi_ops();
  const int64_t B = pass->B, K = net->width[l], N = net->width[l + 1];
  const CeliActivation act = net->spec.activation;
  const float *A = (act == CELI_SILU ? pass->Z[l - 1] : pass->Y[l - 1]) + e * B * K;
  const float *dN = pass->dY[l] + e * B * N;
  float *out = pass->dY[l - 1] + e * B * K,
        *dZ = pass->dZ[l - 1] ? pass->dZ[l - 1] + e * B * K : out;
  if (pass->dH && l == net->L - 1) {
    ops->dense_backward_data(dZ, K, dN, N, net->Wt[l] + e * K * N, NULL, 0, begin, end, K, N,
                             CELI_IDENTITY);
    ops->axpby(dZ + begin * K, 1, pass->dH + (e * B + begin) * K, 1, (end - begin) * K);
    ops->activation_backward(dZ, K, dZ, K, A, K, begin, end, K, act);
  } else {
    ops->dense_backward_data(dZ, K, dN, N, net->Wt[l] + e * K * N, A, K, begin, end, K, N, act);
  }
  if (dZ != out)
    ops->layer_norm_backward(out, K, dZ, K, pass->N[l - 1] + e * B * K, K,
                             pass->stats[l - 1] + e * B * 2, net->g[l - 1] + e * K, begin, end, K);
}

typedef struct BackwardArgs {
  const CeliMlpPass *pass;
  float *dX;
  ptrdiff_t lddx;
} BackwardArgs;

/// Columns of the input's gradient from dN of layer 0, added up over members in order.
static void backward_input(const BackwardArgs *a, int64_t e, int64_t begin, int64_t end) {
  const CeliMlp *net = a->pass->net;
  const CeliOps *ops = celi_ops();
  const int64_t N = net->width[1], K = input_columns(&net->spec);
  const float *Wt = net->Wt[0] + e * K * N;
  float *out = e == 0 ? a->dX : a->pass->dX_member;
  const ptrdiff_t ld = e == 0 ? a->lddx : K;
  ops->dense_backward_data(out, ld, a->pass->dY[0] + e * a->pass->B * N, N, Wt, NULL, 0, begin, end,
                           K, N, CELI_IDENTITY);
  for (int64_t row = begin; e > 0 && row < end; row++)
    for (int64_t k = 0; k < K; k++) a->dX[row * a->lddx + k] += out[row * ld + k];
}

static void op_backward(const void *args, int64_t begin, int64_t end) {
  const BackwardArgs *a = args;
  const CeliMlp *net = a->pass->net;
  for (int64_t e = 0; e < net->spec.E; e++)
    for (int64_t row = begin; row < end; row += ROW_BLOCK) {
      const int64_t stop = row + ROW_BLOCK < end ? row + ROW_BLOCK : end;
      for (int l = net->L - 1; l > 0; l--) backward_layer(a->pass, l, e, row, stop);
      if (a->dX) backward_input(a, e, row, stop);
    }
}

void celi_mlp_plan_backward_data(CeliPlan *plan, const CeliMlpPass *pass, float *dX,
                                 ptrdiff_t lddx) {
  CEL_ASSERT(!dX || input_columns(&pass->net->spec) == pass->net->width[0]);
  const BackwardArgs args = {pass, dX, lddx};
  celi_plan_add(plan, "backward", op_backward, CELI_ROWS, pass->B, CELI_ROW_GRAIN, false, &args,
                sizeof args);
}

void celi_mlp_plan_backward_data_columns(CeliPlan *plan, const CeliMlpPass *pass, float *dX,
                                         ptrdiff_t lddx, int64_t begin, int64_t end) {
  CEL_ASSERT(begin == pass->net->spec.dx_begin && end == pass->net->spec.dx_end && end > begin);
  const BackwardArgs args = {pass, dX, lddx};
  celi_plan_add(plan, "backward", op_backward, CELI_ROWS, pass->B, CELI_ROW_GRAIN, false, &args,
                sizeof args);
}

// ---- backward to the parameters: tiles of all layers and members, counted through, then layer norm's columns.

typedef struct WeightArgs {
  const CeliMlpPass *pass;
  const CeliMlpGrad *grad;
} WeightArgs;

static void op_weights(const void *args, int64_t begin, int64_t end) {
  const WeightArgs *a = args;
  const CeliMlpPass *pass = a->pass;
  const CeliMlp *net = pass->net;
  int64_t first = 0, from, to;
  for (int64_t e = 0; e < net->spec.E; e++)
    for (int l = 0; l < net->L; l++) {
      const int64_t K = net->width[l], N = net->width[l + 1], B = pass->B;
      if (!overlap(&first, celi_dense_tiles(K, N), begin, end, &from, &to)) continue;
      const float *X = l == 0 ? pass->X : pass->Y[l - 1] + e * B * K;
      celi_ops()->dense_backward_weight(a->grad->W[l] + e * K * N, a->grad->b[l] + e * N, X,
                                        l == 0 ? pass->ldx : K, pass->dY[l] + e * B * N, N, B, K, N,
                                        from, to);
    }
}

static void op_gains(const void *args, int64_t begin, int64_t end) {
  const WeightArgs *a = args;
  const CeliMlpPass *pass = a->pass;
  const CeliMlp *net = pass->net;
  int64_t first = 0, from, to;
  for (int64_t e = 0; e < net->spec.E; e++)
    for (int l = 0; l < net->L - 1; l++) {
      const int64_t N = net->width[l + 1], B = pass->B;
      if (!overlap(&first, N, begin, end, &from, &to)) continue;
      celi_ops()->layer_norm_backward_gain(a->grad->g[l] + e * N, a->grad->h[l] + e * N,
                                           pass->dZ[l] + e * B * N, N, pass->N[l] + e * B * N, N,
                                           pass->stats[l] + e * B * 2, B, N, from, to);
    }
}

void celi_mlp_plan_backward_weight(CeliPlan *plan, const CeliMlpPass *pass, const CeliMlpGrad *grad,
                                   bool with_previous) {
  const CeliMlp *net = pass->net;
  const WeightArgs args = {pass, grad};
  int64_t tiles = 0, columns = 0;
  for (int l = 0; l < net->L; l++) {
    tiles += net->spec.E * celi_dense_tiles(net->width[l], net->width[l + 1]);
    if (l < net->L - 1) columns += net->spec.E * net->width[l + 1];
  }
  celi_plan_add(plan, "weight gradients", op_weights, CELI_PARTS, tiles, 1, with_previous, &args,
                sizeof args);
  if (net->spec.layer_norm && columns > 0)
    celi_plan_add(plan, "gain gradients", op_gains, CELI_PARTS, columns, 16, true, &args,
                  sizeof args);
}
