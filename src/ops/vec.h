/// The vector layer: everything that differs between instruction sets, and nothing else.
///
/// A file that includes this first defines CELI_AVX512 or CELI_AVX2, or neither (SSE2, NEON, or
/// whatever the compiler uses for GNU vectors). All kernels are written once on these types:
/// - vf, vi, vu: VW lanes of float, int32, uint32. They are GNU vectors: + - * / & | ^ << >> are
///   operators of the language, one IEEE operation per lane.
/// - vm: a mask, one truth value per lane.
///
/// v_load_n and v_store_n access only the first n elements; v_load_n sets the other lanes to zero.
/// v_first(v, n) clears the lanes from n on. n >= 1 may exceed VW. Kernels call `fma` explicitly,
/// so that no compiler decides where to use one. v_min and v_max return their second argument if
/// either is NaN, like the x86 instructions.
#ifndef CELI_VEC_H
#define CELI_VEC_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(CELI_AVX512) || defined(CELI_AVX2)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#elif defined(__x86_64__)
#include <xmmintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline, unused))
/// Goes before a loop over an array of vectors that must stay in registers. Sanitizer builds omit
/// it, because they would take minutes to compile.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(undefined_behavior_sanitizer)
#define CELI_SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CELI_SANITIZED
#endif
#if defined(CELI_SANITIZED)
#define UNROLL
#elif defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#if defined(CELI_AVX512)
#define VW 16
#elif defined(CELI_AVX2)
#define VW 8
#else
#define VW 4
#endif

typedef float vf __attribute__((vector_size(VW * 4)));
typedef int32_t vi __attribute__((vector_size(VW * 4)));
typedef uint32_t vu __attribute__((vector_size(VW * 4)));
#if defined(CELI_AVX512)
typedef __mmask16 vm;
#else
typedef vi vm;
#endif

// ---- all instruction sets

// (A loop over the lanes would be simpler, but gcc 12 compiles it to sixteen masked moves.)
#if defined(CELI_AVX512)
INLINE vf v_set1(float x) {
  return (vf)_mm512_set1_ps(x);
}
INLINE vi vi_set1(int32_t x) {
  return (vi)_mm512_set1_epi32(x);
}
#elif defined(CELI_AVX2)
INLINE vf v_set1(float x) {
  return (vf)_mm256_set1_ps(x);
}
INLINE vi vi_set1(int32_t x) {
  return (vi)_mm256_set1_epi32(x);
}
#else
INLINE vf v_set1(float x) {
  return (vf){x, x, x, x};
}
INLINE vi vi_set1(int32_t x) {
  return (vi){x, x, x, x};
}
#endif

INLINE vu vu_set1(uint32_t x) {
  return (vu)vi_set1((int32_t)x);
}
INLINE vf v_zero(void) {
  return (vf){0};
}

INLINE vf v_load(const float *p) {
  vf v;
  memcpy(&v, p, sizeof v);
  return v;
}

INLINE void v_store(float *p, vf v) {
  memcpy(p, &v, sizeof v);
}
INLINE vf v_abs(vf x) {
  return (vf)((vi)x & vi_set1(0x7fffffff));
}
INLINE vf v_from_int(vi x) {
  return __builtin_convertvector(x, vf);
}

// ---- AVX-512

#if defined(CELI_AVX512)

INLINE vf v_fma(vf a, vf b, vf c) {
  return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}
INLINE vf v_sqrt(vf x) {
  return (vf)_mm512_sqrt_ps((__m512)x);
}
INLINE vf v_min(vf a, vf b) {
  return (vf)_mm512_min_ps((__m512)a, (__m512)b);
}
INLINE vf v_max(vf a, vf b) {
  return (vf)_mm512_max_ps((__m512)a, (__m512)b);
}
INLINE vm v_lt(vf a, vf b) {
  return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_LT_OQ);
}
INLINE vm v_le(vf a, vf b) {
  return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_LE_OQ);
}
INLINE vm v_eq(vf a, vf b) {
  return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_EQ_OQ);
}
INLINE vm v_nan(vf a) {
  return _mm512_cmp_ps_mask((__m512)a, (__m512)a, _CMP_UNORD_Q);
}
INLINE vm vi_odd(vi a) {
  return _mm512_test_epi32_mask((__m512i)a, _mm512_set1_epi32(1));
}
INLINE vm m_or(vm a, vm b) {
  return (vm)(a | b);
}
INLINE vm m_not(vm a) {
  return (vm)~a;
}
INLINE int m_any(vm a) {
  return a != 0;
}
INLINE vf v_sel(vm m, vf yes, vf no) {
  return (vf)_mm512_mask_blend_ps(m, (__m512)no, (__m512)yes);
}

INLINE vm lanes(int64_t n) {
  return (vm)(n >= VW ? 0xffffu : (1u << n) - 1u);
}
INLINE vf v_load_n(const float *p, int64_t n) {
  return (vf)_mm512_maskz_loadu_ps(lanes(n), p);
}
INLINE void v_store_n(float *p, vf v, int64_t n) {
  _mm512_mask_storeu_ps(p, lanes(n), (__m512)v);
}
INLINE vf v_first(vf v, int64_t n) {
  return (vf)_mm512_maskz_mov_ps(lanes(n), (__m512)v);
}

/// The high and low halves of the 64-bit products of a and b.
INLINE void vu_mul_wide(vu a, vu b, vu *high, vu *low) {
  const __m512i even = _mm512_mul_epu32((__m512i)a, (__m512i)b);
  const __m512i odd =
      _mm512_mul_epu32(_mm512_srli_epi64((__m512i)a, 32), _mm512_srli_epi64((__m512i)b, 32));
  *high = (vu)_mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd);
  *low = (vu)_mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32));
}

#else // masks are vectors of 0 and -1

INLINE vm v_lt(vf a, vf b) {
  return a < b;
}
INLINE vm v_le(vf a, vf b) {
  return a <= b;
}
INLINE vm v_eq(vf a, vf b) {
  return a == b;
}
INLINE vm v_nan(vf a) {
  return a != a;
}
INLINE vm vi_odd(vi a) {
  return -(a & vi_set1(1));
}
INLINE vm m_or(vm a, vm b) {
  return a | b;
}
INLINE vm m_not(vm a) {
  return ~a;
}

// ---- AVX2

#if defined(CELI_AVX2)

INLINE vf v_fma(vf a, vf b, vf c) {
  return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
INLINE vf v_sqrt(vf x) {
  return (vf)_mm256_sqrt_ps((__m256)x);
}
INLINE vf v_min(vf a, vf b) {
  return (vf)_mm256_min_ps((__m256)a, (__m256)b);
}
INLINE vf v_max(vf a, vf b) {
  return (vf)_mm256_max_ps((__m256)a, (__m256)b);
}
INLINE int m_any(vm a) {
  return _mm256_movemask_ps((__m256)a) != 0;
}
INLINE vf v_sel(vm m, vf yes, vf no) {
  return (vf)_mm256_blendv_ps((__m256)no, (__m256)yes, (__m256)m);
}

INLINE __m256i lanes(int64_t n) {
  static const int32_t ones[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
  return _mm256_loadu_si256((const __m256i *)(const void *)(ones + 8 - (n < VW ? n : VW)));
}
INLINE vf v_load_n(const float *p, int64_t n) {
  return n >= VW ? v_load(p) : (vf)_mm256_maskload_ps(p, lanes(n));
}
INLINE void v_store_n(float *p, vf v, int64_t n) {
  if (n >= VW)
    v_store(p, v); // masked stores are slow, especially on AMD
  else
    _mm256_maskstore_ps(p, lanes(n), (__m256)v);
}
INLINE vf v_first(vf v, int64_t n) {
  return (vf)_mm256_and_ps((__m256)v, _mm256_castsi256_ps(lanes(n)));
}

INLINE void vu_mul_wide(vu a, vu b, vu *high, vu *low) {
  const __m256i even = _mm256_mul_epu32((__m256i)a, (__m256i)b);
  const __m256i odd =
      _mm256_mul_epu32(_mm256_srli_epi64((__m256i)a, 32), _mm256_srli_epi64((__m256i)b, 32));
  *high = (vu)_mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
  *low = (vu)_mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
}

// ---- portable

#else

#if defined(__aarch64__)
INLINE vf v_fma(vf a, vf b, vf c) {
  return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
INLINE vf v_sqrt(vf x) {
  return (vf)vsqrtq_f32((float32x4_t)x);
}
#else
typedef double vd __attribute__((vector_size(VW * 8)));
typedef int64_t vl __attribute__((vector_size(VW * 8)));
typedef uint64_t vul __attribute__((vector_size(VW * 8)));

/// For processors without FMA. In double the product is exact, and Knuth's two-sum gives the sum's
/// rounding error e. The sum is then rounded to odd: an inexact even result moves by one unit
/// towards the exact one. Rounding this to float gives the result of a single rounding [Boldo,
/// Melquiond 2008]. For NaN and infinite sums, e is NaN and the sum stays.
INLINE vf v_fma(vf a, vf b, vf c) {
  const vd p = __builtin_convertvector(a, vd) * __builtin_convertvector(b, vd);
  const vd q = __builtin_convertvector(c, vd);
  const vd s = p + q;
  const vd t = s - p;
  const vd e = (p - (s - t)) + (q - t);
  const vl zero = {0}, one = zero + 1;
  const vl inexact = (e > (vd)zero) | (e < (vd)zero), even = ((vl)s & one) - one;
  const vl apart = (vl)e ^ (vl)s; // sign: whether the exact sum is nearer to zero
  const vl step = one - (vl)(((vul)apart >> 63) << 1);
  return __builtin_convertvector((vd)((vl)s + (step & inexact & even)), vf);
}
INLINE vf v_sqrt(vf x) {
  vf r;
  for (int i = 0; i < VW; i++) r[i] = __builtin_sqrtf(x[i]);
  return r;
}
#endif

INLINE vf v_sel(vm m, vf yes, vf no) {
  return (vf)((m & (vi)yes) | (~m & (vi)no));
}
#if defined(__x86_64__)
INLINE vf v_min(vf a, vf b) {
  return (vf)_mm_min_ps((__m128)a, (__m128)b);
}
INLINE vf v_max(vf a, vf b) {
  return (vf)_mm_max_ps((__m128)a, (__m128)b);
}
#else
/// x, or zero if x is subnormal and the processor flushes, as the x86 instructions do.
INLINE vf v_as_operand(vf x) {
  vf one = {1.0f, 1.0f, 1.0f, 1.0f};
  __asm__("" : "+w"(one)); // keeps the compiler from removing the product
  return x * one;
}
INLINE vf v_min(vf a, vf b) {
  return v_as_operand(v_sel(a < b, a, b));
}
INLINE vf v_max(vf a, vf b) {
  return v_as_operand(v_sel(a > b, a, b));
}
#endif
INLINE int m_any(vm a) {
  return (a[0] | a[1] | a[2] | a[3]) != 0;
}

INLINE vf v_load_n(const float *p, int64_t n) {
  if (n >= VW) return v_load(p);
  vf v = {0};
  for (int64_t i = 0; i < n; i++) v[i] = p[i];
  return v;
}

INLINE void v_store_n(float *p, vf v, int64_t n) {
  if (n >= VW)
    v_store(p, v);
  else
    for (int64_t i = 0; i < n; i++) p[i] = v[i];
}

INLINE vf v_first(vf v, int64_t n) {
  for (int64_t i = n; i < VW; i++) v[i] = 0.0f;
  return v;
}

INLINE void vu_mul_wide(vu a, vu b, vu *high, vu *low) {
  for (int i = 0; i < VW; i++) {
    const uint64_t p = (uint64_t)a[i] * b[i];
    (*high)[i] = (uint32_t)(p >> 32);
    (*low)[i] = (uint32_t)p;
  }
}

#endif
#endif

// ---- vectors of NW lanes, for transposing in registers: 8 lanes with AVX, whose inserts and
// shuffles of 128-bit halves are fast (wider ones are not), else 4.

#if defined(CELI_AVX512) || defined(CELI_AVX2)
#define NW 8
#else
#define NW 4
#endif
typedef float vn __attribute__((vector_size(NW * 4)));

INLINE vn n_load(const float *p) {
  vn v;
  memcpy(&v, p, sizeof v);
  return v;
}
INLINE void n_store(float *p, vn v) {
  memcpy(p, &v, sizeof v);
}

/// n_load_transposed: out[k] holds element k of the NW rows p, p + ld, ...
#if defined(CELI_AVX512) || defined(CELI_AVX2)
INLINE vn n_set1(float x) {
  return (vn)_mm256_set1_ps(x);
}
INLINE vn n_fma(vn a, vn b, vn c) {
  return (vn)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
INLINE void n_load_transposed(vn out[NW], const float *p, ptrdiff_t ld) {
  for (int c = 0; c < 2; c++) {
    __m256 r[4];
    for (int i = 0; i < 4; i++) {
      const float *q = p + i * ld + 4 * c;
      r[i] = _mm256_castps128_ps256(_mm_loadu_ps(q));
      r[i] = _mm256_insertf128_ps(r[i], _mm_loadu_ps(q + 4 * ld), 1);
    }
    const __m256d t0 = _mm256_castps_pd(_mm256_unpacklo_ps(r[0], r[1]));
    const __m256d t1 = _mm256_castps_pd(_mm256_unpackhi_ps(r[0], r[1]));
    const __m256d t2 = _mm256_castps_pd(_mm256_unpacklo_ps(r[2], r[3]));
    const __m256d t3 = _mm256_castps_pd(_mm256_unpackhi_ps(r[2], r[3]));
    out[4 * c + 0] = (vn)_mm256_unpacklo_pd(t0, t2);
    out[4 * c + 1] = (vn)_mm256_unpackhi_pd(t0, t2);
    out[4 * c + 2] = (vn)_mm256_unpacklo_pd(t1, t3);
    out[4 * c + 3] = (vn)_mm256_unpackhi_pd(t1, t3);
  }
}
#else
INLINE vn n_set1(float x) {
  return v_set1(x);
}
INLINE vn n_fma(vn a, vn b, vn c) {
  return v_fma(a, b, c);
}
INLINE void n_load_transposed(vn out[NW], const float *p, ptrdiff_t ld) {
  const vn a = n_load(p), b = n_load(p + ld), c = n_load(p + 2 * ld), d = n_load(p + 3 * ld);
  const vn ab = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  const vn AB = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const vn cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const vn CD = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  out[0] = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
  out[1] = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
  out[2] = __builtin_shufflevector(AB, CD, 0, 1, 4, 5);
  out[3] = __builtin_shufflevector(AB, CD, 2, 3, 6, 7);
}
#endif

/// Element i of the next VW, at stride ld. Only the first n exist; the other lanes repeat the last
/// one.
INLINE vf v_load_strided(const float *p, ptrdiff_t ld, int64_t n) {
  if (ld == 1) return v_load_n(p, n);
  float t[VW];
  for (int i = 0; i < VW; i++) t[i] = p[(i < n ? i : n - 1) * ld];
  return v_load(t);
}

INLINE void v_store_strided(float *p, ptrdiff_t ld, vf v, int64_t n) {
  if (ld == 1) {
    v_store_n(p, v, n);
    return;
  }
  float t[VW];
  v_store(t, v);
  for (int64_t i = 0; i < n && i < VW; i++) p[i * ld] = t[i];
}

#endif
