/// Any bytes as a segment of a replay buffer. It is refused with a message, or it is loaded,
/// sampled, saved and pruned.
///
/// An input begins with the checkpoint's heads (2), the row numbers in the segment's name (2) and
/// the number of transitions, 8 bytes each. The file follows.
#include "fuzz/fuzz_file.h"
#include "rl/replay.h"
#include <dirent.h>
#include <inttypes.h>

enum { N = 2, CAPACITY = 12, PREFIX = 5 * 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void empty_folder(const char *folder) {
  DIR *dir = opendir(folder);
  if (!dir) return;
  for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    if (entry->d_name[0] != '.') unlink(path);
  }
  closedir(dir);
}

/// A row of every ring is read, so that the sanitizers see whether it is there.
static void look_at(const CeliReplay *replay) {
  volatile uint8_t sum = 0;
  for (int64_t e = 0; e < N; e++) {
    const int64_t head = replay->head[e], oldest = head > replay->R ? head - replay->R : 0;
    for (int64_t s = oldest; s < head; s++) sum = (uint8_t)(sum + *celi_replay_row(replay, e, s));
  }
  if (celi_replay_count(replay) != *replay->transitions) abort();
}

static void load(CeliReplay *replay, const char *folder, const int64_t numbers[5]) {
  int64_t saved[N] = {0};
  const float obs[2 * N] = {0}, reward[N] = {0};
  const float action[N] = {0};
  const uint8_t ended[N] = {0};
  memcpy(replay->head, numbers, sizeof(int64_t) * N);
  *replay->transitions = numbers[4];
  if (celi_replay_load(replay, folder, saved) != CEL_OK) {
    if (cel_error()[0] == 0) abort();
    return;
  }
  look_at(replay);
  if (replay->head[0] > 0 && replay->head[1] > 0)
    celi_replay_add(replay, action, reward, ended, ended, obs, obs);
  CeliFolder open;
  if (celi_replay_save(replay, folder, saved) != CEL_OK) return;
  if (celi_folder_open(&open, folder) != CEL_OK) abort();
  (void)celi_replay_prune(replay, &open, replay->head, 1);
  celi_folder_close(&open);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  int64_t numbers[5];
  char folder[96], path[256];
  CelTensors *tensors;
  CeliReplay replay;
  const CelSpace observation = cel_space_box(2, -1, 1), action = cel_space_box(1, -1, 1);
  if (size < PREFIX) return 0;
  memcpy(numbers, data, PREFIX);
  snprintf(folder, sizeof folder, "%s/replay", fuzz_folder());
  (void)mkdir(folder, 0700);
  snprintf(path, sizeof path, "%s/rows-%012" PRId64 "-%012" PRId64 ".safetensors", folder,
           numbers[2], numbers[3]);
  fuzz_write(path, data + PREFIX, size - PREFIX);
  if (cel_tensors_create(&tensors) != CEL_OK) abort();
  if (celi_replay_declare(&replay, tensors, &observation, &action, N, CAPACITY) != CEL_OK ||
      cel_tensors_allocate(tensors) != CEL_OK)
    abort();
  load(&replay, folder, numbers);
  cel_tensors_destroy(tensors);
  empty_folder(folder);
  return 0;
}
