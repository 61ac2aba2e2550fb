/// Directional derivatives and Fisher matrices. Contract: tangent.h.
///
///   t_l = (d kind_l along (the direction, t_{l-1})) act'(z_l), t_{-1} = 0     (kinds: layers/)
/// M: Gaussian, 1/sd^2 for the mean and 2 for log sd;
///    categorical, diag(pi) - pi pi'; Bernoulli, p (1 - p).
/// KL: Gaussian, sum of log(sd'/sd) + (sd^2 + (mean - mean')^2) / (2 sd'^2) - 1/2;
///    categorical, sum of pi (log pi - log pi').
#include "nn/tangent.h"
#include "base/base.h"
#include "nn/declare.h"
#include "nn/net_rows.h"

#include <math.h>
#include <string.h>

CelStatus celi_tangent_declare(CeliTangent *tangent, CelTensors *tensors, const char *name,
                               const CeliPass *pass) {
  memset(tangent, 0, sizeof *tangent);
  CEL_ASSERT(pass->threads == 1 && pass->net->E == 1);
  tangent->pass = pass;
  for (int l = 0; l < pass->net->n; l++) {
    const CeliNode *node = &pass->net->node[l];
    if (!node->layer.kind->tangent)
      return cel_fail(CEL_E_UNSUPPORTED,
                      "directional derivatives through layers of kind %s are not supported",
                      node->layer.kind->name);
    const int64_t shape[] = {pass->B, node->out, -1};
    CELI_TRY(celi_declare_f32(tensors, CEL_SCRATCH, &tangent->t[l], shape, "%s.%d.t", name, l));
    tangent->widest = node->out > tangent->widest ? node->out : tangent->widest;
  }
  const int64_t shape[] = {pass->B, tangent->widest, -1};
  return celi_declare_f32(tensors, CEL_SCRATCH, &tangent->scratch, shape, "%s.u", name);
}

static void op_tangent(const void *args, int64_t begin, int64_t end) {
  const CeliTangent *t = *(const CeliTangent *const *)args;
  const CeliPass *p = t->pass;
  const CeliRange range = {.begin = begin, .end = end};
  for (int l = 0; l < p->net->n; l++) {
    const CeliNode *node = &p->net->node[l];
    const CeliNodeUse *use = &p->use[l];
    // All layers use one row distance in the scratch, because threads are in different layers at a
    // time.
    const CeliTangentRows rows = {.rows = celi_pass_node_rows(p, l, &range),
                                  .param = {t->param[l][0], t->param[l][1]},
                                  .t = t->t[l],
                                  .t_in = l ? t->t[l - 1] : NULL,
                                  .t_skip = node->skip >= 0 ? t->t[node->skip] : NULL,
                                  .scratch = t->scratch,
                                  .ld_scratch = t->widest};
    node->layer.kind->tangent(&rows);
    if (node->act != CELI_IDENTITY)
      celi_ops()->activation_backward(t->t[l], node->out, t->t[l], node->out,
                                      celi_activations[node->act].reads_input ? use->z : use->y,
                                      node->out, begin, end, node->out, node->act);
  }
}

static void touch_tangent(CeliPlan *plan, const CeliTangent *t, int l) {
  const CeliPass *pass = t->pass;
  const CeliNode *node = &pass->net->node[l];
  const CeliNodeUse *use = &pass->use[l];
  const int64_t stats = node->layer.kind->row_stats, in = node->in, N = node->out;
  celi_plan_touch(plan, CELI_READ_ROWS(l ? pass->use[l - 1].y : pass->X, l ? in : pass->ldx, in),
                  CELI_READ_ROWS(use->y, N, N), CELI_READ_ROWS(use->z, N, N),
                  CELI_READ_ROWS(use->row_stats, stats, stats), CELI_UPDATE_ROWS(t->t[l], N, N),
                  CELI_UPDATE_ROWS(t->scratch, t->widest, t->widest),
                  CELI_READ_ROWS(node->skip >= 0 ? t->t[node->skip] : NULL, N, N));
  for (int k = 0; k < CELI_LAYER_PARAMS; k++) {
    if (!node->param[k]) continue;
    const int64_t size = celi_param_size(node, k);
    celi_plan_touch(plan, CELI_READ(node->param[k], size), CELI_READ(t->param[l][k], size));
    if (k == 0 && node->layer.kind->transposes)
      celi_plan_flop(plan, 2. * (double)(pass->B * size * (l ? 2 : 1)));
  }
}

void celi_net_plan_tangent(CeliPlan *plan, CeliTangent *tangent, const float *direction) {
  const CeliNet *net = tangent->pass->net;
  for (int l = 0; l < net->n; l++)
    for (int k = 0; k < CELI_LAYER_PARAMS; k++)
      if (net->node[l].param[k])
        tangent->param[l][k] = direction + (net->node[l].param[k] - celi_net_parameters(net));
  celi_plan_add(plan, "tangent", op_tangent, CELI_ROWS, tangent->pass->B, CELI_ROW_GRAIN, &tangent,
                sizeof tangent);
  for (int l = 0; l < net->n; l++) touch_tangent(plan, tangent, l);
}

// ---- Fisher matrices

static void fisher_gaussian(const CeliDist *d, float *out, const float *t, float scale, int64_t b) {
  const CeliDistSpec *s = &d->spec;
  const int64_t A = s->A;
  const bool clamped = s->log_std_min < s->log_std_max;
  for (int64_t a = 0; a < A; a++) {
    const float inv_sd = d->inv_sd[b * A + a], log_std = d->log_std[b * A + a];
    const bool held =
        clamped && (log_std <= (float)s->log_std_min || log_std >= (float)s->log_std_max);
    out[a] = scale * inv_sd * inv_sd * t[a];
    if (!s->free_log_std) out[A + a] = held ? 0 : scale * 2 * t[A + a];
  }
}

static void fisher_choice(float *out, const float *pi, const float *t, float scale, int64_t n) {
  float mean = 0;
  for (int64_t a = 0; a < n; a++) mean += pi[a] * t[a];
  for (int64_t a = 0; a < n; a++) out[a] = scale * pi[a] * (t[a] - mean);
}

void celi_dist_fisher_rows(const CeliDist *dist, float *out, ptrdiff_t ldo, const float *t,
                           ptrdiff_t ldt, float scale, int64_t begin, int64_t end) {
  const CeliDistSpec *s = &dist->spec;
  for (int64_t b = begin; b < end; b++) {
    float *to = out + b * ldo;
    const float *from = t + b * ldt;
    if (!celi_dist_discrete(s)) {
      fisher_gaussian(dist, to, from, scale, b);
      continue;
    }
    const float *pi = dist->pi + b * s->A;
    switch (s->kind) {
    case CELI_CATEGORICAL: fisher_choice(to, pi, from, scale, s->A); break;
    case CELI_MULTI_CATEGORICAL:
      for (int64_t k = 0, at = 0; k < s->K; at += (int64_t)s->choices[k++])
        fisher_choice(to + at, pi + at, from + at, scale, (int64_t)s->choices[k]);
      break;
    default: // bits
      for (int64_t a = 0; a < s->A; a++) to[a] = scale * pi[a] * (1.0f - pi[a]) * from[a];
    }
  }
}

// ---- divergences, in double because they are small differences of large numbers

static double clamp_to(const CeliDistSpec *s, float x) {
  if (s->log_std_min >= s->log_std_max) return (double)x;
  return (double)x < s->log_std_min   ? s->log_std_min
         : (double)x > s->log_std_max ? s->log_std_max
                                      : (double)x;
}

static double kl_gaussian(const CeliDistSpec *s, const float *old, const float *old_log_std,
                          const float *new, const float *new_log_std) {
  double kl = 0;
  for (int64_t a = 0; a < s->A; a++) {
    const double from = clamp_to(s, old_log_std[a]), to = clamp_to(s, new_log_std[a]),
                 apart = (double)old[a] - (double)new[a];
    kl += to - from + 0.5 * (exp(2 * from) + apart * apart) * exp(-2 * to) - 0.5;
  }
  return kl;
}

static double log_sum(const float *x, int64_t n) {
  double most = (double)x[0];
  for (int64_t a = 1; a < n; a++) most = (double)x[a] > most ? (double)x[a] : most;
  double sum = exp((double)x[0] - most);
  for (int64_t a = 1; a < n; a++) sum += exp((double)x[a] - most);
  return most + log(sum);
}

static double kl_choice(const float *old, const float *new, int64_t n) {
  const double from = log_sum(old, n), to = log_sum(new, n);
  double kl = 0;
  for (int64_t a = 0; a < n; a++) {
    const double log_pi = (double)old[a] - from;
    kl += exp(log_pi) * (log_pi - ((double)new[a] - to));
  }
  return kl;
}

/// A bit is a categorical with the logits 0 and x.
static double kl_bits(const float *old, const float *new, int64_t n) {
  double kl = 0;
  for (int64_t a = 0; a < n; a++)
    kl += kl_choice((const float[]){0, old[a]}, (const float[]){0, new[a]}, 2);
  return kl;
}

void celi_dist_kl_rows(const CeliDistSpec *spec, float *kl, const float *old_head,
                       const float *old_log_std, const float *new_head, const float *new_log_std,
                       ptrdiff_t ldh, int64_t begin, int64_t end) {
  for (int64_t b = begin; b < end; b++) {
    const float *old = old_head + b * ldh, *new = new_head + b *ldh;
    double sum = 0;
    if (spec->kind == CELI_BERNOULLI)
      sum = kl_bits(old, new, spec->A);
    else if (spec->kind == CELI_CATEGORICAL)
      sum = kl_choice(old, new, spec->A);
    else if (spec->kind == CELI_MULTI_CATEGORICAL)
      for (int64_t k = 0, at = 0; k < spec->K; at += (int64_t)spec->choices[k++])
        sum += kl_choice(old + at, new + at, (int64_t)spec->choices[k]);
    else
      sum = kl_gaussian(spec, old, spec->free_log_std ? old_log_std : old + spec->A, new,
                        spec->free_log_std ? new_log_std : new + spec->A);
    kl[b] = (float)sum;
  }
}
