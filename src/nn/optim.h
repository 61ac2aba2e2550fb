/// Adam(W), gradient clipping by norm, and target averaging over contiguous runs of parameters.
#ifndef CELI_OPTIM_H
#define CELI_OPTIM_H
#include "celsius/tensors.h"
#include "ops/ops.h"
#include "ops/plan.h"

/// Runs of elements are cut between threads in units of this many: an operation by element with the
/// same count that follows an optimiser's update, in its stage, finds its own elements updated
/// (target averaging does). A cache line's worth or few: twin critics then fall apart in the middle, and each thread
/// keeps the parameters, moments and targets of the critic whose gradients it made.
#define CELI_ELEMENT_GRAIN 64
/// Blocks of a gradient's norm; which elements are in a block depends on the run's length alone.
#define CELI_NORM_BLOCKS 256

/// One optimiser over a contiguous run of parameters (a network, or a single number).
typedef struct CeliAdam {
  float *p, *g, *m, *v; ///< (n,) runs that mirror each other, padding between tensors included
  int64_t n;
  double max_grad_norm;  ///< 0: no clipping
  float *grad_norm;      ///< (1,) the norm before clipping, scratch; written when max_grad_norm > 0
  float *partial;        ///< (CELI_NORM_BLOCKS,) sums of squares, scratch
  CeliAdamStep *step;    ///< saved tensor "NAME.step" (u8 bytes of the struct), role CEL_STATE
  double *learning_rate; ///< (1,) saved; what the next step uses; set by schedules
} CeliAdam;

typedef struct CeliAdamConfig {
  double learning_rate, beta1, beta2, epsilon, weight_decay, max_grad_norm;
} CeliAdamConfig;

/// Declares the state of an optimiser; bind after allocation with celi_adam_bind.
CelStatus celi_adam_declare(CeliAdam *adam, CelTensors *tensors, const char *name) CEL_WARN_UNUSED;
/// `first` and `last` are the names of the first and the last parameter tensor of the run;
/// gradients and moments are their mirrors.
/// Errors: CEL_E_NAME, CEL_E_SHAPE (mirrors are not contiguous in step).
CelStatus celi_adam_bind(CeliAdam *adam, const CelTensors *tensors, const char *first,
                         const char *last, const CeliAdamConfig *config) CEL_WARN_UNUSED;
/// Sets the rate of the next steps (a schedule's value).
void celi_adam_set_rate(CeliAdam *adam, double learning_rate);
/// Appends: norm in fixed blocks and clip factor when there is clipping; advance (joins the stage
/// before when there is none); update by element, CELI_PARTS of n in units of CELI_ELEMENT_GRAIN.
/// Plans keep the optimiser's address.
void celi_adam_plan(CeliPlan *plan, CeliAdam *adam);
/// The same for plain gradient descent, p -= learning_rate g; moments stay as they are.
void celi_sgd_plan(CeliPlan *plan, CeliAdam *adam);
/// After binding: RMSProp, v += (1 - beta2)(g^2 - v); p -= learning_rate g / (sqrt(v) + epsilon), without corrections.
void celi_adam_as_rmsprop(CeliAdam *adam);
/// The same for several (at most 16) at once: all advances in one step, all updates in one stage.
/// Transposes of the networks that changed are the caller's.
void celi_adam_plan_many(CeliPlan *plan, CeliAdam **adams, int n);

/// target += tau (p - target) over runs of n.
void celi_polyak_plan(CeliPlan *plan, float *target, const float *p, int64_t n, float tau,
                      bool with_previous);

#endif
