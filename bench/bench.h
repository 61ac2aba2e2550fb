/// Benchmarks: what is measured, and how a row is reported.
///
/// A benchmark measures its own ceiling in the same run and interleaved with itself, so that a row's fraction
/// means something on a machine whose speed drifts. Values are medians over repetitions.
#ifndef BENCH_H
#define BENCH_H
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

/// One row of the table; NAN where there is no such number.
typedef struct BenchRow {
  char name[64];
  double value;
  const char *unit;
  double limit;         ///< the ceiling for this value, measured in the same run
  const char *limit_of; ///< what the ceiling is
  char peer[64];        ///< "" when no peer was asked for
  double peer_value;
} BenchRow;

typedef struct BenchOptions {
  double seconds; ///< of measuring, a row
  int repeats;
  bool peers;
} BenchOptions;

/// Adds a row to the report.
void bench_row(const BenchRow *row);

/// Seconds on a clock that does not jump.
double bench_now(void);
/// Median of n numbers; sorts them.
double bench_median(double *x, int n);
/// Ends the program with a message: a benchmark that cannot run is a failure.
_Noreturn void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/// The benchmarks, one file each; false when `name` is not theirs.
void bench_sac(const BenchOptions *options, const char *name);
void bench_sqlc(const BenchOptions *options, const char *name);
void bench_ppo(const BenchOptions *options, const char *name);
void bench_ppo_cartpole(const BenchOptions *options, const char *name);
void bench_env(const BenchOptions *options, const char *name);
void bench_kernels(const BenchOptions *options, const char *name);
void bench_memory(const BenchOptions *options, const char *name);
void bench_mdp(const BenchOptions *options, const char *name);

/// Measured rows of bench/peers for one size and number of threads, appended as rows that compare with `ours`.
void bench_peers(const char *ours, double value, const char *unit, const char *size, int threads);

#endif
