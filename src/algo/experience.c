/// Experience of learners from a replay buffer: the buffer, and when updates are due. Interface:
/// off_policy.h.
#include "algo/off_policy.h"
#include "base/base.h"

#include <string.h>

CeliExperienceSpec celi_off_policy_experience(const CelOffPolicyConfig *config) {
  return (CeliExperienceSpec){.buffer_size = config->buffer_size,
                              .learning_starts = config->learning_starts,
                              .train_freq = config->train_freq,
                              .gradient_steps = config->gradient_steps,
                              .normalize_observation = config->normalize_observation,
                              .normalize_reward = config->normalize_reward,
                              .clip_observation = config->clip_observation,
                              .clip_reward = config->clip_reward,
                              .gamma = config->gamma};
}

static const char *name_of(const CeliExperience *x) {
  return x->agent->algo->info.name;
}

CelStatus celi_experience_declare(CeliExperience *x, CelAgent *agent, const CelSpace *stored,
                                  const CeliExperienceSpec *spec) {
  CelTensors *t = agent->tensors;
  x->agent = agent, x->spec = *spec;
  x->O = cel_space_floats(&agent->observation), x->N = agent->options.n_envs;
  if (x->O < 1) {
    char text[128];
    cel_space_describe(&agent->observation, text, sizeof text);
    return cel_fail(CEL_E_UNSUPPORTED, "%s: observations must be a float32 box, not %s", name_of(x),
                    text);
  }
  const CelSpacePart *part = &stored->part[0];
  CELI_DECLARE(t, "sample_counter", CEL_U64, CEL_STATE, &x->sample_counter, 1);
  CELI_DECLARE(t, "act_counter", CEL_U64, CEL_STATE, &x->act_counter, x->N);
  CELI_DECLARE(t, "env_steps", CEL_I64, CEL_STATE, &x->env_steps, 1);
  CELI_DECLARE(t, "pending", CEL_I64, CEL_STATE, &x->pending, 1);
  CELI_DECLARE(t, "since_train", CEL_I64, CEL_STATE, &x->since_train, 1);
  CELI_DECLARE(t, "begins", CEL_U8, CEL_STATE, &x->begins, x->N);
  CELI_DECLARE(t, "acted", CEL_U8, CEL_STATE, &x->acted, 1);
  CELI_DECLARE(t, "last_action", part->type, CEL_STATE, &x->last_action, x->N, part->size);
  const int64_t capacity = agent->options.act_only ? x->N : spec->buffer_size;
  CELI_TRY(celi_replay_declare(&x->replay, t, &agent->observation, stored, x->N, capacity));
  return celi_normalizer_declare(&x->norm, t, spec->normalize_observation, spec->normalize_reward,
                                 x->O, x->N, spec->clip_observation, spec->clip_reward,
                                 spec->gamma);
}

void celi_experience_reset(CeliExperience *x) {
  memset(x->begins, 1, (size_t)x->N);
  celi_normalizer_reset(&x->norm);
}

/// Whether the replay holds the first observations.
static bool has_begun(const CeliExperience *x) {
  return x->replay.head[0] > 0;
}

/// The most gradient steps that can be due after this many steps of each environment.
static int64_t most_pending(const CeliExperience *x) {
  const int64_t each =
      x->spec.gradient_steps < 0 ? x->spec.train_freq * x->N : x->spec.gradient_steps;
  int64_t most;
  return __builtin_mul_overflow(*x->env_steps / x->spec.train_freq, each, &most) ? INT64_MAX / 2
                                                                                 : most;
}

static CelStatus fail_counter(const CeliExperience *x, const char *name, int64_t value,
                              int64_t most) {
  return cel_fail(CEL_E_CORRUPT, "%s: the counter '%s' is %lld; it must be 0 to %lld", name_of(x),
                  name, (long long)value, (long long)most);
}

/// Errors: CEL_E_CORRUPT (an action outside the space, which would index outside an array).
static CelStatus check_last_action(const CeliExperience *x) {
  const CelSpacePart *part = &x->agent->action.part[0];
  const int32_t *action = x->last_action;
  if (part->kind != CEL_DISCRETE) return CEL_OK;
  for (int64_t i = 0; i < x->N; i++)
    if (action[i] < 0 || action[i] >= part->n)
      return cel_fail(CEL_E_CORRUPT,
                      "%s: last_action of environment %lld is %d; valid actions are 0 to %lld",
                      name_of(x), (long long)i, (int)action[i], (long long)part->n - 1);
  return CEL_OK;
}

CelStatus celi_experience_check(const CeliExperience *x) {
  const int64_t steps = *x->agent->steps, most_steps = CELI_COUNTER_MAX / x->N;
  if (*x->env_steps < 0 || *x->env_steps > most_steps)
    return fail_counter(x, "env_steps", *x->env_steps, most_steps);
  if (*x->env_steps * x->N != steps)
    return cel_fail(CEL_E_CORRUPT,
                    "%s: %lld steps in each of %lld environments do not add up to %lld steps",
                    name_of(x), (long long)*x->env_steps, (long long)x->N, (long long)steps);
  if (*x->pending < 0 || *x->pending > most_pending(x))
    return fail_counter(x, "pending", *x->pending, most_pending(x));
  if (*x->since_train < 0 || *x->since_train > steps)
    return fail_counter(x, "since_train", *x->since_train, steps);
  CELI_TRY(check_last_action(x));
  for (int64_t i = 0; i < x->N; i++)
    if (x->replay.head[i] < 0 || (x->replay.head[i] > 0) != has_begun(x))
      return cel_fail(
          CEL_E_CORRUPT, "%s: replay.head of environment %lld is %lld, that of environment 0 %lld",
          name_of(x), (long long)i, (long long)x->replay.head[i], (long long)x->replay.head[0]);
  return CEL_OK;
}

bool celi_experience_random(const CeliExperience *x, CelActMode mode) {
  return mode == CEL_EXPLORE && *x->agent->steps < x->spec.learning_starts;
}

void celi_experience_follow(CeliExperience *x, const float *obs, const uint8_t *start) {
  *x->acted = 1;
  if (!has_begun(x)) {
    celi_replay_start(&x->replay, obs);
    celi_normalizer_observe(&x->norm, obs, x->N);
    return;
  }
  for (int64_t i = 0; i < x->N; i++) {
    const float *o = obs + i * x->O;
    const bool anew = start && start[i] && !x->begins[i];
    const bool other = memcmp(celi_replay_newest(&x->replay, i), o, x->replay.obs_bytes) != 0;
    if (anew || other) celi_replay_begin(&x->replay, i, o);
    if (other) celi_normalizer_observe(&x->norm, o, 1);
    if (anew) celi_normalizer_begin(&x->norm, i);
  }
}

CelStatus celi_off_policy_observe(CelAgent *agent, const CelOutcome *outcome) {
  CeliExperience *x = agent->self;
  if (!*x->acted || !has_begun(x))
    return cel_fail(CEL_E_STATE, "%s: observe must follow act with mode CEL_EXPLORE", name_of(x));
  *x->acted = 0;
  celi_replay_add(&x->replay, x->last_action, outcome->reward, outcome->terminated,
                  outcome->truncated, outcome->obs, outcome->final_obs);
  for (int64_t i = 0; i < x->N; i++) x->begins[i] = outcome->terminated[i] || outcome->truncated[i];
  celi_normalizer_observe(&x->norm, outcome->obs, x->N);
  celi_normalizer_reward(&x->norm, outcome->reward, x->begins);
  *x->agent->steps += x->N;
  ++*x->env_steps;
  *x->since_train += x->N;
  if (*x->env_steps % x->spec.train_freq == 0) {
    if (*x->agent->steps > x->spec.learning_starts)
      *x->pending += x->spec.gradient_steps < 0 ? *x->since_train : x->spec.gradient_steps;
    *x->since_train = 0;
  }
  return CEL_OK;
}

CelStatus celi_off_policy_replace(CelAgent *agent, const void *actions) {
  const CeliExperience *x = agent->self;
  const int64_t A = agent->action.part[0].size;
  const CelTensor *scale = cel_tensors_find(agent->tensors, "action_scale"),
                  *shift = cel_tensors_find(agent->tensors, "action_shift");
  if (!*x->acted)
    return cel_fail(CEL_E_STATE, "%s: new actions must follow act with mode CEL_EXPLORE",
                    name_of(x));
  if (!scale || !shift) { // discrete
    memcpy(x->last_action, actions, (size_t)(x->N * A) * sizeof(int32_t));
    return CEL_OK;
  }
  const float *a = actions, *s = scale->data, *m = shift->data;
  float *scaled = x->last_action;
  for (int64_t i = 0; i < x->N * A; i++) scaled[i] = (a[i] - m[i % A]) / s[i % A];
  return CEL_OK;
}

void celi_off_policy_restart(CelAgent *agent) {
  const CeliExperience *x = agent->self;
  *x->env_steps = *x->since_train = *x->pending = 0;
}

int64_t celi_off_policy_due(const CelAgent *agent) {
  return *((const CeliExperience *)agent->self)->pending;
}

CeliReplay *celi_off_policy_replay(CelAgent *agent) {
  return &((CeliExperience *)agent->self)->replay;
}

// ---- batches.

/// What a batch has besides its observations.
static CelStatus declare_rest(CeliBatch *batch, CelTensors *t, bool discrete) {
  const int64_t B = batch->B, mid = batch->n - 1;
  if (discrete) CELI_DECLARE(t, "batch.action", CEL_I32, CEL_SCRATCH, &batch->discrete, B);
  CELI_DECLARE(t, "batch.reward", CEL_F32, CEL_SCRATCH, &batch->reward, B);
  CELI_DECLARE(t, "batch.discount", CEL_F32, CEL_SCRATCH, &batch->discount, B);
  CELI_DECLARE(t, "batch.row", CEL_I64, CEL_SCRATCH, &batch->row, B);
  if (mid == 0) return CEL_OK;
  CELI_DECLARE(t, "batch.mid_obs", CEL_F32, CEL_SCRATCH, &batch->mid_obs, mid * B, batch->O);
  CELI_DECLARE(t, "batch.mid_weight", CEL_F32, CEL_SCRATCH, &batch->mid_weight, mid, B);
  return CEL_OK;
}

CelStatus celi_batch_declare(CeliBatch *batch, const CeliExperience *x, int64_t B, int64_t n,
                             bool room) {
  CelTensors *t = x->agent->tensors;
  const CelSpacePart *part = &x->agent->action.part[0];
  const bool discrete = part->kind == CEL_DISCRETE;
  *batch = (CeliBatch){.B = B, .O = x->O, .n = n, .ld = x->O, .ld_next = x->O};
  if (!discrete) batch->ld += part->size;
  if (room) batch->ld_next = batch->ld;
  CELI_DECLARE(t, discrete ? "batch.obs" : "batch.sa", CEL_F32, CEL_SCRATCH, &batch->obs, B,
               batch->ld);
  CELI_DECLARE(t, room ? "batch.sa_next" : "batch.next_obs", CEL_F32, CEL_SCRATCH, &batch->next_obs,
               B, batch->ld_next);
  return declare_rest(batch, t, discrete);
}

CelStatus celi_batch_declare_joint(CeliBatch *batch, const CeliExperience *x, int64_t B,
                                   int64_t n) {
  const int64_t ld = x->O + x->agent->action.part[0].size;
  *batch = (CeliBatch){.B = B, .O = x->O, .n = n, .ld = ld, .ld_next = ld};
  CELI_DECLARE(x->agent->tensors, "batch.joint", CEL_F32, CEL_SCRATCH, &batch->obs, 2 * B, ld);
  return declare_rest(batch, x->agent->tensors, false);
}

void celi_batch_bind_joint(CeliBatch *batch) {
  batch->next_obs = batch->obs + batch->B * batch->ld;
}

void celi_batch_plan_sample(CeliPlan *plan, CeliBatch *batch, CeliExperience *x) {
  const bool scaled = x->spec.normalize_reward;
  if (!batch->discrete) batch->action = batch->obs + batch->O;
  const CeliReplayBatch request = {.B = batch->B,
                                   .n = batch->n,
                                   .gamma = x->spec.gamma,
                                   .obs = batch->obs,
                                   .ldo = batch->ld,
                                   .action = batch->action,
                                   .lda = batch->ld,
                                   .action_i32 = batch->discrete,
                                   .next_obs = batch->next_obs,
                                   .ldn = batch->ld_next,
                                   .reward = batch->reward,
                                   .discount = batch->discount,
                                   .mid_obs = batch->mid_obs,
                                   .mid_weight = batch->mid_weight,
                                   .row = batch->row,
                                   .reward_scale = scaled ? x->norm.reward_scale : NULL,
                                   .clip_reward = (float)x->spec.clip_reward};
  celi_replay_plan_sample(plan, &x->replay, &request, x->agent->options.seed, x->sample_counter);
  celi_normalizer_plan_obs(plan, &x->norm, batch->obs, batch->ld, batch->B);
  celi_normalizer_plan_obs(plan, &x->norm, batch->next_obs, batch->ld_next, batch->B);
  if (batch->n > 1)
    celi_normalizer_plan_obs(plan, &x->norm, batch->mid_obs, x->O, (batch->n - 1) * batch->B);
}

typedef struct CopyArgs {
  const CeliBatch *batch;
  float *to;
} CopyArgs;

static void op_copy_obs(const void *args, int64_t begin, int64_t end) {
  const CopyArgs *a = args;
  const CeliBatch *m = a->batch;
  for (int64_t b = begin; b < end; b++)
    memcpy(a->to + b * m->ld, m->obs + b * m->ld, (size_t)m->O * sizeof(float));
}

void celi_batch_plan_copy_obs(CeliPlan *plan, const CeliBatch *batch, float *to) {
  const CopyArgs args = {batch, to};
  celi_plan_add(plan, "copy observations", op_copy_obs, CELI_ROWS, batch->B, CELI_ROW_GRAIN, &args,
                sizeof args);
  celi_plan_touch(plan, CELI_READ_ROWS(batch->obs, batch->ld, batch->O),
                  CELI_WRITE_ROWS(to, batch->ld, batch->O));
}
