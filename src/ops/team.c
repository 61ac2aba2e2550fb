/// A team of threads: the caller and size - 1 workers.
///
/// A job is announced by raising `epoch`; workers do it and meet the caller in a barrier, which is
/// also what fn may use inside. Whoever waits looks again and again for SPIN_NANOSECONDS, then also
/// offers the core to others between looks, and after PATIENCE_NANOSECONDS parks on a condition
/// variable. So a team that has nothing to do costs nothing, and teams that share
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
#include "ops/plan.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SPIN_NANOSECONDS 3000
#define PATIENCE_NANOSECONDS 20000
#define SPIN_BATCH 32 // pauses between two looks at the clock
#define MAX_TEAM 1024

typedef struct Worker {
  CeliTeam *team;
  pthread_t handle;
  int thread;
} Worker;

struct CeliTeam {
  int size;
  pid_t started; // the process whose threads the workers are; 0: none yet
  bool crowded;  // more threads than cores
  void (*fn)(void *arg, int thread, int size);
  void *arg;
  bool stop;
  Worker *workers; // (size - 1,)
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

static int64_t nanoseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int cores(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  const long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n > 0 ? (int)n : 1;
}

/// True as soon as *word differs from `old`, false when patience ran out.
static bool spin_while_equal(const CeliTeam *team, atomic_uint *word, unsigned old) {
  const int64_t start = nanoseconds() - (team->crowded ? SPIN_NANOSECONDS : 0);
  int64_t waited;
  do {
    for (int i = 0; i < SPIN_BATCH; i++) {
      if (atomic_load_explicit(word, memory_order_acquire) != old) return true;
      pause_briefly();
    }
    waited = nanoseconds() - start;
    if (waited >= SPIN_NANOSECONDS) sched_yield();
  } while (waited < PATIENCE_NANOSECONDS);
  return false;
}

static void wait_while_equal(CeliTeam *team, atomic_uint *word, unsigned old) {
  if (spin_while_equal(team, word, old)) return;
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
  (void)thread;
  if (team->size == 1) return;
  // The phase cannot move before this thread has arrived, so this is the current one.
  const unsigned phase = atomic_load_explicit(&team->phase, memory_order_relaxed);
  if (atomic_fetch_add(&team->arrived, 1) + 1 < team->size) {
    wait_while_equal(team, &team->phase, phase);
    return;
  }
  atomic_store_explicit(&team->arrived, 0, memory_order_relaxed);
  raise_and_wake(team, &team->phase);
}

static void *worker_main(void *arg) {
  const Worker *worker = arg;
  CeliTeam *team = worker->team;
  for (unsigned seen = 0;; seen++) {
    wait_while_equal(team, &team->epoch, seen);
    if (team->stop) return NULL;
    team->fn(team->arg, worker->thread, team->size);
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
  if (!team || !workers) {
    free(team);
    free(workers);
    return cel_fail(CEL_E_MEMORY, "a team of %d threads: out of memory", size);
  }
  memset(team, 0, sizeof *team);
  team->size = size;
  team->workers = workers;
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
  free(team);
}

int celi_team_size(const CeliTeam *team) {
  return team->size;
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
  raise_and_wake(team, &team->epoch);
  fn(arg, 0, team->size);
  celi_team_barrier(team, 0);
  return CEL_OK;
}
