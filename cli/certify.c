/// celsius certify: compares a trained agent with the exact solution of its environment.
#include "cli.h"

#include "celsius/certify.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Options {
  char which[CEL_PATH_MAX], out[CEL_PATH_MAX];
  bool json, quiet;
} Options;

#define F(field) offsetof(Options, field)
// clang-format off
static const CelField fields[] = {
    {.name = "which", .type = CEL_FIELD_PATH, .offset = F(which), .def = "final", .unit = "MODEL",
     .doc = "the model: final, best (the one with the best evaluation), or the path of a model or "
            "checkpoint"},
    {.name = "json", .type = CEL_FIELD_BOOL, .offset = F(json), .def = "false",
     .doc = "print JSON"},
    {.name = "quiet", .type = CEL_FIELD_BOOL, .offset = F(quiet), .def = "false",
     .doc = "show no progress"},
    {.name = "out", .type = CEL_FIELD_PATH, .offset = F(out), .def = "", .unit = "FILE",
     .doc = "write a picture, .png or .svg, of the learned and the exact solution"},
    {0},
};
// clang-format on
#undef F

// ---- text

/// Writes a number for people; "" for NAN.
static void number_text(char text[32], double value) {
  if (isnan(value))
    text[0] = 0;
  else
    snprintf(text, 32, "%.5g", value);
}

static bool is_percentage(const CelMeasure *m) {
  return strcmp(m->name, "shortfall_share") == 0 || strncmp(m->name, "goal_", 5) == 0 ||
         strcmp(m->name, "gain") == 0 || strcmp(m->name, "covariance") == 0 ||
         strcmp(m->name, "best_action") == 0;
}

static void percent_text(char text[32], double value) {
  if (isnan(value))
    text[0] = 0;
  else
    snprintf(text, 32, "%.*f%%", fabs(value) < 0.0995 ? 2 : 1, 100 * value);
}

static void print_row(const CelMeasure *m) {
  char exact[32], learned[32], off[32], error[40] = "";
  void (*const text)(char *, double) = is_percentage(m) ? percent_text : number_text;
  text(exact, m->exact);
  text(learned, m->learned);
  text(off, m->off);
  if (!isnan(m->error) && m->error > 0) {
    char number[32];
    if (is_percentage(m))
      percent_text(number, m->error);
    else
      snprintf(number, sizeof number, "%.2g", m->error);
    snprintf(error, sizeof error, "+- %s", number);
  }
  if (!exact[0] && !learned[0] && !off[0]) {
    printf("  %-42s %s\n", m->label, m->note);
    return;
  }
  printf("  %-42s %10s %10s %10s%s%s\n", m->label, exact, learned, off, error[0] ? "  " : "",
         error);
  if (m->note[0]) printf("  %-42s (%s)\n", "", m->note);
}

/// The name of the problem. For the environment "mdp" it is the generator's or the file's.
static const char *problem_name(const CelRun *run, const CelCertificate *c) {
  if (strcmp(run->config.env, "mdp") != 0 || !c->mdp || !c->mdp->mdp->name[0])
    return run->config.env;
  return c->mdp->mdp->name;
}

static void print_error(const CelCertificate *c) {
  if (c->problem == CEL_CERTIFY_LQR)
    printf("relative residual of the Riccati equation: %.2g", c->exact_error);
  else if (c->certified)
    printf("certified: no value is off by more than %.2g", c->exact_error);
  else
    printf("error of its values: about %.2g, estimated from three grids", c->exact_error);
}

static void print_text(const CelRun *run, const CelCertificate *c) {
  printf("%s on %s, model %s", c->algo, problem_name(run, c), run->model);
  printf("\nexact solution at alpha %.6g, gamma %.6g; ", c->alpha, c->gamma);
  print_error(c);
  printf("\n\n");
  printf("  %-42s %10s %10s %10s\n", "", "exact", "learned", "off by");
  for (int i = 0; i < c->n; i++) print_row(&c->measure[i]);
}

// ---- JSON

static void add_number(cJSON *json, const char *name, double value) {
  if (isfinite(value))
    cJSON_AddNumberToObject(json, name, value);
  else
    cJSON_AddNullToObject(json, name);
}

static void add_matrix(cJSON *json, const char *name, const double *x, int rows, int columns) {
  cJSON *matrix = cJSON_AddArrayToObject(json, name);
  for (int i = 0; i < rows; i++)
    cJSON_AddItemToArray(matrix, cJSON_CreateDoubleArray(x + i * columns, columns));
}

static void add_lqr(cJSON *json, const CelCertifiedLqr *lqr) {
  const int n = lqr->lqr.n, m = lqr->lqr.m;
  cJSON *both = cJSON_AddObjectToObject(json, "regulator");
  add_matrix(both, "gain_exact", lqr->exact.K, m, n);
  add_matrix(both, "gain_learned", lqr->K, m, n);
  add_matrix(both, "covariance_exact", lqr->exact.Sigma, m, m);
  add_matrix(both, "covariance_learned", lqr->Sigma, m, m);
}

static void add_places(cJSON *json, const CelCertifiedPlane *plane) {
  static const char *const which[2] = {"exact", "learned"};
  cJSON *places = cJSON_AddArrayToObject(json, "places");
  for (int k = 0; k < CEL_CERTIFY_PLACES; k++) {
    const CelCertifiedPlace *p = &plane->place[k];
    cJSON *place = cJSON_CreateObject();
    cJSON_AddItemToArray(places, place);
    cJSON_AddItemToObject(place, "state", cJSON_CreateDoubleArray(p->s, 2));
    add_number(place, "kl", p->kl);
    for (int i = 0; i < 2; i++) {
      cJSON *one = cJSON_AddObjectToObject(place, which[i]);
      cJSON_AddItemToObject(one, "mean", cJSON_CreateDoubleArray(p->mean[i], 2));
      add_matrix(one, "covariance", p->covariance[i], 2, 2);
      add_number(one, "entropy", p->entropy[i]);
    }
  }
}

static CelStatus print_json(const CelRun *run, const char *folder, const CelCertificate *c) {
  static const char *const problems[] = {"mdp", "lqr", "multigoal"};
  cJSON *json = cJSON_CreateObject();
  cJSON_AddStringToObject(json, "run", folder);
  cJSON_AddStringToObject(json, "model", run->model);
  cJSON_AddStringToObject(json, "algo", c->algo);
  cJSON_AddStringToObject(json, "env", run->config.env);
  cJSON_AddStringToObject(json, "problem", problems[c->problem]);
  add_number(json, "alpha", c->alpha);
  add_number(json, "gamma", c->gamma);
  add_number(json, "exact_error", c->exact_error);
  cJSON_AddBoolToObject(json, "certified", c->certified);
  cJSON *measures = cJSON_AddObjectToObject(json, "measures");
  for (int i = 0; i < c->n; i++) {
    const CelMeasure *m = &c->measure[i];
    cJSON *row = cJSON_AddObjectToObject(measures, m->name);
    add_number(row, "exact", m->exact);
    add_number(row, "learned", m->learned);
    add_number(row, "off", m->off);
    add_number(row, "error", m->error);
    cJSON_AddStringToObject(row, "note", m->note);
  }
  if (c->lqr) add_lqr(json, c->lqr);
  if (c->plane) add_places(json, c->plane);
  return cli_print_json(json);
}

// ---- the command

/// Draws the picture, with a title such as "SQL on frozenlake-4x4".
static CelStatus plot(const CelRun *run, const CelCertificate *c, const char *out) {
  char title[CEL_PATH_MAX + CEL_TEXT_MAX + 8];
  snprintf(title, sizeof title, "%s on %s", c->algo, problem_name(run, c));
  for (char *t = title; *t && *t != ' '; t++) *t = (char)toupper((unsigned char)*t);
  const CelStatus status = cel_plot_certificate(c, title, out);
  if (status == CEL_OK) cli_note("wrote %s", out);
  return status;
}

static CelStatus certify(const CelRun *run, const char *folder, const Options *options,
                         const CelCertifyOptions *how) {
  CelCertificate *certificate = NULL;
  CliWait *wait = cli_wait_begin("certifying", options->quiet);
  CelStatus status = cel_certify(run->agent, run->spec, how, &certificate);
  cli_wait_end(wait);
  if (status == CEL_OK && options->json)
    status = print_json(run, folder, certificate);
  else if (status == CEL_OK)
    print_text(run, certificate);
  if (status == CEL_OK && options->out[0]) status = plot(run, certificate, options->out);
  cel_certificate_destroy(certificate);
  return status;
}

/// Opens the model of --which. Without the flag it is the final model. A run that has not finished
/// has none, so the best model or the last checkpoint is opened.
static CelStatus open_run(const char *folder, const char *given, const Options *options,
                          CelRun **run) {
  char path[CEL_PATH_MAX];
  if (!given && cel_run_model(folder, "final", path) != CEL_OK)
    return cel_run_open(folder, NULL, run);
  return cel_run_open(folder, options->which, run);
}

static int run(int argc, char **argv) {
  Options options;
  CliArgs args;
  CelRun *opened = NULL;
  CelCertifyOptions how = cel_certify_options_default();
  cel_fields_default(fields, &options);
  const CliTable tables[] = {
      {"Flags", "", fields, &options},
      {"The exact solution and the rollouts", "", cel_certify_fields(), &how}};
  CelStatus status = cli_parse(&cli_certify, argc, argv, tables, 2, &args);
  if (status == CEL_OK && args.help) {
    cli_help_command(&cli_certify, tables, 2);
    return CEL_OK;
  }
  if (status == CEL_OK) status = cli_positionals(&cli_certify, &args, 1, 1, "the run folder");
  if (status == CEL_OK) status = cli_check_output("--out", options.out, "a picture", "png|svg");
  if (status == CEL_OK)
    status = open_run(args.positional[0], cli_scan(argc, argv, "which"), &options, &opened);
  if (status == CEL_OK) status = certify(opened, args.positional[0], &options, &how);
  cel_run_close(opened);
  return status == CEL_OK ? CEL_OK : cli_error(status);
}

const CliCommand cli_certify = {
    .name = "certify",
    .help = "certify --help",
    .usage = "celsius certify RUN [--which best|final|PATH] [--json] [--out FILE.png]",
    .doc = "Compares a trained agent with the exact solution. It works for finite problems, the "
           "linear-quadratic regulator (LQR-v0) and the multi-goal plane (MultiGoal-v0), whose "
           "soft-optimal solution is computed at the agent's temperature and discount. The output "
           "shows how far the agent's return, Q, V and policy are from it. Learners without an "
           "entropy bonus are compared at temperature 0.",
    .details = "Examples\n"
               "  celsius train sql --env FrozenLake-v1 --preset auto --out runs/lake\n"
               "  celsius certify runs/lake --out lake.png\n"
               "  celsius train sac --env LQR-v0 --preset auto --out runs/lqr\n"
               "  celsius certify runs/lqr --json\n"
               "  celsius train sqlc --env MultiGoal-v0 --preset auto --out runs/goals\n"
               "  celsius certify runs/goals --out goals.png",
    .run = run};
