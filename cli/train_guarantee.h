/// celsius train --guarantee: prints the guarantee of every update during training.
#ifndef CLI_TRAIN_GUARANTEE_H
#define CLI_TRAIN_GUARANTEE_H
#include "cli.h"

#include <cjson/cJSON.h>

typedef struct TrainGuarantee {
  CliBar *bar; ///< cleared before a line is printed
  CelGuarantee *guarantee;
  double best; ///< J of the optimal policy
  cJSON *rows; ///< NULL: rows are printed as text
  bool header; ///< the header was printed
  bool silent; ///< rows go to guarantee.csv only
} TrainGuarantee;

/// Checks that the setup can be certified, before anything is written to disk.
/// Errors: CEL_E_UNSUPPORTED (not a finite problem), and those of cel_guarantee_create.
CelStatus train_guarantee_check(const CelSetup *setup) CEL_WARN_UNUSED;
/// True if the run in the folder was trained with --guarantee. Its updates continue to be checked
/// when it is resumed, so that its table is complete.
bool train_guarantee_was(const char *folder);
/// These two are called by the run's hooks `begun` and `updated`.
CelStatus train_guarantee_begin(TrainGuarantee *g, CelAgent *agent, const CelEnvSpec *spec,
                                const char *folder) CEL_WARN_UNUSED;
CelStatus train_guarantee_step(TrainGuarantee *g, CelAgent *agent) CEL_WARN_UNUSED;
/// Prints the summary, or adds it to `json` if that is not NULL. Returns true if every bound held.
bool train_guarantee_end(TrainGuarantee *g, cJSON *json);
/// True if every bound held so far.
bool train_guarantee_kept(const TrainGuarantee *g);
void train_guarantee_close(TrainGuarantee *g);

#endif
