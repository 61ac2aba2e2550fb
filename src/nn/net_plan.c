/// Networks in plans: the operations that passes, gradients and transposes are made of.
///
/// A pass is one operation by row. Where a layer couples the rows of a batch (couples_rows), it is
/// several, with that layer's reduction, cut by column, between them. Gradients of the parameters
/// are one operation by part over all nodes and members.
#include "base/base.h"
#include "nn/net.h"
#include "nn/net_rows.h"

#include <math.h>

/// Nodes [first, end), or backward from `last` down to `first`.
typedef struct RowArgs {
  const CeliPass *pass;
  float *dX;
  ptrdiff_t lddx;
  int first, end, last;
} RowArgs;

static void op_forward(const void *args, int64_t begin, int64_t end) {
  const RowArgs *a = args;
  CeliRange range, block;
  for (int64_t e = 0; e < a->pass->net->E; e++)
    if (celi_pass_cut(a->pass, e, begin, end, &range))
      while (celi_next_block(&range, &block)) celi_pass_forward(a->pass, &block, a->first, a->end);
}

static void op_backward_data(const void *args, int64_t begin, int64_t end) {
  const RowArgs *a = args;
  CeliRange range, block;
  for (int64_t e = 0; e < a->pass->net->E; e++)
    if (celi_pass_cut(a->pass, e, begin, end, &range))
      while (celi_next_block(&range, &block))
        celi_pass_backward(a->pass, &block, a->last, a->first, a->dX, a->lddx);
}

static void op_input_gradient(const void *args, int64_t begin, int64_t end) {
  const RowArgs *a = args;
  CeliRange range, block;
  for (int64_t e = 0; e < a->pass->net->E; e++) {
    if (!celi_pass_cut(a->pass, e, begin, end, &range)) continue;
    while (celi_next_block(&range, &block)) {
      celi_pass_forward(a->pass, &block, 0, a->pass->net->n);
      celi_pass_backward(a->pass, &block, a->pass->net->n - 1, 0, a->dX, a->lddx);
    }
  }
}

static int64_t wanted_columns(const CeliNet *net) {
  return net->node[0].dx_end - net->node[0].dx_begin;
}

/// dX (B,C) lddx = the members' parts, added in order.
static void op_add_members(const void *args, int64_t begin, int64_t end) {
  const RowArgs *a = args;
  const int64_t C = wanted_columns(a->pass->net), size = a->pass->B * C;
  for (int64_t b = begin; b < end; b++)
    for (int64_t c = 0; c < C; c++) {
      const float *part = a->pass->dX_member + b * C + c;
      float sum = part[0];
      for (int64_t e = 1; e < a->pass->net->E; e++) sum += part[e * size];
      a->dX[b * a->lddx + c] = sum;
    }
}

// ---- what the operations touch

/// A matrix (E, B, width) of node l, whose rows an operation by row touches.
static void touch_rows(CeliPlan *plan, const CeliPass *pass, int l, const float *at, int64_t width,
                       int mode) {
  const int64_t E = pass->net->E;
  const bool hidden = l < pass->net->n - 1;
  CeliAccess rows =
      mode == CELI_READS ? CELI_READ_ROWS(at, width, width) : CELI_UPDATE_ROWS(at, width, width);
  rows.mode = mode;
  if (hidden && (pass->threads > 1 || pass->blockwise)) {
    rows.pattern = CELI_BY_THREAD;
    rows.bytes = (size_t)celi_pass_stored_rows(pass, l) * rows.width;
    rows.width *= pass->by_member ? 1 : (size_t)E;
    rows.stride = 0;
  }
  // Where one item is a row of all members, outputs are E blocks of rows.
  celi_plan_touch_each(plan, rows, hidden || pass->by_member ? 1 : E, (size_t)pass->B * rows.width);
}

/// The input of node l, of which a row operation reads its rows. Members read the same input.
static void touch_input_rows(CeliPlan *plan, const CeliPass *pass, int l) {
  const CeliNet *net = pass->net;
  if (l > 0)
    // cppcheck-suppress arrayIndexOutOfBoundsCond // l is below net->n
    touch_rows(plan, pass, l - 1, pass->use[l - 1].y, net->node[l].in, CELI_READS);
  else if (pass->by_member)
    celi_plan_touch(plan, CELI_READ(pass->X, (pass->B - 1) * pass->ldx + net->in));
  else
    celi_plan_touch(plan, CELI_READ_ROWS(pass->X, pass->ldx, net->in));
}

/// The whole input of node l.
static void touch_input(CeliPlan *plan, const CeliPass *pass, int l) {
  const int64_t in = pass->net->node[l].in;
  if (l > 0)
    celi_plan_touch(plan, CELI_READ(pass->use[l - 1].y, celi_pass_stored_rows(pass, l - 1) * in));
  else
    celi_plan_touch(plan, CELI_READ(pass->X, (pass->B - 1) * pass->ldx + in));
}

/// Parameters and statistics of node l, which operations read. Backward operations of dense layers
/// do not.
static void touch_params(CeliPlan *plan, const CeliPass *pass, int l) {
  const CeliNode *node = &pass->net->node[l];
  const CeliLayerKind *kind = node->layer.kind;
  const int64_t E = pass->net->E;
  for (int k = 0; k < CELI_LAYER_PARAMS; k++) {
    if (node->param[k])
      celi_plan_touch(plan, CELI_READ(node->param[k], E * celi_param_size(node, k)));
    celi_plan_touch(plan, CELI_READ(pass->train ? NULL : node->state[k], E * node->out));
  }
  celi_plan_touch(plan, CELI_READ(pass->use[l].batch, E * kind->batch_stats * node->out));
  if (node->layer.rate > 0 && pass->dropout)
    celi_plan_touch(plan, CELI_READ(pass->dropout->counter, 1));
}

/// Floating-point operations of one row's product with node l's matrix.
static double node_flop(const CeliNode *node) {
  int64_t rows = 0, columns = 0;
  if (node->param[0]) node->layer.kind->shape(node, 0, &rows, &columns);
  return 2. * (double)rows * (double)columns;
}

static void touch_forward(CeliPlan *plan, const CeliPass *pass, int first, int end) {
  for (int l = first; l < end; l++) {
    const CeliNode *node = &pass->net->node[l];
    const CeliNodeUse *use = &pass->use[l];
    touch_params(plan, pass, l);
    touch_input_rows(plan, pass, l);
    if (node->skip >= 0)
      touch_rows(plan, pass, node->skip, pass->use[node->skip].y, node->out, CELI_READS);
    touch_rows(plan, pass, l, use->y, node->out, CELI_UPDATES);
    touch_rows(plan, pass, l, use->z, node->out, CELI_UPDATES);
    touch_rows(plan, pass, l, use->row_stats, node->layer.kind->row_stats, CELI_UPDATES);
    celi_plan_flop(plan, (double)(pass->net->E * pass->B) * node_flop(node));
  }
}

/// Node l's part of a backward pass: reads dz, writes dz of the node before, or dX.
static void touch_backward(CeliPlan *plan, const CeliPass *pass, int l, float *dX, ptrdiff_t lddx) {
  const CeliNet *net = pass->net;
  const CeliNode *node = &net->node[l];
  const CeliNodeUse *use = &pass->use[l];
  const int64_t E = net->E, C = node->dx_end - node->dx_begin;
  if (!node->layer.kind->transposes) touch_params(plan, pass, l);
  touch_input_rows(plan, pass, l);
  celi_plan_touch(plan, CELI_READ(node->transposed, E * C * node->out));
  touch_rows(plan, pass, l, use->dz, node->out, CELI_READS);
  touch_rows(plan, pass, l, use->row_stats, node->layer.kind->row_stats, CELI_READS);
  celi_plan_flop(plan, (double)(E * pass->B) * node_flop(node) * (double)C / (double)node->in);
  if (l > 0) {
    const CeliNodeUse *before = &pass->use[l - 1];
    touch_rows(plan, pass, l - 1, before->z, node->in, CELI_READS);
    const int reader = net->node[l - 1].reader;
    touch_rows(plan, pass, l - 1, before->dz, node->in, CELI_UPDATES);
    if (reader > 0) touch_rows(plan, pass, reader, pass->use[reader].dz, node->in, CELI_READS);
    if (l == net->n - 1)
      celi_plan_touch_each(plan, CELI_READ_ROWS(pass->dH, node->in, node->in),
                           pass->by_member ? 1 : E, (size_t)(pass->B * node->in) * sizeof(float));
  } else if (pass->by_member) {
    celi_plan_touch(plan, CELI_WRITE_ROWS(pass->dX_member, C, C));
  } else {
    celi_plan_touch(plan, CELI_WRITE_ROWS(dX, lddx, C));
  }
}

// ---- layers that couple rows

typedef void (*Reduction)(const CeliPass *pass, int node, int64_t e, int64_t first, int64_t stop);

typedef struct ReduceArgs {
  const CeliPass *pass;
  Reduction reduce;
  int node;
} ReduceArgs;

/// Parts [begin, end): blocks of columns, member by member.
static void op_reduce(const void *args, int64_t begin, int64_t end) {
  const ReduceArgs *a = args;
  const int64_t N = a->pass->net->node[a->node].out;
  const int64_t each = celi_divide_up(N, CELI_REDUCE_COLUMNS);
  for (int64_t i = begin; i < end; i++) {
    const int64_t first = i % each * CELI_REDUCE_COLUMNS, stop = first + CELI_REDUCE_COLUMNS;
    a->reduce(a->pass, a->node, i / each, first, stop < N ? stop : N);
  }
}

static void plan_reduction(CeliPlan *plan, const char *name, const CeliPass *pass, int node,
                           Reduction reduce) {
  const ReduceArgs args = {pass, reduce, node};
  const CeliNode *n = &pass->net->node[node];
  const CeliNodeUse *use = &pass->use[node];
  const int64_t E = pass->net->E, each = celi_divide_up(n->out, CELI_REDUCE_COLUMNS);
  celi_plan_add(plan, name, op_reduce, CELI_PARTS, E * each, 1, &args, sizeof args);
  touch_input(plan, pass, node);
  celi_plan_touch(plan, CELI_UPDATE(use->batch, E * n->layer.kind->batch_stats * n->out));
  if (reduce == n->layer.kind->reduce) celi_plan_touch(plan, CELI_UPDATE(n->steps, E * each));
  if (reduce == n->layer.kind->reduce_backward)
    celi_plan_touch(plan, CELI_READ(use->dz, celi_pass_stored_rows(pass, node) * n->out));
  else
    for (int k = 0; k < CELI_LAYER_PARAMS; k++)
      celi_plan_touch(plan, CELI_UPDATE(n->state[k], E * n->out));
}

static bool couples(const CeliPass *pass, int node) {
  return pass->train && pass->net->node[node].layer.kind->couples_rows;
}

// ---- passes

static void plan_rows(CeliPlan *plan, const char *name, CeliOpFn fn, const RowArgs *args) {
  celi_plan_add(plan, name, fn, CELI_ROWS, celi_pass_rows(args->pass), CELI_ROW_GRAIN, args,
                sizeof *args);
}

void celi_net_plan_touch(CeliPlan *plan, const CeliPass *pass) {
  for (int l = 0; l < pass->net->n; l++) {
    const CeliNode *node = &pass->net->node[l];
    const int64_t rows = celi_pass_stored_rows(pass, l);
    touch_params(plan, pass, l);
    celi_plan_touch(plan, CELI_UPDATE(pass->use[l].y, rows * node->out),
                    CELI_UPDATE(pass->use[l].row_stats, rows * node->layer.kind->row_stats));
    celi_plan_flop(plan, (double)(pass->net->E * pass->B) * node_flop(node));
  }
}

void celi_net_plan_forward(CeliPlan *plan, const CeliPass *pass) {
  const int n = pass->net->n;
  for (int first = 0, end; first < n; first = end) {
    if (couples(pass, first))
      plan_reduction(plan, "batch statistics", pass, first,
                     pass->net->node[first].layer.kind->reduce);
    for (end = first + 1; end < n && !couples(pass, end);) end++;
    plan_rows(plan, "forward", op_forward, &(RowArgs){.pass = pass, .first = first, .end = end});
    touch_forward(plan, pass, first, end);
  }
}

static void check_columns(const CeliPass *pass, const float *dX, int64_t begin, int64_t end) {
  const CeliNode *first = &pass->net->node[0];
  CEL_ASSERT(pass->use[0].dz != NULL);
  CEL_ASSERT(pass->dH == NULL || pass->net->n > 1);
  CEL_ASSERT(dX == NULL || (first->dx_begin == begin && first->dx_end == end && begin < end));
}

/// The sum over members behind a backward pass.
static void plan_add_members(CeliPlan *plan, const RowArgs *args) {
  if (args->dX == NULL || !args->pass->by_member) return;
  const int64_t C = wanted_columns(args->pass->net), B = args->pass->B;
  celi_plan_add(plan, "add members", op_add_members, CELI_ROWS, B, CELI_ROW_GRAIN, args,
                sizeof *args);
  celi_plan_touch(plan, CELI_READ(args->pass->dX_member, args->pass->net->E * B * C),
                  CELI_WRITE_ROWS(args->dX, args->lddx, C));
}

void celi_net_plan_backward_data_columns(CeliPlan *plan, const CeliPass *pass, float *dX,
                                         ptrdiff_t lddx, int64_t begin, int64_t end) {
  RowArgs args = {.pass = pass, .dX = dX, .lddx = lddx, .last = pass->net->n - 1};
  CEL_ASSERT(!pass->blockwise);
  check_columns(pass, dX, begin, end);
  for (; args.last >= 0; args.last = args.first - 1) {
    if (couples(pass, args.last))
      plan_reduction(plan, "batch gradient", pass, args.last,
                     pass->net->node[args.last].layer.kind->reduce_backward);
    for (args.first = args.last; args.first > 0 && !couples(pass, args.first - 1);) args.first--;
    if (args.last == 0 && dX == NULL) continue;
    plan_rows(plan, "backward to data", op_backward_data, &args);
    for (int l = args.last; l >= args.first; l--)
      if (l > 0 || dX != NULL) touch_backward(plan, pass, l, dX, lddx);
  }
  plan_add_members(plan, &args);
}

void celi_net_plan_input_gradient(CeliPlan *plan, const CeliPass *pass, float *dX, ptrdiff_t lddx,
                                  int64_t begin, int64_t end) {
  const RowArgs args = {.pass = pass, .dX = dX, .lddx = lddx};
  check_columns(pass, dX, begin, end);
  for (int l = 0; l < pass->net->n; l++) CEL_ASSERT(!couples(pass, l));
  plan_rows(plan, "gradient to the input", op_input_gradient, &args);
  touch_forward(plan, pass, 0, pass->net->n);
  for (int l = pass->net->n - 1; l >= 0; l--) touch_backward(plan, pass, l, dX, lddx);
  plan_add_members(plan, &args);
}

void celi_net_plan_backward_data(CeliPlan *plan, const CeliPass *pass, float *dX, ptrdiff_t lddx) {
  celi_net_plan_backward_data_columns(plan, pass, dX, lddx, 0, pass->net->in);
}

// ---- stages over the parts of many tensors: one count of cost units, cut evenly.

/// A thread's range [begin, end) of a stage's cost, and how far the walk through its segments is.
typedef struct Walk {
  int64_t begin, end, at;
} Walk;

static int64_t limit(int64_t x, int64_t low, int64_t high) {
  return x < low ? low : x > high ? high : x;
}

/// Steps over a segment of `parts` that cost `cost` units each: [*first, *stop) are the ones that
/// begin inside the range. False when there are none.
static bool walk_take(Walk *walk, int64_t parts, int64_t cost, int64_t *first, int64_t *stop) {
  *first = walk->begin <= walk->at ? 0 : celi_divide_up(walk->begin - walk->at, cost);
  *stop = walk->end <= walk->at ? 0 : celi_divide_up(walk->end - walk->at, cost);
  *first = limit(*first, 0, parts);
  *stop = limit(*stop, 0, parts);
  walk->at += parts * cost;
  return *first < *stop;
}

typedef struct WeightArgs {
  const CeliPass *pass;
  const CeliNetGrad *grad;
} WeightArgs;

/// Parts [first, stop) of node l's gradients, over the rows of all threads.
static void node_gradient(const WeightArgs *a, int l, int64_t e, int64_t first, int64_t stop) {
  bool more = false;
  CeliRows rows;
  for (int i = 0; i < a->pass->threads; i++) {
    if (!celi_pass_range(a->pass, l, e, i, &rows)) continue;
    rows.node->layer.kind->grad(&rows, a->grad->param[l], first, stop, more);
    more = true;
  }
}

static void weight_stage(const WeightArgs *a, Walk *walk) {
  const CeliNet *net = a->pass->net;
  for (int64_t e = 0; e < net->E; e++)
    for (int l = net->n - 1; l >= 0; l--) {
      const CeliNode *node = &net->node[l];
      int64_t first, stop, cost;
      if (!node->layer.kind->grad_parts) continue;
      const int64_t parts = node->layer.kind->grad_parts(node, &cost);
      if (walk_take(walk, parts, cost, &first, &stop)) node_gradient(a, l, e, first, stop);
    }
}

static void op_backward_weight(const void *args, int64_t begin, int64_t end) {
  Walk walk = {.begin = begin, .end = end};
  weight_stage(args, &walk);
}

/// Node l's gradient reads the whole batch and writes parts of the parameters' gradients.
static void touch_gradient(CeliPlan *plan, const CeliPass *pass, const CeliNetGrad *grad, int l) {
  const CeliNode *node = &pass->net->node[l];
  const CeliNodeUse *use = &pass->use[l];
  const int64_t E = pass->net->E, rows = celi_pass_stored_rows(pass, l);
  touch_input(plan, pass, l);
  if (!node->layer.kind->transposes) touch_params(plan, pass, l);
  celi_plan_touch(plan, CELI_READ(use->dz, rows * node->out),
                  CELI_READ(use->row_stats, rows * node->layer.kind->row_stats));
  for (int k = 0; k < CELI_LAYER_PARAMS; k++)
    if (node->param[k])
      celi_plan_touch(plan, CELI_UPDATE(grad->param[l][k], E * celi_param_size(node, k)));
  celi_plan_flop(plan, (double)(E * pass->B) * node_flop(node));
}

void celi_net_plan_backward_weight(CeliPlan *plan, const CeliPass *pass, const CeliNetGrad *grad) {
  const WeightArgs args = {pass, grad};
  Walk walk = {0}; // an empty range: only measures
  weight_stage(&args, &walk);
  celi_plan_add(plan, "backward to weights", op_backward_weight, CELI_PARTS, walk.at, 1, &args,
                sizeof args);
  for (int l = 0; l < pass->net->n; l++)
    if (pass->net->node[l].layer.kind->grad_parts) touch_gradient(plan, pass, grad, l);
}

/// Rows of a transpose that are one part.
enum { TRANSPOSE_ROWS = 16 };

static void transpose_stage(const CeliNet *net, Walk *walk) {
  for (int64_t e = 0; e < net->E; e++)
    for (int l = 0; l < net->n; l++) {
      const CeliNode *node = &net->node[l];
      if (node->transposed == NULL) continue;
      const int64_t K = node->in, N = node->out, C = node->dx_end - node->dx_begin;
      const float *W = node->param[0] + e * K * N + node->dx_begin * N;
      int64_t first, stop;
      if (walk_take(walk, celi_divide_up(N, TRANSPOSE_ROWS), celi_divide_up(C, 16), &first, &stop))
        celi_ops()->transpose(node->transposed + e * N * C, W, C, N, first * TRANSPOSE_ROWS,
                              limit(stop * TRANSPOSE_ROWS, 0, N));
    }
}

static void op_transpose(const void *args, int64_t begin, int64_t end) {
  Walk walk = {.begin = begin, .end = end};
  transpose_stage(*(CeliNet *const *)args, &walk);
}

void celi_net_plan_transpose(CeliPlan *plan, CeliNet *net) {
  Walk walk = {0};
  transpose_stage(net, &walk);
  celi_plan_add(plan, "transpose", op_transpose, CELI_PARTS, walk.at, 1, &net, sizeof net);
  for (int l = 0; l < net->n; l++) {
    const CeliNode *node = &net->node[l];
    if (node->transposed == NULL) continue;
    celi_plan_touch(
        plan, CELI_READ(node->param[0], net->E * node->in * node->out),
        CELI_WRITE(node->transposed, net->E * (node->dx_end - node->dx_begin) * node->out));
  }
}

// ---- weight norm

/// Columns of a projection that are one part.
enum { WEIGHT_COLUMNS = 16 };

/// Outputs [first, stop) of a dense layer of member e. Sums are in double, over inputs in order.
static void project(const CeliNode *node, int64_t e, int64_t first, int64_t stop) {
  const int64_t K = node->in, N = node->out;
  const bool with_bias = node->layer.weight_norm == CELI_WEIGHT_NORM_WITH_BIAS;
  float *W = node->param[0] + e * K * N, *b = node->param[1] + e * N;
  for (int64_t at = first; at < stop; at += WEIGHT_COLUMNS) {
    const int64_t end = at + WEIGHT_COLUMNS < stop ? at + WEIGHT_COLUMNS : stop;
    double scale[WEIGHT_COLUMNS] = {0};
    for (int64_t k = 0; k < K; k++)
      for (int64_t n = at; n < end; n++) {
        const double w = (double)W[k * N + n];
        scale[n - at] += w * w;
      }
    for (int64_t n = at; n < end; n++) {
      if (with_bias) scale[n - at] += (double)b[n] * (double)b[n];
      scale[n - at] = scale[n - at] > 0 ? 1 / sqrt(scale[n - at]) : 1;
      if (with_bias) b[n] = (float)((double)b[n] * scale[n - at]);
    }
    for (int64_t k = 0; k < K; k++)
      for (int64_t n = at; n < end; n++)
        W[k * N + n] = (float)((double)W[k * N + n] * scale[n - at]);
  }
}

static void project_stage(const CeliNet *net, Walk *walk) {
  for (int64_t e = 0; e < net->E; e++)
    for (int l = 0; l < net->n; l++) {
      const CeliNode *node = &net->node[l];
      const int64_t parts = celi_divide_up(node->out, WEIGHT_COLUMNS);
      int64_t first, stop;
      if (node->layer.weight_norm != CELI_WEIGHT_NORM_NONE &&
          walk_take(walk, parts, celi_divide_up(node->in, 16), &first, &stop))
        project(node, e, first * WEIGHT_COLUMNS, limit(stop * WEIGHT_COLUMNS, 0, node->out));
    }
}

static void op_weight_norm(const void *args, int64_t begin, int64_t end) {
  Walk walk = {.begin = begin, .end = end};
  project_stage(*(const CeliNet *const *)args, &walk);
}

void celi_net_weight_norm(const CeliNet *net) {
  Walk walk = {.end = INT64_MAX / 2};
  project_stage(net, &walk);
}

void celi_net_plan_weight_norm(CeliPlan *plan, const CeliNet *net) {
  Walk walk = {0};
  project_stage(net, &walk);
  if (walk.at == 0) return;
  celi_plan_add(plan, "weight norm", op_weight_norm, CELI_PARTS, walk.at, 1, &net, sizeof net);
  for (int l = 0; l < net->n; l++) {
    const CeliNode *node = &net->node[l];
    if (node->layer.weight_norm == CELI_WEIGHT_NORM_NONE) continue;
    celi_plan_touch(plan, CELI_UPDATE(node->param[0], net->E * node->in * node->out));
    if (node->layer.weight_norm == CELI_WEIGHT_NORM_WITH_BIAS)
      celi_plan_touch(plan, CELI_UPDATE(node->param[1], net->E * node->out));
  }
}

// ---- dropout

typedef struct AdvanceArgs {
  const CeliDropout *dropout;
  uint64_t blocks;
} AdvanceArgs;

static void op_advance(const void *args, int64_t begin, int64_t end) {
  (void)begin, (void)end;
  const AdvanceArgs *a = args;
  *a->dropout->counter += a->blocks;
}

void celi_dropout_plan_advance(CeliPlan *plan, const CeliDropout *dropout, uint64_t blocks) {
  const AdvanceArgs args = {dropout, blocks};
  celi_plan_add(plan, "advance dropout", op_advance, CELI_PARTS, 1, 1, &args, sizeof args);
  celi_plan_touch(plan, CELI_UPDATE(dropout->counter, 1));
}

void celi_net_transpose(CeliNet *net) {
  Walk walk = {.end = INT64_MAX / 2};
  transpose_stage(net, &walk);
}
