/// Parses arguments. Every flag of every command is a row of a field table.
#include "cli.h"

#include <stdlib.h>
#include <string.h>

enum { FLAG_MAX = 192, TABLES_MAX = 8, ROWS_MAX = 512 };

/// True if `text` begins with the name. '-' and '_' are equal, as in flags.
static bool begins(const char *text, const char *name) {
  for (; *name; text++, name++) {
    const bool dashes = (*text == '-' || *text == '_') && (*name == '-' || *name == '_');
    if (*text != *name && !dashes) return false;
  }
  return true;
}

const char *cli_scan(int argc, char **argv, const char *name) {
  const size_t n = strlen(name);
  for (int i = 0; i < argc; i++) {
    if (strncmp(argv[i], "--", 2) != 0 || !begins(argv[i] + 2, name)) continue;
    if (argv[i][2 + n] == '=') return argv[i] + 3 + n;
    if (argv[i][2 + n] == 0 && i + 1 < argc) return argv[i + 1];
  }
  return NULL;
}

bool cli_has(int argc, char **argv, const char *name) {
  for (int i = 0; i < argc; i++) {
    if (strncmp(argv[i], "--", 2) == 0 && strcmp(argv[i] + 2, name) == 0) return true;
    if (strcmp(name, "help") == 0 && strcmp(argv[i], "-h") == 0) return true;
  }
  return false;
}

/// Finds the table of a flag that is given without its dashes, and its name in that table. NULL if
/// no table has it.
static const CliTable *find_flag(const CliTable *tables, int n_tables, const char *flag,
                                 const char **name) {
  for (int i = 0; i < n_tables; i++) {
    const size_t n = strlen(tables[i].prefix);
    if (strncmp(flag, tables[i].prefix, n) != 0) continue;
    if (!cel_fields_find(tables[i].table, flag + n)) continue;
    *name = flag + n;
    return &tables[i];
  }
  return NULL;
}

static void dash(char *text) {
  for (; *text; text++)
    if (*text == '_') *text = '-';
}

/// Reports an unknown flag with a table's prefix ("env."): the nearest flag of that table, or all
/// of them.
static CelStatus fail_unknown_in(const CliTable *table, const char *flag) {
  char names[512] = "";
  const char *nearest = cel_fields_nearest(table->table, flag + strlen(table->prefix));
  size_t n = 0;
  if (nearest) n = (size_t)snprintf(names, sizeof names, "%s", nearest);
  for (const CelField *f = table->table; !nearest && f->name && n < sizeof names; f++)
    n += (size_t)snprintf(names + n, sizeof names - n, "%s--%s%s", n ? ", " : "", table->prefix,
                          f->name);
  dash(names);
  if (nearest)
    return cel_fail(CEL_E_NAME, "unknown flag '--%s'; did you mean '--%s%s'?", flag, table->prefix,
                    names);
  return cel_fail(CEL_E_NAME, "unknown flag '--%s'; the flags are %s", flag, names);
}

static CelStatus fail_unknown(const CliCommand *command, const CliTable *tables, int n_tables,
                              const char *flag) {
  CelField all[ROWS_MAX] = {{.name = "help"}};
  char groups[TABLES_MAX][FLAG_MAX];
  int rows = 1;
  for (int i = 0; i < n_tables; i++)
    if (tables[i].prefix[0] && strncmp(flag, tables[i].prefix, strlen(tables[i].prefix)) == 0)
      return fail_unknown_in(&tables[i], flag);
  for (int i = 0; i < n_tables && i < TABLES_MAX; i++) {
    if (tables[i].prefix[0]) { // a prefix "env." becomes a group "env"
      snprintf(groups[i], FLAG_MAX, "%.*s", (int)strlen(tables[i].prefix) - 1, tables[i].prefix);
      if (rows < ROWS_MAX - 1)
        all[rows++] =
            (CelField){.name = groups[i], .type = CEL_FIELD_GROUP, .group = tables[i].table};
      continue;
    }
    for (const CelField *f = tables[i].table; f->name && rows < ROWS_MAX - 1; f++) all[rows++] = *f;
  }
  char dashed[FLAG_MAX];
  const char *nearest = cel_fields_nearest(all, flag);
  if (!nearest)
    return cel_fail(CEL_E_NAME, "unknown flag '--%s'; `celsius %s` lists all flags", flag,
                    command->help);
  snprintf(dashed, sizeof dashed, "%s", nearest);
  dash(dashed);
  return cel_fail(CEL_E_NAME, "unknown flag '--%s'; did you mean '--%s'?", flag, dashed);
}

/// True if `text`, the argument after a switch, is the switch's value. A switch that is on by
/// default always takes a value. A switch that is off may stand alone before another argument.
static bool is_switch_value(const CelField *field, const char *text) {
  if (!text || strncmp(text, "--", 2) == 0) return false;
  if (cli_field_is_on(field)) return true;
  return strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
}

/// Parses the flag argv[*i] and, if it takes one, its value argv[*i + 1]. `seen` holds the rows set
/// so far.
static CelStatus parse_flag(const CliCommand *command, int argc, char **argv, int *i,
                            const CliTable *tables, int n_tables, const CelField **seen,
                            int *n_seen) {
  char flag[FLAG_MAX];
  const char *text = argv[*i] + 2, *value = strchr(text, '='), *name = NULL;
  const size_t n = value ? (size_t)(value - text) : strlen(text);
  if (n >= sizeof flag) return cel_fail(CEL_E_NAME, "unknown flag '%.40s...'", argv[*i]);
  memcpy(flag, text, n);
  flag[n] = 0;
  const CliTable *table = find_flag(tables, n_tables, flag, &name);
  if (!table) return fail_unknown(command, tables, n_tables, flag);
  const CelField *field = cel_fields_find(table->table, name);
  for (int k = 0; k < *n_seen; k++)
    if (seen[k] == field) return cel_fail(CEL_E_ARGUMENT, "--%s is given twice", flag);
  if (*n_seen < ROWS_MAX) seen[(*n_seen)++] = field;
  const char *next = *i + 1 < argc ? argv[*i + 1] : NULL;
  if (value) {
    value++;
  } else if (field->type == CEL_FIELD_BOOL && !is_switch_value(field, next)) {
    value = "true";
  } else if (next && strncmp(next, "--", 2) != 0) {
    value = next;
    ++*i;
  } else {
    char takes[128];
    cli_field_takes(field, takes, sizeof takes);
    return cel_fail(CEL_E_ARGUMENT, "--%s needs a value: --%s %s", flag, flag, takes);
  }
  return cel_fail_in(cel_fields_set(table->table, table->config, name, value), "--%s",
                     table->prefix);
}

CelStatus cli_parse(const CliCommand *command, int argc, char **argv, const CliTable *tables,
                    int n_tables, CliArgs *args) {
  const CelField *seen[ROWS_MAX];
  int n_seen = 0;
  *args = (CliArgs){0};
  for (int i = 0; i < argc; i++) {
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
      args->help = true;
      continue;
    }
    if (strncmp(argv[i], "--", 2) == 0 && argv[i][2]) {
      const CelStatus status = parse_flag(command, argc, argv, &i, tables, n_tables, seen, &n_seen);
      if (status != CEL_OK) return status;
      continue;
    }
    if (argv[i][0] == '-' && argv[i][1])
      return cel_fail(CEL_E_NAME,
                      "unknown flag '%s'; flags begin with two dashes (`celsius %s` lists them)",
                      argv[i], command->help);
    if (args->n == CLI_POSITIONALS)
      return cel_fail(CEL_E_ARGUMENT, "more than %d arguments are not supported", CLI_POSITIONALS);
    args->positional[args->n++] = argv[i];
  }
  return CEL_OK;
}

CelStatus cli_positionals(const CliCommand *command, const CliArgs *args, int least, int most,
                          const char *what) {
  if (args->n < least)
    return cel_fail(CEL_E_ARGUMENT, "%s is missing; see `celsius %s`", what, command->help);
  if (args->n > most)
    return cel_fail(CEL_E_ARGUMENT, "unexpected argument '%s'; see `celsius %s`",
                    args->positional[most], command->help);
  return CEL_OK;
}

void cli_fields_except(CelField *out, int size, const CelField *from, const CelField *except) {
  int n = 0;
  for (const CelField *field = from; field->name && n < size - 1; field++)
    if (!cel_fields_find(except, field->name)) out[n++] = *field;
  out[n] = (CelField){0};
}

void cli_renamed(const char *old, const char *name) {
  cli_note("%s is now called %s; the next version will not accept the old name", old, name);
}

void cli_renamed_flag(bool given, const char *old, const char *name, bool *value) {
  if (!given) return;
  cli_renamed(old, name);
  *value = true;
}

CelStatus cli_take_allow_plugins(int *argc, char **argv) {
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
