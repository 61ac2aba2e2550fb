/// Multilayer perceptrons: what they declare, and their passes as batch operations.
///
/// Forward and backward of one member on rows b, for layers l = 0..L-1 (Y_{-1} = X):
///   N_l = Y_{l-1} W_l + b_l                         dY_l  gradient at N_l
///   Z_l = g_l (N_l - mean)/sd + h_l  (layer norm; otherwise Z_l = N_l)
///   Y_l = act(Z_l)                   (identity in the last layer)
///   dZ_{l-1} = (dY_l W_l^T + dH) act'(Z_{l-1}),   dY_{l-1} = dZ_{l-1} through the layer norm
///   dW_l = Y_{l-1}^T dY_l,  db_l = sum_b dY_l
///   dg_l = sum_b dZ_l (N_l - mean)/sd,  dh_l = sum_b dZ_l
///
/// A pass is one operation by row: a thread takes its rows through all layers before it waits for
/// anyone, a member after another so that a member's weights stay in the second-level cache, in
/// blocks of rows whose activations stay there beside them. Weight gradients are one operation by
/// output tile over all layers and members.
#include "nn/mlp.h"
#include "base/base.h"
#include "nn/declare.h"

#include <string.h>

/// PyTorch's.
static const float layer_norm_epsilon = 1e-5f;
/// Rows that go through all layers together.
enum { ROW_BLOCK = 256 };

// ---- declaring

static CelStatus check_spec(const char *name, const CeliMlpSpec *s) {
  if (s->E < 1)
    return cel_fail(CEL_E_RANGE, "network \"%s\": %lld members; at least 1", name, (long long)s->E);
  if (s->in < 1 || s->out < 1)
    return cel_fail(CEL_E_RANGE, "network \"%s\": %lld inputs and %lld outputs; at least 1 of each",
                    name, (long long)s->in, (long long)s->out);
  if (s->hidden.n < 0 || s->hidden.n > CEL_LIST_MAX)
    return cel_fail(CEL_E_RANGE, "network \"%s\": %d hidden layers; 0 to %d are possible", name,
                    s->hidden.n, CEL_LIST_MAX);
  for (int l = 0; l < s->hidden.n; l++)
    if (s->hidden.v[l] < 1)
      return cel_fail(CEL_E_RANGE, "network \"%s\": hidden layer %d is %d wide; at least 1", name,
                      l, s->hidden.v[l]);
  if (s->dx_begin < 0 || s->dx_end < s->dx_begin || s->dx_end > s->in)
    return cel_fail(CEL_E_RANGE, "network \"%s\": there are no input columns %lld to %lld of %lld",
                    name, (long long)s->dx_begin, (long long)s->dx_end, (long long)s->in);
  return CEL_OK;
}

static int64_t width_of(const CeliMlpSpec *s, int l) {
  if (l == 0) return s->in;
  return l > s->hidden.n ? s->out : s->hidden.v[l - 1];
}

/// Parameters, or a mirror of them, in the order that all roles share. Places may be NULL.
static CelStatus declare_layers(float **W, float **b, float **g, float **h, CelTensors *tensors,
                                const char *name, CelRole role, const CeliMlpSpec *s) {
  const char *prefix = celi_mirror_prefix(role);
  for (int l = 0; l <= s->hidden.n; l++) {
    const int64_t K = width_of(s, l), N = width_of(s, l + 1);
    const int64_t matrix[] = {s->E, K, N}, vector[] = {s->E, N, -1};
    CELI_TRY(celi_declare_f32(tensors, role, W ? &W[l] : NULL, matrix, "%s%s.%d.weight", prefix,
                              name, l));
    CELI_TRY(
        celi_declare_f32(tensors, role, b ? &b[l] : NULL, vector, "%s%s.%d.bias", prefix, name, l));
    if (!s->layer_norm || l == s->hidden.n) continue;
    CELI_TRY(celi_declare_f32(tensors, role, g ? &g[l] : NULL, vector, "%s%s.%d.norm.weight",
                              prefix, name, l));
    CELI_TRY(celi_declare_f32(tensors, role, h ? &h[l] : NULL, vector, "%s%s.%d.norm.bias", prefix,
                              name, l));
  }
  return CEL_OK;
}

/// The columns of the input whose gradient is wanted.
static void wanted_columns(const CeliMlpSpec *s, int64_t *begin, int64_t *end) {
  *begin = s->dx_begin;
  *end = s->dx_begin == 0 && s->dx_end == 0 ? s->in : s->dx_end;
}

/// Columns of Wt[l].
static int64_t transposed_width(const CeliMlp *net, int l) {
  int64_t begin, end;
  wanted_columns(&net->spec, &begin, &end);
  return l == 0 ? end - begin : net->width[l];
}

CelStatus celi_mlp_declare(CeliMlp *net, CelTensors *tensors, const char *name, CelRole role,
                           const CeliMlpSpec *spec) {
  CELI_TRY(check_spec(name, spec));
  CEL_ASSERT(role == CEL_PARAM || role == CEL_TARGET);
  memset(net, 0, sizeof *net);
  net->spec = *spec;
  net->L = spec->hidden.n + 1;
  for (int l = 0; l <= net->L; l++) net->width[l] = width_of(spec, l);
  CELI_TRY(declare_layers(net->W, net->b, net->g, net->h, tensors, name, role, spec));
  for (int l = 0; l < net->L && role == CEL_PARAM; l++) {
    const int64_t shape[] = {spec->E, net->width[l + 1], transposed_width(net, l)};
    if (shape[2] == 0) continue;
    CELI_TRY(
        celi_declare_f32(tensors, CEL_SCRATCH, &net->Wt[l], shape, "%s.%d.transposed", name, l));
  }
  return CEL_OK;
}

CelStatus celi_mlp_declare_grad(CeliMlpGrad *grad, CelTensors *tensors, const char *name,
                                CelRole role, const CeliMlpSpec *spec) {
  CELI_TRY(check_spec(name, spec));
  CEL_ASSERT(role == CEL_GRAD || role == CEL_MOMENT1 || role == CEL_MOMENT2);
  if (grad == NULL) return declare_layers(NULL, NULL, NULL, NULL, tensors, name, role, spec);
  memset(grad, 0, sizeof *grad);
  return declare_layers(grad->W, grad->b, grad->g, grad->h, tensors, name, role, spec);
}

/// Rows of a matrix between two shares.
static int64_t gap_rows(int64_t width) {
  return (CELI_GAP + width - 1) / width;
}

/// Rows of a hidden layer that lie in one place.
static int64_t rows_in_place(const CeliMlpPass *pass) {
  return pass->in_hand && pass->B > ROW_BLOCK ? ROW_BLOCK : pass->B;
}

static CelStatus declare_pass_layer(CeliMlpPass *pass, CelTensors *tensors, const char *name, int l,
                                    bool backward) {
  const CeliMlpSpec *s = &pass->net->spec;
  const bool hidden = l < pass->net->L - 1, norm = hidden && s->layer_norm;
  const bool keep_z = hidden && backward && s->activation == CELI_SILU;
  const bool turns = hidden && (!backward || pass->in_hand); // members take turns
  const int64_t kept = turns ? 1 : s->E, copies = turns ? pass->shares : 1;
  const int64_t width = pass->net->width[l + 1], in_place = hidden ? rows_in_place(pass) : pass->B;
  const int64_t gaps = hidden && pass->shares > 1 ? pass->shares : 0;
  const int64_t apart[] = {copies * kept * in_place + gaps * gap_rows(width), width, -1};
  const int64_t whole[] = {kept, in_place, width}, stats[] = {apart[0], 2, -1};
  const int64_t *rows = gaps ? apart : whole;
  const struct {
    bool wanted;
    float **place;
    const char *what;
    const int64_t *shape;
  } list[] = {{true, &pass->Y[l], "y", rows},       {keep_z, &pass->Z[l], "z", rows},
              {norm, &pass->N[l], "n", rows},       {norm, &pass->stats[l], "stats", stats},
              {backward, &pass->dY[l], "dy", rows}, {backward && norm, &pass->dZ[l], "dz", rows}};
  for (size_t i = 0; i < sizeof list / sizeof *list; i++)
    if (list[i].wanted)
      CELI_TRY(celi_declare_f32(tensors, CEL_SCRATCH, list[i].place, list[i].shape, "%s.%d.%s",
                                name, l, list[i].what));
  return CEL_OK;
}

CelStatus celi_mlp_declare_pass(CeliMlpPass *pass, CelTensors *tensors, const char *name,
                                const CeliMlp *net, int64_t B, bool backward) {
  return celi_mlp_declare_pass_shared(pass, tensors, name, net, B, backward, 1);
}

static CelStatus declare_pass(CeliMlpPass *pass, CelTensors *tensors, const char *name,
                              const CeliMlp *net, int64_t B, bool backward, int shares,
                              bool in_hand) {
  if (B < 1) return cel_fail(CEL_E_RANGE, "pass \"%s\": %lld rows; at least 1", name, (long long)B);
  CEL_ASSERT(shares >= 1);
  memset(pass, 0, sizeof *pass);
  pass->shares = shares;
  pass->in_hand = in_hand;
  pass->net = net;
  pass->B = B;
  for (int l = 0; l < net->L; l++) CELI_TRY(declare_pass_layer(pass, tensors, name, l, backward));
  const int64_t input[] = {net->spec.E, B, transposed_width(net, 0)};
  // Members that take turns in one place do so for each share: without shares of their own threads would collide.
  pass->by_member = net->spec.E > 1 && (backward || shares > 1);
  if (!pass->by_member || !backward || input[2] == 0) return CEL_OK;
  return celi_declare_f32(tensors, CEL_SCRATCH, &pass->dX_member, input, "%s.dx", name);
}

CelStatus celi_mlp_declare_pass_shared(CeliMlpPass *pass, CelTensors *tensors, const char *name,
                                       const CeliMlp *net, int64_t B, bool backward, int shares) {
  return declare_pass(pass, tensors, name, net, B, backward, shares, false);
}

CelStatus celi_mlp_declare_pass_in_hand(CeliMlpPass *pass, CelTensors *tensors, const char *name,
                                        const CeliMlp *net, int64_t B, bool backward, int shares) {
  return declare_pass(pass, tensors, name, net, B, backward, shares, true);
}

// ---- one member, some rows

/// Some rows of one member, all of one share.
typedef struct Rows {
  int64_t e, begin, end;
  int share;
} Rows;

/// Rows that the row operations are cut into.
static int64_t row_count(const CeliMlpPass *pass) {
  return pass->by_member ? pass->net->spec.E * pass->B : pass->B;
}

/// The pass's rows of share i; those of others that lie beside it are below 0 and from its count on.
static void share_rows(const CeliMlpPass *p, int i, int64_t *begin, int64_t *end) {
  celi_share(p->of > 0 ? p->of : row_count(p), CELI_ROW_GRAIN, i, p->shares, begin, end);
  *begin -= p->at;
  *end -= p->at;
}

/// The share that begins at `begin`.
static int share_at(const CeliMlpPass *p, int64_t begin) {
  int64_t first, last;
  for (int i = 0; i < p->shares; i++) {
    share_rows(p, i, &first, &last);
    if (begin < first || begin >= last) continue;
    // Another team's share may reach into two of ours, whose rows do not lie together.
    CEL_ASSERT(p->shares == 1 || begin == (first > 0 ? first : 0));
    return i;
  }
  return 0;
}

/// Where row 0 of the member would be in a layer's matrices of `width` columns if all of its rows were of this share, in
/// rows. Without backward the members take turns in one place: what nobody reads again should not fill the cache.
static int64_t first_row(const CeliMlpPass *p, int l, const Rows *r) {
  if (l == p->net->L - 1) return r->e * p->B;
  const int64_t gap = gap_rows(p->net->width[l + 1]);
  if (p->in_hand) return r->share * (rows_in_place(p) + gap) - r->begin;
  return p->dY[l] ? r->e * p->B + r->share * gap : r->share * (p->B + gap);
}

static const float *input_of(const CeliMlpPass *p, int l, const Rows *r, ptrdiff_t *ld) {
  *ld = l == 0 ? p->ldx : p->net->width[l];
  return l == 0 ? p->X : p->Y[l - 1] + first_row(p, l - 1, r) * p->net->width[l];
}

static void forward_layer(const CeliMlpPass *p, int l, const Rows *r) {
  const CeliOps *ops = celi_ops();
  const CeliMlp *net = p->net;
  const int64_t e = r->e, begin = r->begin, end = r->end;
  const int64_t K = net->width[l], N = net->width[l + 1], row = first_row(p, l, r);
  const CeliActivation act = l == net->L - 1 ? CELI_IDENTITY : net->spec.activation;
  const float *W = net->W[l] + e * K * N, *b = net->b[l] + e * N;
  float *Y = p->Y[l] + row * N, *Z = p->Z[l] ? p->Z[l] + row * N : NULL;
  ptrdiff_t ldx;
  const float *X = input_of(p, l, r, &ldx);
  if (net->g[l] == NULL) {
    ops->dense_forward(Y, N, Z, N, X, ldx, W, b, begin, end, K, N, act);
    return;
  }
  float *linear = p->N[l] + row * N;
  ops->dense_forward(linear, N, NULL, 0, X, ldx, W, b, begin, end, K, N, CELI_IDENTITY);
  ops->layer_norm_forward(Y, N, Z, N, p->stats[l] + row * 2, linear, N, net->g[l] + e * N,
                          net->h[l] + e * N, layer_norm_epsilon, begin, end, N, act);
}

/// dY_{l-1} from dY_l, l >= 1.
static void backward_layer(const CeliMlpPass *p, int l, const Rows *r) {
  const CeliOps *ops = celi_ops();
  const CeliMlp *net = p->net;
  const int64_t e = r->e, begin = r->begin, end = r->end;
  const int64_t K = net->width[l], N = net->width[l + 1], row = first_row(p, l - 1, r);
  const CeliActivation act = net->spec.activation;
  const bool norm = net->g[l - 1] != NULL;
  const float *A = (act == CELI_SILU ? p->Z[l - 1] : p->Y[l - 1]) + row * K;
  const float *dY = p->dY[l] + first_row(p, l, r) * N, *Wt = net->Wt[l] + e * K * N;
  float *dX = p->dY[l - 1] + row * K, *dZ = norm ? p->dZ[l - 1] + row * K : dX;
  if (p->dH != NULL && l == net->L - 1) {
    ops->dense_backward_data(dZ, K, dY, N, Wt, NULL, 0, begin, end, K, N, CELI_IDENTITY);
    ops->axpby(dZ + begin * K, 1.0f, p->dH + (e * p->B + begin) * K, 1.0f, (end - begin) * K);
    ops->activation_backward(dZ, K, dZ, K, A, K, begin, end, K, act);
  } else {
    ops->dense_backward_data(dZ, K, dY, N, Wt, A, K, begin, end, K, N, act);
  }
  if (norm)
    ops->layer_norm_backward(dX, K, dZ, K, p->N[l - 1] + row * K, K, p->stats[l - 1] + row * 2,
                             net->g[l - 1] + e * K, begin, end, K);
}

/// The wanted columns of the input's gradient: into dX (B,C) lddx where there is one member, else
/// into the member's own part.
static void backward_input(const CeliMlpPass *p, float *dX, ptrdiff_t lddx, const Rows *r) {
  const int64_t N = p->net->width[1], C = transposed_width(p->net, 0);
  float *part = p->by_member ? p->dX_member + r->e * p->B * C : dX;
  celi_ops()->dense_backward_data(part, p->by_member ? C : lddx, p->dY[0] + first_row(p, 0, r) * N,
                                  N, p->net->Wt[0] + r->e * N * C, NULL, 0, r->begin, r->end, C, N,
                                  CELI_IDENTITY);
}

/// The first block of the rows, which are left with those after it; false when there are none. Blocks are about equal.
static bool next_block(Rows *rows, Rows *block) {
  const int64_t n = rows->end - rows->begin, blocks = (n + ROW_BLOCK - 1) / ROW_BLOCK;
  if (n <= 0) return false;
  *block = *rows;
  block->end = rows->begin += (n + blocks - 1) / blocks;
  return true;
}

static void forward_block(const CeliMlpPass *pass, const Rows *block) {
  for (int l = 0; l < pass->net->L; l++) forward_layer(pass, l, block);
}

static void backward_block(const CeliMlpPass *pass, float *dX, ptrdiff_t lddx, const Rows *block) {
  for (int l = pass->net->L - 1; l >= 1; l--) backward_layer(pass, l, block);
  if (dX != NULL) backward_input(pass, dX, lddx, block);
}

static void forward_rows(const CeliMlpPass *pass, Rows rows) {
  for (Rows block; next_block(&rows, &block);) forward_block(pass, &block);
}

void celi_mlp_forward(const CeliMlpPass *pass, int64_t begin, int64_t end) {
  CEL_ASSERT(pass->shares == 1);
  for (int64_t e = 0; e < pass->net->spec.E; e++) forward_rows(pass, (Rows){e, begin, end, 0});
}

enum { APPLY_ROWS = 256 };

CelStatus celi_mlp_apply(const CeliMlp *net, float *y, const float *x, ptrdiff_t ldx, int64_t n) {
  const int64_t B = n < APPLY_ROWS ? n : APPLY_ROWS, out = net->spec.out;
  CelTensors *memory;
  CeliMlpPass pass;
  if (n < 1) return CEL_OK;
  CELI_TRY(cel_tensors_create(&memory));
  CelStatus status = celi_mlp_declare_pass(&pass, memory, "apply", net, B, false);
  if (status == CEL_OK) status = cel_tensors_allocate(memory);
  for (int64_t first = 0; status == CEL_OK && first < n; first += B) {
    const int64_t rows = n - first < B ? n - first : B;
    pass.X = x + first * ldx, pass.ldx = ldx;
    celi_mlp_forward(&pass, 0, rows);
    for (int64_t e = 0; e < net->spec.E; e++)
      memcpy(y + (e * n + first) * out, pass.Y[net->L - 1] + e * B * out,
             (size_t)(rows * out) * sizeof *y);
  }
  cel_tensors_destroy(memory);
  return status;
}

// ---- into a plan

typedef struct RowArgs {
  const CeliMlpPass *pass;
  float *dX;
  ptrdiff_t lddx;
} RowArgs;

/// Rows of member e in the share of the row operations that is [begin, end); false when there are none.
static bool rows_of(const CeliMlpPass *pass, int64_t e, int64_t begin, int64_t end, Rows *rows) {
  *rows = (Rows){e, begin, end, share_at(pass, begin)};
  return pass->by_member ? celi_member_rows(pass->B, e, begin, end, &rows->begin, &rows->end)
                         : begin < end;
}

static void op_forward(const void *args, int64_t begin, int64_t end) {
  const CeliMlpPass *pass = ((const RowArgs *)args)->pass;
  Rows rows;
  for (int64_t e = 0; e < pass->net->spec.E; e++)
    if (rows_of(pass, e, begin, end, &rows)) forward_rows(pass, rows);
}

static void op_backward_data(const void *args, int64_t begin, int64_t end) {
  const RowArgs *a = args;
  Rows rows;
  for (int64_t e = 0; e < a->pass->net->spec.E; e++) {
    if (!rows_of(a->pass, e, begin, end, &rows)) continue;
    for (Rows block; next_block(&rows, &block);) backward_block(a->pass, a->dX, a->lddx, &block);
  }
}

static void op_input_gradient(const void *args, int64_t begin, int64_t end) {
  const RowArgs *a = args;
  Rows rows;
  for (int64_t e = 0; e < a->pass->net->spec.E; e++) {
    if (!rows_of(a->pass, e, begin, end, &rows)) continue;
    for (Rows block; next_block(&rows, &block);) {
      forward_block(a->pass, &block);
      backward_block(a->pass, a->dX, a->lddx, &block);
    }
  }
}

/// dX (B,C) lddx = the members' parts, added in order.
static void op_add_members(const void *args, int64_t begin, int64_t end) {
  const RowArgs *a = args;
  const int64_t C = transposed_width(a->pass->net, 0), size = a->pass->B * C;
  for (int64_t b = begin; b < end; b++)
    for (int64_t c = 0; c < C; c++) {
      const float *part = a->pass->dX_member + b * C + c;
      float sum = part[0];
      for (int64_t e = 1; e < a->pass->net->spec.E; e++) sum += part[e * size];
      a->dX[b * a->lddx + c] = sum;
    }
}

void celi_mlp_plan_forward(CeliPlan *plan, const CeliMlpPass *pass) {
  const RowArgs args = {.pass = pass};
  celi_plan_add(plan, "forward", op_forward, CELI_ROWS, row_count(pass), CELI_ROW_GRAIN, false,
                &args, sizeof args);
}

/// A backward pass, and the sum over members behind it.
static void plan_backward(CeliPlan *plan, const char *name, CeliOpFn fn, const CeliMlpPass *pass,
                          float *dX, ptrdiff_t lddx, int64_t begin, int64_t end) {
  const RowArgs args = {pass, dX, lddx};
  CEL_ASSERT(pass->dY[0] != NULL);
  CEL_ASSERT(pass->dH == NULL || pass->net->L > 1);
  if (dX != NULL) {
    int64_t first, last;
    wanted_columns(&pass->net->spec, &first, &last);
    CEL_ASSERT(first == begin && last == end && begin < end);
  }
  celi_plan_add(plan, name, fn, CELI_ROWS, row_count(pass), CELI_ROW_GRAIN, false, &args,
                sizeof args);
  if (dX != NULL && pass->by_member)
    celi_plan_add(plan, "add members", op_add_members, CELI_ROWS, pass->B, CELI_ROW_GRAIN, false,
                  &args, sizeof args);
}

void celi_mlp_plan_backward_data_columns(CeliPlan *plan, const CeliMlpPass *pass, float *dX,
                                         ptrdiff_t lddx, int64_t begin, int64_t end) {
  CEL_ASSERT(!pass->in_hand);
  plan_backward(plan, "backward to data", op_backward_data, pass, dX, lddx, begin, end);
}

void celi_mlp_plan_input_gradient(CeliPlan *plan, const CeliMlpPass *pass, float *dX,
                                  ptrdiff_t lddx, int64_t begin, int64_t end) {
  plan_backward(plan, "gradient to the input", op_input_gradient, pass, dX, lddx, begin, end);
}

void celi_mlp_plan_backward_data(CeliPlan *plan, const CeliMlpPass *pass, float *dX,
                                 ptrdiff_t lddx) {
  celi_mlp_plan_backward_data_columns(plan, pass, dX, lddx, 0, pass->net->width[0]);
}

// ---- stages over the parts of many tensors: one count of cost units, cut evenly.

/// A share [begin, end) of a stage's cost, and where the walk through its segments has come to.
typedef struct Walk {
  int64_t begin, end, at;
} Walk;

static int64_t divide_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

static int64_t limit(int64_t x, int64_t low, int64_t high) {
  return x < low ? low : x > high ? high : x;
}

/// Steps over a segment of `parts` that cost `cost` units each: [*first, *stop) are the ones that
/// begin inside of the share. False when there are none.
static bool walk_take(Walk *walk, int64_t parts, int64_t cost, int64_t *first, int64_t *stop) {
  *first = walk->begin <= walk->at ? 0 : divide_up(walk->begin - walk->at, cost);
  *stop = walk->end <= walk->at ? 0 : divide_up(walk->end - walk->at, cost);
  *first = limit(*first, 0, parts);
  *stop = limit(*stop, 0, parts);
  walk->at += parts * cost;
  return *first < *stop;
}

typedef struct WeightArgs {
  const CeliMlpPass *pass;
  const CeliMlpGrad *grad;
} WeightArgs;

/// Columns of a layer norm's gradients that are one part.
enum { NORM_COLUMNS = 16 };

/// Cost of a tile of dW (K,N) in half vectors of 16 columns; where N is small, lanes are rows.
static int64_t tile_cost(int64_t N) {
  return N <= 4 ? 1 : limit(2 * divide_up(N, 16) / divide_up(N, CELI_TILE_COLUMNS), 2, 8);
}

/// The rows of member e that share i took; false when there are none. Shares in order have all of its rows in order.
static bool rows_taken(const CeliMlpPass *p, int64_t e, int i, Rows *rows) {
  int64_t begin, end;
  share_rows(p, i, &begin, &end);
  *rows = (Rows){.e = e, .share = i};
  return celi_member_rows(p->B, e, begin, end, &rows->begin, &rows->end);
}

/// Tiles [first, stop) of layer l's weight gradient, over the rows of all shares.
static void weight_tiles(const WeightArgs *a, int l, int64_t e, int64_t first, int64_t stop) {
  const CeliMlpPass *p = a->pass;
  const int64_t K = p->net->width[l], N = p->net->width[l + 1];
  bool more = false;
  Rows r;
  for (int i = 0; i < p->shares; i++) {
    if (!rows_taken(p, e, i, &r)) continue;
    ptrdiff_t ldx;
    const float *X = input_of(p, l, &r, &ldx) + r.begin * ldx;
    const float *dY = p->dY[l] + (first_row(p, l, &r) + r.begin) * N;
    celi_ops()->dense_backward_weight(a->grad->W[l] + e * K * N, a->grad->b[l] + e * N, X, ldx, dY,
                                      N, r.end - r.begin, K, N, first, stop, more);
    more = true;
  }
}

/// Columns [begin, end) of the layer norm's gradients.
static void norm_columns(const WeightArgs *a, int l, int64_t e, int64_t begin, int64_t end) {
  const CeliMlpPass *p = a->pass;
  const int64_t N = p->net->width[l + 1];
  bool more = false;
  Rows r;
  for (int i = 0; i < p->shares; i++) {
    if (!rows_taken(p, e, i, &r)) continue;
    const int64_t row = first_row(p, l, &r) + r.begin;
    celi_ops()->layer_norm_backward_gain(a->grad->g[l] + e * N, a->grad->h[l] + e * N,
                                         p->dZ[l] + row * N, N, p->N[l] + row * N, N,
                                         p->stats[l] + row * 2, r.end - r.begin, begin, end, more);
    more = true;
  }
}

static void weight_stage(const WeightArgs *a, Walk *walk) {
  const CeliMlp *net = a->pass->net;
  for (int64_t e = 0; e < net->spec.E; e++)
    for (int l = net->L - 1; l >= 0; l--) {
      const int64_t K = net->width[l], N = net->width[l + 1];
      int64_t first, stop;
      if (walk_take(walk, celi_dense_tiles(K, N), tile_cost(N), &first, &stop))
        weight_tiles(a, l, e, first, stop);
      if (net->g[l] == NULL) continue;
      if (walk_take(walk, divide_up(N, NORM_COLUMNS), 1, &first, &stop))
        norm_columns(a, l, e, first * NORM_COLUMNS, limit(stop * NORM_COLUMNS, 0, N));
    }
}

static void op_backward_weight(const void *args, int64_t begin, int64_t end) {
  Walk walk = {.begin = begin, .end = end};
  weight_stage(args, &walk);
}

void celi_mlp_plan_backward_weight(CeliPlan *plan, const CeliMlpPass *pass, const CeliMlpGrad *grad,
                                   bool with_previous) {
  const WeightArgs args = {pass, grad};
  Walk walk = {0}; // an empty share: only measures
  weight_stage(&args, &walk);
  celi_plan_add(plan, "backward to weights", op_backward_weight, CELI_PARTS, walk.at, 1,
                with_previous, &args, sizeof args);
}

/// Rows of a transpose that are one part.
enum { TRANSPOSE_ROWS = 16 };

static void transpose_stage(const CeliMlp *net, Walk *walk) {
  for (int64_t e = 0; e < net->spec.E; e++)
    for (int l = 0; l < net->L; l++) {
      if (net->Wt[l] == NULL) continue;
      const int64_t K = net->width[l], N = net->width[l + 1], C = transposed_width(net, l);
      const float *W = net->W[l] + e * K * N + (l == 0 ? net->spec.dx_begin * N : 0);
      int64_t first, stop;
      if (walk_take(walk, divide_up(N, TRANSPOSE_ROWS), divide_up(C, 16), &first, &stop))
        celi_ops()->transpose(net->Wt[l] + e * N * C, W, C, N, first * TRANSPOSE_ROWS,
                              limit(stop * TRANSPOSE_ROWS, 0, N));
    }
}

static void op_transpose(const void *args, int64_t begin, int64_t end) {
  Walk walk = {.begin = begin, .end = end};
  transpose_stage(*(CeliMlp *const *)args, &walk);
}

void celi_mlp_plan_transpose(CeliPlan *plan, CeliMlp *net, bool with_previous) {
  Walk walk = {0};
  transpose_stage(net, &walk);
  celi_plan_add(plan, "transpose", op_transpose, CELI_PARTS, walk.at, 1, with_previous, &net,
                sizeof net);
}

void celi_mlp_transpose(CeliMlp *net) {
  Walk walk = {.end = INT64_MAX / 2};
  transpose_stage(net, &walk);
}
