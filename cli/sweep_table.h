/// The results of a sweep, read from its run folders (sweep_table.c).
#ifndef CLI_SWEEP_TABLE_H
#define CLI_SWEEP_TABLE_H
#include "group.h"

/// What a run folder says of its run.
typedef struct SweepResult {
  bool complete; ///< it has a final model, and all planned steps were made
  int64_t steps;
  double mean_return; ///< of the last evaluation; without evaluations: of the last episodes
  double best_return; ///< of the best evaluation
} SweepResult;

SweepResult sweep_result(const char *folder);
/// Prints a row for each combination, the best first, and writes results.csv into the folder.
/// Without `write`, only if all runs are complete. Errors: CEL_E_MEMORY, CEL_E_IO.
CelStatus sweep_table(const CliGroup *group, bool json, bool write) CEL_WARN_UNUSED;

#endif
