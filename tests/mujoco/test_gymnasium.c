/// The MuJoCo tasks against Gymnasium, step by step, to the last bit.
///
/// tests/golden/gymnasium_mujoco.py recorded the episodes. Each episode continues from the recorded
/// initial positions and velocities, with the recorded actions. Positions and velocities must be
/// equal in all bits, observations and rewards as float32, and so must the flag `terminated`.
/// The numbers belong to one version of MuJoCo; with another one the test is skipped.
/// CELSIUS_GOLDEN names another file.
#include "celsius/safetensors.h"
#include "mujoco_test.h"
#include <inttypes.h>

static CelSafetensors *file;
static const char *file_path;

static const CelTensor *tensor(const char *name, const char *what) {
  char full[CEL_NAME_MAX];
  snprintf(full, sizeof full, "%s.%s", name, what);
  const CelTensor *found = cel_safetensors_find(file, full);
  if (!found) fail_msg("the golden file has no %s", full);
  return found;
}

static const char *meta(const char *name, const char *what) {
  char full[CEL_NAME_MAX];
  snprintf(full, sizeof full, "%s.%s", name, what);
  const char *found = cel_safetensors_meta(file, full);
  if (!found) fail_msg("the golden file has no %s", full);
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

typedef struct Replay {
  const char *name;
  CelEnvSpec *spec;
  const mjModel *m;
  double *state, *qpos, *qvel;
  float *obs, *action;
  float reward;
  uint8_t terminated;
} Replay;

static int64_t obs_size(const Replay *r) {
  return r->spec->observation.part[0].size;
}

/// The state row begins with the time, the positions and the velocities.
static void split(Replay *r) {
  r->qpos = r->state + 1;
  r->qvel = r->qpos + r->m->nq;
}

static uint32_t checksum(const Replay *r) {
  uint32_t crc = crc32_of(0, r->qpos, (size_t)r->m->nq * sizeof(double));
  crc = crc32_of(crc, r->qvel, (size_t)r->m->nv * sizeof(double));
  crc = crc32_of(crc, r->obs, (size_t)obs_size(r) * sizeof(float));
  crc = crc32_of(crc, &r->reward, sizeof r->reward);
  return crc32_of(crc, &r->terminated, 1);
}

static void same(const Replay *r, int64_t t, const char *what, int64_t i, double got, double want) {
  if (memcmp(&got, &want, sizeof got) != 0 && !(got == 0 && want == 0))
    fail_msg("%s: step %" PRId64 ", %s %" PRId64 ": %.17g, not %.17g", r->name, t, what, i, got,
             want);
}

static void compare_row(const Replay *r, int64_t t, const double *row) {
  const int64_t nq = r->m->nq, nv = r->m->nv, O = obs_size(r);
  for (int64_t i = 0; i < nq; i++) same(r, t, "position", i, r->qpos[i], row[i]);
  for (int64_t i = 0; i < nv; i++) same(r, t, "velocity", i, r->qvel[i], row[nq + i]);
  for (int64_t i = 0; i < O; i++) same(r, t, "observation", i, (double)r->obs[i], row[nq + nv + i]);
  same(r, t, "reward", 0, (double)r->reward, row[nq + nv + O]);
  same(r, t, "terminated", 0, r->terminated, row[nq + nv + O + 1]);
}

static void set_action(Replay *r, const uint8_t *bytes) {
  const CelSpacePart *part = &r->spec->action.part[0];
  for (int64_t i = 0; i < part->size; i++)
    r->action[i] = part->low[i] + (part->high[i] - part->low[i]) * ((float)bytes[i] / 255.0f);
}

static void replay(Replay *r) {
  const CelTensor *qpos = tensor(r->name, "qpos"), *qvel = tensor(r->name, "qvel");
  const CelTensor *length = tensor(r->name, "length"), *crc = tensor(r->name, "crc");
  const CelTensor *kept = tensor(r->name, "kept");
  const CelTensor *actions = cel_safetensors_find(file, "actions");
  const int64_t T = crc->shape[0], E = length->shape[0],
                keep = atoll(cel_safetensors_meta(file, "keep"));
  assert_int_equal(qpos->shape[1], r->m->nq);
  assert_int_equal(qvel->shape[1], r->m->nv);
  assert_int_equal(kept->shape[1], r->m->nq + r->m->nv + obs_size(r) + 2);
  int64_t t = 0, failed = -1;
  CelRng rng = cel_rng(0, CEL_RNG_ENV, 0);
  for (int64_t e = 0; e < E; e++) {
    assert_ok(celi_mujoco_start(r->spec, (const double *)qpos->data + e * r->m->nq,
                                (const double *)qvel->data + e * r->m->nv, r->state, r->obs));
    for (int64_t k = 0; k < ((const int32_t *)length->data)[e]; k++, t++) {
      set_action(r, (const uint8_t *)actions->data + t * actions->shape[1]);
      assert_ok(celi_mujoco_step(r->spec, r->state, 1, r->action, r->obs, &r->reward,
                                 &r->terminated, &rng));
      if (failed < 0 && checksum(r) != (uint32_t)((const int32_t *)crc->data)[t]) failed = t;
      if (t % keep == keep - 1)
        compare_row(r, t, (const double *)kept->data + t / keep * kept->shape[1]);
    }
  }
  assert_int_equal(t, T);
  if (failed >= 0) fail_msg("%s: step %" PRId64 " has another checksum", r->name, failed);
  print_message("%s: %" PRId64 " steps, %" PRId64 " episodes\n", r->name, T, E);
}

static void equal_to_gymnasium(void **state) {
  Replay r = {.name = *state};
  r.spec = make_spec(meta(r.name, "id"), meta(r.name, "arguments"));
  r.m = ((const CeliMujoco *)r.spec->data)->model;
  r.state = calloc((size_t)r.spec->state_size, sizeof *r.state);
  r.obs = calloc((size_t)obs_size(&r), sizeof *r.obs);
  r.action = calloc((size_t)r.m->nu, sizeof *r.action);
  split(&r);
  replay(&r);
  free(r.state);
  free(r.obs);
  free(r.action);
  cel_env_spec_destroy(r.spec);
}

int main(void) {
  enum { CASES = 64 };
  struct CMUnitTest tests[CASES];
  register_tasks();
  file_path = getenv("CELSIUS_GOLDEN");
  if (!file_path) file_path = CELSIUS_TEST_DIR "/golden/gymnasium_mujoco.safetensors";
  if (cel_safetensors_open(file_path, &file) != CEL_OK) {
    fprintf(stderr, "%s\n", cel_error());
    return 1;
  }
  if (atoi(cel_safetensors_meta(file, "mujoco")) != mj_version()) {
    printf("skipped: the file has the numbers of MuJoCo %s, and this is %d\n",
           cel_safetensors_meta(file, "mujoco"), mj_version());
    return 77;
  }
  char names[4096];
  int n = 0;
  snprintf(names, sizeof names, "%s", cel_safetensors_meta(file, "cases"));
  for (char *rest = names, *name; (name = strsep(&rest, " ")) != NULL && n < CASES; n++)
    tests[n] = (struct CMUnitTest){name, equal_to_gymnasium, NULL, NULL, name};
  const int failed = _cmocka_run_group_tests("Gymnasium", tests, (size_t)n, NULL, NULL);
  cel_safetensors_close(file);
  return failed;
}
