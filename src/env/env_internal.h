/// What the files of src/env share: the built-in environment types, type checks, plug-ins.
#ifndef CELI_ENV_INTERNAL_H
#define CELI_ENV_INTERNAL_H
#include "celsius/env.h"

extern const CelEnvType celi_env_cartpole;
extern const CelEnvType celi_env_pendulum;
extern const CelEnvType celi_env_mountain_car;
extern const CelEnvType celi_env_mountain_car_continuous;
extern const CelEnvType celi_env_acrobot;
extern const CelEnvType celi_env_lqr;
extern const CelEnvType celi_env_multigoal;
extern const CelEnvType celi_env_mdp;
extern const CelEnvType celi_env_frozenlake;
extern const CelEnvType celi_env_frozenlake_8x8;
extern const CelEnvType celi_env_taxi;
extern const CelEnvType celi_env_cliffwalking;
extern const CelEnvType celi_env_garnet;

/// The id of the built-in environment for a problem of type mdp, or the type's own id if there is
/// none. config: the type's arguments.
const char *celi_env_mdp_id(const CelEnvType *type, const void *config);

/// Checks that a type is complete. Errors: CEL_E_UNSUPPORTED (abi), CEL_E_ARGUMENT (the message
/// names the missing part).
CelStatus celi_env_type_check(const CelEnvType *type) CEL_WARN_UNUSED;

/// Finds a type by id, in the registry or in a shared object. *library: NULL or the shared object,
/// to be closed with celi_plugin_close. Errors: CEL_E_ARGUMENT (empty id), CEL_E_NAME (unknown id),
/// and those of celi_plugin_open.
CelStatus celi_env_type_find(const char *id, const CelEnvType **type,
                             void **library) CEL_WARN_UNUSED;

/// Whether an id names a shared object, "FILE.so:Name".
bool celi_plugin_is(const char *id);
/// Checks that a configuration file may name this environment: a built-in one, or a plug-in in an
/// allowed folder. Errors: CEL_E_STATE (not allowed; the message says how to allow it), CEL_E_IO
/// (the shared object is missing).
CelStatus celi_plugin_check(const char *id) CEL_WARN_UNUSED;
/// Checks that a file, and all folders from `root` down to it, belong to this user or to root, and
/// that no other user can write to them. Both are real paths. remedy: the end of the message.
/// Errors: CEL_E_STATE, CEL_E_IO.
CelStatus celi_plugin_check_owners(const char *file, const char *root,
                                   const char *remedy) CEL_WARN_UNUSED;
/// Opens the shared object and gets its type, which is valid until the process ends.
/// Errors: CEL_E_IO (with the loader's message), CEL_E_NAME (no such symbol), CEL_E_UNSUPPORTED
/// (abi), CEL_E_ARGUMENT (incomplete type).
CelStatus celi_plugin_open(const char *id, const CelEnvType **type, void **library) CEL_WARN_UNUSED;
void celi_plugin_close(void *library);

/// Whether an id names a file that describes an environment: "robot.yaml".
bool celi_env_file_is(const char *id);
/// Gets the type of the environment that a file describes, from the collection that reads such
/// files. It is valid until the process ends. The type's open reads the file. Errors:
/// CEL_E_UNSUPPORTED (the collection is missing), CEL_E_IO (no such file), CEL_E_MEMORY, and those
/// of celi_env_type_check.
CelStatus celi_env_file_type(const char *id, const CelEnvType **type) CEL_WARN_UNUSED;

/// Type i of all collections (CelEnvPack) that are present, or NULL.
const CelEnvType *celi_env_pack_type_at(int i);
/// Fails with CEL_E_UNSUPPORTED if the id belongs to a collection that is missing. The message says
/// how to get it.
CelStatus celi_env_pack_explain(const char *id) CEL_WARN_UNUSED;

/// Draws the hill, its flag, and a car at `position`, for both mountain car environments.
void celi_mountain_render(CelCanvas *canvas, double min_position, double max_position,
                          double goal_position, double position);

#endif
