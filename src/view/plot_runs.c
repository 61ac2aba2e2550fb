/// Finding runs in folders, and grouping runs that differ only in their seed.
#include "base/base.h"
#include "celsius/yaml.h"
#include "run/config.h"
#include "run/runfolder.h"
#include "view/plot.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// ---- finding

static bool has_file(const char *folder, const char *name) {
  char path[2 * CEL_PATH_MAX];
  struct stat info;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return stat(path, &info) == 0;
}

static bool is_run(const char *folder) {
  return has_file(folder, "progress.csv") || has_file(folder, "evaluations.csv");
}

/// Adds a run unless its folder is already listed, possibly under another name.
static CelStatus add_run(CeliPlotRuns *runs, const char *folder) {
  struct stat info, other;
  if (stat(folder, &info) != 0) return celi_fail_errno(folder, "cannot be read", errno);
  for (int i = 0; i < runs->n; i++)
    if (stat(runs->run[i].folder, &other) == 0 && other.st_ino == info.st_ino &&
        other.st_dev == info.st_dev)
      return CEL_OK;
  if (runs->n == runs->capacity) {
    const int capacity = runs->capacity ? 2 * runs->capacity : 16;
    CELI_TRY(celi_resize(&runs->run, (size_t)capacity, sizeof *runs->run, "runs"));
    runs->capacity = capacity;
  }
  CeliPlotRun *run = &runs->run[runs->n];
  *run = (CeliPlotRun){.group = -1};
  if (snprintf(run->folder, sizeof run->folder, "%s", folder) >= (int)sizeof run->folder)
    return cel_fail(CEL_E_RANGE, "%.60s...: the path is longer than %d bytes, the limit", folder,
                    CEL_PATH_MAX - 1);
  runs->n++;
  return CEL_OK;
}

/// Compares names by length, then by letters: seed-2 comes before seed-10.
static int by_number(const struct dirent **a, const struct dirent **b) {
  const size_t m = strlen((*a)->d_name), n = strlen((*b)->d_name);
  return m != n ? (m > n) - (m < n) : strcmp((*a)->d_name, (*b)->d_name);
}

static int not_hidden(const struct dirent *entry) {
  return entry->d_name[0] != '.';
}

/// Adds the folder if it is a run, else the runs directly inside it.
static CelStatus add_folder(CeliPlotRuns *runs, const char *folder) {
  if (is_run(folder)) return add_run(runs, folder);
  struct dirent **entries;
  const int n = scandir(folder, &entries, not_hidden, by_number);
  if (n < 0) return celi_fail_errno(folder, "cannot be read", errno);
  CelStatus status = CEL_OK;
  bool any = false;
  for (int i = 0; i < n; i++) {
    char path[CEL_PATH_MAX];
    if (status == CEL_OK) status = celi_path_join(path, folder, entries[i]->d_name);
    if (status == CEL_OK && is_run(path)) {
      any = true;
      status = add_run(runs, path);
    }
    free(entries[i]);
  }
  free(entries);
  if (status != CEL_OK || any) return status;
  if (has_file(folder, "config.yaml"))
    return cel_fail(CEL_E_STATE, "%s: the run has not logged anything yet", folder);
  return cel_fail(CEL_E_IO,
                  "%s: no run in this folder or its subfolders (a run has a progress.csv); runs "
                  "are usually in runs/",
                  folder);
}

// ---- identities of runs

/// Adds the lines of `from`, except the seed, which goes to `run`.
static void add_without_seed(CeliText *text, const char *from, CeliPlotRun *run) {
  for (const char *line = from; *line;) {
    const size_t n = strcspn(line, "\n") + (strchr(line, '\n') != NULL);
    if (strncmp(line, "seed=", 5) != 0)
      celi_text_add(text, line, n);
    else
      snprintf(run->seed, sizeof run->seed, "%.*s", (int)strcspn(line + 5, "\n"), line + 5);
    line += n;
  }
}

/// Adds a line of a configuration, "  key: value  # comment", as "key=value" if the results of a
/// run depend on it.
static void add_line(CeliText *text, const char *line, size_t n, CeliPlotRun *run) {
  char key[CEL_TEXT_MAX], value[CEL_PATH_MAX];
  const char *colon = memchr(line, ':', n), *end = memmem(line, n, " #", 2);
  if (!end) end = line + n;
  if (!colon || colon > end) return;
  while (line < colon && *line == ' ') line++;
  snprintf(key, sizeof key, "%.*s", (int)(colon - line), line);
  for (colon++; colon < end && *colon == ' ';) colon++;
  while (end > colon && end[-1] == ' ') end--;
  snprintf(value, sizeof value, "%.*s", (int)(end - colon), colon);
  if (strcmp(key, "seed") == 0)
    snprintf(run->seed, sizeof run->seed, "%.30s", value);
  else if (!celi_setup_field_is_free(key) && strcmp(key, "env") != 0)
    celi_text_format(text, "%s=%s\n", key, value);
}

/// Reads the identity from the text of a configuration if this library cannot create a setup from
/// it: it is of another version, or its shared object is missing or not allowed.
static CelStatus peek_identity(const char *config, CeliText *text, CeliPlotRun *run) {
  char env[CEL_PATH_MAX], *data = NULL;
  size_t size = 0;
  bool found;
  CELI_TRY(cel_yaml_peek(config, "env", env, sizeof env, &found));
  if (found) celi_text_format(text, "env=%s\n", celi_env_short_id(env));
  CELI_TRY(celi_file_read(config, 1 << 20, &data, &size));
  for (const char *line = data; line && *line;) {
    const size_t n = strcspn(line, "\n");
    add_line(text, line, n, run);
    line += n + (line[n] == '\n');
  }
  free(data);
  return CEL_OK;
}

static CelStatus read_identity(CeliPlotRun *run) {
  char config[CEL_PATH_MAX];
  CeliText all = {0}, text = {0};
  CelSetup *setup = NULL;
  CelStatus status = CEL_OK;
  if (has_file(run->folder, "config.yaml")) {
    CELI_TRY(celi_path_join(config, run->folder, "config.yaml"));
    if (celi_setup_open(config, &setup) == CEL_OK) {
      celi_setup_identity(setup, &all);
      add_without_seed(&text, all.data ? all.data : "", run);
    } else {
      status = peek_identity(config, &text, run);
    }
    cel_setup_destroy(setup);
  }
  celi_text_add(&text, "", 0);
  if (status == CEL_OK) status = celi_text_status(&all);
  if (status == CEL_OK) status = celi_text_status(&text);
  celi_text_free(&all);
  if (status != CEL_OK) {
    celi_text_free(&text);
    return status;
  }
  run->identity = text.data;
  return CEL_OK;
}

/// Copies the value of `name` in an identity. Returns false if there is none.
static bool find_value(const char *identity, const char *name, char *value, size_t size) {
  const size_t n = strlen(name);
  for (const char *line = identity; *line;) {
    const size_t length = strcspn(line, "\n");
    if (length > n && strncmp(line, name, n) == 0 && line[n] == '=') {
      snprintf(value, size, "%.*s", (int)(length - n - 1), line + n + 1);
      return true;
    }
    line += length + (line[length] != 0);
  }
  value[0] = 0;
  return false;
}

/// Whether the evaluations of one run are the start of the other's. *longer: which has more, -1
/// (a), 1 (b) or 0. A run without evaluations matches every run.
static CelStatus compare_results(const CeliPlotRun *a, const CeliPlotRun *b, bool *same,
                                 int *longer) {
  const CeliPlotRun *const run[] = {a, b};
  char *text[2] = {NULL, NULL};
  size_t size[2] = {0, 0};
  CelStatus status = CEL_OK;
  for (int i = 0; i < 2 && status == CEL_OK; i++) {
    char path[CEL_PATH_MAX];
    if (!has_file(run[i]->folder, "evaluations.csv")) continue;
    status = celi_path_join(path, run[i]->folder, "evaluations.csv");
    if (status == CEL_OK) status = celi_file_read(path, (size_t)1 << 28, &text[i], &size[i]);
  }
  const size_t n = size[0] < size[1] ? size[0] : size[1];
  *same = n == 0 || (text[0] && text[1] && memcmp(text[0], text[1], n) == 0);
  *longer = (size[1] > size[0]) - (size[1] < size[0]);
  free(text[0]);
  free(text[1]);
  return status;
}

/// Finds an earlier run with the settings, seed and results of run i. A copy of a run, or the same
/// run trained further, must not count as a second seed. *k: its index, or -1.
static CelStatus find_same(const CeliPlotRuns *runs, int i, int *k, int *longer) {
  const CeliPlotRun *run = &runs->run[i];
  for (*k = 0; *k < i; (*k)++) {
    const CeliPlotRun *other = &runs->run[*k];
    bool same;
    if (other->group != run->group || !run->seed[0] || strcmp(other->seed, run->seed) != 0)
      continue;
    CELI_TRY(compare_results(other, run, &same, longer));
    if (same) return CEL_OK;
  }
  *k = -1;
  return CEL_OK;
}

static void note(const CelPlotOptions *options, const char *format, ...) CEL_PRINTF(2, 3);
static void note(const CelPlotOptions *options, const char *format, ...) {
  char text[2 * CEL_PATH_MAX + 128];
  va_list args;
  if (!options || !options->note) return;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  options->note(options->user, text);
  celi_floats_keep();
}

/// Removes run i. If run i is the longer one, it replaces run k.
static void drop_same(CeliPlotRuns *runs, int i, int k, int longer, const CelPlotOptions *options) {
  if (longer > 0) {
    const CeliPlotRun shorter = runs->run[k];
    runs->run[k] = runs->run[i];
    runs->run[i] = shorter;
  }
  note(options, "%s and %s are the same run (seed %s); %s is drawn, and counts once",
       runs->run[i].folder, runs->run[k].folder, runs->run[k].seed, runs->run[k].folder);
  free(runs->run[i].identity);
  memmove(&runs->run[i], &runs->run[i + 1], (size_t)(runs->n - i - 1) * sizeof *runs->run);
  runs->n--;
}

/// Puts every run into the group of the first run with equal settings. A run with unknown settings
/// gets its own group.
static CelStatus make_groups(CeliPlotRuns *runs, const CelPlotOptions *options) {
  CELI_TRY(celi_alloc(&runs->group, (size_t)runs->n, sizeof *runs->group, "groups of runs"));
  for (int i = 0; i < runs->n;) {
    CeliPlotRun *run = &runs->run[i];
    int same, longer = 0;
    for (int k = 0; k < i && run->group < 0 && run->identity[0]; k++)
      if (strcmp(runs->run[k].identity, run->identity) == 0) run->group = runs->run[k].group;
    if (run->group < 0) {
      run->group = runs->n_groups++;
      runs->group[run->group] = (CeliPlotGroup){.first = i};
    }
    CELI_TRY(find_same(runs, i, &same, &longer));
    if (same >= 0) {
      drop_same(runs, i, same, longer, options);
      continue;
    }
    runs->group[run->group].runs++;
    i++;
  }
  return CEL_OK;
}

// ---- labels

/// The label of a run: the name of its folder, or of its parent for the only run in a folder of
/// seeds.
static void folder_label(const char *folder, char *label, size_t size) {
  char path[CEL_PATH_MAX];
  snprintf(path, sizeof path, "%s", folder);
  for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--) path[n - 1] = 0;
  const char *slash = strrchr(path, '/');
  snprintf(label, size, "%.100s", slash && slash[1] ? slash + 1 : path);
}

/// Converts an algorithm's name to capitals: "SAC".
static void upper_case(char *text) {
  for (; *text; text++)
    if (*text >= 'a' && *text <= 'z') *text = (char)(*text - 'a' + 'A');
}

static const char *identity_of(const CeliPlotRuns *runs, int group) {
  return runs->run[runs->group[group].first].identity;
}

/// Whether groups differ in the value of `name`. With like >= 0, compares only the groups with the
/// algorithm and environment of that group.
static bool differs(const CeliPlotRuns *runs, const char *name, int like) {
  char first[256] = "", value[256], a[256], b[256];
  bool any = false;
  for (int g = 0; g < runs->n_groups; g++) {
    bool alike = true;
    for (int k = 0; k < 2 && like >= 0; k++) {
      find_value(identity_of(runs, like), k ? "env" : "algo", a, sizeof a);
      find_value(identity_of(runs, g), k ? "env" : "algo", b, sizeof b);
      alike = alike && strcmp(a, b) == 0;
    }
    if (!alike) continue;
    find_value(identity_of(runs, g), name, value, sizeof value);
    if (any && strcmp(value, first) != 0) return true;
    memcpy(first, value, sizeof first);
    any = true;
  }
  return false;
}

/// Adds "name value" for each setting in which this group differs from others of the same algorithm
/// and environment.
static void add_differences(const CeliPlotRuns *runs, int group, CeliText *text) {
  int count = 0;
  for (const char *line = identity_of(runs, group); *line;) {
    char name[128], value[64];
    const size_t length = strcspn(line, "\n"), n = strcspn(line, "=\n");
    snprintf(name, sizeof name, "%.*s", (int)n, line);
    line += length + (line[length] != 0);
    if (strcmp(name, "algo") == 0 || strcmp(name, "env") == 0 || !differs(runs, name, group))
      continue;
    if (++count > 3) continue;
    find_value(identity_of(runs, group), name, value, sizeof value);
    celi_text_format(text, "%s%s %s", text->size ? ", " : "", name, value);
  }
  if (count > 3) celi_text_format(text, ", \xe2\x80\xa6"); // an ellipsis
}

static CelStatus make_label(CeliPlotRuns *runs, int group) {
  CeliPlotGroup *g = &runs->group[group];
  CeliText text = {0};
  char value[256];
  if (differs(runs, "algo", -1) && find_value(identity_of(runs, group), "algo", value, 256)) {
    upper_case(value);
    celi_text_format(&text, "%s", value);
  }
  if (differs(runs, "env", -1) && find_value(identity_of(runs, group), "env", value, 256))
    celi_text_format(&text, "%s%s", text.size ? " on " : "", value);
  add_differences(runs, group, &text);
  const CelStatus status = celi_text_status(&text);
  if (text.size) {
    snprintf(g->label, sizeof g->label, "%.120s", text.data);
  } else if (runs->n_groups == 1 && find_value(identity_of(runs, group), "algo", value, 256)) {
    upper_case(value);
    snprintf(g->label, sizeof g->label, "%.120s", value);
  } else {
    folder_label(runs->run[g->first].folder, g->label, sizeof g->label);
  }
  celi_text_free(&text);
  return status;
}

static void make_title(CeliPlotRuns *runs) {
  char algo[32] = "", env[64];
  const char *identity = identity_of(runs, 0);
  const bool one_algo =
      !differs(runs, "algo", -1) && find_value(identity, "algo", algo, sizeof algo);
  upper_case(algo);
  const bool one_env = !differs(runs, "env", -1) && find_value(identity, "env", env, sizeof env);
  if (one_algo && one_env)
    snprintf(runs->title, sizeof runs->title, "%s on %s", algo, env);
  else if (one_env)
    snprintf(runs->title, sizeof runs->title, "%s", env);
  else if (one_algo)
    snprintf(runs->title, sizeof runs->title, "%s on several environments", algo);
  else if (runs->n_groups > 1 && identity[0])
    snprintf(runs->title, sizeof runs->title, "Several algorithms and environments");
}

// ---- all of it

static CelStatus find(CeliPlotRuns *runs, const char *const *folders, int n,
                      const CelPlotOptions *options) {
  for (int i = 0; i < n; i++) CELI_TRY(add_folder(runs, folders[i]));
  for (int i = 0; i < runs->n; i++) CELI_TRY(read_identity(&runs->run[i]));
  CELI_TRY(make_groups(runs, options));
  for (int g = 0; g < runs->n_groups; g++) CELI_TRY(make_label(runs, g));
  make_title(runs);
  return CEL_OK;
}

CelStatus celi_plot_runs_find(CeliPlotRuns *runs, const char *const *folders, int n,
                              const CelPlotOptions *options) {
  *runs = (CeliPlotRuns){0};
  const CelStatus status = find(runs, folders, n, options);
  if (status != CEL_OK) celi_plot_runs_free(runs);
  return status;
}

void celi_plot_runs_free(CeliPlotRuns *runs) {
  for (int i = 0; i < runs->n; i++) free(runs->run[i].identity);
  free(runs->run);
  free(runs->group);
  *runs = (CeliPlotRuns){0};
}
