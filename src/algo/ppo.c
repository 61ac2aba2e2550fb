/// Proximal policy optimization.
///
/// Source: Schulman et al., "Proximal policy optimization algorithms", 2017. The surrogate is that
/// of [policy-guarantees, surrogate]; clipping instead of a bound keeps it near pi.
///
///   x, u, r     observation, action, reward        T, N    steps of a rollout, environments
///   pi, pi'     policy of the rollout, and now      B       rows of a minibatch
///   V           values                              c       clip range
///   rho         pi'(u|x) / pi(u|x)                  O, A    observation and action dimension
///
///   1  T steps of N environments with pi
///   2  A by GAE(lambda), R = A + V                                                 [4.21]
///   3  for each epoch, for each minibatch of a random permutation:
///   4    A <- (A - mean A) / (sd A + 1e-8)
///   5    L_pi = -mean min(rho A, clip(rho, 1-c, 1+c) A)
///   6    L_V = mean (R - V')^2; with value clipping V' is kept within V +- c_V
///   7    stop the update where mean(rho - 1 - log rho) > 1.5 target_kl
///   8    Adam on L_pi - ent_coef mean H(pi') + vf_coef L_V, gradient clipped by its norm
///
/// As in Stable-Baselines3, except for the normalization of observations: its statistics do not
/// change during a rollout and its updates, so that no thread waits for another's observations.
#include "celsius/ppo.h"
#include "algo/on_policy.h"
#include "base/base.h"
#include "rl/minibatch.h"

#include <math.h>
#include <string.h>

enum {
  M_POLICY_LOSS,
  M_VALUE_LOSS,
  M_ENTROPY_LOSS,
  M_KL,
  M_CLIPPED,
  M_LOSS,
  SUMS, ///< the entries above are means over the gradient steps
  M_EXPLAINED = SUMS,
  M_CLIP_RANGE,
  M_RATE,
  M_STD,
  METRICS
};

typedef struct Ppo {
  CeliOnPolicy on; ///< first: policy, values, rollout
  const CelPpoConfig *config;
  CelAgent *agent;
  int64_t B; ///< rows per minibatch
  CeliMinibatch batch;
  CeliAdam adam;
  CeliPlan *prepare; ///< line 2
  CeliPlan *shuffle; ///< line 3
  CeliPlan *loss;    ///< lines 4 to 7
  CeliPlan *learn;   ///< line 8
  CeliPlan *step;    ///< lines 4 to 8, without a stop

  CeliDist old;             ///< pi on the whole rollout
  CeliPolicyPass pi;        ///< pi' on a minibatch
  CeliPass v;               ///< values on a minibatch
  float *ratio, *d_entropy; ///< (B,)
  float *pi_loss, *v_loss;  ///< (B,)
  float *kl, *clipped;      ///< (B,)
  double *clip, *clip_vf;   ///< (1,) for this update
  double *sum;              ///< (SUMS,)
  double *kl_now;           ///< (1,) for the last minibatch
  int slot[METRICS];
} Ppo;

static Ppo *ppo_of(const void *args) {
  return *(Ppo *const *)args;
}

// ---- one operation per equation; rows [begin, end) of the minibatch.

/// Line 5: d L_pi / d log pi', and d / d H of the entropy bonus. Rows past the minibatch's end have
/// weight 0.
static void op_policy_loss(const void *args, int64_t begin, int64_t end) {
  const Ppo *s = ppo_of(args);
  const CeliMinibatch *m = &s->batch;
  const float low = (float)(1 - *s->clip), high = (float)(1 + *s->clip);
  const float each = 1.0f / (float)*m->used, bonus = (float)s->config->ent_coef * each;
  for (int64_t b = begin; b < end; b++) s->ratio[b] = s->pi.dist.logp[b] - m->old_logp[b];
  for (int64_t b = begin; b < end; b++) s->kl[b] = -s->ratio[b];
  celi_ops()->exp(s->ratio + begin, s->ratio + begin, end - begin);
  for (int64_t b = begin; b < end; b++) {
    const float rho = s->ratio[b], A = m->advantage[b];
    const float within = rho < low ? low : rho > high ? high : rho;
    const bool moves = rho * A <= within * A; // a NaN makes the loss NaN, which is reported
    const float weight = b < *m->used ? each : 0;
    s->pi_loss[b] = moves ? -rho * A : -within * A;
    s->kl[b] += rho - 1.0f;
    s->clipped[b] = within != rho ? 1.0f : 0.0f;
    s->pi.dist.d_logp[b] = moves ? -weight * (rho * A) : 0;
    s->d_entropy[b] = b < *m->used ? -bonus : 0;
  }
}

/// Line 6: vf_coef d L_V / d V'.
static void op_value_loss(const void *args, int64_t begin, int64_t end) {
  const Ppo *s = ppo_of(args);
  const CeliMinibatch *m = &s->batch;
  const float *V = celi_pass_output(&s->v);
  const float c = (float)*s->clip_vf, weight = 2 * (float)s->config->vf_coef / (float)*m->used;
  for (int64_t b = begin; b < end; b++) {
    const float moved = V[b] - m->old_value[b];
    const bool held = c > 0 && (moved < -c || moved > c);
    const float value = held ? m->old_value[b] + (moved < 0 ? -c : c) : V[b];
    const float error = value - m->returns[b];
    s->v_loss[b] = error * error;
    celi_pass_d_output(&s->v)[b] = held || b >= *m->used ? 0 : weight * error;
  }
}

/// Means over the minibatch, for the log and line 7.
static void op_tally(const void *args, int64_t begin, int64_t end) {
  (void)begin, (void)end;
  const Ppo *s = ppo_of(args);
  const CeliOps *ops = celi_ops();
  const int64_t n = *s->batch.used;
  const double each = 1.0 / (double)n;
  const double policy = each * (double)ops->sum(s->pi_loss, n),
               value = each * (double)ops->sum(s->v_loss, n),
               entropy = -each * (double)ops->sum(s->pi.dist.entropy, n);
  *s->kl_now = each * (double)ops->sum(s->kl, n);
  s->sum[M_POLICY_LOSS] += policy;
  s->sum[M_VALUE_LOSS] += value;
  s->sum[M_ENTROPY_LOSS] += entropy;
  s->sum[M_KL] += *s->kl_now;
  s->sum[M_CLIPPED] += each * (double)ops->sum(s->clipped, n);
  s->sum[M_LOSS] += policy + s->config->ent_coef * entropy + s->config->vf_coef * value;
}

static void op_count(const void *args, int64_t begin, int64_t end) {
  (void)begin, (void)end;
  const Ppo *s = ppo_of(args);
  celi_minibatch_next(&s->batch);
  ++*s->agent->updates;
}

// ---- the plans.

/// Line 2.
static CelStatus write_prepare(Ppo *s) {
  const CelPpoConfig *c = s->config;
  CELI_TRY(celi_plan_create(&s->prepare));
  celi_rollout_plan_rewards(s->prepare, &s->on.rollout, &s->on.norm);
  celi_rollout_plan_values(s->prepare, &s->on.rollout);
  celi_dist_plan_log_prob(s->prepare, &s->old, s->on.rollout.actions,
                          celi_policy_lda(&s->on.policy), s->on.rollout.head, s->on.policy.H);
  celi_rollout_plan_gae(s->prepare, &s->on.rollout, c->common.gamma, c->gae_lambda);
  return celi_plan_end(s->prepare);
}

/// Policy and values run side by side: 2 B rows are split together, and the first B are the
/// policy's.
static void policy_side(const Ppo *s, CeliPlan *plan) {
  celi_plan_side(plan, 0, 2 * s->B);
}

static void value_side(const Ppo *s, CeliPlan *plan) {
  celi_plan_side(plan, s->B, 2 * s->B);
}

/// Lines 4 to 7: the loss of a minibatch, and its gradient at the networks' outputs.
static void plan_loss(Ppo *s, CeliPlan *plan) {
  policy_side(s, plan);
  celi_minibatch_plan_gather_policy(plan, &s->batch);
  celi_policy_plan_log_prob(plan, &s->pi, s->batch.actions);
  celi_plan_add(plan, "policy loss", op_policy_loss, CELI_ROWS, s->B, CELI_ROW_GRAIN, &s, sizeof s);
  celi_plan_touch(plan, CELI_READ(s->clip, 1), CELI_READ(s->batch.used, 1),
                  CELI_READ_ROWS(s->pi.dist.logp, 1, 1), CELI_READ_ROWS(s->batch.old_logp, 1, 1),
                  CELI_READ_ROWS(s->batch.advantage, 1, 1), CELI_UPDATE_ROWS(s->ratio, 1, 1),
                  CELI_UPDATE_ROWS(s->kl, 1, 1), CELI_WRITE_ROWS(s->pi_loss, 1, 1),
                  CELI_WRITE_ROWS(s->clipped, 1, 1), CELI_WRITE_ROWS(s->pi.dist.d_logp, 1, 1),
                  CELI_WRITE_ROWS(s->d_entropy, 1, 1));
  value_side(s, plan);
  celi_minibatch_plan_gather_value(plan, &s->batch);
  celi_net_plan_forward(plan, &s->v);
  celi_plan_add(plan, "value loss", op_value_loss, CELI_ROWS, s->B, CELI_ROW_GRAIN, &s, sizeof s);
  celi_plan_touch(plan, CELI_READ(s->clip_vf, 1), CELI_READ(s->batch.used, 1),
                  CELI_READ_ROWS(celi_pass_output(&s->v), 1, 1),
                  CELI_READ_ROWS(s->batch.old_value, 1, 1), CELI_READ_ROWS(s->batch.returns, 1, 1),
                  CELI_WRITE_ROWS(s->v_loss, 1, 1),
                  CELI_WRITE_ROWS(celi_pass_d_output(&s->v), 1, 1));
  celi_plan_side(plan, 0, 0);
}

/// Means of the minibatch.
static void plan_tally(Ppo *s, CeliPlan *plan) {
  celi_plan_add(plan, "means", op_tally, CELI_SERIAL, 1, 1, &s, sizeof s);
  celi_plan_touch(plan, CELI_READ(s->batch.used, 1), CELI_READ(s->pi_loss, s->B),
                  CELI_READ(s->v_loss, s->B), CELI_READ(s->pi.dist.entropy, s->B),
                  CELI_READ(s->kl, s->B), CELI_READ(s->clipped, s->B), CELI_UPDATE(s->kl_now, 1),
                  CELI_UPDATE(s->sum, SUMS));
}

/// Line 8. The means run beside the weight gradients, which do not need them.
static void plan_learn(Ppo *s, CeliPlan *plan, bool tally) {
  policy_side(s, plan);
  celi_policy_plan_log_prob_backward(plan, &s->pi, s->d_entropy, s->batch.actions);
  value_side(s, plan);
  celi_net_plan_backward_data(plan, &s->v, NULL, 0);
  celi_plan_side(plan, 0, 0);
  celi_policy_plan_backward_weight(plan, &s->pi);
  celi_net_plan_backward_weight(plan, &s->v, &s->on.critic_grad);
  celi_plan_together(plan, 2);
  celi_policy_plan_backward_param(plan, &s->pi);
  if (tally) plan_tally(s, plan);
  celi_adam_plan(plan, &s->adam);
  celi_net_plan_transpose(plan, &s->on.policy.net);
  celi_net_plan_transpose(plan, &s->on.critic);
  celi_plan_together(plan, 2);
  celi_plan_add(plan, "count", op_count, CELI_PARTS, 1, 1, &s, sizeof s);
  celi_plan_touch(plan, CELI_UPDATE(s->batch.cursor, 1), CELI_WRITE(s->batch.used, 1),
                  CELI_UPDATE(s->agent->updates, 1));
}

static CelStatus write_plans(Ppo *s) {
  CELI_TRY(write_prepare(s));
  CELI_TRY(celi_plan_create(&s->shuffle));
  celi_minibatch_plan_shuffle(s->shuffle, &s->batch, s->config->normalize_advantage);
  CELI_TRY(celi_plan_end(s->shuffle));
  CELI_TRY(celi_plan_create(&s->loss));
  plan_loss(s, s->loss);
  plan_tally(s, s->loss);
  CELI_TRY(celi_plan_end(s->loss));
  CELI_TRY(celi_plan_create(&s->learn));
  plan_learn(s, s->learn, false);
  CELI_TRY(celi_plan_end(s->learn));
  CELI_TRY(celi_plan_create(&s->step));
  plan_loss(s, s->step);
  plan_learn(s, s->step, true);
  return celi_plan_end(s->step);
}

// ---- update.

/// Lines 4 to 8 with a sync point at line 7. *stopped: the divergence is too large.
static CelStatus epoch_with_stop(Ppo *s, int64_t *steps, bool *stopped) {
  CeliTeam *team = s->agent->team;
  for (int64_t k = 0; k < s->batch.count; k++) {
    CELI_TRY(celi_plan_run(s->loss, team));
    ++*steps;
    *stopped = *s->kl_now > 1.5 * s->config->target_kl;
    if (*stopped) return CEL_OK;
    CELI_TRY(celi_plan_run(s->learn, team));
  }
  return CEL_OK;
}

static CelStatus report(Ppo *s, int64_t steps) {
  static const char *const names[] = {"policy loss", "value loss", "entropy", "divergence"};
  CelAgent *agent = s->agent;
  for (int i = 0; i < SUMS; i++) agent->metric[s->slot[i]] = s->sum[i] / (double)steps;
  agent->metric[s->slot[M_EXPLAINED]] = celi_rollout_explained_variance(&s->on.rollout);
  agent->metric[s->slot[M_CLIP_RANGE]] = *s->clip;
  agent->metric[s->slot[M_RATE]] = *s->adam.learning_rate;
  agent->metric[s->slot[M_STD]] = celi_policy_mean_std(&s->on.policy);
  for (int i = 0; i <= M_KL; i++)
    if (!isfinite(s->sum[i]))
      return cel_fail(CEL_E_NAN,
                      "ppo: the %s is %g at update %lld; try a smaller learning_rate, or "
                      "normalize_observation and normalize_reward",
                      names[i], s->sum[i], (long long)*agent->updates);
  return CEL_OK;
}

static CelStatus update(CelAgent *agent, int64_t n) {
  Ppo *s = agent->self;
  const CelPpoConfig *c = s->config;
  const double left = celi_agent_progress_remaining(agent);
  int64_t steps = 0;
  bool stopped = false;
  CELI_TRY(celi_on_policy_ready(agent, n));
  celi_adam_set_rate(&s->adam, cel_schedule_at(&c->common.learning_rate, left));
  *s->clip = cel_schedule_at(&c->clip_range, left);
  *s->clip_vf = cel_schedule_at(&c->clip_range_vf, left);
  memset(s->sum, 0, SUMS * sizeof *s->sum);
  CELI_TRY(celi_plan_run(s->prepare, agent->team));                   // line 2
  for (int64_t epoch = 0; epoch < c->n_epochs && !stopped; epoch++) { // line 3
    CELI_TRY(celi_plan_run(s->shuffle, agent->team));
    if (c->target_kl > 0) {
      CELI_TRY(epoch_with_stop(s, &steps, &stopped));
    } else {
      CELI_TRY(celi_plan_repeat(s->step, agent->team, s->batch.count));
      steps += s->batch.count;
    }
  }
  CELI_TRY(report(s, steps));
  celi_rollout_next(&s->on.rollout, &s->on.policy, &s->on.norm);
  return CEL_OK;
}

// ---- create and destroy.

static CelStatus check_config(const CelPpoConfig *c, CelAgent *agent) {
  const int64_t rows = c->common.n_steps * agent->options.n_envs;
  if (agent->options.act_only) return CEL_OK;
  if (rows == 1 && c->normalize_advantage)
    return cel_fail(CEL_E_RANGE,
                    "ppo: a rollout of one step has no standard deviation of advantages; "
                    "raise n_steps or n_envs, or set normalize_advantage to false");
  celi_agent_advise_batch(agent, rows, c->batch_size);
  return CEL_OK;
}

static CelStatus declare_batch(Ppo *s, CelTensors *t) {
  const int64_t B = s->B;
  const int shares = celi_team_size(s->agent->team);
  CELI_TRY(
      celi_dist_declare_shared(&s->old, t, "dist.old", &s->on.policy.param, s->on.rows, false));
  CELI_TRY(
      celi_minibatch_declare(&s->batch, t, &s->on.rollout, &s->old, B, s->agent->options.seed));
  CELI_TRY(
      celi_policy_pass_declare(&s->pi, t, "pi", &s->on.policy, CELI_POLICY_GIVEN, B, true, shares));
  CELI_TRY(celi_pass_declare(&s->v, t, "pass.v", &s->on.critic,
                             (CeliPassSpec){.B = B, .backward = true, .threads = shares}));
  s->pi.net.of = s->v.of = 2 * B, s->v.at = B;
  CELI_DECLARE(t, "batch.ratio", CEL_F32, CEL_SCRATCH, &s->ratio, B);
  CELI_DECLARE(t, "batch.d_entropy", CEL_F32, CEL_SCRATCH, &s->d_entropy, B);
  CELI_DECLARE(t, "batch.pi_loss", CEL_F32, CEL_SCRATCH, &s->pi_loss, B);
  CELI_DECLARE(t, "batch.v_loss", CEL_F32, CEL_SCRATCH, &s->v_loss, B);
  CELI_DECLARE(t, "batch.kl", CEL_F32, CEL_SCRATCH, &s->kl, B);
  CELI_DECLARE(t, "batch.clipped", CEL_F32, CEL_SCRATCH, &s->clipped, B);
  CELI_DECLARE(t, "clip_range", CEL_F64, CEL_SCRATCH, &s->clip, 1);
  CELI_DECLARE(t, "clip_range_vf", CEL_F64, CEL_SCRATCH, &s->clip_vf, 1);
  CELI_DECLARE(t, "metric_sum", CEL_F64, CEL_SCRATCH, &s->sum, SUMS);
  CELI_DECLARE(t, "kl", CEL_F64, CEL_SCRATCH, &s->kl_now, 1);
  return CEL_OK;
}

static CelStatus declare(CelAgent *agent) {
  Ppo *s = agent->self;
  const CelPpoConfig *c = agent->config;
  s->agent = agent, s->config = c;
  CELI_TRY(celi_on_policy_declare(&s->on, agent, &c->common, true));
  CELI_TRY(check_config(c, agent));
  s->B = c->batch_size < s->on.rows ? c->batch_size : s->on.rows;
  CELI_TRY(declare_batch(s, agent->tensors));
  return celi_adam_declare(&s->adam, agent->tensors, "adam");
}

static CelStatus bind_optimizer(Ppo *s) {
  const CelPpoConfig *c = s->config;
  char last[CEL_NAME_MAX];
  const CeliAdamConfig adam = {.learning_rate = cel_schedule_at(&c->common.learning_rate, 1),
                               .beta1 = c->common.adam_beta1,
                               .beta2 = c->common.adam_beta2,
                               .epsilon = c->adam_epsilon,
                               .weight_decay = c->weight_decay,
                               .max_grad_norm = c->max_grad_norm};
  celi_on_policy_last_parameter(&s->on, last);
  return celi_adam_bind(&s->adam, s->agent->tensors, "actor.0.weight", last, &adam);
}

static void bind_metrics(Ppo *s) {
  static const char *const names[METRICS] = {"train/policy_gradient_loss", "train/value_loss",
                                             "train/entropy_loss",         "train/approx_kl",
                                             "train/clip_fraction",        "train/loss",
                                             "train/explained_variance",   "train/clip_range",
                                             "train/learning_rate",        "train/std"};
  for (int i = 0; i < METRICS; i++) s->slot[i] = celi_agent_metric_add(s->agent, names[i]);
}

static CelStatus prepare(CelAgent *agent) {
  Ppo *s = agent->self;
  celi_on_policy_init(&s->on);
  celi_policy_pass_bind(&s->pi, s->batch.x, s->on.policy.O);
  s->v.X = s->batch.x_value, s->v.ldx = s->on.policy.O;
  bind_metrics(s);
  CELI_TRY(bind_optimizer(s));
  CELI_TRY(celi_on_policy_sync(agent));
  return write_plans(s);
}

static void release(CelAgent *agent) {
  Ppo *s = agent->self;
  celi_on_policy_release(&s->on);
  CeliPlan *const plans[] = {s->prepare, s->shuffle, s->loss, s->learn, s->step};
  for (int i = 0; i < 5; i++) celi_plan_destroy(plans[i]);
}

static int plans_of(const CelAgent *agent, CeliNamedPlan plans[CELI_PLANS_MAX]) {
  const Ppo *s = agent->self;
  const bool stops = s->config->target_kl > 0;
  plans[0] = (CeliNamedPlan){"prepare", s->prepare};
  plans[1] = (CeliNamedPlan){"shuffle", s->shuffle};
  plans[2] = (CeliNamedPlan){"loss", stops ? s->loss : NULL};
  plans[3] = (CeliNamedPlan){"gradient step", stops ? s->learn : s->step};
  return 4;
}

const CeliAlgo celi_algo_ppo = {
    .info = {"ppo", "proximal policy optimization: clipped surrogate; any actions", celi_ppo_fields,
             sizeof(CelPpoConfig)},
    .state_size = sizeof(Ppo),
    .declare = declare,
    .prepare = prepare,
    .plans = plans_of,
    .release = release,
    .update = update,
    CELI_ON_POLICY_TABLE,
};
