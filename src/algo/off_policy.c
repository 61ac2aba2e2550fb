/// Networks, temperature, training and logged means of learners from a replay buffer. Interface:
/// off_policy.h.
#include "algo/off_policy.h"
#include "base/base.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

// ---- networks.

CelStatus celi_trained_declare(CeliTrained *trained, CelTensors *tensors, const char *name,
                               const CeliMlpSpec *spec) {
  CELI_TRY(celi_mlp_declare(&trained->net, tensors, name, CEL_PARAM, spec));
  CELI_TRY(celi_net_declare_grad(&trained->grad, tensors, name, CEL_GRAD, &trained->net));
  CELI_TRY(celi_net_declare_grad(NULL, tensors, name, CEL_MOMENT1, &trained->net));
  return celi_net_declare_grad(NULL, tensors, name, CEL_MOMENT2, &trained->net);
}

CeliMlpSpec celi_off_policy_network(const CelOffPolicyConfig *config, int64_t in, int64_t out) {
  return (CeliMlpSpec){.E = 1,
                       .in = in,
                       .out = out,
                       .hidden = config->net_arch,
                       .activation = celi_activation_of(config->activation),
                       .norm.kind = config->layer_norm ? CELI_NORM_LAYER : CELI_NORM_NONE,
                       .init = (CeliInit)config->init,
                       .output_gain = 1,
                       .dx_begin = in,
                       .dx_end = in};
}

CeliMlpSpec celi_off_policy_critic(const CelOffPolicyConfig *config, int64_t in, int64_t out) {
  CeliMlpSpec spec = celi_off_policy_network(config, in, out);
  if (config->critic_arch.n >= 0) spec.hidden = config->critic_arch;
  return spec;
}

CeliAdamConfig celi_off_policy_adam(const CelOffPolicyConfig *config) {
  return (CeliAdamConfig){.learning_rate = cel_schedule_at(&config->learning_rate, 1),
                          .beta1 = config->adam_beta1,
                          .beta2 = config->adam_beta2,
                          .epsilon = config->adam_epsilon,
                          .weight_decay = config->weight_decay,
                          .max_grad_norm = config->max_grad_norm};
}

// ---- temperature.

/// The largest temperature that is learned, as the field ent_coef has it.
static const double alpha_max = 1e12;
/// A learned temperature above this times max(1, its start) is reported once.
static const double alpha_far = 1e4;

/// Describes the policy with the largest entropy, in messages.
static const char *widest(const CeliPolicy *policy) {
  if (policy->discrete) return "the uniform policy";
  const bool squash = policy->dist.kind == CELI_SQUASHED_GAUSSIAN;
  return squash ? "a squashed Gaussian" : "a Gaussian with this log_std_max";
}

CelStatus celi_temperature_declare(CeliTemperature *t, CelAgent *agent, const CeliPolicy *policy,
                                   const CeliTemperatureSpec *spec) {
  CelTensors *tensors = agent->tensors;
  const double most = celi_policy_entropy_max(policy);
  t->learned = isnan(spec->ent_coef);
  t->fixed = spec->ent_coef, t->start = spec->start, t->target_entropy = spec->target_entropy;
  t->log_max = log(alpha_max);
  if (t->learned && spec->target_entropy > most && !agent->options.act_only)
    return cel_fail(CEL_E_RANGE,
                    "%s: target_entropy %.6g cannot be reached, because %s has at most %.6g nats; "
                    "use a smaller target_entropy or a fixed ent_coef",
                    agent->algo->info.name, spec->target_entropy, widest(policy), most);
  CELI_DECLARE(tensors, "log_ent_coef", CEL_F32, CEL_PARAM, &t->log_alpha, 1);
  CELI_DECLARE(tensors, "grad.log_ent_coef", CEL_F32, CEL_GRAD, &t->d_log_alpha, 1);
  CELI_DECLARE(tensors, "adam.m.log_ent_coef", CEL_F32, CEL_MOMENT1, NULL, 1);
  CELI_DECLARE(tensors, "adam.v.log_ent_coef", CEL_F32, CEL_MOMENT2, NULL, 1);
  CELI_DECLARE(tensors, "ent_coef", CEL_F32, CEL_SCRATCH, &t->alpha, 1);
  return celi_adam_declare(&t->adam, tensors, "adam.ent_coef");
}

CelStatus celi_temperature_bind(CeliTemperature *t, const CelTensors *tensors,
                                CeliAdamConfig config) {
  *t->log_alpha = t->learned ? (float)log(t->start) : 0;
  config.weight_decay = config.max_grad_norm = 0;
  return celi_adam_bind(&t->adam, tensors, "log_ent_coef", "log_ent_coef", &config);
}

void celi_temperature_sync(CeliTemperature *t) {
  if (t->learned)
    celi_ops()->exp(t->alpha, t->log_alpha, 1);
  else
    *t->alpha = (float)t->fixed;
}

double celi_temperature_step(CeliTemperature *t, double entropy) {
  if (!t->learned) return 0;
  const double excess = entropy - t->target_entropy;
  const double loss = (double)*t->log_alpha * excess;
  *t->d_log_alpha = (float)excess;
  celi_adam_advance(t->adam.step);
  celi_ops()->adam(t->log_alpha, t->d_log_alpha, t->adam.m, t->adam.v, t->adam.step, 0, 1);
  if ((double)*t->log_alpha > t->log_max) *t->log_alpha = (float)t->log_max;
  celi_ops()->exp(t->alpha, t->log_alpha, 1);
  return loss;
}

/// Tells of a temperature that has run away.
static void watch_temperature(const CeliTemperature *t, CelAgent *agent) {
  if (!t->learned) return;
  const double far = alpha_far * fmax(1, t->start);
  const bool held = *t->log_alpha >= (float)t->log_max;
  if ((double)*t->alpha < far) return;
  snprintf(agent->note, sizeof agent->note,
           "%s: the learned temperature %s %g: the entropy stays below target_entropy %.4g; take a "
           "smaller target, or a number for ent_coef",
           agent->algo->info.name, held ? "is held at its bound" : "has risen above",
           held ? alpha_max : far, t->target_entropy);
}

// ---- what is logged.

CelStatus celi_means_declare(CeliMeans *means, CelTensors *tensors) {
  CELI_DECLARE(tensors, "metric_sum", CEL_F64, CEL_SCRATCH, &means->sum, CELI_MEANS_MAX);
  return CEL_OK;
}

void celi_means_bind(CeliMeans *means, CelAgent *agent, const char *const *names, int n) {
  CEL_ASSERT(n <= CELI_MEANS_MAX);
  means->n = n, means->name = names;
  for (int i = 0; i < n; i++) means->slot[i] = celi_agent_metric_add(agent, names[i]);
}

/// Errors: CEL_E_NAN, naming the first that is not finite.
static CelStatus show(const CeliMeans *means, CelAgent *agent, int64_t n) {
  for (int i = 0; i < means->n; i++) {
    const int64_t every = means->every[i] > 1 ? means->every[i] : 1, updates = *agent->updates;
    const int64_t count = updates / every - (updates - n) / every;
    if (count > 0) agent->metric[means->slot[i]] = means->sum[i] / (double)count;
  }
  for (int i = 0; i < means->n; i++)
    if (!isfinite(means->sum[i]))
      return cel_fail(
          CEL_E_NAN,
          "%s: %s is %g at update %lld: try a smaller learning_rate, or normalize_observation and "
          "normalize_reward",
          agent->algo->info.name, means->name[i],
          isnan(means->sum[i]) ? (double)NAN : means->sum[i],
          (long long)*agent->updates); // a NaN without its sign
  return CEL_OK;
}

CelStatus celi_off_policy_update(CelAgent *agent, int64_t n) {
  CeliOffPolicy *off = agent->self;
  CeliExperience *x = &off->experience;
  CeliUpdate *update = &off->update;
  CeliMeans *means = &update->means;
  if (*x->replay.transitions < 1)
    return cel_fail(CEL_E_STATE,
                    "%s: there is nothing to learn from yet; observe a step before updating",
                    agent->algo->info.name);
  const double now =
      cel_schedule_at(&off->config->learning_rate, celi_agent_progress_remaining(agent));
  for (int i = 0; i < update->n_adams; i++) celi_adam_set_rate(update->adam[i], now);
  memset(means->sum, 0, (size_t)means->n * sizeof *means->sum);
  CELI_TRY(celi_plan_repeat(update->plan, agent->team, n));
  *x->pending = *x->pending > n ? *x->pending - n : 0;
  means->sum[update->rate] = now * (double)n;
  watch_temperature(&off->temperature, agent);
  return show(means, agent, n);
}

// ---- training.

CelStatus celi_off_policy_declare_training(CeliOffPolicy *off, CeliTrained *const *trained,
                                           const char *const *names, int n) {
  CelAgent *agent = off->experience.agent;
  CelTensors *t = agent->tensors;
  char name[CEL_NAME_MAX];
  CELI_TRY(celi_policy_declare_steps(&off->policy, t, &off->experience.norm, off->experience.N,
                                     agent->options.seed));
  CELI_TRY(celi_means_declare(&off->update.means, t));
  CELI_TRY(celi_adam_declare(&off->actor, t, "adam.actor"));
  for (int i = 0; i < n; i++) {
    snprintf(name, sizeof name, "adam.%s", names[i]);
    CELI_TRY(celi_adam_declare(&trained[i]->adam, t, name));
  }
  return celi_policy_declare_noise(&off->policy, t);
}

/// Adds a network and its optimizer, which updates the parameters from the network's first to
/// `last`.
static CelStatus bind(CeliOffPolicy *off, CeliNet *net, CeliAdam *adam, const char *name,
                      const char *last) {
  const CeliAdamConfig config = celi_off_policy_adam(off->config);
  char first[CEL_NAME_MAX];
  CEL_ASSERT(off->n_trained < CELI_TRAINED_MAX && off->update.n_adams < CELI_MEANS_MAX);
  off->trained[off->n_trained++] = net;
  off->update.adam[off->update.n_adams++] = adam;
  celi_net_first_parameter(net, name, first);
  return celi_adam_bind(adam, off->experience.agent->tensors, first, last, &config);
}

static CelStatus bind_temperature(CeliOffPolicy *off) {
  CeliTemperature *temperature = &off->temperature;
  if (!temperature->alpha) return CEL_OK;
  CEL_ASSERT(off->update.n_adams < CELI_MEANS_MAX);
  off->update.adam[off->update.n_adams++] = &temperature->adam;
  return celi_temperature_bind(temperature, off->experience.agent->tensors,
                               celi_off_policy_adam(off->config));
}

CelStatus celi_off_policy_prepare(CelAgent *agent, const char *const *names, int n, int rate) {
  CeliOffPolicy *off = agent->self;
  char last[CEL_NAME_MAX];
  celi_policy_init(&off->policy, CELI_INIT_ACTOR);
  celi_experience_reset(&off->experience);
  celi_means_bind(&off->update.means, agent, names, n);
  off->update.rate = rate;
  celi_policy_last_parameter(&off->policy, last);
  CELI_TRY(bind(off, &off->policy.net, &off->actor, "actor", last));
  return bind_temperature(off);
}

CelStatus celi_off_policy_train(CeliOffPolicy *off, CeliTrained *trained, const char *name,
                                uint32_t first_index) {
  char last[CEL_NAME_MAX];
  celi_net_init(&trained->net, off->experience.agent->options.seed, first_index);
  celi_net_last_parameter(&trained->net, name, last);
  return bind(off, &trained->net, &trained->adam, name, last);
}

void celi_target_copy(CeliNet *target, const CeliNet *net, int64_t n) {
  memcpy(celi_net_parameters(target), celi_net_parameters(net), (size_t)n * sizeof(float));
}

typedef struct TargetArgs {
  const CeliOffPolicy *off;
  const CeliNet *target, *net;
} TargetArgs;

static void op_target(const void *args, int64_t begin, int64_t end) {
  const TargetArgs *a = args;
  const CelOffPolicyConfig *config = a->off->config;
  const int64_t updates = *a->off->experience.agent->updates;
  if ((updates + 1) % config->target_update_interval == 0)
    celi_ops()->polyak(celi_net_parameters(a->target), celi_net_parameters(a->net),
                       (float)config->tau, begin, end);
}

void celi_off_policy_plan_target(CeliOffPolicy *off, const CeliNet *target, const CeliNet *net,
                                 int64_t n) {
  const TargetArgs args = {off, target, net};
  celi_plan_add(off->update.plan, "target", op_target, CELI_PARTS, n, CELI_ELEMENT_GRAIN, &args,
                sizeof args);
  celi_plan_touch(off->update.plan, CELI_READ(off->experience.agent->updates, 1),
                  CELI_READ_ROWS(celi_net_parameters(net), 1, 1),
                  CELI_UPDATE_ROWS(celi_net_parameters(target), 1, 1));
}

void celi_off_policy_plan_rows(CeliOffPolicy *off, const char *name, CeliOpFn fn, int64_t rows) {
  celi_plan_add(off->update.plan, name, fn, CELI_ROWS, rows, CELI_ROW_GRAIN, &off, sizeof off);
}

void celi_off_policy_plan_finish(CeliOffPolicy *off, const char *name, CeliOpFn fn) {
  const CeliTemperature *t = &off->temperature;
  celi_plan_add(off->update.plan, name, fn, CELI_SERIAL, 1, 1, &off, sizeof off);
  celi_plan_touch(off->update.plan, CELI_UPDATE(off->update.means.sum, off->update.means.n),
                  CELI_UPDATE(off->experience.sample_counter, 1),
                  CELI_UPDATE(off->experience.agent->updates, 1), CELI_UPDATE(t->alpha, 1),
                  CELI_UPDATE(t->log_alpha, 1), CELI_UPDATE(t->d_log_alpha, 1),
                  CELI_UPDATE(t->adam.m, 1), CELI_UPDATE(t->adam.v, 1),
                  CELI_UPDATE(t->adam.step, 1));
}

void celi_off_policy_plan_every(CeliOffPolicy *off, int64_t every) {
  if (every > 1)
    celi_plan_every(off->update.plan, off->experience.agent->updates, every);
  else
    celi_plan_every(off->update.plan, NULL, 1);
}

bool celi_off_policy_is_due(const CeliOffPolicy *off, int64_t every) {
  return (*off->experience.agent->updates + 1) % every == 0;
}

void celi_off_policy_count(CeliOffPolicy *off, int64_t batch) {
  *off->experience.sample_counter += celi_replay_blocks(batch);
  ++*off->experience.agent->updates;
}

CelStatus celi_off_policy_sync(CelAgent *agent) {
  CeliOffPolicy *off = agent->self;
  CELI_TRY(celi_experience_check(&off->experience));
  if (off->temperature.alpha) celi_temperature_sync(&off->temperature);
  for (int i = 0; i < off->n_trained; i++) celi_net_transpose(off->trained[i]);
  return CEL_OK;
}

void celi_off_policy_release(CelAgent *agent) {
  celi_plan_destroy(((CeliOffPolicy *)agent->self)->update.plan);
}

int celi_off_policy_plans(const CelAgent *agent, CeliNamedPlan plans[CELI_PLANS_MAX]) {
  plans[0] = (CeliNamedPlan){"update", ((const CeliOffPolicy *)agent->self)->update.plan};
  return 1;
}
