/// Hyperparameter files of RL Zoo (RL Baselines3 Zoo): settings by environment, as YAML.
///
///     cel_zoo_open("ppo.yml", &zoo);
///     cel_zoo_find(zoo, "CartPole-v1", &i);
///     cel_zoo_apply(zoo, i, setup);
///     cel_zoo_close(zoo);
///
/// The reader supports what these files use: `!!float`, anchors, aliases, merges (`<<: *name`),
/// numbers such as 1_000_000, schedules (`lin_3e-4`), and Python literals in texts, such as
/// "dict(log_std_init=-3, net_arch=[400, 300])". It parses literals and never evaluates them.
///
/// Every setting is either applied or an error that names it. None is ignored.
#ifndef CELSIUS_ZOO_H
#define CELSIUS_ZOO_H
#include "celsius/setup.h"
CEL_BEGIN

typedef struct CelZoo CelZoo;

/// Reads a file. Checks the YAML of the whole file; settings are checked by cel_zoo_apply. Close it
/// with cel_zoo_close.
/// Errors: CEL_E_IO, CEL_E_FORMAT (line, column; more than 1 MiB, 32 levels or 512 keys of a
/// mapping), CEL_E_NAME (a repeated key), CEL_E_MEMORY.
CEL_API CelStatus cel_zoo_open(const char *path, CelZoo **out) CEL_WARN_UNUSED;
/// Frees a file. Takes NULL.
CEL_API void cel_zoo_close(CelZoo *zoo);
/// Returns the name of entry i, such as "CartPole-v1", or NULL past the end. The file owns it.
CEL_API const char *cel_zoo_entry(const CelZoo *zoo, int64_t i);
/// Finds the entry of an environment, or else the entry "default".
/// Errors: CEL_E_NAME (neither exists; suggests the nearest name).
CEL_API CelStatus cel_zoo_find(const CelZoo *zoo, const char *name, int64_t *i) CEL_WARN_UNUSED;
/// Writes entry i as JSON, with merges resolved and Python literals parsed. A Python name
/// ("nn.ReLU") becomes a text, a tuple a list, and None null. The file owns the text, which is
/// valid until the next call.
/// Errors: CEL_E_RANGE (i; more than 1 MiB of JSON), CEL_E_FORMAT (a literal), CEL_E_MEMORY.
CEL_API CelStatus cel_zoo_json(CelZoo *zoo, int64_t i, const char **json) CEL_WARN_UNUSED;
/// Applies entry i to a setup. Fields that the entry does not set keep their values. On error
/// nothing changes.
/// Errors: CEL_E_RANGE, CEL_E_TYPE (a value), CEL_E_NAME (an unknown setting; suggests the nearest
/// field), CEL_E_UNSUPPORTED (a setting that Celsius has no counterpart for), CEL_E_FORMAT (a
/// literal). Each names file, line and key.
CEL_API CelStatus cel_zoo_apply(const CelZoo *zoo, int64_t i, CelSetup *setup) CEL_WARN_UNUSED;

CEL_END
#endif
