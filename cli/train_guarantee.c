/// celsius train --guarantee: prints the guarantee of every update during training.
#include "train_guarantee.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/// Finds the finite problem behind an environment. The error names environments that have one.
static CelStatus find_problem(const CelEnvSpec *spec, const CelMdp **out) {
  const CelStatus status = cel_mdp_of_env(spec, out);
  if (status == CEL_OK && spec->action_repeat > 1)
    return cel_fail(
        CEL_E_UNSUPPORTED,
        "--guarantee does not support action repeat; set --env.action-repeat to 1 (it is "
        "%lld)",
        (long long)spec->action_repeat);
  if (status != CEL_E_UNSUPPORTED) return status;
  return cel_fail(CEL_E_UNSUPPORTED,
                  "--guarantee needs a finite problem, and %s is not one; use --env FrozenLake-v1, "
                  "--env Taxi-v3, or --env mdp with --env.generator NAME or --env.file FILE",
                  spec->type->id);
}

static CelStatus create(CelGuarantee **out, const CelEnvSpec *spec, CelAgent *agent) {
  const CelMdp *mdp;
  const CelStatus status = find_problem(spec, &mdp);
  if (status != CEL_OK) return status;
  return cel_fail_in(cel_guarantee_create(out, mdp, agent, (double)NAN), "--guarantee: ");
}

static CelStatus try_agent(const CelSetup *setup, const CelEnvSpec *spec) {
  const CelAgentOptions options = {
      .n_envs = setup->run.n_envs, .seed = setup->run.seed, .threads = 1, .act_only = true};
  CelAgent *agent = NULL;
  CelGuarantee *guarantee = NULL;
  CelStatus status = cel_agent_create(&agent, setup->algo->name, setup->algo_config,
                                      &spec->observation, &spec->action, &options);
  if (status == CEL_OK) status = create(&guarantee, spec, agent);
  cel_guarantee_destroy(guarantee);
  cel_agent_destroy(agent);
  return status;
}

CelStatus train_guarantee_check(const CelSetup *setup) {
  CelEnvSpec *spec = NULL;
  const CelMdp *mdp;
  CelStatus status = cel_setup_env(setup, &spec);
  if (status == CEL_OK) status = find_problem(spec, &mdp);
  if (status == CEL_OK) status = try_agent(setup, spec);
  cel_env_spec_destroy(spec);
  return status;
}

bool train_guarantee_was(const char *folder) {
  char path[CEL_PATH_MAX + 16];
  snprintf(path, sizeof path, "%s/guarantee.csv", folder);
  return access(path, F_OK) == 0;
}

CelStatus train_guarantee_begin(TrainGuarantee *g, CelAgent *agent, const CelEnvSpec *spec,
                                const char *folder) {
  double uncertain;
  CelStatus status = create(&g->guarantee, spec, agent);
  if (status == CEL_OK) status = cel_guarantee_optimum(g->guarantee, &g->best, &uncertain);
  return status == CEL_OK ? cel_guarantee_write(g->guarantee, agent, folder) : status;
}

// ---- an update

static void add_row(cJSON *rows, const CelGuaranteeStep *step) {
  cJSON *row = cJSON_CreateObject();
  cJSON_AddNumberToObject(row, "iteration", (double)step->iteration);
  cJSON_AddNumberToObject(row, "steps", (double)step->steps);
  cJSON_AddNumberToObject(row, "J", step->J);
  cJSON_AddNumberToObject(row, "J_next", step->J_next);
  cJSON_AddNumberToObject(row, "eps", step->eps);
  cJSON_AddNumberToObject(row, "advantage", step->advantage);
  cJSON_AddNumberToObject(row, "surrogate", step->surrogate);
  cJSON_AddNumberToObject(row, "penalty", step->penalty);
  cJSON_AddNumberToObject(row, "rounding", step->rounding);
  cJSON_AddNumberToObject(row, "bound", step->bound);
  cJSON_AddNumberToObject(row, "gain", step->gain);
  cJSON_AddBoolToObject(row, "held", step->held);
  cJSON_AddItemToArray(rows, row);
}

static void print_row(TrainGuarantee *g, const CelGuaranteeStep *step) {
  cli_bar_clear(g->bar);
  if (!g->header)
    printf("%9s %10s %13s %13s %9s %11s %11s %11s %11s  %s\n", "iteration", "steps", "J", "J_next",
           "eps", "surrogate", "penalty", "bound", "gain", "held");
  g->header = true;
  printf("%9lld %10lld %13.8g %13.8g %9.3g %11.4g %11.4g %11.4g %11.4g  %s\n",
         (long long)step->iteration, (long long)step->steps, step->J, step->J_next, step->eps,
         step->surrogate, step->penalty, step->bound, step->gain, step->held ? "yes" : "NO");
  fflush(stdout);
}

CelStatus train_guarantee_step(TrainGuarantee *g, CelAgent *agent) {
  CelGuaranteeStep step;
  const CelStatus status = cel_guarantee_step(g->guarantee, agent, &step);
  if (status != CEL_OK) return cel_fail_in(status, "--guarantee: ");
  if (g->rows)
    add_row(g->rows, &step);
  else if (!g->silent)
    print_row(g, &step);
  return CEL_OK;
}

// ---- the end

static void print_summary(const CelGuaranteeSummary *s, double best) {
  char updates[32], held[32];
  if (s->updates == 0)
    printf("guarantee     no update was made, so there is no bound to check\n");
  else if (s->held == s->updates && s->updates == 1)
    printf("guarantee     the bound of the only update held\n");
  else if (s->held == s->updates)
    printf("guarantee     the bounds of all %s updates held\n", cli_count(updates, s->updates));
  else
    printf("guarantee     BROKEN: only %s of %s bound%s held\n", cli_count(held, s->held),
           cli_count(updates, s->updates), cli_s(s->updates));
  printf("exact return  J from %.6g to %.6g, gain %.4g; the optimum is %.6g (gamma %g)\n",
         s->J_first, s->J, s->J - s->J_first, best, s->gamma);
}

bool train_guarantee_kept(const TrainGuarantee *g) {
  const CelGuaranteeSummary s = cel_guarantee_summary(g->guarantee);
  return s.held == s.updates;
}

bool train_guarantee_end(TrainGuarantee *g, cJSON *json) {
  const CelGuaranteeSummary s = cel_guarantee_summary(g->guarantee);
  const bool kept = s.held == s.updates;
  if (!json) {
    print_summary(&s, g->best);
    return kept;
  }
  cJSON *summary = cJSON_CreateObject();
  cJSON_AddNumberToObject(summary, "updates", (double)s.updates);
  cJSON_AddNumberToObject(summary, "held", (double)s.held);
  cJSON_AddNumberToObject(summary, "gamma", s.gamma);
  cJSON_AddNumberToObject(summary, "J_first", s.J_first);
  cJSON_AddNumberToObject(summary, "J", s.J);
  cJSON_AddNumberToObject(summary, "J_optimal", g->best);
  cJSON_AddItemToObject(summary, "steps", g->rows);
  g->rows = NULL;
  cJSON_AddItemToObject(json, "guarantee", summary);
  return kept;
}

void train_guarantee_close(TrainGuarantee *g) {
  cJSON_Delete(g->rows);
  cel_guarantee_destroy(g->guarantee);
}
