/// Checks whether an environment keeps the promises of env.h.
///
/// Every run steps three environments with random actions. The buffers border on pages without
/// access rights: in one run behind their ends, in another before their beginnings. A run records
/// all outputs of the environment, and some checks compare the records of two runs.
#include "celsius/env_check.h"
#include "base/arguments.h"
#include "base/base.h"
#include "base/floats.h"
#include "celsius/canvas.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { N = 3, BUFFERS = 6, STEPS = 1000 };

/// A buffer between two pages without access rights.
typedef struct Guarded {
  uint8_t *mapping, *data;
  size_t mapped;
} Guarded;

typedef struct Checks {
  const CelEnvSpec *spec;
  CelEnvCheckOptions options;
  CelEnvReport *report;
  size_t obs_bytes, action_bytes, state_bytes;
} Checks;

/// All outputs of a run, step by step.
typedef struct Record {
  uint8_t *obs;   ///< (steps + 1, N rows)
  float *reward;  ///< (steps, N)
  uint8_t *ended; ///< (steps, N)
  double *states; ///< (steps + 1, N, state_size)
  int64_t steps;
} Record;

typedef enum Buffer { STATES, OBS, REWARD, TERMINATED, ACTIONS, RNG } Buffer;

typedef struct Run {
  const Checks *checks;
  Guarded buffer[BUFFERS];
  int64_t elapsed[N];
} Run;

// ---- rows of the report

static void begin(Checks *c, const char *name) {
  CelEnvCheck *row = &c->report->row[c->report->n];
  CEL_ASSERT(c->report->n < CEL_ENV_CHECKS_MAX);
  *row = (CelEnvCheck){.name = name};
  if (c->options.begun) c->options.begun(c->options.user, name);
}

/// Completes the report's row with a status. CEL_E_MEMORY is an error, not a finding.
static CelStatus end(Checks *c, CelStatus status) {
  CelEnvCheck *row = &c->report->row[c->report->n];
  if (status == CEL_E_MEMORY) return status;
  row->passed = status == CEL_OK;
  if (!row->passed) snprintf(row->message, sizeof row->message, "%s", cel_error());
  c->report->failed += !row->passed;
  c->report->n++;
  return CEL_OK;
}

// ---- guarded buffers

/// Maps a buffer. at_end: its last byte is next to the page behind it; else its first byte is next
/// to the page before it.
static CelStatus guard(Guarded *buffer, size_t bytes, bool at_end) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (bytes + page - 1) / page * page;
  *buffer = (Guarded){.mapped = room + 2 * page};
  void *mapping =
      mmap(NULL, buffer->mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED)
    return cel_fail(CEL_E_MEMORY, "not enough memory for a buffer of %zu bytes", bytes);
  buffer->mapping = mapping;
  if (room && mprotect(buffer->mapping + page, room, PROT_READ | PROT_WRITE) != 0)
    return cel_fail(CEL_E_MEMORY, "not enough memory for a buffer of %zu bytes", bytes);
  buffer->data = buffer->mapping + page + (at_end ? room - bytes : 0);
  return CEL_OK;
}

static void run_close(Run *run) {
  for (int i = 0; i < BUFFERS; i++)
    if (run->buffer[i].mapping) munmap(run->buffer[i].mapping, run->buffer[i].mapped);
}

static CelStatus run_open(Run *run, const Checks *c, int64_t n, bool at_end) {
  const size_t rows = (size_t)n;
  const size_t bytes[BUFFERS] = {c->state_bytes * rows,  c->obs_bytes * rows,
                                 sizeof(float) * rows,   rows,
                                 c->action_bytes * rows, sizeof(CelRng) * rows};
  *run = (Run){.checks = c};
  for (int i = 0; i < BUFFERS; i++) CELI_TRY(guard(&run->buffer[i], bytes[i], at_end));
  return CEL_OK;
}

// ---- values

/// Errors: CEL_E_RANGE, CEL_E_NAN (the message names the element that the space does not allow).
static CelStatus check_row(const CelSpace *space, const uint8_t *row, const char *what) {
  for (int p = 0; p < space->n_parts; p++) {
    const CelSpacePart *part = &space->part[p];
    for (int64_t j = 0; j < part->size; j++) {
      const uint8_t *at = row + cel_space_offset(space, p) + (size_t)j * cel_type_size(part->type);
      const int64_t bound = part->size > CEL_SPACE_BOUNDS_MAX ? 0 : j;
      double value = 0, low = 0, high = 1;
      float real;
      int32_t whole;
      if (part->type == CEL_F32) {
        memcpy(&real, at, sizeof real);
        value = (double)real;
      }
      if (part->type == CEL_I32) {
        memcpy(&whole, at, sizeof whole);
        value = whole;
      }
      if (part->type == CEL_U8) value = *at;
      if (part->kind == CEL_BOX) {
        low = (double)part->low[bound];
        high = (double)part->high[bound];
      }
      if (part->kind == CEL_DISCRETE) high = (double)part->n - 1;
      if (part->kind == CEL_MULTI_DISCRETE) high = (double)part->high[bound] - 1;
      if (!isfinite(value))
        return cel_fail(CEL_E_NAN, "%s: element %" PRId64 " is %g; it must be finite", what, j,
                        value);
      if (value < low || value > high)
        return cel_fail(CEL_E_RANGE,
                        "%s: element %" PRId64 " is %.9g; its space allows %.9g to %.9g", what, j,
                        value, low, high);
    }
  }
  return CEL_OK;
}

static CelStatus check_outcome(const Run *run, int64_t i, int64_t t) {
  char what[64];
  const Checks *c = run->checks;
  const float reward = ((const float *)(const void *)run->buffer[REWARD].data)[i];
  const uint8_t ended = run->buffer[TERMINATED].data[i];
  if (!isfinite(reward))
    return cel_fail(CEL_E_NAN, "step %" PRId64 ": the reward is %g; it must be finite", t,
                    (double)reward);
  if (ended > 1)
    return cel_fail(CEL_E_RANGE, "step %" PRId64 ": terminated is %d; it must be 0 or 1", t,
                    (int)ended);
  snprintf(what, sizeof what, "observation of step %" PRId64, t);
  return check_row(&c->spec->observation, run->buffer[OBS].data + (size_t)i * c->obs_bytes, what);
}

// ---- running

static CelRng *streams(const Run *run) {
  return (CelRng *)(void *)run->buffer[RNG].data;
}

/// Starts the random stream of row i as that of environment `index`.
static void start_stream(const Run *run, int64_t i, int64_t index) {
  const CelRng rng = cel_rng(run->checks->options.seed, CEL_RNG_ENV, (uint32_t)index);
  streams(run)[i] = rng;
}

static CelStatus reset_one(Run *run, int64_t i) {
  const Checks *c = run->checks;
  run->elapsed[i] = 0;
  uint8_t *obs = run->buffer[OBS].data + (size_t)i * c->obs_bytes;
  memset(obs, 0xff,
         c->obs_bytes); // NaN: elements that the environment does not write fail the check
  double *state = (double *)(void *)(run->buffer[STATES].data + (size_t)i * c->state_bytes);
  const CelStatus status = c->spec->type->reset(c->spec, state, obs, &streams(run)[i]);
  celi_floats_keep();
  CELI_TRY(cel_fail_in(status, "reset: "));
  return check_row(&c->spec->observation, obs, "observation of a reset");
}

/// Steps environments [first, first + n) with new random actions.
static CelStatus step_all(Run *run, int64_t n, int64_t first, int64_t t) {
  const Checks *c = run->checks;
  const CelEnvSpec *spec = c->spec;
  for (int64_t i = 0; i < n; i++) {
    CelRng rng = cel_rng(c->options.seed, CEL_RNG_ACT, (uint32_t)(first + i));
    rng.counter = (uint64_t)t << 20;
    cel_space_sample(&spec->action, run->buffer[ACTIONS].data + (size_t)i * c->action_bytes, 1,
                     &rng);
  }
  uint8_t *actions = run->buffer[ACTIONS].data, *kept = malloc(c->action_bytes * (size_t)n + 1);
  if (!kept) return cel_fail(CEL_E_MEMORY, "not enough memory for actions");
  memcpy(kept, actions, c->action_bytes * (size_t)n);
  memset(run->buffer[OBS].data, 0xff, c->obs_bytes * (size_t)n);
  memset(run->buffer[REWARD].data, 0xff, sizeof(float) * (size_t)n);
  memset(run->buffer[TERMINATED].data, 0xff, (size_t)n);
  CelStatus status = spec->type->step(
      spec, (double *)(void *)run->buffer[STATES].data, n, actions, run->buffer[OBS].data,
      (float *)(void *)run->buffer[REWARD].data, run->buffer[TERMINATED].data, streams(run));
  celi_floats_keep();
  status = cel_fail_in(status, "step %" PRId64 ": ", t);
  if (status == CEL_OK && memcmp(kept, actions, c->action_bytes * (size_t)n) != 0)
    status = cel_fail(
        CEL_E_ENV, "step %" PRId64 ": the environment wrote to its actions, which it may only read",
        t);
  free(kept);
  for (int64_t i = 0; status == CEL_OK && i < n; i++) status = check_outcome(run, i, t);
  return status;
}

static void take(Record *record, const Run *run, int64_t n, int64_t first, int64_t t) {
  const Checks *c = run->checks;
  const size_t at = (size_t)(t * N + first), rows = (size_t)n;
  memcpy(record->obs + at * c->obs_bytes, run->buffer[OBS].data, rows * c->obs_bytes);
  memcpy((uint8_t *)record->states + at * c->state_bytes, run->buffer[STATES].data,
         rows * c->state_bytes);
  memcpy(record->reward + at, run->buffer[REWARD].data, rows * sizeof(float));
  memcpy(record->ended + at, run->buffer[TERMINATED].data, rows);
}

/// Runs environments [first, first + n) of N together for all steps, and records them.
static CelStatus play(const Checks *c, Record *record, int64_t n, int64_t first, bool at_end) {
  const int64_t limit = c->spec->max_episode_steps;
  Run run = {0};
  CelStatus status = run_open(&run, c, n, at_end);
  for (int64_t i = 0; status == CEL_OK && i < n; i++) {
    start_stream(&run, i, first + i);
    status = reset_one(&run, i);
  }
  for (int64_t t = 0; status == CEL_OK && t < record->steps; t++) {
    status = step_all(&run, n, first, t);
    if (status == CEL_OK) take(record, &run, n, first, t);
    for (int64_t i = 0; status == CEL_OK && i < n; i++) {
      const bool cut = ++run.elapsed[i] == limit;
      if (run.buffer[TERMINATED].data[i] || cut) status = reset_one(&run, i);
    }
  }
  run_close(&run);
  return status;
}

static void record_close(Record *record) {
  free(record->obs);
  free(record->reward);
  free(record->ended);
  free(record->states);
}

static CelStatus record_open(Record *record, const Checks *c) {
  const size_t rows = (size_t)c->options.steps * N;
  *record = (Record){.steps = c->options.steps};
  CELI_TRY(celi_alloc(&record->obs, rows, c->obs_bytes, "a record of observations"));
  CELI_TRY(celi_alloc(&record->reward, rows, sizeof(float), "a record of rewards"));
  CELI_TRY(celi_alloc(&record->ended, rows, 1, "a record of ends"));
  return celi_alloc(&record->states, rows, c->state_bytes ? c->state_bytes : 1,
                    "a record of states");
}

/// Compares bits: NaN equals NaN, and 0 differs from -0.
static bool same_bits(float a, float b) {
  uint32_t x, y;
  memcpy(&x, &a, sizeof x);
  memcpy(&y, &b, sizeof y);
  return x == y;
}

/// Errors: CEL_E_ENV (the message names the first step at which two records differ, and `why`).
static CelStatus compare(const Checks *c, const Record *a, const Record *b, const char *why) {
  for (int64_t k = 0; k < a->steps * N; k++) {
    const size_t o = (size_t)k * c->obs_bytes, s = (size_t)k * c->state_bytes;
    const char *what = NULL;
    if (memcmp(a->obs + o, b->obs + o, c->obs_bytes) != 0) what = "observation";
    if (!same_bits(a->reward[k], b->reward[k])) what = "reward";
    if (a->ended[k] != b->ended[k]) what = "end of the episode";
    if (memcmp((uint8_t *)a->states + s, (uint8_t *)b->states + s, c->state_bytes) != 0)
      what = what ? what : "state";
    if (what)
      return cel_fail(CEL_E_ENV,
                      "the %s of environment %" PRId64 " differs at step %" PRId64 ": %s", what,
                      k % N, k / N, why);
  }
  return CEL_OK;
}

// ---- the checks

static CelStatus check_spaces(const Checks *c) {
  CELI_TRY(cel_fail_in(cel_space_check(&c->spec->observation), "observation space: "));
  return cel_fail_in(cel_space_check(&c->spec->action), "action space: ");
}

static CelStatus check_reset(const Checks *c) {
  Run run = {0};
  CelStatus status = run_open(&run, c, 1, true);
  for (uint32_t k = 0; status == CEL_OK && k < 100; k++) {
    start_stream(&run, 0, k);
    status = reset_one(&run, 0);
  }
  run_close(&run);
  return status;
}

static CelStatus check_independence(const Checks *c, const Record *together) {
  Record alone;
  CelStatus status = record_open(&alone, c);
  for (int64_t i = 0; status == CEL_OK && i < N; i++) status = play(c, &alone, 1, i, true);
  if (status == CEL_OK)
    status = compare(
        c, together, &alone,
        "the environment uses data outside of its own state; it must keep everything in `states`");
  record_close(&alone);
  return status;
}

static CelStatus check_render(const Checks *c) {
  const CelEnvSpec *spec = c->spec;
  Run run = {0};
  enum { SIZE = 64 };
  CelCanvas *canvas = calloc(1, sizeof *canvas);
  uint8_t *image = calloc(SIZE * SIZE, 3);
  CelStatus status = canvas && image ? run_open(&run, c, 1, true)
                                     : cel_fail(CEL_E_MEMORY, "not enough memory for a canvas");
  if (status == CEL_OK) {
    start_stream(&run, 0, 0);
    status = reset_one(&run, 0);
  }
  for (int64_t t = 0; status == CEL_OK && t < 20; t++) {
    memset(canvas, 0, sizeof *canvas);
    canvas->image = image;
    canvas->image_size = SIZE;
    spec->type->render(spec, (const double *)(const void *)run.buffer[STATES].data, canvas);
    celi_floats_keep();
    if (canvas->failed == CEL_E_UNSUPPORTED) break; // this machine cannot draw it
    if (canvas->failed != CEL_OK)
      status = celi_status_given(canvas->failed, "render");
    else if (canvas->has_image)
      status = CEL_OK;
    else if (!(canvas->x_max > canvas->x_min && canvas->y_max > canvas->y_min))
      status = cel_fail(CEL_E_ENV, "render set no view; it must call cel_canvas_clear first");
    else if (canvas->n_shapes == 0)
      status = cel_fail(CEL_E_ENV, "render drew no shapes");
    else if (canvas->dropped)
      status = cel_fail(CEL_E_ENV, "render drew %d shapes too many; the limit is %d",
                        canvas->dropped, CEL_SHAPES_MAX);
    if (status == CEL_OK) status = step_all(&run, 1, 0, t);
    if (status == CEL_OK && run.buffer[TERMINATED].data[0]) status = reset_one(&run, 0);
  }
  run_close(&run);
  free(canvas);
  free(image);
  return status;
}

/// Runs the checks that compare two records.
static CelStatus check_records(Checks *c, Record *a, Record *b) {
  begin(c, "step");
  CELI_TRY(end(c, play(c, a, N, 0, true)));
  const bool stepped = c->report->row[c->report->n - 1].passed;
  begin(c, "buffers");
  const CelStatus status = play(c, b, N, 0, false);
  CELI_TRY(end(c, stepped ? status : CEL_OK));
  if (!stepped || status != CEL_OK)
    return CEL_OK; // the later checks would fail for the same reason
  begin(c, "determinism");
  CELI_TRY(end(c, compare(c, a, b,
                          "the same seed and actions must give the same episode; draw from the "
                          "stream that the environment receives")));
  begin(c, "independence");
  return end(c, check_independence(c, a));
}

static CelStatus run_checks(Checks *c) {
  begin(c, "spaces");
  CELI_TRY(end(c, check_spaces(c)));
  if (c->report->failed) return CEL_OK;
  begin(c, "reset");
  CELI_TRY(end(c, check_reset(c)));
  if (c->report->failed) return CEL_OK;
  Record a, b = {0};
  CelStatus status = record_open(&a, c);
  if (status == CEL_OK) status = record_open(&b, c);
  if (status == CEL_OK) status = check_records(c, &a, &b);
  record_close(&a);
  record_close(&b);
  if (status != CEL_OK || c->report->failed || !c->spec->type->render) return status;
  begin(c, "render");
  return end(c, check_render(c));
}

CelStatus cel_env_check(const CelEnvSpec *spec, const CelEnvCheckOptions *options,
                        CelEnvReport *report) {
  CELI_NEED(spec);
  CELI_NEED(spec->type);
  CELI_NEED(report);
  CELI_FLOATS(CELI_IEEE);
  memset(report, 0, sizeof *report);
  Checks c = {.spec = spec, .report = report};
  if (options) c.options = *options;
  if (c.options.steps == 0) c.options.steps = STEPS;
  if (c.options.steps < 0)
    return cel_fail(CEL_E_RANGE, "steps is %" PRId64 "; it must be at least 1", c.options.steps);
  c.obs_bytes = cel_space_bytes(&spec->observation);
  c.action_bytes = cel_space_bytes(&spec->action);
  c.state_bytes = (size_t)spec->state_size * sizeof(double);
  return run_checks(&c);
}
