/// Discrete actions for learners from a replay buffer. Contract: choice.h.
#include "algo/choice.h"
#include "base/base.h"
#include "nn/dist.h"

#include <string.h>

CelStatus celi_choice_declare(CeliChoice *choice, CelAgent *agent) {
  const CelSpacePart *part = &agent->action.part[0];
  if (agent->action.n_parts != 1 || part->kind != CEL_DISCRETE) {
    char text[128];
    cel_space_describe(&agent->action, text, sizeof text);
    return cel_fail(CEL_E_UNSUPPORTED,
                    "%s: actions must be discrete, not %s; choose an environment with discrete "
                    "actions (CartPole-v1, Acrobot-v1)",
                    agent->algo->info.name, text);
  }
  choice->agent = agent, choice->A = part->n;
  CELI_DECLARE(agent->tensors, "act.pi", CEL_F32, CEL_SCRATCH, &choice->pi, CELI_ACT_ROWS,
               choice->A);
  return CEL_OK;
}

// ---- acting.

/// A uniform number on [0, 1) of environment i.
static float draw(const CeliChoice *choice, int64_t i, uint64_t *counter) {
  float u;
  celi_ops()->uniform(&u, choice->agent->options.seed, CEL_RNG_ACT, (uint32_t)i, counter[i], 0, 1);
  counter[i]++;
  return u;
}

/// The first action whose cumulative probability exceeds u. Rounding may leave the sum below u;
/// then it is the last action with a positive probability.
static int32_t pick(const float *pi, int64_t A, float u) {
  float sum = 0;
  int32_t last = 0;
  for (int64_t a = 0; a < A; a++) {
    sum += pi[a];
    if (u < sum) return (int32_t)a;
    if (pi[a] > 0) last = (int32_t)a;
  }
  return last;
}

/// Rows [0, n) of pi from logits.
static void boltzmann(const CeliChoice *choice, const float *logits, float temperature, int64_t n) {
  const int64_t A = choice->A;
  for (int64_t i = 0; i < n * A; i++) choice->pi[i] = logits[i] / temperature;
  celi_ops()->log_softmax(choice->pi, A, choice->pi, A, 0, n, A);
  celi_ops()->exp(choice->pi, choice->pi, n * A);
}

void celi_choice_act(CeliChoice *choice, CeliActing *acting, CeliExperience *x, const float *obs,
                     CelActMode mode, float temperature, int32_t *actions) {
  const int64_t A = choice->A;
  const bool random = celi_experience_random(x, mode);
  if (mode == CEL_MODE) {
    celi_choice_predict(choice, acting, &x->norm, obs, x->N, actions);
    return;
  }
  for (int64_t first = 0; first < x->N; first += CELI_ACT_ROWS) {
    const int64_t n = x->N - first < CELI_ACT_ROWS ? x->N - first : CELI_ACT_ROWS;
    if (!random)
      boltzmann(choice, celi_acting_forward(acting, &x->norm, obs + first * x->O, n), temperature,
                n);
    for (int64_t i = 0; i < n; i++) {
      const float u = draw(choice, first + i, x->act_counter);
      actions[first + i] = random ? (int32_t)(u * (float)A) : pick(choice->pi + i * A, A, u);
    }
  }
  if (mode == CEL_EXPLORE) memcpy(x->last_action, actions, (size_t)x->N * sizeof *actions);
}

void celi_choice_predict(const CeliChoice *choice, CeliActing *acting, const CeliNormalizer *norm,
                         const float *obs, int64_t n, int32_t *actions) {
  const CeliDistSpec spec = {.kind = CELI_CATEGORICAL, .A = choice->A};
  const int64_t O = acting->pass.net->in;
  for (int64_t first = 0; first < n; first += CELI_ACT_ROWS) {
    const int64_t rows = n - first < CELI_ACT_ROWS ? n - first : CELI_ACT_ROWS;
    const float *logits = celi_acting_forward(acting, norm, obs + first * O, rows);
    celi_dist_mode(&spec, actions + first, 1, logits, choice->A, 0, rows);
  }
}

// ---- batches.

CelStatus celi_choice_batch_declare(CeliChoiceBatch *batch, CelTensors *tensors, int64_t B,
                                    int64_t O) {
  batch->B = B, batch->O = O;
  CELI_DECLARE(tensors, "batch.obs", CEL_F32, CEL_SCRATCH, &batch->obs, B, O);
  CELI_DECLARE(tensors, "batch.next_obs", CEL_F32, CEL_SCRATCH, &batch->next_obs, B, O);
  CELI_DECLARE(tensors, "batch.action", CEL_I32, CEL_SCRATCH, &batch->action, B);
  CELI_DECLARE(tensors, "batch.reward", CEL_F32, CEL_SCRATCH, &batch->reward, B);
  CELI_DECLARE(tensors, "batch.discount", CEL_F32, CEL_SCRATCH, &batch->discount, B);
  CELI_DECLARE(tensors, "batch.row", CEL_I64, CEL_SCRATCH, &batch->row, B);
  return CEL_OK;
}

CeliReplayBatch celi_choice_batch_replay(const CeliChoiceBatch *batch) {
  return (CeliReplayBatch){.B = batch->B,
                           .n = 1,
                           .obs = batch->obs,
                           .ldo = batch->O,
                           .action_i32 = batch->action,
                           .next_obs = batch->next_obs,
                           .ldn = batch->O,
                           .reward = batch->reward,
                           .discount = batch->discount,
                           .row = batch->row};
}

// ---- exact expectations.

void celi_choice_reduce(float *q, const float *Q, int64_t E, int64_t B, int64_t A, int64_t begin,
                        int64_t end, bool mean) {
  for (int64_t i = begin * A; i < end * A; i++) {
    float best = Q[i];
    for (int64_t e = 1; e < E; e++) {
      const float other = Q[e * B * A + i];
      if (mean)
        best += other;
      else if (!(best <= other)) // propagates NaN
        best = best != best ? best : other;
    }
    q[i] = mean ? best / (float)E : best;
  }
}

void celi_choice_softmax(float *log_pi, float *pi, const float *logits, int64_t A, int64_t begin,
                         int64_t end) {
  celi_ops()->log_softmax(log_pi, A, logits, A, begin, end, A);
  celi_ops()->exp(pi + begin * A, log_pi + begin * A, (end - begin) * A);
}

void celi_choice_mean_log(float *out, const float *log_pi, const float *pi, int64_t A,
                          int64_t begin, int64_t end) {
  for (int64_t b = begin; b < end; b++) {
    float sum = 0;
    for (int64_t a = 0; a < A; a++) sum += pi[b * A + a] * log_pi[b * A + a];
    out[b] = sum;
  }
}

void celi_choice_value(float *V, const float *q, const float *log_pi, const float *pi, float alpha,
                       int64_t A, int64_t begin, int64_t end) {
  for (int64_t b = begin; b < end; b++) {
    float sum = 0;
    for (int64_t i = b * A; i < (b + 1) * A; i++) sum += pi[i] * (q[i] - alpha * log_pi[i]);
    V[b] = sum;
  }
}

void celi_choice_policy_gradient(float *d_logits, float *loss, const float *q, const float *log_pi,
                                 const float *pi, float alpha, float scale, int64_t A,
                                 int64_t begin, int64_t end) {
  celi_choice_value(loss, q, log_pi, pi, alpha, A, begin, end);
  for (int64_t b = begin; b < end; b++) {
    for (int64_t i = b * A; i < (b + 1) * A; i++)
      d_logits[i] = -scale * pi[i] * (q[i] - alpha * log_pi[i] - loss[b]);
    loss[b] = -loss[b];
  }
}

void celi_choice_squared_error(float *dQ, float *loss, const float *Q, const int32_t *action,
                               const float *y, float scale, int64_t A, int64_t begin, int64_t end) {
  for (int64_t b = begin; b < end; b++) {
    const float d = Q[b * A + action[b]] - y[b];
    for (int64_t a = 0; a < A; a++) dQ[b * A + a] = a == action[b] ? scale * d : 0.0f;
    loss[b] = 0.5f * d * d;
  }
}
