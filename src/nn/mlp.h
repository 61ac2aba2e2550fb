/// Multilayer perceptrons as ensembles: E networks of one shape are the unit (twin critics: E = 2).
///
/// Three things are kept apart: the network (shape and parameters, const while it is used), its
/// gradient tensors, and a pass (the activations of one use on a batch). Layer l computes
/// Y_l = act(layer_norm?(X_l W_l + b_l)); parameters of all layers of all members lie in one
/// contiguous run, each tensor with a leading E.
#ifndef CELI_MLP_H
#define CELI_MLP_H
#include "celsius/field.h"
#include "celsius/rng.h"
#include "celsius/tensors.h"
#include "ops/ops.h"
#include "ops/plan.h"

#define CELI_LAYERS_MAX (CEL_LIST_MAX + 1)
/// Floats between the rows of two shares; about as far as cores were seen to fetch ahead.
#define CELI_GAP 8192

/// How weights start. Biases: Kaiming-uniform draws them as PyTorch's Linear does, the others set
/// zero.
typedef enum CeliInit { CELI_KAIMING_UNIFORM, CELI_ORTHOGONAL, CELI_XAVIER_UNIFORM } CeliInit;

typedef struct CeliMlpSpec {
  int64_t E;                 ///< members
  int64_t in, out;           ///< input and output width
  CelIntList hidden;         ///< widths of the hidden layers; may be empty
  CeliActivation activation; ///< of hidden layers
  bool layer_norm;           ///< before each hidden activation
  CeliInit init;
  double output_gain; ///< last layer: its gain (orthogonal; hidden layers: sqrt 2), or a factor
  /// Columns [dx_begin, dx_end) of the input's gradient are wanted. Both 0: all; equal and above 0:
  /// none.
  int64_t dx_begin, dx_end;
} CeliMlpSpec;

typedef struct CeliMlp {
  CeliMlpSpec spec;
  int L;                              ///< layers, hidden.n + 1
  int64_t width[CELI_LAYERS_MAX + 1]; ///< width[0] = in, width[L] = out
  float *W[CELI_LAYERS_MAX];          ///< (E, width[l], width[l+1])
  float *b[CELI_LAYERS_MAX];          ///< (E, width[l+1])
  float *g[CELI_LAYERS_MAX];          ///< (E, width[l+1]) layer norm's gain, or NULL
  float *h[CELI_LAYERS_MAX];          ///< (E, width[l+1]) layer norm's shift, or NULL
  /// (E, width[l+1], width[l]) transposes for the backward pass, scratch; NULL in targets. Of layer
  /// 0 only the wanted columns, (E, width[1], dx_end - dx_begin); NULL when none are.
  float *Wt[CELI_LAYERS_MAX];
} CeliMlp;

/// Gradients, mirror of the parameters.
typedef struct CeliMlpGrad {
  float *W[CELI_LAYERS_MAX], *b[CELI_LAYERS_MAX], *g[CELI_LAYERS_MAX], *h[CELI_LAYERS_MAX];
} CeliMlpGrad;

/// One use of a network on B rows. Plans keep its address: it stays in place while they are run.
typedef struct CeliMlpPass {
  const CeliMlp *net;
  int64_t B;
  const float *X; ///< (B, in) ldx, the same for all members
  ptrdiff_t ldx;
  /// (E, B, width[l+1]); Y[L-1] is the output. Without backward, hidden layers keep one member's at
  /// a time: (1, B, ...), and so do N and stats. With several shares every hidden layer's matrices (Y, Z, N, dY, dZ) have
  /// gaps: see `shares`.
  float *Y[CELI_LAYERS_MAX];
  float *Z[CELI_LAYERS_MAX];     ///< (E, B, width[l+1]) before a SiLU with backward, or NULL
  float *N[CELI_LAYERS_MAX];     ///< (E, B, width[l+1]) before layer norm, or NULL
  float *stats[CELI_LAYERS_MAX]; ///< (E, B, 2) layer norm's mean and 1/sd, or NULL
  /// (E, B, width[l+1]) gradient at the layer's linear output (L-1: set by the caller); NULL
  /// without backward.
  float *dY[CELI_LAYERS_MAX];
  float *dZ[CELI_LAYERS_MAX]; ///< (E, B, width[l+1]) gradient at layer norm's output, or NULL
  float *dX_member;           ///< (E, B, wanted columns of in) the members' parts of dX, or NULL
  /// Row operations are cut by member and row, CELI_ROWS with count E B, instead of by row: so a thread keeps whole
  /// members where it can, and neither their weights nor their activations travel between cores. Where E > 1 and
  /// there is a backward or several shares.
  bool by_member;
  /// Hidden layers keep only the rows in hand, a block of each share: what nobody reads again stays in the cache.
  bool in_hand;
  /// Shares that the row operations are cut into: the team's size. Each share's rows of a hidden layer's matrices lie
  /// CELI_GAP floats behind the share's before, and so does what follows: cores fetch ahead of the rows that they read and write, and what a
  /// neighbour holds they take from it.
  int shares;
  /// Where the pass lies beside others (celi_plan_side): its rows are [at, at + B) (E B by member) of `of` that are cut
  /// together. Both 0: by itself. Set after declaring.
  int64_t at, of;
  /// (E, B, width[L-1]) or NULL: when set, added to the gradient at the last hidden layer's output,
  /// before its activation's derivative (a second reader of that layer: gSDE's latent).
  float *dH;
} CeliMlpPass;

/// Declares parameters ("NAME.l.weight" (E, in, out), "NAME.l.bias", "NAME.l.norm.weight",
/// "NAME.l.norm.bias") in `role` (CEL_PARAM or CEL_TARGET); with CEL_PARAM also the transposes.
/// Errors: as cel_tensors_declare; CEL_E_RANGE (widths).
CelStatus celi_mlp_declare(CeliMlp *net, CelTensors *tensors, const char *name, CelRole role,
                           const CeliMlpSpec *spec) CEL_WARN_UNUSED;
/// Declares the mirror of the parameters in role CEL_GRAD ("grad." + name), CEL_MOMENT1 ("adam.m.")
/// or CEL_MOMENT2 ("adam.v."). `grad` may be NULL: then nobody points at the tensors (moments are
/// reached through the optimiser's run).
CelStatus celi_mlp_declare_grad(CeliMlpGrad *grad, CelTensors *tensors, const char *name,
                                CelRole role, const CeliMlpSpec *spec) CEL_WARN_UNUSED;
/// Declares activations for B rows; `backward`: also dY and whatever the derivative needs.
CelStatus celi_mlp_declare_pass(CeliMlpPass *pass, CelTensors *tensors, const char *name,
                                const CeliMlp *net, int64_t B, bool backward) CEL_WARN_UNUSED;
/// The same for a team of exactly `shares` threads (one share: of any number). With one share hidden layers have no gaps, and others may read their rows.
CelStatus celi_mlp_declare_pass_shared(CeliMlpPass *pass, CelTensors *tensors, const char *name,
                                       const CeliMlp *net, int64_t B, bool backward,
                                       int shares) CEL_WARN_UNUSED;

/// The same, but hidden layers keep only the rows in hand: for a forward pass, or, with `backward`, for
/// celi_mlp_plan_input_gradient and nothing else.
CelStatus celi_mlp_declare_pass_in_hand(CeliMlpPass *pass, CelTensors *tensors, const char *name,
                                        const CeliMlp *net, int64_t B, bool backward,
                                        int shares) CEL_WARN_UNUSED;

/// Draws initial parameters; every (layer, member) has a stream of its own, (seed, CEL_RNG_INIT,
/// first_index + ...).
void celi_mlp_init(CeliMlp *net, uint64_t seed, uint32_t first_index);
/// Brings the transposes up to date. Serial; the plan's form is celi_mlp_plan_transpose.
void celi_mlp_transpose(CeliMlp *net);

/// Forward at once, rows [begin, end), serial: for acting. Members [0, E).
void celi_mlp_forward(const CeliMlpPass *pass, int64_t begin, int64_t end);

/// Forward at once with memory of its own: x (n, in) ldx -> y (E, n, out). Errors: CEL_E_MEMORY. Allocates: yes.
CelStatus celi_mlp_apply(const CeliMlp *net, float *y, const float *x, ptrdiff_t ldx,
                         int64_t n) CEL_WARN_UNUSED;

/// Rows of member e within the share [begin, end) of E B rows, member by member; false when there are none.
static inline bool celi_member_rows(int64_t B, int64_t e, int64_t begin, int64_t end, int64_t *from,
                                    int64_t *to) {
  *from = begin > e * B ? begin - e * B : 0;
  *to = end < (e + 1) * B ? end - e * B : B;
  return *from < *to;
}

// ---- into a plan. All row operations are CELI_ROWS with count B (E B where by_member) and the given grain.
/// Small, so that two threads share a batch of 100 evenly.
#define CELI_ROW_GRAIN 2
void celi_mlp_plan_forward(CeliPlan *plan, const CeliMlpPass *pass);
/// From pass->dY[L-1] down: fills all dY; dX (B, in) lddx, summed over members in order, when not
/// NULL.
void celi_mlp_plan_backward_data(CeliPlan *plan, const CeliMlpPass *pass, float *dX,
                                 ptrdiff_t lddx);
/// The same, but only columns [begin, end) of the input's gradient: dX (B, end - begin) lddx (a
/// critic's gradient to the action). They must be the ones that the network's spec asks for.
void celi_mlp_plan_backward_data_columns(CeliPlan *plan, const CeliMlpPass *pass, float *dX,
                                         ptrdiff_t lddx, int64_t begin, int64_t end);
/// Forward, then backward from pass->dY[L-1], which is there already, to columns [begin, end) of the input's gradient, a
/// block of rows after another: dX (B, end - begin) lddx.
void celi_mlp_plan_input_gradient(CeliPlan *plan, const CeliMlpPass *pass, float *dX,
                                  ptrdiff_t lddx, int64_t begin, int64_t end);
/// Weight gradients of all layers and members from X, Y, dY; one stage, cut by output tile.
/// `with_previous`: joins the stage of the operation before.
void celi_mlp_plan_backward_weight(CeliPlan *plan, const CeliMlpPass *pass, const CeliMlpGrad *grad,
                                   bool with_previous);
void celi_mlp_plan_transpose(CeliPlan *plan, CeliMlp *net, bool with_previous);

#endif
