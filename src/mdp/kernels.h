/// The sweeps' inner loops, one table an instruction set, filled from one source (kernels_impl.h).
#ifndef CELI_MDP_KERNELS_H
#define CELI_MDP_KERNELS_H
#include "mdp/operator.h"

struct CeliMdpKernels {
  const char *name; ///< as the float kernels' tables
  /// Chunks [begin, end): next = TV; with `residual` TV - V goes there instead and gamma P_pi is made.
  void (*sweep)(const CeliOperator *op, double alpha, double *next, double *residual,
                const double *V, int64_t begin, int64_t end, double *scratch, CeliResidual *found);
  /// Chunks [begin, end): y = b + gamma P_pi x (b NULL: 0), or y = x - gamma P_pi x where `minus`.
  void (*apply)(const CeliOperator *op, double *y, const double *b, const double *x, bool minus,
                int64_t begin, int64_t end);
  /// One chunk in place, its slices up or down.
  void (*sweep_in_place)(const CeliOperator *op, double alpha, double *V, int64_t chunk, bool down,
                         double *scratch, CeliResidual *found);
  void (*exp)(double *y, const double *x, int64_t n);
  void (*log)(double *y, const double *x, int64_t n);
};

/// The table that goes with celi_ops().
const CeliMdpKernels *celi_mdp_kernels(void);

#endif
