/// Networks, temperature, acting and logged means of learners from a replay buffer. Interface:
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

CelStatus celi_trained_declare_adam(CeliTrained *trained, CelTensors *tensors, const char *name) {
  char full[CEL_NAME_MAX];
  snprintf(full, sizeof full, "adam.%s", name);
  return celi_adam_declare(&trained->adam, tensors, full);
}

CelStatus celi_trained_bind(CeliTrained *trained, const CelTensors *tensors, const char *name,
                            const char *last, const CeliAdamConfig *config) {
  char first_name[CEL_NAME_MAX], last_name[CEL_NAME_MAX];
  celi_net_first_parameter(&trained->net, name, first_name);
  celi_net_last_parameter(&trained->net, name, last_name);
  return celi_adam_bind(&trained->adam, tensors, first_name, last ? last : last_name, config);
}

CeliMlpSpec celi_off_policy_network(const CelOffPolicyConfig *config, int64_t in, int64_t out) {
  return (CeliMlpSpec){.E = 1,
                       .in = in,
                       .out = out,
                       .hidden = config->net_arch,
                       .activation = celi_activation_of(config->activation),
                       .layer_norm = config->layer_norm,
                       .init = (CeliInit)config->init,
                       .output_gain = 1,
                       .dx_begin = in,
                       .dx_end = in};
}

CeliAdamConfig celi_off_policy_adam(const CelOffPolicyConfig *config) {
  return (CeliAdamConfig){.learning_rate = cel_schedule_at(&config->learning_rate, 1),
                          .beta1 = config->adam_beta1,
                          .beta2 = config->adam_beta2,
                          .epsilon = config->adam_epsilon,
                          .weight_decay = config->weight_decay,
                          .max_grad_norm = config->max_grad_norm};
}

void celi_target_move(const CeliNet *target, const CeliNet *net, double tau, int64_t interval,
                      int64_t updates, int64_t begin, int64_t end) {
  if ((updates + 1) % interval == 0)
    celi_ops()->polyak(celi_net_parameters(target), celi_net_parameters(net), (float)tau, begin,
                       end);
}

// ---- temperature.

/// The largest temperature that is learned, as the field ent_coef has it.
static const double alpha_max = 1e12;
/// A learned temperature above this times max(1, its start) is reported once.
static const double alpha_far = 1e4;

CelStatus celi_temperature_declare(CeliTemperature *t, CelAgent *agent,
                                   const CeliTemperatureSpec *spec) {
  CelTensors *tensors = agent->tensors;
  t->learned = isnan(spec->ent_coef);
  t->fixed = spec->ent_coef, t->start = spec->start, t->target_entropy = spec->target_entropy;
  t->log_max = log(alpha_max);
  if (t->learned && spec->target_entropy > spec->entropy_max && !agent->options.act_only)
    return cel_fail(CEL_E_RANGE,
                    "%s: target_entropy %.6g cannot be reached, because %s has at most %.6g nats; "
                    "use a smaller target_entropy or a fixed ent_coef",
                    agent->algo->info.name, spec->target_entropy, spec->policy, spec->entropy_max);
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
  if (!t || !t->learned) return;
  const double far = alpha_far * fmax(1, t->start);
  const bool held = *t->log_alpha >= (float)t->log_max;
  if ((double)*t->alpha < far) return;
  snprintf(agent->note, sizeof agent->note,
           "%s: the learned temperature %s %g: the entropy stays below target_entropy %.4g; take a "
           "smaller target, or a number for ent_coef",
           agent->algo->info.name, held ? "is held at its bound" : "has risen above",
           held ? alpha_max : far, t->target_entropy);
}

// ---- acting.

CelStatus celi_acting_declare(CeliActing *acting, CelTensors *tensors, const CeliNet *actor) {
  CELI_TRY(celi_pass_declare(&acting->pass, tensors, "pass.act", actor,
                             (CeliPassSpec){.B = CELI_ACT_ROWS}));
  CELI_DECLARE(tensors, "act.obs", CEL_F32, CEL_SCRATCH, &acting->obs, CELI_ACT_ROWS, actor->in);
  return CEL_OK;
}

void celi_acting_bind(CeliActing *acting) {
  acting->pass.X = acting->obs;
  acting->pass.ldx = acting->pass.net->in;
}

const float *celi_acting_forward(CeliActing *acting, const CeliNormalizer *norm, const float *obs,
                                 int64_t n) {
  CEL_ASSERT(n <= CELI_ACT_ROWS);
  celi_normalizer_apply(norm, acting->obs, acting->pass.net->in, obs, norm->O, 0, n);
  celi_net_forward(&acting->pass, 0, n);
  return celi_pass_output(&acting->pass);
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
  for (int i = 0; i < means->n; i++) agent->metric[means->slot[i]] = means->sum[i] / (double)n;
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
  watch_temperature(off->temperature, agent);
  return show(means, agent, n);
}

CelStatus celi_off_policy_train(CeliOffPolicy *off, CeliTrained *trained, const char *name,
                                const char *last) {
  const CeliAdamConfig adam = celi_off_policy_adam(off->config);
  CEL_ASSERT(off->n_trained < CELI_TRAINED_MAX && off->update.n_adams < CELI_MEANS_MAX);
  off->trained[off->n_trained++] = trained;
  off->update.adam[off->update.n_adams++] = &trained->adam;
  return celi_trained_bind(trained, off->experience.agent->tensors, name, last, &adam);
}

CelStatus celi_off_policy_train_temperature(CeliOffPolicy *off, CeliTemperature *temperature) {
  CEL_ASSERT(off->update.n_adams < CELI_MEANS_MAX);
  off->temperature = temperature;
  off->update.adam[off->update.n_adams++] = &temperature->adam;
  return celi_temperature_bind(temperature, off->experience.agent->tensors,
                               celi_off_policy_adam(off->config));
}

void celi_target_copy(CeliNet *target, const CeliTrained *trained) {
  memcpy(celi_net_parameters(target), celi_net_parameters(&trained->net),
         (size_t)trained->adam.n * sizeof(float));
}

CelStatus celi_off_policy_sync(CelAgent *agent) {
  CeliOffPolicy *off = agent->self;
  CELI_TRY(celi_experience_check(&off->experience));
  if (off->temperature) celi_temperature_sync(off->temperature);
  for (int i = 0; i < off->n_trained; i++) celi_net_transpose(&off->trained[i]->net);
  return CEL_OK;
}

void celi_off_policy_release(CelAgent *agent) {
  celi_plan_destroy(((CeliOffPolicy *)agent->self)->update.plan);
}
