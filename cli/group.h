/// Several training runs, each in a process of its own (group.c). Used by seeds.c and sweep.c.
#ifndef CLI_GROUP_H
#define CLI_GROUP_H
#include "cli.h"

#include <sys/types.h>

#define CLI_RUNS_MAX 10000 ///< runs of a group

typedef enum CliJobState {
  CLI_JOB_WAITING,
  CLI_JOB_RUNNING,
  CLI_JOB_DONE,
  CLI_JOB_FAILED
} CliJobState;

typedef struct CliJob {
  CliJobState state;
  uint64_t seed;
  char name[96]; ///< before the run's messages: "seed 3"
  char folder[CEL_PATH_MAX];
  bool fresh;    ///< this process made the folder, and it holds only config.yaml
  bool broken;   ///< a bound of a run with --guarantee did not hold
  int64_t steps; ///< planned steps
  pid_t pid;
  int fd;
  int code; ///< exit code of a failed run
  CelProgress progress;
  CelRunResult result; ///< of a run that is done
} CliJob;

typedef struct CliGroup {
  const CelSetup *setup; ///< NULL: the runs are resumed, or started from their config.yaml
  const CliSeeds *options;
  char folder[CEL_PATH_MAX]; ///< of all runs
  CliJob *jobs;
  int n, at_once;
  bool plugin; ///< the environment is a plugin
  bool told_stop;
  CliBar bar;
  char label[64];
} CliGroup;

/// Trains all runs that wait, until each has ended or a stop was requested.
/// Errors: CEL_E_MEMORY (no process can be started). A failed run is no error: see its state.
CelStatus cli_group_run(CliGroup *group) CEL_WARN_UNUSED;
int cli_group_count(const CliGroup *group, CliJobState state);
/// The code of the first failed run; 1 if a bound did not hold; CEL_E_INTERRUPTED if runs wait.
int cli_group_exit_code(const CliGroup *group);
/// "not started", "stopped" or "failed".
const char *cli_job_state(const CliJob *job);
/// Checks that `runs` runs at once with this setup fit into memory together. Each run checks itself
/// too, but at that time the buffers of the others still count as free. Errors: CEL_E_MEMORY.
CelStatus cli_group_check_memory(const CelSetup *setup, int runs) CEL_WARN_UNUSED;
/// Chooses and makes the folder of all runs: --out, or the first unused one of runs/ALGO-ENV-WHAT,
/// runs/ALGO-ENV-WHAT-2, ... Errors: CEL_E_IO (a file, a single run, not writable).
CelStatus cli_group_choose_folder(CliGroup *group, const CelRunConfig *run,
                                  const char *what) CEL_WARN_UNUSED;
/// Finds the runs seed-K of a folder and fills in their seeds, folders and names, sorted by seed;
/// at most `most`.
CelStatus cli_seeds_find(const char *folder, CliJob *jobs, int most, int *n) CEL_WARN_UNUSED;
/// Sets the folder of a job, PARENT/seed-K, and its name. Errors: CEL_E_RANGE (too long).
CelStatus cli_job_place(CliJob *job, const char *parent) CEL_WARN_UNUSED;
/// Makes the folder of a job with its config.yaml, so that the run can be resumed before it has
/// started. A folder that is there stays as it is.
CelStatus cli_job_make(CliJob *job, const CelSetup *setup) CEL_WARN_UNUSED;
/// Reads the planned steps of a job from its config.yaml. Notes in the group if its environment is
/// a plugin.
CelStatus cli_job_read(CliGroup *group, CliJob *job) CEL_WARN_UNUSED;
/// True for an environment of a plugin, FILE.so:Name. No id of the library has a colon.
bool cli_is_plugin(const char *env);
/// Makes a folder and those above it. Errors: CEL_E_IO.
CelStatus cli_make_folder(const char *path) CEL_WARN_UNUSED;
/// Mean of n values, and their mean without the lowest and the highest floor(n/4), as in plots.
/// Sorts the values. NaN if n is 0.
void cli_average(double *values, int n, double *mean, double *middle);

#endif
