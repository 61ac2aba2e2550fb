/// Generalized state-dependent exploration (gSDE).
///
///   h (B,H) latent features, M (H,A) = s E with E ~ N(0,1), fixed for some steps
///   s = exp(log_std), or expln(log_std): exp(x) for x <= 0, 1 + log(1 + x + epsilon) for x > 0
///   noise = h M,  u = mean + noise,  var = h^2 s^2 + epsilon,  a = tanh(u) if squashed
///   log pi(a) = sum_a [-noise^2/(2 var) - (log var + log 2 pi)/2] - sum_a log(1 - tanh(u)^2)
/// Backward, with c = d_logp:
///   d_u = d_a (1 - a^2) + 2 c a,  d_mean = d_u,  d_noise = d_u - c noise/var,
///   d_var = c (noise^2/var - 1)/(2 var),
///   d_h = d_noise M^T + 2 h (d_var (s^2)^T),
///   d_log_std = s'/s [M (h^T d_noise) + 2 s^2 ((h^2)^T d_var)]   (outside brackets by element)
/// s'/s is 1 for exp, and for expln at x > 0 it is 1/((1 + x + epsilon) s).
/// For given actions, sigma = sqrt(var) is instead a part of the head of an ordinary Gaussian.
/// Source: Raffin, Kober, Stulp, "Smooth exploration for robotic reinforcement learning", CoRL
/// 2021.
#include "base/base.h"
#include "nn/declare.h"
#include "nn/net.h"
#include "nn/noise.h"

#include <math.h>
#include <string.h>

/// Keeps the variance positive if no feature is active, as in Stable-Baselines3.
static const float variance_floor = 1e-6f;
static const float half_log_2pi = 0.918938533204672742f;
static const float log_2 = 0.693147180559945309f;
/// Rows of (H,A) matrices per part.
enum { FEATURES = 16 };

// ---- declaring

CelStatus celi_gsde_declare_param(CeliGsde *gsde, CelTensors *tensors, const char *name, int64_t H,
                                  int64_t A) {
  static const CelRole roles[] = {CEL_PARAM, CEL_GRAD, CEL_MOMENT1, CEL_MOMENT2};
  float **const places[] = {&gsde->log_std, &gsde->d_log_std, NULL, NULL};
  const int64_t shape[] = {H, A, -1};
  if (H < 1 || A < 1)
    return cel_fail(CEL_E_RANGE,
                    "gsde \"%s\": %lld features and %lld actions; there must be at least 1 of each",
                    name, (long long)H, (long long)A);
  memset(gsde, 0, sizeof *gsde);
  gsde->H = H;
  gsde->A = A;
  gsde->with = gsde;
  for (int i = 0; i < 4; i++)
    CELI_TRY(celi_declare_f32(tensors, roles[i], places[i], shape, "%s%s.log_std",
                              celi_mirror_prefix(roles[i]), name));
  return CEL_OK;
}

CelStatus celi_gsde_declare(CeliGsde *gsde, CelTensors *tensors, const char *name, int64_t B,
                            bool squash) {
  CEL_ASSERT(gsde->with != NULL);
  if (B < 1)
    return cel_fail(CEL_E_RANGE, "gsde \"%s\": B is %lld; it must be at least 1", name,
                    (long long)B);
  gsde->B = B;
  gsde->squash = squash;
  const int64_t H = gsde->H, A = gsde->A;
  const struct {
    float **place;
    const char *name;
    int64_t rows, columns; // columns = -1: a vector
  } list[] = {
      {&gsde->E, "E", H, A},
      {&gsde->M, "M", H, A},
      {&gsde->Mt, "Mt", A, H},
      {&gsde->var_w, "var_w", H, A},
      {&gsde->var_wt, "var_wt", A, H},
      {&gsde->latent2, "latent2", B, H},
      {&gsde->noise, "noise", B, A},
      {&gsde->var, "var", B, A},
      {&gsde->u, "u", B, A},
      {&gsde->logp, "logp", B, -1},
      {&gsde->d_logp, "d_logp", B, -1},
      {&gsde->d_noise, "d_noise", B, A},
      {&gsde->d_var, "d_var", B, A},
      {&gsde->d_latent2, "d_latent2", B, H},
      {&gsde->d_M, "d_M", H, A},
      {&gsde->d_var_w, "d_var_w", H, A},
  };
  for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
    const int64_t shape[] = {list[i].rows, list[i].columns, -1};
    CELI_TRY(
        celi_declare_f32(tensors, CEL_SCRATCH, list[i].place, shape, "%s.%s", name, list[i].name));
  }
  return CEL_OK;
}

CelStatus celi_gsde_declare_shared(CeliGsde *gsde, CelTensors *tensors, const char *name,
                                   const CeliGsde *with, int64_t B) {
  memset(gsde, 0, sizeof *gsde);
  gsde->H = with->H;
  gsde->A = with->A;
  gsde->with = with->with;
  return celi_gsde_declare(gsde, tensors, name, B, with->squash);
}

uint64_t celi_gsde_blocks(const CeliGsde *gsde) {
  return (uint64_t)(gsde->H * gsde->A + 3) / 4;
}

// ---- standard deviations of the weights

/// sd (n,) of weights [at, at + n).
static void deviations(const CeliGsde *gsde, float *sd, int64_t at, int64_t n) {
  enum { CHUNK = 256 };
  float slow[CHUNK];
  const CeliOps *ops = celi_ops();
  const float *log_std = gsde->with->log_std + at;
  ops->exp(sd, log_std, n);
  if (!gsde->with->expln) return;
  for (int64_t first = 0; first < n; first += CHUNK) {
    const int64_t m = n - first < CHUNK ? n - first : CHUNK;
    for (int64_t i = 0; i < m; i++) {
      const float x = log_std[first + i];
      slow[i] = x > 0 ? 1.0f + (x + variance_floor) : 1.0f;
    }
    ops->log(slow, slow, m);
    for (int64_t i = 0; i < m; i++)
      if (log_std[first + i] > 0) sd[first + i] = 1.0f + slow[i];
  }
}

/// s'/s of weight i, which has s^2 = var_w.
static float relative_slope(const CeliGsde *gsde, int64_t i, float var_w) {
  const float x = gsde->with->log_std[i];
  if (!gsde->with->expln || !(x > 0)) return 1.0f;
  return 1.0f / ((1.0f + (x + variance_floor)) * sqrtf(var_w));
}

/// What relative_slope reads of the parameters; NULL: nothing.
static const float *slopes_of(const CeliGsde *gsde) {
  return gsde->with->expln ? gsde->with->log_std : NULL;
}

// ---- sampling

typedef struct GsdeArgs {
  const CeliGsde *gsde;
  float *action; // output of sample, input of backward
  ptrdiff_t lda;
  const float *mean;
  ptrdiff_t ldm;
  const float *latent;
  ptrdiff_t ldl;
  uint64_t seed;
  const uint64_t *counter;
  uint32_t index;
  float *d_mean;
  ptrdiff_t lddm;
  float *d_latent;
  ptrdiff_t lddl;
  const float *d_action;
  ptrdiff_t ldda;
} GsdeArgs;

/// E of features [begin, end).
static void op_draw(const void *args, int64_t begin, int64_t end) {
  const GsdeArgs *s = args;
  const int64_t A = s->gsde->A;
  celi_ops()->normal(s->gsde->E, s->seed, CEL_RNG_NOISE, s->index, *s->counter, begin * A, end * A);
}

/// M, s^2 and their transposes for features [begin, end).
static void op_matrices(const void *args, int64_t begin, int64_t end) {
  const GsdeArgs *s = args;
  const CeliGsde *g = s->gsde;
  const int64_t H = g->H, A = g->A, at = begin * A, n = (end - begin) * A;
  deviations(g, g->M + at, at, n); // M still holds the standard deviations here
  for (int64_t i = at; i < at + n; i++) {
    g->var_w[i] = g->M[i] * g->M[i];
    g->M[i] *= g->E[i];
  }
  for (int64_t h = begin; h < end; h++)
    for (int64_t a = 0; a < A; a++) {
      g->Mt[a * H + h] = g->M[h * A + a];
      g->var_wt[a * H + h] = g->var_w[h * A + a];
    }
}

/// The Gaussian part of one row's logp.
static float row_log_prob(const CeliGsde *g, const float *log_var, int64_t b, int64_t at,
                          int64_t n) {
  float logp = 0;
  const float *noise = g->noise + b * g->A + at, *var = g->var + b * g->A + at;
  for (int64_t a = 0; a < n; a++)
    logp -= 0.5f * (noise[a] * noise[a] / var[a] + log_var[a]) + half_log_2pi;
  return logp;
}

/// sum_a log(1 - tanh(u)^2) = sum_a 2 (log 2 - u - softplus(-2u)).
static float row_log_jacobian(const float *u, float *work, int64_t n) {
  float sum = 0;
  for (int64_t a = 0; a < n; a++) work[a] = -2.0f * u[a];
  celi_ops()->softplus(work, work, n);
  for (int64_t a = 0; a < n; a++) sum += 2.0f * (log_2 - u[a] - work[a]);
  return sum;
}

static void sample_row(const GsdeArgs *s, int64_t b) {
  enum { CHUNK = 128 };
  float work[CHUNK];
  const CeliGsde *g = s->gsde;
  const CeliOps *ops = celi_ops();
  const int64_t A = g->A;
  float logp = 0;
  for (int64_t at = 0; at < A; at += CHUNK) {
    const int64_t n = A - at < CHUNK ? A - at : CHUNK;
    float *u = g->u + b * A + at, *action = s->action + b * s->lda + at;
    for (int64_t a = 0; a < n; a++) {
      g->var[b * A + at + a] += variance_floor;
      u[a] = s->mean[b * s->ldm + at + a] + g->noise[b * A + at + a];
    }
    ops->log(work, g->var + b * A + at, n);
    logp += row_log_prob(g, work, b, at, n);
    if (g->squash) {
      logp -= row_log_jacobian(u, work, n);
      ops->tanh(action, u, n);
    } else {
      memcpy(action, u, (size_t)n * sizeof *u);
    }
  }
  g->logp[b] = logp;
}

static void op_sample(const void *args, int64_t begin, int64_t end) {
  const GsdeArgs *s = args;
  const CeliGsde *g = s->gsde;
  const CeliOps *ops = celi_ops();
  const int64_t H = g->H, A = g->A;
  for (int64_t b = begin; b < end; b++)
    for (int64_t h = 0; h < H; h++) {
      const float x = s->latent[b * s->ldl + h];
      g->latent2[b * H + h] = x * x;
    }
  ops->dense_forward(g->noise, A, NULL, 0, s->latent, s->ldl, g->M, NULL, begin, end, H, A,
                     CELI_IDENTITY);
  ops->dense_forward(g->var, A, NULL, 0, g->latent2, H, g->var_w, NULL, begin, end, H, A,
                     CELI_IDENTITY);
  for (int64_t b = begin; b < end; b++) sample_row(s, b);
}

/// The noise matrices and the actions for E.
static void plan_given(CeliPlan *plan, const GsdeArgs *args) {
  const CeliGsde *g = args->gsde;
  const int64_t H = g->H, A = g->A;
  celi_plan_add(plan, "gsde matrices", op_matrices, CELI_PARTS, H, FEATURES, args, sizeof *args);
  celi_plan_touch(plan, CELI_READ(g->with->log_std, H * A), CELI_READ_ROWS(g->E, A, A),
                  CELI_UPDATE_ROWS(g->M, A, A), CELI_UPDATE_ROWS(g->var_w, A, A),
                  CELI_WRITE(g->Mt, A * H), CELI_WRITE(g->var_wt, A * H));
  celi_plan_add(plan, "gsde sample", op_sample, CELI_ROWS, g->B, CELI_ROW_GRAIN, args,
                sizeof *args);
  celi_plan_touch(plan, CELI_READ_ROWS(args->latent, args->ldl, H),
                  CELI_READ_ROWS(args->mean, args->ldm, A), CELI_READ(g->M, H * A),
                  CELI_READ(g->var_w, H * A), CELI_UPDATE_ROWS(g->latent2, H, H),
                  CELI_UPDATE_ROWS(g->noise, A, A), CELI_UPDATE_ROWS(g->var, A, A),
                  CELI_UPDATE_ROWS(g->u, A, A), CELI_WRITE_ROWS(args->action, args->lda, A),
                  CELI_WRITE_ROWS(g->logp, 1, 1));
  celi_plan_flop(plan, 4. * (double)(g->B * H * A));
}

void celi_gsde_plan_sample(CeliPlan *plan, const CeliGsde *gsde, float *action, ptrdiff_t lda,
                           const float *mean, ptrdiff_t ldm, const float *latent, ptrdiff_t ldl,
                           uint64_t seed, uint32_t index, const uint64_t *counter) {
  const GsdeArgs args = {.gsde = gsde,
                         .action = action,
                         .lda = lda,
                         .mean = mean,
                         .ldm = ldm,
                         .latent = latent,
                         .ldl = ldl,
                         .seed = seed,
                         .counter = counter,
                         .index = index};
  celi_plan_add(plan, "gsde draw", op_draw, CELI_PARTS, gsde->H, FEATURES, &args, sizeof args);
  celi_plan_touch(plan, CELI_READ(counter, 1), CELI_WRITE_ROWS(gsde->E, gsde->A, gsde->A));
  plan_given(plan, &args);
}

void celi_gsde_plan_sample_given(CeliPlan *plan, const CeliGsde *gsde, float *action, ptrdiff_t lda,
                                 const float *mean, ptrdiff_t ldm, const float *latent,
                                 ptrdiff_t ldl) {
  const GsdeArgs args = {.gsde = gsde,
                         .action = action,
                         .lda = lda,
                         .mean = mean,
                         .ldm = ldm,
                         .latent = latent,
                         .ldl = ldl};
  plan_given(plan, &args);
}

// ---- backward

static void op_backward(const void *args, int64_t begin, int64_t end) {
  const GsdeArgs *s = args;
  const CeliGsde *g = s->gsde;
  const CeliOps *ops = celi_ops();
  const int64_t H = g->H, A = g->A;
  for (int64_t b = begin; b < end; b++)
    for (int64_t a = 0; a < A; a++) {
      const int64_t i = b * A + a;
      const float y = s->action[b * s->lda + a], c = g->d_logp[b], ratio = g->noise[i] / g->var[i];
      float d_u = s->d_action[b * s->ldda + a];
      if (g->squash) d_u = d_u * (1.0f - y * y) + 2.0f * c * y;
      s->d_mean[b * s->lddm + a] = d_u;
      g->d_noise[i] = d_u - c * ratio;
      g->d_var[i] = 0.5f * c * (ratio * g->noise[i] - 1.0f) / g->var[i];
    }
  ops->dense_backward_data(s->d_latent, s->lddl, g->d_noise, A, g->Mt, NULL, 0, begin, end, H, A,
                           CELI_IDENTITY);
  ops->dense_backward_data(g->d_latent2, H, g->d_var, A, g->var_wt, NULL, 0, begin, end, H, A,
                           CELI_IDENTITY);
  for (int64_t b = begin; b < end; b++)
    for (int64_t h = 0; h < H; h++)
      s->d_latent[b * s->lddl + h] += 2.0f * s->latent[b * s->ldl + h] * g->d_latent2[b * H + h];
}

/// d_log_std of features [begin, end). Each is a product over all rows.
static void op_backward_param(const void *args, int64_t begin, int64_t end) {
  const GsdeArgs *s = args;
  const CeliGsde *g = s->gsde;
  const CeliOps *ops = celi_ops();
  const int64_t A = g->A, n = end - begin, at = begin * A;
  const int64_t tiles = celi_dense_tiles(n, A);
  if (n <= 0) return;
  ops->dense_backward_weight(g->d_M + at, NULL, s->latent + begin, s->ldl, g->d_noise, A, g->B, n,
                             A, 0, tiles, false);
  ops->dense_backward_weight(g->d_var_w + at, NULL, g->latent2 + begin, g->H, g->d_var, A, g->B, n,
                             A, 0, tiles, false);
  for (int64_t i = at; i < at + n * A; i++)
    g->with->d_log_std[i] = relative_slope(g, i, g->var_w[i]) *
                            (g->M[i] * g->d_M[i] + 2.0f * g->var_w[i] * g->d_var_w[i]);
}

void celi_gsde_plan_backward(CeliPlan *plan, const CeliGsde *gsde, float *d_mean, ptrdiff_t lddm,
                             float *d_latent, ptrdiff_t lddl, const float *d_action, ptrdiff_t ldda,
                             const float *action, ptrdiff_t lda, const float *latent,
                             ptrdiff_t ldl) {
  const GsdeArgs args = {.gsde = gsde,
                         .action = (float *)(uintptr_t)action, // const here: backward only reads it
                         .lda = lda,
                         .latent = latent,
                         .ldl = ldl,
                         .d_mean = d_mean,
                         .lddm = lddm,
                         .d_latent = d_latent,
                         .lddl = lddl,
                         .d_action = d_action,
                         .ldda = ldda};
  const CeliGsde *g = gsde;
  const int64_t B = g->B, H = g->H, A = g->A;
  celi_plan_add(plan, "gsde backward", op_backward, CELI_ROWS, B, CELI_ROW_GRAIN, &args,
                sizeof args);
  celi_plan_touch(plan, CELI_READ_ROWS(action, lda, A), CELI_READ_ROWS(d_action, ldda, A),
                  CELI_READ_ROWS(latent, ldl, H), CELI_READ_ROWS(g->d_logp, 1, 1),
                  CELI_READ_ROWS(g->noise, A, A), CELI_READ_ROWS(g->var, A, A),
                  CELI_READ(g->Mt, A * H), CELI_READ(g->var_wt, A * H),
                  CELI_WRITE_ROWS(d_mean, lddm, A), CELI_UPDATE_ROWS(d_latent, lddl, H),
                  CELI_UPDATE_ROWS(g->d_noise, A, A), CELI_UPDATE_ROWS(g->d_var, A, A),
                  CELI_UPDATE_ROWS(g->d_latent2, H, H));
  celi_plan_flop(plan, 4. * (double)(B * H * A));
  celi_plan_add(plan, "gsde log_std gradient", op_backward_param, CELI_PARTS, H, FEATURES, &args,
                sizeof args);
  celi_plan_touch(plan, CELI_READ(latent, (B - 1) * ldl + H), CELI_READ(g->latent2, B * H),
                  CELI_READ(g->d_noise, B * A), CELI_READ(g->d_var, B * A),
                  CELI_READ_ROWS(g->M, A, A), CELI_READ_ROWS(g->var_w, A, A),
                  CELI_READ_ROWS(slopes_of(g), A, A), CELI_UPDATE_ROWS(g->d_M, A, A),
                  CELI_UPDATE_ROWS(g->d_var_w, A, A), CELI_WRITE_ROWS(g->with->d_log_std, A, A));
  celi_plan_flop(plan, 4. * (double)(B * H * A));
}

// ---- sigma as a part of the head
//
//   log sigma = log(h^2 s^2 + epsilon) / 2, with h held fixed; backward:
//   d_var = d_log_sigma / (2 var),  d_log_std = s'/s [2 s^2 ((h^2)^T d_var)]

CelStatus celi_gsde_head_declare(CeliGsdeHead *use, CelTensors *tensors, const char *name,
                                 const CeliGsde *with, int64_t B) {
  const int64_t H = with->H, A = with->A;
  *use = (CeliGsdeHead){.B = B, .H = H, .A = A, .with = with};
  if (B < 1)
    return cel_fail(CEL_E_RANGE, "gsde \"%s\": B is %lld; it must be at least 1", name,
                    (long long)B);
  const struct {
    float **place;
    const char *name;
    int64_t rows, columns;
  } list[] = {{&use->head, "head", B, 2 * A},  {&use->d_head, "d_head", B, 2 * A},
              {&use->var_w, "var_w", H, A},    {&use->latent2, "latent2", B, H},
              {&use->var, "var", B, A},        {&use->d_var, "d_var", B, A},
              {&use->d_var_w, "d_var_w", H, A}};
  for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
    const int64_t shape[] = {list[i].rows, list[i].columns, -1};
    CELI_TRY(
        celi_declare_f32(tensors, CEL_SCRATCH, list[i].place, shape, "%s.%s", name, list[i].name));
  }
  return CEL_OK;
}

typedef struct HeadArgs {
  const CeliGsdeHead *use;
  const float *mean;
  ptrdiff_t ldm;
  const float *latent;
  ptrdiff_t ldl;
  float *d_mean;
} HeadArgs;

/// s^2 of elements [begin, end).
static void variances(const CeliGsde *gsde, float *var_w, int64_t begin, int64_t end) {
  deviations(gsde, var_w + begin, begin, end - begin);
  for (int64_t i = begin; i < end; i++) var_w[i] *= var_w[i];
}

static void op_variances(const void *args, int64_t begin, int64_t end) {
  const CeliGsdeHead *u = ((const HeadArgs *)args)->use;
  variances(u->with, u->var_w, begin * u->A, end * u->A);
}

/// Rows [begin, end): head <- (mean, log sigma).
static void head_rows(const CeliGsdeHead *u, const float *mean, ptrdiff_t ldm, const float *latent,
                      ptrdiff_t ldl, int64_t begin, int64_t end) {
  const CeliOps *ops = celi_ops();
  const int64_t H = u->H, A = u->A;
  for (int64_t b = begin; b < end; b++)
    for (int64_t h = 0; h < H; h++)
      u->latent2[b * H + h] = latent[b * ldl + h] * latent[b * ldl + h];
  ops->dense_forward(u->var, A, NULL, 0, u->latent2, H, u->var_w, NULL, begin, end, H, A,
                     CELI_IDENTITY);
  for (int64_t b = begin; b < end; b++) {
    float *head = u->head + b * 2 * A, *var = u->var + b * A;
    for (int64_t a = 0; a < A; a++) var[a] += variance_floor;
    ops->log(head + A, var, A);
    for (int64_t a = 0; a < A; a++) head[a] = mean[b * ldm + a], head[A + a] *= 0.5f;
  }
}

static void op_head(const void *args, int64_t begin, int64_t end) {
  const HeadArgs *s = args;
  head_rows(s->use, s->mean, s->ldm, s->latent, s->ldl, begin, end);
}

void celi_gsde_plan_head(CeliPlan *plan, const CeliGsdeHead *use, const float *mean, ptrdiff_t ldm,
                         const float *latent, ptrdiff_t ldl) {
  const HeadArgs args = {.use = use, .mean = mean, .ldm = ldm, .latent = latent, .ldl = ldl};
  const int64_t H = use->H, A = use->A;
  celi_plan_add(plan, "gsde variances", op_variances, CELI_PARTS, H, FEATURES, &args, sizeof args);
  celi_plan_touch(plan, CELI_READ_ROWS(use->with->with->log_std, A, A),
                  CELI_UPDATE_ROWS(use->var_w, A, A));
  celi_plan_add(plan, "gsde head", op_head, CELI_ROWS, use->B, CELI_ROW_GRAIN, &args, sizeof args);
  celi_plan_touch(plan, CELI_READ_ROWS(mean, ldm, A), CELI_READ_ROWS(latent, ldl, H),
                  CELI_READ(use->var_w, H * A), CELI_UPDATE_ROWS(use->latent2, H, H),
                  CELI_UPDATE_ROWS(use->var, A, A), CELI_UPDATE_ROWS(use->head, 2 * A, 2 * A));
  celi_plan_flop(plan, 2. * (double)(use->B * H * A));
}

static void op_head_backward(const void *args, int64_t begin, int64_t end) {
  const HeadArgs *s = args;
  const CeliGsdeHead *u = s->use;
  const int64_t A = u->A;
  for (int64_t b = begin; b < end; b++)
    for (int64_t a = 0; a < A; a++) {
      s->d_mean[b * s->ldm + a] = u->d_head[b * 2 * A + a];
      u->d_var[b * A + a] = 0.5f * u->d_head[b * 2 * A + A + a] / u->var[b * A + a];
    }
}

void celi_gsde_plan_head_backward(CeliPlan *plan, const CeliGsdeHead *use, float *d_mean,
                                  ptrdiff_t lddm) {
  const HeadArgs args = {.use = use, .d_mean = d_mean, .ldm = lddm};
  const int64_t A = use->A;
  celi_plan_add(plan, "gsde head backward", op_head_backward, CELI_ROWS, use->B, CELI_ROW_GRAIN,
                &args, sizeof args);
  celi_plan_touch(plan, CELI_READ_ROWS(use->d_head, 2 * A, 2 * A), CELI_READ_ROWS(use->var, A, A),
                  CELI_WRITE_ROWS(d_mean, lddm, A), CELI_WRITE_ROWS(use->d_var, A, A));
}

/// Features [begin, end). Each is a product over all rows.
static void op_head_param(const void *args, int64_t begin, int64_t end) {
  const CeliGsdeHead *u = ((const HeadArgs *)args)->use;
  const int64_t A = u->A, n = end - begin, at = begin * A;
  if (n <= 0) return;
  celi_ops()->dense_backward_weight(u->d_var_w + at, NULL, u->latent2 + begin, u->H, u->d_var, A,
                                    u->B, n, A, 0, celi_dense_tiles(n, A), false);
  for (int64_t i = at; i < at + n * A; i++)
    u->with->d_log_std[i] =
        relative_slope(u->with, i, u->var_w[i]) * (2.0f * u->var_w[i] * u->d_var_w[i]);
}

void celi_gsde_plan_head_param(CeliPlan *plan, const CeliGsdeHead *use) {
  const HeadArgs args = {.use = use};
  const int64_t A = use->A;
  celi_plan_add(plan, "gsde log_std gradient", op_head_param, CELI_PARTS, use->H, FEATURES, &args,
                sizeof args);
  celi_plan_touch(plan, CELI_READ(use->latent2, use->B * use->H), CELI_READ(use->d_var, use->B * A),
                  CELI_READ_ROWS(use->var_w, A, A), CELI_READ_ROWS(slopes_of(use->with), A, A),
                  CELI_UPDATE_ROWS(use->d_var_w, A, A),
                  CELI_WRITE_ROWS(use->with->d_log_std, A, A));
  celi_plan_flop(plan, 2. * (double)(use->B * use->H * A));
}

typedef struct TangentArgs {
  const CeliGsdeHead *use;
  float *t_head;
  const float *t_mean, *t_log_std;
} TangentArgs;

static void op_variance_tangent(const void *args, int64_t begin, int64_t end) {
  const TangentArgs *s = args;
  const CeliGsdeHead *u = s->use;
  for (int64_t i = begin * u->A; i < end * u->A; i++)
    u->d_var_w[i] = relative_slope(u->with, i, u->var_w[i]) * (u->var_w[i] * s->t_log_std[i]);
}

static void op_head_tangent(const void *args, int64_t begin, int64_t end) {
  const TangentArgs *s = args;
  const CeliGsdeHead *u = s->use;
  const int64_t A = u->A;
  celi_ops()->dense_forward(u->d_var, A, NULL, 0, u->latent2, u->H, u->d_var_w, NULL, begin, end,
                            u->H, A, CELI_IDENTITY);
  for (int64_t b = begin; b < end; b++)
    for (int64_t a = 0; a < A; a++) {
      s->t_head[b * 2 * A + a] = s->t_mean[b * A + a];
      s->t_head[b * 2 * A + A + a] = u->d_var[b * A + a] / u->var[b * A + a];
    }
}

void celi_gsde_plan_head_tangent(CeliPlan *plan, const CeliGsdeHead *use, float *t_head,
                                 const float *t_mean, const float *t_log_std) {
  const TangentArgs args = {use, t_head, t_mean, t_log_std};
  const int64_t H = use->H, A = use->A;
  celi_plan_add(plan, "gsde variance tangent", op_variance_tangent, CELI_PARTS, H, FEATURES, &args,
                sizeof args);
  celi_plan_touch(plan, CELI_READ_ROWS(use->var_w, A, A), CELI_READ_ROWS(t_log_std, A, A),
                  CELI_READ_ROWS(slopes_of(use->with), A, A), CELI_WRITE_ROWS(use->d_var_w, A, A));
  celi_plan_add(plan, "gsde head tangent", op_head_tangent, CELI_ROWS, use->B, CELI_ROW_GRAIN,
                &args, sizeof args);
  celi_plan_touch(plan, CELI_READ_ROWS(use->latent2, H, H), CELI_READ_ROWS(use->var, A, A),
                  CELI_READ(use->d_var_w, H * A), CELI_READ_ROWS(t_mean, A, A),
                  CELI_UPDATE_ROWS(use->d_var, A, A), CELI_WRITE_ROWS(t_head, 2 * A, 2 * A));
  celi_plan_flop(plan, 2. * (double)(use->B * H * A));
}

// ---- without a plan

void celi_gsde_variances(const CeliGsde *gsde, float *var_w) {
  variances(gsde, var_w, 0, gsde->H * gsde->A);
}

void celi_gsde_head_rows(float *head, const float *mean, const float *latent, const float *var_w,
                         float *latent2, float *var, int64_t n, int64_t H, int64_t A) {
  const CeliGsdeHead use = {.H = H,
                            .A = A,
                            .head = head,
                            .var_w = (float *)(uintptr_t)var_w, // const here: it is only read
                            .latent2 = latent2,
                            .var = var};
  head_rows(&use, mean, A, latent, H, 0, n);
}

void celi_gsde_scale(const CeliGsde *gsde, float *M) {
  enum { CHUNK = 256 };
  float sd[CHUNK];
  const int64_t size = gsde->H * gsde->A;
  for (int64_t at = 0; at < size; at += CHUNK) {
    const int64_t n = size - at < CHUNK ? size - at : CHUNK;
    deviations(gsde, sd, at, n);
    for (int64_t i = 0; i < n; i++) M[at + i] *= sd[i];
  }
}

void celi_gsde_act(float *action, const float *mean, const float *latent, const float *M, int64_t H,
                   int64_t A, bool squash) {
  const CeliOps *ops = celi_ops();
  ops->dense_forward(action, A, NULL, 0, latent, H, M, mean, 0, 1, H, A, CELI_IDENTITY);
  if (squash) ops->tanh(action, action, A);
}
