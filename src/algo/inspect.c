/// Reads what an agent has learned: its policy as numbers, samples of it, its values. Contract:
/// agent.h.
///
/// A learner describes itself by a CeliInspection. All code here is the same for all learners.
///   s, a    observation, action        O, A   their widths, or the number of discrete actions
///   head    the actor's output, (n, H)
#include "algo/algo.h"
#include "algo/discrete.h"
#include "base/arguments.h"
#include "base/base.h"
#include "rl/bounds.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// ---- for all functions.

static CelStatus check_rows(const CelAgent *agent, const void *obs, int64_t n) {
  const int64_t O = cel_space_floats(&agent->observation);
  const float *o = obs;
  if (n < 0 || n > INT64_MAX / 4 / (O > 0 ? O : 1))
    return cel_fail(CEL_E_RANGE,
                    "the number of observations is %lld; it must be at least 0 and addressable",
                    (long long)n);
  for (int64_t i = 0; i < n * O; i++)
    if (!isfinite(o[i]))
      return cel_fail(CEL_E_NAN, "observation %lld, element %lld, is %g; it must be finite",
                      (long long)(i / O), (long long)(i % O), (double)o[i]);
  return CEL_OK;
}

static CelStatus unsupported(const CelAgent *agent, const char *what) {
  return cel_fail(CEL_E_UNSUPPORTED, "%s: %s", agent->algo->info.name, what);
}

/// x (n, O + extra): observations as network inputs; the caller fills the rest. The caller frees
/// *x.
static CelStatus inputs(const CeliInspection *view, const float *obs, int64_t n, int64_t extra,
                        float **x) {
  const int64_t O = view->policy->norm->O, ld = O + extra;
  CELI_TRY(celi_alloc(x, (size_t)(n * ld), sizeof **x, "observations"));
  celi_normalizer_apply(view->policy->norm, *x, ld, obs, O, 0, n);
  return CEL_OK;
}

/// Finite weights can give outputs that are not finite.
static CelStatus check_outputs(const CeliNet *net, const float *y, int64_t n) {
  const int64_t out = net->out;
  for (int64_t i = 0; i < net->E * n * out; i++)
    if (!isfinite(y[i]))
      return cel_fail(CEL_E_NAN,
                      "output %lld of the network is %g at observation %lld; its weights are "
                      "too large; use an earlier model of the run",
                      (long long)(i % out), (double)y[i], (long long)(i / out % n));
  return CEL_OK;
}

/// y (E, n, out) of a network at x (n, in). Frees x. The caller frees *y. Errors: CEL_E_NAN.
static CelStatus outputs(const CeliNet *net, float *x, int64_t n, float **y) {
  CelStatus status = celi_alloc(y, (size_t)(net->E * n * net->out), sizeof **y, "network outputs");
  if (status == CEL_OK) status = celi_net_apply(net, *y, x, net->in, n);
  if (status == CEL_OK) status = check_outputs(net, *y, n);
  free(x);
  if (status != CEL_OK) free(*y), *y = NULL;
  return status;
}

/// head (n, H) of the actor at n observations. The caller frees *head.
static CelStatus heads(const CeliInspection *view, const float *obs, int64_t n, float **head) {
  float *x;
  CELI_TRY(inputs(view, obs, n, 0, &x));
  return outputs(&view->policy->net, x, n, head);
}

// ---- the policy.

static bool is_categorical(const CeliInspection *view) {
  return view->policy->dist.kind == CELI_CATEGORICAL;
}

/// p (n,A): 1 for the greedy action, which is the first largest of head (n,H). Writes log_pi
/// (n,A) over the head; where p is 0, it is a large finite number, so that p log_pi is 0.
static void greedy(const CeliInspection *view, float *head, float *p, int64_t n) {
  const int64_t A = view->policy->dist.A, H = view->policy->H;
  for (int64_t i = 0; i < n; i++) {
    const int64_t best = celi_discrete_best(head + i * H, A);
    for (int64_t a = 0; a < A; a++) p[i * A + a] = a == best ? 1.0f : 0.0f;
  }
  for (int64_t i = 0; i < n * A; i++) head[i] = p[i] > 0 ? 0 : -FLT_MAX;
}

/// log_pi, p (n,A) from logits (n,A). Scales the logits in place.
static void boltzmann(const CeliInspection *view, float *logits, float *log_pi, float *p,
                      int64_t n) {
  const int64_t A = view->policy->dist.A;
  if (view->policy->dist.deterministic) {
    greedy(view, logits, p, n);
    return;
  }
  const double logit_scale = celi_policy_spec(view->policy).logit_scale;
  const float scale = (float)(logit_scale > 0 ? logit_scale : 1);
  for (int64_t i = 0; i < n * A; i++) logits[i] *= scale;
  celi_dist_softmax(log_pi, p, logits, A, 0, n);
}

CelStatus cel_agent_probabilities(CelAgent *agent, const void *obs, int64_t n, float *p) {
  CELI_NEED(agent);
  CELI_NEED(obs);
  CELI_NEED(p);
  CELI_USE_AGENT(agent);
  CELI_FLOATS(CELI_FLUSH);
  const CeliInspection view = agent->algo->inspect(agent);
  float *head;
  if (!is_categorical(&view)) return unsupported(agent, "its actions are not discrete");
  CELI_TRY(check_rows(agent, obs, n));
  CELI_TRY(heads(&view, obs, n, &head));
  boltzmann(&view, head, head, p, n);
  free(head);
  return CEL_OK;
}

CelStatus cel_agent_gaussian(CelAgent *agent, const void *obs, int64_t n, float *mean, float *sd,
                             bool *squashed) {
  CELI_NEED(agent);
  CELI_NEED(obs);
  CELI_NEED(mean);
  CELI_NEED(sd);
  CELI_NEED(squashed);
  CELI_USE_AGENT(agent);
  CELI_FLOATS(CELI_FLUSH);
  const CeliInspection view = agent->algo->inspect(agent);
  const CeliPolicy *policy = view.policy;
  const CeliDistSpec *dist = &policy->dist;
  const float *log_std = celi_policy_free_log_std(policy);
  const int64_t A = dist->A, H = policy->H;
  float *head;
  *squashed = false;
  if (policy->options.sampler || policy->discrete)
    return unsupported(agent, "its policy is not Gaussian");
  if (dist->deterministic)
    return unsupported(agent, "its policy is deterministic, without a standard deviation");
  if (policy->F)
    return unsupported(agent,
                       "with use_sde, a mean and a standard deviation do not describe its policy");
  CELI_TRY(check_rows(agent, obs, n));
  CELI_TRY(heads(&view, obs, n, &head));
  const bool clamped = dist->log_std_min < dist->log_std_max;
  *squashed = dist->kind == CELI_SQUASHED_GAUSSIAN;
  for (int64_t i = 0; i < n; i++)
    for (int64_t a = 0; a < A; a++) {
      double log_sd = (double)(log_std ? log_std[a] : head[i * H + A + a]);
      if (clamped) log_sd = fmin(fmax(log_sd, dist->log_std_min), dist->log_std_max);
      mean[i * A + a] = head[i * H + a];
      sd[i * A + a] = (float)exp(log_sd);
    }
  free(head);
  return CEL_OK;
}

static CelStatus draw_sampler(const CeliInspection *view, const float *obs, int64_t n,
                              uint64_t seed, int64_t draw, float *actions) {
  const int64_t A = view->policy->A, O = view->policy->O;
  float *x, *u;
  CELI_TRY(inputs(view, obs, n, A, &x));
  for (int64_t i = 0; i < n; i++)
    celi_ops()->normal(x + i * (O + A) + O, seed, CEL_RNG_EVAL_ACT, (uint32_t)i,
                       (uint64_t)draw * (uint64_t)((A + 3) / 4), 0, A);
  CELI_TRY(outputs(&view->policy->net, x, n, &u));
  celi_ops()->tanh(actions, u, n * A);
  free(u);
  return CEL_OK;
}

static CelStatus draw_dist(const CeliInspection *view, const float *obs, int64_t n, uint64_t seed,
                           int64_t draw, void *actions) {
  const CeliPolicy *policy = view->policy;
  const int64_t W = policy->W, H = policy->H;
  const uint64_t block = (uint64_t)draw * (uint64_t)((W + 3) / 4);
  const double logit_scale = celi_policy_spec(policy).logit_scale;
  float *head, *noise;
  CELI_TRY(heads(view, obs, n, &head));
  const CelStatus status =
      celi_alloc(&noise, (size_t)(W > 0 ? W : 1), sizeof *noise, "noise of an action");
  for (int64_t i = 0; status == CEL_OK && i < n; i++) {
    if (policy->discrete)
      celi_ops()->uniform(noise, seed, CEL_RNG_EVAL_ACT, (uint32_t)i, block, 0, W);
    else
      celi_ops()->normal(noise, seed, CEL_RNG_EVAL_ACT, (uint32_t)i, block, 0, W);
    for (int64_t a = 0; logit_scale > 0 && a < H; a++) head[i * H + a] *= (float)logit_scale;
    celi_dist_draw_rows(&policy->dist, celi_policy_free_log_std(policy),
                        (uint8_t *)actions + (size_t)i * policy->bytes, 0, head + i * H, 0, noise,
                        0, 0, 1);
  }
  free(noise);
  free(head);
  return status;
}

CelStatus cel_agent_draw(CelAgent *agent, const void *obs, int64_t n, uint64_t seed, int64_t draw,
                         void *actions) {
  CELI_NEED(agent);
  CELI_NEED(obs);
  CELI_NEED(actions);
  CELI_USE_AGENT(agent);
  CELI_FLOATS(CELI_FLUSH);
  const CeliInspection view = agent->algo->inspect(agent);
  if (view.policy->F)
    return unsupported(agent, "with use_sde, its noise belongs to an episode, not to a state");
  if (draw < 0)
    return cel_fail(CEL_E_RANGE, "draw is %lld; it must not be negative", (long long)draw);
  CELI_TRY(check_rows(agent, obs, n));
  CELI_TRY(view.policy->options.sampler ? draw_sampler(&view, obs, n, seed, draw, actions)
                                        : draw_dist(&view, obs, n, seed, draw, actions));
  celi_policy_unscale(view.policy, actions, actions, n);
  celi_bounds_clip(&agent->action, actions, n);
  return CEL_OK;
}

// ---- values.

/// Q (n,A) or (n,), combined over members. The caller frees *q.
static CelStatus combined(const CeliInspection *view, float *x, int64_t n, float **q) {
  const int64_t E = view->q->E, A = view->policy->dist.A;
  CELI_TRY(outputs(view->q, x, n, q));
  if (view->head.dueling) celi_dueling_q(*q, *q, A, 0, E * n);
  if (view->kind == CELI_CRITIC_ALL_ACTIONS)
    celi_discrete_reduce(*q, *q, E, n, A, 0, n, view->head.mean);
  else
    celi_critic_value(&view->head, *q, *q, n);
  return CEL_OK;
}

/// Factor from the critic's rewards to the environment's.
static float reward_unit(const CeliInspection *view) {
  return view->policy->norm->rewards ? 1 / view->policy->norm->reward_scale[0] : 1;
}

/// Element a of an action, as the networks use it. If low and high are equal, the action has one
/// value, which is 0 for the networks.
static float scaled(const CeliPolicy *policy, float action, int64_t a) {
  return policy->scale[a] > 0 ? (action - policy->shift[a]) / policy->scale[a] : 0;
}

static CelStatus q_of_actions(const CeliInspection *view, const float *obs, const float *actions,
                              int64_t n, float *q) {
  const int64_t O = view->policy->norm->O, A = view->q->in - O;
  float *x, *all;
  CELI_TRY(inputs(view, obs, n, A, &x));
  for (int64_t i = 0; i < n; i++)
    for (int64_t a = 0; a < A; a++)
      x[i * (O + A) + O + a] = scaled(view->policy, actions[i * A + a], a);
  CELI_TRY(combined(view, x, n, &all));
  for (int64_t i = 0; i < n; i++) q[i] = all[i] * reward_unit(view);
  free(all);
  return CEL_OK;
}

static CelStatus q_of_discrete(const CeliInspection *view, const float *obs, const int32_t *actions,
                               int64_t n, float *q) {
  const int64_t A = view->policy->dist.A;
  float *x, *all;
  for (int64_t i = 0; i < n; i++)
    if (actions[i] < 0 || actions[i] >= A)
      return cel_fail(CEL_E_RANGE,
                      "action %d of row %lld does not exist; valid actions are 0 to %lld",
                      actions[i], (long long)i, (long long)A - 1);
  CELI_TRY(inputs(view, obs, n, 0, &x));
  CELI_TRY(combined(view, x, n, &all));
  for (int64_t i = 0; i < n; i++) q[i] = all[i * A + actions[i]] * reward_unit(view);
  free(all);
  return CEL_OK;
}

CelStatus cel_agent_q(CelAgent *agent, const void *obs, const void *actions, int64_t n, float *q) {
  CELI_NEED(agent);
  CELI_NEED(obs);
  CELI_NEED(actions);
  CELI_NEED(q);
  CELI_USE_AGENT(agent);
  CELI_FLOATS(CELI_FLUSH);
  const CeliInspection view = agent->algo->inspect(agent);
  if (view.kind == CELI_NO_CRITIC) return unsupported(agent, "it does not learn action values Q");
  CELI_TRY(check_rows(agent, obs, n));
  return view.kind == CELI_CRITIC_ALL_ACTIONS ? q_of_discrete(&view, obs, actions, n, q)
                                              : q_of_actions(&view, obs, actions, n, q);
}

static CelStatus v_of_network(const CeliInspection *view, const float *obs, int64_t n, float *v) {
  float *x, *y;
  CELI_TRY(inputs(view, obs, n, 0, &x));
  CELI_TRY(outputs(view->v, x, n, &y));
  for (int64_t i = 0; i < n; i++) v[i] = y[i] * reward_unit(view);
  free(y);
  return CEL_OK;
}

/// E_pi[Q - alpha log pi]. Source: [maximum-entropy, 8.14]
static CelStatus v_of_discrete(const CeliInspection *view, const float *obs, int64_t n, float *v) {
  const int64_t A = view->policy->dist.A;
  float *x, *q, *head = NULL, *pi = NULL;
  CELI_TRY(inputs(view, obs, n, 0, &x));
  CELI_TRY(combined(view, x, n, &q));
  CelStatus status = heads(view, obs, n, &head);
  if (status == CEL_OK) status = celi_alloc(&pi, (size_t)(n * A), sizeof *pi, "probabilities");
  if (status == CEL_OK) {
    boltzmann(view, head, head, pi, n);
    celi_discrete_value(v, q, head, pi, (float)view->temperature, A, 0, n);
    for (int64_t i = 0; i < n; i++) v[i] *= reward_unit(view);
  }
  free(pi);
  free(head);
  free(q);
  return status;
}

CelStatus cel_agent_v(CelAgent *agent, const void *obs, int64_t n, float *v) {
  CELI_NEED(agent);
  CELI_NEED(obs);
  CELI_NEED(v);
  CELI_USE_AGENT(agent);
  CELI_FLOATS(CELI_FLUSH);
  const CeliInspection view = agent->algo->inspect(agent);
  const bool discrete = view.kind == CELI_CRITIC_ALL_ACTIONS && is_categorical(&view);
  if (!view.v && !discrete) return unsupported(agent, "it does not learn state values V");
  CELI_TRY(check_rows(agent, obs, n));
  return view.v ? v_of_network(&view, obs, n, v) : v_of_discrete(&view, obs, n, v);
}

double cel_agent_temperature(CelAgent *agent) {
  CELI_NEED_OR(agent, (double)NAN);
  CELI_FLOATS(CELI_FLUSH);
  return agent->algo->inspect(agent).temperature;
}

double cel_agent_gamma(const CelAgent *agent) {
  CELI_NEED_OR(agent, (double)NAN);
  CELI_FLOATS(CELI_IEEE);
  char text[64];
  const int length =
      cel_fields_get(agent->algo->info.fields, agent->config, "gamma", text, sizeof text);
  CEL_ASSERT(length > 0 && length < (int)sizeof text); // every algorithm has one
  return strtod(text, NULL);
}
