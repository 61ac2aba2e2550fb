/// celsius eval: evaluates a trained agent on episodes that start the same for every agent.
#include "cli.h"

#include "celsius/render.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Options {
  int64_t episodes;
  uint64_t seed;
  char which[CEL_PATH_MAX], render[CEL_PATH_MAX];
  int32_t action;
  bool json, quiet;
} Options;

#define F(field) offsetof(Options, field)
// clang-format off
static const CelField fields[] = {
    {.name = "episodes", .type = CEL_FIELD_INT, .offset = F(episodes), .def = "100", .min = 1,
     .max = 1000000, .unit = "episodes",
     .doc = "episodes to play"},
    {.name = "seed", .type = CEL_FIELD_U64, .offset = F(seed), .def = "10000",
     .doc = "seed of the episodes; with the same seed every agent starts the same episodes"},
    {.name = "which", .type = CEL_FIELD_PATH, .offset = F(which), .def = "best", .unit = "MODEL",
     .doc = "the model: best, final, or the path of a model or checkpoint"},
    {.name = "action", .type = CEL_FIELD_ENUM, .offset = F(action), .def = "mode",
     .choices = "mode|sample",
     .doc = "take the policy's mode, or sample from it"},
    {.name = "json", .type = CEL_FIELD_BOOL, .offset = F(json), .def = "false",
     .doc = "print JSON, with the return of each episode"},
    {.name = "quiet", .type = CEL_FIELD_BOOL, .offset = F(quiet), .def = "false",
     .doc = "show no progress"},
    {.name = "render", .type = CEL_FIELD_PATH, .offset = F(render), .def = "", .unit = "FILE",
     .doc = "write an animation (.gif, .mp4) or one picture (.png) of the first episodes"},
    {0},
};
// clang-format on
#undef F

/// Gymnasium's thresholds are mean returns over this many episodes.
enum { SOLVED_EPISODES = 100 };

static CelStatus print_json(const CelRun *run, const char *folder, const Options *options,
                            const CelEvalResult *result) {
  cJSON *json = cJSON_CreateObject();
  cJSON_AddStringToObject(json, "run", folder);
  cJSON_AddStringToObject(json, "model", run->model);
  cJSON_AddStringToObject(json, "algo", run->config.algo);
  cJSON_AddStringToObject(json, "env", run->config.env);
  cJSON_AddNumberToObject(json, "seed", (double)options->seed);
  cJSON_AddNumberToObject(json, "episodes", (double)result->episodes);
  cJSON_AddNumberToObject(json, "mean_return", result->mean_return);
  cJSON_AddNumberToObject(json, "std_return", result->std_return);
  cJSON_AddNumberToObject(json, "min_return", result->min_return);
  cJSON_AddNumberToObject(json, "median_return", result->median_return);
  cJSON_AddNumberToObject(json, "max_return", result->max_return);
  cJSON_AddNumberToObject(json, "mean_length", result->mean_length);
  cJSON_AddNumberToObject(json, "cut", (double)result->cut);
  cJSON *returns = cJSON_AddArrayToObject(json, "returns");
  cJSON *lengths = cJSON_AddArrayToObject(json, "lengths");
  for (int64_t i = 0; i < result->episodes; i++) {
    cJSON_AddItemToArray(returns, cJSON_CreateNumber(result->returns[i]));
    cJSON_AddItemToArray(lengths, cJSON_CreateNumber((double)result->lengths[i]));
  }
  return cli_print_json(json);
}

static void print_text(const CelRun *run, const CelEvalResult *result) {
  printf("%s on %s, %lld episode%s, model %s\n", run->config.algo, run->config.env,
         (long long)result->episodes, cli_s(result->episodes), run->model);
  printf("mean return    %.6g, standard deviation %.4g\n", result->mean_return, result->std_return);
  printf("range          %.6g to %.6g, median %.6g\n", result->min_return, result->max_return,
         result->median_return);
  printf("mean length    %.6g steps\n", result->mean_length);
  if (result->cut)
    printf("cut off        %lld episode%s did not end within %d steps (there is no time limit)\n",
           (long long)result->cut, cli_s(result->cut), CEL_EVAL_STEPS_MAX);
  const double threshold = run->spec->type->reward_threshold;
  if (threshold != threshold) return;
  if (result->episodes < SOLVED_EPISODES)
    printf("solved         not judged (needs %d episodes; the threshold is a mean return of %g)\n",
           SOLVED_EPISODES, threshold);
  else
    printf("solved         %s (the threshold is a mean return of %g)\n",
           result->mean_return >= threshold ? "yes" : "no", threshold);
}

static CelStatus render(CelRun *run, const Options *options, const CelRenderOptions *how) {
  const CelStatus status = cel_render(options->render, run->agent, run->spec, options->seed, how);
  if (status == CEL_OK) cli_note("wrote %s", options->render);
  return status;
}

static void on_progress(void *user, const CelProgress *p) {
  CliBar *bar = user;
  char episodes[32], rate[32], eta[32], text[256];
  if (p->seconds < CLI_BAR_AFTER && !bar->drawn) return;
  snprintf(text, sizeof text, "%s episode%s  %s steps/s  ETA %s", cli_count(episodes, p->episodes),
           cli_s(p->episodes), cli_count(rate, lround(p->steps_per_second)),
           cli_duration(eta, p->eta));
  cli_bar_draw(bar, &(CliProgress){p->fraction, p->seconds, text, text});
}

static bool on_stop(void *user) {
  (void)user;
  return cli_stop_asked();
}

static CelStatus evaluate(CelRun *run, const char *folder, const Options *options,
                          const CelRenderOptions *how) {
  const size_t n = (size_t)options->episodes;
  double *returns = calloc(n, sizeof *returns);
  int64_t *lengths = calloc(n, sizeof *lengths);
  CelEvalResult result;
  CelStatus status = CEL_OK;
  if (!returns || !lengths)
    status = cel_fail(CEL_E_MEMORY, "not enough memory for %zu episodes", n);
  CliBar bar = cli_bar(options->quiet);
  const CelRunHooks hooks = {.user = &bar, .progress = on_progress, .stop = on_stop};
  cli_signals_install();
  if (status == CEL_OK)
    status = cel_evaluate_watched(run->agent, run->spec, options->episodes, options->seed,
                                  options->action == 0 ? CEL_MODE : CEL_SAMPLE, &hooks, returns,
                                  lengths, &result);
  cli_bar_clear(&bar);
  if (status == CEL_OK && options->json)
    status = print_json(run, folder, options, &result);
  else if (status == CEL_OK)
    print_text(run, &result);
  if (status == CEL_OK && options->render[0]) status = render(run, options, how);
  free(returns);
  free(lengths);
  return status;
}

static int run(int argc, char **argv) {
  Options options;
  CliArgs args;
  CelRun *opened = NULL;
  CelRenderOptions how = cel_render_options_default();
  cel_fields_default(fields, &options);
  const CliTable tables[] = {{"Flags", "", fields, &options},
                             {"The animation", "render.", cel_render_fields(), &how}};
  CelStatus status = cli_parse(&cli_eval, argc, argv, tables, 2, &args);
  if (status == CEL_OK && args.help) {
    cli_help_command(&cli_eval, tables, 2);
    return CEL_OK;
  }
  if (status == CEL_OK) status = cli_positionals(&cli_eval, &args, 1, 1, "the run folder");
  if (status == CEL_OK)
    status = cli_check_output("--render", options.render, "a picture", "gif|mp4|png");
  // Without --which: the best model, or the last checkpoint if a run has no model yet.
  const char *which = cli_scan(argc, argv, "which") ? options.which : NULL;
  if (status == CEL_OK) status = cel_run_open(args.positional[0], which, &opened);
  if (status == CEL_OK) status = evaluate(opened, args.positional[0], &options, &how);
  cel_run_close(opened);
  return status == CEL_OK ? CEL_OK : cli_error(status);
}

const CliCommand cli_eval = {
    .name = "eval",
    .help = "eval --help",
    .usage = "celsius eval RUN [--episodes N] [--json] [--render out.gif]",
    .doc = "Evaluates a trained agent. Every agent gets the same random numbers, so results can be "
           "compared.",
    .details = "Examples\n"
               "  celsius eval runs/sac-Pendulum-v1-1\n"
               "  celsius eval runs/sac-Pendulum-v1-1 --episodes 100 --json\n"
               "  celsius eval runs/sac-Pendulum-v1-1 --which final --render pendulum.gif",
    .run = run};
