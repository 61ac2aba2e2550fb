/// A setup: everything that decides a run, reached by name as text.
///
/// A run has fields of its own (celsius/train.h), the algorithm has some, the environment has some.
/// A setup holds all three, so that a command line, a YAML file, a preset or another language fills
/// them in the same way: `cel_setup_set(setup, "batch_size", "100")`, `"env.gravity"`.
///
///     cel_setup_create(&setup, "sac", "Pendulum-v1");
///     cel_setup_preset(setup, "Pendulum-v1");
///     cel_setup_read(setup, "mine.yaml");
///     cel_setup_set(setup, "steps", "20000");
///     cel_setup_train(setup, NULL, &result);
///
/// As a file: the run's fields at the top level, a section of the algorithm's name, a section
/// "env_args".
#ifndef CELSIUS_SETUP_H
#define CELSIUS_SETUP_H
#include "celsius/train.h"
CEL_BEGIN

typedef struct CelSetup {
  CelRunConfig run;
  const CelAlgoInfo *algo;
  void *algo_config; ///< the algorithm's struct
  const CelEnvType *env;
  void *env_args;             ///< CelEnvOptions, then the type's own arguments
  const CelField *env_fields; ///< the table of env_args: what "env.KEY" reaches
} CelSetup;

/// Everything at its defaults.
/// Errors: CEL_E_NAME (algorithm or environment: names the nearest), CEL_E_IO (a shared object),
/// CEL_E_MEMORY.
CEL_API CelStatus cel_setup_create(CelSetup **out, const char *algo,
                                   const char *env) CEL_WARN_UNUSED;
CEL_API void cel_setup_destroy(CelSetup *setup);
CEL_API CelStatus cel_setup_copy(CelSetup **out, const CelSetup *setup) CEL_WARN_UNUSED;

/// Sets one field from text: the run's, the algorithm's, or "env.KEY"; '-' and '_' are alike.
/// Errors: CEL_E_NAME (the nearest of all three), CEL_E_TYPE, CEL_E_RANGE; CEL_E_STATE for algo and
/// env, which are chosen at create.
CEL_API CelStatus cel_setup_set(CelSetup *setup, const char *name,
                                const char *text) CEL_WARN_UNUSED;
/// The text of one field; the length that it has or would have, -1 when there is none of that name.
CEL_API int cel_setup_get(const CelSetup *setup, const char *name, char *text, size_t size);
/// The row of a name in whichever table has it, or NULL.
CEL_API const CelField *cel_setup_find(const CelSetup *setup, const char *name);

/// The environment that a setup's file is for, "" and *found false when it names none. A plug-in's
/// path becomes absolute (it is relative to the file's folder), and the plug-in must be allowed
/// (cel_plugin_allow). Loads nothing. Errors: CEL_E_STATE (not allowed: says how to allow it),
/// CEL_E_IO, and those of cel_yaml_peek.
CEL_API CelStatus cel_setup_peek_env(const char *path, char env[CEL_PATH_MAX],
                                     bool *found) CEL_WARN_UNUSED;
/// Reads a YAML file over what is there. Paths of files are relative to the YAML file's folder. What a setup is for does not change: its algo and env win
/// over the file's, and a section of another algorithm is an unknown key. Errors: as cel_yaml_read.
CEL_API CelStatus cel_setup_read(CelSetup *setup, const char *path) CEL_WARN_UNUSED;
/// Writes every field, and the library's version, to a YAML file. Relative paths of files that exist
/// are written relative to the YAML file's folder, so that both can be moved together.
CEL_API CelStatus cel_setup_write(const CelSetup *setup, const char *path) CEL_WARN_UNUSED;

/// A preset: settings of an algorithm that are known to work on an environment.
typedef struct CelPreset {
  const char *algo; ///< "sac"
  const char *name; ///< "Pendulum-v1"
  const char *doc;  ///< the file's first comment line
  const char *text; ///< YAML
} CelPreset;
/// Preset i, NULL past the end.
CEL_API const CelPreset *cel_preset_at(int i);
/// Reads a preset of the setup's algorithm over what is there. `name` "auto": that of the
/// environment; of the environment mdp that of the problem which its generator makes, as it is set by
/// then. Errors: CEL_E_NAME (the nearest).
CEL_API CelStatus cel_setup_preset(CelSetup *setup, const char *name) CEL_WARN_UNUSED;

/// Makes the environment that the setup describes. Errors: as cel_env_spec_create.
CEL_API CelStatus cel_setup_env(const CelSetup *setup, CelEnvSpec **out) CEL_WARN_UNUSED;

/// Trains as cel_train does.
CEL_API CelStatus cel_setup_train(const CelSetup *setup, const CelRunHooks *hooks,
                                  CelRunResult *result) CEL_WARN_UNUSED;

CEL_END
#endif
