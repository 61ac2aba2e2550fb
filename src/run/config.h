/// A run's configuration inside the library: its file, paths in the file, and its identity.
#ifndef CELI_RUN_CONFIG_H
#define CELI_RUN_CONFIG_H
#include "base/base.h"
#include "celsius/setup.h"

/// The section of a file that names the version of Celsius that wrote it.
typedef struct CeliWritten {
  char version[CEL_TEXT_MAX];
} CeliWritten;

/// Offset of the type's own arguments in env_args.
size_t celi_env_args_offset(void);
/// The two parts of a setup's env_args: options of all environments, arguments of the type.
const CelEnvOptions *celi_setup_env_options(const CelSetup *setup);
const void *celi_setup_env_config(const CelSetup *setup);

/// cel_setup_write into an open folder. folder NULL: `name` is a path.
CelStatus celi_setup_write_in(const CelSetup *setup, const CeliFolder *folder,
                              const char *name) CEL_WARN_UNUSED;
/// Rewrites the setup file `path` as `name` in a folder, with another number of steps and the
/// setup's threads. Paths in it stay unchanged. Errors: those of cel_setup_read, CEL_E_IO.
CelStatus celi_setup_replan(const CelSetup *setup, const CeliFolder *folder, const char *name,
                            const char *path, int64_t steps) CEL_WARN_UNUSED;
/// Whether a field of a run may change when the run is resumed.
bool celi_setup_field_is_free(const char *name);

// ---- setup_paths.c

/// Paths in a setup file: paths of existing files are relative to the setup file's folder. All
/// other texts stay unchanged.
///
/// Changes the paths in env_args and run.env to the form for the file `path`.
/// Errors: CEL_E_IO, CEL_E_RANGE.
CelStatus celi_setup_paths_to_file(const char *path, CelSetup *setup) CEL_WARN_UNUSED;
/// Marks the environment's paths before a setup file is read.
void celi_setup_paths_mark(CelSetup *setup);
/// After reading the file `path`, makes the paths that it set absolute. The others get back their
/// values from `before`, a copy of env_args. Errors: CEL_E_IO, CEL_E_RANGE.
CelStatus celi_setup_paths_from_file(const char *path, CelSetup *setup,
                                     const void *before) CEL_WARN_UNUSED;
/// Resolves the environment's id in the file `path`: finds a plug-in relative to the file and
/// checks that it is allowed. Errors: CEL_E_IO, CEL_E_STATE (not allowed; the message says how to
/// allow it).
CelStatus celi_setup_id_from_file(const char *path, char id[CEL_PATH_MAX]) CEL_WARN_UNUSED;

/// The environment's id without the folder of its file, such as "my.so:Name" or "robot.yaml".
/// Points into `id`.
const char *celi_env_short_id(const char *id);

/// The identity of a run: everything that its results depend on, one "name=value" per line. It has
/// the algorithm, the environment, the seed, the number of environments, and all their fields. It
/// omits fields that may change when a run is resumed: steps, threads, logging, checkpoints.
void celi_setup_identity(const CelSetup *setup, CeliText *text);

/// Creates a setup from a run's config.yaml. Errors: those of cel_setup_read, CEL_E_FORMAT (no algo
/// or env), CEL_E_STATE (the plug-in is not allowed).
CelStatus celi_setup_open(const char *path, CelSetup **out) CEL_WARN_UNUSED;

#endif
