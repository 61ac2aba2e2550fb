/// One box of continuous actions. Interface: box.h.
#include "algo/box.h"
#include "base/base.h"

#include <math.h>
#include <string.h>

/// Whether the algorithm lets its user choose a policy that is not squashed.
static bool has_policy_field(const CelAgent *agent) {
  for (const CelField *field = agent->algo->info.fields; field->name; field++)
    if (strcmp(field->name, "policy") == 0) return true;
  return false;
}

static CelStatus check_space(const CelAgent *agent, bool squash) {
  const char *name = agent->algo->info.name;
  const CelSpacePart *part = &agent->action.part[0];
  if (cel_space_floats(&agent->action) < 1 || agent->action.n_parts != 1) {
    char text[128];
    cel_space_describe(&agent->action, text, sizeof text);
    return cel_fail(
        CEL_E_UNSUPPORTED,
        "%s: actions must be one continuous box, not %s; choose an environment with continuous "
        "actions (Pendulum-v1, MountainCarContinuous-v0)",
        name, text);
  }
  if (part->size > CEL_SPACE_BOUNDS_MAX)
    return cel_fail(CEL_E_UNSUPPORTED, "%s: actions have %lld dimensions; at most %d are supported",
                    name, (long long)part->size, CEL_SPACE_BOUNDS_MAX);
  for (int64_t a = 0; a < part->size; a++)
    if (squash && !(isfinite(part->low[a]) && isfinite(part->high[a])))
      return cel_fail(CEL_E_UNSUPPORTED,
                      "%s: action %lld has no finite bounds, which a squashed policy needs%s", name,
                      (long long)a, has_policy_field(agent) ? "; set policy to gaussian" : "");
  return CEL_OK;
}

CelStatus celi_box_declare(CeliBox *box, CelAgent *agent, bool squash) {
  CelTensors *t = agent->tensors;
  CELI_TRY(check_space(agent, squash));
  const int64_t A = agent->action.part[0].size;
  box->agent = agent, box->A = A, box->squash = squash;
  CELI_DECLARE(t, "action_scale", CEL_F32, CEL_MODEL, &box->scale, A);
  CELI_DECLARE(t, "action_shift", CEL_F32, CEL_MODEL, &box->shift, A);
  CELI_DECLARE(t, "act.out", CEL_F32, CEL_SCRATCH, &box->out, CELI_ACT_ROWS, A);
  CELI_DECLARE(t, "act.eps", CEL_F32, CEL_SCRATCH, &box->eps, CELI_ACT_ROWS, A);
  return CEL_OK;
}

/// log sigma of the squashed Gaussian tanh(sigma z) with the largest entropy, 0.683636 nats. The
/// uniform density on [-1, 1] has log 2 = 0.693147.
static const double widest_log_std = -0.1342169;

/// H(tanh(sigma z)) = H(sigma z) + E log(1 - tanh^2(sigma z)), by the trapezoidal rule. It is
/// largest for mean 0.
static double squashed_entropy(double log_std) {
  enum { HALF = 32 };
  const double pi = 3.14159265358979323846, step = 8.0 / HALF, sigma = exp(log_std);
  double sum = 0;
  for (int i = -HALF; i <= HALF; i++) {
    const double z = i * step, u = fabs(sigma * z);
    const double log_slope = 2 * (log(2) - u - log1p(exp(-2 * u))); // log(1 - tanh^2 u)
    sum += step * exp(-z * z / 2) / sqrt(2 * pi) * log_slope;
  }
  return 0.5 * log(2 * pi * exp(1)) + log_std + sum;
}

double celi_box_entropy_max(const CeliBox *box, double log_std_max) {
  const double pi = 3.14159265358979323846, A = (double)box->A;
  if (box->squash) return A * squashed_entropy(fmin(log_std_max, widest_log_std));
  return A * (0.5 * log(2 * pi * exp(1)) + log_std_max);
}

void celi_box_reset(CeliBox *box) {
  const CelSpacePart *part = &box->agent->action.part[0];
  for (int64_t a = 0; a < box->A; a++) {
    const double low = (double)part->low[a], high = (double)part->high[a];
    box->scale[a] = box->squash ? (float)((high - low) / 2) : 1;
    box->shift[a] = box->squash ? (float)((high + low) / 2) : 0;
  }
}

CelStatus celi_box_stored(const CeliBox *box, CelSpace **out) {
  CELI_TRY(celi_alloc(out, 1, sizeof **out, "a space"));
  celi_space_box(*out, box->A, -(double)INFINITY, (double)INFINITY);
  return CEL_OK;
}

void celi_box_unscale(const CeliBox *box, float *out, const float *scaled, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    for (int64_t a = 0; a < box->A; a++)
      out[i * box->A + a] = box->shift[a] + box->scale[a] * scaled[i * box->A + a];
}

void celi_box_random(const CeliBox *box, float *scaled, int64_t first, int64_t n,
                     uint64_t *counter) {
  const CelSpacePart *part = &box->agent->action.part[0];
  for (int64_t i = 0; i < n; i++) {
    float *a = scaled + i * box->A;
    celi_ops()->uniform(a, box->agent->options.seed, CEL_RNG_ACT, (uint32_t)(first + i),
                        counter[first + i], 0, box->A);
    counter[first + i] += (uint64_t)(box->A + 3) / 4;
    for (int64_t k = 0; k < box->A; k++) {
      const bool bounded = isfinite(part->low[k]) && isfinite(part->high[k]);
      if (box->squash || !bounded)
        a[k] = 2 * a[k] - 1;
      else
        a[k] = part->low[k] * (1 - a[k]) + part->high[k] * a[k];
    }
  }
}

void celi_box_sample(const CeliBox *box, const CeliDistSpec *spec, float *scaled, const float *head,
                     int64_t first, int64_t n, uint64_t *counter) {
  for (int64_t i = 0; i < n; i++) {
    celi_ops()->normal(box->eps + i * box->A, box->agent->options.seed, CEL_RNG_ACT,
                       (uint32_t)(first + i), counter[first + i], 0, box->A);
    counter[first + i] += (uint64_t)(box->A + 3) / 4;
  }
  celi_dist_sample_rows(spec, scaled, box->A, head, celi_dist_head(spec), box->eps, 0, n);
}

void celi_box_act(const CeliBox *box, CeliActing *acting, CeliExperience *x,
                  const CeliDistSpec *spec, const float *obs, CelActMode mode, float *actions) {
  const bool random = celi_experience_random(x, mode);
  float *last_action = x->last_action;
  if (mode == CEL_MODE) {
    celi_box_predict(box, acting, &x->norm, spec, obs, x->N, actions);
    return;
  }
  for (int64_t first = 0; first < x->N; first += CELI_ACT_ROWS) {
    const int64_t n = x->N - first < CELI_ACT_ROWS ? x->N - first : CELI_ACT_ROWS;
    if (random)
      celi_box_random(box, box->out, first, n, x->act_counter);
    else
      celi_box_sample(box, spec, box->out,
                      celi_acting_forward(acting, &x->norm, obs + first * x->O, n), first, n,
                      x->act_counter);
    if (mode == CEL_EXPLORE)
      memcpy(last_action + first * box->A, box->out, (size_t)(n * box->A) * sizeof(float));
    celi_box_unscale(box, actions + first * box->A, box->out, n);
  }
}

void celi_box_predict(const CeliBox *box, CeliActing *acting, const CeliNormalizer *norm,
                      const CeliDistSpec *spec, const float *obs, int64_t n, float *actions) {
  const int64_t O = acting->pass.net->in;
  for (int64_t first = 0; first < n; first += CELI_ACT_ROWS) {
    const int64_t rows = n - first < CELI_ACT_ROWS ? n - first : CELI_ACT_ROWS;
    const float *head = celi_acting_forward(acting, norm, obs + first * O, rows);
    celi_dist_mode(spec, box->out, box->A, head, acting->pass.net->out, 0, rows);
    celi_box_unscale(box, actions + first * box->A, box->out, rows);
  }
}
