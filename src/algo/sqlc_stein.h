/// The direction in which the particles of one state move, in single precision and without waiting: what cel_svgd_direction is
/// for one problem in double.
#ifndef CELI_SQLC_STEIN_H
#define CELI_SQLC_STEIN_H
#include <stdint.h>

typedef struct CeliStein {
  int64_t n, m, A;  ///< particles that attract and repel, particles that move, their dimension
  double bandwidth; ///< h of the kernel exp(-|u - v|^2 / h); 0: the median heuristic
} CeliStein;

/// Floats that celi_stein_direction works with.
int64_t celi_stein_scratch(const CeliStein *stein);
/// phi(v_j) = 1/n sum_i [k(u_i, v_j) score_i + grad_{u_i} k(u_i, v_j)].
/// Source: [soft-q-learning, 4]
/// out  phi (m,A) | in  u, score (n,A), v (m,A) | scratch (celi_stein_scratch,).
void celi_stein_direction(const CeliStein *stein, float *phi, const float *u, const float *score,
                          const float *v, float *scratch);
/// The median of v (n,), n >= 1, none of them negative: the mean of the middle two where n is even.
float celi_median_of_squares(const float *v, int64_t n);

#endif
