/// Any words as a command line. They are parsed into the tables of a training or as seeds, or given
/// to `list` or to the help of a command.
#include "../../cli/cli.h"
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 64 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int celsius_main(int argc, char **argv); // cli/main.c's

/// Discards what the command prints.
int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  if (!freopen("/dev/null", "w", stdout)) abort();
  return 0;
}

/// What was accepted can be written as text and read back to the same text.
static void check_fields(const CelField *table, void *config) {
  for (const CelField *field = table; field->name; field++) {
    char text[2048], again[2048];
    if (field->type == CEL_FIELD_GROUP) continue;
    const int n = cel_fields_get(table, config, field->name, text, sizeof text);
    if (n < 0 || n >= (int)sizeof text) abort();
    if (cel_fields_set(table, config, field->name, text) != CEL_OK) abort();
    if (cel_fields_get(table, config, field->name, again, sizeof again) != n) abort();
    if (strcmp(text, again) != 0) abort();
  }
}

static void parse(int argc, char **argv) {
  static CelRunConfig run;
  _Alignas(16) static char algo[1 << 16], env[1 << 16];
  static CliArgs args;
  const int choice = argc > 0 ? (unsigned char)argv[0][0] % 8 : 0;
  const CelAlgoInfo *info = cel_algo_at(choice);
  const CelEnvType *type = cel_env_type_at(choice);
  static const CelField none[] = {{0}};
  const CelField *env_fields = type->fields ? type->fields : none;
  if (info->config_size > sizeof algo || type->config_size > sizeof env) abort();
  run = cel_run_config_default();
  cel_fields_default(info->fields, algo);
  cel_fields_default(env_fields, env);
  const CliTable tables[] = {{"Run", "", cel_run_fields(), &run},
                             {"Algorithm", "", info->fields, algo},
                             {"Environment", "env.", env_fields, env}};
  (void)cli_scan(argc, argv, "env");
  (void)cli_has(argc, argv, "help");
  if (cli_parse(&cli_train, argc, argv, tables, 3, &args) != CEL_OK) {
    if (cel_error()[0] == 0) abort();
    return;
  }
  check_fields(cel_run_fields(), &run);
  check_fields(info->fields, algo);
  check_fields(env_fields, env);
}

static void parse_seeds(int argc, char **argv) {
  for (int i = 0; i < argc; i++) {
    uint64_t *seeds = NULL;
    int n = 0;
    if (cli_seeds_parse(argv[i], &seeds, &n) == CEL_OK && n < 1) abort();
    free(seeds);
  }
}

/// The words that a command is given: `list ...` (nothing is loaded from a file), or a command's
/// help.
static void run(int argc, char **argv, bool help) {
  static char name[] = "celsius", list[] = "list", flag[] = "--help";
  char *all[WORDS_MAX + 4] = {name};
  int n = 1;
  if (!help) all[n++] = list;
  for (int i = 0; i < argc; i++) {
    if (strchr(argv[i], ':') || strchr(argv[i], '/')) return;
    all[n++] = argv[i];
  }
  if (help && argc > 0) all[n++] = flag;
  if (help && argc == 0) return;
  (void)celsius_main(n, all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *words[WORDS_MAX];
  int n = 0;
  if (size < 1 || size > 4096) return 0;
  char *text = malloc(size);
  if (!text) return 0;
  memcpy(text, data + 1, size - 1);
  text[size - 1] = 0;
  for (char *at = text; at < text + size && n < WORDS_MAX; at += strlen(at) + 1) {
    at[strcspn(at, "\n")] = 0; // words are lines
    words[n++] = at;
  }
  switch (data[0] % 4) {
  case 0: parse(n, words); break;
  case 1: parse_seeds(n, words); break;
  case 2: run(n, words, false); break;
  default: run(n, words, true); break;
  }
  free(text);
  return 0;
}
