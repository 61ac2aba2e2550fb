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

/// The environment's id without the folder of a shared object: "my.so:Name". Points into `id`.
const char *celi_env_short_id(const char *id);

/// Everything that the course of a run depends on, one "name=value" a line: algorithm, environment,
/// seed, number of environments and their fields, not what may change between two sittings (steps,
/// threads, what is logged and kept).
void celi_setup_identity(const CelSetup *setup, CeliText *text);

/// Makes a setup from a run's config.yaml. Errors: as cel_setup_read, CEL_E_FORMAT (no algo or
/// env).
CelStatus celi_setup_open(const char *path, CelSetup **out) CEL_WARN_UNUSED;

#endif
