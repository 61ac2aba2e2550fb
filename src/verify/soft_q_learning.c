/// The note soft-q-learning, section by section: the objective, log-sum-exp as a maximum, the soft
/// optimal backup, targets from samples, importance sampling, Stein variational gradient descent.
#include "verify/verify.h"

extern const CeliSection celi_sq_objective, celi_sq_backups, celi_sq_targets, celi_sq_continuous,
    celi_sq_svgd, celi_sq_learners, celi_sq_limits;

static const CeliSection *const sections[] = {
    &celi_sq_objective,  // 1-2.1
    &celi_sq_backups,    // 2.1-3.1, and the Boltzmann average
    &celi_sq_targets,    // 3.2, 4, discrete actions
    &celi_sq_continuous, // 3.2, 4, continuous actions
    &celi_sq_svgd,       // 4, Stein variational gradient descent
    &celi_sq_learners,   // 3.2, 4, the library's learners
    &celi_sq_limits,     // 2.1, 3.2, DQN
    NULL};

const CeliNote celi_note_soft_q_learning = {
    "soft-q-learning",
    "Notes titled \"Soft Q-Learning\" without an author: soft Bellman equations, "
    "soft Q-learning, Stein variational gradient descent. They cite Haarnoja et "
    "al., \"Reinforcement Learning with Deep Energy-Based Policies\", 2017.",
    sections};
