/// celsius: finds the named command and runs it. Every command has a file of its own.
#include "cli.h"

#include <signal.h>
#include <string.h>

static const CliCommand *const commands[] = {&cli_train, &cli_sweep,   &cli_eval,   &cli_plot,
                                             &cli_solve, &cli_certify, &cli_verify, &cli_list,
                                             &cli_env,   &cli_export,  &cli_info};

enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

const CliCommand *cli_command_at(int i) {
  return i >= 0 && i < N_COMMANDS ? commands[i] : NULL;
}

static const CliCommand *find(const char *name) {
  for (int i = 0; i < N_COMMANDS; i++)
    if (strcmp(name, commands[i]->name) == 0) return commands[i];
  return NULL;
}

/// Reports the nearest command. The search takes a field table, so the names become one.
static int unknown_command(const char *name) {
  CelField table[N_COMMANDS + 1] = {0};
  for (int i = 0; i < N_COMMANDS; i++) table[i].name = commands[i]->name;
  const char *nearest = cel_fields_nearest(table, name);
  if (nearest)
    return cli_error(
        cel_fail(CEL_E_NAME, "unknown command '%s'; did you mean '%s'?", name, nearest));
  return cli_error(
      cel_fail(CEL_E_NAME, "unknown command '%s'; `celsius --help` lists all commands", name));
}

static int help(const char *name) {
  const CliCommand *command = name ? find(name) : NULL;
  if (command) return command->run(1, (char *[]){"--help"});
  if (name) return unknown_command(name);
  cli_help();
  return CEL_OK;
}

static int find_and_run(int argc, char **argv) {
  const char *name = argv[1];
  if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
    return help(argc > 2 ? argv[2] : NULL);
  if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
    printf("celsius %s\n", cel_version());
    return CEL_OK;
  }
  const CliCommand *command = find(name);
  if (!command) return unknown_command(name);
  if (command != &cli_info) cli_warn_isa(); // info prints the note itself
  return command->run(argc - 2, argv + 2);
}

int main(int argc, char **argv) {
  signal(SIGXFSZ, SIG_IGN); // exceeding the file size limit is then an error like any other
  const CelStatus allowed = cli_take_allow_plugins(&argc, argv);
  if (allowed != CEL_OK) return cli_error(allowed);
  if (argc < 2) {
    cli_help();
    return cli_error(
        cel_fail(CEL_E_ARGUMENT, "no command given; usage: celsius COMMAND [ARGUMENTS]"));
  }
  const int code = find_and_run(argc, argv);
  const CelStatus flushed = cli_flush();
  return code == CEL_OK && flushed != CEL_OK ? cli_error(flushed) : code;
}
