/// The floating-point state of the library, independent of the state that the host program set.
///
/// Each thread has its own rounding direction, flush-to-zero, denormals-are-zero and exception
/// masks. A host program can change them at any time: by fesetround, by loading an object that was
/// linked with -ffast-math, or on purpose for speed. Every public function that computes therefore
/// begins with CELI_FLOATS(mode). It sets the library's state and restores the caller's when the
/// function returns. There are two modes:
/// - CELI_IEEE: round to nearest, gradual underflow, no traps. For everything in double: solvers,
///   environments, files.
/// - CELI_FLUSH: the same, but subnormal inputs and results of arithmetic are zero. For learners
///   and
///   policies, so that none of their stored numbers is subnormal. An x86 core takes a hundred times
///   longer for a subnormal number.
/// Team workers run in the mode of the calling thread (ops/team.c). Callbacks run in CELI_IEEE.
///
/// x86 flushes a result that is subnormal after rounding, ARM one that is subnormal before
/// rounding. They differ if the exact result is less than a relative 2^-25 below 2^-126. Optimizers
/// therefore store zero for numbers up to and including 2^-126 (elementwise_impl.h).
///
/// Do not compute with arguments passed by value in the function that has CELI_FLOATS, or pin the
/// result (CELI_PIN). Compilers may move such arithmetic across the change of the state.
#ifndef CELI_BASE_FLOATS_H
#define CELI_BASE_FLOATS_H
#include <stdbool.h>
#include <stdint.h>
#if !defined(__x86_64__) && !defined(__aarch64__)
#include <fenv.h>
#endif

typedef enum CeliFloatMode { CELI_IEEE, CELI_FLUSH } CeliFloatMode;

#if defined(__x86_64__)

/// MXCSR is the state of all arithmetic of the library. Long doubles, and rounding by printf and
/// strtod in glibc, use the control word of the x87.
typedef struct CeliFloats {
  uint32_t mxcsr, x87_saved[7];
  bool changed, x87_changed;
} CeliFloats;

#define CELI_MXCSR_CONTROL 0xffc0u // all bits except the exception flags
#define CELI_X87_CONTROL 0x0f3fu   // rounding, precision, masks

static inline uint32_t celi_floats_word(CeliFloatMode mode) {
  return mode == CELI_FLUSH ? 0x9fc0u : 0x1f80u;
}

static inline CeliFloats celi_floats_begin(CeliFloatMode mode) {
  CeliFloats was;
  uint16_t control;
  __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(was.mxcsr), "=m"(control)::"memory");
  const uint32_t word = celi_floats_word(mode);
  was.changed = (was.mxcsr & CELI_MXCSR_CONTROL) != word;
  was.x87_changed = (control & CELI_X87_CONTROL) != 0x033fu;
  if (was.changed) __asm__ volatile("ldmxcsr %0" ::"m"(word) : "memory");
  if (was.x87_changed) {
    const uint16_t plain = 0x037fu;
    __asm__ volatile("fnstenv %0\n\tfldcw %1" : "=m"(was.x87_saved) : "m"(plain) : "memory");
  }
  return was;
}

static inline void celi_floats_end(const CeliFloats *was) {
  if (was->changed) __asm__ volatile("ldmxcsr %0" ::"m"(was->mxcsr) : "memory");
  if (was->x87_changed) __asm__ volatile("fldenv %0" ::"m"(was->x87_saved) : "memory");
}

/// The mode of this thread. Call it only inside the library.
static inline CeliFloatMode celi_floats_mode(void) {
  uint32_t mxcsr;
  __asm__ volatile("stmxcsr %0" : "=m"(mxcsr)::"memory");
  return (mxcsr & 0x8000u) ? CELI_FLUSH : CELI_IEEE;
}

#elif defined(__aarch64__)

typedef struct CeliFloats {
  uint64_t fpcr;
  bool changed;
} CeliFloats;

#define CELI_FPCR_FLUSH (1u << 24)

static inline CeliFloats celi_floats_begin(CeliFloatMode mode) {
  CeliFloats was;
  const uint64_t word = mode == CELI_FLUSH ? CELI_FPCR_FLUSH : 0;
  __asm__ volatile("mrs %0, fpcr" : "=r"(was.fpcr)::"memory");
  was.changed = was.fpcr != word;
  if (was.changed) __asm__ volatile("msr fpcr, %0" ::"r"(word) : "memory");
  return was;
}

static inline void celi_floats_end(const CeliFloats *was) {
  if (was->changed) __asm__ volatile("msr fpcr, %0" ::"r"(was->fpcr) : "memory");
}

static inline CeliFloatMode celi_floats_mode(void) {
  uint64_t fpcr;
  __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr)::"memory");
  return (fpcr & CELI_FPCR_FLUSH) ? CELI_FLUSH : CELI_IEEE;
}

#else // other processors: the default state without flushing

typedef struct CeliFloats {
  fenv_t env;
} CeliFloats;

static inline CeliFloats celi_floats_begin(CeliFloatMode mode) {
  CeliFloats was;
  (void)mode;
  fegetenv(&was.env);
  fesetenv(FE_DFL_ENV);
  return was;
}

static inline void celi_floats_end(const CeliFloats *was) {
  fesetenv(&was->env);
}

static inline CeliFloatMode celi_floats_mode(void) {
  return CELI_IEEE;
}

#endif

/// Restores CELI_IEEE. Must follow every call of a user's function, which may change the state.
static inline void celi_floats_keep(void) {
  (void)celi_floats_begin(CELI_IEEE);
}

/// Sets the mode until the end of the block, which restores the previous state.
#define CELI_FLOATS(mode)                                                                          \
  const CeliFloats celi_floats_were __attribute__((cleanup(celi_floats_end), unused)) =            \
      celi_floats_begin(mode)

/// Makes the compiler compute x before this line and use it only after this line.
#define CELI_PIN(x) __asm__ volatile("" : "+m"(x))

#endif
