/// celsius train: one run, several seeds of it, or a run that goes on.
#include "cli.h"
#include "train_guarantee.h"

#include <stdlib.h>
#include <string.h>

/// Flags of the command itself; the rest are fields of the run, the algorithm and the environment.
typedef struct Options {
  char preset[CEL_TEXT_MAX], config[CEL_PATH_MAX], resume[CEL_PATH_MAX], seeds[CEL_PATH_MAX];
  int64_t jobs;
  bool overwrite, certify, json, quiet;
} Options;

#define F(field) offsetof(Options, field)
static const CelField options_fields[] = {
    {"preset", CEL_FIELD_STRING, F(preset), "none", 0, 0, "NAME", NULL, NULL,
     "settings known to work; auto: those of the environment; `celsius list presets`", ""},
    {"config", CEL_FIELD_PATH, F(config), "", 0, 0, "FILE", NULL, NULL,
     "YAML file of fields, such as another run's config.yaml", ""},
    {"seeds", CEL_FIELD_PATH, F(seeds), "", 0, 0, "LIST", NULL, NULL,
     "several runs, one process each: 1..5 or 1,2,7; folders OUT/seed-K", ""},
    {"jobs", CEL_FIELD_INT, F(jobs), "1", 1, 1024, "", NULL, NULL,
     "with --seeds: runs at the same time", ""},
    {"overwrite", CEL_FIELD_BOOL, F(overwrite), "false", 0, 0, "", NULL, NULL,
     "replace the run that --out holds", ""},
    {"certify", CEL_FIELD_BOOL, F(certify), "false", 0, 0, "", NULL, NULL,
     "finite problems: the exact gain of every update beside its certified lower bound", ""},
    {"json", CEL_FIELD_BOOL, F(json), "false", 0, 0, "", NULL, NULL, "print the result as JSON",
     ""},
    {"quiet", CEL_FIELD_BOOL, F(quiet), "false", 0, 0, "", NULL, NULL, "show no progress", ""},
    {0}};

static const CelField resume_fields[] = {
    {"resume", CEL_FIELD_PATH, F(resume), "", 0, 0, "RUN", NULL, NULL,
     "run folder to go on with, as if it had never stopped, or a folder of --seeds", ""},
    {"jobs", CEL_FIELD_INT, F(jobs), "1", 1, 1024, "", NULL, NULL,
     "with a folder of runs: runs at the same time", ""},
    {"overwrite", CEL_FIELD_BOOL, F(overwrite), "false", 0, 0, "", NULL, NULL,
     "start a trained run whose checkpoints are gone again, and replace its results", ""},
    {"certify", CEL_FIELD_BOOL, F(certify), "false", 0, 0, "", NULL, NULL,
     "finite problems: the exact gain of every update beside its certified lower bound", ""},
    {"json", CEL_FIELD_BOOL, F(json), "false", 0, 0, "", NULL, NULL, "print the result as JSON",
     ""},
    {"quiet", CEL_FIELD_BOOL, F(quiet), "false", 0, 0, "", NULL, NULL, "show no progress", ""},
    {0}};
#undef F

typedef struct ResumeConfig {
  int64_t steps, threads;
} ResumeConfig;
#define F(field) offsetof(ResumeConfig, field)
static const CelField resume_config_fields[] = {
    {"steps", CEL_FIELD_INT, F(steps), "0", 0, 1e15, "steps", NULL, NULL,
     "go further than planned: steps in all; 0: as planned", ""},
    {"threads", CEL_FIELD_INT, F(threads), "0", 0, 256, "", NULL, NULL, "threads; 0: as before",
     ""},
    {0}};
#undef F

static const CliCommand resume_command = {
    .name = "train",
    .help = "train --resume RUN --help",
    .usage = "celsius train --resume RUN [--steps N] [--threads N] [--certify]",
    .doc =
        "Goes on with a run from its last checkpoint, bit for bit as if it had never stopped. Its "
        "settings are those of its config.yaml. A run that was certified still is.",
    .details = "Examples\n"
               "  celsius train --resume runs/sac-Pendulum-v1-1\n"
               "  celsius train --resume runs/sac-Pendulum-v1-1 --steps 50000\n"
               "  celsius train --resume runs/sac-Pendulum-v1-seeds --jobs 2",
    .run = NULL};

// ---- what is told

/// What the hooks know.
typedef struct Watch {
  CliBar bar;
  bool certify, overwrite;
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

static void watch_open(Watch *watch, const Options *options, bool certify) {
  *watch =
      (Watch){.bar = cli_bar(options->quiet), .certify = certify, .overwrite = options->overwrite};
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
                       .begun = watch->certify ? on_begun : NULL,
                       .updated = watch->certify ? on_updated : NULL};
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

/// Prints and frees.
static CelStatus print_json(cJSON *json) {
  char *text = cJSON_Print(json);
  cJSON_Delete(json);
  if (!text) return cel_fail(CEL_E_MEMORY, "no memory for the result");
  puts(text);
  free(text);
  return CEL_OK;
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
  printf("what now      celsius eval %s%s%s\n", folder, result->renders ? " --render run.gif" : "",
         result->plugin ? " --allow-plugins" : "");
  printf("              celsius plot %s --out curve.png\n", folder);
}

/// Tells the result; *kept: every bound of a guarantee held.
static CelStatus report(Watch *watch, const CelRunResult *result, bool json, bool *kept) {
  cJSON *object = json ? cJSON_CreateObject() : NULL;
  if (json)
    add_result(object, result);
  else
    print_result(result);
  if (watch->certify) *kept = train_guarantee_end(&watch->guarantee, object);
  if (result->updates == 0)
    cli_note(
        "nothing was learned: the first update takes more --steps, a whole rollout (--n-steps of "
        "each environment) or more than --learning-starts");
  if (json) return print_json(object);
  print_next(result);
  return CEL_OK;
}

/// Ends the bar, tells the result or the error; returns the exit code: 1 where a bound was broken.
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
  const CliTable tables[] = {{"Going on", "", resume_fields, &options},
                             {"The run", "", resume_config_fields, &config}};
  CelStatus status = cli_parse(&resume_command, argc, argv, tables, 2, &args);
  if (status == CEL_OK && args.help) {
    cli_help_command(&resume_command, tables, 2);
    return CEL_OK;
  }
  if (status == CEL_OK) status = cli_positionals(&resume_command, &args, 0, 0, "");
  if (status == CEL_E_NAME)
    status = cel_fail_in(status, "a run that goes on takes only --steps, --threads, --jobs, "
                                 "--overwrite, --certify, --json, --quiet: ");
  if (status != CEL_OK) return cli_error(status);
  if (cli_seeds_folder(options.resume)) {
    if (options.certify)
      return cli_error(cel_fail(CEL_E_ARGUMENT,
                                "--certify tells of one run, and %s holds several: resume one of "
                                "its folders seed-K",
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
  watch_open(&watch, &options, options.certify || train_guarantee_was(options.resume));
  const CelRunHooks hooks = hooks_of(&watch);
  status = cel_train_resume(options.resume, config.steps, config.threads, &hooks, &result);
  return finish(&watch, status, &result, options.json);
}

// ---- from the start

/// What the command line and the config file say the run is about, before any table is known.
typedef struct Choice {
  char algo[CEL_TEXT_MAX], env[CEL_PATH_MAX];
} Choice;

static CelStatus peek(const char *path, const char *key, char *text, size_t size) {
  bool found;
  if (!path || text[0]) return CEL_OK;
  return cel_yaml_peek(path, key, text, size, &found);
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
                    "'%s': the environment is given with --env: celsius train %s --env %s", argv[1],
                    argv[0], cel_shell_quote(quoted, sizeof quoted, argv[1]));
  if (env) snprintf(choice->env, sizeof choice->env, "%s", env);
  CelStatus status = peek(config, "algo", choice->algo, sizeof choice->algo);
  bool found;
  if (status == CEL_OK && config && !choice->env[0])
    status = cel_setup_peek_env(config, choice->env, &found);
  return status;
}

/// The run's own fields without algo, which is the first argument; env is taken already and stays a
/// flag.
static void list_run_fields(CelField table[64]) {
  int n = 0;
  for (const CelField *field = cel_run_fields(); field->name && n < 63; field++)
    if (strcmp(field->name, "algo") != 0) table[n++] = *field;
  table[n] = (CelField){0};
}

static int help(const Choice *choice) {
  CelField run[64];
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

/// Which finite problem it is decides which preset suits it, so these flags are taken before the rest.
static CelStatus choose_problem(CelSetup *setup, int argc, char **argv) {
  static const char *const names[] = {"env.generator", "env.file"};
  CelStatus status = CEL_OK;
  for (size_t i = 0; i < sizeof names / sizeof names[0] && status == CEL_OK; i++) {
    const char *value = cli_scan(argc, argv, names[i]);
    if (value && cel_setup_find(setup, names[i])) status = cel_setup_set(setup, names[i], value);
  }
  return status;
}

/// Defaults, then the preset, then the file, then the flags.
static CelStatus fill(CelSetup *setup, Options *options, int argc, char **argv, CliArgs *args) {
  CelField run[64];
  const char *preset = cli_scan(argc, argv, "preset"), *config = cli_scan(argc, argv, "config");
  list_run_fields(run);
  CelStatus status = choose_problem(setup, argc, argv);
  if (status == CEL_OK && preset && strcmp(preset, "none") != 0)
    status = cel_setup_preset(setup, preset);
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
  if (options->certify) {
    const CelStatus status = train_guarantee_check(setup);
    if (status != CEL_OK) return cli_error(status);
  }
  watch_open(&watch, options, options->certify);
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
  if (status == CEL_OK) status = cli_positionals(&cli_train, &args, 0, 1, "");
  if (status == CEL_OK && args.n && args.positional[0] != argv[0])
    status = cel_fail(CEL_E_ARGUMENT, "'%s': the algorithm comes first: celsius train %s --env ID",
                      args.positional[0], choice->algo);
  if (status == CEL_OK && !options.seeds[0] && cli_scan(argc, argv, "seeds"))
    status = cel_fail(CEL_E_TYPE, "--seeds: '' is not a list such as 1..5 or 1,2,7");
  if (status == CEL_OK && options.seeds[0] && cli_scan(argc, argv, "seed"))
    status = cel_fail(CEL_E_ARGUMENT, "--seed and --seeds together; give one of them");
  if (status == CEL_OK && options.seeds[0] && options.certify)
    status = cel_fail(CEL_E_ARGUMENT, "--certify tells of one run: give --seed, not --seeds");
  int code;
  if (status != CEL_OK)
    code = cli_error(status);
  else
    code = options.seeds[0] ? run_seeds(setup, &options) : run_one(setup, &options);
  cel_setup_destroy(setup);
  return code;
}

static int run(int argc, char **argv) {
  Choice choice;
  if (cli_scan(argc, argv, "resume") || cli_has(argc, argv, "resume"))
    return run_resume(argc, argv);
  const CelStatus status = choose(argc, argv, &choice);
  if (status != CEL_OK) return cli_error(status);
  if (cli_has(argc, argv, "help")) return help(&choice);
  if (!choice.algo[0])
    return cli_error(cel_fail(CEL_E_ARGUMENT,
                              "the algorithm is missing: celsius train ALGO --env ID; "
                              "`celsius list algos` lists all"));
  if (!choice.env[0])
    return cli_error(cel_fail(CEL_E_ARGUMENT,
                              "--env is missing: celsius train %s --env ID; "
                              "`celsius list envs` lists all",
                              choice.algo));
  return run_new(argc, argv, &choice);
}

const CliCommand cli_train = {
    .name = "train",
    .help = "train ALGO --env ID --help",
    .usage = "celsius train ALGO --env ID [--FIELD VALUE ...]\n"
             "       celsius train --resume RUN [--steps N] [--threads N] [--certify]",
    .doc =
        "Trains an agent and leaves a run folder. Every field of the run, of the algorithm and of "
        "the "
        "environment is a flag (`celsius train ALGO --env ID --help` lists them all). Settings are "
        "taken in this order, later ones win: defaults, --preset, --config, flags.\n"
        "--certify computes, after every update on a finite problem, the exact gain J' - J, the "
        "surrogate, the drift penalty and the lower bound that they make, and whether it held; all "
        "of it goes to guarantee.csv in the run folder too.\n"
        "Ctrl-C finishes the step, saves, says how to go on and exits with 15; a run that was "
        "killed "
        "goes on from its last checkpoint in the same way, bit for bit as if it had never stopped.",
    .details = "Examples\n"
               "  celsius train sac --env Pendulum-v1 --preset auto --seed 1\n"
               "  celsius train sac --env Pendulum-v1 --steps 20000 --net-arch 64,64 --seeds 1..5 "
               "--jobs 2\n"
               "  celsius train ppo --env mdp --env.generator frozenlake-4x4 --certify\n"
               "  celsius train sac --env ./my.so:Robot --env.gravity 3.7 --config mine.yaml\n"
               "  celsius train --resume runs/sac-Pendulum-v1-1",
    .run = run};
