/// Floating-point states that a host program may have set: rounding, flushing, traps.
#ifndef CELI_TESTS_HOST_STATE_H
#define CELI_TESTS_HOST_STATE_H
#include <fenv.h>
#include <stdbool.h>
#include <stdint.h>

#define HOST_UNUSED __attribute__((unused))

typedef struct HostState {
  const char *name;
  int rounding;        ///< FE_...
  bool flush, as_zero; ///< flush-to-zero, denormals-are-zero (ARM has one bit for both)
  bool trap;           ///< trap division by zero, overflow and invalid operations, if supported
} HostState;

static HOST_UNUSED const HostState HOST_STATES[] = {
    {"default", FE_TONEAREST, false, false, false},
    {"flush-to-zero", FE_TONEAREST, true, false, false},
    {"denormals-are-zero", FE_TONEAREST, false, true, false},
    {"both", FE_TONEAREST, true, true, false},
    {"upward", FE_UPWARD, false, false, false},
    {"downward", FE_DOWNWARD, false, false, false},
    {"toward zero, both", FE_TOWARDZERO, true, true, false},
    {"traps", FE_TONEAREST, false, false, true},
};
enum { N_HOST_STATES = (int)(sizeof HOST_STATES / sizeof *HOST_STATES) };

/// The control bits of this thread. The second word is for the x87.
typedef struct HostWords {
  uint64_t main, x87;
} HostWords;

static HOST_UNUSED HostWords host_words(void) {
  HostWords words = {0, 0};
#if defined(__x86_64__)
  uint32_t mxcsr;
  uint16_t x87;
  __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(x87)::"memory");
  words = (HostWords){mxcsr & 0xffc0u, x87 & 0x0f3fu};
#elif defined(__aarch64__)
  __asm__ volatile("mrs %0, fpcr" : "=r"(words.main)::"memory");
#else
  words.main = (uint64_t)fegetround();
#endif
  return words;
}

static HOST_UNUSED void host_set(const HostState *state) {
  fesetenv(FE_DFL_ENV);
  fesetround(state->rounding);
#if defined(__x86_64__)
  uint32_t mxcsr;
  __asm__ volatile("stmxcsr %0" : "=m"(mxcsr)::"memory");
  mxcsr = (mxcsr & ~0x8040u) | (state->flush ? 0x8000u : 0) | (state->as_zero ? 0x40u : 0);
  if (state->trap) mxcsr &= ~0x680u; // invalid, division by zero, overflow
  __asm__ volatile("ldmxcsr %0" ::"m"(mxcsr) : "memory");
#elif defined(__aarch64__)
  uint64_t fpcr;
  __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr)::"memory");
  if (state->flush || state->as_zero) fpcr |= 1u << 24;
  __asm__ volatile("msr fpcr, %0" ::"r"(fpcr) : "memory");
#endif
}

static HOST_UNUSED bool host_same(HostWords a, HostWords b) {
  return a.main == b.main && a.x87 == b.x87;
}

#endif
