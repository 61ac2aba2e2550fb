/// celsius plot: learning curves of runs as a picture.
#include "cli.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct Options {
  char out[CEL_PATH_MAX];
} Options;

#define F(field) offsetof(Options, field)
static const CelField fields[] = {{"out", CEL_FIELD_PATH, F(out), "curve.png", 0, 0, "FILE", NULL,
                                   NULL, "picture to write, .png or .svg", ""},
                                  {0}};
#undef F

/// Folders of runs; a folder of seeds stands for the runs in it.
typedef struct Folders {
  char **path;
  int n, capacity;
} Folders;

static CelStatus add(Folders *folders, const char *path) {
  if (folders->n == folders->capacity) {
    const int capacity = folders->capacity ? 2 * folders->capacity : 16;
    char **grown = realloc(folders->path, (size_t)capacity * sizeof *grown);
    if (!grown) return cel_fail(CEL_E_MEMORY, "no memory for %d runs", capacity);
    folders->path = grown;
    folders->capacity = capacity;
  }
  folders->path[folders->n] = strdup(path);
  if (!folders->path[folders->n]) return cel_fail(CEL_E_MEMORY, "no memory for a path");
  folders->n++;
  return CEL_OK;
}

static bool is_run(const char *folder) {
  char config[CEL_PATH_MAX];
  struct stat info;
  const int n = snprintf(config, sizeof config, "%s/config.yaml", folder);
  return n < (int)sizeof config && stat(config, &info) == 0;
}

/// The seeds of a folder in the order of their names' length, then their names: seed-2 before
/// seed-10.
static int by_name(const void *a, const void *b) {
  const char *x = *(char *const *)a, *y = *(char *const *)b;
  const size_t m = strlen(x), n = strlen(y);
  return m != n ? (m > n) - (m < n) : strcmp(x, y);
}

static CelStatus expand(Folders *folders, const char *folder) {
  DIR *dir = is_run(folder) ? NULL : opendir(folder);
  if (!dir) return add(folders, folder); // a run, or what the library says about it
  const int first = folders->n;
  CelStatus status = CEL_OK;
  for (const struct dirent *entry; status == CEL_OK && (entry = readdir(dir));) {
    char path[CEL_PATH_MAX];
    if (strncmp(entry->d_name, "seed-", 5) != 0) continue;
    const int n = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    if (n < (int)sizeof path && is_run(path)) status = add(folders, path);
  }
  closedir(dir);
  if (status == CEL_OK && folders->n == first) return add(folders, folder);
  qsort(folders->path + first, (size_t)(folders->n - first), sizeof *folders->path, by_name);
  return status;
}

static CelStatus plot(const CliArgs *args, const Options *options) {
  Folders folders = {0};
  CelStatus status = CEL_OK;
  for (int i = 0; i < args->n && status == CEL_OK; i++)
    status = expand(&folders, args->positional[i]);
  if (status == CEL_OK)
    status = cel_plot_runs((const char *const *)folders.path, folders.n, options->out, NULL);
  for (int i = 0; i < folders.n; i++) free(folders.path[i]);
  free(folders.path);
  if (status == CEL_OK) printf("%s\n", options->out);
  return status;
}

static int run(int argc, char **argv) {
  Options options;
  CliArgs args;
  cel_fields_default(fields, &options);
  const CliTable tables[] = {{"Flags", "", fields, &options}};
  CelStatus status = cli_parse(&cli_plot, argc, argv, tables, 1, &args);
  if (status == CEL_OK && args.help) {
    cli_help_command(&cli_plot, tables, 1);
    return CEL_OK;
  }
  if (status == CEL_OK)
    status = cli_positionals(&cli_plot, &args, 1, CLI_POSITIONALS, "the run folder");
  if (status == CEL_OK) status = plot(&args, &options);
  return status == CEL_OK ? CEL_OK : cli_error(status);
}

const CliCommand cli_plot = {
    .name = "plot",
    .usage = "celsius plot RUN... [--out curve.png]",
    .doc = "Draws learning curves as PNG or SVG. Several seeds of one algorithm on one environment "
           "become "
           "one curve: their interquartile mean with a bootstrap band. A folder of seeds stands "
           "for all "
           "the runs in it.",
    .details = "Examples\n"
               "  celsius plot runs/sac-Pendulum-v1-1\n"
               "  celsius plot runs/sac-Pendulum-v1-seeds runs/other --out compare.svg",
    .run = run};
