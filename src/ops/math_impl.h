/// Elementwise mathematics on vectors: exp, log, tanh, sigmoid, softplus, the normal
/// distribution function, sine and cosine.
///
/// Each function is one polynomial, fitted by minimax.py, on an interval to which the argument is
/// reduced. The reduction is that of Cody and Waite: the constant is subtracted in two parts, which
/// is nearly exact. Every step is an IEEE operation of float32 or of integers, so the bits are the
/// same on every machine. Subnormal arguments and results are kept, unless the caller's mode
/// flushes them (base/floats.h). Largest errors over all float32 numbers
/// (tests/ops/test_math_full.c), in units in the last place:
///
///     exp 1.04   log 0.81   tanh 2.57   sigmoid 2.41   softplus 1.68
///
/// exp(-inf) = 0, exp(inf) = inf; log(0) = -inf, log(x < 0) = NaN, log(inf) = inf. tanh keeps the
/// sign of zero. NaN gives NaN.
#ifndef CELI_MATH_IMPL_H
#define CELI_MATH_IMPL_H
#include "ops/vec.h"

#define LOG2_E 1.44269504f
#define LN2_HIGH 0.693359375f // 9 bits: a product with an exponent is exact
#define LN2_LOW -2.12194440e-4f
#define ROUND_MAGIC 12582912.0f // 1.5 * 2^23: adding it rounds to an integer in the low bits

/// x = n ln2 + r with |r| <= ln2/2; returns r, and n in *n.
INLINE vf reduce_ln2(vf x, vi *n) {
  const vf shifted = v_fma(x, v_set1(LOG2_E), v_set1(ROUND_MAGIC));
  *n = (vi)((vu)shifted - (vu)v_set1(ROUND_MAGIC));
  const vf nf = shifted - v_set1(ROUND_MAGIC);
  const vf r = v_fma(nf, v_set1(-LN2_HIGH), x);
  return v_fma(nf, v_set1(-LN2_LOW), r);
}

/// exp(r) - 1 for |r| <= ln2/2.
INLINE vf expm1_reduced(vf r) {
  vf p = v_set1(1.387065626e-03f);
  p = v_fma(p, r, v_set1(8.366261609e-03f));
  p = v_fma(p, r, v_set1(4.166743532e-02f));
  p = v_fma(p, r, v_set1(1.666654646e-01f));
  p = v_fma(p, r, v_set1(4.999999702e-01f));
  return v_fma(r * r, p, r);
}

/// 2^n for -126 <= n <= 127.
INLINE vf pow2(vi n) {
  return (vf)(((vu)n + vu_set1(127)) << 23);
}

/// At the limits the result is already 0 or infinite. 2^n is multiplied in two halves, so that a
/// subnormal result is rounded once.
INLINE vf v_exp(vf x) {
  x = v_min(v_set1(90.0f), x);
  x = v_max(v_set1(-105.0f), x);
  vi n;
  const vf r = reduce_ln2(x, &n);
  const vf y = v_set1(1.0f) + expm1_reduced(r);
  const vi half = n >> 1;
  return y * pow2(half) * pow2(n - half);
}

/// log(1 + f) for sqrt(1/2) <= 1 + f <= sqrt(2), plus n ln2.
INLINE vf log1p_reduced(vf f, vf n) {
  vf p = v_set1(6.749271601e-02f);
  p = v_fma(p, f, v_set1(-1.167009920e-01f));
  p = v_fma(p, f, v_set1(1.188354865e-01f));
  p = v_fma(p, f, v_set1(-1.240623370e-01f));
  p = v_fma(p, f, v_set1(1.422035843e-01f));
  p = v_fma(p, f, v_set1(-1.666798890e-01f));
  p = v_fma(p, f, v_set1(2.000207156e-01f));
  p = v_fma(p, f, v_set1(-2.500000894e-01f));
  p = v_fma(p, f, v_set1(3.333331347e-01f));
  const vf f2 = f * f;
  vf y = v_fma(f2 * f, p, n * v_set1(LN2_LOW));
  y = v_fma(f2, v_set1(-0.5f), y);
  return v_fma(n, v_set1(LN2_HIGH), f + y);
}

INLINE vf v_log(vf x) {
  const vm tiny = v_lt(x, v_set1(0x1p-126f));
  const vf scaled = v_sel(tiny, x * v_set1(0x1p23f), x);
  // Exponent for which the mantissa is in [sqrt(1/2), sqrt(2)).
  const vi shifted = (vi)((vu)scaled - vu_set1(0x3f3504f3));
  vf n = v_from_int(shifted >> 23);
  n = n - v_sel(tiny, v_set1(23.0f), v_zero());
  const vi mantissa = (shifted & vi_set1(0x007fffff)) + vi_set1(0x3f3504f3);
  vf y = log1p_reduced((vf)mantissa - v_set1(1.0f), n);
  const vf infinity = v_set1(__builtin_inff());
  y = v_sel(v_eq(x, infinity), infinity, y);
  y = v_sel(v_lt(x, v_zero()), v_set1(__builtin_nanf("")), y);
  y = v_sel(v_eq(x, v_zero()), -infinity, y);
  return v_sel(v_nan(x), x, y);
}

/// tanh(|x|) = e / (e + 2) with e = exp(2|x|) - 1. It is accurate near 0 because e is.
INLINE vf v_tanh(vf x) {
  const vi sign = (vi)x & vi_set1((int32_t)0x80000000u);
  const vf a = v_min(v_set1(20.0f), v_abs(x) + v_abs(x));
  vi n;
  const vf r = reduce_ln2(a, &n);
  const vf scale = pow2(n);
  const vf e = v_fma(scale, expm1_reduced(r), scale - v_set1(1.0f));
  const vf y = e / (e + v_set1(2.0f));
  return (vf)((vi)y | sign);
}

/// 1 / (1 + t) for x >= 0 and t / (1 + t) for x < 0, with t = exp(-|x|). Intermediate values stay
/// finite.
INLINE vf v_sigmoid(vf x) {
  const vf t = v_exp(-v_abs(x));
  const vf one = v_set1(1.0f);
  return v_sel(v_lt(x, v_zero()), t, one) / (one + t);
}

/// The normal distribution function Phi(x), and its density phi(x) in *density. Phi(-|x|) =
/// exp(-x^2/2) t P(t) with t = 1 / (1 + 0.3 |x|). The absolute error of Phi is below 2e-7. Its
/// relative error increases to 1e-4 at x = -14.
INLINE vf v_normal_cdf(vf x, vf *density) {
  const vf one = v_set1(1.0f);
  const vf t = one / v_fma(v_abs(x), v_set1(0.3f), one);
  vf p = v_set1(2.922863141e-02f);
  p = v_fma(p, t, v_set1(-1.246943325e-01f));
  p = v_fma(p, t, v_set1(1.379062384e-01f));
  p = v_fma(p, t, v_set1(2.401568554e-02f));
  p = v_fma(p, t, v_set1(7.747848332e-02f));
  p = v_fma(p, t, v_set1(1.192080230e-01f));
  p = v_fma(p, t, v_set1(1.169282496e-01f));
  p = v_fma(p, t, v_set1(1.199290231e-01f));
  const vf bell = v_exp(x * x * v_set1(-0.5f));
  const vf tail = bell * (t * p);
  *density = bell * v_set1(0.39894228f);
  return v_sel(v_lt(x, v_zero()), tail, one - tail);
}

/// max(x, 0) + log(1 + t), t = exp(-|x|). Where 1 + t > sqrt(2): log 2 + log(1 + (t-1)/2).
INLINE vf v_softplus(vf x) {
  const vf t = v_exp(-v_abs(x));
  const vm big = v_lt(v_set1(0.41421356f), t);
  const vf half = v_set1(0.5f);
  const vf f = v_sel(big, v_fma(t, half, -half), t);
  const vf n = v_sel(big, v_set1(1.0f), v_zero());
  return v_max(v_zero(), x) + log1p_reduced(f, n);
}

/// Sine and cosine of 2 pi w / 2^32. The quarter turn is determined exactly, in integers.
INLINE void v_sin_cos_turn(vu w, vf *sine, vf *cosine) {
  const vi quarter = (vi)((w + vu_set1(1u << 29)) >> 30);
  const vi rest = (vi)(w - ((vu)quarter << 30));
  const vf t = v_from_int(rest) * v_set1(1.46291807926716e-9f); // 2 pi / 2^32
  const vf t2 = t * t;
  vf s = v_set1(-1.951829181e-04f);
  s = v_fma(s, t2, v_set1(8.332189173e-03f));
  s = v_fma(s, t2, v_set1(-1.666665524e-01f));
  s = v_fma(s, t2 * t, t);
  vf c = v_set1(2.443232734e-05f);
  c = v_fma(c, t2, v_set1(-1.388730947e-03f));
  c = v_fma(c, t2, v_set1(4.166664556e-02f));
  c = v_fma(c, t2, v_set1(-0.5f));
  c = v_fma(c, t2, v_set1(1.0f));
  const vm swap = vi_odd(quarter);
  const vu sine_sign = ((vu)quarter & vu_set1(2)) << 30;
  const vu cosine_sign = (((vu)quarter + vu_set1(1)) & vu_set1(2)) << 30;
  *sine = (vf)((vu)v_sel(swap, c, s) ^ sine_sign);
  *cosine = (vf)((vu)v_sel(swap, s, c) ^ cosine_sign);
}

#endif
