/// The binding's own C code, in front of the source that cffi writes (python/generate.py).
#include "celsius/celsius.h"

#include <time.h>

/// Seconds between two questions to Python whether to stop. Asking takes the interpreter lock.
#define CELPY_PERIOD 0.02

/// What a `stop` hook needs. Passed as its `user`.
typedef struct CelpyHooks {
  void *handle; ///< of the Python object that answers
  double next;  ///< time of the next question, seconds
  bool stopped; ///< the last answer
} CelpyHooks;

static bool celpy_should_stop(void *user);

static double celpy_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/// The first question comes after one period.
static void celpy_hooks_reset(CelpyHooks *hooks) {
  hooks->next = celpy_seconds() + CELPY_PERIOD;
  hooks->stopped = false;
}

/// A `stop` hook (celsius/train.h) that asks Python at most once a period.
static bool celpy_stop(void *user) {
  CelpyHooks *hooks = user;
  if (hooks->stopped || celpy_seconds() < hooks->next) return hooks->stopped;
  hooks->stopped = celpy_should_stop(hooks->handle);
  hooks->next = celpy_seconds() + CELPY_PERIOD;
  return hooks->stopped;
}
