/// celsius solve: a finite problem, from a file or a generator, to a certified error.
#include "solve.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { GUARANTEE_BROKEN = 1 }; ///< exit code; the statuses begin at 2

#define F(field) offsetof(SolveOptions, field)
static const CelField options_fields[] = {
    {"alpha", CEL_FIELD_PATH, F(alpha), "0.1", 0, 0, "A[,A...]", NULL, NULL,
     "temperature in reward units per nat; 0: the ordinary (hard) problem; several, such as "
     "0,0.1,1: a sweep over them",
     ""},
    {"out", CEL_FIELD_PATH, F(out), "", 0, 0, "FILE", NULL, NULL,
     "write V, Q and pi: .csv, a row a state and action, or .safetensors; of a sweep its table "
     "(.csv)",
     ""},
    {"policy", CEL_FIELD_BOOL, F(policy), "false", 0, 0, "", NULL, NULL,
     "print the policy, a line a state", ""},
    {"plot", CEL_FIELD_PATH, F(plot), "", 0, 0, "FILE", NULL, NULL,
     "picture, .png or .svg: of a grid world the values and the policy, of a sweep its curves", ""},
    {"json", CEL_FIELD_BOOL, F(json), "false", 0, 0, "", NULL, NULL, "print the result as JSON",
     ""},
    {"quiet", CEL_FIELD_BOOL, F(quiet), "false", 0, 0, "", NULL, NULL, "show no progress", ""},
    {"cpi", CEL_FIELD_BOOL, F(cpi), "false", 0, 0, "", NULL, NULL,
     "conservative policy iteration instead: from the uniform policy, by steps whose gain is "
     "certain before they are taken; takes --gamma, --tolerance, --max-iterations, --max-seconds",
     ""},
    {"certify", CEL_FIELD_BOOL, F(certify), "false", 0, 0, "", NULL, NULL,
     "with --cpi: tell every step, and end with exit code 1 where the exact gain of one was below "
     "its bound; without it the bound that is printed is the certificate",
     ""},
    {"q_learning", CEL_FIELD_BOOL, F(q_learning), "false", 0, 0, "", NULL, NULL,
     "learn instead, by soft Q-learning from sampled transitions, and tell the error; takes "
     "--alpha, --gamma, --max-seconds and --q.FIELD; --out FILE.csv and --plot show the error "
     "against the rounds",
     ""},
    {"format", CEL_FIELD_ENUM, F(format), "auto", 0, 0, "",
     "auto|safetensors|gymnasium|cassandra|prism", NULL,
     "what the file is; auto: by its name and first bytes", ""},
    {"save_problem", CEL_FIELD_PATH, F(save_problem), "", 0, 0, "FILE", NULL, NULL,
     "write the problem itself, in the format of the name's ending", ""},
    {0}};
#undef F

enum { SOLVE_FIELDS_MAX = 32 };

/// The solver's fields but alpha, which is a list here.
static void list_solve_fields(CelField table[SOLVE_FIELDS_MAX]) {
  int n = 0;
  for (const CelField *field = cel_solve_fields(); field->name && n < SOLVE_FIELDS_MAX - 1; field++)
    if (strcmp(field->name, "alpha") != 0) table[n++] = *field;
  table[n] = (CelField){0};
}

/// Fields of Q-learning but those that are the solver's.
static void list_q_fields(CelField table[SOLVE_FIELDS_MAX]) {
  int n = 0;
  for (const CelField *field = cel_q_learning_fields(); field->name && n < SOLVE_FIELDS_MAX - 1;
       field++)
    if (!cel_fields_find(cel_solve_fields(), field->name)) table[n++] = *field;
  table[n] = (CelField){0};
}

// ---- flags

/// "0,0.1,1", each as the solver's own field takes it. Errors: CEL_E_TYPE, CEL_E_RANGE.
static CelStatus parse_alphas(Solve *solve) {
  char text[CEL_PATH_MAX];
  memcpy(text, solve->options.alpha, sizeof text);
  char *rest = text;
  while (rest) {
    char *one = strsep(&rest, ",");
    while (*one == ' ') one++;
    if (solve->n_alphas == SOLVE_ALPHAS_MAX)
      return cel_fail(CEL_E_RANGE, "--alpha: more than %d temperatures", SOLVE_ALPHAS_MAX);
    const CelStatus status = cel_fields_set(cel_solve_fields(), &solve->config, "alpha", one);
    if (status != CEL_OK) return cel_fail_in(status, "--");
    solve->alpha[solve->n_alphas++] = solve->config.alpha;
  }
  return CEL_OK;
}

/// --tol is --tolerance. The caller frees *out, not what it points to.
static CelStatus spell_out(int argc, char **argv, char ***out, char *joined, size_t size) {
  char **copy = calloc((size_t)argc + 1, sizeof *copy);
  *out = copy;
  if (!copy) return cel_fail(CEL_E_MEMORY, "no memory for %d arguments", argc);
  for (int i = 0; i < argc; i++) {
    copy[i] = argv[i];
    if (strcmp(argv[i], "--tol") == 0) copy[i] = "--tolerance";
    if (strncmp(argv[i], "--tol=", 6) == 0) {
      snprintf(joined, size, "--tolerance=%s", argv[i] + 6);
      copy[i] = joined;
    }
  }
  return CEL_OK;
}

static CelStatus parse(Solve *solve, const SolveProblem *problem, int argc, char **argv) {
  CelField solver[SOLVE_FIELDS_MAX], q[SOLVE_FIELDS_MAX];
  CliArgs args;
  list_solve_fields(solver);
  list_q_fields(q);
  const CliTable tables[] = {{"", "", options_fields, &solve->options},
                             {"", "", problem->fields, problem->config},
                             {"", "", solver, &solve->config},
                             {"", "q.", q, &solve->q},
                             {"", "plot.", cel_plot_grid_fields(), &solve->picture}};
  CelStatus status = cli_parse(&cli_solve, argc, argv, tables, 5, &args);
  if (status == CEL_OK)
    status = cli_positionals(&cli_solve, &args, 1, 1, "the problem, a file or a generator's name,");
  if (status == CEL_OK) status = parse_alphas(solve);
  return status;
}

/// What --q-learning goes together with.
static CelStatus check_q_flags(const Solve *solve, int argc, char **argv) {
  static const char *const others[] = {"method", "tolerance", "max-iterations", "max_iterations",
                                       "threads"};
  const SolveOptions *options = &solve->options;
  for (int i = 0; i < argc && !options->q_learning; i++)
    if (strncmp(argv[i], "--q.", 4) == 0)
      return cel_fail(CEL_E_ARGUMENT, "%s is a field of Q-learning: add --q-learning", argv[i]);
  if (!options->q_learning) return CEL_OK;
  if (options->cpi) return cel_fail(CEL_E_ARGUMENT, "--cpi and --q-learning together; give one");
  if (solve->n_alphas > 1)
    return cel_fail(CEL_E_ARGUMENT, "--alpha: --q-learning learns at one temperature");
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
    if (cli_scan(argc, argv, others[i]))
      return cel_fail(CEL_E_ARGUMENT,
                      "--%s is the exact solver's; --q-learning takes --alpha, --gamma, "
                      "--max-seconds and --q.FIELD",
                      others[i]);
  return CEL_OK;
}

/// Flags that do not go together.
static CelStatus check_flags(const Solve *solve, int argc, char **argv) {
  const SolveOptions *options = &solve->options;
  const bool method = cli_scan(argc, argv, "method") != NULL;
  const bool alpha = cli_scan(argc, argv, "alpha") != NULL;
  const CelStatus status = check_q_flags(solve, argc, argv);
  if (status != CEL_OK) return status;
  if (options->certify && !options->cpi)
    return cel_fail(CEL_E_ARGUMENT, "--certify goes with --cpi; any other method's result is "
                                    "certified by the bound that is printed with it");
  if (options->policy &&
      (options->json || options->cpi || options->q_learning || solve->n_alphas > 1))
    return cel_fail(CEL_E_ARGUMENT,
                    "--policy prints the policy of one --alpha, as text; for --json "
                    "and --cpi write it with --out FILE.csv");
  if (options->cpi && method)
    return cel_fail(CEL_E_ARGUMENT, "--cpi is a method of its own: leave --method out");
  if (options->cpi && alpha && !(solve->n_alphas == 1 && solve->alpha[0] == 0))
    return cel_fail(CEL_E_ARGUMENT, "--cpi solves the ordinary problem: leave --alpha out, or 0");
  if (!options->cpi && solve->n_alphas > 1 && options->out[0] && !solve_is_csv(options->out))
    return cel_fail(CEL_E_ARGUMENT,
                    "--out %s: a sweep's table has a name that ends in .csv; give one --alpha for "
                    "V, Q and pi",
                    options->out);
  return CEL_OK;
}

// ---- files, before anything is solved

static CelStatus check_plot(const Solve *solve, const char *problem) {
  if (!solve->options.plot[0]) return CEL_OK;
  const CelStatus status = cli_check_output("--plot", solve->options.plot, "a picture", "png|svg");
  if (status != CEL_OK) return status;
  if (solve->options.q_learning) return CEL_OK; // a curve, of any problem
  if (solve->mdp->grid || (solve->n_alphas > 1 && !solve->options.cpi)) return CEL_OK;
  return cel_fail(CEL_E_UNSUPPORTED,
                  "--plot: '%s' has no grid of states to draw; a sweep over "
                  "several --alpha has a picture of any problem",
                  problem);
}

static CelStatus check_files(const Solve *solve, const char *problem) {
  CelStatus status = check_plot(solve, problem);
  if (status == CEL_OK)
    status = cli_check_output("--out", solve->options.out, "a solution", "|safetensors|csv");
  if (status == CEL_OK)
    status = cli_check_output("--save-problem", solve->options.save_problem, "", NULL);
  return status;
}

// ---- solving

/// What the bar of one solution goes by. The first steps are often the quickest, so the time that is left is told by how
/// fast it went since `from`, a quarter to half of the time ago and more.
typedef struct Progress {
  CliBar bar;
  double max_seconds;
  struct Mark {
    double seconds, share;
  } from, next;
} Progress;

static double seconds_left(Progress *progress, double seconds, double share) {
  const struct Mark now = {seconds, share};
  if (seconds > 2 * progress->next.seconds) progress->from = progress->next, progress->next = now;
  const double gained = share - progress->from.share;
  double left =
      gained > 0 ? (1 - share) * (seconds - progress->from.seconds) / gained : (double)INFINITY;
  if (progress->max_seconds > 0) left = fmin(left, fmax(0, progress->max_seconds - seconds));
  return left;
}

static bool on_progress(void *user, const CelSolveProgress *now) {
  Progress *progress = user;
  char text[256], brief[128], eta[32];
  const double share = now->fraction < 1 ? now->fraction : 1;
  const double left = seconds_left(progress, now->seconds, share);
  if (now->seconds >= CLI_BAR_AFTER || progress->bar.drawn) {
    cli_duration(eta, left);
    snprintf(text, sizeof text, "%s %lld  residual %.2g  bound %.2g  ETA %s", now->method,
             (long long)now->iteration, now->residual, now->bound, eta);
    snprintf(brief, sizeof brief, "bound %.2g  ETA %s", now->bound, eta);
    cli_bar_draw(&progress->bar, &(CliProgress){share, now->seconds, text, brief});
  }
  return !cli_stop_asked();
}

CelStatus solve_one(Solve *solve, double alpha, const char *label, CelSolution **out) {
  Progress progress = {.bar = cli_bar(solve->options.quiet),
                       .max_seconds = solve->config.max_seconds};
  progress.bar.label = label;
  solve->config.alpha = alpha;
  solve->config.progress = on_progress;
  solve->config.user = &progress;
  const CelStatus status = cel_solve(solve->mdp, &solve->config, out);
  cli_bar_clear(&progress.bar);
  return status;
}

static CelStatus write_solution(const Solve *solve, const CelSolution *solution) {
  const SolveOptions *options = &solve->options;
  const SolveTables tables = {solution->V, solution->Q, solution->pi, solution->horizon};
  CelStatus status = CEL_OK;
  if (solve_is_csv(options->out))
    status = solve_write_policy(solve->mdp, &tables, options->out);
  else if (options->out[0])
    status = cel_solution_save(solution, options->out);
  if (status == CEL_OK && options->plot[0]) {
    char subtitle[256];
    solve_subtitle(subtitle, sizeof subtitle,
                   solution->alpha > 0 ? "soft-optimal value and policy"
                                       : "optimal value and policy",
                   solve->mdp, solution->alpha, solution->gamma, solution->value_start);
    status = cel_plot_grid(solve->mdp, solution->V, solution->pi, subtitle, options->plot,
                           &solve->picture);
  }
  return status;
}

static CelStatus print_solution(const Solve *solve, const CelSolution *solution) {
  if (!solve->options.json) {
    solve_print_problem(solve->mdp, solution->gamma);
    solve_print_solution(solve, solution);
    if (solve->options.policy && !solve_unfinished(solution))
      solve_print_policy(solve->mdp, solution);
    return CEL_OK;
  }
  cJSON *json = cJSON_CreateObject();
  solve_json_problem(json, solve->mdp, solution->gamma);
  solve_json_solution(json, solution);
  solve_json_parts(json, solve, solution);
  return solve_json_print(json);
}

static CelStatus solve_single(Solve *solve) {
  CelSolution *solution = NULL;
  CelStatus status = solve_one(solve, solve->alpha[0], NULL, &solution);
  if (status == CEL_OK && !solve_unfinished(solution)) status = write_solution(solve, solution);
  if (status == CEL_OK) status = print_solution(solve, solution);
  if (status == CEL_OK && solve_unfinished(solution) &&
      (solve->options.out[0] || solve->options.plot[0]))
    cli_note("nothing was written: values of the first time step are not known");
  if (status == CEL_OK && cli_stop_asked() && !solution->certified)
    status =
        solve_unfinished(solution)
            ? cel_fail(CEL_E_INTERRUPTED, "stopped before the first time step was solved")
            : cel_fail(CEL_E_INTERRUPTED, "stopped before the tolerance; values may be off by %.2g",
                       solution->bound);
  cel_solution_destroy(solution);
  return status;
}

static void tell_files(const SolveOptions *options) {
  if (options->quiet) return;
  if (options->save_problem[0]) cli_note("wrote %s", options->save_problem);
  if (options->out[0]) cli_note("wrote %s", options->out);
  if (options->plot[0]) cli_note("wrote %s", options->plot);
}

/// For the loops of the library that call no hook of ours.
static bool stop_wanted(void *user) {
  (void)user;
  return cli_stop_asked();
}

static CelStatus solve_problem(Solve *solve, const SolveProblem *problem, const char *name,
                               const char *gamma) {
  const SolveOptions *options = &solve->options;
  char what[CEL_PATH_MAX + 32];
  snprintf(what, sizeof what, "%s %s", problem->path ? "reading" : "building", name);
  CliWait *wait = cli_wait_begin(what, options->quiet);
  CelStatus status = solve_problem_make(&solve->mdp, problem, (CelMdpFormat)options->format,
                                        solve->config.gamma, gamma);
  cli_wait_end(wait);
  if (status == CEL_OK && solve->mdp->left_out && !options->quiet)
    cli_note("%s: %s", name, solve->mdp->left_out);
  if (status == CEL_OK) status = check_files(solve, name);
  if (status == CEL_OK && options->save_problem[0])
    status = cel_mdp_save(solve->mdp, options->save_problem, CEL_MDP_AUTO);
  if (status != CEL_OK) return status;
  cli_signals_install();
  cel_set_interrupt_hook(stop_wanted, NULL);
  if (options->cpi)
    status = solve_cpi(solve);
  else if (options->q_learning)
    status = solve_q_learning(solve);
  else if (solve->n_alphas > 1)
    status = solve_sweep(solve);
  else
    status = solve_single(solve);
  cel_set_interrupt_hook(NULL, NULL);
  if (status == CEL_OK || status == CEL_E_INTERRUPTED) tell_files(options);
  return status;
}

// ---- the command

static int help(const SolveProblem *problem) {
  CelField solver[SOLVE_FIELDS_MAX], q[SOLVE_FIELDS_MAX];
  char title[160];
  CliTable tables[5] = {{"The command", "", options_fields, NULL}};
  int n = 1;
  list_solve_fields(solver);
  list_q_fields(q);
  if (problem->generator) {
    snprintf(title, sizeof title, "The problem: %.120s", problem->generator->name);
    tables[n++] = (CliTable){title, "", problem->fields, NULL};
  } else {
    tables[n++] = (CliTable){"The problem: a file", "", solve_file_fields(), NULL};
  }
  tables[n++] = (CliTable){"The solver", "", solver, NULL};
  tables[n++] = (CliTable){"With --q-learning", "q.", q, NULL};
  tables[n++] = (CliTable){"The picture", "plot.", cel_plot_grid_fields(), NULL};
  cli_help_command(&cli_solve, tables, n);
  if (!problem->generator) solve_problem_list();
  return CEL_OK;
}

/// *code: 1 where a guarantee that was asked for did not hold.
static CelStatus parse_and_solve(const SolveProblem *problem, int argc, char **argv, int *code) {
  Solve solve = {.n_alphas = 0};
  char **spelled = NULL, joined[128];
  cel_fields_default(options_fields, &solve.options);
  solve.config = cel_solve_config_default();
  solve.q = cel_q_learning_config_default();
  solve.picture = cel_plot_grid_options_default();
  CelStatus status = spell_out(argc, argv, &spelled, joined, sizeof joined);
  if (status == CEL_OK) status = parse(&solve, problem, argc, spelled);
  if (status == CEL_OK) status = check_flags(&solve, argc, spelled);
  if (status == CEL_OK)
    status = solve_problem(&solve, problem, argv[0], cli_scan(argc, spelled, "gamma"));
  cel_mdp_destroy(solve.mdp);
  free(spelled);
  *code = solve.broken ? GUARANTEE_BROKEN : CEL_OK;
  return status;
}

static int run(int argc, char **argv) {
  SolveProblem problem = {.path = NULL};
  const bool named = argc > 0 && argv[0][0] != '-', asks = cli_has(argc, argv, "help");
  CelStatus status = CEL_OK;
  if (asks && !named) return help(&problem);
  if (!named)
    return cli_error(cel_fail(CEL_E_ARGUMENT,
                              "which problem? it comes first: celsius solve FILE|GENERATOR; "
                              "`celsius list mdps` shows the generators"));
  status = solve_problem_find(&problem, argv[0]);
  int code = CEL_OK;
  if (status == CEL_OK && asks)
    code = help(&problem);
  else if (status == CEL_OK)
    status = parse_and_solve(&problem, argc, argv, &code);
  solve_problem_free(&problem);
  return status == CEL_OK ? code : cli_error(status);
}

const CliCommand cli_solve = {
    .name = "solve",
    .help = "solve --help",
    .usage = "celsius solve FILE|GENERATOR [--alpha A[,A...]] [--FIELD VALUE ...]",
    .doc = "Solves a finite problem, with or without entropy, to a certified error. The problem is "
           "a file (safetensors, Gymnasium's transition table as JSON, Cassandra's .mdp or .pomdp, "
           "PRISM's explicit .tra) or comes from a generator, whose arguments are flags. The bound "
           "that is printed holds for every state: no value is further from the optimum.\n"
           "Ctrl-C stops; what was found until then is told, with its bound, and the exit code is "
           "15.",
    .details = "--tol is short for --tolerance.\n\n"
               "Examples\n"
               "  celsius solve frozenlake-8x8 --alpha 0 --plot lake.png\n"
               "  celsius solve grid --width 1000 --height 1000 --slip 0.1 --alpha 0.01 --threads "
               "2\n"
               "  celsius solve taxi --alpha 0,0.01,0.1,1,10 --plot sweep.png --out sweep.csv\n"
               "  celsius solve my-problem.mdp --alpha 0 --policy\n"
               "  celsius solve my-problem.json --gamma 0.95 --method newton --out "
               "solution.safetensors\n"
               "  celsius solve frozenlake-4x4 --gamma 0.9 --cpi --certify\n"
               "  celsius solve garnet --gamma 0.9 --q-learning --plot error.png",
    .run = run};
