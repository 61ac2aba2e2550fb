/// Counter-based random numbers: Philox 4x32-10, and distributions from its blocks.
///
/// One round maps (c0, c1, c2, c3) under the key (k0, k1) to
///   (hi(M1 c2) ^ c1 ^ k0, lo(M1 c2), hi(M0 c0) ^ c3 ^ k1, lo(M0 c0)).
/// After each of the first nine rounds the Weyl constants (W0, W1) are added to the key.
/// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
///
/// A stream gives the same doubles on every machine. It uses only operations that IEEE 754 rounds
/// exactly (+, *, /, sqrt), and no libm function, which may differ between machines.
#include "celsius/rng.h"
#include "base/arguments.h"
#include "base/base.h"
#include <math.h>

#define M0 0xD2511F53u
#define M1 0xCD9E8D57u
#define W0 0x9E3779B9u
#define W1 0xBB67AE85u

void celi_philox(uint32_t out[4], const uint32_t key[2], const uint32_t counter[4]) {
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
  uint32_t k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; round++) {
    uint64_t p0 = (uint64_t)M0 * c0, p1 = (uint64_t)M1 * c2;
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c1 = (uint32_t)p1;
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c3 = (uint32_t)p0;
    k0 += W0;
    k1 += W1;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

CelRng cel_rng(uint64_t seed, CelRngPurpose purpose, uint32_t index) {
  return (CelRng){.seed = seed, .purpose = (uint32_t)purpose, .index = index};
}

void cel_rng_block(CelRng *rng, uint32_t out[4]) {
  CELI_NEED_OR(rng, );
  CELI_NEED_OR(out, );
  uint32_t key[2] = {(uint32_t)rng->seed, (uint32_t)(rng->seed >> 32)};
  uint32_t counter[4] = {(uint32_t)rng->counter, (uint32_t)(rng->counter >> 32), rng->index,
                         rng->purpose};
  celi_philox(out, key, counter);
  rng->counter++;
}

// Words 2 i and 2 i + 1 of the block as one integer.
static uint64_t word64(const uint32_t block[4], int i) {
  return (uint64_t)block[2 * i + 1] << 32 | block[2 * i];
}

double cel_rng_uniform(CelRng *rng) {
  CELI_NEED_OR(rng, (double)NAN);
  uint32_t block[4];
  cel_rng_block(rng, block);
  return (double)(word64(block, 0) >> 11) * 0x1p-53;
}

double cel_rng_range(CelRng *rng, double low, double high) {
  CELI_NEED_OR(rng, (double)NAN);
  CELI_FLOATS(CELI_IEEE);
  double u = cel_rng_uniform(rng);
  double x = low + (high - low) * u;
  if (isfinite(low) && isfinite(high) && !isfinite(x)) // high - low overflows; interpolate instead
    x = 2 * (low / 2 + (high / 2 - low / 2) * u);
  if (!(x < high) && low < high) x = nextafter(high, low); // rounding may give high
  CELI_PIN(x);
  return x;
}

// Natural logarithm of x in (0, 1], within about 2 ulp, from x = m 2^e.
// log m = 2 atanh((m - 1) / (m + 1)).
static double log_unit(double x) {
  int e;
  double m = frexp(x, &e); // exact
  if (m < 0.70710678118654752) {
    m *= 2;
    e--;
  }
  double s = (m - 1) / (m + 1), z = s * s; // |s| <= 0.1716, so 11 terms give 2^-58
  double sum = 0;
  for (int k = 21; k >= 3; k -= 2) sum = (sum + 1.0 / k) * z;
  // ln 2 in two parts. The first has trailing zeros, so that its product with e is exact.
  return e * 0x1.62e42fefa38p-1 + (2 * s + (2 * s * sum + e * 0x1.ef35793c7673p-45));
}

// cos(2 pi u) for u in [0, 1). u = q / 4 + r exactly, with |r| <= 1/8. Then a Taylor polynomial
// gives the sine or cosine of x = 2 pi r, |x| <= pi / 4.
static double cos_turn(double u) {
  double q = floor(u * 4 + 0.5), x = (u - q / 4) * 6.283185307179586, z = x * x;
  int quarter = (int)q & 3;
  double sum = 0;
  if (quarter & 1) { // -+ sin x
    for (int k = 16; k >= 2; k -= 2) sum = -z / (k * (k + 1)) * (1 + sum);
    sum = x + x * sum;
    return quarter == 1 ? -sum : sum;
  }
  for (int k = 17; k >= 1; k -= 2) sum = -z / (k * (k + 1)) * (1 + sum);
  return quarter == 0 ? 1 + sum : -(1 + sum);
}

double cel_rng_normal(CelRng *rng) {
  CELI_NEED_OR(rng, (double)NAN);
  CELI_FLOATS(CELI_IEEE);
  uint32_t block[4];
  cel_rng_block(rng, block);
  double u = (double)((word64(block, 0) >> 11) + 1) * 0x1p-53; // (0, 1]
  double turn = (double)(word64(block, 1) >> 11) * 0x1p-53;    // [0, 1)
  double z = sqrt(-2 * log_unit(u)) * cos_turn(turn);
  CELI_PIN(z);
  return z;
}

// The product of two 64-bit numbers. Returns the high 64 bits and writes the low 64 bits to *low.
static uint64_t mul_high(uint64_t a, uint64_t b, uint64_t *low) {
  uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
  uint64_t p00 = a0 * b0, p01 = a0 * b1, p10 = a1 * b0;
  uint64_t middle = (p00 >> 32) + (uint32_t)p01 + (uint32_t)p10;
  *low = middle << 32 | (uint32_t)p00;
  return a1 * b1 + (p01 >> 32) + (p10 >> 32) + (middle >> 32);
}

// x n / 2^64, rejecting the (2^64 mod n) products that would make some results more likely.
// Source: Lemire, "Fast random integer generation in an interval", ACM TOMACS 2019.
uint64_t cel_rng_below(CelRng *rng, uint64_t n) {
  CELI_NEED_OR(rng, 0);
  CEL_ASSERT(n >= 1);
  uint64_t threshold = (0 - n) % n;
  for (;;) {
    uint32_t block[4];
    cel_rng_block(rng, block);
    for (int i = 0; i < 2; i++) {
      uint64_t low, high = mul_high(word64(block, i), n, &low);
      if (low >= threshold) return high;
    }
  }
}
