/// celsius solve without a discount: the target states, and what the output says about them.
#include "solve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

CelStatus solve_total_prepare(Solve *solve) {
  const CelMdp *mdp = solve->mdp;
  const SolveOptions *options = &solve->options;
  const double gamma = isnan(solve->config.gamma) ? mdp->discount : solve->config.gamma;
  solve->undiscounted = gamma == 1 && mdp->horizon == 0;
  if (!solve->undiscounted && solve->total_given)
    return cel_fail(CEL_E_ARGUMENT,
                    "--target, --min, --steps, --objective and --unreached need --gamma 1 and no "
                    "horizon");
  if (solve->undiscounted && (options->cpi || options->q_learning))
    return cel_fail(CEL_E_ARGUMENT, "--%s needs a discount below 1; give --gamma",
                    options->cpi ? "cpi" : "q-learning");
  if (!options->target[0]) return CEL_OK;
  solve->target = malloc((size_t)mdp->states);
  if (!solve->target) return cel_fail(CEL_E_MEMORY, "not enough memory for the target states");
  int64_t count = 0;
  const CelStatus status = cel_mdp_states_where(mdp, options->target, solve->target, &count);
  if (status != CEL_OK) return cel_fail_in(status, "--target: ");
  if (count == 0)
    return cel_fail(CEL_E_ARGUMENT, "--target: no state satisfies '%s'", options->target);
  return CEL_OK;
}

bool solve_total_is_probability(const Solve *solve) {
  const CelMdp *mdp = solve->mdp;
  if (solve->total.objective != CEL_TOTAL_AUTO)
    return solve->total.objective == CEL_TOTAL_PROBABILITY;
  for (int64_t s = 0; s < mdp->states; s++)
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++)
      if (mdp->reward[p] != 0 && !(solve->target && solve->target[s])) return false;
  return true;
}

void solve_total_what(const Solve *solve, char *text, size_t size) {
  const char *end = solve->options.target[0] ? "the target" : "the episode's end";
  char steps[64] = "", count[32];
  if (solve->total.steps > 0)
    snprintf(steps, sizeof steps, " within %s step%s", cli_count(count, solve->total.steps),
             cli_s(solve->total.steps));
  snprintf(text, size,
           solve_total_is_probability(solve) ? "%s probability of reaching %s%s"
                                             : "%s total reward until %s%s",
           solve->total.min ? "minimum" : "maximum", end, steps);
}

/// Writes a bound in at least 12 digits, and as many as it takes to round in its direction.
static const char *bound_text(char text[32], double bound, bool upper) {
  for (int digits = 12; digits <= 17; digits++) {
    snprintf(text, 32, "%.*g", digits, bound);
    const double read = strtod(text, NULL);
    if (upper ? read >= bound : read <= bound) break;
  }
  return text;
}

void solve_total_print(const CelSolution *solution) {
  char low[32], high[32];
  if (isfinite(solution->value_start))
    printf("bounds          %s to %s at the start\n", bound_text(low, solution->value_lower, false),
           bound_text(high, solution->value_upper, true));
  if (solution->infinite[0]) printf("infinite        %s\n", solution->infinite);
}

static void add_bound(cJSON *json, const char *name, double value) {
  if (isfinite(value))
    cJSON_AddNumberToObject(json, name, value);
  else
    cJSON_AddNullToObject(json, name);
}

void solve_total_json(cJSON *json, const Solve *solve, const CelSolution *solution) {
  static const char *const unreached[] = {"auto", "sum", "forbidden", "infinite"};
  const double value = solution->value_start;
  cJSON_AddStringToObject(json, "objective",
                          solve_total_is_probability(solve) ? "probability" : "reward");
  cJSON_AddStringToObject(json, "direction", solve->total.min ? "min" : "max");
  if (solve->options.target[0])
    cJSON_AddStringToObject(json, "target", solve->options.target);
  else
    cJSON_AddNullToObject(json, "target");
  cJSON_AddStringToObject(json, "unreached", unreached[solve->total.unreached]);
  cJSON_AddNumberToObject(json, "steps", (double)solve->total.steps);
  add_bound(json, "value_lower", solution->value_lower);
  add_bound(json, "value_upper", solution->value_upper);
  // JSON has no infinite numbers, so value_start is null then.
  cJSON_AddStringToObject(json, "value_is",
                          isnan(value)      ? "undefined"
                          : isfinite(value) ? "finite"
                          : value > 0       ? "+infinity"
                                            : "-infinity");
  cJSON_AddStringToObject(json, "infinite", solution->infinite);
}
