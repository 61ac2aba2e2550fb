/// Philox 4x32-10 on vectors: normals, uniforms, indices.
///
/// VW consecutive blocks of a stream are computed at once, one per lane. Block c is the cipher of
/// (c lo, c hi, index, purpose) under the key (seed lo, seed hi), which gives the numbers of
/// cel_rng_block. A call computes a chunk of blocks on the stack and copies the requested elements.
/// Any split of a range therefore gives the same numbers.
/// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
///
/// Normals by Box and Muller: u = (w0 + 1/2) / 2^32, z = sqrt(-2 log u) (cos, sin)(2 pi w1 / 2^32);
/// the largest is 6.8.
#ifndef CELI_RANDOM_IMPL_H
#define CELI_RANDOM_IMPL_H
#include "ops/math_impl.h"
#include "ops/ops.h"

typedef struct Stream {
  uint64_t seed;
  uint32_t purpose, index;
} Stream;

/// w (4,VW): the four words of blocks counter .. counter + VW - 1.
INLINE void philox(vu w[4], Stream s, uint64_t counter) {
  uint32_t low[VW], high[VW];
  for (uint32_t i = 0; i < VW; i++) {
    low[i] = (uint32_t)(counter + i);
    high[i] = (uint32_t)((counter + i) >> 32);
  }
  vu x0, x1, x2 = vu_set1(s.index), x3 = vu_set1(s.purpose);
  memcpy(&x0, low, sizeof x0);
  memcpy(&x1, high, sizeof x1);
  uint32_t k0 = (uint32_t)s.seed, k1 = (uint32_t)(s.seed >> 32);
  for (int round = 0; round < 10; round++) {
    vu high0, low0, high2, low2;
    vu_mul_wide(x0, vu_set1(0xD2511F53u), &high0, &low0);
    vu_mul_wide(x2, vu_set1(0xCD9E8D57u), &high2, &low2);
    x0 = high2 ^ x1 ^ vu_set1(k0);
    x1 = low2;
    x2 = high0 ^ x3 ^ vu_set1(k1);
    x3 = low0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  w[0] = x0;
  w[1] = x1;
  w[2] = x2;
  w[3] = x3;
}

/// The float32 nearest to w, with the same rounding everywhere.
INLINE vf float_of_word(vu w) {
  const vf high = v_from_int((vi)(w >> 16)), low = v_from_int((vi)(w & vu_set1(0xffff)));
  return v_fma(high, v_set1(65536.0f), low);
}

INLINE void normal_pair(vu w0, vu w1, vf *z0, vf *z1) {
  const vf u = v_fma(float_of_word(w0), v_set1(0x1p-32f), v_set1(0x1p-33f));
  const vf radius = v_sqrt(v_max(v_zero(), v_set1(-2.0f) * v_log(u)));
  vf sine, cosine;
  v_sin_cos_turn(w1, &sine, &cosine);
  *z0 = radius * cosine;
  *z1 = radius * sine;
}

INLINE void normal_block(vf z[4], const vu w[4]) {
  normal_pair(w[0], w[1], &z[0], &z[1]);
  normal_pair(w[2], w[3], &z[2], &z[3]);
}

INLINE void uniform_block(vf u[4], const vu w[4]) {
  for (int j = 0; j < 4; j++) u[j] = v_from_int((vi)(w[j] >> 8)) * v_set1(0x1p-24f);
}

/// out[begin, end): element i is word i % 4 of block counter + i / 4, converted to a float by
/// `make`.
INLINE void stream_fill(float *out, Stream s, uint64_t counter, int64_t begin, int64_t end,
                        void (*make)(vf[4], const vu[4])) {
  const int64_t chunk = 4 * VW;
  for (int64_t at = begin - begin % 4; at < end; at += chunk) {
    vu w[4];
    vf v[4];
    float words[4][VW];
    philox(w, s, counter + (uint64_t)at / 4);
    make(v, w);
    for (int j = 0; j < 4; j++) v_store(words[j], v[j]);
    if (at >= begin && at + chunk <= end) {
      for (int64_t i = 0; i < VW; i++)
        for (int j = 0; j < 4; j++) out[at + 4 * i + j] = words[j][i];
    } else {
      for (int64_t i = 0; i < chunk; i++)
        if (at + i >= begin && at + i < end) out[at + i] = words[i % 4][i / 4];
    }
  }
}

static void normal(float *out, uint64_t seed, uint32_t purpose, uint32_t index, uint64_t counter,
                   int64_t begin, int64_t end) {
  stream_fill(out, (Stream){seed, purpose, index}, counter, begin, end, normal_block);
}

static void uniform(float *out, uint64_t seed, uint32_t purpose, uint32_t index, uint64_t counter,
                    int64_t begin, int64_t end) {
  stream_fill(out, (Stream){seed, purpose, index}, counter, begin, end, uniform_block);
}

/// The high 64 bits of x n, from 32-bit halves.
INLINE uint64_t multiply_high(uint64_t x, uint64_t n) {
  const uint64_t x0 = (uint32_t)x, x1 = x >> 32, n0 = (uint32_t)n, n1 = n >> 32;
  const uint64_t middle = x1 * n0 + ((x0 * n0) >> 32);
  return x1 * n1 + (middle >> 32) + ((x0 * n1 + (uint32_t)middle) >> 32);
}

static void uniform_index(int64_t *out, int64_t n, uint64_t seed, uint32_t purpose, uint32_t index,
                          uint64_t counter, int64_t begin, int64_t end) {
  const Stream s = {seed, purpose, index};
  const int64_t chunk = 2 * VW;
  for (int64_t at = begin - begin % 2; at < end; at += chunk) {
    vu w[4];
    uint32_t words[4][VW];
    philox(w, s, counter + (uint64_t)at / 2);
    memcpy(words, w, sizeof words);
    for (int64_t i = at < begin ? 1 : 0; i < chunk && at + i < end; i++) {
      const uint64_t low = words[2 * (i % 2)][i / 2], high = words[2 * (i % 2) + 1][i / 2];
      out[at + i] = (int64_t)multiply_high(low | high << 32, (uint64_t)n);
    }
  }
}

#endif
