/// Sine and cosine in double, with the same bits on every machine.
///
/// The C library chooses a version with or without FMA when the program starts, and the two differ
/// in the last bit. The states of an environment must not depend on that. The method:
/// 1  Reduce to |r| <= pi/4 by Cody and Waite, with pi/2 in three parts of 33 + 33 + 53 bits. The
/// first
///      two products are exact for up to 2^20 quarter turns.
///   2  Evaluate two polynomials: Chebyshev interpolants with truncation errors below 2e-17.
///   3  Swap and set signs by quadrant without a branch, so that compilers can vectorize loops.
/// The absolute error is below 2e-16 up to CELI_SINCOS_DIRECT and below 1e-15 up to 1e15.
#ifndef CELI_ENV_SINCOS_H
#define CELI_ENV_SINCOS_H
#include <math.h>
#include <stdint.h>
#include <string.h>

#define CELI_PI 3.14159265358979323846
#define CELI_SINCOS_DIRECT 524288.0 ///< |x| up to which step 1 is accurate enough

/// sin(r) and cos(r), |r| <= pi/4.
static inline void celi_sincos_kernel(double r, double *sine, double *cosine) {
  double z = r * r;
  double S = 0x1.5e0af186af6e1p-33;
  S = S * z - 0x1.ae600a926c899p-26;
  S = S * z + 0x1.71de37961e4c6p-19;
  S = S * z - 0x1.a01a019e8357dp-13;
  S = S * z + 0x1.1111111110bb1p-7;
  S = S * z - 0x1.5555555555555p-3;
  *sine = r + r * (z * S);
  double C = -0x1.907d7aebd5de5p-37;
  C = C * z + 0x1.1eeb68b109172p-29;
  C = C * z - 0x1.27e4fa17a41b4p-22;
  C = C * z + 0x1.a01a019f4e867p-16;
  C = C * z - 0x1.6c16c16c16966p-10;
  C = C * z + 0x1.5555555555555p-5;
  double half = 0.5 * z, w = 1.0 - half; // its rounding error is added below
  *cosine = w + (((1.0 - w) - half) + z * (z * C));
}

/// For |x| <= CELI_SINCOS_DIRECT; NaN and infinities give NaN.
static inline void celi_sincos_direct(double x, double *sine, double *cosine) {
  const double shift = 0x1.8p52; // adding it rounds to a whole number in the low bits
  double shifted = x * 0x1.45f306dc9c883p-1 + shift;
  double n = shifted - shift;
  double r = ((x - n * 0x1.921fb544p+0) - n * 0x1.0b4611a6p-34) - n * 0x1.3198a2e037073p-69;
  double s, c;
  celi_sincos_kernel(r, &s, &c);
  uint64_t q, s_bits, c_bits;
  memcpy(&q, &shifted, sizeof q);
  memcpy(&s_bits, &s, sizeof s_bits);
  memcpy(&c_bits, &c, sizeof c_bits);
  uint64_t swap = (s_bits ^ c_bits) & (0u - (q & 1u));
  s_bits ^= swap ^ ((q & 2u) << 62);
  c_bits ^= swap ^ (((q + 1u) & 2u) << 62);
  memcpy(sine, &s_bits, sizeof s_bits);
  memcpy(cosine, &c_bits, sizeof c_bits);
}

/// For any x. For large x, fmod by the double nearest to 2 pi is exact. The difference between that
/// double and 2 pi, times the number k of turns, is then added back.
static inline void celi_sincos(double x, double *sine, double *cosine) {
  if (fabs(x) > CELI_SINCOS_DIRECT) {
    double rest = fmod(x, 0x1.921fb54442d18p+2);
    double turns = rint((x - rest) * (1.0 / 0x1.921fb54442d18p+2));
    x = rest - turns * 0x1.1a62633145c07p-52;
    if (fabs(x) > CELI_SINCOS_DIRECT) x = fmod(x, 0x1.921fb54442d18p+2);
  }
  celi_sincos_direct(x, sine, cosine);
}

static inline double celi_sin(double x) {
  double s, c;
  celi_sincos(x, &s, &c);
  return s;
}

static inline double celi_cos(double x) {
  double s, c;
  celi_sincos(x, &s, &c);
  return c;
}

/// sine, cosine (n,) of x (n,).
static inline void celi_sincos_batch(double *sine, double *cosine, const double *x, int64_t n) {
  double largest = 0.0;
  for (int64_t i = 0; i < n; i++) {
    double magnitude = fabs(x[i]);
    largest = magnitude > largest ? magnitude : largest;
    celi_sincos_direct(x[i], &sine[i], &cosine[i]);
  }
  if (largest > CELI_SINCOS_DIRECT) {
    for (int64_t i = 0; i < n; i++) celi_sincos(x[i], &sine[i], &cosine[i]);
  }
}

#endif
