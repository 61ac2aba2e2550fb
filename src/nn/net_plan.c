/// Networks in plans: the operations that passes, gradients and transposes are made of.
///
/// A pass is one operation by row. Where a layer couples the rows of a batch (couples_rows), it is
/// several, with that layer's reduction, cut by column, between them. Gradients of the parameters
/// are one operation by part over all nodes and members.
#include "base/base.h"
#include "nn/net.h"
#include "nn/net_rows.h"

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
  const int64_t each = celi_divide_up(pass->net->node[node].out, CELI_REDUCE_COLUMNS);
  celi_plan_add(plan, name, op_reduce, CELI_PARTS, pass->net->E * each, 1, false, &args,
                sizeof args);
}

static bool couples(const CeliPass *pass, int node) {
  return pass->train && pass->net->node[node].layer.kind->couples_rows;
}

// ---- passes

static void plan_rows(CeliPlan *plan, const char *name, CeliOpFn fn, const RowArgs *args) {
  celi_plan_add(plan, name, fn, CELI_ROWS, celi_pass_rows(args->pass), CELI_ROW_GRAIN, false, args,
                sizeof *args);
}

void celi_net_plan_forward(CeliPlan *plan, const CeliPass *pass) {
  const int n = pass->net->n;
  for (int first = 0, end; first < n; first = end) {
    if (couples(pass, first))
      plan_reduction(plan, "batch statistics", pass, first,
                     pass->net->node[first].layer.kind->reduce);
    for (end = first + 1; end < n && !couples(pass, end);) end++;
    plan_rows(plan, "forward", op_forward, &(RowArgs){.pass = pass, .first = first, .end = end});
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
  celi_plan_add(plan, "add members", op_add_members, CELI_ROWS, args->pass->B, CELI_ROW_GRAIN,
                false, args, sizeof *args);
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
    if (args.last > 0 || dX != NULL) plan_rows(plan, "backward to data", op_backward_data, &args);
  }
  plan_add_members(plan, &args);
}

void celi_net_plan_input_gradient(CeliPlan *plan, const CeliPass *pass, float *dX, ptrdiff_t lddx,
                                  int64_t begin, int64_t end) {
  const RowArgs args = {.pass = pass, .dX = dX, .lddx = lddx};
  check_columns(pass, dX, begin, end);
  for (int l = 0; l < pass->net->n; l++) CEL_ASSERT(!couples(pass, l));
  plan_rows(plan, "gradient to the input", op_input_gradient, &args);
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

void celi_net_plan_backward_weight(CeliPlan *plan, const CeliPass *pass, const CeliNetGrad *grad,
                                   bool with_previous) {
  const WeightArgs args = {pass, grad};
  Walk walk = {0}; // an empty range: only measures
  weight_stage(&args, &walk);
  celi_plan_add(plan, "backward to weights", op_backward_weight, CELI_PARTS, walk.at, 1,
                with_previous, &args, sizeof args);
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

void celi_net_plan_transpose(CeliPlan *plan, CeliNet *net, bool with_previous) {
  Walk walk = {0};
  transpose_stage(net, &walk);
  celi_plan_add(plan, "transpose", op_transpose, CELI_PARTS, walk.at, 1, with_previous, &net,
                sizeof net);
}

void celi_net_transpose(CeliNet *net) {
  Walk walk = {.end = INT64_MAX / 2};
  transpose_stage(net, &walk);
}
