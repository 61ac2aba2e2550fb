/// Replay segments: every checkpoint restores every bit, whatever a killed process left behind, and
/// damage is reported as damage.
#include "celsius/rng.h"
#include "rl/replay.h"
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { O = 3, A = 1, N = 2 };
enum { CHECKPOINTS = 12, PATH_BYTES = 512 };

/// A checkpoint's part of the replay buffer, and a copy of the rings to compare with.
typedef struct Checkpoint {
  int64_t head[N], transitions;
  uint8_t *rows;
} Checkpoint;

typedef struct Rig {
  CelTensors *tensors;
  CeliReplay replay;
  int64_t saved[N];
  CelRng rng;
  char folder[PATH_BYTES];
  int n;
  Checkpoint list[CHECKPOINTS];
} Rig;

static size_t ring_bytes(const Rig *rig) {
  return (size_t)(rig->replay.N * rig->replay.R) * rig->replay.stride;
}

static void declare(Rig *rig, int64_t capacity) {
  const CelSpace obs = cel_space_box(O, -1, 1), action = cel_space_box(A, -1, 1);
  assert_int_equal(cel_tensors_create(&rig->tensors), CEL_OK);
  assert_int_equal(celi_replay_declare(&rig->replay, rig->tensors, &obs, &action, N, capacity),
                   CEL_OK);
  assert_int_equal(cel_tensors_allocate(rig->tensors), CEL_OK);
}

static void random_floats(CelRng *rng, float *out, int n) {
  for (int i = 0; i < n; i++) out[i] = (float)cel_rng_range(rng, -1, 1);
}

static void step(Rig *rig, int steps) {
  for (int i = 0; i < steps; i++) {
    float obs[N * O], final[N * O], action[N * A], reward[N];
    uint8_t terminated[N], truncated[N];
    random_floats(&rig->rng, obs, N * O);
    random_floats(&rig->rng, final, N * O);
    random_floats(&rig->rng, action, N * A);
    random_floats(&rig->rng, reward, N);
    for (int e = 0; e < N; e++) {
      terminated[e] = cel_rng_uniform(&rig->rng) < 0.1;
      truncated[e] = cel_rng_uniform(&rig->rng) < 0.1;
    }
    celi_replay_add(&rig->replay, action, reward, terminated, truncated, obs, final);
  }
}

static void save(Rig *rig) {
  if (celi_replay_save(&rig->replay, rig->folder, rig->saved)) fail_msg("%s", cel_error());
  Checkpoint *c = &rig->list[rig->n++];
  memcpy(c->head, rig->replay.head, sizeof c->head);
  c->transitions = *rig->replay.transitions;
  c->rows = malloc(ring_bytes(rig));
  assert_non_null(c->rows);
  memcpy(c->rows, rig->replay.rows, ring_bytes(rig));
}

/// A folder, and rings that were saved in it `checkpoints` times, 17 steps apart.
static Rig *rig_create(int64_t capacity, int checkpoints) {
  Rig *rig = calloc(1, sizeof *rig);
  assert_non_null(rig);
  const char *tmp = getenv("TMPDIR");
  snprintf(rig->folder, sizeof rig->folder, "%s/celsius-replay-XXXXXX", tmp ? tmp : "/tmp");
  assert_non_null(mkdtemp(rig->folder));
  rig->rng = cel_rng(1, CEL_RNG_USER, 0);
  declare(rig, capacity);
  float obs[N * O];
  random_floats(&rig->rng, obs, N * O);
  celi_replay_start(&rig->replay, obs);
  for (int i = 0; i < checkpoints; i++) {
    if (i > 0) step(rig, 17);
    save(rig);
  }
  return rig;
}

typedef void (*ForEach)(const char *path);

static int for_each_file(const char *folder, ForEach fn) {
  DIR *dir = opendir(folder);
  assert_non_null(dir);
  int n = 0;
  for (const struct dirent *entry; (entry = readdir(dir));) {
    if (entry->d_name[0] == '.') continue;
    char path[2 * PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    n++;
    if (fn) fn(path);
  }
  closedir(dir);
  return n;
}

static void remove_path(const char *path) {
  assert_int_equal(unlink(path), 0);
}

static void rig_destroy(Rig *rig) {
  for_each_file(rig->folder, remove_path);
  assert_int_equal(rmdir(rig->folder), 0);
  for (int i = 0; i < rig->n; i++) free(rig->list[i].rows);
  cel_tensors_destroy(rig->tensors);
  free(rig);
}

/// Loads checkpoint c as a new process would. The caller gets the message.
static CelStatus load(Rig *rig, const Checkpoint *c) {
  cel_tensors_destroy(rig->tensors);
  declare(rig, rig->replay.capacity);
  memcpy(rig->replay.head, c->head, sizeof c->head);
  *rig->replay.transitions = c->transitions;
  return celi_replay_load(&rig->replay, rig->folder, rig->saved);
}

static void assert_same(const Rig *rig, const Checkpoint *c) {
  const CeliReplay *replay = &rig->replay;
  assert_memory_equal(replay->head, c->head, sizeof c->head);
  assert_int_equal(*replay->transitions, c->transitions);
  for (int64_t e = 0; e < N; e++) {
    assert_int_equal(rig->saved[e], c->head[e] - 1);
    for (int64_t s = c->head[e] > replay->R ? c->head[e] - replay->R : 0; s < c->head[e]; s++) {
      const uint8_t *row = celi_replay_row(replay, e, s);
      const uint8_t *want = c->rows + (row - replay->rows);
      // In the newest row only the observation and the flag have a meaning.
      if (s < c->head[e] - 1)
        assert_memory_equal(row, want, replay->stride);
      else
        assert_memory_equal(row, want, replay->obs_bytes);
      assert_int_equal(row[replay->flag_at], want[replay->flag_at]);
    }
  }
}

static void assert_loads(Rig *rig, const Checkpoint *c) {
  if (load(rig, c)) fail_msg("%s", cel_error());
  assert_same(rig, c);
}

static void assert_fails(Rig *rig, const Checkpoint *c, CelStatus status, const char *says) {
  const CelStatus got = load(rig, c);
  if (got != status || !strstr(cel_error(), says))
    fail_msg("%s \"%s\", expected %s with \"%s\"", cel_status_name(got), got ? cel_error() : "",
             cel_status_name(status), says);
  assert_int_equal(*rig->replay.transitions, 0); // empty, not half full
}

/// Path of the i-th segment in the order of writing.
static void segment(const Rig *rig, int i, char path[PATH_BYTES]) {
  struct dirent **names;
  const int n = scandir(rig->folder, &names, NULL, alphasort);
  assert_true(n > i + 2);
  snprintf(path, PATH_BYTES, "%.255s/%.250s", rig->folder, names[i + 2]->d_name);
  for (int k = 0; k < n; k++) free(names[k]);
  free(names);
}

static void put_file(const Rig *rig, const char *name, const char *text) {
  char path[2 * PATH_BYTES];
  snprintf(path, sizeof path, "%s/%s", rig->folder, name);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  assert_int_equal(fclose(file), 0);
}

static CelStatus prune(const Rig *rig, const int64_t *heads, int64_t n) {
  CeliFolder folder;
  if (celi_folder_open(&folder, rig->folder)) return CEL_E_IO;
  const CelStatus status = celi_replay_prune(&rig->replay, &folder, heads, n);
  celi_folder_close(&folder);
  return status;
}

static bool has_file(const Rig *rig, const char *name) {
  char path[2 * PATH_BYTES];
  snprintf(path, sizeof path, "%s/%s", rig->folder, name);
  return access(path, F_OK) == 0;
}

// ---- tests

/// Rings that never fill, that wrap between two saves, and that wrap more than once between them.
static void test_every_checkpoint(void **state) {
  (void)state;
  static const int64_t capacities[] = {1000, 100, 50, 20, 4};
  for (int k = 0; k < 5; k++) {
    Rig *rig = rig_create(capacities[k], 10);
    assert_int_equal(for_each_file(rig->folder, NULL), 10);
    for (int i = 0; i < 10; i++) assert_loads(rig, &rig->list[i]);
    rig_destroy(rig);
  }
}

/// Saving twice at the same step equals saving once.
static void test_save_again(void **state) {
  (void)state;
  Rig *rig = rig_create(60, 3);
  save(rig), save(rig);
  for (int i = 0; i < rig->n; i++) assert_loads(rig, &rig->list[i]);
  step(rig, 5);
  save(rig);
  assert_loads(rig, &rig->list[5]);
  rig_destroy(rig);
}

static void test_save_before_any_step(void **state) {
  (void)state;
  Rig *rig = rig_create(10, 0);
  celi_replay_reset(&rig->replay);
  const Checkpoint empty = {{0, 0}, 0, NULL};
  assert_int_equal(celi_replay_save(&rig->replay, rig->folder, rig->saved), CEL_OK);
  assert_int_equal(for_each_file(rig->folder, NULL), 0);
  assert_int_equal(load(rig, &empty), CEL_OK);
  assert_int_equal(rig->saved[0], 0);
  rig_destroy(rig);
}

/// A resumed run writes the same files from there on, byte for byte, as a run without a break.
static void test_resumed_run_writes_the_same(void **state) {
  (void)state;
  Rig *rig = rig_create(30, 5), *other = rig_create(30, 5);
  assert_loads(rig, &rig->list[4]);
  for (int i = 0; i < 4; i++) {
    step(rig, 17), step(other, 17);
    save(rig), save(other);
    char a[PATH_BYTES], b[PATH_BYTES], command[3 * PATH_BYTES];
    segment(rig, 5 + i, a), segment(other, 5 + i, b);
    snprintf(command, sizeof command, "cmp '%s' '%s'", a, b);
    assert_int_equal(system(command), 0);
  }
  for (int i = 0; i < rig->n; i++) assert_loads(rig, &other->list[i]);
  rig_destroy(rig), rig_destroy(other);
}

/// Killed after a segment but before its checkpoint: loading ignores the segment, and the resumed
/// run replaces it, even if that run takes other steps.
static void test_segment_past_the_head(void **state) {
  (void)state;
  Rig *rig = rig_create(40, 6);
  char past[PATH_BYTES];
  segment(rig, 5, past);
  assert_loads(rig, &rig->list[4]);
  assert_int_equal(access(past, F_OK), 0); // loading removes nothing
  rig->rng = cel_rng(99, CEL_RNG_USER, 0); // other steps than before
  free(rig->list[5].rows);
  rig->n = 5;
  step(rig, 3);
  save(rig);
  assert_int_not_equal(access(past, F_OK), 0);
  for (int i = 0; i < 6; i++) assert_loads(rig, &rig->list[i]);
  step(rig, 40);
  save(rig);
  assert_loads(rig, &rig->list[6]);
  rig_destroy(rig);
}

/// Files that are not segments are left alone. The next save removes unfinished ones.
static void test_left_over_files(void **state) {
  (void)state;
  Rig *rig = rig_create(40, 4);
  static const char *const names[] = {"README",
                                      "rows-1.safetensors",
                                      "rows-a-b.safetensors",
                                      "rows--1-5.safetensors",
                                      "rows-5-1.safetensors",
                                      "rows- 1-5.safetensors",
                                      "rows-0-5.safetensors2",
                                      "rows-99999999999999999999-5.safetensors"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) put_file(rig, names[i], "hello");
  put_file(rig, "rows-000000000000-000000000009.safetensors.celsius-0123456789abcdef.tmp", "half");
  for (int i = 0; i < 4; i++) assert_loads(rig, &rig->list[i]);
  step(rig, 3);
  save(rig);
  assert_false(
      has_file(rig, "rows-000000000000-000000000009.safetensors.celsius-0123456789abcdef.tmp"));
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) assert_true(has_file(rig, names[i]));
  rig_destroy(rig);
}

static void test_missing_segment(void **state) {
  (void)state;
  for (int gone = 0; gone < 6; gone++) {
    Rig *rig = rig_create(1000, 6);
    char path[PATH_BYTES];
    segment(rig, gone, path);
    remove_path(path);
    if (gone == 0)
      assert_loads(
          rig,
          &rig->list
               [5]); // it contained the first observations only, and the next one contains them too
    else
      assert_fails(rig, &rig->list[5], CEL_E_FORMAT, "are missing");
    rig_destroy(rig);
  }
  Rig *rig = rig_create(10, 3);
  for_each_file(rig->folder, remove_path);
  assert_fails(rig, &rig->list[2], CEL_E_FORMAT, "rows ");
  assert_int_equal(rmdir(rig->folder), 0);
  assert_fails(rig, &rig->list[2], CEL_E_IO, rig->folder);
  assert_int_equal(mkdir(rig->folder, 0700), 0);
  rig_destroy(rig);
}

/// An old segment whose rows the ring has overwritten may be missing.
static void test_overwritten_segment(void **state) {
  (void)state;
  Rig *rig = rig_create(20, 6); // a ring of 12 rows, 17 steps between saves
  for (int i = 0; i < 4; i++) {
    char path[PATH_BYTES];
    segment(rig, 0, path);
    remove_path(path);
  }
  assert_loads(rig, &rig->list[5]);
  rig_destroy(rig);
}

/// Every flipped bit and every truncation of a segment is an error that names the file.
static void test_damage(void **state) {
  (void)state;
  Rig *rig = rig_create(60, 3);
  char path[PATH_BYTES];
  segment(rig, 1, path);
  struct stat info;
  assert_int_equal(stat(path, &info), 0);
  const int fd = open(path, O_RDWR);
  assert_true(fd >= 0);
  int damaged = 0;
  for (off_t at = 0; at < info.st_size; at += 7) {
    uint8_t byte, flipped;
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    flipped = byte ^ (uint8_t)(1u << (at / 7 % 8));
    assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
    const CelStatus status = load(rig, &rig->list[2]);
    if (status) {
      damaged++;
      if (!strstr(cel_error(), "rows-") && !strstr(cel_error(), rig->folder))
        fail_msg("the message names no file: %s", cel_error());
    } else {
      assert_same(rig, &rig->list[2]); // for example a blank in the header
    }
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
  }
  print_message("%d of %d flips refused\n", damaged, (int)((info.st_size + 6) / 7));
  assert_true(damaged > info.st_size / 7 * 8 / 10);
  assert_loads(rig, &rig->list[2]);
  for (off_t size = info.st_size - 1; size >= 0; size -= 97) {
    assert_int_equal(ftruncate(fd, size), 0);
    assert_true(load(rig, &rig->list[2]) != CEL_OK);
  }
  close(fd);
  rig_destroy(rig);
}

static void test_wrong_checkpoint(void **state) {
  (void)state;
  Rig *rig = rig_create(60, 3);
  Checkpoint wrong = rig->list[2];
  wrong.transitions++;
  assert_fails(rig, &wrong, CEL_E_CORRUPT, "transitions");
  wrong = rig->list[2];
  wrong.head[1] = -4;
  assert_fails(rig, &wrong, CEL_E_CORRUPT, "environment 1");
  wrong = rig->list[2];
  wrong.head[0] = INT64_MAX;
  assert_fails(rig, &wrong, CEL_E_CORRUPT, "environment 0");
  wrong = rig->list[2];
  wrong.head[0]++;
  assert_fails(rig, &wrong, CEL_E_FORMAT, "environment 0");
  // Rings for another action space.
  const CelSpace obs = cel_space_box(O, -1, 1), action = cel_space_box(A + 1, -1, 1);
  CelTensors *tensors;
  CeliReplay replay;
  int64_t saved[N];
  assert_int_equal(cel_tensors_create(&tensors), CEL_OK);
  assert_int_equal(celi_replay_declare(&replay, tensors, &obs, &action, N, 60), CEL_OK);
  assert_int_equal(cel_tensors_allocate(tensors), CEL_OK);
  memcpy(replay.head, rig->list[2].head, sizeof rig->list[2].head);
  assert_int_equal(celi_replay_load(&replay, rig->folder, saved), CEL_E_FORMAT);
  assert_non_null(strstr(cel_error(), "other observations or actions"));
  cel_tensors_destroy(tensors);
  rig_destroy(rig);
}

/// Pruned segments are not needed by any remaining checkpoint, and little else is left.
static void test_prune(void **state) {
  (void)state;
  static const int64_t capacities[] = {1000, 100, 40, 4};
  for (int k = 0; k < 4; k++) {
    Rig *rig = rig_create(capacities[k], CHECKPOINTS);
    int64_t heads[3][N];
    const int kept[3] = {7, 8, 11};
    for (int i = 0; i < 3; i++) memcpy(heads[i], rig->list[kept[i]].head, sizeof heads[i]);
    if (prune(rig, heads[0], 3)) fail_msg("%s", cel_error());
    const int left = for_each_file(rig->folder, NULL);
    print_message("capacity %d: %d of %d segments left\n", (int)capacities[k], left, CHECKPOINTS);
    if (k == 0) assert_true(left >= CHECKPOINTS - 1);
    if (k == 2) assert_true(left <= 7);
    if (k == 3) assert_true(left <= 5);
    for (int i = 0; i < 3; i++) assert_loads(rig, &rig->list[kept[i]]);
    if (prune(rig, heads[2], 1)) fail_msg("%s", cel_error());
    assert_loads(rig, &rig->list[11]);
    step(rig, 17);
    rig->n--; // its copy goes into the last place
    free(rig->list[rig->n].rows);
    save(rig);
    assert_loads(rig, &rig->list[rig->n - 1]);
    rig_destroy(rig);
  }
  // The first observations alone can be saved as a checkpoint too.
  Rig *rig = rig_create(10, 1);
  assert_int_equal(prune(rig, rig->list[0].head, 1), CEL_OK);
  assert_loads(rig, &rig->list[0]);
  rig_destroy(rig);
}

static void test_unwritable(void **state) {
  (void)state;
  Rig *rig = rig_create(10, 1);
  assert_int_equal(celi_replay_save(&rig->replay, "/proc/no/such", rig->saved), CEL_E_IO);
  assert_non_null(strstr(cel_error(), "/proc/no/such"));
  put_file(rig, "file", "");
  char path[2 * PATH_BYTES];
  snprintf(path, sizeof path, "%s/file", rig->folder);
  assert_int_equal(celi_replay_save(&rig->replay, path, rig->saved), CEL_E_IO);
  rig_destroy(rig);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_checkpoint),
      cmocka_unit_test(test_save_again),
      cmocka_unit_test(test_save_before_any_step),
      cmocka_unit_test(test_resumed_run_writes_the_same),
      cmocka_unit_test(test_segment_past_the_head),
      cmocka_unit_test(test_left_over_files),
      cmocka_unit_test(test_missing_segment),
      cmocka_unit_test(test_overwritten_segment),
      cmocka_unit_test(test_damage),
      cmocka_unit_test(test_wrong_checkpoint),
      cmocka_unit_test(test_prune),
      cmocka_unit_test(test_unwritable),
  };
  return cmocka_run_group_tests_name("rl/replay_disk", tests, NULL, NULL);
}
