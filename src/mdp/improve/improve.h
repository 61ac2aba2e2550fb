/// Shared by the files of policy improvement: argument checks, values and discounted state
/// distributions.
#ifndef CELI_MDP_IMPROVE_H
#define CELI_MDP_IMPROVE_H
#include "base/base.h"
#include "celsius/improve.h"

/// gamma, or the discount of the MDP if it is NAN.
double celi_improve_gamma(const CelMdp *mdp, double gamma);
/// Errors: CEL_E_RANGE (names state, action and sum). `what` is for example "policy 3 of the
/// class".
CelStatus celi_improve_check_policy(const CelMdp *mdp, const double *pi,
                                    const char *what) CEL_WARN_UNUSED;
/// Errors: CEL_E_RANGE (negative or not finite).
CelStatus celi_improve_check_alpha(double alpha) CEL_WARN_UNUSED;

/// V (states), Q (pairs) of pi. Uses Krylov for many states if that is accurate enough, else a
/// direct solve or sweeps. *bound: sup-norm error of V.
CelStatus celi_improve_evaluate(const CelMdp *mdp, const double *pi, double alpha, double gamma,
                                double *V, double *Q, double *bound) CEL_WARN_UNUSED;
/// d (states) of pi, computed in the same way.
CelStatus celi_improve_visits(const CelMdp *mdp, const double *pi, double gamma,
                              double *d) CEL_WARN_UNUSED;

/// Sets reached (states) to 1 where some policy can get from the start. queue (states) is
/// overwritten.
void celi_improve_mark_reached(const CelMdp *mdp, uint8_t *reached, int64_t *queue);
/// A bound on the L1 error of the discounted state distribution d (states) of pi: the norm of
/// (1-gamma) start + gamma P'd - d, with its rounding error, over 1-gamma. residual (states) is
/// overwritten.
double celi_improve_distribution_error(const CelMdp *mdp, const double *pi, double gamma,
                                       const double *d, double *residual);

/// Q - alpha log pi of one pair. 0 if pi is 0.
double celi_soft_gain(double pi, double Q, double alpha);
/// E_pi[Q - alpha log pi] over the n actions of a state. Source: [maximum-entropy, 8.14].
double celi_soft_mean(const double *pi, const double *Q, double alpha, int64_t n);

#endif
