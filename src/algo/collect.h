/// Collecting a rollout over a native vector environment: each thread runs its own block of environments for as many
/// steps as are asked for, without waiting for the others.
#ifndef CELI_COLLECT_H
#define CELI_COLLECT_H
#include "celsius/env.h"
#include "rl/rollout.h"

typedef struct CeliCollector {
  struct CeliCollectorView *view; ///< each thread's environments; made at the first use
  int views;
} CeliCollector;

void celi_collector_release(CeliCollector *collector);
/// Up to `steps` steps of all environments, at most what the rollout has room for. The same bits as pushing them one by
/// one, for any number of threads.
/// Errors: as cel_vecenv_step, the earliest; *failed: its step, from 0. Allocates: the first time.
CelStatus celi_collect(CeliCollector *collector, CeliRollout *rollout, const CeliActor *actor,
                       CeliNormalizer *norm, CelVecEnv *env, CeliTeam *team, int64_t steps,
                       int64_t *failed) CEL_WARN_UNUSED;

#endif
