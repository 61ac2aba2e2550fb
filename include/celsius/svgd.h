/// Stein variational gradient descent: particles that move, together, until they stand like draws from a density of which only
/// the gradient of its logarithm is known.
///
/// Limits of the method, all shown by its test: in many dimensions the particles stand too close together (the variance
/// shrinks), and between modes that lie far apart nothing moves: their masses stay where the start put them.
#ifndef CELSIUS_SVGD_H
#define CELSIUS_SVGD_H
#include "celsius/status.h"
#include <stdbool.h>
#include <stdint.h>
CEL_BEGIN

/// The direction of steepest descent of KL(particles, density) within the unit ball of the kernel's space, at m points y
/// (which may be the particles themselves, or others):
///   phi(y_j) = 1/n sum_i [k(x_i, y_j) score_i + grad_{x_i} k(x_i, y_j)],  k(x, y) = exp(-|x - y|^2 / h).
/// Particles, kernel and score belong to one space.
/// Source: [soft-q-learning, 4]; Liu and Wang, "Stein variational gradient descent", 2016.
/// out  phi (m,d) | in  x (n,d) particles, score (n,d) grad log p at them, y (m,d) | h > 0; no aliasing.
/// Errors: CEL_E_RANGE (n, m, d < 1, h not positive). Allocates: no.
CEL_API CelStatus cel_svgd_direction(double *phi, const double *x, const double *score,
                                     const double *y, double h, int64_t n, int64_t m,
                                     int64_t d) CEL_WARN_UNUSED;

/// The median heuristic: h = median over pairs of |x_i - x_j|^2 / log(n + 1), so that sum_j k(x_i, x_j) is about 1; 1 where
/// there are no two different particles.
/// out  h | in  x (n,d). Errors: CEL_E_RANGE (n, d < 1), CEL_E_MEMORY. Allocates: n (n - 1) / 2 distances.
CEL_API CelStatus cel_svgd_bandwidth(double *h, const double *x, int64_t n,
                                     int64_t d) CEL_WARN_UNUSED;

/// The score of u where a = tanh(u) has the score score_a: score_a (1 - a^2) - 2 a, the latter being the gradient of sum log(1 -
/// tanh(u)^2). With it a flat density on [-1, 1] gives E[a^2] = 1/3.
/// out  score_u (n,) may be score_a | in  score_a (n,), a (n,) = tanh(u).
CEL_API void cel_svgd_squash(double *score_u, const double *score_a, const double *a, int64_t n);

/// The gradient of a log-density at n points: out score (n,d), in x (n,d).
typedef void (*CelScore)(void *data, double *score, const double *x, int64_t n, int64_t d);

/// How to run. Begin with cel_svgd_options_default.
typedef struct CelSvgdOptions {
  int64_t steps;
  double step_size; ///< of the first step, in units of the particles; falls linearly to 0
  double
      decay; ///< of the running mean of phi^2 that steps are divided by the root of; 1: plain steps
  double bandwidth; ///< h; 0: the median heuristic at every step
  bool squash;      ///< particles are u, the density is of a = tanh(u) in (-1, 1)
} CelSvgdOptions;
CEL_API CelSvgdOptions cel_svgd_options_default(void);

/// Moves n particles x (n,d) in place, in and out as a = tanh(u) within (-1, 1) where `squash`; `score` is asked at those.
/// Errors: CEL_E_RANGE (options, a start outside of (-1, 1)), CEL_E_NAN (a score that is not finite: names particle and
/// step; the particles are as they were before it), CEL_E_MEMORY. Allocates: yes.
CEL_API CelStatus cel_svgd_run(double *x, int64_t n, int64_t d, CelScore score, void *data,
                               const CelSvgdOptions *options) CEL_WARN_UNUSED;

CEL_END
#endif
