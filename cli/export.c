/// celsius export: writes a trained policy for other programs.
#include "cli.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

typedef struct Options {
  char format[CEL_TEXT_MAX], name[CEL_TEXT_MAX], out[CEL_PATH_MAX], which[CEL_PATH_MAX];
} Options;

#define F(field) offsetof(Options, field)
// clang-format off
static const CelField fields[] = {
    {.name = "out", .type = CEL_FIELD_PATH, .offset = F(out), .def = "", .unit = "FILE",
     .doc = "file to write; the format c writes FILE.h and FILE.c"},
    {.name = "format", .type = CEL_FIELD_STRING, .offset = F(format), .def = "auto",
     .unit = "FORMAT",
     .doc = "one of the formats below; auto: from the ending of --out, or c if it has none"},
    {.name = "name", .type = CEL_FIELD_STRING, .offset = F(name), .def = "", .unit = "NAME",
     .doc = "prefix of the C functions, or name of the ONNX graph; empty: from the file's name"},
    {.name = "which", .type = CEL_FIELD_PATH, .offset = F(which), .def = "best", .unit = "MODEL",
     .doc = "the model: best, final, or the path of a model or checkpoint"},
    {0},
};
// clang-format on
#undef F

static void print_formats(void) {
  printf("\nFormats\n");
  for (int i = 0; cel_export_format(i); i++) {
    const CelExportFormat *format = cel_export_format(i);
    printf("  %-12s  ", format->name);
    cli_wrap(stdout, format->doc, 16, 16, cli_columns(stdout));
    if (!format->available) printf("%16s(not supported by this build)\n", "");
  }
}

/// The ending of the file's name with its dot; "" if it has none.
static const char *ending_of(const char *path) {
  const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
  const char *dot = strrchr(base, '.');
  return dot && dot != base && dot[1] ? dot : "";
}

/// The format with this ending; .h counts as C. NULL if no format has it.
static const CelExportFormat *format_of_ending(const char *ending) {
  for (int i = 0; cel_export_format(i); i++) {
    const CelExportFormat *format = cel_export_format(i);
    if (strcasecmp(format->extension, ending) == 0) return format;
    if (strcmp(format->name, "c") == 0 && strcasecmp(ending, ".h") == 0) return format;
  }
  return NULL;
}

/// Resolves --format auto. An ending that belongs to another format than --format is an error.
static CelStatus choose_format(Options *options) {
  const char *ending = ending_of(options->out);
  const CelExportFormat *named = format_of_ending(ending);
  if (strcmp(options->format, "auto") != 0) {
    if (!named || strcmp(named->name, options->format) == 0) return CEL_OK;
    return cel_fail(CEL_E_ARGUMENT,
                    "--out %s ends in %s, but --format is %s; change one of them or leave --format "
                    "out",
                    options->out, ending, options->format);
  }
  if (!named && ending[0])
    return cel_fail(CEL_E_ARGUMENT,
                    "--out %s: no format has the extension %s; use .onnx, .safetensors, .c or "
                    "no extension, or give --format",
                    options->out, ending);
  snprintf(options->format, sizeof options->format, "%s", named ? named->name : "c");
  return CEL_OK;
}

/// Prints the files that were written, one per line. C is a header and a source.
static void print_written(const Options *options) {
  const char *ending = ending_of(options->out);
  if (strcmp(options->format, "c") != 0) {
    printf("%s\n", options->out);
    return;
  }
  const bool ends = strcmp(ending, ".c") == 0 || strcmp(ending, ".h") == 0;
  const int base = (int)(strlen(options->out) - (ends ? strlen(ending) : 0));
  printf("%.*s.h\n%.*s.c\n", base, options->out, base, options->out);
}

/// Exports a model. A run in progress deletes its older checkpoints. If the chosen one disappears
/// before it is read, another one is chosen.
static CelStatus export_model(const char *folder, const char *which, const Options *options) {
  enum { TRIES = 100 };
  CelStatus status = CEL_OK;
  for (int i = 0; i < TRIES; i++) {
    char model[CEL_PATH_MAX];
    status = cel_run_model(folder, which, model);
    if (status != CEL_OK) return status;
    status =
        cel_export(model, options->format, options->out, options->name[0] ? options->name : NULL);
    if (status != CEL_E_IO || which || access(model, F_OK) == 0) return status;
  }
  return status;
}

static int run(int argc, char **argv) {
  Options options;
  CliArgs args;
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
    status = cel_fail(CEL_E_ARGUMENT, "--out is missing; give the file to write: --out FILE");
  if (status == CEL_OK) status = choose_format(&options);
  // Without --which: the best model, or the last checkpoint if a run has no model yet.
  const char *which = cli_scan(argc, argv, "which") ? options.which : NULL;
  if (status == CEL_OK && strcmp(options.format, "c") != 0) // C writes two other names
    status = cli_check_output("--out", options.out, "", NULL);
  if (status == CEL_OK) status = export_model(args.positional[0], which, &options);
  if (status == CEL_OK) print_written(&options);
  return status == CEL_OK ? CEL_OK : cli_error(status);
}

const CliCommand cli_export = {
    .name = "export",
    .help = "export --help",
    .usage = "celsius export RUN --out FILE [--format FORMAT]",
    .doc = "Writes a trained policy for use in other programs. The file includes observation "
           "normalization and action scaling.",
    .details = "Examples\n"
               "  celsius export runs/sac-Pendulum-v1-1 --out pendulum\n"
               "  celsius export runs/sac-Pendulum-v1-1 --out pendulum.onnx",
    .run = run};
