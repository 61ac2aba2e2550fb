/// The note discrete-soft-policy-gradient, section by section: the gradient of the loss of one
/// state, and the gradient of the library's learner through its network.
#include "verify/verify.h"

extern const CeliSection celi_dp_gradient, celi_dp_learner;

static const CeliSection *const sections[] = {&celi_dp_gradient, // (6), natural gradient, vanishing
                                              &celi_dp_learner, // (6) in discrete soft actor-critic
                                              NULL};

const CeliNote celi_note_discrete_soft_policy_gradient = {
    "discrete-soft-policy-gradient",
    "An appendix titled \"Proof for Eq. (6)\": the gradient of the discrete soft "
    "policy loss in the logits of one state. The note names no author.",
    sections};
