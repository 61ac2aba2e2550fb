/// celsius env check: tests an environment.
///
/// The checks run in a child process. An environment that crashes or writes past its buffers is
/// therefore one line of the report. The child sends a message through a pipe when a check begins,
/// and the report at the end.
#include "cli.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct Options {
  uint64_t seed;
  int64_t steps;
  bool json;
} Options;

#define F(field) offsetof(Options, field)
// clang-format off
static const CelField fields[] = {
    {.name = "seed", .type = CEL_FIELD_U64, .offset = F(seed), .def = "0",
     .doc = "seed of the episodes and the random actions"},
    {.name = "steps", .type = CEL_FIELD_INT, .offset = F(steps), .def = "1000", .min = 1,
     .max = 1e6, .unit = "steps",
     .doc = "steps per environment in each check"},
    {.name = "json", .type = CEL_FIELD_BOOL, .offset = F(json), .def = "false",
     .doc = "print JSON"},
    {0},
};
// clang-format on

/// A message of the pipe: a check begins, or the report. The pointers to names are valid in the
/// parent too, because a fork keeps the addresses of the library's constants.
typedef struct Message {
  const char *begun; ///< NULL: the report follows
  CelStatus status;
  CelEnvReport report;
  char error[256];
} Message;

typedef struct Child {
  int fd;
  Message message;
} Child;

/// Writes the whole message, or nothing if the parent has ended.
static void send_message(Child *child) {
  const char *at = (const char *)&child->message;
  for (size_t left = sizeof child->message; left > 0;) {
    const ssize_t n = write(child->fd, at, left);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    at += n;
    left -= (size_t)n;
  }
}

static void on_begun(void *user, const char *name) {
  Child *child = user;
  child->message.begun = name;
  send_message(child);
}

static _Noreturn void run_child(int fd, const CelSetup *setup, const Options *options) {
  static Child child;
  CelEnvSpec *spec = NULL;
  child.fd = fd;
  const CelEnvCheckOptions how = {
      .seed = options->seed, .steps = options->steps, .begun = on_begun, .user = &child};
  CelStatus status = cel_setup_env(setup, &spec);
  if (status == CEL_OK) status = cel_env_check(spec, &how, &child.message.report);
  child.message.begun = NULL;
  child.message.status = status;
  if (status != CEL_OK)
    snprintf(child.message.error, sizeof child.message.error, "%s", cel_error());
  send_message(&child);
  _exit(0);
}

static bool read_message(int fd, Message *message) {
  char *at = (char *)message;
  for (size_t left = sizeof *message; left > 0;) {
    const ssize_t n = read(fd, at, left);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    left -= (size_t)n;
  }
  return true;
}

/// Adds a row for the check during which the child ended.
static void add_crash(Message *last, const char *name, int status) {
  CelEnvReport *report = &last->report;
  if (report->n == CEL_ENV_CHECKS_MAX) return;
  CelEnvCheck *row = &report->row[report->n++];
  *row = (CelEnvCheck){.name = name};
  report->failed++;
  const int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  if (number == SIGSEGV || number == SIGBUS)
    snprintf(row->message, sizeof row->message,
             "the environment read or wrote outside of its buffers (%s); each buffer holds one row "
             "per environment",
             strsignal(number));
  else if (number)
    snprintf(row->message, sizeof row->message, "the environment ended the process: %s",
             strsignal(number));
  else
    snprintf(row->message, sizeof row->message,
             "the environment ended the process with exit code %d", WEXITSTATUS(status));
}

static CelStatus run_checks(const CelSetup *setup, const Options *options, Message *last) {
  static Message message;
  const char *running = "open";
  int ends[2], status = 0;
  if (pipe(ends) != 0) return cel_fail(CEL_E_IO, "cannot make a pipe: %s", strerror(errno));
  fflush(NULL);
  const pid_t pid = fork();
  if (pid < 0) {
    close(ends[0]);
    close(ends[1]);
    return cel_fail(CEL_E_MEMORY, "cannot start a process: %s", strerror(errno));
  }
  if (pid == 0) {
    close(ends[0]);
    run_child(ends[1], setup, options);
  }
  close(ends[1]);
  bool done = false;
  while (!done && read_message(ends[0], &message)) {
    *last = message;
    done = !message.begun;
    running = done ? running : message.begun;
  }
  close(ends[0]);
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  if (!done) add_crash(last, running, status);
  if (done && last->status != CEL_OK) return cel_fail(last->status, "%s", last->error);
  return CEL_OK;
}

static CelStatus print_json(const char *id, const CelEnvReport *report) {
  cJSON *json = cJSON_CreateObject(), *rows = cJSON_AddArrayToObject(json, "checks");
  cJSON_AddStringToObject(json, "env", id);
  cJSON_AddBoolToObject(json, "passed", report->failed == 0);
  for (int i = 0; i < report->n; i++) {
    cJSON *row = cJSON_CreateObject();
    cJSON_AddStringToObject(row, "name", report->row[i].name);
    cJSON_AddBoolToObject(row, "passed", report->row[i].passed);
    cJSON_AddStringToObject(row, "message", report->row[i].message);
    cJSON_AddItemToArray(rows, row);
  }
  return cli_print_json(json);
}

static void print_text(const CelEnvReport *report) {
  for (int i = 0; i < report->n; i++) {
    const CelEnvCheck *row = &report->row[i];
    if (row->passed) {
      printf("PASS  %s\n", row->name);
      continue;
    }
    const int used = printf("FAIL  %s: ", row->name);
    cli_wrap(stdout, row->message, used, 6, cli_columns(stdout));
  }
}

static CelStatus check(const char *id, const CelSetup *setup, const Options *options) {
  static Message last;
  CelStatus status = run_checks(setup, options, &last);
  if (status != CEL_OK) return status;
  if (options->json)
    status = print_json(id, &last.report);
  else
    print_text(&last.report);
  if (status == CEL_OK && last.report.failed)
    status = cel_fail(CEL_E_ENV, "%s fails %d of %d checks", id, last.report.failed, last.report.n);
  return status;
}

static int run(int argc, char **argv) {
  Options options;
  CliArgs args;
  CelSetup *setup = NULL;
  const char *id = argc > 1 && strcmp(argv[0], "check") == 0 && argv[1][0] != '-' ? argv[1] : NULL;
  CelStatus status = CEL_OK;
  cel_fields_default(fields, &options);
  if (id) status = cel_setup_create(&setup, cel_algo_at(0)->name, id);
  if (status != CEL_OK) return cli_error(status);
  const CliTable tables[] = {{"Flags", "", fields, &options},
                             {"Environment", "env.", setup ? setup->env_fields : fields,
                              setup ? setup->env_args : &options}};
  const int n_tables = setup ? 2 : 1;
  status = cli_parse(&cli_env, argc, argv, tables, n_tables, &args);
  if (status == CEL_OK && args.help) {
    cli_help_command(&cli_env, tables, n_tables);
    cel_setup_destroy(setup);
    return CEL_OK;
  }
  if (status == CEL_OK)
    status = cli_positionals(&cli_env, &args, 2, 2,
                             args.n ? "the environment after 'env check'" : "the action 'check'");
  if (status == CEL_OK && strcmp(args.positional[0], "check") != 0)
    status = cel_fail(CEL_E_NAME, "unknown action '%s'; usage: `celsius env check ENV`",
                      args.positional[0]);
  if (status == CEL_OK && !id)
    status = cel_fail(CEL_E_ARGUMENT,
                      "flags must come after the environment: `celsius env check ENV [FLAGS]`");
  if (status == CEL_OK) status = check(id, setup, &options);
  cel_setup_destroy(setup);
  return status == CEL_OK ? CEL_OK : cli_error(status);
}

const CliCommand cli_env = {
    .name = "env",
    .help = "env --help",
    .usage = "celsius env check ENV [--env.KEY VALUE] [--steps N] [--json]",
    .doc = "Tests an environment with random actions. The checks: spaces are valid and contain the "
           "observations, rewards are finite, the same seed gives the same episode, environments "
           "of a batch do not influence each other, nothing is read or written outside of the "
           "buffers, and rendering draws a picture. The exit code is 14 if a check fails.",
    .details = "Examples\n"
               "  celsius env check Pendulum-v1\n"
               "  celsius env check ./point.so:Point --env.friction 0.2",
    .run = run};
