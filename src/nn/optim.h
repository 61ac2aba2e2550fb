/// Adam(W), gradient clipping by norm, and target averaging over contiguous runs of parameters.
#ifndef CELI_OPTIM_H
#define CELI_OPTIM_H
#include "celsius/tensors.h"
#include "ops/ops.h"
#include "ops/plan.h"

/// Runs of elements are split between threads in units of this size. Target averaging has the same
/// count and can join the stage of an optimizer's update: each thread finds its own elements
/// updated. The size is a few cache lines, so that twin critics are split in the middle. Each
/// thread then keeps the parameters, moments and targets of the critic whose gradients it computed.
#define CELI_ELEMENT_GRAIN 64
/// Blocks of a gradient's norm. The split depends on the run's length only.
#define CELI_NORM_BLOCKS 256

/// One optimizer for a contiguous run of parameters (a network, or a single number).
typedef struct CeliAdam {
  float *p, *g, *m, *v; ///< (n,) runs of equal layout, including the padding between tensors
  int64_t n;
  double max_grad_norm;  ///< 0: no clipping
  float *grad_norm;      ///< (1,) the norm before clipping, scratch; written when max_grad_norm > 0
  float *partial;        ///< (CELI_NORM_BLOCKS,) sums of squares, scratch
  CeliAdamStep *step;    ///< saved tensor "NAME.step" (u8 bytes of the struct), role CEL_STATE
  double *learning_rate; ///< (1,) saved; rate of the next step; set by schedules
} CeliAdam;

typedef struct CeliAdamConfig {
  double learning_rate, beta1, beta2, epsilon, weight_decay, max_grad_norm;
} CeliAdamConfig;

/// Declares the state of an optimizer. Call celi_adam_bind after the allocation.
CelStatus celi_adam_declare(CeliAdam *adam, CelTensors *tensors, const char *name) CEL_WARN_UNUSED;
/// Binds the run from parameter tensor `first` to `last`, given by name, with its gradients and
/// moments.
/// Errors: CEL_E_NAME, CEL_E_SHAPE (gradients or moments have another layout).
CelStatus celi_adam_bind(CeliAdam *adam, const CelTensors *tensors, const char *first,
                         const char *last, const CeliAdamConfig *config) CEL_WARN_UNUSED;
/// Sets the learning rate of the next steps (a schedule's value).
void celi_adam_set_rate(CeliAdam *adam, double learning_rate);
/// Appends one step:
/// - with clipping: the norm in fixed blocks, and the clip factor
/// - the advance, one part
/// - the update by element, CELI_PARTS of n in units of CELI_ELEMENT_GRAIN
///
/// Plans keep the optimizer's address.
void celi_adam_plan(CeliPlan *plan, CeliAdam *adam);
/// The same for gradient descent, p -= learning_rate g. Moments do not change.
void celi_sgd_plan(CeliPlan *plan, CeliAdam *adam);
/// Turns a bound optimizer into RMSProp, without bias corrections:
///   v += (1 - beta2)(g^2 - v);  p -= learning_rate g / (sqrt(v) + epsilon)
void celi_adam_as_rmsprop(CeliAdam *adam);
/// celi_adam_plan for up to 16 optimizers: all advances in one step, all updates in one stage. The
/// caller updates the transposes of the networks.
void celi_adam_plan_many(CeliPlan *plan, CeliAdam **adams, int n);

/// target += tau (p - target) for n elements.
void celi_polyak_plan(CeliPlan *plan, float *target, const float *p, int64_t n, float tau);

#endif
