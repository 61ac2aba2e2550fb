/// Categorical critics: the distribution of the soft return on fixed values (atoms).
///
/// Z (E,B,M) are logits. The atoms are z_j = v_min + j (v_max - v_min)/(M-1). With p_e the softmax
/// of Z_e, Q_e(s, a) = sum_j p_e,j z_j.
/// Source: Bellemare, Dabney, Munos, "A distributional perspective on reinforcement learning", 2017
/// (the projection); in soft actor-critic: Palenicek et al., 2025 (XQC).
#ifndef CELI_CATEGORICAL_H
#define CELI_CATEGORICAL_H
#include "algo/critic.h"

enum { CELI_ATOMS_MAX = 1001 };

/// y (B,M), rows [begin, end): the distribution of r + d (z - alpha log pi'), clipped to the
/// support, each value shared between its two neighbors in proportion to their nearness. z is
/// distributed as the critic with the smallest Q has it, or as the mean of all.
void celi_categorical_target(const CeliCriticHead *head, float *y, const float *Z,
                             const CeliCriticBatch *batch, int64_t begin, int64_t end);
/// One member: loss (B,) = -sum_j y_j log p_j, and dZ (B,M) of its batch mean.
void celi_categorical_loss(const CeliCriticHead *head, float *dZ, float *loss, const float *Z,
                           const float *y, int64_t B, int64_t begin, int64_t end);
/// As celi_critic_objective and celi_critic_value.
void celi_categorical_objective(const CeliCriticHead *head, float *dZ, float *q, float *loss,
                                const float *Z, const CeliCriticBatch *batch, int64_t begin,
                                int64_t end);
void celi_categorical_value(const CeliCriticHead *head, float *q, const float *Z, int64_t n);

#endif
