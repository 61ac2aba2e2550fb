/// celsius export: a trained policy for elsewhere.
#include "cli.h"

#include <string.h>

typedef struct Options {
  int32_t format;
  char out[CEL_PATH_MAX], which[CEL_PATH_MAX];
} Options;

static const char *const formats[] = {"c", "onnx", "safetensors"};

#define F(field) offsetof(Options, field)
static const CelField fields[] = {
    {"format", CEL_FIELD_ENUM, F(format), "c", 0, 0, "", "c|onnx|safetensors", NULL,
     "c: plain C99 without allocation; onnx; safetensors: the model file", ""},
    {"out", CEL_FIELD_PATH, F(out), "", 0, 0, "", NULL, NULL,
     "file to write; for c, OUT.h and OUT.c", ""},
    {"which", CEL_FIELD_PATH, F(which), "best", 0, 0, "", NULL, NULL,
     "the model: best, final, or the path of a model", ""},
    {0}};
#undef F

static int run(int argc, char **argv) {
  Options options;
  CliArgs args;
  char model[CEL_PATH_MAX];
  cel_fields_default(fields, &options);
  const CliTable tables[] = {{"Flags", "", fields, &options}};
  CelStatus status = cli_parse(&cli_export, argc, argv, tables, 1, &args);
  if (status == CEL_OK && args.help) {
    cli_help_command(&cli_export, tables, 1);
    return CEL_OK;
  }
  if (status == CEL_OK) status = cli_positionals(&cli_export, &args, 1, 1, "the run folder");
  if (status == CEL_OK && !options.out[0])
    status = cel_fail(CEL_E_ARGUMENT, "where to? --out PATH is missing");
  if (status == CEL_OK) status = cel_run_model(args.positional[0], options.which, model);
  if (status == CEL_OK) status = cel_export(model, formats[options.format], options.out, NULL);
  return status == CEL_OK ? CEL_OK : cli_error(status);
}

const CliCommand cli_export = {
    .name = "export",
    .usage = "celsius export RUN --out PATH [--format c|onnx|safetensors]",
    .doc = "Writes a trained policy in a form that other programs run. Normaliser and action scaling are "
           "inside.",
    .details = "Examples\n"
               "  celsius export runs/sac-Pendulum-v1-1 --format c --out pendulum\n"
               "  celsius export runs/sac-Pendulum-v1-1 --format onnx --out pendulum.onnx",
    .run = run};
