/// Adam(W), gradient clipping by norm, and target averaging.
///
/// One step:
///   t += 1;  g *= min(1, max_grad_norm / (|g| + 1e-6))
///   m += (1 - beta1)(g - m);  v += (1 - beta2)(g^2 - v)
///   p -= lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)
/// AdamW first multiplies p by 1 - lr weight_decay.
/// Source: Kingma and Ba, 2015; Loshchilov and Hutter, 2019. Clipping is that of PyTorch's
/// clip_grad_norm_.
#include "nn/optim.h"
#include "base/base.h"
#include "nn/declare.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/// Elements of a run are split in units of this size.
enum { ELEMENTS = CELI_ELEMENT_GRAIN, NORM_BLOCK_MIN = 256 };
/// Optimizers per plan step (a plan's arguments have at most 256 bytes).
enum { MANY_MAX = 16 };

_Static_assert(sizeof(CeliAdamStep) == 64, "a step is saved as bytes: it must have no padding");

// ---- declaring

CelStatus celi_adam_declare(CeliAdam *adam, CelTensors *tensors, const char *name) {
  char full[CEL_NAME_MAX + 16];
  const int64_t step = sizeof(CeliAdamStep), one = 1;
  const int64_t norm[] = {1, -1, -1}, partial[] = {CELI_NORM_BLOCKS, -1, -1};
  memset(adam, 0, sizeof *adam);
  snprintf(full, sizeof full, "%s.step", name);
  CELI_TRY(cel_tensors_declare(tensors, full, CEL_U8, CEL_STATE, &adam->step, 1, &step));
  snprintf(full, sizeof full, "%s.learning_rate", name);
  CELI_TRY(cel_tensors_declare(tensors, full, CEL_F64, CEL_STATE, &adam->learning_rate, 1, &one));
  CELI_TRY(celi_declare_f32(tensors, CEL_SCRATCH, &adam->grad_norm, norm, "%s.grad_norm", name));
  return celi_declare_f32(tensors, CEL_SCRATCH, &adam->partial, partial, "%s.partial", name);
}

/// The mirror of a parameter tensor in another role, `offset` floats after the start of its run.
static CelStatus find_mirror(float **out, const CelTensors *tensors, CelRole role,
                             const CelTensor *param) {
  char name[CEL_NAME_MAX + 16];
  snprintf(name, sizeof name, "%s%s", celi_mirror_prefix(role), param->name);
  const CelTensor *t = cel_tensors_find(tensors, name);
  if (t == NULL) return cel_fail(CEL_E_NAME, "adam: tensor \"%s\" does not exist", name);
  if (t->size != param->size || t->type != CEL_F32 || t->role != role)
    return cel_fail(CEL_E_SHAPE, "adam: \"%s\" does not have the layout of \"%s\"", name,
                    param->name);
  *out = t->data;
  return CEL_OK;
}

/// Checks that every parameter has the same offset in its run as its mirrors in theirs.
static CelStatus check_mirrors(const CeliAdam *adam, const CelTensors *tensors) {
  static const CelRole roles[] = {CEL_GRAD, CEL_MOMENT1, CEL_MOMENT2};
  const float *const begin[] = {adam->g, adam->m, adam->v};
  for (int64_t i = 0; i < cel_tensors_count(tensors); i++) {
    const CelTensor *param = cel_tensors_at(tensors, i);
    const float *data = param->data;
    if (param->role != CEL_PARAM || data < adam->p || data >= adam->p + adam->n) continue;
    for (int k = 0; k < 3; k++) {
      float *mirror = NULL;
      CELI_TRY(find_mirror(&mirror, tensors, roles[k], param));
      if (mirror - begin[k] != data - adam->p)
        return cel_fail(CEL_E_SHAPE,
                        "adam: \"%s%s\" has offset %lld, but its parameter has %lld; declare "
                        "mirrors in the order of the parameters",
                        celi_mirror_prefix(roles[k]), param->name, (long long)(mirror - begin[k]),
                        (long long)(data - adam->p));
    }
  }
  return CEL_OK;
}

static CelStatus find_param(const CelTensor **out, const CelTensors *tensors, const char *name) {
  *out = cel_tensors_find(tensors, name);
  if (*out == NULL || (*out)->role != CEL_PARAM || (*out)->type != CEL_F32)
    return cel_fail(CEL_E_NAME, "adam: \"%s\" is not a float32 parameter", name);
  return CEL_OK;
}

CelStatus celi_adam_bind(CeliAdam *adam, const CelTensors *tensors, const char *first,
                         const char *last, const CeliAdamConfig *config) {
  const CelTensor *begin, *end;
  CELI_TRY(find_param(&begin, tensors, first));
  CELI_TRY(find_param(&end, tensors, last));
  adam->p = begin->data;
  const float *stop = (const float *)end->data + end->size;
  if (stop < adam->p)
    return cel_fail(CEL_E_SHAPE, "adam: \"%s\" is declared after \"%s\"", first, last);
  adam->n = stop - adam->p;
  CELI_TRY(find_mirror(&adam->g, tensors, CEL_GRAD, begin));
  CELI_TRY(find_mirror(&adam->m, tensors, CEL_MOMENT1, begin));
  CELI_TRY(find_mirror(&adam->v, tensors, CEL_MOMENT2, begin));
  CELI_TRY(check_mirrors(adam, tensors));
  adam->max_grad_norm = config->max_grad_norm;
  *adam->step = (CeliAdamStep){.beta1_power = 1,
                               .beta2_power = 1,
                               .beta1 = config->beta1,
                               .beta2 = config->beta2,
                               .epsilon = (float)config->epsilon,
                               .weight_decay = (float)config->weight_decay,
                               .grad_scale = 1};
  celi_adam_set_rate(adam, config->learning_rate);
  return CEL_OK;
}

void celi_adam_set_rate(CeliAdam *adam, double learning_rate) {
  *adam->learning_rate = learning_rate;
  adam->step->learning_rate = (float)learning_rate;
}

// ---- one step

typedef struct AdamArgs {
  const CeliAdam *adam[MANY_MAX];
  int n;
} AdamArgs;

/// Elements per block of the gradient's norm, in whole vectors. The last block may be shorter.
/// Depends on n only.
static int64_t norm_block(const CeliAdam *adam) {
  const int64_t each = (adam->n + CELI_NORM_BLOCKS - 1) / CELI_NORM_BLOCKS;
  return each <= NORM_BLOCK_MIN ? NORM_BLOCK_MIN : (each + ELEMENTS - 1) / ELEMENTS * ELEMENTS;
}

/// At most CELI_NORM_BLOCKS.
static int64_t norm_blocks(const CeliAdam *adam) {
  return (adam->n + norm_block(adam) - 1) / norm_block(adam);
}

/// Blocks [begin, end).
static void op_square(const void *args, int64_t begin, int64_t end) {
  const CeliAdam *adam = ((const AdamArgs *)args)->adam[0];
  const int64_t block = norm_block(adam);
  for (int64_t i = begin; i < end; i++) {
    const int64_t at = i * block, left = adam->n - at;
    adam->partial[i] = celi_ops()->sum_squares(adam->g + at, left < block ? left : block);
  }
}

/// The factor that clips the gradient. A NaN norm gives a NaN factor, so that the error stays
/// visible.
static float clip_scale(const CeliAdam *adam, float *grad_norm) {
  double square = 0;
  const int64_t blocks = norm_blocks(adam);
  for (int64_t i = 0; i < blocks; i++) square += (double)adam->partial[i];
  const double norm = sqrt(square), scale = adam->max_grad_norm / (norm + 1e-6);
  *grad_norm = (float)norm;
  return scale > 1 ? 1.0f : (float)scale;
}

static void op_advance(const void *args, int64_t begin, int64_t end) {
  (void)begin, (void)end;
  const AdamArgs *a = args;
  for (int i = 0; i < a->n; i++) {
    const CeliAdam *adam = a->adam[i];
    adam->step->learning_rate = (float)*adam->learning_rate;
    celi_adam_advance(adam->step);
  }
}

/// The factors of a step. Every thread sums the parts of the norm itself, in the same order,
/// instead of waiting for another thread. The thread with the first elements stores the result,
/// which no other thread reads.
static CeliAdamStep step_of(const CeliAdam *adam, int64_t begin) {
  const CeliAdamStep *s = adam->step;
  CeliAdamStep step = {.learning_rate = s->learning_rate,
                       .epsilon = s->epsilon,
                       .weight_decay = s->weight_decay,
                       .beta1 = s->beta1,
                       .beta2 = s->beta2,
                       .step_size = s->step_size,
                       .inv_sqrt_bias2 = s->inv_sqrt_bias2,
                       .grad_scale = 1};
  float norm = 0;
  if (adam->max_grad_norm <= 0) return step;
  step.grad_scale = clip_scale(adam, &norm);
  if (begin == 0) *adam->grad_norm = norm, adam->step->grad_scale = step.grad_scale;
  return step;
}

static void op_update(const void *args, int64_t begin, int64_t end) {
  const CeliAdam *adam = ((const AdamArgs *)args)->adam[0];
  const CeliAdamStep step = step_of(adam, begin);
  celi_ops()->adam(adam->p, adam->g, adam->m, adam->v, &step, begin, end);
}

/// Appends the norms for clipping, and the advance.
static void plan_advance(CeliPlan *plan, const AdamArgs *args) {
  for (int i = 0; i < args->n; i++) {
    const AdamArgs one = {.adam = {args->adam[i]}, .n = 1};
    if (args->adam[i]->max_grad_norm <= 0) continue;
    celi_plan_add(plan, "gradient norm", op_square, CELI_PARTS, norm_blocks(args->adam[i]), 1, &one,
                  sizeof one);
    celi_plan_touch(plan, CELI_READ(one.adam[0]->g, one.adam[0]->n),
                    CELI_WRITE(one.adam[0]->partial, CELI_NORM_BLOCKS));
  }
  celi_plan_add(plan, "advance", op_advance, CELI_PARTS, 1, 1, args, sizeof *args);
  for (int i = 0; i < args->n; i++)
    celi_plan_touch(plan, CELI_READ(args->adam[i]->learning_rate, 1),
                    CELI_UPDATE(args->adam[i]->step, 1));
}

/// The factors of a step. With clipping, one thread also writes the norm and the factor.
static void touch_step(CeliPlan *plan, const CeliAdam *adam) {
  const bool clips = adam->max_grad_norm > 0;
  celi_plan_touch(plan, CELI_READ((const uint8_t *)adam->step, offsetof(CeliAdamStep, grad_scale)),
                  CELI_READ(clips ? adam->partial : NULL, CELI_NORM_BLOCKS),
                  CELI_WRITE(clips ? adam->grad_norm : NULL, 1),
                  CELI_WRITE(clips ? &adam->step->grad_scale : NULL, 1));
}

void celi_adam_plan_many(CeliPlan *plan, CeliAdam **adams, int n) {
  AdamArgs all = {.n = n};
  CEL_ASSERT(n >= 1 && n <= MANY_MAX);
  for (int i = 0; i < n; i++) all.adam[i] = adams[i];
  plan_advance(plan, &all);
  for (int i = 0; i < n; i++) {
    const AdamArgs one = {.adam = {adams[i]}, .n = 1};
    celi_plan_add(plan, "adam", op_update, CELI_PARTS, adams[i]->n, ELEMENTS, &one, sizeof one);
    touch_step(plan, adams[i]);
    celi_plan_touch(plan, CELI_READ_ROWS(adams[i]->g, 1, 1), CELI_UPDATE_ROWS(adams[i]->p, 1, 1),
                    CELI_UPDATE_ROWS(adams[i]->m, 1, 1), CELI_UPDATE_ROWS(adams[i]->v, 1, 1));
  }
}

void celi_adam_plan(CeliPlan *plan, CeliAdam *adam) {
  celi_adam_plan_many(plan, &adam, 1);
}

static void op_descend(const void *args, int64_t begin, int64_t end) {
  const CeliAdam *adam = ((const AdamArgs *)args)->adam[0];
  const CeliAdamStep step = step_of(adam, begin);
  const float rate = step.learning_rate * step.grad_scale;
  celi_ops()->axpby(adam->p + begin, -rate, adam->g + begin, 1.0f, end - begin);
}

void celi_sgd_plan(CeliPlan *plan, CeliAdam *adam) {
  const AdamArgs one = {.adam = {adam}, .n = 1};
  plan_advance(plan, &one);
  celi_plan_add(plan, "descend", op_descend, CELI_PARTS, adam->n, ELEMENTS, &one, sizeof one);
  touch_step(plan, adam);
  celi_plan_touch(plan, CELI_READ_ROWS(adam->g, 1, 1), CELI_UPDATE_ROWS(adam->p, 1, 1));
}

void celi_adam_as_rmsprop(CeliAdam *adam) {
  // The step counts as taken long ago: the powers in the bias corrections are 0 and stay 0.
  adam->step->t = 1;
  adam->step->beta1 = adam->step->beta1_power = adam->step->beta2_power = 0;
}

// ---- targets

typedef struct PolyakArgs {
  float *target;
  const float *p;
  float tau;
} PolyakArgs;

static void op_polyak(const void *args, int64_t begin, int64_t end) {
  const PolyakArgs *a = args;
  celi_ops()->polyak(a->target, a->p, a->tau, begin, end);
}

void celi_polyak_plan(CeliPlan *plan, float *target, const float *p, int64_t n, float tau) {
  const PolyakArgs args = {target, p, tau};
  celi_plan_add(plan, "polyak", op_polyak, CELI_PARTS, n, ELEMENTS, &args, sizeof args);
  celi_plan_touch(plan, CELI_UPDATE_ROWS(target, 1, 1), CELI_READ_ROWS(p, 1, 1));
}
