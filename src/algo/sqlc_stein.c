/// Stein's direction for the particles of one state. Contract: sqlc_stein.h.
///
/// With k_ji = exp(-|u_i - v_j|^2 / h) the sum over i is three products with the matrix k,
///   n phi_j = sum_i k_ji score_i + 2/h (v_j sum_i k_ji - sum_i k_ji u_i),    [soft-q-learning, 4]
/// computed as one: k [score, u, 1]. Positions are relative to the first particle, which reduces
/// cancellation.
#include "algo/sqlc_stein.h"
#include "ops/ops.h"

#include <math.h>
#include <string.h>

/// Arrays in the scratch.
typedef struct Space {
  float *place;  ///< (A,n) particles relative to the first one, by dimension
  float *point;  ///< (A,) a moving particle, or one of a pair
  float *factor; ///< (n, 2A+1) score, position, 1
  float *kernel; ///< (m,n)
  float *sum;    ///< (m, 2A+1)
  float *square; ///< (n(n-1)/2,) squared distances of pairs
} Space;

static int64_t pairs_of(const CeliStein *s) {
  return s->bandwidth > 0 ? 0 : s->n * (s->n - 1) / 2;
}

int64_t celi_stein_scratch(const CeliStein *s) {
  return s->A * (s->n + 1) + (s->n + s->m) * (2 * s->A + 1) + s->m * s->n + pairs_of(s);
}

static Space divide(const CeliStein *s, float *scratch) {
  Space at = {.place = scratch};
  at.point = at.place + s->A * s->n;
  at.factor = at.point + s->A;
  at.kernel = at.factor + s->n * (2 * s->A + 1);
  at.sum = at.kernel + s->m * s->n;
  at.square = at.sum + s->m * (2 * s->A + 1);
  return at;
}

// ---- the median.

/// A float's bits.
typedef int32_t Bits __attribute__((may_alias));

/// Number of elements of v that are at most `most`.
static int64_t count_up_to(const Bits *v, int64_t n, int32_t most) {
  enum { BLOCK = 1 << 20 };
  int64_t count = 0;
  for (int64_t first = 0; first < n; first += BLOCK) {
    const int64_t last = n - first < BLOCK ? n : first + BLOCK;
    int32_t part = 0; // as wide as the compared values, so that lanes are counters
    for (int64_t i = first; i < last; i++) part += v[i] <= most;
    count += part;
  }
  return count;
}

/// Bits of the element of rank k, by bisection. Non-negative floats have the order of their bits.
static int32_t bits_of_rank(const Bits *v, int64_t n, int64_t k) {
  int32_t low = 0, high = INT32_MAX; // the result is in [low, high]
  while (low < high) {
    const int32_t middle = low + (high - low) / 2;
    if (count_up_to(v, n, middle) > k)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

float celi_median_of_squares(const float *v, int64_t n) {
  int32_t bits = bits_of_rank((const Bits *)v, n, (n - 1) / 2);
  float lower, upper = INFINITY;
  memcpy(&lower, &bits, sizeof lower);
  if (n % 2 == 1 || count_up_to((const Bits *)v, n, bits) > n / 2) return lower;
  for (int64_t i = 0; i < n; i++)
    if (v[i] > lower && v[i] < upper) upper = v[i];
  return lower + (upper - lower) / 2;
}

// ---- the direction.

/// square (n,): |x_i - y|^2 of the first n positions.
static void distances(float *restrict square, const float *restrict place, int64_t ld,
                      const float *y, int64_t n, int64_t A) {
  for (int64_t i = 0; i < n; i++) square[i] = (place[i] - y[0]) * (place[i] - y[0]);
  for (int64_t c = 1; c < A; c++) {
    const float *restrict x = place + c * ld;
    for (int64_t i = 0; i < n; i++) square[i] += (x[i] - y[c]) * (x[i] - y[c]);
  }
}

static float bandwidth(const CeliStein *s, const Space *at) {
  if (s->bandwidth > 0) return (float)s->bandwidth;
  int64_t pairs = 0;
  for (int64_t j = 1; j < s->n; j++) {
    for (int64_t c = 0; c < s->A; c++) at->point[c] = at->place[c * s->n + j];
    distances(at->square + pairs, at->place, s->n, at->point, j, s->A);
    pairs += j;
  }
  const float middle = pairs > 0 ? celi_median_of_squares(at->square, pairs) : 0;
  return middle > 0 ? (float)((double)middle / log((double)s->n + 1)) : 1;
}

void celi_stein_direction(const CeliStein *s, float *phi, const float *u, const float *score,
                          const float *v, float *scratch) {
  const int64_t n = s->n, m = s->m, A = s->A, W = 2 * A + 1;
  const Space at = divide(s, scratch);
  for (int64_t i = 0; i < n; i++) {
    float *row = at.factor + i * W;
    for (int64_t c = 0; c < A; c++) {
      row[c] = score[i * A + c];
      row[A + c] = at.place[c * n + i] = u[i * A + c] - u[c];
    }
    row[2 * A] = 1;
  }
  const float h = bandwidth(s, &at), scale = -1 / h;
  for (int64_t j = 0; j < m; j++) {
    float *k = at.kernel + j * n;
    for (int64_t c = 0; c < A; c++) at.point[c] = v[j * A + c] - u[c];
    distances(k, at.place, n, at.point, n, A);
    for (int64_t i = 0; i < n; i++) k[i] *= scale;
  }
  celi_ops()->exp(at.kernel, at.kernel, m * n);
  celi_ops()->dense_forward(at.sum, W, NULL, 0, at.kernel, n, at.factor, NULL, 0, m, n, W,
                            CELI_IDENTITY);
  for (int64_t j = 0; j < m; j++)
    for (int64_t c = 0; c < A; c++) {
      const float *sum = at.sum + j * W, point = v[j * A + c] - u[c];
      phi[j * A + c] = (sum[c] + 2 / h * (point * sum[2 * A] - sum[A + c])) / (float)n;
    }
}
