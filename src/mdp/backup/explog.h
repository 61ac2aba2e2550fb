/// 2^x and log of one double. The sweeps use the same polynomials, so the bits agree on every
/// machine.
#ifndef CELI_MDP_EXPLOG_H
#define CELI_MDP_EXPLOG_H

/// 2^x for x <= 1000. The result is 0 below -1000.
double celi_exp2(double x);
/// log2(e)/alpha. A difference of Q times this is an exponent of 2. Needs alpha > 1e-290.
static inline double celi_sharpness(double alpha) {
  return 1.4426950408889634 / alpha;
}
/// Temperatures up to this count as 0, so that 1/alpha stays finite.
#define CELI_ALPHA_LEAST 1e-290
/// Natural logarithm of x > 0, including subnormal x.
double celi_log(double x);

#endif
