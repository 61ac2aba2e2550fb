/// The run folder: making it, locking it, the names in it, the checkpoints there.
#ifndef CELI_RUN_RUNFOLDER_H
#define CELI_RUN_RUNFOLDER_H
#include "base/file.h"
#include "celsius/agent.h"
#include "celsius/setup.h"

/// path = folder/name. Errors: CEL_E_RANGE (too long).
CelStatus celi_path_join(char path[CEL_PATH_MAX], const char *folder,
                         const char *name) CEL_WARN_UNUSED;
/// Makes a folder and those above it; no error when it is there. Errors: CEL_E_IO.
CelStatus celi_folder_make(const char *path) CEL_WARN_UNUSED;

/// Makes the folder of a new run: setup->run.out, which must be new or empty, or the first free of
/// runs/ALGO-ENV-SEED, -2, -3, ... Writes its name. Errors: CEL_E_IO, CEL_E_RANGE.
/// overwrite: the folder may hold a run, see celi_runfolder_clear.
CelStatus celi_runfolder_create(const CelSetup *setup, bool overwrite,
                                char folder[CEL_PATH_MAX]) CEL_WARN_UNUSED;
/// Deletes what a run left in a folder that this process has locked; all: its config.yaml too. Other files stay.
/// Errors: CEL_E_IO.
CelStatus celi_runfolder_clear(const char *folder, bool all) CEL_WARN_UNUSED;
/// The path of a run folder's config.yaml. Errors: CEL_E_IO (no such folder, or not one of a run),
/// CEL_E_RANGE.
CelStatus celi_runfolder_check(const char *folder, char config[CEL_PATH_MAX]) CEL_WARN_UNUSED;
/// Opens the folder and takes it for this process, until it is closed (a killed process gives it
/// back too). Deletes the temporary files of killed writers.
/// Errors: CEL_E_STATE (another process trains there), CEL_E_IO.
CelStatus celi_runfolder_lock(const char *path, CeliFolder *folder) CEL_WARN_UNUSED;
/// Opens the folders in it, and makes those that are missing. Nothing that a run writes may be a
/// symbolic link. Errors: CEL_E_IO (names the link).
CelStatus celi_runfolder_open_parts(const CeliFolder *folder, CeliFolder *checkpoints,
                                    CeliFolder *replay) CEL_WARN_UNUSED;

/// A checkpoint's name in the folder checkpoints: step-000010000.safetensors.
void celi_checkpoint_name(char name[64], int64_t step);
/// A checkpoint's file: folder/checkpoints/step-000010000.safetensors.
CelStatus celi_checkpoint_path(char path[CEL_PATH_MAX], const char *folder,
                               int64_t step) CEL_WARN_UNUSED;
/// Steps of the checkpoints in a folder, newest first; *steps is the caller's to free. Errors:
/// CEL_E_IO, CEL_E_MEMORY.
CelStatus celi_checkpoint_list(const char *folder, int64_t **steps, int64_t *n) CEL_WARN_UNUSED;
/// After a checkpoint was written: deletes those beyond the newest `keep` up to `step`, and the
/// stored transitions that no remaining one needs. Errors: CEL_E_IO, CEL_E_MEMORY.
CelStatus celi_checkpoint_prune(CelAgent *agent, const char *folder, const CeliFolder *checkpoints,
                                const CeliFolder *replay, int64_t step,
                                int64_t keep) CEL_WARN_UNUSED;

#endif
