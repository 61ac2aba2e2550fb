/// A plan: an update as a straight list of batch operations, written once, run by a team of
/// threads.
///
/// Each operation is a function on a range of rows (tiles, elements); the runner gives every thread
/// its share of each and puts a barrier between two operations only where it must. Operations that
/// are marked CELI_ROWS and follow each other with the same count and grain need none: a thread
/// reads only the rows that it wrote itself. So a whole forward and backward pass of a network runs
/// without waiting, and an update waits about six times.
#ifndef CELI_PLAN_H
#define CELI_PLAN_H
#include "celsius/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// A team of threads: the caller and size-1 workers, started on first use, re-made after a fork,
/// spinning briefly and then parked.
typedef struct CeliTeam CeliTeam;
CelStatus celi_team_create(CeliTeam **out, int size) CEL_WARN_UNUSED;
void celi_team_destroy(CeliTeam *team);
int celi_team_size(const CeliTeam *team);
/// Runs fn(arg, thread, size) on every member at once; returns when all have.
/// Errors: CEL_E_MEMORY (a thread could not be started; nothing ran).
CelStatus celi_team_run(CeliTeam *team, void (*fn)(void *arg, int thread, int size),
                        void *arg) CEL_WARN_UNUSED;
/// Lets plans call `stop` between operations, on the caller's thread and at most every 50 ms. When it
/// returns true they end early with CEL_E_INTERRUPTED; what they changed so far stays changed. NULL: plans
/// run to their end.
void celi_team_watch(CeliTeam *team, bool (*stop)(void *user), void *user);
/// Calls `stop` on the caller's thread. False without a `stop`, or when the last call was less than 50 ms
/// ago.
bool celi_team_asked_to_stop(CeliTeam *team);
/// A barrier inside of fn.
void celi_team_barrier(CeliTeam *team, int thread);

/// The share of thread i of n: [begin, end) of `count` items in units of `grain`; pure, never
/// depends on anything else.
void celi_share(int64_t count, int64_t grain, int thread, int size, int64_t *begin, int64_t *end);

typedef void (*CeliOpFn)(const void *args, int64_t begin, int64_t end);

typedef enum CeliCut {
  CELI_SERIAL, ///< fn(args, 0, count) on one thread; a barrier before and after
  CELI_ROWS,   ///< by row; no barrier between neighbours with equal count and grain
  CELI_PARTS   ///< by tile or element; a barrier before, unless `with_previous`
} CeliCut;

typedef struct CeliPlan CeliPlan;
CelStatus celi_plan_create(CeliPlan **out) CEL_WARN_UNUSED;
void celi_plan_destroy(CeliPlan *plan);
/// Appends an operation. `args` (size bytes, at most 256) is copied. `name` is a literal, for the
/// profile. `with_previous`: needs nothing that was made since the last barrier (parts of one
/// stage: the weight gradients of all layers), so no barrier is put before it. Without it, an
/// operation may need the output of anything before it. The first failure is kept, later calls do
/// nothing, and celi_plan_end returns it: a plan is written without checking every line.
void celi_plan_add(CeliPlan *plan, const char *name, CeliOpFn fn, CeliCut cut, int64_t count,
                   int64_t grain, bool with_previous, const void *args, size_t size);
/// The next operation waits for everyone, even where cut and count would let it go on.
void celi_plan_barrier(CeliPlan *plan);
/// Operations by row that are added from here on are the rows [at, at + count) of `of` rows that are cut together, until
/// (0, 0) ends it. So networks lie side by side, and a thread keeps one of them where it can: neither its weights nor its
/// activations travel between cores. Operations on one side read nothing of the other before a barrier.
void celi_plan_side(CeliPlan *plan, int64_t at, int64_t of);
/// The last `n` operations, all CELI_PARTS with grain 1, are cut together, as one run of parts in their order.
void celi_plan_together(CeliPlan *plan, int n);
/// Closes the plan. Errors: the first of celi_plan_add's.
CelStatus celi_plan_end(CeliPlan *plan) CEL_WARN_UNUSED;
/// Runs the list once. Allocates nothing. Errors: CEL_E_INTERRUPTED (see celi_team_watch), CEL_E_MEMORY.
CelStatus celi_plan_run(CeliPlan *plan, CeliTeam *team) CEL_WARN_UNUSED;
/// Runs the list `times` times, with a barrier between runs.
CelStatus celi_plan_repeat(CeliPlan *plan, CeliTeam *team, int64_t times) CEL_WARN_UNUSED;
int64_t celi_plan_count(const CeliPlan *plan);
int64_t celi_plan_barriers(const CeliPlan *plan);
/// Prints nothing: fills seconds (count,) with the time of each operation over `times` serial runs,
/// and its names.
CelStatus celi_plan_profile(CeliPlan *plan, int64_t times, double *seconds,
                            const char **names) CEL_WARN_UNUSED;

#endif
