/// Action distributions on rows of a batch.
///
/// Gaussian, sd = exp(log_std), z = (a - mean)/sd:
///   log pi(a) = sum_a [-z^2/2 - log_std - log(2 pi)/2],  H = sum_a [log_std + (1 + log(2 pi))/2]
///   d log pi/d mean = z/sd,  d log pi/d log_std = z^2 - 1,  d H/d log_std = 1
/// Squashed, a = tanh(u): log pi(a) = log N(u) - sum_a log(1 - tanh(u)^2), where
///   log(1 - tanh(u)^2) = 2 (log 2 - u - softplus(-2u)) is accurate for any u.
/// Categorical, log pi = log_softmax(head): H = -sum_a pi log pi,
///   d log pi(a)/d head_k = 1[k = a] - pi_k,  d H/d head_k = -pi_k (log pi_k + H).
/// Multi-categorical: independent entries, so log pi and H are sums over them.
/// Bernoulli, p = sigmoid(head): log p = -softplus(-head), log(1 - p) = log p - head,
///   d log pi(a)/d head = a - p,  d H/d head = -p (1 - p) head.
/// Source: [maximum-entropy, 8.5], [actor-critic, 4.24]
#include "nn/dist.h"
#include "base/base.h"
#include "nn/declare.h"
#include "nn/net.h"

#include <math.h>
#include <string.h>

static const float half_log_2pi = 0.918938533204672742f;
static const float log_2 = 0.693147180559945309f;

bool celi_dist_discrete(const CeliDistSpec *spec) {
  return spec->kind != CELI_GAUSSIAN && spec->kind != CELI_SQUASHED_GAUSSIAN;
}

int64_t celi_dist_head(const CeliDistSpec *spec) {
  const bool no_log_std = celi_dist_discrete(spec) || spec->free_log_std || spec->deterministic;
  return no_log_std ? spec->A : 2 * spec->A;
}

/// Entries of a discrete action. Each is one categorical with a group of logits.
static int64_t entries(const CeliDistSpec *spec) {
  return spec->kind == CELI_MULTI_CATEGORICAL ? spec->K : 1;
}

/// Logits of entry k.
static int64_t choices_of(const CeliDistSpec *spec, int64_t k) {
  return spec->kind == CELI_MULTI_CATEGORICAL ? (int64_t)spec->choices[k] : spec->A;
}

int64_t celi_dist_noise(const CeliDistSpec *spec) {
  if (spec->deterministic) return 0;
  return spec->kind == CELI_CATEGORICAL || spec->kind == CELI_MULTI_CATEGORICAL ? entries(spec)
                                                                                : spec->A;
}

// ---- declaring

static CelStatus check_spec(const char *name, const CeliDistSpec *spec) {
  if (spec->A < 1)
    return cel_fail(CEL_E_RANGE, "distribution \"%s\": A is %lld; it must be at least 1", name,
                    (long long)spec->A);
  if (celi_dist_discrete(spec) && spec->free_log_std)
    return cel_fail(CEL_E_UNSUPPORTED, "distribution \"%s\": categorical actions have no log_std",
                    name);
  return CEL_OK;
}

CelStatus celi_dist_declare_param(CeliDist *dist, CelTensors *tensors, const char *name,
                                  const CeliDistSpec *spec) {
  static const CelRole roles[] = {CEL_PARAM, CEL_GRAD, CEL_MOMENT1, CEL_MOMENT2};
  CELI_TRY(check_spec(name, spec));
  memset(dist, 0, sizeof *dist);
  dist->spec = *spec;
  if (!spec->free_log_std) return CEL_OK;
  dist->with = dist;
  float **const places[] = {&dist->log_std_param, &dist->d_log_std_param, NULL, NULL};
  const int64_t shape[] = {spec->A, -1, -1};
  for (int i = 0; i < 4; i++)
    CELI_TRY(celi_declare_f32(tensors, roles[i], places[i], shape, "%s%s.log_std",
                              celi_mirror_prefix(roles[i]), name));
  return CEL_OK;
}

static CelStatus declare_discrete(CeliDist *d, CelTensors *tensors, const char *name) {
  const int64_t rows[] = {d->B, -1, -1}, matrix[] = {d->B, d->spec.A, -1};
  CELI_TRY(celi_declare_f32(tensors, CEL_SCRATCH, &d->eps, rows, "%s.eps", name));
  CELI_TRY(celi_declare_f32(tensors, CEL_SCRATCH, &d->log_pi, matrix, "%s.log_pi", name));
  return celi_declare_f32(tensors, CEL_SCRATCH, &d->pi, matrix, "%s.pi", name);
}

static CelStatus declare_gaussian(CeliDist *d, CelTensors *tensors, const char *name,
                                  bool backward) {
  const int64_t matrix[] = {d->B, d->spec.A, -1};
  CELI_TRY(celi_declare_f32(tensors, CEL_SCRATCH, &d->log_std, matrix, "%s.log_std_rows", name));
  CELI_TRY(celi_declare_f32(tensors, CEL_SCRATCH, &d->eps, matrix, "%s.eps", name));
  CELI_TRY(celi_declare_f32(tensors, CEL_SCRATCH, &d->u, matrix, "%s.u", name));
  CELI_TRY(celi_declare_f32(tensors, CEL_SCRATCH, &d->inv_sd, matrix, "%s.inv_sd", name));
  if (!backward || !d->spec.free_log_std) return CEL_OK;
  return celi_declare_f32(tensors, CEL_SCRATCH, &d->d_log_std, matrix, "%s.d_log_std_rows", name);
}

static CelStatus declare_use(CeliDist *dist, CelTensors *tensors, const char *name, int64_t B,
                             bool backward) {
  const int64_t rows[] = {B, -1, -1};
  if (B < 1)
    return cel_fail(CEL_E_RANGE, "distribution \"%s\": B is %lld; it must be at least 1", name,
                    (long long)B);
  if (dist->spec.free_log_std && dist->with == NULL)
    return cel_fail(CEL_E_STATE, "distribution \"%s\": its free log_std is not declared", name);
  dist->B = B;
  CELI_TRY(celi_declare_f32(tensors, CEL_SCRATCH, &dist->logp, rows, "%s.logp", name));
  CELI_TRY(celi_declare_f32(tensors, CEL_SCRATCH, &dist->entropy, rows, "%s.entropy", name));
  if (backward)
    CELI_TRY(celi_declare_f32(tensors, CEL_SCRATCH, &dist->d_logp, rows, "%s.d_logp", name));
  if (celi_dist_discrete(&dist->spec)) return declare_discrete(dist, tensors, name);
  return declare_gaussian(dist, tensors, name, backward);
}

CelStatus celi_dist_declare(CeliDist *dist, CelTensors *tensors, const char *name,
                            const CeliDistSpec *spec, int64_t B, bool backward) {
  CELI_TRY(check_spec(name, spec));
  if (!spec->free_log_std) memset(dist, 0, sizeof *dist);
  dist->spec = *spec;
  return declare_use(dist, tensors, name, B, backward);
}

CelStatus celi_dist_declare_shared(CeliDist *dist, CelTensors *tensors, const char *name,
                                   const CeliDist *with, int64_t B, bool backward) {
  memset(dist, 0, sizeof *dist);
  dist->spec = with->spec;
  dist->with = with->with;
  return declare_use(dist, tensors, name, B, backward);
}

void celi_dist_init(CeliDist *dist) {
  if (dist->spec.free_log_std)
    celi_ops()->fill(dist->with->log_std_param, (float)dist->spec.log_std_init, dist->spec.A);
}

// ---- the clamped log_std

static bool clamped(const CeliDistSpec *spec) {
  return spec->log_std_min < spec->log_std_max;
}

/// NaN stays NaN.
static float clamp_log_std(const CeliDistSpec *spec, float x) {
  if (!clamped(spec)) return x;
  const float lo = (float)spec->log_std_min, hi = (float)spec->log_std_max;
  return x < lo ? lo : x > hi ? hi : x;
}

/// The unclamped log_std (B,A) *ld: a part of the head, or one row for the whole batch.
static const float *raw_log_std(const CeliDist *d, const float *head, ptrdiff_t ldh,
                                ptrdiff_t *ld) {
  *ld = d->spec.free_log_std ? 0 : ldh;
  return d->spec.free_log_std ? d->with->log_std_param : head + d->spec.A;
}

static void set_log_std(const CeliDist *d, const float *head, ptrdiff_t ldh, int64_t begin,
                        int64_t end) {
  const int64_t A = d->spec.A;
  ptrdiff_t ldr;
  const float *raw = raw_log_std(d, head, ldh, &ldr);
  for (int64_t b = begin; b < end; b++)
    for (int64_t a = 0; a < A; a++)
      d->log_std[b * A + a] = clamp_log_std(&d->spec, raw[b * ldr + a]);
}

/// Where the rows of d log_std are written: into the head's gradient, or into rows that are summed
/// later.
static float *log_std_gradient(const CeliDist *d, float *d_head, ptrdiff_t lddh, ptrdiff_t *ld) {
  *ld = d->spec.free_log_std ? d->spec.A : lddh;
  return d->spec.free_log_std ? d->d_log_std : d_head + d->spec.A;
}

// ---- what the operations touch, by row

/// Elements of an action, and bytes of one.
static int64_t action_width(const CeliDistSpec *spec) {
  return celi_dist_discrete(spec) && spec->kind != CELI_BERNOULLI ? entries(spec) : spec->A;
}

static CeliAccess action_rows(const CeliDistSpec *spec, const void *action, ptrdiff_t lda,
                              int mode) {
  const int64_t size = spec->kind == CELI_BERNOULLI ? 1 : 4;
  CeliAccess rows = CELI_READ_ROWS((const uint8_t *)action, lda * size, action_width(spec) * size);
  rows.mode = mode;
  return rows;
}

/// The head and the free log_std, which are read.
static void touch_head(CeliPlan *plan, const CeliDist *d, const float *head, ptrdiff_t ldh) {
  celi_plan_touch(plan, CELI_READ_ROWS(head, ldh, celi_dist_head(&d->spec)),
                  CELI_READ(d->spec.free_log_std ? d->with->log_std_param : NULL, d->spec.A));
}

/// What a sample or a log-prob leaves for the backward pass.
static void touch_results(CeliPlan *plan, const CeliDist *d, int mode) {
  const int64_t A = d->spec.A, eps = celi_dist_discrete(&d->spec) ? 1 : A;
  CeliAccess all[] = {CELI_READ_ROWS(d->log_std, A, A), CELI_READ_ROWS(d->eps, eps, eps),
                      CELI_READ_ROWS(d->u, A, A),       CELI_READ_ROWS(d->inv_sd, A, A),
                      CELI_READ_ROWS(d->log_pi, A, A),  CELI_READ_ROWS(d->pi, A, A),
                      CELI_READ_ROWS(d->logp, 1, 1),    CELI_READ_ROWS(d->entropy, 1, 1)};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) all[i].mode = mode;
  celi_plan_touches(plan, all, sizeof all / sizeof *all);
}

// ---- sampling

typedef struct SampleArgs {
  const CeliDist *dist;
  void *action;
  ptrdiff_t lda;
  const float *head;
  ptrdiff_t ldh;
  uint64_t seed;
  const uint64_t *counter;
  uint32_t index;
} SampleArgs;

int32_t celi_dist_pick(const float *pi, int64_t A, float uniform) {
  float sum = 0;
  int32_t last = 0;
  for (int64_t a = 0; a < A; a++) {
    sum += pi[a];
    if (uniform < sum) return (int32_t)a;
    if (pi[a] > 0) last = (int32_t)a;
  }
  return last;
}

static void op_sample_categorical(const void *args, int64_t begin, int64_t end) {
  const SampleArgs *s = args;
  const CeliDist *d = s->dist;
  const CeliOps *ops = celi_ops();
  const int64_t A = d->spec.A;
  int32_t *action = s->action;
  ops->log_softmax(d->log_pi, A, s->head, s->ldh, begin, end, A);
  ops->exp(d->pi + begin * A, d->log_pi + begin * A, (end - begin) * A);
  ops->uniform(d->eps, s->seed, CEL_RNG_NOISE, s->index, *s->counter, begin, end);
  for (int64_t b = begin; b < end; b++) {
    action[b * s->lda] = celi_dist_pick(d->pi + b * A, A, d->eps[b]);
    d->logp[b] = d->log_pi[b * A + action[b * s->lda]];
  }
}

static void op_sample_gaussian(const void *args, int64_t begin, int64_t end) {
  const SampleArgs *s = args;
  const CeliDist *d = s->dist;
  const CeliOps *ops = celi_ops();
  const int64_t A = d->spec.A;
  set_log_std(d, s->head, s->ldh, begin, end);
  ops->normal(d->eps, s->seed, CEL_RNG_NOISE, s->index, *s->counter, begin * A, end * A);
  ops->gaussian_sample(s->action, s->lda, d->u, d->logp, s->head, s->ldh, d->log_std, A, d->eps,
                       begin, end, A, d->spec.kind == CELI_SQUASHED_GAUSSIAN);
}

void celi_dist_plan_sample(CeliPlan *plan, const CeliDist *dist, void *action, ptrdiff_t lda,
                           const float *head, ptrdiff_t ldh, uint64_t seed, uint32_t index,
                           const uint64_t *counter) {
  const SampleArgs args = {dist, action, lda, head, ldh, seed, counter, index};
  const bool categorical = dist->spec.kind == CELI_CATEGORICAL;
  CEL_ASSERT(categorical || !celi_dist_discrete(&dist->spec));
  celi_plan_add(plan, "sample", categorical ? op_sample_categorical : op_sample_gaussian, CELI_ROWS,
                dist->B, CELI_ROW_GRAIN, &args, sizeof args);
  touch_head(plan, dist, head, ldh);
  touch_results(plan, dist, CELI_UPDATES);
  celi_plan_touch(plan, action_rows(&dist->spec, action, lda, CELI_WRITES), CELI_READ(counter, 1));
}

uint64_t celi_dist_blocks(const CeliDist *dist) {
  const int64_t words = dist->spec.kind == CELI_CATEGORICAL ? dist->B : dist->B * dist->spec.A;
  return (uint64_t)(words + 3) / 4;
}

typedef struct BackwardArgs {
  const CeliDist *dist;
  float *d_head;
  ptrdiff_t lddh;
  const float *d_action;
  ptrdiff_t ldda;
  const float *d_logp, *d_entropy;
  const void *action;
  ptrdiff_t lda;
  const float *head;
  ptrdiff_t ldh;
} BackwardArgs;

/// What all backward operations touch.
static void touch_backward(CeliPlan *plan, const BackwardArgs *s) {
  const CeliDist *d = s->dist;
  touch_head(plan, d, s->head, s->ldh);
  touch_results(plan, d, CELI_READS);
  celi_plan_touch(plan, action_rows(&d->spec, s->action, s->lda, CELI_READS),
                  CELI_READ_ROWS(s->d_logp, 1, 1), CELI_READ_ROWS(s->d_entropy, 1, 1),
                  CELI_WRITE_ROWS(s->d_head, s->lddh, celi_dist_head(&d->spec)),
                  CELI_WRITE_ROWS(d->d_log_std, d->spec.A, d->spec.A));
}

static void op_sample_backward(const void *args, int64_t begin, int64_t end) {
  const BackwardArgs *s = args;
  const CeliDist *d = s->dist;
  const int64_t A = d->spec.A;
  ptrdiff_t ldr, ldds;
  const float *raw = raw_log_std(d, s->head, s->ldh, &ldr);
  float *d_log_std = log_std_gradient(d, s->d_head, s->lddh, &ldds);
  const float lo = clamped(&d->spec) ? (float)d->spec.log_std_min : 0;
  const float hi = clamped(&d->spec) ? (float)d->spec.log_std_max : 0;
  celi_ops()->gaussian_sample_backward(s->d_head, s->lddh, d_log_std, ldds, s->d_action, s->ldda,
                                       s->d_logp, s->action, s->lda, d->log_std, A, d->eps, raw,
                                       ldr, lo, hi, begin, end, A,
                                       d->spec.kind == CELI_SQUASHED_GAUSSIAN);
}

void celi_dist_plan_sample_backward(CeliPlan *plan, const CeliDist *dist, float *d_head,
                                    ptrdiff_t lddh, const float *d_action, ptrdiff_t ldda,
                                    const float *action, ptrdiff_t lda, const float *head,
                                    ptrdiff_t ldh) {
  const BackwardArgs args = {.dist = dist,
                             .d_head = d_head,
                             .lddh = lddh,
                             .d_action = d_action,
                             .ldda = ldda,
                             .d_logp = dist->d_logp,
                             .action = action,
                             .lda = lda,
                             .head = head,
                             .ldh = ldh};
  CEL_ASSERT(!celi_dist_discrete(&dist->spec) && dist->d_logp != NULL);
  celi_plan_add(plan, "sample backward", op_sample_backward, CELI_ROWS, dist->B, CELI_ROW_GRAIN,
                &args, sizeof args);
  touch_backward(plan, &args);
  celi_plan_touch(plan, CELI_READ_ROWS(d_action, ldda, dist->spec.A));
}

// ---- log-probabilities of given actions

typedef struct LogProbArgs {
  const CeliDist *dist;
  const void *action;
  ptrdiff_t lda;
  const float *head;
  ptrdiff_t ldh;
} LogProbArgs;

/// u = atanh(action) = log((1 + a)/(1 - a))/2 of rows. +-1 counts as the nearest number inside.
static void unsquash(const CeliDist *d, const float *action, ptrdiff_t lda, int64_t begin,
                     int64_t end) {
  const int64_t A = d->spec.A;
  const float most = 1.0f - 0x1p-24f;
  for (int64_t b = begin; b < end; b++)
    for (int64_t k = 0; k < A; k++) {
      float a = action[b * lda + k];
      a = a > most ? most : a < -most ? -most : a;
      d->u[b * A + k] = (1.0f + a) / (1.0f - a);
    }
  float *u = d->u + begin * A;
  celi_ops()->log(u, u, (end - begin) * A);
  for (int64_t i = 0; i < (end - begin) * A; i++) u[i] *= 0.5f;
}

/// logp -= sum_a log(1 - tanh(u)^2).
static void subtract_log_jacobian(const CeliDist *d, int64_t begin, int64_t end) {
  enum { CHUNK = 256 };
  float softplus[CHUNK];
  const int64_t A = d->spec.A;
  for (int64_t b = begin; b < end; b++)
    for (int64_t at = 0; at < A; at += CHUNK) {
      const int64_t n = A - at < CHUNK ? A - at : CHUNK;
      const float *u = d->u + b * A + at;
      for (int64_t i = 0; i < n; i++) softplus[i] = -2.0f * u[i];
      celi_ops()->softplus(softplus, softplus, n);
      for (int64_t i = 0; i < n; i++) d->logp[b] -= 2.0f * (log_2 - u[i] - softplus[i]);
    }
}

static void op_log_prob_gaussian(const void *args, int64_t begin, int64_t end) {
  const LogProbArgs *s = args;
  const CeliDist *d = s->dist;
  const CeliOps *ops = celi_ops();
  const int64_t A = d->spec.A;
  const bool squash = d->spec.kind == CELI_SQUASHED_GAUSSIAN;
  if (squash) unsquash(d, s->action, s->lda, begin, end);
  const float *x = squash ? d->u : s->action;
  const ptrdiff_t ldx = squash ? A : s->lda;
  set_log_std(d, s->head, s->ldh, begin, end);
  for (int64_t i = begin * A; i < end * A; i++) d->inv_sd[i] = -d->log_std[i];
  ops->exp(d->inv_sd + begin * A, d->inv_sd + begin * A, (end - begin) * A);
  for (int64_t b = begin; b < end; b++) {
    float logp = 0, entropy = 0;
    for (int64_t a = 0; a < A; a++) {
      const float z = (x[b * ldx + a] - s->head[b * s->ldh + a]) * d->inv_sd[b * A + a];
      const float log_std = d->log_std[b * A + a];
      d->eps[b * A + a] = z;
      logp += -0.5f * z * z - (log_std + half_log_2pi);
      entropy += log_std + (0.5f + half_log_2pi);
    }
    d->logp[b] = logp;
    d->entropy[b] = squash ? NAN : entropy;
  }
  if (squash) subtract_log_jacobian(d, begin, end);
}

static float entropy_of(const float *pi, const float *log_pi, int64_t n) {
  float entropy = 0;
  for (int64_t a = 0; a < n; a++) entropy -= pi[a] == 0 ? 0 : pi[a] * log_pi[a];
  return entropy;
}

static void op_log_prob_choices(const void *args, int64_t begin, int64_t end) {
  const LogProbArgs *s = args;
  const CeliDist *d = s->dist;
  const int32_t *action = s->action;
  const int64_t A = d->spec.A;
  int64_t at = 0;
  for (int64_t k = 0; k < entries(&d->spec); at += choices_of(&d->spec, k++))
    celi_ops()->log_softmax(d->log_pi + at, A, s->head + at, s->ldh, begin, end,
                            choices_of(&d->spec, k));
  celi_ops()->exp(d->pi + begin * A, d->log_pi + begin * A, (end - begin) * A);
  for (int64_t b = begin; b < end; b++) {
    float logp = 0, entropy = 0;
    at = 0;
    for (int64_t k = 0; k < entries(&d->spec); at += choices_of(&d->spec, k++)) {
      const float *log_pi = d->log_pi + b * A + at;
      logp += log_pi[action[b * s->lda + k]];
      entropy += entropy_of(d->pi + b * A + at, log_pi, choices_of(&d->spec, k));
    }
    d->logp[b] = logp;
    d->entropy[b] = entropy;
  }
}

/// log_pi holds log p of a set bit.
static void op_log_prob_bits(const void *args, int64_t begin, int64_t end) {
  const LogProbArgs *s = args;
  const CeliDist *d = s->dist;
  const uint8_t *action = s->action;
  const int64_t A = d->spec.A, n = (end - begin) * A;
  float *log_p = d->log_pi + begin * A;
  for (int64_t b = begin; b < end; b++)
    for (int64_t a = 0; a < A; a++) d->log_pi[b * A + a] = -s->head[b * s->ldh + a];
  celi_ops()->softplus(log_p, log_p, n);
  for (int64_t i = 0; i < n; i++) log_p[i] = -log_p[i];
  celi_ops()->exp(d->pi + begin * A, log_p, n);
  for (int64_t b = begin; b < end; b++) {
    float logp = 0, entropy = 0;
    for (int64_t a = 0; a < A; a++) {
      const float p = d->pi[b * A + a], yes = d->log_pi[b * A + a], x = s->head[b * s->ldh + a];
      logp += action[b * s->lda + a] ? yes : yes - x;
      entropy -= p * yes + (1.0f - p) * (yes - x);
    }
    d->logp[b] = logp;
    d->entropy[b] = entropy;
  }
}

/// Selects the operation for this kind of distribution.
static CeliOpFn of_kind(const CeliDist *d, CeliOpFn gaussian, CeliOpFn choices, CeliOpFn bits) {
  return d->spec.kind == CELI_BERNOULLI ? bits : celi_dist_discrete(&d->spec) ? choices : gaussian;
}

void celi_dist_plan_log_prob(CeliPlan *plan, const CeliDist *dist, const void *action,
                             ptrdiff_t lda, const float *head, ptrdiff_t ldh) {
  const LogProbArgs args = {dist, action, lda, head, ldh};
  const CeliOpFn fn = of_kind(dist, op_log_prob_gaussian, op_log_prob_choices, op_log_prob_bits);
  celi_plan_add(plan, "log-prob", fn, CELI_ROWS, dist->B, CELI_ROW_GRAIN, &args, sizeof args);
  touch_head(plan, dist, head, ldh);
  touch_results(plan, dist, CELI_UPDATES);
  celi_plan_touch(plan, action_rows(&dist->spec, action, lda, CELI_READS));
}

static float at_or_zero(const float *x, int64_t i) {
  return x ? x[i] : 0.0f;
}

static void op_log_prob_backward_gaussian(const void *args, int64_t begin, int64_t end) {
  const BackwardArgs *s = args;
  const CeliDist *d = s->dist;
  const int64_t A = d->spec.A;
  ptrdiff_t ldr, ldds;
  const float *raw = raw_log_std(d, s->head, s->ldh, &ldr);
  float *d_log_std = log_std_gradient(d, s->d_head, s->lddh, &ldds);
  const bool bounded = clamped(&d->spec);
  const float lo = (float)d->spec.log_std_min, hi = (float)d->spec.log_std_max;
  for (int64_t b = begin; b < end; b++) {
    const float d_logp = at_or_zero(s->d_logp, b), d_entropy = at_or_zero(s->d_entropy, b);
    for (int64_t a = 0; a < A; a++) {
      const float z = d->eps[b * A + a], r = raw[b * ldr + a];
      const bool outside = bounded && (r < lo || r > hi);
      s->d_head[b * s->lddh + a] = d_logp * z * d->inv_sd[b * A + a];
      d_log_std[b * ldds + a] = outside ? 0 : d_logp * (z * z - 1.0f) + d_entropy;
    }
  }
}

static void op_log_prob_backward_choices(const void *args, int64_t begin, int64_t end) {
  const BackwardArgs *s = args;
  const CeliDist *d = s->dist;
  const int32_t *action = s->action;
  const int64_t A = d->spec.A;
  for (int64_t b = begin; b < end; b++) {
    const float d_logp = at_or_zero(s->d_logp, b), d_entropy = at_or_zero(s->d_entropy, b);
    int64_t at = 0;
    for (int64_t k = 0; k < entries(&d->spec); at += choices_of(&d->spec, k++)) {
      const int64_t n = choices_of(&d->spec, k);
      const float *pi = d->pi + b * A + at, *log_pi = d->log_pi + b * A + at;
      const float entropy = entropy_of(pi, log_pi, n);
      for (int64_t a = 0; a < n; a++) {
        const float chosen = a == action[b * s->lda + k] ? 1.0f : 0.0f;
        const float surprise = pi[a] == 0 ? 0 : pi[a] * (log_pi[a] + entropy);
        s->d_head[b * s->lddh + at + a] = d_logp * (chosen - pi[a]) - d_entropy * surprise;
      }
    }
  }
}

static void op_log_prob_backward_bits(const void *args, int64_t begin, int64_t end) {
  const BackwardArgs *s = args;
  const CeliDist *d = s->dist;
  const uint8_t *action = s->action;
  const int64_t A = d->spec.A;
  for (int64_t b = begin; b < end; b++) {
    const float d_logp = at_or_zero(s->d_logp, b), d_entropy = at_or_zero(s->d_entropy, b);
    for (int64_t a = 0; a < A; a++) {
      const float p = d->pi[b * A + a], set = action[b * s->lda + a] ? 1.0f : 0.0f;
      s->d_head[b * s->lddh + a] =
          d_logp * (set - p) - d_entropy * (p * (1.0f - p) * s->head[b * s->ldh + a]);
    }
  }
}

void celi_dist_plan_log_prob_backward(CeliPlan *plan, const CeliDist *dist, float *d_head,
                                      ptrdiff_t lddh, const float *d_logp, const float *d_entropy,
                                      const void *action, ptrdiff_t lda, const float *head,
                                      ptrdiff_t ldh) {
  const BackwardArgs args = {.dist = dist,
                             .d_head = d_head,
                             .lddh = lddh,
                             .d_logp = d_logp,
                             .d_entropy = d_entropy,
                             .action = action,
                             .lda = lda,
                             .head = head,
                             .ldh = ldh};
  CEL_ASSERT(dist->spec.kind != CELI_SQUASHED_GAUSSIAN || d_entropy == NULL);
  const CeliOpFn fn = of_kind(dist, op_log_prob_backward_gaussian, op_log_prob_backward_choices,
                              op_log_prob_backward_bits);
  celi_plan_add(plan, "log-prob backward", fn, CELI_ROWS, dist->B, CELI_ROW_GRAIN, &args,
                sizeof args);
  touch_backward(plan, &args);
}

// ---- the free log_std's gradient

/// Columns [begin, end), over rows in order.
static void op_backward_param(const void *args, int64_t begin, int64_t end) {
  const CeliDist *d = *(const CeliDist *const *)args;
  const int64_t A = d->spec.A;
  for (int64_t a = begin; a < end; a++) {
    float sum = 0;
    for (int64_t b = 0; b < d->B; b++) sum += d->d_log_std[b * A + a];
    d->with->d_log_std_param[a] = sum;
  }
}

void celi_dist_plan_backward_param(CeliPlan *plan, const CeliDist *dist) {
  if (!dist->spec.free_log_std) return;
  CEL_ASSERT(dist->d_log_std != NULL);
  celi_plan_add(plan, "log_std gradient", op_backward_param, CELI_PARTS, dist->spec.A, 1, &dist,
                sizeof dist);
  celi_plan_touch(plan, CELI_READ(dist->d_log_std, dist->B * dist->spec.A),
                  CELI_WRITE_ROWS(dist->with->d_log_std_param, 1, 1));
}

// ---- without a plan

static int32_t first_largest(const float *x, int64_t n) {
  int64_t best = 0;
  for (int64_t i = 1; i < n; i++)
    if (x[i] > x[best]) best = i;
  return (int32_t)best;
}

/// The argmax of each entry's logits.
static void mode_choices(const CeliDistSpec *spec, int32_t *action, const float *head) {
  for (int64_t k = 0, at = 0; k < entries(spec); at += choices_of(spec, k++))
    action[k] = first_largest(head + at, choices_of(spec, k));
}

static void mode_bits(const CeliDistSpec *spec, uint8_t *action, const float *head) {
  for (int64_t a = 0; a < spec->A; a++) action[a] = head[a] > 0;
}

void celi_dist_mode(const CeliDistSpec *spec, void *action, ptrdiff_t lda, const float *head,
                    ptrdiff_t ldh, int64_t begin, int64_t end) {
  const int64_t A = spec->A;
  for (int64_t b = begin; b < end; b++) {
    const float *row = head + b * ldh;
    switch (spec->kind) {
    case CELI_CATEGORICAL:
    case CELI_MULTI_CATEGORICAL: mode_choices(spec, (int32_t *)action + b * lda, row); break;
    case CELI_BERNOULLI: mode_bits(spec, (uint8_t *)action + b * lda, row); break;
    case CELI_GAUSSIAN: memcpy((float *)action + b * lda, row, (size_t)A * sizeof *row); break;
    case CELI_SQUASHED_GAUSSIAN: celi_ops()->tanh((float *)action + b * lda, row, A); break;
    }
  }
}

void celi_dist_softmax(float *log_pi, float *pi, const float *logits, int64_t A, int64_t begin,
                       int64_t end) {
  celi_ops()->log_softmax(log_pi, A, logits, A, begin, end, A);
  celi_ops()->exp(pi + begin * A, log_pi + begin * A, (end - begin) * A);
}

void celi_dist_mean_log(float *out, const float *log_pi, const float *pi, int64_t A, int64_t begin,
                        int64_t end) {
  for (int64_t b = begin; b < end; b++) {
    float sum = 0;
    for (int64_t a = 0; a < A; a++) sum += pi[b * A + a] * log_pi[b * A + a];
    out[b] = sum;
  }
}

void celi_dist_sample_rows(const CeliDistSpec *spec, float *action, ptrdiff_t lda,
                           const float *head, ptrdiff_t ldh, const float *eps, int64_t begin,
                           int64_t end) {
  enum { CHUNK = 128 };
  float log_std[CHUNK], u[CHUNK], logp;
  const int64_t A = spec->A;
  CEL_ASSERT(!celi_dist_discrete(spec) && !spec->free_log_std);
  for (int64_t b = begin; b < end; b++)
    for (int64_t at = 0; at < A; at += CHUNK) {
      const int64_t n = A - at < CHUNK ? A - at : CHUNK;
      const float *mean = head + b * ldh + at;
      for (int64_t i = 0; i < n; i++) log_std[i] = clamp_log_std(spec, mean[A + i]);
      celi_ops()->gaussian_sample(action + b * lda + at, lda, u, &logp, mean, ldh, log_std, n,
                                  eps + b * A + at, 0, 1, n, spec->kind == CELI_SQUASHED_GAUSSIAN);
    }
}

/// Numbers that are computed together on the stack.
enum { DRAW_CHUNK = 128 };

/// sd (n,) = exp of the clamped log_std.
static void deviations(const CeliDistSpec *spec, float *sd, const float *log_std, int64_t n) {
  for (int64_t i = 0; i < n; i++) sd[i] = clamp_log_std(spec, log_std[i]);
  celi_ops()->exp(sd, sd, n);
}

static void draw_gaussian(const CeliDistSpec *spec, const float *sd, float *action,
                          const float *mean, const float *noise, int64_t n) {
  for (int64_t i = 0; i < n; i++) action[i] = mean[i] + sd[i] * noise[i];
  if (spec->kind == CELI_SQUASHED_GAUSSIAN) celi_ops()->tanh(action, action, n);
}

/// Rows of Gaussians. If log_std is one row for the whole batch, its exp is computed once.
static void draw_gaussians(const CeliDistSpec *spec, const float *log_std_param, float *action,
                           ptrdiff_t lda, const float *head, ptrdiff_t ldh, const float *noise,
                           ptrdiff_t ldn, int64_t begin, int64_t end) {
  float sd[DRAW_CHUNK];
  for (int64_t at = 0; at < spec->A; at += DRAW_CHUNK) {
    const int64_t n = spec->A - at < DRAW_CHUNK ? spec->A - at : DRAW_CHUNK;
    if (log_std_param) deviations(spec, sd, log_std_param + at, n);
    for (int64_t b = begin; b < end; b++) {
      const float *mean = head + b * ldh + at;
      if (!log_std_param) deviations(spec, sd, mean + spec->A, n);
      draw_gaussian(spec, sd, action + b * lda + at, mean, noise + b * ldn + at, n);
    }
  }
}

/// The first action whose cumulative sum of exp(logit) passes the uniform number times the total.
static int32_t draw_choice(const float *logit, int64_t n, float uniform) {
  float weight[DRAW_CHUNK], total = 0, sum = 0;
  const float most = celi_ops()->max(logit, n);
  int32_t last = 0;
  for (int pass = 0; pass < 2; pass++)
    for (int64_t at = 0; at < n; at += DRAW_CHUNK) {
      const int64_t m = n - at < DRAW_CHUNK ? n - at : DRAW_CHUNK;
      for (int64_t i = 0; i < m; i++) weight[i] = logit[at + i] - most;
      celi_ops()->exp(weight, weight, m);
      for (int64_t i = 0; i < m; i++) {
        if (pass == 0) {
          total += weight[i];
          continue;
        }
        sum += weight[i];
        if (uniform * total < sum) return (int32_t)(at + i);
        if (weight[i] > 0) last = (int32_t)(at + i);
      }
    }
  return last;
}

static void draw_bits(const CeliDistSpec *spec, uint8_t *action, const float *head,
                      const float *noise) {
  float p[DRAW_CHUNK];
  for (int64_t at = 0; at < spec->A; at += DRAW_CHUNK) {
    const int64_t n = spec->A - at < DRAW_CHUNK ? spec->A - at : DRAW_CHUNK;
    celi_ops()->sigmoid(p, head + at, n);
    for (int64_t i = 0; i < n; i++) action[at + i] = noise[at + i] < p[i];
  }
}

void celi_dist_draw_rows(const CeliDistSpec *spec, const float *log_std_param, void *action,
                         ptrdiff_t lda, const float *head, ptrdiff_t ldh, const float *noise,
                         ptrdiff_t ldn, int64_t begin, int64_t end) {
  if (spec->deterministic) {
    celi_dist_mode(spec, action, lda, head, ldh, begin, end);
    return;
  }
  if (!celi_dist_discrete(spec)) {
    draw_gaussians(spec, log_std_param, action, lda, head, ldh, noise, ldn, begin, end);
    return;
  }
  for (int64_t b = begin; b < end; b++) {
    const float *row = head + b * ldh, *u = noise + b * ldn;
    if (spec->kind == CELI_BERNOULLI) {
      draw_bits(spec, (uint8_t *)action + b * lda, row, u);
    } else {
      int32_t *a = (int32_t *)action + b * lda;
      for (int64_t k = 0, at = 0; k < entries(spec); at += choices_of(spec, k++))
        a[k] = draw_choice(row + at, choices_of(spec, k), u[k]);
    }
  }
}
