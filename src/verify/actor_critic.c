/// The note actor-critic, (4.1)-(4.26), section by section: the policy gradient and its forms,
/// temporal differences, Gaussian policies.
///
/// The note is about unregularized problems (alpha = 0). Rows that use alpha > 0 say "soft".
#include "verify/verify.h"

extern const CeliSection celi_ac_gradient, celi_ac_baselines, celi_ac_samples, celi_ac_values,
    celi_ac_actor, celi_ac_gaussians, celi_ac_learners;

static const CeliSection *const sections[] = {
    &celi_ac_gradient,  // 4.1-4.7
    &celi_ac_baselines, // 4.8-4.13
    &celi_ac_samples,   // 4.14-4.15
    &celi_ac_values,    // 4.12, 4.16-4.21
    &celi_ac_actor,     // 4.22-4.23
    &celi_ac_gaussians, // 4.24-4.26
    &celi_ac_learners,  // 4.1-4.26 in the library's learners
    NULL};

const CeliNote celi_note_actor_critic = {
    "actor-critic",
    "From the policy gradient to actor-critic: baselines, advantages, temporal "
    "differences, Gaussian policies. The note is a list of equations, (4.1)-(4.26), "
    "without a title or an author.",
    sections};
