/// Memory that grows with an MDP is requested before it is allocated. The request is not larger
/// than the need.
#include "base/base.h"
#include "celsius/solve.h"
#include "model_cases.h"
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/// A sanitizer or an emulator does not allow a limit of the address space.
enum { UNLIMITED = 77 };

/// Runs fn in a process that may use `bytes` more of address space than now. Returns its result.
static int with_room(size_t bytes, int (*fn)(void)) {
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    struct rlimit limit;
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;
    if (!file || fscanf(file, "%lu", &pages) != 1 || getrlimit(RLIMIT_AS, &limit) != 0) _exit(99);
    fclose(file);
    limit.rlim_cur = pages * (size_t)sysconf(_SC_PAGESIZE) + bytes;
    if (setrlimit(RLIMIT_AS, &limit) != 0) _exit(99);
    const rlim_t wanted = limit.rlim_cur;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur != wanted) _exit(UNLIMITED);
    _exit(fn());
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == UNLIMITED) skip();
  return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

enum { WIDTH = 500, CELLS = WIDTH * WIDTH, NEEDED = CELLS * 336 }; ///< bytes, measured as the peak

static CelStatus make_grid(CelMdp **out) {
  const CelMdpGenerator *generator;
  CelStatus status = cel_mdp_generator_find("grid", &generator);
  void *config = calloc(1, generator->config_size);
  cel_fields_default(generator->fields, config);
  static const char *const set[][2] = {{"width", "500"}, {"height", "500"}, {"slip", "0.1"}};
  for (int i = 0; i < 3 && status == CEL_OK; i++)
    status = cel_fields_set(generator->fields, config, set[i][0], set[i][1]);
  if (status == CEL_OK) status = cel_mdp_generate(out, "grid", config);
  free(config);
  return status;
}

/// 0: generated; 1: refused at once, with the total size; 2: anything else.
static int grid_outcome(void) {
  CelMdp *mdp = NULL;
  const CelStatus status = make_grid(&mdp);
  cel_mdp_destroy(mdp);
  if (status == CEL_OK) return 0;
  return status == CEL_E_MEMORY && strstr(cel_error(), "that many cells: 80.1 MiB") ? 1 : 2;
}

static void grid_requests_the_memory_it_needs(void **state) {
  (void)state;
  if (sanitized()) skip();
  assert_int_equal(with_room(NEEDED - NEEDED / 20, grid_outcome), 1);
  assert_int_equal(with_room(NEEDED + NEEDED / 5, grid_outcome), 0);
}

static CelMdp *solved;

static int solve_outcome(void) {
  CelSolution *solution = NULL;
  CelSolveConfig config = cel_solve_config_default();
  config.max_iterations = 1;
  const CelStatus status = cel_solve(solved, &config, &solution);
  cel_solution_destroy(solution);
  if (status == CEL_OK) return 0;
  return status == CEL_E_MEMORY && strstr(cel_error(), "memory are needed") ? 1 : 2;
}

static void solver_requests_the_memory_it_needs(void **state) {
  (void)state;
  if (sanitized()) skip();
  assert_ok(make_grid(&solved));
  assert_int_equal(with_room((size_t)20 << 20, solve_outcome), 1);
  assert_int_equal(with_room((size_t)160 << 20, solve_outcome), 0);
  cel_mdp_destroy(solved);
}

// ---- memory that a solve requests, compared with memory that it uses

/// Resident bytes of this process.
static double resident(void) {
  FILE *file = fopen("/proc/self/statm", "r");
  unsigned long all = 0, pages = 0;
  if (!file || fscanf(file, "%lu %lu", &all, &pages) != 2) _exit(99);
  fclose(file);
  return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double announced;       ///< the largest sum of resident and requested bytes
static double first_announced; ///< this sum at the first request, before any large allocation

/// The linker redirects the calls of celi_memory_room to this function (extra.cmake).
CelStatus __real_celi_memory_room(size_t bytes, void *old, const char *what);
CelStatus __wrap_celi_memory_room(size_t bytes, void *old, const char *what);
CelStatus __wrap_celi_memory_room(size_t bytes, void *old, const char *what) {
  const double sum = resident() + (double)bytes;
  if (sum > announced) announced = sum;
  if (strcmp(what, "solving the MDP") == 0) first_announced = sum;
  return __real_celi_memory_room(bytes, old, what);
}

static int32_t method;
static int64_t iterations;

/// 0: no more memory became resident than was requested; 1: more did; 2: anything else.
static int request_outcome(void) {
  const double before = resident(), slack = 3 << 20; // small arrays, stacks, the binary's pages
  CelSolution *solution = NULL;
  CelSolveConfig config = cel_solve_config_default();
  struct rusage usage;
  config.method = method, config.max_iterations = iterations, config.tolerance = 1e-12;
  if (cel_solve(solved, &config, &solution) != CEL_OK) return 2;
  cel_solution_destroy(solution);
  getrusage(RUSAGE_SELF, &usage);
  const double peak = 1024.0 * (double)usage.ru_maxrss;
  printf("method %d: %.1f MiB used, %.1f MiB requested at first, %.1f MiB requested at most\n",
         method, (peak - before) / 0x1p20, (first_announced - before) / 0x1p20,
         (announced - before) / 0x1p20);
  fflush(stdout);
  if (peak - before < 30e6) return 2; // the MDP is too small to measure
  return peak > announced + slack || (method == CEL_SOLVE_VI && peak > first_announced + slack);
}

static void solver_uses_no_more_memory_than_it_requests(void **state) {
  (void)state;
  if (sanitized()) skip();
  assert_ok(make_grid(&solved));
  const size_t room = (size_t)2 << 30; // the measurement needs no limit
  method = CEL_SOLVE_VI, iterations = 2;
  assert_int_equal(with_room(room, request_outcome), 0);
  method = CEL_SOLVE_MPI;
  assert_int_equal(with_room(room, request_outcome), 0);
  method = CEL_SOLVE_NEWTON;
  assert_int_equal(with_room(room, request_outcome), 0);
  cel_mdp_destroy(solved);
}

/// An array that does not fit is refused before it is touched.
static int array_outcome(void) {
  char *bytes = NULL;
  const size_t n = (size_t)100 << 20;
  const CelStatus status = celi_alloc(&bytes, n, 1, "an array");
  free(bytes);
  if (status == CEL_OK) return 0;
  return status == CEL_E_MEMORY &&
                 strstr(cel_error(), "an array: 100.0 MiB of memory are needed") &&
                 strstr(cel_error(), "ulimit -v")
             ? 1
             : 2;
}

static void arrays_request_memory_first(void **state) {
  (void)state;
  if (sanitized()) skip();
  assert_int_equal(with_room((size_t)90 << 20, array_outcome), 1);
  assert_int_equal(with_room((size_t)120 << 20, array_outcome), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(grid_requests_the_memory_it_needs),
      cmocka_unit_test(solver_requests_the_memory_it_needs),
      cmocka_unit_test(solver_uses_no_more_memory_than_it_requests),
      cmocka_unit_test(arrays_request_memory_first),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
