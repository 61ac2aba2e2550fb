/// Wall time and speed of a run, for its progress reports.
#include "base/clock.h"
#include "run/training.h"

#include <math.h>

#define REPORT_EVERY 0.05 // seconds between two calls of the progress hook
#define RATE_SECONDS 3.0  // time constant of the smoothed rate

void celi_pace_start(CeliPace *pace, int64_t steps) {
  pace->start = celi_seconds();
  pace->start_steps = steps;
  pace->reported = pace->start;
  pace->reported_steps = steps;
  pace->rate = 0;
}

bool celi_pace_tick(CeliPace *pace, int64_t steps, bool now) {
  const double time = celi_seconds(), passed = time - pace->reported;
  if (!now && passed < REPORT_EVERY) return false;
  if (passed > 0) {
    const double rate = (double)(steps - pace->reported_steps) / passed;
    const double keep = pace->rate > 0 ? exp(-passed / RATE_SECONDS) : 0;
    pace->rate = keep * pace->rate + (1 - keep) * rate;
    pace->reported = time;
    pace->reported_steps = steps;
  }
  return true;
}

CelProgress celi_progress_make(const CeliPace *pace, const CelAgent *agent, int64_t steps,
                               int64_t total) {
  return (CelProgress){.steps = steps,
                       .total_steps = total,
                       .updates = cel_agent_updates(agent),
                       .fraction = steps < total ? (double)steps / (double)total : 1,
                       .seconds = pace->before + celi_seconds() - pace->start,
                       .steps_per_second = pace->rate,
                       .eta = pace->rate > 0 ? (double)(total - steps) / pace->rate : (double)NAN,
                       .mean_return = (double)NAN,
                       .eval_return = (double)NAN};
}
