/// Adam(W), gradient clipping by norm, and target averaging over contiguous runs of parameters.
#ifndef CELI_OPTIM_H
#define CELI_OPTIM_H
#include "celsius/tensors.h"
#include "ops/ops.h"
#include "ops/plan.h"

/// One optimiser over a contiguous run of parameters (a network, or a single number).
typedef struct CeliAdam {
  float *p, *g, *m, *v;   ///< (n,) runs that mirror each other, padding included
  int64_t n;
  double max_grad_norm;   ///< 0: no clipping
  float *grad_norm;       ///< (1,) the norm before clipping, scratch; written when max_grad_norm > 0
  CeliAdamStep *step;     ///< saved tensor "NAME.step" (u8 bytes of the struct), role CEL_STATE
  double *learning_rate;  ///< (1,) saved; what the next step uses; set by schedules
} CeliAdam;

typedef struct CeliAdamConfig {
  double learning_rate, beta1, beta2, epsilon, weight_decay, max_grad_norm;
} CeliAdamConfig;

/// Declares the state of an optimiser; bind after allocation with celi_adam_bind.
CelStatus celi_adam_declare(CeliAdam *adam, CelTensors *tensors, const char *name) CEL_WARN_UNUSED;
/// `first` and `last` are the names of the first and the last parameter tensor of the run; gradients and moments are their mirrors.
/// Errors: CEL_E_NAME, CEL_E_SHAPE (mirrors are not contiguous in step).
CelStatus celi_adam_bind(CeliAdam *adam, const CelTensors *tensors, const char *first,
                         const char *last, const CeliAdamConfig *config) CEL_WARN_UNUSED;
/// Sets the rate of the next steps (a schedule's value).
void celi_adam_set_rate(CeliAdam *adam, double learning_rate);
/// Appends: (norm in fixed blocks, clip factor,) advance (serial), update (by element).
void celi_adam_plan(CeliPlan *plan, CeliAdam *adam);
/// The same for several at once: advance of all in one serial step, then all updates in one stage; transposes of the networks that
/// changed are the caller's.
void celi_adam_plan_many(CeliPlan *plan, CeliAdam **adams, int n);

/// target += tau (p - target) over runs of n.
void celi_polyak_plan(CeliPlan *plan, float *target, const float *p, int64_t n, float tau,
                      bool with_previous);

#endif
