/// celsius train: starts one run, starts several seeds of a run, or resumes a run.
#include "cli.h"
#include "train_guarantee.h"

#include <stdlib.h>
#include <string.h>

/// Flags of the command itself. The others are fields of the run, algorithm and environment.
typedef struct Options {
  char preset[CEL_TEXT_MAX], zoo[CEL_PATH_MAX], zoo_entry[CEL_PATH_MAX], config[CEL_PATH_MAX];
  char resume[CEL_PATH_MAX], seeds[CEL_PATH_MAX];
  int64_t jobs;
  bool overwrite, guarantee, certify, json, quiet; ///< certify: old name of guarantee
} Options;

#define F(field) offsetof(Options, field)
// clang-format off
static const CelField options_fields[] = {
    {.name = "preset", .type = CEL_FIELD_STRING, .offset = F(preset), .def = "none", .unit = "NAME",
     .doc = "settings that are known to work (`celsius list presets`); auto: those for the "
            "environment; NAME,NAME: one after the other"},
    {.name = "zoo", .type = CEL_FIELD_PATH, .offset = F(zoo), .def = "", .unit = "FILE",
     .doc = "settings of the environment in a file of RL Zoo, such as ppo.yml; a setting that "
            "Celsius has no counterpart for is an error"},
    {.name = "zoo_entry", .type = CEL_FIELD_PATH, .offset = F(zoo_entry), .def = "",
     .unit = "NAME",
     .doc = "entry of that file; default: the one of the environment, else \"default\""},
    {.name = "config", .type = CEL_FIELD_PATH, .offset = F(config), .def = "", .unit = "FILE",
     .doc = "YAML file with settings, such as the config.yaml of another run"},
    {.name = "seeds", .type = CEL_FIELD_PATH, .offset = F(seeds), .def = "", .unit = "LIST",
     .doc = "train several seeds, one process each, in folders OUT/seed-K; 1..5 or 1,2,7"},
    {.name = "jobs", .type = CEL_FIELD_INT, .offset = F(jobs), .def = "1", .min = 1, .max = 1024,
     .doc = "with --seeds: number of runs at the same time"},
    {.name = "overwrite", .type = CEL_FIELD_BOOL, .offset = F(overwrite), .def = "false",
     .doc = "replace the run in the folder of --out"},
#include "train_rows.inc"
    {0},
};
// clang-format on

// clang-format off
static const CelField resume_fields[] = {
    {.name = "resume", .type = CEL_FIELD_PATH, .offset = F(resume), .def = "", .unit = "RUN",
     .doc = "run folder to resume, or a folder of several runs (--seeds)"},
    {.name = "jobs", .type = CEL_FIELD_INT, .offset = F(jobs), .def = "1", .min = 1, .max = 1024,
     .doc = "with a folder of several runs: number of runs at the same time"},
    {.name = "overwrite", .type = CEL_FIELD_BOOL, .offset = F(overwrite), .def = "false",
     .doc = "if the checkpoints were deleted, start the run again and replace its results"},
#include "train_rows.inc"
    {0},
};
// clang-format on
#undef F

typedef struct ResumeConfig {
  int64_t steps, threads;
} ResumeConfig;
#define F(field) offsetof(ResumeConfig, field)
// clang-format off
static const CelField resume_config_fields[] = {
    {.name = "steps", .type = CEL_FIELD_INT, .offset = F(steps), .def = "0", .min = 0, .max = 1e15,
     .unit = "steps",
     .doc = "total steps, counted from the start of the run; 0: as planned"},
    {.name = "threads", .type = CEL_FIELD_INT, .offset = F(threads), .def = "0", .min = 0,
     .max = 256,
     .doc = "threads; 0: as many as before"},
    {0},
};
// clang-format on
#undef F

static const CliCommand resume_command = {
    .name = "train",
    .help = "train --resume RUN --help",
    .usage = "celsius train --resume RUN [--steps N] [--threads N] [--guarantee]",
    .doc = "Resumes a run from its last checkpoint. The result is bit-identical to a run that was "
           "never stopped. The settings come from the run's config.yaml. If the run was started "
           "with --guarantee, it continues to check every update.",
    .details = "Examples\n"
               "  celsius train --resume runs/sac-Pendulum-v1-1\n"
               "  celsius train --resume runs/sac-Pendulum-v1-1 --steps 50000\n"
               "  celsius train --resume runs/sac-Pendulum-v1-seeds --jobs 2",
    .run = NULL};

// ---- hooks and results

/// State of the hooks.
typedef struct Watch {
  CliBar bar;
  bool check, overwrite; ///< check: --guarantee
  TrainGuarantee guarantee;
} Watch;

static void on_progress(void *user, const CelProgress *progress) {
  cli_bar_show(&((Watch *)user)->bar, progress);
}

static void on_note(void *user, const char *text) {
  cli_bar_clear(&((Watch *)user)->bar);
  cli_note("%s", text);
}

static bool on_stop(void *user) {
  (void)user;
  return cli_stop_asked();
}

static CelStatus on_begun(void *user, CelAgent *agent, const CelEnvSpec *spec, const char *folder) {
  return train_guarantee_begin(&((Watch *)user)->guarantee, agent, spec, folder);
}

static CelStatus on_updated(void *user, CelAgent *agent) {
  return train_guarantee_step(&((Watch *)user)->guarantee, agent);
}

static void watch_open(Watch *watch, const Options *options, bool check) {
  *watch = (Watch){.bar = cli_bar(options->quiet), .check = check, .overwrite = options->overwrite};
  watch->guarantee.bar = &watch->bar;
  if (options->json) watch->guarantee.rows = cJSON_CreateArray();
  cli_signals_install();
}

static CelRunHooks hooks_of(Watch *watch) {
  return (CelRunHooks){.user = watch,
                       .note = on_note,
                       .quiet = watch->bar.quiet,
                       .overwrite = watch->overwrite,
                       .progress = on_progress,
                       .stop = on_stop,
                       .begun = watch->check ? on_begun : NULL,
                       .updated = watch->check ? on_updated : NULL};
}

static void add_result(cJSON *json, const CelRunResult *result) {
  cJSON_AddStringToObject(json, "run", result->folder);
  cJSON_AddNumberToObject(json, "steps", (double)result->steps);
  cJSON_AddNumberToObject(json, "updates", (double)result->updates);
  cJSON_AddNumberToObject(json, "episodes", (double)result->episodes);
  cJSON_AddNumberToObject(json, "seconds", result->seconds);
  cJSON_AddNumberToObject(json, "mean_return", result->mean_return);
  cJSON_AddNumberToObject(json, "std_return", result->std_return);
  cJSON_AddNumberToObject(json, "best_return", result->best_return);
}

static void print_result(const CelRunResult *result) {
  char steps[32], duration[32];
  printf("%s step%s in %s\n", cli_count(steps, result->steps), cli_s(result->steps),
         cli_duration(duration, result->seconds));
  printf("mean return   %.6g, standard deviation %.4g; best evaluation %.6g\n", result->mean_return,
         result->std_return, result->best_return);
}

static void print_next(const CelRunResult *result) {
  char folder[CLI_QUOTE_MAX];
  cel_shell_quote(folder, sizeof folder, result->folder);
  printf("run folder    %s\n", result->folder);
  printf("try now       celsius eval %s%s%s\n", folder, result->renders ? " --render run.gif" : "",
         result->plugin ? " --allow-plugins" : "");
  printf("              celsius plot %s --out curve.png\n", folder);
}

/// Prints the result. *kept becomes false if an update gained less than its certified bound.
static CelStatus report(Watch *watch, const CelRunResult *result, bool json, bool *kept) {
  cJSON *object = json ? cJSON_CreateObject() : NULL;
  if (json)
    add_result(object, result);
  else
    print_result(result);
  if (watch->check) *kept = train_guarantee_end(&watch->guarantee, object);
  if (result->updates == 0)
    cli_note(
        "no update was made, so nothing was learned; raise --steps above --learning-starts, or "
        "above one rollout (--n-steps times --n-envs)");
  if (json) return cli_print_json(object);
  print_next(result);
  return CEL_OK;
}

/// Ends the bar and prints the result or the error. Returns the exit code, which is 1 if an update
/// gained less than its certified bound.
static int finish(Watch *watch, CelStatus status, const CelRunResult *result, bool json) {
  bool kept = true;
  if (watch->bar.drawn) fputc('\n', stderr);
  if (status == CEL_OK) status = report(watch, result, json, &kept);
  train_guarantee_close(&watch->guarantee);
  if (status != CEL_OK) return cli_error(status);
  return kept ? 0 : 1;
}

// ---- resume

static int run_resume(int argc, char **argv) {
  Options options;
  ResumeConfig config;
  CliArgs args;
  memset(&options, 0, sizeof options);
  cel_fields_default(resume_fields, &options);
  cel_fields_default(resume_config_fields, &config);
  const CliTable tables[] = {{"The command", "", resume_fields, &options},
                             {"The run", "", resume_config_fields, &config}};
  CelStatus status = cli_parse(&resume_command, argc, argv, tables, 2, &args);
  if (status == CEL_OK && args.help) {
    cli_help_command(&resume_command, tables, 2);
    return CEL_OK;
  }
  if (status == CEL_OK) status = cli_positionals(&resume_command, &args, 0, 0, "");
  if (status == CEL_E_NAME)
    status =
        cel_fail_in(status, "with --resume only --steps, --threads, --jobs, --overwrite, "
                            "--guarantee, --json, --quiet and --allow-plugins are allowed; the "
                            "rest is in the run folder: ");
  if (status != CEL_OK) return cli_error(status);
  cli_renamed_flag(options.certify, "--certify", "--guarantee", &options.guarantee);
  if (cli_seeds_folder(options.resume)) {
    if (options.guarantee)
      return cli_error(cel_fail(CEL_E_ARGUMENT,
                                "--guarantee works for a single run, but %s holds several; resume "
                                "one of its folders seed-K",
                                options.resume));
    const CliSeeds group = {.jobs = (int)options.jobs,
                            .steps = config.steps,
                            .threads = config.threads,
                            .overwrite = options.overwrite,
                            .json = options.json,
                            .quiet = options.quiet};
    return cli_seeds_resume(options.resume, &group);
  }
  Watch watch;
  CelRunResult result;
  watch_open(&watch, &options, options.guarantee || train_guarantee_was(options.resume));
  const CelRunHooks hooks = hooks_of(&watch);
  status = cel_train_resume(options.resume, config.steps, config.threads, &hooks, &result);
  return finish(&watch, status, &result, options.json);
}

// ---- a new run

/// The algorithm and the environment, from the command line or the config file. They decide which
/// tables of flags there are.
typedef struct Choice {
  char algo[CEL_TEXT_MAX], env[CEL_PATH_MAX];
} Choice;

static CelStatus peek(const char *path, const char *key, char *text, size_t size) {
  bool found;
  if (!path || text[0]) return CEL_OK;
  return cel_yaml_peek(path, key, text, size, &found);
}

/// The algorithm that a file of RL Zoo is named after: "ppo.yml". Keeps `algo` if there is none.
static void choose_from_zoo(const char *path, char algo[CEL_TEXT_MAX]) {
  if (!path || algo[0]) return;
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  const CelAlgoInfo *info;
  for (int i = 0; (info = cel_algo_at(i)) != NULL; i++) {
    const size_t n = strlen(info->name);
    if (strncmp(name, info->name, n) == 0 && (name[n] == '.' || name[n] == 0))
      snprintf(algo, CEL_TEXT_MAX, "%s", info->name);
  }
}

static CelStatus choose(int argc, char **argv, Choice *choice) {
  const char *config = cli_scan(argc, argv, "config"), *env = cli_scan(argc, argv, "env");
  const bool named = argc > 0 && argv[0][0] != '-';
  char quoted[CLI_QUOTE_MAX];
  *choice = (Choice){.algo = ""};
  if (named) {
    const CelAlgoInfo *info;
    const CelStatus status = cel_algo_find(argv[0], &info);
    if (status != CEL_OK) return status;
    snprintf(choice->algo, sizeof choice->algo, "%s", argv[0]);
  }
  if (named && !env && argc > 1 && argv[1][0] != '-' && !cli_scan(argc, argv, "config"))
    return cel_fail(CEL_E_ARGUMENT,
                    "unexpected argument '%s'; give the environment with --env: celsius train %s "
                    "--env %s",
                    argv[1], argv[0], cel_shell_quote(quoted, sizeof quoted, argv[1]));
  if (env) snprintf(choice->env, sizeof choice->env, "%s", env);
  CelStatus status = peek(config, "algo", choice->algo, sizeof choice->algo);
  choose_from_zoo(cli_scan(argc, argv, "zoo"), choice->algo);
  bool found;
  if (status == CEL_OK && config && !choice->env[0])
    status = cel_setup_peek_env(config, choice->env, &found);
  return status;
}

enum { RUN_FIELDS_MAX = 64 };

/// The fields of the run without algo, which is the first argument and not a flag.
static void list_run_fields(CelField table[RUN_FIELDS_MAX]) {
  static const CelField algo[] = {{.name = "algo"}, {0}};
  cli_fields_except(table, RUN_FIELDS_MAX, cel_run_fields(), algo);
}

static int help(const Choice *choice) {
  CelField run[RUN_FIELDS_MAX];
  const CelAlgoInfo *algo = NULL;
  CelSetup *setup = NULL;
  char titles[2][160];
  CliTable tables[4] = {{"The command", "", options_fields, NULL}, {"The run", "", run, NULL}};
  int n = 2;
  list_run_fields(run);
  if (choice->algo[0] && cel_algo_find(choice->algo, &algo) == CEL_OK) {
    snprintf(titles[0], sizeof titles[0], "The algorithm: %s", algo->name);
    tables[n++] = (CliTable){titles[0], "", algo->fields, NULL};
  }
  if (algo && choice->env[0]) {
    const CelStatus status = cel_setup_create(&setup, choice->algo, choice->env);
    if (status != CEL_OK) return cli_error(status);
    snprintf(titles[1], sizeof titles[1], "The environment: %.120s", setup->env->id);
    tables[n++] = (CliTable){titles[1], "env.", setup->env_fields, NULL};
  }
  cli_help_command(&cli_train, tables, n);
  cel_setup_destroy(setup);
  return CEL_OK;
}

/// Sets the flags that name a finite problem. They come before the rest because the preset depends
/// on the problem.
static CelStatus choose_problem(CelSetup *setup, int argc, char **argv) {
  static const char *const names[] = {"env.generator", "env.file"};
  CelStatus status = CEL_OK;
  for (size_t i = 0; i < sizeof names / sizeof names[0] && status == CEL_OK; i++) {
    const char *value = cli_scan(argc, argv, names[i]);
    if (value && cel_setup_find(setup, names[i])) status = cel_setup_set(setup, names[i], value);
  }
  return status;
}

/// Reads the settings of --zoo.
static CelStatus read_zoo(CelSetup *setup, const char *path, const char *entry) {
  CelZoo *zoo;
  int64_t i;
  const char *env = strrchr(setup->run.env, ':');
  env = env ? env + 1 : setup->run.env;
  CelStatus status = cel_zoo_open(path, &zoo);
  if (status != CEL_OK) return status;
  status = cel_zoo_find(zoo, entry ? entry : env, &i);
  if (status == CEL_OK) status = cel_zoo_apply(zoo, i, setup);
  if (status == CEL_OK && strcmp(cel_zoo_entry(zoo, i), entry ? entry : env) != 0)
    cli_note("%s has no entry %s; using the entry \"default\"", path, entry ? entry : env);
  cel_zoo_close(zoo);
  return status;
}

/// Fills the setup: defaults, then the preset, then the files of --zoo and --config, then the
/// flags.
static CelStatus fill(CelSetup *setup, Options *options, int argc, char **argv, CliArgs *args) {
  CelField run[RUN_FIELDS_MAX];
  const char *preset = cli_scan(argc, argv, "preset"), *config = cli_scan(argc, argv, "config");
  const char *zoo = cli_scan(argc, argv, "zoo"), *entry = cli_scan(argc, argv, "zoo-entry");
  list_run_fields(run);
  CelStatus status = choose_problem(setup, argc, argv);
  if (status == CEL_OK && preset && strcmp(preset, "none") != 0)
    status = cel_setup_preset(setup, preset);
  if (status == CEL_OK && entry && !zoo)
    status = cel_fail(CEL_E_ARGUMENT, "--zoo-entry needs --zoo FILE");
  if (status == CEL_OK && zoo) status = read_zoo(setup, zoo, entry);
  if (status == CEL_OK && config) status = cel_setup_read(setup, config);
  if (status != CEL_OK) return status;
  const CliTable tables[] = {{"", "", options_fields, options},
                             {"", "", run, &setup->run},
                             {"", "", setup->algo->fields, setup->algo_config},
                             {"", "env.", setup->env_fields, setup->env_args}};
  return cli_parse(&cli_train, argc, argv, tables, 4, args);
}

static int run_one(const CelSetup *setup, const Options *options) {
  Watch watch;
  CelRunResult result;
  if (options->guarantee) {
    const CelStatus status = train_guarantee_check(setup);
    if (status != CEL_OK) return cli_error(status);
  }
  watch_open(&watch, options, options->guarantee);
  const CelRunHooks hooks = hooks_of(&watch);
  const CelStatus status = cel_setup_train(setup, &hooks, &result);
  return finish(&watch, status, &result, options->json);
}

static int run_seeds(const CelSetup *setup, const Options *options) {
  uint64_t *seeds = NULL;
  int n = 0;
  const CelStatus status = cli_seeds_parse(options->seeds, &seeds, &n);
  if (status != CEL_OK) return cli_error(status);
  const CliSeeds group = {.jobs = (int)options->jobs,
                          .overwrite = options->overwrite,
                          .json = options->json,
                          .quiet = options->quiet};
  const int code = cli_seeds_run(setup, seeds, n, &group);
  free(seeds);
  return code;
}

static int run_new(int argc, char **argv, const Choice *choice) {
  CelSetup *setup = NULL;
  Options options;
  CliArgs args = {0};
  memset(&options, 0, sizeof options);
  cel_fields_default(options_fields, &options);
  CelStatus status = cel_setup_create(&setup, choice->algo, choice->env);
  if (status == CEL_OK) status = fill(setup, &options, argc, argv, &args);
  if (status == CEL_OK)
    cli_renamed_flag(options.certify, "--certify", "--guarantee", &options.guarantee);
  if (status == CEL_OK) status = cli_positionals(&cli_train, &args, 0, 1, "");
  if (status == CEL_OK && args.n && args.positional[0] != argv[0])
    status = cel_fail(CEL_E_ARGUMENT,
                      "unexpected argument '%s'; the algorithm comes first: celsius train %s --env "
                      "ID",
                      args.positional[0], choice->algo);
  if (status == CEL_OK && !options.seeds[0] && cli_scan(argc, argv, "seeds"))
    status = cel_fail(CEL_E_TYPE, "--seeds: the list is empty; give a list such as 1..5 or 1,2,7");
  if (status == CEL_OK && options.seeds[0] && cli_scan(argc, argv, "seed"))
    status = cel_fail(CEL_E_ARGUMENT, "--seed and --seeds cannot be combined; give one of them");
  if (status == CEL_OK && options.seeds[0] && options.guarantee)
    status =
        cel_fail(CEL_E_ARGUMENT, "--guarantee works for a single run; give --seed, not --seeds");
  int code;
  if (status != CEL_OK)
    code = cli_error(status);
  else
    code = options.seeds[0] ? run_seeds(setup, &options) : run_one(setup, &options);
  cel_setup_destroy(setup);
  return code;
}

/// Chooses the algorithm and the environment. Errors: those of choose; CEL_E_ARGUMENT (missing).
static CelStatus choose_both(int argc, char **argv, Choice *choice) {
  const CelStatus status = choose(argc, argv, choice);
  if (status != CEL_OK) return status;
  if (!choice->algo[0])
    return cel_fail(CEL_E_ARGUMENT,
                    "the algorithm is missing; it is the first argument: celsius train ALGO --env "
                    "ID (`celsius list algos` lists the algorithms)");
  if (!choice->env[0])
    return cel_fail(CEL_E_ARGUMENT,
                    "--env is missing; give the environment: celsius train %s --env ID (`celsius "
                    "list envs` lists the environments)",
                    choice->algo);
  return CEL_OK;
}

CelStatus cli_train_setup(int argc, char **argv, CelSetup **setup) {
  Choice choice;
  Options options;
  CliArgs args = {0};
  *setup = NULL;
  memset(&options, 0, sizeof options);
  cel_fields_default(options_fields, &options);
  CelStatus status = choose_both(argc, argv, &choice);
  if (status == CEL_OK) status = cel_setup_create(setup, choice.algo, choice.env);
  if (status == CEL_OK) status = fill(*setup, &options, argc, argv, &args);
  if (status == CEL_OK) status = cli_positionals(&cli_train, &args, 0, 1, "");
  if (status == CEL_OK) return CEL_OK;
  cel_setup_destroy(*setup);
  *setup = NULL;
  return status;
}

static int run(int argc, char **argv) {
  Choice choice;
  if (cli_scan(argc, argv, "resume") || cli_has(argc, argv, "resume"))
    return run_resume(argc, argv);
  if (cli_has(argc, argv, "help")) {
    const CelStatus status = choose(argc, argv, &choice);
    return status == CEL_OK ? help(&choice) : cli_error(status);
  }
  const CelStatus status = choose_both(argc, argv, &choice);
  return status == CEL_OK ? run_new(argc, argv, &choice) : cli_error(status);
}

const CliCommand cli_train = {
    .name = "train",
    .help = "train ALGO --env ID --help",
    .usage = "celsius train ALGO --env ID [--FIELD VALUE ...]\n"
             "       celsius train [ALGO] --zoo FILE --env ID [--FIELD VALUE ...]\n"
             "       celsius train --resume RUN [--steps N] [--threads N] [--guarantee]",
    .doc =
        "Trains an agent and writes a run folder. Every field of the run, the algorithm and the "
        "environment is a flag (`celsius train ALGO --env ID --help` lists all of them). Settings "
        "are applied in this order, and later ones win: defaults, --preset, --zoo, --config, "
        "flags.\n"
        "--guarantee is for finite problems. After every update it computes the exact gain J' - J "
        "in expected return and "
        "a lower bound on it (the surrogate minus the drift penalty), and prints whether the gain "
        "reached the bound. The numbers also go to guarantee.csv in the run folder.\n"
        "Ctrl-C finishes the step, saves the run, prints how to resume it and exits with code 15. "
        "A "
        "run that was killed can be resumed from its last checkpoint. In both cases the result is "
        "bit-identical to a run that was never stopped.",
    .details = "Examples\n"
               "  celsius train sac --env Pendulum-v1 --preset auto --seed 1\n"
               "  celsius train sac --env Pendulum-v1 --net-arch 64,64 --seeds 1..5 --jobs 2\n"
               "  celsius train ppo --env mdp --env.generator frozenlake-4x4 --guarantee\n"
               "  celsius train sac --env ./my.so:Robot --env.gravity 3.7 --config mine.yaml\n"
               "  celsius train --zoo ppo.yml --env CartPole-v1\n"
               "  celsius train --resume runs/sac-Pendulum-v1-1",
    .run = run};
