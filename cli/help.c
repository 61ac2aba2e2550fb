/// Prints help from the field tables.
#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int cli_columns(FILE *stream) {
  struct winsize size;
  if (!isatty(fileno(stream)) || ioctl(fileno(stream), TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
    return 80;
  return size.ws_col < CLI_COLUMNS_LEAST ? CLI_COLUMNS_LEAST
         : size.ws_col > 100             ? 100
                                         : size.ws_col;
}

void cli_wrap(FILE *stream, const char *text, int used, int indent, int columns) {
  int column = used;
  bool first = true;
  while (*text) {
    if (*text == '\n') {
      fprintf(stream, "\n%*s", indent, "");
      column = indent;
      first = true;
      text++;
      continue;
    }
    if (*text == ' ') {
      text++;
      continue;
    }
    const int n = (int)strcspn(text, " \n");
    if (!first && column + 1 + n > columns) {
      fprintf(stream, "\n%*s", indent, "");
      column = indent;
      first = true;
    }
    fprintf(stream, "%s%.*s", first ? "" : " ", n, text);
    column += n + !first;
    first = false;
    text += n;
  }
  fputc('\n', stream);
}

/// Text fields have no unit. Their `unit` names the kind of text instead ("FILE").
static bool is_text(const CelField *field) {
  return field->type == CEL_FIELD_STRING || field->type == CEL_FIELD_PATH;
}

void cli_field_default(const CelField *field, char *text, size_t size) {
  if (field->def) {
    snprintf(text, size, "%s", field->def);
    return;
  }
  // No default text means zero or empty. The library's own writer spells that.
  _Alignas(max_align_t) char value[CEL_PATH_MAX]; // as large as the largest type
  CelField alone[] = {*field, {0}};
  alone[0].offset = 0;
  cel_fields_default(alone, value);
  if (cel_fields_get(alone, value, field->name, text, size) < 0) text[0] = 0;
}

bool cli_field_is_on(const CelField *field) {
  char def[CEL_PATH_MAX];
  if (field->type != CEL_FIELD_BOOL) return false;
  cli_field_default(field, def, sizeof def);
  bool on = false;
  const CelField alone[] = {{.name = "on", .type = CEL_FIELD_BOOL}, {0}};
  return cel_fields_set(alone, &on, "on", def) == CEL_OK && on;
}

void cli_field_takes(const CelField *field, char *text, size_t size) {
  const char *takes = "";
  switch (field->type) {
  case CEL_FIELD_BOOL: takes = cli_field_is_on(field) ? "true|false" : ""; break;
  case CEL_FIELD_INT:
  case CEL_FIELD_U64: takes = "N"; break;
  case CEL_FIELD_DOUBLE: takes = "X"; break;
  case CEL_FIELD_ENUM: takes = field->choices; break;
  case CEL_FIELD_STRING:
  case CEL_FIELD_PATH: takes = field->unit && field->unit[0] ? field->unit : "TEXT"; break;
  case CEL_FIELD_INT_LIST: takes = "N,N,..."; break;
  case CEL_FIELD_INTERVAL: takes = "LOW,HIGH"; break;
  case CEL_FIELD_SCHEDULE: takes = "X|lin_X"; break;
  case CEL_FIELD_AUTO: takes = cel_field_start(field) ? "X|auto|auto_X" : "X|auto"; break;
  case CEL_FIELD_GROUP: takes = ""; break;
  }
  snprintf(text, size, "%s", takes);
}

/// Writes a bound in as few digits as it needs: "1000000", "1e15", "0.005".
static void bound_text(char text[32], double value) {
  if (value == floor(value) && fabs(value) < 1e7) {
    snprintf(text, 32, "%.0f", value);
    return;
  }
  // Try more digits until the text reads back as the same number: 0.99999999 is not 1.
  for (int digits = 6; digits <= 17; digits++) {
    snprintf(text, 32, "%.*g", digits, value);
    const double back = strtod(text, NULL);
    if (back <= value && back >= value) break;
  }
  char *e = strchr(text, 'e');
  if (!e) return;
  char *digits = e + 1 + (e[1] == '+' || e[1] == '-');
  const size_t zeros = strspn(digits, "0");
  char *to = e + 1 + (e[1] == '-');
  memmove(to, digits + zeros, strlen(digits + zeros) + 1);
}

void cli_field_range(const CelField *field, char *text, size_t size) {
  char low[32], high[32];
  text[0] = 0;
  if (!(field->min < field->max)) return;
  bound_text(low, field->min);
  bound_text(high, field->max);
  if (field->max < 1e9)
    snprintf(text, size, "%s to %s", low, high);
  else if (field->min != 0 && field->min > -1e9) // a range this wide excludes nothing in practice
    snprintf(text, size, "at least %s", low);
}

/// Column where descriptions begin. On a narrow terminal they are below the flag.
static int description_indent(int columns) {
  return columns < 60 ? 6 : 30;
}

/// Writes " [default 100 steps; at least 1]"; "" if there is neither a default nor a range.
static void ending(const CelField *field, char *text, size_t size) {
  char range[128];
  cli_field_range(field, range, sizeof range);
  const char *unit = field->unit && !is_text(field) ? field->unit : "";
  const bool off = field->type == CEL_FIELD_BOOL && !cli_field_is_on(field);
  const char *def = field->def && !off ? field->def : "";
  const bool counts = def[0] && strcmp(def, "auto") != 0 && strcmp(def, "1") != 0;
  text[0] = 0;
  if (!def[0] && !range[0]) return;
  snprintf(text, size, " [%s%.200s%s%.60s%s%s]", def[0] ? "default " : "", def,
           counts && unit[0] ? " " : "", counts ? unit : "", def[0] && range[0] ? "; " : "", range);
}

static void print_field(const CelField *field, const char *prefix, int columns) {
  char name[128], takes[128], end[512], choices[256] = "", right[1024];
  snprintf(name, sizeof name, "--%.40s%.80s", prefix, field->name);
  for (char *c = name; *c; c++)
    if (*c == '_') *c = '-';
  cli_field_takes(field, takes, sizeof takes);
  const bool long_choices = field->type == CEL_FIELD_ENUM && strlen(takes) > 22;
  if (long_choices) {
    int n = snprintf(choices, sizeof choices, "; one of ");
    for (const char *c = field->choices; *c && n < (int)sizeof choices - 3; c++) {
      choices[n++] = *c == '|' ? ',' : *c;
      if (*c == '|') choices[n++] = ' ';
    }
  }
  int used = printf("  %s%s%s", name, takes[0] ? " " : "", long_choices ? "CHOICE" : takes);
  ending(field, end, sizeof end);
  snprintf(right, sizeof right, "%.300s%s%.400s", field->doc, choices, end);
  const int left = description_indent(columns);
  if (used > left - 2) {
    printf("\n");
    used = 0;
  }
  printf("%*s", left - used, "");
  cli_wrap(stdout, right, left, left, columns);
}

static void print_table(const CelField *table, const char *prefix, int columns) {
  for (const CelField *field = table; field->name; field++) {
    if (field->type == CEL_FIELD_GROUP) {
      char below[128];
      snprintf(below, sizeof below, "%.40s%.60s.", prefix, field->name);
      print_table(field->group, below, columns);
    } else {
      print_field(field, prefix, columns);
    }
  }
}

/// The flags of every command (cli_take_allow_plugins).
// clang-format off
static const CelField common_fields[] = {
    {.name = "allow_plugins", .type = CEL_FIELD_BOOL, .def = "false",
     .doc = "allow a run folder or config file to load its environment from a shared object, "
            "which runs that object's code; to allow only certain folders, list them in "
            "CELSIUS_PLUGIN_PATH"},
    {0},
};
// clang-format on

void cli_help_command(const CliCommand *command, const CliTable *tables, int n_tables) {
  const int columns = cli_columns(stdout);
  printf("Usage: %s\n\n", command->usage);
  cli_wrap(stdout, command->doc, 0, 0, columns);
  for (int i = 0; i < n_tables; i++) {
    if (!tables[i].table->name) continue;
    printf("\n%s\n", tables[i].title);
    print_table(tables[i].table, tables[i].prefix, columns);
  }
  printf("\nEvery command\n");
  print_table(common_fields, "", columns);
  if (command->details) printf("\n%s\n", command->details);
}

/// Meanings of the exit codes, by code. From 2 on they are the values of CelStatus.
static const char *const exit_codes[] = {
    "success",
    "a check of verify failed, or a gain was below its bound (--guarantee)",
    "wrong arguments",
    "a value is out of range",
    "unknown name",
    "a value has the wrong type",
    "sizes do not match",
    "not enough memory",
    "a file cannot be read or written",
    "invalid file format",
    "corrupt file",
    "not supported",
    "a number is not finite",
    "not possible now, or not allowed",
    "the environment failed",
    "stopped on request; the run is saved"};

void cli_help(void) {
  const int columns = cli_columns(stdout);
  printf("celsius %s: maximum-entropy reinforcement learning in C\n\n"
         "Usage: celsius COMMAND [ARGUMENTS]\n\nCommands\n",
         cel_version());
  for (int i = 0; cli_command_at(i); i++) {
    const CliCommand *command = cli_command_at(i);
    const char *end = strchr(command->doc, '.');
    const int n = end ? (int)(end - command->doc) : (int)strlen(command->doc);
    char first[256];
    snprintf(first, sizeof first, "%.*s", n, command->doc);
    printf("  %-8s ", command->name);
    cli_wrap(stdout, first, 11, 11, columns);
  }
  printf("\nA first run\n"
         "  celsius train sac --env Pendulum-v1 --preset auto --seed 1 --out runs/first\n"
         "  celsius eval runs/first --episodes 100 --render pendulum.gif\n"
         "  celsius plot runs/first --out curve.png\n"
         "  celsius solve frozenlake-8x8 --alpha 0 --plot lake.png\n\n");
  cli_wrap(stdout,
           "`celsius COMMAND --help` lists the flags of a command. `celsius --version` prints the "
           "version. Results go to standard output, messages and progress to standard error.",
           0, 0, columns);
  printf("\nExit codes\n");
  for (size_t i = 0; i < sizeof exit_codes / sizeof exit_codes[0]; i++) {
    printf("  %2zu  ", i);
    cli_wrap(stdout, exit_codes[i], 6, 6, columns);
  }
}
