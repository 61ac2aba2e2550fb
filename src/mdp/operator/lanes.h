/// Vectors of doubles: what differs between instruction sets, and nothing else.
///
/// A file that includes this may define CELI_AVX512 or CELI_AVX2 before; without, GNU vectors of two lanes do (SSE2,
/// NEON). vd holds VL doubles, vl as many 64-bit integers; + - * / & | << >> and comparisons are the language's
/// operators. Nothing is fused: every sum of a row is a chain of products and additions in the order of its
/// transitions, each rounded, so that all instruction sets give the same bits.
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
/// x[index[0..VL)]; indices below 2^31.
INLINE vd vd_gather(const double *x, const uint32_t *index) {
  return (vd)_mm512_i32gather_pd(_mm256_loadu_si256((const void *)index), x, 8);
}
/// x where a >= b, else 0.
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
  return (vd)_mm256_i32gather_pd(x, _mm_loadu_si128((const void *)index), 8);
}
INLINE vd vd_where_ge(vd x, vd a, vd b) {
  return (vd)((vl)x & (a >= b));
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
#endif
#endif
