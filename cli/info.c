/// celsius info: what the build supports, and the machine.
#include "cli.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

void cli_warn_isa(void) {
  CelInfo info;
  if (!getenv("CELSIUS_ISA")) return;
  cel_info(&info);
  if (info.isa_note) cli_note("%s", info.isa_note);
}

typedef struct Options {
  bool json;
} Options;

static const CelField fields[] = {{"json", CEL_FIELD_BOOL, offsetof(Options, json), "false", 0, 0,
                                   "", NULL, NULL, "print JSON", ""},
                                  {0}};

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
  cJSON_AddBoolToObject(json, "suitesparse", info->suitesparse);
  char *text = cJSON_Print(json);
  cJSON_Delete(json);
  if (!text) return cel_fail(CEL_E_MEMORY, "not enough memory for the result");
  puts(text);
  free(text);
  return CEL_OK;
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
  printf("sparse solves     %s (direct policy evaluation, SuiteSparse)\n",
         info->suitesparse ? "yes" : "no");
}

static int run(int argc, char **argv) {
  Options options;
  CliArgs args;
  CelInfo info;
  cel_fields_default(fields, &options);
  const CliTable tables[] = {{"Flags", "", fields, &options}};
  CelStatus status = cli_parse(&cli_info, argc, argv, tables, 1, &args);
  if (status == CEL_OK && args.help) {
    cli_help_command(&cli_info, tables, 1);
    return CEL_OK;
  }
  if (status == CEL_OK) status = cli_positionals(&cli_info, &args, 0, 0, "");
  if (status == CEL_OK) {
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
    .usage = "celsius info [--json]",
    .doc = "Prints what this build supports and which machine it runs on. The environment variable "
           "CELSIUS_ISA (avx512, avx2 or portable) chooses the instruction set. Results are "
           "bit-identical with all of them.",
    .run = run};
