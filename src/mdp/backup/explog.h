/// 2^x and log of one double, the same polynomials as the sweeps use: the same bits on every machine.
#ifndef CELI_MDP_EXPLOG_H
#define CELI_MDP_EXPLOG_H

/// 0 below -1000; x <= 1000.
double celi_exp2(double x);
/// What a difference of Q is multiplied by to become an exponent of 2: log2(e)/alpha; alpha > 1e-290.
static inline double celi_sharpness(double alpha) {
  return 1.4426950408889634 / alpha;
}
/// Temperatures below this are none: 1/alpha must be finite.
#define CELI_ALPHA_LEAST 1e-290
/// x > 0, subnormal numbers too.
double celi_log(double x);

#endif
