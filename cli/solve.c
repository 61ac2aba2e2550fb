/// celsius solve: makes the problem and runs the method that the flags choose.
#include "solve.h"

#include <stdlib.h>

enum { GUARANTEE_BROKEN = 1 }; ///< exit code; the statuses begin at 2

/// Interrupt hook for the library's loops that report no progress.
static bool stop_wanted(void *user) {
  (void)user;
  return cli_stop_asked();
}

static void note_files(const SolveOptions *options) {
  if (options->quiet) return;
  if (options->save_problem[0]) cli_note("wrote %s", options->save_problem);
  if (options->out[0]) cli_note("wrote %s", options->out);
  if (options->plot[0]) cli_note("wrote %s", options->plot);
}

static CelStatus save_problem(const Solve *solve) {
  const SolveOptions *options = &solve->options;
  CelMdp mdp = *solve->mdp;
  if (!options->save_labels) {
    mdp.labels = mdp.reward_models = 0;
    mdp.reward_chosen = NULL;
  }
  return cel_mdp_save(&mdp, options->save_problem, (CelMdpFormat)options->save_format);
}

/// Generates or loads the problem behind a progress line, and saves it if --save-problem is given.
static CelStatus make_problem(Solve *solve, const SolveProblem *problem, const char *name,
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
  if (status == CEL_OK) status = solve_total_prepare(solve);
  if (status == CEL_OK) status = solve_flags_check_files(solve, name);
  if (status == CEL_OK && options->save_problem[0]) status = save_problem(solve);
  return status;
}

static CelStatus run_method(Solve *solve) {
  if (solve->options.cpi) return solve_cpi(solve);
  if (solve->options.q_learning) return solve_q_learning(solve);
  if (solve->n_alphas > 1) return solve_sweep(solve);
  return solve_single(solve);
}

/// *code: 1 if --guarantee is given and a step gained less than its bound.
static CelStatus parse_and_solve(const SolveProblem *problem, int argc, char **argv, int *code) {
  Solve solve = {.n_alphas = 0};
  CelStatus status = solve_flags_parse(&solve, problem, argc, argv);
  if (status == CEL_OK)
    status = make_problem(&solve, problem, argv[0], cli_scan(argc, argv, "gamma"));
  if (status == CEL_OK) {
    cli_signals_install();
    cel_set_interrupt_hook(stop_wanted, NULL);
    status = run_method(&solve);
    cel_set_interrupt_hook(NULL, NULL);
    if (status == CEL_OK || status == CEL_E_INTERRUPTED) note_files(&solve.options);
  }
  cel_mdp_destroy(solve.mdp);
  free(solve.target);
  *code = solve.broken ? GUARANTEE_BROKEN : CEL_OK;
  return status;
}

static int run(int argc, char **argv) {
  SolveProblem problem = {.path = NULL};
  const bool named = argc > 0 && argv[0][0] != '-', help = cli_has(argc, argv, "help");
  int code = CEL_OK;
  if (!named && !help)
    return cli_error(cel_fail(CEL_E_ARGUMENT,
                              "the problem is missing; it is the first argument: celsius solve "
                              "FILE|GENERATOR (`celsius list mdps` lists the generators)"));
  CelStatus status = named ? solve_problem_find(&problem, argv[0]) : CEL_OK;
  if (status == CEL_OK && help)
    solve_flags_help(&problem);
  else if (status == CEL_OK)
    status = parse_and_solve(&problem, argc, argv, &code);
  solve_problem_free(&problem);
  return status == CEL_OK ? code : cli_error(status);
}

const CliCommand cli_solve = {
    .name = "solve",
    .help = "solve --help",
    .usage = "celsius solve FILE|GENERATOR [--alpha A[,A...]] [--FIELD VALUE ...]",
    .doc = "Solves a finite Markov decision process with a certified error bound. The problem is a "
           "file (safetensors, Gymnasium's transition table as JSON, Cassandra's .mdp or .pomdp, "
           "PRISM's explicit .tra, UMB, Storm's .tra and DRN, PETSc's matrices) or a generator, "
           "whose arguments are flags. The printed bound "
           "holds for every state: no value differs from the optimum by more than it.\n"
           "Ctrl-C stops the solver. The result so far is printed with its bound, and the exit "
           "code is 15.",
    .details = "--tol is short for --tolerance.\n\n"
               "Examples\n"
               "  celsius solve frozenlake-8x8 --alpha 0 --plot lake.png\n"
               "  celsius solve grid --width 1000 --height 1000 --slip 0.1 --threads 2\n"
               "  celsius solve taxi --alpha 0,0.01,0.1,1,10 --plot sweep.png --out sweep.csv\n"
               "  celsius solve my-problem.mdp --alpha 0 --policy\n"
               "  celsius solve my-problem.json --gamma 0.95 --out solution.safetensors\n"
               "  celsius solve model.tra --gamma 1 --target done --alpha 0 --min\n"
               "  celsius solve frozenlake-4x4 --gamma 0.9 --cpi --guarantee\n"
               "  celsius solve garnet --gamma 0.9 --q-learning --plot error.png",
    .run = run};
