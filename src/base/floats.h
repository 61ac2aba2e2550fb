/// The floating-point state that the library computes under, whatever the host program set.
///
/// Rounding direction, flush-to-zero, denormals-are-zero and the exception masks belong to a thread. A host can change
/// them at any time: by fesetround, by loading an object that was linked with -ffast-math, or on purpose for speed. Every
/// public function that computes therefore begins with CELI_FLOATS(mode), which sets the library's own state and brings
/// the caller's back when the function returns. There are two modes:
/// - CELI_IEEE: round to nearest, gradual underflow, no trap. For everything in double: solvers, environments, files.
/// - CELI_FLUSH: the same, but subnormal inputs and results of arithmetic are zero. For learners and policies, so that no
///   number that they keep is subnormal: an x86 core takes a hundred times longer for one.
/// Team workers run in the mode of the thread that calls them (ops/team.c). Callbacks run in CELI_IEEE.
///
/// x86 flushes a result that is subnormal after rounding, ARM one that is subnormal before rounding. They differ where
/// the exact result lies within a relative 2^-25 below 2^-126. What an optimizer stores is therefore zero up to and
/// including 2^-126 (elementwise_impl.h).
///
/// Keep arithmetic on arguments passed by value out of the function that holds CELI_FLOATS, or pin it (CELI_PIN):
/// compilers may move it to the other side of the change.
#ifndef CELI_BASE_FLOATS_H
#define CELI_BASE_FLOATS_H
#include <stdbool.h>
#include <stdint.h>
#if !defined(__x86_64__) && !defined(__aarch64__)
#include <fenv.h>
#endif

typedef enum CeliFloatMode { CELI_IEEE, CELI_FLUSH } CeliFloatMode;

#if defined(__x86_64__)

/// MXCSR is the state of all arithmetic here. Long doubles, and printf's and strtod's rounding in glibc, read the control
/// word of the x87.
typedef struct CeliFloats {
  uint32_t mxcsr, x87_saved[7];
  bool changed, x87_changed;
} CeliFloats;

#define CELI_MXCSR_CONTROL 0xffc0u // all but the exception flags
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

/// The mode of this thread, inside the library.
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

#else // another processor: the default state; nothing is flushed

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

/// Follows a call of a function of the user's: the state is CELI_IEEE again, whatever that left.
static inline void celi_floats_keep(void) {
  (void)celi_floats_begin(CELI_IEEE);
}

/// From here to the end of the block: this mode. Then what was.
#define CELI_FLOATS(mode)                                                                          \
  const CeliFloats celi_floats_were __attribute__((cleanup(celi_floats_end), unused)) =            \
      celi_floats_begin(mode)

/// A number that the compiler must compute before this line, or may use only after it.
#define CELI_PIN(x) __asm__ volatile("" : "+m"(x))

#endif
