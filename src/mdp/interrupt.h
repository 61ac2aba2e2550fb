/// Lets long loops call the interrupt hook.
#ifndef CELI_MDP_INTERRUPT_H
#define CELI_MDP_INTERRUPT_H
#include "celsius/solve.h"

/// The answer of the calling thread's hook; false without a hook.
bool celi_interrupted(void);
/// Errors: CEL_E_INTERRUPTED (the hook requested a stop).
CelStatus celi_poll(void) CEL_WARN_UNUSED;

#endif
