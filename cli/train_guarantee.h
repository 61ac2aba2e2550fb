/// celsius train --certify: the guarantee of every update, told while a run goes on.
#ifndef CLI_TRAIN_GUARANTEE_H
#define CLI_TRAIN_GUARANTEE_H
#include "cli.h"

#include <cjson/cJSON.h>

typedef struct TrainGuarantee {
  CliBar *bar; ///< cleared before a line is printed
  CelGuarantee *guarantee;
  double best; ///< J of the best policy
  cJSON *rows; ///< NULL: printed
  bool header; ///< it stands
  bool silent; ///< rows go to guarantee.csv only
} TrainGuarantee;

/// Whether the setup can be certified, asked before anything of the run is on disk.
/// Errors: CEL_E_UNSUPPORTED (no finite problem: names what is), and those of cel_guarantee_create.
CelStatus train_guarantee_check(const CelSetup *setup) CEL_WARN_UNUSED;
/// Whether the run in a folder was certified: such a run is resumed certified, so that its table has no holes.
bool train_guarantee_was(const char *folder);
/// For the hooks begun and updated.
CelStatus train_guarantee_begin(TrainGuarantee *g, CelAgent *agent, const CelEnvSpec *spec,
                                const char *folder) CEL_WARN_UNUSED;
CelStatus train_guarantee_step(TrainGuarantee *g, CelAgent *agent) CEL_WARN_UNUSED;
/// The summary: printed, or added to `json`; whether every bound held.
bool train_guarantee_end(TrainGuarantee *g, cJSON *json);
/// Whether every bound held so far.
bool train_guarantee_kept(const TrainGuarantee *g);
void train_guarantee_close(TrainGuarantee *g);

#endif
