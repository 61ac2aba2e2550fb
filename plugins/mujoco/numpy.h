/// Sums in the order of NumPy, so that rewards have Gymnasium's bits.
///
/// NumPy adds eight running sums of a contiguous array, and halves arrays of more than 128 elements
/// (pairwise summation).
#ifndef CELI_MUJOCO_NUMPY_H
#define CELI_MUJOCO_NUMPY_H
#include <math.h>
#include <stdint.h>

/// np.clip(x, low, high).
static inline double celi_clip(double x, double low, double high) {
  const double above = x < low ? low : x;
  return above > high ? high : above;
}

/// name(x, n, low, high): the sum of TERM, an expression of x[i], low and high, in NumPy's order.
#define CELI_PAIRWISE(name, type, TERM)                                                            \
  static inline type name(const type *x, int64_t n, double low, double high) {                     \
    type sum = 0;                                                                                  \
    (void)low, (void)high;                                                                         \
    if (n < 8) {                                                                                   \
      for (int64_t i = 0; i < n; i++) sum += TERM(x[i]);                                           \
      return sum;                                                                                  \
    }                                                                                              \
    if (n > 128) {                                                                                 \
      const int64_t half = n / 2 - n / 2 % 8;                                                      \
      return name(x, half, low, high) + name(x + half, n - half, low, high);                       \
    }                                                                                              \
    type r[8];                                                                                     \
    int64_t i;                                                                                     \
    for (int k = 0; k < 8; k++) r[k] = TERM(x[k]);                                                 \
    for (i = 8; i < n - n % 8; i += 8)                                                             \
      for (int k = 0; k < 8; k++) r[k] += TERM(x[i + k]);                                          \
    sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));                       \
    for (; i < n; i++) sum += TERM(x[i]);                                                          \
    return sum;                                                                                    \
  }
#define CELI_ITSELF(x) (x)
#define CELI_SQUARE(x) ((x) * (x))
#define CELI_CLIPPED_SQUARE(x) (celi_clip(x, low, high) * celi_clip(x, low, high))
CELI_PAIRWISE(celi_sum_pairwise, double, CELI_ITSELF)
CELI_PAIRWISE(celi_sum_squares_pairwise_f32, float, CELI_SQUARE)
/// np.sum(np.square(np.clip(x, low, high))), x (n,).
CELI_PAIRWISE(celi_sum_squares_clipped, double, CELI_CLIPPED_SQUARE)

/// np.sum(x), x (n,).
static inline double celi_sum(const double *x, int64_t n) {
  return celi_sum_pairwise(x, n, 0, 0);
}
/// np.sum(np.square(x)), x (n,).
static inline double celi_sum_squares(const double *x, int64_t n) {
  return celi_sum_squares_clipped(x, n, -(double)INFINITY, (double)INFINITY);
}
static inline float celi_sum_squares_f32(const float *x, int64_t n) {
  return celi_sum_squares_pairwise_f32(x, n, 0, 0);
}

/// weight * np.sum(np.square(action)): float32, because the action is float32 and Python's number
/// adapts to it.
static inline float celi_ctrl_cost(double weight, const float *action, int64_t n) {
  return (float)weight * celi_sum_squares_f32(action, n);
}

#endif
