/// Model files with random parameters for every kind of policy, and reference implementations in
/// double.
#ifndef MODEL_CASES_H
#define MODEL_CASES_H
#include "rl/model.h"
#include "run/run_test.h"

#include <math.h>

typedef struct ModelCase {
  const char *name;
  CeliDistKind kind;
  CeliActivation activation;
  int64_t O, A;
  int layers;
  int64_t hidden[4];
  bool layer_norm, normaliser, sigma; ///< sigma: the head is twice as wide
  bool sampler;                       ///< takes A normals after the observation
  bool batch_norm;                    ///< with running statistics, behind every hidden dense layer
  double clip_mean;                   ///< bound of the mean; 0: none
  bool deterministic;                 ///< every action is the mode
  bool dueling;                       ///< one more output, V, which acting does not read
} ModelCase;

static const ModelCase model_cases[] = {
    {.name = "pendulum",
     .kind = CELI_SQUASHED_GAUSSIAN,
     .activation = CELI_RELU,
     .O = 3,
     .A = 1,
     .layers = 2,
     .hidden = {64, 64},
     .sigma = true},
    {.name = "normalized",
     .kind = CELI_SQUASHED_GAUSSIAN,
     .activation = CELI_RELU,
     .O = 17,
     .A = 6,
     .layers = 2,
     .hidden = {33, 20},
     .normaliser = true,
     .sigma = true},
    {.name = "silu_norm",
     .kind = CELI_SQUASHED_GAUSSIAN,
     .activation = CELI_SILU,
     .O = 5,
     .A = 3,
     .layers = 3,
     .hidden = {16, 7, 31},
     .layer_norm = true,
     .normaliser = true,
     .sigma = true},
    {.name = "tanh_sde",
     .kind = CELI_SQUASHED_GAUSSIAN,
     .activation = CELI_TANH,
     .O = 2,
     .A = 1,
     .layers = 1,
     .hidden = {23}},
    {.name = "gaussian",
     .kind = CELI_GAUSSIAN,
     .activation = CELI_TANH,
     .O = 4,
     .A = 2,
     .layers = 2,
     .hidden = {8, 8},
     .layer_norm = true,
     .sigma = true},
    {.name = "linear",
     .kind = CELI_GAUSSIAN,
     .activation = CELI_IDENTITY,
     .O = 4,
     .A = 2,
     .sigma = true},
    {.name = "deep_identity",
     .kind = CELI_GAUSSIAN,
     .activation = CELI_IDENTITY,
     .O = 1,
     .A = 1,
     .layers = 4,
     .hidden = {3, 5, 1, 2},
     .normaliser = true},
    {.name = "discrete",
     .kind = CELI_CATEGORICAL,
     .activation = CELI_RELU,
     .O = 4,
     .A = 5,
     .layers = 2,
     .hidden = {40, 12},
     .normaliser = true},
    {.name = "choices",
     .kind = CELI_MULTI_CATEGORICAL,
     .activation = CELI_TANH,
     .O = 3,
     .A = 10,
     .layers = 2,
     .hidden = {19, 11},
     .layer_norm = true,
     .normaliser = true},
    {.name = "bits",
     .kind = CELI_BERNOULLI,
     .activation = CELI_SILU,
     .O = 5,
     .A = 4,
     .layers = 1,
     .hidden = {14}},
    {.name = "linear_bits", .kind = CELI_BERNOULLI, .activation = CELI_IDENTITY, .O = 2, .A = 1},
    {.name = "gelu",
     .kind = CELI_SQUASHED_GAUSSIAN,
     .activation = CELI_GELU,
     .O = 4,
     .A = 2,
     .layers = 2,
     .hidden = {19, 8},
     .sigma = true},
    {.name = "batch_norm",
     .kind = CELI_CATEGORICAL,
     .activation = CELI_LEAKY_RELU,
     .O = 4,
     .A = 3,
     .layers = 2,
     .hidden = {19, 8},
     .normaliser = true,
     .batch_norm = true},
    {.name = "clipped_sde",
     .kind = CELI_SQUASHED_GAUSSIAN,
     .activation = CELI_TANH,
     .O = 3,
     .A = 2,
     .layers = 1,
     .hidden = {23},
     .clip_mean = 0.375},
    {.name = "deterministic",
     .kind = CELI_SQUASHED_GAUSSIAN,
     .activation = CELI_RELU,
     .O = 3,
     .A = 2,
     .layers = 2,
     .hidden = {20, 14},
     .normaliser = true,
     .deterministic = true},
    {.name = "greedy",
     .kind = CELI_CATEGORICAL,
     .activation = CELI_RELU,
     .O = 4,
     .A = 2,
     .layers = 1,
     .hidden = {18},
     .deterministic = true},
    {.name = "dueling",
     .kind = CELI_CATEGORICAL,
     .activation = CELI_SILU,
     .O = 4,
     .A = 3,
     .layers = 2,
     .hidden = {18, 9},
     .layer_norm = true,
     .deterministic = true,
     .dueling = true},
    {.name = "sampler",
     .kind = CELI_SQUASHED_GAUSSIAN,
     .activation = CELI_RELU,
     .O = 4,
     .A = 3,
     .layers = 2,
     .hidden = {24, 9},
     .normaliser = true,
     .sampler = true},
    {.name = "sampler_silu",
     .kind = CELI_SQUASHED_GAUSSIAN,
     .activation = CELI_SILU,
     .O = 2,
     .A = 1,
     .layers = 1,
     .hidden = {12},
     .layer_norm = true,
     .sampler = true},
};
enum { MODEL_CASES = sizeof model_cases / sizeof model_cases[0], SAMPLER_CASE = MODEL_CASES - 2 };

/// Number of actions of each part of a CELI_MULTI_CATEGORICAL policy.
enum { MODEL_CHOICES = 4 };
static const int64_t model_choices[MODEL_CHOICES] = {3, 2, 1, 4};

/// Bounds of continuous actions (or NULL), and a factor of the last layer, set by tests.
static const double *model_low, *model_high;
static double model_gain = 1;

static inline bool model_discrete(const ModelCase *c) {
  return c->kind != CELI_GAUSSIAN && c->kind != CELI_SQUASHED_GAUSSIAN;
}
/// The number of elements of an action.
static inline int64_t model_numbers(const ModelCase *c) {
  return c->kind == CELI_CATEGORICAL ? 1 : c->kind == CELI_MULTI_CATEGORICAL ? MODEL_CHOICES : c->A;
}

/// The content of a model file, for the reference.
typedef struct ModelData {
  const ModelCase *shape;
  CelTensors *tensors;
  CelSpace observation, action;
  int64_t width[8];
  float *W[8], *b[8], *g[8], *h[8];
  float *mean[8], *var[8]; ///< running statistics of batch norm
  float *obs_shift, *obs_scale, *obs_clip, *action_shift, *action_scale;
} ModelData;

static inline void declare_floats(ModelData *m, float **place, int64_t a, int64_t b, int64_t c,
                                  const char *format, int l) {
  char name[CEL_NAME_MAX];
  const int64_t shape[3] = {a, b, c};
  snprintf(name, sizeof name, format, l);
  OK(cel_tensors_declare(m->tensors, name, CEL_F32, CEL_MODEL, place, c ? 3 : b ? 2 : 1, shape));
}

static inline void fill_random(float *x, int64_t n, CelRng *rng, double low, double high) {
  for (int64_t i = 0; i < n; i++) x[i] = (float)cel_rng_range(rng, low, high);
}

static inline void declare_model(ModelData *m) {
  const ModelCase *c = m->shape;
  const int64_t head = (c->sigma ? 2 * c->A : c->A) + (c->dueling ? 1 : 0);
  m->width[0] = c->O + (c->sampler ? c->A : 0);
  for (int l = 0; l < c->layers; l++) m->width[l + 1] = c->hidden[l];
  m->width[c->layers + 1] = head;
  for (int l = 0; l <= c->layers; l++) {
    declare_floats(m, &m->W[l], 1, m->width[l], m->width[l + 1], "actor.%d.weight", l);
    declare_floats(m, &m->b[l], 1, m->width[l + 1], 0, "actor.%d.bias", l);
    if (!(c->layer_norm || c->batch_norm) || l == c->layers) continue;
    const int64_t n = m->width[l + 1];
    const bool batch = c->batch_norm;
    declare_floats(m, &m->g[l], 1, n, 0,
                   batch ? "actor.%d.batch_norm.weight" : "actor.%d.norm.weight", l);
    declare_floats(m, &m->h[l], 1, n, 0, batch ? "actor.%d.batch_norm.bias" : "actor.%d.norm.bias",
                   l);
    if (!batch) continue;
    declare_floats(m, &m->mean[l], 1, n, 0, "actor.%d.batch_norm.mean", l);
    declare_floats(m, &m->var[l], 1, n, 0, "actor.%d.batch_norm.var", l);
  }
  if (c->normaliser) {
    declare_floats(m, &m->obs_shift, c->O, 0, 0, "normalizer.shift", 0);
    declare_floats(m, &m->obs_scale, c->O, 0, 0, "normalizer.scale", 0);
    declare_floats(m, &m->obs_clip, 1, 0, 0, "normalizer.clip", 0);
  }
  if (model_discrete(c)) return;
  declare_floats(m, &m->action_shift, c->A, 0, 0, "action_shift", 0);
  declare_floats(m, &m->action_scale, c->A, 0, 0, "action_scale", 0);
}

static inline void fill_model(ModelData *m, CelRng *rng) {
  const ModelCase *c = m->shape;
  OK(cel_tensors_allocate(m->tensors));
  for (int l = 0; l <= c->layers; l++) {
    const double bound = 2 / sqrt((double)m->width[l]) * (l == c->layers ? model_gain : 1);
    fill_random(m->W[l], m->width[l] * m->width[l + 1], rng, -bound, bound);
    fill_random(m->b[l], m->width[l + 1], rng, -0.5, 0.5);
    if (!m->g[l]) continue;
    fill_random(m->g[l], m->width[l + 1], rng, 0.5, 1.5);
    fill_random(m->h[l], m->width[l + 1], rng, -0.5, 0.5);
    if (!m->var[l]) continue;
    fill_random(m->mean[l], m->width[l + 1], rng, -0.5, 0.5);
    fill_random(m->var[l], m->width[l + 1], rng, 0.5, 1.5);
  }
  if (c->normaliser) {
    fill_random(m->obs_shift, c->O, rng, -1, 1);
    fill_random(m->obs_scale, c->O, rng, 0.5, 3);
    *m->obs_clip = 2.5f; // clips some observations
  }
  if (model_discrete(c)) return;
  for (int64_t a = 0; a < c->A; a++) {
    const CelSpacePart *part = &m->action.part[0];
    const bool squash = c->kind == CELI_SQUASHED_GAUSSIAN;
    const double low = (double)part->low[a], high = (double)part->high[a];
    m->action_shift[a] = squash ? (float)((high + low) / 2) : 0;
    m->action_scale[a] = squash ? (float)((high - low) / 2) : 1;
  }
}

static inline CelSpace model_actions(const ModelCase *c) {
  double low[16], high[16];
  for (int i = 0; i < 16; i++) low[i] = -1 - 0.5 * i, high[i] = 2 + 0.25 * i;
  switch (c->kind) {
  case CELI_CATEGORICAL: return cel_space_discrete(c->A);
  case CELI_MULTI_CATEGORICAL: return cel_space_multi_discrete(MODEL_CHOICES, model_choices);
  case CELI_BERNOULLI: return cel_space_multi_binary(c->A);
  case CELI_GAUSSIAN:
  case CELI_SQUASHED_GAUSSIAN: break;
  }
  return cel_space_box_bounds(c->A, model_low ? model_low : low, model_high ? model_high : high);
}

/// Creates a model and writes it to `path`, unless `path` is NULL.
static inline ModelData model_create(const ModelCase *c, const char *path, uint64_t seed) {
  CelRng rng = cel_rng(seed, CEL_RNG_USER, 1);
  ModelData m = {.shape = c,
                 .observation = cel_space_box(c->O, -HUGE_VAL, HUGE_VAL),
                 .action = model_actions(c)};
  OK(cel_tensors_create(&m.tensors));
  declare_model(&m);
  fill_model(&m, &rng);
  if (!path) return m;
  const CeliPolicySpec spec = {.kind = c->kind,
                               .activation = c->activation,
                               .A = c->A,
                               .sampler = c->sampler,
                               .deterministic = c->deterministic,
                               .clip_mean = c->clip_mean};
  char *observation, *action, *policy;
  OK(celi_space_to_json(&m.observation, &observation));
  OK(celi_space_to_json(&m.action, &action));
  OK(celi_policy_to_json(&spec, &policy));
  const CelMeta meta[] = {
      {"format", CELI_MODEL_FORMAT}, {"version", "0.0-test"}, {"algo", "sac"},
      {"observation", observation},  {"action", action},      {"policy", policy}};
  OK(cel_safetensors_write(path, m.tensors, CEL_ROLES_MODEL, meta, 6));
  free(observation), free(action), free(policy);
  return m;
}

static inline void model_destroy(ModelData *m) {
  cel_tensors_destroy(m->tensors);
}

static inline double activate(CeliActivation activation, double x) {
  switch (activation) {
  case CELI_IDENTITY: return x;
  case CELI_RELU: return x > 0 ? x : 0;
  case CELI_TANH: return tanh(x);
  case CELI_SILU: return x / (1 + exp(-x));
  case CELI_GELU: return x * 0.5 * erfc(-x / sqrt(2));
  case CELI_LEAKY_RELU: return x > 0 ? x : 0.01 * x;
  }
  return HUGE_VAL;
}

/// y (A,): the first A outputs of the head for an observation. noise: for a sampler; NULL: zeros.
static inline void reference_head(const ModelData *m, const float *obs, const float *noise,
                                  double *y) {
  const ModelCase *c = m->shape;
  double x[128];
  for (int64_t i = 0; c->sampler && i < c->A; i++) x[c->O + i] = noise ? (double)noise[i] : 0;
  for (int64_t i = 0; i < c->O; i++) {
    x[i] = (double)obs[i];
    if (!c->normaliser) continue;
    const double z = (x[i] - (double)m->obs_shift[i]) * (double)m->obs_scale[i];
    x[i] = fmax(-(double)*m->obs_clip, fmin((double)*m->obs_clip, z));
  }
  for (int l = 0; l <= c->layers; l++) {
    double out[128];
    const int64_t in = m->width[l], n = m->width[l + 1];
    for (int64_t j = 0; j < n; j++) {
      out[j] = (double)m->b[l][j];
      for (int64_t i = 0; i < in; i++) out[j] += x[i] * (double)m->W[l][i * n + j];
    }
    for (int64_t j = 0; m->var[l] && j < n; j++)
      out[j] = (out[j] - (double)m->mean[l][j]) / sqrt((double)m->var[l][j] + 1e-5) *
                   (double)m->g[l][j] +
               (double)m->h[l][j];
    if (m->g[l] && !m->var[l]) {
      double mean = 0, var = 0;
      for (int64_t j = 0; j < n; j++) mean += out[j] / (double)n;
      for (int64_t j = 0; j < n; j++) var += (out[j] - mean) * (out[j] - mean) / (double)n;
      for (int64_t j = 0; j < n; j++)
        out[j] = (out[j] - mean) / sqrt(var + 1e-5) * (double)m->g[l][j] + (double)m->h[l][j];
    }
    for (int64_t j = 0; j < n; j++) x[j] = l < c->layers ? activate(c->activation, out[j]) : out[j];
  }
  for (int64_t a = 0; a < c->A; a++)
    y[a] = c->clip_mean > 0 ? fmax(-c->clip_mean, fmin(c->clip_mean, x[a])) : x[a];
}

/// action (A,) of a continuous policy: its mode, or a sampler's action for `noise`.
static inline void reference_action(const ModelData *m, const float *obs, const float *noise,
                                    double *action) {
  double y[16];
  reference_head(m, obs, noise, y);
  for (int64_t a = 0; a < m->shape->A; a++) {
    const CelSpacePart *part = &m->action.part[0];
    const double u = m->shape->kind == CELI_SQUASHED_GAUSSIAN ? tanh(y[a]) : y[a];
    const double scaled = (double)m->action_shift[a] + (double)m->action_scale[a] * u;
    action[a] = fmin(fmax(scaled, (double)part->low[a]), (double)part->high[a]);
  }
}

/// Actions or bits of a discrete policy, (model_numbers,). -1: two outputs are too close to decide.
static inline void reference_choices(const ModelData *m, const float *obs, int *choice) {
  const ModelCase *c = m->shape;
  double y[16];
  reference_head(m, obs, NULL, y);
  for (int64_t k = 0, at = 0; k < model_numbers(c); k++) {
    const int64_t n = c->kind == CELI_CATEGORICAL ? c->A : model_choices[k % MODEL_CHOICES];
    if (c->kind == CELI_BERNOULLI) {
      choice[k] = fabs(y[k]) < 1e-5 ? -1 : y[k] > 0;
      continue;
    }
    int best = 0;
    for (int a = 1; a < n; a++)
      if (y[at + a] > y[at + best]) best = a;
    choice[k] = best;
    for (int a = 0; a < n; a++)
      if (a != best && y[at + best] - y[at + a] < 1e-5) choice[k] = -1;
    at += n;
  }
}

/// Converts a row of discrete actions to integers.
static inline void model_row(const ModelCase *c, const void *row, int *choice) {
  for (int64_t k = 0; k < model_numbers(c); k++)
    choice[k] = c->kind == CELI_BERNOULLI ? ((const uint8_t *)row)[k] : ((const int32_t *)row)[k];
}

#endif
