/// A team of threads: the caller and size - 1 workers.
///
/// A job is announced by raising `epoch`; workers do it and meet the caller in a barrier, which is
/// also what fn may use inside. Whoever waits looks again and again for SPIN_NANOSECONDS, then also
/// offers the core to others between looks, and after PATIENCE_NANOSECONDS parks on a condition
/// variable (longer than a virtual machine needs to wake a thread: with less patience, one thread that parked makes
/// the next one park). So a team that has nothing to do costs nothing, and teams that share
/// cores get on: the one that a spinning thread waits for may be waiting for that very core (with
/// two busy neighbours on two cores, offering it made updates two to three times as fast). With
/// more threads than cores the offer comes at once.
///
/// No wake-up is lost: a waiter counts itself in `parked` before it looks again at what it waits
/// for, and the one that changes it does so before it looks at `parked`; both are sequentially
/// consistent, and the lock is held from the look to the sleep.
///
/// After a fork the child has none of the workers: the process id tells, and the team starts anew.
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
#define MOVE_NANOSECONDS 5000000 // least time between two moves of a worker
#define SPIN_BATCH 32            // pauses between two looks at the clock
#define ASK_NANOSECONDS 50000000 // least time between two questions whether to stop
#define MAX_TEAM 1024

typedef struct Worker {
  CeliTeam *team;
  pthread_t handle;
  int thread;
  int64_t moved; ///< when it last went to another core, nanoseconds
} Worker;

struct CeliTeam {
  int size;
  pid_t started; // the process whose threads the workers are; 0: none yet
  bool crowded;  // more threads than cores
  void (*fn)(void *arg, int thread, int size);
  void *arg;
  bool (*asked)(void *user); // whether plans shall end early; NULL: never
  void *asked_user;
  int64_t asked_at;   // nanoseconds
  CeliFloatMode mode; // the caller's: workers compute in the same
  bool stop;
  Worker *workers;  // (size - 1,)
  atomic_int *core; // (size,) where each thread was last seen, -1 before; written when it changes
  // Each on a cache line of its own: raised by one thread, watched by the others.
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

/// Notes on which core a thread is.
static void note_core(CeliTeam *team, int thread) {
  const int core = sched_getcpu();
  if (core != atomic_load_explicit(&team->core[thread], memory_order_relaxed))
    atomic_store_explicit(&team->core[thread], core, memory_order_relaxed);
}

/// Two threads of a team can be put on one core while another is idle, and offering the core to each other every few
/// microseconds they look too busy to the kernel to be moved: for seconds, at half the speed. So a worker that
/// waits where another member was last seen goes elsewhere; its set of allowed cores is what it was.
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

/// True as soon as *word differs from `old`, false when patience ran out.
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

/// Tells the first `n` workers to end and waits for them.
static void stop_workers(CeliTeam *team, int n) {
  team->stop = true;
  raise_and_wake(team, &team->epoch);
  for (int i = 0; i < n; i++) pthread_join(team->workers[i].handle, NULL);
  team->stop = false;
  team->started = 0;
}

/// Brings what threads share to its first state; the lock and the condition of a parent are of no
/// use here.
static CelStatus reset(CeliTeam *team) {
  atomic_init(&team->epoch, 0);
  atomic_init(&team->phase, 0);
  atomic_init(&team->arrived, 0);
  atomic_init(&team->parked, 0);
  for (int i = 0; i < team->size; i++) atomic_init(&team->core[i], -1);
  team->stop = false;
  team->crowded = team->size > cores();
  if (pthread_mutex_init(&team->lock, NULL) != 0 || pthread_cond_init(&team->changed, NULL) != 0)
    return cel_fail(CEL_E_MEMORY, "a team of %d threads: no lock to be had", team->size);
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
    return cel_fail(CEL_E_RANGE, "a team of %d threads: must be 1 to %d", size, MAX_TEAM);
  CeliTeam *team = aligned_alloc(64, (sizeof *team + 63) / 64 * 64);
  Worker *workers = calloc((size_t)size, sizeof *workers);
  atomic_int *core = calloc((size_t)size, sizeof *core);
  if (!team || !workers || !core) {
    free(team);
    free(workers);
    free(core);
    return cel_fail(CEL_E_MEMORY, "a team of %d threads: out of memory", size);
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
