/// The policy as an ONNX graph. Public interface: celsius/export.h; messages: onnx.proto.
///
///   observation -> [Sub, Mul, Clip] -> [Concat noise]
///               -> { Gemm -> [LayerNormalization | BatchNormalization] -> activation } ...
///                  in the order of the list; RMS norm is Mul, Gemm, Sqrt, Div, Mul; residual sums
///                  are Add
///               -> Gemm -> [Tanh] -> Mul, Add -> [Max, Min] -> action
///   discrete action:        Gemm -> ArgMax
///   bits:                   Gemm -> Greater 0 -> Cast
///   K categorical parts:    Gemm -> Reshape (batch, K, most) -> ArgMax
/// `most` is the largest number of actions of a part. Parts with fewer actions have extra columns
/// that never are the maximum.
///
/// One Builder holds everything that the messages point to, except the parameters, which stay in
/// the model.
#ifdef CELSIUS_WITH_PROTOBUF
#include "base/base.h"
#include "deploy/export_formats.h"
#include "onnx.pb-c.h"
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef Celi__Onnx__Node Node;
typedef Celi__Onnx__Attribute Attribute;
typedef Celi__Onnx__Tensor Tensor;

enum { FLOAT32 = 1, INT64 = 7 };
/// Operator set 13 needs IR version 7. Some layers need later versions (CeliOnnxOp).
enum { OPSET = 13, IR = 7 };
enum {
  NODES_MAX = 5 * CELI_LAYERS_MAX + 11,
  TENSORS_MAX = 2 * CELI_LAYER_PARAMS * CELI_LAYERS_MAX + 12,
  INPUTS_MAX = 1 + 2 * CELI_LAYER_PARAMS,
  TEXT = 40
};

typedef struct NodeRow {
  Node node;
  char *input[INPUTS_MAX], *output[1];
  char text[INPUTS_MAX + 1][TEXT]; ///< texts that the messages point to
  Attribute attribute[2], *attributes[2];
} NodeRow;

typedef struct TensorRow {
  Tensor tensor;
  int64_t dims[2];
  char name[TEXT];
} TensorRow;

typedef struct Builder {
  const CeliModel *model;
  NodeRow node[NODES_MAX];
  Node *nodes[NODES_MAX];
  size_t n_nodes;
  TensorRow tensor[TENSORS_MAX];
  Tensor *tensors[TENSORS_MAX];
  size_t n_tensors;
  char last[TEXT];                    ///< name of the last computed value
  char output[CELI_LAYERS_MAX][TEXT]; ///< of each layer
  float *head;      ///< (width, C) columns of the last layer's weight that the mode needs
  float *bias;      ///< (C,)
  float *constants; ///< of RMS norms
  int64_t n_constants;
  int64_t C;        ///< A, or K * most for K categorical parts
  int64_t shape[3]; ///< shape of the logits of K categorical parts
  float clip_low, clip_high, mean_low, mean_high, zero;
  int opset, ir; ///< the newest versions that a node needs
} Builder;

static char *put(char to[TEXT], const char *text) {
  snprintf(to, TEXT, "%s", text);
  return to;
}

/// Adds a parameter. columns 0: one dimension; rows 0 too: a scalar.
static TensorRow *add_tensor(Builder *b, const char *name, const float *data, int64_t rows,
                             int64_t columns) {
  TensorRow *row = &b->tensor[b->n_tensors];
  CEL_ASSERT(b->n_tensors < TENSORS_MAX);
  celi__onnx__tensor__init(&row->tensor);
  row->dims[0] = rows;
  row->dims[1] = columns;
  row->tensor.dims = row->dims;
  row->tensor.n_dims = columns ? 2 : rows ? 1 : 0;
  row->tensor.has_data_type = 1;
  row->tensor.data_type = FLOAT32;
  row->tensor.name = put(row->name, name);
  row->tensor.has_raw_data = 1;
  row->tensor.raw_data.len = (size_t)((rows ? rows : 1) * (columns ? columns : 1)) * sizeof(float);
  memcpy(&row->tensor.raw_data.data, &data,
         sizeof data); // protobuf-c only reads it, although the pointer is not const
  b->tensors[b->n_tensors++] = &row->tensor;
  return row;
}

/// Adds an operation on the last value and `n` parameters. Its output becomes the last value.
static NodeRow *add_node_list(Builder *b, const char *op, const char *const inputs[], int n,
                              const char *output) {
  NodeRow *row = &b->node[b->n_nodes];
  CEL_ASSERT(b->n_nodes < NODES_MAX && n < INPUTS_MAX);
  celi__onnx__node__init(&row->node);
  row->input[row->node.n_input++] = put(row->text[0], b->last);
  for (int i = 0; i < n; i++) row->input[1 + i] = put(row->text[1 + i], inputs[i]);
  row->node.n_input += (size_t)n;
  row->output[row->node.n_output++] = put(row->text[INPUTS_MAX], output);
  row->node.input = row->input;
  row->node.output = row->output;
  row->node.name = row->output[0];
  row->node.op_type = (char *)op;
  row->node.attribute = row->attributes;
  put(b->last, output);
  b->nodes[b->n_nodes++] = &row->node;
  return row;
}

/// add_node_list with up to two parameters (NULL: none).
static NodeRow *add_node(Builder *b, const char *op, const char *second, const char *third,
                         const char *output) {
  const char *const inputs[] = {second, third};
  return add_node_list(b, op, inputs, third ? 2 : second ? 1 : 0, output);
}

static Attribute *add_attribute(NodeRow *row, const char *name) {
  Attribute *attribute = &row->attribute[row->node.n_attribute];
  celi__onnx__attribute__init(attribute);
  attribute->name = (char *)name;
  attribute->has_type = 1;
  row->attributes[row->node.n_attribute++] = attribute;
  return attribute;
}

static void add_int(NodeRow *row, const char *name, int64_t value) {
  Attribute *attribute = add_attribute(row, name);
  attribute->type = CELI__ONNX__ATTRIBUTE__TYPE__INT;
  attribute->has_i = 1;
  attribute->i = value;
}

static void add_float(NodeRow *row, const char *name, float value) {
  Attribute *attribute = add_attribute(row, name);
  attribute->type = CELI__ONNX__ATTRIBUTE__TYPE__FLOAT;
  attribute->has_f = 1;
  attribute->f = value;
}

// ---- the graph

static void add_normalizer(Builder *b) {
  const CeliModel *model = b->model;
  if (!model->obs_shift) return;
  add_tensor(b, "obs_shift", model->obs_shift, model->O, 0);
  add_tensor(b, "obs_scale", model->obs_scale, model->O, 0);
  b->clip_low = -model->obs_clip;
  b->clip_high = model->obs_clip;
  add_tensor(b, "obs_clip_low", &b->clip_low, 0, 0);
  add_tensor(b, "obs_clip_high", &b->clip_high, 0, 0);
  add_node(b, "Sub", "obs_shift", NULL, "obs_centred");
  add_node(b, "Mul", "obs_scale", NULL, "obs_scaled");
  add_node(b, "Clip", "obs_clip_low", "obs_clip_high", "obs_normalised");
}

/// Adds the input. A sampler has its noise after the observation.
static void add_input(Builder *b) {
  put(b->last, "observation");
  add_normalizer(b);
  if (b->model->noise > 0) add_int(add_node(b, "Concat", "noise", NULL, "input"), "axis", 1);
}

/// "NAME3" for layer 3; "NAME_input" before the first dense layer.
static void numbered(char to[TEXT], const char *name, int index) {
  if (index >= 0)
    snprintf(to, TEXT, "%s%d", name, index);
  else
    snprintf(to, TEXT, "%s_input", name);
}

/// The same, with letters behind the number if a node of the graph has that name.
static void unused(const Builder *b, char to[TEXT], const char *name, int index) {
  numbered(to, name, index);
  for (size_t i = 0, length = strlen(to); i < b->n_nodes; i++)
    if (strcmp(b->node[i].output[0], to) == 0 && length < TEXT - 1) {
      to[length++] = 'b';
      to[length] = 0;
      i = (size_t)-1; // from the start
    }
}

/// Adds an operator of layer `index` with its attributes. An attribute "epsilon" has the layer's.
static void add_op(Builder *b, const CeliOnnxOp *op, const char *const inputs[], int n, int index,
                   double epsilon) {
  char before[TEXT], gate[TEXT], output[TEXT];
  if (!op->op) return; // the identity
  put(before, b->last);
  unused(b, output, op->value, index);
  unused(b, gate, "gate", index);
  NodeRow *row = add_node_list(b, op->op, inputs, n, op->times_input ? gate : output);
  for (int i = 0; i < 2 && op->attribute[i].name; i++) {
    if (op->attribute[i].is_float)
      add_float(row, op->attribute[i].name,
                strcmp(op->attribute[i].name, "epsilon") == 0 ? (float)epsilon
                                                              : op->attribute[i].f);
    else
      add_int(row, op->attribute[i].name, op->attribute[i].i);
  }
  if (op->times_input) add_node(b, "Mul", before, NULL, output);
  b->opset = op->opset > b->opset ? op->opset : b->opset;
  b->ir = op->ir > b->ir ? op->ir : b->ir;
}

/// x / rms, from operators that all operator sets have in the same form. A product with a column
/// of 1/N is the mean.
static void add_rms(Builder *b, const CeliModelLayer *layer) {
  char before[TEXT], weights[TEXT], epsilon[TEXT], names[4][TEXT];
  const char *const values[] = {"square", "mean_square", "rms", "scaled_by_rms"};
  float *constants = b->constants + b->n_constants;
  put(before, b->last);
  numbered(weights, "rms_norm_mean", layer->index);
  numbered(epsilon, "rms_norm_epsilon", layer->index);
  for (int i = 0; i < 4; i++) numbered(names[i], values[i], layer->index);
  for (int64_t i = 0; i < layer->out; i++) constants[i] = 1 / (float)layer->out;
  constants[layer->out] = (float)layer->layer.epsilon;
  add_tensor(b, weights, constants, layer->out, 1);
  add_tensor(b, epsilon, constants + layer->out, 1, 0);
  b->n_constants += layer->out + 1;
  add_node(b, "Mul", before, NULL, names[0]);
  add_node(b, "Gemm", weights, epsilon, names[1]);
  add_node(b, "Sqrt", NULL, NULL, names[2]);
  put(b->last, before);
  add_node(b, "Div", names[2], NULL, names[3]);
}

static void add_layer(Builder *b, int l) {
  const CeliModelLayer *layer = &b->model->layer[l];
  const CeliLayerKind *kind = layer->layer.kind;
  const CeliNode node = {.layer = layer->layer, .in = layer->in, .out = layer->out};
  const bool last = l == b->model->n - 1; // only the columns that the mode needs
  const float *head[] = {b->head, b->bias};
  char text[2 * CELI_LAYER_PARAMS][TEXT];
  const char *inputs[2 * CELI_LAYER_PARAMS];
  int n = 0;
  if (kind == &celi_activation) {
    add_op(b, &celi_activations[layer->layer.activation].onnx, NULL, 0, layer->index, 0);
    return;
  }
  if (kind == &celi_rms_norm) add_rms(b, layer);
  if (kind->adds) inputs[n++] = b->output[layer->layer.from];
  for (int k = 0; k < CELI_LAYER_PARAMS; k++) {
    int64_t rows, columns;
    if (!kind->param_name[k]) continue;
    kind->shape(&node, k, &rows, &columns);
    numbered(text[n], kind->export_name[k], layer->index);
    add_tensor(b, text[n], last ? head[k] : layer->param[k],
               rows   ? rows
               : last ? b->C
                      : columns,
               rows ? last ? b->C : columns : 0);
    inputs[n] = text[n];
    n++;
  }
  for (int k = 0; k < CELI_LAYER_PARAMS; k++) {
    if (!layer->state[k]) continue;
    numbered(text[n], kind->export_state[k], layer->index);
    add_tensor(b, text[n], layer->state[k], layer->out, 0);
    inputs[n] = text[n];
    n++;
  }
  add_op(b, &kind->onnx, inputs, n, layer->index, layer->layer.epsilon);
}

static void add_choice(Builder *b, int64_t axis) {
  NodeRow *row = add_node(b, "ArgMax", NULL, NULL, "action");
  add_int(row, "axis", axis);
  add_int(row, "keepdims", 0);
}

static void add_choices(Builder *b) {
  const int64_t K = b->model->K, shape[3] = {-1, K, b->C / K};
  memcpy(b->shape, shape, sizeof shape);
  TensorRow *row = add_tensor(b, "choices", NULL, 3, 0);
  row->tensor.data_type = INT64;
  row->tensor.raw_data.data = (uint8_t *)b->shape;
  row->tensor.raw_data.len = sizeof b->shape;
  add_node(b, "Reshape", "choices", NULL, "logits");
  add_choice(b, 2);
}

static void add_mean_clip(Builder *b) {
  b->mean_high = (float)b->model->policy.clip_mean;
  b->mean_low = -b->mean_high;
  add_tensor(b, "mean_low", &b->mean_low, 0, 0);
  add_tensor(b, "mean_high", &b->mean_high, 0, 0);
  add_node(b, "Clip", "mean_low", "mean_high", "mean_clipped");
}

static void add_output(Builder *b) {
  const CeliModel *model = b->model;
  if (model->policy.kind == CELI_CATEGORICAL) {
    add_choice(b, 1);
    return;
  }
  if (model->choices) {
    add_choices(b);
    return;
  }
  if (model->policy.kind == CELI_BERNOULLI) {
    add_tensor(b, "zero", &b->zero, 0, 0);
    add_node(b, "Greater", "zero", NULL, "bits");
    add_int(add_node(b, "Cast", NULL, NULL, "action"), "to", INT64);
    return;
  }
  add_tensor(b, "action_scale", model->action_scale, model->policy.A, 0);
  add_tensor(b, "action_shift", model->action_shift, model->policy.A, 0);
  if (model->policy.clip_mean > 0) add_mean_clip(b);
  if (model->policy.kind == CELI_SQUASHED_GAUSSIAN) add_node(b, "Tanh", NULL, NULL, "squashed");
  add_node(b, "Mul", "action_scale", NULL, "scaled");
  if (!model->action_low) {
    add_node(b, "Add", "action_shift", NULL, "action");
    return;
  }
  add_tensor(b, "action_low", model->action_low, model->policy.A, 0);
  add_tensor(b, "action_high", model->action_high, model->policy.A, 0);
  add_node(b, "Add", "action_shift", NULL, "shifted");
  add_node(b, "Max", "action_low", NULL, "raised");
  add_node(b, "Min", "action_high", NULL, "action");
}

/// Copies columns [0, A) of the last layer. For K categorical parts, pads the columns of each part
/// to `most`.
static CelStatus copy_head(Builder *b) {
  const CeliModel *model = b->model;
  const CeliModelLayer *last = &model->layer[model->n - 1];
  const int64_t in = last->in, out = last->out, K = model->choices ? model->K : 1;
  int64_t most = model->policy.A, from = 0;
  for (int64_t k = 0; model->choices && k < K; k++)
    most = k == 0 || (int64_t)model->choices[k] > most ? (int64_t)model->choices[k] : most;
  b->C = K * most;
  CELI_TRY(celi_alloc(&b->head, (size_t)(in * b->C), sizeof(float), "an export"));
  CELI_TRY(celi_alloc(&b->bias, (size_t)b->C, sizeof(float), "an export"));
  memset(b->head, 0, (size_t)(in * b->C) * sizeof(float));
  for (int64_t c = 0; c < b->C; c++) b->bias[c] = -FLT_MAX;
  for (int64_t k = 0; k < K; k++) {
    const int64_t n = model->choices ? (int64_t)model->choices[k] : most;
    for (int64_t i = 0; i < in; i++)
      memcpy(b->head + i * b->C + k * most, last->param[0] + i * out + from,
             (size_t)n * sizeof(float));
    memcpy(b->bias + k * most, last->param[1] + from, (size_t)n * sizeof(float));
    from += n;
  }
  return CEL_OK;
}

static CelStatus allocate_constants(Builder *b) {
  int64_t n = 0;
  for (int l = 0; l < b->model->n; l++)
    if (b->model->layer[l].layer.kind == &celi_rms_norm) n += b->model->layer[l].out + 1;
  return n ? celi_alloc(&b->constants, (size_t)n, sizeof(float), "an export") : CEL_OK;
}

// ---- the file

/// An input or output of shape (batch, columns), or (batch,) if columns is 0.
typedef struct Port {
  Celi__Onnx__ValueInfo info;
  Celi__Onnx__Type type;
  Celi__Onnx__Type__TensorType tensor;
  Celi__Onnx__Shape shape;
  Celi__Onnx__Shape__Dimension dim[2], *dims[2];
} Port;

static Celi__Onnx__ValueInfo *set_port(Port *port, const char *name, int32_t type,
                                       int64_t columns) {
  celi__onnx__value_info__init(&port->info);
  celi__onnx__type__init(&port->type);
  celi__onnx__type__tensor_type__init(&port->tensor);
  celi__onnx__shape__init(&port->shape);
  for (int d = 0; d < 2; d++) {
    celi__onnx__shape__dimension__init(&port->dim[d]);
    port->dims[d] = &port->dim[d];
  }
  port->dim[0].dim_param = (char *)"batch";
  port->dim[1].has_dim_value = 1;
  port->dim[1].dim_value = columns;
  port->shape.n_dim = columns ? 2 : 1;
  port->shape.dim = port->dims;
  port->tensor.has_elem_type = 1;
  port->tensor.elem_type = type;
  port->tensor.shape = &port->shape;
  port->type.tensor_type = &port->tensor;
  port->info.name = (char *)name;
  port->info.type = &port->type;
  return &port->info;
}

static CelStatus write_model(const char *out, const Celi__Onnx__Model *file) {
  const size_t bytes = celi__onnx__model__get_packed_size(file);
  uint8_t *data;
  CELI_TRY(celi_alloc(&data, bytes, 1, "an export"));
  const size_t packed = celi__onnx__model__pack(file, data);
  CEL_ASSERT(packed == bytes);
  const CelStatus status = celi_file_write(out, data, bytes);
  free(data);
  return status;
}

static CelStatus write_graph(Builder *b, const char *out, const char *name) {
  const CeliModel *model = b->model;
  const bool choice = model->policy.kind == CELI_CATEGORICAL;
  char version[64], algo[64];
  celi_export_plain(version, model->version);
  celi_export_plain(algo, model->algo);
  Port in, noise, action;
  Celi__Onnx__ValueInfo *inputs[] = {set_port(&in, "observation", FLOAT32, model->O),
                                     set_port(&noise, "noise", FLOAT32, model->noise)};
  Celi__Onnx__ValueInfo *outputs[] = {
      set_port(&action, "action", model->discrete ? INT64 : FLOAT32, choice ? 0 : model->K)};
  Celi__Onnx__Graph graph = CELI__ONNX__GRAPH__INIT;
  graph.node = b->nodes, graph.n_node = b->n_nodes;
  graph.initializer = b->tensors, graph.n_initializer = b->n_tensors;
  graph.input = inputs, graph.n_input = model->noise > 0 ? 2 : 1;
  graph.output = outputs, graph.n_output = 1;
  graph.name = (char *)name;
  Celi__Onnx__OperatorSet opset = CELI__ONNX__OPERATOR_SET__INIT, *opsets[] = {&opset};
  opset.has_version = 1;
  opset.version = b->opset;
  Celi__Onnx__StringEntry entry = CELI__ONNX__STRING_ENTRY__INIT, *entries[] = {&entry};
  entry.key = (char *)"algo", entry.value = algo;
  Celi__Onnx__Model file = CELI__ONNX__MODEL__INIT;
  file.has_ir_version = 1;
  file.ir_version = b->ir;
  file.producer_name = (char *)"celsius";
  file.producer_version = version;
  file.graph = &graph;
  file.opset_import = opsets, file.n_opset_import = 1;
  file.metadata_props = entries, file.n_metadata_props = 1;
  return write_model(out, &file);
}

CelStatus celi_export_onnx(const CeliModel *model, const char *out, const char *name) {
  Builder *b = calloc(1, sizeof *b);
  if (!b) return cel_fail(CEL_E_MEMORY, "not enough memory for an export");
  b->model = model;
  b->opset = OPSET;
  b->ir = IR;
  CelStatus status = copy_head(b);
  if (!status) status = allocate_constants(b);
  if (!status) {
    add_input(b);
    for (int l = 0; l < model->n; l++) {
      add_layer(b, l);
      put(b->output[l], b->last);
    }
    add_output(b);
    status = write_graph(b, out, name);
  }
  free(b->head);
  free(b->bias);
  free(b->constants);
  free(b);
  return status;
}
#else
typedef int celi_without_onnx; // ISO C forbids an empty file
#endif
