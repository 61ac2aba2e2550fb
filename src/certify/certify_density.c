/// Entropies and moments of samples from an unknown density.
///
///     H = psi(n) - psi(k) + log c_d + d mean log rho_i
/// rho_i is the distance of sample i to its k-th nearest neighbor among n samples in d dimensions,
/// c_d the volume of the unit ball, and psi the digamma function. For any smooth density the error
/// decreases with n. If the samples are on a line or on points, rho_i is tiny and the entropy very
/// low.
/// Source: Kozachenko, Leonenko, "Sample estimate of the entropy of a random vector", 1987; k > 1:
/// Singh et al. 2003.
#include "certify/certify.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { K_MAX = 16 };
static const double pi = 3.14159265358979323846;

/// psi(n) = -euler + sum_{j<n} 1/j.
static double digamma(int64_t n) {
  double sum = -0.57721566490153286061;
  for (int64_t j = 1; j < n; j++) sum += 1.0 / (double)j;
  return sum;
}

/// The square of the k-th smallest distance of x_i to the other samples.
static double kth_square(const double *x, int64_t n, int d, int k, int64_t i) {
  double least[K_MAX];
  for (int j = 0; j < k; j++) least[j] = HUGE_VAL;
  for (int64_t j = 0; j < n; j++) {
    double square = 0;
    if (j == i) continue;
    for (int c = 0; c < d; c++) {
      const double off = x[i * d + c] - x[j * d + c];
      square += off * off;
    }
    if (square >= least[k - 1]) continue;
    int at = k - 1;
    for (; at > 0 && least[at - 1] > square; at--) least[at] = least[at - 1];
    least[at] = square;
  }
  return least[k - 1];
}

double celi_entropy_of_draws(const double *x, int64_t n, int d, int k, double resolution,
                             double *each) {
  double sum = 0;
  CEL_ASSERT(k >= 1 && k <= K_MAX && n > k);
  const double log_ball = 0.5 * d * log(pi) - lgamma(0.5 * d + 1);
  const double constant = digamma(n) - digamma(k) + log_ball;
  for (int64_t i = 0; i < n; i++) {
    const double log_rho = 0.5 * log(fmax(kth_square(x, n, d, k, i), resolution * resolution));
    sum += log_rho;
    if (each) each[i] = constant + d * log_rho;
  }
  return constant + d * sum / (double)n;
}

void celi_moments(const double *x, int64_t n, int d, double *mean, double *covariance) {
  memset(mean, 0, (size_t)d * sizeof *mean);
  memset(covariance, 0, (size_t)(d * d) * sizeof *covariance);
  for (int64_t i = 0; i < n; i++)
    for (int a = 0; a < d; a++) mean[a] += x[i * d + a] / (double)n;
  for (int64_t i = 0; i < n; i++)
    for (int a = 0; a < d; a++)
      for (int b = 0; b < d; b++)
        covariance[a * d + b] += (x[i * d + a] - mean[a]) * (x[i * d + b] - mean[b]) / (double)n;
}
