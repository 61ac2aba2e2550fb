/// Certificates: bounds on the distance of V from the fixed point V* of T, from the residuals of
/// one sweep.
///
/// Add a constant c to V at every state that is not terminal. A row with probability mass m on
/// states that are not terminal (the rest ends the episode or reaches a terminal state of value 0)
/// changes by gamma m c. T is monotone, so
///     T(V + c) <= TV + gamma max(m_max c, m_min c).                                          (1)
/// If TV - V <= b everywhere, then a c with b + gamma max(m_max c, m_min c) <= c gives
/// T(V + c) <= V + c, and hence V* <= V + c:
///     c = b / (1 - gamma m_max) for b >= 0,   b / (1 - gamma m_min) for b < 0.               (2)
/// The lower bound follows in the same way. With m = 1 these are the bounds of MacQueen and
/// Porteus. They hold for the soft operator and for the operator of a policy, because only (1) was
/// used.
///
/// Rounding errors of the computed TV are at most e, so b grows by e. Let u = 2^-53, n the longest
/// row, A the largest number of actions, and m the largest mass of a row. A caret marks computed
/// numbers:
///     S^ = fl(gamma sum_k p_k V_k):    |S^ - S| <= (n + 1) u gamma m max|V| = w for every action,
///     Q^ = fl(r + S^):                 |Q^ - Q| <= w + u |Q^|.                                (3)
/// The reward enters only through |Q^|. Let M^ = max Q^ and x_a = M^ - Q^_a >= 0. Then
/// |Q^_a| <= |M^| + x_a.
///
/// Unregularized (alpha = 0): q + u |q| and q - u |q| increase with q, so
/// |max Q - M^| <= w + u |M^|. An action that is not the best adds no error, whatever its reward.
/// Soft: F(q) = alpha log sum exp(q/alpha) satisfies F(q + c) = F(q) + c. By (3), F(Q) is between
///     F(M^ - (1 -+ u) x) +- (w + u |M^|).
/// The derivative of F(M^ - c x) in c is -E[x] under the weights exp(-c x/alpha)/Z. Here Z >= 1,
/// because the best action has x = 0, and E[c x/alpha] = entropy - log Z <= log A. So the error is
/// at most w + u |M^| + u alpha log A (1 + 2u): bad actions have a large x, but their weights are
/// smaller still.
/// The same argument covers the exponents (Q^ - M^) sharpness, whose relative error is 4 u. They
/// add 4 u alpha log A. 2^x and the sum over actions have relative error (A + 4) u, which becomes
/// alpha (A + 4) u after the logarithm. The logarithm, its product with alpha and the last addition
/// add 3 u alpha log A + u |TV^|. Dropped weights below 2^-1000 add less than u. Finally,
/// |M^| <= |TV^| + alpha log A.
///
/// For the operator of a policy, the error of sum_a pi_a (Q_a - alpha log pi_a) is at most
///     w + (A + 6) u sum_a pi_a (|Q^_a| + alpha |log pi_a|).
///
/// Each subnormal result adds an absolute error below 2^-1074.
/// Source: MacQueen, "A modified dynamic programming method for Markovian decision problems", 1966;
/// Porteus, "Some bounds for discounted sequential decision processes", 1971; Higham, "Accuracy and
/// stability", ch. 3.
#include "mdp/backup/certificate.h"
#include "mdp/backup/explog.h"
#include <math.h>

static const double u = 0x1p-53;

/// Rounding errors of the products with V, and of underflow.
static double rounding_next(const CeliShape *shape, double gamma, double value_max) {
  const double n = (double)shape->longest, A = (double)shape->actions;
  return (n + 1.0) * u * gamma * shape->mass_max * value_max + (n + A + 8.0) * 0x1p-1070;
}

double celi_rounding(const CeliShape *shape, double gamma, double alpha, double value_max,
                     double backup_max) {
  const double A = (double)shape->actions, log_A = A > 1.0 ? log(A) : 0.0;
  double entropy = A > 1.0 ? u * alpha * (A + 8.0 + 12.0 * log_A) : 0.0;
  if (!(alpha > CELI_ALPHA_LEAST)) entropy += alpha * log_A; // treated as alpha = 0
  return 1.01 * (rounding_next(shape, gamma, value_max) + 2.0 * u * backup_max + entropy);
}

static double largest_residual(const CeliResidual *residual) {
  return fmax(fabs(residual->low), fabs(residual->high));
}

double celi_rounding_optimal(const CeliShape *shape, double gamma, double alpha,
                             const CeliResidual *residual) {
  const double R = largest_residual(residual), V = residual->value_max;
  return celi_rounding(shape, gamma, alpha, V, V + R) + 1.01 * u * R;
}

double celi_rounding_policy(const CeliShape *shape, double gamma, const CeliResidual *residual) {
  const double A = (double)shape->actions;
  return 1.01 * (rounding_next(shape, gamma, residual->value_max) +
                 (A + 6.0) * u * residual->magnitude + u * largest_residual(residual));
}

/// A c with b + gamma max(m_max c, m_min c) <= c. It is minimal up to its own rounding errors.
static double shift(const CeliShape *shape, double gamma, double b) {
  const double n = (double)shape->longest;
  if (b < 0.0)
    return b / (1.0 - gamma * shape->mass_min * (1.0 - n * u) + 2.0 * u) * (1.0 - 8.0 * u);
  const double rest = 1.0 - gamma * shape->mass_max * (1.0 + n * u) - 2.0 * u;
  return rest > 0.0 ? b / rest * (1.0 + 8.0 * u) : HUGE_VAL;
}

CeliInterval celi_certificate(const CeliShape *shape, double gamma, double rounding,
                              const CeliResidual *residual) {
  return (CeliInterval){.low = -shift(shape, gamma, rounding - residual->low),
                        .high = shift(shape, gamma, residual->high + rounding)};
}

CeliMiddle celi_middle(const CeliInterval *interval, double value_max) {
  const double middle = 0.5 * (interval->low + interval->high);
  const double c = isfinite(middle) ? middle : 0.0; // without a bound, V stays unchanged
  return (CeliMiddle){.c = c,
                      .bound = 0.5 * (interval->high - interval->low) * (1.0 + 4.0 * u) +
                               2.0 * u * (value_max + fabs(c)),
                      .value_max = fmax(0.0, value_max - fabs(c))};
}
