/// Prints the problem, the solution and its certificate as text or JSON.
#include "solve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void solve_method_name(const CelSolution *solution, char text[CEL_TEXT_MAX]) {
  const CelSolveConfig config = {.method = solution->method};
  if (cel_fields_get(cel_solve_fields(), &config, "method", text, CEL_TEXT_MAX) < 0) text[0] = 0;
}

void solve_subtitle(char *text, size_t size, const char *what, const CelMdp *mdp, double alpha,
                    double gamma, double J) {
  char horizon[64] = "";
  if (mdp->horizon)
    snprintf(horizon, sizeof horizon, ", first of %lld step%s", (long long)mdp->horizon,
             cli_s(mdp->horizon));
  snprintf(text, size, "%s at alpha %.6g, gamma %.6g%s; J = %s%.6g", what, alpha, gamma, horizon,
           J < 0 ? "\xe2\x88\x92" : "", fabs(J)); // U+2212, as wide as a plus
}

static const char *problem_name(const CelMdp *mdp) {
  return mdp->name[0] ? mdp->name : "problem";
}

void solve_print_problem(const CelMdp *mdp, double gamma) {
  char states[32], pairs[32], transitions[32], horizon[64] = "";
  if (mdp->horizon)
    snprintf(horizon, sizeof horizon, ", %lld step%s", (long long)mdp->horizon,
             cli_s(mdp->horizon));
  printf("%s: %s state%s, %s state-action%s, %s transition%s; gamma %.12g%s\n", problem_name(mdp),
         cli_count(states, mdp->states), cli_s(mdp->states), cli_count(pairs, mdp->pairs),
         cli_s(mdp->pairs), cli_count(transitions, mdp->transitions), cli_s(mdp->transitions),
         gamma, horizon);
}

/// The reason why a solution is not certified.
static const char *reason(const Solve *solve, const CelSolution *solution) {
  const CelSolveConfig *config = &solve->config;
  if (cli_stop_asked()) return "stopped on request";
  if (config->max_iterations && solution->iterations >= config->max_iterations)
    return "--max-iterations was reached";
  if (config->max_seconds > 0 && solution->seconds >= config->max_seconds)
    return "--max-seconds was reached";
  return "double precision allows no smaller bound";
}

/// Writes a value without the decimals that its error bound leaves uncertain.
static void certain_text(char text[64], double value, double bound) {
  const double decimals = floor(-log10(2 * bound));
  if (isfinite(value) && decimals >= 0 && decimals <= 300)
    snprintf(text, 64, "%.*f", decimals > 12 ? 12 : (int)decimals, value);
  else
    snprintf(text, 64, "%.6g", value);
}

/// max |V|. Tolerances are relative to it.
static double largest_value(const CelSolution *solution) {
  const int64_t n = solution->states * (solution->horizon > 0 ? solution->horizon : 1);
  double most = 0.0;
  for (int64_t i = 0; i < n; i++)
    if (isfinite(solution->V[i])) most = fmax(most, fabs(solution->V[i]));
  return most;
}

bool solve_unfinished(const CelSolution *solution) {
  return solution->horizon > 0 && isinf(solution->bound);
}

/// Computes the parts of the value, unless the solver stopped early: the user would have to wait
/// once more. Errors: CEL_E_INTERRUPTED, and those of solve_measure.
static CelStatus find_parts(const Solve *solve, const CelSolution *solution, SolveParts *parts) {
  const bool limited = cli_stop_asked() || solve->config.max_seconds > 0;
  if (solve_unfinished(solution) || (!solution->certified && limited))
    return cel_fail(CEL_E_INTERRUPTED, "%s", reason(solve, solution));
  return solve_measure(solve, solution, parts);
}

static void print_parts(const Solve *solve, const CelSolution *solution) {
  const double alpha = solution->alpha;
  char text[64];
  SolveParts parts;
  fflush(stdout); // shows the value before the slower part
  if (find_parts(solve, solution, &parts) != CEL_OK) {
    printf("return          not computed: %s\n", cel_error());
    return;
  }
  certain_text(text, parts.hard_return, parts.error);
  if (solve->undiscounted && solve_total_is_probability(solve))
    printf("probability     %s (without entropy)\n", text);
  else
    printf("return          %s (%srewards alone)\n", text,
           solve->undiscounted ? "" : "discounted ");
  certain_text(text, alpha * parts.entropy_sum, parts.error);
  if (alpha > 0)
    printf("entropy part    %s%s (alpha times %.6g nats%s)\n",
           solve->undiscounted && solve->total.min ? "-" : "", text, parts.entropy_sum,
           solve->undiscounted ? "" : ", discounted");
  else
    printf("entropy part    0 (alpha is 0)\n");
}

void solve_print_solution(const Solve *solve, const CelSolution *solution) {
  char method[CEL_TEXT_MAX], iterations[32], sweeps[32], value[64];
  solve_method_name(solution, method);
  if (solve_unfinished(solution)) {
    printf("value at start  not known: only the last %s of %s time step%s solved (%s)\n",
           cli_count(iterations, solution->iterations), cli_count(sweeps, solution->horizon),
           solution->horizon == 1 ? " was" : "s were", reason(solve, solution));
    return;
  }
  certain_text(value, solution->value_start, solution->bound);
  if (solve->undiscounted) {
    char what[160];
    solve_total_what(solve, what, sizeof what);
    printf("value at start  %s (%s, at alpha %.6g)\n",
           isnan(solution->value_start) ? "undefined" : value, what, solution->alpha);
    solve_total_print(solution);
    if (solution->alpha > 0) print_parts(solve, solution);
  } else {
    printf("value at start  %s (J, at alpha %.6g%s)\n", value, solution->alpha,
           solution->alpha > 0 ? ": return + entropy part" : "");
    print_parts(solve, solution);
  }
  printf("method          %s%s: %s iteration%s, %s sweep%s, %.3g s\n", method,
         solve->config.method == CEL_SOLVE_AUTO ? " (auto)" : "",
         cli_count(iterations, solution->iterations), cli_s(solution->iterations),
         cli_count(sweeps, solution->sweeps), cli_s(solution->sweeps), solution->seconds);
  if (!(solve->total.steps > 0)) printf("residual        %.3g\n", solution->residual);
  if (solution->certified)
    printf("certified       yes: no %svalue is off by more than %.2g\n",
           solution->infinite[0] ? "finite " : "", solution->bound);
  else
    printf("certified       no (%s): the error is at most %.2g, the tolerance %.2g\n",
           reason(solve, solution), solution->bound,
           solve->config.tolerance * fmax(1.0, largest_value(solution)));
}

// ---- JSON

static void add_number(cJSON *json, const char *name, double value) {
  if (isfinite(value))
    cJSON_AddNumberToObject(json, name, value);
  else
    cJSON_AddNullToObject(json, name);
}

void solve_json_problem(cJSON *json, const CelMdp *mdp, double gamma) {
  cJSON_AddStringToObject(json, "problem", problem_name(mdp));
  add_number(json, "states", (double)mdp->states);
  add_number(json, "pairs", (double)mdp->pairs);
  add_number(json, "transitions", (double)mdp->transitions);
  add_number(json, "horizon", (double)mdp->horizon);
  add_number(json, "gamma", gamma);
}

void solve_json_solution(cJSON *json, const CelSolution *solution) {
  char method[CEL_TEXT_MAX];
  solve_method_name(solution, method);
  add_number(json, "alpha", solution->alpha);
  add_number(json, "value_start", solution->value_start);
  cJSON_AddStringToObject(json, "method", method);
  add_number(json, "iterations", (double)solution->iterations);
  add_number(json, "sweeps", (double)solution->sweeps);
  add_number(json, "seconds", solution->seconds);
  add_number(json, "residual", solution->residual);
  add_number(json, "bound", solution->bound);
  cJSON_AddBoolToObject(json, "certified", solution->certified);
}

void solve_json_parts(cJSON *json, const Solve *solve, const CelSolution *solution) {
  SolveParts parts;
  const bool found = find_parts(solve, solution, &parts) == CEL_OK, soft = solution->alpha > 0;
  const double none = (double)NAN;
  add_number(json, "hard_return", found ? parts.hard_return : none);
  add_number(json, "entropy_part", found ? solution->alpha * parts.entropy_sum : none);
  if (soft) add_number(json, "entropy_sum", found ? parts.entropy_sum : none);
}
