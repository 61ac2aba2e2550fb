/// celsius verify: computes every claim of the notes in two ways.
#include "cli.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHECK_FAILED = 1 }; ///< exit code; the statuses begin at 2
/// Number of rows that do not use the library, for the help. A test compares it with the table.
#define WITHOUT_LIBRARY "13"

typedef struct Options {
  char note[CEL_TEXT_MAX], html[CEL_PATH_MAX];
  bool json, quick, equations;
  uint64_t seed;
  int64_t threads;
} Options;

#define F(field) offsetof(Options, field)
// clang-format off
static const CelField fields[] = {
    {.name = "note", .type = CEL_FIELD_STRING, .offset = F(note), .def = "", .unit = "NOTE",
     .doc = "check this note only: maximum-entropy, actor-critic, discrete-soft-policy-gradient, "
            "policy-guarantees or soft-q-learning"},
    {.name = "html", .type = CEL_FIELD_PATH, .offset = F(html), .def = "", .unit = "FILE",
     .doc = "write a web page with the table and plots"},
    {.name = "json", .type = CEL_FIELD_BOOL, .offset = F(json), .def = "false",
     .doc = "print the rows as JSON"},
    {.name = "quick", .type = CEL_FIELD_BOOL, .offset = F(quick), .def = "false",
     .doc = "use an eighth of the problems in each row"},
    {.name = "seed", .type = CEL_FIELD_U64, .offset = F(seed), .def = "0",
     .doc = "seed of the random problems; problem c of a row uses seed + c"},
    {.name = "threads", .type = CEL_FIELD_INT, .offset = F(threads), .def = "1", .min = 1,
     .max = 64,
     .doc = "threads; the numbers are the same with any"},
    {.name = "equations", .type = CEL_FIELD_BOOL, .offset = F(equations), .def = "false",
     .doc = "only print a Markdown table of the equations, with their functions and checks"},
    {0},
};
// clang-format on
#undef F

// ---- the table

/// The note and equation of the last row. Rows are grouped by both.
typedef struct Table {
  const char *note, *equation;
  int columns;
} Table;

/// Prints a note's name and its subject.
static void print_note(const Table *table, const char *name) {
  printf("\n%s\n  ", name);
  for (int i = 0; cel_verify_note_at(i); i++)
    if (strcmp(cel_verify_note_at(i), name) == 0)
      cli_wrap(stdout, cel_verify_note_about(i), 2, 2, table->columns);
}

static void print_head(Table *table, const CelCheck *check) {
  const bool note = !table->note || strcmp(table->note, check->note) != 0;
  if (!table->note)
    cli_wrap(stdout,
             "Each row shows its worst problem: a number, the relation that must hold (= <= != >), "
             "and the number computed in a second way.\n"
             "A row that begins with \"printed\" tests an equation exactly as the note prints it. "
             "That form is wrong, and the row shows it.",
             0, 0, table->columns);
  if (note) print_note(table, check->note);
  if (note || strcmp(table->equation, check->equation) != 0) printf("  %s\n", check->equation);
  table->note = check->note, table->equation = check->equation;
}

enum { INDENT = 9 }; ///< of the lines below "ok"

static void print_numbers(const CelCheck *check) {
  char both[64];
  if (check->message[0]) {
    printf("%*s%s", INDENT, "", check->message);
    return;
  }
  snprintf(both, sizeof both, "%.8g %s %.8g", check->left, cel_check_kind_text(check->kind),
           check->right);
  printf("%*s%-27s  residual %-8.2g  tolerance %-8.2g  %lld problem%s", INDENT, "", both,
         check->residual, check->tolerance, (long long)check->cases, cli_s(check->cases));
}

static void print_row(void *user, const CelCheck *check) {
  Table *table = user;
  print_head(table, check);
  const int used = printf("    %-4s ", check->pass ? "ok" : "FAIL");
  cli_wrap(stdout, check->claim, used, INDENT, table->columns);
  print_numbers(check);
  if (!check->pass) printf(", seed %llu", (unsigned long long)check->seed);
  printf("\n");
  fflush(stdout);
}

/// Prints how many checks passed, and for each failure the command that repeats it.
static void print_summary(const CelVerifyReport *report) {
  const int64_t without = cel_verify_count_without_library(report);
  printf("\n%lld of %lld check%s pass, %.1f s; %lld do%s not use the library\n",
         (long long)(report->count - report->failed), (long long)report->count,
         cli_s(report->count), report->seconds, (long long)without, without == 1 ? "es" : "");
  for (int64_t i = 0; i < report->count; i++) {
    const CelCheck *check = &report->check[i];
    if (!check->pass)
      printf("FAIL [%s, %s] %s\n     repeat: celsius verify --note %s --seed %llu\n", check->note,
             check->equation, check->claim, check->note, (unsigned long long)check->seed);
  }
}

// ---- JSON

/// Adds a number with all digits, because residuals differ in the last ones. JSON has no infinity
/// or NaN, so these become strings.
static void add_number(cJSON *row, const char *name, double value) {
  char digits[40];
  snprintf(digits, sizeof digits, "%.17g", value);
  if (isfinite(value))
    cJSON_AddRawToObject(row, name, digits);
  else
    cJSON_AddStringToObject(row, name, isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
}

static cJSON *row_of(const CelCheck *check) {
  cJSON *row = cJSON_CreateObject();
  cJSON_AddStringToObject(row, "note", check->note);
  cJSON_AddStringToObject(row, "equation", check->equation);
  cJSON_AddStringToObject(row, "claim", check->claim);
  cJSON_AddStringToObject(row, "function", check->function);
  add_number(row, "left", check->left);
  cJSON_AddStringToObject(row, "relation", cel_check_kind_text(check->kind));
  add_number(row, "right", check->right);
  add_number(row, "residual", check->residual);
  add_number(row, "tolerance", check->tolerance);
  cJSON_AddBoolToObject(row, "pass", check->pass);
  cJSON_AddNumberToObject(row, "problems", (double)check->cases);
  cJSON_AddNumberToObject(row, "seed", (double)check->seed);
  cJSON_AddNumberToObject(row, "seconds", check->seconds);
  if (check->message[0]) cJSON_AddStringToObject(row, "message", check->message);
  return row;
}

static CelStatus print_json(const CelVerifyReport *report) {
  cJSON *json = cJSON_CreateArray();
  for (int64_t i = 0; i < report->count; i++) cJSON_AddItemToArray(json, row_of(&report->check[i]));
  return cli_print_json(json);
}

// ---- the command

static CelStatus print_equations(void) {
  char *text = NULL;
  const CelStatus status = cel_verify_equations(&text);
  if (status == CEL_OK) fputs(text, stdout);
  free(text);
  return status;
}

static CelStatus verify(const Options *options, bool *failed) {
  Table table = {.columns = cli_columns(stdout)};
  const CelVerifyOptions wanted = {.note = options->note[0] ? options->note : NULL,
                                   .seed = options->seed,
                                   .threads = options->threads,
                                   .quick = options->quick,
                                   .row = options->json ? NULL : print_row,
                                   .user = &table};
  CelVerifyReport *report = NULL;
  CelStatus status = cel_verify(&wanted, &report);
  if (status == CEL_OK && options->json) status = print_json(report);
  if (status == CEL_OK && !options->json) print_summary(report);
  if (status == CEL_OK && options->html[0]) {
    status = cel_verify_write_html(report, options->html);
    if (status == CEL_OK) cli_note("wrote %s", options->html);
  }
  *failed = report && report->failed > 0;
  cel_verify_report_destroy(report);
  return status;
}

static int run(int argc, char **argv) {
  Options options;
  CliArgs args;
  bool failed = false;
  cel_fields_default(fields, &options);
  const CliTable tables[] = {{"Flags", "", fields, &options}};
  CelStatus status = cli_parse(&cli_verify, argc, argv, tables, 1, &args);
  if (status == CEL_OK && args.help) {
    cli_help_command(&cli_verify, tables, 1);
    return CEL_OK;
  }
  if (status == CEL_OK) status = cli_positionals(&cli_verify, &args, 0, 0, "");
  if (status == CEL_OK) status = cli_check_output("--html", options.html, "a page", "html|htm");
  if (status == CEL_OK) status = options.equations ? print_equations() : verify(&options, &failed);
  if (status != CEL_OK) return cli_error(status);
  return failed ? CHECK_FAILED : CEL_OK;
}

const CliCommand cli_verify = {
    .name = "verify",
    .help = "verify --help",
    .usage = "celsius verify [--note NOTE] [--quick] [--html out.html] [--json]",
    .doc =
        "Checks the equations and theorems of five notes on random problems. Each row compares "
        "two numbers. One comes from the library. The other comes from dense linear algebra, "
        "sums over all trajectories, complex steps, quadrature or simulation. The row shows "
        "the worst problem. " WITHOUT_LIBRARY
        " rows do not use the library; they compare two computations of a claim of the note. "
        "A row that begins with \"printed\" tests an equation exactly as the note prints it. That "
        "form is wrong, and the row shows it: the numbers differ (!= or >). The exit code is 1 "
        "if a check fails.",
    .details = "Notes\n"
               "  maximum-entropy: equations (8.1)-(8.30), without title or author.\n"
               "  actor-critic: equations (4.1)-(4.26), without title or author.\n"
               "  discrete-soft-policy-gradient: appendix \"Proof for Eq. (6)\", without author.\n"
               "  policy-guarantees: slides, \"Policy-based Theoretical Guarantees\", by Mohammad\n"
               "      Hossein Rohban, spring 2025, mostly adapted from the RL course at\n"
               "      Berkeley.\n"
               "      Slides without a number have labels of our own, such as PDL and drift.\n"
               "  soft-q-learning: notes, \"Soft Q-Learning\", without author; after Haarnoja\n"
               "      et al., \"Reinforcement Learning with Deep Energy-Based Policies\", 2017.\n\n"
               "Examples\n"
               "  celsius verify\n"
               "  celsius verify --note policy-guarantees --seed 7\n"
               "  celsius verify --quick --html verify.html",
    .run = run};
