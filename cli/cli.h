/// What the files of the command share: arguments by field table, help, messages, signals, the bar.
#ifndef CLI_H
#define CLI_H
#include "celsius/celsius.h"
#include <stdio.h>

/// A table of flags and the struct behind it.
typedef struct CliTable {
  const char *title;  ///< heading in the help
  const char *prefix; ///< "" or "env."
  const CelField *table;
  void *config;
} CliTable;

/// What a command takes.
typedef struct CliCommand {
  const char *name;    ///< "train"
  const char *help;    ///< "train --help", what shows all its flags
  const char *usage;   ///< lines after "Usage: "
  const char *doc;     ///< a paragraph or two
  const char *details; ///< after the flags; NULL: nothing
  int (*run)(int argc, char **argv);
} CliCommand;

extern const CliCommand cli_train, cli_eval, cli_plot, cli_solve, cli_certify, cli_verify, cli_list,
    cli_env, cli_export, cli_info;
/// Command i, NULL past the end.
const CliCommand *cli_command_at(int i);

#define CLI_POSITIONALS 1024

/// What parsing leaves besides the structs it filled.
typedef struct CliArgs {
  bool help;
  int n; ///< positional arguments
  const char *positional[CLI_POSITIONALS];
} CliArgs;

// ---- args.c
/// Parses "--name value", "--name=value", "--bool" into the tables. Errors: CEL_E_NAME (the nearest
/// flag), CEL_E_TYPE, CEL_E_RANGE, CEL_E_ARGUMENT (a flag twice, a missing value).
CelStatus cli_parse(const CliCommand *command, int argc, char **argv, const CliTable *tables,
                    int n_tables, CliArgs *args) CEL_WARN_UNUSED;
/// The value of "--name value" or "--name=value" before anything else is known; NULL when it is not
/// there.
const char *cli_scan(int argc, char **argv, const char *name);
/// True for "--name" alone, or "-h" when the name is "help".
bool cli_has(int argc, char **argv, const char *name);
/// CEL_E_ARGUMENT when there are not at least `least` and at most `most` positional arguments, told
/// as `what`.
CelStatus cli_positionals(const CliCommand *command, const CliArgs *args, int least, int most,
                          const char *what) CEL_WARN_UNUSED;

// ---- help.c
void cli_help_command(const CliCommand *command, const CliTable *tables, int n_tables);
void cli_help(void);
#define CLI_COLUMNS_LEAST 24
/// Columns of the terminal behind a stream, between CLI_COLUMNS_LEAST and 100; 80 when it is none.
int cli_columns(FILE *stream);
/// Prints text wrapped to `columns`, every line after the first indented; `used` columns are taken
/// on the first.
void cli_wrap(FILE *stream, const char *text, int used, int indent, int columns);
/// "N", "X|auto", "relu|tanh": what a field takes.
void cli_field_takes(const CelField *field, char *text, size_t size);
/// The default as text. A field without one starts at zero or empty: "false", "0", "[]", "".
void cli_field_default(const CelField *field, char *text, size_t size);
/// True for a switch whose default is on, however the table spells that ("true", "yes", "1").
bool cli_field_is_on(const CelField *field);
/// "1 to 100 steps": its range and unit; "" when there is nothing to say.
void cli_field_range(const CelField *field, char *text, size_t size);

// ---- message.c
/// Prints "celsius: error: ..." with the library's message ("celsius: ..." where a run was stopped on
/// request); returns the exit code.
int cli_error(CelStatus status);
/// Prints "celsius: ...".
void cli_note(const char *format, ...) CEL_PRINTF(1, 2);
/// Put in front of every message of this process ("seed 3: "); NULL: nothing.
void cli_message_prefix(const char *prefix);
/// Flushes the results; a full disk is an error like any other.
CelStatus cli_flush(void) CEL_WARN_UNUSED;
/// "1,234,567".
const char *cli_count(char text[32], int64_t n);
/// The end of a noun after a count: "" for 1, else "s".
static inline const char *cli_s(int64_t n) {
  return n == 1 ? "" : "s";
}
/// "0:07", "1:02:03".
const char *cli_duration(char text[32], double seconds);

// ---- output.c
/// Checks an output file before any work is done; "" is no file and passes. `endings` is "png|svg",
/// "|csv" where a name may have none, NULL for any; `what` is what is written: "a picture". Errors: CEL_E_ARGUMENT (another ending),
/// CEL_E_IO (a folder, or nothing can be written there).
CelStatus cli_check_output(const char *flag, const char *path, const char *what,
                           const char *endings) CEL_WARN_UNUSED;
/// A text file that is written whole or not at all: print to `stream`, then close.
typedef struct CliFile {
  FILE *stream;
  CelFile *file;
  bool failed; ///< a write failed; cel_error tells why
} CliFile;
/// Opens; on an error nothing is held. `file` must not be moved until it is closed.
CelStatus cli_file_open(CliFile *file, const char *path) CEL_WARN_UNUSED;
/// Puts the file in its place if `status` is CEL_OK, removes it otherwise. Returns `status` or its own
/// error.
CelStatus cli_file_close(CliFile *file, CelStatus status) CEL_WARN_UNUSED;
#define CLI_QUOTE_MAX (4 * CEL_PATH_MAX + 8) ///< room for any path by cel_shell_quote

// ---- signals.c
/// SIGINT and SIGTERM ask to stop, unless they were ignored before; a second one ends at once. SIGUSR1 asks too, however often it comes: it is how a
/// parent passes the request on to children that may have had it themselves.
void cli_signals_install(void);
bool cli_stop_asked(void);

// ---- progress.c
/// A bar on a terminal, otherwise a line now and then; all of it on the error stream.
typedef struct CliBar {
  const char *label; ///< in front, or NULL
  bool quiet, terminal, utf8, drawn;
  double shown; ///< seconds of the run when it was last drawn
  int tenth;    ///< tenths of the run that were told
} CliBar;
/// How far something has come, in words too.
typedef struct CliProgress {
  double share, seconds;    ///< done, in [0, 1]; passed
  const char *text, *brief; ///< what stands beside the bar; brief: where there is less room
} CliProgress;
#define CLI_BAR_AFTER 0.3 ///< seconds: shorter work shows no bar, except for training
CliBar cli_bar(bool quiet);
void cli_bar_draw(CliBar *bar, const CliProgress *progress);
void cli_bar_show(CliBar *bar, const CelProgress *progress);
/// Removes the bar, so that a line can be printed.
void cli_bar_clear(CliBar *bar);

// ---- wait.c
/// A line for work whose length is not known, shown after half a second on a terminal and after two
/// elsewhere. `what` must live until the end. NULL when quiet.
typedef struct CliWait CliWait;
CliWait *cli_wait_begin(const char *what, bool quiet);
/// Removes the line. Takes NULL.
void cli_wait_end(CliWait *wait);

// ---- seeds.c
/// "1..5", "1,2,7", "1..3,9" -> seeds; the caller frees. Errors: CEL_E_TYPE, CEL_E_RANGE.
CelStatus cli_seeds_parse(const char *text, uint64_t **seeds, int *n) CEL_WARN_UNUSED;
/// How several runs are trained.
typedef struct CliSeeds {
  int jobs;               ///< runs at the same time
  int64_t steps, threads; ///< resume: 0: as planned, as before
  bool overwrite, json, quiet;
} CliSeeds;
/// One process a seed, in folders seed-K of one folder; prints a summary. Each folder gets its config.yaml at once, so
/// that cli_seeds_resume finds those that have not begun. Returns the exit code.
int cli_seeds_run(const CelSetup *setup, const uint64_t *seeds, int n, const CliSeeds *options);
/// Whether a folder holds runs seed-K and is no run itself.
bool cli_seeds_folder(const char *folder);
/// Goes on with all runs of such a folder. Returns the exit code.
int cli_seeds_resume(const char *folder, const CliSeeds *options);

#endif
