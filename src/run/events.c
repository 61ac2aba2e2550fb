/// TensorBoard event files for loops of one's own. Interface: celsius/events.h.
#include "celsius/events.h"
#include "base/arguments.h"
#include "base/base.h"
#include "run/tensorboard.h"

/// A CelEvents is a CeliEvents.
static CeliEvents *inner(CelEvents *events) {
  return (CeliEvents *)events;
}

CelStatus cel_events_open(CelEvents **out, const char *folder, int64_t purge_step) {
  CELI_NEED(out);
  CELI_NEED(folder);
  CELI_FLOATS(CELI_IEEE);
  CeliFolder opened;
  CeliEvents *events = NULL;
  *out = NULL;
  CELI_TRY(celi_folder_open(&opened, folder));
  const CelStatus status = celi_events_open(&events, &opened, purge_step);
  celi_folder_close(&opened);
  if (status == CEL_OK) *out = (CelEvents *)events;
  return status;
}

CelStatus cel_events_scalar(CelEvents *events, const char *tag, int64_t step, double value) {
  CELI_NEED(events);
  CELI_NEED(tag);
  CELI_FLOATS(CELI_IEEE);
  return celi_events_scalar(inner(events), tag, step, value);
}

CelStatus cel_events_flush(CelEvents *events) {
  CELI_NEED(events);
  CELI_FLOATS(CELI_IEEE);
  return celi_events_flush(inner(events));
}

CelStatus cel_events_close(CelEvents *events) {
  CELI_FLOATS(CELI_IEEE);
  return celi_events_close(inner(events));
}
