/// Certificates: how far V can be from the fixed point V* of T, from the residuals of one sweep.
///
/// T is monotone and, for any constant c added to the states that are not terminal, a row that keeps a probability
/// of m (the rest ends the episode, or reaches terminal states, whose value is 0) passes on gamma m c:
///     T(V + c) <= TV + gamma max(m_max c, m_min c).                                                       (1)
/// If TV - V <= b everywhere, then c with b + gamma max(m_max c, m_min c) <= c gives T(V + c) <= V + c, so V* <= V + c:
///     c = b / (1 - gamma m_max) for b >= 0,   b / (1 - gamma m_min) for b < 0;                            (2)
/// and likewise from below. With m = 1 these are the bounds of MacQueen and Porteus; they hold for the soft operator
/// and for a policy's own since only (1) was used.
///
/// The computed TV differs from the exact one by rounding, at most e = celi_rounding, so b is widened by it. With
/// u = 2^-53, n the longest row, A the most actions:
///     Q: (n + 2) u (|r| + gamma |V|);  the maximum: exact;  exp, log: a few u;  sums over actions: A u,
/// times alpha where they are inside of the logarithm.
/// Source: MacQueen, "A modified dynamic programming method for Markovian decision problems", 1966; Porteus, "Some
/// bounds for discounted sequential decision processes", 1971; Higham, "Accuracy and stability", ch. 3.
#include "mdp/solve/certificate.h"
#include <math.h>

static const double u = 0x1p-53;

double celi_rounding(const CeliShape *shape, double gamma, double alpha, double value_max) {
  const double n = (double)shape->longest, A = (double)shape->actions;
  const double magnitude = shape->reward_max + gamma * shape->mass_max * value_max;
  const double entropy = A > 1.0 ? alpha * (A + 8.0 + 2.0 * log(A)) : 0.0;
  return 1.01 * u * ((n + A + 8.0) * magnitude + value_max + entropy);
}

/// A c with b + gamma max(m_max c, m_min c) <= c, the least but for the rounding errors of finding it.
static double shift(const CeliShape *shape, double gamma, double b) {
  const double n = (double)shape->longest;
  if (b < 0.0)
    return b / (1.0 - gamma * shape->mass_min * (1.0 - n * u) + 2.0 * u) * (1.0 - 8.0 * u);
  const double rest = 1.0 - gamma * shape->mass_max * (1.0 + n * u) - 2.0 * u;
  return rest > 0.0 ? b / rest * (1.0 + 8.0 * u) : HUGE_VAL;
}

CeliInterval celi_certificate(const CeliShape *shape, double gamma, double alpha,
                              const CeliResidual *residual) {
  const double e = celi_rounding(shape, gamma, alpha, residual->value_max);
  return (CeliInterval){.low = -shift(shape, gamma, e - residual->low),
                        .high = shift(shape, gamma, residual->high + e)};
}

CeliMiddle celi_middle(const CeliInterval *interval, double value_max) {
  const double middle = 0.5 * (interval->low + interval->high);
  const double c = isfinite(middle) ? middle : 0.0; // V stays where nothing is known
  return (CeliMiddle){.c = c,
                      .bound = 0.5 * (interval->high - interval->low) * (1.0 + 4.0 * u) +
                               2.0 * u * (value_max + fabs(c)),
                      .value_max = fmax(0.0, value_max - fabs(c))};
}
