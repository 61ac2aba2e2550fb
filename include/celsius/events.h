/// TensorBoard event files of your own training loop. (cel_train writes those of its runs itself.)
///
///     CelEvents *events = NULL;
///     status = cel_events_open(&events, "logs/mine", -1);
///     status = cel_events_scalar(events, "rollout/ep_rew_mean", step, value);
///     status = cel_events_close(events);
#ifndef CELSIUS_EVENTS_H
#define CELSIUS_EVENTS_H
#include "celsius/status.h"
#include <stdint.h>
CEL_BEGIN

typedef struct CelEvents CelEvents;

/// Creates an event file in an existing folder. purge_step: TensorBoard ignores scalars of the
/// folder's earlier files from this step on; -1: all of them count. Close it with cel_events_close.
/// Errors: CEL_E_IO, CEL_E_MEMORY, CEL_E_UNSUPPORTED (built without protobuf-c).
CEL_API CelStatus cel_events_open(CelEvents **out, const char *folder,
                                  int64_t purge_step) CEL_WARN_UNUSED;
/// Adds one scalar with the present time. The file stores it as a float32.
/// Errors: CEL_E_IO, CEL_E_MEMORY.
CEL_API CelStatus cel_events_scalar(CelEvents *events, const char *tag, int64_t step,
                                    double value) CEL_WARN_UNUSED;
/// Writes and syncs what is in memory. Errors: CEL_E_IO.
CEL_API CelStatus cel_events_flush(CelEvents *events) CEL_WARN_UNUSED;
/// Flushes, and frees even if the flush fails. Takes NULL. Errors: CEL_E_IO.
CEL_API CelStatus cel_events_close(CelEvents *events) CEL_WARN_UNUSED;

CEL_END
#endif
