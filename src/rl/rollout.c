/// Rollouts. Contract: rollout.h.
#include "rl/rollout.h"
#include "base/base.h"
#include "nn/optim.h"

#include <math.h>
#include <string.h>

/// Rows whose values are computed together.
enum { VALUE_ROWS = 64 };
/// Largest age of an episode that a file may contain, in steps. Far from an overflow.
#define AGE_MAX ((int64_t)1 << 53)
/// Environments per cache line of a row of floats.
enum { ENV_GRAIN = 16 };

// ---- declaring

static CelStatus declare_state(CeliRollout *r, CelTensors *t) {
  const int64_t N = r->N, T = r->T, O = r->O;
  const struct {
    const char *name;
    CelType type;
    CelRole role;
    void *place;
    int ndim;
    int64_t shape[3];
  } rows[] = {
      {"rollout.filled", CEL_I64, CEL_STATE, &r->filled, 1, {1}},
      {"rollout.acted", CEL_U8, CEL_STATE, &r->acted, 1, {1}},
      {"rollout.begun", CEL_U8, CEL_STATE, &r->begun, 1, {1}},
      {"rollout.age", CEL_I64, CEL_STATE, &r->age, 1, {N}},
      {"rollout.obs", CEL_F32, CEL_STATE, &r->obs, 3, {T + 1, N, O}},
      {"rollout.actions", CEL_U8, CEL_STATE, &r->actions, 3, {T, N, (int64_t)r->bytes}},
      {"rollout.head", CEL_F32, CEL_STATE, &r->head, 3, {T, N, r->H}},
      {"rollout.reward", CEL_F32, CEL_STATE, &r->reward, 2, {T, N}},
      {"rollout.terminated", CEL_U8, CEL_STATE, &r->terminated, 2, {T, N}},
      {"rollout.truncated", CEL_U8, CEL_STATE, &r->truncated, 2, {T, N}},
      {"rollout.final_obs", CEL_F32, CEL_STATE, &r->final_obs, 3, {T, N, O}},
      {"rollout.scaled", CEL_F32, CEL_SCRATCH, &r->scaled, 2, {T, N}},
      {"rollout.value", CEL_F32, CEL_SCRATCH, &r->value, 2, {T + 1, N}},
      {"rollout.final_value", CEL_F32, CEL_SCRATCH, &r->final_value, 2, {T, N}},
      {"rollout.advantage", CEL_F32, CEL_SCRATCH, &r->advantage, 2, {T, N}},
      {"rollout.returns", CEL_F32, CEL_SCRATCH, &r->returns, 2, {T, N}},
      {"rollout.final_return", CEL_F64, CEL_SCRATCH, &r->final_return, 2, {T, N}},
      {"rollout.final_length", CEL_I64, CEL_SCRATCH, &r->final_length, 2, {T, N}},
      {"rollout.x", CEL_F32, CEL_SCRATCH, &r->x, 3, {T + 1, N, O}},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    CELI_TRY(cel_tensors_declare(t, rows[i].name, rows[i].type, rows[i].role, rows[i].place,
                                 rows[i].ndim, rows[i].shape));
  return CEL_OK;
}

CelStatus celi_rollout_declare(CeliRollout *rollout, CelTensors *tensors, const CeliPolicy *policy,
                               const CeliNet *critic, const CeliNormalizer *norm) {
  memset(rollout, 0, sizeof *rollout);
  rollout->N = policy->N, rollout->T = policy->T, rollout->O = policy->O, rollout->H = policy->H;
  rollout->bytes = policy->bytes, rollout->norm = norm;
  if (rollout->T > INT32_MAX / rollout->N)
    return cel_fail(
        CEL_E_RANGE,
        "a rollout of %lld steps of %lld environments is too large; reduce n_steps or n_envs",
        (long long)rollout->T, (long long)rollout->N);
  CELI_TRY(declare_state(rollout, tensors));
  if (!critic) return CEL_OK;
  return celi_pass_declare(&rollout->pass, tensors, "pass.value", critic,
                           (CeliPassSpec){.B = (rollout->T + 1) * rollout->N});
}

CelStatus celi_rollout_check(const CeliRollout *rollout) {
  if (*rollout->filled < 0 || *rollout->filled > rollout->T)
    return cel_fail(CEL_E_CORRUPT, "rollout.filled is %lld; it must be 0 to %lld",
                    (long long)*rollout->filled, (long long)rollout->T);
  for (int64_t i = 0; i < rollout->N; i++)
    if (rollout->age[i] < 0 || rollout->age[i] > AGE_MAX)
      return cel_fail(CEL_E_CORRUPT,
                      "rollout.age of environment %lld is %lld; it must be 0 to %lld", (long long)i,
                      (long long)rollout->age[i], (long long)AGE_MAX);
  return CEL_OK;
}

// ---- step by step

void celi_rollout_follow(CeliRollout *rollout, CeliNormalizer *norm, const float *obs,
                         const uint8_t *start) {
  CeliRollout *r = rollout;
  const int64_t now = *r->filled, last = (now > 0 ? now : r->T) - 1;
  const float *told = r->obs + (last + 1) * r->N * r->O;
  for (int64_t i = 0; *r->begun && i < r->N; i++) {
    const int64_t row = last * r->N + i;
    const bool other = memcmp(told + i * r->O, obs + i * r->O, (size_t)r->O * sizeof(float)) != 0;
    if (celi_rollout_ended(r, row) || !(other || (start && start[i]))) continue;
    if (now == 0) { // its rollout was learned from already
      celi_normalizer_begin(norm, i);
      r->age[i] = 0;
      continue;
    }
    r->truncated[row] = 1;
    memcpy(r->final_obs + row * r->O, told + i * r->O, (size_t)r->O * sizeof(float));
  }
  memcpy(r->obs + now * r->N * r->O, obs, (size_t)(r->N * r->O) * sizeof(float));
}

CelStatus celi_rollout_act(CeliRollout *rollout, const CeliPolicy *policy, CeliNormalizer *norm,
                           const float *obs, const uint8_t *start, void *actions) {
  CeliRollout *r = rollout;
  const int64_t t = *r->filled, N = r->N;
  CeliPass pass = policy->pass;
  if (t == r->T)
    return cel_fail(CEL_E_STATE, "the rollout of %lld step%s is full; update before acting again",
                    (long long)r->T, celi_s(r->T));
  celi_rollout_follow(r, norm, obs, start);
  if (t == 0) celi_policy_rollout_draw(policy, 0, 0, N);
  uint8_t *chosen = r->actions + (size_t)(t * N) * r->bytes;
  celi_policy_rollout_act(policy, &pass, t, chosen, r->head + t * N * r->H, r->obs + t * N * r->O,
                          0, N);
  memcpy(actions, celi_policy_rollout_actions(policy, chosen, 0, N), (size_t)N * r->bytes);
  *r->acted = 1;
  return CEL_OK;
}

CelStatus celi_rollout_observe(CeliRollout *rollout, const CelOutcome *outcome) {
  CeliRollout *r = rollout;
  const int64_t at = *r->filled * r->N;
  const size_t N = (size_t)r->N, O = (size_t)r->O * sizeof(float);
  if (!*r->acted) return cel_fail(CEL_E_STATE, "observe must follow act with mode CEL_EXPLORE");
  memcpy(r->reward + at, outcome->reward, N * sizeof(float));
  memcpy(r->obs + (at + r->N) * r->O, outcome->obs, N * O);
  for (int64_t i = 0; i < r->N; i++) {
    r->terminated[at + i] = outcome->terminated[i] != 0;
    r->truncated[at + i] = outcome->truncated[i] != 0;
    if (outcome->truncated[i])
      memcpy(r->final_obs + (at + i) * r->O, (const float *)outcome->final_obs + i * r->O, O);
  }
  *r->acted = 0;
  *r->begun = 1;
  ++*r->filled;
  return CEL_OK;
}

void celi_rollout_next(CeliRollout *rollout, CeliPolicy *policy, CeliNormalizer *norm) {
  celi_normalizer_observe(norm, rollout->obs, rollout->T * rollout->N);
  for (int64_t i = 0; i < rollout->N; i++)
    for (int64_t t = 0; t < rollout->T; t++)
      rollout->age[i] = celi_rollout_ended(rollout, t * rollout->N + i) ? 0 : rollout->age[i] + 1;
  celi_policy_rollout_advance(policy);
  *rollout->filled = 0;
}

// ---- rewards

typedef struct RewardArgs {
  const CeliRollout *r;
  CeliNormalizer *norm;
} RewardArgs;

static void op_take_rewards(const void *args, int64_t begin, int64_t end) {
  (void)begin, (void)end;
  const RewardArgs *a = args;
  const CeliRollout *r = a->r;
  for (int64_t t = 0; t < r->T; t++) {
    const int64_t at = t * r->N;
    for (int64_t i = 0; i < r->N; i++)
      celi_normalizer_reward_one(a->norm, i, r->reward[at + i], celi_rollout_ended(r, at + i));
  }
  celi_normalizer_refresh_rewards(a->norm);
}

static void op_scale_rewards(const void *args, int64_t begin, int64_t end) {
  const RewardArgs *a = args;
  celi_normalizer_scale_rewards(a->norm, a->r->scaled, a->r->reward, begin, end);
}

void celi_rollout_plan_rewards(CeliPlan *plan, const CeliRollout *rollout, CeliNormalizer *norm) {
  const RewardArgs args = {rollout, norm};
  const CeliRollout *r = rollout;
  const int64_t rows = r->T * r->N;
  if (norm->rewards) {
    celi_plan_add(plan, "reward statistics", op_take_rewards, CELI_SERIAL, 1, 1, &args,
                  sizeof args);
    celi_plan_touch(plan, CELI_READ(r->reward, rows), CELI_READ(r->terminated, rows),
                    CELI_READ(r->truncated, rows), CELI_UPDATE(norm->returns, r->N),
                    CELI_UPDATE(norm->return_stats, 3), CELI_UPDATE(norm->reward_scale, 1));
  }
  celi_plan_add(plan, "scale rewards", op_scale_rewards, CELI_PARTS, rows, CELI_ELEMENT_GRAIN,
                &args, sizeof args);
  celi_plan_touch(plan, CELI_READ_ROWS(r->reward, 1, 1), CELI_READ(norm->reward_scale, 1),
                  CELI_WRITE_ROWS(r->scaled, 1, 1));
}

// ---- values

/// Values of rows [first, stop) of the rollout. Scratch begins at row `at`.
static void values_of(const CeliRollout *r, int64_t first, int64_t stop, int64_t at) {
  const float *obs = r->obs + first * r->O, *x = obs;
  if (r->norm->observations) {
    celi_normalizer_apply(r->norm, r->x + at * r->O, r->O, obs, r->O, 0, stop - first);
    x = r->x + at * r->O;
  }
  const CeliPass pass = celi_pass_at(&r->pass, at, x, r->value + first);
  celi_net_forward(&pass, 0, stop - first);
}

/// Values of the final observations among rows [first, stop).
static void final_values_of(const CeliRollout *r, int64_t first, int64_t stop, int64_t at) {
  float value[VALUE_ROWS], *x = r->x + at * r->O;
  int64_t n = 0, k = 0;
  for (int64_t row = first; row < stop; row++) {
    if (!r->truncated[row] || r->terminated[row]) continue;
    celi_normalizer_apply(r->norm, x + n * r->O, r->O, r->final_obs + row * r->O, r->O, 0, 1);
    n++;
  }
  if (n == 0) return;
  const CeliPass pass = celi_pass_at(&r->pass, at, x, value);
  celi_net_forward(&pass, 0, n);
  for (int64_t row = first; row < stop; row++)
    if (r->truncated[row] && !r->terminated[row]) r->final_value[row] = value[k++];
}

/// Blocks [begin, end) of VALUE_ROWS rows.
static void op_values(const void *args, int64_t begin, int64_t end) {
  const CeliRollout *r = *(const CeliRollout *const *)args;
  const int64_t rows = r->T * r->N, all = rows + r->N, at = begin * VALUE_ROWS;
  for (int64_t k = begin; k < end; k++) {
    const int64_t first = k * VALUE_ROWS, stop = first + VALUE_ROWS;
    values_of(r, first, stop < all ? stop : all, at);
    if (first < rows) final_values_of(r, first, stop < rows ? stop : rows, at);
  }
}

void celi_rollout_plan_values(CeliPlan *plan, const CeliRollout *rollout) {
  const CeliRollout *r = rollout;
  const int64_t rows = r->T * r->N, all = rows + r->N;
  celi_plan_add(plan, "values", op_values, CELI_PARTS, (all + VALUE_ROWS - 1) / VALUE_ROWS, 1,
                &rollout, sizeof rollout);
  celi_net_plan_touch(plan, &r->pass);
  celi_normalizer_plan_touch(plan, r->norm);
  celi_plan_touch(plan, CELI_READ(r->obs, all * r->O), CELI_READ(r->final_obs, rows * r->O),
                  CELI_READ(r->terminated, rows), CELI_READ(r->truncated, rows),
                  CELI_UPDATE(r->x, all * r->O), CELI_WRITE(r->value, all),
                  CELI_WRITE(r->final_value, rows));
}

// ---- advantages

/// The value of what follows step t of environment i.
static float next_value(const CeliRollout *r, int64_t row) {
  if (r->terminated[row]) return 0;
  return r->truncated[row] ? r->final_value[row] : r->value[row + r->N];
}

void celi_rollout_gae(const CeliRollout *rollout, double gamma, double lambda, int64_t begin,
                      int64_t end) {
  const CeliRollout *r = rollout;
  const float g = (float)gamma, trace = (float)(gamma * lambda);
  for (int64_t t = r->T - 1; t >= 0; t--)
    for (int64_t i = begin; i < end; i++) {
      const int64_t row = t * r->N + i;
      const float delta = r->scaled[row] + g * next_value(r, row) - r->value[row];
      const bool last = t == r->T - 1 || celi_rollout_ended(r, row);
      r->advantage[row] = last ? delta : delta + trace * r->advantage[row + r->N];
      r->returns[row] = r->advantage[row] + r->value[row];
    }
}

typedef struct GaeArgs {
  const CeliRollout *r;
  double gamma, lambda;
} GaeArgs;

static void op_gae(const void *args, int64_t begin, int64_t end) {
  const GaeArgs *a = args;
  celi_rollout_gae(a->r, a->gamma, a->lambda, begin, end);
}

void celi_rollout_plan_gae(CeliPlan *plan, const CeliRollout *rollout, double gamma,
                           double lambda) {
  const GaeArgs args = {rollout, gamma, lambda};
  const CeliRollout *r = rollout;
  const int64_t rows = r->T * r->N;
  celi_plan_add(plan, "advantages", op_gae, CELI_PARTS, r->N, ENV_GRAIN, &args, sizeof args);
  celi_plan_touch(plan, CELI_READ(r->scaled, rows), CELI_READ(r->terminated, rows),
                  CELI_READ(r->truncated, rows), CELI_READ(r->value, rows + r->N),
                  CELI_READ(r->final_value, rows), CELI_UPDATE(r->advantage, rows),
                  CELI_WRITE(r->returns, rows));
}

static void op_normalize(const void *args, int64_t begin, int64_t end) {
  (void)begin;
  const CeliRollout *r = *(const CeliRollout *const *)args;
  double mean = 0, square = 0;
  for (int64_t i = 0; i < end; i++) mean += (double)r->advantage[i] / (double)end;
  for (int64_t i = 0; i < end; i++) {
    const double d = (double)r->advantage[i] - mean;
    square += d * d;
  }
  const float shift = (float)mean, scale = (float)(1 / (sqrt(square / (double)(end - 1)) + 1e-8));
  for (int64_t i = 0; i < end; i++) r->advantage[i] = (r->advantage[i] - shift) * scale;
}

void celi_rollout_plan_normalize(CeliPlan *plan, const CeliRollout *rollout) {
  const int64_t rows = rollout->T * rollout->N;
  if (rows < 2) return;
  celi_plan_add(plan, "normalize advantages", op_normalize, CELI_SERIAL, rows, 1, &rollout,
                sizeof rollout);
  celi_plan_touch(plan, CELI_UPDATE(rollout->advantage, rows));
}

typedef struct DiscountArgs {
  const CeliRollout *r;
  double gamma;
  float *weight;
} DiscountArgs;

static void op_discount(const void *args, int64_t begin, int64_t end) {
  const DiscountArgs *a = args;
  const CeliRollout *r = a->r;
  for (int64_t i = begin; i < end; i++) {
    double weight = pow(a->gamma, (double)r->age[i]);
    for (int64_t t = 0; t < r->T; t++) {
      a->weight[t * r->N + i] = (float)weight;
      weight = celi_rollout_ended(r, t * r->N + i) ? 1 : weight * a->gamma;
    }
  }
}

void celi_rollout_plan_discount(CeliPlan *plan, const CeliRollout *rollout, double gamma,
                                float *weight) {
  const DiscountArgs args = {rollout, gamma, weight};
  const CeliRollout *r = rollout;
  const int64_t rows = r->T * r->N;
  celi_plan_add(plan, "discount", op_discount, CELI_PARTS, r->N, ENV_GRAIN, &args, sizeof args);
  celi_plan_touch(plan, CELI_READ(r->age, r->N), CELI_READ(r->terminated, rows),
                  CELI_READ(r->truncated, rows), CELI_WRITE(weight, rows));
}

double celi_rollout_explained_variance(const CeliRollout *rollout) {
  const int64_t n = rollout->T * rollout->N;
  const float *R = rollout->returns, *V = rollout->value;
  double mean[2] = {0, 0}, square[2] = {0, 0};
  for (int64_t i = 0; i < n; i++) {
    mean[0] += (double)R[i] / (double)n;
    mean[1] += (double)(R[i] - V[i]) / (double)n;
  }
  for (int64_t i = 0; i < n; i++) {
    const double a = (double)R[i] - mean[0], b = (double)(R[i] - V[i]) - mean[1];
    square[0] += a * a, square[1] += b * b;
  }
  return square[0] > 0 ? 1 - square[1] / square[0] : (double)NAN;
}
