/// The direction in which the particles of one state move. cel_svgd_direction computes the same for
/// one problem in double. This version uses single precision and no allocation.
#ifndef CELI_SQLC_STEIN_H
#define CELI_SQLC_STEIN_H
#include <stdint.h>

typedef struct CeliStein {
  int64_t n, m, A;  ///< attracting and repelling particles, moving particles, dimension
  double bandwidth; ///< h of the kernel exp(-|u - v|^2 / h); 0: the median heuristic
} CeliStein;

/// Floats of scratch that celi_stein_direction needs.
int64_t celi_stein_scratch(const CeliStein *stein);
/// phi(v_j) = 1/n sum_i [k(u_i, v_j) score_i + grad_{u_i} k(u_i, v_j)].
/// Source: [soft-q-learning, 4]
/// out  phi (m,A) | in  u, score (n,A), v (m,A) | scratch (celi_stein_scratch,).
void celi_stein_direction(const CeliStein *stein, float *phi, const float *u, const float *score,
                          const float *v, float *scratch);
/// The median of v (n,), n >= 1, without negative elements. For an even n, the mean of the middle
/// two.
float celi_median_of_squares(const float *v, int64_t n);

#endif
