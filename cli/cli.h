/// Declarations shared by the files of the command: flags, help, messages, output files, progress.
#ifndef CLI_H
#define CLI_H
#include "celsius/celsius.h"
#include <stdio.h>

struct cJSON;

/// A table of flags and the struct that they set.
typedef struct CliTable {
  const char *title;  ///< heading in the help
  const char *prefix; ///< in front of every flag's name: "" or "env."
  const CelField *table;
  void *config; ///< the struct behind `table`; the help does not read it
} CliTable;

/// A subcommand.
typedef struct CliCommand {
  const char *name;    ///< "train"
  const char *help;    ///< arguments that print all of its flags: "train --help"
  const char *usage;   ///< lines after "Usage: "
  const char *doc;     ///< one or two paragraphs; the list of commands shows the first sentence
  const char *details; ///< printed after the flags, as it is; NULL: nothing
  int (*run)(int argc, char **argv); ///< arguments after the name; returns the exit code
} CliCommand;

extern const CliCommand cli_train, cli_sweep, cli_eval, cli_plot, cli_solve, cli_certify,
    cli_verify, cli_list, cli_env, cli_export, cli_info;
/// celsius info ALGO --plan (info_plan.c).
int cli_info_plan(int argc, char **argv);
/// Command i; NULL past the end.
const CliCommand *cli_command_at(int i);

#define CLI_POSITIONALS 1024

/// The arguments that are not flags.
typedef struct CliArgs {
  bool help; ///< --help or -h was given
  int n;     ///< positional arguments
  const char *positional[CLI_POSITIONALS];
} CliArgs;

// ---- args.c
/// Parses "--name value", "--name=value" and "--switch" into the structs of the tables.
/// Errors: CEL_E_NAME (unknown flag; names the nearest), CEL_E_TYPE, CEL_E_RANGE, CEL_E_ARGUMENT
/// (a repeated flag, a missing value).
CelStatus cli_parse(const CliCommand *command, int argc, char **argv, const CliTable *tables,
                    int n_tables, CliArgs *args) CEL_WARN_UNUSED;
/// Finds "--name value" or "--name=value" without any table. '-' and '_' are equal. NULL when the
/// flag is absent.
const char *cli_scan(int argc, char **argv, const char *name);
/// True if "--name" is given without "=value". For the name "help", "-h" counts too.
bool cli_has(int argc, char **argv, const char *name);
/// Checks that there are `least` to `most` positional arguments. `what` names the missing argument
/// in the message. Errors: CEL_E_ARGUMENT.
CelStatus cli_positionals(const CliCommand *command, const CliArgs *args, int least, int most,
                          const char *what) CEL_WARN_UNUSED;
/// Copies the rows of `from` whose names are not in `except` (only its names are read). At most
/// size - 1 rows fit; a row without a name ends the copy.
void cli_fields_except(CelField *out, int size, const CelField *from, const CelField *except);
/// Prints a note that a flag was given by its old name.
void cli_renamed(const char *old, const char *name);
/// Sets *value and prints a note if the old name of a flag was given.
void cli_renamed_flag(bool given, const char *old, const char *name, bool *value);
/// Removes --allow-plugins, which every command takes, from the arguments and applies it.
CelStatus cli_take_allow_plugins(int *argc, char **argv) CEL_WARN_UNUSED;

// ---- help.c
void cli_help_command(const CliCommand *command, const CliTable *tables, int n_tables);
void cli_help(void);
#define CLI_COLUMNS_LEAST 24
/// Columns of a stream's terminal, limited to CLI_COLUMNS_LEAST..100; 80 if it is not a terminal.
int cli_columns(FILE *stream);
/// Prints text wrapped to `columns` and ends the line. Later lines are indented by `indent`.
/// `used` columns of the first line are taken already.
void cli_wrap(FILE *stream, const char *text, int used, int indent, int columns);
/// Writes what a field's value looks like: "N", "X|auto", "relu|tanh".
void cli_field_takes(const CelField *field, char *text, size_t size);
/// Writes the default as text. Without a default text it is zero or empty: "false", "0", "[]", "".
void cli_field_default(const CelField *field, char *text, size_t size);
/// True for a switch that is on by default, whatever the spelling ("true", "yes", "1").
bool cli_field_is_on(const CelField *field);
/// Writes the range: "1 to 100" or "at least 1"; "" if there is none worth showing.
void cli_field_range(const CelField *field, char *text, size_t size);

// ---- message.c
/// Prints "celsius: error: " and the library's message, and returns the exit code. A run that was
/// stopped on request is not an error, so its message has no "error: ".
int cli_error(CelStatus status);
/// Prints "celsius: ..." on the error stream.
void cli_note(const char *format, ...) CEL_PRINTF(1, 2);
/// Sets the text before every message of this process ("seed 3: "). NULL: none.
void cli_message_prefix(const char *prefix);
/// Flushes standard output. Errors: CEL_E_IO, such as a full disk.
CelStatus cli_flush(void) CEL_WARN_UNUSED;
/// "1,234,567".
const char *cli_count(char text[32], int64_t n);
/// The plural ending of a noun after a count: "" for 1, else "s".
static inline const char *cli_s(int64_t n) {
  return n == 1 ? "" : "s";
}
/// "0:07", "1:02:03".
const char *cli_duration(char text[32], double seconds);

// ---- output.c
/// Checks the name of an output file before any work is done. An empty name passes.
/// `endings`: "png|svg"; "|csv" also allows a name without an ending; NULL allows any.
/// `what` names the contents in the message: "a picture".
/// Errors: CEL_E_ARGUMENT (wrong ending), CEL_E_IO (a folder, or not writable).
CelStatus cli_check_output(const char *flag, const char *path, const char *what,
                           const char *endings) CEL_WARN_UNUSED;
/// Prints a JSON tree and frees it. Errors: CEL_E_MEMORY.
CelStatus cli_print_json(struct cJSON *json) CEL_WARN_UNUSED;
/// A text file that is written completely or not at all: print to `stream`, then close.
typedef struct CliFile {
  FILE *stream;
  CelFile *file;
  bool failed; ///< a write failed; cel_error has the message
} CliFile;
/// Opens a file. On an error there is nothing to close. Do not move `file` until it is closed.
CelStatus cli_file_open(CliFile *file, const char *path) CEL_WARN_UNUSED;
/// Keeps the file if `status` is CEL_OK and every write succeeded; removes it otherwise. Returns
/// `status`, or the error of a write.
CelStatus cli_file_close(CliFile *file, CelStatus status) CEL_WARN_UNUSED;
#define CLI_QUOTE_MAX (4 * CEL_PATH_MAX + 8) ///< room for any path by cel_shell_quote

// ---- signals.c
/// SIGINT, SIGTERM and SIGHUP request a stop, unless they were ignored before. A second one ends
/// the process at once. SIGUSR1 only requests a stop, however often it comes. A parent sends it to
/// children that may have received the first signal already.
void cli_signals_install(void);
bool cli_stop_asked(void);

// ---- progress.c
/// Progress on the error stream: a bar on a terminal, otherwise a line now and then.
typedef struct CliBar {
  const char *label; ///< text before the bar, or NULL
  bool quiet, terminal, utf8, drawn;
  double shown; ///< seconds since the start when the bar was last drawn
  int tenth;    ///< tenths of the run at the last line
} CliBar;
typedef struct CliProgress {
  double fraction, seconds; ///< fraction done, in [0, 1]; elapsed time
  const char *text, *brief; ///< text beside the bar; the shorter one for narrow terminals
} CliProgress;
#define CLI_BAR_AFTER 0.3 ///< seconds; shorter work shows no bar (training always does)
/// Seconds on the monotonic clock. Only this function reads it.
double cli_seconds(void);
CliBar cli_bar(bool quiet);
void cli_bar_draw(CliBar *bar, const CliProgress *progress);
void cli_bar_show(CliBar *bar, const CelProgress *progress);
/// Removes the bar so that a line can be printed.
void cli_bar_clear(CliBar *bar);

// ---- wait.c
/// A line for work of unknown length. It appears after half a second on a terminal, otherwise after
/// two. `what` must stay valid until cli_wait_end. NULL when quiet.
typedef struct CliWait CliWait;
CliWait *cli_wait_begin(const char *what, bool quiet);
/// Removes the line. Takes NULL.
void cli_wait_end(CliWait *wait);

// ---- info.c
/// Prints a note if the instruction set that CELSIUS_ISA names cannot be used.
void cli_warn_isa(void);

// ---- train.c
/// Reads the arguments of `celsius train` for a new run into a setup, which the caller destroys.
/// --resume, --seeds, --jobs, --overwrite, --guarantee, --json and --quiet do not change it.
CelStatus cli_train_setup(int argc, char **argv, CelSetup **setup) CEL_WARN_UNUSED;

// ---- seeds.c
/// Parses "1..5", "1,2,7" or "1..3,9". The caller frees *seeds. Errors: CEL_E_TYPE, CEL_E_RANGE,
/// CEL_E_ARGUMENT (a repeated seed).
CelStatus cli_seeds_parse(const char *text, uint64_t **seeds, int *n) CEL_WARN_UNUSED;
/// Options of training with several seeds.
typedef struct CliSeeds {
  int jobs;               ///< runs at the same time
  int64_t steps, threads; ///< only when resuming; 0: those of each run
  bool overwrite, json, quiet;
} CliSeeds;
/// Trains one run per seed, each in a process of its own, in folders seed-K of one folder, and
/// prints a summary. Every folder gets its config.yaml first, so that cli_seeds_resume finds the
/// runs that have not started. Returns the exit code.
int cli_seeds_run(const CelSetup *setup, const uint64_t *seeds, int n, const CliSeeds *options);
/// True if a folder holds runs seed-K and is not a run itself.
bool cli_seeds_folder(const char *folder);
/// Resumes all runs of such a folder. Returns the exit code.
int cli_seeds_resume(const char *folder, const CliSeeds *options);

#endif
