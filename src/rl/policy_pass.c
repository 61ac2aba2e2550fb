/// A policy on B rows. Contract: policy_pass.h.
///
/// With gSDE and given actions, the head is (mean, log sigma), and sigma comes from the last hidden
/// layer. With gSDE and samples, one matrix is drawn for the whole batch. The samples of a
/// deterministic policy are tanh of the head.
/// Source: [maximum-entropy, 8.5], [actor-critic, 4.24]
#include "rl/policy_pass.h"
#include "base/base.h"
#include "nn/declare.h"

#include <stdio.h>
#include <string.h>

/// What the distribution needs.
static CelStatus declare_dist(CeliPolicyPass *pass, CelTensors *t, const char *name,
                              CeliPolicyUse use, int64_t B, bool backward) {
  const CeliPolicy *policy = pass->policy;
  const int64_t A = policy->dist.A;
  char part[CEL_NAME_MAX];
  if (use == CELI_POLICY_PROBABILITIES) {
    const int64_t matrix[] = {B, A, -1}, rows[] = {B, -1, -1};
    CELI_TRY(celi_declare_f32(t, CEL_SCRATCH, &pass->log_pi, matrix, "dist.%s.log_pi", name));
    CELI_TRY(celi_declare_f32(t, CEL_SCRATCH, &pass->pi, matrix, "dist.%s.pi", name));
    return celi_declare_f32(t, CEL_SCRATCH, &pass->mean_log, rows, "dist.%s.mean_log_pi", name);
  }
  if (policy->dist.deterministic) return CEL_OK;
  if (use == CELI_POLICY_SAMPLES && policy->F) {
    const int64_t latent[] = {1, B, policy->F};
    if (backward)
      CELI_TRY(celi_declare_f32(t, CEL_SCRATCH, &pass->net.dH, latent, "pass.%s.dH", name));
    snprintf(part, sizeof part, "gsde.%s", name);
    return celi_gsde_declare_shared(&pass->sde, t, part, &policy->sde, B);
  }
  snprintf(part, sizeof part, "dist.%s", name);
  CELI_TRY(celi_dist_declare_shared(&pass->dist, t, part, &policy->param, B, backward));
  snprintf(part, sizeof part, "gsde.%s", name);
  return policy->F ? celi_gsde_head_declare(&pass->given, t, part, &policy->sde, B) : CEL_OK;
}

CelStatus celi_policy_pass_declare(CeliPolicyPass *pass, CelTensors *tensors, const char *name,
                                   const CeliPolicy *policy, CeliPolicyUse use, int64_t B,
                                   bool backward, int threads) {
  char part[CEL_NAME_MAX];
  // gSDE reads the last hidden layer, so its rows must be contiguous.
  const CeliPassSpec spec = {
      .B = B, .backward = backward, .threads = policy->F ? 1 : threads, .train = backward};
  memset(pass, 0, sizeof *pass);
  pass->policy = policy;
  snprintf(part, sizeof part, "pass.%s", name);
  CELI_TRY(celi_pass_declare(&pass->net, tensors, part, &policy->net, spec));
  return declare_dist(pass, tensors, name, use, B, backward);
}

void celi_policy_pass_bind(CeliPolicyPass *pass, const float *X, ptrdiff_t ldx) {
  pass->net.X = X, pass->net.ldx = ldx;
  pass->head = pass->given.head ? pass->given.head : celi_pass_output(&pass->net);
  pass->d_head = pass->given.head ? pass->given.d_head : celi_pass_d_output(&pass->net);
}

// ---- clip_mean

typedef struct ClipArgs {
  const CeliPolicy *policy;
  float *mean;
  const float *clipped;
} ClipArgs;

static void op_clip_mean(const void *args, int64_t begin, int64_t end) {
  const ClipArgs *a = args;
  celi_policy_clip_mean(a->policy, a->mean, begin, end);
}

/// No gradient reaches a mean at its bound, as in PyTorch's hardtanh. a->mean is the gradient.
static void op_clip_mean_backward(const void *args, int64_t begin, int64_t end) {
  const ClipArgs *a = args;
  const int64_t A = a->policy->A;
  const float most = (float)a->policy->options.clip_mean;
  for (int64_t i = begin * A; i < end * A; i++)
    if (a->clipped[i] >= most || a->clipped[i] <= -most) a->mean[i] = 0;
}

static void plan_clip_mean(CeliPlan *plan, const CeliPolicyPass *pass) {
  const ClipArgs args = {.policy = pass->policy, .mean = celi_pass_output(&pass->net)};
  const int64_t A = pass->policy->A;
  if (!pass->policy->F || !(pass->policy->options.clip_mean > 0)) return;
  celi_plan_add(plan, "clip mean", op_clip_mean, CELI_ROWS, pass->net.B, CELI_ROW_GRAIN, &args,
                sizeof args);
  celi_plan_touch(plan, CELI_UPDATE_ROWS(args.mean, A, A));
}

static void plan_clip_mean_backward(CeliPlan *plan, const CeliPolicyPass *pass) {
  const ClipArgs args = {.policy = pass->policy,
                         .mean = celi_pass_d_output(&pass->net),
                         .clipped = celi_pass_output(&pass->net)};
  const int64_t A = pass->policy->A;
  if (!pass->policy->F || !(pass->policy->options.clip_mean > 0)) return;
  celi_plan_add(plan, "clip mean backward", op_clip_mean_backward, CELI_ROWS, pass->net.B,
                CELI_ROW_GRAIN, &args, sizeof args);
  celi_plan_touch(plan, CELI_READ_ROWS(args.clipped, A, A), CELI_UPDATE_ROWS(args.mean, A, A));
}

// ---- samples

typedef struct SquashArgs {
  const CeliPolicyPass *pass;
  float *action;      ///< (B,A) lda
  const float *taken; ///< backward: the same actions
  ptrdiff_t lda;
  const float *d_action; ///< backward: (B,A)
} SquashArgs;

static void op_squash(const void *args, int64_t begin, int64_t end) {
  const SquashArgs *s = args;
  celi_dist_mode(&s->pass->policy->dist, s->action, s->lda, s->pass->head, s->pass->policy->H,
                 begin, end);
}

/// d tanh(u) = (1 - tanh(u)^2) du.
static void op_squash_backward(const void *args, int64_t begin, int64_t end) {
  const SquashArgs *s = args;
  const int64_t A = s->pass->policy->A;
  for (int64_t b = begin; b < end; b++)
    for (int64_t k = 0; k < A; k++) {
      const float a = s->taken[b * s->lda + k];
      s->pass->d_head[b * A + k] = s->d_action[b * A + k] * (1.0f - a * a);
    }
}

static void plan_squash(CeliPlan *plan, const CeliPolicyPass *pass, float *action, ptrdiff_t lda) {
  const SquashArgs args = {.pass = pass, .action = action, .lda = lda};
  const int64_t A = pass->policy->A;
  celi_plan_add(plan, "squash", op_squash, CELI_ROWS, pass->net.B, CELI_ROW_GRAIN, &args,
                sizeof args);
  celi_plan_touch(plan, CELI_READ_ROWS(pass->head, A, A), CELI_WRITE_ROWS(action, lda, A));
}

static void plan_squash_backward(CeliPlan *plan, const CeliPolicyPass *pass, const float *d_action,
                                 const float *taken, ptrdiff_t lda) {
  const SquashArgs args = {.pass = pass, .taken = taken, .lda = lda, .d_action = d_action};
  const int64_t A = pass->policy->A;
  celi_plan_add(plan, "squash backward", op_squash_backward, CELI_ROWS, pass->net.B, CELI_ROW_GRAIN,
                &args, sizeof args);
  celi_plan_touch(plan, CELI_READ_ROWS(taken, lda, A), CELI_READ_ROWS(d_action, A, A),
                  CELI_WRITE_ROWS(pass->d_head, A, A));
}

void celi_policy_plan_sample(CeliPlan *plan, const CeliPolicyPass *pass, float *action,
                             ptrdiff_t lda, uint32_t index, const uint64_t *counter) {
  const CeliPolicy *policy = pass->policy;
  const int64_t out = policy->net.out;
  celi_net_plan_forward(plan, &pass->net);
  plan_clip_mean(plan, pass);
  if (policy->dist.deterministic)
    plan_squash(plan, pass, action, lda);
  else if (policy->F)
    celi_gsde_plan_sample(plan, &pass->sde, action, lda, pass->head, out,
                          celi_pass_latent(&pass->net), policy->F, policy->seed, index, counter);
  else
    celi_dist_plan_sample(plan, &pass->dist, action, lda, pass->head, out, policy->seed, index,
                          counter);
}

void celi_policy_plan_sample_backward(CeliPlan *plan, const CeliPolicyPass *pass,
                                      const float *d_action, const float *action, ptrdiff_t lda) {
  const CeliPolicy *policy = pass->policy;
  const int64_t A = policy->A, out = policy->net.out;
  if (policy->dist.deterministic)
    plan_squash_backward(plan, pass, d_action, action, lda);
  else if (policy->F)
    celi_gsde_plan_backward(plan, &pass->sde, pass->d_head, out, pass->net.dH, policy->F, d_action,
                            A, action, lda, celi_pass_latent(&pass->net), policy->F);
  else
    celi_dist_plan_sample_backward(plan, &pass->dist, pass->d_head, out, d_action, A, action, lda,
                                   pass->head, out);
  plan_clip_mean_backward(plan, pass);
  celi_net_plan_backward_data(plan, &pass->net, NULL, 0);
}

// ---- given actions

/// The entropy of a squashed policy, estimated by -log pi of the given actions, as in
/// Stable-Baselines3.
static void op_entropy(const void *args, int64_t begin, int64_t end) {
  const CeliDist *dist = &(*(const CeliPolicyPass *const *)args)->dist;
  for (int64_t b = begin; b < end; b++) dist->entropy[b] = -dist->logp[b];
}

typedef struct EntropyArgs {
  const CeliDist *dist;
  const float *d_entropy;
} EntropyArgs;

static void op_entropy_backward(const void *args, int64_t begin, int64_t end) {
  const EntropyArgs *a = args;
  for (int64_t b = begin; b < end; b++) a->dist->d_logp[b] -= a->d_entropy[b];
}

static bool estimates_entropy(const CeliPolicyPass *pass) {
  return pass->policy->dist.kind == CELI_SQUASHED_GAUSSIAN;
}

static void plan_entropy(CeliPlan *plan, const CeliPolicyPass *pass) {
  celi_plan_add(plan, "entropy estimate", op_entropy, CELI_ROWS, pass->dist.B, CELI_ROW_GRAIN,
                &pass, sizeof pass);
  celi_plan_touch(plan, CELI_READ_ROWS(pass->dist.logp, 1, 1),
                  CELI_WRITE_ROWS(pass->dist.entropy, 1, 1));
}

static void plan_entropy_backward(CeliPlan *plan, const CeliPolicyPass *pass,
                                  const float *d_entropy) {
  const EntropyArgs args = {&pass->dist, d_entropy};
  celi_plan_add(plan, "entropy estimate backward", op_entropy_backward, CELI_ROWS, pass->dist.B,
                CELI_ROW_GRAIN, &args, sizeof args);
  celi_plan_touch(plan, CELI_READ_ROWS(d_entropy, 1, 1), CELI_UPDATE_ROWS(pass->dist.d_logp, 1, 1));
}

void celi_policy_plan_log_prob(CeliPlan *plan, const CeliPolicyPass *pass, const void *actions) {
  const CeliPolicy *policy = pass->policy;
  celi_net_plan_forward(plan, &pass->net);
  plan_clip_mean(plan, pass);
  if (policy->F)
    celi_gsde_plan_head(plan, &pass->given, celi_pass_output(&pass->net), policy->A,
                        celi_pass_latent(&pass->net), policy->F);
  celi_dist_plan_log_prob(plan, &pass->dist, actions, celi_policy_lda(policy), pass->head,
                          policy->H);
  if (estimates_entropy(pass)) plan_entropy(plan, pass);
}

void celi_policy_plan_log_prob_backward(CeliPlan *plan, const CeliPolicyPass *pass,
                                        const float *d_entropy, const void *actions) {
  const CeliPolicy *policy = pass->policy;
  if (estimates_entropy(pass) && d_entropy) plan_entropy_backward(plan, pass, d_entropy);
  if (estimates_entropy(pass)) d_entropy = NULL;
  celi_dist_plan_log_prob_backward(plan, &pass->dist, pass->d_head, policy->H, pass->dist.d_logp,
                                   d_entropy, actions, celi_policy_lda(policy), pass->head,
                                   policy->H);
  if (policy->F)
    celi_gsde_plan_head_backward(plan, &pass->given, celi_pass_d_output(&pass->net), policy->A);
  plan_clip_mean_backward(plan, pass);
  celi_net_plan_backward_data(plan, &pass->net, NULL, 0);
}

// ---- probabilities

static void op_probabilities(const void *args, int64_t begin, int64_t end) {
  const CeliPolicyPass *pass = *(const CeliPolicyPass *const *)args;
  const int64_t A = pass->policy->dist.A;
  celi_dist_softmax(pass->log_pi, pass->pi, pass->head, A, begin, end);
  celi_dist_mean_log(pass->mean_log, pass->log_pi, pass->pi, A, begin, end);
}

void celi_policy_plan_probabilities(CeliPlan *plan, const CeliPolicyPass *pass) {
  celi_net_plan_forward(plan, &pass->net);
  celi_plan_add(plan, "probabilities", op_probabilities, CELI_ROWS, pass->net.B, CELI_ROW_GRAIN,
                &pass, sizeof pass);
  const int64_t A = pass->policy->dist.A;
  celi_plan_touch(plan, CELI_READ_ROWS(pass->head, A, A), CELI_UPDATE_ROWS(pass->log_pi, A, A),
                  CELI_UPDATE_ROWS(pass->pi, A, A), CELI_WRITE_ROWS(pass->mean_log, 1, 1));
}

// ---- gradients of parameters

void celi_policy_plan_backward_weight(CeliPlan *plan, const CeliPolicyPass *pass) {
  celi_net_plan_backward_weight(plan, &pass->net, &pass->policy->grad);
}

void celi_policy_plan_backward_param(CeliPlan *plan, const CeliPolicyPass *pass) {
  celi_dist_plan_backward_param(plan, &pass->dist);
  if (pass->given.head) celi_gsde_plan_head_param(plan, &pass->given);
}
