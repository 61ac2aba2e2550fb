/// Action distributions: sample, log-prob, entropy, mode, and their backward passes.
///
/// A distribution reads the output of a head (B, head) and writes actions. It is declared once for
/// B rows and appended to plans. Kinds: diagonal Gaussian with state-dependent or free sigma,
/// Gaussian squashed by tanh, categorical, multi-categorical, Bernoulli.
/// Source: [maximum-entropy, 8.5], [actor-critic, 4.24]
#ifndef CELI_DIST_H
#define CELI_DIST_H
#include "celsius/rng.h"
#include "celsius/tensors.h"
#include "ops/ops.h"
#include "ops/plan.h"

typedef enum CeliDistKind {
  CELI_GAUSSIAN,
  CELI_SQUASHED_GAUSSIAN,
  CELI_CATEGORICAL,
  CELI_MULTI_CATEGORICAL, ///< K categoricals side by side
  CELI_BERNOULLI          ///< A independent bits
} CeliDistKind;

typedef struct CeliDistSpec {
  CeliDistKind kind;
  int64_t A; ///< action dimension, number of discrete actions (all entries together), or of bits
  int64_t K; ///< multi-categorical: entries per action
  const float *choices; ///< multi-categorical: (K,) number of actions of each entry; outlives every
                        ///< use
  bool free_log_std;    ///< Gaussian: log_std is a parameter (A,) and not part of the head
  double log_std_min, log_std_max; ///< bounds, if min < max; outside of them the gradient is zero
  double log_std_init;             ///< initial value of a free log_std
  /// Every action is the mode: tanh of the head (squashed Gaussian), or the first largest of it
  /// (categorical). Without log_std, noise and log-probs.
  bool deterministic;
} CeliDistSpec;

/// Required width of the head: 2A (mean, log_std) or A (no log_std or a free one, or logits).
int64_t celi_dist_head(const CeliDistSpec *spec);
/// Whether actions are discrete: I32, or U8 for bits. Otherwise they are float32.
bool celi_dist_discrete(const CeliDistSpec *spec);
/// Random numbers per action: A normals, or one uniform per entry or bit; 0 if deterministic.
int64_t celi_dist_noise(const CeliDistSpec *spec);

/// One use on B rows. Pointers are declared tensors. Plans keep its address, so it must not move
/// while they run.
typedef struct CeliDist {
  CeliDistSpec spec;
  int64_t B;
  float *log_std_param;        ///< (A,) free log_std, role CEL_PARAM, or NULL
  float *d_log_std_param;      ///< (A,) its gradient
  const struct CeliDist *with; ///< the use that owns log_std_param, or NULL
  float *log_std;              ///< (B,A) clamped copy
  float *eps;    ///< (B,A) noise of the sample, or (action - mean) / sd; categorical: (B,) uniforms
  float *u;      ///< (B,A) before squashing
  float *inv_sd; ///< (B,A) 1/sd, for log_prob
  float *d_log_std; ///< (B,A) gradient of a free log_std, by row
  float *logp;      ///< (B,)
  float *entropy;   ///< (B,)
  float *d_logp;    ///< (B,) set by the caller before backward
  float *log_pi;    ///< categorical: (B,A) log-probabilities
  float *pi;        ///< categorical: (B,A) probabilities
} CeliDist;

/// Declares the free log_std "NAME.log_std" with its gradient and moments. It is separate because
/// several uses can have the same. Call it before celi_dist_declare on the same use.
/// Errors: as cel_tensors_declare; CEL_E_RANGE (A).
CelStatus celi_dist_declare_param(CeliDist *dist, CelTensors *tensors, const char *name,
                                  const CeliDistSpec *spec) CEL_WARN_UNUSED;
/// Declares the scratch of a use on B rows. Errors: as cel_tensors_declare; CEL_E_RANGE (A, B);
/// CEL_E_STATE (a free log_std was not declared).
CelStatus celi_dist_declare(CeliDist *dist, CelTensors *tensors, const char *name,
                            const CeliDistSpec *spec, int64_t B, bool backward) CEL_WARN_UNUSED;
/// Declares another use on B rows with the free log_std of `with`.
CelStatus celi_dist_declare_shared(CeliDist *dist, CelTensors *tensors, const char *name,
                                   const CeliDist *with, int64_t B, bool backward) CEL_WARN_UNUSED;
/// Sets a free log_std to its initial value. Call it after the allocation.
void celi_dist_init(CeliDist *dist);

/// action (B,A) lda ~ pi(. given head (B,head) ldh), and logp. Categorical: action (B,) lda is I32.
/// Not for multi-categoricals and bits; use celi_dist_draw_rows. The noise begins at block *counter
/// of (seed, CEL_RNG_NOISE, index). counter is a saved tensor, and the algorithm advances it by
/// celi_dist_blocks.
void celi_dist_plan_sample(CeliPlan *plan, const CeliDist *dist, void *action, ptrdiff_t lda,
                           const float *head, ptrdiff_t ldh, uint64_t seed, uint32_t index,
                           const uint64_t *counter);
uint64_t celi_dist_blocks(const CeliDist *dist);
/// d_head (B,head) from d_action (B,A) ldda and dist->d_logp, reparameterized. Not for
/// categoricals.
void celi_dist_plan_sample_backward(CeliPlan *plan, const CeliDist *dist, float *d_head,
                                    ptrdiff_t lddh, const float *d_action, ptrdiff_t ldda,
                                    const float *action, ptrdiff_t lda, const float *head,
                                    ptrdiff_t ldh);
/// logp (B,) and entropy (B,) of given actions, for score-function learners. Categorical: action
/// (B,) lda is I32. Multi-categorical: (B,K) lda I32. Bits: (B,A) lda U8. Squashed: u is
/// atanh(action), where +-1 counts as the nearest number inside; the entropy has no closed form and
/// is NaN.
void celi_dist_plan_log_prob(CeliPlan *plan, const CeliDist *dist, const void *action,
                             ptrdiff_t lda, const float *head, ptrdiff_t ldh);
/// d_head (B,head) from d_logp (B,) and d_entropy (B,). Each may be NULL (zero); d_entropy must be
/// NULL for the squashed Gaussian. Reads the results of celi_dist_plan_log_prob.
void celi_dist_plan_log_prob_backward(CeliPlan *plan, const CeliDist *dist, float *d_head,
                                      ptrdiff_t lddh, const float *d_logp, const float *d_entropy,
                                      const void *action, ptrdiff_t lda, const float *head,
                                      ptrdiff_t ldh);
/// The gradient of a free log_std: sums the rows of a backward operation, split by column. It
/// belongs in the stage of the weight gradients. Adds nothing if log_std is not free.
void celi_dist_plan_backward_param(CeliPlan *plan, const CeliDist *dist);
/// The mode without a plan, rows [begin, end), serial: tanh(mean), mean, argmax (I32), or bits with
/// probability above 1/2 (U8).
void celi_dist_mode(const CeliDistSpec *spec, void *action, ptrdiff_t lda, const float *head,
                    ptrdiff_t ldh, int64_t begin, int64_t end);
/// Gaussian samples without a plan, rows [begin, end), serial: action (n,A) lda from head (n, 2A)
/// ldh (mean, and log_std that is clamped and not free) and eps (n,A). Same bits as in a plan.
void celi_dist_sample_rows(const CeliDistSpec *spec, float *action, ptrdiff_t lda,
                           const float *head, ptrdiff_t ldh, const float *eps, int64_t begin,
                           int64_t end);
/// log_pi and pi (B,A) of categoricals from logits (B,A), rows [begin, end), serial.
void celi_dist_softmax(float *log_pi, float *pi, const float *logits, int64_t A, int64_t begin,
                       int64_t end);
/// out (B,) = E_pi[log pi], the negative entropy, rows [begin, end), serial.
void celi_dist_mean_log(float *out, const float *log_pi, const float *pi, int64_t A, int64_t begin,
                        int64_t end);
/// The first action whose cumulative probability exceeds the uniform number. Rounding may leave the
/// sum of pi (A,) below the number; then it is the last action with a positive probability.
int32_t celi_dist_pick(const float *pi, int64_t A, float uniform);
/// Actions from given random numbers without a plan, rows [begin, end), serial. noise (n,W) ldn;
/// celi_dist_noise gives W. log_std_param (A,): the free log_std, else NULL. Types of actions as
/// for celi_dist_plan_log_prob.
void celi_dist_draw_rows(const CeliDistSpec *spec, const float *log_std_param, void *action,
                         ptrdiff_t lda, const float *head, ptrdiff_t ldh, const float *noise,
                         ptrdiff_t ldn, int64_t begin, int64_t end);

#endif
