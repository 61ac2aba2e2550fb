/// Setups: all settings of a run, under names and as text.
///
/// A run has its own fields (celsius/train.h); so do the algorithm and the environment. A setup
/// holds all three, so that a command line, a YAML file, a preset or another language sets them in
/// the same way: `cel_setup_set(setup, "batch_size", "100")`, `"env.gravity"`.
///
///     cel_setup_create(&setup, "sac", "Pendulum-v1");
///     cel_setup_preset(setup, "Pendulum-v1");
///     cel_setup_read(setup, "mine.yaml");
///     cel_setup_set(setup, "steps", "20000");
///     cel_setup_train(setup, NULL, &result);
///
/// A setup's file has the run's fields at the top level, a section with the algorithm's name, and a
/// section "env_args".
#ifndef CELSIUS_SETUP_H
#define CELSIUS_SETUP_H
#include "celsius/train.h"
CEL_BEGIN

typedef struct CelSetup {
  CelRunConfig run;           ///< the run's own fields
  const CelAlgoInfo *algo;    ///< the algorithm
  void *algo_config;          ///< its config struct, owned by the setup
  const CelEnvType *env;      ///< the environment type
  void *env_args;             ///< CelEnvOptions, then the type's arguments; owned by the setup
  const CelField *env_fields; ///< field table of env_args, which "env.KEY" refers to
} CelSetup;

/// Creates a setup with all fields at their defaults. Free it with cel_setup_destroy.
/// Errors: CEL_E_NAME (algorithm or environment; suggests the nearest name), CEL_E_IO (a shared
/// object), CEL_E_MEMORY.
CEL_API CelStatus cel_setup_create(CelSetup **out, const char *algo,
                                   const char *env) CEL_WARN_UNUSED;
/// Frees a setup. Takes NULL.
CEL_API void cel_setup_destroy(CelSetup *setup);
/// Copies a setup. Free the copy with cel_setup_destroy.
CEL_API CelStatus cel_setup_copy(CelSetup **out, const CelSetup *setup) CEL_WARN_UNUSED;

/// Sets one field from text: the run's, the algorithm's, or "env.KEY". '-' and '_' are equal.
/// Errors: CEL_E_NAME (suggests the nearest name of all three), CEL_E_TYPE, CEL_E_RANGE;
/// CEL_E_STATE for algo and env, which only cel_setup_create sets.
CEL_API CelStatus cel_setup_set(CelSetup *setup, const char *name,
                                const char *text) CEL_WARN_UNUSED;
/// Writes one field as text. Returns the full length of the text, or -1 when there is no such
/// field.
CEL_API int cel_setup_get(const CelSetup *setup, const char *name, char *text, size_t size);
/// Finds the row of a name in any of the three tables. Returns NULL when there is none.
CEL_API const CelField *cel_setup_find(const CelSetup *setup, const char *name);

/// Reads the environment of a setup's file; "" and *found false when the file names none. The path
/// of a plug-in is relative to the file's folder and becomes absolute here. The plug-in must be
/// allowed (cel_plugin_allow). Loads nothing.
/// Errors: CEL_E_STATE (not allowed; explains how to allow it), CEL_E_IO, and those of
/// cel_yaml_peek.
CEL_API CelStatus cel_setup_peek_env(const char *path, char env[CEL_PATH_MAX],
                                     bool *found) CEL_WARN_UNUSED;
/// Reads a YAML file. Fields that the file does not set keep their values. File paths are relative
/// to the YAML file's folder. The setup keeps its own algo and env, whatever the file says; a
/// section of another algorithm is an unknown key. Errors: as cel_yaml_read.
CEL_API CelStatus cel_setup_read(CelSetup *setup, const char *path) CEL_WARN_UNUSED;
/// Writes every field and the library's version to a YAML file. A relative path of an existing file
/// is written relative to the YAML file's folder, so that both can move together.
CEL_API CelStatus cel_setup_write(const CelSetup *setup, const char *path) CEL_WARN_UNUSED;

/// A preset: settings of an algorithm that are known to work on an environment. Static.
typedef struct CelPreset {
  const char *algo; ///< "sac"
  const char *name; ///< "Pendulum-v1"
  const char *doc;  ///< first comment line of the file
  const char *text; ///< YAML
} CelPreset;
/// Returns preset i, or NULL past the end.
CEL_API const CelPreset *cel_preset_at(int i);
/// Reads presets of the setup's algorithm, one after another: `names` are separated by commas, such
/// as "auto,tqc". Fields that they do not set keep their values. The name "auto" is the preset of
/// the environment; for the environment mdp, that of the problem that its current generator makes.
/// Errors: CEL_E_NAME (suggests the nearest name).
CEL_API CelStatus cel_setup_preset(CelSetup *setup, const char *names) CEL_WARN_UNUSED;

/// Creates the environment of the setup. Free it with cel_env_spec_destroy. Errors: as
/// cel_env_spec_create.
CEL_API CelStatus cel_setup_env(const CelSetup *setup, CelEnvSpec **out) CEL_WARN_UNUSED;

/// Trains as cel_train does. `hooks` and `result` may be NULL.
CEL_API CelStatus cel_setup_train(const CelSetup *setup, const CelRunHooks *hooks,
                                  CelRunResult *result) CEL_WARN_UNUSED;

CEL_END
#endif
