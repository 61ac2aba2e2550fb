/// Benchmarks and their report.
///
/// A benchmark measures its own upper limit in the same run, interleaved with itself. A row's
/// fraction of the limit is then meaningful on a machine whose speed varies. Values are medians
/// over repetitions.
#ifndef BENCH_H
#define BENCH_H
#include <cjson/cJSON.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

/// One row of the table. A number that does not exist is NAN.
typedef struct BenchRow {
  char name[64];
  double value;
  const char *unit;
  double limit;         ///< upper limit of the value, measured in the same run
  const char *limit_of; ///< what the limit is
  char peer[64];        ///< name of the other library, or ""
  double peer_value;
} BenchRow;

typedef struct BenchOptions {
  double seconds; ///< measuring time of one row
  int repeats;
  bool peers;
} BenchOptions;

/// Adds a row to the report.
void bench_row(const BenchRow *row);

/// Seconds of the monotonic clock.
double bench_now(void);
/// The median of n numbers. Sorts them.
double bench_median(double *x, int n);
/// Prints a message and ends the program. A benchmark that cannot run is a failure.
_Noreturn void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/// Takes one line of another program's output.
typedef void BenchLine(const cJSON *line, void *user);
/// Runs a shell command that prints one JSON object per line, and calls `each` with every line.
void bench_lines(const char *command, BenchLine *each, void *user);
/// A number of a line, or NAN; a text of a line, or "".
double bench_number(const cJSON *object, const char *key);
const char *bench_string(const cJSON *object, const char *key);

/// The benchmarks, one file each. `name` chooses one of a file with several.
void bench_sac(const BenchOptions *options, const char *name);
void bench_sqlc(const BenchOptions *options, const char *name);
void bench_ppo(const BenchOptions *options, const char *name);
void bench_ppo_cartpole(const BenchOptions *options, const char *name);
void bench_env(const BenchOptions *options, const char *name);
void bench_kernels(const BenchOptions *options, const char *name);
void bench_memory(const BenchOptions *options, const char *name);
void bench_mdp(const BenchOptions *options, const char *name);
void bench_python(const BenchOptions *options, const char *name);
void bench_mujoco(const BenchOptions *options, const char *name);

/// Runs bench/peers for one size and number of threads and adds rows that compare with `ours`.
void bench_peers(const char *ours, double value, const char *unit, const char *size, int threads);

#endif
