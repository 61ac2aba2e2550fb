/// Collects a rollout from a native vector environment. Each thread runs its own block of
/// environments for all requested steps, without waiting for other threads.
#ifndef CELI_COLLECT_H
#define CELI_COLLECT_H
#include "celsius/env.h"
#include "rl/rollout.h"

typedef struct CeliCollector {
  struct CeliCollectorView *view; ///< environments of each thread, created at the first use
  int views;
} CeliCollector;

void celi_collector_release(CeliCollector *collector);
/// Collects up to `steps` steps of all environments, at most to the end of the rollout. The bits
/// are those of single steps, for any number of threads.
/// Errors: as cel_vecenv_step. Of several errors it returns the earliest; *failed is its step, from
/// 0. Allocates: at the first use.
CelStatus celi_collect(CeliCollector *collector, CeliRollout *rollout, const CeliPolicy *policy,
                       CeliNormalizer *norm, CelVecEnv *env, CeliTeam *team, int64_t steps,
                       int64_t *failed) CEL_WARN_UNUSED;

#endif
