/// The run folder: creating and locking it, and its checkpoints.
#include "run/runfolder.h"
#include "algo/algo.h"
#include "base/base.h"
#include "celsius/safetensors.h"
#include "env/env_internal.h"
#include "run/config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

CelStatus celi_path_join(char path[CEL_PATH_MAX], const char *folder, const char *name) {
  const int n = snprintf(path, CEL_PATH_MAX, "%s/%s", folder, name);
  if (n >= CEL_PATH_MAX)
    return cel_fail(CEL_E_RANGE, "the path '%.60s.../%s' is longer than %d bytes", folder, name,
                    CEL_PATH_MAX - 1);
  return CEL_OK;
}

CelStatus celi_folder_make(const char *path) {
  char part[CEL_PATH_MAX];
  const size_t n = strlen(path);
  if (n == 0 || n >= sizeof part)
    return cel_fail(CEL_E_RANGE, "the folder's path is %zu bytes long; it must be 1 to 4095 bytes",
                    n);
  memcpy(part, path, n + 1);
  for (size_t i = 1; i <= n; i++) {
    if (part[i] != '/' && part[i] != 0) continue;
    const char kept = part[i];
    part[i] = 0;
    if (mkdir(part, 0777) != 0 && errno != EEXIST)
      return celi_fail_errno(part, "the folder cannot be created", errno);
    part[i] = kept;
  }
  struct stat info;
  if (stat(path, &info) != 0) return celi_fail_errno(path, "cannot be read", errno);
  if (!S_ISDIR(info.st_mode)) return celi_fail_errno(path, "the folder cannot be created", ENOTDIR);
  return CEL_OK;
}

// ---- a new run's folder

static CelStatus check_empty(const char *path, bool overwrite) {
  DIR *dir = opendir(path);
  if (!dir) return celi_fail_errno(path, "the folder cannot be opened", errno);
  bool empty = true;
  for (const struct dirent *entry; empty && (entry = readdir(dir));)
    empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
  closedir(dir);
  if (empty) return CEL_OK;
  char config[CEL_PATH_MAX];
  const bool is_run =
      celi_path_join(config, path, "config.yaml") == CEL_OK && access(config, F_OK) == 0;
  if (is_run && overwrite) return CEL_OK;
  return cel_fail(CEL_E_IO, "%s: %s; choose another folder%s%s%s", path,
                  is_run ? "the folder already holds a run" : "the folder is not empty",
                  is_run ? ", or resume the run: celsius train --resume " : "", is_run ? path : "",
                  is_run ? ", or replace the run: --overwrite" : "");
}

static bool starts_with(const char *name, const char *head) {
  return strncmp(name, head, strlen(head)) == 0;
}

static bool is_result(const char *name) {
  static const char *const names[] = {"best.safetensors", "final.safetensors", "progress.csv",
                                      "evaluations.csv", "guarantee.csv"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (strcmp(name, names[i]) == 0) return true;
  return starts_with(name, "events.out.tfevents.");
}

static bool is_checkpoint(const char *name) {
  return starts_with(name, "step-");
}

static bool is_segment(const char *name) {
  return starts_with(name, "rows-");
}

/// Deletes the files of a folder for which `is_one` is true. A missing folder is no error. inside:
/// the folder is part of a run folder, where symbolic links are not followed.
static CelStatus delete_files(const char *path, bool inside, bool (*is_one)(const char *name)) {
  const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (inside ? O_NOFOLLOW : 0));
  if (fd < 0 && errno == ENOENT) return CEL_OK;
  DIR *dir = fd < 0 ? NULL : fdopendir(fd);
  if (!dir) {
    const int error = errno;
    if (fd >= 0) close(fd);
    return celi_fail_errno(path, "the folder cannot be opened", error);
  }
  CelStatus status = CEL_OK;
  for (const struct dirent *entry; status == CEL_OK && (entry = readdir(dir));)
    if (is_one(entry->d_name) && unlinkat(dirfd(dir), entry->d_name, 0) != 0 && errno != ENOENT)
      status = celi_fail_errno(entry->d_name, "cannot be deleted", errno);
  closedir(dir);
  return status;
}

CelStatus celi_runfolder_clear(const char *folder, bool all) {
  char path[CEL_PATH_MAX];
  CELI_TRY(celi_path_join(path, folder, "checkpoints"));
  CELI_TRY(delete_files(path, true, is_checkpoint));
  CELI_TRY(celi_path_join(path, folder, "replay"));
  CELI_TRY(delete_files(path, true, is_segment));
  CELI_TRY(delete_files(folder, false, is_result));
  CELI_TRY(celi_path_join(path, folder, "config.yaml"));
  if (all && unlink(path) != 0 && errno != ENOENT)
    return celi_fail_errno(path, "cannot be deleted", errno);
  return CEL_OK;
}

/// Writes an environment's id in a form that file names can contain.
static void clean_name(char *to, size_t size, const char *id) {
  const char *colon = strrchr(id, ':'), *slash = strrchr(id, '/');
  if (celi_env_file_is(id)) {
    id = slash ? slash + 1 : id;
    const int n = (int)(strrchr(id, '.') - id);
    snprintf(to, size, "%.*s", n < 100 ? n : 100, id);
  } else {
    snprintf(to, size, "%.100s", colon ? colon + 1 : id);
  }
  for (char *c = to; *c; c++)
    if (*c == '/' || *c == ' ') *c = '-';
}

static CelStatus first_free(const CelSetup *setup, char folder[CEL_PATH_MAX]) {
  char id[128];
  clean_name(id, sizeof id, setup->run.env);
  CELI_TRY(celi_folder_make("runs"));
  for (int k = 1; k < 1000000; k++) {
    const int n = snprintf(folder, CEL_PATH_MAX, "runs/%s-%s-%llu", setup->run.algo, id,
                           (unsigned long long)setup->run.seed);
    if (k > 1) snprintf(folder + n, (size_t)(CEL_PATH_MAX - n), "-%d", k);
    if (mkdir(folder, 0777) == 0) return CEL_OK;
    if (errno != EEXIST) return celi_fail_errno(folder, "the folder cannot be created", errno);
  }
  return cel_fail(CEL_E_IO, "no free folder name; the last one tried is %s", folder);
}

CelStatus celi_runfolder_create(const CelSetup *setup, bool overwrite, char folder[CEL_PATH_MAX]) {
  if (setup->run.out[0]) {
    snprintf(folder, CEL_PATH_MAX, "%s", setup->run.out);
    for (size_t n = strlen(folder); n > 1 && folder[n - 1] == '/';) folder[--n] = 0;
    CELI_TRY(celi_folder_make(folder));
    CELI_TRY(check_empty(folder, overwrite));
  } else {
    CELI_TRY(first_free(setup, folder));
  }
  char checkpoints[CEL_PATH_MAX];
  CELI_TRY(celi_path_join(checkpoints, folder, "checkpoints"));
  return celi_folder_make(checkpoints);
}

/// Finds the first run by name directly inside a folder, such as a folder of --seeds.
static bool find_run_inside(const char *folder, char run[CEL_PATH_MAX]) {
  struct dirent **entries;
  bool found = false;
  const int n = scandir(folder, &entries, NULL, alphasort);
  for (int i = 0; i < n; i++) {
    char config[CEL_PATH_MAX];
    if (!found && entries[i]->d_name[0] != '.')
      found = celi_path_join(run, folder, entries[i]->d_name) == CEL_OK &&
              celi_path_join(config, run, "config.yaml") == CEL_OK && access(config, F_OK) == 0;
    free(entries[i]);
  }
  if (n >= 0) free(entries);
  return found;
}

CelStatus celi_runfolder_check(const char *folder, char config[CEL_PATH_MAX]) {
  struct stat info;
  CELI_TRY(celi_path_join(config, folder, "config.yaml"));
  if (stat(folder, &info) != 0) return celi_fail_errno(folder, "the run cannot be opened", errno);
  if (!S_ISDIR(info.st_mode))
    return cel_fail(CEL_E_IO, "%s: this is a file; give the folder of the run", folder);
  if (access(config, F_OK) == 0) return CEL_OK;
  char run[CEL_PATH_MAX];
  if (find_run_inside(folder, run))
    return cel_fail(CEL_E_IO, "%s: this folder holds several runs; give one of them, such as %s",
                    folder, run);
  return cel_fail(CEL_E_IO, "%s: this is not a run folder (it has no config.yaml)", folder);
}

CelStatus celi_runfolder_lock(const char *path, CeliFolder *folder) {
  CELI_TRY(celi_folder_open(folder, path));
  CelStatus status = CEL_OK;
  if (flock(folder->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    status = cel_fail(
        CEL_E_STATE,
        "%s: another process is training in this folder; wait until it ends, or stop it", path);
  // Any other error: the file system has no locks, and the run proceeds without one.
  if (status == CEL_OK) status = celi_folder_clean(folder);
  if (status != CEL_OK) celi_folder_close(folder);
  return status;
}

CelStatus celi_runfolder_open_parts(const CeliFolder *folder, CeliFolder *checkpoints,
                                    CeliFolder *replay) {
  static const char *const files[] = {"config.yaml",  "best.safetensors", "final.safetensors",
                                      "progress.csv", "evaluations.csv",  "guarantee.csv"};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++)
    CELI_TRY(celi_folder_check_link(folder, files[i]));
  CELI_TRY(celi_folder_open_in(checkpoints, folder, "checkpoints", true));
  CELI_TRY(celi_folder_open_in(replay, folder, "replay", true));
  CELI_TRY(celi_folder_clean(checkpoints));
  return celi_folder_clean(replay);
}

// ---- checkpoints

void celi_checkpoint_name(char name[64], int64_t step) {
  snprintf(name, 64, "step-%09lld.safetensors", (long long)step);
}

CelStatus celi_checkpoint_path(char path[CEL_PATH_MAX], const char *folder, int64_t step) {
  char name[64], within[80];
  celi_checkpoint_name(name, step);
  snprintf(within, sizeof within, "checkpoints/%s", name);
  return celi_path_join(path, folder, within);
}

/// The step in a checkpoint's file name, or -1 for other names.
static int64_t step_of(const char *name) {
  char digits[32];
  int64_t step;
  const size_t n = strlen(name), head = strlen("step-"), tail = strlen(".safetensors");
  if (n <= head + tail || n - head - tail >= sizeof digits) return -1;
  if (strncmp(name, "step-", head) != 0 || strcmp(name + n - tail, ".safetensors") != 0) return -1;
  memcpy(digits, name + head, n - head - tail);
  digits[n - head - tail] = 0;
  const char *first = digits + strspn(digits, "0");
  if (strspn(digits, "0123456789") != strlen(digits)) return -1;
  return *first == 0 ? 0 : celi_parse_i64(first, &step) == CELI_NUMBER_OK ? step : -1;
}

static int newer_first(const void *a, const void *b) {
  const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x < y) - (x > y);
}

CelStatus celi_checkpoint_list(const char *folder, int64_t **steps, int64_t *n) {
  char path[CEL_PATH_MAX];
  int64_t *list = NULL, count = 0, capacity = 0;
  CELI_TRY(celi_path_join(path, folder, "checkpoints"));
  DIR *dir = opendir(path);
  if (!dir && errno != ENOENT) return celi_fail_errno(path, "the folder cannot be opened", errno);
  CelStatus status = CEL_OK;
  for (const struct dirent *entry; dir && status == CEL_OK && (entry = readdir(dir));) {
    const int64_t step = step_of(entry->d_name);
    if (step < 0) continue;
    if (count == capacity) {
      capacity = capacity ? 2 * capacity : 16;
      status = celi_resize(&list, (size_t)capacity, sizeof *list, "list of checkpoints");
    }
    if (status == CEL_OK) list[count++] = step;
  }
  if (dir) closedir(dir);
  if (status != CEL_OK) {
    free(list);
    return status;
  }
  if (count) qsort(list, (size_t)count, sizeof *list, newer_first);
  *steps = list;
  *n = count;
  return CEL_OK;
}

/// Reads the replay buffer's heads (N,) from a checkpoint. *found: the checkpoint is readable and
/// has them.
static CelStatus read_heads(const char *folder, int64_t step, int64_t N, int64_t *heads,
                            bool *found) {
  char path[CEL_PATH_MAX];
  CelSafetensors *file = NULL;
  *found = false;
  CELI_TRY(celi_checkpoint_path(path, folder, step));
  const CelStatus status = cel_safetensors_open(path, &file);
  if (status == CEL_E_CORRUPT || status == CEL_E_FORMAT)
    return CEL_OK; // an unreadable checkpoint needs no segments
  CELI_TRY(status);
  const CelTensor *head = cel_safetensors_find(file, "replay.head");
  if (head && head->type == CEL_I64 && head->size == N) {
    memcpy(heads, head->data, (size_t)N * sizeof *heads);
    *found = true;
  }
  cel_safetensors_close(file);
  return CEL_OK;
}

/// Deletes the segments that no kept checkpoint needs.
static CelStatus prune_replay(CelAgent *agent, const char *folder, const CeliFolder *segments,
                              const int64_t *kept, int64_t n) {
  const CeliReplay *replay = agent->algo->replay ? agent->algo->replay(agent) : NULL;
  if (!replay) return CEL_OK;
  int64_t *heads = NULL, n_heads = 0;
  CELI_TRY(celi_alloc(&heads, (size_t)(n * replay->N), sizeof *heads, "heads of checkpoints"));
  CelStatus status = CEL_OK;
  for (int64_t i = 0; i < n && status == CEL_OK; i++) {
    bool found;
    status = read_heads(folder, kept[i], replay->N, heads + n_heads * replay->N, &found);
    n_heads += status == CEL_OK && found;
  }
  if (status == CEL_OK && n_heads) status = celi_replay_prune(replay, segments, heads, n_heads);
  free(heads);
  return status;
}

CelStatus celi_checkpoint_prune(CelAgent *agent, const char *folder, const CeliFolder *checkpoints,
                                const CeliFolder *replay, int64_t step, int64_t keep) {
  int64_t *steps = NULL, n = 0, n_kept = 0;
  CELI_TRY(celi_checkpoint_list(folder, &steps, &n));
  CelStatus status = CEL_OK;
  for (int64_t i = 0; i < n && status == CEL_OK; i++) {
    char name[64];
    if (steps[i] <= step && n_kept < keep) {
      steps[n_kept++] = steps[i];
      continue;
    }
    celi_checkpoint_name(name, steps[i]);
    status = celi_folder_remove(checkpoints, name);
  }
  if (status == CEL_OK) status = prune_replay(agent, folder, replay, steps, n_kept);
  free(steps);
  return status;
}
