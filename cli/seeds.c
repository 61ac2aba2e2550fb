/// Trains several seeds of one run. Each seed is a process of its own, so that a failure does not
/// affect the others.
///
/// A child reports its progress to the parent through a pipe, in messages of fixed size. It prints
/// notes and errors to the error stream itself.
#include "cli.h"
#include "train_guarantee.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SEEDS_MAX = 10000 };

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
  if (*n == SEEDS_MAX)
    return cel_fail(CEL_E_RANGE, "--seeds: the list has more than %d seeds", SEEDS_MAX);
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
  *seeds = calloc(SEEDS_MAX, sizeof **seeds);
  if (!*seeds) return cel_fail(CEL_E_MEMORY, "not enough memory for a list of seeds");
  CelStatus status = parse_into(text, seeds, n);
  if (status == CEL_OK) status = check_once(*seeds, *n);
  if (status == CEL_OK) return CEL_OK;
  free(*seeds);
  *seeds = NULL;
  return status;
}

// ---- a child

/// A message of the pipe. It is smaller than PIPE_BUF, so a write is atomic.
typedef struct Message {
  bool done;
  CelProgress progress;
  CelRunResult result;
} Message;

_Static_assert(sizeof(Message) <= PIPE_BUF, "a message arrives complete or not at all");

static void send_message(int fd, const Message *message) {
  ssize_t n;
  do n = write(fd, message, sizeof *message);
  while (n < 0 && errno == EINTR);
} // a full pipe drops a progress report; the last message is sent with blocking writes

/// User data of a child's hooks.
typedef struct Child {
  int fd;
  TrainGuarantee guarantee; ///< used if the run is checked
} Child;

static void child_progress(void *user, const CelProgress *progress) {
  const Message message = {.progress = *progress};
  send_message(((Child *)user)->fd, &message);
}

static CelStatus child_begun(void *user, CelAgent *agent, const CelEnvSpec *spec,
                             const char *folder) {
  return train_guarantee_begin(&((Child *)user)->guarantee, agent, spec, folder);
}

static CelStatus child_updated(void *user, CelAgent *agent) {
  return train_guarantee_step(&((Child *)user)->guarantee, agent);
}

static void child_note(void *user, const char *text) {
  (void)user;
  cli_note("%s", text);
}

static bool child_stop(void *user) {
  (void)user;
  return cli_stop_asked();
}

// ---- the parent

typedef enum State { WAITING, RUNNING, DONE, FAILED } State;

typedef struct Job {
  State state;
  bool broken; ///< a bound of a checked run did not hold
  uint64_t seed;
  char folder[CEL_PATH_MAX];
  bool fresh;    ///< this process made the folder, and it holds only config.yaml
  int64_t steps; ///< planned steps
  pid_t pid;
  int fd;
  int code; ///< exit code
  CelProgress progress;
  CelRunResult result;
} Job;

typedef struct Group {
  const CelSetup *setup; ///< NULL: the runs are resumed
  const CliSeeds *options;
  char folder[CEL_PATH_MAX];
  Job *jobs;
  int n, at_once;
  bool plugin; ///< the environment is a plugin
  bool told_stop;
  CliBar bar;
  char label[64];
} Group;

/// If the parent ends for any reason, a signal asks the child to save and stop.
static void follow_parent(pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) raise(SIGTERM); // the parent has ended already
}

static _Noreturn void child(const Group *group, const Job *job, const CelSetup *setup, int fd,
                            pid_t parent) {
  char prefix[64];
  Message message = {.done = true};
  follow_parent(parent);
  snprintf(prefix, sizeof prefix, "seed %llu: ", (unsigned long long)job->seed);
  cli_message_prefix(prefix);
  // A run that was trained with --guarantee keeps its checks, so that its table is complete. The
  // output would mix the rows of several runs, so each run writes only its guarantee.csv.
  const bool checked = train_guarantee_was(job->folder);
  Child self = {.fd = fd, .guarantee = {.silent = true}};
  const CelRunHooks hooks = {.user = &self,
                             .note = child_note,
                             .quiet = true,
                             .overwrite = group->options->overwrite || job->fresh,
                             .progress = child_progress,
                             .stop = child_stop,
                             .begun = checked ? child_begun : NULL,
                             .updated = checked ? child_updated : NULL};
  fcntl(fd, F_SETFL, O_NONBLOCK);
  const CelStatus status = setup
                               ? cel_setup_train(setup, &hooks, &message.result)
                               : cel_train_resume(job->folder, group->options->steps,
                                                  group->options->threads, &hooks, &message.result);
  fcntl(fd, F_SETFL, 0);
  if (status != CEL_OK) _exit(cli_error(status));
  send_message(fd, &message);
  const bool kept = !checked || train_guarantee_kept(&self.guarantee);
  if (!kept) cli_note("guarantee BROKEN: see %s/guarantee.csv", job->folder);
  _exit(kept ? 0 : 1);
}

static CelStatus make_folder(const char *path) {
  char part[CEL_PATH_MAX];
  snprintf(part, sizeof part, "%s", path);
  for (char *c = part + 1;; c++) {
    if (*c != '/' && *c != 0) continue;
    const char kept = *c;
    *c = 0;
    if (mkdir(part, 0777) != 0 && errno != EEXIST)
      return cel_fail(CEL_E_IO, "%s: cannot create this folder: %s", part, strerror(errno));
    *c = kept;
    if (!kept) break;
  }
  struct stat info;
  if (stat(path, &info) == 0 && !S_ISDIR(info.st_mode))
    return cel_fail(CEL_E_IO, "%s: this is not a folder; choose another name", path);
  if (access(path, W_OK | X_OK) == 0) return CEL_OK;
  return cel_fail(CEL_E_IO, "%s: cannot write to this folder: %s", path, strerror(errno));
}

/// Refuses the folder of a single run.
static CelStatus check_no_run(const char *folder) {
  char config[CEL_PATH_MAX];
  const int n = snprintf(config, sizeof config, "%s/config.yaml", folder);
  if (n >= (int)sizeof config)
    return cel_fail(CEL_E_RANGE, "the name of the folder '%.60s...' is too long", folder);
  if (access(config, F_OK) != 0) return CEL_OK;
  return cel_fail(CEL_E_IO, "%s: this folder holds a single run; choose another folder", folder);
}

/// True for an environment of a plugin, FILE.so:Name. No id of the library has a colon.
static bool is_plugin(const char *env) {
  return strchr(env, ':') != NULL;
}

/// The environment's name in the name of a folder: an id, Name of FILE.so:Name, or robot of
/// FOLDER/robot.yaml.
static void short_name(char *to, size_t size, const char *env) {
  const char *colon = strrchr(env, ':'), *slash = strrchr(env, '/'), *dot = strrchr(env, '.');
  if (colon) {
    snprintf(to, size, "%.100s", colon + 1);
  } else if (dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0)) {
    env = slash ? slash + 1 : env;
    snprintf(to, size, "%.*s", (int)(dot - env), env);
  } else {
    snprintf(to, size, "%.100s", env);
  }
}

/// Chooses the folder of all seeds: --out, or the first unused one of runs/ALGO-ENV-seeds,
/// runs/ALGO-ENV-seeds-2, ...
static CelStatus choose_folder(Group *group) {
  const CelRunConfig *run = &group->setup->run;
  if (run->out[0]) {
    snprintf(group->folder, sizeof group->folder, "%s", run->out);
    const CelStatus made = make_folder(group->folder);
    return made == CEL_OK ? check_no_run(group->folder) : made;
  }
  char id[128];
  short_name(id, sizeof id, run->env);
  CelStatus status = make_folder("runs");
  for (int k = 1; status == CEL_OK; k++) {
    const int n = snprintf(group->folder, sizeof group->folder, "runs/%s-%s-seeds", run->algo, id);
    if (k > 1) snprintf(group->folder + n, sizeof group->folder - (size_t)n, "-%d", k);
    if (mkdir(group->folder, 0777) == 0) return CEL_OK;
    if (errno != EEXIST)
      return cel_fail(CEL_E_IO, "%s: cannot create this folder: %s", group->folder,
                      strerror(errno));
  }
  return status;
}

static CelStatus name_folder(const Group *group, Job *job) {
  const int n = snprintf(job->folder, sizeof job->folder, "%s/seed-%llu", group->folder,
                         (unsigned long long)job->seed);
  if (n >= (int)sizeof job->folder)
    return cel_fail(CEL_E_RANGE, "the name of the folder '%.60s...' is too long", group->folder);
  return CEL_OK;
}

/// Makes the folder of a run that has not started, with its config.yaml.
static CelStatus make_run(Group *group, Job *job) {
  char path[CEL_PATH_MAX + 16];
  CelSetup setup = *group->setup;
  job->steps = setup.run.steps;
  const CelStatus status = name_folder(group, job);
  if (status != CEL_OK || mkdir(job->folder, 0777) != 0)
    return status; // if the folder cannot be made, the run itself reports why
  job->fresh = true;
  setup.run.seed = job->seed, setup.run.out[0] = 0;
  snprintf(path, sizeof path, "%s/config.yaml", job->folder);
  return cel_setup_write(&setup, path);
}

static CelStatus start_job(Group *group, Job *job) {
  int ends[2];
  CelSetup setup;
  if (group->setup) {
    setup = *group->setup;
    setup.run.seed = job->seed;
    snprintf(setup.run.out, sizeof setup.run.out, "%s", job->folder);
  }
  const pid_t parent = getpid();
  if (pipe2(ends, O_CLOEXEC) != 0)
    return cel_fail(CEL_E_MEMORY, "cannot make a pipe: %s", strerror(errno));
  fflush(stdout);
  fflush(stderr);
  job->pid = fork();
  if (job->pid == 0) {
    close(ends[0]);
    child(group, job, group->setup ? &setup : NULL, ends[1], parent);
  }
  close(ends[1]);
  if (job->pid < 0) {
    close(ends[0]);
    return cel_fail(CEL_E_MEMORY, "cannot start a process: %s", strerror(errno));
  }
  job->fd = ends[0];
  job->state = RUNNING;
  job->progress.total_steps = job->steps;
  return CEL_OK;
}

static int count_state(const Group *group, State state) {
  int n = 0;
  for (int i = 0; i < group->n; i++) n += group->jobs[i].state == state;
  return n;
}

/// Shows one bar for all runs: their total steps, and the mean of their returns.
static void show(Group *group, double start) {
  CelProgress all = {.mean_return = (double)NAN, .eval_return = (double)NAN};
  double returns = 0, evals = 0;
  int n_returns = 0, n_evals = 0;
  for (int i = 0; i < group->n; i++) {
    const Job *job = &group->jobs[i];
    const CelProgress *p = &job->progress;
    all.total_steps += job->steps;
    all.steps += job->state == DONE ? job->steps : p->steps;
    if (job->state == RUNNING) all.steps_per_second += p->steps_per_second;
    if (job->state != RUNNING || p->total_steps == 0 || p->steps == 0) continue;
    if (!isnan(p->mean_return)) returns += p->mean_return, n_returns++;
    if (!isnan(p->eval_return)) evals += p->eval_return, n_evals++;
  }
  if (n_returns) all.mean_return = returns / n_returns;
  if (n_evals) all.eval_return = evals / n_evals;
  all.seconds = cli_seconds() - start;
  all.fraction = (double)all.steps / (double)all.total_steps;
  if (all.steps >= all.total_steps) { // no run is active, so show the average speed of all
    all.steps_per_second = all.seconds > 0 ? (double)all.steps / all.seconds : 0;
    all.fraction = 1;
  }
  all.eta = all.steps_per_second > 0 ? (double)(all.total_steps - all.steps) / all.steps_per_second
                                     : (double)NAN;
  snprintf(group->label, sizeof group->label, "%d of %d done", count_state(group, DONE), group->n);
  group->bar.label = group->label;
  cli_bar_show(&group->bar, &all);
}

static void end_job(Group *group, Job *job) {
  int status;
  while (waitpid(job->pid, &status, 0) < 0 && errno == EINTR) continue;
  close(job->fd);
  cli_bar_clear(&group->bar);
  if (job->state != DONE) {
    job->state = FAILED;
    job->code = WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : 1;
    if (WIFSIGNALED(status)) {
      cli_note("seed %llu: the process was ended by signal %d", (unsigned long long)job->seed,
               WTERMSIG(status));
      job->code = 128 + WTERMSIG(status);
    }
    return;
  }
  job->broken = WIFEXITED(status) && WEXITSTATUS(status) == 1;
  char duration[32];
  if (!group->bar.quiet)
    cli_note("seed %llu: mean return %.5g in %s", (unsigned long long)job->seed,
             job->result.mean_return, cli_duration(duration, job->result.seconds));
}

/// Reads the messages of the children. Ends the jobs whose pipe is closed.
static void receive(Group *group) {
  for (int i = 0; i < group->n; i++) {
    Job *job = &group->jobs[i];
    if (job->state != RUNNING && !(job->state == DONE && job->pid > 0)) continue;
    struct pollfd wait = {job->fd, POLLIN, 0};
    while (poll(&wait, 1, 0) > 0) {
      Message message;
      const ssize_t n = read(job->fd, &message, sizeof message);
      if (n == (ssize_t)sizeof message) {
        if (message.done) {
          job->state = DONE;
          job->result = message.result;
        } else {
          job->progress = message.progress;
        }
        continue;
      }
      if (n < 0 && errno == EINTR) continue;
      end_job(group, job);
      job->pid = 0;
      break;
    }
  }
}

static int count_alive(const Group *group) {
  int n = 0;
  for (int i = 0; i < group->n; i++) n += group->jobs[i].pid > 0;
  return n;
}

/// Passes a request to stop to the children, once. Ctrl-C on a terminal, or a signal to the process
/// group, has reached them already. A second signal of that kind would end them before they are
/// saved, so this one is SIGUSR1.
static void pass_stop(Group *group) {
  if (!cli_stop_asked() || group->told_stop) return;
  group->told_stop = true;
  for (int i = 0; i < group->n; i++)
    if (group->jobs[i].pid > 0) kill(group->jobs[i].pid, SIGUSR1);
}

static CelStatus run_group(Group *group) {
  const double began = cli_seconds();
  CelStatus status = CEL_OK;
  while (true) {
    for (int i = 0; i < group->n && status == CEL_OK && !cli_stop_asked(); i++)
      if (group->jobs[i].state == WAITING && count_alive(group) < group->at_once)
        status = start_job(group, &group->jobs[i]);
    if (count_alive(group) == 0) break;
    poll(NULL, 0, 50);
    receive(group);
    pass_stop(group);
    if (count_alive(group)) show(group, began);
  }
  if (count_state(group, DONE) == group->n) show(group, began); // the line with 100%
  return status;
}

// ---- the summary

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/// Computes the mean and the interquartile mean of the returns. The latter leaves out the lowest
/// and the highest floor(n/4) runs, as plots do.
static void average(const Group *group, double *mean, double *middle) {
  double *values = calloc((size_t)group->n, sizeof *values);
  double sum = 0, inner = 0;
  int n = 0;
  *mean = *middle = (double)NAN;
  if (!values) return;
  for (int i = 0; i < group->n; i++)
    if (group->jobs[i].state == DONE) values[n++] = group->jobs[i].result.mean_return;
  qsort(values, (size_t)n, sizeof *values, by_value);
  const int cut = n / 4;
  for (int i = 0; i < n; i++) {
    sum += values[i];
    if (i >= cut && i < n - cut) inner += values[i];
  }
  if (n) *mean = sum / n, *middle = inner / (n - 2 * cut);
  free(values);
}

static CelStatus print_json(const Group *group) {
  double mean, middle;
  average(group, &mean, &middle);
  cJSON *json = cJSON_CreateObject(), *runs = cJSON_AddArrayToObject(json, "runs");
  for (int i = 0; i < group->n; i++) {
    const Job *job = &group->jobs[i];
    if (job->state != DONE) continue;
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

static void print_table(const Group *group) {
  double mean, middle;
  average(group, &mean, &middle);
  printf("%10s  %12s  %12s  %s\n", "seed", "mean return", "best", "run folder");
  for (int i = 0; i < group->n; i++) {
    const Job *job = &group->jobs[i];
    if (job->state == DONE)
      printf("%10llu  %12.5g  %12.5g  %s\n", (unsigned long long)job->seed, job->result.mean_return,
             job->result.best_return, job->result.folder);
    else
      printf("%10llu  %12s\n", (unsigned long long)job->seed,
             job->state == WAITING            ? "not started"
             : job->code == CEL_E_INTERRUPTED ? "stopped"
                                              : "failed");
  }
  printf("mean %.5g, interquartile mean %.5g\n", mean, middle);
  char folder[CLI_QUOTE_MAX];
  printf("next step   celsius plot %s --out curve.png\n",
         cel_shell_quote(folder, sizeof folder, group->folder));
}

static int exit_code(const Group *group) {
  for (int i = 0; i < group->n; i++)
    if (group->jobs[i].state == FAILED) return group->jobs[i].code;
  for (int i = 0; i < group->n; i++)
    if (group->jobs[i].broken) return 1;
  return count_state(group, WAITING) ? CEL_E_INTERRUPTED : CEL_OK;
}

/// Checks that all simultaneous runs together fit into memory. Each run checks itself too, but at
/// that time the buffers of the others still count as free.
static CelStatus check_memory(const Group *group) {
  static const double gib = 1024.0 * 1024.0 * 1024.0;
  const CelRunConfig *run = &group->setup->run;
  const int runs = group->n < group->at_once ? group->n : group->at_once;
  CelEnvSpec *spec = NULL;
  CelAgent *agent = NULL;
  CelInfo info;
  if (runs < 2) return CEL_OK;
  cel_info(&info);
  CelAgentOptions options = cel_agent_options_default();
  options.n_envs = run->n_envs, options.seed = run->seed;
  CelStatus status = cel_setup_env(group->setup, &spec);
  if (status == CEL_OK)
    status = cel_agent_create(&agent, run->algo, group->setup->algo_config, &spec->observation,
                              &spec->action, &options);
  if (status == CEL_OK) {
    const double each = (double)cel_tensors_bytes(cel_agent_tensors(agent));
    if (runs * each > (double)info.memory_available)
      status = cel_fail(CEL_E_MEMORY,
                        "%d runs at once need %.3g GiB (%.3g GiB each), but only %.3g GiB are "
                        "available; use fewer --jobs",
                        runs, runs * each / gib, each / gib, (double)info.memory_available / gib);
  }
  cel_agent_destroy(agent);
  cel_env_spec_destroy(spec);
  return status;
}

/// Runs the jobs of a group and prints the summary. Returns the exit code.
static int finish(Group *group, CelStatus status) {
  if (status == CEL_OK) {
    if (!group->bar.quiet)
      cli_note("%d run%s, %d at once, in %s", group->n, cli_s(group->n), group->at_once,
               group->folder);
    status = run_group(group);
  }
  cli_bar_clear(&group->bar);
  int code = status == CEL_OK ? exit_code(group) : cli_error(status);
  if (status == CEL_OK && count_state(group, DONE)) {
    if (!group->options->json) print_table(group);
    status = group->options->json ? print_json(group) : CEL_OK;
    if (status != CEL_OK) code = cli_error(status);
  }
  if (code == CEL_E_INTERRUPTED && count_state(group, DONE) < group->n) {
    char folder[CLI_QUOTE_MAX];
    cli_note("to resume all runs: celsius train --resume %s%s",
             cel_shell_quote(folder, sizeof folder, group->folder),
             group->plugin ? " --allow-plugins" : "");
  }
  free(group->jobs);
  return code;
}

int cli_seeds_run(const CelSetup *setup, const uint64_t *seeds, int n, const CliSeeds *options) {
  Group group = {.setup = setup,
                 .options = options,
                 .n = n,
                 .at_once = options->jobs,
                 .plugin = is_plugin(setup->run.env),
                 .bar = cli_bar(options->quiet)};
  group.jobs = calloc((size_t)n, sizeof *group.jobs);
  if (!group.jobs) return cli_error(cel_fail(CEL_E_MEMORY, "not enough memory for %d runs", n));
  cli_signals_install();
  CelStatus status = check_memory(&group);
  if (status == CEL_OK) status = choose_folder(&group);
  for (int i = 0; i < n && status == CEL_OK; i++) {
    group.jobs[i].seed = seeds[i];
    status = make_run(&group, &group.jobs[i]);
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
  const uint64_t x = ((const Job *)a)->seed, y = ((const Job *)b)->seed;
  return (x > y) - (x < y);
}

/// Finds the runs of a folder, sorted by seed.
static CelStatus find_runs(Group *group) {
  DIR *dir = opendir(group->folder);
  uint64_t seed;
  if (!dir) return cel_fail(CEL_E_IO, "%s: %s", group->folder, strerror(errno));
  for (const struct dirent *entry; group->n < SEEDS_MAX && (entry = readdir(dir));)
    if (seed_of(group->folder, entry->d_name, &seed)) group->jobs[group->n++].seed = seed;
  closedir(dir);
  qsort(group->jobs, (size_t)group->n, sizeof *group->jobs, by_job_seed);
  return CEL_OK;
}

/// Sets a job's folder and its planned steps. Notes in the group if its environment is a plugin.
static CelStatus find_plan(Group *group, Job *job) {
  char path[CEL_PATH_MAX + 16], steps[CEL_TEXT_MAX] = "", env[CEL_PATH_MAX] = "";
  bool found;
  CelStatus status = name_folder(group, job);
  snprintf(path, sizeof path, "%s/config.yaml", job->folder);
  if (status == CEL_OK) status = cel_yaml_peek(path, "steps", steps, sizeof steps, &found);
  if (status == CEL_OK) status = cel_yaml_peek(path, "env", env, sizeof env, &found);
  if (is_plugin(env)) group->plugin = true;
  job->steps = group->options->steps ? group->options->steps : (int64_t)strtod(steps, NULL);
  return status;
}

int cli_seeds_resume(const char *folder, const CliSeeds *options) {
  Group group = {.options = options, .at_once = options->jobs, .bar = cli_bar(options->quiet)};
  group.jobs = calloc(SEEDS_MAX, sizeof *group.jobs);
  if (!group.jobs) return cli_error(cel_fail(CEL_E_MEMORY, "not enough memory for a list of runs"));
  snprintf(group.folder, sizeof group.folder, "%s", folder);
  for (size_t n = strlen(group.folder); n > 1 && group.folder[n - 1] == '/';) group.folder[--n] = 0;
  cli_signals_install();
  CelStatus status = find_runs(&group);
  for (int i = 0; i < group.n && status == CEL_OK; i++) status = find_plan(&group, &group.jobs[i]);
  return finish(&group, status);
}
