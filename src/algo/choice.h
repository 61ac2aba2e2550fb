/// Discrete actions for learners from a replay buffer: sampling, and exact expectations.
#ifndef CELI_CHOICE_H
#define CELI_CHOICE_H
#include "algo/off_policy.h"

/// One of A actions, drawn from logits: pi = softmax(logits / temperature).
typedef struct CeliChoice {
  CelAgent *agent;
  int64_t A;
  float *pi; ///< (CELI_ACT_ROWS, A) probabilities while acting
} CeliChoice;

/// Errors: CEL_E_UNSUPPORTED (the action space is not one discrete part).
CelStatus celi_choice_declare(CeliChoice *choice, CelAgent *agent) CEL_WARN_UNUSED;
/// Actions (N,) of all environments. Random before learning starts, the first argmax in CEL_MODE,
/// drawn otherwise. CEL_EXPLORE stores them as the last action.
void celi_choice_act(CeliChoice *choice, CeliActing *acting, CeliExperience *x, const float *obs,
                     CelActMode mode, float temperature, int32_t *actions);
/// Actions (n,): the first argmax of the logits.
void celi_choice_predict(const CeliChoice *choice, CeliActing *acting, const CeliNormalizer *norm,
                         const float *obs, int64_t n, int32_t *actions);

// ---- batches.

/// Transitions with discrete actions.
typedef struct CeliChoiceBatch {
  int64_t B, O;
  float *obs, *next_obs;    ///< (B,O)
  int32_t *action;          ///< (B,)
  float *reward, *discount; ///< (B,)
  int64_t *row;             ///< (B,) row in the replay buffer
} CeliChoiceBatch;
CelStatus celi_choice_batch_declare(CeliChoiceBatch *batch, CelTensors *tensors, int64_t B,
                                    int64_t O) CEL_WARN_UNUSED;
/// The request to the replay buffer, for windows of one step.
CeliReplayBatch celi_choice_batch_replay(const CeliChoiceBatch *batch);

// ---- exact expectations; rows [begin, end) of (B,A), contiguous.

/// q (B,A) = min over e, or the mean, of Q (E,B,A).
void celi_choice_reduce(float *q, const float *Q, int64_t E, int64_t B, int64_t A, int64_t begin,
                        int64_t end, bool mean);
/// log_pi, pi (B,A) from logits.
void celi_choice_softmax(float *log_pi, float *pi, const float *logits, int64_t A, int64_t begin,
                         int64_t end);
/// out (B,) = E_pi[log pi], the negative entropy.
void celi_choice_mean_log(float *out, const float *log_pi, const float *pi, int64_t A,
                          int64_t begin, int64_t end);
/// V (B,) = E_pi[Q - alpha log pi]. Source: [maximum-entropy, 8.14]
void celi_choice_value(float *V, const float *q, const float *log_pi, const float *pi, float alpha,
                       int64_t A, int64_t begin, int64_t end);
/// For the loss -V (B,): d_logits (B,A) = -scale pi (Q - alpha log pi - V), whose rows sum to zero.
/// Source: [discrete-soft-policy-gradient, (6)]
void celi_choice_policy_gradient(float *d_logits, float *loss, const float *q, const float *log_pi,
                                 const float *pi, float alpha, float scale, int64_t A,
                                 int64_t begin, int64_t end);

// ---- critics whose output is Q of all actions.

/// dQ (B,A) = (Q(s,a) - y) scale at the action taken, 0 elsewhere; loss (B,) = 1/2 (Q(s,a) - y)^2.
/// Source: [policy-guarantees, (7)]
void celi_choice_squared_error(float *dQ, float *loss, const float *Q, const int32_t *action,
                               const float *y, float scale, int64_t A, int64_t begin, int64_t end);

#endif
