/// The note maximum-entropy, (8.1)-(8.30), section by section: soft returns, soft values, and the
/// best policy for a given Q.
#include "verify/verify.h"

extern const CeliSection celi_me_objective, celi_me_values, celi_me_best_policy, celi_me_divergence,
    celi_me_linear_quadratic, celi_me_learners, celi_me_quantiles, celi_me_limits;

static const CeliSection *const sections[] = {
    &celi_me_objective,        // 8.1-8.15, returns, and values over a finite horizon
    &celi_me_values,           // 8.8-8.21, values over an infinite horizon
    &celi_me_best_policy,      // 8.22-8.26
    &celi_me_divergence,       // 8.27-8.30
    &celi_me_linear_quadratic, // 8.22-8.25 for Gaussians
    &celi_me_learners,         // 8.13, in soft actor-critic
    &celi_me_quantiles,        // 8.21, in quantile critics
    &celi_me_limits,           // 8.21, 8.28, in TD3
    NULL};

const CeliNote celi_note_maximum_entropy = {
    "maximum-entropy",
    "Maximum-entropy reinforcement learning: soft returns, soft values, and the "
    "best policy for a given Q. The note is a list of equations, (8.1)-(8.30), "
    "without a title or an author.",
    sections};
