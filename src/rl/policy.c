/// A policy: what it consists of. Contract: policy.h. Acting is in policy_act.c.
#include "rl/policy.h"
#include "base/base.h"
#include "nn/declare.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/// Rows of one forward pass in acting, at least.
enum { ROWS = 64 };

// ---- declaring

CelStatus celi_policy_dist(CeliDistSpec *dist, const CelSpace *action) {
  const CelSpacePart *part = &action->part[0];
  char text[128];
  memset(dist, 0, sizeof *dist);
  dist->A = part->size;
  if (action->n_parts == 1 && part->size <= CEL_SPACE_BOUNDS_MAX) switch (part->kind) {
    case CEL_BOX:
      dist->kind = CELI_GAUSSIAN;
      if (part->type == CEL_F32) return CEL_OK;
      break;
    case CEL_DISCRETE: dist->kind = CELI_CATEGORICAL, dist->A = part->n; return CEL_OK;
    case CEL_MULTI_DISCRETE:
      dist->kind = CELI_MULTI_CATEGORICAL;
      dist->K = part->size, dist->choices = part->high, dist->A = 0;
      for (int64_t k = 0; k < part->size; k++) dist->A += (int64_t)part->high[k];
      return CEL_OK;
    case CEL_MULTI_BINARY: dist->kind = CELI_BERNOULLI; return CEL_OK;
    }
  cel_space_describe(action, text, sizeof text);
  return cel_fail(CEL_E_UNSUPPORTED,
                  "actions must be one float32 box, discrete, multi-discrete or binary (at most %d "
                  "elements), not %s",
                  CEL_SPACE_BOUNDS_MAX, text);
}

void celi_policy_set(CeliPolicy *policy, const CeliPolicyOptions *options,
                     const CelSpace *observation, const CelSpace *action) {
  const CelIntList *hidden = &options->net.hidden;
  memset(policy, 0, sizeof *policy);
  policy->options = *options, policy->dist = options->dist, policy->action = action;
  policy->discrete = celi_dist_discrete(&options->dist);
  policy->O = cel_space_floats(observation);
  policy->H = celi_dist_head(&options->dist) + options->extra;
  policy->W = celi_dist_noise(&options->dist), policy->A = action->part[0].size;
  policy->bytes = cel_space_bytes(action);
  policy->F = options->sde_every ? hidden->v[hidden->n - 1] : 0;
  if (options->sampler) policy->H = policy->A;
}

static CelStatus declare_f32(CelTensors *tensors, const char *name, CelRole role, float **place,
                             int64_t rows, int64_t columns) {
  const int64_t shape[] = {rows, columns};
  return cel_tensors_declare(tensors, name, CEL_F32, role, place, columns ? 2 : 1, shape);
}

CelStatus celi_policy_declare_scale(CeliPolicy *policy, CelTensors *tensors) {
  if (policy->discrete) return CEL_OK;
  CELI_TRY(declare_f32(tensors, "action_scale", CEL_MODEL, &policy->scale, policy->A, 0));
  return declare_f32(tensors, "action_shift", CEL_MODEL, &policy->shift, policy->A, 0);
}

CelStatus celi_policy_declare_network(CeliPolicy *policy, CelTensors *tensors) {
  static const CelRole mirrors[] = {CEL_MOMENT1, CEL_MOMENT2};
  CeliMlpSpec spec = policy->options.net;
  spec.E = 1, spec.in = policy->O + (policy->options.sampler ? policy->A : 0);
  spec.out = policy->F ? policy->A : policy->H;
  spec.dx_begin = spec.dx_end = spec.in; // no gradient with respect to the observations
  CELI_TRY(celi_mlp_declare(&policy->net, tensors, "actor", CEL_PARAM, &spec));
  CELI_TRY(celi_net_declare_grad(&policy->grad, tensors, "actor", CEL_GRAD, &policy->net));
  for (int i = 0; i < 2; i++)
    CELI_TRY(celi_net_declare_grad(NULL, tensors, "actor", mirrors[i], &policy->net));
  if (policy->F)
    CELI_TRY(celi_gsde_declare_param(&policy->sde, tensors, "actor", policy->F, policy->A));
  policy->sde.squash = policy->dist.kind == CELI_SQUASHED_GAUSSIAN;
  policy->sde.expln = policy->options.sde_expln;
  return celi_dist_declare_param(&policy->param, tensors, "actor", &policy->dist);
}

/// What both ways of acting need.
static CelStatus declare_acting(CeliPolicy *policy, CelTensors *tensors, const CeliNormalizer *norm,
                                int64_t N, uint64_t seed) {
  const CeliPassSpec spec = {.B = policy->rows};
  policy->norm = norm, policy->N = N, policy->seed = seed;
  CELI_TRY(celi_pass_declare(&policy->pass, tensors, "pass.act", &policy->net, spec));
  CELI_TRY(declare_f32(tensors, "act.obs", CEL_SCRATCH, &policy->x, policy->rows, policy->net.in));
  return declare_f32(tensors, "act.head", CEL_SCRATCH, &policy->head, policy->rows, policy->H);
}

/// gSDE's matrices in place of noise by step.
static CelStatus declare_rollout_sde(CeliPolicy *policy, CelTensors *tensors) {
  const int64_t N = policy->N, F = policy->F, A = policy->A, rows = policy->rows;
  CELI_TRY(declare_f32(tensors, "act.sde_matrix", CEL_SCRATCH, &policy->sde_matrix, N, F * A));
  CELI_TRY(declare_f32(tensors, "act.sde_var", CEL_SCRATCH, &policy->sde_var, N + 1, F * A));
  CELI_TRY(declare_f32(tensors, "act.sde_latent2", CEL_SCRATCH, &policy->sde_latent2, rows, F));
  return declare_f32(tensors, "act.sde_row_var", CEL_SCRATCH, &policy->sde_row_var, rows, A);
}

CelStatus celi_policy_declare_rollout(CeliPolicy *policy, CelTensors *tensors,
                                      const CeliNormalizer *norm, int64_t N, int64_t T,
                                      uint64_t seed) {
  policy->T = T, policy->rows = N > ROWS ? N : ROWS;
  CELI_TRY(declare_acting(policy, tensors, norm, N, seed));
  if (policy->F)
    CELI_TRY(declare_rollout_sde(policy, tensors));
  else
    CELI_DECLARE(tensors, "act.noise", CEL_F32, CEL_SCRATCH, &policy->noise, N, T, policy->W);
  if (policy->dist.kind == CELI_SQUASHED_GAUSSIAN)
    CELI_DECLARE(tensors, "act.unscaled", CEL_U8, CEL_SCRATCH, &policy->unscaled, N,
                 (int64_t)policy->bytes);
  CELI_DECLARE(tensors, "act.counter", CEL_U64, CEL_STATE, &policy->counter, N);
  CELI_DECLARE(tensors, "act.sample_counter", CEL_U64, CEL_STATE, &policy->sample_counter, N);
  return CEL_OK;
}

CelStatus celi_policy_declare_steps(CeliPolicy *policy, CelTensors *tensors,
                                    const CeliNormalizer *norm, int64_t N, uint64_t seed) {
  const int64_t F = policy->F, A = policy->A;
  policy->rows = ROWS;
  CELI_TRY(declare_acting(policy, tensors, norm, N, seed));
  if (policy->W > 0)
    CELI_TRY(declare_f32(tensors, "act.eps", CEL_SCRATCH, &policy->noise, ROWS, policy->W));
  CELI_DECLARE(tensors, "act.scaled", CEL_U8, CEL_SCRATCH, &policy->scaled, N,
               (int64_t)policy->bytes);
  if (F == 0) return CEL_OK;
  CELI_DECLARE(tensors, "sde_matrix", CEL_F32, CEL_STATE, &policy->sde_matrix, N, F, A);
  return declare_f32(tensors, "act.sde", CEL_SCRATCH, &policy->sde_sample, F, A);
}

CelStatus celi_policy_declare_noise(CeliPolicy *policy, CelTensors *tensors) {
  const CeliPolicyOptions *o = &policy->options;
  CELI_TRY(celi_noise_declare(&policy->added, tensors, "noise", o->noise, policy->N, policy->A,
                              o->noise_sigma, o->noise_theta, o->noise_dt, policy->seed));
  if (policy->dist.kind != CELI_SQUASHED_GAUSSIAN)
    policy->added.limit = (double)INFINITY; // the environment clips the action
  return CEL_OK;
}

void celi_policy_init(CeliPolicy *policy, uint32_t first_index) {
  const CelSpacePart *part = &policy->action->part[0];
  const bool squash = policy->dist.kind == CELI_SQUASHED_GAUSSIAN;
  celi_net_init(&policy->net, policy->seed, first_index);
  celi_dist_init(&policy->param);
  if (policy->F)
    celi_ops()->fill(policy->sde.log_std, (float)policy->dist.log_std_init, policy->F * policy->A);
  for (int64_t a = 0; !policy->discrete && a < policy->A; a++) {
    const double low = (double)part->low[a], high = (double)part->high[a];
    policy->scale[a] = squash ? (float)((high - low) / 2) : 1;
    policy->shift[a] = squash ? (float)((high + low) / 2) : 0;
  }
}

// ---- what it is

CeliPolicySpec celi_policy_spec(const CeliPolicy *policy) {
  const double temperature = policy->options.temperature;
  return (CeliPolicySpec){.kind = policy->dist.kind,
                          .activation = policy->options.net.activation,
                          .A = policy->dist.A,
                          .sampler = policy->options.sampler,
                          .deterministic = policy->dist.deterministic,
                          .log_std_min = policy->dist.log_std_min,
                          .log_std_max = policy->dist.log_std_max,
                          .logit_scale = temperature > 0 ? 1 / temperature : 0,
                          .clip_mean = policy->F ? policy->options.clip_mean : 0};
}

/// log sigma of the squashed Gaussian tanh(sigma z) with the largest entropy, 0.683636 nats. The
/// uniform density on [-1, 1] has log 2 = 0.693147.
static const double widest_log_std = -0.1342169;
static const double pi = 3.14159265358979323846;

/// H(tanh(sigma z)) = H(sigma z) + E log(1 - tanh^2(sigma z)), by the trapezoidal rule. It is
/// largest for mean 0.
static double squashed_entropy(double log_std) {
  enum { HALF = 32 };
  const double step = 8.0 / HALF, sigma = exp(log_std);
  double sum = 0;
  for (int i = -HALF; i <= HALF; i++) {
    const double z = i * step, u = fabs(sigma * z);
    const double log_slope = 2 * (log(2) - u - log1p(exp(-2 * u))); // log(1 - tanh^2 u)
    sum += step * exp(-z * z / 2) / sqrt(2 * pi) * log_slope;
  }
  return 0.5 * log(2 * pi * exp(1)) + log_std + sum;
}

double celi_policy_entropy_max(const CeliPolicy *policy) {
  const CeliDistSpec *dist = &policy->dist;
  const double A = (double)dist->A, log_std_max = policy->F ? (double)INFINITY : dist->log_std_max;
  if (dist->kind == CELI_CATEGORICAL) return log(A);
  if (dist->kind == CELI_SQUASHED_GAUSSIAN)
    return A * squashed_entropy(fmin(log_std_max, widest_log_std));
  return A * (0.5 * log(2 * pi * exp(1)) + log_std_max);
}

double celi_policy_mean_std(const CeliPolicy *policy) {
  const int64_t n = policy->F ? policy->F * policy->A : policy->A;
  const float *log_std = policy->F ? policy->sde.log_std : celi_policy_free_log_std(policy);
  double sum = 0;
  if (!log_std) return (double)NAN;
  for (int64_t i = 0; i < n; i++) {
    const double x = (double)log_std[i];
    sum += policy->options.sde_expln && x > 0 ? 1 + log1p(x + 1e-6) : exp(x);
  }
  return sum / (double)n;
}

void celi_policy_last_parameter(const CeliPolicy *policy, char name[CEL_NAME_MAX]) {
  if (policy->dist.free_log_std || policy->F)
    snprintf(name, CEL_NAME_MAX, "actor.log_std");
  else
    celi_net_last_parameter(&policy->net, "actor", name);
}
