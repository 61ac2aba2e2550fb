/// TensorBoard event files: scalars by tag and step, in TFRecord framing.
///
/// One file a sitting, "events.out.tfevents.SECONDS.HOST.PID.0", as TensorBoard wants them; a resumed run
/// opens another one that tells TensorBoard to forget what the earlier ones hold beyond the checkpoint.
#ifndef CELI_RUN_TENSORBOARD_H
#define CELI_RUN_TENSORBOARD_H
#include "base/file.h"
#include "celsius/status.h"
#include <stdint.h>

typedef struct CeliEvents CeliEvents;

/// Starts an event file in an existing folder. purge_step: scalars of earlier files at this step and later
/// are void; -1: there are none. Events are on disk after flush or close.
/// Errors: CEL_E_IO, CEL_E_MEMORY, CEL_E_UNSUPPORTED (built without protobuf-c).
CelStatus celi_events_open(CeliEvents **out, const CeliFolder *folder,
                           int64_t purge_step) CEL_WARN_UNUSED;
/// Adds one scalar, stamped with the present time; kept in memory until there is a block of them or a flush. It is shown as a
/// float. Errors: CEL_E_IO, CEL_E_MEMORY; the events stay in memory and go with the next flush.
CelStatus celi_events_scalar(CeliEvents *events, const char *tag, int64_t step,
                             double value) CEL_WARN_UNUSED;
/// Writes what is in memory and syncs. After a failure the file ends at its last whole record.
/// Errors: CEL_E_IO.
CelStatus celi_events_flush(CeliEvents *events) CEL_WARN_UNUSED;
/// Flushes and frees, whatever the flush comes to. Takes NULL. Errors: CEL_E_IO.
CelStatus celi_events_close(CeliEvents *events) CEL_WARN_UNUSED;

#endif
