/// Soft actor-critic.
///
/// Source: [maximum-entropy, 8.13-8.30], [policy-guarantees, SAC] (its losses (5)-(10)) with the
/// temperature written out as in docs/equations.md; Haarnoja et al., "Soft actor-critic algorithms
/// and applications", 2018.
///
///   s, a, r, s'   a transition from the replay buffer       B   batch
///   pi, mu, sigma the policy and its Gaussian's parameters  E   number of critics
///   Q_e, Q'_e     critic e and its target network           O, A observation and action dimension
///   alpha         temperature, reward units per nat         Hbar target entropy, nats
///
/// One gradient step:
///   1  draw s, a, r, d = gamma^m (0 where terminated), s' of B transitions
///   2  a_pi, log pi(a_pi|s) ~ pi(.|s);  a', log pi(a'|s') ~ pi(.|s')
///   3  y = r + d (min_e Q'_e(s', a') - alpha log pi(a'|s'))                        [8.21]
///   4  J_Q = sum_e mean 1/2 (Q_e(s, a) - y)^2; Adam on the critics                 [(7)]
///   5  Q'_e += tau (Q_e - Q'_e)
///   6  J_pi = mean (alpha log pi(a_pi|s) - min_e Q_e(s, a_pi)); Adam on the policy [8.28, (10)]
///   7  J_alpha = -log alpha mean(log pi(a_pi|s) + Hbar); Adam on log alpha
/// alpha in lines 3 and 6 is the one from before line 7, as in Stable-Baselines3. With policy_delay
/// d, only every d-th step has lines 6 and 7 (Fujimoto et al., 2018).
///
/// With target none, Q' is Q, and line 5 is missing. Batch norm then takes (s, a) and (s', a') of
/// lines 3 and 4 as one batch of 2B rows, of which the rows of s' have no gradient at the output.
/// Line 6 normalizes the critics by their running statistics, and the policy by its batch; line 2
/// normalizes the policy at s' by its running statistics, from before line 6 (Bhatt et al., 2024).
///
/// With critic_subset, line 3 has the minimum of that many critics, drawn for the update, and line
/// 6 the mean of all (Chen et al., 2021). Dropout drops in lines 3, 4 and 6 (Hiraoka et al., 2022).
#include "celsius/sac.h"
#include "algo/off_policy.h"
#include "algo/sac.h"
#include "base/base.h"

#include <math.h>
#include <string.h>

/// Streams of reparametrization noise inside of an update.
enum { NOISE_PI = 0, NOISE_NEXT = 1, NOISE_MID = 2 };
/// Uses of the critics that dropout has noise for.
enum { DROP_Q = 0, DROP_NEXT = 1, DROP_PI = 2 };
enum { CRITICS_MAX = 64 };

typedef struct Sac {
  CeliOffPolicy off;
  const CelSacConfig *config;
  CelAgent *agent;
  int64_t O, A, B, E;

  // Networks, and their uses on a batch.
  CeliTrained critic;
  CeliNet target;
  CeliPolicyPass pi, next, mid; ///< policy on s, s' and the observations between
  /// Critics on (s,a) and (s,a_pi), targets on (s',a'). Joint: q has (s',a') as rows [B, 2B).
  CeliPass q, q_pi, q_next;
  bool joint;
  CeliDropout dropout; ///< its counter is NULL without dropout

  CeliCriticHead head;
  CeliBatch batch;
  float *sa_pi;                    ///< (B, O+A) critic inputs on (s, a_pi)
  float *mid_action;               ///< ((n-1) B, A)
  float *y;                        ///< (E,B,K) the target, each critic's own copy
  float *q_loss, *pi_loss, *q_min; ///< (E,B), (B,), (B,)
  float *d_action;                 ///< (B,A)
  uint64_t *noise_counter; ///< (1,) blocks of the streams that updates take noise from, saved
} Sac;

enum {
  M_ACTOR_LOSS,
  M_CRITIC_LOSS,
  M_ENT_COEF,
  M_ENT_COEF_LOSS,
  M_LEARNING_RATE,
  M_ENTROPY,
  METRICS
};

static Sac *sac_of(const void *args) {
  return *(Sac *const *)args;
}

// ---- one operation an equation; rows [begin, end) of the batch.

/// Whether there are target networks.
static bool has_target(const Sac *s) {
  return s->config->target == CEL_TARGET_NETWORK_POLYAK;
}

/// Rows of each critic in q.
static int64_t critic_rows(const Sac *s) {
  return s->joint ? 2 * s->B : s->B;
}

/// (E, critic_rows or B, M) targets on (s',a').
static const float *next_values(const Sac *s) {
  return s->joint ? celi_pass_output(&s->q) + s->B * s->head.M : celi_pass_output(&s->q_next);
}

/// What critics need of the batch, with log pi of the policy's actions on it.
static CeliCriticBatch critic_batch(const Sac *s, const CeliPolicyPass *policy) {
  CeliCriticBatch batch = {.B = s->B,
                           .apart = critic_rows(s),
                           .reward = s->batch.reward,
                           .discount = s->batch.discount,
                           .logp = celi_policy_logp(policy),
                           .alpha = s->off.temperature.alpha,
                           .mid = s->config->n_steps - 1,
                           .mid_weight = s->batch.mid_weight};
  if (batch.mid > 0) batch.mid_logp = celi_policy_logp(&s->mid);
  return batch;
}

/// The critics of this update's target, all different: the first ones of a random order.
static void draw_subset(const Sac *s, int64_t member[CRITICS_MAX]) {
  CelRng rng = cel_rng(s->agent->options.seed, CEL_RNG_SUBSET, 0);
  rng.counter = (uint64_t)*s->agent->updates * CRITICS_MAX;
  for (int64_t e = 0; e < s->E; e++) member[e] = e;
  for (int64_t i = 0; i < s->head.subset; i++) {
    const int64_t other = i + (int64_t)(cel_rng_uniform(&rng) * (double)(s->E - i));
    const int64_t taken = member[other];
    member[other] = member[i];
    member[i] = taken;
  }
}

/// Lines 3 and 4, split by critic and row of q. Each critic computes its own copy of the target.
/// Source: [maximum-entropy, 8.21], [maximum-entropy, 8.13], [policy-guarantees, (7)]
static void op_critic_loss(const void *args, int64_t begin, int64_t end) {
  const Sac *s = sac_of(args);
  CeliCriticBatch batch = critic_batch(s, &s->next);
  int64_t member[CRITICS_MAX];
  if (s->head.subset > 0) draw_subset(s, member);
  batch.member = member;
  const int64_t B = s->B, M = s->head.M, K = celi_critic_targets(&s->head), rows = critic_rows(s);
  int64_t from, to;
  for (int64_t e = 0; e < s->E; e++) {
    if (!celi_member_rows(rows, e, begin, end, &from, &to)) continue;
    float *y = s->y + e * B * K, *dZ = celi_pass_d_output(&s->q) + e * rows * M;
    if (to > B) { // joint: no gradient at s'
      const int64_t first = from > B ? from : B;
      celi_ops()->fill(dZ + first * M, 0, (to - first) * M);
      to = B;
    }
    if (from >= to) continue;
    celi_critic_target(&s->head, y, next_values(s), &batch, from, to);
    celi_critic_loss(&s->head, dZ, s->q_loss + e * B, celi_pass_output(&s->q) + e * rows * M, y, B,
                     from, to);
  }
}

/// Line 6: d J_pi / d Q and d J_pi / d log pi = alpha / B. Source: [maximum-entropy, 8.28]
static void op_actor_loss(const void *args, int64_t begin, int64_t end) {
  const Sac *s = sac_of(args);
  const CeliCriticBatch batch = critic_batch(s, &s->pi);
  celi_critic_objective(&s->head, celi_pass_d_output(&s->q_pi), s->q_min, s->pi_loss,
                        celi_pass_output(&s->q_pi), &batch, begin, end);
  celi_ops()->fill(celi_policy_d_logp(&s->pi) + begin, *s->off.temperature.alpha / (float)s->B,
                   end - begin);
}

/// Line 7 of the steps that have it: d J_alpha / d log alpha = -(mean log pi + Hbar).
static void learn_temperature(Sac *s) {
  const CeliOps *ops = celi_ops();
  const double B = (double)s->B;
  const double entropy = -(double)ops->sum(celi_policy_logp(&s->pi), s->B) / B;
  double *mean = s->off.update.means.sum;
  mean[M_ACTOR_LOSS] += (double)ops->sum(s->pi_loss, s->B) / B;
  mean[M_ENTROPY] += entropy;
  mean[M_ENT_COEF_LOSS] += celi_temperature_step(&s->off.temperature, entropy);
}

/// Line 7, the logged means and the counters.
static void op_finish(const void *args, int64_t begin, int64_t end) {
  (void)begin, (void)end;
  Sac *s = sac_of(args);
  double *mean = s->off.update.means.sum;
  mean[M_CRITIC_LOSS] += (double)celi_ops()->sum(s->q_loss, s->E * s->B) / (double)s->B;
  mean[M_ENT_COEF] += (double)*s->off.temperature.alpha;
  if (celi_off_policy_is_due(&s->off, s->config->policy_delay)) learn_temperature(s);
  const int64_t latent = celi_net_latent_width(&s->off.policy.net);
  *s->noise_counter += (uint64_t)((s->B * s->A * s->config->n_steps + latent * s->A) / 4 + 1);
  celi_off_policy_count(&s->off, s->B);
}

// ---- the plan: lines 1 to 7.

static void plan_policy(Sac *s) {
  const ptrdiff_t ld = s->O + s->A;
  CeliPlan *plan = s->off.update.plan;
  celi_off_policy_plan_every(&s->off, s->config->policy_delay);
  celi_batch_plan_copy_obs(plan, &s->batch, s->sa_pi); // line 2
  celi_policy_plan_sample(plan, &s->pi, s->sa_pi + s->O, ld, NOISE_PI, s->noise_counter);
  celi_off_policy_plan_every(&s->off, 1);
}

static void plan_next_policy(Sac *s) {
  CeliPlan *plan = s->off.update.plan;
  celi_policy_plan_sample(plan, &s->next, s->batch.next_obs + s->O, s->O + s->A, NOISE_NEXT,
                          s->noise_counter);
  if (s->config->n_steps > 1)
    celi_policy_plan_sample(plan, &s->mid, s->mid_action, s->A, NOISE_MID, s->noise_counter);
}

/// Line 2. A policy on its batch moves the running statistics, which the others read before.
static void plan_policies(Sac *s) {
  if (s->joint) plan_next_policy(s);
  plan_policy(s);
  if (!s->joint) plan_next_policy(s);
}

/// Lines 3 and 4 up to the gradient at the critics' outputs.
static void plan_critic_loss(Sac *s) {
  CeliPlan *plan = s->off.update.plan;
  const int64_t B = s->B, E = s->E, M = s->head.M, K = celi_critic_targets(&s->head);
  const int64_t mid = (s->config->n_steps - 1) * B, rows = critic_rows(s);
  const bool joint = s->joint;
  const float *Z = celi_pass_output(&s->q);
  celi_off_policy_plan_rows(&s->off, "critic loss", op_critic_loss, E * rows);
  celi_plan_touch(plan, CELI_READ(s->batch.reward, B), CELI_READ(s->batch.discount, B),
                  CELI_READ(next_values(s), (E - 1) * rows * M + B * M),
                  CELI_READ(s->head.subset ? s->agent->updates : NULL, 1),
                  CELI_READ(celi_policy_logp(&s->next), B), CELI_READ(s->off.temperature.alpha, 1),
                  CELI_READ(s->batch.mid_weight, mid),
                  CELI_READ(mid ? celi_policy_logp(&s->mid) : NULL, mid),
                  joint ? CELI_READ(Z, E * rows * M) : CELI_READ_ROWS(Z, M, M),
                  joint ? CELI_UPDATE(s->y, E * B * K) : CELI_UPDATE_ROWS(s->y, K, K),
                  CELI_WRITE_ROWS(celi_pass_d_output(&s->q), M, M),
                  joint ? CELI_WRITE(s->q_loss, E * B) : CELI_WRITE_ROWS(s->q_loss, 1, 1));
}

static void plan_critics(Sac *s) {
  CeliPlan *plan = s->off.update.plan;
  if (!s->joint) celi_net_plan_forward(plan, &s->q_next);
  celi_net_plan_forward(plan, &s->q);
  plan_critic_loss(s); // lines 3 and 4
  celi_net_plan_backward_data(plan, &s->q, NULL, 0);
  celi_net_plan_backward_weight(plan, &s->q, &s->critic.grad);
  celi_net_plan_transpose(plan, &s->off.policy.net); // of the last update's policy, for line 6
  celi_adam_plan(plan, &s->critic.adam);
  celi_net_plan_weight_norm(plan, &s->critic.net);
  if (has_target(s))
    celi_off_policy_plan_target(&s->off, &s->target, &s->critic.net, s->critic.adam.n); // line 5
  celi_net_plan_transpose(plan, &s->critic.net);
}

static void plan_actor(Sac *s) {
  const int64_t M = s->head.M;
  const size_t apart = (size_t)(s->B * M) * sizeof(float); // from critic to critic
  CeliPlan *plan = s->off.update.plan;
  celi_off_policy_plan_every(&s->off, s->config->policy_delay);
  celi_net_plan_forward(plan, &s->q_pi);
  celi_off_policy_plan_rows(&s->off, "actor loss", op_actor_loss, s->B); // line 6
  celi_plan_touch_each(plan, CELI_READ_ROWS(celi_pass_output(&s->q_pi), M, M), s->E, apart);
  celi_plan_touch_each(plan, CELI_WRITE_ROWS(celi_pass_d_output(&s->q_pi), M, M), s->E, apart);
  celi_plan_touch(plan, CELI_READ(s->off.temperature.alpha, 1),
                  CELI_READ_ROWS(celi_policy_logp(&s->pi), 1, 1), CELI_WRITE_ROWS(s->q_min, 1, 1),
                  CELI_WRITE_ROWS(s->pi_loss, 1, 1),
                  CELI_WRITE_ROWS(celi_policy_d_logp(&s->pi), 1, 1));
  celi_net_plan_backward_data_columns(plan, &s->q_pi, s->d_action, s->A, s->O, s->O + s->A);
  celi_policy_plan_sample_backward(plan, &s->pi, s->d_action, s->sa_pi + s->O, s->O + s->A);
  celi_policy_plan_backward_weight(plan, &s->pi);
  celi_off_policy_plan_every(&s->off, 1);
  celi_off_policy_plan_finish(&s->off, "temperature", op_finish); // line 7
  celi_plan_touch(plan, CELI_READ(celi_policy_logp(&s->pi), s->B), CELI_READ(s->pi_loss, s->B),
                  CELI_READ(s->q_loss, s->E * s->B), CELI_UPDATE(s->noise_counter, 1));
  celi_off_policy_plan_every(&s->off, s->config->policy_delay);
  celi_adam_plan(plan, &s->off.actor);
  celi_net_plan_weight_norm(plan, &s->off.policy.net);
  celi_off_policy_plan_every(&s->off, 1);
  if (s->dropout.counter)
    celi_dropout_plan_advance(plan, &s->dropout, celi_pass_dropout_blocks(&s->q));
}

static CelStatus write_plan(Sac *s) {
  CELI_TRY(celi_plan_create(&s->off.update.plan));
  celi_batch_plan_sample(s->off.update.plan, &s->batch, &s->off.experience); // line 1
  plan_policies(s);
  plan_critics(s);
  plan_actor(s);
  return celi_plan_end(s->off.update.plan);
}

// ---- create.

static CelStatus declare_networks(Sac *s, CelTensors *t) {
  CeliMlpSpec critic = celi_sac_critic_network(s->config, s->O + s->A, s->head.M);
  critic.E = s->E;
  critic.dx_begin = s->O, critic.dx_end = s->O + s->A; // line 6 needs the gradient to the action
  CELI_TRY(celi_trained_declare(&s->critic, t, "critic", &critic));
  if (critic.dropout > 0)
    CELI_TRY(celi_dropout_declare(&s->dropout, t, "dropout", s->agent->options.seed));
  return has_target(s) ? celi_mlp_declare(&s->target, t, "target", CEL_TARGET, &critic) : CEL_OK;
}

static CelStatus declare_passes(Sac *s, CelTensors *t) {
  const int64_t B = s->B, mid = (s->config->n_steps - 1) * B;
  const int threads = celi_team_size(s->agent->team);
  CELI_TRY(celi_off_policy_pass(&s->off, &s->pi, "pi", CELI_POLICY_SAMPLES, B, true));
  CELI_TRY(celi_off_policy_pass(&s->off, &s->next, "next", CELI_POLICY_SAMPLES, B, false));
  if (mid) CELI_TRY(celi_off_policy_pass(&s->off, &s->mid, "mid", CELI_POLICY_SAMPLES, mid, false));
  CeliPassSpec spec = {
      .B = critic_rows(s), .backward = true, .threads = threads, .train = s->joint};
  CELI_TRY(celi_pass_declare(&s->q, t, "pass.q", &s->critic.net, spec));
  spec = (CeliPassSpec){.B = B, .backward = s->joint, .threads = threads};
  if (s->joint) return celi_pass_declare(&s->q_pi, t, "pass.q_pi", &s->critic.net, spec);
  const CeliNet *next = has_target(s) ? &s->target : &s->critic.net;
  return celi_pass_declare(&s->q_next, t, "pass.q_next", next, spec);
}

static CelStatus declare_batch(Sac *s, CelTensors *t) {
  const int64_t B = s->B, A = s->A, mid = s->config->n_steps - 1;
  const CeliExperience *x = &s->off.experience;
  CELI_TRY(s->joint ? celi_batch_declare_joint(&s->batch, x, B, s->config->n_steps)
                    : celi_batch_declare(&s->batch, x, B, s->config->n_steps, true));
  CELI_DECLARE(t, "batch.sa_pi", CEL_F32, CEL_SCRATCH, &s->sa_pi, B, s->O + A);
  CELI_DECLARE(t, "batch.y", CEL_F32, CEL_SCRATCH, &s->y, s->E, B * celi_critic_targets(&s->head));
  CELI_DECLARE(t, "batch.q_loss", CEL_F32, CEL_SCRATCH, &s->q_loss, s->E, B);
  CELI_DECLARE(t, "batch.pi_loss", CEL_F32, CEL_SCRATCH, &s->pi_loss, B);
  CELI_DECLARE(t, "batch.q_min", CEL_F32, CEL_SCRATCH, &s->q_min, B);
  CELI_DECLARE(t, "batch.d_action", CEL_F32, CEL_SCRATCH, &s->d_action, B, A);
  CELI_DECLARE(t, "noise_counter", CEL_U64, CEL_STATE, &s->noise_counter, 1);
  if (mid) CELI_DECLARE(t, "batch.mid_action", CEL_F32, CEL_SCRATCH, &s->mid_action, mid * B, A);
  return CEL_OK;
}

static CelStatus declare(CelAgent *agent) {
  Sac *s = agent->self;
  CelTensors *t = agent->tensors;
  const CelSacConfig *c = agent->config;
  CeliTrained *const trained[] = {&s->critic};
  CeliPolicyOptions policy;
  CELI_TRY(celi_sac_policy(agent, &policy));
  CELI_TRY(celi_sac_critics(c, &s->head));
  if (!isnan(c->ent_coef) && c->ent_coef < 0)
    return cel_fail(CEL_E_RANGE, "sac: ent_coef is %g; it must not be negative", c->ent_coef);
  CELI_TRY(celi_off_policy_declare(&s->off, agent, &c->common, &policy));
  s->agent = agent, s->config = c, s->joint = celi_sac_joint(c);
  s->O = s->off.policy.O, s->A = s->off.policy.A, s->E = c->n_critics;
  s->B = celi_agent_batch(agent, c->common.batch_size);
  s->off.view =
      (CeliInspection){.kind = CELI_CRITIC_ONE_ACTION, .q = &s->critic.net, .head = s->head};
  const CeliTemperatureSpec temperature = {
      .ent_coef = c->ent_coef,
      .start = c->ent_coef_init,
      .target_entropy =
          isnan(c->target_entropy) ? -c->target_entropy_factor * (double)s->A : c->target_entropy};
  CELI_TRY(declare_networks(s, t));
  CELI_TRY(celi_temperature_declare(&s->off.temperature, agent, &s->off.policy, &temperature));
  CELI_TRY(declare_passes(s, t));
  CELI_TRY(declare_batch(s, t));
  return celi_off_policy_declare_training(&s->off, trained, (const char *const[]){"critic"}, 1);
}

/// Points the uses of networks at their inputs.
static void bind_passes(Sac *s) {
  const ptrdiff_t ld = s->O + s->A;
  if (s->joint) celi_batch_bind_joint(&s->batch);
  celi_policy_pass_bind(&s->pi, s->batch.obs, ld);
  celi_policy_pass_bind(&s->next, s->batch.next_obs, ld);
  if (s->config->n_steps > 1) celi_policy_pass_bind(&s->mid, s->batch.mid_obs, s->O);
  s->q.X = s->batch.obs, s->q.ldx = ld;
  // Activations are used again where they can be: the critics' own gradients are done with by then.
  if (!s->joint) s->q_pi = s->q;
  s->q_pi.X = s->sa_pi, s->q_pi.ldx = ld;
  s->q_next.X = s->batch.next_obs, s->q_next.ldx = ld;
  if (!s->dropout.counter) return;
  celi_pass_drop(&s->q, &s->dropout, DROP_Q);
  celi_pass_drop(&s->q_next, &s->dropout, DROP_NEXT);
  celi_pass_drop(&s->q_pi, &s->dropout, DROP_PI);
}

static CelStatus prepare(CelAgent *agent) {
  static const char *const names[METRICS] = {"train/actor_loss",    "train/critic_loss",
                                             "train/ent_coef",      "train/ent_coef_loss",
                                             "train/learning_rate", "train/entropy"};
  Sac *s = agent->self;
  static const int delayed[] = {M_ACTOR_LOSS, M_ENT_COEF_LOSS, M_ENTROPY};
  CELI_TRY(celi_off_policy_prepare(agent, names, METRICS, M_LEARNING_RATE));
  for (int i = 0; i < 3; i++) s->off.update.means.every[delayed[i]] = s->config->policy_delay;
  CELI_TRY(celi_off_policy_train(&s->off, &s->critic, "critic", CELI_INIT_CRITIC));
  if (has_target(s)) celi_target_copy(&s->target, &s->critic.net, s->critic.adam.n);
  bind_passes(s);
  CELI_TRY(celi_off_policy_sync(agent));
  return write_plan(s);
}

const CeliAlgo celi_algo_sac = {
    .info = {"sac", "soft actor-critic: twin critics, learned temperature; continuous actions",
             celi_sac_fields, sizeof(CelSacConfig)},
    .state_size = sizeof(Sac),
    CELI_OFF_POLICY_TABLE,
    .declare = declare,
    .prepare = prepare,
};
