/// The flags of `celsius solve`: their tables, their help, and which of them go together.
#include "solve.h"

#include <stdlib.h>
#include <string.h>

#define F(field) offsetof(SolveOptions, field)
// clang-format off
static const CelField options_fields[] = {
    {.name = "alpha", .type = CEL_FIELD_PATH, .offset = F(alpha), .def = "0.1", .unit = "A[,A...]",
     .doc = "temperature in reward units per nat; 0: no entropy, the ordinary problem; a list "
            "such as 0,0.1,1 solves at each (a sweep)"},
    {.name = "out", .type = CEL_FIELD_PATH, .offset = F(out), .def = "", .unit = "FILE",
     .doc = "write V, Q and pi: .csv (one row per state and action) or .safetensors; for a sweep, "
            "write its table (.csv)"},
    {.name = "policy", .type = CEL_FIELD_BOOL, .offset = F(policy), .def = "false",
     .doc = "print the policy, one line per state"},
    {.name = "plot", .type = CEL_FIELD_PATH, .offset = F(plot), .def = "", .unit = "FILE",
     .doc = "write a picture, .png or .svg: values and policy of a grid world, or the curves of a "
            "sweep"},
    {.name = "json", .type = CEL_FIELD_BOOL, .offset = F(json), .def = "false",
     .doc = "print the result as JSON"},
    {.name = "quiet", .type = CEL_FIELD_BOOL, .offset = F(quiet), .def = "false",
     .doc = "show no progress"},
    {.name = "cpi", .type = CEL_FIELD_BOOL, .offset = F(cpi), .def = "false",
     .doc = "use conservative policy iteration: start from the uniform policy and take steps with "
            "a guaranteed gain; takes --gamma, --tolerance, --max-iterations and --max-seconds"},
    {.name = "guarantee", .type = CEL_FIELD_BOOL, .offset = F(guarantee), .def = "false",
     .doc = "with --cpi: print every step, and exit with code 1 if the exact gain of a step is "
            "below its bound"},
    {.name = "certify", .type = CEL_FIELD_BOOL, .offset = F(certify), .def = "false",
     .doc = "old name of --guarantee"},
    {.name = "q_learning", .type = CEL_FIELD_BOOL, .offset = F(q_learning), .def = "false",
     .doc = "learn by soft Q-learning from sampled transitions and print the error; takes "
            "--alpha, --gamma, --max-seconds and --q.FIELD; --out FILE.csv and --plot show the "
            "error by round"},
    {.name = "format", .type = CEL_FIELD_ENUM, .offset = F(format), .def = "auto",
     .choices = "auto|safetensors|gymnasium|cassandra|prism|umb|drn|storm|petsc",
     .doc = "format of the file; auto: from its name and first bytes"},
    {.name = "target", .type = CEL_FIELD_PATH, .offset = F(target), .def = "", .unit = "STATES",
     .doc = "with --gamma 1: states in which an episode ends: a label, a state's number, or an "
            "expression such as 'done & !error | 17'; without it, terminal states"},
    {.name = "save_problem", .type = CEL_FIELD_PATH, .offset = F(save_problem), .def = "",
     .unit = "FILE",
     .doc = "write the problem itself; the file extension chooses the format"},
    {.name = "save_format", .type = CEL_FIELD_ENUM, .offset = F(save_format), .def = "auto",
     .choices = "auto|safetensors|gymnasium|cassandra|prism|umb|drn|storm|petsc",
     .doc = "format of --save-problem; auto: from the extension"},
    {.name = "save_labels", .type = CEL_FIELD_BOOL, .offset = F(save_labels), .def = "true",
     .doc = "write labels and reward models with --save-problem; false: only the selected rewards"},
    {0},
};
// clang-format on
#undef F

enum { FIELDS_MAX = 32, N_TABLES = 6 };

/// All flags of one problem.
typedef struct Flags {
  CelField solver[FIELDS_MAX], q[FIELDS_MAX]; ///< parts of the library's tables
  char title[160];
  CliTable table[N_TABLES];
} Flags;

/// The solver's alpha is a list here. Q-learning shares some fields with the solver.
static void list_flags(Flags *flags, const SolveProblem *problem, Solve *solve) {
  static const CelField alpha[] = {{.name = "alpha"}, {0}};
  cli_fields_except(flags->solver, FIELDS_MAX, cel_solve_fields(), alpha);
  cli_fields_except(flags->q, FIELDS_MAX, cel_q_learning_fields(), cel_solve_fields());
  snprintf(flags->title, sizeof flags->title, "The problem: %.120s",
           problem->generator ? problem->generator->name : "a file");
  const CelField *fields = problem->fields ? problem->fields : solve_file_fields();
  const CliTable table[N_TABLES] = {
      {"The command", "", options_fields, &solve->options},
      {flags->title, "", fields, problem->config},
      {"The solver", "", flags->solver, &solve->config},
      {"Without a discount (--gamma 1, no horizon)", "", cel_total_fields(), &solve->total},
      {"With --q-learning", "q.", flags->q, &solve->q},
      {"The picture", "plot.", cel_plot_grid_fields(), &solve->picture}};
  memcpy(flags->table, table, sizeof table);
}

void solve_flags_help(const SolveProblem *problem) {
  Solve unused = {.n_alphas = 0}; // the help reads no values
  Flags flags;
  list_flags(&flags, problem, &unused);
  cli_help_command(&cli_solve, flags.table, N_TABLES);
  if (!problem->generator) solve_problem_list();
}

// ---- parsing

/// Parses "0,0.1,1". Each part is checked by the solver's own field. Errors: CEL_E_TYPE,
/// CEL_E_RANGE.
static CelStatus parse_alphas(Solve *solve) {
  char text[CEL_PATH_MAX];
  memcpy(text, solve->options.alpha, sizeof text);
  char *rest = text;
  while (rest) {
    char *one = strsep(&rest, ",");
    while (*one == ' ') one++;
    if (solve->n_alphas == SOLVE_ALPHAS_MAX)
      return cel_fail(CEL_E_RANGE, "--alpha: at most %d temperatures are possible",
                      SOLVE_ALPHAS_MAX);
    const CelStatus status = cel_fields_set(cel_solve_fields(), &solve->config, "alpha", one);
    if (status != CEL_OK) return cel_fail_in(status, "--");
    solve->alpha[solve->n_alphas++] = solve->config.alpha;
  }
  return CEL_OK;
}

/// Flags with a second name.
static const struct {
  const char *flag, *name;
  bool old; ///< `flag` is the name in earlier versions
} aliases[] = {{"--tol", "--tolerance", false}, {"--q.behaviour", "--q.behavior", true}};
enum { N_ALIASES = sizeof aliases / sizeof aliases[0], JOINED_MAX = 128 };

/// Copies the arguments with the names of `aliases`. `joined` holds those that were replaced.
/// The caller frees *out, but not the strings.
static CelStatus spell_out(int argc, char **argv, char ***out, char joined[][JOINED_MAX]) {
  char **copy = calloc((size_t)argc + 1, sizeof *copy);
  *out = copy;
  if (!copy) return cel_fail(CEL_E_MEMORY, "not enough memory for %d arguments", argc);
  for (int i = 0; i < argc; i++) {
    copy[i] = argv[i];
    for (int k = 0; k < N_ALIASES; k++) {
      const size_t n = strlen(aliases[k].flag);
      if (strncmp(argv[i], aliases[k].flag, n) != 0 || (argv[i][n] && argv[i][n] != '=')) continue;
      snprintf(joined[k], JOINED_MAX, "%s%s", aliases[k].name, argv[i] + n);
      copy[i] = joined[k];
      if (aliases[k].old) cli_renamed(aliases[k].flag, aliases[k].name);
    }
  }
  return CEL_OK;
}

// ---- which flags go together

static bool total_given(const Solve *solve, int argc, char **argv) {
  bool given = solve->options.target[0] || solve->total.min;
  for (const CelField *field = cel_total_fields(); field->name; field++)
    given |= cli_scan(argc, argv, field->name) != NULL;
  return given;
}

static CelStatus check_q_flags(const Solve *solve, int argc, char **argv) {
  static const char *const others[] = {"method", "tolerance", "max-iterations", "max_iterations",
                                       "threads"};
  const SolveOptions *options = &solve->options;
  for (int i = 0; i < argc && !options->q_learning; i++)
    if (strncmp(argv[i], "--q.", 4) == 0)
      return cel_fail(CEL_E_ARGUMENT, "%s needs --q-learning", argv[i]);
  if (!options->q_learning) return CEL_OK;
  if (options->cpi)
    return cel_fail(CEL_E_ARGUMENT, "--cpi and --q-learning cannot be combined; give one of them");
  if (solve->n_alphas > 1)
    return cel_fail(CEL_E_ARGUMENT, "--q-learning takes a single temperature, but --alpha lists %d",
                    solve->n_alphas);
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
    if (cli_scan(argc, argv, others[i]))
      return cel_fail(CEL_E_ARGUMENT,
                      "--%s belongs to the exact solver; --q-learning takes --alpha, --gamma, "
                      "--max-seconds and --q.FIELD",
                      others[i]);
  return CEL_OK;
}

static CelStatus check_flags(const Solve *solve, int argc, char **argv) {
  const SolveOptions *options = &solve->options;
  const bool method = cli_scan(argc, argv, "method") != NULL;
  const bool alpha = cli_scan(argc, argv, "alpha") != NULL;
  const CelStatus status = check_q_flags(solve, argc, argv);
  if (status != CEL_OK) return status;
  if (solve->total_given && (options->cpi || options->q_learning))
    return cel_fail(CEL_E_ARGUMENT,
                    "--cpi and --q-learning need a discount below 1; leave --target, --min, "
                    "--steps, --objective and --unreached out");
  if (options->guarantee && !options->cpi)
    return cel_fail(CEL_E_ARGUMENT,
                    "--guarantee needs --cpi; every other method prints a certified bound anyway");
  if (options->policy &&
      (options->json || options->cpi || options->q_learning || solve->n_alphas > 1))
    return cel_fail(CEL_E_ARGUMENT,
                    "--policy works only with a single --alpha and without --json, --cpi and "
                    "--q-learning; write the policy with --out FILE.csv instead");
  if (options->cpi && method)
    return cel_fail(CEL_E_ARGUMENT, "--cpi is a method itself; leave --method out");
  if (options->cpi && alpha && !(solve->n_alphas == 1 && solve->alpha[0] == 0))
    return cel_fail(CEL_E_ARGUMENT,
                    "--cpi solves the problem without entropy; leave --alpha out or set it to 0");
  if (!options->cpi && solve->n_alphas > 1 && options->out[0] && !solve_is_csv(options->out))
    return cel_fail(CEL_E_ARGUMENT,
                    "--out %s: the table of a sweep is a .csv file; give a single --alpha to write "
                    "V, Q and pi",
                    options->out);
  return CEL_OK;
}

CelStatus solve_flags_parse(Solve *solve, const SolveProblem *problem, int argc, char **argv) {
  char **spelled = NULL, joined[N_ALIASES][JOINED_MAX];
  Flags flags;
  CliArgs args;
  cel_fields_default(options_fields, &solve->options);
  solve->config = cel_solve_config_default();
  solve->q = cel_q_learning_config_default();
  solve->total = cel_total_config_default();
  solve->picture = cel_plot_grid_options_default();
  list_flags(&flags, problem, solve);
  CelStatus status = spell_out(argc, argv, &spelled, joined);
  if (status == CEL_OK) status = cli_parse(&cli_solve, argc, spelled, flags.table, N_TABLES, &args);
  if (status == CEL_OK)
    status = cli_positionals(&cli_solve, &args, 1, 1, "the problem (a file or a generator's name)");
  if (status == CEL_OK)
    cli_renamed_flag(solve->options.certify, "--certify", "--guarantee", &solve->options.guarantee);
  if (status == CEL_OK) solve->total_given = total_given(solve, argc, spelled);
  if (status == CEL_OK) status = parse_alphas(solve);
  if (status == CEL_OK) status = check_flags(solve, argc, spelled);
  free(spelled);
  return status;
}

// ---- output files

static CelStatus check_plot(const Solve *solve, const char *name) {
  if (!solve->options.plot[0]) return CEL_OK;
  const CelStatus status = cli_check_output("--plot", solve->options.plot, "a picture", "png|svg");
  if (status != CEL_OK) return status;
  if (solve->options.q_learning) return CEL_OK; // the error curve needs no grid
  if (solve->mdp->grid || (solve->n_alphas > 1 && !solve->options.cpi)) return CEL_OK;
  return cel_fail(CEL_E_UNSUPPORTED,
                  "--plot: '%s' is not a grid world, so there is nothing to draw; give several "
                  "--alpha to plot a sweep instead",
                  name);
}

CelStatus solve_flags_check_files(const Solve *solve, const char *name) {
  CelStatus status = check_plot(solve, name);
  if (status == CEL_OK)
    status = cli_check_output("--out", solve->options.out, "a solution", "|safetensors|csv");
  if (status == CEL_OK)
    status = cli_check_output("--save-problem", solve->options.save_problem, "", NULL);
  return status;
}
