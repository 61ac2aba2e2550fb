/// Environments of examples/robots/dm_control, which are YAML alone, against dm_control.
///
/// tests/golden/dm_control_suite.py recorded the episodes. Each episode continues from the recorded
/// initial state, with the recorded actions. Positions and velocities must be equal in all bits,
/// and observations and rewards as float32, except for one unit in the last place where exp, log or
/// a sum of NumPy rounds differently. The numbers belong to one version of MuJoCo; with another one
/// the test is skipped. CELSIUS_GOLDEN names another file.
#include "celsius/safetensors.h"
#include "mujoco_test.h"
#include "robot.h"
#include <inttypes.h>
#include <unistd.h>

static CelSafetensors *file;

static const CelTensor *find(const char *name, const char *what) {
  char full[CEL_NAME_MAX];
  snprintf(full, sizeof full, "%s.%s", name, what);
  return cel_safetensors_find(file, full);
}

static const CelTensor *tensor(const char *name, const char *what) {
  const CelTensor *found = find(name, what);
  if (!found) fail_msg("the golden file has no %s.%s", name, what);
  return found;
}

/// Python's zlib.crc32.
static uint32_t crc32_of(uint32_t crc, const void *data, size_t n) {
  const uint8_t *byte = data;
  crc = ~crc;
  for (size_t i = 0; i < n; i++) {
    crc ^= byte[i];
    for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  }
  return ~crc;
}

/// Whether two numbers are equal, or neighbors as float32. Counts the latter.
static bool near_equal(float got, float want, int64_t *neighbors) {
  if (got == want) return true;
  ++*neighbors;
  return nextafterf(got, want) == want;
}

static void equal_to_dm_control(void **state) {
  const char *name = *state;
  const CelTensor *qpos = tensor(name, "qpos"), *qvel = tensor(name, "qvel");
  const CelTensor *crc = tensor(name, "crc"), *kept = tensor(name, "kept");
  const CelTensor *drawn = find(name, "drawn"), *table = cel_safetensors_find(file, "actions");
  const int64_t keep = atoll(cel_safetensors_meta(file, "keep"));
  const int64_t episode = atoll(cel_safetensors_meta(file, "episode"));
  const int64_t T = crc->shape[0];
  char path[CEL_PATH_MAX];
  snprintf(path, sizeof path, CELSIUS_TEST_DIR "/../examples/robots/dm_control/%s.yaml", name);
  CelEnvSpec spec = {0};
  assert_ok(celi_robot_type(path, &spec.type));
  assert_ok(spec.type->open(&spec));
  const mjModel *m = ((const CeliMujoco *)spec.data)->model;
  const int64_t nq = m->nq, nv = m->nv, A = spec.action.part[0].size,
                O = spec.observation.part[0].size;
  assert_int_equal(qpos->shape[1], nq);
  assert_int_equal(kept->shape[1], O + 1);
  assert_int_equal(spec.max_episode_steps, 1000);
  double *row = calloc((size_t)spec.state_size, sizeof *row);
  float *obs = calloc((size_t)O, sizeof *obs), *action = calloc((size_t)A, sizeof *action), reward;
  uint8_t terminated;
  CelRng rng = cel_rng(0, CEL_RNG_ENV, 0);
  int64_t neighbors = 0;
  for (int64_t t = 0; t < T; t++) {
    const int64_t e = t / episode;
    if (t % episode == 0)
      assert_ok(celi_robot_start(
          &spec, (const double *)qpos->data + e * nq, (const double *)qvel->data + e * nv,
          drawn ? (const double *)drawn->data + e * drawn->shape[1] : NULL, row, obs));
    for (int64_t i = 0; i < A; i++)
      action[i] =
          -1 + 2 * ((float)((const uint8_t *)table->data)[t * table->shape[1] + i] / 255.0f);
    assert_ok(spec.type->step(&spec, row, 1, action, obs, &reward, &terminated, &rng));
    assert_int_equal(terminated, 0);
    if (crc32_of(0, row + 1, (size_t)(nq + nv) * sizeof *row) !=
        (uint32_t)((const int32_t *)crc->data)[t])
      fail_msg("%s: step %" PRId64 ": positions or velocities differ", name, t);
    if (t % keep != keep - 1) continue;
    const float *want = (const float *)kept->data + t / keep * (O + 1);
    for (int64_t i = 0; i < O; i++)
      if (!near_equal(obs[i], want[i], &neighbors))
        fail_msg("%s: step %" PRId64 ", observation %" PRId64 ": %.9g, not %.9g", name, t, i,
                 (double)obs[i], (double)want[i]);
    if (!near_equal(reward, want[O], &neighbors))
      fail_msg("%s: step %" PRId64 ", reward: %.9g, not %.9g", name, t, (double)reward,
               (double)want[O]);
  }
  print_message("%s: %" PRId64 " steps; %" PRId64 " of %" PRId64
                " numbers differ in the last bit\n",
                name, T, neighbors, kept->shape[0] * (O + 1));
  assert_true(neighbors <= kept->shape[0] * (O + 1) / 1000);
  spec.type->close(&spec);
  free(row);
  free(obs);
  free(action);
}

int main(void) {
  enum { CASES = 16 };
  struct CMUnitTest tests[CASES];
  char path[CEL_PATH_MAX], names[1024];
  const char *given = getenv("CELSIUS_GOLDEN");
  if (!given) given = CELSIUS_TEST_DIR "/golden/dm_control_suite.safetensors";
  if (cel_safetensors_open(given, &file) != CEL_OK) {
    fprintf(stderr, "%s\n", cel_error());
    return 1;
  }
  if (atoi(cel_safetensors_meta(file, "mujoco")) != mj_version()) {
    printf("skipped: the file has the numbers of MuJoCo %s, and this is %d\n",
           cel_safetensors_meta(file, "mujoco"), mj_version());
    return 77;
  }
  if (!celi_mujoco_find_installed("dm_control/cheetah.xml", path)) {
    printf("skipped: there are no models of dm_control; `script/setup mujoco` fetches them\n");
    return 77;
  }
  int n = 0;
  snprintf(names, sizeof names, "%s", cel_safetensors_meta(file, "cases"));
  for (char *rest = names, *name; (name = strsep(&rest, " ")) != NULL && n < CASES; n++)
    tests[n] = (struct CMUnitTest){name, equal_to_dm_control, NULL, NULL, name};
  const int failed = _cmocka_run_group_tests("dm_control", tests, (size_t)n, NULL, NULL);
  cel_safetensors_close(file);
  return failed;
}
