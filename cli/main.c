/// celsius: one command a file; this one finds it.
#include "cli.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const CliCommand *const commands[] = {&cli_train,   &cli_eval,   &cli_plot, &cli_solve,
                                             &cli_certify, &cli_verify, &cli_list, &cli_env,
                                             &cli_export,  &cli_info};

enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

const CliCommand *cli_command_at(int i) {
  return i >= 0 && i < N_COMMANDS ? commands[i] : NULL;
}

/// Names the nearest command, by way of a field table that has them as its names.
static int unknown_command(const char *name) {
  CelField table[N_COMMANDS + 1] = {0};
  for (int i = 0; i < N_COMMANDS; i++) table[i].name = commands[i]->name;
  const char *nearest = cel_fields_nearest(table, name);
  if (nearest)
    return cli_error(cel_fail(CEL_E_NAME, "no command '%s': did you mean '%s'?", name, nearest));
  return cli_error(cel_fail(CEL_E_NAME, "no command '%s'; `celsius --help` shows all", name));
}

/// A wish for an instruction set that cannot be followed is told, whatever the command.
static void tell_isa(const CliCommand *command) {
  CelInfo info;
  if (!getenv("CELSIUS_ISA") || command == &cli_info) return; // info says it itself
  cel_info(&info);
  if (info.isa_note) cli_note("%s", info.isa_note);
}

static int find_and_run(int argc, char **argv) {
  const char *name = argv[1];
  if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
    for (int i = 0; argc > 2 && i < N_COMMANDS; i++)
      if (strcmp(argv[2], commands[i]->name) == 0) return commands[i]->run(1, (char *[]){"--help"});
    if (argc > 2) return unknown_command(argv[2]);
    cli_help();
    return CEL_OK;
  }
  if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
    printf("celsius %s\n", cel_version());
    return CEL_OK;
  }
  for (int i = 0; i < N_COMMANDS; i++) {
    if (strcmp(name, commands[i]->name) != 0) continue;
    tell_isa(commands[i]);
    return commands[i]->run(argc - 2, argv + 2);
  }
  return unknown_command(name);
}

/// Takes --allow-plugins, which every command has, out of the arguments.
static CelStatus take_allow_plugins(int *argc, char **argv) {
  CelStatus status = CEL_OK;
  int n = 1;
  for (int i = 1; i < *argc; i++) {
    if (strcmp(argv[i], "--allow-plugins") == 0)
      status = cel_plugin_allow("/");
    else
      argv[n++] = argv[i];
  }
  argv[n] = NULL;
  *argc = n;
  return status;
}

int main(int argc, char **argv) {
  signal(SIGXFSZ, SIG_IGN); // a file beyond the limit is an error to tell of, not an end
  const CelStatus allowed = take_allow_plugins(&argc, argv);
  if (allowed != CEL_OK) return cli_error(allowed);
  if (argc < 2) {
    cli_help();
    return cli_error(cel_fail(CEL_E_ARGUMENT, "which command?"));
  }
  const int code = find_and_run(argc, argv);
  const CelStatus flushed = cli_flush();
  return code == CEL_OK && flushed != CEL_OK ? cli_error(flushed) : code;
}
