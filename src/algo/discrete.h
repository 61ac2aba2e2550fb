/// Exact expectations over discrete actions, for learners whose networks give all actions at once.
/// Rows [begin, end) of (B,A), contiguous.
#ifndef CELI_DISCRETE_H
#define CELI_DISCRETE_H
#include <stdbool.h>
#include <stdint.h>

/// q (B,A) = min over e, or the mean, of Q (E,B,A).
void celi_discrete_reduce(float *q, const float *Q, int64_t E, int64_t B, int64_t A, int64_t begin,
                          int64_t end, bool mean);
/// V (B,) = E_pi[Q - alpha log pi]. Source: [maximum-entropy, 8.14]
void celi_discrete_value(float *V, const float *q, const float *log_pi, const float *pi,
                         float alpha, int64_t A, int64_t begin, int64_t end);
/// For the loss -V (B,): d_logits (B,A) = -scale pi (Q - alpha log pi - V), whose rows sum to zero.
/// Source: [discrete-soft-policy-gradient, (6)]
void celi_discrete_policy_gradient(float *d_logits, float *loss, const float *q,
                                   const float *log_pi, const float *pi, float alpha, float scale,
                                   int64_t A, int64_t begin, int64_t end);

// ---- critics whose output is Q of all actions.

/// dQ (B,A) = (Q(s,a) - y) scale at the action taken, 0 elsewhere; loss (B,) = 1/2 (Q(s,a) - y)^2.
/// Source: [policy-guarantees, (7)]
void celi_discrete_squared_error(float *dQ, float *loss, const float *Q, const int32_t *action,
                                 const float *y, float scale, int64_t A, int64_t begin,
                                 int64_t end);
/// The same with Huber's loss: 1/2 d^2 of an error |d| < 1, else |d| - 1/2.
/// Source: Mnih et al., "Human-level control through deep reinforcement learning", 2015.
void celi_discrete_huber(float *dQ, float *loss, const float *Q, const int32_t *action,
                         const float *y, float scale, int64_t A, int64_t begin, int64_t end);
/// The first action with the largest Q of one state, Q (A,). A NaN is never the largest.
int64_t celi_discrete_best(const float *Q, int64_t A);

// ---- dueling networks: outputs (B,A+1) are advantages and V.

/// Q (B,A) = V + advantage - mean advantage; may be the outputs.
/// Source: Wang et al., "Dueling network architectures for deep reinforcement learning", 2016, (9).
void celi_dueling_q(float *Q, const float *outputs, int64_t A, int64_t begin, int64_t end);
/// d_outputs (B,A+1) from dQ (B,A).
void celi_dueling_backward(float *d_outputs, const float *dQ, int64_t A, int64_t begin,
                           int64_t end);

#endif
