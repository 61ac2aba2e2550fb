/// Small agents of the library, and copies of their networks in complex double. Contract:
/// learner.h.
#include "verify/learner.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- creation

static CelStatus configure(const CelAlgoInfo *info, void *config, const char *const *settings) {
  cel_fields_default(info->fields, config);
  for (int i = 0; settings[i]; i += 2)
    CELI_TRY(cel_fields_set(info->fields, config, settings[i], settings[i + 1]));
  return CEL_OK;
}

/// Adds noise to all parameters and targets, so that biases are not 0 and targets differ from their
/// networks.
static CelStatus disturb(CeliTrial *trial, CeliLearner *learner) {
  for (int64_t i = 0; i < cel_tensors_count(learner->tensors); i++) {
    const CelTensor *t = cel_tensors_at(learner->tensors, i);
    if (t->role != CEL_PARAM && t->role != CEL_TARGET) continue;
    if (strcmp(t->name, "log_ent_coef") == 0) continue; // stays as the settings give it
    for (int64_t k = 0; k < t->size; k++)
      ((float *)t->data)[k] += (float)(0.3 * cel_rng_normal(&trial->rng));
  }
  return cel_agent_sync(learner->agent);
}

CelStatus celi_learner_create(CeliTrial *trial, const CeliLearnerSpec *spec, CeliLearner *out) {
  const CelAlgoInfo *info;
  void *config = NULL;
  const CelAgentOptions options = {
      .n_envs = spec->n_envs ? spec->n_envs : 1, .seed = trial->seed, .threads = 1};
  const double bound = spec->bound > 0 ? spec->bound : 1;
  const CelSpace observation = cel_space_box(spec->O, -(double)INFINITY, (double)INFINITY);
  const CelSpace action =
      spec->discrete ? cel_space_discrete(spec->A) : cel_space_box(spec->A, -bound, bound);
  *out = (CeliLearner){.O = spec->O, .A = spec->A, .discrete = spec->discrete};
  CELI_TRY(cel_algo_find(spec->algo, &info));
  CELI_TRY(celi_alloc(&config, 1, info->config_size, "a learner's config"));
  CelStatus status = configure(info, config, spec->settings);
  if (status == CEL_OK)
    status = cel_agent_create(&out->agent, spec->algo, config, &observation, &action, &options);
  free(config);
  CELI_TRY(status);
  out->tensors = cel_agent_tensors(out->agent);
  return disturb(trial, out);
}

void celi_learner_destroy(CeliLearner *learner) {
  cel_agent_destroy(learner->agent);
  learner->agent = NULL;
}

// ---- transitions

/// A random number that float32 represents exactly.
static float draw(CeliTrial *trial) {
  return (float)cel_rng_normal(&trial->rng);
}

/// Stores a transition: the action at x and what followed.
static void remember(CeliLearner *learner, const float *x, const void *action, float reward,
                     const float *next, bool terminated, bool truncated) {
  CeliTransition *t = &learner->fed[learner->n_fed++];
  const float *u = action;
  const int32_t *choice = action;
  for (int k = 0; k < learner->O; k++) t->x[k] = (double)x[k], t->next[k] = (double)next[k];
  for (int k = 0; k < learner->A && !learner->discrete; k++) t->u[k] = (double)u[k];
  if (learner->discrete) t->u[0] = choice[0];
  t->r = (double)reward, t->terminated = terminated, t->truncated = truncated;
}

CelStatus celi_learner_feed(CeliTrial *trial, CeliLearner *learner, int steps) {
  CEL_ASSERT(steps <= CELI_LEARNER_STEPS && learner->O <= CELI_LEARNER_O);
  float obs[CELI_LEARNER_O], next[CELI_LEARNER_O], final[CELI_LEARNER_O], action[CELI_LEARNER_A];
  for (int k = 0; k < learner->O; k++) obs[k] = draw(trial);
  for (int t = 0; t < steps; t++) {
    const uint8_t terminated = t % 5 == 3, truncated = t % 7 == 6 && !terminated;
    const float reward = draw(trial);
    for (int k = 0; k < learner->O; k++) next[k] = draw(trial), final[k] = draw(trial);
    CELI_TRY(cel_agent_act(learner->agent, obs, NULL, CEL_EXPLORE, action));
    const CelOutcome outcome = {&reward, &terminated, &truncated, next, final};
    CELI_TRY(cel_agent_observe(learner->agent, &outcome));
    remember(learner, obs, action, reward, terminated || truncated ? final : next, terminated,
             truncated);
    memcpy(obs, next, sizeof obs);
  }
  return CEL_OK;
}

/// The pair of state s that an action stands for.
static int pair_of(const CeliLearner *learner, const CeliProblem *problem, int s, const void *u) {
  const float *real = u;
  const int32_t *choice = u;
  const int A = problem->A, part = (int)floor(((double)*real + 1) / 2 * A);
  if (learner->discrete) return problem->pair[s] + *choice;
  return problem->pair[s] + (part < A ? part : A - 1);
}

static void one_hot(float *x, int S, int s) {
  for (int k = 0; k < S; k++) x[k] = k == s ? 1 : 0;
}

CelStatus celi_learner_walk(CeliTrial *trial, CeliLearner *learner, const CeliProblem *problem,
                            int steps) {
  const int S = problem->S;
  CEL_ASSERT(S == learner->O && S <= CELI_LEARNER_O);
  float obs[CELI_LEARNER_O], next[CELI_LEARNER_O], final[CELI_LEARNER_O], action[CELI_LEARNER_A];
  for (int t = 0, s = celi_sample_start(trial, problem); t < steps; t++) {
    one_hot(obs, S, s);
    CELI_TRY(cel_agent_act(learner->agent, obs, NULL, CEL_EXPLORE, action));
    const int p = pair_of(learner, problem, s, action), to = celi_sample_next(trial, problem, p);
    const float reward = (float)problem->R[p * S + to];
    const uint8_t terminated = problem->ends[p * S + to] > 0 || celi_actions(problem, to) == 0;
    const uint8_t truncated = 0;
    s = terminated ? celi_sample_start(trial, problem) : to;
    one_hot(next, S, s);
    one_hot(final, S, to);
    const CelOutcome outcome = {&reward, &terminated, &truncated, next, final};
    CELI_TRY(cel_agent_observe(learner->agent, &outcome));
  }
  return CEL_OK;
}

/// The state that is observed in S numbers.
static int state_in(const float *x, int S) {
  for (int s = 0; s < S; s++)
    if (x[s] == 1) return s;
  return -1;
}

double celi_learner_backup(const CeliLearner *learner, const CeliProblem *problem, int b,
                           const double *V) {
  const bool discrete = learner->discrete;
  const int S = problem->S, ld = discrete ? S : S + learner->A;
  const CelTensor *x = cel_tensors_find(learner->tensors, discrete ? "batch.obs" : "batch.sa");
  const CelTensor *next =
      cel_tensors_find(learner->tensors, discrete ? "batch.next_obs" : "batch.sa_next");
  const float *row = (const float *)x->data + (ptrdiff_t)b * ld;
  const int s = state_in(row, S), to = state_in((const float *)next->data + (ptrdiff_t)b * ld, S);
  CEL_ASSERT(s >= 0 && to >= 0);
  const void *action = row + S;
  if (discrete)
    action = (const int32_t *)cel_tensors_find(learner->tensors, "batch.action")->data + b;
  const int k = pair_of(learner, problem, s, action) * S + to;
  const bool ends = problem->ends[k] > 0 || celi_actions(problem, to) == 0;
  return problem->R[k] + (ends ? 0 : problem->gamma * V[to]);
}

double celi_learner_at(const CeliLearner *learner, const char *name, int64_t i) {
  const CelTensor *t = cel_tensors_find(learner->tensors, name);
  CEL_ASSERT(t && t->type == CEL_F32 && i >= 0 && i < t->size);
  return (double)((const float *)t->data)[i];
}

const CeliTransition *celi_learner_find(const CeliLearner *learner, const char *batch, int b,
                                        int ld) {
  const double first = celi_learner_at(learner, batch, (int64_t)b * ld);
  for (int i = 0; i < learner->n_fed; i++)
    if (learner->fed[i].x[0] == first) return &learner->fed[i];
  return NULL;
}

// ---- networks

/// Copies member e of a layer's tensor (E, size) to `to`.
static void copy_member(const CeliLearner *learner, const char *prefix, const char *name, int l,
                        const char *what, int e, int size, double *to) {
  char full[CEL_NAME_MAX];
  snprintf(full, sizeof full, "%s%s.%d.%s", prefix, name, l, what);
  for (int i = 0; i < size; i++) to[i] = celi_learner_at(learner, full, (int64_t)e * size + i);
}

/// Reads the number of layers and their widths from the shapes of the weights (E, in, out).
static void measure(const CeliLearner *learner, const char *name, CeliCheckNet *net) {
  char full[CEL_NAME_MAX];
  for (net->L = 0;; net->L++) {
    snprintf(full, sizeof full, "%s.%d.weight", name, net->L);
    const CelTensor *W = cel_tensors_find(learner->tensors, full);
    if (!W) break;
    CEL_ASSERT(net->L < 4 && W->ndim == 3 && W->shape[1] <= CELI_LEARNER_WIDTH &&
               W->shape[2] <= CELI_LEARNER_WIDTH);
    net->width[net->L] = (int)W->shape[1], net->width[net->L + 1] = (int)W->shape[2];
    net->n += net->width[net->L + 1] * (net->width[net->L] + 1);
  }
  CEL_ASSERT(net->L > 0 && net->n <= CELI_CHECK_NET_MAX);
}

CeliCheckNet celi_check_net_read(CeliTrial *trial, const CeliLearner *learner, const char *name,
                                 int e) {
  CeliCheckNet net = {0};
  char first[CEL_NAME_MAX];
  measure(learner, name, &net);
  snprintf(first, sizeof first, "grad.%s.0.weight", name);
  net.theta = celi_take(trial, net.n);
  if (cel_tensors_find(learner->tensors, first)) net.gradient = celi_take(trial, net.n);
  for (int l = 0, at = 0; l < net.L; l++) {
    const int weights = net.width[l] * net.width[l + 1], biases = net.width[l + 1];
    for (int k = 0; k < (net.gradient ? 2 : 1); k++) {
      double *to = (k ? net.gradient : net.theta) + at;
      copy_member(learner, k ? "grad." : "", name, l, "weight", e, weights, to);
      copy_member(learner, k ? "grad." : "", name, l, "bias", e, biases, to + weights);
    }
    at += weights + biases;
  }
  return net;
}

void celi_check_net_forward(const CeliCheckNet *net, const CeliComplex *theta, const CeliComplex *x,
                            CeliComplex *out) {
  CeliComplex y[CELI_LEARNER_WIDTH] = {0}, sum;
  for (int k = 0; k < net->width[0]; k++) y[k] = x[k];
  for (int l = 0; l < net->L; l++) {
    const int in = net->width[l], width = net->width[l + 1];
    CeliComplex *to = l + 1 == net->L ? out : y, next[CELI_LEARNER_WIDTH];
    for (int j = 0; j < width; j++) {
      sum = theta[in * width + j];
      for (int k = 0; k < in; k++) sum += theta[k * width + j] * y[k];
      next[j] = l + 1 < net->L ? ctanh(sum) : sum;
    }
    for (int j = 0; j < width; j++) to[j] = next[j];
    theta += width * (in + 1);
  }
}

const CeliComplex *celi_check_net_theta(const CeliCheckNet *net, CeliComplex *to) {
  for (int i = 0; i < net->n; i++) to[i] = net->theta[i];
  return to;
}

void celi_check_net_apply(const CeliCheckNet *net, const double *x, double *out) {
  CeliComplex theta[CELI_CHECK_NET_MAX], in[CELI_LEARNER_WIDTH], y[CELI_LEARNER_WIDTH];
  for (int i = 0; i < net->width[0]; i++) in[i] = x[i];
  celi_check_net_forward(net, celi_check_net_theta(net, theta), in, y);
  for (int i = 0; i < net->width[net->L]; i++) out[i] = creal(y[i]);
}

CeliComplex celi_log_sd(CeliComplex head) {
  return creal(head) > 2 ? 2 : creal(head) < -20 ? -20 : head;
}

CeliComplex celi_log_jacobian(CeliComplex u) {
  const CeliComplex v = creal(u) < 0 ? -u : u; // 4 exp(-2v) / (1 + exp(-2v))^2
  return 2 * (0.69314718055994530942 - v - clog(1 + cexp(-2 * v)));
}

void celi_check_net_compare(CeliTrial *trial, const CeliCheckNet *net, CeliComplexFunction loss,
                            const void *user, bool differs) {
  double *exact = celi_take(trial, net->n);
  celi_complex_gradient(trial, loss, user, net->theta, net->n, exact);
  celi_compare_all(trial, net->gradient, exact, net->n, differs ? 1 : celi_size(exact, net->n));
}
