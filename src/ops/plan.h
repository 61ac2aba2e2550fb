/// A plan: an update written once as a list of batch operations, run by a team of threads.
///
/// Each operation is a function on a range of items (rows, tiles or elements). The runner gives
/// each thread its range of every operation. An operation declares the memory that it reads and
/// writes (CeliAccess). celi_plan_end derives the barriers from that: one before each operation
/// that conflicts with another since the last barrier (conflict.c). Operations that split the same
/// rows do not conflict, because a thread reads only the rows that it wrote. A forward and backward
/// pass of a network therefore has no barriers. A whole update has about ten.
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
  CELI_SERIAL, ///< fn(args, 0, count) on the caller's thread
  CELI_ROWS,   ///< by row; celi_plan_side places the rows beside those of other operations
  CELI_PARTS   ///< by tile or element
} CeliCut;

// ---- what an operation touches.

/// How an operation with several slices touches memory. A slice is one thread's range of items.
typedef enum CeliPattern {
  /// Reads: every slice may read all of it. Writes: each slice writes a piece of its own, which no
  /// other slice reads or writes.
  CELI_WHOLE,
  /// Item i touches only row i: `width` bytes at `at` + i `stride`. Operations that split their
  /// items in the same way touch a row in the same thread.
  CELI_BY_ROW,
  /// Each thread has a part of its own, at a place that depends on how the items are split
  /// (CeliPassSpec.threads). `width`: bytes per item, or 0: not known.
  CELI_BY_THREAD
} CeliPattern;

enum { CELI_READS = 1, CELI_WRITES = 2, CELI_UPDATES = 3 };

typedef struct CeliAccess {
  const void *at;       ///< NULL: nothing
  size_t bytes;         ///< of the memory; by row: derived from the operation's count
  size_t stride, width; ///< bytes; see CeliPattern
  CeliPattern pattern;
  int mode; ///< CELI_READS, CELI_WRITES or both
} CeliAccess;

/// Memory of n elements at p, whole or cut into pieces (CELI_WHOLE). p may be NULL.
#define CELI_READ(p, n) CELI_WHOLE_(p, n, CELI_READS)
#define CELI_WRITE(p, n) CELI_WHOLE_(p, n, CELI_WRITES)
#define CELI_UPDATE(p, n) CELI_WHOLE_(p, n, CELI_UPDATES)
/// Rows of n elements that are `ld` elements apart (CELI_BY_ROW). p may be NULL.
#define CELI_READ_ROWS(p, ld, n) CELI_ROWS_(p, ld, n, CELI_READS)
#define CELI_WRITE_ROWS(p, ld, n) CELI_ROWS_(p, ld, n, CELI_WRITES)
#define CELI_UPDATE_ROWS(p, ld, n) CELI_ROWS_(p, ld, n, CELI_UPDATES)

/// n elements, of which each thread has a part of its own (CELI_BY_THREAD). p may be NULL.
#define CELI_OWN(p, n)                                                                             \
  ((CeliAccess){.at = (p),                                                                         \
                .bytes = (size_t)(n) * sizeof *(p),                                                \
                .pattern = CELI_BY_THREAD,                                                         \
                .mode = CELI_UPDATES})

#define CELI_WHOLE_(p, n, how)                                                                     \
  ((CeliAccess){.at = (p), .bytes = (size_t)(n) * sizeof *(p), .mode = (how)})
#define CELI_ROWS_(p, ld, n, how)                                                                  \
  ((CeliAccess){.at = (p),                                                                         \
                .stride = (size_t)(ld) * sizeof *(p),                                              \
                .width = (size_t)(n) * sizeof *(p),                                                \
                .pattern = CELI_BY_ROW,                                                            \
                .mode = (how)})

// ---- plans.

#define CELI_ARGS_MAX 256

typedef struct CeliOp {
  _Alignas(16) unsigned char args[CELI_ARGS_MAX];
  CeliOpFn fn;
  const char *name;
  int64_t count, grain;
  int64_t at, of; ///< its items are [at, at + count) of `of` items that are split together
  CeliCut cut;
  bool barrier;             ///< whether there is a barrier before it
  const CeliAccess *access; ///< (n,) valid after celi_plan_end
  int64_t n;                ///< 0: not declared, so it conflicts with every other operation
  int64_t first;            ///< of its accesses in the plan's list
  int64_t every;            ///< runs only every so many runs of the plan (celi_plan_every)
  double flop;              ///< of its matrix products
} CeliOp;

typedef struct CeliPlan CeliPlan;
CelStatus celi_plan_create(CeliPlan **out) CEL_WARN_UNUSED;
void celi_plan_destroy(CeliPlan *plan);
/// Appends an operation. `args` (size bytes, at most CELI_ARGS_MAX) is copied. `name` must be a
/// literal; the profile shows it. The first failure is kept, later calls do nothing, and
/// celi_plan_end returns it. Callers need not check every call.
void celi_plan_add(CeliPlan *plan, const char *name, CeliOpFn fn, CeliCut cut, int64_t count,
                   int64_t grain, const void *args, size_t size);
/// Declares what the last operation touches. May be called several times. Without it, the operation
/// conflicts with every other.
#define celi_plan_touch(plan, ...)                                                                 \
  celi_plan_touches(plan, (const CeliAccess[]){__VA_ARGS__},                                       \
                    sizeof((const CeliAccess[]){__VA_ARGS__}) / sizeof(CeliAccess))
void celi_plan_touches(CeliPlan *plan, const CeliAccess *access, size_t n);
/// Declares the same access for n blocks that are `apart` bytes apart (one per critic).
void celi_plan_touch_each(CeliPlan *plan, CeliAccess access, int64_t n, size_t apart);
/// Adds to the floating-point operations that the last operation's matrix products take.
void celi_plan_flop(CeliPlan *plan, double flop);
/// Places later CELI_ROWS operations at rows [at, at + count) of `of` rows, and the threads split
/// all `of` rows among them. Call it with (0, 0) to end this. Use it to run several networks in
/// parallel, each in its own range of rows. A thread then mostly works on one network, so weights
/// and activations stay in its core's cache.
void celi_plan_side(CeliPlan *plan, int64_t at, int64_t of);
/// Concatenates the parts of the last `n` operations in order, and divides the whole sequence among
/// the threads. All of these operations must be CELI_PARTS with grain 1.
void celi_plan_together(CeliPlan *plan, int n);
/// Lets later operations run only every `every` runs: where *counter + 1 is a multiple of it.
/// *counter must grow by 1 in each run; it is read once, when a run or a repetition starts.
/// Barriers stay where they are, so the plan is the same for every run. A plan has one counter.
/// Call it with (NULL, 1) to end this.
void celi_plan_every(CeliPlan *plan, const int64_t *counter, int64_t every);
/// Closes the plan and derives its barriers. Errors: the first error of celi_plan_add; CEL_E_STATE
/// (the slices of an operation conflict with each other).
CelStatus celi_plan_end(CeliPlan *plan) CEL_WARN_UNUSED;
/// Runs the list once. Errors: CEL_E_INTERRUPTED (see celi_team_watch), CEL_E_MEMORY. Allocates:
/// no.
CelStatus celi_plan_run(CeliPlan *plan, CeliTeam *team) CEL_WARN_UNUSED;
/// Runs the list `times` times, with a barrier between runs.
CelStatus celi_plan_repeat(CeliPlan *plan, CeliTeam *team, int64_t times) CEL_WARN_UNUSED;
int64_t celi_plan_count(const CeliPlan *plan);
int64_t celi_plan_barriers(const CeliPlan *plan);
/// Operation i of a closed plan.
const CeliOp *celi_plan_op(const CeliPlan *plan, int64_t i);
/// Value of the plan's counter, or 0 without one.
int64_t celi_plan_counter(const CeliPlan *plan);
/// Whether an operation runs where the counter has this value.
static inline bool celi_op_is_due(const CeliOp *op, int64_t counter) {
  return op->every <= 1 || (counter + 1) % op->every == 0;
}
/// Range of thread `thread` of `size`. Returns false if it is empty.
bool celi_op_slice(const CeliOp *op, int thread, int size, int64_t *begin, int64_t *end);
/// Bytes that all slices of an operation touch through one access.
size_t celi_access_bytes(const CeliOp *op, const CeliAccess *access);

// ---- conflict.c
/// Whether two threads may touch the same memory, one of them by writing, if there is no barrier
/// between the operations.
bool celi_ops_conflict(const CeliOp *a, const CeliOp *b);
/// Whether two slices of one operation may do so.
bool celi_op_conflicts_with_itself(const CeliOp *op);

/// For tests: plans of this team are given to `run` instead of being run. NULL ends it.
typedef CelStatus (*CeliPlanRunner)(void *user, CeliPlan *plan, int64_t times);
void celi_team_run_plans_by(CeliTeam *team, CeliPlanRunner run, void *user);
CeliPlanRunner celi_team_plan_runner(const CeliTeam *team, void **user);
/// Measures the time of each operation, in total over `times` serial runs: seconds (count,), and
/// the operations' names.
CelStatus celi_plan_profile(CeliPlan *plan, int64_t times, double *seconds,
                            const char **names) CEL_WARN_UNUSED;

#endif
