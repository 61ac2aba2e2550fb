/// Plans: lists of batch operations, and how a team runs one.
///
/// Operations between two barriers form a stage. celi_plan_end puts a barrier before each operation
/// that conflicts with one of the open stage (conflict.c). The end of a run closes the last stage.
#include "ops/plan.h"
#include "base/base.h"
#include "base/clock.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct CeliPlan {
  CeliOp *ops;
  int64_t count, capacity;
  CeliAccess *access; // of all operations
  int64_t accesses, access_capacity;
  CelStatus failed; // the first failure of celi_plan_add
  char message[256];
  int64_t at, of; // for the next operations by row; of = 0: split alone
  int64_t every;  // of the next operations
  const int64_t *counter;
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
  free(plan->access);
  free(plan);
}

static CelStatus add(CeliPlan *plan, const char *name, CeliOpFn fn, CeliCut cut, int64_t count,
                     int64_t grain, const void *args, size_t size) {
  if (plan->ended) return cel_fail(CEL_E_STATE, "operation %s was added after celi_plan_end", name);
  if (size > CELI_ARGS_MAX)
    return cel_fail(CEL_E_RANGE, "operation %s has %zu bytes of arguments; at most %d are possible",
                    name, size, CELI_ARGS_MAX);
  if (cut == CELI_ROWS && plan->of > 0 && plan->at + count > plan->of)
    return cel_fail(CEL_E_RANGE, "operation %s: %lld rows from row %lld on do not fit into %lld",
                    name, (long long)count, (long long)plan->at, (long long)plan->of);
  if (count < 0 || grain < 1)
    return cel_fail(CEL_E_RANGE,
                    "operation %s has count %lld and grain %lld; they must be at least 0 and 1",
                    name, (long long)count, (long long)grain);
  if (plan->count == plan->capacity) {
    const int64_t capacity = plan->capacity ? 2 * plan->capacity : 64;
    CELI_TRY(celi_resize(&plan->ops, (size_t)capacity, sizeof(CeliOp), "a plan's operations"));
    plan->capacity = capacity;
  }
  CeliOp *op = &plan->ops[plan->count];
  memset(op, 0, sizeof *op);
  if (size) memcpy(op->args, args, size);
  op->fn = fn;
  op->name = name;
  op->count = count;
  op->at = cut == CELI_ROWS ? plan->at : 0;
  op->of = cut == CELI_ROWS && plan->of > 0 ? plan->of : count;
  op->grain = grain;
  op->cut = cut;
  op->first = plan->accesses;
  op->every = plan->every;
  plan->count++;
  return CEL_OK;
}

/// Keeps the first failure.
static void keep(CeliPlan *plan, CelStatus status) {
  plan->failed = status;
  if (status != CEL_OK) strncpy(plan->message, cel_error(), sizeof plan->message - 1);
}

void celi_plan_add(CeliPlan *plan, const char *name, CeliOpFn fn, CeliCut cut, int64_t count,
                   int64_t grain, const void *args, size_t size) {
  if (plan->failed == CEL_OK) keep(plan, add(plan, name, fn, cut, count, grain, args, size));
}

/// Appends the accesses that are not NULL.
static CelStatus touch(CeliPlan *plan, const CeliAccess *access, size_t n) {
  if (plan->count == 0 || plan->ended)
    return cel_fail(CEL_E_STATE, "accesses were declared without an operation");
  const int64_t room = plan->accesses + (int64_t)n;
  if (room > plan->access_capacity) {
    const int64_t capacity = room > 2 * plan->access_capacity ? room : 2 * plan->access_capacity;
    CELI_TRY(celi_resize(&plan->access, (size_t)capacity, sizeof *access, "a plan's accesses"));
    plan->access_capacity = capacity;
  }
  for (size_t i = 0; i < n; i++)
    if (access[i].at) plan->access[plan->accesses++] = access[i];
  plan->ops[plan->count - 1].n = plan->accesses - plan->ops[plan->count - 1].first;
  return CEL_OK;
}

void celi_plan_touches(CeliPlan *plan, const CeliAccess *access, size_t n) {
  if (plan->failed == CEL_OK) keep(plan, touch(plan, access, n));
}

void celi_plan_touch_each(CeliPlan *plan, CeliAccess access, int64_t n, size_t apart) {
  for (int64_t i = 0; i < n && access.at; i++) {
    celi_plan_touches(plan, &access, 1);
    access.at = (const uint8_t *)access.at + apart;
  }
}

void celi_plan_flop(CeliPlan *plan, double flop) {
  if (plan->failed == CEL_OK && plan->count > 0) plan->ops[plan->count - 1].flop += flop;
}

void celi_plan_side(CeliPlan *plan, int64_t at, int64_t of) {
  CEL_ASSERT(at >= 0 && of >= at);
  plan->at = at, plan->of = of;
}

void celi_plan_every(CeliPlan *plan, const int64_t *counter, int64_t every) {
  CEL_ASSERT(every >= 1 && (counter || every == 1));
  CEL_ASSERT(!counter || !plan->counter || counter == plan->counter);
  plan->every = every;
  if (counter) plan->counter = counter;
}

int64_t celi_plan_counter(const CeliPlan *plan) {
  return plan->counter ? *plan->counter : 0;
}

void celi_plan_together(CeliPlan *plan, int n) {
  int64_t of = 0;
  if (plan->failed != CEL_OK) return;
  CEL_ASSERT(n <= plan->count);
  CeliOp *first = plan->ops + plan->count - n;
  for (int i = 0; i < n; i++) {
    CEL_ASSERT(first[i].cut == CELI_PARTS && first[i].grain == 1);
    first[i].at = of;
    of += first[i].count;
  }
  for (int i = 0; i < n; i++) first[i].of = of;
}

/// Whether operation i conflicts with one of the open stage.
static bool conflicts(const CeliPlan *plan, int64_t i) {
  for (int64_t j = i - 1; j >= 0; j--) {
    if (celi_ops_conflict(&plan->ops[j], &plan->ops[i])) return true;
    if (plan->ops[j].barrier) return false; // the stage starts there
  }
  return false;
}

CelStatus celi_plan_end(CeliPlan *plan) {
  if (plan->failed != CEL_OK) return cel_fail(plan->failed, "%s", plan->message);
  for (int64_t i = 0; i < plan->count; i++) {
    CeliOp *op = &plan->ops[i];
    op->access = op->n ? plan->access + op->first : NULL;
    if (celi_op_conflicts_with_itself(op))
      return cel_fail(CEL_E_STATE,
                      "operation %s writes memory in one thread that it touches in another, as "
                      "declared by celi_plan_touch",
                      op->name);
  }
  for (int64_t i = 0; i < plan->count; i++) plan->ops[i].barrier = conflicts(plan, i);
  plan->ended = true;
  return CEL_OK;
}

bool celi_op_slice(const CeliOp *op, int thread, int size, int64_t *begin, int64_t *end) {
  if (op->cut == CELI_SERIAL) {
    *begin = 0, *end = op->count;
    return thread == 0;
  }
  celi_share(op->of, op->grain, thread, size, begin, end);
  *begin = *begin > op->at ? *begin - op->at : 0;
  *end = *end - op->at < op->count ? *end - op->at : op->count;
  return *begin < *end;
}

static void op_run(const CeliOp *op, int thread, int size) {
  int64_t begin, end;
  if (celi_op_slice(op, thread, size, &begin, &end)) op->fn(op->args, begin, end);
}

typedef struct Run {
  const CeliPlan *plan;
  CeliTeam *team;
  int64_t times;
  int64_t counter;         // the plan's, before the first run: operations change it meanwhile
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
      if (celi_op_is_due(&plan->ops[i], run->counter + time)) op_run(&plan->ops[i], thread, size);
    }
  }
}

static CelStatus check_ended(const CeliPlan *plan) {
  return plan->ended
             ? CEL_OK
             : cel_fail(CEL_E_STATE, "celi_plan_end was not called before the plan was run");
}

CelStatus celi_plan_repeat(CeliPlan *plan, CeliTeam *team, int64_t times) {
  void *user;
  CELI_TRY(check_ended(plan));
  const CeliPlanRunner runner = celi_team_plan_runner(team, &user);
  if (runner) return runner(user, plan, times);
  Run run = {.plan = plan,
             .team = team,
             .times = times,
             .counter = celi_plan_counter(plan),
             .stop_at = INT64_MAX};
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

const CeliOp *celi_plan_op(const CeliPlan *plan, int64_t i) {
  CEL_ASSERT(plan->ended && i >= 0 && i < plan->count);
  return &plan->ops[i];
}

size_t celi_access_bytes(const CeliOp *op, const CeliAccess *access) {
  if (access->pattern == CELI_BY_ROW || access->width) return (size_t)op->count * access->width;
  return access->bytes;
}

CelStatus celi_plan_profile(CeliPlan *plan, int64_t times, double *seconds, const char **names) {
  CELI_TRY(check_ended(plan));
  for (int64_t i = 0; i < plan->count; i++) {
    seconds[i] = 0.0;
    names[i] = plan->ops[i].name;
  }
  for (int64_t time = 0; time < times; time++) {
    const int64_t counter = celi_plan_counter(plan);
    double before = celi_seconds();
    for (int64_t i = 0; i < plan->count; i++) {
      if (celi_op_is_due(&plan->ops[i], counter)) op_run(&plan->ops[i], 0, 1);
      const double after = celi_seconds();
      seconds[i] += after - before;
      before = after;
    }
  }
  return CEL_OK;
}
