/// Networks: an ensemble of E members with the same layers (twin critics: E = 2).
///
/// There are three objects: the network (nodes and parameters, constant during a pass), its
/// gradients, and a pass (the activations for one batch). A node is a layer with its activation.
/// Node l computes y_l = act(kind(y_{l-1})). The parameters of all nodes and members are contiguous
/// in memory. Every parameter tensor has E as its first dimension. The kinds of layers are in
/// layers/ (interface: layer.h).
#ifndef CELI_NET_H
#define CELI_NET_H
#include "celsius/field.h"
#include "nn/layer.h"
#include "ops/ops.h"
#include "ops/plan.h"

/// A residual block has six layers, of which an activation is merged into another one. A network
/// also has up to four layers around its blocks.
#define CELI_LAYERS_MAX (6 * CEL_LIST_MAX + 4)
#define CELI_NODES_MAX (5 * CEL_LIST_MAX + 4)
/// Floats between the rows of two threads. Cores prefetch about this far ahead.
#define CELI_GAP 8192
/// Columns that one part of a reduction over the batch takes.
enum { CELI_REDUCE_COLUMNS = CELI_COLUMNS };

typedef struct CeliNetSpec {
  int64_t E;  ///< members
  int64_t in; ///< input width
  int n;      ///< layers
  CeliLayer layer[CELI_LAYERS_MAX];
  CeliInit init;
  /// The columns of the gradient with respect to the input that are computed: [dx_begin, dx_end).
  /// Both 0: all columns. Equal and above 0: none.
  int64_t dx_begin, dx_end;
} CeliNetSpec;

typedef enum CeliNormKind {
  CELI_NORM_NONE,
  CELI_NORM_LAYER,
  CELI_NORM_BATCH,
  CELI_NORM_BATCH_RENORM,
  CELI_NORM_RMS
} CeliNormKind;
typedef enum CeliNormPlace {
  CELI_NORM_BEFORE, ///< between a dense layer and its activation (XQC, DroQ)
  CELI_NORM_AFTER   ///< behind the activation (CrossQ)
} CeliNormPlace;

/// The normalizations of a multilayer perceptron.
typedef struct CeliMlpNorm {
  CeliNormKind kind;
  CeliNormPlace place;      ///< in every hidden layer
  bool input;               ///< normalizes the input too
  double epsilon, momentum; ///< as in CeliLayer
  int64_t warmup;
} CeliMlpNorm;

/// The dense layers whose weights are projected to unit vectors after each step of the optimizer
/// (celi_net_plan_weight_norm).
typedef enum CeliMlpWeightNorm {
  CELI_MLP_WEIGHT_NORM_NONE,
  CELI_MLP_WEIGHT_NORM_HIDDEN, ///< with their biases (CrossQ + WN)
  CELI_MLP_WEIGHT_NORM_ALL     ///< also the last layer's, without its bias (XQC)
} CeliMlpWeightNorm;

/// A multilayer perceptron: dense layers, with an activation and a normalization behind each but
/// the last.
typedef struct CeliMlpSpec {
  int64_t E;                 ///< members
  int64_t in, out;           ///< input and output width
  CelIntList hidden;         ///< widths of the hidden layers; may be empty
  CeliActivation activation; ///< of hidden layers
  CeliMlpNorm norm;
  CeliMlpWeightNorm weight_norm;
  bool no_bias;   ///< of hidden layers: what batch norm removes again
  double dropout; ///< rate behind each hidden dense layer (DroQ), [0, 1)
  /// Residual blocks instead, one for each hidden width; all are equal. `norm` then stands at the
  /// start of each block and before the last layer, and dropout at the end of each block.
  bool residual;
  CeliInit init;
  double output_gain;       ///< last layer: see CeliLayer.gain
  int64_t dx_begin, dx_end; ///< as in CeliNetSpec
} CeliMlpSpec;
/// The list of its layers; hidden.n is 0 to CEL_LIST_MAX.
CeliNetSpec celi_mlp_layers(const CeliMlpSpec *mlp);

typedef struct CeliNet {
  int64_t E, in, out;
  CeliInit init;
  int n; ///< nodes; 0: not declared
  CeliNode node[CELI_NODES_MAX];
} CeliNet;

/// Gradients, in the order of the nodes' parameters.
typedef struct CeliNetGrad {
  float *param[CELI_NODES_MAX][CELI_LAYER_PARAMS];
} CeliNetGrad;

/// What a pass keeps of one node. Matrices have E members of B rows; see CeliPass for where they
/// differ.
typedef struct CeliNodeUse {
  float *y;         ///< (E, B, out) output
  float *z;         ///< (E, B, out) before the activation, where its derivative reads that
  float *row_stats; ///< (E, B, kind->row_stats), or NULL
  float *dz;        ///< (E, B, out) gradient before the activation; NULL without backward
  double *batch;    ///< (E, kind->batch_stats, out), or NULL
} CeliNodeUse;

/// How a pass is used.
typedef struct CeliPassSpec {
  int64_t B;     ///< rows
  bool backward; ///< keeps what derivatives need
  /// Number of threads of the team that runs the pass. With 0 or 1, a team of any size may run it,
  /// and the rows of hidden layers are contiguous, so other code can read them. With 2 or more, a
  /// gap of CELI_GAP floats separates the rows of one thread from those of the next. Without the
  /// gap, a core would prefetch cache lines that another core is writing.
  int threads;
  /// Hidden layers keep only the current block of rows, so that temporaries stay in cache. For a
  /// forward pass, or, with `backward`, for celi_net_plan_input_gradient and nothing else.
  bool blockwise;
  bool train; ///< batch statistics instead of running ones, where a layer has them
} CeliPassSpec;

/// One use of a network on B rows. Plans keep its address: it must not move while they are run.
typedef struct CeliPass {
  const CeliNet *net;
  int64_t B;
  const float *X; ///< (B, in) ldx, the same for all members
  ptrdiff_t ldx;
  CeliNodeUse use[CELI_NODES_MAX];
  float *dX_member; ///< (E, B, wanted columns of in) the members' parts of dX, or NULL
  /// Row operations have count E B (member by member) instead of B. A thread then mostly works on
  /// whole members, so their weights and activations stay in its core's cache. True if E > 1 and
  /// the pass has a backward part, has several threads, or couples the rows of a batch.
  bool by_member;
  bool take_turns; ///< hidden layers keep one member at a time
  bool blockwise, train;
  int threads;
  const CeliDropout *dropout; ///< noise of dropout layers (celi_pass_drop), or NULL
  uint32_t dropout_use;
  /// Position beside other passes (celi_plan_side): its rows are [at, at + B) (E B by member) of
  /// the `of` rows that are cut together. Both 0: alone. Set after declaring.
  int64_t at, of;
  /// (E, B, width of the last hidden layer) or NULL: added to the gradient at the last hidden
  /// layer's output, before its activation's derivative (a second use of that layer: gSDE).
  float *dH;
} CeliPass;

/// Only checks the list and compiles it into nodes, without tensors.
/// Errors: CEL_E_RANGE (widths), CEL_E_UNSUPPORTED (an order of layers).
CelStatus celi_net_compile(CeliNet *net, const char *name, const CeliNetSpec *spec) CEL_WARN_UNUSED;
/// Declares the parameters in `role` (CEL_PARAM or CEL_TARGET): "NAME.l.weight" (E, in, out) and
/// "NAME.l.bias" of dense layer l, "NAME.l.norm.weight" of the layer norm behind it, and so on.
/// With CEL_PARAM also the transposed weights.
/// Errors: as cel_tensors_declare; CEL_E_RANGE (widths), CEL_E_UNSUPPORTED (an order of layers).
CelStatus celi_net_declare(CeliNet *net, CelTensors *tensors, const char *name, CelRole role,
                           const CeliNetSpec *spec) CEL_WARN_UNUSED;
/// The same for a multilayer perceptron. Errors: as celi_net_declare.
CelStatus celi_mlp_declare(CeliNet *net, CelTensors *tensors, const char *name, CelRole role,
                           const CeliMlpSpec *mlp) CEL_WARN_UNUSED;
/// Declares the mirror of the parameters in role CEL_GRAD ("grad." + name), CEL_MOMENT1 ("adam.m.")
/// or CEL_MOMENT2 ("adam.v."). `grad` may be NULL: the optimizer finds moments by their position.
CelStatus celi_net_declare_grad(CeliNetGrad *grad, CelTensors *tensors, const char *name,
                                CelRole role, const CeliNet *net) CEL_WARN_UNUSED;
/// Declares a pass. Errors: as cel_tensors_declare; CEL_E_RANGE (rows).
CelStatus celi_pass_declare(CeliPass *pass, CelTensors *tensors, const char *name,
                            const CeliNet *net, CeliPassSpec spec) CEL_WARN_UNUSED;

/// The layers that acting needs, in order, with their settings. Returns how many.
int celi_net_layers(const CeliNet *net, CeliLayer layers[CELI_LAYERS_MAX]);

/// Declares the noise of dropout, "NAME.counter". Errors: as cel_tensors_declare.
CelStatus celi_dropout_declare(CeliDropout *dropout, CelTensors *tensors, const char *name,
                               uint64_t seed) CEL_WARN_UNUSED;

/// Draws initial parameters. Dense layer l of member e has a stream of its own, (seed,
/// CEL_RNG_INIT, first_index + l E + e). Layers with weight norm are projected.
void celi_net_init(CeliNet *net, uint64_t seed, uint32_t first_index);
/// celi_net_plan_weight_norm at once, serial.
void celi_net_weight_norm(const CeliNet *net);
/// Updates the transposed weights. Serial; the plan's form is celi_net_plan_transpose.
void celi_net_transpose(CeliNet *net);
/// Names of the first and the last parameter of the network declared as `name`.
void celi_net_first_parameter(const CeliNet *net, const char *name, char first[CEL_NAME_MAX]);
void celi_net_last_parameter(const CeliNet *net, const char *name, char last[CEL_NAME_MAX]);

/// The first parameter: the start of the contiguous run of all of them.
static inline float *celi_net_parameters(const CeliNet *net) {
  int l = 0;
  while (l < net->n - 1 && !net->node[l].param[0]) l++;
  return net->node[l].param[0];
}
/// Width of the last hidden layer, which is the input width of the output layer.
static inline int64_t celi_net_latent_width(const CeliNet *net) {
  return net->node[net->n - 1].in;
}
/// The output of a pass (E, B, out); its gradient (E, B, out), which the caller sets; and the
/// output of the last hidden layer (E, B, latent width).
static inline float *celi_pass_output(const CeliPass *pass) {
  return pass->use[pass->net->n - 1].y;
}
static inline float *celi_pass_d_output(const CeliPass *pass) {
  return pass->use[pass->net->n - 1].dz;
}
static inline float *celi_pass_latent(const CeliPass *pass) {
  return pass->use[pass->net->n - 2].y;
}
/// Writes the output to `y` instead of the pass's own tensor.
static inline void celi_pass_set_output(CeliPass *pass, float *y) {
  pass->use[pass->net->n - 1].y = y;
}
/// Lets the pass's dropout layers drop, forward and backward, with noise from the counter's place.
/// `use`: one of its own for each pass of an update. Without a call, nothing is dropped.
void celi_pass_drop(CeliPass *pass, const CeliDropout *dropout, uint32_t use);
/// Blocks of each stream that one run of the pass uses.
uint64_t celi_pass_dropout_blocks(const CeliPass *pass);
/// A copy of a pass without backward whose hidden layers start `rows` rows further on, for input X
/// (rows, in) and output Y. Passes at different rows may run at once.
CeliPass celi_pass_at(const CeliPass *pass, int64_t rows, const float *X, float *Y);

/// Forward at once, rows [begin, end) of all members, serial, with running statistics: for acting.
void celi_net_forward(const CeliPass *pass, int64_t begin, int64_t end);
/// Forward at once with memory of its own: x (n, in) ldx -> y (E, n, out).
/// Errors: CEL_E_MEMORY. Allocates: yes.
CelStatus celi_net_apply(const CeliNet *net, float *y, const float *x, ptrdiff_t ldx,
                         int64_t n) CEL_WARN_UNUSED;

/// Rows of member e within [begin, end) of E B rows, member by member; false when there are none.
static inline bool celi_member_rows(int64_t B, int64_t e, int64_t begin, int64_t end, int64_t *from,
                                    int64_t *to) {
  *from = begin > e * B ? begin - e * B : 0;
  *to = end < (e + 1) * B ? end - e * B : B;
  return *from < *to;
}

/// Rows of member e that thread i of a pass works on, as node `at` sees them; false when there are
/// none. Threads in order have all rows in order. For reductions over the batch.
bool celi_pass_range(const CeliPass *pass, int at, int64_t e, int i, CeliRows *rows);

// ---- into a plan. Row operations are CELI_ROWS with count B (E B where by_member) and this grain.
/// Small, so that two threads share a batch of 100 evenly.
#define CELI_ROW_GRAIN 2
void celi_net_plan_forward(CeliPlan *plan, const CeliPass *pass);
/// Declares that the last operation runs celi_net_forward on the pass or on copies (celi_pass_at):
/// reads the parameters and writes activations, each slice in rows of its own.
void celi_net_plan_touch(CeliPlan *plan, const CeliPass *pass);
/// From the output's gradient down: fills all dz; dX (B, in) lddx, summed over members in order,
/// when not NULL.
void celi_net_plan_backward_data(CeliPlan *plan, const CeliPass *pass, float *dX, ptrdiff_t lddx);
/// The same, but only columns [begin, end) of the input's gradient: dX (B, end - begin) lddx (a
/// critic's gradient to the action). They must be the ones that the network's spec asks for.
void celi_net_plan_backward_data_columns(CeliPlan *plan, const CeliPass *pass, float *dX,
                                         ptrdiff_t lddx, int64_t begin, int64_t end);
/// Runs the forward and the backward pass of one block of rows after another. Computes columns
/// [begin, end) of the gradient with respect to the input: dX (B, end - begin) lddx. Set the
/// output's gradient (celi_pass_d_output) before the plan runs.
void celi_net_plan_input_gradient(CeliPlan *plan, const CeliPass *pass, float *dX, ptrdiff_t lddx,
                                  int64_t begin, int64_t end);
/// Gradients of all parameters from what the two passes left, cut by part.
void celi_net_plan_backward_weight(CeliPlan *plan, const CeliPass *pass, const CeliNetGrad *grad);
void celi_net_plan_transpose(CeliPlan *plan, CeliNet *net);
/// Projects the layers with weight norm: W[:,n] /= |W[:,n]| for each output n; a zero vector stays.
/// Put it behind the optimizer's step, and before targets and transposes.
/// Source: Palenicek et al., 2025 ("XQC"); Lyle et al., 2024.
void celi_net_plan_weight_norm(CeliPlan *plan, const CeliNet *net);
/// Moves the counter past the noise of an update: behind its passes, and only once.
void celi_dropout_plan_advance(CeliPlan *plan, const CeliDropout *dropout, uint64_t blocks);

#endif
