/// celsius info: what the build supports and the machine, or what a saved model is. A learner's
/// plan: info_plan.c.
#include "cli.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <sys/stat.h>

void cli_warn_isa(void) {
  CelInfo info;
  if (!getenv("CELSIUS_ISA")) return;
  cel_info(&info);
  if (info.isa_note) cli_note("%s", info.isa_note);
}

typedef struct Options {
  char which[CEL_PATH_MAX];
  bool plan, json; ///< plan: handled by cli_info_plan
} Options;

#define F(field) offsetof(Options, field)
// clang-format off
static const CelField fields[] = {
    {.name = "which", .type = CEL_FIELD_PATH, .offset = F(which), .def = "best", .unit = "MODEL",
     .doc = "the model of RUN: best, final, or the path of a model or checkpoint"},
    {.name = "plan", .type = CEL_FIELD_BOOL, .offset = F(plan), .def = "false",
     .doc = "print the operations of an update of ALGO (`celsius info ALGO --plan --help`)"},
    {.name = "json", .type = CEL_FIELD_BOOL, .offset = F(json), .def = "false",
     .doc = "print JSON"},
    {0},
};
// clang-format on
#undef F

// ---- a model

static CelStatus print_model_json(const char *path, const CelModelInfo *model) {
  cJSON *json = cJSON_CreateObject();
  cJSON_AddStringToObject(json, "model", path);
  cJSON_AddStringToObject(json, "version", model->version);
  cJSON_AddStringToObject(json, "algo", model->algo);
  cJSON_AddStringToObject(json, "policy", model->policy);
  cJSON_AddStringToObject(json, "observation", model->observation);
  cJSON_AddStringToObject(json, "action", model->action);
  cJSON_AddBoolToObject(json, "normalized_observation", model->normalized_observation);
  cJSON_AddNumberToObject(json, "parameters", (double)model->parameters);
  cJSON *layers = cJSON_AddArrayToObject(json, "layers");
  for (int l = 0; l < model->n; l++) {
    cJSON *layer = cJSON_CreateObject();
    cJSON_AddStringToObject(layer, "kind", model->layer[l].kind);
    cJSON_AddNumberToObject(layer, "in", (double)model->layer[l].in);
    cJSON_AddNumberToObject(layer, "out", (double)model->layer[l].out);
    cJSON_AddNumberToObject(layer, "parameters", (double)model->layer[l].parameters);
    cJSON_AddItemToArray(layers, layer);
  }
  return cli_print_json(json);
}

static void print_model(const char *path, const CelModelInfo *model) {
  char count[32];
  printf("model          %s\n", path);
  printf("algorithm      %s, Celsius %s\n", model->algo, model->version);
  printf("observations   %s%s\n", model->observation,
         model->normalized_observation ? ", normalized" : "");
  printf("actions        %s\n", model->action);
  printf("policy         %s, %s parameter%s\n", model->policy, cli_count(count, model->parameters),
         cli_s(model->parameters));
  printf("\n  layer         inputs   outputs   parameters\n");
  for (int l = 0; l < model->n; l++)
    printf("  %-12s  %6lld    %6lld   %10s\n", model->layer[l].kind, (long long)model->layer[l].in,
           (long long)model->layer[l].out, cli_count(count, model->layer[l].parameters));
}

static bool is_folder(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/// `path`: a run folder, a model file or a checkpoint. `which`: NULL or the flag's value.
static CelStatus show_model(const char *path, const char *which, bool json) {
  char file[CEL_PATH_MAX];
  CelModelInfo model;
  CelStatus status = CEL_OK;
  snprintf(file, sizeof file, "%s", path);
  if (is_folder(path)) status = cel_run_model(path, which, file);
  if (status == CEL_OK) status = cel_model_info(file, &model);
  if (status != CEL_OK) return status;
  if (json) return print_model_json(file, &model);
  print_model(file, &model);
  return CEL_OK;
}

// ---- the build

static CelStatus print_json(const CelInfo *info) {
  cJSON *json = cJSON_CreateObject();
  cJSON_AddStringToObject(json, "version", info->version);
  cJSON_AddStringToObject(json, "compiler", info->compiler);
  cJSON_AddStringToObject(json, "isa", info->isa);
  cJSON_AddStringToObject(json, "isa_available", info->isa_available);
  cJSON_AddNumberToObject(json, "cores", info->cores);
  cJSON_AddNumberToObject(json, "memory_total", (double)info->memory_total);
  cJSON_AddNumberToObject(json, "memory_available", (double)info->memory_available);
  cJSON_AddBoolToObject(json, "pictures", info->pictures);
  cJSON_AddBoolToObject(json, "animations", info->animations);
  cJSON_AddBoolToObject(json, "onnx", info->onnx);
  cJSON_AddBoolToObject(json, "zlib", info->zlib);
  cJSON_AddBoolToObject(json, "lzma", info->lzma);
  cJSON_AddBoolToObject(json, "suitesparse", info->suitesparse);
  return cli_print_json(json);
}

static void print_text(const CelInfo *info) {
  const double gib = 1024. * 1024. * 1024.;
  printf("version           %s, built by %s\n", info->version, info->compiler);
  printf("instruction set   %s (this machine can run: %s)\n", info->isa, info->isa_available);
  if (info->isa_note) printf("                  %s\n", info->isa_note);
  printf("cores             %d\n", info->cores);
  printf("memory            %.1f GiB, %.1f GiB available\n", (double)info->memory_total / gib,
         (double)info->memory_available / gib);
  printf("pictures          %s (PNG and SVG, cairo)\n", info->pictures ? "yes" : "no");
  printf("animations        %s (GIF, giflib)\n", info->animations ? "yes" : "no");
  printf("ONNX export       %s (protobuf-c)\n", info->onnx ? "yes" : "no");
  printf("compressed files  %s, %s (gzip, xz: problems in UMB)\n", info->zlib ? "yes" : "no",
         info->lzma ? "yes" : "no");
  printf("sparse solves     %s (direct policy evaluation, SuiteSparse)\n",
         info->suitesparse ? "yes" : "no");
}

static int run(int argc, char **argv) {
  Options options;
  if (cli_has(argc, argv, "plan")) return cli_info_plan(argc, argv);
  CliArgs args;
  CelInfo info;
  cel_fields_default(fields, &options);
  const CliTable tables[] = {{"Flags", "", fields, &options}};
  CelStatus status = cli_parse(&cli_info, argc, argv, tables, 1, &args);
  if (status == CEL_OK && args.help) {
    cli_help_command(&cli_info, tables, 1);
    return CEL_OK;
  }
  if (status == CEL_OK) status = cli_positionals(&cli_info, &args, 0, 1, "");
  if (status == CEL_OK && options.plan) return cli_info_plan(argc, argv); // --plan=true
  const char *which = cli_scan(argc, argv, "which");
  if (status == CEL_OK && which && args.n == 0)
    status = cel_fail(CEL_E_ARGUMENT, "--which needs a run folder: celsius info RUN --which %s",
                      options.which);
  if (status == CEL_OK && args.n == 1) {
    status = show_model(args.positional[0], which ? options.which : NULL, options.json);
  } else if (status == CEL_OK) {
    cel_info(&info);
    if (options.json)
      status = print_json(&info);
    else
      print_text(&info);
  }
  return status == CEL_OK ? CEL_OK : cli_error(status);
}

const CliCommand cli_info = {
    .name = "info",
    .help = "info --help",
    .usage = "celsius info [RUN] [--which MODEL] [--json]\n"
             "       celsius info ALGO --plan [--env ID] [--FIELD VALUE ...] [--json]",
    .doc = "Prints what this build supports and which machine it runs on. Given a run folder or a "
           "model file, it prints the algorithm, spaces and layers. With --plan, it prints the "
           "operations of one update of an algorithm. The environment variable "
           "CELSIUS_ISA (avx512, "
           "avx2 "
           "or portable) chooses the instruction set. Results are bit-identical with all of them.",
    .run = run};
