/// cel_solve_total: settings, their checks, and the order of the parts that total.h lists.
#include "base/arguments.h"
#include "base/base.h"
#include "base/clock.h"
#include "mdp/model.h"
#include "mdp/total/total.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define F(field) offsetof(CelTotalConfig, field)
// clang-format off
static const CelField fields[] = {
    {.name = "objective", .type = CEL_FIELD_ENUM, .offset = F(objective), .def = "auto",
     .choices = "auto|reward|probability",
     .doc = "without a discount: the total reward until the target is reached, or the probability "
            "of reaching it; auto: the reward, or the probability if all rewards are 0"},
    {.name = "min", .type = CEL_FIELD_BOOL, .offset = F(min), .def = "false",
     .doc = "without a discount: minimize instead of maximize"},
    {.name = "unreached", .type = CEL_FIELD_ENUM, .offset = F(unreached), .def = "auto",
     .choices = "auto|sum|forbidden|infinite",
     .doc = "without a discount: the reward of a path that never reaches the target: the sum of "
            "its rewards; forbidden (only policies that surely reach the target count); or "
            "infinite, with the sign of the rewards, as in PRISM; auto: infinite (forbidden if "
            "rewards have both signs), or sum if there is no target"},
    {.name = "steps", .type = CEL_FIELD_INT, .offset = F(steps), .def = "0", .min = 0, .max = 1e15,
     .unit = "steps",
     .doc = "without a discount: count only the first steps; 0: no limit"},
    {0},
};
// clang-format on

const CelField *cel_total_fields(void) {
  return fields;
}

CelTotalConfig cel_total_config_default(void) {
  CELI_FLOATS(CELI_IEEE);
  CelTotalConfig config;
  memset(&config, 0, sizeof config);
  cel_fields_default(fields, &config);
  return config;
}

// ---- checks

static CelStatus check_method(const CelTotalConfig *total, const CelSolveConfig *config) {
  const CelSolveMethod method = config->method;
  const bool backward = method == CEL_SOLVE_AUTO || method == CEL_SOLVE_BACKWARD;
  const bool iterative = method == CEL_SOLVE_AUTO || method == CEL_SOLVE_VI ||
                         method == CEL_SOLVE_GAUSS_SEIDEL || method == CEL_SOLVE_NEWTON;
  if (total->steps > 0 && !backward)
    return cel_fail(CEL_E_UNSUPPORTED, "with a step limit, the method must be backward or auto");
  if (total->steps == 0 && !iterative)
    return cel_fail(CEL_E_UNSUPPORTED, "without a discount, the method must be vi, gauss-seidel, "
                                       "newton or auto");
  return CEL_OK;
}

static CelStatus check(const CelTotalConfig *total, const CelSolveConfig *config) {
  CELI_TRY(cel_fields_check(cel_solve_fields(), config));
  CELI_TRY(cel_fields_check(fields, total));
  if (!isnan(config->gamma) && config->gamma != 1.0)
    return cel_fail(CEL_E_RANGE, "gamma is %g; the total reward needs gamma 1", config->gamma);
  if (total->unreached != CEL_UNREACHED_AUTO &&
      (total->steps > 0 || total->objective == CEL_TOTAL_PROBABILITY))
    return cel_fail(CEL_E_ARGUMENT,
                    "unreached applies to the total reward without a step limit; leave it out");
  return check_method(total, config);
}

/// Which signs of rewards occur outside of target states.
typedef struct Signs {
  bool positive, negative;
} Signs;

static Signs signs_of(const CeliTotal *total) {
  const CelMdp *mdp = total->mdp;
  Signs signs = {false, false};
  for (int64_t s = 0; s < mdp->states; s++)
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1] && !total->target[s]; p++)
      signs.positive |= mdp->reward[p] > 0.0, signs.negative |= mdp->reward[p] < 0.0;
  return signs;
}

/// Decides the objective and what an unreached target is worth.
static CelStatus decide(CeliTotal *total, bool given) {
  const CelTotalConfig *config = total->config;
  const Signs signs = signs_of(total);
  total->probability = config->objective == CEL_TOTAL_PROBABILITY ||
                       (config->objective == CEL_TOTAL_AUTO && !signs.positive && !signs.negative);
  CelTotalUnreached unreached = config->unreached;
  const bool both = signs.positive && signs.negative;
  if (unreached == CEL_UNREACHED_AUTO)
    unreached = !given ? CEL_UNREACHED_SUM
                : both ? CEL_UNREACHED_FORBIDDEN
                       : CEL_UNREACHED_INFINITE;
  if (unreached == CEL_UNREACHED_INFINITE) {
    if (both)
      return cel_fail(CEL_E_UNSUPPORTED,
                      "rewards have both signs, so a path that never reaches the target has no "
                      "infinite reward of one sign; use forbidden or sum");
    // -infinity for the maximization is the same as forbidden.
    if (signs.negative == (total->sign > 0.0)) unreached = CEL_UNREACHED_FORBIDDEN;
  }
  total->unreached = unreached;
  total->stop = !total->probability && unreached == CEL_UNREACHED_SUM;
  return CEL_OK;
}

// ---- memory

static CelStatus allocate(CeliTotal *total) {
  const size_t nodes = total->graph.nodes, pairs = (size_t)total->mdp->pairs;
  const char *what = "a solve without a discount";
  CELI_TRY(celi_calloc(&total->target, nodes, 1, what));
  CELI_TRY(celi_calloc(&total->kind, nodes, 1, what));
  CELI_TRY(celi_calloc(&total->zero, nodes, 1, what));
  CELI_TRY(celi_calloc(&total->inner, pairs, 1, what));
  CELI_TRY(celi_calloc(&total->value, nodes, sizeof(double), what));
  CELI_TRY(celi_calloc(&total->lower, nodes, sizeof(double), what));
  CELI_TRY(celi_calloc(&total->upper, nodes, sizeof(double), what));
  CELI_TRY(celi_alloc(&total->rep, nodes, sizeof(uint32_t), what));
  CELI_TRY(celi_alloc(&total->best, nodes, sizeof(uint32_t), what));
  CELI_TRY(celi_alloc(&total->distance, nodes, sizeof(uint32_t), what));
  const size_t actions = (size_t)total->mdp->max_actions + 1;
  CELI_TRY(celi_alloc(&total->q, actions, sizeof(double), what));
  for (size_t n = 0; n < nodes; n++) total->rep[n] = (uint32_t)n, total->best[n] = CELI_NO_PAIR;
  return CEL_OK;
}

static void release(CeliTotal *total) {
  celi_graph_destroy(&total->graph);
  free(total->target), free(total->kind), free(total->zero), free(total->inner);
  free(total->value), free(total->lower), free(total->upper), free(total->rep);
  free(total->best), free(total->distance), free(total->q);
  free(total->index), free(total->state), free(total->next_member), free(total->component);
  cel_mdp_destroy(total->reduced);
}

static CelStatus make_solution(CeliTotal *total, CelSolution **out) {
  const size_t S = (size_t)total->mdp->states, pairs = (size_t)total->mdp->pairs;
  CELI_TRY(celi_calloc(out, 1, sizeof **out, "a solution"));
  CelSolution *solution = total->solution = *out;
  solution->states = total->mdp->states, solution->pairs = total->mdp->pairs;
  solution->alpha = total->alpha, solution->gamma = 1.0;
  solution->method =
      total->solver->method == CEL_SOLVE_AUTO ? CEL_SOLVE_NEWTON : total->solver->method;
  if (total->config->steps > 0) solution->method = CEL_SOLVE_BACKWARD;
  CELI_TRY(celi_calloc(&solution->V, S, sizeof(double), "the values of a solution"));
  CELI_TRY(celi_calloc(&solution->lower, S, sizeof(double), "the bounds of a solution"));
  CELI_TRY(celi_calloc(&solution->upper, S, sizeof(double), "the bounds of a solution"));
  CELI_TRY(celi_calloc(&solution->Q, pairs, sizeof(double), "the action values of a solution"));
  return celi_calloc(&solution->pi, pairs, sizeof(double), "the policy of a solution");
}

// ---- the solve

static CelStatus set_target(CeliTotal *total, const uint8_t *target) {
  const CelMdp *mdp = total->mdp;
  bool any = false;
  for (int64_t s = 0; s < mdp->states; s++) {
    total->target[s] = target ? target[s] != 0 : mdp->pair[s] == mdp->pair[s + 1];
    any |= total->target[s];
  }
  total->target[mdp->states] = !target;
  for (int64_t t = 0; !target && mdp->ends && t < mdp->transitions && !any; t++) any = mdp->ends[t];
  if (any) return CEL_OK;
  if (target) return cel_fail(CEL_E_ARGUMENT, "no state is a target; at least one must be");
  return cel_fail(CEL_E_ARGUMENT,
                  "episodes of this problem never end: it has no terminal state, so "
                  "without a discount it needs target states");
}

static CelStatus solve(CeliTotal *total, const uint8_t *target, CelSolution **out) {
  CELI_TRY(celi_graph_create(&total->graph, total->mdp));
  CELI_TRY(allocate(total));
  CELI_TRY(make_solution(total, out));
  CELI_TRY(set_target(total, target));
  CELI_TRY(decide(total, target != NULL));
  if (total->config->steps > 0) return celi_total_steps(total);
  CELI_TRY(celi_total_classify(total));
  CELI_TRY(celi_total_reduce(total));
  CELI_TRY(celi_total_iterate(total));
  return celi_total_finish(total);
}

CelStatus cel_solve_total(const CelMdp *mdp, const uint8_t *target, const CelTotalConfig *total,
                          const CelSolveConfig *config, CelSolution **out) {
  CELI_NEED(mdp);
  CELI_NEED(mdp->pair);
  CELI_NEED(total);
  CELI_NEED(config);
  CELI_NEED(out);
  CELI_FLOATS(CELI_IEEE);
  *out = NULL;
  CELI_TRY(check(total, config));
  CeliTotal job = {.mdp = mdp,
                   .config = total,
                   .solver = config,
                   .sign = total->min ? -1.0 : 1.0,
                   .alpha = config->alpha > 1e-290 ? config->alpha : 0.0,
                   .undecided = -1,
                   .endless = -1,
                   .start_seconds = celi_seconds()};
  CelSolution *solution = NULL;
  const CelStatus status = solve(&job, target, &solution);
  release(&job);
  if (status != CEL_OK) {
    cel_solution_destroy(solution);
    return status;
  }
  solution->seconds = celi_seconds() - job.start_seconds;
  *out = solution;
  return CEL_OK;
}
