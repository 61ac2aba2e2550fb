/// The interrupt hook of a thread. solve.h documents it at cel_set_interrupt_hook.
#include "mdp/interrupt.h"
#include "base/base.h"
#include <stddef.h>

static _Thread_local CelInterruptHook interrupt_hook;
static _Thread_local void *interrupt_user;

void cel_set_interrupt_hook(CelInterruptHook hook, void *user) {
  interrupt_hook = hook, interrupt_user = user;
}

bool celi_interrupted(void) {
  if (!interrupt_hook) return false;
  const bool wanted = interrupt_hook(interrupt_user);
  celi_floats_keep();
  return wanted;
}

CelStatus celi_poll(void) {
  return celi_interrupted() ? cel_fail(CEL_E_INTERRUPTED, "stopped on request") : CEL_OK;
}
