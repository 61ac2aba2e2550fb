/// The run folder: creating and locking it, names of its files, its checkpoints.
#ifndef CELI_RUN_RUNFOLDER_H
#define CELI_RUN_RUNFOLDER_H
#include "base/file.h"
#include "celsius/agent.h"
#include "celsius/setup.h"

/// Writes folder/name to path. Errors: CEL_E_RANGE (too long).
CelStatus celi_path_join(char path[CEL_PATH_MAX], const char *folder,
                         const char *name) CEL_WARN_UNUSED;
/// Creates a folder and its parents. An existing folder is no error. Errors: CEL_E_IO.
CelStatus celi_folder_make(const char *path) CEL_WARN_UNUSED;

/// Creates the folder of a new run and writes its name to `folder`. It is setup->run.out, which
/// must be new or empty, or else the first free one of runs/ALGO-ENV-SEED, runs/ALGO-ENV-SEED-2,
/// ... overwrite: the folder may hold a run, see celi_runfolder_clear.
/// Errors: CEL_E_IO, CEL_E_RANGE.
CelStatus celi_runfolder_create(const CelSetup *setup, bool overwrite,
                                char folder[CEL_PATH_MAX]) CEL_WARN_UNUSED;
/// Deletes the files of a run in a folder that this process has locked. all: deletes config.yaml
/// too. Keeps other files. Errors: CEL_E_IO.
CelStatus celi_runfolder_clear(const char *folder, bool all) CEL_WARN_UNUSED;
/// Writes the path of a run folder's config.yaml. Errors: CEL_E_IO (no such folder, or not a run
/// folder), CEL_E_RANGE.
CelStatus celi_runfolder_check(const char *folder, char config[CEL_PATH_MAX]) CEL_WARN_UNUSED;
/// Opens the folder and locks it for this process, until the folder is closed or the process ends.
/// Deletes the temporary files of killed processes.
/// Errors: CEL_E_STATE (another process is training in the folder), CEL_E_IO.
CelStatus celi_runfolder_lock(const char *path, CeliFolder *folder) CEL_WARN_UNUSED;
/// Opens the subfolders of a run folder, and creates missing ones. Checks that no file of the run
/// is a symbolic link. Errors: CEL_E_IO (the message names the link).
CelStatus celi_runfolder_open_parts(const CeliFolder *folder, CeliFolder *checkpoints,
                                    CeliFolder *replay) CEL_WARN_UNUSED;

/// Writes a checkpoint's file name: step-000010000.safetensors.
void celi_checkpoint_name(char name[64], int64_t step);
/// Writes a checkpoint's path: folder/checkpoints/step-000010000.safetensors.
CelStatus celi_checkpoint_path(char path[CEL_PATH_MAX], const char *folder,
                               int64_t step) CEL_WARN_UNUSED;
/// Lists the steps of the checkpoints in a run folder, newest first. The caller frees *steps.
/// Errors: CEL_E_IO, CEL_E_MEMORY.
CelStatus celi_checkpoint_list(const char *folder, int64_t **steps, int64_t *n) CEL_WARN_UNUSED;
/// Keeps the newest `keep` checkpoints up to `step` and deletes all others, and the stored
/// transitions that no remaining checkpoint needs. Errors: CEL_E_IO, CEL_E_MEMORY.
CelStatus celi_checkpoint_prune(CelAgent *agent, const char *folder, const CeliFolder *checkpoints,
                                const CeliFolder *replay, int64_t step,
                                int64_t keep) CEL_WARN_UNUSED;

#endif
