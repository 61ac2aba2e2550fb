/// Teams of threads: every member runs, barriers hold, idle teams park, forks and other teams do no
/// harm.
#include "kit.h"
#include "ops/plan.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 200, MAX_SIZE = 8 };
static const int TEAM_SIZES[] = {1, 2, 3, 5, MAX_SIZE};

typedef struct Job {
  CeliTeam *team;
  int64_t sum[MAX_SIZE]; // plain memory, ordered by the barrier only
  int wrong;
} Job;

/// In each round every member writes its own element, then checks all elements. A broken barrier
/// shows.
static void job_rounds(void *arg, int thread, int size) {
  Job *job = arg;
  for (int64_t round = 1; round <= 20; round++) {
    job->sum[thread] += round;
    celi_team_barrier(job->team, thread);
    for (int i = 0; i < size; i++)
      if (job->sum[i] != job->sum[thread]) job->wrong = 1;
    celi_team_barrier(job->team, thread);
  }
}

static void check_team(CeliTeam *team, int runs) {
  Job job = {.team = team};
  for (int run = 0; run < runs; run++)
    assert_int_equal(celi_team_run(team, job_rounds, &job), CEL_OK);
  assert_int_equal(job.wrong, 0);
  for (int i = 0; i < celi_team_size(team); i++) assert_int_equal(job.sum[i], 210 * runs);
}

static void test_barriers(void **state) {
  (void)state;
  for (int s = 0; s < 5; s++) {
    CeliTeam *team;
    assert_int_equal(celi_team_create(&team, TEAM_SIZES[s]), CEL_OK);
    assert_int_equal(celi_team_size(team), TEAM_SIZES[s]);
    check_team(team, ROUNDS);
    celi_team_destroy(team);
  }
}

static void sleep_ms(int64_t ms) {
  const struct timespec t = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&t, NULL);
}

/// An idle team uses no processor time and wakes up again.
static void test_parking(void **state) {
  (void)state;
  CeliTeam *team;
  assert_int_equal(celi_team_create(&team, 4), CEL_OK);
  check_team(team, 1);
  sleep_ms(20);
  const clock_t before = clock();
  sleep_ms(200);
  assert_true((double)(clock() - before) / CLOCKS_PER_SEC < 0.05);
  for (int i = 0; i < 5; i++) {
    check_team(team, 1);
    sleep_ms(2);
  }
  celi_team_destroy(team);
}

/// ThreadSanitizer and user-mode qemu cannot start threads in the child of a process with threads.
static bool fork_is_unsupported(void) {
#if defined(__SANITIZE_THREAD__)
  return true;
#else
  char name[32] = "";
  FILE *f = fopen("/proc/self/comm", "r");
  if (!f) return false;
  const bool read = fgets(name, sizeof name, f) != NULL;
  fclose(f);
  return read && strncmp(name, "qemu-", 5) == 0;
#endif
}

/// The child of a fork starts its own threads, and those of the parent keep running. The child
/// answers by its exit code, because its assertions would not reach the parent.
static void test_fork(void **state) {
  (void)state;
  if (fork_is_unsupported()) skip();
  CeliTeam *team;
  assert_int_equal(celi_team_create(&team, 3), CEL_OK);
  check_team(team, 3);
  const pid_t child = fork();
  if (child == 0) {
    Job job = {.team = team};
    for (int run = 0; run < 10; run++)
      if (celi_team_run(team, job_rounds, &job) != CEL_OK || job.wrong) _exit(1);
    celi_team_destroy(team);
    _exit(job.sum[2] == 2100 ? 0 : 2);
  }
  const pid_t idle_child = fork(); // destroys a team that never ran
  if (idle_child == 0) {
    celi_team_destroy(team);
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  assert_int_equal(waitpid(idle_child, &status, 0), idle_child);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  check_team(team, 3);
  celi_team_destroy(team);
}

static void *neighbour(void *arg) {
  int *wrong = arg;
  CeliTeam *team;
  if (celi_team_create(&team, 3) != CEL_OK) {
    *wrong = 1;
    return NULL;
  }
  Job job = {.team = team};
  for (int run = 0; run < 100; run++)
    if (celi_team_run(team, job_rounds, &job) != CEL_OK) *wrong = 1;
  *wrong |= job.wrong || job.sum[1] != 21000;
  celi_team_destroy(team);
  return NULL;
}

/// Two teams in two threads, with more members than cores, both make progress.
static void test_two_teams(void **state) {
  (void)state;
  pthread_t threads[2];
  int wrong[2] = {0};
  for (int i = 0; i < 2; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, neighbour, &wrong[i]), 0);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  assert_int_equal(wrong[0] | wrong[1], 0);
}

static void test_bad_sizes(void **state) {
  (void)state;
  CeliTeam *team;
  assert_int_equal(celi_team_create(&team, 0), CEL_E_RANGE);
  assert_null(team);
  assert_non_null(strstr(cel_error(), "use 1 to"));
  assert_int_equal(celi_team_create(&team, 100000), CEL_E_RANGE);
  celi_team_destroy(NULL);
  assert_int_equal(celi_team_create(&team, 2), CEL_OK);
  celi_team_destroy(team); // never ran
}

/// The ranges of the threads are whole grains, in order, cover everything once, and differ by at
/// most one grain.
static void test_thread_ranges(void **state) {
  (void)state;
  for (int size = 1; size <= 7; size++)
    for (int64_t grain = 1; grain <= 9; grain += 4)
      for (int64_t count = 0; count <= 70; count++) {
        int64_t at = 0;
        for (int thread = 0; thread < size; thread++) {
          int64_t begin, end;
          celi_share(count, grain, thread, size, &begin, &end);
          assert_true(begin == at && end >= begin);
          assert_true(begin % grain == 0 || begin == count);
          assert_true((end - begin + grain - 1) / grain <= (count + grain - 1) / grain / size + 1);
          at = end;
        }
        assert_true(at == count);
      }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_barriers),  cmocka_unit_test(test_parking),
      cmocka_unit_test(test_fork),      cmocka_unit_test(test_two_teams),
      cmocka_unit_test(test_bad_sizes), cmocka_unit_test(test_thread_ranges),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
