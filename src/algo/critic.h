/// What the outputs of critics Q(s, a) mean: their targets, losses, values, and the actor's
/// objective.
///
/// An ensemble of E critics has M outputs per state and action, Z (E,B,M).
/// - Mean: M = 1; Z_e is Q_e(s, a). Members are combined by their minimum or mean. With a subset,
///   targets are the minimum of some members, and all else is the mean of all.
/// - Quantile: Z_e,j is the quantile tau_j = (2j + 1)/(2M) of the soft return's distribution. The
///   E M quantiles are one mixture. Targets leave out its largest ones, which counters
///   overestimation. The actor follows the mean of all quantiles.
///   Source: Kuznetsov et al., "Controlling overestimation bias with truncated mixture of
///   continuous distributional quantile critics", 2020 (TQC).
/// - Categorical: Z_e are logits of the soft return's distribution on M fixed values
///   (categorical.h). Members are combined by the one with the smallest mean, or by the mean.
#ifndef CELI_CRITIC_H
#define CELI_CRITIC_H
#include "celsius/off_policy.h"
#include "celsius/status.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct CeliCriticHead {
  CelCriticKind kind;
  int64_t E, M; ///< members; outputs of each
  int64_t drop; ///< quantile: number of the E M target quantiles that are left out
  /// Mean: number of members whose minimum is the target (REDQ); 0: all, combined as `mean` says.
  int64_t subset;
  bool mean;          ///< mean and categorical: combined by their mean, else by their minimum
  float v_min, v_max; ///< categorical: first and last value
  bool dueling;       ///< all actions at once: (E,B,A+1) outputs are advantages and V (discrete.h)
} CeliCriticHead;

/// Numbers K in the target of one row: 1, E M - drop quantiles, or M probabilities.
int64_t celi_critic_targets(const CeliCriticHead *head);

/// Rows of a batch of B, all (B,) unless said.
typedef struct CeliCriticBatch {
  int64_t B;
  int64_t apart;         ///< targets: rows of Z from one member to the next; 0: B
  const int64_t *member; ///< targets with a subset: (subset,) its members
  const float *reward, *discount;
  const float *logp;                  ///< log pi(a'|s'), or log pi(a_pi|s) for the objective
  const float *alpha;                 ///< (1,)
  int64_t mid;                        ///< targets: n - 1 steps between of an n-step return
  const float *mid_weight, *mid_logp; ///< (mid,B) gamma^k, log pi of their actions
} CeliCriticBatch;

/// The reward of row b with the entropies of the steps between.
float celi_critic_reward(const CeliCriticBatch *batch, int64_t b);
/// y (B,K), rows [begin, end): r + d (Z' - alpha log pi'), minus alpha log pi of the steps between,
/// from target critics Z (E,B,M), members `apart` rows apart.
/// Source: [maximum-entropy, 8.21]
void celi_critic_target(const CeliCriticHead *head, float *y, const float *Z,
                        const CeliCriticBatch *batch, int64_t begin, int64_t end);
/// One member: loss (B,) of Z (B,M) against y (B,K), and dZ (B,M) of the batch's mean loss.
/// Source: [policy-guarantees, (7)]
void celi_critic_loss(const CeliCriticHead *head, float *dZ, float *loss, const float *Z,
                      const float *y, int64_t B, int64_t begin, int64_t end);
/// The actor: q (B,) = Q(s, a_pi), loss (B,) = alpha log pi - q, and dZ (E,B,M) of its batch mean.
/// Source: [maximum-entropy, 8.28]
void celi_critic_objective(const CeliCriticHead *head, float *dZ, float *q, float *loss,
                           const float *Z, const CeliCriticBatch *batch, int64_t begin,
                           int64_t end);
/// q (n,) = Q of rows Z (E,n,M), for inspection. q may be Z.
void celi_critic_value(const CeliCriticHead *head, float *q, const float *Z, int64_t n);

#endif
