/// Trains the runs of a group, each in a process of its own, so that a failure does not affect the
/// others. Interface: group.h.
///
/// A child reports its progress to the parent through a pipe, in messages of fixed size. It prints
/// notes and errors to the error stream itself.
#include "group.h"
#include "train_guarantee.h"

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

/// If the parent ends for any reason, a signal asks the child to save and stop.
static void follow_parent(pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) raise(SIGTERM); // the parent has ended already
}

static _Noreturn void child(const CliGroup *group, const CliJob *job, const CelSetup *setup, int fd,
                            pid_t parent) {
  char prefix[sizeof job->name + 2];
  Message message = {.done = true};
  follow_parent(parent);
  snprintf(prefix, sizeof prefix, "%s: ", job->name);
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

static CelStatus start_job(CliGroup *group, CliJob *job) {
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
  job->state = CLI_JOB_RUNNING;
  job->progress.total_steps = job->steps;
  return CEL_OK;
}

int cli_group_count(const CliGroup *group, CliJobState state) {
  int n = 0;
  for (int i = 0; i < group->n; i++) n += group->jobs[i].state == state;
  return n;
}

/// Shows one bar for all runs: their total steps, and the mean of their returns.
static void show(CliGroup *group, double start) {
  CelProgress all = {.mean_return = (double)NAN, .eval_return = (double)NAN};
  double returns = 0, evals = 0;
  int n_returns = 0, n_evals = 0;
  for (int i = 0; i < group->n; i++) {
    const CliJob *job = &group->jobs[i];
    const CelProgress *p = &job->progress;
    all.total_steps += job->steps;
    all.steps += job->state == CLI_JOB_DONE ? job->steps : p->steps;
    if (job->state == CLI_JOB_RUNNING) all.steps_per_second += p->steps_per_second;
    if (job->state != CLI_JOB_RUNNING || p->total_steps == 0 || p->steps == 0) continue;
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
  snprintf(group->label, sizeof group->label, "%d of %d done", cli_group_count(group, CLI_JOB_DONE),
           group->n);
  group->bar.label = group->label;
  cli_bar_show(&group->bar, &all);
}

static void end_job(CliGroup *group, CliJob *job) {
  int status;
  while (waitpid(job->pid, &status, 0) < 0 && errno == EINTR) continue;
  close(job->fd);
  cli_bar_clear(&group->bar);
  if (job->state != CLI_JOB_DONE) {
    job->state = CLI_JOB_FAILED;
    job->code = WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : 1;
    if (WIFSIGNALED(status)) {
      cli_note("%s: the process was ended by signal %d", job->name, WTERMSIG(status));
      job->code = 128 + WTERMSIG(status);
    }
    return;
  }
  job->broken = WIFEXITED(status) && WEXITSTATUS(status) == 1;
  char duration[32];
  if (!group->bar.quiet)
    cli_note("%s: mean return %.5g in %s", job->name, job->result.mean_return,
             cli_duration(duration, job->result.seconds));
}

/// Reads the messages of the children. Ends the jobs whose pipe is closed.
static void receive(CliGroup *group) {
  for (int i = 0; i < group->n; i++) {
    CliJob *job = &group->jobs[i];
    if (job->state != CLI_JOB_RUNNING && !(job->state == CLI_JOB_DONE && job->pid > 0)) continue;
    struct pollfd wait = {job->fd, POLLIN, 0};
    while (poll(&wait, 1, 0) > 0) {
      Message message;
      const ssize_t n = read(job->fd, &message, sizeof message);
      if (n == (ssize_t)sizeof message) {
        if (message.done) {
          job->state = CLI_JOB_DONE;
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

static int count_alive(const CliGroup *group) {
  int n = 0;
  for (int i = 0; i < group->n; i++) n += group->jobs[i].pid > 0;
  return n;
}

/// Passes a request to stop to the children, once. Ctrl-C on a terminal, or a signal to the process
/// group, has reached them already. A second signal of that kind would end them before they are
/// saved, so this one is SIGUSR1.
static void pass_stop(CliGroup *group) {
  if (!cli_stop_asked() || group->told_stop) return;
  group->told_stop = true;
  for (int i = 0; i < group->n; i++)
    if (group->jobs[i].pid > 0) kill(group->jobs[i].pid, SIGUSR1);
}

CelStatus cli_group_run(CliGroup *group) {
  const double began = cli_seconds();
  CelStatus status = CEL_OK;
  while (true) {
    for (int i = 0; i < group->n && status == CEL_OK && !cli_stop_asked(); i++)
      if (group->jobs[i].state == CLI_JOB_WAITING && count_alive(group) < group->at_once)
        status = start_job(group, &group->jobs[i]);
    if (count_alive(group) == 0) break;
    poll(NULL, 0, 50);
    receive(group);
    pass_stop(group);
    if (count_alive(group)) show(group, began);
  }
  if (cli_group_count(group, CLI_JOB_DONE) == group->n) show(group, began); // the line with 100%
  return status;
}

CelStatus cli_group_check_memory(const CelSetup *setup, int runs) {
  static const double gib = 1024.0 * 1024.0 * 1024.0;
  const CelRunConfig *run = &setup->run;
  CelEnvSpec *spec = NULL;
  CelAgent *agent = NULL;
  CelInfo info;
  if (runs < 2) return CEL_OK;
  cel_info(&info);
  CelAgentOptions options = cel_agent_options_default();
  options.n_envs = run->n_envs, options.seed = run->seed;
  CelStatus status = cel_setup_env(setup, &spec);
  if (status == CEL_OK)
    status = cel_agent_create(&agent, run->algo, setup->algo_config, &spec->observation,
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

int cli_group_exit_code(const CliGroup *group) {
  for (int i = 0; i < group->n; i++)
    if (group->jobs[i].state == CLI_JOB_FAILED) return group->jobs[i].code;
  for (int i = 0; i < group->n; i++)
    if (group->jobs[i].broken) return 1;
  return cli_group_count(group, CLI_JOB_WAITING) ? CEL_E_INTERRUPTED : CEL_OK;
}

const char *cli_job_state(const CliJob *job) {
  if (job->state == CLI_JOB_WAITING) return "not started";
  return job->code == CEL_E_INTERRUPTED ? "stopped" : "failed";
}

// ---- folders

bool cli_is_plugin(const char *env) {
  return strchr(env, ':') != NULL;
}

CelStatus cli_make_folder(const char *path) {
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

CelStatus cli_group_choose_folder(CliGroup *group, const CelRunConfig *run, const char *what) {
  if (run->out[0]) {
    snprintf(group->folder, sizeof group->folder, "%s", run->out);
    const CelStatus made = cli_make_folder(group->folder);
    return made == CEL_OK ? check_no_run(group->folder) : made;
  }
  char id[128];
  short_name(id, sizeof id, run->env);
  CelStatus status = cli_make_folder("runs");
  for (int k = 1; status == CEL_OK; k++) {
    const int n =
        snprintf(group->folder, sizeof group->folder, "runs/%s-%s-%s", run->algo, id, what);
    if (k > 1) snprintf(group->folder + n, sizeof group->folder - (size_t)n, "-%d", k);
    if (mkdir(group->folder, 0777) == 0) return CEL_OK;
    if (errno != EEXIST)
      return cel_fail(CEL_E_IO, "%s: cannot create this folder: %s", group->folder,
                      strerror(errno));
  }
  return status;
}

CelStatus cli_job_place(CliJob *job, const char *parent) {
  snprintf(job->name, sizeof job->name, "seed %llu", (unsigned long long)job->seed);
  const int n = snprintf(job->folder, sizeof job->folder, "%s/seed-%llu", parent,
                         (unsigned long long)job->seed);
  if (n >= (int)sizeof job->folder)
    return cel_fail(CEL_E_RANGE, "the name of the folder '%.60s...' is too long", parent);
  return CEL_OK;
}

CelStatus cli_job_make(CliJob *job, const CelSetup *setup) {
  char path[CEL_PATH_MAX + 16];
  CelSetup own = *setup;
  job->steps = own.run.steps;
  if (mkdir(job->folder, 0777) != 0)
    return CEL_OK; // if the folder cannot be made, the run itself reports why
  job->fresh = true;
  own.run.seed = job->seed, own.run.out[0] = 0;
  snprintf(path, sizeof path, "%s/config.yaml", job->folder);
  return cel_setup_write(&own, path);
}

CelStatus cli_job_read(CliGroup *group, CliJob *job) {
  char path[CEL_PATH_MAX + 16], steps[CEL_TEXT_MAX] = "", env[CEL_PATH_MAX] = "";
  bool found;
  snprintf(path, sizeof path, "%s/config.yaml", job->folder);
  CelStatus status = cel_yaml_peek(path, "steps", steps, sizeof steps, &found);
  if (status == CEL_OK) status = cel_yaml_peek(path, "env", env, sizeof env, &found);
  if (cli_is_plugin(env)) group->plugin = true;
  job->steps = group->options->steps ? group->options->steps : (int64_t)strtod(steps, NULL);
  return status;
}

// ---- summaries

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

void cli_average(double *values, int n, double *mean, double *middle) {
  const int cut = n / 4;
  double sum = 0, inner = 0;
  qsort(values, (size_t)n, sizeof *values, by_value);
  for (int i = 0; i < n; i++) {
    sum += values[i];
    if (i >= cut && i < n - cut) inner += values[i];
  }
  *mean = n ? sum / n : (double)NAN;
  *middle = n ? inner / (n - 2 * cut) : (double)NAN;
}
