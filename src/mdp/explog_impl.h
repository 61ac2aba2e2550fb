/// exp and log of doubles, on vectors.
///
/// One polynomial each, fitted by minimax.py, on an interval to which the argument is reduced: x = n ln2 + r, |r| <=
/// ln2/2, with ln2 in two parts (n times the first is exact), and x = 2^n m, sqrt(1/2) <= m < sqrt(2). Largest errors
/// found (tests/mdp/test_explog.c), in units in the last place:
///
///     exp 1.01 on [-700, 700]   log 0.75 on the positive normal numbers
///
/// Polynomials are summed in a tree, so that a processor has several products at once to work on.
/// Every step is one IEEE operation, nothing fused: the same bits on every machine.
#ifndef CELI_MDP_EXPLOG_IMPL_H
#define CELI_MDP_EXPLOG_IMPL_H
#include "mdp/lanes.h"

#define LN2_HIGH 0x1.62e42fefa38p-1 // 42 bits: a product with an exponent is exact
#define LN2_LOW 5.497923018708371e-14
#define ROUND_MAGIC 0x1.8p52 // adding it rounds to an integer in the low bits
/// Below this exp is taken for 0, above it is out of range.
#define EXP_LOW -700.0

/// exp(x) for x <= 700; 0 below EXP_LOW.
INLINE vd vd_exp(vd x) {
  const vd low = vd_set1(EXP_LOW), magic = vd_set1(ROUND_MAGIC);
  const vd y = vd_max(x, low);
  const vd shifted = y * vd_set1(1.4426950408889634) + magic;
  const vd n = shifted - magic;
  const vd r = (y - n * vd_set1(LN2_HIGH)) - n * vd_set1(LN2_LOW);
  const vd r2 = r * r, r4 = r2 * r2;
  const vd p01 = vd_set1(0.5000000000000011) + vd_set1(0.16666666666666413) * r;
  const vd p23 = vd_set1(0.041666666666530155) + vd_set1(0.008333333333494461) * r;
  const vd p45 = vd_set1(0.0013888888943630114) + vd_set1(0.00019841269506578688) * r;
  const vd p67 = vd_set1(2.480149309890655e-05) + vd_set1(2.7557586373840165e-06) * r;
  const vd p89 = vd_set1(2.763024837921144e-07) + vd_set1(2.5000061602835666e-08) * r;
  const vd p = (p01 + p23 * r2) + (p45 + (p67 + p89 * r2) * r2) * r4;
  const vd e = vd_set1(1.0) + (r + r2 * p);
  // 2^n enters the exponent; the magic number's low bits are n.
  const vd scaled = (vd)((vul)e + ((vul)shifted << 52));
  return vd_where_ge(scaled, x, low);
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
  // log(1 + f) = 2 s + s z p = f - (h - s (h + z p)), h = f^2/2, which loses nothing where f is small.
  const vd h = vd_set1(0.5) * f * f;
  return n * vd_set1(LN2_HIGH) - ((h - (s * (h + z * p) + n * vd_set1(LN2_LOW))) - f);
}

#endif
