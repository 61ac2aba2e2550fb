/// Trust region policy optimization.
///
/// Source: Schulman et al., "Trust region policy optimization", 2015; the surrogate is that of
/// [policy-guarantees, surrogate].
///
///   x, u     observation, action                  theta   parameters of the policy, n of them
///   rho      pi'(u|x) / pi(u|x)                    delta   target_kl
///   L        mean rho A, the surrogate             D       mean KL(pi, pi')
///   F        second derivative of D at pi' = pi (the Fisher matrix), with damping on its diagonal
///
///   1  T steps of N environments with pi
///   2  A by GAE(lambda), R = A + V; A <- (A - mean A) / (sd A + 1e-8)
///   3  g = grad L at theta
///   4  s ~ F^-1 g by conjugate gradients;
///      F v is a tangent, a product with the Fisher matrix of each row, and a backward pass
///   5  beta = sqrt(2 delta / s'F s), the length at which the quadratic model of D is delta
///   6  for k = 0, 1, ...: theta' = theta + shrink^k beta s, until D < delta and L has risen;
///      theta' = theta if no try succeeds
///   7  n_critic_updates passes of Adam on mean (R - V)^2
///
/// Logged: D after the update, the increase of L predicted by g, and its increase on the sample.
#include "celsius/trpo.h"
#include "algo/on_policy.h"
#include "base/base.h"
#include "nn/tangent.h"
#include "rl/minibatch.h"

#include <math.h>
#include <string.h>

enum {
  M_OBJECTIVE,
  M_KL,
  M_PREDICTED,
  M_GAINED,
  M_SUCCESS,
  M_TRIES,
  M_VALUE_LOSS,
  M_EXPLAINED,
  M_RATE,
  M_STD,
  METRICS
};

typedef struct Trpo {
  CeliOnPolicy on; ///< first: policy, values, rollout
  const CelTrpoConfig *config;
  CeliPlan *prepare;  ///< line 2
  CeliPlan *gradient; ///< line 3
  CeliPlan *fisher;   ///< F v without damping; v is `direction`
  CeliPlan *measure;  ///< L and D at the current parameters
  CeliPlan *critic;   ///< one step of line 7

  // The policy on the whole rollout.
  CeliPolicyPass pi; ///< pi'
  CeliDist old;      ///< pi: only its log-probs
  CeliTangent tangent;
  float *head_tangent; ///< (rows, H)
  float *x;            ///< (rows, O)
  float *gain, *kl;    ///< (rows,) rho A, KL
  float *old_log_std;  ///< (A,) of a free sigma

  // Vectors (n,) of all parameters, in the parameters' layout.
  int64_t n;
  float *theta, *g; ///< parameters, gradient: the tensors themselves
  float *theta_old, *direction, *s, *r;

  // The values on a minibatch.
  int64_t B;
  CeliMinibatch batch;
  CeliPass v;
  CeliAdam adam;
  float *v_loss;    ///< (B,)
  double *loss_sum; ///< (1,)
  int slot[METRICS];
} Trpo;

static Trpo *trpo_of(const void *args) {
  return *(Trpo *const *)args;
}

// ---- operations; rows [begin, end) of the rollout.

/// Line 3: d L / d log pi' where rho = 1.
static void op_gradient(const void *args, int64_t begin, int64_t end) {
  const Trpo *s = trpo_of(args);
  const float each = 1.0f / (float)s->on.rows;
  for (int64_t b = begin; b < end; b++) {
    s->old.logp[b] = s->pi.dist.logp[b];
    s->pi.dist.d_logp[b] = each * s->on.rollout.advantage[b];
  }
}

/// Line 4: one Fisher matrix per row.
static void op_fisher(const void *args, int64_t begin, int64_t end) {
  const Trpo *s = trpo_of(args);
  const ptrdiff_t ldh = s->on.policy.H;
  celi_dist_fisher_rows(&s->pi.dist, s->pi.d_head, ldh, s->head_tangent, ldh,
                        1.0f / (float)s->on.rows, begin, end);
}

/// rho A and KL of rows.
static void op_measure(const void *args, int64_t begin, int64_t end) {
  const Trpo *s = trpo_of(args);
  const CeliPolicy *policy = &s->on.policy;
  for (int64_t b = begin; b < end; b++) s->gain[b] = s->pi.dist.logp[b] - s->old.logp[b];
  celi_ops()->exp(s->gain + begin, s->gain + begin, end - begin);
  for (int64_t b = begin; b < end; b++) s->gain[b] *= s->on.rollout.advantage[b];
  celi_dist_kl_rows(&policy->dist, s->kl, s->on.rollout.head, s->old_log_std, s->pi.head,
                    policy->param.log_std_param, policy->H, begin, end);
}

/// Line 7, rows of a minibatch.
static void op_value_loss(const void *args, int64_t begin, int64_t end) {
  const Trpo *s = trpo_of(args);
  const int64_t used = *s->batch.used;
  for (int64_t b = begin; b < end; b++) {
    const float error = celi_pass_output(&s->v)[b] - s->batch.returns[b];
    s->v_loss[b] = error * error;
    celi_pass_d_output(&s->v)[b] = b < used ? 2.0f / (float)used * error : 0;
  }
}

static void op_count(const void *args, int64_t begin, int64_t end) {
  (void)begin, (void)end;
  Trpo *s = trpo_of(args);
  const int64_t used = *s->batch.used;
  *s->loss_sum += (double)celi_ops()->sum(s->v_loss, used) / (double)used;
  celi_minibatch_next(&s->batch);
  ++*s->on.agent->updates;
}

// ---- the plans.

static void plan_rows(Trpo *s, CeliPlan *plan, const char *name, CeliOpFn fn) {
  celi_plan_add(plan, name, fn, CELI_ROWS, s->on.rows, CELI_ROW_GRAIN, &s, sizeof s);
}

/// The policy's output and log-probs at the current parameters.
static void plan_policy(Trpo *s, CeliPlan *plan) {
  celi_policy_plan_log_prob(plan, &s->pi, s->on.rollout.actions);
}

static CelStatus write_prepare(Trpo *s) {
  const CelTrpoConfig *c = s->config;
  CELI_TRY(celi_plan_create(&s->prepare));
  celi_rollout_plan_rewards(s->prepare, &s->on.rollout, &s->on.norm);
  celi_rollout_plan_values(s->prepare, &s->on.rollout);
  celi_rollout_plan_gae(s->prepare, &s->on.rollout, c->common.gamma, c->gae_lambda);
  if (c->normalize_advantage) celi_rollout_plan_normalize(s->prepare, &s->on.rollout);
  celi_policy_pass_bind(&s->pi, celi_on_policy_plan_obs(s->prepare, &s->on, s->x), s->on.policy.O);
  return celi_plan_end(s->prepare);
}

static CelStatus write_gradient(Trpo *s) {
  CELI_TRY(celi_plan_create(&s->gradient));
  plan_policy(s, s->gradient);
  plan_rows(s, s->gradient, "surrogate gradient", op_gradient);
  celi_plan_touch(s->gradient, CELI_READ_ROWS(s->pi.dist.logp, 1, 1),
                  CELI_READ_ROWS(s->on.rollout.advantage, 1, 1), CELI_WRITE_ROWS(s->old.logp, 1, 1),
                  CELI_WRITE_ROWS(s->pi.dist.d_logp, 1, 1));
  celi_policy_plan_log_prob_backward(s->gradient, &s->pi, NULL, s->on.rollout.actions);
  celi_policy_plan_backward_weight(s->gradient, &s->pi);
  celi_policy_plan_backward_param(s->gradient, &s->pi);
  return celi_plan_end(s->gradient);
}

static CelStatus write_fisher(Trpo *s) {
  const CeliPolicy *policy = &s->on.policy;
  const int64_t H = policy->H, A = policy->dist.A;
  CELI_TRY(celi_plan_create(&s->fisher));
  celi_net_plan_tangent(s->fisher, &s->tangent, s->direction);
  if (policy->F)
    celi_gsde_plan_head_tangent(
        s->fisher, &s->pi.given, s->head_tangent, celi_tangent_output(&s->tangent),
        s->direction + (policy->sde.log_std - celi_net_parameters(&policy->net)));
  plan_rows(s, s->fisher, "fisher", op_fisher);
  celi_plan_touch(s->fisher, CELI_READ_ROWS(s->head_tangent, H, H),
                  CELI_READ_ROWS(s->pi.dist.inv_sd, A, A), CELI_READ_ROWS(s->pi.dist.log_std, A, A),
                  CELI_READ_ROWS(s->pi.dist.pi, A, A), CELI_WRITE_ROWS(s->pi.d_head, H, H));
  if (policy->F)
    celi_gsde_plan_head_backward(s->fisher, &s->pi.given, celi_pass_d_output(&s->pi.net),
                                 policy->A);
  celi_net_plan_backward_data(s->fisher, &s->pi.net, NULL, 0);
  celi_net_plan_backward_weight(s->fisher, &s->pi.net, &policy->grad);
  if (policy->F) celi_gsde_plan_head_param(s->fisher, &s->pi.given);
  return celi_plan_end(s->fisher);
}

static CelStatus write_plans(Trpo *s) {
  const CeliPolicy *policy = &s->on.policy;
  const int64_t H = policy->H;
  CELI_TRY(write_prepare(s));
  CELI_TRY(write_gradient(s));
  CELI_TRY(write_fisher(s));
  CELI_TRY(celi_plan_create(&s->measure));
  plan_policy(s, s->measure);
  plan_rows(s, s->measure, "surrogate", op_measure);
  celi_plan_touch(s->measure, CELI_READ_ROWS(s->pi.dist.logp, 1, 1),
                  CELI_READ_ROWS(s->old.logp, 1, 1), CELI_READ_ROWS(s->on.rollout.advantage, 1, 1),
                  CELI_READ_ROWS(s->on.rollout.head, H, H), CELI_READ_ROWS(s->pi.head, H, H),
                  CELI_READ(s->old_log_std, policy->A),
                  CELI_READ(policy->param.log_std_param, policy->dist.A),
                  CELI_UPDATE_ROWS(s->gain, 1, 1), CELI_WRITE_ROWS(s->kl, 1, 1));
  CELI_TRY(celi_plan_end(s->measure));
  CELI_TRY(celi_plan_create(&s->critic));
  celi_minibatch_plan_gather(s->critic, &s->batch);
  celi_net_plan_forward(s->critic, &s->v);
  celi_plan_add(s->critic, "value loss", op_value_loss, CELI_ROWS, s->B, CELI_ROW_GRAIN, &s,
                sizeof s);
  celi_plan_touch(s->critic, CELI_READ(s->batch.used, 1),
                  CELI_READ_ROWS(celi_pass_output(&s->v), 1, 1),
                  CELI_READ_ROWS(s->batch.returns, 1, 1), CELI_WRITE_ROWS(s->v_loss, 1, 1),
                  CELI_WRITE_ROWS(celi_pass_d_output(&s->v), 1, 1));
  celi_net_plan_backward_data(s->critic, &s->v, NULL, 0);
  celi_net_plan_backward_weight(s->critic, &s->v, &s->on.critic_grad);
  celi_adam_plan(s->critic, &s->adam);
  celi_net_plan_transpose(s->critic, &s->on.critic);
  celi_plan_add(s->critic, "count", op_count, CELI_PARTS, 1, 1, &s, sizeof s);
  celi_plan_touch(s->critic, CELI_READ(s->v_loss, s->B), CELI_UPDATE(s->loss_sum, 1),
                  CELI_UPDATE(s->batch.cursor, 1), CELI_UPDATE(s->batch.used, 1),
                  CELI_UPDATE(s->on.agent->updates, 1));
  return celi_plan_end(s->critic);
}

// ---- lines 4 to 6, on vectors of all parameters.

static double dot(const Trpo *s, const float *a, const float *b) {
  double sum = 0;
  for (int64_t i = 0; i < s->n; i++) sum += (double)a[i] * (double)b[i];
  return sum;
}

static void copy(const Trpo *s, float *to, const float *from) {
  memcpy(to, from, (size_t)s->n * sizeof *to);
}

/// g <- (F + damping) v for v = direction. The entries of F for a free log sigma are 2.
static CelStatus multiply(Trpo *s) {
  const CeliPolicy *policy = &s->on.policy;
  CELI_TRY(celi_plan_run(s->fisher, s->on.agent->team));
  if (policy->dist.free_log_std) {
    const ptrdiff_t at = policy->param.log_std_param - s->theta;
    for (int64_t a = 0; a < policy->A; a++) s->g[at + a] = 2 * s->direction[at + a];
  }
  celi_ops()->axpby(s->g, (float)s->config->cg_damping, s->direction, 1.0f, s->n);
  return CEL_OK;
}

/// Line 4: s, starting from r = g; *curvature: s'F s. Source: Hestenes and Stiefel, 1952
static CelStatus conjugate_gradients(Trpo *s, double *curvature) {
  double rr = dot(s, s->r, s->r);
  memset(s->s, 0, (size_t)s->n * sizeof *s->s);
  copy(s, s->direction, s->r);
  for (int64_t k = 0; k < s->config->cg_max_steps && rr > 1e-10; k++) {
    CELI_TRY(multiply(s));
    const double length = rr / dot(s, s->direction, s->g);
    celi_ops()->axpby(s->s, (float)length, s->direction, 1.0f, s->n);
    celi_ops()->axpby(s->r, (float)-length, s->g, 1.0f, s->n);
    const double next = dot(s, s->r, s->r);
    celi_ops()->axpby(s->direction, 1.0f, s->r, (float)(next / rr), s->n);
    rr = next;
  }
  copy(s, s->direction, s->s);
  CELI_TRY(multiply(s));
  *curvature = dot(s, s->s, s->g);
  return CEL_OK;
}

static CelStatus measure(Trpo *s, double *L, double *D) {
  const double n = (double)s->on.rows;
  CELI_TRY(celi_plan_run(s->measure, s->on.agent->team));
  *L = (double)celi_ops()->sum(s->gain, s->on.rows) / n;
  *D = (double)celi_ops()->sum(s->kl, s->on.rows) / n;
  return CEL_OK;
}

/// Line 6 along `length` s. Writes the results to `metric`.
static CelStatus line_search(Trpo *s, double length, double slope, double *metric) {
  const CelTrpoConfig *c = s->config;
  double before, L, D;
  CELI_TRY(measure(s, &before, &D));
  metric[s->slot[M_OBJECTIVE]] = before;
  metric[s->slot[M_SUCCESS]] = metric[s->slot[M_GAINED]] = metric[s->slot[M_KL]] = 0;
  for (int64_t k = 0; k < c->line_search_max_iter; k++) {
    copy(s, s->theta, s->theta_old);
    celi_ops()->axpby(s->theta, (float)length, s->s, 1.0f, s->n);
    CELI_TRY(measure(s, &L, &D));
    metric[s->slot[M_TRIES]] = (double)(k + 1);
    metric[s->slot[M_PREDICTED]] = length * slope;
    if (D < c->target_kl && L > before) {
      metric[s->slot[M_SUCCESS]] = 1;
      metric[s->slot[M_GAINED]] = L - before;
      metric[s->slot[M_KL]] = D;
      return CEL_OK;
    }
    length *= c->line_search_shrinking_factor;
  }
  copy(s, s->theta, s->theta_old);
  return CEL_OK;
}

/// Lines 3 to 6, with sync points between plans.
static CelStatus improve_policy(Trpo *s, double *metric) {
  const CeliPolicy *policy = &s->on.policy;
  double curvature, slope;
  copy(s, s->theta_old, s->theta);
  if (policy->dist.free_log_std)
    memcpy(s->old_log_std, policy->param.log_std_param, (size_t)policy->A * sizeof(float));
  CELI_TRY(celi_plan_run(s->gradient, s->on.agent->team)); // line 3
  copy(s, s->r, s->g);
  CELI_TRY(conjugate_gradients(s, &curvature)); // line 4
  CELI_TRY(celi_plan_run(s->gradient, s->on.agent->team));
  slope = dot(s, s->g, s->s);
  if (!isfinite(curvature) || !isfinite(slope))
    return cel_fail(CEL_E_NAN,
                    "trpo: the natural gradient is not finite at update %lld; raise cg_damping, "
                    "or set normalize_observation and normalize_reward to true",
                    (long long)*s->on.agent->updates + 1);
  const double beta = curvature > 0 ? sqrt(2 * s->config->target_kl / curvature) : 0; // line 5
  CELI_TRY(line_search(s, beta, slope, metric));                                      // line 6
  celi_net_transpose(&s->on.policy.net);
  return CEL_OK;
}

// ---- update.

static CelStatus update(CelAgent *agent, int64_t n) {
  Trpo *s = agent->self;
  const CelTrpoConfig *c = s->config;
  double *metric = agent->metric;
  CELI_TRY(celi_on_policy_ready(agent, n));
  celi_adam_set_rate(
      &s->adam, cel_schedule_at(&c->common.learning_rate, celi_agent_progress_remaining(agent)));
  CELI_TRY(celi_plan_run(s->prepare, agent->team)); // line 2
  metric[s->slot[M_EXPLAINED]] = celi_rollout_explained_variance(&s->on.rollout);
  CELI_TRY(improve_policy(s, metric)); // lines 3 to 6
  *s->loss_sum = 0;
  for (int64_t k = 0; k < c->n_critic_updates; k++) { // line 7
    celi_minibatch_shuffle(&s->batch, false);
    CELI_TRY(celi_plan_repeat(s->critic, agent->team, s->batch.count));
  }
  metric[s->slot[M_VALUE_LOSS]] = *s->loss_sum / (double)(c->n_critic_updates * s->batch.count);
  metric[s->slot[M_RATE]] = *s->adam.learning_rate;
  metric[s->slot[M_STD]] = celi_policy_mean_std(&s->on.policy);
  if (!isfinite(*s->loss_sum))
    return cel_fail(CEL_E_NAN,
                    "trpo: the value loss is %g at update %lld; try a smaller learning_rate",
                    *s->loss_sum, (long long)*agent->updates);
  celi_rollout_next(&s->on.rollout, &s->on.policy, &s->on.norm);
  return CEL_OK;
}

// ---- create and destroy.

/// Number of elements from the actor's first to its last parameter, with the padding between
/// tensors.
static int64_t parameters(const CeliPolicy *policy) {
  int64_t n = 0;
  for (int l = 0; l < policy->net.n; l++)
    for (int k = 0; k < CELI_LAYER_PARAMS; k++)
      if (policy->net.node[l].layer.kind->param_name[k]) // tensors begin on cache lines
        n += (celi_param_size(&policy->net.node[l], k) + 15) / 16 * 16;
  if (policy->F) return n + (policy->F * policy->A + 15) / 16 * 16;
  return n + (policy->dist.free_log_std ? (policy->A + 15) / 16 * 16 : 0);
}

static CelStatus declare_policy(Trpo *s, CelTensors *t) {
  const CeliPolicy *policy = &s->on.policy;
  const int64_t rows = s->on.rows, most = parameters(policy);
  CELI_TRY(celi_policy_pass_declare(&s->pi, t, "pi", policy, CELI_POLICY_GIVEN, rows, true, 1));
  CELI_TRY(celi_dist_declare_shared(&s->old, t, "dist.old", &policy->param, rows, false));
  CELI_TRY(cel_fail_in(celi_tangent_declare(&s->tangent, t, "tangent", &s->pi.net), "trpo: "));
  if (policy->F)
    CELI_DECLARE(t, "trpo.head_tangent", CEL_F32, CEL_SCRATCH, &s->head_tangent, rows, policy->H);
  CELI_DECLARE(t, "trpo.x", CEL_F32, CEL_SCRATCH, &s->x, rows, policy->O);
  CELI_DECLARE(t, "trpo.gain", CEL_F32, CEL_SCRATCH, &s->gain, rows);
  CELI_DECLARE(t, "trpo.kl", CEL_F32, CEL_SCRATCH, &s->kl, rows);
  CELI_DECLARE(t, "trpo.old_log_std", CEL_F32, CEL_SCRATCH, &s->old_log_std, policy->A);
  CELI_DECLARE(t, "trpo.theta_old", CEL_F32, CEL_SCRATCH, &s->theta_old, most);
  CELI_DECLARE(t, "trpo.direction", CEL_F32, CEL_SCRATCH, &s->direction, most);
  CELI_DECLARE(t, "trpo.s", CEL_F32, CEL_SCRATCH, &s->s, most);
  CELI_DECLARE(t, "trpo.r", CEL_F32, CEL_SCRATCH, &s->r, most);
  return CEL_OK;
}

static CelStatus declare(CelAgent *agent) {
  Trpo *s = agent->self;
  CelTensors *t = agent->tensors;
  const CelTrpoConfig *c = s->config = agent->config;
  CELI_TRY(celi_on_policy_declare(&s->on, agent, &c->common, true));
  if (!agent->options.act_only) celi_agent_advise_batch(agent, s->on.rows, c->batch_size);
  s->B = c->batch_size < s->on.rows ? c->batch_size : s->on.rows;
  CELI_TRY(declare_policy(s, t));
  CELI_TRY(celi_minibatch_declare(&s->batch, t, &s->on.rollout, NULL, s->B, agent->options.seed));
  CELI_TRY(celi_pass_declare(
      &s->v, t, "pass.v", &s->on.critic,
      (CeliPassSpec){.B = s->B, .backward = true, .threads = celi_team_size(agent->team)}));
  CELI_DECLARE(t, "batch.v_loss", CEL_F32, CEL_SCRATCH, &s->v_loss, s->B);
  CELI_DECLARE(t, "loss_sum", CEL_F64, CEL_SCRATCH, &s->loss_sum, 1);
  return celi_adam_declare(&s->adam, t, "adam.critic");
}

static CelStatus bind(Trpo *s) {
  const CelTrpoConfig *c = s->config;
  const CelTensors *t = s->on.agent->tensors;
  char last[CEL_NAME_MAX];
  const CeliAdamConfig config = celi_on_policy_adam(&c->common, c->adam_epsilon, 0);
  celi_policy_last_parameter(&s->on.policy, last);
  const CelTensor *end = cel_tensors_find(t, last);
  CEL_ASSERT(end != NULL);
  s->theta = celi_net_parameters(&s->on.policy.net), s->g = s->on.policy.grad.param[0][0];
  s->n = (const float *)end->data + end->size - s->theta;
  CEL_ASSERT(s->n <= parameters(&s->on.policy));
  if (!s->on.policy.F) s->head_tangent = celi_tangent_output(&s->tangent);
  s->v.X = s->batch.x, s->v.ldx = s->on.policy.O;
  celi_on_policy_last_parameter(&s->on, last);
  return celi_adam_bind(&s->adam, t, "critic.0.weight", last, &config);
}

static CelStatus prepare(CelAgent *agent) {
  Trpo *s = agent->self;
  static const char *const names[METRICS] = {"train/policy_objective",
                                             "train/kl_divergence_loss",
                                             "train/predicted_improvement",
                                             "train/surrogate_improvement",
                                             "train/is_line_search_success",
                                             "train/line_search_tries",
                                             "train/value_loss",
                                             "train/explained_variance",
                                             "train/learning_rate",
                                             "train/std"};
  celi_on_policy_init(&s->on);
  for (int i = 0; i < METRICS; i++) s->slot[i] = celi_agent_metric_add(agent, names[i]);
  CELI_TRY(bind(s));
  CELI_TRY(celi_on_policy_sync(agent));
  return write_plans(s);
}

static void release(CelAgent *agent) {
  Trpo *s = agent->self;
  CeliPlan *const plans[] = {s->prepare, s->gradient, s->fisher, s->measure, s->critic};
  celi_on_policy_release(&s->on);
  for (int i = 0; i < 5; i++) celi_plan_destroy(plans[i]);
}

static int plans_of(const CelAgent *agent, CeliNamedPlan plans[CELI_PLANS_MAX]) {
  const Trpo *s = agent->self;
  plans[0] = (CeliNamedPlan){"prepare", s->prepare};
  plans[1] = (CeliNamedPlan){"gradient", s->gradient};
  plans[2] = (CeliNamedPlan){"Fisher product", s->fisher};
  plans[3] = (CeliNamedPlan){"line search", s->measure};
  plans[4] = (CeliNamedPlan){"value step", s->critic};
  return 5;
}

const CeliAlgo celi_algo_trpo = {
    .info = {"trpo", "trust region policy optimization: natural gradient, line search; any actions",
             celi_trpo_fields, sizeof(CelTrpoConfig)},
    .state_size = sizeof(Trpo),
    .declare = declare,
    .prepare = prepare,
    .plans = plans_of,
    .release = release,
    .update = update,
    CELI_ON_POLICY_TABLE,
};
