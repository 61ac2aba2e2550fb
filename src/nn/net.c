/// Networks: what they declare, and their passes over rows.
///
/// Forward and backward of one member on rows b, for nodes l = 0..n-1 (y_{-1} = X):
///   z_l = kind_l(y_{l-1}),  y_l = act_l(z_l)
///   dz_{l-1} = (d kind_l / d y_{l-1})^T dz_l act'_{l-1}(z_{l-1})
/// dH, and the dz of a residual sum that adds y_{l-1}, join before act'.
/// The gradients of the parameters follow from y_{l-1} and dz_l (net_plan.c).
///
/// A pass is one operation by row: a thread takes its rows through all layers before it waits, one
/// member after another so that a member's weights stay in the second-level cache, in blocks of
/// rows whose activations stay there too. Layers that couple the rows of a batch split that
/// operation.
#include "nn/net.h"
#include "base/base.h"
#include "nn/declare.h"
#include "nn/net_rows.h"

#include <stdio.h>
#include <string.h>

// ---- lists

static void add(CeliNetSpec *spec, CeliLayer layer) {
  spec->layer[spec->n++] = layer;
}

static void add_norm(CeliNetSpec *spec, const CeliMlpNorm *norm) {
  static const CeliLayerKind *const kinds[] = {[CELI_NORM_LAYER] = &celi_layer_norm,
                                               [CELI_NORM_BATCH] = &celi_batch_norm,
                                               [CELI_NORM_BATCH_RENORM] = &celi_batch_renorm,
                                               [CELI_NORM_RMS] = &celi_rms_norm};
  if (norm->kind == CELI_NORM_NONE) return;
  add(spec, (CeliLayer){.kind = kinds[norm->kind],
                        .epsilon = norm->epsilon,
                        .momentum = norm->momentum,
                        .warmup = norm->warmup});
}

static CeliLayer hidden_layer(const CeliMlpSpec *mlp, int64_t out, double gain) {
  CeliLayer layer = celi_layer_dense(out, gain);
  layer.no_bias = mlp->no_bias;
  if (mlp->weight_norm != CELI_MLP_WEIGHT_NORM_NONE) layer.weight_norm = CELI_WEIGHT_NORM_WITH_BIAS;
  return layer;
}

static CeliLayer output_layer(const CeliMlpSpec *mlp) {
  CeliLayer layer = celi_layer_dense(mlp->out, mlp->output_gain);
  if (mlp->weight_norm == CELI_MLP_WEIGHT_NORM_ALL) layer.weight_norm = CELI_WEIGHT_NORM_WEIGHT;
  return layer;
}

static void add_dropout(CeliNetSpec *spec, const CeliMlpSpec *mlp) {
  if (mlp->dropout < 0 || mlp->dropout > 0)
    add(spec, (CeliLayer){.kind = &celi_dropout, .rate = mlp->dropout});
}

/// A dense layer, blocks x + Dense(act(Dense(norm(x)))), norm, a dense layer.
/// Source: SimBa, Lee et al., 2025.
static void add_blocks(CeliNetSpec *spec, const CeliMlpSpec *mlp) {
  enum { EXPANSION = 4 };
  add(spec, hidden_layer(mlp, mlp->hidden.v[0], 1));
  for (int l = 0; l < mlp->hidden.n && l < CEL_LIST_MAX; l++) {
    const int from = spec->n - 1;
    add_norm(spec, &mlp->norm);
    add(spec, hidden_layer(mlp, EXPANSION * (int64_t)mlp->hidden.v[l], 0));
    add(spec, celi_layer_activation(mlp->activation));
    add(spec, hidden_layer(mlp, mlp->hidden.v[l], 0));
    add_dropout(spec, mlp);
    add(spec, celi_layer_add(from));
  }
  add_norm(spec, &mlp->norm);
  add(spec, output_layer(mlp));
}

CeliNetSpec celi_mlp_layers(const CeliMlpSpec *mlp) {
  CeliNetSpec spec = {.E = mlp->E,
                      .in = mlp->in,
                      .init = mlp->init,
                      .dx_begin = mlp->dx_begin,
                      .dx_end = mlp->dx_end};
  const CeliMlpNorm *norm = &mlp->norm;
  if (norm->input) add_norm(&spec, norm);
  if (mlp->residual) {
    add_blocks(&spec, mlp);
    return spec;
  }
  for (int l = 0; l < mlp->hidden.n && l < CEL_LIST_MAX; l++) {
    add(&spec, hidden_layer(mlp, mlp->hidden.v[l], 0));
    add_dropout(&spec, mlp);
    if (norm->place == CELI_NORM_BEFORE) add_norm(&spec, norm);
    add(&spec, celi_layer_activation(mlp->activation));
    if (norm->place == CELI_NORM_AFTER) add_norm(&spec, norm);
  }
  add(&spec, output_layer(mlp));
  return spec;
}

static CelStatus check_spec(const char *name, const CeliNetSpec *s) {
  if (s->E < 1)
    return cel_fail(CEL_E_RANGE, "network \"%s\": %lld members; at least 1", name, (long long)s->E);
  if (s->in < 1)
    return cel_fail(CEL_E_RANGE, "network \"%s\": %lld inputs; at least 1", name, (long long)s->in);
  if (s->n < 1 || s->n > CELI_LAYERS_MAX)
    return cel_fail(CEL_E_RANGE, "network \"%s\": %d layers; 1 to %d are possible", name, s->n,
                    CELI_LAYERS_MAX);
  if (s->dx_begin < 0 || s->dx_end < s->dx_begin || s->dx_end > s->in)
    return cel_fail(CEL_E_RANGE, "network \"%s\": there are no input columns %lld to %lld of %lld",
                    name, (long long)s->dx_begin, (long long)s->dx_end, (long long)s->in);
  if (s->layer[s->n - 1].kind == &celi_activation)
    return cel_fail(CEL_E_UNSUPPORTED,
                    "network \"%s\": its last layer is an activation; distributions and losses "
                    "apply their own",
                    name);
  return CEL_OK;
}

/// A list on its way to nodes.
typedef struct Compiler {
  CeliNet *net;
  const char *name;
  const CeliNetSpec *spec;
  int node_of[CELI_LAYERS_MAX]; ///< node whose output a layer's is; -1: the input
  bool source[CELI_LAYERS_MAX]; ///< a residual sum adds it
  int64_t width;
  int index, sum; ///< last dense layer and last residual sum; -1: none
} Compiler;

/// Whether activation layer l is merged into the node before it. Not where that node's output is
/// added later.
static bool merges(const Compiler *c, int l) {
  const CeliNet *net = c->net;
  for (int k = 0; k < l; k++)
    if (c->source[k] && c->node_of[k] == net->n - 1) return false;
  return c->spec->layer[l].kind == &celi_activation && net->n > 0 &&
         net->node[net->n - 1].act == CELI_IDENTITY;
}

/// Finds the node that residual sum l adds.
static CelStatus find_source(Compiler *c, int l, CeliNode *sum) {
  const int from = c->spec->layer[l].from;
  if (from < 0 || from >= l)
    return cel_fail(CEL_E_RANGE, "network \"%s\": layer %d adds layer %d, which is not before it",
                    c->name, l, from);
  sum->skip = c->node_of[from];
  if (sum->skip < 0 || sum->skip < c->sum)
    return cel_fail(CEL_E_UNSUPPORTED,
                    "network \"%s\": layer %d adds layer %d, but %s is not supported", c->name, l,
                    from, sum->skip < 0 ? "the network's input" : "a layer before another sum");
  CeliNode *source = &c->net->node[sum->skip];
  if (source->out != sum->out)
    return cel_fail(CEL_E_RANGE,
                    "network \"%s\": layer %d adds layer %d, but they have %lld and %lld outputs",
                    c->name, l, from, (long long)sum->out, (long long)source->out);
  source->reader = c->sum = c->net->n - 1;
  return CEL_OK;
}

/// Layer l as a node of its own.
static CelStatus add_node(Compiler *c, int l) {
  const CeliLayer *layer = &c->spec->layer[l];
  CeliNet *net = c->net;
  if (net->n == CELI_NODES_MAX)
    return cel_fail(CEL_E_RANGE,
                    "network \"%s\": more than %d layers, not counting activations behind a layer",
                    c->name, CELI_NODES_MAX);
  for (int k = net->n - 1; k >= 0 && net->node[k].index == c->index; k--)
    if (layer->kind->param_name[0] && layer->kind != &celi_dense &&
        net->node[k].layer.kind == layer->kind)
      return cel_fail(CEL_E_UNSUPPORTED,
                      "network \"%s\": layer %d is the second %s behind the same dense layer",
                      c->name, l, layer->kind->name);
  const int64_t out = layer->kind->out(layer, c->width);
  if (out < 1)
    return cel_fail(CEL_E_RANGE, "network \"%s\": layer %d (%s) has %lld outputs; at least 1",
                    c->name, l, layer->kind->name, (long long)out);
  if (!(layer->rate >= 0 && layer->rate < 1))
    return cel_fail(CEL_E_RANGE,
                    "network \"%s\": layer %d drops with probability %g; it must be in [0, 1)",
                    c->name, l, layer->rate);
  c->index += layer->kind == &celi_dense;
  CeliNode *node = &net->node[net->n++];
  *node = (CeliNode){.layer = celi_layer_settled(layer),
                     .in = c->width,
                     .out = out,
                     .index = c->index,
                     .at = l,
                     .skip = -1,
                     .dx_end = c->width};
  if (layer->kind == &celi_activation) node->act = layer->activation;
  c->width = out;
  return layer->kind->adds ? find_source(c, l, node) : CEL_OK;
}

CelStatus celi_net_compile(CeliNet *net, const char *name, const CeliNetSpec *s) {
  CELI_TRY(check_spec(name, s));
  Compiler c = {.net = net, .name = name, .spec = s, .width = s->in, .index = -1, .sum = -1};
  *net = (CeliNet){.E = s->E, .in = s->in, .init = s->init};
  for (int l = 0; l < s->n; l++) {
    const CeliLayer *layer = &s->layer[l];
    if (layer->kind->adds && layer->from >= 0 && layer->from < s->n) c.source[layer->from] = true;
  }
  for (int l = 0; l < s->n; l++) {
    const CeliLayer *layer = &s->layer[l];
    if (merges(&c, l))
      net->node[net->n - 1].act = layer->activation;
    else if (layer->kind != &celi_activation || layer->activation != CELI_IDENTITY)
      CELI_TRY(add_node(&c, l));
    c.node_of[l] = net->n - 1;
  }
  net->out = c.width;
  if (s->dx_begin == 0 && s->dx_end == 0) return CEL_OK;
  CeliNode *first = &net->node[0];
  first->dx_begin = s->dx_begin;
  first->dx_end = s->dx_end;
  if (first->layer.kind == &celi_layer_norm && s->dx_begin < s->dx_end &&
      s->dx_end - s->dx_begin < s->in)
    return cel_fail(CEL_E_UNSUPPORTED,
                    "network \"%s\": a part of the gradient through a first "
                    "layer norm is not supported; ask for all columns",
                    name);
  return CEL_OK;
}

// ---- declaring

/// The index of the dense layer, or "input" before the first one.
static const char *index_text(char text[16], const CeliNode *node) {
  if (node->index >= 0)
    snprintf(text, 16, "%d", node->index);
  else
    snprintf(text, 16, "input");
  return text;
}

/// "PREFIX NAME.index.suffix", or "PREFIX NAME.input.suffix" before the first dense layer.
static CelStatus declare_one(CelTensors *tensors, CelRole role, float **place,
                             const int64_t shape[3], const char *name, const CeliNode *node,
                             const char *suffix) {
  char index[16];
  return celi_declare_f32(tensors, role, place, shape, "%s%s.%s.%s%s", celi_mirror_prefix(role),
                          name, index_text(index, node), node->layer.kind->prefix, suffix);
}

/// Parameters, or a mirror of them, in the order that all roles have. `own`: the network whose
/// parameters they are, or NULL. `grad` may be NULL.
static CelStatus declare_params(const CeliNet *net, CeliNet *own, CeliNetGrad *grad,
                                CelTensors *tensors, const char *name, CelRole role) {
  for (int l = 0; l < net->n; l++) {
    const CeliNode *node = &net->node[l];
    for (int k = 0; k < CELI_LAYER_PARAMS; k++) {
      if (!node->layer.kind->param_name[k]) continue;
      int64_t rows, columns;
      node->layer.kind->shape(node, k, &rows, &columns);
      const int64_t matrix[] = {net->E, rows, columns}, vector[] = {net->E, columns, -1};
      float **place = own ? &own->node[l].param[k] : grad ? &grad->param[l][k] : NULL;
      CELI_TRY(declare_one(tensors, role, place, rows ? matrix : vector, name, node,
                           node->layer.kind->param_name[k]));
    }
  }
  return CEL_OK;
}

static CelStatus declare_steps(const CeliNet *net, CeliNode *node, CelTensors *tensors,
                               const char *name) {
  const int64_t shape[] = {net->E, celi_divide_up(node->out, CELI_REDUCE_COLUMNS)};
  char full[2 * CEL_NAME_MAX], index[16];
  snprintf(full, sizeof full, "%s.%s.%ssteps", name, index_text(index, node),
           node->layer.kind->prefix);
  return cel_tensors_declare(tensors, full, CEL_U64, CEL_STATE, &node->steps, 2, shape);
}

/// Running statistics, counters, and transposed weights.
static CelStatus declare_rest(CeliNet *net, CelTensors *tensors, const char *name, CelRole role) {
  for (int l = 0; l < net->n; l++) {
    CeliNode *node = &net->node[l];
    const int64_t vector[] = {net->E, node->out, -1};
    const int64_t shape[] = {net->E, node->out, node->dx_end - node->dx_begin};
    for (int k = 0; k < CELI_LAYER_PARAMS; k++)
      if (node->layer.kind->state_name[k])
        CELI_TRY(declare_one(tensors, CEL_MODEL, &node->state[k], vector, name, node,
                             node->layer.kind->state_name[k]));
    if (node->layer.kind->warmup > 0) CELI_TRY(declare_steps(net, node, tensors, name));
    if (role == CEL_PARAM && node->layer.kind->transposes && shape[2] > 0)
      CELI_TRY(celi_declare_f32(tensors, CEL_SCRATCH, &node->transposed, shape, "%s.%d.transposed",
                                name, l));
  }
  return CEL_OK;
}

CelStatus celi_net_declare(CeliNet *net, CelTensors *tensors, const char *name, CelRole role,
                           const CeliNetSpec *spec) {
  CEL_ASSERT(role == CEL_PARAM || role == CEL_TARGET);
  CELI_TRY(celi_net_compile(net, name, spec));
  CELI_TRY(declare_params(net, net, NULL, tensors, name, role));
  return declare_rest(net, tensors, name, role);
}

CelStatus celi_mlp_declare(CeliNet *net, CelTensors *tensors, const char *name, CelRole role,
                           const CeliMlpSpec *mlp) {
  if (mlp->hidden.n < 0 || mlp->hidden.n > CEL_LIST_MAX)
    return cel_fail(CEL_E_RANGE, "network \"%s\": %d hidden layers; 0 to %d are possible", name,
                    mlp->hidden.n, CEL_LIST_MAX);
  for (int l = 0; mlp->residual && (l == 0 || l < mlp->hidden.n); l++)
    if (mlp->hidden.n == 0 || mlp->hidden.v[l] != mlp->hidden.v[0])
      return cel_fail(CEL_E_RANGE,
                      "network \"%s\": residual blocks need at least one hidden width, and all "
                      "equal",
                      name);
  const CeliNetSpec spec = celi_mlp_layers(mlp);
  return celi_net_declare(net, tensors, name, role, &spec);
}

CelStatus celi_net_declare_grad(CeliNetGrad *grad, CelTensors *tensors, const char *name,
                                CelRole role, const CeliNet *net) {
  CEL_ASSERT(role == CEL_GRAD || role == CEL_MOMENT1 || role == CEL_MOMENT2);
  if (grad) memset(grad, 0, sizeof *grad);
  return declare_params(net, NULL, grad, tensors, name, role);
}

/// Name of parameter k of a node in the network declared as `name`.
static void parameter_name(const CeliNode *node, int k, const char *name, char out[CEL_NAME_MAX]) {
  char index[16];
  snprintf(out, CEL_NAME_MAX, "%s.%s.%s%s", name, index_text(index, node), node->layer.kind->prefix,
           node->layer.kind->param_name[k]);
}

void celi_net_first_parameter(const CeliNet *net, const char *name, char first[CEL_NAME_MAX]) {
  int l = 0;
  while (!net->node[l].layer.kind->param_name[0]) l++; // the last layer has parameters
  parameter_name(&net->node[l], 0, name, first);
}

void celi_net_last_parameter(const CeliNet *net, const char *name, char last[CEL_NAME_MAX]) {
  const CeliNode *node = &net->node[net->n - 1];
  parameter_name(node, node->layer.kind->param_name[1] ? 1 : 0, name, last);
}

int celi_net_layers(const CeliNet *net, CeliLayer layers[CELI_LAYERS_MAX]) {
  int n = 0, output[CELI_NODES_MAX];
  for (int l = 0; l < net->n; l++) {
    const CeliNode *node = &net->node[l];
    if (node->layer.kind != &celi_activation && !node->layer.kind->training_only) {
      layers[n] = node->layer;
      if (node->skip >= 0) layers[n].from = output[node->skip];
      n++;
    }
    if (node->act != CELI_IDENTITY) layers[n++] = celi_layer_activation(node->act);
    output[l] = n - 1;
  }
  return n;
}

// ---- passes

/// Rows of a matrix between two threads' rows.
static int64_t gap_rows(int64_t width) {
  return celi_divide_up(CELI_GAP, width);
}

/// Rows of a hidden layer that are kept at a time.
static int64_t rows_kept(const CeliPass *pass) {
  return pass->blockwise && pass->B > CELI_ROW_BLOCK ? CELI_ROW_BLOCK : pass->B;
}

int64_t celi_pass_stored_rows(const CeliPass *pass, int l) {
  const bool hidden = l < pass->net->n - 1, turns = hidden && pass->take_turns;
  const int64_t kept = turns ? 1 : pass->net->E, copies = turns ? pass->threads : 1;
  const int64_t rows = hidden ? rows_kept(pass) : pass->B;
  const int64_t gaps = hidden && pass->threads > 1 ? pass->threads : 0;
  return copies * kept * rows + gaps * gap_rows(pass->net->node[l].out);
}

static CelStatus declare_node(CeliPass *pass, CelTensors *tensors, const char *name, int l,
                              bool backward) {
  const CeliNode *node = &pass->net->node[l];
  const CeliLayerKind *kind = node->layer.kind;
  CeliNodeUse *use = &pass->use[l];
  const bool hidden = l < pass->net->n - 1, gaps = hidden && pass->threads > 1;
  const bool keep_z = backward && celi_activations[node->act].reads_input;
  const int64_t kept = hidden && pass->take_turns ? 1 : pass->net->E;
  const int64_t rows = hidden ? rows_kept(pass) : pass->B;
  const int64_t apart[] = {celi_pass_stored_rows(pass, l), node->out, -1};
  const int64_t whole[] = {kept, rows, node->out};
  const int64_t stats[] = {apart[0], kind->row_stats, -1};
  const struct {
    bool wanted;
    float **place;
    const char *what;
    const int64_t *shape;
  } list[] = {{true, &use->y, "y", gaps ? apart : whole},
              {keep_z, &use->z, "z", gaps ? apart : whole},
              {kind->row_stats > 0, &use->row_stats, "stats", stats},
              {backward, &use->dz, "dz", gaps ? apart : whole}};
  for (size_t i = 0; i < sizeof list / sizeof *list; i++)
    if (list[i].wanted)
      CELI_TRY(celi_declare_f32(tensors, CEL_SCRATCH, list[i].place, list[i].shape, "%s.%d.%s",
                                name, l, list[i].what));
  if (kind->batch_stats == 0 || !pass->train) return CEL_OK;
  char batch[CEL_NAME_MAX];
  const int64_t shape[] = {pass->net->E, kind->batch_stats, node->out};
  snprintf(batch, sizeof batch, "%s.%d.batch", name, l);
  return cel_tensors_declare(tensors, batch, CEL_F64, CEL_SCRATCH, (void *)&use->batch, 3, shape);
}

/// Whether the rows of a batch depend on each other in this pass.
static bool couples_rows(const CeliNet *net, bool train) {
  for (int l = 0; train && l < net->n; l++)
    if (net->node[l].layer.kind->couples_rows) return true;
  return false;
}

CelStatus celi_pass_declare(CeliPass *pass, CelTensors *tensors, const char *name,
                            const CeliNet *net, CeliPassSpec spec) {
  if (spec.B < 1)
    return cel_fail(CEL_E_RANGE, "pass \"%s\": %lld rows; at least 1", name, (long long)spec.B);
  memset(pass, 0, sizeof *pass);
  pass->net = net;
  pass->B = spec.B;
  pass->threads = spec.threads > 1 ? spec.threads : 1;
  pass->train = spec.train;
  const bool coupled = couples_rows(net, spec.train);
  CEL_ASSERT(!(coupled && spec.blockwise));
  pass->blockwise = spec.blockwise;
  pass->take_turns = !coupled && (!spec.backward || spec.blockwise);
  for (int l = 0; l < net->n; l++) CELI_TRY(declare_node(pass, tensors, name, l, spec.backward));
  const int64_t input[] = {net->E, spec.B, net->node[0].dx_end - net->node[0].dx_begin};
  // Members that take turns in one place do so for each thread: with one place, threads would
  // collide.
  pass->by_member = net->E > 1 && (spec.backward || pass->threads > 1 || coupled);
  if (!pass->by_member || !spec.backward || input[2] == 0) return CEL_OK;
  return celi_declare_f32(tensors, CEL_SCRATCH, &pass->dX_member, input, "%s.dx", name);
}

// ---- dropout

CelStatus celi_dropout_declare(CeliDropout *dropout, CelTensors *tensors, const char *name,
                               uint64_t seed) {
  char full[2 * CEL_NAME_MAX];
  const int64_t one = 1;
  snprintf(full, sizeof full, "%s.counter", name);
  dropout->seed = seed;
  return cel_tensors_declare(tensors, full, CEL_U64, CEL_STATE, &dropout->counter, 1, &one);
}

void celi_pass_drop(CeliPass *pass, const CeliDropout *dropout, uint32_t use) {
  pass->dropout = dropout;
  pass->dropout_use = use;
}

uint64_t celi_pass_dropout_blocks(const CeliPass *pass) {
  int64_t most = 0;
  for (int l = 0; l < pass->net->n; l++) {
    const CeliNode *node = &pass->net->node[l];
    const int64_t blocks = pass->net->E * pass->B * celi_divide_up(node->out, 4);
    if (node->layer.kind == &celi_dropout && blocks > most) most = blocks;
  }
  return (uint64_t)most;
}

CeliPass celi_pass_at(const CeliPass *pass, int64_t rows, const float *X, float *Y) {
  CeliPass p = *pass;
  for (int l = 0; l < p.net->n - 1; l++) {
    CeliNodeUse *use = &p.use[l];
    const CeliNode *node = &p.net->node[l];
    CEL_ASSERT(use->dz == NULL);
    use->y += rows * node->out;
    if (use->row_stats) use->row_stats += rows * node->layer.kind->row_stats;
  }
  celi_pass_set_output(&p, Y);
  p.X = X;
  p.ldx = p.net->in;
  return p;
}

// ---- one member, some rows

int64_t celi_pass_rows(const CeliPass *pass) {
  return pass->by_member ? pass->net->E * pass->B : pass->B;
}

void celi_pass_thread_rows(const CeliPass *p, int i, int64_t *begin, int64_t *end) {
  celi_share(p->of > 0 ? p->of : celi_pass_rows(p), CELI_ROW_GRAIN, i, p->threads, begin, end);
  *begin -= p->at;
  *end -= p->at;
}

/// The thread whose rows begin at `begin`.
static int thread_at(const CeliPass *p, int64_t begin) {
  int64_t first, last;
  for (int i = 0; i < p->threads; i++) {
    celi_pass_thread_rows(p, i, &first, &last);
    if (begin < first || begin >= last) continue;
    // A thread of another team may reach into two ranges, whose rows are not neighbors in memory.
    CEL_ASSERT(p->threads == 1 || begin == (first > 0 ? first : 0));
    return i;
  }
  return 0;
}

/// Where row 0 of the member would be in node l's matrices if all of its rows were in this range,
/// in rows. Members that take turns share one place, so that temporaries stay in cache.
static int64_t first_row(const CeliPass *p, int l, const CeliRange *r) {
  if (l == p->net->n - 1) return r->e * p->B;
  const int64_t gap = gap_rows(p->net->node[l].out);
  if (p->blockwise) return r->thread * (rows_kept(p) + gap) - r->begin;
  return p->take_turns ? r->thread * (p->B + gap) : r->e * p->B + r->thread * gap;
}

CeliRows celi_pass_node_rows(const CeliPass *p, int l, const CeliRange *r) {
  const CeliNode *node = &p->net->node[l];
  const CeliNodeUse *use = &p->use[l];
  const int64_t row = first_row(p, l, r);
  CeliRows rows = {.node = node,
                   .e = r->e,
                   .begin = r->begin,
                   .end = r->end,
                   .B = p->B,
                   .train = p->train,
                   .dropout = p->dropout,
                   .stream = p->dropout_use * CELI_NODES_MAX + (uint32_t)l,
                   .x = p->X,
                   .ldx = p->ldx,
                   .y = use->y + row * node->out};
  if (l > 0) {
    rows.x = p->use[l - 1].y + first_row(p, l - 1, r) * node->in;
    rows.ldx = node->in;
  }
  if (node->skip >= 0) rows.skip = p->use[node->skip].y + first_row(p, node->skip, r) * node->out;
  if (use->z) rows.z = use->z + row * node->out;
  if (use->row_stats) rows.row_stats = use->row_stats + row * node->layer.kind->row_stats;
  if (use->batch) rows.batch = use->batch + r->e * node->layer.kind->batch_stats * node->out;
  if (use->dz) rows.dz = use->dz + row * node->out;
  return rows;
}

void celi_pass_forward(const CeliPass *pass, const CeliRange *range, int first, int end) {
  for (int l = first; l < end; l++) {
    const CeliRows rows = celi_pass_node_rows(pass, l, range);
    rows.node->layer.kind->forward(&rows);
  }
}

/// dz_{l-1} from dz_l, l >= 1.
static void backward_node(const CeliPass *p, int l, const CeliRange *range) {
  const CeliOps *ops = celi_ops();
  const CeliNode *before = &p->net->node[l - 1];
  const CeliNodeUse *use = &p->use[l - 1];
  const int64_t K = before->out, row = first_row(p, l - 1, range);
  const int64_t begin = range->begin, end = range->end;
  const float *a = (celi_activations[before->act].reads_input ? use->z : use->y) + row * K;
  CeliRows rows = celi_pass_node_rows(p, l, range);
  rows.dx = use->dz + row * K;
  rows.lddx = K;
  rows.a = a;
  rows.act_in = before->act;
  const bool second = p->dH != NULL && l == p->net->n - 1;
  if (!second && before->reader == 0) {
    rows.node->layer.kind->backward(&rows);
    return;
  }
  rows.act_in = CELI_IDENTITY;
  rows.node->layer.kind->backward(&rows);
  if (second)
    ops->axpby(rows.dx + begin * K, 1, p->dH + (range->e * p->B + begin) * K, 1, (end - begin) * K);
  if (before->reader > 0) {
    const float *dz = p->use[before->reader].dz + first_row(p, before->reader, range) * K;
    ops->axpby(rows.dx + begin * K, 1, dz + begin * K, 1, (end - begin) * K);
  }
  ops->activation_backward(rows.dx, K, rows.dx, K, a, K, begin, end, K, before->act);
}

/// The wanted columns of the input's gradient: into dX (B,C) lddx where there is one member, else
/// into the member's own part.
static void backward_input(const CeliPass *p, float *dX, ptrdiff_t lddx, const CeliRange *range) {
  CeliRows rows = celi_pass_node_rows(p, 0, range);
  const int64_t C = rows.node->dx_end - rows.node->dx_begin;
  rows.dx = p->by_member ? p->dX_member + range->e * p->B * C : dX;
  rows.lddx = p->by_member ? C : lddx;
  rows.act_in = CELI_IDENTITY;
  rows.node->layer.kind->backward(&rows);
}

void celi_pass_backward(const CeliPass *pass, const CeliRange *range, int last, int first,
                        float *dX, ptrdiff_t lddx) {
  for (int l = last; l >= first && l >= 1; l--) backward_node(pass, l, range);
  if (dX != NULL && first == 0) backward_input(pass, dX, lddx, range);
}

bool celi_next_block(CeliRange *range, CeliRange *block) {
  const int64_t n = range->end - range->begin, blocks = celi_divide_up(n, CELI_ROW_BLOCK);
  if (n <= 0) return false;
  *block = *range;
  block->end = range->begin += celi_divide_up(n, blocks);
  return true;
}

bool celi_pass_cut(const CeliPass *pass, int64_t e, int64_t begin, int64_t end, CeliRange *range) {
  *range = (CeliRange){e, begin, end, thread_at(pass, begin)};
  return pass->by_member ? celi_member_rows(pass->B, e, begin, end, &range->begin, &range->end)
                         : begin < end;
}

bool celi_pass_range(const CeliPass *pass, int at, int64_t e, int i, CeliRows *rows) {
  CeliRange range = {.e = e, .thread = i};
  int64_t begin, end;
  celi_pass_thread_rows(pass, i, &begin, &end);
  if (!pass->by_member) {
    // Ranges of rows, the same for all members.
    begin = begin > 0 ? begin : 0;
    end = end < pass->B ? end : pass->B;
    range.begin = begin;
    range.end = end;
    if (begin >= end) return false;
  } else if (!celi_member_rows(pass->B, e, begin, end, &range.begin, &range.end)) {
    return false;
  }
  *rows = celi_pass_node_rows(pass, at, &range);
  return true;
}

// ---- at once

void celi_net_forward(const CeliPass *pass, int64_t begin, int64_t end) {
  CEL_ASSERT(pass->threads == 1 && !couples_rows(pass->net, pass->train));
  for (int64_t e = 0; e < pass->net->E; e++) {
    CeliRange range = {e, begin, end, 0}, block;
    while (celi_next_block(&range, &block)) celi_pass_forward(pass, &block, 0, pass->net->n);
  }
}

enum { APPLY_ROWS = 256 };

CelStatus celi_net_apply(const CeliNet *net, float *y, const float *x, ptrdiff_t ldx, int64_t n) {
  const int64_t B = n < APPLY_ROWS ? n : APPLY_ROWS, out = net->out;
  CelTensors *memory;
  CeliPass pass;
  if (n < 1) return CEL_OK;
  CELI_TRY(cel_tensors_create(&memory));
  CelStatus status = celi_pass_declare(&pass, memory, "apply", net, (CeliPassSpec){.B = B});
  if (status == CEL_OK) status = cel_tensors_allocate(memory);
  for (int64_t first = 0; status == CEL_OK && first < n; first += B) {
    const int64_t rows = n - first < B ? n - first : B;
    pass.X = x + first * ldx;
    pass.ldx = ldx;
    celi_net_forward(&pass, 0, rows);
    for (int64_t e = 0; e < net->E; e++)
      memcpy(y + (e * n + first) * out, celi_pass_output(&pass) + e * B * out,
             (size_t)(rows * out) * sizeof *y);
  }
  cel_tensors_destroy(memory);
  return status;
}
