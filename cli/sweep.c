/// celsius sweep: trains all combinations of some settings, several seeds each.
///
/// A sweep is a folder:
///     DIR/command.txt         the command that made it
///     DIR/runs.csv            the runs: folder, seed, and the values of the settings that vary
///     DIR/NAME=VALUE/seed-K/  run folders
///     DIR/results.csv         the runs that are complete: steps and returns
/// Several processes can work on one sweep. Each takes every N-th run.
#include "group.h"
#include "sweep_table.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { AXES_MAX = 16, VALUES_MAX = 1000, LABEL_MAX = 180, ARGS_MAX = 1024 };

typedef struct Options {
  char seeds[CEL_PATH_MAX], out[CEL_PATH_MAX], resume[CEL_PATH_MAX], part[CEL_TEXT_MAX];
  int64_t jobs;
  bool dry_run, commands, json, quiet;
} Options;

#define F(field) offsetof(Options, field)
// clang-format off
static const CelField options_fields[] = {
    {.name = "seeds", .type = CEL_FIELD_PATH, .offset = F(seeds), .def = "1", .unit = "LIST",
     .doc = "seeds of each combination; 1..5 or 1,2,7"},
    {.name = "out", .type = CEL_FIELD_PATH, .offset = F(out), .def = "", .unit = "FOLDER",
     .doc = "folder of the sweep; default: a new folder runs/ALGO-ENV-sweep"},
    {.name = "jobs", .type = CEL_FIELD_INT, .offset = F(jobs), .def = "1", .min = 1, .max = 1024,
     .doc = "number of runs at the same time"},
    {.name = "resume", .type = CEL_FIELD_PATH, .offset = F(resume), .def = "", .unit = "FOLDER",
     .doc = "continue the sweep in this folder, or print its table if all runs are complete"},
    {.name = "part", .type = CEL_FIELD_STRING, .offset = F(part), .def = "", .unit = "K/N",
     .doc = "do only part K of N, so that N processes share the sweep; default under mpirun and "
            "srun: the process's own part"},
    {.name = "dry_run", .type = CEL_FIELD_BOOL, .offset = F(dry_run), .def = "false",
     .doc = "check and list the combinations, write nothing"},
    {.name = "commands", .type = CEL_FIELD_BOOL, .offset = F(commands), .def = "false",
     .doc = "make the folders and print one command per run, for a batch scheduler; train nothing"},
    {.name = "json", .type = CEL_FIELD_BOOL, .offset = F(json), .def = "false",
     .doc = "print the table as JSON"},
    {.name = "quiet", .type = CEL_FIELD_BOOL, .offset = F(quiet), .def = "false",
     .doc = "show no progress"},
    {0},
};
// clang-format on
#undef F

/// A setting that varies.
typedef struct Axis {
  char name[CEL_TEXT_MAX];
  char *value[VALUES_MAX];
  int n;
} Axis;

typedef struct Sweep {
  Options options;
  bool named; ///< argv[0] is the algorithm
  int argc;   ///< arguments of `celsius train` that all runs share: the algorithm and flags
  char *argv[ARGS_MAX];
  Axis axis[AXES_MAX];
  int n_axes, n_combinations;
  uint64_t *seeds;
  int n_seeds;
  int part, parts; ///< runs i with i % parts == part are ours
  CliGroup group;
} Sweep;

// ---- arguments

/// Splits "a,b" or "[64,64],[256,256]" into values. A value in brackets may contain commas.
static CelStatus split_values(Axis *axis, const char *text) {
  for (const char *at = text;; at++) {
    const bool bracket = *at == '[';
    const char *begin = at + bracket;
    size_t n = bracket ? strcspn(begin, "]") : strcspn(begin, ",");
    if (bracket && begin[n] == 0)
      return cel_fail(CEL_E_TYPE, "%s=%s: a bracket is not closed", axis->name, text);
    at = begin + n + bracket;
    if (*at && *at != ',')
      return cel_fail(CEL_E_TYPE, "%s=%s: a comma is missing after ']'", axis->name, text);
    if (n == 0 && !bracket)
      return cel_fail(CEL_E_TYPE, "%s=%s: a value is missing; give a list such as %s=1,2",
                      axis->name, text, axis->name);
    if (axis->n == VALUES_MAX)
      return cel_fail(CEL_E_RANGE, "%s: more than %d values", axis->name, VALUES_MAX);
    char *value = strndup(begin, n);
    if (!value) return cel_fail(CEL_E_MEMORY, "not enough memory for a list of values");
    for (int i = 0; i < axis->n; i++) {
      if (strcmp(axis->value[i], value) != 0) continue;
      free(value);
      return cel_fail(CEL_E_ARGUMENT, "%s: the value %s is given twice", axis->name,
                      axis->value[i]);
    }
    axis->value[axis->n++] = value;
    if (*at == 0) return CEL_OK;
  }
}

static CelStatus add_axis(Sweep *sweep, const char *text) {
  if (sweep->n_axes == AXES_MAX)
    return cel_fail(CEL_E_RANGE, "more than %d settings vary", AXES_MAX);
  Axis *axis = &sweep->axis[sweep->n_axes];
  const size_t n = strcspn(text, "=");
  if (n == 0 || n >= sizeof axis->name)
    return cel_fail(CEL_E_ARGUMENT, "'%.60s' is not NAME=VALUE,VALUE,...", text);
  for (size_t i = 0; i < n; i++) axis->name[i] = text[i] == '_' ? '-' : text[i];
  axis->name[n] = 0;
  if (strcmp(axis->name, "seed") == 0)
    return cel_fail(CEL_E_ARGUMENT, "give the seeds with --seeds, not with %s", text);
  if (strcmp(axis->name, "out") == 0)
    return cel_fail(CEL_E_ARGUMENT, "give the folder of the sweep with --out");
  for (int i = 0; i < sweep->n_axes; i++)
    if (strcmp(axis->name, sweep->axis[i].name) == 0)
      return cel_fail(CEL_E_ARGUMENT, "%s is given twice", axis->name);
  sweep->n_axes++;
  return split_values(axis, text + n + 1);
}

/// The row of options_fields that a flag sets; NULL if it belongs to `celsius train`.
static const CelField *own_flag(const char *arg) {
  char name[CEL_TEXT_MAX];
  const size_t n = strcspn(arg + 2, "=");
  if (n >= sizeof name) return NULL;
  for (size_t i = 0; i < n; i++) name[i] = arg[2 + i] == '-' ? '_' : arg[2 + i];
  name[n] = 0;
  return cel_fields_find(options_fields, name);
}

/// Sorts the arguments: the algorithm, the settings that vary, our flags, flags of the runs.
static CelStatus sort_arguments(Sweep *sweep, int argc, char **argv, int *n_own, char **own) {
  CelStatus status = CEL_OK;
  int i = 0;
  *n_own = 0;
  if (argc >= ARGS_MAX / 2) return cel_fail(CEL_E_ARGUMENT, "more than %d arguments", ARGS_MAX / 2);
  sweep->named = argc > 0 && argv[0][0] != '-' && !strchr(argv[0], '=');
  if (sweep->named) sweep->argv[sweep->argc++] = argv[i++];
  for (; i < argc && argv[i][0] != '-' && status == CEL_OK; i++) {
    if (!strchr(argv[i], '='))
      return cel_fail(CEL_E_ARGUMENT,
                      "unexpected argument '%s'; settings that vary are NAME=VALUE,VALUE,... and "
                      "come before the flags",
                      argv[i]);
    status = add_axis(sweep, argv[i]);
  }
  for (; i < argc && status == CEL_OK; i++) {
    const bool flag = strncmp(argv[i], "--", 2) == 0;
    if (!flag && strchr(argv[i], '=') && strncmp(argv[i - 1], "--", 2) != 0)
      return cel_fail(CEL_E_ARGUMENT,
                      "unexpected argument '%s'; settings that vary come before the flags",
                      argv[i]);
    const CelField *field = flag ? own_flag(argv[i]) : NULL;
    if (!field) {
      sweep->argv[sweep->argc++] = argv[i];
      continue;
    }
    own[(*n_own)++] = argv[i];
    const bool value = field->type != CEL_FIELD_BOOL && !strchr(argv[i], '=');
    if (value && i + 1 < argc) own[(*n_own)++] = argv[++i];
  }
  return status;
}

/// The process's number and the count of processes that mpirun or srun started; 0 of 1 otherwise.
static void find_rank(int *rank, int *size) {
  static const char *const names[][2] = {{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
                                         {"PMI_RANK", "PMI_SIZE"},
                                         {"SLURM_PROCID", "SLURM_NTASKS"}};
  *rank = 0, *size = 1;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    const char *r = getenv(names[i][0]), *s = getenv(names[i][1]);
    if (!r || !s) continue;
    const int n = atoi(s), k = atoi(r);
    if (n < 1 || k < 0 || k >= n) continue;
    *rank = k, *size = n;
    return;
  }
}

static CelStatus parse_part(Sweep *sweep) {
  const char *text = sweep->options.part;
  if (!text[0]) {
    find_rank(&sweep->part, &sweep->parts);
    return CEL_OK;
  }
  char *end;
  const long part = strtol(text, &end, 10);
  const long parts = *end == '/' && end[1] ? strtol(end + 1, &end, 10) : 0;
  if (*end || parts < 1 || parts > CLI_RUNS_MAX || part < 1 || part > parts)
    return cel_fail(CEL_E_TYPE, "--part: '%s' is not K/N with 1 <= K <= N, such as 2/8", text);
  sweep->part = (int)part - 1, sweep->parts = (int)parts;
  return CEL_OK;
}

// ---- combinations

/// The values of combination c; the last setting varies fastest.
static char *value_of(const Sweep *sweep, int c, int axis) {
  for (int i = sweep->n_axes - 1; i > axis; i--) c /= sweep->axis[i].n;
  return sweep->axis[axis].value[c % sweep->axis[axis].n];
}

/// "learning-rate=1e-3,gamma=0.9", with characters that every file system takes.
static void label_of(const Sweep *sweep, int c, char label[CEL_PATH_MAX]) {
  size_t n = 0;
  snprintf(label, CEL_PATH_MAX, "default");
  for (int i = 0; i < sweep->n_axes && n < LABEL_MAX; i++)
    n += (size_t)snprintf(label + n, CEL_PATH_MAX - n, "%s%.80s=%.100s", i ? "," : "",
                          sweep->axis[i].name, value_of(sweep, c, i));
  for (char *at = label; *at; at++)
    if (!strchr("=,.+-_", *at) && !(*at >= '0' && *at <= '9') && !(*at >= 'A' && *at <= 'Z') &&
        !(*at >= 'a' && *at <= 'z'))
      *at = '_';
  if (n >= LABEL_MAX) snprintf(label + LABEL_MAX, CEL_PATH_MAX - LABEL_MAX, "-%d", c + 1);
}

/// The setup of combination c, which the caller destroys.
static CelStatus setup_of(Sweep *sweep, int c, CelSetup **setup) {
  static char flag[AXES_MAX][CEL_TEXT_MAX + 2];
  char label[CEL_PATH_MAX];
  int argc = sweep->argc;
  for (int i = 0; i < sweep->n_axes; i++) {
    snprintf(flag[i], sizeof flag[i], "--%s", sweep->axis[i].name);
    sweep->argv[argc++] = flag[i];
    sweep->argv[argc++] = value_of(sweep, c, i);
  }
  label_of(sweep, c, label);
  const CelStatus status = cli_train_setup(argc, sweep->argv, setup);
  return sweep->n_axes ? cel_fail_in(status, "%s: ", label) : status;
}

/// Checks every combination, so that no run fails after hours because of a typing error.
static CelStatus check_combinations(Sweep *sweep) {
  int64_t n = 1;
  for (int i = 0; i < sweep->n_axes; i++) {
    n *= sweep->axis[i].n;
    if (n * sweep->n_seeds > CLI_RUNS_MAX)
      return cel_fail(CEL_E_RANGE, "the sweep has more than %d runs", CLI_RUNS_MAX);
  }
  sweep->n_combinations = (int)n;
  CelStatus status = CEL_OK;
  for (int c = 0; c < sweep->n_combinations && status == CEL_OK; c++) {
    CelSetup *setup;
    status = setup_of(sweep, c, &setup);
    if (status != CEL_OK) break;
    const int at_once = (int)sweep->options.jobs;
    const int runs = sweep->n_combinations * sweep->n_seeds;
    status = cli_group_check_memory(setup, runs < at_once ? runs : at_once);
    cel_setup_destroy(setup);
  }
  return status;
}

// ---- the folder

static CelStatus path_in(const Sweep *sweep, const char *name, char path[CEL_PATH_MAX]) {
  const int n = snprintf(path, CEL_PATH_MAX, "%s/%s", sweep->group.folder, name);
  if (n < CEL_PATH_MAX) return CEL_OK;
  return cel_fail(CEL_E_RANGE, "the name of the folder '%.60s...' is too long",
                  sweep->group.folder);
}

/// Writes the command that makes this sweep. It identifies the sweep.
static void write_command(const Sweep *sweep, FILE *stream) {
  char quoted[CLI_QUOTE_MAX];
  fprintf(stream, "celsius sweep");
  if (sweep->named) fprintf(stream, " %s", sweep->argv[0]);
  for (int k = 0; k < sweep->n_axes; k++) {
    const Axis *axis = &sweep->axis[k];
    fprintf(stream, " %s=", axis->name);
    for (int v = 0; v < axis->n; v++) {
      char value[CEL_PATH_MAX];
      snprintf(value, sizeof value, strchr(axis->value[v], ',') ? "[%s]" : "%s", axis->value[v]);
      fprintf(stream, "%s%s", v ? "," : "", cel_shell_quote(quoted, sizeof quoted, value));
    }
  }
  for (int i = sweep->named; i < sweep->argc; i++)
    fprintf(stream, " %s", cel_shell_quote(quoted, sizeof quoted, sweep->argv[i]));
  fprintf(stream, " --seeds %s\n", sweep->options.seeds);
}

/// Checks that the folder's command.txt has the same command. *found: there is one.
static CelStatus check_command(const Sweep *sweep, bool *found) {
  char path[CEL_PATH_MAX], *text = NULL, *old = NULL;
  size_t size = 0, room = 0;
  *found = false;
  CelStatus status = path_in(sweep, "command.txt", path);
  if (status != CEL_OK) return status;
  FILE *file = fopen(path, "r");
  if (!file) return CEL_OK;
  FILE *memory = open_memstream(&text, &size);
  if (!memory) {
    fclose(file);
    return cel_fail(CEL_E_MEMORY, "not enough memory for the command of the sweep");
  }
  write_command(sweep, memory);
  fclose(memory);
  const bool same = getline(&old, &room, file) >= 0 && strcmp(old, text) == 0;
  *found = true;
  if (!same) {
    old[strcspn(old, "\n")] = 0;
    status = cel_fail(CEL_E_ARGUMENT,
                      "%s: this folder holds another sweep: %s; choose another folder with --out",
                      sweep->group.folder, old);
  }
  fclose(file);
  free(text), free(old);
  return status;
}

static CelStatus write_file(const Sweep *sweep, const char *name,
                            void (*write)(const Sweep *sweep, FILE *stream)) {
  CliFile file;
  char path[CEL_PATH_MAX];
  CelStatus status = path_in(sweep, name, path);
  if (status == CEL_OK) status = cli_file_open(&file, path);
  if (status != CEL_OK) return status;
  write(sweep, file.stream);
  return cli_file_close(&file, CEL_OK);
}

/// One row per run, with a column for each setting that varies.
static void write_runs(const Sweep *sweep, FILE *stream) {
  fprintf(stream, "folder,seed");
  for (int i = 0; i < sweep->n_axes; i++) fprintf(stream, ",%s", sweep->axis[i].name);
  fputc('\n', stream);
  for (int c = 0; c < sweep->n_combinations; c++) {
    char label[CEL_PATH_MAX];
    label_of(sweep, c, label);
    for (int k = 0; k < sweep->n_seeds; k++) {
      const unsigned long long seed = (unsigned long long)sweep->seeds[k];
      fprintf(stream, "\"%s/seed-%llu\",%llu", label, seed, seed);
      for (int i = 0; i < sweep->n_axes; i++) {
        fputs(",\"", stream);
        for (const char *at = value_of(sweep, c, i); *at; at++)
          fprintf(stream, *at == '"' ? "\"\"" : "%c", *at);
        fputc('"', stream);
      }
      fputc('\n', stream);
    }
  }
}

/// Makes all run folders with their config.yaml. command.txt comes last: it says that the folders
/// are complete.
static CelStatus make_folders(Sweep *sweep) {
  CelStatus status = CEL_OK;
  for (int c = 0; c < sweep->n_combinations && status == CEL_OK; c++) {
    char label[CEL_PATH_MAX], folder[CEL_PATH_MAX];
    CelSetup *setup = NULL;
    label_of(sweep, c, label);
    status = setup_of(sweep, c, &setup);
    if (status == CEL_OK) status = path_in(sweep, label, folder);
    if (status == CEL_OK) status = cli_make_folder(folder);
    for (int k = 0; k < sweep->n_seeds && status == CEL_OK; k++) {
      CliJob job = {.seed = sweep->seeds[k]};
      status = cli_job_place(&job, folder);
      if (status == CEL_OK) status = cli_job_make(&job, setup);
    }
    cel_setup_destroy(setup);
  }
  if (status == CEL_OK) status = write_file(sweep, "runs.csv", write_runs);
  return status == CEL_OK ? write_file(sweep, "command.txt", write_command) : status;
}

/// Waits until the first of several processes has made the folders.
static CelStatus wait_for_folders(const Sweep *sweep) {
  const double begin = cli_seconds();
  bool found = false;
  CelStatus status = CEL_OK;
  while (status == CEL_OK && !found && !cli_stop_asked() && cli_seconds() - begin < 120) {
    status = check_command(sweep, &found);
    if (!found) nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
  }
  if (status != CEL_OK || found) return status;
  return cel_fail(CEL_E_STATE, "%s: the first process has not made this sweep; see its messages",
                  sweep->group.folder);
}

/// Chooses the folder and makes the runs, or finds that they are there.
static CelStatus open_new(Sweep *sweep, const CelRunConfig *run) {
  CelRunConfig named = *run;
  bool found = false;
  snprintf(named.out, sizeof named.out, "%s", sweep->options.out);
  if (sweep->parts > 1 && !sweep->options.out[0])
    return cel_fail(CEL_E_ARGUMENT,
                    "several processes share this sweep; name its folder with --out");
  CelStatus status = cli_group_choose_folder(&sweep->group, &named, "sweep");
  if (status == CEL_OK && sweep->part > 0) return wait_for_folders(sweep);
  if (status == CEL_OK) status = check_command(sweep, &found);
  return status == CEL_OK && !found ? make_folders(sweep) : status;
}

static int by_folder(const void *a, const void *b) {
  const CliJob *x = a, *y = b;
  char *xs = strrchr(x->folder, '/'), *ys = strrchr(y->folder, '/');
  const size_t n = (size_t)(xs - x->folder), m = (size_t)(ys - y->folder);
  const int order = strncmp(x->folder, y->folder, n < m ? n : m);
  if (order || n != m) return order ? order : n < m ? -1 : 1;
  return (x->seed > y->seed) - (x->seed < y->seed);
}

/// Finds all runs of the folder, sorted by combination and seed.
static CelStatus find_runs(CliGroup *group) {
  DIR *dir = opendir(group->folder);
  if (!dir) return cel_fail(CEL_E_IO, "%s: %s", group->folder, strerror(errno));
  CelStatus status = CEL_OK;
  for (const struct dirent *entry; status == CEL_OK && (entry = readdir(dir));) {
    char folder[CEL_PATH_MAX];
    int n = snprintf(folder, sizeof folder, "%s/%s", group->folder, entry->d_name);
    if (entry->d_name[0] == '.' || n >= (int)sizeof folder || !cli_seeds_folder(folder)) continue;
    CliJob *jobs = group->jobs + group->n;
    status = cli_seeds_find(folder, jobs, CLI_RUNS_MAX - group->n, &n);
    for (int i = 0; i < n && status == CEL_OK; i++) {
      snprintf(jobs[i].name, sizeof jobs[i].name, "%.60s, seed %llu", entry->d_name,
               (unsigned long long)jobs[i].seed);
      status = cli_job_read(group, &jobs[i]);
    }
    group->n += n;
  }
  closedir(dir);
  qsort(group->jobs, (size_t)group->n, sizeof *group->jobs, by_folder);
  if (status == CEL_OK && group->n == 0)
    status = cel_fail(CEL_E_IO, "%s: this folder holds no sweep", group->folder);
  return status;
}

// ---- the work

static CelStatus print_commands(const CliGroup *group) {
  char quoted[CLI_QUOTE_MAX];
  for (int i = 0; i < group->n; i++)
    printf("celsius train --resume %s --quiet%s\n",
           cel_shell_quote(quoted, sizeof quoted, group->jobs[i].folder),
           group->plugin ? " --allow-plugins" : "");
  return CEL_OK;
}

/// Trains the runs of our part.
static int train(Sweep *sweep) {
  CliGroup *all = &sweep->group, ours = *all;
  ours.jobs = calloc((size_t)all->n, sizeof *ours.jobs);
  if (!ours.jobs) return cli_error(cel_fail(CEL_E_MEMORY, "not enough memory for a list of runs"));
  ours.n = 0;
  for (int i = sweep->part; i < all->n; i += sweep->parts) {
    const bool complete = sweep_result(all->jobs[i].folder).complete;
    if (!complete) ours.jobs[ours.n++] = all->jobs[i];
  }
  if (!sweep->options.quiet && ours.n)
    cli_note("%d of %d run%s to train, %d at once, in %s", ours.n, all->n, cli_s(all->n),
             ours.at_once, all->folder);
  const CelStatus status = ours.n ? cli_group_run(&ours) : CEL_OK;
  cli_bar_clear(&ours.bar);
  const int code = status == CEL_OK ? cli_group_exit_code(&ours) : cli_error(status);
  free(ours.jobs);
  return code;
}

/// Trains, then prints the table. Returns the exit code.
static int work(Sweep *sweep) {
  const Options *options = &sweep->options;
  CelStatus status = find_runs(&sweep->group);
  if (status != CEL_OK) return cli_error(status);
  if (options->commands) {
    status = print_commands(&sweep->group);
    return status == CEL_OK ? CEL_OK : cli_error(status);
  }
  const int code = train(sweep);
  status = sweep_table(&sweep->group, options->json, sweep->part == 0);
  if (code == CEL_E_INTERRUPTED) {
    char folder[CLI_QUOTE_MAX];
    cli_note("to continue: celsius sweep --resume %s%s",
             cel_shell_quote(folder, sizeof folder, sweep->group.folder),
             sweep->group.plugin ? " --allow-plugins" : "");
  }
  return status == CEL_OK ? code : cli_error(status);
}

static void list_combinations(const Sweep *sweep) {
  for (int c = 0; c < sweep->n_combinations; c++) {
    char label[CEL_PATH_MAX];
    label_of(sweep, c, label);
    printf("%s\n", label);
  }
  printf("%d combination%s, %d seed%s each: %d runs\n", sweep->n_combinations,
         cli_s(sweep->n_combinations), sweep->n_seeds, cli_s(sweep->n_seeds),
         sweep->n_combinations * sweep->n_seeds);
}

static int run_new(Sweep *sweep) {
  CelSetup *setup = NULL;
  CelStatus status = cli_seeds_parse(sweep->options.seeds, &sweep->seeds, &sweep->n_seeds);
  if (status == CEL_OK) status = check_combinations(sweep);
  if (status == CEL_OK && sweep->options.dry_run) {
    list_combinations(sweep);
    return CEL_OK;
  }
  if (status == CEL_OK) status = setup_of(sweep, 0, &setup);
  if (status == CEL_OK) status = open_new(sweep, &setup->run);
  cel_setup_destroy(setup);
  return status == CEL_OK ? work(sweep) : cli_error(status);
}

static int run_resume(Sweep *sweep) {
  char *folder = sweep->group.folder;
  if (sweep->argc || sweep->n_axes || sweep->options.out[0] || sweep->options.dry_run)
    return cli_error(cel_fail(CEL_E_ARGUMENT,
                              "with --resume only --jobs, --part, --commands, --json and --quiet "
                              "are allowed; the rest is in the folder of the sweep"));
  snprintf(folder, CEL_PATH_MAX, "%s", sweep->options.resume);
  for (size_t n = strlen(folder); n > 1 && folder[n - 1] == '/';) folder[--n] = 0;
  return work(sweep);
}

static int run(int argc, char **argv) {
  static Sweep sweep;
  char *own[ARGS_MAX];
  int n_own;
  CliArgs args;
  const CliTable tables[] = {{"The command", "", options_fields, &sweep.options}};
  if (cli_has(argc, argv, "help")) {
    cli_help_command(&cli_sweep, tables, 1);
    return CEL_OK;
  }
  memset(&sweep, 0, sizeof sweep);
  cel_fields_default(options_fields, &sweep.options);
  CelStatus status = sort_arguments(&sweep, argc, argv, &n_own, own);
  if (status == CEL_OK) status = cli_parse(&cli_sweep, n_own, own, tables, 1, &args);
  if (status == CEL_OK) status = parse_part(&sweep);
  const CliSeeds options = {.jobs = (int)sweep.options.jobs, .quiet = sweep.options.quiet};
  sweep.group = (CliGroup){.options = &options,
                           .at_once = options.jobs,
                           .bar = cli_bar(sweep.options.quiet || sweep.part > 0)};
  sweep.group.jobs = calloc(CLI_RUNS_MAX, sizeof *sweep.group.jobs);
  if (status == CEL_OK && !sweep.group.jobs)
    status = cel_fail(CEL_E_MEMORY, "not enough memory for a list of runs");
  cli_signals_install();
  int code;
  if (status != CEL_OK)
    code = cli_error(status);
  else
    code = sweep.options.resume[0] ? run_resume(&sweep) : run_new(&sweep);
  for (int i = 0; i < sweep.n_axes; i++)
    for (int v = 0; v < sweep.axis[i].n; v++) free(sweep.axis[i].value[v]);
  free(sweep.seeds), free(sweep.group.jobs);
  return code;
}

const CliCommand cli_sweep = {
    .name = "sweep",
    .help = "sweep --help",
    .usage = "celsius sweep ALGO NAME=VALUE,VALUE... --env ID [--FIELD VALUE ...]\n"
             "       celsius sweep --resume FOLDER",
    .doc =
        "Trains all combinations of settings, several seeds each, and prints a table of their "
        "returns. NAME is any field of the run, the algorithm or the environment (`celsius train "
        "ALGO --env ID --help` lists them); put a value that has commas in brackets. All other "
        "fields are flags as for `celsius train`.\n"
        "The same command, or --resume, continues a sweep that was stopped: complete runs stay, "
        "stopped ones resume. Several processes share a sweep: `mpirun -n 4 celsius sweep ... "
        "--out FOLDER`, --part 1/4 to --part 4/4, or one job per line of --commands. The folders "
        "must be on a disk that all of them see.",
    .details =
        "Examples\n"
        "  celsius sweep sac learning-rate=1e-3,3e-4 --env Pendulum-v1 --seeds 1..5 --jobs 2\n"
        "  celsius sweep ppo 'net-arch=[64,64],[256,256]' gae-lambda=.9,.95 --env CartPole-v1\n"
        "  mpirun -n 4 celsius sweep sac gamma=.98,.99 --env Pendulum-v1 --out runs/gamma\n"
        "  celsius sweep --resume runs/gamma\n"
        "  celsius sweep sac gamma=.98,.99 --env Pendulum-v1 --out runs/g --commands >jobs.txt\n"
        "  sbatch --array=1-2 --wrap 'sh -c \"$(sed -n ${SLURM_ARRAY_TASK_ID}p jobs.txt)\"'",
    .run = run};
