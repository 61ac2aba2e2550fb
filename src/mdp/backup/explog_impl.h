/// Vectorized 2^x and log of doubles.
///
/// Each is one polynomial on a reduced interval: x = n + f exactly with |f| <= 1/2, or x = 2^n m
/// with sqrt(1/2) <= m < sqrt(2). fit_explog.py fits the coefficients so that the largest relative
/// error is minimal. Softmaxes use powers of 2; the factor log2 e is part of 1/alpha. Largest
/// errors that tests/mdp/test_explog.c found, in units in the last place:
///
///     2^x 1.57 on [-1000, 1000]   log 0.75 on the positive normal numbers
///
/// Polynomials are summed in a tree, so that a processor can compute several products at once.
/// Every step is one IEEE operation without fusing, so the bits agree on every machine.
#ifndef CELI_MDP_EXPLOG_IMPL_H
#define CELI_MDP_EXPLOG_IMPL_H
#include "mdp/backup/lanes.h"

#define LN2_HIGH 0x1.62e42fefa38p-1 // 42 bits, so that products with an exponent are exact
#define LN2_LOW 5.497923018708371e-14
#define ROUND_MAGIC 0x1.8p52 // adding it rounds to an integer in the low bits
/// Below EXP2_LOW the result is 0. Above EXP2_HIGH the argument is out of range.
#define EXP2_LOW -1000.0
#define EXP2_HIGH 1000.0

/// 2^x for x <= EXP2_HIGH, including -inf.
INLINE vd vd_exp2(vd x) {
  const vd magic = vd_set1(ROUND_MAGIC);
  const vd shifted = x + magic;
  const vd f = x - (shifted - magic);
  const vd f2 = f * f, f4 = f2 * f2;
  const vd p01 = vd_set1(0.6931471805599453) + vd_set1(0.2402265069591013) * f;
  const vd p23 = vd_set1(0.055504108664820084) + vd_set1(0.009618129107594093) * f;
  const vd p45 = vd_set1(0.0013333558146774898) + vd_set1(0.0001540353045715017) * f;
  const vd p67 = vd_set1(1.5252733492941153e-05) + vd_set1(1.3215435261777965e-06) * f;
  const vd p89 = vd_set1(1.0178199617198648e-07) + vd_set1(7.073787012349249e-09) * f;
  const vd p8 = p89 + vd_set1(4.434769151965636e-10) * f2;
  const vd p = (p01 + p23 * f2) + ((p45 + p67 * f2) + p8 * f4) * f4;
  const vd e = vd_set1(1.0) + f * p;
  // Adds n, the low bits of x + magic, to the exponent. The result is discarded where x < EXP2_LOW.
  const vd scaled = (vd)((vul)e + ((vul)shifted << 52));
  return vd_where_ge(scaled, x, vd_set1(EXP2_LOW));
}

/// log(x) for positive normal x.
INLINE vd vd_log(vd x) {
  const uint64_t root = 0x3fe6a09e667f3bcdu, one = 0x3ff0000000000000u; // sqrt(1/2), 1
  const vul t = (vul)x + (one - root);
  const vul exponent = t >> 52;
  const vd m = (vd)((t & 0x000fffffffffffffu) + root);
  const vd n = (vd)(exponent + 0x4330000000000000u) - vd_set1(0x1p52 + 1023.0);
  const vd f = m - vd_set1(1.0);
  const vd s = f / (f + vd_set1(2.0));
  const vd z = s * s;
  const vd z2 = z * z;
  const vd p01 = vd_set1(0.6666666666666734) + vd_set1(0.3999999999941432) * z;
  const vd p23 = vd_set1(0.2857142874247499) + vd_set1(0.22222198563476092) * z;
  const vd p456 = vd_set1(0.1818356486706799) +
                  (vd_set1(0.15314035826947248) + vd_set1(0.14796105510224017) * z) * z;
  const vd p = p01 + (p23 + p456 * z2) * z2;
  // log(1 + f) = 2 s + s z p = f - (h - s (h + z p)) with h = f^2/2. This form is accurate for
  // small f.
  const vd h = vd_set1(0.5) * f * f;
  return n * vd_set1(LN2_HIGH) - ((h - (s * (h + z * p) + n * vd_set1(LN2_LOW))) - f);
}

#endif
