/// The Gaussian policy of learners from a replay buffer. Contract: gaussian.h.
#include "algo/gaussian.h"
#include "base/base.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- declaring

CelStatus celi_gaussian_declare(CeliGaussianPolicy *policy, CelAgent *agent,
                                CeliExperience *experience, const CeliGaussianSpec *spec) {
  const char *name = agent->algo->info.name;
  policy->agent = agent;
  policy->experience = experience;
  policy->spec = *spec;
  policy->gsde = spec->noise == CELI_NOISE_GSDE;
  CELI_TRY(celi_box_declare(&policy->box, agent, spec->squash));
  if (spec->log_std_min >= spec->log_std_max)
    return cel_fail(CEL_E_RANGE, "%s: log_std_min is %g; it must be below log_std_max, %g", name,
                    spec->log_std_min, spec->log_std_max);
  policy->dist = (CeliDistSpec){.kind = spec->squash ? CELI_SQUASHED_GAUSSIAN : CELI_GAUSSIAN,
                                .A = policy->box.A,
                                .log_std_min = spec->log_std_min,
                                .log_std_max = spec->log_std_max};
  return CEL_OK;
}

CelStatus celi_gaussian_declare_experience(CeliGaussianPolicy *policy,
                                           const CeliExperienceSpec *spec) {
  CelSpace *stored;
  CELI_TRY(celi_box_stored(&policy->box, &stored));
  const CelStatus status = celi_experience_declare(policy->experience, policy->agent, stored, spec);
  free(stored);
  return status;
}

CelStatus celi_gaussian_declare_network(CeliGaussianPolicy *policy,
                                        const CelOffPolicyConfig *config) {
  CelTensors *t = policy->agent->tensors;
  const int64_t O = policy->experience->O, A = policy->box.A;
  CeliMlpSpec net = celi_off_policy_network(config, O, policy->gsde ? A : 2 * A);
  if (policy->gsde && config->net_arch.n < 1)
    return cel_fail(CEL_E_RANGE, "%s: noise gsde needs a hidden layer in net_arch",
                    policy->agent->algo->info.name);
  if (net.init == CELI_ORTHOGONAL) net.output_gain = 0.01;
  CELI_TRY(celi_trained_declare(&policy->actor, t, "actor", &net));
  if (!policy->gsde) return CEL_OK;
  CELI_TRY(celi_gsde_declare_param(&policy->sde, t, "actor",
                                   celi_net_latent_width(&policy->actor.net), A));
  policy->sde.squash = policy->spec.squash;
  return CEL_OK;
}

CelStatus celi_gaussian_declare_acting(CeliGaussianPolicy *policy) {
  CelTensors *t = policy->agent->tensors;
  const int64_t N = policy->agent->options.n_envs, H = policy->sde.H, A = policy->box.A;
  CELI_TRY(celi_acting_declare(&policy->acting, t, &policy->actor.net));
  if (!policy->gsde) return CEL_OK;
  CELI_DECLARE(t, "sde_matrix", CEL_F32, CEL_STATE, &policy->sde_matrix, N, H, A);
  CELI_DECLARE(t, "act.sde", CEL_F32, CEL_SCRATCH, &policy->sde_sample, H, A);
  return CEL_OK;
}

CelStatus celi_gaussian_declare_noise(CeliGaussianPolicy *policy) {
  const CeliGaussianSpec *spec = &policy->spec;
  CELI_TRY(celi_noise_declare(&policy->noise, policy->agent->tensors, "noise",
                              policy->gsde ? CELI_NOISE_NONE : spec->noise,
                              policy->agent->options.n_envs, policy->box.A, spec->noise_sigma,
                              spec->noise_theta, spec->noise_dt, policy->agent->options.seed));
  if (!spec->squash) policy->noise.limit = (double)INFINITY; // the environment clips the action
  return CEL_OK;
}

void celi_gaussian_reset(CeliGaussianPolicy *policy, uint32_t first_index) {
  celi_net_init(&policy->actor.net, policy->agent->options.seed, first_index);
  if (policy->gsde)
    celi_ops()->fill(policy->sde.log_std, (float)policy->spec.log_std_init,
                     policy->sde.H * policy->sde.A);
  celi_box_reset(&policy->box);
  celi_acting_bind(&policy->acting);
}

CelStatus celi_gaussian_train(CeliGaussianPolicy *policy, CeliOffPolicy *off) {
  return celi_off_policy_train(off, &policy->actor, "actor", policy->gsde ? "actor.log_std" : NULL);
}

double celi_gaussian_entropy_max(const CeliGaussianPolicy *policy) {
  return celi_box_entropy_max(&policy->box,
                              policy->gsde ? (double)INFINITY : policy->spec.log_std_max);
}

// ---- acting

/// A gSDE matrix M (H,A) from the stream of environment i. Source: Raffin et al., CoRL 2021.
static void draw_matrix(CeliGaussianPolicy *policy, float *M, int64_t i) {
  const int64_t size = policy->sde.H * policy->sde.A;
  uint64_t *counter = &policy->experience->act_counter[i];
  celi_ops()->normal(M, policy->agent->options.seed, CEL_RNG_ACT, (uint32_t)i, *counter, 0, size);
  *counter += (uint64_t)(size + 3) / 4;
  celi_gsde_scale(&policy->sde, M);
}

/// New matrices for all environments where sde_every steps have passed.
static void renew_matrices(CeliGaussianPolicy *policy) {
  const int64_t size = policy->sde.H * policy->sde.A;
  if (*policy->experience->env_steps % policy->spec.sde_every != 0) return;
  for (int64_t i = 0; i < policy->experience->N; i++)
    draw_matrix(policy, policy->sde_matrix + i * size, i);
}

/// Samples for all environments. Exploration uses each environment's matrix; otherwise each sample
/// has a matrix of its own, so that the action is a sample of N(mean, h^2 exp(2 log_std)).
static void act_sde(CeliGaussianPolicy *policy, const float *obs, bool explore, float *actions) {
  CeliExperience *x = policy->experience;
  const int64_t H = policy->sde.H, A = policy->sde.A, size = H * A;
  float *scaled = policy->box.out, *last_action = x->last_action;
  for (int64_t first = 0; first < x->N; first += CELI_ACT_ROWS) {
    const int64_t n = x->N - first < CELI_ACT_ROWS ? x->N - first : CELI_ACT_ROWS;
    const float *head = celi_acting_forward(&policy->acting, &x->norm, obs + first * x->O, n);
    const float *latent = celi_pass_latent(&policy->acting.pass);
    for (int64_t i = 0; i < n; i++) {
      const float *M = explore ? policy->sde_matrix + (first + i) * size : policy->sde_sample;
      if (!explore) draw_matrix(policy, policy->sde_sample, first + i);
      celi_gsde_act(scaled + i * A, head + i * A, latent + i * H, M, H, A, policy->spec.squash);
    }
    if (explore) memcpy(last_action + first * A, scaled, (size_t)(n * A) * sizeof(float));
    celi_box_unscale(&policy->box, actions + first * A, scaled, n);
  }
}

CelStatus celi_gaussian_act(CeliGaussianPolicy *policy, const float *obs, const uint8_t *start,
                            CelActMode mode, float *actions) {
  CeliExperience *x = policy->experience;
  const bool random = celi_experience_random(x, mode), explore = mode == CEL_EXPLORE;
  if (policy->gsde && explore) renew_matrices(policy);
  if (policy->gsde && mode != CEL_MODE && !random)
    act_sde(policy, obs, explore, actions);
  else
    celi_box_act(&policy->box, &policy->acting, x, &policy->dist, obs, mode, actions);
  if (!explore) return CEL_OK;
  if (!random && policy->noise.kind != CELI_NOISE_NONE) {
    celi_noise_add(&policy->noise, x->last_action, start ? start : x->begins);
    celi_box_unscale(&policy->box, actions, x->last_action, x->N);
  }
  celi_experience_follow(x, obs, start);
  return CEL_OK;
}

void celi_gaussian_predict(CeliGaussianPolicy *policy, const float *obs, int64_t n,
                           float *actions) {
  celi_box_predict(&policy->box, &policy->acting, &policy->experience->norm, &policy->dist, obs, n,
                   actions);
}

CeliPolicySpec celi_gaussian_policy(const CeliGaussianPolicy *policy, CeliActivation activation) {
  return (CeliPolicySpec){.kind = policy->dist.kind,
                          .activation = activation,
                          .A = policy->dist.A,
                          .log_std_min = policy->dist.log_std_min,
                          .log_std_max = policy->dist.log_std_max};
}

// ---- on a batch

CelStatus celi_gaussian_pass_declare(CeliGaussianPass *pass, const char *name,
                                     const CeliGaussianPolicy *policy, int64_t B, bool backward) {
  CelTensors *t = policy->agent->tensors;
  char part[CEL_NAME_MAX];
  // gSDE reads the last hidden layer, so its rows must be contiguous.
  const CeliPassSpec spec = {.B = B,
                             .backward = backward,
                             .threads = policy->gsde ? 1 : celi_team_size(policy->agent->team)};
  pass->policy = policy;
  snprintf(part, sizeof part, "pass.%s", name);
  CELI_TRY(celi_pass_declare(&pass->net, t, part, &policy->actor.net, spec));
  snprintf(part, sizeof part, "dist.%s", name);
  if (!policy->gsde) return celi_dist_declare(&pass->dist, t, part, &policy->dist, B, backward);
  snprintf(part, sizeof part, "pass.%s.dH", name);
  if (backward) CELI_DECLARE(t, part, CEL_F32, CEL_SCRATCH, &pass->net.dH, 1, B, policy->sde.H);
  snprintf(part, sizeof part, "gsde.%s", name);
  return celi_gsde_declare_shared(&pass->sde, t, part, &policy->sde, B);
}

void celi_gaussian_plan_sample(CeliPlan *plan, const CeliGaussianPass *pass, float *action,
                               ptrdiff_t lda, uint32_t index, const uint64_t *counter) {
  const CeliNet *net = &pass->policy->actor.net;
  const uint64_t seed = pass->policy->agent->options.seed;
  const float *head = celi_pass_output(&pass->net);
  celi_net_plan_forward(plan, &pass->net);
  if (!pass->policy->gsde) {
    celi_dist_plan_sample(plan, &pass->dist, action, lda, head, net->out, seed, index, counter);
    return;
  }
  celi_gsde_plan_sample(plan, &pass->sde, action, lda, head, net->out, celi_pass_latent(&pass->net),
                        celi_net_latent_width(net), seed, index, counter);
}

void celi_gaussian_plan_backward_data(CeliPlan *plan, const CeliGaussianPass *pass,
                                      const float *d_action, const float *action, ptrdiff_t lda) {
  const CeliNet *net = &pass->policy->actor.net;
  const int64_t A = pass->policy->box.A, H = celi_net_latent_width(net);
  float *d_head = celi_pass_d_output(&pass->net);
  if (!pass->policy->gsde)
    celi_dist_plan_sample_backward(plan, &pass->dist, d_head, net->out, d_action, A, action, lda,
                                   celi_pass_output(&pass->net), net->out);
  else
    celi_gsde_plan_backward(plan, &pass->sde, d_head, net->out, pass->net.dH, H, d_action, A,
                            action, lda, celi_pass_latent(&pass->net), H);
  celi_net_plan_backward_data(plan, &pass->net, NULL, 0);
}
