/// Plans: lists of batch operations, and how a team runs one.
///
/// Operations between two barriers form a stage. Barriers are determined when the plan is written.
/// An operation joins the open stage in three cases:
/// - It is marked with_previous, so it needs nothing of the stage.
/// - It and the whole stage are ROWS of equal count and grain, so a thread continues with its own
///   rows. For networks side by side, the count is the total.
/// - It and the whole stage are SERIAL, so one thread does all.
/// Otherwise, or after celi_plan_barrier, a barrier closes the stage. The end of a run closes the
/// last stage.
#include "ops/plan.h"
#include "base/base.h"
#include "base/clock.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define ARGS_MAX 256

typedef struct Op {
  _Alignas(16) unsigned char args[ARGS_MAX];
  CeliOpFn fn;
  const char *name;
  int64_t count, grain;
  int64_t at, of; // its items are [at, at + count) of `of` items that are split together
  CeliCut cut;
  bool barrier; // whether there is a barrier before it
} Op;

struct CeliPlan {
  Op *ops;
  int64_t count, capacity;
  CelStatus failed; // the first failure of celi_plan_add
  char message[256];
  bool wait;      // put a barrier before the next operation
  int64_t at, of; // for the next operations by row; of = 0: split alone
  bool ended;
};

void celi_share(int64_t count, int64_t grain, int thread, int size, int64_t *begin, int64_t *end) {
  const int64_t units = (count + grain - 1) / grain;
  const int64_t each = units / size, more = units % size; // the first `more` threads take one more
  const int64_t first = each * thread + (thread < more ? thread : more);
  const int64_t last = first + each + (thread < more ? 1 : 0);
  *begin = first * grain < count ? first * grain : count;
  *end = last * grain < count ? last * grain : count;
}

CelStatus celi_plan_create(CeliPlan **out) {
  *out = calloc(1, sizeof **out);
  return *out ? CEL_OK : cel_fail(CEL_E_MEMORY, "not enough memory for a plan");
}

void celi_plan_destroy(CeliPlan *plan) {
  if (!plan) return;
  free(plan->ops);
  free(plan);
}

/// Whether `next` needs no barrier after `before`, even if it reads its output.
static bool same_thread(const Op *before, const Op *next) {
  if (before->cut != next->cut || next->cut == CELI_PARTS) return false;
  return next->cut == CELI_SERIAL || (next->of == before->of && next->grain == before->grain);
}

static bool needs_barrier(const CeliPlan *plan, const Op *next) {
  for (int64_t i = plan->count - 1; i >= 0; i--) {
    if (!same_thread(&plan->ops[i], next)) return true;
    if (plan->ops[i].barrier) return false; // the stage starts there
  }
  return false;
}

static CelStatus add(CeliPlan *plan, const char *name, CeliOpFn fn, CeliCut cut, int64_t count,
                     int64_t grain, bool with_previous, const void *args, size_t size) {
  if (plan->ended) return cel_fail(CEL_E_STATE, "operation %s was added after celi_plan_end", name);
  if (size > ARGS_MAX)
    return cel_fail(CEL_E_RANGE, "operation %s has %zu bytes of arguments; at most %d are possible",
                    name, size, ARGS_MAX);
  if (cut == CELI_ROWS && plan->of > 0 && plan->at + count > plan->of)
    return cel_fail(CEL_E_RANGE, "operation %s: %lld rows from row %lld on do not fit into %lld",
                    name, (long long)count, (long long)plan->at, (long long)plan->of);
  if (count < 0 || grain < 1)
    return cel_fail(CEL_E_RANGE,
                    "operation %s has count %lld and grain %lld; they must be at least 0 and 1",
                    name, (long long)count, (long long)grain);
  if (plan->count == plan->capacity) {
    const int64_t capacity = plan->capacity ? 2 * plan->capacity : 64;
    CELI_TRY(celi_resize(&plan->ops, (size_t)capacity, sizeof(Op), "a plan's operations"));
    plan->capacity = capacity;
  }
  Op *op = &plan->ops[plan->count];
  memset(op, 0, sizeof *op);
  if (size) memcpy(op->args, args, size);
  op->fn = fn;
  op->name = name;
  op->count = count;
  op->at = cut == CELI_ROWS ? plan->at : 0;
  op->of = cut == CELI_ROWS && plan->of > 0 ? plan->of : count;
  op->grain = grain;
  op->cut = cut;
  op->barrier = plan->wait || (!with_previous && needs_barrier(plan, op));
  plan->wait = false;
  plan->count++;
  return CEL_OK;
}

void celi_plan_add(CeliPlan *plan, const char *name, CeliOpFn fn, CeliCut cut, int64_t count,
                   int64_t grain, bool with_previous, const void *args, size_t size) {
  if (plan->failed != CEL_OK) return;
  plan->failed = add(plan, name, fn, cut, count, grain, with_previous, args, size);
  if (plan->failed == CEL_OK) return;
  strncpy(plan->message, cel_error(), sizeof plan->message - 1);
}

void celi_plan_barrier(CeliPlan *plan) {
  plan->wait = plan->count > 0;
}

void celi_plan_side(CeliPlan *plan, int64_t at, int64_t of) {
  CEL_ASSERT(at >= 0 && of >= at);
  plan->at = at, plan->of = of;
}

void celi_plan_together(CeliPlan *plan, int n) {
  int64_t of = 0;
  if (plan->failed != CEL_OK) return;
  CEL_ASSERT(n <= plan->count);
  Op *first = plan->ops + plan->count - n;
  for (int i = 0; i < n; i++) {
    CEL_ASSERT(first[i].cut == CELI_PARTS && first[i].grain == 1);
    first[i].at = of;
    of += first[i].count;
  }
  for (int i = 0; i < n; i++) first[i].of = of;
}

CelStatus celi_plan_end(CeliPlan *plan) {
  if (plan->failed != CEL_OK) return cel_fail(plan->failed, "%s", plan->message);
  plan->ended = true;
  return CEL_OK;
}

static void op_run(const Op *op, int thread, int size) {
  if (op->cut == CELI_SERIAL) {
    if (thread == 0) op->fn(op->args, 0, op->count);
    return;
  }
  int64_t begin, end;
  celi_share(op->of, op->grain, thread, size, &begin, &end);
  begin = begin > op->at ? begin - op->at : 0;
  end = end - op->at < op->count ? end - op->at : op->count;
  if (begin < end) op->fn(op->args, begin, end);
}

typedef struct Run {
  const CeliPlan *plan;
  CeliTeam *team;
  int64_t times;
  _Atomic int64_t stop_at; // number of the barrier that ends the run, counted from 1; INT64_MAX:
                           // none
} Run;

/// Barrier number `at`, counted from 1. Returns whether the run ends here. The caller's thread
/// decides before it arrives, so all threads see the same answer.
static bool wait_for_all(Run *run, int thread, int64_t at) {
  if (thread == 0 && celi_team_asked_to_stop(run->team))
    atomic_store_explicit(&run->stop_at, at, memory_order_relaxed);
  celi_team_barrier(run->team, thread);
  return atomic_load_explicit(&run->stop_at, memory_order_relaxed) == at;
}

static void run_share(void *arg, int thread, int size) {
  Run *run = arg;
  const CeliPlan *plan = run->plan;
  int64_t barriers = 0;
  for (int64_t time = 0; time < run->times; time++) {
    if (time > 0 && wait_for_all(run, thread, ++barriers)) return;
    for (int64_t i = 0; i < plan->count; i++) {
      if (plan->ops[i].barrier && wait_for_all(run, thread, ++barriers)) return;
      op_run(&plan->ops[i], thread, size);
    }
  }
}

static CelStatus check_ended(const CeliPlan *plan) {
  return plan->ended
             ? CEL_OK
             : cel_fail(CEL_E_STATE, "celi_plan_end was not called before the plan was run");
}

CelStatus celi_plan_repeat(CeliPlan *plan, CeliTeam *team, int64_t times) {
  CELI_TRY(check_ended(plan));
  Run run = {.plan = plan, .team = team, .times = times, .stop_at = INT64_MAX};
  CELI_TRY(celi_team_run(team, run_share, &run));
  return run.stop_at == INT64_MAX ? CEL_OK : cel_fail(CEL_E_INTERRUPTED, "stopped on request");
}

CelStatus celi_plan_run(CeliPlan *plan, CeliTeam *team) {
  return celi_plan_repeat(plan, team, 1);
}

int64_t celi_plan_count(const CeliPlan *plan) {
  return plan->count;
}

int64_t celi_plan_barriers(const CeliPlan *plan) {
  int64_t n = 0;
  for (int64_t i = 0; i < plan->count; i++) n += plan->ops[i].barrier;
  return n;
}

CelStatus celi_plan_profile(CeliPlan *plan, int64_t times, double *seconds, const char **names) {
  CELI_TRY(check_ended(plan));
  for (int64_t i = 0; i < plan->count; i++) {
    seconds[i] = 0.0;
    names[i] = plan->ops[i].name;
  }
  for (int64_t time = 0; time < times; time++) {
    double before = celi_seconds();
    for (int64_t i = 0; i < plan->count; i++) {
      op_run(&plan->ops[i], 0, 1);
      const double after = celi_seconds();
      seconds[i] += after - before;
      before = after;
    }
  }
  return CEL_OK;
}
