/// Finite problems: soft sweeps against memory bandwidth, methods against each other, and a problem
/// of ten million states. With --peers, quantecon on the same problem.
///
/// The bytes of a sweep are counted as 12 per transition (a probability and a next state), 8 per
/// state-action pair (a reward) and 16 per state (V read and written). The real layout may need
/// fewer: grid worlds store consecutive next states once.
#include "bench.h"

#include "celsius/solve.h"
#include "mdp/operator/operator.h"
#include "ops/ops.h"
#include "ops/plan.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static const struct {
  CelSolveMethod method;
  const char *name;
} METHODS[] = {{CEL_SOLVE_VI, "value iteration"},
               {CEL_SOLVE_GAUSS_SEIDEL, "Gauss-Seidel"},
               {CEL_SOLVE_MPI, "modified policy iteration"},
               {CEL_SOLVE_PI, "policy iteration (direct)"},
               {CEL_SOLVE_NEWTON, "Newton-Krylov"}};
enum { N_METHODS = sizeof METHODS / sizeof METHODS[0] };

#define MUST(call)                                                                                 \
  do {                                                                                             \
    if ((call) != CEL_OK) bench_die("%s: %s", #call, cel_error());                                 \
  } while (0)

/// Makes a problem from "key=value key=value".
static CelMdp *generate(const char *name, const char *arguments) {
  const CelMdpGenerator *generator;
  CelMdp *mdp;
  char text[256], *rest = text;
  MUST(cel_mdp_generator_find(name, &generator));
  void *config = calloc(1, generator->config_size);
  if (!config) bench_die("not enough memory");
  cel_fields_default(generator->fields, config);
  snprintf(text, sizeof text, "%s", arguments);
  for (char *key; (key = strsep(&rest, " ")) != NULL;) {
    char *value = strchr(key, '=');
    if (!value) bench_die("%s: the argument '%s' needs a value", name, key);
    *value++ = 0;
    MUST(cel_fields_set(generator->fields, config, key, value));
  }
  MUST(cel_mdp_generate(&mdp, name, config));
  free(config);
  return mdp;
}

// ---- bandwidth

enum { FLOATS = 128 << 20 }; ///< half a gigabyte, much larger than any cache

/// Threads that each read their slice of one block of memory.
typedef struct Reading {
  const float *x;
  float sum[64][16]; ///< by thread, on separate cache lines
} Reading;

static void read_share(void *arg, int thread, int size) {
  Reading *reading = arg;
  int64_t begin, end;
  celi_share(FLOATS, 1024, thread, size, &begin, &end);
  reading->sum[thread % 64][0] = celi_ops()->sum(reading->x + begin, end - begin);
}

/// Bytes per second that `team` reads.
static double bandwidth(CeliTeam *team, Reading *reading) {
  const double start = bench_now();
  MUST(celi_team_run(team, read_share, reading));
  return 4.0 * FLOATS / (bench_now() - start);
}

static float *floats(void) {
  float *x = aligned_alloc(2 << 20, 4 * (size_t)FLOATS);
  if (!x) bench_die("not enough memory");
  madvise(x, 4 * (size_t)FLOATS, MADV_HUGEPAGE);
  celi_ops()->fill(x, 1e-9f, FLOATS);
  return x;
}

static double counted_bytes(const CelMdp *mdp) {
  return 12.0 * (double)mdp->transitions + 8.0 * (double)mdp->pairs + 16.0 * (double)mdp->states;
}

/// Measures bandwidth and sweeps alternately. Each repetition compares values of the same moment.
static void measure_sweeps(const BenchOptions *options, const CelMdp *mdp, const char *what,
                           const float *x, double alpha, int threads) {
  CeliOperator *op;
  CeliTeam *team;
  double *V, *next, *rates, *limits;
  Reading reading = {.x = x};
  MUST(celi_operator_create(&op, mdp, 0.999, threads, 0));
  MUST(celi_team_create(&team, threads));
  MUST(celi_operator_vector(op, &V));
  MUST(celi_operator_vector(op, &next));
  rates = calloc(2 * (size_t)options->repeats, sizeof *rates);
  if (!rates) bench_die("not enough memory");
  limits = rates + options->repeats;
  const double each = options->seconds / options->repeats / 2;
  for (int r = 0; r < options->repeats; r++) {
    double before = bandwidth(team, &reading), start = bench_now();
    int64_t times = 0;
    while (bench_now() - start < each) {
      celi_operator_sweep(op, alpha, next, V);
      celi_operator_sweep(op, alpha, V, next);
      times += 2;
    }
    rates[r] = (double)times * counted_bytes(mdp) / (bench_now() - start) / 1e9;
    limits[r] = 0.5 * (before + bandwidth(team, &reading)) / 1e9;
  }
  BenchRow row = {.value = bench_median(rates, options->repeats),
                  .unit = "GB/s",
                  .limit = bench_median(limits, options->repeats),
                  .limit_of = "bandwidth of reading memory by as many threads",
                  .peer_value = NAN};
  snprintf(row.name, sizeof row.name, "%s sweep, %.1fM states%s, %d thread%s",
           alpha > 0 ? "soft" : "hard", (double)mdp->states / 1e6, what, threads,
           threads > 1 ? "s" : "");
  bench_row(&row);
  free(V), free(next), free(rates);
  celi_team_destroy(team);
  celi_operator_destroy(op);
}

static void sweeps(const BenchOptions *options) {
  static const struct {
    const char *what, *arguments;
  } grids[] = {{"", "width=1000 height=1000 rewards=random"},
               {", a tenth obstacles", "width=1054 height=1054 rewards=random obstacles=0.1"}};
  float *x = floats();
  for (int i = 0; i < 2; i++) {
    CelMdp *mdp = generate("grid", grids[i].arguments);
    for (int threads = 1; threads <= 2; threads++)
      for (int soft = 1; soft >= 0; soft--)
        measure_sweeps(options, mdp, grids[i].what, x, 0.1 * soft, threads);
    cel_mdp_destroy(mdp);
  }
  free(x);
}

// ---- methods

static CelSolution *solve(const CelMdp *mdp, CelSolveMethod method, double alpha, double gamma,
                          double tolerance, double max_seconds) {
  CelSolveConfig config = cel_solve_config_default();
  config.alpha = alpha, config.gamma = gamma, config.method = method;
  config.tolerance = tolerance, config.max_seconds = max_seconds;
  CelSolution *solution;
  MUST(cel_solve(mdp, &config, &solution));
  return solution;
}

/// Median time of a few runs in seconds. Infinite if the certificate was not reached in
/// `max_seconds`.
static double seconds_of(const CelMdp *mdp, CelSolveMethod method, double alpha, double gamma,
                         double max_seconds) {
  double seconds[5];
  int n = 0;
  for (double all = 0; n < 5 && (n == 0 || all < 2.0); n++) {
    CelSolution *solution = solve(mdp, method, alpha, gamma, 1e-9, max_seconds);
    seconds[n] = solution->certified ? solution->seconds : HUGE_VAL;
    all += solution->seconds;
    cel_solution_destroy(solution);
  }
  return bench_median(seconds, n);
}

static void seconds_row(const char *problem, const char *method, double seconds, double limit,
                        const char *limit_of) {
  BenchRow row = {
      .value = seconds, .unit = "s", .limit = limit, .limit_of = limit_of, .peer_value = NAN};
  snprintf(row.name, sizeof row.name, "%s: %s", problem, method);
  bench_row(&row);
}

/// Measures every method, then auto against the best of them. A method gets 20 times the time of
/// auto. `patient`: value iteration may take as long as it needs. Direct solves are measured on
/// grids only, because the factors of a large Garnet fill all memory.
static void measure_methods(const char *problem, const CelMdp *mdp, double alpha, double gamma,
                            bool patient) {
  const double automatic = seconds_of(mdp, CEL_SOLVE_AUTO, alpha, gamma, 0);
  double best = HUGE_VAL, iteration = NAN, newton = NAN;
  for (int m = 0; m < N_METHODS; m++) {
    const bool waits = patient && METHODS[m].method == CEL_SOLVE_VI;
    if (METHODS[m].method == CEL_SOLVE_PI && !mdp->grid) continue;
    const double seconds =
        seconds_of(mdp, METHODS[m].method, alpha, gamma, waits ? 0 : 20 * automatic);
    if (seconds < best) best = seconds;
    if (METHODS[m].method == CEL_SOLVE_VI) iteration = seconds;
    if (METHODS[m].method == CEL_SOLVE_NEWTON) newton = seconds;
    if (isfinite(seconds)) seconds_row(problem, METHODS[m].name, seconds, NAN, NULL);
  }
  seconds_row(problem, "auto", automatic, best, "seconds of the best method");
  if (patient)
    seconds_row(problem, "Newton against VI", newton, iteration,
                "seconds of soft value iteration to the same certificate");
}

static void methods(void) {
  CelMdp *mdp = generate("grid", "width=300 height=300 rewards=random");
  measure_methods("random grid", mdp, 0.1, 0.999, true);
  cel_mdp_destroy(mdp);
  mdp = generate("grid", "width=300 height=300 rewards=goal");
  measure_methods("goal grid", mdp, 0.001, 0.99, false);
  measure_methods("goal grid, hard", mdp, 0.0, 0.99, false);
  cel_mdp_destroy(mdp);
  mdp = generate("garnet", "states=100000 actions=4 branching=5");
  measure_methods("Garnet", mdp, 0.1, 0.99, false);
  cel_mdp_destroy(mdp);
}

// ---- quantecon

/// The largest absolute difference of two vectors of values.
static double distance(const double *x, const double *y, int64_t n) {
  double most = 0;
  for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(x[i] - y[i]));
  return most;
}

typedef struct Peer {
  double sweep_ms; ///< one sweep of value iteration
  double best_seconds, best_error;
  char best[32];
} Peer;

/// Runs quantecon in the virtual environment of the peers. One file has the problem, another its
/// solution.
static Peer run_quantecon(const char *problem, const char *solution, int threads) {
  Peer peer = {.sweep_ms = NAN, .best_seconds = HUGE_VAL, .best_error = NAN};
  char command[512], line[4096];
  snprintf(command, sizeof command,
           "build/venv-peers/bin/python bench/peers/quantecon_mdp.py --threads %d %s %s", threads,
           problem, solution);
  FILE *pipe = popen(command, "r");
  if (!pipe) bench_die("cannot run %s", command);
  while (fgets(line, sizeof line, pipe)) {
    cJSON *object = cJSON_Parse(line);
    if (!object) bench_die("%s: the output is not JSON: %s", command, line);
    const char *name = cJSON_GetObjectItemCaseSensitive(object, "name")->valuestring;
    const double seconds = cJSON_GetObjectItemCaseSensitive(object, "seconds")->valuedouble;
    if (strcmp(name, "sweep") == 0) {
      peer.sweep_ms = 1e3 * seconds;
    } else if (seconds < peer.best_seconds) {
      peer.best_seconds = seconds;
      peer.best_error = cJSON_GetObjectItemCaseSensitive(object, "error")->valuedouble;
      snprintf(peer.best, sizeof peer.best, "%.*s", (int)sizeof peer.best - 1, name);
    }
    cJSON_Delete(object);
  }
  if (pclose(pipe) != 0) bench_die("%s failed", command);
  return peer;
}

static void peer_row(const char *name, double value, const char *unit, const char *peer,
                     double peer_value) {
  BenchRow row = {.value = value, .unit = unit, .limit = NAN, .peer_value = peer_value};
  snprintf(row.name, sizeof row.name, "%s", name);
  snprintf(row.peer, sizeof row.peer, "quantecon %s", peer);
  bench_row(&row);
}

static double sweep_ms(const BenchOptions *options, const CelMdp *mdp, int threads) {
  CeliOperator *op;
  double *V, *next, times[64];
  const int n = options->repeats < 64 ? options->repeats : 64;
  MUST(celi_operator_create(&op, mdp, 0.99, threads, 0));
  MUST(celi_operator_vector(op, &V));
  MUST(celi_operator_vector(op, &next));
  for (int r = 0; r < n; r++) {
    const double start = bench_now();
    for (int k = 0; k < 20; k++) {
      celi_operator_sweep(op, 0, next, V);
      celi_operator_sweep(op, 0, V, next);
    }
    times[r] = 1e3 * (bench_now() - start) / 40;
  }
  free(V), free(next);
  celi_operator_destroy(op);
  return bench_median(times, n);
}

/// The problem without entropy on a slippery grid of 300 x 300 with gamma 0.99: one sweep, and the
/// time to reach the error that the fastest method of quantecon has at its end.
static void against_quantecon(const BenchOptions *options) {
  CelMdp *mdp = generate("grid", "width=300 height=300 rewards=random gamma=0.99");
  char folder[] = "/tmp/celsius-bench-XXXXXX", problem[64], solution[64];
  if (!mkdtemp(folder)) bench_die("cannot write to /tmp");
  snprintf(problem, sizeof problem, "%s/problem.safetensors", folder);
  snprintf(solution, sizeof solution, "%s/solution.safetensors", folder);
  CelSolution *exact = solve(mdp, CEL_SOLVE_AUTO, 0, NAN, 1e-13, 0);
  MUST(cel_mdp_save(mdp, problem, CEL_MDP_SAFETENSORS));
  MUST(cel_solution_save(exact, solution));
  for (int threads = 1; threads <= 2; threads++) {
    const Peer peer = run_quantecon(problem, solution, threads);
    char name[64];
    snprintf(name, sizeof name, "hard sweep, 300 x 300, %d thread%s", threads,
             threads > 1 ? "s" : "");
    peer_row(name, sweep_ms(options, mdp, threads), "ms", "vi", peer.sweep_ms);
    if (threads > 1) break;
    // Certified to the error of the peer.
    double most = 1.0, seconds[5];
    for (int64_t s = 0; s < exact->states; s++) most = fmax(most, fabs(exact->V[s]));
    double error = 0.0;
    for (int r = 0; r < 5; r++) {
      CelSolution *ours =
          solve(mdp, CEL_SOLVE_AUTO, 0, NAN, fmax(1e-12, peer.best_error / most), 0);
      seconds[r] = ours->seconds;
      error = fmax(error, distance(ours->V, exact->V, ours->states));
      cel_solution_destroy(ours);
    }
    snprintf(name, sizeof name, "auto to error %.1e (ours %.1e)", peer.best_error, error);
    peer_row(name, bench_median(seconds, 5), "s", peer.best, peer.best_seconds);
  }
  cel_solution_destroy(exact);
  cel_mdp_destroy(mdp);
  unlink(problem), unlink(solution), rmdir(folder);
}

// ---- ten million states

static void large(void) {
  const double start = bench_now();
  CelMdp *mdp = generate("grid", "width=3163 height=3162 rewards=random");
  const double made = bench_now();
  CelSolution *solution = solve(mdp, CEL_SOLVE_AUTO, 0.1, 0.99, 1e-9, 0);
  if (!solution->certified) bench_die("ten million states: the solution is not certified");
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  seconds_row("10M states x 4 actions, gamma .99", "made", made - start, NAN, NULL);
  seconds_row("10M states x 4 actions, gamma .99", "auto", solution->seconds, NAN, NULL);
  BenchRow row = {.value = (double)usage.ru_maxrss / 1e6,
                  .unit = "GB",
                  .limit = 12,
                  .limit_of = "12 GB",
                  .peer_value = NAN};
  snprintf(row.name, sizeof row.name, "10M states x 4 actions: most memory");
  bench_row(&row);
  cel_solution_destroy(solution);
  cel_mdp_destroy(mdp);
}

void bench_mdp(const BenchOptions *options, const char *name) {
  if (strcmp(name, "mdp-sweep") == 0) sweeps(options);
  if (strcmp(name, "mdp-large") == 0) large();
  if (strcmp(name, "mdp-methods") != 0) return;
  methods();
  if (options->peers) against_quantecon(options);
}
