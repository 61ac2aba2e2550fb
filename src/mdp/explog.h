/// exp and log of one double, the same polynomials as the sweeps use: the same bits on every machine.
#ifndef CELI_MDP_EXPLOG_H
#define CELI_MDP_EXPLOG_H

/// 0 below -700; x <= 700.
double celi_exp(double x);
/// x > 0, subnormal numbers too.
double celi_log(double x);

#endif
