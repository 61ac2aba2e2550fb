/// TensorBoard event files: scalars by tag and step, in TFRecord framing.
///
/// Each process that trains a run writes one file, "events.out.tfevents.SECONDS.HOST.PID.0". The
/// file of a resumed run tells TensorBoard to ignore events of earlier files after the checkpoint.
#ifndef CELI_RUN_TENSORBOARD_H
#define CELI_RUN_TENSORBOARD_H
#include "base/file.h"
#include "celsius/status.h"
#include <stdint.h>

typedef struct CeliEvents CeliEvents;

/// Creates an event file in an existing folder. purge_step: TensorBoard ignores scalars of earlier
/// files from this step on; -1: there are no earlier files. Events are on disk after a flush or
/// close.
/// Errors: CEL_E_IO, CEL_E_MEMORY, CEL_E_UNSUPPORTED (built without protobuf-c).
CelStatus celi_events_open(CeliEvents **out, const CeliFolder *folder,
                           int64_t purge_step) CEL_WARN_UNUSED;
/// Adds one scalar with the present time. The file stores it as a float. Events stay in memory
/// until a block is full, or until a flush. Errors: CEL_E_IO, CEL_E_MEMORY (events stay in memory
/// until the next flush).
CelStatus celi_events_scalar(CeliEvents *events, const char *tag, int64_t step,
                             double value) CEL_WARN_UNUSED;
/// Writes and syncs the events in memory. After an error the file ends with a complete record.
/// Errors: CEL_E_IO.
CelStatus celi_events_flush(CeliEvents *events) CEL_WARN_UNUSED;
/// Flushes, and frees even if the flush fails. Takes NULL. Errors: CEL_E_IO.
CelStatus celi_events_close(CeliEvents *events) CEL_WARN_UNUSED;

#endif
