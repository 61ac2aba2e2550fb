/// celsius plot: draws learning curves of runs.
#include "cli.h"

#include "celsius/plot.h"

typedef struct Options {
  char out[CEL_PATH_MAX];
} Options;

// clang-format off
static const CelField fields[] = {
    {.name = "out", .type = CEL_FIELD_PATH, .offset = offsetof(Options, out), .def = "curve.png",
     .unit = "FILE",
     .doc = "picture to write, .png or .svg"},
    {0},
};
// clang-format on

static void on_note(void *user, const char *text) {
  (void)user;
  cli_note("%s", text);
}

static int run(int argc, char **argv) {
  Options options;
  CelPlotOptions how = cel_plot_options_default();
  CliArgs args;
  how.note = on_note;
  cel_fields_default(fields, &options);
  const CliTable tables[] = {{"Flags", "", fields, &options},
                             {"The picture", "", cel_plot_fields(), &how}};
  CelStatus status = cli_parse(&cli_plot, argc, argv, tables, 2, &args);
  if (status == CEL_OK && args.help) {
    cli_help_command(&cli_plot, tables, 2);
    return CEL_OK;
  }
  if (status == CEL_OK)
    status = cli_positionals(&cli_plot, &args, 1, CLI_POSITIONALS, "the run folder");
  if (status == CEL_OK) status = cli_check_output("--out", options.out, "a picture", "png|svg");
  if (status == CEL_OK) status = cel_plot_runs(args.positional, args.n, options.out, &how);
  if (status == CEL_OK) printf("%s\n", options.out);
  return status == CEL_OK ? CEL_OK : cli_error(status);
}

const CliCommand cli_plot = {
    .name = "plot",
    .help = "plot --help",
    .usage = "celsius plot RUN... [--out curve.png]",
    .doc = "Draws learning curves as PNG or SVG. Runs that differ only in their seed become one "
           "curve: their interquartile mean with a bootstrap confidence band. A folder of runs "
           "stands for all runs in it. A run that is given twice counts once.",
    .details = "Examples\n"
               "  celsius plot runs/sac-Pendulum-v1-1\n"
               "  celsius plot runs/sac-Pendulum-v1-seeds runs/other --out compare.svg\n"
               "  celsius plot runs/sac-Pendulum-v1-1 --key train/critic_loss,train/ent_coef",
    .run = run};
