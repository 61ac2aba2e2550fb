/// celsius export: a trained policy for elsewhere.
#include "cli.h"

#include <string.h>

typedef struct Options {
  char format[CEL_TEXT_MAX], name[CEL_TEXT_MAX], out[CEL_PATH_MAX], which[CEL_PATH_MAX];
} Options;

#define F(field) offsetof(Options, field)
static const CelField fields[] = {
    {"out", CEL_FIELD_PATH, F(out), "", 0, 0, "FILE", NULL, NULL,
     "file to write; with c, OUT.h and OUT.c", ""},
    {"format", CEL_FIELD_STRING, F(format), "c", 0, 0, "FORMAT", NULL, NULL,
     "one of the formats below", ""},
    {"name", CEL_FIELD_STRING, F(name), "", 0, 0, "NAME", NULL, NULL,
     "prefix of the functions in C, the graph's name in ONNX; when not given: from the file's name",
     ""},
    {"which", CEL_FIELD_PATH, F(which), "best", 0, 0, "MODEL", NULL, NULL,
     "the model: best, final, or the path of a model or checkpoint", ""},
    {0}};
#undef F

static void print_formats(void) {
  printf("\nFormats\n");
  for (int i = 0; cel_export_format(i); i++) {
    const CelExportFormat *format = cel_export_format(i);
    printf("  %-12s  ", format->name);
    cli_wrap(stdout, format->doc, 16, 16, cli_columns(stdout));
    if (!format->available) printf("%16s(not in this build)\n", "");
  }
}

/// Tells what was written, one path a line; C is a header and a source, with or without their
/// endings in `out`.
static void print_written(const Options *options) {
  const size_t n = strlen(options->out);
  if (strcmp(options->format, "c") != 0) {
    printf("%s\n", options->out);
    return;
  }
  const bool ends =
      n > 2 && (strcmp(options->out + n - 2, ".c") == 0 || strcmp(options->out + n - 2, ".h") == 0);
  const int base = (int)(ends ? n - 2 : n);
  printf("%.*s.h\n%.*s.c\n", base, options->out, base, options->out);
}

static int run(int argc, char **argv) {
  Options options;
  CliArgs args;
  char model[CEL_PATH_MAX];
  cel_fields_default(fields, &options);
  const CliTable tables[] = {{"Flags", "", fields, &options}};
  CelStatus status = cli_parse(&cli_export, argc, argv, tables, 1, &args);
  if (status == CEL_OK && args.help) {
    cli_help_command(&cli_export, tables, 1);
    print_formats();
    return CEL_OK;
  }
  if (status == CEL_OK) status = cli_positionals(&cli_export, &args, 1, 1, "the run folder");
  if (status == CEL_OK && !options.out[0])
    status = cel_fail(CEL_E_ARGUMENT, "where to? --out PATH is missing");
  // Without --which: the best there is, be it the checkpoint of a run that goes on.
  const char *which = cli_scan(argc, argv, "which") ? options.which : NULL;
  if (status == CEL_OK) status = cel_run_model(args.positional[0], which, model);
  if (status == CEL_OK)
    status = cel_export(model, options.format, options.out, options.name[0] ? options.name : NULL);
  if (status == CEL_OK) print_written(&options);
  return status == CEL_OK ? CEL_OK : cli_error(status);
}

const CliCommand cli_export = {
    .name = "export",
    .help = "export --help",
    .usage = "celsius export RUN --out PATH [--format FORMAT]",
    .doc = "Writes a trained policy in a form that other programs run. Normaliser and action "
           "scaling are "
           "inside.",
    .details = "Examples\n"
               "  celsius export runs/sac-Pendulum-v1-1 --format c --out pendulum\n"
               "  celsius export runs/sac-Pendulum-v1-1 --format onnx --out pendulum.onnx",
    .run = run};
