/// celsius list: environments, algorithms, finite problems, fields, presets.
#include "celsius/mdp.h"
#include "cli.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Options {
  bool json;
} Options;

// clang-format off
static const CelField fields[] = {
    {.name = "json", .type = CEL_FIELD_BOOL, .offset = offsetof(Options, json), .def = "false",
     .doc = "print JSON"},
    {0},
};
// clang-format on

// ---- environments

/// Prints what is missing: collections that are not there, and `why` an environment cannot be
/// opened.
static void print_missing(const char *why) {
  char text[1100];
  for (int i = 0; cel_env_pack_at(i); i++) {
    const CelEnvPack *pack = cel_env_pack_at(i);
    if (!pack->missing) continue;
    printf("\n%s is missing\n  ", pack->name);
    cli_wrap(stdout, pack->missing, 2, 2, cli_columns(stdout));
  }
  if (!why[0]) return;
  snprintf(text, sizeof text, "Without spaces above: %s", why);
  printf("\n");
  cli_wrap(stdout, text, 0, 2, cli_columns(stdout));
}

static CelStatus list_envs(cJSON *json) {
  char why[1024] = "";
  if (!json)
    printf("%-26s %-12s %-12s %6s %9s\n", "id", "observation", "action", "steps", "solved at");
  for (int i = 0; cel_env_type_at(i); i++) {
    const CelEnvType *type = cel_env_type_at(i);
    CelEnvSpec *spec = NULL;
    char observation[64] = "-", action[64] = "-", steps[32] = "-", solved[32] = "-";
    const CelStatus status = cel_env_spec_create(&spec, type->id, NULL, NULL);
    if (status == CEL_OK) {
      cel_space_describe(&spec->observation, observation, sizeof observation);
      cel_space_describe(&spec->action, action, sizeof action);
      cel_env_spec_destroy(spec);
    } else if (!why[0]) {
      snprintf(why, sizeof why, "%s", cel_error()); // such as a model file that is missing
    }
    if (json) {
      cJSON *row = cJSON_CreateObject();
      cJSON_AddStringToObject(row, "id", type->id);
      cJSON_AddStringToObject(row, "doc", type->doc);
      cJSON_AddStringToObject(row, "observation", observation);
      cJSON_AddStringToObject(row, "action", action);
      cJSON_AddNumberToObject(row, "max_episode_steps", (double)type->max_episode_steps);
      cJSON_AddNumberToObject(row, "reward_threshold", type->reward_threshold);
      cJSON_AddItemToArray(json, row);
      continue;
    }
    if (type->max_episode_steps)
      snprintf(steps, sizeof steps, "%lld", (long long)type->max_episode_steps);
    if (!isnan(type->reward_threshold))
      snprintf(solved, sizeof solved, "%g", type->reward_threshold);
    printf("%-26s %-12s %-12s %6s %9s\n", type->id, observation, action, steps, solved);
    printf("  ");
    cli_wrap(stdout, type->doc, 2, 2, cli_columns(stdout));
  }
  if (json) return CEL_OK;
  print_missing(why);
  printf("\nYour own: --env ./my.so:Name (docs/first-environment.md)\n");
  printf("A robot of yours: --env robot.yaml (docs/mujoco-models.md)\n");
  return CEL_OK;
}

// ---- algorithms, presets

static CelStatus list_algos(cJSON *json) {
  for (int i = 0; cel_algo_at(i); i++) {
    const CelAlgoInfo *algo = cel_algo_at(i);
    if (json) {
      cJSON *row = cJSON_CreateObject();
      cJSON_AddStringToObject(row, "name", algo->name);
      cJSON_AddStringToObject(row, "doc", algo->doc);
      cJSON_AddItemToArray(json, row);
    } else {
      printf("%-9s ", algo->name);
      cli_wrap(stdout, algo->doc, 10, 10, cli_columns(stdout));
    }
  }
  return CEL_OK;
}

static CelStatus list_presets(cJSON *json) {
  for (int i = 0; cel_preset_at(i); i++) {
    const CelPreset *preset = cel_preset_at(i);
    if (json) {
      cJSON *row = cJSON_CreateObject();
      cJSON_AddStringToObject(row, "algo", preset->algo);
      cJSON_AddStringToObject(row, "name", preset->name);
      cJSON_AddStringToObject(row, "doc", preset->doc);
      cJSON_AddItemToArray(json, row);
    } else {
      printf("%s %s\n  ", preset->algo, preset->name);
      cli_wrap(stdout, preset->doc, 2, 2, cli_columns(stdout));
    }
  }
  return CEL_OK;
}

// ---- finite problems

/// Prints a generator and the size of the problem that its default arguments make.
static void print_generator(const CelMdpGenerator *generator, const CelMdp *mdp, cJSON *json) {
  if (json) {
    cJSON *row = cJSON_CreateObject();
    cJSON_AddStringToObject(row, "name", generator->name);
    cJSON_AddStringToObject(row, "doc", generator->doc);
    cJSON_AddNumberToObject(row, "states", (double)mdp->states);
    cJSON_AddNumberToObject(row, "actions", (double)mdp->max_actions);
    cJSON_AddNumberToObject(row, "transitions", (double)mdp->transitions);
    cJSON_AddNumberToObject(row, "gamma", mdp->discount);
    cJSON_AddNumberToObject(row, "max_episode_steps", (double)generator->max_episode_steps);
    cJSON_AddItemToArray(json, row);
    return;
  }
  printf("%-16s %8lld %8lld %12lld %6g\n  ", generator->name, (long long)mdp->states,
         (long long)mdp->max_actions, (long long)mdp->transitions, mdp->discount);
  cli_wrap(stdout, generator->doc, 2, 2, cli_columns(stdout));
}

static CelStatus list_mdps(cJSON *json) {
  if (!json)
    printf("%-16s %8s %8s %12s %6s\n", "name", "states", "actions", "transitions", "gamma");
  for (int i = 0; cel_mdp_generator_at(i); i++) {
    const CelMdpGenerator *generator = cel_mdp_generator_at(i);
    CelMdp *mdp = NULL;
    const CelStatus status = cel_mdp_generate(&mdp, generator->name, NULL);
    if (status != CEL_OK) return status;
    print_generator(generator, mdp, json);
    cel_mdp_destroy(mdp);
  }
  if (!json)
    printf("\nThe sizes are those of the default arguments. `celsius list fields NAME` lists\n"
           "the arguments.\n");
  return CEL_OK;
}

// ---- fields

static void print_fields(const CelField *table, const char *prefix, cJSON *json) {
  for (const CelField *field = table; field->name; field++) {
    char name[192], takes[192], range[128], def[CEL_PATH_MAX];
    snprintf(name, sizeof name, "%s%s", prefix, field->name);
    if (field->type == CEL_FIELD_GROUP) {
      strncat(name, ".", sizeof name - strlen(name) - 1);
      print_fields(field->group, name, json);
      continue;
    }
    cli_field_takes(field, takes, sizeof takes);
    if (field->type == CEL_FIELD_BOOL) snprintf(takes, sizeof takes, "true|false");
    cli_field_range(field, range, sizeof range);
    if (json) {
      cJSON *row = cJSON_CreateObject();
      cJSON_AddStringToObject(row, "name", name);
      cJSON_AddStringToObject(row, "takes", takes);
      if (field->def)
        cJSON_AddStringToObject(row, "default", field->def);
      else
        cJSON_AddNullToObject(row, "default"); // keys are the same in every row
      cJSON_AddStringToObject(row, "range", range);
      cJSON_AddStringToObject(row, "unit", field->unit ? field->unit : "");
      cJSON_AddStringToObject(row, "doc", field->doc);
      cJSON_AddStringToObject(row, "source", field->source ? field->source : "");
      cJSON_AddItemToArray(json, row);
      continue;
    }
    cli_field_default(field, def, sizeof def);
    const int used = printf("  %-24s %s = %s", name, takes, def[0] ? def : "\"\"");
    const bool text = field->type == CEL_FIELD_STRING || field->type == CEL_FIELD_PATH;
    const char *unit = field->unit && !text ? field->unit : "";
    if (range[0] || unit[0])
      printf("%*s(%s%s%s)", used < 52 ? 52 - used : 1, "", range, range[0] && unit[0] ? " " : "",
             unit);
    printf("\n      ");
    cli_wrap(stdout, field->doc, 6, 6, cli_columns(stdout));
  }
}

static CelStatus list_fields_of(const char *what, cJSON *json) {
  const CelAlgoInfo *algo;
  CelSetup *setup = NULL;
  if (cel_algo_find(what, &algo) == CEL_OK) {
    if (!json) printf("Fields of %s\n", algo->name);
    print_fields(algo->fields, "", json);
    return CEL_OK;
  }
  const CelMdpGenerator *generator;
  if (cel_mdp_generator_find(what, &generator) == CEL_OK) {
    if (!json) printf("Arguments of %s\n", generator->name);
    print_fields(generator->fields, "", json);
    return CEL_OK;
  }
  const CelEnvType *type;
  const CelStatus found = cel_env_find(what, &type);
  if (found != CEL_OK && strpbrk(what, ":."))
    return found; // the message says why the file cannot be used
  if (found != CEL_OK)
    return cel_fail(CEL_E_NAME,
                    "unknown name '%s'; `celsius list algos`, `celsius list envs` and `celsius "
                    "list mdps` list the names",
                    what);
  const CelStatus status = cel_setup_create(&setup, cel_algo_at(0)->name, what);
  if (status != CEL_OK) return status;
  if (!json) printf("Arguments of %s\n", type->id);
  print_fields(setup->env_fields, "env.", json);
  cel_setup_destroy(setup);
  return CEL_OK;
}

static CelStatus list_fields(const CliArgs *args, cJSON *json) {
  if (args->n > 1) return list_fields_of(args->positional[1], json);
  if (!json) printf("Fields of a run\n");
  print_fields(cel_run_fields(), "", json);
  for (int i = 0; cel_algo_at(i); i++) {
    if (!json) printf("\nFields of %s\n", cel_algo_at(i)->name);
    print_fields(cel_algo_at(i)->fields, "", json);
  }
  if (!json) printf("\nFields of every environment\n");
  print_fields(cel_env_option_fields(), "env.", json);
  return CEL_OK;
}

// ---- the command

static CelStatus list(const CliArgs *args, cJSON *json) {
  const char *what = args->positional[0];
  if (args->n > 1 && strcmp(what, "fields") != 0)
    return cel_fail(CEL_E_ARGUMENT, "unexpected argument '%s'; see `celsius list --help`",
                    args->positional[1]);
  if (strcmp(what, "envs") == 0) return list_envs(json);
  if (strcmp(what, "algos") == 0) return list_algos(json);
  if (strcmp(what, "presets") == 0) return list_presets(json);
  if (strcmp(what, "mdps") == 0) return list_mdps(json);
  if (strcmp(what, "fields") == 0) return list_fields(args, json);
  const CelField names[] = {{.name = "envs"},   {.name = "algos"},   {.name = "mdps"},
                            {.name = "fields"}, {.name = "presets"}, {0}};
  const char *nearest = cel_fields_nearest(names, what);
  if (nearest) return cel_fail(CEL_E_NAME, "unknown list '%s'; did you mean '%s'?", what, nearest);
  return cel_fail(CEL_E_NAME,
                  "unknown list '%s'; the lists are envs, algos, mdps, fields and presets", what);
}

static int run(int argc, char **argv) {
  Options options;
  CliArgs args;
  cJSON *json = NULL;
  cel_fields_default(fields, &options);
  const CliTable tables[] = {{"Flags", "", fields, &options}};
  CelStatus status = cli_parse(&cli_list, argc, argv, tables, 1, &args);
  if (status == CEL_OK && args.help) {
    cli_help_command(&cli_list, tables, 1);
    return CEL_OK;
  }
  if (status == CEL_OK)
    status = cli_positionals(&cli_list, &args, 1, 2,
                             "what to list (envs, algos, mdps, fields or presets)");
  if (status == CEL_OK && options.json) {
    json = cJSON_CreateArray();
    if (!json) status = cel_fail(CEL_E_MEMORY, "not enough memory for a list");
  }
  if (status == CEL_OK) status = list(&args, json);
  if (status == CEL_OK && json)
    status = cli_print_json(json);
  else
    cJSON_Delete(json);
  return status == CEL_OK ? CEL_OK : cli_error(status);
}

const CliCommand cli_list = {
    .name = "list",
    .help = "list --help",
    .usage = "celsius list envs|algos|mdps|fields|presets [ALGO|ENV|MDP] [--json]",
    .doc = "Lists environments, algorithms, finite problems (mdps), fields or presets. A field is "
           "a setting with a flag of its own. `celsius list fields sac` lists the fields of an "
           "algorithm, `celsius list fields Pendulum-v1` those of an environment, and `celsius "
           "list fields grid` the arguments of a finite problem.",
    .details = "Examples\n"
               "  celsius list envs\n"
               "  celsius list mdps\n"
               "  celsius list fields sac\n"
               "  celsius list presets --json",
    .run = run};
