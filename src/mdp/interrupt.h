/// The interrupt hook, as long loops ask it.
#ifndef CELI_MDP_INTERRUPT_H
#define CELI_MDP_INTERRUPT_H
#include "celsius/solve.h"

/// What the calling thread's hook answers; false where there is none.
bool celi_interrupted(void);
/// Errors: CEL_E_INTERRUPTED (the hook wants an end).
CelStatus celi_poll(void) CEL_WARN_UNUSED;

#endif
