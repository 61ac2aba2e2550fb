/// Learners and settings whose plans are checked: what every operation touches against what it
/// declares (support/shadow.h).
#ifndef PLAN_CASES_H
#define PLAN_CASES_H
#include "learner_test.h"

#include "algo/algo.h"
#include "support/shadow.h"

enum { PLAN_THREADS = 3, PLAN_STEPS = 18 }; // of each rollout, or before the first update

typedef struct PlanCase {
  const char *algo;
  bool discrete, quick;
  const char *settings[8][2];
} PlanCase;

/// Small networks and batches that do not divide evenly.
static const char *const plan_off_policy[][2] = {{"net_arch", "12,9"},
                                                 {"batch_size", "13"},
                                                 {"buffer_size", "90"},
                                                 {"learning_starts", "0"},
                                                 {NULL, NULL}};
static const char *const plan_on_policy[][2] = {
    {"net_arch", "12,9"}, {"n_steps", "18"}, {NULL, NULL}};

static const PlanCase plan_cases[] = {
    {"sac", .quick = true, .settings = {{"n_steps", "3"}, {"noise", "gsde"}}},
    {"sac", .settings = {{"n_critics", "1"}, {"layer_norm", "true"}, {"max_grad_norm", "1"}}},
    {"sac", .settings = {{"n_critics", "5"}, {"activation", "silu"}, {"ent_coef", "0.2"}}},
    {"sac", .settings = {{"normalize_observation", "true"}, {"normalize_reward", "true"}}},
    {"sac", .settings = {{"n_steps", "2"}, {"policy", "gaussian"}, {"critic_reduce", "mean"}}},
    {"sac", .settings = {{"noise", "gsde"}, {"n_critics", "1"}, {"net_arch", "17"}}},
    {"sac", .quick = true,
     .settings = {{"use_sde", "true"}, {"use_expln", "true"}, {"clip_mean", "0.1"}}},
    {"sac", .settings = {{"critic", "quantile"}, {"n_quantiles", "7"}, {"n_steps", "2"}}},
    {"sac", .settings = {{"critic", "quantile"}, {"n_quantiles", "5"}, {"n_critics", "1"}}},
    {"sacv", .quick = true, .settings = {{"layer_norm", "true"}}},
    {"sacv", .settings = {{"n_critics", "1"}, {"max_grad_norm", "1"}}},
    {"sacv", .settings = {{"n_critics", "5"}, {"normalize_observation", "true"}}},
    {"dsac", .discrete = true, .quick = true, .settings = {{"n_steps", "3"}}},
    {"dsac", .discrete = true, .settings = {{"n_critics", "1"}, {"max_grad_norm", "1"}}},
    {"dsac", .discrete = true,
     .settings = {{"n_critics", "5"}, {"layer_norm", "true"}, {"critic_ent_coef", "0.1"}}},
    {"sql", .discrete = true, .quick = true, .settings = {{"normalize_observation", "true"}}},
    {"sql", .discrete = true, .settings = {{"layer_norm", "true"}, {"max_grad_norm", "1"}}},
    {"sqlc", .quick = true, .settings = {{"value_proposal", "policy"}, {"value_particles", "8"}}},
    {"sqlc", .settings = {{"value_particles", "5"},
                          {"fixed_particles", "6"},
                          {"updated_particles", "3"},
                          {"layer_norm", "true"},
                          {"max_grad_norm", "1"}}},
    {"sac", .settings = {{"policy_delay", "2"}, {"critic", "quantile"}, {"n_quantiles", "5"}}},
    {"sac", .settings = {{"target", "none"},
                         {"norm", "batch_renorm"},
                         {"norm_input", "true"},
                         {"norm_place", "after"},
                         {"policy_delay", "2"},
                         {"norm_warmup", "1"}}},
    {"sac", .settings = {{"target", "none"},
                         {"norm", "batch"},
                         {"n_critics", "1"},
                         {"use_sde", "true"},
                         {"n_steps", "2"}}},
    {"sac", .settings = {{"residual", "true"},
                         {"norm", "batch"},
                         {"target", "none"},
                         {"net_arch", "9,9"},
                         {"critic_arch", "12"},
                         {"dropout", "0.2"}}},
    {"sac", .settings = {{"target", "none"},
                         {"norm", "batch"},
                         {"critic", "categorical"},
                         {"n_atoms", "7"},
                         {"weight_norm", "all"},
                         {"policy_delay", "2"}}},
    {"sac", .settings = {{"target", "none"},
                         {"norm", "rms"},
                         {"norm_input", "true"},
                         {"critic_subset", "2"},
                         {"n_critics", "3"},
                         {"dropout", "0.2"},
                         {"policy_delay", "2"}}},
    {"td3", .quick = true, .settings = {{"policy_delay", "2"}, {"n_steps", "3"}}},
    {"td3", .settings = {{"policy_delay", "1"}, {"n_critics", "1"}, {"layer_norm", "true"}}},
    {"td3", .settings = {{"n_critics", "5"}, {"max_grad_norm", "1"}, {"noise", "ou"}}},
    {"dqn", .discrete = true, .quick = true,
     .settings = {{"double_q", "true"}, {"dueling", "true"}}},
    {"dqn", .discrete = true, .settings = {{"n_steps", "3"}, {"loss", "squared"}}},
    {"dqn", .discrete = true, .settings = {{"dueling", "true"}, {"layer_norm", "true"}}},
    {"ppo", .quick = true, .settings = {{"batch_size", "14"}, {"n_epochs", "1"}}},
    {"ppo", .settings =
                {{"batch_size", "14"}, {"n_epochs", "1"}, {"use_sde", "true"}, {"target_kl", "1"}}},
    {"ppo", .discrete = true,
     .settings = {{"batch_size", "12"}, {"n_epochs", "1"}, {"normalize_observation", "true"}}},
    {"ppo", .settings = {{"batch_size", "12"},
                         {"n_epochs", "1"},
                         {"layer_norm", "true"},
                         {"state_dependent_std", "true"},
                         {"normalize_reward", "true"}}},
    {"a2c", .quick = true, .settings = {{"use_sde", "true"}, {"normalize_reward", "true"}}},
    {"a2c", .quick = true,
     .settings = {{"use_sde", "true"}, {"squash_output", "true"}, {"use_expln", "true"}}},
    {"a2c", .discrete = true, .settings = {{"normalize_advantage", "true"}}},
    {"a2c", .settings = {{"layer_norm", "true"}, {"normalize_observation", "true"}}},
    {"ac", .quick = true, .settings = {{"optimizer", "sgd"}, {"discount_weight", "true"}}},
    {"ac",
     .settings = {{"max_grad_norm", "1"}, {"use_sde", "true"}, {"state_dependent_std", "false"}}},
    {"ac", .discrete = true, .settings = {{"reduction", "sum"}}},
    {"trpo", .quick = true, .settings = {{"batch_size", "14"}, {"n_critic_updates", "1"}}},
    {"trpo", .settings = {{"batch_size", "14"}, {"n_critic_updates", "1"}, {"use_sde", "true"}}},
    {"trpo", .settings = {{"batch_size", "14"},
                          {"n_critic_updates", "1"},
                          {"use_sde", "true"},
                          {"use_expln", "true"},
                          {"squash_output", "true"}}},
    {"trpo", .discrete = true,
     .settings = {{"batch_size", "14"},
                  {"n_critic_updates", "1"},
                  {"normalize_observation", "true"},
                  {"normalize_reward", "true"}}},
    {"trpo", .settings = {{"batch_size", "14"},
                          {"n_critic_updates", "1"},
                          {"state_dependent_std", "true"},
                          {"layer_norm", "true"}}},
    {"reinforce", .discrete = true, .quick = true,
     .settings = {{"baseline", "value"}, {"baseline_steps", "2"}}},
    {"reinforce", .discrete = true,
     .settings = {{"baseline", "none"}, {"discount_weight", "true"}}},
    {"reinforce", .settings = {{"baseline", "mean"}, {"use_sde", "true"}, {"max_grad_norm", "1"}}},
    {"reinforce", .discrete = true, .settings = {{"baseline", "none"}, {"reward_to_go", "false"}}},
};

static inline CelAgent *plan_agent(const PlanCase *c) {
  Learner learner = {.algo = c->algo, .discrete = c->discrete};
  CelAgent *probe = learner_make(&learner, NULL, NULL, 1);
  const bool rollouts = probe->algo->rollout != NULL;
  cel_agent_destroy(probe);
  memcpy(learner.settings, rollouts ? plan_on_policy : plan_off_policy,
         rollouts ? sizeof plan_on_policy : sizeof plan_off_policy);
  CelAgent *agent = learner_make(&learner, NULL, c->settings, PLAN_THREADS);
  learner_disturb(agent);
  return agent;
}

/// Two updates, each after new experience. The agent ends with the same bits as one whose plans
/// were not watched.
static inline void plan_check(const PlanCase *c) {
  const Learner learner = {.algo = c->algo, .discrete = c->discrete};
  CelAgent *agent = plan_agent(c), *twin = plan_agent(c);
  uint64_t digest[2], expected[2];
  Shadow shadow;
  assert_true(shadow_create(&shadow, cel_agent_tensors(agent), PLAN_THREADS));
  celi_team_run_plans_by(agent->team, shadow_run, &shadow);
  for (int update = 0; update < 2; update++) {
    learner_feed(&learner, agent, PLAN_STEPS);
    learner_feed(&learner, twin, PLAN_STEPS);
    if (cel_agent_update_n(agent, 1) != CEL_OK)
      fail_msg("%s (%s %s): %s", c->algo, c->settings[0][0], c->settings[0][1], cel_error());
    learner_update(twin, 1);
  }
  assert_true(shadow.slices > 20);
  cel_tensors_digest(cel_agent_tensors(agent), CEL_ROLES_RESUME, digest);
  cel_tensors_digest(cel_agent_tensors(twin), CEL_ROLES_RESUME, expected);
  assert_memory_equal(digest, expected, sizeof digest);
  shadow_free(&shadow);
  cel_agent_destroy(agent);
  cel_agent_destroy(twin);
}

static inline void plan_check_all(bool quick) {
  for (size_t i = 0; i < sizeof plan_cases / sizeof *plan_cases; i++)
    if (plan_cases[i].quick == quick) plan_check(&plan_cases[i]);
}

#endif
