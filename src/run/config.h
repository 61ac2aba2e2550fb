/// A run's configuration inside the library: sections of its file, and the text by which a
/// checkpoint recognises it.
#ifndef CELI_RUN_CONFIG_H
#define CELI_RUN_CONFIG_H
#include "base/base.h"
#include "celsius/setup.h"

/// The struct of the section that says which version wrote a file.
typedef struct CeliWritten {
  char version[CEL_TEXT_MAX];
} CeliWritten;

/// Where the type's own arguments begin inside of env_args.
size_t celi_env_args_offset(void);
/// The parts of a setup's env_args.
const CelEnvOptions *celi_setup_env_options(const CelSetup *setup);
const void *celi_setup_env_config(const CelSetup *setup);

/// As cel_setup_write, into an open folder; NULL: `name` is a path.
CelStatus celi_setup_write_in(const CelSetup *setup, const CeliFolder *folder,
                              const char *name) CEL_WARN_UNUSED;
/// Writes the file `path` of a setup again, for another number of steps and the setup's threads, as
/// `name` in a folder; its paths stay as they stand there. Errors: as cel_setup_read, CEL_E_IO.
CelStatus celi_setup_replan(const CelSetup *setup, const CeliFolder *folder, const char *name,
                            const char *path, int64_t steps) CEL_WARN_UNUSED;
/// True for a field of a run that may differ between two sittings of it.
bool celi_setup_field_is_free(const char *name);

// ---- setup_paths.c: paths in the file of a setup. Those of files that exist are relative to the
// file's folder there; all others stay as they are.

/// Makes the paths of a setup ready to be written to the file `path`; changes env_args and run.env.
/// Errors: CEL_E_IO, CEL_E_RANGE.
CelStatus celi_setup_paths_to_file(const char *path, CelSetup *setup) CEL_WARN_UNUSED;
/// Marks the environment's paths before a file is read over them.
void celi_setup_paths_mark(CelSetup *setup);
/// Makes those absolute that the file `path` has set; the others get back their values from
/// `before`, a copy of env_args. Errors: CEL_E_IO, CEL_E_RANGE.
CelStatus celi_setup_paths_from_file(const char *path, CelSetup *setup,
                                     const void *before) CEL_WARN_UNUSED;
/// The environment's id as the file `path` names it: finds a plug-in relative to the file, and
/// checks that it may be loaded. Errors: CEL_E_IO, CEL_E_STATE (not allowed: says how to allow it).
CelStatus celi_setup_id_from_file(const char *path, char id[CEL_PATH_MAX]) CEL_WARN_UNUSED;

/// The environment's id without the folder of a shared object: "my.so:Name". Points into `id`.
const char *celi_env_short_id(const char *id);

/// Everything that the course of a run depends on, one "name=value" a line: algorithm, environment,
/// seed, number of environments and their fields, not what may change between two sittings (steps,
/// threads, what is logged and kept).
void celi_setup_identity(const CelSetup *setup, CeliText *text);

/// Makes a setup from a run's config.yaml. Errors: as cel_setup_read, CEL_E_FORMAT (no algo or
/// env), CEL_E_STATE (a plug-in that is not allowed).
CelStatus celi_setup_open(const char *path, CelSetup **out) CEL_WARN_UNUSED;

#endif
