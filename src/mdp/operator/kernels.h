/// The inner loops of sweeps. Each instruction set has one table, compiled from kernels_impl.h.
#ifndef CELI_MDP_KERNELS_H
#define CELI_MDP_KERNELS_H
#include "mdp/operator/operator.h"

/// The passes of BiCGStab over blocks of states, in float or double (see krylov_impl.h).
typedef struct CeliKrylovKernels {
  size_t size; ///< bytes of a number
  void (*start)(void *r, void *p, void *shadow, void *x, const double *b, double scale,
                int64_t begin, int64_t end, double *sums);
  /// y = x - gamma P_pi x; sums[0] = (z, y), sums[1] = (y, y).
  void (*apply)(const CeliOperator *op, const void *values, void *y, const void *x, const void *z,
                int64_t begin, int64_t end, double *sums);
  void (*subtract)(void *r, const void *v, double a, int64_t begin, int64_t end);
  void (*move)(void *x, void *r, const void *p, const void *t, const void *shadow, double a,
               double w, int64_t begin, int64_t end, double *sums);
  void (*turn)(void *p, const void *r, const void *v, double beta, double w, int64_t begin,
               int64_t end);
  void (*finish)(double *out, const void *x, double scale, int64_t begin, int64_t end);
} CeliKrylovKernels;

struct CeliMdpKernels {
  const char *name; ///< the name of the instruction set, as in the float32 kernels
  /// Chunks [begin, end): next = TV. If `residual` is given, TV - V goes there instead, and gamma
  /// P_pi is computed too.
  void (*sweep)(const CeliOperator *op, double alpha, double *next, double *residual,
                const double *V, int64_t begin, int64_t end, double *scratch, CeliResidual *found);
  /// Chunks [begin, end): y = b + gamma P_pi x (b NULL: 0).
  void (*apply)(const CeliOperator *op, double *y, const double *b, const double *x, int64_t begin,
                int64_t end);
  /// One chunk in place, with its slices in ascending or descending order.
  void (*sweep_in_place)(const CeliOperator *op, double alpha, double *V, int64_t chunk, bool down,
                         double *scratch, CeliResidual *found);
  const CeliKrylovKernels *krylov_single, *krylov_double;
  void (*exp2)(double *y, const double *x, int64_t n);
  void (*log)(double *y, const double *x, int64_t n);
};

/// The table for the instruction set of celi_ops().
const CeliMdpKernels *celi_mdp_kernels(void);

#endif
