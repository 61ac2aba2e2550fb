/// A plan: an update written once as a list of batch operations, run by a team of threads.
///
/// Each operation is a function on a range of rows (or tiles, or elements). The runner gives each
/// thread its range of every operation. It puts a barrier between two operations only where one is
/// needed. Consecutive CELI_ROWS operations with the same count and grain need none, because a
/// thread reads only the rows that it wrote. A forward and backward pass of a network therefore has
/// no barriers. A whole update has about six.
#ifndef CELI_PLAN_H
#define CELI_PLAN_H
#include "celsius/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// A team of threads: the caller and size-1 workers. Workers start at the first use, and again
/// after a fork. When idle they spin briefly and then sleep.
typedef struct CeliTeam CeliTeam;
CelStatus celi_team_create(CeliTeam **out, int size) CEL_WARN_UNUSED;
void celi_team_destroy(CeliTeam *team);
int celi_team_size(const CeliTeam *team);
/// Runs fn(arg, thread, size) on all threads at once and returns when all are done.
/// Errors: CEL_E_MEMORY (a thread could not be started; nothing ran).
CelStatus celi_team_run(CeliTeam *team, void (*fn)(void *arg, int thread, int size),
                        void *arg) CEL_WARN_UNUSED;
/// Lets plans call `stop` between operations, on the caller's thread and at most every 50 ms. When
/// it returns true, they end early with CEL_E_INTERRUPTED. Changes made so far remain. With NULL,
/// plans run to their end.
void celi_team_watch(CeliTeam *team, bool (*stop)(void *user), void *user);
/// Calls `stop` on the caller's thread. Returns false without a `stop`, or if the last call was
/// less than 50 ms ago.
bool celi_team_asked_to_stop(CeliTeam *team);
/// A barrier inside fn.
void celi_team_barrier(CeliTeam *team, int thread);

/// The range [begin, end) of thread `thread` of `size`, for `count` items in units of `grain`. It
/// depends on its arguments only.
void celi_share(int64_t count, int64_t grain, int thread, int size, int64_t *begin, int64_t *end);

typedef void (*CeliOpFn)(const void *args, int64_t begin, int64_t end);

typedef enum CeliCut {
  /// fn(args, 0, count) on the caller's thread; a barrier before and after, except between two
  /// CELI_SERIAL operations.
  CELI_SERIAL,
  CELI_ROWS, ///< by row; no barrier between neighbors with equal count and grain
  CELI_PARTS ///< by tile or element; a barrier before, except with `with_previous`
} CeliCut;

typedef struct CeliPlan CeliPlan;
CelStatus celi_plan_create(CeliPlan **out) CEL_WARN_UNUSED;
void celi_plan_destroy(CeliPlan *plan);
/// Appends an operation. `args` (size bytes, at most 256) is copied. `name` must be a literal; the
/// profile shows it. `with_previous`: the operation reads nothing that was written since the last
/// barrier, so it needs no barrier before it (example: the weight gradients of all layers). Without
/// it, an operation may read the output of any earlier one. The first failure is kept, later calls
/// do nothing, and celi_plan_end returns it. Callers need not check every call.
void celi_plan_add(CeliPlan *plan, const char *name, CeliOpFn fn, CeliCut cut, int64_t count,
                   int64_t grain, bool with_previous, const void *args, size_t size);
/// Puts a barrier before the next operation, even if count and grain would need none.
void celi_plan_barrier(CeliPlan *plan);
/// Places later CELI_ROWS operations at rows [at, at + count) of `of` rows, and the threads split
/// all `of` rows among them. Call it with (0, 0) to end this. Use it to run several networks in
/// parallel, each in its own range of rows. A thread then mostly works on one network, so weights
/// and activations stay in its core's cache. Before a barrier, operations of one network must not
/// read what another network wrote.
void celi_plan_side(CeliPlan *plan, int64_t at, int64_t of);
/// Concatenates the parts of the last `n` operations in order, and divides the whole sequence among
/// the threads. All of these operations must be CELI_PARTS with grain 1.
void celi_plan_together(CeliPlan *plan, int n);
/// Closes the plan. Errors: the first error of celi_plan_add.
CelStatus celi_plan_end(CeliPlan *plan) CEL_WARN_UNUSED;
/// Runs the list once. Errors: CEL_E_INTERRUPTED (see celi_team_watch), CEL_E_MEMORY. Allocates:
/// no.
CelStatus celi_plan_run(CeliPlan *plan, CeliTeam *team) CEL_WARN_UNUSED;
/// Runs the list `times` times, with a barrier between runs.
CelStatus celi_plan_repeat(CeliPlan *plan, CeliTeam *team, int64_t times) CEL_WARN_UNUSED;
int64_t celi_plan_count(const CeliPlan *plan);
int64_t celi_plan_barriers(const CeliPlan *plan);
/// Measures the time of each operation, in total over `times` serial runs: seconds (count,), and
/// the operations' names.
CelStatus celi_plan_profile(CeliPlan *plan, int64_t times, double *seconds,
                            const char **names) CEL_WARN_UNUSED;

#endif
