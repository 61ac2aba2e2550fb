/// The FMA limit of one core, for benchmarks. It is the best of many short runs, so that other load
/// does not lower it.
#include "base/clock.h"
#include "ops/ops.h"

double celi_ops_peak(double seconds) {
  const int64_t steps = 10000; // about 60 us
  const double stop = celi_seconds() + seconds;
  double best = 0.0;
  volatile float sink = 0.0f;
  do {
    for (int i = 0; i < 2; i++) { // the portable table is never the fastest of several
      const CeliOps *ops = celi_ops_at(i);
      if (!ops || (i > 0 && celi_ops_at(i + 1) == NULL)) continue;
      const double start = celi_seconds();
      sink = sink + ops->burn(steps);
      const double rate = ops->burn_flops * (double)steps / (celi_seconds() - start);
      if (rate > best) best = rate;
    }
  } while (celi_seconds() < stop);
  return best;
}
