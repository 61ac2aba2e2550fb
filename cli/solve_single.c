/// celsius solve at one temperature: the progress bar, the solution's files, the printed result.
#include "solve.h"

#include <math.h>

/// State of the bar. The first steps are often the fastest. The time left is therefore estimated
/// from the speed since `from`, a mark that moves up as the elapsed time doubles.
typedef struct Progress {
  CliBar bar;
  double max_seconds;
  struct Mark {
    double seconds, fraction;
  } from, next;
} Progress;

static double seconds_left(Progress *progress, double seconds, double fraction) {
  const struct Mark now = {seconds, fraction};
  if (seconds > 2 * progress->next.seconds) progress->from = progress->next, progress->next = now;
  const double gained = fraction - progress->from.fraction;
  double left =
      gained > 0 ? (1 - fraction) * (seconds - progress->from.seconds) / gained : (double)INFINITY;
  if (progress->max_seconds > 0) left = fmin(left, fmax(0, progress->max_seconds - seconds));
  return left;
}

static bool on_progress(void *user, const CelSolveProgress *now) {
  Progress *progress = user;
  char text[256], brief[128], eta[32];
  const double fraction = now->fraction < 1 ? now->fraction : 1;
  const double left = seconds_left(progress, now->seconds, fraction);
  if (now->seconds >= CLI_BAR_AFTER || progress->bar.drawn) {
    cli_duration(eta, left);
    char bound[48] = ""; // without a discount, bounds are known only at the end
    if (isfinite(now->bound)) snprintf(bound, sizeof bound, "bound %.2g  ", now->bound);
    snprintf(text, sizeof text, "%s %lld  residual %.2g  %sETA %s", now->method,
             (long long)now->iteration, now->residual, bound, eta);
    snprintf(brief, sizeof brief, "%sETA %s", bound, eta);
    cli_bar_draw(&progress->bar, &(CliProgress){fraction, now->seconds, text, brief});
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
  const CelStatus status = solve->undiscounted ? cel_solve_total(solve->mdp, solve->target,
                                                                 &solve->total, &solve->config, out)
                                               : cel_solve(solve->mdp, &solve->config, out);
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
  if (solve->undiscounted) solve_total_json(json, solve, solution);
  return cli_print_json(json);
}

CelStatus solve_single(Solve *solve) {
  CelSolution *solution = NULL;
  CelStatus status = solve_one(solve, solve->alpha[0], NULL, &solution);
  if (status == CEL_OK && !solve_unfinished(solution)) status = write_solution(solve, solution);
  if (status == CEL_OK) status = print_solution(solve, solution);
  if (status == CEL_OK && solve_unfinished(solution) &&
      (solve->options.out[0] || solve->options.plot[0]))
    cli_note("no file was written: the values of the first time step are not known");
  if (status == CEL_OK && cli_stop_asked() && !solution->certified)
    status = solve_unfinished(solution)
                 ? cel_fail(CEL_E_INTERRUPTED, "stopped before the first time step was solved")
                 : cel_fail(CEL_E_INTERRUPTED,
                            "stopped before the tolerance was reached; the error is at most %.2g",
                            solution->bound);
  cel_solution_destroy(solution);
  return status;
}
