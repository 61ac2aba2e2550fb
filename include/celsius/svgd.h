/// Stein variational gradient descent (SVGD): moves particles together until they are distributed
/// like samples of a density. It needs only the gradient of the log-density.
///
/// Limits of the method, all shown by its test: in many dimensions the particles are too close
/// together (their variance shrinks). Between modes that are far apart nothing moves, so the
/// initial particles decide how many belong to each mode.
#ifndef CELSIUS_SVGD_H
#define CELSIUS_SVGD_H
#include "celsius/status.h"
#include <stdbool.h>
#include <stdint.h>
CEL_BEGIN

/// Computes the direction of steepest descent of KL(particles, density) within the unit ball of the
/// kernel's space, at m points y (the particles themselves or others):
///   phi(y_j) = 1/n sum_i [k(x_i, y_j) score_i + grad_{x_i} k(x_i, y_j)],
///   k(x, y) = exp(-|x - y|^2 / h).
/// Particles, kernel and score must use the same coordinates.
/// Source: [soft-q-learning, 4]; Liu and Wang, "Stein variational gradient descent", 2016.
/// out  phi (m,d) | in  x (n,d) particles, score (n,d) grad log p at them, y (m,d)
/// h > 0; no aliasing.
/// Errors: CEL_E_RANGE (n, m, d < 1, h not positive). Allocates: no.
CEL_API CelStatus cel_svgd_direction(double *phi, const double *x, const double *score,
                                     const double *y, double h, int64_t n, int64_t m,
                                     int64_t d) CEL_WARN_UNUSED;

/// Computes the bandwidth by the median heuristic: h = median over pairs of
/// |x_i - x_j|^2 / log(n + 1), so that sum_j k(x_i, x_j) is about 1. h is 1 where no two particles
/// differ.
/// out  h | in  x (n,d)
/// Errors: CEL_E_RANGE (n, d < 1), CEL_E_MEMORY. Allocates: n (n - 1) / 2 distances.
CEL_API CelStatus cel_svgd_bandwidth(double *h, const double *x, int64_t n,
                                     int64_t d) CEL_WARN_UNUSED;

/// Computes the score of u where a = tanh(u) has the score score_a: score_a (1 - a^2) - 2 a. The
/// second term is the gradient of sum log(1 - tanh(u)^2). With it a flat density on [-1, 1] gives
/// E[a^2] = 1/3.
/// out  score_u (n,) may be score_a | in  score_a (n,), a (n,) = tanh(u)
CEL_API void cel_svgd_squash(double *score_u, const double *score_a, const double *a, int64_t n);

/// Computes the gradient of a log-density at n points: out score (n,d), in x (n,d). `data` is the
/// caller's.
typedef void (*CelScore)(void *data, double *score, const double *x, int64_t n, int64_t d);

/// Settings of a run. Start from cel_svgd_options_default().
typedef struct CelSvgdOptions {
  /// Steps. At least 0, default 1000. Raise it when the particles still move.
  int64_t steps;
  /// Size of the first step, in units of the particles; it falls linearly to 0. Above 0, default
  /// 0.1.
  double step_size;
  /// Decay of the running mean of phi^2; each step is divided by its root. Range 0 to 1, default
  /// 0.9; 1 takes plain steps.
  double decay;
  /// Bandwidth h of the kernel. At least 0, default 0, which uses the median heuristic at every
  /// step.
  double bandwidth;
  /// The density is one of a = tanh(u) in (-1, 1), and the particles move in u. Default false. Turn
  /// it on for densities on a box.
  bool squash;
} CelSvgdOptions;
/// Returns the default options.
CEL_API CelSvgdOptions cel_svgd_options_default(void);

/// Moves n particles x (n,d) in place. With `squash` they are a = tanh(u) within (-1, 1), and
/// `score` is evaluated at those. `data` is passed to `score`. `options` NULL: the defaults.
/// Errors: CEL_E_RANGE (options, an initial particle outside (-1, 1)), CEL_E_NAN (a score that is
/// not finite; names particle and step, and the particles are those before the step), CEL_E_MEMORY.
/// Allocates: yes.
CEL_API CelStatus cel_svgd_run(double *x, int64_t n, int64_t d, CelScore score, void *data,
                               const CelSvgdOptions *options) CEL_WARN_UNUSED;

CEL_END
#endif
