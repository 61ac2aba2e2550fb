/// Trains several seeds of one run (group.c).
#include "group.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// ---- the list

/// Parses one whole number and moves *text past it.
static CelStatus take_number(const char **text, uint64_t *out) {
  char digits[32];
  const size_t n = strspn(*text, "0123456789");
  if (n == 0 || n >= sizeof digits)
    return cel_fail(CEL_E_TYPE, "--seeds: '%s' is not a list such as 1..5 or 1,2,7", *text);
  memcpy(digits, *text, n);
  digits[n] = 0;
  errno = 0;
  *out = strtoull(digits, NULL, 10);
  if (errno)
    return cel_fail(CEL_E_RANGE, "--seeds: %s is too large; the largest seed is %llu", digits,
                    (unsigned long long)UINT64_MAX);
  *text += n;
  return CEL_OK;
}

static CelStatus add_seed(uint64_t **seeds, int *n, uint64_t seed) {
  if (*n == CLI_RUNS_MAX)
    return cel_fail(CEL_E_RANGE, "--seeds: the list has more than %d seeds", CLI_RUNS_MAX);
  (*seeds)[(*n)++] = seed;
  return CEL_OK;
}

static int by_seed(const void *a, const void *b) {
  const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

/// Reports a repeated seed. The copy is sorted, because a list may have thousands of seeds.
static CelStatus check_once(const uint64_t *seeds, int n) {
  uint64_t *sorted = malloc((size_t)n * sizeof *sorted);
  if (!sorted) return cel_fail(CEL_E_MEMORY, "not enough memory for a list of seeds");
  memcpy(sorted, seeds, (size_t)n * sizeof *sorted);
  qsort(sorted, (size_t)n, sizeof *sorted, by_seed);
  CelStatus status = CEL_OK;
  for (int i = 1; i < n && status == CEL_OK; i++)
    if (sorted[i] == sorted[i - 1])
      status =
          cel_fail(CEL_E_ARGUMENT, "--seeds: %llu is given twice", (unsigned long long)sorted[i]);
  free(sorted);
  return status;
}

static CelStatus parse_into(const char *list, uint64_t **seeds, int *n) {
  const char *text = list;
  while (true) {
    uint64_t from = 0, to;
    CelStatus status = take_number(&text, &from);
    to = from;
    if (status == CEL_OK && strncmp(text, "..", 2) == 0) {
      text += 2;
      status = take_number(&text, &to);
      if (status == CEL_OK && to < from)
        status = cel_fail(CEL_E_RANGE, "--seeds: %llu..%llu runs backwards; write %llu..%llu",
                          (unsigned long long)from, (unsigned long long)to, (unsigned long long)to,
                          (unsigned long long)from);
    }
    for (uint64_t seed = from; status == CEL_OK; seed++) {
      status = add_seed(seeds, n, seed);
      if (seed == to) break;
    }
    if (status != CEL_OK) return status;
    if (*text == 0) return CEL_OK;
    if (*text++ != ',')
      return cel_fail(CEL_E_TYPE, "--seeds: '%s' is not a list such as 1..5 or 1,2,7", list);
  }
}

CelStatus cli_seeds_parse(const char *text, uint64_t **seeds, int *n) {
  *n = 0;
  *seeds = calloc(CLI_RUNS_MAX, sizeof **seeds);
  if (!*seeds) return cel_fail(CEL_E_MEMORY, "not enough memory for a list of seeds");
  CelStatus status = parse_into(text, seeds, n);
  if (status == CEL_OK) status = check_once(*seeds, *n);
  if (status == CEL_OK) return CEL_OK;
  free(*seeds);
  *seeds = NULL;
  return status;
}

// ---- the summary

/// Mean and interquartile mean of the returns.
static void average(const CliGroup *group, double *mean, double *middle) {
  double *values = calloc((size_t)group->n, sizeof *values);
  int n = 0;
  *mean = *middle = (double)NAN;
  if (!values) return;
  for (int i = 0; i < group->n; i++)
    if (group->jobs[i].state == CLI_JOB_DONE) values[n++] = group->jobs[i].result.mean_return;
  cli_average(values, n, mean, middle);
  free(values);
}

static CelStatus print_json(const CliGroup *group) {
  double mean, middle;
  average(group, &mean, &middle);
  cJSON *json = cJSON_CreateObject(), *runs = cJSON_AddArrayToObject(json, "runs");
  for (int i = 0; i < group->n; i++) {
    const CliJob *job = &group->jobs[i];
    if (job->state != CLI_JOB_DONE) continue;
    cJSON *run = cJSON_CreateObject();
    cJSON_AddNumberToObject(run, "seed", (double)job->seed);
    cJSON_AddStringToObject(run, "run", job->result.folder);
    cJSON_AddNumberToObject(run, "steps", (double)job->result.steps);
    cJSON_AddNumberToObject(run, "seconds", job->result.seconds);
    cJSON_AddNumberToObject(run, "mean_return", job->result.mean_return);
    cJSON_AddNumberToObject(run, "best_return", job->result.best_return);
    cJSON_AddItemToArray(runs, run);
  }
  cJSON_AddNumberToObject(json, "mean_return", mean);
  cJSON_AddNumberToObject(json, "iqm_return", middle);
  return cli_print_json(json);
}

static void print_table(const CliGroup *group) {
  double mean, middle;
  average(group, &mean, &middle);
  printf("%10s  %12s  %12s  %s\n", "seed", "mean return", "best", "run folder");
  for (int i = 0; i < group->n; i++) {
    const CliJob *job = &group->jobs[i];
    if (job->state == CLI_JOB_DONE)
      printf("%10llu  %12.5g  %12.5g  %s\n", (unsigned long long)job->seed, job->result.mean_return,
             job->result.best_return, job->result.folder);
    else
      printf("%10llu  %12s\n", (unsigned long long)job->seed, cli_job_state(job));
  }
  printf("mean %.5g, interquartile mean %.5g\n", mean, middle);
  char folder[CLI_QUOTE_MAX];
  printf("next step   celsius plot %s --out curve.png\n",
         cel_shell_quote(folder, sizeof folder, group->folder));
}

/// Runs the jobs of a group and prints the summary. Returns the exit code.
static int finish(CliGroup *group, CelStatus status) {
  if (status == CEL_OK) {
    if (!group->bar.quiet)
      cli_note("%d run%s, %d at once, in %s", group->n, cli_s(group->n), group->at_once,
               group->folder);
    status = cli_group_run(group);
  }
  cli_bar_clear(&group->bar);
  int code = status == CEL_OK ? cli_group_exit_code(group) : cli_error(status);
  if (status == CEL_OK && cli_group_count(group, CLI_JOB_DONE)) {
    if (!group->options->json) print_table(group);
    status = group->options->json ? print_json(group) : CEL_OK;
    if (status != CEL_OK) code = cli_error(status);
  }
  if (code == CEL_E_INTERRUPTED && cli_group_count(group, CLI_JOB_DONE) < group->n) {
    char folder[CLI_QUOTE_MAX];
    cli_note("to resume all runs: celsius train --resume %s%s",
             cel_shell_quote(folder, sizeof folder, group->folder),
             group->plugin ? " --allow-plugins" : "");
  }
  free(group->jobs);
  return code;
}

int cli_seeds_run(const CelSetup *setup, const uint64_t *seeds, int n, const CliSeeds *options) {
  CliGroup group = {.setup = setup,
                    .options = options,
                    .n = n,
                    .at_once = options->jobs,
                    .plugin = cli_is_plugin(setup->run.env),
                    .bar = cli_bar(options->quiet)};
  group.jobs = calloc((size_t)n, sizeof *group.jobs);
  if (!group.jobs) return cli_error(cel_fail(CEL_E_MEMORY, "not enough memory for %d runs", n));
  cli_signals_install();
  CelStatus status = cli_group_check_memory(setup, n < group.at_once ? n : group.at_once);
  if (status == CEL_OK) status = cli_group_choose_folder(&group, &setup->run, "seeds");
  for (int i = 0; i < n && status == CEL_OK; i++) {
    group.jobs[i].seed = seeds[i];
    status = cli_job_place(&group.jobs[i], group.folder);
    if (status == CEL_OK) status = cli_job_make(&group.jobs[i], setup);
  }
  return finish(&group, status);
}

// ---- resuming

/// Finds the seed K of a run's folder "seed-K". Returns false if `name` is not the folder of a run.
static bool seed_of(const char *folder, const char *name, uint64_t *seed) {
  char config[CEL_PATH_MAX];
  const char *digits = name + 5;
  if (strncmp(name, "seed-", 5) != 0 || *digits == 0) return false;
  if (strspn(digits, "0123456789") != strlen(digits)) return false;
  *seed = strtoull(digits, NULL, 10);
  const int n = snprintf(config, sizeof config, "%s/%s/config.yaml", folder, name);
  return n < (int)sizeof config && access(config, F_OK) == 0;
}

bool cli_seeds_folder(const char *folder) {
  uint64_t seed;
  char config[CEL_PATH_MAX];
  const int n = snprintf(config, sizeof config, "%s/config.yaml", folder);
  if (n >= (int)sizeof config || access(config, F_OK) == 0) return false;
  DIR *dir = opendir(folder);
  bool found = false;
  for (const struct dirent *entry; dir && !found && (entry = readdir(dir));)
    found = seed_of(folder, entry->d_name, &seed);
  if (dir) closedir(dir);
  return found;
}

static int by_job_seed(const void *a, const void *b) {
  const uint64_t x = ((const CliJob *)a)->seed, y = ((const CliJob *)b)->seed;
  return (x > y) - (x < y);
}

CelStatus cli_seeds_find(const char *folder, CliJob *jobs, int most, int *n) {
  DIR *dir = opendir(folder);
  uint64_t seed;
  *n = 0;
  if (!dir) return cel_fail(CEL_E_IO, "%s: %s", folder, strerror(errno));
  for (const struct dirent *entry; *n < most && (entry = readdir(dir));)
    if (seed_of(folder, entry->d_name, &seed)) jobs[(*n)++].seed = seed;
  closedir(dir);
  qsort(jobs, (size_t)*n, sizeof *jobs, by_job_seed);
  CelStatus status = CEL_OK;
  for (int i = 0; i < *n && status == CEL_OK; i++) status = cli_job_place(&jobs[i], folder);
  return status;
}

int cli_seeds_resume(const char *folder, const CliSeeds *options) {
  CliGroup group = {.options = options, .at_once = options->jobs, .bar = cli_bar(options->quiet)};
  group.jobs = calloc(CLI_RUNS_MAX, sizeof *group.jobs);
  if (!group.jobs) return cli_error(cel_fail(CEL_E_MEMORY, "not enough memory for a list of runs"));
  snprintf(group.folder, sizeof group.folder, "%s", folder);
  for (size_t n = strlen(group.folder); n > 1 && group.folder[n - 1] == '/';) group.folder[--n] = 0;
  cli_signals_install();
  CelStatus status = cli_seeds_find(group.folder, group.jobs, CLI_RUNS_MAX, &group.n);
  for (int i = 0; i < group.n && status == CEL_OK; i++)
    status = cli_job_read(&group, &group.jobs[i]);
  return finish(&group, status);
}
