/// The engine of the checks. It tries each row on its problems and keeps the worst case.
///
/// Case c of a row uses the random stream (seed + c, row). So the numbers of a row depend neither
/// on other rows nor on the number of threads, and a seed alone is enough to repeat a case.
#include "verify/verify.h"
#include "base/arguments.h"
#include "base/base.h"
#include "base/clock.h"
#include "base/floats.h"
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKSPACE = 4 << 20 }; ///< doubles that a case may take: 32 MiB
enum { MDPS_MAX = 64 };       ///< problems that a case may build

static const CeliNote *const notes[] = {&celi_note_maximum_entropy, &celi_note_actor_critic,
                                        &celi_note_discrete_soft_policy_gradient,
                                        &celi_note_policy_guarantees, &celi_note_soft_q_learning};

enum { NOTES = sizeof notes / sizeof notes[0] };

const CeliNote *celi_note_at(int i) {
  return i >= 0 && i < NOTES ? notes[i] : NULL;
}

const CeliClaim *celi_note_claim(const CeliNote *note, int i, const CeliSection **section) {
  for (const CeliSection *const *s = note->sections; *s; s++)
    for (const CeliClaim *c = (*s)->claims; c->run; c++)
      if (i-- == 0) {
        if (section) *section = *s;
        return c;
      }
  return NULL;
}

const char *cel_verify_note_at(int i) {
  return i >= 0 && i < NOTES ? notes[i]->name : NULL;
}

const char *cel_verify_note_about(int i) {
  return i >= 0 && i < NOTES ? notes[i]->about : NULL;
}

int64_t cel_verify_count_without_library(const CelVerifyReport *report) {
  CELI_NEED_OR(report, 0);
  int64_t count = 0;
  for (int64_t i = 0; i < report->count; i++) count += report->check[i].function[0] == 0;
  return count;
}

const char *cel_check_kind_text(CelCheckKind kind) {
  switch (kind) {
  case CEL_CHECK_EQUAL: return "=";
  case CEL_CHECK_AT_MOST: return "<=";
  case CEL_CHECK_DIFFERS: return "!=";
  case CEL_CHECK_EXCEEDS: return ">";
  }
  return "?";
}

// ---- workspace, and the numbers of a row

double *celi_take(CeliTrial *trial, int64_t n) {
  CEL_ASSERT(n >= 0 && (size_t)n <= trial->size - trial->used);
  double *taken = trial->block + trial->used;
  memset(taken, 0, (size_t)n * sizeof *taken);
  trial->used += (size_t)n;
  return taken;
}

CeliComplex *celi_take_complex(CeliTrial *trial, int64_t n) {
  trial->used += trial->used & 1; // 16-byte alignment
  return (CeliComplex *)(void *)celi_take(trial, 2 * n);
}

int *celi_take_int(CeliTrial *trial, int64_t n) {
  return (int *)(void *)celi_take(trial, n / 2 + 1);
}

/// The residual of two numbers for a kind of row.
static double residual_of(CelCheckKind kind, double left, double right) {
  const bool one_sided = kind == CEL_CHECK_AT_MOST || kind == CEL_CHECK_EXCEEDS;
  if (left == right) return 0; // also if both are infinite
  return one_sided ? left - right : fabs(left - right);
}

/// The residual in tolerances, with the sign chosen so that larger is worse for every kind. NaN is
/// worst.
static double badness(CelCheckKind kind, double residual, double tolerance) {
  const bool wants_much = kind == CEL_CHECK_DIFFERS || kind == CEL_CHECK_EXCEEDS;
  double times = residual / tolerance;
  if (!(tolerance > 0)) times = residual > 0 ? HUGE_VAL : residual < 0 ? -HUGE_VAL : 0;
  if (isnan(residual)) return HUGE_VAL;
  return wants_much ? -times : times;
}

bool celi_check_passes(const CelCheck *check) {
  if (check->cases == 0 || check->message[0]) return false;
  if (check->kind == CEL_CHECK_DIFFERS || check->kind == CEL_CHECK_EXCEEDS)
    return check->residual > check->tolerance;
  return check->residual <= check->tolerance;
}

void celi_compare(CeliTrial *trial, double left, double right, double scale) {
  CelCheck *check = trial->check;
  const double tolerance = trial->claim->tolerance * scale;
  const double residual = residual_of(check->kind, left, right);
  const bool worst =
      !trial->compared || badness(check->kind, residual, tolerance) >
                              badness(check->kind, check->residual, check->tolerance);
  check->cases += trial->fresh;
  trial->compared = true, trial->fresh = false;
  if (!worst) return;
  check->left = left, check->right = right;
  check->residual = residual, check->tolerance = tolerance;
  check->seed = trial->seed;
}

void celi_compare_all(CeliTrial *trial, const double *left, const double *right, int64_t n,
                      double scale) {
  int64_t furthest = 0;
  double most = -HUGE_VAL;
  CEL_ASSERT(n > 0);
  for (int64_t i = 0; i < n; i++) {
    const double residual = residual_of(trial->check->kind, left[i], right[i]);
    if (!(residual > most) && !isnan(residual)) continue;
    furthest = i, most = residual;
    if (isnan(residual)) break;
  }
  celi_compare(trial, left[furthest], right[furthest], scale);
}

void celi_mean_add(CeliMean *mean, double x) {
  const double off = x - mean->mean;
  mean->n++;
  mean->mean += off / (double)mean->n;
  mean->squares += off * (x - mean->mean);
}

void celi_mean_compare(CeliTrial *trial, const CeliMean *mean, double expected, double least) {
  CEL_ASSERT(mean->n > 1);
  const double n = (double)mean->n, error = sqrt(mean->squares / (n - 1) / n);
  celi_compare(trial, mean->mean, expected, fmax(error, least));
}

// ---- one row

/// The random stream of a row: the one in its table, or FNV-1a over the note, the equation and the
/// claim. It stays the same when other rows are added.
static uint32_t stream_of(const char *note, const CeliClaim *claim) {
  if (claim->stream) return claim->stream;
  const char *const parts[] = {note, claim->equation, claim->claim};
  uint32_t hash = 2166136261u;
  for (int i = 0; i < 3; i++)
    for (const char *c = parts[i]; *c; c++) hash = (hash ^ (uint32_t)(unsigned char)*c) * 16777619u;
  return hash;
}

static void end_case(CeliTrial *trial) {
  while (trial->mdps > 0) cel_mdp_destroy(trial->mdp[--trial->mdps]);
  trial->used = 0;
}

/// Errors: CEL_E_MEMORY. Other errors in a case become the row's message.
static CelStatus run_row(const CelVerifyOptions *options, const char *note, const CeliClaim *claim,
                         double *block, CelCheck *check) {
  CelMdp *mdp[MDPS_MAX];
  CeliTrial trial = {.claim = claim, .check = check, .block = block, .size = WORKSPACE, .mdp = mdp};
  const int few = claim->cases / 8 > 0 ? claim->cases / 8 : 1;
  const uint32_t stream = stream_of(note, claim);
  const double began = celi_seconds();
  *check = (CelCheck){.note = note,
                      .equation = claim->equation,
                      .claim = claim->claim,
                      .function = claim->function,
                      .kind = claim->kind};
  CelStatus status = CEL_OK;
  for (int c = 0; c < (options->quick ? few : claim->cases) && status == CEL_OK; c++) {
    trial.seed = options->seed + (uint64_t)c;
    trial.fresh = true;
    trial.rng = cel_rng(trial.seed, CEL_RNG_USER, stream);
    status = claim->run(&trial);
    end_case(&trial);
  }
  if (status == CEL_OK && check->cases == 0)
    snprintf(check->message, sizeof check->message, "the row compared no numbers");
  if (status != CEL_OK) {
    check->seed = trial.seed;
    snprintf(check->message, sizeof check->message, "%.180s", cel_error());
  }
  check->pass = celi_check_passes(check);
  check->seconds = celi_seconds() - began;
  return status == CEL_E_MEMORY ? status : CEL_OK;
}

// ---- all rows

/// The rows as a queue. Each worker takes the next row; `done` marks rows that can be reported.
typedef struct Work {
  const CelVerifyOptions *options;
  CelVerifyReport *report;
  const char **note;
  const CeliClaim **claim;
  bool *done;
  int64_t next;
  CelStatus status;
  char message[1024];
  pthread_mutex_t mutex;
  pthread_cond_t told;
} Work;

/// The next row for a worker; -1 if none is left.
static int64_t take_row(Work *work) {
  pthread_mutex_lock(&work->mutex);
  const bool left = work->next < work->report->count && work->status == CEL_OK;
  const int64_t row = left ? work->next++ : -1;
  pthread_mutex_unlock(&work->mutex);
  return row;
}

static void tell_row(Work *work, int64_t row, CelStatus status) {
  pthread_mutex_lock(&work->mutex);
  if (row >= 0) work->done[row] = true;
  if (status != CEL_OK && work->status == CEL_OK) {
    work->status = status;
    snprintf(work->message, sizeof work->message, "%s", cel_error());
  }
  pthread_cond_broadcast(&work->told);
  pthread_mutex_unlock(&work->mutex);
}

static void *work_on(void *user) {
  CELI_FLOATS(CELI_IEEE);
  Work *work = user;
  double *block = NULL;
  const CelStatus room = celi_alloc(&block, WORKSPACE, sizeof *block, "the problems of verify");
  if (room != CEL_OK) tell_row(work, -1, room);
  for (int64_t row = take_row(work); row >= 0 && room == CEL_OK; row = take_row(work))
    tell_row(work, row,
             run_row(work->options, work->note[row], work->claim[row], block,
                     &work->report->check[row]));
  free(block);
  return NULL;
}

/// Reports the rows in order, as soon as each is done. Returns the status of the work.
static CelStatus follow(Work *work) {
  CelStatus status = CEL_OK;
  for (int64_t row = 0; row < work->report->count && status == CEL_OK; row++) {
    pthread_mutex_lock(&work->mutex);
    while (!work->done[row] && work->status == CEL_OK) pthread_cond_wait(&work->told, &work->mutex);
    status = work->status;
    pthread_mutex_unlock(&work->mutex);
    if (status == CEL_OK && work->options->row)
      work->options->row(work->options->user, &work->report->check[row]);
    celi_floats_keep();
  }
  return status;
}

enum { THREADS_MAX = 64 };

static CelStatus run_all(Work *work, int64_t threads) {
  pthread_t thread[THREADS_MAX];
  int64_t started = 0;
  pthread_mutex_init(&work->mutex, NULL);
  pthread_cond_init(&work->told, NULL);
  const int64_t wanted = threads < 1 ? 1 : threads > THREADS_MAX ? THREADS_MAX : threads;
  while (started < wanted && pthread_create(&thread[started], NULL, work_on, work) == 0) started++;
  CelStatus status = CEL_OK;
  if (started > 0)
    status = follow(work);
  else
    status = cel_fail(CEL_E_MEMORY, "verify could not start a thread");
  for (int64_t i = 0; i < started; i++) pthread_join(thread[i], NULL);
  pthread_cond_destroy(&work->told);
  pthread_mutex_destroy(&work->mutex);
  return status == CEL_OK || started == 0 ? status : cel_fail(status, "%s", work->message);
}

/// Errors: CEL_E_NAME.
static CelStatus check_note(const char *note) {
  CeliNearest nearest = {.wanted = note};
  for (int i = 0; i < NOTES && note; i++) {
    if (celi_name_equal(notes[i]->name, note)) return CEL_OK;
    celi_nearest_try(&nearest, notes[i]->name);
  }
  if (!note) return CEL_OK;
  if (nearest.best)
    return cel_fail(CEL_E_NAME, "no note '%s': did you mean '%s'?", note, nearest.best);
  return cel_fail(CEL_E_NAME, "no note '%s'; the notes are %s, %s, %s, %s and %s", note,
                  notes[0]->name, notes[1]->name, notes[2]->name, notes[3]->name, notes[4]->name);
}

/// Lists the rows of a note (NULL: all notes). Returns their number. With NULL lists it only
/// counts.
static int64_t list_rows(const char *wanted, const char **note, const CeliClaim **claim) {
  int64_t count = 0;
  for (int i = 0; i < NOTES; i++) {
    if (wanted && !celi_name_equal(notes[i]->name, wanted)) continue;
    const CeliClaim *c;
    for (int row = 0; (c = celi_note_claim(notes[i], row, NULL)); row++, count++)
      if (note) note[count] = notes[i]->name, claim[count] = c;
  }
  return count;
}

static CelStatus allocate(Work *work, const char *note) {
  CelVerifyReport *report = work->report;
  const size_t n = (size_t)list_rows(note, NULL, NULL);
  CELI_TRY(celi_alloc(&report->check, n, sizeof *report->check, "the check's table"));
  CELI_TRY(celi_alloc((void *)&work->note, n, sizeof *work->note, "the check's table"));
  CELI_TRY(celi_alloc((void *)&work->claim, n, sizeof *work->claim, "the check's table"));
  CELI_TRY(celi_alloc(&work->done, n, sizeof *work->done, "the check's table"));
  memset(work->done, 0, n * sizeof *work->done);
  report->count = list_rows(note, work->note, work->claim);
  return CEL_OK;
}

CelStatus cel_verify(const CelVerifyOptions *options, CelVerifyReport **out) {
  CELI_NEED(out);
  CELI_FLOATS(CELI_IEEE);
  const CelVerifyOptions standard = {0};
  const double began = celi_seconds();
  CelVerifyReport *report = NULL;
  if (!options) options = &standard;
  CELI_TRY(check_note(options->note));
  CELI_TRY(celi_alloc(&report, 1, sizeof *report, "the report of verify"));
  *report = (CelVerifyReport){0};
  Work work = {.options = options, .report = report};
  CelStatus status = allocate(&work, options->note);
  if (status == CEL_OK) status = run_all(&work, options->threads);
  free(work.note);
  free(work.claim);
  free(work.done);
  if (status != CEL_OK) {
    cel_verify_report_destroy(report);
    return status;
  }
  for (int64_t i = 0; i < report->count; i++) report->failed += !report->check[i].pass;
  report->seconds = celi_seconds() - began;
  *out = report;
  return CEL_OK;
}

void cel_verify_report_destroy(CelVerifyReport *report) {
  if (!report) return;
  free(report->check);
  free(report);
}
