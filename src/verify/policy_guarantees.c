/// The note policy-guarantees, section by section: the performance difference, the drift of the
/// state distribution after a policy change, lower bounds on the gain of a change, soft policy
/// iteration, and the losses of soft actor-critic.
#include "verify/verify.h"

extern const CeliSection celi_pg_improvement, celi_pg_trust_regions, celi_pg_coupling,
    celi_pg_bounds, celi_pg_iteration, celi_pg_losses, celi_pg_learners, celi_pg_steps;

static const CeliSection *const sections[] = {
    &celi_pg_improvement,   // REINFORCE, PDL, IS, surrogate
    &celi_pg_trust_regions, // surrogate, in PPO and TRPO
    &celi_pg_coupling,      // coupling, drift
    &celi_pg_bounds,        // objective bound
    &celi_pg_iteration,     // (1)-(4), (15)-(19), Lemmas 1 and 2, Theorem 1
    &celi_pg_losses,        // (5)-(10), as tables
    &celi_pg_learners,      // (5)-(10), gradients of the library's learners
    &celi_pg_steps,         // Algorithm 1 line by line, the temperature
    NULL};

const CeliNote celi_note_policy_guarantees = {
    "policy-guarantees",
    "Slides titled \"Policy-based Theoretical Guarantees\" by Mohammad Hossein "
    "Rohban, spring 2025, mostly adopted from the RL course at Berkeley: lower bounds on the gain "
    "of a policy change, and soft actor-critic.",
    sections};
