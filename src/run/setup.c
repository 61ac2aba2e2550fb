/// Setups: three field tables (run, algorithm, environment) behind one set of names.
#include "celsius/setup.h"
#include "base/arguments.h"
#include "base/base.h"
#include "base/field.h"
#include "base/yaml.h"
#include "celsius/version.h"
#include "celsius/yaml.h"
#include "env/env_internal.h"
#include "run/config.h"
#include "run/runfolder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- the run's own fields

#define F(field) offsetof(CelRunConfig, field)

// clang-format off
static const CelField run_fields[] = {
    {.name = "algo", .type = CEL_FIELD_STRING, .offset = F(algo), .def = "", .unit = "NAME",
     .doc = "the algorithm"},
    {.name = "env", .type = CEL_FIELD_PATH, .offset = F(env), .def = "", .unit = "ID",
     .doc = "the environment: an id, FILE.so:Name, or FILE.yaml"},
    {.name = "out", .type = CEL_FIELD_PATH, .offset = F(out), .def = "", .unit = "FOLDER",
     .doc = "run folder, new or empty; default: runs/ALGO-ENV-SEED"},
    {.name = "steps", .type = CEL_FIELD_INT, .offset = F(steps), .def = "100000", .min = 1,
     .max = 1e15, .unit = "steps",
     .doc = "environment steps to train, all environments together"},
    {.name = "seed", .type = CEL_FIELD_U64, .offset = F(seed), .def = "1",
     .doc = "seed of all random numbers of the run"},
    {.name = "n_envs", .type = CEL_FIELD_INT, .offset = F(n_envs), .def = "1", .min = 1,
     .max = 65536,
     .doc = "environments that step together; raise it for more data per update"},
    {.name = "threads", .type = CEL_FIELD_INT, .offset = F(threads), .def = "1", .min = 1,
     .max = 256,
     .doc = "number of threads; it changes the speed and no bit of the results"},
    {.name = "log_every", .type = CEL_FIELD_INT, .offset = F(log_every), .def = "1000", .min = 1,
     .max = 1e15, .unit = "steps",
     .doc = "steps between rows of progress.csv"},
    {.name = "eval_every", .type = CEL_FIELD_INT, .offset = F(eval_every), .def = "5000", .min = 0,
     .max = 1e15, .unit = "steps",
     .doc = "steps between evaluations; 0: only at the end"},
    {.name = "eval_episodes", .type = CEL_FIELD_INT, .offset = F(eval_episodes), .def = "10",
     .min = 1, .max = 1e6, .unit = "episodes",
     .doc = "episodes of each evaluation; raise it when evaluations are noisy"},
    {.name = "checkpoint_every", .type = CEL_FIELD_INT, .offset = F(checkpoint_every),
     .def = "10000", .min = 0, .max = 1e15, .unit = "steps",
     .doc = "steps between checkpoints; 0: only at the end"},
    {.name = "keep", .type = CEL_FIELD_INT, .offset = F(keep), .def = "2", .min = 1, .max = 1e6,
     .doc = "number of checkpoints kept, the newest ones; the best model is always kept"},
    {.name = "tensorboard", .type = CEL_FIELD_BOOL, .offset = F(tensorboard), .def = "true",
     .doc = "write TensorBoard events into the run folder"},
    {0}};
// clang-format on

#undef F

const CelField *cel_run_fields(void) {
  return run_fields;
}

CelRunConfig cel_run_config_default(void) {
  CELI_FLOATS(CELI_IEEE);
  CelRunConfig config;
  memset(&config, 0, sizeof config);
  cel_fields_default(run_fields, &config);
  return config;
}

bool celi_setup_field_is_free(const char *name) {
  static const char *const names[] = {
      "out",        "steps",         "threads",          "log_every",
      "eval_every", "eval_episodes", "checkpoint_every", "keep",
      "tensorboard"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (strcmp(name, names[i]) == 0) return true;
  return false;
}

// ---- the environment's fields: those of all environments, then the type's own, as one table

static int64_t count_fields(const CelField *table) {
  int64_t n = 0;
  while (table && table[n].name) n++;
  return n;
}

size_t celi_env_args_offset(void) {
  return (sizeof(CelEnvOptions) + 15) / 16 * 16;
}

const CelEnvOptions *celi_setup_env_options(const CelSetup *setup) {
  return setup->env_args;
}

const void *celi_setup_env_config(const CelSetup *setup) {
  if (setup->env->config_size == 0) return NULL;
  return (const char *)setup->env_args + celi_env_args_offset();
}

CelStatus cel_setup_env(const CelSetup *setup, CelEnvSpec **out) {
  CELI_NEED(setup);
  CELI_NEED(setup->algo);
  CELI_NEED(out);
  CELI_FLOATS(CELI_IEEE);
  return cel_env_spec_create(out, setup->run.env, celi_setup_env_config(setup),
                             celi_setup_env_options(setup));
}

static CelStatus make_env_table(const CelEnvType *type, const CelField **out) {
  const CelField *shared = cel_env_option_fields();
  const int64_t n_shared = count_fields(shared), n_own = count_fields(type->fields);
  CelField *table = NULL;
  CELI_TRY(celi_alloc(&table, (size_t)(n_shared + n_own + 1), sizeof *table, "environment fields"));
  memset(table, 0, (size_t)(n_shared + n_own + 1) * sizeof *table);
  for (int64_t i = 0; i < n_shared; i++) table[i] = shared[i];
  for (int64_t i = 0; i < n_own; i++) {
    table[n_shared + i] = type->fields[i];
    table[n_shared + i].offset += celi_env_args_offset();
  }
  *out = table;
  return CEL_OK;
}

// ---- create, copy, destroy

static CelStatus copy_text(char *to, size_t size, const char *from, const char *what) {
  if (strlen(from) >= size)
    return cel_fail(CEL_E_RANGE, "%s '%.40s...' is longer than %zu bytes, the limit", what, from,
                    size - 1);
  memcpy(to, from, strlen(from) + 1);
  return CEL_OK;
}

static CelStatus fill_setup(CelSetup *setup, const char *algo, const char *env) {
  CELI_TRY(cel_algo_find(algo, &setup->algo));
  CELI_TRY(cel_env_find(env, &setup->env));
  cel_fields_default(run_fields, &setup->run);
  CELI_TRY(copy_text(setup->run.algo, sizeof setup->run.algo, algo, "algorithm"));
  CELI_TRY(copy_text(setup->run.env, sizeof setup->run.env, env, "environment"));
  CELI_TRY(celi_alloc(&setup->algo_config, 1, setup->algo->config_size, "configuration"));
  memset(setup->algo_config, 0, setup->algo->config_size);
  cel_fields_default(setup->algo->fields, setup->algo_config);
  CELI_TRY(make_env_table(setup->env, &setup->env_fields));
  const size_t size = celi_env_args_offset() + setup->env->config_size;
  CELI_TRY(celi_alloc(&setup->env_args, 1, size, "environment arguments"));
  memset(setup->env_args, 0, size);
  cel_fields_default(setup->env_fields, setup->env_args);
  return CEL_OK;
}

CelStatus cel_setup_create(CelSetup **out, const char *algo, const char *env) {
  CELI_NEED(out);
  CELI_NEED(algo);
  CELI_NEED(env);
  CELI_FLOATS(CELI_IEEE);
  CelSetup *setup = NULL;
  CELI_TRY(celi_alloc(&setup, 1, sizeof *setup, "setup"));
  memset(setup, 0, sizeof *setup);
  const CelStatus status = fill_setup(setup, algo, env);
  if (status != CEL_OK) {
    cel_setup_destroy(setup);
    return status;
  }
  *out = setup;
  return CEL_OK;
}

CelStatus cel_setup_copy(CelSetup **out, const CelSetup *setup) {
  CELI_NEED(out);
  CELI_NEED(setup);
  CELI_NEED(setup->algo);
  CELI_FLOATS(CELI_IEEE);
  CelSetup *copy = NULL;
  CELI_TRY(cel_setup_create(&copy, setup->run.algo, setup->run.env));
  copy->run = setup->run;
  memcpy(copy->algo_config, setup->algo_config, setup->algo->config_size);
  memcpy(copy->env_args, setup->env_args, celi_env_args_offset() + setup->env->config_size);
  *out = copy;
  return CEL_OK;
}

void cel_setup_destroy(CelSetup *setup) {
  if (!setup) return;
  free(setup->algo_config);
  free(setup->env_args);
  free((void *)(uintptr_t)setup->env_fields);
  free(setup);
}

// ---- access by name

/// The table and config that a name belongs to, and the name in that table.
typedef struct Place {
  const CelField *table;
  void *config;
  const char *name;
} Place;

static Place find_place(const CelSetup *setup, const char *name) {
  CelSetup *s = (CelSetup *)(uintptr_t)setup;
  if (strncmp(name, "env.", 4) == 0)
    return (Place){cel_fields_find(s->env_fields, name + 4) ? s->env_fields : NULL, s->env_args,
                   name + 4};
  if (cel_fields_find(run_fields, name)) return (Place){run_fields, &s->run, name};
  if (cel_fields_find(s->algo->fields, name)) return (Place){s->algo->fields, s->algo_config, name};
  return (Place){NULL, NULL, name};
}

/// Offers every name of a table to the search, with a prefix. Enters groups one level deep.
static void try_names(CeliNearest *nearest, const CelField *table, const char *prefix,
                      char best[CEL_PATH_MAX]) {
  for (const CelField *field = table; field && field->name; field++) {
    char name[256];
    snprintf(name, sizeof name, "%s%s", prefix, field->name);
    if (celi_nearest_try(nearest, name)) snprintf(best, CEL_PATH_MAX, "%s", name);
    if (field->type == CEL_FIELD_GROUP) {
      strncat(name, ".", sizeof name - strlen(name) - 1);
      try_names(nearest, field->group, name, best);
    }
  }
}

static CelStatus fail_unknown(const CelSetup *setup, const char *name) {
  char best[CEL_PATH_MAX] = "";
  CeliNearest nearest = {.wanted = name};
  try_names(&nearest, run_fields, "", best);
  try_names(&nearest, setup->algo->fields, "", best);
  try_names(&nearest, setup->env_fields, "env.", best);
  if (best[0])
    return cel_fail(CEL_E_NAME, "no field '%s' for %s on %s: did you mean '%s'?", name,
                    setup->run.algo, setup->run.env, best);
  return cel_fail(CEL_E_NAME, "no field '%s' for %s on %s", name, setup->run.algo, setup->run.env);
}

CelStatus cel_setup_set(CelSetup *setup, const char *name, const char *text) {
  CELI_NEED(setup);
  CELI_NEED(setup->algo);
  CELI_NEED(name);
  CELI_NEED(text);
  CELI_FLOATS(CELI_IEEE);
  const Place place = find_place(setup, name);
  if (!place.table) return fail_unknown(setup, name);
  if (place.table == run_fields &&
      (celi_name_equal(place.name, "algo") || celi_name_equal(place.name, "env")))
    return cel_fail(CEL_E_STATE, "'%s' cannot be changed; it is chosen when the setup is created",
                    name);
  return cel_fields_set(place.table, place.config, place.name, text);
}

int cel_setup_get(const CelSetup *setup, const char *name, char *text, size_t size) {
  CELI_NEED_OR(setup, -1);
  CELI_NEED_OR(setup->algo, -1);
  CELI_NEED_OR(name, -1);
  if (size > 0) CELI_NEED_OR(text, -1);
  const Place place = find_place(setup, name);
  return place.table ? cel_fields_get(place.table, place.config, place.name, text, size) : -1;
}

const CelField *cel_setup_find(const CelSetup *setup, const char *name) {
  CELI_NEED_OR(setup, NULL);
  CELI_NEED_OR(setup->algo, NULL);
  CELI_NEED_OR(name, NULL);
  const Place place = find_place(setup, name);
  return place.table ? cel_fields_find(place.table, place.name) : NULL;
}

// ---- setup files

#define F(field) offsetof(CeliWritten, field)
// clang-format off
static const CelField written_fields[] = {
    {.name = "version", .type = CEL_FIELD_STRING, .offset = F(version), .def = CEL_VERSION,
     .doc = "version of the library that wrote this file"},
    {0}};
// clang-format on
#undef F

enum { N_SECTIONS = 4 };

static void list_sections(CelSetup *setup, CeliWritten *written,
                          CelYamlSection sections[N_SECTIONS]) {
  sections[0] = (CelYamlSection){"", run_fields, &setup->run};
  sections[1] = (CelYamlSection){"written_by", written_fields, written};
  sections[2] = (CelYamlSection){setup->algo->name, setup->algo->fields, setup->algo_config};
  sections[3] = (CelYamlSection){"env_args", setup->env_fields, setup->env_args};
}

/// Restores the algorithm and the environment, which are fixed when a setup is created.
static void keep_choice(CelSetup *setup, const CelRunConfig *before) {
  memcpy(setup->run.algo, before->algo, sizeof before->algo);
  memcpy(setup->run.env, before->env, sizeof before->env);
}

CelStatus cel_setup_read(CelSetup *setup, const char *path) {
  CELI_NEED(setup);
  CELI_NEED(setup->algo);
  CELI_NEED(path);
  CELI_FLOATS(CELI_IEEE);
  const CelRunConfig before = setup->run;
  CeliWritten written;
  CelYamlSection sections[N_SECTIONS];
  const size_t size = celi_env_args_offset() + setup->env->config_size;
  void *args;
  CELI_TRY(celi_alloc(&args, 1, size, "environment arguments"));
  memcpy(args, setup->env_args, size);
  cel_fields_default(written_fields, &written);
  list_sections(setup, &written, sections);
  celi_setup_paths_mark(setup);
  CelStatus status = cel_yaml_read(path, sections, N_SECTIONS);
  if (status == CEL_OK) status = celi_setup_paths_from_file(path, setup, args);
  if (status != CEL_OK) memcpy(setup->env_args, args, size);
  free(args);
  keep_choice(setup, &before);
  return status;
}

static CelStatus read_preset(CelSetup *setup, const CelPreset *preset) {
  const CelRunConfig before = setup->run;
  CelYamlSection sections[N_SECTIONS];
  CeliWritten written;
  cel_fields_default(written_fields, &written);
  list_sections(setup, &written, sections);
  CELI_TRY(cel_fail_in(
      celi_yaml_parse(preset->name, preset->text, strlen(preset->text), sections, N_SECTIONS),
      "preset "));
  keep_choice(setup, &before);
  return CEL_OK;
}

CelStatus celi_setup_write_in(const CelSetup *setup, const CeliFolder *folder, const char *name) {
  CelSetup view = *setup;
  CeliWritten written;
  CelYamlSection sections[N_SECTIONS];
  const size_t size = celi_env_args_offset() + setup->env->config_size;
  CELI_TRY(celi_alloc(&view.env_args, 1, size, "environment arguments"));
  memcpy(view.env_args, setup->env_args, size);
  cel_fields_default(written_fields, &written);
  list_sections(&view, &written, sections);
  char path[CEL_PATH_MAX];
  CelStatus status = folder ? celi_path_join(path, folder->path, name) : CEL_OK;
  if (status == CEL_OK) status = celi_setup_paths_to_file(folder ? path : name, &view);
  if (status == CEL_OK) status = celi_yaml_write_in(folder, name, sections, N_SECTIONS);
  free(view.env_args);
  return status;
}

CelStatus cel_setup_write(const CelSetup *setup, const char *path) {
  CELI_NEED(setup);
  CELI_NEED(setup->algo);
  CELI_NEED(path);
  CELI_FLOATS(CELI_IEEE);
  return celi_setup_write_in(setup, NULL, path);
}

CelStatus cel_setup_peek_env(const char *path, char env[CEL_PATH_MAX], bool *found) {
  CELI_NEED(path);
  CELI_NEED(env);
  CELI_NEED(found);
  CELI_FLOATS(CELI_IEEE);
  CELI_TRY(cel_yaml_peek(path, "env", env, CEL_PATH_MAX, found));
  return *found ? celi_setup_id_from_file(path, env) : CEL_OK;
}

CelStatus celi_setup_open(const char *path, CelSetup **out) {
  char algo[CEL_TEXT_MAX], env[CEL_PATH_MAX];
  bool has_algo = false, has_env = false;
  CELI_TRY(cel_yaml_peek(path, "algo", algo, sizeof algo, &has_algo));
  CELI_TRY(cel_yaml_peek(path, "env", env, sizeof env, &has_env));
  if (!has_algo || !has_env)
    return cel_fail(CEL_E_FORMAT, "%s: the key '%s' is missing at the top level", path,
                    has_algo ? "env" : "algo");
  CELI_TRY(celi_setup_id_from_file(path, env));
  CelSetup *setup = NULL;
  CelStatus status = cel_setup_create(&setup, algo, env);
  if (status != CEL_OK) return cel_fail_in(status, "%s: ", path);
  status = cel_setup_read(setup, path);
  if (status != CEL_OK) {
    cel_setup_destroy(setup);
    return status;
  }
  *out = setup;
  return CEL_OK;
}

/// Reads a file without changing its paths.
static CelStatus read_raw(CelSetup *setup, const char *path) {
  CeliWritten written;
  CelYamlSection sections[N_SECTIONS];
  cel_fields_default(written_fields, &written);
  list_sections(setup, &written, sections);
  return cel_yaml_read(path, sections, N_SECTIONS);
}

CelStatus celi_setup_replan(const CelSetup *setup, const CeliFolder *folder, const char *name,
                            const char *path, int64_t steps) {
  CelSetup *raw = NULL;
  CeliWritten written;
  CelYamlSection sections[N_SECTIONS];
  CELI_TRY(cel_setup_copy(&raw, setup));
  CelStatus status = read_raw(raw, path);
  raw->run.steps = steps;
  raw->run.threads = setup->run.threads;
  cel_fields_default(written_fields, &written);
  list_sections(raw, &written, sections);
  if (status == CEL_OK) status = celi_yaml_write_in(folder, name, sections, N_SECTIONS);
  cel_setup_destroy(raw);
  return status;
}

/// The environment's id in the names of presets. A finite problem from a generator has the id of
/// the built-in environment with that generator.
static const char *auto_preset(const CelSetup *setup) {
  if (setup->env != &celi_env_mdp) return celi_env_short_id(setup->run.env);
  return celi_env_mdp_id(setup->env, celi_setup_env_config(setup));
}

static CelStatus apply_preset(CelSetup *setup, const char *name) {
  if (strcmp(name, "auto") == 0) name = auto_preset(setup);
  CeliNearest nearest = {.wanted = name};
  for (int i = 0; cel_preset_at(i); i++) {
    const CelPreset *preset = cel_preset_at(i);
    if (strcmp(preset->algo, setup->run.algo) != 0) continue;
    if (strcmp(preset->name, name) == 0) return read_preset(setup, preset);
    (void)celi_nearest_try(&nearest, preset->name);
  }
  return cel_fail(CEL_E_NAME, "no preset '%s' for %s%s%s%s", name, setup->run.algo,
                  nearest.best ? ": did you mean '" : "", nearest.best ? nearest.best : "",
                  nearest.best ? "'?" : "; `celsius list presets` shows all");
}

CelStatus cel_setup_preset(CelSetup *setup, const char *names) {
  CELI_NEED(setup);
  CELI_NEED(setup->algo);
  CELI_NEED(names);
  CELI_FLOATS(CELI_IEEE);
  for (const char *at = names;; at++) {
    char name[CEL_TEXT_MAX];
    const size_t n = strcspn(at, ",");
    if (n >= sizeof name)
      return cel_fail(CEL_E_NAME,
                      "the name of a preset is %zu bytes long; at most %zu are possible", n,
                      sizeof name - 1);
    memcpy(name, at, n);
    name[n] = 0;
    CELI_TRY(apply_preset(setup, name));
    at += n;
    if (*at == 0) return CEL_OK;
  }
}

// ---- identity

const char *celi_env_short_id(const char *id) {
  const char *colon = strrchr(id, ':');
  const char *short_id = id;
  if (!colon && celi_env_file_is(id)) colon = id + strlen(id);
  if (!colon) return id;
  for (const char *c = id; c < colon; c++)
    if (*c == '/') short_id = c + 1;
  return short_id;
}

static void add_fields(CeliText *text, const CelField *table, const CelField *root,
                       const void *config, const char *flag_prefix, const char *path) {
  for (const CelField *field = table; field->name; field++) {
    char name[256], value[CEL_PATH_MAX + 256];
    snprintf(name, sizeof name, "%s%s", path, field->name);
    if (field->type == CEL_FIELD_GROUP) {
      strncat(name, ".", sizeof name - strlen(name) - 1);
      add_fields(text, field->group, root, config, flag_prefix, name);
      continue;
    }
    if (root == run_fields && celi_setup_field_is_free(name)) continue;
    const int n = cel_fields_get(root, config, name, value, sizeof value);
    CEL_ASSERT(n >= 0 && (size_t)n < sizeof value);
    if (celi_field_omitted(field, value)) continue;
    const bool is_env = root == run_fields && strcmp(name, "env") == 0;
    const char *shown = value, *slash = strrchr(value, '/');
    if (is_env)
      shown = celi_env_short_id(value);
    else if (field->type == CEL_FIELD_PATH && slash)
      shown = slash + 1; // only the file name counts, because a file may be moved
    celi_text_format(text, "%s%s=%s\n", flag_prefix, name, shown);
  }
}

void celi_setup_identity(const CelSetup *setup, CeliText *text) {
  add_fields(text, run_fields, run_fields, &setup->run, "", "");
  add_fields(text, setup->algo->fields, setup->algo->fields, setup->algo_config, "", "");
  add_fields(text, setup->env_fields, setup->env_fields, setup->env_args, "env.", "");
}
