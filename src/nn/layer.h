/// Layer kinds: what a network's layers can be, one file each in layers/ and one row in layers.c.
///
/// A network (net.h) is a list of CeliLayer. Declaring it compiles the list into nodes: an
/// activation is merged into the layer before it, so that one kernel computes both. Everything that
/// differs between kinds of layers is in CeliLayerKind; net.c knows none of them.
#ifndef CELI_LAYER_H
#define CELI_LAYER_H
#include "celsius/rng.h"
#include "celsius/tensors.h"
#include "ops/ops.h"

/// How the weights of dense layers start. Biases: Kaiming-uniform draws them as PyTorch's Linear
/// does, the others set zero.
typedef enum CeliInit { CELI_KAIMING_UNIFORM, CELI_ORTHOGONAL, CELI_XAVIER_UNIFORM } CeliInit;

/// Parameters of a layer: weight and bias, or gain and shift.
enum { CELI_LAYER_PARAMS = 2 };

typedef struct CeliLayerKind CeliLayerKind;
struct CeliPass;

/// Which weights celi_net_plan_weight_norm makes unit vectors: those of each output.
typedef enum CeliWeightNorm {
  CELI_WEIGHT_NORM_NONE,
  CELI_WEIGHT_NORM_WEIGHT,   ///< without the bias
  CELI_WEIGHT_NORM_WITH_BIAS ///< the bias is one more weight
} CeliWeightNorm;

/// One layer as a network's list describes it.
typedef struct CeliLayer {
  const CeliLayerKind *kind;
  int64_t out;               ///< dense: outputs; other kinds have as many as inputs
  CeliActivation activation; ///< of an activation layer
  double gain; ///< dense: of orthogonal weights, or a factor of the others' bound; 0: sqrt(2), or 1
  bool no_bias;               ///< dense: the bias stays zero; no gradient reaches it
  CeliWeightNorm weight_norm; ///< of a dense layer
  /// Normalizations: added to the variance; how much of a new statistic the running ones take. 0:
  /// the kind's default. Layers of a declared network have the values in use.
  double epsilon, momentum;
  double rate;    ///< dropout: probability that a number is dropped, [0, 1)
  int from;       ///< residual sum: position in the list of the layer whose output is added
  int64_t warmup; ///< batch renorm: training passes as batch norm; negative: none; 0: the default
} CeliLayer;

/// Noise of dropout: streams of (seed, CEL_RNG_DROPOUT).
typedef struct CeliDropout {
  uint64_t seed;
  uint64_t *counter; ///< (1,) blocks used, role CEL_STATE
} CeliDropout;

/// A compiled layer: act(kind(x)).
typedef struct CeliNode {
  CeliLayer layer;
  CeliActivation act; ///< the activation merged into this layer, or CELI_IDENTITY
  int64_t in, out;    ///< input and output width
  int index;          ///< of the last dense layer up to this one, from 0; -1 before the first
  int at;             ///< position in the list, without the activation merged into it
  int skip;           ///< residual sum: the node whose output is added; -1: none
  int reader;         ///< the residual sum that adds this node's output; 0: none
  float *param[CELI_LAYER_PARAMS]; ///< (E, shape), or NULL
  float *state[CELI_LAYER_PARAMS]; ///< (E, out) running statistics, or NULL
  uint64_t *steps; ///< (E, blocks of CELI_REDUCE_COLUMNS outputs) training passes, or NULL
  /// dense: (E, out, dx_end - dx_begin) transposed weights for the backward pass, scratch; NULL
  /// without one.
  float *transposed;
  int64_t dx_begin, dx_end; ///< columns of the input's gradient that are wanted
} CeliNode;

/// Some rows of one member of the ensemble, as a layer's functions see them. Row b of a matrix
/// starts `ld` floats behind row b - 1; the distances of y, z and dz are node->out.
typedef struct CeliRows {
  const CeliNode *node;
  int64_t e;                  ///< the member
  int64_t begin, end;         ///< rows
  int64_t B;                  ///< rows of the whole batch
  bool train;                 ///< batch statistics instead of running ones
  const CeliDropout *dropout; ///< NULL: nothing is dropped
  uint32_t stream;            ///< of the node's dropout
  const float *x;             ///< (rows, in) ldx
  ptrdiff_t ldx;
  const float *skip; ///< (rows, out) output of the node that a residual sum adds
  float *y;          ///< (rows, out) act(kind(x))
  float *z;          ///< (rows, out) kind(x), or NULL where no derivative needs it
  float *row_stats;  ///< (rows, kind->row_stats)
  double *batch;     ///< (kind->batch_stats, out) of the member; training only
  const float *dz;   ///< (rows, out) gradient at kind(x)
  float *dx;         ///< (rows, dx_end - dx_begin) lddx gradient at x, times act_in'
  ptrdiff_t lddx;
  CeliActivation act_in; ///< the activation that made x; applied to dx only
  const float
      *a; ///< (rows, in) what its derivative is computed from: output, or input (reads_input)
} CeliRows;

/// Directional derivative through one layer: t = d kind(x) / d(params, x) (direction, t_in).
typedef struct CeliTangentRows {
  CeliRows rows;                         ///< of the pass whose derivative is taken
  const float *param[CELI_LAYER_PARAMS]; ///< direction, shaped as the parameters
  float *t;                              ///< (rows, out)
  const float *t_in;   ///< (rows, in), or NULL where x does not depend on parameters
  const float *t_skip; ///< (rows, out) of the node that a residual sum adds
  float *scratch;      ///< (rows, ld_scratch)
  ptrdiff_t ld_scratch;
} CeliTangentRows;

/// How an ONNX graph computes something: one operator, and the newest sets that it needs.
typedef struct CeliOnnxOp {
  const char *op;    ///< NULL: nothing
  const char *value; ///< name of its output, before the layer's number
  int opset, ir; ///< first operator set and IR version with this operator; 0: those of all graphs
  struct {
    const char *name; ///< NULL: no more
    bool is_float;
    int64_t i;
    float f;
  } attribute[2];
  bool times_input; ///< the operator's output is multiplied by its input
} CeliOnnxOp;

/// What a kind of layer is: one const table, named by the network's list.
struct CeliLayerKind {
  const char *name;   ///< in messages and saved models
  const char *prefix; ///< of its tensors' names, behind the dense layer's number
  const char *param_name[CELI_LAYER_PARAMS], *state_name[CELI_LAYER_PARAMS]; ///< or NULL
  double epsilon, momentum; ///< defaults of CeliLayer's; 0: the kind has none
  int64_t warmup;           ///< the same; above 0, its layers count training passes
  int row_stats;            ///< floats that a forward pass keeps of each row
  int batch_stats;          ///< doubles of each output that training passes keep of the whole batch
  /// In training, a row's output depends on the whole batch. The plan then waits before such a
  /// layer, forward and backward, and runs `reduce` and `reduce_backward` by part.
  bool couples_rows;
  bool adds;          ///< adds the output of an earlier layer (CeliLayer.from)
  bool training_only; ///< acting does without it
  bool transposes;    ///< backward reads parameter 0 transposed (CeliNode.transposed)
  int64_t (*out)(const CeliLayer *layer, int64_t in);
  /// Shape of parameter k of one member: (rows, columns); rows 0: a vector of `columns`.
  void (*shape)(const CeliNode *node, int k, int64_t *rows, int64_t *columns);
  /// Initial parameters of member e.
  void (*init)(const CeliNode *node, int64_t e, CeliInit init, CelRng *rng);
  void (*forward)(const CeliRows *rows);
  /// dx from dz.
  void (*backward)(const CeliRows *rows);
  /// Parts that the parameters' gradients are cut into, and the cost of one; NULL: no parameters.
  int64_t (*grad_parts)(const CeliNode *node, int64_t *cost);
  /// Parts [first, stop) of the gradients of one member. `more`: adds to the sums over rows before.
  void (*grad)(const CeliRows *rows, float *const grad[CELI_LAYER_PARAMS], int64_t first,
               int64_t stop, bool more);
  /// Columns [first, stop) of the batch statistics; `pass` and `node` say of which layer.
  void (*reduce)(const struct CeliPass *pass, int node, int64_t e, int64_t first, int64_t stop);
  void (*reduce_backward)(const struct CeliPass *pass, int node, int64_t e, int64_t first,
                          int64_t stop);
  /// NULL: TRPO does not support the kind.
  void (*tangent)(const CeliTangentRows *t);

  // How exported policies compute it.
  /// A C function PREFIX_KIND, where PREFIX stands for "$": (to, from, params, in, out), or, where
  /// `c_in_place`, (y, params, running statistics, epsilon if the kind has one, n).
  const char *c_source;
  bool c_in_place;
  bool c_math;                                ///< it needs math.h
  const char *export_name[CELI_LAYER_PARAMS]; ///< of the parameters' arrays, before their number
  const char *export_state[CELI_LAYER_PARAMS];
  CeliOnnxOp onnx; ///< inputs: x, parameters, running statistics
};

extern const CeliLayerKind celi_dense, celi_layer_norm, celi_batch_norm, celi_batch_renorm,
    celi_rms_norm, celi_add, celi_dropout, celi_activation;

/// The kinds in a NULL-terminated list.
extern const CeliLayerKind *const celi_layer_kinds[];

/// For kinds that keep their width, and whose parameters are one number per output.
int64_t celi_layer_same_width(const CeliLayer *layer, int64_t in);
void celi_layer_vector(const CeliNode *node, int k, int64_t *rows, int64_t *columns);

/// An activation function: one row in layers/activation.c, and its kernel in ops/dense_impl.h.
typedef struct CeliActivationInfo {
  const char *name;
  bool reads_input;   ///< its derivative is computed from its input, else from its output
  const char *c_expr; ///< the value in exported C, of y[j]
  bool c_math;        ///< it needs math.h
  CeliOnnxOp onnx;
} CeliActivationInfo;
/// In the order of CeliActivation.
extern const CeliActivationInfo celi_activations[CELI_ACTIVATIONS];

/// Layers as a list's entries.
static inline CeliLayer celi_layer_dense(int64_t out, double gain) {
  return (CeliLayer){.kind = &celi_dense, .out = out, .gain = gain};
}
static inline CeliLayer celi_layer_activation(CeliActivation activation) {
  return (CeliLayer){.kind = &celi_activation, .activation = activation};
}
static inline CeliLayer celi_layer_normalization(const CeliLayerKind *kind) {
  return (CeliLayer){.kind = kind};
}
static inline CeliLayer celi_layer_add(int from) {
  return (CeliLayer){.kind = &celi_add, .from = from};
}
/// The layer with its kind's defaults in place of zeros.
static inline CeliLayer celi_layer_settled(const CeliLayer *layer) {
  CeliLayer settled = *layer;
  if (!(settled.epsilon > 0)) settled.epsilon = layer->kind->epsilon;
  if (!(settled.momentum > 0)) settled.momentum = layer->kind->momentum;
  if (settled.warmup == 0) settled.warmup = layer->kind->warmup;
  return settled;
}

/// Number of floats of parameter k of one member.
static inline int64_t celi_param_size(const CeliNode *node, int k) {
  int64_t rows, columns;
  node->layer.kind->shape(node, k, &rows, &columns);
  return (rows ? rows : 1) * columns;
}

static inline int64_t celi_divide_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

// ---- initial weights (init.c), W (K,N), b (N,).
void celi_init_weights(float *W, float *b, int64_t K, int64_t N, CeliInit init, double gain,
                       CelRng *rng);

#endif
