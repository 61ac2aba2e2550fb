/// The problem of `celsius solve`: a generator with its arguments as flags, or a file.
#include "solve.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIELDS_MAX = 64, GENERATORS_MAX = 64 };

/// The name of the generator with the most similar name, or NULL.
static const char *nearest_generator(const char *name) {
  CelField table[GENERATORS_MAX + 1] = {0};
  for (int i = 0; cel_mdp_generator_at(i) && i < GENERATORS_MAX; i++)
    table[i].name = cel_mdp_generator_at(i)->name;
  return cel_fields_nearest(table, name);
}

static CelStatus fail_unknown(const char *name) {
  const char *nearest = nearest_generator(name);
  if (nearest)
    return cel_fail(CEL_E_NAME, "no generator or file is called '%s'; did you mean '%s'?", name,
                    nearest);
  return cel_fail(CEL_E_NAME,
                  "no generator or file is called '%s'; `celsius list mdps` lists the generators",
                  name);
}

/// True for the name of a file and for anything that looks like a path. The error of opening a
/// missing file is then the right one.
static bool is_path(const char *name) {
  return access(name, F_OK) == 0 || strpbrk(name, "/.");
}

const CelField *solve_file_fields(void) {
  // clang-format off
  static const CelField fields[] = {
      {.name = "horizon", .type = CEL_FIELD_INT, .offset = offsetof(CelMdpLoadOptions, horizon),
       .def = "-1", .min = -1, .max = 1e15, .unit = "steps",
       .doc = "time steps of an episode; 0: no limit; -1: as the file says (usually no limit)"},
      {.name = "reward", .type = CEL_FIELD_STRING, .offset = offsetof(CelMdpLoadOptions, reward),
       .def = "", .unit = "NAME",
       .doc = "files with named reward models: the name or number of the one to use, or none"},
      {0},
  };
  // clang-format on
  return fields;
}

/// The solver's --gamma replaces the problem's.
static void copy_fields(SolveProblem *problem, const CelField *table) {
  static const CelField gamma[] = {{.name = "gamma"}, {0}};
  cli_fields_except(problem->fields, FIELDS_MAX, table, gamma);
}

static CelStatus find_file(SolveProblem *problem, const char *name) {
  const CelMdpLoadOptions options = cel_mdp_load_options_default();
  if (!is_path(name)) return fail_unknown(name);
  problem->path = name;
  problem->config = malloc(sizeof options);
  if (!problem->config)
    return cel_fail(CEL_E_MEMORY, "not enough memory for the options of a file");
  memcpy(problem->config, &options, sizeof options);
  copy_fields(problem, solve_file_fields());
  return CEL_OK;
}

CelStatus solve_problem_find(SolveProblem *problem, const char *name) {
  const CelMdpGenerator *generator;
  *problem = (SolveProblem){.path = NULL};
  problem->fields = calloc(FIELDS_MAX, sizeof *problem->fields);
  if (!problem->fields) return cel_fail(CEL_E_MEMORY, "not enough memory for a table of flags");
  if (cel_mdp_generator_find(name, &generator) != CEL_OK) return find_file(problem, name);
  problem->generator = generator;
  problem->config = calloc(1, generator->config_size);
  if (!problem->config)
    return cel_fail(CEL_E_MEMORY, "not enough memory for a generator's arguments");
  cel_fields_default(generator->fields, problem->config);
  copy_fields(problem, generator->fields);
  return CEL_OK;
}

CelStatus solve_problem_make(CelMdp **out, const SolveProblem *problem, CelMdpFormat format,
                             double gamma, const char *gamma_text) {
  const CelMdpGenerator *generator = problem->generator;
  if (problem->path) {
    CelMdpLoadOptions *options = problem->config;
    options->format = format;
    options->discount = gamma;
    return cel_mdp_load_with(out, problem->path, options);
  }
  if (format != CEL_MDP_AUTO)
    return cel_fail(CEL_E_ARGUMENT, "--format applies to files only, and '%s' is a generator",
                    generator->name);
  if (gamma_text && gamma == gamma && cel_fields_find(generator->fields, "gamma")) {
    const CelStatus status =
        cel_fields_set(generator->fields, problem->config, "gamma", gamma_text);
    if (status != CEL_OK) return status;
  }
  return cel_mdp_generate(out, generator->name, problem->config);
}

void solve_problem_free(SolveProblem *problem) {
  free(problem->config);
  free(problem->fields);
}

/// The file formats, from the library's table.
static void list_formats(void) {
  printf("\nFile formats, by the names of --format\n");
  for (int i = 0; cel_mdp_format_at(i); i++) {
    const CelMdpFormatInfo *format = cel_mdp_format_at(i);
    char text[256];
    size_t used = 0;
    for (int k = 0; format->extensions[k] && used < sizeof text; k++)
      used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", k > 0 ? ", " : "",
                               format->extensions[k]);
    if (used < sizeof text) snprintf(text + used, sizeof text - used, ": %s", format->doc);
    printf("  %-15s ", format->name);
    cli_wrap(stdout, text, 18, 18, cli_columns(stdout));
  }
}

void solve_problem_list(void) {
  list_formats();
  printf("\nGenerators (`celsius solve GENERATOR --help` lists the flags of one)\n");
  for (int i = 0; cel_mdp_generator_at(i); i++) {
    const CelMdpGenerator *generator = cel_mdp_generator_at(i);
    printf("  %-15s ", generator->name);
    cli_wrap(stdout, generator->doc, 18, 18, cli_columns(stdout));
  }
}
