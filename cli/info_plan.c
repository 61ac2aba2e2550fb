/// celsius info ALGO --plan: what an update of a learner consists of.
#include "cli.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

typedef struct Options {
  char preset[CEL_TEXT_MAX], config[CEL_PATH_MAX];
  bool plan, json;
} Options;

#define F(field) offsetof(Options, field)
// clang-format off
static const CelField options_fields[] = {
    {.name = "plan", .type = CEL_FIELD_BOOL, .offset = F(plan), .def = "false",
     .doc = "print the operations of an update"},
    {.name = "preset", .type = CEL_FIELD_STRING, .offset = F(preset), .def = "none", .unit = "NAME",
     .doc = "settings of this preset, as in train"},
    {.name = "config", .type = CEL_FIELD_PATH, .offset = F(config), .def = "", .unit = "FILE",
     .doc = "YAML file with settings"},
    {.name = "json", .type = CEL_FIELD_BOOL, .offset = F(json), .def = "false",
     .doc = "print JSON"},
    {0},
};
// clang-format on
#undef F

static const CliCommand plan_command = {
    .name = "info",
    .help = "info ALGO --plan --help",
    .usage = "celsius info ALGO --plan [--env ID] [--FIELD VALUE ...] [--json]",
    .doc = "Prints the operations of one update of a learner with these settings: how many items "
           "each has, in which units threads split them, where all threads wait for each other, "
           "the bytes that an operation may read and write, and the floating-point operations of "
           "its matrix products. Every field of train is a flag.\n"
           "Without --env, the environment is Pendulum-v1, or CartPole-v1 for algorithms that need "
           "discrete actions.",
    .details = "Examples\n"
               "  celsius info sac --plan\n"
               "  celsius info sac --plan --env LQR-v0 --n-critics 5 --threads 4\n"
               "  celsius info ppo --plan --preset CartPole-v1 --env CartPole-v1",
    .run = NULL};

// ---- the agent

enum { RUN_FIELDS_MAX = 64 };

static CelStatus fill(CelSetup *setup, int argc, char **argv, Options *options, CliArgs *args) {
  static const CelField algo[] = {{.name = "algo"}, {0}};
  CelField run[RUN_FIELDS_MAX];
  const char *preset = cli_scan(argc, argv, "preset"), *config = cli_scan(argc, argv, "config");
  CelStatus status = CEL_OK;
  cli_fields_except(run, RUN_FIELDS_MAX, cel_run_fields(), algo);
  if (preset && strcmp(preset, "none") != 0) status = cel_setup_preset(setup, preset);
  if (status == CEL_OK && config) status = cel_setup_read(setup, config);
  if (status != CEL_OK) return status;
  const CliTable tables[] = {{"", "", options_fields, options},
                             {"", "", run, &setup->run},
                             {"", "", setup->algo->fields, setup->algo_config},
                             {"", "env.", setup->env_fields, setup->env_args}};
  status = cli_parse(&plan_command, argc, argv, tables, 4, args);
  return status == CEL_OK ? cli_positionals(&plan_command, args, 1, 1, "an algorithm") : status;
}

static CelStatus create(const CelSetup *setup, CelAgent **agent) {
  CelEnvSpec *spec = NULL;
  CelStatus status = cel_setup_env(setup, &spec);
  const CelAgentOptions options = {.n_envs = setup->run.n_envs,
                                   .seed = setup->run.seed,
                                   .threads = (int)setup->run.threads,
                                   .total_steps = setup->run.steps};
  if (status == CEL_OK)
    status = cel_agent_create(agent, setup->algo->name, setup->algo_config, &spec->observation,
                              &spec->action, &options);
  cel_env_spec_destroy(spec);
  return status;
}

/// Tries one environment. CEL_E_UNSUPPORTED: its spaces do not fit the algorithm.
static CelStatus open_with(const char *algo, const char *env, int argc, char **argv,
                           CelSetup **setup, Options *options, CelAgent **agent) {
  CliArgs args;
  cel_fields_default(options_fields, options);
  CelStatus status = cel_setup_create(setup, algo, env);
  if (status == CEL_OK) status = fill(*setup, argc, argv, options, &args);
  return status == CEL_OK ? create(*setup, agent) : status;
}

static CelStatus open_agent(int argc, char **argv, CelSetup **setup, Options *options,
                            CelAgent **agent) {
  const char *algo = argv[0], *env = cli_scan(argc, argv, "env");
  const char *config = cli_scan(argc, argv, "config");
  char named[CEL_PATH_MAX];
  bool found = false;
  CelStatus status = CEL_OK;
  if (!env && config) status = cel_setup_peek_env(config, named, &found);
  if (status != CEL_OK) return status;
  if (found) env = named;
  if (env) return open_with(algo, env, argc, argv, setup, options, agent);
  status = open_with(algo, "Pendulum-v1", argc, argv, setup, options, agent);
  if (status != CEL_E_UNSUPPORTED) return status;
  cel_setup_destroy(*setup);
  *setup = NULL;
  return open_with(algo, "CartPole-v1", argc, argv, setup, options, agent);
}

// ---- output

typedef struct Sum {
  int64_t operations, barriers;
  double read, written, flop;
} Sum;

static void add(Sum *sum, const CelPlanOp *op) {
  sum->operations++;
  sum->barriers += op->barrier;
  sum->read += op->read, sum->written += op->written, sum->flop += op->flop;
}

/// "1.5 MB", "312 B".
static const char *amount(char text[32], double n, const char *unit) {
  static const char *const prefixes[] = {"", "k", "M", "G", "T"};
  int k = 0;
  for (; n >= 1000 && k < 4; k++) n /= 1000;
  snprintf(text, 32, "%.*f %s%s", k == 0 || n >= 100 ? 0 : n < 10 ? 2 : 1, n, prefixes[k], unit);
  return text;
}

static void print_sum(const Sum *sum) {
  char read[32], written[32], flop[32];
  printf("  %lld operation%s, %lld barrier%s, %s read, %s written, %s\n\n",
         (long long)sum->operations, cli_s(sum->operations), (long long)sum->barriers,
         cli_s(sum->barriers), amount(read, sum->read, "B"), amount(written, sum->written, "B"),
         amount(flop, sum->flop, "flop"));
}

static void print_op(const CelPlanOp *op) {
  char read[32], written[32], flop[32];
  if (op->barrier) printf("  ---- barrier\n");
  printf("  %-22s %-6s %8lld %6lld  %10s %10s  %11s\n", op->name, op->cut, (long long)op->count,
         (long long)op->grain, amount(read, op->read, "B"), amount(written, op->written, "B"),
         op->flop > 0 ? amount(flop, op->flop, "flop") : "-");
}

static void print_text(const CelSetup *setup, const CelAgent *agent) {
  const char *plan = "";
  Sum sum = {0};
  CelPlanOp op;
  printf("%s on %s, %lld thread%s\n\n", setup->algo->name, setup->run.env,
         (long long)setup->run.threads, cli_s(setup->run.threads));
  for (int64_t i = 0; cel_agent_plan_op(agent, i, &op); i++) {
    if (strcmp(op.plan, plan) != 0) {
      if (i > 0) print_sum(&sum);
      sum = (Sum){0};
      plan = op.plan;
      printf("%s\n  %-22s %-6s %8s %6s  %10s %10s  %11s\n", plan, "operation", "cut", "items",
             "grain", "reads", "writes", "products");
    }
    print_op(&op);
    add(&sum, &op);
  }
  print_sum(&sum);
}

static CelStatus print_json(const CelSetup *setup, const CelAgent *agent) {
  cJSON *json = cJSON_CreateObject(), *operations = NULL;
  CelPlanOp op;
  cJSON_AddStringToObject(json, "algo", setup->algo->name);
  cJSON_AddStringToObject(json, "env", setup->run.env);
  cJSON_AddNumberToObject(json, "threads", (double)setup->run.threads);
  operations = cJSON_AddArrayToObject(json, "operations");
  for (int64_t i = 0; cel_agent_plan_op(agent, i, &op); i++) {
    cJSON *row = cJSON_CreateObject();
    cJSON_AddStringToObject(row, "plan", op.plan);
    cJSON_AddStringToObject(row, "name", op.name);
    cJSON_AddStringToObject(row, "cut", op.cut);
    cJSON_AddNumberToObject(row, "items", (double)op.count);
    cJSON_AddNumberToObject(row, "grain", (double)op.grain);
    cJSON_AddBoolToObject(row, "barrier", op.barrier);
    cJSON_AddNumberToObject(row, "bytes_read", op.read);
    cJSON_AddNumberToObject(row, "bytes_written", op.written);
    cJSON_AddNumberToObject(row, "flop", op.flop);
    cJSON_AddItemToArray(operations, row);
  }
  return cli_print_json(json);
}

static int help(const char *name) {
  static const CelField algo[] = {{.name = "algo"}, {0}};
  const CelAlgoInfo *info;
  CelField run[RUN_FIELDS_MAX];
  char title[160];
  CliTable tables[3] = {{"Flags", "", options_fields, NULL}, {"The run", "", run, NULL}};
  const CelStatus status = cel_algo_find(name, &info);
  if (status != CEL_OK) return cli_error(status);
  cli_fields_except(run, RUN_FIELDS_MAX, cel_run_fields(), algo);
  snprintf(title, sizeof title, "The algorithm: %s", info->name);
  tables[2] = (CliTable){title, "", info->fields, NULL};
  cli_help_command(&plan_command, tables, 3);
  return CEL_OK;
}

int cli_info_plan(int argc, char **argv) {
  CelSetup *setup = NULL;
  CelAgent *agent = NULL;
  Options options;
  if (argc == 0 || argv[0][0] == '-')
    return cli_error(cel_fail(CEL_E_ARGUMENT,
                              "--plan needs an algorithm as the first argument: celsius info ALGO "
                              "--plan (`celsius list algos` lists the algorithms)"));
  if (cli_has(argc, argv, "help")) return help(argv[0]);
  CelStatus status = open_agent(argc, argv, &setup, &options, &agent);
  if (status == CEL_OK && options.json)
    status = print_json(setup, agent);
  else if (status == CEL_OK)
    print_text(setup, agent);
  const int code = status == CEL_OK ? CEL_OK : cli_error(status);
  cel_agent_destroy(agent);
  cel_setup_destroy(setup);
  return code;
}
