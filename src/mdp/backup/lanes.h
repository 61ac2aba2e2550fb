/// Vectors of doubles. Only this file differs between instruction sets.
///
/// A file may define CELI_AVX512 or CELI_AVX2 before including this one. Without them, vectors are
/// GNU vectors of two lanes (SSE2, NEON). vd holds VL doubles and vl holds VL 64-bit integers; + -
/// * / & | << >> and comparisons are the language's operators. Nothing is fused: the sum of a row
/// is a chain of rounded products and additions in the order of its transitions. So all instruction
/// sets give the same bits.
#ifndef CELI_MDP_LANES_H
#define CELI_MDP_LANES_H
#include <stdint.h>
#include <string.h>
#if defined(CELI_AVX512) || defined(CELI_AVX2)
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline, unused))
#if defined(CELI_AVX512)
#define VL 8
#elif defined(CELI_AVX2)
#define VL 4
#else
#define VL 2
#endif

typedef double vd __attribute__((vector_size(VL * 8)));
typedef int64_t vl __attribute__((vector_size(VL * 8)));
typedef uint64_t vul __attribute__((vector_size(VL * 8)));

INLINE vd vd_load(const double *p) {
  vd v;
  memcpy(&v, p, sizeof v);
  return v;
}
INLINE void vd_store(double *p, vd v) {
  memcpy(p, &v, sizeof v);
}
INLINE vd vd_abs(vd x) {
  return (vd)((vl)x & INT64_MAX);
}
INLINE vd vd_zero(void) {
  return (vd){0};
}

#if defined(CELI_AVX512)
INLINE vd vd_set1(double x) {
  return (vd)_mm512_set1_pd(x);
}
INLINE vd vd_max(vd a, vd b) {
  return (vd)_mm512_max_pd((__m512d)a, (__m512d)b);
}
INLINE vd vd_min(vd a, vd b) {
  return (vd)_mm512_min_pd((__m512d)a, (__m512d)b);
}
/// x[index[0..VL)]. Single loads are faster than the gather instructions of many processors.
INLINE vd vd_gather(const double *x, const uint32_t *index) {
  const __m128d a = _mm_loadh_pd(_mm_load_sd(x + index[0]), x + index[1]);
  const __m128d b = _mm_loadh_pd(_mm_load_sd(x + index[2]), x + index[3]);
  const __m128d c = _mm_loadh_pd(_mm_load_sd(x + index[4]), x + index[5]);
  const __m128d d = _mm_loadh_pd(_mm_load_sd(x + index[6]), x + index[7]);
  const __m256d low = _mm256_insertf128_pd(_mm256_castpd128_pd256(a), b, 1);
  const __m256d high = _mm256_insertf128_pd(_mm256_castpd128_pd256(c), d, 1);
  return (vd)_mm512_insertf64x4(_mm512_castpd256_pd512(low), high, 1);
}
/// x in lanes whose bit is set, else 0.
INLINE vd vd_where_bit(vd x, int bits) {
  return (vd)_mm512_maskz_mov_pd((__mmask8)bits, (__m512d)x);
}
/// x in lanes with a >= b, else 0.
INLINE vd vd_where_ge(vd x, vd a, vd b) {
  return (vd)_mm512_maskz_mov_pd(_mm512_cmp_pd_mask((__m512d)a, (__m512d)b, _CMP_GE_OQ),
                                 (__m512d)x);
}
#elif defined(CELI_AVX2)
INLINE vd vd_set1(double x) {
  return (vd)_mm256_set1_pd(x);
}
INLINE vd vd_max(vd a, vd b) {
  return (vd)_mm256_max_pd((__m256d)a, (__m256d)b);
}
INLINE vd vd_min(vd a, vd b) {
  return (vd)_mm256_min_pd((__m256d)a, (__m256d)b);
}
INLINE vd vd_gather(const double *x, const uint32_t *index) {
  const __m128d a = _mm_loadh_pd(_mm_load_sd(x + index[0]), x + index[1]);
  const __m128d b = _mm_loadh_pd(_mm_load_sd(x + index[2]), x + index[3]);
  return (vd)_mm256_insertf128_pd(_mm256_castpd128_pd256(a), b, 1);
}
INLINE vd vd_where_ge(vd x, vd a, vd b) {
  return (vd)((vl)x & (a >= b));
}
INLINE vd vd_where_bit(vd x, int bits) {
  const vl lane = {1, 2, 4, 8};
  return (vd)((vl)x & (((vl)_mm256_set1_epi64x(bits) & lane) != 0));
}
#else
INLINE vd vd_set1(double x) {
  return (vd){x, x};
}
INLINE vd vd_where_ge(vd x, vd a, vd b) {
  return (vd)((vl)x & (a >= b));
}
INLINE vd vd_max(vd a, vd b) {
  const vl more = a > b;
  return (vd)(((vl)a & more) | ((vl)b & ~more));
}
INLINE vd vd_min(vd a, vd b) {
  const vl less = a < b;
  return (vd)(((vl)a & less) | ((vl)b & ~less));
}
INLINE vd vd_gather(const double *x, const uint32_t *index) {
  return (vd){x[index[0]], x[index[1]]};
}
INLINE vd vd_where_bit(vd x, int bits) {
  static const vl mask[4] = {{0, 0}, {-1, 0}, {0, -1}, {-1, -1}};
  return (vd)((vl)x & mask[bits & 3]);
}
#endif
#endif
