/// A team of threads: the caller and size - 1 workers.
///
/// Raising `epoch` announces a job. Workers do it and meet the caller in a barrier. fn may use the
/// same barrier. A waiting thread polls for SPIN_NANOSECONDS. Then it also yields its core between
/// polls. After PATIENCE_NANOSECONDS it sleeps on a condition variable.
/// - An idle team therefore costs nothing.
/// - Yielding lets teams share cores: the thread that is waited for may need this very core. On two
///   cores with two busy neighbors, yielding made updates two to three times as fast. If there are
///   more threads than cores, a thread yields at once.
/// - The patience is longer than a virtual machine needs to wake a thread. With less, one sleeping
///   thread makes the next one sleep.
///
/// No wake-up is lost. A waiter counts itself in `parked` before it checks its condition again. The
/// thread that changes the condition does so before it reads `parked`. Both are sequentially
/// consistent, and the waiter holds the lock from the check to the sleep.
///
/// After a fork the child has no workers. The team notices the new process id and starts again.
#include "base/base.h"
#include "base/clock.h"
#include "ops/plan.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SPIN_NANOSECONDS 3000
#define PATIENCE_NANOSECONDS 400000
#define MOVE_NANOSECONDS 5000000 // minimum time between two moves of a worker
#define SPIN_BATCH 32            // pauses between two readings of the clock
#define ASK_NANOSECONDS 50000000 // minimum time between two calls of the stop function
#define MAX_TEAM 1024

typedef struct Worker {
  CeliTeam *team;
  pthread_t handle;
  int thread;
  int64_t moved; ///< when it last moved to another core, nanoseconds
} Worker;

struct CeliTeam {
  int size;
  pid_t started; // process that the workers belong to; 0: not started
  bool crowded;  // more threads than cores
  void (*fn)(void *arg, int thread, int size);
  void *arg;
  bool (*asked)(void *user); // whether plans must end early; NULL: never
  void *asked_user;
  int64_t asked_at;      // nanoseconds
  CeliPlanRunner runner; // of plans, instead of the team; NULL: the team
  void *runner_user;
  CeliFloatMode mode; // of the caller; workers use the same
  bool stop;
  Worker *workers;  // (size - 1,)
  atomic_int *core; // (size,) last known core of each thread, -1 if unknown; written when it
                    // changes
  // Each on its own cache line, because one thread writes it and the others poll it.
  _Alignas(64) atomic_uint epoch;
  _Alignas(64) atomic_uint phase; // of the barrier
  _Alignas(64) atomic_int arrived;
  _Alignas(64) atomic_int parked;
  pthread_mutex_t lock;
  pthread_cond_t changed;
};

static void pause_briefly(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb");
#endif
}

static int cores(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  const long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n > 0 ? (int)n : 1;
}

/// Stores the core that a thread runs on.
static void note_core(CeliTeam *team, int thread) {
  const int core = sched_getcpu();
  if (core != atomic_load_explicit(&team->core[thread], memory_order_relaxed))
    atomic_store_explicit(&team->core[thread], core, memory_order_relaxed);
}

/// Linux can put two threads of a team on one core while another core is idle. They yield to each
/// other every few microseconds, so the kernel considers them too busy to move. This halves the
/// speed for seconds. Therefore a worker moves when it waits on a core where another thread of the
/// team was last seen. Afterwards its set of allowed cores is the same as before.
static void leave_shared_core(CeliTeam *team, int thread, int64_t now) {
  if (thread == 0 || team->crowded || now - team->workers[thread - 1].moved < MOVE_NANOSECONDS)
    return;
  const int core = sched_getcpu();
  bool shared = false;
  cpu_set_t allowed, free;
  if (core < 0 || sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  free = allowed;
  for (int i = 0; i < team->size; i++) {
    const int other = i == thread ? -1 : atomic_load_explicit(&team->core[i], memory_order_relaxed);
    if (other >= 0 && other < CPU_SETSIZE) CPU_CLR((size_t)other, &free);
    shared |= other == core;
  }
  if (!shared || CPU_COUNT(&free) == 0) return;
  team->workers[thread - 1].moved = now;
  if (sched_setaffinity(0, sizeof free, &free) == 0 &&
      sched_setaffinity(0, sizeof allowed, &allowed) == 0)
    note_core(team, thread);
}

/// True as soon as *word differs from `old`, false when the time to poll is over.
static bool spin_while_equal(CeliTeam *team, int thread, atomic_uint *word, unsigned old) {
  const int64_t start = celi_nanoseconds() - (team->crowded ? SPIN_NANOSECONDS : 0);
  int64_t waited;
  do {
    for (int i = 0; i < SPIN_BATCH; i++) {
      if (atomic_load_explicit(word, memory_order_acquire) != old) return true;
      pause_briefly();
    }
    waited = celi_nanoseconds() - start;
    if (waited < SPIN_NANOSECONDS) continue;
    leave_shared_core(team, thread, start + waited);
    sched_yield();
  } while (waited < PATIENCE_NANOSECONDS);
  return false;
}

static void wait_while_equal(CeliTeam *team, int thread, atomic_uint *word, unsigned old) {
  if (spin_while_equal(team, thread, word, old)) return;
  pthread_mutex_lock(&team->lock);
  atomic_fetch_add(&team->parked, 1);
  while (atomic_load(word) == old) pthread_cond_wait(&team->changed, &team->lock);
  atomic_fetch_sub(&team->parked, 1);
  pthread_mutex_unlock(&team->lock);
}

static void raise_and_wake(CeliTeam *team, atomic_uint *word) {
  atomic_fetch_add(word, 1);
  if (atomic_load(&team->parked) == 0) return;
  pthread_mutex_lock(&team->lock);
  pthread_cond_broadcast(&team->changed);
  pthread_mutex_unlock(&team->lock);
}

void celi_team_barrier(CeliTeam *team, int thread) {
  if (team->size == 1) return;
  note_core(team, thread);
  // The phase cannot move before this thread has arrived, so this is the current one.
  const unsigned phase = atomic_load_explicit(&team->phase, memory_order_relaxed);
  if (atomic_fetch_add(&team->arrived, 1) + 1 < team->size) {
    wait_while_equal(team, thread, &team->phase, phase);
    return;
  }
  atomic_store_explicit(&team->arrived, 0, memory_order_relaxed);
  raise_and_wake(team, &team->phase);
}

static void run_share(CeliTeam *team, int thread) {
  CELI_FLOATS(team->mode);
  team->fn(team->arg, thread, team->size);
}

static void *worker_main(void *arg) {
  const Worker *worker = arg;
  CeliTeam *team = worker->team;
  for (unsigned seen = 0;; seen++) {
    wait_while_equal(team, worker->thread, &team->epoch, seen);
    if (team->stop) return NULL;
    run_share(team, worker->thread);
    celi_team_barrier(team, worker->thread);
  }
}

/// Stops the first `n` workers and waits for them.
static void stop_workers(CeliTeam *team, int n) {
  team->stop = true;
  raise_and_wake(team, &team->epoch);
  for (int i = 0; i < n; i++) pthread_join(team->workers[i].handle, NULL);
  team->stop = false;
  team->started = 0;
}

/// Resets the shared state. After a fork, the lock and the condition of the parent are unusable.
static CelStatus reset(CeliTeam *team) {
  atomic_init(&team->epoch, 0);
  atomic_init(&team->phase, 0);
  atomic_init(&team->arrived, 0);
  atomic_init(&team->parked, 0);
  for (int i = 0; i < team->size; i++) atomic_init(&team->core[i], -1);
  team->stop = false;
  team->crowded = team->size > cores();
  if (pthread_mutex_init(&team->lock, NULL) != 0 || pthread_cond_init(&team->changed, NULL) != 0)
    return cel_fail(CEL_E_MEMORY, "a team of %d threads: cannot create a lock", team->size);
  return CEL_OK;
}

static CelStatus start(CeliTeam *team, pid_t self) {
  CELI_TRY(reset(team));
  team->started = self;
  for (int i = 0; i < team->size - 1; i++) {
    Worker *worker = &team->workers[i];
    *worker = (Worker){.team = team, .thread = i + 1};
    const int error = pthread_create(&worker->handle, NULL, worker_main, worker);
    if (error == 0) continue;
    stop_workers(team, i);
    return cel_fail(CEL_E_MEMORY, "thread %d of %d could not be started: %s", i + 1, team->size,
                    strerror(error));
  }
  return CEL_OK;
}

CelStatus celi_team_create(CeliTeam **out, int size) {
  *out = NULL;
  if (size < 1 || size > MAX_TEAM)
    return cel_fail(CEL_E_RANGE, "a team of %d threads is not possible; use 1 to %d", size,
                    MAX_TEAM);
  CeliTeam *team = aligned_alloc(64, (sizeof *team + 63) / 64 * 64);
  Worker *workers = calloc((size_t)size, sizeof *workers);
  atomic_int *core = calloc((size_t)size, sizeof *core);
  if (!team || !workers || !core) {
    free(team);
    free(workers);
    free(core);
    return cel_fail(CEL_E_MEMORY, "not enough memory for a team of %d threads", size);
  }
  memset(team, 0, sizeof *team);
  team->size = size;
  team->workers = workers;
  team->core = core;
  *out = team;
  return CEL_OK;
}

void celi_team_destroy(CeliTeam *team) {
  if (!team) return;
  if (team->started == getpid()) {
    stop_workers(team, team->size - 1);
    pthread_cond_destroy(&team->changed);
    pthread_mutex_destroy(&team->lock);
  }
  free(team->workers);
  free(team->core);
  free(team);
}

int celi_team_size(const CeliTeam *team) {
  return team->size;
}

void celi_team_watch(CeliTeam *team, bool (*stop)(void *user), void *user) {
  team->asked = stop;
  team->asked_user = user;
  team->asked_at = celi_nanoseconds();
}

void celi_team_run_plans_by(CeliTeam *team, CeliPlanRunner run, void *user) {
  team->runner = run;
  team->runner_user = user;
}

CeliPlanRunner celi_team_plan_runner(const CeliTeam *team, void **user) {
  *user = team->runner_user;
  return team->runner;
}

bool celi_team_asked_to_stop(CeliTeam *team) {
  if (!team->asked) return false;
  const int64_t now = celi_nanoseconds();
  if (now - team->asked_at < ASK_NANOSECONDS) return false;
  team->asked_at = now;
  CELI_FLOATS(CELI_IEEE);
  const bool stop = team->asked(team->asked_user);
  celi_floats_keep();
  return stop;
}

CelStatus celi_team_run(CeliTeam *team, void (*fn)(void *arg, int thread, int size), void *arg) {
  if (team->size == 1) {
    fn(arg, 0, 1);
    return CEL_OK;
  }
  const pid_t self = getpid();
  if (team->started != self) CELI_TRY(start(team, self));
  team->fn = fn;
  team->arg = arg;
  team->mode = celi_floats_mode();
  raise_and_wake(team, &team->epoch);
  run_share(team, 0);
  celi_team_barrier(team, 0);
  return CEL_OK;
}
